import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { isOpen } from '../../api/incident.ts';
import {
  AGENT_USER,
  BACKGROUND_CONFIG_MAP,
  BREAK_GLASS_GROUP,
  QUARANTINE_NETWORK_POLICY,
  SYSTEM_NAMESPACE,
  WEBHOOK_USER,
} from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { reportConfigMap } from '../../api/report.ts';
import { loadIndicators } from '../../detection/load.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND, type Kind } from '../../kube/kind.ts';
import { watchCluster } from '../../runtime/cluster-watch.ts';
import { standalonePolicy } from '../../runtime/policy.ts';
import { webhookCa } from '../../runtime/webhook-ca.ts';
import { MINER, podOf, workloadOf } from '../webhook/harness.ts';
import { requestsOf } from './audit-log.ts';
import { writeKubeconfig } from './credentials.ts';
import { eventually } from './eventually.ts';
import { must } from './install.ts';
import { Opening } from './opening.ts';
import { clusterTests } from './requirement.ts';
import { mining, ResponseScene } from './response-scene.ts';

/** As openreports/reports-api v0.2.1 publishes it. */
const REPORT_KIND = join(import.meta.dirname, '..', 'fixtures', 'openreports.io_reports.yaml');
const POLICY = { namespace: SYSTEM_NAMESPACE, name: 'response' };
const PLUGIN = join(import.meta.dirname, '..', '..', 'cli', 'kubectl-kubesentry.ts');
const BASE = join(import.meta.dirname, '..', '..', 'manifests', 'base');

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

/** Rights that this attack does not call for, each with what does. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'kubesentry.io/quarantines patch': 'traits that are found later are banned as well',
  '/pods get': 'a bare pod that was admitted while no webhook answered is judged afterwards',
  'networking.k8s.io/networkpolicies create': 'asked for by a server-side apply of what is not there yet',
  'openreports.io/reports create': 'asked for by a server-side apply of what is not there yet',
  'events.k8s.io/events patch': 'an Event of a controller whose pods are refused again and again',
  '/secrets update': 'certificates and signing keys are renewed after weeks',
  '/configmaps update': 'a new signing key is published after months',
};

/** Rights that it may call for, where the API server is slow. */
const SOMETIMES: Readonly<Record<string, string>> = {
  '/configmaps delete': 'what a storm left in the journal has got into its incidents',
};

/** Every right that the manifest gives the webhook or the agent, such as `apps/daemonsets delete`. */
function granted(to: 'webhook' | 'agent'): Set<string> {
  const objects = parseAllDocuments(readFileSync(join(BASE, `${to}-rbac.yaml`), 'utf8')).map(
    (document) => document.toJS() as KubeObject & { rules?: Rule[] },
  );
  const rules = objects.flatMap(({ rules = [] }) => rules);
  return new Set(
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}`)),
      ),
    ),
  );
}

describe.skipIf(clusterTests.skip)('the rights of the manifest', () => {
  const opening = new Opening<ResponseScene>();
  let scene: ResponseScene;
  beforeAll(async () => {
    const steps = { terminate: 'auto', revoke: 'auto' } as const;
    const audited = requestsOf(WEBHOOK_USER, AGENT_USER);
    const response = { steps, gracePeriodSeconds: 0 };
    scene = await opening.open(() => ResponseScene.open('rbac-test', response, audited));
  });
  afterAll(() => opening.close(), 120_000);

  async function inNamespace(namespace: string): Promise<void> {
    const metadata = { name: namespace };
    await scene.admin.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata });
    await eventually(`default account of ${namespace}`, () =>
      scene.admin.get(KIND.ServiceAccount, { namespace, name: 'default' }),
    );
  }

  /** Attacks `make`'s workload in a namespace of its own, whose account has rights, and waits for all six steps. */
  async function attack(kind: Kind, make: (namespace: string) => KubeObject): Promise<void> {
    const namespace = `attacked-${kind.plural}`;
    await inNamespace(namespace);
    await apply(service(namespace), ...bindings(namespace));
    await scene.admin.create(kind, make(namespace));
    if (kind === KIND.CronJob) await scene.admin.create(KIND.Job, await jobOf(namespace));
    const pod = await scene.podOnNode(namespace);
    await scene.report([mining(pod, { id: idOf(namespace) })]);
    await scene.finished(namespace);
  }

  async function jobOf(namespace: string): Promise<KubeObject> {
    const owner = await scene.admin.get(KIND.CronJob, { namespace, name: 'web' });
    const { uid = '' } = owner?.metadata ?? {};
    const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'CronJob', name: 'web', uid, controller: true }];
    const { metadata, ...rest } = job(namespace);
    return { ...rest, metadata: { ...metadata, name: 'web-1', ownerReferences } };
  }

  const apply = (...objects: object[]) =>
    must(
      scene.cluster,
      ['apply', '-f', '-'],
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
    );

  test('suffice to respond to attacks of every kind of workload', async () => {
    for (const [kind, make] of WORKLOADS) await attack(kind, make);
  }, 180_000);

  test('suffice to refuse, count, release and judge what exists', async () => {
    await inNamespace('other');
    await must(scene.cluster, ['apply', '-f', REPORT_KIND]);
    const miner = JSON.stringify(workloadOf('DaemonSet', 'miner', 'other', MINER));
    for (let times = 0; times < 2; times++) {
      expect((await scene.cluster.kubectl(['apply', '-f', '-'], miner)).stderr).toContain('denied');
      await eventually('counted denial', async () => {
        const [denial] = (await scene.admin.list(KIND.Denial, { namespace: 'other' })).items;
        return (denial?.status?.count ?? 0) > times;
      });
    }
    const [quarantine] = (await scene.admin.list(KIND.Quarantine)).items;
    const name = quarantine?.metadata.name ?? '';
    const expiresAt = new Date(Date.now() + 500).toISOString();
    const patch = JSON.stringify({ spec: { expiresAt } });
    await must(scene.cluster, [
      ...['patch', 'quarantine', name, '--type=merge', '-p', patch],
      ...['--as=carol', `--as-group=${BREAK_GLASS_GROUP}`, '--as-group=system:masters'],
    ]);
    await eventually('release', async () => (await scene.admin.get(KIND.Quarantine, { name })) === undefined);
    const policy = { namespace: quarantine?.spec.namespace ?? '', name: QUARANTINE_NETWORK_POLICY };
    await eventually(
      'open network',
      async () => (await scene.admin.get(KIND.NetworkPolicy, policy)) === undefined,
    );
    await eventually('background scan', () =>
      scene.admin.get(KIND.ConfigMap, { namespace: SYSTEM_NAMESPACE, name: BACKGROUND_CONFIG_MAP }),
    );
    // What came in while nobody enforced is a Report once somebody does, and none when nobody minds.
    const mode = (to: string) =>
      scene.admin.patch(KIND.SentryPolicy, POLICY, { spec: { admission: { mode: to } } });
    const reports = async () => (await scene.admin.list(KIND.Report, { namespace: 'other' })).items;
    await mode('off');
    await eventually(
      'admission',
      async () => (await scene.cluster.kubectl(['apply', '-f', '-'], miner)).status === 0,
    );
    await mode('enforce');
    await eventually('report', async () => (await reports()).length === 1);
    await mode('off');
    await eventually('no report', async () => (await reports()).length === 0);
  }, 60_000);

  test('suffice for people of the break-glass group, who are administrators by nothing else', async () => {
    await inNamespace('drilled');
    const web = workloadOf('Deployment', 'web', 'drilled');
    await scene.admin.create(KIND.Deployment, { ...web, spec: { ...(web.spec as object), replicas: 0 } });
    await must(scene.cluster, ['apply', '-f', join(BASE, 'people-rbac.yaml')]);
    const incident = (await scene.admin.list(KIND.Incident)).items.find(isOpen);
    const [denial] = (await scene.admin.list(KIND.Denial)).items;
    const name = incident?.metadata.name ?? '';
    const commands = [
      ['status'],
      ['incidents'],
      ['incidents', name],
      ['report', name, '-o', 'json'],
      ['explain', denial?.metadata.name ?? ''],
      ['approve', name, 'terminate'],
      ['quarantine', 'drilled', '--reason', 'a drill', '--expires', '1h'],
      ['quarantine'],
      ['release', 'manual-drilled'],
      ['quarantine', 'drilled', 'Deployment/web', '--reason', 'a drill', '--expires', '1m'],
      ['dismiss', name, '--reason', 'a drill'],
    ];
    for (const command of commands) {
      const { status, output } = await asBreakGlass(command);
      const told = `${command.join(' ')}\n${output}`;
      expect(output, told).not.toMatch(/KUBE_REFUSED|BREAK_GLASS_NEEDED|forbidden/);
      // No workload of ours runs in this cluster, which is what status says.
      expect(status, told).toBe(command[0] === 'status' ? 1 : 0);
    }
    const slip = await asBreakGlass(['quarantine', 'drilled', 'Deployment/wbe', '--reason', 'a drill']);
    expect(slip.output).toContain('There is no Deployment drilled/wbe');
  }, 60_000);

  test('suffice to delete what is old, and the API server deletes the signed report with it', async () => {
    const closed = await eventually('closed incident', async () => {
      const { items } = await scene.admin.list(KIND.Incident);
      return items.find(({ status }) => status?.phase === 'Closed');
    });
    const name = closed.metadata.name ?? '';
    const report = { namespace: SYSTEM_NAMESPACE, name: reportConfigMap(name) };
    await eventually('signed report', () => scene.admin.get(KIND.ConfigMap, report));
    const open = (await scene.admin.list(KIND.Incident)).items.filter(isOpen);
    // Two that believe that a month has gone by.
    for (const { name } of [...scene.replicas]) await scene.startReplica(name, 31 * 86_400_000);
    await eventually(
      'deletion of the incident',
      async () => (await scene.admin.get(KIND.Incident, { name })) === undefined,
    );
    await eventually(
      'deletion of its report',
      async () => (await scene.admin.get(KIND.ConfigMap, report)) === undefined,
    );
    await eventually(
      'deletion of the denials',
      async () => (await scene.admin.list(KIND.Denial)).items.length === 0,
    );
    await eventually('deletion of the dismissed one', async () =>
      (await scene.admin.list(KIND.Incident)).items.every(isOpen),
    );
    // They wait for people.
    expect((await scene.admin.list(KIND.Incident)).items).toHaveLength(open.length);
  }, 60_000);

  test('suffice for the agent to learn what to enforce, and whom to trust', async () => {
    const account = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-agent' };
    const audience = 'https://kubernetes.default.svc';
    const token = await scene.admin.createToken(account, { audience, expirationSeconds: 3600 });
    const { folder, url } = scene.cluster;
    const file = join(folder, 'agent.kubeconfig');
    writeKubeconfig({ file, server: url, caFile: join(folder, 'apiserver', 'apiserver.crt'), token });
    const cluster = await connectCluster({ kubeconfig: file });
    // What it does with what it learns is shown where there are pods and a kernel.
    const base = standalonePolicy('detect', await loadIndicators());
    const nobody = { set: () => [], podsChanged() {}, contain() {}, apply() {} } as never;
    const options = { pods: nobody, enforcer: nobody, watch: {} as never, base };
    const watching = await watchCluster({ cluster, node: 'n1', log: pino({ level: 'silent' }), ...options });
    expect(await webhookCa(undefined, cluster)()).toContain('BEGIN CERTIFICATE');
    await watching.close();
    await cluster.close();
  });

  test('none is missing', () => {
    const refused = scene.requests().filter(({ code }) => code === 403);
    expect(refused).toEqual([]);
  });

  test('none of the webhook is unused', () => {
    const used = usedBy(WEBHOOK_USER);
    const known = { ...ELSEWHERE, ...SOMETIMES };
    const unused = [...granted('webhook')].filter((right) => !used.has(right) && !(right in known));
    expect(unused).toEqual([]);
    const idle = Object.keys(ELSEWHERE).filter((right) => !granted('webhook').has(right) || used.has(right));
    expect(idle).toEqual([]);
  });

  test('the agent uses all of its, and has no other', () => {
    expect([...usedBy(AGENT_USER)].sort()).toEqual([...granted('agent')].sort());
  });

  async function asBreakGlass(command: string[]): Promise<{ status: number | null; output: string }> {
    const identity = ['--as=dana', `--as-group=${BREAK_GLASS_GROUP}`];
    const args = [PLUGIN, ...command, '--kubeconfig', scene.cluster.kubeconfig, ...identity];
    const plugin = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const closed = once(plugin, 'close');
    const output = (await Promise.all([text(plugin.stdout), text(plugin.stderr)])).join('');
    const [status] = await closed;
    return { status, output };
  }

  const usedBy = (who: string) =>
    new Set(
      scene
        .requests()
        .filter(({ user }) => user === who)
        .map(({ group, resource, verb }) => `${group}/${resource} ${verb}`),
    );
});

function idOf(namespace: string): string {
  return Buffer.from(namespace).toString('hex').padEnd(32, '0').slice(-32);
}

/** No two attacks have a template in common: a ban on one would refuse the next. */
const container = (namespace: string) => ({ command: ['collect', namespace] });

const WORKLOADS: readonly [Kind, (namespace: string) => KubeObject][] = [
  [KIND.DaemonSet, (namespace) => labelled(workloadOf('DaemonSet', 'web', namespace, container(namespace)))],
  [KIND.Deployment, (namespace) => workloadOf('Deployment', 'web', namespace, container(namespace))],
  [KIND.StatefulSet, (namespace) => workloadOf('StatefulSet', 'web', namespace, container(namespace))],
  [KIND.ReplicaSet, (namespace) => workloadOf('ReplicaSet', 'web', namespace, container(namespace))],
  [KIND.ReplicationController, replicationController],
  [KIND.Job, job],
  [KIND.CronJob, cronJob],
  [KIND.Pod, (namespace) => podOf('web', namespace, container(namespace))],
];

/** With a label that its owner does not need, by which a Service selects it. */
function labelled(workload: KubeObject): KubeObject {
  const { template } = workload.spec as { template: { metadata: { labels: Record<string, string> } } };
  template.metadata.labels.tier = 'front';
  return workload;
}

const service = (namespace: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace, name: 'front' },
  spec: { selector: { tier: 'front' }, ports: [{ port: 80 }] },
});

/** What the account of the workload may do: a Role and a ClusterRole. */
function bindings(namespace: string): object[] {
  const rbac = 'rbac.authorization.k8s.io';
  const subjects = [{ kind: 'ServiceAccount', name: 'default', namespace }];
  const bind = (name: string, kind: string, role: string) => ({
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata: { namespace, name },
    roleRef: { apiGroup: rbac, kind, name: role },
    subjects,
  });
  const rules = [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }];
  const role = { apiVersion: `${rbac}/v1`, kind: 'Role', metadata: { namespace, name: 'reader' }, rules };
  return [role, bind('own', 'Role', 'reader'), bind('view', 'ClusterRole', 'view')];
}

function replicationController(namespace: string): KubeObject {
  const { spec, ...rest } = workloadOf('ReplicationController', 'web', namespace, container(namespace));
  const { template } = spec as { template: object };
  return { ...rest, apiVersion: 'v1', spec: { replicas: 1, selector: { app: 'web' }, template } };
}

function job(namespace: string): KubeObject {
  const { spec } = podOf('web', namespace, container(namespace));
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { namespace, name: 'web' },
    spec: { template: { spec: { ...(spec as object), restartPolicy: 'Never' } } },
  };
}

/** Of a schedule that does not come round while the test runs. */
function cronJob(namespace: string): KubeObject {
  const { spec } = job(namespace);
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { namespace, name: 'web' },
    spec: { schedule: '0 0 29 2 *', jobTemplate: { spec } },
  };
}
