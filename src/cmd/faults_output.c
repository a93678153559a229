/* SPDX-License-Identifier: BSD-2-Clause */
/* faults_output.c - where the reports of `tendril faults` go */
#include "cmd/faults_session.h"
#include "cmd/write_file.h"

typedef int (*print_fn)(const struct faults_result *result, const struct faults_style *style,
			FILE *out);

struct document {
	print_fn print;
	const struct faults_result *result;
	const struct faults_style *style;
};

static int write_document(FILE *out, const void *data)
{
	const struct document *document = data;

	return document->print(document->result, document->style, out);
}

/* A file, or nothing: what goes to stdout is printed by faults_show(). */
static int write_one(const char *path, print_fn print, const struct faults_result *result,
		     const struct faults_style *style)
{
	const struct document document = { print, result, style };
	int r = path && !faults_is_stdout(path) ? cmd_write_file(path, write_document, &document) :
						  0;

	return r < 0 ? cmd_fail_code(false, r, path) : CMD_DONE;
}

static int check_one(const struct faults_request *request, const char *path)
{
	int r = path && !faults_is_stdout(path) ? cmd_check_file(path) : 0;

	return r < 0 ? cmd_fail_code(request->json, r, path) : CMD_DONE;
}

int faults_check_files(const struct faults_request *request)
{
	int r = check_one(request, request->sarif);

	return r == CMD_DONE ? check_one(request, request->junit) : r;
}

int faults_show(const struct faults_request *request, const struct faults_options *how,
		const struct faults_result *result)
{
	print_fn print = request->json			  ? faults_print_json :
			 faults_is_stdout(request->sarif) ? faults_print_sarif :
			 faults_is_stdout(request->junit) ? faults_print_junit :
							    faults_print_text;
	const struct faults_style style = {
		.colour = print == faults_print_text && cmd_has_colours(),
		.width = cmd_terminal_width(),
		.top = request->top,
		.all_findings = request->all_findings,
		.asked = how,
		.sandbox = request->sandbox,
	};
	int sarif = write_one(request->sarif, faults_print_sarif, result, &style);
	int junit = write_one(request->junit, faults_print_junit, result, &style);
	int r = cmd_printed(print(result, &style, stdout));

	if (r != CMD_DONE || sarif != CMD_DONE || junit != CMD_DONE)
		return CMD_FAILED;
	return faults_count_leaks(result) ? CMD_FOUND : CMD_DONE;
}
