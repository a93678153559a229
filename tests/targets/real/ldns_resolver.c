/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldns_resolver.c - a resolver
 *
 * package: libldns-dev
 * libraries: ldns
 * functions: ldns_resolver_new_frm_file
 */
#include <ldns/ldns.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		ldns_resolver *resolver;

		if (ldns_resolver_new_frm_file(&resolver, "resolv.conf") == LDNS_STATUS_OK)
			ldns_resolver_deep_free(resolver);
	}
	return 0;
}
