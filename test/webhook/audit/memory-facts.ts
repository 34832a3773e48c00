import type { Fact } from '../../../webhook/audit/fact.ts';
import type { FactQuery, FactStore } from '../../../webhook/audit/store.ts';

/** A FactStore in a Map, for tests that are about what is asked and not about where it is kept. */
export class MemoryFacts implements FactStore {
  readonly #facts = new Map<string, Fact>();

  async add(facts: readonly Fact[]): Promise<void> {
    for (const fact of facts) this.#facts.set(fact.id, fact);
  }

  async find(query: FactQuery): Promise<Fact[]> {
    return [...this.#facts.values()]
      .filter((fact) => matches(fact, query))
      .sort((a, b) => a.time - b.time)
      .slice(-query.limit);
  }

  async prune(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    this.#facts.clear();
  }
}

const READS = new Set(['get', 'list', 'watch']);
const ENTRIES = new Set(['exec', 'attach', 'portforward', 'proxy']);

function matches({ time, actor, address, target, fingerprint, verb }: Fact, query: FactQuery): boolean {
  const { from, to, facet } = query;
  const equal = (wanted: string | undefined, is: string | undefined) => wanted === undefined || wanted === is;
  return (
    time >= from &&
    time <= to &&
    equal(query.user, actor.user) &&
    equal(query.address, address) &&
    equal(query.credential, actor.credential) &&
    equal(query.namespace, target.namespace) &&
    equal(query.resource, target.resource) &&
    equal(query.name, target.name) &&
    equal(query.uid, target.uid) &&
    (facet === undefined || fingerprint.some((each) => `${each.facet}:${each.value}` === facet)) &&
    (!query.writesOnly || !READS.has(verb) || ENTRIES.has(target.subresource))
  );
}
