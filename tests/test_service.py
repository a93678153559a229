#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_service.py TENDRIL - the unit of systemd, verified, and started by a systemd of its own

Prints TAP.  The systemd is PID 1 of namespaces of the test's own, on a copy of this machine's files
that is thrown away; inside of them this program runs once more, with --inside, and looks.
"""
import contextlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from serve_support import SECONDS, Skip, Victim, main, same, test

UNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, 'packaging', 'systemd',
                    'tendril.service.in')
SYSTEMD = '/lib/systemd/systemd'
BINDIR = '/usr/local/bin'
URL = 'http://127.0.0.1:9469/'
SHARED = '/run/tendril-test'  # the test's folder, inside
EXPOSURE_MAX = 25  # tenths; systemd calls up to 4.0 OK
CAPABILITIES = 1 << 19 | 1 << 2  # CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH
NOBODY = 65534
EDITED = '''[Service]
ExecStart=
ExecStart=%s/tendril serve --listen 0.0.0.0:9469 --tls-cert %s/cert.pem --tls-key %s/key.pem --auth-file %s/users
AmbientCapabilities=CAP_BPF CAP_PERFMON
CapabilityBoundingSet=CAP_BPF CAP_PERFMON
SystemCallFilter=bpf
'''

# $1: an empty folder; $2: the test's folder.
BOOT = r'''
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1"
cd "$1"
mkdir -m 755 upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
cd root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
	touch dev/$name
	mount --bind /dev/$name dev/$name
done
mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	mount -t cgroup2 cgroup2 sys/fs/cgroup
else
	mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
fi
# Nothing of what this machine starts by itself.
rm -rf etc/systemd/system
mkdir -p etc/systemd/system .before run/tendril-test
cp "$2"/*.service "$2"/*.target etc/systemd/system
mkdir -p usr/local/bin
cp "$2/tendril" usr/local/bin/tendril
mount --bind "$2" run/tendril-test
pivot_root . .before
umount -l .before
exec env -i container=tendril-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	"$3" --system --unit=look.target --log-target=null --show-status=0
'''
LOOK_TARGET = '''[Unit]
Requires=look.service
After=look.service
AllowIsolate=yes
'''
LOOK_SERVICE = '''[Service]
Type=oneshot
ExecStart=%s -B %s/test_service.py --inside
ExecStopPost=/bin/systemctl --no-block poweroff
'''


# --- inside --------------------------------------------------------------------------------------

def count(path):
    """As root sees it."""
    try:
        return len(os.listdir(path))
    except OSError:
        return None  # it has ended


def when_it_answers(asked, context=None):
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(asked, timeout=SECONDS, context=context) as answer:
                return answer.read().decode('utf-8')
        except (ConnectionError, urllib.error.URLError):
            assert time.monotonic() < deadline, 'it does not answer'


def status_of(pid):
    with open('/proc/%s/status' % pid, encoding='utf-8', errors='replace') as file:
        return dict(line.rstrip('\n').split(':\t', 1) for line in file)


def properties():
    said = subprocess.run(['systemctl', 'show', 'tendril', '--property',
                           'MainPID,ActiveState,Result,ExecMainStatus,NRestarts'],
                          stdout=subprocess.PIPE, check=True).stdout.decode()
    return dict(line.split('=', 1) for line in said.splitlines())


def look_inside():
    with Victim('of-root', 100) as root, Victim('of-nobody', 50, uid=NOBODY) as nobody, \
            Victim('no-dump', 70, uid=NOBODY, dumpable=False) as hidden:
        known = {victim.pid: count('/proc/%d/fd' % victim.pid) for victim in (root, nobody, hidden)}
        started = subprocess.run(['systemctl', 'start', 'tendril'], check=False).returncode
        assert started == 0, subprocess.run(['systemctl', 'status', '--full', 'tendril'],
                                            stdout=subprocess.PIPE, check=False).stdout
        found = {'health': when_it_answers(URL + 'healthz'), 'known': known,
                 'seen': json.loads(when_it_answers(URL + 'api/v1/processes'))['processes'],
                 'metrics': when_it_answers(URL + 'metrics'), 'running': properties()}
        found['status'] = status_of(found['running']['MainPID'])
        found['pids'] = [int(name) for name in os.listdir('/proc') if name.isdigit()]
        subprocess.run(['systemctl', 'stop', 'tendril'], check=True)
        found['ended'] = properties()
        found.update(look_at_what_was_edited())
    return found


def look_at_what_was_edited():
    """As `systemctl edit` leaves it: for other machines, and with the iterator."""
    os.mkdir('/etc/systemd/system/tendril.service.d')
    shutil.copy(SHARED + '/edited.conf', '/etc/systemd/system/tendril.service.d')
    subprocess.run(['systemctl', 'daemon-reload'], check=True)
    subprocess.run(['systemctl', 'start', 'tendril'], check=True)
    context = ssl.create_default_context(cafile=SHARED + '/cert.pem')
    asked = urllib.request.Request('https://127.0.0.1:9469/api/v1/processes', headers={'Authorization': 'Bearer t0ken'})
    document = json.loads(when_it_answers(asked, context=context))
    subprocess.run(['systemctl', 'stop', 'tendril'], check=True)
    return {'source': document['source'], 'edited': document['processes']}


def inside():
    try:
        found = look_inside()
    except Exception as error:  # pylint: disable=broad-except
        found = {'error': repr(error)}
    with open(SHARED + '/found.new', 'w', encoding='utf-8') as file:
        json.dump(found, file)
    os.rename(SHARED + '/found.new', SHARED + '/found')


# --- outside -------------------------------------------------------------------------------------

def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    return path


def write_unit(folder, bindir):
    with open(UNIT, encoding='utf-8') as file:
        return write(folder, 'tendril.service', file.read().replace('@bindir@', bindir))


def analyze(*args):
    if not shutil.which('systemd-analyze'):
        raise Skip('no systemd-analyze')
    return subprocess.run(['systemd-analyze'] + list(args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=SECONDS, check=False, encoding='utf-8')


@test
def systemd_finds_nothing_wrong_with_the_unit():
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.abspath(sys.argv[1]), os.path.join(folder, 'tendril'))
        unit = write_unit(folder, folder)
        done = analyze('verify', '--man=no', '--recursive-errors=no', unit)
        same([line for line in done.stdout.splitlines() if 'tendril' in line], [])
        same(done.returncode, 0)


@test
def little_is_exposed_by_the_unit():
    with tempfile.TemporaryDirectory() as folder:
        unit = write_unit(folder, BINDIR)
        done = analyze('security', '--offline=true', '--no-pager', '--threshold=%d' % EXPOSURE_MAX, unit)
        if 'unrecognized option' in done.stdout:
            raise Skip('systemd is too old to say')
        same((done.returncode, done.stdout.splitlines()[-1:] if done.returncode else []), (0, []))


def own_groups():
    """A new control group in each hierarchy that systemd wants one in."""
    with open('/proc/self/cgroup', encoding='utf-8') as file:
        lines = [line.rstrip('\n').split(':', 2) for line in file]
    unified = os.path.exists('/sys/fs/cgroup/cgroup.controllers')
    for _, controllers, path in lines:
        if unified != (controllers == ''):
            continue
        if not unified and controllers not in ('name=systemd', 'memory', 'pids'):
            continue
        root = '/sys/fs/cgroup/' + controllers.replace('name=', '')
        for group in (root + path, root):  # the path may be that of an outer namespace
            if os.path.isdir(group):
                yield os.path.join(group, 'tendril-test-%d' % os.getpid())
                break


def remove_group(group):
    """Until the last of its processes has been reaped, it stays."""
    deadline = time.monotonic() + SECONDS
    while os.path.isdir(group):
        for path, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        assert time.monotonic() < deadline, group


def has_iterator():
    done = subprocess.run([os.path.abspath(sys.argv[1]), 'doctor', '--json'], stdout=subprocess.PIPE, timeout=SECONDS,
                          check=False)
    return any('BPF iterator in the kernel' in check['found'] for check in json.loads(done.stdout)['checks'])


def fill(folder):
    write_unit(folder, BINDIR)
    write(folder, 'look.target', LOOK_TARGET)
    write(folder, 'look.service', LOOK_SERVICE % (sys.executable, SHARED))
    write(folder, 'edited.conf', EDITED % (BINDIR, SHARED, SHARED, SHARED))
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                    '-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1',
                    '-keyout', folder + '/key.pem', '-out', folder + '/cert.pem'], check=True, capture_output=True)
    os.chmod(write(folder, 'users', 'bearer t0ken\n'), 0o600)
    here = os.path.dirname(os.path.abspath(__file__))
    for name in ('test_service.py', 'serve_support.py'):
        shutil.copy(os.path.join(here, name), folder)
    shutil.copy(os.path.abspath(sys.argv[1]), os.path.join(folder, 'tendril'))


def boot(folder, empty, groups):
    def enter():
        for group in groups:
            with open(group + '/cgroup.procs', 'w', encoding='utf-8') as file:
                file.write(str(os.getpid()))

    command = ['unshare', '--pid', '--fork', '--kill-child', '--mount', '--uts', '--ipc', '--net', '--cgroup',
               'sh', '-c', BOOT, 'boot', empty, folder, SYSTEMD]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          preexec_fn=enter) as process:
        try:
            out, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
    return out.decode(errors='replace')


def run_booted():
    if os.getuid() != 0:
        raise Skip('only root can start a systemd of its own')
    if not os.path.exists(SYSTEMD) or not shutil.which('systemctl'):
        raise Skip('no systemd')
    if not shutil.which('openssl'):
        raise Skip('no openssl')
    groups = []
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as empty:
        os.chmod(folder, 0o755)
        fill(folder)
        try:
            for group in own_groups():
                os.mkdir(group)
                groups.append(group)
            said = boot(folder, empty, groups)
        except OSError as error:
            raise Skip('no control group of our own: %s' % error) from error
        finally:
            for group in groups:
                remove_group(group)
        if not os.path.exists(folder + '/found'):
            if re.search(r'unshare: .* failed|mount: .*(denied|not permitted)', said):
                raise Skip('no namespaces of our own: ' + said.splitlines()[-1])
            raise AssertionError('systemd did not come up: ' + said)
        with open(folder + '/found', encoding='utf-8') as file:
            return json.load(file)


@test
def the_unit_runs_and_sees_everybody_with_two_capabilities():
    found = run_booted()
    assert 'error' not in found, found['error']
    same(found['health'], 'ok\n')
    same((found['running']['ActiveState'], found['running']['NRestarts']), ('active', '0'))
    status = found['status']
    assert '0' not in status['Uid'].split(), status['Uid']
    for kind in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'):
        same((kind, int(status[kind], 16)), (kind, CAPABILITIES))
    same((status['NoNewPrivs'], status['Seccomp']), ('1', '2'))
    seen = {process['pid']: process for process in found['seen']}
    for pid, handles in found['known'].items():
        same((pid, seen[int(pid)]['handles']), (pid, handles))
        assert seen[int(pid)]['mappings'] > 10 and seen[int(pid)]['handle_limit'] > 10, seen[int(pid)]
    assert 1 in seen, sorted(seen)
    blind = [process for process in found['seen'] if None in (process['handles'], process['mappings'],
                                                              process['handle_limit'])]
    same(blind, [])
    assert re.search(r'^tendril_process_unreadable\S* [1-9]', found['metrics'], re.M) is None, found['metrics']
    same((found['ended']['ActiveState'], found['ended']['Result'], found['ended']['ExecMainStatus']),
         ('inactive', 'success', '0'))
    # Its users' secrets are root's files, and the iterator needs no right to trace anybody.
    edited = {process['pid']: process for process in found['edited']}
    for pid, handles in found['known'].items():
        same((pid, edited[int(pid)]['handles']), (pid, handles))
    same(found['source'], has_iterator() and 'bpf' or 'stat')


if sys.argv[1:] == ['--inside']:
    inside()
else:
    main(sys.argv, __name__)
