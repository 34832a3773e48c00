import { describe } from 'vitest';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { clusterContract } from './contract/contract.ts';

describe('the in-memory cluster', () => {
  const cluster = new MemoryCluster({ history: 50 });
  clusterContract(() => cluster);
});
