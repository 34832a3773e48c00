import { formatAddress } from './address.ts';
import { EVENT, LAYOUT, NAME_MATCH, STRATUM_METHOD } from './events.ts';

const HEADER = LAYOUT.event_header.fields;
const EXEC = LAYOUT.exec_event.fields;
const FLOW = LAYOUT.connect_event.fields;
const EGRESS = LAYOUT.egress_event.fields;
const CGROUP = LAYOUT.cgroup_event.fields;
const FPU = LAYOUT.fpu_event.fields;
const PROCESS = LAYOUT.process_event.fields;

/** Bytes that the ring buffer puts before each record. */
const RECORD_HEADER = 8;

/**
 * A window on one event in a slab. `at` moves it, so that no object is made per event; what a getter returned stays
 * good, the view itself only until the next `at`. Which getters make sense depends on `type`; the groups below say so.
 * Times are nanoseconds since boot and ids of cgroups are numbers: both are exact below 2^53 (104 days, resp. always).
 */
export class EventView {
  readonly #bytes: Buffer;
  readonly #data: DataView;
  #at = 0;

  constructor(slab: Uint8Array) {
    this.#bytes = Buffer.from(slab.buffer, slab.byteOffset, slab.byteLength);
    this.#data = new DataView(slab.buffer, slab.byteOffset, slab.byteLength);
  }

  /** Moves to the event whose header starts at this byte of the slab. */
  at(offset: number): this {
    this.#at = offset;
    return this;
  }

  /** Where the event starts in the slab. */
  get offset(): number {
    return this.#at;
  }

  // Every event: who did it.

  /** Bytes of the whole event. */
  get size(): number {
    return this.#u32(HEADER.size);
  }
  /** One of EVENT. */
  get type(): number {
    return this.#u16(HEADER.type);
  }
  get cpu(): number {
    return this.#u16(HEADER.cpu);
  }
  get ktime(): number {
    return this.#u64(HEADER.ktime);
  }
  /** 0: not known. */
  get tgid(): number {
    return this.#u32(HEADER.tgid);
  }
  get pid(): number {
    return this.#u32(HEADER.pid);
  }
  /** The tgid of who made it, which may be gone. */
  get ppid(): number {
    return this.#u32(HEADER.ppid);
  }
  get uid(): number {
    return this.#u32(HEADER.uid);
  }
  /** Of the thread group leader; with `tgid` it identifies a process. In clock ticks it is field 22 of /proc/PID/stat. */
  get startTime(): number {
    return this.#u64(HEADER.start_time);
  }
  get parentStartTime(): number {
    return this.#u64(HEADER.parent_start_time);
  }
  /** Inode number of the cgroup v2 folder. */
  get cgroupId(): number {
    return this.#u64(HEADER.cgroup_id);
  }
  /** The same in the v1 hierarchy that was chosen; 0 where there is none. */
  get cgroupV1Id(): number {
    return this.#u64(HEADER.cgroup_v1_id);
  }
  get mountNamespace(): number {
    return this.#u32(HEADER.mntns);
  }
  get comm(): string {
    const start = this.#at + HEADER.comm;
    const end = this.#bytes.indexOf(0, start);
    return this.#bytes.toString('utf8', start, end === -1 || end > start + 16 ? start + 16 : end);
  }

  // exec, refusedExec and process.

  get inode(): bigint {
    return this.#data.getBigUint64(this.#at + EXEC.inode, true);
  }
  /** As stat(2) has it. */
  get device(): number {
    const dev = this.#u32(EXEC.dev);
    const major = dev >>> 20;
    const minor = dev & 0xfffff;
    return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
  }
  /** Bits of EXEC_FLAG. */
  get execFlags(): number {
    return this.#u32(this.type === EVENT.process ? PROCESS.flags : EXEC.flags);
  }

  // exec; refusedExec without arguments.

  /** As it was given to execve: may be relative, or a symbolic link. */
  get filename(): string {
    const start = this.#at + EXEC.text;
    return this.#bytes.toString('utf8', start, start + this.#u16(EXEC.filename_len));
  }
  get argv(): string[] {
    const start = this.#at + EXEC.text + this.#u16(EXEC.filename_len);
    const text = this.#bytes.toString('utf8', start, start + this.#u16(EXEC.args_len));
    if (text === '') return [];
    return (text.endsWith('\0') ? text.slice(0, -1) : text).split('\0');
  }
  /** When the file was changed last, milliseconds since 1970. */
  get changed(): number {
    return this.#u64(EXEC.changed) / 1e6;
  }
  /** Two execs of a cgroup that have the same are the same; 0: has none. Lossy: see `fingerprint`. */
  get fingerprintKey(): number {
    return this.#u64(EXEC.fingerprint);
  }
  get fingerprint(): bigint {
    return this.#data.getBigUint64(this.#at + EXEC.fingerprint, true);
  }
  /** Bytes of all arguments; more than arrived here if EXEC_FLAG.argsTruncated is set. */
  get argsTotal(): number {
    return this.#u32(EXEC.args_total);
  }
  get nameMatch(): (typeof NAME_MATCH)[number] {
    return NAME_MATCH[this.#u8(EXEC.match)] ?? 'none';
  }

  // exec, connect, stratum, quarantine, name.

  /** One of VERDICT. */
  get verdict(): number {
    return this.#u8(this.#isExec() ? EXEC.verdict : FLOW.verdict);
  }
  /** exec, connect and name: the value that was stored with the listed name, destination or domain; 0: none. */
  get rule(): number {
    return this.#u32(this.#isExec() ? EXEC.rule : FLOW.rule);
  }

  // connect, stratum, quarantine, socket, name.

  /** Identifies the socket until it is gone. */
  get cookie(): number {
    return this.#u64(FLOW.cookie);
  }
  get remoteAddress(): string {
    return this.#address(FLOW.remote);
  }
  /** `0.0.0.0` or `::` where it is not chosen yet. */
  get localAddress(): string {
    return this.#address(FLOW.local);
  }
  get remotePort(): number {
    return this.#u16(FLOW.remote_port);
  }
  get localPort(): number {
    return this.#u16(FLOW.local_port);
  }
  /** 4 or 6. */
  get family(): number {
    return this.#u8(FLOW.family);
  }
  /** IPPROTO_*: 6 TCP, 17 UDP. */
  get protocol(): number {
    return this.#u8(FLOW.protocol);
  }
  /** connect and name: one of CONNECT_SOURCE. */
  get source(): number {
    return this.#u8(FLOW.source);
  }
  /** stratum. */
  get method(): (typeof STRATUM_METHOD)[number] {
    return STRATUM_METHOD[this.#u8(EGRESS.method)] ?? 'none';
  }
  /** socket: TCP state, 1 established. */
  get socketState(): number {
    return this.#u16(FLOW.state);
  }
  /** name, of a proxy: the port that it is asked to connect to. */
  get askedPort(): number {
    return this.#u16(FLOW.asked_port);
  }

  // cgroupMkdir, cgroupRmdir.

  /** Of the folder that was made or removed; `cgroupId` is that of who did it. */
  get madeId(): number {
    return this.#u64(CGROUP.id);
  }
  /** 0 is v2. */
  get hierarchy(): number {
    return this.#u32(CGROUP.hierarchy);
  }
  /** 0 is the root. */
  get level(): number {
    return this.#u16(CGROUP.level);
  }
  /** From the root of the hierarchy. */
  get path(): string {
    const start = this.#at + CGROUP.path;
    return this.#bytes.toString('utf8', start, start + this.#u16(CGROUP.path_len));
  }

  // fpu.

  get mxcsr(): number {
    return this.#u32(FPU.mxcsr);
  }
  /** How often since the last event of this process. */
  get samples(): number {
    return this.#u32(FPU.samples);
  }

  #isExec(): boolean {
    return this.type === EVENT.exec || this.type === EVENT.refusedExec;
  }
  #u8(offset: number): number {
    return this.#data.getUint8(this.#at + offset);
  }
  #u16(offset: number): number {
    return this.#data.getUint16(this.#at + offset, true);
  }
  #u32(offset: number): number {
    return this.#data.getUint32(this.#at + offset, true);
  }
  #u64(offset: number): number {
    return this.#u32(offset + 4) * 0x1_0000_0000 + this.#u32(offset);
  }
  #address(offset: number): string {
    return formatAddress(this.#bytes.subarray(this.#at + offset, this.#at + offset + 16));
  }
}

/** Calls `visit` for each record of a batch, with the view moved to it. `bytes` is what `onBatch` or `drain` said. */
export function eachEvent(view: EventView, bytes: number, visit: (event: EventView) => void): void {
  for (let at = RECORD_HEADER; at < bytes; ) {
    const { size } = view.at(at);
    visit(view);
    at += RECORD_HEADER + Math.ceil(size / 8) * 8;
  }
}

/** The same for what an iterator wrote, where records follow each other directly. */
export function eachRecord(written: Buffer, visit: (event: EventView) => void): void {
  const view = new EventView(written);
  for (let at = 0; at < written.length; ) {
    const { size } = view.at(at);
    visit(view);
    at += size;
  }
}
