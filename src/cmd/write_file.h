/* SPDX-License-Identifier: BSD-2-Clause */
/* write_file.h - a result into a file, which is there whole or stays what it was */
#ifndef CMD_WRITE_FILE_H
#define CMD_WRITE_FILE_H

#include <stdio.h>

/* Return: 0 or negative errno, as the two below. */
typedef int (*cmd_write_fn)(FILE *out, const void *data);

/* Could that file be written?  Asked before time is spent on what will be in it. */
int cmd_check_file(const char *path);
int cmd_write_file(const char *path, cmd_write_fn write, const void *data);

#endif /* CMD_WRITE_FILE_H */
