/* SPDX-License-Identifier: BSD-2-Clause */
/* expression.h - DWARF expressions of unwind information */
#ifndef SYMBOLIZE_EXPRESSION_H
#define SYMBOLIZE_EXPRESSION_H

#include <elfutils/libdw.h>

#include "symbolize/symbolize.h"

/* What an expression may look at. */
struct expression_input {
	const uint64_t *registers;
	uint32_t known; /* which of them, a bit each */
	bool has_cfa;
	uint64_t cfa;
	int (*read)(void *data, uint64_t address, unsigned int bytes, uint64_t *ret_value);
	void *data;
};

/*
 * Return: 0; -EINVAL (not one that we know, or it makes no sense), or what read() said.
 * *ret_is_value: the result is a register's content, not the address where it was saved.
 */
int expression_run(const Dwarf_Op *ops, size_t n, const struct expression_input *input,
		   uint64_t *ret_result, bool *ret_is_value);

#endif /* SYMBOLIZE_EXPRESSION_H */
