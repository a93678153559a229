/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/call.h"

#include <string.h>

int call_options(const struct tendril_thread_options *options, struct plan_request *request,
		 struct tendril_error *error)
{
	const uint32_t known = TENDRIL_THREAD_SUSPENDED | TENDRIL_THREAD_STAY;

	if (!options)
		return 0;
	if (options->size < sizeof(*options) || options->flags & ~known || options->reserved)
		return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "unknown flag, or size not set, in the thread's options");
	request->is_suspended = options->flags & TENDRIL_THREAD_SUSPENDED;
	request->stays = request->is_suspended && options->flags & TENDRIL_THREAD_STAY;
	request->stack_bytes = options->stack_bytes;
	return 0;
}

int start_thread(struct tendril_target *target, const struct plan_request *request,
		 struct tendril_thread **ret_thread, struct tendril_error *error)
{
	if (target->is_self)
		return local_create(target, request, ret_thread, error);
	return remote_create(target, request, ret_thread, error);
}

int tendril_create(struct tendril_target *target, uint64_t start, uint64_t param,
		   const struct tendril_thread_options *options,
		   struct tendril_thread **ret_thread, struct tendril_error *error)
{
	struct plan_request request = { .function = start, .arguments = { param } };
	int r = call_options(options, &request, error);

	return r < 0 ? r : start_thread(target, &request, ret_thread, error);
}

int call_request(struct plan_request *request, uint64_t function,
		 const struct tendril_argument *arguments, size_t n_arguments,
		 struct tendril_error *error)
{
	memset(request, 0, sizeof(*request));
	request->function = function;
	if (n_arguments > TENDRIL_ARGUMENTS_MAX)
		return fail(error, -E2BIG, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT,
			    "a function is called with at most %d arguments",
			    TENDRIL_ARGUMENTS_MAX);
	for (size_t i = 0; i < n_arguments; i++) {
		if (arguments[i].kind != TENDRIL_INTEGER && arguments[i].kind != TENDRIL_BYTES)
			return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
				    "argument %zu is of no known kind", i + 1);
		request->arguments[i] = arguments[i].value;
	}
	request->copies = arguments;
	request->n_copies = n_arguments;
	return 0;
}

int tendril_call_start(struct tendril_target *target, uint64_t function,
		       const struct tendril_argument *arguments, size_t n_arguments,
		       const struct tendril_thread_options *options,
		       struct tendril_thread **ret_thread, struct tendril_error *error)
{
	struct plan_request request;
	int r = call_request(&request, function, arguments, n_arguments, error);

	if (r == 0)
		r = call_options(options, &request, error);
	return r < 0 ? r : start_thread(target, &request, ret_thread, error);
}

int await_value(struct tendril_thread *thread, int64_t timeout_ms, uint64_t *ret_value,
		struct tendril_error *error)
{
	if (tendril_thread_wait(thread, timeout_ms) < 0)
		return fail(error, -ETIMEDOUT, TENDRIL_STAGE_WAIT, TENDRIL_RULE_NONE,
			    "the function had not returned after %lld ms; it goes on in thread %d",
			    (long long)timeout_ms, thread->tid);
	if (tendril_thread_value(thread, ret_value) < 0)
		return fail(error, -ESRCH, TENDRIL_STAGE_WAIT, TENDRIL_RULE_NONE,
			    "the thread ended without returning: the function ended it, or the "
			    "process");
	return 0;
}

int tendril_call(struct tendril_target *target, uint64_t function,
		 const struct tendril_argument *arguments, size_t n_arguments, int64_t timeout_ms,
		 uint64_t *ret_value, struct tendril_error *error)
{
	struct tendril_thread *thread;
	uint64_t value = 0;
	int r = tendril_call_start(target, function, arguments, n_arguments, NULL, &thread, error);

	if (r < 0)
		return r;
	r = await_value(thread, timeout_ms, &value, error);
	tendril_thread_close(thread);
	if (r == 0 && ret_value)
		*ret_value = value;
	return r;
}
