import { type Agent, type Dispatcher, request } from 'undici';
import { KubesentryError } from '../../api/errors.ts';

/** A request that takes longer than this has failed, milliseconds. Watches are not meant. */
const TIMEOUT_MS = 15_000;

/** An answer larger than this is not read: a page of 500 objects at etcd's limit would not fit, nothing sane does not. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Record<string, string | number | boolean | undefined> | undefined;
  body?: unknown;
  contentType?: string;
}

/** metav1.Status, which the API server answers with when it does not do what it was asked. */
interface Status {
  message?: string;
  reason?: string;
}

/** One API server over pooled connections: sends, authenticates, and turns what goes wrong into our errors. */
export class Transport {
  readonly #server: string;
  readonly #agent: Agent;
  readonly #authorization: () => Promise<string | undefined>;

  constructor(server: string, agent: Agent, authorization: () => Promise<string | undefined>) {
    this.#server = server;
    this.#agent = agent;
    this.#authorization = authorization;
  }

  /** The parsed answer. */
  async send<T>(call: Call): Promise<T> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const { body } = await this.#open(call, signal);
    try {
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
        chunks.push(chunk);
      }
      return JSON.parse(Buffer.concat(chunks).toString()) as T;
    } catch (cause) {
      throw unreachable(call, cause);
    }
  }

  /** The answer as it comes in. */
  async stream(call: Call, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
    return (await this.#open(call, signal)).body;
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #open(call: Call, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const authorization = await this.#authorization();
    let response: Dispatcher.ResponseData;
    try {
      response = await request(this.#server + call.path, {
        method: call.method,
        query: Object.fromEntries(
          Object.entries(call.query ?? {}).filter(([, value]) => value !== undefined),
        ),
        headers: {
          // The key set of tokens is served as application/jwk-set+json only.
          accept: 'application/json, */*',
          'user-agent': 'kubesentry',
          ...(authorization && { authorization }),
          ...(call.body !== undefined && { 'content-type': call.contentType ?? 'application/json' }),
        },
        ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
        dispatcher: this.#agent,
        signal,
      });
    } catch (cause) {
      throw unreachable(call, cause);
    }
    if (response.statusCode < 400) return response;
    const status = (await response.body.json().catch(() => ({}))) as Status;
    throw refused(call, response.statusCode, status);
  }
}

function refused({ method, path }: Call, code: number, { message, reason }: Status): KubesentryError {
  const text = message ?? `${method} ${path} was answered with ${code} ${reason ?? ''}`.trim();
  if (code === 404) return new KubesentryError('KUBE_NOT_FOUND', text);
  if (code === 409 || code === 410) return new KubesentryError('KUBE_CONFLICT', text);
  // 429 and 5xx without a webhook behind them: the server did not get to say yes or no.
  if (code === 429 || code === 502 || code === 503 || code === 504)
    return new KubesentryError('KUBE_UNREACHABLE', text);
  return new KubesentryError('KUBE_REFUSED', text);
}

function unreachable({ method, path }: Call, cause: unknown): KubesentryError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new KubesentryError('KUBE_UNREACHABLE', `${method} ${path} failed: ${reason}.`, { cause });
}
