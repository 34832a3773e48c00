import type { Ancestor, Detection } from '../../../api/detection.ts';
import type { Incident } from '../../../api/incident.ts';
import type { Report } from '../../../api/report.ts';

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
export function lineage({ process }: Detection): Ancestor[] {
  return [process, ...process.ancestors].reverse();
}

/** A process and what it started, as far as detections show it. */
export interface ProcessNode {
  process: Ancestor;
  /** Rules by which it was caught; none of one that only led there. */
  rules: string[];
  children: ProcessNode[];
}

/** The chains of one pod, put together where they share their beginning. */
export function processTrees(detections: readonly Detection[]): { pod: string; roots: ProcessNode[] }[] {
  const pods = new Map<string, ProcessNode[]>();
  for (const detection of detections) {
    const { container, rule } = detection;
    const pod = container?.pod ? `${container.namespace}/${container.pod}` : 'the node itself';
    const roots = pods.get(pod) ?? [];
    pods.set(pod, roots);
    let level = roots;
    let node: ProcessNode | undefined;
    for (const process of lineage(detection)) {
      node = level.find((each) => isSame(each.process, process));
      if (!node) {
        node = { process, rules: [], children: [] };
        level.push(node);
      }
      level = node.children;
    }
    if (node && !node.rules.includes(rule)) node.rules.push(rule);
  }
  return [...pods].map(([pod, roots]) => ({ pod, roots }));
}

/** A process id is given anew, with another program behind it. */
function isSame(a: Ancestor, b: Ancestor): boolean {
  return a.pid === b.pid && a.exe === b.exe;
}

/** How far each effect of the containment is, a line each. */
export function effects({ quarantine }: Report): string[] {
  return (quarantine?.status?.conditions ?? []).map(
    ({ type, status, message }) => `${type} ${status}: ${message}`,
  );
}

/** What an incident had no room for, in one sentence; undefined where nothing was left out. */
export function leftOut({ omitted }: NonNullable<Incident['status']>): string | undefined {
  const { detections, pods, timeline, nodes = 0, fingerprint = 0 } = omitted;
  const counts = { detections, pods, nodes, 'lines of the timeline': timeline, traits: fingerprint };
  const parts = Object.entries(counts).flatMap(([what, count]) =>
    count === 0 ? [] : [`${count < EXACT ? count : `about ${count.toLocaleString('en')}`} ${what}`],
  );
  return parts.length === 0 ? undefined : `Left out for size: ${parts.join(', ')}.`;
}

/** From about here on counts are estimates: see webhook/incident/bounded.ts. */
const EXACT = 900;
