#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# need.sh [--tell | --missing] GROUP... - see that the tools of the groups are there
#
# Looks for each by what it provides, not by a package database.  What is missing is installed by
# apt-get when we are root; otherwise, and with --tell, the command that installs it is printed and
# the exit status is 1.  With --missing the packages are printed, and that is all.  Nothing here
# calls sudo.  Tools marked "optional" are for tests that are skipped without them: failing to
# install one is no error.
set -u

tell=0
list=0
missing=
optional=

has_command()
{
	command -v "$1" >/dev/null 2>&1
}

has_module()
{
	has_command pkg-config && pkg-config --exists "$1"
}

has_32_bit()
{
	has_file /usr/lib32/libc.so.6 /usr/lib32/libc.so && has_file /usr/include/asm/errno.h
}

has_file()
{
	for file in "$@"; do
		[ -e "$file" ] && return 0
	done
	return 1
}

# need PACKAGE CHECK...: required; want PACKAGE CHECK...: optional
need()
{
	package=$1
	shift
	"$@" || missing="$missing $package"
}

want()
{
	package=$1
	shift
	"$@" || optional="$optional $package"
}

group_build()
{
	need gcc eval 'has_command gcc || has_command clang || has_command cc'
	need libc6-dev has_file /usr/include/stdlib.h
	need meson has_command meson
	need ninja-build has_command ninja
	need pkg-config has_command pkg-config
	need python3 has_command python3
	want clang has_command clang
	want bpftool eval 'has_command bpftool || has_file /usr/sbin/bpftool'
	want libbpf-dev has_file /usr/include/bpf/skel_internal.h
	need libsqlite3-dev has_module sqlite3
	need libmicrohttpd-dev has_module libmicrohttpd
	need libncurses-dev has_module ncursesw
	need libdw-dev has_module libdw
	need libiberty-dev has_file /usr/include/libiberty/demangle.h
}

group_check()
{
	need libcmocka-dev has_module cmocka
	need util-linux has_command setpriv
	need tmux has_command tmux
	want curl has_command curl
	want faketime has_command faketime
	want jq has_command jq
	want sqlite3 has_command sqlite3
	want systemd eval 'has_command systemd-analyze && has_file /lib/systemd/systemd'
	want musl-tools has_command musl-gcc
	want gcc-multilib has_32_bit
	want g++ has_command g++
	want golang-go has_command go
	want rustc has_command rustc
	want xz-utils has_command xz
	need binutils has_command objcopy
	want gdb has_command gdb
	want valgrind has_command valgrind
	want strace has_command strace
	want rustc has_command rustc
	want procps has_command ps
	want nginx-light has_command nginx
	want redis-server has_command redis-server
	want postgresql eval 'has_file /usr/lib/postgresql/*/bin/postgres'
	want nodejs eval 'has_command node || has_command java'
	want libpython3-dev has_file /usr/include/python3*/Python.h
	want prometheus eval 'has_command prometheus && has_command promtool'
	want prometheus-alertmanager has_command prometheus-alertmanager
	want chromium has_command chromium
	want chromium-driver has_command chromedriver
	want openssl has_command openssl
	want libjemalloc2 has_file /usr/lib/*/libjemalloc.so.2
	want_real_libraries
}

# Those whose functions tests/test_faults_real.py explores: small ones.
want_real_libraries()
{
	want libapr1-dev has_module apr-1
	want libarchive-dev has_module libarchive
	want libblkid-dev has_module blkid
	want libbz2-dev has_file /usr/include/bzlib.h
	want libcoap3-dev has_module libcoap-3-notls
	want libconfig-dev has_module libconfig
	want libconfuse-dev has_module libconfuse
	want libdaemon-dev has_module libdaemon
	want libevent-dev has_module libevent
	want libexif-dev has_module libexif
	want libext2fs-dev has_module ext2fs
	want libgdbm-dev has_file /usr/include/gdbm.h
	want libgif-dev has_module libgif
	want libid3tag0-dev has_module id3tag
	want libinih-dev has_module inih
	want libjansson-dev has_module jansson
	want libjson-c-dev has_module json-c
	want liblcms2-dev has_module lcms2
	want liblmdb-dev has_module lmdb
	want libminizip-dev has_module minizip
	want libmnl-dev has_module libmnl
	want libpcap-dev has_module libpcap
	want libpng-dev has_module libpng
	want libpopt-dev has_module popt
	want libreadline-dev has_module readline
	want libsocketcan-dev has_module libsocketcan
	want libtdb-dev has_module tdb
	want libtirpc-dev has_module libtirpc
	want libudev-dev has_module libudev
	want libuv1-dev has_module libuv
	want libzip-dev has_module libzip
	want libzzip-dev has_module zziplib
	want zlib1g-dev has_module zlib
}

# What make bench measures itself against.
group_bench()
{
	want sysstat has_command pidstat
	want lsof has_command lsof
	want prometheus-process-exporter has_command prometheus-process-exporter
	want pcp has_file /var/lib/pcp/pmdas/proc/pmdaproc
	want valgrind has_command valgrind
	want strace has_command strace
	want linux-perf has_command perf
	want nginx-light has_command nginx
	want wrk has_command wrk
	want wine64 eval 'has_command wine64 || has_command wine || has_file /usr/lib/wine/wine64'
	want gcc-mingw-w64-x86-64-win32 has_command x86_64-w64-mingw32-gcc
}

# An emulator, for scripts/try-in-kernel.sh.
group_kernel()
{
	need qemu-system-x86 has_command qemu-system-x86_64
	need busybox-static has_command busybox
	need xz-utils has_command xz
}

group_clang()
{
	need clang has_command clang
}

# Debian keeps wine64 out of the path, and its wrapper in a package that wants the 32-bit one too.
group_wine()
{
	need wine64 eval 'has_command wine64 || has_command wine || has_file /usr/lib/wine/wine64'
	need gcc-mingw-w64-x86-64-win32 has_command x86_64-w64-mingw32-gcc
}

# Services that come with a package must not start: they are only victims here.
hold_services()
{
	policy=/usr/sbin/policy-rc.d
	export SYSTEMD_OFFLINE=1 # pcp asks systemctl itself, and fails where there is no systemd
	[ -e $policy ] && return
	printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	trap 'exit 1' INT TERM HUP
}

install()
{
	echo "need.sh: apt-get install$missing$optional" >&2
	apt-get update -q >/dev/null || echo "need.sh: apt-get update failed; going on" >&2
	hold_services
	export DEBIAN_FRONTEND=noninteractive
	for package in $missing; do
		apt-get install -y -q --no-install-recommends "$package" >/dev/null || {
			echo "need.sh: apt-get could not install $package" >&2
			exit 1
		}
	done
	for package in $optional; do
		apt-get install -y -q --no-install-recommends "$package" >/dev/null ||
			echo "need.sh: no $package: the tests that need it are skipped" >&2
	done
}

for group in "$@"; do
	case $group in
	--tell) tell=1 ;;
	--missing) list=1 ;;
	build | check | bench | clang | kernel | wine) "group_$group" ;;
	*)
		echo "need.sh: unknown group $group" >&2
		exit 2
		;;
	esac
done

if [ "$list" = 1 ]; then
	echo "$missing$optional"
	exit 0
fi
[ -z "$missing$optional" ] && exit 0
if [ "$tell" = 0 ] && [ "$(id -u)" = 0 ] && has_command apt-get; then
	install
	exit 0
fi
# An ordinary user may do without what only widens the tests.
if [ -n "$missing" ]; then
	echo "need.sh: missing; run: sudo apt-get install$missing$optional" >&2
	exit 1
fi
echo "need.sh: some of it will be left out; for all: sudo apt-get install$optional" >&2
exit 0
