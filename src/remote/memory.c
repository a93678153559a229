/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/target.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

static int explain_copy(const struct tendril_target *target, int code, uint64_t address,
			struct tendril_error *error)
{
	if (code == -ESRCH || target_has_ended(target))
		return fail(error, -ESRCH, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_PROCESS,
			    "process %d has ended", target->pid);
	if (code == -EPERM || code == -EACCES)
		return target_explain(target, code, TENDRIL_STAGE_CHECK, error);
	return fail(error, -EFAULT, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
		    "process %d has no such memory at 0x%lx", target->pid, address);
}

/* In pieces: one call copies at most 2 GiB, and stops short of the first page that is not there. */
static int copy(struct tendril_target *target, uint64_t address, void *buffer, size_t bytes,
		bool to_target, size_t *ret_bytes, struct tendril_error *error)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < bytes) {
		struct iovec here = { (uint8_t *)buffer + done, bytes - done };
		struct iovec there = { (void *)(uintptr_t)(address + done), bytes - done };

		n = to_target ? process_vm_writev(target->pid, &here, 1, &there, 1, 0)
			      : process_vm_readv(target->pid, &here, 1, &there, 1, 0);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (ret_bytes)
		*ret_bytes = done;
	if (done == bytes)
		return 0;
	return explain_copy(target, n < 0 ? -errno : -EFAULT, address + done, error);
}

int tendril_read(struct tendril_target *target, uint64_t address, void *buffer, size_t bytes,
		 size_t *ret_bytes, struct tendril_error *error)
{
	return copy(target, address, buffer, bytes, false, ret_bytes, error);
}

/* /proc/PID/mem writes as a debugger does, to a private copy of what is read-only. */
static int write_forced(struct tendril_target *target, uint64_t address, const void *buffer,
			size_t bytes, size_t *ret_bytes, struct tendril_error *error)
{
	AUTO_CLOSE int fd = -1;
	char path[64];
	size_t done = 0;
	ssize_t n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", target->pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return explain_copy(target, -errno, address, error);
	while (done < bytes) {
		n = pwrite(fd, (const uint8_t *)buffer + done, bytes - done,
			   (off_t)(address + done));
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (ret_bytes)
		*ret_bytes = done;
	return done == bytes ? 0 : explain_copy(target, n < 0 ? -errno : -ESRCH, address + done,
						error);
}

int tendril_write(struct tendril_target *target, uint64_t address, const void *buffer, size_t bytes,
		  uint32_t flags, size_t *ret_bytes, struct tendril_error *error)
{
	if (flags & ~TENDRIL_WRITE_FORCE)
		return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "unknown flag");
	if (flags & TENDRIL_WRITE_FORCE)
		return write_forced(target, address, buffer, bytes, ret_bytes, error);
	return copy(target, address, (void *)(uintptr_t)buffer, bytes, true, ret_bytes, error);
}
