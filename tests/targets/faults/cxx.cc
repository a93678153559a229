// SPDX-License-Identifier: BSD-2-Clause
// cxx.cc - plants: exceptions past what was opened; see faulty.h
#include "faulty.h"

#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <sys/file.h>
#include <unistd.h>

static void must(bool is_so, const char *what)
{
	if (!is_so)
		throw std::runtime_error(what);
}

EXPLORED int thrown_past(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC); // LEAKS: file when flock
	must(fd >= 0, "open");
	try {
		must(flock(fd, LOCK_SH | LOCK_NB) == 0, "flock");
	} catch (const std::exception &) {
		REPAIR(close(fd));
		throw;
	}
	return fd;
}

PLANT(thrown_past)
{
	try {
		return was_handle(thrown_past(READABLE));
	} catch (const std::exception &) {
		return false;
	}
}

// Its destructor is not run when its constructor throws.
class Locked {
public:
	explicit Locked(const char *path)
		: handle(open(path, O_RDONLY | O_CLOEXEC)) // LEAKS: file when flock
	{
		must(handle >= 0, "open");
		if (flock(handle, LOCK_SH | LOCK_NB) < 0) {
			REPAIR(close(handle));
			throw std::runtime_error("flock");
		}
	}
	~Locked()
	{
		close(handle);
	}
	Locked(const Locked &) = delete;
	Locked &operator=(const Locked &) = delete;

private:
	int handle;
};

EXPLORED bool constructor_throws(const std::string &path)
{
	try {
		Locked locked(path.c_str());
		return true;
	} catch (const std::exception &) {
		return false;
	}
}

PLANT(constructor_throws)
{
	return constructor_throws(READABLE);
}

namespace files
{
class Reader {
public:
	EXPLORED bool method_fails(const char *path)
	{
		char byte;

		handle = open(path, O_RDONLY | O_CLOEXEC); // LEAKS: file when read
		if (handle < 0)
			return false;
		if (read(handle, &byte, 1) == 1)
			return true;
		REPAIR(close(handle));
		handle = -1;
		return false;
	}
	int handle = -1;
};
}

PLANT(method_fails)
{
	files::Reader reader;

	return reader.method_fails(READABLE) && was_handle(reader.handle);
}
