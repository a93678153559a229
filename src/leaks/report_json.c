/* SPDX-License-Identifier: BSD-2-Clause */
/* report_json.c - the report for programs: one JSON document, or folded stacks */
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "leaks/report.h"
#include "symbolize/show.h"

#define KINDS_MAX 32

static double seconds(int64_t ns)
{
	return (double)ns / NS_PER_S;
}

static double age_s(const struct report *report, const struct leaks_handle *handle)
{
	return seconds(report->snapshot->taken_ns - handle->opened_ns);
}

static double since_began_s(const struct report *report, const struct leaks_handle *handle)
{
	return seconds(handle->opened_ns - report->snapshot->began_ns);
}

static void print_kinds(struct json *json, const struct leaks_handle *const *handles, size_t n)
{
	struct report_kind kinds[KINDS_MAX];
	size_t n_kinds = report_kinds(handles, n, kinds, KINDS_MAX);

	json_text(json, "kind", n_kinds ? kinds[0].name : NULL);
	json_object(json, "kinds");
	for (size_t i = 0; i < n_kinds; i++)
		json_unsigned(json, kinds[i].name, kinds[i].count);
	json_end_object(json);
}

static void print_example(struct json *json, const char *name, const struct leaks_handle *handle)
{
	json_object(json, name);
	json_unsigned(json, "handle", (uint64_t)handle->number);
	json_text(json, "kind", handle->kind);
	json_text(json, "what", handle->what);
	json_signed(json, "pid", handle->pid);
	json_signed(json, "tid", handle->tid);
	json_end_object(json);
}

static void print_examples(struct json *json, const struct leaks_handle *const *handles, size_t n)
{
	if (n == 0)
		json_null(json, "example");
	else
		print_example(json, "example", handles[0]);
	json_array(json, "examples");
	for (size_t i = 0; i < n && i < REPORT_EXAMPLES; i++)
		print_example(json, NULL, handles[i]);
	json_end_array(json);
}

static void print_stack(struct json *json, const struct report_site *site)
{
	json_array(json, "stack");
	for (size_t i = 0; i < site->site->n_frames; i++)
		frame_print_json(json, &site->site->frames[i]);
	json_end_array(json);
	json_text(json, "stack_end", unwind_end_name(site->site->end));
	if (site->look_at < site->site->n_frames)
		json_unsigned(json, "look_at", site->look_at);
	else
		json_null(json, "look_at");
}

static size_t count_uncertain(const struct report_site *site)
{
	size_t n = 0;

	for (size_t i = 0; i < site->n_handles; i++)
		n += site->handles[i]->uncertain;
	return n;
}

static void print_times(struct json *json, const struct report *report,
			const struct report_site *site)
{
	const struct leaks_handle *last = site->handles[site->n_handles - 1];

	json_real(json, "oldest_s", age_s(report, site->handles[0]));
	json_real(json, "first_s", since_began_s(report, site->handles[0]));
	json_real(json, "last_s", since_began_s(report, last));
	json_real(json, "rate_per_hour", site->rate_per_hour);
	json_bool(json, "growing", site->growing);
}

static void print_processes_of(struct json *json, const struct report_site *site)
{
	if (site->n_processes == 1)
		json_signed(json, "pid", site->process->pid);
	else
		json_null(json, "pid");
	json_array(json, "pids");
	for (size_t i = 0; i < site->n_processes; i++)
		json_signed(json, NULL, site->pids[i]);
	json_end_array(json);
}

static void print_site(struct json *json, const struct report *report,
		       const struct report_site *site)
{
	char id[17];

	(void)snprintf(id, sizeof(id), "%016" PRIx64, site->site->id);
	json_object(json, NULL);
	json_text(json, "id", id);
	json_unsigned(json, "count", site->n_handles);
	json_unsigned(json, "new", site->n_new);
	json_bool(json, "leak", site->is_leak);
	json_text(json, "origin", report_origin_name(site->origin));
	print_kinds(json, site->handles, site->n_handles);
	print_examples(json, report_new_handles(site), site->n_new);
	print_times(json, report, site);
	json_unsigned(json, "closed", site->closed);
	json_unsigned(json, "uncertain", count_uncertain(site));
	json_text(json, "syscall", report_syscall_name(site->handles[0]->syscall));
	json_signed(json, "tid", site->handles[0]->tid);
	print_processes_of(json, site);
	print_stack(json, site);
	json_end_object(json);
}

static void print_rest(struct json *json, const struct report_rest *rest)
{
	json_object(json, NULL);
	json_text(json, "origin", report_origin_name(rest->origin));
	json_unsigned(json, "count", rest->n_handles);
	print_kinds(json, rest->handles, rest->n_handles);
	print_examples(json, rest->handles, rest->n_handles);
	json_end_object(json);
}

/* Of those that the report tells of: what a later look need not tell again. */
static void print_numbers(struct json *json, const struct report *report,
			  const struct leaks_process *process)
{
	json_array(json, "numbers");
	for (size_t i = 0; i < process->n_sites; i++)
		for (size_t k = 0; k < process->sites[i].n_handles; k++)
			if (process->ended ||
			    baseline_is_told(&process->sites[i].handles[k], report->horizon_ns))
				json_unsigned(json, NULL,
					      (uint64_t)process->sites[i].handles[k].number);
	json_end_array(json);
}

/* One of them is known, of a child of ours that has ended; of all others neither. */
static void print_ending(struct json *json, const struct report_style *style,
			 const struct leaks_process *process)
{
	bool is_known = process->ended && process->pid == style->child;
	int status = is_known ? report_wait_status(style, process) : 0;

	if (is_known && WIFEXITED(status))
		json_signed(json, "exit_status", WEXITSTATUS(status));
	else
		json_null(json, "exit_status");
	if (is_known && WIFSIGNALED(status))
		json_signed(json, "signal", WTERMSIG(status));
	else
		json_null(json, "signal");
}

static void print_process(struct json *json, const struct report *report,
			  const struct report_style *style, const struct leaks_process *process)
{
	char name[sizeof(process->name) + 1];

	(void)snprintf(name, sizeof(name), "%.*s", (int)sizeof(process->name), process->name);
	json_object(json, NULL);
	json_signed(json, "pid", process->pid);
	json_unsigned(json, "start_ticks", process->start_ticks);
	json_text(json, "name", name);
	json_bool(json, "ended", process->ended);
	print_ending(json, style, process);
	json_unsigned(json, "opened", process->opened);
	json_unsigned(json, "closed", process->closed);
	json_unsigned(json, "lost", process->lost);
	json_unsigned(json, "handles", process->handles);
	print_numbers(json, report, process);
	json_end_object(json);
}

static void print_totals(struct json *json, const struct leaks_snapshot *snapshot)
{
	struct leaks_counts all = snapshot->dropped;

	for (size_t i = 0; i < snapshot->n_processes; i++) {
		all.opened += snapshot->processes[i].opened;
		all.closed += snapshot->processes[i].closed;
		all.lost += snapshot->processes[i].lost;
		all.handles += snapshot->processes[i].handles;
	}
	if (snapshot->n_processes == 1)
		json_signed(json, "pid", snapshot->processes[0].pid);
	else
		json_null(json, "pid");
	json_unsigned(json, "opened", all.opened);
	json_unsigned(json, "closed", all.closed);
	json_unsigned(json, "lost", all.lost);
	json_unsigned(json, "handles", all.handles);
}

static void print_head(struct json *json, const struct report *report,
		       const struct report_style *style)
{
	const struct leaks_snapshot *snapshot = report->snapshot;

	json_unsigned(json, "tendril_leaks", BASELINE_VERSION);
	print_totals(json, snapshot);
	json_text(json, "source", snapshot->source);
	json_text(json, "hook", snapshot->hook);
	json_real(json, "elapsed_s", seconds(snapshot->taken_ns - snapshot->began_ns));
	json_bool(json, "difference", report->since || style->since_s > 0);
	json_real(json, "older_than_s", seconds(report->older_than_ns));
	json_unsigned(json, "younger", report->n_young);
	json_unsigned(json, "leaks", report->n_leaks);
	json_unsigned(json, "leaked", report->n_leaked);
	json_text(json, "boot_id", style->boot_id);
	json_unsigned(json, "horizon_ns", report->horizon_ns > 0 ? (uint64_t)report->horizon_ns : 0);
}

int report_print_json(const struct report *report, const struct report_style *style, FILE *out)
{
	const struct leaks_snapshot *snapshot = report->snapshot;
	struct json json = { .out = out };

	json_object(&json, NULL);
	print_head(&json, report, style);
	json_array(&json, "sites");
	for (size_t i = 0; i < report->n_sites && (style->top == 0 || i < style->top); i++)
		print_site(&json, report, &report->sites[i]);
	json_end_array(&json);
	json_array(&json, "without_stack");
	for (size_t i = 0; i < report->n_rests; i++)
		print_rest(&json, &report->rests[i]);
	json_end_array(&json);
	json_array(&json, "processes");
	for (size_t i = 0; i < snapshot->n_processes; i++)
		print_process(&json, report, style, &snapshot->processes[i]);
	json_end_array(&json);
	json_end_object(&json);
	return fflush(out) == EOF || ferror(out) ? -EIO : 0;
}

/* Folded stacks */

/* What tells frames and counts apart must not be in a name: ';' becomes ':', and what a terminal
 * would obey is escaped. */
static int print_name(const char *name, FILE *out)
{
	char *text = output_escape(name);

	if (!text)
		return -ENOMEM;
	for (char *s = text; (s = strchr(s, ';'));)
		*s = ':';
	(void)fputs(text[0] ? text : "?", out);
	free(text);
	return 0;
}

static int print_folded_frame(const struct frame *frame, FILE *out)
{
	const char *slash = frame->module ? strrchr(frame->module, '/') : NULL;
	int r;

	putc(';', out);
	if (frame->is_signal) {
		(void)fputs("[signal]", out);
		return 0;
	}
	if (frame->function) {
		r = print_name(frame->function, out);
		(void)fputs(frame->inlined ? "_[i]" : "", out);
		return r;
	}
	r = print_name(slash ? slash + 1 : frame->module ? frame->module : "[unknown]", out);
	(void)fprintf(out, "+0x%" PRIx64, frame->offset);
	return r;
}

static int print_folded_site(const struct report *report, const struct report_site *site, FILE *out)
{
	char name[LEAKS_NAME_BYTES + 1];
	int r;

	(void)snprintf(name, sizeof(name), "%.*s", LEAKS_NAME_BYTES, site->process->name);
	r = print_name(name, out);
	if (site->site->end != UNWIND_COMPLETE)
		(void)fputs(";[stack not complete]", out);
	if (site->site->n_frames == 0)
		(void)fputs(";[unknown]", out);
	for (size_t i = site->site->n_frames; r == 0 && i-- > 0;)
		r = print_folded_frame(&site->site->frames[i], out);
	(void)fprintf(out, " %zu\n", report->since ? site->n_new : site->n_handles);
	return r;
}

int report_print_folded(const struct report *report, const struct report_style *style, FILE *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < report->n_sites && (!style->top || i < style->top); i++)
		r = print_folded_site(report, &report->sites[i], out);
	if (r == 0 && (fflush(out) == EOF || ferror(out)))
		r = -EIO;
	return r;
}
