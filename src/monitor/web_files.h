/* SPDX-License-Identifier: BSD-2-Clause */
/* web_files.h - the files of web/, embedded by scripts/embed.py */
#ifndef MONITOR_WEB_FILES_H
#define MONITOR_WEB_FILES_H

#include <stddef.h>

struct web_file {
	const char *path, *content_type, *etag;
	const unsigned char *data;
	size_t bytes;
};

extern const struct web_file web_files[]; /* ends with a path that is NULL */

#endif /* MONITOR_WEB_FILES_H */
