/* SPDX-License-Identifier: BSD-2-Clause */
/* spin.c - code of its own that makes no call: known values in all registers, looking at the clock, restartable sequences */
#include "victim.h"

#include <stdlib.h>
#include <string.h>

#define N_VECTORS    32
#define VECTOR_BYTES 64
#define N_MASKS	     8
#define SPIN_LOOPS   4000

/* The layout is known to spin_x86_64.S. */
struct spin_area {
	uint64_t level; /* 0: SSE, 1: AVX, 2: AVX-512 */
	uint64_t loops;
	uint64_t wrong; /* a general register, or the red zone, was not what it was */
	uint64_t mxcsr;
	uint64_t masks_want[N_MASKS];
	uint64_t masks_seen[N_MASKS];
	double x87_want;
	double x87_seen;
	unsigned char want[N_VECTORS][VECTOR_BYTES];
	unsigned char seen[N_VECTORS][VECTOR_BYTES];
};

#ifdef SPIN_REGISTERS
void spin_registers(struct spin_area *area);
uint64_t spin_clock(void);

static uint64_t vector_level(void)
{
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
		return 2;
	return __builtin_cpu_supports("avx") ? 1 : 0;
}
#else
static void spin_registers(struct spin_area *area)
{
	memcpy(area->seen, area->want, sizeof(area->seen));
	area->x87_seen = area->x87_want;
	area->mxcsr = 0x7f80;
}

static uint64_t spin_clock(void)
{
	return (uint64_t)victim_now_ns();
}

static uint64_t vector_level(void)
{
	return 0;
}
#endif

static struct spin_area areas[VICTIM_WORKERS_MAX];

static void prepare_spin(void)
{
	for (size_t a = 0; a < VICTIM_WORKERS_MAX; a++) {
		struct spin_area *area = &areas[a];
		unsigned char *byte = &area->want[0][0];

		area->level = vector_level();
		area->loops = SPIN_LOOPS;
		area->x87_want = 3.25 + (double)a;
		for (size_t i = 0; i < sizeof(area->want); i++)
			byte[i] = (unsigned char)(i * 7 + a + 1);
		for (uint64_t i = 0; i < N_MASKS; i++)
			area->masks_want[i] = UINT64_C(0xa5a5000000000001) * (i + 1) + a;
	}
}

static void check_vectors(const struct spin_area *area)
{
	size_t bytes = (size_t)16 << area->level;
	size_t n = area->level == 2 ? 32 : 16;

	for (size_t i = 0; i < n; i++)
		if (memcmp(area->want[i], area->seen[i], bytes) != 0)
			victim_bad("vector register %zu changed", i);
	if (area->level == 2 && memcmp(area->masks_want, area->masks_seen,
				       sizeof(area->masks_want)) != 0)
		victim_bad("a mask register changed");
}

static void round_spin(struct worker *worker)
{
	struct spin_area *area = &areas[worker->index];

	memset(area->seen, 0, sizeof(area->seen));
	spin_registers(area);
	if (area->wrong)
		victim_bad("a general register, the flags or the red zone changed");
	if (area->mxcsr != 0x7f80)
		victim_bad("mxcsr is %#llx", (unsigned long long)area->mxcsr);
	if (area->x87_seen < area->x87_want || area->x87_seen > area->x87_want)
		victim_bad("the x87 stack changed");
	check_vectors(area);
}

/* --- gap: the longest time in which this thread did not run, in ticks -------------------- */

volatile uint64_t victim_gap_ticks;
volatile uint64_t victim_gap_turns; /* what was seen before a turn ends is in the ticks */
uint64_t victim_ticks_per_ms = 1000000;

static void prepare_gap(void)
{
	int64_t begin_ns = victim_now_ns(), now_ns;
	uint64_t begin = spin_clock();

	do
		now_ns = victim_now_ns();
	while (now_ns - begin_ns < 50000000);
	victim_ticks_per_ms = (spin_clock() - begin) * 1000000 / (uint64_t)(now_ns - begin_ns);
}

static void round_gap(struct worker *worker)
{
	uint64_t last = spin_clock();

	for (int i = 0; i < 20000; i++) {
		uint64_t now = spin_clock();

		if (worker->index == 0 && now - last > victim_gap_ticks)
			victim_gap_ticks = now - last;
		last = now;
	}
	if (worker->index == 0)
		victim_gap_turns++;
}

/* --- rseq: half of the time in a restartable sequence ------------------------------------ */

#if defined(SPIN_REGISTERS) && defined(__GLIBC__)
#include <sys/rseq.h>

int spin_sequence(struct rseq *area, uint64_t loops);

static void round_rseq(struct worker *worker)
{
	struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);

	if (__rseq_size && spin_sequence(area, 20000) == 2)
		victim_bad("a restartable sequence went on after the thread was elsewhere");
	for (volatile int i = 0; i < 4000; i++)
		;
}
#else
static void round_rseq(struct worker *worker)
{
	for (volatile int i = 0; i < 4000; i++)
		;
}
#endif

const struct mode spin_modes[] = {
	{ "spin", MODE_BUSY, prepare_spin, round_spin, NULL },
	{ "gap", MODE_BUSY, prepare_gap, round_gap, NULL },
	{ "rseq", MODE_BUSY, NULL, round_rseq, NULL },
	{ NULL },
};
