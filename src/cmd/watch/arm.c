/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/watch/arm.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include "cmd/watch/thread.h"
#include "leaks/report.h"

#define STEP_MS	  1000 /* the engine wants that also when samples are rarer */
#define REST_PART 20   /* a report may take a twentieth of the time: with many handles it is long */

struct shown {
	pid_t pid; /* 0: none */
	uint64_t start_ticks;
};

struct arm {
	pthread_t thread;
	int wake, notice;        /* eventfds: to the thread, and from it */
	atomic_bool wants_end;
	bool is_tried;

	pthread_mutex_t lock;    /* of all that follows, but for the thread's own */
	struct arm_process process[ARM_MAX];
	struct shown shown;
	bool is_new_shown;
	char *report;
	bool is_refused, is_refusal_told;
	char refusal[ARM_TEXT_BYTES];

	struct leaks *leaks;     /* the thread's own; NULL: nothing is armed */
	struct arm_process *has; /* what the engine is at */
	size_t n_has;
	int64_t rest_until_ns;
};

static void tell(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one)); /* an eventfd of ours always has room for one */
}

static struct arm_process *find(struct arm *arm, pid_t pid, uint64_t start_ticks)
{
	for (size_t i = 0; i < ARM_MAX; i++)
		if (arm->process[i].state != ARM_FREE && arm->process[i].pid == pid &&
		    arm->process[i].start_ticks == start_ticks)
			return &arm->process[i];
	return NULL;
}

/* The thread: attaching */

static void refuse(struct arm *arm, const struct tendril_error *error, int code)
{
	(void)pthread_mutex_lock(&arm->lock);
	arm->is_refused = true;
	(void)snprintf(arm->refusal, sizeof(arm->refusal), "%s",
		       error->text[0] ? error->text : strerror(-code));
	memset(arm->process, 0, sizeof(arm->process));
	(void)pthread_mutex_unlock(&arm->lock);
	tell(arm->notice);
}

/* ptrace(2) would slow down processes that nobody asked to be slowed down. */
static int open_engine(struct arm *arm)
{
	static const struct leaks_options options = { .never_ptrace = true };
	struct tendril_error error = { 0 };
	int r = arm->leaks ? 0 : leaks_open(&options, &arm->leaks, &error);

	if (r < 0) {
		arm->leaks = NULL;
		refuse(arm, &error, r);
	}
	return r;
}

static void close_engine(struct arm *arm)
{
	leaks_close(arm->leaks);
	arm->leaks = NULL;
	free(arm->has);
	arm->has = NULL;
	arm->n_has = 0;
}

static bool has(const struct arm *arm, const struct arm_process *process)
{
	for (size_t i = 0; i < arm->n_has; i++)
		if (arm->has[i].pid == process->pid &&
		    arm->has[i].start_ticks == process->start_ticks)
			return true;
	return false;
}

static int attach(struct arm *arm, const struct arm_process *process, struct tendril_error *error)
{
	struct arm_process *grown;
	int r;

	if (has(arm, process))
		return 0;
	grown = reallocarray(arm->has, arm->n_has + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	arm->has = grown;
	r = leaks_add(arm->leaks, process->pid, error);
	if (r == 0)
		arm->has[arm->n_has++] = *process;
	return r;
}

/* Those that were disarmed cost nothing any more. */
static void detach_disarmed(struct arm *arm)
{
	size_t n = 0;

	for (size_t i = 0; i < arm->n_has; i++) {
		struct arm_process *process = &arm->has[i];
		bool is_armed;

		(void)pthread_mutex_lock(&arm->lock);
		is_armed = find(arm, process->pid, process->start_ticks);
		(void)pthread_mutex_unlock(&arm->lock);
		if (is_armed)
			arm->has[n++] = *process;
		else
			(void)leaks_remove(arm->leaks, process->pid);
	}
	arm->n_has = n;
}

/* Attach to one that was asked for.  Return: was there one? */
static bool attach_next(struct arm *arm)
{
	struct arm_process asked = { 0 }, *process;
	struct tendril_error error = { 0 };
	int r;

	(void)pthread_mutex_lock(&arm->lock);
	for (size_t i = 0; i < ARM_MAX && asked.state == ARM_FREE; i++)
		if (arm->process[i].state == ARM_ASKED)
			asked = arm->process[i];
	(void)pthread_mutex_unlock(&arm->lock);
	if (asked.state == ARM_FREE || open_engine(arm) < 0)
		return false;
	r = attach(arm, &asked, &error);
	(void)pthread_mutex_lock(&arm->lock);
	process = find(arm, asked.pid, asked.start_ticks);
	if (process && process->state == ARM_ASKED) {
		process->state = r < 0 ? ARM_FAILED : ARM_ATTACHED;
		(void)snprintf(process->text, sizeof(process->text), "%s",
			       r == 0 ? "" : error.text[0] ? error.text : strerror(-r));
	}
	(void)pthread_mutex_unlock(&arm->lock);
	tell(arm->notice);
	return true;
}

/* The thread: reports */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* The place first: names of functions can be long. */
static void describe_place(const struct report_site *site, char *text, size_t room)
{
	size_t n = site->site->n_frames, at = site->look_at < n ? site->look_at : 0;
	const struct frame *frame = n ? &site->site->frames[at] : NULL;
	const char *function = frame && frame->function ? frame->function : "?";

	if (!frame)
		(void)snprintf(text, room, "by a call whose stack is not known");
	else if (frame->file)
		(void)snprintf(text, room, "%s:%u in %s", base_name(frame->file), frame->line,
			       function);
	else
		(void)snprintf(text, room, "%s in %s",
			       frame->module ? base_name(frame->module) : "?", function);
}

static const struct report_site *top_site(const struct report *report)
{
	for (size_t i = 0; i < report->n_sites; i++)
		if (report->sites[i].is_leak)
			return &report->sites[i];
	if (report->n_sites && report->sites[0].origin == LEAKS_OPENED)
		return &report->sites[0];
	return NULL;
}

static char *print_report(const struct report *report)
{
	static const struct report_style style = { .top = REPORT_TEXT_TOP, .wait_status = -1 };
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	int r;

	if (!out)
		return NULL;
	r = report_print_text(report, &style, out);
	if (fclose(out) == EOF || r < 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void note_site(struct arm *arm, const struct leaks_process *seen, const struct report *report,
		      char *text)
{
	const struct report_site *site = top_site(report);
	struct arm_process *process;

	(void)pthread_mutex_lock(&arm->lock);
	process = find(arm, seen->pid, seen->start_ticks);
	if (process && process->state == ARM_ATTACHED) {
		process->n_handles = site ? site->n_handles : 0;
		process->rate_per_hour = site ? site->rate_per_hour : 0;
		if (site)
			describe_place(site, process->text, sizeof(process->text));
		if (seen->ended)
			process->state = ARM_ENDED;
	}
	if (text && arm->shown.pid == seen->pid) {
		free(arm->report);
		arm->report = text;
		text = NULL;
	}
	(void)pthread_mutex_unlock(&arm->lock);
	free(text); /* another one is wanted by now */
}

/* As if it were watched alone. */
static int look_at(struct arm *arm, const struct leaks_snapshot *snapshot,
		   const struct leaks_process *process, const struct shown *shown)
{
	static const struct report_options how = { .older_than_ns = REPORT_AGE_DEFAULT };
	bool is_shown = shown->pid == process->pid && shown->start_ticks == process->start_ticks;
	struct leaks_snapshot alone = *snapshot;
	struct report *report;
	int r;

	alone.processes = process;
	alone.n_processes = 1;
	if (process->began_ns)
		alone.began_ns = process->began_ns;
	r = report_new(&alone, &how, &report);
	if (r < 0)
		return r;
	note_site(arm, process, report, is_shown ? print_report(report) : NULL);
	report_free(report);
	return 0;
}

/* Another process had its number by the time we attached. */
static void end_missing(struct arm *arm, const struct leaks_snapshot *snapshot)
{
	(void)pthread_mutex_lock(&arm->lock);
	for (size_t i = 0; i < ARM_MAX; i++) {
		struct arm_process *process = &arm->process[i];
		bool is_there = process->state != ARM_ATTACHED;

		for (size_t k = 0; k < snapshot->n_processes && !is_there; k++)
			is_there = snapshot->processes[k].pid == process->pid &&
				   snapshot->processes[k].start_ticks == process->start_ticks;
		if (!is_there)
			process->state = ARM_ENDED;
	}
	(void)pthread_mutex_unlock(&arm->lock);
}

static int look(struct arm *arm, const struct shown *shown)
{
	struct leaks_snapshot *snapshot;
	int r = leaks_snapshot(arm->leaks, &snapshot);

	if (r < 0)
		return r;
	for (size_t i = 0; i < snapshot->n_processes && r == 0; i++)
		r = look_at(arm, snapshot, &snapshot->processes[i], shown);
	end_missing(arm, snapshot);
	leaks_snapshot_free(snapshot);
	tell(arm->notice);
	return r;
}

static bool is_any_armed(struct arm *arm, struct shown *ret_shown, bool *ret_is_new)
{
	bool is_any = false;

	(void)pthread_mutex_lock(&arm->lock);
	for (size_t i = 0; i < ARM_MAX; i++)
		is_any = is_any || arm->process[i].state == ARM_ATTACHED;
	*ret_shown = arm->shown;
	*ret_is_new = arm->is_new_shown;
	arm->is_new_shown = false;
	(void)pthread_mutex_unlock(&arm->lock);
	return is_any;
}

/* A snapshot is a step, too. */
static int step(struct arm *arm)
{
	int64_t began_ns = now_ns();
	struct shown shown;
	bool is_new;
	int r;

	if (!is_any_armed(arm, &shown, &is_new)) {
		close_engine(arm);
		return 0;
	}
	detach_disarmed(arm);
	if (!is_new && began_ns < arm->rest_until_ns)
		return leaks_step(arm->leaks);
	r = look(arm, &shown);
	arm->rest_until_ns = now_ns() + (now_ns() - began_ns) * REST_PART;
	return r;
}

static void wait(const struct arm *arm)
{
	struct pollfd fds[] = { { arm->wake, POLLIN, 0 },
				{ arm->leaks ? leaks_poll_fd(arm->leaks) : -1, POLLIN, 0 } };
	uint64_t passed;

	(void)poll(fds, ARRAY_SIZE(fds), arm->leaks ? STEP_MS : -1);
	(void)!read(arm->wake, &passed, sizeof(passed));
}

static void *run(void *context)
{
	struct arm *arm = context;
	struct tendril_error error = { 0 };
	int r;

	if (arm->is_tried && open_engine(arm) == 0)
		close_engine(arm); /* it costs every system call of the machine something */
	while (!atomic_load(&arm->wants_end)) {
		wait(arm);
		while (!atomic_load(&arm->wants_end) && attach_next(arm))
			;
		r = arm->leaks && !atomic_load(&arm->wants_end) ? step(arm) : 0;
		if (r < 0) {
			(void)snprintf(error.text, sizeof(error.text),
				       "who opens handles is not known any more: %s", strerror(-r));
			refuse(arm, &error, r);
			close_engine(arm);
		}
	}
	close_engine(arm);
	return NULL;
}

/* The loop's side */

int arm_new(bool is_tried, struct arm **ret_arm)
{
	AUTO_CLOSE int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	AUTO_CLOSE int notice = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	AUTO_FREE struct arm *arm = calloc(1, sizeof(*arm));
	int r;

	if (!arm)
		return -ENOMEM;
	if (wake < 0 || notice < 0)
		return -errno;
	arm->wake = wake;
	arm->notice = notice;
	arm->is_tried = is_tried;
	(void)pthread_mutex_init(&arm->lock, NULL);
	r = thread_start(&arm->thread, run, arm);
	if (r < 0)
		return r;
	(void)take_fd(&wake);
	(void)take_fd(&notice);
	*ret_arm = arm;
	arm = NULL;
	return 0;
}

void arm_free(struct arm *arm)
{
	if (!arm)
		return;
	atomic_store(&arm->wants_end, true);
	tell(arm->wake);
	(void)pthread_join(arm->thread, NULL);
	(void)pthread_mutex_destroy(&arm->lock);
	close_keeping_errno(arm->wake);
	close_keeping_errno(arm->notice);
	free(arm->report);
	free(arm);
}

int arm_fd(const struct arm *arm)
{
	return arm->notice;
}

void arm_take_notice(struct arm *arm)
{
	uint64_t passed;

	(void)!read(arm->notice, &passed, sizeof(passed));
}

/* With the lock. */
static int add(struct arm *arm, pid_t pid, uint64_t start_ticks)
{
	struct arm_process *process = NULL;

	if (arm->is_refused)
		return -EPERM;
	if (find(arm, pid, start_ticks))
		return -EEXIST;
	for (size_t i = 0; i < ARM_MAX && !process; i++)
		if (arm->process[i].state == ARM_FREE)
			process = &arm->process[i];
	if (!process)
		return -ENOSPC;
	*process = (struct arm_process){ .pid = pid, .start_ticks = start_ticks,
					 .state = ARM_ASKED };
	return 0;
}

int arm_add(struct arm *arm, pid_t pid, uint64_t start_ticks)
{
	int r;

	(void)pthread_mutex_lock(&arm->lock);
	r = add(arm, pid, start_ticks);
	arm->is_refusal_told = arm->is_refusal_told && r != -EPERM; /* asked again, told again */
	(void)pthread_mutex_unlock(&arm->lock);
	tell(arm->wake);
	return r;
}

int arm_remove(struct arm *arm, pid_t pid, uint64_t start_ticks)
{
	struct arm_process *process;

	(void)pthread_mutex_lock(&arm->lock);
	process = find(arm, pid, start_ticks);
	if (process)
		*process = (struct arm_process){ 0 };
	(void)pthread_mutex_unlock(&arm->lock);
	tell(arm->wake);
	return process ? 0 : -ENOENT;
}

void arm_step(struct arm *arm)
{
	tell(arm->wake);
}

size_t arm_list(struct arm *arm, struct arm_process *ret_processes)
{
	size_t n = 0;

	(void)pthread_mutex_lock(&arm->lock);
	for (size_t i = 0; i < ARM_MAX; i++)
		if (arm->process[i].state == ARM_ASKED || arm->process[i].state == ARM_ATTACHED)
			ret_processes[n++] = arm->process[i];
	(void)pthread_mutex_unlock(&arm->lock);
	return n;
}

bool arm_take_ended(struct arm *arm, struct arm_process *ret_process)
{
	bool is_any = false;

	(void)pthread_mutex_lock(&arm->lock);
	for (size_t i = 0; i < ARM_MAX && !is_any; i++) {
		if (arm->process[i].state != ARM_ENDED && arm->process[i].state != ARM_FAILED)
			continue;
		is_any = true;
		*ret_process = arm->process[i];
		arm->process[i] = (struct arm_process){ 0 };
	}
	(void)pthread_mutex_unlock(&arm->lock);
	return is_any;
}

bool arm_take_refusal(struct arm *arm, char *text, size_t room)
{
	bool is_new;

	(void)pthread_mutex_lock(&arm->lock);
	is_new = arm->is_refused && !arm->is_refusal_told;
	if (is_new)
		(void)snprintf(text, room, "%s", arm->refusal);
	arm->is_refusal_told = arm->is_refused;
	(void)pthread_mutex_unlock(&arm->lock);
	return is_new;
}

void arm_show(struct arm *arm, pid_t pid, uint64_t start_ticks)
{
	const struct shown wanted = { .pid = pid, .start_ticks = start_ticks };
	bool is_new;

	(void)pthread_mutex_lock(&arm->lock);
	is_new = arm->shown.pid != pid || arm->shown.start_ticks != start_ticks;
	arm->shown = wanted;
	arm->is_new_shown = arm->is_new_shown || (is_new && pid);
	(void)pthread_mutex_unlock(&arm->lock);
	if (is_new)
		tell(arm->wake);
}

char *arm_take_report(struct arm *arm)
{
	char *report;

	(void)pthread_mutex_lock(&arm->lock);
	report = arm->report;
	arm->report = NULL;
	(void)pthread_mutex_unlock(&arm->lock);
	return report;
}
