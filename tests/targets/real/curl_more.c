/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * curl_more.c - a transfer with cookies, netrc and an upload
 *
 * package: libcurl4-openssl-dev
 * libraries: libcurl
 * functions: curl_easy_perform, curl_easy_setopt
 */
#include <curl/curl.h>
#include <stdio.h>

static size_t swallow(char *data, size_t size, size_t n, void *mine)
{
	(void)data, (void)mine;
	return size * n;
}

int main(void)
{
	for (int i = 0; i < 3; i++) {
		CURL *curl = curl_easy_init();

		if (!curl)
			continue;
		curl_easy_setopt(curl, CURLOPT_URL, "http://127.0.0.1:1/");
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, swallow);
		curl_easy_setopt(curl, CURLOPT_COOKIEFILE, "text");
		curl_easy_setopt(curl, CURLOPT_COOKIEJAR, "jar");
		curl_easy_setopt(curl, CURLOPT_NETRC, CURL_NETRC_OPTIONAL);
		curl_easy_setopt(curl, CURLOPT_NETRC_FILE, "text");
		curl_easy_setopt(curl, CURLOPT_HSTS, "hsts");
		curl_easy_setopt(curl, CURLOPT_INTERFACE, "127.0.0.1");
		curl_easy_perform(curl);
		curl_easy_cleanup(curl);
	}
	return 0;
}
