/* SPDX-License-Identifier: BSD-2-Clause */
/* error.c - the last error of each thread, and what ours are called in Win32 */
#include "win32/win32_internal.h"

static __thread DWORD last_error;

WINBASEAPI DWORD WINAPI GetLastError(VOID)
{
	return last_error;
}

WINBASEAPI VOID WINAPI SetLastError(DWORD dwErrCode)
{
	last_error = dwErrCode;
}

static const struct {
	int code;
	DWORD win32;
} errors[] = {
	{ -EBADF, ERROR_INVALID_HANDLE },
	{ -EPERM, ERROR_ACCESS_DENIED },
	{ -EACCES, ERROR_ACCESS_DENIED },
	{ -ESRCH, ERROR_ACCESS_DENIED },
	{ -EINVAL, ERROR_INVALID_PARAMETER },
	{ -E2BIG, ERROR_INVALID_PARAMETER },
	{ -ENOMEM, ERROR_NOT_ENOUGH_MEMORY },
	/* pthread_create() says EAGAIN for a stack that it cannot map, too */
	{ -EAGAIN, ERROR_NOT_ENOUGH_MEMORY },
	{ -EMFILE, ERROR_TOO_MANY_OPEN_FILES },
	{ -ENFILE, ERROR_TOO_MANY_OPEN_FILES },
	{ -EBUSY, ERROR_BUSY },
	{ -ETIMEDOUT, ERROR_TIMEOUT },
	{ -ENOEXEC, ERROR_NOT_SUPPORTED },
	{ -ENOENT, ERROR_NOT_SUPPORTED }, /* no such function in the target's libc */
	{ -EOPNOTSUPP, ERROR_NOT_SUPPORTED },
	{ -EMSGSIZE, ERROR_BAD_LENGTH },
	{ -EIO, ERROR_PARTIAL_COPY },
	{ -EFAULT, ERROR_NOACCESS },
	{ -EADDRNOTAVAIL, ERROR_INVALID_ADDRESS },
	{ -ENODATA, ERROR_NO_MORE_FILES },
	{ -ENOBUFS, ERROR_INSUFFICIENT_BUFFER },
	{ -ELIBACC, ERROR_MOD_NOT_FOUND },
	{ -ELIBBAD, ERROR_PROC_NOT_FOUND },
	{ -EOVERFLOW, ERROR_SIGNAL_REFUSED },
};

DWORD error_to_win32(int code, const struct tendril_error *error)
{
	/* One errno, two answers: a debugger will not go away soon, a safe point will come. */
	if (error && error->code == code && error->rule == TENDRIL_RULE_TRACED)
		return ERROR_ACCESS_DENIED;
	if (error && error->code == code && error->rule == TENDRIL_RULE_NO_SAFE_POINT)
		return ERROR_BUSY;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].code == code)
			return errors[i].win32;
	return ERROR_GEN_FAILURE;
}

BOOL error_report(int code, const struct tendril_error *error)
{
	if (code >= 0)
		return TRUE;
	last_error = error_to_win32(code, error);
	return FALSE;
}
