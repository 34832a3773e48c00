import { KubesentryError } from '../../api/errors.ts';
import { isOpen } from '../../api/incident.ts';
import { BACKGROUND_CONFIG_MAP, CA_CONFIG_MAP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { policyGaps, QUARANTINE_POLICY } from '../../webhook/quarantine-policy.ts';
import { columns } from '../columns.ts';
import { waitsFor } from './incident-details.ts';
import { pluginCommand, type Session } from './options.ts';
import { agents } from './status-agents.ts';
import { servingCertificate } from './status-certificate.ts';
import { type Check, type Finding, ifAllowed, isFault, ok, some, unjudged, wrong } from './status-check.ts';
import { rights } from './status-rights.ts';
import { HEADER, type Row, watchStatus } from './status-watch.ts';

const USAGE = `
Usage: kubectl kubesentry status [-w]

Looks at every part of Kubesentry in the cluster and names what is wrong. Exit status 1 if anything is.

Examples:
  kubectl kubesentry status                            all parts, and what to do about those that are WRONG
  kubectl kubesentry status -w                         while you repair them, or upgrade
  kubectl kubesentry status > /dev/null || echo "look at Kubesentry"

  -w, --watch            go on, and tell of every part that changes, until Ctrl-C
`;

export const statusCommand = pluginCommand(
  { text: USAGE, arguments: [0, 0], options: { watch: { short: 'w', isSwitch: true } } },
  status,
);

/** In the order in which they depend on each other. */
const CHECKS: Readonly<Record<string, Check>> = {
  'custom resources': definitions,
  rights,
  webhook: replicas,
  certificate: servingCertificate,
  'webhook configuration': registration,
  'quarantine policy': policyInServer,
  leader,
  agents,
  policies,
  'passed unjudged': passedUnjudged,
  'what exists': background,
  incidents: openIncidents,
  quarantines: openQuarantines,
};

/** Raises nothing for what is wrong: that is what it tells. */
export async function status(session: Session): Promise<void> {
  const { connect, write, exitWith, flag } = session;
  const cluster = await connect();
  const rows = await lookAtAll(cluster);
  write(columns(HEADER, rows));
  if (flag('watch')) await watchStatus(session, rows, () => lookAtAll(cluster));
  else if (rows.some(([, state]) => isFault({ state }))) exitWith(1);
}

async function lookAtAll(cluster: Cluster): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, check] of Object.entries(CHECKS)) {
    const { state, detail } = await check(cluster).catch(unknown);
    rows.push([name, state, detail]);
  }
  return rows;
}

function unknown(error: unknown): Finding {
  if (!(error instanceof KubesentryError)) throw error;
  // Nothing below could be told either.
  if (error.code === 'KUBE_UNREACHABLE') throw error;
  if (error.code === 'KUBE_NOT_FOUND') return { state: 'unknown', detail: 'its kind is not known here' };
  return { state: 'unknown', detail: error.message };
}

async function definitions(cluster: Cluster): Promise<Finding> {
  const one = { limit: 1 };
  const lists: Readonly<Record<string, () => Promise<unknown>>> = {
    incidents: () => cluster.list(KIND.Incident, one),
    quarantines: () => cluster.list(KIND.Quarantine, one),
    denials: () => cluster.list(KIND.Denial, one),
    sentrypolicies: () => cluster.list(KIND.SentryPolicy, one),
  };
  for (const [plural, list] of Object.entries(lists)) {
    try {
      await list();
    } catch (error) {
      if (!(error instanceof KubesentryError && error.code === 'KUBE_NOT_FOUND')) throw error;
      return wrong(`${plural} are not known: kubectl apply -f install.yaml`);
    }
  }
  return ok(Object.keys(lists).join(', '));
}

interface Counts {
  status?: {
    replicas?: number;
    readyReplicas?: number;
    updatedReplicas?: number;
  };
  spec?: { replicas?: number };
}

async function replicas(cluster: Cluster): Promise<Finding> {
  const key = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook' };
  const found = (await cluster.get(KIND.Deployment, key)) as Counts | undefined;
  if (!found) return wrong(`there is no Deployment ${key.namespace}/${key.name}: nothing is judged`);
  const wanted = found.spec?.replicas ?? 1;
  const ready = found.status?.readyReplicas ?? 0;
  const text = `${ready} of ${wanted} replicas ready`;
  if (ready === 0)
    return wrong(`${text}: new workloads are admitted unjudged; kubectl -n ${key.namespace} get pods`);
  if (ready < wanted) return wrong(`${text}: kubectl -n ${key.namespace} get pods`);
  const updated = found.status?.updatedReplicas ?? 0;
  return updated < wanted || (found.status?.replicas ?? 0) > wanted
    ? wrong(
        `${text}, ${updated} of them new: a rollout is under way or stuck; kubectl -n ${key.namespace} get pods`,
      )
    : ok(text);
}

async function registration(cluster: Cluster): Promise<Finding> {
  const found = await cluster.get(KIND.ValidatingWebhookConfiguration, { name: 'kubesentry' });
  if (!found) return wrong('it is not there, so the API server asks nobody: kubectl apply -f install.yaml');
  const webhooks = (found.webhooks ?? []) as { clientConfig?: { caBundle?: string } }[];
  const count = (isMeant: (caBundle: string | undefined) => boolean) =>
    webhooks.filter(({ clientConfig }) => isMeant(clientConfig?.caBundle)).length;
  const blind = count((caBundle) => !caBundle);
  if (blind > 0)
    return wrong(
      `${blind} of ${webhooks.length} entries have no CA: a webhook replica that is ready puts it in`,
    );
  const shown = await ifAllowed(publishedCa(cluster));
  if (shown === undefined)
    return wrong('no CA is published, so no agent can report: a webhook replica that is ready does it');
  const astray = shown === 'not allowed' ? 0 : count((caBundle) => caBundle !== shown);
  return astray > 0
    ? wrong(
        `${astray} of ${webhooks.length} entries trust another CA: the leader puts the right one in, within a minute`,
      )
    : ok(`${webhooks.length} entries`);
}

/** As the webhook tells it to the agents, in base64. */
async function publishedCa(cluster: Cluster): Promise<string | undefined> {
  const key = { namespace: SYSTEM_NAMESPACE, name: CA_CONFIG_MAP };
  const { data } = ((await cluster.get(KIND.ConfigMap, key)) ?? {}) as { data?: Record<string, string> };
  return data?.['ca.crt'] && Buffer.from(data['ca.crt']).toString('base64');
}

async function policyInServer(cluster: Cluster): Promise<Finding> {
  const name = { name: QUARANTINE_POLICY };
  const policy = await cluster.get(KIND.ValidatingAdmissionPolicy, name);
  const binding = await cluster.get(KIND.ValidatingAdmissionPolicyBinding, name);
  const gaps = policyGaps(policy, binding);
  return gaps.length === 0
    ? ok('holds quarantines without any webhook')
    : wrong(`${gaps.join(' ')} A quarantine stands on the webhook alone: kubectl apply -f install.yaml`);
}

async function leader(cluster: Cluster): Promise<Finding> {
  const key = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook' };
  const lease = await cluster.get(KIND.Lease, key);
  const {
    holderIdentity,
    renewTime,
    leaseDurationSeconds = 15,
  } = (lease?.spec ?? {}) as {
    holderIdentity?: string;
    renewTime?: string;
    leaseDurationSeconds?: number;
  };
  if (!holderIdentity || !renewTime)
    return wrong('nobody leads: no response runs, quarantines are not put in force');
  const age = (Date.now() - Date.parse(renewTime)) / 1000;
  return age > 2 * leaseDurationSeconds
    ? wrong(`${holderIdentity} led last ${Math.round(age)} s ago: no response runs`)
    : ok(holderIdentity);
}

async function policies(cluster: Cluster): Promise<Finding> {
  const { items } = await cluster.list(KIND.SentryPolicy);
  const elsewhere = items.filter(({ metadata }) => metadata.namespace !== SYSTEM_NAMESPACE);
  if (elsewhere.length > 0) {
    const names = elsewhere.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(', ');
    return wrong(`${names}: only those in ${SYSTEM_NAMESPACE} count`);
  }
  const refused = items.flatMap(({ metadata, status: now }) => {
    const accepted = now?.conditions?.find(({ type }) => type === 'Accepted');
    return accepted?.status === 'False' ? [`${metadata.name}: ${accepted.message}`] : [];
  });
  if (refused.length > 0) return wrong(`not in force: ${some(refused)}`);
  return ok(
    items.length === 0 ? 'none, so the defaults hold' : items.map(({ metadata }) => metadata.name).join(', '),
  );
}

/** What the audit stream found; Events are kept for an hour unless the API server is told otherwise. */
async function passedUnjudged(cluster: Cluster): Promise<Finding> {
  const events = await ifAllowed(cluster.list(KIND.Event));
  if (events === 'not allowed') return unjudged('not seen', 'you may not list Events');
  const passed = events.items.filter(({ reason }) => reason === 'FailedOpen');
  if (passed.length === 0) return ok('none that the audit stream told of');
  const names = passed.map(({ regarding }) => {
    const { namespace, kind, name } = regarding as { namespace?: string; kind: string; name: string };
    return `${kind} ${namespace ? `${namespace}/` : ''}${name}`;
  });
  return wrong(
    `${passed.length} requests while the webhook did not answer, judged afterwards: ${some([...new Set(names)])}`,
  );
}

async function background(cluster: Cluster): Promise<Finding> {
  const key = { namespace: SYSTEM_NAMESPACE, name: BACKGROUND_CONFIG_MAP };
  const { data } = ((await cluster.get(KIND.ConfigMap, key)) ?? {}) as { data?: Record<string, string> };
  if (!data) return unjudged('not yet', 'the leader judges it when it begins to lead');
  const found = Number(data.found);
  const judged = `${data.judged} workloads judged at ${data.time}`;
  if (found === 0) return ok(judged);
  return wrong(`${judged}; ${found} would be refused today: ${some((data.workloads ?? '').split('\n'))}`);
}

async function openIncidents(cluster: Cluster): Promise<Finding> {
  const { items } = await cluster.list(KIND.Incident);
  const open = items.filter(isOpen);
  const waiting = open.flatMap(({ metadata, status: now }) =>
    waitsFor(now).map((step) => `${metadata.name} ${step}`),
  );
  const failed = open.flatMap(({ metadata, status: now }) =>
    (now?.steps ?? [])
      .filter(({ state }) => state === 'Failed')
      .map(({ step }) => `${metadata.name} ${step}`),
  );
  if (failed.length > 0) return wrong(`failing: ${some(failed)}`);
  const text = `${open.length} open`;
  return ok(waiting.length > 0 ? `${text}; waiting for people: ${some(waiting)}` : text);
}

async function openQuarantines(cluster: Cluster): Promise<Finding> {
  const { items } = await cluster.list(KIND.Quarantine);
  const named = (which: (quarantine: Quarantine) => boolean) =>
    items.filter(which).map(({ metadata }) => metadata.name ?? '');
  const pending = named(({ status: now }) => now?.phase !== 'Active');
  if (pending.length > 0) return wrong(`not in force: ${some(pending)}`);
  const open = named(({ status: now }) => isOpenStill(now));
  return open.length > 0
    ? wrong(`pods can still send: ${some(open)}: kubectl describe quarantine NAME says from which nodes`)
    : ok(`${items.length} in force`);
}

function isOpenStill(now: Quarantine['status']): boolean {
  return now?.conditions?.some(({ type, reason }) => type === 'EgressCut' && reason === 'StillOpen') ?? false;
}
