// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Birth and death of processes, so that user space knows the tree although a process may live a millisecond.
 *
 * Both are BTF tracepoints: they run where the scheduler calls them, in the context of the parent or of the process
 * that ends, may not sleep and cannot change anything.
 */
#include "emit.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct fork_event *event;

	/* Threads are no processes. */
	if (BPF_CORE_READ(child, pid) != BPF_CORE_READ(child, tgid))
		return 0;
	event = reserve_event(EVENT_FORK, sizeof(*event));
	if (!event)
		return 0;
	/* The child is complete and has its cgroup (also with CLONE_INTO_CGROUP), and did not run yet. */
	fill_header(&event->header, child, EVENT_FORK, sizeof(*event));
	/*
	 * Not with BPF_RB_NO_WAKEUP, although the child's next event comes soon: the kernel wakes only a reader that
	 * has read everything before the record at hand, so one silent record silences all that follow.
	 */
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct exit_event *event;

	/* The count is lowered before this point, so that 0 says: the last thread, which need not be the leader. */
	if (BPF_CORE_READ(task, signal, live.counter) != 0)
		return 0;
	event = reserve_event(EVENT_EXIT, sizeof(*event));
	if (!event)
		return 0;
	fill_header(&event->header, task, EVENT_EXIT, sizeof(*event));
	event->exit_code = BPF_CORE_READ(task, exit_code);
	event->exit_reserved = 0;
	bpf_ringbuf_submit(event, 0);
	return 0;
}
