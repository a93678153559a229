/* SPDX-License-Identifier: BSD-2-Clause */
/* copy.c - ReadProcessMemory() and WriteProcessMemory() */
#include "win32/win32_internal.h"

/*
 * EFAULT does not tell which side was wrong.  The other side's byte is read once more to a place
 * that is good: when that works, the caller's buffer was the bad one.
 */
static int blame_read(struct tendril_target *target, raddr_t address)
{
	unsigned char byte;

	return tendril_read(target, address, &byte, 1, NULL, NULL) == 0 ? -EFAULT : -EIO;
}

static int copy_out(const struct object *object, raddr_t address, void *buffer, size_t bytes,
		    size_t *ret_done, struct tendril_error *error)
{
	AUTO_TARGET struct tendril_target *target = NULL;
	int r = object_target(object, &target, error);

	if (r == 0)
		r = tendril_read(target, address, buffer, bytes, ret_done, error);
	return r == -EFAULT ? blame_read(target, address + *ret_done) : r;
}

WINBASEAPI BOOL WINAPI ReadProcessMemory(HANDLE hProcess, LPCVOID lpBaseAddress, LPVOID lpBuffer,
					 SIZE_T nSize, SIZE_T *lpNumberOfBytesRead)
{
	AUTO_OBJECT struct object *object = NULL;
	struct tendril_error error = { 0 };
	size_t done = 0;
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_VM_READ, &object);

	if (r == 0 && nSize > 0)
		r = copy_out(object, (uintptr_t)lpBaseAddress, lpBuffer, nSize, &done, &error);
	if (lpNumberOfBytesRead)
		*lpNumberOfBytesRead = done;
	return error_report(r, &error);
}

/* Write on, as a debugger does, over code that is read-only; done is where the writing stopped. */
static int write_code(const struct object *object, struct tendril_target *target, raddr_t address,
		      const void *buffer, size_t bytes, size_t *done, struct tendril_error *error)
{
	size_t more = 0;
	enum place place;
	int r = place_look(object->id, address + *done, bytes - *done, &place);

	if (r < 0)
		return r;
	if (place == PLACE_READONLY)
		return *done > 0 ? -EIO : -EFAULT;
	if (place != PLACE_CODE)
		return -EIO;
	r = tendril_write(target, address + *done, (const char *)buffer + *done, bytes - *done,
			  TENDRIL_WRITE_FORCE, &more, error);
	*done += more;
	return r; /* all of it can be written so: EFAULT means the caller's buffer */
}

static int copy_in(const struct object *object, raddr_t address, const void *buffer, size_t bytes,
		   size_t *ret_done, struct tendril_error *error)
{
	AUTO_TARGET struct tendril_target *target = NULL;
	int r = object_target(object, &target, error);

	if (r == 0)
		r = tendril_write(target, address, buffer, bytes, 0, ret_done, error);
	if (r == -EFAULT)
		r = write_code(object, target, address, buffer, bytes, ret_done, error);
	return r;
}

WINBASEAPI BOOL WINAPI WriteProcessMemory(HANDLE hProcess, LPVOID lpBaseAddress, LPCVOID lpBuffer,
					  SIZE_T nSize, SIZE_T *lpNumberOfBytesWritten)
{
	AUTO_OBJECT struct object *object = NULL;
	struct tendril_error error = { 0 };
	size_t done = 0;
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_VM_WRITE | PROCESS_VM_OPERATION,
			   &object);

	if (r == 0 && nSize > 0)
		r = copy_in(object, (uintptr_t)lpBaseAddress, lpBuffer, nSize, &done, &error);
	if (lpNumberOfBytesWritten)
		*lpNumberOfBytesWritten = done;
	return error_report(r, &error);
}
