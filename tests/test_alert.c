/* SPDX-License-Identifier: BSD-2-Clause */
/* test_alert.c - rules, when they fire and clear, and the commands that they run */
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "monitor/alert.h"

#include <cmocka.h> /* behind base.h: its macro fail() is not our function */

#define DEADLINE_MS 20000

extern char **environ;

static struct alert_set *make_set(void)
{
	struct alert_options options = { .output_fd = -1 };
	struct alert_set *set = NULL;

	assert_int_equal(alert_set_new(&options, &set), 0);
	return set;
}

static unsigned add(struct alert_set *set, const char *text, const struct alert_action *action)
{
	char why[ALERT_WHY_BYTES] = "";
	int r = alert_set_add(set, text, action, why);

	if (r < 0)
		fail_msg("%s: %s", text, why);
	return (unsigned)r;
}

/* Rules from text */

static void refused(const char *text, const char *part_of_why)
{
	struct alert_set *set = make_set();
	char why[ALERT_WHY_BYTES] = "";

	assert_int_equal(alert_set_add(set, text, NULL, why), -EINVAL);
	if (!strstr(why, part_of_why))
		fail_msg("'%s': '%s' does not say '%s'", text, why, part_of_why);
	assert_int_equal(alert_set_n_rules(set), 0);
	alert_set_free(set);
}

static void test_bad_rules_are_named(void **state)
{
	(void)state;
	refused("", "empty");
	refused("   ", "empty");
	refused("handels>5", "no counter 'handels'");
	refused("handles", "neither < nor >");
	refused("handles 5", "neither < nor >");
	refused("handles>=5", "only < and >");
	refused("handles>", "no number");
	refused("handles>x", "no number");
	refused("handles>-5", "no number");
	refused("handles>5x", "no number: 'x'");
	refused("handles>inf", "no number");
	refused("handles>99999999999999999999", "no number");
	refused("threads>80%", "only handles");
	refused("handles>80%x", "no number: 'x'");
	refused("handles>100/h", "has a +");
	refused("handles>+100", "ends in /min");
	refused("handles>+100/w", "ends in /min");
	refused("handles<+100/h", "written like");
	refused("processes>+1/h", "written like");
	refused("threads<0", "nothing is under 0");
	refused("cpu_ns>5", "only ever rises");
	refused("leaks", "no counter 'leaks'");
	refused("leak user:no-such-user-here", "no such user");
	refused("leak session:x", "no selector");
	refused("leak \\Process(x)\\Handle Count", "before the selector");
}

static void test_good_rules(void **state)
{
	static const char *const texts[] = { "handles>1000", "handles > 1000 nginx", "HANDLES>80%",
					     "threads<1", "handles>+100/h user:0", "leak", "Leak nginx",
					     "resident_bytes>1.5G", "processes<1 nginx",
					     "mappings>+10/min ngi*", "handles>+1K/d a b" };
	struct alert_set *set = make_set();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(add(set, texts[i], NULL), i);
	assert_int_equal(add(set, "  leak  ", NULL), ARRAY_SIZE(texts));
	assert_string_equal(alert_set_rule_text(set, ARRAY_SIZE(texts)), "leak");
	assert_null(alert_set_rule_text(set, 99));
	alert_set_free(set);
	alert_set_free(NULL);
}

static void test_rules_are_bounded(void **state)
{
	struct alert_set *set = make_set();
	char why[ALERT_WHY_BYTES], text[4096];

	(void)state;
	for (int i = 0; i < ALERT_RULES_MAX; i++)
		add(set, "leak", NULL);
	assert_int_equal(alert_set_add(set, "leak", NULL, why), -ENOSPC);
	alert_set_free(set);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	refused(text, "more than");
}

/* When they fire */

static struct monitor_process process(pid_t pid, const char *name, uint64_t handles, uint64_t limit)
{
	struct monitor_process made = { .pid = pid, .start_ticks = (uint64_t)pid * 10, .uid = 1000,
					.known = 1u << MONITOR_HANDLES | 1u << MONITOR_HANDLE_LIMIT |
						 1u << MONITOR_THREADS };

	(void)snprintf(made.name, sizeof(made.name), "%s", name);
	made.value[MONITOR_HANDLES] = handles;
	made.value[MONITOR_HANDLE_LIMIT] = limit;
	made.value[MONITOR_THREADS] = 2;
	return made;
}

static int feed_at(struct alert_set *set, int64_t t_s, struct monitor_process *list, size_t n)
{
	struct monitor_sample sample = { .time_ns = (1700000000 + t_s) * NS_PER_S,
					 .monotonic_ns = t_s * NS_PER_S, .process = list,
					 .n_processes = n };

	return alert_set_feed(set, &sample, NULL);
}

static int feed_one(struct alert_set *set, int64_t t_s, uint64_t handles)
{
	struct monitor_process one = process(5, "one", handles, 1000);

	return feed_at(set, t_s, &one, 1);
}

static struct alert_event last_event(const struct alert_set *set)
{
	static struct alert_event events[ALERT_EVENTS_MAX];
	size_t n = alert_set_events(set, 0, events, ALERT_EVENTS_MAX);

	assert_true(n > 0);
	return events[n - 1];
}

static void test_over_a_limit_with_a_margin(void **state)
{
	struct alert_set *set = make_set();
	unsigned rule = add(set, "handles>100", NULL);
	struct alert_event event;
	char line[ALERT_LINE_BYTES];

	(void)state;
	assert_int_equal(feed_one(set, 0, 100), 0);
	assert_int_equal(feed_one(set, 1, 101), 1);
	assert_true(alert_set_is_active(set, rule, 5, 50));
	event = last_event(set);
	assert_int_equal(event.number, 1);
	assert_int_equal(event.pid, 5);
	assert_int_equal(event.start_ticks, 50);
	assert_int_equal(event.time_ns, 1700000001 * NS_PER_S);
	assert_string_equal(event.name, "one");
	assert_true(event.value == 101 && !event.is_clear);
	alert_event_text(set, &event, line);
	assert_string_equal(line, "one (5): handles>100: 101");
	assert_int_equal(feed_one(set, 2, 200), 0); /* still */
	assert_int_equal(feed_one(set, 3, 96), 0);  /* within the margin */
	assert_int_equal(feed_one(set, 4, 101), 0);
	assert_int_equal(feed_one(set, 5, 95), 1);
	assert_false(alert_set_is_active(set, rule, 5, 50));
	event = last_event(set);
	assert_true(event.is_clear && !event.has_ended && event.value == 95);
	assert_int_equal(feed_one(set, 6, 101), 1); /* and once more */
	alert_set_free(set);
}

static void test_under_a_limit(void **state)
{
	struct alert_set *set = make_set();

	(void)state;
	add(set, "handles<3", NULL);
	assert_int_equal(feed_one(set, 0, 3), 0);
	assert_int_equal(feed_one(set, 1, 2), 1);
	assert_int_equal(feed_one(set, 2, 3), 1); /* a margin of less than one handle is none */
	assert_true(last_event(set).is_clear);
	alert_set_free(set);
}

static void test_percent_of_the_own_limit(void **state)
{
	struct alert_set *set = make_set();
	struct monitor_process list[] = { process(5, "a", 81, 100), process(6, "b", 81, 1000),
					  process(7, "c", 81, 100) };

	(void)state;
	add(set, "handles>80%", NULL);
	list[2].known = 1u << MONITOR_HANDLES; /* whose limit nobody knows */
	assert_int_equal(feed_at(set, 0, list, 3), 1);
	assert_int_equal(last_event(set).pid, 5);
	assert_true(fabs(last_event(set).value - 81) < 1e-9);
	alert_set_free(set);
}

static void test_what_is_unknown_changes_nothing(void **state)
{
	struct alert_set *set = make_set();
	struct monitor_process one = process(5, "one", 0, 1000);

	(void)state;
	add(set, "handles<10", NULL);
	one.known = 0;
	assert_int_equal(feed_at(set, 0, &one, 1), 0); /* not zero: unknown */
	one.known = 1u << MONITOR_HANDLES;
	assert_int_equal(feed_at(set, 1, &one, 1), 1);
	one.known = 0;
	one.value[MONITOR_HANDLES] = 50;
	assert_int_equal(feed_at(set, 2, &one, 1), 0);
	assert_true(alert_set_is_active(set, 0, 5, 50));
	alert_set_free(set);
}

static void test_an_end_clears(void **state)
{
	struct alert_set *set = make_set();
	struct monitor_process list[] = { process(5, "a", 50, 100), process(6, "b", 50, 100) };
	struct alert_counts counts;

	(void)state;
	add(set, "handles>10", NULL);
	assert_int_equal(feed_at(set, 0, list, 2), 2);
	alert_set_counts(set, &counts);
	assert_int_equal(counts.active, 2);
	list[1].start_ticks++; /* another process with the same id */
	assert_int_equal(feed_at(set, 1, list, 2), 2);
	assert_true(alert_set_is_active(set, 0, 6, 61));
	assert_false(alert_set_is_active(set, 0, 6, 60));
	assert_int_equal(feed_at(set, 2, list, 0), 2);
	assert_true(last_event(set).is_clear && last_event(set).has_ended);
	alert_set_counts(set, &counts);
	assert_int_equal(counts.active, 0);
	assert_int_equal(counts.fired, 3);
	alert_set_free(set);
}

static void test_selectors(void **state)
{
	struct alert_set *set = make_set();
	struct monitor_process list[] = { process(5, "nginx", 50, 100), process(6, "other", 50, 100) };

	(void)state;
	add(set, "handles>10 ngi*", NULL);
	add(set, "handles>10 6", NULL);
	add(set, "handles>10 user:1000", NULL);
	add(set, "handles>10 user:0", NULL);
	assert_int_equal(feed_at(set, 0, list, 2), 4);
	assert_true(alert_set_is_active(set, 0, 5, 50) && !alert_set_is_active(set, 0, 6, 60));
	assert_true(alert_set_is_active(set, 1, 6, 60) && !alert_set_is_active(set, 1, 5, 50));
	memcpy(list[0].name, "python", 7); /* it calls itself something else */
	assert_int_equal(feed_at(set, 1, list, 2), 1);
	assert_true(last_event(set).is_clear && !last_event(set).has_ended);
	alert_set_free(set);
}

static void test_growth_is_of_the_floor(void **state)
{
	struct alert_set *set = make_set();

	(void)state;
	add(set, "handles>+100/h", NULL);
	/* It breathes by 400, every 4 minutes, and grows by 60 an hour: fine. */
	for (int t_s = 0; t_s < 4 * 3600; t_s += 10)
		assert_int_equal(feed_one(set, t_s, 200 + (t_s / 10 % 24) * 17 + t_s / 60), 0);
	/* By 180 an hour is too much. */
	for (int t_s = 4 * 3600; t_s < 6 * 3600; t_s += 10)
		(void)feed_one(set, t_s, 440 + (t_s / 10 % 24) * 17 + (t_s - 4 * 3600) / 20);
	assert_true(alert_set_is_active(set, 0, 5, 50));
	assert_int_equal(last_event(set).number, 1);
	assert_true(last_event(set).value > 100 && last_event(set).value < 120);
	/* Then it stands still, and an hour later that is over. */
	for (int t_s = 6 * 3600; t_s < 8 * 3600; t_s += 10)
		(void)feed_one(set, t_s, 800);
	assert_true(last_event(set).is_clear);
	alert_set_free(set);
}

static void test_growth_over_gaps_and_a_clock_far_on(void **state)
{
	struct alert_set *set = make_set();

	(void)state;
	add(set, "handles>+100/min", NULL);
	assert_int_equal(feed_one(set, 0, 10), 0);
	assert_int_equal(feed_one(set, 50, 200), 1);
	assert_int_equal(feed_one(set, 100000000, 900), 0); /* nothing is known of the last minute */
	assert_int_equal(feed_one(set, 100000010, 900), 1);
	assert_true(last_event(set).is_clear);
	alert_set_free(set);
}

static void test_number_of_processes(void **state)
{
	struct alert_set *set = make_set();
	struct monitor_process list[] = { process(5, "nginx", 50, 100), process(6, "other", 50, 100) };

	(void)state;
	add(set, "processes<1 nginx", NULL);
	assert_int_equal(feed_at(set, 0, list, 2), 0);
	assert_int_equal(feed_at(set, 1, list + 1, 1), 1);
	assert_int_equal(last_event(set).pid, 0);
	assert_true(alert_set_is_active(set, 0, 0, 0));
	assert_int_equal(feed_at(set, 2, list, 2), 1);
	alert_set_free(set);
}

static void test_leak(void **state)
{
	struct alert_set *set = make_set();
	struct trend_table *trends;
	int fired = 0;

	(void)state;
	add(set, "leak", NULL);
	assert_int_equal(trend_table_new(&trends), 0);
	for (int t_s = 0; t_s <= 7300; t_s += 10) {
		struct monitor_process list[] = { process(5, "a", 100, 1000),
						  process(6, "b", 100 + (uint64_t)t_s / 30, 1000) };
		struct monitor_sample sample = { .monotonic_ns = t_s * NS_PER_S, .process = list,
						 .n_processes = 2 };

		assert_int_equal(trend_table_feed(trends, &sample), 0);
		fired += alert_set_feed(set, &sample, trends);
	}
	assert_int_equal(fired, 1);
	assert_int_equal(last_event(set).pid, 6);
	assert_true(fabs(last_event(set).value - 120) < 5);
	trend_table_free(trends);
	alert_set_free(set);
}

static void test_the_list_is_bounded(void **state)
{
	struct alert_event events[3];
	struct alert_set *set = make_set();

	(void)state;
	add(set, "handles>10", NULL);
	for (int i = 0; i < ALERT_EVENTS_MAX + 10; i++)
		assert_int_equal(feed_one(set, i, i % 2 ? 5 : 50), 1);
	assert_int_equal(alert_set_events(set, 0, events, 3), 3);
	assert_int_equal(events[0].number, 11); /* the ten before are forgotten */
	assert_int_equal(events[2].number, 13);
	assert_int_equal(alert_set_events(set, ALERT_EVENTS_MAX + 8, events, 3), 2);
	assert_int_equal(events[1].number, ALERT_EVENTS_MAX + 10);
	assert_int_equal(alert_set_events(set, ALERT_EVENTS_MAX + 10, events, 3), 0);
	assert_int_equal(alert_set_events(set, UINT64_MAX, events, 3), 0);
	alert_set_free(set);
}

/* What they run */

/* A set whose commands write into a pipe, whose reading end is handed out. */
static struct alert_set *set_with_pipe(unsigned max_running, unsigned timeout_s, int *ret_in,
				       int *ret_out)
{
	struct alert_options options = { .environment = environ, .max_running = max_running,
					 .timeout_s = timeout_s };
	struct alert_set *set = NULL;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	options.output_fd = ends[1];
	assert_int_equal(alert_set_new(&options, &set), 0);
	*ret_in = ends[0];
	*ret_out = ends[1];
	return set;
}

/* Lines that commands wrote, up to the n-th newline. */
static void read_lines(int in, char *text, size_t room, int n)
{
	struct pollfd waiting = { .fd = in, .events = POLLIN };
	size_t used = 0;

	while (n > 0 && used + 1 < room) {
		assert_int_equal(poll(&waiting, 1, DEADLINE_MS), 1);
		assert_int_equal(read(in, text + used, 1), 1);
		n -= text[used++] == '\n';
	}
	text[used] = 0;
}

/* Until no command runs; what the kernel has an event for (the end of a child) is waited for. */
static struct alert_counts wait_for_commands(struct alert_set *set)
{
	struct alert_counts counts;

	for (alert_set_counts(set, &counts); counts.running; alert_set_counts(set, &counts)) {
		siginfo_t info;

		assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
		alert_set_reap(set);
	}
	return counts;
}

static void test_a_command_gets_the_values(void **state)
{
	static const char *const command[] = {
		"sh", "-c",
		"echo \"$1 $TENDRIL_ALERT_EVENT $TENDRIL_ALERT_PID $TENDRIL_ALERT_NAME "
		"$TENDRIL_ALERT_VALUE $TENDRIL_ALERT_RULE $TENDRIL_ALERT_TIME\"",
		"sh", "a;b", NULL
	};
	const struct alert_action action = { .command = command, .on_clear = true };
	struct monitor_process one = process(5, "a\n$(id)\x1b", 50, 100);
	struct alert_counts counts;
	struct alert_set *set;
	char text[1024];
	int in, out;

	(void)state;
	set = set_with_pipe(0, 0, &in, &out);
	add(set, "handles>10", &action);
	assert_int_equal(feed_at(set, 7, &one, 1), 1);
	read_lines(in, text, sizeof(text), 1);
	assert_string_equal(text, "a;b fired 5 a\\x0a$(id)\\x1b 50 handles>10 1700000007\n");
	one.value[MONITOR_HANDLES] = 1;
	assert_int_equal(feed_at(set, 8, &one, 1), 1);
	read_lines(in, text, sizeof(text), 1);
	assert_string_equal(text, "a;b cleared 5 a\\x0a$(id)\\x1b 1 handles>10 1700000008\n");
	counts = wait_for_commands(set);
	assert_int_equal(counts.done, 2);
	assert_int_equal(counts.failed, 0);
	alert_set_free(set);
	close(in);
	close(out);
}

static void test_once_and_every_time(void **state)
{
	const struct alert_action once = { .shell = "echo once", .once = true };
	const struct alert_action every = { .shell = "echo every" };
	struct alert_counts counts;
	struct alert_set *set;
	int in, out;

	(void)state;
	set = set_with_pipe(0, 0, &in, &out);
	add(set, "handles>10", &once);
	add(set, "handles>20", &every);
	for (int i = 0; i < 6; i++)
		assert_int_equal(feed_one(set, i, i % 2 ? 1 : 50), 2); /* listed each time */
	counts = wait_for_commands(set);
	assert_int_equal(counts.done, 1 + 3);
	alert_set_free(set);
	close(in);
	close(out);
}

static void assert_outcome(struct alert_outcome outcome, enum alert_outcome_kind kind, int code)
{
	if (outcome.kind != kind || outcome.code != code)
		fail_msg("%s %d, wanted %s %d", alert_outcome_name(outcome.kind), outcome.code,
			 alert_outcome_name(kind), code);
}

static void alert_event_says(const struct alert_event *event, const char *wanted)
{
	char text[ALERT_OUTCOME_BYTES];

	alert_outcome_text(event, text);
	assert_string_equal(text, wanted);
}

static void test_outcomes_follow_their_command(void **state)
{
	struct alert_event event;
	struct alert_set *set;
	uint64_t version;
	char line[128];
	int in, out, hold[2];

	(void)state;
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	set = set_with_pipe(1, 0, &in, &out);
	(void)snprintf(line, sizeof(line), "read x < /proc/%d/fd/%d; kill -9 $$", getpid(), hold[0]);
	add(set, "handles>10", NULL);
	add(set, "handles>10", &(struct alert_action){ .shell = line });
	add(set, "handles>10", &(struct alert_action){ .shell = "true" });
	assert_int_equal(feed_one(set, 0, 50), 3);
	assert_int_equal(alert_set_events(set, 0, &event, 1), 1);
	assert_outcome(event.run, ALERT_NO_ACTION, 0);
	alert_event_says(&event, "");
	assert_int_equal(alert_set_events(set, 1, &event, 1), 1);
	assert_outcome(event.run, ALERT_RUNNING, 0);
	assert_int_equal(alert_set_events(set, 2, &event, 1), 1);
	assert_outcome(event.run, ALERT_WAITING, 0);
	version = alert_set_version(set);
	assert_int_equal(write(hold[1], "\n", 1), 1);
	(void)wait_for_commands(set);
	assert_true(alert_set_version(set) != version);
	assert_int_equal(alert_set_events(set, 1, &event, 1), 1);
	assert_outcome(event.run, ALERT_KILLED, SIGKILL);
	alert_event_says(&event, "signal 9");
	assert_int_equal(alert_set_events(set, 2, &event, 1), 1);
	assert_outcome(event.run, ALERT_EXITED, 0);
	version = alert_set_version(set);
	assert_int_equal(feed_one(set, 1, 50), 0);
	assert_int_equal(alert_set_version(set), version);
	alert_set_free(set);
	close(in);
	close(out);
	close(hold[0]);
	close(hold[1]);
}

/* Ours was raised, and theirs is as it was; what we have open is not theirs. */
static void test_commands_have_nothing_of_ours(void **state)
{
	struct alert_options options = { .environment = environ, .handle_limit = 77 };
	struct alert_set *set = NULL;
	struct rlimit before, raised;
	char text[256], wanted[64];
	int ends[2], leaked;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	raised = before;
	raised.rlim_cur = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &raised), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	options.output_fd = ends[1];
	assert_int_equal(alert_set_new(&options, &set), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	leaked = dup(ends[0]); /* not closed by execve(2) */
	/* Its fourth is the directory that it reads. */
	add(set, "handles>10", &(struct alert_action){
		.shell = "ulimit -S -n; ulimit -H -n; set -- /proc/$$/fd/*; echo $#; "
			 "grep SigIgn /proc/$$/status; test $$ = $(cut -d' ' -f6 /proc/$$/stat); echo $?" });
	assert_int_equal(feed_one(set, 0, 50), 1);
	read_lines(ends[0], text, sizeof(text), 5);
	(void)snprintf(wanted, sizeof(wanted), "77\n%lu\n4\nSigIgn:\t0000000000000000\n0\n",
		       (unsigned long)before.rlim_max);
	assert_string_equal(text, wanted);
	(void)signal(SIGPIPE, SIG_DFL);
	close(leaked);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	(void)wait_for_commands(set);
	alert_set_free(set);
	close(ends[0]);
	close(ends[1]);
}

static void test_rules_tell_their_facts(void **state)
{
	struct alert_set *set = make_set();
	struct alert_rule_facts facts;
	char why[ALERT_WHY_BYTES];

	(void)state;
	add(set, "handles>10", NULL);
	add(set, "threads>99999", &(struct alert_action){ .shell = "true", .once = true });
	add(set, "leak", &(struct alert_action){ .url = "http://localhost/" });
	assert_int_equal(feed_one(set, 0, 50), 1);
	assert_true(alert_set_rule_facts(set, 0, &facts));
	assert_string_equal(facts.text, "handles>10");
	assert_true(facts.n_active == 1 && !facts.runs && !facts.calls && !facts.every_time);
	assert_true(alert_set_rule_facts(set, 1, &facts));
	assert_true(facts.n_active == 0 && facts.runs && !facts.calls && !facts.every_time);
	assert_true(alert_set_rule_facts(set, 2, &facts));
	assert_true(!facts.runs && facts.calls && facts.every_time);
	assert_false(alert_set_rule_facts(set, 3, &facts));
	assert_int_equal(alert_rule_check("handles>10 nginx", why), 0);
	assert_int_equal(alert_rule_check("handles>", why), -EINVAL);
	assert_non_null(strstr(why, "no number"));
	assert_int_equal(alert_set_n_rules(set), 3);
	alert_set_free(set);
}

static void test_commands_that_fail_are_counted(void **state)
{
	static const char *const no_such[] = { "/no/such/command", NULL };
	const struct alert_action missing = { .command = no_such };
	const struct alert_action failing = { .shell = "exit 3" };
	struct alert_event events[2];
	struct alert_counts counts;
	struct alert_set *set;
	int in, out;

	(void)state;
	set = set_with_pipe(0, 0, &in, &out);
	add(set, "handles>10", &missing);
	add(set, "handles>10", &failing);
	assert_int_equal(feed_one(set, 0, 50), 2);
	counts = wait_for_commands(set);
	assert_int_equal(counts.failed, 2);
	assert_int_equal(counts.done, 0);
	assert_int_equal(alert_set_events(set, 0, events, 2), 2);
	assert_outcome(events[0].run, ALERT_NOT_STARTED, ENOENT);
	assert_outcome(events[1].run, ALERT_EXITED, 3);
	assert_outcome(events[1].call, ALERT_NO_ACTION, 0);
	alert_event_says(&events[0], "not started: No such file or directory");
	alert_event_says(&events[1], "exit 3");
	alert_set_free(set);
	close(in);
	close(out);
}

/* Commands that wait for us: feeding goes on, two run, 64 wait, the rest is counted. */
static void test_commands_never_block_and_are_bounded(void **state)
{
	struct monitor_process many[70];
	struct alert_counts counts;
	struct alert_set *set;
	char line[256];
	int in, out, hold[2];

	(void)state;
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	set = set_with_pipe(2, 0, &in, &out);
	(void)snprintf(line, sizeof(line), "read x < /proc/%d/fd/%d; echo $TENDRIL_ALERT_PID", getpid(),
		       hold[0]);
	add(set, "handles>10", &(struct alert_action){ .shell = line });
	for (int i = 0; i < 70; i++)
		many[i] = process(100 + i, "many", 50, 100);
	assert_int_equal(feed_at(set, 0, many, 70), 70);
	alert_set_counts(set, &counts);
	assert_int_equal(counts.running, 2);
	assert_int_equal(counts.waiting, 64);
	assert_int_equal(counts.dropped, 4);
	for (int i = 0; i < 70; i++)
		assert_int_equal(write(hold[1], "\n", 1), 1);
	counts = wait_for_commands(set);
	assert_int_equal(counts.done, 66);
	assert_int_equal(counts.waiting, 0);
	alert_set_free(set);
	close(in);
	close(out);
	close(hold[0]);
	close(hold[1]);
}

static int listen_on_loopback(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, bytes), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void wait_for_input(int fd)
{
	struct pollfd waiting = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&waiting, 1, DEADLINE_MS), 1);
}

/* One request, until its body is closed, answered. */
static void serve_once(int listening, const char *status, char *request, size_t room)
{
	char answer[128];
	size_t used = 0;
	int fd;

	wait_for_input(listening);
	fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	do {
		ssize_t n;

		wait_for_input(fd);
		n = read(fd, request + used, room - 1 - used);
		assert_true(n > 0);
		used += (size_t)n;
		request[used] = 0;
	} while (!strstr(request, "}"));
	(void)snprintf(answer, sizeof(answer), "HTTP/1.1 %s\r\nConnection: close\r\n"
		       "Content-Length: 0\r\n\r\n", status);
	assert_int_equal(write(fd, answer, strlen(answer)), strlen(answer));
	close(fd);
}

static void test_an_address_is_posted_to(void **state)
{
	struct monitor_process one = process(5, "a\"b\\\n\x1b", 50, 100);
	struct alert_counts counts;
	struct alert_event event;
	struct alert_set *set;
	char url[64], request[4096];
	int in, out, listening;
	uint16_t port;

	(void)state;
	if (system("command -v curl > /dev/null") != 0) {
		printf("# skipped: %s: no curl\n", __func__);
		skip();
	}
	listening = listen_on_loopback(&port);
	set = set_with_pipe(0, 0, &in, &out);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/hook?a=b", port);
	(void)unsetenv("http_proxy");
	add(set, "handles>10", &(struct alert_action){ .url = url });
	assert_int_equal(feed_at(set, 7, &one, 1), 1);
	serve_once(listening, "202 Accepted", request, sizeof(request));
	assert_non_null(strstr(request, "POST /hook?a=b HTTP/1.1\r\n"));
	assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(request, "\r\n\r\n{\"event\":\"fired\",\"rule\":\"handles>10\",\"pid\":5,"
					"\"name\":\"a\\\"b\\\\\\n\\u001b\",\"value\":50.000,"
					"\"time_s\":1700000007,\"number\":1,\"ended\":false}"));
	counts = wait_for_commands(set);
	assert_int_equal(counts.done, 1);
	assert_int_equal(counts.failed, 0);
	assert_outcome(last_event(set).call, ALERT_ANSWERED, 202);
	one.value[MONITOR_HANDLES] = 1;
	assert_int_equal(feed_at(set, 8, &one, 1), 1);
	one.value[MONITOR_HANDLES] = 50;
	assert_int_equal(feed_at(set, 9, &one, 1), 1);
	serve_once(listening, "503 Not Now", request, sizeof(request));
	assert_int_equal(wait_for_commands(set).failed, 1);
	assert_outcome(last_event(set).call, ALERT_ANSWERED, 503);
	event = last_event(set);
	alert_event_says(&event, "HTTP 503");
	close(listening);
	one.value[MONITOR_HANDLES] = 1;
	assert_int_equal(feed_at(set, 10, &one, 1), 1);
	one.value[MONITOR_HANDLES] = 50;
	assert_int_equal(feed_at(set, 11, &one, 1), 1);
	assert_int_equal(wait_for_commands(set).failed, 2);
	assert_outcome(last_event(set).call, ALERT_UNANSWERED, 7); /* nobody listens */
	alert_set_free(set);
	close(in);
	close(out);
}

static void test_bad_addresses_are_refused(void **state)
{
	static const char *const urls[] = { "", "ftp://x/", "file:///etc/passwd", "http://", "http:///x",
					    "http://x/\"", "http://x/\n", "http://x y", "-o/x" };
	struct alert_set *set = make_set();
	char why[ALERT_WHY_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		struct alert_action action = { .url = urls[i] };

		assert_int_equal(alert_set_add(set, "leak", &action, why), -EINVAL);
		assert_non_null(strstr(why, "no http or https address"));
	}
	alert_set_free(set);
}

/* What started from a command goes with it: the pipe's other end is closed when all have ended. */
static void expect_end_of_all(int in)
{
	struct pollfd waiting = { .fd = in, .events = POLLIN };
	char rest;

	assert_int_equal(poll(&waiting, 1, DEADLINE_MS), 1);
	assert_int_equal(read(in, &rest, 1), 0);
}

static void test_a_set_that_goes_ends_its_commands(void **state)
{
	struct alert_set *set;
	char text[64];
	int in, out;

	(void)state;
	set = set_with_pipe(0, 0, &in, &out);
	add(set, "handles>10", &(struct alert_action){ .shell = "sleep 1000 & echo up; wait" });
	assert_int_equal(feed_one(set, 0, 50), 1);
	read_lines(in, text, sizeof(text), 1);
	alert_set_free(set);
	close(out);
	expect_end_of_all(in);
	close(in);
}

static void test_a_command_that_hangs_is_ended(void **state)
{
	int64_t deadline = now_ns() + DEADLINE_MS * (int64_t)NS_PER_MS;
	struct alert_counts counts;
	struct alert_set *set;
	int in, out;

	(void)state;
	set = set_with_pipe(0, 1, &in, &out);
	add(set, "handles>10", &(struct alert_action){ .shell = "sleep 1000" });
	assert_int_equal(feed_one(set, 0, 50), 1);
	do {
		assert_true(now_ns() < deadline);
		(void)poll(NULL, 0, 10);
		alert_set_reap(set);
		alert_set_counts(set, &counts);
	} while (counts.running);
	assert_int_equal(counts.failed, 1);
	assert_int_equal(last_event(set).run.kind, ALERT_TIMED_OUT);
	alert_set_free(set);
	close(in);
	close(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_rules_are_named),
		cmocka_unit_test(test_good_rules),
		cmocka_unit_test(test_rules_are_bounded),
		cmocka_unit_test(test_over_a_limit_with_a_margin),
		cmocka_unit_test(test_under_a_limit),
		cmocka_unit_test(test_percent_of_the_own_limit),
		cmocka_unit_test(test_what_is_unknown_changes_nothing),
		cmocka_unit_test(test_an_end_clears),
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_growth_is_of_the_floor),
		cmocka_unit_test(test_growth_over_gaps_and_a_clock_far_on),
		cmocka_unit_test(test_number_of_processes),
		cmocka_unit_test(test_leak),
		cmocka_unit_test(test_the_list_is_bounded),
		cmocka_unit_test(test_a_command_gets_the_values),
		cmocka_unit_test(test_once_and_every_time),
		cmocka_unit_test(test_outcomes_follow_their_command),
		cmocka_unit_test(test_commands_have_nothing_of_ours),
		cmocka_unit_test(test_rules_tell_their_facts),
		cmocka_unit_test(test_commands_that_fail_are_counted),
		cmocka_unit_test(test_commands_never_block_and_are_bounded),
		cmocka_unit_test(test_an_address_is_posted_to),
		cmocka_unit_test(test_bad_addresses_are_refused),
		cmocka_unit_test(test_a_set_that_goes_ends_its_commands),
		cmocka_unit_test(test_a_command_that_hangs_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
