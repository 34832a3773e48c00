import { KubesentryError } from '../../../api/errors.ts';
import type { Incident } from '../../../api/incident.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { Cluster } from '../../../kube/cluster.ts';
import { KIND } from '../../../kube/kind.ts';
import { serviceAccountOf } from '../../pod-index.ts';
import { reviewAccess } from './access.ts';
import { Evidence } from './evidence.ts';
import type { Outcome } from './outcome.ts';

/**
 * Step 4: every token of the attacked pods' service accounts dies. A bound token names the uid of its account
 * (KEP-1205), so the account is made anew under the same name; the token controller deletes the legacy token Secrets
 * of one that is deleted (pkg/controller/serviceaccount/tokens_controller.go), so no right to read Secrets is needed.
 * What the accounts may do is reviewed and named; changing it is for people.
 */
export async function revoke(incident: Incident, cluster: Cluster): Promise<Outcome> {
  const { namespace } = incident.spec;
  const accounts = incident.status?.serviceAccounts ?? [];
  if (accounts.length === 0) {
    return {
      state: 'Failed',
      message: 'The service accounts of its pods are not known: blastRadius finds them.',
    };
  }
  const evidence = new Evidence(cluster, incident.metadata);
  const lines: string[] = [];
  const stuck: string[] = [];
  for (const name of accounts) {
    const { line, isStuck = false } = await renew(cluster, evidence, namespace, name);
    lines.push(line);
    if (isStuck) stuck.push(name);
  }
  lines.push(...(await sharers(cluster, namespace, accounts)));
  lines.push(...(await reviewAccess(cluster, namespace, accounts)));
  const creator = incident.status?.attribution?.creator;
  // A client certificate cannot be revoked by the API server, and an identity provider is not ours to talk to.
  if (creator)
    lines.push(`left to people: the credential of ${creator.user}, who sent it from ${creator.address}`);
  const excess = lines.filter((line) => line.startsWith('excess')).length;
  if (stuck.length > 0) {
    const message = `Still to go in ${namespace}: ServiceAccount ${stuck.join(', ')}.`;
    return { state: 'Running', message, evidence: lines };
  }
  return {
    state: 'Done',
    message:
      `Tokens of ${accounts.join(', ')} in ${namespace} are void` +
      (excess > 0 ? `; ${excess} of their bindings give more than a workload needs: review them.` : '.'),
    evidence: lines,
    undo: `Tokens do not come back: pods in ${namespace} that use these accounts get new ones when they are restarted.`,
  };
}

interface Renewal {
  line: string;
  /** It is told to go, and finalizers hold it. */
  isStuck?: boolean;
}

async function renew(
  cluster: Cluster,
  evidence: Evidence,
  namespace: string,
  name: string,
): Promise<Renewal> {
  const key = { namespace, name };
  const kept = await evidence.find('ServiceAccount', name);
  const live = await cluster.get(KIND.ServiceAccount, key);
  if (!kept) {
    if (!live) return { line: `gone: ServiceAccount ${namespace}/${name} does not exist any more` };
    await evidence.keep(live);
  }
  // One that was made since, by us or by the controller, has tokens of its own: it stays.
  const isOld = !kept || live?.metadata.uid === kept.uid;
  if (live && isOld) {
    await cluster.delete(
      KIND.ServiceAccount,
      key,
      live.metadata.uid === undefined ? {} : { uid: live.metadata.uid },
    );
  }
  const before = kept?.object ?? live;
  // Also where an account is there already: whoever was interrupted here may not have put everything back.
  const uid = kept?.uid ?? live?.metadata.uid;
  const { metadata } = (before && (await createAnew(cluster, before))) ?? {};
  if (metadata?.uid !== undefined && metadata.uid === uid) {
    const why = `it waits for its finalizers ${(metadata.finalizers ?? []).join(', ')}`;
    return { line: `waiting: ServiceAccount ${namespace}/${name} is told to go, ${why}`, isStuck: true };
  }
  return { line: `renewed: ServiceAccount ${namespace}/${name}; every token of uid ${uid} is void` };
}

/** The controller makes `default` by itself, perhaps before us; what people had set on it is put back. */
async function createAnew(cluster: Cluster, before: KubeObject): Promise<KubeObject> {
  const { name, namespace, labels, annotations } = before.metadata;
  const { imagePullSecrets, automountServiceAccountToken } = before;
  const anew: KubeObject = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: {
      ...(name && { name }),
      ...(namespace && { namespace }),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
    },
    ...(imagePullSecrets === undefined ? {} : { imagePullSecrets }),
    ...(automountServiceAccountToken === undefined ? {} : { automountServiceAccountToken }),
  };
  return cluster.create(KIND.ServiceAccount, anew).catch((error: unknown) => {
    if (!(error instanceof KubesentryError && error.code === 'KUBE_CONFLICT')) throw error;
    return cluster.patch(KIND.ServiceAccount, { name: name ?? '', namespace }, anew);
  });
}

/** Innocent pods that lost their tokens too. */
async function sharers(cluster: Cluster, namespace: string, accounts: readonly string[]): Promise<string[]> {
  const { items } = await cluster.list(KIND.Pod, { namespace });
  const names = items
    .filter((pod) => accounts.includes(serviceAccountOf(pod)))
    .map(({ metadata }) => metadata.name);
  return names.length === 0
    ? []
    : [`restart: ${names.join(', ')} in ${namespace} used these accounts as well and need new tokens`];
}
