/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_SOCKET_H
#define KUBESENTRY_SOCKET_H

/* What is kept about a socket between its connect and its packets. */
#include "emit.h"

struct socket_state {
	__u64 cookie; /* of the socket that has this place */
	struct event_header owner; /* who connected; tgid is 0 if nobody was seen */
	__u32 second; /* of the last look at what it says */
	__u16 looked; /* bytes in that second */
	__u8 method; /* enum stratum_method, once recognised */
	__u8 is_quarantine_reported;
};

#define DNS_PORT 53

#define SOCKETS 32768

/*
 * By the last bits of the cookie. The kernel counts cookies up, so that a socket takes the place of one that is some
 * 32,768 sockets older, and nothing is searched, locked or freed when somebody connects, as in a hash that forgets the
 * oldest. What is forgotten is only looked at once more.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOCKETS);
	__type(key, __u32);
	__type(value, struct socket_state);
} sockets SEC(".maps");

/* Where a socket has its place; another one may be there. */
static __always_inline struct socket_state *place_of(__u64 cookie)
{
	__u32 place = cookie & (SOCKETS - 1);

	return bpf_map_lookup_elem(&sockets, &place);
}

static __always_inline bool is_known(__u64 cookie)
{
	struct socket_state *state = place_of(cookie);

	return state && state->cookie == cookie;
}

/* A socket begins anew. Who connects is known, or nobody. */
static __always_inline void take_place(struct socket_state *state, __u64 cookie, const struct event_header *owner)
{
	if (owner)
		state->owner = *owner;
	else
		__builtin_memset(&state->owner, 0, sizeof(state->owner));
	state->second = 0;
	state->looked = 0;
	state->method = 0;
	state->is_quarantine_reported = 0;
	state->cookie = cookie;
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
