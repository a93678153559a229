/* SPDX-License-Identifier: BSD-2-Clause */
/* sites.h - call stacks, each kept once for the process that it was seen in */
#ifndef LEAKS_SITES_H
#define LEAKS_SITES_H

#include "leaks/leaks.h"

struct site {
	pid_t pid;            /* whose table the handles were opened in */
	uint64_t id;
	struct space *space;  /* belongs to the image, which outlives the site */
	uint64_t seen;        /* round in which a handle of it was known; scratch of who forgets sites */
	struct unwound stack;
	struct frame *frames; /* NULL until somebody asks */
	size_t n_frames;
	uint64_t closed;
	size_t n_open;        /* scratch of who takes a snapshot */
	size_t first;
};

struct sites {
	void *tree;
	struct site **site;
	size_t n, room;
};

/* The site of this stack, made when it is new.  Return: 0, -ENOMEM. */
int sites_find(struct sites *sites, pid_t pid, struct space *space, const struct unwound *stack,
	       struct site **ret_site);
/* Names for the addresses; the frames belong to the site.  Return: 0, -ENOMEM. */
int site_describe(struct site *site);
/* Those of a space that were not seen in this round.  Return: is none left of that space? */
bool sites_forget(struct sites *sites, const struct space *space, uint64_t round);
void sites_done(struct sites *sites);

#endif /* LEAKS_SITES_H */
