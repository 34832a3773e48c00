import type { Denial } from '../../api/denial.ts';
import { KubesentryError } from '../../api/errors.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { RULES, type Rule } from '../../detection/rules.ts';
import { KIND } from '../../kube/kind.ts';
import { pluginCommand, type Session } from './options.ts';

const USAGE = `
Usage: kubectl kubesentry explain ID | RULE

Says why a request was refused (ID is in the message of the refusal), or what a rule means.
`;

export const explainCommand = pluginCommand({ text: USAGE, arguments: [1, 1] }, explain);

/** Raises KUBE_NOT_FOUND for what is neither a Denial nor a rule. */
export async function explain({ connect, positionals, namespace, write }: Session): Promise<void> {
  const [name = ''] = positionals;
  if (Object.hasOwn(RULES, name)) {
    write(ruleText(name, RULES[name as keyof typeof RULES]));
    return;
  }
  const cluster = await connect();
  const { items } = await cluster.list(KIND.Denial, { namespace, fieldSelector: `metadata.name=${name}` });
  const [denial] = items;
  if (!denial) {
    throw new KubesentryError(
      'KUBE_NOT_FOUND',
      `There is no denial "${name}"${namespace ? ` in namespace ${namespace}` : ''}, and no rule of that name. Denials are kept for some days.`,
    );
  }
  write(denialText(denial));
}

function ruleText(name: string, { title, severity, score, why, remedy, posture }: Rule): string {
  const weight = posture ? `${score}, beside other evidence only` : `${score} of 100`;
  return `${name}: ${title}\n  Severity  ${severity}\n  Weight    ${weight}\n  Why       ${why}\n  To do     ${remedy}\n`;
}

function denialText({ metadata, spec, status }: Denial): string {
  const { resource, user, findings } = spec;
  const what = `${spec.operation} ${resource.kind} ${metadata.namespace}/${resource.name}${resource.subresource ? ` (${resource.subresource})` : ''}`;
  const times = status ? `${status.count} times, first ${status.firstSeen}, last ${status.lastSeen}` : 'once';
  return [
    `${metadata.name}: ${what}`,
    `  Asked by  ${user.username}`,
    `  Refused   ${times}`,
    `  Gate      ${spec.gate}, score ${spec.score} of 100`,
    ...(spec.incident ? [`  Incident  ${spec.incident}: kubectl kubesentry incidents ${spec.incident}`] : []),
    '',
    ...findings.flatMap(({ rule, severity, score, path, message, evidence, remedy }) => [
      `${rule} (${severity}, ${score})`,
      `  At        ${path}`,
      `  Found     ${message}${evidence ? ` [${evidence}]` : ''}`,
      ...(Object.hasOwn(RULES, rule) ? [`  Why       ${RULES[rule as keyof typeof RULES].why}`] : []),
      `  To do     ${remedy}`,
    ]),
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

/** A SentryPolicy that would let just this through. */
function exemption(namespace: string, { resource, findings }: Denial['spec']): string {
  const rules = [...new Set(findings.map(({ rule }) => rule))].join(', ');
  const inAMonth = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
  return `  apiVersion: kubesentry.io/v1alpha1
  kind: SentryPolicy
  metadata: { name: allow-${resource.name.toLowerCase()}, namespace: ${SYSTEM_NAMESPACE} }
  spec:
    exemptions:
      - namespaces: [${namespace}]
        workloads: [${resource.kind}/${resource.name}]
        rules: [${rules}]
        reason: WHY THIS IS RIGHT
        expires: ${inAMonth}T00:00:00Z`;
}
