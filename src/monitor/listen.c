/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BACKLOG 128

static int parse_port(const char *text, in_port_t *ret_port)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long port;

	if (digits == 0 || digits > 5 || text[digits])
		return -EINVAL;
	port = strtoul(text, NULL, 10);
	if (port > 65535)
		return -EINVAL;
	*ret_port = htons((uint16_t)port);
	return 0;
}

static bool fill_v4(const char *host, in_port_t port, struct listen_address *ret_address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port };

	if (!strcmp(host, "localhost"))
		host = "127.0.0.1";
	if (inet_pton(AF_INET, *host ? host : "0.0.0.0", &v4.sin_addr) != 1)
		return false;
	*ret_address = (struct listen_address){ .bytes = sizeof(v4) };
	ret_address->is_loopback = ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	memcpy(&ret_address->address, &v4, sizeof(v4));
	return true;
}

static bool fill_v6(const char *host, in_port_t port, struct listen_address *ret_address)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port };

	if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
		return false;
	*ret_address = (struct listen_address){ .bytes = sizeof(v6) };
	ret_address->is_loopback = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
	memcpy(&ret_address->address, &v6, sizeof(v6));
	return true;
}

int listen_parse(const char *text, struct listen_address *ret_address)
{
	const char *colon = strrchr(text, ':');
	char host[LISTEN_TEXT_BYTES];
	size_t bytes = colon ? (size_t)(colon - text) : 0;
	in_port_t port = 0;

	if (!colon || bytes >= sizeof(host) || parse_port(colon + 1, &port) < 0)
		return -EINVAL;
	memcpy(host, text, bytes);
	host[bytes] = 0;
	if (host[0] != '[')
		return fill_v4(host, port, ret_address) ? 0 : -EINVAL;
	if (host[bytes - 1] != ']')
		return -EINVAL;
	host[bytes - 1] = 0;
	return fill_v6(host + 1, port, ret_address) ? 0 : -EINVAL;
}

static void format_address(const struct sockaddr_storage *address, char text[LISTEN_TEXT_BYTES])
{
	char host[INET6_ADDRSTRLEN] = "";

	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

		(void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		(void)snprintf(text, LISTEN_TEXT_BYTES, "%s:%u", host, ntohs(v4->sin_port));
	} else {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

		(void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		(void)snprintf(text, LISTEN_TEXT_BYTES, "[%s]:%u", host, ntohs(v6->sin6_port));
	}
}

int listen_open(const struct listen_address *address, char ret_text[LISTEN_TEXT_BYTES])
{
	AUTO_CLOSE int fd = socket(address->address.ss_family,
				   SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_storage got = { 0 };
	socklen_t bytes = sizeof(got);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&address->address, address->bytes) < 0 ||
	    listen(fd, BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&got, &bytes) < 0)
		return -errno;
	format_address(&got, ret_text);
	return take_fd(&fd);
}

bool listen_is_local_host(const char *host)
{
	size_t bytes = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	char name[LISTEN_TEXT_BYTES];
	struct in_addr v4;

	if (bytes >= sizeof(name) || strlen(host) < bytes)
		return false;
	memcpy(name, host, bytes);
	name[bytes] = 0;
	if (!strcasecmp(name, "localhost") || !strcmp(name, "[::1]"))
		return true;
	return inet_pton(AF_INET, name, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}
