#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_leaks_real.py TENDRIL - tendril leaks finds no leak in programs that have none, and harms none

Servers of other people, used heavily while they are watched.  When they are done, each handle that came
has gone again: what tendril leaks would tell then is false.
"""
import glob
import http.client
import os
import shutil
import subprocess
import sys
import threading

from leaks_support import Leaks, Skip, handles, run_tests, state_of, tracer_of, until
from test_real import Process, as_user, children, free_port, need, redis_process, redis_says

TENDRIL = os.path.abspath(sys.argv[1])
ROUNDS = 300
CLIENTS = 4


def can_leak():
    if os.geteuid() != 0:
        raise Skip('needs root')
    if subprocess.run([TENDRIL, 'leaks', '--help'], capture_output=True, check=False).returncode:
        raise Skip('this build has no `tendril leaks`')


def use(serves):
    """By several at once; each request is answered."""
    wrong = []

    def client():
        try:
            for _ in range(ROUNDS // CLIENTS):
                serves()
        except Exception as error:  # whatever it is, the test has failed
            wrong.append(error)

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    assert not wrong, 'it does not serve while it is watched: %r' % wrong[0]


def watched(pids, work, settled):
    """The report about servers that were used and are at rest again."""
    with Leaks(TENDRIL, '--json', *pids) as leaks:
        leaks.wait_until_watching()
        work()
        for pid in pids:
            assert state_of(pid) not in 'Tt' and tracer_of(pid) == 0, 'it is stopped or traced'
        until('it is at rest', settled)
        return leaks.end()


def is_clean(pids, serves):
    for _ in range(3):  # what it opens once for all
        serves()
    before = {pid: len(handles(pid)) for pid in pids}
    report = watched(pids, lambda: use(serves), lambda: all(
        len(handles(pid)) <= before[pid] for pid in pids))
    assert not report.sites(), 'false sites; told:\n' + report.show()
    assert report.code == 0 and report.lost() == 0, (report.code, report.lost())
    # It has looked, and not at nothing.
    assert report.document['opened'] >= ROUNDS, report.document['opened']
    assert report.document['opened'] == report.document['closed'], report.text[:200]
    serves()


NGINX = """
user root; worker_processes 2; daemon off; pid @/pid; error_log @/error.log;
events { worker_connections 64; }
http { access_log off; keepalive_timeout 0; client_body_temp_path @/b; proxy_temp_path @/p;
fastcgi_temp_path @/f; uwsgi_temp_path @/u; scgi_temp_path @/s;
server { listen 127.0.0.1:%d; root @; } }
"""


def http_get(port, path):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
    connection.request('GET', path)
    text = connection.getresponse().read()
    connection.close()
    assert text == b'hello\n', text
    return True


def test_nginx_serving_files():
    can_leak()
    nginx, port = need('nginx', '/usr/sbin/nginx'), free_port()
    with Process(nginx, '-p', '@', '-c', '@/nginx.conf') as server:
        with open(server.directory + '/nginx.conf', 'w', encoding='ascii') as conf:
            conf.write((NGINX % port).replace('@', server.directory))
        with open(server.directory + '/hello', 'w', encoding='ascii') as file:
            file.write('hello\n')
        server.start()
        until('nginx', lambda: server.ended() or http_get(port, '/hello'))
        pids = until('workers', lambda: children(server.pid))
        is_clean(pids, lambda: http_get(port, '/hello'))


def test_python_serving_files():
    can_leak()
    port = free_port()
    with Process(sys.executable, '-m', 'http.server', '--bind', '127.0.0.1', '--directory', '@',
                 str(port)) as server:
        with open(server.directory + '/hello', 'w', encoding='ascii') as file:
            file.write('hello\n')
        server.start()
        until('python', lambda: server.ended() or http_get(port, '/hello'))
        is_clean([server.pid], lambda: http_get(port, '/hello'))


def test_redis_with_clients_that_come_and_go():
    can_leak()
    with redis_process() as server:
        path = server.directory + '/socket'
        server.start()
        until('redis', lambda: server.ended() or redis_says(path, 'PING') == '+PONG')

        def serves():
            assert redis_says(path, 'INCR', 'n').startswith(':')

        is_clean([server.pid], serves)


def start_postgres(server, binary, user):
    if user:
        shutil.chown(server.directory, 'postgres')
    subprocess.run([binary + '/initdb', '-A', 'trust', '-U', 'tester', '--no-sync', '-D',
                    server.directory + '/data'], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, cwd='/', **user)
    server.options['cwd'] = '/'
    server.start()


def test_postgresql_server_and_backend():
    """The server has none; a backend keeps files open, up to a bound, and that is no leak."""
    can_leak()
    found = sorted(glob.glob('/usr/lib/postgresql/*/bin/postgres'))
    if not found:
        raise Skip('postgres is not installed')
    binary, user = os.path.dirname(found[-1]), as_user('postgres')
    with Process(binary + '/postgres', '-D', '@/data', '-k', '@', '-p', str(free_port()),
                 '-c', 'listen_addresses=', **user) as server:
        start_postgres(server, binary, user)
        psql = [binary + '/psql', '-h', server.directory, '-p',
                server.process.args[server.process.args.index('-p') + 1], '-U', 'tester', '-d',
                'postgres', '-XAtq']

        def serves():
            run = subprocess.run(psql + ['-c', 'select 6*7'], capture_output=True, text=True,
                                 timeout=20, check=False)
            return run.stdout == '42\n'

        until('postgres', lambda: server.ended() or serves())
        with subprocess.Popen(psql, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as session:

            def answers(sql):
                session.stdin.write(sql + ';\n')
                session.stdin.flush()
                return session.stdout.readline().strip()

            backend = int(answers('select pg_backend_pid()'))
            assert answers('create table t(i int); select 1') == '1'

            def work():
                for number in range(ROUNDS):
                    assert answers('insert into t values(%d); select count(*) from t' % number) == \
                        str(number + 1)
                    assert number % 20 or serves(), 'no new client is served'

            before = len(handles(server.pid))
            report = watched([server.pid, backend], work,
                             lambda: len(handles(server.pid)) <= before)
            assert answers('select 1') == '1'
            session.stdin.close()
    assert report.code == 0 and report.lost() == 0, report.show()
    assert not report.sites(server.pid), 'false sites; told:\n' + report.show()
    assert report.of(server.pid)['opened'] > 0, report.text[:300]


def test_nothing_of_the_whole_machine_is_harmed():
    """--all while programs come and go: each does what it does, and ends as it would."""
    can_leak()
    with Leaks(TENDRIL, '--json', '--all') as leaks:
        leaks.wait_until_watching()
        for number in range(50):
            run = subprocess.run(['sh', '-c', 'ls /proc/self/fd | wc -l; exit %d' % (number % 3)],
                                 capture_output=True, text=True, check=False)
            assert run.returncode == number % 3 and int(run.stdout) >= 4, run
        report = leaks.end()
    assert report.code in (0, 1), report.err
    assert report.of(os.getpid())['opened'] >= 50, 'it did not see us'


def main():
    return run_tests([(name[len('test_'):], function) for name, function in globals().items()
                      if name.startswith('test_')])


if __name__ == '__main__':
    sys.exit(main())
