import type { Incident } from '../../api/incident.ts';
import { GROUP, WEBHOOK_USER } from '../../api/names.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { isCleaner } from './requester.ts';
import type { AdmissionRequest } from './review.ts';

/** What somebody decided; the log, and the incident if there is one, have to tell who it was. */
export interface Overrule {
  /** Undefined for a Quarantine that people made without one. */
  incident: string | undefined;
  user: string;
  /** What they did, once for each thing. */
  acts: string[];
}

/** Pure; undefined for what is no decision of people. */
export function overruleOf(request: AdmissionRequest): Overrule | undefined {
  const { kind, userInfo, dryRun, subResource } = request;
  if (kind.group !== GROUP || dryRun || subResource !== '') return undefined;
  if (userInfo.username === WEBHOOK_USER || isCleaner(userInfo)) return undefined;
  const user = userInfo.username.slice(0, 256);
  const found =
    kind.kind === 'Quarantine'
      ? quarantineActs(request)
      : kind.kind === 'Incident'
        ? incidentActs(request)
        : undefined;
  return found && found.acts.length > 0 ? { ...found, user } : undefined;
}

function quarantineActs({
  operation,
  object,
  oldObject,
}: AdmissionRequest): Omit<Overrule, 'user'> | undefined {
  const { metadata, spec } = ((operation === 'DELETE' ? oldObject : object) ?? {}) as Partial<Quarantine>;
  const incident = typeof spec?.incident === 'string' && spec.incident !== '' ? spec.incident : undefined;
  const act = { DELETE: 'ended', CREATE: 'began', UPDATE: 'changed' }[operation as string];
  return act === undefined
    ? undefined
    : { incident, acts: [`${act} quarantine ${metadata?.name}${whyOf(spec)}`] };
}

/** Who contains what the cluster lives on says why. */
function whyOf(spec: Partial<Quarantine['spec']> | undefined): string {
  if (spec?.evenIfProtected !== true) return '';
  return ` of the whole namespace ${spec.namespace}, which the cluster lives on: ${spec.reason}`.slice(
    0,
    512,
  );
}

function incidentActs({
  operation,
  object,
  oldObject,
  name,
}: AdmissionRequest): Omit<Overrule, 'user'> | undefined {
  if (operation !== 'UPDATE') return undefined;
  const before = ((oldObject ?? {}) as Partial<Incident>).spec;
  const after = ((object ?? {}) as Partial<Incident>).spec;
  const approved = (after?.approvals ?? []).filter((step) => !before?.approvals?.includes(step));
  const dismissed = after?.dismissed !== undefined && before?.dismissed === undefined;
  return {
    incident: name,
    acts: [
      ...approved.map((step) => `approved the step ${step}`),
      ...(dismissed ? ['dismissed the incident'] : []),
    ],
  };
}
