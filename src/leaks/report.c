/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c - handles into sites, and which of these leak
 *
 * First every stack of every process for itself, since growing is something that a process does:
 * hundreds of workers that each keep one socket are no leak.  Then the same stacks are put together.
 */
#include "leaks/report.h"

#include <string.h>

#include "symbolize/show.h"

/* A handle with where it belongs; what sorting goes by. */
struct item {
	const struct leaks_handle *handle;
	const struct leaks_process *process;
	const struct leaks_site *site;
	enum leaks_origin origin;
};

/* One stack of one process, as items [first, first + n). */
struct part {
	const struct item *items;
	size_t n, n_new;
	double rate_per_hour;
	bool growing, is_leak;
};

int64_t report_age(const struct leaks_snapshot *snapshot, int64_t older_than_ns)
{
	int64_t tenth = (snapshot->taken_ns - snapshot->began_ns) / 10;

	if (older_than_ns != REPORT_AGE_DEFAULT)
		return older_than_ns;
	return tenth < REPORT_AGE_MAX_NS ? tenth : REPORT_AGE_MAX_NS;
}

/* By the process itself, while it was watched. */
static bool is_opened(enum leaks_origin origin)
{
	return origin == LEAKS_OPENED || origin == LEAKS_ASYNCHRONOUS;
}

/* Judging */

struct window {
	int64_t from_ns, to_ns;
};

static struct window window_of(const struct report *report, const struct leaks_process *process)
{
	struct window window = { process->began_ns ? process->began_ns :
						     report->snapshot->began_ns,
				 report->horizon_ns };

	if (process->ended)
		window.to_ns = process->ended_ns ? process->ended_ns : report->snapshot->taken_ns;
	return window;
}

/* How many of those that are still open were opened in each third of the time. */
static void count_thirds(const struct part *part, const struct window *window, size_t counts[3])
{
	int64_t third = (window->to_ns - window->from_ns) / 3;

	for (size_t i = 0; i < part->n; i++) {
		int64_t opened = part->items[i].handle->opened_ns;

		counts[opened < window->from_ns + third ? 0 : opened < window->to_ns - third ? 1 : 2]++;
	}
}

/*
 * It grows still when the last third has added to it, and an earlier one has, too: what was opened
 * once at the start is no leak, and what is open for a moment each is all young.  Where there are
 * enough to tell, a pool that was filled at the start and one more in use are told from a leak by
 * the third between.
 */
static bool is_growing(const size_t thirds[3])
{
	size_t early = thirds[0] + thirds[1];

	return early > 0 && thirds[2] > 0 && (early + thirds[2] < 4 || thirds[1] > 0);
}

/*
 * Of a stack that closes most of its handles, such as accept(2) in a server, there are always some
 * open.  If each of them is closed in the end, few are old; if some never are, these are spread
 * evenly.
 */
static bool outlives(const size_t thirds[3])
{
	size_t least = thirds[0] < thirds[1] ? thirds[0] : thirds[1];

	return least > 0 && 2 * least >= thirds[2];
}

/* Nothing of the runtime opened it for itself; where the stack does not tell, nobody can say so. */
static bool is_own_code(const struct leaks_site *site)
{
	return site->n_frames == 0 || site->end != UNWIND_COMPLETE ||
	       frames_find_own(site->frames, site->n_frames) < site->n_frames;
}

/* Standard input, output and error stay open in every program, whoever put them there. */
static bool is_standard(const struct part *part)
{
	for (size_t i = 0; i < part->n; i++)
		if (part->items[i].handle->number > STDERR_FILENO)
			return false;
	return true;
}

static void judge(const struct report *report, struct part *part)
{
	const struct item *item = part->items;
	struct window window = window_of(report, item->process);
	double hours = (double)(window.to_ns - window.from_ns) / (3600.0 * NS_PER_S);
	size_t thirds[3] = { 0 };

	part->rate_per_hour = hours > 0 ? (double)part->n / hours : 0;
	count_thirds(part, &window, thirds);
	part->growing = is_growing(thirds);
	if (!is_opened(item->origin))
		return;
	if (item->process->ended && !report->ended_by_the_way)
		part->is_leak = is_own_code(item->site) && !is_standard(part);
	else
		part->is_leak = part->growing &&
				(item->site->closed < part->n || outlives(thirds));
	part->is_leak = part->is_leak && part->n_new > 0;
}

/* New or not */

static bool is_by_the_way(const struct report *report, const struct leaks_process *process)
{
	return report->ended_by_the_way && process->ended;
}

static bool is_new_handle(const struct baseline *since, const struct baseline_process *known,
			  const struct leaks_handle *handle)
{
	if (known->ended)
		return false;
	if (is_opened(handle->origin))
		return handle->opened_ns > since->horizon_ns;
	return !baseline_has_number(known, handle->number);
}

static size_t count_new(const struct report *report, const struct item *items, size_t n)
{
	const struct baseline *since = report->since;
	const struct baseline_process *known = since ? baseline_find(since, items->process) : NULL;
	size_t n_new = 0;
	uint64_t before;

	for (size_t i = 0; known && i < n; i++)
		n_new += is_new_handle(since, known, items[i].handle);
	if (known)
		return n_new;
	/* Another run of the program: as many as there are more. */
	before = since ? baseline_count(since, items->process->name, items->site->id) : 0;
	return n > before ? n - before : 0;
}

/* A handle without a stack; of another run nobody can tell. */
static bool is_new_rest(const struct report *report, const struct item *item)
{
	const struct baseline_process *known =
		report->since ? baseline_find(report->since, item->process) : NULL;

	if (is_by_the_way(report, item->process))
		return false;
	if (!report->since)
		return true;
	return known ? is_new_handle(report->since, known, item->handle) :
		       !baseline_knows_name(report->since, item->process->name);
}

/* Sorting */

static int compare(uint64_t x, uint64_t y)
{
	return (x > y) - (x < y);
}

/* Stacks together, in these processes, in these the oldest handle first. */
static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = compare(x->site->id, y->site->id);

	if (order == 0)
		order = compare(x->origin, y->origin);
	if (order == 0)
		order = compare((uintptr_t)x->process, (uintptr_t)y->process);
	if (order == 0)
		order = (x->handle->opened_ns > y->handle->opened_ns) -
			(x->handle->opened_ns < y->handle->opened_ns);
	return order ? order : compare((unsigned)x->handle->number, (unsigned)y->handle->number);
}

static int compare_handles(const void *a, const void *b)
{
	const struct leaks_handle *x = *(const struct leaks_handle *const *)a;
	const struct leaks_handle *y = *(const struct leaks_handle *const *)b;
	int order = (x->opened_ns > y->opened_ns) - (x->opened_ns < y->opened_ns);

	return order ? order : compare((unsigned)x->number, (unsigned)y->number);
}

static int compare_sites(const void *a, const void *b)
{
	const struct report_site *x = a, *y = b;

	if (is_opened(x->origin) != is_opened(y->origin))
		return is_opened(x->origin) ? -1 : 1;
	if ((x->site->n_frames > 0) != (y->site->n_frames > 0))
		return x->site->n_frames > 0 ? -1 : 1;
	if (x->n_new != y->n_new)
		return x->n_new > y->n_new ? -1 : 1;
	if (x->n_handles != y->n_handles)
		return x->n_handles > y->n_handles ? -1 : 1;
	if (x->site->id != y->site->id)
		return compare(x->site->id, y->site->id);
	return compare((uintptr_t)x->process, (uintptr_t)y->process);
}

/* Gathering */

struct gathering {
	struct item *items; /* those of a stack from the front, the rest from the back */
	size_t n, n_rest, room;
};

static size_t count_handles(const struct leaks_snapshot *snapshot)
{
	size_t n = 0;

	for (size_t i = 0; i < snapshot->n_processes; i++)
		for (size_t k = 0; k < snapshot->processes[i].n_sites; k++)
			n += snapshot->processes[i].sites[k].n_handles;
	return n;
}

static void gather_site(struct report *report, struct gathering *all,
			const struct leaks_process *process, const struct leaks_site *site)
{
	for (size_t i = 0; i < site->n_handles; i++) {
		const struct leaks_handle *handle = &site->handles[i];
		struct item item = { handle, process, site, handle->origin };

		if (!process->ended && !baseline_is_told(handle, report->horizon_ns))
			report->n_young++;
		else if (site->n_frames || is_opened(item.origin))
			all->items[all->n++] = item;
		else
			all->items[all->room - ++all->n_rest] = item;
	}
}

static int gather(struct report *report, struct gathering *ret_all)
{
	const struct leaks_snapshot *snapshot = report->snapshot;
	size_t room = count_handles(snapshot);

	*ret_all = (struct gathering){ .items = calloc(room + 1, sizeof(*ret_all->items)),
				       .room = room };
	if (!ret_all->items)
		return -ENOMEM;
	for (size_t i = 0; i < snapshot->n_processes; i++)
		for (size_t k = 0; k < snapshot->processes[i].n_sites; k++)
			gather_site(report, ret_all, &snapshot->processes[i],
				    &snapshot->processes[i].sites[k]);
	if (ret_all->n > 1)
		qsort(ret_all->items, ret_all->n, sizeof(*ret_all->items), compare_items);
	return 0;
}

/* Sites */

static bool is_same(const struct item *x, const struct item *y, bool by_process)
{
	return x->site->id == y->site->id && x->origin == y->origin &&
	       (!by_process || x->process == y->process);
}

static struct part next_part(const struct report *report, const struct item *items, size_t n)
{
	struct part part = { .items = items };

	while (part.n < n && is_same(&items[0], &items[part.n], true))
		part.n++;
	part.n_new = count_new(report, items, part.n);
	judge(report, &part);
	return part;
}

static struct report_site begin_site(const struct item *item, const struct leaks_handle **handles,
				     pid_t *pids)
{
	return (struct report_site){ .site = item->site,
				     .origin = item->origin,
				     .handles = handles,
				     .pids = pids,
				     .look_at = frames_find_own(item->site->frames,
								item->site->n_frames) };
}

/* pids has room: it is as long as there are handles. */
static void add_part(struct report_site *site, pid_t *pids, const struct part *part)
{
	if (site->n_processes == 0)
		site->process = part->items->process;
	for (size_t i = 0; i < part->n; i++)
		site->handles[site->n_handles++] = part->items[i].handle;
	pids[site->n_processes++] = part->items->process->pid;
	site->n_new += part->n_new;
	if (is_opened(site->origin))
		site->closed += part->items->site->closed;
	site->rate_per_hour += part->rate_per_hour;
	site->growing |= part->growing;
	site->is_leak |= part->is_leak;
}

static size_t build_site(struct report *report, const struct item *items, size_t n, bool by_process,
			 size_t used, struct report_site *ret_site)
{
	pid_t *pids = report->pids + used;
	struct report_site site = begin_site(items, report->handles + used, pids);
	size_t done = 0;

	while (done < n && is_same(items, &items[done], by_process)) {
		struct part part = next_part(report, items + done, n - done);

		if (part.is_leak || !is_by_the_way(report, part.items->process))
			add_part(&site, pids, &part);
		done += part.n;
	}
	if (site.n_processes > 1)
		qsort(site.handles, site.n_handles, sizeof(*site.handles), compare_handles);
	*ret_site = site;
	return done;
}

static int build_sites(struct report *report, const struct gathering *all, bool by_process)
{
	size_t done = 0;

	report->sites = calloc(all->n + 1, sizeof(*report->sites));
	if (!report->sites)
		return -ENOMEM;
	while (done < all->n) {
		struct report_site *site = &report->sites[report->n_sites];

		done += build_site(report, all->items + done, all->n - done, by_process, done,
				   site);
		if (site->n_new == 0)
			continue; /* told by the baseline */
		report->n_sites++;
		report->n_leaks += site->is_leak;
		report->n_leaked += site->is_leak ? site->n_new : 0;
	}
	if (report->n_sites > 1)
		qsort(report->sites, report->n_sites, sizeof(*report->sites), compare_sites);
	return 0;
}

#define ORIGINS (LEAKS_FOUND + 1)

static int build_rests(struct report *report, const struct gathering *all)
{
	const struct item *items = all->items + all->room - all->n_rest;
	const struct leaks_handle **out = report->handles + all->n;

	report->rests = calloc(ORIGINS, sizeof(*report->rests));
	if (!report->rests)
		return -ENOMEM;
	for (int origin = 0; origin < ORIGINS; origin++) {
		struct report_rest *rest = &report->rests[report->n_rests];

		*rest = (struct report_rest){ .origin = (enum leaks_origin)origin, .handles = out };
		for (size_t i = all->n_rest; i-- > 0;)
			if (items[i].origin == rest->origin && is_new_rest(report, &items[i]))
				rest->handles[rest->n_handles++] = items[i].handle;
		out += rest->n_handles;
		report->n_rests += rest->n_handles > 0;
	}
	return 0;
}

int report_new(const struct leaks_snapshot *snapshot, const struct report_options *options,
	       struct report **ret_report)
{
	struct report *report = calloc(1, sizeof(*report));
	struct gathering all = { 0 };
	int r;

	if (!report)
		return -ENOMEM;
	report->snapshot = snapshot;
	report->since = options->since;
	report->ended_by_the_way = options->ended_by_the_way;
	report->older_than_ns = report_age(snapshot, options->older_than_ns);
	report->horizon_ns = snapshot->taken_ns - report->older_than_ns;
	r = gather(report, &all);
	report->handles = calloc(all.room + 1, sizeof(struct leaks_handle *));
	report->pids = calloc(all.room + 1, sizeof(*report->pids));
	if (r == 0 && (!report->handles || !report->pids))
		r = -ENOMEM;
	if (r == 0)
		r = build_sites(report, &all, options->by_process);
	if (r == 0)
		r = build_rests(report, &all);
	free(all.items);
	if (r < 0)
		report_free(report);
	else
		*ret_report = report;
	return r;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	free(report->sites);
	free(report->rests);
	free(report->handles);
	free(report->pids);
	free(report);
}

int report_wait_status(const struct report_style *style, const struct leaks_process *process)
{
	return style->wait_status >= 0 ? style->wait_status : process->exit_status;
}

/* Kinds */

static int compare_kinds(const void *a, const void *b)
{
	const struct report_kind *x = a, *y = b;

	return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->name, y->name);
}

size_t report_kinds(const struct leaks_handle *const *handles, size_t n, struct report_kind *kinds,
		    size_t max)
{
	size_t n_kinds = 0;

	for (size_t i = 0; i < n; i++) {
		const char *name = handles[i]->kind ? handles[i]->kind : "other";
		size_t k = 0;

		while (k < n_kinds && strcmp(kinds[k].name, name) != 0)
			k++;
		if (k == n_kinds && n_kinds == max)
			continue;
		if (k == n_kinds)
			kinds[n_kinds++] = (struct report_kind){ .name = name };
		kinds[k].count++;
	}
	if (n_kinds > 1)
		qsort(kinds, n_kinds, sizeof(*kinds), compare_kinds);
	return n_kinds;
}
