/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_EMIT_H
#define KUBESENTRY_EMIT_H

/* The ring, the count of what did not fit, who made whom, and the header that every event starts with. */
#include "control.h"
#include "event.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EVENT_TYPES);
	__type(key, __u32);
	__type(value, __u64);
} dropped SEC(".maps");

static __always_inline void count_dropped(__u32 type)
{
	__u64 *count = bpf_map_lookup_elem(&dropped, &type);

	if (count)
		(*count)++;
}

/*
 * Who made each process: user space asks when it has to know, which is seldom. What falls out can still be asked of
 * /proc, unless it is gone.
 */
struct birth {
	__u64 start_time;
	__u64 parent_start_time;
	__u32 ppid;
	__u32 birth_reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct birth);
} births SEC(".maps");

/*
 * How events are handed over. The reader looks by itself every few milliseconds; what somebody may have to act upon wakes
 * it at once. BPF_RB_FORCE_WAKEUP, since the kernel by itself wakes only a reader that has read everything before the
 * record at hand, and after a quiet one it has not.
 */
#define AT_ONCE BPF_RB_FORCE_WAKEUP
#define QUIETLY BPF_RB_NO_WAKEUP

static __always_inline void *reserve_event(__u32 type, __u64 size)
{
	void *event = bpf_ringbuf_reserve(&events, size, 0);

	if (!event)
		count_dropped(type);
	return event;
}

/* Once its maker is gone, a process has another parent: that of a daemon is init. */
static __always_inline void fill_parent(struct event_header *header, struct task_struct *task)
{
	/* A copy, since 5.10 takes no key out of the ring. */
	__u32 tgid = header->tgid;
	struct birth *birth = bpf_map_lookup_elem(&births, &tgid);
	struct task_struct *parent;

	if (birth && birth->start_time == header->start_time) {
		header->ppid = birth->ppid;
		header->parent_start_time = birth->parent_start_time;
		return;
	}
	parent = BPF_CORE_READ(task, group_leader, real_parent);
	header->ppid = BPF_CORE_READ(parent, tgid);
	header->parent_start_time = BPF_CORE_READ(parent, group_leader, start_boottime);
}

/*
 * Everything is read with bpf_probe_read_kernel, which cannot fault: a task that is being torn down gives zeroes, not
 * a crash. The same code so runs in tracepoints, in cgroup hooks and in iterators.
 */
static __always_inline void fill_header(struct event_header *header, struct task_struct *task, __u16 type, __u32 size)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct css_set *set = BPF_CORE_READ(task, cgroups);

	header->size = size;
	header->type = type;
	header->cpu = bpf_get_smp_processor_id();
	header->ktime = bpf_ktime_get_boot_ns();
	header->tgid = BPF_CORE_READ(task, tgid);
	header->pid = BPF_CORE_READ(task, pid);
	header->uid = BPF_CORE_READ(task, cred, uid.val);
	header->start_time = BPF_CORE_READ(leader, start_boottime);
	fill_parent(header, task);
	header->cgroup_id = BPF_CORE_READ(set, dfl_cgrp, kn, id);
	header->cgroup_v1_id = v1_controller ? BPF_CORE_READ(v1_cgroup(set), kn, id) : 0;
	header->mntns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	header->header_reserved = 0;
	bpf_probe_read_kernel(header->comm, sizeof(header->comm), __builtin_preserve_access_index(&task->comm));
}

#endif
