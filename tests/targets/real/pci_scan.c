/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci_scan.c - list the PCI devices
 *
 * package: libpci-dev
 * libraries: libpci
 * functions: pci_init, pci_scan_bus, pci_lookup_name
 */
#include <pci/pci.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct pci_access *access = pci_alloc();
		char name[100];

		pci_init(access);
		pci_scan_bus(access);
		pci_lookup_name(access, name, sizeof(name), PCI_LOOKUP_VENDOR, 0x8086);
		pci_cleanup(access);
	}
	return 0;
}
