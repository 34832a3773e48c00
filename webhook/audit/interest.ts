import { LRUCache } from 'lru-cache';
import type { Actor, Target } from './fact.ts';
import { isAnonymous, isClusterPart } from './identity.ts';
import { ENTRIES, READS } from './verbs.ts';

/** Why an event is not kept; the label of a metric. */
export type DropReason = 'unfinished' | 'read' | 'status' | 'housekeeping' | 'unauthenticated';

/** What a decision needs of an event. */
export interface Glimpse {
  actor: Actor;
  verb: string;
  target: Pick<Target, 'group' | 'resource' | 'subresource' | 'namespace'>;
  code: number;
  decision: 'allow' | 'forbid' | '';
  /** Whether one of our webhooks did not answer for it. */
  failedOpen: boolean;
}

/** Reads that attackers need and clusters seldom do. */
const TELLING_READS: ReadonlySet<string> = new Set(['secrets', 'clusterrolebindings', 'rolebindings']);

/** Written all day by the parts of the cluster, never a step of an attack. Deleting Events is one. */
const HOUSEKEEPING: ReadonlySet<string> = new Set([
  'leases',
  'endpoints',
  'endpointslices',
  'tokenreviews',
  'subjectaccessreviews',
  'localsubjectaccessreviews',
]);

/** The state that controllers report about objects, which anybody can read from the object. */
const STATUS: ReadonlySet<string> = new Set(['status', 'binding', 'finalize']);

/**
 * Whether an event tells anything about an attack; the rows are asked from above, and the first that knows an answer
 * has the word.
 *
 * | row | why |
 * |---|---|
 * | failed open | passed unjudged: it has to be judged afterwards |
 * | 401 | who is not known did nothing; bursts of them are in the metric |
 * | anonymous and allowed a resource | nobody is meant to be (T1078) |
 * | exec, attach, portforward, proxy | the way into a pod or node, verb `get` or `create` (T1609) |
 * | reads of Secrets and bindings by people and applications | what a stolen token is used for first (T1552.007) |
 * | refused reads | who asks for what it may not have is looking around (T1613) |
 * | other reads | most of the stream; they change nothing |
 * | leases, endpoints, reviews, status; Events but their deletion | the heartbeat of the cluster |
 * | every other write | it may be a step, and the author of a workload is found here |
 *
 * Undefined: it is kept.
 */
export function disinterest({
  actor,
  verb,
  target,
  code,
  decision,
  failedOpen,
}: Glimpse): DropReason | undefined {
  const { resource, subresource } = target;
  if (failedOpen) return undefined;
  if (code === 401) return 'unauthenticated';
  if (isAnonymous(actor)) return decision === 'allow' && resource !== '' ? undefined : 'unauthenticated';
  if (ENTRIES.has(subresource)) return undefined;
  if (READS.has(verb)) {
    if (isClusterPart(actor) || resource === '') return 'read';
    return TELLING_READS.has(resource) || code === 403 ? undefined : 'read';
  }
  if (STATUS.has(subresource)) return 'status';
  if (HOUSEKEEPING.has(resource)) return 'housekeeping';
  if (resource === 'events') return verb.startsWith('delete') ? undefined : 'housekeeping';
  // Kubelets ask for a token of every pod about once an hour.
  if (subresource === 'token' && isClusterPart(actor)) return 'housekeeping';
  return resource === '' ? 'read' : undefined;
}

const SIGHTINGS = 50_000;
const AGAIN_MS = 60 * 60_000;

/**
 * Of what is otherwise dropped, the first request an hour of each identity from each address is kept: by it a stolen
 * credential shows, and an address that many share is known as such. Bounded; what it forgets is kept once more.
 */
export class Sightings {
  readonly #seen = new LRUCache<string, number>({ max: SIGHTINGS });

  /** `time` in milliseconds since 1970. */
  isNew({ user, podUid = '' }: Actor, address: string, time: number): boolean {
    if (address === '' || user === '') return false;
    const key = `${user} ${podUid} ${address}`;
    const before = this.#seen.get(key);
    if (before !== undefined && Math.abs(time - before) < AGAIN_MS) return false;
    this.#seen.set(key, time);
    return true;
  }
}
