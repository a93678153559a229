/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls.c - which system calls may change the table of handles
 *
 * Numbers that the C library's headers do not know are the ones that all architectures share.
 */
#include "leaks/calls.h"

#include <sys/syscall.h>

#include "base/base.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif

static const struct {
	uint16_t nr;
	uint8_t kind;
} kinds[] = {
#ifdef SYS_open /* newer architectures have only the ones that end in -at, -2, -1 */
	{ SYS_open, CALL_OPENS },
	{ SYS_creat, CALL_OPENS },
	{ SYS_pipe, CALL_PAIR_FIRST },
	{ SYS_dup2, CALL_MAY_OPEN },
	{ SYS_epoll_create, CALL_OPENS },
	{ SYS_eventfd, CALL_OPENS },
	{ SYS_signalfd, CALL_MAY_OPEN },
	{ SYS_inotify_init, CALL_OPENS },
#endif
	{ SYS_openat, CALL_OPENS },
	{ SYS_openat2, CALL_OPENS },
	{ SYS_open_by_handle_at, CALL_OPENS },
	{ SYS_open_tree, CALL_OPENS },
	{ SYS_open_tree_attr, CALL_OPENS },
	{ SYS_fsopen, CALL_OPENS },
	{ SYS_fsmount, CALL_OPENS },
	{ SYS_fspick, CALL_OPENS },
	{ SYS_mq_open, CALL_OPENS },
	{ SYS_socket, CALL_OPENS },
	{ SYS_accept, CALL_OPENS },
	{ SYS_accept4, CALL_OPENS },
	{ SYS_dup, CALL_OPENS },
	{ SYS_dup3, CALL_OPENS },
	{ SYS_epoll_create1, CALL_OPENS },
	{ SYS_eventfd2, CALL_OPENS },
	{ SYS_timerfd_create, CALL_OPENS },
	{ SYS_signalfd4, CALL_MAY_OPEN },
	{ SYS_inotify_init1, CALL_OPENS },
	{ SYS_fanotify_init, CALL_OPENS_READER },
	{ SYS_userfaultfd, CALL_OPENS_READER },
	{ SYS_memfd_create, CALL_OPENS },
	{ SYS_memfd_secret, CALL_OPENS },
	{ SYS_perf_event_open, CALL_OPENS },
	{ SYS_pidfd_open, CALL_OPENS },
	{ SYS_pidfd_getfd, CALL_OPENS },
	{ SYS_io_uring_setup, CALL_OPENS },
	{ SYS_landlock_create_ruleset, CALL_MAY_OPEN },
	{ SYS_bpf, CALL_MAY_OPEN },
	{ SYS_seccomp, CALL_MAY_OPEN },
	{ SYS_fcntl, CALL_FCNTL },
	{ SYS_pipe2, CALL_PAIR_FIRST },
	{ SYS_socketpair, CALL_PAIR_LAST },
	{ SYS_close, CALL_CLOSES },
	{ SYS_close_range, CALL_ANY },
	{ SYS_recvmsg, CALL_MESSAGE },
	{ SYS_recvmmsg, CALL_ANY },
	{ SYS_getsockopt, CALL_SOCKOPT },
	{ SYS_ioctl, CALL_ANY },
	{ SYS_read, CALL_READ },
	{ SYS_readv, CALL_READ },
	{ SYS_io_uring_enter, CALL_RING },
	{ SYS_io_uring_register, CALL_RING },
	{ SYS_clone, CALL_CLONE },
	{ SYS_clone3, CALL_CLONE3 },
	{ SYS_unshare, CALL_ANY },
	{ SYS_execve, CALL_EXECUTES },
	{ SYS_execveat, CALL_EXECUTES },
};

void calls_fill(unsigned char table[CALLS_MAX])
{
	for (size_t i = 0; i < CALLS_MAX; i++)
		table[i] = CALL_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].nr < CALLS_MAX)
			table[kinds[i].nr] = kinds[i].kind;
}
