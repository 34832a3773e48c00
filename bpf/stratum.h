/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_STRATUM_H
#define KUBESENTRY_STRATUM_H

/*
 * Stratum is JSON, an object a line: {"id":1,"method":"login","params":{"login":"WALLET","pass":"x","agent":"..."}}.
 * Every value of "method" is found wherever the key stands, and words that belong to mining beside it are noted. No word
 * counts by itself that other protocols use too (login, submit).
 *
 * Where a conversation stands is kept from one segment to the next, as a message may be cut anywhere. Escapes are
 * resolved first (RFC 8259 section 7), so that "\u006dethod" is "method".
 *
 * One pass over at most 16 KiB, more than pools take in one line, without bpf_loop, which 5.10 does not have. Two things keep that within what the verifier
 * follows: all that changes on the way is kept in memory of a map, of which it knows nothing, so that the paths of a
 * byte meet again at the next one; and a block of bytes is a global function, which it checks once and not sixteen times.
 */
#include "kernel.h"
#include "stratum-words.h"

#define CHUNK_BYTES 1024
#define CHUNKS 16
#define BLOCK_BYTES 64
#define METHOD_BYTES 32

enum stratum_step { STEP_SEARCH, STEP_COLON, STEP_QUOTE, STEP_VALUE };

/* Within an escape: behind the backslash, and behind the u. */
#define ESCAPE_BEGUN 1
#define ESCAPE_DIGITS 2
#define ESCAPE_LAST_DIGIT 5

/* Stands for every escaped byte that belongs to no word that counts, the quote above all. */
#define OTHER_BYTE 1

/* Where a conversation stands. */
struct stratum_state {
	union {
		char method[METHOD_BYTES];
		__u64 words[METHOD_BYTES / 8];
	};
	__u64 last; /* eight bytes, the newest lowest */
	__u32 length; /* of method */
	__u32 marks; /* of this message */
	__u32 step;
	__u32 escape;
	__u32 code; /* of the escaped character */
	__u32 is_in_string;
	__u32 depth; /* of braces */
	__u32 is_http;
	__u32 found; /* enum stratum_method: the one of this segment that says most */
	__u32 reserved;
};

struct stratum_scratch {
	__u8 bytes[CHUNK_BYTES];
	struct stratum_state state;
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

/* By the socket's cookie: conversations that began like stratum and have not said it yet. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct stratum_state);
} conversations SEC(".maps");

static __always_inline void note_method(volatile struct stratum_state *state, __u32 method)
{
	if (method && (!state->found || (is_sure(method) && !is_sure(state->found))))
		state->found = method;
}

/* Global functions, with numbers for parameters, which is all that those of 5.10 may have. This one ends a method. */
__attribute__((noinline)) int judge_method(__u32 zero)
{
	struct stratum_scratch *scratch = bpf_map_lookup_elem(&stratum_scratch, &zero);
	struct stratum_state *state;
	__u64 first, second, third;
	__u32 number;

	if (!scratch)
		return 0;
	state = &scratch->state;
	first = state->words[0];
	second = state->words[1];
	third = state->words[2];
	__builtin_memset(state->words, 0, sizeof(state->words));
	state->length = 0;
	if (first == TEXT8('l', 'o', 'g', 'i', 'n', 0, 0, 0))
		state->marks |= METHOD_LOGIN;
	if (first == TEXT8('s', 'u', 'b', 'm', 'i', 't', 0, 0))
		state->marks |= METHOD_SUBMIT;
	number = method_number(first, second, third);
	/* By HTTP work is asked of a node of a chain; services that speak of logins and mining there are no pools. */
	if (state->is_http && number != STRATUM_TEMPLATE && number != STRATUM_ETH_WORK)
		return 0;
	note_method(state, number);
	return 0;
}

static __always_inline void end_message(volatile struct stratum_state *state)
{
	if (!state->is_http)
		note_method(state, message_method(state->marks));
	state->marks = 0;
	state->last = 0;
	state->step = STEP_SEARCH;
}

/* One character further. */
static __always_inline void take(volatile struct stratum_state *state, __u8 byte)
{
	__u64 last = state->last << 8 | byte;
	__u32 step = state->step;
	bool is_space = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';

	state->last = last;
	if (byte == '"') {
		state->is_in_string ^= 1;
		state->marks |= mark_of(last, state->marks);
	} else if (byte == '\n') {
		/* No string has a bare one. */
		state->is_in_string = 0;
	}
	if (step == STEP_SEARCH) {
		if (last == WORD8('"', 'm', 'e', 't', 'h', 'o', 'd', '"'))
			state->step = STEP_COLON;
	} else if (step == STEP_COLON) {
		if (!is_space)
			state->step = byte == ':' ? STEP_QUOTE : STEP_SEARCH;
	} else if (step == STEP_QUOTE) {
		if (!is_space)
			state->step = byte == '"' ? STEP_VALUE : STEP_SEARCH;
	} else {
		__u32 length = state->length;

		if (byte == '"' || length >= METHOD_BYTES - 1) {
			state->step = STEP_SEARCH;
			judge_method(0);
		} else {
			state->method[length & (METHOD_BYTES - 1)] = byte;
			state->length = length + 1;
		}
	}
	if (state->is_in_string)
		return;
	if (byte == '[' && is_algo_list(last)) {
		state->marks |= MARK_ALGO_LIST;
	} else if (byte == '{') {
		state->depth++;
	} else if (byte == '}') {
		if (state->depth <= 1)
			end_message(state);
		if (state->depth)
			state->depth--;
	}
}

static __always_inline __u32 digit(__u8 byte)
{
	return (byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10) & 15;
}

/* One byte further. */
static __always_inline void take_raw(volatile struct stratum_state *state, __u8 byte)
{
	__u32 escape = state->escape;
	__u32 code;

	if (!escape && byte == '\\') {
		state->escape = ESCAPE_BEGUN;
		return;
	}
	if (escape == ESCAPE_BEGUN) {
		state->escape = byte == 'u' ? ESCAPE_DIGITS : 0;
		state->code = 0;
		if (byte == 'u')
			return;
		byte = OTHER_BYTE;
	} else if (escape) {
		code = state->code << 4 | digit(byte);
		state->code = code;
		if (escape < ESCAPE_LAST_DIGIT) {
			state->escape = escape + 1;
			return;
		}
		state->escape = 0;
		byte = code < 0x80 && code != '"' ? code : OTHER_BYTE;
	}
	take(state, byte);
}

__attribute__((noinline)) int scan_block(__u32 start, __u32 end)
{
	__u32 zero = 0;
	struct stratum_scratch *scratch = bpf_map_lookup_elem(&stratum_scratch, &zero);

	if (!scratch)
		return 0;
	for (__u32 at = 0; at < BLOCK_BYTES; at++) {
		if (start + at >= end)
			break;
		take_raw(&scratch->state, scratch->bytes[(start + at) & (CHUNK_BYTES - 1)]);
	}
	return 0;
}

/* A global function as well, so that the number of chunks costs the verifier nothing. Whether there may be more. */
__attribute__((noinline)) int scan_chunk(struct __sk_buff *skb, __u32 offset, __u32 size)
{
	__u32 zero = 0;
	struct stratum_scratch *scratch = bpf_map_lookup_elem(&stratum_scratch, &zero);

	if (!scratch || size == 0)
		return false;
	if (size > CHUNK_BYTES)
		size = CHUNK_BYTES;
	/* Says 1..1024 in a form that the verifier of 5.10 can follow and the compiler cannot fold. */
	size--;
	barrier_var(size);
	size = (size & (CHUNK_BYTES - 1)) + 1;
	if (bpf_skb_load_bytes(skb, offset, scratch->bytes, size))
		return false;
	for (__u32 start = 0; start < CHUNK_BYTES; start += BLOCK_BYTES)
		scan_block(start, size);
	return size == CHUNK_BYTES && !is_sure(*(volatile __u32 *)&scratch->state.found);
}

static __always_inline __u8 scan(struct stratum_scratch *scratch, struct __sk_buff *skb, __u32 offset, __u32 size)
{
	volatile struct stratum_state *state = &scratch->state;

	for (__u32 chunk = 0; chunk < CHUNKS; chunk++) {
		__u32 done = chunk * CHUNK_BYTES;

		if (!scan_chunk(skb, offset + done, size > done ? size - done : 0))
			break;
	}
	if (!state->is_http)
		note_method(state, message_method(state->marks));
	return state->found;
}

enum opening { OPENING_NONE, OPENING_JSON, OPENING_HTTP };

/* How a payload begins; most traffic ends here. */
static __always_inline enum opening opening_of(struct __sk_buff *skb, __u32 offset)
{
	__u8 first;
	__u64 head;

	if (bpf_skb_load_bytes(skb, offset, &first, 1))
		return OPENING_NONE;
	if (first == '{' || first == '[' || first == ' ' || first == '\t' || first == '\r' || first == '\n')
		return OPENING_JSON;
	if (first != 'P' && first != 'C' && first != 4 && first != 5)
		return OPENING_NONE;
	if (bpf_skb_load_bytes(skb, offset, &head, sizeof(head)))
		return OPENING_NONE;
	if ((head & 0xffffffffff) == TEXT8('P', 'O', 'S', 'T', ' ', 0, 0, 0))
		return OPENING_HTTP;
	/* To a proxy (RFC 9110 section 9.3.6, SOCKS4, RFC 1928 section 3), perhaps with more behind it. */
	if (head == TEXT8('C', 'O', 'N', 'N', 'E', 'C', 'T', ' ') ||
	    (head & 0xffffffffffff) == TEXT8('P', 'R', 'O', 'X', 'Y', ' ', 0, 0) || (head & 0xffff) == 0x0104 ||
	    (head & 0xff00ffff) == 0x05000105)
		return OPENING_JSON;
	return OPENING_NONE;
}

/* Records of TLS 1.x (RFC 8446 section 5.1): what began as a talk with a proxy is none of ours from there on. */
static __always_inline bool is_encrypted(struct __sk_buff *skb, __u32 offset)
{
	__u8 head[2];

	return bpf_skb_load_bytes(skb, offset, head, sizeof(head)) == 0 && head[0] >= 20 && head[0] <= 23 && head[1] == 3;
}

/* Whether a segment is worth a look: it begins like stratum, or goes on with what began so. */
static __always_inline bool is_of_interest(struct __sk_buff *skb, __u64 cookie, __u32 offset)
{
	if (opening_of(skb, offset) != OPENING_NONE)
		return true;
	return bpf_map_lookup_elem(&conversations, &cookie) && !is_encrypted(skb, offset);
}

/* enum stratum_method of a segment, 0 if it is none. */
static __always_inline __u8 stratum_method(struct __sk_buff *skb, __u64 cookie, __u32 offset, __u32 size)
{
	struct stratum_scratch *scratch;
	struct stratum_state *before;
	__u32 zero = 0;
	__u8 method;

	scratch = bpf_map_lookup_elem(&stratum_scratch, &zero);
	if (!scratch || scratch->is_busy)
		return 0;
	scratch->is_busy = 1;
	before = bpf_map_lookup_elem(&conversations, &cookie);
	if (before) {
		scratch->state = *before;
	} else {
		__builtin_memset(&scratch->state, 0, sizeof(scratch->state));
		scratch->state.is_http = opening_of(skb, offset) == OPENING_HTTP;
	}
	method = scan(scratch, skb, offset, size);
	scratch->state.found = 0;
	if (is_sure(method))
		bpf_map_delete_elem(&conversations, &cookie);
	else
		bpf_map_update_elem(&conversations, &cookie, &scratch->state, BPF_ANY);
	scratch->is_busy = 0;
	return method;
}

#endif
