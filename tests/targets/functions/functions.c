/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * functions.c - functions of every kind, for test_functions
 *
 * Says "ready" and waits until its input ends.  Nothing in here is called but by name.
 */
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#define KEPT	 __attribute__((noinline, used))
#define NAMED(n) __asm__(n)

typedef int number;
typedef const number *volatile place;
typedef void nothing;
typedef const unsigned long size;
typedef struct { long a[4]; } many;
enum plain { PLAIN_A, PLAIN_B };
enum negative { NEGATIVE_A = -1, NEGATIVE_B };
typedef enum negative renamed;

volatile int sink;

KEPT void returns_void(void) { sink++; }
KEPT nothing returns_nothing(void) { sink++; }
KEPT int returns_int(void) { return sink; }
KEPT number returns_number(void) { return sink; }
KEPT signed char returns_char(void) { return (signed char)sink; }
KEPT long returns_long(void) { return sink; }
KEPT unsigned short returns_short(void) { return (unsigned short)sink; }
KEPT size returns_size(void) { return (size)sink; }
KEPT bool returns_bool(void) { return sink != 0; }
KEPT place returns_place(void) { return (place)(uintptr_t)&sink; }
KEPT void *returns_pointer(void) { return (void *)(uintptr_t)&sink; }
KEPT int (*returns_function(void))(void) { return sink ? returns_int : returns_number; }
KEPT enum plain returns_plain(void) { return sink ? PLAIN_A : PLAIN_B; }
KEPT enum negative returns_negative(void) { return sink ? NEGATIVE_A : NEGATIVE_B; }
KEPT renamed returns_renamed(void) { return sink ? NEGATIVE_A : NEGATIVE_B; }
KEPT double returns_double(void) { return sink; }
KEPT many returns_many(void) { return (many){{sink, 1, 2, 3}}; }

/* Which of what they are given may they write to? */
KEPT int writes_some(const char *in, char *out, int n, double x, const many *all, void **handle)
{
	out[0] = (char)(in[0] + n);
	*handle = out;
	return sink + (int)all->a[0] + (int)x;
}
KEPT int writes_typedef(const place given, place *ret, const size *bytes)
{
	*ret = given;
	return sink + (int)*bytes;
}
KEPT int takes_many(many all, char *out)
{
	out[0] = (char)all.a[0];
	return sink;
}

static KEPT int is_static(void) { return sink; }

KEPT int first_name(void) { return sink + 1; }
int __second_name(void) __attribute__((alias("first_name")));

/* What optimizers make of one function, here on every compiler. */
int cloned(int a) NAMED("cloned.constprop.0");
KEPT int cloned(int a) { return sink + a; }
int cloned_twice(int a) NAMED("cloned_twice.isra.0.constprop.12");
KEPT int cloned_twice(int a) { return sink - a; }
int partial(int a) NAMED("partial.part.7");
KEPT int partial(int a) { return sink * a; }
int chilled(int a) NAMED("chilled.cold");
KEPT int chilled(int a) { return sink ^ a; }
int numbered(int a) NAMED("numbered.4");
KEPT int numbered(int a) { return sink | a; }
int numbers(int a) NAMED("numbers.4x");
KEPT int numbers(int a) { return sink % (a + 1); }
int dotted(int a) NAMED("dotted.partial");
KEPT int dotted(int a) { return sink & a; }

/* One whose unlikely half lies elsewhere. */
__attribute__((cold, noinline)) static void rarely(int a)
{
	sink += a;
}

KEPT int in_pieces(int a)
{
	if (a == 4711) {
		rarely(a);
		rarely(a + 1);
		return -1;
	}
	sink++;
	return sink;
}

#ifndef __clang__
KEPT int holds_function(int a)
{
	__attribute__((noinline)) long within(int b) { return sink + a + b; }

	return (int)within(1) + (int)within(2);
}
#endif

#ifndef NO_CHOICE
static KEPT int choice(void) { return sink; }
static int (*choose(void))(void) { return choice; }
int chosen(void) __attribute__((ifunc("choose")));
#endif

int in_assembly(void);
int versioned(int a);

int main(void)
{
	char c;

	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 2;
	while (read(STDIN_FILENO, &c, 1) == 1)
		/* an address: in a program at a fixed place it is that of a stub */
		sink += in_assembly() + (int)(uintptr_t)versioned + versioned(c) + in_pieces(c) + is_static();
	return 0;
}
