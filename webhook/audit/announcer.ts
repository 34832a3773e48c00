import { LRUCache } from 'lru-cache';
import type { Incident } from '../../api/incident.ts';
import { compareSeverity } from '../../api/weight.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import type { IncidentStore } from '../incident/store.ts';
import { addTimeline } from '../incident/timeline.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Fact } from './fact.ts';
import { findingEvent } from './finding-event.ts';
import { lineOf } from './record.ts';
import type { AuditFinding } from './rules/finding.ts';
import { keyOf, workloadOf } from './workload.ts';

export interface AnnouncerOptions {
  cluster: Pick<Cluster, 'apply'>;
  incidents: Pick<IncidentStore, 'amend'>;
  metrics: Metrics;
  log: Log;
  /** Does it off the request path, within bounds. */
  run: (act: () => Promise<void>) => void;
}

/** The same finding about the same object makes one Event in this time. */
const EVENT_MS = 10 * 60_000;

/** Tells people what a rule found: log and metric always, an Event and the timeline of an incident from medium on. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #events = new LRUCache<string, true>({ max: 10_000, ttl: EVENT_MS });

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  announce(finding: AuditFinding, incidents: readonly Incident[]): void {
    const { rule, severity, message, fact } = finding;
    const { log, metrics, run } = this.#options;
    metrics.auditFindings.inc({ rule, severity });
    const isLoud = compareSeverity(severity, 'medium') >= 0;
    const fields = { rule, severity, audit: fact.id, user: fact.actor.user, address: fact.address };
    log[isLoud ? 'warn' : 'info'](fields, message);
    if (!isLoud) return;
    run(() => this.#sendEvent(finding));
    for (const incident of incidents) {
      if (isAbout(fact, incident)) run(() => this.#attach(finding, incident.metadata.name ?? ''));
    }
  }

  /** It only helps people, so a failure is logged and that is all. */
  async #sendEvent(finding: AuditFinding): Promise<void> {
    const { target, id } = finding.fact;
    const about = `${finding.rule} ${target.resource} ${target.namespace}/${target.name}`;
    const event = this.#events.has(about) ? undefined : findingEvent(finding);
    if (!event) return;
    this.#events.set(about, true);
    try {
      await this.#options.cluster.apply(KIND.Event, event);
    } catch (error) {
      this.#options.log.debug({ audit: id, err: error }, 'no event about a finding');
    }
  }

  async #attach(finding: AuditFinding, incident: string): Promise<void> {
    const { incidents, log } = this.#options;
    try {
      await incidents.amend(incident, (status) => addTimeline(status, [lineOf(finding)]));
    } catch (error) {
      log.warn({ incident, audit: finding.fact.id, err: error }, 'the incident lacks a finding');
    }
  }
}

/** Of the same workload, one of its pods, or the hands that made it. */
function isAbout(fact: Fact, { spec, status }: Incident): boolean {
  const { namespace, resource, name } = fact.target;
  const workload = workloadOf(fact);
  if (workload && keyOf(workload) === keyOf({ namespace: spec.namespace, ...spec.workload })) return true;
  if (resource === 'pods' && status?.pods.includes(`${namespace}/${name}`)) return true;
  const creator = status?.attribution?.creator;
  return creator?.user === fact.actor.user && creator.address === fact.address;
}
