/* SPDX-License-Identifier: BSD-2-Clause */
#include "tracee/seccomp.h"

#include <asm/unistd.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/ptrace.h>

#include "proc/proc.h"

#define FILTER_LENGTH_MAX BPF_MAXINSNS
#define FILTERS_MAX       64

/* What is called on behalf of a remote thread: by us, by glibc's or musl's pthread_create(), and at
 * the end of a thread.  Those whose failure does no harm are asked only not to kill. */
static const struct {
	short number;
	bool may_fail;
} needed[] = {
	{ __NR_mmap, false },		{ __NR_mprotect, false },
	{ __NR_munmap, false },		{ __NR_rt_sigreturn, false },
	{ __NR_rt_sigprocmask, false }, { __NR_clone, false },
	{ __NR_clone3, true },		{ __NR_set_robust_list, true },
	{ __NR_rseq, true },		{ __NR_futex, false },
	{ __NR_gettid, false },		{ __NR_prctl, true },
	{ __NR_memfd_create, false },	{ __NR_ftruncate, false },
	{ __NR_close, false },		{ __NR_fstat, true },
	{ __NR_clock_nanosleep, true },	{ __NR_ppoll, true },
	{ __NR_clock_gettime, false },
	{ __NR_set_tid_address, false }, { __NR_exit, false },
	{ __NR_madvise, true },		{ __NR_process_vm_readv, true },
	/* The first malloc() and the first pthread_create() of a program. */
	{ __NR_brk, true },		{ __NR_getrandom, true },
	{ __NR_rt_sigaction, true },
};

#define SKIPPED_CALL (-1)

static bool load(const struct sock_filter *i, const struct seccomp_data *data, uint32_t *a)
{
	if (i->k > sizeof(*data) - 4 || i->k % 4)
		return false;
	memcpy(a, (const uint8_t *)data + i->k, 4);
	return true;
}

static uint32_t compute(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return b < 32 ? a << b : 0;
	case BPF_RSH:
		return b < 32 ? a >> b : 0;
	default: /* BPF_NEG */
		return -a;
	}
}

static bool compare(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default: /* BPF_JSET */
		return a & b;
	}
}

uint32_t seccomp_run(const struct sock_filter *program, size_t n, const struct seccomp_data *data)
{
	uint32_t a = 0, x = 0, scratch[BPF_MEMWORDS] = { 0 };

	/* Jumps go forward only, so this ends. */
	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &program[pc];
		uint32_t operand = BPF_SRC(i->code) == BPF_X ? x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			if (BPF_MODE(i->code) == BPF_IMM)
				a = i->k;
			else if (BPF_MODE(i->code) == BPF_MEM)
				a = scratch[i->k % BPF_MEMWORDS];
			else if (BPF_MODE(i->code) == BPF_LEN)
				a = sizeof(*data);
			else if (!load(i, data, &a))
				return SECCOMP_RET_KILL_PROCESS;
			break;
		case BPF_LDX:
			x = BPF_MODE(i->code) == BPF_MEM ? scratch[i->k % BPF_MEMWORDS]
			    : BPF_MODE(i->code) == BPF_LEN ? sizeof(*data) : i->k;
			break;
		case BPF_ST:
			scratch[i->k % BPF_MEMWORDS] = a;
			break;
		case BPF_STX:
			scratch[i->k % BPF_MEMWORDS] = x;
			break;
		case BPF_ALU:
			a = compute(BPF_OP(i->code), a, operand);
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				pc += i->k;
			else
				pc += compare(BPF_OP(i->code), a, operand) ? i->jt : i->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? a : i->k;
		default: /* BPF_MISC */
			if (BPF_MISCOP(i->code) == BPF_TAX)
				x = a;
			else
				a = x;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

static bool passes(const struct sock_filter *program, size_t n, int number, bool may_fail)
{
	struct seccomp_data data = { .nr = number, .arch = AUDIT_ARCH_X86_64 };
	uint32_t action;

	if (number == __NR_clone)
		data.args[0] = 0x3d0f00; /* a thread, as glibc makes one; filters look at this */
	action = seccomp_run(program, n, &data) & SECCOMP_RET_ACTION_FULL;
	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG ||
	       (may_fail && action == SECCOMP_RET_ERRNO);
}

static int check_program(const struct sock_filter *program, size_t n, void *data)
{
	struct seccomp_verdict *verdict = data;

	if (!passes(program, n, __NR_process_vm_writev, false))
		verdict->may_copy = false;
	if (!passes(program, n, SKIPPED_CALL, true))
		verdict->may_skip = false;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (passes(program, n, needed[i].number, needed[i].may_fail))
			continue;
		verdict->refused = needed[i].number;
		return -EPERM;
	}
	return 0;
}

/* All of its filters are asked, and all have to agree. */
static int ask_all(const struct tracee *tracee,
		   int (*check)(const struct sock_filter *program, size_t n, void *data), void *data)
{
	AUTO_FREE struct sock_filter *program = NULL;
	struct proc_process thread;
	int r = proc_process_read(tracee->tid, &thread);

	if (r < 0 || thread.seccomp == SECCOMP_MODE_DISABLED)
		return r;
	program = calloc(FILTER_LENGTH_MAX, sizeof(*program));
	if (!program)
		return -ENOMEM;
	for (long i = 0; i < FILTERS_MAX; i++) {
		long n = ptrace(PTRACE_SECCOMP_GET_FILTER, tracee->tid, (void *)i, NULL);

		if (n < 0 && errno == ENOENT && i > 0)
			return 0;
		if (n < 0 || n > FILTER_LENGTH_MAX)
			return -EACCES;
		if (ptrace(PTRACE_SECCOMP_GET_FILTER, tracee->tid, (void *)i, program) != n)
			return -EACCES;
		r = check(program, (size_t)n, data);
		if (r < 0)
			return r;
	}
	return -EACCES;
}

static int check_call(const struct sock_filter *program, size_t n, void *number)
{
	return passes(program, n, *(const int *)number, false) ? 0 : -EPERM;
}

int seccomp_permits(const struct tracee *tracee, int number)
{
	return ask_all(tracee, check_call, &number);
}

int seccomp_check(const struct tracee *tracee, struct seccomp_verdict *verdict)
{
	*verdict = (struct seccomp_verdict){ .refused = -1, .may_copy = true, .may_skip = true };
	return ask_all(tracee, check_program, verdict);
}

bool seccomp_refuses(pid_t tid, int number)
{
	AUTO_FREE struct sock_filter *program = NULL;

	for (long i = 0; i < FILTERS_MAX; i++) {
		long n = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)i, NULL);

		if (n < 0 || n > FILTER_LENGTH_MAX)
			return false;
		if (!program)
			program = calloc(FILTER_LENGTH_MAX, sizeof(*program));
		if (!program ||
		    ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)i, program) != n)
			return false;
		if (!passes(program, (size_t)n, number, true))
			return true;
	}
	return false;
}

bool seccomp_has_changed(const struct tracee *tracee, struct seccomp_state *state)
{
	struct seccomp_state now = { tracee->tid, 0 };
	bool is_known, is_same;

	/* Number 0 is the oldest one: only their number tells. */
	while (now.n_filters < FILTERS_MAX &&
	       ptrace(PTRACE_SECCOMP_GET_FILTER, tracee->tid, (void *)now.n_filters, NULL) >= 0)
		now.n_filters++;
	is_known = errno == ENOENT || errno == EINVAL; /* EINVAL: it has none */
	is_same = is_known && now.tid == state->tid && now.n_filters == state->n_filters;
	*state = now;
	return !is_same;
}
