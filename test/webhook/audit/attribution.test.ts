import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { attribute } from '../../../webhook/audit/attribution.ts';
import type { Anchor } from '../../../webhook/audit/author.ts';
import type { Fact } from '../../../webhook/audit/fact.ts';
import { ANCHOR, ATTACKER, anonymousAttack } from './attack.ts';
import { APPS, benignDay } from './benign-day.ts';
import { controller, fact, HOUR, MINER, MINUTE, NOON, serviceAccount, traits, write } from './facts.ts';
import { MemoryFacts } from './memory-facts.ts';

async function attributed(facts: readonly Fact[], anchor: Anchor = ANCHOR) {
  const store = new MemoryFacts();
  await store.add(facts);
  return attribute(anchor, store);
}

describe('attribution of a miner', () => {
  it('names who wrote the workload, not the controller that made its pods', async () => {
    const { creator, confidence } = await attributed(anonymousAttack());
    expect(creator?.actor.user).toBe('system:serviceaccount:shop:backup');
    expect(creator?.address).toBe(ATTACKER);
    expect(confidence).toBeGreaterThanOrEqual(0.9);
  });

  it('tells the way in, in order', async () => {
    const { wayIn } = await attributed(anonymousAttack());
    expect(wayIn.map(({ kind }) => kind)).toEqual(['secrets', 'grant', 'token', 'exec', 'create']);
    expect(wayIn.map(({ time }) => time)).toEqual(wayIn.map(({ time }) => time).toSorted((a, b) => a - b));
  });

  it('finds the second workload by its traits and by the hand that wrote it', async () => {
    const { siblings } = await attributed(anonymousAttack());
    expect(siblings).toHaveLength(1);
    expect(siblings[0]).toMatchObject({
      namespace: 'media',
      kind: 'DaemonSet',
      name: 'log-rotate',
      strength: 'strong',
    });
    expect(siblings[0]?.shares).toContain('pool');
    expect(siblings[0]?.reasons.join()).toContain(ATTACKER);
  });

  it('lists what else they changed and what came again', async () => {
    const { changes, respawns } = await attributed(anonymousAttack());
    expect(changes.map(({ message }) => message).join('\n')).toMatch(
      /listed Secrets of all namespaces[\s\S]*cluster-admin[\s\S]*token/,
    );
    expect(respawns.pods).toBe(1);
  });

  it('is the same in any order and with repeats', async () => {
    const facts = anonymousAttack();
    const expected = await attributed(facts);
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(facts, { minLength: facts.length }),
        fc.array(fc.constantFrom(...facts), { maxLength: 8 }),
        async (shuffled, again) => {
          expect(await attributed([...shuffled, ...again])).toEqual(expected);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('says what is missing when no event shows the author', async () => {
    const { creator, confidence, missing } = await attributed([]);
    expect(creator).toBeUndefined();
    expect(confidence).toBe(0);
    expect(missing.join()).toContain('No audit event shows who made DaemonSet shop/node-tuner');
    expect(missing.join()).toContain('No audit events before');
  });

  it('goes up to the owner of the owner for what operators make', async () => {
    const facts = [
      fact({
        time: NOON,
        actor: { user: 'mallory' },
        target: { group: 'argoproj.io', resource: 'workflows', name: 'etl' },
      }),
      write('Pod', 'shop', 'etl-1', MINER, {
        time: NOON + 1000,
        actor: controller('job-controller'),
        target: { owner: 'Workflow/etl' },
      }),
    ];
    const anchor = {
      ...ANCHOR,
      workload: { kind: 'Pod', name: 'etl-1' },
      pods: [{ name: 'etl-1', uid: '' }],
    };
    expect((await attributed(facts, anchor)).creator?.actor.user).toBe('mallory');
  });

  it('keeps the impersonated user beside the one who acted', async () => {
    const actor = { user: 'mallory', groups: [], impersonates: 'system:admin' };
    const { creator, reasons } = await attributed([
      write('DaemonSet', 'shop', 'node-tuner', MINER, { actor }),
    ]);
    expect(creator?.actor).toMatchObject({ user: 'mallory', impersonates: 'system:admin' });
    expect(reasons.join()).toContain('in the name of system:admin');
  });

  it('does not take the author of an object that was deleted before', async () => {
    const facts = [
      write(
        'DaemonSet',
        'shop',
        'node-tuner',
        { image: 'docker.io/a/tuner:1' },
        { time: NOON - HOUR, actor: { user: 'owner' } },
      ),
      fact({
        time: NOON - MINUTE,
        verb: 'delete',
        code: 200,
        actor: { user: 'mallory' },
        target: { group: 'apps', resource: 'daemonsets', name: 'node-tuner' },
      }),
      write(
        'DaemonSet',
        'shop',
        'node-tuner',
        { image: 'docker.io/a/tuner:2' },
        { time: NOON, actor: { user: 'mallory' } },
      ),
    ];
    expect((await attributed(facts)).creator?.actor.user).toBe('mallory');
  });

  it('doubts the author when somebody else went into the pod afterwards', async () => {
    const web = { image: 'docker.io/shop/web:3', command: ['/web'] };
    const anchor: Anchor = {
      ...ANCHOR,
      workload: { kind: 'Deployment', name: 'web' },
      pods: [{ name: 'web-1', uid: '' }],
      fingerprint: write('Deployment', 'shop', 'web', web).fingerprint,
    };
    const { creator, confidence, wayIn, reasons } = await attributed(
      [
        write('Deployment', 'shop', 'web', web, { time: NOON - 20 * MINUTE, actor: { user: 'owner' } }),
        fact({
          time: NOON,
          verb: 'get',
          code: 101,
          address: ATTACKER,
          actor: { user: 'mallory' },
          target: { name: 'web-1', subresource: 'exec' },
          command: ['sh'],
        }),
      ],
      anchor,
    );
    expect(creator?.actor.user).toBe('owner');
    expect(confidence).toBeLessThan(0.5);
    expect(wayIn.find(({ kind }) => kind === 'exec')?.user).toBe('mallory');
    expect(reasons.join()).toContain('may be theirs');
  });
});

describe('shared handles', () => {
  const pipeline = { ...serviceAccount('ci', 'deployer'), credential: 'JTI=ci' };
  const day = (address: string) =>
    Array.from({ length: 40 }, (_, index) =>
      write(
        'Deployment',
        `team-${index}`,
        `app-${index}`,
        { image: `docker.io/team/app-${index}:1`, command: ['/app'] },
        {
          time: NOON - index * MINUTE,
          address,
          actor: pipeline,
        },
      ),
    );

  it('does not make everything that a pipeline deploys a candidate', async () => {
    const miner = write('DaemonSet', 'shop', 'node-tuner', MINER, { address: '10.8.0.4', actor: pipeline });
    const { siblings, missing } = await attributed([...day('10.8.0.4'), miner]);
    expect(siblings).toEqual([]);
    expect(missing.join()).toContain('40 workloads were written');
  });

  it('tells the stolen credential of a pipeline by its address', async () => {
    const stolen = { address: ATTACKER, actor: pipeline };
    const { siblings } = await attributed([
      ...day('10.8.0.4'),
      write('DaemonSet', 'shop', 'node-tuner', MINER, stolen),
      write(
        'Deployment',
        'media',
        'helper',
        { image: 'docker.io/x/y:1' },
        { ...stolen, time: NOON + MINUTE },
      ),
    ]);
    expect(siblings.map(({ name }) => name)).toEqual(['helper']);
    expect(siblings[0]?.strength).toBe('medium');
  });

  it('does not join everybody behind a NAT', async () => {
    const nat = '198.51.100.1';
    const office = ['ann', 'bob', 'cem', 'dee', 'eli'].map((user) =>
      write(
        'Deployment',
        user,
        'sandbox',
        { image: `docker.io/${user}/box:1` },
        { address: nat, actor: { user }, time: NOON - HOUR },
      ),
    );
    const miner = write('DaemonSet', 'shop', 'node-tuner', MINER, { address: nat, actor: { user: 'ann' } });
    const { siblings, missing } = await attributed([...office, miner]);
    expect(siblings.map(({ namespace }) => namespace)).toEqual(['ann']);
    expect(missing.join()).toContain('shared by 5 users');
  });

  it('does not suspect the administrator behind the same NAT who granted a role', async () => {
    const nat = '198.51.100.1';
    const seen = ['ann', 'bob', 'cem', 'dee', 'eli'].map((user) =>
      fact({ verb: 'list', address: nat, actor: { user }, time: NOON - HOUR }),
    );
    const { siblings, wayIn } = await attributed([
      ...seen,
      fact({
        time: NOON - MINUTE,
        address: nat,
        actor: { user: 'ops' },
        target: { group: 'rbac.authorization.k8s.io', resource: 'rolebindings', name: 'ann' },
        details: { role: 'edit', subjects: 'User/ann' },
      }),
      write(
        'Deployment',
        'ops',
        'dns',
        { image: 'docker.io/x/dns:1' },
        { address: nat, actor: { user: 'ops' } },
      ),
      write('DaemonSet', 'shop', 'node-tuner', MINER, { address: nat, actor: { user: 'ann' } }),
    ]);
    expect(wayIn.map(({ kind, user }) => `${kind} by ${user}`)).toEqual(['grant by ops', 'create by ann']);
    expect(siblings).toEqual([]);
  });

  it('still finds fifty copies, which do not make the attacker busy', async () => {
    const copies = Array.from({ length: 50 }, (_, index) =>
      write('DaemonSet', `ns-${index}`, 'node-tuner', MINER, {
        address: ATTACKER,
        actor: pipeline,
        time: NOON + index,
      }),
    );
    const { siblings } = await attributed([
      write('DaemonSet', 'shop', 'node-tuner', MINER, { address: ATTACKER, actor: pipeline }),
      ...copies,
    ]);
    expect(siblings).toHaveLength(50);
    expect(siblings.every(({ strength }) => strength === 'strong')).toBe(true);
  });
});

describe('a day on which nothing happens', () => {
  const store = new MemoryFacts();
  beforeAll(() => store.add(benignDay()));
  const workloads = [
    ...APPS.map(({ namespace, name, template }) => ({ namespace, kind: 'Deployment', name, template })),
    ...APPS.map(({ namespace, name }) => ({
      namespace,
      kind: 'StatefulSet',
      name: `${name}-db`,
      template: undefined,
    })),
    { namespace: 'logging', kind: 'DaemonSet', name: 'fluent-bit', template: undefined },
  ];

  it.each(workloads)(
    'connects nothing strongly with $kind $namespace/$name',
    async ({ namespace, kind, name, template }) => {
      const pods = [{ name: `${name}-7d4b9c6f5-x`, uid: '' }];
      const fingerprint = template ? traits(template) : [];
      const { siblings } = await attribute(
        { namespace, workload: { kind, name }, pods, fingerprint, time: NOON + 6 * HOUR },
        store,
      );
      expect(siblings.filter(({ strength }) => strength === 'strong')).toEqual([]);
      // Those who deploy and enter by hand may be asked about a few other things.
      expect(siblings.length).toBeLessThanOrEqual(24);
    },
  );
});
