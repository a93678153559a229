/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockets.c - families, states and addresses of sockets, from the tables in /proc/PID/net
 *
 * Those are the tables of the network namespace that the process is in now; a socket of another
 * one is in none of them, and keeps only the name of its protocol.
 */
#include "proc/handles.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define TABLE_BYTES_MAX (256u << 20)

static struct proc_socket *find_socket(struct proc_socket **sockets, const uint64_t *inodes,
				       size_t n, uint64_t inode)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (inodes[middle] < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && inodes[low] == inode ? sockets[low] : NULL;
}

/* Cut the next field out of a line; NULL when there is none. */
static char *next_field(char **line)
{
	char *field = *line + strspn(*line, " \t"), *end = field + strcspn(field, " \t");

	if (field == end)
		return NULL;
	*line = *end ? end + 1 : end;
	*end = '\0';
	return field;
}

/* Cut the next line out of text; NULL at its end. */
static char *next_line(char **text)
{
	char *line = *text, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	*text = end ? end + 1 : NULL;
	return line;
}

/* Each eight digits are one word of the address, printed as this machine's own integer. */
static bool parse_words(const char *hex, size_t n_words, uint32_t *ret_words)
{
	for (size_t i = 0; i < n_words; i++) {
		char word[9] = "";
		uint64_t value;

		memcpy(word, hex + 8 * i, 8);
		if (!proc_scan(word, 16, &value))
			return false;
		ret_words[i] = (uint32_t)value;
	}
	return true;
}

/* "0100007F:1F90" -> "127.0.0.1:8080"; NULL for the unspecified address and port. */
static char *parse_address(const char *field)
{
	const char *colon = strchr(field, ':');
	size_t n_words = colon == field + 8 ? 1 : colon == field + 32 ? 4 : 0;
	char address[INET6_ADDRSTRLEN], *text = NULL;
	uint32_t words[4] = { 0 };
	uint64_t port;

	if (n_words == 0 || !parse_words(field, n_words, words) ||
	    !proc_scan(colon + 1, 16, &port))
		return NULL;
	if (port == 0 && !(words[0] | words[1] | words[2] | words[3]))
		return NULL;
	if (!inet_ntop(n_words == 1 ? AF_INET : AF_INET6, words, address, sizeof(address)))
		return NULL;
	if (asprintf(&text, n_words == 1 ? "%s:%u" : "[%s]:%u", address, (unsigned)port) < 0)
		return NULL;
	return text;
}

static const char *tcp_state(const char *field)
{
	static const char *const names[] = { NULL, "established", "syn-sent", "syn-received",
					     "fin-wait-1", "fin-wait-2", "time-wait", "closed",
					     "close-wait", "last-ack", "listening", "closing",
					     "new-syn-received", "bound" };
	uint64_t state;

	return proc_scan(field, 16, &state) && state < ARRAY_SIZE(names) ? names[state] : NULL;
}

static void note_addresses(struct proc_socket *socket, const char *local, const char *peer)
{
	free(socket->local);
	free(socket->peer);
	socket->local = parse_address(local);
	socket->peer = parse_address(peer);
}

/* "  0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 uid timeout inode ...": the tenth field counts. */
static void parse_inet_line(char *line, const char *protocol, struct proc_socket **sockets,
			    const uint64_t *inodes, size_t n)
{
	struct proc_socket *socket;
	char *fields[10];
	uint64_t inode;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		fields[i] = next_field(&line);
		if (!fields[i])
			return;
	}
	if (!proc_scan(fields[9], 10, &inode) || inode == 0)
		return;
	socket = find_socket(sockets, inodes, n, inode);
	if (!socket)
		return;
	note_addresses(socket, fields[1], fields[2]);
	if (!strncmp(protocol, "tcp", 3))
		socket->state = tcp_state(fields[3]);
	else
		socket->state = socket->peer ? "connected" : NULL;
	(void)snprintf(socket->protocol, sizeof(socket->protocol), "%s", protocol);
}

void proc_sockets_parse_inet(char *text, const char *protocol, struct proc_socket **sockets,
			     const uint64_t *inodes, size_t n)
{
	char *line = next_line(&text); /* the headings */

	while (line && (line = next_line(&text)))
		parse_inet_line(line, protocol, sockets, inodes, n);
}

static const char *unix_state(uint64_t flags, uint64_t state)
{
	if (flags & 0x10000) /* __SO_ACCEPTCON */
		return "listening";
	return state == 1 ? "unconnected" : state == 2 ? "connecting" :
	       state == 3 ? "connected" : state == 4 ? "disconnecting" : NULL;
}

/*
 * "0000000012345678: 00000002 00000000 00010000 0001 01 12345 path".  The name of an abstract
 * socket is printed as it is, newlines included, so a line can be forged.  The true one is there
 * too: a socket that seems to be listed twice gets neither.
 */
static void parse_unix_line(char *line, struct proc_socket **sockets, const uint64_t *inodes,
			    size_t n)
{
	struct proc_socket *socket;
	uint64_t flags, state, inode;
	char *fields[7];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		fields[i] = next_field(&line);
		if (!fields[i])
			return;
	}
	if (!proc_scan(fields[3], 16, &flags) || !proc_scan(fields[5], 16, &state) ||
	    !proc_scan(fields[6], 10, &inode))
		return;
	socket = find_socket(sockets, inodes, n, inode);
	if (!socket)
		return;
	free(socket->local);
	socket->local = *line && !socket->seen ? strdup(line) : NULL;
	socket->state = socket->seen ? NULL : unix_state(flags, state);
	socket->seen = true;
	if (!socket->protocol[0])
		(void)snprintf(socket->protocol, sizeof(socket->protocol), "unix");
}

void proc_sockets_parse_unix(char *text, struct proc_socket **sockets, const uint64_t *inodes,
			     size_t n)
{
	char *line = next_line(&text); /* the headings */

	while (line && (line = next_line(&text)))
		parse_unix_line(line, sockets, inodes, n);
}

struct wanted {
	uint64_t inode;
	struct proc_socket *socket;
};

static int compare_wanted(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static void read_tables(int dir_fd, struct proc_socket **sockets, const uint64_t *inodes, size_t n)
{
	static const char *const tables[] = { "tcp", "tcp6", "udp", "udp6", "udplite", "udplite6",
					      "raw", "raw6", "icmp", "icmp6", "unix" };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		AUTO_FREE char *text = NULL;
		char path[32];
		size_t bytes;

		(void)snprintf(path, sizeof(path), "net/%s", tables[i]);
		if (proc_read_file(dir_fd, path, TABLE_BYTES_MAX, &text, &bytes) < 0)
			continue; /* a protocol that this kernel has not, or may not show */
		if (!strcmp(tables[i], "unix"))
			proc_sockets_parse_unix(text, sockets, inodes, n);
		else
			proc_sockets_parse_inet(text, tables[i], sockets, inodes, n);
	}
}

/* "tcp 127.0.0.1:80 -> 10.0.0.2:5000 (established)" */
static int describe_socket(struct proc_handle *handle)
{
	const struct proc_socket *s = handle->socket;
	char *text = NULL;

	if (!s->protocol[0])
		return 0; /* the text of the link is all there is */
	if (asprintf(&text, "%s%s%s%s%s%s%s%s", s->protocol, s->local ? " " : "",
		     s->local ? s->local : "", s->peer ? " -> " : "", s->peer ? s->peer : "",
		     s->state ? " (" : "", s->state ? s->state : "", s->state ? ")" : "") < 0)
		return -ENOMEM;
	free(handle->what);
	handle->what = text;
	return 0;
}

/* The same socket under two numbers is listed by its first one only; the other is copied. */
static int copy_socket(struct proc_socket *to, const struct proc_socket *from)
{
	memcpy(to->protocol, from->protocol, sizeof(to->protocol));
	to->state = from->state;
	to->local = from->local ? strdup(from->local) : NULL;
	to->peer = from->peer ? strdup(from->peer) : NULL;
	return (from->local && !to->local) || (from->peer && !to->peer) ? -ENOMEM : 0;
}

static int look_up(int dir_fd, struct wanted *wanted, size_t n)
{
	AUTO_FREE struct proc_socket **sockets = calloc(n, sizeof(*sockets));
	AUTO_FREE uint64_t *inodes = calloc(n, sizeof(*inodes));

	if (!sockets || !inodes)
		return -ENOMEM;
	qsort(wanted, n, sizeof(*wanted), compare_wanted);
	for (size_t i = 0; i < n; i++) {
		sockets[i] = wanted[i].socket;
		inodes[i] = wanted[i].inode;
	}
	read_tables(dir_fd, sockets, inodes, n);
	for (size_t i = 1; i < n; i++)
		if (inodes[i] == inodes[i - 1] && copy_socket(sockets[i], sockets[i - 1]) < 0)
			return -ENOMEM;
	return 0;
}

int proc_sockets_fill(int dir_fd, struct proc_handles *handles)
{
	AUTO_FREE struct wanted *wanted = calloc(handles->n_handles + 1, sizeof(*wanted));
	size_t n = 0;
	int r;

	if (!wanted)
		return -ENOMEM;
	for (size_t i = 0; i < handles->n_handles; i++)
		if (handles->handle[i].socket)
			wanted[n++] = (struct wanted){ handles->handle[i].inode,
						       handles->handle[i].socket };
	if (n == 0)
		return 0;
	r = look_up(dir_fd, wanted, n);
	for (size_t i = 0; r == 0 && i < handles->n_handles; i++)
		if (handles->handle[i].socket)
			r = describe_socket(&handles->handle[i]);
	return r;
}
