/* SPDX-License-Identifier: BSD-2-Clause */
/* start.c - the only file here that knows which system it is for */
#include "test.h"

#define LINE_BYTES 128

static __attribute__((noreturn)) void give_up(const char *why)
{
	printf("Bail out! %s\n", why);
	fflush(stdout);
	exit(2);
}

#ifdef _WIN32

typedef HANDLE pipe_end;

struct channel {
	pipe_end to, from;
	HANDLE child; /* what CreateProcess() gave: not the handle under test */
};

struct gate {
	pipe_end in, out;
};

static size_t pipe_read(pipe_end end, void *data, size_t bytes)
{
	DWORD n = 0;

	return ReadFile(end, data, (DWORD)bytes, &n, NULL) ? n : 0;
}

static bool pipe_write(pipe_end end, const void *data, size_t bytes)
{
	DWORD n = 0;

	return WriteFile(end, data, (DWORD)bytes, &n, NULL) && n == bytes;
}

static void pipe_close(pipe_end end)
{
	CloseHandle(end);
}

static void pipe_create(pipe_end *ret_read, pipe_end *ret_write)
{
	SECURITY_ATTRIBUTES attributes = { sizeof(attributes), NULL, FALSE };

	if (!CreatePipe(ret_read, ret_write, &attributes, 65536))
		give_up("no pipe");
}

static pipe_end standard_input(void)
{
	return GetStdHandle(STD_INPUT_HANDLE);
}

static pipe_end standard_output(void)
{
	return GetStdHandle(STD_OUTPUT_HANDLE);
}

/* This program, with its standard input and output being those ends. */
static DWORD start_program(struct channel *channel, pipe_end input, pipe_end output)
{
	STARTUPINFOA startup = { .cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES };
	PROCESS_INFORMATION information;
	char path[MAX_PATH], line[MAX_PATH + 16];

	GetModuleFileNameA(NULL, path, sizeof(path));
	snprintf(line, sizeof(line), "\"%s\" --target", path);
	SetHandleInformation(input, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
	SetHandleInformation(output, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
	startup.hStdInput = input;
	startup.hStdOutput = output;
	startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
	if (!CreateProcessA(path, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &information))
		give_up("the target does not start");
	CloseHandle(information.hThread);
	channel->child = information.hProcess;
	return information.dwProcessId;
}

static void child_kill(struct target *t)
{
	TerminateProcess(t->channel->child, 1);
	WaitForSingleObject(t->channel->child, INFINITE);
}

void target_reap(struct target *t)
{
	(void)t;
}

/* Return: the code it ended with. */
static DWORD child_wait(struct target *t)
{
	DWORD code = STILL_ACTIVE;

	WaitForSingleObject(t->channel->child, INFINITE);
	GetExitCodeProcess(t->channel->child, &code);
	CloseHandle(t->channel->child);
	return code;
}

DWORD target_threads(struct target *t)
{
	THREADENTRY32 entry = { .dwSize = sizeof(entry) };
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
	DWORD n = 0;

	for (BOOL ok = Thread32First(snapshot, &entry); ok; ok = Thread32Next(snapshot, &entry))
		n += entry.th32OwnerProcessID == t->id;
	CloseHandle(snapshot);
	return n;
}

static DWORD count_regions(struct target *t)
{
	MEMORY_BASIC_INFORMATION information;
	char *at = NULL;
	DWORD n = 0;

	while (VirtualQueryEx(t->channel->child, at, &information, sizeof(information))) {
		n += information.State != MEM_FREE;
		at = (char *)information.BaseAddress + information.RegionSize;
	}
	return n;
}

#define HIGHEST_HANDLE 0x1000

static DWORD WINAPI try_each_handle(LPVOID unused)
{
	DWORD count = 0, flags;

	(void)unused;
	for (uintptr_t value = 4; value <= HIGHEST_HANDLE; value += 4)
		if (GetHandleInformation((HANDLE)value, &flags))
			count++;
	return count;
}

/* Wine 8.0 has GetProcessHandleCount() as a stub that says 0: there each value is tried. */
DWORD handles_here(void)
{
	DWORD count = 0;

	GetProcessHandleCount(GetCurrentProcess(), &count);
	return count ? count : try_each_handle(NULL);
}

DWORD handles_there(struct target *t)
{
	DWORD count = 0;

	GetProcessHandleCount(t->process, &count);
	return count ? count : (DWORD)target_call(t, try_each_handle, 0);
}

unsigned int gate_pass(struct gate *gate)
{
	char c;

	while (pipe_read(gate->out, &c, 1) != 1)
		;
	return 0;
}

uint64_t clock_ms(void)
{
	return GetTickCount64();
}

uint64_t clock_step_ms(void)
{
	return 17; /* 64 ticks a second */
}

void yield_processor(void)
{
	if (!SwitchToThread())
		Sleep(1);
}

void say_at_once(const char *text)
{
	DWORD n;

	WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), text, (DWORD)strlen(text), &n, NULL);
}

DWORD system_thread_id(void)
{
	return GetCurrentThreadId();
}

DWORD system_process_id(void)
{
	return GetCurrentProcessId();
}

static HANDLE limit_changed;
static volatile LONG limit_ms;
static void (*volatile limit_end)(void);

static DWORD WINAPI watch_limit(LPVOID unused)
{
	(void)unused;
	while (WaitForSingleObject(limit_changed, limit_ms ? (DWORD)limit_ms : INFINITE) !=
	       WAIT_TIMEOUT)
		;
	limit_end();
	TerminateProcess(GetCurrentProcess(), 3);
	return 0;
}

void limit_seconds(unsigned int seconds, void (*on_end)(void))
{
	limit_end = on_end;
	limit_ms = (LONG)seconds * 1000;
	if (!limit_changed) {
		limit_changed = CreateEventA(NULL, FALSE, FALSE, NULL);
		CloseHandle(CreateThread(NULL, 0, watch_limit, NULL, 0, NULL));
	}
	SetEvent(limit_changed);
}

void prepare_system(void)
{
	SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX); /* no box, no debugger */
}

/* Here the one who started us all sees to that. */
static void end_with_caller(void)
{
}

#else /* Linux */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef int pipe_end;

struct channel {
	pipe_end to, from;
};

struct gate {
	pipe_end in, out;
};

static size_t pipe_read(pipe_end end, void *data, size_t bytes)
{
	ssize_t n;

	do
		n = read(end, data, bytes);
	while (n < 0 && errno == EINTR);
	return n > 0 ? (size_t)n : 0;
}

static bool pipe_write(pipe_end end, const void *data, size_t bytes)
{
	return write(end, data, bytes) == (ssize_t)bytes;
}

static void pipe_close(pipe_end end)
{
	close(end);
}

static void pipe_create(pipe_end *ret_read, pipe_end *ret_write)
{
	int end[2];

	if (pipe2(end, O_CLOEXEC) < 0)
		give_up("no pipe");
	*ret_read = end[0];
	*ret_write = end[1];
}

static pipe_end standard_input(void)
{
	return STDIN_FILENO;
}

static pipe_end standard_output(void)
{
	return STDOUT_FILENO;
}

static DWORD start_program(struct channel *channel, pipe_end input, pipe_end output)
{
	char *const words[] = { (char[]){ "target" }, (char[]){ "--target" }, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;

	(void)channel;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (posix_spawn(&pid, "/proc/self/exe", &actions, NULL, words, environ) != 0)
		give_up("the target does not start");
	posix_spawn_file_actions_destroy(&actions);
	return (DWORD)pid;
}

/* The zombie stays: a process that nobody has waited for yet. */
static void child_kill(struct target *t)
{
	siginfo_t info;

	kill((pid_t)t->id, SIGKILL);
	waitid(P_PID, t->id, &info, WEXITED | WNOWAIT);
}

void target_reap(struct target *t)
{
	waitpid((pid_t)t->id, NULL, 0);
}

static DWORD child_wait(struct target *t)
{
	int status = 0;

	if (waitpid((pid_t)t->id, &status, 0) < 0)
		return STILL_ACTIVE;
	return WIFEXITED(status) ? (DWORD)WEXITSTATUS(status) : 128u + (DWORD)WTERMSIG(status);
}

DWORD target_threads(struct target *t)
{
	char path[64];
	DWORD n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/task", t->id);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static DWORD count_regions(struct target *t)
{
	char path[64];
	DWORD n = 0;
	FILE *file;
	int c;

	snprintf(path, sizeof(path), "/proc/%u/maps", t->id);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while ((c = fgetc(file)) != EOF)
		n += c == '\n';
	fclose(file);
	return n;
}

DWORD handles_here(void)
{
	DWORD count = 0;

	GetProcessHandleCount(GetCurrentProcess(), &count);
	return count;
}

DWORD handles_there(struct target *t)
{
	DWORD count = 0;

	GetProcessHandleCount(t->process, &count);
	return count;
}

unsigned int gate_pass(struct gate *gate)
{
	unsigned int n_interrupted = 0;
	char c;

	while (read(gate->out, &c, 1) != 1)
		n_interrupted++;
	return n_interrupted;
}

uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_step_ms(void)
{
	return 1;
}

void yield_processor(void)
{
	sched_yield();
}

void say_at_once(const char *text)
{
	ssize_t n = write(STDOUT_FILENO, text, strlen(text));

	(void)n;
}

DWORD system_thread_id(void)
{
	return (DWORD)gettid();
}

DWORD system_process_id(void)
{
	return (DWORD)getpid();
}

static void (*limit_end)(void);

static void end_by_limit(int signal_number)
{
	(void)signal_number;
	limit_end();
	_exit(3);
}

void limit_seconds(unsigned int seconds, void (*on_end)(void))
{
	limit_end = on_end;
	signal(SIGALRM, end_by_limit);
	alarm(seconds);
}

void prepare_system(void)
{
	signal(SIGPIPE, SIG_IGN);
}

/* A target whose main thread is in a call does not see the end of its input. */
static void end_with_caller(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

#endif /* Linux */

/* The same everywhere */

static const char anchor;

/* Return: false at the end of the file. */
static bool read_line(pipe_end end, char *line, size_t bytes)
{
	size_t n = 0;
	char c;

	while (pipe_read(end, &c, 1) == 1) {
		if (c == '\n') {
			line[n] = '\0';
			return true;
		}
		if (n < bytes - 1)
			line[n++] = c;
	}
	return false;
}

static uint64_t read_number(struct target *t)
{
	char line[LINE_BYTES];

	if (!read_line(t->channel->from, line, sizeof(line)))
		return UINT64_MAX;
	return strtoull(line, NULL, 16);
}

struct target *target_start(void)
{
	struct target *t = calloc(1, sizeof(*t));
	struct channel *channel = calloc(1, sizeof(*channel));
	pipe_end input, output;

	if (!t || !channel)
		give_up("out of memory");
	t->channel = channel;
	pipe_create(&input, &channel->to);
	pipe_create(&channel->from, &output);
	t->id = start_program(channel, input, output);
	pipe_close(input);
	pipe_close(output);
	t->slide = read_number(t);
	if (t->slide == UINT64_MAX)
		give_up("the target says nothing");
	t->slide -= (uintptr_t)&anchor;
	t->process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, t->id);
	if (!t->process)
		give_up("OpenProcess() does not open the target");
	return t;
}

static void tell(struct target *t, const char *line)
{
	pipe_write(t->channel->to, line, strlen(line));
}

static void forget(struct target *t)
{
	pipe_close(t->channel->to);
	pipe_close(t->channel->from);
	if (t->process)
		CloseHandle(t->process);
	free(t->channel);
	free(t);
}

void target_free(struct target *t)
{
	tell(t, "exit 0\n");
	child_wait(t);
	forget(t);
}

void target_end(struct target *t)
{
	DWORD code;

	tell(t, "exit 7\n");
	code = child_wait(t);
	if (code != 7)
		printf("# the target ended with %u, not with 7 as it was told\n", (unsigned int)code);
	CHECK(code == 7);
	forget(t);
}

void target_kill(struct target *t)
{
	child_kill(t);
}

bool target_is_alive(struct target *t)
{
	tell(t, "alive\n");
	return read_number(t) == 1;
}

LPTHREAD_START_ROUTINE target_function(const struct target *t, LPTHREAD_START_ROUTINE function)
{
	return (LPTHREAD_START_ROUTINE)((uintptr_t)function + (uintptr_t)t->slide);
}

LPVOID target_address(const struct target *t, const volatile void *variable)
{
	return (LPVOID)((uintptr_t)variable + (uintptr_t)t->slide);
}

void target_begin(struct target *t, LPTHREAD_START_ROUTINE function, uint64_t argument)
{
	char line[LINE_BYTES];

	snprintf(line, sizeof(line), "call %" PRIx64 " %" PRIx64 "\n",
		 (uint64_t)(uintptr_t)target_function(t, function), argument);
	tell(t, line);
}

uint64_t target_answer(struct target *t)
{
	return read_number(t);
}

uint64_t target_call(struct target *t, LPTHREAD_START_ROUTINE function, uint64_t argument)
{
	target_begin(t, function, argument);
	return target_answer(t);
}

struct counts target_counts(struct target *t, bool with_regions)
{
	struct counts counts = { 0 };

	counts.threads = target_threads(t);
	if (with_regions)
		counts.regions = count_regions(t);
	counts.caller_handles = handles_here();
	counts.handles = handles_there(t);
	return counts;
}

struct gate *gate_create(void)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	if (!gate)
		give_up("out of memory");
	pipe_create(&gate->out, &gate->in);
	return gate;
}

void gate_open(struct gate *gate, unsigned int n)
{
	while (n-- > 0)
		pipe_write(gate->in, "", 1);
}

/* The target's side */

static void answer(uint64_t number)
{
	char line[LINE_BYTES];

	snprintf(line, sizeof(line), "%" PRIx64 "\n", number);
	pipe_write(standard_output(), line, strlen(line));
}

int target_main(void)
{
	char line[LINE_BYTES];
	uint64_t function, argument;

	end_with_caller();
	answer((uintptr_t)&anchor);
	while (read_line(standard_input(), line, sizeof(line))) {
		if (sscanf(line, "call %" SCNx64 " %" SCNx64, &function, &argument) == 2)
			answer(((LPTHREAD_START_ROUTINE)(uintptr_t)function)(
				(LPVOID)(uintptr_t)argument));
		else if (strncmp(line, "exit ", 5) == 0)
			exit(atoi(line + 5));
		else
			answer(1);
	}
	return 0;
}
