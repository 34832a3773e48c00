import { LRUCache } from 'lru-cache';
import type { Finding } from '../api/finding.ts';
import type { Binaries } from './binary.ts';
import { HOST } from './containers.ts';
import type { Correlator } from './correlator.ts';
import type { Enforcer } from './enforce.ts';
import type { Image } from './image.ts';
import { type Process, ticksOf } from './processes.ts';
import { finding, type Signal } from './signal.ts';

export interface SuspicionsOptions {
  binaries: Binaries;
  enforcer: Pick<Enforcer, 'stop'>;
  correlator: Pick<Correlator, 'add' | 'identify'>;
  hashes: ReadonlySet<string>;
}

/** A signal waits so long for the hash of its binary, milliseconds; when it takes longer, the hash follows later. */
const HASH_MS = 100;
const NEIGHBOURS = 4;
const CONTENTS = 4096;

/** What detectors found, on its way: the binary is hashed, the process is killed where that is wanted, and it is reported. */
export class Suspicions {
  readonly #options: SuspicionsOptions;
  #hashes: ReadonlySet<string>;
  /** What was hashed for the sake of the list alone. */
  #compared = new WeakSet<Image>();
  /** Of contents that were read before. */
  readonly #hashOf = new LRUCache<string, string>({ max: CONTENTS });
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: SuspicionsOptions) {
    this.#options = options;
    this.#hashes = options.hashes;
  }

  /** SHA-256 of miners, from now on. */
  set hashes(hashes: ReadonlySet<string>) {
    this.#hashes = hashes;
    this.#compared = new WeakSet();
  }

  /** Without findings it is about the hash alone, which is compared once for every program of a container. */
  add(signal: Omit<Signal, 'sha256'>): void {
    const { image } = signal.process;
    const known = image.content === undefined ? undefined : this.#hashOf.get(image.content);
    if (signal.findings.length === 0 && !this.#isToCompare(signal.process, known)) return;
    this.#compared.add(image);
    if (known !== undefined) {
      this.#actKnowing(known, signal);
      return;
    }
    const work = this.#settle(signal);
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  /** Waits for what is still being hashed. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  #isToCompare({ container, image }: Process, known: string | undefined): boolean {
    if (container === HOST || this.#hashes.size === 0) return false;
    return known === undefined ? !this.#compared.has(image) : this.#hashes.has(known);
  }

  #actKnowing(sha256: string | null, signal: Omit<Signal, 'sha256'>): void {
    const { content } = signal.process.image;
    if (sha256 !== null && content !== undefined) this.#hashOf.set(content, sha256);
    this.#act({ ...signal, findings: [...signal.findings, ...this.#compare(sha256)], sha256 });
  }

  async #settle(signal: Omit<Signal, 'sha256'>): Promise<void> {
    const { process } = signal;
    const hash = this.#options.binaries.sha256(placeOf(process));
    // Once killed, the binary cannot be read any more: it is hashed first, within bounds.
    const sha256 = await Promise.race([hash, timeout(HASH_MS)]);
    if (sha256 !== undefined) {
      this.#actKnowing(sha256, signal);
      return;
    }
    this.#act(signal);
    const late = await hash;
    if (late === null) return;
    this.#options.correlator.identify(process, late, Date.now());
    this.#act({ ...signal, findings: this.#compare(late), action: 'none', evidence: {}, sha256: late });
  }

  #act(signal: Signal): void {
    const { enforcer, correlator } = this.#options;
    const { process, findings } = signal;
    const isStopped = signal.action === 'killed' || signal.action === 'refused';
    const stopped = isStopped ? 'none' : enforcer.stop(process, findings);
    const action = stopped === 'none' ? signal.action : stopped;
    correlator.add({ ...signal, action });
  }

  #compare(sha256: string | null): Finding[] {
    if (sha256 === null || !this.#hashes.has(sha256)) return [];
    return [finding('miner-hash', 'sha256', 'Its binary is that of a known miner.', sha256)];
  }
}

/** Whoever started a process may see its file at the same path, also from outside the container. */
function placeOf(process: Process) {
  const { exe, inode, device } = process.image;
  const neighbours: number[] = [];
  for (let next = process.parent; next && neighbours.length < NEIGHBOURS; next = next.parent) {
    neighbours.push(next.pid);
  }
  return { pid: process.pid, start: ticksOf(process.start), exe, inode, device, neighbours };
}

function timeout(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref());
}
