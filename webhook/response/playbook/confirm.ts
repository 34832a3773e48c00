import type { Detection } from '../../../api/detection.ts';
import { type CpuCourse, cpuCourseOf, destinationsOf, findingsOf } from '../../incident/evidence.ts';
import type { IncidentStatus } from '../../incident/store.ts';
import type { Outcome } from './outcome.ts';

/** Step 1: what makes us sure, in the order in which an analyst asks: process, parent, hash, CPU, connections. */
export function confirm({ detections, reasons, confidence, pods, nodes }: IncidentStatus): Outcome {
  const [best] = detections;
  if (!best) return { state: 'Failed', message: 'The incident holds no detection.' };
  const evidence = [
    ...processLines(best),
    hashLine(detections),
    cpuLine(detections),
    ...connectionLines(detections),
    ...reasons.map((reason) => `because: ${reason}`),
  ];
  const where = `${count(pods.length, 'pod')} on ${count(nodes.length, 'node')}`;
  return {
    state: 'Done',
    message: `Mining with confidence ${confidence}: ${best.process.exe} in ${where}.`,
    evidence,
  };
}

function processLines({ process }: Detection): string[] {
  const [parent, ...further] = process.ancestors;
  const chain = further.map(({ exe }) => exe).join(' <- ');
  return [
    `process: ${process.exe} (pid ${process.pid}, uid ${process.uid}): ${process.argv.join(' ')}`,
    parent
      ? `parent: ${parent.exe} (pid ${parent.pid}): ${parent.argv.join(' ')}${chain ? ` <- ${chain}` : ''}`
      : 'parent: none in its container; the container itself starts it, or somebody who entered it',
  ];
}

function hashLine(detections: readonly Detection[]): string {
  const listed = detections.find((each) => findingsOf(each).some(({ rule }) => rule === 'miner-hash'));
  if (listed) return `hash: ${listed.process.sha256} is a known miner`;
  const hashed = detections.find(({ process }) => process.sha256 !== null);
  return hashed
    ? `hash: ${hashed.process.sha256}, in no list of known miners`
    : 'hash: the binary was gone before it could be read';
}

function cpuLine(detections: readonly Detection[]): string {
  const saturation = findingNamed(detections, 'cpu-anomaly') ?? findingNamed(detections, 'cpu-saturation');
  const rounding = findingNamed(detections, 'randomx-rounding');
  const said = [saturation, rounding].flatMap((finding) => finding?.message ?? []);
  const [course] = detections.flatMap((detection) => cpuCourseOf(detection) ?? []);
  const numbers = course === undefined ? [] : [numbersOf(course)];
  const known = [...numbers, ...said];
  return known.length > 0 ? `cpu: ${known.join(' ')}` : 'cpu: no saturation was measured';
}

function numbersOf({ samples, baseline }: CpuCourse): string {
  const percents = samples.map(([, percent]) => percent);
  const mean = Math.round(percents.reduce((sum, percent) => sum + percent, 0) / percents.length);
  const before = baseline === undefined ? 'what is usual is not known' : `${Math.round(baseline)} % is usual`;
  return `${mean} % of what it may use in the mean of ${count(samples.length, 'sample')}, ${Math.round(Math.max(...percents))} % at most; ${before}.`;
}

function connectionLines(detections: readonly Detection[]): string[] {
  const seen = new Set<string>();
  for (const detection of detections) {
    const how = detection.evidence.protocol === 'stratum' ? ', speaks stratum' : '';
    for (const { address, port } of destinationsOf(detection)) {
      const host = address.includes(':') ? `[${address}]` : address;
      seen.add(`connection: ${host}:${port}${how}`);
    }
  }
  return [...seen].sort().slice(0, 8);
}

function findingNamed(detections: readonly Detection[], rule: string) {
  return detections.flatMap(findingsOf).find((finding) => finding.rule === rule);
}

export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
