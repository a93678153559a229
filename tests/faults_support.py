# SPDX-License-Identifier: BSD-2-Clause
"""faults_support.py - functions with planted mistakes, and `tendril faults` as the tests start it"""
import json
import os
import re
import subprocess
import sys
import tempfile

from leaks_support import SECONDS, frame_text, is_function, own_frame

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'targets', 'faults')
KINDS_OF_OTHERS = {'mapping', 'thread', 'process'}


# --- what is planted ----------------------------------------------------------------------------

class Mark:
    """A line that opens what is kept."""

    def __init__(self, file, line, kinds, words):
        self.file, self.line = file, line
        self.kinds = [kind.rstrip('?') for kind in kinds]
        self.wanted = {kind for kind in kinds if not kind.endswith('?')}
        self.plant, self.verdict, self.options, self.when = None, 'leak', [], None
        while words:
            word = words.pop(0)
            if word == 'as':
                self.verdict = words.pop(0)
            elif word == 'for':
                self.plant = words.pop(0)
            elif word == 'with':
                self.options.append(words.pop(0))
            elif word == 'when':
                self.when = dict(w.partition('=')[::2] for w in words)
                words = []
            else:
                raise AssertionError('%s:%d: a mark with %r' % (file, line, word))

    def __str__(self):
        return '%s at %s:%d' % (', '.join(self.kinds), self.file, self.line)


# The plants whose function is not called as they are.
EXPLORED_BY = {'library_function': 'library_opens', 'method_fails': 'files::Reader::method_fails'}


class Plant:
    """One function, and the marks of what it keeps; none: it is clean."""

    def __init__(self, name, source):
        self.name, self.source, self.marks = name, source, []

    @property
    def function(self):
        return EXPLORED_BY.get(self.name, self.name)

    @property
    def options(self):
        return sorted({option for mark in self.marks for option in mark.options})

    @property
    def when(self):
        """{call: errno or ''}; None: nobody has counted them."""
        if any(mark.when is None for mark in self.marks):
            return None
        return {call: error for mark in self.marks for call, error in mark.when.items()}

    @property
    def verdict(self):
        return self.marks[0].verdict if self.marks else None


PLANT = re.compile(r'^PLANT(?:_IN_CHILD)?\((\w+)\)')
MARK = re.compile(r'(?:/\*|//) LEAKS( below)?: ([\w?]+(?:, [\w?]+)*)((?: [^*]*?)?)(?: \*/)?$')


def read_catalog():
    """{name: Plant} of all sources.  A mark belongs to the next plant after it."""
    catalog, elsewhere = {}, []
    for name in sorted(n for n in os.listdir(HERE) if n.endswith(('.c', '.cc'))):
        with open(os.path.join(HERE, name), encoding='ascii') as file:
            lines = file.read().splitlines()
        marks = []
        for number, line in enumerate(lines, 1):
            begins, mark = PLANT.match(line), MARK.search(line)
            if mark:
                below, kinds, words = mark.groups()
                marks.append(Mark(name, number + bool(below), kinds.split(', '), words.split()))
            elif begins:
                plant = catalog[begins.group(1)] = Plant(begins.group(1), name)
                plant.marks, marks = marks, []
        assert all(mark.plant for mark in marks), '%s: marks without a plant' % name
        elsewhere += marks
    for mark in elsewhere:
        catalog[mark.plant].marks.append(mark)
    return catalog


# --- somebody else's word on it --------------------------------------------------------------------

# What a call fails with when somebody lets it fail; those that are not here are not made to.
PLAUSIBLE = {
    'openat': 'EMFILE', 'read': 'EIO', 'pread64': 'EIO', 'write': 'ENOSPC', 'flock': 'ENOLCK',
    'newfstatat': 'ENOMEM', 'fcntl': 'EMFILE', 'dup': 'EMFILE', 'dup2': 'EMFILE', 'dup3': 'EMFILE',
    'ftruncate': 'ENOSPC', 'memfd_create': 'EMFILE', 'eventfd2': 'EMFILE', 'epoll_create1': 'EMFILE',
    'epoll_ctl': 'ENOSPC', 'timerfd_create': 'EMFILE', 'timerfd_settime': 'ECANCELED',
    'signalfd4': 'EMFILE', 'inotify_init1': 'EMFILE', 'inotify_add_watch': 'ENOSPC',
    'mmap': 'ENOMEM', 'mprotect': 'ENOMEM', 'socket': 'EMFILE', 'socketpair': 'EMFILE',
    'bind': 'EADDRINUSE', 'listen': 'EADDRINUSE', 'connect': 'EAGAIN', 'accept4': 'EMFILE',
    'getsockname': 'ENOBUFS', 'getsockopt': 'ENOBUFS', 'sendto': 'ENOBUFS', 'sendmsg': 'ENOBUFS',
    'recvmsg': 'ENOMEM', 'recvfrom': 'EAGAIN', 'poll': 'EINTR', 'pipe2': 'EMFILE',
    'clone': 'EAGAIN', 'clone3': 'EAGAIN', 'wait4': 'EINTR', 'execve': 'ENOMEM', 'getdents64': 'EIO', 'unlink': 'EIO', 'getrandom': 'EINTR',
    'statfs': 'EIO', 'fstatfs': 'EIO', 'access': 'EIO', 'lseek': 'EIO', 'ioctl': 'EIO'}
BEGIN, END = '-1001', '-1002'


class Outcome:
    """What a program that counts has said of its plant."""

    def __init__(self, program, plant, command, **options):
        self.run = subprocess.run(command + [program, plant, 'count'], text=True, timeout=SECONDS,
                                  stdin=subprocess.DEVNULL, capture_output=True, check=False, **options)
        told = re.search(r'^left (-?\d+) (-?\d+) (-?\d+) (-?\d+)$', self.run.stdout, re.M)
        self.left = dict(zip(('handle', 'mapping', 'thread', 'process'), map(int, told.groups()))) \
            if told else None
        self.made = bool(re.search(r': made$', self.run.stdout, re.M))


def calls_between_marks(trace):
    """[(call, which one of its name in its thread)] of a trace with strace -f, that a plant makes."""
    counts, inside, found = {}, False, []
    for line in trace.splitlines():
        call = re.match(r'(?:(\d+) +)?(\w+)\((.*)', line)
        if not call:
            continue
        thread, name, rest = call.groups()
        key = (thread, name)
        counts[key] = counts.get(key, 0) + 1
        if name == 'close' and rest.startswith((BEGIN, END)):
            inside = rest.startswith(BEGIN)
        elif inside:
            found.append((name, counts[key]))
    return sorted(set(found))


def trace_of(program, plant, environment):
    with tempfile.NamedTemporaryFile('r', suffix='.strace') as log:
        run = Outcome(program, plant, ['strace', '-f', '-o', log.name], env=environment)
        assert run.made, '%s does not work by itself: %s' % (plant, run.run)
        return log.read()


def inject_each_call(program, plant, environment):
    """Yields (call, Outcome), each call of the function failing by strace; with --pairs the next too."""
    errors = plant.when or {}
    for call, number in calls_between_marks(trace_of(program, plant.name, environment)):
        for error in sorted({PLAUSIBLE.get(call), errors.get(call)} - {None, ''}):
            inject = 'inject=%s:error=%s:when=%d' % (call, error, number)
            if '--pairs' in plant.options:
                inject += '..%d' % (number + 1)
            yield call, Outcome(program, plant.name, ['strace', '-f', '-o', '/dev/null', '-e',
                                                      'trace=' + call, '-e', inject], env=environment)


def inject_each_alloc(program, plant, preload, environment):
    """Yields ("malloc", Outcome), each allocation of the function failing."""
    for number in range(1, 100):
        run = Outcome(program, plant.name, [], env={**environment, 'LD_PRELOAD': preload,
                                               'FAIL_ALLOC': str(number)})
        name = run.run.stderr.split()[-1]
        if name == 'none':
            return
        yield name, run


# --- the program --------------------------------------------------------------------------------

class FaultsReport:
    """One JSON document of `tendril faults`."""

    def __init__(self, code, out, err):
        self.code, self.text, self.err = code, out, err
        # The command's own output goes before ours.
        begin = re.search(r'^\{', out, re.M)
        self.command_said = out[:begin.start()] if begin else out
        try:
            self.document = json.loads(out[len(self.command_said):])
            self.leaks = self.document['leaks']
        except (ValueError, KeyError) as why:
            raise AssertionError('status %d, no JSON (%s): %r %s' % (code, why, out[:300], err)) \
                from why

    def findings(self, verdict):
        """Leaks are told in a list of their own."""
        if verdict == 'leak':
            return self.leaks
        return [f for f in self.document.get('kept', []) if f.get('verdict') == verdict]

    def show(self):
        return '\n'.join(map(show_finding, self.leaks + self.document.get('kept', []))) or \
            'no findings; ' + self.text[:500]


def show_finding(finding):
    failed = finding.get('failed') or {}
    lines = ['%s: %s returned %s when %s failed with %s; left:' % (
        finding.get('verdict', 'leak'), finding.get('function'), finding.get('returned'),
        failed.get('syscall'), failed.get('errno'))]
    for left in finding.get('left', []):
        lines.append('  %s %s (%s)' % (left.get('kind'), left.get('handle'), left.get('what')))
        lines += ['    ' + frame_text(frame) for frame in left.get('stack', [])[:6]]
    return '\n'.join(lines)


def run_faults(tendril, *args, **options):
    options.setdefault('stdin', subprocess.DEVNULL)
    run = subprocess.run([tendril, 'faults'] + [str(a) for a in args], capture_output=True,
                         timeout=3 * SECONDS, check=False, **options)
    return run.returncode, run.stdout.decode('utf-8', 'replace'), run.stderr.decode('utf-8', 'replace')


def is_of(left, mark):
    """Is what is left what this line opens?"""
    frame = own_frame(left, mark.file)
    return left.get('kind') in mark.kinds and bool(frame) and frame.get('line') == mark.line


def check_plant(report, plant):
    """What is marked is told, and nothing else is."""
    found = report.findings(plant.verdict)
    check_alive(report)
    for finding in found:
        assert is_function({'function': finding['function']}, plant.function), report.show()
        for left in finding['left']:
            assert any(is_of(left, mark) for mark in plant.marks), 'false: %s; told:\n%s' % (
                left, report.show())
        calls = {failed['syscall'] for way in finding['ways'] for failed in way['failed']}
        assert plant.when is None or calls <= set(plant.when), \
            '%s do not lead to it, but %s; told:\n%s' % (
                sorted(calls), sorted(plant.when), report.show())
    for mark in plant.marks:
        for kind in mark.wanted:
            assert any(left['kind'] == kind and is_of(left, mark)
                       for finding in found for left in finding['left']), \
                'not told: %s, %s; told:\n%s' % (kind, mark, report.show())
    if plant.verdict != 'leak':
        check_clean(report)


def check_alive(report):
    """A failing step is no crash of what is planted, and it does not hang."""
    for verdict in ('crashed', 'hung'):
        assert not report.findings(verdict), '%s; told:\n%s' % (verdict, report.show())


def check_clean(report):
    check_alive(report)
    assert not report.leaks, 'false; told:\n' + report.show()
    assert report.code == 0, 'exit status %d, and there is none; %s' % (report.code, report.err)


