/* SPDX-License-Identifier: BSD-2-Clause */
/* parked.h - park a thread that is stopped, find one that is, and take it home */
#ifndef REMOTE_PARKED_H
#define REMOTE_PARKED_H

#include "remote/seize.h"

struct parked {
	raddr_t at; /* of its record */
	struct park_record record;
	/* of PARK_FRAMES: */
	struct arch_state home; /* only registers and signal mask */
};

/* Is the stopped thread suspended?  *ret_parked says how. */
bool parked_find(const struct tracee *tracee, struct parked *ret_parked);

/* How often. */
uint32_t parked_count(const struct parked *parked);
/* Once more, or once less but still. */
int parked_set_count(const struct tracee *tracee, const struct parked *parked, uint32_t count);

/* The stopped thread waits from here on, and is let go. */
int parked_begin(struct seizure *seizure, bool is_safe);
/* The stopped thread goes on as if nothing had been, and is let go. */
int parked_end(struct tracee *tracee, const struct parked *parked);

#endif /* REMOTE_PARKED_H */
