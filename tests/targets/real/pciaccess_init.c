/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pciaccess_init.c - the PCI devices
 *
 * package: libpciaccess-dev
 * libraries: pciaccess
 * functions: pci_system_init, pci_device_probe
 * with --alloc: pci_system_init after calloc
 */
#include <pciaccess.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct pci_device_iterator *iterator;
		struct pci_device *device;

		if (pci_system_init() != 0)
			continue;
		iterator = pci_slot_match_iterator_create(NULL);
		while (iterator && (device = pci_device_next(iterator)) != NULL)
			pci_device_probe(device);
		pci_iterator_destroy(iterator);
		pci_system_cleanup();
	}
	return 0;
}
