/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/target.h"

#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/fault.h"

#define DEFAULT_TIMEOUT_MS 5000
#define DYING_MS           20
#define ENDING_MS          1000 /* one thread is gone, the others follow: on a loaded machine not at once */
#define TEXT_CHUNK_BYTES   (128 * 1024)
#define TEXT_OVERLAP_BYTES 32
#define DEFAULT_STACK_UNLIMITED_BYTES (2ul << 20) /* as glibc does on x86-64 */
#define STACK_LIMIT_SANE_BYTES        (1ul << 36)

/* More than musl's dlopen() has: what stands behind it is then avoided, too. */
#define DLOPEN_BYTES 4096

#define VERSION_TEXT(major, minor)  VERSION_TEXT_(major, minor)
#define VERSION_TEXT_(major, minor) #major "." #minor

const char *tendril_version(void)
{
	return VERSION_TEXT(TENDRIL_VERSION_MAJOR, TENDRIL_VERSION_MINOR);
}

static bool has_ended_within(const struct tendril_target *target, int ms)
{
	struct pollfd pfd = { .fd = target->pidfd, .events = POLLIN };

	return poll(&pfd, 1, ms) > 0 && (pfd.revents & POLLIN);
}

bool target_has_ended(const struct tendril_target *target)
{
	return has_ended_within(target, 0);
}

bool target_is_ending(const struct tendril_target *target)
{
	return has_ended_within(target, ENDING_MS);
}

int target_explain(const struct tendril_target *target, int code, enum tendril_stage stage,
		   struct tendril_error *error)
{
	int r = 0;

	/* One that is being killed has no memory any more, and refuses, before it counts as ended. */
	if (has_ended_within(target, code == -EACCES || code == -EPERM ? DYING_MS : 0))
		return fail(error, -ESRCH, stage, TENDRIL_RULE_NO_PROCESS,
			    "process %d has ended", target->pid);
	if (code == -EPERM || code == -EACCES || code == -EBUSY)
		r = proc_explain_access(target->pid, error);
	if (r < 0) {
		if (error)
			error->stage = stage;
		return r;
	}
	switch (code) {
	case -EPERM:
	case -EACCES:
		return fail(error, -EACCES, stage, TENDRIL_RULE_UID,
			    "the kernel does not permit to trace process %d", target->pid);
	default:
		return fail(error, code, stage, TENDRIL_RULE_NONE, "process %d: %s", target->pid,
			    strerror(-code));
	}
}

/* The link of a namespace: "pid:[4026531836]". */
static bool same_namespace(pid_t pid, const char *name)
{
	char path[64], ours[64], theirs[64];
	ssize_t n, m;

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	n = readlink(path, ours, sizeof(ours));
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	m = readlink(path, theirs, sizeof(theirs));
	return n > 0 && n == m && memcmp(ours, theirs, (size_t)n) == 0;
}

static int find_functions(struct tendril_target *target, struct tendril_error *error)
{
	struct libc_functions *libc = &target->libc;
	const struct {
		const char *name;
		raddr_t *address;
	} wanted[] = {
		{ "pthread_attr_init", &libc->attr_init },
		{ "pthread_attr_setdetachstate", &libc->attr_setdetachstate },
		{ "pthread_attr_setstack", &libc->attr_setstack },
		{ "pthread_attr_setstacksize", &libc->attr_setstacksize },
		{ "pthread_create", &libc->create },
		{ "pthread_getcpuclockid", &libc->getcpuclockid },
		{ "_pthread_cleanup_push", &libc->cleanup_push },
		{ "_pthread_cleanup_pop", &libc->cleanup_pop },
		{ "munmap", &libc->munmap },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		int r = elf_lookup(&target->modules, wanted[i].name, wanted[i].address, NULL);

		if (r == -ESRCH)
			return target_explain(target, r, TENDRIL_STAGE_CHECK, error);
		if (r < 0)
			return fail(error, -ENOEXEC, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_LIBC,
				    "process %d has no %s() that could make a thread", target->pid,
				    wanted[i].name);
	}
	return 0;
}

/* Piece by piece, because what we look for stands in the first half of libc's text. */
static int find_gadgets(struct tendril_target *target)
{
	AUTO_FREE uint8_t *text = malloc(TEXT_CHUNK_BYTES);
	struct arch_gadgets *gadgets = &target->gadgets;
	const struct elf_module *libc = target->modules.libc_module;

	if (!text)
		return -ENOMEM;
	memset(gadgets, 0, sizeof(*gadgets));
	for (size_t i = 0; i < target->maps.n_maps; i++) {
		const struct proc_map *map = &target->maps.map[i];

		if (!map->execute || map->low < libc->low || map->high > libc->high)
			continue;
		for (raddr_t at = map->low; at < map->high;
		     at += TEXT_CHUNK_BYTES - TEXT_OVERLAP_BYTES) {
			ssize_t n = pread(target->mem, text, TEXT_CHUNK_BYTES, (off_t)at);

			if (n <= 0)
				break;
			if ((raddr_t)n > map->high - at)
				n = (ssize_t)(map->high - at);
			arch_find_gadgets(text, (size_t)n, at, gadgets);
			if (gadgets->syscall_ret && gadgets->sigreturn &&
			    gadgets->store.at &&
			    (gadgets->exit_loop || target->modules.libc != ELF_LIBC_GLIBC))
				return 0;
		}
	}
	return gadgets->syscall_ret && gadgets->sigreturn ? 0 : -ENOEXEC;
}

static void make_rules(struct tendril_target *target)
{
	const struct elf_modules *modules = &target->modules;
	struct safe_rules *rules = &target->rules;
	struct elf_module *allocator = NULL, *threads;
	raddr_t address;

	memset(rules, 0, sizeof(*rules));
	rules->libc = modules->libc;
	rules->maps = &target->maps;
	safe_rules_add(rules, modules->libc_module->low, modules->libc_module->high);
	if (modules->loader_module)
		safe_rules_add(rules, modules->loader_module->low, modules->loader_module->high);
	/* Before glibc 2.34 threads had a library of their own. */
	threads = elf_find_module(modules, "libpthread.so.0");
	if (threads)
		safe_rules_add(rules, threads->low, threads->high);
	/* musl keeps threads out while it loads. */
	if (modules->libc == ELF_LIBC_MUSL && elf_lookup(modules, "dlopen", &address, NULL) == 0) {
		rules->loader_low = address;
		rules->loader_high = address + DLOPEN_BYTES;
	}
	if (elf_lookup(modules, "malloc", &address, &allocator) == 0 &&
	    allocator != modules->libc_module) {
		safe_rules_add(rules, allocator->low, allocator->high);
		if (allocator != &modules->module[0]) {
			rules->allocator_low = allocator->low;
			rules->allocator_high = allocator->high;
		}
	}
	if (modules->libc == ELF_LIBC_GLIBC) {
		(void)elf_lookup(modules, "_rtld_global", &rules->loader_data, NULL);
		(void)elf_lookup(modules, "_IO_list_all", &rules->files, NULL);
	}
	rules->has_other_ids = !same_namespace(target->pid, "pid");
	for (size_t i = 0; i < target->maps.n_maps; i++)
		if (strcmp(target->maps.map[i].path, "[vdso]") == 0)
			safe_rules_add(rules, target->maps.map[i].low, target->maps.map[i].high);
}

/* What glibc gives a thread that asks for nothing: as much as RLIMIT_STACK says. */
static uint64_t default_stack_bytes(const struct tendril_target *target)
{
	struct rlimit limit;

	if (target->modules.libc == ELF_LIBC_MUSL)
		return 0; /* its own default */
	if (prlimit(target->pid, RLIMIT_STACK, NULL, &limit) < 0 ||
	    limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > STACK_LIMIT_SANE_BYTES)
		return DEFAULT_STACK_UNLIMITED_BYTES;
	return round_up_page(limit.rlim_cur);
}

static int open_memory(struct tendril_target *target)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", target->pid);
	target->mem = open(path, O_RDWR | O_CLOEXEC);
	if (target->mem < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return target_has_ended(target) ? -ESRCH : 0;
}

/* Where AT_RANDOM of the auxiliary vector points. */
static int read_mark(struct tendril_target *target)
{
	AUTO_CLOSE int dir = proc_open(target->pid);
	AUTO_FREE char *text = NULL;
	size_t bytes = 0;
	int r = dir < 0 ? dir : proc_read_file(dir, "auxv", 65536, &text, &bytes);

	for (size_t i = 0; r == 0 && i + 16 <= bytes; i += 16) {
		uint64_t entry[2];

		memcpy(entry, text + i, sizeof(entry));
		if (entry[0] != AT_RANDOM)
			continue;
		target->mark_at = entry[1];
		target->has_mark = true;
		if (pread(target->mem, target->mark, sizeof(target->mark), (off_t)entry[1]) !=
		    sizeof(target->mark))
			return target_has_ended(target) ? -ESRCH : -EIO;
	}
	return r;
}

int refuse_without_libc(const struct tendril_target *target, const struct elf_modules *modules,
			struct tendril_error *error)
{
	char name[64] = "it";

	if (modules->n_modules)
		escape_text(modules->module[0].name, name, sizeof(name));
	return fail(error, -ENOEXEC, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_LIBC,
		    "process %d (%s) is statically linked, or has a runtime of its own: there is no "
		    "shared libc that could make a thread",
		    target->pid, name);
}

static int read_modules(struct tendril_target *target, struct tendril_error *error)
{
	int r = elf_modules_read(target->pid, &target->modules);

	for (int64_t deadline = now_ns() + target->timeout_ms * (int64_t)NS_PER_MS;
	     r == -EAGAIN && now_ns() < deadline;) {
		nap_ns(NS_PER_MS); /* its loader has not come that far; nothing tells when */
		r = elf_modules_read(target->pid, &target->modules);
	}
	if (r == -ENOEXEC)
		return fail(error, -ENOEXEC, TENDRIL_STAGE_CHECK, TENDRIL_RULE_ARCHITECTURE,
			    "process %d is not a 64-bit x86-64 one, which is all that is supported",
			    target->pid);
	if (r < 0)
		return target_explain(target, r, TENDRIL_STAGE_CHECK, error);
	if (target->modules.libc == ELF_LIBC_NONE)
		return refuse_without_libc(target, &target->modules, error);
	return 0;
}

/* What the target is called in its own PID namespace. */
static pid_t own_pid(const struct tendril_target *target)
{
	struct proc_process process;

	if (target->same_pid_namespace)
		return target->pid;
	if (proc_process_read(target->pid, &process) < 0 || process.n_ns_pids == 0)
		return 0;
	return process.ns_pid[process.n_ns_pids - 1];
}

static int gather(struct tendril_target *target, struct tendril_error *error)
{
	int r = proc_explain_access(target->pid, error);

	/* Traced: perhaps for the moment that another call like this one takes. */
	if (r < 0 && r != -EBUSY)
		return has_ended_within(target, DYING_MS)
			       ? target_explain(target, -ESRCH, TENDRIL_STAGE_CHECK, error)
			       : r;
	r = read_mark(target);
	if (r < 0)
		return target_explain(target, r, TENDRIL_STAGE_CHECK, error);
	r = read_modules(target, error);
	if (r < 0)
		return r;
	r = proc_maps_read(target->pid, &target->maps);
	if (r < 0)
		return target_explain(target, r, TENDRIL_STAGE_CHECK, error);
	r = find_functions(target, error);
	if (r < 0)
		return r;
	r = find_gadgets(target);
	if (r < 0 && target_has_ended(target))
		return target_explain(target, -ESRCH, TENDRIL_STAGE_CHECK, error);
	if (r < 0)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_LIBC,
			    "the libc of process %d is not one that we know our way about in",
			    target->pid);
	make_rules(target);
	target->default_stack_bytes = default_stack_bytes(target);
	target->same_pid_namespace = same_namespace(target->pid, "pid");
	target->caller_pid = target->same_pid_namespace ? getpid() : 0;
	target->own_pid = own_pid(target);
	target->is_ready = true;
	return 0;
}

void target_settle(struct tendril_target *target)
{
	close_keeping_errno(target->mem);
	target->mem = -1;
}

static void forget_image(struct tendril_target *target)
{
	elf_modules_done(&target->modules);
	proc_maps_done(&target->maps);
	memset(&target->modules, 0, sizeof(target->modules));
	memset(&target->maps, 0, sizeof(target->maps));
	target->is_ready = false;
	target->has_mark = false;
	target->seccomp = (struct seccomp_state){ 0 };
	target->permitted_by = (struct seccomp_state){ 0 };
	target->refuses_skip = false;
}

void target_forget(struct tendril_target *target)
{
	target_settle(target);
	forget_image(target);
}

/* Another program image has other random bytes, elsewhere, and the memory of the old one is gone. */
bool target_is_same_image(const struct tendril_target *target)
{
	uint8_t mark[sizeof(target->mark)];

	return pread(target->mem, mark, sizeof(mark), (off_t)target->mark_at) == sizeof(mark) &&
	       memcmp(mark, target->mark, sizeof(mark)) == 0;
}

int target_prepare(struct tendril_target *target, struct tendril_error *error)
{
	int r = FAULT_POINT("prepare");

	if (r < 0)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "fault point");
	r = open_memory(target);
	if (r < 0)
		return target_explain(target, r, TENDRIL_STAGE_CHECK, error);
	if (target->is_ready && target_is_same_image(target))
		return 0;
	forget_image(target);
	r = gather(target, error);
	/* What was gathered of a program that is being replaced is nonsense: begin anew. */
	for (int64_t deadline = now_ns() + target->timeout_ms * (int64_t)NS_PER_MS;
	     r < 0 && target->has_mark && !target_is_same_image(target) && now_ns() < deadline;) {
		target_forget(target);
		r = open_memory(target);
		r = r < 0 ? target_explain(target, r, TENDRIL_STAGE_CHECK, error)
			  : gather(target, error);
	}
	if (r < 0)
		target_forget(target);
	return r;
}

int target_refresh_maps(struct tendril_target *target)
{
	struct proc_maps maps;
	int r = proc_maps_read(target->pid, &maps);

	if (r < 0)
		return r;
	proc_maps_done(&target->maps);
	target->maps = maps;
	return 0;
}

static int check_options(const struct tendril_options *options, struct tendril_error *error)
{
	if (!options)
		return 0;
	if (options->size < sizeof(*options) || options->flags)
		return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "unknown flag, or size not set, in the options");
	return 0;
}

static int new_target(pid_t pid, int *pidfd, const struct tendril_options *options,
		      struct tendril_target **ret_target, struct tendril_error *error)
{
	struct tendril_target *target;
	int r = 0;

	if (pid != getpid())
		r = proc_explain_access(pid, error);
	/* What passes by itself does not stand in the way of opening. */
	if (r < 0 && r != -EBUSY)
		return r;
	target = calloc(1, sizeof(*target));
	if (!target)
		return fail(error, -ENOMEM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT,
			    "out of memory");
	target->pid = pid;
	target->mem = -1;
	target->is_self = pid == getpid();
	target->timeout_ms = options && options->timeout_ms ? options->timeout_ms
							    : DEFAULT_TIMEOUT_MS;
	(void)pthread_mutex_init(&target->lock, NULL);
	target->pidfd = take_fd(pidfd);
	*ret_target = target;
	return 0;
}

static int refuse_pid(pid_t pid, int code, struct tendril_error *error)
{
	if (code == -ESRCH || code == -EINVAL)
		return fail(error, -ESRCH, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_PROCESS,
			    "there is no process %d", pid);
	return fail(error, code, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT,
		    "cannot open process %d: %s", pid, strerror(-code));
}

int descriptor_above_stdio(int fd)
{
	int high;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close_keeping_errno(fd);
	return high;
}

int tendril_open(pid_t pid, const struct tendril_options *options,
		 struct tendril_target **ret_target, struct tendril_error *error)
{
	AUTO_CLOSE int pidfd = -1;
	int r = check_options(options, error);

	if (r < 0)
		return r;
	if (pid <= 0)
		return refuse_pid(pid, -ESRCH, error);
	pidfd = descriptor_above_stdio((int)syscall(SYS_pidfd_open, pid, 0));
	if (pidfd < 0)
		return refuse_pid(pid, -errno, error);
	return new_target(pid, &pidfd, options, ret_target, error);
}

/* A pidfd's process, as /proc/self/fdinfo tells it; -1: it has ended. */
static int pid_of_pidfd(int pidfd, pid_t *ret_pid)
{
	char name[64];
	AUTO_FREE char *text = NULL;
	AUTO_CLOSE int dir = open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *value;
	size_t bytes;
	int r;

	if (dir < 0)
		return -errno;
	(void)snprintf(name, sizeof(name), "%d", pidfd);
	r = proc_read_file(dir, name, 4096, &text, &bytes);
	if (r < 0)
		return r == -ESRCH ? -EBADF : r;
	value = proc_find_line(text, "Pid");
	if (!value)
		return -EBADF;
	*ret_pid = (pid_t)strtol(value, NULL, 10);
	return *ret_pid > 0 ? 0 : -ESRCH;
}

int tendril_open_pidfd(int pidfd, const struct tendril_options *options,
		       struct tendril_target **ret_target, struct tendril_error *error)
{
	AUTO_CLOSE int own = -1;
	pid_t pid = 0;
	int r = check_options(options, error);

	if (r < 0)
		return r;
	r = pid_of_pidfd(pidfd, &pid);
	if (r < 0)
		return r == -EBADF ? fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_PROCESS,
					  "descriptor %d is not a pidfd", pidfd)
				   : refuse_pid(pid, r, error);
	own = fcntl(pidfd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (own < 0)
		return refuse_pid(pid, -errno, error);
	return new_target(pid, &own, options, ret_target, error);
}

void tendril_close(struct tendril_target *target)
{
	if (!target)
		return;
	target_forget(target);
	close_keeping_errno(target->pidfd);
	free(target->guard_stack);
	(void)pthread_mutex_destroy(&target->lock);
	free(target);
}

pid_t tendril_target_pid(const struct tendril_target *target)
{
	return target->pid;
}

int tendril_target_fd(const struct tendril_target *target)
{
	return target->pidfd;
}
