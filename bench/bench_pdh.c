/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_pdh.c - what PdhCollectQueryData() costs: with one counter and with a hundred, and beside a
 * caller who asks GetProcessHandleCount() of each process
 *
 *     bench_pdh [--rounds N] [--processes N]
 *
 * Exit status 1 when a goal is missed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tendril/pdh.h>

#include "measure.h"
#include "victims.h"

#define N_COUNTERS 100
#define WARM_UP	   8

static unsigned int n_rounds = 50, n_processes = 1000;
static pid_t *victims;

static int collect(void *query)
{
	return PdhCollectQueryData(query) == ERROR_SUCCESS ? 0 : -1;
}

static int ask_each(void *unused)
{
	int result = 0;

	(void)unused;
	for (unsigned int i = 0; i < n_processes; i++) {
		HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE,
					     (DWORD)victims[i]);
		DWORD n;

		if (!process || !GetProcessHandleCount(process, &n))
			result = -1;
		if (process)
			(void)CloseHandle(process);
	}
	return result;
}

/* So many counters of one process. */
static PDH_HQUERY new_query(unsigned int n, const char *path)
{
	PDH_HQUERY query = NULL;
	PDH_HCOUNTER counter;

	if (PdhOpenQueryA(NULL, 0, &query) != ERROR_SUCCESS)
		return NULL;
	for (unsigned int i = 0; i < n; i++)
		if (PdhAddCounterA(query, path, 0, &counter) != ERROR_SUCCESS)
			return NULL;
	for (int i = 0; i < WARM_UP; i++)
		(void)collect(query);
	return query;
}

static struct contender contender_of(const char *name, PDH_HQUERY query)
{
	return (struct contender){ name, collect, query, CLOCK_OF_US, 1 };
}

static void bench_queries(void)
{
	struct contender one = contender_of(
		"a collection", new_query(1, "\\Process(bench_pdh)\\Handle Count"));
	struct contender many = contender_of(
		"a collection", new_query(N_COUNTERS, "\\Process(bench_pdh)\\Handle Count"));
	struct contender array =
		contender_of("a collection", new_query(1, "\\Process(*)\\Handle Count"));
	struct contender each = { "each process", ask_each, NULL, CLOCK_OF_US, 1 };

	if (!one.param || !many.param || !array.param) {
		measure_failed("PDH");
		return;
	}
	measure_pair(&many, &one, n_rounds, &(struct goal){ "100 counters / one", 1.5, false });
	measure_pair(&array, &each, n_rounds,
		     &(struct goal){ "GetProcessHandleCount of each / Process(*)", 0, true });
	(void)PdhCloseQuery(one.param);
	(void)PdhCloseQuery(many.param);
	(void)PdhCloseQuery(array.param);
}

static int usage(void)
{
	fprintf(stderr, "bench_pdh [--rounds N] [--processes N]; N of rounds is at least 5\n");
	return 2;
}

int main(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--rounds") == 0)
			n_rounds = (unsigned int)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--processes") == 0)
			n_processes = (unsigned int)strtoul(argv[i + 1], NULL, 10);
		else
			return usage();
	}
	if (argc % 2 == 0 || n_rounds < 5)
		return usage();
	raise_handle_limit();
	if (victims_start(n_processes, &victims) < 0)
		return 1;
	printf("One collection of %u processes; CPU time\n", n_processes);
	measure_heading();
	bench_queries();
	victims_end(victims, n_processes + 1);
	free(victims);
	return measure_end();
}
