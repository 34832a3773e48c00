// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Names of mining pools, where a pod says them in the clear: in the question of a DNS query, as the server name of a
 * TLS ClientHello, and to a proxy that resolves it instead (RFC 1035 section 4.1, RFC 8446 section 4.1.2, RFC 6066
 * section 3, RFC 1928 section 4, RFC 9110 section 9.3.6). A listed domain covers its subdomains.
 *
 * The name stays in the kernel: what is handed up is the number of the listed domain. Programs of their own beside
 * egress.bpf.c, so that a kernel that refuses these still cuts what is quarantined.
 *
 * As in stratum.h all that changes on the way is kept in memory of a map, so that the verifier follows few states.
 */
#include "packet.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define NAME_MAX_BYTES 256
#define LABEL_MAX_BYTES 63

/* Heads of 40 bytes, and of DNS 12 and 5 beside the name of a domain. */
#define NAMELESS_BYTES 44

/* How a TLS record, and a request of SOCKS, begin. */
#define TLS_HANDSHAKE 0x16
#define SOCKS5 5

/* More extensions than any client sends. */
#define EXTENSIONS 32

struct name_scratch {
	__u8 name[NAME_MAX_BYTES + 8]; /* ".pool.example.com" */
	struct domain_key key;
	__u32 length; /* of what is in name */
	__u32 next; /* where the next label of a DNS name begins */
	__u32 rule;
	__u32 at; /* offset in the packet */
	__u32 is_in_search_path;
	__u32 asked_port; /* of a proxy */
	__u32 is_busy; /* a softirq may send while a process that sends is interrupted in here */
};

/* A name that was found, and where it stood. */
struct name {
	__u32 rule;
	__u16 port; /* that is connected to, by a proxy or without */
	__u8 source; /* enum connect_source */
	__u8 name_reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct name_scratch);
} name_scratch SEC(".maps");

/* FNV-1a with two primes and two beginnings; control.ts has the same numbers. */
#define FIRST_BEGIN 0xcbf29ce484222325ULL
#define FIRST_PRIME 0x00000100000001b3ULL
#define SECOND_BEGIN 0x84222325cbf29ce4ULL
#define SECOND_PRIME 0x9e3779b97f4a7c15ULL

/*
 * Global functions, which the verifier checks once each. They look for the scratch themselves: 5.10 lets no pointer to
 * memory into one.
 *
 * Puts dots where a DNS name has lengths, and makes it lower case. False for what is no plain name.
 */
__attribute__((noinline)) int plain_dns(__u32 zero)
{
	struct name_scratch *scratch = bpf_map_lookup_elem(&name_scratch, &zero);
	volatile __u32 *next, *length;

	if (!scratch)
		return 0;
	next = &scratch->next;
	length = &scratch->length;
	*next = 0;
	for (__u32 at = 0; at < NAME_MAX_BYTES; at++) {
		__u8 one = scratch->name[at];

		if (at >= *length)
			return 0;
		if (at == *next) {
			if (one == 0) {
				*length = at;
				return 1;
			}
			if (one > LABEL_MAX_BYTES)
				return 0;
			*next = at + one + 1;
			scratch->name[at] = '.';
		} else if (one >= 'A' && one <= 'Z') {
			scratch->name[at] = one + ('a' - 'A');
		}
	}
	return 0;
}

__attribute__((noinline)) int lower(__u32 zero)
{
	struct name_scratch *scratch = bpf_map_lookup_elem(&name_scratch, &zero);
	if (!scratch)
		return 0;
	for (__u32 at = 0; at < NAME_MAX_BYTES; at++) {
		__u8 one = scratch->name[at];

		if (one >= 'A' && one <= 'Z')
			scratch->name[at] = one + ('a' - 'A');
	}
	return 1;
}

/* Takes `.HOST:PORT ` apart, as it stands behind CONNECT. */
__attribute__((noinline)) int plain_authority(__u32 zero)
{
	struct name_scratch *scratch = bpf_map_lookup_elem(&name_scratch, &zero);
	volatile __u32 *length, *port, *colon;

	if (!scratch)
		return 0;
	length = &scratch->length;
	port = &scratch->asked_port;
	colon = &scratch->next;
	*port = 0;
	*colon = 0;
	for (__u32 at = 1; at < NAME_MAX_BYTES; at++) {
		__u8 one = scratch->name[at];

		if (at >= *length || one <= ' ')
			break;
		if (one == ':')
			*colon = at;
		else if (*colon)
			*port = (*port * 10 + (one - '0')) & 0xffff;
	}
	*length = *colon;
	return *colon != 0;
}

static __always_inline bool is_service_label(struct name_scratch *scratch, __u32 dot)
{
	return scratch->name[(dot + 1) & (NAME_MAX_BYTES - 1)] == 's' &&
	       scratch->name[(dot + 2) & (NAME_MAX_BYTES - 1)] == 'v' &&
	       scratch->name[(dot + 3) & (NAME_MAX_BYTES - 1)] == 'c' &&
	       scratch->name[(dot + 4) & (NAME_MAX_BYTES - 1)] == '.';
}

/*
 * Looks up every end of the name that begins behind a dot, the shortest first. A resolver in a pod asks for NAME with
 * NAMESPACE.svc.DOMAIN behind it before it asks for NAME (resolv.conf(5), search): the search begins again in front.
 */
__attribute__((noinline)) int find_domain(__u32 zero)
{
	struct name_scratch *scratch = bpf_map_lookup_elem(&name_scratch, &zero);
	volatile __u64 *first, *second;
	volatile __u32 *rule, *is_in_search_path;
	__u32 length;

	if (!scratch)
		return 0;
	is_in_search_path = &scratch->is_in_search_path;
	*is_in_search_path = 0;
	first = &scratch->key.first;
	second = &scratch->key.second;
	rule = &scratch->rule;
	*first = FIRST_BEGIN;
	*second = SECOND_BEGIN;
	*rule = 0;
	length = scratch->length;
	for (__u32 done = 0; done < NAME_MAX_BYTES; done++) {
		__u32 at = length - 1 - done;
		__u32 *found;
		__u8 one;

		if (done >= length || *rule)
			break;
		one = scratch->name[at & (NAME_MAX_BYTES - 1)];
		if (one == '.') {
			struct domain_key key = { *first, *second };

			found = bpf_map_lookup_elem(&listed_domains, &key);
			if (found)
				*rule = *found;
			if (*is_in_search_path) {
				*is_in_search_path = 0;
				*first = FIRST_BEGIN;
				*second = SECOND_BEGIN;
				continue;
			}
			*is_in_search_path = is_service_label(scratch, at);
		}
		*first = (*first ^ one) * FIRST_PRIME;
		*second = (*second ^ one) * SECOND_PRIME;
	}
	return 0;
}

/*
 * Loads 1 to 255 bytes. What the caller has checked is said again in a form that every verifier follows: older ones do
 * not conclude from "not 0" that it is at least 1.
 */
static __always_inline long load_name(struct __sk_buff *skb, __u32 at, __u8 *into, __u64 length)
{
	__u64 more = length - 1;

	asm volatile("%0 &= 255" : "+r"(more));
	return length < 1 ? -1 : bpf_skb_load_bytes(skb, at, into, more + 1);
}

/* The question of a query that goes to a resolver. */
static __always_inline bool read_question(struct __sk_buff *skb, struct name_scratch *scratch, __u32 at)
{
	__be16 head[3]; /* id, flags, number of questions */
	__u64 length = (__u64)skb->len - (at + 12);

	if (skb->len <= at + 12 || bpf_skb_load_bytes(skb, at, head, sizeof(head)))
		return false;
	/* An answer, or not a standard query. */
	if ((bpf_ntohs(head[1]) & 0xf800) || head[2] == 0)
		return false;
	if (length >= NAME_MAX_BYTES)
		length = NAME_MAX_BYTES - 1;
	if (load_name(skb, at + 12, scratch->name, length))
		return false;
	scratch->length = length;
	return plain_dns(0);
}

/* Skips a vector with a length of one or two bytes in front. */
static __always_inline bool skip(struct __sk_buff *skb, struct name_scratch *scratch, bool is_long)
{
	__u8 bytes[2] = {};
	volatile __u32 *at = &scratch->at;

	if (bpf_skb_load_bytes(skb, *at, bytes, is_long ? 2 : 1))
		return false;
	*at += is_long ? 2 + ((__u32)bytes[0] << 8 | bytes[1]) : 1 + (__u32)bytes[0];
	return true;
}

/* The server name of a ClientHello that begins in this packet. */
static __always_inline bool read_server_name(struct __sk_buff *skb, struct packet *packet, struct name_scratch *scratch)
{
	volatile __u32 *at = &scratch->at;
	__u8 head[6];

	if (packet->size < 50 || bpf_skb_load_bytes(skb, packet->payload, head, sizeof(head)))
		return false;
	/* A handshake record of TLS 1.x that holds a ClientHello. */
	if (head[0] != TLS_HANDSHAKE || head[1] != 3 || head[5] != 1)
		return false;
	/* Record 5, handshake 4, version 2, random 32. */
	*at = packet->payload + 43;
	if (!skip(skb, scratch, false) || !skip(skb, scratch, true) || !skip(skb, scratch, false))
		return false;
	*at += 2;
	for (int extension = 0; extension < EXTENSIONS; extension++) {
		__u8 field[9] = {};
		__u64 length;

		/* Type 2, length 2; of server_name then: list 2, kind 1, length 2. */
		if (bpf_skb_load_bytes(skb, *at, field, 4))
			return false;
		if (field[0] || field[1]) {
			*at += 4 + ((__u32)field[2] << 8 | field[3]);
			continue;
		}
		if (bpf_skb_load_bytes(skb, *at, field, sizeof(field)) || field[6] != 0)
			return false;
		length = (__u64)field[7] << 8 | field[8];
		if (length > NAME_MAX_BYTES - 2)
			return false;
		scratch->name[0] = '.';
		if (load_name(skb, *at + 9, scratch->name + 1, length))
			return false;
		scratch->length = length + 1;
		return lower(0);
	}
	return false;
}

/* How long the method of HTTP is, with its blank; and where SOCKS5 has the length of a name. */
#define CONNECT_BYTES 8
#define SOCKS_NAME 4

/* What a proxy is asked to connect to by name. SOCKS5: version, CONNECT, 0, kind 3, length, name, port. */
static __always_inline bool read_proxy_target(struct __sk_buff *skb, struct packet *packet,
					      struct name_scratch *scratch)
{
	__u32 at = packet->payload;
	__u8 head[CONNECT_BYTES];
	__u64 length;
	__be16 port;

	if (packet->size <= CONNECT_BYTES || bpf_skb_load_bytes(skb, at, head, sizeof(head)))
		return false;
	scratch->name[0] = '.';
	if (head[0] == 'C' && head[1] == 'O' && head[2] == 'N' && head[6] == 'T' && head[7] == ' ') {
		length = packet->size - CONNECT_BYTES;
		if (length > NAME_MAX_BYTES - 2)
			length = NAME_MAX_BYTES - 2;
		if (load_name(skb, at + CONNECT_BYTES, scratch->name + 1, length))
			return false;
		scratch->length = length + 1;
		return plain_authority(0) && lower(0);
	}
	/* A greeting with one way to log in may stand in front. */
	if (head[0] == SOCKS5 && head[1] == 1 && head[3] == SOCKS5) {
		at += 3;
		if (bpf_skb_load_bytes(skb, at, head, SOCKS_NAME + 1))
			return false;
	}
	if (head[0] != SOCKS5 || head[1] != 1 || head[2] != 0 || head[3] != 3)
		return false;
	length = head[SOCKS_NAME];
	if (length > NAME_MAX_BYTES - 2 || load_name(skb, at + SOCKS_NAME + 1, scratch->name + 1, length))
		return false;
	if (bpf_skb_load_bytes(skb, at + SOCKS_NAME + 1 + length, &port, sizeof(port)))
		return false;
	scratch->length = length + 1;
	scratch->asked_port = bpf_ntohs(port);
	return lower(0);
}

static __always_inline void tell(struct __sk_buff *skb, struct packet *packet, __u64 cookie, struct name *name,
				 __u8 verdict)
{
	struct socket_state *state = cookie ? state_of(cookie) : NULL;
	struct connect_event *event = reserve_event(EVENT_NAME, sizeof(*event));

	if (!event)
		return;
	fill_flow((struct egress_event *)event, skb, packet, state, cookie, EVENT_NAME, sizeof(*event));
	event->source = name->source;
	event->verdict = verdict;
	event->rule = name->rule;
	event->state = 0;
	event->asked_port = name->source == SOURCE_PROXY ? name->port : 0;
	bpf_ringbuf_submit(event, AT_ONCE);
}

/* A pool's web page is served on 443 as well: there nothing is dropped because of a name. */
static __always_inline __u8 verdict_of(struct __sk_buff *skb, struct name *name)
{
	struct settings *now = current_settings();

	if (name->source == SOURCE_DNS || name->port == 443 || !now)
		return VERDICT_LISTED;
	return is_dropped(packet_policy(skb, now)) ? VERDICT_ENFORCED : VERDICT_LISTED;
}

/* Reads the name that this packet holds into the scratch. */
static __always_inline bool read_name(struct __sk_buff *skb, struct packet *packet, struct name_scratch *scratch,
				      struct name *name)
{
	__u8 first;

	name->port = packet->remote_port;
	if (packet->remote_port == DNS_PORT) {
		name->source = SOURCE_DNS;
		/* Over TCP the length of the message stands in front, unless it was sent by itself. */
		if (packet->protocol == IPPROTO_TCP && read_question(skb, scratch, packet->payload + 2))
			return true;
		return read_question(skb, scratch, packet->payload);
	}
	if (bpf_skb_load_bytes(skb, packet->payload, &first, sizeof(first)))
		return false;
	if (first == TLS_HANDSHAKE) {
		name->source = SOURCE_TLS;
		return read_server_name(skb, packet, scratch);
	}
	if ((first != 'C' && first != SOCKS5) || !read_proxy_target(skb, packet, scratch))
		return false;
	name->source = SOURCE_PROXY;
	name->port = scratch->asked_port;
	return true;
}

/* Whether the name in this packet is listed. */
static __always_inline bool listed_name(struct __sk_buff *skb, struct packet *packet, struct name *name)
{
	struct name_scratch *scratch;
	__u32 zero = 0;

	scratch = bpf_map_lookup_elem(&name_scratch, &zero);
	if (!scratch || scratch->is_busy)
		return false;
	scratch->is_busy = 1;
	if (read_name(skb, packet, scratch, name)) {
		find_domain(0);
		name->rule = scratch->rule;
	}
	scratch->is_busy = 0;
	return name->rule;
}

/* Returns what the hook answers: 1 send, 0 drop. */
SEC("cgroup_skb/egress")
int on_name(struct __sk_buff *skb)
{
	struct packet packet = {};
	struct name name = {};
	__u8 verdict;

	/* Too short for a question or a greeting, as all that only opens, confirms or ends a connection. */
	if (skb->len <= NAMELESS_BYTES || is_bare(skb) || !parse(skb, &packet) || packet.size == 0)
		return 1;
	if (packet.protocol != IPPROTO_TCP && !(packet.protocol == IPPROTO_UDP && packet.remote_port == DNS_PORT))
		return 1;
	if (!listed_name(skb, &packet, &name))
		return 1;
	verdict = verdict_of(skb, &name);
	tell(skb, &packet, bpf_get_socket_cookie(skb), &name, verdict);
	return verdict != VERDICT_ENFORCED;
}
