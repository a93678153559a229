#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_real.py TENDRIL - remote threads in other people's programs, which must go on serving

Each program is started here on loopback or a unix socket in a directory of its own, used before
and after, and ended by its PID.  What is not installed is skipped with the reason.
"""
import contextlib
import glob
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TENDRIL = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else 'tendril'
TARGETS = os.environ.get('TENDRIL_TARGETS', os.path.join(os.path.dirname(TENDRIL), 'tests/targets'))
DEADLINE_S = 30
CALLS = 20


class Skip(Exception):
    """The test cannot be made here; says why."""


def need(*commands):
    for command in commands:
        path = shutil.which(command) or os.path.exists(command) and command
        if path:
            return path
    raise Skip('%s is not installed' % ' or '.join(commands))


def until(what, check):
    """Until check() is true; its errors mean not yet."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            result = check()
            if result:
                return result
        except (OSError, subprocess.SubprocessError, http.client.HTTPException):
            pass
        time.sleep(0.005)
    raise AssertionError('not in time: ' + what)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def tendril(*arguments, status=0):
    """Run the program; its stdout (JSON read), or its stderr when another status is wanted."""
    run = subprocess.run([TENDRIL, *map(str, arguments)], capture_output=True, text=True,
                         timeout=60, check=False)
    assert run.returncode == status, 'tendril %s: status %d, wanted %d: %s%s' % (
        ' '.join(map(str, arguments)), run.returncode, status, run.stdout, run.stderr)
    if status:
        assert run.stderr.count('\n') == 1, 'not one line: ' + run.stderr
        return run.stderr
    return run.stdout


def call(pid, function, *arguments):
    return json.loads(tendril('run', '--json', pid, function, *arguments))


def threads(pid):
    return len(os.listdir('/proc/%d/task' % pid))


def handles(pid):
    return len(os.listdir('/proc/%d/fd' % pid))


def mappings_of_ours(pid):
    with open('/proc/%d/maps' % pid, encoding='utf-8', errors='replace') as maps:
        return sum('tendril' in line for line in maps)


def exercise(pid, serves, function='libc!getpid'):
    """Call many times; the value is right, the program still serves, and nothing is left."""
    serves()
    call(pid, function)
    before = handles(pid)
    for _ in range(CALLS):
        result = call(pid, function)
        assert result['pid'] == pid and result['return'] == pid, result
        serves()
    until('no handle left', lambda: handles(pid) <= before)
    assert mappings_of_ours(pid) == 0, 'a mapping of ours is left'
    serves()


class Process:
    """A program of the test, ended by its PID; with a directory of its own."""

    def __init__(self, *command, **options):
        self.directory = tempfile.mkdtemp(prefix='tendril-real-')
        os.chmod(self.directory, 0o755)
        self.command, self.options, self.process = command, options, None

    def start(self):
        self.log = open(os.path.join(self.directory, 'log'), 'w+b')
        options = dict(stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        options.update(self.options)
        self.process = subprocess.Popen([c.replace('@', self.directory) for c in self.command],
                                        **options)
        return self

    @property
    def pid(self):
        return self.process.pid

    def ended(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError('it ended with %s: %s' % (self.process.returncode,
                                                           self.log.read()[-500:]))
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def children(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid), encoding='ascii') as file:
        return [int(word) for word in file.read().split()]


# --- servers ------------------------------------------------------------------------------------

NGINX = """
worker_processes 2; daemon off; pid @/pid; error_log @/error.log;
events { worker_connections 64; }
http { access_log off; client_body_temp_path @/b; proxy_temp_path @/p; fastcgi_temp_path @/f;
uwsgi_temp_path @/u; scgi_temp_path @/s;
server { listen 127.0.0.1:%d; location / { return 200 "hello\\n"; } } }
"""


@contextlib.contextmanager
def serving_nginx():
    nginx, port = need('nginx', '/usr/sbin/nginx'), free_port()
    with Process(nginx, '-p', '@', '-c', '@/nginx.conf') as server:
        with open(server.directory + '/nginx.conf', 'w', encoding='ascii') as conf:
            conf.write((NGINX % port).replace('@', server.directory))
        server.start()

        def serves():
            connection = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
            connection.request('GET', '/')
            text = connection.getresponse().read()
            connection.close()
            assert text == b'hello\n', text
            return True

        until('nginx', lambda: server.ended() or serves())
        yield server, serves


def test_nginx_master_and_workers_serve_on():
    with serving_nginx() as (server, serves):
        for pid in [server.pid] + until('workers', lambda: children(server.pid)):
            exercise(pid, serves)


INJECT = os.path.join(os.path.dirname(TENDRIL), '../../examples/inject')


def inject_and_free(pid, library, serves):
    """examples/inject.c: the classical sequence of Win32, again and again."""
    for _ in range(CALLS // 2):
        done = subprocess.run([INJECT, str(pid), library, 'free'], capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 0 and done.stdout.endswith('\nfreed\n'), done
        with open('/proc/%d/maps' % pid, encoding='utf-8', errors='replace') as maps:
            assert library not in maps.read()
        serves()
    done = subprocess.run([INJECT, str(pid), library + '.none', 'free'], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1 and 'could not load' in done.stderr, done
    assert mappings_of_ours(pid) == 0, 'a mapping of ours is left'
    serves()


def library_in(directory):
    """Where every user may read it."""
    path = shutil.copy(os.path.join(TARGETS, 'plug.so'), directory)
    os.chmod(path, 0o755)
    return path


def test_python_takes_a_library_by_the_classical_sequence():
    code = 'import sys\nfor line in sys.stdin:\n print(sum(range(int(line))), flush=True)\n'
    with Process(sys.executable, '-u', '-c', code, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as python:
        process = python.start().process

        def computes():
            process.stdin.write(b'1000\n')
            process.stdin.flush()
            assert process.stdout.readline() == b'499500\n'

        computes()
        inject_and_free(python.pid, library_in(python.directory), computes)
        process.stdin.close()


def test_nginx_takes_a_library_by_the_classical_sequence():
    with serving_nginx() as (server, serves):
        library = library_in(server.directory)
        for pid in [server.pid] + until('workers', lambda: children(server.pid)):
            inject_and_free(pid, library, serves)


def as_user(name):
    """Options of Popen that make a process another user's; nothing when we are not root."""
    if os.geteuid() != 0:
        return {}
    return {'user': name, 'group': name, 'extra_groups': []}


def test_postgresql_server_and_backend_serve_on():
    found = sorted(glob.glob('/usr/lib/postgresql/*/bin/postgres'))
    if not found:
        raise Skip('postgres is not installed')
    binary, port, user = os.path.dirname(found[-1]), free_port(), as_user('postgres')
    with Process(binary + '/postgres', '-D', '@/data', '-k', '@', '-p', str(port),
                 '-c', 'listen_addresses=', **user) as server:
        if user:
            shutil.chown(server.directory, 'postgres')
        subprocess.run([binary + '/initdb', '-A', 'trust', '-U', 'tester', '--no-sync', '-D',
                        server.directory + '/data'], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, cwd='/', **user)
        server.options['cwd'] = '/'
        server.start()
        psql = [binary + '/psql', '-h', server.directory, '-p', str(port), '-U', 'tester',
                '-d', 'postgres', '-XAtq']

        def serves():
            run = subprocess.run(psql + ['-c', 'select 6*7'], capture_output=True, text=True,
                                 timeout=20, check=False)
            assert run.returncode in (0, 2), run.stderr
            return run.stdout == '42\n'

        until('postgres', lambda: server.ended() or serves())
        exercise(server.pid, serves)
        with subprocess.Popen(psql, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as session:

            def answers(sql):
                session.stdin.write(sql + ';\n')
                session.stdin.flush()
                return session.stdout.readline().strip()

            backend = int(answers('select pg_backend_pid()'))
            exercise(backend, lambda: answers('select sum(i) from generate_series(1,1000) i') ==
                     '500500' or 1 / 0)
            session.stdin.close()


def redis_says(path, *words):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(path)
        connection.sendall((' '.join(words) + '\r\n').encode())
        return connection.recv(4096).decode().strip()


def redis_process(**options):
    need('redis-server')
    return Process('redis-server', '--port', '0', '--unixsocket', '@/socket', '--save', '',
                   '--dir', '@', **options)


def exercise_redis(server):
    path = server.directory + '/socket'
    server.start()
    until('redis', lambda: server.ended() or redis_says(path, 'PING') == '+PONG')

    def serves():
        assert redis_says(path, 'INCR', 'n').startswith(':')
        return True

    exercise(server.pid, serves)


def test_redis_serves_on():
    with redis_process() as server:
        exercise_redis(server)


def test_process_with_jemalloc_preloaded_serves_on():
    found = glob.glob('/usr/lib/*/libjemalloc.so.2')
    if not found:
        raise Skip('libjemalloc is not installed')
    with redis_process(env=dict(os.environ, LD_PRELOAD=found[0])) as server:
        exercise_redis(server)
        with open('/proc/%d/maps' % server.pid, encoding='utf-8') as maps:
            assert 'libjemalloc' in maps.read()


# --- runtimes -----------------------------------------------------------------------------------

PYTHON_TARGET = """
import sys, threading, time
count = 0
def in_the_depth():
    global count
    while True:
        count += 1
        time.sleep(0.001)
threading.Thread(target=in_the_depth, daemon=True).start()
print('ready', flush=True)
for line in sys.stdin:
    print(count, flush=True)
"""

STACKS = "import sys, traceback; open(%r, 'w').write(''.join(''.join(traceback.format_stack(f)) " \
    "for f in sys._current_frames().values()))"


def python_target():
    python = need('/usr/bin/python3')
    return Process(python, '-c', PYTHON_TARGET, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def python_serves(server):
    def serves():
        server.process.stdin.write(b'\n')
        server.process.stdin.flush()
        assert int(server.process.stdout.readline()) >= 0
        return True
    return serves


def test_python_prints_the_stacks_of_all_its_threads():
    helper = os.path.join(TARGETS, 'pyrun.so')
    if not os.path.exists(helper):
        raise Skip('pyrun.so was not built: no libpython3-dev')
    with python_target() as server:
        server.start()
        assert server.process.stdout.readline() == b'ready\n'
        stacks = server.directory + '/stacks'
        tendril('load', server.pid, helper)
        result = call(server.pid, 'pyrun.so!pyrun', STACKS % stacks)
        assert result['return'] == 0, result
        with open(stacks, encoding='utf-8') as file:
            text = file.read()
        assert 'in_the_depth' in text and '<module>' in text, text
        tendril('unload', server.pid, helper)
        python_serves(server)()


def test_python_goes_on_under_many_calls_into_the_interpreter():
    with python_target() as server:
        server.start()
        assert server.process.stdout.readline() == b'ready\n'
        assert call(server.pid, 'Py_IsInitialized')['return'] == 1
        exercise(server.pid, python_serves(server))


def test_node_or_java_serves_on():
    node = need('node', 'java')
    if not node.endswith('node'):
        raise Skip('only java is here; the test is written for node')
    port = free_port()
    script = 'require("http").createServer((q,r)=>{JSON.parse(JSON.stringify(process.memory' \
        'Usage()));r.end("hello")}).listen(%d,"127.0.0.1")' % port
    with Process(node, '-e', script) as server:
        server.start()

        def serves():
            connection = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
            connection.request('GET', '/')
            text = connection.getresponse().read()
            connection.close()
            assert text == b'hello', text
            return True

        until('node', lambda: server.ended() or serves())
        exercise(server.pid, serves)


JAVA = """
public class Target {
    public static void main(String[] args) throws Exception {
        System.out.println("ready");
        int c;
        while ((c = System.in.read()) >= 0) { System.gc(); System.out.println("ok"); }
    }
}
"""


def test_java_serves_on():
    java = need('java')
    need('javac')
    with Process(java, '-cp', '@', '-Xmx64m', 'Target', stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE) as server:
        with open(server.directory + '/Target.java', 'w', encoding='ascii') as file:
            file.write(JAVA)
        subprocess.run(['javac', 'Target.java'], cwd=server.directory, check=True)
        server.start()
        assert server.process.stdout.readline() == b'ready\n'

        def serves():
            server.process.stdin.write(b'x')
            server.process.stdin.flush()
            assert server.process.stdout.readline() == b'ok\n'
            return True

        exercise(server.pid, serves)


# --- refusals and borders -----------------------------------------------------------------------

def start_target(name, *arguments, **options):
    path = os.path.join(TARGETS, name)
    if not os.path.exists(path):
        raise Skip(name + ' was not built here')
    wrapper = options.pop('wrapper', [])
    server = Process(*wrapper, path, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     **options).start()
    assert server.process.stdout.readline() == b'ready\n'
    return server


def is_refused(name, *words):
    with start_target(name) as server:
        said = tendril('run', server.pid, 'getpid', status=3)
        assert any(word in said.lower() for word in words), said
        assert str(server.pid) in said, said
        assert server.process.poll() is None


def test_static_program_is_refused():
    is_refused('plain_static', 'static', 'libc')


def test_go_program_is_refused():
    is_refused('gotarget', 'static', 'libc', 'go')


def test_32_bit_program_is_refused():
    is_refused('plain32', '32-bit', '64-bit', 'architecture', 'i386')


def test_process_in_other_namespaces():
    wrapper = ['unshare', '--user', '--map-root-user', '--mount', '--pid', '--fork', '--mount-proc']
    if subprocess.run(wrapper + ['true'], capture_output=True, check=False).returncode:
        raise Skip('unshare(1) is not allowed here')
    with start_target('victim', 'idle-epoll', wrapper=wrapper) as server:
        pid = until('the inner process', lambda: children(server.pid))[0]
        result = call(pid, 'libc!getpid')
        assert result['return'] == 1 and result['pid'] == pid, result
        os.kill(pid, signal.SIGKILL)


def test_process_of_another_user_with_and_without_permission():
    if os.geteuid() != 0:
        raise Skip('only root can start a process of another user')
    with start_target('victim', 'idle-epoll') as server:
        run = subprocess.run(['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups',
                              TENDRIL, 'run', str(server.pid), 'getpid'], capture_output=True,
                             text=True, check=False)
        if run.returncode in (126, 127):
            raise Skip('nobody cannot run ' + TENDRIL)
        assert run.returncode == 3 and 'root' in run.stderr, run.stderr
    with start_target('victim', 'idle-epoll', wrapper=[
            'setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']) as server:
        assert call(server.pid, 'libc!getpid')['return'] == server.pid


def main():
    tests = [(name, function) for name, function in globals().items()
             if name.startswith('test_') and callable(function)]
    print('1..%d' % len(tests))
    failed = 0
    for number, (name, function) in enumerate(tests, 1):
        try:
            function()
            print('ok %d - %s' % (number, name))
        except Skip as reason:
            print('ok %d - %s # SKIP %s' % (number, name, reason))
        except Exception as error:  # whatever it is, the others go on
            failed += 1
            print('not ok %d - %s' % (number, name))
            text = '%s: %s' % (type(error).__name__, error)
            print('\n'.join('# ' + line for line in text.splitlines()))
        sys.stdout.flush()
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
