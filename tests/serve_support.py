# SPDX-License-Identifier: BSD-2-Clause
"""serve_support.py - a `tendril serve` to ask, and processes for it to see; for tests that print TAP"""
import contextlib
import json
import os
import resource
import select
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request

SECONDS = 60
TESTS = []
PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
VICTIM = r'''
import ctypes, os, resource, sys
name = bytes.fromhex(sys.argv[1])
libc = ctypes.CDLL(None)
if int(sys.argv[3]):
    os.setgroups([])
    os.setresgid(*[int(sys.argv[3])] * 3)
    os.setresuid(*[int(sys.argv[3])] * 3)
libc.prctl(4, int(sys.argv[4]), 0, 0, 0)
libc.prctl(15, name, 0, 0, 0)
held = [os.open('/dev/null', os.O_RDONLY) for _ in range(int(sys.argv[2]))]
print('ready', flush=True)
for line in sys.stdin:
    held += [os.open('/dev/null', os.O_RDONLY) for _ in range(int(line))]
    print('opened', flush=True)
'''


class Skip(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


def same(got, wanted):
    assert got == wanted, 'got %r, wanted %r' % (got, wanted)


def contains(text, part):
    assert part in text, '%r is not in %r' % (part, text)


def line_of(stream):
    assert select.select([stream], [], [], SECONDS)[0], 'nothing was said'
    return stream.readline()


class Victim:
    """A process of that name that opens so many handles, and more when it is told to."""

    def __init__(self, name, handles, uid=0, dumpable=True):
        """uid 0: ours.  Of one that is not dumpable nothing is its user's own to read."""
        name = name if isinstance(name, bytes) else name.encode()
        self.process = subprocess.Popen([sys.executable, '-c', VICTIM, name.hex(), str(handles), str(uid),
                                         str(int(dumpable))],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid
        same(line_of(self.process.stdout), b'ready\n')

    def open(self, number):
        self.process.stdin.write(b'%d\n' % number)
        self.process.stdin.flush()
        same(line_of(self.process.stdout), b'opened\n')

    def handles(self):
        return len(os.listdir('/proc/%d/fd' % self.pid))

    def limit(self):
        return resource.prlimit(self.pid, resource.RLIMIT_NOFILE)[0]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode('utf-8')  # must be valid

    def json(self):
        same((self.status, self.headers['Content-Type']), (200, 'application/json'))
        return json.loads(self.text)


class Events:
    def __init__(self, response):
        self.response = response

    def lines(self):
        lines = {}
        while True:
            line = self.response.readline().decode('utf-8').rstrip('\n')
            if not line:
                return lines
            key, _, value = line.partition(': ')
            lines[key] = value

    def event(self):
        """The next sample."""
        lines = self.lines()
        while 'event' in lines:
            lines = self.lines()
        same(set(lines), {'id', 'data'})
        return dict(json.loads(lines['data']), id=int(lines['id']))

    def alerts(self, wanted):
        """What the alerts say, as soon as that is so."""
        deadline = time.monotonic() + SECONDS
        while True:
            lines = self.lines()
            assert time.monotonic() < deadline, 'the alerts never said that'
            if lines.get('event') == 'alerts':
                same(set(lines), {'event', 'data'})
                alerts = json.loads(lines['data'])
                if wanted(alerts):
                    return alerts
            assert lines, 'the stream has ended'

    def close(self):
        self.response.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


class Server:
    def __init__(self, *args, raw=False, context=None, limit=None):
        args = [str(arg) for arg in args]
        if '--listen' not in args:
            args += ['--listen', '127.0.0.1:0']
        if '--interval' not in args:
            args += ['--interval', '0.2']
        self.program = PROGRAM
        self.process = subprocess.Popen([PROGRAM, 'serve'] + args, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, preexec_fn=lambda: limit and resource.setrlimit(
                                            resource.RLIMIT_NOFILE, (limit, limit)))
        self.line = line_of(self.process.stdout).decode()
        self.url = json.loads(self.line)['url'] if raw else self.line.strip()
        self.port = int(self.url.rstrip('/').rsplit(':', 1)[1]) if self.url else 0
        handlers = [urllib.request.ProxyHandler({})]
        if context:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self.opener = urllib.request.build_opener(*handlers)

    def open(self, path, method='GET', data=None, **headers):
        headers = {key: value for key, value in headers.items() if value is not None}
        return self.opener.open(urllib.request.Request(self.url + path, method=method, data=data,
                                                       headers=headers), timeout=SECONDS)

    def get(self, path, **options):
        try:
            with self.open(path, **options) as response:
                return Answer(response)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error)

    def events(self):
        return Events(self.open('api/v1/events'))

    def wait_for_samples(self, number):
        with self.events() as stream:
            last = stream.event()['sequence'] + number
            while stream.event()['sequence'] < last:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        self.process.wait(SECONDS)
        self.process.stdout.close()


def serve_fails(code, part, *args):
    run = subprocess.run([PROGRAM, 'serve'] + [str(arg) for arg in args], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=SECONDS, check=False)
    same((args, run.returncode), (args, code))
    contains(run.stderr, part)
    assert run.stderr.startswith('tendril: ') and run.stderr.count('\n') == 1, run.stderr
    same(run.stdout, '')


def main(argv, name):
    if name != '__main__':
        return
    chosen = [one for one in TESTS if len(argv) < 3 or one.__name__ in argv[2:]]
    print('1..%d' % len(chosen), flush=True)
    for number, one in enumerate(chosen, 1):
        try:
            one()
            print('ok %d - %s' % (number, one.__name__), flush=True)
        except Skip as reason:
            print('ok %d - %s # SKIP %s' % (number, one.__name__, reason), flush=True)
        except Exception:
            print('not ok %d - %s' % (number, one.__name__))
            for line in traceback.format_exc().splitlines():
                print('# ' + line)
            sys.stdout.flush()
