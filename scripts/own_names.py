#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""own_names.py MAP - OURS(name) for each function of Win32 that the library exports"""
import re
import sys


def main(path):
    with open(path, encoding='ascii') as file:
        exported = re.search(r'global:(.*?)local:', file.read(), re.S).group(1)
    names = re.findall(r'^\s*([A-Z]\w*);', exported, re.M)
    if 'CloseHandle' not in names:
        sys.exit('own_names.py: %s exports no CloseHandle' % path)
    for name in sorted(names):
        print('OURS(%s)' % name)


main(sys.argv[1])
