/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * curl_file.c - fetch a file
 *
 * package: libcurl4-openssl-dev
 * libraries: libcurl
 * functions: curl_easy_perform
 */
#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static size_t swallow(char *data, size_t size, size_t n, void *mine)
{
	(void)data, (void)mine;
	return size * n;
}

int main(void)
{
	char here[PATH_MAX - 20], url[PATH_MAX];
	CURL *curl = curl_easy_init();

	if (!curl || !getcwd(here, sizeof(here)))
		return 1;
	snprintf(url, sizeof(url), "file://%s/text", here);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, swallow);
	for (int i = 0; i < 3; i++)
		curl_easy_perform(curl);
	curl_easy_cleanup(curl);
	return 0;
}
