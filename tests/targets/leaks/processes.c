/* SPDX-License-Identifier: BSD-2-Clause */
/* processes.c - plants: over fork, clone and execve; handles that another process puts there */
#include "plant.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == PLANT_UNSUPPORTED)
		need(-1, "what the child did");
}

/* The parent's: the child closes its copy, and that is not the parent's close. */
PLANT(after_fork)
{
	int fd = open("/dev/null", O_RDONLY); /* LEAK */
	pid_t pid = need(fork(), "fork");

	if (pid == 0) {
		(void)close(fd);
		_exit(0);
	}
	wait_for(pid);
	forget(fd);
}

static void open_in_child(void)
{
	for (int i = 0; i < PLANT_ROUNDS; i++) {
		int fd = open("/dev/null", O_RDONLY); /* LEAK x3 for in_child */

		forget(fd);
	}
}

PLANT_ONCE(in_child)
{
	plant_child(open_in_child);
}

/* Through a child that a library's posix_spawn(3) makes, nothing comes. */
PLANT(spawn)
{
	char *argv[] = { (char *)"true", NULL };
	posix_spawn_file_actions_t actions;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* LEAK */
	pid_t pid;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, "true", &actions, NULL, argv, environ) != 0)
		need(-1, "posix_spawnp");
	(void)posix_spawn_file_actions_destroy(&actions);
	wait_for(pid);
	forget(fd);
}

/* Another process that has the same table: what it opens is ours. */
PLANT(shared_table)
{
	long pid = syscall(SYS_clone, (long)CLONE_FILES | SIGCHLD, 0, NULL, NULL, 0);
	int fd;

	if (pid == 0) {
		fd = open("/dev/null", O_RDONLY); /* LEAK */
		/* Not exit(3): what the parent registered is the parent's. */
		forget(fd);
		_exit(0);
	}
	wait_for((pid_t)need(pid, "clone"));
}

/* A thread that leaves the table takes copies along, which go with it. */
static void *leave_table(void *param)
{
	need(unshare(CLONE_FILES), "unshare");
	(void)close(need(open("/dev/null", O_RDONLY), "open"));
	return param;
}

PLANT(unshared_table)
{
	int fd = open("/dev/null", O_RDONLY); /* LEAK */
	pthread_t thread;

	if (pthread_create(&thread, NULL, leave_table, NULL) != 0)
		need(-1, "pthread_create");
	(void)pthread_join(thread, NULL);
	forget(fd);
}

/* One handle is kept over execve(2), one is not; then the new image opens three more. */
PLANT_ONCE(exec)
{
	int closed = need(open("/dev/null", O_RDONLY | O_CLOEXEC), "open");
	int kept = open("/dev/null", O_RDONLY); /* LEAK */
	const char *form, *wait;

	forget(kept);
	(void)closed;
	plant_words(&form, &wait);
	(void)execl("/proc/self/exe", "plant", "execed", form, *wait ? "end" : "", (char *)NULL);
	need(-1, "execl");
}

PLANT(execed)
{
	int fd = open("/dev/null", O_RDONLY); /* LEAK for exec */

	forget(fd);
}

/* A thread execs: the others end, and the new image has the leader's id. */
static void *exec_in_thread(void *param)
{
	const char *form, *wait;

	(void)param;
	plant_words(&form, &wait);
	(void)execl("/proc/self/exe", "plant", "thread_execed", form, *wait ? "end" : "",
		    (char *)NULL);
	need(-1, "execl");
	return NULL;
}

PLANT_ONCE(thread_exec)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, exec_in_thread, NULL) != 0)
		need(-1, "pthread_create");
	(void)pthread_join(thread, NULL);
}

PLANT(thread_execed)
{
	int fd = open("/dev/null", O_RDONLY); /* LEAK for thread_exec */

	forget(fd);
}

#define STORM 300

/* Children that come and go faster than anybody can look at them. */
PLANT_ONCE(fork_storm)
{
	for (int i = 0; i < STORM; i++) {
		pid_t pid = need(fork(), "fork");

		if (pid == 0) {
			(void)close(need(open("/dev/null", O_RDONLY), "open"));
			_exit(0);
		}
		if (i % 100 == 0) {
			int fd = open("/dev/null", O_RDONLY); /* LEAK x3 */

			forget(fd);
		}
		wait_for(pid);
	}
}

/* What each letter read does: the tests lead it. */
PLANT_ONCE(steps)
{
	int fd = -1, last = -1;
	char letter;

	while (read(0, &letter, 1) == 1 && letter != 'q') {
		if (letter == 'a')
			fd = open("/dev/null", O_RDONLY); /* LEAK for step_a */
		else if (letter == 'b')
			fd = open("/dev/zero", O_RDONLY); /* LEAK for step_b */
		else if (letter == 'c')
			(void)close(last);
		else
			continue;
		last = fd;
		if (write(1, "ok\n", 3) != 3)
			_exit(1);
	}
}

/* --- seccomp: a supervisor answers system calls, and puts handles into the caller's table ------ */

#define ANSWER_OFFSET 1000 /* so that the call's value is no handle */

/* getpgid(2), which nobody here needs, is answered by whoever has the listener. */
static int install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
	return need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program),
		    "seccomp");
}

static void answer_one(int listener, bool sends)
{
	struct seccomp_notif call = { 0 };
	struct seccomp_notif_resp answer = { 0 };
	struct seccomp_notif_addfd add = { 0 };

	need(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call), "NOTIF_RECV");
	add.id = call.id;
	add.flags = sends ? SECCOMP_ADDFD_FLAG_SEND : 0;
	add.srcfd = (__u32)need(open("/dev/null", O_RDONLY), "open");
	answer.id = call.id;
	answer.val = need(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add), "NOTIF_ADDFD");
	answer.val += ANSWER_OFFSET;
	(void)close((int)add.srcfd);
	if (!sends)
		need(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer), "NOTIF_SEND");
}

static pid_t start_supervisor(bool sends)
{
	int listener = install_filter();
	pid_t pid = need(fork(), "fork");

	if (pid == 0) {
		for (int i = 0; i < PLANT_ROUNDS; i++)
			answer_one(listener, sends);
		_exit(0);
	}
	(void)close(listener);
	return pid;
}

/* The handle is the value of the call. */
PLANT_ONCE(seccomp_send)
{
	pid_t pid = start_supervisor(true);

	for (int i = 0; i < PLANT_ROUNDS; i++) {
		long fd = syscall(SYS_getpgid, 0); /* LEAK x3 as installed */

		forget((int)fd);
	}
	wait_for(pid);
}

/* The call's value says nothing: nobody of this process opened it. */
PLANT_ONCE(seccomp_install)
{
	pid_t pid = start_supervisor(false);

	for (int i = 0; i < PLANT_ROUNDS; i++) {
		long value = syscall(SYS_getpgid, 0); /* LEAK x3 as installed */

		forget((int)value - ANSWER_OFFSET);
	}
	wait_for(pid);
}
