/*
 * What lets Debian's libbpf.a and libelf.a into a shared object. They are compiled for position-independent
 * executables, which may reach two kinds of variables in ways that a shared object cannot:
 *
 * - libc's `stderr`, by libbpf's default print function, which error.c replaces before anything is printed. The linker
 *   is told to take __wrap_stderr instead (--wrap=stderr).
 * - libelf's own thread-local error number. Its three functions are defined here, so that the archive's are not taken.
 *
 * And libelf.a since 0.191 (Debian trixie) calls two functions of an archive that is not packaged, for the search tree
 * of raw chunks: a root pointer, always empty here since libbpf asks for no raw chunk.
 */
#include <libelf.h>
#include <search.h>
#include <stdio.h>

extern FILE *__real_stderr;
extern FILE *__wrap_stderr;
FILE *__wrap_stderr;

void __libelf_seterrno(int value);

void eu_search_tree_init(void **root);
void eu_search_tree_fini(void **root, void (*free_node)(void *));

static __thread int last_error;

__attribute__((constructor)) static void open_stderr(void)
{
	__wrap_stderr = __real_stderr;
}

void __libelf_seterrno(int value)
{
	last_error = value;
}

int elf_errno(void)
{
	int value = last_error;

	last_error = 0;
	return value;
}

const char *elf_errmsg(int error)
{
	static __thread char message[32];

	if (error == 0 && last_error == 0)
		return NULL;
	snprintf(message, sizeof(message), "libelf error %#x", error > 0 ? error : last_error);
	return message;
}

__attribute__((weak)) void eu_search_tree_init(void **root)
{
	*root = NULL;
}

__attribute__((weak)) void eu_search_tree_fini(void **root, void (*free_node)(void *))
{
	tdestroy(*root, free_node);
}
