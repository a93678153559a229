/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * expression.c - run a DWARF expression
 *
 * They come out of the target's files: each step is checked, and a loop ends when its budget does.
 */
#include "symbolize/expression.h"

#include <dwarf.h>

#define STEPS_MAX 1000
#define DEPTH_MAX 64

struct run {
	const struct expression_input *input;
	uint64_t stack[DEPTH_MAX];
	size_t depth;
	bool is_value;
};

static int push(struct run *run, uint64_t value)
{
	if (run->depth == DEPTH_MAX)
		return -EINVAL;
	run->stack[run->depth++] = value;
	return 0;
}

static int push_register(struct run *run, uint64_t number, uint64_t plus)
{
	const struct expression_input *input = run->input;

	if (number >= STACK_REGISTERS || !(input->known >> number & 1))
		return -EINVAL;
	return push(run, input->registers[number] + plus);
}

static int push_copy(struct run *run, uint64_t from_top)
{
	if (from_top >= run->depth)
		return -EINVAL;
	return push(run, run->stack[run->depth - 1 - from_top]);
}

static int read_top(struct run *run, uint64_t bytes)
{
	uint64_t *top;

	if (run->depth == 0 || bytes < 1 || bytes > 8)
		return -EINVAL;
	top = &run->stack[run->depth - 1];
	return run->input->read(run->input->data, *top, (unsigned int)bytes, top);
}

static int rotate(struct run *run, size_t n)
{
	uint64_t *top;
	uint64_t last;

	if (run->depth < n)
		return -EINVAL;
	top = &run->stack[run->depth - 1];
	last = *top;
	for (size_t i = 0; i < n - 1; i++)
		top[-(ptrdiff_t)i] = top[-(ptrdiff_t)i - 1];
	top[-(ptrdiff_t)(n - 1)] = last;
	return 0;
}

static int unary(struct run *run, unsigned int atom, uint64_t operand)
{
	uint64_t *top;

	if (run->depth == 0)
		return -EINVAL;
	top = &run->stack[run->depth - 1];
	switch (atom) {
	case DW_OP_abs:
		*top = (int64_t)*top < 0 ? -*top : *top;
		return 0;
	case DW_OP_neg:
		*top = -*top;
		return 0;
	case DW_OP_not:
		*top = ~*top;
		return 0;
	default: /* DW_OP_plus_uconst */
		*top += operand;
		return 0;
	}
}

static uint64_t divide(uint64_t a, uint64_t b)
{
	/* the one quotient that does not fit */
	return b == UINT64_MAX ? -a : (uint64_t)((int64_t)a / (int64_t)b);
}

static uint64_t shift_arithmetic(uint64_t a, uint64_t b)
{
	return (uint64_t)((int64_t)a >> (b < 64 ? b : 63));
}

static int binary(struct run *run, unsigned int atom)
{
	uint64_t a, b, c;

	if (run->depth < 2)
		return -EINVAL;
	b = run->stack[--run->depth];
	a = run->stack[run->depth - 1];
	if ((atom == DW_OP_div || atom == DW_OP_mod) && b == 0)
		return -EINVAL;
	switch (atom) {
	case DW_OP_and:
		c = a & b;
		break;
	case DW_OP_or:
		c = a | b;
		break;
	case DW_OP_xor:
		c = a ^ b;
		break;
	case DW_OP_plus:
		c = a + b;
		break;
	case DW_OP_minus:
		c = a - b;
		break;
	case DW_OP_mul:
		c = a * b;
		break;
	case DW_OP_div:
		c = divide(a, b);
		break;
	case DW_OP_mod:
		c = a % b;
		break;
	case DW_OP_shl:
		c = b < 64 ? a << b : 0;
		break;
	case DW_OP_shr:
		c = b < 64 ? a >> b : 0;
		break;
	case DW_OP_shra:
		c = shift_arithmetic(a, b);
		break;
	case DW_OP_eq:
		c = a == b;
		break;
	case DW_OP_ne:
		c = a != b;
		break;
	case DW_OP_lt:
		c = (int64_t)a < (int64_t)b;
		break;
	case DW_OP_le:
		c = (int64_t)a <= (int64_t)b;
		break;
	case DW_OP_gt:
		c = (int64_t)a > (int64_t)b;
		break;
	case DW_OP_ge:
		c = (int64_t)a >= (int64_t)b;
		break;
	default:
		return -EINVAL;
	}
	run->stack[run->depth - 1] = c;
	return 0;
}

static int push_cfa(struct run *run)
{
	return run->input->has_cfa ? push(run, run->input->cfa) : -EINVAL;
}

/* Those without a jump. */
static int step(struct run *run, const Dwarf_Op *op)
{
	unsigned int atom = op->atom;

	if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
		return push(run, atom - DW_OP_lit0);
	if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
		return push_register(run, atom - DW_OP_breg0, op->number);
	if (atom >= DW_OP_reg0 && atom <= DW_OP_reg31) {
		run->is_value = true;
		return push_register(run, atom - DW_OP_reg0, 0);
	}
	switch (atom) {
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		return push(run, op->number);
	case DW_OP_bregx:
		return push_register(run, op->number, op->number2);
	case DW_OP_regx:
		run->is_value = true;
		return push_register(run, op->number, 0);
	case DW_OP_call_frame_cfa:
		return push_cfa(run);
	case DW_OP_dup:
		return push_copy(run, 0);
	case DW_OP_over:
		return push_copy(run, 1);
	case DW_OP_pick:
		return push_copy(run, op->number);
	case DW_OP_swap:
		return rotate(run, 2);
	case DW_OP_rot:
		return rotate(run, 3);
	case DW_OP_drop:
		return run->depth-- > 0 ? 0 : -EINVAL;
	case DW_OP_deref:
		return read_top(run, 8);
	case DW_OP_deref_size:
		return read_top(run, op->number);
	case DW_OP_abs:
	case DW_OP_neg:
	case DW_OP_not:
	case DW_OP_plus_uconst:
		return unary(run, atom, op->number);
	case DW_OP_stack_value:
		run->is_value = true;
		return 0;
	case DW_OP_nop:
		return 0;
	default:
		return binary(run, atom);
	}
}

/* Where a jump leads; n when out of the expression at its end, more when nowhere. */
static size_t jump(const Dwarf_Op *ops, size_t n, const Dwarf_Op *op)
{
	uint64_t to = op->offset + 3 + (uint64_t)(int64_t)(int16_t)op->number;

	for (size_t i = 0; i < n; i++)
		if (ops[i].offset == to)
			return i;
	return to > ops[n - 1].offset ? n : n + 1;
}

int expression_run(const Dwarf_Op *ops, size_t n, const struct expression_input *input,
		   uint64_t *ret_result, bool *ret_is_value)
{
	struct run run = {.input = input};
	size_t at = 0;

	for (unsigned int steps = 0; at < n; steps++) {
		const Dwarf_Op *op = &ops[at];
		bool is_jump = op->atom == DW_OP_skip;
		int r = 0;

		if (steps == STEPS_MAX)
			return -EINVAL;
		if (op->atom == DW_OP_bra) {
			if (run.depth == 0)
				return -EINVAL;
			is_jump = run.stack[--run.depth] != 0;
		} else if (op->atom != DW_OP_skip) {
			r = step(&run, op);
		}
		if (r < 0)
			return r;
		at = is_jump ? jump(ops, n, op) : at + 1;
	}
	if (at != n || run.depth == 0)
		return -EINVAL;
	*ret_result = run.stack[run.depth - 1];
	*ret_is_value = run.is_value;
	return 0;
}
