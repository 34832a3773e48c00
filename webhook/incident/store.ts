import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { KubesentryError } from '../../api/errors.ts';
import type { Incident } from '../../api/incident.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import type { Policy } from '../admission/policy.ts';
import type { Placed } from '../intake/detections.ts';
import { Limiter, restAfter } from '../limiter.ts';
import type { Log } from '../log.ts';
import { Turns } from '../turns.ts';
import { belongsTo, isAboutSubject } from './belongs.ts';
import { correlate } from './correlate.ts';
import { incidentName, type Subject, subjectKey, subjectOf } from './subject.ts';
import { traitsOf } from './traits.ts';

export type IncidentStatus = NonNullable<Incident['status']>;

export interface IncidentStoreOptions {
  cluster: Cluster;
  policy: () => Policy;
  clock: () => Date;
  log: Log;
  /** What this replica has heard of an incident, perhaps not the latest: a write that rests on it is refused then. */
  known?: (name: string) => Incident | undefined;
  /** Hears of every incident that changed, after it is kept. */
  onChange?: (incident: Incident) => void;
}

const ATTEMPTS = 8;

/** Detections that are correlated in one go, in about ten milliseconds. */
const TOGETHER = 64;

/** Incidents that are written at a time; more would only queue up in the API server instead of in one batch each. */
const WRITERS = 4;

/** A write that takes longer shows that the API server is busy, milliseconds. */
const BUSY_MS = 250;

/** Detections of one subject that are written together. */
interface Batch {
  members: Placed[];
  /** Rejects when they could not be kept. */
  kept: Promise<void>;
}

/** Incidents of one subject that follow each other; more would mean that nobody ever ends the cause. */
const ROUNDS = 100;

/** Without a policy that acts by itself, incidents are still confirmed from here on. */
const CONFIRM_FROM = 0.9;

/**
 * Incidents in the API server. Several replicas write the same ones: each goes by what it has heard, and who is late reads
 * and repeats.
 */
export class IncidentStore {
  readonly #options: IncidentStoreOptions;
  /** One write at a time for each subject of this replica; a hundred agents may report the same DaemonSet. */
  readonly #turns = new Turns();
  /** By subject, what its next write takes along: a write costs the same for one detection as for a hundred. */
  readonly #batches = new Map<string, Batch>();
  readonly #writers = new Limiter(WRITERS, Number.POSITIVE_INFINITY, restAfter(BUSY_MS));

  constructor(options: IncidentStoreOptions) {
    this.#options = options;
  }

  /** Answers the ids that are now in the API server. What failed is left out, and comes again. */
  async add(placed: readonly Placed[]): Promise<string[]> {
    const groups = new Map<string, { subject: Subject; members: Placed[] }>();
    for (const each of placed) {
      const subject = subjectOf(each.detection, each.node);
      const key = subjectKey(subject);
      const group = groups.get(key) ?? { subject, members: [] };
      group.members.push(each);
      groups.set(key, group);
    }
    const kept = await Promise.all(
      [...groups.values()].map(({ subject, members }) => this.#addAll(subject, members)),
    );
    return kept.flat();
  }

  /** Changes the status of an incident; `change` may be called again when somebody else was faster. */
  async amend(
    name: string,
    change: (status: IncidentStatus, incident: Incident) => IncidentStatus,
  ): Promise<Incident | undefined> {
    return this.#turns.run(name, () =>
      this.#withRetry(async (attempt) => {
        const heard = attempt === 1 ? this.#options.known?.(name) : undefined;
        const incident = heard?.status ? heard : await this.#options.cluster.get(KIND.Incident, { name });
        if (!incident?.status) return undefined;
        return this.#write(incident, { ...incident, status: change(incident.status, incident) });
      }),
    );
  }

  async #addAll(subject: Subject, members: readonly Placed[]): Promise<string[]> {
    const ids = members.map(({ detection }) => detection.id);
    try {
      await this.#inBatch(subject, members);
      return ids;
    } catch (error) {
      this.#options.log.warn({ incident: incidentName(subject, 1), err: error }, 'detections were not kept');
      return [];
    }
  }

  /** What comes while the subject waits for its turn goes along; one that cannot be kept must not cost the others. */
  async #inBatch(subject: Subject, members: readonly Placed[]): Promise<void> {
    const key = subjectKey(subject);
    const open = this.#batches.get(key);
    if (open) {
      open.members.push(...members);
      await open.kept.catch((error: unknown) => {
        if (!isRefusal(error)) throw error;
        return this.#keep(subject, () => members);
      });
      return;
    }
    const batch: Batch = { members: [...members], kept: Promise.resolve() };
    this.#batches.set(key, batch);
    batch.kept = this.#keep(subject, () => {
      this.#batches.delete(key);
      return batch.members;
    });
    await batch.kept.catch((error: unknown) => {
      if (!isRefusal(error) || batch.members.length === members.length) throw error;
      return this.#keep(subject, () => members);
    });
  }

  #keep(subject: Subject, take: () => readonly Placed[]): Promise<void> {
    const name = incidentName(subject, 1);
    return this.#turns.run(name, () =>
      this.#writers.run(async () => {
        let left = take();
        for (let round = 1; left.length > 0 && round <= ROUNDS; round++) {
          left = await this.#withRetry((attempt) => this.#addToRound(subject, left, round, attempt));
        }
      }, this.#isUrgent(name)),
    );
  }

  /** A new attack goes before more of what is contained already. */
  #isUrgent(name: string): boolean {
    const phase = this.#options.known?.(name)?.status?.phase;
    return phase === undefined || phase === 'Detected';
  }

  /** Answers those that belong to a later incident: this one was closed before they happened, or is about another subject. */
  async #addToRound(
    subject: Subject,
    members: readonly Placed[],
    round: number,
    attempt: number,
  ): Promise<Placed[]> {
    const { cluster, policy, clock, known } = this.#options;
    const name = incidentName(subject, round);
    const before = known && attempt === 1 ? known(name) : await cluster.get(KIND.Incident, { name });
    if (!isAboutSubject(before, subject)) return [...members];
    const now = clock();
    const mine = members.filter(({ detection }) => belongsTo(before, detection, now));
    const confirmFrom = policy().containFrom ?? CONFIRM_FROM;
    let after = before;
    for (let at = 0; at < mine.length; at += TOGETHER) {
      // Admission must not wait for all of them.
      if (at > 0) await setImmediate();
      const seen = mine.slice(at, at + TOGETHER).map(({ detection, node, pod }) => ({
        detection,
        node,
        traits: traitsOf(detection, pod, subject),
      }));
      after = correlate(after, seen, { name, subject, confirmFrom });
    }
    if (after) await this.#write(before, after);
    return members.filter((each) => !mine.includes(each));
  }

  async #write(before: Incident | undefined, after: Incident): Promise<Incident> {
    const { cluster, onChange } = this.#options;
    if (before && isDeepStrictEqual(before.status, after.status)) return before;
    const { status: _, ...fresh } = after;
    const stored = before ?? (await cluster.create(KIND.Incident, fresh));
    const { resourceVersion } = stored.metadata;
    const metadata = { ...after.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    const written = await cluster.update(KIND.Incident, { ...after, metadata }, { subresource: 'status' });
    onChange?.(written);
    return written;
  }

  async #withRetry<T>(act: (attempt: number) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await act(attempt);
      } catch (error) {
        if (!isLate(error) || attempt === ATTEMPTS) throw error;
        // Not all at once again; the first time it may have been old news, which nobody else waits for.
        if (attempt > 1) await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * attempt));
      }
    }
  }
}

/** Somebody else has changed, made or deleted it since. */
function isLate(error: unknown): boolean {
  return (
    error instanceof KubesentryError && (error.code === 'KUBE_CONFLICT' || error.code === 'KUBE_NOT_FOUND')
  );
}

/** The API server understood and said no, so that the same again would be refused again. */
function isRefusal(error: unknown): boolean {
  return error instanceof KubesentryError && error.code === 'KUBE_REFUSED';
}
