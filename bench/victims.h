/* SPDX-License-Identifier: BSD-2-Clause */
/* victims.h - processes to look at, each with as many handles as is wanted */
#ifndef VICTIMS_H
#define VICTIMS_H

#include <stddef.h>
#include <sys/types.h>

#define VICTIM_HANDLES 20
#define VICTIM_MANY    19000

/* Of fifty names by turns; it is ready.  Return: its id, or -1. */
pid_t victim_start(unsigned int number, unsigned int n_handles);
/* n of them, and one of very many handles as the last: *ret_pids has n + 1.  Return: 0 or -1. */
int victims_start(unsigned int n, pid_t **ret_pids);
void victims_end(pid_t *pids, size_t n);

/* So that one may have 19,000 handles; it is inherited. */
void raise_handle_limit(void);

#endif /* VICTIMS_H */
