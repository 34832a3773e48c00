// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Outgoing connections: refused when listed or quarantined, reported always.
 *
 * The cgroup hook is where the kernel itself asks, on behalf of connect(2), TCP fast open and io_uring alike, with the
 * address already copied from user memory: what is judged is what is used. It runs in the process that connects (for
 * io_uring perhaps in its worker thread) and its only effect is the answer, EPERM or not.
 * inet_sock_set_state is the second witness for TCP: it sees a socket start to connect whoever asked for it, and
 * reports what the first did not see, as when the hook cannot be attached or another program there bypasses it.
 */
#include "budget.h"
#include "socket.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Who connected where. A process that comes back within a second is counted, and not looked at again. */
struct trip {
	__u64 start_time;
	__u32 tgid;
	__be16 port;
	__u16 trip_reserved;
	__u8 remote[16];
};

/* What was found out about a trip to a destination that is not listed. */
struct told {
	struct event_header owner;
	__u32 generation;
	__u32 told_reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct trip);
	__type(value, struct told);
} trips SEC(".maps");

static __always_inline struct trip trip_of(struct task_struct *task, const __u8 *remote, __be16 port)
{
	struct trip trip = {
		.start_time = BPF_CORE_READ(task, group_leader, start_boottime),
		.tgid = bpf_get_current_pid_tgid() >> 32,
		.port = port,
	};

	__builtin_memcpy(trip.remote, remote, 16);
	return trip;
}

/* The last such trip, if it is fresh and was judged by what holds now. */
static __always_inline struct told *fresh_trip(struct trip *trip, struct settings *now)
{
	struct told *told = bpf_map_lookup_elem(&trips, trip);

	if (!told || !now || told->generation != now->generation)
		return NULL;
	return bpf_ktime_get_boot_ns() - told->owner.ktime < (1ull << SECOND_SHIFT) ? told : NULL;
}

static __always_inline bool is_loopback(const __u8 *address)
{
	const __u32 *words = (const void *)address;

	if (words[0] || words[1])
		return false;
	return (words[2] == bpf_htonl(0xffff) && address[12] == 127) ||
	       (words[2] == 0 && words[3] == bpf_htonl(1));
}

static __always_inline bool is_cut(__u32 policy, const __u8 *address, __be16 port)
{
	if (!(policy & POLICY_QUARANTINED) || ((policy & POLICY_ALLOW_LOOPBACK) && is_loopback(address)))
		return false;
	return !destination_in(&allowed_destinations, address, port);
}

static __always_inline __u8 judge(__u32 policy, __u32 rule, const __u8 *address, __be16 port)
{
	if (policy & POLICY_PROTECTED)
		return rule ? VERDICT_LISTED : VERDICT_NONE;
	if (is_cut(policy, address, port) || (rule && (policy & POLICY_REFUSE)))
		return VERDICT_ENFORCED;
	return rule ? VERDICT_LISTED : VERDICT_NONE;
}

static __always_inline void remember(__u64 cookie, const struct event_header *owner)
{
	struct newcomer *newcomer = newcomer_at(cookie);

	if (!newcomer)
		return;
	newcomer->owner = *owner;
	newcomer->cookie = cookie;
}

/*
 * The same process went there a moment ago. No trip ends at what was listed then, and what is listed since makes another
 * generation, so that of all policies only a quarantine can refuse one.
 */
static __always_inline bool is_repeat(struct task_struct *task, struct trip *trip, struct settings *now, __u64 cookie)
{
	struct told *told = fresh_trip(trip, now);

	if (!told)
		return false;
	if ((now->quarantines || (now->policy & POLICY_QUARANTINED)) &&
	    judge(task_policy(task), 0, trip->remote, trip->port) != VERDICT_NONE)
		return false;
	remember(cookie, &told->owner);
	count_folded(budget_of(&told->owner), EVENT_CONNECT);
	return true;
}

/* Returns what the hook answers: 1 go on, 0 EPERM. */
static __always_inline int on_connect(struct bpf_sock_addr *context, const __u8 *address)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__be16 port = context->user_port;
	struct trip trip = trip_of(task, address, port);
	struct settings *now = current_settings();
	__u64 cookie = bpf_get_socket_cookie(context);
	struct connect_event *event;
	struct told told = {};
	__u32 protocol = context->protocol, rule;
	__u8 verdict;
	int answer;

	if (protocol == IPPROTO_TCP && is_repeat(task, &trip, now, cookie))
		return 1;
	rule = destination_in(&listed_destinations, address, port);
	verdict = judge(task_policy(task), rule, address, port);
	answer = verdict != VERDICT_ENFORCED;
	/* A resolver "connects" a UDP socket for each question: whose it is will be asked when a name is listed. */
	if (protocol != IPPROTO_TCP && verdict == VERDICT_NONE && port != bpf_htons(DNS_PORT))
		return answer;
	fill_header(&told.owner, task, EVENT_CONNECT, sizeof(*event));
	if (protocol == IPPROTO_TCP || port == bpf_htons(DNS_PORT))
		remember(cookie, &told.owner);
	if (verdict == VERDICT_NONE) {
		if (protocol != IPPROTO_TCP)
			return answer;
		told.generation = now ? now->generation : 0;
		bpf_map_update_elem(&trips, &trip, &told, BPF_ANY);
		if (!is_admitted(&told.owner, EVENT_CONNECT, false))
			return answer;
	}
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_unsent(&told.owner, EVENT_CONNECT);
		return answer;
	}
	event->header = told.owner;
	event->cookie = cookie;
	__builtin_memcpy(event->remote, address, 16);
	__builtin_memset(event->local, 0, 16);
	event->remote_port = bpf_ntohs(port);
	event->local_port = 0;
	event->family = family_of(address);
	event->protocol = protocol;
	event->source = SOURCE_CGROUP_HOOK;
	event->verdict = verdict;
	event->rule = rule;
	event->state = 0;
	event->asked_port = 0;
	bpf_ringbuf_submit(event, verdict == VERDICT_NONE ? QUIETLY : AT_ONCE);
	return answer;
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *context)
{
	__u32 address[4] = { 0, 0, bpf_htonl(0xffff), context->user_ip4 };

	return on_connect(context, (const __u8 *)address);
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *context)
{
	__u32 address[4] = { context->user_ip6[0], context->user_ip6[1], context->user_ip6[2], context->user_ip6[3] };

	return on_connect(context, (const __u8 *)address);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_sock_state, struct sock *socket, int old_state, int new_state)
{
	struct connect_event *event;
	__u64 cookie;

	if (new_state != TCP_SYN_SENT || socket->sk_protocol != IPPROTO_TCP)
		return 0;
	/* Cookies are given on demand; a socket without one was not at the other hook. */
	cookie = socket->__sk_common.skc_cookie.counter;
	if (newcomer_of(cookie))
		return 0;
	event = reserve_event(EVENT_CONNECT, sizeof(*event));
	if (!event)
		return 0;
	fill_header(&event->header, (struct task_struct *)bpf_get_current_task(), EVENT_CONNECT, sizeof(*event));
	read_flow(event, &socket->__sk_common);
	event->cookie = cookie;
	event->protocol = IPPROTO_TCP;
	event->source = SOURCE_SOCK_STATE;
	event->rule = destination_in(&listed_destinations, event->remote, bpf_htons(event->remote_port));
	event->verdict = event->rule ? VERDICT_LISTED : VERDICT_NONE;
	event->state = 0;
	event->asked_port = 0;
	bpf_ringbuf_submit(event, AT_ONCE);
	return 0;
}
