import { type Static, Type } from 'typebox';

/** Where a row comes from, and when somebody last looked. */
const origin = {
  source: Type.String({ minLength: 1, maxLength: 256 }),
  date: Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' }),
};

const CLOSED = { additionalProperties: false };

export const NameRow = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]*$', maxLength: 64 }),
    /** miner: says enough alone. word: an ordinary word too. system: a name that malware borrows. node: a ledger. */
    kind: Type.Union([
      Type.Literal('miner'),
      Type.Literal('word'),
      Type.Literal('system'),
      Type.Literal('node'),
    ]),
    ...origin,
  },
  CLOSED,
);

export const PoolRow = Type.Object(
  { domain: Type.String({ pattern: '^[a-z0-9-]+(\\.[a-z0-9-]+)+$', maxLength: 253 }), ...origin },
  CLOSED,
);

export const AddressRow = Type.Object(
  {
    /** An IP address or CIDR range, with an optional :port; IPv6 with a port stands in brackets. */
    address: Type.String({ minLength: 2, maxLength: 64 }),
    ...origin,
  },
  CLOSED,
);

export const ImageRow = Type.Object(
  { image: Type.String({ pattern: '^[a-z0-9][a-z0-9._/:-]*$', maxLength: 255 }), ...origin },
  CLOSED,
);

export const HashRow = Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }), ...origin }, CLOSED);

export const AlgorithmRow = Type.Object(
  {
    algorithm: Type.String({ pattern: '^[a-z0-9][a-z0-9_/.-]*$', maxLength: 64 }),
    /** True when the word means something outside mining too, such as scrypt. */
    common: Type.Optional(Type.Boolean()),
    ...origin,
  },
  CLOSED,
);

/** What the value of a miner's option is. `mark`: no other program has the option. */
export const OptionRole = Type.Union([
  Type.Literal('pool'),
  Type.Literal('host'),
  Type.Literal('port'),
  Type.Literal('user'),
  Type.Literal('wallet'),
  Type.Literal('password'),
  Type.Literal('login'),
  Type.Literal('algorithm'),
  Type.Literal('worker'),
  Type.Literal('mark'),
  Type.Literal('value'),
]);
export type OptionRole = Static<typeof OptionRole>;

export const MinerRow = Type.Object(
  {
    miner: Type.String({ minLength: 1, maxLength: 64 }),
    /** True when it parses with getopt_long, which takes unique prefixes of long options. */
    prefixes: Type.Optional(Type.Boolean()),
    /** By role. One letter is a short option, `-name` a long one with a single dash, `name` one with two. */
    options: Type.Partial(Type.Record(OptionRole, Type.Array(Type.String({ minLength: 1, maxLength: 64 })))),
    ...origin,
  },
  CLOSED,
);

export const SiteRow = Type.Object(
  {
    domain: Type.String({ pattern: '^[a-z0-9-]+(\\.[a-z0-9-]+)+$', maxLength: 253 }),
    /** paste: anybody can put a file there. dynamic: anybody can put a machine there. campaign: it served miners. */
    kind: Type.Union([Type.Literal('paste'), Type.Literal('dynamic'), Type.Literal('campaign')]),
    ...origin,
  },
  CLOSED,
);

/** The files of detection/indicators, by name, with the shape of a row. */
export const TABLES = {
  names: NameRow,
  pools: PoolRow,
  addresses: AddressRow,
  images: ImageRow,
  hashes: HashRow,
  algorithms: AlgorithmRow,
  miners: MinerRow,
  sites: SiteRow,
} as const;

export type Rows = { [Table in keyof typeof TABLES]: readonly Static<(typeof TABLES)[Table]>[] };
