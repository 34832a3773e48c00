// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the tests load: a tracepoint that counts, settings, maps of several types, iterators, and a burst of records. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 wanted_tgid;
const volatile __s64 negative = -1;
const volatile char label[16] = "unset";
const volatile __u8 flag;

struct pair {
	__u32 number;
	__s16 small;
	__u8 bytes[2];
	__u64 large;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct pair);
} pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[16]);
} labels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * 1024 * 1024);
} records SEC(".maps");

#define COUNTER_CALLS 0
#define COUNTER_LOST 1

static __always_inline void count(__u32 which)
{
	__u64 *counter = bpf_map_lookup_elem(&counters, &which);

	if (counter)
		(*counter)++;
}

/* System calls of the one process that is meant. */
SEC("tp_btf/sys_enter")
int BPF_PROG(on_system_call, void *registers, long number)
{
	__u32 zero = 0;

	if (bpf_get_current_pid_tgid() >> 32 != wanted_tgid)
		return 0;
	count(COUNTER_CALLS);
	bpf_map_update_elem(&labels, &zero, (void *)label, BPF_ANY);
	return 0;
}

struct record {
	__u64 sequence;
	__u64 rest[31];
};

static __u64 sequence;

/* One record of 256 bytes for each system call of the process that is meant. */
SEC("tp_btf/sys_enter")
int record_call(void *context)
{
	struct record *record;

	if (bpf_get_current_pid_tgid() >> 32 != wanted_tgid)
		return 0;
	record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (!record) {
		count(COUNTER_LOST);
		return 0;
	}
	record->sequence = sequence++;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

/* Each run of this makes 1000 records of 256 bytes; every `flag`-th is discarded before it. */
SEC("raw_tp/burst")
int burst(void *context)
{
	for (int at = 0; at < 1000; at++) {
		struct record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

		if (!record) {
			count(COUNTER_LOST);
			continue;
		}
		if (flag && at % 3 == 0) {
			bpf_ringbuf_discard(record, 0);
			continue;
		}
		record->sequence = sequence++;
		bpf_ringbuf_submit(record, 0);
	}
	return 0;
}

SEC("tp_btf/sched_process_exit")
int rejected(__u64 *context)
{
	/* A number is no pointer: the verifier refuses it, and says so. */
	return *(volatile int *)bpf_ktime_get_ns();
}

SEC("cgroup/connect4")
int refuse(struct bpf_sock_addr *context)
{
	return context->user_port != 0x0900; /* port 9 in network order */
}

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	void *task;
} __attribute__((preserve_access_index));

SEC("iter/task")
int each_task(struct bpf_iter__task *context)
{
	__u64 one = 1;

	if (context->task)
		bpf_seq_write(context->meta->seq, &one, sizeof(one));
	return 0;
}
