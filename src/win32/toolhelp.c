/* SPDX-License-Identifier: BSD-2-Clause */
/* toolhelp.c - snapshots of processes, threads and modules, entry by entry */
#include <limits.h>
#include <string.h>

#include "proc/proc.h"
#include "win32/enumerate.h"
#include "win32/utf16.h"

#define KNOWN_FLAGS (TH32CS_SNAPALL | TH32CS_SNAPMODULE32 | TH32CS_INHERIT)
#define LOAD_COUNT  0xffffu /* what Windows says when it does not count */

/* /proc has a directory for each thread, too; only the first one's id is a process's. */
static int check_process(DWORD id)
{
	struct proc_process process;
	int r = id > INT_MAX ? -ESRCH : proc_process_read((pid_t)id, &process);

	if (r < 0)
		return r;
	return process.tgid == (pid_t)id ? 0 : -ESRCH;
}

static int take(DWORD flags, DWORD id, struct object *object)
{
	pid_t pid = getpid();
	int r = 0;

	if (flags & ~KNOWN_FLAGS || !(flags & ~TH32CS_INHERIT))
		return -EINVAL;
	if (flags & (TH32CS_SNAPMODULE | TH32CS_SNAPMODULE32) && id != 0) {
		r = check_process(id);
		pid = (pid_t)id;
	}
	return r < 0 ? r : snapshot_make(flags, pid, &object->fd, &object->snapshot);
}

WINBASEAPI HANDLE WINAPI CreateToolhelp32Snapshot(DWORD dwFlags, DWORD th32ProcessID)
{
	AUTO_OBJECT struct object *object = object_new(OBJECT_SNAPSHOT, 0);
	struct object *published;
	int r = object ? handle_room() : -ENOMEM;

	if (r == 0)
		r = take(dwFlags, th32ProcessID, object);
	if (r == -ESRCH)
		r = -EINVAL; /* here "no such process" is a wrong parameter */
	if (r < 0) {
		(void)error_report(r, NULL);
		return INVALID_HANDLE_VALUE;
	}
	published = object;
	object = NULL;
	return object_publish(published, dwFlags & TH32CS_INHERIT);
}

/*
 * The next record of a handle's snapshot, NULL when there is none, with the last error set; size
 * is the entry's dwSize.  The caller puts the object back when it has copied the record.
 */
static const void *next_record(HANDLE handle, enum snapshot_list list, bool first,
			       const DWORD *size, size_t bytes, struct object **ret_object)
{
	const void *record = NULL;
	int r = object_get(handle, OBJECT_SNAPSHOT, 0, ret_object);

	if (r == 0 && !size)
		r = -EFAULT;
	if (r == 0 && *size < bytes)
		r = -EMSGSIZE;
	if (r == 0)
		record = snapshot_next((*ret_object)->snapshot, list, first);
	if (r == 0 && !record)
		r = -ENODATA;
	(void)error_report(r, NULL);
	return record;
}

/* The A and the W form of an entry have the same members, but for the texts. */
#define NEXT_RECORD(handle, list, first, entry, object)                                            \
	next_record(handle, list, first, (entry) ? &(entry)->dwSize : NULL, sizeof(*(entry)),      \
		    object)

#define FILL_PROCESS(entry, record)                                                                \
	do {                                                                                       \
		(entry)->cntUsage = 0;                                                             \
		(entry)->th32ProcessID = (record)->pid;                                            \
		(entry)->th32DefaultHeapID = 0;                                                    \
		(entry)->th32ModuleID = 0;                                                         \
		(entry)->cntThreads = (record)->n_threads;                                         \
		(entry)->th32ParentProcessID = (record)->parent;                                   \
		(entry)->pcPriClassBase = (record)->priority;                                      \
		(entry)->dwFlags = 0;                                                              \
	} while (0)

#define FILL_MODULE(entry, record)                                                                 \
	do {                                                                                       \
		(entry)->th32ModuleID = 1;                                                         \
		(entry)->th32ProcessID = (record)->pid;                                            \
		(entry)->GlblcntUsage = LOAD_COUNT;                                                \
		(entry)->ProccntUsage = LOAD_COUNT;                                                \
		(entry)->modBaseAddr = (BYTE *)(uintptr_t)(record)->base;                          \
		(entry)->modBaseSize =                                                             \
			(record)->bytes < UINT32_MAX ? (DWORD)(record)->bytes : UINT32_MAX;        \
		(entry)->hModule = (HMODULE)(entry)->modBaseAddr;                                  \
	} while (0)

static void put_text(const struct snapshot *snapshot, uint64_t at, char *out, size_t room)
{
	(void)utf8_copy(snapshot_text(snapshot, at), out, room);
}

static void put_wide_text(const struct snapshot *snapshot, uint64_t at, WCHAR *out, size_t room)
{
	const char *text = snapshot_text(snapshot, at);

	(void)utf16_from_utf8(text, strlen(text), out, room);
}

static BOOL process_next(HANDLE handle, LPPROCESSENTRY32 entry, bool first)
{
	AUTO_OBJECT struct object *object = NULL;
	const struct process_record *record =
		NEXT_RECORD(handle, SNAPSHOT_PROCESSES, first, entry, &object);

	if (!record)
		return FALSE;
	FILL_PROCESS(entry, record);
	put_text(object->snapshot, record->name, entry->szExeFile, ARRAY_SIZE(entry->szExeFile));
	return TRUE;
}

static BOOL process_next_wide(HANDLE handle, LPPROCESSENTRY32W entry, bool first)
{
	AUTO_OBJECT struct object *object = NULL;
	const struct process_record *record =
		NEXT_RECORD(handle, SNAPSHOT_PROCESSES, first, entry, &object);

	if (!record)
		return FALSE;
	FILL_PROCESS(entry, record);
	put_wide_text(object->snapshot, record->name, entry->szExeFile,
		      ARRAY_SIZE(entry->szExeFile));
	return TRUE;
}

static BOOL thread_next(HANDLE handle, LPTHREADENTRY32 entry, bool first)
{
	AUTO_OBJECT struct object *object = NULL;
	const struct thread_record *record =
		NEXT_RECORD(handle, SNAPSHOT_THREADS, first, entry, &object);

	if (!record)
		return FALSE;
	entry->cntUsage = 0;
	entry->th32ThreadID = record->tid;
	entry->th32OwnerProcessID = record->pid;
	entry->tpBasePri = record->priority;
	entry->tpDeltaPri = 0;
	entry->dwFlags = 0;
	return TRUE;
}

static BOOL module_next(HANDLE handle, LPMODULEENTRY32 entry, bool first)
{
	AUTO_OBJECT struct object *object = NULL;
	const struct module_record *record =
		NEXT_RECORD(handle, SNAPSHOT_MODULES, first, entry, &object);

	if (!record)
		return FALSE;
	FILL_MODULE(entry, record);
	put_text(object->snapshot, record->name, entry->szModule, ARRAY_SIZE(entry->szModule));
	put_text(object->snapshot, record->path, entry->szExePath, ARRAY_SIZE(entry->szExePath));
	return TRUE;
}

static BOOL module_next_wide(HANDLE handle, LPMODULEENTRY32W entry, bool first)
{
	AUTO_OBJECT struct object *object = NULL;
	const struct module_record *record =
		NEXT_RECORD(handle, SNAPSHOT_MODULES, first, entry, &object);

	if (!record)
		return FALSE;
	FILL_MODULE(entry, record);
	put_wide_text(object->snapshot, record->name, entry->szModule, ARRAY_SIZE(entry->szModule));
	put_wide_text(object->snapshot, record->path, entry->szExePath,
		      ARRAY_SIZE(entry->szExePath));
	return TRUE;
}

WINBASEAPI BOOL WINAPI Process32First(HANDLE hSnapshot, LPPROCESSENTRY32 lppe)
{
	return process_next(hSnapshot, lppe, true);
}

WINBASEAPI BOOL WINAPI Process32Next(HANDLE hSnapshot, LPPROCESSENTRY32 lppe)
{
	return process_next(hSnapshot, lppe, false);
}

WINBASEAPI BOOL WINAPI Process32FirstW(HANDLE hSnapshot, LPPROCESSENTRY32W lppe)
{
	return process_next_wide(hSnapshot, lppe, true);
}

WINBASEAPI BOOL WINAPI Process32NextW(HANDLE hSnapshot, LPPROCESSENTRY32W lppe)
{
	return process_next_wide(hSnapshot, lppe, false);
}

WINBASEAPI BOOL WINAPI Thread32First(HANDLE hSnapshot, LPTHREADENTRY32 lpte)
{
	return thread_next(hSnapshot, lpte, true);
}

WINBASEAPI BOOL WINAPI Thread32Next(HANDLE hSnapshot, LPTHREADENTRY32 lpte)
{
	return thread_next(hSnapshot, lpte, false);
}

WINBASEAPI BOOL WINAPI Module32First(HANDLE hSnapshot, LPMODULEENTRY32 lpme)
{
	return module_next(hSnapshot, lpme, true);
}

WINBASEAPI BOOL WINAPI Module32Next(HANDLE hSnapshot, LPMODULEENTRY32 lpme)
{
	return module_next(hSnapshot, lpme, false);
}

WINBASEAPI BOOL WINAPI Module32FirstW(HANDLE hSnapshot, LPMODULEENTRY32W lpme)
{
	return module_next_wide(hSnapshot, lpme, true);
}

WINBASEAPI BOOL WINAPI Module32NextW(HANDLE hSnapshot, LPMODULEENTRY32W lpme)
{
	return module_next_wide(hSnapshot, lpme, false);
}
