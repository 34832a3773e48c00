import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** A TCP server on loopback that counts what it receives: the story's pool and the neighbour's service. */
export interface Sink {
  readonly port: number;
  received(): number;
  close(): Promise<void>;
}

/** `reply`, when given, is sent once on every connection. */
export async function openSink(reply?: string): Promise<Sink> {
  let bytes = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    if (reply) socket.write(reply);
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    // A client that is killed or cut off is part of the story.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the sink has no port');
  return {
    port: address.port,
    received: () => bytes,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
