# SPDX-License-Identifier: BSD-2-Clause
# fish completion for tendril(1)

set -l commands run load unload handles ps doctor help

complete -c tendril -f
complete -c tendril -n "not __fish_seen_subcommand_from $commands" -l version -d 'Show the version'
complete -c tendril -s h -l help -d 'Show the help'
complete -c tendril -n "not __fish_seen_subcommand_from $commands" -a run -d 'Call a function in a live process'
complete -c tendril -n "not __fish_seen_subcommand_from $commands" -a load -d 'Load a shared library into a live process'
complete -c tendril -n "not __fish_seen_subcommand_from $commands" -a unload -d 'Take a library out again'
complete -c tendril -n "not __fish_seen_subcommand_from $commands" -a handles -d 'List the open handles of a process'
complete -c tendril -n "not __fish_seen_subcommand_from $commands" -a ps -d 'Handle, thread and mapping counts'
complete -c tendril -n "not __fish_seen_subcommand_from $commands" -a doctor -d 'What this machine permits'
complete -c tendril -n "not __fish_seen_subcommand_from $commands" -a help -d 'Show the help of a command'

complete -c tendril -n '__fish_seen_subcommand_from run load unload handles ps doctor' -l json -d 'Print the result as JSON'
complete -c tendril -n '__fish_seen_subcommand_from run load unload handles ps doctor' -a '(__fish_complete_pids)'
complete -c tendril -n '__fish_seen_subcommand_from load unload' -F
complete -c tendril -n '__fish_seen_subcommand_from run load unload' -s t -l timeout -x -d 'Wait at most so many seconds'

complete -c tendril -n '__fish_seen_subcommand_from run' -s s -l string -x -d 'An argument that is a string'
complete -c tendril -n '__fish_seen_subcommand_from run' -s i -l integer -x -d 'An argument that is a number'
complete -c tendril -n '__fish_seen_subcommand_from run' -s x -l hex -d 'Show the value in hexadecimal'
complete -c tendril -n '__fish_seen_subcommand_from run' -l signed -d 'The value is signed'
complete -c tendril -n '__fish_seen_subcommand_from run' -l int -d 'The value is an int'

complete -c tendril -n '__fish_seen_subcommand_from handles' -s k -l kind -x -d 'Only of this kind' -a 'file directory socket pipe fifo device tty memfd eventfd epoll timerfd signalfd inotify fanotify pidfd userfaultfd io_uring perf_event bpf namespace other'
complete -c tendril -n '__fish_seen_subcommand_from handles' -s s -l summary -d 'How many of each kind'
complete -c tendril -n '__fish_seen_subcommand_from handles' -s w -l wide -d 'Do not cut lines'

complete -c tendril -n '__fish_seen_subcommand_from ps' -s s -l sort -x -d 'Sort by' -a 'handles limit threads mappings pid name user'
complete -c tendril -n '__fish_seen_subcommand_from ps' -s r -l reverse -d 'The other way round'
complete -c tendril -n '__fish_seen_subcommand_from ps' -s n -l limit -x -d 'Only so many'
