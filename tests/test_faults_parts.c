/* SPDX-License-Identifier: BSD-2-Clause */
/* test_faults_parts.c - the errors that calls are given, accepted findings, the box that holds the copies */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "faults/errnos.h"
#include "faults/suppress.h"

#include <cmocka.h> /* behind base.h: its macro fail() is not our function */

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
	assert_true(may(SYS_open, 1, O_WRONLY | O_CREAT | O_EXCL, EEXIST)); /* flags are the second here */
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
	static const long never[] = { SYS_exit, SYS_exit_group, SYS_futex, SYS_brk, SYS_rt_sigaction,
				      SYS_rt_sigprocmask, SYS_sigaltstack, SYS_set_robust_list, SYS_rseq,
				      SYS_arch_prctl, SYS_sched_yield, SYS_getpid, SYS_clock_gettime };
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
	int handles[2] = { -1, -1 }, one = -1;

	assert_int_equal(errnos_call_shared(number, arguments, handles), n);
	assert_int_equal(errnos_call_uses_shared(number, arguments, &one), n > 0);
	assert_int_equal(one, n > 0 ? first : -1);
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
static int read_suppressions(const char *text, size_t bytes, struct faults_suppressions **ret_suppressions,
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

		assert_int_equal(read_suppressions(wrong[i].text, strlen(wrong[i].text), &suppressions,
						   &error),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
