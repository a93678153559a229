#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_cli.py TENDRIL - the program from outside: output, JSON, exit status, errors

Prints TAP.  Targets are sleep(1), other pythons, and, for `load`, any library of the system.
"""
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback

TENDRIL = os.path.abspath(sys.argv[1])
COMMANDS = ['run', 'load', 'unload', 'handles', 'ps', 'doctor', 'log', 'relog', 'serve', 'watch',
            'leaks', 'faults']
SECONDS = 60
TESTS = []


class Skip(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


class Result:
    def __init__(self, done):
        self.code = done.returncode
        self.raw = done.stdout
        self.out = done.stdout.decode('utf-8')  # must be valid
        self.err = done.stderr.decode('utf-8')

    def json(self):
        return json.loads(self.out)


def tendril(*args, **options):
    return Result(subprocess.run([TENDRIL] + [str(a) for a in args], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 timeout=SECONDS, check=False, **options))


def same(got, wanted):
    assert got == wanted, 'got %r, wanted %r' % (got, wanted)


def contains(text, part):
    assert part in text, '%r is not in %r' % (part, text)


def one_line(text):
    assert text.startswith('tendril: '), text
    same(text.count('\n'), 1)
    assert text.endswith('\n') and '\x1b' not in text, text


def refused(result, code, part):
    same(result.code, code)
    one_line(result.err)
    contains(result.err, part)


def bad_usage(part, *args):
    result = tendril(*args)
    refused(result, 2, part)
    contains(result.err, '--help')
    same(result.out, '')


class Target:
    """A python that runs a line of code, says ready, and sleeps."""

    def __init__(self, code='pass', **options):
        self.process = subprocess.Popen(
            [sys.executable, '-c',
             'import ctypes, os, sys, time\n%s\nprint("ready", flush=True)\n'
             'while True: time.sleep(1000)' % code],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options)
        self.pid = self.process.pid

    def __enter__(self):
        assert select.select([self.process.stdout], [], [], SECONDS)[0]
        same(self.process.stdout.readline(), b'ready\n')
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def handles(self):
        return len(os.listdir('/proc/%d/fd' % self.pid))

    def threads(self):
        return len(os.listdir('/proc/%d/task' % self.pid))


def wait_for_state(pid, wanted):
    while True:
        with open('/proc/%d/stat' % pid, 'rb') as file:
            if file.read().rpartition(b')')[2].split()[0] == wanted:
                return


def unused_pid():
    """The id of a process that has just ended and was collected."""
    process = subprocess.Popen(['true'])
    process.wait()
    return process.pid


def root_only():
    if os.geteuid() != 0:
        raise Skip('needs root')


def as_nobody():
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def nobody_can_run_it():
    root_only()
    try:
        subprocess.run([TENDRIL, '--version'], preexec_fn=as_nobody, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (subprocess.CalledProcessError, PermissionError):
        raise Skip('nobody may not run %s' % TENDRIL) from None


# The program

@test
def test_help_goes_to_stdout():
    for args in [['--help'], ['-h'], ['help']]:
        result = tendril(*args)
        same((result.code, result.err), (0, ''))
        for command in COMMANDS:
            contains(result.out, '  %s ' % command)
        contains(result.out, 'EXAMPLES')


@test
def test_help_of_each_command_has_options_and_examples():
    for command in COMMANDS:
        result = tendril(command, '--help')
        same((result.code, result.err), (0, ''))
        same(tendril('help', command).out, result.out)
        same(tendril(command, '1', '-h').out, result.out)
        contains(result.out, 'usage: tendril %s ' % command)
        for part in ['--json', '--help', 'EXAMPLES', 'tendril %s' % command]:
            contains(result.out, part)
        for line in result.out.splitlines():
            assert len(line) < 80, line


@test
def test_version():
    result = tendril('--version')
    same(result.code, 0)
    assert result.out.startswith('tendril '), result.out
    same(tendril('--version', '--json').json()['version'], result.out.split()[1])


@test
def test_unknown_commands_and_options_suggest_what_was_meant():
    bad_usage('which command', )
    bad_usage("did you mean 'run'?", 'rnu')
    bad_usage("did you mean 'handles'?", 'handels')
    bad_usage("no command 'sausage'", 'sausage')
    bad_usage("no command 'sausage'", 'help', 'sausage')
    bad_usage('unknown option --sausage', '--sausage')
    bad_usage('did you mean --json?', 'ps', '--jsno')
    bad_usage('did you mean --sort?', 'ps', '--srot=pid')
    bad_usage('unknown option -Q', 'handles', '1', '-Q')
    bad_usage('--json takes no value', 'ps', '--json=yes')
    bad_usage('--sort needs a value', 'ps', '--sort')


@test
def test_bad_pids_are_bad_usage():
    for rest in [['run'], ['load'], ['unload'], ['handles'], ['doctor']]:
        for pid in ['abc', '-1', '0', '99999999999', '99999999999999999999999', '', '1.5', '0x10',
                    '12a', '+3', 'a\nb\x1b[31m']:
            more = ['x'] if rest[0] in ['run', 'load', 'unload'] else []
            bad_usage('PID', *(rest + [pid] + more))


@test
def test_no_such_process_is_could_not():
    pid = unused_pid()
    for args in [['run', pid, 'getpid'], ['load', pid, '/x.so'], ['unload', pid, 'x.so'],
                 ['handles', pid], ['doctor', pid]]:
        result = tendril(*args)
        refused(result, 3, 'there is no process %d' % pid)
        same(result.out, '')
        result = tendril(*(args + ['--json']))
        refused(result, 3, 'there is no process %d' % pid)
        error = result.json()['error']
        same((error['code'], error['rule']), ('ESRCH', 'no-process'))
        contains(result.err, error['text'])
    refused(tendril('ps', pid), 3, "no process matches '%d'" % pid)
    same(tendril('ps', pid, '--json').json(), [])


@test
def test_full_disk_is_not_done():
    if not os.path.exists('/dev/full'):
        raise Skip('no /dev/full')
    for args in [['--help'], ['--version'], ['ps', str(os.getpid())], ['doctor', '--json']]:
        with open('/dev/full', 'wb') as full:
            done = subprocess.run([TENDRIL] + args, stdout=full, stderr=subprocess.PIPE,
                                  timeout=SECONDS, check=False)
        same(done.returncode, 3)
        one_line(done.stderr.decode())


# handles

@test
def test_handles_lists_every_kind_it_was_given():
    code = ('import socket, select, subprocess\n'
            's = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection('
            's.getsockname()); e = select.epoll(); m = os.memfd_create("mine"); '
            'p = os.pipe(); d = os.open("/", os.O_RDONLY); n = os.open("/dev/null", os.O_WRONLY);'
            'q = os.pidfd_open(os.getpid()); a = socket.socketpair()')
    with Target(code) as target:
        rows = tendril('handles', target.pid, '--json').json()
        same(len(rows), target.handles())
        kinds = [row['kind'] for row in rows]
        for kind in ['socket', 'epoll', 'memfd', 'pipe', 'directory', 'device', 'pidfd']:
            assert kind in kinds, (kind, kinds)
        for row in rows:
            for field in ['handle', 'kind', 'what', 'access', 'age_s', 'close_on_exec', 'deleted',
                          'position_bytes', 'inode', 'pid', 'protocol', 'state', 'local', 'peer']:
                assert field in row, field
            same(row['age_s'], None)
        same([row['handle'] for row in rows], sorted(row['handle'] for row in rows))
        listener = [row for row in rows if row['state'] == 'listening'][0]
        client = [row for row in rows if row['state'] == 'established'][0]
        same((client['peer'], client['protocol']), (listener['local'], 'tcp'))
        same([row['pid'] for row in rows if row['kind'] == 'pidfd'], [target.pid])
        assert 'write' in [row['access'] for row in rows if row['what'] == '/dev/null'], rows


@test
def test_handles_as_table_kind_and_summary():
    with Target('p = [os.pipe() for i in range(5)]') as target:
        result = tendril('handles', target.pid)
        same((result.code, result.err), (0, ''))
        lines = result.out.splitlines()
        same(lines[0].split(), ['HANDLE', 'KIND', 'ACCESS', 'AGE', 'WHAT'])
        same(len(lines), target.handles() + 1)
        rows = tendril('handles', '--kind', 'pipe', target.pid, '--json').json()
        assert len(rows) >= 10 and {row['kind'] for row in rows} == {'pipe'}
        counts = tendril('handles', target.pid, '-s', '--json').json()
        same(sum(row['count'] for row in counts), target.handles())
        same(counts[0]['kind'], 'pipe')
        contains(tendril('handles', target.pid, '--summary').out, 'pipe')


@test
def test_handles_with_hostile_names():
    with tempfile.TemporaryDirectory() as folder:
        name = os.fsencode(folder) + b'/a\n\x1b[31m\xff"\\b'
        with Target('f = os.open(%r, os.O_CREAT | os.O_RDWR)\nos.unlink(%r)' % (name, name)
                    ) as target:
            row = [r for r in tendril('handles', target.pid, '--json').json() if r['deleted']][0]
            same(row['what'], folder + '/a\n\x1b[31m\ufffd"\\b')
            same((row['access'], row['kind']), ('read-write', 'file'))
            out = tendril('handles', target.pid).out
            contains(out, '/a\\x0a\\x1b[31m\\xff"\\b (deleted)')
            same(out.count('\n'), target.handles() + 1)


@test
def test_handles_bad_usage():
    bad_usage('PID is missing', 'handles')
    bad_usage('one PID at a time', 'handles', '1', '2')
    bad_usage("did you mean 'socket'?", 'handles', '1', '--kind', 'sokcet')
    bad_usage("no kind 'x'", 'handles', '1', '--kind=x')


@test
def test_handles_of_a_zombie_says_so():
    with subprocess.Popen(['true']) as process:
        wait_for_state(process.pid, b'Z')
        refused(tendril('handles', process.pid), 3, 'has not collected it')
        process.wait()


# ps

FIELDS = ['pid', 'name', 'user', 'handles', 'handle_limit', 'threads', 'mappings']


@test
def test_ps_of_one_process():
    with Target('import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (777, 777))\n'
                'p = os.pipe()') as target:
        rows = tendril('ps', target.pid, '--json').json()
        same(len(rows), 1)
        same(list(rows[0]), FIELDS)
        row = rows[0]
        same(row['pid'], target.pid)
        same(row['handles'], target.handles())
        same(row['handle_limit'], 777)
        same(row['threads'], 1)
        with open('/proc/%d/maps' % target.pid, encoding='utf-8') as file:
            same(row['mappings'], len([line for line in file if '[vsyscall]' not in line]))
        try:
            same(row['user'], pwd.getpwuid(os.getuid()).pw_name)
        except KeyError:
            same(row['user'], str(os.getuid()))


@test
def test_ps_of_everything_is_sorted_by_handles():
    result = tendril('ps', '--json')
    same(result.code, 0)
    rows = result.json()
    assert os.getpid() in [row['pid'] for row in rows]
    known = [row['handles'] for row in rows if row['handles'] is not None]
    same(known, sorted(known, reverse=True))
    same(rows[:len(known)], [row for row in rows if row['handles'] is not None])
    same(tendril('ps').out.splitlines()[0].split(),
         ['PID', 'NAME', 'USER', 'HANDLES', 'LIMIT', 'THREADS', 'MAPPINGS'])
    pids = [row['pid'] for row in tendril('ps', '--sort', 'pid', '--json').json()]
    same(pids, sorted(pids))
    pids = [row['pid'] for row in tendril('ps', '-rs', 'pid', '--json').json()]
    same(pids, sorted(pids, reverse=True))
    same(len(tendril('ps', '-n1').out.splitlines()), 2)


@test
def test_ps_above():
    with Target('p = [os.pipe() for _ in range(50)]') as target:
        rows = tendril('ps', '--above', '99', '--json').json()
        assert target.pid in [row['pid'] for row in rows]
        same([row for row in rows if not row['handles'] or row['handles'] <= 99], [])
        handles = target.handles()
        same(len(tendril('ps', target.pid, '-a', handles - 1, '--json').json()), 1)
        result = tendril('ps', target.pid, '-a', handles, '--json')
        same((result.code, result.json()), (0, []))
    bad_usage('no number of handles', 'ps', '--above', 'x')
    bad_usage('no number of handles', 'ps', '--above', '-1')


@test
def test_ps_selectors():
    with Target('ctypes.CDLL(None).prctl(15, b"tendriltest%d")' % (os.getpid() % 1000)) as target:
        name = 'tendriltest%d' % (os.getpid() % 1000)
        uid = os.getuid()
        selectors = [name, 'tendrilte*', 'user:%d' % uid, 'session:%d' % os.getsid(target.pid),
                     '\\Process(%s)\\Handle Count' % name.upper(),
                     '\\\\here\\Process(%s#0)\\*' % name]
        with open('/proc/%d/cgroup' % target.pid, encoding='utf-8') as file:
            path = file.readline().rstrip('\n').split(':', 2)[2]
        selectors.append('cgroup:' + path)
        for selector in selectors:
            result = tendril('ps', selector, '--json')
            same((selector, result.code), (selector, 0))
            assert target.pid in [row['pid'] for row in result.json()], selector
        rows = tendril('ps', name, target.pid, '--json').json()
        same([row['pid'] for row in rows], [target.pid])
        result = tendril('ps', 'no-such-name-here', target.pid)
        refused(result, 3, 'no-such-name-here')
        contains(result.out, str(target.pid))


@test
def test_ps_bad_usage():
    bad_usage('no possible PID', 'ps', '99999999999')
    bad_usage('no possible PID', 'ps', '0')
    bad_usage('is no selector', 'ps', '-5')
    bad_usage('is no selector', 'ps', '')
    bad_usage('is no selector', 'ps', 'session:x')
    bad_usage('is no selector', 'ps', '\\Process(x')
    bad_usage('is no selector', 'ps', '\\Memory\\Available Bytes')
    bad_usage('no counter', 'ps', '\\Process(x)\\Sausages')
    bad_usage('no such user', 'ps', 'user:no-such-user-here')
    bad_usage("no column 'x'", 'ps', '--sort', 'x')
    bad_usage('no number of lines', 'ps', '--limit', '0')
    bad_usage('no number of lines', 'ps', '-n', 'x')


@test
def test_ps_with_hostile_names():
    with Target(r'ctypes.CDLL(None).prctl(15, b") R 1\n\x1b[1m\xff\"")') as target:
        same(tendril('ps', target.pid, '--json').json()[0]['name'], ') R 1\n\x1b[1m\ufffd"')
        result = tendril('ps', target.pid)
        contains(result.out, ') R 1\\x0a\\x1b[1m\\xff"')
        same(result.out.count('\n'), 2)


@test
def test_ps_shows_unreadable_as_unknown():
    nobody_can_run_it()
    rows = tendril('ps', os.getpid(), '--json', preexec_fn=as_nobody).json()
    same(rows[0]['mappings'], None)
    assert rows[0]['handles'] is None or rows[0]['handles'] > 0, rows
    same(tendril('ps', os.getpid(), preexec_fn=as_nobody).out.split()[-1], '-')


# doctor

@test
def test_doctor_of_the_machine():
    result = tendril('doctor', '--json')
    assert result.code in (0, 1), result.err
    document = result.json()
    names = [check['name'] for check in document['checks']]
    for name in ['kernel', 'user', 'CAP_SYS_PTRACE', 'yama', 'ptrace', 'PIDFD_THREAD',
                 'PIDFD_GET_INFO', 'handle count', 'memory', 'shadow stack']:
        assert name in names, name
    problems = [c for c in document['checks'] if c['state'] == 'problem']
    same(document['problems'], len(problems))
    same(result.code, 1 if problems else 0)
    for check in document['checks']:
        same(sorted(check), ['found', 'name', 'remedy', 'state'])
        assert check['state'] in ('ok', 'note', 'problem'), check
    text = tendril('doctor')
    same(text.code, result.code)
    for line in text.out.splitlines():
        assert len(line) <= 80, line


@test
def test_doctor_of_a_process():
    with Target() as target:
        result = tendril('doctor', target.pid, '--json')
        document = result.json()
        same((result.code, document['pid'], document['problems']), (0, target.pid, 0))
        contains(tendril('doctor', target.pid).out, 'is possible')
    bad_usage('one PID at a time', 'doctor', '1', '2')


@test
def test_doctor_names_the_rule():
    with Target('ctypes.CDLL(None).ptrace(0, 0, 0, 0)') as target:
        result = tendril('doctor', target.pid)
        same(result.code, 1)
        contains(result.out, 'traced by PID %d' % os.getpid())
    with Target() as target:
        target.process.send_signal(signal.SIGSTOP)
        wait_for_state(target.pid, b'T')
        result = tendril('doctor', target.pid)
        same(result.code, 1)
        contains(' '.join(result.out.split()), 'kill -CONT %d' % target.pid)


@test
def test_doctor_for_nobody():
    nobody_can_run_it()
    result = tendril('doctor', os.getpid(), preexec_fn=as_nobody)
    same(result.code, 1)
    contains(result.out, 'belongs to root')
    assert tendril('doctor', preexec_fn=as_nobody).code in (0, 1)


# run

def can_call():
    with Target() as target:
        result = tendril('run', target.pid, 'getpid')
        if result.code == 3 and 'kernel' in result.err:
            raise Skip(result.err.strip())


@test
def test_run_prints_what_the_function_returned():
    can_call()
    with Target() as target:
        handles, threads = target.handles(), target.threads()
        result = tendril('run', target.pid, 'getpid')
        same((result.code, result.err, result.out), (0, '', '%d\n' % target.pid))
        document = tendril('run', '--json', target.pid, 'getpid').json()
        same(sorted(document), ['latency_us', 'pid', 'return', 'stopped_us', 'tid'])
        same((document['pid'], document['return']), (target.pid, target.pid))
        assert document['tid'] != target.pid and document['latency_us'] > 0, document
        assert 0 <= document['stopped_us'] < 1e7, document
        same((target.handles(), target.threads()), (handles, threads))


@test
def test_run_passes_arguments():
    can_call()
    with Target() as target:
        pid = target.pid
        same(tendril('run', pid, 'labs', '-5').out, '5\n')
        same(tendril('run', pid, 'labs', '--', '-5').out, '5\n')
        same(tendril('run', pid, 'labs', '0x10').out, '16\n')
        same(tendril('run', pid, 'atoi', '77 seventy-seven').out, '77\n')
        same(tendril('run', pid, 'atoi', '').out, '0\n')
        same(tendril('run', pid, 'atoi', '--string', '12345').out, '12345\n')
        same(tendril('run', pid, 'libc!strtol', '-s-5', 0, '10', '--signed').out, '-5\n')
        same(tendril('run', pid, 'labs', '-i', '-7', '--hex').out, '0x7\n')
        same(tendril('run', pid, 'close', '987654', '--int').out, '-1\n')
        same(tendril('run', pid, 'close', '987654', '--int', '--json').json()['return'], -1)
        same(tendril('run', pid, 'labs', str(-2**63), '--signed').out, '%d\n' % -2**63)
        same(tendril('run', pid, 'labs', 2**64 - 1).out, '1\n')


@test
def test_run_calls_indirect_functions():
    """With glibc these are STT_GNU_IFUNC; with another libc, ordinary functions."""
    can_call()
    with Target() as target:
        handles, threads = target.handles(), target.threads()
        same(tendril('run', target.pid, 'strlen', 'hello').out, '5\n')
        same(tendril('run', target.pid, 'libc!strlen', 'hello', '--json').json()['return'], 5)
        same(tendril('run', target.pid, 'strcmp', 'a', 'b', '--int').out[0], '-')
        now = int(tendril('run', target.pid, 'time', 0, '-t', '60').out)
        assert abs(now - time.time()) < 60, now
        same((target.handles(), target.threads()), (handles, threads))


@test
def test_run_passes_strings_byte_by_byte():
    can_call()
    with Target() as target, tempfile.TemporaryDirectory() as folder:
        for name in ['w\u00f6rld', 'a b\nc', '--json', 'x' * 200, os.fsdecode(b'\xff\x01')]:
            path = os.path.join(folder, name)
            same(tendril('run', target.pid, 'mkdir', path, 448, '--int').out, '0\n')
            assert os.path.isdir(path), path


@test
def test_run_of_an_address_that_is_no_code_is_refused():
    with Target() as target:
        with open('/proc/%d/maps' % target.pid, encoding='utf-8') as file:
            stack = [line.split('-')[0] for line in file if '[stack]' in line][0]
        for address in ['0x0', '0x1234', '0x' + stack, '0xffffffffffffffff']:
            refused(tendril('run', target.pid, address), 3, 'no code at ' + address)
        assert target.process.poll() is None


@test
def test_run_handle_of_the_target_can_be_closed():
    can_call()
    with Target('p = os.pipe()') as target:
        before = target.handles()
        pipe = tendril('handles', target.pid, '--kind', 'pipe', '--json').json()[-1]
        same(tendril('run', target.pid, '--int', 'close', pipe['handle']).out, '0\n')
        same(target.handles(), before - 1)


@test
def test_run_of_what_is_not_there():
    with Target() as target:
        for name in ['no_such_function_here', 'libc!no_such_function_here', 'nolib!getpid']:
            result = tendril('run', target.pid, name, '--json')
            refused(result, 3, name.split('!')[-1 if 'libc' in name else 0])
            contains(result.json()['error']['code'], 'ENOENT')
        contains(tendril('run', target.pid, 'getpidd').err, 'getpid')  # a near miss
        assert target.process.poll() is None


@test
def test_run_bad_usage():
    bad_usage('PID and FUNCTION are missing', 'run')
    bad_usage('FUNCTION is missing', 'run', '1')
    bad_usage('more than 6', 'run', '1', 'f', *range(7))
    bad_usage('does not fit in 64 bits', 'run', '1', 'f', 2**64)
    bad_usage('does not fit in 64 bits', 'run', '1', 'f', -2**63 - 1)
    bad_usage('is no integer', 'run', '1', 'f', '--integer', '1x')
    bad_usage('belongs behind FUNCTION', 'run', '--string', 'x', '1', 'f')
    for seconds in ['x', '', '-1', '1e3', 'nan', '.', '99999999999']:
        bad_usage('seconds', 'run', '1', 'f', '--timeout', seconds)


@test
def test_run_that_does_not_return_in_time():
    can_call()
    with Target() as target:
        result = tendril('run', target.pid, 'sleep', '3600', '--timeout', '0.2', '--json')
        refused(result, 3, 'has not returned in time')
        error = result.json()['error']
        same((error['code'], error['stage']), ('ETIMEDOUT', 'wait'))
        assert target.process.poll() is None


@test
def test_run_in_a_stopped_or_traced_process_is_refused():
    with Target('ctypes.CDLL(None).ptrace(0, 0, 0, 0)') as target:
        result = tendril('run', target.pid, 'getpid', '--json')
        refused(result, 3, 'traced by PID %d' % os.getpid())
        same(result.json()['error']['rule'], 'traced')


@test
def test_run_by_nobody_names_the_rule():
    nobody_can_run_it()
    with Target() as target:
        result = tendril('run', target.pid, 'getpid', '--json', preexec_fn=as_nobody)
        refused(result, 3, 'belongs to root')
        same(result.json()['error']['rule'], 'uid')


# load

def some_library():
    """A library that a python has not loaded, at the path where it is."""
    with open('/proc/self/maps', encoding='utf-8') as file:
        loaded = file.read()
    folders = {os.path.dirname(line.split()[-1]) for line in loaded.splitlines()
               if '/libc.so' in line or '/libc-' in line}
    for folder in folders:
        for name in ['libanl.so.1', 'libBrokenLocale.so.1', 'libutil.so.1', 'librt.so.1']:
            path = os.path.join(folder, name)
            if os.path.exists(path) and path not in loaded:
                return os.path.realpath(path)
    raise Skip('no library to load')


def has_mapped(target, path):
    with open('/proc/%d/maps' % target.pid, encoding='utf-8') as file:
        return path in file.read()


@test
def test_load_and_unload():
    can_call()
    path = some_library()
    with Target() as target:
        document = tendril('load', target.pid, path, '--json').json()
        same((document['pid'], document['library']), (target.pid, path))
        assert document['handle'] != 0 and document['latency_us'] > 0, document
        assert has_mapped(target, path)
        result = tendril('unload', target.pid, os.path.basename(path))
        same((result.code, result.out, result.err), (0, '', ''))
        assert not has_mapped(target, path)
        result = tendril('load', target.pid, os.path.basename(path), cwd=os.path.dirname(path))
        same(result.code, 0)
        assert int(result.out, 16) > 0 and has_mapped(target, path)
        same(tendril('unload', target.pid, path, '--json').json()['library'], path)
        assert not has_mapped(target, path)


@test
def test_load_of_what_is_no_library():
    can_call()
    with Target() as target:
        result = tendril('load', target.pid, '/no/such/library.so', '--json')
        refused(result, 3, '/no/such/library.so')
        same(result.json()['error']['code'], 'ELIBACC')
        refused(tendril('load', target.pid, './no-such-library.so'), 3, 'No such file')
        refused(tendril('unload', target.pid, 'no-such-library.so'), 3, 'no-such-library.so')
        assert target.process.poll() is None


@test
def test_load_bad_usage():
    for command in ['load', 'unload']:
        bad_usage('PID and LIBRARY are missing', command)
        bad_usage('LIBRARY is missing', command, '1')
        bad_usage('one LIBRARY at a time', command, '1', 'a', 'b')
        bad_usage('LIBRARY is empty', command, '1', '')
        bad_usage('seconds', command, '1', 'a', '-t', 'x')


# As an ordinary user with some capabilities

def with_capabilities(*names):
    """A command that runs another one as nobody with these capabilities only."""
    nobody_can_run_it()
    some = ''.join(',+' + name for name in names)
    return ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all' + some,
            '--inh-caps=-all' + some, '--ambient-caps=-all' + some]


def run_with(prefix, *args):
    return Result(subprocess.run(prefix + [TENDRIL] + [str(a) for a in args], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS, check=False))


def checks_of(result):
    return {check['name']: check for check in result.json()['checks']}


def logged_figures(prefix, *targets):
    """What `tendril log` records of them, by the source that it finds best."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        path = os.path.join(folder, 'log')
        result = run_with(prefix, 'log', '-o', path, '--duration', '0.001', *[target.pid for target in targets])
        same((result.code, result.err), (0, ''))
        lines = [json.loads(line) for line in tendril('relog', path, '--json').out.splitlines()]
    keys = ['pid', 'start_ticks', 'name', 'uid', 'session', 'handles', 'handle_limit', 'threads', 'mappings']
    return [{key: line[key] for key in keys} for line in lines]


@test
def test_doctor_tells_where_samples_come_from():
    fast, slow, all_seen = 'BPF iterator in the kernel', 'from /proc (stat)', 'no handles and no mappings'
    capable = with_capabilities('bpf', 'perfmon')
    if fast not in checks_of(tendril('doctor', '--json'))['samples']['found']:
        raise Skip('no BPF iterator here')
    bpf = checks_of(run_with(capable, 'doctor', '--json'))['samples']
    contains(bpf['found'], fast)
    same((bpf['state'], bpf['remedy']), ('ok', None))
    for names in [(), ('bpf',), ('perfmon',), ('sys_ptrace', 'dac_read_search')]:
        found = checks_of(run_with(with_capabilities(*names), 'doctor', '--json'))
        contains(found['samples']['found'], slow)
        contains(found['samples']['remedy'], 'CAP_BPF and CAP_PERFMON')
    with Target() as target:  # of root
        assert target.pid
        contains(checks_of(run_with(with_capabilities(), 'doctor', '--json'))['unreadable']['remedy'],
                 'CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH')
    found = checks_of(run_with(with_capabilities('sys_ptrace', 'dac_read_search'), 'doctor', '--json'))
    assert found['unreadable']['found'] == all_seen or found['unreadable']['remedy'] is None, found


@test
def test_whatever_the_capabilities_the_figures_are_the_same():
    many = 'held = [os.open("/dev/null", 0) for _ in range(300)]\n'
    become_nobody = ('os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n'
                     'ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)')  # PR_SET_DUMPABLE
    with Target(many) as of_root, Target(many + become_nobody) as of_nobody:
        wanted = logged_figures([], of_root, of_nobody)
        same([line['handles'] for line in wanted], [of_root.handles(), of_nobody.handles()])
        assert None not in wanted[0].values() and None not in wanted[1].values(), wanted
        for names in [('bpf', 'perfmon'), ('sys_ptrace', 'dac_read_search'),
                      ('bpf', 'perfmon', 'sys_ptrace', 'dac_read_search')]:
            same((names, logged_figures(with_capabilities(*names), of_root, of_nobody)), (names, wanted))
        # Without any, what may not be read is unknown; the number of handles the kernel tells everybody.
        wanted[0]['mappings'] = None
        same(logged_figures(with_capabilities(), of_root, of_nobody), wanted)


def main():
    failed = 0
    for number, function in enumerate(TESTS, 1):
        name = function.__name__[len('test_'):]
        try:
            function()
            print('ok %d - %s' % (number, name), flush=True)
        except Skip as why:
            print('ok %d - %s # SKIP %s' % (number, name, str(why).replace('\n', ' ')), flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print('not ok %d - %s' % (number, name))
            for line in traceback.format_exc().splitlines():
                print('# ' + line)
            sys.stdout.flush()
    print('1..%d' % len(TESTS))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
