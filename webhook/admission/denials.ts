import { LRUCache } from 'lru-cache';
import type { Denial } from '../../api/denial.ts';
import { KubesentryError } from '../../api/errors.ts';
import { type Condition, type OwnerReference, setCondition } from '../../api/object.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { Limiter } from '../limiter.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { DenialKey } from './denial.ts';
import { denialEvent } from './denial-event.ts';

export interface DenialRecorderOptions {
  cluster: Cluster;
  clock: () => Date;
  metrics: Metrics;
  log: Log;
  /** Hears of every Denial that is new. */
  onCreated?: (denial: Denial) => void;
}

/** What was refused, and who hears of it. */
export interface Refusal {
  denial: Denial;
  /** The controller that could not create its pod. */
  owner?: OwnerReference | undefined;
  /** What the user was told. */
  message: string;
}

interface Pending extends Refusal {
  times: number;
  firstSeen: string;
  lastSeen: string;
  attempts: number;
}

/** Different Denials that may wait to be written; a flood beyond it is counted. */
const PENDING = 1000;
const PER_NAMESPACE = 500;
const CONCURRENCY = 8;
const ATTEMPTS = 5;

/** So many at a time, and so long until the next, milliseconds: a storm of refusals is none on the API server. */
const ROUND = 25;
const INTERVAL_MS = 250;

/**
 * Keeps Denials in the API server, off the request path. Repeats of one are counted in its status. It never blocks
 * and never throws: what cannot be kept is counted in the metric kubesentry_denials_total as lost.
 */
export class DenialRecorder {
  readonly #options: DenialRecorderOptions;
  readonly #pending = new Map<string, Pending>();
  /** How many Denials each namespace has; counted by a list now and then, and along in between. */
  readonly #kept = new LRUCache<string, number>({ max: 1000, ttl: 10 * 60_000 });
  #draining: Promise<void> | undefined;
  #closed = false;

  constructor(options: DenialRecorderOptions) {
    this.#options = options;
  }

  /** `describe` is only asked for what waits to be written: of a storm most repeats, or is lost. */
  record(key: DenialKey, describe: () => Refusal): void {
    const now = this.#options.clock().toISOString();
    const before = this.#pending.get(idOf(key));
    if (before) {
      before.times++;
      before.lastSeen = now;
    } else if (this.#pending.size >= PENDING) this.#lose('queue-full', 1);
    else
      this.#pending.set(idOf(key), { ...describe(), times: 1, firstSeen: now, lastSeen: now, attempts: 0 });
    this.#draining ??= this.#drain();
  }

  /** Resolves when everything that was recorded is kept or lost. */
  async settled(): Promise<void> {
    while (this.#draining) await this.#draining;
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.settled();
  }

  #addAgain(pending: Pending): void {
    const { namespace = '', name = '' } = pending.denial.metadata;
    const key = idOf({ namespace, name });
    const since = this.#pending.get(key);
    if (since) {
      since.times += pending.times;
      since.firstSeen = pending.firstSeen;
    } else if (this.#pending.size >= PENDING) this.#lose('queue-full', pending.times);
    else this.#pending.set(key, pending);
  }

  async #drain(): Promise<void> {
    const limiter = new Limiter(CONCURRENCY);
    while (this.#pending.size > 0) {
      const round = [...this.#pending].slice(0, ROUND);
      for (const [key] of round) this.#pending.delete(key);
      await Promise.all(round.map(([, pending]) => limiter.run(() => this.#keep(pending))));
      if (this.#pending.size > 0 && !this.#closed) {
        await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
      }
    }
    this.#draining = undefined;
  }

  async #keep(pending: Pending): Promise<void> {
    try {
      await this.#write(pending);
    } catch (error) {
      const code = error instanceof KubesentryError ? error.code : 'INTERNAL';
      const again = code === 'KUBE_CONFLICT' || code === 'KUBE_UNREACHABLE';
      pending.attempts++;
      if (again && pending.attempts < ATTEMPTS) return this.#addAgain(pending);
      this.#options.log.warn({ denial: pending.denial.metadata.name, err: error }, 'a denial was not kept');
      this.#lose(code === 'KUBE_UNREACHABLE' ? 'unreachable' : 'refused', pending.times);
    }
  }

  async #write(pending: Pending): Promise<void> {
    const { cluster, metrics, onCreated } = this.#options;
    const { denial, times, lastSeen } = pending;
    const key = { name: denial.metadata.name ?? '', namespace: denial.metadata.namespace };
    let stored = await cluster.get(KIND.Denial, key);
    const isNew = !stored;
    if (!stored) {
      if (!(await this.#hasRoom(key.namespace ?? ''))) return this.#lose('namespace-full', times);
      stored = await cluster.create(KIND.Denial, denial);
      metrics.denials.inc({ outcome: 'created' });
      metrics.denials.inc({ outcome: 'counted' }, times - 1);
    } else metrics.denials.inc({ outcome: 'counted' }, times);
    const conditions = setCondition(stored.status?.conditions ?? [], enforced(denial), lastSeen);
    const status = {
      count: (stored.status?.count ?? 0) + times,
      firstSeen: stored.status?.firstSeen ?? pending.firstSeen,
      lastSeen,
      conditions,
    };
    const { resourceVersion } = stored.metadata;
    // With the version: two replicas that count at the same time must not lose a count.
    await cluster.patch(
      KIND.Denial,
      key,
      { metadata: { resourceVersion }, status },
      { subresource: 'status' },
    );
    await this.#tell(pending, { ...stored, status });
    if (isNew) onCreated?.({ ...stored, status });
  }

  /** An Event on the owner; it only helps people, so a failure is logged and that is all. */
  async #tell({ owner, message }: Pending, denial: Denial): Promise<void> {
    if (!owner) return;
    try {
      await this.#options.cluster.apply(KIND.Event, denialEvent(denial, owner, message));
    } catch (error) {
      this.#options.log.debug({ denial: denial.metadata.name, err: error }, 'no event on the owner');
    }
  }

  async #hasRoom(namespace: string): Promise<boolean> {
    const known = this.#kept.get(namespace);
    const count = known ?? (await this.#options.cluster.list(KIND.Denial, { namespace })).items.length;
    if (count >= PER_NAMESPACE) {
      this.#kept.set(namespace, count);
      return false;
    }
    this.#kept.set(namespace, count + 1);
    return true;
  }

  #lose(reason: 'queue-full' | 'namespace-full' | 'unreachable' | 'refused', times: number): void {
    this.#options.metrics.denials.inc({ outcome: `lost-${reason}` }, times);
  }
}

function idOf({ namespace, name }: DenialKey): string {
  return `${namespace}/${name}`;
}

const OUTCOMES: Record<Denial['spec']['verdict'], Pick<Condition, 'status' | 'reason' | 'message'>> = {
  deny: { status: 'True', reason: 'Refused', message: 'The request was refused.' },
  warn: {
    status: 'False',
    reason: 'ModeWarn',
    message: 'It was let through with a warning: a SentryPolicy says so.',
  },
  allow: {
    status: 'False',
    reason: 'ModeAudit',
    message: 'It was let through and noted: a SentryPolicy says so.',
  },
};

function enforced({ spec }: Denial): Omit<Condition, 'lastTransitionTime'> {
  return { type: 'Enforced', ...OUTCOMES[spec.verdict] };
}
