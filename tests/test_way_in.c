/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_way_in.c - the frames by which a borrowed thread maps, fills and enters the arena
 *
 * Each step on that way is made to fail.  The thread has to come home, with every register as it was,
 * and to have touched nothing that was there before.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tendril/tendril.h>

#include "remote/target.h"
#include "support.h"

#include <cmocka.h>

#define CALL_MS	    10000
#define ARENA_BYTES (64 * PAGE_BYTES)
#define SIGN	    0x7e4d511cafe

static struct target victim;
static struct tendril_target *target;
static raddr_t sign_at; /* a word of the victim that the code writes when it is entered */
static struct snapshot *before, *after;
static char why[WHY_BYTES];

/* movabs $SIGN,%rax; movabs $sign_at,%rdx; mov %rax,(%rdx); movabs $unmap,%rsp; ret */
static size_t assemble(uint8_t *code, raddr_t unmap)
{
	const uint64_t sign = SIGN;

	memcpy(code, "\x48\xb8", 2);
	memcpy(code + 2, &sign, 8);
	memcpy(code + 10, "\x48\xba", 2);
	memcpy(code + 12, &sign_at, 8);
	memcpy(code + 20, "\x48\x89\x02\x48\xbc", 5);
	memcpy(code + 25, &unmap, 8);
	code[33] = 0xc3;
	return 34;
}

static void begin(const struct target_start *how)
{
	struct tendril_error error;

	assert_int_equal(target_start(&victim, how), 0);
	if (tendril_open(victim.pid, NULL, &target, &error) < 0 ||
	    tendril_resolve(target, "victim_gap_ticks", &sign_at, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(target_prepare(target, &error), 0);
	assert_true(target->gadgets.store.at != 0);
	/* Its first answer makes it allocate a heap, which it keeps. */
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
}

static uint64_t sign(void)
{
	uint64_t word = 0;

	assert_int_equal(pread(target->mem, &word, sizeof(word), (off_t)sign_at), sizeof(word));
	return word;
}

static void stop(struct tracee *tracee)
{
	int64_t deadline_ns = deadline_in_ms(CALL_MS);

	for (;;) {
		tracee_init(tracee, victim.pid, victim.pid, target->mem);
		assert_int_equal(tracee_stop(tracee, deadline_ns), 0);
		if (safe_point_here(&target->rules, tracee))
			return;
		assert_int_equal(tracee_restore(tracee), 0);
		assert_true(support_again(deadline_ns));
	}
}

static void lay(struct tracee *tracee, struct arch_way_home *home, struct arch_way_in *in,
		raddr_t arena)
{
	static const uint8_t text[ARCH_CALL_TEXT_BYTES];
	const struct arch_arena unmapped = { arena, ARENA_BYTES, arena };
	struct arch_entry entry = {
		.arena = arena, .arena_bytes = ARENA_BYTES, .code_bytes = PAGE_BYTES,
		.ip = arena, .sp = arena + ARENA_BYTES, .pid = victim.pid,
	};
	uint8_t code[64];

	arch_build_way_home(home, &tracee->original, text, &target->gadgets, &unmapped);
	entry.piece[0] = (struct arch_piece){ arena, code, assemble(code, home->unmap) };
	entry.piece[1] = (struct arch_piece){ arena + PAGE_BYTES, "data", 4 };
	entry.n_pieces = 2;
	assert_true(arch_build_way_in(in, home, &target->gadgets, &entry));
	assert_int_equal(tracee_write(tracee, home->address, home->bytes, home->n_bytes), 0);
	assert_int_equal(tracee_write(tracee, in->address, in->bytes, in->n_bytes), 0);
}

static bool is_on_the_way(const struct arch_way_home *home, const struct arch_way_in *in)
{
	struct tracee tracee;
	raddr_t sp;

	tracee_init(&tracee, victim.pid, victim.pid, target->mem);
	assert_int_equal(tracee_stop(&tracee, deadline_in_ms(CALL_MS)), 0);
	sp = arch_sp(&tracee.original);
	assert_int_equal(tracee_restore(&tracee), 0);
	return sp >= in->address && sp < home->address + home->n_bytes;
}

/* Send the victim's only thread, which is busy, to that arena, and see it home. */
static void send(raddr_t arena)
{
	int64_t deadline_ns = deadline_in_ms(CALL_MS);
	struct arch_way_home home;
	struct arch_way_in in;
	struct tracee tracee;

	stop(&tracee);
	assert_int_equal(arch_read_extended(tracee.tid, &tracee.original), 0);
	lay(&tracee, &home, &in, arena);
	arch_set_signal_return(&tracee.original, &target->gadgets, in.address);
	assert_int_equal(arch_write_registers(tracee.tid, &tracee.original), 0);
	assert_int_equal(tracee_block_signals(&tracee), 0);
	assert_int_equal(tracee_detach(&tracee), 0);
	while (is_on_the_way(&home, &in))
		assert_true(support_again(deadline_ns));
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
}

static raddr_t free_place(void)
{
	return target->modules.libc_module->low - (100ul << 30);
}

static void assert_unchanged(void)
{
	if (!becomes_same(before, after, victim.pid, 0, CALL_MS, why))
		fail_msg("%s", why);
}

static int end_test(void **state)
{
	if (target)
		tendril_close(target);
	target = NULL;
	target_end(&victim);
	return 0;
}

static int new_snapshots(void **state)
{
	before = snapshot_new();
	after = snapshot_new();
	return before && after ? 0 : -1;
}

static int free_snapshots(void **state)
{
	snapshot_free(before);
	snapshot_free(after);
	return 0;
}

static void test_way_in_leads_into_the_arena(void **state)
{
	static const struct target_start how = { .mode = "spin" };

	begin(&how);
	assert_int_equal(snapshot_take(before, victim.pid, 0), 0);
	send(free_place());
	assert_int_equal(sign(), SIGN);
	assert_unchanged();
}

/* What became of the place, byte by byte; the mapping as a whole is in the snapshots. */
static void assert_place_is(raddr_t at, size_t bytes, uint8_t byte)
{
	uint8_t *seen = test_malloc(bytes);

	assert_int_equal(pread(target->mem, seen, bytes, (off_t)at), bytes);
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(seen[i], byte);
	test_free(seen);
}

/* Mappings of the victim's own that begin there. */
static void occupy(raddr_t at, int protection)
{
	const struct tendril_argument arguments[] = {
		{ TENDRIL_INTEGER, .value = at }, { TENDRIL_INTEGER, .value = ARENA_BYTES },
		{ TENDRIL_INTEGER, .value = (uint64_t)protection },
		{ TENDRIL_INTEGER, .value = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED },
		{ TENDRIL_INTEGER, .value = (uint64_t)-1 }, { TENDRIL_INTEGER, .value = 0 },
	};
	static uint8_t pattern[ARENA_BYTES];
	struct tendril_error error;
	uint64_t address, value;

	memset(pattern, 0x5a, sizeof(pattern));
	assert_int_equal(tendril_resolve(target, "mmap", &address, &error), 0);
	assert_int_equal(tendril_call(target, address, arguments, 6, CALL_MS, &value, &error), 0);
	assert_int_equal(value, at);
	assert_int_equal(target_prepare(target, &error), 0);
	assert_int_equal(pwrite(target->mem, pattern, sizeof(pattern), (off_t)at),
			 sizeof(pattern));
}

static void test_what_is_at_the_address_already_is_not_touched(void **state)
{
	static const struct target_start how = { .mode = "spin" };
	static const int protections[] = { PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE };

	for (size_t i = 0; i < ARRAY_LENGTH(protections); i++) {
		raddr_t place;

		begin(&how);
		place = free_place();
		occupy(place, protections[i]);
		assert_int_equal(snapshot_take(before, victim.pid, 0), 0);
		send(place);
		/* Only its end is in the way, or only its beginning. */
		send(place + ARENA_BYTES - PAGE_BYTES);
		send(place - ARENA_BYTES + PAGE_BYTES);
		assert_int_equal(sign(), 0);
		assert_unchanged();
		assert_place_is(place, ARENA_BYTES, 0x5a);
		(void)end_test(NULL);
	}
}

static void test_no_memory_for_the_arena_leads_home(void **state)
{
	static const struct target_start how = { .mode = "spin" };
	const struct rlimit none = { 1, RLIM_INFINITY };
	struct rlimit usual;

	begin(&how);
	assert_int_equal(snapshot_take(before, victim.pid, 0), 0);
	assert_int_equal(prlimit(victim.pid, RLIMIT_AS, &none, &usual), 0);
	send(free_place());
	assert_int_equal(prlimit(victim.pid, RLIMIT_AS, &usual, NULL), 0);
	assert_int_equal(sign(), 0);
	assert_unchanged();
}

/* Refuses one call, or one whose third argument is that. */
struct refused {
	int number;
	uint32_t third;
};

static int refuse(void *param)
{
	const struct refused *refused = param;
	struct sock_filter program[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 3, (uint32_t)refused->number },
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args[2]) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, refused->third },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	struct sock_fprog fprog = { ARRAY_LENGTH(program), program };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog) < 0 ? -errno : 0;
}

/* The lists of "tell", "copy" and "check" have 1, 4 and 2 parts here. */
static void test_a_step_that_is_refused_leads_home(void **state)
{
	static struct refused steps[] = {
		{ SYS_process_vm_writev, 1 },
		{ SYS_process_vm_writev, 4 },
		{ SYS_mprotect, PROT_READ | PROT_EXEC },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
		struct target_start how = { .mode = "spin", .in_child = refuse, .param = &steps[i] };

		begin(&how);
		assert_int_equal(snapshot_take(before, victim.pid, 0), 0);
		send(free_place());
		assert_int_equal(sign(), 0);
		assert_unchanged();
		(void)end_test(NULL);
	}
}

/* Then the thread comes back, and is led by the tracer, step by step: the whole call succeeds. */
static void test_what_cannot_go_alone_is_led(void **state)
{
	static struct refused steps[] = {
		{ SYS_mprotect, PROT_READ | PROT_EXEC },
		{ SYS_process_vm_writev, 4 },
	};
	static const char *const modes[] = { "spin", "idle-epoll", "idle-cond" };

	for (size_t i = 0; i < ARRAY_LENGTH(steps) * ARRAY_LENGTH(modes); i++) {
		struct target_start how = { .mode = modes[i / 2], .in_child = refuse,
					    .param = &steps[i % 2] };
		unsigned int flags = snapshot_flags_of(how.mode);
		struct tendril_error error;
		uint64_t address, value;

		begin(&how);
		if (tendril_resolve(target, "getpid", &address, &error) < 0 ||
		    tendril_call(target, address, NULL, 0, CALL_MS, &value, &error) < 0)
			fail_msg("%s: %s", how.mode, error.text);
		assert_int_equal(snapshot_settle(before, after, victim.pid, flags), 0);
		if (tendril_call(target, address, NULL, 0, CALL_MS, &value, &error) < 0)
			fail_msg("%s: %s", how.mode, error.text);
		assert_int_equal(value, victim.pid);
		if (!becomes_same(before, after, victim.pid, flags, CALL_MS, why))
			fail_msg("%s: %s", how.mode, why);
		if (!target_is_well(&victim, why))
			fail_msg("%s: %s", how.mode, why);
		(void)end_test(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_way_in_leads_into_the_arena, end_test),
		cmocka_unit_test_teardown(test_what_is_at_the_address_already_is_not_touched,
					  end_test),
		cmocka_unit_test_teardown(test_no_memory_for_the_arena_leads_home, end_test),
		cmocka_unit_test_teardown(test_a_step_that_is_refused_leads_home, end_test),
		cmocka_unit_test_teardown(test_what_cannot_go_alone_is_led, end_test),
	};

	return cmocka_run_group_tests(tests, new_snapshots, free_snapshots);
}
