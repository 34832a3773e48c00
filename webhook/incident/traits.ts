import type { Detection } from '../../api/detection.ts';
import type { Fingerprint } from '../../api/fingerprint.ts';
import { fingerprintProcess } from '../../detection/fingerprint.ts';
import type { KnownPod } from '../pod-index.ts';
import { destinationsOf, findingsOf } from './evidence.ts';
import type { Subject } from './subject.ts';

/**
 * Rules that show that the binary is the attacker's own. A hash is looked for on every node, and that of a shell or
 * an interpreter would hit everybody who uses it.
 */
const BROUGHT_ALONG: ReadonlySet<string> = new Set([
  'miner-hash',
  'added-executable',
  'memory-executable',
  'deleted-executable',
]);

/** By what an attack would be known again, as far as one detection shows it. */
export function traitsOf(detection: Detection, pod: KnownPod | undefined, subject: Subject): Fingerprint {
  const { process, container } = detection;
  const known = pod?.containers.find(({ name }) => name === container?.name);
  const brought = rulesOf(detection).some((rule) => BROUGHT_ALONG.has(rule));
  const { namespace, workload } = subject;
  const traits: Fingerprint = [
    ...fingerprintProcess({ argv: process.argv, sha256: brought ? process.sha256 : null }),
    ...poolsOf(detection),
    ...(known?.template === undefined ? [] : [{ facet: 'template' as const, value: known.template }]),
    ...(known?.imageDigest === undefined ? [] : [{ facet: 'image' as const, value: known.imageDigest }]),
    ...(namespace === ''
      ? []
      : [{ facet: 'owner' as const, value: `${namespace}/${workload.kind}/${workload.name}` }]),
  ];
  return traits.filter(({ value }) => value !== '' && value.length <= 1024);
}

function rulesOf(detection: Detection): string[] {
  return [detection.rule, ...findingsOf(detection).map(({ rule }) => rule)];
}

/** Where the pool protocol was spoken to. */
function poolsOf(detection: Detection): { facet: 'pool'; value: string }[] {
  if (detection.evidence.protocol !== 'stratum') return [];
  return destinationsOf(detection)
    .slice(0, 16)
    .map(({ address, port }) => ({ facet: 'pool', value: `${address}:${port}` }));
}
