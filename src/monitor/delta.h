/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * delta.h - the step from one sample's counters to the next one's, in as few bytes as can be
 *
 * A state is the counters of the instances that are there, by rising id.  A step names who went, who
 * came, and for each counter which values changed by how much; what a counter's changes have in common
 * (pages, clock ticks) is divided out.  A keyframe is the step from the empty state.
 */
#ifndef MONITOR_DELTA_H
#define MONITOR_DELTA_H

#include "monitor/sample.h"

/* More processes than a kernel can have; keeps a hostile file from asking for all memory. */
#define DELTA_MAX_CELLS (1u << 22)

struct delta_cell {
	uint64_t instance;
	uint32_t known;
	uint64_t value[MONITOR_COUNTERS]; /* 0 where not known */
};

struct delta_state {
	struct delta_cell *cell;
	size_t n_cells, room;
};

struct delta_bytes {
	unsigned char *data;
	size_t n_bytes, room;
};

int delta_state_reserve(struct delta_state *state, size_t n_cells);
int delta_state_copy(struct delta_state *state, const struct delta_state *from);
const struct delta_cell *delta_state_find(const struct delta_state *state, uint64_t instance);
void delta_state_done(struct delta_state *state);

/* Numbers of seven bits a byte, least first, as the steps have them. */
int delta_put(struct delta_bytes *bytes, uint64_t number);
int delta_put_signed(struct delta_bytes *bytes, int64_t number);
/* Return: behind it, or NULL: data ends in the middle, or the number has more than 64 bits. */
const unsigned char *delta_get(const unsigned char *data, const unsigned char *end,
			       uint64_t *ret_number);
const unsigned char *delta_get_signed(const unsigned char *data, const unsigned char *end,
				      int64_t *ret_number);
void delta_bytes_done(struct delta_bytes *bytes);

/* Append the step.  Return: 0, -ENOMEM. */
int delta_encode(const struct delta_state *from, const struct delta_state *to,
		 struct delta_bytes *bytes);
/*
 * Take the step at data: who came and went, and the counters that are wanted, as bits.
 * *ret_membership: instances came or went.
 * Return: 0, -EBADMSG (then state is of no more use), -ENOMEM.
 */
int delta_decode(struct delta_state *state, uint32_t wanted, const unsigned char *data,
		 const unsigned char *end, const unsigned char **ret_behind, bool *ret_membership);

#endif /* MONITOR_DELTA_H */
