/* SPDX-License-Identifier: BSD-2-Clause */
/* baseline.c - an earlier look: taken over from a snapshot, or read from a document of ours */
#include "leaks/baseline.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Arrays that grow */

/* Room for one more element behind n; NULL: out of memory, the old array stays. */
static void *grown(void *array, size_t n, size_t bytes)
{
	if (n & (n - 1)) /* room was made up to the next power of two */
		return array;
	return reallocarray(array, n ? n * 2 : 1, bytes);
}

static struct baseline_process *add_process(struct baseline *baseline)
{
	struct baseline_process *processes =
		grown(baseline->processes, baseline->n_processes, sizeof(*processes));

	if (!processes)
		return NULL;
	baseline->processes = processes;
	processes[baseline->n_processes] = (struct baseline_process){ 0 };
	return &processes[baseline->n_processes++];
}

static int add_number(struct baseline_process *process, int number)
{
	int *numbers = grown(process->numbers, process->n_numbers, sizeof(*numbers));

	if (!numbers)
		return -ENOMEM;
	process->numbers = numbers;
	numbers[process->n_numbers++] = number;
	return 0;
}

static int add_site(struct baseline *baseline, const struct baseline_site *site)
{
	struct baseline_site *sites = grown(baseline->sites, baseline->n_sites, sizeof(*sites));

	if (!sites)
		return -ENOMEM;
	baseline->sites = sites;
	sites[baseline->n_sites++] = *site;
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void sort_numbers(struct baseline *baseline)
{
	for (size_t i = 0; i < baseline->n_processes; i++) {
		struct baseline_process *process = &baseline->processes[i];

		if (process->n_numbers > 1)
			qsort(process->numbers, process->n_numbers, sizeof(int), compare_numbers);
	}
}

void baseline_free(struct baseline *baseline)
{
	if (!baseline)
		return;
	for (size_t i = 0; i < baseline->n_processes; i++)
		free(baseline->processes[i].numbers);
	free(baseline->processes);
	free(baseline->sites);
	free(baseline);
}

/* From a snapshot */

bool baseline_is_told(const struct leaks_handle *handle, int64_t horizon_ns)
{
	bool may_be_young = handle->origin == LEAKS_OPENED || handle->origin == LEAKS_ASYNCHRONOUS;

	return !may_be_young || handle->opened_ns <= horizon_ns;
}

static int take_site(struct baseline *baseline, size_t process, pid_t pid,
		     const struct leaks_site *site, int64_t horizon_ns)
{
	struct baseline_site told = { .pid = pid, .id = site->id };
	int r = 0;

	for (size_t i = 0; r == 0 && i < site->n_handles; i++) {
		const struct leaks_handle *handle = &site->handles[i];

		if (!baseline_is_told(handle, horizon_ns))
			continue;
		told.count += handle->origin == LEAKS_OPENED;
		r = add_number(&baseline->processes[process], handle->number);
	}
	if (r < 0 || told.count == 0 || site->n_frames == 0)
		return r;
	return add_site(baseline, &told);
}

static int take_process(struct baseline *baseline, const struct leaks_process *process,
			int64_t horizon_ns)
{
	struct baseline_process *told = add_process(baseline);
	size_t index = baseline->n_processes - 1;
	int r = 0;

	if (!told)
		return -ENOMEM;
	told->pid = process->pid;
	told->start_ticks = process->start_ticks;
	told->ended = process->ended;
	memcpy(told->name, process->name, sizeof(told->name));
	for (size_t i = 0; r == 0 && i < process->n_sites; i++)
		r = take_site(baseline, index, process->pid, &process->sites[i],
			      process->ended ? INT64_MAX : horizon_ns);
	return r;
}

int baseline_of_snapshot(const struct leaks_snapshot *snapshot, int64_t horizon_ns,
			 struct baseline **ret_baseline)
{
	struct baseline *baseline = calloc(1, sizeof(*baseline));
	int r = 0;

	if (!baseline)
		return -ENOMEM;
	baseline->horizon_ns = horizon_ns;
	for (size_t i = 0; r == 0 && i < snapshot->n_processes; i++)
		r = take_process(baseline, &snapshot->processes[i], horizon_ns);
	if (r < 0) {
		baseline_free(baseline);
		return r;
	}
	sort_numbers(baseline);
	*ret_baseline = baseline;
	return 0;
}

/* JSON, as much as is needed to read our own documents and to step over what they may hold more */

struct reader {
	const char *at, *end;
	bool first;  /* of an object or array: no comma comes before */
	bool is_bad; /* no JSON; nothing is read any more */
	int code;    /* -ENOMEM */
};

static bool bad(struct reader *reader)
{
	reader->is_bad = true;
	reader->at = reader->end;
	return false;
}

static char peek(struct reader *reader)
{
	while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at)
		reader->at++;
	return reader->at < reader->end ? *reader->at : '\0';
}

static bool take_char(struct reader *reader, char c)
{
	if (peek(reader) != c)
		return bad(reader);
	reader->at++;
	return true;
}

static bool enter(struct reader *reader, char bracket)
{
	if (!take_char(reader, bracket))
		return false;
	reader->first = true;
	return true;
}

/* Is there one more before the closing bracket, which is taken when there is none? */
static bool more(struct reader *reader, char closing)
{
	char c = peek(reader);

	if (reader->is_bad || reader->code)
		return false;
	if (c == closing) {
		reader->at++;
		reader->first = false;
		return false;
	}
	if (!reader->first && !take_char(reader, ','))
		return false;
	reader->first = false;
	return peek(reader) != '\0' || bad(reader);
}

/* One character of a string, more than one byte when it was escaped. */
static size_t take_escaped(struct reader *reader, char out[4])
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *name = reader->at < reader->end && *reader->at ? strchr(names, *reader->at) : NULL;
	unsigned c;
	char digits[5] = "";

	if (name) {
		reader->at++;
		out[0] = values[name - names];
		return 1;
	}
	if (reader->end - reader->at < 5 || *reader->at != 'u')
		return bad(reader);
	memcpy(digits, reader->at + 1, 4);
	if (strspn(digits, "0123456789abcdefABCDEF") != 4)
		return bad(reader);
	c = (unsigned)strtoul(digits, NULL, 16);
	reader->at += 5;
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	/* Ours are controls of C1; of others (surrogates) it is enough that they stay what they are. */
	out[0] = (char)(c < 0x800 ? 0xc0 | c >> 6 : 0xe0 | c >> 12);
	out[1] = (char)(c < 0x800 ? 0x80 | (c & 0x3f) : 0x80 | (c >> 6 & 0x3f));
	out[2] = (char)(0x80 | (c & 0x3f));
	return c < 0x800 ? 2 : 3;
}

/* What does not fit is left out. */
static bool take_string(struct reader *reader, char *out, size_t bytes)
{
	size_t used = 0;

	if (!take_char(reader, '"'))
		return false;
	while (reader->at < reader->end && *reader->at != '"') {
		char text[4] = { *reader->at++ };
		size_t n = text[0] == '\\' ? take_escaped(reader, text) : 1;

		if (n && used + n < bytes) {
			memcpy(out + used, text, n);
			used += n;
		}
	}
	if (bytes)
		out[used] = '\0';
	return take_char(reader, '"');
}

static bool next_name(struct reader *reader, char *out, size_t bytes)
{
	return more(reader, '}') && take_string(reader, out, bytes) && take_char(reader, ':');
}

/* A whole number, else bad. */
static bool take_number(struct reader *reader, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;
	bool any = false;

	(void)peek(reader);
	for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
		unsigned digit = (unsigned)(*reader->at - '0');

		if (number > (max - digit) / 10)
			return bad(reader);
		number = number * 10 + digit;
		any = true;
	}
	if (!any || (reader->at < reader->end && strchr(".eE", *reader->at) && *reader->at))
		return bad(reader);
	*ret_number = number;
	return true;
}

static void skip_value(struct reader *reader)
{
	unsigned depth = 0;
	char c;

	do {
		c = peek(reader);
		if (c == '"') {
			take_string(reader, NULL, 0);
			continue;
		}
		if (c == '\0') {
			bad(reader);
			return;
		}
		if (c == '{' || c == '[')
			depth++;
		if ((c == '}' || c == ']') && depth-- == 0) {
			bad(reader);
			return;
		}
		if (depth == 0 && c != '}' && c != ']') { /* a number, true, false or null */
			size_t n = strspn(reader->at, "+-.0123456789aEeflnrstu");

			if (n == 0)
				bad(reader);
			reader->at += n;
			return;
		}
		reader->at++;
	} while (depth && !reader->is_bad);
}

/* The document */

struct head {
	bool is_ours, has_horizon;
	uint64_t version;
	char boot_id[BOOT_ID_BYTES];
};

static void parse_numbers(struct reader *reader, struct baseline_process *process)
{
	uint64_t number;

	if (!enter(reader, '['))
		return;
	while (more(reader, ']'))
		if (take_number(reader, INT_MAX, &number) && add_number(process, (int)number) < 0)
			reader->code = -ENOMEM;
}

static void parse_process(struct reader *reader, struct baseline *baseline)
{
	struct baseline_process *process = add_process(baseline);
	char name[32];
	uint64_t number;

	if (!process)
		reader->code = -ENOMEM;
	if (!process || !enter(reader, '{'))
		return;
	while (next_name(reader, name, sizeof(name))) {
		if (!strcmp(name, "pid")) {
			if (take_number(reader, INT_MAX, &number))
				process->pid = (pid_t)number;
		} else if (!strcmp(name, "start_ticks")) {
			take_number(reader, UINT64_MAX, &process->start_ticks);
		} else if (!strcmp(name, "name")) {
			take_string(reader, process->name, sizeof(process->name));
		} else if (!strcmp(name, "ended")) {
			process->ended = peek(reader) == 't';
			skip_value(reader);
		} else if (!strcmp(name, "numbers")) {
			parse_numbers(reader, process);
		} else {
			skip_value(reader);
		}
	}
}

static void parse_id(struct reader *reader, uint64_t *ret_id)
{
	char text[20], *end;

	if (!take_string(reader, text, sizeof(text)))
		return;
	*ret_id = strtoull(text, &end, 16);
	if (strlen(text) != 16 || *end)
		bad(reader);
}

/* Sites of several processes together have no PID: of those nothing can be compared. */
static void parse_site(struct reader *reader, struct baseline *baseline)
{
	struct baseline_site site = { 0 };
	char name[32];
	uint64_t number;

	if (!enter(reader, '{'))
		return;
	while (next_name(reader, name, sizeof(name))) {
		if (!strcmp(name, "id"))
			parse_id(reader, &site.id);
		else if (!strcmp(name, "count"))
			take_number(reader, UINT64_MAX, &site.count);
		else if (!strcmp(name, "pid") && peek(reader) != 'n' &&
			 take_number(reader, INT_MAX, &number))
			site.pid = (pid_t)number;
		else if (strcmp(name, "pid") != 0 || peek(reader) == 'n')
			skip_value(reader);
	}
	if (!reader->is_bad && site.pid && add_site(baseline, &site) < 0)
		reader->code = -ENOMEM;
}

static void parse_all(struct reader *reader, struct baseline *baseline,
		      void (*parse)(struct reader *, struct baseline *))
{
	if (!enter(reader, '['))
		return;
	while (more(reader, ']'))
		parse(reader, baseline);
}

static void parse_document(struct reader *reader, struct baseline *baseline, struct head *head)
{
	char name[32];
	uint64_t number;

	if (!enter(reader, '{'))
		return;
	while (next_name(reader, name, sizeof(name))) {
		if (!strcmp(name, "tendril_leaks")) {
			head->is_ours = take_number(reader, UINT64_MAX, &head->version);
		} else if (!strcmp(name, "boot_id") && peek(reader) == '"') {
			take_string(reader, head->boot_id, sizeof(head->boot_id));
		} else if (!strcmp(name, "horizon_ns")) {
			head->has_horizon = take_number(reader, INT64_MAX, &number);
			if (head->has_horizon)
				baseline->horizon_ns = (int64_t)number;
		} else if (!strcmp(name, "processes")) {
			parse_all(reader, baseline, parse_process);
		} else if (!strcmp(name, "sites")) {
			parse_all(reader, baseline, parse_site);
		} else {
			skip_value(reader);
		}
	}
}

static int judge_document(const struct reader *reader, const struct head *head,
			  struct tendril_error *error)
{
	const char *why = NULL;

	if (reader->code)
		return reader->code;
	if (reader->is_bad)
		why = "it is no JSON document, or it is cut short";
	else if (!head->is_ours || !head->has_horizon)
		why = "it was not written by tendril leaks --save";
	else if (head->version != BASELINE_VERSION)
		why = "it was written by another version of tendril";
	if (!why)
		return 0;
	return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "%s", why);
}

int baseline_parse(const char *text, size_t bytes, const char *boot_id,
		   struct baseline **ret_baseline, struct tendril_error *error)
{
	struct baseline *baseline = calloc(1, sizeof(*baseline));
	struct reader reader = { .at = text, .end = text + bytes };
	struct head head = { 0 };
	int r;

	if (!baseline)
		return -ENOMEM;
	parse_document(&reader, baseline, &head);
	if (!reader.is_bad && peek(&reader) != '\0')
		bad(&reader);
	r = judge_document(&reader, &head, error);
	if (r < 0) {
		baseline_free(baseline);
		return r;
	}
	baseline->by_name = true;
	baseline->other_boot = strcmp(head.boot_id, boot_id) != 0;
	sort_numbers(baseline);
	*ret_baseline = baseline;
	return 0;
}

/* Questions */

const struct baseline_process *baseline_find(const struct baseline *baseline,
					     const struct leaks_process *process)
{
	for (size_t i = 0; !baseline->other_boot && i < baseline->n_processes; i++)
		if (baseline->processes[i].pid == process->pid &&
		    baseline->processes[i].start_ticks == process->start_ticks)
			return &baseline->processes[i];
	return NULL;
}

bool baseline_has_number(const struct baseline_process *process, int number)
{
	return process->n_numbers && bsearch(&number, process->numbers, process->n_numbers,
					     sizeof(number), compare_numbers);
}

bool baseline_knows_name(const struct baseline *baseline, const char *name)
{
	for (size_t i = 0; baseline->by_name && i < baseline->n_processes; i++)
		if (!strcmp(baseline->processes[i].name, name))
			return true;
	return false;
}

static bool has_name(const struct baseline *baseline, pid_t pid, const char *name)
{
	for (size_t i = 0; i < baseline->n_processes; i++)
		if (baseline->processes[i].pid == pid)
			return !strcmp(baseline->processes[i].name, name);
	return false;
}

uint64_t baseline_count(const struct baseline *baseline, const char *name, uint64_t id)
{
	uint64_t most = 0;

	for (size_t i = 0; baseline->by_name && i < baseline->n_sites; i++) {
		const struct baseline_site *site = &baseline->sites[i];

		if (site->id == id && site->count > most && has_name(baseline, site->pid, name))
			most = site->count;
	}
	return most;
}
