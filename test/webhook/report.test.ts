import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { report } from '../../cli/plugin/report.ts';
import { runWithoutTerminal } from '../../cli/plugin/without-terminal.ts';
import { KIND } from '../../kube/kind.ts';
import { mineIn, runDaemonSet } from './attack.ts';
import { openScene, type Scene } from './harness.ts';

let scene: Scene;
let name: string;
let folder: string;
let stop: () => Promise<unknown>;
beforeAll(async () => {
  scene = await openScene();
  const { pod, controller } = await runDaemonSet(scene);
  stop = () => controller.stop();
  name = (await mineIn(scene, pod)).metadata.name as string;
  folder = mkdtempSync(join(tmpdir(), 'kubesentry-report-'));
});
afterAll(async () => {
  await stop();
  await scene[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const run = (positionals: string[], options: Record<string, string>, flags: string[] = []) =>
  runWithoutTerminal(report, scene.as('alice'), positionals, { options, flags });

describe('the report of an incident', () => {
  it('is signed by the leader, and shown to be unchanged without its key', async () => {
    const { text, warnings } = await run([name], { output: 'json' });
    expect(warnings).toBe('');
    const { incident, signature } = JSON.parse(text);
    expect(incident.metadata.name).toBe(name);
    expect(signature.signature).toMatch(/^[\w-]{86}$/);
    const file = join(folder, 'report.json');
    writeFileSync(file, text);
    expect((await run([], { verify: file })).text).toContain(`Unchanged: the report of incident ${name} `);

    writeFileSync(file, text.replace('"shop"', '"shod"'));
    await expect(run([], { verify: file })).rejects.toMatchObject({ code: 'REPORT_FORGED' });
  });

  it('is verified without the cluster by keys that were kept outside', async () => {
    const file = join(folder, 'report.json');
    const keys = join(folder, 'keys.json');
    writeFileSync(file, (await run([name], { output: 'json' })).text);
    writeFileSync(keys, (await run([], {}, ['print-keys'])).text);
    await scene.cluster.delete(KIND.ConfigMap, {
      namespace: 'kubesentry-system',
      name: 'kubesentry-report-keys',
    });
    await expect(run([], { verify: file })).rejects.toThrow('none of the keys of this cluster signed it');
    expect((await run([], { verify: file, keys })).text).toContain('Unchanged');
  });

  it('says what to do when the file or the format is wrong', async () => {
    await expect(run([], { verify: join(folder, 'none') })).rejects.toMatchObject({
      code: 'INPUT_UNREADABLE',
    });
    await expect(run([name], { output: 'toString' })).rejects.toThrow('There is no format "toString"');
    await expect(run([], {})).rejects.toThrow('Name the incident');
  });
});
