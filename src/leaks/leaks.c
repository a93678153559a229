/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leaks.c - from what a source tells to sites with their handles
 *
 * A stack is unwound once, when its handle has lived through a step: those that are closed before
 * never cost more than the kernel's copy.  Then the copy goes back to the source's pool.
 */
#include "leaks/leaks.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "leaks/sites.h"
#include "leaks/source.h"
#include "proc/handles.h"
#include "proc/proc.h"

#define SURVIVOR_NS (1 * NS_PER_S) /* so old, and its stack is unwound and given back */
#define WHAT_BYTES  512
#define ENDED_MAX   1024 /* processes that have ended and have nothing to tell */
#define LEFT_MAX    1024 /* and those that left a stack */

/* A program in a process: what was mapped while it ran. */
struct image {
	uint32_t number;
	struct space *space; /* NULL: could not be read */
};

struct watched {
	pid_t pid;
	uint32_t key;
	uint64_t start_ticks;
	char name[LEAKS_NAME_BYTES];
	bool ended;
	bool has_sites; /* which refer to its images */
	bool is_dropped, is_removed;
	bool is_uncertain; /* an event about it was lost */
	int status;
	int64_t began_ns, ended_ns;
	struct leaks_process counts; /* at its end */
	struct image *image;
	size_t n_images;
};

/* One opening, however many tables have it since. */
struct opening {
	int64_t opened_ns;
	pid_t tid;
	int number;
	struct site *site; /* NULL: not known */
	const char *kind;
	char *what;
	uint64_t seen;     /* number of the round */
};

/* A handle that is open, or was at its process's end. */
struct held {
	struct watched *watched;
	struct source_handle handle;
	struct opening *opening;
};

struct leaks {
	struct source *source;
	struct symbolizer *symbolizer;
	struct leaks_options options;
	struct watched **watched;
	size_t n_watched, n_alive;
	struct watched **retired; /* dropped, but handles are known still that they opened */
	size_t n_retired;
	size_t n_snapshots; /* that somebody has: they point into sites */
	void *openings; /* tree */
	struct sites sites;
	struct held *held;   /* of the living, by the last round */
	size_t n_held, held_room;
	struct held *kept;   /* of those that ended */
	size_t n_kept, kept_room;
	struct leaks_counts dropped; /* of processes that are not kept any more */
	uint64_t round;
	bool unwind_all;     /* the young ones too */
	bool is_short;       /* the source, of room: then, too, and give it back */
	int64_t began_ns, round_ns;
	int error;           /* of a callback */
	unsigned char buffer[SOURCE_STACK_MAX];
};

/* Processes */

static struct watched *find_watched(const struct leaks *leaks, pid_t pid)
{
	for (size_t i = leaks->n_watched; i-- > 0;)
		if (leaks->watched[i]->pid == pid && !leaks->watched[i]->ended)
			return leaks->watched[i];
	return NULL;
}

static struct watched *find_key(const struct leaks *leaks, uint32_t key)
{
	for (size_t i = leaks->n_watched; i-- > 0;)
		if (leaks->watched[i]->key == key && !leaks->watched[i]->ended)
			return leaks->watched[i];
	return NULL;
}

/* The last of that number, ended or not. */
static struct watched *find_latest(const struct leaks *leaks, pid_t pid)
{
	for (size_t i = leaks->n_watched; i-- > 0;)
		if (leaks->watched[i]->pid == pid)
			return leaks->watched[i];
	return NULL;
}

static void read_name(struct watched *watched)
{
	struct proc_process process;

	if (proc_process_read_stat(watched->pid, &process) < 0)
		return;
	watched->start_ticks = process.start_ticks;
	(void)snprintf(watched->name, sizeof(watched->name), "%s", process.comm);
}

static struct watched *new_watched(struct leaks *leaks, pid_t pid, uint32_t key)
{
	struct watched *watched = calloc(1, sizeof(*watched)), **grown;

	if (!watched)
		return NULL;
	grown = realloc(leaks->watched, (leaks->n_watched + 1) * sizeof(struct watched *));
	if (!grown) {
		free(watched);
		return NULL;
	}
	leaks->watched = grown;
	leaks->watched[leaks->n_watched++] = watched;
	watched->pid = pid;
	watched->key = key;
	watched->began_ns = now_ns();
	read_name(watched);
	return watched;
}

static struct image *find_image(struct watched *watched, uint32_t number)
{
	for (size_t i = 0; i < watched->n_images; i++)
		if (watched->image[i].number == number)
			return &watched->image[i];
	return NULL;
}

static struct image *add_image(struct watched *watched, uint32_t number)
{
	struct image *grown = realloc(watched->image, (watched->n_images + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	watched->image = grown;
	grown[watched->n_images] = (struct image){ .number = number };
	return &grown[watched->n_images++];
}

static struct image *read_image(struct leaks *leaks, struct watched *watched, uint32_t number)
{
	struct image *image = add_image(watched, number);

	if (image && space_of_process(leaks->symbolizer, watched->pid, &image->space) < 0)
		(void)space_empty(leaks->symbolizer, watched->pid, &image->space);
	return image;
}

/* A child maps what its parent did, until it executes another program. */
static void copy_image(struct watched *watched, const struct image *from)
{
	struct image image = { .number = from->number };

	watched->image = malloc(sizeof(image));
	if (!watched->image)
		return;
	if (from->space)
		(void)space_copy(from->space, watched->pid, &image.space);
	watched->image[0] = image;
	watched->n_images = 1;
}

static void on_process(void *context, pid_t pid, pid_t parent, uint32_t key, const char *name)
{
	struct leaks *leaks = context;
	struct watched *watched = find_key(leaks, key);
	struct watched *from = parent ? find_latest(leaks, parent) : NULL;

	if (watched)
		return;
	leaks->n_alive++;
	watched = new_watched(leaks, pid, key);
	if (!watched) {
		leaks->error = -ENOMEM;
		return;
	}
	if (!watched->name[0])
		(void)snprintf(watched->name, sizeof(watched->name), "%.16s", name);
	if (from && from->n_images > 0)
		copy_image(watched, &from->image[from->n_images - 1]);
	if (watched->n_images == 0 && !leaks->options.all) /* of so many, only when asked for */
		(void)read_image(leaks, watched, 0);
}

/* What a new program maps, from its beginning: it may be gone before anybody can look. */
static void on_mapped(void *context, const struct mapping_event *event)
{
	struct leaks *leaks = context;
	struct watched *watched = find_watched(leaks, event->pid);
	struct image *last = watched && watched->n_images > 0 ?
			     &watched->image[watched->n_images - 1] : NULL;

	if (!last)
		return;
	if (event->executes) {
		last = add_image(watched, last->number + 1);
		if (!last || space_empty(leaks->symbolizer, event->pid, &last->space) < 0)
			leaks->error = -ENOMEM;
	} else if (last->space) {
		(void)space_map(last->space, &event->mapping); /* what is no ELF file is not there */
	}
}

static void on_executed(void *context, uint32_t key, uint32_t number, const char *name)
{
	struct leaks *leaks = context;
	struct watched *watched = find_key(leaks, key);

	if (!watched)
		return;
	if (name[0])
		(void)snprintf(watched->name, sizeof(watched->name), "%.16s", name);
	else
		read_name(watched);
	if (!find_image(watched, number) && !read_image(leaks, watched, number))
		leaks->error = -ENOMEM;
}

static void on_uncertain(void *context, uint32_t key)
{
	struct watched *watched = find_key(context, key);

	if (watched)
		watched->is_uncertain = true;
}

/* Openings */

static int compare_openings(const void *left, const void *right)
{
	const struct opening *a = left, *b = right;

	if (a->opened_ns != b->opened_ns)
		return a->opened_ns < b->opened_ns ? -1 : 1;
	if (a->tid != b->tid)
		return a->tid < b->tid ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static struct opening *find_opening(struct leaks *leaks, const struct source_handle *handle)
{
	struct opening key = { .opened_ns = handle->opened_ns, .tid = handle->tid,
			       .number = handle->number };
	void *found = tfind(&key, &leaks->openings, compare_openings);
	struct opening *opening;

	if (found)
		return *(struct opening **)found;
	opening = malloc(sizeof(*opening));
	if (!opening)
		return NULL;
	*opening = key;
	if (!tsearch(opening, &leaks->openings, compare_openings)) {
		free(opening);
		return NULL;
	}
	return opening;
}

static void free_opening(void *node)
{
	struct opening *opening = node;

	free(opening->what);
	free(opening);
}

/* The opener's own program, or what is left of it. */
static struct space *space_for(struct leaks *leaks, const struct source_handle *handle)
{
	struct watched *watched = find_latest(leaks, handle->pid);
	struct image *image = watched ? find_image(watched, handle->image) : NULL;

	if (!watched)
		return NULL;
	if (!image)
		image = watched->n_images ? &watched->image[0] :
					    read_image(leaks, watched, handle->image);
	if (!image || !image->space)
		return NULL;
	watched->has_sites = true;
	return image->space;
}

static bool is_unknown(const struct unwound *stack)
{
	return stack->n == 0 || stack->end == UNWIND_NO_RULES || stack->end == UNWIND_BROKEN;
}

static int unwind(struct leaks *leaks, const struct source_handle *handle, struct opening *opening)
{
	struct space *space = space_for(leaks, handle);
	struct captured_stack stack;
	struct unwound unwound;
	int r;

	if (!space || leaks->source->ops->capture(leaks->source, handle, &stack, leaks->buffer) < 0)
		return 0;
	r = space_unwind(space, &stack, &unwound);
	/* It may go through a library that has been loaded since we looked. */
	if (r == 0 && is_unknown(&unwound) && space_update(space) == 0)
		r = space_unwind(space, &stack, &unwound);
	if (r < 0)
		return r;
	return sites_find(&leaks->sites, handle->pid, space, &unwound, &opening->site);
}

/* Rounds: every handle is told once, and what is known of it is brought up to date. */

static int add_held(struct held **held, size_t *n, size_t *room, const struct held *one)
{
	if (*n == *room) {
		size_t more = *room ? *room * 2 : 256;
		struct held *grown = realloc(*held, more * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*held = grown;
		*room = more;
	}
	(*held)[(*n)++] = *one;
	return 0;
}

static int take_handle(void *context, const struct source_handle *handle)
{
	struct leaks *leaks = context;
	struct held held = { .handle = *handle, .watched = find_key(leaks, handle->owner) };
	bool is_old = leaks->is_short || now_ns() - handle->opened_ns >= SURVIVOR_NS;
	int r = 0;

	if (!held.watched)
		return 0; /* of another process, whose end we have seen */
	held.opening = find_opening(leaks, handle);
	if (!held.opening)
		return -ENOMEM;
	held.opening->seen = leaks->round;
	if (handle->has_stack && !held.opening->site &&
	    (leaks->unwind_all || is_old))
		r = unwind(leaks, handle, held.opening);
	if (r == 0 && handle->has_stack && held.opening->site && is_old)
		r = leaks->source->ops->release(leaks->source, handle);
	if (r < 0)
		return r;
	return add_held(&leaks->held, &leaks->n_held, &leaks->held_room, &held);
}

/* Those that the last round saw, and this one did not. */
static void forget_closed(struct leaks *leaks, const struct held *before, size_t n_before)
{
	AUTO_FREE struct opening **gone = calloc(n_before + 1, sizeof(struct opening *));
	size_t n = 0;

	if (!gone)
		return; /* they are known for longer than need be */
	for (size_t i = 0; i < leaks->n_kept; i++)
		leaks->kept[i].opening->seen = leaks->round;
	for (size_t i = 0; i < n_before; i++) {
		struct opening *opening = before[i].opening;

		if (opening->seen == leaks->round || opening->seen == 0)
			continue;
		opening->seen = 0; /* it may be twice among them: after fork(2) */
		gone[n++] = opening;
	}
	for (size_t i = 0; i < n; i++) {
		if (gone[i]->site)
			gone[i]->site->closed++;
		(void)tdelete(gone[i], &leaks->openings, compare_openings);
		free_opening(gone[i]);
	}
}

static void free_watched(struct watched *watched)
{
	for (size_t i = 0; i < watched->n_images; i++)
		space_free(watched->image[i].space);
	free(watched->image);
	free(watched);
}

/* Their handles are among those of the last round from now on, so that this one forgets them. */
static int drop_handles(struct leaks *leaks)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < leaks->n_kept && r == 0; i++)
		if (leaks->kept[i].watched->is_dropped)
			r = add_held(&leaks->held, &leaks->n_held, &leaks->held_room,
				     &leaks->kept[i]);
	for (size_t i = 0; i < leaks->n_kept; i++)
		if (!leaks->kept[i].watched->is_dropped)
			leaks->kept[n++] = leaks->kept[i];
	leaks->n_kept = n;
	return r;
}

static int drop_watched(struct leaks *leaks)
{
	struct watched **retired =
		reallocarray(leaks->retired, leaks->n_retired + leaks->n_watched + 1, sizeof(*retired));
	size_t n = 0;

	if (!retired)
		return -ENOMEM;
	leaks->retired = retired;
	for (size_t i = 0; i < leaks->n_watched; i++) {
		struct watched *watched = leaks->watched[i];

		if (!watched->is_dropped) {
			leaks->watched[n++] = watched;
			continue;
		}
		if (!watched->is_removed) {
			leaks->dropped.opened += watched->counts.opened;
			leaks->dropped.closed += watched->counts.closed;
			leaks->dropped.lost += watched->counts.lost;
		}
		retired[leaks->n_retired++] = watched;
	}
	leaks->n_watched = n;
	return 0;
}

static void mark_oldest(struct leaks *leaks, bool has_sites, size_t max)
{
	size_t n = 0, excess;

	for (size_t i = 0; i < leaks->n_watched; i++)
		n += leaks->watched[i]->ended && leaks->watched[i]->has_sites == has_sites;
	if (n <= max)
		return;
	excess = n - max / 2;
	for (size_t i = 0; i < leaks->n_watched && excess > 0; i++)
		if (leaks->watched[i]->ended && leaks->watched[i]->has_sites == has_sites) {
			leaks->watched[i]->is_dropped = true;
			excess--;
		}
}

/* Where processes come and go for hours, not each can be remembered: the oldest are forgotten. */
static int drop_ended(struct leaks *leaks)
{
	bool any = false;
	int r = 0;

	mark_oldest(leaks, false, ENDED_MAX);
	mark_oldest(leaks, true, LEFT_MAX);
	for (size_t i = 0; i < leaks->n_watched; i++)
		any = any || leaks->watched[i]->is_dropped;
	if (any)
		r = drop_handles(leaks);
	return any && r == 0 ? drop_watched(leaks) : r;
}

static void see_site(const void *node, VISIT visit, void *context)
{
	const struct opening *opening = *(struct opening *const *)node;

	if (opening->site && (visit == preorder || visit == leaf))
		opening->site->seen = *(const uint64_t *)context;
}

/* A child may have what a process opened that is dropped: its sites stay as long, and what they are
 * described from. */
static void free_retired(struct leaks *leaks)
{
	size_t n = 0;

	if (leaks->n_retired == 0 || leaks->n_snapshots > 0)
		return;
	twalk_r(leaks->openings, see_site, &leaks->round);
	for (size_t i = 0; i < leaks->n_retired; i++) {
		struct watched *watched = leaks->retired[i];
		bool is_free = true;

		for (size_t k = 0; k < watched->n_images; k++)
			if (watched->image[k].space && watched->has_sites)
				is_free &= sites_forget(&leaks->sites, watched->image[k].space,
							leaks->round);
		if (is_free)
			free_watched(watched);
		else
			leaks->retired[n++] = watched;
	}
	leaks->n_retired = n;
}

static int take_round(struct leaks *leaks)
{
	int r = drop_ended(leaks);
	struct held *before = leaks->held;
	size_t n_before = leaks->n_held;

	if (r < 0)
		return r;
	leaks->held = NULL;
	leaks->n_held = leaks->held_room = 0;
	leaks->round++;
	leaks->is_short = leaks->source->ops->is_short(leaks->source);
	leaks->round_ns = leaks->source->ops->now_ns(leaks->source);
	r = leaks->source->ops->each_handle(leaks->source, 0, take_handle, leaks);
	if (r == 0) {
		forget_closed(leaks, before, n_before);
		free_retired(leaks);
		r = leaks->source->ops->flush_releases(leaks->source);
	}
	free(before);
	return r;
}

/* They are in order of number. */
static const struct proc_handle *find_number(const struct proc_handles *handles, int number)
{
	size_t low = 0, high = handles->n_handles;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (handles->handle[middle].number == number)
			return &handles->handle[middle];
		if (handles->handle[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The end of a process: the source still knows what was open. */

static int keep_handle(void *context, const struct source_handle *handle)
{
	struct leaks *leaks = context;
	struct held held = { .handle = *handle, .watched = find_key(leaks, handle->owner) };
	int r;

	if (!held.watched)
		return 0;
	held.opening = find_opening(leaks, handle);
	if (!held.opening)
		return -ENOMEM;
	held.opening->seen = leaks->round;
	if (handle->has_stack && !held.opening->site) {
		r = unwind(leaks, handle, held.opening);
		if (r < 0)
			return r;
	}
	if (handle->has_stack)
		(void)leaks->source->ops->release(leaks->source, handle);
	return add_held(&leaks->kept, &leaks->n_kept, &leaks->kept_room, &held);
}

/* Most processes are gone by now, and the source has told; one that is held at its end is not. */
static void describe_last(struct leaks *leaks, const struct watched *watched)
{
	struct proc_handles now = { 0 };

	if (proc_handles_read(watched->pid, &now) < 0)
		return;
	for (size_t i = 0; i < leaks->n_kept; i++) {
		const struct held *held = &leaks->kept[i];
		const struct proc_handle *found = find_number(&now, held->handle.number);

		if (held->watched != watched || held->opening->what || !found)
			continue;
		held->opening->kind = proc_handle_kind_name(found->kind);
		held->opening->what = found->what ? strdup(found->what) : NULL;
	}
	proc_handles_done(&now);
}

/* What its last program had mapped, if that can still be read. */
static void look_at_the_end(struct watched *watched)
{
	struct image *last = watched->n_images ? &watched->image[watched->n_images - 1] : NULL;

	if (last && last->space)
		(void)space_update(last->space);
}

static void on_ended(void *context, uint32_t key, int status)
{
	struct leaks *leaks = context;
	const struct source_ops *ops = leaks->source->ops;
	struct watched *watched = find_key(leaks, key);
	int r;

	if (!watched)
		return;
	look_at_the_end(watched);
	(void)ops->counts(leaks->source, key, &watched->counts);
	r = ops->each_handle(leaks->source, key, keep_handle, leaks);
	if (r == 0)
		r = ops->flush_releases(leaks->source);
	if (r < 0)
		leaks->error = r;
	describe_last(leaks, watched);
	ops->forget(leaks->source, key);
	watched->ended = true;
	watched->ended_ns = now_ns();
	watched->status = status;
	leaks->n_alive--;
}

#define MAGIC_PIPE 0x50495045
#define MAGIC_PID  0x50494446

/* What has no path. */
static bool link_of_nameless(const struct source_file *file, char *link, size_t bytes)
{
	const char *name = file->n_names ? file->names[0] : "";

	if (S_ISSOCK(file->mode))
		(void)snprintf(link, bytes, "socket:[?]");
	else if (file->magic == MAGIC_PIPE)
		(void)snprintf(link, bytes, "pipe:[?]");
	else if (file->magic == MAGIC_PID)
		(void)snprintf(link, bytes, "anon_inode:[pidfd]");
	else if (file->magic == ANON_INODE_FS_MAGIC)
		(void)snprintf(link, bytes, "anon_inode:%s", name);
	else
		return false;
	return true;
}

/* As the link in /proc/PID/fd would have read, but for mount points. */
static void link_from_names(const struct source_file *file, char *link, size_t bytes)
{
	size_t n = file->n_names, used = 0;

	if (link_of_nameless(file, link, bytes))
		return;
	(void)snprintf(link, bytes, "/"); /* the root itself has no name */
	if (n == SOURCE_NAMES_MAX)
		used = (size_t)snprintf(link, bytes, "/...");
	while (n-- > 0 && used < bytes)
		if (strcmp(file->names[n], "/") != 0)
			used += (size_t)snprintf(link + used, bytes - used, "/%s", file->names[n]);
}

static void on_description(void *context, const struct source_handle *handle,
			   const struct source_file *file)
{
	struct leaks *leaks = context;
	struct opening *opening = find_opening(leaks, handle);
	char link[WHAT_BYTES];

	if (!opening || opening->what)
		return;
	link_from_names(file, link, sizeof(link));
	if (!file->is_short || link[0] != '/')
		opening->what = strdup(link);
	opening->kind = proc_handle_kind_name(proc_classify(link, file->mode, 0));
}

/* Snapshots */

struct kept_snapshot {
	struct leaks_snapshot snapshot;
	struct leaks *leaks; /* NULL: it was never handed out */
	struct leaks_process *processes;
	struct leaks_site *sites;
	struct leaks_handle *handles;
	char **strings;
	size_t n_strings;
};

static int by_process_and_site(const void *left, const void *right)
{
	const struct held *a = left, *b = right;

	if (a->watched != b->watched)
		return a->watched < b->watched ? -1 : 1;
	if (a->opening->site != b->opening->site)
		return a->opening->site < b->opening->site ? -1 : 1;
	if (!a->opening->site && a->handle.origin != b->handle.origin)
		return a->handle.origin < b->handle.origin ? -1 : 1;
	if (a->handle.opened_ns != b->handle.opened_ns)
		return a->handle.opened_ns < b->handle.opened_ns ? -1 : 1;
	return a->handle.number < b->handle.number ? -1 : a->handle.number > b->handle.number;
}

static bool same_site(const struct held *a, const struct held *b)
{
	return a->watched == b->watched && a->opening->site == b->opening->site &&
	       (a->opening->site || a->handle.origin == b->handle.origin);
}

/* Most handles first; what has no stack comes last. */
static int by_count(const void *left, const void *right)
{
	const struct leaks_site *a = left, *b = right;

	if ((a->n_frames > 0) != (b->n_frames > 0))
		return a->n_frames > 0 ? -1 : 1;
	if (a->n_handles != b->n_handles)
		return a->n_handles > b->n_handles ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static const char *keep_string(struct kept_snapshot *kept, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (copy)
		kept->strings[kept->n_strings++] = copy;
	return copy;
}

static void describe_handle(struct kept_snapshot *kept, const struct held *held,
			    const struct proc_handles *now, struct leaks_handle *handle)
{
	const struct source_handle *from = &held->handle;
	const struct proc_handle *found;

	handle->number = from->number;
	handle->pid = from->pid;
	handle->tid = from->tid;
	handle->origin = from->origin;
	handle->syscall = from->syscall;
	handle->uncertain = from->no_stack || held->watched->is_uncertain;
	handle->opened_ns = from->opened_ns;
	handle->kind = held->opening->kind ? held->opening->kind :
					     proc_handle_kind_name(PROC_HANDLE_OTHER);
	if (held->watched->ended)
		handle->what = keep_string(kept, held->opening->what);
	found = find_number(now, from->number);
	if (found) {
		handle->kind = proc_handle_kind_name(found->kind);
		handle->what = keep_string(kept, found->what);
	}
}

static int fill_site(struct leaks_site *to, struct site *site)
{
	int r;

	if (!site)
		return 0;
	r = site_describe(site);
	if (r < 0)
		return r;
	to->frames = site->frames;
	to->n_frames = site->n_frames;
	to->end = site->stack.end;
	to->id = site->id;
	to->closed = site->closed;
	return 0;
}

static int fill_process(struct leaks *leaks, struct kept_snapshot *kept, const struct held *held,
			size_t n, struct leaks_process *process, struct leaks_handle *handles,
			struct leaks_site *sites)
{
	const struct watched *watched = held->watched;
	struct proc_handles now = { 0 };
	size_t n_sites = 0;
	int r = 0;

	if (!watched->ended)
		(void)proc_handles_read(watched->pid, &now);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (i == 0 || !same_site(&held[i - 1], &held[i])) {
			r = fill_site(&sites[n_sites], held[i].opening->site);
			sites[n_sites++].handles = &handles[i];
		}
		describe_handle(kept, &held[i], &now, &handles[i]);
		sites[n_sites - 1].n_handles++;
	}
	proc_handles_done(&now);
	qsort(sites, n_sites, sizeof(*sites), by_count);
	process->sites = sites;
	process->n_sites = n_sites;
	process->handles = n;
	return r;
}

static void head_process(struct leaks *leaks, const struct watched *watched,
			 struct leaks_process *process)
{
	if (watched->ended)
		*process = watched->counts;
	else
		(void)leaks->source->ops->counts(leaks->source, watched->key, process);
	process->pid = watched->pid;
	process->start_ticks = watched->start_ticks;
	process->ended = watched->ended;
	process->exit_status = watched->status;
	process->began_ns = watched->began_ns;
	process->ended_ns = watched->ended_ns;
	memcpy(process->name, watched->name, sizeof(process->name));
}

static int fill_snapshot(struct leaks *leaks, struct kept_snapshot *kept, struct held *all, size_t n)
{
	size_t at = 0, n_here;
	int r = 0;

	for (size_t i = 0; i < leaks->n_watched && r == 0; i++) {
		head_process(leaks, leaks->watched[i], &kept->processes[i]);
		for (at = 0; at < n && all[at].watched != leaks->watched[i]; at++)
			;
		for (n_here = 0; at + n_here < n && all[at + n_here].watched == leaks->watched[i];)
			n_here++;
		if (n_here > 0)
			r = fill_process(leaks, kept, &all[at], n_here, &kept->processes[i],
					 &kept->handles[at], &kept->sites[at]);
	}
	kept->snapshot.n_processes = leaks->n_watched;
	return r;
}

static struct kept_snapshot *new_snapshot(size_t n_processes, size_t n_handles)
{
	struct kept_snapshot *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return NULL;
	kept->processes = calloc(n_processes + 1, sizeof(*kept->processes));
	kept->sites = calloc(n_handles + 1, sizeof(*kept->sites));
	kept->handles = calloc(n_handles + 1, sizeof(*kept->handles));
	kept->strings = calloc(n_handles + 1, sizeof(*kept->strings));
	if (kept->processes && kept->sites && kept->handles && kept->strings) {
		kept->snapshot.processes = kept->processes;
		return kept;
	}
	leaks_snapshot_free(&kept->snapshot);
	return NULL;
}

void leaks_snapshot_free(struct leaks_snapshot *snapshot)
{
	struct kept_snapshot *kept = (struct kept_snapshot *)snapshot;

	if (!kept)
		return;
	if (kept->leaks)
		kept->leaks->n_snapshots--;
	for (size_t i = 0; i < kept->n_strings; i++)
		free(kept->strings[i]);
	free(kept->strings);
	free(kept->processes);
	free(kept->sites);
	free(kept->handles);
	free(kept);
}

/* What belongs to no process that is told of; whose events were missed nobody knows. */
static struct leaks_counts of_nobody_here(const struct leaks *leaks)
{
	struct leaks_counts counts = leaks->dropped;

	if (leaks->source->ops->missed)
		counts.lost += leaks->source->ops->missed(leaks->source);
	return counts;
}

int leaks_snapshot(struct leaks *leaks, struct leaks_snapshot **ret_snapshot)
{
	struct kept_snapshot *kept;
	AUTO_FREE struct held *all = NULL;
	size_t n;
	int r;

	leaks->unwind_all = true;
	r = leaks_step(leaks);
	leaks->unwind_all = false;
	if (r < 0)
		return r;
	n = leaks->n_held + leaks->n_kept;
	all = calloc(n + 1, sizeof(*all));
	kept = new_snapshot(leaks->n_watched, n);
	if (!all || !kept) {
		leaks_snapshot_free((struct leaks_snapshot *)kept);
		return -ENOMEM;
	}
	if (leaks->n_held > 0)
		memcpy(all, leaks->held, leaks->n_held * sizeof(*all));
	if (leaks->n_kept > 0)
		memcpy(all + leaks->n_held, leaks->kept, leaks->n_kept * sizeof(*all));
	qsort(all, n, sizeof(*all), by_process_and_site);
	r = fill_snapshot(leaks, kept, all, n);
	kept->snapshot.began_ns = leaks->began_ns;
	kept->snapshot.taken_ns = leaks->round_ns;
	kept->snapshot.source = leaks->source->ops->name;
	kept->snapshot.hook = leaks->source->hook;
	kept->snapshot.dropped = of_nobody_here(leaks);
	if (r < 0) {
		leaks_snapshot_free(&kept->snapshot);
		return r;
	}
	kept->leaks = leaks;
	leaks->n_snapshots++;
	*ret_snapshot = &kept->snapshot;
	return 0;
}

/* Beginning and end */

static const struct source_callbacks callbacks = {
	.process = on_process,
	.mapped = on_mapped,
	.executed = on_executed,
	.description = on_description,
	.ended = on_ended,
	.uncertain = on_uncertain,
};

int leaks_add(struct leaks *leaks, pid_t pid, struct tendril_error *error)
{
	int r = leaks->source->ops->add(leaks->source, pid, leaks->options.follow, error);

	if (r == 0)
		r = leaks->source->ops->events(leaks->source);
	return r < 0 ? r : leaks->error;
}

int leaks_remove(struct leaks *leaks, pid_t pid)
{
	struct watched *watched = find_latest(leaks, pid);
	int r = 0;

	if (!watched)
		return -ESRCH;
	if (leaks->options.all)
		return -ENOTSUP;
	if (!watched->ended) {
		r = leaks->source->ops->remove(leaks->source, pid, watched->key);
		if (r < 0)
			return r;
		leaks->source->ops->forget(leaks->source, watched->key);
		leaks->n_alive--;
	}
	watched->ended = watched->is_dropped = watched->is_removed = true;
	return 0;
}

static int add_asked(struct leaks *leaks, struct tendril_error *error)
{
	int r = leaks->options.all ? leaks_add(leaks, 0, error) : 0;

	for (size_t i = 0; i < leaks->options.n_pids && r == 0; i++)
		r = leaks_add(leaks, leaks->options.pids[i], error);
	return r;
}

/* BPF where we may; else the slow way, which the snapshot names.  ret_why: why not BPF, "" when it
 * is, or was not asked for. */
static int open_source(const struct leaks_options *options, struct source **ret_source,
		       struct tendril_error *error, struct tendril_error *ret_why)
{
	int r = -ENOTSUP;

	*ret_why = (struct tendril_error){ 0 };
	if (options->ptrace)
		return source_ptrace_open(options, ret_source, error);
#ifdef TENDRIL_BPF
	r = source_bpf_open(options, ret_source, ret_why);
	if (error && r < 0)
		*error = *ret_why;
	if (r == 0 || r == -ENOMEM || options->all || options->never_ptrace)
		return r;
#else
	(void)fail(ret_why, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "this build has no BPF programs");
	if (options->never_ptrace) {
		if (error)
			*error = *ret_why;
		return r;
	}
#endif
	return source_ptrace_open(options, ret_source, error);
}

/* Both ways are closed: what each of them wants. */
static void tell_both(struct tendril_error *error, const struct tendril_error *why)
{
	size_t used = error ? strlen(error->text) : 0;

	if (error && why->text[0] && error->code != -ESRCH)
		(void)snprintf(error->text + used, sizeof(error->text) - used, "; %s", why->text);
}

int leaks_open(const struct leaks_options *options, struct leaks **ret_leaks,
	       struct tendril_error *error)
{
	struct symbolizer_options symbolizer = { .debuginfod = options->debuginfod };
	struct leaks *leaks = calloc(1, sizeof(*leaks));
	struct tendril_error why = { 0 };
	int r;

	if (!leaks)
		return fail(error, -ENOMEM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "out of memory");
	leaks->options = *options;
	leaks->began_ns = now_ns();
	r = symbolizer_new(&symbolizer, &leaks->symbolizer);
	if (r < 0)
		(void)fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "out of memory");
	else
		r = open_source(options, &leaks->source, error, &why);
	if (r == 0) {
		leaks->source->callbacks = &callbacks;
		leaks->source->context = leaks;
		r = add_asked(leaks, error);
		if (r < 0)
			tell_both(error, &why);
	}
	leaks->options.pids = NULL;
	leaks->options.n_pids = 0;
	if (r < 0) {
		leaks_close(leaks);
		return r;
	}
	*ret_leaks = leaks;
	return 0;
}

const char *leaks_hook(const struct leaks *leaks)
{
	return leaks->source->hook;
}

int leaks_poll_fd(const struct leaks *leaks)
{
	return leaks->source->ops->poll_fd(leaks->source);
}

int leaks_step(struct leaks *leaks)
{
	int r = leaks->source->ops->events(leaks->source);

	if (r == 0)
		r = leaks->source->ops->look(leaks->source);
	if (r == 0)
		r = take_round(leaks);
	return r < 0 ? r : leaks->error;
}

size_t leaks_alive(const struct leaks *leaks)
{
	return leaks->n_alive;
}

void leaks_count(const struct leaks *leaks, struct leaks_counts *ret_counts)
{
	struct leaks_counts counts = of_nobody_here(leaks);

	counts.handles = leaks->n_held;
	for (size_t i = 0; i < leaks->n_watched; i++) {
		struct leaks_process now = { 0 };

		if (leaks->watched[i]->ended)
			now = leaks->watched[i]->counts;
		else
			(void)leaks->source->ops->counts(leaks->source, leaks->watched[i]->key, &now);
		counts.opened += now.opened;
		counts.closed += now.closed;
		counts.lost += now.lost;
	}
	*ret_counts = counts;
}

void leaks_close(struct leaks *leaks)
{
	if (!leaks)
		return;
	if (leaks->source)
		leaks->source->ops->close(leaks->source);
	tdestroy(leaks->openings, free_opening);
	sites_done(&leaks->sites);
	for (size_t i = 0; i < leaks->n_watched; i++)
		free_watched(leaks->watched[i]);
	for (size_t i = 0; i < leaks->n_retired; i++)
		free_watched(leaks->retired[i]);
	free(leaks->retired);
	free(leaks->watched);
	free(leaks->held);
	free(leaks->kept);
	if (leaks->symbolizer)
		symbolizer_free(leaks->symbolizer);
	free(leaks);
}
