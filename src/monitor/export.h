/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export.h - a log in the formats of others
 *
 * PDH-CSV is what Performance Monitor, relog and typeperf of Windows read.  There an instance is
 * called name#pid, and if its pid had been another process's in this log name_N#pid: the N is kept in
 * the log, so that nobody's name changes when another one comes or goes.
 */
#ifndef MONITOR_EXPORT_H
#define MONITOR_EXPORT_H

#include "monitor/store.h"

enum export_format {
	EXPORT_PDH_CSV = 0,
	EXPORT_CSV,         /* a line for each process and sample */
	EXPORT_JSON,        /* the same, as an object each */
	EXPORT_OPENMETRICS, /* by metric, then by process, then by time */
	EXPORT_FORMATS,
};
extern const char *const export_format_names[EXPORT_FORMATS];

struct export_options {
	enum export_format format;
	int64_t from_ns, to_ns;
	uint32_t counters;    /* bits; 0: all */
	const struct proc_selector *selectors; /* none: every process */
	size_t n_selectors;
	bool *matched;        /* for each selector, set; may be NULL */
	const char *host;     /* for PDH-CSV; raw */
};

/* Does the selector mean it, by what the log knows?  Control groups are not in it: never. */
bool export_is_selected(const struct proc_selector *selector, const struct monitor_process *process);

/* Return: 0, an error of the store, or with ferror(out) why out cannot be written. */
int export_log(struct store *store, const struct export_options *options, FILE *out);

#define EXPORT_HOST_BYTES 65 /* as many as Linux lets it have */

/* What Windows calls it, without what a counter path gives a meaning to. */
#define EXPORT_NAME_BYTES (4 * PROC_NAME_BYTES + 32)
void export_instance_name(const struct store_instance *instance, char ret_name[EXPORT_NAME_BYTES]);

/* "2026-11-23T12:04:13.250Z" */
#define EXPORT_TIME_BYTES 40
void export_time(int64_t time_ns, char ret_text[EXPORT_TIME_BYTES]);

#endif /* MONITOR_EXPORT_H */
