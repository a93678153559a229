/* SPDX-License-Identifier: BSD-2-Clause */
/* explore.c - the command, each call of the functions asked for, and what was found */
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "faults/explorer.h"

#define CALLS_DEFAULT 4
#define CASE_NS	      (5 * NS_PER_S)
#define TELL_NS	      (100 * NS_PER_MS)

bool explorer_goes_on(struct explorer *explorer)
{
	const struct faults_options *options = explorer->options;
	int64_t now = now_ns();
	struct faults_progress progress = {.cases = explorer->n_cases, .leaks = explorer->n_leaks};

	if (explorer->interrupted)
		return false;
	if (!explorer->stop && options->total_ns && now - explorer->began_ns > options->total_ns) {
		explorer->note = "the time limit was reached";
		explorer->stop = explorer->interrupted = true;
		return false;
	}
	if (!options->progress || now - explorer->told_ns < TELL_NS)
		return !explorer->stop;
	explorer->told_ns = now;
	for (size_t i = 0; i < explorer->n_targets; i++)
		progress.calls += explorer->target[i].calls;
	if (!options->progress(options->data, &progress)) {
		explorer->note = "it was interrupted";
		explorer->stop = explorer->interrupted = true;
	}
	return !explorer->stop;
}

int explorer_next(struct explorer *explorer, struct group *group, int64_t deadline_ns,
		  struct stop *ret_stop)
{
	for (;;) {
		int r = tracer_next(explorer->tracer, group, deadline_ns, ret_stop);

		if (r != -EINTR)
			return r;
		(void)explorer_goes_on(explorer);
		if (explorer->interrupted)
			return -ECANCELED;
	}
}

/* Calls */

/* How often has this place called it? */
static struct caller *find_caller(struct explorer *explorer, size_t function, uint64_t id)
{
	struct caller **link = &explorer->callers[(id + function) % TRAILS_BUCKETS];

	for (; *link; link = &(*link)->next)
		if ((*link)->function == function && (*link)->id == id)
			return *link;
	*link = calloc(1, sizeof(**link));
	if (*link)
		**link = (struct caller){.function = function, .id = id};
	return *link;
}

/* Was it asked for by a library's name only, and is it called from inside of that? */
static bool is_inner_call(const struct explorer *explorer, const struct task *task, size_t function,
			  raddr_t return_address)
{
	struct proc_maps maps;
	const struct proc_map *map;
	bool inner;

	if (explorer->options->n_libraries == 0 || proc_maps_read(task->tgid, &maps) < 0)
		return false;
	map = proc_maps_find(&maps, return_address);
	inner = map && strcmp(map->path, explorer->target[function].module) == 0;
	proc_maps_done(&maps);
	return inner;
}

/* The original makes the call itself after it has been explored, and the function may call itself:
 * is what the outer call will return to still there? */
static bool is_in_explored_call(const struct explorer *explorer, const struct task *task,
				size_t function, const struct arch_state *state)
{
	const struct target *target = &explorer->target[function];
	uint64_t word;

	return target->outer_tid == task->tid && arch_call_frame(state) < target->outer_frame &&
	       task_read(task, target->outer_slot, &word, sizeof(word)) == 0 &&
	       word == target->outer_return;
}

static bool is_wanted(struct explorer *explorer, struct task *task, struct image *image,
		      size_t function, const struct arch_state *state)
{
	unsigned int limit = explorer->options->calls ? explorer->options->calls : CALLS_DEFAULT;
	struct caller *caller;
	uint64_t word = 0;

	if (is_in_explored_call(explorer, task, function, state))
		return false;
	(void)task_read(task, arch_call_return_slot(state), &word, sizeof(word));
	caller = find_caller(explorer, function, space_place(image->space, word));
	if (!caller)
		return false;
	if (caller->n == 0 && is_inner_call(explorer, task, function, word))
		caller->n = UINT32_MAX;
	if (caller->n >= limit)
		return false;
	caller->n++;
	return true;
}

static bool shares_memory(const struct task *task)
{
	struct proc_maps maps;
	bool shares = false;

	if (proc_maps_read(task->tgid, &maps) < 0)
		return true;
	for (size_t i = 0; i < maps.n_maps; i++) {
		const struct proc_map *map = &maps.map[i];
		bool device = strncmp(map->path, "/dev/", 5) == 0 &&
			      strncmp(map->path, "/dev/zero", 9) != 0 &&
			      strncmp(map->path, "/dev/shm/", 9) != 0;

		shares = shares || (map->shared && map->write && !device);
	}
	proc_maps_done(&maps);
	return shares;
}

/* Copies that are no children of ours stay zombies until their parent has looked. */
static void reap_copies(struct explorer *explorer, struct entry *entry)
{
	int64_t result;

	for (size_t i = 0; i < entry->n_copies; i++)
		if (task_syscall(explorer->tracer, entry->original, &entry->state,
				 entry->image->syscall_at, SYS_wait4,
				 (uint64_t[6]){(uint64_t)entry->copy[i], 0, __WALL | WNOHANG},
				 &result) < 0)
			return;
}

/* The original stands at the entry meanwhile; signals wait with it. */
static int explore_entry(struct explorer *explorer, struct entry *entry)
{
	struct task *task = entry->original;
	pid_t tid = task->tid;
	int r = task_hold_signals(task, &entry->signals);

	if (r < 0)
		return r;
	if (explorer->options->replay)
		replay_call(explorer, entry);
	else
		guide_explore(explorer, entry);
	if (tracer_find(explorer->tracer, tid) != task)
		return 0; /* it has been killed meanwhile */
	reap_copies(explorer, entry);
	(void)task_set_signals(task, entry->signals);
	return arch_write_registers(task->tid, &entry->state);
}

static void explore_call(struct explorer *explorer, struct task *task, struct image *image,
			 size_t function, const struct arch_state *state)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	int64_t began = now_ns();
	int r = entry ? entry_take(explorer, task, image, function, state, true, entry) : -ENOMEM;

	if (r == 0) {
		explorer->target[function].outer_tid = task->tid;
		explorer->target[function].outer_frame = entry->frame;
		explorer->target[function].outer_slot = arch_call_return_slot(state);
		explorer->target[function].outer_return = entry->return_address;
		r = explore_entry(explorer, entry);
		entry_done(entry);
	}
	if (r < 0)
		explorer->target[function].why = "its entry could not be read";
	explorer->explored_ns += now_ns() - began;
	free(entry);
}

/* Could a copy of it be made at all, and would it be one of its own? */
static const char *why_no_copy(const struct explorer *explorer, const struct task *task,
			       const struct image *image)
{
	struct proc_process process;

	if (explorer->options->rerun)
		return "it was asked for";
	if (tracer_threads(explorer->tracer, task->tgid) > 1)
		return "the process has several threads, of which a copy has only one";
	if (!image->syscall_at)
		return "the process has no vdso to make system calls with";
	if (proc_process_read(task->tgid, &process) < 0 || process.seccomp != 0)
		return "the process has a seccomp filter, which might end it when it is copied";
	if (shares_memory(task))
		return "it has memory that a copy would share, and write";
	return NULL;
}

static bool on_call(struct program *program, struct task *task, struct image *image,
		    size_t function, const struct arch_state *state)
{
	struct explorer *explorer = program->explorer;
	struct target *target = &explorer->target[function];
	const char *why;

	if (explorer->options->replay && (strcmp(target->name, explorer->replay_function) != 0 ||
					  target->calls != explorer->replay_number))
		return true;
	if (explorer->stop || target->rerun || !is_wanted(explorer, task, image, function, state))
		return true;
	why = why_no_copy(explorer, task, image);
	explorer->replay_target = function;
	if (why) {
		target->rerun = true;
		target->why = why;
		explorer->replay_reruns = explorer->has_enough = explorer->options->replay != NULL;
	} else {
		explore_call(explorer, task, image, function, state);
	}
	return true;
}

/* All together */

static int find_fault(const struct explorer *explorer, struct tendril_error *error)
{
	const struct faults_options *options = explorer->options;

	for (size_t i = 0; i < options->n_functions + options->n_libraries; i++) {
		bool is_library = i >= options->n_functions;
		char name[96];

		if (explorer->matched[i])
			continue;
		escape_text(is_library ? options->libraries[i - options->n_functions]
				       : options->functions[i],
			    name, sizeof(name));
		return fail(error, -ENOENT, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_SYMBOL,
			    is_library ? "no program that ran has a library %s%s"
			    : explorer->near[0]
				    ? "no program that ran has a function %s; near to it: %.120s"
				    : "no program that ran has a function %s%s",
			    name, is_library ? "" : explorer->near);
	}
	return 0;
}

static int find_replay(const struct explorer *explorer, struct tendril_error *error)
{
	if (explorer->replayed)
		return 0;
	if (explorer->came_to_replay)
		return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "%s: there is no such step in call %llu of %s",
			    explorer->options->replay, (unsigned long long)explorer->replay_number,
			    explorer->replay_function);
	return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
		    "the command did not come to call %llu of %s",
		    (unsigned long long)explorer->replay_number, explorer->replay_function);
}

static int explore(struct explorer *explorer, struct tendril_error *error)
{
	struct program program = {.explorer = explorer,
				  .group = &explorer->originals,
				  .on_call = on_call,
				  .wait_status = -1};
	int r = program_start(&program, explorer->options->replay != NULL, error);
	int64_t began;

	if (r < 0)
		return r;
	began = now_ns();
	program_follow(&program);
	group_kill(explorer->tracer, &explorer->originals);
	explorer->came_to_replay = explorer->has_enough;
	explorer->has_enough = false;
	explorer->run_ns = now_ns() - began - explorer->explored_ns;
	/* Unless it has ended by itself, it was ended here. */
	explorer->wait_status = program.wait_status;
	for (size_t i = 0; i < explorer->n_targets && !explorer->options->replay; i++)
		if (explorer->target[i].rerun && explorer_goes_on(explorer))
			rerun_function(explorer, i);
	if (explorer->replay_reruns)
		replay_rerun(explorer, explorer->replay_target);
	trial_await_ends(explorer);
	if (!explorer->stop)
		r = find_fault(explorer, error);
	return r == 0 && explorer->options->replay ? find_replay(explorer, error) : r;
}

static void free_chain(struct caller *caller)
{
	while (caller) {
		struct caller *next = caller->next;

		free(caller);
		caller = next;
	}
}

static void free_trails(struct trail *trail)
{
	while (trail) {
		struct trail *next = trail->next;

		free(trail);
		trail = next;
	}
}

void explorer_free(struct explorer *explorer)
{
	tracer_free(explorer->tracer);
	for (size_t i = 0; i < TRAILS_BUCKETS; i++) {
		free_chain(explorer->callers[i]);
		free_trails(explorer->trail[i]);
	}
	for (size_t i = 0; i < explorer->n_suspects; i++)
		suspect_free(explorer->suspect[i]);
	for (size_t i = 0; i < explorer->n_spaces; i++)
		space_free(explorer->space[i]);
	images_free(explorer, true);
	for (size_t i = 0; i < explorer->n_targets; i++) {
		free(explorer->target[i].name);
		free(explorer->target[i].module);
	}
	symbolizer_free(explorer->symbolizer);
	free(explorer->suspect);
	free(explorer->space);
	free(explorer->target);
	free(explorer->matched);
	free(explorer->replay_function);
	free(explorer);
}

static int explorer_new(const struct faults_options *options, struct explorer **ret_explorer,
			struct tendril_error *error)
{
	struct symbolizer_options symbols = {.debuginfod = options->debuginfod};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct explorer *explorer = calloc(1, sizeof(*explorer));
	int r;

	if (!explorer)
		return -ENOMEM;
	explorer->options = options;
	explorer->jobs = options->jobs ? options->jobs : 2 * (processors > 0 ? processors : 1);
	explorer->case_ns = options->case_ns ? options->case_ns : CASE_NS;
	explorer->began_ns = now_ns();
	explorer->matched = calloc(options->n_functions + options->n_libraries + 1, sizeof(bool));
	group_init(&explorer->originals);
	group_init(&explorer->copies);
	r = explorer->matched ? symbolizer_new(&symbols, &explorer->symbolizer) : -ENOMEM;
	if (r == 0 && options->replay)
		r = replay_parse(options->replay, &explorer->replay_function,
				 &explorer->replay_number, &explorer->replay_plan, error);
	if (r == 0)
		r = tracer_new(&explorer->tracer);
	if (r < 0) {
		explorer_free(explorer);
		return r;
	}
	*ret_explorer = explorer;
	return 0;
}

int faults_explore(const struct faults_options *options, struct faults_result **ret_result,
		   struct tendril_error *error)
{
	struct explorer *explorer;
	int r = explorer_new(options, &explorer, error);

	if (r < 0)
		return r;
	r = explore(explorer, error);
	if (r == 0)
		r = result_make(explorer, ret_result); /* which takes the explorer over */
	if (r < 0)
		explorer_free(explorer);
	return r;
}
