import { type Agent, type Dispatcher, request } from 'undici';
import { KubesentryError } from '../../api/errors.ts';

/** A request that takes longer than this has failed, milliseconds. Watches are not meant. */
const TIMEOUT_MS = 15_000;

/** A refusal is a sentence; what comes after this many bytes of one is not read. */
const MAX_REFUSAL_BYTES = 1024 * 1024;

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
  readonly #credentials: () => Promise<Record<string, string | string[]>>;

  /** `credentials` answers the headers that say who asks; it is asked for every call. */
  constructor(server: string, agent: Agent, credentials: () => Promise<Record<string, string | string[]>>) {
    this.#server = server;
    this.#agent = agent;
    this.#credentials = credentials;
  }

  /** The parsed answer. */
  async send<T>(call: Call): Promise<T> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const { body } = await this.#open(call, signal);
    try {
      return JSON.parse(await textOf(body, MAX_ANSWER_BYTES)) as T;
    } catch (cause) {
      throw unreachable(call, cause);
    }
  }

  /** The answer as it comes in; it breaks off after `silenceMs` without a byte. */
  async stream(call: Call, silenceMs: number, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
    return (await this.#open(call, signal, silenceMs)).body;
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #open(call: Call, signal: AbortSignal, silenceMs = TIMEOUT_MS): Promise<Dispatcher.ResponseData> {
    let response: Dispatcher.ResponseData;
    try {
      const credentials = await this.#credentials();
      response = await request(this.#server + call.path, {
        method: call.method,
        query: Object.fromEntries(
          Object.entries(call.query ?? {}).filter(([, value]) => value !== undefined),
        ),
        headers: {
          // The key set of tokens is served as application/jwk-set+json only.
          accept: 'application/json, */*',
          'user-agent': 'kubesentry',
          ...credentials,
          ...(call.body !== undefined && { 'content-type': call.contentType ?? 'application/json' }),
        },
        ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
        dispatcher: this.#agent,
        signal,
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: silenceMs,
      });
    } catch (cause) {
      throw unreachable(call, cause);
    }
    if (response.statusCode < 400) return response;
    throw refused(call, response.statusCode, await statusOf(response.body));
  }
}

async function textOf(body: AsyncIterable<Buffer>, most: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > most) throw new Error(`the answer is larger than ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** What a proxy in between says instead has no meaning for us beside its status code. */
async function statusOf(body: AsyncIterable<Buffer>): Promise<Status> {
  try {
    return JSON.parse(await textOf(body, MAX_REFUSAL_BYTES)) as Status;
  } catch {
    return {};
  }
}

const UNKNOWN =
  'The API server does not know who asks: the token or the client certificate is missing, wrong or expired';

function refused({ method, path }: Call, code: number, { message, reason }: Status): KubesentryError {
  const text = message ?? `${method} ${path} was answered with ${code} ${reason ?? ''}`.trim();
  // A webhook may refuse with any code, and one that cannot be asked makes a 500: the wording is all there is to go by.
  if (/^admission webhook |failed calling webhook /.test(text))
    return new KubesentryError('KUBE_REFUSED', text);
  if (code === 404) return new KubesentryError('KUBE_NOT_FOUND', text);
  if (code === 409 || code === 410) return new KubesentryError('KUBE_CONFLICT', text);
  // The server did not get to say yes or no, and may when it is shown a newer token.
  if (code === 401) return new KubesentryError('KUBE_UNREACHABLE', `${UNKNOWN} (401 ${text}).`);
  if (code === 429 || code >= 500) return new KubesentryError('KUBE_UNREACHABLE', text);
  return new KubesentryError('KUBE_REFUSED', text);
}

function unreachable({ method, path }: Call, cause: unknown): KubesentryError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new KubesentryError('KUBE_UNREACHABLE', `${method} ${path} failed: ${reason}.`, { cause });
}
