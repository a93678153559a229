/* SPDX-License-Identifier: BSD-2-Clause */
/* leaks_output.c - where the reports of `tendril leaks` go */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/leaks_session.h"

static int fail_file(bool json, const char *path, int code)
{
	return cmd_fail_code(json, code, path);
}

int leaks_show(const struct leaks_request *request, const struct report *report,
	       const struct report_style *style)
{
	int r = request->json	? report_print_json(report, style, stdout) :
		request->folded ? report_print_folded(report, style, stdout) :
				  report_print_text(report, style, stdout);

	return r < 0 ? cmd_printed(r) : report->n_leaks ? CMD_FOUND : CMD_DONE;
}

/* A device or a pipe is written to; a file appears whole, or stays what it was. */
static bool is_replaced(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 || S_ISREG(st.st_mode);
}

static int directory_of(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	int n = !slash ? snprintf(out, PATH_MAX, ".") :
			 snprintf(out, PATH_MAX, "%.*s/", (int)(slash - path), path);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int leaks_check_save(const char *path)
{
	char directory[PATH_MAX];
	struct stat st;
	int r = directory_of(path, directory);

	if (r < 0)
		return r;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(is_replaced(path) ? directory : path, W_OK) < 0 ? -errno : 0;
}

static int write_document(FILE *out, const struct leaks_snapshot *snapshot,
			  const struct leaks_request *request, const struct report_style *style)
{
	/* Everything, of each process for itself: what a later look compares. */
	const struct report_options how = { .older_than_ns = request->older_than_ns,
					    .by_process = true };
	struct report_style whole = *style;
	struct report *report = NULL;
	int r = report_new(snapshot, &how, &report);

	whole.top = 0;
	if (r == 0)
		r = report_print_json(report, &whole, out);
	report_free(report);
	return r;
}

static int write_to(int fd, const struct leaks_snapshot *snapshot,
		    const struct leaks_request *request, const struct report_style *style)
{
	FILE *out = fdopen(fd, "w");
	int r;

	if (!out) {
		close_keeping_errno(fd);
		return -errno;
	}
	r = write_document(out, snapshot, request, style);
	if (fclose(out) == EOF && r == 0)
		r = -errno;
	return r;
}

static int replace_file(const char *path, const struct leaks_snapshot *snapshot,
			const struct leaks_request *request, const struct report_style *style)
{
	char name[PATH_MAX];
	int r, fd;

	if (snprintf(name, sizeof(name), "%s.XXXXXX", path) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_to(fd, snapshot, request, style);
	if (r == 0 && rename(name, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(name);
	return r;
}

int leaks_save(const struct leaks_request *request, const struct leaks_snapshot *snapshot,
	       const struct report_style *style)
{
	int r, fd;

	if (is_replaced(request->save)) {
		r = replace_file(request->save, snapshot, request, style);
	} else {
		fd = open(request->save, O_WRONLY | O_CLOEXEC | O_TRUNC);
		r = fd < 0 ? -errno : write_to(fd, snapshot, request, style);
	}
	return r < 0 ? fail_file(false, request->save, r) : CMD_DONE;
}
