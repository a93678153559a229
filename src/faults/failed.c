/* SPDX-License-Identifier: BSD-2-Clause */
/* failed.c - has a function failed? */
#include "faults/explorer.h"

#define ERROR_MAX 4095

static bool is_error(int64_t result)
{
	return result < 0 && result >= -ERROR_MAX;
}

/* Without its type: by what it returns when nothing fails. */
static bool differs_like_failure(const struct entry *entry, uint64_t result)
{
	int64_t whole = (int64_t)result;
	int32_t half = (int32_t)result;
	bool negative = is_error(whole) || (result <= UINT32_MAX && is_error(half));
	uint64_t usual = entry->usual_result;

	if (negative)
		return true;
	return (usual == 0) != (result == 0) && ((uint32_t)usual == 0 || result == 0);
}

static bool failed_by_type(const struct entry *entry, const struct target *target, uint64_t result)
{
	int64_t value = target->return_bytes == 4   ? (int32_t)result
			: target->return_bytes == 2 ? (int16_t)result
			: target->return_bytes == 1 ? (int8_t)result
						    : (int64_t)result;
	uint64_t mask = target->return_bytes && target->return_bytes < 8
				? (1ULL << target->return_bytes * 8) - 1
				: UINT64_MAX;

	switch (target->returns) {
	case RETURNS_POINTER:
		return result == 0 || is_error((int64_t)result);
	case RETURNS_BOOL:
		return (result & 0xff) == 0;
	case RETURNS_SIGNED: /* or an error code, where none is 0 */
		return value < 0 || (value != 0 && (entry->usual_result & mask) == 0);
	case RETURNS_UNSIGNED:
		return ((result & mask) == 0) != ((entry->usual_result & mask) == 0);
	default:
		return differs_like_failure(entry, result);
	}
}

bool call_has_failed(const struct call *call)
{
	const struct entry *entry = call->entry;
	const struct target *target = &entry->explorer->target[entry->function];
	uint64_t result = arch_call_result(&call->state);
	int64_t value = target->return_bytes == 4 || (result <= UINT32_MAX && result > INT32_MAX)
				? (int32_t)result
				: (int64_t)result;

	if (call->whole) /* or it has ended in the middle, and left it to the kernel to close */
		return call->came_back;
	if (call->outcome != CALL_RETURNED)
		return true;
	switch (target->fails) {
	case FAULTS_FAILS_NEGATIVE:
		return value < 0;
	case FAULTS_FAILS_ZERO:
		return target->return_bytes == 4 ? (uint32_t)result == 0 : result == 0;
	case FAULTS_FAILS_NONZERO:
		return target->return_bytes == 4 ? (uint32_t)result != 0 : result != 0;
	case FAULTS_FAILS_EXIT:
		return true; /* until its end has been seen */
	default:
		return failed_by_type(entry, target, result);
	}
}
