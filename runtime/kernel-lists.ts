import { type Control, type Destination, NAME_MAX_BYTES } from '../bpf/control.ts';
import type { Indicators } from '../detection/indicators.ts';

/** Value of every entry; which one matched is told by the event itself. */
const LISTED = 1;

/** Entries of the kernel's map (control.h, listed_domains). */
const DOMAINS = 65_536;

/** The names, addresses and domains that the kernel compares with. It reports a match in either mode. */
export class KernelLists {
  readonly #control: Control;
  #names: ReadonlySet<string> = new Set();
  #destinations: ReadonlyMap<string, Destination> = new Map();
  /** Numbers of domains are never given again: an event of an old one may be under way. */
  readonly #numbers = new Map<string, number>();
  readonly #domains: string[] = [];
  #listed: ReadonlySet<string> = new Set();

  constructor(control: Control) {
    this.#control = control;
  }

  /** Writes what changed. Names too long for the kernel are left to the judgement of user space. */
  set({ names, addresses, pools }: Pick<Indicators, 'names' | 'addresses' | 'pools'>): void {
    const wanted = new Set(names.filter((name) => Buffer.byteLength(name) <= NAME_MAX_BYTES));
    for (const name of this.#names) if (!wanted.has(name)) this.#control.unlistName(name);
    for (const name of wanted) if (!this.#names.has(name)) this.#control.listName(name, LISTED);
    this.#names = wanted;

    const destinations = new Map(
      addresses.map((range) => [`${range.cidr} ${range.port ?? ''}`, destinationOf(range)]),
    );
    for (const [key, destination] of this.#destinations) {
      if (!destinations.has(key)) this.#control.unlistDestination(destination);
    }
    for (const [key, destination] of destinations) {
      if (!this.#destinations.has(key)) this.#control.listDestination(destination, LISTED);
    }
    this.#destinations = destinations;

    const domains = new Set([...pools].slice(0, DOMAINS));
    for (const domain of this.#listed) if (!domains.has(domain)) this.#control.unlistDomain(domain);
    for (const domain of domains) {
      if (!this.#listed.has(domain)) this.#control.listDomain(domain, this.#numberOf(domain));
    }
    this.#listed = domains;
  }

  /** The domain that an event names by its number. */
  domain(number: number): string | undefined {
    return this.#domains[number - 1];
  }

  #numberOf(domain: string): number {
    const known = this.#numbers.get(domain);
    if (known !== undefined) return known;
    const number = this.#domains.push(domain);
    this.#numbers.set(domain, number);
    return number;
  }
}

function destinationOf({ cidr, port }: Indicators['addresses'][number]): Destination {
  const [address = '', prefix] = cidr.split('/');
  return { address, prefix: Number(prefix), ...(port === undefined ? {} : { port }) };
}
