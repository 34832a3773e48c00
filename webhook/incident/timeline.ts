import type { Detection } from '../../api/detection.ts';
import { INCIDENT_BOUNDS, type Incident, type TimelineEntry } from '../../api/incident.ts';
import { printable } from '../../api/printable.ts';
import { leaveOut } from './bounded.ts';

type Status = NonNullable<Incident['status']>;

/** Lines beside those of the detections; the oldest half and the newest half are kept. */
const LINES = INCIDENT_BOUNDS.timeline - INCIDENT_BOUNDS.detections;
export const NO_MARKS = { detections: '', pods: '', timeline: '', nodes: '', fingerprint: '' };

/** Adds lines that no detection stands for: what the response did, what admission refused. A known line changes nothing. */
export function addTimeline(status: Status, entries: readonly TimelineEntry[]): Status {
  const all = new Map<string, TimelineEntry>();
  const more = entries.map((entry) => ({ ...entry, message: printable(entry.message) }));
  for (const entry of [...othersOf(status.timeline), ...more]) {
    const before = all.get(lineKey(entry));
    if (!before || compareLines(entry, before) < 0) all.set(lineKey(entry), entry);
  }
  const sorted = [...all.values()].sort(compareLines);
  const kept = sorted.length <= LINES ? sorted : [...sorted.slice(0, LINES / 2), ...sorted.slice(-LINES / 2)];
  const marks = status.omitted.marks ?? NO_MARKS;
  const leftOut = leaveOut(marks.timeline, all.keys(), kept.map(lineKey));
  return {
    ...status,
    timeline: withDetections(kept, status.detections),
    omitted: {
      ...status.omitted,
      timeline: leftOut.count,
      marks: { ...marks, timeline: leftOut.marks },
    },
  };
}

/** The lines of detections are made anew from those that are kept; the others stay. */
export function withDetections(
  timeline: readonly TimelineEntry[],
  detections: readonly Detection[],
): TimelineEntry[] {
  return [...othersOf(timeline), ...detections.map(lineOf)].sort(compareLines);
}

function othersOf(timeline: readonly TimelineEntry[]): TimelineEntry[] {
  return timeline.filter(({ source }) => source !== 'runtime');
}

function lineOf({ id, time, rule, process, container, action }: Detection): TimelineEntry {
  const where = container?.pod ? ` in pod ${container.pod}` : '';
  const done = action === 'none' ? '' : `; ${action} by the node`;
  const how = process.pid === 0 ? 'by its manifest' : `pid ${process.pid}`;
  const message = `${rule}: ${printable(process.exe.slice(0, 256))} (${how})${where}${done}.`;
  return { time, source: 'runtime', reference: id, message };
}

function lineKey({ time, source, reference, message }: TimelineEntry): string {
  // A reference stands for its line: the same Denial or step is told once, by whichever replica.
  return reference === undefined ? `${time} ${source} ${message}` : `${source} ${reference}`;
}

function compareLines(a: TimelineEntry, b: TimelineEntry): number {
  const [left, right] = [a, b].map(({ time, source, reference, message }) =>
    JSON.stringify([time, source, reference, message]),
  ) as [string, string];
  return left < right ? -1 : left > right ? 1 : 0;
}
