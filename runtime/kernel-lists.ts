import { type Control, type Destination, NAME_MAX_BYTES } from '../bpf/control.ts';
import type { AddressRange } from '../detection/address-ranges.ts';
import type { Indicators } from '../detection/indicators.ts';

/** Value of every entry; which one matched is told by the event itself. */
const LISTED = 1;

/** Entries of the kernel's map (control.h, listed_domains). */
const DOMAINS = 65_536;

/** Numbers of former domains that are not given again yet. */
const KEPT = 1024;

/** The names, addresses and domains that the kernel compares with. It reports a match in either mode. */
export class KernelLists {
  readonly #control: Control;
  #names: ReadonlyMap<string, string> = new Map();
  #destinations: ReadonlyMap<string, Destination> = new Map();
  #allowed: ReadonlyMap<string, Destination> = new Map();
  readonly #numbers = new Map<string, number>();
  /** By number, from 1. */
  readonly #domains: string[] = [];
  /** Numbers of domains that are not listed any more, the first first: an event of one may be under way. */
  readonly #retired: number[] = [];
  /** Retired for so long that they may be given again. */
  #free: number[] = [];
  #listed: ReadonlyMap<string, string> = new Map();

  constructor(control: Control) {
    this.#control = control;
  }

  /** Writes what changed. Names too long for the kernel are left to the judgement of user space. */
  set({ names, addresses, pools }: Pick<Indicators, 'names' | 'addresses' | 'pools'>): void {
    const control = this.#control;
    const fitting = names.filter((name) => Buffer.byteLength(name) <= NAME_MAX_BYTES);
    this.#names = reconcile(this.#names, keyed(fitting), {
      add: (name) => control.listName(name, LISTED),
      remove: (name) => control.unlistName(name),
    });
    this.#destinations = reconcile(this.#destinations, destinationsOf(addresses), {
      add: (destination) => control.listDestination(destination, LISTED),
      remove: (destination) => control.unlistDestination(destination),
    });
    this.#free = this.#free.concat(this.#retired.splice(0, this.#retired.length - KEPT));
    this.#listed = reconcile(this.#listed, keyed([...pools].slice(0, DOMAINS)), {
      add: (domain) => control.listDomain(domain, this.#giveNumber(domain)),
      remove: (domain) => {
        control.unlistDomain(domain);
        this.#retireNumber(domain);
      },
    });
  }

  /** What a quarantine lets through. */
  allow(ranges: readonly AddressRange[]): void {
    this.#allowed = reconcile(this.#allowed, destinationsOf(ranges), {
      add: (destination) => this.#control.allowDestination(destination),
      remove: (destination) => this.#control.disallowDestination(destination),
    });
  }

  /** The domain that an event names by its number. */
  domain(number: number): string | undefined {
    return this.#domains[number - 1];
  }

  #giveNumber(domain: string): number {
    const number = this.#free.pop() ?? this.#domains.length + 1;
    this.#domains[number - 1] = domain;
    this.#numbers.set(domain, number);
    return number;
  }

  #retireNumber(domain: string): void {
    const number = this.#numbers.get(domain);
    if (number === undefined) return;
    this.#numbers.delete(domain);
    this.#retired.push(number);
  }
}

/** Takes out what is no longer wanted, before it puts in what is new; answers what holds now. */
function reconcile<T>(
  before: ReadonlyMap<string, T>,
  wanted: ReadonlyMap<string, T>,
  { add, remove }: { add: (one: T) => void; remove: (one: T) => void },
): ReadonlyMap<string, T> {
  for (const [key, one] of before) if (!wanted.has(key)) remove(one);
  for (const [key, one] of wanted) if (!before.has(key)) add(one);
  return wanted;
}

function keyed(names: readonly string[]): Map<string, string> {
  return new Map(names.map((name) => [name, name]));
}

function destinationsOf(ranges: readonly AddressRange[]): Map<string, Destination> {
  return new Map(ranges.map((range) => [`${range.cidr} ${range.port ?? ''}`, destinationOf(range)]));
}

function destinationOf({ cidr, port }: AddressRange): Destination {
  const [address = '', prefix] = cidr.split('/');
  return { address, prefix: Number(prefix), ...(port === undefined ? {} : { port }) };
}
