/* SPDX-License-Identifier: BSD-2-Clause */
/* sandbox.c - going into a sandbox: system calls only, in a child that is about to exec */
#include "faults/sandbox.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "faults/sandbox_plan.h"

/* strerror(3) may allocate. */
static int fail_here(struct tendril_error *error, const char *what, const char *path)
{
	int code = errno;
	char shown[100];

	escape_text(path, shown, sizeof(shown));
	return fail(error, -code, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_NONE, "no sandbox: %s%s: %s",
		    what, shown, strerrordesc_np(code));
}

/* Namespaces */

static int write_file(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t length = strlen(text);

	return fd >= 0 && write(fd, text, length) == (ssize_t)length ? 0 : -1;
}

static int be_the_same_user(const struct sandbox *sandbox, struct tendril_error *error)
{
	if (unshare(CLONE_NEWUSER) < 0)
		return fail(error, -errno, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_USER_NAMESPACE,
			    "no sandbox: without CAP_SYS_ADMIN it needs a user namespace (%s): run "
			    "as root, or look at the sysctls user.max_user_namespaces, "
			    "kernel.unprivileged_userns_clone", strerrordesc_np(errno));
	/* An ordinary user may map their own group only when groups cannot be dropped any more. */
	if (write_file("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
		return fail_here(error, "/proc/self/setgroups", "");
	if (write_file("/proc/self/gid_map", sandbox->group_map) < 0)
		return fail_here(error, "/proc/self/gid_map", "");
	if (write_file("/proc/self/uid_map", sandbox->user_map) < 0)
		return fail_here(error, "a user namespace, which AppArmor may have forbidden (see "
					"kernel.apparmor_restrict_unprivileged_userns)", "");
	return 0;
}

static int make_namespaces(struct tendril_error *error)
{
	static const struct {
		int flag;
		const char *name;
	} namespaces[] = {
		{ CLONE_NEWNS, "mount" },
		{ CLONE_NEWNET, "network" },
		{ CLONE_NEWIPC, "IPC" },
		{ CLONE_NEWUTS, "UTS" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (unshare(namespaces[i].flag) < 0)
			return fail(error, -errno, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_NONE,
				    "no sandbox: no new %s namespace: %s%s", namespaces[i].name,
				    strerrordesc_np(errno),
				    errno == ENOSPC ? " (sysctls user.max_*_namespaces)" : "");
	return 0;
}

/* Servers and clients inside find each other at 127.0.0.1. */
static int raise_loopback(struct tendril_error *error)
{
	struct ifreq request = { .ifr_name = "lo" };
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EAFNOSUPPORT) /* a kernel without IPv4 has nothing to raise */
		return 0;
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return fail_here(error, "the loopback interface", "");
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return fail_here(error, "the loopback interface", "");
	return 0;
}

/* Files */

static int pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

/* From here on / is our tmpfs, and the root of before is SANDBOX_OLD in it. */
static int make_workshop(const struct sandbox *sandbox, struct tendril_error *error)
{
	/* Any directory would do that is always there: it is free again after the pivot. */
	static const char there[] = "/proc";

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail_here(error, "making the mounts private", "");
	if (mount("tmpfs", there, "tmpfs", MS_NOSUID | MS_NODEV, sandbox->tmpfs_options) < 0)
		return fail_here(error, "mounting a tmpfs", "");
	if (chdir(there) < 0 || mkdir("." SANDBOX_OLD, 0755) < 0 ||
	    mkdir("." SANDBOX_NEW, 0755) < 0 || mkdir("." SANDBOX_CHANGES, 0755) < 0)
		return fail_here(error, "making directories in a tmpfs", "");
	if (pivot_root(".", "." SANDBOX_OLD) < 0)
		return fail_here(error, "moving the root, which must be a mount, not a chroot", "");
	/* A new root must be a mount of its own. */
	if (chdir("/") < 0 || mount(SANDBOX_NEW, SANDBOX_NEW, NULL, MS_BIND, NULL) < 0)
		return fail_here(error, "making a new root", "");
	return 0;
}

static int set_owner(const struct sandbox *sandbox, const struct sandbox_step *step,
		     const char *path)
{
	if (!sandbox->confined && chown(path, step->user, step->group) < 0)
		return -1;
	return chmod(path, step->mode);
}

/* Something to mount on. */
static int make_place(const struct sandbox_step *step)
{
	int fd;

	if (!step->is_file)
		return mkdir(step->to, 0755) < 0 && errno != EEXIST ? -1 : 0;
	fd = open(step->to, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return errno == EEXIST ? 0 : -1;
	return close(fd);
}

static int make_directory(const struct sandbox *sandbox, const struct sandbox_step *step)
{
	return make_place(step) < 0 ? -1 : set_owner(sandbox, step, step->to);
}

static int keep(const struct sandbox_step *step)
{
	if (make_place(step) < 0)
		return -1;
	return mount(step->from, step->to, NULL, MS_BIND | MS_REC, NULL);
}

static int keep_read_only(const struct sandbox_step *step)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };

	if (keep(step) < 0)
		return -1;
	if (mount_setattr(AT_FDCWD, step->to, AT_RECURSIVE, &attributes, sizeof(attributes)) == 0)
		return 0;
	if (errno != ENOSYS)
		return -1;
	return mount(NULL, step->to, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
}

static int lay_overlay(const struct sandbox *sandbox, const struct sandbox_step *step)
{
	if (make_place(step) < 0)
		return -1;
	if (mkdir(step->upper, 0700) < 0 || set_owner(sandbox, step, step->upper) < 0 ||
	    mkdir(step->work, 0700) < 0 || chdir(step->from) < 0)
		return -1;
	return mount("overlay", step->to, "overlay", 0, step->options);
}

static int write_copy(const struct sandbox_step *step, int in)
{
	AUTO_CLOSE int out = open(step->to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat status;
	ssize_t n = 1;

	if (out < 0 || fstat(in, &status) < 0)
		return -1;
	while (n > 0)
		n = sendfile(out, in, NULL, 64 << 10);
	if (n < 0 || fchmod(out, step->mode) < 0)
		return -1;
	return futimens(out, (struct timespec[]){ status.st_atim, status.st_mtim });
}

static int copy_file(const struct sandbox_step *step)
{
	/* Should it have become a pipe, do not wait for it. */
	AUTO_CLOSE int in = open(step->from, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	if (in >= 0 && write_copy(step, in) == 0)
		return 0;
	return keep_read_only(step); /* over what was copied of it */
}

static int do_step(const struct sandbox *sandbox, const struct sandbox_step *step)
{
	switch (step->type) {
	case SANDBOX_OVERLAY:
		return lay_overlay(sandbox, step);
	case SANDBOX_KEEP:
		return keep(step);
	case SANDBOX_READ_ONLY:
		return keep_read_only(step);
	case SANDBOX_DIRECTORY:
		return make_directory(sandbox, step);
	case SANDBOX_LINK:
		return symlink(step->target, step->to);
	case SANDBOX_COPY:
		return copy_file(step);
	}
	return 0;
}

static int fail_step(const struct sandbox *sandbox, const struct sandbox_step *step,
		     struct tendril_error *error)
{
	if (step->type == SANDBOX_OVERLAY && errno == ENODEV)
		return fail(error, -ENODEV, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_NONE,
			    "no sandbox: the kernel has no overlay file system (modprobe overlay)");
	if (step->type == SANDBOX_OVERLAY && errno == EPERM && sandbox->confined)
		return fail(error, -EPERM, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_USER_NAMESPACE,
			    "no sandbox: overlays in user namespaces need Linux 5.11: run as root");
	return fail_here(error, step->type == SANDBOX_OVERLAY ? "an overlay over " : "",
			 step->path);
}

/* Has it gone, or become something else, since the plan was made? */
static bool is_outdated(const struct sandbox_step *step)
{
	struct stat status;
	int code = errno;
	bool is_there = lstat(step->from, &status) == 0;

	errno = code;
	return !is_there ||
	       (step->type != SANDBOX_LINK && S_ISDIR(status.st_mode) == step->is_file);
}

static int do_steps(const struct sandbox *sandbox, struct tendril_error *error)
{
	size_t n_overlays = 0;

	for (size_t i = 0; i < sandbox->n_steps; i++) {
		const struct sandbox_step *step = &sandbox->steps[i];
		bool done = do_step(sandbox, step) == 0;

		n_overlays += done && step->type == SANDBOX_OVERLAY;
		if (done || is_outdated(step))
			continue;
		/* Not every file system can be below an overlay. */
		if (step->type != SANDBOX_OVERLAY || errno != EINVAL || n_overlays == 0 ||
		    keep_read_only(step) < 0)
			return fail_step(sandbox, step, error);
	}
	return 0;
}

static int move_in(const struct sandbox *sandbox, struct tendril_error *error)
{
	/* The old root lies over the new one for a moment, and is taken away from there. */
	if (chdir(SANDBOX_NEW) < 0 || pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		return fail_here(error, "changing the root", "");
	if (chdir(sandbox->directory) < 0)
		return fail_here(error, "the working directory ", sandbox->directory);
	return 0;
}

int sandbox_enter(const struct sandbox *sandbox, struct tendril_error *error)
{
	mode_t mask = umask(0);
	int r = sandbox->new_user ? be_the_same_user(sandbox, error) : 0;

	if (r == 0)
		r = make_namespaces(error);
	if (r == 0)
		r = raise_loopback(error);
	if (r == 0)
		r = make_workshop(sandbox, error);
	if (r == 0)
		r = do_steps(sandbox, error);
	if (r == 0)
		r = move_in(sandbox, error);
	(void)umask(mask);
	return r;
}
