/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* calls.h - what a system call may do to the table of handles */
#ifndef LEAKS_BPF_CALLS_H
#define LEAKS_BPF_CALLS_H

#define CALLS_MAX 512

enum call_kind {
	CALL_NONE,
	CALL_OPENS,      /* returns a new handle */
	CALL_OPENS_READER, /* and one whose read(2) may bring others */
	CALL_MAY_OPEN,   /* returns a new handle, or an old one, or a number that is none */
	CALL_FCNTL,      /* a new one for F_DUPFD and F_DUPFD_CLOEXEC */
	CALL_PAIR_FIRST, /* two, at the address in the first argument */
	CALL_PAIR_LAST,  /* two, at the address in the fourth */
	CALL_CLOSES,     /* the first argument */
	CALL_MESSAGE,    /* recvmsg: when it has room for control messages */
	CALL_SOCKOPT,    /* getsockopt(SO_PEERPIDFD) */
	CALL_READ,       /* of a fanotify group, or a userfaultfd */
	CALL_RING,       /* io_uring_enter */
	CALL_ANY,        /* whatever has changed since the last look at the table */
	CALL_CLONE,      /* with CLONE_PIDFD */
	CALL_CLONE3,
	CALL_EXECUTES,
};

#endif /* LEAKS_BPF_CALLS_H */
