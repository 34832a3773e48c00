import type { Finding } from '../../api/finding.ts';
import { EXEC_FLAG } from '../../bpf/events.ts';
import type { Indicators } from '../../detection/indicators.ts';
import { judgeProcess } from '../../detection/process.ts';
import { baseName } from '../base-name.ts';
import { HOST } from '../containers.ts';
import type { Image } from '../image.ts';
import type { Process } from '../processes.ts';
import { finding } from '../signal.ts';

/** One for all, since most have none. */
const NONE: readonly Finding[] = [];

/** Judges what is executed: its names, arguments and hash, and where the file comes from. */
export class ExecDetector {
  #indicators: Indicators;
  /** An image is judged once, however often it runs. */
  #judged = new WeakMap<Image, readonly Finding[]>();

  constructor(indicators: Indicators) {
    this.#indicators = indicators;
  }

  /** From now on with these. */
  set indicators(indicators: Indicators) {
    this.#indicators = indicators;
    this.#judged = new WeakMap();
  }

  /** What can be said before the binary was read. */
  judge(process: Process): readonly Finding[] {
    const { image } = process;
    let findings = this.#judged.get(image);
    if (findings === undefined) {
      findings = this.#judgeNames(image);
      if (findings.length === 0) findings = NONE;
      this.#judged.set(image, findings);
    }
    const origin = originOf(process);
    return origin === undefined ? findings : [...findings, origin];
  }

  #judgeNames({ exe, filename, comm, argv, flags }: Image): Finding[] {
    const options = { indicators: this.#indicators };
    const { findings } = judgeProcess({ exe: nameInMemory(exe) ?? exe, comm, argv }, options);
    if (flags & EXEC_FLAG.argsTruncated) {
      const message =
        'It had more arguments than the kernel hands up, and ended or changed them before the rest could be read.';
      findings.push(finding('analysis-limit', 'argv', message));
    }
    if (baseName(filename) === baseName(exe)) return findings;
    // The name of a script or a symbolic link is not that of the binary.
    const named = judgeProcess({ exe: filename, argv: [] }, options).findings;
    const rules = new Set(findings.map(({ rule }) => rule));
    return [
      ...findings,
      ...named
        .filter(({ rule, path }) => path === 'exe' && !rules.has(rule))
        .map((one) => ({ ...one, path: 'filename' })),
    ];
  }
}

/** Where the file lives says something in containers only: they come with everything that they run. */
function originOf(process: Process): Finding | undefined {
  const { image, container } = process;
  const { exe, flags } = image;
  if (flags & EXEC_FLAG.memfd) {
    if (isContainerRuntime(process)) return undefined;
    const found = finding('memory-executable', 'exe', 'It runs from memory; there is no file.', exe);
    // Programs of the node do that more often: container runtimes, agents, sandboxes.
    return container === HOST ? { ...found, score: 25 } : found;
  }
  if (container === HOST) return undefined;
  if (flags & EXEC_FLAG.deleted) {
    return finding('deleted-executable', 'exe', 'Its file was deleted before it started.', exe);
  }
  if (flags & EXEC_FLAG.upperLayer) {
    return finding('added-executable', 'exe', 'Its file was written after the container started.', exe);
  }
  return undefined;
}

/** runc starts containers from a sealed copy of itself in memory (libcontainer/dmz/cloned_binary_linux.go). */
function isContainerRuntime({ image, container, parent }: Process): boolean {
  const isCopy = /^\/?memfd:runc_cloned:|^runc:\[/.test(image.exe) || image.comm.startsWith('runc:[');
  return (
    isCopy && (parent === undefined || parent.container !== container || /(^|\/)runc$/.test(parent.image.exe))
  );
}

/** The name that a memfd was given, as a path: it is judged like that of a file. */
function nameInMemory(exe: string): string | undefined {
  return /^\/?memfd:(.*)$/s.exec(exe)?.[1];
}
