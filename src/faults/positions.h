/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * positions.h - how far the files are read that a call has opened
 *
 * A guide shares that with all its copies: what one of them reads, nobody else would see.
 */
#ifndef FAULTS_POSITIONS_H
#define FAULTS_POSITIONS_H

#include "faults/call.h"

#define POSITIONS_MAX 64

struct positions {
	pid_t pid;
	struct position {
		int number;
		int64_t at;
	} position[POSITIONS_MAX];
	size_t n;
	bool holds_contents; /* pipes or sockets: what copies take out of them cannot be put back */
};

void positions_take(const struct call *call, struct positions *ret_positions);
/* True: they had moved. */
bool positions_restore(const struct positions *positions);

#endif /* FAULTS_POSITIONS_H */
