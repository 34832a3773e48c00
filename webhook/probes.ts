import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ProbeServerOptions {
  host: string;
  port: number;
  /** What is missing for being ready, in words; empty when ready. */
  missing: () => readonly string[];
  /** Prometheus text and its content type. */
  metrics: () => Promise<string>;
  contentType: string;
}

/** /healthz, /readyz and /metrics over plain HTTP, on a port of their own that no API server is sent to. */
export async function openProbeServer({
  host,
  port,
  missing,
  metrics,
  contentType,
}: ProbeServerOptions): Promise<{
  url: string;
  close(): Promise<void>;
}> {
  const server = createServer((request, response) => {
    const answer = (status: number, text: string, type = 'text/plain; charset=utf-8') =>
      response.writeHead(status, { 'content-type': type }).end(text);
    switch (request.url?.split('?')[0]) {
      case '/healthz':
        return answer(200, 'ok\n');
      case '/readyz': {
        const lacking = missing();
        return lacking.length === 0 ? answer(200, 'ok\n') : answer(503, `not ready: ${lacking.join(', ')}\n`);
      }
      case '/metrics':
        return metrics().then(
          (text) => answer(200, text, contentType),
          (error: unknown) => answer(500, `${error instanceof Error ? error.message : error}\n`),
        );
      default:
        return answer(404, 'Served here: /healthz, /readyz, /metrics.\n');
    }
  });
  server.listen(port, host);
  await once(server, 'listening');
  return { url: urlOf(server), close: () => close(server) };
}

function urlOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

async function close(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  if (server.listening) await once(server, 'close');
}
