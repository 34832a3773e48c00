// SPDX-License-Identifier: Apache-2.0
/*
 * storm exec    RATE COUNT WORKERS PROGRAM [PREFIX]   starts PROGRAM [PREFIX<number>] COUNT times
 * storm connect RATE COUNT WORKERS [ADDRESSES]        connects to itself on loopback, by so many addresses, and hangs up
 *
 * RATE is for all workers together, a second; 0 is as fast as it goes. Children are made with vfork, since Node cannot
 * fork fast enough to fill a ring. Prints one line of JSON when all is over.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct total {
	long sent, failed, killed;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void wait_until(double due)
{
	struct timespec time = { .tv_sec = (time_t)due, .tv_nsec = (long)((due - (time_t)due) * 1e9) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

static void reap(struct total *total, int options)
{
	int status;

	while (waitpid(-1, &status, options) > 0)
		if (WIFSIGNALED(status))
			total->killed++;
}

static void run(struct total *total, const char *program, const char *prefix, long number)
{
	static char *environment[] = { NULL };
	char argument[512];
	char *arguments[] = { (char *)program, prefix ? argument : NULL, NULL };
	volatile int refused = 0;

	snprintf(argument, sizeof(argument), "%s%ld", prefix ? prefix : "", number);
	switch (vfork()) {
	case -1:
		total->failed++;
		return;
	case 0:
		execve(program, arguments, environment);
		refused = 1;
		_exit(127);
	}
	if (refused)
		total->failed++;
	else
		total->sent++;
}

static void hang_up(struct total *total, struct sockaddr_in to, long address)
{
	/* Resets, so that no port is held for a minute. */
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };
	int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + address);
	setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (connect(connection, (const struct sockaddr *)&to, sizeof(to)))
		total->failed++;
	else
		total->sent++;
	close(connection);
}

/* Somebody who takes connections and says nothing. */
static pid_t listen_on(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), connection;
	pid_t child;

	*address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY) };
	if (bind(listener, (struct sockaddr *)address, length) || listen(listener, 4096) ||
	    getsockname(listener, (struct sockaddr *)address, &length))
		exit(1);
	child = fork();
	if (child == 0)
		for (;;)
			if ((connection = accept(listener, NULL, NULL)) >= 0)
				close(connection);
	close(listener);
	return child;
}

int main(int argc, char **argv)
{
	int is_exec = argc > 5 && !strcmp(argv[1], "exec");
	double rate, begin;
	long count, workers, own, addresses;
	struct sockaddr_in address;
	struct total *totals, sum = {};
	pid_t server = 0;

	if (argc < 5 || (!is_exec && strcmp(argv[1], "connect")))
		return 2;
	rate = atof(argv[2]);
	count = atol(argv[3]);
	workers = atol(argv[4]);
	addresses = argc > 5 ? atol(argv[5]) : 1;
	totals = mmap(NULL, sizeof(*totals) * workers, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!is_exec)
		server = listen_on(&address);
	begin = now();
	for (long worker = 0; worker < workers; worker++) {
		if (fork())
			continue;
		own = count / workers + (worker < count % workers);
		for (long at = 0; at < own; at++) {
			if (rate > 0)
				wait_until(begin + at * workers / rate);
			if (is_exec)
				run(&totals[worker], argv[5], argv[6], at * workers + worker);
			else
				hang_up(&totals[worker], address, at % addresses);
			if (is_exec)
				reap(&totals[worker], WNOHANG);
		}
		if (is_exec)
			reap(&totals[worker], 0);
		_exit(0);
	}
	for (long worker = 0; worker < workers; worker++)
		while (wait(NULL) < 0 && errno == EINTR)
			;
	for (long worker = 0; worker < workers; worker++) {
		sum.sent += totals[worker].sent;
		sum.failed += totals[worker].failed;
		sum.killed += totals[worker].killed;
	}
	printf("{\"sent\":%ld,\"failed\":%ld,\"killed\":%ld,\"seconds\":%.6f}\n", sum.sent, sum.failed, sum.killed,
	       now() - begin);
	if (server)
		kill(server, SIGKILL);
	return 0;
}
