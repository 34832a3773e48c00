import type { Detection } from '../../api/detection.ts';
import type { Ban } from '../../api/fingerprint.ts';
import type { Incident } from '../../api/incident.ts';
import { API_VERSION, LABEL, PROTECTED_NAMESPACES } from '../../api/names.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import type { Policy } from '../admission/policy.ts';
import { confidenceOf } from '../incident/confidence.ts';
import type { PodIndex } from '../pod-index.ts';
import { bannable, further } from './bans.ts';

export interface ContainmentFacts {
  policy: Policy;
  pods: Pick<PodIndex, 'byUid' | 'isShared'>;
  now: Date;
}

/**
 * The Quarantine that an incident asks for; undefined when people decide, when we are not sure enough, or when only
 * the word of one node stands for it. Pure; its name is that of the incident, so that every replica makes the same.
 */
export function quarantineFor(incident: Incident, facts: ContainmentFacts): Quarantine | undefined {
  const { namespace, workload } = incident.spec;
  const { status, metadata } = incident;
  const { containFrom } = facts.policy;
  if (containFrom === undefined || status?.phase !== 'Confirmed' || namespace === '') return undefined;
  const counted = status.detections.filter(
    (detection) => isInside(detection, namespace, facts) && !isExempt(detection, incident, facts),
  );
  const { confidence, reasons } = confidenceOf(counted);
  if (confidence < containFrom) return undefined;
  const name = metadata.name ?? '';
  const isProtected = PROTECTED_NAMESPACES.includes(namespace);
  return {
    apiVersion: API_VERSION,
    kind: 'Quarantine',
    metadata: { name, labels: { [LABEL.incident]: name } },
    spec: {
      namespace,
      ...(isProtected ? { workload } : {}),
      incident: name,
      reason: `${workload.kind} ${namespace}/${workload.name} mines: ${reasons[0]}.`.slice(0, 1024),
      requestedBy: 'kubesentry',
      bans: further(bannable(incident, facts.pods), []),
    },
  };
}

/** Bans of an incident that its Quarantine does not have yet, because they were learned later. */
export function missingBans(
  incident: Incident,
  quarantine: Quarantine,
  pods: Pick<PodIndex, 'isShared'>,
): Ban[] {
  return further(bannable(incident, pods), quarantine.spec.bans);
}

/** A node may speak for its own pods only, or one broken node could have every namespace contained. */
function isInside({ container }: Detection, namespace: string, { pods }: ContainmentFacts): boolean {
  const pod = container?.podUid ? pods.byUid(container.podUid) : undefined;
  return pod?.namespace === namespace;
}

function isExempt({ rule, container }: Detection, { spec }: Incident, facts: ContainmentFacts): boolean {
  return facts.policy.exempts(
    {
      rule,
      namespace: spec.namespace,
      workloads: [`${spec.workload.kind}/${spec.workload.name}`],
      images: container?.image ? [container.image] : [],
    },
    facts.now,
  );
}
