import { setTimeout as sleep } from 'node:timers/promises';
import { KubesentryError } from '../api/errors.ts';
import type { Cluster, Stored } from './cluster.ts';
import type { Kind } from './kind.ts';
import { withoutManagedFields } from './managed-fields.ts';
import { Store } from './store.ts';

const PAGE = 500;
const BACKOFF_MS = { first: 200, most: 30_000 } as const;

/** A watch that ends sooner than this, without having told anything, counts as failed. */
const SHORT_WATCH_MS = 1_000;

export interface ReflectorOptions<T extends Stored> {
  cluster: Cluster;
  kind: Kind<T>;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Keeps less of every object; managedFields are always dropped. */
  transform?: ((object: T) => T) | undefined;
  /** Hears of failed lists and watches, and of what the transform and the listeners throw. */
  onError?: ((error: unknown) => void) | undefined;
  /** Milliseconds of a clock that only goes forward. */
  now?: (() => number) | undefined;
}

/**
 * Keeps a Store equal to what the API server has of one kind: lists in pages, watches with bookmarks, goes on from the
 * last version where a watch broke off, lists again when that version is gone, waits longer after each failure
 * (exponential, full jitter). Modelled on client-go tools/cache/reflector.go. It never gives up until it is stopped.
 */
export class Reflector<T extends Stored> {
  readonly store: Store<T>;
  /** Resolves after the first complete list. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #stopping = new AbortController();
  readonly #loop: Promise<void>;
  #markSynced: () => void = () => {};
  readonly #now: () => number;
  /** Where to watch from; undefined when a list is due. */
  #version: string | undefined;
  #isSynced = false;
  #lastContact: number | undefined;
  #failures = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.store = new Store((error) => options.onError?.(error));
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
    this.#loop = this.#run();
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /**
   * Milliseconds since the server last said anything: how stale the store may be. Of a kind that does not change an API
   * server may be silent until it ends the watch, ten minutes.
   */
  get staleness(): number {
    return this.#lastContact === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#lastContact;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const version = this.#version;
      const started = this.#now();
      try {
        const from = version ?? (await this.#list());
        await this.#watch(from);
        this.#lastContact = this.#now();
        const isShort = this.#version === from && this.#now() - started < SHORT_WATCH_MS;
        if (isShort) await this.#backoff();
        else this.#failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, this.#version !== version);
      }
    }
  }

  async #recover(error: unknown, hasProgressed: boolean): Promise<void> {
    // The version is too old (410 Gone). Nothing is wrong when that happens once: the list starts over.
    const isGone = error instanceof KubesentryError && error.code === 'KUBE_CONFLICT';
    // What broke before it told anything new could break at the same place for ever.
    if (isGone || !hasProgressed) this.#version = undefined;
    if (isGone && this.#failures++ === 0) return;
    this.#options.onError?.(error);
    await this.#backoff();
  }

  async #list(): Promise<string> {
    const { cluster, kind, labelSelector, fieldSelector } = this.#options;
    const objects: T[] = [];
    let next: string | undefined;
    let version: string;
    do {
      const page = await cluster.list(kind, { labelSelector, fieldSelector, limit: PAGE, continue: next });
      for (const item of page.items) this.#take(item, (object) => objects.push(object));
      next = page.continue;
      version = page.resourceVersion;
    } while (next);
    this.#lastContact = this.#now();
    this.#version = version;
    this.store.replace(objects);
    this.#isSynced = true;
    this.#markSynced();
    return version;
  }

  /** Returns when the server ends the watch. */
  async #watch(from: string): Promise<void> {
    const { cluster, kind, labelSelector, fieldSelector } = this.#options;
    const events = cluster.watch(kind, {
      labelSelector,
      fieldSelector,
      resourceVersion: from,
      timeoutSeconds: 300 + Math.floor(Math.random() * 300),
      signal: this.#stopping.signal,
    });
    for await (const event of events) {
      this.#lastContact = this.#now();
      this.#failures = 0;
      if (event.type === 'BOOKMARK') {
        this.#version = event.resourceVersion;
        continue;
      }
      const { object } = event;
      if (event.type === 'DELETED') this.store.delete({ name: '', ...object.metadata });
      else this.#take(object, (trimmed) => this.store.set(trimmed));
      this.#version = object.metadata.resourceVersion ?? this.#version;
    }
  }

  /** An object that the transform cannot take is left out, and told. */
  #take(object: T, keep: (trimmed: T) => void): void {
    try {
      const trimmed = withoutManagedFields(object);
      keep(this.#options.transform?.(trimmed) ?? trimmed);
    } catch (error) {
      this.#options.onError?.(error);
    }
  }

  async #backoff(): Promise<void> {
    const most = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** this.#failures++);
    await sleep(Math.random() * most, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
