/* SPDX-License-Identifier: BSD-2-Clause */
/* peers.h - what we are measured against: the least that ptrace and pthread_create cost */
#ifndef PEERS_H
#define PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* PTRACE_SEIZE, INTERRUPT, wait, DETACH of a thread; how long in us, or negative. */
double peer_stop(pid_t tid);

/* The same with one getpid() made by the thread, at a `syscall` instruction found beforehand. */
double peer_remote_call(pid_t tid, uint64_t syscall_address);

/* A `syscall` instruction in executable memory of the process, or 0. */
uint64_t peer_find_syscall(pid_t pid);

/* pthread_create() here, until the new thread exists; it is detached, and ends by itself. */
double peer_pthread_create(void);

/* gdb -batch -ex 'call (int)getpid()', the whole command; negative: no gdb.  Some cannot make the
 * call on a new processor: *ret_good says whether it was made. */
double peer_gdb_call(pid_t pid, bool *ret_good);

#endif /* PEERS_H */
