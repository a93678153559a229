/* SPDX-License-Identifier: BSD-2-Clause */
/* names.c - what verdicts and steps are called */
#include <string.h>

#include "faults/errnos.h"
#include "faults/faults.h"

const char *faults_verdict_name(enum faults_verdict verdict)
{
	static const char *const names[] = {
		[FAULTS_LEAK] = "leak",	      [FAULTS_SUCCEEDED] = "succeeded",
		[FAULTS_DEFERRED] = "deferred", [FAULTS_HANDED] = "handed",
		[FAULTS_CACHED] = "cached",   [FAULTS_CRASHED] = "crashed",
		[FAULTS_HUNG] = "hung",
	};

	return (size_t)verdict < ARRAY_SIZE(names) ? names[verdict] : "unknown";
}

static const struct {
	int step;
	const char *name;
} allocations[] = {
	{ FAULTS_STEP_MALLOC, "malloc" },
	{ FAULTS_STEP_CALLOC, "calloc" },
	{ FAULTS_STEP_REALLOC, "realloc" },
};

const char *faults_step_name(int step)
{
	for (size_t i = 0; i < ARRAY_SIZE(allocations); i++)
		if (allocations[i].step == step)
			return allocations[i].name;
	return step >= 0 ? errnos_call_name(step) : NULL;
}

int faults_step_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(allocations); i++)
		if (!strcmp(allocations[i].name, name))
			return allocations[i].step;
	return (int)errnos_call_named(name); /* -1 is FAULTS_STEP_NONE */
}
