import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';

/** What the API server takes for a kubelet: it lets everybody in and hangs up. No node is needed for that. */
export interface KubeletDoor {
  /** The API server proxies to no loopback address, but runs exec on one. */
  isLoopback: boolean;
  /** Of the Node that it answers for. */
  status: object;
  close(): void;
}

const LOOPBACK = '127.0.0.1';

function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? LOOPBACK;
}

export async function openKubeletDoor(): Promise<KubeletDoor> {
  const address = ownAddress();
  const { cert, key } = (await ephemeralCertificate([address])).current;
  const server = createServer({ cert, key }, (_request, response) => response.end('ok'));
  server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    isLoopback: address === LOOPBACK,
    status: {
      addresses: [{ type: 'InternalIP', address }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    },
    close: () => server.close(),
  };
}
