import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Initramfs {
  /** Folder to build in; emptied first. */
  folder: string;
  /** Programs that the guest needs, with the libraries that they link to. */
  programs: string[];
  /** Where they and busybox are instead of on the host, for a guest of another architecture: all its libraries come along. */
  sysroot?: string;
  /** What else to put in: host path by guest path. */
  files: Record<string, string>;
  /** Run as the first process, by busybox sh; when it ends the guest powers off. */
  script: string;
}

/** Shared libraries of a program, as the dynamic loader resolves them. */
function libraries(program: string): string[] {
  const listing = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...listing.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] as string);
}

/** Every shared library of a root that was unpacked from Debian packages, with its place in the guest. */
function sharedObjects(sysroot: string): [from: string, to: string][] {
  return ['lib', 'usr/lib'].flatMap((top) =>
    readdirSync(join(sysroot, top), { recursive: true, encoding: 'utf8' })
      // Links for linking only lead nowhere: their libraries are not needed.
      .filter((path) => /\.so(\.[\d.]+)?$/.test(path) && existsSync(join(sysroot, top, path)))
      .map((path): [string, string] => [join(sysroot, top, path), join(top, path)]),
  );
}

/** Packs an initial file system (cpio, newc) that boots straight into a script. Returns the archive's path. */
export function packInitramfs({ folder, programs, sysroot = '', files, script }: Initramfs): string {
  rmSync(folder, { recursive: true, force: true });
  const root = join(folder, 'root');
  const put = (from: string, to: string) => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    cpSync(from, join(root, to), { recursive: true, dereference: true });
  };
  for (const path of ['dev', 'proc', 'sys', 'tmp', 'etc', 'run', 'bin'])
    mkdirSync(join(root, path), { recursive: true });
  put(`${sysroot}/bin/busybox`, 'bin/busybox');
  const own = new Set(programs.map((program) => program.slice(program.lastIndexOf('/') + 1)));
  for (const applet of ['sh', 'mount', 'mkdir', 'sleep', 'cat', 'cp', 'chmod', 'ip', 'poweroff']) {
    if (!own.has(applet)) symlinkSync('busybox', join(root, 'bin', applet));
  }
  for (const program of programs) put(program, join('bin', program.slice(program.lastIndexOf('/') + 1)));
  if (sysroot === '') for (const library of new Set(programs.flatMap(libraries))) put(library, library);
  else for (const [from, to] of sharedObjects(sysroot)) put(from, to);
  for (const [to, from] of Object.entries(files)) put(from, to);
  writeFileSync(
    join(root, 'init'),
    `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
mount -t tmpfs tmp /tmp
mount -t securityfs security /sys/kernel/security
ip link set lo up
export PATH=/bin HOME=/tmp
${script}
poweroff -f
`,
    { mode: 0o755 },
  );
  const archive = join(folder, 'initramfs.cpio');
  execFileSync('sh', ['-c', `find . -print0 | cpio --null --create --format=newc --quiet > '${archive}'`], {
    cwd: root,
  });
  return archive;
}
