/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_BUDGET_H
#define KUBESENTRY_BUDGET_H

/*
 * How much of the ring a cgroup may use, so that nobody hides in a flood that he makes himself: a cgroup above its rate
 * has what it repeats counted instead of handed up, and while the ring fills, it is the first to be cut. What is listed
 * or acted upon is never held back.
 */
#include "emit.h"

/* Of one cgroup in a second: more than any that does its work. */
#define RATE 128
#define SECOND_SHIFT 30 /* of nanoseconds */

struct origin {
	__u64 cgroup_id;
	__u64 cgroup_v1_id;
};

struct budget {
	__u32 second;
	__u32 used; /* in that second */
	__u64 folded; /* counted instead of handed up, since the start */
	__u64 dropped; /* found no room, since the start */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct origin);
	__type(value, struct budget);
} budgets SEC(".maps");

/* By enum event_type, as `dropped`. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EVENT_TYPES);
	__type(key, __u32);
	__type(value, __u64);
} folded SEC(".maps");

static __always_inline struct budget *budget_of(struct event_header *header)
{
	struct origin origin = { header->cgroup_id, header->cgroup_v1_id };
	struct budget *budget = bpf_map_lookup_elem(&budgets, &origin);
	struct budget fresh = {};

	if (budget)
		return budget;
	bpf_map_update_elem(&budgets, &origin, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&budgets, &origin);
}

static __always_inline void count_folded(struct budget *budget, __u32 type)
{
	__u64 *count = bpf_map_lookup_elem(&folded, &type);

	if (count)
		(*count)++;
	if (budget)
		__sync_fetch_and_add(&budget->folded, 1);
}

static __always_inline void count_unsent(struct event_header *header, __u32 type)
{
	struct budget *budget = budget_of(header);

	count_dropped(type);
	if (budget)
		__sync_fetch_and_add(&budget->dropped, 1);
}

/* Whether the cgroup has used up its rate; CPUs may both win here, which is as good. */
static __always_inline bool is_over(struct budget *budget, __u64 ktime)
{
	__u32 second = ktime >> SECOND_SHIFT;

	if (budget->second != second) {
		budget->second = second;
		budget->used = 0;
	}
	return budget->used++ >= RATE;
}

/* Whether an event that nobody has to act upon is handed up; else it is counted here. */
static __always_inline bool is_admitted(struct event_header *header, __u32 type, bool is_repeat)
{
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	__u64 quarter = bpf_ringbuf_query(&events, BPF_RB_RING_SIZE) / 4;
	struct budget *budget = budget_of(header);
	bool over = budget && is_over(budget, header->ktime);

	if (over && is_repeat) {
		count_folded(budget, type);
		return false;
	}
	/* The last quarter is for what is listed, the one before it for those that keep to their rate. */
	if (waiting < quarter * (over ? 2 : 3))
		return true;
	count_dropped(type);
	if (budget)
		__sync_fetch_and_add(&budget->dropped, 1);
	return false;
}

#endif
