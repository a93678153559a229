#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_faults_cmd.py TENDRIL [NAME...] - `tendril faults` from outside, on an engine that makes things up

TENDRIL is tests/fake_faults.c.  Prints TAP.
"""
import json
import os
import select
import signal
import stat
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

from cmd_support import (SECONDS, Result, Terminal, contains, main, refused, same, shown_lines, test)

TENDRIL = os.path.abspath(sys.argv[1])
ONLY = sys.argv[2:]
CASE = 'read_config#1/fstat@3=EIO'


def environment(scenario=None, **more):
    env = {k: v for k, v in os.environ.items() if k not in ('DEBUGINFOD_URLS', 'NO_COLOR')}
    if scenario:
        env['FAKE_FAULTS'] = scenario
    env.update(more)
    return env


def faults(*args, scenario=None, stdout=subprocess.PIPE, **more):
    done = subprocess.run([TENDRIL, 'faults'] + [str(a) for a in args], stdin=subprocess.DEVNULL,
                          stdout=stdout, stderr=subprocess.PIPE, timeout=SECONDS, check=False,
                          env=environment(scenario, **more))
    return Result(done.returncode, done.stdout or b'', done.stderr)


def bad_usage(part, *args, **more):
    result = faults(*args, **more)
    refused(result, 2, part)
    contains(result.err, '--help')
    same(result.out, '')


def asked(*args, **more):
    """What the engine was asked for, as {name: [values]}."""
    result = faults(*args, scenario='clean', FAKE_TELL='1', **more)
    same(result.code, 0)
    line = [line for line in result.err.splitlines() if line.startswith('asked: ')]
    same(len(line), 1)
    found = {}
    for pair in line[0].split(' ')[1:]:
        name, _, value = pair.partition('=')
        found.setdefault(name, []).append(value)
    return found


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


# Usage

@test
def mistakes_are_named():
    bad_usage('which command?')
    bad_usage('which command?', '-f', 'open_config')
    bad_usage('which command?', '-f', 'open_config', '--')
    bad_usage('name of the command is empty', '--', '')
    bad_usage('the command stands behind --: -- ./server', '-f', 'open_config', './server')
    bad_usage('name of the function is empty', '-f', '', '--', 'true')
    bad_usage('name of the library is empty', '-l', '', '--', 'true')
    bad_usage('either --main or functions', '--main', '-f', 'x', '--', 'true')
    bad_usage("'ret<1'", '--fails-when', 'ret<1', '--', 'true')
    bad_usage("'0' is no number of copies", '--jobs', '0', '--', 'true')
    bad_usage("'1025' is no number of copies: 1 to 1024", '--jobs', '1025', '--', 'true')
    bad_usage("'-1' is no number of copies", '--jobs', '-1', '--', 'true')
    bad_usage("'some' is no number of calls (or 'all')", '--calls', 'some', '--', 'true')
    bad_usage("'99999999999999999999' is no number of leaks", '-n', '9' * 20, '--', 'true')
    bad_usage('an interval of 0 seconds', '--case-timeout', '0', '--', 'true')
    bad_usage("'x' is no number of seconds", '--time-limit', 'x', '--', 'true')
    bad_usage("'5Q' is no size", '--memory', '5Q', '--', 'true')
    bad_usage('at least 16M', '--memory', '15M', '--', 'true')
    bad_usage('file of --suppressions is empty', '-s', '', '--', 'true')
    bad_usage('file of --sarif is empty', '--sarif', '', '--', 'true')
    bad_usage('file of --junit is empty', '--junit=', '--', 'true')
    bad_usage('number of the case is empty', '--replay', '', '--', 'true')
    bad_usage('--debugger needs --replay', '--debugger', '--', 'true')
    bad_usage('name of the debugger is empty', '--replay', '1', '--debugger=', '--', 'true')
    bad_usage('--debugger needs stdout', '--replay', '1', '--debugger', '--json', '--', 'true')
    bad_usage('only one of --json', '--json', '--sarif', '-', '--', 'true')
    bad_usage('only one of --json', '--junit', '-', '--sarif', '-', '--', 'true')
    bad_usage('name the same file', '--junit', 'x', '--sarif', 'x', '--', 'true')
    bad_usage('DEBUGINFOD_URLS', '--debuginfod', '--', 'true')
    bad_usage('did you mean --fails-when', '--failswhen', 'exit', '--', 'true')


@test
def help_names_every_option():
    result = faults('--help')
    same((result.code, result.err), (0, ''))
    for option in ('function', 'library', 'main', 'fails-when', 'alloc', 'pairs', 'rerun',
                   'unlikely', 'jobs', 'calls', 'case-timeout', 'time-limit', 'memory', 'sandbox',
                   'suppressions', 'replay', 'debugger[=PROGRAM]', 'json', 'sarif', 'junit',
                   'all-findings', 'top', 'debuginfod'):
        contains(result.out, '--' + option)
    assert max(len(line) for line in result.out.split('\n')) < 80


@test
def what_is_asked_for_is_done():
    same(asked('--', 'server', '-f', '--json'), {
        'main': ['1'], 'fails': ['0'], 'alloc': ['0'], 'pairs': ['0'], 'rerun': ['0'],
        'unlikely': ['0'], 'jobs': ['0'], 'calls': ['0'], 'case': ['0'], 'total': ['0'],
        'memory': ['0'], 'debuginfod': ['0'], 'suppressed': ['0'],
        'replay': ['none'], 'debug': ['0'], 'word': ['server', '-f', '--json']})
    got = asked('-f', 'a', '--function=lib*!b', '-llibc', '--fails-when', 'ret==0', '-ap',
                '--rerun', '--unlikely', '-j3', '--calls', '5', '--case-timeout', '1.5',
                '--time-limit', '60', '--memory', '2g', '--debuginfod', '--', 'x',
                DEBUGINFOD_URLS='http://localhost')
    same(got, {
        'function': ['a', 'lib*!b'], 'library': ['libc'], 'main': ['0'], 'fails': ['2'],
        'alloc': ['1'], 'pairs': ['1'], 'rerun': ['1'], 'unlikely': ['1'], 'jobs': ['3'],
        'calls': ['5'], 'case': ['1500000000'], 'total': ['60000000000'],
        'memory': [str(2 << 30)], 'debuginfod': ['1'], 'suppressed': ['0'],
        'replay': ['none'], 'debug': ['0'], 'word': ['x']})
    same([asked('--fails-when', rule, '--', 'x')['fails'] for rule in
          ('ret<0', 'ret!=0', 'exit')], [['1'], ['3'], ['4']])
    same(asked('--calls', 'all', '--', 'x')['calls'], [str((1 << 32) - 1)])
    same(asked('--main', '--', 'x')['main'], ['1'])


# Results

@test
def a_leak_is_found():
    result = faults('-f', 'read_config', '--', './server')
    same((result.code, result.err), (1, ''))
    contains(result.out, 'LEAK  read_config keeps a file when fstat fails with EIO\n')
    contains(result.out, '\n        > #1  read_config (src/config.c:42) in server\n')
    contains(result.out,
             "replay     tendril faults -f read_config --replay '%s' -- ./server\n" % CASE)
    contains(result.out, 'ended with exit status 3.\n')
    contains(result.out, '--all-findings')
    assert result.out.endswith('\n1 leak.\n'), result.out
    assert '\x1b' not in result.out
    contains(faults('--all-findings', '--', './server').out, 'Kept once')


@test
def none_is_found():
    result = faults('-f', 'read_config', '--', './server', scenario='clean')
    same((result.code, result.err), (0, ''))  # whatever the command's own status
    contains(result.out, 'No leak was found.')


@test
def what_cannot_be_done_is_said():
    refused(faults('--', 'x', scenario='denied'), 3, 'ptrace is not permitted')
    refused(faults('--', './gone', scenario='missing'), 3, './gone: No such file')
    result = faults('--json', '--', 'x', scenario='denied')
    same(result.code, 3)
    same(result.json()['error']['code'], 'EPERM')


@test
def json_is_as_it_was_agreed():
    result = faults('-f', 'read_config', '-f', 'other', '--json', '--', './server')
    same((result.code, result.err), (1, ''))
    report = result.json()
    same((report['function'], report['calls'], report['cases'], report['seconds']),
         ('read_config, other', 2, 60, 0.5))
    same((report['complete'], report['exit_status'], report['signal']), (True, 3, None))
    leak, = report['leaks']
    same((leak['function'], leak['returned']), ('read_config', '-1'))
    same((leak['failed']['syscall'], leak['failed']['errno']), ('fstat', 'EIO'))
    same([f['line'] for f in leak['failed']['stack']], [47, 7])
    left, = leak['left']
    same((left['kind'], left['handle'], left['what']), ('file', 7, '/etc/server\x1b[31m.conf'))
    same(set(left['stack'][1]) >= {'ip', 'function', 'file', 'line', 'module', 'inlined'}, True)
    same(left['stack'][left['look_at']]['line'], 42)
    same(leak['replay'],
         "tendril faults -f read_config -f other --replay '%s' -- ./server" % CASE)
    same([kept['verdict'] for kept in report['kept']], ['cached'])
    same(report['suppressed'], [])


@test
def a_document_is_alone_on_stdout():
    said = 'said by the command\n'
    result = faults('--', './server', FAKE_SAYS=said.strip())
    same((result.out.count(said), result.err), (1, ''))
    for options in (['--json'], ['--sarif', '-']):
        result = faults(*options, '--', './server', FAKE_SAYS=said.strip())
        json.loads(result.out)
        same(result.err, said)
    result = faults('--junit', '-', '--', './server', FAKE_SAYS=said.strip())
    assert result.out.startswith('<?xml'), result.out
    same(result.err, said)


def check_sarif(text):
    """What the standard demands of the parts that there are."""
    document = json.loads(text)
    same(document['version'], '2.1.0')
    run, = document['runs']
    rules = [rule['id'] for rule in run['tool']['driver']['rules']]
    same(run['invocations'][0]['executionSuccessful'], True)
    for result in run['results']:
        same(rules[result['ruleIndex']], result['ruleId'])
        contains(('none', 'note', 'warning', 'error'), result['level'])
        assert result['message']['text']
        location, = result['locations']
        assert location['physicalLocation']['artifactLocation']['uri']
        assert location['physicalLocation']['region']['startLine'] >= 1
        stacks = [json.dumps(stack) for stack in result['stacks']]
        same(len(stacks), len(set(stacks)))
        assert all(stack['frames'] for stack in result['stacks'])
        flow, = result['codeFlows'][0]['threadFlows']
        assert all(step['location']['message']['text'] for step in flow['locations'])
        assert all(isinstance(v, str) for v in result['partialFingerprints'].values())
    return run


@test
def files_beside_the_text():
    with tempfile.TemporaryDirectory() as folder:
        sarif, junit = folder + '/x.sarif', folder + '/x.xml'
        result = faults('-f', 'read_config', '--sarif', sarif, '--junit', junit, '--', './server')
        same((result.code, result.err), (1, ''))
        contains(result.out, 'LEAK  ')
        run = check_sarif(read(sarif))
        same(run['invocations'][0]['properties']['command'], ['./server'])
        found, = run['results']
        same(found['ruleId'], 'handle-leak')
        same(sorted(os.listdir(folder)), ['x.sarif', 'x.xml'])
        tree = xml.etree.ElementTree.parse(junit)
        case, = tree.getroot().iter('testcase')
        same((case.get('classname'), case.get('name')), ('server', 'read_config'))
        contains(case.find('failure').text, "--replay '%s' -- ./server\n" % CASE)


@test
def files_that_are_stdout():
    result = faults('--sarif', '-', '--all-findings', '--', './server')
    same((result.code, result.err), (1, ''))
    same([r['ruleId'] for r in check_sarif(result.out)['results']], ['handle-leak', 'kept-once'])
    result = faults('--junit', '-', '--', './server')
    same((result.code, result.err), (1, ''))
    same(xml.etree.ElementTree.fromstring(result.out.encode()).tag, 'testsuites')


@test
def files_that_cannot_be_written_are_known_before():
    for option in ('--sarif', '--junit'):
        result = faults(option, '/nonexistent/x', '--', './server', FAKE_TELL='1')
        refused(result, 3, '/nonexistent/x: No such file')  # one line: nothing was explored
        refused(faults(option, '/', '--', './server', FAKE_TELL='1'), 3, '/: Is a directory')


@test
def output_that_cannot_be_written():
    with open('/dev/full', 'wb') as full:
        refused(faults('--', './server', stdout=full), 3, 'could not be written')
    refused(faults('--sarif', '/dev/full', '--', './server'), 3, '/dev/full: ')


# Suppressions

@test
def what_is_accepted_is_no_leak():
    with tempfile.TemporaryDirectory() as folder:
        path = folder + '/accepted'
        with open(path, 'w', encoding='utf-8') as file:
            file.write('# ours\nfunction=never\nfunction=read_* call=fstat\n')
        result = faults('-s', path, '--', './server')
        same(result.code, 0)
        contains(result.out, 'Suppressed: ')
        same(result.err, 'tendril: %s:2: nothing was found that this suppresses: '
             'function=never\n' % path)
        report = faults('-s', path, '--json', '--', './server').json()
        same(report['leaks'], [])
        same([s['suppressed_by'] for s in report['suppressed']], ['function=read_* call=fstat'])
        same(faults('-s', path, '--replay', CASE, '--', './server').err, '')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('\nfunctio=x\n')
        refused(faults('-s', path, '--', './server', FAKE_TELL='1'), 3, path + ':2')
    refused(faults('-s', path, '--', './server', FAKE_TELL='1'), 3, 'No such file')


# The end, and a terminal

@test
def signals_end_it_with_a_report():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        ready, write = os.pipe()
        with subprocess.Popen([TENDRIL, 'faults', '--', 'x'], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[write],
                              # what nohup(1) has us ignore stays ignored, and is so here, too
                              preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
                              env=environment('endless', FAKE_READY=str(write))) as process:
            try:
                os.close(write)
                assert select.select([ready], [], [], SECONDS)[0]
                os.close(ready)
                process.send_signal(number)
                out, err = process.communicate(timeout=SECONDS)
            finally:
                process.kill()  # one that will not end
        same((process.returncode, err), (1, b''))
        contains(out, b'LEAK  read_config')
        contains(out, b'\nNot complete: it was ended.\n')


def terminal_of(*args, scenario=None, **more):
    return Terminal([TENDRIL, 'faults'] + list(args), environment(scenario, TERM='xterm', **more))


@test
def progress_is_shown():
    terminal = terminal_of('--', 'x', scenario='endless')
    terminal.wait_for('1 leak  read_config  (Ctrl-C: report)')
    contains(terminal.text, ' calls  ')
    contains(terminal.text, ' cases  ')
    contains(terminal.text, ' a second  ')
    terminal.resize(30)
    assert len(terminal.progress()) < 30
    terminal.resize(90)
    terminal.send(b'\x03')
    same(terminal.end(), 1)
    contains(terminal.text, '\x1b[1;31mLEAK  ')
    lines = shown_lines(terminal.text)
    assert not any('Ctrl-C' in line for line in lines), lines


@test
def no_colours_when_not_wanted():
    terminal = terminal_of('--', 'x', NO_COLOR='1')
    same(terminal.end(), 1)
    contains(terminal.text, 'LEAK  ')
    assert '\x1b[1' not in terminal.text and '\x1b[0m' not in terminal.text, terminal.text


# Replays

@test
def a_replay_tells_each_step():
    result = faults('--replay', CASE, '--', './server')
    same(result.code, 1)
    contains(result.out, '    openat("/etc/\\x1b[31m") = 7\n')
    contains(result.out, '\nLEAK  read_config')
    same(faults('--replay', CASE, '--json', '--', './server').json()['leaks'][0]['replay_id'],
         CASE)
    same(asked('--replay', CASE, '--', 'x')['replay'], [CASE])


class Stopped:
    """A process as a replay leaves it."""

    def __enter__(self):
        self.process = subprocess.Popen(['cat'], stdin=subprocess.PIPE)
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)
        return str(self.process.pid)

    def __exit__(self, *unused):
        try:
            same(self.process.wait(SECONDS), -signal.SIGKILL)  # and not left behind
        finally:
            self.process.kill()
            self.process.stdin.close()


@test
def a_debugger_gets_the_process():
    with tempfile.TemporaryDirectory() as folder:
        debugger = folder + '/de bug'
        with open(debugger, 'w', encoding='utf-8') as file:
            file.write('#!%s\nimport signal, sys\n'
                       'print("debugging", len(sys.argv) - 1, sys.argv[1], sys.argv[2],\n'
                       '      len(signal.pthread_sigmask(signal.SIG_BLOCK, [])))\n'
                       'sys.exit(5)\n' % sys.executable)
        os.chmod(debugger, stat.S_IRWXU)
        os.symlink(debugger, folder + '/gdb')
        path = folder + ':' + os.environ['PATH']
        for option, more, count in (('--debugger=' + debugger, {}, 2),
                                    ('--debugger', {'PATH': path}, 4)):
            with Stopped() as pid:
                result = faults('--replay', CASE, option, '--', './server', FAKE_STOPPED=pid,
                                **more)
            same((result.code, result.err), (0, ''))
            contains(result.out, 'Process %s is stopped where the step has failed.\n' % pid)
            # With a signal blocked it would wait for ever.
            contains(result.out, '\ndebugging %d -p %s 0\n' % (count, pid))


@test
def a_debugger_that_is_not_there():
    with Stopped() as pid:
        refused(faults('--replay', '1', '--debugger=/nonexistent', '--', 'x', FAKE_STOPPED=pid), 3,
                '/nonexistent: No such file')


if __name__ == '__main__':
    sys.exit(main(ONLY))
