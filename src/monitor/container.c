/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/container.h"

#include <string.h>

#define ID_DIGITS    64 /* of Docker, containerd, CRI-O, Podman */
#define SHOWN_DIGITS 12 /* as those show it themselves */

/* Podman's and CRI-O's helper, which stands outside of the container that it looks after. */
static bool is_monitor(const char *component, size_t bytes)
{
	return memmem(component, bytes, "conmon-", 7) != NULL;
}

/* "<id>", "docker-<id>.scope", "cri-containerd-<id>.scope", "kubepods-...:cri-containerd:<id>":
 * returns where the id begins, or NULL. */
static const char *find_id(const char *component, size_t bytes)
{
	if (is_monitor(component, bytes))
		return NULL;
	for (size_t at = 0; at + ID_DIGITS <= bytes; at++) {
		size_t n;

		if (at > 0 && component[at - 1] != '-' && component[at - 1] != ':')
			continue;
		n = strspn(component + at, "0123456789abcdef");
		if (n == ID_DIGITS && (at + n == bytes || component[at + n] == '.'))
			return component + at;
	}
	return NULL;
}

void container_of_cgroups(const char *cgroups, char ret_id[MONITOR_CONTAINER_BYTES])
{
	const char *id = NULL;

	/* Version 1 has a line for each controller: the first that names a container will do, and of
	 * its path the last part, for a container can hold others. */
	for (const char *s = cgroups; *s && !(id && *s == '\n');) {
		const char *found;
		size_t bytes;

		s += *s == '/' || *s == '\n';
		bytes = strcspn(s, "/\n");
		found = find_id(s, bytes);
		if (found)
			id = found;
		s += bytes;
	}
	ret_id[0] = '\0';
	if (!id)
		return;
	memcpy(ret_id, id, SHOWN_DIGITS);
	ret_id[SHOWN_DIGITS] = '\0';
}
