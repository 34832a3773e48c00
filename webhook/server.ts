import type { IncomingHttpHeaders } from 'node:http';
import type { Http2SecureServer } from 'node:http2';
import type { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { fastify } from 'fastify';
import { KubesentryError } from '../api/errors.ts';
import { Batch } from './batch.ts';
import { type Body, BodyBudget, readBody } from './body.ts';
import type { ServingCertificate } from './certificates.ts';
import type { Log } from './log.ts';
import { send, sendError } from './reply.ts';

export interface Timeouts {
  /**
   * How long an idle connection is kept. The API server keeps one for 90 s (client-go): closing first would break the
   * request that it sends at that moment.
   */
  keepAlive: number;
  /** From the first byte of a request to the end of its headers. It does not run while a connection is idle. */
  headers: number;
  /** From the first byte of a request to its last. */
  request: number;
  /** How long to go on serving after SIGTERM, until no client is sent here any more. */
  drain: number;
  /** How long requests under way may take after that. */
  close: number;
}

/** Milliseconds. */
export const TIMEOUTS: Timeouts = {
  keepAlive: 120_000,
  headers: 10_000,
  request: 15_000,
  drain: 5_000,
  close: 10_000,
};

/** Of one body. Two objects of 3 MiB each, the API server's own bound, and room for their JSON. */
export const BODY_LIMIT = 8 * 1024 * 1024;

/** Of all bodies together that are still arriving. */
const BODIES_LIMIT = 64 * 1024 * 1024;

/** Answers one POST; throws a KubesentryError for what becomes an HTTP error. */
export type Handler = (request: {
  body: Body;
  headers: IncomingHttpHeaders;
  /** performance.now() when the request began. */
  arrived: number;
}) => Promise<{ status: number; body: object }> | { status: number; body: object };

export interface HttpsServer {
  /** Answers the address, such as https://127.0.0.1:8443. */
  listen(host: string, port: number): Promise<string>;
  /** For connections made from now on. */
  replaceCertificate(certificate: ServingCertificate): void;
  /** Stops as an API server expects it: serve on, say that this connection is the last, then close. */
  close(): Promise<void>;
}

/** TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1; one POST handler a path. */
export function makeServer(
  routes: Readonly<Record<string, Handler>>,
  certificate: ServingCertificate,
  log: Log,
  timeouts: Timeouts = TIMEOUTS,
): HttpsServer {
  const app = fastify({
    http2: true,
    http2SessionTimeout: timeouts.keepAlive,
    https: { ...tlsOptions(certificate), allowHTTP1: true, settings: { maxConcurrentStreams: 250 } },
    keepAliveTimeout: timeouts.keepAlive,
    requestTimeout: timeouts.request,
    return503OnClosing: false,
    exposeHeadRoutes: false,
  });
  const server = app.server as Http2SecureServer & {
    headersTimeout: number;
    requestTimeout: number;
    keepAliveTimeout: number;
  };
  // Fastify does not hand these to a server of both protocols.
  server.requestTimeout = timeouts.request;
  server.headersTimeout = timeouts.headers;
  server.keepAliveTimeout = timeouts.keepAlive;
  const budget = new BodyBudget(BODIES_LIMIT);
  const batch = new Batch();
  const sessions = sessionsOf(server);
  const sockets = socketsOf(server);
  let draining = false;

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request: unknown, payload: Readable) =>
    readBody(payload, BODY_LIMIT, budget),
  );
  app.decorateRequest('arrived', 0);
  app.addHook('onRequest', (request, reply, done) => {
    request.arrived = performance.now();
    if (draining && request.raw.httpVersionMajor === 1) reply.header('connection', 'close');
    done();
  });
  for (const [path, handle] of Object.entries(routes)) {
    app.post(path, async (request, reply) => {
      const body = (request.body as Body | undefined) ?? { bytes: Buffer.alloc(0), end: 'complete' };
      const { headers, arrived } = request;
      const answer = await batch.run(() => handle({ body, headers, arrived }));
      return send(reply, answer.status, answer.body);
    });
  }
  app.setNotFoundHandler((request, reply) => {
    const message = `${request.method} ${request.url.slice(0, 256)} is not served here.`;
    return sendError(reply, new KubesentryError('PATH_UNKNOWN', message), log);
  });
  app.setErrorHandler((error, _request, reply) => sendError(reply, error, log));

  return {
    listen: (host, port) => app.listen({ host, port }),
    replaceCertificate: (next) => server.setSecureContext(tlsOptions(next)),
    async close() {
      draining = true;
      // GOAWAY: what is under way is finished, what is new comes over another connection.
      for (const session of sessions) session.close();
      await new Promise((resolve) => setTimeout(resolve, timeouts.drain));
      const last = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, timeouts.close);
      await app.close();
      clearTimeout(last);
    },
  };
}

declare module 'fastify' {
  interface FastifyRequest {
    arrived: number;
  }
}

function tlsOptions({ cert, key }: ServingCertificate) {
  return { cert, key, minVersion: 'TLSv1.2' as const };
}

type Session = Pick<import('node:http2').ServerHttp2Session, 'close'>;

function sessionsOf(server: Http2SecureServer): Set<Session> {
  const sessions = new Set<Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  return sessions;
}

/** Of both protocols: such a server has no closeAllConnections. */
function socketsOf(server: Http2SecureServer): Set<TLSSocket> {
  const sockets = new Set<TLSSocket>();
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}
