import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadIndicators } from '../../detection/load.ts';
import { ProcFs } from '../../runtime/proc-fs.ts';
import { SettingsFiles } from '../../runtime/settings-files.ts';
import { sampleContainer, sampleProcess } from './sample-process.ts';

const WALLET =
  '44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A';
const MINES = JSON.stringify({ pools: [{ url: 'pool.example:3333', user: WALLET }] });

const folder = mkdtempSync(join(tmpdir(), 'kubesentry-settings-'));
let files: SettingsFiles;
beforeAll(async () => {
  files = new SettingsFiles({ proc: new ProcFs(), indicators: await loadIndicators() });
  mkdirSync(join(folder, 'app'));
  mkdirSync(join(folder, 'other'));
  writeFileSync(join(folder, 'mine'), MINES);
  writeFileSync(join(folder, 'app/config.json'), MINES);
  writeFileSync(join(folder, 'other/config.json'), '{"url":"https://shop.example","user":"me"}');
  execFileSync('mkfifo', [join(folder, 'pipe')]);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What is said about a program that runs with these arguments in the folder. */
async function judge(argv: string[], exe = '/opt/web', container = sampleContainer()) {
  const child = spawn('sleep', ['30'], { cwd: folder });
  try {
    await once(child, 'spawn');
    const process = { ...sampleProcess(argv, { exe, container }), pid: child.pid as number };
    const verdict = await files.judge(process);
    return verdict && [verdict.findings[0]?.rule, verdict.evidence.settings];
  } finally {
    child.kill('SIGKILL');
  }
}

it.each([
  ['-c', ['web', '-c', 'mine'], 'mine'],
  ['--config=', ['web', '--config=./mine'], './mine'],
  ['an absolute path', ['web', '--config', join(folder, 'mine')], join(folder, 'mine')],
])('reads what a program is told to read: %s', async (_, argv, path) => {
  expect(await judge(argv)).toEqual(['miner-config', path]);
});

it('does not contain for a file that an argument only mentions', async () => {
  writeFileSync(join(folder, 'mine.json'), MINES);
  const verdict = await files.judge({
    ...sampleProcess(['web', join(folder, 'mine.json')], { exe: '/opt/web' }),
    pid: process.pid,
  });
  expect(verdict?.findings).toMatchObject([{ rule: 'miner-config', score: 60 }]);
});

it('reads what a program finds beside itself', async () => {
  expect(await judge(['web'], join(folder, 'app/web'))).toEqual(['miner-config', 'config.json']);
});

it.each([
  ['settings of something else', ['web', '-c', 'other/config.json'], '/opt/web'],
  ['settings of something else beside it', ['web'], join(folder, 'other/web')],
  ['a file that is counted', ['wc', '-c', 'mine'], '/usr/bin/wc'],
  ['a file that is not there', ['web', '-c', 'none'], '/opt/web'],
  ['a pipe', ['web', '-c', 'pipe'], '/opt/web'],
  ['a device', ['web', '-c', '/dev/zero'], '/opt/web'],
])('says nothing about %s', async (_, argv, exe) => {
  expect(await judge(argv, exe)).toBeUndefined();
});

it('looks beside a program once in a while, in each container, however often it is started', async () => {
  const path = join(folder, 'often');
  mkdirSync(path);
  expect(await judge(['web', 'first'], join(path, 'web'))).toBeUndefined();
  writeFileSync(join(path, 'config.json'), MINES);
  expect(await judge(['web', 'second'], join(path, 'web'))).toBeUndefined();
  const elsewhere = sampleContainer('/kubepods/pody/def');
  expect(await judge(['web'], join(path, 'web'), elsewhere)).toBeDefined();
});

it('says how many it had no time for', async () => {
  const process = sampleProcess(['web', '-c', 'none'], { exe: '/opt/web' });
  const before = files.missed;
  await Promise.all(Array.from({ length: 100 }, () => files.judge(process)));
  expect(files.missed - before).toBe(36);
});

it('reads a file again once it has changed', async () => {
  const path = join(folder, 'later.json');
  writeFileSync(path, '{}');
  expect(await judge(['web', '-c', path])).toBeUndefined();
  writeFileSync(path, MINES);
  expect(await judge(['web', '-c', path])).toEqual(['miner-config', path]);
});
