/* SPDX-License-Identifier: BSD-2-Clause */
/* value.c - from what was counted to what is told */
#include "pdh/pdh_internal.h"

#define KINDS	(PDH_FMT_LONG | PDH_FMT_DOUBLE | PDH_FMT_LARGE)
#define FORMATS (KINDS | PDH_FMT_NOSCALE | PDH_FMT_1000 | PDH_FMT_NOCAP100)

/* Formulas */

static bool is_rate(DWORD type)
{
	return type == PERF_COUNTER_COUNTER || type == PERF_100NSEC_TIMER;
}

static DWORD rate_of(DWORD type, const PDH_RAW_COUNTER *now, const PDH_RAW_COUNTER *before,
		     double *ret_value)
{
	LONGLONG value, time;

	if (!before || before->CStatus != PDH_CSTATUS_VALID_DATA ||
	    __builtin_sub_overflow(now->FirstValue, before->FirstValue, &value) ||
	    __builtin_sub_overflow(now->SecondValue, before->SecondValue, &time))
		return PDH_CSTATUS_INVALID_DATA;
	if (value < 0)
		return PDH_CALC_NEGATIVE_VALUE;
	if (time <= 0)
		return time ? PDH_CALC_NEGATIVE_TIMEBASE : PDH_CSTATUS_INVALID_DATA;
	*ret_value = (double)value / (double)time *
		     (type == PERF_100NSEC_TIMER ? 100.0 : (double)TICKS_PER_S);
	return PDH_CSTATUS_VALID_DATA;
}

static DWORD value_of(DWORD type, const PDH_RAW_COUNTER *now, const PDH_RAW_COUNTER *before,
		      double *ret_value)
{
	if (now->CStatus != PDH_CSTATUS_VALID_DATA && now->CStatus != PDH_CSTATUS_NEW_DATA)
		return now->CStatus;
	if (is_rate(type))
		return rate_of(type, now, before, ret_value);
	*ret_value = type == PERF_ELAPSED_TIME ?
			     ((double)now->SecondValue - (double)now->FirstValue) / TICKS_PER_S :
			     (double)now->FirstValue;
	return PDH_CSTATUS_VALID_DATA;
}

/* Formats */

static bool is_format(DWORD format)
{
	DWORD kind = format & KINDS;

	return !(format & ~FORMATS) && kind && !(kind & (kind - 1)) &&
	       (format & (PDH_FMT_NOSCALE | PDH_FMT_1000)) != (PDH_FMT_NOSCALE | PDH_FMT_1000);
}

/* The nearest that there is; a cast of what does not fit is undefined. */
static LONGLONG to_integer(double value, LONGLONG least, LONGLONG most)
{
	if (!(value > (double)least))
		return least;
	return value < (double)most ? (LONGLONG)value : most;
}

/* Without a library for it: pow() is all that would be used. */
static double scaled(double value, LONG scale)
{
	for (; scale > 0; scale--)
		value *= 10;
	for (; scale < 0; scale++)
		value /= 10;
	return value;
}

/* Type and scale of what is formatted. */
struct how {
	DWORD type, format;
	LONG scale;
};

static void write_value(const struct how *how, const PDH_RAW_COUNTER *now, double value,
			PDH_FMT_COUNTERVALUE *ret_value)
{
	bool is_scaled = how->format & PDH_FMT_1000 ||
			 (how->scale && !(how->format & PDH_FMT_NOSCALE));

	if (how->type == PERF_100NSEC_TIMER && !(how->format & PDH_FMT_NOCAP100) && value > 100)
		value = 100;
	if (how->scale && !(how->format & PDH_FMT_NOSCALE))
		value = scaled(value, how->scale);
	if (how->format & PDH_FMT_1000)
		value *= 1000;
	if (how->format & PDH_FMT_DOUBLE)
		ret_value->doubleValue = value;
	else if (how->format & PDH_FMT_LONG)
		ret_value->longValue = (LONG)to_integer(value, INT32_MIN, INT32_MAX);
	else if (is_scaled || is_rate(how->type) || how->type == PERF_ELAPSED_TIME)
		ret_value->largeValue = to_integer(value, INT64_MIN, INT64_MAX);
	else /* a double has not all of its digits */
		ret_value->largeValue = now->FirstValue;
}

static PDH_STATUS format_value(const struct how *how, const PDH_RAW_COUNTER *now,
			       const PDH_RAW_COUNTER *before, PDH_FMT_COUNTERVALUE *ret_value)
{
	double value = 0;
	DWORD status = value_of(how->type, now, before, &value);

	memset(ret_value, 0, sizeof(*ret_value));
	ret_value->CStatus = status;
	if (status == PDH_CSTATUS_VALID_DATA)
		write_value(how, now, value, ret_value);
	if (status >= PDH_CALC_NEGATIVE_DENOMINATOR && status <= PDH_CALC_NEGATIVE_VALUE)
		return status;
	return status == PDH_CSTATUS_VALID_DATA ? ERROR_SUCCESS : PDH_INVALID_DATA;
}

static struct how how_of(const struct counter *counter, DWORD format)
{
	return (struct how){ counter->info->type, format, counter->scale };
}

/* Of a counter */

/* The same process at the collection before; another one's value would make nonsense of a rate. */
static const PDH_RAW_COUNTER *value_before(const struct counter *counter, const struct item *now)
{
	size_t low = 0, high = counter->before.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (counter->before.item[middle].pid < now->pid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == counter->before.n || counter->before.item[low].pid != now->pid ||
	    counter->before.item[low].start_ticks != now->start_ticks)
		return NULL;
	return &counter->before.item[low].raw;
}

static PDH_RAW_COUNTER raw_of(const struct counter *counter)
{
	PDH_RAW_COUNTER none = { .CStatus = counter->was_collected ? PDH_CSTATUS_NO_INSTANCE :
								     PDH_CSTATUS_INVALID_DATA };

	return counter->now.n ? counter->now.item[0].raw : none;
}

PDH_FUNCTION PdhGetFormattedCounterValue(PDH_HCOUNTER hCounter, DWORD dwFormat, LPDWORD lpdwType,
					 PPDH_FMT_COUNTERVALUE pValue)
{
	AUTO_USE struct counter_use use = { 0 };
	const PDH_RAW_COUNTER *before = NULL;
	PDH_RAW_COUNTER now;
	PDH_STATUS status;
	struct how how;

	if (!pValue || !is_format(dwFormat))
		return PDH_INVALID_ARGUMENT;
	status = counter_use(hCounter, &use);
	if (status != ERROR_SUCCESS)
		return status;
	if (use.counter->has_wildcard)
		return PDH_INVALID_ARGUMENT;
	if (lpdwType)
		*lpdwType = use.counter->info->type;
	now = raw_of(use.counter);
	if (use.counter->now.n)
		before = value_before(use.counter, &use.counter->now.item[0]);
	how = how_of(use.counter, dwFormat);
	return format_value(&how, &now, before, pValue);
}

PDH_FUNCTION PdhGetRawCounterValue(PDH_HCOUNTER hCounter, LPDWORD lpdwType, PPDH_RAW_COUNTER pValue)
{
	AUTO_USE struct counter_use use = { 0 };
	PDH_STATUS status;

	if (!pValue)
		return PDH_INVALID_ARGUMENT;
	status = counter_use(hCounter, &use);
	if (status != ERROR_SUCCESS)
		return status;
	if (use.counter->has_wildcard)
		return PDH_INVALID_ARGUMENT;
	if (lpdwType)
		*lpdwType = use.counter->info->type;
	*pValue = raw_of(use.counter);
	return ERROR_SUCCESS;
}

PDH_FUNCTION PdhCalculateCounterFromRawValue(PDH_HCOUNTER hCounter, DWORD dwFormat,
					     PPDH_RAW_COUNTER rawValue1,
					     PPDH_RAW_COUNTER rawValue2,
					     PPDH_FMT_COUNTERVALUE fmtValue)
{
	AUTO_USE struct counter_use use = { 0 };
	PDH_STATUS status;
	struct how how;

	if (!fmtValue || !rawValue1 || !is_format(dwFormat))
		return PDH_INVALID_ARGUMENT;
	status = counter_use(hCounter, &use);
	if (status != ERROR_SUCCESS)
		return status;
	how = how_of(use.counter, dwFormat);
	return format_value(&how, rawValue1, rawValue2, fmtValue);
}

PDH_FUNCTION PdhSetCounterScaleFactor(PDH_HCOUNTER hCounter, LONG lFactor)
{
	AUTO_USE struct counter_use use = { 0 };
	PDH_STATUS status = counter_use(hCounter, &use);

	if (status != ERROR_SUCCESS)
		return status;
	if (lFactor < PDH_MIN_SCALE || lFactor > PDH_MAX_SCALE)
		return PDH_INVALID_ARGUMENT;
	use.counter->scale = lFactor;
	return ERROR_SUCCESS;
}

/* Arrays: items first, names behind them.  Those with UTF-16 differ in what szName points to only. */

_Static_assert(sizeof(PDH_FMT_COUNTERVALUE_ITEM_A) == sizeof(PDH_FMT_COUNTERVALUE_ITEM_W), "alike");
_Static_assert(sizeof(PDH_RAW_COUNTER_ITEM_A) == sizeof(PDH_RAW_COUNTER_ITEM_W), "alike");

struct array {
	DWORD *size, *count;
	void *buffer;
	size_t item_bytes;
	bool is_wide;
};

/* Where names are told: in the items themselves, which are of one of two kinds. */
static PDH_STATUS tell_array(const struct counter *counter, const struct array *array, DWORD format)
{
	struct packer packer = { .is_wide = array->is_wide };
	PDH_STATUS status = packer_begin(&packer, array->buffer, array->size, 1);
	struct how how = how_of(counter, format);
	char *items;

	if (status != ERROR_SUCCESS)
		return status;
	items = packer_reserve(&packer, counter->now.n * array->item_bytes);
	for (size_t i = 0; i < counter->now.n; i++) {
		const struct item *item = &counter->now.item[i];
		LPSTR name = packer_text(&packer, item->name);
		PDH_RAW_COUNTER_ITEM_A raw = { name, item->raw };
		PDH_FMT_COUNTERVALUE_ITEM_A formatted = { .szName = name };

		if (!items || !name)
			continue;
		if (format)
			(void)format_value(&how, &item->raw, value_before(counter, item),
					   &formatted.FmtValue);
		memcpy(items + i * array->item_bytes,
		       format ? (void *)&formatted : (void *)&raw, array->item_bytes);
	}
	*array->count = (DWORD)counter->now.n;
	return packer_end(&packer, array->size, 1);
}

static PDH_STATUS get_array(PDH_HCOUNTER handle, DWORD format, const struct array *array)
{
	AUTO_USE struct counter_use use = { 0 };
	PDH_STATUS status;

	if (!array->count || !array->size)
		return PDH_INVALID_ARGUMENT;
	status = counter_use(handle, &use);
	if (status != ERROR_SUCCESS)
		return status;
	if (!use.counter->now.n)
		return PDH_INVALID_DATA;
	return tell_array(use.counter, array, format);
}

PDH_FUNCTION PdhGetFormattedCounterArrayA(PDH_HCOUNTER hCounter, DWORD dwFormat,
					  LPDWORD lpdwBufferSize, LPDWORD lpdwItemCount,
					  PPDH_FMT_COUNTERVALUE_ITEM_A ItemBuffer)
{
	struct array array = { lpdwBufferSize, lpdwItemCount, ItemBuffer, sizeof(*ItemBuffer),
			       false };

	return is_format(dwFormat) ? get_array(hCounter, dwFormat, &array) : PDH_INVALID_ARGUMENT;
}

PDH_FUNCTION PdhGetFormattedCounterArrayW(PDH_HCOUNTER hCounter, DWORD dwFormat,
					  LPDWORD lpdwBufferSize, LPDWORD lpdwItemCount,
					  PPDH_FMT_COUNTERVALUE_ITEM_W ItemBuffer)
{
	struct array array = { lpdwBufferSize, lpdwItemCount, ItemBuffer, sizeof(*ItemBuffer),
			       true };

	return is_format(dwFormat) ? get_array(hCounter, dwFormat, &array) : PDH_INVALID_ARGUMENT;
}

PDH_FUNCTION PdhGetRawCounterArrayA(PDH_HCOUNTER hCounter, LPDWORD lpdwBufferSize,
				    LPDWORD lpdwItemCount, PPDH_RAW_COUNTER_ITEM_A ItemBuffer)
{
	struct array array = { lpdwBufferSize, lpdwItemCount, ItemBuffer, sizeof(*ItemBuffer),
			       false };

	return get_array(hCounter, 0, &array);
}

PDH_FUNCTION PdhGetRawCounterArrayW(PDH_HCOUNTER hCounter, LPDWORD lpdwBufferSize,
				    LPDWORD lpdwItemCount, PPDH_RAW_COUNTER_ITEM_W ItemBuffer)
{
	struct array array = { lpdwBufferSize, lpdwItemCount, ItemBuffer, sizeof(*ItemBuffer),
			       true };

	return get_array(hCounter, 0, &array);
}

/* What a counter is */

_Static_assert(sizeof(PDH_COUNTER_INFO_A) == sizeof(PDH_COUNTER_INFO_W), "alike");

static DWORD state_of(const struct counter *counter)
{
	return counter->was_collected ? raw_of(counter).CStatus : PDH_CSTATUS_ITEM_NOT_VALIDATED;
}

static void fill_info(const struct counter_use *use, PDH_COUNTER_INFO_A *info)
{
	const struct counter *counter = use->counter;

	info->dwType = counter->info->type;
	info->CVersion = PDH_CVERSION_WIN50;
	info->CStatus = counter->has_wildcard && counter->now.n ? PDH_CSTATUS_VALID_DATA :
								  state_of(counter);
	info->lScale = counter->scale;
	info->dwUserData = counter->user_data;
	info->dwQueryUserData = use->query->user_data;
}

static PDH_STATUS tell_info(const struct counter_use *use, bool with_text, const char *full_path,
			    struct packer *packer, DWORD *size, void *buffer)
{
	const struct counter *counter = use->counter;
	AUTO_FREE char *instance = counter->instance ? strdup(counter->instance) : NULL;
	PDH_COUNTER_INFO_A info = { 0 };
	char machine[MACHINE_BYTES + 2] = "\\\\";
	PDH_STATUS status;

	if (counter->instance && !instance)
		return PDH_MEMORY_ALLOCATION_FAILURE;
	text_machine(machine + 2);
	fill_info(use, &info);
	(void)packer_reserve(packer, sizeof(info));
	info.szFullPath = packer_text(packer, full_path);
	info.szMachineName = packer_text(packer, machine);
	info.szObjectName = packer_text(packer, pdh_objects[counter->info->object].name);
	if (instance)
		info.dwInstanceIndex = path_split_index(instance).index;
	info.szInstanceName = packer_text(packer, instance);
	info.szCounterName = packer_text(packer, counter->info->name);
	info.szExplainText = with_text ? packer_text(packer, counter->info->explain) : NULL;
	status = packer_end(packer, size, 1);
	info.dwLength = *size;
	if (status == ERROR_SUCCESS)
		memcpy(buffer, &info, sizeof(info));
	return status;
}

static PDH_STATUS get_info(PDH_HCOUNTER handle, bool with_text, DWORD *size, void *buffer,
			   bool is_wide)
{
	AUTO_USE struct counter_use use = { 0 };
	AUTO_FREE char *full_path = NULL;
	struct packer packer = { .is_wide = is_wide };
	PDH_STATUS status = packer_begin(&packer, buffer, size, 1);
	int r;

	if (status == ERROR_SUCCESS)
		status = counter_use(handle, &use);
	if (status != ERROR_SUCCESS)
		return status;
	r = path_full(use.counter->info, use.counter->instance, &full_path);
	if (r < 0)
		return status_of(r);
	return tell_info(&use, with_text, full_path, &packer, size, buffer);
}

PDH_FUNCTION PdhGetCounterInfoA(PDH_HCOUNTER hCounter, BOOLEAN bRetrieveExplainText,
				LPDWORD pdwBufferSize, PPDH_COUNTER_INFO_A lpBuffer)
{
	return get_info(hCounter, bRetrieveExplainText, pdwBufferSize, lpBuffer, false);
}

PDH_FUNCTION PdhGetCounterInfoW(PDH_HCOUNTER hCounter, BOOLEAN bRetrieveExplainText,
				LPDWORD pdwBufferSize, PPDH_COUNTER_INFO_W lpBuffer)
{
	return get_info(hCounter, bRetrieveExplainText, pdwBufferSize, lpBuffer, true);
}
