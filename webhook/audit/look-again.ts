import { createHash } from 'node:crypto';
import type { Detection } from '../../api/detection.ts';
import type { KubeObject } from '../../api/object.ts';
import { workloadView } from '../../detection/workload.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { groupVersion, type Kind } from '../../kube/kind.ts';
import type { Facts, Ruling } from '../admission/gate.ts';
import { rules } from '../admission/rules.ts';
import type { Placed } from '../intake/detections.ts';
import type { KnownPod, PodIndex } from '../pod-index.ts';
import { topOwner } from '../top-owner.ts';
import type { Actor } from './fact.ts';
import { kindNamed, type PlacedWorkload } from './workload.ts';

/** An object that exists, and what admission would say about it now. */
export interface Look {
  object: KubeObject;
  kind: Kind;
  /** Undefined when nothing was found. */
  ruling: Ruling | undefined;
}

/** Fetches a workload and judges it as admission would, with the modes and exemptions of the policy. */
export async function lookAgain(
  { namespace, kind: name, name: object }: PlacedWorkload,
  by: Pick<Actor, 'user' | 'groups'>,
  { cluster, facts }: { cluster: Pick<Cluster, 'get'>; facts: Facts },
): Promise<Look | undefined> {
  const kind = kindNamed(name);
  const live = kind && (await cluster.get(kind, { namespace, name: object }));
  return kind && live && { object: live, kind, ruling: judge(live, kind, by, facts) };
}

export function judge(
  object: KubeObject,
  kind: Kind,
  by: Pick<Actor, 'user' | 'groups'>,
  facts: Facts,
): Ruling | undefined {
  const { group, version } = groupVersion(kind);
  return rules(
    {
      uid: object.metadata.uid ?? '',
      kind: { group, version, kind: kind.kind },
      resource: { group, version, resource: kind.plural },
      subResource: '',
      name: object.metadata.name ?? '',
      namespace: object.metadata.namespace ?? '',
      operation: 'CREATE',
      userInfo: { username: by.user, groups: by.groups },
      object,
      oldObject: undefined,
      dryRun: false,
    },
    facts,
  );
}

/** What was found in a manifest of what already runs, beside what nodes report. */
export interface Conviction {
  rule: string;
  severity: Detection['severity'];
  /** 0 to 1. */
  confidence: number;
  message: string;
  evidence: Detection['evidence'];
  /** When it was written, in milliseconds since 1970. */
  time: number;
}

/** Admission would refuse it now. */
export function byRuling({ findings, score }: Ruling, time: number): Conviction {
  const [worst] = findings;
  return {
    rule: worst?.rule ?? 'miner-arguments',
    severity: worst?.severity ?? 'critical',
    confidence: Math.min(score / 100, 0.99),
    message: `Its manifest: ${worst?.message ?? ''}`,
    evidence: {
      judged: 'manifest',
      path: worst?.path ?? '',
      findings: findings.slice(0, 8).map(({ rule, message, path }) => ({ rule, message, path })),
    },
    time,
  };
}

/**
 * The detection that makes an incident of a workload that was judged by its manifest. Process id 0: no node saw it.
 * It stands for a pod of the workload where one is known, so that containment may rest on it.
 */
export function placedOf(object: KubeObject, kind: Kind, conviction: Conviction, pods: PodIndex): Placed {
  const { name = '', namespace = '' } = object.metadata;
  const workload = topOwner({ kind: kind.kind, name }, object.metadata);
  const pod = podOf(pods, namespace, workload);
  const containers = workloadView(object)?.containers ?? [];
  const guilty = containers.find(({ path }) => String(conviction.evidence.path ?? '').startsWith(path));
  const container = guilty ?? containers[0];
  const argv = [...(container?.command ?? []), ...(container?.args ?? [])];
  const { rule, severity, confidence, message, evidence, time } = conviction;
  const detection: Detection = {
    id: createHash('sha256')
      .update(JSON.stringify([namespace, workload, rule, container?.image, argv]))
      .digest('hex')
      .slice(0, 32),
    time: new Date(time).toISOString(),
    rule,
    severity,
    confidence,
    action: 'none',
    process: {
      pid: 0,
      exe: (argv[0] ?? container?.image ?? '').slice(0, 4096),
      argv: argv.slice(0, 256).map((word) => word.slice(0, 4096)),
      uid: 0,
      sha256: null,
      ancestors: [],
    },
    container: {
      id: null,
      cgroup: '',
      podUid: pod?.uid ?? null,
      name: container?.name ?? null,
      namespace,
      pod: pod?.name ?? null,
      workload,
      image: container?.image ?? null,
    },
    evidence: { ...evidence, message },
    repeats: 0,
  };
  return { detection, node: pod?.node ?? '', pod };
}

function podOf(
  pods: PodIndex,
  namespace: string,
  { kind, name }: KnownPod['workload'],
): KnownPod | undefined {
  let found: KnownPod | undefined;
  for (const pod of pods.values()) {
    if (!pod.exists || pod.namespace !== namespace) continue;
    if (pod.workload.kind !== kind || pod.workload.name !== name) continue;
    if (!found || pod.uid < found.uid) found = pod;
  }
  return found;
}
