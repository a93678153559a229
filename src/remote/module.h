/* SPDX-License-Identifier: BSD-2-Clause */
/* module.h - the libraries of a target */
#ifndef REMOTE_MODULE_H
#define REMOTE_MODULE_H

#include "remote/target.h"

/* As they are now: libraries come and go. */
int link_map_read(struct tendril_target *target, struct elf_modules *ret_modules,
		  struct tendril_error *error);

#endif /* REMOTE_MODULE_H */
