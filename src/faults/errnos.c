/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * errnos.c - in which ways can a system call fail?
 *
 * The first rule that fits a call and its arguments says which errors are simulated.  They are
 * those of the manual pages, without the ones that only a mistake of the program itself brings
 * about (EBADF, EFAULT, most EINVAL).  EAGAIN stands where an argument says that the call does not
 * wait: whether the handle itself is set so, arguments do not tell.  EINTR stands for every call
 * that may wait: a library cannot know whether the handlers of its program were installed with
 * SA_RESTART.
 *
 * Some calls have no rule on purpose.  What fails in futex(2) and the like breaks locks, and no
 * program expects it.  brk(2) returns no error, but the old end.  wait4(2) that says ECHILD says
 * that there is no child, but there is one: it would be shown as left.  connect(2) says EINPROGRESS
 * only of a handle that does not wait.  getpid(2), clock_gettime(2) and the like cannot fail.
 */
#include "faults/errnos.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>

/* Numbers that the C library's headers may not know yet are the same on all architectures. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#endif
#ifndef SYS_listmount
#define SYS_listmount 458
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif

struct rule {
	uint16_t number;
	uint8_t argument;     /* which must have these bits so: */
	uint32_t mask, value; /* 0, 0: whatever it is */
	bool unlikely;
	const uint8_t *errors;
};

static const uint8_t no_errors[] = {0};

/* clang-format off */
#define ALL_BITS    UINT32_MAX
#define ERRORS(...) ((const uint8_t[]){ __VA_ARGS__, 0 })

#define WHEN(call, argument, mask, value, ...) \
	{ SYS_##call, argument, mask, value, false, ERRORS(__VA_ARGS__) }
#define NEVER_WHEN(call, argument, mask, value) \
	{ SYS_##call, argument, mask, value, false, no_errors }
#define ALWAYS(call, ...)   { SYS_##call, 0, 0, 0, false, ERRORS(__VA_ARGS__) }
#define UNLIKELY(call, ...) { SYS_##call, 0, 0, 0, true, ERRORS(__VA_ARGS__) }

/* What the way to a file may say; what making a new entry in a directory may say. */
#define PATH_ERRORS  ENOENT, EACCES, ENOTDIR, ELOOP, ENAMETOOLONG, ENOMEM, EIO
#define ENTRY_ERRORS ENOSPC, EDQUOT, EROFS, EPERM

#define OPEN_ERRORS  ENOENT, EACCES, EMFILE, ENFILE, ENOMEM
#define OPEN_RARELY  ELOOP, ENAMETOOLONG, ENOTDIR, EPERM
#define OPEN_TO_READ OPEN_ERRORS, ENXIO, ENODEV, OPEN_RARELY, EINTR
#define OPEN_TO_MAKE OPEN_ERRORS, ENOSPC, EDQUOT, EROFS, OPEN_RARELY, EINTR
#define OPEN_RULES(call, flags) \
	WHEN(call, flags, O_PATH, O_PATH, OPEN_ERRORS, OPEN_RARELY), \
	WHEN(call, flags, O_TMPFILE, O_TMPFILE, EOPNOTSUPP, EISDIR, OPEN_TO_MAKE), \
	WHEN(call, flags, O_CREAT | O_EXCL, O_CREAT | O_EXCL, EEXIST, OPEN_TO_MAKE), \
	WHEN(call, flags, O_CREAT, O_CREAT, OPEN_TO_MAKE, EISDIR, ETXTBSY, ENXIO, ENODEV), \
	WHEN(call, flags, O_DIRECTORY, O_DIRECTORY, OPEN_ERRORS, OPEN_RARELY), \
	WHEN(call, flags, O_ACCMODE, O_RDONLY, OPEN_TO_READ), \
	ALWAYS(call, OPEN_TO_READ, EROFS, EISDIR, ETXTBSY)

#define LOCK_RULES(now, wait, ask) \
	WHEN(fcntl, 1, ALL_BITS, now, EAGAIN, EACCES, ENOLCK), \
	WHEN(fcntl, 1, ALL_BITS, wait, EDEADLK, EINTR, ENOLCK), \
	WHEN(fcntl, 1, ALL_BITS, ask, ENOLCK)

#define RECEIVE_ERRORS ECONNRESET, ETIMEDOUT, ECONNREFUSED, ENOTCONN, ENOMEM, EINTR
#define SEND_ERRORS    EPIPE, ECONNRESET, ENOBUFS, ENOMEM, EMSGSIZE, EACCES, ENOTCONN, EINTR
#define MESSAGE_RULES(call, flags, ...) \
	WHEN(call, flags, MSG_DONTWAIT, MSG_DONTWAIT, EAGAIN, __VA_ARGS__), \
	ALWAYS(call, __VA_ARGS__)

/* Of the process itself, with 0 as its number, the call cannot fail. */
#define OF_ANOTHER(call, ...) NEVER_WHEN(call, 0, ALL_BITS, 0), ALWAYS(call, __VA_ARGS__)

/* Making an object that has a name, or finding it. */
#define CREATE_RULES(call, flags, create, exclusive, ...) \
	WHEN(call, flags, (create) | (exclusive), (create) | (exclusive), EEXIST, ENOSPC, __VA_ARGS__), \
	WHEN(call, flags, create, create, ENOSPC, __VA_ARGS__), \
	ALWAYS(call, ENOENT, __VA_ARGS__)
/* clang-format on */

static const struct rule rules[] = {
	/* Files: opening */
	OPEN_RULES(openat, 2),
	ALWAYS(openat2, OPEN_ERRORS, EAGAIN, EXDEV, ENOSYS, ENOSPC, EDQUOT, EROFS, OPEN_RARELY),
	ALWAYS(open_by_handle_at, ESTALE, EPERM, EMFILE, ENFILE, ENOMEM, ELOOP),
	ALWAYS(name_to_handle_at, EOPNOTSUPP, EOVERFLOW, ENOENT, ENOTDIR, EACCES),
#ifdef SYS_open /* newer architectures have only the calls that end in -at, -2, -1 */
	OPEN_RULES(open, 1),
	ALWAYS(creat, OPEN_ERRORS, ENOSPC, EDQUOT, EROFS, EISDIR, ETXTBSY, OPEN_RARELY, EINTR),
#endif

	/* Files: content.  A manual page names more for special files; these are for all. */
	ALWAYS(read, EIO, EISDIR, EINTR),
	ALWAYS(readv, EIO, EISDIR, EINTR),
	ALWAYS(pread64, EIO, ESPIPE, EISDIR, EINTR),
	ALWAYS(preadv, EIO, ESPIPE, EISDIR, EINTR),
	WHEN(preadv2, 5, RWF_NOWAIT, RWF_NOWAIT, EAGAIN, EIO, EOPNOTSUPP, EINTR),
	ALWAYS(preadv2, EIO, EOPNOTSUPP, EISDIR, EINTR),
	ALWAYS(write, ENOSPC, EIO, EDQUOT, EFBIG, EPIPE, EPERM, EINTR),
	ALWAYS(writev, ENOSPC, EIO, EDQUOT, EFBIG, EPIPE, EPERM, EINTR),
	ALWAYS(pwrite64, ENOSPC, EIO, EDQUOT, EFBIG, ESPIPE, EPERM, EINTR),
	ALWAYS(pwritev, ENOSPC, EIO, EDQUOT, EFBIG, ESPIPE, EPERM, EINTR),
	WHEN(pwritev2, 5, RWF_NOWAIT, RWF_NOWAIT, EAGAIN, ENOSPC, EIO, EDQUOT, EFBIG, EOPNOTSUPP),
	ALWAYS(pwritev2, ENOSPC, EIO, EDQUOT, EFBIG, EOPNOTSUPP, EPERM, EINTR),
	ALWAYS(sendfile, EIO, ENOMEM, EINVAL, EOVERFLOW, ESPIPE, EPIPE,
	       EINTR), /* EINVAL: not of this file system */
	ALWAYS(copy_file_range, ENOSPC, EIO, EXDEV, EOPNOTSUPP, EFBIG, ENOMEM, EISDIR, EPERM,
	       ETXTBSY, ENOSYS),
	WHEN(splice, 5, SPLICE_F_NONBLOCK, SPLICE_F_NONBLOCK, EAGAIN, EINVAL, ENOMEM, ESPIPE),
	ALWAYS(splice, EINVAL, ENOMEM, ESPIPE, EINTR),
	WHEN(tee, 3, SPLICE_F_NONBLOCK, SPLICE_F_NONBLOCK, EAGAIN, ENOMEM),
	ALWAYS(tee, ENOMEM, EINTR),
	WHEN(vmsplice, 3, SPLICE_F_NONBLOCK, SPLICE_F_NONBLOCK, EAGAIN, ENOMEM),
	ALWAYS(vmsplice, ENOMEM, EINTR),
	WHEN(lseek, 2, ALL_BITS, SEEK_DATA, ENXIO, ESPIPE),
	WHEN(lseek, 2, ALL_BITS, SEEK_HOLE, ENXIO, ESPIPE),
	ALWAYS(lseek, ESPIPE),
	ALWAYS(ftruncate, EIO, EFBIG, EPERM, EINTR),
	ALWAYS(truncate, PATH_ERRORS, EFBIG, EISDIR, EPERM, EROFS, ETXTBSY, EINTR),
	ALWAYS(fallocate, ENOSPC, EOPNOTSUPP, EIO, EFBIG, ENODEV, EPERM, ESPIPE, EINTR),
	ALWAYS(fadvise64, ESPIPE),
	ALWAYS(readahead, EINVAL),
	UNLIKELY(fsync, EIO, ENOSPC, EDQUOT, EROFS, EINTR),
	UNLIKELY(fdatasync, EIO, ENOSPC, EDQUOT, EROFS, EINTR),
	UNLIKELY(syncfs, EIO, ENOSPC, EDQUOT),
	UNLIKELY(sync_file_range, EIO, ENOMEM, ENOSPC, ESPIPE),
	ALWAYS(cachestat, EOPNOTSUPP, ENOSYS),

	/* Files: what is known of them */
	WHEN(newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH, EIO, ENOMEM), /* as fstat() is made */
	ALWAYS(newfstatat, PATH_ERRORS),
	ALWAYS(fstat, EIO, ENOMEM),
	WHEN(statx, 2, AT_EMPTY_PATH, AT_EMPTY_PATH, EIO, ENOMEM, ENOSYS),
	ALWAYS(statx, PATH_ERRORS, ENOSYS),
	ALWAYS(statfs, PATH_ERRORS, ENOSYS, EINTR),
	ALWAYS(fstatfs, EIO, ENOMEM, ENOSYS, EINTR),
	ALWAYS(faccessat, PATH_ERRORS, EPERM, EROFS, ETXTBSY),
	ALWAYS(faccessat2, PATH_ERRORS, EPERM, EROFS, ETXTBSY, ENOSYS),
	ALWAYS(readlinkat, PATH_ERRORS, EINVAL), /* EINVAL: not a symbolic link */
	ALWAYS(getdents64, EIO, ENOENT),
	ALWAYS(getcwd, ENOENT, EACCES, ERANGE, ENOMEM),
	ALWAYS(chdir, PATH_ERRORS),
	ALWAYS(fchdir, EACCES, ENOTDIR, EIO),
	ALWAYS(chroot, EPERM, PATH_ERRORS),
	ALWAYS(fchmod, EPERM, EROFS, EIO),
	ALWAYS(fchmodat, EPERM, EROFS, PATH_ERRORS),
	ALWAYS(fchmodat2, EPERM, EROFS, PATH_ERRORS, EOPNOTSUPP, ENOSYS),
	ALWAYS(fchown, EPERM, EROFS, EIO),
	ALWAYS(fchownat, EPERM, EROFS, PATH_ERRORS),
	ALWAYS(utimensat, EPERM, EACCES, EROFS, ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG),
	ALWAYS(getxattr, ENODATA, ENOTSUP, ERANGE, E2BIG, PATH_ERRORS),
	ALWAYS(lgetxattr, ENODATA, ENOTSUP, ERANGE, E2BIG, PATH_ERRORS),
	ALWAYS(fgetxattr, ENODATA, ENOTSUP, ERANGE, E2BIG),
	ALWAYS(listxattr, ENOTSUP, ERANGE, E2BIG, PATH_ERRORS),
	ALWAYS(llistxattr, ENOTSUP, ERANGE, E2BIG, PATH_ERRORS),
	ALWAYS(flistxattr, ENOTSUP, ERANGE, E2BIG),
	ALWAYS(setxattr, ENOSPC, EDQUOT, ENOTSUP, EEXIST, ENODATA, EPERM, ERANGE, PATH_ERRORS),
	ALWAYS(lsetxattr, ENOSPC, EDQUOT, ENOTSUP, EEXIST, ENODATA, EPERM, ERANGE, PATH_ERRORS),
	ALWAYS(fsetxattr, ENOSPC, EDQUOT, ENOTSUP, EEXIST, ENODATA, EPERM, ERANGE),
	ALWAYS(removexattr, ENODATA, ENOTSUP, EPERM, PATH_ERRORS),
	ALWAYS(lremovexattr, ENODATA, ENOTSUP, EPERM, PATH_ERRORS),
	ALWAYS(fremovexattr, ENODATA, ENOTSUP, EPERM),
#ifdef SYS_stat
	ALWAYS(stat, PATH_ERRORS),
	ALWAYS(lstat, PATH_ERRORS),
	ALWAYS(access, PATH_ERRORS, EPERM, EROFS, ETXTBSY),
	ALWAYS(readlink, PATH_ERRORS, EINVAL),
	ALWAYS(getdents, EIO, ENOENT),
	ALWAYS(chmod, EPERM, EROFS, PATH_ERRORS),
	ALWAYS(chown, EPERM, EROFS, PATH_ERRORS),
	ALWAYS(lchown, EPERM, EROFS, PATH_ERRORS),
	ALWAYS(utime, EPERM, EACCES, EROFS, ENOENT),
	ALWAYS(utimes, EPERM, EACCES, EROFS, ENOENT),
	ALWAYS(futimesat, EPERM, EACCES, EROFS, ENOENT, ENOTDIR),
#endif

	/* Files: entries of directories */
	ALWAYS(mkdirat, EEXIST, PATH_ERRORS, ENTRY_ERRORS, EMLINK),
	ALWAYS(mknodat, EEXIST, PATH_ERRORS, ENTRY_ERRORS),
	ALWAYS(symlinkat, EEXIST, PATH_ERRORS, ENTRY_ERRORS),
	ALWAYS(linkat, EEXIST, EXDEV, EMLINK, PATH_ERRORS, ENTRY_ERRORS),
	ALWAYS(unlinkat, PATH_ERRORS, EPERM, EROFS, EBUSY, EISDIR, ENOTEMPTY),
	ALWAYS(renameat, PATH_ERRORS, ENTRY_ERRORS, EXDEV, EBUSY, ENOTEMPTY, EISDIR, EMLINK),
	ALWAYS(renameat2, PATH_ERRORS, ENTRY_ERRORS, EXDEV, EBUSY, ENOTEMPTY, EEXIST, EISDIR,
	       EMLINK),
#ifdef SYS_mkdir
	ALWAYS(mkdir, EEXIST, PATH_ERRORS, ENTRY_ERRORS, EMLINK),
	ALWAYS(mknod, EEXIST, PATH_ERRORS, ENTRY_ERRORS),
	ALWAYS(symlink, EEXIST, PATH_ERRORS, ENTRY_ERRORS),
	ALWAYS(link, EEXIST, EXDEV, EMLINK, PATH_ERRORS, ENTRY_ERRORS),
	ALWAYS(unlink, PATH_ERRORS, EPERM, EROFS, EBUSY, EISDIR),
	ALWAYS(rmdir, ENOTEMPTY, PATH_ERRORS, EPERM, EROFS, EBUSY),
	ALWAYS(rename, PATH_ERRORS, ENTRY_ERRORS, EXDEV, EBUSY, ENOTEMPTY, EISDIR, EMLINK),
#endif

	/* Handles */
	ALWAYS(dup, EMFILE),
	ALWAYS(dup3, EBUSY, EMFILE, EINTR),
	WHEN(fcntl, 1, ALL_BITS, F_DUPFD, EMFILE),
	WHEN(fcntl, 1, ALL_BITS, F_DUPFD_CLOEXEC, EMFILE),
	WHEN(fcntl, 1, ALL_BITS, F_SETFL, EPERM),
	LOCK_RULES(F_SETLK, F_SETLKW, F_GETLK),
	LOCK_RULES(F_OFD_SETLK, F_OFD_SETLKW, F_OFD_GETLK),
	WHEN(fcntl, 1, ALL_BITS, F_SETOWN, EPERM, ESRCH),
	WHEN(fcntl, 1, ALL_BITS, F_SETOWN_EX, EPERM, ESRCH),
	WHEN(fcntl, 1, ALL_BITS, F_SETLEASE, EAGAIN, EACCES, ENOMEM),
	WHEN(fcntl, 1, ALL_BITS, F_NOTIFY, ENOTDIR, EMFILE, ENOMEM),
	WHEN(fcntl, 1, ALL_BITS, F_SETPIPE_SZ, EPERM, EBUSY, ENOMEM),
	WHEN(fcntl, 1, ALL_BITS, F_ADD_SEALS, EPERM, EBUSY),
	NEVER_WHEN(ioctl, 1, ALL_BITS, FIOCLEX),
	NEVER_WHEN(ioctl, 1, ALL_BITS, FIONCLEX),
	WHEN(ioctl, 1, ALL_BITS, TCGETS, ENOTTY, EIO),
	WHEN(ioctl, 1, ALL_BITS, TIOCGWINSZ, ENOTTY, EIO),
	WHEN(ioctl, 1, ALL_BITS, FIONREAD, ENOTTY, EIO),
	WHEN(ioctl, 1, ALL_BITS, FIONBIO, ENOTTY),
	ALWAYS(ioctl, ENOTTY, EIO, EPERM, EACCES, ENODEV, ENOMEM, EBUSY, EINTR),
	NEVER_WHEN(flock, 1, LOCK_UN, LOCK_UN),
	WHEN(flock, 1, LOCK_NB, LOCK_NB, EWOULDBLOCK, ENOLCK),
	ALWAYS(flock, ENOLCK, EINTR),
	ALWAYS(pipe2, EMFILE, ENFILE, ENOMEM),
	ALWAYS(epoll_create1, EMFILE, ENFILE, ENOMEM),
	WHEN(epoll_ctl, 1, ALL_BITS, EPOLL_CTL_ADD, ENOMEM, ENOSPC, EEXIST, EPERM),
	WHEN(epoll_ctl, 1, ALL_BITS, EPOLL_CTL_MOD, ENOENT, ENOMEM),
	ALWAYS(epoll_ctl, ENOENT),
	ALWAYS(eventfd2, EMFILE, ENFILE, ENODEV, ENOMEM),
	WHEN(signalfd4, 0, ALL_BITS, ALL_BITS, EMFILE, ENFILE, ENODEV, ENOMEM), /* -1: a new one */
	ALWAYS(timerfd_create, EMFILE, ENFILE, ENODEV, ENOMEM, EPERM),
	WHEN(timerfd_settime, 1, TFD_TIMER_CANCEL_ON_SET, TFD_TIMER_CANCEL_ON_SET, ECANCELED),
	ALWAYS(inotify_init1, EMFILE, ENFILE, ENOMEM),
	ALWAYS(inotify_add_watch, ENOSPC, ENOENT, EACCES, ENOMEM, ENAMETOOLONG, ENOTDIR),
	ALWAYS(fanotify_init, EPERM, EMFILE, ENOMEM, ENOSYS),
	ALWAYS(fanotify_mark, ENOSPC, ENOENT, ENOMEM, ENODEV, EXDEV, EOPNOTSUPP, EPERM, ENOTDIR),
	ALWAYS(memfd_create, EMFILE, ENFILE, ENOMEM),
	ALWAYS(memfd_secret, ENOSYS, EMFILE, ENFILE, ENOMEM),
	ALWAYS(userfaultfd, EPERM, EMFILE, ENFILE, ENOMEM, ENOSYS),
	ALWAYS(pidfd_open, ESRCH, EMFILE, ENFILE, ENODEV, ENOMEM),
	ALWAYS(pidfd_getfd, EPERM, ESRCH, EMFILE, ENFILE),
	ALWAYS(pidfd_send_signal, ESRCH, EPERM),
	ALWAYS(perf_event_open, EACCES, EPERM, EMFILE, ENOENT, ENODEV, EBUSY, ENOSPC, EOPNOTSUPP,
	       ESRCH, EINTR, ENOSYS),
	ALWAYS(bpf, EPERM, ENOMEM, EACCES, ENOENT, E2BIG, ENOSPC, EMFILE),
	UNLIKELY(close, EIO, EINTR, ENOSPC, EDQUOT),
	UNLIKELY(close_range, EMFILE, ENOMEM, ENOSYS),
#ifdef SYS_pipe
	ALWAYS(pipe, EMFILE, ENFILE, ENOMEM),
	ALWAYS(dup2, EBUSY, EMFILE, EINTR),
	ALWAYS(epoll_create, EMFILE, ENFILE, ENOMEM),
	ALWAYS(eventfd, EMFILE, ENFILE, ENODEV, ENOMEM),
	WHEN(signalfd, 0, ALL_BITS, ALL_BITS, EMFILE, ENFILE, ENODEV, ENOMEM),
	ALWAYS(inotify_init, EMFILE, ENFILE, ENOMEM),
#endif

	/* Waiting.  Never restarted, whatever a handler was installed with. */
	NEVER_WHEN(epoll_wait, 3, ALL_BITS, 0),
	ALWAYS(epoll_wait, EINTR),
	NEVER_WHEN(epoll_pwait, 3, ALL_BITS, 0),
	ALWAYS(epoll_pwait, EINTR),
	ALWAYS(epoll_pwait2, EINTR, ENOSYS),
	ALWAYS(ppoll, EINTR, ENOMEM),
	ALWAYS(pselect6, EINTR, ENOMEM),
	ALWAYS(nanosleep, EINTR),
	ALWAYS(clock_nanosleep, EINTR),
	WHEN(rt_sigtimedwait, 2, ALL_BITS, 0, EINTR), /* for ever */
	ALWAYS(rt_sigtimedwait, EAGAIN, EINTR),
#ifdef SYS_poll
	WHEN(poll, 2, ALL_BITS, 0, ENOMEM),
	ALWAYS(poll, EINTR, ENOMEM),
	ALWAYS(select, EINTR, ENOMEM),
#endif

	/* Sockets */
	ALWAYS(socket, EMFILE, ENFILE, ENOMEM, ENOBUFS, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT),
	ALWAYS(socketpair, EMFILE, ENFILE, ENOMEM, EAFNOSUPPORT, EPROTONOSUPPORT, EOPNOTSUPP),
	ALWAYS(bind, EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOENT, ENOMEM, ENOTDIR, EROFS, ELOOP,
	       ENAMETOOLONG),
	ALWAYS(listen, EADDRINUSE, EOPNOTSUPP),
	ALWAYS(accept4, EMFILE, ENFILE, ECONNABORTED, ENOBUFS, ENOMEM, EPERM, EPROTO, EINTR),
	ALWAYS(accept, EMFILE, ENFILE, ECONNABORTED, ENOBUFS, ENOMEM, EPERM, EPROTO, EINTR),
	ALWAYS(connect, ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, ENOENT, EACCES,
	       EADDRNOTAVAIL, EADDRINUSE, EAGAIN, EPERM, EAFNOSUPPORT, EPROTOTYPE, EINTR),
	MESSAGE_RULES(recvfrom, 3, RECEIVE_ERRORS),
	MESSAGE_RULES(recvmsg, 2, RECEIVE_ERRORS),
	MESSAGE_RULES(recvmmsg, 3, RECEIVE_ERRORS),
	MESSAGE_RULES(sendto, 3, SEND_ERRORS),
	MESSAGE_RULES(sendmsg, 2, SEND_ERRORS),
	MESSAGE_RULES(sendmmsg, 3, SEND_ERRORS),
	ALWAYS(shutdown, ENOTCONN),
	ALWAYS(getsockname, ENOBUFS),
	ALWAYS(getpeername, ENOTCONN, ENOBUFS),
	ALWAYS(getsockopt, ENOPROTOOPT),
	ALWAYS(setsockopt, ENOPROTOOPT, ENOMEM, EPERM),

	/* Memory */
	WHEN(mmap, 3, MAP_ANONYMOUS, MAP_ANONYMOUS, ENOMEM),
	ALWAYS(mmap, ENOMEM, ENODEV, EACCES, EPERM, EAGAIN, ENFILE),
	ALWAYS(mremap, ENOMEM, EAGAIN),
	ALWAYS(mprotect, ENOMEM, EACCES),
	ALWAYS(pkey_mprotect, ENOMEM, EACCES),
	ALWAYS(pkey_alloc, ENOSPC, ENOSYS),
	ALWAYS(madvise, ENOMEM, EAGAIN, EIO, EPERM),
	ALWAYS(process_madvise, EPERM, ESRCH, ENOMEM),
	ALWAYS(mlock, ENOMEM, EAGAIN, EPERM),
	ALWAYS(mlock2, ENOMEM, EAGAIN, EPERM),
	ALWAYS(mlockall, ENOMEM, EAGAIN, EPERM),
	ALWAYS(mincore, ENOMEM, EAGAIN),
	ALWAYS(msync, EIO, ENOMEM, EBUSY),
	ALWAYS(mbind, ENOMEM, EIO, EPERM, ENOSYS),
	ALWAYS(set_mempolicy, ENOMEM, ENOSYS),
	ALWAYS(migrate_pages, EPERM, ESRCH),
	ALWAYS(move_pages, EPERM, ESRCH, E2BIG, EACCES, ENODEV),
	ALWAYS(mseal, EPERM, ENOMEM, ENOSYS),
	ALWAYS(process_vm_readv, EPERM, ESRCH, ENOMEM),
	ALWAYS(process_vm_writev, EPERM, ESRCH, ENOMEM),
	UNLIKELY(munmap, ENOMEM),
	UNLIKELY(munlock, ENOMEM, EAGAIN, EPERM),

	/* Processes and threads */
	ALWAYS(clone, EAGAIN, ENOMEM),
	ALWAYS(clone3, EAGAIN, ENOMEM),
	ALWAYS(execve, ENOENT, EACCES, ENOMEM, ENOEXEC, E2BIG, ETXTBSY, EAGAIN, EIO, EMFILE, ENFILE,
	       ELOOP, ENAMETOOLONG, ENOTDIR, EPERM),
	ALWAYS(execveat, ENOENT, EACCES, ENOMEM, ENOEXEC, E2BIG, ETXTBSY, EAGAIN, EIO, EMFILE,
	       ENFILE, ELOOP, ENAMETOOLONG, ENOTDIR, EPERM),
	NEVER_WHEN(wait4, 2, WNOHANG, WNOHANG),
	ALWAYS(wait4, EINTR),
	NEVER_WHEN(waitid, 3, WNOHANG, WNOHANG),
	ALWAYS(waitid, EINTR),
	ALWAYS(kill, ESRCH, EPERM),
	ALWAYS(tkill, ESRCH, EPERM, EAGAIN),
	ALWAYS(tgkill, ESRCH, EPERM, EAGAIN),
	ALWAYS(rt_sigqueueinfo, EAGAIN, ESRCH, EPERM),
	ALWAYS(rt_tgsigqueueinfo, EAGAIN, ESRCH, EPERM),
	ALWAYS(setsid, EPERM),
	ALWAYS(setpgid, EPERM, EACCES, ESRCH),
	OF_ANOTHER(getpgid, ESRCH, EPERM),
	OF_ANOTHER(getsid, ESRCH, EPERM),
	ALWAYS(setuid, EAGAIN, EPERM),
	ALWAYS(setgid, EPERM),
	ALWAYS(setreuid, EAGAIN, EPERM),
	ALWAYS(setregid, EAGAIN, EPERM),
	ALWAYS(setresuid, EAGAIN, EPERM),
	ALWAYS(setresgid, EAGAIN, EPERM),
	ALWAYS(setgroups, EPERM, ENOMEM),
	ALWAYS(capset, EPERM),
	ALWAYS(setpriority, EACCES, EPERM, ESRCH),
	ALWAYS(getpriority, EPERM, ESRCH),
	ALWAYS(ioprio_set, EPERM, ESRCH),
	ALWAYS(ioprio_get, EPERM, ESRCH),
	ALWAYS(setrlimit, EPERM),
	NEVER_WHEN(prlimit64, 2, ALL_BITS, 0), /* as getrlimit() is made */
	ALWAYS(prlimit64, EPERM, ESRCH),
	NEVER_WHEN(prctl, 0, ALL_BITS, PR_SET_NAME),
	NEVER_WHEN(prctl, 0, ALL_BITS, PR_GET_NAME),
	NEVER_WHEN(prctl, 0, ALL_BITS, PR_SET_PDEATHSIG),
	NEVER_WHEN(prctl, 0, ALL_BITS, PR_GET_PDEATHSIG),
	NEVER_WHEN(prctl, 0, ALL_BITS, PR_GET_DUMPABLE),
	NEVER_WHEN(prctl, 0, ALL_BITS, PR_SET_VMA),
	ALWAYS(prctl, EPERM, EACCES, EBUSY, EOPNOTSUPP),
	ALWAYS(seccomp, EACCES, ENOMEM, EBUSY, EOPNOTSUPP),
	ALWAYS(landlock_create_ruleset, EOPNOTSUPP, ENOSYS, EMFILE, ENOMEM),
	ALWAYS(landlock_add_rule, EOPNOTSUPP, EPERM, ENOMEM),
	ALWAYS(landlock_restrict_self, EOPNOTSUPP, EPERM, E2BIG),
	ALWAYS(sched_setaffinity, EPERM, ESRCH),
	OF_ANOTHER(sched_getaffinity, ESRCH, EPERM),
	ALWAYS(sched_setparam, EPERM, ESRCH),
	OF_ANOTHER(sched_getparam, EPERM, ESRCH),
	ALWAYS(sched_setscheduler, EPERM, ESRCH),
	OF_ANOTHER(sched_getscheduler, EPERM, ESRCH),
	ALWAYS(sched_setattr, EPERM, ESRCH, EBUSY, E2BIG),
	OF_ANOTHER(sched_getattr, ESRCH, E2BIG),
	OF_ANOTHER(sched_rr_get_interval, ESRCH, ENOSYS),
	ALWAYS(ptrace, EPERM, ESRCH, EIO, EBUSY),
	ALWAYS(kcmp, EPERM, ESRCH),
	ALWAYS(unshare, EPERM, ENOMEM, ENOSPC),
	ALWAYS(setns, EPERM, ENOMEM, ESRCH),
	ALWAYS(timer_create, EAGAIN, ENOMEM, ENOTSUP, EPERM),
	ALWAYS(clock_settime, EPERM),
	ALWAYS(settimeofday, EPERM),
	ALWAYS(adjtimex, EPERM),
	ALWAYS(clock_adjtime, EPERM, EOPNOTSUPP, ENODEV),
	WHEN(getrandom, 2, GRND_NONBLOCK, GRND_NONBLOCK, EAGAIN, ENOSYS),
	ALWAYS(getrandom, ENOSYS, EINTR),
	ALWAYS(membarrier, EPERM, ENOSYS),
#ifdef SYS_fork
	ALWAYS(fork, EAGAIN, ENOMEM),
	ALWAYS(vfork, EAGAIN, ENOMEM),
#endif

	/* Queues, semaphores, shared memory, keys */
	CREATE_RULES(mq_open, 1, O_CREAT, O_EXCL, EMFILE, ENFILE, EACCES, ENOMEM, ENAMETOOLONG),
	ALWAYS(mq_unlink, ENOENT, EACCES, ENAMETOOLONG),
	WHEN(mq_timedsend, 4, ALL_BITS, 0, EMSGSIZE, EINTR),
	ALWAYS(mq_timedsend, ETIMEDOUT, EMSGSIZE, EINTR),
	WHEN(mq_timedreceive, 4, ALL_BITS, 0, EMSGSIZE, EINTR),
	ALWAYS(mq_timedreceive, ETIMEDOUT, EMSGSIZE, EINTR),
	ALWAYS(mq_notify, EBUSY, ENOMEM),
	CREATE_RULES(shmget, 2, IPC_CREAT, IPC_EXCL, ENOMEM, EACCES, ENFILE, EPERM),
	ALWAYS(shmat, ENOMEM, EACCES, EIDRM),
	ALWAYS(shmctl, EPERM, EACCES, EIDRM, ENOMEM),
	CREATE_RULES(semget, 2, IPC_CREAT, IPC_EXCL, ENOMEM, EACCES),
	ALWAYS(semctl, EPERM, EACCES, EIDRM, ERANGE),
	ALWAYS(semop, EIDRM, EACCES, ENOMEM, ERANGE, EFBIG, EINTR),
	ALWAYS(semtimedop, EAGAIN, EIDRM, EACCES, ENOMEM, ERANGE, EFBIG, EINTR),
	CREATE_RULES(msgget, 1, IPC_CREAT, IPC_EXCL, ENOMEM, EACCES),
	WHEN(msgsnd, 3, IPC_NOWAIT, IPC_NOWAIT, EAGAIN, EACCES, EIDRM, ENOMEM),
	ALWAYS(msgsnd, EACCES, EIDRM, ENOMEM, EINTR),
	WHEN(msgrcv, 4, IPC_NOWAIT, IPC_NOWAIT, ENOMSG, EACCES, EIDRM, E2BIG),
	ALWAYS(msgrcv, EACCES, EIDRM, E2BIG, EINTR),
	ALWAYS(msgctl, EPERM, EACCES, EIDRM),
	ALWAYS(add_key, EDQUOT, EACCES, ENOMEM, EKEYEXPIRED, EKEYREVOKED, ENOKEY, EPERM),
	ALWAYS(request_key, ENOKEY, EDQUOT, EACCES, ENOMEM, EKEYEXPIRED, EKEYREVOKED, EKEYREJECTED,
	       EPERM, EINTR),
	ALWAYS(keyctl, ENOKEY, EACCES, EDQUOT, EKEYEXPIRED, EKEYREVOKED, ENOMEM, EOPNOTSUPP, EPERM),

	/* Asynchronous input and output */
	ALWAYS(io_setup, EAGAIN, ENOMEM, ENOSYS),
	ALWAYS(io_submit, EAGAIN, ENOSYS, EPERM),
	ALWAYS(io_getevents, EINTR, ENOSYS),
	ALWAYS(io_pgetevents, EINTR, ENOSYS),
	ALWAYS(io_cancel, EAGAIN, ENOSYS),
	ALWAYS(io_uring_setup, EPERM, ENOSYS, EMFILE, ENFILE, ENOMEM),
	ALWAYS(io_uring_enter, EAGAIN, EBUSY, ENXIO, EOPNOTSUPP, EINTR),
	ALWAYS(io_uring_register, ENOMEM, EMFILE, EBUSY, ENXIO, EOPNOTSUPP),

	/* Mounts and the machine */
	ALWAYS(mount, EPERM, EBUSY, PATH_ERRORS, ENODEV, ENXIO, EROFS, ENOTBLK),
	ALWAYS(umount2, EBUSY, EPERM, EAGAIN, ENOENT, ENAMETOOLONG, ENOMEM),
	ALWAYS(pivot_root, EPERM, EBUSY, ENOTDIR),
	ALWAYS(open_tree, PATH_ERRORS, EMFILE, ENFILE, EPERM, ENOSYS),
	ALWAYS(open_tree_attr, PATH_ERRORS, EMFILE, ENFILE, EPERM, ENOSYS),
	ALWAYS(move_mount, PATH_ERRORS, EPERM, EBUSY, ENOSYS),
	ALWAYS(fsopen, EPERM, ENODEV, EMFILE, ENFILE, ENOMEM, ENOSYS),
	ALWAYS(fsconfig, EPERM, EACCES, EBUSY, ENOMEM, EROFS, ENOENT, ENODEV, EOPNOTSUPP),
	ALWAYS(fsmount, EPERM, EBUSY, EMFILE, ENFILE, ENOMEM),
	ALWAYS(fspick, PATH_ERRORS, EPERM, EMFILE, ENFILE, ENOSYS),
	ALWAYS(mount_setattr, EPERM, EBUSY, ENOENT, ENOMEM, ENOSPC, ENOSYS),
	ALWAYS(statmount, ENOENT, EPERM, ENOMEM, EOVERFLOW, ENOSYS),
	ALWAYS(listmount, ENOENT, EPERM, ENOMEM, ENOSYS),
	ALWAYS(quotactl, EPERM, EACCES, ENOENT, ESRCH, EBUSY, ENOSYS),
	ALWAYS(quotactl_fd, EPERM, EACCES, ENOENT, ESRCH, ENOSYS),
	ALWAYS(swapon, EPERM, EBUSY, ENFILE, ENOENT, ENOMEM),
	ALWAYS(swapoff, EPERM, ENOENT, ENOMEM),
	ALWAYS(acct, EPERM, ENOSYS, PATH_ERRORS, EISDIR, EROFS),
	ALWAYS(sethostname, EPERM, ENAMETOOLONG),
	ALWAYS(setdomainname, EPERM),
	ALWAYS(syslog, EPERM, ENOSYS),
	ALWAYS(reboot, EPERM),
	ALWAYS(init_module, EPERM, EEXIST, ENOMEM, ENOEXEC, EBUSY, EBADMSG, ENOKEY),
	ALWAYS(finit_module, EPERM, EEXIST, ENOMEM, ENOEXEC, EBUSY, EBADMSG, ENOKEY, EFBIG,
	       ETXTBSY),
	ALWAYS(delete_module, EPERM, ENOENT, EBUSY, EWOULDBLOCK),
	ALWAYS(kexec_load, EPERM, EBUSY, ENOMEM, ENOEXEC, EADDRNOTAVAIL),
	ALWAYS(kexec_file_load, EPERM, EBUSY, ENOMEM, ENOEXEC),
#ifdef SYS_iopl
	ALWAYS(iopl, EPERM, ENOSYS),
	ALWAYS(ioperm, EPERM, EIO, ENOMEM),
#endif
};

static bool fits(const struct rule *rule, long number, const uint64_t arguments[6])
{
	return rule->number == number &&
	       ((uint32_t)arguments[rule->argument] & rule->mask) == rule->value;
}

const uint8_t *errnos_of(long number, const uint64_t arguments[6], bool unlikely)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (fits(&rules[i], number, arguments) && (unlikely || !rules[i].unlikely))
			return rules[i].errors;
	return no_errors;
}

bool errnos_happens_all_the_same(long number)
{
	return number == SYS_close || number == SYS_close_range;
}

/* What is shared */

/* Which arguments are handles whose open file a second call would find changed. */
enum { FIRST = 1, SECOND = 2, THIRD = 4 };

static const struct {
	uint16_t number;
	uint8_t handles;
} sharing[] = {
	{SYS_read, FIRST},
	{SYS_readv, FIRST},
	{SYS_write, FIRST},
	{SYS_writev, FIRST},
	{SYS_lseek, FIRST},
	{SYS_getdents64, FIRST},
	{SYS_sendfile, FIRST},
	{SYS_splice, FIRST | THIRD},
	{SYS_tee, FIRST | SECOND},
	{SYS_vmsplice, FIRST},
	{SYS_sendto, FIRST},
	{SYS_sendmsg, FIRST},
	{SYS_sendmmsg, FIRST},
	{SYS_recvfrom, FIRST},
	{SYS_recvmsg, FIRST},
	{SYS_recvmmsg, FIRST},
	{SYS_accept, FIRST},
	{SYS_accept4, FIRST},
	{SYS_connect, FIRST},
	{SYS_bind, FIRST},
	{SYS_listen, FIRST},
	{SYS_shutdown, FIRST},
	{SYS_flock, FIRST},
	{SYS_epoll_ctl, FIRST},
	{SYS_epoll_pwait, FIRST},
	{SYS_epoll_pwait2, FIRST},
	{SYS_inotify_add_watch, FIRST},
	{SYS_inotify_rm_watch, FIRST},
	{SYS_fanotify_mark, FIRST},
	{SYS_timerfd_settime, FIRST},
	{SYS_mq_timedsend, FIRST},
	{SYS_mq_timedreceive, FIRST},
	{SYS_mq_notify, FIRST},
	{SYS_io_uring_enter, FIRST},
	{SYS_io_uring_register, FIRST},
	{SYS_pwrite64, FIRST},
	{SYS_pwritev, FIRST},
	{SYS_ftruncate, FIRST},
	{SYS_fallocate, FIRST},
	{SYS_fchmod, FIRST},
	{SYS_fchown, FIRST},
	{SYS_fsetxattr, FIRST},
	{SYS_setsockopt, FIRST},
#ifdef SYS_getdents
	{SYS_getdents, FIRST},
	{SYS_epoll_wait, FIRST},
#endif
};

/* The request is answered from the handle's own number or settings of the terminal, and changes
 * nothing. */
static bool ioctl_only_asks(uint32_t request)
{
	return request == FIOCLEX || request == FIONCLEX || request == TCGETS ||
	       request == TIOCGWINSZ || request == TIOCGPGRP;
}

/* Flags, locks and owners that belong to the open file, not to the process. */
static bool fcntl_changes_file(uint64_t command)
{
	return command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_SETFL ||
	       command == F_SETOWN || command == F_SETSIG || command == F_SETLEASE ||
	       command == F_SETPIPE_SZ || command == F_ADD_SEALS;
}

/* Those of which other arguments say more than a table can. */
static unsigned int shared_by_arguments(long number, const uint64_t arguments[6])
{
	const uint64_t at_position =
		UINT64_MAX; /* preadv2(), pwritev2(): use and move the position */

	switch (number) {
	case SYS_ioctl:
		return ioctl_only_asks((uint32_t)arguments[1]) ? 0 : FIRST;
	case SYS_fcntl:
		return fcntl_changes_file(arguments[1]) ? FIRST : 0;
	case SYS_preadv2:
	case SYS_pwritev2:
		return arguments[3] == at_position ? FIRST : 0;
	case SYS_sendfile: /* into a socket or at a position; out of one unless told where */
		return FIRST | (arguments[2] == 0 ? SECOND : 0);
	case SYS_copy_file_range:
		return (arguments[1] == 0 ? FIRST : 0) | (arguments[3] == 0 ? THIRD : 0);
	default:
		return 0;
	}
}

size_t errnos_call_shared(long number, const uint64_t arguments[6], int ret_handles[2])
{
	unsigned int handles = shared_by_arguments(number, arguments);
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sharing); i++)
		if (sharing[i].number == number)
			handles |= sharing[i].handles;
	for (unsigned int i = 0; i < 3 && n < 2; i++)
		if (handles & 1u << i)
			ret_handles[n++] = (int)arguments[i];
	return n;
}

/* Names */

#define CALL(name) {SYS_##name, #name},
static const struct {
	uint16_t number;
	const char *name;
} call_names[] = {
#include "faults/call_names.inc"
	/* Once more, should the headers know them: the first is found. */
	CALL(cachestat) CALL(fchmodat2) CALL(statmount) CALL(listmount) CALL(mseal)
		CALL(open_tree_attr)};

const char *errnos_call_name(long number)
{
	for (size_t i = 0; i < ARRAY_SIZE(call_names); i++)
		if (call_names[i].number == number)
			return call_names[i].name;
	return NULL;
}

long errnos_call_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(call_names); i++)
		if (strcmp(call_names[i].name, name) == 0)
			return call_names[i].number;
	return -1;
}

#define ERRNO_MAX 133 /* EHWPOISON is the last */

/* Second names of the same number, which people write. */
static const struct {
	const char *name;
	int error;
} other_names[] = {
	{"EWOULDBLOCK", EWOULDBLOCK},
	{"EDEADLOCK", EDEADLOCK},
	{"ENOTSUP", ENOTSUP},
};

const char *errnos_name(int error)
{
	return error > 0 && error <= ERRNO_MAX ? strerrorname_np(error) : NULL;
}

int errnos_named(const char *name)
{
	for (int error = 1; error <= ERRNO_MAX; error++) {
		const char *known = errnos_name(error);

		if (known && strcmp(known, name) == 0)
			return error;
	}
	for (size_t i = 0; i < ARRAY_SIZE(other_names); i++)
		if (strcmp(other_names[i].name, name) == 0)
			return other_names[i].error;
	return 0;
}
