/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * popt_config.c - read a configuration
 *
 * package: libpopt-dev
 * libraries: popt
 * functions: poptReadConfigFile
 */
#include <popt.h>
#include <stddef.h>

int main(void)
{
	static const char *words[] = {"driver", NULL};
	static struct poptOption options[] = {POPT_TABLEEND};

	for (int i = 0; i < 3; i++) {
		poptContext context = poptGetContext("driver", 1, words, options, 0);

		if (!context)
			continue;
		poptReadConfigFile(context, "text");
		poptFreeContext(context);
	}
	return 0;
}
