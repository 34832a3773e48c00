/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_STRATUM_H
#define KUBESENTRY_STRATUM_H

/*
 * Stratum is JSON, an object a line: {"id":1,"method":"login","params":{"login":"WALLET","pass":"x","agent":"..."}}.
 * The value of "method" is found wherever the key stands, and words that belong to mining beside it are noted. No word
 * counts by itself that other protocols use too (login, submit).
 *
 * One pass over at most 1 KiB, without bpf_loop, which 5.10 does not have. Two things keep that within what the verifier
 * follows: all that changes on the way is kept in memory of a map, of which it knows nothing, so that the paths of a
 * byte meet again at the next one; and a block of bytes is a global function, which it checks once and not sixteen times.
 */
#include "event.h"
#include "kernel.h"

#define STRATUM_BYTES 1024
#define BLOCK_BYTES 64
#define METHOD_BYTES 32

enum stratum_step { STEP_SEARCH, STEP_COLON, STEP_QUOTE, STEP_VALUE, STEP_DONE };

enum stratum_mark {
	MARK_AGENT = 1 << 0,
	MARK_ALGO = 1 << 1,
	MARK_PASS = 1 << 2,
	MARK_RIGID = 1 << 3,
	MARK_JOB_ID = 1 << 4,
	MARK_NONCE = 1 << 5,
	MARK_LOGIN = 1 << 6,
	MARK_LOGIN_AGAIN = 1 << 7, /* as the method and as a parameter */
};

struct stratum_scratch {
	__u8 bytes[STRATUM_BYTES];
	union {
		char method[METHOD_BYTES];
		__u64 words[METHOD_BYTES / 8];
	};
	__u64 last; /* eight bytes, the newest lowest */
	__u32 length; /* of method */
	__u32 marks;
	__u32 step;
	/*
	 * A softirq may send while a process that sends is interrupted in here. It then leaves its segment alone; the
	 * next one is looked at instead.
	 */
	__u32 is_busy;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stratum_scratch);
} stratum_scratch SEC(".maps");

/* A word with its quotes, as it lies in `last`. */
#define WORD1(a) ((__u64)(__u8)(a))
#define WORD6(a, b, c, d, e, f) \
	(WORD1(a) << 40 | WORD1(b) << 32 | WORD1(c) << 24 | WORD1(d) << 16 | WORD1(e) << 8 | WORD1(f))
#define WORD7(a, b, c, d, e, f, g) (WORD6(a, b, c, d, e, f) << 8 | WORD1(g))
#define WORD8(a, b, c, d, e, f, g, h) (WORD7(a, b, c, d, e, f, g) << 8 | WORD1(h))
#define LAST6 0xffffffffffffull
#define LAST7 0xffffffffffffffull

/* Eight characters as a word of the method's name in memory. Both architectures are little-endian. */
#define TEXT8(a, b, c, d, e, f, g, h) WORD8(h, g, f, e, d, c, b, a)

static __always_inline __u32 mark_of(__u64 last, __u32 marks)
{
	if ((last & LAST7) == WORD7('"', 'a', 'g', 'e', 'n', 't', '"'))
		return MARK_AGENT;
	if ((last & LAST6) == WORD6('"', 'a', 'l', 'g', 'o', '"'))
		return MARK_ALGO;
	if ((last & LAST6) == WORD6('"', 'p', 'a', 's', 's', '"'))
		return MARK_PASS;
	if ((last & LAST7) == WORD7('"', 'r', 'i', 'g', 'i', 'd', '"'))
		return MARK_RIGID;
	if (last == WORD8('"', 'j', 'o', 'b', '_', 'i', 'd', '"'))
		return MARK_JOB_ID;
	if ((last & LAST7) == WORD7('"', 'n', 'o', 'n', 'c', 'e', '"'))
		return MARK_NONCE;
	if ((last & LAST7) == WORD7('"', 'l', 'o', 'g', 'i', 'n', '"'))
		return marks & MARK_LOGIN ? MARK_LOGIN_AGAIN : MARK_LOGIN;
	return 0;
}

/* One byte further. */
static __always_inline void take(struct stratum_scratch *scratch, __u8 byte)
{
	volatile struct stratum_scratch *state = scratch;
	__u64 last = state->last << 8 | byte;
	__u32 step = state->step;
	bool is_space = byte == ' ' || byte == '\t';

	state->last = last;
	if (byte == '"')
		state->marks |= mark_of(state->last, state->marks);
	if (step == STEP_SEARCH) {
		if (state->last == WORD8('"', 'm', 'e', 't', 'h', 'o', 'd', '"'))
			state->step = STEP_COLON;
	} else if (step == STEP_COLON) {
		if (!is_space)
			state->step = byte == ':' ? STEP_QUOTE : STEP_SEARCH;
	} else if (step == STEP_QUOTE) {
		if (!is_space)
			state->step = byte == '"' ? STEP_VALUE : STEP_SEARCH;
	} else if (step == STEP_VALUE) {
		__u32 length = state->length;

		if (byte == '"' || length >= METHOD_BYTES - 1) {
			state->step = STEP_DONE;
		} else {
			state->method[length & (METHOD_BYTES - 1)] = byte;
			state->length = length + 1;
		}
	}
}

static __always_inline __u8 classify(struct stratum_scratch *scratch)
{
	__u64 first = scratch->words[0], second = scratch->words[1], third = scratch->words[2];
	__u32 marks = scratch->marks;

	if ((first & LAST7) == (TEXT8('m', 'i', 'n', 'i', 'n', 'g', '.', 0))) {
		if (first >> 56 == 'a' && second == TEXT8('u', 't', 'h', 'o', 'r', 'i', 'z', 'e') && !third)
			return STRATUM_AUTHORIZE;
		if (first >> 56 == 's' && second == TEXT8('u', 'b', 's', 'c', 'r', 'i', 'b', 'e') && !third)
			return STRATUM_SUBSCRIBE;
		if (first >> 56 == 's' && second == TEXT8('u', 'b', 'm', 'i', 't', 0, 0, 0))
			return STRATUM_SUBMIT;
		return STRATUM_OTHER;
	}
	if (first == TEXT8('e', 't', 'h', '_', 's', 'u', 'b', 'm')) {
		if (second == TEXT8('i', 't', 'L', 'o', 'g', 'i', 'n', 0))
			return STRATUM_ETH_LOGIN;
		if (second == TEXT8('i', 't', 'W', 'o', 'r', 'k', 0, 0) ||
		    second == TEXT8('i', 't', 'H', 'a', 's', 'h', 'r', 'a'))
			return STRATUM_ETH_WORK;
	}
	if (first == TEXT8('e', 't', 'h', '_', 'g', 'e', 't', 'W') && second == TEXT8('o', 'r', 'k', 0, 0, 0, 0, 0))
		return STRATUM_ETH_WORK;
	if (first == TEXT8('g', 'e', 't', 'j', 'o', 'b', 't', 'e') && second == TEXT8('m', 'p', 'l', 'a', 't', 'e', 0, 0))
		return STRATUM_TEMPLATE;
	if (first == TEXT8('k', 'e', 'e', 'p', 'a', 'l', 'i', 'v') && second == TEXT8('e', 'd', 0, 0, 0, 0, 0, 0))
		return STRATUM_KEEPALIVED;
	if (first == TEXT8('s', 'u', 'b', 'm', 'i', 't', 0, 0) && (marks & MARK_JOB_ID) && (marks & MARK_NONCE))
		return STRATUM_SUBMIT;
	if (first == TEXT8('l', 'o', 'g', 'i', 'n', 0, 0, 0)) {
		if (marks & (MARK_ALGO | MARK_RIGID))
			return STRATUM_LOGIN;
		if ((marks & MARK_LOGIN_AGAIN) && (marks & (MARK_AGENT | MARK_PASS)))
			return STRATUM_LOGIN;
	}
	return 0;
}

/* Not static, see above; and with numbers for parameters, which is all that a global function of 5.10 may have. */
__attribute__((noinline)) int scan_block(__u32 start, __u32 end)
{
	__u32 zero = 0;
	struct stratum_scratch *scratch = bpf_map_lookup_elem(&stratum_scratch, &zero);

	if (!scratch)
		return 0;
	for (__u32 at = 0; at < BLOCK_BYTES; at++) {
		if (start + at >= end)
			break;
		take(scratch, scratch->bytes[(start + at) & (STRATUM_BYTES - 1)]);
	}
	return 0;
}

static __always_inline __u8 scan(struct stratum_scratch *scratch, struct __sk_buff *skb, __u32 offset, __u32 size)
{
	if (size == 0)
		return 0;
	if (size > STRATUM_BYTES)
		size = STRATUM_BYTES;
	/* Says 1..1024 in a form that the verifier of 5.10 can follow and the compiler cannot fold. */
	size--;
	barrier_var(size);
	size = (size & (STRATUM_BYTES - 1)) + 1;
	if (bpf_skb_load_bytes(skb, offset, scratch->bytes, size))
		return 0;
	__builtin_memset(scratch->words, 0, sizeof(scratch->words));
	scratch->last = 0;
	scratch->length = 0;
	scratch->marks = 0;
	scratch->step = STEP_SEARCH;
	for (__u32 start = 0; start < STRATUM_BYTES; start += BLOCK_BYTES)
		scan_block(start, size);
	/* Cut off within the value: not judged. */
	return *(volatile __u32 *)&scratch->step == STEP_DONE ? classify(scratch) : 0;
}

/* enum stratum_method of a payload, 0 if it is none. */
static __always_inline __u8 stratum_method(struct __sk_buff *skb, __u32 offset, __u32 size)
{
	struct stratum_scratch *scratch;
	__u32 zero = 0;
	__u8 first, method;

	/* Most traffic ends here. */
	if (bpf_skb_load_bytes(skb, offset, &first, 1) || (first != '{' && first != '['))
		return 0;
	scratch = bpf_map_lookup_elem(&stratum_scratch, &zero);
	if (!scratch || scratch->is_busy)
		return 0;
	scratch->is_busy = 1;
	method = scan(scratch, skb, offset, size);
	scratch->is_busy = 0;
	return method;
}

#endif
