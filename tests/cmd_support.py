# SPDX-License-Identifier: BSD-2-Clause
"""cmd_support.py - a command on an engine that makes things up, from outside; prints TAP"""
import fcntl
import json
import os
import pty
import re
import select
import struct
import termios
import time
import traceback

SECONDS = 60
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def same(got, wanted):
    assert got == wanted, 'got %r, wanted %r' % (got, wanted)


def contains(text, part):
    assert part in text, '%r is not in %r' % (part, text)


class Result:
    def __init__(self, code, out, err):
        self.code = code
        self.out = out.decode('utf-8')
        self.err = err.decode('utf-8')

    def json(self):
        same(self.out.count('\n'), 1)
        return json.loads(self.out)


def refused(result, code, part):
    same(result.code, code)
    contains(result.err, part)
    assert result.err.startswith('tendril: '), result.err
    same(result.err.count('\n'), 1)


class Terminal:
    """The command with a terminal of its own, which controls it."""

    def __init__(self, words, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(words[0], words, env)
        self.text = ''
        self.resize(90)

    def resize(self, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))

    def wait_for(self, part):
        deadline = time.monotonic() + SECONDS
        while part not in self.text:
            self.read(deadline)

    def read(self, deadline=None):
        left = SECONDS if deadline is None else max(0, deadline - time.monotonic())
        assert select.select([self.fd], [], [], left)[0], self.text
        self.text += os.read(self.fd, 65536).decode('utf-8')

    def progress(self):
        """A whole line of it, begun after this was asked for."""
        while select.select([self.fd], [], [], 0)[0]:
            self.read()  # said while nobody looked, of which there may be much
        self.text = ''
        while self.text.count('\r\x1b[K') < 3:
            self.read()
        return self.text.split('\r\x1b[K')[2]

    def send(self, keys):
        self.text = ''
        os.write(self.fd, keys)

    def end(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # Linux says so at the end
                data = b''
            if not data:
                break
            self.text += data.decode('utf-8')
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def shown_lines(text):
    """As they stay on the screen."""
    text = re.sub(r'\x1b\[[0-9;]*m', '', text)
    return [line.split('\x1b[K')[-1] for line in text.replace('\r\n', '\n').split('\n')]


def main(only):
    """Those of these names, or all; one that returns a text was skipped, and why.  Return: did one fail?"""
    wanted = [function for function in TESTS if not only or function.__name__ in only]
    print('1..%d' % len(wanted))
    failed = False
    for number, function in enumerate(wanted, 1):
        try:
            why_not = function()  # it was not tried
            print('ok %d - %s%s' % (number, function.__name__, ' # SKIP ' + why_not if why_not else ''),
                  flush=True)
        except Exception:  # pylint: disable=broad-except
            failed = True
            print('not ok %d - %s' % (number, function.__name__), flush=True)
            print(''.join('# %s\n' % line for line in traceback.format_exc().splitlines()))
    return failed
