/* SPDX-License-Identifier: BSD-2-Clause */
/* users.h - names of users, each looked up once: there may be a directory service behind it */
#ifndef CMD_USERS_H
#define CMD_USERS_H

#include <sys/types.h>

/* Zeroes are empty. */
struct cmd_users {
	struct cmd_user *user;
	size_t n_users;
};

/* Raw; the number where there is no name.  It is the table's.  NULL: out of memory. */
const char *cmd_user_name(struct cmd_users *users, uid_t uid);
void cmd_users_done(struct cmd_users *users);

#endif /* CMD_USERS_H */
