// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A stronger second to exec.bpf.c, where the kernel lets BPF decide (bpf among lsm= of its command line): a listed program
 * is refused with EPERM, and the process that wanted it lives on.
 *
 * bprm_check_security is asked before the old program is given up. The arguments are not there yet, nor what the program
 * will call itself: those are judged at exec, as everywhere. Unlike a tracepoint this may sleep and be preempted, so that
 * what it works in belongs to the thread and not to the CPU.
 */
#include "emit.h"
#include "executable.h"
#include "listed-name.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define EPERM 1

/* By thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct name_window);
} windows SEC(".maps");

struct refused_exec {
	struct exec_event event;
	char text[FILENAME_MAX_BYTES];
};

static __always_inline __u32 listed_rule(struct name_window *window, struct linux_binprm *bprm, __u8 *match)
{
	const char *filename = BPF_CORE_READ(bprm, filename);
	const char *file = (const char *)BPF_CORE_READ(bprm, file, f_path.dentry, d_name.name);
	__u32 rule = long_path_rule(window, filename);

	*match = NAME_FILENAME;
	if (rule)
		return rule;
	*match = NAME_FILE;
	return path_rule(window, file, 0);
}

static __always_inline void report(struct linux_binprm *bprm, struct task_struct *task, __u32 rule, __u8 match)
{
	struct refused_exec *refused = reserve_event(EVENT_REFUSED_EXEC, sizeof(*refused));
	struct exec_event *event;
	long length;

	if (!refused)
		return;
	event = &refused->event;
	fill_header(&event->header, task, EVENT_REFUSED_EXEC, sizeof(*refused));
	event->flags = describe_executable(BPF_CORE_READ(bprm, file), &event->inode, &event->dev);
	length = bpf_probe_read_kernel_str(refused->text, sizeof(refused->text), BPF_CORE_READ(bprm, filename));
	event->filename_len = length > 0 ? length - 1 : 0;
	event->args_total = 0;
	event->args_len = 0;
	event->rule = rule;
	event->verdict = VERDICT_ENFORCED;
	event->match = match;
	event->exec_reserved = 0;
	bpf_ringbuf_submit(refused, AT_ONCE);
}

SEC("lsm/bprm_check_security")
int BPF_PROG(on_exec_check, struct linux_binprm *bprm, int answer)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 policy = task_policy(task), thread = bpf_get_current_pid_tgid();
	struct name_window fresh = {}, *window;
	__u32 rule = 0;
	__u8 match = NAME_NONE;

	/* Another module has refused it, or nobody may. Protection is asked last. */
	if (answer || !(policy & POLICY_KILL) || (policy & POLICY_PROTECTED))
		return answer;
	bpf_map_update_elem(&windows, &thread, &fresh, BPF_ANY);
	window = bpf_map_lookup_elem(&windows, &thread);
	if (window)
		rule = listed_rule(window, bprm, &match);
	bpf_map_delete_elem(&windows, &thread);
	if (!rule)
		return 0;
	report(bprm, task, rule, match);
	return -EPERM;
}
