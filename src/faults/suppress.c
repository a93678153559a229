/* SPDX-License-Identifier: BSD-2-Clause */
/* suppress.c - a file of findings that are accepted */
#include "faults/suppress.h"

#include <fcntl.h>
#include <string.h>

#include "faults/errnos.h"
#include "proc/proc.h"

enum field {
	FIELD_FUNCTION,
	FIELD_MODULE,
	FIELD_FILE,
	FIELD_CALL,
	FIELD_ERRNO,
	FIELD_LEFT,
	FIELD_WHAT,
	FIELD_OPENED_BY,
	FIELDS,
};

static const char *const field_names[FIELDS] = {
	[FIELD_FUNCTION] = "function", [FIELD_MODULE] = "module",	[FIELD_FILE] = "file",
	[FIELD_CALL] = "call",	       [FIELD_ERRNO] = "errno",		[FIELD_LEFT] = "left",
	[FIELD_WHAT] = "what",	       [FIELD_OPENED_BY] = "opened-by",
};

struct suppression {
	unsigned int line;
	char *text;		   /* as it stands in the file */
	char *words;		   /* cut up; the globs point into it */
	const char *globs[FIELDS]; /* NULL: the line does not ask for it */
};

struct faults_suppressions {
	struct suppression *all;
	uint64_t *uses; /* apart, so that counting leaves the rules as they are */
	size_t n;
};

void suppressions_free(struct faults_suppressions *suppressions)
{
	if (!suppressions)
		return;
	for (size_t i = 0; i < suppressions->n; i++) {
		free(suppressions->all[i].text);
		free(suppressions->all[i].words);
	}
	free(suppressions->all);
	free(suppressions->uses);
	free(suppressions);
}

/* Reading */

struct reading {
	const char *path;
	unsigned int line;
	struct faults_suppressions *into;
	struct tendril_error *error;
};

static int fail_at(const struct reading *reading, const char *wrong, const char *word)
{
	char path[100], shown[80];

	escape_text(reading->path, path, sizeof(path));
	escape_text(word, shown, sizeof(shown));
	return fail(reading->error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
		    "%s:%u: %s: '%s'", path, reading->line, wrong, shown);
}

static enum field field_named(const char *name, size_t length)
{
	for (enum field field = 0; field < FIELDS; field++)
		if (strlen(field_names[field]) == length &&
		    !memcmp(field_names[field], name, length))
			return field;
	return FIELDS;
}

/* A name that no call, and no error, has is a slip of the pen: such a line would never fit. */
static const char *unknown_name(enum field field, const char *glob)
{
	if (strpbrk(glob, "*?"))
		return NULL;
	if (field == FIELD_CALL && faults_step_named(glob) == FAULTS_STEP_NONE)
		return "no such call";
	return field == FIELD_ERRNO && errnos_named(glob) == 0 ? "no such error" : NULL;
}

#define FIELDS_TEXT "function, module, file, call, errno, left, what, opened-by"

static int take_word(const struct reading *reading, struct suppression *suppression,
		     const char *word)
{
	const char *equals = strchr(word, '=');
	enum field field = equals ? field_named(word, (size_t)(equals - word)) : FIELDS;

	const char *wrong;

	if (!equals)
		return fail_at(reading, "not FIELD=GLOB", word);
	if (field == FIELDS)
		return fail_at(reading, "unknown field (there are " FIELDS_TEXT ")", word);
	if (!equals[1])
		return fail_at(reading, "nothing behind the =", word);
	if (suppression->globs[field])
		return fail_at(reading, "the field stands twice in the line", word);
	wrong = unknown_name(field, equals + 1);
	if (wrong)
		return fail_at(reading, wrong, word);
	suppression->globs[field] = equals + 1;
	if (field == FIELD_ERRNO && errnos_named(equals + 1)) /* EWOULDBLOCK is told as EAGAIN */
		suppression->globs[field] = errnos_name(errnos_named(equals + 1));
	return 0;
}

/* Room for one more behind n. */
static int make_room(struct faults_suppressions *suppressions)
{
	size_t n = suppressions->n, room = n ? n * 2 : 1;
	void *all, *uses;

	if (n & (n - 1)) /* room was made up to the next power of two */
		return 0;
	all = reallocarray(suppressions->all, room, sizeof(*suppressions->all));
	if (!all)
		return -ENOMEM;
	suppressions->all = all;
	uses = reallocarray(suppressions->uses, room, sizeof(*suppressions->uses));
	if (!uses)
		return -ENOMEM;
	suppressions->uses = uses;
	return 0;
}

static struct suppression *add(struct reading *reading, const char *line)
{
	struct faults_suppressions *suppressions = reading->into;
	struct suppression *suppression;

	if (make_room(suppressions) < 0)
		return NULL;
	suppression = &suppressions->all[suppressions->n];
	*suppression = (struct suppression){
		.line = reading->line,
		.text = strdup(line),
		.words = strdup(line),
	};
	suppressions->uses[suppressions->n++] = 0;
	return suppression->text && suppression->words ? suppression : NULL;
}

#define BLANKS " \t\r"

static int take_line(struct reading *reading, const char *line)
{
	struct suppression *suppression;
	char *rest, *word;
	int r = 0;

	line += strspn(line, BLANKS);
	if (*line == '\0' || *line == '#')
		return 0;
	if (reading->into->n == SUPPRESSIONS_MAX)
		return fail_at(reading, "more lines than are taken (10000)", line);
	suppression = add(reading, line);
	if (!suppression)
		return -ENOMEM;
	rest = suppression->words;
	while (r == 0 && (word = strtok_r(rest, BLANKS, &rest)) && *word != '#')
		r = take_word(reading, suppression, word);
	return r;
}

static int take_text(struct reading *reading, char *text)
{
	int r = 0;

	for (char *line; r == 0 && (line = strsep(&text, "\n"));) {
		reading->line++;
		r = take_line(reading, line);
	}
	return r;
}

static int read_text(const char *path, char **ret_text, struct tendril_error *error)
{
	AUTO_FREE char *text = NULL;
	char shown[100];
	size_t bytes;
	int r = proc_read_file(AT_FDCWD, path, SUPPRESSIONS_MAX_BYTES, &text, &bytes);

	escape_text(path, shown, sizeof(shown));
	if (r == -ESRCH) /* of a file below /proc it would mean the process */
		r = -ENOENT;
	if (r < 0)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "%s: %s", shown,
			    strerror(-r));
	if (strlen(text) != bytes)
		return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "%s: not a text: it has a zero byte", shown);
	*ret_text = text;
	text = NULL;
	return 0;
}

int suppressions_read(const char *path, struct faults_suppressions **ret_suppressions,
		      struct tendril_error *error)
{
	AUTO_FREE char *text = NULL;
	struct reading reading = { .path = path, .error = error };
	int r = read_text(path, &text, error);

	if (r < 0)
		return r;
	reading.into = calloc(1, sizeof(*reading.into));
	r = reading.into ? take_text(&reading, text) : -ENOMEM;
	if (r == -ENOMEM)
		(void)fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "out of memory");
	if (r < 0) {
		suppressions_free(reading.into);
		return r;
	}
	*ret_suppressions = reading.into;
	return 0;
}

/* Matching */

/* Only * and ?: names of C++ have brackets, which fnmatch(3) would take for sets. */
static bool fits_glob(const char *glob, const char *text)
{
	const char *star = NULL, *behind = NULL; /* the last *, and where what it stands for ends */

	while (*text) {
		if (*glob == '*') {
			star = glob++;
			behind = text;
		} else if (*glob == '?' || *glob == *text) {
			glob++;
			text++;
		} else if (star) {
			glob = star + 1;
			text = ++behind;
		} else {
			return false;
		}
	}
	return glob[strspn(glob, "*")] == '\0';
}

/* A field that the line does not ask for fits; one that is not known fits no glob. */
static bool fits(const char *glob, const char *text)
{
	return !glob || (text && fits_glob(glob, text));
}

static bool fits_path(const char *glob, const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return fits(glob, glob && !strchr(glob, '/') && slash ? slash + 1 : path);
}

/* Of two failures at once, one must have been of that kind. */
static bool fits_case(const struct suppression *suppression, const struct faults_case *tried)
{
	for (size_t i = 0; i < tried->n_failed; i++)
		if (fits(suppression->globs[FIELD_CALL], faults_step_name(tried->failed[i].step)) &&
		    fits(suppression->globs[FIELD_ERRNO], errnos_name(tried->failed[i].error)))
			return true;
	return false;
}

static bool fits_cases(const struct suppression *suppression, const struct faults_finding *finding)
{
	if (!suppression->globs[FIELD_CALL] && !suppression->globs[FIELD_ERRNO])
		return true;
	for (size_t i = 0; i < finding->n_cases; i++)
		if (!fits_case(suppression, &finding->cases[i]))
			return false;
	return finding->n_cases > 0;
}

static bool fits_stack(const char *glob, const struct faults_stack *stack)
{
	for (size_t i = 0; i < stack->n_frames; i++)
		if (fits(glob, stack->frames[i].function))
			return true;
	return !glob;
}

static bool fits_left(const struct suppression *suppression, const struct faults_finding *finding)
{
	const char *const *globs = suppression->globs;

	for (size_t i = 0; i < finding->n_left; i++) {
		const struct faults_left *left = &finding->left[i];

		if (!fits(globs[FIELD_LEFT], left->kind) || !fits(globs[FIELD_WHAT], left->what) ||
		    !fits_stack(globs[FIELD_OPENED_BY], &left->stack))
			return false;
	}
	return finding->n_left > 0 ||
	       (!globs[FIELD_LEFT] && !globs[FIELD_WHAT] && !globs[FIELD_OPENED_BY]);
}

static bool fits_finding(const struct suppression *suppression,
			 const struct faults_finding *finding)
{
	return fits(suppression->globs[FIELD_FUNCTION], finding->function) &&
	       fits_path(suppression->globs[FIELD_MODULE], finding->module) &&
	       fits_path(suppression->globs[FIELD_FILE], finding->file) &&
	       fits_cases(suppression, finding) && fits_left(suppression, finding);
}

int suppressions_match(const struct faults_suppressions *suppressions,
		       const struct faults_finding *finding)
{
	for (size_t i = 0; i < suppressions->n; i++)
		if (fits_finding(&suppressions->all[i], finding)) {
			suppressions->uses[i]++;
			return (int)i;
		}
	return -1;
}

size_t suppressions_count(const struct faults_suppressions *suppressions)
{
	return suppressions->n;
}

const char *suppressions_text(const struct faults_suppressions *suppressions, size_t index)
{
	return suppressions->all[index].text;
}

unsigned int suppressions_line(const struct faults_suppressions *suppressions, size_t index)
{
	return suppressions->all[index].line;
}

uint64_t suppressions_uses(const struct faults_suppressions *suppressions, size_t index)
{
	return suppressions->uses[index];
}
