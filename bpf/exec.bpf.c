// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every program that starts, with its arguments; listed names die before their first instruction.
 *
 * sched_process_exec runs in the process itself when the new program is in place and before it returns to user space:
 * the arguments are already in the new stack and no other thread exists that could change them, unlike at the entry of
 * the system call. A SIGKILL that is sent here is acted on at the return to user space, so nothing of the program runs.
 */
#include "budget.h"
#include "executable.h"
#include "fingerprint.h"
#include "listed-name.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct exec_scratch {
	struct exec_event event;
	char text[FILENAME_MAX_BYTES + ARGS_MAX_BYTES];
	char argv0[FILENAME_MAX_BYTES];
	struct name_window window;
};

/* One for a CPU is enough: tracepoints run without preemption, and in later kernels no program is entered twice. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_scratch);
} exec_scratch SEC(".maps");

static __always_inline void match_names(struct exec_scratch *scratch, struct linux_binprm *bprm)
{
	struct exec_event *event = &scratch->event;
	const char *file_name = (const char *)BPF_CORE_READ(bprm, file, f_path.dentry, d_name.name);
	__u64 filename_len = event->filename_len & (FILENAME_MAX_BYTES - 1);
	long length;

	event->match = NAME_COMM;
	if ((event->rule = path_rule(&scratch->window, event->header.comm, 0)))
		return;
	event->match = NAME_FILENAME;
	if ((event->rule = path_rule(&scratch->window, scratch->text, filename_len)))
		return;
	event->match = NAME_FILE;
	if ((event->rule = path_rule(&scratch->window, file_name, 0)))
		return;
	event->match = NAME_ARGV0;
	length = bpf_probe_read_kernel_str(scratch->argv0, sizeof(scratch->argv0), scratch->text + filename_len);
	if (event->args_len && length > 1 && (event->rule = path_rule(&scratch->window, scratch->argv0, length - 1)))
		return;
	event->match = NAME_NONE;
}

static __always_inline __u64 read_filename(struct exec_scratch *scratch, struct linux_binprm *bprm)
{
	long length = bpf_probe_read_kernel_str(scratch->text, FILENAME_MAX_BYTES, BPF_CORE_READ(bprm, filename));

	return length > 0 ? (length - 1) & (FILENAME_MAX_BYTES - 1) : 0;
}

/* Puts the arguments behind the file name. */
static __always_inline __u64 read_args(struct exec_scratch *scratch, struct task_struct *task, __u64 at)
{
	struct exec_event *event = &scratch->event;
	unsigned long start = BPF_CORE_READ(task, mm, arg_start);
	unsigned long end = BPF_CORE_READ(task, mm, arg_end);
	__u64 total = end - start;
	__u64 size = total;

	event->args_total = total;
	if (size > ARGS_MAX_BYTES) {
		size = ARGS_MAX_BYTES;
		event->flags |= EXEC_ARGS_TRUNCATED;
	}
	if (bpf_probe_read_user(scratch->text + at, size, (void *)start)) {
		event->flags |= EXEC_ARGS_UNREADABLE;
		size = 0;
	} else if (total > ARGS_MAX_BYTES) {
		char *tail = scratch->text + at + ARGS_MAX_BYTES - ARGS_TAIL_BYTES;

		if (bpf_probe_read_user(tail, ARGS_TAIL_BYTES, (void *)(end - ARGS_TAIL_BYTES)))
			event->flags |= EXEC_ARGS_UNREADABLE;
		/* Two parts of arguments meet here. */
		tail[0] = 0;
	}
	event->args_len = size;
	return size;
}

/* Protection is asked last, so that nothing above can forget it. */
static __always_inline void enforce(struct exec_event *event, struct task_struct *task)
{
	__u32 policy = task_policy(task);

	event->verdict = VERDICT_LISTED;
	if (!(policy & POLICY_KILL) || (policy & POLICY_PROTECTED))
		return;
	if (bpf_send_signal(SIGKILL) == 0)
		event->verdict = VERDICT_ENFORCED;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u32 zero = 0, *known, said;
	struct exec_scratch *scratch = bpf_map_lookup_elem(&exec_scratch, &zero);
	struct exec_event *event;
	__u64 filename_len, size;

	if (!scratch) {
		count_dropped(EVENT_EXEC);
		return 0;
	}
	event = &scratch->event;
	event->flags = describe_executable(BPF_CORE_READ(bprm, file), &event->inode, &event->dev);
	event->changed = changed_at(BPF_CORE_READ(bprm, file, f_inode));
	event->verdict = VERDICT_NONE;
	event->exec_reserved = 0;
	filename_len = read_filename(scratch, bprm);
	event->filename_len = filename_len;
	size = sizeof(*event) + filename_len + read_args(scratch, task, filename_len);
	fill_header(&event->header, task, EVENT_EXEC, size);
	match_names(scratch, bprm);
	if (event->rule)
		enforce(event, task);
	event->fingerprint = fingerprint_of(event, scratch->text);
	known = bpf_map_lookup_elem(&known_execs, &event->fingerprint);
	said = known && !event->rule ? *known : 0;
	if (said)
		event->flags |= EXEC_KNOWN;
	if (!event->rule && !is_admitted(&event->header, EVENT_EXEC, said & KNOWN_FOLD))
		return 0;
	if (bpf_ringbuf_output(&events, event, size, said & KNOWN_QUIET ? QUIETLY : AT_ONCE))
		count_unsent(&event->header, EVENT_EXEC);
	return 0;
}
