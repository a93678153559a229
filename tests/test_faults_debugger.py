#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_faults_debugger.py TENDRIL [NAME...] - a case of a real report, gone through in a real gdb

Prints TAP.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

from cmd_support import SECONDS, contains, main, same, test

TENDRIL = os.path.abspath(sys.argv[1])
PROGRAM = os.path.join(os.environ.get('TENDRIL_TARGETS', ''), 'faults', 'faulty')


def run(words, said=''):
    words = [TENDRIL if word == 'tendril' else word for word in words]
    done = subprocess.run(words, input=said.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=SECONDS, check=False, env={**os.environ, 'LC_ALL': 'C'})
    return done.returncode, done.stdout.decode('utf-8')


def replay_of_the_leak():
    """The words that the report tells somebody to type; None: that cannot be had here."""
    code, out = run(['tendril', 'faults', '--json', '-f', 'early_return', '--', PROGRAM, 'early_return'])
    if code == 3 and 'not permitted' in out:
        return None
    same(code, 1)
    leak, = json.loads(out[out.index('{'):])['leaks']
    return shlex.split(leak['replay'])


@test
def gdb_goes_on_from_the_step_that_has_failed():
    words = shutil.which('gdb') and replay_of_the_leak()
    if not words:
        return 'no gdb' if not shutil.which('gdb') else 'ptrace is not permitted here'
    words.insert(words.index('--'), '--debugger')
    for _ in range(3):  # once it waited for ever, now and then
        code, out = run(words, 'set confirm off\nbacktrace\nfinish\nfinish\nquit\n')
        same(code, 0)
        assert re.search(r'#\d+ .*early_return ', out), out
        contains(out, 'Value returned is $1 = -1')  # of read(2)
        assert re.search(r'Value returned is \$2 = -\d', out), out
        pid = int(re.search(r'^Process (\d+) is stopped where the step has failed\.$', out, re.M)[1])
        assert not os.path.exists('/proc/%d' % pid), 'it was left behind'
    return None


@test
def a_replay_is_the_case_that_was_told():
    words = replay_of_the_leak()
    if not words:
        return 'ptrace is not permitted here'
    code, out = run(words)
    same(code, 1)
    contains(out, '<- made to fail\n')
    contains(out, '\nLEAK  early_return keeps a file when read fails with ')
    contains(out, ' '.join(['    replay     tendril', 'faults']))
    return None


if __name__ == '__main__':
    sys.exit(main(sys.argv[2:]))
