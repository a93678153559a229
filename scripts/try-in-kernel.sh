#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# try-in-kernel.sh [-m MODULES] VMLINUZ [COMMAND...] - run a command in another kernel
#
# Boots the kernel in an emulator, on this machine's own files, read-only, and runs the command there as
# root, in the directory where we are.  Without one: the tests of `tendril leaks`, of build/.  The exit
# status is the command's.
#
# VMLINUZ is an image as packages have it in /boot, also of a package that was only unpacked (dpkg -x);
# its modules are looked for beside it, in ../lib/modules.  It must know 9p (Debian's linux-image-amd64
# does; the one for clouds does not).  Nothing is installed and nothing stays.
#
# KERNEL_ARGUMENTS are added to the kernel's own, such as preempt=full, and EMULATOR_ARGUMENTS to the
# emulator's, such as `-accel kvm` where that works; SECONDS_MAX (3000) and MEGABYTES (1024) bound it.
set -eu

seconds=${SECONDS_MAX:-3000}
megabytes=${MEGABYTES:-1024}
# What the kernel needs to reach our files.
modules='virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci fscache netfs
	9pnet 9pnet_virtio 9p'

fail()
{
	echo "try-in-kernel.sh: $*" >&2
	exit 2
}

usage()
{
	fail "usage: try-in-kernel.sh [-m MODULES] VMLINUZ [COMMAND...]"
}

# A package's boot/vmlinuz-VERSION is beside its lib/modules/VERSION.
modules_of()
{
	folder=$(cd "$(dirname "$1")" && pwd)
	for root in "$folder/.." "$folder/../usr"; do
		[ -d "$root/lib/modules/${1##*/vmlinuz-}" ] || continue
		echo "$root/lib/modules/${1##*/vmlinuz-}"
		return
	done
}

# Those that are not there are part of the kernel itself.
copy_modules()
{
	for name in $modules; do
		for file in $(find "$1" -name "$name.ko*"); do
			case $file in
			*.xz) xz -dc "$file" ;;
			*.zst) zstd -dcq "$file" ;;
			*.gz) gzip -dc "$file" ;;
			*) cat "$file" ;;
			esac >"$2/$name.ko"
		done
	done
}

# Quoted for a shell.
words()
{
	for word in "$@"; do
		printf "'%s' " "$(printf '%s' "$word" | sed "s/'/'\\\\''/g")"
	done
}

# What runs first in the other kernel, and brings our files in.
write_init()
{
	cat >"$1/init" <<-EOF
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		mount -t proc proc /proc
		mount -t devtmpfs dev /dev
		for round in 1 2 3 4; do # which needs which differs between kernels
			for file in /modules/*.ko; do
				insmod \$file 2>/dev/null
			done
		done
		mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=524288 root /system || {
			echo 'try-in-kernel.sh: this kernel cannot reach our files (9p, virtio_pci)'
			poweroff -f
		}
		umount /proc
		mount --move /dev /system/dev
		mount -t tmpfs -o mode=755 run /system/run
		cp /bin/busybox /arrive /command /system/run
		exec switch_root /system /run/busybox sh /run/arrive
	EOF
	chmod +x "$1/init"
}

# What runs then, and ends the machine.  What is written to is empty there, but for the directory where
# we are.
write_arrive()
{
	cat >"$1/arrive" <<-EOF
		export PATH='$PATH' HOME=/tmp LANG=C.UTF-8 CMOCKA_MESSAGE_OUTPUT=TAP
		export TENDRIL_TARGETS='$PWD/build/tests/targets'
		mount() { /run/busybox mount "\$@"; }
		mkdir /run/here && mount --bind '$PWD' /run/here
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t debugfs debugfs /sys/kernel/debug
		mount -t tracefs tracefs /sys/kernel/tracing
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		mkdir /dev/pts /dev/shm /dev/mqueue
		mount -t devpts -o ptmxmode=666 devpts /dev/pts
		mount -t mqueue mqueue /dev/mqueue
		for folder in /dev/shm /tmp /var/tmp; do
			mount -t tmpfs -o mode=1777 tmpfs \$folder
		done
		mkdir -p '$PWD' && mount --bind /run/here '$PWD'
		/run/busybox ip link set lo up
		cd '$PWD' && /bin/sh /run/command </dev/null
		echo "try-in-kernel: status \$?"
		/run/busybox poweroff -f
	EOF
}

write_command()
{
	file=$1
	shift
	[ $# -gt 0 ] || set -- python3 tests/test_leaks.py build/src/cmd/tendril
	words "$@" >"$file/command"
}

boot()
{
	exec timeout "$seconds" qemu-system-x86_64 -machine q35 -cpu max -smp 1 \
		-m "$megabytes" -nographic -no-reboot -nodefaults -serial stdio -monitor none \
		-kernel "$1" -initrd "$2/initramfs" -append "console=ttyS0 quiet panic=-1 ${KERNEL_ARGUMENTS:-}" \
		-virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
		${EMULATOR_ARGUMENTS:-} \
		</dev/null 2>&1
}

modules_folder=
[ "${1:-}" != -m ] || { modules_folder=${2:-}; shift 2 || usage; }
[ $# -ge 1 ] || usage
image=$1
shift
[ -r "$image" ] || fail "cannot read $image"
[ -n "$modules_folder" ] || modules_folder=$(modules_of "$image")
for tool in qemu-system-x86_64 busybox timeout; do
	command -v $tool >/dev/null || fail "$tool is missing: see scripts/need.sh kernel"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap '[ -z "${emulator:-}" ] || kill "$emulator"; exit 130' INT TERM
root=$work/root
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/system" "$root/modules"
cp "$(command -v busybox)" "$root/bin/busybox"
! ldd "$root/bin/busybox" >/dev/null 2>&1 || fail "busybox needs libraries: see scripts/need.sh kernel"
[ -z "$modules_folder" ] || copy_modules "$modules_folder" "$root/modules"
write_init "$root"
write_arrive "$root"
write_command "$root" "$@"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initramfs"
mkfifo "$work/serial"
boot "$image" "$work" >"$work/serial" &
emulator=$!
sed -u 's/\r//g' <"$work/serial" | tee "$work/console" &
wait $!
status=$(sed -n 's/^try-in-kernel: status \([0-9]*\)$/\1/p' "$work/console" | tail -1)
exit "${status:-2}"
