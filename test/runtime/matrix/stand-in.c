/*
 * A harmless stand-in for whatever a miner does: it starts programs, connects, speaks and computes in every way that
 * was thought of to stay unseen, and mines nothing. The first argument says what to do; as `wait` it only lives a while
 * ($REST seconds), and any other first argument is taken for the arguments of a miner and treated the same.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void rest(double seconds)
{
	struct timespec time = { (time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9) };

	nanosleep(&time, NULL);
}

/* start HOW PATH ARGV...: another program by an unusual way. */
static void start(const char *how, const char *path, char **argv)
{
	char link[64];
	int file = open(path, O_RDONLY);

	if (file < 0)
		fail(path);
	if (is(how, "memfd")) {
		int memory = memfd_create("", 0);
		char chunk[65536];
		ssize_t size;

		while ((size = read(file, chunk, sizeof(chunk))) > 0)
			if (write(memory, chunk, size) != size)
				fail("write");
		file = memory;
	}
	if (is(how, "deleted"))
		unlink(path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	if (is(how, "descriptor") || is(how, "deleted"))
		execve(link, argv, environ);
	else if (is(how, "execveat"))
		syscall(SYS_execveat, AT_FDCWD, path, argv, environ, 0);
	else
		syscall(SYS_execveat, file, "", argv, environ, AT_EMPTY_PATH);
	fail(how);
}

static socklen_t address_of(const char *how, const char *host, const char *port, struct sockaddr_storage *into)
{
	struct sockaddr_in *v4 = (void *)into;
	struct sockaddr_in6 *v6 = (void *)into;
	char mapped[64];

	memset(into, 0, sizeof(*into));
	if (is(how, "mapped")) {
		snprintf(mapped, sizeof(mapped), "::ffff:%s", host);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(port));
		inet_pton(AF_INET6, mapped, &v6->sin6_addr);
		return sizeof(*v6);
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(atoi(port));
	inet_pton(AF_INET, host, &v4->sin_addr);
	return sizeof(*v4);
}

/* One IORING_OP_CONNECT without any library; `flags` may push it to a worker thread. */
static int ring_connect(int socket, struct sockaddr *address, socklen_t length, unsigned char flags)
{
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 2, &params);
	unsigned char *queue;
	struct io_uring_sqe *entry;
	struct io_uring_cqe *done;

	if (ring < 0)
		return -1;
	queue = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(*done), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	entry = mmap(NULL, params.sq_entries * sizeof(*entry), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
		     IORING_OFF_SQES);
	entry->opcode = IORING_OP_CONNECT;
	entry->flags = flags;
	entry->fd = socket;
	entry->addr = (uintptr_t)address;
	entry->off = length;
	*(unsigned *)(queue + params.sq_off.array) = 0;
	__atomic_store_n((unsigned *)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -1;
	done = (void *)(queue + params.cq_off.cqes);
	errno = done->res < 0 ? -done->res : 0;
	return done->res < 0 ? -1 : 0;
}

/* say HOW HOST PORT TEXT...: connects and writes each text by itself; "slow" takes one byte at a time. */
static void say(const char *how, const char *host, const char *port, char **texts)
{
	struct sockaddr_storage address;
	socklen_t length = address_of(how, host, port, &address);
	int type = SOCK_STREAM | (is(how, "nonblocking") ? SOCK_NONBLOCK : 0);
	int socket_ = socket(address.ss_family, type, 0), one = 1, result;

	setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (is(how, "fastopen")) {
		result = sendto(socket_, texts[0], strlen(texts[0]), MSG_FASTOPEN, (void *)&address, length);
		texts++;
	} else if (is(how, "ring")) {
		result = ring_connect(socket_, (void *)&address, length, 0);
	} else if (is(how, "ring-worker")) {
		result = ring_connect(socket_, (void *)&address, length, IOSQE_ASYNC);
	} else {
		result = connect(socket_, (void *)&address, length);
	}
	if (result < 0 && errno != EINPROGRESS)
		fail(how);
	for (; *texts; texts++) {
		size_t step = is(how, "slow") ? 1 : strlen(*texts);

		for (size_t at = 0; (*texts)[at]; at += step) {
			rest(is(how, "slow") ? 0.002 : 0.03);
			send(socket_, *texts + at, step, MSG_NOSIGNAL);
		}
	}
	rest(0.3);
}

/* ask HOW HOST NAME: the question for an address, as a resolver sends it. */
static void ask(const char *how, const char *host, const char *name)
{
	int is_stream = is(how, "stream");
	int socket_ = socket(AF_INET, is_stream ? SOCK_STREAM : SOCK_DGRAM, 0);
	unsigned char packet[300] = { 0, 0, 0, 7, 1, 0, 0, 1 };
	unsigned char *query = packet + 2, *label = query + 12, *at = label + 1;
	struct sockaddr_storage address;
	socklen_t length = address_of(how, host, "53", &address);
	struct iovec part = { query, 0 };
	struct mmsghdr many = { { &address, length, &part, 1, NULL, 0, 0 }, 0 };

	for (; *name; name++, at++) {
		if (*name != '.')
			*at = *name;
		else
			*label = at - label - 1, label = at;
	}
	*label = at - label - 1;
	memcpy(at, "\0\0\1\0\1", 5);
	part.iov_len = at + 5 - query;
	packet[1] = part.iov_len;
	if ((is_stream || is(how, "connect")) && connect(socket_, (void *)&address, length) < 0)
		fail("connect");
	if (is_stream)
		send(socket_, packet, part.iov_len + 2, 0);
	else if (is(how, "connect"))
		send(socket_, query, part.iov_len, 0);
	else if (is(how, "sendto"))
		sendto(socket_, query, part.iov_len, 0, (void *)&address, length);
	else if (is(how, "sendmsg"))
		sendmsg(socket_, &many.msg_hdr, 0);
	else
		sendmmsg(socket_, &many, 1, 0);
	rest(0.2);
}

static volatile double sink = 1.0;

static void *compute(void *until)
{
	while (time(NULL) < *(time_t *)until)
		for (int step = 0; step < 100000; step++)
			sink = sink * 1.0000001 + 0.1;
	return NULL;
}

/* compute SECONDS THREADS [ROUNDING [REST]]: by default to nearest; then it rests for as many seconds. */
static void burn(char **argv, int count)
{
	time_t until = time(NULL) + atoi(argv[0]);
	pthread_t thread;

	if (count > 2)
		fesetround(is(argv[2], "down") ? FE_DOWNWARD : FE_TONEAREST);
	for (int more = atoi(argv[1]); more > 1; more--)
		pthread_create(&thread, NULL, compute, &until);
	compute(&until);
	fesetround(FE_TONEAREST);
	rest(count > 3 ? atof(argv[3]) : 0);
}

int main(int count, char **argv)
{
	const char *what = count > 1 ? argv[1] : "";

	if (is(what, "start") && count > 4)
		start(argv[2], argv[3], argv + 4);
	else if (is(what, "say") && count > 5)
		say(argv[2], argv[3], argv[4], argv + 5);
	else if (is(what, "ask") && count > 4)
		ask(argv[2], argv[3], argv[4]);
	else if (is(what, "compute") && count > 3)
		burn(argv + 2, count - 2);
	else if (is(what, "calls-itself") && count > 2)
		prctl(PR_SET_NAME, argv[2]), rest(0.3);
	else
		rest(getenv("REST") ? atof(getenv("REST")) : 0.3);
	return 0;
}
