/* SPDX-License-Identifier: BSD-2-Clause */
/* library.c - a library with two versions of a function, and with ones that it keeps to itself */
volatile int library_sink;

int versioned(int a);
long old_version(int a);
__attribute__((visibility("protected"))) int protected_one(int a);
__attribute__((visibility("hidden"))) int hidden_one(int a);

int versioned(int a)
{
	return library_sink + a;
}

__asm__(".symver old_version, versioned@LIBRARY_1");
__attribute__((noinline, used)) long old_version(int a)
{
	return library_sink - a;
}

int protected_one(int a)
{
	return library_sink * a;
}

int hidden_one(int a)
{
	return library_sink / a;
}
