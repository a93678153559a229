/* SPDX-License-Identifier: BSD-2-Clause */
/* vm.c - VirtualAllocEx(), VirtualFreeEx(), VirtualProtectEx(), VirtualQueryEx() */
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

/* What is there, or -1: it is not committed, or closed.  That such cannot be read is for RW-06. */
static int at(LPVOID address)
{
	MEMORY_BASIC_INFORMATION info = { 0 };
	char c = 0;

	CHECK(VirtualQueryEx(shared->process, address, &info, sizeof(info)) == sizeof(info));
	if (info.State != MEM_COMMIT || info.Protect == PAGE_NOACCESS)
		return -1;
	CHECK(peek(address, &c));
	return c;
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

static BOOL protect(LPVOID address, SIZE_T size, DWORD to, DWORD *ret_old)
{
	return VirtualProtectEx(shared->process, address, size, to, ret_old);
}

TEST(VM_11)
{
	char *base = alloc(NULL, 4 * PAGE, MEM_COMMIT, PAGE_READWRITE);
	DWORD old = UNTOUCHED;

	REQUIRE(base != NULL);
	CHECK(poke(base + PAGE, 7));
	CHECK(protect(base + PAGE + 1, 1, PAGE_READONLY, &old));
	CHECK_EQ(old, PAGE_READWRITE);
	CHECK(!poke(base + PAGE, 8));
	CHECK(!poke(base + 2 * PAGE - 1, 8));
	CHECK_EQ(at(base + PAGE), 7);
	CHECK(poke(base + PAGE - 1, 5));
	CHECK(poke(base + 2 * PAGE, 5));
	/* Two bytes, two pages; the first one's protection is told. */
	CHECK(protect(base + 2 * PAGE - 1, 2, PAGE_NOACCESS, &old));
	CHECK_EQ(old, PAGE_READONLY);
	CHECK_EQ(at(base + PAGE), -1);
	CHECK_EQ(at(base + 2 * PAGE), -1);
	CHECK(protect(base, 4 * PAGE, PAGE_READWRITE, &old));
	CHECK_EQ(old, PAGE_READWRITE);
	CHECK_EQ(at(base + PAGE), 7);
	CHECK_EQ(at(base + 2 * PAGE), 5);
	CHECK(release(base));
}

TEST(VM_12)
{
	char *base = alloc(NULL, 4 * PAGE, MEM_RESERVE, PAGE_READWRITE);
	DWORD old = UNTOUCHED;

	REQUIRE(base != NULL);
	CHECK_EQ(alloc(base, 1, MEM_COMMIT, PAGE_READWRITE), base);
	CHECK_EQ(alloc(base + 2 * PAGE, 1, MEM_COMMIT, PAGE_READWRITE), base + 2 * PAGE);
	CHECK_FAILS(protect(base + PAGE, 1, PAGE_READONLY, &old), ERROR_INVALID_ADDRESS);
	CHECK_FAILS(protect(base, 3 * PAGE, PAGE_READONLY, &old), ERROR_INVALID_ADDRESS);
	CHECK(poke(base, 1));
	CHECK(poke(base + 2 * PAGE, 1));
	CHECK_FAILS(protect(base, 1, PAGE_READONLY, NULL), ERROR_NOACCESS);
	CHECK(poke(base, 2));
	CHECK_FAILS(protect(base, 1, 0, &old), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(protect(base, 1, PAGE_READONLY | PAGE_READWRITE, &old), ERROR_INVALID_PARAMETER);
	CHECK(release(base));
	CHECK_FAILS_ANY(protect(base, 1, PAGE_READONLY, &old), ERROR_INVALID_ADDRESS,
			ERROR_INVALID_PARAMETER);
}

/* What is closed is committed still, and not to be had by committing less. */
TEST(VM_12_no_access)
{
	char *base = alloc(NULL, 4 * PAGE, MEM_COMMIT, PAGE_READWRITE);
	DWORD old = UNTOUCHED;

	REQUIRE(base != NULL);
	CHECK(poke(base + PAGE, 3));
	CHECK(protect(base, 4 * PAGE, PAGE_NOACCESS, &old));
	CHECK(VirtualFreeEx(shared->process, base + 2 * PAGE, PAGE, MEM_DECOMMIT));
	CHECK(protect(base, 2 * PAGE, PAGE_READONLY, &old));
	CHECK_EQ(old, PAGE_NOACCESS);
	CHECK_EQ(at(base + PAGE), 3);
	CHECK_FAILS(protect(base + 2 * PAGE, 1, PAGE_READONLY, &old), ERROR_INVALID_ADDRESS);
	CHECK(protect(base + 3 * PAGE, 1, PAGE_READONLY, &old));
	CHECK_EQ(old, PAGE_NOACCESS);
	CHECK(release(base));
}

static MEMORY_BASIC_INFORMATION query(LPVOID address)
{
	MEMORY_BASIC_INFORMATION info;

	memset(&info, 0xee, sizeof(info));
	CHECK_EQ(VirtualQueryEx(shared->process, address, &info, sizeof(info)), sizeof(info));
	return info;
}

static void check_part(char *address, char *base, SIZE_T pages, DWORD state, DWORD protection)
{
	MEMORY_BASIC_INFORMATION info = query(address + 17);

	CHECK_EQ(info.BaseAddress, address);
	CHECK_EQ(info.AllocationBase, base);
	CHECK_EQ(info.AllocationProtect, PAGE_EXECUTE_READ);
	CHECK_EQ(info.RegionSize, pages * PAGE);
	CHECK_EQ(info.State, state);
	CHECK_EQ(info.Protect, protection);
	CHECK_EQ(info.Type, MEM_PRIVATE);
}

TEST(VM_13)
{
	char *base = alloc(NULL, 16 * PAGE, MEM_RESERVE, PAGE_EXECUTE_READ);
	DWORD old;

	REQUIRE(base != NULL);
	check_part(base, base, 16, MEM_RESERVE, 0);
	CHECK_EQ(alloc(base + 4 * PAGE, 4 * PAGE, MEM_COMMIT, PAGE_READWRITE), base + 4 * PAGE);
	CHECK(protect(base + 5 * PAGE, 1, PAGE_NOACCESS, &old));
	check_part(base, base, 4, MEM_RESERVE, 0);
	check_part(base + 2 * PAGE, base, 2, MEM_RESERVE, 0);
	check_part(base + 4 * PAGE, base, 1, MEM_COMMIT, PAGE_READWRITE);
	check_part(base + 5 * PAGE, base, 1, MEM_COMMIT, PAGE_NOACCESS);
	check_part(base + 6 * PAGE, base, 2, MEM_COMMIT, PAGE_READWRITE);
	check_part(base + 8 * PAGE, base, 8, MEM_RESERVE, 0);
	CHECK(release(base));
	CHECK_EQ(query(base).State, MEM_FREE);
	CHECK_EQ(query(base).Protect, PAGE_NOACCESS);
}

/* What is reserved again is like what always was. */
TEST(VM_13_decommitted)
{
	char *base = alloc(NULL, 8 * PAGE, MEM_RESERVE, PAGE_EXECUTE_READ);

	REQUIRE(base != NULL);
	CHECK_EQ(alloc(base + 4 * PAGE, 4 * PAGE, MEM_COMMIT, PAGE_READWRITE), base + 4 * PAGE);
	CHECK(VirtualFreeEx(shared->process, base + 4 * PAGE, 2 * PAGE, MEM_DECOMMIT));
	check_part(base, base, 6, MEM_RESERVE, 0);
	check_part(base + 6 * PAGE, base, 2, MEM_COMMIT, PAGE_READWRITE);
	CHECK(release(base));
}

TEST(VM_13_image)
{
	LPVOID code = (LPVOID)(uintptr_t)target_function(shared, value);
	MEMORY_BASIC_INFORMATION of_code = query(code);
	MEMORY_BASIC_INFORMATION of_constant = query(target_address(shared, constant));
	MEMORY_BASIC_INFORMATION of_cell = query(target_address(shared, &cell));

	CHECK_EQ(of_code.Type, MEM_IMAGE);
	CHECK_EQ(of_code.State, MEM_COMMIT);
	CHECK_EQ(of_code.Protect, PAGE_EXECUTE_READ);
	CHECK_EQ(of_code.AllocationProtect, PAGE_EXECUTE_WRITECOPY);
	CHECK_EQ(of_constant.Type, MEM_IMAGE);
	CHECK_EQ(of_constant.Protect, PAGE_READONLY);
	CHECK_EQ(of_constant.AllocationBase, of_code.AllocationBase);
	CHECK_EQ(of_cell.Type, MEM_IMAGE);
	CHECK_EQ(of_cell.AllocationBase, of_code.AllocationBase);
}

/* Every byte, from 0 to the end, is told once. */
TEST(VM_13_walk)
{
	char *base = alloc(NULL, PAGE, MEM_COMMIT, PAGE_READWRITE), *next = NULL;
	MEMORY_BASIC_INFORMATION info;
	unsigned int n_found = 0, n = 0;

	while (VirtualQueryEx(shared->process, next, &info, sizeof(info)) == sizeof(info)) {
		REQUIRE(info.BaseAddress == next && info.RegionSize > 0 && ++n < 1000000);
		CHECK_EQ(info.RegionSize % PAGE, 0);
		CHECK(info.State == MEM_FREE || info.State == MEM_COMMIT || info.State == MEM_RESERVE);
		if (info.State != MEM_FREE)
			CHECK((char *)info.AllocationBase <= next);
		n_found += next == base;
		next += info.RegionSize;
	}
	CHECK_EQ(GetLastError(), ERROR_INVALID_PARAMETER);
	CHECK_EQ(n_found, 1);
	CHECK((uintptr_t)next > (uintptr_t)1 << 40);
	CHECK(release(base));
}

TEST(VM_14)
{
	LPVOID above = (LPVOID)(uintptr_t)0xffffffffffff0000;
	LPVOID code = (LPVOID)(uintptr_t)target_function(shared, value);
	MEMORY_BASIC_INFORMATION info;

	CHECK_FAILS(VirtualQueryEx(shared->process, above, &info, sizeof(info)),
		    ERROR_INVALID_PARAMETER);
	CHECK_FAILS(VirtualQueryEx(shared->process, code, &info, sizeof(info) - 1), ERROR_BAD_LENGTH);
	CHECK_FAILS(VirtualQueryEx(shared->process, code, &info, 0), ERROR_BAD_LENGTH);
}

TEST(VM_15_protect_and_query)
{
	HANDLE none = target_open(shared, PROCESS_ALL_ACCESS & ~PROCESS_VM_OPERATION);
	HANDLE query_only = target_open(shared, PROCESS_QUERY_INFORMATION);
	HANDLE no_query = target_open(shared, PROCESS_VM_OPERATION);
	LPVOID base = alloc(NULL, 1, MEM_COMMIT, PAGE_READWRITE);
	MEMORY_BASIC_INFORMATION info;
	DWORD old = UNTOUCHED;

	CHECK_FAILS(VirtualProtectEx(none, base, 1, PAGE_READONLY, &old), ERROR_ACCESS_DENIED);
	CHECK_FAILS(VirtualProtectEx(NULL, base, 1, PAGE_READONLY, &old), ERROR_INVALID_HANDLE);
	CHECK_EQ(old, UNTOUCHED);
	CHECK(VirtualProtectEx(no_query, base, 1, PAGE_READONLY, &old));
	CHECK_EQ(VirtualQueryEx(query_only, base, &info, sizeof(info)), sizeof(info));
	CHECK_FAILS(VirtualQueryEx(no_query, base, &info, sizeof(info)), ERROR_ACCESS_DENIED);
	CHECK_FAILS(VirtualQueryEx(NULL, base, &info, sizeof(info)), ERROR_INVALID_HANDLE);
	CHECK(release(base));
	CHECK(CloseHandle(none));
	CHECK(CloseHandle(query_only));
	CHECK(CloseHandle(no_query));
}

/* Enough since Windows 8. */
TEST(VM_15_limited)
{
	HANDLE limited = target_open(shared, PROCESS_QUERY_LIMITED_INFORMATION);
	MEMORY_BASIC_INFORMATION info;

	CHECK_EQ(VirtualQueryEx(limited, NULL, &info, sizeof(info)), sizeof(info));
	CHECK(CloseHandle(limited));
}

TEST(VM_16_protect_and_query)
{
	struct target *t = target_start();
	LPVOID base = VirtualAllocEx(t->process, NULL, 1, MEM_COMMIT, PAGE_READWRITE);
	MEMORY_BASIC_INFORMATION info;
	DWORD old;

	target_kill(t);
	for (int i = 0; i < 2; i++) {
		CHECK_FAILS(VirtualProtectEx(t->process, base, 1, PAGE_READONLY, &old),
			    ERROR_ACCESS_DENIED);
		CHECK_FAILS(VirtualQueryEx(t->process, base, &info, sizeof(info)),
			    ERROR_ACCESS_DENIED);
		target_reap(t);
	}
	target_free(t);
}

TEST(VM_18_protected)
{
	char code[32];
	LPVOID base = alloc(NULL, sizeof(code), MEM_COMMIT, PAGE_READWRITE);
	LPVOID from = (LPVOID)(uintptr_t)target_function(shared, patched);
	DWORD old;

	REQUIRE(base != NULL);
	CHECK(ReadProcessMemory(shared->process, from, code, sizeof(code), NULL));
	CHECK(WriteProcessMemory(shared->process, base, code, sizeof(code), NULL));
	CHECK(protect(base, sizeof(code), PAGE_EXECUTE_READ, &old));
	CHECK(FlushInstructionCache(shared->process, base, sizeof(code)));
	CHECK_EQ(thread_finish(CreateRemoteThread(shared->process, NULL, 0,
						  (LPTHREAD_START_ROUTINE)(uintptr_t)base,
						  (LPVOID)(uintptr_t)41, 0, NULL)),
		 42);
	CHECK(release(base));
}

/* The shorter names are for the calling process. */
TEST(VM_02_own)
{
	MEMORY_BASIC_INFORMATION info;
	char *base = VirtualAlloc(NULL, 2 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	DWORD old;

	REQUIRE(base != NULL);
	base[PAGE] = 3;
	CHECK(VirtualProtect(base, 1, PAGE_READONLY, &old));
	CHECK_EQ(old, PAGE_READWRITE);
	CHECK_EQ(VirtualQuery(base, &info, sizeof(info)), sizeof(info));
	CHECK_EQ(info.Protect, PAGE_READONLY);
	CHECK_EQ(info.AllocationProtect, PAGE_READWRITE);
	CHECK_EQ(info.RegionSize, PAGE);
	CHECK(VirtualFree(base, 0, MEM_RELEASE));
	CHECK_EQ(VirtualQuery(base, &info, sizeof(info)), sizeof(info));
	CHECK_EQ(info.State, MEM_FREE);
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
