import type { Fact } from './fact.ts';
import { succeeded } from './identity.ts';
import { WRITES } from './verbs.ts';

/** What somebody did to the cluster beside workloads; repeats of one kind on one object are one. */
export interface Change {
  auditID: string;
  /** Of the first. */
  time: number;
  user: string;
  message: string;
  times: number;
}

const CONFIGURATION: ReadonlySet<string> = new Set([
  'roles',
  'clusterroles',
  'rolebindings',
  'clusterrolebindings',
  'serviceaccounts',
  'certificatesigningrequests',
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'customresourcedefinitions',
  'sentrypolicies',
]);

/** Changes among these facts, in order; reading Secrets counts as one, since it changes who knows them. */
export function changesOf(facts: readonly Fact[]): Change[] {
  const found = new Map<string, Change>();
  for (const fact of facts) {
    const message = describe(fact);
    if (message === undefined || !succeeded(fact)) continue;
    const key = `${fact.actor.user} ${message}`;
    const known = found.get(key);
    if (known) known.times++;
    else found.set(key, { auditID: fact.id, time: fact.time, user: fact.actor.user, message, times: 1 });
  }
  return [...found.values()];
}

function describe({ verb, target, details }: Fact): string | undefined {
  const { resource, subresource, namespace, name } = target;
  const place = `${namespace === '' ? '' : `${namespace}/`}${name}`;
  if (resource === 'secrets') {
    if (verb === 'list')
      return `listed Secrets ${namespace === '' ? 'of all namespaces' : `in ${namespace}`}`;
    // By namespace: which of forty Secrets were read is in the audit log.
    return verb === 'get' ? `read Secrets in ${namespace}` : undefined;
  }
  if (!WRITES.has(verb)) return undefined;
  if (resource === 'serviceaccounts' && subresource === 'token')
    return `made a token of service account ${place}`;
  if (resource === 'namespaces' && details.labels)
    return `changed labels of namespace ${name}: ${details.labels}`;
  if (resource === 'events' && verb.startsWith('delete')) return `deleted Events in ${namespace}`;
  if (!CONFIGURATION.has(resource)) return undefined;
  const role = details.role ? ` for ${details.role}` : '';
  const subjects = details.subjects ? ` to ${details.subjects}` : '';
  return `${verb} ${resource}${subresource ? `/${subresource}` : ''} ${place}${role}${subjects}`;
}
