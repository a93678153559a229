/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qdbm_open.c - open databases
 *
 * package: libqdbm-dev
 * libraries: qdbm
 * functions: dpopen, vlopen, cropen
 */
#include <qdbm/cabin.h>
#include <qdbm/curia.h>
#include <qdbm/depot.h>
#include <qdbm/villa.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		DEPOT *depot = dpopen("base.qdbm", DP_OWRITER | DP_OCREAT, 0);
		VILLA *villa = vlopen("base.villa", VL_OWRITER | VL_OCREAT, VL_CMPLEX);
		CURIA *curia = cropen("base.curia", CR_OWRITER | CR_OCREAT, 0, 2);

		if (depot)
			dpclose(depot);
		if (villa)
			vlclose(villa);
		if (curia)
			crclose(curia);
	}
	return 0;
}
