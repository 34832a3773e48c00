import type { Finding } from '../../api/finding.ts';
import { BREAK_GLASS_GROUP, GROUP, LABEL } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Gate, Ruling } from './gate.ts';
import { isCleaner, mayOverrule } from './requester.ts';
import type { AdmissionRequest } from './review.ts';

/** What is enforced and what is proof. A SentryPolicy is a setting: RBAC in kubesentry-system decides about it. */
const GUARDED: ReadonlySet<string> = new Set(['Quarantine', 'Incident', 'Denial']);

const AS_BREAK_GLASS =
  `Act as a member of the group: kubectl --as=YOU --as-group=${BREAK_GLASS_GROUP} ... ` +
  '(to end a quarantine: kubectl kubesentry release NAME).';

/** Nobody but Kubesentry and the break-glass group changes the quarantine label or our records. */
export const guard: Gate = (request) => {
  if (mayOverrule(request.userInfo)) return undefined;
  return guardLabel(request) ?? guardRecords(request);
};

function guardLabel({ kind, operation, object, oldObject }: AdmissionRequest): Ruling | undefined {
  if (kind.kind !== 'Namespace' || kind.group !== '' || operation === 'DELETE') return undefined;
  const before = quarantineLabel(oldObject);
  const after = quarantineLabel(object);
  if (before === after) return undefined;
  const act = after === undefined ? 'removes' : before === undefined ? 'sets' : 'changes';
  return ruling({
    rule: 'guarded-label',
    severity: 'critical',
    score: 100,
    path: `metadata.labels['${LABEL.quarantine}']`,
    message: `The request ${act} the label by which Kubesentry contains the namespace.`,
    ...(before === undefined ? {} : { evidence: before.slice(0, 512) }),
    remedy: AS_BREAK_GLASS,
  });
}

function guardRecords({ kind, operation, userInfo, resource }: AdmissionRequest): Ruling | undefined {
  if (kind.group !== GROUP || !GUARDED.has(kind.kind)) return undefined;
  if (operation === 'DELETE' && isCleaner(userInfo)) return undefined;
  return ruling({
    rule: 'guarded-record',
    severity: 'critical',
    score: 100,
    path: resource.resource,
    message: `A ${kind.kind} is written by Kubesentry; ${operation} is not for others.`,
    remedy: AS_BREAK_GLASS,
  });
}

function ruling(finding: Finding): Ruling {
  return {
    gate: 'guard',
    verdict: 'deny',
    reason: `it would weaken Kubesentry, which is for the group ${BREAK_GLASS_GROUP} only.`,
    score: finding.score,
    findings: [finding],
  };
}

function quarantineLabel(object: KubeObject | undefined): string | undefined {
  const label: unknown = object?.metadata?.labels?.[LABEL.quarantine];
  return typeof label === 'string' ? label : undefined;
}
