/* SPDX-License-Identifier: BSD-2-Clause */
/* test_faults_parts.c - errors that calls are given, accepted findings, the sandbox */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "faults/errnos.h"
#include "faults/sandbox.h"
#include "faults/suppress.h"
#include "proc/proc.h"

#include <cmocka.h> /* behind base.h: its macro fail() is not our function */

#include "support.h"

#define CALLS_END 600 /* behind the last number of a system call */

/* Errors */

static bool has(const uint8_t *errors, int error)
{
	for (; *errors; errors++)
		if (*errors == error)
			return true;
	return false;
}

/* May this call with an argument (at, value), and zeroes else, fail with error? */
static bool may(long number, unsigned int at, uint64_t value, int error)
{
	uint64_t arguments[6] = { 0 };

	arguments[at] = value;
	return has(errnos_of(number, arguments, false), error);
}

static bool never_fails(long number, bool unlikely)
{
	const uint64_t zeroes[6] = { 0 };

	return errnos_of(number, zeroes, unlikely)[0] == 0;
}

static void expect_sound_list(const uint8_t *errors)
{
	static const int mistakes[] = { EBADF, EFAULT, ENOTSOCK, EBADFD, EDESTADDRREQ };
	size_t n = 0;

	for (; errors[n]; n++) {
		assert_non_null(errnos_name(errors[n]));
		assert_false(has(errors + n + 1, errors[n])); /* named twice */
		for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++)
			assert_int_not_equal(errors[n], mistakes[i]);
	}
	assert_true(n <= ERRNOS_MAX);
}

static void test_lists_are_sound(void **state)
{
	unsigned int n_fallible = 0;

	(void)state;
	for (long number = -1; number < CALLS_END; number++) {
		const uint64_t zeroes[6] = { 0 };

		n_fallible += errnos_of(number, zeroes, false)[0] != 0;
		expect_sound_list(errnos_of(number, zeroes, true));
		if (errnos_of(number, zeroes, true)[0])
			assert_non_null(errnos_call_name(number));
		for (unsigned int bit = 0; bit < 6 * 64; bit++) {
			uint64_t arguments[6] = { 0 };

			arguments[bit / 64] = UINT64_C(1) << bit % 64;
			expect_sound_list(errnos_of(number, arguments, true));
		}
	}
	assert_true(n_fallible >= 200);
}

static void test_opening(void **state)
{
	(void)state;
	assert_true(may(SYS_openat, 2, O_RDONLY, EMFILE));
	assert_true(may(SYS_openat, 2, O_RDONLY | O_CLOEXEC, ENOENT));
	assert_false(may(SYS_openat, 2, O_RDONLY, ENOSPC));
	assert_false(may(SYS_openat, 2, O_RDONLY, EROFS));
	assert_true(may(SYS_openat, 2, O_WRONLY, EROFS));
	assert_true(may(SYS_openat, 2, O_RDWR, EROFS));
	assert_true(may(SYS_openat, 2, O_RDWR | O_CREAT, ENOSPC));
	assert_true(may(SYS_openat, 2, O_RDWR | O_CREAT, EDQUOT));
	assert_false(may(SYS_openat, 2, O_RDWR | O_CREAT, EEXIST));
	assert_true(may(SYS_openat, 2, O_RDWR | O_CREAT | O_EXCL, EEXIST));
	assert_true(may(SYS_openat, 2, O_RDWR | O_TMPFILE, EOPNOTSUPP));
	assert_false(may(SYS_openat, 2, O_DIRECTORY, ENXIO));
	/* Its flags are the second argument. */
	assert_true(may(SYS_open, 1, O_WRONLY | O_CREAT | O_EXCL, EEXIST));
	assert_false(may(SYS_open, 2, O_WRONLY | O_CREAT | O_EXCL, EEXIST));
}

static void test_commands_of_fcntl_and_ioctl(void **state)
{
	(void)state;
	assert_true(may(SYS_fcntl, 1, F_DUPFD_CLOEXEC, EMFILE));
	assert_true(may(SYS_fcntl, 1, F_SETLK, EAGAIN));
	assert_false(may(SYS_fcntl, 1, F_SETLK, EINTR));
	assert_true(may(SYS_fcntl, 1, F_SETLKW, EINTR));
	for (int error = 1; error < 134; error++) {
		assert_false(may(SYS_fcntl, 1, F_GETFD, error));
		assert_false(may(SYS_fcntl, 1, F_SETFD, error));
		assert_false(may(SYS_fcntl, 1, F_GETFL, error));
		assert_false(may(SYS_ioctl, 1, FIOCLEX, error));
	}
	assert_true(may(SYS_ioctl, 1, TCGETS, ENOTTY));
	assert_false(may(SYS_ioctl, 1, TCGETS, ENOMEM));
	assert_true(may(SYS_ioctl, 1, 0x12345678, ENOMEM));
}

static void test_waiting_or_not(void **state)
{
	(void)state;
	assert_true(may(SYS_recvfrom, 3, MSG_DONTWAIT, EAGAIN));
	assert_false(may(SYS_recvfrom, 3, 0, EAGAIN));
	assert_true(may(SYS_sendmsg, 2, MSG_DONTWAIT | MSG_NOSIGNAL, EAGAIN));
	assert_false(may(SYS_sendmsg, 2, MSG_NOSIGNAL, EAGAIN));
	assert_false(may(SYS_read, 0, 0, EAGAIN));
	assert_true(may(SYS_read, 0, 0, EIO));
	assert_true(may(SYS_poll, 2, (uint32_t)-1, EINTR));
	assert_false(may(SYS_poll, 2, 0, EINTR));
	assert_true(may(SYS_flock, 1, LOCK_EX, EINTR));
	assert_true(may(SYS_flock, 1, LOCK_EX | LOCK_NB, EWOULDBLOCK));
	assert_false(may(SYS_flock, 1, LOCK_UN, EWOULDBLOCK));
	assert_false(may(SYS_wait4, 2, 0, ECHILD));
}

static void test_memory(void **state)
{
	(void)state;
	assert_true(may(SYS_mmap, 3, MAP_PRIVATE | MAP_ANONYMOUS, ENOMEM));
	assert_false(may(SYS_mmap, 3, MAP_PRIVATE | MAP_ANONYMOUS, ENODEV));
	assert_true(may(SYS_mmap, 3, MAP_PRIVATE, ENODEV));
	assert_true(may(SYS_mmap, 3, MAP_PRIVATE, EACCES));
}

static void test_never(void **state)
{
	static const long never[] = { SYS_exit,		SYS_exit_group,	     SYS_futex,
				      SYS_brk,		SYS_rt_sigaction,    SYS_rt_sigprocmask,
				      SYS_sigaltstack,	SYS_set_robust_list, SYS_rseq,
				      SYS_arch_prctl,	SYS_sched_yield,     SYS_getpid,
				      SYS_clock_gettime };
	static const long unlikely[] = { SYS_close, SYS_munmap, SYS_fsync, SYS_fdatasync };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		assert_true(never_fails(never[i], true));
	for (size_t i = 0; i < ARRAY_SIZE(unlikely); i++) {
		assert_true(never_fails(unlikely[i], false));
		assert_false(never_fails(unlikely[i], true));
	}
	assert_true(errnos_happens_all_the_same(SYS_close));
	assert_false(errnos_happens_all_the_same(SYS_munmap));
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(errnos_call_name(SYS_openat), "openat");
	assert_int_equal(errnos_call_named("openat"), SYS_openat);
	assert_null(errnos_call_name(-1));
	assert_null(errnos_call_name(0x10000 + SYS_openat));
	assert_int_equal(errnos_call_named("openatt"), -1);
	assert_int_equal(errnos_call_named(""), -1);
	assert_string_equal(errnos_name(EMFILE), "EMFILE");
	assert_null(errnos_name(0));
	assert_null(errnos_name(-EMFILE));
	assert_null(errnos_name(41)); /* of no error */
	assert_int_equal(errnos_named("EMFILE"), EMFILE);
	assert_int_equal(errnos_named("EWOULDBLOCK"), EAGAIN);
	assert_int_equal(errnos_named("0"), 0);
	assert_int_equal(errnos_named("emfile"), 0);
	for (long number = 0; number < CALLS_END; number++) {
		const char *name = errnos_call_name(number);

		if (name)
			assert_int_equal(errnos_call_named(name), number);
	}
	for (int error = 1; error < 200; error++)
		if (errnos_name(error))
			assert_int_equal(errnos_named(errnos_name(error)), error);
}

static void expect_shared(long number, const uint64_t arguments[6], size_t n, int first, int second)
{
	int handles[2] = { -1, -1 };

	assert_int_equal(errnos_call_shared(number, arguments, handles), n);
	assert_int_equal(handles[0], n > 0 ? first : -1);
	assert_int_equal(handles[1], n > 1 ? second : -1);
}

static void test_shared_handles(void **state)
{
	(void)state;
	expect_shared(SYS_read, (uint64_t[6]){ 7 }, 1, 7, 0);
	expect_shared(SYS_pread64, (uint64_t[6]){ 7 }, 0, 0, 0);
	expect_shared(SYS_lseek, (uint64_t[6]){ 7 }, 1, 7, 0);
	expect_shared(SYS_openat, (uint64_t[6]){ 7 }, 0, 0, 0);
	expect_shared(SYS_accept4, (uint64_t[6]){ 7 }, 1, 7, 0);
	expect_shared(SYS_sendfile, (uint64_t[6]){ 7, 8, 0 }, 2, 7, 8);
	expect_shared(SYS_sendfile, (uint64_t[6]){ 7, 8, 0x1000 }, 1, 7, 0);
	expect_shared(SYS_splice, (uint64_t[6]){ 7, 0, 9 }, 2, 7, 9);
	expect_shared(SYS_copy_file_range, (uint64_t[6]){ 7, 0x1000, 9, 0 }, 1, 9, 0);
	expect_shared(SYS_preadv2, (uint64_t[6]){ 7, 0, 0, UINT64_MAX, UINT64_MAX }, 1, 7, 0);
	expect_shared(SYS_preadv2, (uint64_t[6]){ 7, 0, 0, 4096 }, 0, 0, 0);
	expect_shared(SYS_ioctl, (uint64_t[6]){ 7, FIONREAD }, 1, 7, 0);
	expect_shared(SYS_ioctl, (uint64_t[6]){ 7, TCGETS }, 0, 0, 0);
	expect_shared(SYS_fcntl, (uint64_t[6]){ 7, F_OFD_SETLK }, 1, 7, 0);
	expect_shared(SYS_fcntl, (uint64_t[6]){ 7, F_SETLK }, 0, 0, 0);
}

/* Accepted findings */

/* The file stays open, and thus there, until the test program ends. */
static int read_suppressions(const char *text, size_t bytes,
			     struct faults_suppressions **ret_suppressions,
			     struct tendril_error *error)
{
	char path[64];
	int fd = memfd_create("suppressions", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, bytes), bytes);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return suppressions_read(path, ret_suppressions, error);
}

static struct faults_suppressions *suppressions_of(const char *text)
{
	struct faults_suppressions *suppressions = NULL;
	struct tendril_error error = { 0 };
	int r = read_suppressions(text, strlen(text), &suppressions, &error);

	if (r < 0)
		fail_msg("%s", error.text);
	return suppressions;
}

static const struct frame opening[] = {
	{ .function = "open64" },
	{ .function = NULL },
	{ .function = "Cache::refill(int)", .inlined = true },
	{ .function = "main" },
};
static const struct faults_left one_left[] = {
	{ FAULTS_LEFT_HANDLE, "file", 7, "/var/lib/x.db", { opening, ARRAY_SIZE(opening) } },
};
static const struct faults_left two_left[] = {
	{ FAULTS_LEFT_HANDLE, "file", 7, "/var/lib/x.db", { opening, ARRAY_SIZE(opening) } },
	{ FAULTS_LEFT_MAPPING, "mapping", 4096, NULL, { NULL, 0 } },
};
static const struct faults_case cases[] = {
	{ { { SYS_openat, EMFILE } }, 1, "a" },
	{ { { FAULTS_STEP_MALLOC, ENOMEM } }, 1, "b" },
	{ { { SYS_read, EIO }, { SYS_recvfrom, EAGAIN } }, 2, "c" },
};

static struct faults_finding finding_of(const struct faults_case *tried, size_t n_cases)
{
	return (struct faults_finding){
		.function = "operator[](char const*)",
		.module = "/usr/lib/libfoo.so.3.1",
		.file = "/src/foo/table.cc",
		.cases = tried,
		.n_cases = n_cases,
		.left = one_left,
		.n_left = 1,
	};
}

static int first_fit(const char *text, const struct faults_finding *finding)
{
	struct faults_suppressions *suppressions = suppressions_of(text);
	int index = suppressions_match(suppressions, finding);

	suppressions_free(suppressions);
	return index;
}

static void test_each_field_is_compared(void **state)
{
	const struct faults_finding finding = finding_of(cases, 1);
	static const struct {
		const char *fits, *other;
	} lines[] = {
		{ "function=operator[](char?const*)", "function=operator" },
		{ "module=libfoo.so.*", "module=libfoo" },
		{ "module=/usr/lib/*", "module=/usr/*/libbar*" },
		{ "file=table.cc", "file=table.c" },
		{ "file=*/foo/*", "file=foo/table.cc" },
		{ "call=openat", "call=open" },
		{ "call=open*", "call=close*" },
		{ "errno=EMFILE", "errno=ENFILE" },
		{ "errno=E?FILE", "errno=E?FIL" },
		{ "left=file", "left=socket" },
		{ "what=/var/*.db", "what=*.d" },
		{ "opened-by=Cache::*", "opened-by=refill" },
		{ "opened-by=main", "opened-by=opera*" },
		{ "call=openat errno=EMFILE left=file", "call=openat errno=EIO left=file" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_equal(first_fit(lines[i].fits, &finding), 0);
		assert_int_equal(first_fit(lines[i].other, &finding), -1);
	}
}

static void test_a_line_must_fit_every_way_to_leak(void **state)
{
	struct faults_finding finding = finding_of(cases, 2);

	(void)state;
	assert_int_equal(first_fit("call=openat", &finding), -1);
	assert_int_equal(first_fit("call=*", &finding), 0);
	assert_int_equal(first_fit("errno=E*M*", &finding), 0);
	finding = finding_of(cases + 1, 1);
	assert_int_equal(first_fit("call=malloc", &finding), 0);
	finding = finding_of(cases + 2, 1); /* two failures: call and errno are of the same one */
	assert_int_equal(first_fit("call=recvfrom errno=EWOULDBLOCK", &finding), 0);
	assert_int_equal(first_fit("call=recvfrom errno=EIO", &finding), -1);
	finding = finding_of(cases, 0); /* nothing was made to fail */
	assert_int_equal(first_fit("call=*", &finding), -1);
	assert_int_equal(first_fit("left=file", &finding), 0);
}

static void test_a_line_must_fit_all_that_is_left(void **state)
{
	struct faults_finding finding = finding_of(cases, 1);

	(void)state;
	finding.left = two_left;
	finding.n_left = 2;
	assert_int_equal(first_fit("left=file", &finding), -1);
	assert_int_equal(first_fit("left=*", &finding), 0);
	assert_int_equal(first_fit("what=*", &finding), -1); /* of a mapping it is not known */
	assert_int_equal(first_fit("opened-by=main", &finding), -1);
	finding.n_left = 0;
	assert_int_equal(first_fit("left=*", &finding), -1);
	finding.file = NULL;
	assert_int_equal(first_fit("file=*", &finding), -1);
	assert_int_equal(first_fit("function=*", &finding), 0);
}

static void test_lines_are_counted(void **state)
{
	struct faults_suppressions *suppressions = suppressions_of("# nothing\n"
								   "\n"
								   " \t# nothing\n"
								   "  call=socket\t# sockets\r\n"
								   "left=file   #left=socket\n"
								   "function=*");
	const struct faults_finding finding = finding_of(cases, 1);

	(void)state;
	assert_int_equal(suppressions_count(suppressions), 3);
	assert_int_equal(suppressions_match(suppressions, &finding), 1); /* the first that fits */
	assert_int_equal(suppressions_match(suppressions, &finding), 1);
	assert_int_equal(suppressions_uses(suppressions, 0), 0);
	assert_int_equal(suppressions_uses(suppressions, 1), 2);
	assert_int_equal(suppressions_uses(suppressions, 2), 0);
	assert_int_equal(suppressions_line(suppressions, 0), 4);
	assert_int_equal(suppressions_line(suppressions, 2), 6);
	assert_string_equal(suppressions_text(suppressions, 2), "function=*");
	suppressions_free(suppressions);
	suppressions_free(NULL);
}

static void test_wrong_lines_are_named(void **state)
{
	static const struct {
		const char *text, *wanted;
	} wrong[] = {
		{ "left=file\n\nleak:foo\n", ":3: not FIELD=GLOB: 'leak:foo'" },
		{ "functions=foo", ":1: unknown field (there are function, module," },
		{ "=foo", ":1: unknown field" },
		{ "left=file call=", ":1: nothing behind the =: 'call='" },
		{ "left=file left=pipe", ":1: the field stands twice in the line: 'left=pipe'" },
		{ "call=opne", ":1: no such call: 'call=opne'" },
		{ "errno=EMFLE", ":1: no such error: 'errno=EMFLE'" },
		{ "call=\x1b[31m", ":1: no such call: 'call=\\x1b[31m'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct faults_suppressions *suppressions = NULL;
		struct tendril_error error = { 0 };

		assert_int_equal(read_suppressions(wrong[i].text, strlen(wrong[i].text),
						   &suppressions, &error),
				 -EINVAL);
		assert_null(suppressions);
		if (!strstr(error.text, wrong[i].wanted))
			fail_msg("'%s' has no '%s'", error.text, wrong[i].wanted);
	}
}

static void test_files_that_cannot_be_read(void **state)
{
	struct faults_suppressions *suppressions = NULL;
	struct tendril_error error = { 0 };

	(void)state;
	assert_int_equal(suppressions_read("/nowhere/at all", &suppressions, &error), -ENOENT);
	assert_string_equal(error.text, "/nowhere/at all: No such file or directory");
	assert_int_equal(suppressions_read("/proc/self", &suppressions, &error), -EISDIR);
	assert_int_equal(suppressions_read("/dev/zero", &suppressions, &error), -EFBIG);
	assert_int_equal(read_suppressions("left=\0", 6, &suppressions, &error), -EINVAL);
	assert_non_null(strstr(error.text, "zero byte"));
	assert_null(suppressions);
}

/* The sandbox */

#define NOBODY	     65534
#define ANSWER_BYTES 512

/* Outside and its child inside. */
struct inside {
	pid_t pid;
	int go;			   /* when closed, the child ends */
	char answer[ANSWER_BYTES]; /* empty: all was well */
};

/* Returns NULL, or what was wrong. */
typedef const char *body_function(const void *data);

struct stay {
	bool as_nobody;
	uint64_t bytes;
	body_function *before; /* as who we are, outside; may be NULL */
	body_function *body;
	const void *data;
};

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return "not so: " #condition;                                              \
	} while (0)

static bool become_nobody(void)
{
	/* Without an exec, the process would be one that its user may not look at. */
	return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	       setresuid(NOBODY, NOBODY, NOBODY) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
}

static const char *enter_and_look(uint64_t bytes, body_function *body, const void *data,
				  struct tendril_error *error)
{
	const struct sandbox_options options = { .bytes = bytes };
	struct sandbox *sandbox = NULL;
	const char *wrong;

	if (sandbox_new(&options, &sandbox, error) < 0 || sandbox_enter(sandbox, error) < 0)
		return error->text;
	wrong = body ? body(data) : NULL;
	sandbox_free(sandbox);
	return wrong;
}

static void __attribute__((noreturn)) be_inside(int answer, int go, const struct stay *stay)
{
	struct tendril_error error = { 0 };
	const char *wrong = stay->before ? stay->before(stay->data) : NULL;
	char byte;

	if (!wrong && stay->as_nobody && !become_nobody())
		wrong = "cannot become nobody";
	if (!wrong)
		wrong = enter_and_look(stay->bytes, stay->body, stay->data, &error);
	if (wrong && write(answer, wrong, strlen(wrong)) < 0)
		_exit(1);
	close(answer);
	_exit(read(go, &byte, 1) == 0 ? 0 : 1);
}

/* Does not come back before the child has looked around, and waits. */
static void go_inside(struct inside *inside, const struct stay *stay)
{
	int answer[2], go[2];
	size_t used = 0;
	ssize_t n;

	assert_int_equal(pipe2(answer, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	inside->pid = fork();
	assert_true(inside->pid >= 0);
	if (inside->pid == 0) {
		close(go[1]);
		be_inside(answer[1], go[0], stay);
	}
	close(answer[1]);
	close(go[0]);
	inside->go = go[1];
	while ((n = read(answer[0], inside->answer + used, ANSWER_BYTES - 1 - used)) > 0)
		used += (size_t)n;
	inside->answer[used] = '\0';
	close(answer[0]);
}

static void leave(struct inside *inside)
{
	int status = -1;

	close(inside->go);
	assert_int_equal(waitpid(inside->pid, &status, 0), inside->pid);
	assert_string_equal(inside->answer, "");
	assert_int_equal(status, 0);
}

/* May a process of that user have namespaces at all?  Asked without the sandbox. */
static bool may_have_namespaces(bool as_nobody)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0 && as_nobody && !become_nobody())
		_exit(1);
	if (pid == 0)
		_exit(unshare(CLONE_NEWNS | CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) <
		      0);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

#define SKIP_UNLESS_POSSIBLE(as_nobody)                                                            \
	do {                                                                                       \
		if ((as_nobody) && geteuid() != 0)                                                 \
			SKIP_BECAUSE("only root can become nobody");                               \
		if (!may_have_namespaces(as_nobody))                                               \
			SKIP_BECAUSE("namespaces are not permitted here");                         \
	} while (0)

/* Directories to write in, on file systems of different kinds. */

static const char *const bases[] = { "/tmp", "/var/tmp", "/dev/shm" };

struct places {
	bool as_nobody;
	char directory[ARRAY_LENGTH(bases)][64];
};

static void put_file(const struct places *places, size_t i, const char *name, const char *content)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", places->directory[i], name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	if (places->as_nobody)
		assert_int_equal(fchown(fd, NOBODY, NOBODY), 0);
	close(fd);
}

static void make_places(struct places *places, bool as_nobody)
{
	char path[128];

	places->as_nobody = as_nobody;
	for (size_t i = 0; i < ARRAY_LENGTH(bases); i++) {
		(void)snprintf(places->directory[i], sizeof(places->directory[i]),
			       "%s/tendril-sandbox.XXXXXX", bases[i]);
		assert_non_null(mkdtemp(places->directory[i]));
		if (as_nobody)
			assert_int_equal(chown(places->directory[i], NOBODY, NOBODY), 0);
		put_file(places, i, "kept", "old\n");
		put_file(places, i, "gone", "old\n");
		(void)snprintf(path, sizeof(path), "%s/full", places->directory[i]);
		assert_int_equal(mkdir(path, 0755), 0);
		assert_int_equal(as_nobody ? chown(path, NOBODY, NOBODY) : 0, 0);
		put_file(places, i, "full/file", "old\n");
	}
}

static void expect_content(const char *directory, const char *name, const char *wanted)
{
	AUTO_FREE char *text = NULL;
	char path[128];
	size_t bytes;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (!wanted) {
		assert_int_equal(access(path, F_OK), -1);
		return;
	}
	assert_int_equal(proc_read_file(AT_FDCWD, path, 4096, &text, &bytes), 0);
	assert_string_equal(text, wanted);
}

static void expect_unchanged(const struct places *places)
{
	for (size_t i = 0; i < ARRAY_LENGTH(bases); i++) {
		expect_content(places->directory[i], "kept", "old\n");
		expect_content(places->directory[i], "gone", "old\n");
		expect_content(places->directory[i], "full/file", "old\n");
		expect_content(places->directory[i], "made", NULL);
		expect_content(places->directory[i], "below", NULL);
		expect_content(bases[i], strrchr(places->directory[i], '.') + 1, NULL);
	}
}

static void remove_places(const struct places *places)
{
	for (size_t i = 0; i < ARRAY_LENGTH(bases); i++) {
		int directory = open(places->directory[i], O_DIRECTORY | O_RDONLY | O_CLOEXEC);

		assert_true(directory >= 0);
		assert_int_equal(unlinkat(directory, "kept", 0), 0);
		assert_int_equal(unlinkat(directory, "gone", 0), 0);
		assert_int_equal(unlinkat(directory, "full/file", 0), 0);
		assert_int_equal(unlinkat(directory, "full", AT_REMOVEDIR), 0);
		close(directory);
		assert_int_equal(rmdir(places->directory[i]), 0);
	}
}

/* By another program, which has no more rights than the user. */
static const char *change_files(const void *data)
{
	const struct places *places = data;

	for (size_t i = 0; i < ARRAY_LENGTH(bases); i++) {
		EXPECT(setenv("D", places->directory[i], 1) == 0);
		EXPECT(system("set -e; cd $D\n"
			      "test $(cat kept) = old; echo new >kept; test $(cat kept) = new\n"
			      "test $(cat gone) = old; rm gone; test ! -e gone\n"
			      "echo new >made; mkdir below; mv made below\n"
			      "test $(cat below/made) = new; echo new >made\n"
			      "rm -r full below; mkdir full below; test -z \"$(ls full)\"\n"
			      "echo new >../${D##*.}") == 0);
	}
	return NULL;
}

static void expect_files_are_private(bool as_nobody)
{
	struct places places;
	struct inside inside;

	SKIP_UNLESS_POSSIBLE(as_nobody);
	make_places(&places, as_nobody);
	go_inside(&inside, &(struct stay){ as_nobody, 0, NULL, change_files, &places });
	expect_unchanged(&places); /* while somebody is in there, and after */
	leave(&inside);
	expect_unchanged(&places);
	remove_places(&places);
}

static void test_files_are_private(void **state)
{
	(void)state;
	expect_files_are_private(false);
}

static void test_files_are_private_for_an_ordinary_user(void **state)
{
	(void)state;
	expect_files_are_private(true);
}

static const char *write_much(const void *data)
{
	static const char block[64 << 10];
	const struct places *places = data;
	ssize_t n = 0;
	int fd;

	EXPECT(chdir(places->directory[0]) == 0);
	EXPECT((fd = open("kept", O_WRONLY | O_TRUNC)) >= 0);
	for (unsigned int i = 0; i < 32 && n >= 0; i++)
		n = write(fd, block, sizeof(block));
	EXPECT(n == -1 && errno == ENOSPC);
	return NULL;
}

static void test_what_is_written_is_bounded(void **state)
{
	struct places places;
	struct inside inside;

	(void)state;
	SKIP_UNLESS_POSSIBLE(false);
	make_places(&places, false);
	go_inside(&inside, &(struct stay){ false, 1 << 20, NULL, write_much, &places });
	expect_unchanged(&places);
	leave(&inside);
	remove_places(&places);
}

/* Root, but of a namespace of users, as in a container: what was mounted before holds together. */
static const char *be_root_of_namespace(const void *data)
{
	static const char *const maps[] = { "/proc/self/uid_map", "/proc/self/gid_map" };
	int fd;

	(void)data;
	EXPECT(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
	EXPECT((fd = open("/proc/self/setgroups", O_WRONLY)) >= 0 && dprintf(fd, "deny") > 0);
	for (size_t i = 0; i < ARRAY_LENGTH(maps); i++)
		EXPECT((fd = open(maps[i], O_WRONLY)) >= 0 && dprintf(fd, "0 0 1") > 0);
	return NULL;
}

static void test_files_are_private_in_a_container(void **state)
{
	struct places places;
	struct inside inside;

	(void)state;
	SKIP_UNLESS_POSSIBLE(true); /* as if we were not root */
	make_places(&places, false);
	go_inside(&inside,
		  &(struct stay){ false, 0, be_root_of_namespace, change_files, &places });
	expect_unchanged(&places);
	leave(&inside);
	remove_places(&places);
}

/* As many as the kernel allows on top of each other: they cannot be below one more. */
static const char *stack_overlays(void)
{
	EXPECT(mkdir("stacked", 0777) == 0 && chmod("stacked", 0777) == 0);
	EXPECT(mkdir("mounted/1", 0777) == 0 && mkdir("mounted/2", 0777) == 0);
	EXPECT(chmod("mounted/1", 0777) == 0 && mkdir("mounted/3", 0777) == 0);
	EXPECT(mount("overlay", "stacked", "overlay", 0, "lowerdir=full:beside") == 0);
	EXPECT(mount("overlay", "stacked", "overlay", 0,
		     "lowerdir=stacked,upperdir=mounted/1,workdir=mounted/2") == 0);
	EXPECT(chmod("stacked", 0777) == 0);
	return NULL;
}

/* A file system in a directory with files, and a file over a file. */
static const char *mount_below(const void *data)
{
	const struct places *places = data;
	const char *directory = places->directory[1];
	static char big[80 << 10];
	int fd;

	EXPECT(chdir(directory) == 0);
	EXPECT(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	EXPECT((fd = open("big", O_WRONLY | O_CREAT | O_EXCL, 0644)) >= 0);
	EXPECT(write(fd, big, sizeof(big)) == sizeof(big) && fchown(fd, NOBODY, NOBODY) == 0);
	EXPECT(symlink("kept", "link") == 0 && mkdir("mounted", 0755) == 0);
	EXPECT(mkdir("beside", 0755) == 0 && chown("beside", NOBODY, NOBODY) == 0);
	EXPECT(mount("tmpfs", "mounted", "tmpfs", 0, "mode=1777") == 0);
	EXPECT(mount("kept", "gone", NULL, MS_BIND, NULL) == 0);
	return stack_overlays();
}

static const char *look_beside_mounts(const void *data)
{
	(void)data;
	EXPECT(system("set -e\n"
		      "test $(cat link) = old; echo new >kept; test $(cat link) = new\n"
		      "test $(stat -c %a kept) = 644\n"
		      "echo newer >made; mv made kept; test $(cat kept) = newer\n"
		      "echo new >mounted/made; echo new >beside/made\n"
		      "test $(wc -c <big) = 81920; test $(cat stacked/file) = old") == 0);
	EXPECT(open("stacked/made", O_WRONLY | O_CREAT, 0644) == -1 && errno == EROFS);
	EXPECT(open("gone", O_WRONLY) == -1 && errno == EROFS); /* it is mounted by itself */
	EXPECT(system("test $(cat gone) = old") == 0);
	return NULL;
}

static const char *look_beside_mounts_as_nobody(const void *data)
{
	EXPECT(open("big", O_WRONLY) == -1 && errno == EROFS);
	return look_beside_mounts(data);
}

static void expect_files_beside_mounts_are_private(bool as_nobody)
{
	static const char *const more[] = { "big", "link", "mounted", "beside", "stacked" };
	struct places places;
	struct inside inside;
	char path[128];

	SKIP_UNLESS_POSSIBLE(as_nobody);
	if (geteuid() != 0)
		SKIP_BECAUSE("only root can mount");
	make_places(&places, as_nobody);
	go_inside(&inside,
		  &(struct stay){ as_nobody, 0, mount_below,
				  as_nobody ? look_beside_mounts_as_nobody : look_beside_mounts,
				  &places });
	expect_unchanged(&places);
	expect_content(places.directory[1], "beside/made", NULL);
	leave(&inside);
	for (size_t i = 0; i < ARRAY_LENGTH(more); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", places.directory[1], more[i]);
		assert_int_equal(remove(path), 0);
	}
	remove_places(&places);
}

static void test_files_beside_mounts_are_private(void **state)
{
	(void)state;
	expect_files_beside_mounts_are_private(false);
}

static void test_files_beside_mounts_are_private_for_an_ordinary_user(void **state)
{
	(void)state;
	expect_files_beside_mounts_are_private(true);
}

/* Servers outside */

struct servers {
	struct sockaddr_in internet;
	struct sockaddr_un named, abstract;
	int fd[3];
	key_t key;
	int memory;
	char names[64]; /* the namespace of the host's name */
};

static int connect_to(const void *address, socklen_t bytes)
{
	AUTO_CLOSE int fd = socket(((const struct sockaddr *)address)->sa_family,
				   SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	return connect(fd, address, bytes) < 0 ? -errno : 0;
}

static int serve_at(const void *address, socklen_t bytes)
{
	int fd = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM | SOCK_CLOEXEC,
			0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, address, bytes), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static void start_servers(struct servers *servers, const char *directory)
{
	socklen_t bytes = sizeof(servers->internet);

	*servers = (struct servers){
		.internet = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
		.named = { .sun_family = AF_UNIX },
		.abstract = { .sun_family = AF_UNIX },
		.key = 0x7e000000 | getpid(),
	};
	(void)snprintf(servers->named.sun_path, sizeof(servers->named.sun_path), "%s/socket",
		       directory);
	(void)snprintf(servers->abstract.sun_path + 1, sizeof(servers->abstract.sun_path) - 1,
		       "tendril-sandbox-%d", getpid());
	servers->fd[0] = serve_at(&servers->internet, sizeof(servers->internet));
	servers->fd[1] = serve_at(&servers->named, sizeof(servers->named));
	servers->fd[2] = serve_at(&servers->abstract, sizeof(servers->abstract));
	assert_int_equal(getsockname(servers->fd[0], (struct sockaddr *)&servers->internet, &bytes),
			 0);
	assert_int_equal(chmod(servers->named.sun_path, 0777), 0);
	servers->memory = shmget(servers->key, 4096, IPC_CREAT | IPC_EXCL | 0666);
	assert_true(servers->memory >= 0);
	assert_true(readlink("/proc/self/ns/uts", servers->names, sizeof(servers->names)) > 0);
	/* From outside they can be reached. */
	assert_int_equal(connect_to(&servers->internet, sizeof(servers->internet)), 0);
	assert_int_equal(connect_to(&servers->named, sizeof(servers->named)), 0);
	assert_int_equal(connect_to(&servers->abstract, sizeof(servers->abstract)), 0);
}

static void stop_servers(const struct servers *servers)
{
	for (size_t i = 0; i < ARRAY_LENGTH(servers->fd); i++)
		close(servers->fd[i]);
	assert_int_equal(unlink(servers->named.sun_path), 0);
	assert_int_equal(shmctl(servers->memory, IPC_RMID, NULL), 0);
}

static const char *look_for_servers(const void *data)
{
	const struct servers *servers = data;
	struct sockaddr_in own = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(own);
	char names[64] = "";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT(connect_to(&servers->internet, sizeof(servers->internet)) == -ECONNREFUSED);
	EXPECT(connect_to(&servers->abstract, sizeof(servers->abstract)) == -ECONNREFUSED);
	EXPECT(access(servers->named.sun_path, F_OK) == 0);
	EXPECT(connect_to(&servers->named, sizeof(servers->named)) == -ECONNREFUSED);
	EXPECT(bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0 && listen(fd, 1) == 0);
	EXPECT(getsockname(fd, (struct sockaddr *)&own, &bytes) == 0);
	EXPECT(connect_to(&own, sizeof(own)) == 0);
	EXPECT(shmget(servers->key, 4096, 0) == -1 && errno == ENOENT);
	EXPECT(readlink("/proc/self/ns/uts", names, sizeof(names)) > 0); /* of the host's name */
	EXPECT(strncmp(names, servers->names, sizeof(names)) != 0);
	return NULL;
}

static void expect_nobody_is_reached(bool as_nobody)
{
	struct places places;
	struct servers servers;
	struct inside inside;

	SKIP_UNLESS_POSSIBLE(as_nobody);
	make_places(&places, as_nobody);
	start_servers(&servers, places.directory[0]);
	go_inside(&inside, &(struct stay){ as_nobody, 0, NULL, look_for_servers, &servers });
	leave(&inside);
	stop_servers(&servers);
	remove_places(&places);
}

static void test_nobody_outside_is_reached(void **state)
{
	(void)state;
	expect_nobody_is_reached(false);
}

static void test_nobody_outside_is_reached_by_an_ordinary_user(void **state)
{
	(void)state;
	expect_nobody_is_reached(true);
}

/* What is the same inside */

struct self {
	uid_t user;
	gid_t group;
	char directory[64];
	mode_t mask;
	struct stat file, base[ARRAY_LENGTH(bases)];
};

static bool may_make(const char *directory)
{
	return mkdir(directory, 0755) == 0 && rmdir(directory) == 0;
}

static const char *compare_self(const void *data)
{
	const struct self *self = data;
	char directory[64];
	struct stat file, base;

	EXPECT(umask(0) == self->mask);
	EXPECT(getuid() == self->user && geteuid() == self->user);
	EXPECT(getgid() == self->group && getegid() == self->group);
	EXPECT(getcwd(directory, sizeof(directory)) && strcmp(directory, self->directory) == 0);
	EXPECT(stat("kept", &file) == 0);
	EXPECT(file.st_uid == self->user && file.st_gid == self->group);
	EXPECT(file.st_mode == self->file.st_mode && file.st_size == self->file.st_size);
	EXPECT(open("/dev/null", O_RDWR) >= 0);
	EXPECT(open("/proc/self/status", O_RDONLY) >= 0);
	EXPECT(open("/proc/sys/kernel/core_pattern", O_WRONLY) == -1 &&
	       (errno == EROFS || (errno == EACCES && self->user != 0)));
	EXPECT(!may_make("/sys/fs/cgroup/tendril-sandbox"));
	EXPECT(system("test -x /bin/sh && test -r /etc/passwd") == 0);
	for (size_t i = 0; i < ARRAY_LENGTH(bases); i++) {
		EXPECT(stat(bases[i], &base) == 0 && base.st_mode == self->base[i].st_mode);
		EXPECT(self->user != 0 || base.st_uid == self->base[i].st_uid);
	}
	/* Nobody gains rights by it. */
	EXPECT(self->user == 0 || system("! test -w / && ! test -w /usr && ! test -w /etc") == 0);
	return NULL;
}

static void expect_self_is_the_same(bool as_nobody)
{
	AUTO_FREE char *before = NULL, *within = NULL;
	struct places places;
	struct inside inside;
	struct self self = { 0 };
	size_t bytes;

	SKIP_UNLESS_POSSIBLE(as_nobody);
	make_places(&places, as_nobody);
	self.user = as_nobody ? NOBODY : getuid();
	self.group = as_nobody ? NOBODY : getgid();
	(void)snprintf(self.directory, sizeof(self.directory), "%s", places.directory[1]);
	AUTO_CLOSE int back = open(".", O_DIRECTORY | O_PATH | O_CLOEXEC);
	assert_int_equal(chdir(self.directory), 0);
	assert_int_equal(stat("kept", &self.file), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(bases); i++)
		assert_int_equal(stat(bases[i], &self.base[i]), 0);
	self.mask = umask(027);
	(void)umask(self.mask);
	assert_int_equal(proc_read_file(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &before, &bytes),
			 0);
	go_inside(&inside, &(struct stay){ as_nobody, 0, NULL, compare_self, &self });
	assert_int_equal(proc_read_file(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &within, &bytes),
			 0);
	leave(&inside);
	assert_string_equal(within, before); /* nothing is mounted outside */
	assert_int_equal(fchdir(back), 0);
	remove_places(&places);
}

static void test_self_is_the_same(void **state)
{
	(void)state;
	expect_self_is_the_same(false);
}

static void test_self_is_the_same_for_an_ordinary_user(void **state)
{
	(void)state;
	expect_self_is_the_same(true);
}

/* What is not permitted.  A namespace of users has limits of its own: no one else is troubled. */

static const char *forbid(const char *what)
{
	char path[128];
	int fd;

	EXPECT(unshare(CLONE_NEWUSER) == 0);
	EXPECT((fd = open("/proc/self/uid_map", O_WRONLY)) >= 0);
	EXPECT(dprintf(fd, "0 %d 1", NOBODY) > 0);
	(void)snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", what);
	EXPECT((fd = open(path, O_WRONLY)) >= 0);
	EXPECT(dprintf(fd, "0") > 0);
	return NULL;
}

static const char *drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	EXPECT(syscall(SYS_capset, &header, none) == 0);
	EXPECT(prctl(PR_SET_DUMPABLE, 1) == 0);
	return NULL;
}

static void expect_refusal(const char *what, bool drop, const char *wanted)
{
	const char *wrong = "";
	struct tendril_error error = { 0 };
	int answer[2], status;
	char text[ANSWER_BYTES] = "";
	pid_t pid;

	assert_int_equal(pipe2(answer, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		wrong = become_nobody() ? forbid(what) : "cannot become nobody";
		if (!wrong && drop)
			wrong = drop_capabilities();
		if (!wrong)
			wrong = enter_and_look(0, NULL, NULL, &error);
		_exit(wrong && write(answer[1], wrong, strlen(wrong)) < 0);
	}
	close(answer[1]);
	assert_true(read(answer[0], text, sizeof(text) - 1) >= 0);
	close(answer[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (strncmp(text, wanted, strlen(wanted)) != 0)
		fail_msg("'%s' does not begin with '%s'", text, wanted);
}

static const char *lose_directory(const void *data)
{
	char path[] = "/tmp/tendril-sandbox.XXXXXX";

	(void)data;
	EXPECT(mkdtemp(path) && chdir(path) == 0 && rmdir(path) == 0);
	return NULL;
}

static void test_a_directory_that_is_gone_is_named(void **state)
{
	struct inside inside;

	(void)state;
	go_inside(&inside, &(struct stay){ .before = lose_directory });
	close(inside.go);
	assert_int_equal(waitpid(inside.pid, NULL, 0), inside.pid);
	assert_string_equal(inside.answer, "no sandbox: the working directory has no path: "
					   "No such file or directory");
}

static void test_what_is_not_permitted_is_named(void **state)
{
	(void)state;
	SKIP_UNLESS_POSSIBLE(true);
	expect_refusal("mnt", false,
		       "no sandbox: no new mount namespace: No space left on device "
		       "(sysctls user.max_*_namespaces)");
	expect_refusal("net", false, "no sandbox: no new network namespace: ");
	expect_refusal("user", true,
		       "no sandbox: without CAP_SYS_ADMIN it needs a user namespace (");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_are_sound),
		cmocka_unit_test(test_opening),
		cmocka_unit_test(test_commands_of_fcntl_and_ioctl),
		cmocka_unit_test(test_waiting_or_not),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_shared_handles),
		cmocka_unit_test(test_each_field_is_compared),
		cmocka_unit_test(test_a_line_must_fit_every_way_to_leak),
		cmocka_unit_test(test_a_line_must_fit_all_that_is_left),
		cmocka_unit_test(test_lines_are_counted),
		cmocka_unit_test(test_wrong_lines_are_named),
		cmocka_unit_test(test_files_that_cannot_be_read),
		cmocka_unit_test(test_files_are_private),
		cmocka_unit_test(test_files_are_private_for_an_ordinary_user),
		cmocka_unit_test(test_files_are_private_in_a_container),
		cmocka_unit_test(test_files_beside_mounts_are_private),
		cmocka_unit_test(test_files_beside_mounts_are_private_for_an_ordinary_user),
		cmocka_unit_test(test_what_is_written_is_bounded),
		cmocka_unit_test(test_nobody_outside_is_reached),
		cmocka_unit_test(test_nobody_outside_is_reached_by_an_ordinary_user),
		cmocka_unit_test(test_self_is_the_same),
		cmocka_unit_test(test_self_is_the_same_for_an_ordinary_user),
		cmocka_unit_test(test_what_is_not_permitted_is_named),
		cmocka_unit_test(test_a_directory_that_is_gone_is_named),
	};

	/* A directory that everybody may be in. */
	if (chdir("/") < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
