import { createHash } from 'node:crypto';
import type { Denial } from '../../../api/denial.ts';
import type { Incident } from '../../../api/incident.ts';
import type { Report } from '../../../api/report.ts';
import { howOften, refusedRequest } from '../../../kube/refused-request.ts';
import { authorship } from './authorship.ts';
import { escapeMarkup as e } from './escape.ts';
import { cpuCourses, effects, leftOut, processTrees, titleOf } from './facts.ts';
import { STYLE } from './style.ts';
import { cpuFigure } from './svg/cpu-plot.ts';
import { processTreeFigure } from './svg/process-tree.ts';
import { timelineFigure } from './svg/timeline.ts';

type Status = NonNullable<Incident['status']>;

/** Nothing may run and nothing may be loaded; of styles only our own, known by its hash. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

/**
 * One file that needs nothing else and runs nothing: no script, no style from elsewhere, and a policy in it that
 * forbids both, because what it shows was named by an attacker.
 */
export function html(report: Report): string {
  const { incident, generated } = report;
  const { metadata, status } = incident;
  const title = titleOf(report);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${e(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${e(title)}</h1>
<p>Incident <code>${e(metadata.name ?? '')}</code>. Written ${e(generated)} by Kubesentry.</p>
${status ? sections(report, status).join('\n') : '<p>Nothing is known yet.</p>'}
</main>
</body>
</html>
`;
}

function sections(report: Report, status: Status): string[] {
  const { quarantine, denials, denialsLeftOut = 0 } = report;
  const trees = processTrees(status.detections);
  const courses = cpuCourses(report);
  return [
    `<p><b>${e(status.phase)}</b>, confidence ${status.confidence}. First seen ${e(status.firstSeen)}, last seen ${e(status.lastSeen)} (UTC).</p>`,
    timelineFigure(status.timeline),
    section('What makes us sure', bullets(status.reasons)),
    section('What was hit', bullets(whatWasHit(status))),
    section('Who did it', bullets(authorship(report))),
    section(
      'Processes',
      trees
        .map(({ pod, roots }, at) => heading(pod) + processTreeFigure(`tree-${at}`, pod, roots))
        .join('\n') + bullets(status.detections.map(outcomeOf)),
    ),
    section(
      'CPU',
      courses.length === 0
        ? '<p>No course was measured: it was caught before that was needed, or by another sign.</p>'
        : courses.map((course, at) => heading(course.pod) + cpuFigure(`cpu-${at}`, course)).join('\n'),
    ),
    section(
      'What was done',
      `<p>${quarantine ? `Quarantine <code>${e(quarantine.metadata.name ?? '')}</code> is in force: ${e(quarantine.spec.reason)} ${quarantine.spec.bans.length} traits are banned in every namespace.` : 'No quarantine is in force now.'}</p>${quarantine ? bullets(effects(report)) : ''}${(status.steps ?? []).map(step).join('\n')}`,
    ),
    section(
      `Refused meanwhile (${denials.length + denialsLeftOut})`,
      bullets([...denials.map(refused), ...(denialsLeftOut > 0 ? [`... and ${denialsLeftOut} more.`] : [])]),
    ),
    section('Timeline (UTC)', timelineTable(status) + omissions(status)),
  ];
}

function whatWasHit({ pods, nodes, serviceAccounts = [], blastRadius = [] }: Status): string[] {
  return [
    `Pods: ${pods.join(', ') || 'none known'}`,
    `Nodes: ${nodes.join(', ') || 'none known'}`,
    `Service accounts: ${serviceAccounts.join(', ') || 'none known'}`,
    ...blastRadius.map(
      ({ kind, namespace, name, reasons }) =>
        `Perhaps also ${kind} ${namespace}/${name}: ${reasons.join('; ')}`,
    ),
  ];
}

function outcomeOf({ rule, process, action, repeats }: Status['detections'][number]): string {
  const done = action === 'none' ? 'only reported' : `${action} by the node`;
  const again = repeats > 0 ? `, ${repeats} times more` : '';
  return `${rule}: pid ${process.pid}, ${done}${again}, SHA-256 ${process.sha256 ?? 'gone before it could be read'}`;
}

function step({ step: name, state, message, evidence, undo }: NonNullable<Status['steps']>[number]): string {
  const lines = evidence.length > 0 ? `<pre>${e(evidence.join('\n'))}</pre>` : '';
  const back = undo === undefined ? '' : `<p>To undo:</p><pre>${e(undo)}</pre>`;
  return `<h3>${e(name)}: ${e(state)}</h3><p>${e(message)}</p>${lines}${back}`;
}

function refused(denial: Denial): string {
  return `${refusedRequest(denial)} by ${denial.spec.user.username}, ${howOften(denial)}`;
}

function timelineTable({ timeline }: Status): string {
  const rows = timeline.map(
    ({ time, source, message }) =>
      `<tr class="${e(source)}"><td>${e(time)}</td><td>${e(source)}</td><td>${e(message)}</td></tr>`,
  );
  return `<table><thead><tr><th scope="col">Time</th><th scope="col">Seen by</th><th scope="col">What</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function omissions(status: Status): string {
  const sentence = leftOut(status);
  return sentence === undefined ? '' : `<p class="quiet">${e(sentence)}</p>`;
}

function section(title: string, content: string): string {
  return `<h2>${e(title)}</h2>\n${content}`;
}

function heading(text: string): string {
  return `<h3>${e(text)}</h3>`;
}

function bullets(lines: readonly string[]): string {
  return lines.length === 0
    ? '<p>none</p>'
    : `<ul>${lines.map((line) => `<li>${e(line)}</li>`).join('\n')}</ul>`;
}
