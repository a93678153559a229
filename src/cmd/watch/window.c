/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/watch/window.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "cmd/watch/thread.h"

/* Processes that had ended by the end of the window are shown too, up to so many. */
#define ENDED_MAX 2000

struct window_reader {
	struct store *store;
	struct window window;
	bool has_range;
	int64_t last_point; /* of the window's MODEL_POINTS parts; -1: none */
	int result, ended;  /* ended: an eventfd */
	pthread_t thread;
	atomic_uint percent;
	atomic_bool is_cancelled;
};

/* The window's parts are of the same length: the chart's axis is one of time. */
static int64_t point_of(const struct window_reader *reader, int64_t time_ns)
{
	double width = (double)(reader->window.to_ns - reader->window.from_ns) + 1;
	double part = (double)(time_ns - reader->window.from_ns) / width;

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
		return -EINTR;
	atomic_store(&reader->percent, (unsigned)(point * 100 / MODEL_POINTS));
	if (reader->last_point >= 0 && point > reader->last_point)
		model_leave_out(&reader->window.model, (size_t)(point - reader->last_point - 1),
				sample.time_ns);
	reader->last_point = point;
	/* The monotonic clock begins anew with each boot. */
	sample.monotonic_ns = sample.time_ns;
	r = trend_table_feed(reader->window.model.trends, &sample);
	return r < 0 ? r : model_take(&reader->window.model, &input);
}

void window_keep_in_range(const struct store_range *range, int64_t *from_ns, int64_t *to_ns)
{
	int64_t width = *to_ns - *from_ns, all = range->last_ns - range->first_ns;

	if (width > all)
		width = all;
	if (*to_ns > range->last_ns)
		*to_ns = range->last_ns;
	if (*to_ns < range->first_ns + width)
		*to_ns = range->first_ns + width;
	*from_ns = *to_ns - width;
}

static int read_window(struct window_reader *reader)
{
	struct window *window = &reader->window;
	int r = 0;

	if (!reader->has_range) {
		r = store_range(reader->store, &window->range);
		window->from_ns += window->range.last_ns;
		window->to_ns += window->range.last_ns;
	}
	if (r < 0)
		return r;
	window_keep_in_range(&window->range, &window->from_ns, &window->to_ns);
	return store_read(reader->store, window->from_ns, window->to_ns, take_reading, reader);
}

static void *run(void *context)
{
	struct window_reader *reader = context;
	uint64_t one = 1;

	reader->result = read_window(reader);
	(void)!write(reader->ended, &one, sizeof(one)); /* an eventfd of ours always has room for one */
	return NULL;
}

int window_begin(struct store *store, const struct store_range *range, int64_t from_ns,
		 int64_t to_ns, struct window_reader **ret_reader)
{
	AUTO_FREE struct window_reader *reader = calloc(1, sizeof(*reader));
	AUTO_CLOSE int ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r;

	if (!reader)
		return -ENOMEM;
	if (ended < 0)
		return -errno;
	reader->store = store;
	reader->has_range = range;
	if (range)
		reader->window.range = *range;
	reader->window.from_ns = from_ns;
	reader->window.to_ns = to_ns;
	reader->last_point = -1;
	reader->ended = ended;
	reader->window.model.max_ended = ENDED_MAX;
	reader->window.model.shares_points = true;
	r = trend_table_new(&reader->window.model.trends);
	if (r == 0)
		r = thread_start(&reader->thread, run, reader);
	if (r < 0) {
		model_done(&reader->window.model);
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
	store_interrupt(reader->store);
}

int window_end(struct window_reader *reader, struct window *ret_window)
{
	int r;

	(void)pthread_join(reader->thread, NULL);
	r = reader->result;
	if (r < 0)
		model_done(&reader->window.model);
	else
		*ret_window = reader->window;
	close_keeping_errno(reader->ended);
	free(reader);
	return r;
}
