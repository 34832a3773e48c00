import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import type { HttpCluster } from '../../kube/http/cluster.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { type RunningCluster, startCluster } from '../cluster/cluster.ts';
import { clusterTests } from '../cluster/requirement.ts';
import { clusterContract } from './contract/contract.ts';

describe.skipIf(clusterTests.skip)('a real API server over HTTP', () => {
  let server: RunningCluster;
  let cluster: HttpCluster;

  beforeAll(async () => {
    server = await startCluster({ name: 'kube-http-test' });
    await server.kubectl([
      'apply',
      '--server-side',
      '-f',
      join(import.meta.dirname, '../../manifests/base/crds.yaml'),
    ]);
    await server.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
    cluster = await connectCluster({ kubeconfig: server.kubeconfig });
  });
  afterAll(async () => {
    await cluster?.close();
    await server?.stop();
  });

  clusterContract(() => cluster);
});
