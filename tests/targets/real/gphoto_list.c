/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gphoto_list.c - the ports of cameras
 *
 * package: libgphoto2-dev
 * libraries: libgphoto2_port
 * functions: gp_port_info_list_load
 */
#include <gphoto2/gphoto2-port-info-list.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		GPPortInfoList *list;

		if (gp_port_info_list_new(&list) != 0)
			continue;
		gp_port_info_list_load(list);
		gp_port_info_list_free(list);
	}
	return 0;
}
