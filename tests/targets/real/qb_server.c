/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qb_server.c - a server for local clients
 *
 * package: libqb-dev
 * libraries: libqb
 * functions: qb_loop_create, qb_ipcs_run
 */
#include <qb/qbipcs.h>
#include <qb/qbloop.h>
#include <stddef.h>

static int32_t accepted(qb_ipcs_connection_t *connection, uid_t uid, gid_t gid)
{
	(void)connection, (void)uid, (void)gid;
	return 0;
}

static int32_t message(qb_ipcs_connection_t *connection, void *data, size_t size)
{
	(void)connection, (void)data, (void)size;
	return 0;
}

static int32_t added(enum qb_loop_priority priority, int32_t fd, int32_t events, void *data,
		     qb_ipcs_dispatch_fn_t call)
{
	(void)priority, (void)fd, (void)events, (void)data, (void)call;
	return 0;
}

static int32_t deleted(int32_t fd)
{
	(void)fd;
	return 0;
}

int main(void)
{
	struct qb_ipcs_service_handlers handlers = {.connection_accept = accepted,
						    .msg_process = message};
	struct qb_ipcs_poll_handlers poll = {
		.dispatch_add = added, .dispatch_mod = added, .dispatch_del = deleted};

	for (int i = 0; i < 3; i++) {
		qb_loop_t *loop = qb_loop_create();
		qb_ipcs_service_t *service =
			qb_ipcs_create("tendril-real", 0, QB_IPC_SOCKET, &handlers);

		if (service) {
			qb_ipcs_poll_handlers_set(service, &poll);
			if (qb_ipcs_run(service) == 0)
				qb_ipcs_destroy(service);
		}
		if (loop)
			qb_loop_destroy(loop);
	}
	return 0;
}
