/* SPDX-License-Identifier: BSD-2-Clause */
/* test_leaks_report.c - which stacks leak, and how that is told, from snapshots that are made up */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/output.h"
#include "leaks/load_log.h"
#include "leaks/report.h"
#include "symbolize/show.h"

#include <cmocka.h> /* behind base.h: its macro fail() is not our function */

#define BOOT	 "01234567-89ab-cdef-0123-456789abcdef"
#define BEGAN_NS (1000 * NS_PER_S)
#define AT(s)	 (BEGAN_NS + (int64_t)((s) * NS_PER_S))

#define LIBC   "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define SERVER "/usr/bin/server"

static const struct frame stack[] = {
	{ .ip = 0x7f01, .offset = 0x10, .function = "openat64", .module = LIBC },
	{ .ip = 0x4001, .function = "read_config", .file = "config.c", .line = 42, .module = SERVER },
	{ .ip = 0x4002, .function = "main", .file = "main.c", .line = 7, .module = SERVER },
};
static const struct frame other_stack[] = {
	{ .ip = 0x7f02, .function = "socket", .module = LIBC },
	{ .ip = 0x4003, .function = "serve", .file = "serve.c", .line = 9, .module = SERVER },
};

/* Handles opened at these seconds since the beginning, numbered from first on. */
static struct leaks_handle *handles_at(struct leaks_handle *out, int first, const double *seconds,
				       size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (struct leaks_handle){ .number = first + (int)i,
						.pid = 12,
						.tid = 13,
						.syscall = SYS_openat,
						.opened_ns = AT(seconds[i]),
						.kind = "file",
						.what = "/etc/x" };
	return out;
}

#define HANDLES(first, ...)                                                                        \
	.handles = handles_at((struct leaks_handle[ARRAY_SIZE(((double[]){ __VA_ARGS__ }))]){ 0 }, \
			      first, (double[]){ __VA_ARGS__ },                                    \
			      ARRAY_SIZE(((double[]){ __VA_ARGS__ }))),                            \
	.n_handles = ARRAY_SIZE(((double[]){ __VA_ARGS__ }))
#define STACK(array) .frames = (array), .n_frames = ARRAY_SIZE(array)
#define PROCESS(number, ...)                                                                       \
	{                                                                                          \
		.pid = (number), .start_ticks = 7, .name = "server",                               \
		.sites = (struct leaks_site[]){ __VA_ARGS__ },                                     \
		.n_sites = ARRAY_SIZE(((struct leaks_site[]){ __VA_ARGS__ }))                      \
	}
#define SNAPSHOT(seconds, ...)                                                                     \
	{                                                                                          \
		.began_ns = BEGAN_NS, .taken_ns = AT(seconds), .source = "bpf",                    \
		.processes = (struct leaks_process[]){ __VA_ARGS__ },                              \
		.n_processes = ARRAY_SIZE(((struct leaks_process[]){ __VA_ARGS__ }))               \
	}

static struct report *make_with(const struct leaks_snapshot *snapshot,
				const struct baseline *since, bool by_process)
{
	const struct report_options how = { .since = since, .older_than_ns = REPORT_AGE_DEFAULT,
					    .by_process = by_process };
	struct report *report = NULL;

	assert_int_equal(report_new(snapshot, &how, &report), 0);
	return report;
}

static struct report *make(const struct leaks_snapshot *snapshot)
{
	return make_with(snapshot, NULL, false);
}

/* Of a snapshot with one site. */
static void expect_judgement(const struct leaks_snapshot *snapshot, bool growing, bool is_leak)
{
	struct report *report = make(snapshot);

	assert_int_equal(report->n_sites, 1);
	assert_int_equal(report->sites[0].growing, growing);
	assert_int_equal(report->sites[0].is_leak, is_leak);
	assert_int_equal(report->n_leaks, is_leak);
	report_free(report);
}

/* Judging */

/* One process with one stack, whose handles were opened at those seconds of the first 66. */
#define EXPECT_JUDGEMENT(growing, leak, closings, ...)                                             \
	do {                                                                                       \
		const struct leaks_snapshot judged = SNAPSHOT(                                     \
			66, PROCESS(12, { STACK(stack), HANDLES(4, __VA_ARGS__),                   \
					  .closed = (closings) }));                                \
		expect_judgement(&judged, growing, leak);                                          \
	} while (0)

static void test_growing(void **state)
{
	EXPECT_JUDGEMENT(true, true, 0, 1, 20, 50);
	EXPECT_JUDGEMENT(true, true, 0, 1, 50);
	EXPECT_JUDGEMENT(false, false, 0, 1, 2, 3, 4, 5, 30);
	EXPECT_JUDGEMENT(false, false, 0, 48, 50, 53); /* in use: only the youngest are open */
	EXPECT_JUDGEMENT(false, false, 0, 50);
	EXPECT_JUDGEMENT(false, false, 0, 1, 2, 3, 50); /* a pool, and one in use */
	EXPECT_JUDGEMENT(true, true, 0, 1, 2, 3, 30, 50);
	EXPECT_JUDGEMENT(true, true, 0, 25, 30, 50, 52); /* it has begun late */
}

static void test_what_is_closed_too_is_a_leak_when_it_outlives(void **state)
{
	EXPECT_JUDGEMENT(true, true, 2, 30, 45, 50);
	EXPECT_JUDGEMENT(true, false, 3, 30, 45, 50); /* all of them live so long */
	EXPECT_JUDGEMENT(true, false, 900, 1, 30, 45, 50, 51);
	EXPECT_JUDGEMENT(true, false, 900, 1, 2, 30, 45, 50, 51);
	EXPECT_JUDGEMENT(true, true, 900, 1, 10, 30, 35, 45, 50, 51); /* a few never end */
}

static void test_time_is_that_of_the_process(void **state)
{
	struct leaks_snapshot late =
		SNAPSHOT(60, { .pid = 12, .began_ns = AT(45), .n_sites = 1,
			       .sites = &(struct leaks_site){ STACK(stack), HANDLES(4, 46, 54) } });

	expect_judgement(&late, true, true);
}

static void test_many_workers_with_one_handle_are_no_leak(void **state)
{
	const struct leaks_snapshot workers =
		SNAPSHOT(60, PROCESS(12, { STACK(stack), HANDLES(4, 1) }),
			 PROCESS(13, { STACK(stack), HANDLES(4, 20) }),
			 PROCESS(14, { STACK(stack), HANDLES(4, 50) }));
	struct report *report = make(&workers);

	assert_int_equal(report->n_sites, 1);
	assert_int_equal(report->sites[0].n_processes, 3);
	assert_int_equal(report->sites[0].n_handles, 3);
	assert_int_equal(report->n_leaks, 0);
	report_free(report);
}

static void test_what_an_ended_process_left_is_a_leak(void **state)
{
	static const struct frame libc_only[] = { { .ip = 1, .function = "x", .module = LIBC } };
	struct leaks_process ended = PROCESS(12, { STACK(stack), HANDLES(4, 59.9) });
	struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(60),
					   .processes = &ended, .n_processes = 1 };
	struct leaks_site libc = { STACK(libc_only), HANDLES(4, 1) };

	ended.ended = true;
	expect_judgement(&snapshot, false, true); /* not too young: nobody can close it any more */
	ended.sites = &libc;
	expect_judgement(&snapshot, false, false);
	libc.end = UNWIND_CUT; /* nobody knows whose it was */
	expect_judgement(&snapshot, false, true);
	libc.n_frames = 0;
	libc.end = UNWIND_COMPLETE;
	expect_judgement(&snapshot, false, true);
}

static void test_standard_handles_are_left_by_everyone(void **state)
{
	struct leaks_process ended = PROCESS(12, { STACK(stack), HANDLES(1, 2, 3) });
	struct leaks_process one_more = PROCESS(12, { STACK(stack), HANDLES(2, 2, 3) });
	struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(60),
					   .processes = &ended, .n_processes = 1 };

	ended.ended = one_more.ended = true;
	expect_judgement(&snapshot, false, false);
	snapshot.processes = &one_more;
	expect_judgement(&snapshot, false, true);
}

static void test_ended_by_the_way(void **state)
{
	struct leaks_snapshot snapshot = SNAPSHOT(
		60, PROCESS(12, { STACK(stack), .id = 1, HANDLES(4, 1) }),
		PROCESS(13, { STACK(stack), .id = 1, HANDLES(4, 1, 2) },
			{ STACK(other_stack), .id = 2, HANDLES(7, 1, 9) }),
		PROCESS(14, { STACK(stack), .id = 1, HANDLES(4, 1) }));
	struct leaks_process processes[3];
	const struct report_options how = { .ended_by_the_way = true };
	struct report *report;

	memcpy(processes, snapshot.processes, sizeof(processes));
	processes[0].ended = processes[1].ended = true;
	processes[0].ended_ns = processes[1].ended_ns = AT(10);
	snapshot.processes = processes;
	report = make(&snapshot);
	assert_int_equal(report->n_sites, 2);
	assert_int_equal(report->sites[0].n_handles, 4);
	assert_int_equal(report->n_leaks, 2);
	report_free(report);
	assert_int_equal(report_new(&snapshot, &how, &report), 0);
	assert_int_equal(report->n_sites, 2);
	assert_int_equal(report->sites[0].site->id, 2);
	assert_true(report->sites[0].is_leak); /* it grew until the end */
	assert_int_equal(report->sites[1].n_handles, 1);
	assert_int_equal(report->sites[1].process->pid, 14);
	assert_int_equal(report->n_leaks, 1);
	report_free(report);
}

static void test_others_doing_is_no_leak(void **state)
{
	struct leaks_handle handles[3] = { 0 };
	struct leaks_site site = { STACK(stack), .handles = handles, .n_handles = 3 };
	struct leaks_process process = { .pid = 12, .sites = &site, .n_sites = 1 };
	struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(60),
					   .processes = &process, .n_processes = 1 };
	static const enum leaks_origin others[] = { LEAKS_INHERITED, LEAKS_INSTALLED };

	handles_at(handles, 4, (double[]){ 1, 20, 50 }, 3);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		for (int k = 0; k < 3; k++)
			handles[k].origin = others[i];
		expect_judgement(&snapshot, true, false);
	}
}

static void test_young_handles_are_left_out(void **state)
{
	const struct leaks_snapshot snapshot =
		SNAPSHOT(100, PROCESS(12, { STACK(stack), HANDLES(4, 1, 94, 96, 99) }));
	const struct leaks_snapshot shorter =
		SNAPSHOT(10, PROCESS(12, { STACK(stack), HANDLES(4, 1, 8.9, 9.1) }));
	const struct report_options all = { .older_than_ns = 0 };
	struct report *report = make(&snapshot);

	assert_int_equal(report->older_than_ns, 5 * NS_PER_S);
	assert_int_equal(report->sites[0].n_handles, 2);
	assert_int_equal(report->n_young, 2);
	report_free(report);
	report = make(&shorter);
	assert_int_equal(report->older_than_ns, NS_PER_S);
	assert_int_equal(report->sites[0].n_handles, 2);
	report_free(report);
	assert_int_equal(report_new(&snapshot, &all, &report), 0);
	assert_int_equal(report->sites[0].n_handles, 4);
	assert_int_equal(report->n_young, 0);
	report_free(report);
}

static char *printed(const struct leaks_snapshot *snapshot, const struct report_style *style);

/* Grouping */

static void test_most_handles_first_and_processes_together(void **state)
{
	const struct leaks_snapshot snapshot = SNAPSHOT(
		60, PROCESS(12, { STACK(stack), HANDLES(4, 30, 2), .id = 1 }),
		PROCESS(13, { STACK(other_stack), HANDLES(9, 1, 2, 3), .id = 2, .closed = 5 },
			{ STACK(stack), HANDLES(4, 1, 4), .id = 1, .closed = 6 }));
	struct report *report = make(&snapshot);

	assert_int_equal(report->n_sites, 2);
	assert_int_equal(report->sites[0].site->id, 1);
	assert_int_equal(report->sites[0].n_handles, 4);
	assert_int_equal(report->sites[0].n_processes, 2);
	assert_int_equal(report->sites[0].closed, 6);
	assert_int_equal(report->sites[0].pids[0], 12);
	assert_int_equal(report->sites[0].pids[1], 13);
	assert_int_equal(report->sites[0].handles[0]->opened_ns, AT(1)); /* oldest of both */
	assert_int_equal(report->sites[0].handles[3]->opened_ns, AT(30));
	report_free(report);
	report = make_with(&snapshot, NULL, true);
	assert_int_equal(report->n_sites, 3);
	assert_int_equal(report->sites[0].site->id, 2);
	assert_int_equal(report->sites[1].n_processes, 1);
	report_free(report);
}

static void test_without_a_stack_comes_last(void **state)
{
	struct leaks_snapshot snapshot =
		SNAPSHOT(60, PROCESS(12, { .id = 0, HANDLES(9, 1, 2, 3) },
				     { STACK(stack), .id = 1, HANDLES(4, 30) }));
	char *text;

	((struct leaks_handle *)snapshot.processes[0].sites[0].handles)[0].uncertain = true;
	((struct leaks_handle *)snapshot.processes[0].sites[0].handles)[0].what = NULL;
	text = printed(&snapshot, &(struct report_style){ 0 });
	assert_non_null(strstr(text, "1 of them is uncertain:"));
	assert_non_null(strstr(text, "    handle 9  file  by openat()\n"));
	assert_non_null(strstr(text, "(the stack is not known)\n"));
	assert_true(strstr(text, "read_config") < strstr(text, "1 of them is uncertain:"));
	free(text);
}

static void test_origins_apart(void **state)
{
	struct leaks_handle handles[4], before[2];
	struct leaks_site sites[] = { { STACK(stack), .handles = handles, .n_handles = 4 },
				      { .handles = before, .n_handles = 2 } };
	struct leaks_process process = { .pid = 12, .sites = sites, .n_sites = 2 };
	struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(60),
					   .processes = &process, .n_processes = 1 };
	struct report *report;

	handles_at(handles, 4, (double[]){ 1, 2, 3, 4 }, 4);
	for (int i = 1; i < 4; i++)
		handles[i].origin = LEAKS_INHERITED;
	handles_at(before, 0, (double[]){ 0, 0 }, 2);
	before[0].origin = LEAKS_BEFORE;
	before[1].origin = LEAKS_FOUND;
	report = make(&snapshot);
	assert_int_equal(report->n_sites, 2);
	assert_int_equal(report->sites[0].origin, LEAKS_OPENED); /* though there are fewer */
	assert_int_equal(report->sites[1].origin, LEAKS_INHERITED);
	assert_int_equal(report->sites[1].n_handles, 3);
	assert_int_equal(report->n_rests, 2);
	assert_int_equal(report->rests[0].origin, LEAKS_BEFORE);
	assert_int_equal(report->rests[1].origin, LEAKS_FOUND);
	assert_int_equal(report->rests[1].handles[0]->number, 1);
	report_free(report);
}

static void expect_look_at(const struct frame *frames, size_t n, size_t wanted)
{
	struct leaks_site site = { .frames = frames, .n_frames = n, HANDLES(4, 1) };
	struct leaks_process process = { .pid = 12, .sites = &site, .n_sites = 1 };
	struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(60),
					   .processes = &process, .n_processes = 1 };
	struct report *report = make(&snapshot);

	assert_int_equal(report->sites[0].look_at, wanted);
	report_free(report);
}

#define EXPECT_LOOK_AT(wanted, ...)                                                                \
	expect_look_at((struct frame[]){ __VA_ARGS__ },                                            \
		       ARRAY_SIZE(((struct frame[]){ __VA_ARGS__ })), wanted)

static void test_frame_to_look_at(void **state)
{
	EXPECT_LOOK_AT(1, { .function = "open64", .module = LIBC },
		       { .function = "f", .module = SERVER });
	EXPECT_LOOK_AT(2, { .function = "fopen", .module = "/lib/ld-musl-x86_64.so.1" },
		       { .is_signal = true, .module = SERVER },
		       { .function = "f", .module = SERVER });
	/* C++ and Rust bring a library of their own, which is linked in or not */
	EXPECT_LOOK_AT(2, { .function = "open", .module = LIBC },
		       { .function = "std::filebuf::open", .module = "/usr/lib/libstdc++.so.6" },
		       { .function = "load()", .module = SERVER });
	EXPECT_LOOK_AT(1, { .function = "std::fs::File::open", .file = "fs.rs", .module = SERVER },
		       { .function = "app::load", .file = "app.rs", .module = SERVER });
	/* static: libc's own functions are in the same module, without lines */
	EXPECT_LOOK_AT(2, { .function = "open64", .module = SERVER },
		       { .function = "fopen64", .module = SERVER },
		       { .function = "load", .file = "a.c", .module = SERVER });
	/* stripped: the first one of the module stays */
	EXPECT_LOOK_AT(0, { .function = NULL, .module = SERVER }, { .module = SERVER },
		       { .function = "main", .file = "a.c", .module = "/other" });
	EXPECT_LOOK_AT(2, { .function = "open64", .module = LIBC },
		       { .function = "_PyEval_EvalFrameDefault", .file = "ceval.c",
			 .module = "/usr/bin/python3.11" },
		       { .function = "py::load:/srv/app.py", .module = "[jit]" });
	EXPECT_LOOK_AT(1, { .function = "open64", .module = LIBC }); /* none */
}

/* What is new */

static struct baseline *told_by(const struct leaks_snapshot *snapshot)
{
	struct report *report = make(snapshot);
	struct baseline *baseline = NULL;

	assert_int_equal(baseline_of_snapshot(snapshot, report->horizon_ns, &baseline), 0);
	report_free(report);
	return baseline;
}

/* By way of the file: what --save writes and --since reads. */
static struct baseline *saved(const struct leaks_snapshot *snapshot, const char *boot_id)
{
	const struct report_style style = { .boot_id = BOOT, .wait_status = -1 };
	struct report *report = make_with(snapshot, NULL, true);
	struct tendril_error error = { 0 };
	struct baseline *baseline = NULL;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	assert_int_equal(report_print_json(report, &style, out), 0);
	(void)fclose(out);
	report_free(report);
	assert_int_equal(baseline_parse(text, bytes, boot_id, &baseline, &error), 0);
	free(text);
	return baseline;
}

/* How many of each site are new, -1 at the end. */
static void expect_new(const struct leaks_snapshot *snapshot, struct baseline *baseline,
		       const int *wanted)
{
	struct report *report = make_with(snapshot, baseline, false);
	size_t n = 0;

	for (; wanted[n] >= 0; n++) {
		assert_true(n < report->n_sites);
		assert_int_equal(report->sites[n].n_new, wanted[n]);
	}
	assert_int_equal(report->n_sites, n);
	report_free(report);
	baseline_free(baseline);
}

#define EXPECT_NEW(snapshot, baseline, ...)                                                        \
	expect_new(snapshot, baseline, (const int[]){ __VA_ARGS__, -1 })

static const struct leaks_snapshot *earlier(void)
{
	static struct leaks_handle at_first[2], young[1], others[2];
	static struct leaks_site sites[] = {
		{ STACK(stack), .id = UINT64_MAX, .handles = at_first, .n_handles = 2 },
		{ STACK(other_stack), .id = 2, .handles = young, .n_handles = 1 },
		{ .handles = others, .n_handles = 2 },
	};
	static struct leaks_process process = { .pid = 12, .start_ticks = 7, .name = "server",
						.sites = sites, .n_sites = 3 };
	static const struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(60),
							.source = "bpf", .processes = &process,
							.n_processes = 1 };

	handles_at(at_first, 4, (double[]){ 1, 2 }, 2);
	handles_at(young, 6, (double[]){ 59 }, 1);
	handles_at(others, 0, (double[]){ 0, 0 }, 2);
	others[0].origin = others[1].origin = LEAKS_BEFORE;
	return &snapshot;
}

static void test_difference_of_the_same_process(void **state)
{
	const struct leaks_snapshot later = SNAPSHOT(
		120, PROCESS(12, { STACK(stack), .id = UINT64_MAX, HANDLES(4, 1, 2, 70, 80) },
			     { STACK(other_stack), .id = 2, HANDLES(6, 59) }));
	const struct leaks_snapshot same =
		SNAPSHOT(120, PROCESS(12, { STACK(stack), .id = UINT64_MAX, HANDLES(4, 1, 2) }));

	/* The one that was too young then is told now. */
	EXPECT_NEW(&later, told_by(earlier()), 2, 1);
	EXPECT_NEW(&later, saved(earlier(), BOOT), 2, 1);
	EXPECT_NEW(&same, told_by(earlier()), -1);
	EXPECT_NEW(&same, saved(earlier(), BOOT), -1);
}

/* How many handles without a stack are new; *ret_first is the number of the first. */
static size_t count_rest(const struct leaks_snapshot *snapshot, struct baseline *baseline,
			 int *ret_first)
{
	struct report *report = make_with(snapshot, baseline, false);
	size_t n = report->n_rests ? report->rests[0].n_handles : 0;

	assert_true(report->n_rests <= 1);
	if (n)
		*ret_first = report->rests[0].handles[0]->number;
	report_free(report);
	baseline_free(baseline);
	return n;
}

static void test_examples_are_new_ones(void **state)
{
	const struct leaks_snapshot later = SNAPSHOT(
		120, PROCESS(12, { STACK(stack), .id = UINT64_MAX, HANDLES(4, 1, 2, 90) }));
	const struct report_style style = { .wait_status = -1 };
	struct baseline *baseline = told_by(earlier());
	struct report *report = make_with(&later, baseline, false);
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(report_print_text(report, &style, out), 0);
	assert_int_equal(report_print_json(report, &style, out), 0);
	(void)fclose(out);
	assert_non_null(strstr(text, "LEAK  1 new, 3 open (file)"));
	assert_non_null(strstr(text, "    handle 6  file"));
	assert_null(strstr(text, "    handle 4  file"));
	assert_non_null(strstr(text, "\"example\":{\"handle\":6,"));
	assert_non_null(strstr(text, "1 leak with 1 new handle."));
	free(text);
	report_free(report);
	baseline_free(baseline);
}

static void test_difference_of_what_has_no_stack(void **state)
{
	struct leaks_handle handles[4] = { 0 };
	struct leaks_site site = { .handles = handles, .n_handles = 3 };
	struct leaks_process process = { .pid = 12, .start_ticks = 7, .name = "server",
					 .sites = &site, .n_sites = 1 };
	struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(120),
					   .processes = &process, .n_processes = 1 };
	int first = -1;

	handles_at(handles, 0, (double[]){ 0, 0, 0, 0 }, 4);
	handles[3].number = 6; /* it was too young to be told */
	for (int i = 0; i < 4; i++)
		handles[i].origin = LEAKS_BEFORE;
	assert_int_equal(count_rest(&snapshot, saved(earlier(), BOOT), &first), 1);
	assert_int_equal(first, 2);
	site.n_handles = 4;
	assert_int_equal(count_rest(&snapshot, saved(earlier(), BOOT), &first), 2);
	assert_int_equal(count_rest(&snapshot, told_by(earlier()), &first), 2);
	process.pid = 99; /* of another run's nobody can tell; in one session it is another one */
	assert_int_equal(count_rest(&snapshot, saved(earlier(), BOOT), &first), 0);
	assert_int_equal(count_rest(&snapshot, told_by(earlier()), &first), 4);
}

static void test_what_was_found_is_told_once(void **state)
{
	struct leaks_handle found = { .number = 5, .origin = LEAKS_FOUND, .opened_ns = AT(59.9) };
	struct leaks_site site = { .handles = &found, .n_handles = 1 };
	struct leaks_process process = { .pid = 12, .name = "server", .sites = &site, .n_sites = 1 };
	struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(60),
					   .processes = &process, .n_processes = 1 };
	int first = -1;

	assert_int_equal(count_rest(&snapshot, NULL, &first), 1); /* its age is not known */
	assert_int_equal(count_rest(&snapshot, told_by(&snapshot), &first), 0);
	assert_int_equal(count_rest(&snapshot, saved(&snapshot, BOOT), &first), 0);
}

static void test_difference_of_another_run(void **state)
{
	const struct leaks_snapshot run = SNAPSHOT(
		60, { .pid = 99, .start_ticks = 1000, .name = "server", .n_sites = 2,
		      .sites = (struct leaks_site[]){
			      { STACK(stack), .id = UINT64_MAX, HANDLES(4, 1, 2, 3) },
			      { STACK(other_stack), .id = 5, HANDLES(9, 1) } } });
	struct leaks_snapshot renamed = run;
	struct leaks_process process = run.processes[0];

	EXPECT_NEW(&run, saved(earlier(), BOOT), 1, 1);
	EXPECT_NEW(&run, saved(earlier(), "another"), 1, 1);
	/* In one session another process of that name is another process. */
	EXPECT_NEW(&run, told_by(earlier()), 3, 1);
	(void)strcpy(process.name, "client");
	renamed.processes = &process;
	EXPECT_NEW(&renamed, saved(earlier(), BOOT), 3, 1);
	/* Before a restart the same numbers mean another process. */
	process = *earlier()->processes;
	(void)strcpy(process.name, "client");
	EXPECT_NEW(&renamed, saved(earlier(), "another"), 2);
	EXPECT_NEW(&renamed, saved(earlier(), BOOT), -1);
}

static void test_an_ended_process_is_told_once(void **state)
{
	struct leaks_process ended = PROCESS(12, { STACK(stack), HANDLES(4, 59.9) });
	struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(60),
					   .processes = &ended, .n_processes = 1 };

	ended.ended = true;
	EXPECT_NEW(&snapshot, NULL, 1);
	EXPECT_NEW(&snapshot, told_by(&snapshot), -1);
	EXPECT_NEW(&snapshot, saved(&snapshot, BOOT), -1);
}

static void expect_refused(const char *text, const char *why)
{
	struct tendril_error error = { 0 };
	struct baseline *baseline = NULL;

	assert_int_equal(baseline_parse(text, strlen(text), BOOT, &baseline, &error), -EINVAL);
	assert_non_null(strstr(error.text, why));
}

#define HEAD "{\"tendril_leaks\":1,\"horizon_ns\":5"

static void test_documents_that_are_none(void **state)
{
	static const char *const broken[] = {
		"", "x", "{", "[]", HEAD, HEAD ",", HEAD ",}", HEAD "}}", HEAD "} x",
		HEAD ",\"processes\":{}}", HEAD ",\"processes\":[{\"pid\":-1}]}",
		HEAD ",\"processes\":[{\"pid\":99999999999}]}", HEAD ",\"processes\":[1]}",
		HEAD ",\"processes\":[{\"pid\":1e3}]}", HEAD ",\"processes\":[{\"numbers\":[1,]}]}",
		HEAD ",\"processes\":[{\"name\":\"\\u12\"}]}", HEAD ",\"processes\":[{\"name\":\"x}]}",
		HEAD ",\"processes\":[{\"name\":\"\\q\"}]}", HEAD ",\"sites\":[{\"id\":\"xyz\"}]}",
		HEAD ",\"sites\":[{\"id\":\"00000000000000000001\"}]}",
		HEAD ",\"sites\":[{\"count\":18446744073709551616}]}", HEAD ",\"x\":[}]}",
		HEAD ",\"x\":nothing}", HEAD ",\"x\":[[[1]]", HEAD ",\"x\":}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		expect_refused(broken[i], "no JSON");
	expect_refused("{}", "not written by");
	expect_refused("{\"tendril_leaks\":1}", "not written by");
	expect_refused("{\"tendril_leaks\":2,\"horizon_ns\":5}", "another version");
}

static void test_documents_with_more_in_them(void **state)
{
	static const char text[] =
		" { \"more\" : [ {\"a\":[1,-2.5e3,{}],\"b\":\"]}\\\"\"} , null , true , [] ] ,\n"
		"\"tendril_leaks\":1,\"horizon_ns\":5,\"boot_id\":null,"
		"\"sites\":[{\"pid\":null,\"id\":\"00000000000000ff\",\"count\":9},"
		"{\"pid\":3,\"stack\":[{\"ip\":1}],\"id\":\"00000000000000ff\",\"count\":4}],"
		"\"processes\":[{\"pid\":3,\"name\":\"a\\u00e9\\n\\\"\",\"numbers\":[7,3,5]}]}\n";
	struct baseline *baseline = NULL;

	assert_int_equal(baseline_parse(text, strlen(text), BOOT, &baseline, NULL), 0);
	assert_true(baseline->other_boot);
	assert_int_equal(baseline->n_processes, 1);
	assert_string_equal(baseline->processes[0].name, "a\xc3\xa9\n\"");
	assert_true(baseline_has_number(&baseline->processes[0], 3));
	assert_true(baseline_has_number(&baseline->processes[0], 7));
	assert_false(baseline_has_number(&baseline->processes[0], 4));
	assert_int_equal(baseline_count(baseline, "a\xc3\xa9\n\"", 0xff), 4);
	assert_int_equal(baseline_count(baseline, "b", 0xff), 0);
	baseline_free(baseline);
}

/* Every start of a document, and every byte of it changed: refused or taken, but nothing worse. */
static void test_damaged_documents(void **state)
{
	const struct report_style style = { .boot_id = BOOT, .wait_status = -1 };
	struct report *report = make_with(earlier(), NULL, true);
	struct baseline *baseline;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(report_print_json(report, &style, out), 0);
	(void)fclose(out);
	report_free(report);
	for (size_t i = 0; i < bytes; i++) {
		static const char others[] = "\"\\[{}],:0u-\xff";
		char kept = text[i];

		text[i] = '\0';
		if (i + 1 < bytes)
			assert_int_equal(baseline_parse(text, i, BOOT, &baseline, NULL), -EINVAL);
		for (const char *c = others; *c; c++) {
			text[i] = *c;
			if (baseline_parse(text, bytes, BOOT, &baseline, NULL) == 0)
				baseline_free(baseline);
		}
		text[i] = kept;
	}
	free(text);
}

/* Text */

static char *printed(const struct leaks_snapshot *snapshot, const struct report_style *style)
{
	struct report *report = make(snapshot);
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	assert_int_equal(report_print_text(report, style, out), 0);
	(void)fclose(out);
	report_free(report);
	return text;
}

static void test_text(void **state)
{
	struct leaks_handle before[] = { { .number = 0, .origin = LEAKS_BEFORE, .kind = "tty",
					   .syscall = -1 },
					 { .number = 1, .origin = LEAKS_BEFORE, .kind = "file",
					   .syscall = -1 },
					 { .number = 2, .origin = LEAKS_BEFORE, .kind = "tty",
					   .syscall = -1 } };
	struct leaks_snapshot snapshot = SNAPSHOT(
		60, { .pid = 12, .name = "server", .opened = 104, .closed = 97, .handles = 8,
		      .lost = 1, .n_sites = 3,
		      .sites = (struct leaks_site[]){
			      { STACK(stack), .id = 1, HANDLES(4, 1, 20, 40, 50), .closed = 1 },
			      { STACK(other_stack), .id = 2, HANDLES(9, 58) },
			      { .handles = before, .n_handles = 3 } } });
	const struct report_style style = { .top = 10 };
	char *text = printed(&snapshot, &style);

	assert_string_equal(
		text,
		"server (PID 12): 8 handles open; 104 opened, 97 closed in 60.0 s\n"
		"  1 event was lost: handles that they may concern are marked uncertain\n"
		"\n"
		"LEAK  4 open (file), 262 an hour, oldest 59.0 s, still growing (1 seen earlier was "
		"closed)\n"
		"    handle 4  file /etc/x  by openat()\n"
		"    handle 5  file /etc/x  by openat()\n"
		"    handle 6  file /etc/x  by openat()\n"
		"    and 1 more\n"
		"    #0  openat64+0x10 in libc.so.6\n"
		"  > #1  read_config (config.c:42) in server\n"
		"    #2  main (main.c:7) in server\n"
		"\n"
		"Open before we looked: 3 (2 tty, 1 file)\n"
		"\n"
		"1 handle younger than 5.0 s is not shown (--older-than).\n"
		"1 leak: 4 handles that nothing closed.\n");
	free(text);
}

static void test_text_of_ends_and_inlined_frames(void **state)
{
	static const struct frame odd[] = {
		{ .ip = 1, .function = "inner", .file = "a.c", .line = 3, .module = SERVER,
		  .inlined = true },
		{ .ip = 1, .function = "outer", .file = "a.c", .module = SERVER },
		{ .ip = 2, .is_signal = true, .module = "[vdso]" },
		{ .ip = 3, .offset = 0x123, .module = "/opt/lib/libx.so" },
		{ .ip = 4, .offset = 0x4 },
	};
	struct leaks_site site = { STACK(odd), HANDLES(4, 1), .end = UNWIND_CUT };
	struct leaks_process process = { .pid = 12, .name = "x", .ended = true, .exit_status = 9,
					 .sites = &site, .n_sites = 1, .handles = 1 };
	struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(60),
					   .source = "ptrace", .processes = &process,
					   .n_processes = 1 };
	struct report_style style = { .child = 12, .wait_status = -1 };
	char *text = printed(&snapshot, &style);

	assert_non_null(strstr(text, "x (PID 12) was ended by signal 9 (Killed): 1 handle open when "
				     "it ended;"));
	assert_non_null(strstr(text, "  by ptrace: slower"));
	assert_null(strstr(text, "paid"));
	assert_non_null(strstr(text, "  > #0  inner (a.c:3) [inlined] in server\n"
				     "    #1  outer (a.c) in server\n"
				     "    #2  [signal handler called]\n"
				     "    #3  libx.so+0x123\n"
				     "    #4  ?+0x4\n"
				     "    (the copy of the stack ended here"));
	free(text);
	style.wait_status = 3 << 8; /* what the command has seen itself */
	text = printed(&snapshot, &style);
	assert_non_null(strstr(text, "ended with exit status 3:"));
	free(text);
}

static void test_text_of_what_it_cost(void **state)
{
	static const char *const told[][2] = { { "fentry", "no other process paid" },
					       { "tracepoint", "every process paid a little" } };

	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		const struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(60),
							 .source = "bpf", .hook = told[i][0] };
		const struct report_style style = { 0 };
		char *text = printed(&snapshot, &style);

		assert_non_null(strstr(text, told[i][0]));
		assert_non_null(strstr(text, told[i][1]));
		assert_null(strstr(text, told[!i][1]));
		free(text);
	}
}

static const char hostile[] = "\x1b]0;x\x07\n\r;\xff\xc2\x9b" "31m a\"\\";

static const struct leaks_snapshot *hostile_snapshot(void)
{
	static struct frame frames[] = {
		{ .ip = 1, .function = hostile, .file = hostile, .line = 3, .module = hostile },
		{ .ip = 2, .offset = 3, .module = hostile },
		{ .ip = 3, .function = "", .module = "" },
	};
	static struct leaks_handle handles[2];
	static struct leaks_site site = { STACK(frames), .handles = handles, .n_handles = 2 };
	static struct leaks_process process = { .pid = 12, .sites = &site, .n_sites = 1 };
	static const struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = AT(60),
							.source = "bpf", .processes = &process,
							.n_processes = 1 };

	handles_at(handles, 4, (double[]){ 1, 50 }, 2);
	handles[0].what = hostile;
	handles[1].what = NULL;
	handles[1].kind = NULL;
	memset(process.name, 'n', sizeof(process.name)); /* not terminated */
	memcpy(process.name, hostile, sizeof(hostile) - 1);
	return &snapshot;
}

static void test_text_of_hostile_names(void **state)
{
	const struct report_style style = { 0 };
	char *text = printed(hostile_snapshot(), &style);

	for (const char *s = text; *s; s++) {
		assert_true((unsigned char)*s >= 0x20 || *s == '\n');
		assert_true((unsigned char)*s < 0x7f);
	}
	assert_non_null(strstr(text, "file \\x1b]0;x\\x07\\x0a"));
	assert_non_null(strstr(text, "nnn (PID 12)"));
	free(text);
}

static void test_text_fits_the_terminal(void **state)
{
	static char name[3000];
	struct frame frames[] = { { .ip = 1, .function = name, .file = "a.cc", .line = 1234,
				    .module = SERVER } };
	const struct leaks_snapshot snapshot =
		SNAPSHOT(60, PROCESS(12, { STACK(frames), HANDLES(4, 1, 50) }));
	char *text;

	memset(name, 'w', sizeof(name) - 1);
	memcpy(name + 30, "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad", 9);
	for (size_t width = 1; width < 100; width++) {
		const struct report_style style = { .width = width };
		char *line, *rest;

		rest = text = printed(&snapshot, &style);
		while ((line = strsep(&rest, "\n")))
			assert_true(output_text_width(line) <= width);
		free(text);
	}
	text = printed(&snapshot, &(struct report_style){ .width = 72 });
	assert_non_null(strstr(text, "...")); /* the name is cut, and not what is behind it */
	assert_non_null(strstr(text, " (a.cc:1234) in server\n"));
	free(text);
}

static void test_a_short_name_is_not_marked_as_cut(void **state)
{
	const struct leaks_snapshot snapshot =
		SNAPSHOT(60, PROCESS(12, { STACK(stack), HANDLES(4, 1, 50) }));

	for (size_t width = 16; width < 60; width++) {
		char *text = printed(&snapshot, &(struct report_style){ .width = width });

		assert_null(strstr(text, "..."));
		free(text);
	}
}

static void test_a_guessed_frame_is_marked(void **state)
{
	struct frame frames[] = { stack[0], stack[1], stack[2] };
	const struct leaks_snapshot snapshot =
		SNAPSHOT(60, PROCESS(12, { STACK(frames), HANDLES(4, 1, 50) }));
	char *text;

	frames[1].is_guessed = true;
	text = printed(&snapshot, &(struct report_style){ 0 });
	assert_non_null(strstr(text, "read_config (config.c:42) [guessed] in server\n"));
	assert_non_null(strstr(text, "main (main.c:7) in server\n"));
	free(text);
}

static void test_of_a_refusal_the_reason_is_kept(void **state)
{
	struct load_log log = { "", "" };
	char message[4096];

	load_log_add(&log, "libbpf: prog 'leave': BPF program load failed: Permission denied\n");
	load_log_add(&log, "libbpf: prog 'leave': -- BEGIN PROG LOAD LOG --\n"
			   "0: R1=ctx() R10=fp0\n; int BPF_PROG(leave)\n"
			   "5: (61) r2 = *(u32 *)(r3 +0)\nR3 invalid mem access '\033scalar'\n"
			   "processed 5 insns (limit 1000000)\n-- END PROG LOAD LOG --\n");
	load_log_add(&log, "libbpf: failed to load object 'handles'\n");
	assert_string_equal(log.complaint, "prog 'leave': BPF program load failed: Permission denied");
	assert_string_equal(log.verdict, "R3 invalid mem access '\\x1bscalar'");

	log = (struct load_log){ "", "" };
	memset(message, 'x', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	load_log_add(&log, message);
	assert_int_equal(strlen(log.complaint), sizeof(log.complaint) - 1);
	load_log_add(&log, "-- BEGIN PROG LOAD LOG --\n"); /* cut short */
	assert_string_equal(log.verdict, "");
}

static void test_colours(void **state)
{
	const struct report_style plain = { .colour = false }, coloured = { .colour = true };
	char *text = printed(earlier(), &plain);

	assert_null(strchr(text, '\x1b'));
	free(text);
	text = printed(earlier(), &coloured);
	assert_non_null(strstr(text, "\x1b[1m  > #1  read_config"));
	free(text);
}

static void test_top(void **state)
{
	const struct leaks_snapshot snapshot = SNAPSHOT(
		60, PROCESS(12, { STACK(stack), .id = 1, HANDLES(4, 1, 2) },
			    { STACK(other_stack), .id = 2, HANDLES(9, 1) },
			    { STACK(other_stack), .id = 3, HANDLES(10, 1) }));
	char *text = printed(&snapshot, &(struct report_style){ .top = 1 });

	assert_non_null(strstr(text, "read_config"));
	assert_null(strstr(text, "serve.c"));
	assert_non_null(strstr(text, "\nand 2 more stacks with 2 handles: --top 3 shows them\n"));
	free(text);
}

/* Folded stacks and files */

static char *folded(const struct leaks_snapshot *snapshot)
{
	struct report *report = make(snapshot);
	const struct report_style style = { 0 };
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	assert_int_equal(report_print_folded(report, &style, out), 0);
	(void)fclose(out);
	report_free(report);
	return text;
}

static void test_folded(void **state)
{
	const struct leaks_snapshot snapshot = SNAPSHOT(
		60, PROCESS(12, { STACK(stack), .id = 1, HANDLES(4, 1, 2) },
			    { .id = 2, HANDLES(9, 1) }));
	char *text = folded(&snapshot);

	assert_string_equal(text, "server;main;read_config;openat64 2\nserver;[unknown] 1\n");
	free(text);
	text = folded(hostile_snapshot());
	assert_string_equal(strchr(text, ';'),
			    ";?;\\x1b]0:x\\x07\\x0a\\x0d:\\xff\\xc2\\x9b31m a\"\\+0x3"
			    ";\\x1b]0:x\\x07\\x0a\\x0d:\\xff\\xc2\\x9b31m a\"\\ 2\n");
	free(text);
}

static void test_failed_writing_is_reported(void **state)
{
	const struct report_style style = { 0 };
	struct report *report = make(earlier());
	FILE *full = fopen("/dev/full", "w");

	assert_non_null(full);
	assert_int_equal(report_print_text(report, &style, full), -EIO);
	assert_int_equal(report_print_json(report, &style, full), -EIO);
	assert_int_equal(report_print_folded(report, &style, full), -EIO);
	(void)fclose(full);
	report_free(report);
}

static void test_names(void **state)
{
	assert_string_equal(report_syscall_name(SYS_openat), "openat");
	assert_string_equal(report_syscall_name(SYS_memfd_create), "memfd_create");
	assert_null(report_syscall_name(SYS_close));
	assert_null(report_syscall_name(-1));
	assert_string_equal(report_origin_name(LEAKS_FOUND), "found");
	assert_string_equal(report_origin_name((enum leaks_origin)99), "unknown");
	assert_string_equal(unwind_end_name(UNWIND_BROKEN), "broken");
}

static void test_nothing_at_all(void **state)
{
	const struct leaks_snapshot snapshot = { .began_ns = BEGAN_NS, .taken_ns = BEGAN_NS };
	char *text = printed(&snapshot, &(struct report_style){ 0 });

	assert_string_equal(text, "0 processes: 0 handles open; 0 opened, 0 closed in 0.0 s\n\n"
				  "No leak was seen.\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_what_is_closed_too_is_a_leak_when_it_outlives),
		cmocka_unit_test(test_time_is_that_of_the_process),
		cmocka_unit_test(test_many_workers_with_one_handle_are_no_leak),
		cmocka_unit_test(test_what_an_ended_process_left_is_a_leak),
		cmocka_unit_test(test_standard_handles_are_left_by_everyone),
		cmocka_unit_test(test_ended_by_the_way),
		cmocka_unit_test(test_others_doing_is_no_leak),
		cmocka_unit_test(test_young_handles_are_left_out),
		cmocka_unit_test(test_most_handles_first_and_processes_together),
		cmocka_unit_test(test_without_a_stack_comes_last),
		cmocka_unit_test(test_origins_apart),
		cmocka_unit_test(test_frame_to_look_at),
		cmocka_unit_test(test_difference_of_the_same_process),
		cmocka_unit_test(test_examples_are_new_ones),
		cmocka_unit_test(test_difference_of_what_has_no_stack),
		cmocka_unit_test(test_what_was_found_is_told_once),
		cmocka_unit_test(test_difference_of_another_run),
		cmocka_unit_test(test_an_ended_process_is_told_once),
		cmocka_unit_test(test_documents_that_are_none),
		cmocka_unit_test(test_documents_with_more_in_them),
		cmocka_unit_test(test_damaged_documents),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_of_ends_and_inlined_frames),
		cmocka_unit_test(test_text_of_what_it_cost),
		cmocka_unit_test(test_text_of_hostile_names),
		cmocka_unit_test(test_text_fits_the_terminal),
		cmocka_unit_test(test_a_short_name_is_not_marked_as_cut),
		cmocka_unit_test(test_a_guessed_frame_is_marked),
		cmocka_unit_test(test_of_a_refusal_the_reason_is_kept),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_folded),
		cmocka_unit_test(test_failed_writing_is_reported),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_nothing_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
