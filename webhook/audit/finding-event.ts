import { createHash } from 'node:crypto';
import type { KubeObject } from '../../api/object.ts';
import { eventOf } from '../event.ts';
import type { AuditFinding } from './rules/finding.ts';
import { kindOfResource } from './workload.ts';

/** Kinds beside workloads that findings are about, by resource. */
const KINDS: Readonly<Record<string, string>> = {
  nodes: 'Node',
  namespaces: 'Namespace',
  clusterrolebindings: 'ClusterRoleBinding',
  rolebindings: 'RoleBinding',
  validatingwebhookconfigurations: 'ValidatingWebhookConfiguration',
};

/** The Event that tells whoever looks at the object, or at its namespace; undefined where there is nothing to look at. */
export function findingEvent({ rule, message, remedy, fact }: AuditFinding): KubeObject | undefined {
  const { resource, namespace, name, uid, group } = fact.target;
  const kind = kindOfResource(resource)?.kind ?? KINDS[resource];
  const object = kind !== undefined && name !== '';
  if (!object && namespace === '') return undefined;
  const hash = createHash('sha256').update(`${rule} ${fact.id}`).digest('hex').slice(0, 16);
  const version = kindOfResource(resource)?.apiVersion ?? (group === '' ? 'v1' : `${group}/v1`);
  return eventOf({
    name: `audit-${hash}`,
    namespace,
    type: 'Warning',
    reason: rule.replace(/(^|-)(.)/g, (_, __, letter: string) => letter.toUpperCase()),
    action: 'Audit',
    note: `${message} To do: ${remedy}`,
    time: new Date(fact.time).toISOString(),
    regarding: object
      ? { apiVersion: version, kind, name, ...(uid && { uid }) }
      : { apiVersion: 'v1', kind: 'Namespace', name: namespace },
  });
}
