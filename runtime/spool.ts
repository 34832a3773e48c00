import { mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Detection } from '../api/detection.ts';
import { KubesentryError } from '../api/errors.ts';

/** One kept detection as it is to be sent. */
export interface Spooled {
  id: string;
  /** Grows with each newer version under the same id. */
  version: number;
  detection: Detection;
}

export interface SpoolStats {
  pending: number;
  bytes: number;
  /** New detections that found no room. The oldest are kept: they say how it began. */
  lost: number;
  /** Newer versions of kept detections that found no room; the version before is kept. */
  outdated: number;
  /** Files that could not be read back, and were removed. */
  corrupt: number;
}

interface Entry {
  /** The newest version that was put, and the one that is on disk; 0: none yet. */
  latest: number;
  written: number;
  /** Of the one that is on disk, and of the one that will be. */
  writtenBytes: number;
  bytes: number;
  /** What is to be written. */
  text?: string | undefined;
  /** Why it could not be. */
  failure?: unknown;
}

/** Files that are written at the same time. */
const WRITERS = 16;

const FILE = /^([0-9a-f]{32})\.json$/;

/** 64 MiB hold about 30 000 detections. */
const DEFAULT_LIMIT = 64 * 1024 * 1024;

/**
 * Detections on disk until the webhook has acknowledged them: one file each, named by id, written beside and
 * renamed into place after fsync, so that a kill at any moment leaves the old version or the new one.
 * One process owns a folder.
 */
export class Spool {
  readonly #folder: string;
  readonly #limit: number;
  /** In order of arrival. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #lost = 0;
  #outdated = 0;
  #corrupt = 0;
  /** The write that will take along everything that was put until it begins. */
  #nextWrite: Promise<void> | undefined;
  /** Writes, removals and reads happen one after the other, so that a file is never torn between them. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, limit: number) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /** Opens `folder`, taking over what an earlier run left there. Raises SPOOL_UNUSABLE. */
  static async open(folder: string, limit: number = DEFAULT_LIMIT): Promise<Spool> {
    const spool = new Spool(folder, limit);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await spool.#takeOver();
    } catch (cause) {
      throw unusable(folder, cause);
    }
    return spool;
  }

  get stats(): SpoolStats {
    return {
      pending: this.#entries.size,
      bytes: this.#bytes,
      lost: this.#lost,
      outdated: this.#outdated,
      corrupt: this.#corrupt,
    };
  }

  /**
   * Keeps `detection`, replacing an earlier version of it. Resolves to true once it is on disk, to false when there
   * is no room and it was counted. Raises SPOOL_UNUSABLE when the disk fails, which is counted too.
   */
  async put(detection: Detection): Promise<boolean> {
    const before = this.#entries.get(detection.id);
    const text = JSON.stringify(detection);
    const bytes = Buffer.byteLength(text);
    if (this.#bytes - (before?.bytes ?? 0) + bytes > this.#limit) {
      this.#countLoss(before);
      return false;
    }
    this.#bytes += bytes - (before?.bytes ?? 0);
    const { latest, written, writtenBytes } = before ?? { latest: 0, written: 0, writtenBytes: 0 };
    const entry: Entry = { latest: latest + 1, written, writtenBytes, bytes, text };
    this.#entries.set(detection.id, entry);
    this.#nextWrite ??= this.#inTurn(() => this.#writeAll());
    await this.#nextWrite;
    if (entry.failure !== undefined) throw unusable(this.#folder, entry.failure);
    return true;
  }

  /** The oldest kept detections, at most `count` of them and about `bytes` bytes together. */
  async oldest(count: number, bytes: number): Promise<Spooled[]> {
    return this.#inTurn(async () => {
      const chosen: [id: string, entry: Entry][] = [];
      let size = 0;
      for (const [id, entry] of this.#entries) {
        // What was put a moment ago is written in a later turn.
        if (entry.written === 0) continue;
        if (chosen.length === count || (size > 0 && size + entry.bytes > bytes)) break;
        size += entry.bytes;
        chosen.push([id, entry]);
      }
      const read = await Promise.all(
        chosen.map(async ([id, { written }]) => ({ id, version: written, detection: await this.#read(id) })),
      );
      return read.filter((spooled): spooled is Spooled => spooled.detection !== undefined);
    });
  }

  /** Forgets what was acknowledged, unless a newer version arrived after it was sent. */
  async remove(sent: readonly Pick<Spooled, 'id' | 'version'>[]): Promise<void> {
    await this.#inTurn(async () => {
      const last = sent.filter(({ id, version }) => this.#entries.get(id)?.latest === version);
      await Promise.all(last.map(({ id }) => this.#forget(id)));
    });
  }

  /** Waits until everything that was put is on disk. */
  async close(): Promise<void> {
    await this.#turn;
  }

  async #takeOver(): Promise<void> {
    const found: { id: string; bytes: number; at: number }[] = [];
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      const id = FILE.exec(name)?.[1];
      if (id === undefined) {
        if (name.endsWith('.part')) await unlink(path);
        continue;
      }
      const { size, mtimeMs } = await stat(path);
      found.push({ id, bytes: size, at: mtimeMs });
    }
    for (const { id, bytes } of found.toSorted((a, b) => a.at - b.at)) {
      this.#entries.set(id, { latest: 1, written: 1, writtenBytes: bytes, bytes });
      this.#bytes += bytes;
    }
  }

  /** One fsync of the folder is enough for many files. What cannot be written takes nothing else with it. */
  async #writeAll(): Promise<void> {
    this.#nextWrite = undefined;
    const waiting = [...this.#entries].filter(([, { text }]) => text !== undefined);
    for (let from = 0; from < waiting.length; from += WRITERS) {
      await Promise.all(
        waiting
          .slice(from, from + WRITERS)
          .map(([id, entry]) => this.#write(id, entry).catch((error) => this.#giveUp(id, entry, error))),
      );
    }
    const folder = await open(this.#folder, 'r');
    await folder.sync().finally(() => folder.close());
  }

  /** The disk is full or broken: the version before stays what is kept. */
  async #giveUp(id: string, entry: Entry, failure: unknown): Promise<void> {
    await unlink(this.#part(id)).catch(() => {});
    // A newer version takes its place, and its chance.
    if (this.#entries.get(id) !== entry) return;
    this.#countLoss(entry);
    entry.failure = failure;
    entry.text = undefined;
    if (entry.written === 0) return this.#forget(id);
    this.#bytes += entry.writtenBytes - entry.bytes;
    entry.bytes = entry.writtenBytes;
    entry.latest = entry.written;
  }

  #countLoss(before: Entry | undefined): void {
    if (before?.written) this.#outdated++;
    else this.#lost++;
  }

  async #write(id: string, entry: Entry): Promise<void> {
    const { latest, bytes, text = '' } = entry;
    const part = this.#part(id);
    const file = await open(part, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(part, this.#path(id));
    entry.written = latest;
    entry.writtenBytes = bytes;
    entry.text = undefined;
  }

  async #read(id: string): Promise<Detection | undefined> {
    try {
      const detection = JSON.parse(await readFile(this.#path(id), 'utf8')) as Detection;
      if (detection?.id === id) return detection;
    } catch (error) {
      if (!(error instanceof SyntaxError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    this.#corrupt++;
    await this.#forget(id);
    return undefined;
  }

  async #forget(id: string): Promise<void> {
    this.#bytes -= this.#entries.get(id)?.bytes ?? 0;
    this.#entries.delete(id);
    await unlink(this.#path(id)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }

  #part(id: string): string {
    return join(this.#folder, `${id}.part`);
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act).catch((cause: unknown) => {
      throw unusable(this.#folder, cause);
    });
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function unusable(folder: string, cause: unknown): KubesentryError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new KubesentryError('SPOOL_UNUSABLE', `Detections cannot be kept in ${folder}: ${reason}.`, {
    cause,
  });
}
