import type { Fingerprint } from '../../api/fingerprint.ts';
import { fingerprintObject, fingerprintProcess } from '../../detection/fingerprint.ts';
import { commandOf } from './exec-connect.ts';
import type { Gate } from './gate.ts';
import { mayOverrule } from './requester.ts';
import type { AdmissionRequest } from './review.ts';
import { runsCode } from './runs-code.ts';
import { workloadsOf } from './workloads-of.ts';

/** What is known from a running incident is refused in every namespace, under whatever name it returns. */
export const ban: Gate = (request, facts) => {
  if (!facts.hasBans || mayOverrule(request.userInfo) || !runsCode(request)) return undefined;
  for (const { facet, value } of traitsOf(request)) {
    const found = facts.banOf(facet, value);
    if (found) return ruling(found, facet, value);
  }
  for (const workload of workloadsOf(request, facts)) {
    const found = facts.banOf('owner', `${request.namespace}/${workload}`);
    if (found) return ruling(found, 'owner', `${request.namespace}/${workload}`);
  }
  return undefined;
};

function traitsOf(request: AdmissionRequest): Fingerprint {
  const creator = { facet: 'creator', value: request.userInfo.username } as const;
  if (request.operation === 'CONNECT') return [...fingerprintProcess({ argv: commandOf(request) }), creator];
  // The API server has the namespace of a request apart from the object, which may leave it out.
  const object = {
    ...request.object,
    metadata: { ...request.object?.metadata, namespace: request.namespace },
  };
  return [...fingerprintObject(object), creator];
}

const WHAT: Record<string, string> = {
  template: 'image, command and arguments',
  image: 'image',
  owner: 'workload',
  wallet: 'wallet',
  pool: 'mining pool',
  binary: 'binary',
  creator: 'user',
};

function ruling(
  { ban, quarantine }: NonNullable<ReturnType<Parameters<Gate>[1]['banOf']>>,
  facet: string,
  value: string,
): ReturnType<Gate> {
  const name = quarantine.metadata.name ?? '';
  const { incident } = quarantine.spec;
  const show = incident ? `kubectl get incident ${incident} -o yaml shows what was found; ` : '';
  return {
    gate: 'ban',
    verdict: 'deny',
    reason: `its ${WHAT[facet]} ${facet === 'image' || facet === 'template' ? 'are those' : 'is that'} of a running incident.`,
    score: 100,
    findings: [
      {
        rule: `ban-${facet}`,
        severity: 'critical',
        score: 100,
        path: '',
        message: `Banned by quarantine ${name}: ${ban.reason}`,
        evidence: value.slice(0, 512),
        remedy: `${show}kubectl kubesentry release ${name} lifts the ban.`,
      },
    ],
    incident,
    quarantine: name,
  };
}
