/* SPDX-License-Identifier: BSD-2-Clause */
/* names.c - what the report calls origins and system calls */
#include <sys/syscall.h>

#include "leaks/report.h"

const char *report_origin_name(enum leaks_origin origin)
{
	static const char *const names[] = {
		[LEAKS_OPENED] = "opened",	 [LEAKS_BEFORE] = "before",
		[LEAKS_INHERITED] = "inherited", [LEAKS_ASYNCHRONOUS] = "asynchronous",
		[LEAKS_INSTALLED] = "installed", [LEAKS_FOUND] = "found",
	};

	return (size_t)origin < ARRAY_SIZE(names) ? names[origin] : "unknown";
}

/* The headers have numbers only.  Just those calls that can open a handle. */
static const struct {
	int number;
	const char *name;
} calls[] = {
#define CALL(name) { SYS_##name, #name }
#ifdef SYS_open /* newer architectures have only the -at and numbered forms */
	CALL(open), CALL(creat), CALL(pipe), CALL(dup2), CALL(eventfd), CALL(epoll_create),
	CALL(signalfd), CALL(inotify_init), CALL(fork), CALL(vfork),
#endif
	CALL(openat), CALL(openat2), CALL(open_by_handle_at), CALL(open_tree), CALL(fsopen),
	CALL(fsmount), CALL(fspick), CALL(socket), CALL(socketpair), CALL(accept), CALL(accept4),
	CALL(pipe2), CALL(dup), CALL(dup3), CALL(fcntl), CALL(eventfd2), CALL(epoll_create1),
	CALL(timerfd_create), CALL(signalfd4), CALL(inotify_init1), CALL(fanotify_init),
	CALL(memfd_create), CALL(userfaultfd), CALL(perf_event_open), CALL(pidfd_open),
	CALL(pidfd_getfd), CALL(bpf), CALL(io_uring_setup), CALL(io_uring_enter),
	CALL(io_uring_register), CALL(mq_open), CALL(recvmsg), CALL(recvmmsg), CALL(clone),
	CALL(clone3), CALL(ioctl), CALL(getsockopt), CALL(read), CALL(seccomp), CALL(execve),
	CALL(execveat), CALL(unshare), CALL(close_range), CALL(landlock_create_ruleset),
#ifdef SYS_memfd_secret
	CALL(memfd_secret),
#endif
#ifdef SYS_open_tree_attr
	CALL(open_tree_attr),
#endif
#undef CALL
};

const char *report_syscall_name(int number)
{
	for (size_t i = 0; number >= 0 && i < ARRAY_SIZE(calls); i++)
		if (calls[i].number == number)
			return calls[i].name;
	return NULL;
}
