#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_faults.py TENDRIL [NAME...] - tendril faults finds what is planted, and nothing else

Prints TAP.  The programs in tests/targets/faults/ have a function each that keeps what it opened
when a later step fails, and a repaired form of it.  First strace(1) says that they do: it makes each
call of theirs fail.  Then `tendril faults` has to find it, with the line.
"""
import functools
import itertools
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from faults_support import (FaultsReport, Outcome, check_clean, check_plant, inject_each_alloc,
                            inject_each_call, is_of, read_catalog, run_faults)
from leaks_support import SECONDS, Skip, is_function, own_frame, run_tests, until

TENDRIL = os.path.abspath(sys.argv[1])
ONLY = sys.argv[2:]
PLANTS = os.path.join(os.environ.get('TENDRIL_TARGETS') or os.path.join(
    os.path.dirname(TENDRIL), '../../tests/targets'), 'faults')
CATALOG = read_catalog()
# One process can't stand for them: the command is run again for each case.
SHARED = ['beside_threads', 'from_shared_socket', 'from_shared_position', 'behind_filter']
# Other ways of building: a stack each that is told without lines, and without a dynamic linker.
IN_OTHER_BUILDS = ['early_return', 'callee_two_down', 'opendir_left', 'returns_bool', 'thread_left']
MARKER = 'TENDRIL_TEST_FAULTS'


def program(form, plant=None):
    name = form if form == 'faults_clean' or not plant or CATALOG[plant].source != 'cxx.cc' \
        else form + '_cxx'
    path = os.path.join(PLANTS, name)
    if not os.path.exists(path):
        raise Skip('%s is not built here' % name)
    return path


def has_command():
    done = subprocess.run([TENDRIL, 'faults', '--help'], capture_output=True, check=False)
    return done.returncode == 0


CAN = {'command': has_command()}


def can_explore():
    if not CAN['command']:
        raise Skip('this build has no `tendril faults`')


class Place:
    """A directory of its own for what a run writes, and a word by which its processes are known."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = self.folder.name
        self.word = '%s=%s' % (MARKER, os.path.basename(self.path))
        # Locale and time zone as they are: what is told does not depend on them.
        self.environment = {**os.environ, 'TMPDIR': self.path, MARKER: os.path.basename(self.path),
                            'LD_LIBRARY_PATH': PLANTS}

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.folder.cleanup()

    def processes(self):
        """{pid: (when it began, parent)} of those that the run has started."""
        found = {}
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open('/proc/%s/environ' % pid, 'rb') as file:
                    ours = self.word.encode() in file.read().split(b'\0')
                with open('/proc/%s/stat' % pid, 'rb') as file:
                    fields = file.read().rpartition(b')')[2].split()
            except OSError:
                continue
            if ours and fields[0] not in (b'Z', b'X'):
                found[int(pid)] = int(fields[19]), int(fields[1])
        return found


def explore(*args, place=None, **options):
    can_explore()
    if place:
        return FaultsReport(*run_faults(TENDRIL, '--json', *args, env=place.environment, **options))
    with Place() as own:
        return explore(*args, place=own, **options)


def explore_plant(form, plant, *options, place=None, **more):
    return explore(*CATALOG[plant].options, *options, '-f', CATALOG[plant].function, '--',
                   program(form, plant), plant, place=place, **more)


# --- the plants do what they say ------------------------------------------------------------------

def outcomes(form, plant):
    """Yields (call, Outcome) of each step's failing, by the word of others than us."""
    if not shutil.which('strace'):
        raise Skip('strace is not installed')
    with Place() as place:
        yield from inject_each_call(program(form, plant.name), plant, place.environment)
        if '--alloc' in plant.options:
            yield from inject_each_alloc(program(form, plant.name), plant,
                                         os.path.join(PLANTS, 'failing_alloc.so'), place.environment)


def counted(plant):
    """What the plant's program counts of the marked kinds: mappings vary by themselves."""
    kinds = {kind for mark in plant.marks for kind in mark.wanted}
    return [kind for kind in ('handle', 'thread', 'process', 'mapping')
            if kind != 'mapping' or kind in kinds]


def leads_to_something(form, plant):
    """{call: is the function made all the same}"""
    found = {}
    for call, outcome in outcomes(form, plant):
        # Without its word it has not come to the end; that is no evidence.
        if outcome.left and any(outcome.left[kind] > 0 for kind in counted(plant)):
            found[call] = outcome.made
    return found


def is_honest(name):
    plant = CATALOG[name]
    found = leads_to_something('faulty', plant)
    assert found, 'it leaves nothing, whatever fails'
    if plant.when is not None:
        assert set(found) == set(plant.when), 'it leaves something when %s fail, and %s are marked' % (
            sorted(found), sorted(plant.when))
    assert set(found.values()) == {plant.verdict == 'succeeded'}, 'does it fail?  %r' % found
    found = leads_to_something('repaired', plant)
    assert not found, 'the repaired form leaves something when %s fails' % sorted(found)


def works_by_itself(form, name):
    with Place() as place:
        run = Outcome(program(form, name), name, [], env=place.environment)
    assert run.made and run.run.returncode == 0, run.run


# --- each plant -----------------------------------------------------------------------------------

def find(name):
    check_plant(explore_plant('faulty', name), CATALOG[name])


def find_nothing(form, name):
    check_clean(explore_plant(form, name))


def is_run_again(name):
    """For each case; and the program itself gets all that it should."""
    report = explore_plant('faulty', name)
    check_plant(report, CATALOG[name])
    told = [f for f in report.document['functions'] if is_function(f, name)]
    assert told and told[0]['rerun'] and told[0]['why'], report.text
    assert report.document['exit_status'] == 0, report.text
    assert '%s: made\n' % name in report.command_said, report.command_said
    check_clean(explore_plant('repaired', name))


def find_with_rerun(name):
    """The other way gives the same."""
    report = explore_plant('faulty', name, '--rerun')
    assert all(f['rerun'] for f in report.document['functions']), report.text
    check_plant(report, CATALOG[name])


def find_in_build(build, name):
    plant = CATALOG[name]
    with Place() as place:
        report = explore('-f', name, '--', program('faulty_' + build), name, place=place)
        assert report.code == 1 and report.leaks, report.show()
        for left in (left for leak in report.leaks for left in leak['left']):
            assert left['kind'] in [kind for mark in plant.marks for kind in mark.kinds], report.show()
            if build == 'stripped':
                assert not own_frame(left, plant.source), report.show()
                assert any(is_function(f, name) for f in left['stack']), report.show()
            else:
                assert any(is_of(left, mark) for mark in plant.marks), report.show()
        check_clean(explore('-f', name, '--', program('repaired_' + build), name, place=place))


# --- what it tells, and how it is used --------------------------------------------------------------

def faulty(plant, *args, place=None, form='faulty'):
    return explore(*args, '--', program(form, plant), plant, place=place)


def functions_with_leaks(report):
    return {leak['function'].split('(')[0] for leak in report.leaks}


def test_document_has_what_was_agreed():
    report = faulty('early_return', '-f', 'early_return')
    told = report.document
    assert 'early_return' in str(told['function']), told
    assert told['calls'] == 1 and told['cases'] > 2 and told['seconds'] > 0, told
    assert told['exit_status'] == 0 and told['complete'], told
    leak = told['leaks'][0]
    assert leak['failed']['syscall'] == 'read' and re.fullmatch('E[A-Z]+', leak['failed']['errno']), leak
    assert own_frame(leak['failed'], 'files.c')['function'] == 'early_return', leak
    assert leak['returned'] == '-5' and leak['left'][0]['what'] == '/etc/passwd', leak
    assert leak['left'][0]['handle'] >= 3 and leak['replay'], leak


def test_own_output_is_there_once():
    """The copies' is nowhere, and the result is the program's own."""
    with Place() as place:
        program_alone = subprocess.run([program('faulty'), 'early_return'], capture_output=True,
                                       text=True, check=True, env=place.environment).stdout
        report = faulty('early_return', '-f', 'early_return', place=place)
        _, text, _ = run_faults(TENDRIL, '-f', 'early_return', '--', program('faulty'), 'early_return')
    assert report.command_said == program_alone == 'early_return: made\n', report.text
    assert text.startswith(program_alone) and text.count(program_alone) == 1, text


def test_exit_status_of_the_command_is_told():
    """It is not taken over."""
    report = explore('-f', 'early_return', '--', program('faulty'), 'no', 'such', 'plant')
    assert report.document['exit_status'] == 2 and report.document['calls'] == 0, report.text
    assert report.code == 3, report.code  # nothing was explored


def test_exit_status():
    can_explore()
    assert faulty('early_return', '-f', 'early_return').code == 1
    assert faulty('early_return', '-f', 'early_return', form='repaired').code == 0
    for status, args in ((2, ['-f', 'main']), (2, ['--nonsense', '--', 'true']), (2, ['-f', 'main', '--']),
                         (3, ['-f', 'main', '--', '/nonexistent/command']),
                         (3, ['-f', 'no_function_is_called_so', '--', program('faulty'), 'early_return'])):
        code, out, err = run_faults(TENDRIL, *args)
        assert code == status, '%r: %d, %s%s' % (args, code, out, err)
        assert len(err.strip().splitlines()) == 1, '%r: %s' % (args, err)


def test_function_that_is_not_there_is_named():
    can_explore()
    _, _, err = run_faults(TENDRIL, '-f', 'early_retrun', '--', program('faulty'), 'early_return')
    assert 'early_retrun' in err and 'early_return' in err, err


def test_glob():
    report = faulty('struct_freed', '-f', 'struct_*')
    assert functions_with_leaks(report) == {'struct_freed'}, report.show()
    # Those that it matches and that are clean are clean.
    report = faulty('library_function', '-f', 'library_*')
    assert functions_with_leaks(report) == {'library_opens'}, report.show()


def test_several_functions():
    report = faulty('callee_two_down', '-f', 'callee_two_down', '-f', 'open_and_look',
                    '-f', 'open_innermost')
    assert {'callee_two_down', 'open_and_look'} <= {
        f['function'] for f in report.document['functions'] if f['explored']}, report.text
    assert functions_with_leaks(report) <= {'callee_two_down', 'open_and_look'}, report.show()
    assert report.leaks, report.text


def test_function_of_a_library_by_name():
    check_plant(explore('-f', 'libplant_faulty!library_opens', '--', program('faulty'),
                        'library_function'), CATALOG['library_function'])


def test_all_functions_of_a_library():
    report = faulty('library_function', '--library', 'libplant_faulty.so')
    check_plant(report, CATALOG['library_function'])
    assert {f['function'] for f in report.document['functions']} >= {'library_opens'}, report.text


def test_whole_program():
    """From main() to its end; what it leaves then ends with it."""
    report = explore('--main', '--', program('faulty'), 'early_return')
    assert report.document['calls'] == 1 and report.document['cases'] > 2, report.text
    assert report.document['functions'][0]['function'] == 'main', report.text


def test_replay_shows_the_same_case():
    report = faulty('closes_wrong_one', '-f', 'closes_wrong_one')
    leak = report.leaks[0]
    words = shlex.split(leak['replay'])
    at = words.index('faults')
    with Place() as place:
        again = FaultsReport(*run_faults(TENDRIL, '--json', *words[at + 1:], env=place.environment))
        text = run_faults(TENDRIL, *words[at + 1:], env=place.environment)
    assert len(again.leaks) == 1 and again.code == 1, again.show()
    for key in ('function', 'returned'):
        assert again.leaks[0][key] == leak[key], again.show()
    for key in ('syscall', 'errno'):
        assert again.leaks[0]['failed'][key] == leak['failed'][key], again.show()
    assert [l['what'] for l in again.leaks[0]['left']] == [l['what'] for l in leak['left']], again.show()
    assert text[0] == 1 and leak['failed']['errno'] in text[1], text


def test_replay_that_does_not_fit():
    can_explore()
    for case in ('early_return#1/flock@2=EIO', 'early_return#9/read@2=EIO', 'wrong_label#1/read@2=EIO', 'x'):
        code, out, err = run_faults(TENDRIL, '-f', 'early_return', '--replay', case, '--',
                                    program('faulty'), 'early_return')
        assert code in (2, 3), '%s: %d: %s' % (case, code, out)
        assert len(err.strip().splitlines()) == 1, err


def test_fails_when_decides():
    """What is positive is no failure then, and what is kept no leak."""
    check_clean(faulty('returns_errno', '-f', 'returns_errno', '--fails-when', 'ret<0'))
    check_plant(faulty('returns_errno', '-f', 'returns_errno', '--fails-when', 'ret!=0'),
                CATALOG['returns_errno'])


def test_what_is_cached_or_deferred_is_told_apart():
    for plant, verdicts in (('cache_at_first_call', {'cached'}),
                            ('closed_with_request', {'deferred', 'handed'})):
        report = explore('--all-findings', '-f', plant, '--', program('faults_clean'), plant)
        check_clean(report)
        told = {f['verdict'] for f in report.document['kept']}
        assert told & verdicts, '%s: %s' % (plant, report.show())


def test_child_is_not_confused_with_the_command():
    """What a child of the command calls is explored in the child."""
    report = faulty('in_child', '-f', 'in_child')
    check_plant(report, CATALOG['in_child'])
    assert report.command_said == 'in_child: made\n' and report.document['exit_status'] == 0, report.text


def test_a_shell_that_starts_the_program():
    with Place() as place:
        script = '%s early_return; exit 7' % shlex.quote(program('faulty'))
        report = explore('-f', 'early_return', '--', '/bin/sh', '-c', script, place=place)
    check_plant(report, CATALOG['early_return'])
    assert report.document['exit_status'] == 7, report.text


def test_programs_side_by_side():
    script = ' & '.join('%s %s' % (shlex.quote(program('faulty')), name)
                        for name in ('early_return', 'wrong_label', 'early_return')) + ' & wait'
    report = explore('-f', 'early_return', '-f', 'wrong_label', '--', '/bin/sh', '-c', script)
    assert functions_with_leaks(report) == {'early_return', 'wrong_label'}, report.show()
    assert report.document['calls'] == 3, report.text
    assert sorted(report.command_said.split('\n'))[1:] == [
        'early_return: made', 'early_return: made', 'wrong_label: made'], report.command_said


def test_ordinary_user():
    can_explore()
    if os.geteuid() != 0 or not shutil.which('setpriv'):
        raise Skip('only root can become another user')
    user = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    command = [program('faulty'), 'early_return']
    if subprocess.run(user + command, capture_output=True, check=False).returncode != 0:
        raise Skip('an ordinary user may not read the programs here')
    run = subprocess.run(user + [TENDRIL, 'faults', '--json', '-f', 'early_return', '--'] + command,
                         capture_output=True, text=True, timeout=SECONDS, check=False)
    check_plant(FaultsReport(run.returncode, run.stdout, run.stderr), CATALOG['early_return'])


CALLS_LIBRARY = '''
import ctypes, os, sys
library = ctypes.CDLL(sys.argv[1])
fd = library.library_opens(b'/etc/passwd')
assert fd >= 0
os.close(fd)
print('made')
'''


def test_python_that_loads_a_library():
    """The function is there only after dlopen(3)."""
    report = explore('-f', 'library_opens', '--', sys.executable, '-c', CALLS_LIBRARY,
                     os.path.join(PLANTS, 'libplant_faulty.so'))
    check_plant(report, CATALOG['library_function'])
    assert report.command_said == 'made\n', report.text


def test_python_that_calls_libc():
    report = explore('-f', 'libc!opendir', '--', sys.executable, '-c', 'import os; os.listdir("/")')
    check_clean(report)
    assert report.document['calls'] >= 1 and report.document['cases'] >= 3, report.text


# --- what stays behind ----------------------------------------------------------------------------

def no_process_stays(place, seconds=SECONDS):
    until('all processes have ended', lambda: not place.processes(), seconds)


def stays_nothing(name):
    """But for a file that the program makes and is kept from unlinking: unlink(2) fails, too."""
    with Place() as place:
        explore_plant('faulty', name, place=place)
        no_process_stays(place, 5)
        files = os.listdir(place.path)
    assert all(file.startswith(name + '.') for file in files), files


def test_sandbox_keeps_files_in():
    """Also what is not unlinked."""
    name = 'mkstemp_left'
    can_explore()
    with Place() as place:
        code, out, err = run_faults(TENDRIL, '--json', '--sandbox', '-f', name, '--', program('faulty'), name,
                                    env=place.environment)
        if code == 3 and 'sandbox' in err:
            raise Skip(err.strip())
        check_plant(FaultsReport(code, out, err), CATALOG[name])
        assert not os.listdir(place.path), os.listdir(place.path)


class Exploration:
    """`tendril faults` at a function that takes long."""

    def __init__(self, place):
        can_explore()
        self.place = place
        self.process = subprocess.Popen(
            [TENDRIL, 'faults', '--json', '-f', 'many_steps', '--', program('faults_clean'), 'many_steps'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=place.environment)

    def __enter__(self):
        # The command, what goes through the function, and a copy of that.
        until('it explores', lambda: len(self.place.processes()) >= 4)
        return self

    def command(self):
        """The program itself: the oldest but for `tendril faults`, its parent."""
        return min((begun, pid) for pid, (begun, parent) in self.place.processes().items()
                   if parent == self.process.pid)[1]

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        for pid in self.place.processes():
            os.kill(pid, signal.SIGKILL)


def test_command_is_killed_meanwhile():
    """That is an outcome."""
    with Place() as place, Exploration(place) as exploration:
        os.kill(exploration.command(), signal.SIGKILL)
        out, err = exploration.process.communicate(timeout=SECONDS)
        report = FaultsReport(exploration.process.returncode, out.decode(), err.decode())
        assert report.code in (0, 3), (report.code, report.err)
        no_process_stays(place, 5)


def test_killed_itself():
    """All copies end with it."""
    with Place() as place, Exploration(place) as exploration:
        exploration.process.kill()
        exploration.process.wait()
        no_process_stays(place, 10)


def test_interrupted():
    """^C gives what has been found until then."""
    with Place() as place, Exploration(place) as exploration:
        exploration.process.send_signal(signal.SIGINT)
        out, err = exploration.process.communicate(timeout=SECONDS)
        report = FaultsReport(exploration.process.returncode, out.decode(), err.decode())
        assert report.code == 0 and not report.document['complete'], report.text
        assert report.document['cases'] > 0, report.text
        no_process_stays(place, 5)


def test_time_limit():
    begin = time.monotonic()
    with Place() as place:
        report = explore('--time-limit', '1', '-f', 'many_steps', '--', program('faults_clean'),
                         'many_steps', place=place)
        no_process_stays(place, 5)
    assert not report.document['complete'], report.text
    assert time.monotonic() - begin < SECONDS


def test_time_limit_of_a_sleeper():
    """Also while nothing happens; and that it was ended is not told as an end of its own."""
    with Place() as place:
        script = '%s early_return; exec sleep 1000' % shlex.quote(program('faulty'))
        report = explore('--time-limit', '2', '-f', 'early_return', '--', '/bin/sh', '-c', script,
                         place=place)
        no_process_stays(place, 5)
    check_plant(report, CATALOG['early_return'])
    assert not report.document['complete'] and report.document['exit_status'] is None, report.text


# --- all together -------------------------------------------------------------------------------

def cases():
    planted = [name for name, plant in CATALOG.items() if plant.marks]
    clean = [name for name, plant in CATALOG.items() if plant.source == 'clean.c' and name != 'many_steps']
    for name in planted:
        yield name + '_is_honest', functools.partial(is_honest, name)
    for form, name in itertools.chain(itertools.product(('faulty', 'repaired'), planted),
                                      itertools.product(['faults_clean'], clean)):
        yield '%s_%s_works' % (form, name), functools.partial(works_by_itself, form, name)
    for name in planted:
        if name in SHARED:
            yield name + '_is_run_again', functools.partial(is_run_again, name)
            continue
        yield name + '_found', functools.partial(find, name)
        yield name + '_repaired', functools.partial(find_nothing, 'repaired', name)
    for name in clean:
        yield name + '_clean', functools.partial(find_nothing, 'faults_clean', name)
    for name in ('early_return', 'callee_two_down', 'recursion', 'epoll_left'):
        yield name + '_with_rerun', functools.partial(find_with_rerun, name)
    for build, name in itertools.product(('stripped', 'static'), IN_OTHER_BUILDS):
        yield '%s_%s' % (build, name), functools.partial(find_in_build, build, name)
    for name in ('mkstemp_left', 'early_return', 'process_left', 'popen_left', 'thread_left'):
        yield name + '_stays_nothing', functools.partial(stays_nothing, name)
    for name, function in list(globals().items()):
        if name.startswith('test_'):
            yield name[len('test_'):], function


def main():
    wanted = [re.compile(pattern) for pattern in ONLY]
    return run_tests([(name, function) for name, function in cases()
                      if not wanted or any(w.fullmatch(name) for w in wanted)])


if __name__ == '__main__':
    sys.exit(main())
