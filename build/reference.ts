import type { Registry } from 'prom-client';
import { ERRORS } from '../api/errors.ts';
import { RULES, type Rule } from '../detection/rules.ts';
import { agentMetrics } from '../runtime/metrics.ts';
import { AUDIT_RULES } from '../webhook/audit/rules/finding.ts';
import { Metrics } from '../webhook/metrics.ts';

const NOTE = '<!-- Made by `npm run generate`; change the code, not this file. -->\n\n';

/** The pages of docs/reference/ that are made from code, by file name. */
export function referencePages(): Record<string, string> {
  return { 'rules.md': rulesPage(), 'errors.md': errorsPage(), 'metrics.md': metricsPage() };
}

function rulesPage(): string {
  const entries = Object.entries(RULES) as [string, Rule][];
  const part = ([id, { title, severity, score, why, remedy, posture }]: [string, Rule]) =>
    `### ${id}\n\n**${title}.** Severity ${severity}, score ${score}.${posture ? ' Posture: only adds to what is suspicious already.' : ''}\n\n${why}\n\nWhat to do: ${remedy}\n`;
  const audit = Object.entries(AUDIT_RULES).map(([id, remedy]) => `### ${id}\n\nWhat to do: ${remedy}\n`);
  return `${NOTE}# Rules

Every rule that a finding can name. \`kubectl kubesentry explain RULE\` prints the same.

The scores of all rules that matched are added up, each rule once with its strongest match. From 80 on a request is refused, from 30 on it is warned about; 100 is conclusive alone. Posture counts from 40 on, and with at most 10. The mode of a rule, exemptions and further indicators are settings of a \`SentryPolicy\`: [the cookbook](../policies.md).

## Of manifests and processes

${entries.map(part).join('\n')}
## Of audit events

${audit.join('\n')}`;
}

const FAULTS = { user: 'the caller', internal: 'Kubesentry', environment: 'the surroundings' } as const;

function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { fault, status, remedy }]) => [`\`${code}\``, `${status}`, FAULTS[fault], remedy] as const,
  );
  return `${NOTE}# Troubleshooting by error code

Every error that Kubesentry raises has one of these codes, in the answer, in the log and in the message of a command. "Whose" says where to look: at the caller, at Kubesentry itself, or at the API server, kernel, disk or network around it. The [runbooks](../runbooks.md) begin at symptoms.

${table(['Code', 'HTTP', 'Whose', 'What to do'], rows)}
`;
}

function metricsPage(): string {
  const none = () => {
    throw new Error('Nothing is scraped here.');
  };
  return `${NOTE}# Metrics

Prometheus text at \`/metrics\` of both programs. Values of labels come from closed sets: no names of pods, users or namespaces. The one exception is the label \`cgroup\` of the agent, with the twenty busiest of a node at most. The metrics of Node and of the process itself (\`nodejs_*\`, \`process_*\`) are not listed.

## Webhook, port 8080

${table(['Metric', 'Type', 'Labels', 'What it counts'], metricRows(new Metrics().registry))}

## Agent, port 8081

${table(['Metric', 'Type', 'Labels', 'What it counts'], metricRows(agentMetrics(none)))}
`;
}

function metricRows(registry: Registry): string[][] {
  const own = registry.getMetricsAsArray().filter(({ name }) => name.startsWith('kubesentry_'));
  return own.map((metric) => {
    // prom-client keeps them on the metric and declares them nowhere.
    const { labelNames = [] } = metric as { labelNames?: string[] };
    const labels = labelNames.map((label) => `\`${label}\``).join(', ');
    return [`\`${metric.name}\``, `${metric.type}`, labels, metric.help];
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
