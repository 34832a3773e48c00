import { printable } from '../api/printable.ts';
import type { Judgement } from '../detection/verdict.ts';
import { type ManifestText, underlined } from './manifest-text.ts';

/** One judged object. */
export interface Scanned extends Judgement {
  source: string;
  kind: string;
  namespace: string;
  name: string;
  manifest?: ManifestText;
}

const COLOURS = { allow: '\x1b[32m', warn: '\x1b[33m', deny: '\x1b[31m' } as const;
const PLAIN = '\x1b[0m';

/** Findings below this are posture and mentions: in JSON they are complete, here they would hide the rest. */
const SHOWN_FROM = 10;
const SHOWN_LIMIT = 5;

/** The way kubectl prints, the findings of what is not plainly allowed below, and a sum. */
export function table(scanned: readonly Scanned[], colours: boolean): string {
  if (scanned.length === 0) return 'No resources found.\n';
  const rows = scanned.map(({ verdict, score, kind, namespace, name, source }) => [
    verdict.toUpperCase(),
    `${score}`,
    namespace === '' ? '<none>' : namespace,
    `${kind === '' ? '<unknown>' : kind}/${name === '' ? '<none>' : name}`,
    source,
  ]);
  const header = ['VERDICT', 'SCORE', 'NAMESPACE', 'RESOURCE', 'SOURCE'];
  const widths = header.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => printable(row[at] ?? '').length)),
  );
  const line = (row: readonly string[], colour = '') =>
    row
      .map((cell, at) => {
        const text =
          at === row.length - 1 ? printable(cell) : printable(cell).padEnd((widths[at] as number) + 3);
        return at === 0 && colour !== '' ? `${colour}${text}${PLAIN}` : text;
      })
      .join('');
  const lines = [line(header)];
  for (const [at, item] of scanned.entries()) {
    lines.push(line(rows[at] as string[], colours ? COLOURS[item.verdict] : ''));
    if (item.verdict === 'allow') continue;
    const shown = item.findings.filter(({ score }) => score >= SHOWN_FROM);
    for (const { rule, score, path, message, evidence } of shown.slice(0, SHOWN_LIMIT)) {
      lines.push(`  ${rule} (${score}) ${printable(path)}: ${printable(message)}`);
      const place = item.manifest?.place(path, evidence);
      if (place) lines.push(...underlined(place, true).map((text) => `    ${text}`));
    }
    if (shown.length > SHOWN_LIMIT) lines.push(`  and ${shown.length - SHOWN_LIMIT} more; -o json shows all`);
    const [first] = item.findings;
    if (first) lines.push(`  ${first.remedy}`);
  }
  const count = (verdict: string) => scanned.filter((item) => item.verdict === verdict).length;
  lines.push(
    '',
    `${scanned.length} ${scanned.length === 1 ? 'resource' : 'resources'}: ${count('deny')} denied, ${count('warn')} warned, ${count('allow')} allowed.`,
  );
  return `${lines.join('\n')}\n`;
}
