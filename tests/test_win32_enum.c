/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_win32_enum.c - Toolhelp and PSAPI among processes that lie, and come and go
 *
 * What holds on both systems is in tests/win32/th.c and ps.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tendril/win32.h>

#include "support.h"

#define UNTOUCHED   0xabcd1234u
#define MODULES_MAX 512
#define TWO_BYTES   "\xc3\xa4" /* one character */

static char directory[] = "/tmp/tendril-enum-XXXXXX";

/* Children: each closes its end of a pipe when it is ready, and ends with us. */

static pid_t start_child(void (*body)(const void *), const void *argument)
{
	int ready[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(ready[0]);
		body(argument);
		(void)close(ready[1]);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	(void)close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, __WALL), pid);
}

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	char data[65536];
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, data, sizeof(data))) > 0)
		assert_int_equal(write(out, data, (size_t)n), n);
	assert_int_equal(n, 0);
	(void)close(in);
	(void)close(out);
}

/* A program that waits; input keeps it alive, its first byte says that it runs. */
struct program {
	pid_t pid;
	int input;
};

/* Return: false: it does not run. */
static bool try_program(const char *path, struct program *ret)
{
	int in[2], out[2];
	struct program program;
	ssize_t n;
	char byte;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	program.pid = fork();
	assert_true(program.pid >= 0);
	if (program.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(in[0], 0);
		(void)dup2(out[1], 1);
		(void)execl(path, "program", NULL);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	n = read(out[0], &byte, 1);
	(void)close(out[0]);
	program.input = in[1];
	*ret = program;
	return n == 1;
}

static struct program start_program(const char *path)
{
	struct program program;

	if (!try_program(path, &program))
		fail_msg("%s does not start", path);
	return program;
}

static void end_program(struct program program)
{
	(void)close(program.input);
	end_child(program.pid);
}

static struct program start_static(const char *name)
{
	char original[4096], path[8192];
	struct program program;

	assert_true(support_find("plain_static", original));
	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	copy_file(original, path);
	program = start_program(path);
	assert_int_equal(unlink(path), 0);
	return program;
}

/* What the functions under test tell */

static bool find_process(DWORD id, PROCESSENTRY32 *ret_entry)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
	PROCESSENTRY32 entry = { .dwSize = sizeof(entry) };
	unsigned int n = 0;

	assert_ptr_not_equal(snapshot, INVALID_HANDLE_VALUE);
	for (BOOL ok = Process32First(snapshot, &entry); ok; ok = Process32Next(snapshot, &entry))
		if (entry.th32ProcessID == id) {
			*ret_entry = entry;
			n++;
		}
	assert_int_equal(GetLastError(), ERROR_NO_MORE_FILES);
	assert_true(CloseHandle(snapshot));
	assert_true(n <= 1);
	return n == 1;
}

struct modules {
	MODULEENTRY32 entry[MODULES_MAX];
	size_t n;
};

static void read_modules(DWORD flags, pid_t pid, struct modules *ret)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(flags, (DWORD)pid);
	MODULEENTRY32 entry = { .dwSize = sizeof(entry) };

	ret->n = 0;
	assert_ptr_not_equal(snapshot, INVALID_HANDLE_VALUE);
	for (BOOL ok = Module32First(snapshot, &entry); ok; ok = Module32Next(snapshot, &entry)) {
		assert_true(ret->n < MODULES_MAX);
		ret->entry[ret->n++] = entry;
	}
	assert_int_equal(GetLastError(), ERROR_NO_MORE_FILES);
	assert_true(CloseHandle(snapshot));
}

static size_t modules_with(const struct modules *modules, uint64_t address)
{
	size_t n = 0;

	for (size_t i = 0; i < modules->n; i++)
		n += address - (uintptr_t)modules->entry[i].modBaseAddr <
		     modules->entry[i].modBaseSize;
	return n;
}

/* Every mapping of a file that can be executed, and the vDSO, lies in one module, all of it. */
static size_t check_code(pid_t pid, const struct modules *modules)
{
	char path[64], line[8192];
	uint64_t low, high, inode;
	size_t n = 0;
	char execute;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx %*c%*c%c%*c %*x %*s %lu", &low, &high, &execute,
			   &inode) != 4 ||
		    execute != 'x' || (inode == 0 && !strstr(line, "[vdso]")))
			continue;
		if (modules_with(modules, low) != 1 || modules_with(modules, high - 1) != 1)
			fail_msg("in %zu and %zu modules: %s", modules_with(modules, low),
				 modules_with(modules, high - 1), line);
		n++;
	}
	(void)fclose(file);
	return n;
}

static size_t count_named(const struct modules *modules, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < modules->n; i++)
		n += strcmp(modules->entry[i].szModule, name) == 0;
	return n;
}

static const MODULEENTRY32 *module_named(const struct modules *modules, const char *name)
{
	for (size_t i = 0; i < modules->n; i++)
		if (strcmp(modules->entry[i].szModule, name) == 0)
			return &modules->entry[i];
	return NULL;
}

/* Names */

static const char *const hostile_names[] = {
	"a\nb", "x) R 1 (", ") S 0 0 0\n7 (", "\x1b[31mred", "\xff\xfe\xc3", "name (deleted)x",
	" ",    "a\tb",
};

static void test_names_arrive_as_they_are(void **state)
{
	static struct modules modules;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(hostile_names); i++) {
		struct program program = start_static(hostile_names[i]);
		PROCESSENTRY32 entry = { 0 };

		assert_true(find_process((DWORD)program.pid, &entry));
		assert_string_equal(entry.szExeFile, hostile_names[i]);
		assert_int_equal(entry.th32ParentProcessID, getpid());
		assert_int_equal(entry.cntThreads, 1);
		read_modules(TH32CS_SNAPMODULE, program.pid, &modules);
		assert_string_equal(modules.entry[0].szModule, hostile_names[i]);
		end_program(program);
	}
}

static void test_bytes_that_are_no_characters_are_replaced_in_wide_names(void **state)
{
	static const WCHAR expected[] = { 'a', 0xfffd, 0xe4, 0xd83d, 0xde00, 0 };
	struct program program = start_static("a\xff\xc3\xa4\xf0\x9f\x98\x80");
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
	PROCESSENTRY32W entry = { .dwSize = sizeof(entry) };
	BOOL ok = Process32FirstW(snapshot, &entry);

	(void)state;
	while (ok && entry.th32ProcessID != (DWORD)program.pid)
		ok = Process32NextW(snapshot, &entry);
	assert_true(ok);
	assert_memory_equal(entry.szExeFile, expected, sizeof(expected));
	assert_true(CloseHandle(snapshot));
	end_program(program);
}

static void take_name(const void *name)
{
	(void)prctl(PR_SET_NAME, name);
}

/* What a process calls itself does not change what is told of it. */
static void test_a_process_cannot_forge_its_entry(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(hostile_names); i++) {
		pid_t pid = start_child(take_name, hostile_names[i]);
		PROCESSENTRY32 entry = { 0 };

		assert_true(find_process((DWORD)pid, &entry));
		assert_string_equal(entry.szExeFile, "test_win32_enum");
		assert_int_equal(entry.th32ParentProcessID, getpid());
		assert_int_equal(entry.cntThreads, 1);
		end_child(pid);
	}
}

static void hide_executable(const void *name)
{
	take_name(name);
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		_exit(1);
}

static void look_from_there(const void *pid)
{
	PROCESSENTRY32 entry = { 0 };

	hide_executable("looks");
	if (!find_process(*(const DWORD *)pid, &entry) || strcmp(entry.szExeFile, ") R 1\n") != 0 ||
	    entry.th32ParentProcessID != (DWORD)getppid())
		_exit(1);
	SetLastError(UNTOUCHED);
	if (CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, *(const DWORD *)pid) !=
		    INVALID_HANDLE_VALUE ||
	    GetLastError() != ERROR_ACCESS_DENIED)
		_exit(2);
	_exit(0);
}

static void test_who_may_not_see_the_executable_is_told_the_name(void **state)
{
	pid_t hidden, looks;
	DWORD id;
	int status;

	(void)state;
	if (getuid() != 0)
		SKIP_BECAUSE("needs root, to become somebody else");
	hidden = start_child(take_name, ") R 1\n");
	id = (DWORD)hidden;
	looks = fork();
	if (looks == 0)
		look_from_there(&id);
	assert_int_equal(waitpid(looks, &status, 0), looks);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	end_child(hidden);
}

/* 120 characters of two bytes, twice, and a file: longer than MAX_PATH in both kinds of units. */
static void make_long_path(char path[4096])
{
	size_t n = (size_t)snprintf(path, 4096, "%s", directory);

	for (int part = 0; part < 3; part++) {
		path[n++] = '/';
		for (int i = 0; i < 120; i++, n += 2)
			memcpy(path + n, TWO_BYTES, 2);
		path[n] = '\0';
		if (part < 2)
			assert_int_equal(mkdir(path, 0755), 0);
	}
}

static void remove_long_path(char *path)
{
	assert_int_equal(unlink(path), 0);
	for (int part = 0; part < 2; part++) {
		*strrchr(path, '/') = '\0';
		assert_int_equal(rmdir(path), 0);
	}
}

static void test_long_names_are_cut_between_characters(void **state)
{
	static struct modules modules;
	char original[4096], path[4096], full[4096] = "", small[7];
	struct program program;
	DWORD size = sizeof(full);
	HANDLE process;
	size_t length;

	(void)state;
	assert_true(support_find("plain_static", original));
	make_long_path(path);
	copy_file(original, path);
	program = start_program(path);
	read_modules(TH32CS_SNAPMODULE, program.pid, &modules);
	length = strlen(modules.entry[0].szExePath);
	assert_true(length == MAX_PATH - 1 || length == MAX_PATH - 2);
	assert_memory_equal(modules.entry[0].szExePath, path, length);
	assert_memory_equal(path + length - 2, TWO_BYTES, 2);
	assert_string_equal(modules.entry[0].szModule, strrchr(path, '/') + 1);
	process =
		OpenProcess(PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, FALSE, (DWORD)program.pid);
	assert_non_null(process);
	assert_true(QueryFullProcessImageNameA(process, 0, full, &size));
	assert_string_equal(full, path);
	assert_int_equal(size, strlen(path));
	assert_int_equal(GetModuleBaseNameA(process, NULL, small, 6), 6);
	assert_string_equal(small, TWO_BYTES TWO_BYTES);
	assert_int_equal(GetModuleBaseNameA(process, NULL, small, 7), 7);
	assert_string_equal(small, TWO_BYTES TWO_BYTES TWO_BYTES);
	assert_true(CloseHandle(process));
	end_program(program);
	remove_long_path(path);
}

/* Modules */

static void test_a_static_program_has_two(void **state)
{
	static struct modules modules;
	struct program program = start_static("alone");

	(void)state;
	read_modules(TH32CS_SNAPMODULE, program.pid, &modules);
	assert_int_equal(modules.n, 2);
	assert_string_equal(modules.entry[0].szModule, "alone");
	assert_string_equal(modules.entry[1].szModule, "linux-vdso.so.1");
	assert_int_equal(check_code(program.pid, &modules), 2);
	end_program(program);
}

static void load_and_delete(const void *path)
{
	if (!dlopen(path, RTLD_NOW))
		_exit(1);
	(void)unlink(path);
}

/* Other namespaces of the loader have other lists, which only the mappings tell of. */
static void load_apart(const void *path)
{
	if (!dlmopen(LM_ID_NEWLM, path, RTLD_NOW) || !dlmopen(LM_ID_NEWLM, path, RTLD_NOW))
		_exit(1);
	(void)unlink(path);
}

/* The loader knows only what it was told. */
static void load_relative(const void *path)
{
	if (chdir(directory) < 0 || !dlopen("./deleted.so", RTLD_NOW))
		_exit(1);
	(void)unlink(path);
}

static void test_deleted_libraries_keep_their_names(void **state)
{
	void (*const ways[])(const void *) = { load_and_delete, load_apart, load_relative };
	static struct modules modules;
	char original[4096], path[4096];

	(void)state;
	assert_true(support_find("plug.so", original));
	(void)snprintf(path, sizeof(path), "%s/deleted.so", directory);
	for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
		const MODULEENTRY32 *module;
		pid_t pid;

		copy_file(original, path);
		pid = start_child(ways[i], path);
		read_modules(TH32CS_SNAPMODULE, pid, &modules);
		assert_string_equal(modules.entry[0].szModule, "test_win32_enum");
		module = module_named(&modules, "deleted.so");
		assert_non_null(module);
		assert_string_equal(module->szExePath, path);
		assert_int_equal(count_named(&modules, "deleted.so"),
				 ways[i] == load_apart ? 2 : 1);
		assert_true(check_code(pid, &modules) >= 4);
		end_child(pid);
	}
}

enum spoil {
	SPOIL_LOOP,
	SPOIL_SELF,
	SPOIL_NEXT,
	SPOIL_NAME,
	SPOIL_BASE,
	SPOIL_SAME,
	SPOIL_DYNAMIC,
	SPOIL_MAP,
	SPOIL_SHORT,
	SPOIL_HUGE,
	SPOIL_PROGRAM,
	SPOIL_WAYS,
};

/* The headers of a library in memory: it ends in the middle of its code, or far behind all. */
static void spoil_headers(struct link_map *library, bool is_short)
{
	ElfW(Ehdr) *elf = (ElfW(Ehdr) *)library->l_addr;
	ElfW(Phdr) *ph = (ElfW(Phdr) *)(library->l_addr + elf->e_phoff);

	if (mprotect(elf, 4096, PROT_READ | PROT_WRITE) < 0)
		_exit(1);
	for (size_t i = 0; i < elf->e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		ph[i].p_memsz = is_short ? 16 : UINT64_C(1) << 47;
		if (is_short && !(ph[i].p_flags & PF_X))
			ph[i].p_vaddr = 0;
	}
}

static void spoil_link_map(const void *argument)
{
	enum spoil way = *(const enum spoil *)argument;
	struct link_map *first = _r_debug.r_map, *second = first->l_next, *third = second->l_next;
	char path[4096];
	int fd;

	/* Code below the executable does not take its place. */
	if (!support_find("plug.so", path) || (fd = open(path, O_RDONLY)) < 0 ||
	    mmap((void *)UINT64_C(0x20000000), 4096, PROT_READ | PROT_EXEC,
		 MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0) == MAP_FAILED)
		_exit(1);
	if (way == SPOIL_LOOP)
		third->l_next = second;
	else if (way == SPOIL_SELF)
		second->l_next = second;
	else if (way == SPOIL_NEXT)
		second->l_next = (struct link_map *)(uintptr_t)0x1234;
	else if (way == SPOIL_NAME)
		third->l_name = (char *)UINTPTR_MAX;
	else if (way == SPOIL_BASE)
		third->l_addr += 4096;
	else if (way == SPOIL_SAME)
		third->l_addr = third->l_next->l_addr, third->l_ld = third->l_next->l_ld;
	else if (way == SPOIL_DYNAMIC)
		third->l_ld = (ElfW(Dyn) *)(uintptr_t)UINT64_C(0x7fff00000000);
	else if (way == SPOIL_MAP)
		_r_debug.r_map = NULL;
	else
		spoil_headers(way == SPOIL_PROGRAM ? first : third, way == SPOIL_SHORT);
}

static void test_a_spoilt_link_map_hides_nothing(void **state)
{
	static struct modules modules, own;
	char *heap = sbrk(4096);

	(void)state;
	read_modules(TH32CS_SNAPMODULE, 0, &own);
	for (enum spoil way = 0; way < SPOIL_WAYS; way++) {
		pid_t pid = start_child(spoil_link_map, &way);

		read_modules(TH32CS_SNAPMODULE, pid, &modules);
		assert_string_equal(modules.entry[0].szModule, "test_win32_enum");
		assert_true(check_code(pid, &modules) >= 4);
		/* A copy of ours with one more; its stack and its heap are where ours are. */
		assert_int_equal(modules.n, own.n + 1);
		assert_int_equal(modules_with(&modules, (uintptr_t)&pid), 0);
		assert_int_equal(modules_with(&modules, (uintptr_t)heap), 0);
		end_child(pid);
	}
}

/* pause(2), again and again, for a processor of 32 bits */
static void write_32bit_program(const char *path)
{
	static const unsigned char code[] = {
		0xb8, 4,    0,    0,    0, /* mov $__NR_write, %eax */
		0xbb, 1,    0,    0,    0, /* mov $1, %ebx */
		0xb9, 0,    0x80, 4,    8, /* mov $0x08048000, %ecx */
		0xba, 1,    0,    0,    0, /* mov $1, %edx */
		0xcd, 0x80,                /* int $0x80 */
		0xb8, 29,   0,    0,    0, /* mov $__NR_pause, %eax */
		0xcd, 0x80, 0xeb, 0xf7,    /* int $0x80; and again */
	};
	struct {
		Elf32_Ehdr elf;
		Elf32_Phdr ph;
		unsigned char code[sizeof(code)];
	} file = {
		.elf = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			 .e_type = ET_EXEC,
			 .e_machine = EM_386,
			 .e_version = EV_CURRENT,
			 .e_entry = 0x08048000 + sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr),
			 .e_phoff = sizeof(Elf32_Ehdr),
			 .e_ehsize = sizeof(Elf32_Ehdr),
			 .e_phentsize = sizeof(Elf32_Phdr),
			 .e_phnum = 1 },
		.ph = { .p_type = PT_LOAD,
			.p_vaddr = 0x08048000,
			.p_filesz = sizeof(file),
			.p_memsz = sizeof(file),
			.p_flags = PF_R | PF_X,
			.p_align = 4096 },
	};
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	memcpy(file.code, code, sizeof(code));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
	(void)close(fd);
}

static DWORD count_filtered(HANDLE process, DWORD filter)
{
	HMODULE modules[16];
	DWORD bytes = UNTOUCHED;

	assert_true(EnumProcessModulesEx(process, modules, sizeof(modules), &bytes, filter));
	return bytes / sizeof(HMODULE);
}

static void test_modules_of_the_other_width(void **state)
{
	static struct modules modules;
	struct program program;
	char path[4096];
	HANDLE process;
	bool runs;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/narrow", directory);
	write_32bit_program(path);
	runs = try_program(path, &program);
	(void)unlink(path);
	if (!runs) {
		end_program(program);
		SKIP_BECAUSE("this kernel does not run 32-bit programs");
	}
	for (int i = 0; i < 3; i++) {
		const DWORD flags[] = { TH32CS_SNAPMODULE, TH32CS_SNAPMODULE32,
					TH32CS_SNAPMODULE | TH32CS_SNAPMODULE32 };

		read_modules(flags[i], program.pid, &modules);
		assert_string_equal(modules.entry[0].szModule, "narrow");
		assert_int_equal((uintptr_t)modules.entry[0].hModule, 0x08048000);
		assert_true(check_code(program.pid, &modules) >= 1);
	}
	read_modules(TH32CS_SNAPMODULE32, getpid(), &modules);
	assert_int_equal(modules.n, 0);
	process =
		OpenProcess(PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, FALSE, (DWORD)program.pid);
	assert_non_null(process);
	assert_int_equal(count_filtered(process, LIST_MODULES_64BIT), 0);
	assert_true(count_filtered(process, LIST_MODULES_32BIT) >= 1);
	assert_true(count_filtered(process, LIST_MODULES_DEFAULT) >= 1);
	assert_true(CloseHandle(process));
	assert_int_equal(count_filtered(GetCurrentProcess(), LIST_MODULES_32BIT), 0);
	assert_true(count_filtered(GetCurrentProcess(), LIST_MODULES_64BIT) > 1);
	end_program(program);
}

/* Arguments */

static void refused(DWORD flags, DWORD id, DWORD error)
{
	int handles = count_handles(getpid());

	SetLastError(UNTOUCHED);
	assert_ptr_equal(CreateToolhelp32Snapshot(flags, id), INVALID_HANDLE_VALUE);
	assert_int_equal(GetLastError(), error);
	assert_int_equal(count_handles(getpid()), handles);
}

static void *wait_for_byte(void *fd)
{
	char byte;

	(void)!read(*(int *)fd, &byte, 1);
	return (void *)(intptr_t)gettid();
}

static void test_flags_and_ids_are_checked(void **state)
{
	HANDLE snapshot;

	(void)state;
	refused(0, 0, ERROR_INVALID_PARAMETER);
	refused(TH32CS_INHERIT, 0, ERROR_INVALID_PARAMETER);
	refused(TH32CS_SNAPPROCESS | 0x40, 0, ERROR_INVALID_PARAMETER);
	refused(TH32CS_SNAPMODULE, UINT32_MAX, ERROR_INVALID_PARAMETER);
	refused(TH32CS_SNAPMODULE, 0x7ffffffc, ERROR_INVALID_PARAMETER);
	/* Of the lists that are of no process it has no use. */
	snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0x7ffffffc);
	assert_ptr_not_equal(snapshot, INVALID_HANDLE_VALUE);
	assert_true(CloseHandle(snapshot));
	snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPALL, 0);
	assert_ptr_not_equal(snapshot, INVALID_HANDLE_VALUE);
	assert_true(CloseHandle(snapshot));
}

static DWORD other_thread_of_ours(void)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
	THREADENTRY32 entry = { .dwSize = sizeof(entry) };
	DWORD found = 0;

	for (BOOL ok = Thread32First(snapshot, &entry); ok; ok = Thread32Next(snapshot, &entry))
		if (entry.th32OwnerProcessID == (DWORD)getpid() &&
		    entry.th32ThreadID != (DWORD)getpid())
			found = entry.th32ThreadID;
	assert_true(CloseHandle(snapshot));
	return found;
}

static void test_a_thread_is_no_process(void **state)
{
	pthread_t thread;
	int fd[2];
	void *tid;
	DWORD id;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_byte, &fd[0]), 0);
	id = other_thread_of_ours();
	assert_int_not_equal(id, 0);
	refused(TH32CS_SNAPMODULE, id, ERROR_INVALID_PARAMETER);
	assert_int_equal(write(fd[1], "", 1), 1);
	assert_int_equal(pthread_join(thread, &tid), 0);
	assert_int_equal((intptr_t)tid, id);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

static void test_sizes_and_pointers_are_checked(void **state)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD, 0);
	PROCESSENTRY32 first = { .dwSize = sizeof(first) }, entry = { .dwSize = sizeof(entry) - 1 };
	struct {
		PROCESSENTRY32 entry;
		char behind[8];
	} longer = { .entry.dwSize = sizeof(longer), .behind = "behind" };

	(void)state;
	assert_true(Process32First(snapshot, &first));
	assert_false(Process32Next(snapshot, &entry));
	assert_int_equal(GetLastError(), ERROR_BAD_LENGTH);
	assert_false(Process32Next(snapshot, NULL));
	assert_int_equal(GetLastError(), ERROR_NOACCESS);
	assert_false(Thread32First(snapshot, NULL));
	assert_int_equal(GetLastError(), ERROR_NOACCESS);
	/* Neither has moved it on; what the caller has more is left alone. */
	assert_true(Process32First(snapshot, &longer.entry));
	assert_int_equal(longer.entry.th32ProcessID, first.th32ProcessID);
	assert_string_equal(longer.behind, "behind");
	assert_true(CloseHandle(snapshot));
	assert_false(EnumProcesses(NULL, 8, &entry.dwSize));
	assert_int_equal(GetLastError(), ERROR_NOACCESS);
	assert_false(EnumProcessModules(GetCurrentProcess(), NULL, 8, &entry.dwSize));
	assert_int_equal(GetLastError(), ERROR_NOACCESS);
	assert_false(EnumProcessModulesEx(GetCurrentProcess(), NULL, 0, &entry.dwSize, 4));
	assert_int_equal(GetLastError(), ERROR_INVALID_PARAMETER);
	assert_int_equal(GetModuleBaseNameA(GetCurrentProcess(), NULL, longer.behind, 0), 0);
	assert_int_equal(GetLastError(), ERROR_INSUFFICIENT_BUFFER);
	assert_int_equal(GetModuleBaseNameA(GetCurrentProcess(), NULL, NULL, 8), 0);
	assert_int_equal(GetLastError(), ERROR_NOACCESS);
}

static void test_a_process_of_the_kernel_has_no_modules(void **state)
{
	PROCESSENTRY32 entry = { 0 };

	(void)state;
	if (!find_process(2, &entry) || strcmp(entry.szExeFile, "kthreadd") != 0)
		SKIP_BECAUSE("no processes of the kernel can be seen here");
	refused(TH32CS_SNAPMODULE, 2, ERROR_ACCESS_DENIED);
}

/* The handle */

static void test_the_snapshot_is_a_sealed_descriptor(void **state)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
	HANDLE inherited = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS | TH32CS_INHERIT, 0);
	int fd = (int)((uintptr_t)snapshot / 4);
	DWORD flags = UNTOUCHED;

	(void)state;
	assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW),
			 F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
	assert_true(GetHandleInformation(snapshot, &flags));
	assert_int_equal(flags, 0);
	assert_true(GetHandleInformation(inherited, &flags));
	assert_int_equal(flags, HANDLE_FLAG_INHERIT);
	/* Nothing that ends, so of the wrong kind. */
	assert_int_equal(WaitForSingleObject(snapshot, 0), WAIT_FAILED);
	assert_int_equal(GetLastError(), ERROR_INVALID_HANDLE);
	assert_true(CloseHandle(snapshot));
	assert_true(CloseHandle(inherited));
}

static size_t count_mappings_of_snapshots(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[8192];
	size_t n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, "memfd:snapshot") != NULL;
	(void)fclose(file);
	return n;
}

static void test_nothing_of_a_closed_snapshot_stays(void **state)
{
	HANDLE snapshot[20];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(snapshot); i++)
		snapshot[i] = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
	assert_int_equal(count_mappings_of_snapshots(), ARRAY_LENGTH(snapshot));
	for (size_t i = 0; i < ARRAY_LENGTH(snapshot); i++)
		assert_true(CloseHandle(snapshot[i]));
	assert_int_equal(count_mappings_of_snapshots(), 0);
}

static void test_duplicates_share_the_place(void **state)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0), copy = NULL;
	PROCESSENTRY32 first = { .dwSize = sizeof(first) }, second = first;

	(void)state;
	assert_true(DuplicateHandle(GetCurrentProcess(), snapshot, GetCurrentProcess(), &copy, 0,
				    FALSE, DUPLICATE_SAME_ACCESS));
	assert_true(Process32First(snapshot, &first));
	assert_true(CloseHandle(snapshot));
	assert_true(Process32Next(copy, &second));
	assert_int_not_equal(second.th32ProcessID, first.th32ProcessID);
	assert_true(Process32First(copy, &second));
	assert_int_equal(second.th32ProcessID, first.th32ProcessID);
	assert_true(CloseHandle(copy));
}

static void do_no_more(const void *unused)
{
	(void)unused;
}

static void test_a_snapshot_stays_in_its_process(void **state)
{
	pid_t pid = start_child(do_no_more, NULL);
	HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)pid), copy = NULL;
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
	int n = count_handles(pid);

	(void)state;
	assert_non_null(process);
	assert_false(DuplicateHandle(GetCurrentProcess(), snapshot, process, &copy, 0, FALSE,
				     DUPLICATE_SAME_ACCESS));
	assert_int_equal(GetLastError(), ERROR_NOT_SUPPORTED);
	assert_int_equal(count_handles(pid), n);
	assert_true(CloseHandle(process));
	assert_true(CloseHandle(snapshot));
	end_child(pid);
}

struct reader {
	HANDLE snapshot;
	size_t n;
	DWORD id[65536];
};

static void *read_threads(void *argument)
{
	struct reader *reader = argument;
	THREADENTRY32 entry = { .dwSize = sizeof(entry) };

	while (reader->n < ARRAY_LENGTH(reader->id) && Thread32Next(reader->snapshot, &entry))
		reader->id[reader->n++] = entry.th32ThreadID;
	return NULL;
}

static int compare_ids(const void *a, const void *b)
{
	const DWORD *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void test_threads_share_a_snapshot(void **state)
{
	static struct reader reader[4];
	static DWORD all[65536 * 4];
	pthread_t thread[4];

	(void)state;
	for (int round = 0; round < 50; round++) {
		HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
		THREADENTRY32 entry = { .dwSize = sizeof(entry) };
		size_t expected = 0, n = 0;

		for (BOOL ok = Thread32First(snapshot, &entry); ok;
		     ok = Thread32Next(snapshot, &entry))
			expected++;
		assert_true(Thread32First(snapshot, &entry));
		all[n++] = entry.th32ThreadID;
		for (int i = 0; i < 4; i++) {
			reader[i].snapshot = snapshot;
			reader[i].n = 0;
			assert_int_equal(pthread_create(&thread[i], NULL, read_threads, &reader[i]),
					 0);
		}
		for (int i = 0; i < 4; i++) {
			assert_int_equal(pthread_join(thread[i], NULL), 0);
			memcpy(all + n, reader[i].id, reader[i].n * sizeof(all[0]));
			n += reader[i].n;
		}
		assert_int_equal(n, expected);
		qsort(all, n, sizeof(all[0]), compare_ids);
		for (size_t i = 0; i + 1 < n; i++)
			assert_int_not_equal(all[i], all[i + 1]);
		assert_true(CloseHandle(snapshot));
	}
}

/* At each descriptor that is not to be had: the limit is named, and nothing stays. */
static void test_without_descriptors_it_fails_and_leaves_nothing(void **state)
{
	const DWORD flags[] = { TH32CS_SNAPPROCESS, TH32CS_SNAPTHREAD, TH32CS_SNAPMODULE };
	struct rlimit limit, small;
	bool has_worked = false;
	int n = count_handles(getpid());
	int next = dup(0);

	(void)state;
	assert_true(next >= 0);
	(void)close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		has_worked = false;
		for (int more = 0; more < 8; more++) {
			HANDLE snapshot;

			small = (struct rlimit){ (rlim_t)(next + more), limit.rlim_max };
			SetLastError(UNTOUCHED);
			assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
			snapshot = CreateToolhelp32Snapshot(flags[i], 0);
			assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
			if (snapshot == INVALID_HANDLE_VALUE)
				assert_int_equal(GetLastError(), ERROR_TOO_MANY_OPEN_FILES);
			else
				assert_true(CloseHandle(snapshot));
			has_worked = snapshot != INVALID_HANDLE_VALUE;
			assert_true(more > 0 || !has_worked);
			assert_int_equal(count_handles(getpid()), n);
		}
		assert_true(has_worked);
	}
}

/* Processes that come and go */

static void *sleep_for_ever(void *unused)
{
	for (;;)
		(void)pause();
	return unused;
}

static void leave_another_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, sleep_for_ever, NULL) != 0)
		_exit(1);
}

/* The first thread of a process ends, and the process goes on. */
static pid_t start_without_leader(void)
{
	int64_t deadline = deadline_in_ms(10000);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		leave_another_thread();
		(void)syscall(SYS_exit, 0);
	}
	while (!status_is(pid, "State", 'Z'))
		assert_true(support_again(deadline));
	return pid;
}

static size_t count_threads_of(DWORD id)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
	THREADENTRY32 entry = { .dwSize = sizeof(entry) };
	size_t n = 0;

	for (BOOL ok = Thread32First(snapshot, &entry); ok; ok = Thread32Next(snapshot, &entry))
		n += entry.th32OwnerProcessID == id;
	assert_true(CloseHandle(snapshot));
	return n;
}

static void test_a_process_without_its_first_thread_runs(void **state)
{
	static struct modules modules;
	pid_t pid = start_without_leader();
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD, 0);
	THREADENTRY32 thread = { .dwSize = sizeof(thread) };
	PROCESSENTRY32 entry = { 0 };
	char path[4096] = "";
	DWORD size = sizeof(path);
	HANDLE process;
	size_t n = 0;

	(void)state;
	assert_true(find_process((DWORD)pid, &entry));
	assert_int_equal(entry.cntThreads, 1);
	for (BOOL ok = Thread32First(snapshot, &thread); ok; ok = Thread32Next(snapshot, &thread)) {
		n += thread.th32OwnerProcessID == (DWORD)pid;
		assert_int_not_equal(thread.th32ThreadID, pid);
	}
	assert_int_equal(n, 1);
	assert_true(CloseHandle(snapshot));
	read_modules(TH32CS_SNAPMODULE, pid, &modules);
	assert_string_equal(modules.entry[0].szModule, "test_win32_enum");
	assert_true(modules.n >= 3);
	process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);
	assert_non_null(process);
	assert_true(QueryFullProcessImageNameA(process, 0, path, &size));
	assert_string_equal(strrchr(path, '/'), "/test_win32_enum");
	assert_true(CloseHandle(process));
	end_child(pid);
}

static void test_what_has_ended_is_not_listed(void **state)
{
	static DWORD ids[65536];
	PROCESSENTRY32 entry;
	siginfo_t info;
	DWORD bytes = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_false(find_process((DWORD)pid, &entry));
	assert_int_equal(count_threads_of((DWORD)pid), 0);
	assert_true(EnumProcesses(ids, sizeof(ids), &bytes));
	for (size_t i = 0; i < bytes / sizeof(ids[0]); i++)
		assert_int_not_equal(ids[i], pid);
	refused(TH32CS_SNAPMODULE, (DWORD)pid, ERROR_INVALID_PARAMETER);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void *do_nothing(void *unused)
{
	return unused;
}

/* Threads, and processes, each as short as can be. */
static void storm_of_threads(void)
{
	for (;;) {
		pthread_t thread[8];

		for (int i = 0; i < 8; i++)
			if (pthread_create(&thread[i], NULL, do_nothing, NULL) != 0)
				_exit(1);
		for (int i = 0; i < 8; i++)
			(void)pthread_join(thread[i], NULL);
	}
}

static void storm_of_processes(void)
{
	(void)signal(SIGCHLD, SIG_IGN);
	for (;;)
		if (fork() == 0)
			_exit(0);
}

static pid_t start_storm(void (*storm)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		storm();
	}
	return pid;
}

struct owners {
	size_t n, n_processes;
	THREADENTRY32 thread[65536];
	PROCESSENTRY32 process[65536];
};

static int compare_threads(const void *a, const void *b)
{
	const THREADENTRY32 *x = a, *y = b;

	return compare_ids(&x->th32ThreadID, &y->th32ThreadID);
}

/* Return: NULL, or what is wrong. */
static const char *read_snapshot(struct owners *all)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD, 0);
	THREADENTRY32 thread = { .dwSize = sizeof(thread) };
	PROCESSENTRY32 process = { .dwSize = sizeof(process) };

	all->n = all->n_processes = 0;
	if (snapshot == INVALID_HANDLE_VALUE)
		return "no snapshot";
	for (BOOL ok = Thread32First(snapshot, &thread); ok; ok = Thread32Next(snapshot, &thread))
		all->thread[all->n++] = thread;
	for (BOOL ok = Process32First(snapshot, &process); ok;
	     ok = Process32Next(snapshot, &process))
		all->process[all->n_processes++] = process;
	return CloseHandle(snapshot) ? NULL : "it cannot be closed";
}

static size_t threads_of(const struct owners *all, DWORD id)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += all->thread[i].th32OwnerProcessID == id;
	return n;
}

static const char *check_snapshot(struct owners *all)
{
	const char *wrong = read_snapshot(all);
	size_t n_listed = 0, n_own = 0;

	for (size_t i = 0; i < all->n_processes && !wrong; i++) {
		const PROCESSENTRY32 *process = &all->process[i];

		if (process->cntThreads != threads_of(all, process->th32ProcessID))
			wrong = "a process's count of threads is not that of the list";
		if (i > 0 && process[-1].th32ProcessID >= process->th32ProcessID)
			wrong = "a process is there twice";
		if (!process->szExeFile[0])
			wrong = "a process has no name";
		n_listed += process->cntThreads;
		n_own += process->th32ProcessID == (DWORD)getpid();
	}
	if (!wrong && n_listed != all->n)
		wrong = "a thread has no process";
	if (!wrong && n_own != 1)
		wrong = "our own process is not there";
	qsort(all->thread, all->n, sizeof(all->thread[0]), compare_threads);
	for (size_t i = 1; i < all->n && !wrong; i++)
		if (all->thread[i].th32ThreadID == all->thread[i - 1].th32ThreadID)
			wrong = "a thread is there twice";
	return wrong;
}

static const char *check_in_storm(int n_snapshots)
{
	static struct owners all;
	pid_t threads = start_storm(storm_of_threads), more = start_storm(storm_of_threads);
	pid_t processes = start_storm(storm_of_processes);
	const char *wrong = NULL;

	for (int i = 0; i < n_snapshots && !wrong; i++)
		wrong = check_snapshot(&all);
	end_child(threads);
	end_child(more);
	end_child(processes);
	return wrong;
}

static void test_a_storm_of_processes(void **state)
{
	int n = count_handles(getpid());
	const char *wrong = check_in_storm(200);

	(void)state;
	if (wrong)
		fail_msg("%s", wrong);
	assert_int_equal(count_handles(getpid()), n);
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	(void)close(fd);
	return n < 0 ? -1 : 0;
}

static void give_the_same_ids_again(void)
{
	for (;;)
		(void)write_text("/proc/sys/kernel/ns_last_pid", "100");
}

/* In a PID namespace of its own, where ids come back all the time and nobody else has any. */
static int storm_apart(void)
{
	const char *wrong;
	pid_t again;

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0 ||
	    write_text("/proc/sys/kernel/ns_last_pid", "100") < 0)
		return 2;
	again = start_storm(give_the_same_ids_again);
	wrong = check_in_storm(2000);
	end_child(again);
	if (wrong)
		(void)fprintf(stderr, "# %s\n", wrong);
	return wrong ? 1 : 0;
}

static void test_ids_that_are_used_again(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		pid_t first;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
			_exit(2);
		first = fork();
		if (first == 0)
			_exit(storm_apart());
		(void)waitpid(first, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		SKIP_BECAUSE("needs root, for a PID namespace");
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_arrive_as_they_are),
		cmocka_unit_test(test_bytes_that_are_no_characters_are_replaced_in_wide_names),
		cmocka_unit_test(test_a_process_cannot_forge_its_entry),
		cmocka_unit_test(test_who_may_not_see_the_executable_is_told_the_name),
		cmocka_unit_test(test_long_names_are_cut_between_characters),
		cmocka_unit_test(test_a_static_program_has_two),
		cmocka_unit_test(test_deleted_libraries_keep_their_names),
		cmocka_unit_test(test_a_spoilt_link_map_hides_nothing),
		cmocka_unit_test(test_modules_of_the_other_width),
		cmocka_unit_test(test_flags_and_ids_are_checked),
		cmocka_unit_test(test_a_thread_is_no_process),
		cmocka_unit_test(test_sizes_and_pointers_are_checked),
		cmocka_unit_test(test_a_process_of_the_kernel_has_no_modules),
		cmocka_unit_test(test_the_snapshot_is_a_sealed_descriptor),
		cmocka_unit_test(test_nothing_of_a_closed_snapshot_stays),
		cmocka_unit_test(test_duplicates_share_the_place),
		cmocka_unit_test(test_a_snapshot_stays_in_its_process),
		cmocka_unit_test(test_threads_share_a_snapshot),
		cmocka_unit_test(test_without_descriptors_it_fails_and_leaves_nothing),
		cmocka_unit_test(test_a_process_without_its_first_thread_runs),
		cmocka_unit_test(test_what_has_ended_is_not_listed),
		cmocka_unit_test(test_a_storm_of_processes),
		cmocka_unit_test(test_ids_that_are_used_again),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
