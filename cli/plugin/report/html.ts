import type { Detection } from '../../../api/detection.ts';
import { authorship } from './authorship.ts';
import { type CpuCourse, cpuCourses, lineage, type Report, titleOf } from './report.ts';

/**
 * One file that needs nothing else and runs nothing: no script, no style from elsewhere, and a policy in it that
 * forbids both, because what it shows was named by an attacker.
 */
export function html(report: Report): string {
  const { incident, quarantine, denials, generated } = report;
  const { metadata, status } = incident;
  const title = titleOf(report);
  const body = status
    ? [
        `<p><b>${e(status.phase)}</b>, confidence ${status.confidence}. First seen ${e(status.firstSeen)}, last seen ${e(status.lastSeen)} (UTC).</p>`,
        section('What makes us sure', bullets(status.reasons)),
        section(
          'What was hit',
          bullets([
            `Pods: ${status.pods.join(', ') || 'none known'}`,
            `Nodes: ${status.nodes.join(', ') || 'none known'}`,
            `Service accounts: ${status.serviceAccounts?.join(', ') || 'none known'}`,
            ...(status.blastRadius ?? []).map(
              ({ kind, namespace, name, reasons }) =>
                `Perhaps also ${kind} ${namespace}/${name}: ${reasons.join('; ')}`,
            ),
          ]),
        ),
        section('Who did it', bullets(authorship(report))),
        section('Processes', status.detections.map(processTree).join('\n')),
        ...courses(cpuCourses(report)),
        section(
          'What was done',
          `<p>${quarantine ? `Quarantine ${e(quarantine.metadata.name ?? '')} is in force: ${e(quarantine.spec.reason)} ${quarantine.spec.bans.length} traits are banned in every namespace.` : 'No quarantine is in force now.'}</p>` +
            (status.steps ?? [])
              .map(
                ({ step, state, message, evidence, undo }) =>
                  `<h3>${e(step)}: ${e(state)}</h3><p>${e(message)}</p>${evidence.length > 0 ? `<pre>${e(evidence.join('\n'))}</pre>` : ''}${undo === undefined ? '' : `<p>To undo:</p><pre>${e(undo)}</pre>`}`,
              )
              .join('\n'),
        ),
        section(
          `Refused meanwhile (${denials.length})`,
          bullets(
            denials.map(
              ({ metadata: { namespace }, spec, status: counted }) =>
                `${spec.operation} of ${spec.resource.kind} ${namespace}/${spec.resource.name} by ${spec.user.username}, ${counted?.count ?? 1} times`,
            ),
          ),
        ),
        section(
          'Timeline (UTC)',
          `<table><tr><th>Time</th><th>Seen by</th><th>What</th></tr>${status.timeline
            .map(
              ({ time, source, message }) =>
                `<tr class="${e(source)}"><td>${e(time)}</td><td>${e(source)}</td><td>${e(message)}</td></tr>`,
            )
            .join('\n')}</table>`,
        ),
      ]
    : ['<p>Nothing is known yet.</p>'];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${e(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733; }
h1 { font-size: 1.6rem } h2 { margin-top: 2rem; border-bottom: 1px solid #d5dbe1 } h3 { margin-bottom: 0 }
pre { background: #f4f6f8; padding: .75rem; overflow-x: auto; white-space: pre-wrap; word-break: break-all }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .25rem .75rem .25rem 0; vertical-align: top; border-bottom: 1px solid #e6eaee }
td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums }
tr.response td:nth-child(2) { color: #0a7d4b } tr.runtime td:nth-child(2) { color: #b3261e } tr.audit td:nth-child(2) { color: #6a3fb5 }
svg { max-width: 100%; height: auto } svg text { font: 13px ui-monospace, monospace }
</style>
</head>
<body>
<h1>${e(title)}</h1>
<p>Incident <code>${e(metadata.name ?? '')}</code>. Written ${e(generated)} by Kubesentry.</p>
${body.join('\n')}
</body>
</html>
`;
}

function section(title: string, content: string): string {
  return `<h2>${e(title)}</h2>\n${content}`;
}

function bullets(lines: readonly string[]): string {
  return lines.length === 0
    ? '<p>none</p>'
    : `<ul>${lines.map((line) => `<li>${e(line)}</li>`).join('\n')}</ul>`;
}

const ROW = 34;
const INDENT = 24;

/** The chain of processes, first at the top, the one that was caught in red. */
function processTree(detection: Detection): string {
  const chain = lineage(detection);
  const width = 960;
  const rows = chain.map(({ pid, exe, argv }, depth) => {
    const x = depth * INDENT;
    const y = depth * ROW;
    const caught = depth === chain.length - 1;
    const label = `${exe} (pid ${pid})  ${argv.join(' ')}`.slice(0, 130);
    const arrow =
      depth === 0 ? '' : `<path d="M${x - 12} ${y - 6} v${ROW / 2 + 2} h8" fill="none" stroke="#8796a5"/>`;
    return `${arrow}<rect x="${x}" y="${y}" width="${width - x}" height="26" rx="4" fill="${caught ? '#fde7e5' : '#eef2f6'}"/><text x="${x + 8}" y="${y + 18}" fill="${caught ? '#b3261e' : '#1c2733'}">${e(label)}</text>`;
  });
  const { process, container, rule, action } = detection;
  return `<p>Pod ${e(container?.pod ?? 'none: a process of the node')}, rule <code>${e(rule)}</code>, ${e(action === 'none' ? 'only reported' : `${action} by the node`)}, SHA-256 ${e(process.sha256 ?? 'gone before it could be read')}</p>
<svg viewBox="0 0 ${width} ${chain.length * ROW}" role="img" aria-label="processes">${rows.join('')}</svg>`;
}

function courses(all: readonly CpuCourse[]): string[] {
  return all.length === 0 ? [] : [section('CPU', all.map(cpuPlot).join('\n'))];
}

/** Percent of what the container may use, over time; the habit as a dashed line. */
function cpuPlot({ pod, samples, baseline }: CpuCourse): string {
  const [width, height] = [960, 160];
  const first = samples[0]?.[0] ?? 0;
  const span = Math.max((samples.at(-1)?.[0] ?? 1) - first, 1);
  const at = ([time, percent]: readonly [number, number]) =>
    `${(((time - first) / span) * width).toFixed(1)},${(height - (Math.min(Math.max(percent, 0), 100) / 100) * height).toFixed(1)}`;
  const habit =
    baseline === undefined
      ? ''
      : `<line x1="0" x2="${width}" y1="${height - (baseline / 100) * height}" y2="${height - (baseline / 100) * height}" stroke="#0a7d4b" stroke-dasharray="6 4"/>`;
  const seconds = Math.round(span / 1000);
  return `<p>Pod ${e(pod)}: percent of the CPU that it may use, over ${seconds} s${baseline === undefined ? '' : `; its habit is ${Math.round(baseline)} %`}</p>
<svg viewBox="0 -4 ${width} ${height + 8}" role="img" aria-label="CPU"><rect width="${width}" height="${height}" fill="#f4f6f8"/><line x1="0" x2="${width}" y1="${height * 0.1}" y2="${height * 0.1}" stroke="#d99a2b"/>${habit}<polyline points="${samples.map(at).join(' ')}" fill="none" stroke="#b3261e" stroke-width="2"/></svg>`;
}

/** What was named by an attacker is text and nothing else. */
function e(text: string): string {
  const named: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (letter) => named[letter] ?? letter);
}
