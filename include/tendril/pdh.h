/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * pdh.h - Performance Data Helper: counters of processes by their paths
 *
 * A source that includes this header, and links with -lpdh on Windows and with
 * -ltendril-pdh here, asks the same questions on both systems.
 *
 * A path is \\computer\object(instance#index)\counter, in any case of letters.
 * The computer may be left out, and can only be this one.  The objects are:
 *
 *   Process   Handle Count, Handle Limit, Thread Count, Mapping Count,
 *             ID Process, Creating Process ID, Elapsed Time,
 *             % Processor Time, % User Time, % Privileged Time,
 *             Working Set, Private Bytes, Virtual Bytes, Page Faults/sec
 *   System    Processes, Threads, System Up Time (without instances)
 *
 * An instance of Process is the name of a process without ".exe"; of several
 * with one name, in the order of their ids, the second is name#1, the third
 * name#2.  When one ends, those behind it move up.  _Total is the sum of all.
 * What would not fit into a path is written otherwise: ( and ) as [ and ], and
 * \ / # * " , controls, broken UTF-8 and unseen characters as _; so is it where a
 * path is given.  A * in an instance of a path stands for any characters.
 *
 * Handle Count is what GetProcessHandleCount() tells.  Working Set is resident
 * memory, Virtual Bytes all mapped memory, Private Bytes what is mapped private and
 * writable.  Handle Limit and Mapping Count do not exist on Windows.
 *
 * Text is UTF-8 in functions that end in A, and UTF-16 in those that end in W.
 * Sizes of lists and paths are in characters, others in bytes; a size that is too
 * small, such as 0, is set to what is needed, and the answer is PDH_MORE_DATA.
 *
 * A function returns ERROR_SUCCESS or one of the codes below, or for want of
 * descriptors ERROR_TOO_MANY_OPEN_FILES; GetLastError() is left alone.  All may be
 * called by several threads at once.  A handle that was closed is never given
 * out again: PDH_INVALID_HANDLE.
 *
 * Not there: logs, other computers, dialogs, PdhCollectQueryDataEx(), the functions
 * that end in H, indices of names.
 */
#ifndef TENDRIL_PDH_H
#define TENDRIL_PDH_H

#ifdef _WIN32
#include <windows.h>
#include <pdh.h>
#include <pdhmsg.h>
#else

#include <tendril/win32.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef DWORD PDH_STATUS;
#define PDH_FUNCTION WINBASEAPI PDH_STATUS WINAPI

/** Neither is a handle of CloseHandle(). */
typedef HANDLE PDH_HQUERY;
typedef HANDLE PDH_HCOUNTER;

#define PDH_CVERSION_WIN50   0x0500u
#define PDH_MAX_COUNTER_NAME  1024
#define PDH_MAX_INSTANCE_NAME 1024
#define PDH_MAX_COUNTER_PATH  2048 /* in characters, with the NUL */
#define PDH_MAX_SCALE         7
#define PDH_MIN_SCALE         (-7)

/* The state of a value */
#define PDH_CSTATUS_VALID_DATA         0x00000000u
#define PDH_CSTATUS_NEW_DATA           0x00000001u
#define PDH_CSTATUS_NO_MACHINE         0x800007d0u /* another computer */
#define PDH_CSTATUS_NO_INSTANCE        0x800007d1u /* no such process now */
#define PDH_CSTATUS_ITEM_NOT_VALIDATED 0x800007d3u
#define PDH_CSTATUS_NO_OBJECT          0xc0000bb8u
#define PDH_CSTATUS_NO_COUNTER         0xc0000bb9u
#define PDH_CSTATUS_INVALID_DATA       0xc0000bbau /* not to be known, or not yet */
#define PDH_CSTATUS_NO_COUNTERNAME     0xc0000bbfu /* an empty path */
#define PDH_CSTATUS_BAD_COUNTERNAME    0xc0000bc0u /* no path at all */

/* Answers */
#define PDH_MORE_DATA                 0x800007d2u
#define PDH_RETRY                     0x800007d4u
#define PDH_NO_DATA                   0x800007d5u
#define PDH_CALC_NEGATIVE_DENOMINATOR 0x800007d6u
#define PDH_CALC_NEGATIVE_TIMEBASE    0x800007d7u
#define PDH_CALC_NEGATIVE_VALUE       0x800007d8u
#define PDH_MEMORY_ALLOCATION_FAILURE 0xc0000bbbu
#define PDH_INVALID_HANDLE            0xc0000bbcu
#define PDH_INVALID_ARGUMENT          0xc0000bbdu
#define PDH_FUNCTION_NOT_FOUND        0xc0000bbeu
#define PDH_INVALID_BUFFER            0xc0000bc1u
#define PDH_INSUFFICIENT_BUFFER       0xc0000bc2u
#define PDH_INVALID_PATH              0xc0000bc4u
#define PDH_INVALID_INSTANCE          0xc0000bc5u
#define PDH_INVALID_DATA              0xc0000bc6u
#define PDH_NOT_IMPLEMENTED           0xc0000bd3u
#define PDH_STRING_NOT_FOUND          0xc0000bd4u
#define PDH_ACCESS_DENIED             0xc0000bdbu

/* Formats: one of the first three, and any of the others that go together. */
#define PDH_FMT_LONG     0x00000100u /* 32 bits; what does not fit is the nearest that does */
#define PDH_FMT_DOUBLE   0x00000200u
#define PDH_FMT_LARGE    0x00000400u /* 64 bits */
#define PDH_FMT_NOSCALE  0x00001000u /* without PdhSetCounterScaleFactor() */
#define PDH_FMT_1000     0x00002000u /* times 1,000; not with PDH_FMT_NOSCALE */
#define PDH_FMT_NODATA   0x00004000u
#define PDH_FMT_NOCAP100 0x00008000u /* percentages above 100, when more than one CPU is busy */

/* Types of counters: how values are made of what is counted. */
#define PERF_COUNTER_RAWCOUNT       0x00010000u /* as it is */
#define PERF_COUNTER_LARGE_RAWCOUNT 0x00010100u
#define PERF_COUNTER_COUNTER        0x10410400u /* a second, of two collections */
#define PERF_100NSEC_TIMER          0x20510500u /* per cent of the time between two */
#define PERF_ELAPSED_TIME           0x30240500u /* seconds */

#define PERF_DETAIL_NOVICE   100
#define PERF_DETAIL_ADVANCED 200
#define PERF_DETAIL_EXPERT   300
#define PERF_DETAIL_WIZARD   400

/* What PdhExpandWildCardPath() shall leave as it is */
#define PDH_NOEXPANDCOUNTERS  1u
#define PDH_NOEXPANDINSTANCES 2u
#define PDH_REFRESHCOUNTERS   4u /* accepted: they always are fresh */

/** What was counted: a value, and for rates the time in units of 100 ns */
typedef struct _PDH_RAW_COUNTER {
	DWORD CStatus;
	FILETIME TimeStamp; /* of the collection, UTC */
	LONGLONG FirstValue;
	LONGLONG SecondValue;
	DWORD MultiCount;
} PDH_RAW_COUNTER, *PPDH_RAW_COUNTER;

typedef struct _PDH_RAW_COUNTER_ITEM_A {
	LPSTR szName;
	PDH_RAW_COUNTER RawValue;
} PDH_RAW_COUNTER_ITEM_A, *PPDH_RAW_COUNTER_ITEM_A;

typedef struct _PDH_RAW_COUNTER_ITEM_W {
	LPWSTR szName;
	PDH_RAW_COUNTER RawValue;
} PDH_RAW_COUNTER_ITEM_W, *PPDH_RAW_COUNTER_ITEM_W;

/** A value, and whether it is one */
typedef struct _PDH_FMT_COUNTERVALUE {
	DWORD CStatus;
	__extension__ union {
		LONG longValue;
		double doubleValue;
		LONGLONG largeValue;
		LPCSTR AnsiStringValue;
		LPCWSTR WideStringValue;
	};
} PDH_FMT_COUNTERVALUE, *PPDH_FMT_COUNTERVALUE;

typedef struct _PDH_FMT_COUNTERVALUE_ITEM_A {
	LPSTR szName;
	PDH_FMT_COUNTERVALUE FmtValue;
} PDH_FMT_COUNTERVALUE_ITEM_A, *PPDH_FMT_COUNTERVALUE_ITEM_A;

typedef struct _PDH_FMT_COUNTERVALUE_ITEM_W {
	LPWSTR szName;
	PDH_FMT_COUNTERVALUE FmtValue;
} PDH_FMT_COUNTERVALUE_ITEM_W, *PPDH_FMT_COUNTERVALUE_ITEM_W;

/** The parts of a path; NULL: not in it */
typedef struct _PDH_COUNTER_PATH_ELEMENTS_A {
	LPSTR szMachineName;
	LPSTR szObjectName;
	LPSTR szInstanceName;
	LPSTR szParentInstance;
	DWORD dwInstanceIndex;
	LPSTR szCounterName;
} PDH_COUNTER_PATH_ELEMENTS_A, *PPDH_COUNTER_PATH_ELEMENTS_A;

typedef struct _PDH_COUNTER_PATH_ELEMENTS_W {
	LPWSTR szMachineName;
	LPWSTR szObjectName;
	LPWSTR szInstanceName;
	LPWSTR szParentInstance;
	DWORD dwInstanceIndex;
	LPWSTR szCounterName;
} PDH_COUNTER_PATH_ELEMENTS_W, *PPDH_COUNTER_PATH_ELEMENTS_W;

typedef struct _PDH_COUNTER_INFO_A {
	DWORD dwLength; /* of all of it, in bytes */
	DWORD dwType;
	DWORD CVersion;
	DWORD CStatus;
	LONG lScale;
	LONG lDefaultScale;
	DWORD_PTR dwUserData;
	DWORD_PTR dwQueryUserData;
	LPSTR szFullPath;
	__extension__ union {
		PDH_COUNTER_PATH_ELEMENTS_A CounterPath;
		__extension__ struct {
			LPSTR szMachineName;
			LPSTR szObjectName;
			LPSTR szInstanceName;
			LPSTR szParentInstance;
			DWORD dwInstanceIndex;
			LPSTR szCounterName;
		};
	};
	LPSTR szExplainText;
	DWORD DataBuffer[1];
} PDH_COUNTER_INFO_A, *PPDH_COUNTER_INFO_A;

typedef struct _PDH_COUNTER_INFO_W {
	DWORD dwLength;
	DWORD dwType;
	DWORD CVersion;
	DWORD CStatus;
	LONG lScale;
	LONG lDefaultScale;
	DWORD_PTR dwUserData;
	DWORD_PTR dwQueryUserData;
	LPWSTR szFullPath;
	__extension__ union {
		PDH_COUNTER_PATH_ELEMENTS_W CounterPath;
		__extension__ struct {
			LPWSTR szMachineName;
			LPWSTR szObjectName;
			LPWSTR szInstanceName;
			LPWSTR szParentInstance;
			DWORD dwInstanceIndex;
			LPWSTR szCounterName;
		};
	};
	LPWSTR szExplainText;
	DWORD DataBuffer[1];
} PDH_COUNTER_INFO_W, *PPDH_COUNTER_INFO_W;

/**
 * PdhOpenQuery() - a new query, without counters
 * @szDataSource: NULL, what is now; a log: PDH_NOT_IMPLEMENTED
 * @dwUserData:   for PdhGetCounterInfo()
 * Errors: PDH_INVALID_ARGUMENT, PDH_MEMORY_ALLOCATION_FAILURE
 */
PDH_FUNCTION PdhOpenQueryA(LPCSTR szDataSource, DWORD_PTR dwUserData, PDH_HQUERY *phQuery);
PDH_FUNCTION PdhOpenQueryW(LPCWSTR szDataSource, DWORD_PTR dwUserData, PDH_HQUERY *phQuery);

/** PdhCloseQuery() - end a query; its counters' handles end with it */
PDH_FUNCTION PdhCloseQuery(PDH_HQUERY hQuery);

/**
 * PdhAddCounter() - add a counter to a query
 * @szFullCounterPath: an instance need not be there yet; with a * in it, see
 *                     PdhGetFormattedCounterArray()
 * @dwUserData:        for PdhGetCounterInfo()
 *
 * PdhAddEnglishCounter() is the same: names are English here.
 *
 * Errors: PDH_INVALID_HANDLE, PDH_INVALID_ARGUMENT, PDH_CSTATUS_NO_COUNTERNAME,
 * PDH_CSTATUS_BAD_COUNTERNAME, PDH_CSTATUS_NO_MACHINE, PDH_CSTATUS_NO_OBJECT,
 * PDH_CSTATUS_NO_COUNTER, PDH_CSTATUS_NO_INSTANCE (the object has instances and the
 * path none, or the other way round), PDH_MEMORY_ALLOCATION_FAILURE
 */
PDH_FUNCTION PdhAddCounterA(PDH_HQUERY hQuery, LPCSTR szFullCounterPath, DWORD_PTR dwUserData,
			    PDH_HCOUNTER *phCounter);
PDH_FUNCTION PdhAddCounterW(PDH_HQUERY hQuery, LPCWSTR szFullCounterPath, DWORD_PTR dwUserData,
			    PDH_HCOUNTER *phCounter);
PDH_FUNCTION PdhAddEnglishCounterA(PDH_HQUERY hQuery, LPCSTR szFullCounterPath,
				   DWORD_PTR dwUserData, PDH_HCOUNTER *phCounter);
PDH_FUNCTION PdhAddEnglishCounterW(PDH_HQUERY hQuery, LPCWSTR szFullCounterPath,
				   DWORD_PTR dwUserData, PDH_HCOUNTER *phCounter);

/** PdhRemoveCounter() - take a counter out of its query */
PDH_FUNCTION PdhRemoveCounter(PDH_HCOUNTER hCounter);

/**
 * PdhCollectQueryData() - look at all processes once, and note the values of all counters
 * Errors: PDH_INVALID_HANDLE; PDH_NO_DATA: no counters, or a single one whose
 * instance is not there (which is noted); PDH_MEMORY_ALLOCATION_FAILURE; others.
 * After an error of the last kinds the values are those of before.
 */
PDH_FUNCTION PdhCollectQueryData(PDH_HQUERY hQuery);
/** PdhCollectQueryDataWithTime() - the same; @pllTimeStamp: when, as a FILETIME */
PDH_FUNCTION PdhCollectQueryDataWithTime(PDH_HQUERY hQuery, LONGLONG *pllTimeStamp);

/**
 * PdhGetFormattedCounterValue() - the value at the last collection
 * @dwFormat:  PDH_FMT_...
 * @lpdwType:  its type, PERF_...; may be NULL
 * @pValue:    value and CStatus.  CStatus is written also with PDH_INVALID_DATA
 *
 * Rates and percentages need two collections that saw the same process.
 *
 * Errors: PDH_INVALID_HANDLE; PDH_INVALID_ARGUMENT (also: the path has a *);
 * PDH_INVALID_DATA: CStatus says why there is none; PDH_CALC_NEGATIVE_VALUE: a sum
 * has become less, as some of its processes have ended
 */
PDH_FUNCTION PdhGetFormattedCounterValue(PDH_HCOUNTER hCounter, DWORD dwFormat, LPDWORD lpdwType,
					 PPDH_FMT_COUNTERVALUE pValue);

/** PdhGetRawCounterValue() - what was counted; why there is nothing, CStatus alone says */
PDH_FUNCTION PdhGetRawCounterValue(PDH_HCOUNTER hCounter, LPDWORD lpdwType,
				   PPDH_RAW_COUNTER pValue);

/**
 * PdhGetFormattedCounterArray() - the values of all instances that a path with * stands for
 * @lpdwBufferSize: in bytes: the items, and their names behind them
 * @lpdwItemCount:  how many there are
 *
 * Of each item CStatus says whether its value is one.
 *
 * Errors: as PdhGetFormattedCounterValue(); PDH_MORE_DATA
 */
PDH_FUNCTION PdhGetFormattedCounterArrayA(PDH_HCOUNTER hCounter, DWORD dwFormat,
					  LPDWORD lpdwBufferSize, LPDWORD lpdwItemCount,
					  PPDH_FMT_COUNTERVALUE_ITEM_A ItemBuffer);
PDH_FUNCTION PdhGetFormattedCounterArrayW(PDH_HCOUNTER hCounter, DWORD dwFormat,
					  LPDWORD lpdwBufferSize, LPDWORD lpdwItemCount,
					  PPDH_FMT_COUNTERVALUE_ITEM_W ItemBuffer);
/** PdhGetRawCounterArray() - the same with what was counted */
PDH_FUNCTION PdhGetRawCounterArrayA(PDH_HCOUNTER hCounter, LPDWORD lpdwBufferSize,
				    LPDWORD lpdwItemCount, PPDH_RAW_COUNTER_ITEM_A ItemBuffer);
PDH_FUNCTION PdhGetRawCounterArrayW(PDH_HCOUNTER hCounter, LPDWORD lpdwBufferSize,
				    LPDWORD lpdwItemCount, PPDH_RAW_COUNTER_ITEM_W ItemBuffer);

/**
 * PdhCalculateCounterFromRawValue() - a value from one or two that were counted
 * @rawValue1: the newer
 * @rawValue2: the older; NULL where one is enough
 * Errors: PDH_INVALID_HANDLE, PDH_INVALID_ARGUMENT, PDH_INVALID_DATA, PDH_CALC_NEGATIVE_...
 */
PDH_FUNCTION PdhCalculateCounterFromRawValue(PDH_HCOUNTER hCounter, DWORD dwFormat,
					     PPDH_RAW_COUNTER rawValue1,
					     PPDH_RAW_COUNTER rawValue2,
					     PPDH_FMT_COUNTERVALUE fmtValue);

/** PdhSetCounterScaleFactor() - multiply formatted values by 10 to the power of @lFactor, -7 to 7 */
PDH_FUNCTION PdhSetCounterScaleFactor(PDH_HCOUNTER hCounter, LONG lFactor);

/**
 * PdhGetCounterInfo() - path, type and state of a counter
 * @bRetrieveExplainText: also szExplainText, one sentence; otherwise it is NULL
 * @pdwBufferSize:        in bytes: the structure, and the texts behind it
 * Errors: PDH_INVALID_HANDLE, PDH_INVALID_ARGUMENT, PDH_MORE_DATA
 */
PDH_FUNCTION PdhGetCounterInfoA(PDH_HCOUNTER hCounter, BOOLEAN bRetrieveExplainText,
				LPDWORD pdwBufferSize, PPDH_COUNTER_INFO_A lpBuffer);
PDH_FUNCTION PdhGetCounterInfoW(PDH_HCOUNTER hCounter, BOOLEAN bRetrieveExplainText,
				LPDWORD pdwBufferSize, PPDH_COUNTER_INFO_W lpBuffer);

/**
 * PdhExpandWildCardPath() - the paths, with computer, that a path with * stands for now
 * @mszExpandedPathList: each with its NUL, and one more NUL at the end
 * @dwFlags:             PDH_NOEXPANDCOUNTERS, PDH_NOEXPANDINSTANCES: leave that * as it is
 *
 * In object, instance and counter; a path without * is one path, whether there is
 * such an instance or not.
 *
 * Errors: PDH_MORE_DATA, PDH_INVALID_ARGUMENT, those of paths (PDH_CSTATUS_...),
 * PDH_NOT_IMPLEMENTED: a log
 */
PDH_FUNCTION PdhExpandWildCardPathA(LPCSTR szDataSource, LPCSTR szWildCardPath,
				    LPSTR mszExpandedPathList, LPDWORD pcchPathListLength,
				    DWORD dwFlags);
PDH_FUNCTION PdhExpandWildCardPathW(LPCWSTR szDataSource, LPCWSTR szWildCardPath,
				    LPWSTR mszExpandedPathList, LPDWORD pcchPathListLength,
				    DWORD dwFlags);

/**
 * PdhEnumObjects() - the names of all objects
 * @szMachineName: NULL or this one: PDH_CSTATUS_NO_MACHINE
 */
PDH_FUNCTION PdhEnumObjectsA(LPCSTR szDataSource, LPCSTR szMachineName, LPSTR mszObjectList,
			     LPDWORD pcchBufferSize, DWORD dwDetailLevel, BOOL bRefresh);
PDH_FUNCTION PdhEnumObjectsW(LPCWSTR szDataSource, LPCWSTR szMachineName, LPWSTR mszObjectList,
			     LPDWORD pcchBufferSize, DWORD dwDetailLevel, BOOL bRefresh);

/**
 * PdhEnumObjectItems() - the names of an object's counters, and of its instances
 * @mszInstanceList: without #index, so a name can be there several times; length 0
 *                   when the object has no instances
 * Errors: PDH_MORE_DATA, PDH_INVALID_ARGUMENT, PDH_CSTATUS_NO_OBJECT, PDH_CSTATUS_NO_MACHINE
 */
PDH_FUNCTION PdhEnumObjectItemsA(LPCSTR szDataSource, LPCSTR szMachineName, LPCSTR szObjectName,
				 LPSTR mszCounterList, LPDWORD pcchCounterListLength,
				 LPSTR mszInstanceList, LPDWORD pcchInstanceListLength,
				 DWORD dwDetailLevel, DWORD dwFlags);
PDH_FUNCTION PdhEnumObjectItemsW(LPCWSTR szDataSource, LPCWSTR szMachineName, LPCWSTR szObjectName,
				 LPWSTR mszCounterList, LPDWORD pcchCounterListLength,
				 LPWSTR mszInstanceList, LPDWORD pcchInstanceListLength,
				 DWORD dwDetailLevel, DWORD dwFlags);

/** PdhValidatePath() - is there such a counter, and now such an instance? Errors: as PdhAddCounter() */
PDH_FUNCTION PdhValidatePathA(LPCSTR szFullPathBuffer);
PDH_FUNCTION PdhValidatePathW(LPCWSTR szFullPathBuffer);

/**
 * PdhParseCounterPath() - a path into its parts, whether there is such a counter or not
 * @pdwBufferSize: in bytes: the structure, and the texts behind it
 * @dwFlags:       0
 *
 * The computer, which is this one when the path has none, is told with its \\.
 * The index is 0 when the path has none.
 *
 * Errors: PDH_MORE_DATA, PDH_INVALID_ARGUMENT, PDH_CSTATUS_BAD_COUNTERNAME, ...
 */
PDH_FUNCTION PdhParseCounterPathA(LPCSTR szFullPathBuffer,
				  PPDH_COUNTER_PATH_ELEMENTS_A pCounterPathElements,
				  LPDWORD pdwBufferSize, DWORD dwFlags);
PDH_FUNCTION PdhParseCounterPathW(LPCWSTR szFullPathBuffer,
				  PPDH_COUNTER_PATH_ELEMENTS_W pCounterPathElements,
				  LPDWORD pdwBufferSize, DWORD dwFlags);

/**
 * PdhMakeCounterPath() - a path from its parts
 * @pCounterPathElements: object and counter must be there; the computer with its \\
 *                        or without; an index of 0 or (DWORD)-1 is not written
 * @dwFlags:              0
 * Errors: PDH_MORE_DATA, PDH_INVALID_ARGUMENT
 */
PDH_FUNCTION PdhMakeCounterPathA(PPDH_COUNTER_PATH_ELEMENTS_A pCounterPathElements,
				 LPSTR szFullPathBuffer, LPDWORD pcchBufferSize, DWORD dwFlags);
PDH_FUNCTION PdhMakeCounterPathW(PPDH_COUNTER_PATH_ELEMENTS_W pCounterPathElements,
				 LPWSTR szFullPathBuffer, LPDWORD pcchBufferSize, DWORD dwFlags);

/* As on Windows: the name without a letter is one of the two. */
#ifdef UNICODE
#define TENDRIL_PDH_NAME(name) name##W
typedef PDH_FMT_COUNTERVALUE_ITEM_W PDH_FMT_COUNTERVALUE_ITEM, *PPDH_FMT_COUNTERVALUE_ITEM;
typedef PDH_RAW_COUNTER_ITEM_W PDH_RAW_COUNTER_ITEM, *PPDH_RAW_COUNTER_ITEM;
typedef PDH_COUNTER_PATH_ELEMENTS_W PDH_COUNTER_PATH_ELEMENTS, *PPDH_COUNTER_PATH_ELEMENTS;
typedef PDH_COUNTER_INFO_W PDH_COUNTER_INFO, *PPDH_COUNTER_INFO;
#else
#define TENDRIL_PDH_NAME(name) name##A
typedef PDH_FMT_COUNTERVALUE_ITEM_A PDH_FMT_COUNTERVALUE_ITEM, *PPDH_FMT_COUNTERVALUE_ITEM;
typedef PDH_RAW_COUNTER_ITEM_A PDH_RAW_COUNTER_ITEM, *PPDH_RAW_COUNTER_ITEM;
typedef PDH_COUNTER_PATH_ELEMENTS_A PDH_COUNTER_PATH_ELEMENTS, *PPDH_COUNTER_PATH_ELEMENTS;
typedef PDH_COUNTER_INFO_A PDH_COUNTER_INFO, *PPDH_COUNTER_INFO;
#endif
#define PdhOpenQuery                TENDRIL_PDH_NAME(PdhOpenQuery)
#define PdhAddCounter               TENDRIL_PDH_NAME(PdhAddCounter)
#define PdhAddEnglishCounter        TENDRIL_PDH_NAME(PdhAddEnglishCounter)
#define PdhGetFormattedCounterArray TENDRIL_PDH_NAME(PdhGetFormattedCounterArray)
#define PdhGetRawCounterArray       TENDRIL_PDH_NAME(PdhGetRawCounterArray)
#define PdhGetCounterInfo           TENDRIL_PDH_NAME(PdhGetCounterInfo)
#define PdhExpandWildCardPath       TENDRIL_PDH_NAME(PdhExpandWildCardPath)
#define PdhEnumObjects              TENDRIL_PDH_NAME(PdhEnumObjects)
#define PdhEnumObjectItems          TENDRIL_PDH_NAME(PdhEnumObjectItems)
#define PdhValidatePath             TENDRIL_PDH_NAME(PdhValidatePath)
#define PdhParseCounterPath         TENDRIL_PDH_NAME(PdhParseCounterPath)
#define PdhMakeCounterPath          TENDRIL_PDH_NAME(PdhMakeCounterPath)

#ifdef __cplusplus
}
#endif

#endif /* _WIN32 */
#endif /* TENDRIL_PDH_H */
