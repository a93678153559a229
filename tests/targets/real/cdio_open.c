/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cdio_open.c - open a disc image
 *
 * package: libcdio-dev
 * libraries: libcdio
 * functions: cdio_open
 */
#include <cdio/cdio.h>
#include <cdio/logging.h>

int main(void)
{
	cdio_loglevel_default = CDIO_LOG_ASSERT;
	for (int i = 0; i < 3; i++) {
		CdIo_t *disc = cdio_open("disc.cue", DRIVER_UNKNOWN);

		if (disc)
			cdio_destroy(disc);
	}
	return 0;
}
