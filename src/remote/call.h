/* SPDX-License-Identifier: BSD-2-Clause */
/* call.h - a function call as a request for a thread */
#ifndef REMOTE_CALL_H
#define REMOTE_CALL_H

#include "remote/thread.h"

int call_request(struct plan_request *request, uint64_t function,
		 const struct tendril_argument *arguments, size_t n_arguments,
		 struct tendril_error *error);
/* Take over how the thread is to be made; options NULL: as usual. */
int call_options(const struct tendril_thread_options *options, struct plan_request *request,
		 struct tendril_error *error);
/* In the target, or in the own process. */
int start_thread(struct tendril_target *target, const struct plan_request *request,
		 struct tendril_thread **ret_thread, struct tendril_error *error);
int await_value(struct tendril_thread *thread, int64_t timeout_ms, uint64_t *ret_value,
		struct tendril_error *error);

#endif /* REMOTE_CALL_H */
