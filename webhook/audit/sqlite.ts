import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setImmediate as breathe } from 'node:timers/promises';
import { KubesentryError } from '../../api/errors.ts';
import { facetsOf, isWrite, MOST_FOUND, type Retention } from './columns.ts';
import type { Fact } from './fact.ts';
import type { FactQuery, FactStore } from './store.ts';

/** Written into `PRAGMA user_version`; a file of another version is not touched. */
const VERSION = 1;

/** Facts of one transaction: node:sqlite works in this very thread, where reviews are answered as well. */
const BATCH = 50;

/** Facts that one step of pruning takes; the same reason. */
const PRUNED = 500;

const SCHEMA = `
  CREATE TABLE facts (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    user TEXT NOT NULL,
    address TEXT NOT NULL,
    credential TEXT,
    namespace TEXT NOT NULL,
    resource TEXT NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    writes INTEGER NOT NULL,
    fact TEXT NOT NULL
  ) STRICT;
  CREATE INDEX by_time ON facts (time);
  CREATE INDEX by_user ON facts (user, writes, time);
  CREATE INDEX by_address ON facts (address, writes, time);
  CREATE INDEX by_credential ON facts (credential, time) WHERE credential IS NOT NULL;
  CREATE INDEX by_object ON facts (resource, namespace, name, time);
  CREATE INDEX by_namespace ON facts (namespace, resource, time);
  CREATE INDEX by_uid ON facts (uid, time) WHERE uid <> '';
  CREATE TABLE facets (
    facet TEXT NOT NULL,
    key INTEGER NOT NULL REFERENCES facts (key) ON DELETE CASCADE,
    PRIMARY KEY (facet, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX facets_of ON facets (key);
  PRAGMA user_version = ${VERSION};
`;

/**
 * Facts in one SQLite file (WAL), or in memory with `:memory:`. What add() resolved for survives a kill of the
 * process; a crash of the machine may take the last moments (synchronous = NORMAL), as it does those of the API
 * server's own log. Raises STORE_UNUSABLE.
 */
export class SqliteFacts implements FactStore {
  readonly #database: DatabaseSync;
  readonly #retention: Retention;
  readonly #insert: StatementSync;
  readonly #insertFacet: StatementSync;
  readonly #forgetFacets: StatementSync;
  readonly #queries = new Map<string, StatementSync>();
  /** One after the other: a transaction of another batch must not get in between. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(file: string, retention: Retention) {
    this.#retention = retention;
    this.#database = open(file);
    this.#insert = this.#database.prepare(`
      INSERT INTO facts (id, time, user, address, credential, namespace, resource, name, uid, writes, fact)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET
        time = excluded.time, user = excluded.user, address = excluded.address, credential = excluded.credential,
        namespace = excluded.namespace, resource = excluded.resource, name = excluded.name, uid = excluded.uid,
        writes = excluded.writes, fact = excluded.fact
      RETURNING key`);
    this.#insertFacet = this.#database.prepare('INSERT OR IGNORE INTO facets (facet, key) VALUES (?, ?)');
    this.#forgetFacets = this.#database.prepare('DELETE FROM facets WHERE key = ?');
  }

  add(facts: readonly Fact[]): Promise<void> {
    return this.#inTurn(async () => {
      for (let at = 0; at < facts.length; at += BATCH) {
        if (at > 0) await breathe();
        this.#transaction(() => {
          for (const fact of facts.slice(at, at + BATCH)) this.#put(fact);
        });
      }
    });
  }

  async find(query: FactQuery): Promise<Fact[]> {
    const { sql, values } = selectOf(query);
    const statement = this.#queries.get(sql) ?? this.#database.prepare(sql);
    this.#queries.set(sql, statement);
    const rows = statement.all(...values) as { fact: string }[];
    return rows.map(({ fact }) => JSON.parse(fact) as Fact).reverse();
  }

  prune(now: number): Promise<number> {
    return this.#inTurn(async () => {
      const oldest = now - this.#retention.age;
      let pruned = await this.#drop('time < ?', oldest, () => true);
      const isTooLarge = () => this.size > this.#retention.bytes;
      // A tenth more than needed, or the next fact would prune again.
      if (isTooLarge())
        pruned += await this.#drop('time >= ?', 0, () => this.size > this.#retention.bytes * 0.9);
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      return pruned;
    });
  }

  /** Bytes of the database without what is free in it. */
  get size(): number {
    const {
      pages = 0,
      free = 0,
      page = 0,
    } = this.#database
      .prepare(
        'SELECT page_count AS pages, freelist_count AS free, page_size AS page FROM pragma_page_count, pragma_freelist_count, pragma_page_size',
      )
      .get() as { pages?: number; free?: number; page?: number };
    return (pages - free) * page;
  }

  close(): Promise<void> {
    return this.#inTurn(async () => this.#database.close());
  }

  #put(fact: Fact): void {
    const { id, time, actor, address, target } = fact;
    const { key } = this.#insert.get(
      id,
      time,
      actor.user,
      address,
      actor.credential ?? null,
      target.namespace,
      target.resource,
      target.name,
      target.uid,
      isWrite(fact) ? 1 : 0,
      JSON.stringify(fact),
    ) as { key: number };
    const facets = facetsOf(fact);
    if (facets.length === 0) return;
    this.#forgetFacets.run(key);
    for (const facet of facets) this.#insertFacet.run(facet, key);
  }

  /** The oldest first, some at a time, while `wanted`. */
  async #drop(condition: string, bound: number, wanted: () => boolean): Promise<number> {
    const statement = this.#database.prepare(
      `DELETE FROM facts WHERE key IN (SELECT key FROM facts WHERE ${condition} ORDER BY time LIMIT ${PRUNED})`,
    );
    let total = 0;
    while (wanted()) {
      const { changes } = statement.run(bound);
      total += Number(changes);
      if (Number(changes) < PRUNED) break;
      await breathe();
    }
    if (total > 0) this.#database.exec('PRAGMA incremental_vacuum(10000)');
    return total;
  }

  #transaction(act: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      act();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(act);
    this.#turn = next.catch(() => {});
    return next;
  }
}

function open(file: string): DatabaseSync {
  try {
    const database = new DatabaseSync(file);
    database.exec(
      'PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ' +
        'PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 2000; PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY',
    );
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as {
      user_version: number;
    };
    if (version === 0) database.exec(`BEGIN; ${SCHEMA} COMMIT;`);
    else if (version !== VERSION)
      throw new Error(`it has schema version ${version}, and this program knows ${VERSION}`);
    return database;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KubesentryError('STORE_UNUSABLE', `The audit history in ${file} cannot be used: ${why}.`, {
      cause,
    });
  }
}

/** Newest first; the statement depends only on which fields are asked for, so that it is prepared once. */
function selectOf(query: FactQuery): { sql: string; values: (string | number)[] } {
  const conditions = ['time >= ?', 'time <= ?'];
  const values: (string | number)[] = [query.from, query.to];
  for (const field of ['user', 'address', 'credential', 'namespace', 'resource', 'name', 'uid'] as const) {
    const wanted = query[field];
    if (wanted === undefined) continue;
    conditions.push(`${field} = ?`);
    values.push(wanted);
    // So that the partial indexes may be used.
    if (field === 'uid') conditions.push("uid <> ''");
    if (field === 'credential') conditions.push('credential IS NOT NULL');
  }
  if (query.facet !== undefined) {
    conditions.push('key IN (SELECT key FROM facets WHERE facet = ?)');
    values.push(query.facet);
  }
  if (query.writesOnly) conditions.push('writes = 1');
  values.push(Math.min(Math.max(query.limit, 0), MOST_FOUND));
  return {
    sql: `SELECT fact FROM facts WHERE ${conditions.join(' AND ')} ORDER BY time DESC, key DESC LIMIT ?`,
    values,
  };
}
