// SPDX-License-Identifier: Apache-2.0
/* Makes the file that its first argument names, with its very first instructions, and ends. Links to nothing. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n"
	"	mov 16(%rsp), %rdi\n	test %rdi, %rdi\n	jz 1f\n"
	"	mov $0600, %esi\n	mov $85, %eax\n	syscall\n" /* creat */
	"1:	xor %edi, %edi\n	mov $60, %eax\n	syscall\n"); /* exit */
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n"
	"	ldr x1, [sp, #16]\n	cbz x1, 1f\n"
	"	mov x0, #-100\n	mov x2, #0x41\n	mov x3, #0600\n	mov x8, #56\n	svc #0\n" /* openat */
	"1:	mov x0, #0\n	mov x8, #93\n	svc #0\n"); /* exit */
#endif
