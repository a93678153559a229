/* SPDX-License-Identifier: BSD-2-Clause */
/* opens.h - which handles a system call has opened */
#ifndef FAULTS_OPENS_H
#define FAULTS_OPENS_H

#include "faults/trace.h"

#define OPENS_MAX 2

/* Of a call that has returned result.  Return: how many of ret_numbers were filled.  Handles that came by
 * a message are not among them. */
size_t opens_what(const struct task *task, long number, const uint64_t arguments[6], int64_t result,
		  int ret_numbers[OPENS_MAX]);

#endif /* FAULTS_OPENS_H */
