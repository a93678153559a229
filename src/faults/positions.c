/* SPDX-License-Identifier: BSD-2-Clause */
#include "faults/positions.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

static bool is_known(const struct positions *positions, int number)
{
	for (size_t i = 0; i < positions->n; i++)
		if (positions->position[i].number == number)
			return true;
	return false;
}

static bool read_position(pid_t pid, int number, int64_t *ret_at)
{
	char path[64];
	FILE *file;
	long long at;
	bool is_there;

	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, number);
	file = fopen(path, "re");
	if (!file)
		return false;
	is_there = fscanf(file, "pos: %lld", &at) == 1;
	(void)fclose(file);
	if (is_there)
		*ret_at = at;
	return is_there;
}

/* A file has a position; what is in a pipe or a socket is gone when it was read. */
static void add(struct positions *positions, pid_t pid, int number)
{
	struct position position = {.number = number};
	char path[64], link[16] = "";

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, number);
	if (readlink(path, link, sizeof(link) - 1) <= 0)
		return;
	if (strncmp(link, "pipe:", 5) == 0 || strncmp(link, "socket:", 7) == 0)
		positions->holds_contents = true;
	else if (link[0] == '/' && read_position(pid, number, &position.at))
		positions->position[positions->n++] = position;
}

void positions_take(const struct call *call, struct positions *ret_positions)
{
	*ret_positions = (struct positions){.pid = call->main->tgid};
	for (size_t i = call->n_opened; i > 0 && ret_positions->n < POSITIONS_MAX; i--) {
		const struct opening *opening = &call->opened[i - 1];

		if (!opening->is_mapping && opening->number <= INT_MAX &&
		    !is_known(ret_positions, (int)opening->number))
			add(ret_positions, ret_positions->pid, (int)opening->number);
	}
}

static bool has_moved(const struct positions *positions, const struct position *position)
{
	int64_t now;

	return read_position(positions->pid, position->number, &now) && now != position->at;
}

bool positions_restore(const struct positions *positions)
{
	AUTO_CLOSE int process = -1;
	bool moved = false;

	for (size_t i = 0; i < positions->n; i++) {
		const struct position *position = &positions->position[i];
		AUTO_CLOSE int file = -1;

		if (!has_moved(positions, position))
			continue;
		moved = true;
		if (process < 0)
			process = (int)syscall(SYS_pidfd_open, positions->pid, 0);
		file = (int)syscall(SYS_pidfd_getfd, process, position->number, 0);
		if (file >= 0)
			(void)lseek(file, position->at, SEEK_SET);
	}
	return moved;
}
