# SPDX-License-Identifier: BSD-2-Clause
# fish completion for tendril(1)

# Is the command one of these?  It is the first word: `run PID ps` is no ps.
function __tendril_does
	set -l words (commandline -opc)
	set -q words[2]; and contains -- $words[2] $argv
end

function __tendril_started
	set -l words (commandline -opc)
	set -q words[2]
end

# How many words of it there are that are no options and no values of options.
function __tendril_has
	set -l words (commandline -opc)
	set -l n 0
	set -l is_value 0
	for word in $words[3..-1]
		if test $is_value = 1
			set is_value 0
		else if contains -- $word -t --timeout -k --kind
			set is_value 1
		else if not string match -q -- '-*' $word
			set n (math $n + 1)
		end
	end
	test $n = $argv[1]
end

complete -c tendril -f
complete -c tendril -n 'not __tendril_started' -l version -d 'Show the version'
complete -c tendril -s h -l help -d 'Show the help'
complete -c tendril -n 'not __tendril_started' -a run -d 'Call a function in a live process'
complete -c tendril -n 'not __tendril_started' -a load -d 'Load a shared library into a live process'
complete -c tendril -n 'not __tendril_started' -a unload -d 'Take a library out again'
complete -c tendril -n 'not __tendril_started' -a handles -d 'List the open handles of a process'
complete -c tendril -n 'not __tendril_started' -a ps -d 'Handle, thread and mapping counts'
complete -c tendril -n 'not __tendril_started' -a watch -d 'Performance Monitor in the terminal'
complete -c tendril -n 'not __tendril_started' -a leaks -d 'Who opened the handles that are never closed'
complete -c tendril -n 'not __tendril_started' -a faults -d 'Make every step of a call fail'
complete -c tendril -n 'not __tendril_started' -a doctor -d 'What this machine permits'
complete -c tendril -n 'not __tendril_started' -a log -d 'Record counters in a file'
complete -c tendril -n 'not __tendril_started' -a relog -d 'Read a log: list it, cut it, convert it'
complete -c tendril -n 'not __tendril_started' -a serve -d 'Web page, OpenMetrics and JSON'
complete -c tendril -n 'not __tendril_started' -a help -d 'Show the help of a command'

complete -c tendril -n '__tendril_does run load unload handles ps doctor watch log relog serve leaks faults' -l json -d 'Print the result as JSON'
complete -c tendril -n '__tendril_does run load unload handles doctor; and __tendril_has 0' -a '(__fish_complete_pids)'
complete -c tendril -n '__tendril_does ps watch serve' -a '(__fish_complete_pids) user: session: cgroup: container:'
complete -c tendril -n '__tendril_does load unload; and __tendril_has 1' -F
complete -c tendril -n '__tendril_does help; and __tendril_has 0' -a 'run load unload handles ps doctor watch log relog serve leaks faults'
complete -c tendril -n '__tendril_does run load unload' -s t -l timeout -x -d 'Wait at most so many seconds'

complete -c tendril -n '__tendril_does run' -s s -l string -x -d 'An argument that is a string'
complete -c tendril -n '__tendril_does run' -s i -l integer -x -d 'An argument that is a number'
complete -c tendril -n '__tendril_does run' -s x -l hex -d 'Show the value in hexadecimal'
complete -c tendril -n '__tendril_does run' -l signed -d 'The value is signed'
complete -c tendril -n '__tendril_does run' -l int -d 'The value is an int'

complete -c tendril -n '__tendril_does handles' -s k -l kind -x -d 'Only of this kind' -a 'file directory socket pipe fifo device tty memfd eventfd epoll timerfd signalfd inotify fanotify pidfd userfaultfd io_uring perf_event bpf namespace other'
complete -c tendril -n '__tendril_does handles' -s s -l summary -d 'How many of each kind'
complete -c tendril -n '__tendril_does handles' -s w -l wide -d 'Do not cut lines'

complete -c tendril -n '__tendril_does ps' -s s -l sort -x -d 'Sort by' -a 'handles limit threads mappings pid name user'
complete -c tendril -n '__tendril_does ps' -s r -l reverse -d 'The other way round'
complete -c tendril -n '__tendril_does ps' -s n -l limit -x -d 'Only so many'
complete -c tendril -n '__tendril_does ps' -s a -l above -x -d 'Only with more handles than'

complete -c tendril -n '__tendril_does log' -a '(__fish_complete_pids) user: session: cgroup: container:'
complete -c tendril -n '__tendril_does log' -s o -l output -r -F -d 'The log'
complete -c tendril -n '__tendril_does log' -s i -l interval -x -d 'Seconds between two samples'
complete -c tendril -n '__tendril_does log' -s d -l duration -x -d 'End after so many seconds'
complete -c tendril -n '__tendril_does log relog' -s c -l counters -x -d 'Only these' -a 'handles handle_limit threads mappings resident_bytes cpu_ns'
complete -c tendril -n '__tendril_does log' -s m -l max-size -x -d 'Bound of the file'
complete -c tendril -n '__tendril_does log' -s M -l mark -x -d 'Set a bookmark'
complete -c tendril -n '__tendril_does relog; and __tendril_has 0' -F
complete -c tendril -n '__tendril_does relog' -s l -l list -d 'What is in the log'
complete -c tendril -n '__tendril_does relog' -s f -l from -x -d 'Nothing older'
complete -c tendril -n '__tendril_does relog' -s t -l to -x -d 'Nothing newer'
complete -c tendril -n '__tendril_does relog' -s F -l format -x -d 'Write it as' -a 'pdh-csv csv json openmetrics'
complete -c tendril -n '__tendril_does relog' -s o -l output -r -F -d 'Write there'
complete -c tendril -n '__tendril_does serve' -s l -l listen -x -d 'Where to listen'
complete -c tendril -n '__tendril_does serve' -s i -l interval -x -d 'Seconds between samples'
complete -c tendril -n '__tendril_does serve' -s p -l pids -d 'Metrics of each process'
complete -c tendril -n '__tendril_does serve' -l max-series -x -d 'At most so many groups'
complete -c tendril -n '__tendril_does serve' -l history -x -d 'Samples to keep'
complete -c tendril -n '__tendril_does serve' -l tls-cert -r -F -d 'Certificate'
complete -c tendril -n '__tendril_does serve' -l tls-key -r -F -d 'Its key'
complete -c tendril -n '__tendril_does serve' -l auth-file -r -F -d 'Who may ask'
complete -c tendril -n '__tendril_does watch' -s i -l interval -x -d 'Seconds between samples'
complete -c tendril -n '__tendril_does watch' -s s -l sort -x -d 'Sort by' -a 'handles limit percent change trend threads mappings resident cpu pid name user'
complete -c tendril -n '__tendril_does watch' -s r -l reverse -d 'The other way round'
complete -c tendril -n '__tendril_does watch' -s f -l filter -x -d 'Only with this text'
complete -c tendril -n '__tendril_does watch' -s v -l view -x -d 'Begin with' -a 'report chart alert log'
complete -c tendril -n '__tendril_does watch log serve' -s a -l alert -x -d 'Tell when that rule holds'
complete -c tendril -n '__tendril_does watch log serve' -l run -x -d 'Command when that alert fires'
complete -c tendril -n '__tendril_does watch log serve' -l call -x -d 'URL to post to when that alert fires'
complete -c tendril -n '__tendril_does watch log serve' -l every-time -d 'Not only the first time'
complete -c tendril -n '__tendril_does watch' -s o -l open -r -F -d 'Look at a log'
complete -c tendril -n '__tendril_does watch' -l from -x -d 'With --open: where the window begins'
complete -c tendril -n '__tendril_does watch' -l to -x -d 'With --open: where it ends'
complete -c tendril -n '__tendril_does watch' -l once -d 'Print one report'
complete -c tendril -n '__tendril_does watch' -s l -l leaks -d 'Find who opens the handles of what leaks'

# Behind "--" is a command of its own.
function __tendril_has_command
	contains -- -- (commandline -opc)
end
complete -c tendril -n '__tendril_does leaks; and not __tendril_has_command' -a '(__fish_complete_pids) user: session: cgroup: container:'
complete -c tendril -n '__tendril_does leaks; and __tendril_has_command' -a '(__fish_complete_command)'
complete -c tendril -n '__tendril_does leaks; and __tendril_has_command' -F
complete -c tendril -n '__tendril_does leaks' -s d -l duration -x -d 'End after so many seconds'
complete -c tendril -n '__tendril_does leaks' -s f -l follow -d 'Children, too'
complete -c tendril -n '__tendril_does leaks' -s a -l all -d 'Every process'
complete -c tendril -n '__tendril_does leaks' -s p -l by-process -d 'The same stack in each process apart'
complete -c tendril -n '__tendril_does leaks' -s n -l top -x -d 'Only so many stacks'
complete -c tendril -n '__tendril_does leaks' -s o -l older-than -x -d 'Leave out younger handles'
complete -c tendril -n '__tendril_does leaks' -s e -l every -x -d 'Show what is new each so many seconds'
complete -c tendril -n '__tendril_does leaks' -s s -l since -r -F -d 'Only what is new since that was saved'
complete -c tendril -n '__tendril_does leaks' -s S -l save -r -F -d 'Write what is open'
complete -c tendril -n '__tendril_does leaks' -l folded -d 'One line a stack, for flame graphs'
complete -c tendril -n '__tendril_does leaks' -l ptrace -d 'Without BPF: slower'
complete -c tendril -n '__tendril_does leaks' -l stack-size -x -d 'Of each stack at most so much'
complete -c tendril -n '__tendril_does leaks' -l debuginfod -d 'Ask the servers of debug information'
complete -c tendril -n '__tendril_does faults; and __tendril_has_command' -a '(__fish_complete_command)'
complete -c tendril -n '__tendril_does faults; and __tendril_has_command' -F
complete -c tendril -n '__tendril_does faults' -s f -l function -x -d 'Explore calls of this'
complete -c tendril -n '__tendril_does faults' -s l -l library -x -d 'Explore what it exports'
complete -c tendril -n '__tendril_does faults' -s m -l main -d 'The whole program'
complete -c tendril -n '__tendril_does faults' -l fails-when -x -d 'It has failed' -a "'ret<0' 'ret==0' 'ret!=0' exit"
complete -c tendril -n '__tendril_does faults' -s a -l alloc -d 'malloc fails, too'
complete -c tendril -n '__tendril_does faults' -s p -l pairs -d 'Two steps fail, too'
complete -c tendril -n '__tendril_does faults' -l unlikely -d 'close fails, too'
complete -c tendril -n '__tendril_does faults' -l rerun -d 'Run the command for each case'
complete -c tendril -n '__tendril_does faults' -l sandbox -d 'Files and network of its own'
complete -c tendril -n '__tendril_does faults' -s j -l jobs -x -d 'Copies at once'
complete -c tendril -n '__tendril_does faults' -s c -l calls -x -d 'Calls from each place' -a all
complete -c tendril -n '__tendril_does faults' -l case-timeout -x -d 'Seconds for one case'
complete -c tendril -n '__tendril_does faults' -s t -l time-limit -x -d 'Seconds for all'
complete -c tendril -n '__tendril_does faults' -l memory -x -d 'Address space of each copy'
complete -c tendril -n '__tendril_does faults' -s s -l suppressions -r -F -d 'What is accepted'
complete -c tendril -n '__tendril_does faults' -l all-findings -d 'What is kept once, too'
complete -c tendril -n '__tendril_does faults' -s n -l top -x -d 'Only so many leaks'
complete -c tendril -n '__tendril_does faults' -l sarif -r -F -d 'Write SARIF'
complete -c tendril -n '__tendril_does faults' -l junit -r -F -d 'Write JUnit XML'
complete -c tendril -n '__tendril_does faults' -s r -l replay -x -d 'Only this case'
complete -c tendril -n '__tendril_does faults' -l debugger -d 'At the step that fails'
complete -c tendril -n '__tendril_does faults' -l debuginfod -d 'Ask the servers of debug information'
