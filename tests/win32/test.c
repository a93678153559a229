/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test.c - run the tests of one section, in the order they are written in
 *
 * PROGRAM [--list | --after NAME | NAME...]: all tests, those after one (which ended the program the
 * last time), or some: CRT-01 means CRT-01-negative too.  What is said is TAP.  `# begin` tells
 * which one it was that ended the program.
 */
#include "test.h"

#include "sentences.h"

#define MAX_TESTS 400
#define NAME_BYTES 64
#ifndef LIMIT_SECONDS
#define LIMIT_SECONDS 60 /* a test */
#define REST_MS 5000     /* until what is ending has ended */
#endif

struct test {
	char name[NAME_BYTES]; /* CRT-01-negative */
	const char *words;
	int line;
	void (*run)(void);
};

struct target *shared;

static struct test tests[MAX_TESTS];
static size_t n_tests;
static volatile LONG n_failed_checks; /* of the running test; some come from other threads */
static const char *skip_reason;
static char timed_out[NAME_BYTES + 64];

static const char *words_of(const char *name)
{
	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
		if (strncmp(name, sentences[i].id, strlen(sentences[i].id)) == 0)
			return sentences[i].words;
	printf("Bail out! there is no sentence %s\n", name);
	exit(2);
}

void test_register(const char *id, int line, void (*run)(void))
{
	struct test *test = &tests[n_tests];

	if (n_tests++ == MAX_TESTS) {
		printf("Bail out! too many tests\n");
		exit(2);
	}
	snprintf(test->name, sizeof(test->name), "%s", id);
	for (char *c = test->name; *c; c++)
		if (*c == '_')
			*c = '-';
	test->line = line;
	test->run = run;
}

void test_note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static void tell_failure(const char *file, int line, const char *what)
{
	__atomic_fetch_add(&n_failed_checks, 1, __ATOMIC_SEQ_CST);
	printf("# %s:%d: %s\n", file, line, what);
}

bool test_check(bool ok, const char *file, int line, const char *what)
{
	DWORD error = GetLastError();

	if (!ok) {
		tell_failure(file, line, what);
		test_note("    does not hold; last error %u", (unsigned int)error);
	}
	SetLastError(error);
	return ok;
}

bool test_check_equal(uint64_t is, uint64_t wanted, const char *file, int line, const char *what)
{
	DWORD error = GetLastError();

	if (is != wanted) {
		tell_failure(file, line, what);
		test_note("    is %" PRIu64 " (0x%" PRIx64 "), not %" PRIu64 " (0x%" PRIx64
			  "); last error %u", is, is, wanted, wanted, (unsigned int)error);
	}
	SetLastError(error);
	return is == wanted;
}

bool test_check_failure(uint64_t result, uint64_t failure, const char *file, int line,
			const char *what, const DWORD *errors, size_t n)
{
	DWORD error = GetLastError();

	if (result != failure) {
		tell_failure(file, line, what);
		test_note("    gives 0x%" PRIx64 ", but should fail; last error %u", result,
			  (unsigned int)error);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (error == errors[i])
			return true;
	tell_failure(file, line, what);
	test_note("    fails with %u, not with %u%s", (unsigned int)error, (unsigned int)errors[0],
		  n > 1 ? " or another that is allowed" : "");
	return false;
}

void test_skip(const char *reason)
{
	skip_reason = reason;
}

/* Runs on a signal's stack, or in another thread. */
static void end_test_by_limit(void)
{
	say_at_once(timed_out);
}

/* A thread whose handle was closed may still be ending. */
static struct counts counts_at_rest(const struct counts *wanted)
{
	uint64_t deadline = clock_ms() + REST_MS;
	struct counts now;

	do {
		now = target_counts(shared, false);
		if (now.caller_handles == wanted->caller_handles &&
		    now.handles == wanted->handles && now.threads == wanted->threads)
			break;
		yield_processor();
	} while (clock_ms() < deadline);
	return now;
}

/* LK-06 holds for each test. */
static void check_nothing_left(const struct counts *before)
{
	struct counts now;

	if (!CHECK(target_is_alive(shared)))
		return;
	now = counts_at_rest(before);
	CHECK_EQ(now.caller_handles, before->caller_handles);
	CHECK_EQ(now.handles, before->handles);
	CHECK_EQ(now.threads, before->threads);
}

/* The first thread, what it uses of the C library, and the first count open what stays open. */
static void start_shared(void)
{
	shared = target_start();
	target_run(shared, report, 1);
	target_runs(shared, 1);
	target_counts(shared, true);
}

static void renew_shared(void)
{
	target_kill(shared);
	target_free(shared);
	start_shared();
}

static void run_test(const struct test *test, size_t number)
{
	struct counts before = target_counts(shared, false);

	printf("# begin %s\n", test->name);
	fflush(stdout);
	snprintf(timed_out, sizeof(timed_out), "\nnot ok - %.63s does not end\n", test->name);
	n_failed_checks = 0;
	skip_reason = NULL;
	limit_seconds(LIMIT_SECONDS, end_test_by_limit);
	test->run();
	check_nothing_left(&before);
	if (skip_reason && !n_failed_checks)
		printf("ok %u - %s %s # SKIP %s\n", (unsigned int)number, test->name, test->words,
		       skip_reason);
	else
		printf("%s %u - %s %s\n", n_failed_checks ? "not ok" : "ok", (unsigned int)number,
		       test->name, test->words);
	fflush(stdout);
	if (n_failed_checks)
		renew_shared();
	limit_seconds(0, end_test_by_limit);
}

static int compare_lines(const void *a, const void *b)
{
	return ((const struct test *)a)->line - ((const struct test *)b)->line;
}

static bool is_wanted(const struct test *test, int n_names, char **names)
{
	for (int i = 0; i < n_names; i++) {
		size_t length = strlen(names[i]);

		if (strncmp(test->name, names[i], length) == 0 &&
		    (test->name[length] == '\0' || test->name[length] == '-'))
			return true;
	}
	return n_names == 0;
}

/* Keep those that the words of the command line mean. */
static void select_tests(int argc, char **argv)
{
	bool is_after = argc == 3 && strcmp(argv[1], "--after") == 0;
	size_t n_kept = 0, first = 0;

	for (size_t i = 0; is_after && i < n_tests; i++)
		if (strcmp(tests[i].name, argv[2]) == 0)
			first = i + 1;
	for (size_t i = first; i < n_tests; i++)
		if (is_after || is_wanted(&tests[i], argc - 1, argv + 1))
			tests[n_kept++] = tests[i];
	n_tests = n_kept;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	prepare_system();
	if (argc == 2 && strcmp(argv[1], "--target") == 0)
		return target_main();
	qsort(tests, n_tests, sizeof(tests[0]), compare_lines);
	for (size_t i = 0; i < n_tests; i++)
		tests[i].words = words_of(tests[i].name);
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (size_t i = 0; i < n_tests; i++)
			printf("%s\n", tests[i].name);
		return 0;
	}
	select_tests(argc, argv);
	if (n_tests == 0) {
		printf("Bail out! no such test\n");
		return 2;
	}
	printf("1..%u\n", (unsigned int)n_tests);
	limit_seconds(LIMIT_SECONDS, end_test_by_limit);
	start_shared();
	for (size_t i = 0; i < n_tests; i++)
		run_test(&tests[i], i + 1);
	target_end(shared);
	return 0;
}
