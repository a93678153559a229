/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap_live.c - listen to an interface
 *
 * package: libpcap-dev
 * libraries: libpcap
 * functions: pcap_open_live, pcap_findalldevs
 */
#include <pcap/pcap.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		char error[PCAP_ERRBUF_SIZE];
		pcap_if_t *interfaces;
		pcap_t *capture = pcap_open_live("lo", 100, 0, 10, error);

		if (capture)
			pcap_close(capture);
		if (pcap_findalldevs(&interfaces, error) == 0)
			pcap_freealldevs(interfaces);
	}
	return 0;
}
