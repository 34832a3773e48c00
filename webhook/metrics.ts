import { X509Certificate } from 'node:crypto';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { collectProcessMetrics } from '../api/process-metrics.ts';
import type { ClusterView } from './view.ts';

/** Everything that Prometheus sees. Label values come from closed sets: no names of pods, users or namespaces. */
export class Metrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];

  readonly admissionRequests = new Counter({
    name: 'kubesentry_admission_requests_total',
    help: 'Admission reviews answered, by operation, verdict and the gate that had the word.',
    labelNames: ['operation', 'verdict', 'gate'] as const,
    registers: this.#registers,
  });
  readonly admissionSeconds = new Histogram({
    name: 'kubesentry_admission_duration_seconds',
    help: 'Time from the complete body to the answer.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 3],
    registers: this.#registers,
  });
  readonly admissionUnjudged = new Counter({
    name: 'kubesentry_admission_unjudged_total',
    help: 'Reviews that could not be judged, by error code.',
    labelNames: ['code'] as const,
    registers: this.#registers,
  });
  readonly denials = new Counter({
    name: 'kubesentry_denials_total',
    help: 'Denials by what became of their record: created, counted (a repeat), or lost with the reason.',
    labelNames: ['outcome'] as const,
    registers: this.#registers,
  });
  readonly detections = new Counter({
    name: 'kubesentry_detections_total',
    help: 'Detections received, by outcome: acknowledged, deferred, or the code of the refusal.',
    labelNames: ['outcome'] as const,
    registers: this.#registers,
  });
  readonly journaled = new Gauge({
    name: 'kubesentry_journal_detections',
    help: 'Detections that this replica acknowledged in the journal and that are not in their incident yet.',
    registers: this.#registers,
  });
  readonly reports = new Counter({
    name: 'kubesentry_reports_total',
    help: 'Reports of node agents, by HTTP status.',
    labelNames: ['status'] as const,
    registers: this.#registers,
  });
  readonly reportSeconds = new Histogram({
    name: 'kubesentry_report_duration_seconds',
    help: 'Time from a report of an agent to its answer, which is given when the detections are in the API server.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: this.#registers,
  });
  readonly caPublished = new Gauge({
    name: 'kubesentry_ca_published',
    help: '1 when this replica could tell agents and API server whom to trust, 0 while it could not.',
    registers: this.#registers,
  });
  readonly alerts = new Counter({
    name: 'kubesentry_alerts_total',
    help: 'Alerts about incidents by sink (event, falco, alertmanager) and outcome: sent, retried, or dead.',
    labelNames: ['sink', 'outcome'] as const,
    registers: this.#registers,
  });
  readonly auditEvents = new Counter({
    name: 'kubesentry_audit_events_total',
    help: 'Audit events received: kept, malformed, or why nothing about them matters.',
    labelNames: ['outcome'] as const,
    registers: this.#registers,
  });
  readonly auditLastBatch = new Gauge({
    name: 'kubesentry_audit_last_batch_timestamp_seconds',
    help: 'When the last batch of audit events arrived, since 1970; 0 where none ever did.',
    registers: this.#registers,
  });
  readonly auditFindings = new Counter({
    name: 'kubesentry_audit_findings_total',
    help: 'What rules found in audit events, by rule and severity.',
    labelNames: ['rule', 'severity'] as const,
    registers: this.#registers,
  });
  readonly auditJudged = new Counter({
    name: 'kubesentry_audit_judged_total',
    help: 'Objects that passed unjudged and were judged afterwards: clean, miner, gone, unknown or failed.',
    labelNames: ['outcome'] as const,
    registers: this.#registers,
  });
  readonly auditInquiries = new Counter({
    name: 'kubesentry_audit_inquiries_total',
    help: 'Incidents that were attributed from audit events, by outcome: done or failed.',
    labelNames: ['outcome'] as const,
    registers: this.#registers,
  });
  readonly auditDropped = new Counter({
    name: 'kubesentry_audit_dropped_total',
    help: 'Work about audit events that found no room: inquiry, judgement or announcement.',
    labelNames: ['work'] as const,
    registers: this.#registers,
  });
  readonly responseFailures = new Counter({
    name: 'kubesentry_response_failures_total',
    help: 'Steps of the response that failed and are tried again.',
    registers: this.#registers,
  });
  readonly recordsExpired = new Counter({
    name: 'kubesentry_records_expired_total',
    help: 'Records that were deleted because they are old (age) or there are too many newer ones (room), by kind.',
    labelNames: ['kind', 'reason'] as const,
    registers: this.#registers,
  });
  readonly traceSpans = new Counter({
    name: 'kubesentry_trace_spans_total',
    help: 'Spans of traces, by outcome: sent, or dropped because the collector did not take them.',
    labelNames: ['outcome'] as const,
    registers: this.#registers,
  });
  readonly backgroundJudged = new Gauge({
    name: 'kubesentry_background_judged_workloads',
    help: 'Workloads that the last round of the background scan judged.',
    registers: this.#registers,
  });
  readonly backgroundFound = new Gauge({
    name: 'kubesentry_background_found_workloads',
    help: 'Workloads that exist and would be refused today.',
    registers: this.#registers,
  });
  readonly incidents = new Gauge({
    name: 'kubesentry_incidents',
    help: 'Incidents by phase.',
    labelNames: ['phase'] as const,
    registers: this.#registers,
  });
  readonly quarantines = new Gauge({
    name: 'kubesentry_quarantines',
    help: 'Quarantines that exist.',
    registers: this.#registers,
  });
  readonly leader = new Gauge({
    name: 'kubesentry_leader',
    help: '1 where this replica leads the response, 0 where it does not.',
    registers: this.#registers,
  });
  readonly certificateExpiry = new Gauge({
    name: 'kubesentry_certificate_expiry_timestamp_seconds',
    help: 'When the serving certificate ends, since 1970.',
    registers: this.#registers,
  });
  readonly policiesInvalid = new Gauge({
    name: 'kubesentry_policies_invalid',
    help: 'SentryPolicies that are not in force because something is wrong with them.',
    registers: this.#registers,
  });
  readonly watchSynced = new Gauge({
    name: 'kubesentry_watch_synced',
    help: '1 once the first list of a watch is complete.',
    labelNames: ['watch'] as const,
    registers: this.#registers,
  });
  readonly watchStaleness = new Gauge({
    name: 'kubesentry_watch_staleness_seconds',
    help: 'Time since the API server last said anything on a watch.',
    labelNames: ['watch'] as const,
    registers: this.#registers,
  });

  constructor() {
    collectProcessMetrics(this.registry);
  }

  /** Prometheus text, with what is counted by looking. */
  scrape(view: ClusterView, { cert }: { cert: string }): Promise<string> {
    this.certificateExpiry.set(new X509Certificate(cert).validToDate.getTime() / 1000);
    this.policiesInvalid.set([...view.policies()].filter(({ problems }) => problems.length > 0).length);
    this.incidents.reset();
    for (const { status } of view.incidents()) this.incidents.inc({ phase: status?.phase ?? 'Detected' });
    this.quarantines.set([...view.quarantines.values()].length);
    for (const { name, synced, staleness } of view.watches) {
      this.watchSynced.set({ watch: name }, synced ? 1 : 0);
      this.watchStaleness.set({ watch: name }, staleness / 1000);
    }
    return this.registry.metrics();
  }
}
