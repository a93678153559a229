/* SPDX-License-Identifier: BSD-2-Clause */
/* pd.c - Performance Data Helper: queries, counters, values */
#include <tendril/pdh.h>

#include "test.h"

#define NAME_CHARS 256
#define ATTEMPTS   5

/* Its type has a sign in some headers, and the codes have none. */
#define STATUS(call) ((DWORD)(call))

static PDH_HQUERY query_open(void)
{
	PDH_HQUERY query = NULL;

	CHECK_EQ(STATUS(PdhOpenQueryA(NULL, 0, &query)), ERROR_SUCCESS);
	return query;
}

static PDH_HCOUNTER counter_add(PDH_HQUERY query, const char *path)
{
	PDH_HCOUNTER counter = NULL;

	CHECK_EQ(STATUS(PdhAddCounterA(query, path, 0, &counter)), ERROR_SUCCESS);
	return counter;
}

/* The items of a counter with *, to be freed; NULL is a failed check. */
static PDH_FMT_COUNTERVALUE_ITEM_A *array_of(PDH_HCOUNTER counter, DWORD *ret_n)
{
	DWORD bytes = 0, n = 0;
	PDH_FMT_COUNTERVALUE_ITEM_A *items = NULL;
	DWORD status = STATUS(
		PdhGetFormattedCounterArrayA(counter, PDH_FMT_LONG, &bytes, &n, NULL));

	if (CHECK_EQ(status, PDH_MORE_DATA))
		items = malloc(bytes);
	if (items && !CHECK_EQ(STATUS(PdhGetFormattedCounterArrayA(counter, PDH_FMT_LONG, &bytes,
								   &n, items)), ERROR_SUCCESS)) {
		free(items);
		return NULL;
	}
	*ret_n = n;
	return items;
}

/* "name#2", by the id; false is a failed check. */
static bool instance_of(DWORD id, char ret_name[NAME_CHARS])
{
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, "\\Process(*)\\ID Process");
	PDH_FMT_COUNTERVALUE_ITEM_A *items = NULL;
	DWORD n = 0;
	bool found = false;

	if (CHECK_EQ(STATUS(PdhCollectQueryData(query)), ERROR_SUCCESS))
		items = array_of(counter, &n);
	for (DWORD i = 0; items && i < n; i++) {
		if ((DWORD)items[i].FmtValue.longValue != id ||
		    items[i].FmtValue.CStatus != PDH_CSTATUS_VALID_DATA)
			continue;
		snprintf(ret_name, NAME_CHARS, "%s", items[i].szName);
		found = true;
	}
	free(items);
	CHECK_EQ(STATUS(PdhCloseQuery(query)), ERROR_SUCCESS);
	return CHECK(found);
}

static DWORD state_of(PDH_HCOUNTER counter)
{
	PDH_FMT_COUNTERVALUE value;

	memset(&value, 0x55, sizeof(value));
	(void)PdhGetFormattedCounterValue(counter, PDH_FMT_LONG, NULL, &value);
	return value.CStatus;
}

TEST(PD_01)
{
	PDH_HQUERY query = NULL, other = NULL;

	CHECK_EQ(STATUS(PdhOpenQueryA(NULL, 0, &query)), ERROR_SUCCESS);
	CHECK(query != NULL);
	CHECK_EQ(STATUS(PdhOpenQueryW(NULL, 0, &other)), ERROR_SUCCESS);
	CHECK(other != query);
	CHECK_EQ(STATUS(PdhOpenQueryA(NULL, 0, NULL)), PDH_INVALID_ARGUMENT);
	CHECK_EQ(STATUS(PdhCloseQuery(query)), ERROR_SUCCESS);
	CHECK_EQ(STATUS(PdhCloseQuery(other)), ERROR_SUCCESS);
}

TEST(PD_02)
{
	char name[NAME_CHARS], path[NAME_CHARS + 64];
	PDH_HQUERY query = query_open();

	if (instance_of(GetCurrentProcessId(), name)) {
		CHECK(!strpbrk(name, "./\\"));
		snprintf(path, sizeof(path), "\\Process(%s)\\Handle Count", name);
		CHECK(counter_add(query, path) != NULL);
		CHECK_EQ(STATUS(PdhValidatePathA(path)), ERROR_SUCCESS);
	}
	CHECK_EQ(STATUS(PdhCloseQuery(query)), ERROR_SUCCESS);
}

/* An instance of the target's name that is not there, and then is.  False: others of that name, which
 * are no business of ours, came or went in between. */
static bool see_instance_come(PDH_HQUERY query)
{
	char name[NAME_CHARS], path[NAME_CHARS + 64];
	struct target *target;
	PDH_HCOUNTER counter;
	unsigned int next = 0;
	DWORD before;

	if (!instance_of(shared->id, name))
		return false;
	name[strcspn(name, "#")] = '\0';
	do
		snprintf(path, sizeof(path), "\\Process(%s#%u)\\Handle Count", name, ++next);
	while (STATUS(PdhValidatePathA(path)) == ERROR_SUCCESS);
	counter = counter_add(query, path);
	CHECK_EQ(STATUS(PdhCollectQueryData(query)), ERROR_SUCCESS);
	before = state_of(counter);
	target = target_start();
	CHECK_EQ(STATUS(PdhCollectQueryData(query)), ERROR_SUCCESS);
	target_end(target);
	return before == PDH_CSTATUS_NO_INSTANCE && state_of(counter) == PDH_CSTATUS_VALID_DATA;
}

TEST(PD_02_to_come)
{
	PDH_HQUERY query = query_open();
	bool has_come = false;

	/* Without it, the answer would be that there is no data at all. */
	(void)counter_add(query, "\\System\\System Up Time");
	for (int i = 0; i < ATTEMPTS && !has_come; i++)
		has_come = see_instance_come(query);
	CHECK(has_come);
	CHECK_EQ(STATUS(PdhCloseQuery(query)), ERROR_SUCCESS);
}

/* Handle Count of the shared target.  Its instance has its id in the same collection, or it has moved
 * up meanwhile. */
static bool target_handles(DWORD format, PDH_FMT_COUNTERVALUE *ret_value)
{
	PDH_FMT_COUNTERVALUE id = { 0 };

	for (int i = 0; i < ATTEMPTS; i++) {
		char name[NAME_CHARS], path[NAME_CHARS + 64];
		PDH_HQUERY query = query_open();
		PDH_HCOUNTER counter = NULL, id_counter = NULL;

		if (instance_of(shared->id, name)) {
			snprintf(path, sizeof(path), "\\Process(%s)\\Handle Count", name);
			counter = counter_add(query, path);
			snprintf(path, sizeof(path), "\\Process(%s)\\ID Process", name);
			id_counter = counter_add(query, path);
		}
		CHECK_EQ(STATUS(PdhCollectQueryData(query)), ERROR_SUCCESS);
		(void)PdhGetFormattedCounterValue(id_counter, PDH_FMT_LONG, NULL, &id);
		CHECK_EQ(STATUS(PdhGetFormattedCounterValue(counter, format, NULL, ret_value)),
			 ERROR_SUCCESS);
		CHECK_EQ(STATUS(PdhCloseQuery(query)), ERROR_SUCCESS);
		if ((DWORD)id.longValue == shared->id)
			return true;
	}
	return CHECK((DWORD)id.longValue == shared->id);
}

TEST(PD_03)
{
	PDH_FMT_COUNTERVALUE value = { 0 };
	DWORD n = 0;

	REQUIRE(target_handles(PDH_FMT_LONG, &value));
	CHECK(GetProcessHandleCount(shared->process, &n));
	CHECK(n > 0);
	CHECK_EQ(value.longValue, n);
	CHECK_EQ(value.CStatus, PDH_CSTATUS_VALID_DATA);
}

TEST(PD_04)
{
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, "\\System\\System Up Time");
	PDH_FMT_COUNTERVALUE value = { 0 };
	DWORD type = 0;
	double seconds;

	CHECK_EQ(STATUS(PdhCollectQueryData(query)), ERROR_SUCCESS);
	CHECK_EQ(STATUS(PdhGetFormattedCounterValue(counter, PDH_FMT_DOUBLE, &type, &value)),
		 ERROR_SUCCESS);
	seconds = value.doubleValue;
	CHECK(seconds > 0);
	CHECK_EQ(value.CStatus, PDH_CSTATUS_VALID_DATA);
	CHECK_EQ(type, PERF_ELAPSED_TIME);
	CHECK_EQ(STATUS(PdhGetFormattedCounterValue(counter, PDH_FMT_LARGE, NULL, &value)),
		 ERROR_SUCCESS);
	CHECK_EQ(value.largeValue, (LONGLONG)seconds);
	CHECK_EQ(value.CStatus, PDH_CSTATUS_VALID_DATA);
	CHECK_EQ(STATUS(PdhGetFormattedCounterValue(counter, PDH_FMT_LONG | PDH_FMT_DOUBLE, NULL,
						    &value)), PDH_INVALID_ARGUMENT);
	CHECK_EQ(STATUS(PdhCloseQuery(query)), ERROR_SUCCESS);
}

TEST(PD_04_handles)
{
	PDH_FMT_COUNTERVALUE value = { 0 };
	DWORD n = 0;

	CHECK(GetProcessHandleCount(shared->process, &n));
	REQUIRE(target_handles(PDH_FMT_DOUBLE, &value));
	CHECK(value.doubleValue == n);
	REQUIRE(target_handles(PDH_FMT_LARGE, &value));
	CHECK_EQ(value.largeValue, n);
	CHECK_EQ(value.CStatus, PDH_CSTATUS_VALID_DATA);
}

TEST(PD_05)
{
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = NULL;
	PDH_FMT_COUNTERVALUE value;

	CHECK_EQ(STATUS(PdhCollectQueryData(query)), PDH_NO_DATA);
	CHECK_EQ(STATUS(PdhCollectQueryData(NULL)), PDH_INVALID_HANDLE);
	CHECK_EQ(STATUS(PdhCloseQuery(NULL)), PDH_INVALID_HANDLE);
	CHECK_EQ(STATUS(PdhGetFormattedCounterValue(NULL, PDH_FMT_LONG, NULL, &value)),
		 PDH_INVALID_HANDLE);
	CHECK_EQ(STATUS(PdhRemoveCounter(NULL)), PDH_INVALID_HANDLE);
	CHECK_EQ(STATUS(PdhAddCounterA(NULL, "\\System\\System Up Time", 0, &counter)),
		 PDH_INVALID_HANDLE);
	counter = counter_add(query, "\\System\\System Up Time");
	CHECK_EQ(STATUS(PdhGetFormattedCounterValue(counter, PDH_FMT_LONG, NULL, NULL)),
		 PDH_INVALID_ARGUMENT);
	/* One is not the other. */
	CHECK_EQ(STATUS(PdhCollectQueryData(counter)), PDH_INVALID_HANDLE);
	CHECK_EQ(STATUS(PdhRemoveCounter(query)), PDH_INVALID_HANDLE);
	CHECK_EQ(STATUS(PdhCloseQuery(query)), ERROR_SUCCESS);
}

TEST(PD_05_paths)
{
	static const struct {
		const char *path;
		DWORD status;
	} cases[] = {
		{ "\\System\\No Such Counter", PDH_CSTATUS_NO_COUNTER },
		{ "\\No Such Object\\System Up Time", PDH_CSTATUS_NO_OBJECT },
		{ "\\No Such Object(x)\\Handle Count", PDH_CSTATUS_NO_OBJECT },
		{ "System Up Time", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\System", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "\\System\\", PDH_CSTATUS_BAD_COUNTERNAME },
		{ "", PDH_CSTATUS_NO_COUNTERNAME },
	};
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = NULL;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!CHECK_EQ(STATUS(PdhAddCounterA(query, cases[i].path, 0, &counter)),
			      cases[i].status))
			test_note("    path '%s'", cases[i].path);
		CHECK(counter == NULL);
	}
	CHECK_EQ(STATUS(PdhAddCounterA(query, NULL, 0, &counter)), PDH_INVALID_ARGUMENT);
	CHECK_EQ(STATUS(PdhCollectQueryData(query)), PDH_NO_DATA);
	CHECK_EQ(STATUS(PdhCloseQuery(query)), ERROR_SUCCESS);
}

TEST(PD_06)
{
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER counter = counter_add(query, "\\System\\System Up Time"), other = NULL;
	PDH_FMT_COUNTERVALUE value;

	CHECK_EQ(STATUS(PdhCollectQueryData(query)), ERROR_SUCCESS);
	CHECK_EQ(STATUS(PdhCloseQuery(query)), ERROR_SUCCESS);
	CHECK_EQ(STATUS(PdhCloseQuery(query)), PDH_INVALID_HANDLE);
	CHECK_EQ(STATUS(PdhCollectQueryData(query)), PDH_INVALID_HANDLE);
	CHECK_EQ(STATUS(PdhAddCounterA(query, "\\System\\System Up Time", 0, &other)),
		 PDH_INVALID_HANDLE);
	CHECK_EQ(STATUS(PdhGetFormattedCounterValue(counter, PDH_FMT_LONG, NULL, &value)),
		 PDH_INVALID_HANDLE);
	CHECK_EQ(STATUS(PdhRemoveCounter(counter)), PDH_INVALID_HANDLE);
}

TEST(PD_06_removed)
{
	PDH_HQUERY query = query_open();
	PDH_HCOUNTER first = counter_add(query, "\\System\\System Up Time"),
		     second = counter_add(query, "\\System\\System Up Time");

	CHECK_EQ(STATUS(PdhRemoveCounter(first)), ERROR_SUCCESS);
	CHECK_EQ(STATUS(PdhRemoveCounter(first)), PDH_INVALID_HANDLE);
	CHECK_EQ(STATUS(PdhCollectQueryData(query)), ERROR_SUCCESS);
	CHECK_EQ(state_of(second), PDH_CSTATUS_VALID_DATA);
	CHECK_EQ(STATUS(PdhRemoveCounter(second)), ERROR_SUCCESS);
	CHECK_EQ(STATUS(PdhCollectQueryData(query)), PDH_NO_DATA);
	CHECK_EQ(STATUS(PdhCloseQuery(query)), ERROR_SUCCESS);
}
