/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_win32_library.c - libraries by Win32's names, in targets that never saw ours
 *
 * What both systems have is in win32/ll.c; here is what the targets are on Linux, and what is said
 * to be different in win32.h.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include <tendril/tendril.h>
#include <tendril/win32.h>

#include "support.h"

#define UNTOUCHED 0x2bcd1234u
#define PAGE 4096u
#define WAIT_MS 20000
#define CROWD 8

static char why[WHY_BYTES];
static struct target victim;
static HANDLE process;
static char plug[4096], gate[4096];
static char *room; /* in the victim: two pages, and behind them nothing that can be read */

static void open_victim(void)
{
	process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)victim.pid);
	assert_non_null(process);
	/* What is behind is reserved, but not committed. */
	room = VirtualAllocEx(process, NULL, 3 * PAGE, MEM_RESERVE, PAGE_NOACCESS);
	assert_non_null(room);
	assert_ptr_equal(VirtualAllocEx(process, room, 2 * PAGE, MEM_COMMIT, PAGE_READWRITE), room);
}

static void begin(const char *program, const char *mode)
{
	struct target_start how = { .program = program, .mode = mode };

	assert_int_equal(target_start(&victim, &how), 0);
	open_victim();
	assert_true(support_find("plug.so", plug));
}

static int end_test(void **state)
{
	if (process)
		CloseHandle(process);
	process = NULL;
	target_end(&victim);
	return 0;
}

static void *own(const char *name)
{
	void *function = (void *)(uintptr_t)GetProcAddress(GetModuleHandleA("kernel32"), name);

	assert_non_null(function);
	return function;
}

static HANDLE start(const void *function, const void *argument, DWORD flags)
{
	HANDLE thread = CreateRemoteThread(process, NULL, 0,
					   (LPTHREAD_START_ROUTINE)(uintptr_t)function,
					   (LPVOID)(uintptr_t)argument, flags, NULL);

	if (!thread)
		fail_msg("CreateRemoteThread: error %u", GetLastError());
	return thread;
}

static DWORD finish(HANDLE thread)
{
	DWORD code = UNTOUCHED;

	assert_int_equal(WaitForSingleObject(thread, WAIT_MS), WAIT_OBJECT_0);
	assert_true(GetExitCodeThread(thread, &code));
	assert_true(CloseHandle(thread));
	return code;
}

static DWORD run(const char *name, const void *argument)
{
	return finish(start(own(name), argument, 0));
}

static void *put_at(void *there, const void *bytes, size_t n)
{
	assert_true(WriteProcessMemory(process, there, bytes, n, NULL));
	return there;
}

static void *put(const char *text)
{
	return put_at(room, text, strlen(text) + 1);
}

/* Its base in the victim, by the kernel's word; 0: it is not there. */
static uintptr_t mapped(const char *name)
{
	char path[64], line[8192];
	uintptr_t base = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", victim.pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (!base && fgets(line, sizeof(line), file))
		if (strstr(line, name))
			base = strtoull(line, NULL, 16);
	fclose(file);
	return base;
}

static void loads_plug_and_frees_it(void)
{
	DWORD code = run("LoadLibraryA", put(plug));
	uintptr_t base = mapped("/plug.so");

	assert_int_not_equal(base, 0);
	assert_int_equal(code, (DWORD)base);
	assert_int_equal(run("GetModuleHandleA", put("plug")), (DWORD)base);
	assert_int_equal(run("FreeLibrary", (void *)base), TRUE);
	assert_int_equal(mapped("/plug.so"), 0);
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
}

static void test_target_that_never_saw_us(void **state)
{
	struct snapshot *before = snapshot_new(), *after = snapshot_new();

	begin("victim", "idle-epoll");
	loads_plug_and_frees_it(); /* and the loader has its structures */
	assert_int_equal(snapshot_settle(before, after, victim.pid, 0), 0);
	for (int i = 0; i < 20; i++)
		loads_plug_and_frees_it();
	if (!becomes_same(before, after, victim.pid, 0, 5000, why))
		fail_msg("%s", why);
	snapshot_free(before);
	snapshot_free(after);
}

static void test_target_that_loads_itself(void **state)
{
	begin("victim", "dlopen");
	for (int i = 0; i < 50; i++) {
		assert_int_not_equal(run("LoadLibraryA", put("libm.so.6")), 0);
		assert_int_equal(run("GetCurrentProcessId", NULL), victim.pid);
	}
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
}

static void test_name_that_cannot_be_read(void **state)
{
	const char *names[] = { NULL, (char *)16, (char *)UINT64_C(0xffff800000000000), "", "", "" };

	begin("victim", "idle-epoll");
	names[3] = room + 2 * PAGE; /* reserved only */
	names[4] = room + 2 * PAGE - 1;
	names[5] = put_at(room + 2 * PAGE - 4, "/tmp", 4);
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		assert_int_equal(run("LoadLibraryA", names[i]), 0);
		assert_int_equal(run("LoadLibraryW", names[i]), 0);
	}
	assert_int_equal(run("GetModuleHandleA", names[5]), 0);
	assert_true(target_is_alive(&victim));
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
}

/* The name ends where the memory does, and begins on the page before. */
static void test_name_at_the_end_of_memory(void **state)
{
	size_t bytes = strlen(plug) + 1;
	uint16_t wide[4096];

	begin("victim", "idle-epoll");
	bytes = strlen(plug) + 1;
	for (size_t i = 0; i < bytes; i++)
		wide[i] = (unsigned char)plug[i];
	assert_int_not_equal(run("LoadLibraryA", put_at(room + 2 * PAGE - bytes, plug, bytes)), 0);
	put_at(room + 2 * PAGE - 2 * bytes, wide, 2 * bytes);
	assert_int_equal(run("LoadLibraryW", room + 2 * PAGE - 2 * bytes),
			 (DWORD)mapped("/plug.so"));
}

/* At an odd address a unit lies on two pages; the last one's bytes and the next one's are not 0. */
static void test_wide_name_at_an_odd_address(void **state)
{
	char link[64], rest[2 * PAGE], *there;
	uint16_t wide[64];
	size_t n;
	DWORD code;

	begin("victim", "idle-epoll");
	n = (size_t)snprintf(link, sizeof(link), "/tmp/tendril-%d-", getpid());
	for (size_t i = 0; i < n; i++)
		wide[i] = (unsigned char)link[i];
	strcpy(link + n, "\xc5\x81"); /* U+0141 */
	wide[n++] = 0x0141;
	wide[n++] = 0;
	there = room + PAGE - 5;
	assert_int_equal(symlink(plug, link), 0);
	memset(rest, 'x', sizeof(rest));
	put_at(room, rest, sizeof(rest));
	code = run("LoadLibraryW", put_at(there, wide, 2 * n));
	assert_int_equal(unlink(link), 0);
	assert_int_not_equal(code, 0);
	assert_int_equal(code, (DWORD)mapped("/plug.so"));
}

static void test_name_without_end(void **state)
{
	char text[2 * PAGE];

	begin("victim", "idle-epoll");
	memset(text, 'x', sizeof(text));
	put_at(room, text, sizeof(text));
	assert_int_equal(run("LoadLibraryA", room), 0);
	assert_int_equal(run("LoadLibraryW", room), 0);
	assert_int_equal(run("LoadLibraryA", put("")), 0);
}

static int search_here(void *directory)
{
	return setenv("LD_LIBRARY_PATH", directory, 1);
}

static void test_name_without_directory_or_extension(void **state)
{
	char directory[4096];
	struct target_start how = { .mode = "idle-epoll", .in_child = search_here,
				     .param = directory };

	snprintf(directory, sizeof(directory), "%s", support_targets());
	assert_int_equal(target_start(&victim, &how), 0);
	open_victim();
	assert_int_not_equal(run("LoadLibraryA", put("plug")), 0);
	assert_int_not_equal(mapped("/plug.so"), 0);
	/* An extension, be it the wrong one, is left as it is. */
	assert_int_equal(run("LoadLibraryA", put("plug.dll")), 0);
	assert_int_equal(run("LoadLibraryA", put("./plug")), 0);
}

/* The loader adds less to the addresses in its file than where it begins. */
static void test_library_that_begins_elsewhere(void **state)
{
	char high[4096];
	HMODULE module;
	DWORD code;

	begin("victim", "idle-epoll");
	assert_true(support_find("plug_high.so", high));
	code = run("LoadLibraryA", put(high));
	assert_int_not_equal(code, 0);
	assert_int_equal(code, (DWORD)mapped("/plug_high.so"));
	assert_int_equal(run("FreeLibrary", (void *)mapped("/plug_high.so")), TRUE);
	assert_int_equal(mapped("/plug_high.so"), 0);
	module = LoadLibraryA(high);
	assert_non_null(module);
	assert_ptr_equal(GetModuleHandleA("plug_high"), module);
	assert_non_null(GetProcAddress(module, "plug_answer"));
	assert_true(FreeLibrary(module));
	assert_null(GetModuleHandleA("plug_high"));
}

static void test_free_what_was_not_loaded(void **state)
{
	begin("victim", "idle-epoll");
	assert_int_equal(run("FreeLibrary", NULL), FALSE);
	assert_int_equal(run("FreeLibrary", room), FALSE);
	assert_int_equal(run("FreeLibrary", (void *)(mapped("/libc.so.6") + PAGE)), FALSE);
	/* The program and what it was linked with stay. */
	assert_int_equal(run("FreeLibrary", (void *)mapped("/libc.so.6")), TRUE);
	assert_int_equal(run("FreeLibrary", (void *)mapped("/victim")), TRUE);
	assert_int_equal(run("GetModuleHandleA", NULL), (DWORD)mapped("/victim"));
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
}

/* What is freed has no zeros in it, so that who still uses it does not get away with that. */
static int prepare_crowd(void *fifo)
{
	return setenv("MALLOC_PERTURB_", "110", 1) || setenv("GATE", fifo, 1);
}

/* Not in our own futex, where it was suspended: that is no private one. */
static bool waits_for_lock(DWORD tid)
{
	unsigned long number = 0, at = 0, operation = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%u/syscall", victim.pid, tid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%lu %lx %lx", &number, &at, &operation) != 3)
		number = 0;
	if (file)
		fclose(file);
	return number == SYS_futex && operation == FUTEX_WAIT_PRIVATE;
}

/* They are all at the loader's lock when it is given back. */
static void resume_at_lock(const HANDLE thread[CROWD], const char *fifo)
{
	HANDLE slow = start(own("LoadLibraryA"), put(gate), 0);
	int64_t deadline = deadline_in_ms(WAIT_MS);
	int fd = open(fifo, O_WRONLY | O_CLOEXEC); /* it is in there */

	assert_true(fd >= 0);
	for (int i = 0; i < CROWD; i++) {
		assert_int_equal(ResumeThread(thread[i]), 1);
		while (!waits_for_lock(GetThreadId(thread[i])))
			assert_true(support_now_ns() < deadline);
	}
	assert_int_equal(write(fd, "", 1), 1);
	close(fd);
	assert_int_not_equal(finish(slow), 0);
	assert_int_equal(run("FreeLibrary", (void *)mapped("/gate.so")), TRUE);
}

/* All are on their way when it is loaded, and it is gone when the second one comes to it. */
static void test_free_many_times_at_once(void **state)
{
	char fifo[] = "/tmp/tendril-gate-XXXXXX";
	struct target_start how = { .mode = "idle-epoll", .in_child = prepare_crowd, .param = fifo };
	HANDLE thread[CROWD];
	DWORD freed;
	void *base;

	assert_true(mkdtemp(fifo) != NULL && rmdir(fifo) == 0 && mkfifo(fifo, 0600) == 0);
	assert_int_equal(target_start(&victim, &how), 0);
	open_victim();
	assert_true(support_find("plug.so", plug) && support_find("gate.so", gate));
	for (int i = 0; i < 60; i++) {
		assert_int_not_equal(run("LoadLibraryA", put(plug)), 0);
		base = (void *)mapped("/plug.so");
		for (int k = 0; k < CROWD; k++)
			thread[k] = start(own("FreeLibrary"), base, CREATE_SUSPENDED);
		resume_at_lock(thread, fifo);
		freed = 0;
		for (int k = 0; k < CROWD; k++)
			freed += finish(thread[k]);
		assert_int_equal(freed, TRUE);
		assert_int_equal(mapped("/plug.so"), 0);
	}
	assert_int_equal(unlink(fifo), 0);
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
}

static struct {
	pthread_barrier_t barrier;
	HMODULE module;
	int freed;
} crowd;

static void *free_in_crowd(void *unused)
{
	pthread_barrier_wait(&crowd.barrier);
	if (FreeLibrary(crowd.module))
		__atomic_add_fetch(&crowd.freed, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void test_free_here_many_times_at_once(void **state)
{
	pthread_t thread[CROWD];

	assert_true(support_find("plug.so", plug));
	assert_int_equal(pthread_barrier_init(&crowd.barrier, NULL, CROWD), 0);
	for (int i = 0; i < 200; i++) {
		crowd.module = LoadLibraryA(plug);
		crowd.freed = 0;
		assert_non_null(crowd.module);
		for (int k = 0; k < CROWD; k++)
			assert_int_equal(pthread_create(&thread[k], NULL, free_in_crowd, NULL), 0);
		for (int k = 0; k < CROWD; k++)
			assert_int_equal(pthread_join(thread[k], NULL), 0);
		assert_int_equal(crowd.freed, 1);
		assert_null(GetModuleHandleA("plug.so"));
	}
	assert_int_equal(pthread_barrier_destroy(&crowd.barrier), 0);
}

/* Its place is taken by then, and it has come back elsewhere. */
static void test_free_what_is_elsewhere_by_now(void **state)
{
	struct tendril_target *target = NULL;
	struct tendril_argument place[] = {
		{ 0 }, { .value = PAGE }, { .value = PROT_NONE },
		{ .value = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE },
		{ .value = UINT64_MAX }, { 0 },
	};
	uint64_t function, taken;
	uintptr_t base;
	HANDLE thread;

	begin("victim", "idle-epoll");
	assert_int_not_equal(run("LoadLibraryA", put(plug)), 0);
	base = mapped("/plug.so");
	thread = start(own("FreeLibrary"), (void *)base, CREATE_SUSPENDED);
	assert_int_equal(run("FreeLibrary", (void *)base), TRUE);
	place[0].value = base;
	assert_int_equal(tendril_open(victim.pid, NULL, &target, NULL), 0);
	assert_int_equal(tendril_resolve(target, "libc!mmap", &function, NULL), 0);
	assert_int_equal(tendril_call(target, function, place, 6, WAIT_MS, &taken, NULL), 0);
	tendril_close(target);
	assert_int_equal(taken, base);
	assert_int_not_equal(run("LoadLibraryA", put(plug)), 0);
	assert_int_not_equal(mapped("/plug.so"), base);
	assert_int_equal(ResumeThread(thread), 1);
	assert_int_equal(finish(thread), FALSE);
	assert_int_not_equal(mapped("/plug.so"), 0);
}

static void test_suspended_load(void **state)
{
	HANDLE thread;
	DWORD code;

	begin("victim", "idle-epoll");
	thread = start(own("LoadLibraryA"), put(plug), CREATE_SUSPENDED);
	assert_int_equal(mapped("/plug.so"), 0);
	assert_int_equal(ResumeThread(thread), 1);
	code = finish(thread);
	assert_int_not_equal(code, 0);
	assert_int_equal(code, (DWORD)mapped("/plug.so"));
}

/* As any other thread that was made suspended: the count is the thread's, not the handle's. */
static void test_suspended_load_outlives_its_handle(void **state)
{
	HANDLE thread;
	DWORD id;

	begin("victim", "idle-epoll");
	thread = start(own("LoadLibraryA"), put(plug), CREATE_SUSPENDED);
	id = GetThreadId(thread);
	assert_true(CloseHandle(thread));
	thread = OpenThread(THREAD_ALL_ACCESS, FALSE, id);
	assert_non_null(thread);
	assert_int_equal(ResumeThread(thread), 1);
	assert_int_equal(WaitForSingleObject(thread, WAIT_MS), WAIT_OBJECT_0);
	assert_true(CloseHandle(thread));
	assert_int_not_equal(mapped("/plug.so"), 0);
}

static void test_ids_and_ends(void **state)
{
	DWORD id = 0;
	HANDLE thread;

	begin("victim", "idle-epoll");
	assert_int_equal(run("GetCurrentProcessId", NULL), victim.pid);
	thread = CreateRemoteThread(process, NULL, 0,
				    (LPTHREAD_START_ROUTINE)(uintptr_t)own("GetCurrentThreadId"),
				    NULL, 0, &id);
	assert_non_null(thread);
	assert_int_equal(finish(thread), id);
	assert_int_equal(run("ExitThread", (void *)UINT64_C(0xfedcba9887654321)), 0x87654321u);
	assert_int_equal(run("ExitProcess", (void *)77), 77);
	assert_int_equal(WaitForSingleObject(process, WAIT_MS), WAIT_OBJECT_0);
	assert_true(GetExitCodeProcess(process, &id));
	assert_int_equal(id, 77);
}

static void test_sleep(void **state)
{
	void *function = (void *)(uintptr_t)GetProcAddress(GetModuleHandleA("kernel32"), "Sleep");
	int64_t begun = support_now_ns();

	if (!function)
		SKIP_BECAUSE("this library has no Sleep()");
	begin("victim", "idle-epoll");
	assert_int_equal(finish(start(function, (void *)300, 0)), 0);
	assert_true(support_now_ns() - begun >= 300 * INT64_C(1000000));
}

/* At whichever descriptor it is that is missing: nothing is loaded, or all is well. */
static void test_caller_without_descriptors(void **state)
{
	struct rlimit limit, old;
	unsigned int n_failed = 0, n_before;
	void *function;

	begin("victim", "idle-epoll");
	put(plug);
	function = own("LoadLibraryA");
	loads_plug_and_frees_it();
	put(plug);
	n_before = (unsigned int)count_handles(getpid());
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (unsigned int more = 0; more < 12; more++) {
		HANDLE thread;

		limit = old;
		limit.rlim_cur = n_before + more;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		thread = CreateRemoteThread(process, NULL, 0,
					    (LPTHREAD_START_ROUTINE)(uintptr_t)function, room, 0,
					    NULL);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		if (thread) {
			DWORD code = finish(thread);

			assert_int_equal(code, (DWORD)mapped("/plug.so"));
		} else {
			assert_int_equal(GetLastError(), ERROR_TOO_MANY_OPEN_FILES);
			n_failed++;
		}
		assert_int_equal(count_handles(getpid()), n_before);
	}
	assert_in_range(n_failed, 1, 11);
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
}

static void test_static_target(void **state)
{
	char path[4096];

	if (!support_find("plain_static", path))
		SKIP_BECAUSE("there is no plain_static");
	assert_int_equal(target_start(&victim, &(struct target_start){ .program = "plain_static" }),
			 0);
	process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)victim.pid);
	assert_non_null(process);
	SetLastError(UNTOUCHED);
	assert_null(CreateRemoteThread(process, NULL, 0,
				       (LPTHREAD_START_ROUTINE)(uintptr_t)own("LoadLibraryA"), NULL,
				       0, NULL));
	assert_int_equal(GetLastError(), ERROR_NOT_SUPPORTED);
	assert_true(target_is_alive(&victim));
}

static void test_filtered_target(void **state)
{
	begin("filtered", "busy");
	assert_int_equal(run("GetCurrentProcessId", NULL), victim.pid);
	assert_int_equal(run("GetModuleHandleA", NULL), (DWORD)mapped("/filtered"));
	/* To open a file would be its end. */
	SetLastError(UNTOUCHED);
	assert_null(CreateRemoteThread(process, NULL, 0,
				       (LPTHREAD_START_ROUTINE)(uintptr_t)own("LoadLibraryA"),
				       put(plug), 0, NULL));
	assert_int_equal(GetLastError(), ERROR_ACCESS_DENIED);
	assert_int_equal(run("GetCurrentProcessId", NULL), victim.pid);
	assert_true(target_is_alive(&victim));
}

static void test_musl_target(void **state)
{
	char path[4096];
	DWORD code;

	if (!support_find("victim_musl", path))
		SKIP_BECAUSE("no musl-gcc");
	begin("victim_musl", "idle-epoll");
	assert_true(support_find("plug_musl.so", path));
	code = run("LoadLibraryA", put(path));
	assert_int_not_equal(code, 0);
	assert_int_equal(code, (DWORD)mapped("/plug_musl.so"));
	assert_int_equal(run("GetModuleHandleA", put("plug_musl")), code);
	assert_int_equal(run("LoadLibraryA", put("/none.so")), 0);
	/* Its dlclose() does nothing. */
	assert_int_equal(run("FreeLibrary", (void *)mapped("/plug_musl.so")), TRUE);
	assert_int_equal((DWORD)mapped("/plug_musl.so"), code);
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
}

/* --- here ---------------------------------------------------------------------------------- */

static void test_names_of_windows(void **state)
{
	static const char *const names[] = { "kernel32", "KERNEL32.DLL", "KernelBase.dll", "ntdll",
					     "C:\\Windows\\System32\\psapi.dll" };
	HMODULE module = GetModuleHandleA("kernel32.dll");

	assert_non_null(module);
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		assert_ptr_equal(GetModuleHandleA(names[i]), module);
	assert_ptr_equal(LoadLibraryA("kernel32.dll"), module);
	assert_true(FreeLibrary(module)); /* we stay */
	assert_ptr_equal(GetModuleHandleA("kernel32.dll"), module);
	assert_null(GetModuleHandleA("kernel33.dll"));
	assert_null(GetModuleHandleA("kernel32x"));
	assert_ptr_equal((void *)(uintptr_t)GetProcAddress(module, "CloseHandle"),
			 (void *)(uintptr_t)CloseHandle);
	assert_ptr_equal((void *)(uintptr_t)GetProcAddress(module, "GetProcAddress"),
			 (void *)(uintptr_t)GetProcAddress);
}

static void test_functions(void **state)
{
	HMODULE libc = GetModuleHandleA("libc");
	void *puts_there = dlsym(RTLD_DEFAULT, "strtoull");

	assert_non_null(libc);
	assert_ptr_equal((void *)(uintptr_t)GetProcAddress(libc, "strtoull"), puts_there);
	SetLastError(UNTOUCHED);
	assert_null(GetProcAddress(libc, "no such function"));
	assert_int_equal(GetLastError(), ERROR_PROC_NOT_FOUND);
	/* What is another's is not ours, though it can be reached from here. */
	SetLastError(UNTOUCHED);
	assert_null(GetProcAddress(GetModuleHandleA("libtendril"), "strtoull"));
	assert_int_equal(GetLastError(), ERROR_PROC_NOT_FOUND);
	SetLastError(UNTOUCHED);
	assert_null(GetProcAddress(libc, (LPCSTR)(uintptr_t)17));
	assert_int_equal(GetLastError(), ERROR_PROC_NOT_FOUND);
	SetLastError(UNTOUCHED);
	assert_null(GetProcAddress((HMODULE)(uintptr_t)&victim, "strtoull"));
	assert_int_equal(GetLastError(), ERROR_MOD_NOT_FOUND);
}

static void test_load_here(void **state)
{
	uint16_t wide[4096] = { 0 };
	HMODULE module;

	assert_true(support_find("plug.so", plug));
	for (size_t i = 0; plug[i]; i++)
		wide[i] = (unsigned char)plug[i];
	module = LoadLibraryA(plug);
	assert_non_null(module);
	assert_ptr_equal(LoadLibraryW(wide), module);
	assert_ptr_equal(LoadLibraryExA(plug, NULL, LOAD_WITH_ALTERED_SEARCH_PATH), module);
	assert_ptr_equal(LoadLibraryExW(wide, NULL, 0), module);
	assert_ptr_equal(GetModuleHandleW(wide), module);
	assert_int_equal(((unsigned long (*)(void))(uintptr_t)GetProcAddress(module, "plug_answer"))(),
			 42);
	for (int i = 0; i < 4; i++) {
		assert_ptr_equal(GetModuleHandleA("plug.so"), module);
		assert_true(FreeLibrary(module));
	}
	assert_null(GetModuleHandleA("plug.so"));
	SetLastError(UNTOUCHED);
	assert_false(FreeLibrary(module));
	assert_int_equal(GetLastError(), ERROR_MOD_NOT_FOUND);
}

static void test_load_nothing(void **state)
{
	SetLastError(UNTOUCHED);
	assert_null(LoadLibraryA("/no/such/library.so"));
	assert_int_equal(GetLastError(), ERROR_MOD_NOT_FOUND);
	SetLastError(UNTOUCHED);
	assert_null(LoadLibraryA(""));
	assert_int_equal(GetLastError(), ERROR_MOD_NOT_FOUND);
	SetLastError(UNTOUCHED);
	assert_null(LoadLibraryA(NULL));
	assert_int_equal(GetLastError(), ERROR_INVALID_PARAMETER);
	SetLastError(UNTOUCHED);
	assert_null(LoadLibraryW(NULL));
	assert_int_equal(GetLastError(), ERROR_INVALID_PARAMETER);
	SetLastError(UNTOUCHED);
	assert_null(LoadLibraryExA("libm.so.6", NULL, 2)); /* as data: that is not had here */
	assert_int_equal(GetLastError(), ERROR_INVALID_PARAMETER);
	SetLastError(UNTOUCHED);
	assert_false(FreeLibrary(NULL));
	assert_int_equal(GetLastError(), ERROR_MOD_NOT_FOUND);
}

static void test_file_names(void **state)
{
	char path[4096], program[4096] = "";
	uint16_t wide[4096];
	DWORD n = GetModuleFileNameA(NULL, path, sizeof(path));

	assert_true(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
	assert_string_equal(path, program);
	assert_int_equal(n, strlen(program));
	assert_int_equal(GetModuleFileNameW(GetModuleHandleA(NULL), wide, ARRAY_LENGTH(wide)), n);
	assert_int_equal(wide[n], 0);
	assert_int_equal(wide[n - 1], program[n - 1]);
	SetLastError(UNTOUCHED);
	assert_int_equal(GetModuleFileNameA(NULL, path, n), n); /* no place for the terminator */
	assert_int_equal(GetLastError(), ERROR_INSUFFICIENT_BUFFER);
	assert_int_equal(strlen(path), n - 1);
	SetLastError(UNTOUCHED);
	assert_int_equal(GetModuleFileNameA(NULL, path, n + 1), n);
	assert_int_equal(GetLastError(), UNTOUCHED);
	assert_int_equal(GetModuleFileNameA((HMODULE)(uintptr_t)&victim, path, n), 0);
	assert_int_equal(GetLastError(), ERROR_MOD_NOT_FOUND);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, end_test)
	const struct CMUnitTest tests[] = {
		TEST(test_target_that_never_saw_us),
		TEST(test_target_that_loads_itself),
		TEST(test_name_that_cannot_be_read),
		TEST(test_name_at_the_end_of_memory),
		TEST(test_wide_name_at_an_odd_address),
		TEST(test_name_without_end),
		TEST(test_name_without_directory_or_extension),
		TEST(test_library_that_begins_elsewhere),
		TEST(test_free_what_was_not_loaded),
		TEST(test_free_many_times_at_once),
		TEST(test_free_here_many_times_at_once),
		TEST(test_free_what_is_elsewhere_by_now),
		TEST(test_suspended_load),
		TEST(test_suspended_load_outlives_its_handle),
		TEST(test_ids_and_ends),
		TEST(test_sleep),
		TEST(test_caller_without_descriptors),
		TEST(test_static_target),
		TEST(test_filtered_target),
		TEST(test_musl_target),
		TEST(test_names_of_windows),
		TEST(test_functions),
		TEST(test_load_here),
		TEST(test_load_nothing),
		TEST(test_file_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
