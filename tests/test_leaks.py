#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_leaks.py TENDRIL [--full] [--tracepoint] [NAME...] - tendril leaks finds what is planted, and nothing else

Prints TAP.  The programs in tests/targets/leaks/ plant a leak each, and have a repaired form that goes
through the same lines.  First it is looked at in /proc that they do what they say; then each is
attached to before it begins its work, and started by `tendril leaks -- COMMAND`.  With --full every
plant is tried in every way of building it; with --tracepoint by the exit of system calls also where the
kernel's functions may be hooked.
"""
import functools
import itertools
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from leaks_support import (Leaks, Report, SECONDS, Skip, Target, check_sites, handles,
                           is_site, origin_of, read_catalog, run_leaks, run_tests, state_of,
                           tracer_of, until)

FULL = '--full' in sys.argv
TRACEPOINT = '--tracepoint' in sys.argv
WORDS = [word for word in sys.argv[1:] if word not in ('--full', '--tracepoint')]
TENDRIL = os.path.abspath(WORDS[0])
ONLY = WORDS[1:]
PLANTS = os.path.join(os.environ.get('TENDRIL_TARGETS') or os.path.join(
    os.path.dirname(TENDRIL), '../../tests/targets'), 'leaks')
CATALOG = read_catalog()
Leaks.more = ['--tracepoint'] if TRACEPOINT else []
# Seen only when children are followed too.
FOLLOWED = {'in_child', 'shared_table'}
# What is tried in each way of building: each kind of stack, and of call.
SELECTED = ['open', 'pipe2', 'fopen', 'opendir', 'recvmsg', 'thread', 'signal', 'deep', 'recursion',
            'inlined', 'alloca', 'error_path', 'clone_pidfd', 'exec', 'getaddrinfo']
BUILDS = ['plant_o2', 'plant_o0_fp', 'plant_static', 'plant_static_pie', 'plant_musl']
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'targets/leaks/plant.py')


def program(name):
    path = os.path.join(PLANTS, name)
    if not os.path.exists(path):
        raise Skip('%s is not built here' % name)
    return path


def plants_of(build):
    """As the program itself says; steps and what other plants exec are no plants by themselves."""
    listed = subprocess.run([program(build), 'list'], capture_output=True, text=True, check=True)
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    return sorted(n for n in names if n in CATALOG)


def can_leak():
    """Is there such a command, and may we?  Said once for all tests."""
    if os.geteuid() != 0:
        raise Skip('needs root')
    if not CAN['command']:
        raise Skip('this build has no `tendril leaks`')


def find_command():
    done = subprocess.run([TENDRIL, 'leaks', '--help'], capture_output=True, check=False)
    return done.returncode == 0


CAN = {'command': find_command()}


# --- the plants do what they say -----------------------------------------------------------------

def children(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid), encoding='ascii') as file:
        return [int(word) for word in file.read().split()]


def planted(command, plant):
    """How many more handles it has after its work than before; followed children's too."""
    with Target(*command, plant, 'leak', 'wait') as leaking:
        leaking.hear('begin')
        before = len(handles(leaking.pid))
        leaking.work()
        after = len(handles(leaking.pid)) - before
        for child in children(leaking.pid) if plant in FOLLOWED else []:
            after += len(handles(child)) - before
        leaking.unharmed()
    return after


def stays(command, plant):
    with Target(*command, plant, 'repaired', 'wait') as repaired:
        repaired.hear('begin')
        before = handles(repaired.pid)
        repaired.work()
        after = handles(repaired.pid)
        repaired.unharmed()
    return {k: v for k, v in after.items() if k not in before}


def is_honest(command, plant):
    wanted = sum(e.count for e in CATALOG[plant])
    got = planted(command, plant)
    assert got == wanted, 'it leaves %d handles, and %d are marked' % (got, wanted)
    left = stays(command, plant)
    assert not left, 'the repaired form leaves %r' % left


# Valgrind knows these calls, and takes its own stacks.
VALGRIND_KNOWS = ['open', 'pipe2', 'dup2_over', 'fcntl_dupfd', 'accept4', 'recvmmsg', 'fopen', 'popen',
                  'error_path', 'thread', 'signal', 'deep', 'inlined', 'in_loaded', 'in_unloaded']


def marks_are_right(plant):
    """The marked line opens the marked number of handles, by the word of somebody else."""
    valgrind = shutil.which('valgrind')
    if not valgrind:
        raise Skip('valgrind is not installed')
    run = subprocess.run([valgrind, '--track-fds=yes', program('plant'), plant, 'leak'], text=True,
                         stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    if 'debuginfo reader' in run.stderr:
        raise Skip('this valgrind does not understand the debug information')
    assert run.returncode == 0, run.stderr
    for expected in CATALOG[plant]:
        where = r'%s \(%s:%d\)' % (expected.function, re.escape(expected.file), expected.line)
        found = len(re.findall(where, run.stderr))
        assert found == expected.count, '%s: valgrind sees %d:\n%s' % (expected, found, run.stderr)


# --- each plant ---------------------------------------------------------------------------------

def options_for(plant):
    return ['-f'] if plant in FOLLOWED else []


def attached(command, plant, form):
    """Attached to before it begins, asked after its work; it is not harmed."""
    with Target(*command, plant, form, 'wait') as target:
        target.hear('begin')
        with Leaks(TENDRIL, '--json', *options_for(plant), target.pid) as leaks:
            leaks.wait_until_watching()
            target.work()
            assert state_of(target.pid) not in 'Tt' and tracer_of(target.pid) == 0
            report = leaks.end()
        target.unharmed()
    assert report.code in (0, 1), report.err
    return report


def started(command, plant, form):
    report = Report(*run_leaks(TENDRIL, '--json', *options_for(plant), '--', *command, plant, form))
    assert report.code in (0, 1), report.err
    return report


def find(command, plant, run):
    can_leak()
    report = run(command, plant, 'leak')
    check_sites(report, CATALOG[plant])
    # A leak is what the process opened itself.
    if run is started and CATALOG[plant][0].origin != 'installed':
        assert report.code == 1, 'exit status %d, and there are leaks' % report.code
    report = run(command, plant, 'repaired')
    check_sites(report, [])
    assert report.code == 0, 'exit status %d, and there is none' % report.code


def python_leak(run):
    """The interpreter's own frames: the C stack at least."""
    can_leak()
    command = [sys.executable, SCRIPT]
    report = run(command, 'python', 'leak')
    sites = [s for s in report.sites() if s['count'] == 3]
    assert len(sites) == 1 and len(report.sites()) == 1, report.show()
    modules = ' '.join(str(f.get('module')) for f in sites[0]['stack'])
    assert 'python' in modules, report.show()
    names = [f.get('function') or '' for f in sites[0]['stack']]
    assert any('os_open' in n for n in names) and any('main' in n for n in names), report.show()
    check_sites(run(command, 'python', 'repaired'), [])


# --- what it tells, and how it is used ------------------------------------------------------------

def steps():
    return Target(program('plant'), 'steps', 'leak', 'wait')


def at(step):
    return CATALOG[step][0]


def count_of(report, step):
    return sum(s['count'] for s in report.sites() if is_site(s, at(step)))


def test_what_was_open_before_is_told_apart():
    can_leak()
    with steps() as target:
        target.hear('begin')
        target.say()
        target.step('a', 4)
        with Leaks(TENDRIL, '--json', target.pid) as leaks:
            leaks.wait_until_watching()
            target.step('b', 2)
            report = leaks.end()
    before = [s for s in report.all_sites(target.pid) if origin_of(s) == 'before']
    # Those of ours, and standard input, output and error.
    assert sum(s['count'] for s in before) == 7, report.text
    assert count_of(report, 'step_b') == 2 and len(report.sites()) == 1, report.show()


def test_example_is_a_handle_that_is_open():
    can_leak()
    with steps() as target:
        target.hear('begin')
        target.say()
        with Leaks(TENDRIL, '--json', target.pid) as leaks:
            leaks.wait_until_watching()
            target.step('b', 2)
            report = leaks.end()
        site = report.sites()[0]
        example = site['example']
        assert handles(target.pid)[example['handle']] == '/dev/zero', example
        assert example['what'] == '/dev/zero', example
        assert 0 <= site['oldest_s'] < SECONDS and site['kind'], site


def test_counts_are_exact():
    """Each open and each close is counted, of eight threads at once."""
    can_leak()
    report = attached([program('plant')], 'busy_threads', 'leak')
    told = report.document
    opened = 3 * (8 * 2000 + 2000 + 1)
    assert (told['opened'], told['closed'], told['lost']) == (opened, opened - 3, 0), told


def test_a_stack_that_was_copied_in_part_is_told_as_cut():
    can_leak()
    code, out, err = run_leaks(TENDRIL, '--json', '--stack-size', '1K', '--', program('plant'),
                               'deep', 'leak')
    sites = Report(code, out, err).sites()
    assert [s['stack_end'] for s in sites] == ['cut'], sites


def test_counts_are_exact_at_the_end():
    """Also when the first thread ends while the last ones, which it waited for, are at their very end."""
    can_leak()
    told = [started([program('plant')], 'busy_threads', 'leak').document for _ in range(5)]
    opened = 3 * (8 * 2000 + 2000 + 1)
    for document in told:  # and a few for its libraries, each time the same
        assert opened < document['opened'] < opened + 50, document
        assert document['opened'] == told[0]['opened'] and document['lost'] == 0, document


BURST = 12000  # as in files.c


def test_more_than_there_is_room_for_is_told():
    """Each handle is counted; those whose stack could not be kept are marked."""
    can_leak()
    report = attached([program('plant')], 'burst', 'leak')
    assert sum(s['count'] for s in report.sites()) == BURST, report.show()
    known = 0
    for site in report.sites():
        if any(f.get('function') == 'plant_burst' for f in site['stack']):
            known += site['count']
        else:
            assert site['uncertain'] == site['count'], report.show()
    assert known >= 1000, report.show()
    check_sites(attached([program('plant')], 'burst', 'repaired'), [])


def test_kinds_are_known_when_the_process_is_gone():
    """Of more than the ring has room for with their paths, too."""
    can_leak()
    for plant, kind in (('burst', 'device'), ('inotify', 'inotify'), ('bpf_map', 'bpf'),
                        ('pidfd_open', 'pidfd'), ('opendir', 'directory'), ('memfd', 'memfd'),
                        ('eventfd', 'eventfd'), ('pipe2', 'pipe'), ('socket', 'socket')):
        report = started([program('plant')], plant, 'leak')
        kinds = [s['kinds'] for s in report.sites()]
        assert kinds and all(list(k) == [kind] for k in kinds), (plant, kinds)


def test_most_handles_first():
    can_leak()
    with steps() as target:
        target.hear('begin')
        target.say()
        with Leaks(TENDRIL, '--json', target.pid) as leaks:
            leaks.wait_until_watching()
            target.step('a', 2)
            target.step('b', 5)
            report = leaks.end()
    assert [s['count'] for s in report.sites()] == [5, 2], report.show()


def test_closed_since_is_not_told():
    can_leak()
    with steps() as target:
        target.hear('begin')
        target.say()
        with Leaks(TENDRIL, '--json', target.pid) as leaks:
            leaks.wait_until_watching()
            target.step('a', 2)
            target.step('b', 1)
            target.step('c', 1)
            report = leaks.end()
    assert count_of(report, 'step_a') == 2 and count_of(report, 'step_b') == 0, report.show()


def test_two_snapshots_show_what_is_new():
    can_leak()
    with steps() as target, tempfile.TemporaryDirectory() as folder:
        saved = os.path.join(folder, 'first')
        target.hear('begin')
        target.say()
        with Leaks(TENDRIL, '--json', '--save', saved, target.pid) as leaks:
            leaks.wait_until_watching()
            target.step('a', 3)
            first = leaks.end()
        assert count_of(first, 'step_a') == 3, first.show()
        with Leaks(TENDRIL, '--json', '--since', saved, target.pid) as leaks:
            leaks.wait_until_watching()
            target.step('b', 2)
            second = leaks.end()
    assert count_of(second, 'step_a') == 0 and count_of(second, 'step_b') == 2, second.show()


OPENER = '''
import os, resource, select, sys, time
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
sys.stdin.readline()
n, due = 0, time.monotonic()
while n < min(limit - 64, 15000) and not select.select([sys.stdin], [], [], 0)[0]:
    os.open('/dev/null', os.O_RDONLY)
    n += 1
    due += 0.0001
    while time.monotonic() < due:
        pass
print(n, flush=True)
sys.stdin.readline()
sys.stdin.readline()
'''


def test_each_handle_is_new_once():
    """Many to each tick of the kernel's clock: whenever a look comes, it is between two of them."""
    can_leak()
    with subprocess.Popen([sys.executable, '-c', OPENER], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, bufsize=1) as target, \
            Leaks(TENDRIL, '--json', '--every', '0.02', target.pid) as leaks:
        leaks.wait_until_watching()
        target.stdin.write('begin\n')
        new = []

        def look():
            told = json.loads(leaks.process.stdout.readline())
            new.append(sum(site['new'] for site in told['sites']))
            return told['horizon_ns']

        while sum(some > 0 for some in new) < 8 and \
                not select.select([target.stdout], [], [], 0)[0]:
            look()
        target.stdin.write('end\n')
        opened = int(target.stdout.readline())
        done_ns = time.monotonic_ns()
        while look() < done_ns:
            pass
        target.stdin.close()
    assert sum(new) == opened, (opened, new)


def test_duration_bounds_it():
    can_leak()
    with steps() as target:
        target.hear('begin')
        report = Report(*run_leaks(TENDRIL, '--json', '--duration', '0.5', target.pid))
        assert report.code == 0, report.err
        check_sites(report, [])


def test_end_of_the_target_gives_the_report():
    can_leak()
    with steps() as target:
        target.hear('begin')
        target.say()
        with Leaks(TENDRIL, '--json', target.pid) as leaks:
            leaks.wait_until_watching()
            target.step('a', 2)
            target.process.kill()
            target.process.wait()
            report = leaks.report()
    assert report.code == 1 and count_of(report, 'step_a') == 2, report.show()


def test_several_targets_at_once():
    can_leak()
    with steps() as first, steps() as second:
        for target in (first, second):
            target.hear('begin')
            target.say()
        with Leaks(TENDRIL, '--json', first.pid, second.pid) as leaks:
            leaks.wait_until_watching()
            first.step('a', 2)
            second.step('b', 3)
            report = leaks.end()
    assert count_of(report, 'step_a') == 2 and count_of(report, 'step_b') == 3, report.show()


def test_two_of_us_at_one_target():
    can_leak()
    with steps() as target:
        target.hear('begin')
        target.say()
        with Leaks(TENDRIL, '--json', target.pid) as one, Leaks(TENDRIL, '--json', target.pid) as two:
            one.wait_until_watching()
            two.wait_until_watching()
            target.step('a', 2)
            for leaks in (one, two):
                assert count_of(leaks.end(), 'step_a') == 2


def test_forks_in_a_storm_with_all_children_followed():
    can_leak()
    with Target(program('plant'), 'fork_storm', 'leak', 'wait') as target:
        target.hear('begin')
        with Leaks(TENDRIL, '--json', '-f', target.pid) as leaks:
            leaks.wait_until_watching()
            target.work()
            report = leaks.end()
        target.unharmed()
    if report.lost() == 0:
        check_sites(report, CATALOG['fork_storm'])
    else:  # told, and what is open is not missed for that
        assert sum(s['count'] for s in report.sites(target.pid)) >= 3, report.show()


def test_program_of_32_bits():
    """Of those the handles are known, and no stack; nor are its calls taken for ours."""
    can_leak()
    for options, origin in (([], 'opened'), (['--ptrace'], 'found')):
        for plant in ('dup', 'open'):
            code, out, err = run_leaks(TENDRIL, '--json', *options, '--', program('plant_32'), plant,
                                       'leak')
            report = Report(code, out, err)
            sites = report.sites()
            assert [(s['count'], origin_of(s)) for s in sites] == [(3, origin)], report.text
            assert not sites[0].get('syscall'), sites
            assert [p['name'] for p in report.processes] == ['plant_32'], report.text


def test_children_are_not_followed_unasked():
    can_leak()
    with Target(program('plant'), 'in_child', 'leak', 'wait') as target:
        target.hear('begin')
        with Leaks(TENDRIL, '--json', target.pid) as leaks:
            leaks.wait_until_watching()
            target.work()
            check_sites(leaks.end(), [])


# --- no harm ------------------------------------------------------------------------------------

def looks_of(pid):
    with open('/proc/%d/maps' % pid, encoding='utf-8', errors='replace') as file:
        maps = file.read()
    with open('/proc/%d/status' % pid, encoding='utf-8', errors='replace') as file:
        status = re.sub(r'(?m)^(Vm|Rss|SigQ|voluntary|nonvoluntary).*\n', '', file.read())
    return maps, re.sub(r'(?m)^State:.*\n', '', status), handles(pid)


def same_looks(before, after):
    for was, now in zip(before, after):
        lines = [str(part).splitlines() for part in (was, now)]
        assert was == now, 'the target is not as it was: %r, now %r' % tuple(
            [line for line in mine if line not in other] for mine, other in (lines, lines[::-1]))


def test_target_is_neither_stopped_nor_changed():
    """Looked at without a pause while we come, work and go."""
    can_leak()
    wrong, is_over = [], threading.Event()
    with steps() as target:
        target.hear('begin')
        target.say()

        def look():
            while not is_over.is_set():
                state, tracer = state_of(target.pid), tracer_of(target.pid)
                if state in 'Tt' or tracer:
                    wrong.append((state, tracer))

        before, watcher = looks_of(target.pid), threading.Thread(target=look)
        watcher.start()
        try:
            with Leaks(TENDRIL, '--json', target.pid) as leaks:
                leaks.wait_until_watching()
                target.step('a')
                target.step('c')
                leaks.end()
        finally:
            is_over.set()
            watcher.join()
        after = looks_of(target.pid)
    assert not wrong, 'it was stopped or traced: %r' % wrong[:3]
    same_looks(before, after)


FEXIT = 25  # BPF_TRACE_FEXIT


def entered_by(pid):
    """What runs the programs that it has in the kernel: names of tracepoints, and how many functions."""
    tracepoints, functions = set(), 0
    for number in handles(pid):
        with open('/proc/%d/fdinfo/%d' % (pid, number), encoding='ascii') as file:
            told = dict(re.findall(r'(?m)^(\w+):\s*(\w+)$', file.read()))
        functions += told.get('link_type') == 'tracing' and told.get('attach_type') == str(FEXIT)
        if 'tp_name' in told:
            tracepoints.add(told['tp_name'])
    return tracepoints, functions


def hooked(*options):
    """The field of the report, and what was hooked."""
    with steps() as target:
        target.hear('begin')
        target.say()
        with Leaks(TENDRIL, '--json', *options, target.pid) as leaks:
            leaks.wait_until_watching()
            entered = entered_by(leaks.process.pid)
            target.step('a', 2)
            report = leaks.end()
    assert count_of(report, 'step_a') == 2, report.show()
    return report.document['hook'], entered


def test_hooks_are_told_and_spare_the_others():
    """Where the table itself is hooked, nothing is at the exit of system calls."""
    can_leak()
    hook, (tracepoints, functions) = hooked()
    assert hook in ('fentry', 'tracepoint') and 'task_newtask' in tracepoints, (hook, tracepoints)
    assert ('sys_exit' in tracepoints) == (hook == 'tracepoint'), (hook, tracepoints)
    assert (functions > 0) == (hook == 'fentry'), (hook, functions)


def test_tracepoint_when_asked_for():
    can_leak()
    hook, (tracepoints, functions) = hooked('--tracepoint')
    assert (hook, functions) == ('tracepoint', 0) and 'sys_exit' in tracepoints, (hook, tracepoints)


def bpf_objects():
    """(kind, id) of what no living process but ours holds; empty of what others come and go with."""
    if not shutil.which('bpftool') and not os.path.exists('/usr/sbin/bpftool'):
        raise Skip('bpftool is not installed')
    found = set()
    for kind in ('prog', 'map', 'link'):
        told = subprocess.run([shutil.which('bpftool') or '/usr/sbin/bpftool', '-j', kind, 'show'],
                              capture_output=True, text=True, check=False).stdout
        # One that goes while bpftool looks is an error without an id.
        found |= {(kind, o['id']) for o in json.loads(told or '[]') if 'id' in o and
                  not [p for p in o.get('pids', []) if os.path.exists('/proc/%d' % p['pid'])]}
    return found


KILLS = 20


def time_to_watch(target):
    with Leaks(TENDRIL, '--json', target.pid) as leaks:
        begin = os.times().elapsed
        leaks.wait_until_watching()
        return os.times().elapsed - begin


def test_killed_at_any_moment_leaves_nothing():
    """At moments all over its start, and while events come; the target goes on."""
    can_leak()
    before = bpf_objects()
    with steps() as target:
        target.hear('begin')
        target.say()
        seconds = time_to_watch(target)
        looks = looks_of(target.pid)
        for i in range(KILLS):
            with Leaks(TENDRIL, '--json', target.pid) as leaks:
                try:
                    leaks.process.wait(seconds * i / (KILLS * 3 / 4))
                except subprocess.TimeoutExpired:
                    pass
                target.step('a')
                leaks.process.kill()
                leaks.process.wait()
            target.step('c')
        same_looks(looks, looks_of(target.pid))
        target.say('q')
        target.hear('ready')
        target.unharmed()
    # The kernel frees them a little later.
    until('no BPF object is left', lambda: not bpf_objects() - before)


def test_killed_while_its_command_runs_ends_nothing_else():
    """COMMAND goes on: it is somebody's work."""
    can_leak()
    with tempfile.TemporaryDirectory() as folder:
        fifo = os.path.join(folder, 'fifo')
        os.mkfifo(fifo)
        command = ['sh', '-c', 'read line <%s; echo $line >%s/done' % (fifo, folder)]
        with Leaks(TENDRIL, '--json', '--', *command) as leaks:
            writer = until('the command has begun', lambda: os.open(
                fifo, os.O_WRONLY | os.O_NONBLOCK))
            leaks.process.kill()
            leaks.process.wait()
        os.write(writer, b'yes\n')
        os.close(writer)
        until('the command has ended', lambda: os.path.exists(folder + '/done'))


def refused(code, out, err, *parts):
    assert code == 3, 'status %d: %s' % (code, err)
    assert err.startswith('tendril: ') and err.count('\n') == 1, 'not one line: %r' % err
    assert out == '' or json.loads(out)['error'], out
    assert any(part in err for part in parts), '%r says none of %r' % (err, parts)


def nobody_can_run_it():
    done = subprocess.run(['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups',
                           TENDRIL, '--version'], capture_output=True, check=False)
    if done.returncode != 0:
        raise Skip('nobody may not run ' + TENDRIL)


def run_as(wrapper, *args):
    done = subprocess.run(wrapper + [TENDRIL, 'leaks'] + [str(a) for a in args], check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    return done.returncode, done.stdout, done.stderr


def test_without_a_capability_it_says_which():
    can_leak()
    wrapper = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all']
    with steps() as target:
        target.hear('begin')
        refused(*run_as(wrapper, '--json', '--duration', '1', target.pid), 'CAP_')
        target.say('\nq')
        target.hear('ready')


def test_ordinary_user_is_told_what_was_used_instead():
    """Own processes can be traced: slower, and so the report says."""
    can_leak()
    nobody_can_run_it()
    wrapper = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
    with Target(*wrapper, program('plant'), 'steps', 'leak', 'wait') as target:
        target.hear('begin')
        code, out, err = run_as(wrapper, '--json', '--duration', '0.5', target.pid)
        assert code == 0, err
        assert Report(code, out, err).document['source'] == 'ptrace', out
        assert state_of(target.pid) not in 'Tt' and tracer_of(target.pid) == 0
        target.say('\nq')
        target.hear('ready')


def test_little_memory_for_us():
    """However little: a report, or one line; with what we could not get, never a signal."""
    can_leak()
    reports = 0
    for megabytes in list(range(8, 128, 8)) + [160, 256]:
        code, out, err = run_as(['prlimit', '--as=%d' % (megabytes << 20), '--'], '--json', '--',
                                program('plant'), 'deep', 'leak')
        if code == 127:
            continue  # the loader itself
        if code == -signal.SIGABRT and 'dynamicsizehash' in err:
            continue  # elfutils' own way
        assert code in (0, 1, 3), (megabytes, code, err)
        if code == 3:
            refused(code, out, err, 'memory', 'allocate', 'thread')
        reports += code == 1
    assert reports > 0


def test_too_few_descriptors_for_us():
    """The limit is what is named, not the kernel."""
    can_leak()
    for limit in (12, 30):
        code, out, err = run_as(['prlimit', '--nofile=%d' % limit], '--json', '-a', '-d', '0.1')
        refused(code, out, err, 'ulimit -n')


def test_few_descriptors_are_enough():
    """64, for us and for COMMAND."""
    can_leak()
    code, out, err = run_as(['prlimit', '--nofile=64:64'], '--json', '--', program('plant'),
                            'in_loaded', 'leak')
    report = Report(code, out, err)
    assert report.document['source'] == 'bpf', report.text
    check_sites(report, CATALOG['in_loaded'])


def test_target_that_is_traced_by_another():
    """BPF needs no tracing; where it is asked for, it says that somebody else is there."""
    can_leak()
    gdb = shutil.which('gdb')
    if not gdb:
        raise Skip('gdb is not installed')
    with steps() as target:
        target.hear('begin')
        target.say()
        # gdb lets it go when its input ends.
        with subprocess.Popen([gdb, '-nx', '-q', '-ex', 'set non-stop on', '-ex', 'attach %d&' % target.pid],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as debugger:
            try:
                until('gdb is there', lambda: tracer_of(target.pid) == debugger.pid)
                refused(*run_leaks(TENDRIL, '--json', '--ptrace', target.pid), 'traced already')
                with Leaks(TENDRIL, '--json', target.pid) as leaks:
                    leaks.wait_until_watching()
                    target.step('a', 3)
                    report = leaks.end()
                assert tracer_of(target.pid) == debugger.pid
            finally:
                debugger.kill()
        assert count_of(report, 'step_a') == 3 and report.document['source'] == 'bpf', report.show()


def test_no_such_process():
    can_leak()
    process = subprocess.Popen(['true'])
    process.wait()
    refused(*run_leaks(TENDRIL, '--json', process.pid), 'process')


def test_command_that_is_not_there():
    can_leak()
    code, out, err = run_leaks(TENDRIL, '--json', '--', '/nowhere/at-all')
    refused(code, out, err, '/nowhere/at-all')


HOSTILE = 'evil\n\x1b[31m"\\\xff'


def test_hostile_names_are_escaped():
    """The program's name, its path, and what its handles are called."""
    can_leak()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(os.fsencode(folder), HOSTILE.encode('latin-1'))
        os.mkdir(path)
        for name in ('plant', 'libplant.so', 'libplant_stripped.so', 'plant_module.so'):
            shutil.copy(os.fsencode(program(name)), path)
        hostile = os.path.join(path, b'\x1b]0;title\x07\n')
        os.rename(os.path.join(path, b'plant'), hostile)
        command = [TENDRIL, 'leaks', '--', hostile, 'memfd', 'leak']
        text = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False,
                              timeout=SECONDS)
        assert text.returncode == 1, text.stderr
        for stream in (text.stdout, text.stderr):
            assert not re.search(rb'[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]', re.sub(
                rb'[\xc2-\xf4][\x80-\xbf]+', b'', stream)), stream
        command[2:2] = ['--json']
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False,
                              timeout=SECONDS)
        report = Report(done.returncode, done.stdout.decode('utf-8'), done.stderr.decode('utf-8'))
        check_sites(report, CATALOG['memfd'])
        # JSON has a way to say each character.
        assert '\x1b[31m' in report.sites()[0]['example']['what'], report.text


def test_command_keeps_its_exit_and_its_output():
    can_leak()
    code, out, err = run_leaks(TENDRIL, '--', 'sh', '-c', 'echo hello; exit 7')
    assert 'hello\n' in out, (out, err)
    assert code == 0, 'status %d: a command that fails is no leak' % code


UNSHARING = '''
import ctypes, os, threading
def work():
    assert ctypes.CDLL(None).unshare(0x400) == 0
    os.open('/dev/zero', 0)
for i in range(20):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
'''


def test_what_a_thread_had_for_itself_ends_with_it():
    """unshare(CLONE_FILES): its table is closed when it ends, and the process goes on."""
    can_leak()
    code, out, err = run_leaks(TENDRIL, '--json', '--', sys.executable, '-c', UNSHARING)
    report = Report(code, out, err)
    assert '/dev/zero' not in report.text, report.text
    assert code == 0 and json.loads(out)['handles'] < 20, report.text


def test_threads_that_end_together():
    """Of a process whose threads end on two processors at once, the end is told, and once."""
    can_leak()
    if len(os.sched_getaffinity(0)) < 2:
        raise Skip('takes two processors')
    n = 200
    code, out, err = run_leaks(TENDRIL, '-f', '--json', '--', program('ending'), str(n))
    report = Report(code, out, err)
    leaks = [site for site in report.document['sites'] if site['leak']]
    assert [site['count'] for site in leaks] == [n], report.text
    assert leaks[0]['stack'][leaks[0]['look_at']]['function'] == 'work', report.text
    assert leaks[0]['kinds'] == {'device': n}, report.text
    assert all(p['ended'] for p in report.processes), report.text


def test_a_thread_that_executes_has_the_first_ones_number():
    can_leak()
    code, out, err = run_leaks(TENDRIL, '--json', '--', program('plant'), 'thread_exec', 'leak')
    report = Report(code, out, err)
    execed = [s for s in report.sites()
              if any(f.get('function') == 'plant_thread_execed' for f in s['stack'])]
    assert [s['tid'] for s in execed] == [report.document['pid']], report.text


# The first thread waits in a call that would return a handle, and never returns.
EXECUTING = '''
import os, sys, threading
def work():
    while open('/proc/%d/syscall' % os.getpid()).read().split()[0] != '257':
        pass
    os.execv('/bin/true', ['true'])
threading.Thread(target=work).start()
os.open(sys.argv[1], os.O_RDONLY)
'''


def test_call_that_execve_ended_opened_nothing():
    can_leak()
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(folder + '/fifo')
        for options in ([], ['--ptrace']):
            code, out, err = run_leaks(TENDRIL, '--json', *options, '--', sys.executable, '-c',
                                       EXECUTING, folder + '/fifo')
            report = Report(code, out, err)
            assert not report.sites() and report.document['leaks'] == 0, report.text


def with_events(words, tendril_waits, work):
    """(report, PID of the one that stays) of program events; tendril_waits: stopped meanwhile."""
    can_leak()
    with Target(program('events'), *words) as target:
        target.hear('begin')
        stays = 0
        try:
            with Leaks(TENDRIL, '--json', '-f', target.pid) as leaks:
                leaks.wait_until_watching()
                if tendril_waits:
                    leaks.process.send_signal(signal.SIGSTOP)
                    until('tendril is stopped', lambda: state_of(leaks.process.pid) == 'T')
                target.say()
                stays = int(target.hear_word('ready'))
                work(target)
                if tendril_waits:
                    leaks.process.send_signal(signal.SIGCONT)
                report = leaks.end()
        finally:
            if stays:
                os.kill(stays, signal.SIGKILL)
        target.say()
    assert report.document['source'] == 'bpf', report.text
    return report, target.pid, stays


def three_of(report, pid):
    return [s for s in report.sites(pid) if any(f['function'] == 'open_three' for f in s.get('stack', []))]


def test_events_that_were_lost_are_told_and_made_good():
    """More than the kernel keeps for us: no process is missing, and none stays that has ended."""
    report, pid, stays = with_events(['storm', '25000'], True, lambda target: None)
    assert report.lost() > 0, report.text[:300]
    alive = {p['pid'] for p in report.processes if not p['ended']}
    assert alive == {pid, stays}, alive
    sites = three_of(report, stays)
    assert sum(s['count'] for s in sites) == 3, report.show()
    assert all(s['uncertain'] == s['count'] for s in sites), sites


def test_number_of_a_process_that_has_ended_is_used_again():
    """Before we have heard of the end: the two are not taken for one."""
    report, pid, stays = with_events(['same-number'], True, lambda target: None)
    assert [p['ended'] for p in report.processes if p['pid'] == stays] == [True, False], report.text
    assert sum(s['count'] for s in three_of(report, stays)) == 3, report.show()
    assert report.lost() == 0, report.text
    assert {p['pid'] for p in report.processes} == {pid, stays}, report.text


def test_forks_while_other_threads_open_and_close():
    """The copies that are made of what is known then do not take away what others use."""
    report, pid, _ = with_events(['forks', '2000'], False, lambda target: None)
    assert report.lost() == 0, report.text[:300]
    sites = report.sites(pid)
    assert [s['count'] for s in sites] == [3] and three_of(report, pid) == sites, report.show()
    assert sites[0]['uncertain'] == 0, report.show()
    assert report.of(pid)['opened'] == report.of(pid)['closed'] + 3, report.text[:300]


def test_threads_in_a_storm_by_ptrace():
    can_leak()
    with Target(program('events'), 'threads', '2000') as target:
        target.hear('begin')
        with Leaks(TENDRIL, '--json', '--ptrace', target.pid) as leaks:
            until('it is traced', lambda: tracer_of(target.pid))
            target.say()
            target.hear_word('ready')
            report = leaks.end()
        target.say()
        assert target.process.wait(SECONDS) == 0
    assert report.document['source'] == 'ptrace' and report.lost() == 0, report.text[:300]
    sites = report.sites()
    assert [s['count'] for s in sites] == [3] and three_of(report, target.pid) == sites, report.show()
    # malloc(3) opens some, too.
    assert report.document['opened'] == report.document['closed'] + 3 >= 2003, report.text[:300]


def test_target_goes_on_when_its_tracer_is_killed():
    """At moments all over the start, and while threads come and go."""
    can_leak()
    with Target(program('events'), 'threads', '40000') as target:
        target.hear('begin')
        target.say()
        for i in range(KILLS):
            with Leaks(TENDRIL, '--json', '--ptrace', target.pid) as leaks:
                try:
                    leaks.process.wait(i * 0.01)
                except subprocess.TimeoutExpired:
                    pass
                leaks.process.kill()
        target.hear_word('ready')
        until('nobody traces it', lambda: tracer_of(target.pid) == 0)
        until('it waits', lambda: state_of(target.pid) == 'S')
        target.say()
        assert target.process.wait(SECONDS) == 0


def first_ends(target):
    target.say()
    target.hear('over')


def test_table_outlives_the_process_that_made_it():
    """clone(CLONE_FILES): what was opened stays known, and is the other's."""
    report, _, stays = with_events(['sharing'], False, first_ends)
    assert sum(s['count'] for s in three_of(report, stays)) == 6, report.show()
    assert all(s['origin'] == 'opened' for s in three_of(report, stays)), report.show()


WITHOUT_FIRST = '''
import ctypes, os, threading, time
def work():
    while open('/proc/self/stat').read().split(')')[1].split()[0] != 'Z':
        time.sleep(0.01)
    print('begin', flush=True)
    for i in range(10000):
        os.open('/dev/zero', 0)
        time.sleep(0.05)
threading.Thread(target=work).start()
ctypes.CDLL(None).syscall(60, 0)
'''


def without_first_thread(*options):
    can_leak()
    with subprocess.Popen([sys.executable, '-c', WITHOUT_FIRST], stdout=subprocess.PIPE) as target:
        try:
            assert target.stdout.readline() == b'begin\n'
            code, out, err = run_leaks(TENDRIL, '--json', '-d', '3', '-o', '0', *options,
                                       str(target.pid))
        finally:
            target.kill()
    report = Report(code, out, err)
    # Python comes to open() by another way once it has seen that code often.
    assert report.document['sites'][0]['leak'], report.text
    assert report.document['leaked'] > 5, report.text


def test_without_first_thread():
    """It has ended, and /proc/PID/fd is empty; the others go on."""
    without_first_thread()


def test_without_first_thread_by_ptrace():
    without_first_thread('--ptrace')


# --- all together -------------------------------------------------------------------------------

def cases():
    for build in ['plant', 'plant_cxx'] + BUILDS:
        try:
            names = plants_of(build)
        except Skip as why:
            yield build, functools.partial(skip, str(why))
            continue
        if build in BUILDS and not FULL:
            names = [n for n in names if n in SELECTED]
        command = [program(build)]
        for name in names:
            yield '%s_%s_is_honest' % (build, name), functools.partial(is_honest, command, name)
        forms = (attached, started) if build not in BUILDS or FULL else (attached,)
        for name, run in itertools.product(names, forms):
            yield '%s_%s_%s' % (build, name, run.__name__), \
                functools.partial(find, command, name, run)
    for name, build in (('rust', 'plant_rust'), ('go', 'plant_go')):
        yield name + '_is_honest', functools.partial(with_program, is_honest, build, name)
        for run in (attached, started):
            yield '%s_%s' % (name, run.__name__), functools.partial(with_program, find, build, name, run)
    for run in (attached, started):
        yield 'python_' + run.__name__, functools.partial(python_leak, run)
    for name in VALGRIND_KNOWS:
        yield 'valgrind_agrees_about_' + name, functools.partial(marks_are_right, name)
    for name, function in list(globals().items()):
        if name.startswith('test_'):
            yield name[len('test_'):], function


def with_program(check, build, *args):
    check([program(build)], *args)


def skip(why):
    raise Skip(why)


def main():
    wanted = [re.compile(pattern) for pattern in ONLY]
    return run_tests([(name, function) for name, function in cases()
                      if not wanted or any(w.fullmatch(name) for w in wanted)])


if __name__ == '__main__':
    sys.exit(main())
