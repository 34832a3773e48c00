/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_PACKET_H
#define KUBESENTRY_PACKET_H

/* A packet that leaves, as cgroup_skb/egress sees it, and whose it is. */
#include "socket.h"

struct packet {
	__u8 remote[16];
	__u8 local[16];
	__u16 remote_port;
	__u16 local_port;
	__u32 payload; /* offset */
	__u32 size; /* of the payload */
	__u8 protocol;
};

/* RFC 791 and RFC 8200, as far as they are read here. */
struct ipv4_head {
	__u8 begin[9];
	__u8 protocol;
	__be16 checksum;
	__be32 source;
	__be32 destination;
};

struct ipv6_head {
	__u8 begin[6];
	__u8 protocol;
	__u8 hops;
	__u8 source[16];
	__u8 destination[16];
};

/* What TCP and UDP have in the same place, and how long the head of TCP is. */
struct port_head {
	__be16 source;
	__be16 destination;
	__u8 numbers[8];
	__u8 offset;
	__u8 flags;
};

/* Each load costs a call, so that heads are read whole. */
static __always_inline bool read_ports(struct __sk_buff *skb, struct packet *packet, __u32 at)
{
	struct port_head head;

	if (packet->protocol == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, at, &head, sizeof(head)))
			return false;
		packet->payload = at + (head.offset >> 4) * 4;
	} else {
		if (bpf_skb_load_bytes(skb, at, &head, 4))
			return false;
		packet->payload = at + 8;
	}
	packet->local_port = bpf_ntohs(head.source);
	packet->remote_port = bpf_ntohs(head.destination);
	packet->size = skb->len > packet->payload ? skb->len - packet->payload : 0;
	return true;
}

/* Heads of IP without extensions and of TCP are no longer than this together. */
#define HEADS_MAX_BYTES 120

/* Whether a packet only opens, confirms or ends a TCP connection: most of them do, and are read in place. */
static __always_inline bool is_bare(struct __sk_buff *skb)
{
	void *begin = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv4_head *v4 = begin;
	struct ipv6_head *v6 = begin;
	struct port_head *tcp;

	if (skb->len > HEADS_MAX_BYTES || (void *)(v4 + 1) > end)
		return false;
	if (v4->begin[0] == 0x45 && v4->protocol == IPPROTO_TCP)
		tcp = (void *)(v4 + 1);
	else if (v6->begin[0] >> 4 == 6 && v6->protocol == IPPROTO_TCP)
		tcp = (void *)(v6 + 1);
	else
		return false;
	return (void *)(tcp + 1) <= end && (void *)tcp - begin + (tcp->offset >> 4) * 4 >= skb->len;
}

/* Fills in addresses, and for TCP and UDP ports and payload. The data starts at the network header. */
static __always_inline bool parse(struct __sk_buff *skb, struct packet *packet)
{
	struct ipv4_head v4;
	struct ipv6_head v6;
	__u32 at;

	if (bpf_skb_load_bytes(skb, 0, &v4, sizeof(v4)))
		return false;
	if (v4.begin[0] >> 4 == 4) {
		mapped_address(packet->local, v4.source);
		mapped_address(packet->remote, v4.destination);
		packet->protocol = v4.protocol;
		at = (v4.begin[0] & 15) * 4;
	} else {
		/* Extension headers are not followed: TCP does not use them by itself. */
		if (bpf_skb_load_bytes(skb, 0, &v6, sizeof(v6)))
			return false;
		__builtin_memcpy(packet->local, v6.source, 16);
		__builtin_memcpy(packet->remote, v6.destination, 16);
		packet->protocol = v6.protocol;
		at = sizeof(v6);
	}
	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP)
		return true;
	return read_ports(skb, packet, at);
}

/* Policy of the socket's cgroup and its ancestors, v2 only: a v1 hierarchy cannot be told from a packet. */
static __always_inline __u32 packet_policy(struct __sk_buff *skb, struct settings *now)
{
	struct cgroup_key key = { .version = 2 };
	__u32 found = now->policy;

	if (!now->cgroups)
		return found;
	for (int level = 0; level < MAX_DEPTH; level++) {
		__u32 *policy;

		key.id = bpf_skb_ancestor_cgroup_id(skb, level);
		if (!key.id)
			break;
		policy = bpf_map_lookup_elem(&cgroup_policies, &key);
		if (policy)
			found |= *policy;
	}
	return found;
}

/* Whether packets that a rule matched go no further. Protection is asked here, so that nobody forgets it. */
static __always_inline bool is_dropped(__u32 policy)
{
	return (policy & POLICY_DROP) && !(policy & POLICY_PROTECTED);
}

/* Begins anew when the socket has connected since. */
static __always_inline struct socket_state *state_of(__u64 cookie)
{
	struct newcomer *newcomer = newcomer_of(cookie);
	struct socket_state fresh = {};
	struct socket_state *state;

	if (newcomer) {
		fresh.owner = newcomer->owner;
		newcomer->cookie = 0;
		bpf_map_update_elem(&sockets, &cookie, &fresh, BPF_ANY);
		return bpf_map_lookup_elem(&sockets, &cookie);
	}
	state = bpf_map_lookup_elem(&sockets, &cookie);
	if (state)
		return state;
	bpf_map_update_elem(&sockets, &cookie, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sockets, &cookie);
}

/*
 * Who sent a packet, and where to. connect_event is the same as egress_event up to `protocol`; without a state nobody is
 * known.
 */
static __always_inline void fill_flow(struct egress_event *event, struct __sk_buff *skb, struct packet *packet,
				      struct socket_state *state, __u64 cookie, __u16 type, __u32 size)
{
	if (state)
		event->header = state->owner;
	else
		__builtin_memset(&event->header, 0, sizeof(event->header));
	event->header.size = size;
	event->header.type = type;
	event->header.cpu = bpf_get_smp_processor_id();
	event->header.ktime = bpf_ktime_get_boot_ns();
	event->header.cgroup_id = bpf_skb_cgroup_id(skb);
	event->cookie = cookie;
	__builtin_memcpy(event->remote, packet->remote, 16);
	__builtin_memcpy(event->local, packet->local, 16);
	event->remote_port = packet->remote_port;
	event->local_port = packet->local_port;
	event->family = family_of(packet->remote);
	event->protocol = packet->protocol;
}

#endif
