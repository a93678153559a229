/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/watch/window.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

/* Processes that had ended by the end of the window are shown too, up to so many. */
#define ENDED_MAX 2000

struct window_reader {
	struct store *store;
	int64_t from_ns, to_ns;
	struct model model;
	int64_t last_point; /* of the window's MODEL_POINTS parts; -1: none */
	int result, ended;  /* ended: an eventfd */
	pthread_t thread;
	atomic_uint percent;
	atomic_bool is_cancelled;
};

/* The window's parts are of the same length: the chart's axis is one of time. */
static int64_t point_of(const struct window_reader *reader, int64_t time_ns)
{
	double width = (double)(reader->to_ns - reader->from_ns) + 1;
	double part = (double)(time_ns - reader->from_ns) / width;

	return part < 0 ? 0 : part < 1 ? (int64_t)(part * MODEL_POINTS) : MODEL_POINTS - 1;
}

static int take_reading(void *context, const struct store_reading *reading)
{
	struct window_reader *reader = context;
	int64_t point = point_of(reader, reading->sample->time_ns);
	struct monitor_sample sample = *reading->sample;
	const struct model_input input = { .sample = &sample,
					   .min = reading->min,
					   .max = reading->max,
					   .n_samples = reading->n_samples,
					   .stays = point == reader->last_point,
					   .after_gap = reading->after_gap };
	int r;

	if (atomic_load(&reader->is_cancelled))
		return -ECANCELED;
	atomic_store(&reader->percent, (unsigned)(point * 100 / MODEL_POINTS));
	if (reader->last_point >= 0 && point > reader->last_point)
		model_leave_out(&reader->model, (size_t)(point - reader->last_point - 1),
				sample.time_ns);
	reader->last_point = point;
	/* The monotonic clock begins anew with each boot. */
	sample.monotonic_ns = sample.time_ns;
	r = trend_table_feed(reader->model.trends, &sample);
	return r < 0 ? r : model_take(&reader->model, &input);
}

static void *run(void *context)
{
	struct window_reader *reader = context;
	uint64_t one = 1;

	reader->result = store_read(reader->store, reader->from_ns, reader->to_ns, take_reading,
				    reader);
	(void)!write(reader->ended, &one, sizeof(one)); /* an eventfd of ours always has room for one */
	return NULL;
}

/* Signals are the loop's. */
static int start_thread(struct window_reader *reader)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	r = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (r)
		return -r;
	r = pthread_create(&reader->thread, NULL, run, reader);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int window_begin(struct store *store, int64_t from_ns, int64_t to_ns,
		 struct window_reader **ret_reader)
{
	AUTO_FREE struct window_reader *reader = calloc(1, sizeof(*reader));
	AUTO_CLOSE int ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r;

	if (!reader)
		return -ENOMEM;
	if (ended < 0)
		return -errno;
	reader->store = store;
	reader->from_ns = from_ns;
	reader->to_ns = to_ns;
	reader->last_point = -1;
	reader->ended = ended;
	reader->model.max_ended = ENDED_MAX;
	reader->model.shares_points = true;
	r = trend_table_new(&reader->model.trends);
	if (r == 0)
		r = start_thread(reader);
	if (r < 0) {
		model_done(&reader->model);
		return r;
	}
	(void)take_fd(&ended);
	*ret_reader = reader;
	reader = NULL;
	return 0;
}

int window_fd(const struct window_reader *reader)
{
	return reader->ended;
}

unsigned window_percent(const struct window_reader *reader)
{
	return atomic_load(&reader->percent);
}

void window_cancel(struct window_reader *reader)
{
	atomic_store(&reader->is_cancelled, true);
}

int window_end(struct window_reader *reader, struct model *ret_model)
{
	int r;

	(void)pthread_join(reader->thread, NULL);
	r = reader->result;
	if (r < 0)
		model_done(&reader->model);
	else
		*ret_model = reader->model;
	close_keeping_errno(reader->ended);
	free(reader);
	return r;
}
