#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""watch-pictures.py TENDRIL FOLDER - the pictures of tendril watch in the README, made anew

A real run in tmux over nginx, Redis, a small web server and a process that loses handles, drawn as a
terminal would and photographed by headless Chromium.  Report and alerts need a verdict about a leak,
which takes more than an hour: for those faketime lets the program's clock run 300 times as fast.

Needs tmux, nginx, redis-server, python3, faketime and chromium.  Takes three minutes.
"""
import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

COLUMNS = 100
WIDTH, HEIGHT, SIZE = 11, 22, 18  # of a cell and of the font, in pixels
COLOURS = ['#1c1f26', '#ef6b73', '#8cc265', '#e5b567', '#6aa7f0', '#c792ea', '#56c7d6', '#d7dae0']
PLAIN, PAPER = '#d7dae0', '#15181e'
SELF = os.path.abspath(__file__)

# A service that forgets handles, and one whose handles come and go with its load.
LEAKING = '''
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(15, b"thumbnailer", 0, 0, 0)
held = [os.open("/dev/null", os.O_RDONLY) for _ in range(60)]
while True:
    time.sleep(float(sys.argv[1]))
    held.append(os.open("/dev/null", os.O_RDONLY))
'''


# Cells

class Look:
    def __init__(self):
        self.bold = self.faint = self.underlined = self.reversed = False
        self.colour = None

    def take(self, codes):
        codes = [int(c or 0) for c in codes.split(';')]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()
            elif code in (1, 2, 4, 7):
                setattr(self, {1: 'bold', 2: 'faint', 4: 'underlined', 7: 'reversed'}[code], True)
            elif code == 22:
                self.bold = self.faint = False
            elif code in (24, 27):
                setattr(self, {24: 'underlined', 27: 'reversed'}[code], False)
            elif 30 <= code <= 37:
                self.colour = COLOURS[code - 30]
            elif 90 <= code <= 97:
                self.colour = COLOURS[code - 90]
            elif code == 39:
                self.colour = None

    def colours(self):
        ink, paper = self.colour or PLAIN, None
        return (PAPER, ink) if self.reversed else (ink, paper)


def draw_dots(c, x, y, ink):
    bits = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    return ''.join('<circle cx="%.2f" cy="%.2f" r="1.9" fill="%s"/>' %
                   (x + WIDTH * (0.27 + 0.46 * column), y + HEIGHT * (0.14 + 0.24 * row), ink)
                   for bit, (column, row) in enumerate(bits) if (ord(c) - 0x2800) >> bit & 1)


def draw_cell(c, x, y, look):
    ink, paper = look.colours()
    out = ''
    if paper:
        out += '<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>' % (
            x, y, WIDTH, HEIGHT, paper)
    if look.underlined:
        out += '<rect x="%d" y="%d" width="%d" height="1" fill="%s"/>' % (
            x, y + HEIGHT - 3, WIDTH, ink)
    if '\u2800' <= c <= '\u28ff':
        return out + draw_dots(c, x, y, ink)
    if '\u2581' <= c <= '\u2588':
        part = (ord(c) - 0x2580) / 8 * (HEIGHT - 4)
        return out + '<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" fill="%s"/>' % (
            x, y + HEIGHT - 2 - part, WIDTH - 1, part, ink)
    if c == ' ':
        return out
    return out + '<text x="%.2f" y="%.2f" fill="%s"%s%s>%s</text>' % (
        x, y + HEIGHT * 0.76, ink, ' font-weight="bold"' if look.bold else '',
        ' opacity="0.6"' if look.faint else '', html.escape(c))


def picture(screen):
    out, look, lines = [], Look(), screen.rstrip('\n').split('\n')
    for row, line in enumerate(lines):
        column = 0
        for part in re.findall(r'\x1b\[([\d;]*)m|(.)', line):
            if part[1]:
                out.append(draw_cell(part[1], 12 + column * WIDTH, 10 + row * HEIGHT, look))
                column += 1
            else:
                look.take(part[0])
    width, height = round(COLUMNS * WIDTH + 24), len(lines) * HEIGHT + 20
    return width, height, (
        '<!DOCTYPE html><body style="margin:0;background:%s"><svg width="%d" height="%d" '
        'font-family="DejaVu Sans Mono, monospace" font-size="%d" xml:space="preserve">%s</svg>' %
        (PAPER, width, height, SIZE, ''.join(out)))


def photograph(screen, path, folder):
    width, height, page = picture(screen)
    with open(folder + '/page.html', 'w', encoding='utf-8') as file:
        file.write(page)
    subprocess.run(['chromium', '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars',
                    '--user-data-dir=' + folder + '/browser', '--window-size=%d,%d' % (width, height),
                    '--screenshot=' + path, 'file://' + folder + '/page.html'],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    print(path, flush=True)


# What is watched

class Services:
    """nginx under a load that comes in waves, Redis, a web server, and a process that leaks."""

    def __init__(self, folder, leak_every):
        self.folder, self.processes = folder, []
        self.start('nginx', '-p', folder, '-e', folder + '/error.log', '-c', self.nginx_config())
        self.start('redis-server', '--port', '0', '--unixsocket', folder + '/redis', '--dir', folder,
                   '--save', '')
        self.start(sys.executable, '-m', 'http.server', '--bind', '127.0.0.1', '0')
        self.start(sys.executable, '-c', LEAKING, str(leak_every))
        self.ends = threading.Event()
        self.load = threading.Thread(target=self.make_load, daemon=True)
        self.load.start()

    def nginx_config(self):
        with open(self.folder + '/nginx.conf', 'w', encoding='ascii') as file:
            file.write('daemon off; worker_processes 2; pid %s/pid; worker_rlimit_nofile 1024; '
                       'events {} http { access_log off; keepalive_timeout 600; server { '
                       'listen unix:%s/web; } }' % (self.folder, self.folder))
        return self.folder + '/nginx.conf'

    def start(self, *words):
        self.processes.append(subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                               stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL, cwd=self.folder))

    def make_load(self):
        import math
        import socket
        held, began = [], time.monotonic()
        while not self.ends.wait(0.25):
            wave = math.sin((time.monotonic() - began) / 5)
            wanted = int(60 + 40 * wave + 10 * math.sin((time.monotonic() - began) * 2))
            while len(held) > wanted:
                held.pop(0).close()
            while len(held) < wanted:
                client = socket.socket(socket.AF_UNIX)
                try:
                    client.connect(self.folder + '/web')
                except OSError:
                    break  # nginx is not there yet
                held.append(client)

    def pids(self):
        own = [p.pid for p in self.processes]
        with open('/proc/%d/task/%d/children' % (own[0], own[0]), encoding='ascii') as file:
            return own + [int(word) for word in file.read().split()]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.ends.set()
        self.load.join()
        for process in self.processes:
            process.terminate()
            process.wait()


class Terminal:
    def __init__(self, folder, rows, words):
        self.socket = folder + '/tmux'
        self.tmux('new-session', '-d', '-x', COLUMNS, '-y', rows, 'env', 'LC_ALL=C.UTF-8', 'TZ=UTC',
                  'TERM=screen-256color', *words)

    def tmux(self, *words):
        return subprocess.run(['tmux', '-u', '-S', self.socket, '-f', '/dev/null'] +
                              [str(w) for w in words], check=True, stdout=subprocess.PIPE,
                              timeout=15).stdout.decode()

    def keys(self, *keys):
        self.tmux('send-keys', *keys)

    def line(self, text):
        self.tmux('send-keys', '-l', text)
        self.keys('Enter')

    def until(self, pattern, seconds=150):
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.tmux('capture-pane', '-p'), re.M):
            if time.monotonic() > deadline:
                sys.exit('%s: never came: %s\n%s' % (SELF, pattern, self.tmux('capture-pane', '-p')))
            time.sleep(0.1)
        return self.tmux('capture-pane', '-p', '-e', '-N')

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.tmux('kill-server')


def started(services):
    deadline = time.monotonic() + 10
    while len(services.pids()) < 6 or len(os.listdir('/proc/%d/fd' % services.processes[-1].pid)) < 60:
        if time.monotonic() > deadline:
            sys.exit('%s: the services do not start' % SELF)
        time.sleep(0.05)
    return [str(pid) for pid in services.pids()]


def report_and_alert(tendril, folder, out):
    with Services(folder, 0.3) as services, \
            Terminal(folder, 14, ['faketime', '-f', '+0 x300', tendril, 'watch', '--interval', '0.2',
                                  '--alert', 'leak', '--alert', 'handles>60 nginx'] +
                     started(services)) as terminal:
        terminal.until(r'thumbnailer .*/h ')
        terminal.keys('Down')
        time.sleep(1)  # what was selected is drawn, and the curves have moved on
        photograph(terminal.until(r'thumbnailer .*/h '), out + '/watch-report.png', folder)
        terminal.keys('3')
        photograph(terminal.until(r'FIRED .*thumbnailer'), out + '/watch-alert.png', folder)


def chart_and_log(tendril, folder, out):
    with Services(folder, 0.5) as services, \
            Terminal(folder, 26, [tendril, 'watch', '--interval', '0.25', '--view', 'log'] +
                     started(services)) as terminal:
        terminal.until('^not recording')
        terminal.keys('r')
        terminal.line('evening.tlog')
        terminal.until('^recording [1-9]')
        for samples, mark in [(40, 'release 2.4.0 goes live'), (110, 'uploads are slow, says support'),
                              (170, 'cache warmed')]:
            terminal.until('^recording (%s) ' % '|'.join(str(samples + i) for i in range(20)))
            terminal.keys('b')
            terminal.line(mark)
        terminal.keys('2')
        terminal.until('Last')
        time.sleep(5)  # the width of the chart is full
        photograph(terminal.until('Last'), out + '/watch-chart.png', folder)
        terminal.keys('4', 'r')
        terminal.until('^not recording')
        terminal.keys('o')
        terminal.line('evening.tlog')
        terminal.until('^window')
        terminal.keys('[')
        terminal.tmux('resize-window', '-x', COLUMNS, '-y', 12)
        terminal.keys('Down', 'Enter')
        time.sleep(1)  # the window has been read and drawn
        photograph(terminal.until('^window'), out + '/watch-log.png', folder)


def main():
    if len(sys.argv) != 3:
        sys.exit('usage: %s TENDRIL FOLDER' % sys.argv[0])
    missing = [p for p in ['tmux', 'nginx', 'redis-server', 'faketime', 'chromium']
               if not shutil.which(p)]
    if missing:
        sys.exit('missing: ' + ' '.join(missing))
    tendril, out = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    for scene in [report_and_alert, chart_and_log]:
        with tempfile.TemporaryDirectory(prefix='watch-pictures-') as folder:
            os.chmod(folder, 0o755)
            os.chdir(folder)
            scene(tendril, folder, out)
            os.chdir('/')


if __name__ == '__main__':
    main()
