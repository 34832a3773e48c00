import type { Incident } from '../../api/incident.ts';
import type { Outcome } from './recording.ts';

export function outcomeOf({ status }: Incident): Outcome {
  const miner = status?.detections.find(({ rule }) => rule === 'pool-protocol');
  const { creator, wayIn = [], siblings = [] } = status?.attribution ?? {};
  return {
    phase: status?.phase,
    confidence: status?.confidence,
    rules: [...new Set((status?.detections ?? []).map(({ rule }) => rule))].sort(),
    process: {
      exe: miner?.process.exe ?? '',
      argv: miner?.process.argv ?? [],
      ancestors: (miner?.process.ancestors ?? []).map(({ argv }) => argv.join(' ')),
    },
    facets: (status?.fingerprint ?? [])
      // Of a binary that is gone when it is played nobody can take the hash.
      .filter(({ facet }) => facet !== 'binary')
      .map(({ facet, value }) => `${facet} ${value}`)
      .sort(),
    creator: creator && { user: creator.user, address: creator.address },
    wayIn: wayIn.map(({ kind, user, message }) => `${kind}: ${user} ${message}`),
    siblings: siblings.map(
      ({ namespace, kind, name, strength }) => `${strength} ${kind} ${namespace}/${name}`,
    ),
  };
}
