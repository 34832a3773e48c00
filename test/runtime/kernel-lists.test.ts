import { expect, test } from 'vitest';
import type { Control } from '../../bpf/control.ts';
import { KernelLists } from '../../runtime/kernel-lists.ts';

function listing() {
  const domains = new Map<string, number>();
  const control = {
    listDomain: (domain: string, number: number) => domains.set(domain, number),
    unlistDomain: (domain: string) => domains.delete(domain),
  } as unknown as Control;
  const lists = new KernelLists(control);
  const set = (pools: string[]) => lists.set({ names: [], addresses: [], pools: new Set(pools) });
  return { domains, lists, set };
}

test('an event names its domain by number, also a moment after the domain was taken off the list', () => {
  const { domains, lists, set } = listing();
  set(['pool.example', 'other.example']);
  const number = domains.get('pool.example') as number;
  expect(lists.domain(number)).toBe('pool.example');
  set(['other.example', 'new.example']);
  expect(domains.has('pool.example')).toBe(false);
  expect(lists.domain(number)).toBe('pool.example');
  expect(lists.domain(domains.get('new.example') as number)).toBe('new.example');
});

test('domains that come and go with the policies do not take numbers for ever', () => {
  const { domains, lists, set } = listing();
  const numbers = new Set<number>();
  for (let round = 0; round < 100; round++) {
    set(Array.from({ length: 100 }, (_, at) => `pool-${round}-${at}.example`));
    for (const [domain, number] of domains) {
      numbers.add(number);
      expect(lists.domain(number)).toBe(domain);
    }
  }
  expect(numbers.size).toBeLessThan(1500);
});

test('as many domains as the kernel has room for can be exchanged for as many others, again and again', () => {
  const { domains, set } = listing();
  for (let round = 0; round < 4; round++) {
    set(Array.from({ length: 65_536 }, (_, at) => `${at}.${round}.example`));
    expect(domains.size).toBe(65_536);
    expect(Math.max(...domains.values().take(1000))).toBeLessThanOrEqual(3 * 65_536);
    expect(new Set(domains.values()).size).toBe(65_536);
  }
});
