import { KubesentryError } from '../api/errors.ts';
import type { Cluster, Stored } from './cluster.ts';
import type { Kind } from './kind.ts';
import { Store } from './store.ts';

const PAGE = 500;
const BACKOFF_MS = { first: 200, most: 30_000 } as const;

export interface ReflectorOptions<T extends Stored> {
  cluster: Cluster;
  kind: Kind<T>;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Keeps less of every object; managedFields are always dropped. */
  transform?: ((object: T) => T) | undefined;
  /** Hears of failed lists and watches, and of what listeners throw. */
  onError?: ((error: unknown) => void) | undefined;
}

/**
 * Keeps a Store equal to what the API server has of one kind: lists in pages, watches with bookmarks, lists again when
 * the version is gone, waits longer after each failure (exponential, full jitter). Modelled on client-go
 * tools/cache/reflector.go. It never gives up until it is stopped.
 */
export class Reflector<T extends Stored> {
  readonly store: Store<T>;
  /** Resolves after the first complete list. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #stopping = new AbortController();
  readonly #loop: Promise<void>;
  #markSynced: () => void = () => {};
  #isSynced = false;
  #lastContact = 0;
  #failures = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.store = new Store((error) => options.onError?.(error));
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
    this.#loop = this.#run();
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Milliseconds since the server last said anything: how stale the store may be. */
  get staleness(): number {
    return this.#lastContact === 0 ? Number.POSITIVE_INFINITY : Date.now() - this.#lastContact;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let version: string | undefined;
    while (!signal.aborted) {
      try {
        version ??= await this.#list();
        version = await this.#watch(version);
        this.#failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        // The version is too old (410 Gone): nothing is wrong, the list starts over.
        if (error instanceof KubesentryError && error.code === 'KUBE_CONFLICT') {
          version = undefined;
          continue;
        }
        version = undefined;
        this.#options.onError?.(error);
        await this.#backoff();
      }
    }
  }

  async #list(): Promise<string> {
    const { cluster, kind, labelSelector, fieldSelector } = this.#options;
    const objects: T[] = [];
    let next: string | undefined;
    let version: string;
    do {
      const page = await cluster.list(kind, { labelSelector, fieldSelector, limit: PAGE, continue: next });
      for (const item of page.items) objects.push(this.#trim(item));
      next = page.continue;
      version = page.resourceVersion;
    } while (next);
    this.#lastContact = Date.now();
    this.store.replace(objects);
    this.#isSynced = true;
    this.#markSynced();
    return version;
  }

  /** Answers the last version seen when the server ends the watch. */
  async #watch(from: string): Promise<string> {
    const { cluster, kind, labelSelector, fieldSelector } = this.#options;
    let version = from;
    const events = cluster.watch(kind, {
      labelSelector,
      fieldSelector,
      resourceVersion: from,
      timeoutSeconds: 300 + Math.floor(Math.random() * 300),
      signal: this.#stopping.signal,
    });
    for await (const event of events) {
      this.#lastContact = Date.now();
      this.#failures = 0;
      if (event.type === 'BOOKMARK') {
        version = event.resourceVersion;
        continue;
      }
      version = event.object.metadata.resourceVersion ?? version;
      if (event.type === 'DELETED') this.store.delete({ name: '', ...event.object.metadata });
      else this.store.set(this.#trim(event.object));
    }
    return version;
  }

  #trim(object: T): T {
    const metadata = { ...object.metadata } as T['metadata'] & { managedFields?: unknown };
    delete metadata.managedFields;
    const trimmed = { ...object, metadata };
    return this.#options.transform?.(trimmed) ?? trimmed;
  }

  async #backoff(): Promise<void> {
    const most = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** this.#failures++);
    const { signal } = this.#stopping;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.random() * most);
      signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });
  }
}
