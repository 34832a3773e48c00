import { type BpfMap, type Codec, type TypedMap, text, u32 } from 'node-libbpf';
import { parseAddress } from './address.ts';

/** What the kernel side does by itself. The same bits as `enum policy` in control.h. */
export const POLICY = {
  /** Listed names die at exec. */
  kill: 1,
  /** Listed destinations are refused with EPERM. */
  refuse: 2,
  /** Packets that carry a mining protocol are dropped. */
  drop: 4,
  /** Nothing is ever done to these processes; beats all others. */
  protected: 8,
  /** All egress is dropped and every connect refused, but to allowed destinations. */
  quarantined: 16,
  /** With `quarantined`: loopback stays. */
  allowLoopback: 32,
} as const;

export interface CgroupKey {
  /** Inode number of the cgroup's folder. It covers everything below. */
  id: number;
  /** 2 unless given; 1 means the hierarchy of the chosen v1 controller. Quarantine of packets needs 2. */
  version?: 1 | 2;
}

export interface Destination {
  /** IPv4 or IPv6. */
  address: string;
  /** Bits of the address that count; all unless given. */
  prefix?: number;
  /** Any unless given. */
  port?: number;
}

/** Longest name that can be listed, in bytes. */
export const NAME_MAX_BYTES = 31;

/** Maps of control.h by their names there. */
export interface ControlMaps {
  settings: BpfMap;
  listed_names: BpfMap;
  listed_destinations: BpfMap;
  allowed_destinations: BpfMap;
  listed_domains: BpfMap;
  cgroup_policies: BpfMap;
}

/**
 * What user space tells the programs, at any time while they run. Rules are numbers of the caller's choice above 0,
 * which come back as `rule` in events.
 */
export class Control {
  readonly #settings: TypedMap<number, Settings>;
  readonly #names: TypedMap<string, number>;
  readonly #destinations: TypedMap<Destination, number>;
  readonly #allowed: TypedMap<Destination, number>;
  readonly #domains: TypedMap<string, number>;
  readonly #cgroups: TypedMap<CgroupKey, number>;
  #everywhere = 0;
  #generation = 0;
  readonly #policies = new Map<string, number>();

  constructor(maps: ControlMaps) {
    this.#settings = maps.settings.typed(u32, settingsCodec);
    this.#names = maps.listed_names.typed(text(NAME_MAX_BYTES + 1), u32);
    this.#destinations = maps.listed_destinations.typed(destinationCodec, u32);
    this.#allowed = maps.allowed_destinations.typed(destinationCodec, u32);
    this.#domains = maps.listed_domains.typed(domainCodec, u32);
    this.#cgroups = maps.cgroup_policies.typed(cgroupKeyCodec, u32);
  }

  /** Lists a base name (case does not matter): compared with comm, file name and argv[0] of every exec. */
  listName(name: string, rule: number): void {
    this.#names.set(name.toLowerCase(), rule);
  }

  unlistName(name: string): boolean {
    return this.#names.delete(name.toLowerCase());
  }

  listDestination(destination: Destination, rule: number): void {
    this.#destinations.set(destination, rule);
  }

  unlistDestination(destination: Destination): boolean {
    return this.#destinations.delete(destination);
  }

  /** Lets a destination be reached in spite of a quarantine. */
  allowDestination(destination: Destination): void {
    this.#allowed.set(destination, 1);
  }

  disallowDestination(destination: Destination): boolean {
    return this.#allowed.delete(destination);
  }

  /** Lists a domain with all its subdomains: compared with what is asked of DNS, and with server names of TLS. */
  listDomain(domain: string, rule: number): void {
    this.#domains.set(domain, rule);
  }

  unlistDomain(domain: string): boolean {
    return this.#domains.delete(domain);
  }

  /** Bits of POLICY that hold for every cgroup. */
  setEverywhere(policy: number): void {
    this.#everywhere = policy;
    this.#writeSettings();
  }

  /** Bits of POLICY for one cgroup and everything below it, added to those of its ancestors; 0 removes the entry. */
  setCgroup(key: CgroupKey, policy: number): void {
    const name = `${key.version ?? 2}:${key.id}`;
    if (policy === 0) {
      this.#cgroups.delete(key);
      this.#policies.delete(name);
    } else {
      this.#cgroups.set(key, policy);
      this.#policies.set(name, policy);
    }
    this.#writeSettings();
  }

  /**
   * Execs and connections are judged by something else from now on: what was said about them counts no more. To be
   * called once what they are judged by is written.
   */
  forgetKnownExecs(): void {
    this.#generation++;
    this.#writeSettings();
  }

  getCgroup(key: CgroupKey): number {
    return this.#cgroups.get(key) ?? 0;
  }

  /** The programs walk a cgroup's ancestors only while there is something to find. */
  #writeSettings(): void {
    const policies = [...this.#policies.values()];
    this.#settings.set(0, {
      policy: this.#everywhere,
      cgroups: policies.length,
      quarantines: policies.filter((policy) => policy & POLICY.quarantined).length,
      generation: this.#generation,
    });
  }
}

interface Settings {
  policy: number;
  cgroups: number;
  quarantines: number;
  generation: number;
}

const settingsCodec: Codec<Settings> = {
  size: 16,
  encode: ({ policy, cgroups, quarantines, generation }, into) => {
    into.writeUInt32LE(policy, 0);
    into.writeUInt32LE(cgroups, 4);
    into.writeUInt32LE(quarantines, 8);
    into.writeUInt32LE(generation, 12);
  },
  decode: (from) => ({
    policy: from.readUInt32LE(0),
    cgroups: from.readUInt32LE(4),
    quarantines: from.readUInt32LE(8),
    generation: from.readUInt32LE(12),
  }),
};

const cgroupKeyCodec: Codec<CgroupKey> = {
  size: 16,
  encode: ({ id, version = 2 }, into) => {
    into.writeBigUInt64LE(BigInt(id), 0);
    into.writeUInt32LE(version, 8);
  },
  decode: (from) => ({ id: Number(from.readBigUInt64LE(0)), version: from.readUInt32LE(8) === 1 ? 1 : 2 }),
};

/** Key of a longest-prefix trie: prefix length in bits over port (big-endian, 0 any) and address. */
const destinationCodec: Codec<Destination> = {
  size: 22,
  encode: ({ address, prefix, port = 0 }, into) => {
    const bytes = parseAddress(address);
    if (!bytes) throw new RangeError(`${address} is no IP address.`);
    const isV4 = !address.includes(':');
    const bits = prefix ?? (isV4 ? 32 : 128);
    if (bits < 0 || bits > (isV4 ? 32 : 128)) throw new RangeError(`/${bits} is no prefix of ${address}.`);
    into.writeUInt32LE(16 + (isV4 ? 96 : 0) + bits, 0);
    into.writeUInt16BE(port, 4);
    into.set(bytes, 6);
  },
  decode: () => {
    throw new TypeError('Destinations are written only.');
  },
};

/** FNV-1a, twice with other numbers; names.bpf.c has the same. */
const HASHES = [
  { begin: 0xcbf29ce484222325n, prime: 0x00000100000001b3n },
  { begin: 0x84222325cbf29ce4n, prime: 0x9e3779b97f4a7c15n },
] as const;

const MASK = 0xffff_ffff_ffff_ffffn;

/** From the last byte to the first, so that the programs find every suffix of a name in one pass. */
const domainCodec: Codec<string> = {
  size: 16,
  encode: (domain, into) => {
    const bytes = Buffer.from(domain.toLowerCase().replace(/^\.|\.$/g, '')).reverse();
    for (const [at, { begin, prime }] of HASHES.entries()) {
      let hash: bigint = begin;
      for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * prime) & MASK;
      into.writeBigUInt64LE(hash, at * 8);
    }
  },
  decode: () => {
    throw new TypeError('Domains are written only.');
  },
};
