/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nspr_file.c - files
 *
 * package: libnspr4-dev
 * libraries: nspr
 * functions: PR_Open, PR_CreatePipe, PR_OpenAnonFileMap, PR_NewTCPSocketPair
 */
#include <nspr.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		PRFileDesc *file = PR_Open("text", PR_RDONLY, 0), *pair[2];
		PRFileMap *map = PR_OpenAnonFileMap(".", 4096, PR_PROT_READWRITE);

		if (file)
			PR_Close(file);
		if (map)
			PR_CloseFileMap(map);
		if (PR_CreatePipe(&pair[0], &pair[1]) == PR_SUCCESS) {
			PR_Close(pair[0]);
			PR_Close(pair[1]);
		}
		if (PR_NewTCPSocketPair(pair) == PR_SUCCESS) {
			PR_Close(pair[0]);
			PR_Close(pair[1]);
		}
	}
	PR_Cleanup();
	return 0;
}
