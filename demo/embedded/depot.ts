import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { compileStandIn, settingsFor } from '../stand-in/miner.ts';

/** Where the attacker's files are fetched from: the miner, and the settings that name its pool. */
export interface Depot {
  readonly url: string;
  close(): Promise<void>;
}

export async function openDepot(poolPort: number): Promise<Depot> {
  const files: Record<string, Buffer> = {
    '/update': readFileSync(compileStandIn()),
    '/settings': Buffer.from(settingsFor('127.0.0.1', poolPort)),
  };
  const server = createServer((request, response) => {
    const file = files[request.url ?? ''];
    response.writeHead(file ? 200 : 404).end(file);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
