/* SPDX-License-Identifier: BSD-2-Clause */
/* report_sarif.c - the report for code scanners: SARIF 2.1.0 */
#include <inttypes.h>
#include <string.h>

#include "faults/report.h"

#define SCHEMA                                                                                     \
	"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"                      \
	"sarif-schema-2.1.0.json"

static const struct rule {
	enum faults_verdict verdict;
	const char *id, *name, *level, *text;
	bool always; /* without --all-findings, too */
} rules[] = {
	{ FAULTS_LEAK, "handle-leak", "HandleLeak", "error",
	  "A function that fails keeps what it had opened, for ever.", true },
	{ FAULTS_SUCCEEDED, "kept-after-success", "KeptAfterSuccess", "warning",
	  "A function that succeeds keeps more each time, though a step of it failed.", true },
	{ FAULTS_CRASHED, "crash-on-failure", "CrashOnFailure", "warning",
	  "A step that fails ends the process by a signal.", true },
	{ FAULTS_HUNG, "hang-on-failure", "HangOnFailure", "warning",
	  "A function does not come back when a step of it fails.", true },
	{ FAULTS_DEFERRED, "closed-later", "ClosedLater", "note",
	  "What a function that failed has opened is closed before the program ends.", false },
	{ FAULTS_HANDED, "handed-to-caller", "HandedToCaller", "note",
	  "A function that failed hands what it has opened to its caller.", false },
	{ FAULTS_CACHED, "kept-once", "KeptOnce", "note",
	  "A function keeps something that further calls do not add to.", false },
};

struct printer {
	const struct faults_result *result;
	const struct faults_style *style;
	struct json json;
};

/* Rules and messages */

static void print_text(struct json *json, const char *name, const char *text)
{
	json_object(json, name);
	json_text(json, "text", text);
	json_end_object(json);
}

static void print_tool(struct json *json)
{
	json_object(json, "tool");
	json_object(json, "driver");
	json_text(json, "name", "tendril faults");
	json_text(json, "version", tendril_version());
	json_array(json, "rules");
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		json_object(json, NULL);
		json_text(json, "id", rules[i].id);
		json_text(json, "name", rules[i].name);
		print_text(json, "shortDescription", rules[i].text);
		json_object(json, "defaultConfiguration");
		json_text(json, "level", rules[i].level);
		json_end_object(json);
		json_end_object(json);
	}
	json_end_array(json);
	json_end_object(json);
	json_end_object(json);
}

/* Places */

/* A path as a URI, relative as it is, with everything quoted that could mean something there. */
static char *uri_of(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._~/";
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	if (path[0] == '/') /* twice at its beginning would be a host */
		(void)fprintf(out, "file:///");
	for (const char *s = path + (path[0] == '/' ? strspn(path, "/") : 0); *s; s++) {
		if (strchr(plain, *s))
			putc(*s, out);
		else
			(void)fprintf(out, "%%%02X", (unsigned char)*s);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int print_physical(struct json *json, const char *file, unsigned int line)
{
	AUTO_FREE char *uri = uri_of(file);

	if (!uri)
		return -ENOMEM;
	json_object(json, "physicalLocation");
	json_object(json, "artifactLocation");
	json_text(json, "uri", uri);
	json_end_object(json);
	if (line) {
		json_object(json, "region");
		json_unsigned(json, "startLine", line);
		json_end_object(json);
	}
	json_end_object(json);
	return 0;
}

/* One location, within an object of it.  What is not known is left out; message may be NULL. */
static int print_place(struct json *json, const char *function, const char *file, unsigned int line,
		       const char *module, const char *message)
{
	int r = 0;

	if (file && *file)
		r = print_physical(json, file, line);
	else if (module && module[0] == '/')
		r = print_physical(json, module, 0);
	if (function) {
		json_array(json, "logicalLocations");
		json_object(json, NULL);
		json_text(json, "fullyQualifiedName", function);
		json_text(json, "kind", "function");
		json_end_object(json);
		json_end_array(json);
	}
	if (message)
		print_text(json, "message", message);
	return r;
}

static int print_frame_place(struct json *json, const char *name, const struct frame *frame,
			     const char *message)
{
	int r;

	json_object(json, name);
	r = print_place(json, frame ? frame->function : NULL, frame ? frame->file : NULL,
			frame ? frame->line : 0, frame ? frame->module : NULL, message);
	json_end_object(json);
	return r;
}

static int print_function_place(struct json *json, const char *name,
				const struct faults_finding *finding, const char *message)
{
	int r;

	json_object(json, name);
	r = print_place(json, finding->function, finding->file, finding->line, finding->module,
			message);
	json_end_object(json);
	return r;
}

/* Where the first thing was opened that stays; of a crash, where the step failed; else the function. */
static const struct frame *main_place(const struct faults_finding *finding)
{
	const struct faults_step *last = faults_last_step(finding);

	for (size_t i = 0; i < finding->n_left; i++) {
		const struct frame *place = faults_place(finding, &finding->left[i].stack);

		if (place)
			return place;
	}
	return finding->n_left == 0 && last ? faults_place(finding, &last->stack) : NULL;
}

/* Stacks and flows */

static int print_stack(struct json *json, const struct faults_finding *finding,
		       const struct faults_stack *stack, const char *message)
{
	size_t n = faults_frames_inside(finding, stack);
	int r = 0;

	if (n == 0)
		return 0;
	json_object(json, NULL);
	print_text(json, "message", message);
	json_array(json, "frames");
	for (size_t i = 0; r == 0 && i < n; i++) {
		json_object(json, NULL);
		r = print_frame_place(json, "location", &stack->frames[i], NULL);
		if (stack->frames[i].module)
			json_text(json, "module", stack->frames[i].module);
		json_end_object(json);
	}
	json_end_array(json);
	json_end_object(json);
	return r;
}

/* " (2 of 3)": no two stacks of a result may be the same. */
static struct text numbered(size_t i, size_t n)
{
	struct text text = { "" };

	if (n > 1)
		(void)snprintf(text.s, sizeof(text.s), " (%zu of %zu)", i + 1, n);
	return text;
}

static struct text left_message(const struct faults_finding *finding, size_t i)
{
	const struct faults_left *left = &finding->left[i];
	struct text text;

	(void)snprintf(text.s, sizeof(text.s), "%s here and left open: %.800s%.50s",
		       faults_left_verb(left), faults_left_text(left).s,
		       numbered(i, finding->n_left).s);
	return text;
}

static struct text step_message(const struct faults_case *one, size_t i)
{
	struct text text;

	(void)snprintf(text.s, sizeof(text.s), "%.100s fails with %.100s here%.50s",
		       faults_call_name(&one->failed[i]).s,
		       faults_error_name(one->failed[i].error).s, numbered(i, one->n_failed).s);
	return text;
}

static int print_stacks(struct json *json, const struct faults_finding *finding)
{
	const struct faults_case *first = finding->n_cases ? &finding->cases[0] : NULL;
	int r = 0;

	json_array(json, "stacks");
	for (size_t i = 0; r == 0 && i < finding->n_left; i++)
		r = print_stack(json, finding, &finding->left[i].stack,
				left_message(finding, i).s);
	for (size_t i = 0; r == 0 && first && i < first->n_failed; i++)
		r = print_stack(json, finding, &first->failed[i].stack,
				step_message(first, i).s);
	json_end_array(json);
	return r;
}

static int print_step_of_flow(struct json *json, const struct faults_finding *finding,
			      const struct faults_stack *stack, const char *message)
{
	int r;

	json_object(json, NULL);
	r = print_frame_place(json, "location", faults_place(finding, stack), message);
	json_end_object(json);
	return r;
}

/* Opened, failed, returned: as it happened. */
static int print_flow(struct json *json, const struct faults_finding *finding)
{
	const struct faults_case *first = finding->n_cases ? &finding->cases[0] : NULL;
	struct text text;
	int r = 0;

	for (size_t i = 0; r == 0 && i < finding->n_left; i++)
		r = print_step_of_flow(json, finding, &finding->left[i].stack,
				       left_message(finding, i).s);
	for (size_t i = 0; r == 0 && first && i < first->n_failed; i++)
		r = print_step_of_flow(json, finding, &first->failed[i].stack,
				       step_message(first, i).s);
	if (r < 0)
		return r;
	(void)snprintf(text.s, sizeof(text.s), "%.400s returned: %.400s",
		       lines_escape(finding->function).s, lines_escape(finding->returned).s);
	json_object(json, NULL);
	r = print_function_place(json, "location", finding, text.s);
	json_end_object(json);
	return r;
}

static int print_code_flows(struct json *json, const struct faults_finding *finding)
{
	int r;

	json_array(json, "codeFlows");
	json_object(json, NULL);
	json_array(json, "threadFlows");
	json_object(json, NULL);
	json_array(json, "locations");
	r = print_flow(json, finding);
	json_end_array(json);
	json_end_object(json);
	json_end_array(json);
	json_end_object(json);
	json_end_array(json);
	return r;
}

/* Results */

static struct text message_of(const struct faults_finding *finding)
{
	struct text text = faults_title(finding);
	size_t used = strlen(text.s);

	if (finding->n_left && used < sizeof(text.s))
		(void)snprintf(text.s + used, sizeof(text.s) - used, ": %.300s%s",
			       faults_left_text(&finding->left[0]).s,
			       finding->n_left > 1 ? ", and more" : "");
	return text;
}

static int print_properties(struct json *json, const struct faults_style *style,
			    const struct faults_finding *finding)
{
	const struct faults_case *first = finding->n_cases ? &finding->cases[0] : NULL;
	AUTO_FREE char *replay = NULL;

	if (first && first->id) {
		replay = faults_replay_command(style, first);
		if (!replay)
			return -ENOMEM;
	}
	json_object(json, "properties");
	json_text(json, "replay", replay);
	json_unsigned(json, "cases", finding->n_cases);
	json_bool(json, "confirmed", finding->confirmed);
	json_text(json, "returned", finding->returned);
	json_end_object(json);
	return 0;
}

static int print_locations(struct json *json, const struct faults_finding *finding)
{
	const struct frame *place = main_place(finding);
	int r;

	json_array(json, "locations");
	r = place ? print_frame_place(json, NULL, place, NULL) :
		    print_function_place(json, NULL, finding, NULL);
	json_end_array(json);
	return r;
}

static int print_result(struct printer *printer, size_t rule, const struct faults_finding *finding)
{
	struct json *json = &printer->json;
	char id[17];
	int r;

	(void)snprintf(id, sizeof(id), "%016" PRIx64, faults_fingerprint(finding));
	json_object(json, NULL);
	json_text(json, "ruleId", rules[rule].id);
	json_unsigned(json, "ruleIndex", rule);
	json_text(json, "level", rules[rule].level);
	print_text(json, "message", message_of(finding).s);
	r = print_locations(json, finding);
	if (r == 0)
		r = print_stacks(json, finding);
	if (r == 0)
		r = print_code_flows(json, finding);
	json_object(json, "partialFingerprints");
	json_text(json, "tendrilFault/v1", id);
	json_end_object(json);
	if (finding->suppressed) {
		json_array(json, "suppressions");
		json_object(json, NULL);
		json_text(json, "kind", "external");
		json_end_object(json);
		json_end_array(json);
	}
	if (r == 0)
		r = print_properties(json, printer->style, finding);
	json_end_object(json);
	return r;
}

static int print_results(struct printer *printer)
{
	const struct faults_result *result = printer->result;
	int r = 0;

	json_array(&printer->json, "results");
	for (size_t i = 0; r == 0 && i < result->n_findings; i++) {
		const struct faults_finding *finding = &result->findings[i];

		for (size_t k = 0; r == 0 && k < ARRAY_SIZE(rules); k++)
			if (rules[k].verdict == finding->verdict &&
			    (rules[k].always || printer->style->all_findings))
				r = print_result(printer, k, finding);
	}
	json_end_array(&printer->json);
	return r;
}

static void print_invocation(struct printer *printer)
{
	struct json *json = &printer->json;

	json_array(json, "invocations");
	json_object(json, NULL);
	json_bool(json, "executionSuccessful", printer->result->complete);
	json_object(json, "properties");
	json_array(json, "command");
	for (char *const *word = printer->style->asked->argv; *word; word++)
		json_text(json, NULL, *word);
	json_end_array(json);
	json_end_object(json);
	if (printer->result->note) {
		json_array(json, "toolExecutionNotifications");
		json_object(json, NULL);
		json_text(json, "level", "warning");
		print_text(json, "message", lines_escape(printer->result->note).s);
		json_end_object(json);
		json_end_array(json);
	}
	json_end_object(json);
	json_end_array(json);
}

int faults_print_sarif(const struct faults_result *result, const struct faults_style *style,
		       FILE *out)
{
	struct printer printer = { result, style, { .out = out } };
	struct json *json = &printer.json;
	int r;

	json_object(json, NULL);
	json_text(json, "$schema", SCHEMA);
	json_text(json, "version", "2.1.0");
	json_array(json, "runs");
	json_object(json, NULL);
	print_tool(json);
	print_invocation(&printer);
	r = print_results(&printer);
	json_end_object(json);
	json_end_array(json);
	json_end_object(json);
	if (r < 0)
		return r;
	return fflush(out) == EOF || ferror(out) ? -EIO : 0;
}
