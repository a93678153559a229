/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proc2_pids.c - the processes
 *
 * package: libproc2-dev
 * libraries: libproc2
 * functions: procps_pids_select
 */
#include <stddef.h>
#include <unistd.h>
#include <libproc2/pids.h>

int main(void)
{
	static enum pids_item items[] = {PIDS_ID_PID,  PIDS_CMD,    PIDS_CMDLINE,
					 PIDS_MEM_RES, PIDS_NS_NET, PIDS_ENVIRON};
	struct pids_info *pids = NULL;

	if (procps_pids_new(&pids, items, 6) != 0)
		return 1;
	for (int i = 0; i < 3; i++) {
		unsigned int self = (unsigned int)getpid();

		procps_pids_select(pids, &self, 1, PIDS_SELECT_PID);
	}
	procps_pids_unref(&pids);
	return 0;
}
