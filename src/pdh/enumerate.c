/* SPDX-License-Identifier: BSD-2-Clause */
/* enumerate.c - what can be asked for, and paths from and into their parts */
#include "pdh/pdh_internal.h"

#include <stdio.h>

#define UNIT_OF(is_wide) ((is_wide) ? (DWORD)sizeof(WCHAR) : 1)

/* A view of now, with the sampler that its sample is of. */
struct now {
	struct monitor_sampler *sampler;
	struct view view;
};

static void now_done(struct now *now)
{
	view_done(&now->view);
	monitor_sampler_free(now->sampler);
}

#define AUTO_NOW __attribute__((cleanup(now_done)))

/* Expanding */

struct expansion {
	const struct path *path;
	const char *instance; /* tame, or NULL */
	DWORD flags;
	const struct view *view;
	struct packer *packer;
};

static int add_path(const struct expansion *expansion, const struct counter_info *info,
		    const char *instance)
{
	AUTO_FREE char *text = NULL;
	int r;

	/* Left as it is, a pattern stands for a name. */
	struct counter_info pattern = *info;

	if (expansion->flags & PDH_NOEXPANDCOUNTERS)
		pattern.name = expansion->path->counter;
	r = path_full(&pattern, instance, &text);
	if (r == 0)
		(void)packer_text(expansion->packer, text);
	return r;
}

static int add_instances(const struct expansion *expansion, const struct counter_info *info)
{
	const char *pattern = expansion->instance;
	const struct view *view = expansion->view;
	char name[INSTANCE_BYTES];
	int r = 0;

	if (!pattern || !strchr(pattern, '*') || expansion->flags & PDH_NOEXPANDINSTANCES)
		return add_path(expansion, info, pattern);
	for (size_t i = 0; r == 0 && i < view->n_instances; i++) {
		if (!view_instance_matches(&view->instance[i], pattern))
			continue;
		view_full_name(&view->instance[i], name);
		r = add_path(expansion, info, name);
	}
	return r;
}

/* What the path says of a counter, its * as a pattern. */
static PDH_STATUS match_counter(const struct path *path, const struct counter_info *info)
{
	const struct object_info *object = &pdh_objects[info->object];

	if (!text_matches(path->object, object->name))
		return PDH_CSTATUS_NO_OBJECT;
	if (!text_matches(path->counter, info->name))
		return PDH_CSTATUS_NO_COUNTER;
	return object->has_instances == !!path->instance ? ERROR_SUCCESS : PDH_CSTATUS_NO_INSTANCE;
}

/* The error is that of the counter which came nearest. */
static PDH_STATUS expand(const struct expansion *expansion)
{
	static const PDH_STATUS nearness[] = { PDH_CSTATUS_NO_OBJECT, PDH_CSTATUS_NO_COUNTER,
					       PDH_CSTATUS_NO_INSTANCE, ERROR_SUCCESS };
	size_t nearest = 0;

	for (size_t i = 0; i < pdh_n_counters; i++) {
		PDH_STATUS status = match_counter(expansion->path, &pdh_counters[i]);
		size_t near = 0;
		int r;

		while (nearness[near] != status)
			near++;
		nearest = near > nearest ? near : nearest;
		if (status != ERROR_SUCCESS)
			continue;
		r = add_instances(expansion, &pdh_counters[i]);
		if (r < 0)
			return status_of(r);
		if (expansion->flags & PDH_NOEXPANDCOUNTERS && strchr(expansion->path->counter, '*'))
			break; /* the pattern stands for all of them */
	}
	return nearness[nearest];
}

static PDH_STATUS end_list(struct packer *packer, DWORD *size)
{
	if (packer->used)
		(void)packer_text(packer, "");
	return packer_end(packer, size, UNIT_OF(packer->is_wide));
}

static PDH_STATUS expand_path(const char *text, void *list, DWORD *size, DWORD flags, bool is_wide)
{
	AUTO_PATH struct path path = { 0 };
	AUTO_NOW struct now now = { 0 };
	AUTO_FREE char *instance = NULL;
	struct packer packer = { .is_wide = is_wide };
	struct expansion expansion = { &path, NULL, flags, &now.view, &packer };
	PDH_STATUS status = packer_begin(&packer, list, size, UNIT_OF(is_wide));

	if (status == ERROR_SUCCESS && flags & ~(PDH_NOEXPANDCOUNTERS | PDH_NOEXPANDINSTANCES |
						 PDH_REFRESHCOUNTERS))
		status = PDH_INVALID_ARGUMENT;
	if (status == ERROR_SUCCESS)
		status = path_parse(text, &path);
	if (status == ERROR_SUCCESS && path.machine && !text_is_this_machine(path.machine))
		status = PDH_CSTATUS_NO_MACHINE;
	if (status == ERROR_SUCCESS && path.instance)
		status = status_of(instance_tame(path.instance, &instance));
	if (status == ERROR_SUCCESS)
		status = status_of(view_of_now(&now.sampler, &now.view));
	expansion.instance = instance;
	if (status == ERROR_SUCCESS)
		status = expand(&expansion);
	return status == ERROR_SUCCESS ? end_list(&packer, size) : status;
}

PDH_FUNCTION PdhExpandWildCardPathA(LPCSTR szDataSource, LPCSTR szWildCardPath,
				    LPSTR mszExpandedPathList, LPDWORD pcchPathListLength,
				    DWORD dwFlags)
{
	if (szDataSource)
		return PDH_NOT_IMPLEMENTED;
	return expand_path(szWildCardPath, mszExpandedPathList, pcchPathListLength, dwFlags, false);
}

PDH_FUNCTION PdhExpandWildCardPathW(LPCWSTR szDataSource, LPCWSTR szWildCardPath,
				    LPWSTR mszExpandedPathList, LPDWORD pcchPathListLength,
				    DWORD dwFlags)
{
	AUTO_FREE char *text = NULL;
	PDH_STATUS status = szDataSource ? PDH_NOT_IMPLEMENTED :
					   text_of_wide(szWildCardPath, &text);

	if (status != ERROR_SUCCESS)
		return status;
	return expand_path(text, mszExpandedPathList, pcchPathListLength, dwFlags, true);
}

/* Objects and their items */

static PDH_STATUS enum_objects(const void *source, const char *machine, void *list, DWORD *size,
			       bool is_wide)
{
	struct packer packer = { .is_wide = is_wide };
	PDH_STATUS status = source ? PDH_NOT_IMPLEMENTED :
				     packer_begin(&packer, list, size, UNIT_OF(is_wide));

	if (status == ERROR_SUCCESS && machine && !text_is_this_machine(machine))
		status = PDH_CSTATUS_NO_MACHINE;
	if (status != ERROR_SUCCESS)
		return status;
	for (int i = 0; i < PDH_OBJECTS; i++)
		(void)packer_text(&packer, pdh_objects[i].name);
	return end_list(&packer, size);
}

PDH_FUNCTION PdhEnumObjectsA(LPCSTR szDataSource, LPCSTR szMachineName, LPSTR mszObjectList,
			     LPDWORD pcchBufferSize, DWORD dwDetailLevel, BOOL bRefresh)
{
	(void)dwDetailLevel;
	(void)bRefresh;
	return enum_objects(szDataSource, szMachineName, mszObjectList, pcchBufferSize, false);
}

PDH_FUNCTION PdhEnumObjectsW(LPCWSTR szDataSource, LPCWSTR szMachineName, LPWSTR mszObjectList,
			     LPDWORD pcchBufferSize, DWORD dwDetailLevel, BOOL bRefresh)
{
	AUTO_FREE char *machine = NULL;
	PDH_STATUS status = text_of_optional(szMachineName, &machine);

	(void)dwDetailLevel;
	(void)bRefresh;
	return status != ERROR_SUCCESS ?
		       status :
		       enum_objects(szDataSource, machine, mszObjectList, pcchBufferSize, true);
}

/* Two lists that are told together: each can be too small. */
struct items_request {
	const char *machine, *object;
	void *counters, *instances;
	DWORD *n_counters, *n_instances;
	bool is_wide;
};

static PDH_STATUS list_counters(const struct items_request *request, enum pdh_object object)
{
	struct packer packer = { .is_wide = request->is_wide };
	PDH_STATUS status = packer_begin(&packer, request->counters, request->n_counters,
					 UNIT_OF(request->is_wide));

	if (status != ERROR_SUCCESS)
		return status;
	for (size_t i = 0; i < pdh_n_counters; i++)
		if (pdh_counters[i].object == object)
			(void)packer_text(&packer, pdh_counters[i].name);
	return end_list(&packer, request->n_counters);
}

static PDH_STATUS list_instances(const struct items_request *request, enum pdh_object object)
{
	AUTO_NOW struct now now = { 0 };
	struct packer packer = { .is_wide = request->is_wide };
	PDH_STATUS status = packer_begin(&packer, request->instances, request->n_instances,
					 UNIT_OF(request->is_wide));

	if (status == ERROR_SUCCESS && pdh_objects[object].has_instances)
		status = status_of(view_of_now(&now.sampler, &now.view));
	if (status != ERROR_SUCCESS)
		return status;
	for (size_t i = 0; i < now.view.n_instances; i++)
		(void)packer_text(&packer, now.view.instance[i].name);
	return end_list(&packer, request->n_instances);
}

static PDH_STATUS enum_items(const void *source, const struct items_request *request)
{
	PDH_STATUS counters, instances;
	enum pdh_object object;

	if (source)
		return PDH_NOT_IMPLEMENTED;
	if (!request->object || !request->n_counters || !request->n_instances)
		return PDH_INVALID_ARGUMENT;
	if (request->machine && !text_is_this_machine(request->machine))
		return PDH_CSTATUS_NO_MACHINE;
	object = object_named(request->object);
	if (object == PDH_OBJECTS)
		return PDH_CSTATUS_NO_OBJECT;
	counters = list_counters(request, object);
	if (counters != ERROR_SUCCESS && counters != PDH_MORE_DATA)
		return counters;
	instances = list_instances(request, object);
	return instances != ERROR_SUCCESS ? instances : counters;
}

PDH_FUNCTION PdhEnumObjectItemsA(LPCSTR szDataSource, LPCSTR szMachineName, LPCSTR szObjectName,
				 LPSTR mszCounterList, LPDWORD pcchCounterListLength,
				 LPSTR mszInstanceList, LPDWORD pcchInstanceListLength,
				 DWORD dwDetailLevel, DWORD dwFlags)
{
	struct items_request request = { szMachineName, szObjectName, mszCounterList,
					 mszInstanceList, pcchCounterListLength,
					 pcchInstanceListLength, false };

	(void)dwDetailLevel;
	(void)dwFlags;
	return enum_items(szDataSource, &request);
}

PDH_FUNCTION PdhEnumObjectItemsW(LPCWSTR szDataSource, LPCWSTR szMachineName, LPCWSTR szObjectName,
				 LPWSTR mszCounterList, LPDWORD pcchCounterListLength,
				 LPWSTR mszInstanceList, LPDWORD pcchInstanceListLength,
				 DWORD dwDetailLevel, DWORD dwFlags)
{
	AUTO_FREE char *machine = NULL, *object = NULL;
	PDH_STATUS status = text_of_optional(szMachineName, &machine);
	struct items_request request = { NULL, NULL, mszCounterList, mszInstanceList,
					 pcchCounterListLength, pcchInstanceListLength, true };

	(void)dwDetailLevel;
	(void)dwFlags;
	if (status == ERROR_SUCCESS)
		status = text_of_wide(szObjectName, &object);
	if (status != ERROR_SUCCESS)
		return status;
	request.machine = machine;
	request.object = object;
	return enum_items(szDataSource, &request);
}

/* Paths */

static PDH_STATUS is_there_now(const char *instance)
{
	AUTO_NOW struct now now = { 0 };
	AUTO_FREE char *tame = NULL;
	int r = instance_tame(instance, &tame);

	if (r == 0)
		r = view_of_now(&now.sampler, &now.view);
	if (r < 0)
		return status_of(r);
	if (!strchr(tame, '*'))
		return view_find(&now.view, tame) ? ERROR_SUCCESS : PDH_CSTATUS_NO_INSTANCE;
	for (size_t i = 0; i < now.view.n_instances; i++)
		if (view_instance_matches(&now.view.instance[i], tame))
			return ERROR_SUCCESS;
	return PDH_CSTATUS_NO_INSTANCE;
}

PDH_FUNCTION PdhValidatePathA(LPCSTR szFullPathBuffer)
{
	AUTO_PATH struct path path = { 0 };
	const struct counter_info *info;
	PDH_STATUS status = path_parse(szFullPathBuffer, &path);

	if (status == ERROR_SUCCESS)
		status = counter_of_path(&path, &info);
	if (status != ERROR_SUCCESS || !path.instance)
		return status;
	return is_there_now(path.instance);
}

PDH_FUNCTION PdhValidatePathW(LPCWSTR szFullPathBuffer)
{
	AUTO_FREE char *text = NULL;
	PDH_STATUS status = text_of_wide(szFullPathBuffer, &text);

	return status != ERROR_SUCCESS ? status : PdhValidatePathA(text);
}

_Static_assert(sizeof(PDH_COUNTER_PATH_ELEMENTS_A) == sizeof(PDH_COUNTER_PATH_ELEMENTS_W), "alike");

/* "parent/instance#2" */
static void tell_instance(struct packer *packer, char *text, PDH_COUNTER_PATH_ELEMENTS_A *elements)
{
	struct instance_name name = path_split_index(text);
	char *slash = strchr(name.text, '/');

	if (slash && slash > name.text && slash[1]) {
		*slash = '\0';
		elements->szParentInstance = packer_text(packer, name.text);
		name.text = slash + 1;
	}
	elements->szInstanceName = packer_text(packer, name.text);
	elements->dwInstanceIndex = name.index;
}

static PDH_STATUS parse_path(const char *text, void *buffer, DWORD *size, DWORD flags, bool is_wide)
{
	AUTO_PATH struct path path = { 0 };
	AUTO_FREE char *instance = NULL;
	PDH_COUNTER_PATH_ELEMENTS_A elements = { 0 };
	struct packer packer = { .is_wide = is_wide };
	char own[MACHINE_BYTES], machine[PDH_MAX_COUNTER_PATH + 2];
	PDH_STATUS status = flags ? PDH_INVALID_ARGUMENT : packer_begin(&packer, buffer, size, 1);

	if (status == ERROR_SUCCESS)
		status = path_parse(text, &path);
	if (status != ERROR_SUCCESS)
		return status;
	if (path.instance && !(instance = strdup(path.instance)))
		return PDH_MEMORY_ALLOCATION_FAILURE;
	text_machine(own);
	(void)snprintf(machine, sizeof(machine), "\\\\%s", path.machine ? path.machine : own);
	(void)packer_reserve(&packer, sizeof(elements));
	elements.szMachineName = packer_text(&packer, machine);
	elements.szObjectName = packer_text(&packer, path.object);
	if (instance)
		tell_instance(&packer, instance, &elements);
	elements.szCounterName = packer_text(&packer, path.counter);
	status = packer_end(&packer, size, 1);
	if (status == ERROR_SUCCESS)
		memcpy(buffer, &elements, sizeof(elements));
	return status;
}

PDH_FUNCTION PdhParseCounterPathA(LPCSTR szFullPathBuffer,
				  PPDH_COUNTER_PATH_ELEMENTS_A pCounterPathElements,
				  LPDWORD pdwBufferSize, DWORD dwFlags)
{
	return parse_path(szFullPathBuffer, pCounterPathElements, pdwBufferSize, dwFlags, false);
}

PDH_FUNCTION PdhParseCounterPathW(LPCWSTR szFullPathBuffer,
				  PPDH_COUNTER_PATH_ELEMENTS_W pCounterPathElements,
				  LPDWORD pdwBufferSize, DWORD dwFlags)
{
	AUTO_FREE char *text = NULL;
	PDH_STATUS status = text_of_wide(szFullPathBuffer, &text);

	return status != ERROR_SUCCESS ?
		       status :
		       parse_path(text, pCounterPathElements, pdwBufferSize, dwFlags, true);
}

static int make_instance(const PDH_COUNTER_PATH_ELEMENTS_A *elements, char **ret_text)
{
	const char *parent = elements->szParentInstance;
	DWORD index = elements->dwInstanceIndex;
	char number[16] = "";

	if (!elements->szInstanceName) {
		*ret_text = strdup("");
		return *ret_text ? 0 : -ENOMEM;
	}
	if (index && index != (DWORD)-1)
		(void)snprintf(number, sizeof(number), "#%u", index);
	return asprintf(ret_text, "(%s%s%s%s)", parent ? parent : "", parent ? "/" : "",
			elements->szInstanceName, number) < 0 ? -ENOMEM : 0;
}

static PDH_STATUS make_path(const PDH_COUNTER_PATH_ELEMENTS_A *elements, void *buffer, DWORD *size,
			    bool is_wide)
{
	AUTO_FREE char *instance = NULL, *text = NULL;
	struct packer packer = { .is_wide = is_wide };
	const char *machine = elements->szMachineName;
	PDH_STATUS status = packer_begin(&packer, buffer, size, UNIT_OF(is_wide));
	bool has_slashes = machine && !strncmp(machine, "\\\\", 2);

	if (!elements->szObjectName || !elements->szCounterName)
		status = PDH_INVALID_ARGUMENT;
	if (status != ERROR_SUCCESS)
		return status;
	if (make_instance(elements, &instance) < 0 ||
	    asprintf(&text, "%s%s\\%s%s\\%s", machine && !has_slashes ? "\\\\" : "",
		     machine ? machine : "", elements->szObjectName, instance,
		     elements->szCounterName) < 0)
		return PDH_MEMORY_ALLOCATION_FAILURE;
	(void)packer_text(&packer, text);
	return packer_end(&packer, size, UNIT_OF(is_wide));
}

PDH_FUNCTION PdhMakeCounterPathA(PPDH_COUNTER_PATH_ELEMENTS_A pCounterPathElements,
				 LPSTR szFullPathBuffer, LPDWORD pcchBufferSize, DWORD dwFlags)
{
	if (!pCounterPathElements || dwFlags)
		return PDH_INVALID_ARGUMENT;
	return make_path(pCounterPathElements, szFullPathBuffer, pcchBufferSize, false);
}

PDH_FUNCTION PdhMakeCounterPathW(PPDH_COUNTER_PATH_ELEMENTS_W pCounterPathElements,
				 LPWSTR szFullPathBuffer, LPDWORD pcchBufferSize, DWORD dwFlags)
{
	enum { MACHINE, OBJECT, INSTANCE, PARENT, COUNTER, PARTS };
	const PDH_COUNTER_PATH_ELEMENTS_W *from = pCounterPathElements;
	PDH_COUNTER_PATH_ELEMENTS_A elements = { 0 };
	PDH_STATUS status = ERROR_SUCCESS;

	if (!from || dwFlags)
		return PDH_INVALID_ARGUMENT;

	const WCHAR *wide[PARTS] = { from->szMachineName, from->szObjectName, from->szInstanceName,
				     from->szParentInstance, from->szCounterName };
	char *part[PARTS] = { NULL };

	for (int i = 0; i < PARTS && status == ERROR_SUCCESS; i++)
		status = text_of_optional(wide[i], &part[i]);
	elements = (PDH_COUNTER_PATH_ELEMENTS_A){ part[MACHINE], part[OBJECT], part[INSTANCE],
						  part[PARENT], from->dwInstanceIndex,
						  part[COUNTER] };
	if (status == ERROR_SUCCESS)
		status = make_path(&elements, szFullPathBuffer, pcchBufferSize, true);
	for (int i = 0; i < PARTS; i++)
		free(part[i]);
	return status;
}
