/* SPDX-License-Identifier: BSD-2-Clause */
/* test_seccomp.c - a target's system call filters are read before anything is touched */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "support.h"
#include "tendril/tendril.h"
#include "tracee/seccomp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

struct filter {
	int number; /* this call gets */
	uint32_t action; /* that; all others pass */
};

#define ONE_CALL_PROGRAM(filter)                                                                   \
	{                                                                                          \
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },             \
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)(filter)->number },                   \
		{ BPF_RET | BPF_K, 0, 0, (filter)->action },                                       \
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },                                      \
	}

static int install(void *param)
{
	const struct filter *filter = param;
	struct sock_filter program[] = ONE_CALL_PROGRAM(filter);
	struct sock_fprog fprog = { ARRAY_LENGTH(program), program };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog) < 0 ? -errno : 0;
}

/* What a call on a target with this filter returns; the target must be well afterwards. */
static int call_filtered(struct filter filter, struct tendril_error *error)
{
	struct target_start how = { .mode = "idle-pause", .in_child = install, .param = &filter };
	struct tendril_target *target = NULL;
	struct target victim;
	uint64_t address, value;
	char why[WHY_BYTES];
	int r;

	assert_int_equal(target_start(&victim, &how), 0);
	assert_int_equal(tendril_open(victim.pid, NULL, &target, error), 0);
	assert_int_equal(tendril_resolve(target, "getpid", &address, error), 0);
	r = tendril_call(target, address, NULL, 0, 5000, &value, error);
	if (r == 0)
		assert_int_equal(value, victim.pid);
	tendril_close(target);
	if (!target_is_well(&victim, why))
		fail_msg("the target complains: %s", why);
	target_end(&victim);
	return r;
}

static void test_filter_that_lets_pass_what_is_needed_is_no_obstacle(void **state)
{
	struct tendril_error error;

	if (geteuid() != 0)
		SKIP_BECAUSE("only CAP_SYS_ADMIN may read a filter");
	assert_int_equal(call_filtered((struct filter){ SYS_reboot, SECCOMP_RET_KILL_PROCESS },
				       &error), 0);
	/* glibc asks for clone3 first, and makes do without. */
	assert_int_equal(call_filtered((struct filter){ SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS },
				       &error), 0);
}

static void test_filter_that_would_kill_is_refused_and_names_the_call(void **state)
{
	static const uint32_t actions[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD,
					    SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO | EPERM };
	struct tendril_error error;
	char number[16];

	if (geteuid() != 0)
		SKIP_BECAUSE("only CAP_SYS_ADMIN may read a filter");
	(void)snprintf(number, sizeof(number), " %d", SYS_memfd_create);
	for (size_t i = 0; i < ARRAY_LENGTH(actions); i++) {
		assert_int_equal(call_filtered((struct filter){ SYS_memfd_create, actions[i] },
					       &error), -EACCES);
		assert_int_equal(error.rule, TENDRIL_RULE_SECCOMP);
		assert_int_equal(error.left, TENDRIL_LEFT_NOTHING);
		assert_non_null(strstr(error.text, number));
	}
}

static void start_filtered(struct target *victim, const char *mode, struct tendril_target **ret_target,
			   uint64_t *ret_address)
{
	struct target_start how = { .program = "filtered", .mode = mode };
	int64_t deadline_ns = deadline_in_ms(5000);
	struct tendril_error error;

	assert_int_equal(target_start(victim, &how), 0);
	/* It has to say that it is ready before it may write no more. */
	while (status_number(victim->pid, "Seccomp") != SECCOMP_MODE_FILTER)
		assert_true(support_again(deadline_ns));
	if (tendril_open(victim->pid, NULL, ret_target, &error) < 0 ||
	    tendril_resolve(*ret_target, "getpid", ret_address, &error) < 0)
		fail_msg("%s", error.text);
}

static void end_filtered(struct target *victim, struct tendril_target *target)
{
	tendril_close(target);
	/* What would kill it may come when it is let go: its next step has to be seen. */
	assert_true(target_is_alive(victim));
	target_end(victim);
}

/* Its filters permit what a thread needs, and not what a tracer can lead to besides: a call whose number
 * was taken away, and restart_syscall(2). */
static void test_program_that_any_other_call_kills_lives_on(void **state)
{
	static const char *const modes[] = { "busy", "sleep" };
	struct tendril_target *target;
	struct tendril_error error;
	struct target victim;
	uint64_t address, value;

	if (geteuid() != 0)
		SKIP_BECAUSE("only CAP_SYS_ADMIN may read a filter");
	for (size_t m = 0; m < ARRAY_LENGTH(modes); m++) {
		start_filtered(&victim, modes[m], &target, &address);
		for (unsigned int i = 0; i < 50; i++) {
			if (tendril_call(target, address, NULL, 0, 5000, &value, &error) < 0)
				fail_msg("%s: %s", modes[m], error.text);
			assert_int_equal(value, victim.pid);
		}
		end_filtered(&victim, target);
	}
}

/* What a thread needs is permitted; what dlopen() does besides would kill it. */
static void test_library_is_refused_where_no_file_may_be_opened(void **state)
{
	struct tendril_target *target;
	struct tendril_error error;
	struct target victim;
	uint64_t address, value;
	char path[4096];

	if (geteuid() != 0)
		SKIP_BECAUSE("only CAP_SYS_ADMIN may read a filter");
	assert_true(support_find("plug.so", path));
	start_filtered(&victim, "busy", &target, &address);
	assert_int_equal(tendril_load(target, path, 5000, NULL, &error), -EACCES);
	assert_int_equal(error.rule, TENDRIL_RULE_SECCOMP);
	assert_int_equal(error.left, TENDRIL_LEFT_NOTHING);
	assert_int_equal(tendril_call(target, address, NULL, 0, 5000, &value, &error), 0);
	end_filtered(&victim, target);
}

static void test_filter_that_was_added_later_is_judged(void **state)
{
	struct tendril_target *target;
	struct tendril_error error;
	struct target victim;
	uint64_t address, value;
	char answer[16];

	if (geteuid() != 0)
		SKIP_BECAUSE("only CAP_SYS_ADMIN may read a filter");
	start_filtered(&victim, "later", &target, &address);
	assert_int_equal(tendril_call(target, address, NULL, 0, 5000, &value, &error), 0);
	assert_int_equal(target_ask(&victim, "now", answer, sizeof(answer)), 0);
	assert_int_equal(tendril_call(target, address, NULL, 0, 5000, &value, &error), -EACCES);
	assert_int_equal(error.rule, TENDRIL_RULE_SECCOMP);
	end_filtered(&victim, target);
}

static uint32_t run(const struct sock_filter *program, size_t n, int number)
{
	const struct seccomp_data data = { .nr = number, .args = { 7 } };

	return seccomp_run(program, n, &data);
}

static void test_interpreter_computes_and_jumps(void **state)
{
	/* (nr * 2 + 1) & 0xff, held in memory, compared with 9: only nr 4 passes */
	static const struct sock_filter program[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_ALU | BPF_MUL | BPF_K, 0, 0, 2 },
		{ BPF_MISC | BPF_TAX, 0, 0, 0 },
		{ BPF_LD | BPF_IMM, 0, 0, 1 },
		{ BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0 },
		{ BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xff },
		{ BPF_ST, 0, 0, 3 },
		{ BPF_LD | BPF_MEM, 0, 0, 3 },
		{ BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 9 },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};

	assert_int_equal(run(program, ARRAY_LENGTH(program), 4), SECCOMP_RET_ALLOW);
	assert_int_equal(run(program, ARRAY_LENGTH(program), 5), SECCOMP_RET_KILL_PROCESS);
}

static void test_interpreter_takes_a_broken_program_for_one_that_kills(void **state)
{
	static const struct sock_filter beyond[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, sizeof(struct seccomp_data) },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	static const struct sock_filter endless[] = { { BPF_JMP | BPF_JA, 0, 0, UINT32_MAX } };

	assert_int_equal(run(beyond, ARRAY_LENGTH(beyond), 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(endless, ARRAY_LENGTH(endless), 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(NULL, 0, 0), SECCOMP_RET_KILL_PROCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter_that_lets_pass_what_is_needed_is_no_obstacle),
		cmocka_unit_test(test_filter_that_would_kill_is_refused_and_names_the_call),
		cmocka_unit_test(test_program_that_any_other_call_kills_lives_on),
		cmocka_unit_test(test_library_is_refused_where_no_file_may_be_opened),
		cmocka_unit_test(test_filter_that_was_added_later_is_judged),
		cmocka_unit_test(test_interpreter_computes_and_jumps),
		cmocka_unit_test(test_interpreter_takes_a_broken_program_for_one_that_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
