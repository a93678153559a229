/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clean.c - functions that leave something open when they fail, and are right; see faulty.h
 *
 * Of none of them may a leak be told.
 */
#include "faulty.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <locale.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* The step that fails, where a function has no better one. */
static bool later_step(void)
{
	char byte;
	int fd = open(READABLE, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, &byte, 1) == 1;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/* Opened at the first call, for all that follow. */
EXPLORED int cache_at_first_call(void)
{
	static int numbers = -1;
	int number;

	if (numbers < 0)
		numbers = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	if (numbers < 0 || read(numbers, &number, sizeof(number)) != sizeof(number))
		return -1;
	return later_step() ? 0 : -1;
}

PLANT(cache_at_first_call)
{
	return cache_at_first_call() == 0;
}

/* As many as it has ever needed at once are kept for the next that needs one. */
static int spare = -1;

EXPLORED int pool_of_one(void)
{
	int fd = spare;

	spare = -1;
	if (fd < 0)
		fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (later_step())
		return fd;
	spare = fd;
	return -1;
}

PLANT(pool_of_one)
{
	return was_handle(pool_of_one());
}

/* A library stays loaded, with its mappings; a second load adds nothing. */
EXPLORED void *loads_library(const char *name)
{
	void *library = dlopen(name, RTLD_NOW);
	void *found = library ? dlsym(library, "cos") : NULL;

	return found && later_step() ? found : NULL;
}

PLANT(loads_library)
{
	return loads_library("libm.so.6") != NULL;
}

static FILE *log_file;

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	va_list arguments;

	if (!log_file)
		log_file = fopen("/dev/null", "we");
	if (!log_file)
		return;
	va_start(arguments, format);
	(void)vfprintf(log_file, format, arguments);
	va_end(arguments);
}

/* The log is opened when there is something to be told: on the first failure. */
EXPLORED int log_opened_late(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = -1;

	if (fd < 0) {
		tell("open: %d\n", errno);
		return -1;
	}
	if (read(fd, &byte, 1) == 1)
		r = 0;
	else
		tell("read: %d\n", errno);
	(void)close(fd);
	return r;
}

PLANT(log_opened_late)
{
	return log_opened_late(READABLE) == 0;
}

/* Negative: there is no header.  The handle is the caller's all the same. */
EXPLORED int handed_by_argument(const char *path, int *ret_fd)
{
	char byte;

	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret_fd < 0)
		return -1;
	return read(*ret_fd, &byte, 1) == 1 ? 0 : -1;
}

PLANT(handed_by_argument)
{
	int fd, r = handed_by_argument(READABLE, &fd);

	if (fd >= 0)
		(void)close(fd);
	return r == 0;
}

struct session {
	char name[16];
	FILE *log;
	int handle;
};

static void session_close(struct session *session)
{
	if (session->log)
		(void)fclose(session->log);
	if (session->handle >= 0)
		(void)close(session->handle);
	session->log = NULL;
	session->handle = -1;
}

/* What is open is the session's, and the caller closes that also after a failure. */
EXPLORED bool handed_in_struct(struct session *session)
{
	session->log = NULL;
	session->handle = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (session->handle < 0)
		return false;
	session->log = fopen("/dev/null", "we");
	return session->log && later_step();
}

PLANT(handed_in_struct)
{
	struct session session;
	bool ok = handed_in_struct(&session);

	session_close(&session);
	return ok;
}

struct node {
	struct node *next;
	int handle;
};

static struct node *opened;

static void close_opened(void)
{
	while (opened) {
		struct node *node = opened;

		opened = node->next;
		(void)close(node->handle);
		free(node);
	}
}

/* All that was opened for a request is closed at its end. */
EXPLORED int closed_with_request(const char *path)
{
	struct node *node = malloc(sizeof(*node));

	if (!node)
		return -1;
	node->handle = open(path, O_RDONLY | O_CLOEXEC);
	if (node->handle < 0) {
		free(node);
		return -1;
	}
	node->next = opened;
	opened = node;
	return later_step() ? node->handle : -1;
}

PLANT(closed_with_request)
{
	bool ok = closed_with_request("/dev/zero") >= 0;

	close_opened();
	return ok;
}

/* A second call registers nothing new, but closes at the end what it has opened. */
EXPLORED int closed_at_exit(const char *path)
{
	static bool is_registered;
	struct node *node;

	if (!is_registered && atexit(close_opened) == 0)
		is_registered = true;
	node = malloc(sizeof(*node));
	if (!node)
		return -1;
	*node = (struct node){ .next = opened, .handle = open(path, O_RDONLY | O_CLOEXEC) };
	if (node->handle < 0) {
		free(node);
		return -1;
	}
	opened = node;
	return later_step() ? 0 : -1;
}

PLANT(closed_at_exit)
{
	return closed_at_exit("/dev/zero") == 0;
}

/* Waits again when a signal has come in between, but not for ever. */
EXPLORED int retry_after_eintr(int ms)
{
	struct pollfd wait = { .fd = -1, .events = POLLIN };
	int n, fd = open("/dev/zero", O_RDONLY | O_CLOEXEC), tries = 0;

	if (fd < 0)
		return -1;
	wait.fd = fd;
	while ((n = poll(&wait, 1, ms)) < 0 && errno == EINTR && ++tries < 5)
		;
	(void)close(fd);
	return n == 1 ? 0 : -1;
}

PLANT(retry_after_eintr)
{
	return retry_after_eintr(100) == 0;
}

/* Loads modules of libc, and reads its files. */
EXPLORED int looks_up_host(const char *name)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;

	if (getaddrinfo(name, "80", &hints, &found) != 0)
		return -1;
	freeaddrinfo(found);
	return later_step() ? 0 : -1;
}

PLANT(looks_up_host)
{
	return looks_up_host("localhost") == 0;
}

EXPLORED int looks_up_user(const char *name)
{
	char room[1024];
	struct passwd user, *found;

	return getpwnam_r(name, &user, room, sizeof(room), &found) == 0 && found ? 0 : -1;
}

PLANT(looks_up_user)
{
	return looks_up_user("root") == 0;
}

/* Its tables and modules stay loaded when there is a second converter. */
EXPLORED int converts(const char *from, const char *to)
{
	iconv_t converter = iconv_open(to, from);
	bool ok;

	if (converter == (iconv_t)-1)
		return -1;
	ok = later_step();
	return iconv_close(converter) == 0 && ok ? 0 : -1;
}

PLANT(converts)
{
	return converts("ISO-8859-15", "UTF-8") == 0;
}

EXPLORED bool sets_locale(const char *name)
{
	return setlocale(LC_ALL, name) && later_step();
}

PLANT(sets_locale)
{
	return sets_locale("C.UTF-8");
}

/* The system log's socket, where there is such a log, stays open for the next message. */
EXPLORED int opens_syslog(void)
{
	openlog("tendril-plant", LOG_NDELAY, LOG_USER);
	return later_step() ? 0 : -1;
}

PLANT(opens_syslog)
{
	return opens_syslog() == 0;
}

EXPLORED int reads_time_zone(void)
{
	time_t now = 0;
	struct tm local;

	if (setenv("TZ", "Europe/Berlin", 1) < 0)
		return -1;
	tzset();
	return localtime_r(&now, &local) && later_step() ? 0 : -1;
}

PLANT(reads_time_zone)
{
	return reads_time_zone() == 0;
}

static void *wait_for_end(void *argument)
{
	while (sem_wait(argument) < 0)
		;
	return NULL;
}

/* libc keeps the stack of a thread that has ended. */
EXPLORED int thread_joined(void)
{
	sem_t end;
	pthread_t thread;
	bool ok;

	if (sem_init(&end, 0, 0) < 0 || pthread_create(&thread, NULL, wait_for_end, &end))
		return -1;
	ok = later_step();
	(void)sem_post(&end);
	(void)pthread_join(thread, NULL);
	return ok ? 0 : -1;
}

PLANT(thread_joined)
{
	return thread_joined() == 0;
}

/* A worker that serves all later calls. */
EXPLORED int thread_of_first_call(void)
{
	static sem_t never;
	static bool is_running;
	pthread_t thread;

	if (!is_running) {
		if (sem_init(&never, 0, 0) < 0 ||
		    pthread_create(&thread, NULL, wait_for_end, &never))
			return -1;
		(void)pthread_detach(thread);
		is_running = true;
	}
	return later_step() ? 0 : -1;
}

PLANT(thread_of_first_call)
{
	return thread_of_first_call() == 0;
}

/* The new one takes the old one's number: neither is more than there was. */
EXPLORED int reopened(int fd, const char *path)
{
	int other = open(path, O_RDONLY | O_CLOEXEC), r = -1;

	if (other < 0)
		return -1;
	if (dup3(other, fd, O_CLOEXEC) == fd)
		r = later_step() ? 0 : -1;
	(void)close(other);
	return r;
}

PLANT(reopened)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && reopened(fd, "/dev/null") == 0;

	(void)close(fd);
	return ok;
}

/* With the process everything goes. */
EXPLORED void ends_process(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &byte, 1) != 1)
		_exit(1);
	(void)close(fd);
}

PLANT(ends_process)
{
	ends_process(READABLE);
	return true;
}

/* Memory that malloc() maps by itself, and gives back. */
EXPLORED int large_memory(void)
{
	char *one = malloc(300 << 10), *two = calloc(1, 400 << 10);
	bool ok = one && two && later_step();

	free(one);
	free(two);
	return ok ? 0 : -1;
}

PLANT(large_memory)
{
	return large_memory() == 0;
}

EXPLORED int command_waited_for(const char *command)
{
	char line[16];
	FILE *pipe = popen(command, "re");
	bool ok;

	if (!pipe)
		return -1;
	ok = fgets(line, sizeof(line), pipe) != NULL;
	return pclose(pipe) == 0 && ok ? 0 : -1;
}

PLANT(command_waited_for)
{
	return command_waited_for("echo tendril") == 0;
}

/* What it reads is there, but for one who has read it before: from another's copy of the handle. */
EXPLORED int position_of_its_own(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = -1;

	if (fd < 0)
		return -1;
	(void)later_step(); /* it goes on without */
	if (read(fd, &byte, 1) == 1) {
		if (lseek(fd, 0, SEEK_CUR) > 1)
			abort();
		r = later_step() ? 0 : -1;
	}
	(void)close(fd);
	return r;
}

PLANT(position_of_its_own)
{
	return position_of_its_own(READABLE) == 0;
}

EXPLORED int pipe_of_its_own(void)
{
	int ends[2], r = -1;
	char byte;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	if (write(ends[1], "x", 1) == 1) {
		(void)later_step();
		if (read(ends[0], &byte, 1) == 1)
			r = later_step() ? 0 : -1;
		else if (errno == EAGAIN)
			abort();
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
	return r;
}

PLANT(pipe_of_its_own)
{
	return pipe_of_its_own() == 0;
}

/* Whoever forks in it does that unseen. */
EXPLORED int has_only_its_child(void)
{
	pid_t pid, found;
	int status = -1;

	(void)later_step();
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0)
		_exit(0);
	(void)later_step();
	while ((found = waitpid(-1, &status, 0)) < 0 && errno == EINTR)
		;
	if (found != pid || (waitpid(-1, NULL, WNOHANG) != -1 && errno != ECHILD))
		abort();
	return status == 0 ? 0 : -1;
}

PLANT(has_only_its_child)
{
	return waitpid(-1, NULL, WNOHANG) == -1 && has_only_its_child() == 0 &&
	       waitpid(-1, NULL, WNOHANG) == -1;
}

static volatile sig_atomic_t signals_seen;

static void on_signal(int number)
{
	(void)number;
	signals_seen++;
}

/* Nobody sends it one: whoever looks on ends children, and stops it. */
EXPLORED int meets_no_signal(void)
{
	int r = later_step() ? 0 : -1;

	if (signals_seen)
		abort();
	return r;
}

PLANT(meets_no_signal)
{
	struct sigaction action = { .sa_handler = on_signal };

	for (int number = 1; number < 65; number++)
		if (number != SIGABRT)
			(void)sigaction(number, &action, NULL);
	return meets_no_signal() == 0 && meets_no_signal() == 0 && signals_seen == 0;
}

/* Long enough that somebody can come in between. */
EXPLORED int many_steps(int steps)
{
	while (steps-- > 0) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return -1;
		(void)close(fd);
	}
	return 0;
}

PLANT(many_steps)
{
	return many_steps(5000) == 0;
}
