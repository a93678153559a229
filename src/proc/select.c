/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/select.h"

#include <fnmatch.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>

#define CGROUP_BYTES_MAX (1u << 20)
#define ID_PREFIX_MIN 4 /* so short a start of a container's id is a typing error */

static int parse_id(const char *text, pid_t *ret_id)
{
	const char *end;
	uint64_t id;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	end = proc_scan(text, 10, &id);
	if (end && *end >= '0' && *end <= '9')
		return -ERANGE; /* more than 64 bits */
	if (!end || *end)
		return -EINVAL;
	if (id == 0 || id > INT_MAX)
		return -ERANGE;
	*ret_id = (pid_t)id;
	return 0;
}

/* A user that has no name any more can be given as a number. */
static int parse_user(const char *name, uid_t *ret_uid)
{
	size_t room = 16384;
	AUTO_FREE char *buffer = malloc(room);
	struct passwd entry, *found = NULL;
	const char *end;
	uint64_t uid;

	if (!buffer)
		return -ENOMEM;
	if (getpwnam_r(name, &entry, buffer, room, &found) == 0 && found) {
		*ret_uid = found->pw_uid;
		return 0;
	}
	end = *name >= '0' && *name <= '9' ? proc_scan(name, 10, &uid) : NULL;
	if (!end || *end || uid >= UINT32_MAX)
		return -ENOENT;
	*ret_uid = (uid_t)uid;
	return 0;
}

static int set_text(struct proc_selector *selector, enum proc_selector_kind kind, const char *text,
		    size_t bytes)
{
	selector->kind = kind;
	if (bytes == 0)
		return -EINVAL;
	selector->text = strndup(text, bytes);
	return selector->text ? 0 : -ENOMEM;
}

/* `\Process(nginx)\Handle Count`, also with `\\machine` before it and `#1` in it, as typeperf has
 * it; case does not matter there, and the machine can only be this one. */
static int parse_counter(const char *text, struct proc_selector *selector)
{
	const char *open, *close;
	size_t bytes;
	int r;

	if (text[1] == '\\') {
		text = strchr(text + 2, '\\');
		if (!text)
			return -EINVAL;
	}
	if (strncasecmp(text, "\\process(", 9))
		return -EINVAL;
	open = text + 9;
	close = strstr(open, ")\\");
	if (!close || !close[2] || strchr(close + 2, '\\'))
		return -EINVAL;
	bytes = strcspn(open, "#");
	if (bytes > (size_t)(close - open))
		bytes = (size_t)(close - open);
	r = set_text(selector, PROC_SELECT_NAME, open, bytes);
	if (r < 0)
		return r;
	selector->counter = strdup(close + 2);
	return selector->counter ? 0 : -ENOMEM;
}

static bool is_number(const char *text)
{
	if (*text == '-')
		text++;
	return !text[strspn(text, "0123456789")];
}

static int parse(const char *text, struct proc_selector *selector)
{
	if (text[0] == '\\')
		return parse_counter(text, selector);
	if (!strncmp(text, "user:", 5)) {
		selector->kind = PROC_SELECT_USER;
		return parse_user(text + 5, &selector->uid);
	}
	if (!strncmp(text, "session:", 8)) {
		selector->kind = PROC_SELECT_SESSION;
		return parse_id(text + 8, &selector->id);
	}
	if (!strncmp(text, "cgroup:", 7))
		return set_text(selector, PROC_SELECT_CGROUP, text + 7, strlen(text + 7));
	if (!strncmp(text, "container:", 10)) {
		if (strlen(text + 10) < ID_PREFIX_MIN)
			return -EINVAL;
		return set_text(selector, PROC_SELECT_CONTAINER, text + 10, strlen(text + 10));
	}
	/* Negative numbers are no names of anything: they are mistyped PIDs. */
	if (is_number(text)) {
		selector->kind = PROC_SELECT_PID;
		return parse_id(text, &selector->id);
	}
	return set_text(selector, PROC_SELECT_NAME, text, strlen(text));
}

int proc_selector_parse(const char *text, struct proc_selector *ret_selector)
{
	struct proc_selector selector = { 0 };
	int r = parse(text, &selector);

	if (r < 0)
		proc_selector_done(&selector);
	else
		*ret_selector = selector;
	return r;
}

void proc_selector_done(struct proc_selector *selector)
{
	free(selector->text);
	free(selector->counter);
	*selector = (struct proc_selector){ 0 };
}

/* The path of one line "0::/path" or "4:memory:/path", and its length. */
static const char *cgroup_path(const char *line, size_t *ret_bytes)
{
	size_t bytes = strcspn(line, "\n");
	const char *colon = memchr(line, ':', bytes);

	if (colon)
		colon = memchr(colon + 1, ':', bytes - (size_t)(colon + 1 - line));
	if (!colon)
		return NULL;
	*ret_bytes = (size_t)(line + bytes - colon - 1);
	return colon + 1;
}

bool proc_cgroup_is_below(const char *cgroups, const char *path)
{
	const char *newline;
	size_t n;

	if (!strncmp(path, "/sys/fs/cgroup", 14) && (path[14] == '/' || !path[14]))
		path += 14;
	n = strlen(path);
	while (n > 0 && path[n - 1] == '/')
		n--;
	for (const char *line = cgroups; *line; line = newline + 1) {
		size_t bytes;
		const char *own = cgroup_path(line, &bytes);

		if (own && *path != '/' && bytes > 0 && *own == '/') {
			own++;
			bytes--;
		}
		if (own && bytes >= n && !strncmp(own, path, n) && (bytes == n || own[n] == '/'))
			return true;
		newline = strchr(line, '\n');
		if (!newline)
			break;
	}
	return false;
}

/* Nothing more in the component but what systemd puts at the end of its names. */
static bool is_end(const char *s, size_t bytes)
{
	return bytes == 0 || (bytes == 6 && !strncmp(s, ".scope", 6)) ||
	       (bytes == 8 && !strncmp(s, ".service", 8));
}

/*
 * A component of the path names the container: "<id>", "docker-<id>.scope", "libpod-<id>.scope",
 * "cri-containerd-<id>.scope", "lxc.payload.<name>", "systemd-nspawn@<name>.service".
 */
static bool component_is_container(const char *s, size_t bytes, const char *id, size_t n)
{
	bool hex = strspn(id, "0123456789abcdef") == n;

	for (size_t at = 0; at + n <= bytes; at++) {
		if (strncmp(s + at, id, n) || (at > 0 && !strchr("-.:@", s[at - 1])))
			continue;
		if (is_end(s + at + n, bytes - at - n))
			return true;
		if (hex && strspn(s + at, "0123456789abcdef") >= 12) /* a start of the id */
			return true;
	}
	return false;
}

bool proc_cgroup_has_container(const char *cgroups, const char *id)
{
	size_t n = strlen(id);

	for (const char *s = cgroups; *s;) {
		size_t bytes = strcspn(s, "/\n");

		if (s > cgroups && s[-1] == '/' && component_is_container(s, bytes, id, n))
			return true;
		s += bytes;
		if (*s)
			s++;
	}
	return false;
}

static bool match_cgroup(const struct proc_selector *selector, pid_t pid)
{
	AUTO_CLOSE int dir = proc_open(pid);
	AUTO_FREE char *text = NULL;
	size_t bytes;

	if (dir < 0 || proc_read_file(dir, "cgroup", CGROUP_BYTES_MAX, &text, &bytes) < 0)
		return false;
	return selector->kind == PROC_SELECT_CGROUP ?
	       proc_cgroup_is_below(text, selector->text) :
	       proc_cgroup_has_container(text, selector->text);
}

bool proc_selector_match(const struct proc_selector *selector, const struct proc_process *process)
{
	switch (selector->kind) {
	case PROC_SELECT_PID:
		return process->pid == selector->id;
	case PROC_SELECT_NAME: /* counter paths ignore case */
		return !fnmatch(selector->text, process->comm,
				selector->counter ? FNM_CASEFOLD : 0);
	case PROC_SELECT_USER:
		return process->uid == selector->uid;
	case PROC_SELECT_SESSION:
		return process->session == selector->id;
	default:
		return match_cgroup(selector, process->pid);
	}
}
