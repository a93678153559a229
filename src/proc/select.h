/* SPDX-License-Identifier: BSD-2-Clause */
/* select.h - which processes a user means: a PID, a name, a user, a cgroup, a counter path */
#ifndef PROC_SELECT_H
#define PROC_SELECT_H

#include "proc/proc.h"

enum proc_selector_kind {
	PROC_SELECT_PID,
	PROC_SELECT_NAME,      /* a glob */
	PROC_SELECT_USER,
	PROC_SELECT_SESSION,
	PROC_SELECT_CGROUP,    /* it and all below */
	PROC_SELECT_CONTAINER, /* its id or a start of that, or its name */
};

struct proc_selector {
	enum proc_selector_kind kind;
	pid_t id;      /* of the process or session */
	uid_t uid;
	char *text;    /* glob, path or id */
	char *counter; /* of a counter path, such as "Handle Count"; else NULL */
};

/*
 * Parse `123`, `nginx`, `ngi*`, `user:NAME`, `session:N`, `cgroup:PATH`, `container:ID` or
 * `\Process(nginx)\Handle Count`.
 * Return: 0, -EINVAL (malformed), -ENOENT (no such user), -ERANGE (no possible PID), -ENOMEM.
 */
int proc_selector_parse(const char *text, struct proc_selector *ret_selector);
bool proc_selector_match(const struct proc_selector *selector, const struct proc_process *process);
void proc_selector_done(struct proc_selector *selector);

/* Is the control group of a /proc/PID/cgroup's text the one at path, or below it? */
bool proc_cgroup_is_below(const char *cgroups, const char *path);
bool proc_cgroup_has_container(const char *cgroups, const char *id);

#endif /* PROC_SELECT_H */
