/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kmod_path.c - look for modules
 *
 * package: libkmod-dev
 * libraries: libkmod
 * functions: kmod_load_resources, kmod_module_new_from_path
 */
#include <libkmod.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct kmod_ctx *context = kmod_new(".", NULL);
		struct kmod_module *module;

		if (!context)
			continue;
		kmod_load_resources(context);
		if (kmod_module_new_from_path(context, "text", &module) == 0)
			kmod_module_unref(module);
		kmod_unref(context);
	}
	return 0;
}
