/* SPDX-License-Identifier: BSD-2-Clause */
/* test_leaks_engine.c - the engine over time: processes that come and go, and are not asked for any more */
#include <fcntl.h>
#include <linux/types.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "leaks/bpf/handles.h"
#include "leaks/leaks.h"
#include "leaks/source.h"

#include <cmocka.h> /* behind base.h: its macro fail() is not our function */

/* A child that does what it is told, a letter at a time: (o)pen a handle; start a (c)hild that leaves
 * one open at its end. */
struct worker {
	pid_t pid;
	int to, from;
};

static void leave_one(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(open("/dev/zero", O_RDONLY) < 0);
	(void)waitpid(pid, NULL, 0);
}

static void __attribute__((noreturn)) work(int in, int out)
{
	char letter;

	while (read(in, &letter, 1) == 1) {
		if (letter == 'o')
			(void)!open("/dev/null", O_RDONLY);
		else
			leave_one();
		(void)!write(out, &letter, 1);
	}
	_exit(0);
}

static struct worker start_worker(void)
{
	struct worker worker;
	int to[2], from[2];

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	worker.pid = fork();
	if (worker.pid == 0) {
		(void)close(to[1]);
		(void)close(from[0]);
		work(to[0], from[1]);
	}
	(void)close(to[0]);
	(void)close(from[1]);
	worker.to = to[1];
	worker.from = from[0];
	return worker;
}

static void tell(const struct worker *worker, char letter, int n)
{
	for (int i = 0; i < n; i++) {
		char answer;

		assert_int_equal(write(worker->to, &letter, 1), 1);
		assert_int_equal(read(worker->from, &answer, 1), 1);
	}
}

static void end_worker(const struct worker *worker)
{
	(void)close(worker->to);
	(void)close(worker->from);
	(void)kill(worker->pid, SIGKILL); /* others may have its pipe, too */
	assert_int_equal(waitpid(worker->pid, NULL, 0), worker->pid);
}

static struct leaks *open_engine(const struct leaks_options *options)
{
	struct tendril_error error = { 0 };
	struct leaks *leaks = NULL;

	if (leaks_open(options, &leaks, &error) < 0) {
		print_message("skipped: %s\n", error.text);
		skip();
	}
	return leaks;
}

/* What came while we looked, and is open still; -1: the process is not told of. */
static int64_t n_opened(const struct leaks_snapshot *snapshot, pid_t pid)
{
	int64_t n = 0;

	for (size_t i = 0; i < snapshot->n_processes; i++) {
		const struct leaks_process *process = &snapshot->processes[i];

		if (process->pid != pid)
			continue;
		for (size_t k = 0; k < process->n_sites; k++)
			for (size_t h = 0; h < process->sites[k].n_handles; h++)
				n += process->sites[k].handles[h].origin == LEAKS_OPENED;
		return n;
	}
	return -1;
}

static int64_t ask(struct leaks *leaks, pid_t pid)
{
	struct leaks_snapshot *snapshot;
	int64_t n;

	assert_int_equal(leaks_snapshot(leaks, &snapshot), 0);
	n = n_opened(snapshot, pid);
	leaks_snapshot_free(snapshot);
	return n;
}

static void one_that_was_removed_is_watched_no_more(void **state)
{
	const struct leaks_options options = { .never_ptrace = true };
	struct worker first = start_worker(), second = start_worker();
	struct leaks *leaks = open_engine(&options);
	struct leaks_counts counts;

	(void)state;
	assert_int_equal(leaks_add(leaks, first.pid, NULL), 0);
	assert_int_equal(leaks_add(leaks, second.pid, NULL), 0);
	tell(&first, 'o', 3);
	tell(&second, 'o', 2);
	assert_int_equal(ask(leaks, first.pid), 3);
	assert_int_equal(leaks_remove(leaks, first.pid), 0);
	assert_int_equal(leaks_alive(leaks), 1);
	tell(&first, 'o', 5);
	tell(&second, 'o', 1);
	assert_int_equal(ask(leaks, first.pid), -1);
	assert_int_equal(ask(leaks, second.pid), 3);
	leaks_count(leaks, &counts);
	assert_int_equal(counts.opened, 3);
	assert_int_equal(leaks_remove(leaks, first.pid), -ESRCH);

	/* Asked for anew: what it has is what was open before. */
	assert_int_equal(leaks_add(leaks, first.pid, NULL), 0);
	tell(&first, 'o', 1);
	assert_int_equal(ask(leaks, first.pid), 1);
	end_worker(&first);
	while (leaks_alive(leaks) > 1)
		assert_int_equal(leaks_step(leaks), 0);
	assert_int_equal(ask(leaks, first.pid), 1);
	assert_int_equal(leaks_remove(leaks, first.pid), 0);
	assert_int_equal(ask(leaks, first.pid), -1);
	leaks_close(leaks);
	end_worker(&second);
}

#define MANY 1300 /* more than are remembered */

/* Those that each left a handle with its stack; a snapshot taken before stays what it was. */
static void processes_that_have_ended_are_not_remembered_for_ever(void **state)
{
	struct worker worker = start_worker();
	const struct leaks_options options = { .pids = &worker.pid, .n_pids = 1, .follow = true,
					       .never_ptrace = true };
	struct leaks *leaks = open_engine(&options);
	struct leaks_snapshot *before, *after;
	const struct leaks_process *oldest;

	(void)state;
	for (int i = 0; i < 10; i++) {
		tell(&worker, 'c', 30);
		assert_int_equal(leaks_step(leaks), 0);
	}
	assert_int_equal(leaks_snapshot(leaks, &before), 0);
	assert_int_equal(before->n_processes, 301);
	for (int i = 0; i < (MANY - 300) / 50; i++) {
		tell(&worker, 'c', 50);
		assert_int_equal(leaks_step(leaks), 0);
	}
	assert_int_equal(leaks_snapshot(leaks, &after), 0);
	assert_in_range(after->n_processes, 500, 1100);
	assert_int_equal(after->dropped.lost, 0);
	assert_int_equal(after->dropped.opened, MANY + 1 - after->n_processes);
	assert_int_equal(n_opened(after, after->processes[after->n_processes - 1].pid), 1);
	oldest = &before->processes[1];
	assert_int_equal(n_opened(before, oldest->pid), 1);
	assert_non_null(oldest->sites[0].frames[0].function);
	leaks_snapshot_free(before);
	leaks_snapshot_free(after);
	assert_int_equal(leaks_step(leaks), 0); /* what they pointed to goes now */
	assert_int_equal(ask(leaks, worker.pid), 0);
	leaks_close(leaks);
	end_worker(&worker);
}

#pragma weak source_bpf_open /* a build without BPF has none */

/* The one handle that a process has opened while it was watched. */
struct one {
	pid_t pid;
	struct source_handle handle;
	int n;
};

static int take_one(void *context, const struct source_handle *handle)
{
	struct one *one = context;

	if (handle->pid == one->pid && handle->origin == LEAKS_OPENED) {
		one->handle = *handle;
		one->n++;
	}
	return 0;
}

static bool has_stack(struct source *source, pid_t pid)
{
	struct one one = { .pid = pid };

	assert_int_equal(source->ops->each_handle(source, 0, take_one, &one), 0);
	assert_int_equal(one.n, 1);
	return one.handle.has_stack;
}

/* As the reader asks that has looked before the call that opens it set the bit. */
static void stack_of_an_open_handle_is_not_taken_back_as_a_closed_ones(void **state)
{
	const struct leaks_options options = { .never_ptrace = true };
	struct tendril_error error = { 0 };
	struct source_handle as_closed;
	struct source *source;
	struct worker worker;
	struct one one = { 0 };

	(void)state;
	if (!source_bpf_open)
		skip();
	if (source_bpf_open(&options, &source, &error) < 0) {
		print_message("skipped: %s\n", error.text);
		skip();
	}
	worker = start_worker();
	one.pid = worker.pid;
	assert_int_equal(source->ops->add(source, worker.pid, false, &error), 0);
	tell(&worker, 'o', 1);
	assert_int_equal(source->ops->each_handle(source, 0, take_one, &one), 0);
	assert_int_equal(one.n, 1);
	assert_true(one.handle.has_stack);

	as_closed = one.handle;
	as_closed.number = (int)((uint32_t)as_closed.number | RELEASE_CLOSED);
	assert_int_equal(source->ops->release(source, &as_closed), 0);
	assert_int_equal(source->ops->flush_releases(source), 0);
	assert_true(has_stack(source, worker.pid));

	assert_int_equal(source->ops->release(source, &one.handle), 0);
	assert_int_equal(source->ops->flush_releases(source), 0);
	assert_false(has_stack(source, worker.pid));
	source->ops->close(source);
	end_worker(&worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_was_removed_is_watched_no_more),
		cmocka_unit_test(processes_that_have_ended_are_not_remembered_for_ever),
		cmocka_unit_test(stack_of_an_open_handle_is_not_taken_back_as_a_closed_ones),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
