/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon_pid.c - what a daemon needs
 *
 * package: libdaemon-dev
 * libraries: libdaemon
 * functions: daemon_pid_file_create, daemon_signal_init, daemon_retval_init
 */
#include <libdaemon/daemon.h>
#include <signal.h>

static const char *pid_file(void)
{
	return "daemon.pid";
}

int main(void)
{
	daemon_pid_file_proc = pid_file;
	for (int i = 0; i < 3; i++) {
		daemon_pid_file_create();
		daemon_pid_file_remove();
		if (daemon_signal_init(SIGUSR1, 0) == 0)
			daemon_signal_done();
		if (daemon_retval_init() == 0)
			daemon_retval_done();
	}
	return 0;
}
