/* SPDX-License-Identifier: BSD-2-Clause */
/* plain.c - a victim that can do nothing but sleep: for the kinds of program that are refused */
#include <string.h>
#include <unistd.h>

static void say(const char *line)
{
	if (write(1, line, strlen(line)) < 0)
		_exit(1);
}

int main(void)
{
	char line[64];
	ssize_t n;

	say("ready\n");
	while ((n = read(0, line, sizeof(line))) > 0) {
		if (strncmp(line, "quit", 4) == 0)
			return 0;
		say("ok\n");
	}
	return 0;
}
