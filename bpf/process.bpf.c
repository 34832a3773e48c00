// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who made whom, so that the ancestry of a process is known although those above it lived a millisecond. It stays in a
 * map: of many births the next thing that happens is an exec, which says the same.
 *
 * A BTF tracepoint: it runs where the scheduler calls it, in the context of the parent, may not sleep and cannot change
 * anything. The child is complete and did not run yet.
 */
#include "emit.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct task_struct *maker = BPF_CORE_READ(child, real_parent);
	__u32 tgid = BPF_CORE_READ(child, tgid);
	struct birth birth = {};

	/* Threads are no processes. */
	if (BPF_CORE_READ(child, pid) != (int)tgid)
		return 0;
	birth.start_time = BPF_CORE_READ(child, start_boottime);
	birth.ppid = BPF_CORE_READ(maker, tgid);
	birth.parent_start_time = BPF_CORE_READ(maker, group_leader, start_boottime);
	bpf_map_update_elem(&births, &tgid, &birth, BPF_ANY);
	return 0;
}
