/* SPDX-License-Identifier: BSD-2-Clause */
/* store_read.c - walk through a log: as states, as samples, as lines of a chart */
#include "monitor/store_private.h"

#include <string.h>

/* Walking */

struct walk {
	struct store *store;
	int64_t from_ms, to_ms, last_ms;
	uint32_t wanted;
	bool has_key, members_changed;
	bool after_gap;        /* since what was handed out last */
	struct delta_state state, min, max;
	int64_t offset_ms;     /* of the monotonic clock */
	store_row_fn take;
	void *context;
};

static void walk_done(struct walk *walk)
{
	delta_state_done(&walk->state);
	delta_state_done(&walk->min);
	delta_state_done(&walk->max);
}

static int decode(struct walk *walk, struct delta_state *state, const unsigned char **data,
		  const unsigned char *end)
{
	bool members = false;
	int r = delta_decode(state, walk->wanted, *data, end, data, &members);

	walk->members_changed |= members;
	if (r == -ENOMEM)
		return store_fail(walk->store, r, "out of memory");
	return r < 0 ? store_damaged(walk->store, "a row cannot be decoded") : 0;
}

/* What both kinds of rows have in common: time, key, data in the last three columns. */
static int begin_row(struct walk *walk, sqlite3_stmt *statement, int column, int64_t time_ms)
{
	int64_t key = sqlite3_column_int64(statement, column);

	if (time_ms <= walk->last_ms || time_ms > INT64_MAX / NS_PER_MS / 2)
		return store_damaged(walk->store, "impossible times");
	if (key < 0 || key >= STORE_KEYS || (key == STORE_STEP && !walk->has_key))
		return store_damaged(walk->store, "a keyframe is missing");
	walk->last_ms = time_ms;
	if (key == STORE_STEP)
		return 0;
	walk->has_key = walk->members_changed = true;
	walk->after_gap |= key == STORE_KEY_START;
	walk->state.n_cells = 0;
	walk->offset_ms = 0;
	return 0;
}

static int hand_out(struct walk *walk, struct store_row *row)
{
	int r;

	if (row->end_ms < walk->from_ms || row->time_ms > walk->to_ms)
		return 0;
	row->members_changed = walk->members_changed;
	row->after_gap = walk->after_gap;
	r = walk->take(walk->context, row);
	walk->members_changed = walk->after_gap = false;
	return r;
}

static int take_sample(struct walk *walk, sqlite3_stmt *statement)
{
	int64_t time_ms = sqlite3_column_int64(statement, 0), offset_ms = 0;
	const unsigned char *data = sqlite3_column_blob(statement, 2);
	const unsigned char *end = data + (data ? sqlite3_column_bytes(statement, 2) : 0);
	struct store_row row = { .time_ms = time_ms, .end_ms = time_ms, .n_samples = 1,
				 .state = &walk->state };
	int r = begin_row(walk, statement, 1, time_ms);

	if (r < 0)
		return r;
	data = delta_get_signed(data, end, &offset_ms);
	if (!data || offset_ms > STORE_OFFSET_MS_MAX || offset_ms < -STORE_OFFSET_MS_MAX)
		return store_damaged(walk->store, "a row cannot be decoded");
	r = decode(walk, &walk->state, &data, end);
	if (r < 0)
		return r;
	walk->offset_ms += offset_ms;
	if (walk->offset_ms > STORE_OFFSET_MS_MAX || walk->offset_ms < -STORE_OFFSET_MS_MAX)
		return store_damaged(walk->store, "impossible times");
	row.monotonic_ms = time_ms + walk->offset_ms;
	return hand_out(walk, &row);
}

/* Three steps: from the average before to this one, and from this one to its extremes. */
static int take_average(struct walk *walk, sqlite3_stmt *statement)
{
	int64_t time_ms = sqlite3_column_int64(statement, 0);
	int64_t end_ms = sqlite3_column_int64(statement, 3);
	int64_t n_samples = sqlite3_column_int64(statement, 4);
	const unsigned char *data = sqlite3_column_blob(statement, 2);
	const unsigned char *end = data + (data ? sqlite3_column_bytes(statement, 2) : 0);
	struct store_row row = { .time_ms = time_ms, .end_ms = end_ms,
				 .monotonic_ms = time_ms, .n_samples = (uint64_t)n_samples,
				 .state = &walk->state, .min = &walk->min, .max = &walk->max };
	int r = begin_row(walk, statement, 1, time_ms);

	if (r < 0)
		return r;
	if (end_ms < time_ms || end_ms > INT64_MAX / NS_PER_MS / 2 || n_samples < 1)
		return store_damaged(walk->store, "an impossible average");
	walk->last_ms = end_ms;
	r = decode(walk, &walk->state, &data, end);
	if (r == 0)
		r = delta_state_copy(&walk->min, &walk->state);
	if (r == 0)
		r = decode(walk, &walk->min, &data, end);
	if (r == 0)
		r = delta_state_copy(&walk->max, &walk->state);
	if (r == 0)
		r = decode(walk, &walk->max, &data, end);
	if (r < 0)
		return r;
	if (walk->min.n_cells != walk->state.n_cells || walk->max.n_cells != walk->state.n_cells)
		return store_damaged(walk->store, "an impossible average");
	return hand_out(walk, &row);
}

static int walk_table(struct walk *walk, const char *sql,
		      int (*take)(struct walk *walk, sqlite3_stmt *statement))
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(walk->store, &statement, sql, 2, walk->from_ms, walk->to_ms);

	walk->has_key = false;
	while (r == 0 && (r = store_step(walk->store, statement)) == 1)
		r = take(walk, statement);
	return r;
}

static int walk_samples(struct walk *walk)
{
	return walk_table(walk,
			  "SELECT time_ms, is_key, data FROM sample WHERE time_ms <= ?2 AND "
			  "time_ms >= coalesce((SELECT max(time_ms) FROM sample WHERE is_key AND "
			  "time_ms <= ?1), 0) ORDER BY time_ms", take_sample);
}

static int walk_averages(struct walk *walk)
{
	return walk_table(walk,
			  "SELECT time_ms, is_key, data, end_ms, n_samples FROM average WHERE "
			  "time_ms <= ?2 AND time_ms >= coalesce((SELECT max(time_ms) FROM average "
			  "WHERE is_key AND time_ms <= ?1), 0) ORDER BY time_ms", take_average);
}

int store_walk_samples(struct store *store, int64_t from_ms, int64_t to_ms, store_row_fn take,
		       void *context)
{
	struct walk walk = { .store = store, .from_ms = from_ms, .to_ms = to_ms, .last_ms = -1,
			     .wanted = UINT32_MAX, .take = take, .context = context };
	int r = walk_samples(&walk);

	walk_done(&walk);
	return r;
}

int store_walk(struct store *store, int64_t from_ms, int64_t to_ms, uint32_t wanted,
	       store_row_fn take, void *context)
{
	struct walk walk = { .store = store, .from_ms = from_ms, .to_ms = to_ms, .last_ms = -1,
			     .wanted = wanted, .take = take, .context = context };
	int r = store_run(store, "BEGIN"); /* one view of it, whatever the writer does meanwhile */

	if (r < 0)
		return r;
	r = walk_averages(&walk);
	if (r == 0)
		r = walk_samples(&walk);
	walk_done(&walk);
	return store_end(store, r);
}

/* Samples */

#define ENOUGH (-ECANCELED)

struct reader {
	struct store *store;
	store_read_fn read;
	void *context;
	sqlite3_stmt *find; /* a process by its instance */
	struct store_live *member; /* beside the state's cells */
	size_t n_members;
	size_t *order;      /* which cell is at which place, by rising pid */
	struct monitor_process *process[3]; /* of the sample, and of its extremes */
	uint64_t *instance;
};

static int find_process(struct reader *reader, uint64_t id, struct monitor_process *ret_process)
{
	int r;

	if (sqlite3_bind_int64(reader->find, 1, (int64_t)id) != SQLITE_OK)
		return store_sqlite_error(reader->store);
	r = store_step(reader->store, reader->find);
	if (r == 1)
		r = store_take_process(reader->store, reader->find, 0, ret_process);
	else if (r == 0)
		r = store_damaged(reader->store, "a sample has a process that is not listed");
	/* One that goes on would make SQLite remember an interruption. */
	sqlite3_reset(reader->find);
	return r;
}

/* The processes of the new state: those that were there before are known. */
static int find_members(struct reader *reader, const struct delta_state *state)
{
	AUTO_FREE struct store_live *member = calloc(state->n_cells + 1, sizeof(*member));
	struct store_live *old = reader->member;
	int r = member ? 0 : -ENOMEM;

	for (size_t i = 0, j = 0; r == 0 && i < state->n_cells; i++) {
		member[i].id = state->cell[i].instance;
		while (j < reader->n_members && old[j].id < member[i].id)
			j++;
		if (j < reader->n_members && old[j].id == member[i].id)
			member[i] = old[j];
		else
			r = find_process(reader, member[i].id, &member[i].process);
	}
	if (r < 0)
		return r;
	free(reader->member);
	reader->member = member;
	member = NULL;
	reader->n_members = state->n_cells;
	return 0;
}

static int by_pid(const void *a, const void *b, void *context)
{
	const struct store_live *member = context;
	pid_t x = member[*(const size_t *)a].process.pid, y = member[*(const size_t *)b].process.pid;

	if (x == y) /* in order, so that their ids are, too */
		return *(const size_t *)a < *(const size_t *)b ? -1 : 1;
	return (x > y) - (x < y);
}

static int resize(struct reader *reader)
{
	size_t n = reader->n_members + 1;

	for (size_t i = 0; i < ARRAY_SIZE(reader->process); i++) {
		struct monitor_process *grown =
			reallocarray(reader->process[i], n, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		reader->process[i] = grown;
	}
	free(reader->order);
	free(reader->instance);
	reader->order = calloc(n, sizeof(*reader->order));
	reader->instance = calloc(n, sizeof(*reader->instance));
	return reader->order && reader->instance ? 0 : -ENOMEM;
}

/* Only while an average was made, a pid may have been used again. */
static int change_members(struct reader *reader, const struct delta_state *state,
			  bool is_average)
{
	int r = find_members(reader, state);

	if (r == 0)
		r = resize(reader);
	if (r < 0)
		return r == -ENOMEM ? store_fail(reader->store, r, "out of memory") : r;
	for (size_t i = 0; i < reader->n_members; i++)
		reader->order[i] = i;
	qsort_r(reader->order, reader->n_members, sizeof(*reader->order), by_pid, reader->member);
	for (size_t i = 0; i < reader->n_members; i++) {
		const struct store_live *member = &reader->member[reader->order[i]];

		if (!is_average && i > 0 &&
		    reader->process[0][i - 1].pid == member->process.pid)
			return store_damaged(reader->store, "a process is in a sample twice");
		for (size_t k = 0; k < ARRAY_SIZE(reader->process); k++)
			reader->process[k][i] = member->process;
		reader->instance[i] = member->id;
	}
	return 0;
}

/* The state's values, to the places of the processes. */
static void fill(struct reader *reader, size_t which, const struct delta_state *state)
{
	for (size_t i = 0; i < reader->n_members; i++) {
		const struct delta_cell *cell = &state->cell[reader->order[i]];
		struct monitor_process *process = &reader->process[which][i];

		process->known = cell->known;
		memcpy(process->value, cell->value, sizeof(process->value));
	}
}

static int read_row(void *context, const struct store_row *row)
{
	struct reader *reader = context;
	const struct delta_state *const states[] = { row->state, row->min, row->max };
	struct monitor_sample samples[ARRAY_SIZE(states)];
	struct store_reading reading = { .sample = &samples[0], .n_samples = row->n_samples,
					 .end_ns = store_ns(row->end_ms),
					 .after_gap = row->after_gap };
	int r = row->members_changed ? change_members(reader, row->state, row->min) : 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		samples[i] = (struct monitor_sample){ .time_ns = store_ns(row->time_ms),
						      .monotonic_ns = store_ns(row->monotonic_ms),
						      .process = reader->process[i],
						      .n_processes = reader->n_members };
		if (states[i])
			fill(reader, i, states[i]);
	}
	reading.instance = reader->instance;
	reading.min = row->min ? &samples[1] : NULL;
	reading.max = row->max ? &samples[2] : NULL;
	r = reader->read(reader->context, &reading);
	return r > 0 ? ENOUGH : r;
}

int store_read(struct store *store, int64_t from_ns, int64_t to_ns, store_read_fn read,
	       void *context)
{
	struct reader reader = { .store = store, .read = read, .context = context };
	int r = store_prepare(store, &reader.find,
			      "SELECT " STORE_PROCESS_COLUMNS " FROM instance WHERE id = ?1", 0);

	if (r == 0)
		r = store_walk(store, store_ms_from(from_ns), to_ns / NS_PER_MS, UINT32_MAX, read_row,
			       &reader);
	sqlite3_finalize(reader.find);
	free(reader.member);
	free(reader.order);
	free(reader.instance);
	for (size_t i = 0; i < ARRAY_SIZE(reader.process); i++)
		free(reader.process[i]);
	return r == ENOUGH ? 0 : r;
}

/* Lines */

struct line {
	size_t room, at;   /* at: which part of the window the last point is of */
	bool was_missing;
};

struct plotter {
	struct store *store;
	int64_t low_ms, high_ms;
	size_t max_points;
	struct store_line *lines;
	struct line *line; /* beside them */
	size_t n_lines;
};

/* A point for the part of the window that time_ms is in. */
static struct store_point *point_at(struct plotter *plotter, size_t i, int64_t time_ms)
{
	struct store_line *line = &plotter->lines[i];
	struct line *own = &plotter->line[i];
	uint64_t width = (uint64_t)(plotter->high_ms - plotter->low_ms) + 1;
	uint64_t into = time_ms > plotter->low_ms ? (uint64_t)(time_ms - plotter->low_ms) : 0;
	size_t at = (size_t)((unsigned __int128)into * plotter->max_points / width);

	if (line->n_points && own->at == at)
		return &line->points[line->n_points - 1];
	if (line->n_points == own->room) {
		size_t room = 2 * own->room + 64;
		struct store_point *grown = reallocarray(line->points, room, sizeof(*grown));

		if (!grown)
			return NULL;
		line->points = grown;
		own->room = room;
	}
	own->at = at;
	line->points[line->n_points] = (struct store_point){ .time_ns = store_ns(time_ms),
							     .min = UINT64_MAX };
	return &line->points[line->n_points++];
}

static void add_to_point(struct store_point *point, const struct store_row *row, uint64_t value,
			 uint64_t min, uint64_t max)
{
	double n = (double)row->n_samples, all = n + (double)point->n_samples;

	point->average += ((double)value - point->average) * n / all;
	if (__builtin_add_overflow(point->n_samples, row->n_samples, &point->n_samples))
		point->n_samples = UINT64_MAX;
	point->end_ns = store_ns(row->end_ms);
	point->last = value;
	if (min < point->min)
		point->min = min;
	if (max > point->max)
		point->max = max;
}

static uint64_t value_in(const struct delta_state *state, const struct delta_cell *cell,
			 size_t place, enum monitor_counter counter)
{
	return state ? state->cell[place].value[counter] : cell->value[counter];
}

static int plot(void *context, const struct store_row *row)
{
	struct plotter *plotter = context;

	for (size_t i = 0; i < plotter->n_lines; i++) {
		enum monitor_counter counter = plotter->lines[i].counter;
		const struct delta_cell *cell =
			delta_state_find(row->state, plotter->lines[i].instance);
		struct store_point *point;
		size_t place, n_before = plotter->lines[i].n_points;

		plotter->line[i].was_missing |= row->after_gap;
		if (!cell || !(cell->known & 1u << counter)) {
			plotter->line[i].was_missing = true;
			continue;
		}
		point = point_at(plotter, i, row->time_ms);
		if (!point)
			return store_fail(plotter->store, -ENOMEM, "out of memory");
		place = (size_t)(cell - row->state->cell);
		add_to_point(point, row, cell->value[counter],
			     value_in(row->min, cell, place, counter),
			     value_in(row->max, cell, place, counter));
		if (plotter->lines[i].n_points > n_before) {
			point->after_gap = plotter->line[i].was_missing;
			plotter->line[i].was_missing = false;
		}
	}
	return 0;
}

/* The part of the window in which there is something. */
static int find_window(struct store *store, int64_t from_ns, int64_t to_ns,
		       struct plotter *plotter)
{
	int64_t from_ms = store_ms_from(from_ns), to_ms = to_ns / NS_PER_MS, first_ms, last_ms;
	int r = store_bounds(store, &first_ms, &last_ms);

	if (r < 0)
		return r;
	plotter->low_ms = from_ms > first_ms ? from_ms : first_ms;
	plotter->high_ms = to_ms < last_ms ? to_ms : last_ms;
	return 0;
}

int store_series(struct store *store, int64_t from_ns, int64_t to_ns, size_t max_points,
		 struct store_line *lines, size_t n_lines)
{
	AUTO_FREE struct line *line = calloc(n_lines + 1, sizeof(*line));
	struct plotter plotter = { .store = store, .max_points = max_points, .lines = lines,
				   .line = line, .n_lines = n_lines };
	uint32_t wanted = 0;
	int r;

	for (size_t i = 0; i < n_lines; i++) {
		lines[i].points = NULL;
		lines[i].n_points = 0;
		if (lines[i].counter >= MONITOR_COUNTERS)
			return store_fail(store, -EINVAL, "no such counter");
		wanted |= 1u << lines[i].counter;
	}
	if (!line)
		return store_fail(store, -ENOMEM, "out of memory");
	if (max_points < 2)
		return store_fail(store, -EINVAL, "a line has two points at least");
	r = find_window(store, from_ns, to_ns, &plotter);
	if (r == 0 && plotter.low_ms <= plotter.high_ms)
		r = store_walk(store, plotter.low_ms, plotter.high_ms, wanted, plot, &plotter);
	for (size_t i = 0; r < 0 && i < n_lines; i++) {
		free(lines[i].points);
		lines[i].points = NULL;
		lines[i].n_points = 0;
	}
	return r;
}
