import { fingerprintObject } from '../../../detection/fingerprint.ts';
import type { Actor, Fact, Target } from '../../../webhook/audit/fact.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** Noon of the day on which everything happens. */
export const NOON = Date.parse('2026-11-20T12:00:00Z');

let count = 0;

/** A fact with everything that the test does not care about. */
export function fact(
  given: Omit<Partial<Fact>, 'actor' | 'target'> & { actor?: Partial<Actor>; target?: Partial<Target> },
): Fact {
  return {
    id: `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`,
    time: NOON,
    address: '198.51.100.10',
    userAgent: 'kubectl/v1.34.0 (linux/amd64)',
    verb: 'create',
    code: 201,
    decision: 'allow',
    command: [],
    images: [],
    fingerprint: [],
    details: {},
    ...given,
    actor: { user: 'alice', groups: ['system:authenticated'], ...given.actor },
    target: {
      group: '',
      resource: 'pods',
      subresource: '',
      namespace: 'shop',
      name: 'x',
      uid: '',
      ...given.target,
    },
  };
}

export const MINER = {
  image: 'docker.io/library/busybox:1.36',
  command: ['/tmp/kworker', '-o', 'stratum+tcp://pool.supportxmr.com:443', '-u', 'x'],
};

export interface Template {
  image: string;
  command?: readonly string[];
}

/** The write of a workload, with the traits that detection/ finds in it. */
export function write(
  kind: string,
  namespace: string,
  name: string,
  template: Template,
  rest: Parameters<typeof fact>[0] = {},
): Fact {
  const resource = `${kind.toLowerCase()}s`;
  const group = kind === 'Pod' ? '' : /Job/.test(kind) ? 'batch' : 'apps';
  const pod = { containers: [{ name: 'main', ...template }] };
  const object =
    kind === 'Pod'
      ? { apiVersion: 'v1', kind, metadata: { namespace, name }, spec: pod }
      : { apiVersion: `${group}/v1`, kind, metadata: { namespace, name }, spec: { template: { spec: pod } } };
  return fact({
    images: [template.image],
    fingerprint: fingerprintObject(object),
    ...rest,
    target: { group, resource, namespace, name, uid: `uid-of-${namespace}-${name}`, ...rest.target },
  });
}

export function serviceAccount(namespace: string, name: string): Actor {
  return {
    user: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  };
}

export const controller = (name: string): Actor => serviceAccount('kube-system', name);

export const ANONYMOUS: Actor = { user: 'system:anonymous', groups: ['system:unauthenticated'] };

/** The traits of a template by which the pod index knows it. */
export function traits(template: Template) {
  const object = { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ name: 'main', ...template }] } };
  return fingerprintObject(object).filter(({ facet }) => facet !== 'owner');
}
