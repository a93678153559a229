/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load_log.h - why a BPF program could not be loaded, out of what libbpf and the verifier say
 *
 * They say much, over thousands of lines.  Kept is the first complaint, and of the verifier's log the
 * line that it gave up with.
 */
#ifndef LEAKS_LOAD_LOG_H
#define LEAKS_LOAD_LOG_H

#define LOAD_LOG_BYTES 96

struct load_log {
	char complaint[LOAD_LOG_BYTES]; /* escaped; "": none */
	char verdict[LOAD_LOG_BYTES];	/* the verifier's, escaped; "": it was not asked */
};

/* One message of libbpf's, raw. */
void load_log_add(struct load_log *log, const char *message);

#endif /* LEAKS_LOAD_LOG_H */
