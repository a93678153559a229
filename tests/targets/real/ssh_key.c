/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssh_key.c - read a key
 *
 * package: libssh-dev
 * libraries: libssh
 * functions: ssh_pki_import_pubkey_file, ssh_pki_import_privkey_file
 */
#include <libssh/libssh.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		ssh_key key;

		if (ssh_pki_import_privkey_file("text", NULL, NULL, NULL, &key) == SSH_OK)
			ssh_key_free(key);
		if (ssh_pki_import_pubkey_file("text", &key) == SSH_OK)
			ssh_key_free(key);
	}
	return 0;
}
