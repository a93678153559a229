/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confuse_parse.c - read a configuration
 *
 * package: libconfuse-dev
 * libraries: libconfuse
 * functions: cfg_parse
 */
#include <confuse.h>

int main(void)
{
	cfg_opt_t options[] = {CFG_STR("name", NULL, CFGF_NONE), CFG_END()};

	for (int i = 0; i < 3; i++) {
		cfg_t *configuration = cfg_init(options, CFGF_NONE);

		if (!configuration)
			continue;
		cfg_parse(configuration, "plain.conf");
		cfg_free(configuration);
	}
	return 0;
}
