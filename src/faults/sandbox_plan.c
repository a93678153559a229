/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox_plan.c - what is to be mounted in a sandbox, step by step
 *
 * With privileges an overlay lies over the root, and one over each file system that is mounted
 * below.  In a namespace of users the kernel allows no overlay over a directory that has mounts
 * below: they might hide something.  There such a directory is made anew, and filled with what it
 * holds: overlays over its directories, or the same again; its links; copies of its small files,
 * and the others to be read only.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "faults/sandbox.h"
#include "faults/sandbox_plan.h"
#include "proc/proc.h"

#define DEFAULT_BYTES	    (1ULL << 30)
#define MOUNTINFO_MAX_BYTES (8u << 20)
#define STEPS_MAX	    20000
#define COPY_MAX_BYTES	    (64 << 10)

struct mount_point {
	const char *path; /* in the text, with its escapes undone */
	bool is_kernels;  /* shows the kernel's state, not files */
	bool is_seen;	  /* nothing is mounted over it, and we may look at it */
	bool is_file;
};

struct plan {
	struct sandbox *sandbox;
	struct mount_point *mounts; /* by path: what is below comes behind */
	size_t n_mounts;
	struct tendril_error *error;
};

/* Mounts */

static bool is_kernels_type(const char *type)
{
	static const char *const types[] = {
		"proc",	      "sysfs",	   "devtmpfs", "devpts",     "cgroup",	    "cgroup2",
		"bpf",	      "tracefs",   "debugfs",  "securityfs", "pstore",	    "mqueue",
		"hugetlbfs",  "configfs",  "fusectl",  "autofs",     "binfmt_misc", "efivarfs",
		"rpc_pipefs", "selinuxfs", "smackfs",  "nsfs",	     "nfsd",
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

/* Of /proc, /sys and /dev it does not matter what is mounted there: in containers it may be a
 * tmpfs. */
static bool is_kernels_path(const char *path)
{
	return strcmp(path, "/proc") == 0 || strcmp(path, "/sys") == 0 || strcmp(path, "/dev") == 0;
}

/* In place: \040 and the like. */
static void undo_escapes(char *text)
{
	char *out = text;

	for (; *text; out++)
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*out = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				      (text[3] - '0'));
			text += 4;
		} else {
			*out = *text++;
		}
	*out = '\0';
}

/* Is the mount what one finds at its path, or has another been put over it? */
static bool is_seen(struct mount_point *mount, uint64_t id)
{
	struct statx now;

	if (statx(AT_FDCWD, mount->path, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_MNT_ID, &now) < 0)
		return false;
	mount->is_file = !S_ISDIR(now.stx_mode);
	return !(now.stx_mask & STATX_MNT_ID) || now.stx_mnt_id == id;
}

/* id parent device root path options... - type source options */
static bool take_mount(char *line, struct mount_point *ret_mount)
{
	char *separator = strstr(line, " - "), *rest = line, *id, *type;
	char *path = NULL;

	if (!separator)
		return false;
	*separator = '\0';
	type = strtok_r(separator + 3, " ", &separator);
	id = strtok_r(rest, " ", &rest);
	for (unsigned int i = 0; i < 4; i++)
		path = strtok_r(NULL, " ", &rest);
	if (!type || !path || *path != '/' || strlen(path) >= PATH_MAX)
		return false;
	undo_escapes(path);
	ret_mount->path = path;
	ret_mount->is_kernels = is_kernels_type(type) || is_kernels_path(path);
	ret_mount->is_seen = is_seen(ret_mount, strtoull(id, NULL, 10));
	return true;
}

static int compare_mounts(const void *a, const void *b)
{
	const struct mount_point *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* Into plan->mounts, which point into the text. */
static int take_mounts(struct plan *plan, char *text)
{
	size_t n_lines = 1;

	for (const char *c = text; *c; c++)
		n_lines += *c == '\n';
	plan->mounts = calloc(n_lines, sizeof(*plan->mounts));
	if (!plan->mounts)
		return -ENOMEM;
	for (char *line; (line = strsep(&text, "\n"));)
		plan->n_mounts += take_mount(line, &plan->mounts[plan->n_mounts]);
	qsort(plan->mounts, plan->n_mounts, sizeof(*plan->mounts), compare_mounts);
	return 0;
}

static bool is_below(const char *path, const char *directory)
{
	size_t length = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

	return strncmp(path, directory, length) == 0 && path[length] == '/' && path[length + 1];
}

static bool has_mounts_below(const struct plan *plan, const char *directory)
{
	for (size_t i = 0; i < plan->n_mounts; i++)
		if (is_below(plan->mounts[i].path, directory))
			return true;
	return false;
}

static bool is_mount(const struct plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->n_mounts; i++)
		if (strcmp(plan->mounts[i].path, path) == 0)
			return true;
	return false;
}

/* One that shows the kernel's state, exactly there. */
static bool is_kernels(const struct plan *plan, const char *directory)
{
	for (size_t i = 0; i < plan->n_mounts; i++)
		if (plan->mounts[i].is_seen && strcmp(plan->mounts[i].path, directory) == 0)
			return plan->mounts[i].is_kernels;
	return is_kernels_path(directory);
}

/* Steps */

static bool fill_overlay(const struct plan *plan, struct sandbox_step *step)
{
	size_t number = plan->sandbox->n_steps;

	if (asprintf(&step->upper, SANDBOX_CHANGES "/%zu.upper", number) < 0)
		step->upper = NULL;
	if (asprintf(&step->work, SANDBOX_CHANGES "/%zu.work", number) < 0)
		step->work = NULL;
	/* The lower directory is the working one at that moment: a path might need escapes. */
	if (asprintf(&step->options,
		     "lowerdir=.,upperdir=" SANDBOX_CHANGES "/%zu.upper,workdir=" SANDBOX_CHANGES
		     "/%zu.work%s",
		     number, number, plan->sandbox->confined ? ",userxattr" : "") < 0)
		step->options = NULL;
	return step->upper && step->work && step->options;
}

static bool fill_step(const struct plan *plan, struct sandbox_step *step, const char *path)
{
	if (asprintf(&step->from, SANDBOX_OLD "%s", path) < 0)
		step->from = NULL;
	if (asprintf(&step->to, SANDBOX_NEW "%s", path) < 0)
		step->to = NULL;
	if (!step->from || !step->to)
		return false;
	step->path = step->from + strlen(SANDBOX_OLD);
	return step->type != SANDBOX_OVERLAY || fill_overlay(plan, step);
}

/*
 * Who a directory that is made in the place of another belongs to.  In a namespace of users that
 * can only be the user: what they could do with the other, as the owner they can with this.
 */
static void fill_owner(const struct plan *plan, struct sandbox_step *step, const char *path)
{
	struct stat status;

	if (lstat(path, &status) < 0)
		return;
	step->mode = status.st_mode & 07777;
	step->user = status.st_uid;
	step->group = status.st_gid;
	if (plan->sandbox->confined && status.st_uid != geteuid())
		step->mode = (step->mode & 01077) | (eaccess(path, R_OK) == 0 ? 0400 : 0) |
			     (eaccess(path, W_OK) == 0 ? 0200 : 0) |
			     (eaccess(path, X_OK) == 0 ? 0100 : 0);
}

/* Room for one more. */
static int make_room(struct plan *plan, const char *path)
{
	struct sandbox *sandbox = plan->sandbox;
	struct sandbox_step *steps;
	char shown[120];

	escape_text(path, shown, sizeof(shown));
	if (sandbox->n_steps == STEPS_MAX)
		return fail(plan->error, -E2BIG, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "no sandbox: too much is mounted, or lies beside mounts, at %s", shown);
	if (sandbox->n_steps & (sandbox->n_steps - 1)) /* there is, up to a power of two */
		return 0;
	steps = reallocarray(sandbox->steps, sandbox->n_steps ? sandbox->n_steps * 2 : 1,
			     sizeof(*steps));
	if (!steps)
		return -ENOMEM;
	sandbox->steps = steps;
	return 0;
}

static int add(struct plan *plan, enum sandbox_step_type type, const char *path, bool is_file)
{
	struct sandbox *sandbox = plan->sandbox;
	struct sandbox_step *step;
	int r = make_room(plan, path);

	if (r < 0)
		return r;
	step = &sandbox->steps[sandbox->n_steps];
	*step = (struct sandbox_step){ .type = type, .is_file = is_file, .mode = 0755 };
	fill_owner(plan, step, path);
	r = fill_step(plan, step, path) ? 0 : -ENOMEM;
	sandbox->n_steps++; /* also when not complete: what it has is to be freed */
	return r;
}

/* What belongs to others, but is everybody's to write in: only the root of an overlay can be made
 * so that the user may change it there, too.  Most are roots already, when they are mounts. */
static int add_everybodys(struct plan *plan, const char *below)
{
	const char *const places[] = { "/tmp", "/var/tmp", "/run/lock", plan->sandbox->directory };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(places); i++) {
		struct stat status;

		if (is_below(places[i], below) && lstat(places[i], &status) == 0 &&
		    S_ISDIR(status.st_mode) && status.st_uid != geteuid() &&
		    eaccess(places[i], R_OK | W_OK | X_OK) == 0)
			r = add(plan, SANDBOX_OVERLAY, places[i], false);
	}
	return r;
}

/* Files that are mounted among the kernel's, as in /dev/shm. */
static bool is_for_files(const struct plan *plan, const struct mount_point *mount)
{
	return is_below(mount->path, "/dev") && mount->is_seen && !mount->is_kernels &&
	       !mount->is_file && !has_mounts_below(plan, mount->path);
}

/* With all that is mounted below; what only shows the state can be read only. */
static int add_kernels(struct plan *plan, const char *path)
{
	int r = add(plan, strcmp(path, "/sys") == 0 ? SANDBOX_READ_ONLY : SANDBOX_KEEP, path,
		    false);

	if (r == 0 && strcmp(path, "/proc") == 0)
		r = add(plan, SANDBOX_READ_ONLY, "/proc/sys", false);
	for (size_t i = 0; r == 0 && i < plan->n_mounts; i++)
		if (is_below(plan->mounts[i].path, path) && is_for_files(plan, &plan->mounts[i]))
			r = add(plan, SANDBOX_OVERLAY, plan->mounts[i].path, false);
	return r;
}

/* With privileges */

static bool is_below_kernels(const struct plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->n_mounts; i++)
		if (plan->mounts[i].is_seen && plan->mounts[i].is_kernels &&
		    is_below(path, plan->mounts[i].path))
			return true;
	return false;
}

static int plan_with_privileges(struct plan *plan)
{
	int r = add(plan, SANDBOX_OVERLAY, "/", false);

	for (size_t i = 0; r == 0 && i < plan->n_mounts; i++) {
		const struct mount_point *mount = &plan->mounts[i];

		if (!mount->is_seen || strcmp(mount->path, "/") == 0 ||
		    is_below_kernels(plan, mount->path))
			continue; /* the last one was taken with what it is below */
		if (mount->is_kernels)
			r = add_kernels(plan, mount->path);
		else
			r = add(plan, mount->is_file ? SANDBOX_READ_ONLY : SANDBOX_OVERLAY,
				mount->path, mount->is_file);
	}
	return r;
}

/* Without */

static int plan_directory(struct plan *plan, const char *path);

static int add_link(struct plan *plan, const char *path)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target));
	struct sandbox *sandbox = plan->sandbox;
	int r;

	if (length < 0 || length == sizeof(target))
		return 0; /* gone, or become something else */
	r = add(plan, SANDBOX_LINK, path, false);
	if (r < 0)
		return r;
	sandbox->steps[sandbox->n_steps - 1].target = strndup(target, (size_t)length);
	return sandbox->steps[sandbox->n_steps - 1].target ? 0 : -ENOMEM;
}

static int plan_entry(struct plan *plan, const char *directory, const struct dirent *entry)
{
	char path[PATH_MAX];
	struct stat status;
	int n = snprintf(path, sizeof(path), "%s/%s", strcmp(directory, "/") == 0 ? "" : directory,
			 entry->d_name);

	if (n < 0 || (size_t)n >= sizeof(path) || lstat(path, &status) < 0)
		return 0; /* out of reach by its path, or gone again */
	if (S_ISDIR(status.st_mode))
		return plan_directory(plan, path);
	if (S_ISLNK(status.st_mode))
		return add_link(plan, path);
	if (!S_ISREG(status.st_mode))
		return 0; /* sockets and pipes lead to somebody outside */
	if (status.st_size > COPY_MAX_BYTES || is_mount(plan, path) || eaccess(path, R_OK) < 0)
		return add(plan, SANDBOX_READ_ONLY, path, true);
	return add(plan, SANDBOX_COPY, path, true);
}

static int plan_entries(struct plan *plan, const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!directory)
		return add(plan, SANDBOX_READ_ONLY, path, false);
	r = add(plan, SANDBOX_DIRECTORY, path, false);
	while (r == 0 && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = plan_entry(plan, path, entry);
	(void)closedir(directory);
	return r;
}

static int plan_directory(struct plan *plan, const char *path)
{
	int r;

	if (is_kernels(plan, path))
		return add_kernels(plan, path);
	if (eaccess(path, R_OK | X_OK) < 0)
		return add(plan, SANDBOX_READ_ONLY, path, false);
	if (has_mounts_below(plan, path))
		return plan_entries(plan, path);
	r = add(plan, SANDBOX_OVERLAY, path, false);
	return r < 0 ? r : add_everybodys(plan, path);
}

/* Making one */

static bool has_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const uint32_t needed = 1u << CAP_SYS_ADMIN | 1u << CAP_NET_ADMIN | 1u << CAP_SYS_CHROOT;

	return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & needed) == needed;
}

/* Where all users are who they are.  Elsewhere, mounts that were there before hold together. */
static bool is_first_user_namespace(void)
{
	AUTO_FREE char *map = NULL;
	unsigned long inside, outside, n;
	size_t bytes;

	if (proc_read_file(AT_FDCWD, "/proc/self/uid_map", 64 << 10, &map, &bytes) < 0)
		return true; /* the kernel has none */
	return sscanf(map, "%lu %lu %lu", &inside, &outside, &n) == 3 && inside == 0 &&
	       outside == 0 && n == UINT32_MAX;
}

void sandbox_free(struct sandbox *sandbox)
{
	if (!sandbox)
		return;
	for (size_t i = 0; i < sandbox->n_steps; i++) {
		struct sandbox_step *step = &sandbox->steps[i];

		free(step->from);
		free(step->to);
		free(step->target);
		free(step->upper);
		free(step->work);
		free(step->options);
	}
	free(sandbox->steps);
	free(sandbox->directory);
	free(sandbox);
}

static int fill(struct sandbox *sandbox, const struct sandbox_options *options,
		struct tendril_error *error)
{
	uint64_t bytes = options && options->bytes ? options->bytes : DEFAULT_BYTES;

	sandbox->new_user = !has_privileges();
	sandbox->confined = sandbox->new_user || !is_first_user_namespace();
	(void)snprintf(sandbox->tmpfs_options, sizeof(sandbox->tmpfs_options),
		       "mode=0755,size=%llu", (unsigned long long)bytes);
	(void)snprintf(sandbox->user_map, sizeof(sandbox->user_map), "%u %u 1", geteuid(),
		       geteuid());
	(void)snprintf(sandbox->group_map, sizeof(sandbox->group_map), "%u %u 1", getegid(),
		       getegid());
	sandbox->directory = getcwd(NULL, 0);
	if (sandbox->directory)
		return 0;
	return fail(error, -errno, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
		    "no sandbox: the working directory has no path: %s", strerror(errno));
}

static int make_plan(struct plan *plan, const struct sandbox_options *options)
{
	AUTO_FREE char *text = NULL;
	size_t bytes;
	int r = fill(plan->sandbox, options, plan->error);

	if (r < 0)
		return r;
	r = proc_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX_BYTES, &text,
			   &bytes);
	if (r == 0)
		r = take_mounts(plan, text);
	if (r == 0)
		r = plan->sandbox->confined ? plan_directory(plan, "/")
					    : plan_with_privileges(plan);
	free(plan->mounts);
	if (r < 0 && r != -E2BIG)
		return fail(plan->error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "no sandbox: cannot look at the mounts: %s", strerror(-r));
	return r;
}

int sandbox_new(const struct sandbox_options *options, struct sandbox **ret_sandbox,
		struct tendril_error *error)
{
	struct sandbox *sandbox = calloc(1, sizeof(*sandbox));
	struct plan plan = { .sandbox = sandbox, .error = error };
	int r;

	if (!sandbox)
		return fail(error, -ENOMEM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "out of memory");
	r = make_plan(&plan, options);
	if (r < 0) {
		sandbox_free(sandbox);
		return r;
	}
	*ret_sandbox = sandbox;
	return 0;
}
