/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proc2_new.c - what ps and vmstat read
 *
 * package: libproc2-dev
 * libraries: libproc2
 * functions: procps_meminfo_new, procps_stat_new, procps_vmstat_new, procps_pids_new,
 * procps_diskstats_new
 */
#include <stddef.h>
#include <libproc2/diskstats.h>
#include <libproc2/meminfo.h>
#include <libproc2/pids.h>
#include <libproc2/stat.h>
#include <libproc2/vmstat.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		static enum pids_item items[] = {PIDS_ID_PID};
		struct diskstats_info *disks = NULL;
		struct meminfo_info *memory = NULL;
		struct pids_info *pids = NULL;
		struct stat_info *stat = NULL;
		struct vmstat_info *vm = NULL;

		if (procps_meminfo_new(&memory) == 0)
			procps_meminfo_unref(&memory);
		if (procps_stat_new(&stat) == 0)
			procps_stat_unref(&stat);
		if (procps_vmstat_new(&vm) == 0)
			procps_vmstat_unref(&vm);
		if (procps_diskstats_new(&disks) == 0)
			procps_diskstats_unref(&disks);
		if (procps_pids_new(&pids, items, 1) == 0)
			procps_pids_unref(&pids);
	}
	return 0;
}
