/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_file.c - read and write a configuration
 *
 * package: libconfig-dev
 * libraries: libconfig
 * functions: config_read_file, config_write_file
 */
#include <libconfig.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		config_t configuration;

		config_init(&configuration);
		if (config_read_file(&configuration, "lib.conf"))
			config_write_file(&configuration, "new.conf");
		config_destroy(&configuration);
	}
	return 0;
}
