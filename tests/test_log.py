#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_log.py TENDRIL - `tendril log` and `tendril relog` from outside

Prints TAP.  The victims are pythons of ours, and the logs are in a directory of the test's own.
"""
import calendar
import contextlib
import csv
import glob
import io
import json
import os
import random
import re
import resource
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
import unicodedata
import urllib.parse
import urllib.request

TENDRIL = os.path.abspath(sys.argv[1])
SECONDS = 60
TESTS = []
FOLDER = tempfile.mkdtemp(prefix='test_log.')
LOG = os.path.join(FOLDER, 'a.tlog')


class Skip(Exception):
    pass


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip('no ' + program)


def need_root():
    if os.getuid() != 0:
        raise Skip('needs root')


def test(function):
    TESTS.append(function)
    return function


class Result:
    def __init__(self, done):
        self.code = done.returncode
        self.raw = done.stdout
        self.out = done.stdout.decode('utf-8')  # must be valid
        self.err = done.stderr.decode('utf-8')


def tendril(*args):
    return Result(subprocess.run([TENDRIL] + [str(a) for a in args], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 timeout=SECONDS, check=False))


def good(*args):
    result = tendril(*args)
    assert result.code == 0 and not result.err, (result.code, result.err)
    return result


def same(got, wanted):
    assert got == wanted, 'got %r, wanted %r' % (got, wanted)


def refused(code, part, *args):
    result = tendril(*args)
    same(result.code, code)
    assert result.err.startswith('tendril: ') and part in result.err, result.err
    same(result.err.count('\n'), 1)
    assert '\x1b' not in result.err, result.err


class Victim:
    """A python that opens a handle for each line it gets, and answers."""

    def __init__(self, name='victim'):
        self.process = subprocess.Popen(
            [sys.executable, '-c',
             'import ctypes, os, sys\n'
             'ctypes.CDLL(None).prctl(15, %r)\n'
             'print("ready", flush=True)\n'
             'for line in sys.stdin:\n'
             '    os.open("/dev/null", os.O_RDONLY)\n'
             '    print("open", flush=True)\n' % (name if isinstance(name, bytes) else name.encode())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid

    def __enter__(self):
        self.answer(b'ready\n')
        return self

    def answer(self, wanted):
        assert select.select([self.process.stdout], [], [], SECONDS)[0]
        same(self.process.stdout.readline(), wanted)

    def leak(self):
        self.process.stdin.write(b'\n')
        self.process.stdin.flush()
        self.answer(b'open\n')

    def handles(self):
        return len(os.listdir('/proc/%d/fd' % self.pid))

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Logger:
    """A `tendril log` in the background; more() returns when a later sample is in its log."""

    def __init__(self, *args, env=None):
        self.process = subprocess.Popen([TENDRIL, 'log', '-o', LOG, '--interval', '0.02'] +
                                        [str(a) for a in args], stdout=subprocess.PIPE, env=env)

    def __enter__(self):
        self.more()
        return self

    def more(self):
        deadline = time.monotonic() + SECONDS
        before = self.count()
        while self.count() == before:
            assert time.monotonic() < deadline and self.process.poll() is None

    @staticmethod
    def count():
        return contents()['samples'] if os.path.exists(LOG) and \
            tendril('relog', LOG, '--list').code == 0 else 0

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out.decode()

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


CROWD = r'''
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(15, b'tl-crowd')
for i in range(int(sys.argv[1])):
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        held = [os.open('/dev/null', os.O_RDONLY) for _ in range(i % 7)]
        os.write(1, b'.')
        signal.pause()
signal.pause()
'''


class Crowd:
    """So many processes that each have some handles open."""

    def __init__(self, number):
        self.process = subprocess.Popen([sys.executable, '-c', CROWD, str(number)], stdout=subprocess.PIPE)
        said = b''
        while len(said) < number:
            assert select.select([self.process.stdout], [], [], SECONDS)[0]
            said += os.read(self.process.stdout.fileno(), 4096)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def without_bpf():
    """Words before a command: then /proc is read, and directories are held."""
    if os.geteuid() != 0 or not shutil.which('setpriv'):
        return []
    return ['setpriv', '--bounding-set', '-sys_admin,-bpf,-perfmon', '--inh-caps', '-sys_admin,-bpf,-perfmon']


def counted(limit, *args):
    """The rows of a command that prints JSON; limit None: no other limit than ours."""
    def lower():
        if limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    done = subprocess.run(without_bpf() + [TENDRIL] + [str(a) for a in args], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, timeout=SECONDS, preexec_fn=lower, check=True)
    return done.stdout.decode()


def of_ps(limit):
    return {row['pid']: row['handles'] for row in json.loads(counted(limit, 'ps', '--json', 'tl-crowd'))}


def of_watch(limit):
    rows = json.loads(counted(limit, 'watch', '--once', '--json', '--interval', '0.05', 'tl-crowd'))
    return {row['pid']: row['handles'] for row in rows}


def of_log(limit):
    if os.path.exists(LOG):
        os.unlink(LOG)
    counted(limit, 'log', '-o', LOG, '--interval', '0.05', '--duration', '0.4', 'tl-crowd')
    said = [json.loads(line) for line in good('relog', LOG, '--json').out.splitlines()]
    last = max(row['time'] for row in said)
    return {row['pid']: row['handles'] for row in said if row['time'] == last}


def contents(*args):
    return json.loads(good('relog', LOG, '--list', '--json', *args).out)


def lines(*args):
    return [json.loads(line) for line in good('relog', LOG, '--json', *args).out.splitlines()]


def record(victim, *args):
    """Two samples: before and after a handle was opened."""
    good('log', '-o', LOG, '--duration', '0.001', victim.pid, *args)
    victim.leak()
    good('log', '-o', LOG, '--duration', '0.001', victim.pid, *args)


@test
def a_leak_is_in_the_log():
    with Victim() as victim:
        before = victim.handles()
        record(victim)
        got = lines()
        same([line['handles'] for line in got], [before, before + 1])
        same([line['pid'] for line in got], [victim.pid] * 2)
        same(got[0]['name'], 'victim')
        same(contents()['processes'][0]['pid'], victim.pid)


@test
def signals_end_it_and_the_log_is_one_file():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with Victim() as victim, Logger(victim.pid) as logger:
            code, out = logger.end(number)
            same(code, 0)
            assert re.match(r'^\d+ samples\n$', out), out
        same(os.listdir(FOLDER), ['a.tlog'])


@test
def a_signal_as_soon_as_the_log_is_there_is_taken():
    for number, code in ((signal.SIGUSR1, None), (signal.SIGTERM, 0)):
        with subprocess.Popen([TENDRIL, 'log', '-o', LOG, '--interval', '3600', str(os.getpid())],
                              stdout=subprocess.DEVNULL) as process:
            try:
                while not os.path.exists(LOG):
                    assert process.poll() is None
                process.send_signal(number)
                deadline = time.monotonic() + SECONDS
                while code is None and not (tendril('relog', LOG, '--list').code == 0 and contents()['bookmarks']):
                    assert time.monotonic() < deadline and process.poll() is None, process.returncode
                process.terminate()
                same(process.wait(SECONDS), 0)
            finally:
                process.kill()
        os.unlink(LOG)


@test
def a_killed_log_is_whole_and_continued():
    with Victim() as victim:
        with Logger(victim.pid) as logger:
            before = logger.count()
            code, _ = logger.end(signal.SIGKILL)
            same(code, -signal.SIGKILL)
        assert contents()['samples'] >= before
        killed = contents()['samples']
        record(victim)
        same(contents()['samples'], killed + 2)
        same(len(contents()['processes']), 1)
        with sqlite3.connect(LOG) as database:
            same(database.execute('PRAGMA integrity_check').fetchall(), [('ok',)])


@test
def two_loggers_are_one_too_many():
    with Victim() as victim, Logger(victim.pid):
        refused(3, 'another process is logging to it', 'log', '-o', LOG, '--duration', '1')


@test
def bookmarks():
    with Victim() as victim, Logger(victim.pid) as logger:
        good('log', '-o', LOG, '--mark', 'new \x1b[31m release')
        os.kill(logger.process.pid, signal.SIGUSR1)
        deadline = time.monotonic() + SECONDS
        while len(contents()['bookmarks']) < 2:
            assert time.monotonic() < deadline
        same([mark['text'] for mark in contents()['bookmarks']],
             ['new \x1b[31m release', 'SIGUSR1'])
        assert '\x1b' not in good('relog', LOG, '--list').out


@test
def only_some_counters():
    with Victim() as victim:
        record(victim, '--counters', 'handles,Thread Count')
        line = lines()[0]
        assert line['handles'] and line['threads'] == 1
        same(line['mappings'], None)
        same('threads' in lines('--counters', 'handles')[0], False)


@test
def windows_of_time():
    with Victim() as victim:
        record(victim)
        first, last = lines()[0]['time'], lines()[1]['time']
        same([line['time'] for line in lines('--from', last)], [last])
        same([line['time'] for line in lines('--to', first)], [first])
        same(len(lines('--from', '-1d')), 2)
        same(len(lines('--from', '-0s')), 1)
        same(len(lines('--to', '-1h')), 0)


@test
def processes_of_the_log():
    with Victim('one two') as victim, Victim('other') as other:
        good('log', '-o', LOG, '--duration', '0.001', victim.pid, other.pid)
        for word in ('one*', victim.pid, '\\Process(ONE TWO)\\Handle Count'):
            same([line['pid'] for line in lines(word)], [victim.pid])
        same(len(lines('user:%d' % os.getuid())), 2)
        refused(3, "no process in the log matches 'nobody-here'", 'relog', LOG, 'nobody-here')


@test
def pdh_csv():
    with Victim('a(b)"#\\/*\x1b') as victim:
        record(victim)
        raw = good('relog', LOG, '--format', 'pdh-csv').raw
        assert raw.endswith(b'\r\n') and raw.count(b'\n') == raw.count(b'\r\n') == 3, raw
        header, first, second = csv.reader(io.StringIO(raw.decode(), newline=''))
        same(header[0], '(PDH-CSV 4.0) (Coordinated Universal Time)(0)')
        same(header[1], "\\\\%s\\Process(a[b]'_____x1b#%d)\\Handle Count" %
             (os.uname().nodename, victim.pid))
        same(header[6].rpartition('\\')[2], '% Processor Time')
        assert re.match(r'^\d\d/\d\d/\d{4} \d\d:\d\d:\d\d\.\d{3}$', first[0]), first
        same(int(second[1]), int(first[1]) + 1)
        same(len({len(row) for row in (header, first, second)}), 1)
        same(first[6], ' ')  # a rate begins with the second sample
        for cell in raw.split(b'\r\n')[1].split(b','):
            assert cell[:1] == cell[-1:] == b'"', cell


@test
def pdh_csv_has_a_blank_where_a_process_was_not():
    with Victim('early') as early:
        good('log', '-o', LOG, '--duration', '0.001', 'early', 'late')
        with Victim('late'):
            good('log', '-o', LOG, '--duration', '0.001', 'early', 'late')
            out = good('relog', LOG, '--format', 'pdh-csv', '--counters', 'handles').out
            _, first, second = csv.reader(io.StringIO(out, newline=''))
            same((first[1], first[2]), (str(early.handles()), ' '))
            assert second[2] != ' ', second


@test
def csv_lines():
    with Victim('a,"b') as victim:
        record(victim)
        rows = list(csv.DictReader(io.StringIO(good('relog', LOG).out)))
        same([row['name'] for row in rows], ['a,"b'] * 2)
        same([int(row['handles']) for row in rows], [line['handles'] for line in lines()])
        same(rows[0]['handles_max'], rows[0]['handles'])


@test
def openmetrics():
    with Victim('a"b\\') as victim:
        record(victim)
        out = good('relog', LOG, '--format', 'openmetrics').out.splitlines()
        same(out[-1], '# EOF')
        same(out[0], '# TYPE tendril_process_open_handles gauge')
        found = [line for line in out if line.startswith('tendril_process_open_handles{')]
        same(len(found), 2)
        assert 'pid="%d"' % victim.pid in found[0] and 'name="a\\"b' in found[0], found
        assert re.match(r'^\S+ \d+ \d+\.\d{3}$', found[0]), found
        # A family is not taken up again.
        names = [line.partition('{')[0] for line in out if not line.startswith('#')]
        same(len([a for a, b in zip(names, names[1:]) if a != b]) + 1, len(set(names)))


@test
def pdh_csv_with_a_hostile_name_of_the_machine():
    need_root()
    with Victim() as victim:
        record(victim)
        code = ('import ctypes, os, sys\n'
                'libc = ctypes.CDLL(None)\n'
                'assert libc.unshare(0x04000000) == 0\n'  # CLONE_NEWUTS
                'name = b\'a"b\\\\c(d)\\ne\\xff\\x1b\'\n'
                'assert libc.sethostname(name, len(name)) == 0\n'
                'os.execv(sys.argv[1], sys.argv[1:])\n')
        raw = subprocess.run([sys.executable, '-c', code, TENDRIL, 'relog', LOG, '-F', 'pdh-csv', '-c', 'handles'],
                             stdout=subprocess.PIPE, timeout=SECONDS, check=True).stdout
        header, _, _ = csv.reader(io.StringIO(raw.decode(), newline=''), strict=True)
        same(header[1], "\\\\a'b_c[d]_x0ae_xff_x1b\\Process(victim#%d)\\Handle Count" % victim.pid)


def reborn(pid):
    """Another process with the number of one that has ended."""
    for _ in range(1000):
        with open('/proc/sys/kernel/ns_last_pid', 'w', encoding='ascii') as file:
            file.write(str(pid - 1))
        victim = Victim('second')
        if victim.pid == pid:
            return victim
        with victim:  # somebody else was faster
            pass
    raise AssertionError('never got the number')


@test
def a_number_that_is_used_again_is_another_process():
    need_root()
    with Victim('first') as first:
        good('log', '-o', LOG, '--duration', '0.001', first.pid)
        before, pid = first.handles(), first.pid
    with reborn(pid) as second:
        second.leak()
        good('log', '-o', LOG, '--duration', '0.001', pid)
        header, early, late = csv.reader(io.StringIO(good('relog', LOG, '-F', 'pdh-csv', '-c', 'handles').out,
                                                     newline=''), strict=True)
        same([name.split('\\')[3] for name in header[1:]],
             ['Process(first#%d)' % pid, 'Process(second_2#%d)' % pid])
        same((early[1:], late[1:]), ([str(before), ' '], [' ', str(second.handles())]))
        same([(line['name'], line['handles']) for line in lines()],
             [('first', before), ('second', second.handles())])
        same(len({line['start_ticks'] for line in lines()}), 2)
        same(len(contents()['processes']), 2)


def in_sqlite(text, query):
    """What the shell of SQLite, which reads CSV by itself, makes of it."""
    with tempfile.NamedTemporaryFile(dir=FOLDER, suffix='.csv') as file:
        file.write(text)
        file.flush()
        done = subprocess.run(['sqlite3', '-json', ':memory:', '.import --csv %s log' % file.name, query],
                              stdout=subprocess.PIPE, timeout=SECONDS, check=True)
    return json.loads(done.stdout)


HOSTILE = [b'a\nb', b'\x1b[31mred', b'\xff\xfe', b'\xc3\xa4' * 7 + b'\xc3', b'\xe2\x80\xaeevil', b'\xc2\x9b31m',
           b"=cmd|'/C'!A0", b'+1', b'-1', b'@a', b'</script>', b'"\\\'`$(id)', b'   ', b'', b'\x7f\t\r', b'#EOF', b'%s%n%d',
           b'\xed\xa0\x80', b'\xe2\x80\xa8x', b'\xef\xbb\xbfbom', b'a,b;c', b'(#1)']


def is_harmless(text):
    """What a terminal or an editor may be shown."""
    for character in text.replace('\r\n', '\n'):
        assert character == '\n' or unicodedata.category(character) not in ('Cc', 'Cf', 'Cs', 'Zl', 'Zp'), repr(text)


@test
def hostile_names_harm_nobody_in_any_output():
    with contextlib.ExitStack() as stack:
        victims = [stack.enter_context(Victim(name)) for name in HOSTILE]
        pids = [victim.pid for victim in victims]
        good('log', '-o', LOG, '--duration', '0.001', *pids)
        outputs = {name: good('relog', LOG, '-F', name).out for name in ('csv', 'json', 'openmetrics', 'pdh-csv')}
        for args in (['relog', LOG, '--list'], ['relog', LOG, '--list', '--json'], ['ps', *pids], ['ps', '--json', *pids],
                     ['watch', '--once', '--interval', '0.05', *pids]):
            outputs[' '.join(map(str, args[:3]))] = good(*args).out
        for out in outputs.values():
            is_harmless(out)
        rows = list(csv.DictReader(io.StringIO(outputs['csv'], newline=''), strict=True))
        same(sorted(int(row['pid']) for row in rows), sorted(pids))
        same([row['name'] for row in rows if row['name'][:1] in tuple('=+-@')], [])
        same(sorted(json.loads(line)['pid'] for line in outputs['json'].splitlines()), sorted(pids))
        names = {line['pid']: line['name'] for line in lines()}
        same([names[victim.pid] for victim in victims],
             [name[:15].decode('utf-8', 'replace') if b'\xed' not in name else '\ufffd' * 3 for name in HOSTILE])
        same({len(row) for row in csv.reader(io.StringIO(outputs['pdh-csv'], newline=''), strict=True)},
             {1 + 6 * len(pids)})
        same(len(outputs['openmetrics'].splitlines()), 6 * len(pids) + 2 * 6 + 2 + 1)
        same(outputs['openmetrics'].count('# EOF'), 1)
        same(len(outputs['ps %d %d' % tuple(pids[:2])].splitlines()), len(pids) + 1)


@test
def other_programs_read_csv():
    need('sqlite3')
    with Victim('a,"b\n') as victim, Victim('other') as other:
        good('log', '-o', LOG, '--duration', '0.001', victim.pid, other.pid)
        record(victim)
        known = [line['handles'] for line in lines(victim.pid)]
        rows = in_sqlite(good('relog', LOG).raw, 'SELECT * FROM log WHERE pid = %d' % victim.pid)
        same([int(row['handles']) for row in rows], known)
        same({row['name'] for row in rows}, {'a,"b\\x0a'})
        rows = in_sqlite(good('relog', LOG, '-F', 'pdh-csv', '-c', 'handles').raw, 'SELECT * FROM log')
        same(len(rows), 3)
        time_name, *names = rows[0]
        same(time_name, '(PDH-CSV 4.0) (Coordinated Universal Time)(0)')
        same([name.split('\\')[3] for name in names],
             ["Process(a,'b_x0a#%d)" % victim.pid, 'Process(other#%d)' % other.pid])
        same([int(row[names[0]]) for row in rows], known)
        same([row[names[1]] for row in rows], [str(other.handles()), ' ', ' '])


@test
def other_programs_read_json_lines():
    need('jq')
    with Victim(b'a\xff"\n\x1b') as victim:
        record(victim)
        done = subprocess.run(['jq', '-c', '[.pid, .name, .handles, .container]'], input=good('relog', LOG, '--json').raw,
                              stdout=subprocess.PIPE, timeout=SECONDS, check=True)
        same([json.loads(line) for line in done.stdout.splitlines()],
             [[victim.pid, 'a\ufffd"\n\x1b', victim.handles() - 1 + i, None] for i in range(2)])


class Prometheus:
    """A real one, on blocks that were made before."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.url = 'http://127.0.0.1:%d/' % free.getsockname()[1]
        with open(folder + '/none.yml', 'w', encoding='ascii') as file:
            file.write('scrape_configs: []\n')
        self.process = subprocess.Popen(
            ['prometheus', '--config.file=' + folder + '/none.yml', '--storage.tsdb.path=' + folder + '/data',
             '--storage.tsdb.retention.time=10y', '--web.listen-address=' + self.url[len('http://'):-1]],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path):
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                with self.opener.open(self.url + path, timeout=SECONDS) as answer:
                    return json.load(answer)
            except OSError:  # not yet
                assert time.monotonic() < deadline and self.process.poll() is None

    def query(self, text, at):
        found = self.ask('api/v1/query?' + urllib.parse.urlencode({'query': text, 'time': at}))
        same(found['status'], 'success')
        return found['data']['result']

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()


def seconds_of(text):
    whole, part = text.rstrip('Z').split('.')
    return calendar.timegm(time.strptime(whole, '%Y-%m-%dT%H:%M:%S')) + int(part) / 1000


@test
def a_real_prometheus_gives_the_counts_back():
    need('prometheus', 'promtool')
    with tempfile.TemporaryDirectory() as folder, Victim('a"b\\{}\n') as victim, Victim('other') as other:
        record(victim, other.pid)
        good('relog', LOG, '-F', 'openmetrics', '-o', folder + '/log.om')
        subprocess.run(['promtool', 'tsdb', 'create-blocks-from', 'openmetrics', folder + '/log.om', folder + '/data'],
                       stdout=subprocess.DEVNULL, timeout=SECONDS, check=True)
        end = seconds_of(contents()['last'])
        with Prometheus(folder) as prometheus:
            for pid, name in ((victim.pid, 'a"b\\{}\\x0a'), (other.pid, 'other')):
                known = lines(pid)
                for metric, key in (('open_handles', 'handles'), ('max_handles', 'handle_limit'),
                                    ('threads', 'threads'), ('mappings', 'mappings'),
                                    ('resident_bytes', 'resident_bytes')):
                    series, = prometheus.query('tendril_process_%s{pid="%d"}[1h]' % (metric, pid), end)
                    same((series['metric']['name'], series['metric']['start']), (name, str(known[0]['start_ticks'])))
                    same([(at, int(value)) for at, value in series['values']],
                         [(seconds_of(line['time']), line[key]) for line in known])
                series, = prometheus.query('tendril_process_cpu_seconds_total{pid="%d"}[1h]' % pid, end)
                for (_, value), line in zip(series['values'], known):
                    assert abs(float(value) - line['cpu_ns'] / 1e9) < 1e-6, (value, line)


@test
def an_output_file_is_whole_or_not_there():
    out = os.path.join(FOLDER, 'out.csv')
    with Victim() as victim:
        record(victim)
        good('relog', LOG, '-o', out)
        with open(out, encoding='utf-8') as file:
            same(file.read(), good('relog', LOG).out)
        refused(3, 'no process', 'relog', LOG, 'nobody-here', '-o', os.path.join(FOLDER, 'none'))
        same(sorted(os.listdir(FOLDER)), ['a.tlog', 'out.csv'])
        refused(3, 'No such file', 'relog', LOG, '-o', '/nonexistent/out')


@test
def a_conversion_that_is_killed_leaves_nothing_and_is_repeated():
    try:
        os.close(os.open(FOLDER, os.O_TMPFILE | os.O_WRONLY))
    except OSError as error:
        raise Skip('no files without a name: %s' % error) from error
    out = os.path.join(FOLDER, 'out.csv')
    with Victim() as victim:
        record(victim)
    # What a killed one left where files have to have a name is in nobody's way.
    with open(out + '.part', 'wb'):
        pass
    good('relog', LOG, '-o', out)
    same(sorted(os.listdir(FOLDER)), ['a.tlog', 'out.csv'])
    os.unlink(out)
    with contextlib.closing(sqlite3.connect(LOG)) as database, database:  # enough to be killed amidst it
        row = database.execute('SELECT * FROM sample ORDER BY 1 LIMIT 1').fetchone()
        marks = ','.join('?' * len(row))
        for i in range(1, 200000):
            database.execute('INSERT INTO sample VALUES(%s)' % marks, (row[0] + 100000000 + i, *row[1:]))
    with subprocess.Popen([TENDRIL, 'relog', LOG, '-o', out]) as process:
        deadline = time.monotonic() + SECONDS
        while not has_written(process):
            assert time.monotonic() < deadline and process.poll() is None
        process.kill()
    same(sorted(os.listdir(FOLDER)), ['a.tlog'])


def has_written(process):
    with contextlib.suppress(FileNotFoundError), open('/proc/%d/io' % process.pid, encoding='ascii') as file:
        return int(re.search(r'^wchar: (\d+)', file.read(), re.M)[1]) > 0
    return False


@contextlib.contextmanager
def small_disk(kilobytes):
    need_root()
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%dk' % kilobytes, 'tmpfs', folder],
                                 stderr=subprocess.PIPE, check=False)
        if mounted.returncode:
            raise Skip('no file system of our own: ' + mounted.stderr.decode().strip())
        try:
            yield folder
        finally:
            subprocess.run(['umount', '-l', folder], check=True)


@test
def a_full_disk_is_named_and_costs_no_sample_that_was_taken():
    with small_disk(600) as folder, Victim() as victim:
        log = folder + '/a.tlog'
        with open(folder + '/filler', 'wb') as file:
            file.write(b'x' * 300000)
        refused(3, 'a.tlog: database or disk is full', 'log', '-o', log, '--interval', '0.001', victim.pid)
        kept = json.loads(good('relog', log, '--list', '--json').out)['samples']
        assert kept > 0
        same(len(good('relog', log, '--json', '-c', 'handles', victim.pid).out.splitlines()), kept)
        os.unlink(folder + '/filler')
        good('log', '-o', log, '--duration', '0.001', victim.pid)
        same(json.loads(good('relog', log, '--list', '--json').out)['samples'], kept + 1)


@test
def an_output_file_on_a_full_disk():
    with small_disk(4) as folder, contextlib.ExitStack() as stack:
        pids = [stack.enter_context(Victim('v' * 15)).pid for _ in range(20)]
        for _ in range(4):
            good('log', '-o', LOG, '--duration', '0.001', *pids)
        for name in ('csv', 'json', 'openmetrics', 'pdh-csv'):
            refused(3, folder + '/out: No space left on device', 'relog', LOG, '-F', name, '-o', folder + '/out')
            same(os.listdir(folder), [])


@test
def a_full_device_is_an_error():
    with Victim() as victim, open('/dev/full', 'wb') as full:
        record(victim)
        done = subprocess.run([TENDRIL, 'relog', LOG], stdout=full, stderr=subprocess.PIPE,
                              timeout=SECONDS, check=False)
        same(done.returncode, 3)
        same(done.stderr.count(b'\n'), 1)


@test
def other_files():
    refused(3, 'No such file', 'relog', LOG)
    refused(3, 'is no ordinary file', 'relog', FOLDER)
    refused(3, 'is no ordinary file', 'log', '-o', '/dev/null', '--duration', '1')
    refused(3, 'is not a log of tendril', 'relog', __file__)
    refused(3, 'is not a log of tendril', 'log', '-o', __file__, '--duration', '1')
    refused(3, 'No such file', 'log', '-o', LOG, '--mark', 'x')
    same(os.listdir(FOLDER), [])
    with Victim() as victim:
        record(victim)
    with sqlite3.connect(LOG) as database:
        database.execute("UPDATE sample SET data = x'00'")
    refused(3, 'the log is damaged', 'relog', LOG)


@test
def files_that_are_no_log_are_not_touched():
    for text in (b'x', b'\n', b'SQLite format 3\0', b'SQLite format 3\0' + bytes(8176), b'a' * 100000):
        with open(LOG, 'wb') as file:
            file.write(text)
        for args in (('log', '-o', LOG, '--duration', '0.001'), ('log', '-o', LOG, '--mark', 'x'), ('relog', LOG),
                     ('relog', LOG, '--list')):
            result = tendril(*args)
            same((args, result.code, result.err.count('\n')), (args, 3, 1))
        with open(LOG, 'rb') as file:
            same(file.read(), text)
        same(os.listdir(FOLDER), ['a.tlog'])
        os.unlink(LOG)
    with contextlib.closing(sqlite3.connect(LOG)) as database, database:
        database.execute('CREATE TABLE theirs(a)')
    refused(3, 'is not a log of tendril', 'log', '-o', LOG, '--duration', '0.001')
    refused(3, 'is not a log of tendril', 'relog', LOG)


@test
def a_log_that_was_cut_off_or_has_wrong_bytes_is_refused_or_read():
    """Never a crash, never without end, and one line at most."""
    with Victim() as victim, Logger(victim.pid) as logger:
        for _ in range(3):
            logger.more()
        logger.end()
    with open(LOG, 'rb') as file:
        whole = file.read()
    random.seed(3)
    damaged = [whole[:length] for length in (99, 100, 4096, 8191, 8192, 8193, len(whole) // 2, len(whole) - 1)]
    for _ in range(40):
        other = bytearray(whole)
        for _ in range(random.choice((1, 3, 30))):
            other[random.randrange(len(other))] = random.randrange(256)
        damaged.append(bytes(other))
    codes = set()
    for number, text in enumerate(damaged):
        with open(LOG, 'wb') as file:
            file.write(text)
        for args in (['--list'], ['-F', ('csv', 'json', 'openmetrics', 'pdh-csv')[number % 4]]):
            result = tendril('relog', LOG, *args)
            codes.add(result.code)
            assert (result.code, result.err.count('\n')) in ((0, 0), (3, 1)), (number, args, result.code, result.err)
    same(codes, {0, 3})


def at_time(text, *args):
    need('faketime')
    return Result(subprocess.run(['faketime', '-f', text, TENDRIL] + [str(a) for a in args], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS, check=False))


@test
def whatever_the_clock_says_times_rise():
    with Victim() as victim:
        log = ('log', '-o', LOG, '--interval', '0.01', '--duration', '0.05', victim.pid)
        for clock in ('@1970-01-01 00:00:01', '@2026-06-01 00:00:00', '@2026-05-01 00:00:00', '@2099-06-01 00:00:00',
                      '@2026-07-01 00:00:00'):
            same((at_time(clock, *log).err, clock), ('', clock))
        times = [line['time'] for line in lines()]
        same(times, sorted(set(times)))
        same([times[0][:4], times[-1][:4]], ['1970', '2099'])
        assert len(good('relog', LOG, '-F', 'pdh-csv').raw.splitlines()) == len(times) + 1
        same(len(contents()['processes']), 1)
        for clock in ('@2150-01-01 00:00:00', '@1960-01-01 00:00:00'):
            result = at_time(clock, *log)
            same((result.code, result.err.count('\n')), (3, 1))
            assert 'the clock is not set' in result.err, result.err
        same(len(lines()), len(times))


@test
def a_clock_that_jumps_while_it_is_logged():
    libraries = glob.glob('/usr/lib/*/faketime/libfaketime.so.1')
    if not libraries:
        raise Skip('no faketime')
    offset = os.path.join(FOLDER, 'offset')

    def jump(text):
        with open(offset + '.new', 'w', encoding='ascii') as file:
            file.write(text)
        os.rename(offset + '.new', offset)
    jump('+0')
    environment = dict(os.environ, LD_PRELOAD=libraries[0], FAKETIME_TIMESTAMP_FILE=offset, FAKETIME_NO_CACHE='1',
                       FAKETIME_DONT_FAKE_MONOTONIC='1')
    with Victim() as victim, Logger(victim.pid, env=environment) as logger:
        jump('-1h')
        logger.more()
        jump('+2h')
        logger.more()
        logger.more()
        logger.end()
        times = [seconds_of(line['time']) for line in lines()]
        same(times, sorted(set(times)))
        steps = [after - before for before, after in zip(times, times[1:])]
        same(len([step for step in steps if step > 3600]), 1)  # forwards as it was set, and never backwards
    os.unlink(offset)


@test
def who_may_not_is_told():
    need_root()
    with Victim() as victim:
        record(victim)

    def nobody(*args):
        return Result(subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', TENDRIL] +
                                     [str(a) for a in args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, timeout=SECONDS, check=False))
    if nobody('--version').code:
        raise Skip('nobody may not run it')
    os.chmod(FOLDER, 0o755)
    same((nobody('relog', LOG, '--json').code, nobody('relog', LOG, '--json').out), (0, good('relog', LOG, '--json').out))
    for args in (('log', '-o', LOG, '--duration', '1'), ('log', '-o', LOG, '--mark', 'x'),
                 ('log', '-o', FOLDER + '/new', '--duration', '1'), ('relog', LOG, '-o', FOLDER + '/new')):
        result = nobody(*args)
        same((args, result.code, result.err.count('\n')), (args, 3, 1))
        assert 'Permission denied' in result.err, result.err
    os.chmod(LOG, 0o600)
    assert 'Permission denied' in nobody('relog', LOG).err
    same(os.listdir(FOLDER), ['a.tlog'])


@test
def bad_usage():
    for part, args in (
            ('which file', ['log']),
            ('which log', ['relog']),
            ("'5x' is no number of seconds", ['log', '-o', LOG, '--interval', '5x']),
            ('at least 0.001', ['log', '-o', LOG, '--interval', '0']),
            ("'many' is no size", ['log', '-o', LOG, '--max-size', 'many']),
            ('at least 1M', ['log', '-o', LOG, '--max-size', '10K']),
            ("did you mean 'handles'", ['log', '-o', LOG, '--counters', 'handels']),
            ("did you mean 'pdh-csv'", ['relog', LOG, '--format', 'pdh-cvs']),
            ("'yesterday' is no time", ['relog', LOG, '--from', 'yesterday']),
            ("'2026-13-01' is no time", ['relog', LOG, '--from', '2026-13-01']),
            ('control groups are not in a log', ['relog', LOG, 'cgroup:/a']),
            ('converts nothing', ['relog', LOG, '--list', '--format', 'csv']),
            ('different things', ['relog', LOG, '--json', '--format', 'csv'])):
        refused(2, part, *args)
    same(os.listdir(FOLDER), [])


@test
def few_handles_give_the_same_figures():
    with Crowd(300):
        wanted = of_ps(None)
        same(len(wanted), 301)
        for count in (of_ps, of_watch, of_log):
            same((count.__name__, count(64)), (count.__name__, wanted))


@test
def own_limit_is_raised_and_given_back_to_commands():
    """Directories of all are held, although half of the soft limit has no room for that."""
    with Crowd(60), Victim('tl-limit') as victim, tempfile.TemporaryDirectory() as folder:
        def lower():
            resource.setrlimit(resource.RLIMIT_NOFILE, (50, 1000))
        path = os.path.join(folder, 'held')
        command = 'ls /proc/$PPID/fd | wc -l > {0}.new; ulimit -S -n >> {0}.new; mv {0}.new {0}'.format(path)
        process = subprocess.Popen(
            without_bpf() + [TENDRIL, 'log', '-o', LOG, '--interval', '0.05', '--alert', 'handles>10 tl-limit',
                             '--run', command, 'tl-*'], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lower)
        for _ in range(10):
            victim.leak()
        deadline = time.monotonic() + SECONDS
        while not os.path.exists(path):
            assert time.monotonic() < deadline and process.poll() is None
        process.terminate()
        out, err = process.communicate(timeout=SECONDS)
        same(process.returncode, 1)
        assert b'samples' in out and err.count(b'\n') == 1, (out, err)
        with open(path, encoding='ascii') as file:
            held, soft = [int(line) for line in file]
        same(soft, 50)
        if without_bpf():
            assert held > 2 * 60, held


@test
def alerts_run_commands_and_are_told():
    with Victim('tl-"x"\n$(id)') as victim, tempfile.TemporaryDirectory() as folder:
        once, every = os.path.join(folder, 'once'), os.path.join(folder, 'every')
        limit = victim.handles()
        args = ['--alert', 'handles>%d' % limit, '--run', 'echo "$TENDRIL_ALERT_NAME" >> ' + once,
                '--alert', 'threads>99 ' + str(victim.pid), '--run', 'echo >> ' + every]
        with Logger(*args, victim.pid) as logger:
            logger.more()
            assert not os.path.exists(once)
            victim.leak()
            deadline = time.monotonic() + SECONDS
            while not os.path.exists(once):
                assert time.monotonic() < deadline
            logger.more()
            code, out = logger.end()
            same((code, out.endswith(' samples\n')), (1, True))
        with open(once, encoding='utf-8') as file:
            same(file.read(), 'tl-"x"\\x0a$(id)\n')
        assert not os.path.exists(every)


@test
def commands_have_no_capability_of_ours():
    if not without_bpf():
        raise Skip('capabilities can be given by root with setpriv only')
    held = '--reuid 65534 --clear-groups --inh-caps -all,+dac_read_search --ambient-caps -all,+dac_read_search'
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        done = subprocess.run(['setpriv'] + held.split() +
                              [TENDRIL, 'log', '-o', os.path.join(folder, 'log'), '--duration', '0.001', '--alert',
                               'processes>0', '--run', 'grep CapEff /proc/$PPID/status /proc/$$/status',
                               str(os.getpid())], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                              check=False)
    same(done.returncode, 1)
    same(re.findall(r'CapEff:\s+(\w+)', done.stderr.decode()), ['%016x' % 4, '%016x' % 0])


@test
def alerts_of_a_log_that_ends_are_waited_for():
    with Victim('tl-end') as victim, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'done')
        result = tendril('log', '-o', LOG, '--json', '--duration', '0.001', '--counters', 'threads', '--alert',
                         'handles>1', '--run', 'sleep 0.3; echo "$TENDRIL_ALERT_EVENT" > ' + path, victim.pid)
        same((result.code, json.loads(result.out)['alerts_fired']), (1, 1))
        same(result.err, 'tendril: alert fired: tl-end (%d): handles>1: %d\n' % (victim.pid, victim.handles()))
        with open(path, encoding='utf-8') as file:
            same(file.read(), 'fired\n')
        row, = lines()
        assert row['threads'] == 1 and row.get('handles') is None, row  # watched, but not recorded


@test
def alerts_of_a_full_disk_are_waited_for():
    """And a bookmark that is asked for meanwhile ends none of them."""
    with small_disk(600) as disk, Victim('tl-full') as victim, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'done')
        with open(disk + '/filler', 'wb') as file:
            file.write(b'x' * 300000)
        result = tendril('log', '-o', disk + '/a.tlog', '--interval', '0.001', '--alert', 'handles>1',
                         '--run', 'sleep 2; kill -USR1 $PPID; sleep 0.3; echo >> ' + path, victim.pid)
        assert result.code == 3 and 'a.tlog: database or disk is full' in result.err, result.err
        assert os.path.exists(path)


@test
def a_log_goes_on_when_nobody_listens_to_its_alerts():
    with Victim('tl-deaf') as victim:
        reader, writer = os.pipe()
        os.close(reader)
        with subprocess.Popen([TENDRIL, 'log', '-o', LOG, '--interval', '0.05', '--duration', '0.5', '--alert',
                               'handles>1', str(victim.pid)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=writer) as process:
            os.close(writer)
            out, _ = process.communicate(timeout=SECONDS)
        same((process.returncode, out.endswith(b' samples\n')), (1, True))
        assert len(lines()) > 1


@test
def bad_alerts_are_one_line():
    for args, part in ((['--alert', 'handles>'], 'no number'), (['--run', 'true'], 'behind an --alert'),
                       (['--alert', 'leak', '--call', 'gopher://x'], 'no http or https address'),
                       (['--alert', 'leak\x1b[31m'], 'no counter')):
        refused(2, part, 'log', '-o', LOG, *args)


def main():
    failed = 0
    print('1..%d' % len(TESTS))
    for number, function in enumerate(TESTS, 1):
        for name in os.listdir(FOLDER):
            os.unlink(os.path.join(FOLDER, name))
        try:
            function()
            print('ok %d - %s' % (number, function.__name__), flush=True)
        except Skip as why:
            print('ok %d - %s # SKIP %s' % (number, function.__name__, why), flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print('not ok %d - %s' % (number, function.__name__))
            print(''.join('# ' + line + '\n' for line in traceback.format_exc().splitlines()),
                  end='', flush=True)
    for name in os.listdir(FOLDER):
        os.unlink(os.path.join(FOLDER, name))
    os.rmdir(FOLDER)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
