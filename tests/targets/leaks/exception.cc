/* SPDX-License-Identifier: BSD-2-Clause */
/* exception.cc - plants in C++: an exception goes past the close */
#include <fcntl.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

extern "C" {
#include "plant.h"
}

namespace vault
{
class File
{
public:
	__attribute__((noinline)) explicit File(const char *path)
	{
		handle = open(path, O_RDONLY); /* LEAK for exception in vault::File::File through plant_exception */
	}
	~File()
	{
		forget(handle);
	}
	int handle;
};

__attribute__((noinline)) static void check(const File &file, int round)
{
	if (round >= 0)
		throw std::runtime_error("a bad file " + std::to_string(file.handle));
}

/* Owned by nobody while check() throws. */
__attribute__((noinline)) static void use(int round)
{
	File *file = new File("/dev/null");

	try {
		check(*file, round);
	} catch (...) {
		if (plant_is_repaired())
			delete file;
		throw;
	}
	delete file;
}

template <typename T> __attribute__((noinline)) int open_all(const std::vector<T> &paths)
{
	int last = -1;

	for (const T &path : paths)
		last = open(path.c_str(), O_RDONLY); /* LEAK for template in vault::open_all through plant_template */
	return last;
}
} /* namespace vault */

PLANT(exception)
{
	try {
		vault::use(1);
	} catch (const std::runtime_error &) {
	}
}

PLANT(template)
{
	std::vector<std::string> paths = { "/dev/null" };
	int fd = vault::open_all(paths);

	forget(fd);
}
