import type { Anchor } from '../../../webhook/audit/author.ts';
import type { Fact } from '../../../webhook/audit/fact.ts';
import { ANONYMOUS, controller, fact, MINER, MINUTE, NOON, serviceAccount, traits, write } from './facts.ts';

export const ATTACKER = '203.0.113.66';
const from = { address: ATTACKER, userAgent: 'curl/8.5.0' };
const at = (minutes: number) => ({ time: NOON + minutes * MINUTE });

/** When the miner of `anonymousAttack` was caught. */
export const CAUGHT = NOON + 10 * MINUTE;

/**
 * Somebody finds a cluster that lets anonymous requests in, binds cluster-admin to a service account, takes its token,
 * enters a pod to look around and deploys the same miner twice.
 */
export function anonymousAttack(): Fact[] {
  const backup = { ...serviceAccount('shop', 'backup'), credential: 'JTI=backup' };
  return [
    fact({
      ...at(-30),
      ...from,
      verb: 'list',
      code: 200,
      actor: ANONYMOUS,
      target: { resource: 'secrets', namespace: '', name: '' },
    }),
    fact({
      ...at(-20),
      ...from,
      actor: ANONYMOUS,
      target: {
        group: 'rbac.authorization.k8s.io',
        resource: 'clusterrolebindings',
        namespace: '',
        name: 'sys-backup',
      },
      details: { role: 'cluster-admin', subjects: 'ServiceAccount/shop/backup' },
    }),
    fact({
      ...at(-15),
      ...from,
      actor: ANONYMOUS,
      target: { resource: 'serviceaccounts', subresource: 'token', name: 'backup' },
    }),
    fact({
      ...at(-5),
      ...from,
      verb: 'get',
      code: 101,
      actor: backup,
      target: { subresource: 'exec', name: 'web-7d4b9c6f5-x2x4q' },
      command: ['sh', '-c', 'id'],
    }),
    write('DaemonSet', 'shop', 'node-tuner', MINER, { ...at(0), ...from, actor: backup }),
    write('Pod', 'shop', 'node-tuner-abcde', MINER, {
      ...at(1),
      address: '10.0.0.1',
      actor: controller('daemon-set-controller'),
      target: { owner: 'DaemonSet/node-tuner', ownerUid: 'uid-of-shop-node-tuner' },
    }),
    write('DaemonSet', 'media', 'log-rotate', MINER, { ...at(20), ...from, actor: backup }),
    write('Pod', 'shop', 'node-tuner-fghij', MINER, {
      ...at(12),
      address: '10.0.0.1',
      actor: controller('daemon-set-controller'),
      target: { owner: 'DaemonSet/node-tuner', ownerUid: 'uid-of-shop-node-tuner' },
    }),
  ];
}

export const ANCHOR: Anchor = {
  namespace: 'shop',
  workload: { kind: 'DaemonSet', name: 'node-tuner' },
  pods: [{ name: 'node-tuner-abcde', uid: 'uid-of-shop-node-tuner-abcde' }],
  fingerprint: traits(MINER),
  time: CAUGHT,
};
