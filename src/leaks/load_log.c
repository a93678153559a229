/* SPDX-License-Identifier: BSD-2-Clause */
#include "leaks/load_log.h"

#include <string.h>

#include "base/base.h"

static bool begins_with(const char *line, const char *beginning)
{
	return strncmp(line, beginning, strlen(beginning)) == 0;
}

static void keep_line(const char *line, size_t bytes, char kept[LOAD_LOG_BYTES])
{
	char raw[LOAD_LOG_BYTES];

	if (bytes >= sizeof(raw))
		bytes = sizeof(raw) - 1;
	memcpy(raw, line, bytes);
	raw[bytes] = '\0';
	escape_text(raw, kept, LOAD_LOG_BYTES);
}

/* Behind the line that it gives up with come only its own figures. */
static void take_verdict(struct load_log *log, const char *line)
{
	while (*line && !begins_with(line, "processed ") && !begins_with(line, "-- END")) {
		size_t bytes = strcspn(line, "\n");

		if (bytes > 0)
			keep_line(line, bytes, log->verdict);
		line += bytes + (line[bytes] == '\n');
	}
}

void load_log_add(struct load_log *log, const char *message)
{
	const char *begin = strstr(message, "-- BEGIN PROG LOAD LOG --\n");

	if (begins_with(message, "libbpf: "))
		message += strlen("libbpf: ");
	if (begin)
		take_verdict(log, strchr(begin, '\n') + 1);
	else if (!log->complaint[0])
		keep_line(message, strcspn(message, "\n"), log->complaint);
}
