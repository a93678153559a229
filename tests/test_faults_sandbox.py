#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_faults_sandbox.py TENDRIL [NAME...] - `tendril faults --sandbox`: what the command does stays inside

Prints TAP.  The sandbox by itself is tried in test_faults_parts.c.
"""
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

from cmd_support import SECONDS, Result, contains, main, refused, same, test

TENDRIL = os.path.abspath(sys.argv[1])
NOBODY = 65534


def faults(folder, *args, nobody=False):
    """The program is taken along: its own folder may be closed to others."""
    program = shutil.copy(TENDRIL, folder)
    who = {'user': NOBODY, 'group': NOBODY, 'extra_groups': []} if nobody else {}
    done = subprocess.run([program, 'faults'] + list(args), stdin=subprocess.DEVNULL, cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS, check=False,
                          env={**os.environ, 'LC_ALL': 'C'}, **who)
    os.unlink(program)
    return Result(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def a_folder():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield folder


def explored(result):
    """It was not only refused."""
    assert 'cases in' in result.out, (result.out, result.err)


def make_in_sandbox(**more):
    with a_folder() as folder:
        result = faults(folder, '-f', 'mkdir', '--', 'mkdir', 'made', **more)
        if 'ptrace is not permitted' in result.err:
            return 'ptrace is not permitted here'
        explored(result)
        same(os.listdir(folder), ['made'])  # so it can be told
        os.rmdir(folder + '/made')
        result = faults(folder, '-f', 'mkdir', '--sandbox', '--', 'mkdir', 'made', **more)
        if 'user namespace' in result.err:
            return 'namespaces of users are not permitted here'
        explored(result)
        same(os.listdir(folder), [])
        return None


@test
def what_is_made_stays_inside():
    return make_in_sandbox()


@test
def what_an_ordinary_user_makes_stays_inside():
    if os.geteuid() != 0:
        return 'only root can become nobody'
    return make_in_sandbox(nobody=True)


@test
def a_sandbox_that_cannot_be_is_refused():
    """In a namespace of users that may have no mount namespaces."""
    if os.geteuid() != 0:
        return 'only root can forbid that'
    with a_folder() as folder:
        program = shutil.copy(TENDRIL, folder)
        words = ['unshare', '--user', '--map-root-user', 'sh', '-c',
                 'echo 0 >/proc/sys/user/max_mnt_namespaces && exec "$@"', 'sh',
                 program, 'faults', '-f', 'mkdir', '--sandbox', '--', 'mkdir', folder + '/made']
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=SECONDS, check=False)
        result = Result(done.returncode, done.stdout, done.stderr)
        refused(result, 3, 'no sandbox: no new mount namespace: No space left on device')
        contains(result.err, 'user.max_')
        same(os.path.exists(folder + '/made'), False)
    return None


if __name__ == '__main__':
    sys.exit(main(sys.argv[2:]))
