/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * delta.c - the step from one sample's counters to the next one's
 *
 *     step    = flags [members] {column}     flags: bit 0 members, bit 1 + c a column of counter c
 *     members = n {index - behind the last}  who went, by their place in the old state
 *               n {id - the last id}         who came
 *     column  = bytes n unit {change}        bytes: of what follows, for those who pass it over;
 *                                            unit: what all differences are multiples of
 *     change  = place - behind the last, 0 | 1 + zigzag(difference / unit)     0: is unknown now
 *
 * The places of a change are those of the new state.  Who came begins with everything unknown, which
 * counts as 0.  Values are below 2^63, so that a difference always has room for its sign.
 */
#include "monitor/delta.h"

#include <string.h>

#define FLAG_MEMBERS 1u

/* States */

int delta_state_reserve(struct delta_state *state, size_t n_cells)
{
	size_t room = n_cells > 2 * state->room ? n_cells : 2 * state->room;
	struct delta_cell *grown;

	if (n_cells <= state->room)
		return 0;
	if (n_cells > DELTA_MAX_CELLS)
		return -E2BIG;
	grown = reallocarray(state->cell, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	state->cell = grown;
	state->room = room;
	return 0;
}

int delta_state_copy(struct delta_state *state, const struct delta_state *from)
{
	int r = delta_state_reserve(state, from->n_cells);

	if (r < 0)
		return r;
	if (from->n_cells)
		memcpy(state->cell, from->cell, from->n_cells * sizeof(*from->cell));
	state->n_cells = from->n_cells;
	return 0;
}

const struct delta_cell *delta_state_find(const struct delta_state *state, uint64_t instance)
{
	size_t low = 0, high = state->n_cells;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (state->cell[middle].instance < instance)
			low = middle + 1;
		else
			high = middle;
	}
	return low < state->n_cells && state->cell[low].instance == instance ? &state->cell[low] :
									       NULL;
}

void delta_state_done(struct delta_state *state)
{
	free(state->cell);
	*state = (struct delta_state){ 0 };
}

/* Numbers */

#define NUMBER_BYTES 10 /* 64 bits, seven a byte */

static int make_room(struct delta_bytes *bytes, size_t more)
{
	size_t room = 2 * bytes->room + more;
	unsigned char *grown;

	if (bytes->room - bytes->n_bytes >= more)
		return 0;
	grown = realloc(bytes->data, room);
	if (!grown)
		return -ENOMEM;
	bytes->data = grown;
	bytes->room = room;
	return 0;
}

static void put(struct delta_bytes *bytes, uint64_t number)
{
	for (; number > 127; number >>= 7)
		bytes->data[bytes->n_bytes++] = (unsigned char)(number | 128);
	bytes->data[bytes->n_bytes++] = (unsigned char)number;
}

static uint64_t to_zigzag(int64_t number)
{
	return ((uint64_t)number << 1) ^ (uint64_t)(number >> 63);
}

static int64_t from_zigzag(uint64_t number)
{
	return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

int delta_put(struct delta_bytes *bytes, uint64_t number)
{
	int r = make_room(bytes, NUMBER_BYTES);

	if (r == 0)
		put(bytes, number);
	return r;
}

int delta_put_signed(struct delta_bytes *bytes, int64_t number)
{
	return delta_put(bytes, to_zigzag(number));
}

const unsigned char *delta_get(const unsigned char *data, const unsigned char *end,
			       uint64_t *ret_number)
{
	uint64_t number = 0;

	for (unsigned shift = 0; data && data < end && shift < 64; shift += 7) {
		unsigned char byte = *data++;

		if (shift == 63 && byte > 1)
			return NULL;
		number |= (uint64_t)(byte & 127) << shift;
		if (byte < 128) {
			*ret_number = number;
			return data;
		}
	}
	return NULL;
}

const unsigned char *delta_get_signed(const unsigned char *data, const unsigned char *end,
				      int64_t *ret_number)
{
	uint64_t number;

	data = delta_get(data, end, &number);
	if (data)
		*ret_number = from_zigzag(number);
	return data;
}

void delta_bytes_done(struct delta_bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct delta_bytes){ 0 };
}

/* Encoding */

static const struct delta_cell nobody;

/* For each cell of the new state its old one; nobody for who came. */
static size_t pair(const struct delta_state *from, const struct delta_state *to,
		   const struct delta_cell **ret_old)
{
	size_t n_both = 0;

	for (size_t i = 0, j = 0; i < to->n_cells; i++) {
		while (j < from->n_cells && from->cell[j].instance < to->cell[i].instance)
			j++;
		ret_old[i] = &nobody;
		if (j < from->n_cells && from->cell[j].instance == to->cell[i].instance) {
			ret_old[i] = &from->cell[j];
			n_both++;
		}
	}
	return n_both;
}

static void put_who_went(const struct delta_state *from, const struct delta_state *to,
			 size_t n_went, struct delta_bytes *bytes)
{
	put(bytes, n_went);
	for (size_t i = 0, j = 0, behind = 0; i < from->n_cells; i++) {
		while (j < to->n_cells && to->cell[j].instance < from->cell[i].instance)
			j++;
		if (j < to->n_cells && to->cell[j].instance == from->cell[i].instance)
			continue;
		put(bytes, i - behind);
		behind = i + 1;
	}
}

static void put_who_came(const struct delta_state *to, const struct delta_cell *const *old,
			 size_t n_came, struct delta_bytes *bytes)
{
	uint64_t last = 0;

	put(bytes, n_came);
	for (size_t i = 0; i < to->n_cells; i++) {
		if (old[i] != &nobody)
			continue;
		put(bytes, to->cell[i].instance - last);
		last = to->cell[i].instance;
	}
}

static bool has_changed(const struct delta_cell *old, const struct delta_cell *new, int counter)
{
	return ((old->known ^ new->known) & 1u << counter) ||
	       old->value[counter] != new->value[counter];
}

static uint64_t common_unit(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* What the column will be made of.  Return: how many changes it has. */
static size_t survey(const struct delta_state *to, const struct delta_cell *const *old, int counter,
		     uint64_t *ret_unit)
{
	size_t n = 0;
	uint64_t unit = 0;

	for (size_t i = 0; i < to->n_cells; i++) {
		uint64_t a = old[i]->value[counter], b = to->cell[i].value[counter];

		if (!has_changed(old[i], &to->cell[i], counter))
			continue;
		n++;
		if (unit != 1 && to->cell[i].known & 1u << counter)
			unit = common_unit(unit, a > b ? a - b : b - a);
	}
	*ret_unit = unit ? unit : 1;
	return n;
}

static void put_column(const struct delta_state *to, const struct delta_cell *const *old,
		       int counter, size_t n_changes, uint64_t unit, struct delta_bytes *bytes)
{
	size_t behind = 0;

	put(bytes, n_changes);
	put(bytes, unit);
	for (size_t i = 0; i < to->n_cells; i++) {
		const struct delta_cell *new = &to->cell[i];

		if (!has_changed(old[i], new, counter))
			continue;
		put(bytes, i - behind);
		behind = i + 1;
		if (new->known & 1u << counter)
			put(bytes, 1 + to_zigzag((int64_t)(new->value[counter] -
							   old[i]->value[counter]) /
						 (int64_t)unit));
		else
			put(bytes, 0);
	}
}

/* How many bytes it has is known when it is there. */
static void put_length_before(struct delta_bytes *bytes, size_t begin)
{
	size_t n = bytes->n_bytes - begin, old = bytes->n_bytes, n_length;
	unsigned char length[NUMBER_BYTES];

	put(bytes, n);
	n_length = bytes->n_bytes - old;
	memcpy(length, bytes->data + old, n_length);
	memmove(bytes->data + begin + n_length, bytes->data + begin, n);
	memcpy(bytes->data + begin, length, n_length);
}

int delta_encode(const struct delta_state *from, const struct delta_state *to,
		 struct delta_bytes *bytes)
{
	AUTO_FREE const struct delta_cell **old = calloc(to->n_cells + 1, sizeof(*old));
	size_t n_both, n_changes[MONITOR_COUNTERS], n_numbers;
	uint64_t unit[MONITOR_COUNTERS], flags = 0;

	if (!old)
		return -ENOMEM;
	n_both = pair(from, to, old);
	if (n_both != from->n_cells || n_both != to->n_cells)
		flags |= FLAG_MEMBERS;
	n_numbers = 3 + from->n_cells - n_both + to->n_cells - n_both;
	for (int i = 0; i < MONITOR_COUNTERS; i++) {
		n_changes[i] = survey(to, old, i, &unit[i]);
		flags |= n_changes[i] ? 2u << i : 0;
		n_numbers += 4 + 2 * n_changes[i];
	}
	if (make_room(bytes, n_numbers * NUMBER_BYTES) < 0)
		return -ENOMEM;
	put(bytes, flags);
	if (flags & FLAG_MEMBERS) {
		put_who_went(from, to, from->n_cells - n_both, bytes);
		put_who_came(to, old, to->n_cells - n_both, bytes);
	}
	for (int i = 0; i < MONITOR_COUNTERS; i++) {
		size_t begin = bytes->n_bytes;

		if (!n_changes[i])
			continue;
		put_column(to, old, i, n_changes[i], unit[i], bytes);
		put_length_before(bytes, begin);
	}
	return 0;
}

/* Decoding */

/* A count of things that take at least so many bytes each: more cannot follow. */
static const unsigned char *get_count(const unsigned char *data, const unsigned char *end,
				      size_t bytes_each, size_t *ret_n)
{
	uint64_t n;

	data = delta_get(data, end, &n);
	if (!data || n > (size_t)(end - data) / bytes_each)
		return NULL;
	*ret_n = n;
	return data;
}

static const unsigned char *take_away(struct delta_state *state, const unsigned char *data,
				      const unsigned char *end)
{
	size_t n = 0, kept = 0, next = 0;

	data = get_count(data, end, 1, &n);
	for (size_t i = 0; data && i < n; i++) {
		uint64_t gap;

		data = delta_get(data, end, &gap);
		if (!data || next >= state->n_cells || gap >= state->n_cells - next)
			return NULL;
		memmove(&state->cell[kept], &state->cell[next], gap * sizeof(*state->cell));
		kept += gap;
		next += gap + 1;
	}
	if (!data || n == 0)
		return data;
	memmove(&state->cell[kept], &state->cell[next],
		(state->n_cells - next) * sizeof(*state->cell));
	state->n_cells -= n;
	return data;
}

/* Those that came are behind the old ones at first; put both in order, from the end. */
static bool merge(struct delta_state *state, const uint64_t *came, size_t n_came)
{
	size_t old = state->n_cells, new = n_came;

	state->n_cells += n_came;
	while (new > 0) {
		struct delta_cell *to = &state->cell[old + new - 1];

		if (old > 0 && state->cell[old - 1].instance == came[new - 1])
			return false;
		if (old > 0 && state->cell[old - 1].instance > came[new - 1])
			*to = state->cell[--old];
		else
			*to = (struct delta_cell){ .instance = came[--new] };
	}
	return true;
}

static int bring(struct delta_state *state, const unsigned char *data, const unsigned char *end,
		 const unsigned char **ret_behind)
{
	AUTO_FREE uint64_t *came = NULL;
	uint64_t last = 0;
	size_t n;
	int r;

	data = get_count(data, end, 1, &n);
	if (!data || n > DELTA_MAX_CELLS)
		return -EBADMSG;
	came = calloc(n + 1, sizeof(*came));
	if (!came)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint64_t gap;

		data = delta_get(data, end, &gap);
		if (!data || gap == 0 || gap > (uint64_t)INT64_MAX - last)
			return -EBADMSG;
		came[i] = last += gap;
	}
	r = delta_state_reserve(state, state->n_cells + n);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	*ret_behind = data;
	return merge(state, came, n) ? 0 : -EBADMSG;
}

static const unsigned char *take_column(struct delta_state *state, const unsigned char *data,
					const unsigned char *end, int counter)
{
	size_t n = 0, next = 0;
	uint64_t unit = 0;

	data = get_count(data, end, 2, &n);
	data = delta_get(data, end, &unit);
	for (size_t i = 0; data && i < n; i++) {
		uint64_t gap, code = 0, value;
		struct delta_cell *cell;

		data = delta_get(data, end, &gap);
		data = delta_get(data, end, &code);
		if (!data || next >= state->n_cells || gap >= state->n_cells - next)
			return NULL;
		cell = &state->cell[next + gap];
		next += gap + 1;
		/* All modulo 2^64: nonsense makes a wrong number, and never an overflow. */
		value = cell->value[counter] + (uint64_t)from_zigzag(code - 1) * unit;
		if (code && value > INT64_MAX)
			return NULL;
		cell->value[counter] = code ? value : 0;
		cell->known = code ? cell->known | 1u << counter : cell->known & ~(1u << counter);
	}
	return data;
}

static const unsigned char *take_or_pass(struct delta_state *state, bool is_wanted,
					 const unsigned char *data, const unsigned char *end,
					 int counter)
{
	const unsigned char *behind;
	size_t bytes = 0;

	data = get_count(data, end, 1, &bytes);
	if (!data)
		return NULL;
	behind = data + bytes;
	return is_wanted && take_column(state, data, behind, counter) != behind ? NULL : behind;
}

int delta_decode(struct delta_state *state, uint32_t wanted, const unsigned char *data,
		 const unsigned char *end, const unsigned char **ret_behind, bool *ret_membership)
{
	uint64_t flags;
	int r;

	data = delta_get(data, end, &flags);
	if (!data || flags >> (1 + MONITOR_COUNTERS))
		return -EBADMSG;
	if (flags & FLAG_MEMBERS) {
		data = take_away(state, data, end);
		r = data ? bring(state, data, end, &data) : -EBADMSG;
		if (r < 0)
			return r;
	}
	for (int i = 0; data && i < MONITOR_COUNTERS; i++)
		if (flags & 2u << i)
			data = take_or_pass(state, wanted & 1u << i, data, end, i);
	if (!data)
		return -EBADMSG;
	*ret_behind = data;
	*ret_membership = flags & FLAG_MEMBERS;
	return 0;
}
