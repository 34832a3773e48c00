import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { runningCluster, startCluster } from '../cluster/cluster.ts';
import { clusterTests } from '../cluster/requirement.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'demo', 'main.ts');
const run = promisify(execFile);

interface Report {
  sensor: string;
  cluster: string;
  steps: { step: string; ok: boolean; ms: number }[];
  ok: boolean;
}

async function play(words: string[]): Promise<Report> {
  const [command = '', ...args] = words;
  // It exits with 1 when a step did not happen, and still says which.
  const { stdout, stderr } = await run(command, args, { maxBuffer: 1024 * 1024 }).catch(
    (error: { stdout?: string; stderr?: string }) => ({
      stdout: error.stdout ?? '',
      stderr: error.stderr ?? '',
    }),
  );
  expect(stdout, stderr).not.toBe('');
  return JSON.parse(stdout) as Report;
}

const STEPS = [
  ...['deny-daemonset', 'admit-daemonset', 'pod-running', 'attack', 'detected', 'quarantined', 'egress-cut'],
  ...['exec-denied', 'respawn-denied', 'copycat-denied', 'confirmed', 'terminated'],
  ...['revoked', 'reported', 'released', 'pod-back'],
];

test('the story comes true on this kernel', async () => {
  const report = await play([process.execPath, MAIN, '--json']);
  expect(report).toMatchObject({ sensor: 'ebpf', cluster: 'embedded', ok: true });
  expect(report.steps.map(({ step }) => step)).toEqual(STEPS);
});

test('without the right to load eBPF programs a recording is played, and nothing is said to be cut', async () => {
  const less = '-bpf,-perfmon,-sys_admin';
  const unprivileged = ['setpriv', '--bounding-set', less, '--inh-caps', less];
  const report = await play([...unprivileged, process.execPath, MAIN, '--json']);
  expect(report).toMatchObject({ sensor: 'replay', cluster: 'embedded', ok: true });
  expect(report.steps.map(({ step }) => step)).toEqual(STEPS.filter((step) => step !== 'egress-cut'));
});

describe.skipIf(clusterTests.skipWithNode)('on a real Kubernetes', () => {
  test('the same story comes true with pods of containerd, and leaves the cluster as it was', {
    timeout: 240_000,
  }, async () => {
    await startCluster({ name: 'demo-test', node: true });
    try {
      const report = await play([process.execPath, MAIN, '--cluster', '--name', 'demo-test', '--json']);
      expect(report).toMatchObject({ sensor: 'ebpf', cluster: 'real', ok: true });
      expect(report.steps.map(({ step }) => step)).toEqual(STEPS);
      const { stdout } = await runningCluster('demo-test').kubectl([
        'get',
        'ns,crd,clusterrole',
        '-o',
        'name',
      ]);
      expect(stdout).not.toMatch(/kubesentry|shop|billing/);
    } finally {
      await runningCluster('demo-test').stop();
    }
  });
});
