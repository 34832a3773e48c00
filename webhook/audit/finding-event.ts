import { createHash } from 'node:crypto';
import type { KubeObject } from '../../api/object.ts';
import { oneLine } from '../admission/message.ts';
import type { AuditFinding } from './rules/finding.ts';
import { kindOfResource } from './workload.ts';

/** events.k8s.io/v1 bounds a note to so many bytes. */
const NOTE = 1000;

/** Events about cluster-scoped objects live here (k8s.io/client-go/tools/record). */
const CLUSTER_EVENTS = 'default';

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
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `kubesentry.audit-${hash}`, namespace: namespace || CLUSTER_EVENTS },
    type: 'Warning',
    reason: rule.replace(/(^|-)(.)/g, (_, __, letter: string) => letter.toUpperCase()),
    action: 'Audit',
    note: oneLine(`${message} To do: ${remedy}`, NOTE),
    eventTime: new Date(fact.time).toISOString().replace(/\.(\d{3})Z$/, '.$1000Z'),
    reportingController: 'kubesentry.io/webhook',
    reportingInstance: 'kubesentry-webhook',
    regarding: object
      ? { apiVersion: version, kind, name, ...(uid && { uid }), ...(namespace && { namespace }) }
      : { apiVersion: 'v1', kind: 'Namespace', name: namespace, namespace },
  };
}
