import { KubesentryError } from '../../api/errors.ts';
import type { Ban } from '../../api/fingerprint.ts';
import { LABEL, QUARANTINE_NOTE } from '../../api/names.ts';
import { setCondition } from '../../api/object.ts';
import { containsNamespace, isProtected, type Quarantine } from '../../api/quarantine.ts';
import type { SentryPolicy } from '../../api/sentry-policy.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import type { IncidentStore } from '../incident/store.ts';
import type { PolicyProblem } from '../policy-problems.ts';
import { isInForce } from '../quarantine-index.ts';
import type { ClusterView } from '../view.ts';
import { type Effect, sayEffect, withEffects } from './condition.ts';
import { detach, isAbout, reattach } from './detach.ts';
import { egressEffect } from './egress.ts';
import { isIsolated, isolate, NETWORK_DENIED, rejoin } from './isolate.ts';
import { closed, contained, dismissed, eradicated, restored } from './phases.ts';
import type { Step } from './plan.ts';

/** Type of the condition that says whether the namespace is refused as a whole. */
const NAMESPACE_LABELED = 'NamespaceLabeled';

export interface StepTools {
  cluster: Cluster;
  view: Pick<ClusterView, 'pods' | 'quarantines'>;
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
      if ((await labelOf(step.namespace, cluster)) === step.to?.metadata.name) return;
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
    case 'detach': {
      // Conditions are written as one list: from an old copy it would lack what was done since.
      const live = await cluster.get(KIND.Quarantine, { name: step.quarantine.metadata.name ?? '' });
      return live && say(live, await detach(live, cluster), tools);
    }
    case 'tellEgress': {
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
      await incidents.amend(step.incident, (status) => dismissed(status, step.reason, tools.clock()));
      if (step.quarantine) await cluster.delete(KIND.Quarantine, { name: step.quarantine });
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

/**
 * In force in this replica with the first write; the others hear of it by their watches, and the API server's own policy
 * by the label. Both go out together: every agent hears of a Quarantine, and the label must not wait for that. The leader
 * goes on with `activate`, after everything that is not contained yet.
 */
async function contain(wanted: Quarantine, tools: StepTools): Promise<void> {
  const { incidents, clock } = tools;
  const { namespace, incident } = wanted.spec;
  const [quarantine] = await Promise.all([
    created(wanted, tools),
    containsNamespace(wanted) ? label(namespace, wanted, tools) : undefined,
  ]);
  const name = incident ?? quarantine.metadata.name ?? '';
  await incidents.amend(name, (status) => contained(status, quarantine, clock()));
}

/** The one that another replica made, where it was faster. */
async function created(wanted: Quarantine, { cluster, noteQuarantine }: StepTools): Promise<Quarantine> {
  const quarantine = await cluster.create(KIND.Quarantine, wanted).catch(async (error: unknown) => {
    const existing =
      error instanceof KubesentryError && error.code === 'KUBE_CONFLICT'
        ? await cluster.get(KIND.Quarantine, { name: wanted.metadata.name ?? '' })
        : undefined;
    if (!existing) throw error;
    return existing;
  });
  noteQuarantine(quarantine);
  return quarantine;
}

/** Labels the namespace and says why, or takes both away. */
async function label(
  namespace: string,
  quarantine: Quarantine | undefined,
  { cluster, clock }: StepTools,
): Promise<void> {
  const metadata = {
    labels: { [LABEL.quarantine]: quarantine?.metadata.name ?? null },
    annotations: { [QUARANTINE_NOTE]: quarantine ? noteOf(quarantine, clock()) : null },
  };
  await cluster.patch(KIND.Namespace, { name: namespace }, { metadata }).catch((error: unknown) => {
    // It is gone, and with it what was to be contained.
    if (!(error instanceof KubesentryError && error.code === 'KUBE_NOT_FOUND')) throw error;
  });
}

/** Goes on from the name of the quarantine. One line: CEL takes no message with line breaks. */
function noteOf({ metadata, spec }: Quarantine, now: Date): string {
  const since = ` since ${metadata.creationTimestamp ?? now.toISOString()}`;
  const incident = spec.incident ? ` Incident ${spec.incident}.` : '';
  const reason = spec.reason.replace(/\s+/g, ' ').replace(/\.?$/, '.');
  return `${since}: ${reason}${incident}`;
}

async function say(quarantine: Quarantine, effect: Effect, tools: StepTools): Promise<void> {
  tools.noteQuarantine(await sayEffect(quarantine, effect, tools.cluster, tools.clock()));
}

/**
 * All effects that are left and one word about them: every agent of the cluster hears of each change of a Quarantine.
 * An effect that fails stays unsaid, and is planned again by itself.
 */
async function activate(quarantine: Quarantine, tools: StepTools): Promise<void> {
  const { metadata, spec, status } = quarantine;
  if (status?.phase === 'Active') return;
  const { cluster, clock, noteQuarantine } = tools;
  const further = spec.workload ? [detach] : isProtected(quarantine) ? [] : [isolate, detach];
  const tried = await Promise.allSettled(further.map((effect) => effect(quarantine, cluster)));
  const effects = [
    labelled(quarantine),
    banned(quarantine),
    egressEffect(quarantine, tools.view.pods),
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
