import { describe } from 'vitest';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { clusterContract } from './contract.ts';

describe('the in-memory cluster', () => {
  const cluster = new MemoryCluster();
  clusterContract(() => cluster);
});
