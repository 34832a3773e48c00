import { setTimeout as sleep } from 'node:timers/promises';
import { KubesentryError } from '../api/errors.ts';
import type { KubeObject } from '../api/object.ts';
import type { Cluster } from './cluster.ts';
import { KIND } from './kind.ts';

export interface LeaseOptions {
  cluster: Cluster;
  namespace: string;
  name: string;
  /** Tells candidates apart, such as the pod's name. */
  identity: string;
  /** Called when this candidate becomes the leader and when it no longer is. */
  onChange: (isLeader: boolean) => void;
  /** Hears of failed requests, and of what onChange throws. */
  onError?: ((error: unknown) => void) | undefined;
  /** Milliseconds: how long a lease holds, when a leader gives up renewing, how often all try. */
  durationMs?: number;
  renewDeadlineMs?: number;
  retryMs?: number;
  /** Milliseconds of a clock that only goes forward: one that jumps would end leases too early. */
  now?: () => number;
}

interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

/**
 * Elects one leader among equal candidates by a coordination.k8s.io Lease, changed only against the resourceVersion
 * that was read. As in client-go tools/leaderelection, a foreign lease counts from when this candidate saw it renewed,
 * so that clocks need not agree; a leader that cannot renew steps down before the lease runs out, also while the API
 * server keeps it waiting.
 */
export class LeaseElection {
  readonly #options: Required<Omit<LeaseOptions, 'onError'>> & Pick<LeaseOptions, 'onError'>;
  readonly #stopping = new AbortController();
  readonly #loop: Promise<void>;
  #isLeader = false;
  #stepDown: NodeJS.Timeout | undefined;
  #observed: { renewTime: string | undefined; holder: string | undefined; at: number } | undefined;

  constructor(options: LeaseOptions) {
    this.#options = {
      durationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryMs: 2_000,
      now: () => performance.now(),
      ...options,
    };
    this.#loop = this.#run();
  }

  get isLeader(): boolean {
    return this.#isLeader;
  }

  /** Steps down and lets the next one in at once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    if (!this.#isLeader) return;
    this.#follow();
    await this.#release().catch((error) => this.#options.onError?.(error));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { retryMs, now, onError } = this.#options;
    while (!signal.aborted) {
      // Others count from when they see the renewal, which is not before it was sent.
      const sentAt = now();
      try {
        if (await this.#acquireOrRenew()) this.#lead(sentAt);
        else this.#follow();
      } catch (error) {
        // Someone else was faster; that is how it is meant.
        if (!(error instanceof KubesentryError && error.code === 'KUBE_CONFLICT')) onError?.(error);
      }
      await sleep(retryMs * (0.8 + Math.random() * 0.4), undefined, { signal }).catch(() => {});
    }
  }

  /** Until the renewal that was sent then is too old, unless a newer one comes. */
  #lead(sentAt: number): void {
    const { renewDeadlineMs, now } = this.#options;
    const left = sentAt + renewDeadlineMs - now();
    clearTimeout(this.#stepDown);
    if (left > 0) this.#stepDown = setTimeout(() => this.#follow(), left);
    this.#become(left > 0);
  }

  #follow(): void {
    clearTimeout(this.#stepDown);
    this.#become(false);
  }

  /** Whether this candidate holds the lease now. */
  async #acquireOrRenew(): Promise<boolean> {
    const { cluster, namespace, name, identity, durationMs } = this.#options;
    const lease = await cluster.get(KIND.Lease, { namespace, name });
    const time = microTime(new Date());
    const held = { holderIdentity: identity, leaseDurationSeconds: durationMs / 1000, renewTime: time };
    if (!lease) {
      await cluster.create(KIND.Lease, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { namespace, name },
        spec: { ...held, acquireTime: time, leaseTransitions: 0 },
      });
      return true;
    }
    const spec = lease.spec as LeaseSpec;
    if (spec.holderIdentity === identity) {
      await cluster.update(KIND.Lease, { ...lease, spec: { ...spec, ...held } });
      return true;
    }
    if (spec.holderIdentity && !this.#hasRunOut(spec)) return false;
    const leaseTransitions = (spec.leaseTransitions ?? 0) + 1;
    await cluster.update(KIND.Lease, { ...lease, spec: { ...held, acquireTime: time, leaseTransitions } });
    return true;
  }

  #hasRunOut({ renewTime, holderIdentity, leaseDurationSeconds = 15 }: LeaseSpec): boolean {
    const now = this.#options.now();
    const isSame = this.#observed?.renewTime === renewTime && this.#observed?.holder === holderIdentity;
    const observed =
      isSame && this.#observed ? this.#observed : { renewTime, holder: holderIdentity, at: now };
    this.#observed = observed;
    return now - observed.at > leaseDurationSeconds * 1000;
  }

  async #release(): Promise<void> {
    const { cluster, namespace, name, identity } = this.#options;
    const lease = await cluster.get(KIND.Lease, { namespace, name });
    const spec = lease?.spec as LeaseSpec | undefined;
    if (!lease || spec?.holderIdentity !== identity) return;
    const released: KubeObject = { ...lease, spec: { ...spec, holderIdentity: '', leaseDurationSeconds: 1 } };
    await cluster.update(KIND.Lease, released);
  }

  #become(isLeader: boolean): void {
    if (isLeader === this.#isLeader) return;
    this.#isLeader = isLeader;
    try {
      this.#options.onChange(isLeader);
    } catch (error) {
      this.#options.onError?.(error);
    }
  }
}

/** metav1.MicroTime. */
function microTime(time: Date): string {
  return time.toISOString().replace('Z', '000Z');
}
