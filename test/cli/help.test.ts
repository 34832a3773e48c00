import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import { COMMANDS, PLUGIN_COMMANDS } from '../../cli/commands.ts';
import { errorLine } from '../../cli/error-line.ts';
import { nearest } from '../../cli/nearest.ts';

const CLI = join(import.meta.dirname, '..', '..', 'cli', 'kubesentry.ts');
const ALL = Object.entries({ ...COMMANDS, ...PLUGIN_COMMANDS });

function kubesentry(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe('the help of', () => {
  it.each(ALL)('%s says how to use it, and gives an example', async (name, command) => {
    const run = await command.load();
    const written: string[] = [];
    const stdout = vi
      .spyOn(process.stdout, 'write')
      .mockImplementation((text) => written.push(`${text}`) > 0);
    const status = await run(['--help']).finally(() => stdout.mockRestore());
    const text = written.join('');
    expect(status).toBe(0);
    expect(text).toContain('Usage:');
    expect(text).toContain('-h, --help');
    const [, examples = ''] = text.split(/^Examples:\n/m);
    expect(examples).toMatch(new RegExp(`^  .*kubesentry ${name}`, 'm'));
    expect(text.split('\n').filter((line) => line.length > 120)).toEqual([]);
  });

  it('a command is also behind "help"', () => {
    expect(kubesentry('help', 'scan').stdout).toBe(kubesentry('scan', '--help').stdout);
  });
});

describe('as a plugin of kubectl', () => {
  const PLUGIN = join(import.meta.dirname, '..', '..', 'cli', 'kubectl-kubesentry.ts');
  const plugin = (...args: string[]) => spawnSync(process.execPath, [PLUGIN, ...args], { encoding: 'utf8' });

  it('it calls itself as it is called, and says what to do first', () => {
    const { status, stdout } = plugin('--help');
    expect(status).toBe(0);
    expect(stdout).toContain('kubectl kubesentry COMMAND');
    expect(stdout).toContain('First steps:');
    expect(plugin('approve').stderr).toContain('See kubectl kubesentry approve --help.');
  });
});

describe('who types', () => {
  it('a command wrong is told which one was meant', () => {
    expect(kubesentry('incident')).toEqual({
      status: 1,
      stdout: '',
      stderr: 'error: There is no command "incident". Did you mean "incidents"?\nSee kubesentry --help.\n',
    });
    expect(kubesentry('help', 'scna').stderr).toContain('Did you mean "scan"?');
  });

  it.each(['scan', 'webhook', 'agent', 'audit', 'status'])(
    'a wrong option of %s is sent to its help, alike everywhere',
    (name) => {
      expect(kubesentry(name, '--nonsense')).toEqual({
        status: 1,
        stdout: '',
        stderr: `error: Unknown option '--nonsense'.\nSee kubesentry ${name} --help.\n`,
      });
    },
  );
});

it('an error names the code by which the pages know it', () => {
  expect(kubesentry('scan', '-f', '/nonexistent').stderr).toMatch(
    /^error: \/nonexistent cannot be read: .* \(INPUT_UNREADABLE\)\nName a file/,
  );
  expect(errorLine(new KubesentryError('KUBE_UNREACHABLE', 'There is no kubeconfig.'))).toBe(
    'error: There is no kubeconfig. (KUBE_UNREACHABLE)\n',
  );
});

describe('the nearest word', () => {
  const words = ['scan', 'status', 'release', 'report'];
  it.each([
    ['sacn', 'scan'],
    ['releas', 'release'],
    ['rep', 'report'],
    ['frobnicate', undefined],
    ['', undefined],
    ['s'.repeat(100_000), undefined],
  ])('to %.12s', (typed, word) => {
    expect(nearest(typed, words)).toBe(word);
  });
});
