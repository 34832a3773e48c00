import { LABEL, PROTECTED_NAMESPACES } from '../../api/names.ts';
import { containsNamespace, type Quarantine } from '../../api/quarantine.ts';
import type { Facts, Gate } from './gate.ts';
import { keepsTheCluster, mayOverrule } from './requester.ts';
import type { AdmissionRequest } from './review.ts';
import { runsCode } from './runs-code.ts';
import { workloadsOf } from './workloads-of.ts';

/** While a namespace or a workload is contained, nothing new runs there and nobody gets in. */
export const quarantine: Gate = (request, facts) => {
  if (request.namespace === '' || mayOverrule(request.userInfo)) return undefined;
  const containment = containmentOf(request, facts);
  if (!containment || !runsCode(request)) return undefined;
  const { name, what, why, since, incident } = containment;
  const show = incident ? `kubectl get incident ${incident} -o yaml shows what was found; ` : '';
  return {
    gate: 'quarantine',
    verdict: 'deny',
    reason: `${what} is in quarantine ${name}${since ? ` since ${since}` : ''}.`,
    score: 100,
    findings: [
      {
        rule: 'quarantine',
        severity: 'critical',
        score: 100,
        path: 'metadata.namespace',
        message: why,
        remedy: `${show}kubectl kubesentry release ${name} ends the quarantine.`,
      },
    ],
    incident,
    quarantine: name,
  };
};

interface Containment {
  name: string;
  what: string;
  why: string;
  since?: string | undefined;
  incident?: string | undefined;
}

function containmentOf(request: AdmissionRequest, facts: Facts): Containment | undefined {
  const { namespace } = request;
  const quarantines = facts.quarantinesOf(namespace);
  const whole = quarantines.find(containsNamespace);
  if (whole && !keepsTheCluster(request)) return describe(whole, `Namespace ${namespace}`);
  const partial = quarantines.filter(({ spec }) => spec.workload);
  if (partial.length > 0) {
    const workloads = new Set(workloadsOf(request, facts));
    const match = partial.find(({ spec }) => workloads.has(`${spec.workload?.kind}/${spec.workload?.name}`));
    if (match)
      return describe(match, `${match.spec.workload?.kind} ${namespace}/${match.spec.workload?.name}`);
  }
  return labelled(namespace, facts);
}

function describe({ metadata, spec, status }: Quarantine, what: string): Containment {
  return {
    name: metadata.name ?? '',
    what,
    why: spec.reason,
    since: status?.since ?? metadata.creationTimestamp,
    incident: spec.incident,
  };
}

/** The label may arrive before the Quarantine that it names. */
function labelled(namespace: string, facts: Facts): Containment | undefined {
  const name = facts.namespaceLabels(namespace)?.[LABEL.quarantine];
  if (name === undefined || PROTECTED_NAMESPACES.includes(namespace)) return undefined;
  return {
    name,
    what: `Namespace ${namespace}`,
    why: `The namespace carries the label ${LABEL.quarantine}=${name}.`,
  };
}
