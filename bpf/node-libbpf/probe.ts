/**
 * What this kernel can, found out by loading a program of two instructions. Lists of features and the answers of
 * other tools are no proof: a kernel may list "bpf" among its security modules and still refuse such programs.
 */
import { native } from './native.ts';

export type ProbeResult = { supported: true } | { supported: false; code: string; log: string };

/** Sections as in C: the part that matters to the kernel. */
export type ProgramKind =
  | 'tp_btf'
  | 'raw_tp'
  | 'tracepoint'
  | 'fentry'
  | 'lsm'
  | 'kprobe'
  | 'iter'
  | 'socket'
  | 'cgroup/connect4'
  | 'cgroup/connect6'
  | 'cgroup/sendmsg4'
  | 'cgroup/sendmsg6'
  | 'cgroup_skb/egress';

/** What `hook` is where it is not given. */
const DEFAULT_HOOK: Partial<Record<ProgramKind, string>> = {
  tp_btf: 'sched_process_exec',
  fentry: 'vfs_read',
  lsm: 'bprm_check_security',
  iter: 'task',
};

/**
 * Whether a program of this kind loads here, for tp_btf, fentry, lsm and iter at this hook.
 * For lsm, loading does not prove that the kernel calls it: "bpf" must be in /sys/kernel/security/lsm too.
 */
export function programType(kind: ProgramKind, hook?: string): ProbeResult {
  return result(native.probeLoad(kind, hook ?? DEFAULT_HOOK[kind]));
}

/** Whether the kernel describes its own types (/sys/kernel/btf/vmlinux), which CO-RE needs. */
export function btf(): ProbeResult {
  return result(native.probeBtf());
}

/** Version of libbpf that is linked in: "1.1". */
export function libbpfVersion(): string {
  return native.libbpfVersion();
}

const result = (failure: { code: string; log: string } | undefined): ProbeResult =>
  failure ? { supported: false, ...failure } : { supported: true };
