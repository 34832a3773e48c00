import { expect, it } from 'vitest';
import type { Incident } from '../../api/incident.ts';
import type { StepStatus } from '../../api/playbook.ts';
import { Policy } from '../../webhook/admission/policy.ts';
import { correlate } from '../../webhook/incident/correlate.ts';
import { planPlaybook } from '../../webhook/response/playbook/plan-playbook.ts';
import { detectionIn } from './detections.ts';
import { podOf } from './harness.ts';

it('looks for accounts again while revoke fails for the lack of them: the pod may have been new to whoever looked', () => {
  const subject = { namespace: 'shop', workload: { kind: 'Pod', name: 'web' } };
  const seen = [{ detection: detectionIn(podOf('web', 'shop')), node: 'node-1', traits: [] }];
  const incident = correlate(undefined, seen, { name: 'shop-web', subject, confirmFrom: 0.9 });
  const looks = (status: Partial<NonNullable<Incident['status']>>) =>
    planPlaybook(
      { ...incident, status: { ...incident.status, ...status } as NonNullable<Incident['status']> },
      new Policy([]),
    )
      .flatMap((move) => (move.do === 'note' ? move.notes : []))
      .find(({ step }) => step === 'blastRadius');
  const { basis } = looks({}) as { basis: string };
  const about = { message: '', evidence: [], time: '2026-06-01T12:00:00Z' };
  const steps = (revoke: StepStatus['state']): StepStatus[] => [
    { step: 'blastRadius', state: 'Done', basis, ...about },
    { step: 'revoke', state: revoke, ...about },
  ];
  expect(looks({ steps: steps('AwaitingApproval') })).toBeUndefined();
  expect(looks({ steps: steps('Failed') })).toBeDefined();
  expect(looks({ steps: steps('Failed'), serviceAccounts: ['default'] })).toBeUndefined();
});
