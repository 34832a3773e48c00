import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BpfError, type BpfMap, BpfObject, type Link, type Program, RingBuffer, u32 } from 'node-libbpf';
import { Births } from './births.ts';
import { Control } from './control.ts';
import { EVENT, type EventName } from './events.ts';
import { KnownExecs } from './known-execs.ts';
import { type Spending, spendingOf } from './spending.ts';

/** One compiled file each. `exec`, `process` and `cgroup` are what identity rests on. */
const FAMILIES = ['exec', 'process', 'cgroup', 'connect', 'egress', 'names', 'iter', 'fpu', 'lsm'] as const;

/** What has a substitute where the kernel does not take it: SIGKILL at exec stands in for a refusal by BPF LSM. */
export const OPTIONAL: readonly Family[] = ['lsm'];

export type Family = (typeof FAMILIES)[number];

/** Maps that the families share. */
const SHARED = [
  'events',
  'dropped',
  'settings',
  'listed_names',
  'listed_destinations',
  'allowed_destinations',
  'listed_domains',
  'cgroup_policies',
  'newcomers',
  'sockets',
  'births',
  'budgets',
  'folded',
  'known_execs',
] as const;

type SharedMap = (typeof SHARED)[number];

export type Snapshot = 'processes' | 'connections' | 'sockets';

export interface ProgramsOptions {
  /** Mount point of cgroup v2, where the network programs attach; without it they are reported as failed. */
  cgroupRoot: string | undefined;
  /** Whose v1 hierarchy tells containers apart, on hosts where the pods are there. */
  v1Controller?: 'memory' | 'pids' | 'cpu';
  families?: readonly Family[];
  /** Bytes of the ring, a power of two and pages; 4 MiB unless given. */
  ringBytes?: number;
  /** Folder of the compiled programs; unless given, dist/bpf of the checkout, or bpf/ beside the bundle. */
  directory?: string;
}

export interface FamilyState {
  family: Family;
  /** Names of programs that are at work. */
  attached: string[];
  /** Names of programs that this kernel refused, with the reason. */
  failed: { program: string; error: BpfError }[];
}

const V1_CONTROLLER = { memory: 1, pids: 2, cpu: 3 } as const;

/**
 * All programs, loaded and attached. A family that this kernel refuses is reported in `families` and the others work.
 * Closing detaches everything at once.
 */
export class Programs implements Disposable {
  readonly families: readonly FamilyState[];
  readonly control: Control;
  readonly births: Births;
  readonly knownExecs: KnownExecs;
  readonly #maps: Map<SharedMap, BpfMap>;
  readonly #objects: Map<Family, BpfObject>;
  readonly #links: Link[];

  private constructor(
    families: FamilyState[],
    maps: Map<SharedMap, BpfMap>,
    objects: Map<Family, BpfObject>,
    links: Link[],
  ) {
    this.families = families;
    this.#maps = maps;
    this.#objects = objects;
    this.#links = links;
    this.control = new Control({
      settings: this.#map('settings'),
      listed_names: this.#map('listed_names'),
      listed_destinations: this.#map('listed_destinations'),
      allowed_destinations: this.#map('allowed_destinations'),
      listed_domains: this.#map('listed_domains'),
      cgroup_policies: this.#map('cgroup_policies'),
    });
    this.births = new Births(this.#map('births'));
    this.knownExecs = new KnownExecs(this.#map('known_execs'));
  }

  /** Throws BpfError only if not even the maps can be made, which privilege or memory explains. */
  static load(options: ProgramsOptions): Programs {
    const { families = FAMILIES, directory = compiledPrograms() } = options;
    const maps = new Map<SharedMap, BpfMap>();
    const objects = new Map<Family, BpfObject>();
    const links: Link[] = [];
    try {
      shareMaps(maps, join(directory, 'maps.bpf.o'), options.ringBytes ?? 4 * 1024 * 1024);
      const states = families.map((family) => {
        const state: FamilyState = { family, attached: [], failed: [] };
        const object = loadFamily(join(directory, `${family}.bpf.o`), maps, options, state);
        if (!object) return state;
        objects.set(family, object);
        for (const program of object.programs.values()) attach(program, options.cgroupRoot, state, links);
        return state;
      });
      return new Programs(states, maps, objects, links);
    } catch (error) {
      for (const each of [...links, ...objects.values(), ...maps.values()]) each.close();
      throw error;
    }
  }

  /** The one consumer of events; see RingBuffer of node-libbpf, and EventView for what is in the slab. */
  openRing(buffer: Uint8Array, onBatch: (count: number, bytes: number) => void): RingBuffer {
    return new RingBuffer(this.#map('events'), { buffer, onBatch });
  }

  /** Events that were lost because the ring was full, since the start, by type. */
  dropped(): Record<EventName, bigint> {
    return this.#byType('dropped');
  }

  /** Events that only repeated what was handed up before, and were counted instead, by type. */
  folded(): Record<EventName, bigint> {
    return this.#byType('folded');
  }

  /** The cgroups of which something was folded or dropped, as far as the kernel remembers them. */
  spending(): Spending[] {
    return spendingOf(this.#map('budgets'));
  }

  #byType(name: 'dropped' | 'folded'): Record<EventName, bigint> {
    const counters = this.#map(name);
    const key = Buffer.alloc(u32.size);
    const entries = Object.entries(EVENT).map(([name, type]) => {
      u32.encode(type, key);
      return [name, counters.sum(key)];
    });
    return Object.fromEntries(entries) as Record<EventName, bigint>;
  }

  /**
   * What exists now, as records for `eachRecord`: processes; the TCP connections that they hold; or the TCP sockets of our
   * own network, whoever has them. Empty where the kernel has no such iterator.
   */
  snapshot(what: Snapshot): Buffer {
    const name = `iterate_${what}`;
    const isAttached = this.families.some(({ attached }) => attached.includes(name));
    return isAttached
      ? (this.#objects.get('iter')?.program(name).iterate() ?? Buffer.alloc(0))
      : Buffer.alloc(0);
  }

  close(): void {
    for (const each of [...this.#links, ...this.#objects.values(), ...this.#maps.values()]) each.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #map(name: SharedMap): BpfMap {
    const map = this.#maps.get(name);
    if (!map) throw new RangeError(`maps.bpf.o has no map ${name}.`);
    return map;
  }
}

function compiledPrograms(): string {
  const beside = join(import.meta.dirname, 'bpf');
  return existsSync(beside) ? beside : join(import.meta.dirname, '..', 'dist', 'bpf');
}

function shareMaps(maps: Map<SharedMap, BpfMap>, file: string, ringBytes: number): void {
  using object = BpfObject.open(file).resizeMap('events', ringBytes).load();
  for (const name of SHARED) maps.set(name, object.map(name));
}

/** How often a load is repeated that a signal interrupted (the verifier then says EAGAIN). */
const INTERRUPTIONS = 20;

/**
 * Loads as much of a family as the kernel takes. libbpf loads an object whole or not at all and says in its log which
 * program failed, so that each try leaves that one out.
 */
function loadFamily(
  file: string,
  maps: Map<SharedMap, BpfMap>,
  options: ProgramsOptions,
  state: FamilyState,
): BpfObject | undefined {
  const refused = new Set<string>();
  for (let interruptions = 0; ; ) {
    const object = BpfObject.open(file);
    const wanted = [...object.programs.values()].filter(({ name }) => !refused.has(name));
    try {
      for (const name of refused) object.program(name).autoload = false;
      for (const name of object.mapNames) {
        const shared = maps.get(name as SharedMap);
        if (shared) object.reuseMap(name, shared);
      }
      if (object.hasRodata('fingerprint_key0')) {
        const secret = () => randomBytes(8).readBigUInt64LE();
        object.setRodata({ fingerprint_key0: secret(), fingerprint_key1: secret() });
      }
      if (object.hasRodata('v1_controller')) {
        object.setRodata({ v1_controller: options.v1Controller ? V1_CONTROLLER[options.v1Controller] : 0 });
      }
      return object.load();
    } catch (error) {
      object.close();
      if (!(error instanceof BpfError)) throw error;
      if (error.code === 'EAGAIN' && interruptions++ < INTERRUPTIONS) continue;
      const culprit = wanted.find(({ name }) => error.log.includes(`prog '${name}'`))?.name;
      const failing = culprit ? [culprit] : wanted.map(({ name }) => name);
      for (const program of failing) {
        refused.add(program);
        state.failed.push({ program, error });
      }
      if (refused.size >= object.programs.size) return undefined;
    }
  }
}

function attach(program: Program, cgroupRoot: string | undefined, state: FamilyState, links: Link[]): void {
  if (!program.autoload) return;
  try {
    if (program.section.startsWith('cgroup')) {
      if (cgroupRoot === undefined) {
        throw new BpfError('ENOENT', 'attach', 'There is no cgroup v2 mount to attach to.');
      }
      links.push(program.attachCgroup(cgroupRoot));
    } else if (!program.section.startsWith('iter')) {
      links.push(program.attach());
    }
    state.attached.push(program.name);
  } catch (error) {
    if (!(error instanceof BpfError)) throw error;
    state.failed.push({ program: program.name, error });
  }
}
