import { mkdtempSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { BUNDLE, bundle, SELF_CONTAINED } from '../../build/bundle.ts';
import { type Cell, type Result, tryAbilities } from './abilities.ts';
import { fetchArm64 } from './arm64.ts';
import { fetchKernel, type Kernel, SUITES, type Suite } from './debian-kernel.ts';
import { ARM64, boot, type Emulator, X86_64 } from './guest.ts';
import { packInitramfs } from './initramfs.ts';
import { ABILITY, NO_BTF } from './marks.ts';

/** One kernel with what came of the list. */
export interface Column {
  kernel: string;
  results: Result[];
  /** Whole run, milliseconds. */
  ms: number;
}

/** Under emulation everything takes ten times as long. */
const GUEST_MS = 300_000;

/** Debian has it off unless asked; the machines that have it on ask the same way. */
const WITH_BPF_LSM = 'lsm=lockdown,capability,yama,bpf';

export const NO_BTF_ABILITY = 'a kernel without BTF is refused in plain words';

/** The kernel of this machine. */
export async function runHere(heard: (result: Result) => void): Promise<Column> {
  const began = performance.now();
  const results = await tryAbilities(heard);
  return { kernel: release(), results, ms: performance.now() - began };
}

/** A kernel of Debian's under qemu, with the agent inside as users get it: the bundle. */
export async function runDebian(
  suite: Suite,
  heard: (result: Result) => void,
  log: (line: string) => void,
): Promise<Column> {
  const kernel = fetchKernel(suite, log);
  return runGuest({ kernel, programs: [process.execPath, ...PROGRAMS] }, heard);
}

/** The same on arm64, with everything built for it on this machine. */
export async function runArm64(
  heard: (result: Result) => void,
  log: (line: string) => void,
): Promise<Column> {
  const { kernel, sysroot, node, addon } = await fetchArm64(log);
  return runGuest(
    {
      kernel,
      emulator: ARM64,
      sysroot,
      programs: PROGRAMS.map((program) => join(sysroot, program)),
      files: { '/bin/node': node, '/app/build/node-libbpf-arm64.node': addon },
    },
    heard,
  );
}

const PROGRAMS = ['/bin/bash', '/bin/sleep', '/bin/touch'];

interface Guest {
  kernel: Kernel;
  emulator?: Emulator;
  sysroot?: string;
  programs: string[];
  files?: Record<string, string>;
}

async function runGuest(
  { kernel, emulator = X86_64, sysroot = '', programs, files = {} }: Guest,
  heard: (result: Result) => void,
): Promise<Column> {
  const folder = mkdtempSync(join(tmpdir(), 'kubesentry-kernel-'));
  try {
    const inside = await bundleInside(folder);
    const initramfs = packInitramfs({
      folder: join(folder, 'guest'),
      programs,
      sysroot,
      files: { '/app': BUNDLE, '/app/inside.mjs': inside, ...files },
      script: `
node /app/inside.mjs 2>&1
mkdir /tmp/empty && mount -o bind /tmp/empty /sys/kernel/btf
node /app/kubesentry.mjs agent --check > /tmp/check 2>&1
echo "${NO_BTF}$? $(cat /tmp/check)"`,
    });
    const results: Result[] = [];
    const note = (result: Result) => {
      results.push(result);
      heard(result);
    };
    let check: string | undefined;
    const lines: string[] = [];
    const began = performance.now();
    await boot({
      emulator,
      kernel: kernel.image,
      initramfs,
      append: WITH_BPF_LSM,
      timeoutMs: GUEST_MS,
      onLine: (line) => {
        lines.push(line);
        const ability = behind(ABILITY, line);
        const refusal = behind(NO_BTF, line);
        if (ability !== undefined) note(JSON.parse(ability) as Result);
        else if (refusal !== undefined) check = refusal;
        else if (check !== undefined) check += ` ${line}`;
      },
    });
    if (results.length === 0) throw new Error(`The guest said:\n${lines.slice(-40).join('\n')}`);
    note({ ability: NO_BTF_ABILITY, cell: refusalOf(check ?? '') });
    return { kernel: kernel.release, results, ms: performance.now() - began };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The firmware leaves the first line of the console begun. */
function behind(mark: string, line: string): string | undefined {
  const at = line.indexOf(mark);
  return at < 0 ? undefined : line.slice(at + mark.length);
}

/** Whether `agent --check` ended with 1 and named BTF. */
function refusalOf(check: string): Cell {
  const [, code, said = ''] = /^(\d+) (.*)$/.exec(check) ?? [];
  const isPlain =
    code === '1' && said.includes('KERNEL_UNSUPPORTED') && /btf/i.test(said) && !/\bat .*:\d+:\d+/.test(said);
  return isPlain ? { state: 'works' } : { state: 'cannot', reason: `exit ${code}: ${said.slice(0, 200)}` };
}

/** The list as one file beside the bundle, whose data it uses. */
async function bundleInside(folder: string): Promise<string> {
  await bundle();
  const outfile = join(folder, 'inside.mjs');
  await build({ ...SELF_CONTAINED, entryPoints: [join(import.meta.dirname, 'inside.ts')], outfile });
  return outfile;
}

/** Suites by what people call their kernel, such as 6.1. */
export function suiteOf(series: string): Suite | undefined {
  return (Object.keys(SUITES) as Suite[]).find((suite) => SUITES[suite] === series || suite === series);
}
