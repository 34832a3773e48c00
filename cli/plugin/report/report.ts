import type { Denial } from '../../../api/denial.ts';
import type { Detection } from '../../../api/detection.ts';
import type { Incident } from '../../../api/incident.ts';
import type { Quarantine } from '../../../api/quarantine.ts';

/** Everything that a report is made of; as JSON it is the report. */
export interface Report {
  generated: string;
  incident: Incident;
  quarantine?: Quarantine;
  /** Requests that were refused because of the incident. */
  denials: readonly Denial[];
}

export function titleOf({ incident: { spec } }: Report): string {
  const { namespace, workload } = spec;
  return `Cryptomining in ${workload.kind} ${namespace === '' ? '' : `${namespace}/`}${workload.name}`;
}

/** A course of CPU use that a node measured: time in milliseconds since 1970, share of what was allowed in percent. */
export interface CpuCourse {
  pod: string;
  samples: readonly (readonly [time: number, percent: number])[];
  /** What it used before, in percent; undefined where nothing was learned. */
  baseline: number | undefined;
}

export function cpuCourses({ incident }: Report): CpuCourse[] {
  return (incident.status?.detections ?? []).flatMap(({ evidence, container }) => {
    const { samples, baseline } = (evidence.cpu ?? {}) as { samples?: unknown; baseline?: unknown };
    if (!Array.isArray(samples)) return [];
    const valid = samples.filter(
      (each): each is [number, number] =>
        Array.isArray(each) && each.length === 2 && each.every((value) => Number.isFinite(value)),
    );
    if (valid.length < 2) return [];
    const known = typeof baseline === 'number' && Number.isFinite(baseline) ? baseline : undefined;
    return [{ pod: container?.pod ?? 'the node', samples: valid, baseline: known }];
  });
}

/** From the first process of the chain down to the one that was caught. */
export function lineage({ process }: Detection): { pid: number; exe: string; argv: readonly string[] }[] {
  return [process, ...process.ancestors].reverse();
}
