/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * credentials.h - who may ask: lines of "basic USER:PASSWORD" and "bearer TOKEN" in a file
 *
 * Empty lines and those that begin with '#' are skipped.  Secrets are compared in a time that
 * depends on their lengths only.
 */
#ifndef MONITOR_CREDENTIALS_H
#define MONITOR_CREDENTIALS_H

#include "base/base.h"

struct credentials;

/*
 * Return: 0, -ENOENT, -EACCES, ... as open(2);
 *   -EPERM   others may read or write it
 *   -EINVAL  *ret_line is malformed (0: there is no line at all)
 *   -EFBIG   it is longer than a file of that kind would be
 */
int credentials_read(const char *path, struct credentials **ret_credentials, unsigned *ret_line);
/* Is the value of an Authorization header one of them?  NULL: there was none. */
bool credentials_match(const struct credentials *credentials, const char *authorization);
void credentials_free(struct credentials *credentials);

#endif /* MONITOR_CREDENTIALS_H */
