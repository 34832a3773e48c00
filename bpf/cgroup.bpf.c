// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Cgroups as they come and go. A container runtime makes the cgroup before it starts the first process in it, so that
 * a pod that lives a second has a name by the time of its first exec.
 *
 * The tracepoints give the path as the kernel has just composed it, under cgroup_mutex; it is copied and nothing else.
 */
#include "emit.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct path_scratch {
	struct cgroup_event event;
	char path[CGROUP_PATH_MAX_BYTES];
};

/* One for a CPU is enough: tracepoints run without preemption, and in later kernels no program is entered twice. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct path_scratch);
} cgroup_scratch SEC(".maps");

/* On a hybrid host each v1 hierarchy reports the same folder; v2 and the one that matters are passed on. */
static __always_inline bool is_wanted(struct cgroup *cgroup)
{
	struct cgroup_root *root = BPF_CORE_READ(cgroup, root);
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct cgroup *v1 = v1_cgroup(BPF_CORE_READ(task, cgroups));

	return BPF_CORE_READ(root, hierarchy_id) == 0 || (v1 && BPF_CORE_READ(v1, root) == root);
}

static __always_inline int report(struct cgroup *cgroup, const char *path, __u32 slot, __u16 type)
{
	struct path_scratch *scratch = bpf_map_lookup_elem(&cgroup_scratch, &slot);
	struct cgroup_event *event;
	long length;
	__u64 size;

	if (!scratch || !is_wanted(cgroup))
		return 0;
	event = &scratch->event;
	length = bpf_probe_read_kernel_str(scratch->path, sizeof(scratch->path), path);
	/* The result counts the NUL. */
	length = length > 0 ? (length - 1) & (CGROUP_PATH_MAX_BYTES - 1) : 0;
	size = sizeof(*event) + length;
	fill_header(&event->header, (struct task_struct *)bpf_get_current_task(), type, size);
	event->id = BPF_CORE_READ(cgroup, kn, id);
	event->hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
	event->level = BPF_CORE_READ(cgroup, level);
	event->path_len = length;
	if (bpf_ringbuf_output(&events, event, size, AT_ONCE))
		count_dropped(type);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(on_cgroup_mkdir, struct cgroup *cgroup, const char *path)
{
	return report(cgroup, path, 0, EVENT_CGROUP_MKDIR);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(on_cgroup_rmdir, struct cgroup *cgroup, const char *path)
{
	return report(cgroup, path, 1, EVENT_CGROUP_RMDIR);
}
