/* SPDX-License-Identifier: BSD-2-Clause */
#include "tracee/safe_point.h"

#include "elf/glibc_mutex.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>

#define STACK_CHUNK_BYTES 16384
#define LOADER_DATA_BYTES  8192 /* more than struct rtld_global has in any glibc so far */
#define LOADER_PIECE_BYTES 512
#define FILES_MAX          4096
#define STACK_SCAN_BYTES  (256 * 1024) /* a stack in use deeper than this is not judged */
#define ALLOCATOR_SCAN_BYTES 4096
#define HEAP_BYTES	 (64ul << 20)
#define HEAP_HEAD_BYTES	 4096

void safe_rules_add(struct safe_rules *rules, raddr_t low, raddr_t high)
{
	if (rules->n_critical == SAFE_RANGES_MAX || low >= high)
		return;
	rules->critical[rules->n_critical].low = low;
	rules->critical[rules->n_critical].high = high;
	rules->n_critical++;
}

static bool is_critical(const struct safe_rules *rules, raddr_t ip)
{
	for (size_t i = 0; i < rules->n_critical; i++)
		if (ip >= rules->critical[i].low && ip < rules->critical[i].high)
			return true;
	return false;
}

/* Calls in which a thread waits for the world outside: no allocator and no loader ever does. */
static bool is_waiting_call(long number)
{
	switch (number) {
	case __NR_poll:
	case __NR_ppoll:
	case __NR_select:
	case __NR_pselect6:
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
	case __NR_epoll_pwait2:
	case __NR_nanosleep:
	case __NR_clock_nanosleep:
	case __NR_pause:
	case __NR_accept:
	case __NR_accept4:
	case __NR_connect:
	case __NR_recvfrom:
	case __NR_recvmsg:
	case __NR_recvmmsg:
	case __NR_sendto:
	case __NR_sendmsg:
	case __NR_sendmmsg:
	case __NR_wait4:
	case __NR_waitid:
	case __NR_rt_sigtimedwait:
	case __NR_rt_sigsuspend:
	case __NR_semop:
	case __NR_semtimedop:
	case __NR_msgrcv:
	case __NR_msgsnd:
	case __NR_mq_timedreceive:
	case __NR_mq_timedsend:
	case __NR_io_getevents:
	case __NR_io_pgetevents:
	case __NR_io_uring_enter:
	case __NR_flock:
	/* After a stop: nanosleep, poll, or a futex wait with a time limit, which no internal lock
	 * of a libc has. */
	case __NR_restart_syscall:
		return true;
	default:
		return false;
	}
}

/*
 * Calls on files.  An allocator makes none; glibc's loader does, but what pthread_create() needs
 * (the allocator, the list of stacks, the table of TLS blocks) is at rest then, and has to be, for
 * another thread may call it at that time.  musl's loader locks threads out while it loads; there
 * the stack is searched for it.
 */
static bool is_file_call(long number)
{
	switch (number) {
	case __NR_read:
	case __NR_write:
	case __NR_readv:
	case __NR_writev:
	case __NR_pread64:
	case __NR_pwrite64:
	case __NR_open:
	case __NR_openat:
	case __NR_close:
	case __NR_stat:
	case __NR_fstat:
	case __NR_lstat:
	case __NR_newfstatat:
	case __NR_statx:
	case __NR_lseek:
	case __NR_access:
	case __NR_faccessat:
	case __NR_fcntl:
	case __NR_ioctl:
	case __NR_getdents64:
	case __NR_readlink:
	case __NR_unlink:
	case __NR_unlinkat:
	case __NR_rename:
	case __NR_fsync:
	case __NR_fdatasync:
	case __NR_sendfile:
	case __NR_splice:
	case __NR_getpid:
	case __NR_getppid:
	case __NR_kill:
	case __NR_tgkill:
	case __NR_rt_sigqueueinfo:
	case __NR_timer_settime:
	case __NR_setitimer:
	case __NR_socket:
	case __NR_shutdown:
	case __NR_eventfd2:
	case __NR_pipe2:
	case __NR_epoll_ctl:
	case __NR_timerfd_settime:
		return true;
	default:
		return false;
	}
}

/*
 * A futex is what locks are made of.  glibc's condition variables, semaphores and joins wait with
 * FUTEX_WAIT_BITSET; its internal lock, like a plain mutex, with FUTEX_WAIT for the value 2.
 * musl uses FUTEX_WAIT for all: condition variables wait for 2, joins for a small state,
 * semaphores for -1 or INT_MIN; its internal lock for INT_MIN plus a count above zero.
 */
static bool is_waiting_futex(enum elf_libc libc, uint64_t operation, uint64_t value)
{
	uint32_t op = (uint32_t)operation & FUTEX_CMD_MASK, v = (uint32_t)value;

	if (op == FUTEX_WAIT_BITSET || op == FUTEX_WAIT_REQUEUE_PI)
		return true;
	if (op != FUTEX_WAIT || v == UNSAFE_PARKED_VALUE)
		return false;
	if (v == SAFE_PARKED_VALUE)
		return true;
	if (libc == ELF_LIBC_MUSL)
		return v <= 3 || v == UINT32_MAX || v == 0x80000000u;
	return v != 2;
}

/* What is below it on the stack are our own frames, and what is above was judged then. */
static bool is_parked_wait(long number, uint64_t op, uint64_t value)
{
	return number == __NR_futex && (op & FUTEX_CMD_MASK) == FUTEX_WAIT &&
	       (uint32_t)value == SAFE_PARKED_VALUE;
}

static bool is_safe_call(const struct safe_rules *rules, long number, uint64_t op, uint64_t value)
{
	if (number == __NR_futex)
		return is_waiting_futex(rules->libc, op, value);
	return is_waiting_call(number) || is_file_call(number);
}

/* EINTR is all that these report when stopped, and how long they had still to wait is not told. */
static bool loses_time(long number, const uint64_t arguments[6])
{
	switch (number) {
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
		return (int32_t)arguments[3] > 0;
	case __NR_semtimedop:
	case __NR_epoll_pwait2:
		return arguments[3] != 0;
	case __NR_rt_sigtimedwait:
		return arguments[2] != 0;
	default:
		return false;
	}
}

bool safe_is_uninterruptible(pid_t pid, pid_t tid)
{
	char path[64], text[512];
	AUTO_CLOSE int fd = -1;
	ssize_t n;
	const char *after;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return true;
	text[n] = '\0';
	after = strrchr(text, ')');
	return !after || !strchr("RSI", after[2]);
}

enum safe_guess safe_guess(const struct safe_rules *rules, pid_t pid, pid_t tid)
{
	char path[64], text[256];
	AUTO_CLOSE int fd = -1;
	uint64_t a[6] = { 0 };
	long number;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return SAFE_GONE;
	text[n] = '\0';
	if (strncmp(text, "running", 7) == 0)
		return SAFE_RUNNING;
	if (sscanf(text, "%ld %lx %lx %lx %lx %lx %lx", &number, &a[0], &a[1], &a[2], &a[3], &a[4],
		   &a[5]) < 7)
		return SAFE_RUNNING; /* blocked outside a system call: a page fault, say */
	if (!is_safe_call(rules, number, a[1], a[2]))
		return SAFE_UNLIKELY;
	if (is_parked_wait(number, a[1], a[2]))
		return SAFE_PARKED;
	/* Calls on files may wait for a device, or a server, and not stop for anybody. */
	if (!is_waiting_call(number) && number != __NR_futex && safe_is_uninterruptible(pid, tid))
		return SAFE_UNLIKELY;
	if (loses_time(number, a))
		return SAFE_ASLEEP_TIMED;
	return arch_reports_eintr(number) ? SAFE_ASLEEP_EINTR : SAFE_ASLEEP;
}

/* A handler may have interrupted anything, so what lies below it counts as well. */
static bool frame_is_safe(void *data, raddr_t ip)
{
	return !is_critical(data, ip);
}

static bool holds_word_in(const uint64_t *words, size_t n, raddr_t low, raddr_t high)
{
	for (size_t i = 0; i < n; i++)
		if (words[i] >= low && words[i] < high)
			return true;
	return false;
}

/*
 * From the stack pointer to the end of the stack, for signal frames over something critical, and
 * for musl's loader where the thread may be reading files for it.  Words may be left from earlier
 * calls: then we only think worse of the place than it is.
 */
static bool stack_is_safe(const struct safe_rules *rules, const struct tracee *tracee,
			  bool may_be_loading)
{
	uint64_t words[STACK_CHUNK_BYTES / 8 + 64];
	raddr_t sp = arch_sp(&tracee->original) & ~7ul;
	const struct proc_map *map = proc_maps_find(rules->maps, sp);
	raddr_t end = map ? map->high : 0;

	if (!map || end - sp > STACK_SCAN_BYTES)
		end = sp + STACK_SCAN_BYTES;
	for (raddr_t at = sp; at < end; at += STACK_CHUNK_BYTES) {
		/* An overlap, so that a frame across two chunks is seen in one. */
		size_t bytes = end - at > sizeof(words) ? sizeof(words) : end - at;

		if (tracee_read(tracee, at, words, bytes) < 0)
			return at != sp;
		if (!arch_visit_signal_frames(words, bytes / 8, frame_is_safe,
					      (void *)(uintptr_t)rules))
			return false;
		if (may_be_loading && rules->loader_high &&
		    holds_word_in(words, bytes / 8, rules->loader_low, rules->loader_high))
			return false;
		if (at == sp && rules->allocator_high) {
			size_t n = bytes < ALLOCATOR_SCAN_BYTES ? bytes / 8
								: ALLOCATOR_SCAN_BYTES / 8;

			if (holds_word_in(words, n, rules->allocator_low, rules->allocator_high))
				return false;
		}
	}
	return true;
}

/*
 * In the middle of a restartable sequence (rseq(2)) the kernel would have to send the thread to the
 * abort handler, since it will have been elsewhere.  It forgets the sequence instead, as soon as it
 * lets the thread run with another instruction pointer.
 */
static bool is_in_restartable_sequence(const struct tracee *tracee)
{
	struct __ptrace_rseq_configuration area = { 0 };
	struct rseq_cs sequence;
	raddr_t at = 0;

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tracee->tid, (void *)sizeof(area), &area) < 0 ||
	    !area.rseq_abi_pointer)
		return false;
	if (tracee_read(tracee, area.rseq_abi_pointer + offsetof(struct rseq, rseq_cs), &at,
			sizeof(at)) < 0 ||
	    at == 0)
		return false;
	if (tracee_read(tracee, at, &sequence, sizeof(sequence)) < 0)
		return true;
	return arch_ip(&tracee->original) - sequence.start_ip < sequence.post_commit_offset;
}

/*
 * Just before restart_syscall(2), or at its entry: how the call that was interrupted goes on is
 * known to the kernel only, and a signal return, by which a borrowed thread that does not sleep
 * goes home, drops that.
 */
static bool is_restarting(const struct tracee *tracee)
{
	const struct arch_state *state = &tracee->original;
	uint8_t text[ARCH_SYSCALL_BYTES];

	if (tracee->at_entry)
		return arch_syscall_number(state) == __NR_restart_syscall;
	return arch_syscall_result(state) == __NR_restart_syscall &&
	       tracee_read(tracee, arch_ip(state), text, sizeof(text)) == 0 &&
	       arch_is_syscall_instruction(text);
}

bool safe_is_parked(const struct tracee *tracee)
{
	const struct arch_state *state = &tracee->original;

	return is_parked_wait(arch_syscall_number(state), arch_syscall_argument(state, 1),
			      arch_syscall_argument(state, 2));
}

bool safe_to_divert(const struct tracee *tracee)
{
	return !tracee->at_entry && !is_restarting(tracee) &&
	       (tracee->interrupted || !is_in_restartable_sequence(tracee));
}

bool safe_point_here(const struct safe_rules *rules, const struct tracee *tracee)
{
	const struct arch_state *state = &tracee->original;
	long number = arch_syscall_number(state);
	uint8_t text[ARCH_SYSCALL_BYTES];
	bool in_call = false, ok;

	if (is_restarting(tracee))
		return false;
	if (number >= 0 &&
	    tracee_read(tracee, arch_ip(state) - ARCH_SYSCALL_BYTES, text, sizeof(text)) == 0)
		in_call = arch_is_syscall_instruction(text);
	if (in_call)
		ok = is_safe_call(rules, number, arch_syscall_argument(state, 1),
				  arch_syscall_argument(state, 2));
	else
		ok = !is_critical(rules, arch_ip(state)) && !is_in_restartable_sequence(tracee);
	if (in_call && safe_is_parked(tracee))
		return true;
	/* Asleep in a file call: on a pipe, a socket or a terminal, which no loader reads. */
	return ok && stack_is_safe(rules, tracee,
				   in_call && !tracee->interrupted && is_file_call(number));
}

/*
 * glibc's own locks are in libc, the loader, or, of a further heap, in its first page; a heap begins at a
 * multiple of its greatest size.  All others are somebody else's: whoever waits for one holds none of libc's.
 */
static bool is_own_lock(const struct safe_rules *rules, raddr_t lock)
{
	return !is_critical(rules, lock) && lock % HEAP_BYTES >= HEAP_HEAD_BYTES &&
	       (lock < rules->allocator_low || lock >= rules->allocator_high);
}

/*
 * The loader's locks are somewhere in its data, whose layout is its own business.  But a recursive mutex
 * that a certain thread holds looks like nothing else.
 */
static bool holds_loader(const struct safe_rules *rules, const struct tracee *tracee)
{
	uint8_t data[LOADER_DATA_BYTES];
	struct glibc_mutex mutex;
	size_t bytes = 0;

	while (rules->loader_data && bytes < sizeof(data) &&
	       tracee_read(tracee, rules->loader_data + bytes, data + bytes, LOADER_PIECE_BYTES) == 0)
		bytes += LOADER_PIECE_BYTES;
	for (size_t at = 0; at + sizeof(mutex) <= bytes; at += 8) {
		memcpy(&mutex, data + at, sizeof(mutex));
		if ((mutex.lock == 1 || mutex.lock == 2) && mutex.count > 0 &&
		    mutex.kind == PTHREAD_MUTEX_RECURSIVE_NP && mutex.n_users == 1 &&
		    (mutex.owner == tracee->tid || (rules->has_other_ids && mutex.owner > 0)))
			return true;
	}
	return false;
}

/* The beginning of struct _IO_FILE, and of the lock that it points to, as glibc's ABI has them. */
struct glibc_file {
	uint64_t before[13];
	raddr_t next;
	uint64_t between[3];
	raddr_t lock;
};

struct glibc_file_lock {
	int32_t lock, count;
	raddr_t owner; /* the thread's block, where its TLS begins */
};

static bool holds_file(const struct safe_rules *rules, const struct tracee *tracee)
{
	raddr_t tls = arch_tls(&tracee->original), at = 0;
	struct glibc_file_lock lock;
	struct glibc_file file;

	if (!rules->files || tracee_read(tracee, rules->files, &at, sizeof(at)) < 0)
		return false;
	for (int i = 0; at != 0 && i < FILES_MAX; i++) {
		if (tracee_read(tracee, at, &file, sizeof(file)) < 0)
			return false;
		if (file.lock && tracee_read(tracee, file.lock, &lock, sizeof(lock)) == 0 &&
		    lock.lock != 0 && lock.owner == tls)
			return true;
		at = file.next;
	}
	return false;
}

bool safe_to_end(const struct safe_rules *rules, const struct tracee *tracee)
{
	const struct arch_state *state = &tracee->original;

	if (holds_loader(rules, tracee) || holds_file(rules, tracee))
		return false;
	if (safe_point_here(rules, tracee))
		return true;
	return rules->libc == ELF_LIBC_GLIBC && tracee->interrupted &&
	       arch_syscall_number(state) == __NR_futex &&
	       (arch_syscall_argument(state, 1) & FUTEX_CMD_MASK) == FUTEX_WAIT &&
	       (uint32_t)arch_syscall_argument(state, 2) == 2 &&
	       is_own_lock(rules, arch_syscall_argument(state, 0)) &&
	       stack_is_safe(rules, tracee, false);
}

bool safe_stack_room(const struct safe_rules *rules, const struct tracee *tracee, size_t bytes)
{
	raddr_t sp = arch_sp(&tracee->original), tls = arch_tls(&tracee->original);
	const struct proc_map *map = proc_maps_find(rules->maps, sp);

	if (!map || !map->write || map->shared || sp - map->low < bytes)
		return false;
	/* Not a stack that a program made itself, perhaps a small one in the middle of its heap:
	 * the kernel's own for the first thread, one with the thread block on top for others. */
	if (tracee->tid == tracee->pid && strcmp(map->path, "[stack]") == 0)
		return true;
	return tls >= sp && tls < map->high;
}
