import { LineCounter, parseDocument, stringify } from 'yaml';
import type { Denial } from '../../api/denial.ts';
import { KubesentryError } from '../../api/errors.ts';
import type { Finding } from '../../api/finding.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { printable } from '../../api/printable.ts';
import { isPosture, RULES, type Rule } from '../../detection/rules.ts';
import { KIND } from '../../kube/kind.ts';
import { howOften, refusedRequest } from '../../kube/refused-request.ts';
import { ManifestText, underlined } from '../manifest-text.ts';
import { resourcesOf } from '../resources.ts';
import { pluginCommand, type Session } from './options.ts';

const USAGE = `
Usage: kubectl kubesentry explain ID [-f FILE] | RULE

Says why a request was refused (ID is in the message of the refusal), or what a rule means. What matched is underlined:
in what the record keeps of the object, or in FILE, the manifest that was applied.

Examples:
  kubectl kubesentry explain d-0123456789abcdef                    why it was refused, and how to exempt it
  kubectl kubesentry explain d-0123456789abcdef -f deploy/         the same, in your own lines
  kubectl kubesentry explain stratum-url                           a rule; needs no cluster

  -f, --filename FILE    the manifest; - is standard input
  -n, --namespace NAME   look only there
`;

export const explainCommand = pluginCommand(
  { text: USAGE, arguments: [1, 1], options: { filename: { short: 'f' } } },
  explain,
);

/** Raises KUBE_NOT_FOUND for what is neither a Denial nor a rule. */
export async function explain({ connect, positionals, namespace, write, option }: Session): Promise<void> {
  const [name = ''] = positionals;
  if (Object.hasOwn(RULES, name)) {
    write(ruleText(name, RULES[name as keyof typeof RULES]));
    return;
  }
  if (!name.startsWith('d-')) {
    throw new KubesentryError(
      'KUBE_NOT_FOUND',
      `There is no rule "${name}"; the id of a denial begins with d-.`,
    );
  }
  const cluster = await connect();
  const { items } = await cluster.list(KIND.Denial, { namespace, fieldSelector: `metadata.name=${name}` });
  const [denial] = items;
  if (!denial) {
    throw new KubesentryError(
      'KUBE_NOT_FOUND',
      `There is no denial "${name}"${namespace ? ` in namespace ${namespace}` : ''}, and no rule of that name. Denials are kept for a week after the last attempt.`,
    );
  }
  write(denialText(denial, manifestOf(denial, option('filename'))));
}

function ruleText(name: string, { title, severity, score, why, remedy, posture }: Rule): string {
  const weight = posture ? `${score}, beside other evidence only` : `${score} of 100`;
  const lines = [
    `  Severity  ${severity}`,
    `  Weight    ${weight}`,
    ...field('Why', why),
    ...field('To do', remedy),
  ];
  return `${[`${name}: ${title}`, ...lines].join('\n')}\n`;
}

const WIDTH = 80;

/** A label and sentences beside it, in lines of 80 columns; a word that is longer stays whole, so that it can be copied. */
function field(label: string, text: string): string[] {
  const lines: string[] = [];
  let line = `  ${label.padEnd(9)}`;
  for (const word of text.split(/\s+/)) {
    if (line.trim() !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = ' '.repeat(11);
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** The object in the user's own file, or what the record keeps of it. */
function manifestOf({ spec }: Denial, file: string | undefined): Shown | undefined {
  if (file === undefined) {
    if (!spec.excerpt) return undefined;
    const text = stringify(spec.excerpt, { lineWidth: 0 });
    const lines = new LineCounter();
    const { contents } = parseDocument(text, { lineCounter: lines });
    return { manifest: new ManifestText(text, lines, contents) };
  }
  const { resources, errors } = resourcesOf(file);
  const found = resources.find(({ object }) => {
    const { kind, metadata } = (object ?? {}) as { kind?: unknown; metadata?: { name?: unknown } };
    return kind === spec.resource.kind && metadata?.name === spec.resource.name;
  });
  if (found?.manifest) return { manifest: found.manifest, file };
  if (errors[0]) throw errors[0];
  const { kind, name } = spec.resource;
  throw new KubesentryError('INPUT_UNREADABLE', `There is no ${kind} ${name} in ${file}.`);
}

interface Shown {
  manifest: ManifestText;
  /** Absent when the lines are those of the record. */
  file?: string;
}

function placeLines({ path, evidence }: Finding, shown: Shown | undefined): string[] {
  const place = shown?.manifest.place(path, evidence);
  if (!shown || !place) return [];
  const numbered = shown.file !== undefined;
  const at = numbered ? [`  ${shown.file}:${place.line}:${place.column}`] : [];
  return [...at, ...underlined(place, numbered).map((line) => `  ${line}`)];
}

function findingLines(finding: Finding, shown: Shown | undefined): string[] {
  const { rule, severity, score, path, message, evidence, remedy } = finding;
  return [
    `${rule} (${severity}, ${score})`,
    `  At        ${path}`,
    ...placeLines(finding, shown),
    ...field('Found', `${message}${evidence ? ` [${evidence}]` : ''}`),
    ...(Object.hasOwn(RULES, rule) ? field('Why', RULES[rule as keyof typeof RULES].why) : []),
    ...field('To do', remedy),
  ];
}

function denialText(denial: Denial, shown: Shown | undefined): string {
  const { metadata, spec, status } = denial;
  const { user, findings } = spec;
  const { firstSeen, lastSeen } = status ?? {};
  const when =
    firstSeen === lastSeen ? firstSeen && `, ${firstSeen}` : `, first ${firstSeen}, last ${lastSeen}`;
  return [
    printable(`${metadata.name}: ${refusedRequest(denial)}`),
    `  Asked by  ${printable(user.username)}`,
    `  Refused   ${howOften(denial)}${when ?? ''}`,
    `  Gate      ${spec.gate}, score ${spec.score} of 100`,
    ...(spec.incident ? [`  Incident  ${spec.incident}: kubectl kubesentry incidents ${spec.incident}`] : []),
    '',
    ...findings.flatMap((finding) => findingLines(finding, shown)).map(printable),
    ...(spec.gate === 'rules'
      ? [
          '',
          'If this is legitimate, say so for a while and with a reason:',
          exemption(metadata.namespace ?? '', spec),
        ]
      : []),
    '',
  ].join('\n');
}

/** Of objects that there are (RFC 1123 subdomain); others end in -, which is to be completed, or are in a request only. */
const NAME = /^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/;

/**
 * A SentryPolicy that would let just this through. Whoever enters a pod writes any text in the place of its name, such
 * as `*`, by which everything would be meant.
 */
function exemption(namespace: string, { resource, findings }: Denial['spec']): string {
  // What is unusual only adds to a score: it needs no leave.
  const causes = findings.map(({ rule }) => rule).filter((rule) => !isPosture(rule));
  const rules = [...new Set(causes)].join(', ');
  const inAMonth = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
  const isNamed = NAME.test(resource.name);
  const workload = isNamed ? `${resource.kind}/${resource.name}` : 'KIND/NAME OF WHAT MAKES IT';
  return `  apiVersion: kubesentry.io/v1alpha1
  kind: SentryPolicy
  metadata: { name: allow-${isNamed ? resource.name : 'this'}, namespace: ${SYSTEM_NAMESPACE} }
  spec:
    exemptions:
      - namespaces: [${namespace}]
        workloads: [${workload}]
        rules: [${rules}]
        reason: WHY THIS IS RIGHT
        expires: ${inAMonth}T00:00:00Z`;
}
