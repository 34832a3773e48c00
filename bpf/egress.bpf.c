// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets that leave: all of a quarantined cgroup are dropped, existing connections included, whatever the CNI does;
 * and what a connection says is compared with stratum, the mining protocol, on any port.
 *
 * The hook is called for each packet of a local socket with the socket's own cgroup, also from a softirq where
 * "current" is anybody: nothing here asks for it. Payload is read in place and never leaves the kernel: what is handed
 * up is the method's number.
 */
#include "packet.h"
#include "stratum.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * What is looked at of a connection in a second: two full segments, or some hundred small ones, since a message may come
 * a byte at a time. For as long as it lives, as it may have been used for something else first.
 */
#define LOOK_BYTES 32768
#define LOOK_COST 64
#define SECOND_SHIFT 30 /* of nanoseconds */

static __always_inline bool may_look(struct socket_state *state, __u32 size)
{
	__u32 second = bpf_ktime_get_boot_ns() >> SECOND_SHIFT;

	if (state->second != second) {
		state->second = second;
		state->looked = 0;
	}
	if (state->looked >= LOOK_BYTES)
		return false;
	state->looked += LOOK_COST + (size < CHUNKS * CHUNK_BYTES ? size : CHUNKS * CHUNK_BYTES);
	return true;
}

static __always_inline void report(struct __sk_buff *skb, struct packet *packet, struct socket_state *state,
				   __u64 cookie, __u16 type, __u8 verdict)
{
	struct egress_event *event = reserve_event(type, sizeof(*event));

	if (!event)
		return;
	fill_flow(event, skb, packet, state, cookie, type, sizeof(*event));
	event->method = type == EVENT_STRATUM ? state->method : 0;
	event->verdict = verdict;
	bpf_ringbuf_submit(event, AT_ONCE);
}

static __always_inline bool is_cut(__u32 policy, struct __sk_buff *skb, struct packet *packet)
{
	if (!(policy & POLICY_QUARANTINED) || (policy & POLICY_PROTECTED))
		return false;
	if ((policy & POLICY_ALLOW_LOOPBACK) && skb->ifindex == LOOPBACK_IFINDEX)
		return false;
	return !destination_in(&allowed_destinations, packet->remote, bpf_htons(packet->remote_port));
}

/* Returns what the hook answers: 1 send, 0 drop. */
SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	struct settings *now = current_settings();
	struct packet packet = {};
	__u64 cookie;
	struct socket_state *state;
	__u8 verdict, method;

	if (!now || (!now->quarantines && is_bare(skb)) || !parse(skb, &packet))
		return 1;
	if (now->quarantines && is_cut(packet_policy(skb, now), skb, &packet)) {
		cookie = bpf_get_socket_cookie(skb);
		state = cookie ? state_of(cookie) : NULL;
		if (state && !state->is_quarantine_reported) {
			state->is_quarantine_reported = 1;
			report(skb, &packet, state, cookie, EVENT_QUARANTINE, VERDICT_ENFORCED);
		}
		return 0;
	}
	if (packet.protocol != IPPROTO_TCP || packet.size == 0)
		return 1;
	cookie = bpf_get_socket_cookie(skb);
	if (!cookie)
		return 1;
	state = state_of(cookie);
	if (!state)
		return 1;
	/* Known already: what is dropped is sent again and again. */
	if (is_sure(state->method))
		return !is_dropped(packet_policy(skb, now));
	if (!is_of_interest(skb, cookie, packet.payload) || !may_look(state, packet.size))
		return 1;
	method = stratum_method(skb, cookie, packet.payload, packet.size);
	if (!method || method == state->method)
		return 1;
	state->method = method;
	verdict = is_sure(method) && is_dropped(packet_policy(skb, now)) ? VERDICT_ENFORCED : VERDICT_LISTED;
	report(skb, &packet, state, cookie, EVENT_STRATUM, verdict);
	return verdict != VERDICT_ENFORCED;
}
