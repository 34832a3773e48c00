import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningCluster, startCluster, stopCluster } from './cluster.ts';
import { BUSYBOX_IMAGE } from './containerd.ts';
import { clusterTests } from './requirement.ts';

const NAME = 'node-test';

/** What a cluster could leave behind: mounts, cgroups, network namespaces and processes that bear its name. */
function traces(name: string): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`/clusters/${name}/`) || line.includes(`kubesentry-${name}`));
  const cgroups = readdirSync('/sys/fs/cgroup').filter((each) =>
    existsSync(join('/sys/fs/cgroup', each, `kubesentry-${name}`)),
  );
  const namespaces = existsSync('/run/netns')
    ? readdirSync('/run/netns').filter((each) => each.includes(name))
    : [];
  const processes = readdirSync('/proc')
    .filter((each) => /^\d+$/.test(each))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    })
    .filter((argv) => argv.includes(`/clusters/${name}/`));
  return [...mounts, ...cgroups, ...namespaces, ...processes];
}

const pod = (name: string, command: string[], labels = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image: BUSYBOX_IMAGE, command }],
  },
});

describe.skipIf(clusterTests.skipWithNode)('a cluster with a real node', () => {
  let cluster: RunningCluster;

  beforeAll(async () => {
    cluster = await startCluster({ name: NAME, node: true });
  });
  afterAll(() => stopCluster(NAME));

  async function apply(...objects: object[]): Promise<void> {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    expect(await cluster.kubectl(['apply', '-f', '-'], list)).toMatchObject({ status: 0, stderr: '' });
  }

  test('pods run, log, take exec, and reach each other by service name', async () => {
    const serve = 'mkdir /www && echo found > /www/index.html && echo serving && httpd -f -p 8080 -h /www';
    await apply(pod('server', ['sh', '-c', serve], { app: 'server' }), pod('client', ['sleep', '1000']), {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'pages' },
      spec: { selector: { app: 'server' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    expect(
      (await cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=30s', 'pod/server', 'pod/client']))
        .status,
    ).toBe(0);
    expect((await cluster.kubectl(['logs', 'server'])).stdout).toBe('serving\n');
    // Ready says that the container runs; rules for the service and the server's socket follow in a moment. The name
    // is resolved apart and the page asked for with nc: a static busybox's wget crashes now and then.
    const lookUp = "nslookup pages.default.svc.cluster.local | awk '/^Address: / {print $2}'";
    const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc $(${lookUp}) 80`;
    await expect
      .poll(async () => (await cluster.kubectl(['exec', 'client', '--', 'sh', '-c', ask])).stdout, {
        timeout: 15_000,
        interval: 200,
      })
      .toContain('found');
  });

  test('a pod has its cgroup in the v2 hierarchy too, under a path that names it', async () => {
    const uid = (await cluster.kubectl(['get', 'pod', 'client', '-o', 'jsonpath={.metadata.uid}'])).stdout;
    const mount = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((line) => line.includes(' - cgroup2 '))
      ?.split(' ')[4] as string;
    const folder = join(mount, `kubesentry-${NAME}`, 'kubepods', 'besteffort', `pod${uid}`);
    expect(readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name)).length).toBeGreaterThan(0);
  });

  test('down leaves nothing behind', async () => {
    expect(traces(NAME)).not.toEqual([]);
    await cluster.stop();
    expect(traces(NAME)).toEqual([]);
  });

  test('down after a start that was killed in the middle leaves nothing behind', async () => {
    const up = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'up', '--name', NAME], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await new Promise<void>((resolve) => {
      up.stderr.on('data', (chunk: Buffer) => {
        if (chunk.includes('Starting the node')) resolve();
      });
    });
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // into the middle of it
    up.kill('SIGKILL');
    expect(traces(NAME)).not.toEqual([]);
    await stopCluster(NAME);
    expect(traces(NAME)).toEqual([]);
  });
});
