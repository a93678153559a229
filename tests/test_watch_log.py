#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_watch_log.py TENDRIL - tendril watch and logs: windows of time, extremes, large ones

Prints TAP.  Each test has a tmux server of its own, and logs whose contents are known.
"""
import contextlib
import os
import re
import signal
import subprocess
import tempfile

from watch_support import (CPU, HANDLES, LIMIT, RESIDENT, SECONDS, TENDRIL, THREADS, Log, Target,
                           Terminal, braille, main, row_of, same, test)

NOON = 1700049600000  # 2023-11-15 12:00 UTC, in milliseconds
UTC = {'TZ': 'UTC'}


@contextlib.contextmanager
def new_log(names, start_ms=NOON):
    with tempfile.TemporaryDirectory(prefix='tendril-watch-log-') as folder:
        path = folder + '/made.tlog'
        log = Log(path, names, start_ms)
        log.path = path
        yield log


def watching(log, *args, **kwargs):
    return Terminal('--interval', '60', '--open', log.path, *args,
                    env={**UTC, **kwargs.pop('env', {})}, **kwargs)


def plot_of(screen):
    """The rows of the chart, without its axis."""
    return [line[9:] for line in screen.splitlines() if re.match(r'^ *[\d.]* *[\u2524\u2502]', line)]


def columns_with_dots(rows):
    return sorted({x for row in rows for x, c in enumerate(row) if '\u2801' <= c <= '\u28ff'})


# A window, and where it is

def hours(log, n):
    """Every 10 s; so many handles as minutes passed, and 100."""
    for i in range(360 * n + 1):
        log.sample(NOON + 10000 * i, [{HANDLES: 100 + i // 6, THREADS: 3}])


@test
def test_window_moves_zooms_and_jumps():
    with new_log(['tw-hours']) as log:
        hours(log, 4)
        log.mark(NOON + 45 * 60000, 'the first release')
        log.mark(NOON + 90 * 60000, b'\x1b[31mthe second\n')
        log.done()
        with watching(log, '--view', 'log') as terminal:
            def window(begin, end):
                terminal.until('^window: 2023-11-15 %s ... 2023-11-15 %s$' % (begin, end))
            terminal.until('^all:    2023-11-15 12:00:00 ... 2023-11-15 16:00:00, 1441 samples$')
            window('15:00:00', '16:00:00')
            terminal.keys('Right')
            window('15:00:00', '16:00:00')  # there is nothing behind it
            terminal.keys('Left')
            window('14:30:00', '15:30:00')
            terminal.keys('[')
            window('14:45:00', '15:15:00')
            terminal.keys(']', ']')
            window('14:00:00', '16:00:00')
            terminal.keys(']', ']')
            window('12:00:00', '16:00:00')
            terminal.keys('[', '[')
            window('13:30:00', '14:30:00')
            screen = terminal.until('^2023-11-15 12:45:00  the first release$')
            assert '2023-11-15 13:30:00  \\x1b[31mthe second\\x0a' in screen, screen
            terminal.keys('Down', 'Enter')
            window('13:00:00', '14:00:00')
            terminal.keys('Up', 'Enter')
            window('12:15:00', '13:15:00')
            # The other views show the same window.
            terminal.keys('2')
            screen = terminal.until(r'^A +Last 175 +Average \S+ +Minimum 115 +Maximum 175')
            assert re.search('12:15:00 +13:15:00$', screen, re.M), screen
            terminal.keys('1')
            terminal.until(row_of(1000) + r'tw-hours +root +175 .* \+60 ')
            terminal.keys('4', 'Left', 'Left')
            window('12:00:00', '13:00:00')


@test
def test_lines_stay_when_the_window_moves():
    with new_log(['tw-lines']) as log:
        hours(log, 2)
        log.done()
        with watching(log, '--view', 'chart') as terminal:
            terminal.until('^A x1 +Handle Count +220 +tw-lines')
            terminal.keys('c', 'a')
            terminal.type('threads tw-lines')
            terminal.keys('Enter')
            terminal.until('^A x1 +Thread Count +3 +tw-lines')
            terminal.keys('a')
            terminal.type('handles tw-lines')
            terminal.keys('Enter')
            terminal.until('^B x1 +Handle Count +220 ')
            terminal.keys('4', 'Left', '2')
            screen = terminal.until('^B x1 +Handle Count +190 ')
            assert re.search('^A x1 +Thread Count +3 +tw-lines', screen, re.M), screen


@test
def test_what_is_shown_of_a_log():
    with new_log(['tw-one', 'tw-two', 'other']) as log:
        for i in range(11):
            log.sample(NOON + 1000 * i, [
                {HANDLES: 10 * i, LIMIT: 200, RESIDENT: 4096 * 1024, CPU: 375000000 * i},
                {HANDLES: 7}, {HANDLES: 8}])
        log.done()
        with watching(log, 'tw-*', columns=130) as terminal:
            # 37.5 % of a processor, half of the limit, 100 more than at first
            screen = terminal.until(row_of(1000) +
                                    r'tw-one +root +100 +200 +50.0 +\+100 .* 4096K +37.5$')
            assert re.search(row_of(1001) + r'tw-two +root +7 +- +- +0 .* - +- +-$', screen, re.M), \
                screen
            assert not re.search(row_of(1002), screen, re.M), screen
            assert 'PAST' in screen, screen


@test
def test_leak_in_a_log():
    """60 an hour, beside one that breathes; nothing of it is live."""
    with new_log(['tw-leak', 'tw-load']) as log:
        for i in range(4 * 360):
            log.sample(NOON + 10000 * i, [{HANDLES: 100 + i // 6},
                                          {HANDLES: 300 + (i * 7919) % 50}])
        log.done()
        with watching(log, '--from', '-4h', '--sort', 'trend', '--reverse') as terminal:
            screen = terminal.until(row_of(1000) + r'tw-leak .* \+60/h ')
            same(screen.count('/h '), 1)
            # Half an hour says nothing yet.
            terminal.keys('4', '[', '[', '[', '1')
            screen = terminal.until(lambda s: '/h ' not in s)
            assert re.search(row_of(1000) + 'tw-leak', screen, re.M), screen


# Extremes

def dip_and_peak(log):
    """2,400 samples of 100 handles, 10 to a point of the chart; one is 1, and one is 900."""
    for i in range(2400):
        log.sample(NOON + 1000 * i, [{HANDLES: {605: 1, 1805: 900}.get(i, 100)}])


def has_dip_and_peak(screen):
    rows = plot_of(screen)
    # The axis goes to 1,000: a tenth of it is above the lowest row, and 900 in the second.
    peak, dip = columns_with_dots(rows[:3]), columns_with_dots(rows[-1:])
    assert peak and dip, screen
    assert len(peak) <= 2 and len(dip) <= 2, screen
    assert dip[-1] < peak[0], screen


@test
def test_extremes_of_samples_that_share_a_point():
    for columns, rows in [(80, 24), (40, 24)]:
        with new_log(['tw-dip']) as log:
            dip_and_peak(log)
            log.done()
            with watching(log, '--view', 'chart', columns=columns, rows=rows) as terminal:
                has_dip_and_peak(terminal.until(
                    r'^A .*[Ll]ast 100 .*[Mm]in\w* 1 .*[Mm]ax\w* 900'))


@test
def test_extremes_of_averages():
    with new_log(['tw-average']) as log:
        for i in range(60):
            low, high = {15: 1}.get(i, 100), {45: 900}.get(i, 100)
            log.average(NOON + 60000 * i, NOON + 60000 * i + 59000, 60, [{HANDLES: 100}],
                        [{HANDLES: low}], [{HANDLES: high}])
        log.done()
        with watching(log, '--view', 'chart') as terminal:
            has_dip_and_peak(terminal.until(
                r'^A +Last 100 +Average 100.0 +Minimum 1 +Maximum 900'))


@test
def test_axis_is_one_of_time():
    """A quarter of the window has samples, two quarters none, the last one has some again."""
    for stopped in [True, False]:
        with new_log(['tw-gap']) as log:
            for i in list(range(900)) + list(range(2700, 3600)):
                log.sample(NOON + 1000 * i, [{HANDLES: 100}], stopped and i == 2700)
            log.done()
            with watching(log, '--view', 'chart') as terminal:
                dots = columns_with_dots(plot_of(terminal.until(r'^A +Last 100 ')))
                same(dots[0] < 3 and dots[-1] > 65, True)
                between = [x for x in range(dots[0], dots[-1]) if x not in dots]
                # Without a stop it was slow, and a line goes on.
                same(30 < len(between) < 40 if stopped else len(between) == 0, True)


@test
def test_few_samples_are_one_line():
    with new_log(['tw-few']) as log:
        for i in range(13):
            log.sample(NOON + 300000 * i, [{HANDLES: 100 + i}])
        log.done()
        with watching(log, '--view', 'chart') as terminal:
            dots = columns_with_dots(plot_of(terminal.until(r'^A +Last 112 .* Minimum 100 ')))
            same(dots, list(range(dots[0], dots[-1] + 1)))
            same(dots[0] < 3, True)  # the whole window
            terminal.keys('[')
            terminal.until("^120 of the window's 240 points")
            terminal.keys('1')
            # The little curve: eight cells, although most points have no sample.
            terminal.until(row_of(1000) + '.* [\u2581-\u2588]{8} ')


# A large one

def large(log, n_rows):
    log.sample(NOON, [{HANDLES: 10}] * len(log.names))
    log.repeat(range(NOON + 10, NOON + 10 + 10 * n_rows, 10))


READING = r'^reading the log: \d+ %   Esc: stop'


@test
def test_keys_while_a_large_log_is_read():
    with new_log(['p%d' % i for i in range(1000)]) as log, Target('tw-live', 5) as target:
        large(log, 150000)  # far more than can be read until the keys have been pressed
        log.done()
        with Terminal(target.pid, '--interval', '0.1', '--view', 'log', env=UTC) as terminal:
            terminal.until('^no log is open')
            terminal.keys('o')
            terminal.type(log.path)
            terminal.keys('Enter')
            terminal.until(READING)
            # Meanwhile the views are live, and all keys work.
            terminal.keys('1')
            high = target.open(40)
            screen = terminal.until(row_of(target.pid) + r'tw-live +\S+ +%d ' % high)
            assert re.search(READING, screen, re.M), screen
            terminal.keys('?')
            assert re.search(READING, terminal.until('^Everywhere'), re.M)
            terminal.keys('x', '/')
            terminal.until('^Filter')
            terminal.keys('Escape')  # of the prompt alone
            terminal.until(READING)
            progress = int(re.search(r'(\d+) %   Esc', terminal.screen()).group(1))
            terminal.until(lambda s: int((re.search(r'(\d+) %   Esc', s) or [0, 0])[1]) > progress,
                           seconds=60)
            terminal.keys('Escape')
            screen = terminal.until('^stopped: the log was not opened$')
            assert 'PAST' not in screen, screen
            terminal.keys('4')
            terminal.until('^no log is open')
            # Quitting does not wait for it.
            terminal.keys('o')
            terminal.type(log.path)
            terminal.keys('Enter')
            terminal.until(READING)
            terminal.keys('q')
            terminal.ended(0)


@test
def test_signal_while_a_large_log_is_read():
    with new_log(['p%d' % i for i in range(1000)]) as log:
        large(log, 300000)
        log.done()
        with watching(log) as terminal:
            terminal.until(READING)
            os.kill(terminal.pid(), signal.SIGTERM)
            terminal.ended(128 + signal.SIGTERM)


@test
def test_last_window_wins():
    """Keys that come while one is read move the window that is wanted, not the one that is shown."""
    with new_log(['p%d' % i for i in range(200)]) as log:
        log.sample(NOON, [{HANDLES: 10}] * 200)
        log.repeat(range(NOON + 500, NOON + 4 * 3600000 + 500, 500))
        log.done()
        with watching(log, '--view', 'log') as terminal:
            terminal.until('^window: 2023-11-15 15:00:00 ... 2023-11-15 16:00:00$')
            terminal.keys('Left', 'Left', 'Left', 'Left')
            terminal.until('^window: 2023-11-15 13:00:00 ... 2023-11-15 14:00:00$')
            # Beyond the end there is nothing, however often it is asked for.
            terminal.keys('Right', 'Right', 'Right', 'Right', 'Right', 'Right', 'Right', 'Left', 'Left')
            terminal.until('^window: 2023-11-15 14:00:00 ... 2023-11-15 15:00:00$')
            terminal.keys(']', ']', 'Escape')
            screen = terminal.until('^stopped: the window is as it was$')
            assert 'window: 2023-11-15 14:00:00 ... 2023-11-15 15:00:00' in screen, screen


# From the command line

@test
def test_open_from_the_command_line():
    with new_log(['tw-open']) as log:
        hours(log, 4)
        log.done()
        for args, begin, end, last in [
                ([], '15:00:00', '16:00:00', 340),
                (['--from', '-2h'], '14:00:00', '16:00:00', 340),
                (['--from', '2023-11-15T12:30', '--to', '2023-11-15T13:00'], '12:30:00', '13:00:00',
                 160),
                (['--to', '-1h'], '14:00:00', '15:00:00', 280),
                (['--from', '2000-01-01'], '12:00:00', '16:00:00', 340)]:
            with watching(log, '--view', 'chart', *args) as terminal:
                terminal.until(r'^A +Last %d ' % last)
                terminal.keys('4')
                terminal.until('^window: 2023-11-15 %s ... 2023-11-15 %s$' % (begin, end))
                terminal.keys('1')
                terminal.until(row_of(1000) + r'tw-open +root +%d ' % last)
                terminal.keys('3')
                terminal.until(r'\[3 Alert\].* PAST ')
                terminal.keys('4', 'c')
                terminal.until('^no log is open')
                terminal.keys('q')
                terminal.ended(0)


@test
def test_open_what_is_none():
    with new_log(['tw-open']) as log:
        hours(log, 1)
        log.done()
        for args, status, said in [
                (['--open', '/dev/null'], 3, '/dev/null: '),
                (['--open', '/no/such/file'], 3, '/no/such/file: '),
                (['--open', log.path, '--from', '2030-01-01'], 3, 'nothing was logged between'),
                (['--open', log.path, '--from', '-1h', '--to', '-2h'], 3,
                 'nothing was logged between'),
                (['--open', log.path, '--from', 'noon'], 2, "'noon' is no time"),
                (['--open', ''], 2, "the log's name is empty"),
                (['--from', '-1h'], 2, '--open FILE'),
                (['--open', log.path, '--once'], 2, '--once is for now'),
                (['--open', log.path, 'cgroup:/a'], 2, 'control groups are not in a log')]:
            done = subprocess.run([TENDRIL, 'watch'] + args, stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=SECONDS, check=False)
            same((args, done.returncode, done.stdout), (args, status, b''))
            same(done.stderr.count(b'\n'), 1)
            assert said in done.stderr.decode(), done.stderr


@test
def test_damaged_log():
    with new_log(['tw-damaged']) as log:
        hours(log, 1)
        log.db.execute("UPDATE sample SET data = x'ff' WHERE time_ms = ?", (NOON + 1800000,))
        log.done()
        with Terminal('--interval', '60', '--view', 'log', env=UTC, columns=140) as terminal:
            terminal.until('^no log is open')
            terminal.keys('o')
            terminal.type(log.path)
            terminal.keys('Enter')
            terminal.until('the log cannot be read: .*a row cannot be decoded')
            terminal.until('^no log is open')


@test
def test_hostile_names_in_a_log():
    with new_log([b'\x1b[31mred\x9b', b'a\nb']) as log:
        log.sample(NOON, [{HANDLES: 3}, {HANDLES: 2}])
        log.sample(NOON + 1000, [{HANDLES: 4}, {HANDLES: 2}])
        log.done()
        with watching(log, columns=120) as terminal:
            terminal.until(row_of(1000) + r'\\x1b\[31mred\\x9b ')
            terminal.until(row_of(1001) + r'a\\x0ab ')
            terminal.keys('2')
            terminal.until(r'^A x1 +Handle Count +4 +\\x1b\[31mred\\x9b \(1000\)')
            assert braille(terminal.screen())


if __name__ == '__main__':
    main()
