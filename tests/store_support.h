/* SPDX-License-Identifier: BSD-2-Clause */
/* store_support.h - for the tests of the log: a world to record, a log in a folder of its own */
#ifndef TESTS_STORE_SUPPORT_H
#define TESTS_STORE_SUPPORT_H

#include "monitor/store.h"

#define START_MS   1790000000000
#define N_PROCESSES 60

extern char folder[64], path[96]; /* of the log */

/* A world of processes that live, die, change and are reused, from a seed. */
struct world {
	uint64_t seed;
	unsigned percent; /* that change in a turn */
	uint32_t known;
	struct monitor_sample sample;
	struct monitor_process process[1100];
};

uint64_t roll(struct world *world, uint64_t below);
void world_begin(struct world *world, size_t n, uint64_t seed);
void world_pass(struct world *world, int64_t ms);
/* One counter of so many percent of the processes. */
void world_turn(struct world *world, int64_t ms, int n_counters);
/* What a bad day brings. */
void world_shake(struct world *world);
struct store *open_or_fail(enum store_mode mode, uint64_t max_bytes);
/* Before each test: no log is there. */
int new_log(void **state);
/* A store_read_fn: how many samples, into the uint64_t that context is. */
int count_reading(void *context, const struct store_reading *reading);
/* What reading all of it says. */
int damaged(struct store *store);
void assert_whole(struct store *store, uint64_t n_wanted);
void append_or_fail(struct store *store, const struct monitor_sample *sample);
/* Before and after all of them. */
int make_folder(void **state);
int remove_folder(void **state);

#endif /* TESTS_STORE_SUPPORT_H */
