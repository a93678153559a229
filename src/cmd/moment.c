/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/moment.h"

#include <string.h>

#include "proc/proc.h"

/* "-90s", "-15m", "-2h", "-7d" */
static bool parse_distance(const char *text, struct cmd_moment *moment)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	uint64_t number;
	const char *end = text[1] >= '0' && text[1] <= '9' ? proc_scan(text + 1, 10, &number) : NULL;

	for (size_t i = 0; end && i < ARRAY_SIZE(units); i++)
		if (*end == units[i].unit && !end[1] && number < 100000000) {
			*moment = (struct cmd_moment){ true, true,
						   (int64_t)number * units[i].seconds * NS_PER_S };
			return true;
		}
	return false;
}

/* "2026-11-23", "2026-11-23T08:00[:30]", of UTC, with or without a Z */
static bool parse_date(const char *text, struct cmd_moment *moment)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
					       "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d" };

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, formats[i], &tm);
		uint64_t fraction = 0, unit = NS_PER_S;

		if (end && *end == '.' && i < 2)
			while (*++end >= '0' && *end <= '9') {
				unit = unit > 1 ? unit / 10 : 0;
				fraction += (uint64_t)(*end - '0') * unit;
			}
		if (!end || (*end && strcmp(end, "Z") != 0) || tm.tm_year < 70 || tm.tm_year > 300)
			continue;
		*moment = (struct cmd_moment){ true, false,
					   timegm(&tm) * NS_PER_S + (int64_t)fraction };
		return true;
	}
	return false;
}

int cmd_take_moment(const struct command *command, const char *text, struct cmd_moment *moment)
{
	if (*text == '-' ? parse_distance(text, moment) : parse_date(text, moment))
		return 0;
	return cmd_usage(command, "'%s' is no time: 2026-11-23T08:00:00 (UTC), or -2h before the "
			 "log's end", text);
}

int64_t cmd_moment_ns(const struct cmd_moment *moment, int64_t last_ns, int64_t otherwise)
{
	if (!moment->is_given)
		return otherwise;
	return moment->from_end ? last_ns - moment->ns : moment->ns;
}
