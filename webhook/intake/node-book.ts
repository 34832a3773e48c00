import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { KubesentryError } from '../../api/errors.ts';
import { HABITS_CONFIG_MAP, NODES_CONFIG_MAP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { Habit, NodeState } from '../../api/node-state.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import type { Log } from '../log.ts';

export interface NodeBookOptions {
  cluster: Pick<Cluster, 'get' | 'create' | 'patch'>;
  clock: () => Date;
  log: Pick<Log, 'warn'>;
}

/** What is kept of a node: what it cannot do, and what it lost. */
export interface NodeNote {
  time: string;
  version: string;
  /** Abilities that are off, or there in part, each with the reason. */
  missing: { name: string; detail: string }[];
  lost: Record<string, number>;
}

const WORKLOADS = 4096;
const NODES = 2000;
/** A node that has not spoken for so long is forgotten, milliseconds. */
const FORGOTTEN_MS = 24 * 3_600_000;
/** What did not change is written again this seldom, so that people see that the node still speaks. */
const REFRESH_MS = 600_000;
const DETAIL = 200;
const KEEP_MS = 30_000;

/**
 * What the agents say of their nodes and of the habits of workloads, in two ConfigMaps, one entry each: replicas write
 * their own entries and read those of the others. It survives every pod that it is about.
 */
export class NodeBook {
  readonly #options: NodeBookOptions;
  readonly #nodes = new LRUCache<string, NodeNote>({ max: NODES });
  readonly #habits = new LRUCache<string, Habit>({ max: WORKLOADS });
  /** Entries that are to be written, by key; null takes one out. */
  #nodesToWrite = new Map<string, string | null>();
  #habitsToWrite = new Map<string, string | null>();

  #timer: NodeJS.Timeout | undefined;

  constructor(options: NodeBookOptions) {
    this.#options = options;
  }

  /** Reads what was kept before, and keeps what comes from now on. */
  start(): void {
    void this.keep();
    this.#timer = setInterval(() => void this.keep(), KEEP_MS).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#nodesToWrite.size + this.#habitsToWrite.size > 0) await this.keep();
  }

  /** Takes a node's word; answers the habits that others have watched for longer. */
  note(node: string, state: NodeState): Habit[] {
    this.#noteNode(node, state);
    return state.habits.flatMap((habit) => {
      const known = this.#habits.get(habit.workload);
      if (known && known.seconds > habit.seconds) return [known];
      if (habit.seconds > 0) this.#learn(habit);
      return [];
    });
  }

  /** Reads what other replicas have written, and writes what is new here. Failures are told and tried again. */
  async keep(): Promise<void> {
    try {
      for (const [key, text] of Object.entries(await this.#read(HABITS_CONFIG_MAP))) {
        if (this.#habitsToWrite.has(key)) continue;
        const habit = JSON.parse(text) as Habit;
        const known = this.#habits.get(habit.workload);
        if (!known || habit.seconds >= known.seconds) this.#habits.set(habit.workload, habit);
      }
      const before = this.#options.clock().getTime() - FORGOTTEN_MS;
      for (const [node, text] of Object.entries(await this.#read(NODES_CONFIG_MAP))) {
        if (Date.parse((JSON.parse(text) as NodeNote).time) < before && !this.#nodesToWrite.has(node))
          this.#nodesToWrite.set(node, null);
      }
      this.#nodesToWrite = await this.#write(NODES_CONFIG_MAP, this.#nodesToWrite);
      this.#habitsToWrite = await this.#write(HABITS_CONFIG_MAP, this.#habitsToWrite);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'what nodes say of themselves could not be kept; tried again');
    }
  }

  #noteNode(node: string, { version, abilities, lost }: NodeState): void {
    const missing = abilities
      .filter(({ state }) => state === 'off' || state === 'part')
      .map(({ name, detail }) => ({ name, detail: detail.slice(0, DETAIL) }));
    const some = Object.fromEntries(Object.entries(lost).filter(([, count]) => count > 0));
    const time = this.#options.clock().toISOString();
    const note: NodeNote = { time, version, missing, lost: some };
    const before = this.#nodes.get(node);
    const isNews = !before || JSON.stringify({ ...before, time }) !== JSON.stringify(note);
    if (!isNews && Date.parse(time) - Date.parse(before.time) < REFRESH_MS) return;
    this.#nodes.set(node, note);
    this.#nodesToWrite.set(node, JSON.stringify(note));
  }

  #learn(habit: Habit): void {
    const { workload } = habit;
    this.#habits.set(workload, habit);
    const key = createHash('sha256').update(workload).digest('hex').slice(0, 24);
    this.#habitsToWrite.set(key, JSON.stringify(habit));
  }

  async #read(name: string): Promise<Record<string, string>> {
    const key = { namespace: SYSTEM_NAMESPACE, name };
    const found = (await this.#options.cluster.get(KIND.ConfigMap, key)) as
      | { data?: Record<string, string> }
      | undefined;
    return found?.data ?? {};
  }

  /** Answers what came meanwhile and is still to be written. */
  async #write(name: string, entries: Map<string, string | null>): Promise<Map<string, string | null>> {
    if (entries.size === 0) return entries;
    const { cluster } = this.#options;
    const key = { namespace: SYSTEM_NAMESPACE, name };
    const data = Object.fromEntries(entries);
    try {
      await cluster.patch(KIND.ConfigMap, key, { data });
    } catch (error) {
      if (!(error instanceof KubesentryError && error.code === 'KUBE_NOT_FOUND')) throw error;
      const given = Object.fromEntries(Object.entries(data).filter(([, text]) => text !== null));
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: key, data: given };
      await cluster.create(KIND.ConfigMap, object);
    }
    return new Map([...entries].filter(([entry, text]) => data[entry] !== text));
  }
}
