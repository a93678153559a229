/* SPDX-License-Identifier: BSD-2-Clause */
/* store_write.c - append to a log, and keep it within its bound */
#include "monitor/store_private.h"

#include <string.h>
#include <time.h>

/* A keyframe costs what so many bytes of steps cost a sixteenth of, or comes after so many samples:
 * a reader decodes no more than that before a window. */
#define STEPS_PER_KEY   16
#define SAMPLES_PER_KEY 3600
/* What is condensed at once is that part of the bound, or less. */
#define PARTS_OF_BOUND 16
/* Samples to an average; averages get that part of the bound. */
#define SAMPLES_PER_AVERAGE 32
#define AVERAGES_PART	    3

/* Instances */

static int bind_name(sqlite3_stmt *statement, int place, const char *text, size_t room)
{
	return sqlite3_bind_blob(statement, place, text, (int)strnlen(text, room - 1),
				 SQLITE_STATIC);
}

/* uid, session, name and container, which a process may change. */
static int bind_process(struct store *store, sqlite3_stmt *statement, int place,
			const struct monitor_process *process)
{
	if (sqlite3_bind_int64(statement, place, process->uid) != SQLITE_OK ||
	    sqlite3_bind_int64(statement, place + 1, process->session) != SQLITE_OK ||
	    bind_name(statement, place + 2, process->name, sizeof(process->name)) != SQLITE_OK ||
	    bind_name(statement, place + 3, process->container, sizeof(process->container)) !=
		    SQLITE_OK)
		return store_sqlite_error(store);
	return 0;
}

static int update_instance(struct store *store, const struct store_live *live)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(store, &statement,
			      "UPDATE instance SET last_ms = NULL, uid = ?2, session = ?3, "
			      "name = ?4, container = ?5 WHERE id = ?1", 1, (int64_t)live->id);

	if (r == 0)
		r = bind_process(store, statement, 2, &live->process);
	return r < 0 ? r : store_step(store, statement);
}

static int insert_instance(struct store *store, struct store_live *live, int64_t time_ms)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(store, &statement,
			      "INSERT INTO instance(boot, pid, start_ticks, first_ms, reuse, uid, "
			      "session, name, container) VALUES(?1, ?2, ?3, ?4, (SELECT "
			      "coalesce(max(reuse) + 1, 0) FROM instance WHERE pid = ?2), ?5, ?6, "
			      "?7, ?8)", 4, (int64_t)store->writer.boot,
			      (int64_t)live->process.pid, (int64_t)live->process.start_ticks,
			      time_ms);

	if (r == 0)
		r = bind_process(store, statement, 5, &live->process);
	if (r == 0)
		r = store_step(store, statement);
	if (r == 0)
		live->id = (uint64_t)sqlite3_last_insert_rowid(store->db);
	return r;
}

/* One that was not in the last sample: it may have been in an older one. */
static int add_instance(struct store *store, struct store_live *live, int64_t time_ms)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(store, &statement,
			      "SELECT max(id) FROM instance WHERE pid = ?1 AND start_ticks = ?2 AND "
			      "boot = ?3", 3, (int64_t)live->process.pid,
			      (int64_t)live->process.start_ticks, (int64_t)store->writer.boot);

	if (r == 0)
		r = store_step(store, statement);
	if (r < 0)
		return r;
	if (r == 0 || sqlite3_column_type(statement, 0) == SQLITE_NULL)
		return insert_instance(store, live, time_ms);
	live->id = (uint64_t)sqlite3_column_int64(statement, 0);
	return update_instance(store, live);
}

static bool is_described_alike(const struct monitor_process *a, const struct monitor_process *b)
{
	return a->uid == b->uid && a->session == b->session &&
	       !strncmp(a->name, b->name, sizeof(a->name)) &&
	       !strncmp(a->container, b->container, sizeof(a->container));
}

static int end_instance(struct store *store, const struct store_live *live)
{
	return store_run_numbers(store, "UPDATE instance SET last_ms = ?1 WHERE id = ?2", 2,
				 store->writer.last_ms, (int64_t)live->id);
}

/* Give every process of the sample its instance. */
static int find_live(struct store *store, const struct monitor_sample *sample, int64_t time_ms,
		     struct store_live *live)
{
	struct store_writer *writer = &store->writer;
	size_t j = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sample->n_processes; i++) {
		live[i].process = sample->process[i];
		while (r == 0 && j < writer->n_live &&
		       writer->live[j].process.pid < live[i].process.pid)
			r = end_instance(store, &writer->live[j++]);
		if (r == 0 && j < writer->n_live &&
		    writer->live[j].process.pid == live[i].process.pid) {
			const struct store_live *old = &writer->live[j++];

			if (old->process.start_ticks == live[i].process.start_ticks) {
				live[i].id = old->id;
				if (!is_described_alike(&old->process, &live[i].process))
					r = update_instance(store, &live[i]);
				continue;
			}
			r = end_instance(store, old);
		}
		if (r == 0)
			r = add_instance(store, &live[i], time_ms);
	}
	while (r == 0 && j < writer->n_live)
		r = end_instance(store, &writer->live[j++]);
	return r;
}

/* Samples */

static int by_instance(const void *a, const void *b)
{
	uint64_t x = ((const struct delta_cell *)a)->instance;
	uint64_t y = ((const struct delta_cell *)b)->instance;

	return (x > y) - (x < y);
}

/* What is not kept, or is no possible count, is not known. */
static void fill_cell(const struct store *store, const struct store_live *live,
		      struct delta_cell *cell)
{
	uint32_t kept = store->options.counters ? store->options.counters : UINT32_MAX;

	*cell = (struct delta_cell){ .instance = live->id };
	for (int i = 0; i < MONITOR_COUNTERS; i++)
		if (live->process.known & kept & 1u << i && live->process.value[i] <= INT64_MAX) {
			cell->known |= 1u << i;
			cell->value[i] = live->process.value[i];
		}
}

static int make_state(struct store *store, const struct store_live *live, size_t n,
		      struct delta_state *state)
{
	bool is_sorted = true;
	int r = delta_state_reserve(state, n + 1);

	if (r < 0)
		return store_fail(store, r, "too many processes for the memory there is");
	for (size_t i = 0; i < n; i++) {
		fill_cell(store, &live[i], &state->cell[i]);
		is_sorted &= i == 0 || state->cell[i - 1].instance < state->cell[i].instance;
	}
	state->n_cells = n;
	if (!is_sorted)
		qsort(state->cell, n, sizeof(*state->cell), by_instance);
	return 0;
}

static enum store_key choose_key(const struct store *store)
{
	const struct store_writer *writer = &store->writer;
	uint64_t bound = STEPS_PER_KEY * writer->key_bytes;

	if (!writer->is_begun)
		return STORE_KEY_START;
	if (store->options.max_bytes && bound > store->options.max_bytes / PARTS_OF_BOUND)
		bound = store->options.max_bytes / PARTS_OF_BOUND;
	return writer->bytes_since_key >= bound || writer->samples_since_key >= SAMPLES_PER_KEY ?
		       STORE_KEY :
		       STORE_STEP;
}

static int insert_sample(struct store *store, int64_t time_ms, enum store_key key,
			 const struct delta_bytes *bytes)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(store, &statement,
			      "INSERT INTO sample(time_ms, is_key, data) VALUES(?1, ?2, ?3)", 2,
			      time_ms, (int64_t)key);

	if (r == 0 && sqlite3_bind_blob64(statement, 3, bytes->data, bytes->n_bytes,
					  SQLITE_STATIC) != SQLITE_OK)
		r = store_sqlite_error(store);
	return r < 0 ? r : store_step(store, statement);
}

/* What a sample becomes; handed to the writer when it is in the file. */
struct entry {
	int64_t time_ms, monotonic_ms;
	enum store_key key;
	struct store_live *live;
	size_t n_live;
	struct delta_state state;
	struct delta_bytes bytes;
};

static void entry_done(struct entry *entry)
{
	free(entry->live);
	delta_state_done(&entry->state);
	delta_bytes_done(&entry->bytes);
}

/* Times rise: when the clock was set back, by as much as has really passed. */
static void choose_time(const struct store_writer *writer, const struct monitor_sample *sample,
			struct entry *entry)
{
	int64_t passed_ms;

	entry->time_ms = sample->time_ns / NS_PER_MS;
	entry->monotonic_ms = sample->monotonic_ns / NS_PER_MS;
	passed_ms = writer->is_begun ? entry->monotonic_ms - writer->last_monotonic_ms : 1;
	if (entry->time_ms <= writer->last_ms)
		entry->time_ms = writer->last_ms + (passed_ms > 1 ? passed_ms : 1);
}

static int encode(struct store *store, struct entry *entry)
{
	static const struct delta_state nothing;
	const struct store_writer *writer = &store->writer;
	int64_t offset_ms = entry->monotonic_ms - entry->time_ms;
	int r;

	if (entry->key == STORE_STEP)
		offset_ms -= writer->last_monotonic_ms - writer->last_ms;
	r = delta_put_signed(&entry->bytes, offset_ms);
	if (r == 0)
		r = delta_encode(entry->key ? &nothing : &writer->state, &entry->state,
				 &entry->bytes);
	return r < 0 ? store_fail(store, r, "out of memory") : 0;
}

static int insert_entry(struct store *store, const struct monitor_sample *sample,
			struct entry *entry)
{
	int r = 0;

	entry->live = calloc(sample->n_processes + 1, sizeof(*entry->live));
	entry->n_live = sample->n_processes;
	if (!entry->live)
		return store_fail(store, -ENOMEM, "out of memory");
	/* Who was there when the log was stopped, is there until then. */
	if (!store->writer.is_begun)
		r = store_run_numbers(store, "UPDATE instance SET last_ms = ?1 WHERE last_ms IS NULL",
				      1, store->writer.last_ms);
	if (r == 0)
		r = find_live(store, sample, entry->time_ms, entry->live);
	if (r == 0)
		r = make_state(store, entry->live, entry->n_live, &entry->state);
	if (r == 0)
		r = encode(store, entry);
	return r < 0 ? r : insert_sample(store, entry->time_ms, entry->key, &entry->bytes);
}

/* The old one goes into entry. */
static void take_over(struct store_writer *writer, struct entry *entry)
{
	struct store_live *live = writer->live;
	struct delta_state state = writer->state;

	writer->live = entry->live;
	writer->n_live = entry->n_live;
	writer->state = entry->state;
	entry->live = live;
	entry->state = state;
	writer->last_ms = entry->time_ms;
	writer->last_monotonic_ms = entry->monotonic_ms;
	writer->is_begun = true;
	if (entry->key) {
		writer->key_bytes = entry->bytes.n_bytes;
		writer->bytes_since_key = 0;
		writer->samples_since_key = 0;
	}
	writer->bytes_since_key += entry->bytes.n_bytes;
	writer->samples_since_key++;
}

static bool is_possible(const struct monitor_sample *sample)
{
	if (sample->monotonic_ns < 0 || sample->monotonic_ns > STORE_LATEST_NS)
		return false;
	for (size_t i = 0; i < sample->n_processes; i++)
		if (sample->process[i].pid <= 0 ||
		    (i > 0 && sample->process[i - 1].pid >= sample->process[i].pid))
			return false;
	return true;
}

int store_append(struct store *store, const struct monitor_sample *sample)
{
	struct entry entry = { .key = choose_key(store) };
	bool is_crowded = false;
	int r;

	if (sample->time_ns < 0 || sample->time_ns > STORE_LATEST_NS)
		return store_fail(store, -EINVAL, "the clock is not set: it says a time outside of "
						  "1970 to 2099");
	if (store->options.mode != STORE_APPEND || !is_possible(sample))
		return store_fail(store, -EINVAL, "no possible sample");
	choose_time(&store->writer, sample, &entry);
	r = store_run(store, "BEGIN IMMEDIATE");
	if (r == 0)
		r = store_end(store, insert_entry(store, sample, &entry));
	if (r == 0)
		take_over(&store->writer, &entry);
	entry_done(&entry);
	if (r == 0 && store->options.max_bytes)
		r = store_shrink(store, &is_crowded);
	if (is_crowded)
		store->writer.bytes_since_key = UINT64_MAX / 2;
	return r;
}

int store_mark(struct store *store, int64_t time_ns, const char *text)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	struct timespec now;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	if (time_ns == 0)
		time_ns = now.tv_sec * NS_PER_S + now.tv_nsec;
	if (store->options.mode == STORE_READ || time_ns < 0)
		return store_fail(store, -EINVAL, "no possible bookmark");
	r = store_prepare(store, &statement, "INSERT INTO bookmark(time_ms, text) VALUES(?1, ?2)",
			  1, time_ns / NS_PER_MS);
	if (r == 0 && bind_name(statement, 2, text, STORE_MARK_BYTES) != SQLITE_OK)
		r = store_sqlite_error(store);
	return r < 0 ? r : store_step(store, statement);
}

/* Condensing */

struct total {
	uint64_t n[MONITOR_COUNTERS];
	double sum[MONITOR_COUNTERS];
};

struct condenser {
	struct store *store;
	int64_t first_ms, end_ms;
	uint64_t n_samples;
	enum store_key key, next_key; /* of the average that is being made; of the one behind it */
	struct delta_state min, max, average, before;
	struct total *total;          /* beside min and max */
	size_t room;
	struct condensed *done;       /* not written before the samples are gone: to reuse their pages */
	size_t n_done;
};

struct condensed {
	int64_t time_ms, end_ms;
	uint64_t n_samples;
	enum store_key key;
	struct delta_bytes bytes;
};

/* The place of an instance in min, max and total, made when there is none. */
static int place_of(struct condenser *to, uint64_t instance, size_t hint, size_t *ret_place)
{
	size_t place = hint, n = to->min.n_cells;
	int r;

	while (place < n && to->min.cell[place].instance < instance)
		place++;
	*ret_place = place;
	if (place < n && to->min.cell[place].instance == instance)
		return 0;
	r = delta_state_reserve(&to->min, n + 1);
	if (r == 0)
		r = delta_state_reserve(&to->max, n + 1);
	if (r == 0 && n == to->room) {
		size_t room = 2 * to->room + 64;
		struct total *grown = reallocarray(to->total, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		to->total = grown;
		to->room = room;
	}
	if (r < 0)
		return r;
	memmove(&to->min.cell[place + 1], &to->min.cell[place], (n - place) * sizeof(*to->min.cell));
	memmove(&to->max.cell[place + 1], &to->max.cell[place], (n - place) * sizeof(*to->max.cell));
	memmove(&to->total[place + 1], &to->total[place], (n - place) * sizeof(*to->total));
	to->min.cell[place] = to->max.cell[place] = (struct delta_cell){ .instance = instance };
	to->total[place] = (struct total){ 0 };
	to->min.n_cells = to->max.n_cells = n + 1;
	return 0;
}

static void add_to_total(struct condenser *to, size_t place, const struct delta_cell *cell)
{
	struct delta_cell *min = &to->min.cell[place], *max = &to->max.cell[place];
	struct total *total = &to->total[place];

	for (int i = 0; i < MONITOR_COUNTERS; i++) {
		uint64_t value = cell->value[i];

		if (!(cell->known & 1u << i))
			continue;
		if (total->n[i] == 0 || value < min->value[i])
			min->value[i] = value;
		if (total->n[i] == 0 || value > max->value[i])
			max->value[i] = value;
		total->n[i]++;
		total->sum[i] += (double)value;
		min->known |= 1u << i;
		max->known |= 1u << i;
	}
}

static uint64_t average_of(uint64_t n, double sum, uint64_t min, uint64_t max)
{
	double average = n ? sum / (double)n + 0.5 : 0;
	uint64_t rounded = average < (double)max ? (uint64_t)average : max;

	return rounded < min ? min : rounded;
}

static int make_average(struct condenser *from)
{
	int r = delta_state_copy(&from->average, &from->min);

	for (size_t i = 0; r == 0 && i < from->average.n_cells; i++)
		for (int k = 0; k < MONITOR_COUNTERS; k++)
			from->average.cell[i].value[k] =
				average_of(from->total[i].n[k], from->total[i].sum[k],
					   from->min.cell[i].value[k], from->max.cell[i].value[k]);
	return r;
}

static int end_average(struct condenser *of)
{
	struct condensed average = { of->first_ms, of->end_ms, of->n_samples, of->key, { 0 } };
	struct condensed *grown;
	int r;

	if (of->n_samples == 0)
		return 0;
	if (of->key)
		of->before.n_cells = 0;
	grown = reallocarray(of->done, of->n_done + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	of->done = grown;
	r = make_average(of);
	if (r == 0)
		r = delta_encode(&of->before, &of->average, &average.bytes);
	if (r == 0)
		r = delta_encode(&of->average, &of->min, &average.bytes);
	if (r == 0)
		r = delta_encode(&of->average, &of->max, &average.bytes);
	if (r == 0)
		r = delta_state_copy(&of->before, &of->average);
	of->done[of->n_done++] = average;
	of->key = STORE_STEP;
	of->n_samples = 0;
	of->min.n_cells = of->max.n_cells = 0;
	return r;
}

static int condense(void *context, const struct store_row *row)
{
	struct condenser *to = context;
	size_t place = 0;
	int r = 0;

	if (row->after_gap)
		to->key = STORE_KEY_START;
	if (to->n_samples == 0)
		to->first_ms = row->time_ms;
	for (size_t i = 0; r == 0 && i < row->state->n_cells; i++) {
		r = place_of(to, row->state->cell[i].instance, place, &place);
		if (r == 0)
			add_to_total(to, place, &row->state->cell[i]);
	}
	to->end_ms = row->end_ms;
	if (r == 0 && ++to->n_samples == SAMPLES_PER_AVERAGE)
		r = end_average(to);
	return r == -ENOMEM ? store_fail(to->store, r, "out of memory") : r;
}

static int insert_average(struct store *store, const struct condensed *average)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(store, &statement,
			      "INSERT INTO average(time_ms, end_ms, n_samples, is_key, data) "
			      "VALUES(?1, ?2, ?3, ?4, ?5)", 4, average->time_ms, average->end_ms,
			      (int64_t)average->n_samples, (int64_t)average->key);

	if (r == 0 && sqlite3_bind_blob64(statement, 5, average->bytes.data,
					  average->bytes.n_bytes, SQLITE_STATIC) != SQLITE_OK)
		r = store_sqlite_error(store);
	return r < 0 ? r : store_step(store, statement);
}

static void condenser_done(struct condenser *condenser)
{
	delta_state_done(&condenser->min);
	delta_state_done(&condenser->max);
	delta_state_done(&condenser->average);
	delta_state_done(&condenser->before);
	free(condenser->total);
	for (size_t i = 0; i < condenser->n_done; i++)
		delta_bytes_done(&condenser->done[i].bytes);
	free(condenser->done);
}

/* The samples before behind_ms, which is the time of a keyframe, become averages. */
static int condense_before(struct store *store, int64_t behind_ms)
{
	struct condenser condenser = { .store = store, .key = STORE_KEY };
	int r = store_walk_samples(store, 0, behind_ms - 1, condense, &condenser);

	if (r == 0)
		r = end_average(&condenser);
	if (r == 0)
		r = store_run_numbers(store, "DELETE FROM sample WHERE time_ms < ?1", 1, behind_ms);
	for (size_t i = 0; r == 0 && i < condenser.n_done; i++)
		r = insert_average(store, &condenser.done[i]);
	condenser_done(&condenser);
	return r;
}

/* With what only they knew of: processes that ended before, and bookmarks. */
static int drop_averages_before(struct store *store, int64_t behind_ms)
{
	int r = store_run_numbers(store, "DELETE FROM average WHERE time_ms < ?1", 1, behind_ms);

	if (r == 0)
		r = store_run_numbers(store, "DELETE FROM instance WHERE last_ms < ?1", 1, behind_ms);
	if (r == 0)
		r = store_run_numbers(store, "DELETE FROM bookmark WHERE time_ms < ?1", 1, behind_ms);
	return r;
}

/* What to do away with next: *ret_behind_ms is the time of the second keyframe, 0 when there is
 * none; *ret_averages whether it is one of the averages. */
static int choose_oldest(struct store *store, bool *ret_averages, int64_t *ret_behind_ms)
{
	int64_t bytes, first_sample, next_average, next_sample;
	int r = store_number(store, "SELECT sum(length(data)) FROM average", 0, &bytes);

	if (r == 0)
		r = store_number(store, "SELECT time_ms FROM sample WHERE is_key ORDER BY time_ms "
					"LIMIT 1 OFFSET 1", 0, &next_sample);
	if (r == 0)
		r = store_number(store, "SELECT min(time_ms) FROM sample", 0, &first_sample);
	if (r == 0)
		r = store_number(store, "SELECT time_ms FROM average WHERE is_key ORDER BY time_ms "
					"LIMIT 1 OFFSET 1", 0, &next_average);
	if (r < 0)
		return r;
	*ret_averages = bytes && ((uint64_t)bytes > store->options.max_bytes / AVERAGES_PART ||
				  !next_sample);
	*ret_behind_ms = !*ret_averages ? next_sample : next_average ? next_average : first_sample;
	return 0;
}

static int give_up_oldest(struct store *store, bool *ret_done)
{
	bool averages;
	int64_t behind_ms;
	int r = choose_oldest(store, &averages, &behind_ms);

	if (r < 0)
		return r;
	*ret_done = behind_ms != 0;
	if (!behind_ms)
		return 0;
	return averages ? drop_averages_before(store, behind_ms) :
			  condense_before(store, behind_ms);
}

int store_shrink(struct store *store, bool *ret_crowded)
{
	uint64_t used, bound = store->options.max_bytes;
	bool is_done = true;
	int r = store_used(store, &used);

	bound -= 2 * bound / PARTS_OF_BOUND; /* before it is reached: the file never gets shorter */
	while (r == 0 && used > bound && is_done) {
		r = store_run(store, "BEGIN IMMEDIATE");
		if (r == 0)
			r = store_end(store, give_up_oldest(store, &is_done));
		if (r == 0)
			r = store_used(store, &used);
	}
	if (r == 0)
		*ret_crowded = used > bound && !is_done;
	return r;
}
