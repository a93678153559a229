/* SPDX-License-Identifier: BSD-2-Clause */
/* frames.c - the way home, and signal frames that are found on a stack */
#include "arch/x86_64/signal_frame.h"

#include <asm/unistd.h>
#include <cpuid.h>
#include <string.h>

#define FP_XSTATE_MAGIC1 0x46505853u
#define FP_XSTATE_MAGIC2 0x46505845u
#define FXSAVE_BYTES     512
#define SW_RESERVED      464 /* offset in the fxsave area that belongs to software */

#define XSAVE_HEADER_BYTES 64
#define FEATURE_TILE_DATA  (1ull << 18)

#define ALL_SIGNALS UINT64_MAX

/* Where in it, counted in words, the segments stand, and how far before them the frame begins. */
#define SEGMENTS_WORD (offsetof(struct signal_frame, segments) / 8)

void signal_frame_init(struct signal_frame *frame, const struct arch_gadgets *gadgets)
{
	memset(frame, 0, sizeof(*frame));
	frame->restorer = gadgets->sigreturn;
	frame->uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	/*
	 * rt_sigreturn(2) also sets the alternate signal stack, which nobody can read from
	 * outside.  Flags that do not exist make that part fail, in silence, and change nothing.
	 */
	frame->ss_flags = 0x7fff;
	frame->segments = SEGMENTS_64BIT;
	frame->eflags = 0x202;
	frame->sigmask = ALL_SIGNALS;
}

static bool is_pointer(uint64_t value)
{
	return value >= 65536 && value < 1ull << 47;
}

/*
 * The number of the call that was interrupted.  After an earlier stop the kernel only knows it as
 * restart_syscall(2), which a signal return turns into EINTR: then it is what the code loaded into
 * eax, or else what the arguments look like of the four calls that are restarted so.
 */
static uint64_t call_number(const struct user_regs_struct *r,
			    const uint8_t text[ARCH_CALL_TEXT_BYTES])
{
	uint32_t immediate;

	if (r->orig_rax != __NR_restart_syscall)
		return r->orig_rax;
	memcpy(&immediate, text + 1, sizeof(immediate));
	if (text[0] == 0xb8) /* mov $number,%eax */
		return immediate;
	if (!is_pointer(r->rdi) && r->rsi == 0 && is_pointer(r->rdx))
		return __NR_clock_nanosleep;
	if (is_pointer(r->rdi) && r->rsi < 1024 && is_pointer(r->r10))
		return __NR_futex;
	if (r->rsi < 65536 && (int32_t)r->rdx > 0 && r->rdx == (uint32_t)r->rdx)
		return __NR_poll;
	return __NR_nanosleep;
}

void signal_frame_set_home(struct signal_frame *frame, const struct arch_state *original,
			   const uint8_t text[ARCH_CALL_TEXT_BYTES])
{
	const struct user_regs_struct *r = &original->regs;

	frame->r8 = r->r8;
	frame->r9 = r->r9;
	frame->r10 = r->r10;
	frame->r11 = r->r11;
	frame->r12 = r->r12;
	frame->r13 = r->r13;
	frame->r14 = r->r14;
	frame->r15 = r->r15;
	frame->call.rdi = r->rdi;
	frame->call.rsi = r->rsi;
	frame->call.rbp = r->rbp;
	frame->call.rbx = r->rbx;
	frame->call.rdx = r->rdx;
	frame->call.rax = r->rax;
	frame->call.rcx = r->rcx;
	frame->call.rsp = r->rsp;
	frame->call.rip = r->rip;
	frame->eflags = r->eflags;
	frame->segments = (uint64_t)USER_DS << 48 | (r->cs & 0xffff);
	frame->sigmask = original->sigmask;
	if (arch_is_interrupted(original)) {
		/* Without the kernel's help all that can be done is to make the call again. */
		frame->call.rax = call_number(r, text);
		frame->call.rip -= ARCH_SYSCALL_BYTES;
	}
}

/* How many bytes the standard format takes without the tiles of AMX.  A constant of the machine,
 * kept since asking a virtual processor is slow. */
static uint32_t bytes_without_tiles(uint64_t features)
{
	static _Atomic uint32_t known;
	uint32_t bytes = known, a, b, c, d;

	if (bytes)
		return bytes;
	bytes = FXSAVE_BYTES + XSAVE_HEADER_BYTES;
	for (unsigned i = 2; i < 63; i++) {
		if (!(features & 1ull << i) || 1ull << i == FEATURE_TILE_DATA)
			continue;
		__cpuid_count(0xd, i, a, b, c, d);
		if (a + b > bytes)
			bytes = a + b;
	}
	known = bytes;
	return bytes;
}

/*
 * How much of the extended state goes into the frame.  A thread may use the tiles of AMX only when
 * it has asked for them, and rt_sigreturn(2) drops all that is not SSE when the frame is larger
 * than it may be for the thread.
 */
static uint32_t frame_xstate_bytes(const struct arch_state *original, uint64_t *ret_features)
{
	uint64_t in_use;

	/* PTRACE_GETREGSET leaves the mask of user features where the software bytes begin. */
	memcpy(ret_features, original->xstate + SW_RESERVED, sizeof(*ret_features));
	memcpy(&in_use, original->xstate + FXSAVE_BYTES, sizeof(in_use));
	if (in_use & FEATURE_TILE_DATA || !(*ret_features & FEATURE_TILE_DATA))
		return (uint32_t)original->xstate_bytes;
	*ret_features &= ~FEATURE_TILE_DATA;
	return bytes_without_tiles(*ret_features);
}

size_t signal_frame_xstate_bytes(const struct arch_state *original)
{
	uint64_t features;

	return frame_xstate_bytes(original, &features) + 4;
}

void signal_frame_put_xstate(uint8_t *out, const struct arch_state *original)
{
	uint64_t features;
	uint32_t size = frame_xstate_bytes(original, &features);
	uint32_t magic1 = FP_XSTATE_MAGIC1, magic2 = FP_XSTATE_MAGIC2, extended = size + 4;

	memcpy(out, original->xstate, size);
	memset(out + SW_RESERVED, 0, FXSAVE_BYTES - SW_RESERVED);
	memcpy(out + SW_RESERVED, &magic1, 4);
	memcpy(out + SW_RESERVED + 4, &extended, 4);
	memcpy(out + SW_RESERVED + 8, &features, 8);
	memcpy(out + SW_RESERVED + 16, &size, 4);
	memcpy(out + size, &magic2, 4);
}

/*
 * Below the red zone, from high to low addresses:
 *
 *     original sp - 128
 *     [ extended state, 64-byte aligned ]
 *     [ home ][ leave ][ unmap ]  (frames, growing downwards in this order)
 *     way->address, where the stack pointer will be: a handler's frame comes below all of it
 */
void arch_build_way_home(struct arch_way_home *way, const struct arch_state *original,
			 const uint8_t text[ARCH_CALL_TEXT_BYTES],
			 const struct arch_gadgets *gadgets, const struct arch_arena *arena)
{
	struct signal_frame frames[3]; /* unmap, leave, home: ascending addresses */
	size_t xstate_room = (signal_frame_xstate_bytes(original) + 63) & ~63ul;
	raddr_t xstate = (original->regs.rsp - ARCH_RED_ZONE_BYTES - xstate_room) & ~63ul;
	raddr_t first = (xstate - sizeof(frames)) & ~15ul;
	raddr_t home = first + 2 * sizeof(frames[0]);

	way->address = first;
	way->n_bytes = xstate + xstate_room - first;
	way->unmap = first;
	way->leave = first + sizeof(frames[0]);
	way->home = home;

	for (size_t i = 0; i < ARRAY_SIZE(frames); i++)
		signal_frame_init(&frames[i], gadgets);
	frames[0].call.rax = __NR_munmap;
	frames[0].call.rdi = arena->address;
	frames[0].call.rsi = arena->bytes;
	frames[0].call.rip = gadgets->syscall_ret;
	frames[0].call.rsp = home;
	frames[1].call.rax = __NR_clock_gettime;
	frames[1].call.rdi = CLOCK_MONOTONIC;
	frames[1].call.rsi = arena->left;
	frames[1].call.rip = gadgets->syscall_ret;
	frames[1].call.rsp = home;
	signal_frame_set_home(&frames[2], original, text);
	frames[2].uc_flags |= UC_FP_XSTATE;
	frames[2].fpstate = xstate;

	memset(way->bytes, 0, way->n_bytes);
	memcpy(way->bytes, frames, sizeof(frames));
	signal_frame_put_xstate(way->bytes + (xstate - first), original);
}

bool arch_visit_signal_frames(const uint64_t *words, size_t n,
			      bool (*visit)(void *data, raddr_t ip), void *data)
{
	for (size_t i = SEGMENTS_WORD; i < n; i++) {
		struct signal_frame frame;

		if (words[i] != SEGMENTS_64BIT)
			continue;
		memcpy(&frame, &words[i - SEGMENTS_WORD], offsetof(struct signal_frame, err));
		if (frame.uc_flags > 7 || frame.uc_link != 0)
			continue;
		if (!visit(data, frame.call.rip))
			return false;
	}
	return true;
}
