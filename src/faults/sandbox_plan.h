/* SPDX-License-Identifier: BSD-2-Clause */
/* sandbox_plan.h - what is to be mounted in a sandbox, step by step */
#ifndef FAULTS_SANDBOX_PLAN_H
#define FAULTS_SANDBOX_PLAN_H

#include <sys/types.h>

#include "base/base.h"

/* The tmpfs that all is built in, and what is where in it while it is built. */
#define SANDBOX_OLD	"/old"	   /* the root of before */
#define SANDBOX_NEW	"/new"	   /* the root to be */
#define SANDBOX_CHANGES "/changes" /* N.upper and N.work of each overlay */

enum sandbox_step_type {
	SANDBOX_OVERLAY,   /* a directory, changes apart */
	SANDBOX_KEEP,	   /* a directory as it is, with all mounts below */
	SANDBOX_READ_ONLY, /* a directory or file as it is, but for writing */
	SANDBOX_DIRECTORY, /* an empty one, to be filled by further steps */
	SANDBOX_LINK,	   /* a symbolic link */
	SANDBOX_COPY,	   /* a small file */
};

struct sandbox_step {
	enum sandbox_step_type type;
	bool is_file;
	mode_t mode; /* of directories that are made */
	uid_t user;
	gid_t group;
	const char *path;	      /* in the sandbox, and before */
	char *from;		      /* path below SANDBOX_OLD */
	char *to;		      /* path below SANDBOX_NEW */
	char *target;		      /* of a link */
	char *upper, *work, *options; /* of an overlay */
};

struct sandbox {
	bool new_user; /* go into a namespace of users */
	bool confined; /* we are in one, now or then */
	char tmpfs_options[64];
	char user_map[32], group_map[32];
	char *directory; /* the working one */
	struct sandbox_step *steps;
	size_t n_steps;
};

#endif /* FAULTS_SANDBOX_PLAN_H */
