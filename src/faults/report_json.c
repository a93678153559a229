/* SPDX-License-Identifier: BSD-2-Clause */
/* report_json.c - the report for programs: one JSON document */
#include <inttypes.h>
#include <sys/wait.h>

#include "faults/errnos.h"
#include "faults/report.h"
#include "faults/suppress.h"

struct printer {
	const struct faults_result *result;
	const struct faults_style *style;
	struct json json;
};

static void print_stack(struct json *json, const struct faults_finding *finding,
			const struct faults_stack *stack)
{
	const struct frame *place = faults_place(finding, stack);

	json_array(json, "stack");
	for (size_t i = 0; i < stack->n_frames; i++)
		frame_print_json(json, &stack->frames[i]);
	json_end_array(json);
	json_text(json, "stack_end", unwind_end_name(stack->end));
	if (place)
		json_unsigned(json, "look_at", (uint64_t)(place - stack->frames));
	else
		json_null(json, "look_at");
	json_unsigned(json, "inside", faults_frames_inside(finding, stack));
}

static void print_number(struct json *json, const char *name, uint64_t number)
{
	if (number)
		json_unsigned(json, name, number);
	else
		json_null(json, name);
}

static void print_what_failed(struct json *json, const struct faults_step *step)
{
	json_text(json, "syscall", step ? faults_step_name(step->step) : NULL);
	json_text(json, "errno", step ? errnos_name(step->error) : NULL);
	print_number(json, "errno_number", step ? (uint64_t)step->error : 0);
}

static void print_step(struct json *json, const char *name, const struct faults_finding *finding,
		       const struct faults_step *step)
{
	static const struct faults_step none;

	json_object(json, name);
	print_what_failed(json, step);
	json_bool(json, "injected", step && step->injected);
	json_signed(json, "child", step ? step->child : 0);
	print_stack(json, finding, step ? &step->stack : &none.stack);
	json_end_object(json);
}

static void print_left(struct json *json, const struct faults_finding *finding,
		       const struct faults_left *left)
{
	static const char *const types[] = {
		[FAULTS_LEFT_HANDLE] = "handle", [FAULTS_LEFT_MAPPING] = "mapping",
		[FAULTS_LEFT_THREAD] = "thread", [FAULTS_LEFT_PROCESS] = "process",
	};

	json_object(json, NULL);
	json_text(json, "type",
		  (size_t)left->type < ARRAY_SIZE(types) ? types[left->type] : "unknown");
	json_text(json, "kind", left->kind);
	if (left->type == FAULTS_LEFT_HANDLE)
		json_signed(json, "handle", left->number);
	else
		json_null(json, "handle");
	if (left->type == FAULTS_LEFT_MAPPING)
		json_signed(json, "bytes", left->number);
	if (left->type == FAULTS_LEFT_THREAD || left->type == FAULTS_LEFT_PROCESS)
		json_signed(json, "id", left->number);
	json_text(json, "what", left->what);
	print_stack(json, finding, &left->stack);
	json_end_object(json);
}

static void print_cases(struct json *json, const struct faults_finding *finding)
{
	json_unsigned(json, "cases", finding->n_cases);
	json_array(json, "ways");
	for (size_t i = 0; i < finding->n_cases; i++) {
		const struct faults_case *one = &finding->cases[i];

		json_object(json, NULL);
		json_text(json, "id", one->id);
		json_array(json, "failed");
		for (size_t k = 0; k < one->n_failed; k++) {
			json_object(json, NULL);
			print_what_failed(json, &one->failed[k]);
			json_end_object(json);
		}
		json_end_array(json);
		json_end_object(json);
	}
	json_end_array(json);
}

static int print_replay(struct printer *printer, const struct faults_finding *finding)
{
	const struct faults_case *first = finding->n_cases ? &finding->cases[0] : NULL;
	AUTO_FREE char *command = NULL;

	json_text(&printer->json, "replay_id", first ? first->id : NULL);
	if (first && first->id) {
		command = faults_replay_command(printer->style, first);
		if (!command)
			return -ENOMEM;
	}
	json_text(&printer->json, "replay", command);
	return 0;
}

static void print_function_of(struct json *json, const struct faults_finding *finding)
{
	char id[17];

	(void)snprintf(id, sizeof(id), "%016" PRIx64, faults_fingerprint(finding));
	json_text(json, "id", id);
	json_text(json, "verdict", faults_verdict_name(finding->verdict));
	json_text(json, "function", finding->function);
	json_text(json, "module", finding->module);
	json_text(json, "file", finding->file);
	print_number(json, "line", finding->line);
}

static const char *suppressed_by(const struct faults_style *style,
				 const struct faults_finding *finding)
{
	const struct faults_suppressions *all = style->asked->suppressions;

	return all && finding->suppression < suppressions_count(all) ?
		       suppressions_text(all, finding->suppression) :
		       NULL;
}

static int print_finding(struct printer *printer, const struct faults_finding *finding)
{
	struct json *json = &printer->json;
	const struct faults_step *first = faults_first_step(finding);
	const struct faults_step *last = faults_last_step(finding);
	int r;

	json_object(json, NULL);
	print_function_of(json, finding);
	print_step(json, "failed", finding, first);
	if (last == first)
		json_null(json, "then_failed");
	else
		print_step(json, "then_failed", finding, last);
	json_text(json, "returned", finding->returned);
	json_text(json, "returned_errno", finding->error ? errnos_name(finding->error) : NULL);
	json_array(json, "left");
	for (size_t i = 0; i < finding->n_left; i++)
		print_left(json, finding, &finding->left[i]);
	json_end_array(json);
	print_cases(json, finding);
	json_bool(json, "confirmed", finding->confirmed);
	json_bool(json, "open_at_exit", finding->open_at_exit);
	if (finding->suppressed)
		json_text(json, "suppressed_by", suppressed_by(printer->style, finding));
	r = print_replay(printer, finding);
	json_end_object(json);
	return r;
}

enum list { LEAKS, KEPT, SUPPRESSED };

static enum list list_of(const struct faults_finding *finding)
{
	return finding->suppressed ? SUPPRESSED : finding->verdict == FAULTS_LEAK ? LEAKS : KEPT;
}

static int print_findings(struct printer *printer, const char *name, enum list list)
{
	const struct faults_result *result = printer->result;
	int r = 0;

	json_array(&printer->json, name);
	for (size_t i = 0; r == 0 && i < result->n_findings; i++)
		if (list_of(&result->findings[i]) == list)
			r = print_finding(printer, &result->findings[i]);
	json_end_array(&printer->json);
	return r;
}

static void print_functions(struct json *json, const struct faults_result *result)
{
	json_array(json, "functions");
	for (size_t i = 0; i < result->n_functions; i++) {
		const struct faults_function *function = &result->functions[i];

		json_object(json, NULL);
		json_text(json, "function", function->function);
		json_text(json, "module", function->module);
		json_text(json, "fails_when", faults_fails_name(function->fails));
		json_unsigned(json, "calls", function->calls);
		json_unsigned(json, "explored", function->explored);
		json_unsigned(json, "cases", function->cases);
		json_bool(json, "rerun", function->rerun);
		json_text(json, "why", function->why);
		json_end_object(json);
	}
	json_end_array(json);
}

static int print_head(struct json *json, const struct faults_result *result,
		      const struct faults_style *style)
{
	AUTO_FREE char *names = faults_asked_names(style->asked);
	double seconds = (double)result->elapsed_ns / NS_PER_S;

	if (!names)
		return -ENOMEM;
	json_text(json, "function", names);
	json_unsigned(json, "calls", result->calls);
	json_unsigned(json, "cases", result->cases);
	json_unsigned(json, "copies", result->copies);
	json_real(json, "seconds", seconds);
	if (seconds > 0)
		json_real(json, "cases_per_second", (double)result->cases / seconds);
	else
		json_null(json, "cases_per_second");
	json_bool(json, "complete", result->complete);
	json_text(json, "note", result->note);
	return 0;
}

static void print_ending(struct json *json, int status)
{
	if (WIFEXITED(status))
		json_signed(json, "exit_status", WEXITSTATUS(status));
	else
		json_null(json, "exit_status");
	if (WIFSIGNALED(status))
		json_signed(json, "signal", WTERMSIG(status));
	else
		json_null(json, "signal");
}

int faults_print_json(const struct faults_result *result, const struct faults_style *style,
		      FILE *out)
{
	struct printer printer = { result, style, { .out = out } };
	struct json *json = &printer.json;
	int r;

	json_object(json, NULL);
	r = print_head(json, result, style);
	print_ending(json, result->wait_status);
	json_unsigned(json, "signals_held_back", result->signals_held_back);
	if (r == 0)
		r = print_findings(&printer, "leaks", LEAKS);
	if (r == 0)
		r = print_findings(&printer, "kept", KEPT);
	if (r == 0)
		r = print_findings(&printer, "suppressed", SUPPRESSED);
	if (r < 0)
		return r;
	print_functions(json, result);
	json_end_object(json);
	return fflush(out) == EOF || ferror(out) ? -EIO : 0;
}
