import { KubesentryError } from '../api/errors.ts';
import type { Log } from './log.ts';

/** The part of a reply that is the same over both protocols. */
export interface Reply {
  code(status: number): this;
  header(name: string, value: string | number): this;
  send(payload: string): this;
}

export function send<R extends Reply>(reply: R, status: number, body: object): R {
  return reply.code(status).header('content-type', 'application/json').send(JSON.stringify(body));
}

/** Seconds after which a client may try again. */
const RETRY_AFTER = 2;

export function sendError<R extends Reply>(reply: R, error: unknown, log: Log): R {
  const known = error instanceof KubesentryError ? error : internal(error);
  if (known.fault === 'internal') log.error({ err: known.cause }, known.message);
  if (known.status === 429 || known.status === 503) reply.header('retry-after', RETRY_AFTER);
  const { code, message, remedy } = known;
  return send(reply, known.status, { code, message, remedy });
}

/** What Fastify itself refuses carries a 4xx; anything else is a mistake of ours. */
function internal(cause: unknown): KubesentryError {
  const status = (cause as { statusCode?: unknown }).statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new KubesentryError('BODY_INVALID', cause instanceof Error ? cause.message : String(cause));
  }
  return new KubesentryError('INTERNAL', 'The request could not be handled.', { cause });
}
