#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""sentences.py SENTENCES - the sentences as a table in C, for the tests to tell what they hold"""
import re
import sys

LINE = re.compile(r'^([A-Z]+-\d+) ([MSC]) (\S.*)$')


def read(path):
    """(id, rank, words) of each sentence."""
    with open(path, encoding='ascii') as file:
        lines = [line.rstrip('\n') for line in file if line.strip() and line[0] != '#']
    found = [LINE.match(line) for line in lines]
    if None in found:
        sys.exit('%s: not a sentence: %s' % (path, lines[found.index(None)]))
    return [match.groups() for match in found]


if __name__ == '__main__':
    print('static const struct {\n\tconst char *id, *words;\n} sentences[] = {')
    for name, _, words in read(sys.argv[1]):
        print('\t{ "%s", "%s" },' % (name, words.replace('\\', '\\\\').replace('"', '\\"')))
    print('};')
