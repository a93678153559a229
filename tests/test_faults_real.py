#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_faults_real.py TENDRIL - the known leaks of real libraries are found, and nothing where there is none

docs/found.md tells what the leaks are.  The whole table is real_libraries.py's.
"""
import os
import re
import shlex
import subprocess
import sys

from leaks_support import Skip, run_tests
from real_libraries import Driver, HERE, Missing, Playground, explore, known, say

TENDRIL = os.path.abspath(sys.argv[1])
FOUND = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'docs', 'found.md')

# Judged by their source: each fails late, and keeps what it has opened.
LEAK = ['apr_memory', 'apr_pollcb', 'apr_pollset', 'coap_context', 'libarchive_write', 'microhttpd_start',
        'microhttpd_thread', 'socketcan_set', 'socketcan_state', 'tirpc_server', 'uv_loop']
LEAK_WITHOUT_MEMORY = ['event_http', 'ext2fs_open', 'libarchive_read', 'libzip_open', 'minizip_open',
                       'zziplib_dir', 'zziplib_disk']
# They close everything, whatever fails.
CLEAN = ['blkid_probe', 'bzip2_open', 'config_file', 'confuse_parse', 'daemon_pid', 'dwfl_offline',
         'event_base', 'event_file', 'event_listen', 'event_timer', 'exif_load', 'gdbm_open', 'gif_read',
         'gif_write', 'glibc_fopen', 'glibc_getifaddrs', 'glibc_getmntent', 'glibc_glob', 'glibc_iconv',
         'glibc_mq_open', 'glibc_opendir', 'glibc_openpty', 'glibc_popen',
         'glibc_setlocale', 'glibc_shm_open', 'glibc_tmpfile', 'id3_open', 'inih_parse', 'jansson_file',
         'jsonc_file', 'lcms_open', 'libarchive_disk', 'libarchive_extract', 'lmdb_open', 'minizip_write',
         'mnl_open', 'pcap_offline', 'png_read', 'png_write', 'popt_config', 'readline_history',
         'sqlite_open', 'tdb_open', 'udev_monitor', 'uv_fs_event', 'uv_pipe', 'uv_tcp', 'zlib_gzopen']


def driver_named(name):
    return Driver(os.path.join(HERE, name + '.c'))


def explored(name, programs, alloc):
    driver = driver_named(name)
    try:
        driver.build(programs)
    except Missing as missing:
        raise Skip(missing) from None
    result = explore(TENDRIL, driver, alloc)
    assert result.report['cases'] > 0, 'nothing was made to fail'
    assert all(function['calls'] > 0 for function in result.report['functions']), \
        'never called: %r' % result.report['functions']
    return driver, result


def exactly_what_is_known(name, programs, alloc):
    driver, result = explored(name, programs, alloc)
    found, expected = result.leaks(), known(driver, alloc)
    assert not found - expected, 'false: %s; told:\n%s' % (say(found - expected), result.report['leaks'])
    assert not expected - found, 'not found: %s' % say(expected - found)
    assert result.status == (1 if expected else 0), 'exit status %d' % result.status


def the_replay_shows_it(name, programs):
    """The command in the report, run as it stands, finds this leak and no other."""
    driver, result = explored(name, programs, False)
    for leak in result.report['leaks']:
        done = subprocess.run([TENDRIL, 'faults', '--replay', leak['replay_id'], '-f', leak['function'],
                               '--', driver.program], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 1, '%s: status %d\n%s%s' % (leak['replay_id'], done.returncode,
                                                              done.stdout, done.stderr)
        assert leak['left'][0]['kind'] in done.stdout, done.stdout


def documented_replays():
    """[(driver, words)] of the commands in docs/found.md."""
    with open(FOUND, encoding='utf-8') as file:
        text = re.sub(r'\s+', ' ', file.read())
    commands = [shlex.split(command) for command in re.findall(r'`(tendril faults [^`]*--replay[^`]*)`', text)]
    assert len(commands) > 15, 'docs/found.md has only %d replays' % len(commands)
    return [(os.path.basename(words[-1]), words[1:-1]) for words in commands]


def the_document_is_right(name, programs, words):
    """The command that it gives shows the leak."""
    driver = driver_named(name)
    try:
        driver.build(programs)
    except Missing as missing:
        raise Skip(missing) from None
    done = subprocess.run([TENDRIL] + words + [driver.program], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    function = words[words.index('-f') + 1]
    assert re.search(r'^(LEAK|succeeded) +%s .*keeps' % function, done.stdout, re.M), \
        'status %d\n%s%s' % (done.returncode, done.stdout, done.stderr)


def main():
    if subprocess.run([TENDRIL, 'faults', '--help'], capture_output=True, check=False).returncode:
        print('1..0 # SKIP this build has no `tendril faults`')
        return 0
    with Playground() as playground:
        def test(what, function, name, *more):
            return what % name, lambda: function(name, playground.programs, *more)

        return run_tests(
            [test('%s leaks as it is known', exactly_what_is_known, name, False) for name in LEAK] +
            [test('%s leaks without memory', exactly_what_is_known, name, True)
             for name in LEAK_WITHOUT_MEMORY] +
            [test('a replay shows the leak of %s', the_replay_shows_it, name) for name in LEAK] +
            [test('docs/found.md is right about %s', the_document_is_right, name, words)
             for name, words in documented_replays()] +
            [test('%s is clean', exactly_what_is_known, name, False) for name in CLEAN])


if __name__ == '__main__':
    sys.exit(main())
