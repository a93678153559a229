/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind.c - from frame to frame through a copied stack
 *
 * By the rules of the file that holds the code, through the kernel's signal frame by its layout,
 * and where there are no rules, by the frame pointer or what else looks like a caller.  Each step
 * has to go up the stack; the steps are counted all the same.
 */
#include "symbolize/space.h"
#include "symbolize/expression.h"

#include <string.h>

#define WORD	    8
#define GUESS_WORDS 128
#define ENTRY_BYTES 64
#define NEAR	    (64u << 10) /* so far apart are functions of one source, and what they jump to */

struct walk {
	struct space *space;
	const struct captured_stack *stack;
	uint64_t bottom, top; /* of the copy */
	uint64_t value[STACK_REGISTERS];
	uint32_t known;	  /* which of them, a bit each */
	bool is_return;	  /* value[ip] is behind a call */
	bool wanted_more; /* something above the copy was looked for */
	bool is_guess;	  /* the last step was one */
	bool has_left;	  /* a handler's own stack, for another that was not copied */
};

/* What is where the walk is. */
struct place {
	const struct mapping *mapping; /* NULL: nothing */
	uint64_t address;	       /* in its object */
	const struct cfi_rules *rules; /* NULL: it is no file that can be read */
	bool is_trampoline;	       /* the C library's, for returns from signals */
};

enum step { STEP_ON, STEP_OUTERMOST, STEP_NO_RULES, STEP_FAILED };

static int read_stack(void *data, uint64_t address, unsigned int bytes, uint64_t *ret_value)
{
	struct walk *walk = data;
	uint64_t value = 0;

	if (address < walk->bottom)
		return -EFAULT;
	if (address - walk->bottom > walk->top - walk->bottom || bytes > walk->top - address) {
		walk->wanted_more = true;
		return -ENODATA;
	}
	memcpy(&value, walk->stack->bytes + (address - walk->bottom), bytes);
	*ret_value = value;
	return 0;
}

static bool is_known(const struct walk *walk, unsigned int number)
{
	return walk->known >> number & 1;
}

static void set(uint64_t *values, uint32_t *known, unsigned int number, uint64_t value)
{
	values[number] = value;
	*known |= UINT32_C(1) << number;
}

static int run_expression(struct walk *walk, const struct cfi_rules *rules, int number,
			  const uint64_t *cfa, uint64_t *ret_value, bool *ret_is_value)
{
	struct expression_input input = {
		.registers = walk->value,
		.known = walk->known,
		.has_cfa = cfa,
		.cfa = cfa ? *cfa : 0,
		.read = read_stack,
		.data = walk,
	};
	Dwarf_Op memory[3], *ops;
	size_t n;
	int r = number < 0 ? dwarf_frame_cfa(rules->frame, &ops, &n)
			   : dwarf_frame_register(rules->frame, number, memory, &ops, &n);

	if (r != 0 || n == 0)
		return -EINVAL;
	return expression_run(ops, n, &input, ret_value, ret_is_value);
}

static int find_cfa(struct walk *walk, const struct cfi_rules *rules, uint64_t *ret_cfa)
{
	bool is_value;

	if (rules->cfa_register == CFA_BY_EXPRESSION)
		return run_expression(walk, rules, -1, NULL, ret_cfa, &is_value);
	if (!is_known(walk, rules->cfa_register))
		return -EINVAL;
	*ret_cfa = walk->value[rules->cfa_register] + (uint64_t)rules->cfa_offset;
	return 0;
}

/* 0, or there is no value: an error, or -ENOENT where the rules say so. */
static int find_register(struct walk *walk, const struct cfi_rules *rules, unsigned int number,
			 uint64_t cfa, uint64_t *ret_value)
{
	const struct register_rule *rule = &rules->rule[number];
	bool is_value = false;
	uint64_t at;
	int r;

	switch (rule->how) {
	case REGISTER_SAME:
		*ret_value = walk->value[number];
		return is_known(walk, number) ? 0 : -ENOENT;
	case REGISTER_AT_CFA:
		/* In an epilogue, what is below the stack pointer has been restored already. */
		if (cfa + (uint64_t)(int64_t)rule->offset < walk->value[machine_here.sp] &&
		    is_known(walk, number)) {
			*ret_value = walk->value[number];
			return 0;
		}
		return read_stack(walk, cfa + (uint64_t)(int64_t)rule->offset, WORD, ret_value);
	case REGISTER_CFA_PLUS:
		*ret_value = cfa + (uint64_t)(int64_t)rule->offset;
		return 0;
	case REGISTER_EXPRESSION:
		r = run_expression(walk, rules, (int)number, &cfa, &at, &is_value);
		if (r < 0)
			return r;
		if (!is_value)
			return read_stack(walk, at, WORD, ret_value);
		*ret_value = at;
		return 0;
	default:
		return -ENOENT;
	}
}

static enum step step_by_rules(struct walk *walk, const struct cfi_rules *rules)
{
	uint64_t value[STACK_REGISTERS], cfa, one;
	uint32_t known = 0;

	if (rules->rule[rules->return_register].how == REGISTER_UNDEFINED)
		return STEP_OUTERMOST;
	if (find_cfa(walk, rules, &cfa) < 0)
		return STEP_FAILED;
	for (unsigned int i = 0; i < STACK_REGISTERS; i++) {
		if (find_register(walk, rules, i, cfa, &one) == 0)
			set(value, &known, i, one);
	}
	if (!(known >> rules->return_register & 1))
		return STEP_FAILED;
	set(value, &known, machine_here.ip, value[rules->return_register]);
	if (!(known >> machine_here.sp & 1))
		set(value, &known, machine_here.sp, cfa);
	/* A handler may run on a stack of its own, anywhere. */
	if (!rules->is_signal && value[machine_here.sp] <= walk->value[machine_here.sp])
		return STEP_FAILED;
	memcpy(walk->value, value, sizeof(value));
	walk->known = known;
	walk->is_return = !rules->is_signal;
	return STEP_ON;
}

/* Is the signal frame on the stack that the frame itself names as the one for handlers? */
static bool is_on_signal_stack(struct walk *walk, uint64_t frame)
{
	uint64_t low, bytes;

	return read_stack(walk, frame + (uint64_t)machine_here.signal_stack_at, WORD, &low) == 0 &&
	       read_stack(walk, frame + (uint64_t)machine_here.signal_stack_bytes_at, WORD,
			  &bytes) == 0 &&
	       frame - low < bytes;
}

static bool is_copied(const struct walk *walk, uint64_t address)
{
	return address >= walk->bottom && address < walk->top;
}

static enum step step_out_of_signal(struct walk *walk)
{
	uint64_t frame = walk->value[machine_here.sp];
	uint64_t value[STACK_REGISTERS];

	for (unsigned int i = 0; i < STACK_REGISTERS; i++)
		if (read_stack(walk, frame + (uint64_t)machine_here.in_signal_frame[i], WORD,
			       &value[i]) < 0)
			return STEP_FAILED;
	walk->has_left = is_on_signal_stack(walk, frame) && !is_copied(walk, value[machine_here.sp]);
	memcpy(walk->value, value, sizeof(value));
	walk->known = UINT32_MAX;
	walk->is_return = false;
	return STEP_ON;
}

/*
 * Guesses, where nobody tells how: hand-written assembly, musl, code made at run time.  A return
 * address is behind a call.  What is left on the stack from calls that have ended looks the same,
 * so it is worth more when the call leads to the function that we are in.
 */
enum trust {
	TRUST_NONE,
	TRUST_SOME,  /* behind a call */
	TRUST_RULES, /* and rules are known there, or what is called is near */
	TRUST_EXACT, /* and what is called is this function */
};

/* A call found in the code: could it be the one that led here? */
static enum trust judge_call(const struct walk *walk, uint64_t callee, const struct mapping *from)
{
	uint64_t ip = walk->value[machine_here.ip] - walk->is_return, here, there;
	const struct symbol *symbol;

	if (!space_resolve(from, ip, &here) || space_find(walk->space, callee) != from ||
	    !space_resolve(from, callee, &there))
		return TRUST_SOME;
	symbol = object_symbol(from->object, there);
	if (symbol && symbol->low == there && symbol->high > symbol->low && here >= there &&
	    here < symbol->high)
		return TRUST_EXACT;
	return here - there + NEAR < 2 * NEAR ? TRUST_RULES : TRUST_SOME;
}

/* From another file: its linkage table names the function that is called. */
static enum trust judge_call_between(const struct walk *walk, uint64_t callee,
				     const struct mapping *caller, const struct mapping *from)
{
	uint64_t ip = walk->value[machine_here.ip] - walk->is_return, here, there;
	const struct symbol *symbol;
	const char *name;

	if (space_find(walk->space, callee) != caller || !space_resolve(caller, callee, &there) ||
	    !space_resolve(from, ip, &here))
		return TRUST_SOME;
	name = object_stub_name(caller->object, there);
	symbol = name ? object_symbol(from->object, here) : NULL;
	return symbol && object_symbol_is_named(from->object, symbol, name) ? TRUST_EXACT : TRUST_SOME;
}

/* Code made at run time is in anonymous memory, or in files that are nothing but memory. */
static bool has_file(const struct mapping *mapping)
{
	return mapping->object && mapping->object->state == OBJECT_OPENED;
}

static enum trust judge_return(const struct walk *walk, uint64_t ip, const struct mapping *from)
{
	const struct mapping *mapping = space_find(walk->space, ip - 1);
	unsigned char code[MACHINE_CODE_BYTES];
	uint64_t address, callee;
	const struct cfi_rules *rules;
	enum trust trust;
	size_t n = sizeof(code);

	if (!mapping || ip - mapping->low < n)
		return TRUST_NONE;
	if (!space_resolve(mapping, ip - n, &address)) /* or what is executed there is no code */
		return has_file(mapping) ? TRUST_NONE : TRUST_SOME;
	if (object_code(mapping->object, address, code, n) != n ||
	    !machine_here.ends_with_call(code, n, ip, &callee))
		return TRUST_NONE;
	trust = callee == 0	  ? TRUST_SOME :
		mapping == from ? judge_call(walk, callee, from) :
				  judge_call_between(walk, callee, mapping, from);
	if (trust > TRUST_SOME)
		return trust;
	rules = object_rules(mapping->object, address + n - 1);
	return rules && rules->known ? TRUST_RULES : TRUST_SOME;
}

/* The return address at a place on the stack. */
static enum trust look_at(struct walk *walk, uint64_t at, const struct mapping *from,
			  uint64_t *ret_ip)
{
	return read_stack(walk, at, WORD, ret_ip) < 0 ? TRUST_NONE
						      : judge_return(walk, *ret_ip, from);
}

static enum step take_guess(struct walk *walk, uint64_t at, uint64_t ip)
{
	walk->known &= UINT32_C(1) << machine_here.fp;
	set(walk->value, &walk->known, machine_here.sp, at + WORD);
	set(walk->value, &walk->known, machine_here.ip, ip);
	walk->is_return = true;
	walk->is_guess = true;
	return STEP_ON;
}

/* Functions that begin with "push fp; move fp, sp": above fp is where they return to. */
static enum step take_frame_pointer(struct walk *walk, uint64_t ip)
{
	uint64_t frame = walk->value[machine_here.fp], next;

	if (read_stack(walk, frame, WORD, &next) < 0)
		return STEP_NO_RULES;
	set(walk->value, &walk->known, machine_here.fp, next);
	return take_guess(walk, frame + WORD, ip);
}

/* The first that is trusted so much, from the stack pointer on. */
static bool search(struct walk *walk, enum trust least, const struct mapping *from,
		   uint64_t *ret_at, uint64_t *ret_ip)
{
	uint64_t at = (walk->value[machine_here.sp] + WORD - 1) & ~(uint64_t)(WORD - 1);

	for (size_t i = 0; i < GUESS_WORDS; i++, at += WORD) {
		if (look_at(walk, at, from, ret_ip) >= least) {
			*ret_at = at;
			return true;
		}
	}
	return false;
}

/* What a frame pointer leads to, when that looks like one. */
static enum trust look_at_frame(struct walk *walk, const struct mapping *from, uint64_t *ret_ip)
{
	uint64_t frame = walk->value[machine_here.fp];

	if (!is_known(walk, machine_here.fp) || frame < walk->value[machine_here.sp] ||
	    frame % WORD != 0)
		return TRUST_NONE;
	return look_at(walk, frame + WORD, from, ret_ip);
}

static enum step step_by_guess(struct walk *walk, const struct place *place)
{
	const struct mapping *from = place->mapping;
	uint64_t frame = walk->value[machine_here.fp], ip, at, found;
	/* compilers at run time keep frame pointers */
	bool keeps_frames = !place->rules || place->rules->has_frame_pointer;
	enum trust trust = look_at_frame(walk, from, &ip);

	if (trust == TRUST_EXACT || (trust != TRUST_NONE && keeps_frames))
		return take_frame_pointer(walk, ip);
	if (!place->rules)
		return STEP_NO_RULES;
	if (search(walk, TRUST_EXACT, from, &at, &found) ||
	    search(walk, TRUST_RULES, from, &at, &found))
		return take_guess(walk, at, found);
	if (is_known(walk, machine_here.fp) &&
	    frame == 0) /* the ABI's mark of the outermost frame */
		return STEP_OUTERMOST;
	if (trust != TRUST_NONE)
		return take_frame_pointer(walk, ip);
	if (search(walk, TRUST_SOME, from, &at, &found))
		return take_guess(walk, at, found);
	return STEP_NO_RULES;
}

static enum step step(struct walk *walk, const struct place *place)
{
	if (!place->rules)
		return step_by_guess(walk, place);
	if (place->is_trampoline)
		return step_out_of_signal(walk);
	if (place->rules->known)
		return step_by_rules(walk, place->rules);
	/* The loader enters there, and nobody called it. */
	if (place->address - place->mapping->object->entry < ENTRY_BYTES)
		return STEP_OUTERMOST;
	return step_by_guess(walk, place);
}

/* Where the walk is.  The signal trampoline is "returned to", but nobody has called it: it begins
 * at ip. */
static int find_place(struct walk *walk, struct place *ret_place)
{
	uint64_t ip = walk->value[machine_here.ip] - walk->is_return;
	struct place place = {.mapping = space_find(walk->space, ip)};

	if (place.mapping && space_resolve(place.mapping, ip, &place.address)) {
		place.rules = object_rules(place.mapping->object, place.address);
		if (!place.rules)
			return -ENOMEM;
		place.is_trampoline = walk->is_return ? place.rules->before_trampoline
						      : place.rules->is_trampoline;
	}
	if (place.is_trampoline)
		walk->is_return = false;
	*ret_place = place;
	return 0;
}

static enum unwind_end end_of(const struct walk *walk, enum step step)
{
	if (step == STEP_OUTERMOST)
		return UNWIND_COMPLETE;
	if (walk->has_left)
		return UNWIND_OTHER_STACK;
	if (walk->wanted_more && !walk->stack->whole)
		return UNWIND_CUT;
	return step == STEP_NO_RULES ? UNWIND_NO_RULES : UNWIND_BROKEN;
}

static void begin(struct walk *walk, struct space *space, const struct captured_stack *stack)
{
	*walk = (struct walk){.space = space, .stack = stack, .known = UINT32_MAX};
	memcpy(walk->value, stack->registers, sizeof(walk->value));
	walk->bottom = walk->value[machine_here.sp];
	walk->top = walk->bottom + stack->n_bytes;
	if (walk->top < walk->bottom) /* a made-up stack pointer, at the end of all addresses */
		walk->top = walk->bottom;
}

/* Notes the frame where the walk is.  False: it ends there, for a reason that is noted too. */
static bool note_frame(const struct walk *walk, const struct place *place, struct unwound *unwound)
{
	uint64_t ip = walk->value[machine_here.ip];

	if (unwound->n == 0 || place->mapping) {
		unwound->ip[unwound->n] = ip;
		unwound->is_guessed[unwound->n] = walk->is_guess;
		unwound->is_return[unwound->n++] = walk->is_return;
	}
	if (!place->mapping)
		unwound->end = ip == 0 && unwound->n > 1 ? UNWIND_COMPLETE : UNWIND_BROKEN;
	else if (unwound->n == UNWIND_MAX)
		unwound->end = UNWIND_TOO_DEEP;
	else
		return true;
	return false;
}

static int walk_on(struct walk *walk, struct unwound *unwound)
{
	for (;;) {
		struct place place;
		enum step how;
		int r = find_place(walk, &place);

		if (r < 0)
			return r;
		if (!note_frame(walk, &place, unwound))
			return 0;
		walk->wanted_more = walk->is_guess = false;
		how = step(walk, &place);
		if (how != STEP_ON) {
			unwound->end = end_of(walk, how);
			return 0;
		}
	}
}

int space_unwind(struct space *space, const struct captured_stack *stack,
		 struct unwound *ret_unwound)
{
	struct unwound unwound = {.n = 0};
	struct walk walk;
	int r;

	begin(&walk, space, stack);
	r = walk_on(&walk, &unwound);
	if (r == 0)
		*ret_unwound = unwound;
	return r;
}
