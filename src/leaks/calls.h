/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.h - which system calls may change the table of handles */
#ifndef LEAKS_CALLS_H
#define LEAKS_CALLS_H

#include "leaks/bpf/calls.h"

/* One enum call_kind for each number. */
void calls_fill(unsigned char table[CALLS_MAX]);

#endif /* LEAKS_CALLS_H */
