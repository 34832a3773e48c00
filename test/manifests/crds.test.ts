import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { customResourceDefinitions } from '../../api/crd.ts';
import { committed, generatedFiles } from '../../manifests/generate.ts';
import { type RunningCluster, startCluster } from '../cluster/cluster.ts';
import { clusterTests } from '../cluster/requirement.ts';

const MANIFESTS = join(import.meta.dirname, '..', '..', 'manifests');

test.each(Object.entries(generatedFiles()))('%s is up to date (npm run generate)', (path, text) => {
  expect(committed(path)).toBe(text);
});

interface Schema {
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
}

function undescribed(schema: Schema, path: string): string[] {
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, each]) => [
    // The API server itself describes metadata, and lets nobody else do it.
    ...(each.description || name === 'metadata' ? [] : [`${path}.${name}`]),
    ...undescribed(each, `${path}.${name}`),
  ]);
  return schema.items ? [...below, ...undescribed(schema.items, `${path}[]`)] : below;
}

test.each(customResourceDefinitions().map((crd) => [crd.metadata.name, crd]))(
  'every field of %s is described',
  (_name, crd) => {
    const { versions } = crd.spec as { versions: { schema: { openAPIV3Schema: Schema } }[] };
    expect(versions.flatMap(({ schema }) => undescribed(schema.openAPIV3Schema, ''))).toEqual([]);
  },
);

describe.skipIf(clusterTests.skip)('on a real API server', () => {
  let cluster: RunningCluster;

  beforeAll(async () => {
    cluster = await startCluster({ name: 'crds-test' });
    const { status, stderr } = await cluster.kubectl([
      'apply',
      '--server-side',
      '-f',
      join(MANIFESTS, 'base', 'crds.yaml'),
    ]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
  afterAll(() => cluster?.stop());

  test('all kinds are established', async () => {
    const names = customResourceDefinitions().map(({ metadata }) => `crd/${metadata.name}`);
    const { status, stderr } = await cluster.kubectl([
      'wait',
      '--for=condition=Established',
      '--timeout=15s',
      ...names,
    ]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('kubectl explain reads like documentation', async () => {
    // The API server publishes what it knows of a new kind a moment after it is established.
    const explain = async () => (await cluster.kubectl(['explain', 'denials.spec.findings'])).stdout;
    await expect
      .poll(explain, { timeout: 15_000 })
      .toContain('Weight of this evidence: 100 is conclusive alone');
  });

  test('short names and columns work before there is any object', async () => {
    for (const name of ['den', 'inc', 'quar', 'sp']) {
      expect((await cluster.kubectl(['get', name, '-A'])).stderr).toContain('No resources found');
    }
  });

  test('a policy with a mode that does not exist is refused with the allowed ones', async () => {
    const policy = {
      apiVersion: 'kubesentry.io/v1alpha1',
      kind: 'SentryPolicy',
      metadata: { name: 'p', namespace: 'default' },
      spec: { admission: { mode: 'block' } },
    };
    const { status, stderr } = await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(policy));
    expect(status).not.toBe(0);
    expect(stderr).toContain('supported values: "enforce", "warn", "audit", "off"');
  });
});
