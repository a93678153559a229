#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_examples.py TENDRIL - what the man pages and the README tell somebody new to type, typed

Every example of the Performance Monitor's pages is run, line by line, in a folder of its own.  Of what never ends,
the first sign of life is waited for.  Prints TAP.
"""
import contextlib
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from serve_support import PROGRAM, SECONDS, Skip, Victim, line_of, main, same, test
from watch_support import Terminal

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
PAGES = ('ps', 'watch', 'log', 'relog', 'serve')


def examples_of(page):
    """Commands, as they stand behind a prompt."""
    with open('%s/man/tendril-%s.1' % (SOURCE, page), encoding='utf-8') as file:
        text = file.read()
    found = [line.replace('\\(aq', "'").replace('\\e', '\\')
             for line in re.findall(r'^\.Dl \$ (.*)$', text.partition('.Sh EXAMPLES')[2], re.M)]
    assert found, page
    return found


def examples_of_readme():
    with open(SOURCE + '/README.md', encoding='utf-8') as file:
        section = re.search(r'^## Performance Monitor\n(.*?)^## ', file.read(), re.M | re.S)[1]
    found = [line.split('  #')[0].strip() for line in re.findall(r'^    (tendril .*)$', section, re.M)]
    assert found
    return found


def hasten(command):
    """Sooner, on a free port, and of a user that there is."""
    command = re.sub(r'--interval \d+', '--interval 0.2', command)
    command = re.sub(r'--duration \d+', '--duration 0.5', command)
    command = re.sub(r'user:\w+', 'user:' + pwd.getpwuid(os.getuid()).pw_name, command)
    if command.startswith('tendril serve'):
        return command.replace(':9469', ':0') if ':9469' in command else command + ' --listen 127.0.0.1:0'
    return command


def environment(folder):
    return dict(os.environ, PATH=folder + '/bin:' + os.environ['PATH'])


def run(folder, command):
    for program in [command.split()[0]] + (['jq'] if '| jq ' in command else []):
        if not shutil.which(program, path=environment(folder)['PATH']):
            raise Skip('no ' + program)
    done = subprocess.run(['sh', '-c', command], cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS, check=False)
    if command.startswith('tendril'):
        same((command, done.stderr), (command, b''))
    same((command, done.returncode), (command, 0))
    return done.stdout.decode('utf-8')


def run_until(folder, command, is_alive):
    """One that does not end by itself."""
    with subprocess.Popen(shlex.split(command), cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            is_alive(process)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    same((command, process.returncode, said), (command, 0, b''))


def says_its_address(process):
    assert re.match(rb'https?://\S+:\d+/\n$', line_of(process.stdout))


def log_is_there(folder, name):
    def look(process):
        deadline = time.monotonic() + SECONDS
        while subprocess.run([PROGRAM, 'relog', folder + '/' + name, '--list'], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, check=False).returncode:
            assert time.monotonic() < deadline and process.poll() is None, process.stderr.read()
    return look


def run_on_screen(folder, command):
    words = [folder + '/' + word if word.endswith('.tlog') else word for word in shlex.split(command)[2:]]
    with Terminal(*words) as terminal:
        terminal.until(r'\?:help')
        terminal.keys('q')
        terminal.ended(0)


def try_it(folder, command):
    command = hasten(command)
    if command.startswith('tendril serve'):
        run_until(folder, command, says_its_address)
    elif command.startswith('tendril log') and '--duration' not in command and '--mark' not in command:
        name = shlex.split(command)[3]
        if os.path.exists(folder + '/' + name):
            os.unlink(folder + '/' + name)  # of the example before: it would be taken for this one's
        run_until(folder, command, log_is_there(folder, name))
    elif command.startswith('tendril watch') and ('--open' in command or '--leaks' in command):
        run_on_screen(folder, command)
    elif command.startswith('tendril watch') and '--once' not in command:
        run(folder, command + ' --once')  # on screens there is test_watch.py
    else:
        run(folder, command)


def make_certificate(folder):
    if not shutil.which('openssl'):
        raise Skip('no openssl')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                    '-days', '1', '-subj', '/CN=localhost', '-keyout', folder + '/k.pem', '-out', folder + '/c.pem'],
                   check=True, capture_output=True)
    with open(os.open(folder + '/users', os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='ascii') as file:
        file.write('basic ada:lovelace\n')


@contextlib.contextmanager
def folder_with_a_web_server():
    with tempfile.TemporaryDirectory() as folder, Victim('nginx', 30):
        os.mkdir(folder + '/bin')
        os.symlink(PROGRAM, folder + '/bin/tendril')
        yield folder


def try_all(commands, *before):
    with folder_with_a_web_server() as folder:
        if any('.pem' in command for command in commands):
            make_certificate(folder)
        for command in before:
            run(folder, command)
        for command in commands:
            try_it(folder, command)


@test
def examples_of_ps():
    try_all(examples_of('ps'))


@test
def examples_of_watch():
    try_all(examples_of('watch'), 'tendril log -o week.tlog --duration 0.5 --interval 0.1')


@test
def examples_of_log():
    try_all(examples_of('log'))


@test
def examples_of_relog():
    try_all(examples_of('relog'), 'tendril log -o week.tlog --duration 0.5 --interval 0.1')


@test
def examples_of_serve():
    try_all(examples_of('serve'))


@test
def examples_of_the_readme():
    try_all(examples_of_readme())


@test
def every_page_of_the_monitor_has_its_examples_tried():
    same([page for page in PAGES if not 'examples_of_' + page in globals()], [])


main(sys.argv, __name__)
