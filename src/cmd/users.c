/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/users.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cmd_user {
	uid_t uid;
	char *name;
};

static char *look_up(uid_t uid)
{
	char buffer[16384], *name = NULL;
	struct passwd entry, *found = NULL;

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
		return strdup(found->pw_name);
	return asprintf(&name, "%u", (unsigned)uid) < 0 ? NULL : name;
}

const char *cmd_user_name(struct cmd_users *users, uid_t uid)
{
	struct cmd_user *grown;
	char *name;

	for (size_t i = 0; i < users->n_users; i++)
		if (users->user[i].uid == uid)
			return users->user[i].name;
	grown = reallocarray(users->user, users->n_users + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	users->user = grown;
	name = look_up(uid);
	if (name)
		users->user[users->n_users++] = (struct cmd_user){ uid, name };
	return name;
}

void cmd_users_done(struct cmd_users *users)
{
	for (size_t i = 0; i < users->n_users; i++)
		free(users->user[i].name);
	free(users->user);
	*users = (struct cmd_users){ 0 };
}
