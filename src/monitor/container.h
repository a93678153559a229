/* SPDX-License-Identifier: BSD-2-Clause */
/* container.h - which container a process is in, by the path of its control group */
#ifndef MONITOR_CONTAINER_H
#define MONITOR_CONTAINER_H

#include "monitor/sample.h"

/* From the text of /proc/PID/cgroup: the first digits of the innermost container's id, or "". */
void container_of_cgroups(const char *cgroups, char ret_id[MONITOR_CONTAINER_BYTES]);

#endif /* MONITOR_CONTAINER_H */
