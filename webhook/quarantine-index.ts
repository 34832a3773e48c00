import type { Ban, Facet } from '../api/fingerprint.ts';
import type { Quarantine } from '../api/quarantine.ts';

/** Every Quarantine, found by namespace and by banned trait. The cost of a question does not grow with their number. */
export class QuarantineIndex {
  readonly #byName = new Map<string, Quarantine>();
  readonly #byNamespace = new Map<string, Map<string, Quarantine>>();
  readonly #byTrait = new Map<string, Map<string, { ban: Ban; quarantine: Quarantine }>>();

  set(quarantine: Quarantine): void {
    const name = nameOf(quarantine);
    this.delete(name);
    this.#byName.set(name, quarantine);
    put(this.#byNamespace, quarantine.spec.namespace, name, quarantine);
    for (const ban of quarantine.spec.bans ?? []) put(this.#byTrait, keyOf(ban), name, { ban, quarantine });
  }

  delete(name: string): void {
    const quarantine = this.#byName.get(name);
    if (!quarantine) return;
    this.#byName.delete(name);
    drop(this.#byNamespace, quarantine.spec.namespace, name);
    for (const ban of quarantine.spec.bans ?? []) drop(this.#byTrait, keyOf(ban), name);
  }

  get(name: string): Quarantine | undefined {
    return this.#byName.get(name);
  }

  values(): IterableIterator<Quarantine> {
    return this.#byName.values();
  }

  /** Whether there is any ban, in force or not: mostly there is none, and no trait has to be worked out. */
  get hasBans(): boolean {
    return this.#byTrait.size > 0;
  }

  /** Those in force, whole namespaces first, then by name. */
  inNamespace(namespace: string, now: Date): Quarantine[] {
    const all = [...(this.#byNamespace.get(namespace)?.values() ?? [])];
    return all.filter((each) => isInForce(each, now)).sort(byReach);
  }

  banOf(facet: Facet, value: string, now: Date): { ban: Ban; quarantine: Quarantine } | undefined {
    const found = this.#byTrait.get(keyOf({ facet, value }))?.values() ?? [];
    for (const each of found) if (isInForce(each.quarantine, now)) return each;
    return undefined;
  }
}

/** Until it is deleted or expires. */
export function isInForce({ metadata, spec }: Quarantine, now: Date): boolean {
  if (metadata.deletionTimestamp) return false;
  return spec.expiresAt === undefined || Date.parse(spec.expiresAt) > now.getTime();
}

function byReach(a: Quarantine, b: Quarantine): number {
  const reach = Number(a.spec.workload !== undefined) - Number(b.spec.workload !== undefined);
  return reach || (nameOf(a) < nameOf(b) ? -1 : 1);
}

function nameOf({ metadata }: Quarantine): string {
  return metadata.name ?? '';
}

function keyOf({ facet, value }: Pick<Ban, 'facet' | 'value'>): string {
  return `${facet}:${value}`;
}

function put<T>(index: Map<string, Map<string, T>>, key: string, name: string, value: T): void {
  const entry = index.get(key);
  if (entry) entry.set(name, value);
  else index.set(key, new Map([[name, value]]));
}

function drop<T>(index: Map<string, Map<string, T>>, key: string, name: string): void {
  const entry = index.get(key);
  entry?.delete(name);
  if (entry?.size === 0) index.delete(key);
}
