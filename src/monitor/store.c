/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.c - open a log, and look at whether it is one
 *
 * While it is written, a log is in SQLite's WAL mode: no fsync(2) a sample, readers and the writer do
 * not wait for each other, and neither SIGKILL nor a power cut damages it.  When it is closed it goes
 * back to a rollback journal, which makes it a single file again that can be read where nothing can
 * be written.
 */
#include "monitor/store_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define APPLICATION_ID 0x54647231 /* "Tdr1" */
#define SCHEMA_VERSION 1
/* No row of ours is longer, and no text; keeps a hostile file from asking for memory. */
#define ROW_BYTES_MAX (64 << 20)
#define WAIT_MS       5000

/*
 * An instance that is there still has no last_ms.  reuse counts who had the pid before, so that a
 * process is called the same for ever.  Names are blobs: they need not be text.
 */
static const struct {
	const char *name, *sql;
} schema[] = { /* by name */
	{ "average", "CREATE TABLE average(time_ms INTEGER PRIMARY KEY, end_ms INTEGER NOT NULL, "
		     "n_samples INTEGER NOT NULL, is_key INTEGER NOT NULL, data BLOB NOT NULL)" },
	{ "average_key", "CREATE INDEX average_key ON average(time_ms) WHERE is_key" },
	{ "bookmark", "CREATE TABLE bookmark(id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, "
		      "text BLOB NOT NULL)" },
	{ "boot", "CREATE TABLE boot(id INTEGER PRIMARY KEY, name TEXT NOT NULL)" },
	{ "instance", "CREATE TABLE instance(id INTEGER PRIMARY KEY, boot INTEGER NOT NULL, "
		      "pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL, reuse INTEGER NOT NULL, "
		      "uid INTEGER NOT NULL, session INTEGER NOT NULL, name BLOB NOT NULL, "
		      "container BLOB NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER)" },
	{ "instance_identity",
	  "CREATE INDEX instance_identity ON instance(pid, start_ticks, boot)" },
	{ "sample", "CREATE TABLE sample(time_ms INTEGER PRIMARY KEY, is_key INTEGER NOT NULL, "
		    "data BLOB NOT NULL)" },
	{ "sample_key", "CREATE INDEX sample_key ON sample(time_ms) WHERE is_key" },
};

/* Errors */

int store_fail(struct store *store, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(store->problem.text, sizeof(store->problem.text), format, args);
	va_end(args);
	return code;
}

int store_damaged(struct store *store, const char *what)
{
	return store_fail(store, -EBADMSG, "the log is damaged: %s", what);
}

int store_sqlite_error(struct store *store)
{
	static const struct {
		int sqlite, code;
	} codes[] = {
		{ SQLITE_CORRUPT, -EBADMSG }, { SQLITE_NOTADB, -EBADMSG },
		{ SQLITE_TOOBIG, -EBADMSG },  { SQLITE_MISMATCH, -EBADMSG },
		{ SQLITE_FULL, -ENOSPC },     { SQLITE_NOMEM, -ENOMEM },
		{ SQLITE_BUSY, -EBUSY },      { SQLITE_LOCKED, -EBUSY },
		{ SQLITE_READONLY, -EACCES }, { SQLITE_PERM, -EACCES },
		{ SQLITE_CANTOPEN, -EACCES }, { SQLITE_INTERRUPT, -EINTR },
	};
	int sqlite = store->db ? sqlite3_errcode(store->db) & 0xff : SQLITE_NOMEM;

	if (sqlite == SQLITE_NOTADB)
		return store_fail(store, -EBADMSG, "is not a log of tendril");
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].sqlite == sqlite)
			return store_fail(store, codes[i].code, "%s", sqlite3_errmsg(store->db));
	return store_fail(store, -EIO, "%s", sqlite3_errmsg(store->db));
}

void store_interrupt(struct store *store)
{
	sqlite3_interrupt(store->db);
}

const char *store_problem(const struct store *store)
{
	return store->problem.text;
}

/* Statements */

int store_run(struct store *store, const char *sql)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ?
		       0 :
		       store_sqlite_error(store);
}

static int prepare(struct store *store, sqlite3_stmt **ret_statement, const char *sql,
		   unsigned n_numbers, va_list numbers)
{
	if (sqlite3_prepare_v2(store->db, sql, -1, ret_statement, NULL) != SQLITE_OK)
		return store_sqlite_error(store);
	for (unsigned i = 0; i < n_numbers; i++)
		if (sqlite3_bind_int64(*ret_statement, (int)i + 1, va_arg(numbers, int64_t)) !=
		    SQLITE_OK)
			return store_sqlite_error(store);
	return 0;
}

int store_prepare(struct store *store, sqlite3_stmt **ret_statement, const char *sql,
		  unsigned n_numbers, ...)
{
	va_list numbers;
	int r;

	va_start(numbers, n_numbers);
	r = prepare(store, ret_statement, sql, n_numbers, numbers);
	va_end(numbers);
	return r;
}

int store_step(struct store *store, sqlite3_stmt *statement)
{
	int r = sqlite3_step(statement);

	if (r == SQLITE_ROW)
		return 1;
	return r == SQLITE_DONE ? 0 : store_sqlite_error(store);
}

int store_run_numbers(struct store *store, const char *sql, unsigned n_numbers, ...)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	va_list numbers;
	int r;

	va_start(numbers, n_numbers);
	r = prepare(store, &statement, sql, n_numbers, numbers);
	va_end(numbers);
	return r < 0 ? r : store_step(store, statement);
}

int store_number(struct store *store, const char *sql, int64_t missing, int64_t *ret_number)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(store, &statement, sql, 0);

	if (r == 0)
		r = store_step(store, statement);
	if (r < 0)
		return r;
	*ret_number = r == 0 || sqlite3_column_type(statement, 0) == SQLITE_NULL ?
			      missing :
			      sqlite3_column_int64(statement, 0);
	return 0;
}

int store_end(struct store *store, int r)
{
	if (r >= 0)
		r = store_run(store, "COMMIT");
	if (r < 0 && !sqlite3_get_autocommit(store->db)) {
		struct store_error kept = store->problem;

		(void)store_run(store, "ROLLBACK");
		store->problem = kept; /* the reason, not what followed from it */
	}
	return r;
}

int store_used(struct store *store, uint64_t *ret_bytes)
{
	int64_t pages, unused, bytes;
	int r = store_number(store, "PRAGMA page_count", 0, &pages);

	if (r == 0)
		r = store_number(store, "PRAGMA freelist_count", 0, &unused);
	if (r == 0)
		r = store_number(store, "PRAGMA page_size", 0, &bytes);
	if (r < 0)
		return r;
	*ret_bytes = (uint64_t)((pages - unused) * bytes);
	return 0;
}

/* Is it one of ours? */

/* All of the schema has to be ours: a trigger or a view would run what somebody else wrote. */
static int check_schema(struct store *store)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	size_t n = 0;
	int r = store_prepare(store, &statement,
			      "SELECT name, sql FROM sqlite_schema ORDER BY name", 0);

	while (r == 0 && (r = store_step(store, statement)) == 1) {
		const char *name = (const char *)sqlite3_column_text(statement, 0);
		const char *sql = (const char *)sqlite3_column_text(statement, 1);

		if (n == ARRAY_SIZE(schema) || !name || !sql || strcmp(name, schema[n].name) != 0 ||
		    strcmp(sql, schema[n].sql) != 0)
			return store_fail(store, -EBADMSG,
					  "is not a log of tendril: its tables are others");
		n++;
		r = 0;
	}
	if (r == 0 && n != ARRAY_SIZE(schema))
		return store_fail(store, -EBADMSG, "is not a log of tendril: tables are missing");
	return r;
}

static int create_schema(struct store *store)
{
	char header[96];
	int r;

	(void)snprintf(header, sizeof(header), "PRAGMA application_id=%d; PRAGMA user_version=%d",
		       APPLICATION_ID, SCHEMA_VERSION);
	r = store_run(store, header);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(schema); i++)
		r = store_run(store, schema[i].sql);
	return r;
}

static int check(struct store *store)
{
	int64_t application, version, objects;
	int r = store_number(store, "PRAGMA application_id", 0, &application);

	if (r == 0)
		r = store_number(store, "PRAGMA user_version", 0, &version);
	if (r == 0)
		r = store_number(store, "SELECT count(*) FROM sqlite_schema", 0, &objects);
	if (r < 0)
		return r;
	if (store->options.mode == STORE_APPEND && !application && !version && !objects)
		return create_schema(store);
	if (application != APPLICATION_ID)
		return store_fail(store, -EBADMSG, "is not a log of tendril");
	if (version != SCHEMA_VERSION)
		return store_fail(store, -ENOTSUP,
				  "is a log of version %lld; this program knows version %d",
				  (long long)version, SCHEMA_VERSION);
	return check_schema(store);
}

/* Opening */

static int open_database(struct store *store, const char *path, int flags)
{
	int r = sqlite3_open_v2(path, &store->db, flags, NULL);

	if (r != SQLITE_OK)
		return store_sqlite_error(store);
	(void)sqlite3_extended_result_codes(store->db, 1);
	(void)sqlite3_busy_timeout(store->db, WAIT_MS);
	(void)sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, ROW_BYTES_MAX);
	(void)sqlite3_limit(store->db, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	return store_run(store, "PRAGMA cell_size_check=ON");
}

/* "file:" and the path, with what a URI gives a meaning to escaped. */
static char *make_uri(const char *path, const char *query)
{
	size_t bytes = 3 * strlen(path) + strlen(query) + sizeof("file:");
	char *uri = malloc(bytes), *out = uri;

	if (!uri)
		return NULL;
	out = stpcpy(out, "file:");
	for (; *path; path++)
		if (strchr("%?#", *path))
			out += sprintf(out, "%%%02x", (unsigned char)*path);
		else
			*out++ = *path;
	(void)stpcpy(out, query);
	return uri;
}

static bool has_wal(const char *path)
{
	AUTO_FREE char *name = NULL;
	struct stat status;

	return asprintf(&name, "%s-wal", path) < 0 ||
	       (stat(name, &status) == 0 && status.st_size > 0);
}

/* A log that was copied while it was written is in WAL mode, which asks for a directory that can be
 * written.  When nothing is in the WAL, it is not needed. */
static int open_for_reading(struct store *store, const char *path)
{
	AUTO_FREE char *uri = NULL;
	int r = open_database(store, path, SQLITE_OPEN_READONLY);

	if (r == 0)
		r = check(store);
	if (r != -EACCES || access(path, R_OK) != 0)
		return r;
	if (has_wal(path))
		return store_fail(store, r, "its writer was killed, and it cannot be tidied up in a "
				  "directory that is not ours: copy it with its -wal");
	sqlite3_close(store->db);
	store->db = NULL;
	uri = make_uri(path, "?immutable=1");
	if (!uri)
		return store_fail(store, -ENOMEM, "out of memory");
	r = open_database(store, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
	return r < 0 ? r : check(store);
}

static int lock(struct store *store, const char *path)
{
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	if (store->lock_fd < 0)
		return store_fail(store, -errno, "%s", strerror(errno));
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return store_fail(store, -EBUSY, "another process is logging to it");
	return 0;
}

static int begin_boot(struct store *store)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	AUTO_FREE char *boot = NULL;
	size_t bytes = 0;
	int r = proc_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &boot, &bytes);

	if (r < 0)
		return store_fail(store, r, "/proc/sys/kernel/random/boot_id: %s", strerror(-r));
	boot[strcspn(boot, "\n")] = '\0';
	r = store_prepare(store, &statement,
			  "INSERT INTO boot(name) SELECT ?1 "
			  "WHERE NOT EXISTS (SELECT 1 FROM boot WHERE name = ?1)", 0);
	if (r == 0 && sqlite3_bind_text(statement, 1, boot, -1, SQLITE_STATIC) != SQLITE_OK)
		r = store_sqlite_error(store);
	if (r == 0)
		r = store_step(store, statement);
	if (r < 0)
		return r;
	sqlite3_finalize(statement);
	statement = NULL;
	r = store_prepare(store, &statement, "SELECT id FROM boot WHERE name = ?1", 0);
	if (r == 0 && sqlite3_bind_text(statement, 1, boot, -1, SQLITE_STATIC) != SQLITE_OK)
		r = store_sqlite_error(store);
	if (r == 0)
		r = store_step(store, statement);
	if (r == 1)
		store->writer.boot = (uint64_t)sqlite3_column_int64(statement, 0);
	return r < 0 ? r : 0;
}

static int begin_writing(struct store *store)
{
	struct store_writer *writer = &store->writer;
	int r = store_run(store, "BEGIN IMMEDIATE");

	if (r < 0)
		return r;
	r = check(store);
	if (r == 0)
		r = store_number(store,
				 "SELECT max(coalesce((SELECT max(time_ms) FROM sample), 0), "
				 "coalesce((SELECT max(end_ms) FROM average), 0))", 0,
				 &writer->last_ms);
	if (r == 0)
		r = begin_boot(store);
	r = store_end(store, r);
	if (r == 0)
		r = store_run(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
				     "PRAGMA wal_autocheckpoint=256; "
				     "PRAGMA journal_size_limit=1048576");
	return r;
}

static int open_store(struct store *store, const char *path)
{
	struct stat status;
	int r;

	if (store->options.mode == STORE_APPEND && store->options.max_bytes &&
	    store->options.max_bytes < STORE_MIN_BYTES)
		return store_fail(store, -EINVAL, "a log needs at least %u bytes",
				  STORE_MIN_BYTES);
	if (stat(path, &status) < 0) {
		if (errno != ENOENT || store->options.mode != STORE_APPEND)
			return store_fail(store, -errno, "%s", strerror(errno));
	} else if (!S_ISREG(status.st_mode)) {
		return store_fail(store, -EINVAL, "is no ordinary file");
	} else if (status.st_size == 1) { /* SQLite takes it for a new file, and would write over it */
		return store_fail(store, -EBADMSG, "is not a log of tendril");
	}
	if (store->options.mode == STORE_READ)
		return access(path, R_OK) < 0 ? store_fail(store, -errno, "%s", strerror(errno)) :
						open_for_reading(store, path);
	if (store->options.mode == STORE_MARK) {
		if (access(path, W_OK) < 0)
			return store_fail(store, -errno, "%s", strerror(errno));
		r = open_database(store, path, SQLITE_OPEN_READWRITE);
		return r < 0 ? r : check(store);
	}
	r = lock(store, path);
	if (r == 0)
		r = open_database(store, path, SQLITE_OPEN_READWRITE);
	if (r == 0) /* of a new one: most samples fit in a page */
		r = store_run(store, "PRAGMA page_size=8192");
	return r < 0 ? r : begin_writing(store);
}

int store_open(const char *path, const struct store_options *options, struct store **ret_store,
	       struct store_error *error)
{
	struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store) {
		if (error)
			(void)snprintf(error->text, sizeof(error->text), "out of memory");
		return -ENOMEM;
	}
	store->lock_fd = -1;
	store->options = *options;
	r = open_store(store, path);
	if (r < 0) {
		if (error)
			*error = store->problem;
		store->options.mode = STORE_READ; /* nothing to tidy: it may be another's file */
		store_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->db && store->options.mode == STORE_APPEND) {
		/* Without waiting: while somebody reads, it stays in WAL mode. */
		(void)sqlite3_busy_timeout(store->db, 0);
		(void)store_run(store, "PRAGMA journal_mode=DELETE");
	}
	sqlite3_close(store->db);
	close_keeping_errno(store->lock_fd); /* last: closing it would drop SQLite's own locks */
	free(store->writer.live);
	delta_state_done(&store->writer.state);
	free(store);
}

/* What there is */

int store_bounds(struct store *store, int64_t *ret_first_ms, int64_t *ret_last_ms)
{
	int64_t sample, average, last_sample, last_average, first, last;
	int r = store_number(store, "SELECT min(time_ms) FROM sample", INT64_MAX, &sample);

	if (r == 0)
		r = store_number(store, "SELECT min(time_ms) FROM average", INT64_MAX, &average);
	if (r == 0)
		r = store_number(store, "SELECT max(time_ms) FROM sample", 0, &last_sample);
	if (r == 0)
		r = store_number(store, "SELECT end_ms FROM average ORDER BY time_ms DESC LIMIT 1", 0,
				 &last_average);
	if (r < 0)
		return r;
	first = sample < average ? sample : average;
	last = last_sample > last_average ? last_sample : last_average;
	if (first == INT64_MAX)
		first = 0;
	if (first < 0 || last < first || last > INT64_MAX / NS_PER_MS)
		return store_damaged(store, "impossible times");
	*ret_first_ms = first;
	*ret_last_ms = last;
	return 0;
}

int store_range(struct store *store, struct store_range *ret_range)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	struct store_range range = { 0 };
	int64_t first, last;
	int r = store_bounds(store, &first, &last);

	if (r == 0)
		r = store_used(store, &range.n_bytes);
	if (r == 0)
		r = store_prepare(store, &statement,
				  "SELECT sum(n), sum(kept) FROM (SELECT count(*) AS n, count(*) AS "
				  "kept FROM sample UNION ALL SELECT total(n_samples), count(*) FROM "
				  "average)", 0);
	if (r == 0)
		r = store_step(store, statement);
	if (r < 0)
		return r;
	range.first_ns = store_ns(first);
	range.last_ns = store_ns(last);
	range.n_samples = (uint64_t)sqlite3_column_int64(statement, 0);
	range.n_kept = (uint64_t)sqlite3_column_int64(statement, 1);
	*ret_range = range;
	return 0;
}

static int take_bookmark(struct store *store, sqlite3_stmt *statement,
			 struct store_bookmark *bookmark)
{
	int64_t time_ms = sqlite3_column_int64(statement, 0);
	const void *text = sqlite3_column_blob(statement, 1);
	size_t bytes = (size_t)sqlite3_column_bytes(statement, 1);

	if (time_ms < 0 || time_ms > INT64_MAX / NS_PER_MS || bytes >= sizeof(bookmark->text))
		return store_damaged(store, "an impossible bookmark");
	*bookmark = (struct store_bookmark){ .time_ns = store_ns(time_ms) };
	if (bytes)
		memcpy(bookmark->text, text, bytes);
	return 0;
}

int store_bookmarks(struct store *store, struct store_bookmark **ret_bookmarks, size_t *ret_n)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	AUTO_FREE struct store_bookmark *bookmarks = NULL;
	size_t n = 0;
	int r = store_prepare(store, &statement,
			      "SELECT time_ms, text FROM bookmark ORDER BY time_ms, id", 0);

	while (r == 0 && (r = store_step(store, statement)) == 1) {
		struct store_bookmark *grown =
			reallocarray(bookmarks, n + 1, sizeof(*bookmarks));

		if (!grown)
			return store_fail(store, -ENOMEM, "out of memory");
		bookmarks = grown;
		r = take_bookmark(store, statement, &bookmarks[n++]);
	}
	if (r < 0)
		return r;
	*ret_bookmarks = bookmarks;
	bookmarks = NULL;
	*ret_n = n;
	return 0;
}

static bool take_text(sqlite3_stmt *statement, int column, char *ret_text, size_t room)
{
	const void *text = sqlite3_column_blob(statement, column);
	size_t bytes = (size_t)sqlite3_column_bytes(statement, column);

	if (bytes >= room || (bytes && memchr(text, 0, bytes)))
		return false;
	memset(ret_text, 0, room);
	if (bytes)
		memcpy(ret_text, text, bytes);
	return true;
}

int store_take_process(struct store *store, sqlite3_stmt *statement, int column,
		       struct monitor_process *ret_process)
{
	struct monitor_process process = { 0 };
	int64_t pid = sqlite3_column_int64(statement, column);
	int64_t uid = sqlite3_column_int64(statement, column + 2);
	int64_t session = sqlite3_column_int64(statement, column + 3);

	if (pid <= 0 || pid > INT32_MAX || uid < 0 || uid > UINT32_MAX || session < 0 ||
	    session > INT32_MAX)
		return store_damaged(store, "an impossible process");
	process.pid = (pid_t)pid;
	process.start_ticks = (uint64_t)sqlite3_column_int64(statement, column + 1);
	process.uid = (uid_t)uid;
	process.session = (pid_t)session;
	if (!take_text(statement, column + 4, process.name, sizeof(process.name)) ||
	    !take_text(statement, column + 5, process.container, sizeof(process.container)))
		return store_damaged(store, "an impossible name");
	*ret_process = process;
	return 0;
}

static int take_instance(struct store *store, sqlite3_stmt *statement, int64_t last_ms,
			 struct store_instance *ret_instance)
{
	struct store_instance instance = { .id = (uint64_t)sqlite3_column_int64(statement, 0),
					   .boot = (uint64_t)sqlite3_column_int64(statement, 1) };
	int64_t reuse = sqlite3_column_int64(statement, 2);
	int64_t first = sqlite3_column_int64(statement, 3);
	/* One that is there still may have come after the end of the log was asked for. */
	int64_t last = sqlite3_column_type(statement, 4) != SQLITE_NULL ?
			       sqlite3_column_int64(statement, 4) :
		       last_ms > first ? last_ms : first;
	int r = store_take_process(store, statement, 5, &instance.process);

	if (r < 0)
		return r;
	if (instance.id == 0 || instance.id > INT64_MAX || reuse < 0 || reuse > INT32_MAX ||
	    first < 0 || last < first || last > INT64_MAX / NS_PER_MS)
		return store_damaged(store, "an impossible process");
	instance.reuse = (unsigned)reuse;
	instance.first_ns = store_ns(first);
	instance.last_ns = store_ns(last);
	*ret_instance = instance;
	return 0;
}

int store_instances(struct store *store, int64_t from_ns, int64_t to_ns,
		    struct store_instance **ret_instances, size_t *ret_n)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	AUTO_FREE struct store_instance *instances = NULL;
	size_t n = 0, room = 0;
	int64_t first_ms, last_ms;
	int r = store_bounds(store, &first_ms, &last_ms);

	if (r == 0)
		r = store_prepare(store, &statement,
				  "SELECT id, boot, reuse, first_ms, last_ms, "
				  STORE_PROCESS_COLUMNS " FROM instance WHERE first_ms <= ?2 "
				  "AND coalesce(last_ms, ?3) >= ?1 ORDER BY id",
				  3, store_ms_from(from_ns), to_ns / NS_PER_MS, last_ms);
	while (r == 0 && (r = store_step(store, statement)) == 1) {
		if (n == room) {
			struct store_instance *grown;

			room = 2 * room + 64;
			grown = reallocarray(instances, room, sizeof(*grown));
			if (!grown)
				return store_fail(store, -ENOMEM, "out of memory");
			instances = grown;
		}
		r = take_instance(store, statement, last_ms, &instances[n++]);
	}
	if (r < 0)
		return r;
	*ret_instances = instances;
	instances = NULL;
	*ret_n = n;
	return 0;
}
