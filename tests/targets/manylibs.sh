#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# manylibs.sh MAIN.c OUTPUT COUNT CC... - a program linked with COUNT shared libraries of its own
set -eu
main=$1
output=$2
count=$3
shift 3

libs=$output.libs
rm -rf "$libs"
mkdir -p "$libs"
n=0
link=
while [ $n -lt "$count" ]; do
	{
		i=0
		while [ $i -lt 50 ]; do
			echo "int many_${n}_$i(int a) { return a + $i; }"
			i=$((i + 1))
		done
	} >"$libs/many$n.c"
	"$@" -shared -fPIC -O1 -Wl,-soname,libmany$n.so -o "$libs/libmany$n.so" "$libs/many$n.c"
	link="$link -lmany$n"
	n=$((n + 1))
done
# shellcheck disable=SC2086
"$@" -D_GNU_SOURCE -o "$output" "$main" "-L$libs" -Wl,--no-as-needed \
	"-Wl,-rpath,\$ORIGIN/$(basename "$libs")" $link
