/* Objects: open, settings before the load, load. */
#include "addon.h"
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void object_release(napi_env env, void *thing)
{
	(void)env;
	bpf_object__close(thing);
}

static napi_value object_open(napi_env env, napi_callback_info info)
{
	char path[4096], name[NAME_BYTES];
	struct bpf_object_open_opts options = { .sz = sizeof(options) };
	struct bpf_object *object;
	napi_value argv[2];
	napi_valuetype type;

	if (!read_args(env, info, 2, argv))
		return NULL;
	if (!is_undefined(env, argv[1])) {
		if (!read_text(env, argv[1], name, sizeof(name)))
			return NULL;
		options.object_name = name;
	}
	log_begin();
	napi_typeof(env, argv[0], &type);
	if (type == napi_string) {
		if (!read_text(env, argv[0], path, sizeof(path)))
			return NULL;
		object = bpf_object__open_file(path, &options);
	} else {
		const void *bytes;
		size_t size;

		if (!read_bytes(env, argv[0], &bytes, &size))
			return NULL;
		strcpy(path, "the bytes");
		object = bpf_object__open_mem(bytes, size, &options);
	}
	if (!object)
		return throw_errno(env, errno, "open", "%s cannot be opened as an eBPF object.", path);
	return handle_new(env, HANDLE_OBJECT, object, object_release);
}

static struct bpf_object *object_arg(napi_env env, napi_value value, const char *operation)
{
	log_begin();
	return handle_get(env, value, HANDLE_OBJECT, operation);
}

static napi_value object_programs(napi_env env, napi_callback_info info)
{
	struct bpf_object *object;
	struct bpf_program *program;
	napi_value argv[1], list;
	uint32_t at = 0;

	if (!read_args(env, info, 1, argv) || !(object = object_arg(env, argv[0], "programs")))
		return NULL;
	napi_create_array(env, &list);
	bpf_object__for_each_program(program, object) {
		napi_value one;

		napi_create_object(env, &one);
		set_property(env, one, "name", make_text(env, bpf_program__name(program)));
		set_property(env, one, "section", make_text(env, bpf_program__section_name(program)));
		set_property(env, one, "autoload", make_bool(env, bpf_program__autoload(program)));
		napi_set_element(env, list, at++, one);
	}
	return list;
}

static napi_value object_maps(napi_env env, napi_callback_info info)
{
	struct bpf_object *object;
	struct bpf_map *map;
	napi_value argv[1], list;
	uint32_t at = 0;

	if (!read_args(env, info, 1, argv) || !(object = object_arg(env, argv[0], "maps")))
		return NULL;
	napi_create_array(env, &list);
	bpf_object__for_each_map(map, object) {
		napi_value one;

		napi_create_object(env, &one);
		set_property(env, one, "name", make_text(env, bpf_map__name(map)));
		set_property(env, one, "type", make_number(env, bpf_map__type(map)));
		set_property(env, one, "keySize", make_number(env, bpf_map__key_size(map)));
		set_property(env, one, "valueSize", make_number(env, bpf_map__value_size(map)));
		set_property(env, one, "maxEntries", make_number(env, bpf_map__max_entries(map)));
		set_property(env, one, "keyTypeId", make_number(env, bpf_map__btf_key_type_id(map)));
		set_property(env, one, "valueTypeId", make_number(env, bpf_map__btf_value_type_id(map)));
		napi_set_element(env, list, at++, one);
	}
	return list;
}

static struct bpf_map *map_named(napi_env env, struct bpf_object *object, napi_value value, const char *operation)
{
	char name[NAME_BYTES];
	struct bpf_map *map;

	if (!read_text(env, value, name, sizeof(name)))
		return NULL;
	map = bpf_object__find_map_by_name(object, name);
	if (!map)
		throw_errno(env, ENOENT, operation, "The object has no map %s.", name);
	return map;
}

static napi_value object_load(napi_env env, napi_callback_info info)
{
	struct bpf_object *object;
	napi_value argv[1];
	int err;

	if (!read_args(env, info, 1, argv) || !(object = object_arg(env, argv[0], "load")))
		return NULL;
	err = bpf_object__load(object);
	if (err)
		return throw_errno(env, err, "load", "The kernel did not take the object %s.",
				   bpf_object__name(object));
	return NULL;
}

static napi_value object_map(napi_env env, napi_callback_info info)
{
	struct bpf_object *object;
	struct bpf_map *map;
	napi_value argv[2];
	int fd;

	if (!read_args(env, info, 2, argv) || !(object = object_arg(env, argv[0], "map")) ||
	    !(map = map_named(env, object, argv[1], "map")))
		return NULL;
	if (bpf_map__fd(map) < 0)
		return throw_errno(env, EINVAL, "map", "Map %s does not exist before the load.",
				   bpf_map__name(map));
	fd = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return throw_errno(env, errno, "map", "The descriptor of map %s cannot be copied.",
				   bpf_map__name(map));
	return map_wrap(env, fd, "map");
}

static napi_value object_set_autoload(napi_env env, napi_callback_info info)
{
	struct bpf_object *object;
	struct bpf_program *program;
	char name[NAME_BYTES];
	napi_value argv[3];
	bool on;
	int err;

	if (!read_args(env, info, 3, argv) || !(object = object_arg(env, argv[0], "autoload")) ||
	    !read_text(env, argv[1], name, sizeof(name)))
		return NULL;
	napi_get_value_bool(env, argv[2], &on);
	program = bpf_object__find_program_by_name(object, name);
	err = program ? bpf_program__set_autoload(program, on) : -ENOENT;
	if (err)
		return throw_errno(env, err, "autoload", "Autoload of program %s cannot be changed.", name);
	return NULL;
}

static napi_value object_resize_map(napi_env env, napi_callback_info info)
{
	struct bpf_object *object;
	struct bpf_map *map;
	uint32_t max_entries;
	napi_value argv[3];
	int err;

	if (!read_args(env, info, 3, argv) || !(object = object_arg(env, argv[0], "resize")) ||
	    !(map = map_named(env, object, argv[1], "resize")) || !read_u32(env, argv[2], &max_entries))
		return NULL;
	err = bpf_map__set_max_entries(map, max_entries);
	if (err)
		return throw_errno(env, err, "resize", "Map %s cannot be resized.", bpf_map__name(map));
	return NULL;
}

static napi_value object_reuse_map(napi_env env, napi_callback_info info)
{
	struct bpf_object *object;
	struct bpf_map *map;
	struct map *shared;
	napi_value argv[3];
	int err;

	if (!read_args(env, info, 3, argv) || !(object = object_arg(env, argv[0], "reuse")) ||
	    !(map = map_named(env, object, argv[1], "reuse")) ||
	    !(shared = handle_get(env, argv[2], HANDLE_MAP, "reuse")))
		return NULL;
	err = bpf_map__reuse_fd(map, shared->fd);
	if (err)
		return throw_errno(env, err, "reuse", "Map %s cannot stand for %s.", shared->name,
				   bpf_map__name(map));
	return NULL;
}

/* libbpf names the section's map after the object (`tiny.rodata`) and finds it by either name. */
static napi_value object_variable(napi_env env, napi_callback_info info)
{
	char section[NAME_BYTES], name[NAME_BYTES];
	struct bpf_object *object;
	const struct btf *btf;
	const struct btf_type *group;
	const struct btf_var_secinfo *slot;
	napi_value argv[3], result;
	int id;

	if (!read_args(env, info, 3, argv) || !(object = object_arg(env, argv[0], "variable")) ||
	    !read_text(env, argv[1], section, sizeof(section)) || !read_text(env, argv[2], name, sizeof(name)))
		return NULL;
	btf = bpf_object__btf(object);
	id = btf ? btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC) : -ENOENT;
	if (id < 0)
		return throw_errno(env, ENOENT, "variable", "The object has no section %s with types.", section);
	group = btf__type_by_id(btf, id);
	slot = btf_var_secinfos(group);
	for (int at = 0; at < btf_vlen(group); at++, slot++) {
		const struct btf_type *variable = btf__type_by_id(btf, slot->type);

		if (strcmp(btf__name_by_offset(btf, variable->name_off), name) != 0)
			continue;
		napi_create_object(env, &result);
		set_property(env, result, "offset", make_number(env, slot->offset));
		set_property(env, result, "size", make_number(env, slot->size));
		return result;
	}
	return throw_errno(env, ENOENT, "variable", "Section %s has no variable %s.", section, name);
}

static napi_value object_write_initial(napi_env env, napi_callback_info info)
{
	struct bpf_object *object;
	struct bpf_map *map;
	const void *bytes;
	uint32_t offset;
	size_t size, room;
	napi_value argv[4];
	char *initial;

	if (!read_args(env, info, 4, argv) || !(object = object_arg(env, argv[0], "variable")) ||
	    !(map = map_named(env, object, argv[1], "variable")) || !read_u32(env, argv[2], &offset) ||
	    !read_bytes(env, argv[3], &bytes, &size))
		return NULL;
	if (bpf_map__fd(map) >= 0)
		return throw_errno(env, EBUSY, "variable", "The object is loaded: its settings are fixed.");
	/* The pointer is to the object's own memory; const only by the type that libbpf gives it. */
	initial = (char *)(uintptr_t)bpf_map__initial_value(map, &room);
	if (!initial || offset > room || size > room - offset)
		return throw_errno(env, ERANGE, "variable", "The value does not fit its section.");
	memcpy(initial + offset, bytes, size);
	return NULL;
}

const struct function object_functions[] = {
	{ "objectOpen", object_open },
	{ "objectPrograms", object_programs },
	{ "objectMaps", object_maps },
	{ "objectLoad", object_load },
	{ "objectMap", object_map },
	{ "objectSetAutoload", object_set_autoload },
	{ "objectResizeMap", object_resize_map },
	{ "objectReuseMap", object_reuse_map },
	{ "objectVariable", object_variable },
	{ "objectWriteInitial", object_write_initial },
	{ NULL, NULL },
};
