/* SPDX-License-Identifier: BSD-2-Clause */
#include "victims.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMES 50

static void be_victim(unsigned int number, unsigned int n_handles, int ready)
{
	char name[16];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(name, sizeof(name), "service-%u", number % NAMES);
	(void)prctl(PR_SET_NAME, name);
	(void)dup2(ready, 3);
	(void)close_range(4, ~0u, 0);
	for (unsigned int i = 4; i < n_handles; i++)
		if (dup(3) < 0)
			break;
	/* Ready, when the last copy goes. */
	for (unsigned int i = 3; i < n_handles; i++)
		(void)dup2(0, (int)i);
	for (;;)
		(void)pause();
}

pid_t victim_start(unsigned int number, unsigned int n_handles)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		be_victim(number, n_handles, ready[1]);
	(void)close(ready[1]);
	(void)!read(ready[0], &byte, 1);
	(void)close(ready[0]);
	return pid;
}

int victims_start(unsigned int n, pid_t **ret_pids)
{
	pid_t *pids = calloc(n + 1, sizeof(*pids));

	if (!pids)
		return -1;
	for (unsigned int i = 0; i <= n; i++) {
		pids[i] = victim_start(i, i < n ? VICTIM_HANDLES : VICTIM_MANY);
		if (pids[i] < 0) {
			victims_end(pids, i);
			free(pids);
			return -1;
		}
	}
	*ret_pids = pids;
	return 0;
}

void victims_end(pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] > 0)
			(void)kill(pids[i], SIGKILL);
	for (size_t i = 0; i < n; i++)
		if (pids[i] > 0)
			(void)waitpid(pids[i], NULL, 0);
}

void raise_handle_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}
