import type { Ban } from '../../api/fingerprint.ts';
import { LABEL } from '../../api/names.ts';
import { setCondition } from '../../api/object.ts';
import { containsNamespace, type Quarantine } from '../../api/quarantine.ts';
import type { SentryPolicy } from '../../api/sentry-policy.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import type { IncidentStore } from '../incident/store.ts';
import type { PolicyProblem } from '../policy-problems.ts';
import { isInForce } from '../quarantine-index.ts';
import type { ClusterView } from '../view.ts';
import { activate, NAMESPACE_LABELED } from './activate.ts';
import { contain, label } from './begin.ts';
import { type Effect, sayEffect } from './condition.ts';
import { detach, isAbout, reattach } from './detach.ts';
import { isIsolated, isolate, NETWORK_DENIED, rejoin } from './isolate.ts';
import { closed, contained, dismissed, eradicated, restored } from './phases.ts';
import type { Step } from './plan.ts';

export interface StepTools {
  cluster: Cluster;
  view: Pick<ClusterView, 'pods' | 'quarantines' | 'policyGaps'>;
  incidents: Pick<IncidentStore, 'amend'>;
  /** Puts a Quarantine in force in this replica at once. */
  noteQuarantine: (quarantine: Quarantine) => void;
  clock: () => Date;
}

/**
 * Does one step. Raises what the cluster raises; the step is planned again as long as it is needed. A plan rests on
 * several watches, of which one may lag: what ends something is checked against the API server first.
 */
export async function perform(step: Step, tools: StepTools): Promise<void> {
  const { cluster, incidents } = tools;
  switch (step.do) {
    case 'quarantine': {
      if (step.isCurrent) return contain(step.quarantine, tools);
      const incident = await cluster.get(KIND.Incident, { name: step.quarantine.spec.incident ?? '' });
      return incident?.status?.phase === 'Confirmed' ? contain(step.quarantine, tools) : undefined;
    }
    case 'ban':
      return ban(step.quarantine, step.bans, tools);
    case 'label': {
      if (step.from !== undefined && (await isWanted(step.from, step.namespace, tools))) return;
      if (step.from !== undefined && !step.isSure && (await isComing(step.from, cluster))) return;
      // Also what somebody wrote there since: a Quarantine that is newer than the plan.
      const live = await labelOf(step.namespace, cluster);
      if (live === step.to?.metadata.name || live !== step.from) return;
      if (step.to === undefined) await rejoin(step.namespace, cluster);
      await label(step.namespace, step.to, tools);
      return (
        step.to && noteRestored(step.to, NAMESPACE_LABELED, `The label of namespace ${step.namespace}`, tools)
      );
    }
    case 'activate':
      return activate(
        tools.view.quarantines.get(step.quarantine.metadata.name ?? '') ?? step.quarantine,
        tools,
      );
    case 'isolate': {
      const live = await cluster.get(KIND.Quarantine, { name: step.quarantine.metadata.name ?? '' });
      if (!live || (isTrue(live, NETWORK_DENIED) && (await isIsolated(live, cluster)))) return;
      await say(live, await isolate(live, cluster), tools);
      return noteRestored(
        live,
        NETWORK_DENIED,
        `The NetworkPolicy of namespace ${live.spec.namespace}`,
        tools,
      );
    }
    case 'rejoin': {
      const { items } = await cluster.list(KIND.Quarantine);
      const now = tools.clock();
      const isWanted = ({ spec }: Quarantine) => spec.namespace === step.namespace && !spec.workload;
      return items.some((each) => isInForce(each, now) && isWanted(each))
        ? undefined
        : rejoin(step.namespace, cluster);
    }
    case 'detach': {
      // Conditions are written as one list: from an old copy it would lack what was done since.
      const live = await cluster.get(KIND.Quarantine, { name: step.quarantine.metadata.name ?? '' });
      return live && say(live, await detach(live, cluster), tools);
    }
    case 'tell': {
      const live = await cluster.get(KIND.Quarantine, { name: step.quarantine.metadata.name ?? '' });
      return live && say(live, step.effect, tools);
    }
    case 'reattach': {
      const { items } = await cluster.list(KIND.Quarantine);
      const now = tools.clock();
      if (items.some((each) => isInForce(each, now) && isAbout(each, step.pod))) return;
      return reattach(step.pod, cluster);
    }
    case 'contain':
      await incidents.amend(step.incident, (status) => contained(status, step.quarantine, tools.clock()));
      return;
    case 'eradicate':
      await incidents.amend(step.incident, (status) => eradicated(status, tools.clock()));
      return;
    case 'expire':
      if (await isWanted(step.quarantine, undefined, tools)) return;
      return cluster.delete(KIND.Quarantine, { name: step.quarantine });
    case 'close':
      if (await isWanted(step.quarantine, undefined, tools)) return;
      await incidents.amend(step.incident, (status) => closed(status, step.quarantine, tools.clock()));
      return;
    case 'dismiss':
      // In this order: of an incident that says that it is dismissed nothing is done any more.
      if (step.quarantine) await cluster.delete(KIND.Quarantine, { name: step.quarantine });
      await incidents.amend(step.incident, (status) => dismissed(status, step.reason, tools.clock()));
      return;
    case 'accept':
      return accept(step.policy, step.problems, tools);
  }
}

/** Its condition says that this was in force already: somebody must have undone it, and the incident has to tell. */
async function noteRestored(
  quarantine: Quarantine,
  type: string,
  what: string,
  { incidents, clock }: StepTools,
): Promise<void> {
  const { incident } = quarantine.spec;
  if (incident === undefined || !isTrue(quarantine, type)) return;
  await incidents.amend(incident, (known) => restored(known, what, clock()));
}

function isTrue({ status }: Quarantine, type: string): boolean {
  return status?.conditions?.some((each) => each.type === type && each.status === 'True') ?? false;
}

/** The Quarantine that a namespace carries, as the API server has it. */
async function labelOf(name: string, cluster: Cluster): Promise<string | undefined> {
  const { items } = await cluster.list(KIND.Namespace, { fieldSelector: `metadata.name=${name}` });
  return items[0]?.metadata.labels?.[LABEL.quarantine];
}

/** Whether somebody is writing a Quarantine just now: the label of the namespace goes before it. */
async function isComing(name: string, cluster: Cluster): Promise<boolean> {
  return (await cluster.get(KIND.Incident, { name }))?.status?.phase === 'Confirmed';
}

/** Whether a Quarantine is in force, of that namespace where one is given. */
async function isWanted(name: string, namespace: string | undefined, { cluster, clock }: StepTools) {
  const quarantine = await cluster.get(KIND.Quarantine, { name });
  if (!quarantine || !isInForce(quarantine, clock())) return false;
  return (
    namespace === undefined || (quarantine.spec.namespace === namespace && containsNamespace(quarantine))
  );
}

/** With the version: somebody may be lifting a ban at this moment. */
async function ban({ metadata, spec }: Quarantine, more: readonly Ban[], tools: StepTools): Promise<void> {
  const patch = {
    metadata: { resourceVersion: metadata.resourceVersion },
    spec: { bans: [...spec.bans, ...more] },
  };
  tools.noteQuarantine(await tools.cluster.patch(KIND.Quarantine, { name: metadata.name ?? '' }, patch));
}

async function say(quarantine: Quarantine, effect: Effect, tools: StepTools): Promise<void> {
  tools.noteQuarantine(await sayEffect(quarantine, effect, tools.cluster, tools.clock()));
}

async function accept(
  { metadata, status }: SentryPolicy,
  problems: readonly PolicyProblem[],
  { cluster, clock }: StepTools,
): Promise<void> {
  const { name = '', namespace, generation } = metadata;
  const message =
    problems.length === 0
      ? 'It is in force.'
      : `${problems.map((problem) => `${problem.path}: ${problem.message}`).join(' ')} What was in force before stays so.`;
  const conditions = setCondition(
    status?.conditions ?? [],
    {
      type: 'Accepted',
      status: problems.length === 0 ? 'True' : 'False',
      reason: problems.length === 0 ? 'Valid' : 'Invalid',
      message,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    },
    clock().toISOString(),
  );
  await cluster.patch(
    KIND.SentryPolicy,
    { name, namespace },
    { status: { conditions } },
    { subresource: 'status' },
  );
}
