/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_functions.c - how long it takes to find functions by their names, in a process new to us
 *
 * Each look has a symbolizer of its own, so that nothing is known from the one before.  Where the C
 * library's debug information is installed it is packed, and libdw unpacks all of it: that is most of
 * the time, and is told without a limit.
 */
#include <stdio.h>
#include <string.h>

#include "measure.h"
#include "support.h"
#include "symbolize/symbolize.h"

#define ROUNDS 11

struct search {
	pid_t pid;
	const char *pattern;
	bool exported_only;
	size_t n; /* found, the last time */
};

static int search(void *param)
{
	struct search *s = param;
	struct symbolizer *symbolizer;
	struct function *found = NULL;
	struct space *space;
	int r = symbolizer_new(NULL, &symbolizer);

	if (r < 0)
		return r;
	r = space_of_process(symbolizer, s->pid, &space);
	if (r == 0) {
		r = space_functions(space, s->pattern, s->exported_only, &found, &s->n);
		space_free(space);
	}
	free(found);
	symbolizer_free(symbolizer);
	return r < 0 ? r : s->n > 0 ? 0 : -ENOENT;
}

static void measure(struct search *s, const char *what, double limit_ms)
{
	struct contender ours = {.name = what, .run = search, .param = s, .clock = CLOCK_OF_US};
	double us = measure_median(&ours, ROUNDS);

	if (us < 0)
		measure_failed(what);
	else
		measure_limit(what, us / 1000, limit_ms, "ms");
}

int main(void)
{
	struct target_start how = {.program = "manylibs"};
	struct target target;
	struct search s;

	support_set_targets("tests/targets");
	if (target_start(&target, &how) < 0) {
		fprintf(stderr, "bench_functions: tests/targets/manylibs cannot be started\n");
		return 1;
	}
	s = (struct search){.pid = target.pid, .pattern = "many_99_7"};
	measure(&s, "one name, in 100 libraries", 50);
	s.pattern = "fopen";
	measure(&s, "fopen, with its debug information", -1);
	s.pattern = "libc!*";
	measure(&s, "all of the C library", 100);
	s.exported_only = true;
	measure(&s, "all that it exports", 100);
	target_end(&target);
	return measure_end();
}
