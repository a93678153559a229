/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwfl_process.c - look at a process
 *
 * package: libdw-dev
 * libraries: libdw
 * functions: dwfl_linux_proc_report, dwfl_linux_proc_attach
 */
#include <elfutils/libdwfl.h>
#include <stddef.h>
#include <unistd.h>

int main(void)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_linux_proc_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
	};

	for (int i = 0; i < 3; i++) {
		Dwfl *dwfl = dwfl_begin(&callbacks);

		if (!dwfl)
			continue;
		dwfl_linux_proc_report(dwfl, getpid());
		dwfl_report_end(dwfl, NULL, NULL);
		dwfl_linux_proc_attach(dwfl, getpid(), true);
		dwfl_end(dwfl);
	}
	return 0;
}
