import { clusterAvailable } from './cluster.ts';

/** For `describe.skipIf`: whether tests on a real Kubernetes are skipped here, with a node or without one. */
export const clusterTests = { skip: isMissing(false), skipWithNode: isMissing(true) };

function isMissing(node: boolean): boolean {
  const availability = clusterAvailable(node);
  if (!availability.available) console.warn(`Skipped: ${availability.reason}`);
  return !availability.available;
}
