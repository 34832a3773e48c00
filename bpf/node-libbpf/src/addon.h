/* What the files of the addon share: handles, errors, and reading arguments. */
#ifndef NODE_LIBBPF_ADDON_H
#define NODE_LIBBPF_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_ARGS 6
#define NAME_BYTES 256

/*
 * A handle is what JavaScript holds: an external whose finalizer releases the thing, unless close() did before.
 * `thing` is NULL from then on, so that everything is released exactly once and use after close is noticed.
 */
enum handle_kind { HANDLE_OBJECT, HANDLE_MAP, HANDLE_LINK, HANDLE_RING };

struct handle {
	enum handle_kind kind;
	void *thing;
	void (*release)(napi_env env, void *thing);
};

napi_value handle_new(napi_env env, enum handle_kind kind, void *thing, void (*release)(napi_env, void *));
/* NULL with an exception pending if the value is no such handle, or closed. */
void *handle_get(napi_env env, napi_value value, enum handle_kind kind, const char *operation);

/* Throws BpfError for an errno value of either sign, with what libbpf said since log_begin(). Returns NULL. */
napi_value throw_errno(napi_env env, int err, const char *operation, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
const char *errno_name(int err);
/* libbpf's words are kept per thread, never printed. */
void log_begin(void);
const char *log_text(void);
void log_install(void);
napi_value set_error_class(napi_env env, napi_callback_info info);
void error_class_free(napi_env env, void *data, void *hint);

/* Arguments and results; those that return bool leave an exception pending when false. */
bool read_args(napi_env env, napi_callback_info info, size_t count, napi_value *argv);
bool read_text(napi_env env, napi_value value, char *into, size_t size);
bool read_bytes(napi_env env, napi_value value, const void **bytes, size_t *size);
bool read_u32(napi_env env, napi_value value, uint32_t *number);
bool is_undefined(napi_env env, napi_value value);
napi_value make_text(napi_env env, const char *text);
napi_value make_number(napi_env env, double number);
napi_value make_bool(napi_env env, bool value);
napi_value make_undefined(napi_env env);
napi_value make_copy(napi_env env, const void *bytes, size_t size);
void set_property(napi_env env, napi_value object, const char *name, napi_value value);

/* A map holds a duplicate of the descriptor and so outlives its object. */
struct map {
	int fd;
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t value_bytes; /* of all CPUs, where there is one value for each */
	uint32_t max_entries;
	uint32_t key_type_id;
	uint32_t value_type_id;
	char name[16];
};

napi_value map_wrap(napi_env env, int fd, const char *operation);

/* The functions that JavaScript calls, a list for each file. */
struct function {
	const char *name;
	napi_callback call;
};
extern const struct function object_functions[], program_functions[], map_functions[], ring_functions[],
	probe_functions[], btf_functions[], error_functions[];

#endif
