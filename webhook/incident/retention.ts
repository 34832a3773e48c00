import { KubesentryError } from '../../api/errors.ts';
import type { Incident } from '../../api/incident.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { everyObject } from '../../kube/every-object.ts';
import { KIND } from '../../kube/kind.ts';
import { subjectKey } from './subject.ts';

/** How long an incident is kept after anything was added to it. */
export const INCIDENT_DAYS = 30;

/** Of those that could go, the newest so many are kept: each takes 20 to 50 KiB of etcd and of our memory. */
const PER_NAMESPACE = 100;
const IN_ALL = 1000;

/** What agents saw before the end may arrive a while after it, and must still find its incident. */
const AT_LEAST_MS = 60 * 60_000;

export interface Retention {
  now: Date;
  /** Where no policy has anything contained, nobody is asked about what is confirmed: it goes as a suspicion does. */
  isOnlyWatched?: boolean | undefined;
  days?: number | undefined;
  perNamespace?: number | undefined;
  inAll?: number | undefined;
}

/** Why an incident goes: it is old, or there are too many newer ones. */
export type WhyExpired = 'age' | 'room';

/** All incidents of one workload. They go together: the next detection looks for its incident from the first one on. */
interface History {
  namespace: string;
  incidents: Incident['metadata'][];
  /** When anything was added to one of them, milliseconds since 1970. */
  touched: number;
  mayGo: boolean;
}

/**
 * Deletes what is over: incidents that were closed or dismissed, and suspicions that never became more. One that waits
 * for people stays, and one that a Quarantine speaks of. The API server deletes the signed report and the
 * evidence with it. Answers how many went; raises what the cluster raises.
 */
export async function expireIncidents(
  cluster: Cluster,
  retention: Retention,
): Promise<Record<WhyExpired, number>> {
  const { items } = await cluster.list(KIND.Quarantine);
  const histories = new Map<string, History>();
  for await (const incident of everyObject(cluster, KIND.Incident)) {
    note(histories, incident, items, retention);
  }
  const deleted = { age: 0, room: 0 };
  for (const [{ incidents }, why] of expired([...histories.values()], retention)) {
    for (const metadata of incidents.toSorted(lastFirst)) {
      if (!(await deleteUnchanged(cluster, metadata))) break;
      deleted[why]++;
    }
  }
  return deleted;
}

function note(
  histories: Map<string, History>,
  { metadata, spec, status }: Incident,
  quarantines: readonly Quarantine[],
  { now, isOnlyWatched = false }: Retention,
): void {
  const key = subjectKey(spec);
  const history = histories.get(key) ?? {
    namespace: spec.namespace,
    incidents: [],
    touched: 0,
    mayGo: true,
  };
  const { name = '', uid, resourceVersion, creationTimestamp } = metadata;
  history.incidents.push({
    name,
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
  });
  history.touched = Math.max(history.touched, lastTouched({ metadata, status }, now));
  const isHeld = quarantines.some(
    (quarantine) => quarantine.spec.incident === name || quarantine.metadata.name === status?.quarantine,
  );
  history.mayGo &&= !isHeld && !waitsForPeople(status, isOnlyWatched);
  histories.set(key, history);
}

/** A mere suspicion waits for more evidence, and one without a status was never finished. */
function waitsForPeople(status: Incident['status'], isOnlyWatched: boolean): boolean {
  const phase = status?.phase ?? 'Detected';
  const isAsked = status?.steps?.some(({ state }) => state === 'AwaitingApproval') ?? false;
  return (
    (phase === 'Confirmed' && (isAsked || !isOnlyWatched)) || phase === 'Contained' || phase === 'Eradicated'
  );
}

/** Nodes may have their clocks ahead: what would be in the future does not count. */
function lastTouched(
  { metadata, status }: { metadata: Incident['metadata']; status: Incident['status'] },
  now: Date,
): number {
  const times = [
    metadata.creationTimestamp,
    status?.lastSeen,
    ...(status?.conditions ?? []).map(({ lastTransitionTime }) => lastTransitionTime),
    ...(status?.timeline ?? []).map(({ time }) => time),
  ];
  return times
    .map((time) => Date.parse(time ?? ''))
    .filter((time) => time <= now.getTime())
    .reduce((latest, time) => Math.max(latest, time), 0);
}

function* expired(
  histories: readonly History[],
  { now, days = INCIDENT_DAYS, perNamespace = PER_NAMESPACE, inAll = IN_ALL }: Retention,
): Generator<[History, WhyExpired]> {
  const kept = new Map<string, number>();
  let all = 0;
  const newestFirst = histories.filter(({ mayGo }) => mayGo).sort((a, b) => b.touched - a.touched);
  for (const history of newestFirst) {
    const { namespace, incidents, touched } = history;
    const here = (kept.get(namespace) ?? 0) + incidents.length;
    const age = now.getTime() - touched;
    if (age > days * 86_400_000) yield [history, 'age'];
    else if (age > AT_LEAST_MS && (here > perNamespace || all + incidents.length > inAll))
      yield [history, 'room'];
    else {
      kept.set(namespace, here);
      all += incidents.length;
    }
  }
}

/** So that no gap is left where the deletion breaks off: it would be taken for the next incident. */
function lastFirst(a: Incident['metadata'], b: Incident['metadata']): number {
  const [left, right] = [a, b].map(({ creationTimestamp = '' }) => Date.parse(creationTimestamp));
  return (
    (right as number) - (left as number) ||
    (b.name ?? '').localeCompare(a.name ?? '', 'en', { numeric: true })
  );
}

/** Whether it is gone: one that somebody has changed meanwhile is looked at again the next time. */
async function deleteUnchanged(
  cluster: Cluster,
  { name = '', uid, resourceVersion }: Incident['metadata'],
): Promise<boolean> {
  try {
    await cluster.delete(KIND.Incident, { name }, { uid, resourceVersion });
    return true;
  } catch (error) {
    if (error instanceof KubesentryError && error.code === 'KUBE_CONFLICT') return false;
    throw error;
  }
}
