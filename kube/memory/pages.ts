import { randomUUID } from 'node:crypto';
import { KubesentryError } from '../../api/errors.ts';
import type { List } from '../cluster.ts';
import type { AnyObject } from './storage.ts';

/** Lists that are read in pages at the same time; the oldest one is forgotten first. */
const MOST_OPEN = 64;

interface OpenList {
  rest: AnyObject[];
  resourceVersion: string;
}

/** Hands lists out in pages that all show the moment of the first one, so that a watch from there misses nothing. */
export class Pages {
  readonly #open = new Map<string, OpenList>();

  first(items: AnyObject[], resourceVersion: string, limit: number | undefined): List<AnyObject> {
    return this.#page({ rest: items, resourceVersion }, limit);
  }

  /** Raises KUBE_CONFLICT when the list has been forgotten. A page can be read once. */
  next(token: string, limit: number | undefined): List<AnyObject> {
    const list = this.#open.get(token);
    if (!list) {
      throw new KubesentryError('KUBE_CONFLICT', 'The continue parameter is too old: list from the start.');
    }
    this.#open.delete(token);
    return this.#page(list, limit);
  }

  #page({ rest, resourceVersion }: OpenList, limit: number | undefined): List<AnyObject> {
    const size = limit || rest.length;
    const items = rest.slice(0, size);
    if (items.length === rest.length) return { items, resourceVersion };
    const token = randomUUID();
    this.#open.set(token, { rest: rest.slice(size), resourceVersion });
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= MOST_OPEN) break;
      this.#open.delete(oldest);
    }
    return { items, resourceVersion, continue: token };
  }
}
