/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sd_journal.c - open a journal
 *
 * package: libsystemd-dev
 * libraries: libsystemd
 * functions: sd_journal_open_directory
 */
#include <stddef.h>
#include <systemd/sd-journal.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		sd_journal *journal;

		if (sd_journal_open_directory(&journal, ".", 0) >= 0)
			sd_journal_close(journal);
	}
	return 0;
}
