import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Spool } from '../../runtime/spool.ts';
import { sampleDetection } from './sample-detection.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubesentry-spool-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const all = (spool: Spool) => spool.oldest(1000, Number.MAX_SAFE_INTEGER);

it('keeps what was put until it is removed, the oldest first', async () => {
  const spool = await Spool.open(folder);
  for (const number of [3, 1, 2]) await spool.put(sampleDetection(number));
  expect((await all(spool)).map(({ id }) => Number.parseInt(id, 16))).toEqual([3, 1, 2]);
  const [first] = await spool.oldest(1, 1e6);
  await spool.remove(first ? [first] : []);
  expect((await all(spool)).map(({ id }) => Number.parseInt(id, 16))).toEqual([1, 2]);
});

it('finds everything again after it was opened anew', async () => {
  const before = await Spool.open(folder);
  await before.put(sampleDetection(1));
  await before.put(sampleDetection(2));
  const after = await Spool.open(folder);
  expect((await all(after)).map(({ detection }) => detection)).toEqual([
    sampleDetection(1),
    sampleDetection(2),
  ]);
});

it('replaces an earlier version, and an acknowledgement of the earlier one does not remove the later', async () => {
  const spool = await Spool.open(folder);
  await spool.put(sampleDetection(1));
  const [sent] = await all(spool);
  await spool.put(sampleDetection(1, { repeats: 7 }));
  await spool.remove(sent ? [sent] : []);
  const [left] = await all(spool);
  expect(left?.detection.repeats).toBe(7);
  expect(spool.stats.pending).toBe(1);
});

it('gives every version that counts to a reader that reads all the time', async () => {
  const spool = await Spool.open(folder);
  const last = new Map<string, number>();
  let isDone = false;
  const reading = (async () => {
    while (!isDone || spool.stats.pending > 0) {
      const batch = await all(spool);
      for (const { id, detection } of batch) last.set(id, detection.repeats);
      await spool.remove(batch);
    }
  })();
  const puts: Promise<boolean>[] = [];
  for (let count = 0; count < 300; count++) {
    puts.push(spool.put(sampleDetection(count % 40, { repeats: count })));
    if (count % 7 === 0) await puts.at(-1);
  }
  await Promise.all(puts);
  isDone = true;
  await reading;
  expect(spool.stats).toMatchObject({ corrupt: 0, lost: 0, pending: 0 });
  expect([...last.values()].toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 40 }, (_, index) => 260 + index),
  );
});

it('keeps the oldest when it is full and counts what is lost', async () => {
  const size = Buffer.byteLength(JSON.stringify(sampleDetection(1)));
  const spool = await Spool.open(folder, size * 2);
  const kept = await Promise.all([1, 2, 3].map((number) => spool.put(sampleDetection(number))));
  expect(kept).toEqual([true, true, false]);
  expect(spool.stats).toMatchObject({ pending: 2, lost: 1, bytes: size * 2 });
});

it('keeps the oldest when the disk is full, whatever else is written at the same time', async (test) => {
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
  if (status !== 0) {
    console.log(`skipped: a small file system cannot be mounted: ${stderr}`);
    return test.skip();
  }
  try {
    const spool = await Spool.open(folder);
    const fill = Array.from({ length: 40 }, (_, number) => spool.put(sampleDetection(number)));
    const results = await Promise.allSettled(fill);
    const kept = results.flatMap(({ status }, number) => (status === 'fulfilled' ? [number] : []));
    expect(kept.length).toBeGreaterThan(5);
    expect(kept.length).toBeLessThan(17);
    expect(spool.stats).toMatchObject({ pending: kept.length, lost: 40 - kept.length, outdated: 0 });

    const update = sampleDetection(kept[0] ?? 0, { repeats: 9 });
    await expect(spool.put(update)).rejects.toMatchObject({ code: 'SPOOL_UNUSABLE' });
    expect(spool.stats).toMatchObject({ pending: kept.length, outdated: 1 });
    const held = await all(spool);
    expect(held.map(({ detection }) => detection)).toEqual(kept.map((number) => sampleDetection(number)));

    await spool.remove(held.slice(0, 3));
    expect(await spool.put(update)).toBe(true);
    expect((await all(await Spool.open(folder))).map(({ id }) => id)).toContain(update.id);
  } finally {
    spawnSync('umount', [folder]);
  }
});

it('skips and counts files that cannot be read back', async () => {
  const before = await Spool.open(folder);
  await before.put(sampleDetection(1));
  writeFileSync(join(folder, `${'0'.repeat(31)}2.json`), '{"id": "000');
  writeFileSync(join(folder, `${'0'.repeat(31)}3.part`), 'half');
  writeFileSync(join(folder, 'README'), 'not ours');
  const spool = await Spool.open(folder);
  expect((await all(spool)).map(({ id }) => Number.parseInt(id, 16))).toEqual([1]);
  expect(spool.stats).toMatchObject({ corrupt: 1, pending: 1 });
  expect(readdirSync(folder).toSorted()).toEqual([`${'0'.repeat(31)}1.json`, 'README']);
});

it('says that the folder cannot be used', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await expect(Spool.open(join(file, 'below'))).rejects.toMatchObject({ code: 'SPOOL_UNUSABLE' });
});

it('counts what the disk refused and goes on', async () => {
  const spool = await Spool.open(folder);
  rmSync(folder, { recursive: true });
  await expect(spool.put(sampleDetection(1))).rejects.toMatchObject({ code: 'SPOOL_UNUSABLE' });
  mkdirSync(folder);
  expect(await spool.put(sampleDetection(2))).toBe(true);
  expect(spool.stats).toMatchObject({ pending: 1, lost: 1 });
});

it('loses nothing that it said was kept, and nothing else breaks, when the process is killed at any moment', async () => {
  const script = `
    import { Spool } from '${join(import.meta.dirname, '../../runtime/spool.ts')}';
    import { sampleDetection } from '${join(import.meta.dirname, 'sample-detection.ts')}';
    const spool = await Spool.open(process.argv[1]);
    for (let number = 1; ; number++) {
      await spool.put(sampleDetection(number % 50, { repeats: number }));
      process.stdout.write(number + '\\n');
    }`;
  for (const wait of [50, 5, 1]) {
    rmSync(folder, { recursive: true, force: true });
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    const [first] = await once(child.stdout, 'data');
    said += first;
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
    setTimeout(() => child.kill('SIGKILL'), wait);
    await once(child, 'close');
    const kept = Number(
      said
        .trim()
        .split('\n')
        .filter((line) => line !== '')
        .at(-1),
    );
    const spool = await Spool.open(folder);
    const numbers = (await all(spool)).map(({ detection }) => detection.repeats);
    expect(spool.stats.corrupt).toBe(0);
    expect(Math.max(...numbers)).toBeGreaterThanOrEqual(kept);
    for (let number = Math.max(1, kept - 49); number <= kept; number++) {
      expect(numbers.some((found) => found % 50 === number % 50 && found >= number)).toBe(true);
    }
  }
});
