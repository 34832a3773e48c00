import type { KubeObject } from '../api/object.ts';
import { oneLine } from './admission/message.ts';

/** events.k8s.io/v1 bounds a note to so many bytes. */
const NOTE = 1000;

/** Events about what is in no namespace live here (k8s.io/client-go/tools/record). */
const CLUSTER_EVENTS = 'default';

/** What an Event says. */
export interface Telling {
  /** Follows from what is told, so that it is told once. */
  name: string;
  /** Of the object that it is about; undefined or empty for what is in none. */
  namespace: string | undefined;
  type: 'Normal' | 'Warning';
  /** Why, as one word in CamelCase. */
  reason: string;
  /** What was done or failed, as one word. */
  action: string;
  note: string;
  /** As Date.toISOString writes it. */
  time: string;
  /** Where it happened more than once. */
  series?: { count: number; last: string };
  /** ObjectReference; its namespace is added. */
  regarding: { apiVersion?: string; kind: string; name: string; uid?: string };
}

/** An Event of this webhook (events.k8s.io/v1), which `kubectl describe` shows below the object that it is about. */
export function eventOf(telling: Telling): KubeObject {
  const { name, namespace, type, reason, action, note, time, series, regarding } = telling;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `kubesentry.${name}`, namespace: namespace || CLUSTER_EVENTS },
    type,
    reason,
    action,
    note: within(oneLine(note, NOTE)),
    eventTime: microTime(time),
    ...(series && { series: { count: series.count, lastObservedTime: microTime(series.last) } }),
    reportingController: 'kubesentry.io/webhook',
    reportingInstance: 'kubesentry-webhook',
    regarding: { ...regarding, ...(namespace && { namespace }) },
  };
}

/** Letters outside of ASCII take up to four bytes; a part of one is none. */
function within(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= NOTE) return text;
  return `${new TextDecoder().decode(bytes.subarray(0, NOTE - 3), { stream: true })}...`;
}

/** metav1.MicroTime has six digits. */
function microTime(time: string): string {
  return time.replace(/\.(\d{3})Z$/, '.$1000Z');
}
