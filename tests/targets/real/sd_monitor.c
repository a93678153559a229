/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sd_monitor.c - more of the event loop
 *
 * package: libsystemd-dev
 * libraries: libsystemd
 * functions: sd_event_add_inotify, sd_event_add_child
 */
#include <stddef.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>
#include <signal.h>
#include <systemd/sd-event.h>

int main(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 3; i++) {
		sd_event *event = NULL;
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		if (sd_event_new(&event) >= 0) {
			sd_event_add_inotify(event, NULL, "text", IN_MODIFY, NULL, NULL);
			sd_event_add_child(event, NULL, child, WEXITED, NULL, NULL);
		}
		sd_event_unref(event);
		waitpid(child, NULL, 0);
	}
	return 0;
}
