/* SPDX-License-Identifier: BSD-2-Clause */
/* plug.c - a library to load: with a constructor, a thread-local variable, a function */

static __thread int last;
int plug_loaded;

__attribute__((constructor)) static void plug_begin(void)
{
	plug_loaded = 1;
}

__attribute__((destructor)) static void plug_end(void)
{
	plug_loaded = 0;
}

int plug_add(int a, int b)
{
	last = a + b;
	return last;
}

unsigned long plug_answer(void)
{
	return plug_loaded ? 42 : 0;
}
