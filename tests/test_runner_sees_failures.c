/* SPDX-License-Identifier: BSD-2-Clause */
/* test_runner_sees_failures.c - must fail: when this passes, no result of the runner means much */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_that_fails(void **state)
{
	assert_int_equal(1, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_that_fails) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
