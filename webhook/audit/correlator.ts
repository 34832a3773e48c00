import { LRUCache } from 'lru-cache';
import { type Incident, isOpen } from '../../api/incident.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { Limiter } from '../limiter.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ClusterView } from '../view.ts';
import { anchorOf, concerns } from './anchor.ts';
import { Announcer } from './announcer.ts';
import type { Fact } from './fact.ts';
import { succeeded } from './identity.ts';
import { AUDIT_LAG_MS, type InquiryTools, inquire } from './inquiry.ts';
import { isFailedOpen } from './rules/failed-open.ts';
import { AuditRules } from './rules.ts';
import { judgeAfterwards } from './unjudged.ts';

export interface AuditCorrelatorOptions extends InquiryTools {
  cluster: Pick<Cluster, 'get' | 'list' | 'apply'>;
  view: Pick<ClusterView, 'pods' | 'facts' | 'incidents' | 'indicators'>;
  metrics: Metrics;
  log: Log;
}

/** Facts of one request arrive in several batches, which the API server sends about once a second. */
const DEBOUNCE_MS = 250;

/** So long after an incident began facts may still tell about it. */
const RECENT_MS = 2 * 3_600_000;

/** Incidents that wait to be attributed. */
const INCIDENTS = 256;

/** Work of all kinds, under way and waiting. */
const CONCURRENCY = 4;
const BACKLOG = 1024;
const ATTEMPTS = 3;
const RETRY_MS = 1_000;

/**
 * What audit facts and incidents mean for each other. Facts are judged by rules and added to the incidents that they
 * concern; incidents are attributed, again when later facts tell more. Never in the way of a request; bounded, and
 * what finds no room is counted.
 */
export class AuditCorrelator {
  readonly #options: AuditCorrelatorOptions;
  readonly #announcer: Announcer;
  readonly #rules = new AuditRules();
  readonly #limiter = new Limiter(CONCURRENCY);
  /** By name, with how often it failed. */
  readonly #due = new Map<string, number>();
  /** What an incident was attributed from, so that our own writing is no reason to do it again. */
  readonly #bases = new LRUCache<string, string>({ max: 1000 });
  readonly #known = new LRUCache<string, Incident>({ max: 1000 });
  readonly #later = new Map<string, NodeJS.Timeout>();
  readonly #running = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: AuditCorrelatorOptions) {
    this.#options = options;
    const run = (act: () => Promise<void>) => this.#run('announcement', act);
    this.#announcer = new Announcer({ ...options, run });
  }

  /** Looks at what is kept, so that what was usual before a restart is not new after it. */
  async learn(): Promise<void> {
    const { facts, clock } = this.#options;
    const to = clock().getTime();
    const query = { from: 0, to, resource: 'daemonsets', writesOnly: true, limit: 1000 };
    this.#rules.learn(await facts.find(query), this.#surroundings());
  }

  /** Facts that the store has kept. */
  noteFacts(facts: readonly Fact[]): void {
    if (this.#closed) return;
    const recent = this.#recentIncidents();
    for (const fact of facts) {
      for (const finding of this.#rules.evaluate(fact, this.#surroundings())) {
        this.#announcer.announce(finding, recent);
      }
      if (isFailedOpen(fact) && succeeded(fact)) this.#judge(fact);
    }
    for (const incident of recent) {
      if (facts.some((fact) => concerns(fact, incident))) this.#wait(incident.metadata.name ?? '');
    }
    this.#schedule(DEBOUNCE_MS);
  }

  /** An incident that is new or has changed. */
  noteIncident(incident: Incident): void {
    const name = incident.metadata.name ?? '';
    this.#known.set(name, incident);
    const anchor = isOpen(incident) ? anchorOf(incident, this.#options.view.pods) : undefined;
    if (this.#closed || !anchor || this.#bases.get(name) === JSON.stringify(anchor)) return;
    this.#bases.set(name, JSON.stringify(anchor));
    this.#wait(name);
    this.#schedule(0);
  }

  /** Resolves when everything that is due by now has been done. */
  async settled(): Promise<void> {
    while (this.#timer || this.#running.size > 0) {
      await Promise.all(this.#running);
      if (this.#timer) await new Promise((resolve) => setTimeout(resolve, DEBOUNCE_MS / 5));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const timer of this.#later.values()) clearTimeout(timer);
    this.#later.clear();
    this.#due.clear();
    await Promise.all(this.#running);
  }

  #surroundings() {
    const { indicators, pods } = this.#options.view;
    return { indicators, pods };
  }

  /** Those that just came about here are not in the watch yet. */
  #recentIncidents(): Incident[] {
    const since = this.#options.clock().getTime() - RECENT_MS;
    const all = new Map<string, Incident>();
    for (const incident of this.#known.values()) all.set(incident.metadata.name ?? '', incident);
    for (const incident of this.#options.view.incidents()) all.set(incident.metadata.name ?? '', incident);
    return [...all.values()].filter(
      (incident) => isOpen(incident) && Date.parse(incident.status?.firstSeen ?? '') >= since,
    );
  }

  #wait(name: string): void {
    if (this.#due.size >= INCIDENTS && !this.#due.has(name)) {
      this.#options.metrics.auditDropped.inc({ work: 'inquiry' });
    } else if (!this.#due.has(name)) this.#due.set(name, 0);
  }

  #schedule(delay: number): void {
    if (this.#closed || this.#due.size === 0) return;
    if (this.#timer && delay > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const due = [...this.#due];
      this.#due.clear();
      for (const [name, failures] of due) this.#run('inquiry', () => this.#inquire(name, failures));
    }, delay);
    this.#timer.unref();
  }

  async #inquire(name: string, failures: number): Promise<void> {
    const { cluster, metrics, log } = this.#options;
    try {
      const incident = await cluster.get(KIND.Incident, { name });
      if (incident && isOpen(incident)) {
        await inquire(incident, this.#options);
        this.#lookLater(incident);
      }
      metrics.auditInquiries.inc({ outcome: 'done' });
    } catch (error) {
      metrics.auditInquiries.inc({ outcome: 'failed' });
      log.warn({ incident: name, err: error }, 'an incident could not be attributed');
      if (failures + 1 >= ATTEMPTS || this.#closed) return;
      this.#due.set(name, failures + 1);
      this.#schedule(RETRY_MS);
    }
  }

  /** What is said too early is looked at once more when the facts of that time have arrived. */
  #lookLater({ metadata: { name = '' }, status }: Incident): void {
    const age = this.#options.clock().getTime() - Date.parse(status?.firstSeen ?? '');
    if (!(age < AUDIT_LAG_MS) || this.#later.has(name) || this.#later.size >= INCIDENTS) return;
    const timer = setTimeout(() => {
      this.#later.delete(name);
      this.#wait(name);
      this.#schedule(0);
    }, AUDIT_LAG_MS);
    this.#later.set(name, timer.unref());
  }

  #judge(fact: Fact): void {
    const { metrics, log } = this.#options;
    this.#run('judgement', async () => {
      try {
        const { outcome, findings } = await judgeAfterwards(fact, this.#options);
        metrics.auditJudged.inc({ outcome });
        for (const finding of findings) this.#announcer.announce(finding, this.#recentIncidents());
      } catch (error) {
        metrics.auditJudged.inc({ outcome: 'failed' });
        log.warn({ audit: fact.id, err: error }, 'what passed unjudged could not be judged afterwards');
      }
    });
  }

  #run(work: 'inquiry' | 'judgement' | 'announcement', act: () => Promise<void>): void {
    if (this.#running.size >= BACKLOG) {
      this.#options.metrics.auditDropped.inc({ work });
      return;
    }
    const running = this.#limiter.run(act).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
