/* SPDX-License-Identifier: BSD-2-Clause */
/* space.c - one call's view of the address space of a process */
#include "win32/space.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>

/* After an execve() what we remember of the memory is not true, and acting on it would do harm. */
static int check_image(struct process *process)
{
	uint64_t image;
	int r;

	if (!process->regions)
		return 0;
	r = process_image(process->pid, &image);
	if (r < 0)
		return r;
	if (image != process->image)
		region_forget_all(process);
	return 0;
}

static int open_memory(pid_t pid)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

int space_init(struct space *space, const struct object *object)
{
	struct process *process = process_ref(object->process);
	int r = 0;

	space->mem = -1;
	space->object = object;
	if (object_has_ended(object))
		r = -ESRCH;
	else if (!process)
		r = process_get(object->id, -1, &process);
	if (!process || r < 0) {
		process_put(process);
		return r;
	}
	(void)pthread_mutex_lock(&process->lock);
	space->process = process;
	return check_image(process);
}

int space_memory(struct space *space)
{
	if (space->mem >= 0)
		return space->mem;
	space->mem = open_memory(space->object->id);
	/* Alive after the pid was looked up: it was not yet anybody else's. */
	if (space->mem < 0 || !object_has_ended(space->object))
		return space->mem;
	close_keeping_errno(space->mem);
	space->mem = -1;
	return -ESRCH;
}

void space_done(struct space *space)
{
	if (!space->process)
		return;
	close_keeping_errno(space->mem);
	(void)pthread_mutex_unlock(&space->process->lock);
	process_put(space->process);
}

struct job {
	struct space *space;
	int (*work)(struct space *space, void *data);
	void *data;
};

static int do_job(struct borrowed *borrowed, void *data, struct tendril_error *error)
{
	struct job *job = data;
	int r;

	(void)error; /* is space->error */
	job->space->borrowed = borrowed;
	r = job->work(job->space, job->data);
	job->space->borrowed = NULL;
	return r;
}

int space_run(struct space *space, int (*work)(struct space *space, void *data), void *data)
{
	AUTO_TARGET struct tendril_target *target = NULL;
	struct job job = { .space = space, .work = work, .data = data };
	int r;

	if (space->object->id == getpid())
		return work(space, data);
	r = object_target(space->object, &target, &space->error);
	return r < 0 ? r : remote_borrow(target, do_job, &job, &space->error);
}

int space_call(struct space *space, long number, const uint64_t arguments[6], int64_t *ret_result)
{
	long result;

	if (space->borrowed)
		return borrowed_call(space->borrowed, number, arguments, ret_result, &space->error);
	result = syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
			 arguments[4], arguments[5]);
	*ret_result = result == -1 ? -errno : result;
	return 0;
}

int space_read_maps(const struct space *space, struct proc_maps *ret_maps)
{
	int r = proc_maps_read(space->object->id, ret_maps);

	if (r < 0)
		return r;
	if (!object_has_ended(space->object))
		return 0;
	proc_maps_done(ret_maps);
	return -ESRCH;
}
