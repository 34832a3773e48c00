/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_FINGERPRINT_H
#define KUBESENTRY_FINGERPRINT_H

/*
 * What makes two execs the same: file, time of its last change, names, arguments and cgroup, in 64 bits. SipHash-1-3
 * (https://www.aumasson.jp/siphash/siphash.pdf) with a key that nobody outside the agent knows, so that no other exec can
 * be made to look like one that was judged.
 */
#include "control.h"
#include "event.h"

/* File name and arguments together; what is longer is judged each time. */
#define FINGERPRINT_BYTES 256

/* What user space has said about a fingerprint. */
enum known {
	KNOWN_QUIET = 1 << 0, /* nobody has to be woken for it */
	KNOWN_FOLD = 1 << 1, /* nobody has to see it again, where there are too many */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u32);
} known_execs SEC(".maps");

/* Set before the load. */
const volatile __u64 fingerprint_key0;
const volatile __u64 fingerprint_key1;

struct sip {
	__u64 v0, v1, v2, v3;
};

#define ROTATE(value, bits) ((value) << (bits) | (value) >> (64 - (bits)))

static __always_inline void sip_round(struct sip *sip)
{
	sip->v0 += sip->v1;
	sip->v1 = ROTATE(sip->v1, 13) ^ sip->v0;
	sip->v0 = ROTATE(sip->v0, 32);
	sip->v2 += sip->v3;
	sip->v3 = ROTATE(sip->v3, 16) ^ sip->v2;
	sip->v0 += sip->v3;
	sip->v3 = ROTATE(sip->v3, 21) ^ sip->v0;
	sip->v2 += sip->v1;
	sip->v1 = ROTATE(sip->v1, 17) ^ sip->v2;
	sip->v2 = ROTATE(sip->v2, 32);
}

static __always_inline void sip_add(struct sip *sip, __u64 word)
{
	sip->v3 ^= word;
	sip_round(sip);
	sip->v0 ^= word;
}

/* `text` has room for a word behind what counts. 0 stands for none. */
static __always_inline __u64 fingerprint_of(struct exec_event *event, char *text)
{
	__u64 length = (__u64)event->filename_len + event->args_len, end = length;
	struct settings *now = current_settings();
	const __u64 *comm = (const void *)event->header.comm;
	struct sip sip = {
		fingerprint_key0 ^ 0x736f6d6570736575ULL,
		fingerprint_key1 ^ 0x646f72616e646f6dULL,
		fingerprint_key0 ^ 0x6c7967656e657261ULL,
		fingerprint_key1 ^ 0x7465646279746573ULL,
	};

	if (length > FINGERPRINT_BYTES || !now || (event->flags & (EXEC_ARGS_TRUNCATED | EXEC_ARGS_UNREADABLE)))
		return 0;
	/* Known by the check above, which 5.10 does not follow and the compiler therefore may not leave out. */
	asm volatile("%0 &= 511" : "+r"(end));
	*(__u64 *)(text + end) = 0;
	sip_add(&sip, (__u64)event->dev << 32 | event->flags);
	sip_add(&sip, event->inode);
	sip_add(&sip, event->changed);
	sip_add(&sip, event->header.cgroup_id);
	sip_add(&sip, event->header.cgroup_v1_id);
	sip_add(&sip, (__u64)now->generation << 32 | (__u64)event->filename_len << 16 | event->args_len);
	sip_add(&sip, comm[0]);
	sip_add(&sip, comm[1]);
	for (__u64 at = 0; at < FINGERPRINT_BYTES; at += 8) {
		if (at >= length)
			break;
		sip_add(&sip, *(__u64 *)(text + at));
	}
	sip.v2 ^= 0xff;
	sip_round(&sip);
	sip_round(&sip);
	sip_round(&sip);
	return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

#endif
