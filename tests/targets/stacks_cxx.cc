// SPDX-License-Identifier: BSD-2-Clause
// stacks_cxx.cc - C++ for test_symbolize: stands still in a destructor that an exception runs, and,
// after a line, in the code that has caught it
#include <stdexcept>
#include <string>
#include <unistd.h>

namespace leak {

volatile int sink;

__attribute__((noinline)) void stop_here()
{
	char c = 0;

	if (write(1, "ready\n", 6) != 6)
		_exit(2);
	do
		if (read(0, &c, 1) != 1)
			_exit(0);
	while (c != '\n');
	sink = sink + 1;
}

struct Guard {
	__attribute__((noinline)) ~Guard()
	{
		stop_here();
		sink = sink + 1;
	}
};

template <typename T> struct Parser {
	__attribute__((noinline)) int parse(const T &text)
	{
		Guard guard;

		if (text.size() > 1)
			throw std::runtime_error("wrong");
		return sink;
	}
};

__attribute__((noinline)) int handle(const std::string &text)
{
	try {
		return Parser<std::string>().parse(text);
	} catch (const std::exception &e) {
		stop_here();
		sink = sink + 1;
	}
	return sink;
}

} // namespace leak

int main(int argc, char **argv)
{
	return leak::handle(argc > 0 ? argv[0] : "nothing") < 0;
}
