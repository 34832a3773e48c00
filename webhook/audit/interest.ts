import { LRUCache } from 'lru-cache';
import type { Fact } from './fact.ts';
import { isAnonymous, isClusterPart } from './identity.ts';

/** Why a fact is kept, or `routine`. */
export type Interest = 'change' | 'entry' | 'secret' | 'anonymous' | 'failed-open' | 'sighting' | 'routine';

const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

/** Subresources that let somebody in, or out: reading them is acting. */
const ENTRIES: ReadonlySet<string> = new Set(['attach', 'exec', 'portforward', 'proxy', 'token']);

/** Written all day by the cluster itself, and nothing runs by them. */
const ROUTINE: ReadonlySet<string> = new Set([
  'endpoints',
  'endpointslices',
  'events',
  'leases',
  'localsubjectaccessreviews',
  'nodes/status',
  'pods/status',
  'selfsubjectreviews',
  'subjectaccessreviews',
  'tokenreviews',
]);

const SIGHTINGS = 50_000;
const AGAIN_MS = 60 * 60_000;

/**
 * Decides which facts are kept. What changes something, lets somebody in or reads secrets is; of everything else the
 * first request an hour of each identity from each address, by which a stolen credential shows and a shared address is
 * known. Bounded; what it forgets is kept once more.
 */
export class InterestFilter {
  readonly #seen = new LRUCache<string, number>({ max: SIGHTINGS });

  of(fact: Fact): Interest {
    const { actor, target, verb, details, time, address } = fact;
    if (details.failedOpen !== undefined) return 'failed-open';
    const resource = target.subresource === '' ? target.resource : `${target.resource}/${target.subresource}`;
    if (!ROUTINE.has(resource) && target.resource !== '') {
      if (ENTRIES.has(target.subresource)) return isKubeletToken(fact) ? this.#sighting(fact) : 'entry';
      if (target.resource === 'secrets' && verb !== 'watch' && !isClusterPart(actor)) return 'secret';
      if (!READS.has(verb) && target.subresource !== 'status') return 'change';
      if (isAnonymous(actor)) return 'anonymous';
    }
    return address === '' || Number.isNaN(time) ? 'routine' : this.#sighting(fact);
  }

  #sighting({ actor, address, time }: Fact): Interest {
    const key = `${actor.user} ${actor.podUid ?? ''} ${address}`;
    const before = this.#seen.get(key);
    if (before !== undefined && Math.abs(time - before) < AGAIN_MS) return 'routine';
    this.#seen.set(key, time);
    return 'sighting';
  }
}

/** Kubelets renew the tokens of their pods all day. */
function isKubeletToken({ actor, target }: Fact): boolean {
  return target.subresource === 'token' && actor.user.startsWith('system:node:');
}
