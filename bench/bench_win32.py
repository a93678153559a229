#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""bench_win32.py BUILD [--rounds N] - the calls of win32.h beside Wine's, from one source

bench/win32_calls.c is compiled for Linux, with libtendril, and for Windows, and run in Wine.  Rounds
are interleaved: in each, both are measured once.  Figures are medians of the rounds.  Then what
failing calls leave in the caller and in the target, each way in a run of its own with a time limit.
Exit status 1 when a goal is missed.
"""
import argparse
import collections
import importlib.machinery
import importlib.util
import os
import resource
import select
import statistics
import subprocess
import sys
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATIENCE_S = 30
N_FAILING = 2000

# What, which figure, how many times faster than Wine it is to be (None: only told).
GOALS = [('CreateRemoteThread + wait + close', 'create', 4),
         ('OpenProcess + CloseHandle', 'open', 4),
         ('ReadProcessMemory, 4 KiB', 'read 4 KiB', 15),
         ('WriteProcessMemory, 4 KiB', 'write 4 KiB', 15),
         ('ReadProcessMemory, 64 MiB', 'read 64 MiB', None),
         ('WriteProcessMemory, 64 MiB', 'write 64 MiB', None),
         ('VirtualAllocEx + VirtualFreeEx', 'alloc', 2),
         ('fails: bad handle', 'fail: bad handle', 20),
         ('fails: right missing', 'fail: right missing', 20),
         ('fails: process ended', 'fail: process ended', 20),
         ('fails: no such process', 'fail: no such process', 20),
         ('fails: no such memory', 'fail: no such memory', 20),
         ('fails: not allocated', 'fail: not allocated', 20),
         ('fails: stack too large', 'fail: stack too large', 20)]
SCALE = [('10,000 handles open, each', 'scale: 10,000 open'),
         ('wait for 64 objects', 'scale: wait for 64')]
THREADS = [1, 2, 4, 8, 16]
LEAKS = ['bad handle', 'right missing', 'process ended', 'no such process', 'no such memory',
         'not allocated', 'stack too large']
NATIVE_BOUND = 1.25  # at most so many times as long as the kernel's own copy of 64 MiB

MISSED = []


def load_wine():
    """The class of scripts/check-wine that has a Wine of its own."""
    loader = importlib.machinery.SourceFileLoader('check_wine', os.path.join(SOURCE, 'scripts/check-wine'))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('check_wine', loader))
    loader.exec_module(module)
    return module.Wine, module.COMPILER


class Side:
    """A program that is target and caller, ours or Wine's."""

    def __init__(self, command, env=None):
        self.command, self.env = command, env

    def start_target(self):
        process = subprocess.Popen(self.command + ['target'], env=self.env, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if not select.select([process.stdout], [], [], PATIENCE_S)[0]:
            process.kill()
            raise RuntimeError('a target does not start')
        return process, process.stdout.readline().decode().split()

    def run(self, what, limit_s=PATIENCE_S * 4):
        """-> {figure: number}, why it is not complete or None"""
        targets = [self.start_target() for _ in range(2)]
        words = targets[0][1] + targets[1][1][:1] + what
        process = subprocess.Popen(self.command + ['calls'] + words, env=self.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        why = None
        try:
            said, errors = process.communicate(timeout=limit_s)
            if process.returncode:
                why = errors.decode(errors='replace').strip().split('\n')[-1][-60:] or 'crashed'
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            why = 'hangs'
        for target, _ in targets:
            target.stdin.close()
            try:
                target.wait(timeout=5)
            except subprocess.TimeoutExpired:
                target.kill()
                target.wait()
            target.stdout.close()
        figures = {}
        for line in said.decode(errors='replace').splitlines():
            name, _, number = line.strip().rpartition('|')
            if name:
                figures[name] = float(number)
        return figures, why


def show_time(ns):
    if ns is None:
        return '-'
    for unit, size in (('s', 1e9), ('ms', 1e6), ('us', 1e3)):
        if ns >= size:
            return '%.3g %s' % (ns / size, unit)
    return '%.3g ns' % ns


def judge(missed, what):
    if missed:
        MISSED.append(what)
    return 'MISSED' if missed else 'met'


def measure(ours, wine, rounds):
    figures = {'ours': collections.defaultdict(list), 'wine': collections.defaultdict(list)}
    names = [name for _, name, _ in GOALS] + [name for _, name in SCALE] + ['scale: threads']
    bounds = ['kernel: read 64 MiB', 'kernel: write 64 MiB']
    for _ in range(rounds):
        for key, side, what in (('ours', ours, names + bounds), ('wine', wine, names)):
            # One by one: what crashes in Wine does not take the rest with it.
            parts = [what] if key == 'ours' else [[name] for name in what]
            for part in parts:
                got, _ = side.run(part)
                for name, number in got.items():
                    figures[key][name].append(number)
    return {key: {name: statistics.median(numbers) for name, numbers in some.items()}
            for key, some in figures.items()}


def tell_speed(figures):
    print('%-36s %10s %10s %9s' % ('', 'here', 'Wine', 'ratio'))
    for label, name, goal in GOALS:
        here, there = figures['ours'].get(name), figures['wine'].get(name)
        text = '%-36s %10s %10s' % (label, show_time(here), show_time(there))
        if here and there:
            text += ' %8.1fx' % (there / here)
        if goal and here and there:
            text += '  goal %dx: %s' % (goal, judge(there / here < goal, label))
        elif goal:
            text += '            goal %dx: %s' % (goal, 'not to be had' if here else judge(True, label))
        print(text)
    for what in ('read', 'write'):
        here = figures['ours'].get('%s 64 MiB' % what)
        bound = figures['ours'].get('kernel: %s 64 MiB' % what)
        if here and bound:
            print('%-36s %10s %10s %8.2fx  goal at most %.2f: %s' % (
                '%s 64 MiB beside the kernel alone' % what, show_time(here), show_time(bound), here / bound,
                NATIVE_BOUND, judge(here / bound > NATIVE_BOUND, what + ' 64 MiB')))


def tell_scale(figures):
    for label, name in SCALE:
        print('%-36s %10s %10s' % (label, show_time(figures['ours'].get(name)),
                                   show_time(figures['wine'].get(name))))
    print('open and close, all threads together, calls a second (%d processors):' % os.cpu_count())
    for n in THREADS:
        row = [figures[key].get('scale: %d threads' % n) for key in ('ours', 'wine')]
        print('%30d thread%s %9s %10s' % ((n, 's' if n > 1 else ' ') + tuple(
            '%.3g k' % (1e6 / ns) if ns else '-' for ns in row)))


def tell_leaks(ours, wine):
    print('handles left by %d failing calls: caller, target' % N_FAILING)
    for name in LEAKS:
        cells = []
        for key, side in (('ours', ours), ('wine', wine)):
            got, why = side.run(['leak: ' + name], PATIENCE_S)
            left = [got.get('leak %s: %s' % (where, name)) for where in ('here', 'there')]
            cells.append(', '.join('?' if n is None else '%+d' % n for n in left) +
                         (' (%s)' % why if why else ''))
            if key == 'ours' and left != [0, 0]:
                judge(True, 'leak: ' + name)
        print('  %-34s %10s   Wine: %s' % (name, cells[0], cells[1]), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build')
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit[1], 20000), limit[1]))
    wine_class, compiler = load_wine()
    ours = Side([os.path.abspath(os.path.join(args.build, 'bench/win32_calls'))])
    with wine_class() as wine:
        program = os.path.join(wine.work, 'win32_calls.exe')
        subprocess.run([compiler, '-std=gnu11', '-O2', '-D__USE_MINGW_ANSI_STDIO=1',
                        '-I' + os.path.join(SOURCE, 'include'),
                        os.path.join(SOURCE, 'bench/win32_calls.c'), '-o', program], check=True)
        begun = time.monotonic()
        theirs = Side([wine.wine, program], wine.env)
        figures = measure(ours, theirs, args.rounds)
        tell_speed(figures)
        tell_scale(figures)
        tell_leaks(ours, theirs)
        print('%d rounds, %.0f s' % (args.rounds, time.monotonic() - begun))
    if MISSED:
        print('missed: ' + ', '.join(MISSED))
    return 1 if MISSED else 0


if __name__ == '__main__':
    sys.exit(main())
