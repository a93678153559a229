/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pq_connect.c - connect to a port where nobody listens
 *
 * package: libpq-dev
 * libraries: libpq
 * functions: PQconnectdb
 */
#include <libpq-fe.h>

int main(void)
{
	for (int i = 0; i < 3; i++)
		PQfinish(PQconnectdb("host=127.0.0.1 port=1 user=nobody dbname=none"));
	return 0;
}
