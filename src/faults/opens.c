/* SPDX-License-Identifier: BSD-2-Clause */
#include "faults/opens.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

/* Those whose result is a new handle. */
static const short returns_handle[] = {
	SYS_open,
	SYS_openat,
	SYS_creat,
	SYS_socket,
	SYS_accept,
	SYS_accept4,
	SYS_dup,
	SYS_dup2,
	SYS_dup3,
	SYS_eventfd,
	SYS_eventfd2,
	SYS_epoll_create,
	SYS_epoll_create1,
	SYS_timerfd_create,
	SYS_signalfd,
	SYS_signalfd4,
	SYS_inotify_init,
	SYS_inotify_init1,
	SYS_fanotify_init,
	SYS_memfd_create,
	SYS_userfaultfd,
	SYS_perf_event_open,
	SYS_open_by_handle_at,
	SYS_mq_open,
	SYS_bpf,
#ifdef SYS_openat2
	SYS_openat2,
#endif
#ifdef SYS_memfd_secret
	SYS_memfd_secret,
#endif
#ifdef SYS_pidfd_open
	SYS_pidfd_open,
#endif
#ifdef SYS_pidfd_getfd
	SYS_pidfd_getfd,
#endif
#ifdef SYS_io_uring_setup
	SYS_io_uring_setup,
#endif
#ifdef SYS_open_tree
	SYS_open_tree,
	SYS_fsopen,
	SYS_fsmount,
	SYS_fspick,
#endif
#ifdef SYS_landlock_create_ruleset
	SYS_landlock_create_ruleset,
#endif
};

static size_t read_pair(const struct task *task, raddr_t address, int ret_numbers[OPENS_MAX])
{
	return task_read(task, address, ret_numbers, 2 * sizeof(int)) == 0 ? 2 : 0;
}

size_t opens_what(const struct task *task, long number, const uint64_t arguments[6], int64_t result,
		  int ret_numbers[OPENS_MAX])
{
	bool opens = false;

	if (number == SYS_pipe || number == SYS_pipe2)
		return read_pair(task, arguments[0], ret_numbers);
	if (number == SYS_socketpair)
		return read_pair(task, arguments[3], ret_numbers);
	if (number == SYS_fcntl)
		opens = arguments[1] == F_DUPFD || arguments[1] == F_DUPFD_CLOEXEC;
	for (size_t i = 0; i < ARRAY_SIZE(returns_handle) && !opens; i++)
		opens = returns_handle[i] == number;
	if (!opens)
		return 0;
	ret_numbers[0] = (int)result;
	return 1;
}
