import { Pool, type PoolClient, type QueryConfig, type QueryResultRow } from 'pg';
import { KubesentryError } from '../../api/errors.ts';
import { facetsOf, isWrite, MOST_FOUND, type Retention } from './columns.ts';
import type { Fact } from './fact.ts';
import type { FactQuery, FactStore } from './store.ts';

/** In the table `kubesentry_schema`; a database of another version is not touched. */
const VERSION = 1;

/** Replicas start at the same time; one of them makes the tables. Any number that nobody else uses. */
const LOCK = 7_269_112;

const SCHEMA = `
  CREATE TABLE kubesentry_schema (version integer NOT NULL);
  INSERT INTO kubesentry_schema VALUES (${VERSION});
  CREATE TABLE facts (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    "time" bigint NOT NULL,
    "user" text NOT NULL,
    address text NOT NULL,
    credential text,
    namespace text NOT NULL,
    resource text NOT NULL,
    name text NOT NULL,
    uid text NOT NULL,
    writes boolean NOT NULL,
    facets text[] NOT NULL,
    fact text NOT NULL
  );
  CREATE INDEX facts_by_time ON facts ("time");
  CREATE INDEX facts_by_user ON facts ("user", writes, "time");
  CREATE INDEX facts_by_address ON facts (address, writes, "time");
  CREATE INDEX facts_by_credential ON facts (credential, "time") WHERE credential IS NOT NULL;
  CREATE INDEX facts_by_object ON facts (resource, namespace, name, "time");
  CREATE INDEX facts_by_namespace ON facts (namespace, resource, "time");
  CREATE INDEX facts_by_uid ON facts (uid, "time") WHERE uid <> '';
  CREATE INDEX facts_by_facet ON facts USING gin (facets) WHERE facets <> '{}';
`;

/** As many as a batch of the API server has. */
const BATCH = 400;
const PRUNED = 5_000;
const CONNECTIONS = 4;
const TIMEOUT_MS = 10_000;
const VACUUM_MS = 10 * 60_000;

/** What the rows of one batch are sent as: one array a column, so that the statement stays the same. */
const INSERT = `
  INSERT INTO facts (id, "time", "user", address, credential, namespace, resource, name, uid, writes, facets, fact)
  SELECT id, "time", "user", address, credential, namespace, resource, name, uid, writes,
    ARRAY(SELECT jsonb_array_elements_text(facets::jsonb)), fact
  FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::boolean[], $11::text[], $12::text[])
    AS batch (id, "time", "user", address, credential, namespace, resource, name, uid, writes, facets, fact)
  ON CONFLICT (id) DO UPDATE SET
    "time" = excluded."time", "user" = excluded."user", address = excluded.address, credential = excluded.credential,
    namespace = excluded.namespace, resource = excluded.resource, name = excluded.name, uid = excluded.uid,
    writes = excluded.writes, facets = excluded.facets, fact = excluded.fact`;

/** Facts in a PostgreSQL (13 or newer) that several replicas share. Raises STORE_UNUSABLE. */
export class PostgresFacts implements FactStore {
  readonly #pool: Pool;
  readonly #retention: Retention;

  private constructor(pool: Pool, retention: Retention) {
    this.#pool = pool;
    this.#retention = retention;
  }

  /** `url` is postgres://user:password@host/database; it may hold a secret and is never shown. */
  static async open(url: string, retention: Retention): Promise<PostgresFacts> {
    const pool = new Pool({
      connectionString: url,
      max: CONNECTIONS,
      connectionTimeoutMillis: TIMEOUT_MS,
      query_timeout: TIMEOUT_MS,
      application_name: 'kubesentry',
    });
    // A connection that breaks while nobody uses it is replaced by the next one.
    pool.on('error', () => {});
    const store = new PostgresFacts(pool, retention);
    try {
      await store.#inTransaction(prepare);
      return store;
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  async add(facts: readonly Fact[]): Promise<void> {
    // One statement must not touch a row twice; the last stage of a request counts.
    const latest = [...new Map(facts.map((fact) => [fact.id, fact])).values()];
    // In one order, so that two replicas never wait for each other's rows.
    const fresh = latest.sort((a, b) => (a.id < b.id ? -1 : 1));
    for (let at = 0; at < fresh.length; at += BATCH) {
      await this.#ask(INSERT, columnsOf(fresh.slice(at, at + BATCH)));
    }
  }

  async find(query: FactQuery): Promise<Fact[]> {
    const { sql, values } = selectOf(query);
    const rows = await this.#ask<{ fact: string }>(sql, values);
    return rows.map(({ fact }) => JSON.parse(fact) as Fact).reverse();
  }

  async prune(now: number): Promise<number> {
    let pruned = await this.#drop('"time" < $1', [now - this.#retention.age], Number.POSITIVE_INFINITY);
    const bytes = await this.#size();
    if (bytes <= this.#retention.bytes) return pruned;
    // A tenth more than needed, or the next fact would prune again. Space comes back by vacuum, so rows are counted.
    const [{ rows = '0' } = {}] = await this.#ask<{ rows: string }>('SELECT count(*) AS rows FROM facts', []);
    const excess = Math.ceil(Number(rows) * (1 - (this.#retention.bytes * 0.9) / bytes));
    pruned += await this.#drop('true', [], excess);
    // Only FULL gives space back, by which the next look measures. Batches wait meanwhile, or come again.
    await this.#ask('VACUUM FULL facts', [], VACUUM_MS);
    return pruned;
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async #size(): Promise<number> {
    const [row] = await this.#ask<{ bytes: string }>(`SELECT pg_total_relation_size('facts') AS bytes`, []);
    return Number(row?.bytes ?? 0);
  }

  /** The oldest first, some at a time. */
  async #drop(condition: string, values: number[], most: number): Promise<number> {
    let total = 0;
    while (total < most) {
      const limit = Math.min(PRUNED, most - total);
      const rows = await this.#ask(
        `DELETE FROM facts WHERE key IN
          (SELECT key FROM facts WHERE ${condition} ORDER BY "time", key LIMIT ${limit}) RETURNING 1`,
        values,
      );
      total += rows.length;
      if (rows.length < limit) break;
    }
    return total;
  }

  async #ask<T extends QueryResultRow>(sql: string, values: unknown[], timeout = TIMEOUT_MS): Promise<T[]> {
    try {
      const question: QueryConfig & { query_timeout: number } = { text: sql, values, query_timeout: timeout };
      return (await this.#pool.query<T>(question)).rows;
    } catch (cause) {
      throw unusable(cause);
    }
  }

  async #inTransaction(act: (client: PoolClient) => Promise<void>): Promise<void> {
    try {
      const client = await this.#pool.connect();
      try {
        await client.query('BEGIN');
        await act(client);
        await client.query('COMMIT');
      } finally {
        client.release(true);
      }
    } catch (cause) {
      throw cause instanceof KubesentryError ? cause : unusable(cause);
    }
  }
}

async function prepare(client: PoolClient): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
  const { rows } = await client.query<{ there: boolean }>(
    `SELECT to_regclass('kubesentry_schema') IS NOT NULL AS there`,
  );
  if (!rows[0]?.there) {
    await client.query(SCHEMA);
    return;
  }
  const found = await client.query<{ version: number }>('SELECT version FROM kubesentry_schema');
  const version = found.rows[0]?.version;
  if (version === VERSION) return;
  const message = `The PostgreSQL database has schema version ${version}, and this program knows ${VERSION}.`;
  throw new KubesentryError('STORE_UNUSABLE', message);
}

/** PostgreSQL takes neither NUL nor half of a surrogate pair in a text; JSON escapes both, columns lose them. */
function columnsOf(facts: readonly Fact[]): unknown[] {
  const texts = (of: (fact: Fact) => string | undefined) =>
    facts.map((fact) => {
      const text = of(fact);
      return text === undefined ? null : plain(text);
    });
  return [
    texts(({ id }) => id),
    facts.map(({ time }) => time),
    texts(({ actor }) => actor.user),
    texts(({ address }) => address),
    texts(({ actor }) => actor.credential),
    texts(({ target }) => target.namespace),
    texts(({ target }) => target.resource),
    texts(({ target }) => target.name),
    texts(({ target }) => target.uid),
    facts.map(isWrite),
    facts.map((fact) => JSON.stringify(facetsOf(fact).map(plain))),
    facts.map((fact) => JSON.stringify(fact)),
  ];
}

function plain(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\ufffd');
}

/** Newest first; only which fields are asked for is in the text of the statement. */
function selectOf(query: FactQuery): { sql: string; values: unknown[] } {
  const conditions = ['"time" >= $1', '"time" <= $2'];
  const values: unknown[] = [Math.trunc(query.from), Math.trunc(query.to)];
  const is = (column: string, value: unknown, operator = '=') => {
    values.push(value);
    conditions.push(`${column} ${operator} $${values.length}`);
  };
  for (const field of ['user', 'address', 'credential', 'namespace', 'resource', 'name', 'uid'] as const) {
    const wanted = query[field];
    if (wanted === undefined) continue;
    is(`"${field}"`, plain(wanted));
    // So that the partial index may be used.
    if (field === 'uid') conditions.push(`uid <> ''`);
  }
  if (query.facet !== undefined) {
    is('facets', [plain(query.facet)], '@>');
    conditions.push(`facets <> '{}'`);
  }
  if (query.writesOnly) conditions.push('writes');
  values.push(Math.min(Math.max(query.limit, 0), MOST_FOUND));
  return {
    sql: `SELECT fact FROM facts WHERE ${conditions.join(' AND ')} ORDER BY "time" DESC, key DESC LIMIT $${values.length}`,
    values,
  };
}

function unusable(cause: unknown): KubesentryError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new KubesentryError('STORE_UNUSABLE', `The audit history in PostgreSQL cannot be used: ${why}.`, {
    cause,
  });
}
