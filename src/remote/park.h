/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * park.h - what a suspended thread waits on, where everybody finds it
 *
 * A suspended thread waits in futex(2) on the word of a record in its own process: below its stack
 * when it was stopped in the middle of something, on its stack when it suspended itself, in its
 * mailbox when it was created suspended.  No tracer stays, nothing is mapped; the count is in the
 * record, so that it outlives whoever suspended the thread, and anybody who may trace it can resume
 * it.
 *
 * Who changes a record has seized the thread: ptrace(2) is the lock.  But for one in a mailbox,
 * which the thread's creator may resume by memory alone: there each of the two has a half of the
 * word.
 */
#ifndef REMOTE_PARK_H
#define REMOTE_PARK_H

#include <stdint.h>

#define PARK_COUNT_MAX 127

#define PARK_MARK 0x8f1d6c5b7a30e492ul /* and the record's own address, by exclusive or */

enum park_kind {
	PARK_FRAMES = 1, /* goes home by signal frames when the word is 0 */
	PARK_BY_ITSELF = 2,
	PARK_MAILBOX = 3, /* leaves when its count is 0 */
};

struct park_record {
	uint64_t mark;
	uint32_t kind;
	uint32_t count; /* of suspensions; not of PARK_MAILBOX */
	uint32_t word;	/* SAFE_PARKED_VALUE and the like (tracee/safe_point.h), or two halves */
	uint32_t waits; /* PARK_MAILBOX: it has come there */
};

/*
 * In a mailbox: how often suspended, in the low half, written by whoever has seized the thread; how
 * often resumed by its creator, in the high one, changed by compare-and-swap.  The word that it
 * waits on changes with either.
 */
#define PARK_SUSPENDED_ONCE 1u
#define PARK_RESUMED_ONCE   0x10000u
static inline int park_count(uint32_t word)
{
	return (int16_t)(uint16_t)((word & 0xffff) - (word >> 16));
}

#endif /* REMOTE_PARK_H */
