/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mosquitto_new.c - a message broker that is not there
 *
 * package: libmosquitto-dev
 * libraries: libmosquitto
 * functions: mosquitto_new, mosquitto_connect
 */
#include <mosquitto.h>
#include <stddef.h>

int main(void)
{
	mosquitto_lib_init();
	for (int i = 0; i < 3; i++) {
		struct mosquitto *client = mosquitto_new("driver", true, NULL);

		if (!client)
			continue;
		mosquitto_connect(client, "127.0.0.1", 1, 10);
		mosquitto_destroy(client);
	}
	mosquitto_lib_cleanup();
	return 0;
}
