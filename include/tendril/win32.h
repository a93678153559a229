/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * win32.h - Win32's names for processes and threads, on Linux objects
 *
 * A source that includes this header and uses nothing else compiles unchanged
 * for Windows (where it is <windows.h>) and for Linux.  The behaviour is the
 * one that Microsoft documents, told here in our own words.
 *
 * What is different, because the objects are Linux ones:
 *   - A handle is a descriptor of this process: of a process, its pidfd; of a
 *     thread, the thread's.  Its value is the descriptor times four, as NT's
 *     values are multiples of four; descriptor 0 is never handed out.  So every
 *     open handle can be seen in /proc/PID/fd, and counted.
 *   - Process and thread ids are the kernel's, in the caller's PID namespace.
 *   - WINAPI is empty: a thread function is an ordinary C function of the
 *     process that it runs in.
 *   - Security descriptors are ignored; the kernel's ptrace rules decide who
 *     may open whom.
 *   - DWORD has 32 bits, as on Windows, but is unsigned int: print it with %u.
 *
 * Errors: a function that fails sets the calling thread's last error; one that
 * succeeds leaves it alone.  The checks come in this order: is the value an open
 * handle (ERROR_INVALID_HANDLE), of the right kind (the same), with the right
 * that the function needs (ERROR_ACCESS_DENIED), of something that still lives
 * (ERROR_ACCESS_DENIED).  Out parameters are written only on success, except
 * where a function says otherwise.
 *
 * All functions may be called by several threads at once.  A handle that is
 * closed while another thread's call uses it stays open until that call returns.
 * None is async-signal-safe except GetLastError() and SetLastError().
 */
#ifndef TENDRIL_WIN32_H
#define TENDRIL_WIN32_H

#ifdef _WIN32
#include <windows.h>
/* Windows has these beside it; here they are part of this header. */
#include <tlhelp32.h>
#include <psapi.h>
#else

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && defined(TENDRIL_BUILD)
#define WINBASEAPI __attribute__((visibility("default")))
#else
#define WINBASEAPI
#endif

#define WINAPI
#define CALLBACK
#ifndef CONST
#define CONST const
#endif
#ifndef VOID
#define VOID void
#endif
#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

typedef int BOOL;
typedef char CHAR;
typedef unsigned char BYTE;
typedef BYTE BOOLEAN;
typedef uint16_t WCHAR; /* UTF-16, as on Windows; wchar_t has 32 bits here */
typedef uint16_t WORD;
typedef uint32_t DWORD;
typedef int32_t LONG;
typedef uint32_t ULONG;
typedef unsigned int UINT;
typedef uintptr_t ULONG_PTR;
typedef uintptr_t DWORD_PTR;
typedef intptr_t LONG_PTR;
typedef intptr_t INT_PTR;
typedef int64_t LONGLONG;
typedef uint64_t ULONGLONG;
typedef uint64_t DWORD64;
typedef size_t SIZE_T;

typedef void *PVOID;
typedef void *LPVOID;
typedef const void *LPCVOID;
typedef BYTE *LPBYTE;
typedef DWORD *PDWORD;
typedef DWORD *LPDWORD;
typedef BOOL *LPBOOL;
typedef SIZE_T *PSIZE_T;
typedef CHAR *LPSTR;
typedef const CHAR *LPCSTR;
typedef WCHAR *LPWSTR;
typedef const WCHAR *LPCWSTR;

/** An open handle of this process; NULL is never one. */
typedef void *HANDLE;
typedef HANDLE *PHANDLE;
typedef HANDLE *LPHANDLE;

#define INVALID_HANDLE_VALUE ((HANDLE)(intptr_t)-1)

/** Units of 100 ns since 1601-01-01 UTC, in two halves. */
typedef struct _FILETIME {
	DWORD dwLowDateTime;
	DWORD dwHighDateTime;
} FILETIME, *PFILETIME, *LPFILETIME;

/** A loaded module: the address where it begins in its process. */
typedef struct HINSTANCE__ *HINSTANCE;
typedef HINSTANCE HMODULE;
/** Any function; to be cast to its own type. */
typedef INT_PTR(WINAPI *FARPROC)(void);

/** A thread's function.  Its value becomes the thread's exit code. */
typedef DWORD(WINAPI *PTHREAD_START_ROUTINE)(LPVOID lpThreadParameter);
typedef PTHREAD_START_ROUTINE LPTHREAD_START_ROUTINE;

/** What QueueUserAPC() lets a thread call. */
typedef VOID(WINAPI *PAPCFUNC)(ULONG_PTR Parameter);

typedef struct _SECURITY_ATTRIBUTES {
	DWORD nLength;
	LPVOID lpSecurityDescriptor; /* ignored */
	BOOL bInheritHandle;         /* TRUE: programs that this one executes get the descriptor */
} SECURITY_ATTRIBUTES, *PSECURITY_ATTRIBUTES, *LPSECURITY_ATTRIBUTES;

typedef struct _PROC_THREAD_ATTRIBUTE_LIST *PPROC_THREAD_ATTRIBUTE_LIST;
typedef PPROC_THREAD_ATTRIBUTE_LIST LPPROC_THREAD_ATTRIBUTE_LIST;

/* Last errors. */
#define ERROR_SUCCESS             0u
#define NO_ERROR                  0u
#define ERROR_TOO_MANY_OPEN_FILES 4u    /* the limit of handles, of the caller or the target */
#define ERROR_ACCESS_DENIED       5u    /* a right is missing, or the process has ended */
#define ERROR_INVALID_HANDLE      6u    /* not an open handle, or one of another kind */
#define ERROR_NOT_ENOUGH_MEMORY   8u    /* memory or threads, of the caller or the target */
#define ERROR_NO_MORE_FILES       18u   /* the end of an enumeration */
#define ERROR_BAD_LENGTH          24u
#define ERROR_GEN_FAILURE         31u   /* what has no better code */
#define ERROR_NOT_SUPPORTED       50u   /* an architecture or a runtime that we cannot serve */
#define ERROR_INVALID_PARAMETER   87u
#define ERROR_INSUFFICIENT_BUFFER 122u
#define ERROR_MOD_NOT_FOUND       126u  /* no such library */
#define ERROR_PROC_NOT_FOUND      127u  /* no such function */
#define ERROR_SIGNAL_REFUSED      156u  /* the thread is suspended 127 times already */
#define ERROR_BUSY                170u  /* stopped, or at no safe point: try again later */
#define ERROR_PARTIAL_COPY        299u  /* a part of the range is not there */
#define ERROR_INVALID_ADDRESS     487u  /* not reserved, or reserved already */
#define ERROR_NOACCESS            998u  /* a pointer that may not be used so */
#define ERROR_COMMITMENT_LIMIT    1455u
#define ERROR_TIMEOUT             1460u /* the target did not answer; all was taken back */

/* Rights that every kind of handle can have. */
#define DELETE                   0x00010000u
#define READ_CONTROL             0x00020000u
#define WRITE_DAC                0x00040000u
#define WRITE_OWNER              0x00080000u
#define SYNCHRONIZE              0x00100000u
#define STANDARD_RIGHTS_REQUIRED 0x000f0000u
#define MAXIMUM_ALLOWED          0x02000000u
#define GENERIC_ALL              0x10000000u
#define GENERIC_EXECUTE          0x20000000u
#define GENERIC_WRITE            0x40000000u
#define GENERIC_READ             0x80000000u

#define PROCESS_TERMINATE                 0x0001u
#define PROCESS_CREATE_THREAD             0x0002u
#define PROCESS_SET_SESSIONID             0x0004u
#define PROCESS_VM_OPERATION              0x0008u
#define PROCESS_VM_READ                   0x0010u
#define PROCESS_VM_WRITE                  0x0020u
#define PROCESS_DUP_HANDLE                0x0040u
#define PROCESS_CREATE_PROCESS            0x0080u
#define PROCESS_SET_QUOTA                 0x0100u
#define PROCESS_SET_INFORMATION           0x0200u
#define PROCESS_QUERY_INFORMATION         0x0400u /* includes the limited right */
#define PROCESS_SUSPEND_RESUME            0x0800u
#define PROCESS_QUERY_LIMITED_INFORMATION 0x1000u
#define PROCESS_ALL_ACCESS                0x001fffffu

#define THREAD_TERMINATE                 0x0001u
#define THREAD_SUSPEND_RESUME            0x0002u
#define THREAD_GET_CONTEXT               0x0008u
#define THREAD_SET_CONTEXT               0x0010u
#define THREAD_SET_INFORMATION           0x0020u
#define THREAD_QUERY_INFORMATION         0x0040u /* includes the limited right */
#define THREAD_SET_LIMITED_INFORMATION   0x0400u
#define THREAD_QUERY_LIMITED_INFORMATION 0x0800u
#define THREAD_ALL_ACCESS                0x001fffffu

#define MAXIMUM_SUSPEND_COUNT 127u

/* Creation flags.  Any other bit: ERROR_INVALID_PARAMETER. */
#define CREATE_SUSPENDED                  0x00000004u
#define STACK_SIZE_PARAM_IS_A_RESERVATION 0x00010000u

#define DUPLICATE_CLOSE_SOURCE 0x1u
#define DUPLICATE_SAME_ACCESS  0x2u

#define HANDLE_FLAG_INHERIT            0x1u
#define HANDLE_FLAG_PROTECT_FROM_CLOSE 0x2u

#define INFINITE             0xffffffffu
#define WAIT_OBJECT_0        0u
#define WAIT_IO_COMPLETION   192u /* queued calls were made */
#define WAIT_TIMEOUT         258u
#define WAIT_FAILED          0xffffffffu
#define MAXIMUM_WAIT_OBJECTS 64

#define THREAD_PRIORITY_IDLE          (-15)
#define THREAD_PRIORITY_LOWEST        (-2)
#define THREAD_PRIORITY_BELOW_NORMAL  (-1)
#define THREAD_PRIORITY_NORMAL        0
#define THREAD_PRIORITY_ABOVE_NORMAL  1
#define THREAD_PRIORITY_HIGHEST       2
#define THREAD_PRIORITY_TIME_CRITICAL 15
#define THREAD_PRIORITY_ERROR_RETURN  0x7fffffff

#define STILL_ACTIVE                259u
#define STATUS_ACCESS_VIOLATION     0xc0000005u
#define EXCEPTION_ACCESS_VIOLATION  STATUS_ACCESS_VIOLATION

#define MEM_COMMIT   0x00001000u
#define MEM_RESERVE  0x00002000u
#define MEM_DECOMMIT 0x00004000u
#define MEM_RELEASE  0x00008000u
#define MEM_FREE     0x00010000u /* these in MEMORY_BASIC_INFORMATION only */
#define MEM_PRIVATE  0x00020000u
#define MEM_MAPPED   0x00040000u
#define MEM_IMAGE    0x01000000u
#define MEM_TOP_DOWN 0x00100000u /* accepted; the kernel's layout is top-down anyway */

#define PAGE_NOACCESS          0x01u
#define PAGE_READONLY          0x02u
#define PAGE_READWRITE         0x04u
#define PAGE_EXECUTE           0x10u
#define PAGE_EXECUTE_READ      0x20u
#define PAGE_EXECUTE_READWRITE 0x40u
/* Told of libraries, as they were mapped; to ask for one: ERROR_INVALID_PARAMETER. */
#define PAGE_WRITECOPY         0x08u
#define PAGE_EXECUTE_WRITECOPY 0x80u
/* Modifiers, which Linux has no such thing for: ERROR_INVALID_PARAMETER. */
#define PAGE_GUARD             0x100u
#define PAGE_NOCACHE           0x200u
#define PAGE_WRITECOMBINE      0x400u

/** What VirtualQueryEx() tells of pages that are alike. */
typedef struct _MEMORY_BASIC_INFORMATION {
	PVOID BaseAddress;       /* of the page that was asked for */
	PVOID AllocationBase;    /* of what it is a part of; NULL: free */
	DWORD AllocationProtect; /* as it was allocated */
	WORD PartitionId;        /* 0 */
	SIZE_T RegionSize;       /* bytes from BaseAddress that are alike */
	DWORD State;             /* MEM_COMMIT, MEM_RESERVE, MEM_FREE */
	DWORD Protect;           /* PAGE_...; reserved: 0; free: PAGE_NOACCESS */
	DWORD Type;              /* MEM_PRIVATE, MEM_MAPPED, MEM_IMAGE; free: 0 */
} MEMORY_BASIC_INFORMATION, *PMEMORY_BASIC_INFORMATION;

/** GetLastError() - why the calling thread's latest failing call failed */
WINBASEAPI DWORD WINAPI GetLastError(VOID);

/** SetLastError() - set what GetLastError() gives in this thread */
WINBASEAPI VOID WINAPI SetLastError(DWORD dwErrCode);

/**
 * CloseHandle() - close an open handle
 *
 * Ends neither the process nor the thread.  The pseudo-handles may be closed,
 * which does nothing.
 *
 * Errors: ERROR_INVALID_HANDLE: not open, protected from close, or a descriptor
 * that this library did not make (which stays open).
 */
WINBASEAPI BOOL WINAPI CloseHandle(HANDLE hObject);

/**
 * GetHandleInformation() - HANDLE_FLAG_INHERIT (descriptor without FD_CLOEXEC)
 * and HANDLE_FLAG_PROTECT_FROM_CLOSE of an open handle
 *
 * Errors: ERROR_INVALID_HANDLE (pseudo-handles too), ERROR_INVALID_PARAMETER.
 */
WINBASEAPI BOOL WINAPI GetHandleInformation(HANDLE hObject, LPDWORD lpdwFlags);

/**
 * SetHandleInformation() - change the flags that are set in @dwMask to what they are in @dwFlags
 *
 * Errors: ERROR_INVALID_HANDLE; ERROR_INVALID_PARAMETER: another bit in @dwMask.
 */
WINBASEAPI BOOL WINAPI SetHandleInformation(HANDLE hObject, DWORD dwMask, DWORD dwFlags);

/**
 * DuplicateHandle() - another handle of what a handle refers to, here or in another process
 * @hSourceProcessHandle: whose handle it is; PROCESS_DUP_HANDLE
 * @hSourceHandle:        of a process, a thread, or (the caller's own) a snapshot; a
 *                        pseudo-handle becomes a real one
 * @hTargetProcessHandle: who gets the duplicate; PROCESS_DUP_HANDLE
 * @lpTargetHandle:       NULL: its value is not told
 * @dwDesiredAccess:      its rights, as for OpenProcess(); not with DUPLICATE_SAME_ACCESS
 * @dwOptions:            DUPLICATE_SAME_ACCESS; DUPLICATE_CLOSE_SOURCE: the source is closed,
 *                        also when the rest fails.  With @hTargetProcessHandle and
 *                        @lpTargetHandle NULL that is all
 *
 * Another process has handles only if it has this library, loaded as a shared one: it is what
 * opens and closes them there, on a thread made for that.  The exit code of a thread that was
 * made in one process and is asked for in another has the 8 bits that the kernel keeps.
 *
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: no PROCESS_DUP_HANDLE, the process has
 * ended, or the kernel's access rules; ERROR_INVALID_PARAMETER: another option;
 * ERROR_TOO_MANY_OPEN_FILES; ERROR_NOT_SUPPORTED: the other process has no handles; and what
 * CreateRemoteThread() can fail with.
 */
WINBASEAPI BOOL WINAPI DuplicateHandle(HANDLE hSourceProcessHandle, HANDLE hSourceHandle,
				       HANDLE hTargetProcessHandle, LPHANDLE lpTargetHandle,
				       DWORD dwDesiredAccess, BOOL bInheritHandle,
				       DWORD dwOptions);

/** GetCurrentProcess() - the pseudo-handle of the calling process, (HANDLE)-1, with all rights */
WINBASEAPI HANDLE WINAPI GetCurrentProcess(VOID);
/** GetCurrentProcessId() - getpid(2) */
WINBASEAPI DWORD WINAPI GetCurrentProcessId(VOID);
/** GetCurrentThread() - the pseudo-handle of the calling thread, (HANDLE)-2, with all rights */
WINBASEAPI HANDLE WINAPI GetCurrentThread(VOID);
/** GetCurrentThreadId() - gettid(2) */
WINBASEAPI DWORD WINAPI GetCurrentThreadId(VOID);

/**
 * OpenProcess() - a new handle of a running process
 * @dwDesiredAccess: PROCESS_..., SYNCHRONIZE, generic rights, MAXIMUM_ALLOWED;
 *                   later calls check the rights that were asked for here
 * @bInheritHandle:  TRUE: programs that the caller executes get the descriptor
 * @dwProcessId:     a process; not the id of one of its other threads
 *
 * Rights to threads and memory are refused here if the kernel's ptrace rules
 * would refuse their use; to query and to wait, any process can be opened.
 *
 * Return: the handle, or NULL
 * Errors: ERROR_INVALID_PARAMETER: no such process, it has ended, or id 0;
 * ERROR_ACCESS_DENIED; ERROR_TOO_MANY_OPEN_FILES; ERROR_NOT_SUPPORTED: rights
 * to threads in a process of another architecture.
 */
WINBASEAPI HANDLE WINAPI OpenProcess(DWORD dwDesiredAccess, BOOL bInheritHandle,
				     DWORD dwProcessId);

/**
 * GetProcessId() - the id of a process
 * Return: the id, also after the process has ended; 0 on failure
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: neither query right.
 */
WINBASEAPI DWORD WINAPI GetProcessId(HANDLE Process);

/**
 * GetProcessHandleCount() - how many handles a process has open
 * @pdwHandleCount: its descriptors; 0 when it has ended
 *
 * What Performance Monitor shows as Handle Count, and where the leak of Q272913 shows.
 *
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: neither query right, or the
 * kernel's access rules; ERROR_NOACCESS: no place for the count.
 */
WINBASEAPI BOOL WINAPI GetProcessHandleCount(HANDLE hProcess, PDWORD pdwHandleCount);

/**
 * GetExitCodeProcess() - STILL_ACTIVE, or the code that the process ended with
 *
 * The kernel keeps 8 bits of it.  A process that was killed by SIGSEGV, SIGBUS,
 * SIGILL or SIGFPE has STATUS_ACCESS_VIOLATION; by another signal, 128 plus its
 * number.  The process is never reaped.  Before Linux 6.15 the code of a process
 * that was reaped by its parent before it was asked for is lost: then it is 0.
 *
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: neither query right;
 * ERROR_NOACCESS: no place for the code.
 */
WINBASEAPI BOOL WINAPI GetExitCodeProcess(HANDLE hProcess, LPDWORD lpExitCode);

/**
 * CreateRemoteThread() - start one thread in another process, or change nothing
 * @hProcess:           PROCESS_CREATE_THREAD | PROCESS_QUERY_INFORMATION |
 *                      PROCESS_VM_OPERATION | PROCESS_VM_WRITE | PROCESS_VM_READ;
 *                      the first one is checked.  GetCurrentProcess() is allowed
 * @lpThreadAttributes: NULL, or bInheritHandle for the new handle
 * @dwStackSize:        bytes.  0: as much as the target's own threads get.  The
 *                      part to be committed, rounded up to a page, in at least
 *                      1 MiB, in whole MiB; with STACK_SIZE_PARAM_IS_A_RESERVATION
 *                      the whole, rounded up to 64 KiB.  So much can be used
 * @lpStartAddress:     address in the target.  Memory that is not executable
 *                      is refused (ERROR_NOACCESS) but for a suspended thread;
 *                      one that jumps to a wrong address ends its process
 * @lpParameter:        its argument, arrives bit for bit
 * @dwCreationFlags:    CREATE_SUSPENDED: it exists but does not run its function
 *                      until ResumeThread(); STACK_SIZE_PARAM_IS_A_RESERVATION
 * @lpThreadId:         may be NULL; written only on success
 *
 * When it fails, whatever the stage, no handle, no thread and no memory is left
 * behind in the caller or in the target, and the function has not run: what
 * Q272913 and Q246691 promised to repair.  It gives up, in the same way, after
 * five seconds without a safe point in the target.
 *
 * Return: a handle with THREAD_ALL_ACCESS, or NULL (never INVALID_HANDLE_VALUE)
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: the right, the kernel's
 * access rules, a process that has ended or is traced by somebody else;
 * ERROR_INVALID_PARAMETER: unknown flag; ERROR_NOT_ENOUGH_MEMORY: the stack, or
 * any other memory or thread that the target may not have;
 * ERROR_TOO_MANY_OPEN_FILES; ERROR_BUSY: stopped by a signal, or no safe point;
 * ERROR_NOT_SUPPORTED: no libc there that could make a thread; ERROR_TIMEOUT.
 */
WINBASEAPI HANDLE WINAPI CreateRemoteThread(HANDLE hProcess,
					    LPSECURITY_ATTRIBUTES lpThreadAttributes,
					    SIZE_T dwStackSize,
					    LPTHREAD_START_ROUTINE lpStartAddress,
					    LPVOID lpParameter, DWORD dwCreationFlags,
					    LPDWORD lpThreadId);

/**
 * CreateRemoteThreadEx() - CreateRemoteThread()
 * @lpAttributeList: NULL; anything else: ERROR_NOT_SUPPORTED
 */
WINBASEAPI HANDLE WINAPI CreateRemoteThreadEx(HANDLE hProcess,
					      LPSECURITY_ATTRIBUTES lpThreadAttributes,
					      SIZE_T dwStackSize,
					      LPTHREAD_START_ROUTINE lpStartAddress,
					      LPVOID lpParameter, DWORD dwCreationFlags,
					      LPPROC_THREAD_ATTRIBUTE_LIST lpAttributeList,
					      LPDWORD lpThreadId);

/** CreateThread() - CreateRemoteThread() in GetCurrentProcess() */
WINBASEAPI HANDLE WINAPI CreateThread(LPSECURITY_ATTRIBUTES lpThreadAttributes, SIZE_T dwStackSize,
				      LPTHREAD_START_ROUTINE lpStartAddress, LPVOID lpParameter,
				      DWORD dwCreationFlags, LPDWORD lpThreadId);

/**
 * SuspendThread() - keep a thread from running until it has been resumed as often
 * @hThread: with THREAD_SUSPEND_RESUME; GetCurrentThread() is allowed
 *
 * Any thread of any process that the caller may trace.  The count is the thread's: it stays when the
 * handle is closed and when the caller ends, and anybody with the right may resume.  The thread is
 * not traced meanwhile.  A system call that it is in is taken up again when it goes on; signals to it
 * wait.  It may hold a lock that others come to wait for, malloc()'s if it does not leave that soon.
 *
 * Return: its suspend count before; (DWORD)-1 on failure
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: no THREAD_SUSPEND_RESUME, the thread has
 * ended, somebody traces it, or the kernel's rules refuse; ERROR_SIGNAL_REFUSED: the count is
 * MAXIMUM_SUSPEND_COUNT; ERROR_BUSY: stopped, uninterruptible, or on no stack of its own for
 * seconds; ERROR_NOT_SUPPORTED: a process without a libc that we know.
 */
WINBASEAPI DWORD WINAPI SuspendThread(HANDLE hThread);

/**
 * ResumeThread() - take one suspension back: SuspendThread()'s, or that of CREATE_SUSPENDED
 * Return: its suspend count before (1: now it runs; 0: it was not suspended, or has ended, and nothing
 * was done); (DWORD)-1 on failure
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: no THREAD_SUSPEND_RESUME; as SuspendThread().
 */
WINBASEAPI DWORD WINAPI ResumeThread(HANDLE hThread);

/**
 * TerminateThread() - end a thread from outside
 * @hThread:    with THREAD_TERMINATE; GetCurrentThread() is allowed, and then does not return
 * @dwExitCode: what GetExitCodeThread() will give
 *
 * It ends where it holds no lock of libc's, the allocator's, the loader's or a FILE's, suspended or not;
 * what it holds of the program's own stays held.  Its stack is freed.  One that was made by CreateRemoteThread()
 * has the code for everybody, others for handles of this process (and as pthread_join(3)'s value).  One
 * that was created suspended never runs.  It has ended when its handle is signalled, soon after the call.
 *
 * Return: TRUE or FALSE
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: no THREAD_TERMINATE, the thread has ended (its
 * code stays), somebody traces it, or the kernel's rules refuse; ERROR_BUSY: for seconds it was
 * nowhere where it could end (one that does nothing but print holds its FILE whenever it is looked at), or
 * stopped; a suspended one that was in such a place has been let go on, and runs; ERROR_NOT_SUPPORTED: no libc there that could end a thread.
 */
WINBASEAPI BOOL WINAPI TerminateThread(HANDLE hThread, DWORD dwExitCode);

/**
 * OpenThread() - a new handle of a running thread, of whatever process
 * @dwDesiredAccess: THREAD_..., SYNCHRONIZE, generic rights, MAXIMUM_ALLOWED
 * @bInheritHandle:  as for OpenProcess()
 * @dwThreadId:      the kernel's id; a process's id is that of its first thread
 *
 * Rights to stop, end and change it are refused here if the kernel's ptrace rules would refuse
 * their use.
 *
 * Return: the handle, or NULL
 * Errors: ERROR_INVALID_PARAMETER: no such thread, it has ended, or id 0; ERROR_ACCESS_DENIED;
 * ERROR_TOO_MANY_OPEN_FILES.
 */
WINBASEAPI HANDLE WINAPI OpenThread(DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwThreadId);

/**
 * ExitThread() - end the calling thread with a code
 *
 * As if its function returned the code; clean-up handlers run as for pthread_exit(3), which it is.
 * The last thread's end is that of the process.
 */
WINBASEAPI VOID WINAPI ExitThread(DWORD dwExitCode) __attribute__((noreturn));

/** ExitProcess() - exit(3): handlers run, buffers are written; the kernel keeps 8 bits of the code */
WINBASEAPI VOID WINAPI ExitProcess(UINT uExitCode) __attribute__((noreturn));

/**
 * TerminateProcess() - end a process at once
 *
 * It gets SIGKILL.  GetExitCodeProcess() gives @uExitCode, all 32 bits, through every handle of
 * the caller; others see a process that was killed.  The caller may end itself, with 8 bits.
 *
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: no PROCESS_TERMINATE, it has ended (its code
 * stays), or the kernel's rules for signals.
 */
WINBASEAPI BOOL WINAPI TerminateProcess(HANDLE hProcess, UINT uExitCode);

/**
 * GetThreadId() - the id of a thread
 * Return: the id, also after the thread has ended; 0 on failure
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: neither query right.
 */
WINBASEAPI DWORD WINAPI GetThreadId(HANDLE Thread);

/** GetProcessIdOfThread() - the process that it is a thread of; as GetThreadId() */
WINBASEAPI DWORD WINAPI GetProcessIdOfThread(HANDLE Thread);

/**
 * GetExitCodeThread() - STILL_ACTIVE, or what the thread's function returned, all 32 bits
 *
 * A thread that ended without returning has the code of its process if that
 * ended (see GetExitCodeProcess()), otherwise 0.
 *
 * Errors: as GetExitCodeProcess().
 */
WINBASEAPI BOOL WINAPI GetExitCodeThread(HANDLE hThread, LPDWORD lpExitCode);

/**
 * GetThreadPriority() - THREAD_PRIORITY_..., of any thread
 *
 * A priority stands for a nice value beside that of the process's first thread: HIGHEST, ABOVE_NORMAL,
 * NORMAL, BELOW_NORMAL and LOWEST for -10, -5, 0, 5 and 10 from there, TIME_CRITICAL and IDLE for the
 * ends of the scale.  What SetThreadPriority() in the caller's process was given is read back; of a
 * thread whose nice value was set otherwise, the nearest.  A new thread has THREAD_PRIORITY_NORMAL,
 * whatever its creator has.
 *
 * Return: the priority; THREAD_PRIORITY_ERROR_RETURN on failure
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: neither query right, or it has ended.
 */
WINBASEAPI int WINAPI GetThreadPriority(HANDLE hThread);

/**
 * SetThreadPriority() - set it to one of the seven THREAD_PRIORITY_...
 * @hThread: THREAD_SET_INFORMATION or THREAD_SET_LIMITED_INFORMATION
 *
 * Without CAP_SYS_NICE or RLIMIT_NICE Linux lets no nice value be lowered again, not even to where
 * it was.  The call succeeds all the same, as on Windows: the thread gets the lowest nice value that
 * it may have, and the priority is remembered for GetThreadPriority() in this process.
 *
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: no such right, it has ended, or is another
 * user's; ERROR_INVALID_PARAMETER: another value; nothing has changed.
 */
WINBASEAPI BOOL WINAPI SetThreadPriority(HANDLE hThread, int nPriority);

/**
 * WaitForSingleObject() - wait for the end of a process or thread
 * @dwMilliseconds: 0: only look; INFINITE: without limit; monotonic time
 *
 * What has ended stays signalled.  When a thread is, its stack is gone from its
 * process and its exit code is there.  (A process that is stopped at that very
 * moment keeps the stack until it continues; then the thread is signalled after
 * a second.)  The pseudo-handles never are.
 *
 * Return: WAIT_OBJECT_0; WAIT_TIMEOUT, not earlier than asked for; WAIT_FAILED
 * Errors: ERROR_INVALID_HANDLE: also what is neither process nor thread;
 * ERROR_ACCESS_DENIED: no SYNCHRONIZE.
 */
WINBASEAPI DWORD WINAPI WaitForSingleObject(HANDLE hHandle, DWORD dwMilliseconds);

/**
 * WaitForSingleObjectEx() - the same, perhaps alertably
 * @bAlertable: TRUE: calls that QueueUserAPC() has queued for this thread, before
 *              or during the wait, end it; they are made, one after the other, all
 *              of them.  If the object has ended already that comes first
 *
 * For as long as an alertable wait for handles lasts, it may use one more descriptor.
 *
 * Return: as WaitForSingleObject(); WAIT_IO_COMPLETION: calls were made
 */
WINBASEAPI DWORD WINAPI WaitForSingleObjectEx(HANDLE hHandle, DWORD dwMilliseconds,
					      BOOL bAlertable);

/**
 * WaitForMultipleObjects() - wait for the end of one, or all, of up to 64
 * @nCount:     1 to MAXIMUM_WAIT_OBJECTS
 * @lpHandles:  processes and threads, mixed; with @bWaitAll none of them twice
 * @bWaitAll:   TRUE: until all have ended
 *
 * Return: WAIT_OBJECT_0 plus the lowest index of one that has ended (@bWaitAll:
 * WAIT_OBJECT_0); WAIT_TIMEOUT; WAIT_FAILED
 * Errors: as WaitForSingleObject(), of any of them; ERROR_INVALID_PARAMETER.
 */
WINBASEAPI DWORD WINAPI WaitForMultipleObjects(DWORD nCount, CONST HANDLE *lpHandles,
					       BOOL bWaitAll, DWORD dwMilliseconds);

/** WaitForMultipleObjectsEx() - the same, with @bAlertable as for WaitForSingleObjectEx() */
WINBASEAPI DWORD WINAPI WaitForMultipleObjectsEx(DWORD nCount, CONST HANDLE *lpHandles,
						 BOOL bWaitAll, DWORD dwMilliseconds,
						 BOOL bAlertable);

/** Sleep() - not less than so many milliseconds; 0: let others run; INFINITE: for ever */
WINBASEAPI VOID WINAPI Sleep(DWORD dwMilliseconds);

/**
 * SleepEx() - Sleep(), perhaps alertably (see WaitForSingleObjectEx())
 * Return: 0: the time is over; WAIT_IO_COMPLETION: calls were made
 */
WINBASEAPI DWORD WINAPI SleepEx(DWORD dwMilliseconds, BOOL bAlertable);

/**
 * QueueUserAPC() - let a thread make a call when it next waits alertably
 * @pfnAPC:  called with @dwData; it may end the thread, wait, and queue further calls
 * @hThread: THREAD_SET_CONTEXT; any thread, whoever made it
 *
 * First in, first out.  A thread that CreateThread() made and that does not run its function so far
 * (see CREATE_SUSPENDED) makes the calls before that.  A thread that ends makes none; the child of
 * a fork(2) has none.  No signal is sent: a thread that does not wait alertably is not disturbed.
 *
 * In another process @pfnAPC is an address there, and the process must have this library, loaded as
 * a shared one, whose waits make the calls; the library queues them on a thread made for that.
 *
 * Return: not 0; 0 on failure
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: no THREAD_SET_CONTEXT; ERROR_GEN_FAILURE: the
 * thread has ended; ERROR_INVALID_PARAMETER: no function; ERROR_NOT_ENOUGH_MEMORY; for another
 * process ERROR_NOT_SUPPORTED: it does not have the library; and what CreateRemoteThread() can fail
 * with.
 */
WINBASEAPI DWORD WINAPI QueueUserAPC(PAPCFUNC pfnAPC, HANDLE hThread, ULONG_PTR dwData);

/**
 * VirtualAllocEx() - reserve and commit memory of a process
 * @hProcess:         PROCESS_VM_OPERATION
 * @lpAddress:        NULL: anywhere, at a multiple of 64 KiB.  Otherwise rounded
 *                    down to 64 KiB to reserve, to a page to commit
 * @dwSize:           bytes; the end is rounded up to a page
 * @flAllocationType: MEM_RESERVE, MEM_COMMIT or both; MEM_COMMIT alone with
 *                    @lpAddress NULL reserves as well
 * @flProtect:        one of PAGE_NOACCESS, _READONLY, _READWRITE, _EXECUTE,
 *                    _EXECUTE_READ, _EXECUTE_READWRITE
 *
 * New pages are zero; pages that are committed already keep their contents.
 * A thread of the process is borrowed for the system calls, and found as it was;
 * a call that fails leaves nothing half.  If the caller is killed in the moment
 * between the mapping and what makes it a reservation, the pages can stay mapped
 * and be no reservation: nobody is harmed, and nobody can release them.
 *
 * A reservation is written down in a page of the process itself, right below it,
 * so every process that may work on this one knows of it, and so does a child of
 * fork(2).  Where something else is mapped right below a wanted @lpAddress, only
 * the caller's process knows.  Memory that was mapped in other ways, as guard
 * pages are, is never taken for a reservation.
 *
 * Return: the base of the pages, or NULL
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: the right, or a process that
 * has ended; ERROR_INVALID_PARAMETER: size, type or protection;
 * ERROR_INVALID_ADDRESS: in use already, or to commit: not within one
 * reservation of ours; ERROR_NOT_ENOUGH_MEMORY; else as CreateRemoteThread().
 */
WINBASEAPI LPVOID WINAPI VirtualAllocEx(HANDLE hProcess, LPVOID lpAddress, SIZE_T dwSize,
					DWORD flAllocationType, DWORD flProtect);

/**
 * VirtualFreeEx() - give memory of a process back
 * @dwSize:     MEM_RELEASE: 0.  MEM_DECOMMIT: bytes, whole pages of which lose
 *              their contents and stay reserved; 0: all of the reservation
 * @lpAddress:  MEM_RELEASE, or @dwSize 0: what VirtualAllocEx() returned
 * @dwFreeType: MEM_RELEASE or MEM_DECOMMIT
 *
 * What the process itself has mapped in the place of a reservation that it unmapped cannot be
 * told from the reservation, and is given back like that.
 *
 * Errors: as VirtualAllocEx(); ERROR_INVALID_ADDRESS: not reserved, or not its base.
 */
WINBASEAPI BOOL WINAPI VirtualFreeEx(HANDLE hProcess, LPVOID lpAddress, SIZE_T dwSize,
				     DWORD dwFreeType);

/**
 * VirtualProtectEx() - change the protection of committed pages
 * @hProcess:       PROCESS_VM_OPERATION
 * @dwSize:         bytes; all pages that have one of them are changed
 * @flNewProtect:   as for VirtualAllocEx()
 * @lpflOldProtect: what the first page had
 *
 * Works on all memory of the process, of libraries too, but not across the end
 * of a reservation.
 *
 * Errors: as VirtualAllocEx(); ERROR_INVALID_ADDRESS: one of the pages is reserved
 * or free, and none was changed; ERROR_NOACCESS: no place for the old protection;
 * ERROR_ACCESS_DENIED also: a shared mapping of a file that may not be written.
 */
WINBASEAPI BOOL WINAPI VirtualProtectEx(HANDLE hProcess, LPVOID lpAddress, SIZE_T dwSize,
					DWORD flNewProtect, PDWORD lpflOldProtect);

/**
 * VirtualQueryEx() - what is at an address of a process, and how far that goes
 * @hProcess: either query right
 * @dwLength: bytes of @lpBuffer, at least sizeof(MEMORY_BASIC_INFORMATION)
 *
 * From 0 on, adding RegionSize to BaseAddress, the whole address space is seen.
 * What VirtualAllocEx() made is told as it was made.  For the rest: a file of
 * which a part is executable is MEM_IMAGE, with its .bss, and its AllocationBase
 * is where it begins; other files and shared memory are MEM_MAPPED; all else is
 * MEM_PRIVATE, an allocation for each mapping, with the protection it has.  Pages
 * without access that are not our reservations, as guards, are MEM_COMMIT with
 * PAGE_NOACCESS.
 *
 * Return: how many bytes were written to @lpBuffer; 0 on failure
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: the right, the kernel's
 * access rules, or a process that has ended; ERROR_INVALID_PARAMETER: above what
 * a process can have; ERROR_BAD_LENGTH; ERROR_NOACCESS: no @lpBuffer.
 */
WINBASEAPI SIZE_T WINAPI VirtualQueryEx(HANDLE hProcess, LPCVOID lpAddress,
					PMEMORY_BASIC_INFORMATION lpBuffer, SIZE_T dwLength);

/** VirtualAlloc() - VirtualAllocEx() in GetCurrentProcess() */
WINBASEAPI LPVOID WINAPI VirtualAlloc(LPVOID lpAddress, SIZE_T dwSize, DWORD flAllocationType,
				      DWORD flProtect);
/** VirtualFree() - VirtualFreeEx() in GetCurrentProcess() */
WINBASEAPI BOOL WINAPI VirtualFree(LPVOID lpAddress, SIZE_T dwSize, DWORD dwFreeType);
/** VirtualProtect() - VirtualProtectEx() in GetCurrentProcess() */
WINBASEAPI BOOL WINAPI VirtualProtect(LPVOID lpAddress, SIZE_T dwSize, DWORD flNewProtect,
				      PDWORD lpflOldProtect);
/** VirtualQuery() - VirtualQueryEx() in GetCurrentProcess() */
WINBASEAPI SIZE_T WINAPI VirtualQuery(LPCVOID lpAddress, PMEMORY_BASIC_INFORMATION lpBuffer,
				      SIZE_T dwLength);

/**
 * FlushInstructionCache() - make code that was written be seen by whoever runs it
 * @hProcess:      PROCESS_VM_OPERATION
 * @lpBaseAddress: with @dwSize, which code; NULL: all
 *
 * The processors that we run on see to it by themselves; the call is there so that
 * a source need not know that, and checks its handle.
 *
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: the right, or a process that
 * has ended.
 */
WINBASEAPI BOOL WINAPI FlushInstructionCache(HANDLE hProcess, LPCVOID lpBaseAddress, SIZE_T dwSize);

/**
 * ReadProcessMemory() - copy memory out of a process
 * @hProcess:            PROCESS_VM_READ
 * @lpNumberOfBytesRead: may be NULL; how many bytes were copied, also on failure
 *
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: the right, or a process that
 * has ended; ERROR_PARTIAL_COPY: a part of it is not there; ERROR_NOACCESS:
 * @lpBuffer cannot be written.
 */
WINBASEAPI BOOL WINAPI ReadProcessMemory(HANDLE hProcess, LPCVOID lpBaseAddress, LPVOID lpBuffer,
					 SIZE_T nSize, SIZE_T *lpNumberOfBytesRead);

/**
 * WriteProcessMemory() - copy memory into a process
 * @hProcess:               PROCESS_VM_WRITE | PROCESS_VM_OPERATION
 * @lpNumberOfBytesWritten: may be NULL; how many bytes were copied, also on failure
 *
 * Executable memory that is read-only is written all the same, and stays
 * read-only, as for breakpoints; read-only data is not.
 *
 * Errors: as ReadProcessMemory(); ERROR_NOACCESS: read-only, or @lpBuffer cannot
 * be read.
 */
WINBASEAPI BOOL WINAPI WriteProcessMemory(HANDLE hProcess, LPVOID lpBaseAddress, LPCVOID lpBuffer,
					  SIZE_T nSize, SIZE_T *lpNumberOfBytesWritten);

#define MAX_PATH          260 /* of names in structures; longer ones are cut */
#define MAX_MODULE_NAME32 255

#define TH32CS_SNAPHEAPLIST 0x00000001u /* accepted; there are no heaps to be listed */
#define TH32CS_SNAPPROCESS  0x00000002u
#define TH32CS_SNAPTHREAD   0x00000004u
#define TH32CS_SNAPMODULE   0x00000008u
#define TH32CS_SNAPMODULE32 0x00000010u
#define TH32CS_SNAPALL                                                                             \
	(TH32CS_SNAPHEAPLIST | TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD | TH32CS_SNAPMODULE)
#define TH32CS_INHERIT 0x80000000u

/*
 * Names of files and processes are what their owners made them: bytes in the A
 * forms, which need not be UTF-8 and can hold newlines and escape sequences; in
 * the W forms U+FFFD stands for what is no character.
 */
typedef struct tagPROCESSENTRY32 {
	DWORD dwSize;   /* set it before ...First and ...Next */
	DWORD cntUsage; /* 0 */
	DWORD th32ProcessID;
	ULONG_PTR th32DefaultHeapID; /* 0 */
	DWORD th32ModuleID;          /* 0 */
	DWORD cntThreads;
	DWORD th32ParentProcessID; /* 0: none in this PID namespace */
	LONG pcPriClassBase;       /* from the nice value: 0 is 8, 19 is 1, -20 is 15 */
	DWORD dwFlags;             /* 0 */
	CHAR szExeFile[MAX_PATH];  /* without directory; up to 15 bytes if it may not be seen */
} PROCESSENTRY32, *PPROCESSENTRY32, *LPPROCESSENTRY32;

typedef struct tagPROCESSENTRY32W {
	DWORD dwSize;
	DWORD cntUsage;
	DWORD th32ProcessID;
	ULONG_PTR th32DefaultHeapID;
	DWORD th32ModuleID;
	DWORD cntThreads;
	DWORD th32ParentProcessID;
	LONG pcPriClassBase;
	DWORD dwFlags;
	WCHAR szExeFile[MAX_PATH];
} PROCESSENTRY32W, *PPROCESSENTRY32W, *LPPROCESSENTRY32W;

typedef struct tagTHREADENTRY32 {
	DWORD dwSize;
	DWORD cntUsage; /* 0 */
	DWORD th32ThreadID;
	DWORD th32OwnerProcessID;
	LONG tpBasePri;  /* as pcPriClassBase, of the thread; 16 and above: real time */
	LONG tpDeltaPri; /* 0 */
	DWORD dwFlags;   /* 0 */
} THREADENTRY32, *PTHREADENTRY32, *LPTHREADENTRY32;

typedef struct tagMODULEENTRY32 {
	DWORD dwSize;
	DWORD th32ModuleID; /* 1 */
	DWORD th32ProcessID;
	DWORD GlblcntUsage; /* 0xffff: loads are not counted here */
	DWORD ProccntUsage; /* the same */
	BYTE *modBaseAddr;  /* in its process */
	DWORD modBaseSize;  /* bytes, 0xffffffff if there are more */
	HMODULE hModule;    /* modBaseAddr */
	char szModule[MAX_MODULE_NAME32 + 1];
	char szExePath[MAX_PATH];
} MODULEENTRY32, *PMODULEENTRY32, *LPMODULEENTRY32;

typedef struct tagMODULEENTRY32W {
	DWORD dwSize;
	DWORD th32ModuleID;
	DWORD th32ProcessID;
	DWORD GlblcntUsage;
	DWORD ProccntUsage;
	BYTE *modBaseAddr;
	DWORD modBaseSize;
	HMODULE hModule;
	WCHAR szModule[MAX_MODULE_NAME32 + 1];
	WCHAR szExePath[MAX_PATH];
} MODULEENTRY32W, *PMODULEENTRY32W, *LPMODULEENTRY32W;

/**
 * CreateToolhelp32Snapshot() - a copy of what runs, or of what is loaded in a process
 * @dwFlags:       TH32CS_SNAPPROCESS: every process; TH32CS_SNAPTHREAD: every
 *                 thread of them all; TH32CS_SNAPMODULE: the modules of one
 *                 process; any of them together.  TH32CS_SNAPMODULE32 alone: those
 *                 of a 32-bit process, none of another; a process has one kind
 *                 only.  TH32CS_INHERIT: programs that the caller executes get it
 * @th32ProcessID: whose modules; 0: the caller's.  Without use for the others
 *
 * The copy does not change; what ends while it is made is left out, or in it as
 * a whole.  What has ended and waits for its parent is not in it.  It is one
 * handle, which is closed by CloseHandle() and has no rights.
 *
 * Modules are the executable, the libraries, the vDSO, and whatever else of a
 * file is mapped to be executed: each address of such code lies in one of them.
 *
 * Return: a handle, or INVALID_HANDLE_VALUE (not NULL)
 * Errors: ERROR_INVALID_PARAMETER: no such process, no flag or an unknown one;
 * ERROR_ACCESS_DENIED: the kernel's access rules, or a process of the kernel;
 * ERROR_TOO_MANY_OPEN_FILES; ERROR_NOT_ENOUGH_MEMORY.
 */
WINBASEAPI HANDLE WINAPI CreateToolhelp32Snapshot(DWORD dwFlags, DWORD th32ProcessID);

/**
 * Process32First() - the first process of a snapshot
 * @lppe: dwSize is at least the structure's size
 *
 * Each snapshot has one place for each of its three lists; ...First begins anew.
 * Several threads that call ...Next get each entry once.
 *
 * Errors: ERROR_INVALID_HANDLE: not a snapshot; ERROR_BAD_LENGTH: dwSize;
 * ERROR_NO_MORE_FILES: there are none, or none were asked for; ERROR_NOACCESS.
 */
WINBASEAPI BOOL WINAPI Process32First(HANDLE hSnapshot, LPPROCESSENTRY32 lppe);
/** Process32Next() - the next one; ERROR_NO_MORE_FILES: that was the last one; else as First */
WINBASEAPI BOOL WINAPI Process32Next(HANDLE hSnapshot, LPPROCESSENTRY32 lppe);
/** Process32FirstW() - the same with names in UTF-16 */
WINBASEAPI BOOL WINAPI Process32FirstW(HANDLE hSnapshot, LPPROCESSENTRY32W lppe);
WINBASEAPI BOOL WINAPI Process32NextW(HANDLE hSnapshot, LPPROCESSENTRY32W lppe);

/** Thread32First() - the first thread of a snapshot, of whatever process; as Process32First() */
WINBASEAPI BOOL WINAPI Thread32First(HANDLE hSnapshot, LPTHREADENTRY32 lpte);
WINBASEAPI BOOL WINAPI Thread32Next(HANDLE hSnapshot, LPTHREADENTRY32 lpte);

/** Module32First() - the first module, which is the executable; as Process32First() */
WINBASEAPI BOOL WINAPI Module32First(HANDLE hSnapshot, LPMODULEENTRY32 lpme);
WINBASEAPI BOOL WINAPI Module32Next(HANDLE hSnapshot, LPMODULEENTRY32 lpme);
WINBASEAPI BOOL WINAPI Module32FirstW(HANDLE hSnapshot, LPMODULEENTRY32W lpme);
WINBASEAPI BOOL WINAPI Module32NextW(HANDLE hSnapshot, LPMODULEENTRY32W lpme);

#define LIST_MODULES_DEFAULT 0x0u
#define LIST_MODULES_32BIT   0x1u
#define LIST_MODULES_64BIT   0x2u
#define LIST_MODULES_ALL     (LIST_MODULES_32BIT | LIST_MODULES_64BIT)

#define PROCESS_NAME_NATIVE 0x1u

typedef struct _MODULEINFO {
	LPVOID lpBaseOfDll;
	DWORD SizeOfImage; /* bytes, 0xffffffff if there are more */
	LPVOID EntryPoint; /* NULL: it has none, as most libraries */
} MODULEINFO, *LPMODULEINFO;

/**
 * EnumProcesses() - the ids of all processes that run
 * @cb:          bytes of @lpidProcess
 * @lpcbNeeded:  how many bytes were written; @cb if there may be more
 *
 * Errors: ERROR_NOACCESS: no place for them; ERROR_NOT_ENOUGH_MEMORY, ...
 */
WINBASEAPI BOOL WINAPI EnumProcesses(DWORD *lpidProcess, DWORD cb, LPDWORD lpcbNeeded);

/**
 * EnumProcessModules() - the modules of a process, the executable first
 * @hProcess:   PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, as for all that follow
 *              where nothing else is said
 * @lphModule:  an array of @cb bytes
 * @lpcbNeeded: the bytes that all of them take, also when @cb is less
 *
 * Modules are those of CreateToolhelp32Snapshot().
 *
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED: the rights, the kernel's
 * access rules, or a process that has ended; ERROR_NOACCESS.
 */
WINBASEAPI BOOL WINAPI EnumProcessModules(HANDLE hProcess, HMODULE *lphModule, DWORD cb,
					  LPDWORD lpcbNeeded);
/** EnumProcessModulesEx() - @dwFilterFlag: LIST_MODULES_...; of the other width there are none */
WINBASEAPI BOOL WINAPI EnumProcessModulesEx(HANDLE hProcess, HMODULE *lphModule, DWORD cb,
					    LPDWORD lpcbNeeded, DWORD dwFilterFlag);

/**
 * GetModuleInformation() - where a module begins, how long it is, where its code is entered
 * @hModule: NULL: the executable, as for all that follow
 * @cb:      the size of *@lpmodinfo
 *
 * Errors: as EnumProcessModules(); ERROR_INVALID_HANDLE: no such module there;
 * ERROR_INSUFFICIENT_BUFFER: @cb.
 */
WINBASEAPI BOOL WINAPI GetModuleInformation(HANDLE hProcess, HMODULE hModule,
					    LPMODULEINFO lpmodinfo, DWORD cb);

/**
 * GetModuleBaseNameA() - the name of a module, without directory
 * @nSize: characters that @lpBaseName has room for, the terminator included
 *
 * Return: how many characters were written, without the terminator; @nSize: what
 * was written was cut, between two characters, and is terminated; 0 on failure
 * Errors: as GetModuleInformation(); ERROR_INSUFFICIENT_BUFFER: no room at all.
 */
WINBASEAPI DWORD WINAPI GetModuleBaseNameA(HANDLE hProcess, HMODULE hModule, LPSTR lpBaseName,
					   DWORD nSize);
WINBASEAPI DWORD WINAPI GetModuleBaseNameW(HANDLE hProcess, HMODULE hModule, LPWSTR lpBaseName,
					   DWORD nSize);

/** GetModuleFileNameExA() - the path of a module's file; as GetModuleBaseNameA() */
WINBASEAPI DWORD WINAPI GetModuleFileNameExA(HANDLE hProcess, HMODULE hModule, LPSTR lpFilename,
					     DWORD nSize);
WINBASEAPI DWORD WINAPI GetModuleFileNameExW(HANDLE hProcess, HMODULE hModule, LPWSTR lpFilename,
					     DWORD nSize);

/**
 * GetProcessImageFileNameA() - the path of a process's executable, also when it was deleted
 * @hProcess: PROCESS_QUERY_INFORMATION or PROCESS_QUERY_LIMITED_INFORMATION
 * @nSize:    characters, the terminator included
 *
 * Return: how many characters, without the terminator; 0 on failure
 * Errors: ERROR_INVALID_HANDLE; ERROR_ACCESS_DENIED, as EnumProcessModules();
 * ERROR_INSUFFICIENT_BUFFER; ERROR_NOACCESS; ERROR_GEN_FAILURE: a process of the
 * kernel, which has none.
 */
WINBASEAPI DWORD WINAPI GetProcessImageFileNameA(HANDLE hProcess, LPSTR lpImageFileName,
						 DWORD nSize);
WINBASEAPI DWORD WINAPI GetProcessImageFileNameW(HANDLE hProcess, LPWSTR lpImageFileName,
						 DWORD nSize);

/**
 * QueryFullProcessImageNameA() - the same
 * @dwFlags:  0 or PROCESS_NAME_NATIVE: here there is one kind of paths
 * @lpdwSize: in: characters, the terminator included; out: without it
 *
 * Errors: as GetProcessImageFileNameA(); ERROR_INVALID_PARAMETER: @dwFlags.
 */
WINBASEAPI BOOL WINAPI QueryFullProcessImageNameA(HANDLE hProcess, DWORD dwFlags, LPSTR lpExeName,
						  PDWORD lpdwSize);
WINBASEAPI BOOL WINAPI QueryFullProcessImageNameW(HANDLE hProcess, DWORD dwFlags, LPWSTR lpExeName,
						  PDWORD lpdwSize);

/* As on Windows, UNICODE says what the names without a letter mean. */
#ifdef UNICODE
#define PROCESSENTRY32            PROCESSENTRY32W
#define PPROCESSENTRY32           PPROCESSENTRY32W
#define LPPROCESSENTRY32          LPPROCESSENTRY32W
#define Process32First            Process32FirstW
#define Process32Next             Process32NextW
#define MODULEENTRY32             MODULEENTRY32W
#define PMODULEENTRY32            PMODULEENTRY32W
#define LPMODULEENTRY32           LPMODULEENTRY32W
#define Module32First             Module32FirstW
#define Module32Next              Module32NextW
#define GetModuleBaseName         GetModuleBaseNameW
#define GetModuleFileNameEx       GetModuleFileNameExW
#define GetProcessImageFileName   GetProcessImageFileNameW
#define QueryFullProcessImageName QueryFullProcessImageNameW
#else
#define GetModuleBaseName         GetModuleBaseNameA
#define GetModuleFileNameEx       GetModuleFileNameExA
#define GetProcessImageFileName   GetProcessImageFileNameA
#define QueryFullProcessImageName QueryFullProcessImageNameA
#endif
/*
 * Modules.  A handle is the address where the module's first segment begins, in its process.
 *
 * GetModuleHandle("kernel32.dll") (or "kernelbase", "ntdll", "psapi"; in any case, with or without
 * extension or a directory of Windows) is where this library itself is, and GetProcAddress() finds
 * all functions of this header there.
 *
 * The address of one of LoadLibraryA(), LoadLibraryW(), FreeLibrary(), GetModuleHandleA(),
 * GetModuleHandleW(), ExitProcess(), ExitThread(), GetCurrentProcessId(), GetCurrentThreadId() and
 * Sleep() in the caller, however it was found, means the function to CreateRemoteThread() in any
 * other process, too, whatever that has at this address: what does the same there runs in its
 * place, by the target's own libc.  So the target need not know this library.  What is different:
 *   - A name (of LoadLibrary, GetModuleHandle) is read from the target when the thread is made, not
 *     when it is resumed.  Memory that is not there is the name of no library: exit code 0.
 *   - FreeLibrary() gives FALSE for a handle of no module, and TRUE for the program itself and for
 *     what it was linked with, which stay.  musl's dlclose() never unloads.
 *   - Without a libc that can be called: ERROR_NOT_SUPPORTED from CreateRemoteThread().
 */

/**
 * LoadLibraryA() - load a library, or count that it is wanted once more
 * @lpLibFileName: UTF-8.  With a directory: that file.  Without: searched for as dlopen(3) does;
 *                 a name that has no extension either gets ".so"
 *
 * Its constructors have run when the call returns.  As a thread function: the thread's exit code
 * is the low half of the handle, or 0.
 *
 * Return: the module, or NULL
 * Errors: ERROR_MOD_NOT_FOUND: no such file, or none that the loader takes;
 * ERROR_INVALID_PARAMETER: no name; ERROR_NOT_SUPPORTED: a program without a loader.
 */
WINBASEAPI HMODULE WINAPI LoadLibraryA(LPCSTR lpLibFileName);
/** LoadLibraryW() - LoadLibraryA() with a name of UTF-16 */
WINBASEAPI HMODULE WINAPI LoadLibraryW(LPCWSTR lpLibFileName);

#define LOAD_WITH_ALTERED_SEARCH_PATH 0x00000008u /* accepted; changes nothing */

/**
 * LoadLibraryExA() - LoadLibraryA()
 * @hFile:   NULL
 * @dwFlags: 0 or LOAD_WITH_ALTERED_SEARCH_PATH; else, ERROR_INVALID_PARAMETER
 */
WINBASEAPI HMODULE WINAPI LoadLibraryExA(LPCSTR lpLibFileName, HANDLE hFile, DWORD dwFlags);
/** LoadLibraryExW() - LoadLibraryExA() with a name of UTF-16 */
WINBASEAPI HMODULE WINAPI LoadLibraryExW(LPCWSTR lpLibFileName, HANDLE hFile, DWORD dwFlags);

/**
 * FreeLibrary() - give back what LoadLibrary() has counted; with the last one the library goes
 *
 * What the program itself needs stays, and so does this library.
 *
 * Errors: ERROR_MOD_NOT_FOUND: not the handle of a module.
 */
WINBASEAPI BOOL WINAPI FreeLibrary(HMODULE hLibModule);

/**
 * FreeLibraryAndExitThread() - FreeLibrary() and ExitThread(), also from a function of that library
 *
 * The library is given back when the thread has left all its functions.
 */
WINBASEAPI VOID WINAPI FreeLibraryAndExitThread(HMODULE hLibModule, DWORD dwExitCode)
	__attribute__((noreturn));

/**
 * GetModuleHandleA() - the handle of a module that is loaded already; it is not counted
 * @lpModuleName: UTF-8: a path, or a file's name, with or without ".so" and a version behind that;
 *                NULL: the program
 *
 * Return: the module, or NULL
 * Errors: ERROR_MOD_NOT_FOUND.
 */
WINBASEAPI HMODULE WINAPI GetModuleHandleA(LPCSTR lpModuleName);
/** GetModuleHandleW() - GetModuleHandleA() with a name of UTF-16 */
WINBASEAPI HMODULE WINAPI GetModuleHandleW(LPCWSTR lpModuleName);

/**
 * GetModuleFileNameA() - the path of a module's file, in UTF-8
 * @hModule: NULL: the program
 * @nSize:   bytes
 *
 * Return: how many were written, without the terminator; @nSize if the path was cut, between
 * characters, which sets ERROR_INSUFFICIENT_BUFFER; 0 on failure
 * Errors: ERROR_MOD_NOT_FOUND; ERROR_INVALID_PARAMETER: no place for the path.
 */
WINBASEAPI DWORD WINAPI GetModuleFileNameA(HMODULE hModule, LPSTR lpFilename, DWORD nSize);
/** GetModuleFileNameW() - the same in UTF-16; @nSize and the value in units of it */
WINBASEAPI DWORD WINAPI GetModuleFileNameW(HMODULE hModule, LPWSTR lpFilename, DWORD nSize);

/**
 * GetProcAddress() - the address of a function or variable that a module exports
 * @hModule:    NULL: the program
 * @lpProcName: its name; an ordinal number: ERROR_PROC_NOT_FOUND
 *
 * Only what the module has itself, not what it has from the libraries that it needs.
 *
 * Return: the address in the calling process, or NULL
 * Errors: ERROR_MOD_NOT_FOUND, ERROR_PROC_NOT_FOUND.
 */
WINBASEAPI FARPROC WINAPI GetProcAddress(HMODULE hModule, LPCSTR lpProcName);

#ifdef UNICODE
#define LoadLibrary       LoadLibraryW
#define LoadLibraryEx     LoadLibraryExW
#define GetModuleHandle   GetModuleHandleW
#define GetModuleFileName GetModuleFileNameW
#else
#define LoadLibrary       LoadLibraryA
#define LoadLibraryEx     LoadLibraryExA
#define GetModuleHandle   GetModuleHandleA
#define GetModuleFileName GetModuleFileNameA
#endif

#ifdef __cplusplus
}
#endif
#endif /* _WIN32 */
#endif /* TENDRIL_WIN32_H */
