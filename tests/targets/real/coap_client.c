/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * coap_client.c - a CoAP client
 *
 * package: libcoap3-dev
 * libraries: libcoap-3-notls
 * functions: coap_new_client_session
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
		coap_session_t *session;

		if (!context)
			continue;
		coap_address_init(&address);
		address.addr.sin.sin_family = AF_INET;
		address.addr.sin.sin_port = htons(1);
		address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		session = coap_new_client_session(context, NULL, &address, COAP_PROTO_UDP);
		if (session)
			coap_session_release(session);
		session = coap_new_client_session(context, NULL, &address, COAP_PROTO_TCP);
		if (session)
			coap_session_release(session);
		coap_free_context(context);
	}
	coap_cleanup();
	return 0;
}
