import { setTimeout as sleep } from 'node:timers/promises';
import { KubesentryError } from '../../api/errors.ts';
import type { IncidentStore } from '../incident/store.ts';
import { Limiter } from '../limiter.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ClusterView } from '../view.ts';
import type { Placed } from './detections.ts';
import { readDetection } from './report.ts';
import { VOLUME_BYTES, type Volumes } from './volumes.ts';

export interface JournalOptions {
  incidents: Pick<IncidentStore, 'add'>;
  volumes: Pick<Volumes, 'write' | 'delete' | 'read' | 'names'>;
  view: Pick<ClusterView, 'pods'>;
  metrics: Pick<Metrics, 'journaled'>;
  log: Log;
  /** How long a report waits for its incidents before the journal takes it; 100 ms unless told, but not in a storm. */
  patienceMs?: number | undefined;
  /** Between two looks for volumes of replicas that are gone; 30 s unless told. */
  adoptMs?: number | undefined;
}

const PATIENCE_MS = 100;
/** The same while others are in the journal already: enough for those that come at the same moment to go together. */
const STORM_MS = 10;
const ADOPT_MS = 30_000;

/** Of reports whose detections are not in their incidents yet. */
const WAITING_BYTES = 32 * 1024 * 1024;

/** Volumes that are written at a time. */
const WRITERS = 3;

/** After an attempt to put what a volume holds into its incidents. */
const PAUSE_MS = { first: 1_000, longest: 30_000 } as const;

/** One report. */
interface Entry {
  placed: readonly Placed[];
  bytes: number;
  /** Ids that are in their incidents. */
  kept: Promise<string[]>;
  /** Tells whether it is in a volume. */
  settle: (isWritten: boolean) => void;
}

/**
 * Acknowledges detections once they are safe: in their incidents mostly, and where those are too slow, as in a storm,
 * in a volume of the journal, one write for all reports that wait. A volume is deleted when all that it holds is in its
 * incidents. Where a replica died before that, the leader sees to it: an incident takes the same detection any number
 * of times.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #closing = new AbortController();
  readonly #writers = new Limiter(WRITERS);
  readonly #ours = new Set<string>();
  #open: Entry[] = [];
  #waiting = 0;
  #looks: NodeJS.Timeout | undefined;
  /** Volumes of others that were there at the last look. */
  #seen: ReadonlySet<string> = new Set();

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** Answers the ids that are safe. `bytes` is the size of the report. Raises OVERLOADED when too much waits. */
  async keep(placed: readonly Placed[], bytes: number): Promise<string[]> {
    if (this.#waiting + bytes > WAITING_BYTES) {
      throw new KubesentryError('OVERLOADED', 'More detections wait for their incidents than can be held.');
    }
    this.#waiting += bytes;
    const kept = this.#options.incidents.add(placed);
    const isStorm = this.#ours.size > 0;
    const patience = isStorm ? STORM_MS : (this.#options.patienceMs ?? PATIENCE_MS);
    const inTime = await Promise.race([kept, sleep(patience, undefined, { ref: false })]);
    if (inTime || bytes > VOLUME_BYTES) {
      const ids = inTime ?? (await kept);
      this.#waiting -= bytes;
      return ids;
    }
    const { promise: written, resolve: settle } = Promise.withResolvers<boolean>();
    this.#open.push({ placed, bytes, kept, settle });
    void this.#writers.run(() => this.#writeOpen());
    const inVolume = written.then((isWritten) => (isWritten ? idsOf(placed) : kept));
    return Promise.race([kept, inVolume]);
  }

  /** The leader looks after the volumes of replicas that are gone. */
  lead(leads: boolean): void {
    clearInterval(this.#looks);
    this.#seen = new Set();
    if (!leads) return;
    this.#looks = setInterval(() => void this.#adopt(), this.#options.adoptMs ?? ADOPT_MS);
    this.#looks.unref();
  }

  /** What is in a volume by then is put into its incidents by another replica. */
  close(): void {
    this.#closing.abort();
    clearInterval(this.#looks);
  }

  async #writeOpen(): Promise<void> {
    const entries = this.#nextEntries();
    if (entries.length === 0) return;
    const told = entries.flatMap(({ placed }) => placed.map(({ detection, node }) => ({ detection, node })));
    const { volumes, metrics, log } = this.#options;
    try {
      const name = await volumes.write(told);
      this.#ours.add(name);
      metrics.journaled.inc(told.length);
      for (const { settle } of entries) settle(true);
      void this.#empty(name, entries).finally(() => metrics.journaled.dec(told.length));
    } catch (error) {
      log.warn({ err: error }, 'the journal could not be written; reports wait for their incidents');
      for (const { settle, kept, bytes } of entries) {
        settle(false);
        void kept.then(() => this.#give(bytes));
      }
    }
  }

  /** Those that fit into one volume. */
  #nextEntries(): Entry[] {
    let size = 0;
    const end = this.#open.findIndex(({ bytes }) => {
      size += bytes;
      return size > VOLUME_BYTES;
    });
    return this.#open.splice(0, end < 0 ? this.#open.length : end);
  }

  /** Deletes the volume once all of it is in its incidents; tries as long as it takes. */
  async #empty(name: string, entries: readonly Entry[]): Promise<void> {
    const { incidents, volumes, log } = this.#options;
    let left = await unkept(entries);
    for (let pause: number = PAUSE_MS.first; left.length > 0; pause = Math.min(2 * pause, PAUSE_MS.longest)) {
      log.warn({ volume: name, reports: left.length, retryInMs: pause }, 'the journal is put back later');
      await sleep(pause, undefined, { ref: false });
      if (this.#closing.signal.aborted) return;
      left = await unkept(left.map((entry) => ({ ...entry, kept: incidents.add(entry.placed) })));
    }
    // One that stays is found by the leader.
    await volumes
      .delete(name)
      .catch((error: unknown) => log.warn({ volume: name, err: error }, 'not deleted'));
    this.#ours.delete(name);
    for (const { bytes } of entries) this.#give(bytes);
  }

  #give(bytes: number): void {
    this.#waiting -= bytes;
  }

  async #adopt(): Promise<void> {
    const { volumes, log } = this.#options;
    try {
      const others = (await volumes.names()).filter((name) => !this.#ours.has(name));
      for (const name of others.filter((each) => this.#seen.has(each))) await this.#putBack(name);
      this.#seen = new Set(others);
    } catch (error) {
      log.warn({ err: error }, 'volumes of the journal could not be looked for');
    }
  }

  async #putBack(name: string): Promise<void> {
    const { incidents, volumes, view, log } = this.#options;
    try {
      const told = await volumes.read(name);
      if (!told) return;
      const placed = told.flatMap((each) => {
        const reading = readDetection(each.detection);
        if ('problem' in reading) return [];
        const { detection } = reading;
        return { detection, node: each.node, pod: view.pods.byUid(detection.container?.podUid ?? '') };
      });
      const kept = await incidents.add(placed);
      log.info({ volume: name, detections: kept.length }, 'put back what another replica had acknowledged');
      if (kept.length === placed.length) await volumes.delete(name);
    } catch (error) {
      log.error({ volume: name, err: error }, 'a volume of the journal could not be put back');
    }
  }
}

async function unkept(entries: readonly Entry[]): Promise<Entry[]> {
  const isLeft = await Promise.all(
    entries.map(async ({ kept, placed }) => (await kept).length < placed.length),
  );
  return entries.filter((_, index) => isLeft[index]);
}

function idsOf(placed: readonly Placed[]): string[] {
  return placed.map(({ detection }) => detection.id);
}
