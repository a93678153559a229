/* SPDX-License-Identifier: BSD-2-Clause */
/* sites.c - call stacks, each kept once for the process that it was seen in */
#include "leaks/sites.h"

#include <search.h>
#include <string.h>

#define FRAMES_AT_ONCE 32 /* of inlined calls at one address */

static int compare_sites(const void *left, const void *right)
{
	const struct site *a = left, *b = right;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return 0;
}

/* Of places in files, not of addresses: the same in every process, and at the next start. */
static uint64_t stack_id(struct space *space, const struct unwound *stack)
{
	uint64_t id = 14695981039346656037u;

	for (size_t i = 0; i < stack->n; i++) {
		id ^= space_place(space, stack->ip[i]);
		id *= UINT64_C(0x100000001b3);
		id ^= id >> 29;
	}
	return id;
}

static int add_site(struct sites *sites, struct site *site)
{
	if (sites->n == sites->room) {
		size_t room = sites->room ? sites->room * 2 : 64;
		struct site **grown = realloc(sites->site, room * sizeof(struct site *));

		if (!grown)
			return -ENOMEM;
		sites->site = grown;
		sites->room = room;
	}
	if (!tsearch(site, &sites->tree, compare_sites))
		return -ENOMEM;
	sites->site[sites->n++] = site;
	return 0;
}

int sites_find(struct sites *sites, pid_t pid, struct space *space, const struct unwound *stack,
	       struct site **ret_site)
{
	struct site key = { .pid = pid, .id = stack_id(space, stack) };
	void *found = tfind(&key, &sites->tree, compare_sites);
	struct site *site;
	int r;

	if (found) {
		*ret_site = *(struct site **)found;
		return 0;
	}
	site = calloc(1, sizeof(*site));
	if (!site)
		return -ENOMEM;
	site->pid = pid;
	site->id = key.id;
	site->space = space;
	site->stack = *stack;
	r = add_site(sites, site);
	if (r < 0) {
		free(site);
		return r;
	}
	*ret_site = site;
	return 0;
}

int site_describe(struct site *site)
{
	struct frame some[FRAMES_AT_ONCE], *grown;

	if (site->frames)
		return 0;
	for (size_t i = 0; i < site->stack.n; i++) {
		size_t n = space_describe(site->space, site->stack.ip[i], site->stack.is_return[i],
					  some, FRAMES_AT_ONCE);

		grown = realloc(site->frames, (site->n_frames + n) * sizeof(*some));
		if (!grown)
			return -ENOMEM;
		site->frames = grown;
		for (size_t k = 0; k < n; k++)
			some[k].is_guessed = site->stack.is_guessed[i];
		memcpy(site->frames + site->n_frames, some, n * sizeof(*some));
		site->n_frames += n;
	}
	return 0;
}

static void free_site(struct site *site)
{
	free(site->frames);
	free(site);
}

bool sites_forget(struct sites *sites, const struct space *space, uint64_t round)
{
	size_t n = 0, n_left = 0;

	for (size_t i = 0; i < sites->n; i++) {
		struct site *site = sites->site[i];

		if (site->space == space && site->seen != round) {
			(void)tdelete(site, &sites->tree, compare_sites);
			free_site(site);
			continue;
		}
		n_left += site->space == space;
		sites->site[n++] = site;
	}
	sites->n = n;
	return n_left == 0;
}

static void keep_nothing(void *node)
{
}

void sites_done(struct sites *sites)
{
	tdestroy(sites->tree, keep_nothing);
	for (size_t i = 0; i < sites->n; i++)
		free_site(sites->site[i]);
	free(sites->site);
}
