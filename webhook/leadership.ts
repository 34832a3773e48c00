import { hostname } from 'node:os';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import type { Cluster } from '../kube/cluster.ts';
import { LeaseElection } from '../kube/lease.ts';
import { expireDenials } from './admission/denial-expiry.ts';
import { expireIncidents } from './incident/retention.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

export interface LeadershipOptions {
  cluster: Cluster;
  /** What works in the leader only. */
  parts: readonly { lead(leads: boolean): void }[];
  metrics: Pick<Metrics, 'leader' | 'recordsExpired'>;
  log: Log;
  clock: () => Date;
  /** Whether no policy has anything contained. */
  isOnlyWatched: () => boolean;
  /** Tells replicas apart; the host name, which is the pod's, by default. */
  identity?: string | undefined;
  /** How long a leader that has vanished is waited for. */
  leaseSeconds?: number | undefined;
  /** How long incidents that are over are kept. */
  incidentDays?: number | undefined;
}

const SWEEP_MS = 60 * 60_000;

/**
 * What one replica of all does: the response, judging what exists, signing reports, renewing certificates and telling
 * others of them, looking after the journal of replicas that are gone, and deleting what is too old.
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #election: LeaseElection;
  #sweeps: NodeJS.Timeout | undefined;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    const { cluster, log, identity = hostname(), leaseSeconds = 15 } = options;
    this.#election = new LeaseElection({
      cluster,
      namespace: SYSTEM_NAMESPACE,
      name: 'kubesentry-webhook',
      identity,
      // In the proportions of kube-controller-manager: 15, 10 and 2 seconds.
      durationMs: leaseSeconds * 1000,
      renewDeadlineMs: (leaseSeconds * 2000) / 3,
      retryMs: (leaseSeconds * 2000) / 15,
      onChange: (leads) => this.#lead(leads),
      onError: (error) => log.warn({ err: error }, 'the lease could not be read or written'),
    });
  }

  async stop(): Promise<void> {
    await this.#election.stop();
  }

  #lead(leads: boolean): void {
    this.#options.metrics.leader.set(leads ? 1 : 0);
    for (const part of this.#options.parts) part.lead(leads);
    clearInterval(this.#sweeps);
    if (!leads) return;
    void this.#sweep();
    this.#sweeps = setInterval(() => void this.#sweep(), SWEEP_MS);
    this.#sweeps.unref();
  }

  async #sweep(): Promise<void> {
    const { cluster, clock, incidentDays: days, isOnlyWatched } = this.#options;
    await this.#expire('denial', async () => ({ age: await expireDenials(cluster, clock()) }));
    await this.#expire('incident', () =>
      expireIncidents(cluster, { now: clock(), days, isOnlyWatched: isOnlyWatched() }),
    );
  }

  async #expire(kind: 'denial' | 'incident', act: () => Promise<Record<string, number>>): Promise<void> {
    const { log, metrics } = this.#options;
    try {
      const deleted = await act();
      for (const [reason, count] of Object.entries(deleted))
        metrics.recordsExpired.inc({ kind, reason }, count);
      if (Object.values(deleted).some((count) => count > 0))
        log.info({ kind, deleted }, 'old records deleted');
    } catch (error) {
      log.warn({ kind, err: error }, 'old records could not be deleted; the next sweep tries again');
    }
  }
}
