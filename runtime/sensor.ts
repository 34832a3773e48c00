import { existsSync } from 'node:fs';
import { BpfError, probe, type RingBuffer } from 'node-libbpf';
import { KubesentryError } from '../api/errors.ts';
import { EventView, eachEvent, eachRecord } from '../bpf/event-view.ts';
import { EVENT } from '../bpf/events.ts';
import { type FamilyState, Programs, type Snapshot } from '../bpf/programs.ts';
import type { Hierarchies } from './cgroup-tree.ts';
import type { Log } from './log.ts';
import { ProcFs } from './proc-fs.ts';

export interface SensorOptions {
  hierarchies: Hierarchies;
  /** Of the ring, a power of two; 4 MiB unless given. */
  ringBytes?: number | undefined;
  log: Pick<Log, 'error'>;
}

export interface SensorStats {
  /** Events that arrived here, since the start. */
  events: number;
  /** Events that the kernel could not hand up because the ring was full, by type. */
  dropped: Record<string, number>;
  /** Repeats that the kernel counted instead of handing them up, by type. */
  folded: Record<string, number>;
  /** Events that could not be handled because of a mistake of ours, which is in the log, by type. */
  failed: Record<string, number>;
}

/** Without these nobody knows who did anything. */
const NEEDED = ['exec', 'process'];

const SLAB_BYTES = 512 * 1024;

/**
 * The eBPF programs at work. Events are read where they lie, in batches; `visit` gets a view that moves on.
 * Closing leaves nothing in the kernel, and so does the end of this process, however it ends.
 */
export class Sensor {
  readonly programs: Programs;
  #ring: RingBuffer | undefined;
  #read: (count: number, bytes: number) => void = () => {};
  readonly #log: Pick<Log, 'error'>;
  #events = 0;
  readonly #failed: Record<string, number> = {};

  private constructor(programs: Programs, log: Pick<Log, 'error'>) {
    this.programs = programs;
    this.#log = log;
  }

  /** Raises KERNEL_UNSUPPORTED or PRIVILEGE_MISSING, naming what is missing, when processes cannot be watched. */
  static load({ hierarchies, ringBytes, log }: SensorOptions): Sensor {
    requireBtf();
    const programs = loadPrograms(hierarchies, ringBytes);
    const broken = programs.families.find(
      ({ family, attached }) => NEEDED.includes(family) && attached.length === 0,
    );
    if (broken) {
      programs.close();
      throw refusalOf(broken.failed[0]?.error, `The ${broken.family} programs do not load`);
    }
    return new Sensor(programs, log);
  }

  /** What works and what does not, with the kernel's reason. */
  get families(): readonly FamilyState[] {
    return this.programs.families;
  }

  get stats(): SensorStats {
    const numbers = (counts: Record<string, bigint>) =>
      Object.fromEntries(Object.entries(counts).map(([type, count]) => [type, Number(count)]));
    return {
      events: this.#events,
      dropped: numbers(this.programs.dropped()),
      folded: numbers(this.programs.folded()),
      failed: { ...this.#failed },
    };
  }

  /** Hands every event to `visit` from now on. */
  start(visit: (event: EventView) => void): void {
    const slab = Buffer.alloc(SLAB_BYTES);
    const view = new EventView(slab);
    this.#read = (count, bytes) => {
      this.#events += count;
      eachEvent(view, bytes, (event) => this.#hand(event, visit));
    };
    this.#ring = this.programs.openRing(slab, this.#read);
  }

  /** Hands on at once what waits in the ring, for whoever goes by what events have told. Not to be called by `visit`. */
  catchUp(): void {
    const ring = this.#ring;
    let left = ring?.available ?? 0;
    while (ring && left > 0) {
      const { count, bytes } = ring.drain();
      if (count === 0) return;
      this.#read(count, bytes);
      left -= bytes;
    }
  }

  /** Hands what existed before us to `visit`. */
  snapshot(what: Snapshot, visit: (event: EventView) => void): void {
    eachRecord(this.programs.snapshot(what), (event) => this.#hand(event, visit));
  }

  /** One event that cannot be handled must not take the others with it. */
  #hand(event: EventView, visit: (event: EventView) => void): void {
    try {
      visit(event);
    } catch (error) {
      const name = eventName(event.type);
      this.#failed[name] = (this.#failed[name] ?? 0) + 1;
      this.#log.error({ err: error, type: event.type }, 'an event could not be handled; the next ones are');
    }
  }

  close(): void {
    this.#ring?.close();
    this.programs.close();
  }
}

function eventName(type: number): string {
  return Object.entries(EVENT).find(([, number]) => number === type)?.[0] ?? `${type}`;
}

function requireBtf(): void {
  const btf = probe.btf();
  if (btf.supported) return;
  throw new KubesentryError(
    'KERNEL_UNSUPPORTED',
    `This kernel does not describe its types (${existsSync('/sys/kernel/btf/vmlinux') ? btf.log || btf.code : '/sys/kernel/btf/vmlinux is missing'}); the programs cannot be fitted to it.`,
  );
}

function loadPrograms(hierarchies: Hierarchies, ringBytes: number | undefined): Programs {
  try {
    return Programs.load({
      cgroupRoot: hierarchies.v2?.root,
      ...(hierarchies.v1 ? { v1Controller: hierarchies.v1.controller } : {}),
      ...(ringBytes === undefined ? {} : { ringBytes }),
    });
  } catch (error) {
    if (error instanceof BpfError) throw refusalOf(error, 'The maps of the programs cannot be made');
    throw error;
  }
}

/** Capabilities that the agent needs (capabilities(7)); numbers are bits of CapEff. */
const CAPABILITIES = { CAP_BPF: 39, CAP_PERFMON: 38, CAP_NET_ADMIN: 12 } as const;

function refusalOf(error: BpfError | undefined, what: string): KubesentryError {
  const missing = missingCapabilities();
  if (error?.code === 'EPERM' && missing.length > 0) {
    return new KubesentryError('PRIVILEGE_MISSING', `${what}: ${missing.join(', ')} missing.`, {
      cause: error,
    });
  }
  return new KubesentryError(
    'KERNEL_UNSUPPORTED',
    `${what}: ${error ? reasonOf(error) : 'no reason given'}.`,
    {
      cause: error,
    },
  );
}

function missingCapabilities(): string[] {
  const bits = new ProcFs().capabilities;
  return Object.entries(CAPABILITIES)
    .filter(([, bit]) => ((bits >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => name);
}

/** The last line that the verifier or libbpf wrote says why; the code says what kind of no it was. */
export function reasonOf(error: BpfError): string {
  const said = error.log
    .split('\n')
    .map((line) => line.replace(/^libbpf:\s*/, '').trim())
    .findLast((line) => line !== '' && !/^(processed|-- END|failed to load object)/.test(line));
  return `${error.code}${said ? `, ${said.slice(0, 200)}` : `, ${error.message}`}`;
}
