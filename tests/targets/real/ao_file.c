/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ao_file.c - play into a file
 *
 * package: libao-dev
 * libraries: ao
 * functions: ao_open_file
 */
#include <ao/ao.h>
#include <stddef.h>

int main(void)
{
	ao_initialize();
	for (int i = 0; i < 3; i++) {
		ao_sample_format format = {
			.bits = 16, .rate = 44100, .channels = 1, .byte_format = AO_FMT_LITTLE};
		ao_device *device = ao_open_file(ao_driver_id("wav"), "new.wav", 1, &format, NULL);

		if (device)
			ao_close(device);
	}
	ao_shutdown();
	return 0;
}
