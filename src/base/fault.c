/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"

#include <stddef.h>

#ifdef TENDRIL_FAULTS
int (*tendril_fault_hook)(const char *point);
#else
/* An object file is not to be empty. */
extern int (*tendril_fault_hook)(const char *point);
#endif
