/* SPDX-License-Identifier: BSD-2-Clause */
/* stacks_plug.c - the library that stacks.c loads and closes */
volatile int plug_sink;

static __attribute__((noinline)) void plug_inner(void (*call)(void))
{
	call();
	plug_sink++;
}

void plug_outer(void (*call)(void));
void plug_outer(void (*call)(void))
{
	plug_inner(call);
	plug_sink++;
}
