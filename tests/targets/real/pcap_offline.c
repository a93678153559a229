/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap_offline.c - open a capture
 *
 * package: libpcap-dev
 * libraries: libpcap
 * functions: pcap_open_offline
 */
#include <pcap/pcap.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		char error[PCAP_ERRBUF_SIZE];
		pcap_t *capture = pcap_open_offline("capture.pcap", error);

		if (capture)
			pcap_close(capture);
	}
	return 0;
}
