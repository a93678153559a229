/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * priority.c - priorities of threads, as nice values
 *
 * A thread's priority counts from the nice value of its process's first thread, as on Windows it
 * counts from the class of its process: so a new thread has 0 in a program that was started by
 * nice(1), too.  Linux lets few threads be raised, not even back to where they were, while Windows
 * lets anybody; so what was set here is remembered.  It holds for as long as the nice value is what
 * it was left at then: when somebody else changes that, the kernel's word counts.
 */
#include <sys/resource.h>
#include <sys/syscall.h>

#include "remote/thread.h"
#include "win32/win32_internal.h"

#define NICE_MAX 19
#define NICE_MIN (-20)

static const struct {
	int priority;
	int nice;           /* to be added to the process's */
	int nice_at_most;   /* up to here a thread that somebody else has set is nearest to this one */
} levels[] = {
	{ THREAD_PRIORITY_TIME_CRITICAL, -20, -15 },
	{ THREAD_PRIORITY_HIGHEST, -10, -8 },
	{ THREAD_PRIORITY_ABOVE_NORMAL, -5, -3 },
	{ THREAD_PRIORITY_NORMAL, 0, 2 },
	{ THREAD_PRIORITY_BELOW_NORMAL, 5, 7 },
	{ THREAD_PRIORITY_LOWEST, 10, 14 },
	{ THREAD_PRIORITY_IDLE, 19, 39 },
};

/* What a thread was set to. */
struct setting {
	struct setting *next;
	pid_t tid;
	uint64_t identity; /* 0: it could not be told */
	int priority;
	int base;          /* the nice value that it counts from */
	int nice;          /* what the kernel made of it */
};

static struct {
	pthread_mutex_t lock;
	struct setting *first; /* also compared with NULL without the lock */
} settings = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void lock(void)
{
	(void)pthread_mutex_lock(&settings.lock);
}

static void unlock(void)
{
	(void)pthread_mutex_unlock(&settings.lock);
}

__attribute__((constructor)) static void guard_fork(void)
{
	locks_add(lock, unlock, unlock);
}

static int nice_of(pid_t tid, int *ret_nice)
{
	int value;

	errno = 0;
	value = getpriority(PRIO_PROCESS, (id_t)tid);
	if (value == -1 && errno != 0)
		return -errno;
	*ret_nice = value;
	return 0;
}

static bool is_of(const struct setting *setting, pid_t tid, uint64_t identity)
{
	return setting->tid == tid &&
	       (setting->identity == identity || setting->identity == 0 || identity == 0);
}

/* With the lock held.  identity 0: it is not known. */
static const struct setting *find(pid_t tid, uint64_t identity)
{
	const struct setting *setting;

	for (setting = settings.first; setting; setting = setting->next)
		if (is_of(setting, tid, identity))
			break;
	return setting;
}

/* Is there one for the thread, and does it hold? */
static bool setting_get(pid_t tid, uint64_t identity, int nice, struct setting *ret_setting)
{
	const struct setting *setting;
	bool holds;

	if (!__atomic_load_n(&settings.first, __ATOMIC_ACQUIRE))
		return false;
	lock();
	setting = find(tid, identity);
	holds = setting && setting->nice == nice;
	if (holds)
		*ret_setting = *setting;
	unlock();
	return holds;
}

/* Take out that of a thread, and those whose threads have ended. */
static void drop_old(pid_t tid)
{
	struct setting **link = &settings.first;

	while (*link) {
		struct setting *setting = *link;
		int nice;

		if (setting->tid != tid && nice_of(setting->tid, &nice) != -ESRCH) {
			link = &setting->next;
			continue;
		}
		__atomic_store_n(link, setting->next, __ATOMIC_RELEASE);
		free(setting);
	}
}

/* The first thread's own priority does not change what those of the others count from. */
static int base_of(pid_t pid, int *ret_base)
{
	struct setting setting;
	int r = nice_of(pid, ret_base);

	if (r == 0 && setting_get(pid, 0, *ret_base, &setting))
		*ret_base = setting.base;
	return r;
}

static int own_identity(pid_t tid, uint64_t *ret_identity)
{
	bool is_process;
	AUTO_CLOSE int fd = open_thread_fd(getpid(), tid, &is_process);

	return fd < 0 ? fd : pidfd_identity(fd, tid, ret_identity);
}

static uint64_t identity_of(const struct object *object)
{
	uint64_t identity = 0;

	if (object->thread)
		return object->thread->identity;
	return own_identity(object->id, &identity) == 0 ? identity : 0;
}

static pid_t process_of(const struct object *object)
{
	return object->thread ? object->thread->pid : getpid();
}

/* Looked at last: if it lives, the id was its own all the time. */
static bool has_ended(const struct object *object)
{
	return object->thread && thread_has_ended(object->thread->remote, object->fd);
}

static int nearest(int nice)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(levels) - 1 && nice > levels[i].nice_at_most)
		i++;
	return levels[i].priority;
}

static int priority_get(const struct object *object, int *ret_priority)
{
	struct setting setting;
	int nice = 0, base = 0, r = nice_of(object->id, &nice);
	bool is_set;

	if (r < 0)
		return r;
	/* Who asks for its own has to open a descriptor to tell who it is: not before it is needed. */
	is_set = setting_get(object->id, 0, nice, &setting) &&
		 setting_get(object->id, identity_of(object), nice, &setting);
	if (!is_set)
		r = base_of(process_of(object), &base);
	if (r == 0 && has_ended(object))
		r = -ESRCH;
	if (r < 0)
		return r;
	*ret_priority = is_set ? setting.priority : nearest(nice - base);
	return 0;
}

/* As near as the kernel lets the caller come. */
static int set_nice(pid_t tid, int wanted, int *ret_nice)
{
	int now = 0, r = nice_of(tid, &now);

	for (*ret_nice = wanted; r == 0; ++*ret_nice) {
		if (*ret_nice == now || setpriority(PRIO_PROCESS, (id_t)tid, *ret_nice) == 0)
			return 0;
		if (errno != EACCES || *ret_nice >= now)
			r = -errno;
	}
	return r;
}

static int clamp(int nice)
{
	return nice < NICE_MIN ? NICE_MIN : nice > NICE_MAX ? NICE_MAX : nice;
}

/* Set it and remember it, in one: two who do so at once do it one after the other. */
static int set_and_remember(struct setting *setting, size_t level)
{
	int r = set_nice(setting->tid, clamp(setting->base + levels[level].nice), &setting->nice);

	if (r < 0)
		return r;
	setting->priority = levels[level].priority;
	drop_old(setting->tid);
	setting->next = settings.first;
	__atomic_store_n(&settings.first, setting, __ATOMIC_RELEASE);
	return 0;
}

static int setting_new(const struct object *object, struct setting **ret_setting)
{
	struct setting *setting = calloc(1, sizeof(*setting));
	int r = setting ? base_of(process_of(object), &setting->base) : -ENOMEM;

	if (r < 0) {
		free(setting);
		return r;
	}
	setting->tid = object->id;
	setting->identity = identity_of(object);
	*ret_setting = setting;
	return 0;
}

static int priority_set(const struct object *object, size_t level)
{
	struct setting *setting = NULL;
	int r = has_ended(object) ? -ESRCH : setting_new(object, &setting);

	if (r < 0)
		return r;
	lock();
	r = set_and_remember(setting, level);
	unlock();
	if (r < 0)
		free(setting);
	return r;
}

static int level_of(int priority, size_t *ret_level)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (levels[i].priority == priority) {
			*ret_level = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Unless somebody has set it already: the thread itself, most likely, which runs. */
static bool is_inherited(const struct setting *setting, int inherited)
{
	int nice = 0;

	return !find(setting->tid, setting->identity) && nice_of(setting->tid, &nice) == 0 &&
	       nice == inherited;
}

void priority_begin(const struct object *object, pid_t creator)
{
	struct setting *setting = NULL;
	int nice = 0, base = 0;
	size_t level = 0;

	if (creator <= 0 || nice_of(creator, &nice) < 0 || base_of(process_of(object), &base) < 0 ||
	    nice == base || level_of(THREAD_PRIORITY_NORMAL, &level) < 0 ||
	    setting_new(object, &setting) < 0)
		return;
	lock();
	if (!is_inherited(setting, nice) || set_and_remember(setting, level) < 0) {
		unlock();
		free(setting);
		return;
	}
	unlock();
}

WINBASEAPI int WINAPI GetThreadPriority(HANDLE hThread)
{
	AUTO_OBJECT struct object *object = NULL;
	int priority = 0;
	int r = object_get(hThread, OBJECT_THREAD, THREAD_QUERY_LIMITED_INFORMATION, &object);

	if (r == 0)
		r = priority_get(object, &priority);
	return error_report(r, NULL) ? priority : THREAD_PRIORITY_ERROR_RETURN;
}

WINBASEAPI BOOL WINAPI SetThreadPriority(HANDLE hThread, int nPriority)
{
	AUTO_OBJECT struct object *object = NULL;
	size_t level = 0;
	int r = object_get(hThread, OBJECT_THREAD, THREAD_SET_LIMITED_INFORMATION, &object);

	if (r == 0)
		r = level_of(nPriority, &level);
	return error_report(r < 0 ? r : priority_set(object, level), NULL);
}
