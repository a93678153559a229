/* SPDX-License-Identifier: BSD-2-Clause */
/* rw.c - ReadProcessMemory(), WriteProcessMemory() */
#include "test.h"

#define PAGE ((SIZE_T)4096)

static LPVOID commit(SIZE_T size, DWORD protect)
{
	LPVOID base = VirtualAllocEx(shared->process, NULL, size, MEM_RESERVE | MEM_COMMIT, protect);

	CHECK(base != NULL);
	return base;
}

static void release(LPVOID base)
{
	CHECK(VirtualFreeEx(shared->process, base, 0, MEM_RELEASE));
}

/* Write @size bytes there, read them back, and look that the neighbours are as they were. */
static void check_copy(char *there, SIZE_T size)
{
	char *out = malloc(size), *back = calloc(1, size), c = 9;
	SIZE_T n = UNTOUCHED;

	for (SIZE_T i = 0; i < size; i++)
		out[i] = (char)(i * 7 + i / 4096 + 1);
	CHECK(WriteProcessMemory(shared->process, there, out, size, &n));
	CHECK_EQ(n, size);
	n = UNTOUCHED;
	CHECK(ReadProcessMemory(shared->process, there, back, size, &n));
	CHECK_EQ(n, size);
	CHECK(memcmp(out, back, size) == 0);
	CHECK(ReadProcessMemory(shared->process, there - 1, &c, 1, NULL) && c == 0);
	CHECK(ReadProcessMemory(shared->process, there + size, &c, 1, NULL) && c == 0);
	memset(out, 0, size);
	CHECK(WriteProcessMemory(shared->process, there, out, size, NULL));
	free(out);
	free(back);
}

TEST(RW_01)
{
	char *there = commit(PAGE, PAGE_READWRITE), near_it[6] = "....";
	SIZE_T n = UNTOUCHED;

	check_copy(there + 100, 300);
	/* The caller's neighbours too. */
	CHECK(WriteProcessMemory(shared->process, there, "abc", 2, NULL));
	CHECK(ReadProcessMemory(shared->process, there, near_it + 1, 2, &n));
	CHECK_EQ(n, 2);
	CHECK(memcmp(near_it, ".ab.", 4) == 0);
	release(there);
}

TEST(RW_02)
{
	SIZE_T sizes[] = { 1, 2, 7, 8, 4095, 4096, 4097, 12345, 65536 };
	char *there = commit(32 * PAGE, PAGE_READWRITE);

	for (int i = 0; i < 9; i++)
		for (SIZE_T offset = 1; offset <= 9; offset += 4)
			check_copy(there + PAGE - offset, sizes[i]);
	release(there);
}

TEST(RW_02_big)
{
	SIZE_T size = ((SIZE_T)64 << 20) + 3;
	char *there = commit(size + 2, PAGE_READWRITE);

	check_copy(there + 1, size);
	release(there);
}

TEST(RW_03)
{
	char *gone = commit(PAGE, PAGE_READWRITE);
	LPVOID nothing[] = { (LPVOID)(uintptr_t)16, gone };
	char buffer[8] = "";
	SIZE_T n;

	release(gone);
	for (int i = 0; i < 2; i++) {
		n = UNTOUCHED;
		CHECK_FAILS(ReadProcessMemory(shared->process, nothing[i], buffer, 8, &n),
			    ERROR_PARTIAL_COPY);
		CHECK_EQ(n, 0);
		n = UNTOUCHED;
		CHECK_FAILS_ANY(WriteProcessMemory(shared->process, nothing[i], buffer, 8, &n),
				ERROR_PARTIAL_COPY, ERROR_NOACCESS);
		CHECK_EQ(n, 0);
	}
}

TEST(RW_04)
{
	char *base = VirtualAllocEx(shared->process, NULL, 16 * PAGE, MEM_RESERVE, PAGE_READWRITE);
	char buffer[8192] = "";
	SIZE_T n = UNTOUCHED;

	CHECK(VirtualAllocEx(shared->process, base, PAGE, MEM_COMMIT, PAGE_READWRITE) != NULL);
	CHECK_FAILS(ReadProcessMemory(shared->process, base + 2048, buffer, 8192, &n),
		    ERROR_PARTIAL_COPY);
	CHECK(n <= 2048);
	n = UNTOUCHED;
	CHECK_FAILS_ANY(WriteProcessMemory(shared->process, base + 2048, buffer, 8192, &n),
			ERROR_PARTIAL_COPY, ERROR_NOACCESS);
	CHECK(n <= 2048);
	release(base);
}

TEST(RW_05)
{
	LPVOID there = target_address(shared, constant);
	LPVOID page = commit(PAGE, PAGE_READONLY);
	LPVOID each[] = { there, page };
	char text[64] = "";
	SIZE_T n;

	for (int i = 0; i < 2; i++) {
		n = UNTOUCHED;
		CHECK_FAILS_ANY(WriteProcessMemory(shared->process, each[i], "X", 1, &n),
				ERROR_NOACCESS, ERROR_PARTIAL_COPY, ERROR_ACCESS_DENIED);
		CHECK_EQ(n, 0);
	}
	CHECK(ReadProcessMemory(shared->process, there, text, sizeof(text), NULL));
	CHECK(strcmp(text, "read-only data") == 0);
	CHECK(ReadProcessMemory(shared->process, page, text, 1, NULL));
	CHECK_EQ(text[0], 0);
	release(page);
}

TEST(RW_06)
{
	LPVOID reserved = VirtualAllocEx(shared->process, NULL, PAGE, MEM_RESERVE, PAGE_READWRITE);
	LPVOID closed = commit(PAGE, PAGE_NOACCESS);
	char c = 9;

	CHECK_FAILS_ANY(ReadProcessMemory(shared->process, reserved, &c, 1, NULL),
			ERROR_PARTIAL_COPY, ERROR_NOACCESS);
	CHECK_FAILS_ANY(ReadProcessMemory(shared->process, closed, &c, 1, NULL),
			ERROR_PARTIAL_COPY, ERROR_NOACCESS);
	CHECK_EQ(c, 9);
	release(reserved);
	release(closed);
}

TEST(RW_07)
{
	LPVOID there = target_address(shared, &cell);
	HANDLE may_read = target_open(shared, PROCESS_VM_READ);
	HANDLE may_write = target_open(shared, PROCESS_VM_WRITE | PROCESS_VM_OPERATION);
	HANDLE write_only = target_open(shared, PROCESS_VM_WRITE);
	HANDLE operate_only = target_open(shared, PROCESS_VM_OPERATION);
	HANDLE cannot_write[] = { may_read, write_only, operate_only };
	HANDLE cannot_read[] = { may_write, write_only, operate_only };
	char c = 0;

	CHECK(ReadProcessMemory(may_read, there, &c, 1, NULL));
	CHECK(WriteProcessMemory(may_write, there, &c, 1, NULL));
	for (int i = 0; i < 3; i++) {
		SIZE_T n = UNTOUCHED;

		CHECK_FAILS(ReadProcessMemory(cannot_read[i], there, &c, 1, &n), ERROR_ACCESS_DENIED);
		CHECK_EQ(n, 0);
		n = UNTOUCHED;
		CHECK_FAILS(WriteProcessMemory(cannot_write[i], there, &c, 1, &n),
			    ERROR_ACCESS_DENIED);
		CHECK_EQ(n, 0);
	}
	CHECK(CloseHandle(may_read));
	CHECK(CloseHandle(may_write));
	CHECK(CloseHandle(write_only));
	CHECK(CloseHandle(operate_only));
}

TEST(RW_08)
{
	HANDLE closed = target_open(shared, PROCESS_ALL_ACCESS);
	HANDLE bad[] = { NULL, closed, GetCurrentThread() };
	LPVOID there = target_address(shared, &cell);
	char c = 0;

	CHECK(CloseHandle(closed));
	for (int i = 0; i < 3; i++) {
		CHECK_FAILS(ReadProcessMemory(bad[i], there, &c, 1, NULL), ERROR_INVALID_HANDLE);
		CHECK_FAILS(WriteProcessMemory(bad[i], there, &c, 1, NULL), ERROR_INVALID_HANDLE);
	}
}

TEST(RW_09)
{
	LPVOID there = target_address(shared, &cell);
	SIZE_T n = UNTOUCHED;
	char c = 9;

	CHECK(ReadProcessMemory(shared->process, there, &c, 0, &n));
	CHECK_EQ(n, 0);
	CHECK_EQ(c, 9);
	n = UNTOUCHED;
	CHECK(WriteProcessMemory(shared->process, there, &c, 0, &n));
	CHECK_EQ(n, 0);
}

TEST(RW_10)
{
	struct target *t = target_start();
	char c = 0;

	target_kill(t);
	for (int i = 0; i < 2; i++) {
		SIZE_T n = UNTOUCHED;

		CHECK_FAILS_ANY(ReadProcessMemory(t->process, target_address(t, &cell), &c, 1, &n),
				ERROR_ACCESS_DENIED, ERROR_PARTIAL_COPY);
		CHECK_EQ(n, 0);
		n = UNTOUCHED;
		CHECK_FAILS_ANY(WriteProcessMemory(t->process, target_address(t, &cell), &c, 1, &n),
				ERROR_ACCESS_DENIED, ERROR_PARTIAL_COPY);
		CHECK_EQ(n, 0);
		target_reap(t);
	}
	target_free(t);
}

TEST(RW_11)
{
	LPVOID there = target_address(shared, &cell);
	LPVOID hole = VirtualAllocEx(GetCurrentProcess(), NULL, 2 * PAGE, MEM_RESERVE, PAGE_NOACCESS);
	SIZE_T n = UNTOUCHED;

	REQUIRE(hole != NULL);
	CHECK_FAILS_ANY(ReadProcessMemory(shared->process, there, hole, 8, &n), ERROR_NOACCESS,
			ERROR_PARTIAL_COPY);
	CHECK_FAILS_ANY(WriteProcessMemory(shared->process, there, hole, 8, &n), ERROR_NOACCESS,
			ERROR_PARTIAL_COPY);
	CHECK(VirtualFreeEx(GetCurrentProcess(), hole, 0, MEM_RELEASE));
}

TEST(RW_12)
{
	HANDLE self = OpenProcess(PROCESS_ALL_ACCESS, FALSE, GetCurrentProcessId());
	char *base = VirtualAllocEx(GetCurrentProcess(), NULL, 100, MEM_COMMIT, PAGE_READWRITE);
	char copy[5] = "";
	SIZE_T n = 0;

	REQUIRE(self != NULL && base != NULL);
	strcpy(base, "here");
	CHECK(ReadProcessMemory(GetCurrentProcess(), base, copy, 5, &n));
	CHECK_EQ(n, 5);
	CHECK(strcmp(copy, "here") == 0);
	CHECK(WriteProcessMemory(self, base, "gone", 5, &n));
	CHECK_EQ(n, 5);
	CHECK(strcmp(base, "gone") == 0);
	CHECK(VirtualFreeEx(self, base, 0, MEM_RELEASE));
	CHECK(CloseHandle(self));
}

TEST(RW_13)
{
	char *there = (char *)(uintptr_t)target_function(shared, patched);
	char *source = (char *)(uintptr_t)target_function(shared, patch_source);
	struct counts before = target_counts(shared, true);
	char old[32], other[32];
	size_t at = 0;

	CHECK_EQ(target_run(shared, patched, 1), 2);
	CHECK(ReadProcessMemory(shared->process, there, old, 32, NULL));
	CHECK(ReadProcessMemory(shared->process, source, other, 32, NULL));
	while (at < 31 && old[at] == other[at])
		at++;
	CHECK(WriteProcessMemory(shared->process, there + at, other + at, 1, NULL));
	CHECK_EQ(target_run(shared, patched, 1), 3);
	/* The page is what it was: two neighbours with other rights would be two regions. */
	CHECK_EQ(target_counts(shared, true).regions, before.regions);
	CHECK(WriteProcessMemory(shared->process, there + at, old + at, 1, NULL));
	CHECK_EQ(target_run(shared, patched, 1), 2);
}
