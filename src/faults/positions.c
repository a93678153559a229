/* SPDX-License-Identifier: BSD-2-Clause */
/* positions.c - where in its files a guide is, which its copies share with it */
#include <stdio.h>
#include <sys/syscall.h>

#include "faults/explorer.h"

bool positions_note(const struct call *call, struct positions *positions)
{
	positions->n = 0;
	for (size_t i = 0; i < call->n_opened; i++) {
		const struct opening *opening = &call->opened[i];
		uint64_t at;
		enum sharing sharing;

		if (opening->type != FAULTS_LEFT_HANDLE)
			continue;
		sharing = state_sharing(call->main->tgid, (int)opening->number, &at);
		if (sharing == SHARES_CONTENT || positions->n == POSITIONS_MAX)
			return false;
		if (sharing == SHARES_NOTHING)
			continue;
		positions->of[positions->n].number = (int)opening->number;
		positions->of[positions->n++].at = at;
	}
	return true;
}

bool positions_set_back(struct explorer *explorer, const struct branch *branch,
			const struct positions *positions)
{
	bool moved = false;
	int64_t result;

	for (size_t i = 0; i < positions->n; i++) {
		int number = positions->of[i].number;
		uint64_t at;

		if (state_sharing(branch->at->tgid, number, &at) != SHARES_POSITION ||
		    at == positions->of[i].at)
			continue;
		moved = true;
		(void)task_syscall(
			explorer->tracer, branch->at, &branch->state, branch->syscall_at, SYS_lseek,
			(uint64_t[6]){(uint64_t)number, positions->of[i].at, SEEK_SET}, &result);
	}
	return moved;
}
