/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * openssl_bio.c - files
 *
 * package: libssl-dev
 * libraries: libcrypto
 * functions: BIO_new_file, RAND_load_file, RAND_write_file
 */
#include <openssl/bio.h>
#include <openssl/rand.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		BIO *file = BIO_new_file("text", "r");

		BIO_free(file);
		RAND_load_file("text", 10);
		RAND_write_file("new.rnd");
	}
	return 0;
}
