/* SPDX-License-Identifier: BSD-2-Clause */
/* test_metrics.c - metrics and JSON of samples that are made up: leaks, unreadable ones, extremes */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "monitor/metrics.h"
#include "monitor/web_api.h"

#include <cmocka.h> /* behind base.h: its macro fail() is not our function */

#define NOBODY_AT_ALL 3999999999u /* a user without a name */
#define LABELS	      "{name=\"svc\",user=\"3999999999\",container=\"\"} "

static struct monitor_process process(pid_t pid, const char *name, uint64_t handles, uint64_t limit)
{
	struct monitor_process made = { .pid = pid, .start_ticks = 7, .uid = NOBODY_AT_ALL };

	(void)snprintf(made.name, sizeof(made.name), "%s", name);
	made.known = 1u << MONITOR_HANDLES | 1u << MONITOR_HANDLE_LIMIT | 1u << MONITOR_THREADS;
	made.value[MONITOR_HANDLES] = handles;
	made.value[MONITOR_HANDLE_LIMIT] = limit;
	made.value[MONITOR_THREADS] = 1;
	return made;
}

static struct trend_verdict leak(double handles_per_hour, double seconds_left)
{
	return (struct trend_verdict){ .is_known = true, .is_leaking = true, .confidence = 0.75,
				       .handles_per_hour = handles_per_hour,
				       .low_per_hour = handles_per_hour - 1,
				       .high_per_hour = handles_per_hour + 1,
				       .seconds_left = seconds_left };
}

static struct monitor_snapshot snapshot(struct monitor_process *processes,
					struct trend_verdict *verdicts, size_t n)
{
	return (struct monitor_snapshot){ .sequence = 3, .missed = 1, .cost_ns = 1234567,
					  .verdict = verdicts,
					  .sample = { .time_ns = 1500 * NS_PER_MS,
						      .process = processes, .n_processes = n } };
}

static char *metrics(const struct monitor_snapshot *from, enum metrics_format format, size_t max_series)
{
	struct metrics_options options = { .format = format, .max_series = max_series };
	struct monitor_users users = { 0 };
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	assert_int_equal(metrics_write(out, from, &users, &options), 0);
	assert_int_equal(fclose(out), 0);
	monitor_users_done(&users);
	return text;
}

static void contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("not there: %s\nin:\n%s", part, text ? text : "nothing");
}

static void lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("there: %s\nin:\n%s", part, text ? text : "nothing");
}

static void test_suspects_of_a_group_are_added_up(void **state)
{
	struct monitor_process processes[] = { process(1, "svc", 10, 100), process(2, "svc", 90, 200),
					       process(3, "svc", 5, 50) };
	struct trend_verdict verdicts[] = { leak(1.5, 7200), leak(2, 600), { .is_known = true } };
	struct monitor_snapshot from = snapshot(processes, verdicts, 3);
	char *text = metrics(&from, METRICS_PROMETHEUS, 10);

	(void)state;
	contains(text, "tendril_leak_suspected" LABELS "2\n");
	contains(text, "tendril_leak_handles_per_hour" LABELS "3.500\n");
	contains(text, "tendril_leak_time_left_seconds" LABELS "600.000\n");
	contains(text, "tendril_process_open_handles" LABELS "105\n");
	contains(text, "tendril_process_max_handles" LABELS "50\n");
	contains(text, "tendril_process_handles_used_ratio" LABELS "0.450000\n");
	contains(text, "tendril_scrape_duration_seconds 0.001234567\n");
	contains(text, "tendril_sample_timestamp_seconds 1.500\n");
	free(text);
}

static void test_nobody_is_innocent_before_enough_was_seen(void **state)
{
	struct monitor_process processes[] = { process(1, "svc", 10, 100) };
	struct trend_verdict verdicts[] = { { .is_known = false } };
	struct monitor_snapshot from = snapshot(processes, verdicts, 1);
	char *text = metrics(&from, METRICS_PROMETHEUS, 10);

	(void)state;
	lacks(text, "tendril_leak_suspected{");
	free(text);
	verdicts[0].is_known = true;
	text = metrics(&from, METRICS_PROMETHEUS, 10);
	contains(text, "tendril_leak_suspected" LABELS "0\n");
	lacks(text, "tendril_leak_handles_per_hour{");
	free(text);
}

static void test_never_is_no_number(void **state)
{
	struct monitor_process processes[] = { process(1, "svc", 10, 0) };
	struct trend_verdict verdicts[] = { leak(1, INFINITY) };
	struct monitor_snapshot from = snapshot(processes, verdicts, 1);
	char *text = metrics(&from, METRICS_OPENMETRICS, 10);

	(void)state;
	contains(text, "tendril_leak_suspected" LABELS "1\n");
	lacks(text, "tendril_leak_time_left_seconds{");
	lacks(text, "tendril_process_handles_used_ratio{"); /* of a limit of zero */
	lacks(text, "inf");
	lacks(text, "nan");
	free(text);
}

static void test_unreadable_is_not_zero(void **state)
{
	struct monitor_process processes[] = { process(1, "svc", 10, 100), process(2, "svc", 99, 100),
					       process(3, "hidden", 9, 9) };
	struct trend_verdict verdicts[3] = { 0 };
	struct monitor_snapshot from = snapshot(processes, verdicts, 3);
	char *text;

	(void)state;
	processes[1].known = processes[2].known = 1u << MONITOR_THREADS;
	text = metrics(&from, METRICS_PROMETHEUS, 10);
	contains(text, "tendril_process_open_handles" LABELS "10\n");
	contains(text, "tendril_process_unreadable" LABELS "1\n");
	contains(text, "tendril_process_handles_used_ratio" LABELS "0.100000\n");
	lacks(text, "tendril_process_open_handles{name=\"hidden\"");
	lacks(text, "tendril_process_max_handles{name=\"hidden\"");
	contains(text, "tendril_process_unreadable{name=\"hidden\",user=\"3999999999\",container=\"\"} 1\n");
	free(text);
}

static void test_one_series_holds_all(void **state)
{
	struct monitor_process processes[] = { process(1, "a", 1, 10), process(2, "b", 2, 10),
					       process(3, "c", 3, 10) };
	struct trend_verdict verdicts[] = { { 0 }, leak(5, 60), leak(5, 30) };
	struct monitor_snapshot from = snapshot(processes, verdicts, 3);
	char *text = metrics(&from, METRICS_PROMETHEUS, 1);

	(void)state;
	contains(text, "tendril_process_open_handles{name=\"other\",user=\"\",container=\"\"} 6\n");
	contains(text, "tendril_leak_suspected{name=\"other\",user=\"\",container=\"\"} 2\n");
	contains(text, "tendril_leak_time_left_seconds{name=\"other\",user=\"\",container=\"\"} 30.000\n");
	contains(text, "tendril_series_folded 3\n");
	free(text);
}

static void test_nothing_at_all(void **state)
{
	struct monitor_snapshot from = snapshot(NULL, NULL, 0);
	char *text = metrics(&from, METRICS_OPENMETRICS, 1);

	(void)state;
	contains(text, "tendril_processes 0\n");
	contains(text, "tendril_samples_missed_total 1\n# EOF\n");
	lacks(text, "{");
	free(text);
}

static void test_json_of_a_verdict(void **state)
{
	struct monitor_process processes[] = { process(1, "svc", 10, 100), process(2, "svc", 1, 100) };
	struct trend_verdict verdicts[] = { leak(1.5, INFINITY), { 0 } };
	struct monitor_snapshot from = snapshot(processes, verdicts, 2);
	struct web_api_facts facts = { .interval_ms = 1000, .source = "stat" };
	struct monitor_users users = { 0 };
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_non_null(out);
	web_api_processes(out, &from, &users, &facts);
	assert_int_equal(fclose(out), 0);
	contains(text, "\"leak\":{\"suspected\":true,\"handles_per_hour\":1.500,\"low_per_hour\":0.500,"
		       "\"high_per_hour\":2.500,\"confidence\":0.750,\"seconds_left\":null}}");
	contains(text, "\"mappings\":null,\"resident_bytes\":null,\"cpu_s\":null,\"leak\":null}]}\n");
	monitor_users_done(&users);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suspects_of_a_group_are_added_up),
		cmocka_unit_test(test_nobody_is_innocent_before_enough_was_seen),
		cmocka_unit_test(test_never_is_no_number),
		cmocka_unit_test(test_unreadable_is_not_zero),
		cmocka_unit_test(test_one_series_holds_all),
		cmocka_unit_test(test_nothing_at_all),
		cmocka_unit_test(test_json_of_a_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
