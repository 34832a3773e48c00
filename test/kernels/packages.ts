/** Debian packages that other kernels are booted with. */
export const PACKAGES: string[] = ['qemu-system-x86', 'cpio', 'busybox-static'];
