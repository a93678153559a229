/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tracer.c - tracer PID: trace a process as a debugger does, until stdin ends
 *
 * Says "ready" when every stop has been seen and the process runs on, traced.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	pid_t pid = argc == 2 ? (pid_t)atoi(argv[1]) : 0;
	char c;

	if (pid <= 0 || ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
		return 1;
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	/* A tracer that ends lets go. */
	return 0;
}
