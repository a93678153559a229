#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_faults_article.py TENDRIL - tendril faults on the defect of Microsoft's article, and on its repair

Prints TAP.  The program of the demo, examples/q272913, works on the demo's service, which is asked things all the
while.  What is made to fail there are the hundreds of system calls of our own CreateRemoteThread().
"""
import functools
import json
import os
import re
import shlex
import subprocess
import sys

from leaks_support import Skip, run_tests

SECONDS = 240
TENDRIL = os.path.abspath(sys.argv[1])
EXAMPLES = os.path.join(os.path.dirname(TENDRIL), '../../examples')
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../examples/q272913.c')


def example(name):
    path = os.path.join(EXAMPLES, name)
    if not os.path.exists(path):
        raise Skip('%s is not built' % name)
    return path


class Service:
    """The demo's, under the demo's load."""

    def __enter__(self):
        self.process = subprocess.Popen([example('service')], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready, self.pid, port, *self.addresses = self.process.stdout.readline().split()
        assert ready == 'ready'
        self.load = subprocess.Popen([example('service'), 'load', port], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True)
        return self

    def threads(self):
        return len(os.listdir('/proc/%s/task' % self.pid))

    def answers(self):
        """(questions, wrong answers); it is asked nothing more."""
        said, _ = self.load.communicate(timeout=SECONDS)
        return tuple(int(n) for n in re.fullmatch(r'(\d+) requests, (\d+) wrong answers\n', said).groups())

    def __exit__(self, *_):
        for process in (self.load, self.process):
            process.kill()
            process.communicate()


def explore(service, mode, *options):
    """Exit status, what was said, and as what it was said."""
    command = [TENDRIL, 'faults', '--json', '--calls', '1', *options, '--', example('q272913'), mode, service.pid,
               *service.addresses]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=SECONDS, check=False)
    if done.returncode not in (0, 1):
        raise AssertionError('exit status %d: %s' % (done.returncode, done.stderr.decode()))
    return done.returncode, json.loads(done.stdout)


@functools.lru_cache(None)
def the_defect():
    with Service() as service:
        threads = service.threads()
        status, told = explore(service, 'use-1999', '-f', 'CreateServiceThread_1999')
        replay = None
        if told['leaks']:
            replay = explore(service, 'use-1999', '-f', 'CreateServiceThread_1999', '--replay',
                             told['leaks'][0]['replay_id'])
        return status, told, replay, threads, service.threads(), service.answers()


@functools.lru_cache(None)
def the_repair():
    with Service() as service:
        return explore(service, 'use', '-f', 'CreateServiceThread')


def same(found, expected):
    if found != expected:
        raise AssertionError('%r, not %r' % (found, expected))


def line_of(text, function):
    """The number of the first line with a text in a function."""
    with open(SOURCE, encoding='ascii') as file:
        lines = file.read().splitlines()
    begin = next(i for i, line in enumerate(lines) if re.search(r'\b%s\(const' % function, line))
    return next(i + 1 for i in range(begin, len(lines)) if text in lines[i])


def frame_of(stack, function):
    return next(((frame['function'], os.path.basename(frame['file']), frame['line']) for frame in stack
                 if frame['function'] == function), None)


def its_leak():
    _, told, *_ = the_defect()
    same(len(told['leaks']), 1)
    return told['leaks'][0]


def the_leak_is_found():
    status, told, *_ = the_defect()
    same((status, told['complete'], told['exit_status']), (1, True, 0))
    leak = its_leak()
    same((leak['function'], leak['returned'], leak['confirmed'], leak['open_at_exit']),
         ('CreateServiceThread_1999', 'NULL', True, True))
    same(leak['left'][0]['kind'], 'pidfd')


def it_is_told_where_the_handle_comes_from():
    name = 'CreateServiceThread_1999'
    for left in its_leak()['left']:
        same(frame_of(left['stack'], name), (name, 'q272913.c', line_of('CreateRemoteThread(', name)))


def it_is_told_what_has_failed():
    stack = its_leak()['failed']['stack']
    same(frame_of(stack, 'enter_session'),
         ('enter_session', 'q272913.c', line_of('WriteProcessMemory(', 'enter_session')))
    same(frame_of(stack, 'CreateServiceThread_1999')[2], line_of('enter_session(', 'CreateServiceThread_1999'))


def all_that_can_fail_in_the_later_stage_leads_to_it():
    failed = {way['failed'][0]['syscall'] for way in its_leak()['ways']}
    if not {'pidfd_open', 'openat', 'process_vm_writev'} <= failed:
        raise AssertionError(failed)


def making_the_thread_fails_without_a_leak():
    """CreateRemoteThread() has most of the steps: each with each error, and nothing stays."""
    _, told, *_ = the_defect()
    if told['cases'] < 500:
        raise AssertionError('%d cases' % told['cases'])
    same([way['id'] for way in its_leak()['ways'] if '/ptrace@' in way['id']], [])


def the_case_can_be_had_again():
    """Whatever the service was doing meanwhile: hundreds of reads may come before the third pidfd_open()."""
    same(its_leak()['replay_id'], 'CreateServiceThread_1999#1/pidfd_open@3=ESRCH')
    _, _, replay, *_ = the_defect()
    same((replay[0], len(replay[1]['leaks'])), (1, 1))
    same(replay[1]['leaks'][0]['id'], its_leak()['id'])
    words = shlex.split(its_leak()['replay'])
    same((words[:2], words[words.index('--replay') + 1]), (['tendril', 'faults'], its_leak()['replay_id']))


def the_repaired_one_is_clean():
    status, told = the_repair()
    same((status, told['leaks'], told['complete'], told['exit_status']), (0, [], True, 0))
    if told['cases'] < 500:
        raise AssertionError('%d cases' % told['cases'])


def the_service_is_unharmed():
    *_, before, after, (questions, wrong) = the_defect()
    same((after, wrong), (before, 0))
    if questions == 0:
        raise AssertionError('it was asked nothing')


TESTS = [the_leak_is_found, it_is_told_where_the_handle_comes_from, it_is_told_what_has_failed,
         all_that_can_fail_in_the_later_stage_leads_to_it, making_the_thread_fails_without_a_leak,
         the_case_can_be_had_again, the_repaired_one_is_clean, the_service_is_unharmed]
sys.exit(run_tests([(test.__name__, test) for test in TESTS]))
