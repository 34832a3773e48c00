/* What this kernel can, by loading the smallest program there is: r0 = 0 (or 1); exit. */
#include "addon.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct kind {
	const char *name;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	int result; /* cgroup hooks may return 0 or 1, tracing ones 0 */
};

static const struct kind kinds[] = {
	{ "tp_btf", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, 0 },
	{ "fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, 0 },
	{ "iter", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, 0 },
	{ "lsm", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, 0 },
	{ "raw_tp", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0 },
	{ "tracepoint", BPF_PROG_TYPE_TRACEPOINT, 0, 0 },
	{ "kprobe", BPF_PROG_TYPE_KPROBE, 0, 0 },
	{ "socket", BPF_PROG_TYPE_SOCKET_FILTER, 0, 0 },
	{ "cgroup/connect4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, 1 },
	{ "cgroup/connect6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT, 1 },
	{ "cgroup/sendmsg4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG, 1 },
	{ "cgroup/sendmsg6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG, 1 },
	{ "cgroup_skb/egress", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 1 },
};

static int load(const struct kind *kind, const char *hook, char *log, size_t log_size)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = kind->result },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct bpf_prog_load_opts options = {
		.sz = sizeof(options),
		.expected_attach_type = kind->attach,
		.log_buf = log,
		.log_size = log_size,
		.log_level = 1,
	};
	int id;

	if (kind->type == BPF_PROG_TYPE_TRACING || kind->type == BPF_PROG_TYPE_LSM) {
		/* Finds the prefixed name: btf_trace_HOOK, bpf_lsm_HOOK, bpf_iter_HOOK. */
		id = libbpf_find_vmlinux_btf_id(hook, kind->attach);
		if (id < 0) {
			snprintf(log, log_size, "The kernel has no hook %s.", hook);
			return id;
		}
		options.attach_btf_id = id;
	}
	id = bpf_prog_load(kind->type, "probe", "GPL", program, 2, &options);
	if (id < 0)
		return -errno;
	close(id);
	return 0;
}

static napi_value failure(napi_env env, int err, const char *log)
{
	napi_value result;

	if (!err)
		return make_undefined(env);
	napi_create_object(env, &result);
	set_property(env, result, "code", make_text(env, errno_name(err)));
	set_property(env, result, "log", make_text(env, log));
	return result;
}

static napi_value probe_load(napi_env env, napi_callback_info info)
{
	char section[NAME_BYTES], hook[NAME_BYTES] = "", log[4096] = "";
	napi_value argv[2];

	if (!read_args(env, info, 2, argv) || !read_text(env, argv[0], section, sizeof(section)) ||
	    (!is_undefined(env, argv[1]) && !read_text(env, argv[1], hook, sizeof(hook))))
		return NULL;
	log_begin();
	for (size_t at = 0; at < sizeof(kinds) / sizeof(kinds[0]); at++) {
		if (strcmp(kinds[at].name, section) == 0)
			return failure(env, load(&kinds[at], hook, log, sizeof(log)), log);
	}
	return throw_errno(env, EINVAL, "probe", "There is no probe for %s.", section);
}

static napi_value probe_btf(napi_env env, napi_callback_info info)
{
	struct btf *btf;

	(void)info;
	log_begin();
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return failure(env, errno, log_text());
	btf__free(btf);
	return make_undefined(env);
}

static napi_value libbpf_version(napi_env env, napi_callback_info info)
{
	char version[32];

	(void)info;
	snprintf(version, sizeof(version), "%u.%u", libbpf_major_version(), libbpf_minor_version());
	return make_text(env, version);
}

static napi_value possible_cpus(napi_env env, napi_callback_info info)
{
	(void)info;
	return make_number(env, libbpf_num_possible_cpus());
}

const struct function probe_functions[] = {
	{ "probeLoad", probe_load },
	{ "probeBtf", probe_btf },
	{ "libbpfVersion", libbpf_version },
	{ "possibleCpus", possible_cpus },
	{ NULL, NULL },
};
