import { containsNamespace, isProtected, type Quarantine } from '../../api/quarantine.ts';
import { KIND } from '../../kube/kind.ts';
import { type Effect, withEffects } from './condition.ts';
import { detach } from './detach.ts';
import { egressEffect } from './egress.ts';
import { holdEffect } from './hold.ts';
import { isolate } from './isolate.ts';
import type { StepTools } from './steps.ts';

/** Type of the condition that says whether the namespace is refused as a whole. */
export const NAMESPACE_LABELED = 'NamespaceLabeled';

/**
 * All effects that are left and one word about them: every agent of the cluster hears of each change of a Quarantine.
 * An effect that fails stays unsaid, and is planned again by itself.
 */
export async function activate(quarantine: Quarantine, tools: StepTools): Promise<void> {
  const { metadata, spec, status } = quarantine;
  if (status?.phase === 'Active') return;
  const { cluster, clock, noteQuarantine } = tools;
  const further = spec.workload ? [detach] : isProtected(quarantine) ? [] : [isolate, detach];
  const tried = await Promise.allSettled(further.map((effect) => effect(quarantine, cluster)));
  const { pods, policyGaps } = tools.view;
  const effects = [
    labelled(quarantine),
    ...(policyGaps === undefined ? [] : [holdEffect(quarantine, policyGaps)]),
    banned(quarantine),
    egressEffect(quarantine, pods),
    ...tried.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])),
  ];
  const conditions = withEffects(quarantine, effects, clock());
  const active = await cluster.patch(
    KIND.Quarantine,
    { name: metadata.name ?? '' },
    { status: { phase: 'Active', since: status?.since ?? clock().toISOString(), conditions } },
    { subresource: 'status' },
  );
  noteQuarantine(active);
  const failed = tried.find((each) => each.status === 'rejected');
  if (failed) throw failed.reason;
}

function labelled(quarantine: Quarantine): Effect {
  const type = NAMESPACE_LABELED;
  const { namespace, workload } = quarantine.spec;
  if (containsNamespace(quarantine)) {
    return { type, status: 'True', reason: 'Labeled', message: `Namespace ${namespace} is labelled.` };
  }
  return workload
    ? { type, status: 'False', reason: 'WorkloadOnly', message: 'Only one workload is contained.' }
    : {
        type,
        status: 'False',
        reason: 'Protected',
        message: `The cluster lives on ${namespace}: only workloads in it are contained, unless evenIfProtected says so.`,
      };
}

function banned({ spec }: Quarantine): Effect {
  const message = `${spec.bans.length} trait${spec.bans.length === 1 ? ' is' : 's are'} denied in every namespace.`;
  return { type: 'BansInForce', status: 'True', reason: 'Denied', message };
}
