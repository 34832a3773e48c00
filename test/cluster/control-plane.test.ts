import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clusterAvailable, type RunningCluster, startCluster } from './cluster.ts';
import { clusterTests } from './requirement.ts';

describe.skipIf(clusterTests.skip)('a control plane of our own', () => {
  let cluster: RunningCluster;

  beforeAll(async () => {
    cluster = await startCluster({ name: 'control-plane-test' });
  });
  afterAll(() => cluster?.stop());

  test('kubectl reaches it as administrator', async () => {
    const { status, stdout } = await cluster.kubectl([
      'auth',
      'whoami',
      '-o',
      'jsonpath={.status.userInfo.groups}',
    ]);
    expect(status).toBe(0);
    expect(stdout).toContain('system:masters');
  });

  test('its controllers work: a Deployment becomes a ReplicaSet becomes a Pod', async () => {
    expect((await cluster.kubectl(['create', 'deployment', 'web', '--image=nginx'])).status).toBe(0);
    await expect
      .poll(async () => (await cluster.kubectl(['get', 'pods', '-l', 'app=web', '-o', 'name'])).stdout, {
        timeout: 15_000,
        interval: 100,
      })
      .toMatch(/^pod\/web-/);
  });

  test('a second cluster under the same name is refused with what to do', async () => {
    await expect(startCluster({ name: 'control-plane-test' })).rejects.toThrow(
      'npm run cluster -- down --name',
    );
  });

  test('down ends every process and forgets the state, and may be repeated', async () => {
    await cluster.stop();
    await cluster.stop();
    expect(clusterAvailable()).toEqual({ available: true });
    await expect(cluster.kubectl(['get', '--raw', '/readyz'])).rejects.toThrow('There is no cluster');
  });
});
