import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { KubesentryError } from '../../api/errors.ts';
import type { Incident, IncidentPhase } from '../../api/incident.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import type { IncidentStore } from '../incident/store.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ClusterView } from '../view.ts';
import { type Alert, alertOf } from './alert.ts';
import { alertmanagerPayload } from './alertmanager.ts';
import { falcoPayload } from './falco.ts';
import { incidentEvent } from './incident-event.ts';
import { originOf, post } from './post.ts';
import { isUntold, toldPhase, withTold } from './told.ts';

export interface AlertsOptions {
  cluster: Pick<Cluster, 'create'>;
  /** Where alerts go in Falco's format, and Alertmanagers; addresses may hold secrets and are never logged whole. */
  falcoUrls?: readonly string[];
  alertmanagerUrls?: readonly string[];
  /** Where it is kept what was told, for whoever leads after a replica has died with what it had to tell. */
  incidents?: Pick<IncidentStore, 'amend'>;
  view?: Pick<ClusterView, 'incidents' | 'synced'>;
  metrics: Metrics;
  log: Log;
  clock: () => Date;
  /** Milliseconds before the second try; doubled after each. */
  firstRetryMs?: number;
  /** How often the leader looks for what nobody has told, milliseconds. */
  lookMs?: number;
}

/** What is waiting for one sink; a sink that is down for long loses the newest, and that is counted. */
const WAITING = 1_000;
const ATTEMPTS = 8;
const FIRST_RETRY_MS = 1_000;
const REMEMBERED = 10_000;

/** Longer than all tries together, so that what is untold at two looks is on nobody's way. */
const LOOK_MS = 180_000;

interface Sink {
  name: 'event' | 'falco' | 'alertmanager';
  /** For the log. */
  where: string;
  send(alert: Alert): Promise<void>;
  waiting: number;
  /** One after the other, so that a phase does not overtake the one before. */
  turn: Promise<unknown>;
}

/**
 * Tells the world about incidents: the log, a Kubernetes Event, and whoever has an address. Every change of phase, by the
 * replica that wrote it; tried again for some minutes, and counted as dead after that. Where somebody has an address, the
 * incident says what was taken, and the leader tells the rest: once mostly, twice where a replica dies in between.
 */
export class Alerts {
  readonly #options: AlertsOptions;
  readonly #sinks: readonly Sink[];
  /** By uid, the phases that are told or on their way. */
  readonly #told = new LRUCache<string, readonly IncidentPhase[]>({ max: REMEMBERED });
  readonly #underWay = new Set<string>();
  /** What nobody had told at the last look. */
  #untold: ReadonlySet<string> = new Set();
  #looks: NodeJS.Timeout | undefined;
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
    const alert = this.#alertOf(incident);
    if (!alert || this.#told.get(alert.uid)?.at(-1) === alert.phase) return;
    if (toldPhase(incident) === alert.phase) return;
    const { incident: name, phase, namespace, workload, rule, severity, confidence, pods, nodes } = alert;
    this.#options.log.info(
      { incident: name, phase, namespace, workload, rule, severity, confidence, pods, nodes },
      alert.summary,
    );
    this.#tell(alert);
  }

  /** The leader tells at once what whoever led before has left untold, and looks again now and then. */
  lead(leads: boolean): void {
    clearInterval(this.#looks);
    this.#untold = new Set();
    const { view, lookMs = LOOK_MS } = this.#options;
    if (!leads || !view || !this.#hasAddresses) return;
    const looks = setInterval(() => this.#look((key) => this.#untold.has(key)), lookMs);
    this.#looks = looks.unref();
    void view.synced.then(() => this.#looks === looks && this.#look(() => true));
  }

  /** Gives what is under way a moment, and gives up the rest. */
  async close(): Promise<void> {
    clearInterval(this.#looks);
    this.#closing.abort();
    await Promise.all(this.#sinks.map(({ turn }) => turn));
  }

  get #hasAddresses(): boolean {
    return this.#sinks.some(({ name }) => name !== 'event');
  }

  #alertOf(incident: Incident): Alert | undefined {
    const { name = '', uid = name } = incident.metadata;
    const kept = toldPhase(incident);
    const before = this.#told.get(uid) ?? (kept === undefined ? [] : [kept]);
    const earlier = before.filter((phase) => phase !== incident.status?.phase);
    return alertOf(incident, earlier, this.#options.clock());
  }

  #look(isDue: (key: string) => boolean): void {
    const untold = new Set<string>();
    for (const incident of this.#options.view?.incidents() ?? []) {
      const alert = isUntold(incident) ? this.#alertOf(incident) : undefined;
      if (!alert || this.#underWay.has(keyOf(alert))) continue;
      untold.add(keyOf(alert));
      if (isDue(keyOf(alert))) this.#tell(alert);
    }
    this.#untold = untold;
  }

  #tell(alert: Alert): void {
    const key = keyOf(alert);
    this.#told.set(alert.uid, [...alert.before, alert.phase]);
    this.#underWay.add(key);
    const taken = this.#sinks.map((sink) => this.#enqueue(sink, alert));
    void Promise.all(taken).then(async (each) => {
      if (each.every(Boolean) && this.#hasAddresses) await this.#keep(alert);
      this.#underWay.delete(key);
    });
  }

  /** Not where there is more to tell already: that is kept then. */
  async #keep({ incident: name, uid, phase }: Alert): Promise<void> {
    if (this.#told.get(uid)?.at(-1) !== phase) return;
    const { incidents, clock, log } = this.#options;
    try {
      await incidents?.amend(name, (status, { metadata }) =>
        metadata.uid === uid ? withTold(status, phase, clock()) : status,
      );
    } catch (error) {
      log.warn({ incident: name, phase, err: error }, 'it could not be kept that this was told');
    }
  }

  /** Whether the sink took it in the end. */
  #enqueue(sink: Sink, alert: Alert): Promise<boolean> {
    if (sink.waiting >= WAITING) {
      this.#dead(sink, alert, 'too many wait for it');
      return Promise.resolve(false);
    }
    sink.waiting++;
    const taken = sink.turn.then(async () => {
      const isTaken = await this.#deliver(sink, alert);
      sink.waiting--;
      return isTaken;
    });
    sink.turn = taken;
    return taken;
  }

  async #deliver(sink: Sink, alert: Alert): Promise<boolean> {
    const { metrics, firstRetryMs = FIRST_RETRY_MS } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        await sink.send(alert);
        metrics.alerts.inc({ sink: sink.name, outcome: 'sent' });
        return true;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (attempt === ATTEMPTS || this.#closing.signal.aborted) {
          this.#dead(sink, alert, why);
          return false;
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

function keyOf({ uid, phase }: Alert): string {
  return `${uid} ${phase}`;
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
