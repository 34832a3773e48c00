/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_EVENT_H
#define KUBESENTRY_EVENT_H

#include <linux/types.h>

/*
 * What the programs hand to user space through the ring buffer `events`. All members are naturally aligned, so that
 * there is no hidden padding; events.ts has the same offsets and test/bpf/layout.test.ts compares the two by BTF.
 * Times are nanoseconds since boot, suspend included; addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d; ports are in
 * host order; ids of cgroups are inode numbers of their folders.
 */

/* Also the index of its counter in `dropped`. */
enum event_type {
	EVENT_EXEC = 1,
	EVENT_CONNECT = 2,
	EVENT_CGROUP_MKDIR = 3,
	EVENT_CGROUP_RMDIR = 4,
	EVENT_STRATUM = 5,
	EVENT_QUARANTINE = 6,
	EVENT_FPU = 7,
	/* Written by iterators, never into the ring. */
	EVENT_PROCESS = 8,
	EVENT_SOCKET = 9,
	EVENT_NAME = 10,
	/* An exec_event without arguments, of a process that goes on with what it ran before. */
	EVENT_REFUSED_EXEC = 11,
	EVENT_TYPES = 12,
};

enum verdict {
	VERDICT_NONE = 0,
	/* Listed, and let pass: enforcement is off for this cgroup or the cgroup is protected. */
	VERDICT_LISTED = 1,
	/* Killed, refused or dropped. */
	VERDICT_ENFORCED = 2,
};

struct event_header {
	__u32 size; /* bytes of the whole record */
	__u16 type; /* enum event_type */
	__u16 cpu;
	__u64 ktime;
	__u32 tgid; /* 0: not known (packets, sockets) */
	__u32 pid;
	__u32 ppid; /* tgid of who made it, which may be gone */
	__u32 uid;
	__u64 start_time; /* of the thread group leader */
	__u64 parent_start_time;
	__u64 cgroup_id;
	__u64 cgroup_v1_id; /* in the hierarchy that v1_controller names, or 0 */
	__u32 mntns; /* inode number of the mount namespace */
	__u32 header_reserved;
	char comm[16];
};

enum exec_flag {
	EXEC_MEMFD = 1 << 0,
	EXEC_DELETED = 1 << 1,
	EXEC_UPPER_LAYER = 1 << 2, /* the file is in the writable layer of an overlay */
	EXEC_ARGS_TRUNCATED = 1 << 3,
	EXEC_ARGS_UNREADABLE = 1 << 4,
	EXEC_KNOWN = 1 << 5, /* user space has said before what it thinks of this fingerprint */
};

/* Which of the names was in the list. */
enum name_match {
	NAME_NONE = 0,
	NAME_COMM = 1,
	NAME_FILENAME = 2,
	NAME_FILE = 3, /* the file itself, symbolic links resolved */
	NAME_ARGV0 = 4,
};

#define FILENAME_MAX_BYTES 1024
#define ARGS_MAX_BYTES 8192
/* Of more the middle is left out, and the last so many are there: padding does not push them away. */
#define ARGS_TAIL_BYTES 2048

struct exec_event {
	struct event_header header;
	__u64 inode;
	__u32 dev; /* the kernel's: major << 20 | minor */
	__u32 flags; /* enum exec_flag */
	__u64 changed; /* when the file was, nanoseconds since 1970 */
	__u64 fingerprint; /* see fingerprint.h; 0: too long for one */
	__u32 args_total; /* bytes that the process really has */
	__u16 filename_len; /* without NUL */
	__u16 args_len;
	__u32 rule; /* value of the listed name */
	__u8 verdict; /* enum verdict: killed before the first instruction, if enforced */
	__u8 match; /* enum name_match */
	__u16 exec_reserved;
	/* filename, then the arguments, each ended by NUL */
	char text[];
};

enum connect_source {
	SOURCE_CGROUP_HOOK = 1,
	SOURCE_SOCK_STATE = 2, /* the first witness did not see it */
	SOURCE_DNS = 3, /* of EVENT_NAME: a question for a listed name */
	SOURCE_TLS = 4, /* of EVENT_NAME: a listed server name in a ClientHello */
	SOURCE_PROXY = 5, /* of EVENT_NAME: a proxy is asked to connect to a listed name */
};

/* EVENT_CONNECT, EVENT_SOCKET and EVENT_NAME, whose rule is the value of the listed name. */
struct connect_event {
	struct event_header header;
	__u64 cookie;
	__u8 remote[16];
	__u8 local[16];
	__u16 remote_port;
	__u16 local_port;
	__u8 family; /* 4 or 6, mapped IPv4 is 4 */
	__u8 protocol; /* IPPROTO_* */
	__u8 source; /* enum connect_source */
	__u8 verdict; /* enum verdict */
	__u32 rule; /* value of the listed destination */
	__u16 state; /* TCP_*, of EVENT_SOCKET only */
	__u16 asked_port; /* of SOURCE_PROXY only: what the proxy is to connect to */
};

#define CGROUP_PATH_MAX_BYTES 512

struct cgroup_event {
	struct event_header header; /* of who made or removed it */
	__u64 id;
	__u32 hierarchy; /* 0 is v2 */
	__u16 level; /* 0 is the root */
	__u16 path_len;
	/* path from the root of the hierarchy, without NUL */
	char path[];
};

enum stratum_method {
	STRATUM_SUBSCRIBE = 1, /* mining.subscribe */
	STRATUM_AUTHORIZE = 2, /* mining.authorize */
	STRATUM_LOGIN = 3, /* login with what CryptoNote pools want beside it: login, agent and pass, algorithms, rigid */
	STRATUM_ETH_LOGIN = 4, /* eth_submitLogin */
	STRATUM_ETH_WORK = 5, /* eth_submitWork, eth_getWork, eth_submitHashrate */
	STRATUM_TEMPLATE = 6, /* getjobtemplate, get_block_template of a pool's daemon interface */
	STRATUM_SUBMIT = 7, /* mining.submit, or submit with job_id and nonce beside it */
	STRATUM_KEEPALIVED = 8, /* keepalived */
	STRATUM_OTHER = 9, /* any other mining.* */
	STRATUM_BARE_LOGIN = 10, /* login with less beside it, as other services have it too */
};

/* EVENT_STRATUM, and EVENT_QUARANTINE once a socket. */
struct egress_event {
	struct event_header header; /* who connected, if that was seen; else tgid is 0 */
	__u64 cookie;
	__u8 remote[16];
	__u8 local[16];
	__u16 remote_port;
	__u16 local_port;
	__u8 family;
	__u8 protocol;
	__u8 method; /* enum stratum_method; 0 in EVENT_QUARANTINE */
	__u8 verdict;
};

/* EVENT_FPU: the rounding mode was found changed, as RandomX does; x86 only. One a process and second at most. */
struct fpu_event {
	struct event_header header;
	__u32 mxcsr;
	__u32 samples; /* of this process with a changed rounding mode since the last event */
};

/* EVENT_PROCESS: a process that existed before, from iter/task. Arguments are in /proc. */
struct process_event {
	struct event_header header;
	__u64 inode;
	__u32 dev;
	__u32 flags; /* enum exec_flag, the first three */
};

#endif
