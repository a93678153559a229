/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faulty.h - functions that keep what they opened when a later step of theirs fails
 *
 *     PROGRAM list | PLANT [count]
 *
 * A plant runs one function in a plain way, and tells whether it did what it should.  Each source
 * is built twice: with the mistake, and with REPAIRED defined; the lines are the same.  With
 * "count" the program says what has come to be open meanwhile, so that somebody who makes a system
 * call of the function fail sees what stays.  The line that opens what is kept is marked for
 * tests/test_faults.py, before its plant:
 *
 *     LEAKS[ below]: KIND[?], ... [as VERDICT] [with OPTION]... [when CALL[=ERRNO] ...]
 *
 * It is this line, or the one below.
 * KIND? may be told or not.  VERDICT is "leak" where none is named.  OPTION is one for `tendril
 * faults`.  CALL: all whose failing leads to it; where none is named, nobody has counted them.
 */
#ifndef FAULTY_H
#define FAULTY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef REPAIRED
#define TWIN(defect, repair) repair
#else
#define TWIN(defect, repair) defect
#endif
#define REPAIR(repair) TWIN((void)0, repair)

/* What the tests name has to be there, and to be called as written. */
#ifdef __clang__
#define EXPLORED __attribute__((noinline, used))
#else
#define EXPLORED __attribute__((noinline, noclone, used))
#endif

struct plant {
	const char *name;
	bool (*run)(void);
	bool in_child; /* run by a child process */
	struct plant *next;
};

#ifdef __cplusplus
extern "C" {
#endif
void plant_add(struct plant *plant);
/* A file of this name in a directory that is the test's. */
const char *scratch_path(const char *name);
#ifdef __cplusplus
}
#endif

#define PLANT_RUN_BY(NAME, IN_CHILD)                                                               \
	static bool plant_##NAME(void);                                                            \
	__attribute__((constructor)) static void add_##NAME(void)                                  \
	{                                                                                          \
		static struct plant plant = { #NAME, plant_##NAME, IN_CHILD, NULL };               \
                                                                                                   \
		plant_add(&plant);                                                                 \
	}                                                                                          \
	static bool plant_##NAME(void)

/* Calls the function NAME; true: it did not fail. */
#define PLANT(NAME)	     PLANT_RUN_BY(NAME, false)
#define PLANT_IN_CHILD(NAME) PLANT_RUN_BY(NAME, true)

/* A file that everybody may read. */
#define READABLE "/etc/passwd"

/* A handle that is right; closes it. */
static inline bool was_handle(int fd)
{
	return fd >= 0 && close(fd) == 0;
}

#endif /* FAULTY_H */
