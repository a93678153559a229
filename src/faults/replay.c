/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - one case again: FUNCTION#CALL/STEP@INDEX=ERRNO[,STEP@INDEX=ERRNO]
 *
 * INDEX counts the steps that could fail, from 1; with c2.INDEX those of the second thread or
 * process that the call starts.  Without a step: the call as it is.
 */
#include <string.h>

#include "faults/errnos.h"
#include "faults/explorer.h"

static int wrong(struct tendril_error *error, const char *what)
{
	return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
		    "a case to replay is FUNCTION#CALL/STEP@INDEX=ERRNO: %s", what);
}

static int parse_fault(char *text, struct fault *fault, struct tendril_error *error)
{
	char *at = strchr(text, '@'), *equals = at ? strchr(at, '=') : NULL;
	uint64_t number;
	const char *end;

	if (!equals)
		return wrong(error, "there is no '@' and '=' behind the '/'");
	*at++ = '\0';
	*equals++ = '\0';
	*fault = (struct fault){
		.step = faults_step_named(text), .error = errnos_named(equals), .injected = true};
	if (fault->step == FAULTS_STEP_NONE)
		return wrong(error, "there is no such call that could fail");
	if (fault->error <= 0)
		return wrong(error, "there is no such error");
	if (*at == 'c') {
		end = proc_scan(at + 1, 10, &number);
		if (!end || *end != '.' || number > UINT32_MAX)
			return wrong(error, "behind 'c' comes a number and a '.'");
		fault->ordinal = (unsigned int)number;
		at = (char *)end + 1;
	}
	end = proc_scan(at, 10, &number);
	if (!end || *end || number == 0 || number > UINT32_MAX)
		return wrong(error, "INDEX is a number from 1");
	fault->index = (unsigned int)number;
	return 0;
}

int replay_parse(const char *text, char **ret_function, uint64_t *ret_call, struct plan *ret_plan,
		 struct tendril_error *error)
{
	AUTO_FREE char *copy = strdup(text);
	char *hash = copy ? strrchr(copy, '#') : NULL, *slash, *rest, *one;
	const char *end;
	int r;

	if (!copy)
		return -ENOMEM;
	if (!hash || hash == copy)
		return wrong(error, "there is no '#'");
	*hash++ = '\0';
	end = proc_scan(hash, 10, ret_call);
	if (!end || (*end && *end != '/') || *ret_call == 0)
		return wrong(error, "CALL is a number from 1");
	slash = *end ? (char *)end + 1 : NULL;
	ret_plan->n = 0;
	for (one = slash ? strtok_r(slash, ",", &rest) : NULL; one;
	     one = strtok_r(NULL, ",", &rest)) {
		if (ret_plan->n == PLAN_MAX)
			return wrong(error, "at most two steps can fail");
		r = parse_fault(one, &ret_plan->fault[ret_plan->n++], error);
		if (r < 0)
			return r;
	}
	*ret_function = copy;
	copy = NULL;
	return 0;
}

/* The process stops where the last of the steps has failed, for a debugger. */
static void hand_over(struct explorer *explorer, struct call *call)
{
	call_unpatch(call->entry, call->main, false);
	explorer->stopped = call->main->tgid;
	task_release(explorer->tracer, call->main, true);
	call->main = NULL;
}

/* The case, in a process that stands at the entry. */
static void replay_in(struct explorer *explorer, struct entry *entry, struct call *call)
{
	const struct faults_options *options = explorer->options;
	struct plan plan = explorer->replay_plan;

	call->plan = &plan;
	call->told = true;
	call->stops_at_fault = options->debug;
	call_resume(call, call->main, 0);
	call_follow(call);
	explorer->replayed = call->n_done == plan.n;
	explorer->n_cases++;
	for (size_t i = 0; i < call->n_done; i++)
		plan.fault[i] = call->done[i];
	if (options->debug && explorer->replayed && call->main)
		hand_over(explorer, call);
	else if (call->outcome == CALL_KILLED || call->outcome == CALL_HUNG)
		judge_end(explorer, entry, &plan, call->outcome, call->status);
	case_end(call);
	if (explorer->replayed && !options->debug)
		judge(explorer, entry, NULL, &plan);
}

void replay_call(struct explorer *explorer, struct entry *entry)
{
	struct target *target = &explorer->target[entry->function];
	struct group group;
	struct call call;

	group_init(&group);
	explorer->stop = explorer->has_enough = true;
	if (guide_knows_usual(explorer, entry) && call_begin(entry, &group, &call) == 0)
		replay_in(explorer, entry, &call);
	explorer->replay_reruns = !explorer->replayed && target->rerun;
}

void replay_rerun(struct explorer *explorer, size_t function)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	struct group group;
	struct call call;

	if (!entry)
		return;
	*entry = (struct entry){
		.explorer = explorer, .function = function, .number = explorer->replay_number};
	group_init(&group);
	if (rerun_see_usual(explorer, entry) == 0 &&
	    rerun_begin(explorer, entry, &group, &call) == 0)
		replay_in(explorer, entry, &call);
	else
		group_kill(explorer->tracer, &group);
	entry_done(entry);
	free(entry);
}
