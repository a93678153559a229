/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x11_files.c - resources, and a display that is not there
 *
 * package: libx11-dev
 * libraries: x11
 * functions: XrmGetFileDatabase, XOpenDisplay
 */
#include <X11/Xlib.h>
#include <X11/Xresource.h>
#include <X11/Xutil.h>

int main(void)
{
	XrmInitialize();
	for (int i = 0; i < 3; i++) {
		XrmDatabase base = XrmGetFileDatabase("plain.conf");
		Display *display = XOpenDisplay(":99");

		if (base)
			XrmDestroyDatabase(base);
		if (display)
			XCloseDisplay(display);
	}
	return 0;
}
