import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface BootOptions {
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
  kernel,
  initramfs,
  append = '',
  memoryMiB = 1024,
  timeoutMs,
  onLine,
}: BootOptions): Promise<void> {
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', String(memoryMiB)],
      ...['-nographic', '-nodefaults', '-no-reboot', '-serial', 'stdio'],
      ...['-kernel', kernel, '-initrd', initramfs],
      ...['-append', `console=ttyS0 quiet panic=-1 ${append}`],
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
