/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gnutls_load.c - files
 *
 * package: libgnutls28-dev
 * libraries: gnutls
 * functions: gnutls_load_file
 */
#include <gnutls/gnutls.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		gnutls_certificate_credentials_t credentials;
		gnutls_datum_t data;

		if (gnutls_load_file("text", &data) == 0)
			gnutls_free(data.data);
		if (gnutls_certificate_allocate_credentials(&credentials) != 0)
			continue;
		gnutls_certificate_set_x509_trust_file(credentials, "text", GNUTLS_X509_FMT_PEM);
		gnutls_certificate_free_credentials(credentials);
	}
	return 0;
}
