import type { Cluster } from '../../../kube/cluster.ts';
import { admissionContract } from './admission.ts';
import { applyContract } from './apply.ts';
import { objectsContract } from './objects.ts';
import { readingContract } from './reading.ts';
import { useScene } from './scene.ts';
import { tokensContract } from './tokens.ts';

/**
 * What every adapter of Cluster has to do. `open` answers an administrator's face of a running one, which has our
 * custom resource definitions and goes back less than a hundred changes before its first.
 */
export function clusterContract(open: () => Cluster): void {
  const scene = useScene(open);
  objectsContract(scene);
  applyContract(scene);
  readingContract(scene);
  tokensContract(scene);
  admissionContract(open);
}
