/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flac_metadata.c - tags
 *
 * package: libflac-dev
 * libraries: flac
 * functions: FLAC__metadata_chain_read, FLAC__metadata_simple_iterator_init
 */
#include <FLAC/metadata.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		FLAC__Metadata_Chain *chain = FLAC__metadata_chain_new();
		FLAC__Metadata_SimpleIterator *iterator = FLAC__metadata_simple_iterator_new();

		if (chain) {
			FLAC__metadata_chain_read(chain, "sound.flac");
			FLAC__metadata_chain_delete(chain);
		}
		if (iterator) {
			FLAC__metadata_simple_iterator_init(iterator, "sound.flac", true, true);
			FLAC__metadata_simple_iterator_delete(iterator);
		}
	}
	return 0;
}
