/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plant.h - programs with a planted leak, for the tests of `tendril leaks`
 *
 *     PROGRAM PLANT leak|repaired [wait]
 *
 * Both forms go the same way, through the same lines, but that the repaired one closes what it
 * opened.  The line that opens what is leaked is marked for tests/test_leaks.py:
 *
 *     LEAK [xN] [for PLANT] [in FUNCTION] [through FUNCTION]... [as ORIGIN] [thread]
 *
 * N handles in each round (1); of which plant, in which function (those that the line stands in);
 * what else must be on the stack; the origin ("opened"); not on the main thread's stack.
 */
#ifndef PLANT_H
#define PLANT_H

#include <stdbool.h>

#define PLANT_ROUNDS	  3
#define PLANT_UNSUPPORTED 77 /* exit status: this system does not permit it */

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif

struct plant {
	const char *name;
	void (*run)(void);
	unsigned int rounds;
	struct plant *next;
};

void plant_add(struct plant *plant);

#define PLANT_OF_ROUNDS(NAME, ROUNDS)                                                              \
	static void plant_##NAME(void);                                                            \
	__attribute__((constructor)) static void add_##NAME(void)                                  \
	{                                                                                          \
		static struct plant plant = { #NAME, plant_##NAME, ROUNDS, 0 };                    \
                                                                                                   \
		plant_add(&plant);                                                                 \
	}                                                                                          \
	static NOINLINE void plant_##NAME(void)

/* Run so often that the count of its site grows. */
#define PLANT(NAME)	 PLANT_OF_ROUNDS(NAME, PLANT_ROUNDS)
#define PLANT_ONCE(NAME) PLANT_OF_ROUNDS(NAME, 1)

bool plant_is_repaired(void);
/* The planted mistake: closes the handle in the repaired form only. */
void forget(int handle);
/* What happened is the argument's business; negative: this system does not permit it, say so and end. */
int need(long result, const char *what);
/* The words after the plant's name, for those who start the program anew. */
void plant_words(const char **ret_form, const char **ret_wait);

/* A child that works and then lives until this process ends. */
void plant_child(void (*work)(void));

#endif /* PLANT_H */
