#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_win32_frame.py PROGRAM - does the frame of tests/win32 see what goes wrong?

PROGRAM is tests/win32/frame/frame.c: each test's name says what must become of it.
"""
import os
import re
import subprocess
import sys

VERDICT = re.compile(r'^(not ok|ok) (?:\d+ )?- ([A-Z]+-\d+-\w[\w-]*)(.*)$', re.M)
NUMBER = 0


def check(good, words, said=''):
    global NUMBER
    NUMBER += 1
    print('%s %d - %s' % ('ok' if good else 'not ok', NUMBER, words))
    if not good:
        print('\n'.join('#   ' + line for line in said.splitlines()))
    return good


def run(program, *words):
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def targets(program):
    """How many processes of the program run."""
    found = 0
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            found += os.path.samefile('/proc/%s/exe' % pid, program)
        except OSError:
            pass
    return found


def wanted(name):
    return {'ok': 'ok', 'fails': 'not ok', 'skips': 'ok', 'hangs': 'not ok'}[name.split('-')[2]]


def main(program):
    names = run(program, '--list')[1].split()
    status, said = run(program)
    verdicts = {name: (verdict, rest) for verdict, name, rest in VERDICT.findall(said)}
    good = check(len(names) > 15, 'all tests are listed', '\n'.join(names))
    for name in names[:-1]:
        verdict, rest = verdicts.get(name, ('nothing', ''))
        good &= check(verdict == wanted(name), '%s: %s' % (name, wanted(name)), said)
        if 'skips' in name:
            good &= check('# SKIP it is told why' in rest, 'a skip tells its reason', rest)
    good &= check('goes on after all' not in said, 'REQUIRE ends a test', said)
    good &= check(status == 3 and names[-1] not in verdicts, 'one that hangs ends the program', said)
    status, said = run(program, '--after', names[-2])
    good &= check(status == 0 and [v[1] for v in VERDICT.findall(said)] == names[-1:], '--after goes on there', said)
    status, said = run(program, 'GEN-04')
    good &= check(len(VERDICT.findall(said)) == 2, 'a sentence means all its tests', said)
    good &= check(run(program, 'GEN-4')[0] == 2, 'a name that there is not is refused')
    good &= check(targets(program) == 0, 'no target is left')
    print('1..%d' % NUMBER)
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
