import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from './containers.ts';
import type { Log } from './log.ts';

export interface FreezerOptions {
  /** Mount points of cgroup v2 and of the v1 hierarchy `freezer`, where they are. */
  mounts: { v2: string | undefined; v1: string | undefined };
  /** Remembers what is frozen, so that an agent that was killed thaws it when it is back; nothing does when undefined. */
  file: string | undefined;
  log: Pick<Log, 'info' | 'warn'>;
}

/** Where a cgroup is frozen (cgroup-v2.rst, cgroup.freeze; cgroup-v1/freezer-subsystem.rst). */
interface Place {
  file: string;
  frozen: string;
  thawed: string;
}

/** Containers that stand still, with their memory and open files as they were: for forensics, where that is wanted. */
export class Freezer {
  readonly #options: FreezerOptions;
  readonly #frozen = new Map<string, Container | undefined>();

  /** Thaws what an earlier agent left frozen: what is still to be frozen is found again. */
  constructor(options: FreezerOptions) {
    this.#options = options;
    for (const path of this.#remembered()) this.#frozen.set(path, undefined);
    this.thaw(() => true);
  }

  /** False where the container is none, or cannot be frozen here. */
  freeze(container: Container): boolean {
    const { cgroup, identity } = container;
    if (identity === undefined) return false;
    if (this.#frozen.has(cgroup)) return true;
    // Remembered first: who dies in between leaves nothing frozen that nobody knows of.
    this.#frozen.set(cgroup, container);
    this.#remember();
    if (this.#write(cgroup, 'frozen')) {
      this.#options.log.info({ cgroup }, 'froze a container; it thaws with its release');
      return true;
    }
    this.#frozen.delete(cgroup);
    this.#remember();
    return false;
  }

  /** Lets those go on that are to. */
  thaw(isTo: (container: Container | undefined) => boolean): void {
    const gone = [...this.#frozen].filter(([, container]) => isTo(container));
    for (const [cgroup] of gone) {
      this.#frozen.delete(cgroup);
      if (this.#write(cgroup, 'thawed')) this.#options.log.info({ cgroup }, 'thawed a container');
    }
    if (gone.length > 0) this.#remember();
  }

  #write(cgroup: string, state: 'frozen' | 'thawed'): boolean {
    return this.#placesOf(cgroup).some((place) => {
      try {
        writeFileSync(place.file, place[state], { flag: 'r+' });
        return true;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ENOENT') this.#options.log.warn({ err: error, cgroup }, `it could not be ${state}`);
        return false;
      }
    });
  }

  #placesOf(cgroup: string): Place[] {
    const { v2, v1 } = this.#options.mounts;
    return [
      ...(v2 ? [{ file: join(v2, cgroup, 'cgroup.freeze'), frozen: '1', thawed: '0' }] : []),
      ...(v1 ? [{ file: join(v1, cgroup, 'freezer.state'), frozen: 'FROZEN', thawed: 'THAWED' }] : []),
    ];
  }

  #remembered(): string[] {
    if (this.#options.file === undefined) return [];
    try {
      return readFileSync(this.#options.file, 'utf8').split('\n').filter(Boolean);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  #remember(): void {
    const { file } = this.#options;
    if (file === undefined) return;
    if (this.#frozen.size === 0) {
      rmSync(file, { force: true });
    } else {
      writeFileSync(`${file}.new`, [...this.#frozen.keys(), ''].join('\n'));
      renameSync(`${file}.new`, file);
    }
  }
}
