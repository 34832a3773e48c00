import { type Control, type Destination, NAME_MAX_BYTES } from '../bpf/control.ts';
import type { Indicators } from '../detection/indicators.ts';

/** Value of every entry; which one matched is told by the event itself. */
const LISTED = 1;

/** The names and addresses that the kernel compares with. It reports a match in either mode. */
export class KernelLists {
  readonly #control: Control;
  #names: ReadonlySet<string> = new Set();
  #destinations: ReadonlyMap<string, Destination> = new Map();

  constructor(control: Control) {
    this.#control = control;
  }

  /** Writes what changed. Names too long for the kernel are left to the judgement of user space. */
  set({ names, addresses }: Pick<Indicators, 'names' | 'addresses'>): void {
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
  }
}

function destinationOf({ cidr, port }: Indicators['addresses'][number]): Destination {
  const [address = '', prefix] = cidr.split('/');
  return { address, prefix: Number(prefix), ...(port === undefined ? {} : { port }) };
}
