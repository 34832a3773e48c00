import { printable } from '../../../api/printable.ts';
import type { Report } from '../../../api/report.ts';
import { howOften, refusedRequest } from '../../../kube/refused-request.ts';
import { authorship } from './authorship.ts';
import { cpuCourses, effects, leftOut, lineage, titleOf } from './facts.ts';

/** For people, and for the abuse form of a cloud provider. */
export function markdown(report: Report): string {
  const { incident, quarantine, denials, generated } = report;
  const { metadata, status } = incident;
  if (!status) return `# ${text(titleOf(report))}\n\nNothing is known yet.\n`;
  const lines = [
    `# ${text(titleOf(report))}`,
    '',
    `Incident \`${metadata.name}\`, ${status.phase}, confidence ${status.confidence}. First seen ${status.firstSeen}, last seen ${status.lastSeen} (UTC). Written ${generated}.`,
    '',
    '## What makes us sure',
    '',
    ...status.reasons.map((reason) => `- ${text(reason)}`),
    '',
    '## What was hit',
    '',
    `- Pods: ${list(status.pods)}`,
    `- Nodes: ${list(status.nodes)}`,
    `- Service accounts: ${list(status.serviceAccounts ?? [])}`,
    ...(status.blastRadius ?? []).map(
      ({ kind, namespace, name, reasons }) =>
        `- Perhaps also ${text(`${kind} ${namespace}/${name}: ${reasons.join('; ')}`)}`,
    ),
    '',
    '## Who did it',
    '',
    ...bullets(authorship(report)),
    '',
    '## Processes',
    '',
    ...status.detections.flatMap((detection) => [
      `Pod ${text(detection.container?.pod ?? 'none: a process of the node')}, rule ${text(detection.rule)}, ${detection.action === 'none' ? 'only reported' : detection.action} by the node, SHA-256 ${detection.process.sha256 ?? 'gone before it could be read'}:`,
      '',
      ...fence(
        lineage(detection).map(
          ({ pid, exe, argv }, depth) => `${'  '.repeat(depth)}${exe} (pid ${pid}): ${argv.join(' ')}`,
        ),
      ),
      '',
    ]),
    ...cpuCourses(report).map(
      ({ pod, samples, baseline }) =>
        `CPU of pod ${text(pod)}: ${samples.at(-1)?.[1]} % of what it may use at the end of ${samples.length} samples; before: ${baseline === undefined ? 'not known' : `${baseline} %`}.\n`,
    ),
    '## What was done',
    '',
    quarantine
      ? `Quarantine \`${quarantine.metadata.name}\` is in force: ${text(quarantine.spec.reason)} ${quarantine.spec.bans.length} traits are banned in every namespace.`
      : 'No quarantine is in force now.',
    ...(quarantine ? ['', ...effects(report).map((line) => `- ${text(line)}`)] : []),
    '',
    ...(status.steps ?? []).flatMap(({ step, state, message, evidence, undo }) => [
      `### ${step}: ${state}`,
      '',
      text(message),
      '',
      ...(evidence.length > 0 ? [...fence(evidence), ''] : []),
      ...(undo === undefined ? [] : ['To undo:', '', ...fence([undo]), '']),
    ]),
    `## Refused meanwhile (${denials.length})`,
    '',
    ...denials.map(
      (denial) =>
        `- ${text(refusedRequest(denial))} by ${text(denial.spec.user.username)}, ${howOften(denial)} (\`${denial.metadata.name}\`)`,
    ),
    '',
    '## Timeline (UTC)',
    '',
    '| Time | Seen by | What |',
    '|---|---|---|',
    ...status.timeline.map(({ time, source, message }) => `| ${time} | ${source} | ${text(message)} |`),
    '',
    leftOut(status) ?? '',
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

function bullets(lines: readonly string[]): string[] {
  return lines.length === 0 ? ['No audit events tell.'] : lines.map((line) => `- ${text(line)}`);
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none known' : names.map(text).join(', ');
}

/** What an attacker names must not become markup. */
function text(value: string): string {
  return printable(value.replace(/\s+/g, ' ')).replace(/[\\`*_{}[\]<>()#|!~]/g, '\\$&');
}

/** A fence longer than any run of backticks inside. */
function fence(lines: readonly string[]): string[] {
  const body = lines.map((line) => printable(line.replace(/[\r\n]+/g, ' ')));
  const longest = Math.max(
    2,
    ...(body
      .join('\n')
      .match(/`+/g)
      ?.map((run) => run.length) ?? [0]),
  );
  const mark = '`'.repeat(longest + 1);
  return [mark, ...body, mark];
}
