#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_serve.py TENDRIL - `tendril serve` from outside: metrics, JSON, events, who may ask, hostile clients

Prints TAP.
"""
import base64
import contextlib
import http.server
import json
import os
import queue
import re
import resource
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from serve_support import SECONDS, Server, Skip, Victim, contains, main, same, serve_fails, test

OPEN_METRICS = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? ([0-9.]+)$')


def parse(text):
    """Of metrics: {(name, labels): value}, where labels are a frozenset of pairs."""
    found = {}
    for line in text.splitlines():
        if line.startswith('#'):
            continue
        match = SAMPLE.match(line)
        assert match, 'no sample: %r' % line
        labels = frozenset((name, re.sub(r'\\(.)', lambda m: {'n': '\n'}.get(m[1], m[1]), value))
                           for name, value in re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"', match[2] or ''))
        key = (match[1], labels)
        assert key not in found, 'twice: %r' % line
        found[key] = float(match[3])
    return found


def value_of(metrics, metric, /, **labels):
    values = [value for (key, pairs), value in metrics.items()
              if key == metric and set(labels.items()) <= pairs]
    same(len(values), 1)
    return values[0]


@test
def says_where_it_listens_and_ends_by_a_signal():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Server() as server:
            assert re.fullmatch(r'http://127\.0\.0\.1:[1-9]\d*/', server.url), server.url
            same(server.get('healthz').body, b'ok\n')
            server.process.send_signal(number)
            same(server.process.wait(SECONDS), 0)


@test
def says_where_it_listens_as_json():
    with Server('--json', raw=True) as server:
        said = json.loads(server.line)
        contains(said['url'], 'http://127.0.0.1:')
        assert said['source'] in ('bpf', 'stat', 'count'), said


@test
def metrics_have_the_counts_of_a_known_process():
    with Victim('tendril-known', 40) as victim, Server(victim.pid) as server:
        metrics = parse(server.get('metrics').text)
        labels = {'name': 'tendril-known', 'container': ''}
        same(value_of(metrics, 'tendril_process_open_handles', **labels), victim.handles())
        same(value_of(metrics, 'tendril_process_threads', **labels), 1)
        same(value_of(metrics, 'tendril_process_instances', **labels), 1)
        same(value_of(metrics, 'tendril_process_unreadable', **labels), 0)
        with open('/proc/%d/maps' % victim.pid, encoding='utf-8', errors='replace') as maps:
            mapped = [line for line in maps if '[vsyscall]' not in line] # which is none
            same(value_of(metrics, 'tendril_process_mappings', **labels), len(mapped))
        limit = victim.limit()
        same(value_of(metrics, 'tendril_process_max_handles', **labels), limit)
        ratio = value_of(metrics, 'tendril_process_handles_used_ratio', **labels)
        assert abs(ratio - victim.handles() / limit) < 2e-6, ratio
        same(value_of(metrics, 'tendril_processes'), 1)
        assert value_of(metrics, 'tendril_scrape_duration_seconds') > 0


@test
def processes_of_the_same_labels_are_one_group_unless_pids_are_asked_for():
    with Victim('tendril-twin', 10) as one, Victim('tendril-twin', 20) as other, \
            Server('tendril-twin') as server:
        metrics = parse(server.get('metrics').text)
        same(value_of(metrics, 'tendril_process_open_handles', name='tendril-twin'),
             one.handles() + other.handles())
        same(value_of(metrics, 'tendril_process_instances', name='tendril-twin'), 2)
        same(value_of(metrics, 'tendril_process_max_handles', name='tendril-twin'), one.limit())
        metrics = parse(server.get('metrics?pids=1').text)
        same(value_of(metrics, 'tendril_process_open_handles', pid=str(other.pid)), other.handles())
        same(value_of(metrics, 'tendril_process_open_handles', pid=str(one.pid)), one.handles())
    with Victim('tendril-twin', 1) as one, Server('--pids', one.pid) as server:
        contains(server.get('metrics').text, 'pid="%d"' % one.pid)
        assert 'pid=' not in server.get('metrics?pids=0').text


@test
def however_many_names_there_are_the_series_are_bounded():
    with contextlib.ExitStack() as stack:
        victims = [stack.enter_context(Victim('tendril-n%d' % i, 10 * i)) for i in range(6)]
        server = stack.enter_context(Server('--max-series', 3, 'tendril-n*'))
        metrics = parse(server.get('metrics').text)
        names = {dict(labels)['name'] for (key, labels) in metrics if key == 'tendril_process_open_handles'}
        same(names, {'tendril-n5', 'tendril-n4', 'other'})
        same(value_of(metrics, 'tendril_process_open_handles', name='other'),
             sum(victim.handles() for victim in victims[:4]))
        same(value_of(metrics, 'tendril_process_instances', name='other', user=''), 4)
        same(value_of(metrics, 'tendril_series_folded'), 4)
        same(value_of(metrics, 'tendril_processes'), 6)


@test
def kernel_threads_make_no_series():
    with Server() as server:
        threads = [p for p in server.get('api/v1/processes').json()['processes'] if p['name'] == 'kthreadd']
        if not threads:
            raise Skip('no kernel threads are seen here')
        assert 'kthreadd' not in server.get('metrics').text


@test
def hostile_names_stay_inside_of_their_label():
    with Victim(b'a"b\\c\nd\xff\x1b}', 3) as victim, Server(victim.pid) as server:
        for accept in (None, OPEN_METRICS):
            text = server.get('metrics', Accept=accept).text
            value_of(parse(text), 'tendril_process_open_handles', name='a"b\\c\\x0ad\\xff\\x1b}')
        process, = server.get('api/v1/processes').json()['processes']
        same(process['name'], 'a"b\\c\nd\ufffd\x1b}')


@test
def two_names_that_look_the_same_are_no_series_twice():
    with Victim(b'x\\x0ay', 3), Victim(b'x\ny', 3), Server('x*') as server:
        same(value_of(parse(server.get('metrics').text), 'tendril_process_instances', name='x\\x0ay'), 2)


@test
def promtool_finds_nothing_in_the_metrics():
    if not shutil.which('promtool'):
        raise Skip('no promtool')
    with Victim(b'q"\\\n', 3), Server('--alert', 'handles>99999 q"x\x1b\\y', '--alert', 'leak') as server:
        for path in ('metrics', 'metrics?pids=1'):
            run = subprocess.run(['promtool', 'check', 'metrics'], input=server.get(path).body,
                                 capture_output=True, timeout=SECONDS, check=False)
            same((run.returncode, run.stdout + run.stderr), (0, b''))


@test
def the_format_is_negotiated():
    cases = [(None, 'text/plain'), ('*/*', 'text/plain'), (OPEN_METRICS, 'application/openmetrics-text'),
             ('application/openmetrics-text', 'application/openmetrics-text'),
             ('application/openmetrics-text;q=0', 'text/plain'),
             ('text/plain;q=0.9, application/openmetrics-text;q=0.1', 'text/plain'),
             ('text/plain; q=0.1 , Application/OpenMetrics-Text; q=0.2', 'application/openmetrics-text'),
             ('application/openmetrics-textual', 'text/plain'), (';q=,,;', 'text/plain')]
    with Server() as server:
        for accept, wanted in cases:
            answer = server.get('metrics', Accept=accept)
            same((accept, answer.headers['Content-Type'].split(';')[0]), (accept, wanted))
            same(answer.text.endswith('# EOF\n'), wanted != 'text/plain')
        contains(server.get('metrics', Accept=OPEN_METRICS).text, '# TYPE tendril_samples counter\n')
        contains(server.get('metrics').text, '# TYPE tendril_samples_total counter\n')


@test
def processes_as_json_are_those_of_ps():
    with Victim('tendril-ps', 17) as victim, Server(victim.pid) as server:
        document = server.get('api/v1/processes').json()
        process, = document['processes']
        run = subprocess.run([server.program, 'ps', '--json', str(victim.pid)], capture_output=True, check=True)
        for key, value in json.loads(run.stdout)[0].items():
            same((key, process[key]), (key, value))
        same(document['interval_ms'], 200)
        assert abs(document['time_ms'] / 1000 - time.time()) < SECONDS
        assert process['start_ticks'] > 0


@test
def history_holds_what_was_sampled():
    with Victim('tendril-grows', 5) as victim, Server(victim.pid) as server:
        before = victim.handles()
        server.wait_for_samples(2)
        victim.open(10)
        server.wait_for_samples(3)
        history = server.get('api/v1/history?pid=%d' % victim.pid).json()
        values = history['series'][0]['values']
        same(history['counter'], 'handles')
        same((values[0], values[-1]), (before, before + 10))
        same(values, sorted(values))
        same(history['time_ms'], sorted(set(history['time_ms'])))
        same(len(values), len(history['time_ms']))
        start = server.get('api/v1/processes').json()['processes'][0]['start_ticks']
        both = server.get('api/v1/history?counter=threads&since_ms=%d&pid=%d:%d,%d:%d' % (
            history['time_ms'][-1], victim.pid, start, victim.pid, start + 1)).json()
        same(set(both['series'][0]['values']), {1})
        same(set(both['series'][1]['values']), {None})  # another process of that id
        same(both['time_ms'][0], history['time_ms'][-1])


@test
def history_is_bounded():
    with Server('--history', 3, os.getpid()) as server:
        server.wait_for_samples(8)
        same(len(server.get('api/v1/history?pid=%d' % os.getpid()).json()['time_ms']), 3)


@test
def what_is_wrong_with_a_question_is_said():
    many = ','.join(['1'] * 65)
    with Server(os.getpid()) as server:
        for path, part in (('api/v1/history', 'pid is wanted'), ('api/v1/history?pid=', 'pid is wanted'),
                           ('api/v1/history?pid=1,', 'pid is wanted'), ('api/v1/history?pid=-1', 'pid is wanted'),
                           ('api/v1/history?pid=1:', 'pid is wanted'), ('api/v1/history?pid=0', 'pid is wanted'),
                           ('api/v1/history?pid=99999999999999999999', 'pid is wanted'),
                           ('api/v1/history?pid=' + many, 'more than 64'),
                           ('api/v1/history?pid=1&counter=x', 'counter is'),
                           ('api/v1/history?pid=1&since_ms=x', 'since_ms is'), ('metrics?pids=2', 'pids is')):
            answer = server.get(path)
            same((path, answer.status), (path, 400))
            contains(answer.text, part)
            same(answer.text.count('\n'), 1)
        same(server.get('nothing').status, 404)


@test
def events_come_as_samples_are_taken():
    with Victim(b'new\nline', 4) as victim, Server(victim.pid) as server, server.events() as stream:
        first, second = stream.event(), stream.event()
        assert second['id'] > first['id'], (first, second)
        same(second['sequence'], second['id'])
        same(second['processes'][0]['name'], 'new\nline')
        before = second['processes'][0]['handles']
        victim.open(5)
        while stream.event()['processes'][0]['handles'] != before + 5:
            pass


@test
def live_pages_are_limited_and_end_with_the_server():
    with Server('--interval', 3600, os.getpid()) as server, contextlib.ExitStack() as stack:
        streams = [stack.enter_context(server.events()) for _ in range(128)]
        for stream in streams:
            stream.event()
        same(server.get('api/v1/events').status, 503)
        streams.pop().close()
        server.process.terminate()
        same(server.process.wait(SECONDS), 0)


@test
def page_and_its_files_are_there_with_a_strict_policy():
    with Server(os.getpid()) as server:
        page = server.get('')
        same(page.headers['Content-Type'], 'text/html; charset=utf-8')
        policy = page.headers['Content-Security-Policy']
        contains(policy, "default-src 'none'")
        assert 'unsafe' not in policy and '*' not in policy, policy
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text), 'another host'
        assert not re.search(r'<script(?![^>]*src=)|<style|\son\w+=|style=', page.text), 'inline'
        for name in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            file = server.get(name)
            same((name, file.status), (name, 200))
            again = server.get(name, **{'If-None-Match': file.headers['ETag']})
            same((again.status, again.body), (304, b''))
        same(server.get('', method='HEAD').body, b'')


@test
def other_methods_and_bodies_are_refused():
    with Server(os.getpid()) as server:
        answer = server.get('', method='POST', data=b'x' * 100000)
        same((answer.status, answer.headers['Allow']), (405, 'GET, HEAD'))
        same(server.get('', method='DELETE').status, 405)
        same(server.get('', method='GET', data=b'body').status, 400)


@test
def a_page_of_another_name_that_points_here_is_refused():
    with Server(os.getpid()) as server:
        for host, status in (('evil.example', 421), ('127.0.0.1.evil.example:80', 421), ('192.0.2.1', 421), ('localhost:1', 200),
                             ('127.9.9.9', 200), ('[::1]:9469', 200), ('[::1', 421), ('', 421)):
            same((host, server.get('metrics', Host=host).status), (host, status))


def certificate(folder):
    if not shutil.which('openssl'):
        raise Skip('no openssl')
    cert, key = os.path.join(folder, 'cert.pem'), os.path.join(folder, 'key.pem')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                    '-nodes', '-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1',
                    '-keyout', key, '-out', cert], check=True, capture_output=True)
    return cert, key


def secrets(folder, text, mode=0o600):
    path = os.path.join(folder, 'auth')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    os.chmod(path, mode)
    return path


@test
def other_machines_are_served_only_with_tls_and_credentials():
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        auth = secrets(folder, 'bearer t\n')
        tls = ('--tls-cert', cert, '--tls-key', key)
        for address in ('0.0.0.0:0', ':0', '[::]:0', '192.0.2.1:0'):
            for given in ((), tls, ('--auth-file', auth)):
                serve_fails(2, 'other machines', '--listen', address, *given)
        serve_fails(2, 'belong together', '--tls-cert', cert)


@test
def tls_and_credentials_work():
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        auth = secrets(folder, '# who\n\nbasic ada:love:lace\nbearer s3cret-token\n')
        context = ssl.create_default_context(cafile=cert)
        with Server('--listen', '0.0.0.0:0', '--tls-cert', cert, '--tls-key', key, '--auth-file', auth,
                    os.getpid(), context=context) as server:
            same(server.url.split(':')[0], 'https')
            server.url = server.url.replace('0.0.0.0', '127.0.0.1')
            same(server.get('healthz').status, 200)
            refused = server.get('metrics')
            same(refused.status, 401)
            contains(str(refused.headers.get_all('WWW-Authenticate')), 'Basic realm="tendril"')

            def ask(value):
                return server.get('metrics', Authorization=value, Host='some.name').status

            def basic(text):
                return base64.b64encode(text.encode()).decode()
            same(ask('Basic ' + basic('ada:love:lace')), 200)
            same(ask('basic ' + basic('ada:love:lace')), 200)
            same(ask('Bearer s3cret-token'), 200)
            for wrong in ('Basic ' + basic('ada:love:lac'), 'Basic ' + basic('ada:love:lacf'), 'Basic ', 'Bearer',
                          'Bearer ', 'Bearer s3cret-tokens3cret-token', 'Bearer ' + basic('ada:love:lace'),
                          'Basic s3cret-token', 's3cret-token', 'Digest x'):
                same((wrong, ask(wrong)), (wrong, 401))


@test
def bad_options_are_one_line():
    with tempfile.TemporaryDirectory() as folder:
        for args, part in ((('--listen', 'here'), 'no ADDRESS:PORT'), (('--listen', '127.0.0.1:99999'), 'ADDRESS:PORT'),
                           (('--listen', 'example.org:80'), 'ADDRESS:PORT'), (('--interval', '0'), '0.1 to 3600'),
                           (('--interval', 'x'), 'number of seconds'), (('--max-series', '0'), '--max-series'),
                           (('--history', '-1'), '--history'), (('user:no-such-user-here',), 'no such user'),
                           (('--alert', 'hondles>3'), "no counter 'hondles'"), (('--call', 'x'), 'behind an --alert'),
                           (('--alert', 'leak', '--call', 'x'), "'x' is no http or https address")):
            serve_fails(2, part, *args)
        path = secrets(folder, 'basic a:b\nnonsense\n')
        serve_fails(2, 'line 2', '--listen', '127.0.0.1:0', '--auth-file', path)
        serve_fails(2, 'no line', '--listen', '127.0.0.1:0', '--auth-file', secrets(folder, '# nobody\n'))
        serve_fails(2, 'chmod 600', '--listen', '127.0.0.1:0', '--auth-file', secrets(folder, 'bearer x\n', 0o644))
        serve_fails(3, 'No such file', '--listen', '127.0.0.1:0', '--auth-file', path + '-not')
        path = secrets(folder, 'no pem')
        serve_fails(3, 'does not start', '--listen', '127.0.0.1:0', '--tls-cert', path, '--tls-key', path)
    with Server(os.getpid()) as server:
        serve_fails(3, 'in use', '--listen', '127.0.0.1:%d' % server.port)


def raw(server, data):
    """All that comes back, until the end."""
    with socket.create_connection(('127.0.0.1', server.port), SECONDS) as connection:
        connection.sendall(data)
        answer = b''
        with contextlib.suppress(ConnectionResetError):
            while True:
                part = connection.recv(65536)
                if not part:
                    break
                answer += part
        return answer


@test
def nonsense_is_refused_and_nothing_breaks():
    with Server(os.getpid()) as server:
        for data in (b'\x00\xff\x16\x03\x01' * 50 + b'\r\n\r\n', b'GET\r\n\r\n', b'GET / HTTP/9.9\r\nHost: localhost\r\n\r\n',
                     b'GET / HTTP/1.1\r\nHost: localhost\r\n' + b'X: ' + b'y' * 100000 + b'\r\n\r\n',
                     b'GET /' + b'a' * 100000 + b' HTTP/1.1\r\nHost: localhost\r\n\r\n',
                     b'GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n',
                     b'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'):
            answer = raw(server, data)
            assert answer == b'' or re.match(rb'HTTP/1\.[01] [45]\d\d ', answer), answer[:200]
        contains(raw(server, b'GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), b' 404 ')
        same(server.get('healthz').status, 200)


@contextlib.contextmanager
def hook(status=204):
    """Somebody who is called; what came is in the queue.  He answers when he is let."""
    got, let = queue.Queue(), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.put(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
            let.wait(SECONDS)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *unused):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield 'http://127.0.0.1:%d/hook' % server.server_address[1], got, let
    finally:
        let.set()
        server.shutdown()
        thread.join()
        server.server_close()


def end(victim):
    victim.process.kill()
    victim.process.wait()


def lines_of(path):
    with open(path, encoding='utf-8') as file:
        return file.read().splitlines()


@test
def alerts_run_commands_on_the_server_once_or_every_time():
    with Victim('tendril-al', 5) as victim, tempfile.TemporaryDirectory() as folder:
        once, every = os.path.join(folder, 'once'), os.path.join(folder, 'every')
        limit = victim.handles() + 5
        with Server('--alert', 'handles>%d tendril-al' % limit, '--run', 'echo "$TENDRIL_ALERT_PID" >> ' + once,
                    '--alert', 'handles>+3/min tendril-al', '--alert', 'processes<1 tendril-al',
                    '--run', 'echo "$TENDRIL_ALERT_NAME" >> %s; exit 7' % every, '--every-time',
                    victim.pid) as server, server.events() as stream:
            quiet = server.get('api/v1/alerts').json()
            same((quiet['fired'], quiet['events'], len(quiet['rules'])), (0, [], 3))
            same(quiet['rules'][0], {'rule': 'handles>%d tendril-al' % limit, 'active': 0, 'runs': True,
                                     'calls': False, 'every_time': False})
            victim.open(20)
            said = stream.alerts(lambda a: any(e['run'] and e['run']['state'] == 'exited' for e in a['events']))
            first = [e for e in said['events'] if e['rule'].startswith('handles>%d' % limit)]
            same([(e['event'], e['pid'], e['value'], e['run'], e['call'], e['outcome']) for e in first],
                 [('fired', victim.pid, victim.handles(), {'state': 'exited', 'code': 0}, None, 'exit 0')])
            same(lines_of(once), [str(victim.pid)])
            metrics = parse(server.get('metrics').text)
            same(value_of(metrics, 'tendril_alert_active', number='1'), 1)
            same(value_of(metrics, 'tendril_alert_active', rule='processes<1 tendril-al'), 0)
            assert value_of(metrics, 'tendril_alerts_fired_total') >= 1
            same(value_of(metrics, 'tendril_alert_actions_done_total'), 1)
            end(victim)
            said = stream.alerts(lambda a: any(e['outcome'] == 'exit 7' for e in a['events']))
            same(said['rules'][2]['active'], 1)
            assert any(e['ended'] for e in said['events']), said
            same(len(lines_of(every)), 1)
            contains(server.get('metrics').text, 'tendril_alert_actions_failed_total 1\n')


@test
def alerts_call_an_address_and_slow_ones_delay_no_sample():
    if not shutil.which('curl'):
        raise Skip('no curl')
    with Victim(b'a"b\n', 5) as victim, hook() as (url, got, let), \
            Server('--alert', 'handles>5', '--call', url, '--alert', 'handles>4', '--run', 'sleep 1000',
                   victim.pid) as server, server.events() as stream:
        body = got.get(timeout=SECONDS)
        same((body['event'], body['pid'], body['name'], body['value']),
             ('fired', victim.pid, 'a"b\n', victim.handles()))
        first = stream.event()
        server.wait_for_samples(8)
        said = server.get('api/v1/alerts').json()
        same([(e['call'] or e['run'])['state'] for e in said['events']], ['running', 'running'])
        last = server.get('api/v1/processes').json()
        missed = last['samples_missed'] - first['samples_missed']
        assert missed <= 2, missed  # a busy machine; who waited for them would miss all
        let.set()
        said = stream.alerts(lambda a: any(e['outcome'] == 'HTTP 204' for e in a['events']))
        assert url not in json.dumps(said) and 'sleep' not in json.dumps(said), said
        assert url not in server.get('metrics').text


@test
def many_clients_and_few_handles_miss_no_sample():
    """They are given a part of the handles only."""
    with Server('--interval', '0.5', os.getpid(), limit=64) as server, contextlib.ExitStack() as stack:
        first = server.get('api/v1/processes').json()
        with server.events() as stream:
            for _ in range(100):
                connection = stack.enter_context(socket.create_connection(('127.0.0.1', server.port), SECONDS))
                connection.sendall(b'GET /metrics HTTP/1.1\r\nHost: loc')
            last = stream.event()
            while last['sequence'] < first['sequence'] + 6:
                last = stream.event()
        missed = last['samples_missed'] - first['samples_missed']
        assert missed <= 2, missed
        same([p['pid'] for p in last['processes']], [os.getpid()])
        held = len(os.listdir('/proc/%d/fd' % server.process.pid))
        assert held < 40, held


@test
def live_pages_keep_nobody_out_where_handles_are_few():
    with Server('--interval', '0.5', os.getpid(), limit=256) as server, contextlib.ExitStack() as stack:
        for _ in range(100):
            connection = stack.enter_context(socket.create_connection(('127.0.0.1', server.port), SECONDS))
            connection.sendall(b'GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n')
        same(server.get('healthz').text, 'ok\n')
        contains(server.get('metrics').text, 'tendril_samples_missed_total 0\n')


@test
def an_outcome_does_not_wait_for_the_next_sample():
    with Server('--interval', 3600, '--alert', 'handles>3', '--run', 'sleep 0.5; exit 5', os.getpid()) as server, \
            server.events() as stream:
        same(stream.event()['sequence'], 1)
        stream.alerts(lambda a: [e['outcome'] for e in a['events']] == ['exit 5'])
        same(server.get('api/v1/processes').json()['sequence'], 1)
        contains(server.get('metrics').text, 'tendril_alert_actions_failed_total 1\n')


@test
def alerts_end_with_the_server():
    with Victim('tendril-end', 5) as victim, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'fifo')
        os.mkfifo(path)
        with Server('--alert', 'handles>3', '--run', 'echo up > %s; exec sleep 1000 > %s' % (path, path),
                    victim.pid):
            reader = os.open(path, os.O_RDONLY)
            same(os.read(reader, 10), b'up\n')
        # All that hold its other end are gone.
        os.set_blocking(reader, False)
        while os.read(reader, 10):
            pass
        os.close(reader)


@test
def nobody_adds_an_alert_from_elsewhere():
    with Server('--alert', 'leak', '--run', 'true', os.getpid()) as server:
        for method in ('POST', 'PUT', 'PATCH', 'DELETE'):
            same(server.get('api/v1/alerts', method=method).status, 405)
        same(server.get('api/v1/alerts', method='POST', data=b'{"rule":"handles>1","run":"id"}').status, 405)
        same(server.get('api/v1/alerts?rule=handles>1&run=id').status, 200)
        same(len(server.get('api/v1/alerts').json()['rules']), 1)
    with Server(os.getpid()) as server:
        same(server.get('api/v1/alerts').json()['rules'], [])
        assert 'tendril_alert' not in server.get('metrics').text


@test
def the_list_of_what_fired_is_bounded():
    with Victim('tendril-many', 1) as victim, contextlib.ExitStack() as stack:
        args = []
        for i in range(120):  # each of them fires, and clears at the end
            args += ['--alert', 'handles>%d' % (i % 3)]
        server = stack.enter_context(Server(*args, victim.pid))
        stream = stack.enter_context(server.events())
        said = stream.alerts(lambda a: a['fired'] == 120)
        same(len(said['events']), 120)
        end(victim)
        said = stream.alerts(lambda a: a['active'] == 0)
        same((len(said['events']), said['events'][0]['number'], said['events'][-1]['number']), (200, 41, 240))
        metrics = parse(server.get('metrics').text)  # two rules of the same text are two series
        same(len([1 for name, _ in metrics if name == 'tendril_alert_active']), 120)


@test
def slow_and_many_clients_miss_no_sample():
    """50 pages that never read, 100 half requests, and scrapers all the time."""
    with Server('--interval', '0.5') as server, contextlib.ExitStack() as stack:
        for i in range(150):
            connection = stack.enter_context(socket.create_connection(('127.0.0.1', server.port), SECONDS))
            connection.sendall(b'GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n' if i < 50 else
                               b'GET /metrics HTTP/1.1\r\nHost: loc')
        first = server.get('api/v1/processes').json()
        last = first
        while last['sequence'] < first['sequence'] + 8:
            for _ in range(10):
                same(server.get('metrics').status, 200)
            last = server.get('api/v1/processes').json()
        # A busy machine may cost a sample or two; clients that could delay them would cost every other.
        missed = last['samples_missed'] - first['samples_missed']
        assert missed <= 2, missed


def status_kb(server, key):
    with open('/proc/%d/status' % server.process.pid, encoding='utf-8') as file:
        return int(next(line for line in file if line.startswith(key)).split()[1])


def handles_of(server):
    return len(os.listdir('/proc/%d/fd' % server.process.pid))


class Crowd(threading.Thread):
    """So many connections, that each send a header line now and then and never come to an end; who is thrown out
    comes back."""

    def __init__(self, port, size):
        super().__init__()
        self.port, self.size, self.rounds, self.is_over = port, size, 0, False
        self.full = threading.Event()

    def connect(self):
        connection = socket.socket()
        connection.settimeout(1)
        with contextlib.suppress(OSError):
            connection.connect(('127.0.0.1', self.port))
            connection.send(b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n')
            connection.setblocking(False)
            return connection
        connection.close()
        return None

    def fill(self, connections):
        while len(connections) < self.size and not self.is_over:
            connection = self.connect()
            if not connection:  # no room left, and nobody is thrown out
                return
            connections.append(connection)

    def run(self):
        connections = []
        while not self.is_over:
            self.fill(connections)
            for connection in list(connections):
                try:
                    connection.send(b'X: y\r\n')
                    if connection.recv(4096) == b'':
                        raise ConnectionError
                except BlockingIOError:
                    continue
                except OSError:
                    connection.close()
                    connections.remove(connection)
            self.rounds += 1
            if self.rounds > 2:
                self.full.set()
        for connection in connections:
            connection.close()

    def __enter__(self):
        self.start()
        assert self.full.wait(SECONDS)
        return self

    def __exit__(self, *unused):
        self.is_over = True
        self.join()


@contextlib.contextmanager
def many_handles():
    """Not for those that are started meanwhile: they inherit the hard limit only."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        raise Skip('not enough handles to be had')
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@test
def slow_clients_do_not_keep_others_out():
    with Server('--interval', '0.5') as server, server.events() as page, many_handles():
        first = page.event()
        with Crowd(server.port, 450) as crowd:
            rounds = crowd.rounds
            while crowd.rounds < rounds + 3:
                same(server.get('healthz').status, 200)
                same(server.get('metrics').status, 200)
            assert handles_of(server) < 1000, handles_of(server)
        last = page.event()  # a live page stays all the time
        assert last['samples_missed'] - first['samples_missed'] <= 2, (first['samples_missed'], last['samples_missed'])
        assert status_kb(server, 'VmRSS') < 64 * 1024, status_kb(server, 'VmRSS')


@test
def connections_that_say_nothing_over_tls_do_not_keep_others_out():
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        cert, key = certificate(folder)
        server = stack.enter_context(Server('--tls-cert', cert, '--tls-key', key, os.getpid(),
                                            context=ssl.create_default_context(cafile=cert)))
        stack.enter_context(many_handles())
        for number in range(600):
            connection = stack.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex(('127.0.0.1', server.port))
            if number % 3:
                select.select([], [connection], [], SECONDS)
                with contextlib.suppress(OSError):
                    connection.send((b'\x16\x03\x01\x02\x00\x01', b'GET / HTTP/1.1\r\n\r\n')[number % 2])
            if number % 50 == 49:
                same(server.get('healthz').status, 200)
        same(server.get('metrics').status, 200)


@test
def thousands_of_connections_leave_nothing_behind():
    with Server(os.getpid()) as server:
        same(server.get('metrics').status, 200)
        for number in range(1600):
            with socket.create_connection(('127.0.0.1', server.port), SECONDS) as connection:
                if number % 4:
                    connection.sendall((b'GET /metr', b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n',
                                        b'\xff' * 100)[number % 4 - 1])
            if number == 800:
                memory = status_kb(server, 'VmRSS')
        # Half a request is waited for, although nobody is there any more: but not by too many.
        assert handles_of(server) < 400, handles_of(server)
        assert status_kb(server, 'VmRSS') < memory + 4096, (memory, status_kb(server, 'VmRSS'))
        same(server.get('metrics').status, 200)


@test
def who_has_said_all_and_listens_on_is_answered():
    with Server(os.getpid()) as server, socket.create_connection(('127.0.0.1', server.port), SECONDS) as connection:
        connection.sendall(b'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
        connection.shutdown(socket.SHUT_WR)
        answer = b''
        while part := connection.recv(65536):
            answer += part
        contains(answer, b' 200 OK')
        contains(answer, b'tendril_samples_total')


@test
def every_route_has_a_head_and_no_other_method():
    routes = ['', 'metrics', 'healthz', 'api/v1/processes', 'api/v1/history?pid=%d' % os.getpid(), 'api/v1/events',
              'nothing']
    with Server(os.getpid()) as server:
        for route in routes:
            with server_head(server, route) as head:
                same((route, head.status, head.read()), (route, 404 if route == 'nothing' else 200, b''))
            for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'PROPFIND', 'get'):
                answer = server.get(route, method=method)
                same((route, method, answer.status, answer.headers['Allow']), (route, method, 405, 'GET, HEAD'))


def server_head(server, route):
    try:
        return server.open(route, method='HEAD')
    except urllib.error.HTTPError as error:
        return error


@test
def what_is_unchanged_is_not_sent_again():
    with Server(os.getpid()) as server:
        tag = server.get('').headers['ETag']
        for given, status in ((tag, 304), ('W/' + tag, 304), ('"other", ' + tag, 304), ('*', 304), ('"other"', 200),
                              (tag[1:-1], 200), ('', 200), ('"' + 'x' * 8000 + '"', 200)):
            same((given[:40], server.get('', **{'If-None-Match': given}).status), (given[:40], status))


@test
def no_path_leads_elsewhere():
    with Server(os.getpid()) as server:
        for path in (b'/../etc/passwd', b'/%2e%2e/%2e%2e/etc/passwd', b'/..%2f..%2fetc%2fpasswd', b'//etc/passwd', b'/.',
                     b'/./metrics', b'/metrics/', b'/metrics%0a', b'/\\..\\', b'/proc/self/environ',
                     b'http://evil.example/etc/passwd', b'/%ff%fe', b'/metrics%2f..%2f..', b'*', b'metrics'):
            answer = raw(server, b'GET ' + path + b' HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
            assert re.match(rb'HTTP/1\.1 4\d\d ', answer) and b'root:' not in answer, (path, answer[:300])
        same(server.get('healthz').status, 200)


@test
def without_credentials_there_is_nothing_to_see():
    with tempfile.TemporaryDirectory() as folder:
        auth = secrets(folder, 'bearer t0ken\n')
        with Server('--auth-file', auth, os.getpid()) as server:
            page = server.get('', Authorization='Bearer t0ken')
            files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
            assert files
            for route in ['', 'metrics', 'metrics?pids=1', 'api/v1/processes', 'api/v1/history?pid=1', 'api/v1/events',
                          'nothing'] + files:
                for given in (None, 'Bearer wrong', 'Basic ' + 'A' * 9000, 'Bearer t0ken ,', 'Bearer t0ke', 'Bearer'):
                    answer = server.get(route, Authorization=given)
                    same((route, given and given[:20], answer.status, answer.text),
                         (route, given and given[:20], 401, 'who are you?\n'))
            same(server.get('healthz').text, 'ok\n')
            same(server.get('metrics', Authorization='Bearer t0ken').status, 200)


@test
def very_long_selectors_are_taken_or_refused():
    with Victim('tendril-long', 1) as victim:
        with Server(*['nobody-%d' % i for i in range(3000)], victim.pid) as server:
            process, = server.get('api/v1/processes').json()['processes']
            same(process['pid'], victim.pid)
        with Server('x' * 100000, victim.pid) as server:
            same(len(server.get('api/v1/processes').json()['processes']), 1)
    serve_fails(2, 'no such user', 'user:' + 'x' * 100000)


main(sys.argv, __name__)
