/* SPDX-License-Identifier: BSD-2-Clause */
/* changes.h - would a copy that makes this call leave the original another world? */
#ifndef FAULTS_CHANGES_H
#define FAULTS_CHANGES_H

#include "faults/trace.h"

/*
 * Does the call, about to be made, make a name that must not be there yet, or take one away, or a message,
 * or a semaphore?  Who makes it after a copy has made it meets another world.
 */
bool changes_world(const struct task *task, long number, const uint64_t arguments[6]);

#endif /* FAULTS_CHANGES_H */
