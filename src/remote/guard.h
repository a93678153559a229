/* SPDX-License-Identifier: BSD-2-Clause */
/* guard.h - work that goes on although the caller is killed in the middle of it */
#ifndef REMOTE_GUARD_H
#define REMOTE_GUARD_H

#include <stddef.h>

#define GUARD_STACK_BYTES (256 * 1024)

/*
 * Run work(data) in a process of its own that shares our memory and descriptors, while the calling
 * thread waits, as vfork(2) does.  A SIGKILL to the caller then does not end it.
 * Return: 0: it ran; negative errno: no process could be made, nothing was run.
 */
int guard_run(void *stack, int (*work)(void *data), void *data);

#endif /* REMOTE_GUARD_H */
