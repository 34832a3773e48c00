/* Errors: errno names, libbpf's words, and BpfError. */
#include "addon.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_LIMIT (1024 * 1024)

/* libbpf has one print callback for the process; calls are synchronous, so that a log for each thread suffices. */
static __thread char *log_buffer;
static __thread size_t log_length;

static int log_print(enum libbpf_print_level level, const char *format, va_list args)
{
	va_list again;
	int length;
	char *grown;

	if (level == LIBBPF_DEBUG)
		return 0;
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length <= 0 || !(grown = realloc(log_buffer, log_length + length + 1)))
		return 0;
	log_buffer = grown;
	vsnprintf(log_buffer + log_length, length + 1, format, args);
	log_length += length;
	if (log_length > LOG_LIMIT) {
		/* The verifier gives its reason last. */
		memmove(log_buffer, log_buffer + log_length - LOG_LIMIT, LOG_LIMIT + 1);
		log_length = LOG_LIMIT;
	}
	return 0;
}

void log_install(void)
{
	libbpf_set_print(log_print);
}

void log_begin(void)
{
	free(log_buffer);
	log_buffer = NULL;
	log_length = 0;
}

const char *log_text(void)
{
	return log_buffer ? log_buffer : "";
}

const char *errno_name(int err)
{
	static __thread char unknown[16];
	const char *name;

	err = err < 0 ? -err : err;
	/* The kernel's own number, which must not reach user space and does: "not supported". */
	if (err == 524)
		return "ENOTSUPP";
	name = strerrorname_np(err);
	if (name)
		return name;
	/* libbpf's errors for ELF files it cannot use start at 4000. */
	if (err >= 4000 && err < 5000)
		return "ENOEXEC";
	snprintf(unknown, sizeof(unknown), "E%d", err);
	return unknown;
}

void error_class_free(napi_env env, void *data, void *hint)
{
	(void)hint;
	napi_delete_reference(env, data);
}

napi_value set_error_class(napi_env env, napi_callback_info info)
{
	napi_value argv[1];
	napi_ref reference;

	if (read_args(env, info, 1, argv) && napi_create_reference(env, argv[0], 1, &reference) == napi_ok)
		napi_set_instance_data(env, reference, error_class_free, NULL);
	return NULL;
}

napi_value throw_errno(napi_env env, int err, const char *operation, const char *format, ...)
{
	napi_value constructor, error, argv[4];
	char text[512], message[640], reason[64];
	const char *code = errno_name(err);
	void *reference = NULL;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	libbpf_strerror(err, reason, sizeof(reason));
	snprintf(message, sizeof(message), "%s (%s: %s)", text, code, reason);

	argv[0] = make_text(env, code);
	argv[1] = make_text(env, operation);
	argv[2] = make_text(env, message);
	argv[3] = make_text(env, log_text());
	log_begin();
	if (napi_get_instance_data(env, &reference) != napi_ok || !reference ||
	    napi_get_reference_value(env, reference, &constructor) != napi_ok ||
	    napi_new_instance(env, constructor, 4, argv, &error) != napi_ok) {
		napi_throw_error(env, code, message);
		return NULL;
	}
	napi_throw(env, error);
	return NULL;
}

const struct function error_functions[] = {
	{ "setErrorClass", set_error_class },
	{ NULL, NULL },
};
