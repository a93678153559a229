/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/handle_limit.h"

#include <sys/resource.h>

uint64_t cmd_raise_handle_limit(void)
{
	struct rlimit limit;
	uint64_t before;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	before = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return before;
}
