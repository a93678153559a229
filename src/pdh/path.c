/* SPDX-License-Identifier: BSD-2-Clause */
/* path.c - \\computer\object(instance#index)\counter */
#include "pdh/pdh_internal.h"

#include <stdio.h>

/* "\\computer" away from the front. */
static bool take_machine(char **at, struct path *path)
{
	char *name = *at + 2, *end;

	if (strncmp(*at, "\\\\", 2))
		return true;
	end = strchr(name, '\\');
	if (!end || end == name)
		return false;
	/* The backslash before the object becomes the name's end, so the object begins behind it. */
	*end = '\0';
	path->machine = name;
	*at = end + 1;
	return true;
}

/* An instance may have parentheses of its own: its end is the last one that a backslash follows. */
static char *instance_end(char *open)
{
	char *found = NULL;

	for (char *s = open; (s = strstr(s, ")\\")); s++)
		found = s;
	return found;
}

static bool take_apart(struct path *path)
{
	char *at = path->text, *end;

	if (*at != '\\' || !take_machine(&at, path))
		return false;
	if (!path->machine)
		at++;
	path->object = at;
	at += strcspn(at, "(\\");
	if (at == path->object || !*at)
		return false;
	if (*at == '(') {
		end = instance_end(at);
		if (!end || end == at + 1)
			return false;
		*at = *end = '\0';
		path->instance = at + 1;
		at = end + 1;
	}
	*at++ = '\0';
	path->counter = at;
	return *at && !strchr(at, '\\');
}

PDH_STATUS path_parse(const char *text, struct path *ret_path)
{
	struct path path = { 0 };
	size_t bytes = text ? strnlen(text, PDH_MAX_COUNTER_PATH) : 0;

	if (!text)
		return PDH_INVALID_ARGUMENT;
	if (bytes == 0)
		return PDH_CSTATUS_NO_COUNTERNAME;
	if (bytes == PDH_MAX_COUNTER_PATH)
		return PDH_CSTATUS_BAD_COUNTERNAME;
	path.text = strdup(text);
	if (!path.text)
		return PDH_MEMORY_ALLOCATION_FAILURE;
	if (!take_apart(&path)) {
		path_done(&path);
		return PDH_CSTATUS_BAD_COUNTERNAME;
	}
	*ret_path = path;
	return ERROR_SUCCESS;
}

void path_done(struct path *path)
{
	free(path->text);
	*path = (struct path){ 0 };
}

/* Where "#2" or "#*" begins, or the end. */
static char *index_of(char *text)
{
	char *hash = strrchr(text, '#');

	if (hash && hash > text && hash[1] &&
	    (!strcmp(hash, "#*") || !hash[1 + strspn(hash + 1, "0123456789")]))
		return hash;
	return text + strlen(text);
}

struct instance_name path_split_index(char *text)
{
	struct instance_name name = { .text = text };
	char *hash = index_of(text);
	uint64_t index;
	const char *end = *hash ? proc_scan(hash + 1, 10, &index) : NULL;

	if (!end || *end || index >= UINT32_MAX)
		return name;
	name.index = (DWORD)index;
	*hash = '\0';
	return name;
}

/* Piece by piece: what is between two * is a name. */
static void tame_pieces(char *name, char *out)
{
	for (;;) {
		char *star = strchr(name, '*');

		if (star)
			*star = '\0';
		text_tame(name);
		out = stpcpy(out, name);
		if (!star)
			return;
		out = stpcpy(out, "*");
		name = star + 1;
	}
}

int instance_tame(const char *text, char **ret_text)
{
	AUTO_FREE char *name = strdup(text), *out = malloc(strlen(text) + 1);
	AUTO_FREE char *index = NULL;
	char *hash;

	if (!name || !out)
		return -ENOMEM;
	hash = index_of(name);
	index = strdup(hash);
	if (!index)
		return -ENOMEM;
	*hash = '\0';
	tame_pieces(name, out);
	strcat(out, index);
	*ret_text = out;
	out = NULL;
	return 0;
}

int path_full(const struct counter_info *info, const char *instance, char **ret_text)
{
	char machine[MACHINE_BYTES];
	int n;

	text_machine(machine);
	n = asprintf(ret_text, "\\\\%s\\%s%s%s%s\\%s", machine, pdh_objects[info->object].name,
		     instance ? "(" : "", instance ? instance : "", instance ? ")" : "",
		     info->name);
	return n < 0 ? -ENOMEM : 0;
}
