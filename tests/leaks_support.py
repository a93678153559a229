# SPDX-License-Identifier: BSD-2-Clause
"""leaks_support.py - planted leaks, and `tendril leaks` as the tests start it"""
import json
import os
import re
import select
import signal
import subprocess
import sys
import time

SECONDS = 60
UNSUPPORTED = 77
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'targets', 'leaks')
# Calls in which somebody sleeps who waits for events: poll, select, pselect6, ppoll, epoll_wait,
# epoll_pwait, epoll_pwait2.
WAITS = {7, 23, 270, 271, 232, 281, 441}


class Skip(Exception):
    """The test cannot be made here; says why."""


def until(what, check, seconds=SECONDS):
    """Until check() is true; its OSErrors mean not yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            result = check()
            if result:
                return result
        except OSError:
            pass
        time.sleep(0.002)
    raise AssertionError('not in time: ' + what)


# --- what is planted ----------------------------------------------------------------------------

class Expected:
    """One planted site: where the handle is opened, and how often."""

    def __init__(self, file, line, function, words, rounds):
        self.file, self.line, self.function = file, line, function
        self.count, self.origin, self.through = rounds, 'opened', ['main']
        self.plant = None
        words = list(words)
        while words:
            word = words.pop(0)
            if re.fullmatch(r'x\d+', word):
                self.count *= int(word[1:])
            elif word == 'for':
                self.plant = words.pop(0)
            elif word == 'in':
                self.function = words.pop(0)
            elif word == 'as':
                self.origin = words.pop(0)
            elif word == 'through':
                self.through.insert(0, words.pop(0))
            elif word == 'thread':
                self.through.remove('main')
            else:
                raise AssertionError('%s:%d: a mark with %r' % (file, line, word))

    def __str__(self):
        return '%d x %s (%s:%d)' % (self.count, self.function, self.file, self.line)


DEFINITION = re.compile(r'^(?!#|\s)(?:[\w:<>*&~ ]+[ *])?((?:\w+::)*~?\w+)\([^;]*$|^\s*fn (\w+)|^func (\w+)')
PLANT = re.compile(r'^PLANT(_ONCE)?\((\w+)\)')
MARK = re.compile(r'\bLEAK\b((?: (?:x\d+|for \w+|in [\w:.]+|through \w+|as \w+|thread))*)')


def rounds_of(text):
    """Plants of a C source, and how often each is run."""
    return {name: 1 if once else 3 for once, name in
            (PLANT.match(line).groups() for line in text.splitlines() if PLANT.match(line))}


def read_marks(name, rounds):
    """The marks of a source; {plant: [Expected]}."""
    with open(os.path.join(HERE, name), encoding='ascii') as file:
        text = file.read()
    found, plant, function = {}, None, None
    for number, line in enumerate(text.splitlines(), 1):
        begins, defines = PLANT.match(line), DEFINITION.match(line)
        if begins:
            plant, function = begins.group(2), 'plant_' + begins.group(2)
        elif defines:
            plant, function = None, next(filter(None, defines.groups()))
        comment = re.search(r'(?:/\*|//) (LEAK.*?)(?: \*/)?$', line)
        for mark in MARK.findall(comment.group(1)) if comment else []:
            expected = Expected(name, number, function, mark.split(), 1)
            expected.plant = expected.plant or plant
            assert expected.plant, '%s:%d: of which plant?' % (name, number)
            expected.count *= rounds.get(expected.plant, 3)
            found.setdefault(expected.plant, []).append(expected)
    return found


def read_catalog():
    """{plant: [Expected]} of all sources."""
    names = sorted(n for n in os.listdir(HERE) if n.endswith(('.c', '.cc', '.rs', '.go')))
    rounds, catalog = {}, {}
    for name in names:
        with open(os.path.join(HERE, name), encoding='ascii') as file:
            rounds.update(rounds_of(file.read()))
    # What the new image of an exec plants is that plant's, in rounds of its own.
    for first in ('exec', 'thread_exec', 'step_a', 'step_b'):
        rounds[first] = 1
    for name in names:
        for plant, expected in read_marks(name, rounds).items():
            catalog.setdefault(plant, []).extend(expected)
    for plant in ('exec', 'thread_exec'):
        for expected in catalog[plant]:
            if expected.function.endswith('execed'):
                expected.count = 3
    return catalog


# --- processes ----------------------------------------------------------------------------------

def state_of(pid):
    with open('/proc/%d/stat' % pid, 'rb') as file:
        return file.read().rpartition(b')')[2].split()[0].decode()


def tracer_of(pid):
    with open('/proc/%d/status' % pid, encoding='utf-8', errors='replace') as file:
        return int(re.search(r'^TracerPid:\s*(\d+)', file.read(), re.M).group(1))


def handles(pid):
    """{number: what} of a process."""
    folder, found = '/proc/%d/fd' % pid, {}
    for name in os.listdir(folder):
        try:
            found[int(name)] = os.readlink(folder + '/' + name)
        except OSError:
            pass
    return found


class Target:
    """A plant that says "begin", works when told so, and says "ready"; ended by its PID."""

    def __init__(self, *command, **options):
        options.setdefault('stderr', subprocess.PIPE)
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, **options)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def hear(self, wanted):
        ready = select.select([self.process.stdout], [], [], SECONDS)[0]
        assert ready, 'it does not say %r' % wanted
        line = self.process.stdout.readline().decode()
        if line != wanted + '\n':
            code = self.process.wait(SECONDS)
            why = self.process.stderr.read().decode() if self.process.stderr else ''
            if code == UNSUPPORTED:
                raise Skip('not permitted here: ' + why.strip())
            raise AssertionError('it says %r, not %r; status %d: %s' % (line, wanted, code, why))

    def hear_word(self, wanted):
        """What it says behind a word."""
        ready = select.select([self.process.stdout], [], [], SECONDS)[0]
        assert ready, 'it does not say %r' % wanted
        line = self.process.stdout.readline().decode()
        assert line.startswith(wanted + ' '), 'it says %r, not %r' % (line, wanted)
        return line.split()[1]

    def say(self, text='\n'):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def work(self):
        self.say()
        self.hear('ready')

    def step(self, letter, n=1):
        for _ in range(n):
            self.say(letter)
            self.hear('ok')

    def unharmed(self):
        """It ends by itself, as it does when nobody looks."""
        self.process.stdin.close()
        code = self.process.wait(SECONDS)
        assert code == 0, 'it ended with %d' % code

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass


# --- the program --------------------------------------------------------------------------------

def frame_text(frame):
    return '%s (%s:%s) in %s' % (frame.get('function'), frame.get('file'), frame.get('line'),
                                 frame.get('module'))


def origin_of(site):
    return str(site.get('origin', 'opened')).replace('_', ' ').split()[0].lower()


class Report:
    """One JSON document of `tendril leaks`: what is told of each process."""

    def __init__(self, code, out, err):
        self.code, self.text, self.err = code, out, err
        try:
            document = json.loads(out)
        except ValueError as why:
            raise AssertionError('status %d, no JSON (%s): %r %s' % (code, why, out[:300], err)) \
                from why
        self.document = document
        self.processes = document.get('processes', [document])

    def of(self, pid):
        for process in self.processes:
            if process['pid'] == pid:
                return process
        raise AssertionError('nothing is told of process %d: %s' % (pid, self.text[:300]))

    def all_sites(self, pid=None):
        """With a stack or without; of one process, or of all."""
        sites = self.document['sites'] + self.document.get('without_stack', [])
        return [s for s in sites if pid is None or pid in s.get('pids', [s['example'].get('pid')])]

    def sites(self, pid=None):
        """Those of handles that came while we looked."""
        return [s for s in self.all_sites(pid)
                if s['count'] > 0 and origin_of(s) not in ('before', 'inherited')]

    def lost(self):
        return self.document['lost']

    def show(self):
        return '\n'.join('%d x %s %s\n    %s' % (
            s['count'], origin_of(s), s.get('kind'), '\n    '.join(map(frame_text, s.get('stack', []))))
            for s in self.sites()) or 'no sites'


def own_frame(site, file):
    """The innermost frame that is of this source file."""
    for frame in site.get('stack', []):
        if frame.get('file') and os.path.basename(frame['file']) == file:
            return frame
    return None


def is_function(frame, name):
    """Whatever its parameters, those of its template, and what the compiler appended."""
    got = re.sub(r' \[clone.*|::h[0-9a-f]{16}$', '', frame.get('function') or '')
    brackets = re.compile(r'<[^<>]*>|\([^()]*\)')
    while brackets.search(got):
        got = brackets.sub('', got)
    return got == name or got.endswith('::' + name) or got.endswith(' ' + name)


def is_site(site, expected):
    # Nobody of the process opened it: its stack, if any, is of some other call.
    if expected.origin == 'installed':
        return origin_of(site) in ('installed', 'found')
    frame = own_frame(site, expected.file)
    return bool(frame) and frame.get('line') == expected.line and \
        is_function(frame, expected.function) and origin_of(site) == expected.origin and \
        all(any(is_function(f, name) for f in site['stack']) for name in expected.through)


def check_sites(report, wanted):
    """Exactly the planted sites, and none beside them."""
    rest = report.sites()
    for expected in wanted:
        ours = [s for s in rest if is_site(s, expected)]
        count = sum(s['count'] for s in ours)
        assert count == expected.count, 'wanted %s, found %d of it; told:\n%s' % (
            expected, count, report.show())
        rest = [s for s in rest if s not in ours]
    assert not rest, 'false sites; told:\n' + report.show()
    assert report.lost() == 0, '%d events lost' % report.lost()


class Leaks:
    """A running `tendril leaks`."""
    more = []  # options of each that may use BPF

    def __init__(self, tendril, *args, **options):
        # Young handles count too: what is planted is not old.
        more = [] if '--ptrace' in args else self.more
        self.process = subprocess.Popen([tendril, 'leaks', '--older-than', '0'] + more +
                                        [str(a) for a in args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def is_watching(self):
        """It has something in the kernel (or traces somebody), and waits for what happens."""
        if self.process.poll() is not None:
            raise AssertionError('it ended with %d: %s' % (
                self.process.returncode, self.process.stderr.read().decode()))
        with open('/proc/%d/syscall' % self.process.pid, encoding='ascii') as file:
            call = file.read().split()[0]
        return call.isdigit() and int(call) in WAITS and \
            any('bpf' in what for what in handles(self.process.pid).values())

    def wait_until_watching(self):
        until('tendril leaks is watching', self.is_watching)
        return self

    def end(self, number=signal.SIGINT):
        """Ctrl-C: the report."""
        self.process.send_signal(number)
        return self.report()

    def text(self):
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out.decode('utf-8'), err.decode('utf-8')

    def report(self):
        return Report(*self.text())


def run_leaks(tendril, *args, **options):
    """One that ends by itself."""
    return Leaks(tendril, *args, **options).text()


# --- TAP ----------------------------------------------------------------------------------------

def run_tests(tests):
    """[(name, function)]; prints TAP.  Return: exit status."""
    failed = 0
    for number, (name, function) in enumerate(tests, 1):
        try:
            function()
            print('ok %d - %s' % (number, name), flush=True)
        except Skip as why:
            print('ok %d - %s # SKIP %s' % (number, name, str(why).replace('\n', ' ')), flush=True)
        except Exception as error:  # whatever it is, the others go on
            failed += 1
            print('not ok %d - %s' % (number, name))
            text = '%s: %s' % (type(error).__name__, error)
            print('\n'.join('# ' + line for line in text.splitlines()))
            sys.stdout.flush()
    print('1..%d' % len(tests))
    return 1 if failed else 0
