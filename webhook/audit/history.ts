import type { Fact } from './fact.ts';
import type { FactQuery, FactStore } from './store.ts';

/** Most facts of one question; a question that gets as many was too wide to be told apart by. */
export const MOST = 1000;

/** Facts of one stretch of time, in one order whatever the order of their arrival. Asks each question once. */
export class History {
  readonly from: number;
  readonly to: number;
  readonly #store: Pick<FactStore, 'find'>;
  readonly #answers = new Map<string, Promise<Fact[]>>();

  constructor(store: Pick<FactStore, 'find'>, from: number, to: number) {
    this.#store = store;
    this.from = from;
    this.to = to;
  }

  find(query: Omit<FactQuery, 'from' | 'to' | 'limit'>): Promise<Fact[]> {
    const key = JSON.stringify(Object.entries(query).sort());
    const known = this.#answers.get(key);
    if (known) return known;
    const answer = this.#store.find({ ...query, from: this.from, to: this.to, limit: MOST }).then(inOrder);
    this.#answers.set(key, answer);
    return answer;
  }

  /** Whether there is anything at all from the first part of it. */
  async reachesBack(part: number): Promise<boolean> {
    const { from } = this;
    return (await this.#store.find({ from, to: from + part, limit: 1 })).length > 0;
  }
}

/** By time and then by id; each once. */
export function inOrder(facts: readonly Fact[]): Fact[] {
  return [...new Map(facts.map((fact) => [fact.id, fact])).values()].sort(
    (a, b) => a.time - b.time || (a.id < b.id ? -1 : 1),
  );
}
