/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_EMIT_H
#define KUBESENTRY_EMIT_H

/* The ring, the count of what did not fit, and the header that every event starts with. */
#include "control.h"
#include "event.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024);
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

static __always_inline void *reserve_event(__u32 type, __u64 size)
{
	void *event = bpf_ringbuf_reserve(&events, size, 0);

	if (!event)
		count_dropped(type);
	return event;
}

/*
 * Everything is read with bpf_probe_read_kernel, which cannot fault: a task that is being torn down gives zeroes, not
 * a crash. The same code so runs in tracepoints, in cgroup hooks and in iterators.
 */
static __always_inline void fill_header(struct event_header *header, struct task_struct *task, __u16 type, __u32 size)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct css_set *set = BPF_CORE_READ(task, cgroups);

	header->size = size;
	header->type = type;
	header->cpu = bpf_get_smp_processor_id();
	header->ktime = bpf_ktime_get_boot_ns();
	header->tgid = BPF_CORE_READ(task, tgid);
	header->pid = BPF_CORE_READ(task, pid);
	header->ppid = BPF_CORE_READ(parent, tgid);
	header->uid = BPF_CORE_READ(task, cred, uid.val);
	header->start_time = BPF_CORE_READ(leader, start_boottime);
	header->parent_start_time = BPF_CORE_READ(parent, group_leader, start_boottime);
	header->cgroup_id = BPF_CORE_READ(set, dfl_cgrp, kn, id);
	header->cgroup_v1_id = v1_controller ? BPF_CORE_READ(v1_cgroup(set), kn, id) : 0;
	header->mntns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	header->header_reserved = 0;
	bpf_probe_read_kernel(header->comm, sizeof(header->comm), __builtin_preserve_access_index(&task->comm));
}

#endif
