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

static MEMORY_BASIC_INFORMATION query(LPCVOID address)
{
	MEMORY_BASIC_INFORMATION got = { 0 };

	CHECK_EQ(VirtualQueryEx(shared->process, address, &got, sizeof(got)), sizeof(got));
	return got;
}

/* MEM_FREE, MEM_RESERVE or MEM_COMMIT. */
static DWORD state_of(LPCVOID address)
{
	return query(address).State;
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
		CHECK(state_of(base[i] + 5 * PAGE) != MEM_COMMIT);
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
	CHECK_EQ(state_of(base), MEM_RESERVE);
	/* From the page of the first byte to the page of the last. */
	CHECK_EQ(alloc(base + 5000, PAGE, MEM_COMMIT, PAGE_READWRITE), base + PAGE);
	CHECK(poke(base + PAGE, 1));
	CHECK(poke(base + 3 * PAGE - 1, 2));
	CHECK_EQ(state_of(base + PAGE - 1), MEM_RESERVE);
	CHECK_EQ(state_of(base + 3 * PAGE), MEM_RESERVE);
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
	CHECK_EQ(state_of(base), MEM_FREE);
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
	CHECK_EQ(state_of(base + PAGE), MEM_RESERVE);
	/* It is reserved still: not free for others, to be committed again. */
	CHECK_FAILS(alloc(base, PAGE, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_ADDRESS);
	CHECK_EQ(alloc(base + PAGE, 1, MEM_COMMIT, PAGE_READWRITE), base + PAGE);
	CHECK_EQ(at(base + PAGE), 0);
	CHECK(VirtualFreeEx(shared->process, base, 0, MEM_DECOMMIT));
	CHECK_EQ(state_of(base), MEM_RESERVE);
	CHECK_EQ(state_of(base + 15 * PAGE), MEM_RESERVE);
	CHECK(release(base));
}

TEST(VM_11)
{
	char *base = alloc(NULL, 8 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	DWORD old = UNTOUCHED;

	REQUIRE(base != NULL);
	CHECK(poke(base + 2 * PAGE, 5));
	/* Two bytes, of two pages. */
	CHECK(VirtualProtectEx(shared->process, base + 2 * PAGE - 1, 2, PAGE_READONLY, &old));
	CHECK_EQ(old, PAGE_READWRITE);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(query(base + i * PAGE).Protect,
			 i == 1 || i == 2 ? PAGE_READONLY : PAGE_READWRITE);
	CHECK_EQ(at(base + 2 * PAGE), 5);
	/* The first page's is told. */
	CHECK(VirtualProtectEx(shared->process, base + 2 * PAGE, 2 * PAGE, PAGE_NOACCESS, &old));
	CHECK_EQ(old, PAGE_READONLY);
	CHECK(VirtualProtectEx(shared->process, base, 8 * PAGE, PAGE_READWRITE, &old));
	CHECK_EQ(at(base + 2 * PAGE), 5);
	CHECK(poke(base + 2 * PAGE, 6));
	CHECK(release(base));
}

TEST(VM_12)
{
	char *base = alloc(NULL, 8 * PAGE, MEM_RESERVE, PAGE_READWRITE);
	DWORD old = UNTOUCHED;

	REQUIRE(base != NULL);
	CHECK_EQ(alloc(base, 2 * PAGE, MEM_COMMIT, PAGE_READWRITE), base);
	CHECK_FAILS(VirtualProtectEx(shared->process, base, 3 * PAGE, PAGE_READONLY, &old),
		    ERROR_INVALID_ADDRESS);
	CHECK_EQ(query(base).Protect, PAGE_READWRITE);
	CHECK_EQ(query(base).RegionSize, 2 * PAGE);
	CHECK_FAILS(VirtualProtectEx(shared->process, base + 4 * PAGE, 1, PAGE_READONLY, &old),
		    ERROR_INVALID_ADDRESS);
	SetLastError(0);
	CHECK(!VirtualProtectEx(shared->process, base, PAGE, PAGE_READONLY, NULL));
	CHECK(GetLastError() != 0);
	CHECK_EQ(query(base).Protect, PAGE_READWRITE);
	CHECK(release(base));
}

static void check_region(LPCVOID address, LPCVOID base, SIZE_T size, DWORD state, DWORD protect)
{
	MEMORY_BASIC_INFORMATION got = query(address);

	CHECK_EQ(got.BaseAddress, base);
	CHECK_EQ(got.RegionSize, size);
	CHECK_EQ(got.State, state);
	CHECK_EQ(got.Protect, protect);
}

TEST(VM_13)
{
	char *base = alloc(NULL, 16 * PAGE, MEM_RESERVE, PAGE_READONLY);
	DWORD old;

	REQUIRE(base != NULL);
	CHECK_EQ(alloc(base + 4 * PAGE, 4 * PAGE, MEM_COMMIT, PAGE_READWRITE), base + 4 * PAGE);
	CHECK(VirtualProtectEx(shared->process, base + 6 * PAGE, PAGE, PAGE_NOACCESS, &old));
	check_region(base, base, 4 * PAGE, MEM_RESERVE, 0);
	check_region(base + 5 * PAGE + 17, base + 5 * PAGE, PAGE, MEM_COMMIT, PAGE_READWRITE);
	check_region(base + 4 * PAGE, base + 4 * PAGE, 2 * PAGE, MEM_COMMIT, PAGE_READWRITE);
	check_region(base + 6 * PAGE, base + 6 * PAGE, PAGE, MEM_COMMIT, PAGE_NOACCESS);
	check_region(base + 7 * PAGE, base + 7 * PAGE, PAGE, MEM_COMMIT, PAGE_READWRITE);
	check_region(base + 8 * PAGE, base + 8 * PAGE, 8 * PAGE, MEM_RESERVE, 0);
	for (int i = 0; i < 16; i++) {
		MEMORY_BASIC_INFORMATION got = query(base + i * PAGE);

		CHECK_EQ(got.AllocationBase, base);
		CHECK_EQ(got.AllocationProtect, PAGE_READONLY);
		CHECK_EQ(got.Type, MEM_PRIVATE);
	}
	CHECK(release(base));
	CHECK_EQ(state_of(base), MEM_FREE);
}

TEST(VM_13_image)
{
	MEMORY_BASIC_INFORMATION code = query((LPVOID)(uintptr_t)target_function(shared, value));
	MEMORY_BASIC_INFORMATION data = query(target_address(shared, constant));

	CHECK_EQ(code.Type, MEM_IMAGE);
	CHECK_EQ(code.State, MEM_COMMIT);
	CHECK_EQ(code.Protect, PAGE_EXECUTE_READ);
	CHECK_EQ(data.Type, MEM_IMAGE);
	CHECK_EQ(data.Protect, PAGE_READONLY);
	CHECK_EQ(code.AllocationBase, data.AllocationBase);
}

/* Each region begins where the one before ended, up to the end of what a process can have. */
TEST(VM_13_walk)
{
	char *mine = alloc(NULL, PAGE, MEM_COMMIT, PAGE_READWRITE);
	MEMORY_BASIC_INFORMATION got;
	uintptr_t next = 0;
	int n_found = 0;

	while (VirtualQueryEx(shared->process, (LPCVOID)next, &got, sizeof(got)) == sizeof(got)) {
		if (!CHECK_EQ(got.BaseAddress, next) || !CHECK(got.RegionSize > 0))
			break;
		n_found += got.BaseAddress == mine && got.State == MEM_COMMIT;
		n_found += got.AllocationBase == query(target_address(shared, constant)).AllocationBase;
		next += got.RegionSize;
	}
	CHECK_EQ(GetLastError(), ERROR_INVALID_PARAMETER);
	CHECK(next > (uintptr_t)1 << 46);
	CHECK(n_found > 1);
	CHECK(release(mine));
}

TEST(VM_14)
{
	MEMORY_BASIC_INFORMATION got;
	LPCVOID there = target_address(shared, &cell);

	CHECK_FAILS(VirtualQueryEx(shared->process, (LPCVOID)(uintptr_t)0xffff800000000000, &got,
				   sizeof(got)), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(VirtualQueryEx(shared->process, there, &got, sizeof(got) - 1), ERROR_BAD_LENGTH);
	CHECK_FAILS(VirtualQueryEx(shared->process, there, &got, 0), ERROR_BAD_LENGTH);
}

TEST(VM_15)
{
	HANDLE enough = target_open(shared, PROCESS_VM_OPERATION);
	HANDLE none = target_open(shared, PROCESS_ALL_ACCESS & ~PROCESS_VM_OPERATION);
	HANDLE query_only = target_open(shared, PROCESS_QUERY_INFORMATION);
	MEMORY_BASIC_INFORMATION got;
	DWORD old;
	LPVOID base = VirtualAllocEx(enough, NULL, 1, MEM_COMMIT, PAGE_READWRITE);

	CHECK(base != NULL);
	CHECK_FAILS(VirtualAllocEx(none, NULL, 1, MEM_COMMIT, PAGE_READWRITE), ERROR_ACCESS_DENIED);
	CHECK_FAILS(VirtualFreeEx(none, base, 0, MEM_RELEASE), ERROR_ACCESS_DENIED);
	CHECK_FAILS(VirtualAllocEx(NULL, NULL, 1, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_HANDLE);
	CHECK_FAILS(VirtualFreeEx(NULL, base, 0, MEM_RELEASE), ERROR_INVALID_HANDLE);
	CHECK(VirtualProtectEx(enough, base, 1, PAGE_READONLY, &old));
	CHECK_FAILS(VirtualProtectEx(none, base, 1, PAGE_READONLY, &old), ERROR_ACCESS_DENIED);
	CHECK_FAILS(VirtualProtectEx(NULL, base, 1, PAGE_READONLY, &old), ERROR_INVALID_HANDLE);
	CHECK_FAILS(VirtualQueryEx(enough, base, &got, sizeof(got)), ERROR_ACCESS_DENIED);
	CHECK_EQ(VirtualQueryEx(query_only, base, &got, sizeof(got)), sizeof(got));
	CHECK_FAILS(VirtualQueryEx(NULL, base, &got, sizeof(got)), ERROR_INVALID_HANDLE);
	CHECK(VirtualFreeEx(enough, base, 0, MEM_RELEASE));
	CHECK(CloseHandle(query_only));
	CHECK(CloseHandle(none));
	CHECK(CloseHandle(enough));
}

TEST(VM_16)
{
	struct target *t = target_start();
	LPVOID base = VirtualAllocEx(t->process, NULL, 1, MEM_COMMIT, PAGE_READWRITE);
	MEMORY_BASIC_INFORMATION got;
	DWORD old;

	CHECK(base != NULL);
	target_kill(t);
	for (int i = 0; i < 2; i++) {
		CHECK_FAILS(VirtualAllocEx(t->process, NULL, 1, MEM_COMMIT, PAGE_READWRITE),
			    ERROR_ACCESS_DENIED);
		CHECK_FAILS(VirtualFreeEx(t->process, base, 0, MEM_RELEASE), ERROR_ACCESS_DENIED);
		CHECK_FAILS(VirtualProtectEx(t->process, base, 1, PAGE_READONLY, &old),
			    ERROR_ACCESS_DENIED);
		CHECK_FAILS(VirtualQueryEx(t->process, base, &got, sizeof(got)),
			    ERROR_ACCESS_DENIED);
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

/* patched() is put there, and run with 41. */
static void check_code(LPVOID base)
{
	HANDLE thread;

	CHECK(FlushInstructionCache(shared->process, base, 32));
	thread = CreateRemoteThread(shared->process, NULL, 0, (LPTHREAD_START_ROUTINE)(uintptr_t)base,
				    (LPVOID)(uintptr_t)41, 0, NULL);
	CHECK(thread != NULL);
	CHECK_EQ(thread_finish(thread), 42);
	CHECK(release(base));
}

static LPVOID put_code(DWORD protect)
{
	LPVOID base = alloc(NULL, 32, MEM_COMMIT, protect);
	char code[32];

	CHECK(ReadProcessMemory(shared->process, (LPVOID)(uintptr_t)target_function(shared, patched),
				code, sizeof(code), NULL));
	CHECK(WriteProcessMemory(shared->process, base, code, sizeof(code), NULL));
	return base;
}

TEST(VM_18)
{
	LPVOID base = put_code(PAGE_EXECUTE_READWRITE);

	REQUIRE(base != NULL);
	check_code(base);
}

TEST(VM_18_protected)
{
	LPVOID base = put_code(PAGE_READWRITE);
	DWORD old = UNTOUCHED;

	REQUIRE(base != NULL);
	CHECK(VirtualProtectEx(shared->process, base, 32, PAGE_EXECUTE_READ, &old));
	CHECK_EQ(old, PAGE_READWRITE);
	check_code(base);
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
