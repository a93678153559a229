/* SPDX-License-Identifier: BSD-2-Clause */
/* result.c - from suspects to findings: cases that leave the same behind are one */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "faults/errnos.h"
#include "faults/explorer.h"
#include "faults/suppress.h"

#define FRAMES_MAX    (UNWIND_MAX * 2)
#define CASE_ID_BYTES 512

/* Memory that lives as long as the result. */
struct piece {
	struct piece *next;
	_Alignas(16) char bytes[];
};

struct result {
	struct faults_result public;
	struct explorer *explorer; /* stacks point into what it knows */
	struct piece *pieces;
};

static void *get(struct result *result, size_t bytes)
{
	struct piece *piece = calloc(1, sizeof(*piece) + bytes);

	if (!piece)
		return NULL;
	piece->next = result->pieces;
	result->pieces = piece;
	return piece->bytes;
}

static const char *get_text(struct result *result, const char *text)
{
	char *copy = text ? get(result, strlen(text) + 1) : NULL;

	return copy ? strcpy(copy, text) : NULL;
}

/* Stacks */

static struct faults_stack describe_stack(struct result *result, const struct trail *trail)
{
	static struct frame frames[FRAMES_MAX];
	struct faults_stack stack = {.n_frames = 0};
	size_t n = 0;
	void *copy;

	if (!trail)
		return stack;
	for (size_t i = 0; i < trail->unwound.n && n < FRAMES_MAX; i++) {
		n += space_describe(trail->space, trail->unwound.ip[i], trail->unwound.is_return[i],
				    &frames[n], FRAMES_MAX - n);
		if (i < trail->n_inside)
			stack.n_inside = n;
	}
	copy = get(result, n * sizeof(*frames));
	if (!copy)
		return (struct faults_stack){.n_frames = 0};
	stack.frames = memcpy(copy, frames, n * sizeof(*frames));
	stack.n_frames = n;
	stack.end = trail->unwound.end;
	stack.id = trail->id;
	return stack;
}

static struct faults_step describe_step(struct result *result, const struct fault *fault)
{
	return (struct faults_step){.step = fault->step,
				    .error = fault->error,
				    .child = (pid_t)fault->ordinal,
				    .injected = fault->injected,
				    .stack = describe_stack(result, fault->trail)};
}

/* Cases */

static const char *case_id(struct result *result, const struct suspect *suspect)
{
	const struct target *target = &result->explorer->target[suspect->function];
	char text[CASE_ID_BYTES];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s#%llu", target->name,
				       (unsigned long long)suspect->call);

	for (size_t i = 0; i < suspect->plan.n && used < sizeof(text); i++) {
		const struct fault *fault = &suspect->plan.fault[i];
		const char *name = faults_step_name(fault->step);
		char child[16] = "", number[24];

		if (fault->ordinal)
			snprintf(child, sizeof(child), "c%u.", fault->ordinal);
		snprintf(number, sizeof(number), "%d", fault->step);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s@%s%u=%s",
					 i ? "," : "/", name ? name : number, child, fault->index,
					 errnos_name(fault->error));
	}
	return get_text(result, text);
}

static struct faults_case describe_case(struct result *result, const struct suspect *suspect)
{
	struct faults_case one = {.n_failed = suspect->plan.n, .id = case_id(result, suspect)};

	for (size_t i = 0; i < suspect->plan.n; i++)
		one.failed[i] = describe_step(result, &suspect->plan.fault[i]);
	if (suspect->plan.n == 0 && suspect->natural.error) {
		one.failed[0] = describe_step(result, &suspect->natural);
		one.n_failed = 1;
	}
	return one;
}

static const char *describe_return(struct result *result, const struct suspect *suspect)
{
	const struct target *target = &result->explorer->target[suspect->function];
	char text[64];

	if (suspect->outcome == CALL_THREW)
		return "threw an exception";
	if (suspect->outcome == CALL_JUMPED)
		return "left by longjmp()";
	if (suspect->outcome == CALL_HUNG)
		return "did not return";
	if (suspect->outcome == CALL_KILLED)
		snprintf(text, sizeof(text), "killed by SIG%s",
			 sigabbrev_np(WTERMSIG(suspect->status))
				 ? sigabbrev_np(WTERMSIG(suspect->status))
				 : "?");
	else if (target->whole)
		snprintf(text, sizeof(text), "exit status %d", WEXITSTATUS(suspect->status));
	else if (target->returns == RETURNS_VOID)
		snprintf(text, sizeof(text), "nothing");
	else if (target->returns == RETURNS_POINTER && suspect->result == 0)
		snprintf(text, sizeof(text), "NULL");
	else if (target->returns == RETURNS_POINTER || suspect->result >> 32)
		snprintf(text, sizeof(text), (int64_t)suspect->result < 0 ? "%lld" : "%#llx",
			 (long long)suspect->result);
	else if (target->returns == RETURNS_BOOL)
		snprintf(text, sizeof(text), "%s", suspect->result & 0xff ? "true" : "false");
	else
		snprintf(text, sizeof(text), "%d", (int32_t)suspect->result);
	return get_text(result, text);
}

static struct faults_left describe_left(struct result *result, const struct suspect *suspect,
					size_t i)
{
	const struct left *left = &suspect->left->item[i];

	return (struct faults_left){
		.type = left->type,
		.kind = left->kind,
		.number = left->type == FAULTS_LEFT_MAPPING ? (int64_t)(left->high - left->low)
							    : left->number,
		.what = left->what[0] ? get_text(result, left->what) : NULL,
		.stack = describe_stack(result, suspect->opener[i]),
	};
}

/* Findings */

static size_t count_like(const struct explorer *explorer, size_t first)
{
	size_t n = 0;

	for (size_t i = first; i < explorer->n_suspects; i++)
		n += explorer->suspect[i]->key == explorer->suspect[first]->key;
	return n;
}

static bool is_first(const struct explorer *explorer, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (explorer->suspect[i]->key == explorer->suspect[at]->key)
			return false;
	return true;
}

static int add_finding(struct result *result, size_t first, struct faults_finding *finding)
{
	struct explorer *explorer = result->explorer;
	const struct suspect *suspect = explorer->suspect[first];
	const struct target *target = &explorer->target[suspect->function];
	size_t n = count_like(explorer, first), at = 0;
	struct faults_case *cases = get(result, n * sizeof(*cases));
	struct faults_left *left = get(result, suspect->left->n * sizeof(*left));

	if (!cases || !left)
		return -ENOMEM;
	for (size_t i = first; i < explorer->n_suspects; i++)
		if (explorer->suspect[i]->key == suspect->key)
			cases[at++] = describe_case(result, explorer->suspect[i]);
	for (size_t i = 0; i < suspect->left->n; i++)
		left[i] = describe_left(result, suspect, i);
	*finding = (struct faults_finding){
		.verdict = suspect->verdict,
		.function = target->name,
		.module = target->module,
		.file = target->file,
		.line = target->line,
		.cases = cases,
		.n_cases = n,
		.returned = describe_return(result, suspect),
		.left = left,
		.n_left = suspect->left->n,
		.confirmed = suspect->confirmed,
		.open_at_exit = suspect->open_at_exit,
	};
	return 0;
}

static int compare_findings(const void *a, const void *b)
{
	const struct faults_finding *x = a, *y = b;

	if (x->verdict != y->verdict)
		return x->verdict < y->verdict ? -1 : 1;
	return (x->n_cases < y->n_cases) - (x->n_cases > y->n_cases);
}

/* The case that is told in full is one with the fewest faults. */
static int compare_suspects(const void *a, const void *b)
{
	const struct suspect *x = *(struct suspect *const *)a, *y = *(struct suspect *const *)b;

	if (x->plan.n != y->plan.n)
		return x->plan.n < y->plan.n ? -1 : 1;
	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static int add_findings(struct result *result)
{
	struct explorer *explorer = result->explorer;
	const struct faults_suppressions *suppressions = explorer->options->suppressions;
	struct faults_finding *findings = get(result, explorer->n_suspects * sizeof(*findings));
	size_t n = 0;

	if (!findings)
		return -ENOMEM;
	if (explorer->n_suspects)
		qsort(explorer->suspect, explorer->n_suspects, sizeof(*explorer->suspect),
		      compare_suspects);
	for (size_t i = 0; i < explorer->n_suspects; i++)
		if (is_first(explorer, i) && add_finding(result, i, &findings[n++]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < n && suppressions; i++) {
		int match = suppressions_match((struct faults_suppressions *)suppressions,
					       &findings[i]);

		findings[i].suppressed = match >= 0;
		findings[i].suppression = match >= 0 ? (size_t)match : 0;
	}
	if (n)
		qsort(findings, n, sizeof(*findings), compare_findings);
	result->public.findings = findings;
	result->public.n_findings = n;
	return 0;
}

static int add_functions(struct result *result)
{
	struct explorer *explorer = result->explorer;
	struct faults_function *functions = get(result, explorer->n_targets * sizeof(*functions));
	size_t n = 0;

	if (!functions)
		return -ENOMEM;
	for (size_t i = 0; i < explorer->n_targets; i++) {
		const struct target *target = &explorer->target[i];

		if (target->calls == 0)
			continue;
		functions[n++] = (struct faults_function){
			.function = target->name,
			.module = target->module,
			.fails = target->fails,
			.calls = target->calls,
			.explored = target->explored,
			.cases = target->cases,
			.rerun = target->rerun,
			.why = target->why,
		};
		result->public.calls += target->calls;
	}
	result->public.functions = functions;
	result->public.n_functions = n;
	return 0;
}

int result_make(struct explorer *explorer, struct faults_result **ret_result)
{
	struct result *result = calloc(1, sizeof(*result));
	int r;

	if (!result)
		return -ENOMEM;
	result->explorer = explorer;
	result->public.cases = explorer->n_cases;
	result->public.copies = explorer->n_copies;
	result->public.elapsed_ns = now_ns() - explorer->began_ns;
	result->public.wait_status = explorer->wait_status;
	result->public.complete = explorer->note == NULL;
	result->public.note = explorer->note;
	result->public.stopped = explorer->stopped;
	result->public.signals_held_back = tracer_held_back(explorer->tracer);
	r = add_functions(result);
	if (r == 0)
		r = add_findings(result);
	if (r < 0) {
		result->explorer = NULL; /* still the caller's */
		faults_result_free(&result->public);
		return r;
	}
	*ret_result = &result->public;
	return 0;
}

void faults_result_free(struct faults_result *public)
{
	struct result *result = (struct result *)public;

	if (!result)
		return;
	while (result->pieces) {
		struct piece *next = result->pieces->next;

		free(result->pieces);
		result->pieces = next;
	}
	if (result->explorer)
		explorer_free(result->explorer);
	free(result);
}
