/* SPDX-License-Identifier: BSD-2-Clause */
#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static double us_since(int64_t begin_ns)
{
	return (double)(support_now_ns() - begin_ns) / 1000;
}

/* Stopped by our INTERRUPT; a signal that comes first is let through. */
static bool interrupt(pid_t tid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD) != 0)
		return false;
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0)
		return false;
	while (waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status)) {
		if (status >> 16 == PTRACE_EVENT_STOP)
			return true;
		(void)ptrace(PTRACE_CONT, tid, NULL, (long)WSTOPSIG(status));
	}
	return false;
}

double peer_stop(pid_t tid)
{
	int64_t begin_ns = support_now_ns();

	if (!interrupt(tid) || ptrace(PTRACE_DETACH, tid, NULL, NULL) != 0)
		return -1;
	return us_since(begin_ns);
}

/* To the next system call stop. */
static bool to_call_stop(pid_t tid)
{
	int status;

	return ptrace(PTRACE_SYSCALL, tid, NULL, NULL) == 0 &&
	       waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status) &&
	       WSTOPSIG(status) == (SIGTRAP | 0x80);
}

static bool call_getpid(pid_t tid, uint64_t syscall_address)
{
	struct user_regs_struct old, regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &old) != 0)
		return false;
	regs = old;
	regs.rip = syscall_address;
	regs.rax = SYS_getpid;
	regs.orig_rax = (unsigned long)-1;
	if (ptrace(PTRACE_SETREGS, tid, NULL, &regs) != 0)
		return false;
	if (!to_call_stop(tid) || !to_call_stop(tid))
		return false;
	return ptrace(PTRACE_GETREGS, tid, NULL, &regs) == 0 &&
	       ptrace(PTRACE_SETREGS, tid, NULL, &old) == 0;
}

double peer_remote_call(pid_t tid, uint64_t syscall_address)
{
	int64_t begin_ns = support_now_ns();
	bool good = interrupt(tid) && call_getpid(tid, syscall_address);

	if (ptrace(PTRACE_DETACH, tid, NULL, NULL) != 0 || !good)
		return -1;
	return us_since(begin_ns);
}

static uint64_t find_in(int mem, uint64_t from, uint64_t to)
{
	static const unsigned char insn[] = { 0x0f, 0x05 };
	size_t bytes = (size_t)(to - from);
	unsigned char *text = malloc(bytes), *found = NULL;

	if (text && pread(mem, text, bytes, (off_t)from) == (ssize_t)bytes)
		found = memmem(text, bytes, insn, sizeof(insn));
	from = found ? from + (uint64_t)(found - text) : 0;
	free(text);
	return from;
}

uint64_t peer_find_syscall(pid_t pid)
{
	char path[64], line[512];
	uint64_t from, to, found = 0;
	FILE *maps;
	int mem;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && mem >= 0 && !found && fgets(line, sizeof(line), maps))
		if (strstr(line, "r-xp") && strstr(line, "libc") &&
		    sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) == 2)
			found = find_in(mem, from, to);
	if (maps)
		(void)fclose(maps);
	if (mem >= 0)
		close(mem);
	return found;
}

static atomic_int exists;

static void *say_exists(void *param)
{
	atomic_store(&exists, 1);
	return NULL;
}

/* "Exists" as the kernel sees it: when pthread_create() returns, the thread has its id. */
double peer_pthread_create(void)
{
	pthread_t thread;
	int64_t begin_ns = support_now_ns();
	double us;

	atomic_store(&exists, 0);
	if (pthread_create(&thread, NULL, say_exists, NULL) != 0)
		return -1;
	us = us_since(begin_ns);
	pthread_join(thread, NULL);
	return us;
}

double peer_gdb_call(pid_t pid, bool *ret_good)
{
	char text[32];
	int64_t begin_ns = support_now_ns();
	int status = -1;
	pid_t child;

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_RDWR);

		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		(void)execlp("gdb", "gdb", "-nx", "-batch", "-p", text, "-ex",
			     "call (int)getpid()", (char *)NULL);
		_exit(127);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return -1;
	*ret_good = WEXITSTATUS(status) == 0;
	return us_since(begin_ns);
}
