/** A cgroup that was removed. */
export interface Gone {
  id: number;
  /** Of its hierarchy. */
  version: 1 | 2;
  path: string;
}

/** Knows something about cgroups that it need not know for ever. */
export interface Forgetful {
  /** `isGone`: nothing is at that path any more. Otherwise only the id is of the past. */
  forget(gone: Gone, isGone: boolean): void;
}

/** What is heard of a container after its end is late, not new, for so long: milliseconds. */
const LATE_MS = 60_000;

/** More that end within that time, and the first of them are forgotten sooner. */
const LIMIT = 4096;

/** Cgroups that were removed, until everything has been heard of them. Then the tables forget them. */
export class Departures {
  readonly #isThere: (path: string) => boolean;
  /** The first first; `at` in milliseconds since 1970. */
  readonly #waiting: { gone: Gone; at: number }[] = [];
  readonly #tables: Forgetful[] = [];

  /** `isThere` tells whether there is a cgroup at a path now: names come back, ids do not. */
  constructor(isThere: (path: string) => boolean) {
    this.#isThere = isThere;
  }

  /** Tells these what to forget. */
  tell(...tables: readonly Forgetful[]): void {
    this.#tables.push(...tables);
  }

  add(gone: Gone, at: number): void {
    this.#waiting.push({ gone, at });
    if (this.#waiting.length > LIMIT) this.#forgetFirst();
  }

  flush(now: number): void {
    while (this.#waiting[0] && now - this.#waiting[0].at > LATE_MS) this.#forgetFirst();
  }

  #forgetFirst(): void {
    const { gone } = this.#waiting.shift() as { gone: Gone };
    const isGone = !this.#isThere(gone.path);
    for (const table of this.#tables) table.forget(gone, isGone);
  }
}
