import type { ObjectKey, Stored } from './cluster.ts';

export interface StoreListener<T> {
  /** `before` is undefined for a new object. */
  onSet?(object: T, before: T | undefined): void;
  onDelete?(object: T): void;
}

const REMEMBERED = 1_000;

/** What a reflector knows of one kind, by namespace and name. Single-threaded; objects are not copied: do not change them. */
export class Store<T extends Stored> {
  readonly #objects = new Map<string, T>();
  /** Uids of those that were deleted last: an answer to a write may come later than that news. */
  readonly #gone = new Set<string>();
  readonly #listeners = new Set<StoreListener<T>>();
  readonly #onListenerError: (error: unknown) => void;

  /** `onListenerError` gets what a listener throws; the store and the other listeners go on. */
  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(storeKey(key));
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** An older version than the one that is there changes nothing: a watch may be behind what was noted. */
  set(object: T): void {
    const before = this.get(object.metadata as ObjectKey);
    if (!before || !isOlder(object, before)) this.#put(object);
  }

  /** What this process itself has just written: known at once, unless it was deleted since. */
  note(object: T): void {
    if (!this.#gone.has(object.metadata.uid ?? '')) this.set(object);
  }

  delete(key: ObjectKey): void {
    const object = this.#objects.get(storeKey(key));
    if (!object) return;
    this.#objects.delete(storeKey(key));
    this.#remember(object.metadata.uid ?? '');
    this.#tell((listener) => listener.onDelete?.(object));
  }

  /** Makes the store hold exactly `objects`; listeners hear of the differences only. */
  replace(objects: readonly T[]): void {
    const kept = new Set(objects.map(({ metadata }) => storeKey(metadata)));
    for (const [key, object] of [...this.#objects])
      if (!kept.has(key)) this.delete(object.metadata as ObjectKey);
    for (const object of objects) {
      const before = this.get(object.metadata as ObjectKey);
      if (before === undefined || before.metadata.resourceVersion !== object.metadata.resourceVersion)
        this.#put(object);
    }
  }

  /** Calls the listener for every object that is there, then for every change. Answers how to stop that. */
  listen(listener: StoreListener<T>): () => void {
    this.#listeners.add(listener);
    for (const object of this.#objects.values())
      this.#call(listener, (each) => each.onSet?.(object, undefined));
    return () => this.#listeners.delete(listener);
  }

  #put(object: T): void {
    const key = storeKey(object.metadata);
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    this.#tell((listener) => listener.onSet?.(object, before));
  }

  #remember(uid: string): void {
    this.#gone.add(uid);
    const [oldest] = this.#gone;
    if (this.#gone.size > REMEMBERED && oldest !== undefined) this.#gone.delete(oldest);
  }

  #tell(call: (listener: StoreListener<T>) => void): void {
    for (const listener of this.#listeners) this.#call(listener, call);
  }

  #call(listener: StoreListener<T>, call: (listener: StoreListener<T>) => void): void {
    try {
      call(listener);
    } catch (error) {
      this.#onListenerError(error);
    }
  }
}

/**
 * Of the same object: resource versions are numbers that grow (KEP-5504 promises what was always so); what is none is
 * taken for newer. After a restored backup of etcd they start over, and the list that follows puts that right.
 */
function isOlder(a: Stored, b: Stored): boolean {
  const [left = '', right = ''] = [a.metadata.resourceVersion, b.metadata.resourceVersion];
  if (a.metadata.uid !== b.metadata.uid || !/^\d+$/.test(left) || !/^\d+$/.test(right)) return false;
  return left.length < right.length || (left.length === right.length && left < right);
}

const storeKey = ({
  namespace = '',
  name,
}: {
  namespace?: string | undefined;
  name?: string | undefined;
}): string => `${namespace}/${name}`;
