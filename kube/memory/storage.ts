import { EventEmitter } from 'node:events';
import { KubesentryError } from '../../api/errors.ts';
import type { ObjectMeta } from '../../api/object.ts';
import type { ObjectKey, Stored, WatchEvent } from '../cluster.ts';
import type { ResourceName } from '../kind.ts';
import type { FieldOwners } from './field-owners.ts';

/** A stored object; every field may be anything, as in etcd. */
export interface AnyObject extends Stored {
  metadata: ObjectMeta & { managedFields?: unknown };
  [field: string]: unknown;
}

interface Change {
  version: number;
  kind: string;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: AnyObject;
  before: AnyObject | undefined;
}

interface Collection {
  kind: ResourceName;
  objects: Map<string, AnyObject>;
}

export interface WatchRequest {
  /** Changes after this version. */
  version: string;
  matches: (object: AnyObject) => boolean;
  /** The watch ends after this many milliseconds; never when absent. */
  timeoutMs?: number | undefined;
  signal: AbortSignal;
}

/** How often a quiet watch says which version it is at; as a real API server does (apiserver pkg/storage/cacher). */
const BOOKMARK_MS = 60_000;

const kindKey = ({ apiVersion, kind }: ResourceName): string => `${apiVersion}/${kind}`;
const objectKey = ({ namespace = '', name }: ObjectKey): string => `${namespace}/${name}`;

/** Objects, one version counter, and the changes of late: what etcd is to an API server. Objects are frozen copies. */
export class Storage {
  readonly #collections = new Map<string, Collection>();
  readonly #uids = new Set<string | undefined>();
  readonly #owners = new WeakMap<AnyObject, FieldOwners>();
  /** Without gaps: the version of each change is one more than that of the change before. */
  readonly #history: Change[] = [];
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #mostHistory: number;
  #version = 0;

  /** A watch can go back that many changes. */
  constructor(mostHistory = 10_000) {
    this.#mostHistory = mostHistory;
  }

  get version(): string {
    return String(this.#version);
  }

  get(kind: ResourceName, key: ObjectKey): AnyObject | undefined {
    return this.#collections.get(kindKey(kind))?.objects.get(objectKey(key));
  }

  hasUid(uid: string): boolean {
    return this.#uids.has(uid);
  }

  /** Sorted by namespace and name. */
  list(kind: ResourceName): AnyObject[] {
    const objects = this.#collections.get(kindKey(kind))?.objects ?? new Map<string, AnyObject>();
    return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Kinds of which there has been an object. */
  kinds(): ResourceName[] {
    return [...this.#collections.values()].map(({ kind }) => kind);
  }

  /** Everything of every kind, as it is now. */
  all(): { kind: ResourceName; object: AnyObject }[] {
    return [...this.#collections.values()].flatMap(({ kind, objects }) =>
      [...objects.values()].map((object) => ({ kind, object })),
    );
  }

  ownersOf(object: AnyObject): FieldOwners {
    return this.#owners.get(object) ?? new Map();
  }

  /** Field owners stay as they are unless they are given. */
  put(kind: ResourceName, object: AnyObject, owners?: FieldOwners): AnyObject {
    const before = this.get(kind, object.metadata as ObjectKey);
    const stored = this.#stamp(object);
    const collection = this.#collections.get(kindKey(kind)) ?? { kind, objects: new Map() };
    this.#collections.set(kindKey(kind), collection);
    collection.objects.set(objectKey(object.metadata as ObjectKey), stored);
    this.#uids.add(stored.metadata.uid);
    this.own(stored, owners ?? (before ? this.ownersOf(before) : new Map()));
    this.#record({ type: before ? 'MODIFIED' : 'ADDED', kind: kindKey(kind), object: stored, before });
    return stored;
  }

  /** Who owns what may change without the object: two managers apply the same. */
  own(stored: AnyObject, owners: FieldOwners): void {
    this.#owners.set(stored, owners);
  }

  remove(kind: ResourceName, object: AnyObject): void {
    const last = this.#stamp(object);
    this.#collections.get(kindKey(kind))?.objects.delete(objectKey(object.metadata as ObjectKey));
    this.#uids.delete(object.metadata.uid);
    this.#record({ type: 'DELETED', kind: kindKey(kind), object: last, before: object });
  }

  /**
   * Changes of one kind, as a watch with a selector sees them: an object that begins to match is ADDED, one that no
   * longer does is DELETED. Bookmarks tell a quiet watch, and one that ends, where it is. Raises KUBE_CONFLICT when the
   * history does not go back as far as the watch is, be it at its start or because it was read too slowly.
   */
  async *watch(
    kind: ResourceName,
    { version, matches, timeoutMs = Number.POSITIVE_INFINITY, signal }: WatchRequest,
  ): AsyncGenerator<WatchEvent<AnyObject>> {
    const end = performance.now() + timeoutMs;
    let at = Number(version);
    while (!signal.aborted) {
      const oldest = this.#history[0]?.version ?? this.#version + 1;
      if (!(at >= oldest - 1)) {
        throw new KubesentryError(
          'KUBE_CONFLICT',
          `Version ${version} is too old to watch from (410 Gone): list again.`,
        );
      }
      const change = this.#history[at + 1 - oldest];
      if (change) {
        at = change.version;
        yield* seen(change, kindKey(kind), matches);
        continue;
      }
      const left = end - performance.now();
      if (left <= 0) return;
      if (await this.#isQuiet(Math.min(BOOKMARK_MS, left), signal)) {
        yield { type: 'BOOKMARK', resourceVersion: String(at) };
      }
    }
  }

  /** Waits for the next change; true when `ms` milliseconds pass first. */
  #isQuiet(ms: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isQuiet: boolean) => () => {
        clearTimeout(timer);
        this.#changes.off('change', changed);
        signal.removeEventListener('abort', changed);
        resolve(isQuiet);
      };
      const changed = settle(false);
      const timer = setTimeout(settle(true), ms);
      timer.unref();
      this.#changes.on('change', changed);
      signal.addEventListener('abort', changed);
    });
  }

  #stamp(object: AnyObject): AnyObject {
    this.#version += 1;
    const copy = structuredClone(object);
    copy.metadata.resourceVersion = String(this.#version);
    return deepFreeze(copy);
  }

  #record(change: Omit<Change, 'version'>): void {
    this.#history.push({ ...change, version: this.#version });
    if (this.#history.length > this.#mostHistory) this.#history.shift();
    this.#changes.emit('change');
  }
}

function* seen(
  change: Change,
  kind: string,
  matches: (object: AnyObject) => boolean,
): Iterable<WatchEvent<AnyObject>> {
  if (change.kind !== kind) return;
  const { object } = change;
  const matched = change.before !== undefined && matches(change.before);
  const isThere = change.type !== 'DELETED' && matches(object);
  if (isThere) yield { type: matched ? 'MODIFIED' : 'ADDED', object };
  else if (matched) yield { type: 'DELETED', object };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) deepFreeze(each);
  }
  return value;
}
