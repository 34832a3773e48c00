import type { PlaybookStep } from '../../api/playbook.ts';
import type { Write } from './tap.ts';

const to = (method: string, path: RegExp) => (write: Write) =>
  write.method === method && path.test(write.path);

/** The write of the incident by which a step becomes done. */
const tells = (step: PlaybookStep) => (write: Write) =>
  to('PUT', /\/incidents\/[^/]+\/status/)(write) &&
  write.body.status.steps?.find((each: { step: string; state: string }) => each.step === step)?.state ===
    'Done';

const reaches = (phase: string) => (write: Write) =>
  to('PUT', /\/incidents\/[^/]+\/status/)(write) && write.body.status.phase === phase;

/**
 * Every write of a whole response, in order: a leader that dies between one and the next leaves the work half done in a
 * different way each time.
 */
export const CRASH_POINTS = {
  'the incident is created': to('POST', /\/incidents\b/),
  'the incident is told': reaches('Confirmed'),
  'the namespace is labelled': to('PATCH', /\/api\/v1\/namespaces\/[^/?]+\?/),
  'the quarantine is created': to('POST', /\/quarantines\b/),
  'the quarantine is active': to('PATCH', /\/quarantines\/[^/]+\/status/),
  'the incident is contained': reaches('Contained'),
  'the network policy is applied': to('PATCH', /\/networkpolicies\//),
  'what it looks at is told (confirm, blastRadius, wayIn)': tells('confirm'),
  'the manifest is kept (terminate)': to('POST', /\/secrets\b/),
  'the owner is deleted (terminate)': to('DELETE', /\/daemonsets\//),
  'terminate is told': tells('terminate'),
  'the account is kept (revoke)': to('PATCH', /\/secrets\//),
  'the account is deleted (revoke)': to('DELETE', /\/serviceaccounts\//),
  // The controller makes one called default by itself, mostly sooner than we do: then it is patched.
  'the account is made anew (revoke)': (write) =>
    to('POST', /\/serviceaccounts\b/)(write) || to('PATCH', /\/serviceaccounts\//)(write),
  'revoke is told': tells('revoke'),
  'the report is told': tells('report'),
} as const satisfies Record<string, (write: Write) => boolean>;

export type CrashPoint = keyof typeof CRASH_POINTS;
