/* SPDX-License-Identifier: BSD-2-Clause */
/* last_user.c - a library that needs ours, for win32_last_user.c */
#include <tendril/win32.h>

DWORD last_user(void)
{
	return GetLastError();
}
