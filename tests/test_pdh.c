/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pdh.c - paths, instances, values and handles of libtendril-pdh; what Windows has too is in win32/pd.c */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tendril/pdh.h>

#include "support.h"

#include <cmocka.h>

#define PATIENCE_MS 20000
#define TEXT_BYTES  256
#define NOBODY	    65534

/* How often the machine was looked at: the linker puts this before the sampler's own. */
struct monitor_sampler;
struct monitor_sample;
int __real_monitor_sample(struct monitor_sampler *sampler, const struct monitor_sample **ret_sample);
int __wrap_monitor_sample(struct monitor_sampler *sampler, const struct monitor_sample **ret_sample);
static int n_samples;

int __wrap_monitor_sample(struct monitor_sampler *sampler, const struct monitor_sample **ret_sample)
{
	__atomic_fetch_add(&n_samples, 1, __ATOMIC_SEQ_CST);
	return __real_monitor_sample(sampler, ret_sample);
}

/* Children: named, with so many handles more, that do what a byte says. */

struct child {
	pid_t pid;
	int tell, answer;
};

#define OPEN_ONE 'o'
#define RENAME	 'n'
#define NEW_NAME "pdh-renamed"

static void obey(int orders, int answers)
{
	char byte;

	while (read(orders, &byte, 1) == 1) {
		if (byte == OPEN_ONE)
			(void)dup(0);
		else
			(void)prctl(PR_SET_NAME, NEW_NAME);
		(void)write(answers, &byte, 1);
	}
}

static struct child child_start(const char *name, int n_handles)
{
	int answer[2], tell[2];
	struct child child;
	char byte;

	assert_int_equal(pipe(answer), 0);
	assert_int_equal(pipe(tell), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, name);
		(void)close(tell[1]);
		for (int i = 0; i < n_handles; i++)
			(void)dup(0);
		(void)write(answer[1], "r", 1);
		obey(tell[0], answer[1]);
		_exit(0);
	}
	(void)close(answer[1]);
	(void)close(tell[0]);
	assert_int_equal(read(answer[0], &byte, 1), 1);
	child.answer = answer[0];
	child.tell = tell[1];
	return child;
}

static void child_does(const struct child *child, char what)
{
	char byte;

	assert_int_equal(write(child->tell, &what, 1), 1);
	assert_int_equal(read(child->answer, &byte, 1), 1);
}

static void child_end(struct child *child)
{
	(void)kill(child->pid, SIGKILL);
	(void)close(child->tell);
	(void)close(child->answer);
	assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
}

/* Short forms */

static PDH_HQUERY query_open(void)
{
	PDH_HQUERY query = NULL;

	assert_int_equal(PdhOpenQueryA(NULL, 0, &query), ERROR_SUCCESS);
	assert_non_null(query);
	return query;
}

static PDH_HCOUNTER counter_add(PDH_HQUERY query, const char *path)
{
	PDH_HCOUNTER counter = NULL;

	assert_int_equal(PdhAddCounterA(query, path, 0, &counter), ERROR_SUCCESS);
	assert_non_null(counter);
	return counter;
}

static PDH_STATUS add_status(const char *path)
{
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = NULL;
	PDH_STATUS status = PdhAddCounterA(query, path, 0, &counter);

	assert_true((status == ERROR_SUCCESS) == (counter != NULL));
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	return status;
}

static DWORD state_of(PDH_HCOUNTER counter)
{
	PDH_FMT_COUNTERVALUE value = { 0xdead, { 0 } };
	PDH_STATUS status = PdhGetFormattedCounterValue(counter, PDH_FMT_LONG, NULL, &value);

	assert_true(status == ERROR_SUCCESS || status == PDH_INVALID_DATA);
	assert_true((status == ERROR_SUCCESS) == (value.CStatus == PDH_CSTATUS_VALID_DATA));
	return value.CStatus;
}

static long value_of(PDH_HCOUNTER counter)
{
	PDH_FMT_COUNTERVALUE value = { 0xdead, { 0 } };

	assert_int_equal(PdhGetFormattedCounterValue(counter, PDH_FMT_LONG, NULL, &value),
			 ERROR_SUCCESS);
	assert_int_equal(value.CStatus, PDH_CSTATUS_VALID_DATA);
	return value.longValue;
}

/* The value of one path, now. */
static long ask(const char *path)
{
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, path);
	long value;

	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	value = value_of(counter);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	return value;
}

static DWORD handles_of(pid_t pid)
{
	HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);
	DWORD n = 0;

	assert_non_null(process);
	assert_true(GetProcessHandleCount(process, &n));
	assert_true(CloseHandle(process));
	return n;
}

/* All instances that a counter with * stands for; to be freed. */
static PDH_FMT_COUNTERVALUE_ITEM_A *array_of(PDH_HCOUNTER counter, DWORD *ret_n)
{
	DWORD bytes = 0, n = 0;
	PDH_FMT_COUNTERVALUE_ITEM_A *items;

	assert_int_equal(PdhGetFormattedCounterArrayA(counter, PDH_FMT_LONG, &bytes, &n, NULL),
			 PDH_MORE_DATA);
	items = malloc(bytes);
	assert_non_null(items);
	assert_int_equal(PdhGetFormattedCounterArrayA(counter, PDH_FMT_LONG, &bytes, ret_n, items),
			 ERROR_SUCCESS);
	assert_int_equal(n, *ret_n);
	return items;
}

/* The instance that a process has now, by ID Process. */
static void instance_of(pid_t pid, char ret_name[TEXT_BYTES])
{
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, "\\Process(*)\\ID Process");
	PDH_FMT_COUNTERVALUE_ITEM_A *items;
	DWORD n = 0;

	ret_name[0] = '\0';
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	items = array_of(counter, &n);
	for (DWORD i = 0; i < n; i++)
		if (items[i].FmtValue.CStatus == PDH_CSTATUS_VALID_DATA &&
		    items[i].FmtValue.longValue == pid)
			(void)snprintf(ret_name, TEXT_BYTES, "%s", items[i].szName);
	free(items);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

/* Paths */

static void paths_are_refused(void **state)
{
	char machine[128] = "\\\\", path[4096];
	static const struct {
		const char *path;
		PDH_STATUS status;
	} cases[] = {
		{ "\\Process(x)\\Handle Count", ERROR_SUCCESS },
		{ "\\process(x)\\handle COUNT", ERROR_SUCCESS },
		{ "\\Process(x#3)\\Handle Count", ERROR_SUCCESS },
		{ "\\Process(a)b)\\Handle Count", ERROR_SUCCESS },
		{ "\\Process(a\\b)\\Handle Count", ERROR_SUCCESS },
		{ "\\System\\Processes", ERROR_SUCCESS },
		{ "", PDH_CSTATUS_NO_COUNTERNAME },
		{ NULL, PDH_INVALID_ARGUMENT },
		{ "nginx", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\\\", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\\\\\", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\\\machine", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\\\machine\\", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\Process", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\Process(", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\Process(x", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\Process(x)", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\Process(x)\\", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\Process()\\Handle Count", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\(x)\\Handle Count", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\Process(x)Handle Count", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\Process(x)\\Handle\\Count", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\Process(x)\\No Such", PDH_CSTATUS_NO_COUNTER },
		{ "\\Process(x)\\Processes", PDH_CSTATUS_NO_COUNTER },
		{ "\\Process(x)\\*", PDH_CSTATUS_NO_COUNTER },
		{ "\\Nothing(x)\\Handle Count", PDH_CSTATUS_NO_OBJECT },
		{ "\\Process\\Handle Count", PDH_CSTATUS_NO_INSTANCE },
		{ "\\System(x)\\Processes", PDH_CSTATUS_NO_INSTANCE },
		{ "\\\\no-such-machine\\Process(x)\\Handle Count", PDH_CSTATUS_NO_MACHINE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		if (add_status(cases[i].path) != cases[i].status)
			fail_msg("%s: 0x%x", cases[i].path ? cases[i].path : "NULL",
				 add_status(cases[i].path));
	assert_int_equal(gethostname(machine + 2, 64), 0);
	(void)snprintf(path, sizeof(path), "%s\\Process(x)\\Handle Count", machine);
	assert_int_equal(add_status(path), ERROR_SUCCESS);
	(void)snprintf(path, sizeof(path), "\\Process(%3000d)\\Handle Count", 1);
	assert_int_equal(add_status(path), PDH_CSTATUS_BAD_COUNTERNAME);
}

static void wide_paths_are_checked(void **state)
{
	static const WCHAR good[] = u"\\Process(\u00e4\U0001f600)\\Handle Count",
			   half[] = { '\\', 'S', '\\', 0xd83d, 0 };
	WCHAR endless[PDH_MAX_COUNTER_PATH];
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(endless); i++)
		endless[i] = 'x';
	assert_int_equal(PdhAddCounterW(query, good, 0, &counter), ERROR_SUCCESS);
	assert_int_equal(PdhAddCounterW(query, half, 0, &counter), PDH_INVALID_ARGUMENT);
	assert_int_equal(PdhAddCounterW(query, endless, 0, &counter), PDH_INVALID_ARGUMENT);
	assert_int_equal(PdhAddCounterW(query, NULL, 0, &counter), PDH_INVALID_ARGUMENT);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

static void paths_are_taken_apart_and_made(void **state)
{
	static const char text[] = "\\\\m\\Object(par/inst#12)\\A counter";
	union {
		PDH_COUNTER_PATH_ELEMENTS_A parts;
		char bytes[512];
	} is, untouched;
	char made[128];
	DWORD bytes = 0, n = sizeof(made);

	(void)state;
	assert_int_equal(PdhParseCounterPathA(text, NULL, &bytes, 0), PDH_MORE_DATA);
	assert_in_range(bytes, sizeof(is.parts) + 20, sizeof(is));
	memset(&is, 0x55, sizeof(is));
	untouched = is;
	bytes--;
	assert_int_equal(PdhParseCounterPathA(text, &is.parts, &bytes, 0), PDH_MORE_DATA);
	assert_memory_equal(&is.parts, &untouched.parts, sizeof(is.parts));
	assert_int_equal(PdhParseCounterPathA(text, &is.parts, &bytes, 0), ERROR_SUCCESS);
	assert_memory_equal(is.bytes + bytes, untouched.bytes + bytes, sizeof(is) - bytes);
	assert_string_equal(is.parts.szMachineName, "\\\\m");
	assert_string_equal(is.parts.szObjectName, "Object");
	assert_string_equal(is.parts.szParentInstance, "par");
	assert_string_equal(is.parts.szInstanceName, "inst");
	assert_int_equal(is.parts.dwInstanceIndex, 12);
	assert_string_equal(is.parts.szCounterName, "A counter");
	assert_int_equal(PdhMakeCounterPathA(&is.parts, made, &n, 0), ERROR_SUCCESS);
	assert_string_equal(made, text);
	assert_int_equal(n, sizeof(text));
	n--;
	assert_int_equal(PdhMakeCounterPathA(&is.parts, made, &n, 0), PDH_MORE_DATA);
	assert_int_equal(n, sizeof(text));
	is.parts.szObjectName = NULL;
	assert_int_equal(PdhMakeCounterPathA(&is.parts, made, &n, 0), PDH_INVALID_ARGUMENT);
}

static void wide_paths_are_taken_apart_and_made(void **state)
{
	static const WCHAR text[] = u"\\\\m\\O(\U0001f600)\\C";
	union {
		PDH_COUNTER_PATH_ELEMENTS_W parts;
		char bytes[512];
	} is;
	WCHAR made[64];
	DWORD bytes = sizeof(is), n = ARRAY_LENGTH(made);

	(void)state;
	assert_int_equal(PdhParseCounterPathW(text, &is.parts, &bytes, 0), ERROR_SUCCESS);
	assert_memory_equal(is.parts.szInstanceName, u"\U0001f600", 3 * sizeof(WCHAR));
	assert_null(is.parts.szParentInstance);
	assert_int_equal(PdhMakeCounterPathW(&is.parts, made, &n, 0), ERROR_SUCCESS);
	assert_int_equal(n, ARRAY_LENGTH(text));
	assert_memory_equal(made, text, sizeof(text));
}

/* Values */

static void own_handle_count_is_what_win32_tells(void **state)
{
	char name[TEXT_BYTES], path[TEXT_BYTES * 2];
	int fds[50];
	PDH_HQUERY query;
	PDH_HCOUNTER counter;
	DWORD n = 0;

	(void)state;
	instance_of(getpid(), name);
	(void)snprintf(path, sizeof(path), "\\Process(%s)\\Handle Count", name);
	query = query_open();
	counter = counter_add(query, path);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
		assert_true(GetProcessHandleCount(GetCurrentProcess(), &n));
		assert_int_equal(value_of(counter), n);
		if (round < 2)
			for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
				fds[i] = round ? close(fds[i]) : dup(0);
	}
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

static void figures_of_a_child_are_true(void **state)
{
	struct child child = child_start("pdh-figures", 30);
	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(ask("\\Process(pdh-figures)\\Handle Count"), handles_of(child.pid));
	assert_in_range(ask("\\Process(pdh-figures)\\Handle Count"), 31, 1000);
	assert_int_equal(ask("\\Process(pdh-figures)\\Handle Limit"), limit.rlim_cur);
	assert_int_equal(ask("\\Process(pdh-figures)\\Thread Count"), 1);
	assert_int_equal(ask("\\Process(pdh-figures)\\ID Process"), child.pid);
	assert_int_equal(ask("\\Process(pdh-figures)\\Creating Process ID"), getpid());
	assert_in_range(ask("\\Process(pdh-figures)\\Elapsed Time"), 0, 60);
	assert_in_range(ask("\\Process(pdh-figures)\\Mapping Count"), 5, 10000);
	assert_in_range(ask("\\Process(pdh-figures)\\Private Bytes"), 4096,
			ask("\\Process(pdh-figures)\\Virtual Bytes"));
	assert_in_range(ask("\\Process(pdh-figures)\\Working Set"), 4096,
			ask("\\Process(pdh-figures)\\Virtual Bytes"));
	child_end(&child);
}

static void formats_agree(void **state)
{
	struct child child = child_start("pdh-formats", 3);
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, "\\Process(pdh-formats)\\ID Process");
	PDH_FMT_COUNTERVALUE value;
	PDH_RAW_COUNTER raw;
	DWORD type = 0;
	static const DWORD bad[] = { 0, PDH_FMT_NOSCALE, PDH_FMT_LONG | PDH_FMT_DOUBLE,
				     PDH_FMT_LONG | PDH_FMT_NOSCALE | PDH_FMT_1000,
				     PDH_FMT_LONG | 1, PDH_FMT_LONG | PDH_FMT_NODATA };

	(void)state;
	assert_int_equal(PdhGetFormattedCounterValue(counter, PDH_FMT_LONG, NULL, &value),
			 PDH_INVALID_DATA);
	assert_int_equal(value.CStatus, PDH_CSTATUS_INVALID_DATA);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(PdhGetFormattedCounterValue(counter, PDH_FMT_DOUBLE, &type, &value), 0);
	assert_true(value.doubleValue == child.pid);
	assert_int_equal(type, PERF_COUNTER_RAWCOUNT);
	assert_int_equal(PdhGetFormattedCounterValue(counter, PDH_FMT_LARGE, NULL, &value), 0);
	assert_true(value.largeValue == child.pid);
	assert_int_equal(PdhGetRawCounterValue(counter, NULL, &raw), 0);
	assert_true(raw.FirstValue == child.pid && raw.CStatus == PDH_CSTATUS_VALID_DATA);
	assert_int_equal(
		PdhGetFormattedCounterValue(counter, PDH_FMT_LARGE | PDH_FMT_1000, NULL, &value), 0);
	assert_true(value.largeValue == child.pid * 1000LL);
	assert_int_equal(PdhSetCounterScaleFactor(counter, 8), PDH_INVALID_ARGUMENT);
	assert_int_equal(PdhSetCounterScaleFactor(counter, 7), ERROR_SUCCESS);
	assert_int_equal(PdhGetFormattedCounterValue(counter, PDH_FMT_LARGE, NULL, &value), 0);
	assert_true(value.largeValue == child.pid * 10000000LL);
	assert_int_equal(PdhSetCounterScaleFactor(counter, -2), ERROR_SUCCESS);
	assert_int_equal(PdhGetFormattedCounterValue(counter, PDH_FMT_LARGE, NULL, &value), 0);
	assert_true(value.largeValue == child.pid / 100);
	assert_int_equal(PdhSetCounterScaleFactor(counter, 7), ERROR_SUCCESS);
	assert_int_equal(
		PdhGetFormattedCounterValue(counter, PDH_FMT_LONG | PDH_FMT_NOSCALE, NULL, &value), 0);
	assert_int_equal(value.longValue, child.pid);
	if (child.pid > 214) { /* 2^31 / 10^7 */
		assert_int_equal(value_of(counter), INT32_MAX);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_int_equal(PdhGetFormattedCounterValue(counter, bad[i], NULL, &value),
				 PDH_INVALID_ARGUMENT);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	child_end(&child);
}

static int64_t own_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void rates_need_two_collections(void **state)
{
	static const char *const names[] = { "% Processor Time", "% User Time",
					     "% Privileged Time", "Page Faults/sec" };
	char name[TEXT_BYTES], path[TEXT_BYTES * 2];
	PDH_HCOUNTER counter[ARRAY_LENGTH(names)];
	PDH_FMT_COUNTERVALUE value[ARRAY_LENGTH(names)];
	PDH_HQUERY query = query_open();
	int64_t busy_until;

	(void)state;
	instance_of(getpid(), name);
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		(void)snprintf(path, sizeof(path), "\\Process(%s)\\%s", name, names[i]);
		counter[i] = counter_add(query, path);
	}
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		assert_int_equal(state_of(counter[i]), PDH_CSTATUS_INVALID_DATA);
	busy_until = own_cpu_ns() + 60000000; /* six ticks of the kernel's */
	while (own_cpu_ns() < busy_until) {
		volatile char *pages = malloc(4 << 20);

		for (size_t i = 0; i < 4 << 20; i += 4096)
			pages[i] = 1;
		free((void *)pages);
	}
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		assert_int_equal(PdhGetFormattedCounterValue(counter[i],
							     PDH_FMT_DOUBLE | PDH_FMT_NOCAP100,
							     NULL, &value[i]), ERROR_SUCCESS);
		assert_true(value[i].doubleValue >= 0);
	}
	/* The parts are in ticks of the kernel's clock, and one of them may be none. */
	assert_true(value[0].doubleValue > 0 && value[0].doubleValue < 130);
	assert_true(value[1].doubleValue + value[2].doubleValue > 0);
	assert_true(value[3].doubleValue > 0);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

static PDH_STATUS calculate(PDH_HCOUNTER counter, DWORD format, const LONGLONG values[4],
			    PDH_FMT_COUNTERVALUE *ret_value)
{
	PDH_RAW_COUNTER now = { .FirstValue = values[2], .SecondValue = values[3] },
			before = { .FirstValue = values[0], .SecondValue = values[1] };

	return PdhCalculateCounterFromRawValue(counter, format, &now, &before, ret_value);
}

static void formulas_hold(void **state)
{
	static const LONGLONG twice[] = { 100, 1000, 2100, 2000 }, back[] = { 9, 10, 8, 20 },
			      backwards[] = { 1, 20, 2, 10 }, still[] = { 1, 5, 2, 5 },
			      wild[] = { INT64_MIN, 0, INT64_MAX, 5 };
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER share = counter_add(query, "\\Process(x)\\% Processor Time"),
		     rate = counter_add(query, "\\Process(x)\\Page Faults/sec");
	PDH_FMT_COUNTERVALUE value;

	(void)state;
	assert_int_equal(calculate(share, PDH_FMT_DOUBLE | PDH_FMT_NOCAP100, twice, &value), 0);
	assert_true(value.doubleValue == 200);
	assert_int_equal(calculate(share, PDH_FMT_DOUBLE, twice, &value), 0);
	assert_true(value.doubleValue == 100);
	assert_int_equal(calculate(rate, PDH_FMT_LARGE, twice, &value), 0);
	assert_true(value.largeValue == 20000000);
	assert_int_equal(calculate(share, PDH_FMT_LONG, back, &value), PDH_CALC_NEGATIVE_VALUE);
	assert_int_equal(calculate(share, PDH_FMT_LONG, backwards, &value),
			 PDH_CALC_NEGATIVE_TIMEBASE);
	assert_int_equal(calculate(share, PDH_FMT_LONG, still, &value), PDH_INVALID_DATA);
	assert_int_equal(calculate(share, PDH_FMT_LONG, wild, &value), PDH_INVALID_DATA);
	assert_int_equal(value.CStatus, PDH_CSTATUS_INVALID_DATA);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

/* A process that has taken the place of another one has no rate yet. */
static void rate_of_another_process_is_none(void **state)
{
	struct child first = child_start("pdh-moves", 0), second = child_start("pdh-moves", 0);
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, "\\Process(pdh-moves)\\% Processor Time");

	(void)state;
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(state_of(counter), PDH_CSTATUS_VALID_DATA);
	child_end(&first);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(state_of(counter), PDH_CSTATUS_INVALID_DATA);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(state_of(counter), PDH_CSTATUS_VALID_DATA);
	child_end(&second);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

/* Nor has one that was before it and has taken its name. */
static void rate_of_one_before_it_is_none(void **state)
{
	struct child first = child_start("pdh-first", 0), second = child_start(NEW_NAME, 0);
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, "\\Process(" NEW_NAME ")\\% Processor Time");

	(void)state;
	assert_true(first.pid < second.pid);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(state_of(counter), PDH_CSTATUS_VALID_DATA);
	child_does(&first, RENAME);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(state_of(counter), PDH_CSTATUS_INVALID_DATA);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	child_end(&first);
	child_end(&second);
}

/* Longer than any source of figures keeps what it has seen. */
static void values_are_true_at_every_collection(void **state)
{
	struct child child = child_start("pdh-changes", 0);
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, "\\Process(pdh-changes)\\Handle Count"),
		     mappings = counter_add(query, "\\Process(pdh-changes)\\Mapping Count"),
		     renamed = counter_add(query, "\\Process(" NEW_NAME ")\\ID Process");

	(void)state;
	for (int i = 0; i < 70; i++) {
		child_does(&child, OPEN_ONE);
		assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
		assert_int_equal(value_of(counter), handles_of(child.pid));
		assert_true(value_of(mappings) > 5);
		assert_int_equal(state_of(renamed), PDH_CSTATUS_NO_INSTANCE);
	}
	child_does(&child, RENAME);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(state_of(counter), PDH_CSTATUS_NO_INSTANCE);
	assert_int_equal(value_of(renamed), child.pid);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	child_end(&child);
}

static void counters_may_come_later(void **state)
{
	struct child child = child_start("pdh-later", 9);
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER threads = counter_add(query, "\\Process(pdh-later)\\Thread Count"), counter;

	(void)state;
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	counter = counter_add(query, "\\Process(pdh-later)\\Handle Limit");
	assert_int_equal(state_of(counter), PDH_CSTATUS_INVALID_DATA);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_true(value_of(counter) > 0);
	assert_int_equal(value_of(threads), 1);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	child_end(&child);
}

/* Instances */

static void instances_of_one_name_are_numbered(void **state)
{
	struct child child[3];
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter[4];

	(void)state;
	for (int i = 0; i < 3; i++)
		child[i] = child_start(i == 1 ? "PDH-many" : "pdh-many", i);
	counter[0] = counter_add(query, "\\Process(pdh-many)\\ID Process");
	counter[1] = counter_add(query, "\\Process(pdh-many#1)\\ID Process");
	counter[2] = counter_add(query, "\\Process(pdh-many#2)\\ID Process");
	counter[3] = counter_add(query, "\\Process(PDH-MANY#0)\\ID Process");
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	for (int i = 0; i < 3; i++)
		assert_int_equal(value_of(counter[i]), child[i].pid);
	assert_int_equal(value_of(counter[3]), child[0].pid);
	child_end(&child[1]);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(value_of(counter[0]), child[0].pid);
	assert_int_equal(value_of(counter[1]), child[2].pid);
	assert_int_equal(state_of(counter[2]), PDH_CSTATUS_NO_INSTANCE);
	child_end(&child[0]);
	child_end(&child[2]);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

static void an_instance_may_come_and_go(void **state)
{
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, "\\Process(pdh-to-come)\\Handle Count");
	PDH_RAW_COUNTER raw;
	struct child child;

	(void)state;
	assert_int_equal(PdhCollectQueryData(query), PDH_NO_DATA);
	assert_int_equal(state_of(counter), PDH_CSTATUS_NO_INSTANCE);
	(void)counter_add(query, "\\System\\Processes");
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(state_of(counter), PDH_CSTATUS_NO_INSTANCE);
	assert_int_equal(PdhGetRawCounterValue(counter, NULL, &raw), ERROR_SUCCESS);
	assert_int_equal(raw.CStatus, PDH_CSTATUS_NO_INSTANCE);
	assert_int_equal(PdhValidatePathA("\\Process(pdh-to-come)\\Handle Count"),
			 PDH_CSTATUS_NO_INSTANCE);
	child = child_start("pdh-to-come", 7);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(value_of(counter), handles_of(child.pid));
	assert_int_equal(PdhValidatePathA("\\Process(pdh-to-come)\\Handle Count"), ERROR_SUCCESS);
	child_end(&child);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(state_of(counter), PDH_CSTATUS_NO_INSTANCE);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

/* Ended, but not collected by its parent: it has no place among those of its name. */
static void a_zombie_is_no_instance(void **state)
{
	struct child first = child_start("pdh-zombie", 0), second = child_start("pdh-zombie", 5);
	siginfo_t info;

	(void)state;
	assert_int_equal(ask("\\Process(pdh-zombie)\\ID Process"), first.pid);
	assert_int_equal(kill(first.pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)first.pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(ask("\\Process(pdh-zombie)\\ID Process"), second.pid);
	assert_int_equal(PdhValidatePathA("\\Process(pdh-zombie#1)\\ID Process"),
			 PDH_CSTATUS_NO_INSTANCE);
	child_end(&first);
	child_end(&second);
}

/* What a process may call itself, and its instance. */
static const struct {
	const char *name, *instance;
} hostile[] = {
	{ "a)\\Handle", "a]_Handle" },
	{ "x(y)", "x[y]" },
	{ "p#1", "p_1" },
	{ "st*ar", "st_ar" },
	{ "line\nfeed\x1b[m", "line_feed_[m" },
	{ "bad\xff\xc3", "bad__" },
	{ "sla/sh\\es", "sla_sh_es" },
	{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
	{ "\xe2\x80\xaeright", "_right" },
	{ "Tool.EXE", "Tool" },
	{ "python3.11", "python3.11" },
	{ "_Total", "_Total#1" },
};

static void hostile_names_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(hostile); i++) {
		struct child child = child_start(hostile[i].name, 0);
		char is[TEXT_BYTES], path[TEXT_BYTES * 2];

		instance_of(child.pid, is);
		assert_string_equal(is, hostile[i].instance);
		(void)snprintf(path, sizeof(path), "\\Process(%s)\\ID Process", is);
		assert_int_equal(ask(path), child.pid);
		/* As it calls itself, too, unless that means something else in a path. */
		(void)snprintf(path, sizeof(path), "\\Process(%s)\\ID Process", hostile[i].name);
		if (!strpbrk(hostile[i].name, "#*.") && strcmp(hostile[i].name, "_Total"))
			assert_int_equal(ask(path), child.pid);
		child_end(&child);
	}
}

static void an_empty_name_is_an_instance(void **state)
{
	struct child child = child_start("", 0);
	char is[TEXT_BYTES];

	(void)state;
	instance_of(child.pid, is);
	assert_memory_equal(is, "_", 1);
	child_end(&child);
}

static void wide_names_lead_back(void **state)
{
	struct child child = child_start("pdh-\xf0\x9f\x98\x80\xff", 0);
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter;
	PDH_FMT_COUNTERVALUE_ITEM_W *items;
	DWORD bytes = 0, n = 0;

	(void)state;
	assert_int_equal(PdhAddCounterW(query, u"\\Process(PDH-\U0001f600*)\\ID Process", 0, &counter),
			 ERROR_SUCCESS);
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(PdhGetFormattedCounterArrayW(counter, PDH_FMT_LONG, &bytes, &n, NULL),
			 PDH_MORE_DATA);
	items = malloc(bytes);
	assert_int_equal(PdhGetFormattedCounterArrayW(counter, PDH_FMT_LONG, &bytes, &n, items),
			 ERROR_SUCCESS);
	assert_int_equal(n, 1);
	assert_memory_equal(items[0].szName, u"pdh-\U0001f600_", 8 * sizeof(WCHAR));
	assert_int_equal(items[0].FmtValue.longValue, child.pid);
	free(items);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	child_end(&child);
}

/* Wildcards */

static void stars_stand_for_instances(void **state)
{
	static const struct {
		const char *pattern;
		DWORD n;
	} cases[] = {
		{ "pdh-star*", 3 }, { "*DH-STAR", 1 },   { "pdh-star#*", 3 }, { "p*-s*r", 1 },
		{ "pdh-star*x", 0 }, { "*pdh-star*", 3 }, { "pdh-star*#2", 1 },
	};
	struct child child[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		child[i] = child_start("pdh-star", 0);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		PDH_HQUERY query = query_open();
		char path[TEXT_BYTES];
		PDH_HCOUNTER counter;
		PDH_FMT_COUNTERVALUE value;
		DWORD bytes = 0, n = 0;

		(void)snprintf(path, sizeof(path), "\\Process(%s)\\Handle Count", cases[i].pattern);
		counter = counter_add(query, path);
		assert_int_equal(PdhCollectQueryData(query),
				 cases[i].n ? ERROR_SUCCESS : PDH_NO_DATA);
		assert_int_equal(PdhGetFormattedCounterValue(counter, PDH_FMT_LONG, NULL, &value),
				 PDH_INVALID_ARGUMENT);
		assert_int_equal(PdhGetFormattedCounterArrayA(counter, PDH_FMT_LONG, &bytes, &n,
							      NULL),
				 cases[i].n ? PDH_MORE_DATA : PDH_INVALID_DATA);
		assert_int_equal(n, cases[i].n);
		assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	}
	for (int i = 0; i < 3; i++)
		child_end(&child[i]);
}

static void total_is_the_sum(void **state)
{
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER all = counter_add(query, "\\Process(*)\\Thread Count"),
		     total = counter_add(query, "\\Process(_Total)\\Thread Count"),
		     threads = counter_add(query, "\\System\\Threads"),
		     processes = counter_add(query, "\\System\\Processes"),
		     no_sum = counter_add(query, "\\Process(_Total)\\ID Process");
	PDH_FMT_COUNTERVALUE_ITEM_A *items;
	DWORD n = 0;
	long sum = 0;

	(void)state;
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	items = array_of(all, &n);
	for (DWORD i = 0; i < n; i++)
		if (strcmp(items[i].szName, "_Total"))
			sum += items[i].FmtValue.longValue;
	assert_int_equal(sum, value_of(total));
	assert_int_equal(sum, value_of(threads));
	assert_int_equal(n - 1, value_of(processes));
	assert_int_equal(state_of(no_sum), PDH_CSTATUS_INVALID_DATA);
	free(items);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

static void arrays_stay_in_their_buffer(void **state)
{
	struct child child = child_start("pdh-array", 4);
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, "\\Process(pdh-arr*)\\Handle Count");
	DWORD needed = 0, n = 0;
	char buffer[1024], before[1024];
	PDH_FMT_COUNTERVALUE_ITEM_A *item = (void *)buffer;
	PDH_RAW_COUNTER_ITEM_A *raw = (void *)buffer;

	(void)state;
	memset(buffer, 0x55, sizeof(buffer));
	memcpy(before, buffer, sizeof(before));
	assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
	assert_int_equal(PdhGetFormattedCounterArrayA(counter, PDH_FMT_LONG, &needed, &n, NULL),
			 PDH_MORE_DATA);
	assert_int_equal(needed, sizeof(*item) + sizeof("pdh-array"));
	for (DWORD bytes = 1; bytes <= needed; bytes++) {
		DWORD is = bytes;

		assert_int_equal(PdhGetFormattedCounterArrayA(counter, PDH_FMT_LONG, &is, &n, item),
				 bytes < needed ? PDH_MORE_DATA : ERROR_SUCCESS);
		assert_int_equal(is, needed);
		assert_memory_equal(buffer + bytes, before + bytes, sizeof(buffer) - bytes);
	}
	assert_string_equal(item->szName, "pdh-array");
	assert_int_equal(item->FmtValue.longValue, handles_of(child.pid));
	needed = sizeof(buffer);
	assert_int_equal(PdhGetRawCounterArrayA(counter, &needed, &n, raw), ERROR_SUCCESS);
	assert_int_equal(raw->RawValue.FirstValue, handles_of(child.pid));
	assert_int_equal(PdhGetRawCounterArrayA(counter, &needed, &n, NULL), PDH_INVALID_ARGUMENT);
	assert_int_equal(PdhGetRawCounterArrayA(counter, NULL, &n, raw), PDH_INVALID_ARGUMENT);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	child_end(&child);
}

static size_t list_length(const char *list)
{
	size_t n = 0;

	for (; *list; list += strlen(list) + 1)
		n++;
	return n;
}

static bool list_has(const char *list, const char *what)
{
	for (; *list; list += strlen(list) + 1)
		if (!strcmp(list, what))
			return true;
	return false;
}

static void paths_are_expanded(void **state)
{
	struct child child[2] = { child_start("pdh-expand", 0), child_start("pdh-expand", 0) };
	char list[4096], machine[128], path[TEXT_BYTES * 2];
	DWORD n = 0;

	(void)state;
	assert_int_equal(gethostname(machine, sizeof(machine)), 0);
	(void)snprintf(path, sizeof(path), "\\\\%s\\Process(pdh-expand#1)\\Handle Count", machine);
	assert_int_equal(PdhExpandWildCardPathA(NULL, "\\Process(pdh-exp*)\\Handle *", NULL, &n, 0),
			 PDH_MORE_DATA);
	assert_int_equal(PdhExpandWildCardPathA(NULL, "\\Process(pdh-exp*)\\Handle *", list, &n, 0),
			 ERROR_SUCCESS);
	assert_int_equal(list_length(list), 4);
	assert_true(list_has(list, path));
	assert_int_equal(ask(path), handles_of(child[1].pid));
	n = sizeof(list);
	assert_int_equal(PdhExpandWildCardPathA(NULL, "\\*(pdh-exp*)\\Handle *", list, &n,
						PDH_NOEXPANDCOUNTERS), ERROR_SUCCESS);
	assert_int_equal(list_length(list), 2);
	assert_non_null(strstr(list, "Handle *"));
	n = sizeof(list);
	assert_int_equal(PdhExpandWildCardPathA(NULL, "\\Process(pdh-exp*)\\Handle *", list, &n,
						PDH_NOEXPANDINSTANCES), ERROR_SUCCESS);
	assert_int_equal(list_length(list), 2);
	assert_non_null(strstr(list, "(pdh-exp*)"));
	n = sizeof(list);
	assert_int_equal(PdhExpandWildCardPathA(NULL, "\\*\\*", list, &n, 0), ERROR_SUCCESS);
	assert_int_equal(list_length(list), 3);
	assert_int_equal(PdhExpandWildCardPathA(NULL, "\\No*(*)\\*", list, &n, 0),
			 PDH_CSTATUS_NO_OBJECT);
	assert_int_equal(PdhExpandWildCardPathA(NULL, "\\Process(*)\\No*", list, &n, 0),
			 PDH_CSTATUS_NO_COUNTER);
	assert_int_equal(PdhExpandWildCardPathA("log", "\\*\\*", list, &n, 0), PDH_NOT_IMPLEMENTED);
	assert_int_equal(PdhExpandWildCardPathA(NULL, "\\*\\*", list, &n, 64), PDH_INVALID_ARGUMENT);
	child_end(&child[0]);
	child_end(&child[1]);
}

static void objects_and_items_are_listed(void **state)
{
	struct child child[2] = { child_start("pdh-items", 0), child_start("pdh-items", 0) };
	char counters[2048], *instances;
	DWORD n_counters = 0, n_instances = 0, n = sizeof(counters), twice = 0;

	(void)state;
	assert_int_equal(PdhEnumObjectsA(NULL, NULL, counters, &n, PERF_DETAIL_WIZARD, TRUE),
			 ERROR_SUCCESS);
	assert_true(list_has(counters, "Process") && list_has(counters, "System"));
	assert_int_equal(PdhEnumObjectItemsA(NULL, NULL, "process", NULL, &n_counters, NULL,
					     &n_instances, PERF_DETAIL_WIZARD, 0), PDH_MORE_DATA);
	assert_in_range(n_counters, 100, sizeof(counters));
	n_instances += 65536; /* others may come meanwhile */
	instances = malloc(n_instances);
	assert_int_equal(PdhEnumObjectItemsA(NULL, NULL, "process", counters, &n_counters, instances,
					     &n_instances, PERF_DETAIL_WIZARD, 0), ERROR_SUCCESS);
	assert_true(list_has(counters, "Handle Count") && list_has(counters, "Mapping Count"));
	assert_true(list_has(instances, "_Total"));
	for (const char *s = instances; *s; s += strlen(s) + 1)
		twice += !strcmp(s, "pdh-items");
	assert_int_equal(twice, 2);
	assert_int_equal(PdhEnumObjectItemsA(NULL, NULL, "none", counters, &n_counters, instances,
					     &n_instances, 0, 0), PDH_CSTATUS_NO_OBJECT);
	assert_int_equal(PdhEnumObjectItemsA(NULL, "\\\\no-such", "process", counters, &n_counters,
					     instances, &n_instances, 0, 0), PDH_CSTATUS_NO_MACHINE);
	free(instances);
	child_end(&child[0]);
	child_end(&child[1]);
}

static void counters_tell_about_themselves(void **state)
{
	PDH_HQUERY query = NULL;
	PDH_HCOUNTER counter = NULL;
	union {
		PDH_COUNTER_INFO_A info;
		char bytes[1024];
	} is;
	DWORD bytes = 0;

	(void)state;
	assert_int_equal(PdhOpenQueryA(NULL, 77, &query), ERROR_SUCCESS);
	assert_int_equal(PdhAddCounterA(query, "\\process(Foo#2)\\handle count", 88, &counter),
			 ERROR_SUCCESS);
	assert_int_equal(PdhGetCounterInfoA(counter, FALSE, &bytes, NULL), PDH_MORE_DATA);
	assert_int_equal(PdhGetCounterInfoA(counter, FALSE, &bytes, &is.info), ERROR_SUCCESS);
	assert_int_equal(is.info.dwLength, bytes);
	assert_int_equal(is.info.dwType, PERF_COUNTER_RAWCOUNT);
	assert_int_equal(is.info.CStatus, PDH_CSTATUS_ITEM_NOT_VALIDATED);
	assert_int_equal(is.info.dwUserData, 88);
	assert_int_equal(is.info.dwQueryUserData, 77);
	assert_string_equal(is.info.szObjectName, "Process");
	assert_string_equal(is.info.szInstanceName, "Foo");
	assert_int_equal(is.info.CounterPath.dwInstanceIndex, 2);
	assert_string_equal(is.info.szCounterName, "Handle Count");
	assert_non_null(strstr(is.info.szFullPath, "\\Process(Foo#2)\\Handle Count"));
	assert_null(is.info.szExplainText);
	bytes = sizeof(is);
	assert_int_equal(PdhGetCounterInfoA(counter, TRUE, &bytes, &is.info), ERROR_SUCCESS);
	assert_non_null(strstr(is.info.szExplainText, "descriptors"));
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

/* Handles */

static void closed_handles_are_gone(void **state)
{
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, "\\System\\Processes"),
		     removed = counter_add(query, "\\System\\Threads");
	HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)getpid());
	HANDLE wrong[] = { NULL, query, counter, removed, (HANDLE)1, (HANDLE)-1, process,
			   (char *)query + 1, &query };
	PDH_FMT_COUNTERVALUE value;
	PDH_RAW_COUNTER raw;
	LONGLONG time;
	DWORD n = 0, bytes = 0;

	(void)state;
	assert_int_equal(PdhRemoveCounter(removed), ERROR_SUCCESS);
	assert_int_equal(PdhRemoveCounter(removed), PDH_INVALID_HANDLE);
	assert_int_equal(PdhCloseQuery(counter), PDH_INVALID_HANDLE);
	assert_int_equal(PdhRemoveCounter(query), PDH_INVALID_HANDLE);
	assert_int_equal(PdhCollectQueryDataWithTime(query, &time), ERROR_SUCCESS);
	assert_true(time > INT64_C(132000000000000000)); /* 2019 */
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		assert_int_equal(PdhCloseQuery(wrong[i]), PDH_INVALID_HANDLE);
		assert_int_equal(PdhCollectQueryData(wrong[i]), PDH_INVALID_HANDLE);
		assert_int_equal(PdhAddCounterA(wrong[i], "\\System\\Processes", 0, &counter),
				 PDH_INVALID_HANDLE);
		assert_int_equal(PdhRemoveCounter(wrong[i]), PDH_INVALID_HANDLE);
		assert_int_equal(PdhGetFormattedCounterValue(wrong[i], PDH_FMT_LONG, NULL, &value),
				 PDH_INVALID_HANDLE);
		assert_int_equal(PdhGetRawCounterValue(wrong[i], NULL, &raw), PDH_INVALID_HANDLE);
		assert_int_equal(PdhGetRawCounterArrayA(wrong[i], &bytes, &n, NULL),
				 PDH_INVALID_HANDLE);
		assert_int_equal(PdhGetCounterInfoA(wrong[i], FALSE, &bytes, NULL),
				 PDH_INVALID_HANDLE);
		assert_int_equal(PdhSetCounterScaleFactor(wrong[i], 1), PDH_INVALID_HANDLE);
	}
	assert_true(CloseHandle(process));
}

static void handles_are_not_given_out_again(void **state)
{
	PDH_HQUERY first = query_open();

	(void)state;
	assert_int_equal(PdhCloseQuery(first), ERROR_SUCCESS);
	for (int i = 0; i < 1000; i++) {
		PDH_HQUERY query = query_open();

		assert_ptr_not_equal(query, first);
		assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	}
}

static void bad_arguments_are_refused(void **state)
{
	PDH_HQUERY query = query_open(), other = NULL;

	(void)state;
	assert_int_equal(PdhOpenQueryA(NULL, 0, NULL), PDH_INVALID_ARGUMENT);
	assert_int_equal(PdhOpenQueryA("file.blg", 0, &other), PDH_NOT_IMPLEMENTED);
	assert_null(other);
	assert_int_equal(PdhAddCounterA(query, "\\System\\Processes", 0, NULL),
			 PDH_INVALID_ARGUMENT);
	assert_int_equal(PdhCollectQueryData(query), PDH_NO_DATA);
	assert_int_equal(PdhCollectQueryDataWithTime(query, NULL), PDH_INVALID_ARGUMENT);
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

static void one_look_serves_all_counters(void **state)
{
	static const char *const names[] = { "Handle Count", "Thread Count", "% User Time",
					     "Private Bytes", "Mapping Count" };
	PDH_HQUERY query = query_open();
	int before;

	(void)state;
	for (int i = 0; i < 500; i++) {
		char path[TEXT_BYTES];

		(void)snprintf(path, sizeof(path), "\\Process(%s)\\%s", i % 2 ? "*" : "test_pdh",
			       names[i % 5]);
		(void)counter_add(query, path);
	}
	for (int round = 0; round < 3; round++) {
		before = n_samples;
		assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
		assert_int_equal(n_samples - before, 1);
	}
	assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
}

static void nothing_is_left(void **state)
{
	DWORD before = handles_of(getpid());

	(void)state;
	for (int i = 0; i < 20; i++) {
		PDH_HQUERY query = query_open();

		(void)counter_add(query, "\\Process(*)\\Handle Count");
		(void)counter_add(query, "\\Process(_Total)\\Private Bytes");
		assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
		assert_int_equal(PdhCollectQueryData(query), ERROR_SUCCESS);
		/* At most the iterator in the kernel is held. */
		assert_in_range(handles_of(getpid()), before, before + 4);
		assert_int_equal(PdhCloseQuery(query), ERROR_SUCCESS);
	}
	assert_int_equal(handles_of(getpid()), before);
}

/* In a child: without a free descriptor it says so, and goes on when there is one. */
static int collect_without_descriptors(void)
{
	struct rlimit limit, none;
	PDH_HQUERY query;
	PDH_HCOUNTER counter, other;
	PDH_STATUS status;

	if (PdhOpenQueryA(NULL, 0, &query) || getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    PdhAddCounterA(query, "\\System\\Processes", 0, &counter) ||
	    PdhAddCounterA(query, "\\Process(_Total)\\Private Bytes", 0, &other))
		return 1;
	none = limit;
	none.rlim_cur = 3;
	(void)close_range(3, ~0u, 0);
	(void)setrlimit(RLIMIT_NOFILE, &none);
	status = PdhCollectQueryData(query);
	if (status != ERROR_TOO_MANY_OPEN_FILES)
		return 2;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return PdhCollectQueryData(query) ? 3 : PdhCloseQuery(query) ? 4 : 0;
}

static void too_few_descriptors_are_told(void **state)
{
	pid_t pid = fork();
	int status = -1;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(collect_without_descriptors());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Threads: some use what others close. */

#define N_THREADS 6
#define N_ROUNDS  40

static PDH_HQUERY volatile open_query[N_THREADS];
static PDH_HCOUNTER volatile open_counter[N_THREADS];

static bool is_answer(PDH_STATUS status)
{
	return status == ERROR_SUCCESS || status == PDH_INVALID_HANDLE ||
	       status == PDH_INVALID_DATA || status == PDH_NO_DATA;
}

static void *use_of_each_other(void *param)
{
	size_t own = (size_t)param;

	for (int i = 0; i < N_ROUNDS; i++) {
		size_t other = (own + (size_t)i) % N_THREADS;
		PDH_HQUERY query = NULL;
		PDH_HCOUNTER counter = NULL, extra = NULL;
		PDH_FMT_COUNTERVALUE value;

		if (PdhOpenQueryA(NULL, 0, &query) ||
		    PdhAddCounterA(query, "\\Process(_Total)\\Thread Count", 0, &counter))
			return (void *)1;
		open_query[own] = query;
		open_counter[own] = counter;
		if (!is_answer(PdhCollectQueryData(open_query[other])) ||
		    !is_answer(PdhGetFormattedCounterValue(open_counter[other], PDH_FMT_LONG, NULL,
							   &value)) ||
		    !is_answer(PdhAddCounterA(open_query[other], "\\System\\Threads", 0, &extra)) ||
		    (i % 3 == 0 && !is_answer(PdhRemoveCounter(open_counter[other]))) ||
		    (i % 2 == 0 && !is_answer(PdhCloseQuery(open_query[other]))) ||
		    !is_answer(PdhCloseQuery(query)))
			return (void *)2;
	}
	return NULL;
}

static void threads_may_close_what_others_use(void **state)
{
	DWORD before = handles_of(getpid());
	pthread_t thread[N_THREADS];

	(void)state;
	for (size_t i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, use_of_each_other, (void *)i), 0);
	for (size_t i = 0; i < N_THREADS; i++) {
		void *result = NULL;

		assert_int_equal(pthread_join(thread[i], &result), 0);
		assert_null(result);
	}
	assert_int_equal(handles_of(getpid()), before);
}

static int is_over;

static void *open_and_close(void *unused)
{
	PDH_HQUERY query;

	(void)unused;
	while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST) &&
	       PdhOpenQueryA(NULL, 0, &query) == ERROR_SUCCESS)
		(void)PdhCloseQuery(query);
	return NULL;
}

/* A child whose lock nobody would open is ended by the alarm. */
static void children_can_open_queries(void **state)
{
	pthread_t thread;

	(void)state;
	__atomic_store_n(&is_over, 0, __ATOMIC_SEQ_CST);
	assert_int_equal(pthread_create(&thread, NULL, open_and_close, NULL), 0);
	for (int i = 0; i < 500; i++) {
		int status = -1;
		pid_t pid = fork();
		PDH_HQUERY query;

		assert_true(pid >= 0);
		if (pid == 0) {
			(void)alarm(10);
			_exit(PdhOpenQueryA(NULL, 0, &query) || PdhCloseQuery(query));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	__atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Other people's programs */

/* -1: it is not there.  It ends when its standard input does. */
static pid_t start_program(const char *const *argv, int *ret_end)
{
	int end[2];
	pid_t pid;

	assert_int_equal(pipe(end), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(end[0], 0);
		(void)dup2(open("/dev/null", O_WRONLY), 2);
		(void)close_range(3, ~0u, 0);
		(void)execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	(void)close(end[0]);
	*ret_end = end[1];
	return pid;
}

/* Until the instance of that name has the id; a program is what it was started from before. */
static bool becomes_instance(pid_t pid, const char *name)
{
	int64_t deadline = deadline_in_ms(PATIENCE_MS);
	char is[TEXT_BYTES];
	size_t n = strlen(name);

	do {
		instance_of(pid, is);
		if (!strncmp(is, name, n) && (!is[n] || is[n] == '#' || is[n] == '.'))
			return true;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return false;
	} while (support_again(deadline));
	return false;
}

static void compare_program(const char *const *argv, const char *name)
{
	char is[TEXT_BYTES], path[TEXT_BYTES * 2];
	int64_t deadline = deadline_in_ms(PATIENCE_MS);
	int end = -1;
	pid_t pid = start_program(argv, &end);
	bool agrees = false;

	if (!becomes_instance(pid, name)) {
		(void)close(end);
		SKIP_BECAUSE("%s did not start", name);
	}
	instance_of(pid, is);
	(void)snprintf(path, sizeof(path), "\\Process(%s)\\Handle Count", is);
	/* It opens and closes files while it starts. */
	do {
		DWORD before = handles_of(pid);

		agrees = ask(path) == before && handles_of(pid) == before && before > 3;
	} while (!agrees && support_again(deadline));
	(void)kill(pid, SIGKILL);
	(void)close(end);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(agrees);
}

static void python_agrees(void **state)
{
	static const char *const argv[] = {
		"python3", "-c", "import os, sys; f = [os.dup(0) for _ in range(40)]; sys.stdin.read()",
		NULL
	};

	(void)state;
	compare_program(argv, "python3");
}

static void nginx_agrees(void **state)
{
	char folder[] = "/tmp/test-pdh-XXXXXX", file[64], logs[64];
	const char *const argv[] = { "nginx", "-p", folder, "-c", file, NULL };
	FILE *out;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(file, sizeof(file), "%s/nginx.conf", folder);
	(void)snprintf(logs, sizeof(logs), "%s/pid", folder);
	out = fopen(file, "w");
	assert_non_null(out);
	(void)fprintf(out,
		      "daemon off; master_process off; pid %s; error_log /dev/null;\n"
		      "events {}\nhttp { access_log off; server { listen unix:%s/socket; } }\n",
		      logs, folder);
	assert_int_equal(fclose(out), 0);
	compare_program(argv, "nginx");
	(void)unlink(logs);
	(void)unlink(file);
	(void)snprintf(file, sizeof(file), "%s/socket", folder);
	(void)unlink(file);
	(void)rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_refused),
		cmocka_unit_test(wide_paths_are_checked),
		cmocka_unit_test(paths_are_taken_apart_and_made),
		cmocka_unit_test(wide_paths_are_taken_apart_and_made),
		cmocka_unit_test(own_handle_count_is_what_win32_tells),
		cmocka_unit_test(figures_of_a_child_are_true),
		cmocka_unit_test(formats_agree),
		cmocka_unit_test(rates_need_two_collections),
		cmocka_unit_test(formulas_hold),
		cmocka_unit_test(rate_of_another_process_is_none),
		cmocka_unit_test(rate_of_one_before_it_is_none),
		cmocka_unit_test(values_are_true_at_every_collection),
		cmocka_unit_test(counters_may_come_later),
		cmocka_unit_test(instances_of_one_name_are_numbered),
		cmocka_unit_test(an_instance_may_come_and_go),
		cmocka_unit_test(a_zombie_is_no_instance),
		cmocka_unit_test(hostile_names_are_found),
		cmocka_unit_test(an_empty_name_is_an_instance),
		cmocka_unit_test(wide_names_lead_back),
		cmocka_unit_test(stars_stand_for_instances),
		cmocka_unit_test(total_is_the_sum),
		cmocka_unit_test(arrays_stay_in_their_buffer),
		cmocka_unit_test(paths_are_expanded),
		cmocka_unit_test(objects_and_items_are_listed),
		cmocka_unit_test(counters_tell_about_themselves),
		cmocka_unit_test(closed_handles_are_gone),
		cmocka_unit_test(handles_are_not_given_out_again),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(one_look_serves_all_counters),
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(too_few_descriptors_are_told),
		cmocka_unit_test(threads_may_close_what_others_use),
		cmocka_unit_test(children_can_open_queries),
		cmocka_unit_test(python_agrees),
		cmocka_unit_test(nginx_agrees),
	};

	/* Without privileges the figures come from another source. */
	const struct CMUnitTest for_nobody[] = {
		cmocka_unit_test(own_handle_count_is_what_win32_tells),
		cmocka_unit_test(figures_of_a_child_are_true),
		cmocka_unit_test(rates_need_two_collections),
		cmocka_unit_test(rate_of_one_before_it_is_none),
		cmocka_unit_test(values_are_true_at_every_collection),
		cmocka_unit_test(counters_may_come_later),
		cmocka_unit_test(instances_of_one_name_are_numbered),
		cmocka_unit_test(an_instance_may_come_and_go),
		cmocka_unit_test(a_zombie_is_no_instance),
		cmocka_unit_test(hostile_names_are_found),
		cmocka_unit_test(total_is_the_sum),
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(too_few_descriptors_are_told),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	if (geteuid() != 0)
		return failed;
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
	    prctl(PR_SET_DUMPABLE, 1) < 0)
		return 1;
	return failed + cmocka_run_group_tests(for_nobody, NULL, NULL);
}
