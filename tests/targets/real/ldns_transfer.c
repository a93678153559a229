/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldns_transfer.c - ask a server that does not answer
 *
 * package: libldns-dev
 * libraries: ldns
 * functions: ldns_axfr_start
 */
#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	ldns_resolver *resolver = ldns_resolver_new();
	ldns_rdf *name = ldns_dname_new_frm_str("example.org.");
	ldns_rdf *where = ldns_rdf_new_frm_str(LDNS_RDF_TYPE_A, "127.0.0.1");
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	int server = socket(AF_INET, SOCK_STREAM, 0);

	memset(&address, 0, sizeof(address));
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(server, (struct sockaddr *)&address, sizeof(address));
	listen(server, 50);
	getsockname(server, (struct sockaddr *)&address, &length);
	ldns_resolver_push_nameserver(resolver, where);
	ldns_resolver_set_port(resolver, ntohs(address.sin_port));
	ldns_resolver_set_retry(resolver, 1);
	for (int i = 0; i < 3; i++)
		if (ldns_axfr_start(resolver, name, LDNS_RR_CLASS_IN) == LDNS_STATUS_OK)
			ldns_axfr_abort(resolver);
	ldns_rdf_deep_free(where);
	ldns_rdf_deep_free(name);
	ldns_resolver_deep_free(resolver);
	close(server);
	return 0;
}
