/* SPDX-License-Identifier: BSD-2-Clause */
/* report_text.c - the report for people */
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "faults/errnos.h"
#include "faults/report.h"

#define FRAMES_SHOWN	16 /* of one stack; JSON has them all */
#define LEFT_SHOWN	8  /* of one leak */
#define OTHERS_SHOWN	20 /* of one verdict that is no leak */
#define FUNCTIONS_SHOWN 20
#define LEFT_OUT_SHOWN	5 /* with a line for each; of more only how many */
#define WAYS_MAX	64 /* calls whose failing leads to the same */

struct printer {
	const struct faults_result *result;
	const struct faults_style *style;
	struct lines lines;
};

#define print_line(printer, ...) lines_print(&(printer)->lines, __VA_ARGS__)

/* Places and stacks */

/* " at src/log.c:9", " in libc.so.6", "" */
static struct text place_text(const char *before, const struct frame *frame)
{
	struct text text = { "" };

	if (frame && frame->file && frame->line)
		(void)snprintf(text.s, sizeof(text.s), "%s at %.900s:%u", before,
			       lines_escape(frame->file).s, frame->line);
	else if (frame && frame->module)
		(void)snprintf(text.s, sizeof(text.s), "%s in %.900s", before,
			       lines_escape(lines_base_name(frame->module)).s);
	return text;
}

static void print_stack(const struct printer *printer, const struct faults_finding *finding,
			const struct faults_stack *stack)
{
	size_t n = faults_frames_inside(finding, stack);
	const struct frame *place = faults_place(finding, stack);
	const char *reason = unwind_end_reason(stack->end);

	for (size_t i = 0; i < n; i++) {
		const struct frame *frame = &stack->frames[i];

		if (i == FRAMES_SHOWN && i + 1 < n)
			print_line(printer, LINES_DIM, "          (%zu frames in all; --json shows "
				   "every one)", n);
		if (i < FRAMES_SHOWN || i + 1 == n || frame == place)
			frame_print(&printer->lines, 6, i, frame, frame == place);
	}
	if (n == 0)
		print_line(printer, LINES_DIM, "          (the stack is not known)");
	else if (n == stack->n_frames && reason)
		print_line(printer, LINES_DIM, "          (%s)", reason);
}

/* One leak */

static struct text whose_step(const struct faults_step *step)
{
	struct text text = { "" };

	if (step->child)
		(void)snprintf(text.s, sizeof(text.s),
			       ", by the thread or process that it started as number %d",
			       (int)step->child);
	return text;
}

static void print_step(const struct printer *printer, const struct faults_finding *finding,
		       const char *label, const struct faults_step *step)
{
	const char *why = strerrordesc_np(step->error);

	print_line(printer, NULL, "    %-10s %.100s: %s (%s)%s%s%s", label,
		   faults_call_name(step).s, faults_error_name(step->error).s,
		   why ? why : "no such error",
		   place_text(",", faults_place(finding, &step->stack)).s, whose_step(step).s,
		   step->injected ? "" : ", by itself");
	print_stack(printer, finding, &step->stack);
}

static void print_steps(const struct printer *printer, const struct faults_finding *finding)
{
	const struct faults_case *first = finding->n_cases ? &finding->cases[0] : NULL;

	if (!first || first->n_failed == 0)
		print_line(printer, NULL, "    failed     nothing was made to fail");
	for (size_t i = 0; first && i < first->n_failed && i < ARRAY_SIZE(first->failed); i++)
		print_step(printer, finding, i ? "then" : "failed", &first->failed[i]);
}

static void print_returned(const struct printer *printer, const struct faults_finding *finding)
{
	struct text error = { "" };

	if (finding->error)
		(void)snprintf(error.s, sizeof(error.s), ", errno %.60s",
			       faults_error_name(finding->error).s);
	print_line(printer, NULL, "    returned   %.500s%s", lines_escape(finding->returned).s,
		   error.s);
}

static void print_left(const struct printer *printer, const struct faults_finding *finding)
{
	for (size_t i = 0; i < finding->n_left && i < LEFT_SHOWN; i++) {
		const struct faults_left *left = &finding->left[i];

		print_line(printer, LINES_BOLD, "    left open  %.1000s, %s%s",
			   faults_left_text(left).s, faults_left_verb(left),
			   left->stack.n_frames ?
				   place_text("", faults_place(finding, &left->stack)).s :
				   " where nobody saw it");
		print_stack(printer, finding, &left->stack);
	}
	if (finding->n_left > LEFT_SHOWN)
		print_line(printer, LINES_DIM, "               and %zu more (--json)",
			   finding->n_left - LEFT_SHOWN);
}

/* Which calls lead to it */

/* The cases that fail at the same calls, in different ways. */
struct way {
	const struct faults_case *first;
	uint32_t n_errors;
	int errors[ERRNOS_MAX];
};

static bool is_same_way(const struct faults_case *x, const struct faults_case *y)
{
	if (x->n_failed != y->n_failed)
		return false;
	for (size_t i = 0; i < x->n_failed; i++)
		if (x->failed[i].step != y->failed[i].step)
			return false;
	return true;
}

static void add_error(struct way *way, int error)
{
	for (uint32_t i = 0; i < way->n_errors; i++)
		if (way->errors[i] == error)
			return;
	if (way->n_errors < ARRAY_SIZE(way->errors))
		way->errors[way->n_errors++] = error;
}

static size_t find_ways(const struct faults_finding *finding, struct way ways[WAYS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < finding->n_cases; i++) {
		const struct faults_case *one = &finding->cases[i];
		size_t k = 0;

		while (k < n && !is_same_way(ways[k].first, one))
			k++;
		if (k == WAYS_MAX)
			continue;
		if (k == n)
			ways[n++] = (struct way){ .first = one };
		if (one->n_failed)
			add_error(&ways[k], one->failed[one->n_failed - 1].error);
	}
	return n;
}

static void write_way(FILE *out, const struct way *way)
{
	if (way->first->n_failed == 0)
		(void)fputs("nothing failing", out);
	for (size_t i = 0; i < way->first->n_failed; i++)
		(void)fprintf(out, "%s%s", i ? " then " : "",
			      faults_call_name(&way->first->failed[i]).s);
	for (uint32_t i = 0; i < way->n_errors; i++)
		(void)fprintf(out, "%s%s", i ? ", " : " (", faults_error_name(way->errors[i]).s);
	(void)fputs(way->n_errors ? ")" : "", out);
}

static int print_cases(const struct printer *printer, const struct faults_finding *finding)
{
	struct way ways[WAYS_MAX];
	size_t n = find_ways(finding, ways), bytes;
	AUTO_FREE char *text = NULL;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		(void)fputs(i ? ", " : "", out);
		write_way(out, &ways[i]);
	}
	if (fclose(out) != 0)
		return -ENOMEM;
	print_line(printer, NULL, "    cases      %zu: %.3000s%s", finding->n_cases, text,
		   n == WAYS_MAX ? ", ..." : "");
	return 0;
}

static int print_replay(const struct printer *printer, const struct faults_finding *finding)
{
	AUTO_FREE char *command = NULL;

	if (finding->n_cases == 0 || !finding->cases[0].id)
		return 0;
	command = faults_replay_command(printer->style, &finding->cases[0]);
	if (!command)
		return -ENOMEM;
	/* Never cut: it is to be copied. */
	(void)fprintf(printer->lines.out, "    replay     %s\n", command);
	return 0;
}

static void print_title(const struct printer *printer, const struct faults_finding *finding)
{
	struct text place = { "" }, module = { "" };

	if (finding->file)
		(void)snprintf(place.s, sizeof(place.s), " (%.900s:%u)",
			       lines_escape(finding->file).s, finding->line);
	if (finding->module)
		(void)snprintf(module.s, sizeof(module.s), " in %.300s",
			       lines_escape(lines_base_name(finding->module)).s);
	print_line(printer, faults_is_leak(finding) ? LINES_RED : LINES_BOLD, "%s  %.700s",
		   faults_is_leak(finding)	   ? "LEAK" :
		   finding->verdict == FAULTS_LEAK ? "SUPPRESSED LEAK" :
						     faults_verdict_name(finding->verdict),
		   faults_title(finding).s);
	print_line(printer, NULL, "    function   %.400s%s%s", lines_escape(finding->function).s,
		   place.s, module.s);
}

static void print_proof(const struct printer *printer, const struct faults_finding *finding)
{
	if (finding->verdict != FAULTS_LEAK)
		return;
	if (printer->style->asked->whole_program) {
		print_line(printer, NULL, "    confirmed  still open when the program ended");
		return;
	}
	print_line(printer, NULL, "    confirmed  %s; %s",
		   finding->confirmed ?
			   "two further calls that failed in the same way left more of it" :
			   "not by further calls: the function could not be called again",
		   finding->open_at_exit ? "still open when the program ended" :
					   "the program did not end in time to look then");
}

static int print_finding(const struct printer *printer, const struct faults_finding *finding)
{
	int r;

	(void)fputs("\n", printer->lines.out);
	print_title(printer, finding);
	print_steps(printer, finding);
	print_returned(printer, finding);
	print_left(printer, finding);
	r = print_cases(printer, finding);
	print_proof(printer, finding);
	return r < 0 ? r : print_replay(printer, finding);
}

static int print_leaks(const struct printer *printer)
{
	const struct faults_result *result = printer->result;
	size_t shown = 0, n = faults_count_leaks(result), top = printer->style->top;
	int r = 0;

	for (size_t i = 0; r == 0 && i < result->n_findings; i++)
		if (faults_is_leak(&result->findings[i]) && (top == 0 || shown++ < top))
			r = print_finding(printer, &result->findings[i]);
	if (top && n > top)
		print_line(printer, LINES_DIM, "\nand %zu more: --top %zu shows them", n - top, n);
	return r;
}

/* What is no leak, in one line each */

static const struct section {
	enum faults_verdict verdict;
	const char *title;
	bool always; /* without --all-findings, too */
} sections[] = {
	{ FAULTS_SUCCEEDED, "Kept though the call succeeded, a cache or a leak", true },
	{ FAULTS_CRASHED, "Killed by a signal", true },
	{ FAULTS_HUNG, "Did not come back in time", true },
	{ FAULTS_DEFERRED, "Closed later, before the program ended", false },
	{ FAULTS_HANDED, "Handed to the caller", false },
	{ FAULTS_CACHED, "Kept once, further calls add nothing", false },
};

static struct text first_left(const struct faults_finding *finding)
{
	const struct faults_left *left = finding->left;
	struct text text = { "" };

	if (finding->n_left)
		(void)snprintf(text.s, sizeof(text.s), "%.400s, %s%.500s",
			       faults_left_text(left).s, faults_left_verb(left),
			       place_text("", faults_place(finding, &left->stack)).s);
	else if (faults_last_step(finding))
		(void)snprintf(text.s, sizeof(text.s), "where it failed%.900s",
			       place_text("", faults_place(finding,
							   &faults_last_step(finding)->stack)).s);
	return text;
}

/* The number of a case says in which function which call failed, and how. */
static void print_other(const struct printer *printer, const struct faults_finding *finding)
{
	const char *id = finding->n_cases ? finding->cases[0].id : NULL;

	print_line(printer, NULL, "    %.600s  %.900s (returned: %.200s)",
		   id ? lines_escape(id).s : faults_title(finding).s, first_left(finding).s,
		   lines_escape(finding->returned).s);
}

static size_t count_verdict(const struct faults_result *result, enum faults_verdict verdict)
{
	size_t n = 0;

	for (size_t i = 0; i < result->n_findings; i++)
		n += result->findings[i].verdict == verdict && !result->findings[i].suppressed;
	return n;
}

/* Return: how many of them were passed over in silence. */
static size_t print_section(const struct printer *printer, const struct section *section)
{
	const struct faults_result *result = printer->result;
	size_t n = count_verdict(result, section->verdict), shown = 0;
	size_t max = printer->style->all_findings ? SIZE_MAX : section->always ? OTHERS_SHOWN : 0;

	if (n && max)
		print_line(printer, LINES_BOLD, "\n%s: %zu (--replay shows one)", section->title, n);
	for (size_t i = 0; i < result->n_findings && shown < max; i++) {
		if (result->findings[i].verdict != section->verdict ||
		    result->findings[i].suppressed)
			continue;
		print_other(printer, &result->findings[i]);
		shown++;
	}
	if (max && n > shown)
		print_line(printer, LINES_DIM, "    and %zu more (--all-findings)", n - shown);
	return max ? 0 : n;
}

static void print_suppressed(const struct printer *printer)
{
	const struct faults_result *result = printer->result;
	size_t n = 0;

	for (size_t i = 0; i < result->n_findings; i++)
		n += result->findings[i].suppressed;
	if (n == 0)
		return;
	print_line(printer, LINES_DIM, "\nSuppressed: %zu%s", n,
		   printer->style->all_findings ? "" : " (--all-findings shows them)");
	for (size_t i = 0; printer->style->all_findings && i < result->n_findings; i++)
		if (result->findings[i].suppressed)
			print_other(printer, &result->findings[i]);
}

static void print_others(const struct printer *printer)
{
	size_t hidden = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		hidden += print_section(printer, &sections[i]);
	if (hidden)
		print_line(printer, LINES_DIM, "\nNot shown: %zu that %s closed "
			   "later, handed on, or kept once (--all-findings).", hidden,
			   hidden == 1 ? "is" : "are");
	print_suppressed(printer);
}

/* The end */

/* Of a library's functions most are called by itself only, or not at all. */
static bool is_left_out(const struct faults_function *function)
{
	return function->explored == 0 && !function->why;
}

static size_t count_left_out(const struct faults_result *result)
{
	size_t n = 0;

	for (size_t i = 0; i < result->n_functions; i++)
		n += is_left_out(&result->functions[i]);
	return n;
}

static void print_function(const struct printer *printer, const struct faults_function *function)
{
	print_line(printer, NULL, "%.500s: %s%s%.600s", lines_escape(function->function).s,
		   function->rerun	   ? "by running the command again for each case" :
		   function->calls == 0	   ? "was not called" :
		   function->explored == 0 ? "was not explored" :
					     "explored",
		   function->why ? ": " : "",
		   function->why ? lines_escape(function->why).s : "");
}

static void print_functions(const struct printer *printer)
{
	const struct faults_result *result = printer->result;
	size_t left_out = count_left_out(result), n = 0;
	bool are_few = left_out <= LEFT_OUT_SHOWN;

	for (size_t i = 0; i < result->n_functions; i++) {
		const struct faults_function *function = &result->functions[i];

		if (!function->why && !function->rerun &&
		    !(are_few && is_left_out(function)))
			continue;
		if (n == 0)
			(void)fputs("\n", printer->lines.out);
		if (n++ < FUNCTIONS_SHOWN)
			print_function(printer, function);
	}
	if (n > FUNCTIONS_SHOWN)
		print_line(printer, LINES_DIM, "and %zu more functions (--json)",
			   n - FUNCTIONS_SHOWN);
	if (!are_few)
		print_line(printer, LINES_DIM, "%s%zu functions were not called, or not from "
			   "outside of their library (--json)", n ? "" : "\n", left_out);
}

static void print_ending(const struct printer *printer)
{
	int status = printer->result->wait_status;

	if (WIFSIGNALED(status))
		print_line(printer, NULL, "The command itself was ended by signal %d (%s).",
			   WTERMSIG(status), lines_escape(sigdescr_np(WTERMSIG(status))).s);
	else if (WIFEXITED(status))
		print_line(printer, NULL, "The command itself ended with exit status %d.",
			   WEXITSTATUS(status));
}

static void print_totals(const struct printer *printer)
{
	const struct faults_result *result = printer->result;
	double s = (double)result->elapsed_ns / NS_PER_S;
	struct text rate = { "" };
	uint64_t explored = 0;

	for (size_t i = 0; i < result->n_functions; i++)
		explored += result->functions[i].explored;

	if (result->cases && s > 0)
		(void)snprintf(rate.s, sizeof(rate.s), " (%.0f a second)",
			       (double)result->cases / s);
	print_line(printer, NULL, "\n%" PRIu64 " of %" PRIu64 " call%s of %zu function%s explored: %"
		   PRIu64 " case%s in %s%s.", explored, result->calls,
		   lines_plural(result->calls), result->n_functions,
		   lines_plural(result->n_functions), result->cases,
		   lines_plural(result->cases), lines_duration(result->elapsed_ns).s, rate.s);
	print_ending(printer);
	if (result->signals_held_back)
		print_line(printer, NULL, "Held back: %" PRIu64 " signal%s to processes that are none of "
			   "the copies' own.", result->signals_held_back,
			   lines_plural(result->signals_held_back));
	if (!result->complete)
		print_line(printer, LINES_BOLD, "Not complete%s%.900s.", result->note ? ": " : "",
			   result->note ? lines_escape(result->note).s : "");
}

/* Here the command has not been run to its end, and one case has no rate. */
static void print_replay_end(const struct printer *printer)
{
	if (printer->result->n_findings == 0 && !printer->result->stopped)
		print_line(printer, NULL, "\nNothing stays behind of this case.");
}

static void print_verdict(const struct printer *printer)
{
	size_t n = faults_count_leaks(printer->result);

	if (n)
		print_line(printer, LINES_RED, "%zu leak%s.", n, lines_plural(n));
	else if (printer->result->cases == 0)
		print_line(printer, LINES_BOLD, "Nothing was made to fail.");
	else
		print_line(printer, NULL, "No leak was found%s.",
			   printer->result->complete ? "" : " until then");
}

int faults_print_finding(const struct faults_finding *finding, const struct faults_style *style,
			 FILE *out)
{
	const struct printer printer = { NULL, style, { out, style->colour, style->width } };

	return print_finding(&printer, finding);
}

int faults_print_text(const struct faults_result *result, const struct faults_style *style,
		      FILE *out)
{
	const struct printer printer = { result, style, { out, style->colour, style->width } };
	bool is_replay = style->asked->replay;
	int r = is_replay ? 0 : print_leaks(&printer);

	/* Of one case everything is told, whatever it is. */
	for (size_t i = 0; is_replay && r == 0 && i < result->n_findings; i++)
		r = print_finding(&printer, &result->findings[i]);
	if (r < 0)
		return r;
	if (is_replay) {
		print_replay_end(&printer);
	} else {
		print_others(&printer);
		print_functions(&printer);
		print_totals(&printer);
		print_verdict(&printer);
	}
	return fflush(out) == EOF || ferror(out) ? -EIO : 0;
}
