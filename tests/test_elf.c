/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_elf.c - modules and symbols of live processes: glibc, musl, static, Go, broken on purpose
 *
 * One file, three programs, so that target and test agree:
 *   -DELF_LIBRARY  a shared library, elf-library.so, which the tests copy and load;
 *                  elf-library-sysv.so with -Wl,--hash-style=sysv
 *   -DELF_TARGET   the process that is looked at (elf-target-glibc, -musl, -static, ...)
 *   neither        the test.  Its argument is the directory that holds the others; a variant
 *                  that is not there (no musl-gcc, no -m32) is skipped.
 */
#if defined(ELF_LIBRARY)

int elf_library_answer(void);
int elf_library_answer(void)
{
	return 42;
}

int elf_library_q(void); /* three, so that they meet in the buckets */
int elf_library_q(void)
{
	return 6;
}

int elf_library_of_life_the_universe_and_everything(void);
int elf_library_of_life_the_universe_and_everything(void)
{
	return 7;
}

#elif defined(ELF_TARGET)

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

int elf_target_own(int);
int elf_target_own(int n)
{
	return n + 1;
}

/* What the test compares with its own lookups. */
static void say_addresses(void)
{
	printf("ready %llx %llx %llx %llx\n", (unsigned long long)(uintptr_t)pthread_create,
	       (unsigned long long)(uintptr_t)malloc, (unsigned long long)(uintptr_t)&stdout,
	       (unsigned long long)(uintptr_t)elf_target_own);
	fflush(stdout);
}

static void *say_later(void *leader)
{
	pthread_join(*(pthread_t *)leader, NULL);
	say_addresses();
	while (getchar() != EOF)
		;
	_exit(0);
}

static void leaderless(void)
{
	static pthread_t leader;
	pthread_t other;

	leader = pthread_self();
	pthread_create(&other, NULL, say_later, &leader);
	pthread_detach(other);
	pthread_exit(NULL);
}

#ifdef ELF_TARGET_DYNAMIC

static void fail_if(int condition, const char *what)
{
	if (!condition)
		return;
	perror(what);
	exit(1);
}

static void load(int n, char **path)
{
	for (int i = 0; i < n; i++) {
		if (dlopen(path[i], RTLD_NOW))
			continue;
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
}

extern ElfW(Dyn) _DYNAMIC[]; /* musl's <link.h> has no declaration */

static struct r_debug *debug_of_loader(void)
{
	for (ElfW(Dyn) *d = _DYNAMIC; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_DEBUG)
			return (struct r_debug *)d->d_un.d_ptr;
	return NULL;
}

static void new_world(const char *directory)
{
	fail_if(unshare(CLONE_NEWNS), "unshare");
	fail_if(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	fail_if(mount("none", directory, "tmpfs", 0, NULL), "tmpfs");
	fail_if(chroot(directory) || chdir("/"), "chroot");
}

/* A link map of 100,000 entries that each look right. */
static void endless(struct r_debug *debug)
{
	enum { N = 100000 };
	struct link_map *map = calloc(N, sizeof(*map));

	for (int i = 0; i < N; i++) {
		map[i] = *debug->r_map;
		map[i].l_next = i < N - 1 ? &map[i + 1] : NULL;
		map[i].l_prev = i ? &map[i - 1] : NULL;
	}
	debug->r_map = map;
}

static void break_link_map(const char *how)
{
	struct r_debug *debug = debug_of_loader();
	struct link_map *map = debug->r_map;

	if (!strcmp(how, "cycle")) {
		map->l_next->l_next->l_next = map->l_next;
	} else if (!strcmp(how, "self")) {
		map->l_next = map;
	} else if (!strcmp(how, "wild-map")) {
		debug->r_map = (struct link_map *)0xffffffffffffff00;
	} else if (!strcmp(how, "wild-next")) {
		map->l_next = (struct link_map *)0x7ffffffff000;
	} else if (!strcmp(how, "wild-fields")) {
		map = map->l_next->l_next;
		map->l_name = (char *)-1;
		map->l_ld = (void *)-8;
		map->l_addr = (ElfW(Addr)) - 4096;
	} else if (!strcmp(how, "changing")) {
		debug->r_state = RT_ADD;
	} else if (!strcmp(how, "endless")) {
		endless(debug);
	}
}

enum { TABLES_MAX = 8, TABLE_BYTES = 512 };

static unsigned char *writable(uintptr_t address)
{
	void *page = (void *)(address & ~(uintptr_t)4095);

	fail_if(mprotect(page, 8192, PROT_READ | PROT_WRITE), "mprotect");
	return (unsigned char *)address;
}

/* The tables of elf-library.so, which are in its first page, and its dynamic section. */
static int library_tables(unsigned char **table)
{
	struct link_map *map = debug_of_loader()->r_map;
	int n = 0;

	while (map->l_next && !strstr(map->l_name, "elf-library"))
		map = map->l_next;
	writable(map->l_addr);
	for (ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_GNU_HASH || d->d_tag == DT_SYMTAB || d->d_tag == DT_STRTAB ||
		    d->d_tag == DT_HASH || d->d_tag == DT_VERSYM)
			table[n++] = (unsigned char *)d->d_un.d_ptr;
	table[n++] = writable((uintptr_t)map->l_ld);
	return n;
}

/* For each seed that comes in: random bytes in these tables; 0: as they were. */
static void fuzz(void)
{
	unsigned char *table[TABLES_MAX], pristine[TABLES_MAX][TABLE_BYTES];
	int n = library_tables(table);
	char line[64];

	for (int i = 0; i < n; i++)
		memcpy(pristine[i], table[i], TABLE_BYTES);
	while (fgets(line, sizeof(line), stdin)) {
		int seed = atoi(line);

		for (int i = 0; i < n; i++)
			memcpy(table[i], pristine[i], TABLE_BYTES);
		srand(seed);
		for (int i = 0; seed && i < 1 + seed % 32; i++) {
			int which = rand() % n;
			int at = rand() % (rand() % 2 ? 16 : TABLE_BYTES);

			if (rand() % 3)
				table[which][at] = rand();
			else
				memset(&table[which][at & ~3], rand() % 2 ? 0 : 0xff, 4);
		}
		puts("done");
		fflush(stdout);
	}
}

static void prepare(int argc, char **argv)
{
	if (!strcmp(argv[1], "load"))
		load(argc - 2, argv + 2);
	else if (!strcmp(argv[1], "world"))
		new_world(argv[2]);
	else if (!strcmp(argv[1], "break"))
		break_link_map(argv[2]);
	else if (!strcmp(argv[1], "fuzz"))
		load(1, argv + 2);
}
#endif

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "leaderless"))
		leaderless();
#ifdef ELF_TARGET_DYNAMIC
	if (argc > 1)
		prepare(argc, argv);
#endif
	say_addresses();
#ifdef ELF_TARGET_DYNAMIC
	if (argc > 1 && !strcmp(argv[1], "fuzz"))
		fuzz();
#endif
	while (getchar() != EOF)
		;
	_exit(0); /* a broken link map is not to be walked by exit handlers */
}

#else /* the test */

#include "elf/symbols.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#define TEXT_BYTES 4352
#define N_COPIES   100
#define NOBODY	   65534

static char targets[PATH_MAX]; /* where the built targets are */
static char scratch[64];       /* ours to write */

struct child {
	pid_t pid;
	int to, from;
	raddr_t pthread_create, malloc, out, own; /* as it says itself */
};

static char *in_targets(const char *name)
{
	static char path[TEXT_BYTES];

	(void)snprintf(path, sizeof(path), "%s/%s", targets, name);
	return path;
}

static void spawn(struct child *child, const char *const *argv)
{
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		unsetenv("LD_PRELOAD");
		setenv("LD_BIND_NOW", "1", 1); /* some break their own link map */
		execvp(argv[0], (char **)argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	child->to = in[1];
	child->from = out[0];
}

static void read_line(struct child *child, char *line, size_t bytes)
{
	size_t n = 0;

	while (n + 1 < bytes && read(child->from, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
}

static void await_ready(struct child *child)
{
	unsigned long long a, b, c, d;
	char line[256];

	read_line(child, line, sizeof(line));
	assert_int_equal(sscanf(line, "ready %llx %llx %llx %llx", &a, &b, &c, &d), 4);
	child->pthread_create = a;
	child->malloc = b;
	child->out = c;
	child->own = d;
}

static void end(struct child *child)
{
	close(child->to);
	close(child->from);
	kill(child->pid, SIGKILL);
	(void)waitpid(child->pid, NULL, 0);
}

/* Start a target; the whole test is skipped when that variant was not built. */
static void start(struct child *child, const char *variant, const char *command,
		  const char *argument)
{
	char program[TEXT_BYTES];
	const char *argv[] = { program, command, argument, NULL };

	(void)snprintf(program, sizeof(program), "%s", in_targets(variant));
	if (access(argv[0], X_OK) < 0) {
		print_message("no %s\n", argv[0]);
		skip();
	}
	spawn(child, argv);
	await_ready(child);
}

static raddr_t lookup(const struct elf_modules *modules, const char *name)
{
	struct elf_module *module;
	raddr_t address;

	assert_int_equal(elf_lookup(modules, name, &address, &module), 0);
	assert_true(module->low < module->high);
	assert_true(address >= module->low && address < module->high);
	return address;
}

static void assert_agrees(const struct child *child, const struct elf_modules *modules)
{
	assert_int_equal(lookup(modules, "pthread_create"), child->pthread_create);
	assert_int_equal(lookup(modules, "malloc"), child->malloc);
	assert_int_equal(lookup(modules, "elf_target_own"), child->own);
	lookup(modules, "dlopen");
	lookup(modules, "stdout");
}

static void copy_file(const char *from, const char *to)
{
	char buffer[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		assert_int_equal(write(out, buffer, n), n);
	close(in);
	close(out);
}

static char *scratch_path(const char *name)
{
	static char path[TEXT_BYTES];

	(void)snprintf(path, sizeof(path), "%s/%s", scratch, name);
	return path;
}

/* A glibc program: all addresses are those that it sees itself. */
static void test_glibc_addresses_are_its_own(void **state)
{
	struct elf_modules modules;
	struct child child;
	bool is_resolver;
	raddr_t address;

	start(&child, "elf-target-glibc", NULL, NULL);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	assert_agrees(&child, &modules);
	assert_int_equal(modules.libc, ELF_LIBC_GLIBC);
	assert_string_equal(modules.libc_module->name, "libc.so.6");
	assert_true(strstr(modules.loader_module->name, "ld-linux"));
	assert_string_equal(modules.module[0].path, in_targets("elf-target-glibc"));
	assert_int_equal(elf_lookup(&modules, "no_such_symbol", &address, NULL), -ENOENT);
	assert_int_equal(elf_lookup(&modules, "", &address, NULL), -ENOENT);
	assert_int_equal(elf_lookup(&modules, "memcpy", &address, NULL), -ENOTSUP);
	assert_int_equal(elf_lookup_or_resolver(&modules, NULL, "memcpy", &address, &is_resolver),
			 0);
	assert_true(is_resolver && lookup(&modules, "malloc") != address);
	assert_int_equal(elf_lookup_or_resolver(&modules, NULL, "malloc", &address, &is_resolver),
			 0);
	assert_true(!is_resolver && lookup(&modules, "malloc") == address);
	assert_int_equal(elf_lookup_or_resolver(&modules, &modules.module[0], "malloc", &address,
						&is_resolver), -ENOENT);
	assert_int_equal(elf_lookup(&modules, "errno", &address, NULL), -ENOENT); /* TLS */
	assert_int_equal(elf_lookup(&modules, "GLIBC_2.2.5", &address, NULL), -ENOENT);
	elf_modules_done(&modules);
	elf_modules_done(NULL);
	end(&child);
}

/* The default version, not pthread_cond_wait@GLIBC_2.2.5; an old one where nothing else is. */
static void test_default_version_wins(void **state)
{
	struct elf_modules modules;
	raddr_t address;

	assert_int_equal(elf_modules_read(getpid(), &modules), 0);
	assert_int_equal(lookup(&modules, "pthread_cond_wait"),
			 (uintptr_t)dlsym(RTLD_DEFAULT, "pthread_cond_wait"));
	assert_int_equal(lookup(&modules, "regexec"), (uintptr_t)dlsym(RTLD_DEFAULT, "regexec"));
	assert_int_equal(lookup(&modules, "pthread_create"),
			 (uintptr_t)dlsym(RTLD_DEFAULT, "pthread_create"));
	assert_int_equal(elf_lookup(&modules, "__malloc_hook", &address, NULL), 0);
	elf_modules_done(&modules);
}

/* A module found by all the names that people use; and the vDSO's own symbols. */
/* With the one behind it in hand the loader shows its list. */
static int look_at_locks(struct dl_phdr_info *info, size_t bytes, void *data)
{
	const struct elf_loader_lock *found = data;
	const pthread_mutex_t *load = (const void *)(uintptr_t)found->mutex, *list = load + 1;

	assert_int_equal(load->__data.__owner, 0);
	assert_int_equal(list->__data.__owner, gettid());
	return 1;
}

static void test_loader_lock(void **state)
{
	struct elf_loader_lock found;
	struct elf_modules modules;

	assert_int_equal(elf_modules_read(getpid(), &modules), 0);
	elf_find_loader_lock(&modules, &found);
	assert_true(found.mutex != 0);
	assert_int_equal(found.lock, lookup(&modules, "pthread_mutex_lock"));
	assert_int_equal(found.unlock, lookup(&modules, "pthread_mutex_unlock"));
	assert_int_equal(dl_iterate_phdr(look_at_locks, &found), 1);
	elf_modules_done(&modules);
}

static void test_find_module_by_any_name(void **state)
{
	static const char *const names[] = { "libc", "libc.so", "libc.so.6" };
	struct elf_modules modules;
	struct elf_module *vdso;
	struct child child;
	raddr_t address;

	start(&child, "elf-target-glibc", NULL, NULL);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_ptr_equal(elf_find_module(&modules, names[i]), modules.libc_module);
	assert_ptr_equal(elf_find_module(&modules, modules.libc_module->path), modules.libc_module);
	assert_ptr_equal(elf_find_module(&modules, "elf-target-glibc"), &modules.module[0]);
	assert_ptr_equal(elf_find_module(&modules, modules.module[0].path), &modules.module[0]);
	assert_null(elf_find_module(&modules, "lib"));
	assert_null(elf_find_module(&modules, "libc.so.7"));
	assert_null(elf_find_module(&modules, ""));
	assert_null(elf_find_module(&modules, "/nowhere/libc.so.6"));
	vdso = elf_find_module(&modules, "linux-vdso");
	if (vdso) {
		assert_int_equal(elf_lookup_in(&modules, vdso, "__vdso_clock_gettime", &address),
				 0);
		assert_true(address >= vdso->low && address < vdso->high);
	}
	assert_int_equal(elf_lookup_in(&modules, &modules.module[0], "malloc", &address), -ENOENT);
	elf_modules_done(&modules);
	end(&child);
}

/* A musl program: libc and loader are one module, known as libc too. */
static void test_musl(void **state)
{
	struct elf_modules modules;
	struct child child;

	start(&child, "elf-target-musl", NULL, NULL);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	assert_agrees(&child, &modules);
	assert_int_equal(modules.libc, ELF_LIBC_MUSL);
	assert_non_null(modules.libc_module);
	assert_ptr_equal(modules.libc_module, modules.loader_module);
	assert_ptr_equal(elf_find_module(&modules, "libc"), modules.libc_module);
	assert_string_equal(modules.module[0].path, in_targets("elf-target-musl"));
	for (size_t i = 0; i < modules.n_modules; i++)
		assert_true(modules.module[i].name[0]);
	elf_modules_done(&modules);
	end(&child);
}

static void assert_static(const char *variant)
{
	struct elf_modules modules;
	struct child child;
	raddr_t address;

	start(&child, variant, NULL, NULL);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	assert_int_equal(modules.n_modules, 1);
	assert_int_equal(modules.libc, ELF_LIBC_NONE);
	assert_null(modules.libc_module);
	assert_string_equal(modules.module[0].name, variant);
	assert_true(child.own >= modules.module[0].low && child.own < modules.module[0].high);
	assert_int_equal(elf_lookup(&modules, "malloc", &address, NULL), -ENOENT);
	elf_modules_done(&modules);
	end(&child);
}

/* Static programs are one module, without libc; non-PIE, PIE, and musl's. */
static void test_static_glibc(void **state)
{
	assert_static("elf-target-static");
}

static void test_static_pie(void **state)
{
	assert_static("elf-target-static-pie");
}

static void test_static_musl(void **state)
{
	assert_static("elf-target-musl-static");
}

/* gofmt is a Go program of every Go installation that waits for its standard input. */
static void test_go(void **state)
{
	const char *argv[] = { "gofmt", NULL };
	struct elf_modules modules;
	struct child child;
	int r;

	if (system("command -v gofmt >/dev/null") != 0)
		skip();
	spawn(&child, argv);
	/* no handshake with it: wait until it is it */
	do {
		r = elf_modules_read(child.pid, &modules);
		if (r == 0 && strcmp(modules.module[0].name, "gofmt") != 0) {
			elf_modules_done(&modules);
			r = -EAGAIN;
		}
		if (r < 0)
			nap_ns(NS_PER_MS);
	} while (r == -EAGAIN || r == -ENOEXEC);
	assert_int_equal(r, 0);
	assert_int_equal(modules.libc, ELF_LIBC_NONE);
	elf_modules_done(&modules);
	end(&child);
}

/* A large program of somebody else's making. */
static void test_python(void **state)
{
	const char *argv[] = {
		"python3", "-c",
		"import ctypes,sys\nf=lambda s:ctypes.cast(getattr(ctypes.CDLL('libc.so.6'),s),"
		"ctypes.c_void_p).value\n"
		"print('ready %x %x 0 0'%(f('pthread_create'),f('malloc')),flush=True)\n"
		"sys.stdin.read()",
		NULL
	};
	struct elf_modules modules;
	struct child child;

	if (system("python3 -c 'import ctypes' 2>/dev/null") != 0)
		skip();
	spawn(&child, argv);
	await_ready(&child);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	assert_int_equal(lookup(&modules, "pthread_create"), child.pthread_create);
	assert_int_equal(lookup(&modules, "malloc"), child.malloc);
	lookup(&modules, "PyGILState_Ensure");
	elf_modules_done(&modules);
	end(&child);
}

/* `ld.so program`: the kernel knows only the loader. */
static void assert_through_loader(const char *loader, const char *variant, enum elf_libc libc)
{
	char program[TEXT_BYTES];
	const char *argv[] = { loader, program, NULL };
	struct elf_modules modules;
	struct child child;

	(void)snprintf(program, sizeof(program), "%s", in_targets(variant));
	if (access(program, X_OK) < 0 || access(loader, X_OK) < 0)
		skip();
	spawn(&child, argv);
	await_ready(&child);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	assert_agrees(&child, &modules);
	assert_int_equal(modules.libc, libc);
	assert_non_null(modules.loader_module);
	assert_string_equal(modules.module[0].path, program);
	elf_modules_done(&modules);
	end(&child);
}

static void test_started_through_glibc_loader(void **state)
{
	assert_through_loader("/lib64/ld-linux-x86-64.so.2", "elf-target-glibc", ELF_LIBC_GLIBC);
}

static void test_started_through_musl_loader(void **state)
{
	assert_through_loader("/lib/ld-musl-x86_64.so.1", "elf-target-musl", ELF_LIBC_MUSL);
}

/* Stopped right at exec, before the loader ran its first instruction. */
static void assert_eagain_at_exec(const char *variant)
{
	const char *path = in_targets(variant);
	struct elf_modules modules;
	pid_t pid;

	if (access(path, X_OK) < 0)
		skip();
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execl(path, path, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(elf_modules_read(pid, &modules), -EAGAIN);
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void test_only_just_executed(void **state)
{
	assert_eagain_at_exec("elf-target-glibc");
	assert_eagain_at_exec("elf-target-musl");
}

static void test_32_bit_is_refused(void **state)
{
	struct elf_modules modules;
	struct child child;

	start(&child, "elf-target-m32", NULL, NULL);
	assert_int_equal(elf_modules_read(child.pid, &modules), -ENOEXEC);
	end(&child);
}

/* A library that was deleted, and its name given to another file (a package upgrade). */
static void test_replaced_library(void **state)
{
	char library[TEXT_BYTES];
	struct elf_modules modules;
	struct elf_module *module;
	struct child child;
	raddr_t address;

	(void)snprintf(library, sizeof(library), "%s", scratch_path("elf-replaced.so.1.2"));
	copy_file(in_targets("elf-library.so"), library);
	start(&child, "elf-target-glibc", "load", library);
	assert_int_equal(unlink(library), 0);
	copy_file("/bin/sh", library);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	module = elf_find_module(&modules, "elf-replaced");
	assert_non_null(module);
	assert_string_equal(module->path, library);
	assert_ptr_equal(elf_find_module(&modules, "elf-replaced.so.1"), module);
	assert_int_equal(elf_lookup_in(&modules, module, "elf_library_answer", &address), 0);
	assert_true(address >= module->low && address < module->high);
	elf_modules_done(&modules);
	end(&child);
	unlink(library);
}

/* A library with DT_HASH only, as musl's own and old ones may be. */
static void test_library_with_sysv_hash(void **state)
{
	static const char *const names[] = { "elf_library_answer", "elf_library_q",
					     "elf_library_of_life_the_universe_and_everything" };
	char library[TEXT_BYTES], near[2][ELF_NAME_BYTES];
	struct elf_modules modules;
	struct elf_module *module;
	struct child child;
	raddr_t address;

	(void)snprintf(library, sizeof(library), "%s", in_targets("elf-library-sysv.so"));
	if (access(library, R_OK) < 0)
		skip();
	start(&child, "elf-target-glibc", "load", library);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	module = elf_find_module(&modules, "elf-library-sysv");
	assert_non_null(module);
	assert_true(module->sysv_hash && !module->gnu_hash);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(elf_lookup_in(&modules, module, names[i], &address), 0);
		assert_true(address >= module->low && address < module->high);
	}
	assert_int_equal(elf_lookup_in(&modules, module, "elf_library", &address), -ENOENT);
	assert_int_equal(elf_near_misses(&modules, module, "elf_libary_anser", near, 1), 1);
	assert_string_equal(near[0], "elf_library_answer");
	elf_modules_done(&modules);
	end(&child);
}

static void test_deleted_program(void **state)
{
	char program[TEXT_BYTES];
	const char *argv[] = { program, NULL };
	struct elf_modules modules;
	struct child child;

	(void)snprintf(program, sizeof(program), "%s", scratch_path("elf-deleted"));
	copy_file(in_targets("elf-target-glibc"), program);
	spawn(&child, argv);
	await_ready(&child);
	assert_int_equal(unlink(program), 0);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	assert_agrees(&child, &modules);
	assert_string_equal(modules.module[0].path, program);
	elf_modules_done(&modules);
	end(&child);
}

/* Not without privileges, nor in a plain chroot, whose / is no mount. */
static bool can_have_own_mounts(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNS) != 0 ||
		      mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0);
	(void)waitpid(pid, &status, 0);
	return status == 0;
}

/* Another mount namespace, chrooted into an empty directory. */
static void test_other_mount_namespace(void **state)
{
	struct elf_modules modules;
	struct child child;

	if (!can_have_own_mounts()) {
		print_message("no mount namespace can be made here\n");
		skip();
	}
	start(&child, "elf-target-glibc", "world", scratch);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	assert_agrees(&child, &modules);
	assert_int_equal(modules.libc, ELF_LIBC_GLIBC);
	elf_modules_done(&modules);
	end(&child);
}

/* The main thread has exited, another goes on. */
static void test_leader_has_exited(void **state)
{
	struct elf_modules modules;
	struct child child;

	start(&child, "elf-target-glibc", "leaderless", NULL);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	assert_agrees(&child, &modules);
	assert_string_equal(modules.module[0].name, "elf-target-glibc");
	elf_modules_done(&modules);
	end(&child);
}

static void test_gone(void **state)
{
	struct elf_modules modules, late;
	siginfo_t info;
	struct child child;
	raddr_t address;

	start(&child, "elf-target-glibc", NULL, NULL);
	assert_int_equal(elf_modules_read(child.pid, &late), 0);
	kill(child.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, child.pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(elf_modules_read(child.pid, &modules), -ESRCH); /* a zombie */
	assert_int_equal(elf_lookup(&late, "malloc", &address, NULL), -ESRCH);
	end(&child);
	assert_int_equal(elf_modules_read(child.pid, &modules), -ESRCH);
	assert_int_equal(elf_lookup(&late, "malloc", &address, NULL), -ESRCH);
	assert_int_equal(elf_near_misses(&late, NULL, "mallocc", NULL, 0), 0);
	elf_modules_done(&late);
}

static void test_kernel_thread(void **state)
{
	struct elf_modules modules;

	/* in a container 2 may be anybody */
	if (system("grep -qs '^kthreadd$' /proc/2/comm") != 0)
		skip();
	assert_int_equal(elf_modules_read(2, &modules), -ENOEXEC);
}

/* Which expectation failed, 0: none. */
static int look_as_nobody(const char *path, pid_t roots)
{
	const char *argv[] = { path, NULL };
	struct elf_modules modules;
	struct child child;
	raddr_t address;
	int r = 0;

	if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return 1;
	spawn(&child, argv);
	await_ready(&child);
	if (elf_modules_read(child.pid, &modules) != 0)
		return 2;
	if (elf_lookup(&modules, "malloc", &address, NULL) != 0 || address != child.malloc)
		r = 3;
	elf_modules_done(&modules);
	end(&child);
	if (elf_modules_read(roots, &modules) != -EACCES)
		return 4;
	return r;
}

/* Without privileges: one's own processes, and nobody else's. */
static void test_unprivileged(void **state)
{
	char program[TEXT_BYTES];
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	(void)snprintf(program, sizeof(program), "%s", scratch_path("elf-nobody"));
	copy_file(in_targets("elf-target-glibc"), program);
	assert_int_equal(chmod(scratch, 0755), 0);
	pid = fork();
	if (pid == 0)
		_exit(look_as_nobody(program, getppid()));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	unlink(program);
}

/* A broken link map: an error, soon. */
static void test_hostile_link_map(void **state)
{
	static const struct {
		const char *how;
		int result;
	} cases[] = {
		{ "cycle", -EAGAIN },	  { "self", -EAGAIN },	{ "wild-map", -EAGAIN },
		{ "wild-next", -EAGAIN }, { "wild-fields", 0 }, { "changing", -EAGAIN },
		{ "endless", -ENOEXEC },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct elf_modules modules;
		struct child child;
		int64_t before;
		raddr_t address;
		int r;

		start(&child, "elf-target-glibc", "break", cases[i].how);
		before = now_ns();
		r = elf_modules_read(child.pid, &modules);
		assert_true(now_ns() - before < 2 * NS_PER_S);
		if (r != cases[i].result)
			fail_msg("%s: %d", cases[i].how, r);
		if (r == 0) {
			(void)elf_lookup(&modules, "no_such_symbol", &address, NULL);
			elf_modules_done(&modules);
		}
		end(&child);
	}
}

/* Random bytes in a library's tables: any answer will do, but an answer, soon. */
static void test_hostile_tables(void **state)
{
	enum { ROUNDS = 300 };
	char near[4][ELF_NAME_BYTES], line[32], library[TEXT_BYTES];
	struct child child;
	unsigned int seen = 0;
	int64_t before;

	(void)snprintf(library, sizeof(library), "%s", in_targets("elf-library.so"));
	start(&child, "elf-target-glibc", "fuzz", library);
	before = now_ns();
	for (int i = 0; i < ROUNDS; i++) {
		struct elf_modules modules;
		struct elf_module *module;
		raddr_t address;
		int r;

		(void)snprintf(line, sizeof(line), "%d\n", i);
		assert_int_equal(write(child.to, line, strlen(line)), strlen(line));
		read_line(&child, line, sizeof(line));
		assert_string_equal(line, "done");
		assert_int_equal(elf_modules_read(child.pid, &modules), 0);
		module = elf_find_module(&modules, "elf-library.so");
		assert_non_null(module);
		r = elf_lookup_in(&modules, module, "elf_library_answer", &address);
		assert_true(r == 0 || r == -ENOENT || r == -ENOTSUP);
		if (i == 0)
			assert_int_equal(r, 0);
		seen |= r == 0 ? 1 : 2;
		(void)elf_near_misses(&modules, module, "elf_library_answe", near, 4);
		elf_modules_done(&modules);
	}
	assert_int_equal(seen, 3); /* some were broken, some were not */
	assert_true(now_ns() - before < 20 * NS_PER_S);
	end(&child);
}

static void test_near_misses(void **state)
{
	char near[8][ELF_NAME_BYTES];
	struct elf_modules modules;
	struct child child;
	size_t n;

	start(&child, "elf-target-glibc", NULL, NULL);
	assert_int_equal(elf_modules_read(child.pid, &modules), 0);
	n = elf_near_misses(&modules, NULL, "pthread_craete", near, 8);
	assert_true(n > 0);
	assert_string_equal(near[0], "pthread_create");
	n = elf_near_misses(&modules, NULL, "mallocc", near, 8);
	assert_true(n > 0 && n <= 8);
	assert_string_equal(near[0], "malloc");
	for (size_t i = 1; i < n; i++)
		assert_string_not_equal(near[i], near[0]);
	n = elf_near_misses(&modules, &modules.module[0], "elf_target_onw", near, 8);
	assert_int_equal(n, 1);
	assert_string_equal(near[0], "elf_target_own");
	n = elf_near_misses(&modules, NULL, "malloc_usable", near, 1); /* not typed to its end */
	assert_int_equal(n, 1);
	assert_string_equal(near[0], "malloc_usable_size");
	assert_int_equal(elf_near_misses(&modules, NULL, "zqxjkvbwzqxjkvbw", near, 8), 0);
	elf_modules_done(&modules);
	end(&child);
}

/* Modules and ten symbols of a process with a hundred libraries.  The limit is ten times what
 * an idle machine needs; sanitizers and busy machines do not fail it. */
static void test_hundred_libraries_are_fast(void **state)
{
	static const char *const names[] = { "pthread_create", "pthread_detach",
					     "dlopen",	       "dlclose",
					     "dlerror",	       "malloc",
					     "free",	       "pthread_sigmask",
					     "pthread_exit",   "pthread_setname_np" };
	static char path[N_COPIES][128];
	const char *argv[N_COPIES + 3] = { NULL, "load" };
	struct elf_modules modules;
	struct child child;
	int64_t best = INT64_MAX;

	for (int i = 0; i < N_COPIES; i++) {
		(void)snprintf(path[i], sizeof(path[i]), "%s/elf-copy-%d.so", scratch, i);
		copy_file(in_targets("elf-library.so"), path[i]);
		argv[2 + i] = path[i];
	}
	argv[0] = in_targets("elf-target-glibc");
	spawn(&child, argv);
	await_ready(&child);
	for (int round = 0; round < 20; round++) {
		int64_t before = now_ns(), middle, after;

		assert_int_equal(elf_modules_read(child.pid, &modules), 0);
		middle = now_ns();
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			lookup(&modules, names[i]);
		after = now_ns();
		if (after - before < best) {
			best = after - before;
			print_message("%zu modules: %lld us, ten symbols: %lld us\n",
				      modules.n_modules, (long long)(middle - before) / NS_PER_US,
				      (long long)(after - middle) / NS_PER_US);
		}
		assert_true(modules.n_modules >= N_COPIES + 3);
		assert_int_equal(lookup(&modules, "malloc"), child.malloc);
		elf_modules_done(&modules);
	}
	assert_true(best < 20 * NS_PER_MS);
	end(&child);
	for (int i = 0; i < N_COPIES; i++)
		unlink(path[i]);
}

static int make_scratch(void **state)
{
	(void)snprintf(scratch, sizeof(scratch), "/tmp/tendril-elf-XXXXXX");
	return mkdtemp(scratch) ? 0 : -1;
}

static int remove_scratch(void **state)
{
	return rmdir(scratch);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glibc_addresses_are_its_own),
		cmocka_unit_test(test_default_version_wins),
		cmocka_unit_test(test_loader_lock),
		cmocka_unit_test(test_find_module_by_any_name),
		cmocka_unit_test(test_musl),
		cmocka_unit_test(test_static_glibc),
		cmocka_unit_test(test_static_pie),
		cmocka_unit_test(test_static_musl),
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_python),
		cmocka_unit_test(test_started_through_glibc_loader),
		cmocka_unit_test(test_started_through_musl_loader),
		cmocka_unit_test(test_only_just_executed),
		cmocka_unit_test(test_32_bit_is_refused),
		cmocka_unit_test(test_replaced_library),
		cmocka_unit_test(test_library_with_sysv_hash),
		cmocka_unit_test(test_deleted_program),
		cmocka_unit_test(test_other_mount_namespace),
		cmocka_unit_test(test_leader_has_exited),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_kernel_thread),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_hostile_link_map),
		cmocka_unit_test(test_hostile_tables),
		cmocka_unit_test(test_near_misses),
		cmocka_unit_test(test_hundred_libraries_are_fast),
	};

	if (argc < 2 || !realpath(argv[1], targets)) {
		fprintf(stderr, "usage: %s DIRECTORY-OF-TARGETS\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
#endif
