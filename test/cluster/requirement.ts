import { clusterAvailable } from './cluster.ts';

const availability = clusterAvailable();

/** For `describe.skipIf`: whether tests on a real Kubernetes are skipped here. The reason is printed once a file. */
export const clusterTests = { skip: !availability.available };

if (!availability.available) console.warn(`Skipped: ${availability.reason}`);
