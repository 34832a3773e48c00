/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_SOCKET_H
#define KUBESENTRY_SOCKET_H

/* What is kept about a socket between its connect and its packets. */
#include "emit.h"

/* Who connected with a socket that has said nothing since. */
struct newcomer {
	__u64 cookie;
	struct event_header owner;
};

#define NEWCOMERS 32768

/*
 * By the last bits of the cookie. The kernel counts cookies up, so that a socket takes the place of one that is
 * thousands older, and nothing is searched, locked or freed when somebody connects. Whose place was taken is still looked
 * at; only who connected is not known.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NEWCOMERS);
	__type(key, __u32);
	__type(value, struct newcomer);
} newcomers SEC(".maps");

struct socket_state {
	struct event_header owner; /* who connected; tgid is 0 if nobody was seen */
	__u32 second; /* of the last look at what it says */
	__u16 looked; /* bytes in that second */
	__u8 method; /* enum stratum_method, once recognised */
	__u8 is_quarantine_reported;
};

#define DNS_PORT 53

/* By cookie, from the first payload on. What falls out is only looked at once more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, struct socket_state);
} sockets SEC(".maps");

static __always_inline struct newcomer *newcomer_at(__u64 cookie)
{
	__u32 place = cookie & (NEWCOMERS - 1);

	return bpf_map_lookup_elem(&newcomers, &place);
}

/* NULL when another socket has the place. An empty one is nobody's, nor is that of a socket without a cookie. */
static __always_inline struct newcomer *newcomer_of(__u64 cookie)
{
	struct newcomer *newcomer = newcomer_at(cookie);

	return cookie && newcomer && newcomer->cookie == cookie ? newcomer : NULL;
}

static __always_inline void mapped_address(__u8 *into, __be32 v4)
{
	__builtin_memset(into, 0, 10);
	into[10] = 0xff;
	into[11] = 0xff;
	__builtin_memcpy(into + 12, &v4, 4);
}

static __always_inline __u8 family_of(const __u8 *address)
{
	const __u32 *words = (const void *)address;

	return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff) ? 4 : 6;
}

/* Addresses and ports of a socket, from the part that all its forms share. */
static __always_inline void read_flow(struct connect_event *event, struct sock_common *socket)
{
	if (BPF_CORE_READ(socket, skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&event->remote, socket, skc_v6_daddr);
		BPF_CORE_READ_INTO(&event->local, socket, skc_v6_rcv_saddr);
	} else {
		mapped_address(event->remote, BPF_CORE_READ(socket, skc_daddr));
		mapped_address(event->local, BPF_CORE_READ(socket, skc_rcv_saddr));
	}
	event->family = family_of(event->remote);
	event->remote_port = bpf_ntohs(BPF_CORE_READ(socket, skc_dport));
	event->local_port = BPF_CORE_READ(socket, skc_num);
}

#endif
