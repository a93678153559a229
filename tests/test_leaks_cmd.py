#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_leaks_cmd.py TENDRIL [NAME...] - `tendril leaks` from outside, on an engine that makes things up

TENDRIL is tests/fake_leaks.c.  Prints TAP.
"""
import json
import os
import re
import select
import signal
import stat
import subprocess
import sys
import tempfile

from cmd_support import (SECONDS, Result, Terminal, contains, main, refused, same, shown_lines, test)

TENDRIL = os.path.abspath(sys.argv[1])
ONLY = sys.argv[2:]
FOLDED = re.compile(r'^[^;]+(;[^;]+)* [0-9]+$')  # what flamegraph.pl and its kin read


def environment(scenario=None, **more):
    env = {k: v for k, v in os.environ.items() if k not in ('DEBUGINFOD_URLS', 'NO_COLOR')}
    if scenario:
        env['FAKE_LEAKS'] = scenario
    env.update(more)
    return env


def leaks(*args, scenario=None, **more):
    done = subprocess.run([TENDRIL, 'leaks'] + [str(a) for a in args], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS,
                          check=False, env=environment(scenario, **more))
    return Result(done.returncode, done.stdout, done.stderr)


def bad_usage(part, *args, **more):
    result = leaks(*args, **more)
    refused(result, 2, part)
    contains(result.err, '--help')
    same(result.out, '')


class Target:
    """A process that lives until it is ended."""

    def __init__(self, name='cat'):
        self.process = subprocess.Popen([name], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.pid = self.process.pid
        while True:  # until it is what it will be called
            with open('/proc/%d/comm' % self.pid, encoding='utf-8') as file:
                if file.read().strip() == name:
                    return

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.end()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Running:
    """The command, in the background; lines of its stdout are waited for."""

    def __init__(self, *args, scenario=None):
        self.ready, ready = os.pipe()
        self.process = subprocess.Popen(
            [TENDRIL, 'leaks'] + [str(a) for a in args], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[ready],
            env=environment(scenario, FAKE_READY=str(ready)))
        os.close(ready)

    def line(self):
        assert select.select([self.process.stdout], [], [], SECONDS)[0]
        return self.process.stdout.readline().decode('utf-8')

    def signal(self, number):
        self.process.send_signal(number)

    def wait_until_watching(self):
        assert select.select([self.ready], [], [], SECONDS)[0]
        same(os.read(self.ready, 1), b'r')

    def end(self):
        out, err = self.process.communicate(timeout=SECONDS)
        os.close(self.ready)
        return Result(self.process.returncode, out, err)


# Usage

@test
def mistakes_are_named():
    bad_usage('which process?')
    bad_usage('not both', '12', '--', 'true')
    bad_usage('not both', '--all', '--', 'true')
    bad_usage("'12' is among them", '--all', '12')
    bad_usage('--ptrace', '--all', '--ptrace')
    bad_usage('--tracepoint', '1', '--ptrace', '--tracepoint')
    bad_usage('either --json or --folded', '--json', '--folded', '12')
    bad_usage('--every is for text', '--folded', '--every', '1', '12')
    bad_usage('at least 0.001', '--duration', '0', '12')
    bad_usage('at least 0.001', '--every', '0', '12')
    bad_usage("'x' is no number of seconds", '--older-than', 'x', '12')
    bad_usage("'0' is no number of stacks", '--top', '0', '12')
    bad_usage("'12x' is no number of stacks", '--top', '12x', '12')
    bad_usage("'64Q' is no size", '--stack-size', '64Q', '12')
    bad_usage("'K' is no size", '--stack-size', 'K', '12')
    bad_usage('1K to 1M', '--stack-size', '512', '12')
    bad_usage('1K to 1M', '--stack-size', '2M', '12')
    bad_usage('is no size', '--stack-size', '18446744073709551615M', '12')
    bad_usage('--since is empty', '--since', '', '12')
    bad_usage('--save is empty', '--save', '', '12')
    bad_usage('DEBUGINFOD_URLS', '--debuginfod', '12')
    bad_usage('DEBUGINFOD_URLS', '--debuginfod', '12', DEBUGINFOD_URLS='')
    bad_usage('did you mean --older-than', '--olderthan', '1', '12')
    bad_usage('no such user', 'user:no such user')


@test
def help_names_every_option():
    result = leaks('--help')
    same(result.code, 0)
    for option in ('duration', 'follow', 'all', 'by-process', 'top', 'older-than', 'every', 'since',
                   'save', 'folded', 'ptrace', 'tracepoint', 'stack-size', 'debuginfod', 'json'):
        contains(result.out, '--' + option)
    assert max(len(line) for line in result.out.split('\n')) < 80


# Processes

@test
def a_leak_is_found():
    with Target() as target:
        result = leaks('--duration', '0.5', target.pid)
    same((result.code, result.err), (1, ''))
    contains(result.out, 'cat (PID %d): ' % target.pid)
    contains(result.out, '\nLEAK ')
    contains(result.out, '\n  > #1  read_config (src/config.c:42) in server\n')
    contains(result.out, '1 leak: ')
    assert '\x1b' not in result.out


@test
def none_is_found():
    with Target() as target:
        result = leaks('--duration', '0.5', target.pid, scenario='clean')
    same(result.code, 0)
    contains(result.out, 'No leak was seen.')


@test
def json_is_as_it_was_agreed():
    with Target() as target:
        result = leaks('--json', '--duration', '0.5', target.pid)
        report = result.json()
    same(result.code, 1)
    same(report['pid'], target.pid)
    for name in ('opened', 'closed', 'lost'):
        assert isinstance(report[name], int), name
    site = report['sites'][0]
    assert site['count'] > report['sites'][1]['count']  # most handles first
    same((site['kind'], site['kinds']), ('file', {'file': site['count']}))
    same((site['example']['handle'], site['example']['what']), (4, '/etc/server.conf'))
    assert 0.5 <= site['oldest_s'] < SECONDS
    same(site['stack'][1]['function'], 'read_config')
    same((site['stack'][1]['file'], site['stack'][1]['line']), ('src/config.c', 42))
    same((site['stack'][1]['ip'], site['stack'][1]['module']), (0x401150, '/usr/bin/server'))
    same(site['stack'][0]['line'], None)
    same((site['growing'], site['leak'], site['look_at']), (True, True, 1))
    same((site['syscall'], site['tid'], site['stack_end']), ('openat', target.pid, 'complete'))
    same(site['id'], '000000000000feed')
    same(report['without_stack'][0]['origin'], 'before')
    same(report['processes'][0]['name'], 'cat')


@test
def folded_stacks_can_be_drawn():
    with Target() as target:
        result = leaks('--folded', '--duration', '0.3', target.pid)
    same(result.code, 1)
    lines = result.out.splitlines()
    same(len(lines), 2)
    for line in lines:
        assert FOLDED.match(line), line
    contains(lines[0], 'cat;main;read_config;openat64 ')


@test
def many_processes_together_and_apart():
    with Target() as one, Target() as two:
        together = leaks('--json', '-d', '0.3', one.pid, two.pid, one.pid).json()
        apart = leaks('--json', '-d', '0.3', '--by-process', one.pid, two.pid).json()
    pids = sorted([one.pid, two.pid])
    same((together['pid'], len(together['sites']), len(together['processes'])), (None, 2, 2))
    same((sorted(together['sites'][0]['pids']), together['sites'][0]['pid']), (pids, None))
    same(len(apart['sites']), 4)
    same(sorted(s['pid'] for s in apart['sites'][:2]), pids)


@test
def processes_by_name():
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, 'leaks-by-name')
        os.symlink('/bin/cat', name)
        with subprocess.Popen([name], stdin=subprocess.PIPE) as process:
            report = leaks('--json', '-d', '0.2', 'leaks-by-*').json()
            process.stdin.close()
        same(report['pid'], process.pid)
        refused(leaks('-d', '0.2', 'leaks-by-*'), 3, "no process matches 'leaks-by-*'")


@test
def the_end_of_the_process_is_the_end():
    with Target() as target:
        running = Running('--json', target.pid)
        running.wait_until_watching()
        target.end()
        report = running.end().json()
    same(report['processes'][0]['ended'], True)
    same(report['processes'][0]['exit_status'], None)  # not a child of ours


@test
def signals_end_it_with_a_report():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with Target() as target:
            running = Running('--json', target.pid)
            running.wait_until_watching()
            running.signal(number)
            same(running.end().json()['pid'], target.pid)


@test
def what_cannot_be_done_is_said():
    with Target() as target:
        refused(leaks(target.pid, scenario='denied'), 3, 'CAP_BPF is missing')
        refused(leaks('--ptrace', target.pid, scenario='denied'), 3, 'CAP_BPF is missing\n')
        result = leaks('--json', target.pid, scenario='denied')
        same((result.code, result.json()['error']['code']), (3, 'EPERM'))
    refused(leaks(target.pid), 3, 'no process %d' % target.pid)
    refused(leaks('--all', scenario='gone'), 3, 'No such process')


@test
def output_that_cannot_be_written():
    with Target() as target, open('/dev/full', 'wb') as full:
        done = subprocess.run([TENDRIL, 'leaks', '-d', '0.1', str(target.pid)], stdout=full,
                              stderr=subprocess.PIPE, timeout=SECONDS, check=False)
    same(done.returncode, 3)
    contains(done.stderr.decode(), 'could not be written')


# COMMAND

@test
def a_command_is_watched_to_its_end():
    result = leaks('--json', '--', 'sh', '-c', 'echo it runs >&2; exit 7')
    report = result.json()
    same((result.code, result.err), (1, 'it runs\n'))
    process = report['processes'][0]
    same((process['ended'], process['exit_status'], process['signal']), (True, 7, None))
    result = leaks('--', 'sh', '-c', 'kill -9 $$')
    contains(result.out, 'was ended by signal 9')


@test
def a_command_keeps_its_arguments_and_signals():
    code = ('import signal, sys; print(sys.argv[1:], '
            'signal.pthread_sigmask(signal.SIG_BLOCK, []), file=sys.stderr)')
    result = leaks('-d', '30', '--', sys.executable, '-c', code, '--json', '-f', '--', 'a b')
    same(result.err, "['--json', '-f', '--', 'a b'] set()\n")


@test
def a_command_inherits_nothing_of_ours():
    # Without a shell, which might keep some for itself.
    code = 'import os, sys; print(sorted(os.listdir("/proc/self/fd")), file=sys.stderr)'
    plain = subprocess.run([sys.executable, '-c', code], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    same(leaks('--', sys.executable, '-c', code).err, plain.stderr.decode())


@test
def a_command_that_cannot_be_run():
    refused(leaks('--', '/nonexistent'), 3, '/nonexistent: No such file')
    refused(leaks('--', '/'), 3, '/: Permission denied')
    same(leaks('--json', '--', '/nonexistent').json()['error']['code'], 'ENOENT')


@test
def a_command_is_not_run_unwatched():
    with tempfile.TemporaryDirectory() as folder:
        made = os.path.join(folder, 'made')
        refused(leaks('--', 'touch', made, scenario='denied'), 3, 'CAP_BPF')
        assert not os.path.exists(made)


@test
def a_command_is_told_of_our_signal_and_ends_itself():
    code = ('import signal, sys\n'
            'signal.signal(signal.SIGTERM, lambda *a: sys.exit(5))\n'
            'print("ready", file=sys.stderr, flush=True)\n'
            'while True: signal.pause()')
    running = Running('--json', '--', sys.executable, '-c', code)
    same(running.process.stderr.readline(), b'ready\n')
    running.signal(signal.SIGTERM)
    same(running.end().json()['processes'][0]['exit_status'], 5)


@test
def a_command_that_will_not_end_is_left():
    code = ('import os, signal, sys\n'
            'signal.signal(signal.SIGTERM, lambda *a: print("no", file=sys.stderr, flush=True))\n'
            'print(os.getpid(), file=sys.stderr, flush=True)\n'
            'while True: signal.pause()')
    running = Running('--json', '--', sys.executable, '-c', code)
    pid = int(running.process.stderr.readline())
    running.signal(signal.SIGTERM)
    same(running.process.stderr.readline(), b'no\n')
    running.signal(signal.SIGTERM)
    report = json.loads(running.line())
    same(report['processes'][0]['ended'], False)
    os.kill(pid, signal.SIGKILL)  # it still lives
    running.end()


# Differences

@test
def two_snapshots_are_compared():
    with Target() as target, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'first.json')
        first = leaks('-d', '0.3', '--save', path, '--top', '1', target.pid)
        same(first.code, 1)
        same(os.listdir(folder), ['first.json'])
        with open(path, encoding='utf-8') as file:
            same(len(json.load(file)['sites']), 2)  # whatever was shown
        later = leaks('-d', '0.3', '--since', path, '--json', target.pid).json()
        same(later['difference'], True)
        same(later['without_stack'], [])  # 0, 1 and 2 were there
        assert all(site['new'] > 0 for site in later['sites'])
        # The same again, of another process of that name, has nothing new in it.
        with Target() as other:
            result = leaks('-d', '0.1', '--since', path, other.pid)
        same(result.code, 0)
        contains(result.out, 'No new leak was seen.')
        assert 'read_config' not in result.out


@test
def files_that_cannot_be_compared():
    with Target() as target, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'x')
        refused(leaks('--since', path, target.pid), 3, 'x: No such file or directory')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('[1, 2]\n')
        refused(leaks('--since', path, target.pid), 3, 'x: it is no JSON document')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('{"pid": 1}\n')
        refused(leaks('--since', path, target.pid), 3, 'x: it was not written by tendril leaks')
        refused(leaks('--since', folder, target.pid), 3, folder)


@test
def files_that_cannot_be_written_are_known_before():
    with Target() as target, tempfile.TemporaryDirectory() as folder:
        # Without a duration: it would watch for ever.
        refused(leaks('--save', folder + '/no/x', target.pid), 3, 'No such file')
        refused(leaks('--save', folder, target.pid), 3, 'Is a directory')


@test
def what_is_no_file_is_written_to():
    # It must not be replaced: think of /dev/null.
    with Target() as target, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'pipe')
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        same(leaks('-d', '0.1', '--save', path, target.pid).code, 1)
        assert stat.S_ISFIFO(os.stat(path).st_mode)
        same(json.loads(os.read(reader, 65536))['pid'], target.pid)
        os.close(reader)


@test
def the_difference_is_shown_at_an_interval():
    with Target() as target:
        running = Running('--json', '--every', '0.3', '--older-than', '0', target.pid)
        looks = [json.loads(running.line()) for _ in range(3)]
        running.signal(signal.SIGINT)
        last = json.loads(running.end().out.splitlines()[-1])
    same([look['difference'] for look in looks], [True] * 3)
    same(len(looks[0]['sites']), 2)  # of the first, everything is new
    same([site['id'] for site in looks[1]['sites']], ['000000000000feed'])
    site = looks[1]['sites'][0]
    assert 0 < site['new'] < site['count'], site
    same(last['difference'], False)
    same(len(last['sites']), 2)


@test
def the_difference_is_shown_at_a_signal():
    with Target() as target:
        running = Running('--json', '--older-than', '0', target.pid)
        running.wait_until_watching()
        running.signal(signal.SIGUSR1)
        same(json.loads(running.line())['difference'], True)
        running.signal(signal.SIGUSR1)
        assert all(s['new'] < s['count'] for s in json.loads(running.line())['sites'])
        running.signal(signal.SIGINT)
        same(running.end().json()['difference'], False)


# The terminal

def leaks_terminal(*args, **more):
    return Terminal([TENDRIL, 'leaks'] + [str(a) for a in args], environment(TERM='xterm', **more))


@test
def progress_and_keys():
    with Target() as target:
        terminal = leaks_terminal('--older-than', '0', target.pid)
        terminal.wait_for('Ctrl-C: report)')
        contains(terminal.text, ' s  opened ')
        for columns in (50, 30):  # too narrow for the hint, or the figures: it must not wrap
            terminal.resize(columns)
            line = terminal.progress()
            assert len(line) < columns and 'Ctrl-C' not in line, line
            contains(line, '  opened ')
        terminal.resize(90)
        terminal.send(b'\r')
        terminal.wait_for('\r\x1b[K\x1b[1mWhat is new in the last ')
        terminal.wait_for('Ctrl-C: report)')
        terminal.send(b'\x03')
        code = terminal.end()
    same(code, 1)
    contains(terminal.text, '\x1b[1;31mLEAK ')
    lines = shown_lines(terminal.text)
    assert max(len(line) for line in lines) <= 90, lines
    assert not any('Ctrl-C' in line for line in lines), lines


@test
def no_colours_when_not_wanted():
    with Target() as target:
        terminal = leaks_terminal('-d', '0.3', target.pid, NO_COLOR='1')
        same(terminal.end(), 1)
    contains(terminal.text, 'LEAK ')
    assert '\x1b[1' not in terminal.text and '\x1b[0m' not in terminal.text


@test
def a_command_has_the_terminal_for_itself():
    code = ('import os, sys\n'
            'print("ready", os.isatty(0), flush=True)\n'
            'try: print("got", sys.stdin.readline(), flush=True); sys.stdin.read()\n'
            'except KeyboardInterrupt: sys.exit(4)')
    terminal = leaks_terminal('--', sys.executable, '-c', code)
    terminal.wait_for('ready True')
    assert 'opened' not in terminal.text, terminal.text
    terminal.send(b'hello\r')
    terminal.wait_for('got hello')
    terminal.send(b'\x03')  # COMMAND is told, and not twice
    same(terminal.end(), 1)
    contains(terminal.text, 'ended with exit status 4')


if __name__ == '__main__':
    sys.exit(main(ONLY))
