#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# stacks_split.sh PROGRAM OUTPUT - PROGRAM without symbols and debug information, which go to
# OUTPUT.debug and are linked from OUTPUT; and OUTPUT_mini, with a symbol table of its own inside
set -eu
program=$1
output=$2
cd "$(dirname "$output")"
name=$(basename "$output")
objcopy --only-keep-debug "$program" "$name.debug"
objcopy --strip-all "$program" "$name.tmp"
objcopy --add-gnu-debuglink="$name.debug" "$name.tmp" "$output"
command -v xz >/dev/null || exit 0
objcopy --strip-debug "$program" "$name.symbols"
xz -kf "$name.symbols"
objcopy --add-section .gnu_debugdata="$name.symbols.xz" "$name.tmp" "${output}_mini"
