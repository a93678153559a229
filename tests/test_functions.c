/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_functions.c - functions by name: in the right place, by the right name, with what they
 * return
 *
 * Most of it is about tests/targets/functions/, which has a function of every kind.
 */
#include "support.h"
#include "symbolize/symbolize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A program that waits, and the functions that were found in it last. */
struct subject {
	struct target target;
	struct symbolizer *symbolizer;
	struct space *space;
	struct function *found;
	size_t n;
};

static bool start(struct subject *s, const char *program)
{
	struct target_start how = {.program = program, .mode = "deep"};
	int r;

	memset(s, 0, sizeof(*s));
	r = target_start(&s->target, &how);
	if (r == -ENOENT)
		return false;
	assert_int_equal(r, 0);
	assert_int_equal(symbolizer_new(NULL, &s->symbolizer), 0);
	assert_int_equal(space_of_process(s->symbolizer, s->target.pid, &s->space), 0);
	return true;
}

static void end(struct subject *s)
{
	free(s->found);
	space_free(s->space);
	symbolizer_free(s->symbolizer);
	target_end(&s->target);
}

static size_t look(struct subject *s, const char *pattern, bool exported_only)
{
	free(s->found);
	s->found = NULL;
	assert_int_equal(space_functions(s->space, pattern, exported_only, &s->found, &s->n), 0);
	return s->n;
}

/* The one that there is. */
static const struct function *find(struct subject *s, const char *pattern)
{
	if (look(s, pattern, false) != 1) {
		print_error("%s: %zu functions\n", pattern, s->n);
		fail();
	}
	return &s->found[0];
}

static bool is_found(const struct subject *s, const char *symbol)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->found[i].symbol, symbol) == 0)
			return true;
	return false;
}

/* --- places ------------------------------------------------------------------------------- */

static void a_function_is_where_the_process_has_it(void **state)
{
	struct subject s;
	struct frame frame;

	(void)state;
	assert_true(start(&s, "functions/functions"));
	find(&s, "returns_int");
	assert_int_equal(space_describe(s.space, s.found->low, false, &frame, 1), 1);
	assert_string_equal(frame.function, "returns_int");
	assert_int_equal(frame.offset, 0);
	assert_string_equal(frame.module, s.found->module);
	assert_int_equal(space_describe(s.space, s.found->high - 1, false, &frame, 1), 1);
	assert_string_equal(frame.function, "returns_int");
	end(&s);
}

/* The line that it has in its file has the text. */
static void assert_source(const struct function *function, const char *text)
{
	char line[512] = "", path[4096];
	FILE *source;

	assert_non_null(function->file);
	/* as the compiler was told it, in the directory of the build */
	(void)snprintf(path, sizeof(path), "%.2000s/../../%.2000s", support_targets(),
		       function->file);
	source = fopen(*function->file == '/' ? function->file : path, "re");
	assert_non_null(source);
	for (unsigned int i = 0; i < function->line; i++)
		assert_non_null(fgets(line, sizeof(line), source));
	assert_non_null(strstr(line, text));
	(void)fclose(source);
}

static void a_function_is_declared_where_it_says(void **state)
{
	static const char *const programs[] = {"functions/functions", "functions/functions_4",
					       "functions/functions_dwo"};
	struct subject s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(programs); i++) {
		assert_true(start(&s, programs[i]));
		assert_source(find(&s, "returns_renamed"), " returns_renamed(");
		assert_source(find(&s, "is_static"), " is_static(");
		assert_source(find(&s, "in_pieces"), " in_pieces(");
		end(&s);
	}
}

/* As if the process had it there. */
static void map_file(struct space *space, const char *path)
{
	struct space_mapping map = {.low = 0x100000, .high = 0x200000, .path = path};
	struct stat stat_;

	assert_int_equal(stat(path, &stat_), 0);
	map.device = stat_.st_dev;
	map.inode = stat_.st_ino;
	assert_int_equal(space_map(space, &map), 0);
}

static void what_was_mapped_once_is_not_there(void **state)
{
	struct subject s;
	struct space *empty;
	char path[4096];

	(void)state;
	assert_true(start(&s, "functions/functions"));
	assert_true(support_find("functions/functions_4", path));
	map_file(s.space, path);
	assert_int_equal(look(&s, "functions_4!*", false) > 0, true);
	assert_int_equal(space_update(s.space), 0);
	assert_int_equal(look(&s, "functions_4!*", false), 0);
	assert_int_equal(look(&s, "returns_int", false), 1);
	/* nor in a space of nothing */
	assert_int_equal(space_empty(s.symbolizer, 0, &empty), 0);
	free(s.found);
	assert_int_equal(space_functions(empty, "*", false, &s.found, &s.n), 0);
	assert_int_equal(s.n, 0);
	space_free(empty);
	end(&s);
}

/* --- names -------------------------------------------------------------------------------- */

static void a_library_is_known_by_its_names(void **state)
{
	static const char *const patterns[] = {
		"libfunctions!protected_one",	       "libfunctions.so!protected_one",
		"libfunctions.so.1.2!protected_one",   "lib*!protected_one",
		"libfunctions.so.1!protected_one",
		"*/libfunctions.so.1.2!protected_one", "libf?nctions!prot*",
	};
	static const char *const wrong[] = {
		"libfunction!protected_one",	   "functions!protected_one",
		"libfunctions.so.2!protected_one", "libc!protected_one",
		"/libfunctions!protected_one",
	};
	struct subject s;
	char path[4096], copy[4096];

	(void)state;
	assert_true(start(&s, "functions/functions"));
	for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++) {
		find(&s, patterns[i]);
		assert_non_null(strstr(s.found->module, "/libfunctions.so.1.2"));
	}
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		assert_int_equal(look(&s, wrong[i], false), 0);
	find(&s, "functions!returns_int");
	find(&s, "libc!fopen");
	find(&s, "libc.so.6!fopen");
	/* not all that begins so is where a version begins */
	assert_true(support_find("functions/functions", path));
	(void)snprintf(copy, sizeof(copy), "%s/functions/libwith.sound.so.1", support_targets());
	(void)unlink(copy);
	assert_int_equal(link(path, copy), 0);
	map_file(s.space, copy);
	find(&s, "libwith.sound!is_static");
	assert_int_equal(look(&s, "libwith!is_static", false), 0);
	(void)unlink(copy);
	end(&s);
}

static void a_pattern_without_a_name_is_refused(void **state)
{
	static const char *const patterns[] = {"", "!", "libc!", "!fopen"};
	struct subject s;

	(void)state;
	assert_true(start(&s, "functions/functions"));
	for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++)
		assert_int_equal(space_functions(s.space, patterns[i], false, &s.found, &s.n),
				 -EINVAL);
	end(&s);
}

static void two_names_of_one_place_are_one_function(void **state)
{
	struct subject s;
	raddr_t low;

	(void)state;
	assert_true(start(&s, "functions/functions"));
	low = find(&s, "first_name")->low;
	assert_string_equal(s.found->symbol, "first_name");
	assert_int_equal(find(&s, "__second_name")->low, low);
	assert_string_equal(s.found->name, "__second_name");
	/* both match: the one that users know */
	assert_string_equal(find(&s, "functions!*_name")->symbol, "first_name");
	end(&s);
}

static void what_compilers_append_is_no_part_of_a_name(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start(&s, "functions/functions"));
	assert_string_equal(find(&s, "cloned")->symbol, "cloned.constprop.0");
	assert_string_equal(s.found->name, "cloned");
	assert_string_equal(find(&s, "cloned.constprop.0")->name, "cloned");
	assert_string_equal(find(&s, "cloned_twice")->symbol, "cloned_twice.isra.0.constprop.12");
	assert_string_equal(find(&s, "partial")->symbol, "partial.part.7");
	assert_string_equal(find(&s, "numbered")->symbol, "numbered.4");
	assert_string_equal(find(&s, "dotted.partial")->name, "dotted.partial");
	assert_int_equal(look(&s, "dotted", false), 0);
	assert_string_equal(find(&s, "numbers.4x")->name, "numbers.4x");
	assert_int_equal(look(&s, "chilled*", false), 0);
	end(&s);
}

static void a_version_is_no_part_of_a_name(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start(&s, "functions/functions"));
	assert_int_equal(look(&s, "libfunctions!versioned", false), 2);
	assert_string_equal(s.found[0].symbol, "versioned");
	assert_string_equal(s.found[1].symbol, "versioned");
	assert_int_not_equal(s.found[0].return_bytes, s.found[1].return_bytes);
	assert_int_equal(look(&s, "*@*", false), 0);
	end(&s);
}

static void what_is_exported_is_told(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start(&s, "functions/functions"));
	assert_true(find(&s, "protected_one")->exported);
	assert_false(find(&s, "hidden_one")->exported);
	assert_false(find(&s, "is_static")->exported);
	assert_false(find(&s, "returns_int")->exported);
	look(&s, "libfunctions!*", true);
	assert_true(is_found(&s, "versioned") && is_found(&s, "protected_one"));
	assert_false(is_found(&s, "hidden_one"));
	assert_int_equal(look(&s, "functions!*", true), 0);
	end(&s);
	/* dynamic symbols are all that it has */
	assert_true(start(&s, "functions/functions_none"));
	assert_true(find(&s, "returns_int")->exported);
	assert_int_equal(look(&s, "is_static", false), 0);
	end(&s);
}

static void what_is_no_entry_is_left_out(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start(&s, "functions/functions"));
	look(&s, "functions!*", false);
	assert_true(is_found(&s, "choice") && is_found(&s, "main"));
	assert_false(is_found(&s, "chosen")); /* the loader calls it, to choose */
	assert_false(is_found(&s, "sink"));   /* data */
	assert_int_equal(look(&s, "*vdso*", false), 0);
	end(&s);
	/* a stub that stands for the function of another file */
	assert_true(start(&s, "functions/functions_fixed"));
	find(&s, "functions_fixed!returns_int");
	assert_int_equal(look(&s, "functions_fixed!versioned", false), 0);
	end(&s);
}

static void names_near_to_a_wrong_one_are_told(void **state)
{
	struct subject s;
	char *names[3] = {NULL};

	(void)state;
	assert_true(start(&s, "functions/functions"));
	assert_true(space_functions_near(s.space, "retruns_pointer", false, names, 3) >= 1);
	assert_string_equal(names[0], "returns_pointer");
	for (size_t i = 0; i < 3; i++)
		free(names[i]);
	assert_true(space_functions_near(s.space, "fopne", true, names, 1) == 1);
	assert_string_equal(names[0], "fopen");
	free(names[0]);
	assert_true(space_functions_near(s.space, "libfunctions!Protected_one", true, names, 3) >=
		    1);
	assert_string_equal(names[0], "libfunctions.so.1.2!protected_one");
	free(names[0]);
	/* the right name in the wrong library, and nothing else */
	assert_int_equal(space_functions_near(s.space, "libnone!fopen", false, names, 3), 1);
	assert_non_null(strstr(names[0], "!fopen"));
	free(names[0]);
	assert_int_equal(space_functions_near(s.space, "libnone!hidden_one", true, names, 3), 0);
	assert_int_equal(
		space_functions_near(s.space, "nothing_like_this_anywhere", false, names, 3), 0);
	assert_int_equal(space_functions_near(s.space, "libfunctions!", false, names, 3), 0);
	end(&s);
}

/* --- what they return --------------------------------------------------------------------- */

struct expected {
	const char *symbol;
	enum function_returns returns;
	unsigned int bytes;
};

static void assert_returns(struct subject *s, const struct expected *expected)
{
	const struct function *function = find(s, expected->symbol);

	if (function->returns != expected->returns || function->return_bytes != expected->bytes) {
		print_error("%s: returns %d, %u bytes\n", expected->symbol, function->returns,
			    function->return_bytes);
		fail();
	}
}

static void types_are_read_through_their_names(void **state)
{
	static const char *const programs[] = {"functions/functions", "functions/functions_4",
					       "functions/functions_dwo"};
	static const struct expected expected[] = {
		{"returns_void", RETURNS_VOID, 0},	 {"returns_nothing", RETURNS_VOID, 0},
		{"returns_int", RETURNS_SIGNED, 4},	 {"returns_number", RETURNS_SIGNED, 4},
		{"returns_char", RETURNS_SIGNED, 1},	 {"returns_long", RETURNS_SIGNED, 8},
		{"returns_short", RETURNS_UNSIGNED, 2},	 {"returns_size", RETURNS_UNSIGNED, 8},
		{"returns_bool", RETURNS_BOOL, 1},	 {"returns_place", RETURNS_POINTER, 8},
		{"returns_pointer", RETURNS_POINTER, 8}, {"returns_function", RETURNS_POINTER, 8},
		{"returns_plain", RETURNS_UNSIGNED, 4},	 {"returns_negative", RETURNS_SIGNED, 4},
		{"returns_renamed", RETURNS_SIGNED, 4},	 {"returns_double", RETURNS_OTHER, 8},
		{"returns_many", RETURNS_OTHER, 32},	 {"is_static", RETURNS_SIGNED, 4},
		{"cloned", RETURNS_SIGNED, 4},		 {"in_pieces", RETURNS_SIGNED, 4},
		{"in_assembly", RETURNS_NOT_KNOWN, 0},	 {"__second_name", RETURNS_SIGNED, 4},
	};
	struct subject s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(programs); i++) {
		assert_true(start(&s, programs[i]));
		for (size_t j = 0; j < ARRAY_LENGTH(expected); j++)
			assert_returns(&s, &expected[j]);
		end(&s);
	}
}

static void what_a_function_may_write_to_is_told(void **state)
{
	static const struct {
		const char *symbol;
		unsigned int writes;
	} expected[] = {
		{"writes_some", 1 << 1 | 1 << 4}, /* the number with a point is in another register */
		{"writes_typedef", 1 << 1},
		{"returns_int", 0},
		{"takes_many", UINT32_MAX}, /* nobody knows in how many registers that comes */
		{"in_assembly", UINT32_MAX},
	};
	struct subject s;

	(void)state;
	assert_true(start(&s, "functions/functions"));
	for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
		assert_int_equal(find(&s, expected[i].symbol)->writes, expected[i].writes);
	end(&s);
	assert_true(start(&s, "functions/functions_none"));
	assert_int_equal(find(&s, "writes_some")->writes, UINT32_MAX);
	end(&s);
	if (!start(&s, "functions/functions_cxx"))
		return;
	assert_int_equal(find(&s, "outer::Reader::self")->writes, 1 << 0);
	assert_int_equal(find(&s, "outer::Reader::is_open")->writes, 0);
	end(&s);
}

static void an_overloaded_name_is_told_once(void **state)
{
	struct subject s;
	char *names[3];
	size_t n;

	(void)state;
	if (!start(&s, "functions/functions_cxx"))
		SKIP_BECAUSE("there is no compiler for C++");
	n = space_functions_near(s.space, "functions_cxx!raed", false, names, 3);
	assert_int_equal(n, 1);
	assert_string_equal(names[0], "functions_cxx!outer::Reader::read");
	free(names[0]);
	end(&s);
}

static void a_function_in_a_function_is_found(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start(&s, "functions/functions"));
	if (look(&s, "within", false) == 0) {
		end(&s);
		SKIP_BECAUSE("the compiler has none");
	}
	assert_returns(&s, &(struct expected){"within", RETURNS_SIGNED, 8});
	assert_source(s.found, "long within(");
	end(&s);
}

static void without_debug_information_nothing_is_said(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start(&s, "functions/functions_none"));
	assert_returns(&s, &(struct expected){"returns_int", RETURNS_NOT_KNOWN, 0});
	assert_null(s.found->file);
	assert_int_equal(s.found->line, 0);
	end(&s);
}

static void debug_information_in_a_file_of_its_own_is_read(void **state)
{
	struct subject s;

	(void)state;
	if (!start(&s, "stacks_linked"))
		SKIP_BECAUSE("stacks_linked was not built");
	assert_int_equal(space_update(s.space), 0);
	assert_returns(&s, &(struct expected){"recurse", RETURNS_SIGNED, 4});
	assert_false(s.found->exported);
	assert_returns(&s, &(struct expected){"deep3", RETURNS_VOID, 0});
	end(&s);
}

/* --- C++ ---------------------------------------------------------------------------------- */

static void functions_of_cxx_are_known_by_what_their_source_calls_them(void **state)
{
	static const struct expected expected[] = {
		{"outer::Reader::self", RETURNS_POINTER, 8},
		{"outer::Reader::is_open", RETURNS_BOOL, 1},
		{"outer::Reader::find", RETURNS_POINTER, 8},
		{"outer::Reader::operator=", RETURNS_POINTER, 8},
		{"outer::Reader::operator!", RETURNS_BOOL, 1},
		{"functions_cxx!outer::Reader::operator!", RETURNS_BOOL, 1},
		{"outer::(anonymous namespace)::hidden_away", RETURNS_SIGNED, 4},
		{"outer::moved", RETURNS_POINTER, 8},
		{"outer::returns_small", RETURNS_UNSIGNED, 1},
		{"outer::twice<int>", RETURNS_SIGNED, 4},
		{"outer::twice<unsigned long>", RETURNS_UNSIGNED, 8},
		{"outer::tagged", RETURNS_OTHER, 32},
		{"_ZNK5outer6Reader7is_openEv", RETURNS_BOOL, 1},
	};
	struct subject s;

	(void)state;
	if (!start(&s, "functions/functions_cxx"))
		SKIP_BECAUSE("there is no compiler for C++");
	for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
		assert_returns(&s, &expected[i]);
	assert_string_equal(s.found->name, "outer::Reader::is_open");
	assert_source(find(&s, "outer::tagged"), "string tagged(");
	assert_source(find(&s, "outer::Reader::is_open"), "Reader::is_open() const {");
	/* all that go by one name */
	assert_int_equal(look(&s, "outer::Reader::read", false), 2);
	assert_int_equal(look(&s, "outer::twice<*>", false), 2);
	assert_true(look(&s, "outer::Reader::~Reader", false) >=
		    2); /* one that frees, one that does not */
	assert_true(look(&s, "outer::Reader::Reader", false) >= 1);
	assert_int_equal(s.found->returns, RETURNS_VOID);
	assert_int_equal(look(&s, "Reader::read", false), 0);
	/* a name that its symbol does not spell out */
	assert_true(look(&s, "std::allocator<char>::allocator", false) >= 1);
	end(&s);
}

/* --- hostile ------------------------------------------------------------------------------ */

static void debug_information_cannot_keep_us_for_ever(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start(&s, "functions/functions_circle"));
	assert_returns(&s, &(struct expected){"returns_circle", RETURNS_NOT_KNOWN, 0});
	assert_returns(&s, &(struct expected){"returns_itself", RETURNS_NOT_KNOWN, 0});
	assert_returns(&s, &(struct expected){"returns_named_void", RETURNS_VOID, 0});
	assert_returns(&s, &(struct expected){"returns_volatile", RETURNS_POINTER, 8});
	assert_returns(&s, &(struct expected){"returns_negative_value", RETURNS_SIGNED, 2});
	/* not within a lifetime */
	assert_returns(&s, &(struct expected){"behind_namespaces", RETURNS_NOT_KNOWN, 0});
	end(&s);
}

/* A copy with bytes changed, in build/tests/targets as the original. */
static void spoil(const char *path, const char *copy, unsigned int *seed)
{
	static char bytes[1 << 20];
	int in = open(path, O_RDONLY | O_CLOEXEC), out;
	ssize_t n;

	assert_true(in >= 0);
	n = read(in, bytes, sizeof(bytes));
	assert_in_range(n, 1000, sizeof(bytes) - 1);
	close(in);
	for (int i = rand_r(seed) % 200; i >= 0; i--)
		bytes[rand_r(seed) % (rand_r(seed) % 4 ? n : 1024)] = (char)(rand_r(seed) >> 8);
	(void)unlink(copy);
	out = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(out >= 0);
	assert_int_equal(write(out, bytes, (size_t)n), n);
	close(out);
}

/* Whatever is in the file: an answer in itself sound. */
static void look_at_all(const char *path)
{
	struct symbolizer *symbolizer;
	struct function *found = NULL;
	struct space *space;
	char *names[4];
	size_t n = 0;

	assert_int_equal(symbolizer_new(NULL, &symbolizer), 0);
	assert_int_equal(space_empty(symbolizer, 0, &space), 0);
	map_file(space, path);
	assert_int_equal(space_functions(space, "*", false, &found, &n), 0);
	for (size_t i = 0; i < n; i++) {
		assert_in_range(found[i].low, 0x100000, 0x1fffff);
		assert_true(found[i].high >= found[i].low && *found[i].symbol && *found[i].name);
		assert_true(i == 0 || found[i].low > found[i - 1].low);
	}
	free(found);
	n = space_functions_near(space, "outer::Reader::raed", false, names, 4);
	while (n > 0)
		free(names[--n]);
	space_free(space);
	symbolizer_free(symbolizer);
}

static void spoiled_files_do_no_harm(void **state)
{
	static const char *const programs[] = {"functions/functions", "functions/functions_4",
					       "functions/functions_circle",
					       "functions/functions_cxx"};
	char path[4096], copy[4096];
	unsigned int seed = 11;

	(void)state;
	(void)snprintf(copy, sizeof(copy), "%s/functions/spoiled", support_targets());
	for (size_t i = 0; i < ARRAY_LENGTH(programs); i++) {
		for (int round = 0; support_find(programs[i], path) && round < 100; round++) {
			spoil(path, copy, &seed);
			look_at_all(copy);
		}
	}
	(void)unlink(copy);
}

/* --- a large one -------------------------------------------------------------------------- */

static void the_c_library_is_read_whole(void **state)
{
	struct subject s;
	size_t n_exported;

	(void)state;
	assert_true(start(&s, "functions/functions"));
	n_exported = look(&s, "libc!*", true);
	assert_true(n_exported > 1000);
	assert_true(is_found(&s, "fopen") && is_found(&s, "opendir") && is_found(&s, "shm_open"));
	assert_false(is_found(&s, "strlen"));
	for (size_t i = 0; i < s.n; i++)
		assert_null(strchr(s.found[i].symbol, '@'));
	assert_true(look(&s, "libc!*", false) >= n_exported);
	end(&s);
}

static void separate_debug_information_of_the_c_library_is_read(void **state)
{
	struct subject s;

	(void)state;
	assert_true(start(&s, "functions/functions"));
	if (find(&s, "libc!fopen")->returns == RETURNS_NOT_KNOWN) {
		end(&s);
		SKIP_BECAUSE("libc's debug information is not installed");
	}
	assert_returns(&s, &(struct expected){"libc!fopen", RETURNS_POINTER, 8});
	assert_returns(&s, &(struct expected){"libc!shm_open", RETURNS_SIGNED, 4});
	assert_returns(&s, &(struct expected){"libc!perror", RETURNS_VOID, 0});
	assert_returns(&s, &(struct expected){"libc!fread", RETURNS_UNSIGNED, 8});
	assert_returns(&s, &(struct expected){"libc!_IO_new_fopen", RETURNS_POINTER, 8});
	assert_returns(&s, &(struct expected){"libc!dup2", RETURNS_NOT_KNOWN, 0}); /* assembly */
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_is_where_the_process_has_it),
		cmocka_unit_test(a_function_is_declared_where_it_says),
		cmocka_unit_test(what_was_mapped_once_is_not_there),
		cmocka_unit_test(a_library_is_known_by_its_names),
		cmocka_unit_test(a_pattern_without_a_name_is_refused),
		cmocka_unit_test(two_names_of_one_place_are_one_function),
		cmocka_unit_test(what_compilers_append_is_no_part_of_a_name),
		cmocka_unit_test(a_version_is_no_part_of_a_name),
		cmocka_unit_test(what_is_exported_is_told),
		cmocka_unit_test(what_is_no_entry_is_left_out),
		cmocka_unit_test(names_near_to_a_wrong_one_are_told),
		cmocka_unit_test(types_are_read_through_their_names),
		cmocka_unit_test(what_a_function_may_write_to_is_told),
		cmocka_unit_test(an_overloaded_name_is_told_once),
		cmocka_unit_test(a_function_in_a_function_is_found),
		cmocka_unit_test(without_debug_information_nothing_is_said),
		cmocka_unit_test(debug_information_in_a_file_of_its_own_is_read),
		cmocka_unit_test(functions_of_cxx_are_known_by_what_their_source_calls_them),
		cmocka_unit_test(debug_information_cannot_keep_us_for_ever),
		cmocka_unit_test(spoiled_files_do_no_harm),
		cmocka_unit_test(the_c_library_is_read_whole),
		cmocka_unit_test(separate_debug_information_of_the_c_library_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
