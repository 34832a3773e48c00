/* Maps, by bytes. */
#include "addon.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_ALL_LIMIT (256u * 1024 * 1024)

static void map_release(napi_env env, void *thing)
{
	struct map *map = thing;

	(void)env;
	close(map->fd);
	free(map);
}

static uint32_t value_bytes(const struct bpf_map_info *info)
{
	switch (info->type) {
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return (info->value_size + 7) / 8 * 8 * libbpf_num_possible_cpus();
	default:
		return info->value_size;
	}
}

/* Takes over the descriptor, also when it fails. */
napi_value map_wrap(napi_env env, int fd, const char *operation)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	struct map *map = malloc(sizeof(*map));

	if (!map || bpf_obj_get_info_by_fd(fd, &info, &size)) {
		int err = map ? errno : ENOMEM;

		free(map);
		close(fd);
		return throw_errno(env, err, operation, "The map's properties cannot be read.");
	}
	*map = (struct map){
		.fd = fd,
		.type = info.type,
		.key_size = info.key_size,
		.value_size = info.value_size,
		.value_bytes = value_bytes(&info),
		.max_entries = info.max_entries,
		.key_type_id = info.btf_key_type_id,
		.value_type_id = info.btf_value_type_id,
	};
	memcpy(map->name, info.name, sizeof(map->name));
	map->name[sizeof(map->name) - 1] = 0;
	return handle_new(env, HANDLE_MAP, map, map_release);
}

static napi_value map_create(napi_env env, napi_callback_info info)
{
	struct bpf_map_create_opts options = { .sz = sizeof(options) };
	uint32_t type, key_size, value_size, max_entries;
	char name[NAME_BYTES];
	napi_value argv[6];
	int fd;

	if (!read_args(env, info, 6, argv) || !read_u32(env, argv[0], &type) ||
	    !read_text(env, argv[1], name, sizeof(name)) || !read_u32(env, argv[2], &key_size) ||
	    !read_u32(env, argv[3], &value_size) || !read_u32(env, argv[4], &max_entries) ||
	    !read_u32(env, argv[5], &options.map_flags))
		return NULL;
	log_begin();
	fd = bpf_map_create(type, name[0] ? name : NULL, key_size, value_size, max_entries, &options);
	if (fd < 0)
		return throw_errno(env, errno, "map.create", "The map %s cannot be created.", name);
	return map_wrap(env, fd, "map.create");
}

static struct map *map_arg(napi_env env, napi_value value, const char *operation)
{
	log_begin();
	return handle_get(env, value, HANDLE_MAP, operation);
}

/* The kernel reads as many bytes as the map says, so that a short buffer would be read over its end. */
static const void *sized_arg(napi_env env, napi_value value, uint32_t wanted, const struct map *map, const char *what)
{
	const void *bytes;
	size_t size;

	if (!read_bytes(env, value, &bytes, &size))
		return NULL;
	if (size != wanted)
		return throw_errno(env, EINVAL, "map", "A %s of map %s has %u bytes; %zu were given.", what,
				   map->name, wanted, size);
	return bytes;
}

static napi_value map_info(napi_env env, napi_callback_info info)
{
	napi_value argv[1], result;
	struct map *map;

	if (!read_args(env, info, 1, argv) || !(map = map_arg(env, argv[0], "map.info")))
		return NULL;
	napi_create_object(env, &result);
	set_property(env, result, "name", make_text(env, map->name));
	set_property(env, result, "type", make_number(env, map->type));
	set_property(env, result, "keySize", make_number(env, map->key_size));
	set_property(env, result, "valueSize", make_number(env, map->value_size));
	set_property(env, result, "maxEntries", make_number(env, map->max_entries));
	set_property(env, result, "keyTypeId", make_number(env, map->key_type_id));
	set_property(env, result, "valueTypeId", make_number(env, map->value_type_id));
	return result;
}

static napi_value map_get(napi_env env, napi_callback_info info)
{
	napi_value argv[2], result;
	struct map *map;
	const void *key;
	void *value;

	if (!read_args(env, info, 2, argv) || !(map = map_arg(env, argv[0], "map.get")) ||
	    !(key = sized_arg(env, argv[1], map->key_size, map, "key")))
		return NULL;
	if (napi_create_buffer(env, map->value_bytes, &value, &result) != napi_ok)
		return NULL;
	if (bpf_map_lookup_elem(map->fd, key, value) == 0)
		return result;
	if (errno == ENOENT)
		return make_undefined(env);
	return throw_errno(env, errno, "map.get", "Map %s cannot be read.", map->name);
}

static napi_value map_set(napi_env env, napi_callback_info info)
{
	const void *key, *value;
	napi_value argv[4];
	struct map *map;
	uint32_t flags;

	if (!read_args(env, info, 4, argv) || !(map = map_arg(env, argv[0], "map.set")) ||
	    !(key = sized_arg(env, argv[1], map->key_size, map, "key")) ||
	    !(value = sized_arg(env, argv[2], map->value_bytes, map, "value")) || !read_u32(env, argv[3], &flags))
		return NULL;
	if (bpf_map_update_elem(map->fd, key, value, flags))
		return throw_errno(env, errno, "map.set", "Map %s does not take the entry.", map->name);
	return NULL;
}

static napi_value map_delete(napi_env env, napi_callback_info info)
{
	napi_value argv[2];
	struct map *map;
	const void *key;

	if (!read_args(env, info, 2, argv) || !(map = map_arg(env, argv[0], "map.delete")) ||
	    !(key = sized_arg(env, argv[1], map->key_size, map, "key")))
		return NULL;
	if (bpf_map_delete_elem(map->fd, key) == 0)
		return make_bool(env, true);
	if (errno == ENOENT)
		return make_bool(env, false);
	return throw_errno(env, errno, "map.delete", "An entry of map %s cannot be deleted.", map->name);
}

static napi_value map_next_key(napi_env env, napi_callback_info info)
{
	napi_value argv[2], result;
	const void *key = NULL;
	struct map *map;
	void *next;

	if (!read_args(env, info, 2, argv) || !(map = map_arg(env, argv[0], "map.keys")))
		return NULL;
	if (!is_undefined(env, argv[1]) && !(key = sized_arg(env, argv[1], map->key_size, map, "key")))
		return NULL;
	if (napi_create_buffer(env, map->key_size, &next, &result) != napi_ok)
		return NULL;
	if (bpf_map_get_next_key(map->fd, key, next) == 0)
		return result;
	if (errno == ENOENT)
		return make_undefined(env);
	return throw_errno(env, errno, "map.keys", "The keys of map %s cannot be listed.", map->name);
}

/* Returns the number of entries, or a negative errno; -EOPNOTSUPP and the like where the type has no batches. */
static int read_batches(const struct map *map, char *keys, char *values)
{
	/* The position is opaque: up to a key's size, and at least 4 bytes. */
	char position[512 + 8] = {};
	uint32_t have = 0, count;
	int err;

	if (map->key_size > 512)
		return -EOPNOTSUPP;
	while (have < map->max_entries) {
		count = map->max_entries - have;
		err = bpf_map_lookup_batch(map->fd, have ? position : NULL, position,
					   keys + (size_t)have * map->key_size,
					   values + (size_t)have * map->value_bytes, &count, NULL);
		if (err && errno != ENOENT)
			/* ENOSPC: a bucket grew beyond the room that is left, since entries come and go. */
			return errno == ENOSPC && have ? (int)have : -errno;
		have += count;
		if (err || count == 0)
			break;
	}
	return have;
}

static int read_one_by_one(const struct map *map, char *keys, char *values)
{
	char *key = NULL;
	uint32_t have = 0;

	while (have < map->max_entries) {
		char *next = keys + (size_t)have * map->key_size;

		if (bpf_map_get_next_key(map->fd, key, next))
			return errno == ENOENT ? (int)have : -errno;
		key = next;
		/* An entry that is gone again is overwritten by the next one; its key still leads there. */
		if (bpf_map_lookup_elem(map->fd, key, values + (size_t)have * map->value_bytes) == 0)
			have++;
		else if (errno != ENOENT)
			return -errno;
	}
	return have;
}

static napi_value map_read_all(napi_env env, napi_callback_info info)
{
	napi_value argv[1], result = NULL;
	char *keys, *values;
	bool batched = true;
	struct map *map;
	int count;

	if (!read_args(env, info, 1, argv) || !(map = map_arg(env, argv[0], "map.entries")))
		return NULL;
	if (((uint64_t)map->key_size + map->value_bytes) * map->max_entries > READ_ALL_LIMIT)
		return throw_errno(env, E2BIG, "map.entries", "Map %s is too large to be read at once.", map->name);
	keys = malloc((size_t)map->max_entries * map->key_size + 1);
	values = malloc((size_t)map->max_entries * map->value_bytes + 1);
	count = keys && values ? read_batches(map, keys, values) : -ENOMEM;
	if (count < 0 && count != -ENOMEM && count != -EPERM) {
		batched = false;
		count = read_one_by_one(map, keys, values);
	}
	if (count < 0) {
		throw_errno(env, count, "map.entries", "Map %s cannot be read.", map->name);
	} else {
		napi_create_object(env, &result);
		set_property(env, result, "keys", make_copy(env, keys, (size_t)count * map->key_size));
		set_property(env, result, "values", make_copy(env, values, (size_t)count * map->value_bytes));
		set_property(env, result, "count", make_number(env, count));
		set_property(env, result, "batched", make_bool(env, batched));
	}
	free(keys);
	free(values);
	return result;
}

const struct function map_functions[] = {
	{ "mapCreate", map_create },
	{ "mapInfo", map_info },
	{ "mapGet", map_get },
	{ "mapSet", map_set },
	{ "mapDelete", map_delete },
	{ "mapNextKey", map_next_key },
	{ "mapReadAll", map_read_all },
	{ NULL, NULL },
};
