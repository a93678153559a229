/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * query.c - queries and their counters, and the collection of their values
 *
 * A handle is a number that is looked up, never an address, and no number is given out twice: one
 * that was closed, or was never a handle, is told from all others.
 */
#include "pdh/pdh_internal.h"

#define ID_FIRST (UINT64_C(1) << 40) /* no handle of win32.h is so large */

struct entry {
	uint64_t id;
	struct query *query;
	bool is_counter;
};

/* Guards the entries, and references and is_closed of all queries.  Nobody waits for anything while
 * holding it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries; /* in rising order of id */
static size_t n_entries, entries_room;
static uint64_t next_id = ID_FIRST;

static HANDLE handle_of(uint64_t id)
{
	return (HANDLE)(uintptr_t)(id * 4);
}

/* A child that is forked while another thread has the lock would wait for ever.  Queries that are in
 * use at that moment stay locked there: a child opens its own. */
static void lock_all(void)
{
	pthread_mutex_lock(&lock);
}

static void unlock_all(void)
{
	pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void prepare_forks(void)
{
	(void)pthread_atfork(lock_all, unlock_all, unlock_all);
}

/* Entries; under the lock */

static struct entry *entry_find(HANDLE handle)
{
	uint64_t value = (uintptr_t)handle;
	size_t low = 0, high = n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entries[middle].id * 4 == value)
			return &entries[middle];
		if (entries[middle].id * 4 < value)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int entry_add(struct query *query, bool is_counter, uint64_t *ret_id)
{
	if (n_entries == entries_room) {
		size_t room = entries_room ? entries_room * 2 : 64;
		struct entry *more = reallocarray(entries, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		entries = more;
		entries_room = room;
	}
	*ret_id = next_id++;
	entries[n_entries++] = (struct entry){ *ret_id, query, is_counter };
	return 0;
}

static void entry_remove(const struct entry *entry)
{
	size_t at = (size_t)(entry - entries);

	memmove(&entries[at], &entries[at + 1], (--n_entries - at) * sizeof(*entries));
}

static void entries_remove_of(const struct query *query)
{
	size_t n = 0;

	for (size_t i = 0; i < n_entries; i++)
		if (entries[i].query != query)
			entries[n++] = entries[i];
	n_entries = n;
}

/* Queries */

static void counter_free(struct counter *counter)
{
	path_done(&counter->path);
	free(counter->instance);
	free(counter->now.item);
	free(counter->before.item);
	free(counter);
}

static void query_free(struct query *query)
{
	for (size_t i = 0; i < query->n_counters; i++)
		counter_free(query->counter[i]);
	free(query->counter);
	monitor_sampler_free(query->sampler);
	pthread_mutex_destroy(&query->lock);
	free(query);
}

static void query_drop(struct query *query)
{
	bool is_last;

	pthread_mutex_lock(&lock);
	is_last = --query->n_references == 0;
	pthread_mutex_unlock(&lock);
	if (is_last)
		query_free(query);
}

/* A query that stays until query_drop(), by a handle of its own or of a counter; NULL: neither. */
static struct query *query_hold(HANDLE handle, bool is_counter)
{
	struct query *query = NULL;
	struct entry *entry;

	pthread_mutex_lock(&lock);
	entry = entry_find(handle);
	if (entry && entry->is_counter == is_counter) {
		query = entry->query;
		query->n_references++;
	}
	pthread_mutex_unlock(&lock);
	return query;
}

static void query_put(struct query **query)
{
	if (!*query)
		return;
	pthread_mutex_unlock(&(*query)->lock);
	query_drop(*query);
}

static struct query *query_get(HANDLE handle, bool is_counter)
{
	struct query *query = query_hold(handle, is_counter);

	if (query)
		pthread_mutex_lock(&query->lock);
	return query;
}

#define AUTO_QUERY __attribute__((cleanup(query_put)))

PDH_STATUS counter_use(PDH_HCOUNTER handle, struct counter_use *ret_use)
{
	AUTO_QUERY struct query *query = query_get(handle, true);

	/* It may have been removed before we had the lock. */
	for (size_t i = 0; query && i < query->n_counters; i++) {
		if (handle_of(query->counter[i]->id) != handle)
			continue;
		*ret_use = (struct counter_use){ query, query->counter[i] };
		query = NULL;
		return ERROR_SUCCESS;
	}
	return PDH_INVALID_HANDLE;
}

void counter_use_end(struct counter_use *use)
{
	query_put(&use->query);
}

PDH_STATUS status_of(int code)
{
	if (code >= 0)
		return ERROR_SUCCESS;
	if (code == -EMFILE || code == -ENFILE)
		return ERROR_TOO_MANY_OPEN_FILES;
	return code == -ENOMEM ? PDH_MEMORY_ALLOCATION_FAILURE : PDH_ACCESS_DENIED;
}

/* Opening and closing */

static PDH_STATUS open_query(const void *source, DWORD_PTR user_data, PDH_HQUERY *ret_query)
{
	struct query *query;
	uint64_t id = 0;
	int r;

	if (!ret_query)
		return PDH_INVALID_ARGUMENT;
	if (source)
		return PDH_NOT_IMPLEMENTED;
	query = calloc(1, sizeof(*query));
	if (!query)
		return PDH_MEMORY_ALLOCATION_FAILURE;
	pthread_mutex_init(&query->lock, NULL);
	query->user_data = user_data;
	query->n_references = 1;
	pthread_mutex_lock(&lock);
	r = entry_add(query, false, &id);
	pthread_mutex_unlock(&lock);
	if (r < 0)
		query_free(query);
	else
		*ret_query = handle_of(id);
	return status_of(r);
}

PDH_FUNCTION PdhOpenQueryA(LPCSTR szDataSource, DWORD_PTR dwUserData, PDH_HQUERY *phQuery)
{
	return open_query(szDataSource, dwUserData, phQuery);
}

PDH_FUNCTION PdhOpenQueryW(LPCWSTR szDataSource, DWORD_PTR dwUserData, PDH_HQUERY *phQuery)
{
	return open_query(szDataSource, dwUserData, phQuery);
}

/* Whoever uses it at this moment ends it. */
PDH_FUNCTION PdhCloseQuery(PDH_HQUERY hQuery)
{
	struct query *query = NULL;
	struct entry *entry;

	pthread_mutex_lock(&lock);
	entry = entry_find(hQuery);
	if (entry && !entry->is_counter) {
		query = entry->query;
		query->is_closed = true;
		entries_remove_of(query);
	}
	pthread_mutex_unlock(&lock);
	if (!query)
		return PDH_INVALID_HANDLE;
	query_drop(query);
	return ERROR_SUCCESS;
}

/* Counters */

/* Its instance may be none that is there: that shows when values are collected. */
static PDH_STATUS counter_new(const char *text, DWORD_PTR user_data, struct counter **ret_counter)
{
	struct counter *counter = calloc(1, sizeof(*counter));
	PDH_STATUS status;

	if (!counter)
		return PDH_MEMORY_ALLOCATION_FAILURE;
	counter->user_data = user_data;
	status = path_parse(text, &counter->path);
	if (status == ERROR_SUCCESS)
		status = counter_of_path(&counter->path, &counter->info);
	if (status == ERROR_SUCCESS && counter->path.instance) {
		counter->has_wildcard = strchr(counter->path.instance, '*');
		status = status_of(instance_tame(counter->path.instance, &counter->instance));
	}
	if (status != ERROR_SUCCESS)
		counter_free(counter);
	else
		*ret_counter = counter;
	return status;
}

static int query_add(struct query *query, struct counter *counter)
{
	struct counter **more = reallocarray(query->counter, query->n_counters + 1, sizeof(*more));
	int r;

	if (!more)
		return -ENOMEM;
	query->counter = more;
	pthread_mutex_lock(&lock);
	/* Closed meanwhile: what is entered now, nobody would remove. */
	r = query->is_closed ? -EBADF : entry_add(query, true, &counter->id);
	pthread_mutex_unlock(&lock);
	if (r == 0)
		query->counter[query->n_counters++] = counter;
	return r;
}

static PDH_STATUS add_counter(PDH_HQUERY handle, const char *text, DWORD_PTR user_data,
			      PDH_HCOUNTER *ret_counter)
{
	AUTO_QUERY struct query *query = query_get(handle, false);
	struct counter *counter;
	PDH_STATUS status;
	int r;

	if (!query)
		return PDH_INVALID_HANDLE;
	if (!ret_counter)
		return PDH_INVALID_ARGUMENT;
	status = counter_new(text, user_data, &counter);
	if (status != ERROR_SUCCESS)
		return status;
	r = query_add(query, counter);
	if (r < 0)
		counter_free(counter);
	else
		*ret_counter = handle_of(counter->id);
	return r == -EBADF ? PDH_INVALID_HANDLE : status_of(r);
}

PDH_FUNCTION PdhAddCounterA(PDH_HQUERY hQuery, LPCSTR szFullCounterPath, DWORD_PTR dwUserData,
			    PDH_HCOUNTER *phCounter)
{
	return add_counter(hQuery, szFullCounterPath, dwUserData, phCounter);
}

PDH_FUNCTION PdhAddCounterW(PDH_HQUERY hQuery, LPCWSTR szFullCounterPath, DWORD_PTR dwUserData,
			    PDH_HCOUNTER *phCounter)
{
	AUTO_FREE char *text = NULL;
	PDH_STATUS status = text_of_wide(szFullCounterPath, &text);

	return status != ERROR_SUCCESS ? status :
					 add_counter(hQuery, text, dwUserData, phCounter);
}

PDH_FUNCTION PdhAddEnglishCounterA(PDH_HQUERY hQuery, LPCSTR szFullCounterPath,
				   DWORD_PTR dwUserData, PDH_HCOUNTER *phCounter)
{
	return PdhAddCounterA(hQuery, szFullCounterPath, dwUserData, phCounter);
}

PDH_FUNCTION PdhAddEnglishCounterW(PDH_HQUERY hQuery, LPCWSTR szFullCounterPath,
				   DWORD_PTR dwUserData, PDH_HCOUNTER *phCounter)
{
	return PdhAddCounterW(hQuery, szFullCounterPath, dwUserData, phCounter);
}

PDH_FUNCTION PdhRemoveCounter(PDH_HCOUNTER hCounter)
{
	AUTO_USE struct counter_use use = { 0 };
	PDH_STATUS status = counter_use(hCounter, &use);
	struct entry *entry;
	size_t at = 0;

	if (status != ERROR_SUCCESS)
		return status;
	pthread_mutex_lock(&lock);
	entry = entry_find(hCounter);
	if (entry)
		entry_remove(entry);
	pthread_mutex_unlock(&lock);
	while (use.query->counter[at] != use.counter)
		at++;
	use.query->counter[at] = use.query->counter[--use.query->n_counters];
	counter_free(use.counter);
	return ERROR_SUCCESS;
}

/* Collecting */

/* One for all counters of the query, anew when one came that it does not tell. */
static int take_sample(struct query *query, const struct monitor_sample **ret_sample)
{
	struct monitor_options options = { .holds_nothing = true };
	int r = 0;

	for (size_t i = 0; i < query->n_counters; i++)
		options.wanted |= counter_wanted(query->counter[i]->info);
	if (query->sampler && (options.wanted & ~query->wanted)) {
		monitor_sampler_free(query->sampler);
		query->sampler = NULL;
	}
	if (!query->sampler) {
		r = monitor_sampler_new(&options, &query->sampler);
		query->wanted = options.wanted;
	}
	return r < 0 ? r : monitor_sample(query->sampler, ret_sample);
}

static int compare_items(const void *a, const void *b)
{
	pid_t x = ((const struct item *)a)->pid, y = ((const struct item *)b)->pid;

	return (x > y) - (x < y);
}

static void read_item(struct view *view, const struct counter *counter,
		      const struct instance *instance, struct item *item)
{
	*item = (struct item){ 0 };
	if (instance)
		view_full_name(instance, item->name);
	if (instance && instance->process != VIEW_TOTAL) {
		item->pid = view->sample->process[instance->process].pid;
		item->start_ticks = view->sample->process[instance->process].start_ticks;
	}
	(void)view_read(view, counter->info, instance, &item->raw);
}

static int read_items(struct view *view, const struct counter *counter, struct items *ret_items)
{
	const struct instance *one = counter->instance && !counter->has_wildcard ?
					     view_find(view, counter->instance) : NULL;
	size_t room = counter->has_wildcard ? view->n_instances : 1;
	struct items items = { .item = calloc(room, sizeof(struct item)) };

	if (!items.item)
		return -ENOMEM;
	for (size_t i = 0; counter->has_wildcard && i < view->n_instances; i++)
		if (view_instance_matches(&view->instance[i], counter->instance))
			read_item(view, counter, &view->instance[i], &items.item[items.n++]);
	if (one || !counter->instance)
		read_item(view, counter, one, &items.item[items.n++]);
	qsort(items.item, items.n, sizeof(struct item), compare_items);
	*ret_items = items;
	return 0;
}

/* All values, or none: they are of one moment. */
static int collect(struct query *query, struct view *view)
{
	AUTO_FREE struct items *items = calloc(query->n_counters, sizeof(*items));
	int r = items ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < query->n_counters; i++)
		r = read_items(view, query->counter[i], &items[i]);
	for (size_t i = 0; items && i < query->n_counters; i++) {
		struct counter *counter = query->counter[i];

		if (r < 0) {
			free(items[i].item);
			continue;
		}
		free(counter->before.item);
		counter->before = counter->now;
		counter->now = items[i];
		counter->was_collected = true;
	}
	return r;
}

static PDH_STATUS collect_query(PDH_HQUERY handle, LONGLONG *ret_time)
{
	AUTO_QUERY struct query *query = query_get(handle, false);
	__attribute__((cleanup(view_done))) struct view view = { 0 };
	const struct monitor_sample *sample;
	int r;

	if (!query)
		return PDH_INVALID_HANDLE;
	if (query->n_counters == 0)
		return PDH_NO_DATA;
	r = take_sample(query, &sample);
	if (r == 0)
		r = view_make(sample, &view);
	if (r == 0)
		r = collect(query, &view);
	if (r < 0)
		return status_of(r);
	if (ret_time)
		*ret_time = view_time(sample);
	return query->n_counters == 1 && query->counter[0]->now.n == 0 ? PDH_NO_DATA :
									 ERROR_SUCCESS;
}

PDH_FUNCTION PdhCollectQueryData(PDH_HQUERY hQuery)
{
	return collect_query(hQuery, NULL);
}

PDH_FUNCTION PdhCollectQueryDataWithTime(PDH_HQUERY hQuery, LONGLONG *pllTimeStamp)
{
	return pllTimeStamp ? collect_query(hQuery, pllTimeStamp) : PDH_INVALID_ARGUMENT;
}
