/* SPDX-License-Identifier: BSD-2-Clause */
/* test_store_hostile.c - the log: damaged, changed and hostile files */
#include "store_support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* Hostile files */

static void write_log(int n)
{
	struct store *store = open_or_fail(STORE_APPEND, 0);
	struct world world;

	world_begin(&world, N_PROCESSES, 1);
	for (int i = 0; i < n; i++) {
		world_turn(&world, 1000, MONITOR_COUNTERS);
		world_shake(&world);
		append_or_fail(store, &world.sample);
	}
	assert_int_equal(store_mark(store, 0, "mark"), 0);
	store_close(store);
}

static void run_sql(const char *sql)
{
	char *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

static int open_code(enum store_mode mode, struct store_error *error)
{
	const struct store_options options = { .mode = mode };
	struct store *store = NULL;
	int r = store_open(path, &options, &store, error);

	if (r == 0)
		store_close(store);
	return r;
}

static void test_other_files(void **state)
{
	struct store_error error;
	FILE *file;

	(void)state;
	assert_int_equal(open_code(STORE_READ, &error), -ENOENT);
	run_sql("CREATE TABLE t(x); INSERT INTO t VALUES(1)");
	assert_int_equal(open_code(STORE_READ, &error), -EBADMSG);
	assert_string_equal(error.text, "is not a log of tendril");
	assert_int_equal(open_code(STORE_APPEND, &error), -EBADMSG); /* and it is not touched */
	run_sql("INSERT INTO t SELECT x FROM t");
	assert_int_equal(new_log(NULL), 0);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs("this is a letter, and no database at all, whatever its length may be; "
			  "it goes on for more than a header of one hundred bytes", file) > 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(open_code(STORE_APPEND, &error), -EBADMSG);
	assert_string_equal(error.text, "is not a log of tendril");
}

static void test_changed_logs(void **state)
{
	static const char *const changes[] = {
		"DELETE FROM instance WHERE id > 10",
		"UPDATE sample SET is_key = 0",
		"UPDATE sample SET is_key = 7",
		"UPDATE sample SET data = x'00'",
		"UPDATE sample SET data = x'00ffffffffffffffff7f'",
		"UPDATE sample SET data = 'text'",
		"UPDATE sample SET data = x'0003' || x'00' || x'ffffffff0f'",
		"UPDATE instance SET pid = -1",
		"UPDATE instance SET pid = 5",
		"UPDATE instance SET name = zeroblob(10)",
		"UPDATE instance SET name = zeroblob(10000000)",
		"UPDATE sample SET time_ms = 5000000000000 WHERE is_key",
		"INSERT INTO average VALUES(5, 1, 1, 1, x'000000')",
		"INSERT INTO average VALUES(5, 6, -1, 1, x'000000')",
		"INSERT INTO average VALUES(5, 6, 1, 1, x'')",
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct store *store;

		assert_int_equal(new_log(state), 0);
		write_log(20);
		run_sql(changes[i]);
		store = open_or_fail(STORE_READ, 0);
		if (damaged(store) != -EBADMSG)
			fail_msg("not seen: %s", changes[i]);
		assert_non_null(strstr(store_problem(store), "damaged"));
		store_close(store);
	}
}

static void test_changed_schema(void **state)
{
	struct store_error error;

	(void)state;
	write_log(3);
	run_sql("CREATE TRIGGER evil AFTER INSERT ON sample BEGIN DELETE FROM bookmark; END");
	assert_int_equal(open_code(STORE_READ, &error), -EBADMSG);
	assert_int_equal(open_code(STORE_APPEND, &error), -EBADMSG);
	run_sql("DROP TRIGGER evil; PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = "
		"replace(sql, 'is_key INTEGER', 'is_key REAL') WHERE name = 'sample'");
	assert_int_equal(open_code(STORE_READ, &error), -EBADMSG);
	run_sql("PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = "
		"replace(sql, 'is_key REAL', 'is_key INTEGER') WHERE name = 'sample'");
	assert_int_equal(open_code(STORE_READ, &error), 0);
	run_sql("PRAGMA user_version = 2");
	assert_int_equal(open_code(STORE_READ, &error), -ENOTSUP);
	assert_string_equal(error.text, "is a log of version 2; this program knows version 1");
}

static void read_all_of_it(void)
{
	const struct store_options options = { .mode = STORE_READ };
	struct store_line line = { .instance = 3, .counter = MONITOR_HANDLES };
	AUTO_FREE struct store_instance *instances = NULL;
	AUTO_FREE struct store_bookmark *marks = NULL;
	struct store *store = NULL;
	struct store_error error;
	size_t n;

	if (store_open(path, &options, &store, &error) < 0) {
		assert_true(error.text[0] && !strchr(error.text, '\n'));
		return;
	}
	if (damaged(store) < 0)
		assert_true(store_problem(store)[0] != '\0');
	(void)store_instances(store, INT64_MIN, INT64_MAX, &instances, &n);
	(void)store_bookmarks(store, &marks, &n);
	if (store_series(store, INT64_MIN, INT64_MAX, 50, &line, 1) == 0)
		free(line.points);
	store_close(store);
}

/* Bytes changed anywhere, and ends cut off: an error or a result, and never more. */
static void test_noise_in_the_file(void **state)
{
	unsigned char *good;
	struct stat status;
	struct world dice;
	int fd;

	(void)state;
	write_log(60);
	world_begin(&dice, 2, 77);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &status) == 0);
	good = malloc((size_t)status.st_size);
	assert_non_null(good);
	assert_int_equal(pread(fd, good, (size_t)status.st_size, 0), status.st_size);
	for (int turn = 0; turn < 1000; turn++) {
		assert_int_equal(pwrite(fd, good, (size_t)status.st_size, 0), status.st_size);
		for (uint64_t k = 0; k <= roll(&dice, 20); k++) {
			unsigned char byte = (unsigned char)roll(&dice, 256);

			assert_int_equal(pwrite(fd, &byte, 1,
						(off_t)roll(&dice, (uint64_t)status.st_size)), 1);
		}
		if (turn % 10 == 0)
			assert_int_equal(ftruncate(fd, (off_t)roll(&dice, (uint64_t)status.st_size)),
					 0);
		read_all_of_it();
	}
	free(good);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_other_files, new_log),
		cmocka_unit_test_setup(test_changed_logs, new_log),
		cmocka_unit_test_setup(test_changed_schema, new_log),
		cmocka_unit_test_setup(test_noise_in_the_file, new_log),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
