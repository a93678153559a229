/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rabbit_open.c - a message broker that is not there
 *
 * package: librabbitmq-dev
 * libraries: librabbitmq
 * functions: amqp_socket_open
 */
#include <stdint.h>
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		amqp_connection_state_t connection = amqp_new_connection();
		amqp_socket_t *socket = connection ? amqp_tcp_socket_new(connection) : NULL;

		if (socket)
			amqp_socket_open(socket, "127.0.0.1", 1);
		if (connection)
			amqp_destroy_connection(connection);
	}
	return 0;
}
