import { EventEmitter, on } from 'node:events';
import { KubesentryError } from '../../api/errors.ts';
import type { ObjectMeta } from '../../api/object.ts';
import type { ObjectKey, Stored, WatchEvent } from '../cluster.ts';
import type { ResourceName } from '../kind.ts';

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

/** How many changes a watch can go back. */
const HISTORY = 10_000;

const kindKey = ({ apiVersion, kind }: ResourceName): string => `${apiVersion}/${kind}`;
const objectKey = ({ namespace = '', name }: ObjectKey): string => `${namespace}/${name}`;

/** Objects, one version counter, and the changes of late: what etcd is to an API server. Objects are frozen copies. */
export class Storage {
  readonly #objects = new Map<string, Map<string, AnyObject>>();
  readonly #history: Change[] = [];
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #version = 0;

  get version(): string {
    return String(this.#version);
  }

  get(kind: ResourceName, key: ObjectKey): AnyObject | undefined {
    return this.#objects.get(kindKey(kind))?.get(objectKey(key));
  }

  /** Sorted by namespace and name. */
  list(kind: ResourceName): AnyObject[] {
    const objects = this.#objects.get(kindKey(kind)) ?? new Map<string, AnyObject>();
    return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Everything of every kind. */
  *all(): Iterable<AnyObject> {
    for (const objects of this.#objects.values()) yield* objects.values();
  }

  put(kind: ResourceName, object: AnyObject): AnyObject {
    const before = this.get(kind, object.metadata as ObjectKey);
    const stored = this.#stamp(object);
    const objects = this.#objects.get(kindKey(kind)) ?? new Map<string, AnyObject>();
    this.#objects.set(kindKey(kind), objects);
    objects.set(objectKey(object.metadata as ObjectKey), stored);
    this.#record({ type: before ? 'MODIFIED' : 'ADDED', kind: kindKey(kind), object: stored, before });
    return stored;
  }

  remove(kind: ResourceName, object: AnyObject): AnyObject {
    const last = this.#stamp(object);
    this.#objects.get(kindKey(kind))?.delete(objectKey(object.metadata as ObjectKey));
    this.#record({ type: 'DELETED', kind: kindKey(kind), object: last, before: object });
    return last;
  }

  /**
   * Changes of one kind after `version`, as a watch with a selector sees them: an object that begins to match is
   * ADDED, one that no longer does is DELETED. Raises KUBE_CONFLICT when the history does not go back that far.
   */
  async *watch(
    kind: ResourceName,
    version: string,
    matches: (object: AnyObject) => boolean,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<AnyObject>> {
    const from = Number(version);
    const oldest = this.#history[0]?.version ?? this.#version + 1;
    if (!(from >= oldest - 1)) {
      throw new KubesentryError('KUBE_CONFLICT', `Version ${version} is too old to watch from (410 Gone).`);
    }
    const live = on(this.#changes, 'change', { signal });
    const past = this.#history.filter((change) => change.version > from);
    try {
      for (const change of past) yield* seen(change, kindKey(kind), matches);
      const last = past.at(-1)?.version ?? from;
      for await (const [change] of live as AsyncIterable<[Change]>) {
        if (change.version > last) yield* seen(change, kindKey(kind), matches);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await live.return?.();
    }
  }

  #stamp(object: AnyObject): AnyObject {
    this.#version += 1;
    const copy = structuredClone(object);
    copy.metadata.resourceVersion = String(this.#version);
    return deepFreeze(copy);
  }

  #record(change: Omit<Change, 'version'>): void {
    const recorded = { ...change, version: this.#version };
    this.#history.push(recorded);
    if (this.#history.length > HISTORY) this.#history.shift();
    this.#changes.emit('change', recorded);
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
