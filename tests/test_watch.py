#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_watch.py TENDRIL - tendril watch as a user sees it: in tmux, by its keys and its screen

Prints TAP.  Each test has a tmux server of its own.
"""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from watch_support import (SECONDS, TENDRIL, Skip, Target, Terminal, braille, main, order_on, row_of,
                           same, test)


# The report

@test
def test_report_shows_values_and_follows_them():
    with Target('tw-alpha', 40) as target, \
            Terminal(target.pid, '--interval', '0.1') as terminal:
        screen = terminal.until(row_of(target.pid) + r'tw-alpha +\S+ +%d ' % target.count)
        assert re.search(r'^1 processes, %d handles, 0 unreadable' % target.count, screen, re.M)
        target.open(17)
        terminal.until(row_of(target.pid) + r'tw-alpha +\S+ +%d .* \+17 ' % target.count)


@test
def test_all_columns_on_a_wide_screen_and_few_on_a_narrow_one():
    with Target('tw-beta') as target, Terminal(target.pid, columns=130) as terminal:
        titles = ['PID', 'NAME', 'USER', 'HANDLESv', 'LIMIT', '%LIMIT', 'CHANGE', 'TREND', 'THR',
                  'MAPS', 'RES', 'CPU%']
        terminal.until(lambda s: any(line.split() == titles for line in s.splitlines()))
        terminal.resize(40, 10)
        screen = terminal.until(lambda s: re.search(r'^ *PID NAME +HANDLESv', s, re.M))
        assert re.search(row_of(target.pid) + 'tw-beta', screen, re.M), screen
        assert all(len(line) <= 40 for line in screen.splitlines()), screen
        assert '?:help' in screen, screen
        terminal.resize(20, 4)
        terminal.until('^too small')
        terminal.resize(80, 24)
        terminal.until(row_of(target.pid) + r'tw-beta +\S+ +%d ' % target.count)


@test
def test_sorting_by_any_column():
    with Target('tw-c1', 30) as many, Target('tw-a1', 10) as few, \
            Terminal('tw-??') as terminal:
        pids = [many.pid, few.pid]
        terminal.until(lambda s: order_on(s, pids) == pids and 'HANDLESv' in s)
        terminal.keys('r')
        terminal.until(lambda s: order_on(s, pids) == pids[::-1] and 'HANDLES^' in s)
        terminal.keys('r', 'Left', 'Left')
        terminal.until(lambda s: order_on(s, pids) == pids[::-1] and 'NAMEv' in s)
        for title in ['USERv', 'HANDLESv', 'LIMITv', '%LIMITv', 'CHANGEv', 'TRENDv', 'THRv',
                      'MAPSv', 'RESv', 'CPU%v', 'PIDv', 'NAMEv']:
            terminal.keys('Right')
            terminal.until(re.escape(title))


@test
def test_filter_while_typing():
    with Target('tw-one') as one, Target('tw-two') as two, Terminal('tw-*') as terminal:
        both = sorted([one.pid, two.pid])
        terminal.until(lambda s: sorted(order_on(s, both)) == both)
        terminal.keys('/')
        terminal.type('TW-TWo')
        terminal.until(lambda s: order_on(s, both) == [two.pid] and 'Filter' in s)
        terminal.keys('BSpace', 'BSpace')
        terminal.type('zz')
        terminal.until('no process passes the filter')
        terminal.keys('Escape')
        terminal.until(lambda s: sorted(order_on(s, both)) == both and 'Filter' not in s)
        terminal.keys('/')
        terminal.type('one')
        terminal.keys('Enter')
        terminal.until(lambda s: order_on(s, both) == [one.pid] and 'filter: one (1)' in s)
        terminal.type('q')  # a key again, not text
        terminal.ended(0)


@test
def test_follow_stays_with_the_process():
    with Target('tw-f1', 30) as first, Target('tw-f2', 10) as second, \
            Terminal('tw-f?', '--interval', '0.1') as terminal:
        pids = [first.pid, second.pid]
        terminal.until(lambda s: order_on(s, pids) == pids)
        terminal.keys('f')
        terminal.until('^following PID %d ' % first.pid)
        second.open(100)
        terminal.until(lambda s: order_on(s, pids) == pids[::-1])
        # What is selected is what a is about.
        terminal.keys('a')
        terminal.until('Handle Count of PID %d is in the chart' % first.pid)


@test
def test_scrolling():
    with Terminal('--interval', '5', '--sort', 'pid', rows=8) as terminal:
        terminal.until(r'^ *1 ')
        terminal.keys('End')
        terminal.until(lambda s: not re.search(r'^ *1 ', s, re.M))
        terminal.keys('Home')
        terminal.until(r'^ *1 ')


@test
def test_process_that_comes_and_goes():
    with Terminal('tw-late', '--interval', '0.1') as terminal:
        terminal.until('no process matches')
        with Target('tw-late') as target:
            terminal.until(row_of(target.pid))
        terminal.until('no process matches')


# What the report's values are

class Busy:
    """It opens and closes handles, holds memory and uses a processor, as its code says."""

    def __init__(self, name, code):
        prefix = 'import ctypes, os, time\nctypes.CDLL(None).prctl(15, b%r, 0, 0, 0)\n' % name
        self.process = subprocess.Popen([sys.executable, '-c', prefix + code],
                                        stdout=subprocess.PIPE)
        self.pid = self.process.pid
        same(self.process.stdout.readline(), b'ready\n')

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def seconds(self):
        """Of processor time."""
        with open('/proc/%d/stat' % self.pid, encoding='ascii') as file:
            fields = file.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def resident_kib(self):
        with open('/proc/%d/smaps_rollup' % self.pid, encoding='ascii') as file:
            return int(re.search(r'^Rss: +(\d+) kB', file.read(), re.M).group(1))


LEAK = """
held = []
print('ready', flush=True)
while True:
    time.sleep(0.1)
    held.append(os.open('/dev/null', os.O_RDONLY))
"""
LOAD = """
import random
held = []
print('ready', flush=True)
while True:
    time.sleep(0.1)
    while held:
        os.close(held.pop())
    held = [os.open('/dev/null', os.O_RDONLY) for _ in range(random.randrange(50))]
"""
SPIN = """
memory = b'x' * (64 << 20)
print('ready', flush=True)
while True:
    pass
"""


def day_seconds(screen):
    """The clock in the title."""
    h, m, s = re.search(r'(\d\d):(\d\d):(\d\d)$', screen.splitlines()[0]).groups()
    return int(h) * 3600 + int(m) * 60 + int(s)


def report_line(screen, pid):
    """The values of a line by the titles above them."""
    lines = screen.splitlines()
    titles = lines[2].replace('v ', ' ').split()
    line, = [part for part in lines if re.match(row_of(pid), part)]
    return dict(zip(titles, line.split()))


def fast_clock():
    """A verdict takes more than an hour: the program's clock runs a thousand times as fast."""
    if not shutil.which('faketime'):
        raise Skip('no faketime')
    with open(TENDRIL, 'rb') as file:
        if b'libasan.so' in file.read():
            raise Skip('faketime is loaded before everything, and so would ASan')
    return ['faketime', '-f', '+0 x1000']


@test
def test_leak_is_called_one_with_its_slope():
    with Busy('tw-leak', LEAK) as leak, Busy('tw-load', LOAD) as load, \
            Terminal(leak.pid, load.pid, '--interval', '0.05', '--sort', 'trend', columns=130,
                     under=fast_clock()) as terminal:
        first = terminal.until(row_of(leak.pid) + r'tw-leak +\S+ +\d+ .* [\u2581-\u2588]{4,8} ')
        screen = terminal.until(row_of(leak.pid) + r'tw-leak .* \+\d+/h ', seconds=60)
        # Most first is those that leak.
        same(order_on(screen, [leak.pid, load.pid]), [leak.pid, load.pid])
        line = report_line(screen, leak.pid)
        hours = (day_seconds(screen) - day_seconds(first)) % 86400 / 3600
        rose = int(line['HANDLES']) - int(report_line(first, leak.pid)['HANDLES'])
        slope = int(re.match(r'\+(\d+)/h$', line['TREND']).group(1))
        assert 0.8 < slope / (rose / hours) < 1.25, (slope, rose, hours)
        # One that breathes is none, as much as it opens.
        assert '/h' not in report_line(screen, load.pid)['TREND'], screen
        terminal.keys('?')
        terminal.until('^Everywhere')
        terminal.keys('x', 'r')
        terminal.until(lambda s: order_on(s, [leak.pid, load.pid]) == [load.pid, leak.pid])


@test
def test_memory_and_processor_are_what_proc_says():
    with Busy('tw-spin', SPIN) as spin, Target('tw-idle') as idle, \
            Terminal('tw-spin', 'tw-idle', '--interval', '0.5', columns=130) as terminal:
        screen = terminal.until(row_of(spin.pid) + r'tw-spin .* \d+[KM] +[1-9]\d*\.\d$')
        shown, unit = re.match(r'(\d+)([KM])$', report_line(screen, spin.pid)['RES']).groups()
        kib = int(shown) * {'K': 1, 'M': 1024}[unit]
        assert abs(kib - spin.resident_kib()) <= 2048, (kib, spin.resident_kib())
        assert kib > 64 * 1024, screen
        before, began, shown = spin.seconds(), time.monotonic(), []
        clock = screen.splitlines()[0]
        while len(shown) < 4:
            screen = terminal.until(lambda s: s.splitlines()[0] != clock)
            clock = screen.splitlines()[0]
            shown.append(float(report_line(screen, spin.pid)['CPU%']))
        used = 100 * (spin.seconds() - before) / (time.monotonic() - began)
        average = sum(shown) / len(shown)
        assert 0.6 < average / used < 1.6, (shown, used)
        same(report_line(screen, idle.pid)['CPU%'], '0.0')


# Who opens the handles

LEAKY = os.path.join(os.environ.get('TENDRIL_TARGETS') or os.path.join(
    os.path.dirname(TENDRIL), '../../tests/targets'), 'leaks', 'leaky')
LEAKY_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'targets/leaks/leaky.c')


class Leaky:
    """It opens ten handles a second, in a program with debug information."""

    def __init__(self):
        self.process = subprocess.Popen([LEAKY], stdout=subprocess.PIPE)
        self.pid = self.process.pid
        same(self.process.stdout.readline(), b'ready\n')
        with open(LEAKY_SOURCE, encoding='utf-8') as file:
            line, = [n for n, text in enumerate(file, 1) if '/* HERE */' in text]
        self.place = r'leaky\.c:%d in leak_one' % line

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def line(self):
        return r'PID %d: (\d+) open since armed, \+(\d+)/h, %s$' % (self.pid, self.place)


def needs_bpf():
    if os.geteuid() != 0:
        raise Skip('needs root')


def bpf_descriptors(pid):
    """The sampler has some, too."""
    folder, names = '/proc/%d/fd/' % pid, []
    for name in os.listdir(folder):
        try:
            names.append(os.readlink(folder + name))
        except OSError:
            pass
    return sum(1 for name in names if 'bpf' in name)


def wait_until(what, holds):
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, 'never came: ' + what
        time.sleep(0.02)


@test
def test_armed_by_a_key():
    needs_bpf()
    with Leaky() as leaky, Terminal(leaky.pid, '--interval', '0.1') as terminal:
        terminal.until(row_of(leaky.pid))
        before = bpf_descriptors(terminal.pid())
        terminal.keys('L')
        terminal.until('^it is not armed: l does that')
        terminal.keys('l')
        # From ten on the rate is not one of the beginning.
        screen = terminal.until(leaky.line().replace(r'(\d+) open', r'(\d\d+) open'))
        rate = int(re.search(leaky.line(), screen, re.M).group(2))
        assert 18000 < rate < 54000, screen
        assert bpf_descriptors(terminal.pid()) > before
        # The same below the chart.
        terminal.keys('2')
        terminal.until(leaky.line())
        terminal.keys('l')
        terminal.until('^PID %d is not armed any more' % leaky.pid)
        terminal.until(lambda s: 'since armed' not in s)
        wait_until('the engine is gone', lambda: bpf_descriptors(terminal.pid()) == before)
        # And again.
        terminal.keys('1', 'l')
        terminal.until(leaky.line())
        terminal.keys('q')
        terminal.ended(0)


def processes_in_kernel(pid):
    """How many the engine of this process watches, by the kernel's own map."""
    for name in os.listdir('/proc/%d/fdinfo' % pid):
        with open('/proc/%d/fdinfo/%s' % (pid, name), encoding='ascii') as file:
            number = re.search(r'^map_id:\s*(\d+)', file.read(), re.M)
        if not number:
            continue
        command = [shutil.which('bpftool') or '/usr/sbin/bpftool', '-j', 'map']
        told = json.loads(subprocess.check_output(command + ['show', 'id', number.group(1)]))
        if told.get('name') == 'processes':
            return len(json.loads(subprocess.check_output(command + ['dump', 'id', number.group(1)])))
    return 0


@test
def test_disarmed_one_is_watched_no_more():
    """While another one still is."""
    needs_bpf()
    if not shutil.which('bpftool') and not os.path.exists('/usr/sbin/bpftool'):
        raise Skip('bpftool is not installed')
    with Leaky() as first, Leaky() as second, \
            Terminal(first.pid, second.pid, '--interval', '0.1', '--sort', 'pid') as terminal:
        terminal.until(row_of(first.pid))
        terminal.keys('Home', 'l')
        wait_until('one is watched', lambda: processes_in_kernel(terminal.pid()) == 1)
        terminal.keys('Down', 'l')
        wait_until('two are watched', lambda: processes_in_kernel(terminal.pid()) == 2)
        terminal.keys('l')
        wait_until('one is watched', lambda: processes_in_kernel(terminal.pid()) == 1)
        terminal.keys('q')
        terminal.ended(0)


@test
def test_report_of_an_armed_process():
    needs_bpf()
    with Leaky() as leaky, Terminal(leaky.pid, '--interval', '0.1', rows=10) as terminal:
        terminal.until(row_of(leaky.pid))
        terminal.keys('l')
        terminal.until(leaky.line())
        terminal.keys('L')
        terminal.until(r'^leaky \(PID %d\): \d+ handles open; ' % leaky.pid)
        screen = terminal.until(r'^LEAK  \d+ open \(device\), \d+ an hour')
        assert '1 leak:' not in screen, screen
        terminal.keys('End')
        terminal.until(r'^1 leak: \d+ handles that nothing closed')
        terminal.keys('Home', 'PPage', 'NPage')
        terminal.until(r'^  > #\d +leak_one \(.*leaky\.c:\d+\)')
        # What is too long can be moved, and it goes on.
        terminal.resize(40, 24)
        terminal.until(r'^  > #\d +leak_one \(')
        terminal.keys(*['Right'] * 4)
        terminal.until(lambda s: 'LEAK' not in s)
        terminal.keys(*['Left'] * 4)
        screen = terminal.until('^LEAK')
        terminal.resize(80, 24)
        first = int(re.search(r'^LEAK  (\d+) open', screen, re.M).group(1))
        more = re.compile(r'^LEAK  (\d+) open', re.M)
        terminal.until(lambda s: int((more.search(s) or [0, 0])[1]) > first)
        terminal.keys('Escape')
        terminal.until(row_of(leaky.pid))
        terminal.keys('L')
        terminal.until('^LEAK')
        leaky.process.kill()
        leaky.process.wait()
        terminal.until('^PID %d has ended: it is not armed any more' % leaky.pid)
        terminal.until(r'^leaky \(PID %d\) ended: ' % leaky.pid)
        terminal.keys('Escape')
        terminal.until('no process matches')
        terminal.keys('q')
        terminal.ended(0)


@test
def test_so_many_are_armed_and_no_more():
    needs_bpf()
    targets = [Target('tw-armed') for _ in range(9)]
    try:
        for target in targets:
            target.read()
        with Terminal('tw-armed', '--interval', '0.1', '--sort', 'pid') as terminal:
            pids = sorted(t.pid for t in targets)
            terminal.until(lambda s: order_on(s, pids) == pids)
            for pid in pids[:8]:
                terminal.keys('l')
                terminal.until('^PID %d is armed' % pid)
                terminal.keys('Down')
            terminal.until(r'^8 armed  PID %d armed: nothing that it opened since stays open' % pids[0])
            terminal.keys('l')
            terminal.until('^8 are armed: disarm one first')
            # One of several is let go of, and there is room.
            terminal.keys('Up', 'l')
            terminal.until('^PID %d is not armed any more' % pids[7])
            terminal.until('^7 armed ')
            terminal.keys('Down', 'l')
            terminal.until('^PID %d is armed' % pids[8])
            # The selected one is told of, else the one with the most.
            next(t for t in targets if t.pid == pids[2]).open(5)
            terminal.keys('Up')
            terminal.until(r'^8 armed  PID %d: 5 open since armed, ' % pids[2])
            terminal.keys('q')
            terminal.ended(0)
    finally:
        for target in targets:
            target.__exit__()


@test
def test_armed_when_the_trend_says_leak():
    needs_bpf()
    with Leaky() as leaky, Busy('tw-load', LOAD) as load, \
            Terminal(leaky.pid, load.pid, '--interval', '0.05', '--sort', 'pid', '--leaks',
                     under=fast_clock()) as terminal:
        terminal.until(row_of(leaky.pid))
        # The rate is of no worth here: the kernel's clock does not run fast.
        screen = terminal.until(r'^PID %d: \d+ open since armed, \+\d+/h, %s' %
                                (leaky.pid, leaky.place), seconds=60)
        assert re.search(row_of(leaky.pid) + r'leaky .* \+\d+/h ', screen, re.M), screen
        # What was disarmed stays so, whatever the trend says.
        pids = order_on(screen, [leaky.pid, load.pid])
        terminal.keys(*['Home'] + ['Down'] * pids.index(leaky.pid), 'l')
        terminal.until('^PID %d is not armed any more' % leaky.pid)
        terminal.keys('r', 'r')
        terminal.until(lambda s: 'any more' not in s)
        clock = terminal.screen().splitlines()[0]
        for _ in range(5):
            clock = terminal.until(lambda s: s.splitlines()[0] != clock).splitlines()[0]
        assert 'since armed' not in terminal.screen() and 'attaching' not in terminal.screen()
        terminal.keys('q')
        terminal.ended(0)


@test
def test_kernel_that_refuses_is_told_in_a_line():
    if not shutil.which('setpriv') or os.geteuid() != 0:
        raise Skip('no setpriv, or not root')
    with Target('tw-refused') as target, \
            Terminal(target.pid, '--interval', '0.1', '--leaks',
                     under=['setpriv', '--bounding-set', '-all', '--inh-caps', '-all']) as terminal:
        terminal.until('^the kernel does not let us load BPF programs: ')
        terminal.until(row_of(target.pid))
        terminal.keys('r')
        terminal.until(lambda s: 'BPF' not in s)
        terminal.keys('l')
        terminal.until('^the kernel does not let us load BPF programs: ')
        terminal.keys('q')
        terminal.ended(0)


# The chart

@test
def test_chart_draws_lines_and_their_bar():
    with Target('tw-chart', 20) as target, \
            Terminal('tw-chart', '--interval', '0.1', '--view', 'chart') as terminal:
        low = target.count
        terminal.until(r'^A +Last %d +Average %d.0 +Minimum %d +Maximum %d' % ((low,) * 4))
        high = target.open(60)
        screen = terminal.until(r'^A +Last %d .* Minimum %d +Maximum %d' % (high, low, high))
        assert re.search(r'^A x1 +Handle Count +%d +tw-chart \(%d\)' % (high, target.pid), screen,
                         re.M), screen
        # The step: dots in several lines of the screen above one another.
        terminal.until(lambda s: sum(1 for line in s.splitlines() if braille(line)) > 4)
        assert 'now' in screen, screen


@test
def test_chart_lines_are_added_and_removed():
    with Target('tw-add1') as one, Target('tw-add2') as two, \
            Terminal('tw-add?', '--view', 'chart', '--interval', '0.1') as terminal:
        terminal.until(r'^B x1')
        terminal.keys('c')
        terminal.until('no lines: press a')
        terminal.keys('a')
        terminal.type('threads %d' % one.pid)
        terminal.keys('Enter')
        terminal.until(r'^A x1 +Thread Count +1 +tw-add1 \(%d\)' % one.pid)
        terminal.keys('a')
        terminal.type(r'\Process(TW-ADD2)\Handle Count')
        terminal.keys('Enter')
        terminal.until(r'^B x1 +Handle Count +%d +tw-add2 \(%d\)' % (two.count, two.pid))
        terminal.keys('+')
        terminal.until(r'^B x10 ')
        terminal.keys('-', '-')
        terminal.until(r'^B x0.1 ')
        terminal.keys('Up', 'd')
        terminal.until(r'^A x0.1 +Handle Count')
        for wrong, said in [('nobody-of-that-name', "no process matches 'nobody-of-that-name'"),
                            ('user:nosuch', "no such user: 'user:nosuch'"),
                            (r'\Process(x)\Pages', "no counter 'Pages'"),
                            (r'\Process(x', 'is no selector')]:
            terminal.keys('a')
            terminal.type(wrong)
            terminal.keys('Enter')
            terminal.until(re.escape(said))


@test
def test_chart_keeps_what_has_ended():
    with Terminal('tw-gone', '--interval', '0.1', '--view', 'chart') as terminal:
        with Target('tw-gone') as target:
            terminal.until(r'^A x1 +Handle Count +%d ' % target.count)
        terminal.until(r'^A x1 +Handle Count +- +tw-gone \(%d\), ended' % target.pid)
        # The line is still there.
        assert braille(terminal.screen())


@test
def test_chart_without_utf8_is_ascii():
    with Target('tw-ascii', 3) as target, \
            Terminal('tw-ascii', '--view', 'chart', '--interval', '0.1',
                     env={'LC_ALL': 'C'}) as terminal:
        screen = terminal.until(lambda s: re.search('AAAAA', s))
        assert all(ord(c) < 128 for c in screen), screen
        terminal.keys('1')
        screen = terminal.until(row_of(target.pid) + r'.*[_.^=-]{3}')
        assert all(ord(c) < 128 for c in screen), screen


@test
def test_chart_shows_a_peak_of_one_sample_however_narrow_it_is():
    with Target('tw-peak', 20) as target, \
            Terminal('tw-peak', '--interval', '0.05', '--view', 'chart', columns=40,
                     rows=16) as terminal:
        terminal.until('^A last %d ' % target.count)
        terminal.keys(']')
        terminal.until('^240 samples across')  # four to a column of dots
        terminal.keys('z')
        high, low = target.open(80), target.count
        terminal.until(' max %d$' % high)
        low = target.open(-80)
        screen = terminal.until('^A last %d .* max %d$' % (low, high))
        top = [line[9:] for line in screen.splitlines()[1:4]]
        assert braille(''.join(top)), screen


# Alerts

@test
def test_alert_fires_and_clears():
    with Target('tw-alarm', 10) as target, \
            Terminal('tw-alarm', '--interval', '0.1', '--alert', 'handles>40') as terminal:
        terminal.until(row_of(target.pid))
        high = target.open(60)
        terminal.until('3 Alert 1! ')  # seen from another view
        terminal.keys('3')
        terminal.until(r'^ +1 now handles>40$')
        screen = terminal.until(r'FIRED .*%d' % target.pid)
        assert str(high) in screen, screen
        terminal.keys('Enter')  # to its process
        terminal.until('^following PID %d ' % target.pid)
        target.open(-60)
        terminal.keys('3')
        terminal.until(r'^.{9}clear .*%d' % target.pid)
        terminal.until(r'^ +- handles>40$')
        terminal.keys('q')
        terminal.ended(1)  # something was found


@test
def test_alert_rules_are_typed():
    with Target('tw-rule', 30) as target, \
            Terminal('tw-rule', '--interval', '0.1', '--view', 'alert') as terminal:
        terminal.until('no rules: press a')
        terminal.keys('a')
        terminal.type('hondles>3')
        terminal.keys('Enter')
        terminal.until('hondles')
        terminal.until('no rules: press a')
        terminal.keys('a')
        terminal.type('handles>3 tw-rule')
        terminal.keys('Enter')
        terminal.until('only tell')
        terminal.keys('Escape')  # then there is no rule
        terminal.until('no rules: press a')
        terminal.keys('a')
        terminal.type('handles>3 tw-rule')
        terminal.keys('Enter')
        terminal.until('only tell')
        terminal.keys('Enter')
        terminal.until(r'^ +1 now handles>3 tw-rule$')
        terminal.until(r'FIRED .*%d' % target.pid)
    for rule, code in [('handles>3', 1), ('handles>1000', 0)]:
        with Target('tw-once', 5) as target:
            done = subprocess.run([TENDRIL, 'watch', '--once', '--interval', '0.05',
                                   '--alert', rule, str(target.pid)], stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=SECONDS, check=False)
            same(done.returncode, code)


@test
def test_alert_runs_a_command_once_or_every_time():
    with Target('tw-run', 10) as target, \
            Terminal('tw-run', '--interval', '0.1', '--view', 'alert', '--alert', 'handles>40',
                     '--run', 'echo "$TENDRIL_ALERT_PID" >> once', '--alert', 'handles>30',
                     '--run', 'echo noise; echo noise >&2; echo noise > /dev/tty; echo x >> every; exit 3',
                     '--every-time') as terminal:
        terminal.until(r'handles>40  \(run, once\)$')
        terminal.until(r'handles>30  \(run, every time\)$')
        for _ in range(2):
            target.open(60)
            terminal.until(lambda s: s.count(' now handles') == 2 and 'running' not in s)
            target.open(-60)
            terminal.until(lambda s: ' now handles' not in s)
        # What fired, and what became of it: the second time of the first rule was only told.
        screen = terminal.until(r'^.{9}FIRED .*handles>30: \d+ +exit 3$')
        fired = [line for line in screen.splitlines() if 'FIRED' in line]
        same(len(fired), 4)
        same(sum(line.endswith('exit 0') for line in fired), 1)
        same(sum(line.endswith('exit 3') for line in fired), 2)
        assert 'noise' not in screen, screen
        same(terminal.text('once'), '%d\n' % target.pid)
        same(terminal.text('every'), 'x\nx\n')


@test
def test_alert_action_is_typed():
    with Target('tw-act', 30) as target, \
            Terminal('tw-act', '--interval', '0.1', '--view', 'alert') as terminal:
        terminal.until('no rules: press a')
        for action, often, shown in [('echo $TENDRIL_ALERT_NAME > typed', 'y', r'\(run, every time\)'),
                                     ('http://127.0.0.1:1/', '', r'\(call, once\)')]:
            terminal.keys('a')
            terminal.type('handles>3')
            terminal.keys('Enter')
            terminal.until('only tell')
            terminal.type(action)
            terminal.keys('Enter')
            terminal.until('Every time')
            terminal.type(often)
            terminal.keys('Enter')
            terminal.until(r'^ +1 now handles>3  ' + shown)
        terminal.until(r'^.{9}FIRED .*%d.* exit 0$' % target.pid)
        terminal.until(r'no answer, curl exit 7$|not started: No such file')
        same(terminal.text('typed'), 'tw-act\n')
        terminal.keys('a')
        terminal.type('handles>3')
        terminal.keys('Enter')
        terminal.until('only tell')
        terminal.type('https:///no-host')
        terminal.keys('Enter')
        terminal.until('Every time')
        terminal.keys('Enter')
        terminal.until('is no http or https address')


@test
def test_once_waits_for_its_commands():
    with Target('tw-wait', 5) as target, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'done')
        done = subprocess.run([TENDRIL, 'watch', '--once', '--interval', '0.05', '--alert', 'handles>3',
                               '--run', 'sleep 0.3; echo "$TENDRIL_ALERT_EVENT" > ' + path,
                               str(target.pid)], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=SECONDS, check=False)
        same(done.returncode, 1)
        with open(path, encoding='utf-8') as file:
            same(file.read(), 'fired\n')


# Logs

@test
def test_log_is_recorded_and_opened():
    with Target('tw-log', 10) as target, \
            Terminal('tw-log', '--interval', '0.1', '--view', 'log') as terminal:
        low = target.count
        terminal.until('not recording: r begins')
        terminal.keys('b')
        terminal.until('nothing is being recorded')
        terminal.keys('r')
        terminal.type('one.tendril')
        terminal.keys('Enter')
        terminal.until(r'^recording [2-9]\d* samples to one.tendril')
        terminal.until(r' REC ')
        high = target.open(50)
        terminal.keys('b')
        terminal.type('here it rose')
        terminal.keys('Enter')
        terminal.until('marked: here it rose')
        n = int(re.search(r'^recording (\d+)', terminal.screen(), re.M).group(1))
        terminal.until(lambda s: int(re.search(r'^recording (\d+)', s, re.M).group(1)) > n + 3)
        terminal.keys('r')
        terminal.until('^not recording')
        later = target.open(100)
        terminal.keys('r')
        terminal.type('two.tendril')
        terminal.keys('Enter')
        terminal.until('^recording')
        terminal.keys('o')
        terminal.type('one.tendril')
        terminal.keys('Enter')
        terminal.until(r'^open: one.tendril')
        # The last hour, but no more than there is.
        terminal.until(r'^all: +(\S+ \S+ \.\.\. \S+ \S+), .*\nwindow: \1$')
        terminal.until(r' here it rose')
        terminal.keys('2')
        # What it was then, in the chart; and live again what it is now.
        terminal.until(r'^A +Last %d .* Minimum %d +Maximum %d' % (high, low, high))
        terminal.until(r' PAST ')
        # Samples go on being taken and recorded, and do not come into what is looked at.
        terminal.keys('4')
        n = int(re.search(r'^recording (\d+)', terminal.until('^recording'), re.M).group(1))
        terminal.until(lambda s: int(re.search(r'^recording (\d+)', s, re.M).group(1)) > n + 3)
        terminal.keys('2')
        terminal.until(r'^A +Last %d .* Minimum %d +Maximum %d' % (high, low, high))
        terminal.keys('4', 'c')
        terminal.until('^no log is open')
        terminal.keys('2')
        terminal.until(r'^A +Last %d .* Maximum %d' % (later, later))


@test
def test_log_that_is_none():
    with Terminal('tw-none', '--interval', '0.1', '--view', 'log') as terminal:
        terminal.until('^no log is open')
        for key, name in [('o', '/dev/null'), ('o', 'no/such/file'), ('r', 'no/such/file')]:
            terminal.keys(key)
            terminal.type(name)
            terminal.keys('Enter')
            terminal.until('^%s: .' % name)
        screen = terminal.screen()
        assert 'not recording' in screen and 'no log is open' in screen, screen


# Names that want to do something

@test
def test_hostile_names_are_escaped():
    names = [(b'\x1b[31mred\x07', r'\\x1b\[31mred'), (b'a\nb\x9bc', r'a\\x0ab\\x9bc'),
             (b'\xff\xfe', r'\\xff\\xfe'), ('\u202egnp'.encode(), r'\\xe2\\x80\\xaegnp')]
    for raw, shown in names:
        with Target(raw) as target, Terminal(target.pid, columns=120) as terminal:
            terminal.until(row_of(target.pid) + shown)
            line, = [part for part in terminal.screen('-e').splitlines() if str(target.pid) in part]
            assert '\x1b[31m' not in line, repr(line)


@test
def test_hostile_names_are_escaped_everywhere():
    name = b'\x1b]0;x\x07\x9b31m'
    shown = r'\\x1b\]0;x\\x07\\x9b31m'
    with Target(name, 3) as target, \
            Terminal(target.pid, '--interval', '0.1', '--alert', 'handles>1', '--view', 'chart',
                     columns=120) as terminal:
        terminal.until(r'^A x1 +Handle Count +%d +%s \(%d\)' % (target.count, shown, target.pid))
        terminal.keys('3')
        terminal.until('FIRED .*' + shown)
        terminal.keys('Enter')
        terminal.until(row_of(target.pid) + shown)
        # The title of the terminal was not changed, and nothing rang.
        assert terminal.tmux('display-message', '-p', '#{pane_title}') != 'x\n'
        same(terminal.tmux('display-message', '-p', '#{window_bell_flag}'), '0\n')


@test
def test_wide_characters_keep_columns():
    with Target('\u4e2d\u6587') as wide, Target('tw') as narrow, \
            Terminal(wide.pid, narrow.pid) as terminal:
        screen = terminal.until(lambda s: len(order_on(s, [wide.pid, narrow.pid])) == 2)
        ends = set()
        for line in screen.splitlines():
            if re.match(row_of(wide.pid), line) or re.match(row_of(narrow.pid), line):
                ends.add(line.index('root') + line.count('\u4e2d') + line.count('\u6587')
                         if 'root' in line else 0)
        same(len(ends), 1)
        assert ' \u4e2d\u6587  ' in screen, screen


# Terminals

SIZES = [(40, 10), (132, 43), (20, 4), (80, 24)]


def goes_through_all_sizes(terminal, wanted):
    for columns, rows in SIZES:
        terminal.resize(columns, rows)
        if columns < 24:
            terminal.until('^too small')
            continue
        screen = terminal.until(lambda s, w=columns, h=rows: wanted(w, s) and
                                len(s.splitlines()) <= h and 'too small' not in s and
                                (w < 80 or len(s.splitlines()[0]) == w))  # the clock is at the edge
        assert all(len(line) <= columns for line in screen.splitlines()), screen


@test
def test_resizing_in_the_middle_of_everything():
    for env in [{}, {'NO_COLOR': '1'}, {'LC_ALL': 'C', 'TERM': 'vt100'}]:
        with Target('tw-size', 30) as target, \
                Terminal('tw-size', '--interval', '0.05', '--alert', 'handles>1', env=env) as terminal:
            terminal.until(row_of(target.pid))
            for view, wanted in [('1', row_of(target.pid)), ('2', '^A .*[Ll]ast %d ' % target.count),
                                 ('3', 'handles>1$'), ('4', '^no(t recording| log is open)')]:
                terminal.keys(view)
                goes_through_all_sizes(
                    terminal, lambda w, s, t=wanted: re.search(t, s, re.M) and
                    ('?:help' in s or w < 30))
            # While a line is typed, and while the help is read.
            terminal.keys('1', '/')
            terminal.type('tw-si')
            goes_through_all_sizes(terminal, lambda w, s: re.search(r'(> |: )tw-si$', s, re.M))
            terminal.keys('Enter', '?')
            goes_through_all_sizes(terminal, lambda w, s: 'any other key: back'[:w - 1] in s)
            terminal.keys('x')
            screen = terminal.until(row_of(target.pid) + 'tw-size')
            if env.get('LC_ALL') == 'C':
                assert all(ord(c) < 128 for c in screen), screen
            terminal.keys('q')
            terminal.ended(1)


@test
def test_monochrome_terminals():
    for env in [{'TERM': 'vt100'}, {'NO_COLOR': '1'}]:
        with Target('tw-mono') as target, Terminal(target.pid, env=env) as terminal:
            terminal.until(row_of(target.pid) + 'tw-mono')
            for view in ['2', '1']:
                terminal.keys(view)
                screen = terminal.until(r'\[%s ' % view, '-e')
                assert not re.search('\x1b\\[[0-9;]*3[0-7]m', screen), repr(screen)
            terminal.keys('q')
            terminal.ended(0)


@test
def test_colours_where_there_are_some():
    with Target('tw-colour') as target, Terminal(target.pid, '--view', 'chart') as terminal:
        terminal.until('\x1b\\[[0-9;]*36m', '-e')


@test
def test_terminals_that_will_not_do():
    for term in ['dumb', 'no-such-terminal']:
        with Terminal(env={'TERM': term}) as terminal:
            terminal.until(r"^tendril: the terminal '%s' " % term)
            terminal.ended(2)


@test
def test_no_terminal():
    done = subprocess.run([TENDRIL, 'watch'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=SECONDS, check=False)
    same((done.returncode, done.stdout), (2, b''))
    same(done.stderr.count(b'\n'), 1)
    assert b'needs a terminal' in done.stderr, done.stderr


# The end

@test
def test_a_signal_ends_commands_of_alerts():
    with Target('tw-left', 1) as target, \
            Terminal('tw-left', '--interval', '0.1', '--view', 'alert', '--alert', 'processes>0',
                     '--run', 'echo up > up; exec sleep 1000 > up') as terminal:
        assert target.count
        up = os.path.join(terminal.folder, 'up')
        os.mkfifo(up)
        reader = os.open(up, os.O_RDONLY)
        try:
            same(os.read(reader, 10), b'up\n')
            os.kill(terminal.pid(), signal.SIGTERM)
            terminal.ended(128 + signal.SIGTERM)
            # All that hold its other end are gone.
            assert select.select([reader], [], [], SECONDS)[0]
            same(os.read(reader, 10), b'')
        finally:
            os.close(reader)


@test
def test_signals_give_the_terminal_back():
    for number in [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]:
        with Terminal('--view', 'chart') as terminal:
            terminal.until(r'\[2 Chart\]')
            os.kill(terminal.pid(), number)
            terminal.ended(128 + number)


@test
def test_interrupt_key():
    with Terminal() as terminal:
        terminal.until(r'\[1 Report\]')
        terminal.keys('C-c')
        # The shell gets it too: its screen is all that is left to look at.
        deadline = time.monotonic() + SECONDS
        while os.path.exists('/proc/%s' % terminal.text('shell').strip()):
            assert time.monotonic() < deadline
            try:
                if '[1 Report]' not in terminal.screen():
                    break
            except AssertionError:
                break  # the server ended with its last window


@test
def test_stop_and_go_on():
    with Target('tw-stop') as target, \
            Terminal(target.pid, '--interval', '0.1', jobs=True) as terminal:
        terminal.until(row_of(target.pid))
        terminal.keys('C-z')
        terminal.until('^stopped$')
        same(terminal.text('stopped'), terminal.text('before'))
        same(terminal.tmux('display-message', '-p', '#{alternate_on} #{cursor_flag}'), '0 1\n')
        terminal.keys('Enter')
        count = target.open(5)
        terminal.until(row_of(target.pid) + r'tw-stop +\S+ +%d ' % count)
        terminal.keys('q')
        terminal.ended(0)


# The rest

@test
def test_help_and_views():
    with Terminal(rows=12) as terminal:
        terminal.until(r'\[1 Report\]')
        terminal.keys('?')
        terminal.until('^Everywhere')
        terminal.keys('PgDn', 'End')
        terminal.until('the kernel does not show it')
        terminal.keys('x')
        terminal.until('PID NAME')
        terminal.keys('F2')
        terminal.until(r'\[2 Chart\]')
        terminal.keys('Tab')
        terminal.until(lambda s: '[2 Chart]' not in s)
        terminal.keys('F1')
        terminal.until(r'\[1 Report\]')


@test
def test_pause_and_interval():
    with Target('tw-pause') as target, Terminal(target.pid, '--interval', '0.1') as terminal:
        terminal.until(row_of(target.pid) + r'.* %d ' % target.count)
        terminal.keys('p')
        terminal.until('PAUSED')
        before = target.count
        target.open(9)
        terminal.keys('i')
        terminal.type('nonsense')
        terminal.keys('Enter')
        screen = terminal.until("'nonsense' is no interval")
        assert re.search(row_of(target.pid) + r'.* %d ' % before, screen, re.M), screen
        terminal.keys('i')
        terminal.type('0.25')
        terminal.keys('Enter')
        terminal.until(r'every 0\.25 s')
        terminal.keys('p')
        terminal.until(row_of(target.pid) + r'.* %d ' % target.count)


@test
def test_once():
    with Target('tw-once', 12) as target:
        done = subprocess.run([TENDRIL, 'watch', '--once', '--json', '--interval', '0.1',
                               str(target.pid)], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=SECONDS, check=True)
        row, = json.loads(done.stdout)
        same((row['pid'], row['name'], row['handles'], row['change']),
             (target.pid, 'tw-once', target.count, 0))
        text = subprocess.run([TENDRIL, 'watch', '--once', '-i0.05', str(target.pid)],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                              check=True).stdout.decode()
        same(len(text.splitlines()), 2)


@test
def test_bad_usage_is_one_line():
    for args, said in [(['--sort', 'handels'], "did you mean 'handles'"),
                       (['--interval', '0'], '0.05 to 86400'),
                       (['--view', 'log2'], "no view 'log2'"),
                       (['--leaks', '--once'], 'tendril leaks'),
                       (['--json'], '--once'), (['--run', 'true'], '--run belongs behind an --alert'),
                       (['--alert', 'handles>'], 'no number'),
                       (['--alert', 'leak', '--every-time'], 'neither --run nor --call'),
                       (['--alert', 'leak', '--run', 'a', '--run', 'b'], 'one --run for each'),
                       (['--alert', 'leak', '--run', ' '], 'nothing to run'),
                       (['--alert', 'leak', '--call', 'file:///etc/passwd'], 'no http or https address'), (['user:no-such-user'], 'no such user')]:
        done = subprocess.run([TENDRIL, 'watch'] + args, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=SECONDS, check=False)
        same((done.returncode, done.stdout), (2, b''))
        same(done.stderr.count(b'\n'), 1)
        assert said in done.stderr.decode(), done.stderr


if __name__ == '__main__':
    main()
