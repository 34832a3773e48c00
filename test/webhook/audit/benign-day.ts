import type { Actor, Fact } from '../../../webhook/audit/fact.ts';
import { ANONYMOUS, controller, fact, HOUR, NOON, serviceAccount, type Template, write } from './facts.ts';

const DAY = 24 * HOUR;
const START = NOON - DAY / 2;
const OFFICE = '198.51.100.1';
const RUNNER = '10.20.0.15';

/** mulberry32: the same day every time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const APPS = Array.from({ length: 30 }, (_, index) => ({
  name: `app-${index}`,
  namespace: `team-${index % 6}`,
  template: {
    image: `registry.example.com/team/app-${index}:1.${index}`,
    command: ['/app', `--port=${8000 + index}`],
  },
}));

const node = (index: number): Actor => ({
  user: `system:node:worker-${index}`,
  groups: ['system:nodes', 'system:authenticated'],
});
const human = (user: string): Actor => ({
  user: `${user}@example.com`,
  groups: ['developers', 'system:authenticated'],
});
const HUMANS = ['ann', 'bob', 'cem', 'dee', 'eli', 'fay'].map(human);

/** What a cluster of ten nodes and six teams sees in a day on which nothing happens; in order of time. */
export function benignDay(): Fact[] {
  const next = random(20261120);
  const facts: Fact[] = [];
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const often = (times: number, make: (time: number, index: number) => Fact | Fact[]) => {
    for (let index = 0; index < times; index++) facts.push(...[make(START + next() * DAY, index)].flat());
  };
  often(1, (time) => installations(time));
  often(150, (time, index) => release(pick(APPS), time, index));
  often(3000, (time, index) => ofNode(time, index));
  often(1500, (time, index) => ofController(pick(APPS), time, index));
  often(1200, (time, index) => ofMonitoring(time, index));
  often(900, (time) => ofHuman(pick(HUMANS), pick(APPS), time, next()));
  often(60, (time, index) => ofHelm(pick(APPS), time, index));
  often(400, (time) => ofSupport(time, next()));
  often(300, (time) => fromOutside(time, next()));
  return facts.sort((a, b) => a.time - b.time);
}

/** A pipeline patches a Deployment, and controllers roll it out. */
function release(app: (typeof APPS)[number], time: number, index: number): Fact[] {
  const template: Template = { ...app.template, image: `${app.template.image}.${index}` };
  const set = `${app.name}-7d4b9c6f5`;
  return [
    write('Deployment', app.namespace, app.name, template, {
      time,
      verb: 'patch',
      code: 200,
      address: RUNNER,
      actor: { ...serviceAccount('ci', 'deployer'), credential: `JTI=${index}` },
    }),
    write('ReplicaSet', app.namespace, set, template, {
      time: time + 200,
      actor: controller('deployment-controller'),
      address: '10.0.0.1',
      target: { owner: `Deployment/${app.name}` },
    }),
    ...[0, 1, 2].map((pod) =>
      write('Pod', app.namespace, `${set}-${index}${pod}`, template, {
        time: time + 400,
        actor: controller('replicaset-controller'),
        address: '10.0.0.1',
        target: { owner: `ReplicaSet/${set}` },
      }),
    ),
  ];
}

function ofNode(time: number, index: number): Fact {
  const common = {
    time,
    actor: node(index % 10),
    address: `10.0.1.${index % 10}`,
    userAgent: 'kubelet/v1.34.0',
    code: 200,
  };
  const kinds: Fact[] = [
    fact({
      ...common,
      verb: 'update',
      target: {
        group: 'coordination.k8s.io',
        resource: 'leases',
        namespace: 'kube-node-lease',
        name: `worker-${index % 10}`,
      },
    }),
    fact({
      ...common,
      target: { resource: 'serviceaccounts', subresource: 'token', namespace: 'team-1', name: 'default' },
    }),
    fact({
      ...common,
      verb: 'get',
      target: { resource: 'secrets', namespace: `team-${index % 6}`, name: `pull-${index % 40}` },
    }),
    fact({
      ...common,
      verb: 'patch',
      target: { subresource: 'status', namespace: 'team-2', name: 'app-2-7d4b9c6f5-x' },
    }),
  ];
  return kinds[index % kinds.length] as Fact;
}

function ofController(app: (typeof APPS)[number], time: number, index: number): Fact {
  const common = { time, address: '10.0.0.1', userAgent: 'kube-controller-manager/v1.34.0' };
  const kinds: Fact[] = [
    write('Job', app.namespace, `nightly-${29_000_000 + index}`, app.template, {
      ...common,
      actor: controller('cronjob-controller'),
      target: { owner: 'CronJob/nightly' },
    }),
    write('Pod', app.namespace, `nightly-${29_000_000 + index}-abcde`, app.template, {
      ...common,
      actor: controller('job-controller'),
      target: { owner: `Job/nightly-${29_000_000 + index}` },
    }),
    fact({
      ...common,
      verb: 'delete',
      code: 200,
      actor: controller('ttl-after-finished-controller'),
      target: { group: 'batch', resource: 'jobs', name: 'nightly' },
    }),
    fact({
      ...common,
      verb: 'list',
      code: 200,
      actor: controller('namespace-controller'),
      target: { resource: 'secrets', namespace: app.namespace, name: '' },
    }),
    fact({
      ...common,
      verb: 'deletecollection',
      code: 200,
      actor: controller('namespace-controller'),
      target: { resource: 'events', namespace: 'preview-7', name: '' },
    }),
    fact({
      ...common,
      actor: { user: 'system:kube-scheduler', groups: ['system:authenticated'] },
      target: { subresource: 'binding', namespace: app.namespace, name: 'x' },
    }),
  ];
  return kinds[index % kinds.length] as Fact;
}

function ofMonitoring(time: number, index: number): Fact {
  const agent = (namespace: string, name: string) => ({
    time,
    code: 200,
    address: `10.244.${index % 4}.7`,
    userAgent: 'Go-http-client/2.0',
    actor: serviceAccount(namespace, name),
  });
  const kinds: Fact[] = [
    fact({
      ...agent('monitoring', 'prometheus-k8s'),
      verb: 'get',
      target: { resource: 'nodes', subresource: 'proxy', namespace: '', name: 'worker-1' },
    }),
    fact({ ...agent('monitoring', 'prometheus-k8s'), verb: 'list', target: { namespace: '', name: '' } }),
    fact({
      ...agent('kube-system', 'metrics-server'),
      verb: 'get',
      target: { resource: 'nodes', subresource: 'metrics', namespace: '', name: 'worker-2' },
    }),
    fact({
      ...agent('cert-manager', 'cert-manager'),
      verb: index % 50 === 0 ? 'list' : 'watch',
      target: { resource: 'secrets', namespace: '', name: '' },
    }),
    fact({
      ...agent('argocd', 'argocd-application-controller'),
      verb: 'watch',
      target: { group: 'apps', resource: 'deployments', namespace: '', name: '' },
    }),
  ];
  return kinds[index % kinds.length] as Fact;
}

function ofHuman(actor: Actor, app: (typeof APPS)[number], time: number, choice: number): Fact {
  const common = { time, actor, address: OFFICE, code: 200 };
  const pod = { namespace: app.namespace, name: `${app.name}-7d4b9c6f5-x` };
  if (choice < 0.5) return fact({ ...common, verb: 'list', target: { namespace: app.namespace, name: '' } });
  if (choice < 0.6)
    return fact({
      ...common,
      verb: 'get',
      code: 101,
      command: ['sh', '-c', 'clear; (bash || ash || sh)'],
      target: { ...pod, subresource: 'exec' },
    });
  if (choice < 0.65)
    return fact({
      ...common,
      verb: 'get',
      code: 101,
      command: ['curl', '-s', 'http://localhost:8080/health'],
      target: { ...pod, subresource: 'exec' },
    });
  if (choice < 0.7)
    return fact({ ...common, verb: 'get', code: 101, target: { ...pod, subresource: 'portforward' } });
  if (choice < 0.75)
    return fact({
      ...common,
      verb: 'get',
      target: { resource: 'secrets', namespace: app.namespace, name: 'settings' },
    });
  if (choice < 0.8) return fact({ ...common, verb: 'delete', target: pod });
  if (choice < 0.85)
    return fact({
      ...common,
      verb: 'patch',
      target: {
        group: 'apps',
        resource: 'deployments',
        subresource: 'scale',
        namespace: app.namespace,
        name: app.name,
      },
    });
  return fact({ ...common, verb: 'get', target: { ...pod, subresource: 'log' } });
}

/** An operator's notebook: the state of a release is in Secrets, a chart has a binding, one of them a DaemonSet. */
function ofHelm(app: (typeof APPS)[number], time: number, index: number): Fact[] {
  const common = { address: OFFICE, actor: human('ops'), userAgent: 'Helm/3.18.0' };
  const { namespace, name } = app;
  return [
    fact({ ...common, time, verb: 'list', code: 200, target: { resource: 'secrets', namespace, name: '' } }),
    fact({
      ...common,
      time: time + 100,
      verb: 'get',
      code: 200,
      target: { resource: 'secrets', namespace, name: `sh.helm.release.v1.${name}.v${index}` },
    }),
    fact({
      ...common,
      time: time + 200,
      target: { resource: 'secrets', namespace, name: `sh.helm.release.v1.${name}.v${index + 1}` },
    }),
    fact({
      ...common,
      time: time + 300,
      verb: 'patch',
      code: 200,
      target: { group: 'rbac.authorization.k8s.io', resource: 'rolebindings', namespace, name },
      details: { role: `${name}-reader`, subjects: `ServiceAccount/${namespace}/${name}` },
    }),
    write(
      'StatefulSet',
      namespace,
      `${name}-db`,
      { image: `docker.io/library/postgres:17.${index}` },
      { ...common, time: time + 400, verb: 'patch', code: 200 },
    ),
  ];
}

/** Once in the life of a cluster, and perhaps on the day that is looked at. */
function installations(time: number): Fact[] {
  const common = { address: OFFICE, actor: human('ops'), userAgent: 'Helm/3.18.0' };
  const rbac = 'rbac.authorization.k8s.io';
  return [
    write(
      'DaemonSet',
      'logging',
      'fluent-bit',
      { image: 'cr.fluentbit.io/fluent/fluent-bit:4.0' },
      { ...common, time },
    ),
    fact({
      ...common,
      time: time + 100,
      target: { group: rbac, resource: 'clusterrolebindings', namespace: '', name: 'system:metrics-server' },
      details: { role: 'system:metrics-server', subjects: 'ServiceAccount/kube-system/metrics-server' },
    }),
    fact({
      ...common,
      time: time + 200,
      target: { group: rbac, resource: 'clusterrolebindings', namespace: '', name: 'team-leads' },
      details: { role: 'view', subjects: 'Group/leads' },
    }),
    fact({
      ...common,
      time: time + 300,
      verb: 'patch',
      code: 200,
      target: { resource: 'namespaces', namespace: '', name: 'logging' },
      details: { labels: 'pod-security.kubernetes.io/enforce' },
    }),
  ];
}

/** Probes and shells of tools that live on exec. */
function ofSupport(time: number, choice: number): Fact {
  const exec = (namespace: string, name: string, command: string[], actor: Actor) =>
    fact({
      time,
      verb: 'get',
      code: 101,
      actor,
      address: RUNNER,
      command,
      target: { namespace, name, subresource: 'exec' },
    });
  const runner = serviceAccount('ci', 'gitlab-runner');
  if (choice < 0.4) {
    const probe =
      'if [ -x /usr/local/bin/bash ]; then\n\texec /usr/local/bin/bash\nelif [ -x /bin/sh ]; then\n\texec /bin/sh\nfi';
    return exec('ci', 'runner-abc-project-7-concurrent-0', ['sh', '-c', probe], runner);
  }
  if (choice < 0.5)
    return exec(
      'ci',
      'runner-abc-project-7-concurrent-0',
      ['gitlab-runner-helper', 'read-logs', '--path', '/logs/output.log'],
      runner,
    );
  if (choice < 0.7)
    return exec('kube-system', 'cilium-x7x7x', ['cilium', 'endpoint', 'list', '-o', 'json'], human('ops'));
  if (choice < 0.8)
    return exec('kube-system', 'konnectivity-agent-x', ['/proxy-agent', '--help'], human('ops'));
  return write(
    'Pod',
    'ci',
    `runner-${Math.round(choice * 1e6)}`,
    { image: 'registry.example.com/ci/build:7', command: ['sh', '-c', 'exec bash'] },
    { time, address: RUNNER, actor: runner },
  );
}

/** The internet knocks, and load balancers ask whether the server lives. */
function fromOutside(time: number, choice: number): Fact {
  const common = { time, actor: ANONYMOUS, verb: 'get' };
  if (choice < 0.5)
    return fact({
      ...common,
      code: 200,
      address: '10.0.0.250',
      target: { resource: '', namespace: '', name: '' },
    });
  if (choice < 0.6)
    return fact({
      ...common,
      code: 200,
      address: '10.0.1.9',
      target: { resource: 'configmaps', namespace: 'kube-public', name: 'cluster-info' },
    });
  return fact({
    ...common,
    verb: 'list',
    code: 403,
    decision: 'forbid',
    address: '192.0.2.77',
    target: { resource: 'secrets', namespace: '', name: '' },
  });
}
