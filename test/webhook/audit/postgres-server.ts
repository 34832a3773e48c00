import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';

const INSTALLED = '/usr/lib/postgresql';

/** Debian keeps the programs of each version in a folder of their own; the newest counts. */
function programs(): string | undefined {
  if (!existsSync(INSTALLED)) return undefined;
  const versions = readdirSync(INSTALLED).sort((a, b) => Number(b) - Number(a));
  return versions
    .map((version) => join(INSTALLED, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
}

let said = false;

/** Why there is no PostgreSQL to test with; printed once. */
export function whyNoPostgres(): string | undefined {
  if (programs()) return undefined;
  const reason = 'PostgreSQL is not installed (Debian package postgresql).';
  if (!said) console.warn(`Skipped: ${reason}`);
  said = true;
  return reason;
}

export interface PostgresServer {
  createDatabase(): Promise<{ url: string; drop(): Promise<void> }>;
  /** Stops it when nobody uses it any more. */
  release(): Promise<void>;
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { words: string[]; owner: { uid: number; gid: number } | undefined } {
  if (process.getuid?.() !== 0) return { words: [], owner: undefined };
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  const owner = { uid: id('-u'), gid: id('-g') };
  return { words: ['setpriv', '--reuid', 'postgres', '--regid', 'postgres', '--clear-groups'], owner };
}

/** A server of our own in a folder of its own, reached by a socket in there and by nothing else. */
export async function postgresServer(): Promise<PostgresServer> {
  const bin = programs();
  if (!bin) throw new Error(whyNoPostgres());
  const folder = mkdtempSync(join(tmpdir(), 'kubesentry-postgres-'));
  const { words, owner } = unprivileged();
  if (owner) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  const [initdb = '', ...initdbArgs] = [...words, join(bin, 'initdb')];
  execFileSync(
    initdb,
    [...initdbArgs, '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8'],
    {
      stdio: 'ignore',
    },
  );
  const [postgres = '', ...postgresArgs] = [...words, join(bin, 'postgres')];
  const settings = ['listen_addresses=', 'fsync=off', 'shared_buffers=32MB'].flatMap((setting) => [
    '-c',
    setting,
  ]);
  const server = spawn(postgres, [...postgresArgs, '-D', data, '-k', folder, ...settings], {
    stdio: 'ignore',
  });
  const urlOf = (database: string) => `postgres://postgres@/${database}?host=${folder}`;
  await answers(urlOf('postgres'), server);
  let count = 0;
  return {
    async createDatabase() {
      const name = `facts_${++count}`;
      await ask(urlOf('postgres'), `CREATE DATABASE ${name}`);
      return { url: urlOf(name), drop: () => ask(urlOf('postgres'), `DROP DATABASE ${name}`) };
    },
    async release() {
      // Fast shutdown: whoever is connected is sent away.
      server.kill('SIGINT');
      if (server.exitCode === null) await once(server, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(url: string, server: ChildProcess): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      await ask(url, 'SELECT 1');
      return;
    } catch (error) {
      if (server.exitCode !== null || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function ask(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
