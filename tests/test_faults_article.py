#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_faults_article.py TENDRIL - tendril faults on the defect of Microsoft's article, and on its repair

Prints TAP.  The program of the demo, examples/q272913, works on the demo's service, which is asked things all the
while.  What is made to fail there are the hundreds of system calls of our own CreateRemoteThread().
"""
import functools
import os
import re
import shlex
import sys

from article_support import Service
from leaks_support import run_tests

SECONDS = 240
TENDRIL = sys.argv[1]
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../examples/q272913.c')


@functools.lru_cache(None)
def the_defect():
    with Service(TENDRIL) as service:
        threads = service.threads()
        status, told = service.explore('use-1999', '-f', 'CreateServiceThread_1999')
        replay = None
        if told['leaks']:
            replay = service.explore('use-1999', '-f', 'CreateServiceThread_1999', '--replay',
                                     told['leaks'][0]['replay_id'])
        return status, told, replay, threads, service.threads(), service.answers()


@functools.lru_cache(None)
def the_repair():
    with Service(TENDRIL) as service:
        return service.explore('use', '-f', 'CreateServiceThread')


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
    same(failed, {'process_vm_writev'})  # the target is known by then: nothing has to be opened


def making_the_thread_fails_without_a_leak():
    """CreateRemoteThread() has most of the steps: each with each error, and nothing stays."""
    _, told, *_ = the_defect()
    if told['cases'] < 500:
        raise AssertionError('%d cases' % told['cases'])
    same([way['id'] for way in its_leak()['ways'] if '/ptrace@' in way['id']], [])


def the_case_can_be_had_again():
    """Whatever the service was doing meanwhile."""
    same(its_leak()['replay_id'], 'CreateServiceThread_1999#1/process_vm_writev@1=EPERM')
    _, _, replay, *_ = the_defect()
    same((replay[0], len(replay[1]['leaks'])), (1, 1))
    same(replay[1]['leaks'][0]['id'], its_leak()['id'])
    words = shlex.split(its_leak()['replay'])
    same((words[:2], words[words.index('--replay') + 1]), (['tendril', 'faults'], its_leak()['replay_id']))


def it_is_found_when_the_call_fails_by_itself():
    """Before any step is made to fail."""
    with Service(TENDRIL) as service:
        status, told = service.explore('defect', '-f', 'CreateServiceThread_1999', '--time-limit', '5')
    same(status, 1)
    leak = next(leak for leak in told['leaks'] if leak['replay_id'] == 'CreateServiceThread_1999#1')
    same((leak['returned'], leak['confirmed'], leak['left'][0]['kind']), ('NULL', True, 'pidfd'))
    name = 'CreateServiceThread_1999'
    same(frame_of(leak['left'][0]['stack'], name), (name, 'q272913.c', line_of('CreateRemoteThread(', name)))


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
         the_case_can_be_had_again, it_is_found_when_the_call_fails_by_itself, the_repaired_one_is_clean, the_service_is_unharmed]
sys.exit(run_tests([(test.__name__, test) for test in TESTS]))
