// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets that leave: all of a quarantined cgroup are dropped, existing connections included, whatever the CNI does;
 * and the first bytes of a connection are compared with stratum, the mining protocol, on any port.
 *
 * The hook is called for each packet of a local socket with the socket's own cgroup, also from a softirq where
 * "current" is anybody: nothing here asks for it. Payload is read in place and never leaves the kernel: what is handed
 * up is the method's number.
 */
#include "packet.h"
#include "stratum.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A miner says who it is in its first message; proxies may take a few before. */
#define SEGMENTS 8

static __always_inline void report(struct __sk_buff *skb, struct packet *packet, struct socket_state *state,
				   __u64 cookie, __u16 type, __u8 verdict)
{
	struct egress_event *event = reserve_event(type, sizeof(*event));

	if (!event)
		return;
	event->header = state->owner;
	event->header.size = sizeof(*event);
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
	event->method = type == EVENT_STRATUM ? state->method : 0;
	event->verdict = verdict;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline bool is_cut(__u32 policy, struct __sk_buff *skb)
{
	if (!(policy & POLICY_QUARANTINED) || (policy & POLICY_PROTECTED))
		return false;
	return !(policy & POLICY_ALLOW_LOOPBACK) || skb->ifindex != LOOPBACK_IFINDEX;
}

/* Returns what the hook answers: 1 send, 0 drop. */
SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	struct settings *now = current_settings();
	__u64 cookie = bpf_get_socket_cookie(skb);
	struct packet packet = {};
	struct socket_state *state;
	__u32 policy;
	__u8 verdict;

	if (!now || !parse(skb, &packet))
		return 1;
	if (now->quarantines && is_cut(packet_policy(skb, now), skb)) {
		state = cookie ? state_of(cookie) : NULL;
		if (state && !state->is_quarantine_reported) {
			state->is_quarantine_reported = 1;
			report(skb, &packet, state, cookie, EVENT_QUARANTINE, VERDICT_ENFORCED);
		}
		return 0;
	}
	if (!cookie || packet.protocol != IPPROTO_TCP || packet.size == 0)
		return 1;
	state = state_of(cookie);
	if (!state)
		return 1;
	if (!state->method) {
		if (state->segments >= SEGMENTS)
			return 1;
		state->segments++;
		state->method = stratum_method(skb, packet.payload, packet.size);
		if (!state->method)
			return 1;
		policy = packet_policy(skb, now);
		verdict = (policy & POLICY_DROP) && !(policy & POLICY_PROTECTED) ? VERDICT_ENFORCED : VERDICT_LISTED;
		report(skb, &packet, state, cookie, EVENT_STRATUM, verdict);
		return verdict != VERDICT_ENFORCED;
	}
	/* Known already: what is dropped is sent again and again. */
	policy = packet_policy(skb, now);
	return !((policy & POLICY_DROP) && !(policy & POLICY_PROTECTED));
}
