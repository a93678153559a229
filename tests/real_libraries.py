#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""real_libraries.py TENDRIL [--alloc] [--json] [--keep DIRECTORY] [NAME...] - faults of Debian's libraries

Each program in tests/targets/real/ calls functions of one library.  Its comment says which package it
needs, which functions are explored, and what is known to leak there.  Nothing is installed; what cannot
be built here is named in the table, with the reason.  Exit status 1: something is not as it is known.

The copies in which a step has failed may leave files in /dev/shm and /tmp, and send to the network what
the program sends; run it where that does no harm.
"""
import argparse
import bz2
import collections
import glob
import gzip
import json
import os
import re
import shlex
import shutil
import sqlite3
import struct
import subprocess
import sys
import tarfile
import tempfile
import wave
import zipfile
import zlib

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'targets', 'real')
SECONDS = 240

Leak = collections.namedtuple('Leak', 'function call')


class Missing(Exception):
    """It cannot be built here; says why."""


class Driver:
    """One of the programs, and what its comment says."""

    def __init__(self, source):
        self.source = source
        self.name = os.path.basename(source)[:-2]
        with open(source, encoding='utf-8') as file:
            comment = file.read().split('*/')[1]
        self.package = self.field(comment, 'package')
        self.libraries = self.field(comment, 'libraries').split()
        self.functions = self.field(comment, 'functions').replace(',', ' ').split()
        self.reads = self.field(comment, 'reads').split()
        self.options = self.field(comment, 'options').split()
        self.leaks = self.leaks_of(self.field(comment, 'leaks'))
        self.alloc_leaks = self.leaks_of(self.field(comment, 'with --alloc'))
        self.program = None

    def field(self, comment, name):
        found = re.search(r'^ \* %s:((.*\n \*   )*.*)$' % name, comment, re.M)
        return found.group(1).replace('\n *', ' ').strip() if found else ''

    def leaks_of(self, text):
        """'f after open, f after bind'"""
        return {Leak(*part.strip().split(' after ')) for part in text.split(',') if part.strip()}

    def build(self, directory):
        """In the directory; Missing when the package is not there, or what it reads."""
        for file in self.reads:
            if not os.path.exists(file):
                raise Missing('no %s, which needs mke2fs' % file)
        arguments = []
        for library in self.libraries:
            arguments += [library] if library.startswith('-') else pkg_config(library)
        self.program = os.path.join(directory, self.name)
        command = shlex.split(os.environ.get('CC', 'cc')) + [
            '-std=gnu11', '-D_GNU_SOURCE', '-g', '-O1', '-Wall', '-Wextra',
            '-o', self.program, self.source] + arguments
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        missing = re.search(r'(\S+\.h): No such file|cannot find (-l\S+)', done.stderr)
        if missing:
            raise Missing('no %s: %s' % (missing.group(1) or missing.group(2), self.package))
        raise AssertionError('%s does not build: %s' % (self.name, done.stderr))


def pkg_config(library):
    try:
        done = subprocess.run(['pkg-config', '--cflags', '--libs', library],
                              capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Missing('no pkg-config') from None
    if done.returncode:
        raise Missing('no %s.pc' % library)
    return done.stdout.split()


def drivers():
    return [Driver(source) for source in sorted(glob.glob(os.path.join(HERE, '*.c')))]


# --- what they read -----------------------------------------------------------------------------

def write(name, content):
    with open(name, 'wb') as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def png_chunk(kind, content):
    return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))


def write_pictures():
    header = struct.pack('>IIBBBBB', 4, 4, 8, 0, 0, 0, 0)
    write('picture.png', b'\x89PNG\r\n\x1a\n' + png_chunk(b'IHDR', header) +
          png_chunk(b'IDAT', zlib.compress(bytes(20))) + png_chunk(b'IEND', b''))
    write('picture.gif', b'GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0'
          b'\x02\x02D\x01\0;')
    tags = [(256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
            (273, 4, 1, 8), (278, 3, 1, 4), (279, 4, 1, 16)]
    write('picture.tif', b'II*\0' + struct.pack('<I', 24) + bytes(16) + struct.pack('<H', len(tags)) +
          b''.join(struct.pack('<HHII', *tag) for tag in tags) + bytes(4))
    exif = b'Exif\0\0II*\0' + struct.pack('<IHHHIII', 8, 1, 0x112, 3, 1, 1, 0)
    write('picture.jpg', b'\xff\xd8\xff\xe1' + struct.pack('>H', len(exif) + 2) + exif + b'\xff\xd9')
    xpm = b'/* XPM */\nstatic char *p[] = {\n"2 2 1 1",\n"a c #000000",\n"aa",\n"aa"\n};\n'
    write('picture.xpm', xpm)
    write('packed.xpm.gz', gzip.compress(xpm))


def write_sounds():
    with wave.open('sound.wav', 'wb') as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(44100)
        sound.writeframes(bytes(4000))
    write('sound.mp3', bytes(4000))
    write('sound.flac', b'fLaC\x80\0\0\x22' + struct.pack('>HH', 4096, 4096) + bytes(6) +
          struct.pack('>Q', 44100 << 44 | 15 << 36) + bytes(16))


def write_archives(text):
    write('text.gz', gzip.compress(text))
    write('text.bz2', bz2.compress(text))
    with zipfile.ZipFile('archive.zip', 'w') as archive:
        archive.write('text')
    with tarfile.open('archive.tar.gz', 'w:gz') as archive:
        archive.add('text')
    os.makedirs('archive', exist_ok=True)
    write('archive/text', text)


def write_images():
    with open('disk.img', 'wb') as disk:
        disk.truncate(4 << 20)
    write('disc.bin', bytes(2352 * 300))
    write('disc.cue', 'FILE "disc.bin" BINARY\n  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n')
    write('capture.pcap', struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    mke2fs = shutil.which('mke2fs', path='/usr/sbin:/sbin:/usr/bin')
    if mke2fs:
        subprocess.run([mke2fs, '-q', 'ext2.img', '1024'], capture_output=True, check=True)


def write_fixtures():
    """Into the current directory, all that the programs read."""
    text = b'one\ntwo\nthree\n' * 40
    write('text', text)
    write('old', text)
    write_archives(text)
    write_pictures()
    write_sounds()
    write_images()
    base = sqlite3.connect('base.sqlite')
    base.execute('create table if not exists plant(name)')
    base.commit()
    base.close()
    os.makedirs('mountpoint', exist_ok=True)
    for name, content in {
            'plain.conf': 'name = value\n', 'lib.conf': 'name = "value";\n',
            'page.xml': '<page><line/></page>\n', 'page.json': '{"name": [1, 2]}\n',
            'resolv.conf': 'nameserver 127.0.0.1\n', 'known_hosts': '',
            'rules.nft': 'add table inet tendril\n', 'own-magic': '0 string tendril Tendril\n',
            'history': '_HiStOrY_V2_\none\n', 'features': 'policy {\n}\n',
            'fonts.conf': '<?xml version="1.0"?><fontconfig></fontconfig>\n'}.items():
        write(name, content)


# --- exploring ----------------------------------------------------------------------------------

class Explored:
    """What tendril faults told of one program."""

    def __init__(self, driver, report, status):
        self.driver, self.report, self.status = driver, report, status

    def leaks(self):
        """Each once for each call that has failed: a leak is told once, with all ways that lead to it."""
        return {Leak(leak['function'], way['failed'][-1]['syscall'])
                for leak in self.report['leaks'] for way in leak['ways'] if way['failed']}


def explore(tendril, driver, alloc):
    """In the current directory, which has the fixtures."""
    command = [tendril, 'faults', '--json'] + driver.options
    for function in driver.functions:
        command += ['-f', function]
    if alloc:
        command.append('--alloc')
    done = subprocess.run(command + ['--', driver.program], stdin=subprocess.DEVNULL,
                          env=dict(os.environ, TMPDIR=os.getcwd()), capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise AssertionError('%s: no report, exit status %d: %s' %
                             (driver.name, done.returncode, done.stderr.strip()[-400:])) from None
    return Explored(driver, report, done.returncode)


def known(driver, alloc):
    return driver.leaks | driver.alloc_leaks if alloc else driver.leaks


class Playground:
    """A directory with the fixtures, to be in while it lasts; one that is named, stays."""

    def __init__(self, keep=None):
        self.directory = None if keep else tempfile.TemporaryDirectory(prefix='tendril-real-')
        self.top = os.path.abspath(keep) if keep else self.directory.name
        self.programs = os.path.join(self.top, 'bin')
        self.before = os.getcwd()

    def __enter__(self):
        os.makedirs(self.programs, exist_ok=True)
        os.makedirs(os.path.join(self.top, 'work'), exist_ok=True)
        os.chdir(os.path.join(self.top, 'work'))
        write_fixtures()
        return self

    def __exit__(self, *_):
        os.chdir(self.before)
        if self.directory:
            self.directory.cleanup()


# --- the table ----------------------------------------------------------------------------------

def say(leaks):
    return ', '.join('%s after %s' % leak for leak in sorted(leaks))


def judge(explored, alloc):
    """The words of the table, and whether all is as it is known."""
    expected, found = known(explored.driver, alloc), explored.leaks()
    if found == expected:
        return say(found) if found else 'clean', True
    words = []
    if found - expected:
        words.append('NEW: ' + say(found - expected))
    if expected - found:
        words.append('NOT FOUND: ' + say(expected - found))
    return '; '.join(words), False


def one_row(options, driver, directory):
    """(cases, seconds, words, as known)"""
    try:
        driver.build(directory)
        explored = explore(options.tendril, driver, options.alloc)
    except Missing as missing:
        return '-', '-', 'not built: %s' % missing, True
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return '-', '-', str(error), False
    words, as_known = judge(explored, options.alloc)
    if options.json:
        print(json.dumps({'driver': driver.name, 'report': explored.report}), file=sys.stderr)
    return (str(explored.report['cases']), '%.2f' % explored.report['seconds'], words, as_known)


def main():
    parser = argparse.ArgumentParser(description='tendril faults on libraries of Debian')
    parser.add_argument('tendril', type=os.path.abspath)
    parser.add_argument('--alloc', action='store_true', help='malloc, calloc and realloc fail, too')
    parser.add_argument('--json', action='store_true', help='the reports, too, to stderr')
    parser.add_argument('--keep', metavar='DIRECTORY', help='leave programs and fixtures there, for replays')
    parser.add_argument('names', nargs='*')
    options = parser.parse_intermixed_args()
    chosen = [driver for driver in drivers() if not options.names or driver.name in options.names]
    unknown = set(options.names) - {driver.name for driver in chosen}
    if unknown:
        parser.error('no such program: ' + ', '.join(sorted(unknown)))
    wrong = 0
    with Playground(options.keep) as playground:
        for driver in chosen:
            cases, seconds, words, as_known = one_row(options, driver, playground.programs)
            print('%-22s %6s %7s  %s' % (driver.name, cases, seconds, words), flush=True)
            wrong += not as_known
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
