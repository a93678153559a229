/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/arch.h"

#include <asm/unistd.h>
#include <elf.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

/* Results that only the kernel and its tracers see (include/linux/errno.h). */
#define ERESTARTSYS           512
#define ERESTARTNOINTR        513
#define ERESTARTNOHAND        514
#define ERESTART_RESTARTBLOCK 516

#define EFLAGS_AT_ENTRY 0x202 /* interrupts on, direction flag clear as the ABI wants */

static int errno_of_ptrace(void)
{
	return errno == EIO ? -ESRCH : -errno;
}

int arch_read_registers(pid_t tid, struct arch_state *state)
{
	struct iovec iov = { .iov_base = &state->regs, .iov_len = sizeof(state->regs) };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov) < 0)
		return errno_of_ptrace();
	return iov.iov_len == sizeof(state->regs) ? 0 : -ENOEXEC; /* a 32-bit thread: fewer */
}

int arch_write_registers(pid_t tid, const struct arch_state *state)
{
	struct iovec iov = { .iov_base = (void *)&state->regs, .iov_len = sizeof(state->regs) };

	return ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &iov) < 0 ? errno_of_ptrace() : 0;
}

int arch_read_extended(pid_t tid, struct arch_state *state)
{
	struct iovec iov = { .iov_base = state->xstate, .iov_len = sizeof(state->xstate) };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &iov) < 0)
		return errno_of_ptrace();
	state->xstate_bytes = iov.iov_len;
	if (ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof(state->sigmask), &state->sigmask) < 0)
		return errno_of_ptrace();
	return 0;
}

int arch_write_extended(pid_t tid, const struct arch_state *state)
{
	struct iovec iov = { .iov_base = (void *)state->xstate, .iov_len = state->xstate_bytes };

	if (state->xstate_bytes == 0) /* it was never read, so nothing was changed */
		return 0;
	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_X86_XSTATE, &iov) < 0)
		return errno_of_ptrace();
	if (ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof(state->sigmask), &state->sigmask) < 0)
		return errno_of_ptrace();
	return 0;
}

raddr_t arch_ip(const struct arch_state *state)
{
	return state->regs.rip;
}

raddr_t arch_sp(const struct arch_state *state)
{
	return state->regs.rsp;
}

raddr_t arch_tls(const struct arch_state *state)
{
	return state->regs.fs_base;
}

long arch_syscall_number(const struct arch_state *state)
{
	return (long)state->regs.orig_rax;
}

int64_t arch_syscall_result(const struct arch_state *state)
{
	return (int64_t)state->regs.rax;
}

uint64_t arch_syscall_argument(const struct arch_state *state, unsigned n)
{
	const struct user_regs_struct *r = &state->regs;
	const uint64_t arguments[] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };

	return arguments[n];
}

/* Calls that answer a ptrace stop with EINTR though no signal was delivered (signal(7), "Interruption
 * of system calls ... by stop signals"). */
bool arch_reports_eintr(long number)
{
	switch (number) {
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
	case __NR_epoll_pwait2:
	case __NR_semop:
	case __NR_semtimedop:
	case __NR_rt_sigtimedwait:
	case __NR_io_getevents:
	case __NR_io_pgetevents:
	case __NR_io_uring_enter:
		return true;
	default:
		return false;
	}
}

/* These do when the socket has a time limit (SO_RCVTIMEO, SO_SNDTIMEO). */
static bool may_report_eintr(long number)
{
	switch (number) {
	case __NR_accept:
	case __NR_accept4:
	case __NR_connect:
	case __NR_recvfrom:
	case __NR_recvmsg:
	case __NR_recvmmsg:
	case __NR_sendto:
	case __NR_sendmsg:
	case __NR_sendmmsg:
	case __NR_read:
	case __NR_readv:
	case __NR_write:
	case __NR_writev:
		return true;
	default:
		return arch_reports_eintr(number);
	}
}

bool arch_is_interrupted(const struct arch_state *state)
{
	if (arch_syscall_number(state) < 0)
		return false;
	switch (-arch_syscall_result(state)) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		return true;
	case EINTR:
		return may_report_eintr(arch_syscall_number(state));
	default:
		return false;
	}
}

void arch_hide_interruption(struct arch_state *state)
{
	if (arch_is_interrupted(state) && arch_syscall_result(state) == -EINTR)
		state->regs.rax = (uint64_t)-ERESTARTNOHAND;
}

bool arch_keeps_time(const struct arch_state *state)
{
	return arch_syscall_number(state) >= 0 &&
	       arch_syscall_result(state) == -ERESTART_RESTARTBLOCK;
}

void arch_make_anew(struct arch_state *state)
{
	state->regs.rax = (uint64_t)-ERESTARTNOHAND;
}

void arch_rewind_entry(struct arch_state *state)
{
	state->regs.rax = state->regs.orig_rax;
	state->regs.orig_rax = (uint64_t)-1;
	state->regs.rip -= ARCH_SYSCALL_BYTES;
}

void arch_set_syscall(struct arch_state *state, raddr_t syscall_ret, raddr_t sp, long number,
		      const uint64_t arguments[6])
{
	struct user_regs_struct *r = &state->regs;

	r->orig_rax = (uint64_t)-1; /* or the kernel would restart what it thinks we interrupted */
	r->rax = (uint64_t)number;
	r->rdi = arguments[0];
	r->rsi = arguments[1];
	r->rdx = arguments[2];
	r->r10 = arguments[3];
	r->r8 = arguments[4];
	r->r9 = arguments[5];
	r->rip = syscall_ret;
	r->rsp = sp;
	r->eflags = EFLAGS_AT_ENTRY;
}

void arch_set_entry(struct arch_state *state, raddr_t ip, raddr_t sp, raddr_t argument)
{
	struct user_regs_struct *r = &state->regs;

	r->orig_rax = (uint64_t)-1;
	r->rax = 0;
	r->rdi = argument;
	r->rip = ip;
	r->rsp = sp;
	r->eflags = EFLAGS_AT_ENTRY;
}

void arch_set_call(struct arch_state *state, raddr_t function, uint64_t argument)
{
	raddr_t sp = ((state->regs.rsp - ARCH_RED_ZONE_BYTES) & ~15ul) - 8;

	arch_set_entry(state, function, sp, argument);
	state->regs.rbp = 0;
}

void arch_set_return(struct arch_state *state, raddr_t ip, raddr_t sp, uint64_t value)
{
	arch_set_entry(state, ip, sp, 0);
	state->regs.rax = value;
}

void arch_set_signal_return(struct arch_state *state, const struct arch_gadgets *gadgets,
			    raddr_t frame)
{
	struct user_regs_struct *r = &state->regs;

	r->orig_rax = (uint64_t)-1;
	r->rax = 0;
	r->rip = gadgets->sigreturn;
	r->rsp = frame + 8; /* as after the return to the restorer */
	r->eflags = EFLAGS_AT_ENTRY;
}

bool arch_is_syscall_instruction(const uint8_t text[2])
{
	return text[0] == 0x0f && text[1] == 0x05;
}
