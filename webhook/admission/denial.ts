import { createHash } from 'node:crypto';
import type { Denial } from '../../api/denial.ts';
import { API_VERSION, LABEL, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { fingerprintObject } from '../../detection/fingerprint.ts';
import { topOwner } from '../top-owner.ts';
import { excerptOf } from './excerpt.ts';
import type { Ruling } from './gate.ts';
import type { AdmissionRequest } from './review.ts';

const FINDINGS = 16;
const TEXT = 1024;

export interface DenialKey {
  name: string;
  namespace: string;
}

/**
 * What the record of a refused request is called. The name is derived from what stays the same when a controller tries
 * again (the owner, the template, the rules), so that a thousand attempts of a DaemonSet are one Denial with a count,
 * and so that the message can name it before it is written.
 */
export function denialKey(request: AdmissionRequest, ruling: Ruling): DenialKey {
  const { namespace, kind } = request;
  return {
    name: denialName(request, ruling),
    // A namespace that is being made has no room yet for what is said about it.
    namespace: kind.kind === 'Namespace' || namespace === '' ? SYSTEM_NAMESPACE : namespace,
  };
}

/** The record itself. */
export function denialOf(request: AdmissionRequest, ruling: Ruling, key: DenialKey): Denial {
  const { operation, kind, name, subResource, userInfo, object } = request;
  const generateName = textOf(object?.metadata?.generateName);
  const findings = ruling.findings.slice(0, FINDINGS);
  const excerpt = excerptOf(object, findings);
  return {
    apiVersion: API_VERSION,
    kind: 'Denial',
    metadata: {
      ...key,
      ...(ruling.incident ? { labels: { [LABEL.incident]: ruling.incident } } : {}),
    },
    spec: {
      verdict: ruling.verdict,
      operation,
      resource: {
        apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`,
        kind: kind.kind.slice(0, 63),
        name: (generateName || name).slice(0, 253),
        ...(subResource === '' ? {} : { subresource: subResource.slice(0, 63) }),
      },
      user: {
        username: userInfo.username.slice(0, TEXT),
        groups: userInfo.groups.slice(0, 64).map((group) => group.slice(0, TEXT)),
      },
      gate: ruling.gate,
      score: ruling.score,
      findings,
      ...(ruling.incident ? { incident: ruling.incident } : {}),
      ...(excerpt ? { excerpt } : {}),
      objectDigest: `sha256:${digest(object ?? null)}`,
    },
  };
}

function denialName(
  { namespace, kind, name, subResource, operation, object }: AdmissionRequest,
  ruling: Ruling,
) {
  const metadata = object?.metadata ?? {};
  const owner = topOwner({ kind: '', name: '' }, metadata);
  const called = owner.name === '' ? textOf(metadata.generateName) || name : `${owner.kind}/${owner.name}`;
  const rules = [...new Set(ruling.findings.map(({ rule }) => rule))].sort();
  const identity = [namespace, kind.group, kind.kind, subResource, called, ruling.gate, rules];
  return `d-${digest([...identity, operation === 'CONNECT' ? object : templateOf(object)]).slice(0, 16)}`;
}

/** What runs, without what differs from pod to pod. */
function templateOf(object: AdmissionRequest['object']): unknown {
  const templates = fingerprintObject(object).filter(({ facet }) => facet === 'template');
  return templates.length > 0 ? templates.map(({ value }) => value) : object?.spec;
}

function digest(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(value) ?? '')
    .digest('hex');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
