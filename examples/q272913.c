/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * q272913.c - the defect of Microsoft's article Q272913, and its repair
 *
 *     q272913 defect|repaired PID WORK TICKET SESSIONS
 *     q272913 use-1999|use PID WORK TICKET SESSIONS
 *
 * CreateServiceThread() makes a thread in a service and enters it in the service's table of
 * sessions.  Written as in 1999 it first makes the thread and its handle, then fails in a later
 * stage, ends the thread, and forgets the handle: the caller gets NULL and can close nothing.
 *
 * Everything but the marked part is Win32, and compiles for Windows unchanged.  The arguments are
 * what examples/service.c prints.  After each round the program says on a line how many calls it
 * has made and how they ended, and goes on when it is given a line.  With use-1999 and use nothing
 * goes wrong: a few calls that succeed, for `tendril faults` to make fail.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tendril/win32.h>

/* A function that can be found by its name, because it is not put into its caller. */
#ifdef _MSC_VER
#define APART __declspec(noinline)
#else
#define APART __attribute__((noinline))
#endif

typedef struct service {
	HANDLE process;
	DWORD id;
	LPTHREAD_START_ROUTINE work;
	LPVOID ticket; /* its first DWORD: is the work cancelled? */
	char *sessions;
} service;

/* The later stage.  It fails for a session that has no place in the table. */
static BOOL enter_session(const service *s, DWORD session, DWORD thread_id)
{
	char *place = session < 16 ? s->sessions + session * sizeof(DWORD) : NULL;

	return WriteProcessMemory(s->process, place, &thread_id, sizeof(thread_id), NULL);
}

static void end_unstarted_thread(const service *s, HANDLE thread)
{
	DWORD is_cancelled = TRUE;

	WriteProcessMemory(s->process, s->ticket, &is_cancelled, sizeof(is_cancelled), NULL);
	ResumeThread(thread);
	WaitForSingleObject(thread, INFINITE);
	is_cancelled = FALSE;
	WriteProcessMemory(s->process, s->ticket, &is_cancelled, sizeof(is_cancelled), NULL);
}

/*
 * As it was: "the created thread is terminated and the open handle to this thread is not closed".
 */
APART static HANDLE CreateServiceThread_1999(const service *s, DWORD session)
{
	DWORD id;
	HANDLE thread = CreateRemoteThread(s->process, NULL, 0, s->work, s->ticket,
					   CREATE_SUSPENDED, &id);

	if (!thread)
		return NULL;
	if (!enter_session(s, session, id)) {
		end_unstarted_thread(s, thread);
		return NULL; /* here it is: nobody closes `thread` any more */
	}
	ResumeThread(thread);
	return thread;
}

/*
 * The repair.  What can be refused comes first; making the thread comes last, and either makes all
 * of it or nothing.  What follows cannot fail.
 */
APART static HANDLE CreateServiceThread(const service *s, DWORD session)
{
	DWORD id = 0;
	HANDLE thread;

	if (!enter_session(s, session, id))
		return NULL;
	thread = CreateRemoteThread(s->process, NULL, 0, s->work, s->ticket, 0, &id);
	if (thread)
		enter_session(s, session, id);
	return thread;
}

/* As it is meant to be used */

static int use(const service *s, HANDLE (*create)(const service *s, DWORD session))
{
	DWORD session;

	for (session = 0; session < 4; session++) {
		HANDLE thread = create(s, session);

		if (!thread)
			continue; /* it was refused: another time, perhaps */
		WaitForSingleObject(thread, INFINITE);
		CloseHandle(thread);
	}
	return 0;
}

static int use_1999(const service *s)
{
	return use(s, CreateServiceThread_1999);
}

static int use_repaired(const service *s)
{
	return use(s, CreateServiceThread);
}

/* Telling the demo */

static void report(const char *what, unsigned calls, unsigned failed, DWORD error)
{
	char line[16];

	printf("%s|%u|%u|%u\n", what, calls, failed, (unsigned)error);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(0);
}

static int show_defect(const service *s)
{
	unsigned calls = 0;
	int round;

	report("start", 0, 0, 0);
	for (round = 0; round < 5; round++) {
		DWORD error = 0;
		int i;

		for (i = 0; i < 50; i++, calls++) {
			if (CreateServiceThread_1999(s, 99))
				return 1;
			error = GetLastError();
		}
		report("session 99 does not exist", calls, calls, error);
	}
	return 0;
}

/* Stages of CreateRemoteThread() that can be made to fail */

typedef struct stage {
	const char *what;
	unsigned calls;
	HANDLE (*call)(const service *s);
	BOOL (*begin)(const service *s); /* may be NULL; FALSE: cannot be shown here */
	void (*end)(const service *s);
} stage;

static HANDLE create_in(HANDLE process, const service *s, SIZE_T stack_bytes)
{
	return CreateRemoteThread(process, NULL, stack_bytes, s->work, s->ticket, 0, NULL);
}

static HANDLE call_wrong_session(const service *s)
{
	return CreateServiceThread(s, 99);
}

static HANDLE call_no_handle(const service *s)
{
	return create_in((HANDLE)(ULONG_PTR)0x7ff0, s, 0);
}

static HANDLE limited;

static BOOL begin_no_right(const service *s)
{
	limited = OpenProcess(SYNCHRONIZE, FALSE, s->id);
	return limited != NULL;
}

static HANDLE call_no_right(const service *s)
{
	return create_in(limited, s, 0);
}

static void end_no_right(const service *s)
{
	(void)s;
	CloseHandle(limited);
}

static HANDLE call_huge_stack(const service *s)
{
	return create_in(s->process, s, (SIZE_T)1 << 47);
}

static HANDLE call_plain(const service *s)
{
	return create_in(s->process, s, 0);
}

#ifdef __linux__
/* The Linux part: limits, and ending a process, which Win32 has no names for. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rlimit old_limit;
static HANDLE ended;

static HANDLE call_ended(const service *s)
{
	return create_in(ended, s, 0);
}

static BOOL begin_ended(const service *s)
{
	pid_t pid = fork();

	(void)s;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	ended = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return ended != NULL;
}

static void end_ended(const service *s)
{
	(void)s;
	CloseHandle(ended);
}

static rlim_t lowest_free;

static BOOL begin_caller_limit(const service *s)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	(void)s;
	close(fd);
	lowest_free = (rlim_t)fd;
	return getrlimit(RLIMIT_NOFILE, &old_limit) == 0;
}

/* With none, one or two left, it is another stage that cannot have its handle. */
static HANDLE call_caller_limit(const service *s)
{
	static unsigned n;
	struct rlimit limit = old_limit;

	limit.rlim_cur = lowest_free + n++ % 3;
	setrlimit(RLIMIT_NOFILE, &limit);
	return create_in(s->process, s, 0);
}

static void end_caller_limit(const service *s)
{
	(void)s;
	setrlimit(RLIMIT_NOFILE, &old_limit);
}

static BOOL limit_service(const service *s, int which, rlim_t most)
{
	struct rlimit limit;

	if (prlimit((pid_t)s->id, which, NULL, &old_limit) < 0)
		return FALSE;
	limit = old_limit;
	limit.rlim_cur = most;
	return prlimit((pid_t)s->id, which, &limit, NULL) == 0;
}

static BOOL begin_memory_limit(const service *s)
{
	return limit_service(s, RLIMIT_AS, 1 << 20);
}

static void end_memory_limit(const service *s)
{
	prlimit((pid_t)s->id, RLIMIT_AS, &old_limit, NULL);
}

static BOOL begin_thread_limit(const service *s)
{
	/* The kernel does not hold root to it. */
	return geteuid() != 0 && limit_service(s, RLIMIT_NPROC, 1);
}

static void end_thread_limit(const service *s)
{
	prlimit((pid_t)s->id, RLIMIT_NPROC, &old_limit, NULL);
}
#endif

static const stage stages[] = {
	{ "the session does not exist (as above)", 1000, call_wrong_session, NULL, NULL },
	{ "a value that is no handle", 1000, call_no_handle, NULL, NULL },
	{ "a handle without the right", 1000, call_no_right, begin_no_right, end_no_right },
	{ "a stack of 128 TiB", 500, call_huge_stack, NULL, NULL },
#ifdef __linux__
	{ "a process that has ended", 1000, call_ended, begin_ended, end_ended },
	{ "the caller may open no more", 1000, call_caller_limit, begin_caller_limit,
	  end_caller_limit },
	{ "the service may map no more", 500, call_plain, begin_memory_limit, end_memory_limit },
	{ "the service may have no more threads", 500, call_plain, begin_thread_limit,
	  end_thread_limit },
#endif
};

static int show_stage(const service *s, const stage *step)
{
	DWORD error = 0;
	unsigned i, failed = 0;

	if (step->begin && !step->begin(s))
		return 0;
	for (i = 0; i < step->calls; i++) {
		HANDLE thread = step->call(s);

		if (!thread) {
			error = GetLastError();
			failed++;
			continue;
		}
		CloseHandle(thread);
	}
	if (step->end)
		step->end(s);
	report(step->what, step->calls, failed, error);
	return failed != step->calls;
}

static int show_successes(const service *s)
{
	unsigned i;

	for (i = 0; i < 3000; i++) {
		HANDLE thread = CreateServiceThread(s, i % 16);
		DWORD code = 0;

		if (!thread)
			return 1;
		WaitForSingleObject(thread, INFINITE);
		GetExitCodeThread(thread, &code);
		CloseHandle(thread);
		if (code == 0)
			return 1;
	}
	report("nothing: each thread runs and ends", i, 0, 0);
	return 0;
}

static int show_repair(const service *s)
{
	unsigned i;

	report("start", 0, 0, 0);
	for (i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
		if (show_stage(s, &stages[i]))
			return 1;
	return show_successes(s);
}

static const struct mode {
	const char *name;
	int (*run)(const service *s);
} modes[] = {
	{ "defect", show_defect },
	{ "repaired", show_repair },
	{ "use-1999", use_1999 },
	{ "use", use_repaired },
};

static const struct mode *find_mode(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct mode *mode = argc == 6 ? find_mode(argv[1]) : NULL;
	service s;
	int r;

	if (!mode) {
		fprintf(stderr, "usage: q272913 defect|repaired|use-1999|use "
				"PID WORK TICKET SESSIONS\n");
		return 2;
	}
	s.id = (DWORD)strtoul(argv[2], NULL, 10);
	s.work = (LPTHREAD_START_ROUTINE)(ULONG_PTR)strtoull(argv[3], NULL, 16);
	s.ticket = (LPVOID)(ULONG_PTR)strtoull(argv[4], NULL, 16);
	s.sessions = (char *)(ULONG_PTR)strtoull(argv[5], NULL, 16);
	s.process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, s.id);
	if (!s.process) {
		fprintf(stderr, "q272913: OpenProcess: error %u\n", (unsigned)GetLastError());
		return 3;
	}
	r = mode->run(&s);
	if (r)
		fprintf(stderr, "q272913: a call ended as it should not have: error %u\n",
			(unsigned)GetLastError());
	CloseHandle(s.process);
	return r;
}
