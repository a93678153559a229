/* SPDX-License-Identifier: BSD-2-Clause */
/* users.h - names of users, each looked up once: there may be a directory service behind it */
#ifndef MONITOR_USERS_H
#define MONITOR_USERS_H

#include "base/base.h"

#define MONITOR_USER_BYTES 64

/* Zeroes are empty.  For one thread at a time. */
struct monitor_users {
	struct monitor_user *user;
	size_t n_users;
};

/* The name, escaped, or the number where there is none. */
void monitor_user_name(struct monitor_users *users, uid_t uid, char ret_name[MONITOR_USER_BYTES]);
void monitor_users_done(struct monitor_users *users);

#endif /* MONITOR_USERS_H */
