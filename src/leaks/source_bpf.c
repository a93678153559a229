/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source_bpf.c - handles and their stacks as bpf/handles.bpf.c keeps them
 *
 * All that it makes in the kernel hangs on descriptors of ours: when we end, however we end, the
 * kernel takes it away.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "leaks/bpf/handles.h"
#include "leaks/calls.h"
#include "leaks/hooks.h"
#include "leaks/load_log.h"
#include "leaks/source.h"
#include "proc/proc.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpointer-arith" /* bpftool made it */
#include "handles.skel.h"
#pragma GCC diagnostic pop

_Static_assert(NAMES_MAX == SOURCE_NAMES_MAX, "or a path that was cut looks whole");

struct pool {
	const unsigned char *chunks; /* the map itself, shared with the kernel */
	size_t chunk_bytes, n;
};

union any_event {
	struct event event;
	struct handle_event handle;
	struct kind_event kind;
};

struct bpf_source {
	struct source base;
	struct handles *skeleton;
	struct ring_buffer *ring;
	struct bpf_link *look;
	struct pool pool[CAPTURE_CLASSES];
	struct release *releases;
	uint32_t n_releases;
	const struct page *pages; /* shared with the kernel, as the pools are */
	uint32_t *left;           /* of each page: its table, when that was nobody's at the last look */
	struct mappings *mappings; /* NULL: not permitted */
	union any_event *events;
	size_t n_events, events_room;
	uint64_t unkept; /* events that were not told, when we last looked for what they were about */
};

static struct bpf_source *self_of(struct source *source)
{
	return (struct bpf_source *)source;
}

/* Iterators */

static int run_iterator(const struct bpf_link *link)
{
	AUTO_CLOSE int fd = bpf_iter_create(bpf_link__fd(link));
	char nothing[64];
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = read(fd, nothing, sizeof(nothing));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return n < 0 ? -errno : 0;
}

static struct bpf_link *attach_iterator(struct bpf_program *program, int pidfd)
{
	union bpf_iter_link_info info = { .task.pid_fd = (uint32_t)pidfd };
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));

	return bpf_program__attach_iter(program, pidfd < 0 ? NULL : &options);
}

/* Return: 0, or why the iterator could not run over one process, or over all (pidfd -1). */
static int iterate(struct bpf_program *program, int pidfd)
{
	struct bpf_link *link = attach_iterator(program, pidfd);
	int r;

	if (!link)
		return -errno;
	r = run_iterator(link);
	(void)bpf_link__destroy(link);
	return r;
}

static int bpf_add(struct source *source, pid_t pid, bool follow, struct tendril_error *error)
{
	struct bpf_source *self = self_of(source);
	AUTO_CLOSE int pidfd = pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	int r;

	if (pid && pidfd < 0)
		return fail(error, -errno, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_PROCESS,
			    "there is no process %d", (int)pid);
	self->skeleton->bss->look_mode = LOOK_ADD;
	self->skeleton->bss->look_flags = follow ? PROCESS_FOLLOW : 0;
	r = iterate(self->skeleton->progs.look, pidfd);
	if (r < 0 && !pid)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "the kernel does not tell the handles of all processes: %s", strerror(-r));
	if (r < 0)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "the kernel does not tell the handles of process %d: %s", (int)pid,
			    strerror(-r));
	return 0;
}

/* Events */

static void tell_file(struct bpf_source *self, const struct handle_head *head, struct source_file *file)
{
	const struct source_handle handle = {
		.number = (int)head->number,
		.tid = (pid_t)head->tid,
		.opened_ns = (int64_t)head->opened_ns,
	};

	file->mode = head->mode;
	file->magic = head->magic;
	self->base.callbacks->description(self->base.context, &handle, file);
}

static void tell_description(struct bpf_source *self, const struct handle_event *event)
{
	const char *names[NAMES_MAX];
	struct source_file file = { .names = names };

	for (; file.n_names < NAMES_MAX && event->names[file.n_names][0]; file.n_names++)
		names[file.n_names] = event->names[file.n_names];
	tell_file(self, &event->head, &file);
}

static void tell_kind(struct bpf_source *self, const struct kind_event *event)
{
	const char *name = event->name;
	struct source_file file = { .names = &name, .n_names = 1, .is_short = true };

	tell_file(self, &event->head, &file);
}

static void tell_event(struct bpf_source *self, const struct event *event)
{
	const struct source_callbacks *tell = self->base.callbacks;
	pid_t pid = (pid_t)event->pid;

	switch (event->type) {
	case EVENT_PROCESS:
		tell->process(self->base.context, pid, (pid_t)event->parent, event->key, event->name);
		break;
	case EVENT_EXECUTED:
		tell->executed(self->base.context, event->key, event->image, event->name);
		break;
	case EVENT_HANDLE:
		tell_description(self, (const struct handle_event *)event);
		break;
	case EVENT_KIND:
		tell_kind(self, (const struct kind_event *)event);
		break;
	case EVENT_ENDED:
		tell->ended(self->base.context, event->key, (int)event->status);
		break;
	default:
		break;
	}
}

/* One of the ring's, kept until it is told. */
static int keep_event(void *context, void *data, size_t bytes)
{
	struct bpf_source *self = context;
	union any_event *event;

	if (self->n_events == self->events_room) {
		size_t room = self->events_room ? self->events_room * 2 : 64;
		union any_event *grown = realloc(self->events, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		self->events = grown;
		self->events_room = room;
	}
	event = &self->events[self->n_events++];
	memcpy(event, data, bytes < sizeof(*event) ? bytes : sizeof(*event));
	return 0;
}

/* Descriptions come right before the end that they belong to, and have no time of their own. */
static void tell_in_order(struct bpf_source *self, const struct mapping_event *mapped, size_t n_mapped)
{
	size_t at = 0;

	for (size_t i = 0; i < self->n_events; i++) {
		const struct event *event = &self->events[i].event;

		while (event->type != EVENT_HANDLE && event->type != EVENT_KIND && at < n_mapped &&
		       mapped[at].ns <= (int64_t)event->ns)
			self->base.callbacks->mapped(self->base.context, &mapped[at++]);
		tell_event(self, event);
	}
	while (at < n_mapped)
		self->base.callbacks->mapped(self->base.context, &mapped[at++]);
}

/* What the ring had no room for is told from the table of processes. */
static void tell_untold(struct bpf_source *self, uint32_t key)
{
	const struct source_callbacks *tell = self->base.callbacks;
	void *context = self->base.context;
	struct process process;

	if (bpf_map_lookup_elem(bpf_map__fd(self->skeleton->maps.processes), &key, &process) < 0 ||
	    !process.untold)
		return;
	process.name[sizeof(process.name) - 1] = '\0';
	tell->process(context, (pid_t)process.pid, (pid_t)process.parent, key, process.name);
	tell->uncertain(context, key);
	if (process.untold & UNTOLD_EXECUTED)
		tell->executed(context, key, process.image, process.name);
	if (process.untold & UNTOLD_ENDED)
		tell->ended(context, key, (int)process.status);
}

static int list_processes(const struct bpf_source *self, uint32_t **ret_keys, size_t *ret_n)
{
	const struct bpf_map *map = self->skeleton->maps.processes;
	size_t max = bpf_map__max_entries(map), n = 0;
	uint32_t *keys = calloc(max, sizeof(*keys)), *last = NULL;

	if (!keys)
		return -ENOMEM;
	for (; n < max && bpf_map_get_next_key(bpf_map__fd(map), last, &keys[n]) == 0; n++)
		last = &keys[n];
	*ret_keys = keys;
	*ret_n = n;
	return 0;
}

static int tell_what_was_not(struct bpf_source *self)
{
	uint64_t unkept = __atomic_load_n(&self->skeleton->bss->unkept_events, __ATOMIC_ACQUIRE);
	AUTO_FREE uint32_t *keys = NULL;
	size_t n;
	int r;

	if (unkept == self->unkept)
		return 0;
	r = list_processes(self, &keys, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		tell_untold(self, keys[i]);
	if (r == 0)
		self->unkept = unkept;
	return r;
}

/* The ring is read first: all that was mapped before an event in it is there by then. */
static int bpf_events(struct source *source)
{
	struct bpf_source *self = self_of(source);
	struct mapping_event *mapped = NULL;
	size_t n_mapped = 0;
	int r;

	self->n_events = 0;
	r = ring_buffer__consume(self->ring);
	if (r >= 0 && self->mappings)
		r = mappings_take(self->mappings, &mapped, &n_mapped);
	if (r < 0)
		return r;
	tell_in_order(self, mapped, n_mapped);
	mappings_free_events(mapped, n_mapped);
	return tell_what_was_not(self);
}

static int bpf_poll_fd(const struct source *source)
{
	return ring_buffer__epoll_fd(((const struct bpf_source *)source)->ring);
}

/* Handles */

static enum leaks_origin origin_of(const struct slot *slot)
{
	if (slot->flags & SLOT_IN_PARENT)
		return LEAKS_INHERITED;
	switch (slot->origin) {
	case SLOT_OPENED:
		return LEAKS_OPENED;
	case SLOT_BEFORE:
		return LEAKS_BEFORE;
	case SLOT_ASYNCHRONOUS:
		return LEAKS_ASYNCHRONOUS;
	default:
		return LEAKS_FOUND;
	}
}

/* The kernel writes meanwhile: a slot is taken as it was when its bit and stamp stayed the same. */
static bool copy_slot(const struct page *page, unsigned int i, struct slot *ret_slot)
{
	const struct slot *slot = &page->slot[i];
	uint64_t stamp = __atomic_load_n(&slot->opened_ns, __ATOMIC_ACQUIRE);

	memcpy(ret_slot, slot, sizeof(*ret_slot));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&slot->opened_ns, __ATOMIC_RELAXED) == stamp &&
	       __atomic_load_n(&page->present, __ATOMIC_RELAXED) >> i & 1;
}

static int tell_page(const struct page *page, uint32_t page_number,
		     int (*tell)(void *, const struct source_handle *), void *context)
{
	uint64_t present = __atomic_load_n(&page->present, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < PAGE_SLOTS; i++) {
		struct slot slot;
		struct source_handle handle;
		int r;

		if (!(present >> i & 1) || !copy_slot(page, i, &slot))
			continue;
		handle = (struct source_handle){
			.owner = page->owner,
			.pid = (pid_t)slot.pid,
			.tid = (pid_t)slot.tid,
			.number = (int)(page->index * PAGE_SLOTS + i),
			.syscall = slot.nr == CALL_UNKNOWN ? -1 : slot.nr,
			.origin = origin_of(&slot),
			.no_stack = slot.flags & SLOT_NO_STACK,
			.has_stack = slot.chunk != 0,
			.image = slot.image,
			.opened_ns = (int64_t)slot.opened_ns,
			.page = page_number,
			.chunk = slot.chunk,
		};
		r = tell(context, &handle);
		if (r < 0)
			return r;
	}
	return 0;
}

static int bpf_each_handle(struct source *source, uint32_t owner,
			   int (*tell)(void *, const struct source_handle *), void *context)
{
	struct bpf_source *self = self_of(source);
	int r = 0;

	for (uint32_t i = 0; i < PAGES_MAX && r == 0; i++)
		if (self->pages[i].table && (!owner || self->pages[i].owner == owner))
			r = tell_page(&self->pages[i], i, tell, context);
	return r;
}

static const struct capture *capture_at(const struct bpf_source *self, uint32_t chunk)
{
	uint32_t class = chunk >> 24, index = (chunk & 0xffffff) - 1;

	if (chunk == 0 || class >= CAPTURE_CLASSES || index >= self->pool[class].n)
		return NULL;
	return (const void *)(self->pool[class].chunks + index * self->pool[class].chunk_bytes);
}

/* The kernel may be writing at this moment: what was copied counts when the stamp is the same before
 * and after. */
static int bpf_capture(struct source *source, const struct source_handle *handle,
		       struct captured_stack *ret_stack, unsigned char *buffer)
{
	struct bpf_source *self = self_of(source);
	const struct capture *capture = capture_at(self, handle->chunk);
	struct captured_stack stack = { .bytes = buffer };

	if (!capture)
		return -ENOENT;
	if (__atomic_load_n(&capture->opened_ns, __ATOMIC_ACQUIRE) != (uint64_t)handle->opened_ns ||
	    capture->tid != (uint32_t)handle->tid)
		return -ENOENT;
	stack.n_bytes = capture->bytes;
	if (stack.n_bytes > self->pool[handle->chunk >> 24].chunk_bytes - CAPTURE_HEADER)
		return -ENOENT;
	stack.whole = capture->whole;
	memcpy(stack.registers, capture->registers, sizeof(stack.registers));
	memcpy(buffer, (const unsigned char *)capture + CAPTURE_HEADER, stack.n_bytes);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&capture->opened_ns, __ATOMIC_RELAXED) != (uint64_t)handle->opened_ns)
		return -ENOENT;
	*ret_stack = stack;
	return 0;
}

static int bpf_flush_releases(struct source *source)
{
	struct bpf_source *self = self_of(source);
	uint64_t n = self->n_releases; /* the program's argument */
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &n, .ctx_size_in = sizeof(n));
	int map = bpf_map__fd(self->skeleton->maps.releases), r = 0;

	self->n_releases = 0;
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = bpf_map_update_elem(map, &i, &self->releases[i], BPF_ANY);
	if (n > 0 && r == 0)
		r = bpf_prog_test_run_opts(bpf_program__fd(self->skeleton->progs.release_chunks),
					   &options);
	return r;
}

static int release(struct bpf_source *self, uint32_t page, uint32_t number, uint64_t opened_ns)
{
	self->releases[self->n_releases++] =
		(struct release){ .page = page, .number = number, .opened_ns = opened_ns };
	return self->n_releases == RELEASES_MAX ? bpf_flush_releases(&self->base) : 0;
}

static int bpf_release(struct source *source, const struct source_handle *handle)
{
	return release(self_of(source), handle->page, (uint32_t)handle->number,
		       (uint64_t)handle->opened_ns);
}

static int bpf_counts(struct source *source, uint32_t key, struct leaks_process *process)
{
	struct bpf_source *self = self_of(source);
	struct process counts;

	if (bpf_map_lookup_elem(bpf_map__fd(self->skeleton->maps.processes), &key, &counts) < 0)
		return -ESRCH;
	process->opened = counts.opened;
	process->closed = counts.closed;
	process->lost = counts.lost;
	return 0;
}

static uint64_t bpf_missed(const struct source *source)
{
	const struct bpf_source *self = (const struct bpf_source *)source;

	return __atomic_load_n(&self->skeleton->bss->unkept_events, __ATOMIC_RELAXED) +
	       hooks_missed(self->skeleton->skeleton);
}

/* A thread that begins meanwhile is followed only by one that is still watched. */
static int bpf_remove(struct source *source, pid_t pid, uint32_t key)
{
	struct bpf_source *self = self_of(source);
	AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int r = 0;

	if (pidfd < 0)
		return errno == ESRCH ? 0 : -errno; /* its end is in the ring */
	self->skeleton->bss->look_mode = LOOK_REMOVE;
	for (int i = 0; i < 2 && r == 0; i++)
		r = iterate(self->skeleton->progs.look, pidfd);
	return r;
}

static void bpf_forget(struct source *source, uint32_t key)
{
	struct bpf_source *self = self_of(source);

	(void)bpf_map_delete_elem(bpf_map__fd(self->skeleton->maps.processes), &key);
	for (uint32_t i = 0; i < PAGES_MAX; i++)
		if (self->pages[i].table && self->pages[i].owner == key)
			(void)release(self, i, RELEASE_PAGE, self->pages[i].table);
	(void)bpf_flush_releases(source);
}

/* The kernel's side reads the clock once a tick, unless it is told that somebody else has. */
static int64_t bpf_now_ns(struct source *source)
{
	int64_t now = now_ns();

	(void)__atomic_add_fetch(&self_of(source)->skeleton->bss->moments, 1, __ATOMIC_SEQ_CST);
	return now;
}

static bool bpf_is_short(const struct source *source)
{
	const struct handles__bss *bss = ((const struct bpf_source *)source)->skeleton->bss;
	const struct pool *pool = ((const struct bpf_source *)source)->pool;
	bool is_short = false;

	for (int class = 0; class < CAPTURE_CLASSES; class++)
		is_short |= bss->taken[class] > pool[class].n / 2;
	return is_short;
}

/* Slots keep the chunk of a handle that is closed, for the next one.  When chunks run short, they
 * are taken back; but an opening sets its bit last, so the kernel's side looks once more. */
static int reclaim(struct bpf_source *self)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < PAGES_MAX; i++)
		for (unsigned int k = 0; self->pages[i].table && k < PAGE_SLOTS && r == 0; k++)
			if (self->pages[i].slot[k].chunk && !(self->pages[i].present >> k & 1))
				r = release(self, i, k | RELEASE_CLOSED,
					    self->pages[i].slot[k].opened_ns);
	return r < 0 ? r : bpf_flush_releases(&self->base);
}

/* Pages that a process left to those who share its table with it, and that none of them has taken
 * over in a whole look, are nobody's: the others have ended, too. */
static int reclaim_left(struct bpf_source *self)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < PAGES_MAX; i++) {
		uint32_t table = self->pages[i].owner ? 0 : self->pages[i].table;

		if (table && self->left[i] == table)
			r = release(self, i, RELEASE_PAGE, table);
		self->left[i] = table;
	}
	return r < 0 ? r : bpf_flush_releases(&self->base);
}

static int bpf_look(struct source *source)
{
	struct bpf_source *self = self_of(source);
	int r;

	self->skeleton->bss->look_mode = LOOK_RECONCILE;
	if (!self->look)
		self->look = attach_iterator(self->skeleton->progs.look, -1);
	if (!self->look)
		return -errno;
	self->skeleton->bss->told_short = 0;
	r = run_iterator(self->look);
	if (r == 0)
		r = reclaim_left(self);
	return r == 0 && bpf_is_short(source) ? reclaim(self) : r;
}

/* Beginning and end */

/* All that is in the kernel, and our sight of it. */
static void unload(struct bpf_source *self)
{
	for (int i = 0; i < CAPTURE_CLASSES; i++)
		if (self->pool[i].chunks)
			(void)munmap((void *)self->pool[i].chunks,
				     self->pool[i].n * self->pool[i].chunk_bytes);
	memset(self->pool, 0, sizeof(self->pool));
	if (self->pages)
		(void)munmap((void *)self->pages, PAGES_MAX * sizeof(*self->pages));
	self->pages = NULL;
	if (self->look)
		(void)bpf_link__destroy(self->look);
	self->look = NULL;
	ring_buffer__free(self->ring);
	self->ring = NULL;
	handles__destroy(self->skeleton);
	self->skeleton = NULL;
}

static void bpf_close(struct source *source)
{
	struct bpf_source *self = self_of(source);

	unload(self);
	mappings_close(self->mappings);
	free(self->events);
	free(self->releases);
	free(self->left);
	free(self);
}

static const struct source_ops bpf_ops = {
	.name = "bpf",
	.add = bpf_add,
	.poll_fd = bpf_poll_fd,
	.events = bpf_events,
	.look = bpf_look,
	.now_ns = bpf_now_ns,
	.is_short = bpf_is_short,
	.each_handle = bpf_each_handle,
	.capture = bpf_capture,
	.release = bpf_release,
	.flush_releases = bpf_flush_releases,
	.counts = bpf_counts,
	.missed = bpf_missed,
	.remove = bpf_remove,
	.forget = bpf_forget,
	.close = bpf_close,
};

/* An array of the kernel's, and the numbers of its elements, all of them free. */
static int share(const struct bpf_map *map, const struct bpf_map *free_map, const void **ret_memory)
{
	void *memory;

	for (uint32_t i = bpf_map__max_entries(map); i-- > 0;)
		if (bpf_map_update_elem(bpf_map__fd(free_map), NULL, &i, BPF_ANY) < 0)
			return -errno;
	memory = mmap(NULL, (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map), PROT_READ,
		      MAP_SHARED, bpf_map__fd(map), 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	return 0;
}

static int fill_pool(struct pool *pool, const struct bpf_map *map, const struct bpf_map *free_map)
{
	const void *chunks;
	int r = share(map, free_map, &chunks);

	if (r < 0)
		return r;
	pool->chunks = chunks;
	pool->n = bpf_map__max_entries(map);
	pool->chunk_bytes = bpf_map__value_size(map);
	return 0;
}

static int fill_maps(struct bpf_source *self)
{
	const void *pages;
	int r = share(self->skeleton->maps.pages, self->skeleton->maps.pages_free, &pages);
	if (r < 0)
		return r;
	self->pages = pages;
	r = fill_pool(&self->pool[CAPTURE_SMALL], self->skeleton->maps.small,
		      self->skeleton->maps.small_free);
	if (r == 0)
		r = fill_pool(&self->pool[CAPTURE_MEDIUM], self->skeleton->maps.medium,
			      self->skeleton->maps.medium_free);
	if (r == 0)
		r = fill_pool(&self->pool[CAPTURE_LARGE], self->skeleton->maps.large,
			      self->skeleton->maps.large_free);
	return r;
}

static int make_buffers(struct bpf_source *self)
{
	self->releases = calloc(RELEASES_MAX, sizeof(*self->releases));
	self->left = calloc(PAGES_MAX, sizeof(*self->left));
	return self->releases && self->left ? 0 : -ENOMEM;
}

/* libbpf would print to stderr, and tells only a function, of the whole program. */
static _Thread_local struct load_log *said;

__attribute__((format(printf, 2, 0)))
static int keep_message(enum libbpf_print_level level, const char *format, va_list args)
{
	char *message = NULL;

	if (!said || level != LIBBPF_WARN || vasprintf(&message, format, args) < 0)
		return 0;
	load_log_add(said, message);
	free(message);
	return 0;
}

static int load(struct bpf_source *self, const struct leaks_options *options, enum hook hook)
{
	int r;

	self->skeleton = handles__open();
	if (!self->skeleton)
		return -errno;
	hooks_choose(self->skeleton->skeleton, hook);
	self->skeleton->rodata->all_processes = options->all;
	calls_fill(self->skeleton->rodata->call_kinds);
	if (options->stack_bytes > 0 && options->stack_bytes < CAPTURE_LARGE_BYTES - CAPTURE_HEADER)
		self->skeleton->rodata->stack_bytes_max = (uint32_t)options->stack_bytes;
	r = handles__load(self->skeleton);
	if (r == 0)
		r = fill_maps(self);
	if (r == 0)
		r = iterate(self->skeleton->progs.know_self, -1);
	return r;
}

static int attach(struct bpf_source *self, enum hook hook)
{
	struct handles *s = self->skeleton;
	int r = hooks_attach(s->skeleton);

	if (r < 0)
		return r;
	if (hook == HOOK_FENTRY && !hooks_work(&s->bss->trial, s->bss->own_tid))
		return -ENOTSUP;
	self->ring = ring_buffer__new(bpf_map__fd(s->maps.events), keep_event, self, NULL);
	return self->ring ? 0 : -errno;
}

static int begin(struct bpf_source *self, const struct leaks_options *options, enum hook hook)
{
	int r = load(self, options, hook);

	if (r == 0)
		r = attach(self, hook);
	if (r < 0)
		unload(self);
	else
		self->base.hook = hook_name(hook);
	return r;
}

/* By the table itself where that can be; what stands against it does not matter. */
static int begin_best(struct bpf_source *self, const struct leaks_options *options)
{
	int r = options->tracepoint || !hooks_allowed() ? -ENOTSUP :
							  begin(self, options, HOOK_FENTRY);

	return r == 0 || r == -ENOMEM ? r : begin(self, options, HOOK_TRACEPOINT);
}

static int refused(int r, const struct load_log *log, struct tendril_error *error)
{
	/* The verifier's own refusal is -EACCES, too. */
	if (r == -EPERM || (r == -EACCES && !log->verdict[0]))
		return fail(error, -EPERM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "the kernel does not let us load BPF programs: that takes CAP_BPF and "
			    "CAP_PERFMON (or root)");
	if (r == -ENOMEM)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "out of memory");
	if (r == -EMFILE || r == -ENFILE)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT,
			    "our BPF programs take some 40 descriptors, and we may not have so many "
			    "(ulimit -n): %s", strerror(-r));
	if (log->verdict[0])
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "this kernel's verifier refuses our BPF programs (%s): %s", log->complaint,
			    log->verdict);
	return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
		    "our BPF programs, which need Linux 6.1 with BTF, cannot be loaded: %s%s%s",
		    strerror(-r), *log->complaint ? ": " : "", log->complaint);
}

int source_bpf_open(const struct leaks_options *options, struct source **ret_source,
		    struct tendril_error *error)
{
	struct bpf_source *self = calloc(1, sizeof(*self));
	struct load_log log = { "", "" };
	int r;

	if (!self)
		return refused(-ENOMEM, &log, error);
	self->base.ops = &bpf_ops;
	said = &log;
	/* Without it, what is mapped is read from /proc, while the process lives. */
	if (mappings_open(&self->mappings) < 0)
		self->mappings = NULL;
	(void)libbpf_set_print(keep_message);
	r = make_buffers(self);
	if (r == 0)
		r = begin_best(self, options);
	said = NULL;
	if (r < 0) {
		bpf_close(&self->base);
		return refused(r, &log, error);
	}
	*ret_source = &self->base;
	return 0;
}
