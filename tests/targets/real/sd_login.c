/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sd_login.c - sessions, notifications
 *
 * package: libsystemd-dev
 * libraries: libsystemd
 * functions: sd_login_monitor_new, sd_notify, sd_journal_stream_fd
 */
#include <stddef.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-login.h>
#include <unistd.h>
#include <syslog.h>

int main(void)
{
	setenv("NOTIFY_SOCKET", "/run/no-such-socket", 1);
	for (int i = 0; i < 3; i++) {
		sd_login_monitor *monitor;
		int fd = sd_journal_stream_fd("driver", LOG_INFO, 0);

		if (fd >= 0)
			close(fd);
		sd_notify(0, "READY=1");
		if (sd_login_monitor_new(NULL, &monitor) >= 0)
			sd_login_monitor_unref(monitor);
	}
	return 0;
}
