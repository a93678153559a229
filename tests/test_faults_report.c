/* SPDX-License-Identifier: BSD-2-Clause */
/* test_faults_report.c - how findings are told, from results that are made up */
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "faults/report.h"

#include <cmocka.h> /* behind base.h: its macro fail() is not our function */

#define LIBC   "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define SERVER "/usr/bin/server"
#define ID     "read_config#1/fstat@3=EIO"

static const struct frame opening[] = {
	{ .ip = 0x7f01, .offset = 0x1b, .function = "openat64", .module = LIBC },
	{ .ip = 0x4001, .function = "open_file", .file = "/src/file.c", .line = 9,
	  .module = SERVER, .inlined = true },
	{ .ip = 0x4001, .function = "read_config", .file = "/src/config.c", .line = 42,
	  .module = SERVER },
	{ .ip = 0x4002, .function = "main", .file = "/src/main.c", .line = 7, .module = SERVER },
};
static const struct frame failing[] = {
	{ .ip = 0x4003, .function = "read_config", .file = "/src/config.c", .line = 47,
	  .module = SERVER },
	{ .ip = 0x4002, .function = "main", .file = "/src/main.c", .line = 7, .module = SERVER },
};

#define STACK(array, number) { .frames = (array), .n_frames = ARRAY_SIZE(array), .id = (number) }
#define STEP(call, code)                                                                           \
	{ .step = (call), .error = (code), .injected = true, .stack = STACK(failing, 2) }

static const struct faults_case cases[] = {
	{ .failed = { STEP(SYS_fstat, EIO) }, .n_failed = 1, .id = ID },
	{ .failed = { STEP(SYS_fstat, ENOMEM) }, .n_failed = 1, .id = "read_config#1/fstat@3=ENOMEM" },
	{ .failed = { STEP(FAULTS_STEP_MALLOC, ENOMEM) }, .n_failed = 1, .id = "read_config#1/malloc@4=ENOMEM" },
	{ .failed = { STEP(SYS_fstat, EIO) }, .n_failed = 1, .id = "read_config#2/fstat@3=EIO" },
};
static const struct faults_left file = {
	.type = FAULTS_LEFT_HANDLE, .kind = "file", .number = 7, .what = "/etc/server.conf",
	.stack = STACK(opening, 1),
};

static const struct faults_finding leak = {
	.verdict = FAULTS_LEAK, .function = "read_config", .module = SERVER,
	.file = "/src/config.c", .line = 40, .cases = cases, .n_cases = ARRAY_SIZE(cases),
	.returned = "-1", .error = EIO, .left = &file, .n_left = 1, .confirmed = true,
	.open_at_exit = true,
};

static const char *const names[] = { "read_config" };
static const char *const words[] = { "./server", "--test", NULL };
static const struct faults_options asked = { .argv = (char *const *)words, .functions = names,
					     .n_functions = 1 };

static const struct faults_function function = { .function = "read_config", .module = SERVER,
						 .calls = 12, .explored = 4, .cases = 60 };

/* One with these findings, and all else as it usually is. */
static struct faults_result result_of(const struct faults_finding *findings, size_t n)
{
	return (struct faults_result){ .findings = findings, .n_findings = n,
				       .functions = &function, .n_functions = 1, .calls = 4,
				       .cases = 60, .copies = 70, .elapsed_ns = NS_PER_S / 2,
				       .complete = true };
}

typedef int (*print_fn)(const struct faults_result *result, const struct faults_style *style,
			FILE *out);

static char *printed_as(print_fn print, const struct faults_result *result,
			struct faults_style style)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (!style.asked)
		style.asked = &asked;
	assert_int_equal(print(result, &style, out), 0);
	(void)fclose(out);
	return text;
}

static char *printed(print_fn print, const struct faults_finding *findings, size_t n)
{
	const struct faults_result result = result_of(findings, n);

	return printed_as(print, &result, (struct faults_style){ 0 });
}

static void expect_in(const char *text, const char *part)
{
	assert_non_null(text);
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

static void expect_not_in(const char *text, const char *part)
{
	assert_non_null(text);
	if (strstr(text, part))
		fail_msg("'%s' is in:\n%s", part, text);
}

/* Text */

static void test_a_leak_in_text(void **state)
{
	char *text = printed(faults_print_text, &leak, 1);

	assert_string_equal(text,
		"\n"
		"LEAK  read_config keeps a file when fstat fails with EIO\n"
		"    function   read_config (/src/config.c:40) in server\n"
		"    failed     fstat: EIO (Input/output error), at /src/config.c:47\n"
		"        > #0  read_config (/src/config.c:47) in server\n"
		"    returned   -1, errno EIO\n"
		"    left open  handle 7  file /etc/server.conf, opened at /src/file.c:9\n"
		"          #0  openat64+0x1b in libc.so.6\n"
		"        > #1  open_file (/src/file.c:9) [inlined] in server\n"
		"          #2  read_config (/src/config.c:42) in server\n"
		"    cases      4: fstat (EIO, ENOMEM), malloc (ENOMEM)\n"
		"    confirmed  two further calls that failed in the same way left more of it; still "
		"open when the program ended\n"
		"    replay     tendril faults -f read_config --replay '" ID "' -- ./server --test\n"
		"\n"
		"4 of 4 calls of 1 function explored: 60 cases in 0.5 s (120 a second).\n"
		"The command itself ended with exit status 0.\n"
		"1 leak.\n");
	free(text);
}

static void test_what_else_can_be_left(void **state)
{
	struct faults_left left[] = {
		{ .type = FAULTS_LEFT_MAPPING, .kind = "mapping", .number = 8192,
		  .what = "/dev/zero", .stack = STACK(opening, 1) },
		{ .type = FAULTS_LEFT_THREAD, .kind = "thread", .number = 4321,
		  .stack = STACK(opening, 1) },
		{ .type = FAULTS_LEFT_PROCESS, .kind = "process", .number = 99, .what = "sleep" },
	};
	struct faults_finding finding = leak;
	char *text;

	finding.left = left;
	finding.n_left = ARRAY_SIZE(left);
	finding.confirmed = finding.open_at_exit = false;
	text = printed(faults_print_text, &finding, 1);
	expect_in(text, "LEAK  read_config keeps a mapping and a thread and more when");
	expect_in(text, "left open  mapping of 8192 bytes  /dev/zero, mapped at /src/file.c:9\n");
	expect_in(text, "left open  thread 4321, started at /src/file.c:9\n");
	expect_in(text, "left open  process 99  sleep, started where nobody saw it\n");
	expect_in(text, "(the stack is not known)");
	expect_in(text, "not by further calls");
	expect_in(text, "did not end in time");
	free(text);
	left[0] = left[1] = left[2] = file;
	left[0].kind = left[1].kind = left[2].kind = "eventfd";
	text = printed(faults_print_text, &finding, 1);
	expect_in(text, "keeps 3 x eventfd when");
	free(text);
	left[1].kind = "socket";
	text = printed(faults_print_text, &finding, 1);
	expect_in(text, "keeps 2 x eventfd and a socket when");
	free(text);
	finding.n_left = 1;
	text = printed(faults_print_text, &finding, 1);
	expect_in(text, "keeps an eventfd when");
	free(text);
}

static void test_of_a_whole_program_it_is_open_at_its_end(void **state)
{
	const struct faults_options whole = { .argv = (char *const *)words, .whole_program = true };
	struct faults_finding finding = leak;
	struct faults_result result = result_of(&finding, 1);
	char *text;

	finding.confirmed = finding.open_at_exit = false; /* it cannot be called twice, or go on */
	text = printed_as(faults_print_text, &result, (struct faults_style){ .asked = &whole });
	expect_in(text, "    confirmed  still open when the program ended\n");
	free(text);
}

static void test_two_steps_and_steps_of_others(void **state)
{
	struct faults_case two = { .failed = { STEP(SYS_openat, EMFILE), STEP(SYS_read, EIO) },
				   .n_failed = 2, .id = "read_config#1/openat@2=EMFILE,read@5=EIO" };
	struct faults_case none = { .id = "read_config#1" };
	struct faults_finding finding = leak;
	char *text;

	two.failed[0].injected = false;
	two.failed[1].child = 2;
	finding.cases = &two;
	finding.n_cases = 1;
	text = printed(faults_print_text, &finding, 1);
	expect_in(text, "keeps a file when openat fails with EMFILE and then read with EIO\n");
	expect_in(text, "failed     openat: EMFILE (Too many open files), at /src/config.c:47, "
			"by itself\n");
	expect_in(text, "then       read: EIO (Input/output error), at /src/config.c:47, by the "
			"thread or process that it started as number 2\n");
	expect_in(text, "cases      1: openat then read (EIO)\n");
	expect_in(text, "--replay 'read_config#1/openat@2=EMFILE,read@5=EIO' --");
	free(text);
	finding.cases = &none;
	text = printed(faults_print_text, &finding, 1);
	expect_in(text, "keeps a file with nothing made to fail\n");
	expect_in(text, "failed     nothing was made to fail\n");
	expect_in(text, "cases      1: nothing failing\n");
	free(text);
}

static void test_names_are_escaped_everywhere(void **state)
{
	static const char hostile[] = "\x1b]0;x\a\n<&\">\xff\xef\xbf\xbe";
	static const struct frame frames[] = {
		{ .ip = 1, .function = hostile, .file = hostile, .line = 3, .module = hostile },
	};
	struct faults_left left = { .kind = hostile, .number = 1, .what = hostile,
				    .stack = STACK(frames, 1) };
	struct faults_finding finding = leak;
	struct faults_function where = { .function = hostile, .module = hostile, .explored = 1 };
	struct faults_result result = result_of(&finding, 1);
	const print_fn prints[] = { faults_print_text, faults_print_json, faults_print_sarif,
				    faults_print_junit };

	finding.left = &left;
	finding.function = finding.module = finding.file = finding.returned = hostile;
	result.functions = &where;
	result.note = hostile;
	for (size_t i = 0; i < ARRAY_SIZE(prints); i++) {
		char *text = printed_as(prints[i], &result, (struct faults_style){ 0 });

		expect_not_in(text, "\x1b");
		expect_not_in(text, "\a");
		expect_not_in(text, "\xff");
		if (prints[i] != faults_print_json && prints[i] != faults_print_sarif)
			expect_not_in(text, "\xef\xbf\xbe");
		if (prints[i] == faults_print_junit)
			expect_not_in(text, "<&");
		free(text);
	}
}

static struct faults_finding with_verdict(enum faults_verdict verdict)
{
	struct faults_finding finding = leak;

	finding.verdict = verdict;
	return finding;
}

static void test_what_is_no_leak(void **state)
{
	struct faults_finding findings[FAULTS_VERDICTS + 1];
	struct faults_result result = result_of(findings, FAULTS_VERDICTS);
	char *text;

	for (int i = 0; i < FAULTS_VERDICTS; i++)
		findings[i] = with_verdict((enum faults_verdict)i);
	findings[FAULTS_CRASHED].n_left = findings[FAULTS_HUNG].n_left = 0;
	findings[FAULTS_CRASHED].returned = "killed by SIGSEGV";
	findings[FAULTS_LEAK].suppressed = true;
	text = printed_as(faults_print_text, &result, (struct faults_style){ 0 });
	expect_in(text, "\nKept though the call succeeded, a cache or a leak: 1 (--replay shows one)\n"
			"    " ID "  handle 7  file /etc/server.conf, opened at /src/file.c:9 "
			"(returned: -1)\n");
	expect_in(text, "\nKilled by a signal: 1 (--replay shows one)\n"
			"    " ID "  where it failed at /src/config.c:47 (returned: killed by "
			"SIGSEGV)\n");
	expect_in(text, "\nDid not come back in time: 1");
	expect_in(text, "3 that are closed later, handed on, or kept once (--all-findings)");
	expect_not_in(text, "Closed later, before");
	expect_in(text, "Suppressed: 1 (--all-findings shows them)");
	expect_in(text, "No leak was found.");
	expect_not_in(text, "LEAK");
	free(text);
	text = printed_as(faults_print_text, &result, (struct faults_style){ .all_findings = true });
	expect_in(text, "\nClosed later, before the program ended: 1");
	expect_in(text, "\nHanded to the caller: 1");
	expect_in(text, "\nKept once, further calls add nothing: 1");
	expect_in(text, "\nSuppressed: 1\n    " ID "  handle 7");
	expect_not_in(text, "--all-findings");
	free(text);
}

static void test_top_and_order(void **state)
{
	struct faults_finding findings[] = { leak, leak, leak };
	struct faults_result result = result_of(findings, 3);
	char *text;

	findings[1].function = "second";
	findings[2].function = "third";
	text = printed_as(faults_print_text, &result, (struct faults_style){ .top = 2 });
	expect_in(text, "LEAK  second");
	expect_not_in(text, "LEAK  third");
	expect_in(text, "\nand 1 more: --top 3 shows them\n");
	expect_in(text, "3 leaks.\n");
	free(text);
	text = printed_as(faults_print_text, &result, (struct faults_style){ .top = 3 });
	expect_in(text, "LEAK  third");
	expect_not_in(text, "more: --top");
	free(text);
}

static void test_how_it_ended(void **state)
{
	static const struct faults_function functions[] = {
		{ .function = "f", .calls = 3 },
		{ .function = "g" },
		{ .function = "h", .calls = 1, .explored = 1, .rerun = true,
		  .why = "it has 3 threads" },
		{ .function = "i", .calls = 1, .explored = 1 },
	};
	struct faults_result result = result_of(NULL, 0);
	char *text;

	result.functions = functions;
	result.n_functions = ARRAY_SIZE(functions);
	result.wait_status = SIGSEGV;
	result.complete = false;
	result.note = "the time was over";
	text = printed_as(faults_print_text, &result, (struct faults_style){ 0 });
	assert_string_equal(text, "\nf: was not explored\ng: was not called\n"
				  "h: by running the command again for each case: it has 3 threads\n"
				  "\n2 of 4 calls of 4 functions explored: 60 cases in 0.5 s (120 a second).\n"
				  "The command itself was ended by signal 11 (Segmentation fault).\n"
				  "Not complete: the time was over.\n"
				  "No leak was found until then.\n");
	free(text);
	result.cases = 0;
	text = printed_as(faults_print_text, &result, (struct faults_style){ 0 });
	expect_in(text, "Nothing was made to fail.\n");
	expect_not_in(text, "No leak was found");
	free(text);
}

static void test_lines_fit_and_the_replay_is_whole(void **state)
{
	const struct faults_result result = result_of(&leak, 1);

	for (size_t width = 1; width < 100; width++) {
		char *text = printed_as(faults_print_text, &result,
					(struct faults_style){ .width = width });
		char *rest = NULL;

		for (char *line = strtok_r(text, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest))
			if (strncmp(line, "    replay ", 11) != 0)
				assert_true(output_text_width(line) <= width);
			else
				expect_in(line, "tendril faults -f read_config --replay '" ID "' -- "
						"./server --test");
		free(text);
	}
}

static void test_of_a_replay_everything_is_told(void **state)
{
	struct faults_finding cached = with_verdict(FAULTS_CACHED);
	struct faults_result result = result_of(&cached, 1);
	struct faults_options replay = asked;
	char *text;

	replay.replay = ID;
	text = printed_as(faults_print_text, &result, (struct faults_style){ .asked = &replay });
	expect_in(text, "cached  read_config keeps once a file when fstat fails with EIO\n");
	expect_in(text, "    left open  handle 7  file /etc/server.conf");
	expect_not_in(text, "confirmed");
	expect_not_in(text, "ended with");
	expect_not_in(text, "Nothing stays");
	cached.verdict = FAULTS_LEAK;
	cached.suppressed = true;
	free(text);
	text = printed_as(faults_print_text, &result, (struct faults_style){ .asked = &replay });
	expect_in(text, "SUPPRESSED LEAK  read_config keeps");
	free(text);
	result.n_findings = 0;
	text = printed_as(faults_print_text, &result, (struct faults_style){ .asked = &replay });
	assert_string_equal(text, "\nNothing stays behind of this case.\n");
	free(text);
	result.stopped = 12;
	text = printed_as(faults_print_text, &result, (struct faults_style){ .asked = &replay });
	assert_string_equal(text, "");
	free(text);
}

/* The replay's command */

static void expect_command(const struct faults_style *style, const char *wanted)
{
	char *command = faults_replay_command(style, &cases[0]);

	assert_string_equal(command, wanted);
	free(command);
}

static void test_the_replay_asks_for_the_same(void **state)
{
	static const char *const functions[] = { "db_*", "libfoo.so!x" };
	static const char *const libraries[] = { "libbar" };
	static const char *const command[] = { "./a b", "it's", "", "$HOME", "-f", "\xc3\xa4", "a\x1b'\\\n1",
				  "~", "x#y", NULL };
	struct faults_options how = { .argv = (char *const *)command,
				      .functions = functions, .n_functions = 2,
				      .libraries = libraries, .n_libraries = 1,
				      .fails = FAULTS_FAILS_NEGATIVE,
				      .alloc = true, .pairs = true, .rerun = true,
				      .unlikely = true, .calls = 7,
				      .case_ns = 1500 * NS_PER_MS, .memory_bytes = 1u << 30 };
	struct faults_style style = { .asked = &how, .sandbox = true };

	expect_command(&style,
		       "tendril faults -f 'db_*' -f 'libfoo.so!x' --library libbar --fails-when "
		       "'ret<0' --alloc --pairs --rerun --unlikely --sandbox --calls 7 "
		       "--case-timeout 1.5 --memory 1073741824 --replay '" ID "' -- './a b' 'it'\\''s' "
		       "'' '$HOME' -f '\xc3\xa4' $'a\\033\\'\\\\\\0121' '~' 'x#y'");
	how = (struct faults_options){ .argv = (char *const *)words, .whole_program = true, .calls = UINT_MAX,
				       .jobs = 3, .total_ns = 1, .debuginfod = true };
	style.sandbox = false;
	expect_command(&style, "tendril faults --main --calls all --replay '" ID "' -- ./server --test");
}

static size_t count_of(const char *text, const char *part)
{
	size_t n = 0;

	for (const char *s = text; (s = strstr(s, part)); s += strlen(part))
		n++;
	return n;
}

#define MANY 200

/* Whatever a program does, its report can be read; the rest is in JSON. */
static void test_much_is_told_in_short(void **state)
{
	static struct frame deep[MANY];
	static struct faults_left left[MANY];
	static struct faults_case ways[MANY];
	static struct faults_finding findings[MANY];
	static struct faults_function functions[MANY];
	struct faults_result result = result_of(findings, MANY);
	char *text;

	for (size_t i = 0; i < MANY; i++) {
		deep[i] = (struct frame){ .function = i + 1 == MANY ? "read_config" : "deeper",
					  .module = i < MANY - 2 ? LIBC : SERVER, .line = 5,
					  .file = "deep.c" };
		ways[i] = cases[0];
		ways[i].failed[0].step = (int)i;
		left[i] = file;
		findings[i] = leak;
		findings[i].verdict = FAULTS_SUCCEEDED;
		functions[i] = (struct faults_function){ .function = "odd",
							 .why = i % 2 ? "so it is" : NULL };
	}
	left[0].stack = (struct faults_stack)STACK(deep, 3);
	findings[0].verdict = FAULTS_LEAK;
	findings[0].left = left;
	findings[0].cases = ways;
	findings[0].n_left = findings[0].n_cases = MANY;
	result.functions = functions;
	result.n_functions = MANY;
	text = printed_as(faults_print_text, &result, (struct faults_style){ 0 });
	assert_int_equal(count_of(text, "left open  handle 7"), 8);
	expect_in(text, "               and 192 more (--json)\n");
	expect_in(text, "          #15 deeper");
	expect_in(text, "          (200 frames in all; --json shows every one)\n"
			"        > #198 deeper (deep.c:5) in server\n"
			"          #199 read_config (deep.c:5) in server\n");
	expect_not_in(text, "#16 ");
	expect_in(text, "    cases      200: read (EIO), write (EIO)");
	expect_in(text, ", ...\n");
	assert_int_equal(count_of(text, "    " ID "  handle 7"), 20);
	expect_in(text, "    and 179 more (--all-findings)\n");
	expect_not_in(text, "Not shown");
	assert_int_equal(count_of(text, "odd: was not called: so it is\n"), 20);
	assert_int_equal(count_of(text, "odd: "), 20);
	expect_in(text, "and 80 more functions (--json)\n100 functions were not called, or not ");
	free(text);
	text = printed_as(faults_print_text, &result, (struct faults_style){ .all_findings = true });
	assert_int_equal(count_of(text, "    " ID "  handle 7"), 199);
	free(text);
	text = printed_as(faults_print_json, &result, (struct faults_style){ 0 });
	assert_int_equal(count_of(text, "\"function\":\"deeper\""), 199);
	free(text);
}

/* The same for the same defect, another for another. */
static void test_fingerprints(void **state)
{
	struct faults_finding other = leak;
	struct faults_left left = file;

	left.number = 8;
	left.what = "/etc/other.conf";
	other.left = &left;
	other.cases = &cases[2];
	other.line = 41;
	assert_true(faults_fingerprint(&other) == faults_fingerprint(&leak));
	left.stack.id = 77;
	assert_true(faults_fingerprint(&other) != faults_fingerprint(&leak));
	left.stack.id = file.stack.id;
	other.function = "x";
	assert_true(faults_fingerprint(&other) != faults_fingerprint(&leak));
}

/* Where it was opened */

static void test_the_place_is_inside_of_the_function(void **state)
{
	static const struct frame in_libc[] = {
		{ .ip = 1, .function = "openat64", .module = LIBC, .file = "open.c", .line = 1 },
		{ .ip = 1, .function = "open", .module = LIBC, .file = "open.c", .line = 2 },
		{ .ip = 2, .function = "fopen64", .module = LIBC, .file = "iofopen.c", .line = 65 },
		{ .function = "main", .module = SERVER, .file = "main.c", .line = 7 },
	};
	static const struct frame recursive[] = {
		{ .function = "walk(int)", .module = SERVER, .file = "w.cc", .line = 3 },
		{ .function = "walk(int)", .module = SERVER, .file = "w.cc", .line = 5 },
		{ .function = "main", .module = SERVER, .file = "main.c", .line = 7 },
	};
	const struct faults_stack twice = STACK(recursive, 1);
	struct faults_stack stack = STACK(in_libc, 1);
	struct faults_finding finding = leak;

	finding.function = "fopen64";
	assert_int_equal(faults_frames_inside(&finding, &stack), 3);
	assert_ptr_equal(faults_place(&finding, &stack), &in_libc[2]);
	finding.function = "walk";
	assert_int_equal(faults_frames_inside(&finding, &twice), 2);
	assert_ptr_equal(faults_place(&finding, &twice), &recursive[0]);
	finding.function = "wal";
	assert_int_equal(faults_frames_inside(&finding, &twice), 3);
	finding.function = "elsewhere";
	assert_int_equal(faults_frames_inside(&finding, &stack), 4);
	stack.n_inside = 1; /* the engine knows, whatever the frames are called */
	assert_int_equal(faults_frames_inside(&finding, &stack), 1);
	assert_ptr_equal(faults_place(&finding, &stack), &in_libc[0]);
	stack.n_inside = 5; /* it cannot be */
	assert_int_equal(faults_frames_inside(&finding, &stack), 4);
}

/* Documents */

static void test_json(void **state)
{
	struct faults_finding findings[] = { leak, leak, leak };
	struct faults_result result = result_of(findings, 3);
	char *text;

	findings[1].verdict = FAULTS_CRASHED;
	findings[1].n_left = 0;
	findings[2].suppressed = true;
	result.wait_status = SIGTERM;
	text = printed_as(faults_print_json, &result, (struct faults_style){ .top = 1 });
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	expect_in(text, "{\"function\":\"read_config\",\"calls\":4,\"cases\":60,\"copies\":70,"
			"\"seconds\":0.500,\"cases_per_second\":120.000,\"complete\":true,"
			"\"note\":null,\"exit_status\":null,\"signal\":15,\"leaks\":[{\"id\":\"");
	expect_in(text, "\"verdict\":\"leak\",\"function\":\"read_config\",\"module\":\"" SERVER
			"\",\"file\":\"/src/config.c\",\"line\":40,\"failed\":{\"syscall\":\"fstat\","
			"\"errno\":\"EIO\",\"errno_number\":5,\"injected\":true,\"child\":0,"
			"\"stack\":[{\"ip\":16387,\"function\":\"read_config\",\"file\":"
			"\"/src/config.c\",\"line\":47,\"module\":\"" SERVER "\",");
	expect_in(text, "\"stack_end\":\"complete\",\"look_at\":0,\"inside\":1},"
			"\"then_failed\":null,\"returned\":\"-1\",\"returned_errno\":\"EIO\","
			"\"left\":[{\"type\":\"handle\",\"kind\":\"file\",\"handle\":7,\"what\":"
			"\"/etc/server.conf\",\"stack\":[{\"ip\":32513,\"function\":\"openat64\",");
	expect_in(text, "\"look_at\":1,\"inside\":3}],\"cases\":4,\"ways\":[{\"id\":\"" ID "\","
			"\"failed\":[{\"syscall\":\"fstat\",\"errno\":\"EIO\",\"errno_number\":5}]},");
	expect_in(text, "\"confirmed\":true,\"open_at_exit\":true,\"replay_id\":\"" ID "\","
			"\"replay\":\"tendril faults -f read_config --replay '" ID "' -- ./server "
			"--test\"}],\"kept\":[{\"id\":\"");
	expect_in(text, "\"kept\":[");
	expect_in(text, "\"verdict\":\"crashed\"");
	expect_in(text, "}],\"suppressed\":[{\"id\":");
	expect_in(text, "}],\"functions\":[{\"function\":\"read_config\",\"module\":\"" SERVER
			"\",\"fails_when\":\"type\",\"calls\":12,\"explored\":4,\"cases\":60,"
			"\"rerun\":false,\"why\":null}]}\n");
	free(text);
}

static void test_sarif(void **state)
{
	struct faults_finding findings[] = { leak, leak, leak };
	struct faults_result result = result_of(findings, 3);
	char *text;

	findings[1].verdict = FAULTS_CACHED;
	findings[2].suppressed = true;
	findings[2].file = findings[2].function = NULL;
	findings[2].n_left = 0;
	findings[2].n_cases = 0;
	text = printed_as(faults_print_sarif, &result, (struct faults_style){ 0 });
	expect_in(text, "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":"
			"\"tendril faults\",\"version\":\"");
	expect_in(text, "\"rules\":[{\"id\":\"handle-leak\",\"name\":\"HandleLeak\",");
	expect_in(text, "\"results\":[{\"ruleId\":\"handle-leak\",\"ruleIndex\":0,\"level\":\"error\","
			"\"message\":{\"text\":\"read_config keeps a file when fstat fails with EIO: "
			"handle 7  file /etc/server.conf\"},\"locations\":[{\"physicalLocation\":"
			"{\"artifactLocation\":{\"uri\":\"file:///src/file.c\"},\"region\":"
			"{\"startLine\":9}},\"logicalLocations\":[{\"fullyQualifiedName\":"
			"\"open_file\",\"kind\":\"function\"}]}],\"stacks\":[{\"message\":{\"text\":"
			"\"opened here and left open: handle 7  file /etc/server.conf\"},\"frames\":["
			"{\"location\":{\"physicalLocation\":{\"artifactLocation\":{\"uri\":"
			"\"file:///usr/lib/x86_64-linux-gnu/libc.so.6\"}}");
	expect_in(text, "\"codeFlows\":[{\"threadFlows\":[{\"locations\":[{\"location\":{");
	expect_in(text, "\"message\":{\"text\":\"fstat fails with EIO here\"}");
	expect_in(text, "\"message\":{\"text\":\"read_config returned: -1\"}}}]}]}]");
	expect_in(text, "\"partialFingerprints\":{\"tendrilFault/v1\":\"");
	expect_in(text, "\"suppressions\":[{\"kind\":\"external\"}]");
	expect_not_in(text, "\"ruleId\":\"kept-once\"");
	free(text);
	text = printed_as(faults_print_sarif, &result, (struct faults_style){ .all_findings = true });
	expect_in(text, "\"ruleId\":\"kept-once\",\"ruleIndex\":6,\"level\":\"note\"");
	free(text);
}

static void test_paths_become_uris(void **state)
{
	static const char *const paths[][2] = {
		{ "src/a b.c", "\"uri\":\"src/a%20b.c\"" },
		{ "../x%y.c", "\"uri\":\"../x%25y.c\"" },
		{ "//host/c:\xc3\xa4", "\"uri\":\"file:///host/c%3A%C3%A4\"" },
	};
	struct faults_finding finding = leak;

	finding.n_left = finding.n_cases = 0;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char *text;

		finding.file = paths[i][0];
		text = printed(faults_print_sarif, &finding, 1);
		expect_in(text, paths[i][1]);
		free(text);
	}
}

static void test_junit(void **state)
{
	static const struct faults_function functions[] = {
		{ .function = "read_config", .module = SERVER, .calls = 1, .explored = 1 },
		{ .function = "read_config", .module = "/lib/other.so", .calls = 1, .explored = 1 },
		{ .function = "a<b>", .module = NULL, .calls = 2, .why = "no \"reason\"" },
	};
	struct faults_finding findings[] = { leak, leak };
	struct faults_result result = result_of(findings, 2);
	char *text;

	result.functions = functions;
	result.n_functions = ARRAY_SIZE(functions);
	text = printed_as(faults_print_junit, &result, (struct faults_style){ .width = 20 });
	expect_in(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
			"  <testsuite name=\"read_config\" tests=\"3\" failures=\"1\" errors=\"0\" "
			"skipped=\"1\" time=\"0.500\">\n"
			"    <testcase classname=\"server\" name=\"read_config\">\n"
			"      <failure type=\"handle-leak\" message=\"read_config keeps a file when "
			"fstat fails with EIO, and 1 more leak\">LEAK  read_config keeps");
	expect_in(text, "        &gt; #0  read_config (/src/config.c:47) in server\n");
	expect_in(text, "--replay '" ID "' -- ./server --test\n</failure>\n    </testcase>\n"
			"    <testcase classname=\"other.so\" name=\"read_config\"/>\n"
			"    <testcase classname=\"?\" name=\"a&lt;b&gt;\">\n"
			"      <skipped message=\"no &quot;reason&quot;\"/>\n    </testcase>\n"
			"  </testsuite>\n</testsuites>\n");
	free(text);
	findings[1].suppressed = findings[0].suppressed = true;
	text = printed(faults_print_junit, findings, 2);
	expect_in(text, "failures=\"0\"");
	expect_in(text, "name=\"read_config\"/>");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_leak_in_text),
		cmocka_unit_test(test_what_else_can_be_left),
		cmocka_unit_test(test_of_a_whole_program_it_is_open_at_its_end),
		cmocka_unit_test(test_two_steps_and_steps_of_others),
		cmocka_unit_test(test_names_are_escaped_everywhere),
		cmocka_unit_test(test_what_is_no_leak),
		cmocka_unit_test(test_top_and_order),
		cmocka_unit_test(test_how_it_ended),
		cmocka_unit_test(test_lines_fit_and_the_replay_is_whole),
		cmocka_unit_test(test_of_a_replay_everything_is_told),
		cmocka_unit_test(test_the_replay_asks_for_the_same),
		cmocka_unit_test(test_much_is_told_in_short),
		cmocka_unit_test(test_fingerprints),
		cmocka_unit_test(test_the_place_is_inside_of_the_function),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_sarif),
		cmocka_unit_test(test_paths_become_uris),
		cmocka_unit_test(test_junit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
