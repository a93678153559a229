#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check.sh BUILD JOBS [TEST...] - run the tests of a build directory and count what they say
set -u
build=$1
jobs=$2
shift 2

rm -f "$build/meson-logs/testlog.json"
meson test -C "$build" --no-rebuild --num-processes "$jobs" --print-errorlogs "$@"
exec python3 "$(dirname "$0")/../tests/summary.py" "$build/meson-logs/testlog.json"
