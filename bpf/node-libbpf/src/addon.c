/* Entry of the addon: handles, arguments, and the table of functions. */
#include "addon.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void handle_release(napi_env env, struct handle *handle)
{
	void *thing = handle->thing;

	handle->thing = NULL;
	if (thing)
		handle->release(env, thing);
}

static void handle_finalize(napi_env env, void *data, void *hint)
{
	(void)hint;
	handle_release(env, data);
	free(data);
}

napi_value handle_new(napi_env env, enum handle_kind kind, void *thing, void (*release)(napi_env, void *))
{
	struct handle *handle = malloc(sizeof(*handle));
	napi_value value;

	if (!handle) {
		release(env, thing);
		return throw_errno(env, ENOMEM, "open", "There is no memory for a handle.");
	}
	*handle = (struct handle){ kind, thing, release };
	if (napi_create_external(env, handle, handle_finalize, NULL, &value) != napi_ok) {
		handle_finalize(env, handle, NULL);
		return NULL;
	}
	return value;
}

static struct handle *handle_of(napi_env env, napi_value value)
{
	napi_valuetype type;
	void *data;

	if (napi_typeof(env, value, &type) != napi_ok || type != napi_external ||
	    napi_get_value_external(env, value, &data) != napi_ok) {
		napi_throw_type_error(env, NULL, "A handle of node-libbpf is expected.");
		return NULL;
	}
	return data;
}

void *handle_get(napi_env env, napi_value value, enum handle_kind kind, const char *operation)
{
	static const char *const names[] = { "object", "map", "link", "ring buffer" };
	struct handle *handle = handle_of(env, value);

	if (!handle)
		return NULL;
	if (handle->kind != kind) {
		napi_throw_type_error(env, NULL, "A handle of another kind is expected.");
		return NULL;
	}
	if (!handle->thing) {
		log_begin();
		return throw_errno(env, EBADF, operation, "The %s is closed.", names[kind]);
	}
	return handle->thing;
}

static napi_value close_handle(napi_env env, napi_callback_info info)
{
	napi_value argv[1];
	struct handle *handle;

	if (read_args(env, info, 1, argv) && (handle = handle_of(env, argv[0])))
		handle_release(env, handle);
	return NULL;
}

static napi_value is_closed(napi_env env, napi_callback_info info)
{
	napi_value argv[1];
	struct handle *handle;

	if (!read_args(env, info, 1, argv) || !(handle = handle_of(env, argv[0])))
		return NULL;
	return make_bool(env, !handle->thing);
}

bool read_args(napi_env env, napi_callback_info info, size_t count, napi_value *argv)
{
	size_t given = count;

	/* Missing arguments arrive as undefined. */
	return napi_get_cb_info(env, info, &given, argv, NULL, NULL) == napi_ok;
}

bool read_text(napi_env env, napi_value value, char *into, size_t size)
{
	size_t length;

	if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) {
		napi_throw_type_error(env, NULL, "A string is expected.");
		return false;
	}
	if (length >= size) {
		napi_throw_range_error(env, NULL, "The string is too long.");
		return false;
	}
	return napi_get_value_string_utf8(env, value, into, size, &length) == napi_ok;
}

bool read_bytes(napi_env env, napi_value value, const void **bytes, size_t *size)
{
	napi_typedarray_type type;
	napi_value arraybuffer;
	size_t offset;
	void *data;

	if (napi_get_typedarray_info(env, value, &type, size, &data, &arraybuffer, &offset) != napi_ok ||
	    type != napi_uint8_array) {
		napi_throw_type_error(env, NULL, "A Uint8Array is expected.");
		return false;
	}
	*bytes = data;
	return true;
}

bool read_u32(napi_env env, napi_value value, uint32_t *number)
{
	if (napi_get_value_uint32(env, value, number) == napi_ok)
		return true;
	napi_throw_type_error(env, NULL, "A number is expected.");
	return false;
}

bool is_undefined(napi_env env, napi_value value)
{
	napi_valuetype type;

	return napi_typeof(env, value, &type) == napi_ok && type == napi_undefined;
}

napi_value make_text(napi_env env, const char *text)
{
	napi_value value = NULL;

	napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
	return value;
}

napi_value make_number(napi_env env, double number)
{
	napi_value value = NULL;

	napi_create_double(env, number, &value);
	return value;
}

napi_value make_bool(napi_env env, bool boolean)
{
	napi_value value = NULL;

	napi_get_boolean(env, boolean, &value);
	return value;
}

napi_value make_undefined(napi_env env)
{
	napi_value value = NULL;

	napi_get_undefined(env, &value);
	return value;
}

napi_value make_copy(napi_env env, const void *bytes, size_t size)
{
	napi_value value = NULL;
	void *data;

	napi_create_buffer_copy(env, size, bytes, &data, &value);
	return value;
}

void set_property(napi_env env, napi_value object, const char *name, napi_value value)
{
	napi_set_named_property(env, object, name, value);
}

static const struct function handle_functions[] = {
	{ "close", close_handle },
	{ "isClosed", is_closed },
	{ NULL, NULL },
};

NAPI_MODULE_INIT()
{
	static const struct function *const tables[] = {
		handle_functions, error_functions, object_functions, program_functions,
		map_functions,    ring_functions,  probe_functions,  btf_functions,
	};

	log_install();
	for (size_t table = 0; table < sizeof(tables) / sizeof(tables[0]); table++) {
		for (const struct function *one = tables[table]; one->name; one++) {
			napi_value function;

			napi_create_function(env, one->name, NAPI_AUTO_LENGTH, one->call, NULL, &function);
			set_property(env, exports, one->name, function);
		}
	}
	return exports;
}
