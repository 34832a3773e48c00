/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_STRATUM_WORDS_H
#define KUBESENTRY_STRATUM_WORDS_H

/* The words of the mining protocol: methods, and what stands beside those that other protocols have too. */
#include "event.h"

enum stratum_mark {
	MARK_AGENT = 1 << 0,
	MARK_ALGO = 1 << 1,
	MARK_PASS = 1 << 2,
	MARK_RIGID = 1 << 3,
	MARK_JOB_ID = 1 << 4,
	MARK_NONCE = 1 << 5,
	MARK_LOGIN = 1 << 6,
	MARK_LOGIN_AGAIN = 1 << 7, /* as the method and as a parameter */
	MARK_ALGO_LIST = 1 << 10, /* what xmrig can mine; a service that logs in has one */
	/* Methods that count with others of these beside them. */
	METHOD_LOGIN = 1 << 8,
	METHOD_SUBMIT = 1 << 9,
};

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

/* A list behind the word, with a blank between or without. */
static __always_inline bool is_algo_list(__u64 last)
{
	return last == WORD8('"', 'a', 'l', 'g', 'o', '"', ':', '[') || last == WORD8('a', 'l', 'g', 'o', '"', ':', ' ', '[');
}

/* Methods that nobody but miners uses. Others are reported as well, and nothing is done because of them alone. */
static __always_inline bool is_sure(__u32 method)
{
	return method && method != STRATUM_TEMPLATE && method != STRATUM_KEEPALIVED && method != STRATUM_OTHER &&
	       method != STRATUM_BARE_LOGIN;
}

/* What a message was, once its words are known. */
static __always_inline __u32 message_method(__u32 marks)
{
	if ((marks & METHOD_SUBMIT) && (marks & MARK_JOB_ID) && (marks & MARK_NONCE))
		return STRATUM_SUBMIT;
	if (!(marks & METHOD_LOGIN))
		return 0;
	if (marks & (MARK_ALGO_LIST | MARK_RIGID))
		return STRATUM_LOGIN;
	if (!(marks & MARK_LOGIN_AGAIN))
		return 0;
	if ((marks & MARK_ALGO) || ((marks & MARK_AGENT) && (marks & MARK_PASS)))
		return STRATUM_LOGIN;
	return marks & (MARK_AGENT | MARK_PASS) ? STRATUM_BARE_LOGIN : 0;
}

static __always_inline __u32 method_number(__u64 first, __u64 second, __u64 third)
{
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
	if (first == TEXT8('g', 'e', 't', 'b', 'l', 'o', 'c', 'k') && second == TEXT8('t', 'e', 'm', 'p', 'l', 'a', 't', 'e'))
		return STRATUM_TEMPLATE;
	if (first == TEXT8('g', 'e', 't', '_', 'b', 'l', 'o', 'c') && second == TEXT8('k', '_', 't', 'e', 'm', 'p', 'l', 'a'))
		return STRATUM_TEMPLATE;
	if (first == TEXT8('k', 'e', 'e', 'p', 'a', 'l', 'i', 'v') && second == TEXT8('e', 'd', 0, 0, 0, 0, 0, 0))
		return STRATUM_KEEPALIVED;
	return 0;
}

#endif
