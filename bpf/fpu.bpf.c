// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * RandomX changes the rounding mode of floating point all the time (its CFROUND instruction), and hardly any other
 * program ever does. When a thread is switched out its registers are saved, MXCSR with the rounding mode in bits 13 and
 * 14 among them, and this tracepoint runs: a look at one word tells, whatever the binary is called. x86 only.
 *
 * It fires for every context switch of every thread that computes, so that the common case is one read and a return.
 * Every sample is looked at: RandomX has the default mode a quarter of the time, and a single sample proves nothing.
 */
#include "emit.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ROUNDING_MODE (3u << 13)
#define REPORT_INTERVAL_NS 1000000000ull

struct fxregs_state {
	__u32 mxcsr;
} __attribute__((preserve_access_index));

union fpregs_state {
	struct fxregs_state fxsave;
} __attribute__((preserve_access_index));

struct fpstate {
	union fpregs_state regs;
} __attribute__((preserve_access_index));

struct fpu {
	struct fpstate *fpstate;
} __attribute__((preserve_access_index));

/* Before 5.16 the registers lay in the struct itself. */
struct fpu___before_5_16 {
	union fpregs_state state;
} __attribute__((preserve_access_index));

struct fpu_count {
	__u64 reported;
	__u32 samples;
	__u32 reserved;
};

/* By start time of the process, which is as good as unique and not used again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct fpu_count);
} fpu_counts SEC(".maps");

/* Read as the kernel itself would, which a BTF tracepoint may: a helper would cost ten times as much each time. */
static __always_inline __u32 saved_mxcsr(struct fpu *fpu)
{
	struct fpu___before_5_16 *before = (void *)fpu;

	if (bpf_core_field_exists(fpu->fpstate))
		return fpu->fpstate->regs.fxsave.mxcsr;
	return before->state.fxsave.mxcsr;
}

SEC("tp_btf/x86_fpu_regs_deactivated")
int BPF_PROG(on_fpu_saved, struct fpu *fpu)
{
	__u32 mxcsr = saved_mxcsr(fpu);
	struct task_struct *task;
	struct fpu_count fresh = {}, *count;
	struct fpu_event *event;
	__u64 key, now;

	if (!(mxcsr & ROUNDING_MODE))
		return 0;
	task = (struct task_struct *)bpf_get_current_task();
	key = BPF_CORE_READ(task, group_leader, start_boottime);
	bpf_map_update_elem(&fpu_counts, &key, &fresh, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&fpu_counts, &key);
	if (!count)
		return 0;
	count->samples++;
	now = bpf_ktime_get_boot_ns();
	if (now - count->reported < REPORT_INTERVAL_NS)
		return 0;
	count->reported = now;
	event = reserve_event(EVENT_FPU, sizeof(*event));
	if (!event)
		return 0;
	fill_header(&event->header, task, EVENT_FPU, sizeof(*event));
	event->mxcsr = mxcsr;
	event->samples = count->samples;
	count->samples = 0;
	bpf_ringbuf_submit(event, AT_ONCE);
	return 0;
}
