/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * locks.c - the locks of this room, all of them at once
 *
 * They are held for moments only, and by threads that run.  A thread that is stopped within such a
 * moment would keep them, be it that fork(2) leaves it behind or that another thread suspends or ends
 * it.  So whoever does that holds them all meanwhile.
 */
#include "win32/win32_internal.h"

#define LOCKS_MAX 8

struct group {
	void (*take)(void);
	void (*give_back)(void);
	void (*give_back_in_child)(void);
};

/* Filled by constructors, before there are threads; the same order for everybody. */
static struct group groups[LOCKS_MAX];
static size_t n_groups;

void locks_take(void)
{
	for (size_t i = 0; i < n_groups; i++)
		groups[i].take();
}

void locks_give_back(void)
{
	for (size_t i = n_groups; i-- > 0;)
		groups[i].give_back();
}

static void give_back_in_child(void)
{
	for (size_t i = n_groups; i-- > 0;)
		groups[i].give_back_in_child();
}

void locks_add(void (*take)(void), void (*give_back)(void), void (*give_back_in_child_of_fork)(void))
{
	if (n_groups == 0)
		(void)pthread_atfork(locks_take, locks_give_back, give_back_in_child);
	if (n_groups == LOCKS_MAX)
		__builtin_trap(); /* one file more than there is room for: whoever adds it sees that at once */
	groups[n_groups++] = (struct group){ take, give_back, give_back_in_child_of_fork };
}
