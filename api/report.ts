import type { Denial } from './denial.ts';
import type { Incident } from './incident.ts';
import type { Quarantine } from './quarantine.ts';

/** Everything that is known of an incident at one moment; as JSON it is the report. */
export interface Report {
  /** When it was put together, RFC 3339 UTC. */
  generated: string;
  incident: Incident;
  quarantine?: Quarantine;
  /** Requests that were refused because of the incident, the latest first. */
  denials: readonly Denial[];
  /** How many more were refused than the report holds. */
  denialsLeftOut?: number;
}

/**
 * A report that shows who wrote it: a detached JWS (RFC 7515, ES256) over the report without `signature`, in the
 * canonical form of RFC 8785. Formatting it anew does not break it; changing what it says does.
 */
export interface SignedReport extends Report {
  signature: { protected: string; signature: string };
}

/** Of one report; more are counted. */
export const REPORT_DENIALS = 200;

/** ConfigMap in our namespace with the signed report of an incident, gzipped. */
export const reportConfigMap = (incident: string) => `${incident}-report`;
export const REPORT_ENTRY = 'report.json.gz';

/** ConfigMap in our namespace with the public keys (a JWK Set) of all reports that were ever signed. */
export const REPORT_KEYS_CONFIG_MAP = 'kubesentry-report-keys';
export const REPORT_KEYS_ENTRY = 'jwks.json';
