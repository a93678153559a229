# SPDX-License-Identifier: BSD-2-Clause
"""watch_support.py - the program in tmux, targets of known handle counts, logs made by hand

A test waits for what the screen shall show.  What TENDRIL is comes from sys.argv[1].
"""
import os
import re
import select
import shutil
import sqlite3
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

    def __init__(self, *args, columns=80, rows=24, env=None, jobs=False, under=()):
        self.folder = tempfile.mkdtemp(prefix='tendril-watch-')
        self.columns, self.rows = columns, rows
        self.jobs = jobs  # the program can be stopped, and goes on when a line is typed
        # Of NO_COLOR and locale the test decides.
        environment = {'LC_ALL': 'C.UTF-8', 'TERM': 'screen-256color', **(env or {})}
        words = ['env', '-u', 'NO_COLOR'] + ['%s=%s' % v for v in environment.items()]
        self.program = quote(words + list(under) + [TENDRIL, 'watch'] + [str(a) for a in args])

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

    def until(self, wanted, *options, seconds=SECONDS):
        """The screen once it shows that: a regular expression, or a function of the screen."""
        holds = wanted if callable(wanted) else re.compile(wanted, re.M).search
        deadline = time.monotonic() + seconds
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


# Logs made by hand, as src/monitor/delta.c writes them: what is in them is known, and they can be large.

def number(n):
    """Seven bits a byte, least first."""
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def column(changes):
    """{place: difference} of one counter; it was unknown, or has a value already."""
    body, behind = number(len(changes)) + number(1), 0
    for place, difference in sorted(changes.items()):
        zigzag = 2 * difference if difference >= 0 else -2 * difference - 1
        body += number(place - behind) + number(1 + zigzag)
        behind = place + 1
    return number(len(body)) + body


def step(before, values, came=0):
    """From some values of each process to others, and so many processes came.  A process's values are
    {counter: value}."""
    counters = sorted({c for v in values for c in v})
    columns = {}
    for counter in counters:
        changes = {place: new[counter] - old.get(counter, 0)
                   for place, (old, new) in enumerate(zip(before, values))
                   if counter in new and new[counter] != old.get(counter)}
        if changes:
            columns[counter] = column(changes)
    out = number((1 if came else 0) | sum(2 << c for c in columns))
    if came:
        out += number(0) + number(came) + number(1) * came
    return out + b''.join(columns[c] for c in sorted(columns))


HANDLES, LIMIT, THREADS, MAPPINGS, RESIDENT, CPU = range(6)


class Log:
    """One file; processes are names, their PIDs are 1000, 1001, ..."""

    def __init__(self, path, names, start_ms):
        # The program makes it, so that it is one.
        subprocess.run([TENDRIL, 'log', '-o', path, '-d', '0.001', str(os.getpid())], check=True,
                       stdout=subprocess.DEVNULL, timeout=SECONDS)
        self.names, self.db = names, sqlite3.connect(path)
        for table in ['sample', 'instance', 'bookmark']:
            self.db.execute('DELETE FROM ' + table)
        self.db.executemany('INSERT INTO instance VALUES(?, 1, ?, ?, 0, 0, 1, ?, ?, ?, NULL)',
                            [(i + 1, 1000 + i, i + 1, name if isinstance(name, bytes) else
                              name.encode(), b'', start_ms) for i, name in enumerate(names)])
        self.values = None

    def sample(self, time_ms, values, is_start=False):
        """is_start: recording had stopped before it."""
        is_key = self.values is None or is_start
        nothing = [{}] * len(self.names)
        data = b'\0' + step(nothing if is_key else self.values, values,
                            len(self.names) if is_key else 0)
        self.db.execute('INSERT INTO sample VALUES(?, ?, ?)', (time_ms, 2 if is_key else 0, data))
        self.values = values

    def average(self, time_ms, end_ms, n, values, low, high):
        """In place of n samples; each has a keyframe."""
        data = step([{}] * len(values), values, len(values)) + step(values, low) + step(values, high)
        self.db.execute('INSERT INTO average VALUES(?, ?, ?, 2, ?)', (time_ms, end_ms, n, data))

    def repeat(self, times_ms):
        """The same once more, at each of these times."""
        self.db.executemany('INSERT INTO sample VALUES(?, 0, ?)', ((t, b'\0\0') for t in times_ms))

    def mark(self, time_ms, text):
        self.db.execute('INSERT INTO bookmark(time_ms, text) VALUES(?, ?)', (time_ms, text))

    def done(self):
        self.db.commit()
        self.db.close()


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


def braille(screen):
    return [c for c in screen if '\u2801' <= c <= '\u28ff']


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
