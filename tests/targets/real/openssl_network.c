/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * openssl_network.c - sockets, certificates
 *
 * package: libssl-dev
 * libraries: libssl libcrypto
 * functions: accept_on, connect_by, SSL_CTX_load_verify_locations, SSL_CTX_use_certificate_file
 */
#include <openssl/bio.h>
#include <openssl/conf.h>
#include <openssl/ssl.h>

/* The library's names for these are macros. */
int accept_on(BIO *bio);
int connect_by(BIO *bio);

int accept_on(BIO *bio)
{
	return (int)BIO_do_accept(bio);
}

int connect_by(BIO *bio)
{
	return (int)BIO_do_connect(bio);
}

int main(void)
{
	for (int i = 0; i < 3; i++) {
		BIO *server = BIO_new_accept("127.0.0.1:0"),
		    *client = BIO_new_connect("127.0.0.1:1");
		SSL_CTX *context = SSL_CTX_new(TLS_client_method());

		if (server)
			accept_on(server);
		if (client)
			connect_by(client);
		SSL_CTX_load_verify_locations(context, "text", ".");
		SSL_CTX_use_certificate_file(context, "text", SSL_FILETYPE_PEM);
		SSL_CTX_free(context);
		BIO_free_all(client);
		BIO_free_all(server);
	}
	return 0;
}
