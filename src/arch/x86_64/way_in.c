/* SPDX-License-Identifier: BSD-2-Clause */
/* way_in.c - the frames that lead into the arena (arch.h draws them) */
#include "arch/x86_64/signal_frame.h"

#include <asm/unistd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define MASK_BYTES 8

/* As it lies in the target, from the stack pointer up; the pieces follow. */
struct image {
	struct signal_frame map;
	/* Where mmap() returns to, at the end of it: the gadget, and the words that it drops. */
	uint64_t store[1 + ARCH_STORE_WORDS_MAX];
	struct signal_frame tell, copy, protect, check, enter, out;
	/* The first one is a byte of what is mapped, and goes to the gate.  Its address is mmap()'s
	 * result: after a failure that is none, and the kernel refuses the whole list. */
	struct iovec from[ARCH_PIECES_MAX + 2], to[ARCH_PIECES_MAX + 2];
	struct iovec tell_from, tell_to;
	struct iovec check_from[2], check_to[2];
	struct frame_call protect_code, unmap;
	struct {
		int64_t s, ns;
	} patience;
	uint64_t gate;
};

struct builder {
	struct image *image;
	raddr_t address; /* of the image in the target */
	const struct arch_way_home *home;
	const struct arch_gadgets *gadgets;
	const struct arch_entry *entry;
};

/* Where something in our image will be. */
static raddr_t there(const struct builder *b, const void *here)
{
	return b->address + (size_t)((const uint8_t *)here - (const uint8_t *)b->image);
}

static void set_base(struct signal_frame *frame, uint8_t number, uint64_t value)
{
	uint64_t *const registers[] = { [3] = &frame->call.rbx, [5] = &frame->call.rbp,
					[13] = &frame->r13,     [14] = &frame->r14,
					[15] = &frame->r15 };

	*registers[number] = value;
}

/* mmap(); its result becomes the argument of the munmap() that the protect frame is at first. */
static void build_map(const struct builder *b)
{
	struct image *image = b->image;
	const struct arch_store *store = &b->gadgets->store;
	uint64_t *gadget = &image->store[ARCH_STORE_WORDS_MAX - store->n_words];

	signal_frame_init(&image->map, b->gadgets);
	image->map.call = (struct frame_call){
		.rax = __NR_mmap,
		.rdi = b->entry->arena,
		.rsi = b->entry->arena_bytes,
		.rdx = PROT_READ | PROT_WRITE,
		.rip = b->gadgets->syscall_ret,
		.rsp = there(b, gadget),
	};
	image->map.r10 = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK |
			 MAP_FIXED_NOREPLACE;
	image->map.r8 = (uint64_t)-1;
	set_base(&image->map, store->base,
		 there(b, &image->protect.call.rdi) - (uint64_t)(int64_t)store->displacement);
	*gadget = store->at;
}

/* process_vm_writev(pid, from, n, to, n, 0) */
static void build_copy_call(const struct builder *b, struct signal_frame *frame,
			    const struct iovec *from, const struct iovec *to, size_t n,
			    const struct signal_frame *next)
{
	signal_frame_init(frame, b->gadgets);
	frame->call = (struct frame_call){
		.rax = __NR_process_vm_writev,
		.rdi = (uint64_t)b->entry->pid,
		.rsi = there(b, from),
		.rdx = n,
		.rip = b->gadgets->syscall_ret,
		.rsp = there(b, next),
	};
	frame->r10 = there(b, to);
	frame->r8 = n;
	frame->r9 = 0;
}

static struct iovec vector(raddr_t address, size_t bytes)
{
	return (struct iovec){ (void *)(uintptr_t)address, bytes };
}

static void build_tell(const struct builder *b)
{
	struct image *image = b->image;

	image->tell_from = vector(there(b, &image->protect.call.rdi), 8);
	image->tell_to = vector(there(b, &image->from[0].iov_base), 8);
	build_copy_call(b, &image->tell, &image->tell_from, &image->tell_to, 1, &image->copy);
}

static void build_copy(const struct builder *b, const raddr_t pieces[])
{
	struct image *image = b->image;
	const struct arch_entry *entry = b->entry;
	size_t n = 0;

	image->from[n] = vector(UINT64_MAX, 1); /* no address, until it is told */
	image->to[n++] = vector(there(b, &image->gate), 1);
	for (size_t i = 0; i < entry->n_pieces; i++) {
		image->from[n] = vector(pieces[i], entry->piece[i].bytes);
		image->to[n++] = vector(entry->piece[i].to, entry->piece[i].bytes);
	}
	image->from[n] = vector(there(b, &image->protect_code), sizeof(image->protect_code));
	image->to[n++] = vector(there(b, &image->protect.call), sizeof(image->protect_code));
	build_copy_call(b, &image->copy, image->from, image->to, n, &image->protect);
}

/* Until the copy has been made: munmap() of what mmap() gave, which is nothing after a failure. */
static void build_protect(const struct builder *b)
{
	struct image *image = b->image;

	signal_frame_init(&image->protect, b->gadgets);
	image->unmap = (struct frame_call){
		.rax = __NR_munmap,
		.rdi = b->entry->arena,
		.rsi = b->entry->arena_bytes,
		.rip = b->gadgets->syscall_ret,
		.rsp = there(b, &image->out),
	};
	image->protect.call = image->unmap;
	image->protect.call.rdi = 0;
	image->protect_code = (struct frame_call){
		.rax = __NR_mprotect,
		.rdi = b->entry->arena,
		.rsi = b->entry->code_bytes,
		.rdx = PROT_READ | PROT_EXEC,
		.rip = b->gadgets->syscall_ret,
		.rsp = there(b, &image->check),
	};
}

static void build_check(const struct builder *b, raddr_t code)
{
	struct image *image = b->image;

	image->check_from[0] = vector(code, 1);
	image->check_to[0] = vector(b->entry->arena, 1);
	image->check_from[1] = vector(there(b, &image->unmap), sizeof(image->unmap));
	image->check_to[1] = vector(there(b, &image->enter.call), sizeof(image->unmap));
	build_copy_call(b, &image->check, image->check_from, image->check_to, 2, &image->enter);
}

static void build_enter(const struct builder *b)
{
	struct signal_frame *enter = &b->image->enter;

	signal_frame_init(enter, b->gadgets);
	enter->call = (struct frame_call){
		.rdi = b->entry->argument,
		.rsp = b->entry->sp,
		.rip = b->entry->ip,
	};
}

/* Home, by itself; or to be fetched: ppoll(NULL, 0, &patience, NULL), then home. */
static void build_out(const struct builder *b)
{
	struct signal_frame *out = &b->image->out;

	signal_frame_init(out, b->gadgets);
	out->r8 = MASK_BYTES;
	if (b->entry->waits)
		out->call = (struct frame_call){
			.rax = __NR_ppoll,
			.rdx = there(b, &b->image->patience),
			.rip = b->gadgets->syscall_ret,
			.rsp = b->home->home,
		};
	else
		out->call = (struct frame_call){
			.rip = b->gadgets->sigreturn,
			.rsp = b->home->home + 8,
		};
}

/* Behind the image; where each one will be. */
static void put_pieces(const struct builder *b, uint8_t *out, raddr_t pieces[])
{
	size_t at = sizeof(*b->image);

	for (size_t i = 0; i < b->entry->n_pieces; i++) {
		memcpy(out + at, b->entry->piece[i].data, b->entry->piece[i].bytes);
		pieces[i] = b->address + at;
		at += b->entry->piece[i].bytes;
	}
}

bool arch_build_way_in(struct arch_way_in *in, const struct arch_way_home *home,
		       const struct arch_gadgets *gadgets, const struct arch_entry *entry)
{
	struct image image = { .patience = { 0, entry->patience_ns } };
	struct builder b = { &image, 0, home, gadgets, entry };
	raddr_t pieces[ARCH_PIECES_MAX];
	size_t bytes = sizeof(image);

	for (size_t i = 0; i < entry->n_pieces; i++) {
		if (entry->piece[i].bytes > sizeof(in->bytes) - bytes)
			return false;
		bytes += entry->piece[i].bytes;
	}
	in->n_bytes = bytes;
	in->address = b.address = (home->address - bytes) & ~15ul;
	put_pieces(&b, in->bytes, pieces);
	build_map(&b);
	build_tell(&b);
	build_copy(&b, pieces);
	build_protect(&b);
	build_check(&b, pieces[0]);
	build_enter(&b);
	build_out(&b);
	memcpy(in->bytes, &image, sizeof(image));
	return true;
}
