# SPDX-License-Identifier: BSD-2-Clause
# A small front for meson and ninja, which can be used directly in build/ too.

BUILD  ?= build
PREFIX ?= /usr/local
MESON_FLAGS ?=
# How many tests run at once: they are live, and measure time.
TEST_JOBS ?= 1
# Names of single tests for `make check`; none means all.
TESTS ?=

# The same for `make bench`.
BENCHES ?= bench bench_monitor bench_pdh bench_store bench_serve bench_watch bench_functions bench_leaks bench_faults bench_win32

# The packages that are not there.
MISSING = sh scripts/need.sh --missing build check

.PHONY: all check check-wine demo demo-wine bench torture install clean sanitize help

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

help:
	@sed -n 's/^## //p' Makefile

## make           build into build/
## make check     install what is missing, build, run the tests; last line: N passed, N failed, N skipped
## make check-wine the Win32 tests on Linux and, compiled for Windows, in Wine; both must agree
## make demo      the article's story on real processes
## make demo-wine Wine's CreateRemoteThread() beside ours; installs wine64 and mingw-w64
## make bench     the benchmarks, each beside its peer
## make torture   the long torture: 20,000 remote threads in each kind of target
## make sanitize  the tests once more with ASan and UBSan, in build-sanitize/
## make install   PREFIX and DESTDIR as usual
## make clean

# The tools only: what --tell finds missing is named, not installed.
$(BUILD)/build.ninja: Makefile
	@sh scripts/need.sh --tell build
	@if [ -e $@ ]; then \
		meson configure $(BUILD) --prefix=$(abspath $(PREFIX)) $(MESON_FLAGS) && \
		ninja -C $(BUILD) build.ninja && touch $@; \
	else \
		meson setup $(BUILD) --prefix=$(abspath $(PREFIX)) $(MESON_FLAGS) && \
			$(MISSING) >$(BUILD)/missing; \
	fi

# Meson looks for the tools of the tests once.  What came since, it would never see, and would leave
# out most tests.
check:
	@sh scripts/need.sh build check
	@$(MAKE) -s --no-print-directory $(BUILD)/build.ninja
	@if [ "$$($(MISSING))" != "$$(cat $(BUILD)/missing 2>&1)" ]; then \
		meson configure $(BUILD) --clearcache && meson setup --reconfigure $(BUILD) && \
			$(MISSING) >$(BUILD)/missing; \
	fi
	@$(MAKE) --no-print-directory all
	@ninja -C $(BUILD) meson-test-prereq
	@sh scripts/check.sh $(BUILD) $(TEST_JOBS) $(TESTS)

# SECTIONS="crt wt": some of them.
check-wine:
	@sh scripts/need.sh build wine
	@$(MAKE) --no-print-directory all
	@ninja -C $(BUILD) win32-programs
	@scripts/check-wine $(BUILD) $(SECTIONS)

demo:
	@sh scripts/need.sh build
	@$(MAKE) --no-print-directory all
	@sh examples/demo.sh $(BUILD)

demo-wine:
	@sh scripts/need.sh build wine
	@$(MAKE) --no-print-directory all
	@sh examples/demo-wine.sh $(BUILD)

# What the peers are is optional: without one, its line says so.
bench:
	@sh scripts/need.sh build bench
	@$(MAKE) --no-print-directory all
	@ninja -C $(BUILD) $(patsubst %,bench/%,$(filter-out bench_leaks bench_faults bench_win32,$(BENCHES))) tests/targets/manylibs bench_leaks_parts bench_faults_parts bench_win32_parts
	@cd $(BUILD) && bad=0; for name in $(BENCHES); do \
		case $$name in \
		bench_leaks | bench_faults | bench_win32) (cd - >/dev/null && python3 bench/$$name.py $(BUILD)) || bad=1; continue ;; \
		bench) words="--targets tests/targets" ;; \
		bench_serve | bench_watch) words=src/cmd/tendril ;; \
		*) words= ;; \
		esac; \
		bench/$$name $$words || bad=1; echo; \
	done; exit $$bad

torture: all
	@ninja -C $(BUILD) tests/torture meson-test-prereq
	@$(BUILD)/tests/torture --targets $(BUILD)/tests/targets -n 20000 all
	@$(BUILD)/tests/torture --targets $(BUILD)/tests/targets -n 20000 -t 4 all
	@CMOCKA_MESSAGE_OUTPUT=TAP $(BUILD)/tests/test_nothing_left --kills 1000
	@CMOCKA_MESSAGE_OUTPUT=TAP $(BUILD)/tests/test_scale --full

sanitize:
	@sh scripts/need.sh build check
	@[ -e build-sanitize/build.ninja ] || meson setup build-sanitize \
		-Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C build-sanitize && ninja -C build-sanitize meson-test-prereq
	@sh scripts/check.sh build-sanitize $(TEST_JOBS) $$(cat scripts/sanitized-tests)

# prefix is an option of the build directory: set it again, in case PREFIX differs from last time.
install: all
	@meson configure $(BUILD) --prefix=$(abspath $(PREFIX))
	@ninja -C $(BUILD)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

clean:
	@rm -rf $(BUILD) build-sanitize
