/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * curl_multi.c - many transfers
 *
 * package: libcurl4-openssl-dev
 * libraries: libcurl
 * functions: curl_multi_init
 */
#include <curl/curl.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		CURLM *multi = curl_multi_init();

		if (multi)
			curl_multi_cleanup(multi);
	}
	return 0;
}
