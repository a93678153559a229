#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# demo.sh BUILD - the story of Microsoft's article Q272913 on real processes, in under a minute
set -eu

build=${1:-build}
tendril=$build/src/cmd/tendril
service=$build/examples/service
program=$build/examples/q272913
for needed in "$tendril" "$service" "$program"; do
	[ -x "$needed" ] || { echo "demo: $needed is not built: run make first" >&2; exit 3; }
done

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') red=$(printf '\033[31m') green=$(printf '\033[32m') off=$(printf '\033[0m')
else
	bold='' red='' green='' off=''
fi

work=$(mktemp -d)
begun=$(date +%s)
service_pid='' load_pid='' program_pid=''

# Only what was started here, by its number.
finish()
{
	exec 3>&- 4>&- 5>&- 6<&- 2>/dev/null || true
	for pid in $program_pid $load_pid $service_pid; do
		kill "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

heading()
{
	printf '\n%s%s%s\n\n' "$bold" "$1" "$off"
}

say()
{
	printf '  %s\n' "$@"
}

# counts PID -> "HANDLES THREADS MAPPINGS", as `tendril ps` tells them
counts()
{
	"$tendril" ps --json "$1" | tr ',{}' '\n\n\n' | awk -F: '
		$1 == "\"handles\"" { h = $2 } $1 == "\"threads\"" { t = $2 }
		$1 == "\"mappings\"" { m = $2 } END { print h, t, m }'
}

# What an error number of Win32 means.
meaning()
{
	case $1 in
	0) echo '-' ;;
	4) echo 'TOO_MANY_OPEN_FILES' ;;
	5) echo 'ACCESS_DENIED' ;;
	6) echo 'INVALID_HANDLE' ;;
	8) echo 'NOT_ENOUGH_MEMORY' ;;
	87) echo 'INVALID_PARAMETER' ;;
	170) echo 'BUSY' ;;
	299) echo 'PARTIAL_COPY' ;;
	*) echo "error $1" ;;
	esac
}

start_service()
{
	mkfifo "$work/service.in" "$work/service.out" "$work/load.in"
	"$service" <"$work/service.in" >"$work/service.out" &
	service_pid=$!
	exec 3>"$work/service.in"
	exec 6<"$work/service.out"
	read -r _ pid port function ticket sessions <&6
	"$service" load "$port" <"$work/load.in" >"$work/load.out" &
	load_pid=$!
	exec 4>"$work/load.in"
}

# start_program MODE; then next_round reads what it says, and go_on lets it continue
start_program()
{
	rm -f "$work/in" "$work/out"
	mkfifo "$work/in" "$work/out"
	"$program" "$1" "$pid" "$function" "$ticket" "$sessions" <"$work/in" >"$work/out" 3>&- 4>&- 6<&- &
	program_pid=$!
	exec 5>"$work/in"
	exec 7<"$work/out"
}

next_round()
{
	IFS='|' read -r what calls failed error <&7
}

go_on()
{
	[ ! -t 1 ] || printf '  working ...\r'
	echo >&5
}

end_program()
{
	exec 5>&-
	wait "$program_pid" || { echo "demo: the program failed" >&2; exit 1; }
	program_pid=''
	exec 7<&-
}

# now="CALLER'S-HANDLES SERVICE'S-HANDLES THREADS MAPPINGS"
look()
{
	now="$(counts "$program_pid" | cut -d' ' -f1) $(counts "$pid")"
}

show_symptom()
{
	heading 'Symptom: a call that fails, and a handle count that climbs'
	say 'The caller makes threads in the service, with CreateServiceThread() written as in 1999:' \
	    'first the thread and its handle, then a later stage, which fails. The thread is ended,' \
	    'NULL comes back; the handle stays open, and nobody knows it.' ''
	start_program defect
	printf '  %12s  %12s  %16s\n' 'failing calls' 'came back' "caller's handles"
	first='' caller=''
	while next_round; do
		look
		caller=${now%% *}
		: "${first:=$caller}"
		printf '  %12s  %12s  %s%16s%s\n' "$calls" "$([ "$calls" = 0 ] && echo - || echo NULL)" \
			"$([ "$caller" -gt "$first" ] && echo "$red")" "$caller" "$off"
		[ "$calls" -ge 250 ] && break
		go_on
	done
	lost=$((caller - first))
	echo
	say "$lost handles for $calls calls. The last of them, by \`tendril handles $program_pid\`:" ''
	"$tendril" handles "$program_pid" | sed -n '1p;$p' | cut -c1-90 | sed 's/^/    /'
	go_on
	end_program
}

# look_for_leaks [--ptrace]: of the same calls once more; false: that cannot be done here
look_for_leaks()
{
	found=0
	yes '' | head -6 | "$tendril" leaks "$@" --top 1 -- \
		sh -c 'exec "$@" >/dev/null 3>&- 4>&- 6<&-' sh \
		"$program" defect "$pid" "$function" "$ticket" "$sessions" \
		>"$work/leaks" 2>"$work/leaks.error" || found=$?
	[ "$found" -lt 2 ]
}

show_cause()
{
	heading 'Cause: who opened them'
	say 'The same calls once more, under `tendril leaks -- q272913 defect ...`:' ''
	# What watches without slowing anything down is for root.
	if ! look_for_leaks && ! look_for_leaks --ptrace; then
		sed 's/^/    /' "$work/leaks.error"
		return
	fi
	sed -n '/^LEAK/p; /CreateRemoteThread (/,/ main (/p' "$work/leaks" | sed 's/^ */    /' | cut -c1-100
	[ "$found" = 1 ] || { echo "demo: the leak was not found" >&2; exit 1; }
}

# explore FUNCTION MODE: each of its steps made to fail; false: that cannot be done here
explore()
{
	found=0
	"$tendril" faults -f "$1" --calls 1 --time-limit 20 -- \
		"$program" "$2" "$pid" "$function" "$ticket" "$sessions" \
		</dev/null >"$work/faults" 2>"$work/faults.error" 3>&- 4>&- 6<&- || found=$?
	[ "$found" -lt 2 ]
}

show_proof()
{
	heading 'Proof: each step made to fail'
	say 'A program for which nothing goes wrong, under `tendril faults -f FUNCTION`: every system' \
	    'call in there fails once, in each way that it can, in a copy of the program.' ''
	if ! explore CreateServiceThread_1999 use-1999; then
		sed 's/^/    /' "$work/faults.error"
		return
	fi
	sed -n -E '/^LEAK|^    (failed|returned|left open) |#.* in q272913$|explored:/p' "$work/faults" |
		sed 's/^ */    /' | cut -c1-110
	[ "$found" = 1 ] || { echo "demo: the leak was not proved" >&2; exit 1; }
	echo
	explore CreateServiceThread use || true
	say 'The same of the repaired CreateServiceThread():' ''
	sed -n -E '/^LEAK|explored:|^No leak was/p' "$work/faults" | sed 's/^ */    /' | cut -c1-110
	[ "$found" = 0 ] || { echo "demo: the repair leaks" >&2; exit 1; }
}

show_resolution()
{
	heading 'Resolution: all or nothing'
	say 'The same service, still answering. CreateRemoteThread() is made to fail in every way' \
	    'that can be arranged here, then to succeed. Counts by `tendril ps` after each round.' ''
	row='  %-37s %6s %6s  %-19s'
	numbers='  %8s  %8s %8s %8s'
	printf "$row$numbers\n" '' '' '' '' "caller's" "service's" '' ''
	printf "$row$numbers\n" 'what is in the way' 'calls' 'failed' 'last error' 'handles' \
		'handles' 'threads' 'mappings'
	start_program repaired
	first='' total=0 refused=0 changed=''
	while next_round; do
		look
		: "${first:=$now}"
		mark=$green
		[ "$now" = "$first" ] || { mark=$red changed=1; }
		[ "$what" = start ] && what='(before the first call)'
		printf "$row$mark$numbers$off\n" "$what" "$calls" "$failed" "$(meaning "$error")" $now
		total=$((total + calls)) refused=$((refused + failed))
		go_on
	done
	end_program
}

printf '%sQ272913: CreateRemoteThread May Leak Handle%s\n' "$bold" "$off"
start_service
say "" "The service is process $pid: four threads, busy with eight connections on port $port."
show_symptom
show_cause
show_proof
show_resolution

exec 4>&-
wait "$load_pid" || { echo "demo: the service gave wrong answers" >&2; exit 1; }
load_pid=''
exec 3>&-
wait "$service_pid" || { echo "demo: the service did not end well" >&2; exit 1; }
service_pid=''
echo
if [ -n "$changed" ]; then
	say "${red}A count has changed: that is a bug of ours.${off}"
	exit 4
fi
say "As written in 1999: $lost handles lost in 250 failing calls." \
    "${green}Here: $refused failing and $((total - refused)) succeeding calls, every count where it was.${off}" \
    "The service meanwhile: $(cat "$work/load.out"). $(($(date +%s) - begun)) s in all."
