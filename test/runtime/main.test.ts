import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import type { Detection } from '../../api/detection.ts';
import { findHierarchies } from '../../runtime/cgroup-tree.ts';
import { parseAgentArguments } from '../../runtime/options.ts';
import { whyNoKernel } from './arena.ts';

const CLI = join(import.meta.dirname, '../../cli/kubesentry.ts');
const agent = (...args: string[]): ChildProcess =>
  spawn(process.execPath, [CLI, 'agent', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });

async function result(child: ChildProcess) {
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (errors += chunk));
  const [code] = await once(child, 'close');
  return { code, output, errors };
}

describe('options of the agent', () => {
  it('teaches them', async () => {
    const { code, output } = await result(agent('--help'));
    expect(code).toBe(0);
    for (const option of ['--standalone', '--cgroup', '--enforce', '--check', '--spool'])
      expect(output).toContain(option);
  });

  it.each([
    [['--standalone', '--output', 'yaml'], 'jsonl, text'],
    [['--standalone', '--webhook', 'https://x'], 'leave out'],
    [['--webhook', 'nonsense'], 'nonsense'],
    [['--standalone', '--metrics-port', '70000'], '70000'],
    [['--standalone', '--log-level', 'loud'], 'loud'],
    [['--standalone', '--freeze'], '--enforce'],
    [['--nonsense'], 'nonsense'],
    [[], '--standalone'],
  ])('refuses %j with a sentence', (argv, part) => {
    expect(() => parseAgentArguments(argv, {})).toThrow(part);
  });

  it('takes the name of the node from the pod', () => {
    expect(parseAgentArguments(['--standalone'], { NODE_NAME: 'n1' }).node).toBe('n1');
    expect(parseAgentArguments(['--standalone', '--node', 'n2'], { NODE_NAME: 'n1' }).node).toBe('n2');
  });
});

const reason = whyNoKernel();

describe.skipIf(reason)(`kubesentry agent${reason ? ` (${reason})` : ''}`, () => {
  it('says what this node supports', async () => {
    const { code, output } = await result(agent('--check'));
    expect(code).toBe(0);
    expect(output).toMatch(/^ok\s+exec/m);
  });

  it('says that a pod without hostPID sees no binaries but its own', { timeout: 60_000 }, async () => {
    const { output } = await result(agent('--check'));
    expect(output).not.toContain('hostPID');
    const inside = ['--pid', '--fork', '--mount-proc', process.execPath, CLI, 'agent', '--check'];
    const pod = await result(spawn('unshare', inside, { stdio: ['ignore', 'pipe', 'pipe'] }));
    expect(pod.output).toMatch(/^no\s+binaries .*hostPID is missing/m);
    expect(pod.output).toContain('This node can be watched in part.');
  });

  it('names the capability that is missing', async () => {
    const child = spawn(
      'setpriv',
      [
        '--bounding-set=-bpf,-sys_admin',
        '--inh-caps=-bpf,-sys_admin',
        process.execPath,
        CLI,
        'agent',
        '--check',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const { code, output } = await result(child);
    expect(code).toBe(1);
    expect(output).toMatch(/PRIVILEGE_MISSING.*CAP_BPF/);
  });

  it('refuses a cgroup that does not exist', async () => {
    const { code, errors } = await result(agent('--standalone', '--cgroup', '/no/such'));
    expect(code).not.toBe(0);
    expect(errors).toContain('/no/such');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'prints detections as JSON lines alone, and ends well on %s',
    async (signal) => {
      const folder = mkdtempSync(join(tmpdir(), 'kubesentry-cli-'));
      const cgroup = join(findHierarchies('/proc').v2?.root as string, `kubesentry-cli-${process.pid}`);
      mkdirSync(cgroup);
      const xmrig = join(folder, 'xmrig');
      copyFileSync('/bin/sleep', xmrig);
      const child = agent('--standalone', '--cgroup', cgroup);
      const errors = createInterface({ input: child.stderr as NodeJS.ReadableStream });
      const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
      try {
        const [ready] = await once(errors, 'line');
        expect(ready).toMatch(/^watching /);
        execFileSync('/bin/sh', ['-c', `echo $$ > ${cgroup}/cgroup.procs; exec ${xmrig} 0.1`]);
        const [line] = await once(lines, 'line');
        const detection = JSON.parse(line) as Detection;
        expect(detection).toMatchObject({ rule: 'miner-name', process: { exe: xmrig } });
        child.kill(signal);
        expect(await once(child, 'exit')).toEqual([0, null]);
      } finally {
        child.kill('SIGKILL');
        rmdirSync(cgroup);
        rmSync(folder, { recursive: true });
      }
    },
  );
});
