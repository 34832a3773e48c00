import { expect, test } from 'vitest';
import { fingerprintObject, fingerprintProcess } from '../../detection/fingerprint.ts';
import { CARRIERS } from '../corpus/carriers.ts';
import { XMR } from '../corpus/wallets.ts';

const ARGV = ['/app', '-o', 'pool.example.org:3333', '-u', `${XMR}.rig`];
const facet = (object: unknown, name: string) =>
  fingerprintObject(object)
    .filter((trait) => trait.facet === name)
    .map(({ value }) => value);

test('a workload keeps its template under every kind', () => {
  const kinds = [
    'pod',
    'privileged daemonset',
    'cronjob',
    'argo workflow',
    'custom resource around a pod template',
  ];
  const templates = kinds.map((kind) => facet(CARRIERS[kind]?.(ARGV, 'docker.io/org/app:1'), 'template'));
  expect(new Set(templates.flat()).size).toBe(1);
});

test('name, namespace, tag and the default registry make no other template', () => {
  const pod = (image: string, name: string) => ({
    kind: 'Pod',
    metadata: { name, namespace: name },
    spec: { containers: [{ name, image, command: ARGV }] },
  });
  const [one] = facet(pod('nginx:1', 'a'), 'template');
  expect(facet(pod('docker.io/library/nginx:2', 'b'), 'template')).toEqual([one]);
  expect(facet(pod('other:1', 'a'), 'template')).not.toEqual([one]);
});

test('an image is a trait by its digest only', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const pod = (image: string) => ({ kind: 'Pod', spec: { containers: [{ name: 'a', image }] } });
  expect(facet(pod('org/app:1'), 'image')).toEqual([]);
  expect(facet(pod(`org/app:1@${digest}`), 'image')).toEqual([`docker.io/org/app@${digest}`]);
});

test('wallet, pool and owner are traits', () => {
  const object = CARRIERS.pod?.(ARGV);
  expect(facet(object, 'wallet')).toEqual([XMR]);
  expect(facet(object, 'pool')).toEqual(['pool.example.org:3333']);
  expect(facet(object, 'owner')).toEqual(['apps/Pod/worker']);
  const owned = {
    kind: 'Pod',
    metadata: {
      name: 'p-x',
      namespace: 'n',
      ownerReferences: [{ kind: 'DaemonSet', name: 'd', controller: true }],
    },
    spec: { containers: [{ name: 'a', image: 'a' }] },
  };
  expect(facet(owned, 'owner')).toEqual(['n/DaemonSet/d']);
});

test('an ordinary workload has no wallet and no pool', () => {
  const object = CARRIERS.pod?.(['/app', '--db', 'db.example.org:5432']);
  expect([...facet(object, 'wallet'), ...facet(object, 'pool')]).toEqual([]);
});

test('a process is known by its binary, its wallet and its pool', () => {
  expect(fingerprintProcess({ argv: ARGV, sha256: 'c'.repeat(64) })).toEqual([
    { facet: 'binary', value: 'c'.repeat(64) },
    { facet: 'wallet', value: XMR },
    { facet: 'pool', value: 'pool.example.org:3333' },
  ]);
  expect(fingerprintProcess({ argv: ['a'] })).toEqual([]);
});

test.each([null, 7, [], {}, { spec: { containers: [null] } }])(
  '%j does not throw',
  (object) => void fingerprintObject(object),
);
