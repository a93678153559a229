#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""call_names.py COMPILER... - CALL(name) for each system call that the C library's headers know"""
import re
import subprocess
import sys


def main(compiler):
    run = subprocess.run(compiler + ['-E', '-dM', '-x', 'c', '-'], input='#include <sys/syscall.h>\n',
                         stdout=subprocess.PIPE, text=True, check=True)
    names = sorted(set(re.findall(r'^#define SYS_(\w+) ', run.stdout, re.M)))
    if 'read' not in names:
        sys.exit('call_names.py: <sys/syscall.h> names no system calls')
    for name in names:
        print('CALL(%s)' % name)


main(sys.argv[1:])
