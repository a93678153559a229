/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inject.h - make the k-th system call of a piece of code fail, or kill it there
 *
 * The code runs in a child that we trace; it says where it begins and ends with inject_mark().
 */
#ifndef INJECT_H
#define INJECT_H

#include <stdbool.h>
#include <sys/types.h>

enum inject_how {
	INJECT_NOTHING = 0, /* only count */
	INJECT_ERROR,	    /* it is not made, and returns an error that it may return */
	INJECT_KILL_BEFORE, /* SIGKILL before it is made */
	INJECT_KILL_AFTER,  /* SIGKILL after it was made, before its return */
};

struct inject_result {
	unsigned int n_calls; /* between the marks, so far */
	bool was_injected;    /* the k-th was reached and not one of those that cannot fail */
	long number;	      /* of the k-th call */
	bool hung;	      /* it was killed at the deadline */
	int status;	      /* as of waitpid() */
};

void inject_mark(bool begin);

/* Run code(param) in a child, whose exit status it is. */
void inject_run(int (*code)(void *param), void *param, enum inject_how how, unsigned int k,
		struct inject_result *ret_result);

#endif /* INJECT_H */
