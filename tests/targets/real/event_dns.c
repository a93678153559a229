/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_dns.c - a resolver
 *
 * package: libevent-dev
 * libraries: libevent
 * functions: evdns_base_new
 */
#include <event2/dns.h>
#include <event2/event.h>

int main(void)
{
	struct event_base *base = event_base_new();

	for (int i = 0; i < 3; i++) {
		struct evdns_base *dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS);

		if (dns)
			evdns_base_free(dns, 0);
	}
	event_base_free(base);
	return 0;
}
