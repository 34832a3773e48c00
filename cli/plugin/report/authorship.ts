import type { Report } from '../../../api/report.ts';

/** Who did it and how they came in, line by line; none without audit events. */
export function authorship({ incident }: Report): string[] {
  const attribution = incident.status?.attribution;
  if (!attribution) return [];
  const { creator, wayIn, siblings, changes, respawns, confidence, reasons, missing } = attribution;
  const as = creator?.impersonates ? ` as ${creator.impersonates}` : '';
  return [
    creator
      ? `${creator.user}${as} from ${creator.address || 'an unknown address'} with ${creator.userAgent || 'an unnamed program'}, confidence ${confidence} (audit ${creator.auditID})`
      : 'Not known.',
    ...reasons,
    ...wayIn.map(
      ({ time, user, address, message, auditID }) =>
        `Way in, ${time}: ${user}${address ? ` (${address})` : ''} ${message} (audit ${auditID})`,
    ),
    ...changes.map(
      ({ time, user, message, times }) =>
        `Changed, ${time}: ${user} ${message}${times > 1 ? `, ${times} times` : ''}`,
    ),
    ...siblings.map(
      ({ kind, namespace, name, strength, reasons: joined, incident: own }) =>
        `${strength === 'strong' ? 'Theirs as well' : 'Perhaps theirs'}: ${kind} ${namespace}/${name}: ${joined.join('; ')}${own ? ` (incident ${own})` : ''}`,
    ),
    ...(respawns > 0 ? [`Made again ${respawns} times after it was caught.`] : []),
    ...missing.map((line) => `Not known: ${line}`),
  ];
}
