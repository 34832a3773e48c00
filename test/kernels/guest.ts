import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What pretends to be the machine. */
export interface Emulator {
  program: string;
  args: readonly string[];
  /** Device of the serial console, as the kernel calls it. */
  console: string;
}

export const X86_64: Emulator = { program: 'qemu-system-x86_64', args: ['-cpu', 'max'], console: 'ttyS0' };

export const ARM64: Emulator = {
  program: 'qemu-system-aarch64',
  // The simpler of the two pointer authentications: emulating the other one takes most of the time.
  args: ['-machine', 'virt', '-cpu', 'max,pauth-impdef=on'],
  console: 'ttyAMA0',
};

export interface BootOptions {
  /** An x86_64 machine unless given. */
  emulator?: Emulator;
  /** Kernel image. */
  kernel: string;
  initramfs: string;
  /** Added to the kernel's command line. */
  append?: string;
  memoryMiB?: number;
  /** The guest is ended after this long, milliseconds. */
  timeoutMs: number;
  /** Every line of the serial console. */
  onLine: (line: string) => void;
}

/**
 * Boots a kernel under qemu's own emulation (no KVM is needed) and resolves when the guest has powered off.
 * Rejects when it did not within the time.
 */
export async function boot({
  emulator = X86_64,
  kernel,
  initramfs,
  append = '',
  memoryMiB = 1024,
  timeoutMs,
  onLine,
}: BootOptions): Promise<void> {
  const qemu = spawn(
    emulator.program,
    [
      ...emulator.args,
      ...['-accel', 'tcg,thread=multi', '-smp', '2', '-m', String(memoryMiB)],
      ...['-nographic', '-nodefaults', '-no-reboot', '-serial', 'stdio'],
      ...['-kernel', kernel, '-initrd', initramfs],
      ...['-append', `console=${emulator.console} quiet panic=-1 ${append}`],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const timer = setTimeout(() => qemu.kill('SIGKILL'), timeoutMs);
  createInterface({ input: qemu.stdout }).on('line', onLine);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    qemu.once('error', reject);
    qemu.once('close', (...end) => resolve(end));
  });
  clearTimeout(timer);
  if (signal === 'SIGKILL') throw new Error(`The guest did not end within ${timeoutMs / 1000} s.`);
  if (code !== 0) throw new Error(`qemu ended with code ${code}.`);
}
