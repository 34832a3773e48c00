/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_LISTED_NAME_H
#define KUBESENTRY_LISTED_NAME_H

/* Whether the last part of a path is a listed name. */
#include "control.h"

#define WINDOW_BYTES 64

/* Where a path is taken apart: in memory of a map, since the verifier then follows one state instead of 64. */
struct name_window {
	char path[WINDOW_BYTES]; /* its end */
	char name[NAME_BYTES]; /* the last part in lower case */
	__u32 length; /* of name */
};

static __always_inline void clear_name(struct name_window *window)
{
	__builtin_memset(window->name, 0, sizeof(window->name));
	*(volatile __u32 *)&window->length = 0;
}

/* The rule of the base name of what is in the window, or 0. */
static __noinline __u32 window_rule(struct name_window *window)
{
	volatile __u32 *length;
	__u32 *rule;

	if (!window)
		return 0;
	length = &window->length;
	clear_name(window);
	for (int at = 0; at < WINDOW_BYTES; at++) {
		char one = window->path[at];
		__u32 end = *length;

		if (one == 0)
			break;
		if (one == '/') {
			clear_name(window);
			continue;
		}
		if (one >= 'A' && one <= 'Z')
			one += 'a' - 'A';
		if (end < NAME_BYTES - 1)
			window->name[end] = one;
		*length = end + 1;
	}
	if (*length == 0 || *length >= NAME_BYTES)
		return 0;
	rule = bpf_map_lookup_elem(&listed_names, window->name);
	return rule ? *rule : 0;
}

/* The last bytes of a string whose length is known; a longer base name than a window is in no list. */
static __always_inline __u32 path_rule(struct name_window *window, const char *path, __u64 length)
{
	__u64 skip = length >= WINDOW_BYTES ? length - (WINDOW_BYTES - 1) : 0;

	if (bpf_probe_read_kernel_str(window->path, WINDOW_BYTES, path + skip) <= 0)
		return 0;
	return window_rule(window);
}

/* The same of a string whose length is not known: the last of the windows on it that holds something. */
static __always_inline __u32 long_path_rule(struct name_window *window, const char *path)
{
	__u64 length = 0;

	for (int step = 0; step < 1024 / (WINDOW_BYTES - 1); step++) {
		long size = bpf_probe_read_kernel_str(window->path, WINDOW_BYTES, path + length);

		if (size <= 1)
			break;
		length += size - 1;
		if (size < WINDOW_BYTES)
			break;
	}
	return path_rule(window, path, length);
}

#endif
