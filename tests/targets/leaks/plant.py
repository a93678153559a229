# SPDX-License-Identifier: BSD-2-Clause
"""plant.py PLANT leak|repaired [wait] - a plant in Python"""
import os
import sys


def leaky(repaired):
    handle = os.open('/dev/null', os.O_RDONLY)  # the line, for those who can see it
    if repaired:
        os.close(handle)


def main():
    waits = sys.argv[3:] == ['wait']
    if waits:
        print('begin', flush=True)
        os.read(0, 1)
    for _ in range(3):
        leaky(sys.argv[2] == 'repaired')
    if waits:
        print('ready', flush=True)
        os.read(0, 1)


main()
