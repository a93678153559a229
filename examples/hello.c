/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hello.c - the smallest use of the native API: `hello PID` makes process PID say hello
 *
 *     cc hello.c $(pkg-config --cflags --libs tendril) -o hello
 */
#include <stdio.h>
#include <stdlib.h>

#include <tendril/tendril.h>

static int say(struct tendril_target *target, struct tendril_error *error)
{
	static const char text[] = "hello from another process";
	struct tendril_argument argument = {
		.kind = TENDRIL_BYTES, .data = text, .bytes = sizeof(text)
	};
	uint64_t puts_there, value;
	int r = tendril_resolve(target, "libc!puts", &puts_there, error);

	if (r < 0)
		return r;
	return tendril_call(target, puts_there, &argument, 1, 1000, &value, error);
}

int main(int argc, char **argv)
{
	struct tendril_target *target = NULL;
	struct tendril_error error;
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: hello PID\n");
		return 2;
	}
	r = tendril_open(atoi(argv[1]), NULL, &target, &error);
	if (r == 0)
		r = say(target, &error);
	tendril_close(target);
	if (r < 0)
		fprintf(stderr, "hello: %s\n", error.text);
	return r < 0 ? 3 : 0;
}
