import { isProtected, type Quarantine } from '../../api/quarantine.ts';
import type { KnownPod, PodIndex } from '../pod-index.ts';
import type { Effect } from './condition.ts';

/** Type of the condition that says whether the kernels of all nodes keep what is contained from sending. */
export const EGRESS_CUT = 'EgressCut';

/** Nodes that a message names. */
const NAMED = 8;

/** What the agents have said of it so far, against the nodes on which its pods run. Pure. */
export function egressEffect(quarantine: Quarantine, pods: Pick<PodIndex, 'inNamespace'>): Effect {
  const { spec, status } = quarantine;
  const told = status?.egress ?? {};
  const nodes = new Set<string>();
  for (const pod of pods.inNamespace(spec.namespace)) {
    if (pod.node !== undefined && !pod.hasEnded && isMeant(spec, pod)) nodes.add(pod.node);
  }
  const open = [...nodes].filter((node) => told[node] === 'open').sort();
  const silent = [...nodes].filter((node) => told[node] === undefined).sort();
  const type = EGRESS_CUT;
  if (isProtected(quarantine)) {
    const message = `The cluster lives on ${spec.namespace}: agents leave the network of its pods as it is.`;
    return { type, status: 'False', reason: 'Protected', message };
  }
  if (nodes.size === 0) {
    return { type, status: 'True', reason: 'NothingRuns', message: 'No pod of it runs on any node.' };
  }
  if (open.length > 0) {
    const message =
      `Its pods can still send from ${some(open)}: the agent there may not cut them, or has only just begun. ` +
      'To do: kubectl kubesentry status';
    return { type, status: 'False', reason: 'StillOpen', message };
  }
  if (silent.length > 0) {
    const message = `No agent has said that its pods are cut on ${some(silent)}. To do: kubectl kubesentry status`;
    return { type, status: 'Unknown', reason: 'AgentsSilent', message };
  }
  const where = `${nodes.size} node${nodes.size === 1 ? '' : 's'}`;
  return {
    type,
    status: 'True',
    reason: 'CutInKernel',
    message: `On ${where} the kernel keeps its pods from sending.`,
  };
}

function isMeant({ workload }: Quarantine['spec'], pod: KnownPod): boolean {
  return !workload || (pod.workload.kind === workload.kind && pod.workload.name === workload.name);
}

function some(nodes: readonly string[]): string {
  const more = nodes.length > NAMED ? ` and ${nodes.length - NAMED} more` : '';
  return `${nodes.slice(0, NAMED).join(', ')}${more}`;
}
