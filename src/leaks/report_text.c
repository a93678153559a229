/* SPDX-License-Identifier: BSD-2-Clause */
/* report_text.c - the report for people */
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "leaks/report.h"
#include "symbolize/show.h"

#define FRAMES_MAX    40   /* shown; JSON has them all */
#define PROCESSES_MAX 10   /* with a line of their own */
#define KINDS_MAX     32
#define KINDS_SHOWN   4

#define BOLD LINES_BOLD
#define RED  LINES_RED
#define DIM  LINES_DIM

struct printer {
	const struct report *report;
	const struct report_style *style;
	struct lines lines;
};

#define print_line(printer, ...) lines_print(&(printer)->lines, __VA_ARGS__)

/* Quantities */

static struct text kinds_of(const struct leaks_handle *const *handles, size_t n)
{
	struct report_kind kinds[KINDS_MAX];
	size_t n_kinds = report_kinds(handles, n, kinds, KINDS_MAX), used = 0;
	struct text text = { "" };

	if (n_kinds == 1) {
		escape_text(kinds[0].name, text.s, sizeof(text.s));
		return text;
	}
	for (size_t i = 0; i < n_kinds && i < KINDS_SHOWN; i++)
		used += (size_t)snprintf(text.s + used, sizeof(text.s) - used, "%s%" PRIu64 " %.20s",
					 i ? ", " : "", kinds[i].count, kinds[i].name);
	if (n_kinds > KINDS_SHOWN)
		(void)snprintf(text.s + used, sizeof(text.s) - used, ", ...");
	return text;
}

/* Processes */

static struct text label(const struct leaks_process *process)
{
	char name[LEAKS_NAME_BYTES + 1];
	struct text text, clean;

	(void)snprintf(name, sizeof(name), "%.*s", LEAKS_NAME_BYTES, process->name);
	clean = lines_escape(name);
	(void)snprintf(text.s, sizeof(text.s), "%.300s (PID %d)", clean.s, (int)process->pid);
	return text;
}

static struct text ending(const struct printer *printer, const struct leaks_process *process)
{
	int status = report_wait_status(printer->style, process);
	struct text text = { "" };

	if (!process->ended)
		return text;
	if (process->pid != printer->style->child)
		(void)snprintf(text.s, sizeof(text.s), " ended");
	else if (WIFSIGNALED(status))
		(void)snprintf(text.s, sizeof(text.s), " was ended by signal %d (%s)",
			       WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)snprintf(text.s, sizeof(text.s), " ended with exit status %d",
			       WEXITSTATUS(status));
	return text;
}

static void print_lost(const struct printer *printer, uint64_t lost)
{
	print_line(printer, RED, "  %" PRIu64 " event%s lost: handles that they may "
		   "concern are marked uncertain", lost, lost == 1 ? " was" : "s were");
}

static void print_counts(const struct printer *printer, const char *who, const char *ended,
			 const struct leaks_counts *counts)
{
	const struct leaks_snapshot *snapshot = printer->report->snapshot;

	print_line(printer, BOLD, "%s%s: %" PRIu64 " handle%s open%s; %" PRIu64 " opened, %" PRIu64
		   " closed in %s", who, ended, counts->handles, lines_plural(counts->handles),
		   *ended ? " when it ended" : "", counts->opened, counts->closed,
		   lines_duration(snapshot->taken_ns - snapshot->began_ns).s);
	if (counts->lost)
		print_lost(printer, counts->lost);
}

static struct leaks_counts counts_of(const struct leaks_process *process)
{
	return (struct leaks_counts){ .opened = process->opened, .closed = process->closed,
				      .lost = process->lost, .handles = process->handles };
}

/* What watching cost, and whom. */
static void print_way(const struct printer *printer, const struct leaks_snapshot *snapshot)
{
	if (snapshot->source && !strcmp(snapshot->source, "ptrace"))
		print_line(printer, DIM, "  by ptrace: slower, and the processes were slowed down");
	else if (snapshot->hook && !strcmp(snapshot->hook, "fentry"))
		print_line(printer, DIM, "  by the table of handles itself (fentry): no other process paid");
	else if (snapshot->hook)
		print_line(printer, DIM,
			   "  by the exit of system calls (tracepoint): every process paid a little");
}

static void print_processes(const struct printer *printer)
{
	const struct leaks_snapshot *snapshot = printer->report->snapshot;
	struct leaks_counts all = snapshot->dropped;
	struct text who;

	for (size_t i = 0; i < snapshot->n_processes; i++) {
		const struct leaks_process *process = &snapshot->processes[i];
		struct leaks_counts counts = counts_of(process);

		all.opened += counts.opened;
		all.closed += counts.closed;
		all.lost += counts.lost;
		all.handles += counts.handles;
		if (snapshot->n_processes <= PROCESSES_MAX)
			print_counts(printer, label(process).s, ending(printer, process).s,
				     &counts);
	}
	if (snapshot->n_processes > PROCESSES_MAX || snapshot->n_processes == 0) {
		(void)snprintf(who.s, sizeof(who.s), "%zu processes", snapshot->n_processes);
		print_counts(printer, who.s, "", &all);
	} else if (snapshot->dropped.lost) {
		print_lost(printer, snapshot->dropped.lost);
	}
	print_way(printer, snapshot);
}

/* Sites */

static struct text growth(const struct report_site *site)
{
	struct text text;
	const char *grows = site->process->ended ? "" :
			    site->growing ? ", still growing" : ", not growing";

	if (site->closed && !site->process->ended)
		(void)snprintf(text.s, sizeof(text.s), "%s (%" PRIu64 " seen earlier %s closed)",
			       grows, site->closed, site->closed == 1 ? "was" : "were");
	else
		(void)snprintf(text.s, sizeof(text.s), "%s", grows);
	return text;
}

static struct text whose(const struct printer *printer, const struct report_site *site)
{
	struct text text = { "" };

	if (site->n_processes > 1)
		(void)snprintf(text.s, sizeof(text.s), " in %zu processes", site->n_processes);
	else if (printer->report->snapshot->n_processes > 1)
		(void)snprintf(text.s, sizeof(text.s), " in %.400s", label(site->process).s);
	return text;
}

static void print_title(const struct printer *printer, const struct report_site *site)
{
	const struct report *report = printer->report;
	int64_t age = report->snapshot->taken_ns - site->handles[0]->opened_ns;
	char new[32] = "", rate[48] = "";

	if (report->since)
		(void)snprintf(new, sizeof(new), "%zu new, ", site->n_new);
	if (site->growing)
		(void)snprintf(rate, sizeof(rate), site->rate_per_hour < 10 ? ", %.1f an hour" :
									      ", %.0f an hour",
			       site->rate_per_hour);
	print_line(printer, site->is_leak ? RED : BOLD, "%s%s%zu open%s (%s)%s, oldest %s%s",
		   site->is_leak ? "LEAK  " : "", new, site->n_handles, whose(printer, site).s,
		   kinds_of(site->handles, site->n_handles).s, rate, lines_duration(age).s,
		   growth(site).s);
}

static void print_origin(const struct printer *printer, const struct report_site *site)
{
	static const char *const lines[] = {
		[LEAKS_INHERITED] = "inherited from the process that opened it here",
		[LEAKS_ASYNCHRONOUS] = "opened by the kernel (io_uring): the stack is that of who "
				       "waited for it",
		[LEAKS_INSTALLED] = "installed by another process",
		[LEAKS_FOUND] = "found open: nobody saw it come",
		[LEAKS_BEFORE] = "open before we looked",
	};
	size_t uncertain = 0;

	if (site->origin != LEAKS_OPENED && (size_t)site->origin < ARRAY_SIZE(lines))
		print_line(printer, NULL, "    %s", lines[site->origin]);
	for (size_t i = 0; i < site->n_handles; i++)
		uncertain += site->handles[i]->uncertain;
	if (uncertain)
		print_line(printer, NULL, "    %zu of them %s uncertain: not everything about %s could "
			   "be kept", uncertain, uncertain == 1 ? "is" : "are",
			   uncertain == 1 ? "it" : "them");
}

static void print_examples(const struct printer *printer, const struct leaks_handle *const *handles,
			   size_t n, bool with_pid)
{
	for (size_t i = 0; i < n && i < REPORT_EXAMPLES; i++) {
		const struct leaks_handle *handle = handles[i];
		const char *call = report_syscall_name(handle->syscall);
		char pid[32] = "";

		if (with_pid)
			(void)snprintf(pid, sizeof(pid), "PID %d ", (int)handle->pid);
		print_line(printer, NULL, "    %shandle %d  %s%s%s%s%s%s", pid, handle->number,
			   lines_escape(handle->kind ? handle->kind : "other").s,
			   handle->what ? " " : "", handle->what ? lines_escape(handle->what).s : "",
			   call ? "  by " : "", call ? call : "", call ? "()" : "");
	}
	if (n > REPORT_EXAMPLES)
		print_line(printer, DIM, "    and %zu more", n - REPORT_EXAMPLES);
}

static void print_stack(const struct printer *printer, const struct report_site *site)
{
	const char *reason = unwind_end_reason(site->site->end);
	size_t n = site->site->n_frames;

	for (size_t i = 0; i < n && i < FRAMES_MAX; i++)
		frame_print(&printer->lines, 0, i, &site->site->frames[i], i == site->look_at);
	if (site->look_at >= FRAMES_MAX && site->look_at < n)
		frame_print(&printer->lines, 0, site->look_at,
			    &site->site->frames[site->look_at], true);
	if (n > FRAMES_MAX)
		print_line(printer, DIM, "    (%zu frames in all; --json shows every one)", n);
	if (n == 0)
		print_line(printer, DIM, "    (the stack is not known)");
	else if (reason)
		print_line(printer, DIM, "    (%s%s)", reason,
			   site->site->end == UNWIND_CUT ? ": --stack-size takes more" : "");
}

static void print_sites(const struct printer *printer)
{
	const struct report *report = printer->report;
	size_t n = report->n_sites, top = printer->style->top;
	uint64_t hidden = 0;

	if (top && n > top)
		n = top;
	for (size_t i = 0; i < n; i++) {
		const struct report_site *site = &report->sites[i];

		(void)fputs("\n", printer->lines.out);
		print_title(printer, site);
		print_origin(printer, site);
		print_examples(printer, report_new_handles(site), site->n_new, site->n_processes > 1);
		print_stack(printer, site);
	}
	for (size_t i = n; i < report->n_sites; i++)
		hidden += report->sites[i].n_handles;
	if (hidden)
		print_line(printer, DIM, "\nand %zu more stacks with %" PRIu64 " handles: "
			   "--top %zu shows them", report->n_sites - n, hidden, report->n_sites);
}

/* What has no stack, and the end */

static void print_rests(const struct printer *printer)
{
	static const char *const titles[] = {
		[LEAKS_OPENED] = "Opened, with no stack", [LEAKS_BEFORE] = "Open before we looked",
		[LEAKS_INHERITED] = "Inherited", [LEAKS_ASYNCHRONOUS] = "Opened by io_uring",
		[LEAKS_INSTALLED] = "Installed by another process",
		[LEAKS_FOUND] = "Found open, nobody saw them come",
	};
	const struct report *report = printer->report;

	if (report->n_rests)
		(void)fputs("\n", printer->lines.out);
	for (size_t i = 0; i < report->n_rests; i++) {
		const struct report_rest *rest = &report->rests[i];

		print_line(printer, NULL, "%s: %zu (%s)", titles[rest->origin], rest->n_handles,
			   kinds_of(rest->handles, rest->n_handles).s);
		if (rest->origin != LEAKS_BEFORE && rest->origin != LEAKS_INHERITED)
			print_examples(printer, rest->handles, rest->n_handles,
				       report->snapshot->n_processes > 1);
	}
}

static void print_verdict(const struct printer *printer)
{
	const struct report *report = printer->report;

	(void)fputs("\n", printer->lines.out);
	if (report->n_young)
		print_line(printer, DIM, "%" PRIu64 " handle%s younger than %s %s not shown "
			   "(--older-than).", report->n_young, lines_plural(report->n_young),
			   lines_duration(report->older_than_ns).s, report->n_young == 1 ? "is" : "are");
	if (report->n_leaks && report->since)
		print_line(printer, RED, "%" PRIu64 " leak%s with %" PRIu64 " new handle%s.",
			   report->n_leaks, lines_plural(report->n_leaks), report->n_leaked,
			   lines_plural(report->n_leaked));
	else if (report->n_leaks)
		print_line(printer, RED, "%" PRIu64 " leak%s: %" PRIu64 " handle%s that nothing "
			   "closed.", report->n_leaks, lines_plural(report->n_leaks), report->n_leaked,
			   lines_plural(report->n_leaked));
	else
		print_line(printer, NULL, report->since ? "No new leak was seen." :
							  "No leak was seen.");
}

int report_print_text(const struct report *report, const struct report_style *style, FILE *out)
{
	const struct printer printer = { report, style, { out, style->colour, style->width } };

	if (style->since_s > 0)
		print_line(&printer, BOLD, "What is new in the last %.1f s:", style->since_s);
	print_processes(&printer);
	print_sites(&printer);
	print_rests(&printer);
	print_verdict(&printer);
	return fflush(out) == EOF || ferror(out) ? -EIO : 0;
}
