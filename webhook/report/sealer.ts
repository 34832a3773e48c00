import { gzipSync } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { KubesentryError } from '../../api/errors.ts';
import { type Incident, ownedByIncident } from '../../api/incident.ts';
import { LABEL, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { REPORT_ENTRY, reportConfigMap } from '../../api/report.ts';
import { seal } from '../../certs/seal.ts';
import { ensureSigningKey, type SigningKey } from '../../certs/signing-key.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { everyObject } from '../../kube/every-object.ts';
import { KIND } from '../../kube/kind.ts';
import { reportOn } from '../../kube/report.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ClusterView } from '../view.ts';

export interface SealerOptions {
  cluster: Cluster;
  view: Pick<ClusterView, 'incidents' | 'onIncidentChange'>;
  metrics: Metrics;
  log: Log;
  clock: () => Date;
  /** Milliseconds without a change before an incident is signed. */
  quietMs?: number | undefined;
}

/** An attack changes its incident many times a second at first; what is signed is what it came to. */
const QUIET_MS = 2_000;

/** And while it goes on changing, this often all the same. */
const LONGEST_MS = 30_000;

/** Incidents whose version is remembered; more than are ever kept. */
const REMEMBERED = 10_000;

/** On the ConfigMap: the version of the incident that it speaks of. */
const VERSION = 'kubesentry.io/incident-version';

/**
 * Keeps a signed report of every incident that was ever sure, so that people can show what Kubesentry said and when
 * without holding its key. The leader does it, one after the other; what it misses, the next one finds by the version.
 */
export class Sealer {
  readonly #options: SealerOptions;
  readonly #unlisten: () => void;
  /** By name, since when it waits, and for how long yet. */
  readonly #waiting = new Map<string, { since: number; timer: NodeJS.Timeout }>();
  /** By name, the version that is signed. What is forgotten is signed again with its next change. */
  readonly #signed = new LRUCache<string, string>({ max: REMEMBERED });
  #turn: Promise<void> = Promise.resolve();
  #leads = false;

  constructor(options: SealerOptions) {
    this.#options = options;
    this.#unlisten = options.view.onIncidentChange((incident) => this.#note(incident));
  }

  lead(leads: boolean): void {
    this.#leads = leads;
    if (leads) this.#enqueue(() => this.#catchUp());
    else this.#forgetAll();
  }

  async close(): Promise<void> {
    this.lead(false);
    this.#unlisten();
    await this.#turn;
  }

  #note(incident: Incident): void {
    const { name = '' } = incident.metadata;
    if (!this.#leads || !isWorthIt(incident) || this.#isSigned(incident)) return;
    const { quietMs = QUIET_MS } = this.#options;
    const now = performance.now();
    const { since = now, timer } = this.#waiting.get(name) ?? {};
    clearTimeout(timer);
    const wait = Math.min(quietMs, Math.max(since + LONGEST_MS - now, 0));
    const next = setTimeout(() => {
      this.#waiting.delete(name);
      this.#enqueue(() => this.#sign(name));
    }, wait);
    next.unref();
    this.#waiting.set(name, { since, timer: next });
  }

  /** What was signed before, so that only what has changed since is signed again. */
  async #catchUp(): Promise<void> {
    const { cluster, view } = this.#options;
    const labelSelector = LABEL.incident;
    for await (const { metadata } of everyObject(cluster, KIND.ConfigMap, SYSTEM_NAMESPACE, labelSelector)) {
      const version = metadata.annotations?.[VERSION];
      const incident = metadata.labels?.[LABEL.incident];
      if (incident && version) this.#signed.set(incident, version);
    }
    for (const incident of view.incidents()) this.#note(incident);
  }

  async #sign(name: string): Promise<void> {
    const { cluster, clock, log } = this.#options;
    if (!this.#leads) return;
    const incident = await cluster.get(KIND.Incident, { name });
    if (!incident || this.#isSigned(incident)) return;
    const key: SigningKey = await ensureSigningKey(cluster, SYSTEM_NAMESPACE, () => clock().getTime());
    const report = await seal(await reportOn(cluster, incident, clock()), key);
    const version = incident.metadata.resourceVersion ?? '';
    await cluster.apply(KIND.ConfigMap, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        namespace: SYSTEM_NAMESPACE,
        name: reportConfigMap(name),
        labels: { [LABEL.incident]: name },
        ...ownedByIncident(incident.metadata),
        annotations: { [VERSION]: version },
      },
      binaryData: { [REPORT_ENTRY]: gzipSync(JSON.stringify(report)).toString('base64') },
    });
    this.#signed.set(name, version);
    log.info({ incident: name, key: key.id }, 'report signed');
  }

  #isSigned({ metadata }: Incident): boolean {
    return this.#signed.get(metadata.name ?? '') === metadata.resourceVersion;
  }

  #enqueue(act: () => Promise<void>): void {
    const { log, metrics } = this.#options;
    this.#turn = this.#turn.then(async () => {
      try {
        await act();
      } catch (error) {
        metrics.responseFailures.inc();
        const why = error instanceof KubesentryError ? error.message : error;
        log.warn({ err: why }, 'a report could not be signed; the next change of its incident tries again');
      }
    });
  }

  #forgetAll(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    this.#signed.clear();
  }
}

/** A mere suspicion is no report. */
function isWorthIt({ status }: Incident): boolean {
  return status !== undefined && status.phase !== 'Detected';
}
