import { setTimeout as pause } from 'node:timers/promises';
import { KubesentryError } from '../../api/errors.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { objectsOf, WORKLOAD_KINDS } from '../../kube/workloads.ts';
import { byRuling, judge, placedOf } from '../audit/look-again.ts';
import type { IncidentStore } from '../incident/store.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ClusterView } from '../view.ts';
import { keepReports } from './open-reports.ts';
import { keepResults, type Standing, standingEvent } from './results.ts';

export interface BackgroundScanOptions {
  cluster: Cluster;
  view: ClusterView;
  incidents: Pick<IncidentStore, 'add'>;
  metrics: Metrics;
  log: Log;
  clock: () => Date;
  /** Milliseconds between rounds that nothing asks for. */
  period?: number;
}

const PERIOD_MS = 6 * 60 * 60_000;

/** Several changes of policy at once are one reason to look. */
const SETTLE_MS = 2_000;

/** Of the time, how much goes into judging: admission comes first. */
const SHARE = 0.1;

/** Who asks is not known of what exists already. */
const NOBODY = { user: '', groups: [] };

/**
 * Judges what is there already, as admission would today: when this replica begins to lead, when the policies change,
 * and every few hours. What would be refused is reported; only a policy with `background: respond` makes incidents of
 * it, so that installing Kubesentry contains nothing by surprise.
 */
export class BackgroundScan {
  readonly #options: BackgroundScanOptions;
  readonly #unlisten: () => void;
  #leads: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(options: BackgroundScanOptions) {
    this.#options = options;
    this.#unlisten = options.view.onPolicyChange(() => this.#soon(SETTLE_MS));
  }

  lead(leads: boolean): void {
    this.#leads?.abort();
    this.#leads = leads ? new AbortController() : undefined;
    this.#soon(SETTLE_MS);
  }

  async close(): Promise<void> {
    this.#unlisten();
    this.lead(false);
    clearTimeout(this.#timer);
    await this.#round;
  }

  #soon(delay: number): void {
    clearTimeout(this.#timer);
    const { signal } = this.#leads ?? {};
    if (!signal) return;
    this.#timer = setTimeout(() => {
      this.#round = this.#round.then(() => this.#run(signal));
    }, delay);
    this.#timer.unref();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { view, log, period = PERIOD_MS } = this.#options;
    if (signal.aborted) return;
    try {
      await view.synced;
      if (view.policy.background !== 'off') await this.#judgeAll(signal);
    } catch (error) {
      if (!signal.aborted)
        log.warn({ err: error }, 'what exists could not be judged; the next round tries again');
    }
    if (!signal.aborted) this.#soon(period);
  }

  async #judgeAll(signal: AbortSignal): Promise<void> {
    const { cluster, view, incidents, metrics, log, clock } = this.#options;
    const found: Standing[] = [];
    let judged = 0;
    for (const kind of WORKLOAD_KINDS) {
      for await (const object of objectsOf(cluster, kind)) {
        if (signal.aborted) return;
        const began = performance.now();
        const ruling = judge(object, kind, NOBODY, view.facts(clock()));
        judged++;
        // Warnings are for whoever writes the manifest; here only what would be refused counts.
        if (ruling?.verdict === 'deny') {
          found.push({ object, ruling });
          await this.#tell({ object, ruling });
          if (view.policy.background === 'respond') {
            await incidents.add([placedOf(object, kind, byRuling(ruling, clock().getTime()), view.pods)]);
          }
        }
        const spent = performance.now() - began;
        await pause((spent * (1 - SHARE)) / SHARE, undefined, { signal });
      }
    }
    metrics.backgroundJudged.set(judged);
    metrics.backgroundFound.set(found.length);
    await keepResults(cluster, judged, found, clock());
    const reports = await keepReports(cluster, found);
    log.info({ judged, found: found.length, reports }, 'what exists was judged');
  }

  async #tell(standing: Standing): Promise<void> {
    const { cluster, clock, log } = this.#options;
    try {
      await cluster.create(KIND.Event, standingEvent(standing, clock()));
    } catch (error) {
      if (error instanceof KubesentryError && error.code === 'KUBE_CONFLICT') return;
      log.warn({ err: error }, 'the owner of a workload was not told');
    }
  }
}
