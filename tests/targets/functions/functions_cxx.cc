// SPDX-License-Identifier: BSD-2-Clause
// functions_cxx.cc - C++ functions, for test_functions: says "ready" and waits until its input ends
#include <cstdint>
#include <string>
#include <unistd.h>

#define KEPT __attribute__((noinline, used))

namespace outer {

volatile int sink;

namespace {
KEPT int hidden_away(int a)
{
	return sink + a;
}
} // namespace

enum class small : std::uint8_t { a, b };

struct Reader {
	int state = 0;

	Reader();
	virtual ~Reader();
	Reader &self();
	bool is_open() const;
	static const Reader *find(const std::string &name);
	int read(int a);
	int read(const char *a);
	Reader &operator=(const Reader &other);
	bool operator!() const;
};

KEPT Reader::Reader() { sink = sink + 1; }
KEPT Reader::~Reader() { sink = sink - 1; }
KEPT Reader &Reader::self() { return *this; }
KEPT bool Reader::is_open() const { return sink != 0; }
KEPT const Reader *Reader::find(const std::string &name) { return name.empty() ? nullptr : new Reader; }
KEPT int Reader::read(int a) { return sink + a; }
KEPT int Reader::read(const char *a) { return sink + a[0]; }
KEPT Reader &Reader::operator=(const Reader &other) { state = other.state; return *this; }
KEPT bool Reader::operator!() const { return sink == 0; }

KEPT std::string tagged(int a) { return std::string(static_cast<size_t>(a), 'a'); }
KEPT Reader &&moved(Reader &reader) { return static_cast<Reader &&>(reader); }
KEPT small returns_small() { return sink ? small::a : small::b; }

template <typename T> KEPT T twice(T a) { return a + a; }
template int twice<int>(int);
template unsigned long twice<unsigned long>(unsigned long);

} // namespace outer

int main()
{
	outer::Reader reader, *found = nullptr;
	char c;

	if (write(1, "ready\n", 6) != 6)
		return 2;
	while (read(0, &c, 1) == 1) {
		auto local = [&reader](long a) __attribute__((noinline)) -> long { return reader.state + a; };

		found = const_cast<outer::Reader *>(outer::Reader::find(outer::tagged(c)));
		outer::sink = outer::hidden_away(c) + (found ? found->read(c) : 0) + static_cast<int>(local(c));
	}
	delete found;
	return 0;
}
