import { type Static, Type } from 'typebox';

/**
 * One trait by which an attack is known again under another name. The set of facets of a workload
 * is its fingerprint; a facet that admission denies is a ban.
 */
export const Facet = Type.Union(
  [
    Type.Literal('template'),
    Type.Literal('image'),
    Type.Literal('owner'),
    Type.Literal('wallet'),
    Type.Literal('pool'),
    Type.Literal('binary'),
    Type.Literal('creator'),
  ],
  {
    description:
      'template: hash over image, command and arguments of one container. image: repository with digest. ' +
      'owner: namespace/Kind/name of the workload. wallet, pool: as found in arguments or on the wire. ' +
      'binary: SHA-256. creator: user that created it.',
  },
);
export type Facet = Static<typeof Facet>;

export const Ban = Type.Object(
  {
    facet: Facet,
    value: Type.String({ maxLength: 1024, description: 'The banned value, normalised.' }),
    reason: Type.String({ maxLength: 1024, description: 'Why it is banned, in one sentence.' }),
  },
  { description: 'A trait that admission denies in every namespace while the response runs.' },
);
export type Ban = Static<typeof Ban>;

/** A workload's or a detection's traits. */
export type Fingerprint = readonly { facet: Facet; value: string }[];
