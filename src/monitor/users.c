/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/users.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define USERS_MAX 4096 /* of user namespaces there may be any number; those behind are looked up again */

struct monitor_user {
	uid_t uid;
	char name[MONITOR_USER_BYTES];
};

static void look_up(uid_t uid, char ret_name[MONITOR_USER_BYTES])
{
	char buffer[16384];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found &&
	    found->pw_name[0])
		escape_text(found->pw_name, ret_name, MONITOR_USER_BYTES);
	else
		(void)snprintf(ret_name, MONITOR_USER_BYTES, "%u", (unsigned)uid);
}

void monitor_user_name(struct monitor_users *users, uid_t uid, char ret_name[MONITOR_USER_BYTES])
{
	struct monitor_user *grown;

	for (size_t i = 0; i < users->n_users; i++)
		if (users->user[i].uid == uid) {
			memcpy(ret_name, users->user[i].name, MONITOR_USER_BYTES);
			return;
		}
	look_up(uid, ret_name);
	if (users->n_users == USERS_MAX)
		return;
	grown = reallocarray(users->user, users->n_users + 1, sizeof(*grown));
	if (!grown)
		return; /* it will be looked up again */
	users->user = grown;
	grown += users->n_users++;
	grown->uid = uid;
	memcpy(grown->name, ret_name, MONITOR_USER_BYTES);
}

void monitor_users_done(struct monitor_users *users)
{
	free(users->user);
	*users = (struct monitor_users){ 0 };
}
