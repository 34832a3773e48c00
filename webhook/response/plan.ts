import type { Ban } from '../../api/fingerprint.ts';
import type { Incident } from '../../api/incident.ts';
import { LABEL } from '../../api/names.ts';
import type { Condition, KubeObject } from '../../api/object.ts';
import { containsNamespace, isProtected, type Quarantine } from '../../api/quarantine.ts';
import type { Policy } from '../admission/policy.ts';
import type { PodIndex } from '../pod-index.ts';
import { isInForce, type QuarantineIndex } from '../quarantine-index.ts';
import type { CheckedPolicy } from '../view.ts';
import type { Effect } from './condition.ts';
import { missingBans, quarantineFor } from './contain.ts';
import { isAbout, SERVICES_DETACHED } from './detach.ts';
import { egressEffect } from './egress.ts';
import { holdEffect } from './hold.ts';
import { NETWORK_DENIED } from './isolate.ts';
import { type Move, planPlaybook } from './playbook/plan-playbook.ts';

/** One thing to do; doing it twice changes nothing. */
export type Step =
  /** `isCurrent` where nothing but the API server can know better: it was in this moment that the incident got sure. */
  | { do: 'quarantine'; quarantine: Quarantine; isCurrent?: boolean }
  | { do: 'ban'; quarantine: Quarantine; bans: Ban[] }
  /** `isSure` where it is known that nobody is writing the Quarantine that the label names. */
  | { do: 'label'; namespace: string; from: string | undefined; to: Quarantine | undefined; isSure: boolean }
  | { do: 'activate'; quarantine: Quarantine }
  | { do: 'isolate'; quarantine: Quarantine }
  | { do: 'rejoin'; namespace: string }
  | { do: 'detach'; quarantine: Quarantine }
  | { do: 'tell'; quarantine: Quarantine; effect: Effect }
  | { do: 'reattach'; pod: KubeObject }
  | { do: 'contain'; incident: string; quarantine: Quarantine }
  | { do: 'eradicate'; incident: string }
  | { do: 'expire'; quarantine: string }
  | { do: 'close'; incident: string; quarantine: string }
  | { do: 'dismiss'; incident: string; reason: string; quarantine: string | undefined }
  | ({ do: 'accept' } & CheckedPolicy);

export interface PlanFacts {
  incidents: Iterable<Incident>;
  quarantines: QuarantineIndex;
  namespaces: Iterable<KubeObject>;
  pods: Pick<PodIndex, 'byUid' | 'named' | 'isShared' | 'inNamespace'>;
  policy: Policy;
  policies: Iterable<CheckedPolicy>;
  /** Pods that were taken out of Services. */
  detached: Iterable<KubeObject>;
  /** Whether our NetworkPolicy is in a namespace. */
  isIsolated: (namespace: string) => boolean;
  incidentNamed: (name: string) => Incident | undefined;
  /** What keeps the API server's own policy from holding quarantines; undefined as long as that is not known. */
  policyGaps: readonly string[] | undefined;
  now: Date;
}

/**
 * What separates the cluster from how it should be: every sure incident contained, every quarantined namespace
 * labelled, nothing left of a Quarantine that was deleted or has expired. Pure. The label is a projection of the
 * Quarantines, so that releasing one is deleting it.
 */
export function plan(facts: PlanFacts): (Step | Move)[] {
  return [
    ...[...facts.policies].flatMap(planPolicy),
    ...[...facts.quarantines.values()].flatMap((quarantine) => planQuarantine(quarantine, facts)),
    // Before the namespace is let go: owners would replace pods that they cannot count.
    ...[...facts.detached].flatMap((pod) => planReattach(pod, facts)),
    ...[...facts.namespaces].flatMap((namespace) => planLabel(namespace, facts)),
    ...[...facts.incidents].flatMap((incident) => [
      ...planIncident(incident, facts),
      ...planPlaybook(incident, facts.policy).filter(
        ({ do: what }) => what === 'note' || isSettled(incident, facts),
      ),
    ]),
  ];
}

/** What destroys waits until every effect of the containment was tried: of pods that are gone no label could be taken. */
function isSettled({ metadata, status }: Incident, { quarantines, now }: PlanFacts): boolean {
  const quarantine = quarantines.get(status?.quarantine ?? metadata.name ?? '');
  return !quarantine || !isInForce(quarantine, now) || quarantine.status?.phase === 'Active';
}

/** Says in its status whether a policy is in force. */
function planPolicy({ policy, problems }: CheckedPolicy): Step[] {
  const { status, observedGeneration } =
    policy.status?.conditions?.find(({ type }) => type === 'Accepted') ?? {};
  const isTold = status === (problems.length === 0 ? 'True' : 'False');
  return isTold && observedGeneration === policy.metadata.generation
    ? []
    : [{ do: 'accept', policy, problems }];
}

function planQuarantine(quarantine: Quarantine, facts: PlanFacts): Step[] {
  const { metadata } = quarantine;
  if (metadata.deletionTimestamp) return [];
  if (!isInForce(quarantine, facts.now)) return [{ do: 'expire', quarantine: metadata.name ?? '' }];
  if (quarantine.status?.phase !== 'Active') return [{ do: 'activate', quarantine }];
  const { policyGaps } = facts;
  const hold = policyGaps === undefined ? [] : planTelling(quarantine, holdEffect(quarantine, policyGaps));
  // There the network of everybody stays as it is, whoever contains it.
  if (!quarantine.spec.workload && isProtected(quarantine)) return hold;
  return [
    ...(isIsolated(quarantine, facts) ? [] : [{ do: 'isolate' as const, quarantine }]),
    ...(conditionOf(quarantine, SERVICES_DETACHED) ? [] : [{ do: 'detach' as const, quarantine }]),
    ...planTelling(quarantine, egressEffect(quarantine, facts.pods)),
    ...hold,
  ];
}

/** Every agent hears of a change of the condition, so a message alone is not worth one. */
function planTelling(quarantine: Quarantine, effect: Effect): Step[] {
  const told = conditionOf(quarantine, effect.type);
  const isTold = told?.status === effect.status && told.reason === effect.reason;
  return isTold ? [] : [{ do: 'tell', quarantine, effect }];
}

/** Of a workload the agents cut the network; a NetworkPolicy goes by labels, which its owner chooses. */
function isIsolated(quarantine: Quarantine, facts: PlanFacts): boolean {
  const { namespace, workload } = quarantine.spec;
  if (workload) return true;
  return facts.isIsolated(namespace) && conditionOf(quarantine, NETWORK_DENIED)?.status === 'True';
}

function conditionOf({ status }: Quarantine, type: string): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

function planReattach(pod: KubeObject, { quarantines, now }: PlanFacts): Step[] {
  const inForce = quarantines.inNamespace(pod.metadata.namespace ?? '', now);
  return inForce.some((quarantine) => isAbout(quarantine, pod)) ? [] : [{ do: 'reattach', pod }];
}

function planLabel({ metadata }: KubeObject, facts: PlanFacts): Step[] {
  const { quarantines, isIsolated, now } = facts;
  const namespace = metadata.name ?? '';
  const from = metadata.labels?.[LABEL.quarantine];
  const wanted = quarantines.inNamespace(namespace, now).filter(containsNamespace);
  // Of several, the one that it carries already is as good as another.
  const to = wanted.find(({ metadata: { name } }) => name === from) ?? wanted[0];
  // It is written before the Quarantine.
  const coming = from === undefined || to ? undefined : facts.incidentNamed(from);
  if (coming && quarantineFor(coming, facts)) return [];
  const isSure = coming?.status?.phase === 'Confirmed';
  if (from !== to?.metadata.name) return [{ do: 'label', namespace, from, to, isSure }];
  // Somebody may have taken the label away before the Quarantine.
  return to === undefined && isIsolated(namespace) ? [{ do: 'rejoin', namespace }] : [];
}

function planIncident(incident: Incident, facts: PlanFacts): Step[] {
  const { status } = incident;
  const name = incident.metadata.name ?? '';
  if (!status) return [];
  const own = facts.quarantines.get(status.quarantine ?? name);
  const quarantine = own && isInForce(own, facts.now) ? own : undefined;
  const { dismissed } = incident.spec;
  if (dismissed !== undefined) {
    if (status.phase === 'Dismissed' || status.phase === 'Closed') return [];
    return [
      {
        do: 'dismiss',
        incident: name,
        reason: dismissed,
        quarantine: own?.spec.incident === name ? own.metadata.name : undefined,
      },
    ];
  }
  switch (status.phase) {
    case 'Confirmed': {
      if (quarantine) return [{ do: 'contain', incident: name, quarantine }];
      const wanted = quarantineFor(incident, facts);
      return wanted ? [{ do: 'quarantine', quarantine: wanted }] : [];
    }
    case 'Contained':
    case 'Eradicated': {
      if (!quarantine) return [{ do: 'close', incident: name, quarantine: status.quarantine ?? name }];
      const bans = quarantine.spec.incident === name ? missingBans(incident, quarantine, facts.pods) : [];
      return [
        ...(bans.length > 0 ? [{ do: 'ban' as const, quarantine, bans }] : []),
        ...(status.phase === 'Contained' && isGone(status.pods, facts)
          ? [{ do: 'eradicate' as const, incident: name }]
          : []),
      ];
    }
    default:
      return [];
  }
}

function isGone(names: readonly string[], { pods }: PlanFacts): boolean {
  return (
    names.length > 0 &&
    names.every((each) => {
      const [namespace = '', name = ''] = each.split('/');
      return !pods.named(namespace, name)?.exists;
    })
  );
}
