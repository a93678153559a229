/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * local.c - the same transaction in the own process, where nobody needs to be borrowed
 */
#include "remote/thread.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/fault.h"

#define LOCAL_STACK_SLACK_BYTES (64ul * 1024)

struct local_thread {
	struct mailbox box;
	int references; /* the handle's, and the thread's */
	uint32_t is_parked;
	pid_t tid;
	struct plan_request request;
	uint64_t arguments[TENDRIL_ARGUMENTS_MAX];
	uint8_t data[];
};

static __thread struct local_thread *own;
static void (*first_call)(void);

void local_set_first_call(void (*call)(void))
{
	first_call = call;
}

struct mailbox *local_own_mailbox(void)
{
	return own ? &own->box : NULL;
}

void local_release(struct local_thread *local)
{
	if (__atomic_sub_fetch(&local->references, 1, __ATOMIC_ACQ_REL) == 0)
		free(local);
}

static void wait_while(uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
		(void)syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

/* As the agent does it (agent.c). */
static uint32_t wait_for_resume(struct mailbox *box)
{
	uint32_t word;

	__atomic_store_n(&box->park.waits, 1, __ATOMIC_RELEASE);
	(void)syscall(SYS_futex, &box->park.waits, FUTEX_WAKE, 1, NULL, NULL, 0);
	for (;;) {
		uint32_t verdict = __atomic_load_n(&box->verdict, __ATOMIC_ACQUIRE);

		if (verdict != AGENT_VERDICT_SUSPEND)
			return verdict;
		word = __atomic_load_n(&box->park.word, __ATOMIC_ACQUIRE);
		if (park_count(word) <= 0)
			return thread_change_verdict(box, AGENT_VERDICT_SUSPEND, AGENT_VERDICT_RUN);
		(void)syscall(SYS_futex, &box->park.word, FUTEX_WAIT, word, NULL, NULL, 0);
	}
}

/* pthread_exit() from the function, or a cancellation. */
static void end_without_value(void *data)
{
	struct local_thread *local = data;

	if (local->box.end == AGENT_RUNNING)
		__atomic_store_n(&local->box.end, AGENT_EXITED, __ATOMIC_RELEASE);
	local_release(local);
}

static uint64_t find_value(struct local_thread *local)
{
	struct agent agent = { 0 };

	if (local->request.value != AGENT_VALUE_CLOSED)
		return agent_call(local->request.function, local->arguments, &local->box.home_sp);
	plan_fill_call(&agent, &local->request);
	memcpy(agent.arguments, local->arguments, sizeof(agent.arguments));
	return agent_close_library(&agent);
}

static void *run_local(void *data)
{
	struct local_thread *local = data;

	own = local;
	pthread_cleanup_push(end_without_value, local);
	if (first_call)
		first_call();
	local->box.value = find_value(local);
	pthread_cleanup_pop(0);
	if (local->request.follow_when == AGENT_FOLLOW_ON_NULL && !local->box.value) {
		char *(*follow)(void) = (char *(*)(void))(uintptr_t)local->request.follow;
		const char *text = follow();

		if (text)
			strncpy(local->box.text, text, sizeof(local->box.text) - 1);
	}
	__atomic_store_n(&local->box.end, AGENT_RETURNED, __ATOMIC_RELEASE);
	local_release(local);
	return NULL;
}

static void *park_local(void *data)
{
	struct local_thread *local = data;

	local->tid = (pid_t)syscall(SYS_gettid);
	local->box.tid = local->tid;
	local->box.park.kind = PARK_MAILBOX;
	local->box.park.mark = PARK_MARK ^ (uintptr_t)&local->box.park;
	local->box.home_ip = (uintptr_t)agent_call_return;
	__atomic_store_n(&local->is_parked, 1, __ATOMIC_RELEASE);
	(void)syscall(SYS_futex, &local->is_parked, FUTEX_WAKE, 1, NULL, NULL, 0);
	wait_while(&local->box.verdict, AGENT_VERDICT_NONE);
	if (local->box.verdict == AGENT_VERDICT_SUSPEND)
		(void)wait_for_resume(&local->box);
	if (local->box.verdict == AGENT_VERDICT_RUN)
		return run_local(data);
	local_release(local);
	return NULL;
}

static struct local_thread *new_local(const struct plan_request *request)
{
	struct local_thread *local;
	size_t total = 0, at = 0;

	for (size_t i = 0; i < request->n_copies; i++) {
		if (request->copies[i].kind != TENDRIL_BYTES)
			continue;
		if (request->copies[i].bytes > TENDRIL_ARGUMENT_BYTES_MAX - total)
			return NULL;
		total += (request->copies[i].bytes + 15) & ~15ul;
	}
	local = calloc(1, sizeof(*local) + total);
	if (!local)
		return NULL;
	local->references = 1;
	local->request = *request;
	memcpy(local->arguments, request->arguments, sizeof(local->arguments));
	for (size_t i = 0; i < request->n_copies; i++) {
		if (request->copies[i].kind != TENDRIL_BYTES)
			continue;
		memcpy(local->data + at, request->copies[i].data, request->copies[i].bytes);
		local->arguments[i] = (uint64_t)(uintptr_t)(local->data + at);
		at += (request->copies[i].bytes + 15) & ~15ul;
	}
	return local;
}

static int spawn(struct local_thread *local, uint64_t stack_bytes)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r = FAULT_POINT("local-create");

	if (r < 0)
		return r;
	r = -pthread_attr_init(&attr);
	if (r < 0)
		return r;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (stack_bytes)
		r = -pthread_attr_setstacksize(&attr, round_up_page(stack_bytes) +
							      LOCAL_STACK_SLACK_BYTES);
	local->references = 2;
	if (r == 0)
		r = -pthread_create(&thread, &attr, park_local, local);
	if (r < 0)
		local->references = 1;
	(void)pthread_attr_destroy(&attr);
	return r;
}

/* The parked thread leaves; wait for it, so that nothing is left when the call returns. */
static void dismiss(struct local_thread *local)
{
	(void)thread_decide(&local->box, AGENT_VERDICT_NONE, AGENT_VERDICT_LEAVE);
	while (syscall(SYS_tgkill, getpid(), local->tid, 0) == 0)
		nap_ns(NS_PER_MS / 10);
}

static int attach_and_commit(struct tendril_thread *thread, const struct plan_request *request)
{
	int r = FAULT_POINT("local-handle");

	if (r == 0)
		r = thread->fd = open_thread_fd(thread->pid, thread->tid, &thread->fd_is_process);
	if (r >= 0)
		r = FAULT_POINT("local-commit");
	if (r < 0) {
		dismiss(thread->local);
		return r;
	}
	(void)thread_commit(thread->box, request->is_suspended);
	thread_wake(thread->box);
	thread->stays = request->stays;
	if (request->stays) /* where others find it */
		wait_while(&thread->box->park.waits, 0);
	return 0;
}

static int start_local(struct tendril_thread *thread, const struct plan_request *request,
		       enum tendril_stage *stage)
{
	int r;

	*stage = TENDRIL_STAGE_PREPARE;
	thread->local = new_local(request);
	if (!thread->local)
		return -ENOMEM;
	thread->box = &thread->local->box;
	*stage = TENDRIL_STAGE_CREATE;
	r = spawn(thread->local, request->stack_bytes);
	if (r < 0)
		return r;
	wait_while(&thread->local->is_parked, 0);
	thread->tid = thread->local->tid;
	*stage = TENDRIL_STAGE_ATTACH;
	return attach_and_commit(thread, request);
}

int local_create(struct tendril_target *target, const struct plan_request *request,
		 struct tendril_thread **ret_thread, struct tendril_error *error)
{
	int64_t started_ns = now_ns();
	struct tendril_thread *thread = calloc(1, sizeof(*thread));
	enum tendril_stage stage = TENDRIL_STAGE_CHECK;
	int r = -ENOMEM;

	if (thread) {
		thread->fd = -1;
		thread->pid = target->pid;
		thread->same_pid_namespace = true;
		thread->cost.size = sizeof(thread->cost);
		r = start_local(thread, request, &stage);
	}
	if (r < 0) {
		tendril_thread_close(thread);
		return fail(error, r, stage, TENDRIL_RULE_LIMIT, "no thread here: %s",
			    strerror(-r));
	}
	thread->cost.latency_us = (double)(now_ns() - started_ns) / NS_PER_US;
	*ret_thread = thread;
	return 0;
}
