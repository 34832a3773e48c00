// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What existed before the agent: processes, their TCP connections, and TCP sockets that no process holds by a number, one
 * fixed-size record each. Iterators run only while user space reads from them and hold a reference on what they show.
 */
#include "executable.h"
#include "socket.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct mm_struct___exe {
	struct file *exe_file;
} __attribute__((preserve_access_index));

SEC("iter/task")
int iterate_processes(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct process_event record = {};
	struct mm_struct___exe *mm;

	/* NULL comes once, at the end. Threads are no processes. */
	if (!task || task->pid != task->tgid)
		return 0;
	fill_header(&record.header, task, EVENT_PROCESS, sizeof(record));
	mm = (void *)BPF_CORE_READ(task, mm);
	/* Kernel threads have no memory of their own and no file. */
	if (mm)
		record.flags = describe_executable(BPF_CORE_READ(mm, exe_file), &record.inode, &record.dev);
	bpf_seq_write(context->meta->seq, &record, sizeof(record));
	return 0;
}

/*
 * iter/tcp shows the network of whoever reads it and no other, and each pod has one of its own. The files of processes
 * are shown for the whole node, and say whose a connection is.
 */
SEC("iter/task_file")
int iterate_connections(struct bpf_iter__task_file *context)
{
	struct task_struct *task = context->task;
	struct file *file = context->file;
	struct connect_event record = {};
	struct socket *socket;
	struct sock *sock;
	__u16 family, protocol;
	__u8 state;

	/* NULL comes once, at the end. The files of sockets are on a file system of their own. */
	if (!task || !file || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != SOCKFS_MAGIC)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sock = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sock, __sk_common.skc_family);
	protocol = BPF_CORE_READ(sock, sk_protocol);
	state = BPF_CORE_READ(sock, __sk_common.skc_state);
	if ((family != AF_INET && family != AF_INET6) || (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP) ||
	    state == TCP_CLOSE || state == TCP_LISTEN)
		return 0;
	fill_header(&record.header, task, EVENT_SOCKET, sizeof(record));
	read_flow(&record, &sock->__sk_common);
	record.cookie = BPF_CORE_READ(sock, __sk_common.skc_cookie.counter);
	record.protocol = IPPROTO_TCP;
	record.state = state;
	bpf_seq_write(context->meta->seq, &record, sizeof(record));
	return 0;
}

static __always_inline __u64 socket_cgroup(struct sock *socket)
{
	struct sock_cgroup_data *data = __builtin_preserve_access_index(&socket->sk_cgrp_data);
	struct sock_cgroup_data___before_5_15 *before = (void *)data;
	__u64 value;

	if (bpf_core_field_exists(data->cgroup))
		return BPF_CORE_READ(data, cgroup, kn, id);
	value = BPF_CORE_READ(before, val);
	return value & 1 ? 0 : BPF_CORE_READ((struct cgroup *)value, kn, id);
}

SEC("iter/tcp")
int iterate_sockets(struct bpf_iter__tcp *context)
{
	struct sock_common *socket = context->sk_common;
	struct connect_event record = {};
	__u8 state;

	if (!socket)
		return 0;
	state = BPF_CORE_READ(socket, skc_state);
	record.header.size = sizeof(record);
	record.header.type = EVENT_SOCKET;
	record.header.uid = context->uid;
	record.header.ktime = bpf_ktime_get_boot_ns();
	/* Half-open and waiting ones are smaller structs, which have no more than the common part. */
	if (state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV)
		record.header.cgroup_id = socket_cgroup((struct sock *)socket);
	read_flow(&record, socket);
	record.cookie = BPF_CORE_READ(socket, skc_cookie.counter);
	record.protocol = IPPROTO_TCP;
	record.state = state;
	bpf_seq_write(context->meta->seq, &record, sizeof(record));
	return 0;
}
