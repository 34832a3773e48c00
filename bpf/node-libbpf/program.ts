import { Link } from './link.ts';
import { type Handle, native } from './native.ts';

export interface RunResult {
  /** What the program returned, as unsigned 32 bits. */
  returnValue: number;
  /** Nanoseconds of one run, the mean over `repeat`, where the kernel measures it. */
  durationNs: number;
}

/** One program of an object. It lives and dies with its object. */
export class Program {
  readonly name: string;
  /** ELF section, which says the hook: `tp_btf/sched_process_exec`, `cgroup/connect4`, `iter/task`, ... */
  readonly section: string;
  readonly #object: Handle;
  #autoload: boolean;

  /** Made by `BpfObject`. */
  constructor(object: Handle, name: string, section: string, autoload: boolean) {
    this.#object = object;
    this.name = name;
    this.section = section;
    this.#autoload = autoload;
  }

  /** Whether `BpfObject.load` loads it. Can be changed before the load only. */
  get autoload(): boolean {
    return this.#autoload;
  }

  set autoload(on: boolean) {
    native.objectSetAutoload(this.#object, this.name, on);
    this.#autoload = on;
  }

  /** Attaches to the hook that the section names: tp_btf, raw_tp, tracepoint, lsm, fentry, kprobe. */
  attach(): Link {
    return new Link(native.programAttach(this.#object, this.name), this.name);
  }

  /** Attaches to a cgroup v2 folder, given by path or open descriptor. Programs of others there keep running. */
  attachCgroup(cgroup: string | number): Link {
    return new Link(native.programAttachCgroup(this.#object, this.name, cgroup), this.name);
  }

  /** Runs an iterator (`iter/...`) from start to end; returns everything that it wrote. */
  iterate(): Buffer {
    return native.programIterate(this.#object, this.name);
  }

  /** Runs the program by hand (BPF_PROG_TEST_RUN), for program types where the kernel can. */
  run(options: { data?: Uint8Array; context?: Uint8Array; repeat?: number } = {}): RunResult {
    return native.programRun(this.#object, this.name, options.data, options.context, options.repeat ?? 0);
  }
}
