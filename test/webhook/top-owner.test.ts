import { describe, expect, it } from 'vitest';
import { possibleOwner, topOwner } from '../../webhook/top-owner.ts';

const POD = { kind: 'Pod', name: 'worker' };

const ownedBy = (kind: unknown, name: unknown, labels = {}) =>
  topOwner(POD, {
    name: 'worker',
    labels,
    ownerReferences: [{ apiVersion: 'v1', kind, name, uid: 'u', controller: true } as never],
  });

describe('the workload that a pod is known by', () => {
  it('is what its owner was made from', () => {
    expect(ownedBy('ReplicaSet', 'web-5d9c', { 'pod-template-hash': '5d9c' })).toEqual({
      kind: 'Deployment',
      name: 'web',
    });
    expect(ownedBy('Job', 'backup-29012345')).toEqual({ kind: 'CronJob', name: 'backup' });
    expect(ownedBy('Workflow', 'llm.v1')).toEqual({ kind: 'Workflow', name: 'llm.v1' });
  });

  it.each([
    ['a kind longer than an Incident has room for', 'K'.repeat(300), 'web'],
    ['a kind that steers a terminal', 'Deploy\u001b[2Jment', 'web'],
    ['a kind with line breaks', 'Deployment\n  To do', 'web'],
    ['a name longer than any', 'Deployment', 'w'.repeat(254)],
    ['a name that is a path', 'Deployment', '../web'],
    ['a name with blanks', 'Deployment', 'web and more'],
  ])('is the pod itself where it claims %s: the API server takes any text there', (_, kind, name) => {
    expect(ownedBy(kind, name)).toEqual(POD);
  });
});

describe('an owner that the API server may be asked for', () => {
  const asked = (reference: object) =>
    possibleOwner({
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'web-5d9c',
          uid: 'u',
          controller: true,
          ...reference,
        },
      ],
    })?.name;

  it.each([
    {},
    { apiVersion: 'v1' },
    { apiVersion: 'argoproj.io/v1alpha1', kind: 'Workflow', name: 'llm.v1' },
  ])('is one such as %j', (reference) => expect(asked(reference)).toBeDefined());

  // Each ended the step terminate, or taking pods out of Services, with an error, again and again.
  it.each([
    { name: '..' },
    { name: 'a/b' },
    { kind: 'No kind' },
    { apiVersion: '..' },
    { apiVersion: '../healthz' },
    { apiVersion: 'apps/v1?x' },
    { apiVersion: undefined },
  ])('is not %j', (reference) => expect(asked(reference)).toBeUndefined());
});
