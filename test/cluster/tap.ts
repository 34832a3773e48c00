import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Agent, type Dispatcher, request } from 'undici';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';

/** A request that changes something. */
export interface Write {
  method: string;
  path: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it.
  body: any;
}

/**
 * Stands between one process and the API server, so that the process can be ended at an exact point: after the API
 * server has done a write and before the process hears of it, which is the hardest moment there is. On loopback;
 * headers go through as they are, so that the API server sees whose request it is.
 */
export class Tap {
  readonly url: string;
  /** PEM; who it is. */
  readonly ca: string;
  readonly #server: Server;
  readonly #upstream: Agent;
  #halt: { at: (write: Write) => boolean; reached: (cut: () => void) => void } | undefined;

  private constructor(server: Server, upstream: Agent, ca: string) {
    this.#server = server;
    this.#upstream = upstream;
    this.ca = ca;
    this.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async open({ url, ca }: { url: string; ca: string }): Promise<Tap> {
    const upstream = new Agent({ allowH2: false, connect: { ca }, bodyTimeout: 0, headersTimeout: 0 });
    const { cert, key, caBundle } = (await ephemeralCertificate(['127.0.0.1'])).current;
    const server = createServer({ cert, key }, (incoming, answer) => {
      tap.#forward(url, incoming, answer).catch(() => answer.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const tap = new Tap(server, upstream, caBundle);
    return tap;
  }

  /**
   * Resolves when the API server has done the first write of that kind. Whoever sent it is not answered; what this
   * resolves to cuts that connection.
   */
  haltAfter(at: (write: Write) => boolean): Promise<() => void> {
    return new Promise((reached, reject) => {
      this.#halt = { at, reached };
      setTimeout(() => reject(new Error('No such write within a minute.')), 60_000).unref();
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#upstream.destroy();
  }

  async #forward(target: string, incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming;
    const { host: _, connection: __, 'content-length': ___, ...kept } = headers;
    const body = method === 'GET' ? undefined : await buffer(incoming);
    const gone = new AbortController();
    answer.once('close', () => gone.abort());
    const response = await request(target + url, {
      method: method as Dispatcher.HttpMethod,
      headers: kept as Record<string, string>,
      ...(body && { body }),
      dispatcher: this.#upstream,
      signal: gone.signal,
    });
    if (body && response.statusCode < 300 && this.#halt?.at({ method, path: url, body: parsed(body) })) {
      await response.body.dump();
      const { reached } = this.#halt;
      this.#halt = undefined;
      reached(() => answer.destroy());
      return;
    }
    answer.writeHead(response.statusCode, response.headers as Record<string, string>);
    // Watches begin with their headers.
    answer.flushHeaders();
    pipeline(response.body, answer, () => {});
  }
}

function parsed(body: Buffer): unknown {
  return body.length === 0 ? undefined : JSON.parse(body.toString());
}
