/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * chunks.h - room for registers and stacks, in three sizes
 *
 * A chunk belongs to the slots that refer to it.  Who wants to write one takes it out of its slot
 * first, with an exchange: whoever finds none there leaves it alone.
 */
#ifndef LEAKS_BPF_CHUNKS_H
#define LEAKS_BPF_CHUNKS_H

#define POOL(name, bytes, n)                                  \
	struct name##_value {                                 \
		struct capture head;                          \
		unsigned char room[(bytes) - CAPTURE_HEADER]; \
	};                                                    \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_ARRAY);             \
		__uint(map_flags, BPF_F_MMAPABLE);            \
		__uint(max_entries, n);                       \
		__type(key, __u32);                           \
		__type(value, struct name##_value);           \
	} name SEC(".maps");                                  \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_STACK);             \
		__uint(max_entries, n);                       \
		__uint(value_size, 4);                        \
	} name##_free SEC(".maps")

POOL(small, CAPTURE_SMALL_BYTES, CAPTURE_SMALL_N);
POOL(medium, CAPTURE_MEDIUM_BYTES, CAPTURE_MEDIUM_N);
POOL(large, CAPTURE_LARGE_BYTES, CAPTURE_LARGE_N);

#define CLASS_MASK 3 /* the verifier wants to see that an index is one */

__u32 taken[CLASS_MASK + 1]; /* of each size */
__u32 told_short;             /* since the last look */

static __always_inline __u32 chunks_of(__u32 class)
{
	return class == CAPTURE_SMALL ? CAPTURE_SMALL_N :
	       class == CAPTURE_MEDIUM ? CAPTURE_MEDIUM_N : CAPTURE_LARGE_N;
}

static __always_inline __u32 class_for(__u64 bytes)
{
	if (bytes <= CAPTURE_SMALL_BYTES - CAPTURE_HEADER)
		return CAPTURE_SMALL;
	return bytes <= CAPTURE_MEDIUM_BYTES - CAPTURE_HEADER ? CAPTURE_MEDIUM : CAPTURE_LARGE;
}

/* A barrier for each, or the compiler makes one call of the three.  The kernel replaces a look into an
 * array by a few instructions, but only where it is always the same one. */
static __always_inline struct capture *chunk_at(__u32 chunk)
{
	__u32 index = (chunk & 0xffffff) - 1;
	struct capture *capture;

	switch (chunk >> 24) {
	case CAPTURE_SMALL:
		capture = bpf_map_lookup_elem(&small, &index);
		barrier_var(capture);
		break;
	case CAPTURE_MEDIUM:
		capture = bpf_map_lookup_elem(&medium, &index);
		barrier_var(capture);
		break;
	default:
		capture = bpf_map_lookup_elem(&large, &index);
		barrier_var(capture);
	}
	return capture;
}

static __always_inline long pop_from(__u32 class, __u32 *index)
{
	switch (class) {
	case CAPTURE_SMALL:
		return bpf_map_pop_elem(&small_free, index);
	case CAPTURE_MEDIUM:
		return bpf_map_pop_elem(&medium_free, index);
	default:
		return bpf_map_pop_elem(&large_free, index);
	}
}

static __always_inline long pop(__u32 class, __u32 *index)
{
	long r = pop_from(class, index);

	if (r == 0)
		__sync_fetch_and_add(&taken[class & CLASS_MASK], 1);
	return r;
}

/* One more slot refers to it, unless none does: then it is free, or will be in a moment.  What is in
 * it may have been overwritten before: the caller compares the stamp afterwards. */
static __always_inline bool share_chunk(struct capture *capture)
{
	for (int tries = 0; tries < 4; tries++) {
		__u32 refs = *(volatile __u32 *)&capture->refs;

		if (refs == 0)
			return false;
		if (__sync_val_compare_and_swap(&capture->refs, refs, refs + 1) == refs)
			return true;
	}
	return false;
}

static __noinline int find_chunk(__u32 class)
{
	__u32 index = 0;

	for (__u32 c = 0; c < CAPTURE_CLASSES; c++)
		if (c >= class && pop(c, &index) == 0)
			return (int)(c << 24 | (index + 1));
	if (class > CAPTURE_MEDIUM && pop(CAPTURE_MEDIUM, &index) == 0)
		return CAPTURE_MEDIUM << 24 | (index + 1);
	if (class > CAPTURE_SMALL && pop(CAPTURE_SMALL, &index) == 0)
		return CAPTURE_SMALL << 24 | (index + 1);
	return 0;
}

/* Of the class wanted, or a larger one, or else a smaller one, where the stack will be cut. */
__noinline int take_chunk(__u32 class)
{
	__u32 chunk = (__u32)find_chunk(class);
	struct capture *capture = chunk ? chunk_at(chunk) : NULL;

	if (capture)
		capture->refs = 1;
	return (int)chunk;
}

__noinline int drop_chunk(__u32 chunk)
{
	__u32 index = (chunk & 0xffffff) - 1;
	struct capture *capture = chunk_at(chunk);

	if (!capture || __sync_fetch_and_add(&capture->refs, -1) != 1)
		return 0;
	__sync_fetch_and_add(&taken[chunk >> 24 & CLASS_MASK], -1);
	switch (chunk >> 24) {
	case CAPTURE_SMALL:
		return (int)bpf_map_push_elem(&small_free, &index, BPF_ANY);
	case CAPTURE_MEDIUM:
		return (int)bpf_map_push_elem(&medium_free, &index, BPF_ANY);
	default:
		return (int)bpf_map_push_elem(&large_free, &index, BPF_ANY);
	}
}

/* As much as there is, page by page, when a page that is not there made the whole copy fail. */
static __always_inline __u32 copy_pages(unsigned char *to, __u32 room, __u64 from, __u32 wanted)
{
	__u32 done = 4096 - (__u32)(from & 4095);

	if (done > wanted)
		done = wanted;
	barrier_var(done); /* or the compiler knows it, and the verifier of Linux 6.1 does not */
	if (done > room || bpf_probe_read_user(to, done, (void *)from) < 0)
		return 0;
	for (int i = 0; i < CAPTURE_LARGE_BYTES / 4096; i++) {
		barrier_var(done); /* the verifier is to see the value checked as the one used */
		if (done > room - 4096 || room < 4096 || done >= wanted)
			break;
		if (bpf_probe_read_user(to + done, 4096, (void *)(from + done)) < 0)
			break;
		done += 4096;
	}
	return done < wanted ? done : wanted;
}

static __always_inline void copy_registers(struct capture *capture, struct pt_regs *regs)
{
	__u64 *to = capture->registers;

	to[0] = regs->ax, to[1] = regs->dx, to[2] = regs->cx, to[3] = regs->bx;
	to[4] = regs->si, to[5] = regs->di, to[6] = regs->bp, to[7] = regs->sp;
	to[8] = regs->r8, to[9] = regs->r9, to[10] = regs->r10, to[11] = regs->r11;
	to[12] = regs->r12, to[13] = regs->r13, to[14] = regs->r14, to[15] = regs->r15;
	to[16] = regs->ip;
}

/* Whose stack it is, and which part of it. */
struct filling {
	__u64 opened_ns;
	__u64 from, wanted;
	__u32 tid;
	__u32 is_cut; /* the stack goes on above what is wanted */
};

static __always_inline void fill(struct capture *capture, unsigned char *stack, __u32 room,
				 struct filling *filling, struct pt_regs *regs)
{
	__u64 bytes = filling->wanted, from = filling->from;

	/* The reader takes a copy for good when it finds the same stamp before and after. */
	*(volatile __u64 *)&capture->opened_ns = 0;
	barrier();
	copy_registers(capture, regs);
	barrier_var(bytes); /* or the verifier sees another register compared than the one used */
	if (bytes > room)
		bytes = room;
	if (bpf_probe_read_user(stack, (__u32)bytes, (void *)from) < 0)
		bytes = copy_pages(stack, room, from, (__u32)bytes);
	capture->bytes = (__u32)bytes;
	capture->whole = bytes == filling->wanted && !filling->is_cut;
	capture->tid = filling->tid; /* refs stays: fork(2) may have shared it at this moment */
	barrier();
	*(volatile __u64 *)&capture->opened_ns = filling->opened_ns;
}

#define FILL(map)                                                                                  \
	do {                                                                                       \
		struct map##_value *value_ = bpf_map_lookup_elem(&map, &index);                    \
		if (value_)                                                                        \
			fill(&value_->head, value_->room, sizeof(value_->room), filling, regs);    \
	} while (0)

static __noinline int fill_chunk(__u32 chunk, struct filling *filling, struct pt_regs *regs)
{
	__u32 index = (chunk & 0xffffff) - 1;

	switch (chunk >> 24) {
	case CAPTURE_SMALL:
		FILL(small);
		break;
	case CAPTURE_MEDIUM:
		FILL(medium);
		break;
	default:
		FILL(large);
	}
	return 0;
}

/* A chunk that nobody else refers to is used again; those of the largest size, which are few, for
 * such stacks only. */
static __always_inline bool fits(__u32 chunk, __u32 class)
{
	struct capture *capture = chunk_at(chunk);
	__u32 has = chunk >> 24;

	return capture && capture->refs == 1 &&
	       (has == class || (has > class && has != CAPTURE_LARGE));
}

#endif /* LEAKS_BPF_CHUNKS_H */
