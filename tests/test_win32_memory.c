/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_win32_memory.c - memory of other processes: what tests/win32/vm.c cannot ask on Windows
 *
 * Callers that are killed, reservations of others, and pages that only look like ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "win32/space.h" /* before cmocka, whose fail() is another */
#include "support.h"
#include <cmocka.h>

#define BYTES     ((SIZE_T)0x30000)
#define ALL_BYTES (BYTES + PAGE_BYTES)
#define N_KILLS   100 /* in each kind of target */

static struct target victim;
static char why[WHY_BYTES];
static HANDLE process;

static void begin(const char *mode, unsigned int threads)
{
	if (target_start_victim(&victim, mode, threads) < 0)
		fail_msg("no victim");
	process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)victim.pid);
	assert_non_null(process);
}

static int end(void **state)
{
	(void)state;
	if (process)
		(void)CloseHandle(process);
	process = NULL;
	target_end(&victim);
	return 0;
}

static void assert_well(void)
{
	if (!target_is_well(&victim, why))
		fail_msg("%s: %s", victim.mode, why);
}

static raddr_t alloc(raddr_t at, SIZE_T bytes, DWORD type)
{
	return (uintptr_t)VirtualAllocEx(process, (LPVOID)at, bytes, type, PAGE_READWRITE);
}

static BOOL release(raddr_t at)
{
	return VirtualFreeEx(process, (LPVOID)at, 0, MEM_RELEASE);
}

static MEMORY_BASIC_INFORMATION query(raddr_t at)
{
	MEMORY_BASIC_INFORMATION info = { 0 };

	assert_int_equal(VirtualQueryEx(process, (LPCVOID)at, &info, sizeof(info)), sizeof(info));
	return info;
}

/* --- callers that are killed ------------------------------------------------------------- */

/* Bytes that are mapped, and where a reservation of ours is; 0: nowhere. */
static uint64_t look(raddr_t *ret_base, raddr_t *ret_unwritten)
{
	struct proc_maps maps;
	uint64_t bytes = 0;

	*ret_base = *ret_unwritten = 0;
	assert_int_equal(proc_maps_read(victim.pid, &maps), 0);
	for (size_t i = 0; i < maps.n_maps; i++) {
		if (strcmp(maps.map[i].path, "[stack]") != 0)
			bytes += maps.map[i].high - maps.map[i].low;
		if (region_is_page(&maps.map[i]))
			*ret_base = maps.map[i].high;
		else if (maps.map[i].high - maps.map[i].low == ALL_BYTES && !maps.map[i].path[0])
			*ret_unwritten = maps.map[i].low;
	}
	proc_maps_done(&maps);
	return bytes;
}

/* Until it is killed; says with one byte that it has begun. */
static pid_t start_caller(int *ret_said)
{
	int fds[2];
	pid_t child;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		DWORD old;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0;; i++) {
			raddr_t at = alloc(0, BYTES, MEM_RESERVE | MEM_COMMIT);

			if (!at || !VirtualProtectEx(process, (LPVOID)at, 1, PAGE_READONLY, &old) ||
			    !release(at))
				_exit(1);
			if (i == 0 && write(fds[1], "x", 1) != 1)
				_exit(2);
		}
	}
	close(fds[1]);
	*ret_said = fds[0];
	return child;
}

static void kill_a_caller(long moment_ns)
{
	struct timespec moment = { .tv_nsec = moment_ns };
	int said, status = 0;
	pid_t child = start_caller(&said);
	char c;

	if (read(said, &c, 1) != 1)
		fail_msg("the caller did not begin");
	close(said);
	(void)nanosleep(&moment, NULL);
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSIGNALED(status))
		fail_msg("the caller failed by itself, %#x", (unsigned int)status);
}

/* What is there is all of it, and can be given back by another process. */
static void give_back(uint64_t before, unsigned int *n_left)
{
	int64_t deadline_ns = deadline_in_ms(5000);
	raddr_t base, unwritten;
	uint64_t now = look(&base, &unwritten);

	/* The thread may be on its way, about to unmap. */
	while (now != before && now != before + ALL_BYTES && support_again(deadline_ns))
		now = look(&base, &unwritten);
	if (now != before && now != before + ALL_BYTES)
		fail_msg("%s: %ld bytes of %ld", victim.mode, (long)(now - before), (long)ALL_BYTES);
	if (!target_is_well(&victim, why))
		fail_msg("%s: %s", victim.mode, why);
	now = look(&base, &unwritten);
	if (now == before)
		return;
	++*n_left;
	if (base) {
		assert_true(release(base));
	} else {
		const uint64_t arguments[6] = { unwritten, ALL_BYTES };
		struct tendril_target *target = NULL;
		int64_t result = -1;

		assert_true(unwritten != 0);
		assert_int_equal(tendril_open(victim.pid, NULL, &target, NULL), 0);
		assert_int_equal(remote_syscall(target, SYS_munmap, arguments, &result, NULL), 0);
		assert_int_equal(result, 0);
		tendril_close(target);
	}
	assert_int_equal(look(&base, &unwritten), before);
}

static void test_a_caller_that_is_killed_leaves_all_or_nothing(void **state)
{
	static const char *const modes[] = { "idle-read", "idle-nanosleep", "signals" };
	uint64_t random = 88172645463325252u;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		unsigned int n_left = 0;
		raddr_t base, unwritten;
		uint64_t before;

		begin(modes[i], 1);
		base = alloc(0, BYTES, MEM_COMMIT); /* its libc has now what it wants to have */
		assert_true(base != 0 && release(base));
		before = look(&base, &unwritten);
		for (int n = 0; n < N_KILLS; n++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			kill_a_caller((long)(random % 2000000));
			give_back(before, &n_left);
		}
		printf("# %s: %u of %d left an allocation\n", modes[i], n_left, N_KILLS);
		assert_well();
		(void)end(NULL);
	}
}

static unsigned int n_calls;

/* Before the second system call of an allocation: it is mapped and not yet closed below. */
static int die_half_way(const char *point)
{
	if (strcmp(point, "borrowed call") == 0 && ++n_calls == 2)
		(void)kill(getpid(), SIGKILL);
	return 0;
}

static void test_what_is_half_there_goes_with_its_caller(void **state)
{
	raddr_t base, unwritten;
	uint64_t before, now;
	int64_t deadline_ns;
	int status = 0;
	pid_t child;

	(void)state;
	begin("idle-read", 1);
	base = alloc(0, BYTES, MEM_COMMIT);
	assert_true(base != 0 && release(base));
	before = look(&base, &unwritten);
	child = fork();
	if (child == 0) {
		tendril_fault_hook = die_half_way;
		_exit(alloc(0, BYTES, MEM_COMMIT) != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	deadline_ns = deadline_in_ms(5000);
	do
		now = look(&base, &unwritten);
	while (now != before && support_again(deadline_ns));
	assert_int_equal(now, before);
	assert_well();
}

/* --- reservations of others -------------------------------------------------------------- */

static raddr_t alloc_in_a_child(SIZE_T bytes, DWORD type)
{
	int fds[2], status = 0;
	raddr_t at = 0;
	pid_t child;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		at = alloc(0, bytes, type);
		_exit(write(fds[1], &at, sizeof(at)) != sizeof(at));
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &at, sizeof(at)), sizeof(at));
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	return at;
}

static void test_who_made_a_reservation_does_not_matter(void **state)
{
	raddr_t base;
	char c = 7;

	(void)state;
	begin("idle-read", 1);
	base = alloc_in_a_child(BYTES, MEM_RESERVE);
	assert_true(base != 0);
	assert_int_equal(query(base + BYTES - 1).State, MEM_RESERVE);
	assert_int_equal(query(base + BYTES - 1).AllocationProtect, PAGE_READWRITE);
	assert_int_equal((uintptr_t)query(base + BYTES - 1).AllocationBase, base);
	assert_int_equal(alloc(base + 0x11000, 1, MEM_COMMIT), base + 0x11000);
	assert_true(WriteProcessMemory(process, (LPVOID)(base + 0x11000), &c, 1, NULL));
	assert_int_equal(alloc(base, 1, MEM_RESERVE), 0);
	assert_true(VirtualFreeEx(process, (LPVOID)base, 0, MEM_DECOMMIT));
	assert_false(ReadProcessMemory(process, (LPVOID)(base + 0x11000), &c, 1, NULL));
	assert_true(release(base));
	assert_int_equal(query(base).State, MEM_FREE);
	assert_well();
}

static void test_a_reservation_right_above_another(void **state)
{
	raddr_t base;

	(void)state;
	begin("idle-read", 1);
	base = alloc(0, 3 * 65536, MEM_RESERVE);
	assert_true(base != 0 && release(base));
	assert_int_equal(alloc(base, 65536, MEM_RESERVE), base);
	/* No page is left for the record. */
	assert_int_equal(alloc(base + 65536, 65536, MEM_RESERVE), base + 65536);
	assert_int_equal(query(base).RegionSize, 65536);
	assert_int_equal((uintptr_t)query(base + 65536).AllocationBase, base + 65536);
	assert_int_equal(alloc(base + 65536, 1, MEM_COMMIT), base + 65536);
	assert_int_equal(query(base + 65536).RegionSize, 4096);
	assert_int_equal(alloc(base + 65535, 2, MEM_COMMIT), 0);
	assert_int_equal(GetLastError(), ERROR_INVALID_ADDRESS);
	assert_true(release(base));
	assert_int_equal(query(base + 65536).State, MEM_COMMIT);
	assert_true(release(base + 65536));
	assert_false(release(base + 65536));
	assert_int_equal(query(base).State, MEM_FREE);
	assert_well();
}

/* --- what only looks like ours ----------------------------------------------------------- */

/* A page without access, as the guard below a thread's stack. */
static raddr_t find_guard(void)
{
	struct proc_maps maps;
	raddr_t at = 0;

	assert_int_equal(proc_maps_read(victim.pid, &maps), 0);
	for (size_t i = 0; i < maps.n_maps && !at; i++)
		if (!maps.map[i].read && !maps.map[i].write && !maps.map[i].execute &&
		    maps.map[i].inode == 0)
			at = maps.map[i].low;
	proc_maps_done(&maps);
	return at;
}

static void test_a_guard_is_no_reservation(void **state)
{
	raddr_t guard;

	(void)state;
	begin("idle-cond", 3);
	guard = find_guard();
	assert_true(guard != 0);
	assert_int_equal(alloc(guard, 1, MEM_COMMIT), 0);
	assert_int_equal(GetLastError(), ERROR_INVALID_ADDRESS);
	assert_false(VirtualFreeEx(process, (LPVOID)guard, 1, MEM_DECOMMIT));
	assert_int_equal(GetLastError(), ERROR_INVALID_ADDRESS);
	assert_false(release(guard));
	assert_int_equal(query(guard).State, MEM_COMMIT);
	assert_int_equal(query(guard).Protect, PAGE_NOACCESS);
	assert_well();
}

static void write_record(raddr_t base, const struct region_record *record)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", victim.pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, record, sizeof(*record), (off_t)(base - PAGE_BYTES)),
			 sizeof(*record));
	close(fd);
}

static void test_a_record_that_lies_does_no_harm(void **state)
{
	struct region_record good, bad;
	raddr_t base;
	DWORD old;

	(void)state;
	begin("idle-read", 1);
	base = alloc(0, BYTES, MEM_COMMIT);
	assert_true(base != 0);
	region_init(&good, base, BYTES, PAGE_READWRITE);
	for (int i = 0; i < 5; i++) {
		bad = good;
		if (i == 0)
			bad.bytes = UINT64_MAX - 4095;
		if (i == 1)
			bad.base += 65536;
		if (i == 2)
			bad.n_closed = UINT32_MAX;
		if (i == 3)
			bad.mark[1]++;
		if (i == 4)
			bad.bytes = 1;
		write_record(base, &bad);
		assert_false(release(base));
		assert_int_equal(GetLastError(), ERROR_INVALID_ADDRESS);
		assert_int_equal(alloc(base, 1, MEM_COMMIT), 0);
		assert_int_equal(query(base).State, MEM_COMMIT);
		assert_true(VirtualProtectEx(process, (LPVOID)base, 1, PAGE_READWRITE, &old));
	}
	write_record(base, &good);
	assert_true(release(base));
	assert_well();
}

/* The last piece of the list that can be written down, and one more. */
static void test_many_closed_pages(void **state)
{
	SIZE_T bytes = 2 * (CLOSED_MAX + 1) * PAGE_BYTES;
	raddr_t base;
	DWORD old;

	(void)state;
	begin("idle-read", 1);
	base = alloc(0, bytes, MEM_COMMIT);
	assert_true(base != 0);
	for (SIZE_T i = 0; i < CLOSED_MAX; i++)
		assert_true(VirtualProtectEx(process, (LPVOID)(base + 2 * i * PAGE_BYTES), 1,
					     PAGE_NOACCESS, &old));
	assert_false(VirtualProtectEx(process, (LPVOID)(base + 2 * CLOSED_MAX * PAGE_BYTES), 1,
				      PAGE_NOACCESS, &old));
	assert_int_equal(GetLastError(), ERROR_NOT_ENOUGH_MEMORY);
	assert_int_equal(query(base + 2 * CLOSED_MAX * PAGE_BYTES).Protect, PAGE_READWRITE);
	assert_int_equal(query(base).State, MEM_COMMIT);
	assert_int_equal(query(base).Protect, PAGE_NOACCESS);
	/* Closed as a whole it is one piece. */
	assert_true(VirtualProtectEx(process, (LPVOID)base, bytes, PAGE_NOACCESS, &old));
	assert_int_equal(query(base).RegionSize, bytes);
	assert_true(release(base));
	assert_well();
}

/* --- filters ----------------------------------------------------------------------------- */

static void forbid(long number)
{
	struct sock_filter program[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned int)number },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	struct sock_fprog fprog = { ARRAY_LENGTH(program), program };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog) < 0)
		_exit(1);
}

/* A child, since a program that is executed could not even be loaded. */
static pid_t start_filtered(long number)
{
	int fds[2];
	pid_t child;
	char c;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		forbid(number);
		if (write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	return child;
}

/* What cannot be finished, nor be taken back, is not begun. */
static void test_a_filter_that_stops_half_way_leaves_nothing_mapped(void **state)
{
	static const long forbidden[] = { SYS_mprotect, SYS_munmap };

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(forbidden); i++) {
		raddr_t base, unwritten;
		uint64_t before;

		victim.pid = start_filtered(forbidden[i]);
		process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)victim.pid);
		assert_non_null(process);
		before = look(&base, &unwritten);
		assert_int_equal(alloc(0, BYTES, MEM_COMMIT), 0);
		assert_int_equal(GetLastError(), ERROR_ACCESS_DENIED);
		assert_int_equal(look(&base, &unwritten), before);
		assert_int_equal(WaitForSingleObject(process, 0), WAIT_TIMEOUT);
		assert_true(CloseHandle(process));
		process = NULL;
		assert_int_equal(kill(victim.pid, SIGKILL), 0);
		assert_int_equal(waitpid(victim.pid, NULL, 0), victim.pid);
		victim.pid = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_who_made_a_reservation_does_not_matter, end),
		cmocka_unit_test_teardown(test_a_reservation_right_above_another, end),
		cmocka_unit_test_teardown(test_a_guard_is_no_reservation, end),
		cmocka_unit_test_teardown(test_a_record_that_lies_does_no_harm, end),
		cmocka_unit_test_teardown(test_many_closed_pages, end),
		cmocka_unit_test(test_a_filter_that_stops_half_way_leaves_nothing_mapped),
		cmocka_unit_test_teardown(test_what_is_half_there_goes_with_its_caller, end),
		cmocka_unit_test_teardown(test_a_caller_that_is_killed_leaves_all_or_nothing, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
