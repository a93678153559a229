/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alsa_null.c - the sound device that swallows all
 *
 * package: libasound2-dev
 * libraries: alsa
 * functions: snd_pcm_open
 */
#include <alsa/asoundlib.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		snd_pcm_t *device;

		if (snd_pcm_open(&device, "null", SND_PCM_STREAM_PLAYBACK, 0) == 0)
			snd_pcm_close(device);
	}
	return 0;
}
