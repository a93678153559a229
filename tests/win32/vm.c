/* SPDX-License-Identifier: BSD-2-Clause */
/* vm.c - VirtualAllocEx(), VirtualFreeEx() */
#include "test.h"

#define PAGE ((SIZE_T)4096)

static LPVOID alloc(LPVOID address, SIZE_T size, DWORD type, DWORD protect)
{
	return VirtualAllocEx(shared->process, address, size, type, protect);
}

static BOOL release(LPVOID address)
{
	return VirtualFreeEx(shared->process, address, 0, MEM_RELEASE);
}

static BOOL peek(LPVOID address, char *ret)
{
	return ReadProcessMemory(shared->process, address, ret, 1, NULL);
}

static BOOL poke(LPVOID address, char c)
{
	return WriteProcessMemory(shared->process, address, &c, 1, NULL);
}

/* What is there, or -1. */
static int at(LPVOID address)
{
	char c = 0;

	return peek(address, &c) ? c : -1;
}

TEST(VM_01)
{
	static char bytes[20000], zero[20000];
	char *base[5];

	for (int i = 0; i < 5; i++) {
		base[i] = alloc(NULL, sizeof(bytes), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
		REQUIRE(base[i] != NULL);
		CHECK_EQ((uintptr_t)base[i] % 65536, 0);
		CHECK(ReadProcessMemory(shared->process, base[i], bytes, sizeof(bytes), NULL));
		CHECK(memcmp(bytes, zero, sizeof(bytes)) == 0);
		CHECK(poke(base[i], 1));
		CHECK(poke(base[i] + 5 * PAGE - 1, 1)); /* whole pages */
		CHECK_EQ(at(base[i] + 5 * PAGE), -1);
	}
	for (int i = 0; i < 5; i++)
		CHECK(release(base[i]));
}

TEST(VM_02)
{
	char *base = alloc(NULL, 100, MEM_COMMIT, PAGE_READWRITE);

	REQUIRE(base != NULL);
	CHECK(poke(base + 99, 3));
	CHECK_EQ(at(base + 99), 3);
	CHECK(release(base));
}

TEST(VM_04)
{
	char *base = alloc(NULL, 1, MEM_COMMIT, PAGE_READWRITE);

	CHECK_FAILS(alloc(NULL, 0, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(alloc(NULL, 1, 0, PAGE_READWRITE), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(alloc(NULL, 1, MEM_COMMIT | 1, PAGE_READWRITE), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(alloc(NULL, 1, MEM_COMMIT, 0), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(alloc(NULL, 1, MEM_COMMIT, PAGE_READWRITE | PAGE_READONLY),
		    ERROR_INVALID_PARAMETER);
	CHECK_FAILS(alloc(NULL, 1, MEM_COMMIT, 0x100000), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(VirtualFreeEx(shared->process, base, 0, 0), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(VirtualFreeEx(shared->process, base, 0, MEM_RELEASE | MEM_DECOMMIT),
		    ERROR_INVALID_PARAMETER);
	CHECK(release(base));
}

TEST(VM_05)
{
	char *base = alloc(NULL, 16 * PAGE, MEM_RESERVE, PAGE_READWRITE);

	REQUIRE(base != NULL);
	CHECK_FAILS(alloc(base + 15 * PAGE, 2 * PAGE, MEM_COMMIT, PAGE_READWRITE),
		    ERROR_INVALID_ADDRESS);
	CHECK(release(base));
	CHECK_FAILS(alloc(base, PAGE, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_ADDRESS);
}

TEST(VM_06)
{
	char *base = alloc(NULL, 1 << 20, MEM_RESERVE, PAGE_READWRITE);

	REQUIRE(base != NULL);
	CHECK_EQ(at(base), -1);
	/* From the page of the first byte to the page of the last. */
	CHECK_EQ(alloc(base + 5000, PAGE, MEM_COMMIT, PAGE_READWRITE), base + PAGE);
	CHECK(poke(base + PAGE, 1));
	CHECK(poke(base + 3 * PAGE - 1, 2));
	CHECK_EQ(at(base + PAGE - 1), -1);
	CHECK_EQ(at(base + 3 * PAGE), -1);
	CHECK_EQ(alloc(base + (1 << 20) - 1, 1, MEM_COMMIT, PAGE_READWRITE),
		 base + (1 << 20) - PAGE);
	CHECK_EQ(at(base + (1 << 20) - 1), 0);
	CHECK(release(base));
}

TEST(VM_07)
{
	char *base = alloc(NULL, 4 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

	REQUIRE(base != NULL);
	CHECK(poke(base + PAGE, 4));
	CHECK_EQ(alloc(base, 4 * PAGE, MEM_COMMIT, PAGE_READWRITE), base);
	CHECK_EQ(at(base + PAGE), 4);
	CHECK(release(base));
}

TEST(VM_08)
{
	char *base = alloc(NULL, 32 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

	REQUIRE(base != NULL);
	CHECK_FAILS(VirtualFreeEx(shared->process, base, PAGE, MEM_RELEASE), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(release(base + PAGE), ERROR_INVALID_ADDRESS);
	CHECK_FAILS(release(base + 16 * PAGE), ERROR_INVALID_ADDRESS);
	CHECK_EQ(at(base), 0);
	CHECK(release(base));
}

TEST(VM_09)
{
	struct counts before = target_counts(shared, true);
	char *base = alloc(NULL, 64 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

	REQUIRE(base != NULL);
	CHECK(poke(base, 1));
	CHECK(release(base));
	CHECK_EQ(at(base), -1);
	CHECK_EQ(target_counts(shared, true).regions, before.regions);
	CHECK_EQ(alloc(base, 64 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE), base);
	CHECK_EQ(at(base), 0);
	CHECK(release(base));
}

TEST(VM_10)
{
	char *base = alloc(NULL, 16 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

	REQUIRE(base != NULL);
	CHECK(poke(base, 1));
	CHECK(poke(base + PAGE, 2));
	CHECK(VirtualFreeEx(shared->process, base + PAGE, 1, MEM_DECOMMIT));
	CHECK(VirtualFreeEx(shared->process, base + PAGE, 1, MEM_DECOMMIT)); /* twice is fine */
	CHECK_EQ(at(base), 1);
	CHECK_EQ(at(base + PAGE), -1);
	/* It is reserved still: not free for others, to be committed again. */
	CHECK_FAILS(alloc(base, PAGE, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_ADDRESS);
	CHECK_EQ(alloc(base + PAGE, 1, MEM_COMMIT, PAGE_READWRITE), base + PAGE);
	CHECK_EQ(at(base + PAGE), 0);
	CHECK(VirtualFreeEx(shared->process, base, 0, MEM_DECOMMIT));
	CHECK_EQ(at(base), -1);
	CHECK_EQ(at(base + 15 * PAGE), -1);
	CHECK(release(base));
}

TEST(VM_15)
{
	HANDLE enough = target_open(shared, PROCESS_VM_OPERATION);
	HANDLE none = target_open(shared, PROCESS_ALL_ACCESS & ~PROCESS_VM_OPERATION);
	LPVOID base = VirtualAllocEx(enough, NULL, 1, MEM_COMMIT, PAGE_READWRITE);

	CHECK(base != NULL);
	CHECK_FAILS(VirtualAllocEx(none, NULL, 1, MEM_COMMIT, PAGE_READWRITE), ERROR_ACCESS_DENIED);
	CHECK_FAILS(VirtualFreeEx(none, base, 0, MEM_RELEASE), ERROR_ACCESS_DENIED);
	CHECK_FAILS(VirtualAllocEx(NULL, NULL, 1, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_HANDLE);
	CHECK_FAILS(VirtualFreeEx(NULL, base, 0, MEM_RELEASE), ERROR_INVALID_HANDLE);
	CHECK(VirtualFreeEx(enough, base, 0, MEM_RELEASE));
	CHECK(CloseHandle(none));
	CHECK(CloseHandle(enough));
}

TEST(VM_16)
{
	struct target *t = target_start();
	LPVOID base = VirtualAllocEx(t->process, NULL, 1, MEM_COMMIT, PAGE_READWRITE);

	CHECK(base != NULL);
	target_kill(t);
	for (int i = 0; i < 2; i++) {
		CHECK_FAILS(VirtualAllocEx(t->process, NULL, 1, MEM_COMMIT, PAGE_READWRITE),
			    ERROR_ACCESS_DENIED);
		CHECK_FAILS(VirtualFreeEx(t->process, base, 0, MEM_RELEASE), ERROR_ACCESS_DENIED);
		target_reap(t);
	}
	target_free(t);
}

TEST(VM_17)
{
	char *base = alloc(NULL, 1 << 20, MEM_RESERVE, PAGE_NOACCESS);

	REQUIRE(base != NULL);
	CHECK_FAILS(alloc(base, 10, MEM_RESERVE, PAGE_NOACCESS), ERROR_INVALID_ADDRESS);
	CHECK(release(base));
	CHECK_EQ(alloc(base + 70000, 10, MEM_RESERVE, PAGE_NOACCESS), base + 65536);
	CHECK_FAILS(alloc(base + 65536, 10, MEM_RESERVE, PAGE_NOACCESS), ERROR_INVALID_ADDRESS);
	CHECK_FAILS(alloc(target_address(shared, &cell), 10, MEM_RESERVE, PAGE_NOACCESS),
		    ERROR_INVALID_ADDRESS);
	CHECK(release(base + 65536));
}

/* Another handle of the process knows the same reservations. */
TEST(VM_17_handles)
{
	LPVOID base = alloc(NULL, 1 << 20, MEM_RESERVE, PAGE_NOACCESS);
	HANDLE other = target_open(shared, PROCESS_VM_OPERATION);

	CHECK_FAILS(VirtualAllocEx(other, base, 10, MEM_RESERVE, PAGE_NOACCESS),
		    ERROR_INVALID_ADDRESS);
	CHECK(VirtualFreeEx(other, base, 0, MEM_RELEASE));
	CHECK(CloseHandle(other));
}

TEST(VM_18)
{
	char code[32];
	LPVOID base = alloc(NULL, sizeof(code), MEM_COMMIT, PAGE_EXECUTE_READWRITE);
	LPVOID from = (LPVOID)(uintptr_t)target_function(shared, patched);
	HANDLE thread;

	REQUIRE(base != NULL);
	CHECK(ReadProcessMemory(shared->process, from, code, sizeof(code), NULL));
	CHECK(WriteProcessMemory(shared->process, base, code, sizeof(code), NULL));
	thread = CreateRemoteThread(shared->process, NULL, 0, (LPTHREAD_START_ROUTINE)(uintptr_t)base,
				    (LPVOID)(uintptr_t)41, 0, NULL);
	CHECK(thread != NULL);
	CHECK_EQ(thread_finish(thread), 42);
	CHECK(release(base));
}

TEST(VM_19)
{
	CHECK_FAILS_ANY(alloc(NULL, (SIZE_T)1 << 60, MEM_RESERVE, PAGE_READWRITE),
			ERROR_NOT_ENOUGH_MEMORY, ERROR_INVALID_PARAMETER);
	CHECK_FAILS_ANY(alloc(NULL, (SIZE_T)-1, MEM_RESERVE, PAGE_READWRITE),
			ERROR_NOT_ENOUGH_MEMORY, ERROR_INVALID_PARAMETER);
	CHECK_FAILS_ANY(alloc(NULL, (SIZE_T)1 << 46, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE),
			ERROR_NOT_ENOUGH_MEMORY, ERROR_INVALID_PARAMETER, ERROR_COMMITMENT_LIMIT);
}

TEST(VM_20)
{
	LPVOID base = alloc(NULL, 1, MEM_COMMIT, PAGE_READWRITE);

	CHECK(release(base));
	CHECK_FAILS_ANY(release(base), ERROR_INVALID_ADDRESS, ERROR_INVALID_PARAMETER);
}
