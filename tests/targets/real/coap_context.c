/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * coap_context.c - a CoAP server
 *
 * package: libcoap3-dev
 * libraries: libcoap-3-notls
 * functions: coap_new_context, coap_new_endpoint
 * leaks: coap_new_context after epoll_ctl, coap_new_context after timerfd_create
 */
#include <coap3/coap.h>
#include <stddef.h>

int main(void)
{
	coap_startup();
	coap_set_log_level(LOG_EMERG);
	for (int i = 0; i < 3; i++) {
		coap_context_t *context = coap_new_context(NULL);
		coap_address_t address;

		if (!context)
			continue;
		coap_address_init(&address);
		address.addr.sin.sin_family = AF_INET;
		coap_new_endpoint(context, &address, COAP_PROTO_UDP);
		coap_free_context(context);
	}
	coap_cleanup();
	return 0;
}
