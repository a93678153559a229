/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tevent_init.c - an event loop
 *
 * package: libtevent-dev
 * libraries: tevent talloc
 * functions: tevent_context_init
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <talloc.h>
#include <tevent.h>

int main(void)
{
	for (int i = 0; i < 3; i++)
		talloc_free(tevent_context_init(NULL));
	return 0;
}
