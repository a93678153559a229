/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parked.c - a suspended thread's record, and the frames by which it stays and goes home
 *
 * Memory is written first, registers last: at whichever instruction we are killed, the thread
 * either waits with a right count, or goes on.
 */
#include "remote/parked.h"

#include <stddef.h>
#include <string.h>

#include "base/fault.h"

/* What stands on the stack of a thread that was stopped in the middle of something. */
struct frames_record {
	struct park_record head;
	uint64_t sigmask;
	__typeof__(((struct arch_state *)NULL)->regs) regs;
};

_Static_assert(sizeof(struct frames_record) <= ARCH_PARK_RECORD_BYTES_MAX,
	       "room in struct arch_park");

static bool read_record(const struct tracee *tracee, raddr_t at, struct park_record *record)
{
	return tracee_read(tracee, at, record, sizeof(*record)) == 0 &&
	       record->mark == (PARK_MARK ^ at);
}

static bool is_parked_value(uint32_t word)
{
	return word == SAFE_PARKED_VALUE || word == UNSAFE_PARKED_VALUE;
}

static bool read_frames(const struct tracee *tracee, raddr_t at, struct parked *parked)
{
	struct frames_record record;

	if (!read_record(tracee, at, &parked->record) || parked->record.kind != PARK_FRAMES ||
	    !is_parked_value(parked->record.word) ||
	    tracee_read(tracee, at, &record, sizeof(record)) < 0)
		return false;
	parked->home.regs = record.regs;
	parked->home.sigmask = record.sigmask;
	return true;
}

static bool read_own(const struct tracee *tracee, raddr_t at, struct parked *parked)
{
	if (!read_record(tracee, at, &parked->record))
		return false;
	if (parked->record.kind == PARK_MAILBOX)
		return park_count(parked->record.word) > 0;
	return parked->record.kind == PARK_BY_ITSELF && is_parked_value(parked->record.word);
}

bool parked_find(const struct tracee *tracee, struct parked *ret_parked)
{
	struct arch_parked where;

	arch_find_parked(&tracee->original, &where);
	for (size_t i = 0; i < ARRAY_SIZE(where.record); i++) {
		ret_parked->at = where.record[i];
		if (read_frames(tracee, ret_parked->at, ret_parked))
			return true;
	}
	if (where.word == 0)
		return false;
	ret_parked->at = where.word - offsetof(struct park_record, word);
	return read_own(tracee, ret_parked->at, ret_parked);
}

uint32_t parked_count(const struct parked *parked)
{
	uint32_t count = parked->record.count;

	if (parked->record.kind == PARK_MAILBOX)
		return (uint32_t)park_count(parked->record.word);
	/* What the target may have made of it. */
	return count == 0 ? 1 : count > PARK_COUNT_MAX ? PARK_COUNT_MAX : count;
}

/* Our half of the word: the other one may be changed at the same time. */
static int add_to_mailbox(const struct tracee *tracee, const struct parked *parked, int n)
{
	uint16_t half = (uint16_t)((parked->record.word & 0xffff) + n);

	return tracee_write(tracee, parked->at + offsetof(struct park_record, word), &half,
			    sizeof(half));
}

int parked_set_count(const struct tracee *tracee, const struct parked *parked, uint32_t count)
{
	if (parked->record.kind == PARK_MAILBOX)
		return add_to_mailbox(tracee, parked, (int)count - (int)parked_count(parked));
	return tracee_write(tracee, parked->at + offsetof(struct park_record, count), &count,
			    sizeof(count));
}

static int write_frames(struct seizure *s, struct arch_park *park,
			const struct arch_waiting *waiting)
{
	const struct arch_state *original = &s->tracee.original;
	uint8_t text[ARCH_CALL_TEXT_BYTES] = {0};
	struct frames_record record = {
		.head = {.kind = PARK_FRAMES, .count = 1, .word = waiting->value},
		.sigmask = original->sigmask,
		.regs = original->regs,
	};

	(void)tracee_read(&s->tracee, arch_ip(original) - ARCH_SYSCALL_BYTES - sizeof(text), text,
			  sizeof(text));
	arch_build_park(park, original, text, &s->target->gadgets, waiting);
	record.head.mark = PARK_MARK ^ park->record;
	memcpy(park->bytes + (park->record - park->stay), &record, sizeof(record));
	return tracee_write(&s->tracee, park->stay, park->bytes, park->n_bytes);
}

int parked_begin(struct seizure *s, bool is_safe)
{
	const struct arch_waiting waiting = {
		.record_bytes = sizeof(struct frames_record),
		.word_offset = offsetof(struct frames_record, head.word),
		.value = is_safe ? SAFE_PARKED_VALUE : UNSAFE_PARKED_VALUE,
	};
	struct arch_park park;
	struct arch_state state = {.regs = s->tracee.original.regs};
	int r = arch_read_extended(s->tracee.tid, &s->tracee.original);

	if (r == 0)
		r = write_frames(s, &park, &waiting);
	if (r == 0)
		r = FAULT_POINT("park");
	if (r < 0)
		return r;
	arch_set_parked(&state, &park, &s->target->gadgets, &waiting);
	r = arch_write_registers(s->tracee.tid, &state);
	(void)FAULT_POINT("parked");
	if (r == 0)
		r = tracee_block_signals(&s->tracee);
	return r < 0 ? r : tracee_detach(&s->tracee);
}

/* As home by the frames, but the kernel goes on with the call that it was in, for the time it had
 * left. */
static int take_home(struct tracee *tracee, const struct parked *parked)
{
	int r = tracee_set_signals(tracee, parked->home.sigmask);

	if (r == 0)
		r = arch_write_registers(tracee->tid, &parked->home);
	/* It will find home by itself, too. */
	return r == -ESRCH ? r : tracee_detach(tracee);
}

int parked_end(struct tracee *tracee, const struct parked *parked)
{
	const uint32_t free = 0;
	raddr_t turn, home;
	int r = 0;

	if (parked->record.kind == PARK_MAILBOX) {
		r = add_to_mailbox(tracee, parked, -(int)parked_count(parked));
		return r < 0 ? r : tracee_detach(tracee);
	}
	if (parked->record.kind == PARK_FRAMES) {
		arch_park_turn(parked->at, &turn, &home);
		r = tracee_write(tracee, turn, &home, sizeof(home));
	}
	if (r == 0)
		r = tracee_write(tracee, parked->at + offsetof(struct park_record, word), &free,
				 sizeof(free));
	(void)FAULT_POINT("unparked");
	if (r < 0)
		return r;
	return parked->record.kind == PARK_FRAMES ? take_home(tracee, parked)
						  : tracee_detach(tracee);
}
