/* SPDX-License-Identifier: BSD-2-Clause */
/* report_junit.c - the report for test runners: JUnit's XML, a test for each function */
#include <inttypes.h>
#include <string.h>

#include "faults/report.h"

struct printer {
	const struct faults_result *result;
	const struct faults_style *style;
	FILE *out;
};

/* XML */

/* One line, raw: what XML cannot hold is what a terminal must not see, and broken UTF-8. */
static void write_xml(FILE *out, const char *raw)
{
	AUTO_FREE char *escaped = output_escape(raw); /* whole: a replay's command may be long */

	for (const char *text = escaped ? escaped : ""; *text; text++)
		switch (*text) {
		case '<':
			(void)fputs("&lt;", out);
			break;
		case '>':
			(void)fputs("&gt;", out);
			break;
		case '&':
			(void)fputs("&amp;", out);
			break;
		case '"':
			(void)fputs("&quot;", out);
			break;
		default:
			putc(*text, out);
		}
}

static void write_lines(FILE *out, char *text)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		write_xml(out, line);
		putc('\n', out);
	}
}

static void write_attribute(FILE *out, const char *name, const char *text)
{
	(void)fprintf(out, " %s=\"", name);
	write_xml(out, text);
	putc('"', out);
}

/* Functions and what was found in them */

static bool is_same(const char *x, const char *y)
{
	return x == y || (x && y && !strcmp(x, y));
}

static bool is_in(const struct faults_finding *finding, const struct faults_function *function)
{
	return is_same(finding->function, function->function) &&
	       is_same(finding->module, function->module);
}

static size_t count_in(const struct printer *printer, const struct faults_function *function)
{
	size_t n = 0;

	for (size_t i = 0; i < printer->result->n_findings; i++)
		n += faults_is_leak(&printer->result->findings[i]) &&
		     is_in(&printer->result->findings[i], function);
	return n;
}

/* As a result of its own, through the text's printer. */
static char *text_of(const struct printer *printer, const struct faults_finding *finding)
{
	const struct faults_style style = { .asked = printer->style->asked,
					    .sandbox = printer->style->sandbox };
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	int r;

	if (!out)
		return NULL;
	r = faults_print_finding(finding, &style, out);
	if (fclose(out) != 0 || r < 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Not every reader takes more than one failure of a test: all leaks of the function are in it. */
static int print_failure(const struct printer *printer, const struct faults_function *function)
{
	size_t n = count_in(printer, function), told = 0;
	struct text message = { "" };

	for (size_t i = 0; i < printer->result->n_findings; i++) {
		const struct faults_finding *finding = &printer->result->findings[i];
		AUTO_FREE char *text = NULL;

		if (!faults_is_leak(finding) || !is_in(finding, function))
			continue;
		text = text_of(printer, finding);
		if (!text)
			return -ENOMEM;
		if (told++ == 0) {
			message = faults_title(finding);
			if (n > 1)
				(void)snprintf(message.s + strlen(message.s),
					       sizeof(message.s) - strlen(message.s),
					       ", and %zu more leak%s", n - 1, lines_plural(n - 1));
			(void)fputs("      <failure type=\"handle-leak\"", printer->out);
			write_attribute(printer->out, "message", message.s);
			putc('>', printer->out);
		}
		write_lines(printer->out, text);
	}
	(void)fputs("</failure>\n", printer->out);
	return 0;
}

static void print_skipped(const struct printer *printer, const struct faults_function *function)
{
	(void)fputs("      <skipped", printer->out);
	write_attribute(printer->out, "message",
			function->why	     ? function->why :
			function->calls == 0 ? "was not called" :
					       "was not explored");
	(void)fputs("/>\n", printer->out);
}

static int print_case(const struct printer *printer, const struct faults_function *function)
{
	size_t n = count_in(printer, function);
	int r = 0;

	(void)fputs("    <testcase", printer->out);
	write_attribute(printer->out, "classname",
			function->module ? lines_base_name(function->module) : "?");
	write_attribute(printer->out, "name", function->function);
	(void)fputs(n || function->explored == 0 ? ">\n" : "/>\n", printer->out);
	if (n)
		r = print_failure(printer, function);
	else if (function->explored == 0)
		print_skipped(printer, function);
	if (n || function->explored == 0)
		(void)fputs("    </testcase>\n", printer->out);
	return r;
}

static void print_counts(const struct printer *printer)
{
	const struct faults_result *result = printer->result;
	size_t failed = 0, skipped = 0;

	for (size_t i = 0; i < result->n_functions; i++) {
		size_t n = count_in(printer, &result->functions[i]);

		failed += n > 0;
		skipped += n == 0 && result->functions[i].explored == 0;
	}
	(void)fprintf(printer->out,
		      " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\"",
		      result->n_functions, failed, skipped, (double)result->elapsed_ns / NS_PER_S);
}

static int print_suite(const struct printer *printer)
{
	AUTO_FREE char *names = faults_asked_names(printer->style->asked);
	int r = 0;

	if (!names)
		return -ENOMEM;
	(void)fputs("  <testsuite", printer->out);
	write_attribute(printer->out, "name", names);
	print_counts(printer);
	(void)fputs(">\n", printer->out);
	for (size_t i = 0; r == 0 && i < printer->result->n_functions; i++)
		r = print_case(printer, &printer->result->functions[i]);
	(void)fputs("  </testsuite>\n", printer->out);
	return r;
}

int faults_print_junit(const struct faults_result *result, const struct faults_style *style,
		       FILE *out)
{
	const struct printer printer = { result, style, out };
	int r;

	(void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
	r = print_suite(&printer);
	if (r < 0)
		return r;
	(void)fputs("</testsuites>\n", out);
	return fflush(out) == EOF || ferror(out) ? -EIO : 0;
}
