/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox.h - a box for a command: it sees the files as they are, and what it changes is its own
 *
 * sandbox_new() plans it; sandbox_enter(), in a child before exec, goes into it.  Inside,
 * namespaces for mounts, network, System V objects and the host's name are new, and for an ordinary
 * user one of users, in which they are who they were.  Over every file system lies an overlay whose
 * changes go to a private tmpfs of bounded size: /tmp, /dev/shm and /run among them show what is
 * there, and what is written, renamed or removed there stays inside.  There is no network but a
 * loopback of its own, and sockets of outside cannot be reached, by address, by name, or by path.
 * /proc and /dev are those of outside; /sys and /proc/sys can be read only.  All of it ends with
 * the last process in it.
 *
 * Not held back: what is done through handles that were open before (standard output), signals to
 * other processes, and as root what devices below /dev allow.
 *
 * What differs for the program inside (root of a container that is in a user namespace counts as an
 * ordinary user here):
 * - It cannot rename a directory that was there before (EXDEV, as between two file systems).
 * - File systems that cannot lie below an overlay (FAT), files that are mounted one by one, and for
 *   an ordinary user what they cannot list, and files of more than 64 KiB that lie in a directory
 *   with mounts below it, can be read only.
 * - For an ordinary user, what belongs to others, or to a group that is not their first, belongs to
 *   "nobody".  It cannot be changed (EOVERFLOW), even if they may write there: but in /tmp,
 *   /var/tmp, /dev/shm, /run/lock and the working directory themselves, they can.
 */
#ifndef FAULTS_SANDBOX_H
#define FAULTS_SANDBOX_H

#include "base/base.h"

struct sandbox_options {
	uint64_t bytes; /* what may be written inside, at most; 0: 1 GiB */
};

struct sandbox;

/*
 * Plan a sandbox around the working directory, from the mounts of now.
 * Return: 0, -ENOMEM, -E2BIG (too many mounts), or another error of looking at the mounts; *error
 * says which.
 */
int sandbox_new(const struct sandbox_options *options, struct sandbox **ret_sandbox,
		struct tendril_error *error);
void sandbox_free(struct sandbox *sandbox);

/*
 * Go in, in a process with one thread: it cannot come out again.  Makes system calls only, so that
 * it can be done between fork and exec of a process with several threads.  After an error the
 * process is neither in nor out, and should end.
 * Return: 0, or a negative errno; *error names what is not permitted or missing, and the remedy.
 */
int sandbox_enter(const struct sandbox *sandbox, struct tendril_error *error);

#endif /* FAULTS_SANDBOX_H */
