/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_file.c - buffers and socket pairs
 *
 * package: libevent-dev
 * libraries: libevent
 * functions: evbuffer_file_segment_new, evutil_socketpair
 */
#include <event2/buffer.h>
#include <event2/util.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/socket.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		int fd = open("text", O_RDONLY);
		evutil_socket_t pair[2];
		struct evbuffer_file_segment *segment =
			evbuffer_file_segment_new(fd, 0, -1, EVBUF_FS_CLOSE_ON_FREE);

		if (segment)
			evbuffer_file_segment_free(segment);
		else
			close(fd);
		if (evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
			close(pair[0]);
			close(pair[1]);
		}
	}
	return 0;
}
