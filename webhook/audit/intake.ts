import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { KubesentryError } from '../../api/errors.ts';
import { isRecord } from '../../detection/shape.ts';
import type { Body } from '../body.ts';
import { nestsDeeper } from '../json-nesting.ts';
import { Limiter } from '../limiter.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { BODY_LIMIT } from '../server.ts';
import { readEvent } from './event.ts';
import type { Fact } from './fact.ts';
import { Sightings } from './interest.ts';
import type { FactStore } from './store.ts';

export interface AuditIntakeOptions {
  facts: FactStore;
  /** What the API server sends as a bearer token; asked for every batch, so that it can be changed. */
  token: () => Promise<string>;
  metrics: Metrics;
  log: Log;
  clock: () => Date;
  /** Hears of facts once they are kept. */
  onFacts: (facts: readonly Fact[]) => void;
}

/** The API server sends batches of 400 events (--audit-webhook-batch-max-size); this is room for other senders. */
const EVENTS = 5_000;

/** An object in an audit event nests as deep as objects do, and a few levels more. */
const DEPTH = 110;

/** Requests that were told of already: a batch may come again, and an exec is told at its start and at its end. */
const TOLD = 50_000;

/** Of a compressed batch when it is unpacked. */
const UNPACKED = 4 * BODY_LIMIT;

const AT_A_TIME = 2;
const WAITING = 8;

const PRUNE_MS = 10 * 60_000;

const gunzipAsync = promisify(gunzip);

/**
 * `POST /audit`: batches of the API server's audit webhook (audit.k8s.io/v1 EventList). Answered when every fact that
 * matters is kept, so that the API server sends again what was not; what is too much is turned away with 429 instead
 * of being held in memory. One bad event spoils no batch.
 */
export class AuditIntake {
  readonly #options: AuditIntakeOptions;
  readonly #limiter = new Limiter(AT_A_TIME, WAITING);
  readonly #sightings = new Sightings();
  readonly #told = new LRUCache<string, true>({ max: TOLD });
  readonly #timer: NodeJS.Timeout;

  constructor(options: AuditIntakeOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#prune(), PRUNE_MS);
    this.#timer.unref();
  }

  /** Raises AUDIT_UNAUTHENTICATED, BODY_* and OVERLOADED. */
  async receive(body: Body, headers: IncomingHttpHeaders): Promise<{ received: number; kept: number }> {
    await this.#authenticate(headers.authorization);
    if (this.#limiter.isFull) throw new KubesentryError('OVERLOADED', 'More audit batches wait than fit.');
    return this.#limiter.run(async () => this.#keep(eventsIn(await unpacked(body, headers))));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    // What is under way is finished first.
    await this.#limiter.run(async () => {});
  }

  async #keep(events: readonly unknown[]): Promise<{ received: number; kept: number }> {
    const { facts, metrics, clock, onFacts } = this.#options;
    metrics.auditLastBatch.set(clock().getTime() / 1000);
    const kept = new Map<string, Fact>();
    for (const event of events) {
      const reading = readEvent(event, this.#sightings);
      if ('fact' in reading) kept.set(reading.fact.id, reading.fact);
      metrics.auditEvents.inc({
        outcome: 'fact' in reading ? 'kept' : 'dropped' in reading ? reading.dropped : 'malformed',
      });
    }
    const list = [...kept.values()];
    if (list.length > 0) {
      await facts.add(list);
      const news = list.filter(({ id }) => !this.#told.has(id));
      for (const { id } of news) this.#told.set(id, true);
      if (news.length > 0) onFacts(news);
    }
    return { received: events.length, kept: list.length };
  }

  async #authenticate(authorization: string | undefined): Promise<void> {
    const [, sent] = /^Bearer (\S{1,4096})$/i.exec(authorization ?? '') ?? [];
    const wanted = (await this.#options.token()).trim();
    // Hashes have one length, so that nothing can be told from the time it takes.
    const digest = (text: string) => createHash('sha256').update(text).digest();
    if (sent === undefined || wanted === '' || !timingSafeEqual(digest(sent), digest(wanted))) {
      throw new KubesentryError('AUDIT_UNAUTHENTICATED', 'The audit batch carries no valid token.');
    }
  }

  async #prune(): Promise<void> {
    const { facts, clock, log } = this.#options;
    try {
      const pruned = await facts.prune(clock().getTime());
      if (pruned > 0) log.info({ pruned }, 'old audit facts dropped');
    } catch (error) {
      log.warn({ err: error }, 'old audit facts could not be dropped; tried again in some minutes');
    }
  }
}

async function unpacked({ bytes, end }: Body, headers: IncomingHttpHeaders): Promise<Buffer> {
  if (end === 'too-large') {
    throw new KubesentryError(
      'BODY_TOO_LARGE',
      'The batch is larger than 8 MiB; --audit-webhook-batch-max-size and --audit-webhook-truncate-enabled make it smaller.',
    );
  }
  if (end === 'overloaded')
    throw new KubesentryError('OVERLOADED', 'More is arriving than fits into memory.');
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return bytes;
  if (encoding !== 'gzip')
    throw new KubesentryError('BODY_INVALID', `The encoding "${encoding}" is not known: gzip is.`);
  try {
    return await gunzipAsync(bytes, { maxOutputLength: UNPACKED });
  } catch (cause) {
    const isLarge = (cause as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
    throw isLarge
      ? new KubesentryError('BODY_TOO_LARGE', 'The batch is larger than 32 MiB when it is unpacked.')
      : new KubesentryError('BODY_INVALID', 'The batch is no valid gzip.', { cause });
  }
}

function eventsIn(bytes: Buffer): readonly unknown[] {
  if (nestsDeeper(bytes, DEPTH)) throw new KubesentryError('BODY_TOO_DEEP', 'The batch nests too deep.');
  let list: unknown;
  try {
    list = JSON.parse(bytes.toString());
  } catch (cause) {
    throw new KubesentryError('BODY_NOT_JSON', 'The batch is no JSON.', { cause });
  }
  const { kind, apiVersion, items } = isRecord(list) ? list : {};
  if (kind !== 'EventList' || apiVersion !== 'audit.k8s.io/v1' || !Array.isArray(items)) {
    throw new KubesentryError('BODY_INVALID', 'The body is no audit.k8s.io/v1 EventList.');
  }
  if (items.length > EVENTS) {
    throw new KubesentryError('BODY_TOO_LARGE', `The batch has more than ${EVENTS} events.`);
  }
  return items;
}
