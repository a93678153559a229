/* SPDX-License-Identifier: BSD-2-Clause */
/* handle_limit.h - what this process may use itself */
#ifndef CMD_HANDLE_LIMIT_H
#define CMD_HANDLE_LIMIT_H

#include <stdint.h>

/* As many handles as we may have: of each process that is sampled some are held.  Return: the soft
 * limit that there was, which is for the programs that we run; 0: it is not known. */
uint64_t cmd_raise_handle_limit(void);

#endif /* CMD_HANDLE_LIMIT_H */
