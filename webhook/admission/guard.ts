import type { Finding } from '../../api/finding.ts';
import { BREAK_GLASS_GROUP, GROUP, LABEL } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Facts, Gate, Ruling } from './gate.ts';
import { isCleaner, mayOverrule } from './requester.ts';
import type { AdmissionRequest } from './review.ts';

/** What is enforced and what is proof. A SentryPolicy is a setting: RBAC in kubesentry-system decides about it. */
const GUARDED: ReadonlySet<string> = new Set(['Quarantine', 'Incident', 'Denial']);

const AS_BREAK_GLASS =
  `Act as a member of the group: kubectl --as=YOU --as-group=${BREAK_GLASS_GROUP} ... ` +
  '(to end a quarantine: kubectl kubesentry release NAME).';

/** Nobody but Kubesentry and the break-glass group changes the quarantine label or our records. */
export const guard: Gate = (request, facts) => {
  if (mayOverrule(request.userInfo)) return undefined;
  return guardLabel(request, facts) ?? guardRecords(request);
};

function guardLabel(request: AdmissionRequest, facts: Facts): Ruling | undefined {
  const { kind, operation, object, oldObject } = request;
  if (kind.kind !== 'Namespace' || kind.group !== '' || operation === 'DELETE') return undefined;
  const before = quarantineLabel(oldObject);
  const after = quarantineLabel(object);
  if (before === after) return undefined;
  const act = after === undefined ? 'removes' : before === undefined ? 'sets' : 'changes';
  const quarantine = facts.quarantinesOf(request.name).find(({ metadata }) => metadata.name === before);
  const finding: Finding = {
    rule: 'guarded-label',
    severity: 'critical',
    score: 100,
    path: `metadata.labels['${LABEL.quarantine}']`,
    message: `The request ${act} the label by which Kubesentry contains the namespace.`,
    ...(before === undefined ? {} : { evidence: before.slice(0, 512) }),
    remedy: AS_BREAK_GLASS,
  };
  return ruling(finding, quarantine?.spec.incident);
}

function guardRecords(request: AdmissionRequest): Ruling | undefined {
  const { kind, operation, userInfo, resource } = request;
  if (kind.group !== GROUP || !GUARDED.has(kind.kind)) return undefined;
  if (operation === 'DELETE' && isCleaner(userInfo)) return undefined;
  const finding: Finding = {
    rule: 'guarded-record',
    severity: 'critical',
    score: 100,
    path: resource.resource,
    message: `${/^[AEIOU]/.test(kind.kind) ? 'An' : 'A'} ${kind.kind} is written by Kubesentry; ${operation} is not for others.`,
    remedy: AS_BREAK_GLASS,
  };
  return ruling(finding, incidentOf(request));
}

/** Whose timeline tells of the attempt. */
function incidentOf({ kind, name, oldObject }: AdmissionRequest): string | undefined {
  if (kind.kind === 'Incident') return name;
  const { incident } = (oldObject?.spec ?? {}) as { incident?: unknown };
  return typeof incident === 'string' && incident !== '' ? incident : undefined;
}

function ruling(finding: Finding, incident: string | undefined): Ruling {
  return {
    gate: 'guard',
    verdict: 'deny',
    reason: `it would weaken Kubesentry, which is for the group ${BREAK_GLASS_GROUP} only.`,
    score: finding.score,
    findings: [finding],
    incident,
  };
}

function quarantineLabel(object: KubeObject | undefined): string | undefined {
  const label: unknown = object?.metadata?.labels?.[LABEL.quarantine];
  return typeof label === 'string' ? label : undefined;
}
