/* SPDX-License-Identifier: BSD-2-Clause */
/* leaks_output.c - where the reports of `tendril leaks` go */
#include "cmd/leaks_session.h"
#include "cmd/write_file.h"

int leaks_show(const struct leaks_request *request, const struct report *report,
	       const struct report_style *style)
{
	int r = request->json	? report_print_json(report, style, stdout) :
		request->folded ? report_print_folded(report, style, stdout) :
				  report_print_text(report, style, stdout);

	return r < 0 ? cmd_printed(r) : report->n_leaks ? CMD_FOUND : CMD_DONE;
}

struct document {
	const struct leaks_request *request;
	const struct leaks_snapshot *snapshot;
	const struct report_style *style;
};

static int write_document(FILE *out, const void *data)
{
	const struct document *document = data;
	/* Everything, of each process for itself: what a later look compares. */
	const struct report_options how = { .older_than_ns = document->request->older_than_ns,
					    .by_process = true };
	struct report_style whole = *document->style;
	struct report *report = NULL;
	int r = report_new(document->snapshot, &how, &report);

	whole.top = 0;
	if (r == 0)
		r = report_print_json(report, &whole, out);
	report_free(report);
	return r;
}

int leaks_save(const struct leaks_request *request, const struct leaks_snapshot *snapshot,
	       const struct report_style *style)
{
	struct document document = { request, snapshot, style };
	int r = cmd_write_file(request->save, write_document, &document);

	return r < 0 ? cmd_fail_code(false, r, request->save) : CMD_DONE;
}
