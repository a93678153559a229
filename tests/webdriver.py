# SPDX-License-Identifier: BSD-2-Clause
"""A browser to look at pages with: headless Chromium, by WebDriver, with nothing but the standard library"""
import base64
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
import urllib.request

ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'
KEYS = {'Tab': '\ue004', 'Enter': '\ue007', 'Delete': '\ue017', 'ArrowLeft': '\ue012', 'ArrowUp': '\ue013',
        'ArrowRight': '\ue014', 'ArrowDown': '\ue015', 'Home': '\ue011', 'End': '\ue010'}


def missing():
    """What is not installed, or None."""
    for name in ('chromedriver', 'chromium'):
        if not shutil.which(name):
            return 'no ' + name
    return None


class Browser:
    def __init__(self, seconds=60):
        self.seconds = seconds
        self.session = None
        self.profile = tempfile.mkdtemp(prefix='tendril-browser-')
        self.driver = subprocess.Popen(['chromedriver', '--port=0'], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       env=dict(os.environ, HOME=self.profile))
        try:
            self.base = 'http://127.0.0.1:%d' % self.port()
            self.begin()
        except BaseException:
            self.close()
            raise

    def port(self):
        deadline = time.monotonic() + self.seconds
        text = b''
        while time.monotonic() < deadline:
            if select.select([self.driver.stdout], [], [], 1)[0]:
                text += os.read(self.driver.stdout.fileno(), 4096)
                found = re.search(rb'on port (\d+)\.', text)
                if found:
                    return int(found.group(1))
        raise TimeoutError('chromedriver names no port: %r' % text)

    def begin(self):
        options = {'args': ['--headless=new', '--no-sandbox', '--disable-gpu', '--window-size=1200,850',
                            '--disable-dev-shm-usage', '--user-data-dir=' + self.profile,
                            '--disable-background-networking', '--no-first-run', '--lang=en']}
        got = self.call('POST', '/session', {'capabilities': {'alwaysMatch': {
            'browserName': 'chrome', 'goog:chromeOptions': options,
            'goog:loggingPrefs': {'browser': 'ALL', 'performance': 'ALL'}}}})
        self.session = got['sessionId']
        self.base += '/session/' + self.session

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={'Content-Type': 'application/json'})
        try:
            with urllib.request.urlopen(request, timeout=self.seconds) as answer:
                return json.load(answer)['value']
        except urllib.error.HTTPError as error:
            raise AssertionError('WebDriver: %s' % error.read().decode('utf-8', 'replace')[:500]) from None

    def open(self, url):
        self.call('POST', '/url', {'url': url})

    def script(self, text, *args):
        return self.call('POST', '/execute/sync', {'script': text, 'args': list(args)})

    def wait(self, text, *args):
        """Until the script returns something true; what it is."""
        deadline = time.monotonic() + self.seconds
        while True:
            got = self.script('return ' + text, *args)
            if got:
                return got
            if time.monotonic() > deadline:
                raise AssertionError('never true: ' + text)
            time.sleep(0.05)

    def keys(self, *names):
        actions = []
        for name in names:
            key = KEYS.get(name, name)
            actions += [{'type': 'keyDown', 'value': key}, {'type': 'keyUp', 'value': key}]
        self.call('POST', '/actions', {'actions': [{'type': 'key', 'id': 'keys', 'actions': actions}]})

    def type(self, text):
        self.keys(*text)

    def colours(self, scheme):
        self.call('POST', '/goog/cdp/execute', {'cmd': 'Emulation.setEmulatedMedia', 'params': {
            'features': [{'name': 'prefers-color-scheme', 'value': scheme}]}})

    def log(self, kind):
        return self.call('POST', '/se/log', {'type': kind})

    def requests(self):
        """The addresses that were asked for since the last call."""
        found = []
        for entry in self.log('performance'):
            message = json.loads(entry['message'])['message']
            if message['method'] == 'Network.requestWillBeSent':
                found.append(message['params']['request']['url'])
        return found

    def screenshot(self, path):
        with open(path, 'wb') as file:
            file.write(base64.b64decode(self.call('GET', '/screenshot')))

    def close(self):
        try:
            if self.session:
                self.call('DELETE', '')
        finally:
            self.driver.terminate()
            self.driver.wait()
            self.driver.stdout.close()
            shutil.rmtree(self.profile, ignore_errors=True)
