/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_CONTROL_H
#define KUBESENTRY_CONTROL_H

/* What user space tells the programs while they run. control.ts is the other side of these maps. */
#include "kernel.h"

enum policy {
	POLICY_KILL = 1 << 0,
	POLICY_REFUSE = 1 << 1,
	POLICY_DROP = 1 << 2,
	POLICY_PROTECTED = 1 << 3, /* beats all others */
	POLICY_QUARANTINED = 1 << 4,
	POLICY_ALLOW_LOOPBACK = 1 << 5,
};

struct settings {
	__u32 policy; /* for all cgroups */
	__u32 cgroups; /* entries of cgroup_policies */
	__u32 quarantines; /* those with POLICY_QUARANTINED */
	__u32 generation; /* of what execs are judged by: another one, and none is known any more */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

/* Each hierarchy numbers its cgroups by itself, so that an id alone says little. */
struct cgroup_key {
	__u64 id;
	__u32 version; /* 2, or 1: the hierarchy of v1_controller */
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct cgroup_key);
	__type(value, __u32);
} cgroup_policies SEC(".maps");

#define NAME_BYTES 32

/* Lower-case base names, padded with zeroes, to the number of a rule. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(key_size, NAME_BYTES);
	__type(value, __u32);
} listed_names SEC(".maps");

/* Port first, so that one trie serves "this port of this network" and, with port 0, "any port". */
struct destination_key {
	__u32 prefix; /* bits of what follows that count */
	__be16 port;
	__u8 address[16];
} __attribute__((packed));

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct destination_key);
	__type(value, __u32);
} listed_destinations SEC(".maps");

/* What a quarantine lets through: keys as above. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct destination_key);
	__type(value, __u32);
} allowed_destinations SEC(".maps");

/*
 * Two hashes of a name, from its last byte to its first: 128 bits, so that no other name is taken for it. control.ts
 * makes the same.
 */
struct domain_key {
	__u64 first;
	__u64 second;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct domain_key);
	__type(value, __u32);
} listed_domains SEC(".maps");

/* 0: no v1; else whose hierarchy tells containers apart. Set before the load. */
const volatile __u32 v1_controller;

static __always_inline struct settings *current_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

/* The value that a trie has for a destination, or 0. */
static __always_inline __u32 destination_in(void *trie, const __u8 *address, __be16 port)
{
	struct destination_key key = { .prefix = 16 + 128, .port = port };
	__u32 *value;

	__builtin_memcpy(key.address, address, 16);
	value = bpf_map_lookup_elem(trie, &key);
	if (!value) {
		key.port = 0;
		value = bpf_map_lookup_elem(trie, &key);
	}
	return value ? *value : 0;
}

static __always_inline struct cgroup *v1_cgroup(struct css_set *set)
{
	struct cgroup_subsys_state *const *list = __builtin_preserve_access_index(&set->subsys[0]);
	struct cgroup_subsys_state *state = NULL;
	__u64 at;

	if (v1_controller == 1 && bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		at = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	else if (v1_controller == 2 && bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		at = bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);
	else if (v1_controller == 3 && bpf_core_enum_value_exists(enum cgroup_subsys_id, cpu_cgrp_id))
		at = bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id);
	else
		return NULL;
	bpf_probe_read_kernel(&state, sizeof(state), list + at);
	return BPF_CORE_READ(state, cgroup);
}

/* Kubernetes nests four or five deep, a cluster within a container twice that. */
#define MAX_DEPTH 16

/* What a cgroup and all its ancestors say, together. */
static __always_inline __u32 chain_policy(struct cgroup *cgroup, __u32 version)
{
	struct cgroup_key key = { .version = version };
	__u32 found = 0;

	for (int depth = 0; depth < MAX_DEPTH && cgroup; depth++) {
		__u32 *policy;

		key.id = BPF_CORE_READ(cgroup, kn, id);
		policy = bpf_map_lookup_elem(&cgroup_policies, &key);
		if (policy)
			found |= *policy;
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
	}
	return found;
}

static __always_inline __u32 task_policy(struct task_struct *task)
{
	struct settings *now = current_settings();
	struct css_set *set;
	__u32 found;

	if (!now)
		return 0;
	found = now->policy;
	if (now->cgroups) {
		set = BPF_CORE_READ(task, cgroups);
		found |= chain_policy(BPF_CORE_READ(set, dfl_cgrp), 2);
		if (v1_controller)
			found |= chain_policy(v1_cgroup(set), 1);
	}
	return found;
}

#endif
