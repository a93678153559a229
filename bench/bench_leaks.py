#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""bench_leaks.py BUILD [--rounds N] - what `tendril leaks` costs, beside its peers, in one run

Rounds are interleaved: in each, everybody is measured once, and the same lap without anybody just
before.  Ratios are medians of the rounds' ratios of CPU time (of nginx: of lower quartiles); wall
time meets what else the machine does.  The floor is an empty program on the tracepoint of system
calls' exits.  Exit status 1 when a goal is missed.
"""
import argparse
import functools
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../tests'))
from leaks_support import Leaks, until  # pylint: disable=wrong-import-position

PAIRS = 150000        # of open and close, in a lap
PAIRS_STRACE = 1500   # strace needs so much longer
PAIRS_PERF = 60000    # perf writes 8 KiB an event
EVENTS_A_SECOND = 200000
WRK_SECONDS = 1
WINDOWS = 20          # looked at while wrk is at it

LOOP_GOAL, VALGRIND_GOAL, STRACE_GOAL = 1.3, 1 / 3, 1 / 100
NGINX_GOAL, NGINX_OVER_FLOOR, OTHER_GOAL = 1.08, 1.5, 1.02
START_GOAL_S, MEMORY_GOAL_MB = 1.0, 100

MISSED = []


class Missing(Exception):
    """Not installed, or not permitted."""


def judge(what, value, goal, unit='x'):
    missed = not value <= goal
    print('  => %-52s %9.4g %-2s  goal at most %.4g %s: %s' % (
        what, value, unit, goal, unit, 'MISSED' if missed else 'met'))
    if missed:
        MISSED.append(what)


def row(name, values, unit='x'):
    print('  %-55s %9.4g %-2s  (%.4g to %.4g, %d rounds)' % (
        name, statistics.median(values), unit, min(values), max(values), len(values)), flush=True)


# --- who looks on -------------------------------------------------------------------------------

class Helper:
    """A process that we started, with the CPU time it took; ended by its PID."""

    def __init__(self, *command, ready=None, end=signal.SIGINT, **options):
        if not shutil.which(command[0]):
            raise Missing('%s is not installed' % command[0])
        self.end_signal, self.cpu_s, self.rss_mb = end, 0, 0
        options.setdefault('stderr', subprocess.DEVNULL)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        **options)
        if ready:
            until(command[0], lambda: self.process.poll() is not None or ready(self.process.pid))
            if self.process.poll() is not None:
                self.process.communicate()
                raise Missing('%s ended at once' % command[0])

    def close(self):
        """End it.  Return: what it wrote."""
        if self.end_signal:
            self.process.send_signal(self.end_signal)
        self.process.stdin.close()
        text = self.process.stdout.read()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.process.stdout.close()
        self.cpu_s, self.rss_mb = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
        return text


def is_traced(pid, _):
    with open('/proc/%d/status' % pid, encoding='utf-8', errors='replace') as file:
        return 'TracerPid:\t0' not in file.read()


def has_perf_events(tool):
    folder = '/proc/%d/fd/' % tool
    return any('perf_event' in os.readlink(folder + name) for name in os.listdir(folder))


def watch_nothing(_):
    return None


def watch_floor(build, _):
    helper = Helper(os.path.join(build, 'bench/leaks_floor'), end=None)
    if helper.process.stdout.readline() != b'ready\n':
        helper.close()
        raise Missing('the kernel takes no BPF program')
    return helper


class Ours(Helper):
    """`tendril leaks` itself; its report when it has been closed."""

    def __init__(self, build, *args):
        begin = time.monotonic()
        self.leaks = Leaks(os.path.join(build, 'src/cmd/tendril'), '--json', *args)
        try:
            self.leaks.wait_until_watching()
        except AssertionError as why:
            self.leaks.process.kill()
            self.leaks.process.wait()
            raise Missing('tendril leaks: %s' % str(why).strip()) from why
        self.start_s = time.monotonic() - begin
        self.process, self.end_signal, self.cpu_s, self.rss_mb = self.leaks.process, signal.SIGINT, 0, 0
        self.report_s = 0

    def close(self):
        begin = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        text = self.process.stdout.read()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.report_s = time.monotonic() - begin
        self.process.stdout.close()
        self.process.stderr.close()
        self.cpu_s, self.rss_mb = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
        document = json.loads(text)
        return document[0] if isinstance(document, list) else document


def watch_ours(build, pid):
    return Ours(build, pid)


def watch_strace(pid):
    return Helper('strace', '-f', '-k', '-o', '/dev/null', '-p', str(pid),
                  ready=functools.partial(is_traced, pid))


def watch_perf(folder, pid):
    """The calls that open and close, with DWARF stacks of 8 KiB."""
    events = 'syscalls:sys_exit_openat,syscalls:sys_exit_close'
    return Helper('perf', 'record', '-q', '-e', events, '--call-graph', 'dwarf', '-o',
                  os.path.join(folder, 'perf.data'), '-p', str(pid), ready=has_perf_events)


# --- (a) the tight loop -------------------------------------------------------------------------

class Loop:
    """bench/leaks_loop.c, which says how much CPU time a lap took."""

    def __init__(self, build, name='leaks_loop'):
        self.process = subprocess.Popen([os.path.join(build, 'bench', name)], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == 'ready\n'
        self.pid = self.process.pid

    def lap(self, pairs, threads=1, rate=0, leaks=0):
        """ns of CPU a pair, ns of wall time a pair."""
        self.process.stdin.write('%d %d %d %d\n' % (pairs, threads, rate, leaks))
        cpu, wall, made = map(int, self.process.stdout.readline().split())
        return cpu / made if made else 0, wall / made if made else 0

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def lap_beside(loop, watch, pairs):
    """A lap alone, and one looked at; None when nobody can look."""
    alone, _ = loop.lap(pairs)
    helper = watch(loop.pid)
    beside, wall = loop.lap(pairs)
    tool_ns = 0
    if helper:
        helper.close()
        tool_ns = helper.cpu_s * 1e9 / pairs
    return {'own': beside / alone, 'total_ns': beside + tool_ns, 'wall_ns': wall, 'alone_ns': alone}


def valgrind_lap(build, loop):
    """It can't attach: a process of its own, its start included as that of all tools is."""
    alone, _ = loop.lap(PAIRS)
    valgrind = Helper('valgrind', '-q', '--track-fds=yes', os.path.join(build, 'bench/leaks_loop'),
                      str(PAIRS), '1', '0', '0', end=None)
    cpu, wall, made = map(int, valgrind.close().split())
    return {'own': cpu / made / alone, 'total_ns': valgrind.cpu_s * 1e9 / PAIRS,
            'wall_ns': wall / made, 'alone_ns': alone}


def bench_loop(build, rounds, folder):
    print('A tight loop of open and close, ten calls deep, -O2 -fomit-frame-pointer')
    loop = Loop(build)
    everybody = [
        ('nobody (noise)', lambda: lap_beside(loop, watch_nothing, PAIRS), rounds),
        ('floor: an empty program', lambda: lap_beside(
            loop, functools.partial(watch_floor, build), PAIRS), rounds),
        ('tendril leaks', lambda: lap_beside(loop, functools.partial(watch_ours, build), PAIRS), rounds),
        ('valgrind --track-fds=yes', lambda: valgrind_lap(build, loop), rounds),
        ('strace -f -k', lambda: lap_beside(loop, watch_strace, PAIRS_STRACE), 3),
        ('perf record --call-graph dwarf', lambda: lap_beside(
            loop, functools.partial(watch_perf, folder), PAIRS_PERF), 3)]
    loop.lap(PAIRS)
    told = {}
    for number in range(rounds):
        for name, run, most in everybody:
            if number < most and name not in MISSING:
                try:
                    lap = run()
                    told.setdefault(name, []).append(lap)
                except Missing as why:
                    MISSING[name] = str(why)
    loop.close()
    show_loop(everybody, told)
    return told


MISSING = {}


def show_loop(everybody, told):
    print('  %-32s %21s %20s %14s' % ('', "target's own CPU", 'total CPU', 'wall'))
    for name, _, _ in everybody:
        if name not in told:
            print('  %-32s %s' % (name, MISSING.get(name)))
            continue
        own, total, wall = (statistics.median(lap[key] for lap in told[name])
                            for key in ('own', 'total_ns', 'wall_ns'))
        print('  %-32s %19.2f x %14.0f ns/pair %9.0f ns/pair' % (name, own, total, wall))
    ours = told.get('tendril leaks')
    if not ours:
        MISSED.append('the loop')
        return
    judge("the target's own CPU", statistics.median(lap['own'] for lap in ours), LOOP_GOAL)
    total = statistics.median(lap['total_ns'] for lap in ours)
    for peer, goal in (('valgrind --track-fds=yes', VALGRIND_GOAL), ('strace -f -k', STRACE_GOAL)):
        if peer in told:
            judge('total CPU / that of ' + peer, total / statistics.median(
                lap['total_ns'] for lap in told[peer]), goal)


def bench_lost(build, rounds):
    """Two threads on two processors: none lost, and the counts exact."""
    for rate, name in ((EVENTS_A_SECOND, '%d events a second' % EVENTS_A_SECOND),
                       (0, 'as many events as two threads can make')):
        loop, lost, wrong, seen = Loop(build), 0, 0, []
        pairs = EVENTS_A_SECOND // 2
        for _ in range(min(rounds, 3)):
            try:
                ours = watch_ours(build, loop.pid)
            except Missing as why:
                print('  %s' % why)
                MISSED.append('lost events')
                loop.close()
                return
            _, wall = loop.lap(pairs, threads=2, rate=rate // 4)
            told = ours.close()
            seen.append(2e9 / wall)
            lost += told['lost']
            wrong += abs(told['opened'] - 2 * pairs) + abs(told['closed'] - 2 * pairs)
        loop.close()
        row(name, seen, '/s')
        judge('lost of them', lost, 0, '')
        judge('difference of counts told and made', wrong, 0, '')


# --- (b) nginx ----------------------------------------------------------------------------------

CONF = """
user root; worker_processes 1; daemon off; pid %(d)s/pid; error_log %(d)s/error.log;
events { worker_connections 256; }
http { access_log off; sendfile on; open_file_cache off; keepalive_requests 1000000;
client_body_temp_path %(d)s/b; proxy_temp_path %(d)s/p; fastcgi_temp_path %(d)s/f;
uwsgi_temp_path %(d)s/u; scgi_temp_path %(d)s/s;
server { listen 127.0.0.1:%(port)d; root %(d)s/www; location = /requests { stub_status; } } }
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Nginx:
    """One worker, and files of 1 KiB: one open and one close a request."""

    def __init__(self, folder):
        binary = shutil.which('nginx') or shutil.which('/usr/sbin/nginx')
        if not binary or not shutil.which('wrk'):
            raise Missing('nginx or wrk is not installed')
        self.port = free_port()
        os.makedirs(folder + '/www')
        with open(folder + '/www/file', 'wb') as file:
            file.write(b'x' * 1024)
        with open(folder + '/conf', 'w', encoding='ascii') as conf:
            conf.write(CONF % {'d': folder, 'port': self.port})
        self.process = subprocess.Popen([binary, '-p', folder, '-c', folder + '/conf'],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.worker = until('nginx has a worker', self.find_worker)

    def find_worker(self):
        with socket.create_connection(('127.0.0.1', self.port)):
            pass
        path = '/proc/%d/task/%d/children' % (self.process.pid, self.process.pid)
        with open(path, encoding='ascii') as file:
            words = file.read().split()
        return int(words[0]) if words else 0

    def cpu_ns(self):
        with open('/proc/%d/schedstat' % self.worker, encoding='ascii') as file:
            return int(file.read().split()[0])

    def requests(self, connection):
        """How many there have been, this one among them."""
        connection.request('GET', '/requests')
        return int(re.search(rb'\n (\d+) (\d+) (\d+) ', connection.getresponse().read()).group(3))

    def load(self):
        """CPU time of the worker, us a request, in many short times."""
        connection, times = http.client.HTTPConnection('127.0.0.1', self.port), []
        with subprocess.Popen(['wrk', '-t', '1', '-c', '4', '-d', '%ds' % WRK_SECONDS,
                               'http://127.0.0.1:%d/file' % self.port], text=True,
                              stdout=subprocess.PIPE) as wrk:
            for _ in range(WINDOWS):
                begin, first = self.cpu_ns(), self.requests(connection)
                time.sleep(0.8 * WRK_SECONDS / WINDOWS)
                requests = self.requests(connection) - first
                times.append((self.cpu_ns() - begin) / requests / 1000)
            told = wrk.stdout.read()
        connection.close()
        assert 'requests in' in told and 'Non-2xx' not in told, told
        return times[1:]  # wrk was not there yet

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def bench_nginx(build, rounds, folder):
    print('nginx serving files of 1 KiB to wrk: CPU of its worker, by request')
    nginx = Nginx(folder + '/nginx')
    other = subprocess.Popen(['sleep', '1000'])
    everybody = [('floor: an empty program', lambda: watch_floor(build, 0), rounds),
                 ('tendril leaks of it', lambda: watch_ours(build, nginx.worker), rounds),
                 ('tendril leaks of another process', lambda: watch_ours(build, other.pid), rounds),
                 ('strace -f -k', lambda: watch_strace(nginx.worker), 1),
                 ('perf record --call-graph dwarf', lambda: watch_perf(folder, nginx.worker), 1)]
    alone, told = [], {}
    try:
        nginx.load()
        for number in range(rounds):
            for name, watch, most in everybody:
                if number < most:
                    measure_nginx(nginx, name, watch, alone, told)
    finally:
        nginx.close()
        other.kill()
        other.wait()
    show_nginx(everybody, alone, told)


def measure_nginx(nginx, name, watch, alone, told):
    try:
        alone.extend(nginx.load())
        helper = watch()
        told.setdefault(name, []).extend(nginx.load())
        if helper:
            helper.close()
    except Missing as why:
        MISSING[name] = str(why)


def undisturbed(times):
    """What else the machine does only adds, by taking time and caches.  So the lower quartile; and
    of each by itself, before they are divided."""
    return statistics.quantiles(times, n=4)[0]


def row_of_times(name, times):
    print('  %-55s %9.4g us  (lower quartile of %d; median %.4g)' % (
        name, undisturbed(times), len(times), statistics.median(times)), flush=True)


def show_nginx(everybody, alone, told):
    row_of_times('nobody', alone)
    ratio = {}
    for name, _, _ in everybody:
        if name not in told:
            print('  %-55s %s' % (name, MISSING.get(name)))
            continue
        row_of_times(name, told[name])
        ratio[name] = undisturbed(told[name]) / undisturbed(alone)
        print('  %-55s %9.3f x' % ('  / nobody', ratio[name]))
    ours, floor = ratio.get('tendril leaks of it'), ratio.get('floor: an empty program')
    if not ours or not floor:
        MISSED.append('nginx')
        return
    judge('CPU by request, attached / nobody', ours,
          max(NGINX_GOAL, 1 + NGINX_OVER_FLOOR * (floor - 1)))
    judge('CPU by request, another is attached to / floor',
          ratio['tendril leaks of another process'] / floor, OTHER_GOAL)


# --- (c) the first report -------------------------------------------------------------------------

def bench_start(build, rounds):
    print('A target with 100 shared libraries, from the start to the first report')
    starts, reports, memory = [], [], []
    for _ in range(rounds):
        loop = Loop(build, 'leaks_manylibs')
        try:
            ours = watch_ours(build, loop.pid)
        except Missing as why:
            print('  %s' % why)
            MISSED.append('the first report')
            loop.close()
            return
        loop.lap(0, leaks=10)
        told = ours.close()
        loop.close()
        good = [s for s in told['sites'] if s['count'] == 10 and any(
            f.get('function') == 'deep_10' and f.get('line') for f in s['stack'])]
        assert good, told
        starts.append(ours.start_s)
        reports.append(ours.report_s)
        memory.append(ours.rss_mb)
    row('until it watches', starts, 's')
    row('until the report, from Ctrl-C', reports, 's')
    judge('both', statistics.median(map(sum, zip(starts, reports))), START_GOAL_S, 's')
    judge('memory', statistics.median(memory), MEMORY_GOAL_MB, 'MB')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--only', choices=['loop', 'lost', 'nginx', 'start'])
    options = parser.parse_args()
    if os.geteuid() != 0:
        print('bench_leaks: needs root; left out')
        return 0
    with tempfile.TemporaryDirectory(prefix='tendril-bench-') as folder:
        parts = {'loop': lambda: bench_loop(options.build, options.rounds, folder),
                 'lost': lambda: bench_lost(options.build, options.rounds),
                 'nginx': lambda: bench_nginx(options.build, options.rounds, folder),
                 'start': lambda: bench_start(options.build, options.rounds)}
        for name, part in parts.items():
            if options.only in (None, name):
                try:
                    part()
                except Missing as why:
                    print('  left out: %s' % why)
                print()
    print('%d goals missed%s' % (len(MISSED), ': ' + ', '.join(MISSED) if MISSED else ''))
    return len(MISSED) > 0


if __name__ == '__main__':
    sys.exit(main())
