/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules.c - how to find the caller's registers, from .eh_frame or .debug_frame
 *
 * What libdw finds is boiled down to one small record for each place in the code, and kept: the
 * same few hundred places come up in all stacks.
 */
#include "symbolize/object.h"

#include <dwarf.h>
#include <string.h>

#define PROLOGUE_BYTES 2048
#define CACHE_FIRST    64
#define CACHE_MAX      4096 /* places; then it begins anew */

struct cfi_cache {
	struct cfi_rules *rules; /* open addressing; address 0: none (nothing is mapped there) */
	size_t room, n;
};

static void clear(struct cfi_cache *cache)
{
	for (size_t i = 0; i < cache->room; i++)
		free(cache->rules[i].frame);
	free(cache->rules);
	*cache = (struct cfi_cache){0};
}

void cfi_cache_free(struct cfi_cache *cache)
{
	if (!cache)
		return;
	clear(cache);
	free(cache);
}

static struct cfi_rules *slot(struct cfi_rules *rules, size_t room, uint64_t address)
{
	size_t at = (size_t)(address * 0x9e3779b97f4a7c15u >> 32) & (room - 1);

	while (rules[at].address != 0 && rules[at].address != address)
		at = (at + 1) & (room - 1);
	return &rules[at];
}

/* Room for one more, at most three quarters full. */
static bool make_room(struct cfi_cache *cache)
{
	size_t room = cache->room ? cache->room * 2 : CACHE_FIRST;
	struct cfi_rules *rules;

	if (cache->n * 4 < cache->room * 3)
		return true;
	if (cache->n * 4 >= CACHE_MAX * 3) {
		clear(cache);
		room = CACHE_FIRST;
	}
	rules = calloc(room, sizeof(*rules));
	if (!rules)
		return false;
	for (size_t i = 0; i < cache->room; i++)
		if (cache->rules[i].address != 0)
			*slot(rules, room, cache->rules[i].address) = cache->rules[i];
	free(cache->rules);
	cache->rules = rules;
	cache->room = room;
	return true;
}

static bool fits(int64_t value)
{
	return value >= INT32_MIN && value <= INT32_MAX;
}

static void set_rule(struct register_rule *rule, enum register_how how, int64_t offset)
{
	rule->how = (uint8_t)(fits(offset) ? how : REGISTER_UNDEFINED);
	rule->offset = (int32_t)offset;
}

/* Most are "saved at the CFA plus so much"; the others are run as expressions when needed. */
static void boil_down_register(Dwarf_Frame *frame, int number, struct register_rule *rule)
{
	Dwarf_Op memory[3], *ops;
	size_t n;

	bool is_kept = machine_here.kept >> number & 1;

	if (dwarf_frame_register(frame, number, memory, &ops, &n) != 0)
		set_rule(rule, REGISTER_UNDEFINED, 0);
	else if (n == 0)
		set_rule(rule, ops && !is_kept ? REGISTER_UNDEFINED : REGISTER_SAME, 0);
	else if (ops[0].atom != DW_OP_call_frame_cfa)
		set_rule(rule, REGISTER_EXPRESSION, 0);
	else if (n == 1)
		set_rule(rule, REGISTER_AT_CFA, 0);
	else if (n == 2 && ops[1].atom == DW_OP_plus_uconst)
		set_rule(rule, REGISTER_AT_CFA, (int64_t)ops[1].number);
	else if (n == 2 && ops[1].atom == DW_OP_stack_value)
		set_rule(rule, REGISTER_CFA_PLUS, 0);
	else if (n == 3 && ops[1].atom == DW_OP_plus_uconst && ops[2].atom == DW_OP_stack_value)
		set_rule(rule, REGISTER_CFA_PLUS, (int64_t)ops[1].number);
	else
		set_rule(rule, REGISTER_EXPRESSION, 0);
}

static bool boil_down_cfa(Dwarf_Frame *frame, struct cfi_rules *rules)
{
	Dwarf_Op *ops;
	size_t n;

	if (dwarf_frame_cfa(frame, &ops, &n) != 0 || n == 0)
		return false;
	rules->cfa_register = CFA_BY_EXPRESSION;
	if (n != 1)
		return true;
	if (ops[0].atom == DW_OP_bregx && ops[0].number < STACK_REGISTERS) {
		rules->cfa_register = (uint8_t)ops[0].number;
		rules->cfa_offset = (int64_t)ops[0].number2;
	} else if (ops[0].atom >= DW_OP_breg0 && ops[0].atom < DW_OP_breg0 + STACK_REGISTERS) {
		rules->cfa_register = (uint8_t)(ops[0].atom - DW_OP_breg0);
		rules->cfa_offset = (int64_t)ops[0].number;
	}
	return true;
}

/* Owns the frame from now on. */
static void boil_down(Dwarf_Frame *frame, struct cfi_rules *rules)
{
	Dwarf_Addr low, high;
	bool needs_frame;
	int number = dwarf_frame_info(frame, &low, &high, &rules->is_signal);

	if (number < 0 || number >= STACK_REGISTERS || !boil_down_cfa(frame, rules)) {
		free(frame);
		return;
	}
	rules->known = true;
	rules->return_register = (uint8_t)number;
	needs_frame = rules->cfa_register == CFA_BY_EXPRESSION;
	for (int i = 0; i < STACK_REGISTERS; i++) {
		boil_down_register(frame, i, &rules->rule[i]);
		needs_frame |= rules->rule[i].how == REGISTER_EXPRESSION;
	}
	if (needs_frame)
		rules->frame = frame;
	else
		free(frame);
}

static Dwarf_Frame *find_frame(struct object *object, uint64_t address)
{
	Dwarf_Frame *frame = NULL;
	Dwarf_Addr bias;
	Dwarf_CFI *cfi = dwfl_module_eh_cfi(object->module, &bias);

	if (cfi && dwarf_cfi_addrframe(cfi, address - bias, &frame) == 0)
		return frame;
	cfi = dwfl_module_dwarf_cfi(object->module, &bias);
	if (cfi && dwarf_cfi_addrframe(cfi, address - bias, &frame) == 0)
		return frame;
	return NULL;
}

static bool is_trampoline(const struct object *object, uint64_t address)
{
	unsigned char code[MACHINE_CODE_BYTES];

	return machine_here.is_signal_return(code,
					     object_code(object, address, code, sizeof(code)));
}

/* Of functions whose beginning nobody tells, neighbours from the same compiler. */
static bool has_frame_pointer(const struct object *object, uint64_t address)
{
	unsigned char code[PROLOGUE_BYTES];
	size_t n = sizeof(code);

	while (n > MACHINE_CODE_BYTES && !object_is_code(object, address - n))
		n /= 2;
	n = object_code(object, address - n, code, n);
	return machine_here.keeps_frame_pointer(code, n);
}

const struct cfi_rules *object_rules(struct object *object, uint64_t address)
{
	struct cfi_rules *rules;
	Dwarf_Frame *frame;

	if (!object->cfi)
		object->cfi = calloc(1, sizeof(*object->cfi));
	if (!object->cfi || !make_room(object->cfi))
		return NULL;
	rules = slot(object->cfi->rules, object->cfi->room, address);
	if (rules->address == address)
		return rules;
	rules->address = address;
	rules->is_trampoline = is_trampoline(object, address);
	rules->before_trampoline = is_trampoline(object, address + 1);
	object->cfi->n++;
	frame = find_frame(object, address);
	if (frame)
		boil_down(frame, rules);
	if (!rules->known)
		rules->has_frame_pointer = has_frame_pointer(object, address);
	return rules;
}
