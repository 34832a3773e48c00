import { describe, expect, it } from 'vitest';
import { EXEC_FLAG } from '../../bpf/events.ts';
import { loadIndicators } from '../../detection/load.ts';
import { HOST } from '../../runtime/containers.ts';
import { ExecDetector } from '../../runtime/detectors/exec.ts';
import type { Image } from '../../runtime/image.ts';
import type { Process } from '../../runtime/processes.ts';
import { sampleContainer, sampleProcess } from './sample-process.ts';

const detector = new ExecDetector(await loadIndicators());

function rules(image: Partial<Image>, changes: Partial<Process> = {}): string[] {
  const process = sampleProcess(['app']);
  return detector
    .judge({ ...process, image: { ...process.image, ...image }, ...changes })
    .map(({ rule }) => rule);
}

describe('ExecDetector', () => {
  it('says nothing about an ordinary program', () => {
    expect(rules({})).toEqual([]);
    expect(rules({}, { container: HOST })).toEqual([]);
  });

  it('judges the name of a script beside that of its interpreter', () => {
    const script = { exe: '/bin/dash', filename: '/opt/xmrig', argv: ['/bin/sh', '/opt/run'], comm: 'run' };
    expect(rules(script)).toContain('miner-name');
  });

  it('says where the file of a container comes from', () => {
    expect(rules({ flags: EXEC_FLAG.memfd, exe: '/memfd:x' })).toContain('memory-executable');
    expect(rules({ flags: EXEC_FLAG.deleted })).toContain('deleted-executable');
    expect(rules({ flags: EXEC_FLAG.upperLayer })).toContain('added-executable');
    expect(rules({ flags: EXEC_FLAG.upperLayer }, { container: HOST })).toEqual([]);
  });

  it('judges the name of a program in memory like that of a file', () => {
    expect(rules({ flags: EXEC_FLAG.memfd, exe: '/memfd:xmrig', argv: [] })).toContain('miner-name');
  });

  it('knows the copy of itself that runc starts containers from, and nobody else who takes its name', () => {
    const copy = { flags: EXEC_FLAG.memfd, exe: '/memfd:runc_cloned:/proc/self/exe', comm: 'runc:[2:INIT]' };
    const runc = sampleProcess(['runc', 'init'], { container: HOST });
    expect(rules(copy, { parent: runc })).toEqual([]);
    const shell = sampleProcess(['sh'], { container: sampleContainer() });
    expect(rules(copy, { parent: shell })).toContain('memory-executable');
  });

  it('says that it could not read all arguments', () => {
    expect(rules({ flags: EXEC_FLAG.argsTruncated })).toContain('analysis-limit');
  });

  it('judges anew with other indicators', async () => {
    const indicators = await loadIndicators();
    const fresh = new ExecDetector(indicators);
    const process = sampleProcess(['house-miner']);
    expect(fresh.judge(process).map(({ rule }) => rule)).not.toContain('miner-name');
    fresh.indicators = { ...indicators, nameKinds: new Map([['house-miner', 'miner' as const]]) };
    expect(fresh.judge(process).map(({ rule }) => rule)).toContain('miner-name');
  });
});
