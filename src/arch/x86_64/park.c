/* SPDX-License-Identifier: BSD-2-Clause */
/* park.c - frames that keep a thread waiting in futex(2), and send it home when the word says so */
#include "arch/x86_64/signal_frame.h"

#include <asm/unistd.h>
#include <linux/futex.h>
#include <string.h>

#define FRAME_BYTES sizeof(struct signal_frame)

/*
 * Below the red zone, from high to low addresses:
 *
 *     original sp - 128
 *     [ extended state, 64-byte aligned ]
 *     [ record ]
 *     [ home ][ stay ]
 *     park->stay, where the stack pointer will be: a handler's frame comes below all of it
 *
 * Whatever wakes the thread, it returns to the frame "stay", which waits again.
 */
void arch_build_park(struct arch_park *park, const struct arch_state *original,
		     const uint8_t text[ARCH_CALL_TEXT_BYTES], const struct arch_gadgets *gadgets,
		     const struct arch_waiting *waiting)
{
	struct signal_frame frames[2]; /* stay, home: ascending addresses */
	size_t xstate_room = (signal_frame_xstate_bytes(original) + 63) & ~63ul;
	raddr_t xstate = (original->regs.rsp - ARCH_RED_ZONE_BYTES - xstate_room) & ~63ul;
	raddr_t record = (xstate - waiting->record_bytes) & ~63ul;

	park->stay = record - sizeof(frames);
	park->record = record;
	park->n_bytes = xstate + xstate_room - park->stay;
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		signal_frame_init(&frames[i], gadgets);
		frames[i].uc_flags |= UC_FP_XSTATE;
		frames[i].fpstate = xstate;
	}
	frames[0].call.rax = __NR_futex;
	frames[0].call.rdi = record + waiting->word_offset;
	frames[0].call.rsi = FUTEX_WAIT_PRIVATE;
	frames[0].call.rdx = waiting->value;
	frames[0].call.rip = gadgets->syscall_ret;
	frames[0].call.rsp = park->stay;
	signal_frame_set_home(&frames[1], original, text);

	memset(park->bytes, 0, park->n_bytes);
	memcpy(park->bytes, frames, sizeof(frames));
	signal_frame_put_xstate(park->bytes + (xstate - park->stay), original);
}

void arch_set_parked(struct arch_state *state, const struct arch_park *park,
		     const struct arch_gadgets *gadgets, const struct arch_waiting *waiting)
{
	const uint64_t arguments[6] = {park->record + waiting->word_offset, FUTEX_WAIT_PRIVATE,
				       waiting->value};

	arch_set_syscall(state, gadgets->syscall_ret, park->stay, __NR_futex, arguments);
}

void arch_find_parked(const struct arch_state *state, struct arch_parked *ret_parked)
{
	const struct user_regs_struct *r = &state->regs;
	bool waits = r->orig_rax == __NR_futex || r->orig_rax == __NR_restart_syscall ||
		     ((long)r->orig_rax < 0 && r->rax == __NR_futex);

	/* At the frame "stay", or just after the return from the call to its restorer. */
	ret_parked->record[0] = r->rsp + 2 * FRAME_BYTES;
	ret_parked->record[1] = r->rsp + 2 * FRAME_BYTES - 8;
	ret_parked->word = waits ? r->rdi : 0;
}

void arch_park_turn(raddr_t record, raddr_t *ret_at, raddr_t *ret_home)
{
	*ret_at = record - 2 * FRAME_BYTES + offsetof(struct signal_frame, call.rsp);
	*ret_home = record - FRAME_BYTES;
}
