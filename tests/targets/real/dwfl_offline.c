/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwfl_offline.c - read debug information
 *
 * package: libdw-dev
 * libraries: libdw
 * functions: dwfl_report_offline
 */
#include <elfutils/libdwfl.h>
#include <stddef.h>

int main(void)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};

	for (int i = 0; i < 3; i++) {
		Dwfl *dwfl = dwfl_begin(&callbacks);

		if (!dwfl)
			continue;
		dwfl_report_offline(dwfl, "true", "/usr/bin/true", -1);
		dwfl_report_end(dwfl, NULL, NULL);
		dwfl_end(dwfl);
	}
	return 0;
}
