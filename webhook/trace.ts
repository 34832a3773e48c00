import { randomBytes } from 'node:crypto';
import { KubesentryError } from '../api/errors.ts';
import { VERSION } from '../api/names.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

/** Where spans go: a collector that takes OTLP over HTTP as JSON. */
export interface TraceTarget {
  url: string;
  headers: Record<string, string>;
  service: string;
}

/**
 * What the environment says, by OpenTelemetry's names; undefined where nobody wants traces. Raises USAGE for an
 * address that is none.
 */
export function traceTarget(env: NodeJS.ProcessEnv): TraceTarget | undefined {
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT?.replace(/\/+$/, '');
  const url = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || (base && `${base}/v1/traces`);
  if (!url) return undefined;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new KubesentryError('USAGE', 'OTEL_EXPORTER_OTLP_ENDPOINT takes an http or https address.');
  }
  const pairs = (env.OTEL_EXPORTER_OTLP_HEADERS ?? '').split(',').map((pair) => pair.split('='));
  const headers = Object.fromEntries(
    pairs.flatMap(([name, ...value]) =>
      name?.trim() ? [[name.trim(), decodeURIComponent(value.join('=').trim())]] : [],
    ),
  );
  return { url, headers, service: env.OTEL_SERVICE_NAME || 'kubesentry-webhook' };
}

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SpanOptions<T> {
  /** Whether somebody outside asked for it; with their `traceparent` header, if they sent one. */
  isServer?: boolean;
  parent?: string | undefined;
  attributes?: Attributes;
  /** What the outcome adds. */
  outcome?: (result: T) => Attributes;
}

/** Spans that wait to be sent; the newest are dropped when a collector is away for long. */
const WAITING = 2_048;

const AT_ONCE = 512;
const PACE_MS = 5_000;
const TIMEOUT_MS = 5_000;

/** https://www.w3.org/TR/trace-context/#traceparent-header */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Records what took how long and sends it to a collector, behind the back of whoever is answered. */
export class Tracer {
  readonly #target: TraceTarget;
  readonly #log: Pick<Log, 'warn'>;
  readonly #counter: Metrics['traceSpans'];
  readonly #timer: NodeJS.Timeout;
  #spans: object[] = [];
  #sending: Promise<void> = Promise.resolve();

  constructor(target: TraceTarget, { log, metrics }: { log: Pick<Log, 'warn'>; metrics: Metrics }) {
    this.#target = target;
    this.#log = log;
    this.#counter = metrics.traceSpans;
    this.#timer = setInterval(() => this.#flush(), PACE_MS);
    this.#timer.unref();
  }

  /** Does what `act` does. A caller who does not sample is not traced. */
  async span<T>(name: string, options: SpanOptions<T>, act: () => Promise<T> | T): Promise<T> {
    const { isServer = false, parent = '', attributes = {}, outcome } = options;
    const [, traceId = randomBytes(16).toString('hex'), parentSpanId, flags = '01'] =
      TRACEPARENT.exec(parent) ?? [];
    if ((Number.parseInt(flags, 16) & 1) === 0) return act();
    const since = nanoseconds();
    const end = (added: Attributes, status: object) =>
      this.#keep({
        traceId,
        spanId: randomBytes(8).toString('hex'),
        ...(parentSpanId && { parentSpanId }),
        name,
        kind: isServer ? 2 : 1,
        startTimeUnixNano: `${since}`,
        endTimeUnixNano: `${nanoseconds()}`,
        attributes: keyValues({ ...attributes, ...added }),
        status,
      });
    try {
      const result = await act();
      end(outcome?.(result) ?? {}, {});
      return result;
    } catch (error) {
      const type = error instanceof KubesentryError ? error.code : 'INTERNAL';
      end({ 'error.type': type }, { code: 2, message: type });
      throw error;
    }
  }

  /** Sends what waits, and no more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#flush();
    await this.#sending;
  }

  #keep(span: object): void {
    if (this.#spans.length >= WAITING) {
      this.#counter.inc({ outcome: 'dropped' });
      return;
    }
    this.#spans.push(span);
    if (this.#spans.length === AT_ONCE) this.#flush();
  }

  #flush(): void {
    this.#sending = this.#sending.then(async () => {
      const spans = this.#spans.splice(0, AT_ONCE);
      if (spans.length > 0) await this.#send(spans);
    });
  }

  async #send(spans: readonly object[]): Promise<void> {
    const { url, headers, service } = this.#target;
    const resource = { attributes: keyValues({ 'service.name': service, 'service.version': VERSION }) };
    const scope = { name: 'kubesentry', version: VERSION };
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await answer.arrayBuffer();
      if (!answer.ok) throw new Error(`it answered ${answer.status}`);
      this.#counter.inc({ outcome: 'sent' }, spans.length);
    } catch (error) {
      this.#counter.inc({ outcome: 'dropped' }, spans.length);
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn({ reason, spans: spans.length }, 'traces could not be sent; they are dropped');
    }
  }
}

function nanoseconds(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** As OTLP's JSON has them. */
function keyValues(attributes: Attributes): object[] {
  return Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => {
      if (typeof value === 'string') return { key, value: { stringValue: value } };
      if (typeof value === 'boolean') return { key, value: { boolValue: value } };
      return { key, value: { intValue: `${value}` } };
    });
}
