/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy.c - ReadProcessMemory() and WriteProcessMemory()
 *
 * By pid, which is looked up for each copy: what was copied counts if the process of the handle
 * lives afterwards, since then the pid was not yet anybody else's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>

#include "win32/win32_internal.h"

struct copying {
	const struct object *object;
	raddr_t address;
	char *buffer;
	size_t bytes, done;
};

static ssize_t copy_once(const struct copying *copying, bool to_target, size_t bytes)
{
	struct iovec here = { copying->buffer + copying->done, bytes };
	struct iovec there = { (void *)(uintptr_t)(copying->address + copying->done), bytes };

	return to_target ? process_vm_writev(copying->object->id, &here, 1, &there, 1, 0)
			 : process_vm_readv(copying->object->id, &here, 1, &there, 1, 0);
}

/* One call copies at most 2 GiB, and stops short of the first page that is not there. */
static int copy(struct copying *copying, bool to_target)
{
	while (copying->done < copying->bytes) {
		ssize_t n = copy_once(copying, to_target, copying->bytes - copying->done);

		if (n <= 0)
			return n < 0 ? -errno : -EFAULT;
		copying->done += (size_t)n;
	}
	return 0;
}

/* What is copied from, or into, a process that has taken the pid since is nothing of the handle's. */
static int check_alive(struct copying *copying, int r)
{
	if (!object_has_ended(copying->object))
		return r == -EPERM ? -EACCES : r;
	copying->done = 0;
	return -ESRCH;
}

/*
 * EFAULT does not tell which side was wrong.  The other side's byte is read once more to a place
 * that is good: when that works, the caller's buffer was the bad one.
 */
static int blame_read(const struct copying *copying)
{
	char byte;
	struct copying again = { copying->object, copying->address + copying->done, &byte, 1, 0 };

	return copy(&again, false) == 0 ? -EFAULT : -EIO;
}

WINBASEAPI BOOL WINAPI ReadProcessMemory(HANDLE hProcess, LPCVOID lpBaseAddress, LPVOID lpBuffer,
					 SIZE_T nSize, SIZE_T *lpNumberOfBytesRead)
{
	AUTO_OBJECT struct object *object = NULL;
	struct copying copying = { .address = (uintptr_t)lpBaseAddress, .buffer = lpBuffer,
				   .bytes = nSize };
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_VM_READ, &object);

	if (r == 0 && nSize > 0) {
		copying.object = object;
		r = copy(&copying, false);
		if (r == -EFAULT)
			r = blame_read(&copying);
		r = check_alive(&copying, r);
	}
	if (lpNumberOfBytesRead)
		*lpNumberOfBytesRead = copying.done;
	return error_report(r, NULL);
}

static int open_memory(const struct object *object)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", object->id);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

/* As a debugger does: to a private copy of what is read-only. */
static int write_forced(struct copying *copying)
{
	AUTO_CLOSE int fd = open_memory(copying->object);

	/* Before anything is written: this descriptor stays the process's that it was opened for. */
	if (fd >= 0 && object_has_ended(copying->object))
		return -ESRCH;
	if (fd < 0)
		return fd;
	while (copying->done < copying->bytes) {
		ssize_t n = pwrite(fd, copying->buffer + copying->done,
				   copying->bytes - copying->done,
				   (off_t)(copying->address + copying->done));

		if (n <= 0)
			return n < 0 ? -errno : -ESRCH;
		copying->done += (size_t)n;
	}
	return 0;
}

/* Write on over code that is read-only; done is where the writing stopped. */
static int write_code(struct copying *copying)
{
	enum place place;
	int r = place_look(copying->object->id, copying->address + copying->done,
			   copying->bytes - copying->done, &place);

	if (r < 0)
		return r;
	if (place == PLACE_READONLY)
		return copying->done > 0 ? -EIO : -EFAULT;
	if (place != PLACE_CODE)
		return -EIO;
	return write_forced(copying);
}

WINBASEAPI BOOL WINAPI WriteProcessMemory(HANDLE hProcess, LPVOID lpBaseAddress, LPCVOID lpBuffer,
					  SIZE_T nSize, SIZE_T *lpNumberOfBytesWritten)
{
	AUTO_OBJECT struct object *object = NULL;
	struct copying copying = { .address = (uintptr_t)lpBaseAddress,
				   .buffer = (char *)(uintptr_t)lpBuffer, .bytes = nSize };
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_VM_WRITE | PROCESS_VM_OPERATION,
			   &object);

	if (r == 0 && nSize > 0) {
		copying.object = object;
		/* Looked at before as well, so that no stranger is written to. */
		r = check_alive(&copying, 0);
		if (r == 0)
			r = copy(&copying, true);
		if (r == -EFAULT)
			r = write_code(&copying);
		r = check_alive(&copying, r);
	}
	if (lpNumberOfBytesWritten)
		*lpNumberOfBytesWritten = copying.done;
	return error_report(r, NULL);
}
