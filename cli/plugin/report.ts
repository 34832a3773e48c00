import { KubesentryError } from '../../api/errors.ts';
import { KIND } from '../../kube/kind.ts';
import { pluginCommand, type Session } from './options.ts';
import { html } from './report/html.ts';
import { markdown } from './report/markdown.ts';
import { ocsf } from './report/ocsf.ts';
import type { Report } from './report/report.ts';

const USAGE = `
Usage: kubectl kubesentry report INCIDENT [-o md|html|json|ocsf]

Writes what happened, for the cloud provider and for the review: what was seen, what was done, the timeline.
  md     Markdown (the default)
  html   one file without scripts: timeline, process tree, CPU
  json   everything that is kept, for programs
  ocsf   Detection Findings of the Open Cybersecurity Schema, one a line, for a SIEM

  -o, --output FORMAT    md, html, json or ocsf
`;

const FORMATS: Readonly<Record<string, (report: Report) => string>> = {
  md: markdown,
  html,
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  ocsf,
};

export const reportCommand = pluginCommand(
  { text: USAGE, arguments: [1, 1], options: { output: { short: 'o' } } },
  report,
);

/** Raises USAGE for a format that there is not, and KUBE_NOT_FOUND. */
export async function report({ connect, positionals, option, write }: Session): Promise<void> {
  const [name = ''] = positionals;
  const format = FORMATS[option('output') ?? 'md'];
  if (!format)
    throw new KubesentryError('USAGE', `There is no format "${option('output')}": md, html, json or ocsf.`);
  const cluster = await connect();
  const incident = await cluster.get(KIND.Incident, { name });
  if (!incident) throw new KubesentryError('KUBE_NOT_FOUND', `There is no incident "${name}".`);
  const quarantine = await cluster.get(KIND.Quarantine, { name: incident.status?.quarantine ?? name });
  const denials = (await cluster.list(KIND.Denial)).items.filter(({ spec }) => spec.incident === name);
  write(
    format({ generated: new Date().toISOString(), incident, ...(quarantine && { quarantine }), denials }),
  );
}
