/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tokyo_open.c - open databases
 *
 * package: libtokyocabinet-dev
 * libraries: tokyocabinet
 * functions: tchdbopen, tcbdbopen, tcfdbopen
 */
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <tchdb.h>
#include <tcbdb.h>
#include <tcfdb.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		TCHDB *hash = tchdbnew();
		TCBDB *tree = tcbdbnew();
		TCFDB *fixed = tcfdbnew();

		tchdbopen(hash, "base.tch", HDBOWRITER | HDBOCREAT);
		tcbdbopen(tree, "base.tcb", BDBOWRITER | BDBOCREAT);
		tcfdbopen(fixed, "base.tcf", FDBOWRITER | FDBOCREAT);
		tchdbdel(hash);
		tcbdbdel(tree);
		tcfdbdel(fixed);
	}
	return 0;
}
