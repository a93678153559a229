/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.c - where the programs of bpf/handles.bpf.c are entered from
 *
 * What the functions are called has changed between kernels, and a compiler may have put one of
 * them into its callers, where it cannot be hooked.  So names are looked for, and then it is tried.
 */
#include "leaks/hooks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "leaks/bpf/handles.h"
#include "proc/proc.h"

#define NAMES_EACH    2
#define PREEMPT_FILE  "/sys/kernel/debug/sched/preempt"
#define PREEMPT_BYTES 256

/* Those of which no function is there are left out: the trial shows whether one is missed. */
static const struct {
	const char *program;
	const char *functions[NAMES_EACH]; /* the newer name first */
} hooks[] = {
	{ "installed", { "fd_install" } },
	{ "replaced", { "do_dup2" } },
	{ "closed", { "file_close_fd", "close_fd_get_file" } },
	{ "closed_inside", { "close_fd" } },
	{ "closed_range", { "__x64_sys_close_range" } },
	{ "closed_range_32", { "__ia32_sys_close_range" } },
	{ "unshared", { "ksys_unshare" } },
	{ "ring_entered", { "__x64_sys_io_uring_enter" } },
	{ "ring_entered_32", { "__ia32_sys_io_uring_enter" } },
};

const char *hook_name(enum hook hook)
{
	return hook == HOOK_FENTRY ? "fentry" : "tracepoint";
}

/*
 * A task may be preempted in a program that hooks a function; until it goes on, the kernel runs
 * that program for nobody else on the processor, and each such call is missed (on one processor and
 * with eight busy threads, two of three calls).  Tracepoints are not preempted.  Only a kernel that
 * says of itself that it does not do so is believed.
 */
static bool is_preempted(void)
{
	AUTO_FREE char *modes = NULL; /* "none (voluntary) full" */
	struct utsname name;
	size_t bytes;

	if (uname(&name) == 0 && !strstr(name.version, "PREEMPT"))
		return false;
	if (proc_read_file(AT_FDCWD, PREEMPT_FILE, PREEMPT_BYTES, &modes, &bytes) < 0)
		return true;
	/* lazy: at returns to user space, unless one takes as long as a tick */
	return !strstr(modes, "(none)") && !strstr(modes, "(voluntary)") &&
	       !strstr(modes, "(lazy)");
}

/* Without making the maps first, which takes longer. */
static bool may_load(void)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FEXIT);
	int id = libbpf_find_vmlinux_btf_id(hooks[0].functions[0], BPF_TRACE_FEXIT);
	int fd;

	if (id <= 0)
		return false;
	options.attach_btf_id = (uint32_t)id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, NULL, "Dual BSD/GPL", nothing,
			   ARRAY_SIZE(nothing), &options);
	if (fd < 0)
		return false;
	close_keeping_errno(fd);
	return true;
}

bool hooks_allowed(void)
{
	return !is_preempted() && may_load();
}

static struct bpf_program *find(const struct bpf_object_skeleton *skeleton, const char *name)
{
	return bpf_object__find_program_by_name(*skeleton->obj, name);
}

static bool find_function(struct bpf_program *program, const char *const names[NAMES_EACH])
{
	for (size_t i = 0; i < NAMES_EACH && names[i]; i++)
		if (bpf_program__set_attach_target(program, 0, names[i]) == 0)
			return true;
	return false;
}

void hooks_choose(const struct bpf_object_skeleton *skeleton, enum hook hook)
{
	bool hooked = hook == HOOK_FENTRY;

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct bpf_program *program = find(skeleton, hooks[i].program);

		(void)bpf_program__set_autoload(
			program, hooked && find_function(program, hooks[i].functions));
	}
	(void)bpf_program__set_autoload(find(skeleton, "leave"), !hooked);
}

/* Iterators are run, and what is run by itself is attached to nothing. */
static bool is_hook(const struct bpf_program *program)
{
	return bpf_program__autoload(program) &&
	       bpf_program__type(program) == BPF_PROG_TYPE_TRACING &&
	       bpf_program__expected_attach_type(program) != BPF_TRACE_ITER;
}

int hooks_attach(const struct bpf_object_skeleton *skeleton)
{
	for (int i = 0; i < skeleton->prog_cnt; i++) {
		const struct bpf_prog_skeleton *slot = &skeleton->progs[i];

		if (!is_hook(*slot->prog))
			continue;
		*slot->link = bpf_program__attach(*slot->prog);
		if (!*slot->link)
			return -errno;
	}
	return 0;
}

uint64_t hooks_missed(const struct bpf_object_skeleton *skeleton)
{
	uint64_t missed = 0;

	for (int i = 0; i < skeleton->prog_cnt; i++) {
		struct bpf_prog_info info = { 0 };
		uint32_t bytes = sizeof(info);

		if (is_hook(*skeleton->progs[i].prog) &&
		    bpf_obj_get_info_by_fd(bpf_program__fd(*skeleton->progs[i].prog), &info,
					   &bytes) == 0)
			missed += info.recursion_misses;
	}
	return missed;
}

/* Trying */

static int note(struct tried *tried, int number)
{
	if (number >= 0) {
		tried->times++;
		tried->numbers += (uint32_t)number;
	}
	return number;
}

static void try_close(struct trial *expected, int fd)
{
	if (fd >= 0 && close(fd) == 0)
		(void)note(&expected->closed, fd);
}

/* Each caller of the functions may be the one that has them inside. */
static void try_all(struct trial *expected)
{
	int first = note(&expected->opened, eventfd(0, EFD_CLOEXEC));
	int copy = note(&expected->opened, fcntl(first, F_DUPFD_CLOEXEC, 3));
	int second = note(&expected->opened, dup(first));
	int self = note(&expected->opened, (int)syscall(SYS_pidfd_open, getpid(), 0));
	int received = note(&expected->opened, (int)syscall(SYS_pidfd_getfd, self, first, 0));

	if (copy >= 0)
		(void)note(&expected->opened, dup3(first, copy, O_CLOEXEC));
	if (second >= 0 && syscall(SYS_close_range, second, second, 0) == 0)
		(void)note(&expected->compared, 0);
	else
		try_close(expected, second);
	if (unshare(0) == 0)
		(void)note(&expected->compared, 0);
	if (syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0) < 0 && errno == EBADF)
		(void)note(&expected->compared, 0);
	try_close(expected, received);
	try_close(expected, self);
	try_close(expected, copy);
	try_close(expected, first);
}

static bool is_same(const struct tried *a, const volatile struct tried *b)
{
	return a->times == b->times && a->numbers == b->numbers;
}

bool hooks_work(volatile struct trial *trial, uint32_t tid)
{
	struct trial expected = { 0 };

	trial->tid = tid;
	try_all(&expected);
	trial->tid = 0;
	return expected.opened.times > 0 && expected.closed.times > 0 &&
	       is_same(&expected.opened, &trial->opened) &&
	       is_same(&expected.closed, &trial->closed) &&
	       is_same(&expected.compared, &trial->compared);
}
