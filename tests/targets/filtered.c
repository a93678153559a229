/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filtered.c - a program that any system call kills which it does not expect
 *
 *     filtered busy    quick system calls between computations
 *     filtered sleep   sleeps, and may not be made to restart that by restart_syscall(2)
 *     filtered later   nothing is forbidden before it is asked; then memfd_create(2) is
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define CALLS_MAX	100

/* What a remote thread needs (src/tracee/seccomp.c), and what this program does itself. */
static const int expected[] = {
	SYS_mmap, SYS_mprotect, SYS_munmap, SYS_brk, SYS_madvise, SYS_rt_sigreturn, SYS_rt_sigprocmask,
	SYS_rt_sigaction, SYS_clone, SYS_clone3, SYS_set_robust_list, SYS_rseq, SYS_futex, SYS_gettid,
	SYS_prctl, SYS_memfd_create, SYS_ftruncate, SYS_fstat, SYS_close, SYS_clock_nanosleep,
	SYS_clock_gettime, SYS_ppoll, SYS_set_tid_address, SYS_exit, SYS_process_vm_readv,
	SYS_process_vm_writev, SYS_getrandom, SYS_getpid, SYS_getppid,
};

static int install(const struct sock_filter *program, size_t n)
{
	struct sock_fprog fprog = { (unsigned short)n, (struct sock_filter *)program };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &fprog);
}

static int expect_only_these(void)
{
	struct sock_filter program[2 * CALLS_MAX + 2];
	size_t n = 0;

	program[n++] = (struct sock_filter){ BPF_LD | BPF_W | BPF_ABS, 0, 0,
					     offsetof(struct seccomp_data, nr) };
	for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
		program[n++] = (struct sock_filter){ BPF_JMP | BPF_JEQ | BPF_K, 0, 1,
						     (unsigned int)expected[i] };
		program[n++] = (struct sock_filter){ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
	}
	program[n++] = (struct sock_filter){ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS };
	return install(program, n);
}

static int forbid(int number)
{
	const struct sock_filter program[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned int)number },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};

	return install(program, ARRAY_LENGTH(program));
}

static volatile unsigned char page[1 << 16];

static void be_busy(void)
{
	for (;;) {
		for (size_t i = 0; i < sizeof(page); i++)
			page[i]++;
		(void)getppid();
	}
}

static void sleep_long(void)
{
	const struct timespec time = { 3600, 0 };

	for (;;)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static int forbid_when_asked(void)
{
	char line[64];

	if (forbid(SYS_reboot) != 0)
		return 1;
	while (read(STDIN_FILENO, line, sizeof(line)) > 0)
		if (forbid(SYS_memfd_create) != 0 || write(STDOUT_FILENO, "ok\n", 3) != 3)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argv[argc - 1];

	(void)signal(SIGUSR1, SIG_IGN); /* how a victim is told that a line is there */
	if (argc < 2 || write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 2;
	if (strcmp(mode, "later") == 0)
		return forbid_when_asked();
	if (expect_only_these() != 0)
		return 1;
	if (strcmp(mode, "busy") == 0)
		be_busy();
	sleep_long();
	return 0;
}
