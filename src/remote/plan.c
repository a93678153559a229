/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/plan.h"

#include <string.h>
#include <sys/random.h>

#define STACK_BYTES_MIN   (32ul * 1024)
#define STACK_SLACK_BYTES (64ul * 1024) /* the thread block and TLS stand on it too */
#define STACK_BYTES_MAX   (1ul << 40) /* what no address space has in one piece between its libraries */

/* Far below the libraries, where nothing grows to, yet where tools that divide the address space
 * (the thread sanitizer, say) still expect stacks. */
#define DISTANCE_MIN_BYTES (64ul << 30)
#define DISTANCE_MAX_BYTES (512ul << 30)
#define USER_SPACE_TOP     0x7fffffffe000ul
#define LOWEST_BYTES       (1ul << 20)

#define PARK_SLICE_NS     2000000
#define PATIENCE_NS       50000000
#define SUSPEND_SLICE_NS  250000000

static uint64_t stack_bytes(const struct tendril_target *target, const struct plan_request *request)
{
	uint64_t bytes = request->stack_bytes ? request->stack_bytes : target->default_stack_bytes;

	if (bytes == 0)
		return 0;
	if (bytes < STACK_BYTES_MIN)
		bytes = STACK_BYTES_MIN;
	return round_up_page(bytes) + (request->stack_bytes ? STACK_SLACK_BYTES : 0);
}

static int gather_data(struct plan *plan, const struct plan_request *request,
		       struct tendril_error *error)
{
	size_t total = 0, at = 0;

	for (size_t i = 0; i < request->n_copies; i++) {
		if (request->copies[i].kind != TENDRIL_BYTES)
			continue;
		if (request->copies[i].bytes > TENDRIL_ARGUMENT_BYTES_MAX - total)
			return fail(error, -E2BIG, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT,
				    "the arguments have more than %u bytes",
				    TENDRIL_ARGUMENT_BYTES_MAX);
		total += request->copies[i].bytes;
	}
	plan->data_bytes = total + 16 * request->n_copies;
	plan->data = calloc(1, plan->data_bytes ? plan->data_bytes : 1);
	if (!plan->data)
		return fail(error, -ENOMEM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT,
			    "out of memory");
	for (size_t i = 0; i < request->n_copies; i++) {
		const struct tendril_argument *copy = &request->copies[i];

		if (copy->kind != TENDRIL_BYTES)
			continue;
		if (copy->bytes)
			memcpy(plan->data + at, copy->data, copy->bytes);
		at += (copy->bytes + 15) & ~15ul;
	}
	return 0;
}

void plan_fill_call(struct agent *agent, const struct plan_request *request)
{
	agent->function = request->function;
	agent->follow = request->follow;
	agent->follow_when = request->follow_when;
	agent->value = request->value;
	agent->loader_mutex = request->loader.mutex;
	agent->mutex_lock = request->loader.lock;
	agent->mutex_unlock = request->loader.unlock;
}

static void fill_constants(struct plan *plan, const struct tendril_target *target,
			   const struct plan_request *request)
{
	struct agent *agent = &plan->agent;
	const struct libc_functions *libc = &target->libc;

	agent->munmap = libc->munmap;
	agent->patience = (struct agent_time){ 0, PATIENCE_NS };
	agent->park = (struct agent_time){ 0, PARK_SLICE_NS };
	agent->park_slices =
		(uint32_t)(1 + target->timeout_ms * (uint64_t)NS_PER_MS / PARK_SLICE_NS);
	agent->suspend = (struct agent_time){ 0, SUSPEND_SLICE_NS };
	agent->attr_init = libc->attr_init;
	agent->attr_setdetachstate = libc->attr_setdetachstate;
	agent->attr_setstack = libc->attr_setstack;
	agent->attr_setstacksize = libc->attr_setstacksize;
	agent->pthread_create = libc->create;
	agent->getcpuclockid = libc->getcpuclockid;
	agent->cleanup_push = libc->cleanup_push;
	agent->cleanup_pop = libc->cleanup_pop;
	agent->exit_loop = target->gadgets.exit_loop;
	plan_fill_call(agent, request);
	agent->stays = request->stays;
	agent->caller_pid = target->caller_pid;
	agent->memfd = -1;
	agent->mark = (uint64_t)now_ns();
	(void)!getrandom(&agent->mark, sizeof(agent->mark), GRND_NONBLOCK);
	memcpy(agent->name, "tendril", sizeof("tendril"));
}

int plan_make(struct plan *plan, const struct tendril_target *target,
	      const struct plan_request *request, struct tendril_error *error)
{
	/* Only glibc keeps the stacks of ended threads: there it is one of ours, gone with them. */
	bool own_stack = target->modules.libc == ELF_LIBC_GLIBC && target->gadgets.exit_loop;
	uint64_t stack, agent_bytes;
	int r;

	memset(plan, 0, sizeof(*plan));
	if (request->stack_bytes > STACK_BYTES_MAX)
		return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT,
			    "a stack of %lu bytes cannot be", request->stack_bytes);
	r = gather_data(plan, request, error);
	if (r < 0)
		return r;
	stack = stack_bytes(target, request);
	plan->code_bytes =
		round_up_page((size_t)(__stop_tendril_agent - __start_tendril_agent));
	agent_bytes = round_up_page(sizeof(plan->agent) + 16 + plan->data_bytes);
	plan->agent.stack_bytes = stack;
	plan->agent.stack = own_stack;
	plan->arena_bytes = plan->code_bytes + (own_stack ? stack : 0) + agent_bytes +
			    MAILBOX_BYTES + SCRATCH_BYTES;
	fill_constants(plan, target, request);
	return 0;
}

static bool is_free(const struct proc_maps *maps, raddr_t low, uint64_t bytes)
{
	for (size_t i = 0; i < maps->n_maps; i++)
		if (maps->map[i].low < low + bytes && maps->map[i].high > low)
			return false;
	return true;
}

/* The address only has to be free for certain when the mapping is made, and the kernel sees to
 * that (MAP_FIXED_NOREPLACE). */
static raddr_t choose_address(const struct tendril_target *target, uint64_t bytes)
{
	raddr_t anchor = target->modules.libc_module->low, address;
	uint64_t state = (uint64_t)now_ns();

	(void)!getrandom(&state, sizeof(state), GRND_NONBLOCK);
	for (int tries = 0; tries < 64; tries++) {
		uint64_t random;

		state = state * 6364136223846793005u + 1442695040888963407u;
		random = (state >> 16) % (DISTANCE_MAX_BYTES - DISTANCE_MIN_BYTES);
		if (tries >= 32 || anchor < DISTANCE_MAX_BYTES + bytes + LOWEST_BYTES)
			address = USER_SPACE_TOP / 4 + random; /* libc in an unusual place */
		else
			address = anchor - bytes - DISTANCE_MIN_BYTES - random;
		address &= ~(PAGE_BYTES - 1);
		if (is_free(&target->maps, address, bytes))
			return address;
	}
	return 0;
}

/* Where in the copied code a function of the agent's begins. */
static raddr_t in_arena(const struct plan *plan, void (*function)(void))
{
	return plan->arena + ((uintptr_t)function - (uintptr_t)__start_tendril_agent);
}

raddr_t plan_entry(const struct plan *plan)
{
	return in_arena(plan, agent_borrow_entry);
}

raddr_t plan_data_at(const struct plan *plan)
{
	return plan->agent_at + ((sizeof(plan->agent) + 15) & ~15ul);
}

static void place_arguments(struct plan *plan, const struct plan_request *request)
{
	raddr_t at = plan_data_at(plan);

	memcpy(plan->agent.arguments, request->arguments, sizeof(request->arguments));
	for (size_t i = 0; i < request->n_copies; i++) {
		if (request->copies[i].kind != TENDRIL_BYTES)
			continue;
		plan->agent.arguments[i] = at;
		at += (request->copies[i].bytes + 15) & ~15ul;
	}
}

int plan_place(struct plan *plan, const struct tendril_target *target,
	       const struct plan_request *request)
{
	struct agent *agent = &plan->agent;

	plan->arena = choose_address(target, plan->arena_bytes);
	if (!plan->arena)
		return -ENOMEM;
	plan->scratch_top = plan->arena + plan->arena_bytes - MAILBOX_BYTES;
	plan->mailbox_at = plan->scratch_top;
	plan->agent_at = plan->arena + plan->code_bytes + (agent->stack ? agent->stack_bytes : 0);
	agent->arena = plan->arena;
	agent->arena_bytes = plan->arena_bytes;
	agent->rest = plan->arena + plan->code_bytes;
	agent->rest_bytes = plan->arena_bytes - plan->code_bytes;
	agent->mailbox = plan->mailbox_at;
	agent->thread_entry = in_arena(plan, agent_thread_entry);
	agent->exit_entry = in_arena(plan, agent_exit_entry);
	agent->return_entry = in_arena(plan, agent_call_return);
	if (agent->stack)
		agent->stack = plan->arena + plan->code_bytes;
	place_arguments(plan, request);
	return 0;
}

void plan_done(struct plan *plan)
{
	free(plan->data);
	plan->data = NULL;
}
