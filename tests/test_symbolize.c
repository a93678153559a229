/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_symbolize.c - stacks of programs that stand still at a known place: every function, in order
 *
 * The registers and the stack are taken by ptrace(2) here, and nothing else of the process is used.
 */
#include "proc/proc.h" /* before cmocka, which has a fail() of its own */
#include "support.h"
#include "symbolize/expression.h"
#include "symbolize/space.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dwarf.h>
#include <elf.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#define STACK_BYTES_MAX (256 << 10)
#define FRAMES_MAX	1024
#define PAGE		4096
#define FRAME_POINTER	6 /* rbp */

static unsigned char stack_bytes[STACK_BYTES_MAX];
static struct unwound unwound;
static struct frame frames[FRAMES_MAX];
static size_t n_frames;

/* --- taking a stack ----------------------------------------------------------------------- */

static void stop(pid_t tid)
{
	int status;

	assert_int_equal(ptrace(PTRACE_SEIZE, tid, 0, 0), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, tid, 0, 0), 0);
	assert_int_equal(waitpid(tid, &status, __WALL), tid);
	assert_true(WIFSTOPPED(status));
}

static void take_registers(pid_t tid, struct captured_stack *stack)
{
	struct user_regs_struct r;
	struct iovec all = { &r, sizeof(r) };

	assert_int_equal(ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &all), 0);
	*stack = (struct captured_stack){
		.registers = { r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9,
			       r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip },
		.bytes = stack_bytes,
	};
}

static void take_stack(pid_t tid, struct captured_stack *stack, size_t max)
{
	uint64_t sp;

	take_registers(tid, stack);
	sp = stack->registers[STACK_SP];
	while (stack->n_bytes < max) {
		size_t want = PAGE - (sp + stack->n_bytes) % PAGE;
		struct iovec here, there;

		if (want > max - stack->n_bytes)
			want = max - stack->n_bytes;
		here = (struct iovec){ stack_bytes + stack->n_bytes, want };
		there = (struct iovec){ (void *)(uintptr_t)(sp + stack->n_bytes), want };
		if (process_vm_readv(tid, &here, 1, &there, 1, 0) != (ssize_t)want)
			break;
		stack->n_bytes += want;
	}
	stack->whole = stack->n_bytes < max;
}

/* A program that stands in stop_here(), and what is known of it. */
struct subject {
	struct target target;
	pid_t tid;
	struct symbolizer *symbolizer;
	struct space *space;
	struct captured_stack stack;
};

static bool start_at(struct subject *s, const char *program, const char *mode)
{
	struct target_start how = { .program = program, .mode = mode };
	int r;

	memset(s, 0, sizeof(*s));
	r = target_start(&s->target, &how);
	if (r == -ENOENT)
		return false;
	assert_int_equal(r, 0);
	s->tid = s->target.pid;
	assert_int_equal(symbolizer_new(NULL, &s->symbolizer), 0);
	assert_int_equal(space_of_process(s->symbolizer, s->target.pid, &s->space), 0);
	return true;
}

static void capture(struct subject *s, size_t max)
{
	stop(s->tid);
	take_stack(s->tid, &s->stack, max);
	(void)ptrace(PTRACE_DETACH, s->tid, 0, 0);
}

static void describe_all(struct space *space)
{
	n_frames = 0;
	for (size_t i = 0; i < unwound.n && n_frames < FRAMES_MAX; i++)
		n_frames += space_describe(space, unwound.ip[i], unwound.is_return[i],
					   &frames[n_frames], FRAMES_MAX - n_frames);
}

static void unwind(struct subject *s)
{
	assert_int_equal(space_unwind(s->space, &s->stack, &unwound), 0);
	describe_all(s->space);
}

static void end(struct subject *s)
{
	n_frames = 0; /* their strings are gone */
	space_free(s->space);
	symbolizer_free(s->symbolizer);
	target_end(&s->target);
}

/* Its next place: it says "ready" there. */
static void go_on(struct subject *s)
{
	char answer[64];

	s->target.mode[0] = '\0'; /* no signal: it reads */
	assert_int_equal(target_ask(&s->target, "", answer, sizeof(answer)), 0);
	assert_string_equal(answer, "ready");
}

/* --- looking at what came out ------------------------------------------------------------- */

static void show(void)
{
	for (size_t i = 0; i < n_frames; i++)
		print_message("# %2zu %s%s%s +%lu %s:%u [%s]\n", i, frames[i].inlined ? "(inlined) " : "",
			      frames[i].function ? frames[i].function : "?",
			      frames[i].is_signal ? " (signal)" : "", (unsigned long)frames[i].offset,
			      frames[i].file ? frames[i].file : "", frames[i].line,
			      frames[i].module ? frames[i].module : "?");
	print_message("# end %d after %zu\n", (int)unwound.end, unwound.n);
}

static bool is_named(const struct frame *frame, const char *name)
{
	return frame->function && strcmp(frame->function, name) == 0;
}

static size_t find_from(size_t i, const char *name)
{
	while (i < n_frames && !is_named(&frames[i], name))
		i++;
	return i;
}

static const struct frame *find_frame(const char *name)
{
	size_t i = find_from(0, name);

	if (i == n_frames) {
		show();
		fail_msg("no frame of %s", name);
	}
	return &frames[i];
}

/* These, one after the other, without a frame in between. */
static bool has_chain(const char *const *names)
{
	size_t at = find_from(0, names[0]);

	for (size_t i = 0; names[i]; i++)
		if (at + i >= n_frames || !is_named(&frames[at + i], names[i]))
			return false;
	return true;
}

static void expect_chain(const char *const *names, enum unwind_end expected)
{
	if (!has_chain(names) || unwound.end != expected) {
		show();
		fail_msg("the stack is not as it should be");
	}
}

#define CHAIN(...)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

#define DEEP_CHAIN                                                                                 \
	CHAIN("stop_here", "deep10", "deep9", "deep8", "deep7", "deep6", "deep5", "deep4", "deep3", \
	      "deep2", "deep1", "run", "main")

static void capture_and_unwind(struct subject *s)
{
	capture(s, sizeof(stack_bytes));
	unwind(s);
}

static void expect_in(const char *program, const char *mode, const char *const *names)
{
	struct subject s;

	if (!start_at(&s, program, mode))
		SKIP_BECAUSE("%s was not built", program);
	capture_and_unwind(&s);
	expect_chain(names, UNWIND_COMPLETE);
	end(&s);
}

/* --- ways of linking ---------------------------------------------------------------------- */

static void every_frame_is_found_without_frame_pointers(void **state)
{
	(void)state;
	expect_in("stacks", "deep", DEEP_CHAIN);
}

static void every_frame_is_found_in_a_program_at_a_fixed_place(void **state)
{
	(void)state;
	expect_in("stacks_exec", "deep", DEEP_CHAIN);
}

static void every_frame_is_found_in_a_static_program(void **state)
{
	(void)state;
	expect_in("stacks_static", "deep", DEEP_CHAIN);
}

static void every_frame_is_found_in_a_static_pie(void **state)
{
	(void)state;
	expect_in("stacks_static_pie", "deep", DEEP_CHAIN);
}

static void every_frame_is_found_with_dynamic_symbols_alone(void **state)
{
	(void)state;
	expect_in("stacks_stripped", "deep", DEEP_CHAIN);
}

static void every_frame_is_found_by_debug_frame(void **state)
{
	const struct mapping *mapping;
	struct subject s;
	uint64_t address;

	(void)state;
	assert_true(start_at(&s, "stacks_debug_frame", "deep"));
	capture_and_unwind(&s);
	expect_chain(DEEP_CHAIN, UNWIND_COMPLETE);
	/* not by a guess */
	mapping = space_find(s.space, find_frame("deep5")->ip);
	assert_true(space_resolve(mapping, find_frame("deep5")->ip, &address));
	assert_true(object_rules(mapping->object, address)->known);
	end(&s);
}

static void every_frame_is_found_by_frame_pointers_where_there_are_no_rules(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start_at(&s, "stacks_frame_pointer", "deep"));
	capture_and_unwind(&s);
	expect_chain(DEEP_CHAIN, UNWIND_COMPLETE);
	for (size_t i = find_from(0, "deep10"); i < find_from(0, "run"); i++)
		assert_true(unwound.is_guessed[i]); /* one ip each: nothing is inlined */
	end(&s);
}

static void what_rules_led_to_is_no_guess(void **state)
{
	(void)state;
	expect_in("stacks", "deep", DEEP_CHAIN);
	for (size_t i = 0; i < unwound.n; i++)
		assert_false(unwound.is_guessed[i]);
}

static void every_frame_is_found_with_musl(void **state)
{
	struct subject s;

	(void)state;
	if (!start_at(&s, "stacks_musl", "deep"))
		SKIP_BECAUSE("stacks_musl was not built");
	capture_and_unwind(&s);
	expect_chain(DEEP_CHAIN, UNWIND_COMPLETE);
	/* of its assembly only memset has a name that others may use, and that has no size */
	assert_int_equal(find_from(0, "memset"), n_frames);
	end(&s);
}

static void every_frame_is_found_with_musl_in_a_static_program(void **state)
{
	(void)state;
	expect_in("stacks_musl_static", "deep", DEEP_CHAIN);
}

/* --- what is on the stack ----------------------------------------------------------------- */

static void a_signal_handler_leads_to_what_it_interrupted(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start_at(&s, "stacks", "signal"));
	capture_and_unwind(&s);
	expect_chain(CHAIN("stop_here", "handler"), UNWIND_COMPLETE);
	expect_chain(CHAIN("interrupted", "with_handler", "run", "main"), UNWIND_COMPLETE);
	assert_true(frames[find_from(0, "handler") + 1].is_signal);
	assert_false(find_frame("handler")->is_signal);
	end(&s);
}

static void a_signal_handler_leads_on_in_a_musl_program(void **state)
{
	struct subject s;

	(void)state;
	if (!start_at(&s, "stacks_musl_static", "signal"))
		SKIP_BECAUSE("stacks_musl_static was not built");
	capture_and_unwind(&s);
	expect_chain(CHAIN("raise", "interrupted", "with_handler", "run", "main"), UNWIND_COMPLETE);
	assert_true(frames[find_from(0, "handler") + 1].is_signal);
	end(&s);
}

static void a_handler_on_a_stack_of_its_own_is_told(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start_at(&s, "stacks", "altstack"));
	capture(&s, 8192);
	unwind(&s);
	expect_chain(CHAIN("stop_here", "handler"), UNWIND_OTHER_STACK);
	assert_true(n_frames > 2 && frames[n_frames - 2].is_signal); /* and behind it who was interrupted */
	end(&s);
}

static pid_t other_thread(pid_t pid)
{
	pid_t *tids = NULL, tid = 0;
	size_t n = 0;

	assert_int_equal(proc_threads(pid, &tids, &n), 0);
	for (size_t i = 0; i < n; i++)
		if (tids[i] != pid)
			tid = tids[i];
	free(tids);
	assert_int_not_equal(tid, 0);
	return tid;
}

static void expect_thread(const char *program)
{
	struct subject s;

	if (!start_at(&s, program, "thread"))
		SKIP_BECAUSE("%s was not built", program);
	s.tid = other_thread(s.target.pid);
	capture_and_unwind(&s);
	expect_chain(CHAIN("stop_here", "deep10", "deep9", "deep8", "thread_main"), UNWIND_COMPLETE);
	end(&s);
}

static void a_thread_is_unwound_to_its_beginning(void **state)
{
	(void)state;
	expect_thread("stacks");
}

static void a_thread_of_musl_is_unwound_to_its_beginning(void **state)
{
	(void)state;
	expect_thread("stacks_musl");
}

static void inlined_calls_are_frames_with_their_lines(void **state)
{
	struct subject s;
	const struct frame *inner;

	(void)state;
	assert_true(start_at(&s, "stacks", "inlined"));
	capture_and_unwind(&s);
	expect_chain(CHAIN("stop_here", "innermost_inlined", "middle_inlined", "holds_inlined", "run"),
		     UNWIND_COMPLETE);
	inner = find_frame("innermost_inlined");
	assert_true(inner[0].inlined && inner[1].inlined && !inner[2].inlined);
	assert_true(inner[0].ip == inner[1].ip && inner[1].ip == inner[2].ip);
	assert_non_null(strstr(inner[0].file, "stacks.c"));
	assert_non_null(strstr(inner[2].file, "stacks.c"));
	/* in the source, each of the three stands six lines below the one before */
	assert_int_equal(inner[1].line, inner[0].line + 6);
	assert_int_equal(inner[2].line, inner[1].line + 6);
	end(&s);
}

static void names_are_shortened_to_the_room_there_is(void **state)
{
	struct subject s;
	struct frame one[1];
	const struct frame *inner;

	(void)state;
	assert_true(start_at(&s, "stacks", "inlined"));
	capture_and_unwind(&s);
	inner = find_frame("innermost_inlined");
	assert_int_equal(space_describe(s.space, inner->ip, true, one, 1), 1);
	assert_string_equal(one[0].function, "innermost_inlined");
	end(&s);
}

static void a_deep_recursion_ends_at_the_bound(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start_at(&s, "stacks", "recursion"));
	capture_and_unwind(&s);
	assert_int_equal(unwound.n, UNWIND_MAX);
	expect_chain(CHAIN("stop_here", "recurse", "recurse", "recurse"), UNWIND_TOO_DEEP);
	end(&s);
}

static void a_short_copy_ends_as_cut(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	for (size_t bytes = 0; bytes < 600; bytes += 8) {
		capture(&s, bytes);
		unwind(&s);
		assert_int_equal(unwound.end, UNWIND_CUT);
		assert_true(unwound.n >= 1);
	}
	/* a longer one has more frames, and none that is not there */
	assert_true(has_chain(CHAIN("stop_here", "deep10", "deep9")));
	assert_true(find_from(0, "main") == n_frames);
	end(&s);
}

static void a_stack_of_garbage_ends(void **state)
{
	struct subject s;
	unsigned int seed = 1;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	capture_and_unwind(&s);
	for (unsigned int round = 0; round < 2000; round++) {
		struct captured_stack garbage = s.stack;
		uint64_t *word = (uint64_t *)stack_bytes;

		for (size_t i = 0; i < 512; i++) /* half of them lead into the stack or the code */
			word[i] = rand_r(&seed) % 2 ? (uint64_t)rand_r(&seed) << 20 ^ round :
			          rand_r(&seed) % 2 ? garbage.registers[STACK_SP] + rand_r(&seed) % 4096 :
						      unwound.ip[rand_r(&seed) % 8] + rand_r(&seed) % 64;
		garbage.n_bytes = 4096;
		assert_int_equal(space_unwind(s.space, &garbage, &unwound), 0);
		assert_in_range(unwound.n, 1, UNWIND_MAX);
	}
	end(&s);
}

static void registers_that_lead_nowhere_are_told(void **state)
{
	struct subject s;
	struct captured_stack wild = { .registers = { 0 } };

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	for (size_t i = 0; i < STACK_REGISTERS; i++)
		wild.registers[i] = UINT64_MAX - 3;
	assert_int_equal(space_unwind(s.space, &wild, &unwound), 0);
	assert_int_equal(unwound.n, 1);
	assert_int_equal(unwound.end, UNWIND_BROKEN);
	describe_all(s.space);
	assert_int_equal(n_frames, 1);
	assert_null(frames[0].function);
	assert_null(frames[0].module);
	assert_true(frames[0].ip == UINT64_MAX - 3);
	end(&s);
}

/* --- at every instruction ----------------------------------------------------------------- */

static bool is_in(pid_t pid, const char *name, uint64_t ip)
{
	struct proc_maps maps;
	const struct proc_map *map;
	bool yes;

	assert_int_equal(proc_maps_read(pid, &maps), 0);
	map = proc_maps_find(&maps, ip);
	yes = map && strcmp(map->path, name) == 0;
	proc_maps_done(&maps);
	return yes;
}

/* Prologues, epilogues, the linkage table, libc, and the kernel's own code: all of a call. */
static void a_stack_is_right_at_every_instruction(void **state)
{
	struct subject s;
	unsigned int in_vdso = 0, in_inner = 0;
	int status;

	(void)state;
	assert_true(start_at(&s, "stacks", "steps"));
	stop(s.tid);
	assert_int_equal(write(s.target.in, "\n", 1), 1);
	for (unsigned int i = 0; i < 3000; i++) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, s.tid, 0, 0), 0);
		assert_int_equal(waitpid(s.tid, &status, __WALL), s.tid);
		assert_true(WIFSTOPPED(status));
		take_stack(s.tid, &s.stack, sizeof(stack_bytes));
		unwind(&s);
		if (find_from(0, "stop_here") < n_frames)
			continue;
		expect_chain(CHAIN("steps_outer", "run", "main"), UNWIND_COMPLETE);
		in_inner += has_chain(CHAIN("steps_inner", "steps_outer", "run"));
		in_vdso += is_in(s.target.pid, "[vdso]", s.stack.registers[STACK_IP]);
	}
	assert_true(in_inner > 100);
	assert_true(in_vdso > 10);
	end(&s);
}

static void frames_of_the_vdso_name_it(void **state)
{
	struct subject s;
	struct frame frame;
	const struct mapping *vdso = NULL;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	for (size_t i = 0; i < s.space->n_maps; i++)
		if (s.space->map[i].object && strcmp(s.space->map[i].object->path, "[vdso]") == 0)
			vdso = &s.space->map[i];
	assert_non_null(vdso);
	for (uint64_t ip = vdso->low, found = 0; !found; ip += 16) {
		assert_true(ip < vdso->high);
		assert_int_equal(space_describe(s.space, ip, false, &frame, 1), 1);
		assert_string_equal(frame.module, "[vdso]");
		found = frame.function && strstr(frame.function, "clock_gettime");
	}
	end(&s);
}

/* --- libraries that come and go ----------------------------------------------------------- */

static void a_library_that_came_later_is_known_after_an_update(void **state)
{
	struct subject s;
	struct captured_stack inside;
	static unsigned char kept[16384];

	(void)state;
	assert_true(start_at(&s, "stacks", "library"));
	capture(&s, sizeof(kept));
	unwind(&s);
	expect_chain(CHAIN("stop_here", "plug_inner", "plug_outer", "in_library", "run", "main"),
		     UNWIND_COMPLETE);
	inside = s.stack;
	memcpy(kept, stack_bytes, sizeof(kept));
	inside.bytes = kept;

	go_on(&s); /* it closes the library */
	assert_int_equal(space_update(s.space), 0);
	capture_and_unwind(&s);
	expect_chain(CHAIN("stop_here", "in_library", "run", "main"), UNWIND_COMPLETE);

	s.stack = inside; /* from when it was there */
	unwind(&s);
	expect_chain(CHAIN("stop_here", "plug_inner", "plug_outer", "in_library", "run", "main"),
		     UNWIND_COMPLETE);
	end(&s);
}

static void an_update_drops_what_was_replaced(void **state)
{
	struct space_mapping other = { .path = "/nowhere/other" };
	const struct mapping *code;
	struct subject s;
	struct frame frame;
	uint64_t ip;
	size_t n;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	capture_and_unwind(&s);
	ip = find_frame("deep5")->ip;
	code = space_find(s.space, ip);
	other.low = code->low;
	other.high = code->high;
	n = s.space->n_maps;
	assert_int_equal(space_map(s.space, &other), 0);
	assert_int_equal(s.space->n_maps, n);
	assert_int_equal(space_describe(s.space, ip, true, &frame, 1), 1);
	assert_string_equal(frame.module, "/nowhere/other");
	assert_null(frame.function);
	assert_int_equal(space_update(s.space), 0);
	assert_int_equal(s.space->n_maps, n);
	assert_int_equal(space_describe(s.space, ip, true, &frame, 1), 1);
	assert_string_equal(frame.function, "deep5");
	end(&s);
}

static void a_space_outlives_its_process(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	capture(&s, sizeof(stack_bytes));
	target_end(&s.target);
	assert_int_equal(space_update(s.space), -ESRCH);
	unwind(&s);
	expect_chain(DEEP_CHAIN, UNWIND_COMPLETE);
	end(&s);
}

static void nobody_is_no_space(void **state)
{
	struct symbolizer *symbolizer;
	struct space *space = NULL;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(symbolizer_new(NULL, &symbolizer), 0);
	assert_int_equal(space_of_process(symbolizer, child, &space), -ESRCH);
	assert_null(space);
	symbolizer_free(symbolizer);
}

/* As the kernel's events tell it, with no process to look at. */
static void map_as_told(struct space *space, pid_t pid, bool wrong_inode)
{
	struct proc_maps maps;

	assert_int_equal(proc_maps_read(pid, &maps), 0);
	for (size_t i = 0; i < maps.n_maps; i++) {
		const struct proc_map *map = &maps.map[i];
		struct space_mapping told = {
			.low = map->low,
			.high = map->high,
			.offset = map->offset,
			.device = map->device,
			.inode = map->inode + wrong_inode,
			.path = map->path,
		};

		if (map->execute)
			assert_int_equal(space_map(space, &told), 0);
	}
	proc_maps_done(&maps);
}

static void a_space_is_made_of_events(void **state)
{
	struct subject s;
	struct space *told, *copy;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	capture(&s, sizeof(stack_bytes));
	assert_int_equal(space_empty(s.symbolizer, 0, &told), 0);
	map_as_told(told, s.target.pid, false);
	target_end(&s.target);
	space_free(s.space);
	s.space = told;
	unwind(&s);
	expect_chain(DEEP_CHAIN, UNWIND_COMPLETE);

	assert_int_equal(space_copy(told, 1, &copy), 0);
	space_free(told);
	s.space = copy;
	unwind(&s);
	expect_chain(DEEP_CHAIN, UNWIND_COMPLETE);
	end(&s);
}

static size_t build_id_at(struct subject *s, uint64_t ip, unsigned char *id, size_t max)
{
	struct object *object = space_find(s->space, ip)->object;
	const unsigned char *bits;
	GElf_Addr where;
	int n;

	assert_true(object_open(object));
	n = dwfl_module_build_id(object->module, &bits, &where);
	assert_in_range(n, 1, max);
	memcpy(id, bits, (size_t)n);
	return (size_t)n;
}

/* The kernel may tell a file's build id in place of its inode. */
static void a_build_id_tells_which_file_it_was(void **state)
{
	struct subject s;
	struct space *told;
	unsigned char id[OBJECT_BUILD_ID_MAX];
	struct space_mapping libc = { .path = NULL };
	const struct mapping *map;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	capture(&s, sizeof(stack_bytes)); /* in read(2) or write(2) of libc */
	libc.build_id = id;
	libc.build_id_bytes = build_id_at(&s, s.stack.registers[STACK_IP], id, sizeof(id));
	map = space_find(s.space, s.stack.registers[STACK_IP]);
	libc.low = map->low;
	libc.high = map->high;
	libc.offset = map->offset;
	libc.path = map->object->path;
	for (int wrong = 0; wrong < 2; wrong++) {
		id[0] ^= (unsigned char)wrong;
		assert_int_equal(space_empty(s.symbolizer, 0, &told), 0);
		assert_int_equal(space_map(told, &libc), 0);
		assert_int_equal(space_unwind(told, &s.stack, &unwound), 0);
		describe_all(told);
		assert_int_equal(frames[0].function == NULL, wrong);
		space_free(told);
	}
	libc.build_id_bytes = sizeof(id) + 1;
	assert_int_equal(space_empty(s.symbolizer, 0, &told), 0);
	assert_int_equal(space_map(told, &libc), -EINVAL);
	space_free(told);
	end(&s);
}

static void another_file_of_that_name_is_not_used(void **state)
{
	struct subject s;
	struct space *told;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	capture(&s, sizeof(stack_bytes));
	assert_int_equal(space_empty(s.symbolizer, 0, &told), 0);
	map_as_told(told, s.target.pid, true);
	assert_int_equal(space_unwind(told, &s.stack, &unwound), 0);
	describe_all(told);
	assert_null(frames[0].function);
	assert_non_null(frames[0].module); /* that much is known */
	space_free(told);
	end(&s);
}

/* Some file systems show another device in /proc/PID/maps than to stat(2): then what is mapped has
 * to begin as the file does. */
static void a_file_of_another_device_is_known_by_its_beginning(void **state)
{
	struct object_hint hint = { .path = NULL };
	const struct mapping *code;
	struct subject s;
	struct stat stat_;
	int fd;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	capture_and_unwind(&s);
	code = space_find(s.space, find_frame("deep5")->ip);
	hint.pid = s.target.pid;
	hint.low = code->low;
	hint.offset = code->offset;
	hint.device = code->object->stat.st_dev + 1;
	hint.inode = code->inode;
	hint.path = code->object->path;
	fd = file_open_mapped(&hint, &stat_);
	assert_true(fd >= 0);
	close(fd);
	hint.low = space_find(s.space, frames[0].ip)->low; /* libc's code */
	assert_true(file_open_mapped(&hint, &stat_) < 0);
	hint.pid = 0;
	assert_true(file_open_mapped(&hint, &stat_) < 0);
	end(&s);
}

static void a_new_mapping_takes_the_place_of_older_ones(void **state)
{
	struct symbolizer *symbolizer;
	struct space *space;
	struct space_mapping map = { .low = 0x1000, .high = 0x5000, .path = "/nowhere/a" };

	(void)state;
	assert_int_equal(symbolizer_new(NULL, &symbolizer), 0);
	assert_int_equal(space_empty(symbolizer, 0, &space), 0);
	assert_int_equal(space_map(space, &map), 0);
	map = (struct space_mapping){ .low = 0x8000, .high = 0x9000, .path = "/nowhere/b" };
	assert_int_equal(space_map(space, &map), 0);
	map = (struct space_mapping){ .low = 0x4000, .high = 0x8800, .path = "/nowhere/c" };
	assert_int_equal(space_map(space, &map), 0);
	assert_null(space_find(space, 0x3fff));
	assert_string_equal(space_find(space, 0x4000)->object->path, "/nowhere/c");
	assert_string_equal(space_find(space, 0x87ff)->object->path, "/nowhere/c");
	assert_null(space_find(space, 0x8800));
	map = (struct space_mapping){ .low = 0x9000, .high = 0xa000, .path = "/nowhere/c" };
	assert_int_equal(space_map(space, &map), 0);
	assert_ptr_equal(space_find(space, 0x9000)->object, space_find(space, 0x4000)->object);
	map = (struct space_mapping){ .low = 2, .high = 1, .path = "/nowhere/d" };
	assert_int_equal(space_map(space, &map), -EINVAL);
	space_free(space);
	symbolizer_free(symbolizer);
}

/* --- files that are not where they were --------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	char buffer[65536];
	ssize_t n;

	(void)unlink(to);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		assert_int_equal(write(out, buffer, (size_t)n), n);
	close(in);
	close(out);
}

/* A copy of a target that a test may spoil, beside the others. */
static void copy_target(const char *program, const char *name, char path[4096])
{
	char from[4096];

	assert_true(support_find(program, from));
	assert_true(snprintf(path, 4096, "%s/%s", support_targets(), name) < 4096);
	copy_file(from, path);
}

static bool may_open_map_files(pid_t pid)
{
	struct proc_maps maps;
	char path[96];
	int fd = -1;

	assert_int_equal(proc_maps_read(pid, &maps), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", (int)pid,
		       (unsigned long)maps.map[0].low, (unsigned long)maps.map[0].high);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	proc_maps_done(&maps);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* other: what takes its place; NULL: nothing. */
static void expect_replaced(const char *name, const char *other)
{
	struct target_start how = { .program = name, .mode = "deep" };
	struct subject s = { 0 };
	char path[4096];
	bool may;

	copy_target("stacks", name, path);
	assert_int_equal(target_start(&s.target, &how), 0);
	s.tid = s.target.pid;
	may = may_open_map_files(s.target.pid);
	(void)unlink(path);
	if (other)
		copy_target(other, name, path);
	assert_int_equal(symbolizer_new(NULL, &s.symbolizer), 0);
	assert_int_equal(space_of_process(s.symbolizer, s.target.pid, &s.space), 0);
	capture(&s, sizeof(stack_bytes));
	target_end(&s.target); /* what is needed of it was opened */
	unwind(&s);
	(void)unlink(path);
	if (may)
		expect_chain(DEEP_CHAIN, UNWIND_COMPLETE);
	else /* then better nothing than what is wrong */
		assert_int_equal(find_from(0, "deep10"), n_frames);
	end(&s);
}

static void a_deleted_file_is_still_read(void **state)
{
	(void)state;
	expect_replaced("stacks_deleted", NULL);
}

static void a_file_that_took_anothers_place_is_not_read(void **state)
{
	(void)state;
	expect_replaced("stacks_upgraded", "stacks_cxx");
}

static void files_of_another_mount_namespace_are_read(void **state)
{
	char shell[4096], from[4096];
	const char *wrapper[] = { "unshare", "-m", "sh", "-c", shell, NULL };
	struct target_start how = { .program = "stacks", .mode = "deep", .wrapper = wrapper };
	struct subject s = { 0 };

	(void)state;
	if (geteuid() != 0)
		SKIP_BECAUSE("only root mounts");
	assert_true(support_find("stacks", from));
	assert_true(snprintf(shell, sizeof(shell),
			     "mount -t tmpfs none /mnt && cp '%s' /mnt/elsewhere && "
			     "exec /mnt/elsewhere -t 1 deep",
			     from) < (int)sizeof(shell));
	if (target_start(&s.target, &how) != 0)
		SKIP_BECAUSE("no mount namespaces here");
	s.tid = s.target.pid;
	assert_int_equal(access("/mnt/elsewhere", F_OK), -1);
	assert_int_equal(symbolizer_new(NULL, &s.symbolizer), 0);
	assert_int_equal(space_of_process(s.symbolizer, s.target.pid, &s.space), 0);
	capture_and_unwind(&s);
	expect_chain(DEEP_CHAIN, UNWIND_COMPLETE);
	assert_string_equal(find_frame("deep5")->module, "/mnt/elsewhere");
	end(&s);
}

/* --- names, files, lines ------------------------------------------------------------------ */

static void expect_inlined(const char *program)
{
	struct subject s;

	if (!start_at(&s, program, "inlined"))
		SKIP_BECAUSE("%s was not built", program);
	capture_and_unwind(&s);
	expect_chain(CHAIN("stop_here", "innermost_inlined", "middle_inlined", "holds_inlined", "run"),
		     UNWIND_COMPLETE);
	assert_true(find_frame("holds_inlined")->line > 0);
	end(&s);
}

static void debug_information_is_found_by_its_link(void **state)
{
	(void)state;
	expect_inlined("stacks_linked");
}

static void debug_information_that_was_split_off_is_read(void **state)
{
	(void)state;
	expect_inlined("stacks_dwo");
}

/* In a file of anybody's, the name of what was split off may be that of a pipe. */
static void files_that_strangers_name_are_not_opened(void **state)
{
	char path[4096], dwo[4096];
	struct target_start how = { .program = "other/stacks_dwo", .mode = "inlined" };
	struct subject s = { 0 };

	(void)state;
	assert_true(snprintf(dwo, sizeof(dwo), "%s/other", support_targets()) < 4096);
	(void)mkdir(dwo, 0755);
	copy_target("stacks_dwo", "other/stacks_dwo", path);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(target_start(&s.target, &how), 0);
	s.tid = s.target.pid;
	assert_int_equal(symbolizer_new(NULL, &s.symbolizer), 0);
	assert_int_equal(space_of_process(s.symbolizer, s.target.pid, &s.space), 0);
	capture_and_unwind(&s);
	expect_chain(CHAIN("stop_here", "holds_inlined", "run", "main"), UNWIND_COMPLETE);
	(void)unlink(path);
	end(&s);
}

/* A stripped program in a file system of its own, with debug information for its build id there. */
static bool finds_by_build_id(const char *debug)
{
	char shell[16384], id[2 * OBJECT_BUILD_ID_MAX + 1] = "", whole[4096], other[4096];
	const char *wrapper[] = { "unshare", "-m", "sh", "-c", shell, NULL };
	struct target_start how = { .program = "stacks", .mode = "deep", .wrapper = wrapper };
	unsigned char bytes[OBJECT_BUILD_ID_MAX];
	struct subject s;
	bool found;
	size_t n;

	assert_true(start_at(&s, "stacks", "deep"));
	capture_and_unwind(&s);
	n = build_id_at(&s, find_frame("deep5")->ip, bytes, sizeof(bytes));
	for (size_t i = 0; i < n; i++)
		(void)snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	end(&s);
	assert_true(support_find("stacks", whole) && support_find(debug, other));
	assert_true(snprintf(shell, sizeof(shell),
			     "cp '%s' /tmp/tendril-test-debug-%d && "
			     "mount -t tmpfs none /mnt && mount -t tmpfs none /usr/lib/debug && "
			     "objcopy --strip-all '%s' /mnt/elsewhere && "
			     "mkdir -p /usr/lib/debug/.build-id/%.2s && "
			     "mv /tmp/tendril-test-debug-%d /usr/lib/debug/.build-id/%.2s/%s.debug && "
			     "exec /mnt/elsewhere -t 1 deep",
			     other, (int)getpid(), whole, id, (int)getpid(), id, id + 2) <
		    (int)sizeof(shell));
	memset(&s, 0, sizeof(s));
	assert_int_equal(target_start(&s.target, &how), 0);
	s.tid = s.target.pid;
	assert_int_equal(symbolizer_new(NULL, &s.symbolizer), 0);
	assert_int_equal(space_of_process(s.symbolizer, s.target.pid, &s.space), 0);
	capture_and_unwind(&s);
	assert_int_equal(unwound.end, UNWIND_COMPLETE);
	found = has_chain(DEEP_CHAIN);
	end(&s);
	return found;
}

static void debug_information_is_found_by_build_id_and_checked(void **state)
{
	(void)state;
	if (geteuid() != 0 || system("unshare -m true 2>/dev/null && objcopy --version >/dev/null") != 0)
		SKIP_BECAUSE("no mounts here");
	assert_true(finds_by_build_id("stacks"));
	assert_false(finds_by_build_id("stacks_debug_frame"));
}

static void debug_information_of_another_build_is_not_used(void **state)
{
	char link[4096], debug[4096], program[4096];
	struct target_start how = { .program = "other/stacks_linked", .mode = "deep" };
	struct subject s = { 0 };

	(void)state;
	if (!support_find("stacks_linked", program))
		SKIP_BECAUSE("stacks_linked was not built");
	assert_true(snprintf(link, sizeof(link), "%s/other", support_targets()) < 4096);
	(void)mkdir(link, 0755);
	copy_target("stacks_linked", "other/stacks_linked", link);
	copy_target("stacks_exec", "other/stacks_linked.debug", debug);
	assert_int_equal(target_start(&s.target, &how), 0);
	s.tid = s.target.pid;
	assert_int_equal(symbolizer_new(NULL, &s.symbolizer), 0);
	assert_int_equal(space_of_process(s.symbolizer, s.target.pid, &s.space), 0);
	capture_and_unwind(&s);
	assert_int_equal(unwound.end, UNWIND_COMPLETE);
	assert_int_equal(find_from(0, "deep10"), n_frames);
	assert_true(unwound.n > 12);
	(void)unlink(link);
	(void)unlink(debug);
	end(&s);
}

/* Answers "not found" to all, and tells by a byte that it was asked. */
__attribute__((noreturn)) static void serve_nothing(int listener, int tell)
{
	static const char answer[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
				     "Connection: close\r\n\r\n";
	char request[2048];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0 || write(tell, "!", 1) != 1)
			_exit(0);
		(void)!read(fd, request, sizeof(request));
		(void)!write(fd, answer, sizeof(answer) - 1);
		close(fd);
	}
}

static pid_t start_server(int *ret_told)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t bytes = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), told[2];
	char url[64];
	pid_t child;

	assert_int_equal(bind(listener, (struct sockaddr *)&address, bytes), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
	assert_int_equal(pipe2(told, O_CLOEXEC | O_NONBLOCK), 0);
	child = fork();
	if (child == 0)
		serve_nothing(listener, told[1]);
	close(listener);
	close(told[1]);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
	(void)setenv("DEBUGINFOD_URLS", url, 1);
	*ret_told = told[0];
	return child;
}

static bool asks_server(struct subject *s, bool wanted, int told)
{
	const struct symbolizer_options options = { .debuginfod = wanted };
	struct symbolizer *symbolizer;
	char bytes[16];

	assert_int_equal(symbolizer_new(&options, &symbolizer), 0);
	space_free(s->space);
	assert_int_equal(space_of_process(symbolizer, s->target.pid, &s->space), 0);
	capture_and_unwind(s);
	space_free(s->space);
	assert_int_equal(space_empty(s->symbolizer, 0, &s->space), 0);
	symbolizer_free(symbolizer);
	return read(told, bytes, sizeof(bytes)) > 0;
}

static void servers_are_asked_only_when_that_is_wanted(void **state)
{
	char cache[] = "/tmp/tendril-test-XXXXXX", command[128];
	struct subject s;
	bool asked, asked_when_wanted;
	pid_t server;
	int told;

	(void)state;
	assert_non_null(mkdtemp(cache));
	(void)setenv("DEBUGINFOD_CACHE_PATH", cache, 1);
	server = start_server(&told);
	assert_true(start_at(&s, "stacks_stripped", "deep"));
	asked = asks_server(&s, false, told);
	asked_when_wanted = asks_server(&s, true, told);
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
	close(told);
	(void)unsetenv("DEBUGINFOD_URLS");
	(void)unsetenv("DEBUGINFOD_CACHE_PATH");
	(void)snprintf(command, sizeof(command), "rm -rf %s", cache);
	assert_int_equal(system(command), 0);
	end(&s);
	assert_false(asked);
	if (!asked_when_wanted)
		SKIP_BECAUSE("libdw asks nobody here: no libdebuginfod");
}

static void a_symbol_table_inside_is_read(void **state)
{
	struct subject s;

	(void)state;
	if (!start_at(&s, "stacks_linked_mini", "deep"))
		SKIP_BECAUSE("stacks_linked_mini was not built");
	capture_and_unwind(&s);
	expect_chain(DEEP_CHAIN, UNWIND_COMPLETE);
	end(&s);
}

static void names_of_cxx_are_readable_also_while_an_exception_is_handled(void **state)
{
	struct subject s;

	(void)state;
	if (!start_at(&s, "stacks_cxx", NULL))
		SKIP_BECAUSE("stacks_cxx was not built");
	capture_and_unwind(&s);
	expect_chain(CHAIN("leak::stop_here", "leak::Guard::~Guard",
			   "leak::Parser<std::__cxx11::basic_string<char, std::char_traits<char>, "
			   "std::allocator<char> > >::parse",
			   "leak::handle", "main"),
		     UNWIND_COMPLETE);
	assert_non_null(strstr(find_frame("leak::handle")->file, "stacks_cxx.cc"));
	go_on(&s);
	capture_and_unwind(&s);
	expect_chain(CHAIN("leak::stop_here", "leak::handle", "main"), UNWIND_COMPLETE);
	end(&s);
}

static void expect_rust(const char *program, const char *method)
{
	struct subject s;
	const struct frame *frame;

	if (!start_at(&s, program, NULL))
		SKIP_BECAUSE("%s was not built", program);
	capture_and_unwind(&s);
	expect_chain(CHAIN(method), UNWIND_COMPLETE);
	frame = find_frame(method) + 1;
	assert_ptr_equal(strstr(frame->function, "stacks_rust::generic"), frame->function);
	assert_non_null(strstr(frame->file, "stacks_rust.rs"));
	assert_true(frame->line > 0);
	(void)find_frame("stacks_rust::main");
	end(&s);
}

static void names_of_rust_are_readable(void **state)
{
	(void)state;
	expect_rust("stacks_rust", "stacks_rust::Keeper::stop_here");
}

static void new_names_of_rust_are_readable(void **state)
{
	(void)state;
	expect_rust("stacks_rust_v0", "<stacks_rust::Keeper>::stop_here");
}

static void expect_jit(const char *mode)
{
	struct subject s;
	struct space *copy;
	char map[64];
	uint64_t at;
	const struct frame *frame;

	assert_true(start_at(&s, "stacks", mode));
	capture_and_unwind(&s);
	expect_chain(CHAIN("stop_here", "JS:*made up at run time", "JS:~outer",
			   "compiled_at_run_time", "run", "main"),
		     UNWIND_COMPLETE);
	frame = find_frame("JS:*made up at run time");
	assert_string_equal(frame->module, "[jit]");
	assert_int_equal(frame->offset, 6); /* behind the call */
	at = frame->ip;

	/* a child that was forked has the code, but no map */
	assert_int_equal(space_copy(s.space, getpid(), &copy), 0);
	space_free(s.space);
	s.space = copy;
	assert_int_equal(space_describe(copy, at, true, frames, 1), 1);
	assert_string_equal(frames[0].function, "JS:*made up at run time");

	/* nobody knows who called it when its frame pointer is none */
	s.stack.registers[STACK_IP] = at;
	s.stack.registers[FRAME_POINTER] = 1;
	assert_int_equal(space_unwind(copy, &s.stack, &unwound), 0);
	assert_int_equal(unwound.n, 1);
	assert_int_equal(unwound.end, UNWIND_NO_RULES);
	(void)snprintf(map, sizeof(map), "/tmp/perf-%d.map", (int)s.target.pid);
	(void)unlink(map);
	end(&s);
}

static void code_made_at_run_time_is_named_by_its_map(void **state)
{
	(void)state;
	expect_jit("jit");
}

static void code_made_in_a_file_of_memory_is_named_by_its_map(void **state)
{
	(void)state;
	expect_jit("jitfile");
}

/* The name of a frame begins with "JS:", and has a mark of how it was compiled. */
static size_t find_js(size_t i, const char *name)
{
	while (i < n_frames && !(frames[i].function && strncmp(frames[i].function, "JS:", 3) == 0 &&
				 strstr(frames[i].function, name)))
		i++;
	return i;
}

/* gdb's "#7  0x1234 in name (...)" or "#0  name (...)". */
static bool name_of_gdb(const char *line, char name[256])
{
	const char *in = strstr(line, " in "), *paren;

	if (line[0] != '#')
		return false;
	paren = strstr(line, " (");
	if (!in || (paren && in > paren))
		in = strchr(line, ' ') + 1;
	else
		in += 4;
	in += strspn(in, " ");
	(void)snprintf(name, 256, "%.*s", (int)strcspn(in, " ("), in);
	return true;
}

/* From stop_here() to main(), frame by frame, the inlined ones too. */
static void expect_as_gdb_says(const char *program, const char *mode)
{
	char command[128], line[4096], name[256];
	struct subject s;
	size_t at, n = 0;
	FILE *gdb;

	if (!start_at(&s, program, mode))
		SKIP_BECAUSE("%s was not built", program);
	capture_and_unwind(&s);
	(void)snprintf(command, sizeof(command), "gdb -q -nx -batch -p %d -ex bt 2>/dev/null",
		       (int)s.target.pid);
	gdb = popen(command, "re");
	assert_non_null(gdb);
	at = find_from(0, "stop_here");
	while (fgets(line, sizeof(line), gdb)) {
		if (!name_of_gdb(line, name) || (n == 0 && strcmp(name, "stop_here") != 0))
			continue;
		if (at + n < n_frames && !is_named(&frames[at + n], name)) {
			show();
			fail_msg("gdb has %s, we have %s", name, frames[at + n].function);
		}
		n++;
		if (strcmp(name, "main") == 0)
			break;
	}
	(void)pclose(gdb);
	end(&s);
	assert_true(n > 4);
}

static void gdb_finds_the_same(void **state)
{
	(void)state;
	if (system("gdb --version >/dev/null 2>&1") != 0)
		SKIP_BECAUSE("no gdb");
	expect_as_gdb_says("stacks", "deep");
	expect_as_gdb_says("stacks", "inlined");
	expect_as_gdb_says("stacks_debug_frame", "deep");
	expect_as_gdb_says("stacks_static_pie", "deep");
}

static void javascript_is_named_and_passed_through(void **state)
{
	static const char *const node[] = { "node", "--perf-basic-prof",
					    "--interpreted-frames-native-stack", NULL };
	struct target_start how = { .program = "stacks_js.js", .wrapper = node };
	struct subject s = { 0 };
	char map[64];
	size_t inner, middle, outer;
	int r;

	(void)state;
	r = target_start(&s.target, &how);
	if (r < 0)
		SKIP_BECAUSE("no node, or no stacks_js.js");
	s.tid = s.target.pid;
	assert_int_equal(symbolizer_new(NULL, &s.symbolizer), 0);
	assert_int_equal(space_of_process(s.symbolizer, s.target.pid, &s.space), 0);
	capture_and_unwind(&s);
	inner = find_js(0, "jsInner");
	middle = find_js(inner, "jsMiddle");
	outer = find_js(middle, "jsOuter");
	(void)snprintf(map, sizeof(map), "/tmp/perf-%d.map", (int)s.target.pid);
	(void)unlink(map);
	if (outer >= n_frames || unwound.end != UNWIND_COMPLETE) {
		show();
		fail_msg("not every function of the script is there");
	}
	assert_true(find_from(0, "read") < inner || find_from(0, "write") < inner);
	assert_true(find_from(outer, "_start") < n_frames);
	end(&s);
}

/* A map of ours for the target, as somebody else may have put it there. */
static bool is_named_by_map(struct subject *s, uint64_t at, const char *text, bool link, uid_t owner)
{
	char path[64], other[64];
	struct frame frame;
	struct space *fresh;
	FILE *map;

	(void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)s->target.pid);
	(void)snprintf(other, sizeof(other), "/tmp/tendril-test-%d", (int)s->target.pid);
	(void)unlink(path);
	map = fopen(link ? other : path, "wxe");
	assert_non_null(map);
	(void)fputs(text, map);
	(void)fclose(map);
	if (link)
		assert_int_equal(symlink(other, path), 0);
	else if (owner != 0)
		assert_int_equal(chown(path, owner, (gid_t)-1), 0);
	assert_int_equal(space_of_process(s->symbolizer, s->target.pid, &fresh), 0);
	assert_int_equal(space_describe(fresh, at, false, &frame, 1), 1);
	space_free(fresh);
	(void)unlink(path);
	(void)unlink(other);
	return frame.function != NULL;
}

static void a_map_is_read_only_from_who_may_write_it(void **state)
{
	struct subject s;
	char text[512];
	uint64_t at;

	(void)state;
	assert_true(start_at(&s, "stacks", "jit"));
	capture_and_unwind(&s);
	at = find_frame("JS:*made up at run time")->ip;
	(void)snprintf(text, sizeof(text), "%lx 20 f\n", (unsigned long)at);
	assert_true(is_named_by_map(&s, at, text, false, 0));
	assert_false(is_named_by_map(&s, at, text, true, 0));
	if (geteuid() == 0)
		assert_false(is_named_by_map(&s, at, text, false, 65534));
	/* lines that are none */
	(void)snprintf(text, sizeof(text), "\n \n%lx\n%lx 20\n%lx 20 \n%lx 0 f\nx%lx 20 f\n%lx 20 cut",
		       (unsigned long)at, (unsigned long)at, (unsigned long)at, (unsigned long)at,
		       (unsigned long)at, (unsigned long)at);
	assert_false(is_named_by_map(&s, at, text, false, 0));
	(void)snprintf(text, sizeof(text), "%lx ffffffffffffffff f\n", (unsigned long)at);
	assert_false(is_named_by_map(&s, at, text, false, 0));
	end(&s);
}

static void a_later_line_of_a_map_is_worth_more(void **state)
{
	struct subject s;
	char path[64];
	struct frame frame;
	uint64_t at;
	FILE *map;

	(void)state;
	assert_true(start_at(&s, "stacks", "jit"));
	capture_and_unwind(&s);
	at = find_frame("JS:*made up at run time")->ip;
	(void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)s.target.pid);
	map = fopen(path, "ae");
	assert_non_null(map);
	(void)fprintf(map, "%lx 10 compiled again\n%lx 40 elsewhere\n", (unsigned long)at - 4,
		      (unsigned long)at + 0x100);
	(void)fclose(map);
	/* what was not known is looked for at once, and all that was new is read */
	assert_int_equal(space_describe(s.space, at + 0x120, false, &frame, 1), 1);
	assert_string_equal(frame.function, "elsewhere");
	assert_int_equal(frame.offset, 0x20);
	assert_int_equal(space_describe(s.space, at, false, &frame, 1), 1);
	assert_string_equal(frame.function, "compiled again");
	(void)unlink(path);
	end(&s);
}

static void libc_is_named_as_users_know_it(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	capture_and_unwind(&s);
	/* it says "ready", and reads; __GI___libc_write and the like are what the source has */
	if (!is_named(&frames[0], "write"))
		assert_string_equal(frames[0].function, "read");
	end(&s);
}

static void a_place_is_the_same_in_every_process(void **state)
{
	struct subject s, other;
	uint64_t place[64];
	const size_t first = 2; /* below: it writes, or reads */
	size_t n;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	assert_true(start_at(&other, "stacks", "deep"));
	capture_and_unwind(&s);
	n = unwound.n;
	assert_in_range(n, 13, 64);
	for (size_t i = 0; i < n; i++)
		place[i] = space_place(s.space, unwound.ip[i]);
	capture_and_unwind(&other);
	assert_int_equal(unwound.n, n);
	for (size_t i = first; i < n; i++) {
		assert_true(place[i] == space_place(other.space, unwound.ip[i]));
		assert_true(place[i] != place[i - 1]);
		assert_true(place[i] != space_place(other.space, unwound.ip[i] + 1));
	}
	end(&other);
	end(&s);
}

/* --- hostile ------------------------------------------------------------------------------ */

static void a_name_that_would_be_endless_is_left_as_it_is(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char bomb[1024] = "_Z1fISt4pairIiiE";
	struct symbolizer *symbolizer;
	struct object *object;
	const char *name;

	(void)state;
	/* f<pair<int, int>, a pair of two of that, ...>: 2^34 words at the end */
	for (int i = 1; i < 35; i++) {
		size_t n = strlen(bomb);

		(void)snprintf(bomb + n, sizeof(bomb) - n, "S0_IS%c_S%c_E", digits[i], digits[i]);
	}
	(void)strcat(bomb, "Evv");
	assert_int_equal(symbolizer_new(NULL, &symbolizer), 0);
	object = object_vdso(symbolizer);
	name = object_demangle(object, bomb);
	assert_string_equal(name, bomb);
	strcpy(strstr(bomb, "S0_IS3_"), "Evv");
	assert_string_equal(object_demangle(object, bomb),
			    "f<std::pair<int, int>, std::pair<std::pair<int, int>, std::pair<int, int> >, "
			    "std::pair<std::pair<std::pair<int, int>, std::pair<int, int> >, "
			    "std::pair<std::pair<int, int>, std::pair<int, int> > > >");
	assert_string_equal(object_demangle(object, "_ZN4leak6handleEv"), "leak::handle");
	assert_string_equal(object_demangle(object, "_RNvC6_123foo3bar"), "123foo::bar");
	assert_string_equal(object_demangle(object, "_ZN3std2io5Write9write_all17h0123456789abcdefE"),
			    "std::io::Write::write_all");
	object_put(object);
	symbolizer_free(symbolizer);
}

/* Whatever is in the file: an answer, and no harm. */
static void look_at_everything(const char *path, const struct captured_stack *stack, uint64_t code,
			       uint64_t low)
{
	struct symbolizer *symbolizer;
	struct space_mapping map = { .low = low, .high = low + 0x8000, .offset = code, .path = path };
	struct captured_stack moved = *stack;
	struct frame frame[8];
	struct space *space;
	struct stat stat_;

	assert_int_equal(stat(path, &stat_), 0);
	map.device = stat_.st_dev;
	map.inode = stat_.st_ino;
	assert_int_equal(symbolizer_new(NULL, &symbolizer), 0);
	assert_int_equal(space_empty(symbolizer, 0, &space), 0);
	assert_int_equal(space_map(space, &map), 0);
	for (uint64_t ip = low; ip < low + 0x1800; ip += 37) {
		moved.registers[STACK_IP] = ip;
		assert_int_equal(space_unwind(space, &moved, &unwound), 0);
		assert_in_range(space_describe(space, ip, ip & 1, frame, 8), 1, 8);
		(void)space_place(space, ip);
	}
	space_free(space);
	symbolizer_free(symbolizer);
}

static void a_corrupted_file_does_no_harm(void **state)
{
	struct subject s;
	struct mapping *code;
	char path[4096];
	unsigned int seed = 7;
	struct stat stat_;
	uint64_t low, offset;

	(void)state;
	assert_true(start_at(&s, "stacks", "deep"));
	capture_and_unwind(&s);
	code = space_find(s.space, find_frame("deep5")->ip);
	low = code->low;
	offset = code->offset;
	for (unsigned int round = 0; round < 60; round++) {
		int fd;

		copy_target("stacks", "stacks_spoiled", path);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0 && fstat(fd, &stat_) == 0);
		for (unsigned int i = 0; i < 1 + round * 4; i++) {
			/* headers more often than the rest */
			off_t at = rand_r(&seed) % (rand_r(&seed) % 4 ? stat_.st_size : 1024);
			unsigned char byte = (unsigned char)(rand_r(&seed) >> 8);

			assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		}
		if (round % 8 == 7)
			assert_int_equal(ftruncate(fd, rand_r(&seed) % stat_.st_size), 0);
		close(fd);
		look_at_everything(path, &s.stack, offset, low);
	}
	(void)unlink(path);
	end(&s);
}

/* Nothing but zeros, packed, would do as well; what counts is who may have made the file. */
static void what_strangers_packed_is_unpacked_only_when_it_is_small(void **state)
{
	char path[4096], command[16384];
	struct target_start how = { .program = "stacks_packed", .mode = "deep" };

	(void)state;
	copy_target("stacks", "stacks_packed", path);
	(void)snprintf(command, sizeof(command),
		       "objcopy --add-section .gnu_debugdata=/proc/self/exe '%s' 2>/dev/null", path);
	if (system(command) != 0)
		SKIP_BECAUSE("no objcopy");
	for (int strange = 0; strange < 2; strange++) {
		struct subject s = { 0 };

		assert_int_equal(chmod(path, strange ? 0777 : 0755), 0);
		assert_int_equal(target_start(&s.target, &how), 0);
		s.tid = s.target.pid;
		assert_int_equal(symbolizer_new(NULL, &s.symbolizer), 0);
		assert_int_equal(space_of_process(s.symbolizer, s.target.pid, &s.space), 0);
		capture_and_unwind(&s);
		assert_int_equal(find_from(0, "deep10") == n_frames, strange);
		end(&s);
	}
	(void)unlink(path);
}

static void a_file_that_others_may_cut_short_is_not_mapped(void **state)
{
	struct subject s;
	char path[4096];
	struct target_start how = { .program = "stacks_shrinking", .mode = "deep" };
	FILE *maps;
	char line[4400];

	(void)state;
	copy_target("stacks", "stacks_shrinking", path);
	assert_int_equal(chmod(path, 0777), 0);
	memset(&s, 0, sizeof(s));
	assert_int_equal(target_start(&s.target, &how), 0);
	s.tid = s.target.pid;
	assert_int_equal(symbolizer_new(NULL, &s.symbolizer), 0);
	assert_int_equal(space_of_process(s.symbolizer, s.target.pid, &s.space), 0);
	capture_and_unwind(&s);
	expect_chain(DEEP_CHAIN, UNWIND_COMPLETE);
	maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		assert_null(strstr(line, "stacks_shrinking"));
	(void)fclose(maps);
	/* now it is cut: what was not read yet is missing, and that is all */
	target_end(&s.target);
	assert_int_equal(truncate(path, 100), 0);
	for (uint64_t i = 0; i < 4096; i += 7)
		(void)space_describe(s.space, find_frame("deep5")->ip + i, false, &frames[FRAMES_MAX - 1], 1);
	(void)unlink(path);
	end(&s);
}

/* --- expressions -------------------------------------------------------------------------- */

static int read_nothing(void *data, uint64_t address, unsigned int bytes, uint64_t *ret_value)
{
	(void)data, (void)bytes;
	*ret_value = address * 2;
	return address == 13 ? -EFAULT : 0;
}

static int run(const Dwarf_Op *ops, size_t n, uint64_t *ret_result, bool *ret_is_value)
{
	static const uint64_t registers[STACK_REGISTERS] = { [7] = 1000, [16] = 0x40102b };
	struct expression_input input = {
		.registers = registers,
		.known = 1u << 7 | 1u << 16,
		.read = read_nothing,
	};

	return expression_run(ops, n, &input, ret_result, ret_is_value);
}

static void expressions_are_run(void **state)
{
	/* as for the table of other files' functions: 8 bytes more behind its push */
	static const Dwarf_Op table[] = {
		{ .atom = DW_OP_breg7, .number = 8 }, { .atom = DW_OP_breg16 }, { .atom = DW_OP_lit15 },
		{ .atom = DW_OP_and }, { .atom = DW_OP_lit11 }, { .atom = DW_OP_ge },
		{ .atom = DW_OP_lit3 }, { .atom = DW_OP_shl }, { .atom = DW_OP_plus },
	};
	static const Dwarf_Op value[] = {
		{ .atom = DW_OP_lit21 }, { .atom = DW_OP_deref }, { .atom = DW_OP_stack_value },
	};
	static const Dwarf_Op order[] = { /* 7 - 2, by turning */
		{ .atom = DW_OP_lit2 }, { .atom = DW_OP_lit7 }, { .atom = DW_OP_swap },
		{ .atom = DW_OP_minus },
	};
	uint64_t result = 0;
	bool is_value;

	(void)state;
	assert_int_equal(run(table, ARRAY_LENGTH(table), &result, &is_value), 0);
	assert_int_equal(result, 1016);
	assert_false(is_value);
	assert_int_equal(run(value, ARRAY_LENGTH(value), &result, &is_value), 0);
	assert_int_equal(result, 42);
	assert_true(is_value);
	assert_int_equal(run(order, ARRAY_LENGTH(order), &result, &is_value), 0);
	assert_int_equal(result, 5);
}

static void expressions_that_make_no_sense_are_refused(void **state)
{
	static const Dwarf_Op endless[] = {
		{ .atom = DW_OP_lit1, .offset = 0 }, { .atom = DW_OP_nop, .offset = 1 },
		{ .atom = DW_OP_skip, .number = (Dwarf_Word)-4, .offset = 2 },
	};
	static const Dwarf_Op zero[] = {
		{ .atom = DW_OP_lit1 }, { .atom = DW_OP_lit0 }, { .atom = DW_OP_div },
	};
	static const Dwarf_Op unknown_register[] = { { .atom = DW_OP_breg3 } };
	static const Dwarf_Op far_register[] = { { .atom = DW_OP_bregx, .number = 1u << 31 } };
	static const Dwarf_Op short_stack[] = { { .atom = DW_OP_lit1 }, { .atom = DW_OP_plus } };
	static const Dwarf_Op no_cfa[] = { { .atom = DW_OP_call_frame_cfa } };
	static const Dwarf_Op drop[] = { { .atom = DW_OP_drop } };
	static const Dwarf_Op unreadable[] = { { .atom = DW_OP_lit13 }, { .atom = DW_OP_deref } };
	static const struct {
		const Dwarf_Op *ops;
		size_t n;
		int expected;
	} bad[] = {
		{ endless, 3, -EINVAL }, { zero, 3, -EINVAL }, { unknown_register, 1, -EINVAL },
		{ far_register, 1, -EINVAL }, { short_stack, 2, -EINVAL }, { no_cfa, 1, -EINVAL },
		{ drop, 1, -EINVAL }, { unreadable, 2, -EFAULT }, { zero, 0, -EINVAL },
	};
	uint64_t result;
	bool is_value;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_int_equal(run(bad[i].ops, bad[i].n, &result, &is_value), bad[i].expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_frame_is_found_without_frame_pointers),
		cmocka_unit_test(every_frame_is_found_in_a_program_at_a_fixed_place),
		cmocka_unit_test(every_frame_is_found_in_a_static_program),
		cmocka_unit_test(every_frame_is_found_in_a_static_pie),
		cmocka_unit_test(every_frame_is_found_with_dynamic_symbols_alone),
		cmocka_unit_test(every_frame_is_found_by_debug_frame),
		cmocka_unit_test(every_frame_is_found_by_frame_pointers_where_there_are_no_rules),
		cmocka_unit_test(what_rules_led_to_is_no_guess),
		cmocka_unit_test(every_frame_is_found_with_musl),
		cmocka_unit_test(every_frame_is_found_with_musl_in_a_static_program),
		cmocka_unit_test(a_signal_handler_leads_to_what_it_interrupted),
		cmocka_unit_test(a_signal_handler_leads_on_in_a_musl_program),
		cmocka_unit_test(a_handler_on_a_stack_of_its_own_is_told),
		cmocka_unit_test(a_thread_is_unwound_to_its_beginning),
		cmocka_unit_test(a_thread_of_musl_is_unwound_to_its_beginning),
		cmocka_unit_test(inlined_calls_are_frames_with_their_lines),
		cmocka_unit_test(names_are_shortened_to_the_room_there_is),
		cmocka_unit_test(a_deep_recursion_ends_at_the_bound),
		cmocka_unit_test(a_short_copy_ends_as_cut),
		cmocka_unit_test(a_stack_of_garbage_ends),
		cmocka_unit_test(registers_that_lead_nowhere_are_told),
		cmocka_unit_test(a_stack_is_right_at_every_instruction),
		cmocka_unit_test(frames_of_the_vdso_name_it),
		cmocka_unit_test(a_library_that_came_later_is_known_after_an_update),
		cmocka_unit_test(an_update_drops_what_was_replaced),
		cmocka_unit_test(a_space_outlives_its_process),
		cmocka_unit_test(nobody_is_no_space),
		cmocka_unit_test(a_space_is_made_of_events),
		cmocka_unit_test(a_build_id_tells_which_file_it_was),
		cmocka_unit_test(another_file_of_that_name_is_not_used),
		cmocka_unit_test(a_file_of_another_device_is_known_by_its_beginning),
		cmocka_unit_test(a_new_mapping_takes_the_place_of_older_ones),
		cmocka_unit_test(a_deleted_file_is_still_read),
		cmocka_unit_test(a_file_that_took_anothers_place_is_not_read),
		cmocka_unit_test(files_of_another_mount_namespace_are_read),
		cmocka_unit_test(debug_information_is_found_by_its_link),
		cmocka_unit_test(debug_information_that_was_split_off_is_read),
		cmocka_unit_test(files_that_strangers_name_are_not_opened),
		cmocka_unit_test(debug_information_is_found_by_build_id_and_checked),
		cmocka_unit_test(debug_information_of_another_build_is_not_used),
		cmocka_unit_test(servers_are_asked_only_when_that_is_wanted),
		cmocka_unit_test(a_symbol_table_inside_is_read),
		cmocka_unit_test(names_of_cxx_are_readable_also_while_an_exception_is_handled),
		cmocka_unit_test(names_of_rust_are_readable),
		cmocka_unit_test(new_names_of_rust_are_readable),
		cmocka_unit_test(code_made_at_run_time_is_named_by_its_map),
		cmocka_unit_test(code_made_in_a_file_of_memory_is_named_by_its_map),
		cmocka_unit_test(gdb_finds_the_same),
		cmocka_unit_test(javascript_is_named_and_passed_through),
		cmocka_unit_test(a_map_is_read_only_from_who_may_write_it),
		cmocka_unit_test(a_later_line_of_a_map_is_worth_more),
		cmocka_unit_test(libc_is_named_as_users_know_it),
		cmocka_unit_test(a_place_is_the_same_in_every_process),
		cmocka_unit_test(a_name_that_would_be_endless_is_left_as_it_is),
		cmocka_unit_test(a_corrupted_file_does_no_harm),
		cmocka_unit_test(what_strangers_packed_is_unpacked_only_when_it_is_small),
		cmocka_unit_test(a_file_that_others_may_cut_short_is_not_mapped),
		cmocka_unit_test(expressions_are_run),
		cmocka_unit_test(expressions_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
