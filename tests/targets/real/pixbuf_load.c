/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pixbuf_load.c - load a picture
 *
 * package: libgdk-pixbuf-2.0-dev
 * libraries: gdk-pixbuf-2.0
 * functions: gdk_pixbuf_new_from_file
 */
#include <gdk-pixbuf/gdk-pixbuf.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		GdkPixbuf *picture = gdk_pixbuf_new_from_file("picture.png", NULL);

		if (picture)
			g_object_unref(picture);
	}
	return 0;
}
