/* Programs at work: attach, iterate, run by hand. */
#include "addon.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ITERATE_LIMIT (64u * 1024 * 1024)

static void link_release(napi_env env, void *thing)
{
	(void)env;
	bpf_link__destroy(thing);
}

/* Arguments 0 and 1 of every function here: object, program's name. */
static struct bpf_program *program_arg(napi_env env, napi_value *argv, const char *operation)
{
	char name[NAME_BYTES];
	struct bpf_object *object;
	struct bpf_program *program;

	log_begin();
	object = handle_get(env, argv[0], HANDLE_OBJECT, operation);
	if (!object || !read_text(env, argv[1], name, sizeof(name)))
		return NULL;
	program = bpf_object__find_program_by_name(object, name);
	if (!program)
		return throw_errno(env, ENOENT, operation, "The object has no program %s.", name), NULL;
	if (bpf_program__fd(program) < 0)
		return throw_errno(env, EINVAL, operation, "Program %s is not loaded.", name), NULL;
	return program;
}

static napi_value program_attach(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	struct bpf_link *link;
	napi_value argv[2];

	if (!read_args(env, info, 2, argv) || !(program = program_arg(env, argv, "attach")))
		return NULL;
	link = bpf_program__attach(program);
	if (!link)
		return throw_errno(env, errno, "attach", "Program %s cannot be attached to %s.",
				   bpf_program__name(program), bpf_program__section_name(program));
	return handle_new(env, HANDLE_LINK, link, link_release);
}

static napi_value program_attach_cgroup(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	struct bpf_link *link;
	char path[4096] = "the descriptor";
	napi_value argv[3];
	napi_valuetype type;
	uint32_t given = 0;
	int fd, err;

	if (!read_args(env, info, 3, argv) || !(program = program_arg(env, argv, "attach")))
		return NULL;
	napi_typeof(env, argv[2], &type);
	if (type == napi_string) {
		if (!read_text(env, argv[2], path, sizeof(path)))
			return NULL;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return throw_errno(env, errno, "attach", "Cgroup %s cannot be opened.", path);
	} else {
		if (!read_u32(env, argv[2], &given))
			return NULL;
		fd = given;
	}
	link = bpf_program__attach_cgroup(program, fd);
	err = errno;
	/* The link holds the cgroup by itself. */
	if (type == napi_string)
		close(fd);
	if (!link)
		return throw_errno(env, err, "attach", "Program %s cannot be attached to %s as %s.",
				   bpf_program__name(program), path, bpf_program__section_name(program));
	return handle_new(env, HANDLE_LINK, link, link_release);
}

static napi_value program_iterate(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	struct bpf_link *link;
	size_t size = 0, room = 64 * 1024;
	char *bytes = NULL, *grown;
	napi_value argv[2], result = NULL;
	ssize_t got = 0;
	int fd, err = 0;

	if (!read_args(env, info, 2, argv) || !(program = program_arg(env, argv, "iterate")))
		return NULL;
	link = bpf_program__attach_iter(program, NULL);
	if (!link)
		return throw_errno(env, errno, "iterate", "Program %s is no iterator that this kernel has.",
				   bpf_program__name(program));
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		err = errno;
	while (!err) {
		if (!bytes || size == room) {
			room *= 2;
			grown = room <= ITERATE_LIMIT ? realloc(bytes, room) : NULL;
			if (!grown) {
				err = ENOMEM;
				break;
			}
			bytes = grown;
		}
		got = read(fd, bytes + size, room - size);
		if (got == 0)
			break;
		if (got > 0)
			size += got;
		else if (errno != EINTR && errno != EAGAIN)
			err = errno;
	}
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	if (err)
		throw_errno(env, err, "iterate", "Iterator %s cannot be read to its end.",
			    bpf_program__name(program));
	else
		result = make_copy(env, bytes, size);
	free(bytes);
	return result;
}

static napi_value program_run(napi_env env, napi_callback_info info)
{
	struct bpf_test_run_opts options = { .sz = sizeof(options) };
	struct bpf_program *program;
	napi_value argv[5], result;
	const void *bytes;
	uint32_t repeat;
	size_t size;
	int err;

	if (!read_args(env, info, 5, argv) || !(program = program_arg(env, argv, "run")) ||
	    !read_u32(env, argv[4], &repeat))
		return NULL;
	if (!is_undefined(env, argv[2])) {
		if (!read_bytes(env, argv[2], &bytes, &size))
			return NULL;
		options.data_in = bytes;
		options.data_size_in = size;
	}
	if (!is_undefined(env, argv[3])) {
		if (!read_bytes(env, argv[3], &bytes, &size))
			return NULL;
		options.ctx_in = bytes;
		options.ctx_size_in = size;
	}
	options.repeat = repeat;
	err = bpf_prog_test_run_opts(bpf_program__fd(program), &options);
	if (err)
		return throw_errno(env, err, "run", "Program %s cannot be run by hand.",
				   bpf_program__name(program));
	napi_create_object(env, &result);
	set_property(env, result, "returnValue", make_number(env, options.retval));
	set_property(env, result, "durationNs", make_number(env, options.duration));
	return result;
}

const struct function program_functions[] = {
	{ "programAttach", program_attach },
	{ "programAttachCgroup", program_attach_cgroup },
	{ "programIterate", program_iterate },
	{ "programRun", program_run },
	{ NULL, NULL },
};
