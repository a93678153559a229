#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_serve_real.py TENDRIL - the page in Chromium, and the rules in Prometheus and Alertmanager

Prints TAP.  With TENDRIL_SCREENSHOTS=DIRECTORY the pictures of the page stay there.
"""
import contextlib
import glob
import http.server
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import webdriver
from serve_support import SECONDS, Server, Skip, Victim, contains, main, same, test

PACKAGING = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, 'packaging')
PROMETHEUS = os.path.join(PACKAGING, 'prometheus')
NAME = '<b>lea"ky</b>'


# --- the page ----------------------------------------------------------------------------------

@contextlib.contextmanager
def browser():
    why = webdriver.missing()
    if why:
        raise Skip(why)
    opened = webdriver.Browser()
    try:
        yield opened
    finally:
        opened.close()


def legend(page, name):
    """The cells of its row in the table below the chart."""
    return page.wait('[...document.querySelectorAll("#legend tbody tr")].map((row) => '
                     '[...row.cells].map((cell) => cell.textContent)).find((row) => row[0] === arguments[0])', name)


def focused(page):
    return page.script('return document.activeElement.id || document.activeElement.textContent')


def picture(page, name):
    folder = os.environ.get('TENDRIL_SCREENSHOTS')
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(folder or temporary, name + '.png')
        page.screenshot(path)
        assert os.path.getsize(path) > 5000


def is_clean(page, url):
    """Nothing to complain of, and no other host asked."""
    same([entry['message'] for entry in page.log('browser')], [])
    asked = [address for address in page.requests() if not address.startswith(('chrome:', 'data:'))]
    assert asked and all(address.startswith(url) for address in asked), asked


@test
def page_shows_a_known_process_live():
    with Victim(NAME, 30) as victim, Server(victim.pid) as server, browser() as page:
        page.open(server.url)
        cells = legend(page, NAME)
        same(cells[1], str(victim.pid))
        before = victim.handles()
        page.wait('[...document.querySelectorAll("#legend tbody td")][3].textContent === arguments[0]', str(before))
        victim.open(12)
        page.wait('[...document.querySelectorAll("#legend tbody td")][3].textContent === arguments[0]',
                  str(before + 12))
        same(legend(page, NAME)[3:7:3], [str(before + 12)] * 2)  # last and maximum
        same(legend(page, NAME)[4], str(before))
        # The line is drawn: there are points that are not of the grid's colours.
        page.wait('''(() => {
            const canvas = document.querySelector("#plot canvas"), at = canvas.getContext("2d");
            const data = at.getImageData(0, 0, canvas.width, canvas.height).data;
            for (let i = 0; i < data.length; i += 4)
                if (data[i + 2] - data[i] > 100 && data[i + 3] === 255) return true;
            return false; })()''')
        picture(page, 'chart-light')
        is_clean(page, server.url)


@test
def page_is_used_by_keyboard_alone():
    with Victim(NAME, 30) as victim, Victim('tendril-calm', 5) as calm, Server(victim.pid, calm.pid) as server, \
            browser() as page:
        page.open(server.url)
        legend(page, NAME)
        page.keys('Tab')
        same(focused(page), 'tab-chart')
        page.keys('ArrowRight')
        same(focused(page), 'tab-report')
        same(page.script('return [...document.querySelectorAll("main > section")].filter((one) => !one.hidden)'
                         '.map((one) => one.id)'), ['view-report'])
        page.wait('document.querySelectorAll("#report tbody tr").length === 2')
        page.keys('Tab')
        same(focused(page), 'filter')
        page.type('calm')
        page.wait('document.querySelectorAll("#report tbody tr").length === 1')
        for _ in range(page.script('return document.querySelectorAll("#report th").length') + 1):
            page.keys('Tab')
        contains(focused(page), 'tendril-calm')
        page.keys('Enter')  # takes it out of the chart
        page.wait('document.querySelectorAll("#legend tbody tr").length >= 0 && '
                  '!document.querySelector("#report tr.charted")')
        page.keys('Enter')  # and puts it back
        page.wait('document.querySelector("#report tr.charted")')
        page.script('document.getElementById("tab-report").focus()')
        page.keys('End')
        same(focused(page), 'tab-alert')
        page.keys('Home')
        same(focused(page), 'tab-chart')
        same(legend(page, 'tendril-calm')[1], str(calm.pid))
        page.script('document.querySelector("#legend tbody tr[tabindex=\\"0\\"]").focus()')
        page.keys('ArrowDown', 'h')
        page.wait('document.querySelector("#legend tr.strong") === document.activeElement')
        gone = page.script('return document.activeElement.dataset.id')
        page.keys('Delete')
        page.wait('[...document.querySelectorAll("#legend tbody tr")].every((row) => row.dataset.id !== arguments[0])', gone)
        page.wait('document.activeElement.dataset.id')  # the focus is on the other one
        is_clean(page, server.url)


@test
def page_alerts_when_a_limit_is_crossed():
    with Victim(NAME, 30) as victim, Server(victim.pid) as server, browser() as page:
        page.open(server.url)
        legend(page, NAME)
        page.script('document.getElementById("tab-alert").click();'
                    'document.getElementById("alert-counter").value = "handles";'
                    'document.getElementById("alert-limit").value = arguments[0];'
                    'document.querySelector("#alert-form button").click()', victim.handles())
        page.wait('document.querySelectorAll("#rules li").length === 1')
        same(page.script('return document.getElementById("fired").children.length'), 0)
        page.script('document.getElementById("tab-chart").click()')
        victim.open(1)
        page.wait('document.getElementById("alert-count").textContent === "1"')
        page.script('document.getElementById("tab-alert").click()')
        contains(page.script('return document.getElementById("fired").textContent'), '%s (%d)' % (NAME, victim.pid))
        server.wait_for_samples(3)
        same(page.script('return document.getElementById("fired").children.length'), 1)  # once
        picture(page, 'alert-light')
        is_clean(page, server.url)


@test
def page_shows_alerts_of_the_server():
    with Victim(NAME, 30) as victim:
        limit = victim.handles() + 5
        with Server('--alert', 'handles>%d' % limit, '--run', 'exit 3', '--every-time', '--alert', 'handles>80%',
                    victim.pid) as server, browser() as page:
            page.open(server.url)
            legend(page, NAME)
            page.wait('document.querySelectorAll("#server-rules li").length === 2')
            same(page.script('return document.querySelector("#server-rules li").textContent'),
                 'handles>%d – runs a command, every time' % limit)
            same(page.script('return document.getElementById("alert-count").hidden'), True)
            victim.open(20)
            page.wait('document.getElementById("alert-count").textContent === "1"')
            page.script('document.getElementById("tab-alert").click()')
            page.wait('document.querySelector("#server-fired tbody tr td:last-child").textContent === "exit 3"')
            same(page.script('return [...document.querySelectorAll("#server-fired tbody tr td")].slice(1)'
                             '.map((cell) => cell.textContent)'),
                 ['fired', NAME, str(victim.pid), 'handles>%d' % limit, str(victim.handles()), 'exit 3'])
            page.wait('document.querySelector("#server-rules li").textContent.includes("1 now")')
            same(page.script('return document.querySelectorAll("#server-fired b").length'), 0)  # no markup
            picture(page, 'alert-server-light')
            page.colours('dark')
            picture(page, 'alert-server-dark')
            is_clean(page, server.url)


@test
def page_is_dark_where_that_is_wished():
    with Victim(NAME, 30) as victim, Server(victim.pid) as server, browser() as page:
        page.open(server.url)
        legend(page, NAME)
        grounds = {}
        for scheme in ('light', 'dark'):
            page.colours(scheme)
            ground = page.script('return getComputedStyle(document.querySelector("main")).backgroundColor')
            grounds[scheme] = sum(int(part) for part in re.findall(r'\d+', ground)[:3]) / 3
        assert grounds['light'] > 200 and grounds['dark'] < 60, grounds
        picture(page, 'chart-dark')
        page.script('document.getElementById("tab-report").click()')
        page.wait('document.querySelectorAll("#report tbody tr").length')
        picture(page, 'report-dark')
        is_clean(page, server.url)


@test
def page_says_when_the_server_is_gone():
    with browser() as page:
        with Server(os.getpid()) as server:
            page.open(server.url)
            page.wait('document.getElementById("status").className === "live"')
        page.wait('document.getElementById("status").textContent.startsWith("no connection")')


# --- the fleet ---------------------------------------------------------------------------------

def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip('no ' + program)


@test
def rules_hold_in_promtool():
    need('promtool')
    for command in (['check', 'config', 'scrape.yml'], ['test', 'rules', 'rules.test.yml']):
        run = subprocess.run(['promtool'] + command, cwd=PROMETHEUS, capture_output=True, text=True,
                             timeout=SECONDS, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


@test
def alertmanager_takes_the_example():
    need('amtool')
    run = subprocess.run(['amtool', 'check-config', 'alertmanager.yml'], cwd=PROMETHEUS, capture_output=True,
                         text=True, timeout=SECONDS, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def shipped(name):
    with open(os.path.join(PROMETHEUS, name), encoding='utf-8') as file:
        return file.read()


def metrics_of(text):
    return set(re.findall(r'\btendril(?:_[a-z]+)+\b', text))


@test
def every_metric_that_is_asked_for_is_served():
    with Server(os.getpid()) as server:
        served = metrics_of(server.get('metrics').text)
    for path in glob.glob(os.path.join(PROMETHEUS, '*.rules.yml')) + \
            glob.glob(os.path.join(PROMETHEUS, 'consoles', '*')) + glob.glob(os.path.join(PACKAGING, 'grafana', '*')):
        with open(path, encoding='utf-8') as file:
            text = file.read()
        asked = metrics_of(text) - {'tendril_recording', 'tendril_alerting'}
        assert asked and asked <= served, (path, asked - served)
        if path.endswith('.json'):
            ids = [panel['id'] for panel in json.loads(text)['panels']]
            same(len(ids), len(set(ids)))


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def webhook():
    """A receiver of Alertmanager's; what it gets is in the queue."""
    got = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.put(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *unused):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def running(folder, name, *args):
    with open(os.path.join(folder, name + '.log'), 'wb') as log:
        process = subprocess.Popen([name] + list(args), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def write(folder, name, text):
    with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
        file.write(text)


def hasten(text):
    """Three hours become fifteen seconds; what is compared stays."""
    for slow, fast in (('[15m]', '[4s]'), ('[3h]', '[15s]'), ('for: 30m', 'for: 2s'), ('for: 5m', 'for: 2s'),
                       ('_interval: 30s', '_interval: 1s'), ('scrape_timeout: 10s', 'scrape_timeout: 1s')):
        text = text.replace(slow, fast)
    return text


def replaced(text, old, new):
    contains(text, old)
    return text.replace(old, new)


def wait_for_alert(got, name, leak, seconds):
    deadline = time.monotonic() + seconds
    seen = []
    while time.monotonic() < deadline:
        leak()
        with contextlib.suppress(queue.Empty):
            for alert in got.get(timeout=0.25)['alerts']:
                seen.append((alert['labels'].get('alertname'), alert['labels'].get('name')))
                if alert['status'] == 'firing' and alert['labels']['alertname'] == name:
                    return alert
    raise AssertionError('no %s came, but %r' % (name, seen))


@test
def a_process_that_leaks_makes_the_alert_fire():
    need('prometheus', 'prometheus-alertmanager')
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        calm = stack.enter_context(Victim('tendril-calm', 50))
        leaky = stack.enter_context(Victim('tendril-leaky', 50))
        server = stack.enter_context(Server('--interval', '0.5', calm.pid, leaky.pid))
        hook_port, got = stack.enter_context(webhook())
        alert_port, prometheus_port = free_port(), free_port()
        write(folder, 'alertmanager.yml', replaced(
            shipped('alertmanager.yml'), '127.0.0.1:9099', '127.0.0.1:%d' % hook_port)
            .replace('group_wait: 30s', 'group_wait: 1s'))
        for name in ('recording.rules.yml', 'alerting.rules.yml'):
            write(folder, name, hasten(shipped(name)))
        config = replaced(hasten(shipped('scrape.yml')), '127.0.0.1:9469', '127.0.0.1:%d' % server.port)
        write(folder, 'prometheus.yml', replaced(config, '127.0.0.1:9093', '127.0.0.1:%d' % alert_port))
        stack.enter_context(running(folder, 'prometheus-alertmanager', '--config.file=alertmanager.yml',
                                    '--storage.path=a', '--cluster.listen-address=',
                                    '--web.listen-address=127.0.0.1:%d' % alert_port))
        stack.enter_context(running(folder, 'prometheus', '--config.file=prometheus.yml', '--storage.tsdb.path=p',
                                    '--web.console.templates=' + os.path.join(PROMETHEUS, 'consoles'),
                                    '--web.listen-address=127.0.0.1:%d' % prometheus_port))
        alert = wait_for_alert(got, 'HandlesLeaking', lambda: leaky.open(4), 3 * SECONDS)
        same((alert['labels']['name'], alert['labels']['severity']), ('tendril-leaky', 'warning'))
        contains(alert['annotations']['summary'], 'tendril-leaky seems to leak handles')
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        base = 'http://127.0.0.1:%d/' % prometheus_port
        with opener.open(base + 'api/v1/alerts', timeout=SECONDS) as answer:
            names = {one['labels'].get('name') for one in json.load(answer)['data']['alerts']}
        same(names, {'tendril-leaky'})  # the calm one is left in peace
        with opener.open(base + 'api/v1/targets', timeout=SECONDS) as answer:
            target, = json.load(answer)['data']['activeTargets']
        same((target['health'], target['lastError']), ('up', ''))
        with opener.open(base + 'consoles/tendril.html', timeout=SECONDS) as answer:
            contains(answer.read().decode(), 'tendril-leaky')


main(sys.argv, __name__)
