/* SPDX-License-Identifier: BSD-2-Clause */
/* report.c - what the forms of the report share: names, places, titles, the replay's command */
#include "faults/report.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "faults/errnos.h"

size_t faults_count_leaks(const struct faults_result *result)
{
	size_t n = 0;

	for (size_t i = 0; i < result->n_findings; i++)
		n += faults_is_leak(&result->findings[i]);
	return n;
}

const char *faults_fails_name(enum faults_fails fails)
{
	static const char *const names[] = {
		[FAULTS_FAILS_BY_TYPE] = "type", [FAULTS_FAILS_NEGATIVE] = "ret<0",
		[FAULTS_FAILS_ZERO] = "ret==0",	 [FAULTS_FAILS_NONZERO] = "ret!=0",
		[FAULTS_FAILS_EXIT] = "exit",
	};

	return (size_t)fails < ARRAY_SIZE(names) ? names[fails] : "unknown";
}

/* The replay's command */

/* Does a shell take the word as it is? */
static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-./:=,+@%";

	return *word && word[strspn(word, plain)] == '\0';
}

/* Would a terminal obey it, or an editor break it? */
static bool is_showable(const char *word)
{
	char *shown = output_escape(word);
	bool is_same = shown && !strcmp(shown, word);

	free(shown);
	return is_same;
}

/* $'...', which bash, zsh and ksh know: nothing in it is a byte that cannot be shown. */
static void write_escaped_word(FILE *out, const char *word)
{
	(void)fputs("$'", out);
	for (const unsigned char *s = (const unsigned char *)word; *s; s++) {
		if (*s == '\'' || *s == '\\')
			(void)fprintf(out, "\\%c", *s);
		else if (*s >= 0x20 && *s < 0x7f)
			putc(*s, out);
		else /* three digits: the next character cannot be taken for a fourth */
			(void)fprintf(out, "\\%03o", *s);
	}
	putc('\'', out);
}

static void write_word(FILE *out, const char *word)
{
	putc(' ', out);
	if (is_plain(word)) {
		(void)fputs(word, out);
		return;
	}
	if (!is_showable(word)) {
		write_escaped_word(out, word);
		return;
	}
	putc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			(void)fputs("'\\''", out);
		else
			putc(*word, out);
	}
	putc('\'', out);
}

/* "--jobs=3" as two words; an option whose value begins with a dash is taken all the same. */
static void write_option(FILE *out, const char *option, const char *value)
{
	(void)fprintf(out, " %s", option);
	write_word(out, value);
}

/* All that decides which cases there are, and how each of them goes. */
static void write_options(FILE *out, const struct faults_style *style)
{
	const struct faults_options *asked = style->asked;

	for (size_t i = 0; i < asked->n_functions; i++)
		write_option(out, "-f", asked->functions[i]);
	for (size_t i = 0; i < asked->n_libraries; i++)
		write_option(out, "--library", asked->libraries[i]);
	if (asked->fails != FAULTS_FAILS_BY_TYPE)
		write_option(out, "--fails-when", faults_fails_name(asked->fails));
	(void)fprintf(out, "%s%s%s%s%s%s", asked->whole_program ? " --main" : "",
		      asked->alloc ? " --alloc" : "", asked->pairs ? " --pairs" : "",
		      asked->rerun ? " --rerun" : "", asked->unlikely ? " --unlikely" : "",
		      style->sandbox ? " --sandbox" : "");
	if (asked->calls == UINT_MAX)
		(void)fputs(" --calls all", out);
	else if (asked->calls)
		(void)fprintf(out, " --calls %u", asked->calls);
	if (asked->case_ns)
		(void)fprintf(out, " --case-timeout %g", (double)asked->case_ns / NS_PER_S);
	if (asked->memory_bytes)
		(void)fprintf(out, " --memory %" PRIu64, asked->memory_bytes);
}

char *faults_replay_command(const struct faults_style *style, const struct faults_case *what)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	(void)fputs("tendril faults", out);
	write_options(out, style);
	write_option(out, "--replay", what->id);
	(void)fputs(" --", out);
	for (char *const *word = style->asked->argv; *word; word++)
		write_word(out, *word);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

char *faults_asked_names(const struct faults_options *asked)
{
	const char *between = "";
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	for (size_t i = 0; i < asked->n_functions; i++, between = ", ")
		(void)fprintf(out, "%s%s", between, asked->functions[i]);
	for (size_t i = 0; i < asked->n_libraries; i++, between = ", ")
		(void)fprintf(out, "%s%s!*", between, asked->libraries[i]);
	if (asked->whole_program)
		(void)fprintf(out, "%smain", between);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Steps */

struct text faults_call_name(const struct faults_step *step)
{
	const char *name = faults_step_name(step->step);
	struct text text;

	if (name)
		return lines_escape(name);
	(void)snprintf(text.s, sizeof(text.s), "system call %d", step->step);
	return text;
}

struct text faults_error_name(int error)
{
	const char *name = errnos_name(error);
	struct text text;

	if (name)
		return lines_escape(name);
	(void)snprintf(text.s, sizeof(text.s), "error %d", error);
	return text;
}

const struct faults_step *faults_first_step(const struct faults_finding *finding)
{
	return finding->n_cases && finding->cases[0].n_failed ? &finding->cases[0].failed[0] : NULL;
}

const struct faults_step *faults_last_step(const struct faults_finding *finding)
{
	size_t n = finding->n_cases ? finding->cases[0].n_failed : 0;

	return n ? &finding->cases[0].failed[n - 1] : NULL;
}

/* What is left */

struct text faults_left_text(const struct faults_left *left)
{
	const char *kind = left->kind ? left->kind : "other";
	struct text text, what = { "" };

	if (left->what && *left->what)
		what = lines_escape(left->what);
	switch (left->type) {
	case FAULTS_LEFT_MAPPING:
		(void)snprintf(text.s, sizeof(text.s), "mapping of %" PRId64 " bytes%s%.900s",
			       left->number, *what.s ? "  " : "", what.s);
		break;
	case FAULTS_LEFT_THREAD:
	case FAULTS_LEFT_PROCESS:
		(void)snprintf(text.s, sizeof(text.s), "%s %" PRId64 "%s%.900s",
			       left->type == FAULTS_LEFT_THREAD ? "thread" : "process",
			       left->number, *what.s ? "  " : "", what.s);
		break;
	case FAULTS_LEFT_HANDLE:
	default:
		(void)snprintf(text.s, sizeof(text.s), "handle %" PRId64 "  %.60s%s%.900s",
			       left->number, lines_escape(kind).s, *what.s ? " " : "", what.s);
	}
	return text;
}

const char *faults_left_verb(const struct faults_left *left)
{
	return left->type == FAULTS_LEFT_HANDLE	 ? "opened" :
	       left->type == FAULTS_LEFT_MAPPING ? "mapped" :
						   "started";
}

static const char *kind_of(const struct faults_left *left)
{
	return left->kind ? left->kind : "handle";
}

/* How many there are of the kind of that one; 0: an earlier one has told that. */
static size_t count_kind(const struct faults_finding *finding, size_t at)
{
	const char *kind = kind_of(&finding->left[at]);
	size_t n = 0;

	for (size_t i = 0; i < finding->n_left; i++) {
		bool is_same = !strcmp(kind_of(&finding->left[i]), kind);

		if (is_same && i < at)
			return 0;
		n += is_same;
	}
	return n;
}

/* "a file", "2 x socket", "a thread and 2 x mapping", "a file, an epoll and more" */
static struct text left_summary(const struct faults_finding *finding)
{
	struct text text = { "" };
	size_t used = 0, kinds = 0;

	for (size_t i = 0; i < finding->n_left; i++) {
		size_t n = count_kind(finding, i);
		struct text kind = lines_escape(kind_of(&finding->left[i]));
		const char *article = *kind.s && strchr("aeiou", *kind.s) ? "an" : "a";

		if (n == 0)
			continue;
		if (kinds++ == 2) {
			(void)snprintf(text.s + used, sizeof(text.s) - used, " and more");
			return text;
		}
		used += (size_t)(n == 1 ? snprintf(text.s + used, sizeof(text.s) - used,
						   "%s%s %.40s", kinds > 1 ? " and " : "", article,
						   kind.s) :
					  snprintf(text.s + used, sizeof(text.s) - used,
						   "%s%zu x %.40s", kinds > 1 ? " and " : "", n,
						   kind.s));
	}
	return text;
}

/* "when fstat fails with EIO", "when openat fails with EMFILE and then read with EIO" */
static struct text circumstance(const struct faults_finding *finding)
{
	const struct faults_step *first = faults_first_step(finding);
	const struct faults_step *last = faults_last_step(finding);
	struct text text;
	int n;

	if (!first)
		return (struct text){ "with nothing made to fail" };
	n = snprintf(text.s, sizeof(text.s), "when %.60s fails with %.40s",
		     faults_call_name(first).s, faults_error_name(first->error).s);
	if (last != first)
		(void)snprintf(text.s + n, sizeof(text.s) - (size_t)n,
			       " and then %.60s with %.40s", faults_call_name(last).s,
			       faults_error_name(last->error).s);
	return text;
}

struct text faults_title(const struct faults_finding *finding)
{
	static const char *const formats[] = {
		[FAULTS_LEAK] = "keeps",
		[FAULTS_SUCCEEDED] = "succeeds and keeps",
		[FAULTS_DEFERRED] = "leaves to be closed later",
		[FAULTS_HANDED] = "hands to its caller",
		[FAULTS_CACHED] = "keeps once",
		[FAULTS_CRASHED] = "is killed by a signal",
		[FAULTS_HUNG] = "does not come back",
	};
	bool has_left = finding->verdict != FAULTS_CRASHED && finding->verdict != FAULTS_HUNG;
	const char *does = (size_t)finding->verdict < ARRAY_SIZE(formats) ?
				   formats[finding->verdict] :
				   "keeps";
	struct text text;

	(void)snprintf(text.s, sizeof(text.s), "%.500s %s%s%.100s %.300s",
		       lines_escape(finding->function).s, does, has_left ? " " : "",
		       has_left ? left_summary(finding).s : "", circumstance(finding).s);
	return text;
}

/* Places */

/* The same function by name: its parameters may be told by one and not by the other. */
static bool is_function(const struct frame *frame, const char *function)
{
	size_t a = frame->function ? strcspn(frame->function, "(") : 0;
	size_t b = function ? strcspn(function, "(") : 0;

	return a && a == b && !strncmp(frame->function, function, a);
}

size_t faults_frames_inside(const struct faults_finding *finding, const struct faults_stack *stack)
{
	if (stack->n_inside && stack->n_inside <= stack->n_frames)
		return stack->n_inside;
	/* By name, then.  From outside: a function that calls itself is left when the first of
	 * them returns. */
	for (size_t i = stack->n_frames; i-- > 0;)
		if (is_function(&stack->frames[i], finding->function))
			return i + 1;
	return stack->n_frames;
}

const struct frame *faults_place(const struct faults_finding *finding,
				 const struct faults_stack *stack)
{
	size_t n = faults_frames_inside(finding, stack), own = frames_find_own(stack->frames, n);

	if (own < n)
		return &stack->frames[own];
	/* All of it is libc's: where its source is known, but not the system call's wrapper. */
	for (size_t i = 1; i < n; i++)
		if (stack->frames[i].file && stack->frames[i].ip != stack->frames[0].ip)
			return &stack->frames[i];
	return n ? &stack->frames[n - 1] : NULL;
}

/* FNV-1a: short, and the same everywhere. */
static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
	for (const unsigned char *s = data; bytes--; s++)
		hash = (hash ^ *s) * 0x100000001b3;
	return hash;
}

uint64_t faults_fingerprint(const struct faults_finding *finding)
{
	uint64_t hash = mix(0xcbf29ce484222325, &finding->verdict, sizeof(finding->verdict));

	if (finding->function)
		hash = mix(hash, finding->function, strlen(finding->function));
	for (size_t i = 0; i < finding->n_left; i++) {
		const struct faults_left *left = &finding->left[i];

		hash = mix(hash, &left->stack.id, sizeof(left->stack.id));
		if (left->kind)
			hash = mix(hash, left->kind, strlen(left->kind));
	}
	if (finding->n_left == 0 && faults_first_step(finding)) /* a crash is where it came from */
		hash = mix(hash, &faults_first_step(finding)->stack.id, sizeof(uint64_t));
	return hash;
}
