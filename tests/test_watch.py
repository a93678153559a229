#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_watch.py TENDRIL - tendril watch as a user sees it: in tmux, by its keys and its screen

Prints TAP.  Each test has a tmux server of its own, and waits for what the screen shall show.
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
import traceback

TENDRIL = os.path.abspath(sys.argv[1])
SECONDS = 15
TESTS = []


class Skip(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


def same(got, wanted):
    assert got == wanted, 'got %r, wanted %r' % (got, wanted)


class Terminal:
    """A shell in tmux, which runs the program and then says what became of it."""

    def __init__(self, *args, columns=80, rows=24, env=None, jobs=False):
        self.folder = tempfile.mkdtemp(prefix='tendril-watch-')
        self.columns, self.rows = columns, rows
        self.jobs = jobs  # the program can be stopped, and goes on when a line is typed
        # Of NO_COLOR and locale the test decides.
        environment = {'LC_ALL': 'C.UTF-8', 'TERM': 'screen-256color', **(env or {})}
        words = ['env', '-u', 'NO_COLOR'] + ['%s=%s' % v for v in environment.items()]
        self.program = quote(words + [TENDRIL, 'watch'] + [str(a) for a in args])

    def tmux(self, *args):
        env = {k: v for k, v in os.environ.items() if k not in ('TMUX', 'TMUX_PANE')}
        env['LC_ALL'] = 'C.UTF-8'
        done = subprocess.run(['tmux', '-u', '-S', self.folder + '/socket', '-f', '/dev/null'] +
                              [str(a) for a in args], stdout=subprocess.PIPE, env=env,
                              stderr=subprocess.PIPE, timeout=SECONDS, check=False)
        assert done.returncode == 0, (args, done.stderr)
        return done.stdout.decode('utf-8')

    def __enter__(self):
        # The shell waits for a line before it ends, so that its screen can be read.
        program = self.program
        if self.jobs:
            program = 'set -m; %s; stty -g >stopped; echo stopped; read line; fg' % program
        script = 'cd %s; stty -g >before; echo $$ >shell; %s; echo "status $?"; stty -g >after; ' \
            'echo done; read line' % (self.folder, program)
        self.tmux('new-session', '-d', '-x', self.columns, '-y', self.rows, 'sh', '-c', script)
        return self

    def __exit__(self, *unused):
        try:
            self.tmux('kill-server')
        except AssertionError:
            pass
        shutil.rmtree(self.folder)

    def keys(self, *keys):
        self.tmux('send-keys', *keys)

    def type(self, text):
        self.tmux('send-keys', '-l', text)

    def resize(self, columns, rows):
        self.tmux('resize-window', '-x', columns, '-y', rows)

    def screen(self, *options):
        return self.tmux('capture-pane', '-p', *options)

    def until(self, wanted, *options):
        """The screen once it shows that: a regular expression, or a function of the screen."""
        holds = wanted if callable(wanted) else re.compile(wanted, re.M).search
        deadline = time.monotonic() + SECONDS
        while True:
            screen = self.screen(*options)
            if holds(screen):
                return screen
            assert time.monotonic() < deadline, 'never came: %s\n%s' % (wanted, screen)
            time.sleep(0.02)  # between two looks

    def text(self, name):
        with open(os.path.join(self.folder, name), encoding='utf-8') as file:
            return file.read()

    def pid(self):
        """Of the program: the shell's child."""
        shell = self.text('shell').strip()
        with open('/proc/%s/task/%s/children' % (shell, shell), encoding='ascii') as file:
            return int(file.read().split()[0])

    def ended(self, status):
        """The program is gone, and the terminal is as it was."""
        screen = self.until(r'^done$')
        assert 'status %d\n' % status in screen, screen
        same(self.text('after'), self.text('before'))
        # Not in the alternate screen, and the cursor can be seen.
        same(self.tmux('display-message', '-p', '#{alternate_on} #{cursor_flag}'), '0 1\n')


def quote(words):
    return ' '.join("'%s'" % w.replace("'", "'\\''") for w in words)


class Target:
    """A process of a name of ours, that opens and closes handles when it is told to."""

    CODE = '''
import ctypes, os, sys
ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]), 0, 0, 0)
held = []
print("ready", flush=True)
for line in sys.stdin:
    n = int(line)
    held += [os.open("/dev/null", os.O_RDONLY) for _ in range(n)]
    if n < 0:
        for fd in held[n:]:
            os.close(fd)
        del held[n:]
    print(len(os.listdir("/proc/self/fd")) - 1, flush=True)
'''

    def __init__(self, name, handles=0):
        if isinstance(name, str):
            name = name.encode()
        self.process = subprocess.Popen([sys.executable, '-c', self.CODE, name.hex()],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid, self.first = self.process.pid, handles
        self.count = 0

    def __enter__(self):
        self.read()
        self.open(self.first)
        return self

    def read(self):
        assert select.select([self.process.stdout], [], [], SECONDS)[0]
        return self.process.stdout.readline()

    def open(self, n):
        self.process.stdin.write(b'%d\n' % n)
        self.process.stdin.flush()
        self.count = int(self.read())
        return self.count

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def row_of(pid):
    return r'^ *%d ' % pid


def order_on(screen, pids):
    """Those pids in the order of the report's lines."""
    found = []
    for line in screen.splitlines():
        word = (line.split() or [''])[0]
        if word.isdigit() and int(word) in pids:
            found.append(int(word))
    return found


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


# The chart

def braille(screen):
    return [c for c in screen if '\u2801' <= c <= '\u28ff']


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
        terminal.until(r'^ +1 now handles>3 tw-rule')
        terminal.until(r'FIRED .*%d' % target.pid)
    for rule, code in [('handles>3', 1), ('handles>1000', 0)]:
        with Target('tw-once', 5) as target:
            done = subprocess.run([TENDRIL, 'watch', '--once', '--interval', '0.05',
                                   '--alert', rule, str(target.pid)], stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=SECONDS, check=False)
            same(done.returncode, code)


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
                       (['--json'], '--once'), (['user:no-such-user'], 'no such user')]:
        done = subprocess.run([TENDRIL, 'watch'] + args, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=SECONDS, check=False)
        same((done.returncode, done.stdout), (2, b''))
        same(done.stderr.count(b'\n'), 1)
        assert said in done.stderr.decode(), done.stderr


def main():
    if not shutil.which('tmux'):
        print('1..0 # SKIP no tmux')
        return
    chosen = [t for t in TESTS if len(sys.argv) < 3 or t.__name__ in sys.argv[2:]]
    print('1..%d' % len(chosen))
    for number, function in enumerate(chosen, 1):
        name = function.__name__.replace('test_', '', 1)
        try:
            function()
            print('ok %d - %s' % (number, name), flush=True)
        except Skip as reason:
            print('ok %d - %s # SKIP %s' % (number, name, reason), flush=True)
        except Exception:  # one bad test must not hide the others
            for line in traceback.format_exc().splitlines():
                print('# ' + line)
            print('not ok %d - %s' % (number, name), flush=True)


if __name__ == '__main__':
    main()
