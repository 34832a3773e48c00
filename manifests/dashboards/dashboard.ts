/** One graph or number of the Grafana dashboard. */
interface Panel {
  title: string;
  /** What a person should think when it moves. */
  description: string;
  kind: 'stat' | 'timeseries';
  /** Grafana's name of the unit. */
  unit: 'short' | 's' | 'reqps' | 'bytes';
  /** PromQL with the legend of its lines. */
  queries: readonly (readonly [expr: string, legend: string])[];
}

const quantile = (q: number, metric: string) =>
  `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket[$__rate_interval])))`;
const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[$__rate_interval]))`;

/** Gauges of the cluster are exported by every replica alike, so that the largest is taken and not the sum. */
const ROWS: Readonly<Record<string, readonly Panel[]>> = {
  'What is going on': [
    {
      title: 'Open incidents',
      description: 'Workloads under attack, by phase.',
      kind: 'stat',
      unit: 'short',
      queries: [['max by (phase) (kubesentry_incidents{phase!~"Closed|Dismissed"})', '{{phase}}']],
    },
    {
      title: 'Quarantines',
      description: 'Namespaces and workloads that are contained.',
      kind: 'stat',
      unit: 'short',
      queries: [['max(kubesentry_quarantines)', 'quarantines']],
    },
    {
      title: 'Exists and would be refused',
      description: 'What the last round of the background scan found.',
      kind: 'stat',
      unit: 'short',
      queries: [['max(kubesentry_background_found_workloads)', 'workloads']],
    },
    {
      title: 'Leaders',
      description: 'One, or no response runs.',
      kind: 'stat',
      unit: 'short',
      queries: [['sum(kubesentry_leader)', 'leaders']],
    },
  ],
  Admission: [
    {
      title: 'Reviews by verdict',
      description: 'What was answered, and the gate that had the word.',
      kind: 'timeseries',
      unit: 'reqps',
      queries: [[rate('kubesentry_admission_requests_total', 'verdict, gate'), '{{verdict}} {{gate}}']],
    },
    {
      title: 'Time to answer',
      description: 'The API server gives up after 3 s.',
      kind: 'timeseries',
      unit: 's',
      queries: [
        [quantile(0.5, 'kubesentry_admission_duration_seconds'), 'p50'],
        [quantile(0.99, 'kubesentry_admission_duration_seconds'), 'p99'],
      ],
    },
    {
      title: 'Not judged',
      description: 'Should be empty; the codes are in docs/reference/errors.md.',
      kind: 'timeseries',
      unit: 'reqps',
      queries: [[rate('kubesentry_admission_unjudged_total', 'code'), '{{code}}']],
    },
    {
      title: 'Records of denials',
      description: 'created, counted (a repeat), or lost.',
      kind: 'timeseries',
      unit: 'reqps',
      queries: [[rate('kubesentry_denials_total', 'outcome'), '{{outcome}}']],
    },
  ],
  'Nodes and detections': [
    {
      title: 'Detections received',
      description: 'acknowledged, deferred, or the code of the refusal.',
      kind: 'timeseries',
      unit: 'reqps',
      queries: [[rate('kubesentry_detections_total', 'outcome'), '{{outcome}}']],
    },
    {
      title: 'Time to keep a report',
      description: 'From the report of an agent to its answer.',
      kind: 'timeseries',
      unit: 's',
      queries: [
        [quantile(0.5, 'kubesentry_report_duration_seconds'), 'p50'],
        [quantile(0.99, 'kubesentry_report_duration_seconds'), 'p99'],
      ],
    },
    {
      title: 'Kernel events',
      description: 'Handed up, and dropped because the agent was too slow.',
      kind: 'timeseries',
      unit: 'reqps',
      queries: [
        [rate('kubesentry_agent_events_total', 'instance'), '{{instance}}'],
        [rate('kubesentry_agent_events_dropped_total', 'instance, type'), '{{instance}} dropped {{type}}'],
      ],
    },
    {
      title: 'Waiting on disk',
      description: 'Detections that the webhook has not acknowledged.',
      kind: 'timeseries',
      unit: 'short',
      queries: [['kubesentry_agent_spool_pending', '{{instance}}']],
    },
    {
      title: 'Programs that the kernel refuses',
      description: 'The others work.',
      kind: 'timeseries',
      unit: 'short',
      queries: [
        [
          'sum by (instance, family) (kubesentry_agent_programs{state="refused"}) > 0',
          '{{instance}} {{family}}',
        ],
      ],
    },
  ],
  'Audit and response': [
    {
      title: 'Audit events',
      description: 'kept, or why nothing about them matters.',
      kind: 'timeseries',
      unit: 'reqps',
      queries: [[rate('kubesentry_audit_events_total', 'outcome'), '{{outcome}}']],
    },
    {
      title: 'Findings in the audit stream',
      description: 'By rule.',
      kind: 'timeseries',
      unit: 'reqps',
      queries: [[rate('kubesentry_audit_findings_total', 'rule'), '{{rule}}']],
    },
    {
      title: 'Alerts sent',
      description: 'By sink and outcome.',
      kind: 'timeseries',
      unit: 'reqps',
      queries: [[rate('kubesentry_alerts_total', 'sink, outcome'), '{{sink}} {{outcome}}']],
    },
    {
      title: 'Steps that failed',
      description: 'Each is tried again.',
      kind: 'timeseries',
      unit: 'reqps',
      queries: [['sum(rate(kubesentry_response_failures_total[$__rate_interval]))', 'failures']],
    },
  ],
  'The programs themselves': [
    {
      title: 'Memory',
      description: 'Resident, of webhook and agents.',
      kind: 'timeseries',
      unit: 'bytes',
      queries: [['process_resident_memory_bytes and on (instance) kubesentry_build_info', '{{instance}}']],
    },
    {
      title: 'CPU seconds a second',
      description: 'Of webhook and agents.',
      kind: 'timeseries',
      unit: 'short',
      queries: [
        [
          'rate(process_cpu_seconds_total[$__rate_interval]) and on (instance) kubesentry_build_info',
          '{{instance}}',
        ],
      ],
    },
    {
      title: 'Certificate ends in',
      description: 'Renewed a month before.',
      kind: 'stat',
      unit: 's',
      queries: [['min(kubesentry_certificate_expiry_timestamp_seconds) - time()', 'seconds']],
    },
  ],
};

const DATASOURCE = { type: 'prometheus', uid: '$' + '{datasource}' };
const COLUMNS = 24;

/** Every PromQL expression of the dashboard, for those who check them. */
export function dashboardQueries(): string[] {
  return Object.values(ROWS).flatMap((panels) =>
    panels.flatMap(({ queries }) => queries.map(([expr]) => expr)),
  );
}

/** The dashboard in Grafana's format, to be imported or mounted as a ConfigMap. */
export function dashboard(): object {
  return {
    uid: 'kubesentry',
    title: 'Kubesentry',
    description: 'Cryptomining in this cluster, and whether those who look for it work.',
    tags: ['kubernetes', 'security'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Source' }] },
    panels: [...layout()],
  };
}

function* layout(): Generator<object> {
  let y = 0;
  let id = 1;
  for (const [title, panels] of Object.entries(ROWS)) {
    yield {
      id: id++,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { h: 1, w: COLUMNS, x: 0, y },
      panels: [],
    };
    const w = Math.floor(COLUMNS / panels.length);
    const h = panels.every(({ kind }) => kind === 'stat') ? 4 : 8;
    for (const [at, { kind, unit, queries, ...told }] of panels.entries()) {
      yield {
        id: id++,
        type: kind,
        ...told,
        datasource: DATASOURCE,
        gridPos: { h, w, x: at * w, y: y + 1 },
        fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
        targets: queries.map(([expr, legendFormat], index) => ({
          refId: String.fromCharCode(65 + index),
          datasource: DATASOURCE,
          expr,
          legendFormat,
        })),
      };
    }
    y += 1 + h;
  }
}
