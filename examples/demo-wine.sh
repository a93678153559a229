#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# demo-wine.sh BUILD - Wine's CreateRemoteThread() beside ours: what failing calls leave behind
#
# One source, examples/beside_wine.c, is compiled for Windows and run in Wine, and compiled for
# Linux and run with libtendril.  Needs wine64, mingw-w64 and 700 MB for a moment (Wine's C: drive).
set -eu

build=${1:-build}
rounds=${ROUNDS:-3}
patience_s=20 # the calls take one or two seconds

here=$(dirname "$0")
native=$build/examples/beside_wine
compiler=x86_64-w64-mingw32-gcc
wine='' wineserver=''
for name in wine64 /usr/lib/wine/wine64 wine; do
	[ -n "$wine" ] || wine=$(command -v "$name") || true
done
for name in wineserver /usr/lib/wine/wineserver64 /usr/lib/wine/wineserver; do
	[ -n "$wineserver" ] || wineserver=$(command -v "$name") || true
done
[ -x "$native" ] || { echo "demo-wine: $native is not built: run make first" >&2; exit 3; }
[ -n "$wine" ] || { echo 'demo-wine: there is no wine64' >&2; exit 3; }
[ -n "$wineserver" ] || { echo 'demo-wine: there is no wineserver' >&2; exit 3; }
command -v $compiler >/dev/null || { echo "demo-wine: there is no $compiler" >&2; exit 3; }

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') red=$(printf '\033[31m') green=$(printf '\033[32m') off=$(printf '\033[0m')
else
	bold='' red='' green='' off=''
fi

work=$(mktemp -d)
target_pid='' caller_pid=''

# A Wine of our own: nothing of the user's is read or written, nothing is asked or downloaded.
export WINEPREFIX="$work/wine" HOME="$work" DISPLAY='' WINEDEBUG=-all
export WINEDLLOVERRIDES='mscoree,mshtml,winemenubuilder.exe='
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME WAYLAND_DISPLAY WINESERVER

# Only what was started here: ours by their numbers, Wine's own processes by their directory.
finish()
{
	for pid in $caller_pid $target_pid; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	if [ -d "$WINEPREFIX" ]; then
		"$wineserver" -k 2>/dev/null || true
		"$wineserver" -w 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

say()
{
	printf '  %s\n' "$@"
}

prepare_wine()
{
	$compiler -O2 -I"$here/../include" "$here/beside_wine.c" -o "$work/beside_wine.exe"
	"$wine" wineboot -i >"$work/wineboot.out" 2>&1 || {
		cat "$work/wineboot.out" >&2
		echo 'demo-wine: Wine does not start' >&2
		exit 3
	}
}

# run_program ARGUMENT...: the program, as one process of which the shell knows the number
run_program()
{
	case $who in
	wine) exec "$wine" "$work/beside_wine.exe" "$@" ;;
	*) exec "$native" "$@" ;;
	esac
}

start_target()
{
	: >"$work/target"
	run_program target </dev/null >"$work/target" 2>"$work/target.errors" &
	target_pid=$!
	tries=0
	while ! grep -q . "$work/target"; do
		tries=$((tries + 1))
		if [ $tries -gt 300 ] || ! kill -0 "$target_pid" 2>/dev/null; then
			cat "$work/target.errors" >&2
			echo "demo-wine: the target of $title did not start" >&2
			exit 3
		fi
		sleep 0.1
	done
}

end_target()
{
	kill -KILL "$target_pid" 2>/dev/null || true
	wait "$target_pid" 2>/dev/null || true
	target_pid=''
}

# figure NAME -> what the caller said last under that name, or "?"
figure()
{
	awk -F'|' -v name="$1" '$1 == name { value = $2 } END { print value == "" ? "?" : value }' \
		"$work/said"
}

# call_target: the caller's figures into $work/said.  Its end is waited for, but not for ever.
call_target()
{
	read -r pid answer state <<-end
		$(tr -d '\r' <"$work/target")
	end
	run_program caller "$pid" "$answer" "$state" </dev/null >"$work/raw" 2>"$work/errors" &
	caller_pid=$!
	end_s=$(($(date +%s) + patience_s))
	is_back=1
	while kill -0 "$caller_pid" 2>/dev/null; do
		if [ "$(date +%s)" -ge "$end_s" ]; then
			is_back=''
			kill -KILL "$caller_pid" 2>/dev/null || true
			break
		fi
		sleep 0.1
	done
	wait "$caller_pid" 2>/dev/null && status=0 || status=$?
	caller_pid=''
	tr -d '\r' <"$work/raw" >"$work/said"
	[ -z "$is_back" ] || [ "$status" = 0 ] || {
		cat "$work/errors" >&2
		echo "demo-wine: the caller of $title ended with status $status" >&2
		exit 3
	}
}

show_round()
{
	mark=$green
	lost=$(($(figure caller_after) - $(figure caller_before)))
	all_calls=$((all_calls + $(figure made)))
	all_failed=$((all_failed + $(figure failed)))
	all_lost=$((all_lost + lost))
	if [ -z "$is_back" ]; then
		printf "  %-14s %6s %7s  $red%6s %6s  then a call did not come back in %s s$off\n" \
			"$title" "$(figure made)" "$(figure failed)" "$(figure caller_before)" \
			"$(figure caller_after)" "$patience_s"
		hung=$((hung + 1))
		return
	fi
	broken=$(figure broken)
	works=$([ "$(figure works)" = 1 ] && echo yes || echo NO)
	if [ "$lost $broken $works $(figure target_before)" != "0 0 yes $(figure target_after)" ]; then
		mark=$red
		unclean=$((unclean + 1))
	fi
	printf "  %-14s %6s %7s  $mark%6s %6s  %6s %6s  %8s  %6s$off %7s\n" "$title" \
		"$(figure made)" "$(figure failed)" "$(figure caller_before)" \
		"$(figure caller_after)" "$(figure target_before)" "$(figure target_after)" \
		"$broken" "$works" "$(figure milliseconds)"
	[ "$broken" = '?' ] || all_broken=$((all_broken + broken))
	[ "$works" = yes ] || dead=$((dead + 1))
}

# show WHO TITLE: the rounds, each with a fresh target
show()
{
	who=$1 title=$2
	hung=0 dead=0 unclean=0 all_calls=0 all_failed=0 all_lost=0 all_broken=0
	round=0
	while [ $round -lt "$rounds" ]; do
		start_target
		call_target
		end_target
		show_round
		round=$((round + 1))
	done
}

# What the rounds of one of them come to.
sum_up()
{
	least=''
	[ "$hung" = 0 ] || least='at least '
	printf '%s: %s failing calls lost %s%s handles of the caller, and broke %s%s operations\n' \
		"$title" "$all_failed" "$least" "$all_lost" "$least" "$all_broken"
	printf '    of the target. Of %s callers %s did not come back; ' "$rounds" "$hung"
	printf 'of the other targets %s no longer worked.\n' "$dead"
}

begun=$(date +%s)
version=$("$wine" --version | sed 's/^wine-\([^ ]*\).*/Wine \1/')
printf '%s%s and Tendril: CreateRemoteThread() that fails%s\n\n' "$bold" "$version" "$off"
say 'The calls ask for a stack of 64 TiB, so that memory in the target is what fails. The target' \
    'has a thread that sleeps and one that opens and closes handles. "Broken" are operations of' \
    'that thread on handles of its own that somebody else had closed.' ''
prepare_wine
printf "  %-14s %6s %7s  %13s  %13s  %8s  %6s %7s\n" '' '' '' "caller's" "target's" '' 'target' ''
printf "  %-14s %6s %7s  %6s %6s  %6s %6s  %8s  %6s %7s\n" '' calls failed before after before \
	after broken works ms
show wine "$version"
wine_says=$(sum_up)
wine_trouble=$((unclean + hung))
show native Tendril
say '' "$wine_says" "$(sum_up)"
if [ $((unclean + hung)) != 0 ] || [ "$all_failed" != "$all_calls" ]; then
	say "${red}Something was left or broken by Tendril: that is a bug of ours.${off}"
	exit 4
fi
if [ "$wine_trouble" != 0 ]; then
	say "${green}Of $rounds rounds each, $wine_trouble went wrong in $version and none here.${off}"
else
	say "${green}Nothing went wrong in either, in $rounds rounds each.${off}"
fi
say "$(($(date +%s) - begun)) s in all."
