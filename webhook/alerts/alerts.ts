import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { KubesentryError } from '../../api/errors.ts';
import type { Incident } from '../../api/incident.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type Alert, alertOf } from './alert.ts';
import { alertmanagerPayload } from './alertmanager.ts';
import { falcoPayload } from './falco.ts';
import { incidentEvent } from './incident-event.ts';
import { originOf, post } from './post.ts';

export interface AlertsOptions {
  cluster: Pick<Cluster, 'create'>;
  /** Where alerts go in Falco's format, and Alertmanagers; addresses may hold secrets and are never logged whole. */
  falcoUrls?: readonly string[];
  alertmanagerUrls?: readonly string[];
  metrics: Metrics;
  log: Log;
  clock: () => Date;
  /** Milliseconds before the second try; doubled after each. */
  firstRetryMs?: number;
}

/** What is waiting for one sink; a sink that is down for long loses the newest, and that is counted. */
const WAITING = 1_000;
const ATTEMPTS = 8;
const FIRST_RETRY_MS = 1_000;
const REMEMBERED = 10_000;

interface Sink {
  name: 'event' | 'falco' | 'alertmanager';
  /** For the log. */
  where: string;
  send(alert: Alert): Promise<void>;
  waiting: number;
  /** One after the other, so that a phase does not overtake the one before. */
  turn: Promise<void>;
}

/**
 * Tells the world about incidents: the log, a Kubernetes Event, and whoever has an address. Every change of phase once, by the
 * replica that wrote it; tried again for some minutes, and counted as dead after that.
 */
export class Alerts {
  readonly #options: AlertsOptions;
  readonly #sinks: readonly Sink[];
  readonly #told = new LRUCache<string, string>({ max: REMEMBERED });
  readonly #closing = new AbortController();

  constructor(options: AlertsOptions) {
    this.#options = options;
    const { cluster, falcoUrls = [], alertmanagerUrls = [] } = options;
    const sink = (name: Sink['name'], where: string, send: Sink['send']): Sink => ({
      name,
      where,
      send,
      waiting: 0,
      turn: Promise.resolve(),
    });
    this.#sinks = [
      sink('event', 'the API server', (alert) => createEvent(cluster, alert)),
      ...falcoUrls.map((url) => sink('falco', originOf(url), (alert) => post(url, '', falcoPayload(alert)))),
      ...alertmanagerUrls.map((url) =>
        sink('alertmanager', originOf(url), (alert) =>
          post(url, '/api/v2/alerts', alertmanagerPayload(alert)),
        ),
      ),
    ];
  }

  /** An incident that is new or has changed. Never rejects, and nobody waits for it. */
  note(incident: Incident): void {
    const alert = alertOf(incident, this.#options.clock());
    if (!alert || this.#told.get(alert.uid) === alert.phase) return;
    this.#told.set(alert.uid, alert.phase);
    const { incident: name, phase, namespace, workload, rule, severity, confidence, pods, nodes } = alert;
    this.#options.log.info(
      { incident: name, phase, namespace, workload, rule, severity, confidence, pods, nodes },
      alert.summary,
    );
    for (const sink of this.#sinks) this.#enqueue(sink, alert);
  }

  /** Gives what is under way a moment, and gives up the rest. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#sinks.map(({ turn }) => turn));
  }

  #enqueue(sink: Sink, alert: Alert): void {
    if (sink.waiting >= WAITING) {
      this.#dead(sink, alert, 'too many wait for it');
      return;
    }
    sink.waiting++;
    sink.turn = sink.turn.then(async () => {
      await this.#deliver(sink, alert);
      sink.waiting--;
    });
  }

  async #deliver(sink: Sink, alert: Alert): Promise<void> {
    const { metrics, firstRetryMs = FIRST_RETRY_MS } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        await sink.send(alert);
        metrics.alerts.inc({ sink: sink.name, outcome: 'sent' });
        return;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (attempt === ATTEMPTS || this.#closing.signal.aborted) {
          this.#dead(sink, alert, why);
          return;
        }
        metrics.alerts.inc({ sink: sink.name, outcome: 'retried' });
        await this.#pause(firstRetryMs * 2 ** (attempt - 1));
      }
    }
  }

  #dead(sink: Sink, { incident, phase }: Alert, reason: string): void {
    const { metrics, log } = this.#options;
    metrics.alerts.inc({ sink: sink.name, outcome: 'dead' });
    log.error(
      { incident, phase, sink: sink.name, where: sink.where, reason },
      'an alert could not be delivered',
    );
  }

  /** Shorter when it is closed meanwhile. */
  async #pause(ms: number): Promise<void> {
    const { signal } = this.#closing;
    await sleep(ms, undefined, { signal, ref: false }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

async function createEvent(cluster: Pick<Cluster, 'create'>, alert: Alert): Promise<void> {
  try {
    await cluster.create(KIND.Event, incidentEvent(alert));
  } catch (error) {
    // Told before, perhaps by another replica; or the namespace is gone, and with it whoever would read it.
    const isOver =
      error instanceof KubesentryError && (error.code === 'KUBE_CONFLICT' || error.code === 'KUBE_NOT_FOUND');
    if (!isOver) throw error;
  }
}
