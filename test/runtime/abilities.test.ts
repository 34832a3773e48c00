import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { abilitiesOf } from '../../runtime/abilities.ts';
import { ProcFs } from '../../runtime/proc-fs.ts';

const OWN = process.geteuid?.() ?? 0;
const OTHER = OWN + 1;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kubesentry-abilities-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A process as /proc shows it; the link to its binary is absent where nobody may read it. */
function put(pid: number, { uid, exe }: { uid: number; exe?: string }): void {
  const folder = join(root, String(pid));
  mkdirSync(folder);
  writeFileSync(join(folder, 'status'), `Name:\tx\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`);
  if (exe) symlinkSync(exe, join(folder, 'exe'));
}

const binaries = () =>
  abilitiesOf({ cpu: {} } as never, [], new ProcFs(root)).find(({ name }) => name === 'binaries')?.state;

describe('the binaries of other processes can be read', () => {
  it('where that of the first one can', () => {
    put(1, { uid: OWN, exe: '/sbin/init' });
    expect(binaries()).toBe('on');
  });

  it('where somebody guards the first one, but that of another user can', () => {
    put(1, { uid: OWN });
    put(7, { uid: OTHER, exe: '/pause' });
    expect(binaries()).toBe('on');
  });

  it('where somebody guards the first one and nobody else runs anything, but we may look', () => {
    put(1, { uid: OWN });
    mkdirSync(join(root, 'self'));
    const status = join(root, 'self/status');
    writeFileSync(status, 'Name:\tnode\nCapEff:\t000001fffeffffff\n');
    expect(binaries()).toBe('on');
    writeFileSync(status, 'Name:\tnode\nCapEff:\t0000000000001000\n');
    expect(binaries()).toBe('off');
  });

  it('not where they are those of a container alone, whatever can be read', () => {
    put(1, { uid: OWN, exe: '/usr/local/bin/node' });
    mkdirSync(join(root, '1/ns'));
    symlinkSync('pid:[4026532201]', join(root, '1/ns/pid'));
    expect(binaries()).toBe('off');
    rmSync(join(root, '1/ns/pid'));
    symlinkSync('pid:[4026531836]', join(root, '1/ns/pid'));
    expect(binaries()).toBe('on');
  });

  it('not where only our own can', () => {
    put(1, { uid: OWN });
    put(7, { uid: OTHER });
    put(8, { uid: OWN, exe: '/usr/local/bin/node' });
    expect(binaries()).toBe('off');
  });
});
