#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""bench_faults.py BUILD [--rounds N] - how many cases `tendril faults` makes in a second, beside a loop

The peer is what one does without it: a loop in which strace(1) runs the program once for each case,
and makes one system call fail.  The ratio is to a plain loop, one run after the other; one that has
as many runs at once as there are processors is measured, too.  Rounds are interleaved: in each,
everybody is measured once.  Figures are medians.  Wall time meets what else the machine does, so what
a case costs in CPU time, of all processes together, is told beside it.  Exit status 1 when a goal is
missed.
"""
import argparse
import concurrent.futures
import json
import os
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../tests'))
from article_support import Service  # pylint: disable=wrong-import-position
from faults_support import calls_between_marks, run_faults  # pylint: disable=wrong-import-position

# Which function, how many calls of it in a run, cases a second that are the goal.
FUNCTIONS = [('fopen', 200, 2000), ('opendir', 200, 2000), ('shm_open', 120, 2000),
             ('open_and_query', 8, 500)]
RATIO_GOAL = 20
# The loop takes the first of its cases, up to so many: each costs the same.
LOOP_CASES = 40
ERRORS = ['ENOENT', 'EACCES', 'EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EINTR', 'ENOSPC', 'EPERM', 'ELOOP']
NEVER = {'close', 'munmap', 'brk', 'exit_group', 'geteuid', 'getpid', 'futex'}

MISSED = []


def judge(what, value, goal, unit):
    missed = not value >= goal
    print('  => %-44s %9.4g %-3s  goal at least %.4g %s: %s' % (
        what, value, unit, goal, unit, 'MISSED' if missed else 'met'), flush=True)
    if missed:
        MISSED.append(what)


def row(name, laps):
    rates = [lap.rate for lap in laps]
    print('  %-47s %9.4g /s   (%.4g to %.4g, %d rounds); %.3g ms of CPU a case' % (
        name, statistics.median(rates), min(rates), max(rates), len(rates),
        statistics.median(lap.cpu_ms for lap in laps)), flush=True)


class Lap:
    """Cases, and the wall and CPU time of all processes that made them."""

    def __init__(self):
        self.begin, self.begin_cpu = time.monotonic(), self.cpu()
        self.rate = self.cpu_ms = 0

    @staticmethod
    def cpu():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def end(self, cases):
        self.rate = cases / (time.monotonic() - self.begin)
        self.cpu_ms = (self.cpu() - self.begin_cpu) * 1000 / cases
        return self


class Bench:
    """A program that makes the calls, and the two ways of making them fail."""

    def __init__(self, build, folder):
        self.tendril = os.path.join(build, 'src/cmd/tendril')
        self.program = os.path.join(build, 'bench/faults_calls')
        self.database = os.path.join(folder, 'bench.db')
        with sqlite3.connect(self.database) as db:
            db.execute('CREATE TABLE t (a, b)')
        db.close()
        self.has_strace = bool(shutil.which('strace'))
        self.folder = folder

    def command(self, which, calls):
        return [self.program, which, str(calls), self.database]

    def explore(self, which, calls):
        """All that it takes from start to end."""
        lap = Lap()
        code, out, err = run_faults(self.tendril, '--json', '--calls', 'all', '-f', which, '--',
                                    *self.command(which, calls))
        if code not in (0, 1):
            raise SystemExit('bench_faults: tendril faults: %s' % err.strip())
        document = json.loads(out)
        lap.end(document['cases'])
        if document['calls'] != calls or not document['complete']:
            raise SystemExit('bench_faults: %d of %d calls of %s were seen' % (
                document['calls'], calls, which))
        return lap, document

    def loop_cases(self, which):
        log = os.path.join(self.folder, 'trace')
        subprocess.run(['strace', '-f', '-o', log] + self.command(which, 1), check=True)
        with open(log, encoding='utf-8', errors='replace') as file:
            calls = [(name, n) for name, n in calls_between_marks(file.read()) if name not in NEVER]
        return [(name, n, error) for error in ERRORS for name, n in calls][:LOOP_CASES]

    def inject(self, which, case):
        subprocess.run(['strace', '-f', '-o', '/dev/null', '-e', 'trace=' + case[0],
                        '-e', 'inject=%s:error=%s:when=%d' % (case[0], case[2], case[1])] +
                       self.command(which, 1), check=False, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def loop(self, which, at_once):
        """The same by runs under strace."""
        cases = self.loop_cases(which)
        lap = Lap()
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda case: self.inject(which, case), cases))
        return lap.end(len(cases))


def ratio(ours, theirs, what='rate'):
    """Of what was measured in the same round."""
    return statistics.median(getattr(our, what) / getattr(their, what) for our, their in zip(ours, theirs))


def show(which, goal, ours, loops, wide_loops, document):
    print('%s: %d calls, %d cases' % (which, document['calls'], document['cases']))
    row('tendril faults', ours)
    judge('cases a second', statistics.median(lap.rate for lap in ours), goal, '/s')
    if loops:
        row('a loop over strace -e inject', loops)
        row('the same, a run on each processor', wide_loops)
        judge('beside the loop', ratio(ours, loops), RATIO_GOAL, 'x')
        print('     %-44s %9.4g x' % ('beside that on each processor', ratio(ours, wide_loops)))
        print('     %-44s %9.4g x' % ('less CPU time a case', ratio(loops, ours, 'cpu_ms')))
    if any(function['rerun'] for function in document['functions']):
        print('  (the command was run again for each case)')


def seconds_to_the_article(build, mode):
    """Until the leak of Microsoft's article is found in the demo's program; inf: not in time."""
    with Service(os.path.join(build, 'src/cmd/tendril')) as service:
        for limit in (0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 5):
            _, document = service.explore(mode, '-f', 'CreateServiceThread_1999', '--time-limit', str(limit))
            if document['leaks']:
                return document['seconds']
    return float('inf')


def show_article(build, rounds):
    print('The leak of the article, in examples/q272913, while its service is busy: seconds until it is found')
    for what, mode in (('where the call fails by itself', 'defect'), ('where it must be made to fail', 'use-1999')):
        found = [seconds_to_the_article(build, mode) for _ in range(rounds)]
        print('  %-47s %9.4g s    (%.4g to %.4g, %d rounds)' % (
            what, statistics.median(found), min(found), max(found), rounds), flush=True)
        if mode == 'defect':
            judge('found in a second', 1 / statistics.median(found), 1, '/s')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build')
    parser.add_argument('--rounds', type=int, default=5)
    options = parser.parse_args()
    print('Cases a second of tendril faults, on %d processors' % len(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.build, folder)
        if not bench.has_strace:
            print('  strace is not installed: no ratio')
        for which, calls, goal in FUNCTIONS:
            ours, loops, wide_loops, document = [], [], [], None
            for _ in range(options.rounds):
                lap, document = bench.explore(which, calls)
                ours.append(lap)
                if bench.has_strace:
                    loops.append(bench.loop(which, 1))
                    wide_loops.append(bench.loop(which, len(os.sched_getaffinity(0))))
            show(which, goal, ours, loops, wide_loops, document)
    show_article(options.build, options.rounds)
    try:
        os.unlink('/dev/shm/tendril-bench')
    except OSError:
        pass
    if MISSED:
        print('missed: ' + ', '.join(MISSED))
    return 1 if MISSED else 0


if __name__ == '__main__':
    sys.exit(main())
