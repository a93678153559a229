/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldns_query.c - ask a server that is not there
 *
 * package: libldns-dev
 * libraries: ldns
 * functions: ldns_resolver_query
 */
#include <ldns/ldns.h>

int main(void)
{
	ldns_resolver *resolver;
	ldns_rdf *name = ldns_dname_new_frm_str("example.org.");

	if (ldns_resolver_new_frm_file(&resolver, "resolv.conf") != LDNS_STATUS_OK)
		return 1;
	ldns_resolver_set_retry(resolver, 1);
	ldns_resolver_set_usevc(resolver, true);
	for (int i = 0; i < 3; i++)
		ldns_pkt_free(ldns_resolver_query(resolver, name, LDNS_RR_TYPE_A, LDNS_RR_CLASS_IN,
						  LDNS_RD));
	ldns_rdf_deep_free(name);
	ldns_resolver_deep_free(resolver);
	return 0;
}
