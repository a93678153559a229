# SPDX-License-Identifier: BSD-2-Clause
# bash completion for tendril(1)

_tendril_pids() {
	command ps -eo pid= 2>/dev/null | tr -d ' '
}

_tendril() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local commands='run load unload handles ps doctor log relog serve watch leaks faults help'
	local command=${COMP_WORDS[1]} options='--json --help' word n=0 i
	local kinds='file directory socket pipe fifo device tty memfd eventfd epoll timerfd
		signalfd inotify fanotify pidfd userfaultfd io_uring perf_event bpf namespace other'
	local counters='handles handle_limit threads mappings resident_bytes cpu_ns'
	local columns='handles limit threads mappings pid name user'

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W "$commands --help --version" -- "$cur"))
		return
	fi
	case $command in
	help)
		COMPREPLY=($(compgen -W "$commands" -- "$cur"))
		return ;;
	run) options+=' --string --integer --timeout --hex --signed --int' ;;
	load|unload) options+=' --timeout' ;;
	handles) options+=' --kind --summary --wide' ;;
	ps) options+=' --sort --reverse --limit --above' ;;
	log) options+=' --output --interval --duration --counters --max-size --mark --alert --run --call --every-time' ;;
	relog) options+=' --list --from --to --counters --format --output' ;;
	serve) options+=' --listen --interval --pids --max-series --history --tls-cert --tls-key --auth-file --alert --run --call --every-time' ;;
	watch) options+=' --interval --sort --reverse --filter --view --once --leaks --open --from --to --alert --run --call --every-time' ;;
	leaks) options+=' --duration --follow --all --by-process --top --older-than --every --since --save
		--folded --ptrace --stack-size --debuginfod' ;;
	faults) options+=' --function --library --main --fails-when --alloc --pairs --unlikely --rerun --sandbox
		--jobs --calls --case-timeout --time-limit --memory --suppressions --all-findings --top
		--sarif --junit --replay --debugger --debuginfod' ;;
	esac
	case $command:$prev in
	handles:--kind|handles:-k)
		COMPREPLY=($(compgen -W "$kinds" -- "$cur"))
		return ;;
	ps:--sort|ps:-s)
		COMPREPLY=($(compgen -W "$columns" -- "$cur"))
		return ;;
	log:--counters|log:-c|relog:--counters|relog:-c)
		COMPREPLY=($(compgen -W "$counters" -- "$cur"))
		return ;;
	relog:--format|relog:-F)
		COMPREPLY=($(compgen -W 'pdh-csv csv json openmetrics' -- "$cur"))
		return ;;
	log:--output|log:-o|relog:--output|relog:-o|watch:--open|watch:-o)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return ;;
	log:--interval|log:--duration|log:--max-size|log:--mark|log:-[idmM])
		return ;;
	relog:--from|relog:--to|relog:-[ft]|watch:--from|watch:--to)
		return ;;
	watch:--sort|watch:-s)
		COMPREPLY=($(compgen -W "$columns percent change trend resident cpu" -- "$cur"))
		return ;;
	watch:--view|watch:-v)
		COMPREPLY=($(compgen -W 'report chart alert log' -- "$cur"))
		return ;;
	watch:--interval|watch:--filter|watch:--alert|watch:-[ifa])
		return ;;
	serve:--tls-cert|serve:--tls-key|serve:--auth-file)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return ;;
	serve:--listen|serve:--interval|serve:--max-series|serve:--history|serve:-[li])
		return ;;
	log:--alert|log:-a|serve:--alert|serve:-a|log:--run|log:--call|serve:--run|serve:--call|watch:--run|watch:--call)
		return ;;
	*:--timeout|ps:--limit|ps:--above|run:--string|run:--integer|run:-[sit]|load:-t|unload:-t|ps:-[na])
		return ;;
	leaks:--since|leaks:--save|leaks:-[sS])
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return ;;
	leaks:--duration|leaks:--top|leaks:--older-than|leaks:--every|leaks:--stack-size|leaks:-[dnoe])
		return ;;
	faults:--suppressions|faults:--sarif|faults:--junit|faults:-s)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return ;;
	faults:--fails-when)
		compopt -o filenames # quotes the < and the !
		COMPREPLY=($(compgen -W "'ret<0' 'ret==0' 'ret!=0' exit" -- "$cur"))
		return ;;
	faults:--calls|faults:-c)
		COMPREPLY=($(compgen -W 'all' -- "$cur"))
		return ;;
	faults:--function|faults:--library|faults:--jobs|faults:--case-timeout|faults:--time-limit|faults:--memory|\
	faults:--top|faults:--replay|faults:-[fljtnr])
		return ;;
	leaks:--|faults:--)
		COMPREPLY=($(compgen -c -- "$cur"))
		return ;;
	esac
	if [[ $command == @(leaks|faults) && " ${COMP_WORDS[*]:2:COMP_CWORD-2} " == *' -- '* ]]; then
		compopt -o filenames # the arguments of a command that is none of ours
		COMPREPLY=($(compgen -f -- "$cur"))
		return
	fi
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$options" -- "$cur"))
		return
	fi
	[[ $command == faults ]] && return # behind its options comes "--"
	# The first word that is no option is a PID.
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		[[ $word == -* ]] || n=$((n + 1))
	done
	case $command:$n in
	relog:0)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur")) ;;
	ps:*|log:*|relog:*|serve:*|watch:*|leaks:*)
		COMPREPLY=($(compgen -W "$(_tendril_pids) user: session: cgroup: container:" -- "$cur"))
		[[ ${COMPREPLY-} == *: ]] && compopt -o nospace ;;
	*:0)
		COMPREPLY=($(compgen -W "$(_tendril_pids)" -- "$cur")) ;;
	load:1|unload:1)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur")) ;;
	esac
}

complete -F _tendril tendril
