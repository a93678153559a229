#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_sentences.py TESTS - does each sentence of the Win32 semantics have a test named after it?

TESTS is the directory tests/.  TEST(CRT_01) and TEST(CRT_01_words) in win32/*.c are tests of CRT-01;
so are functions CRT_01 and CRT_01_words in test_win32*.c that cmocka runs.
"""
import glob
import os
import re
import sys

SENTENCE = re.compile(r'^([A-Z]+-\d+) ([MSC]) \S', re.M)
PORTABLE = re.compile(r'^TEST\(([A-Z]+_\d+)(?:_\w+)?\)', re.M)
NATIVE = re.compile(r'^\s*cmocka_unit_test(?:_\w+)?\(([A-Z]+_\d+)(?:_\w+)?[,)]', re.M)


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def names(pattern, paths):
    """{CRT-01: the file that has its first test}"""
    found = {}
    for path in sorted(paths):
        for name in pattern.findall(read(path)):
            found.setdefault(name.replace('_', '-'), os.path.basename(path))
    return found


def check(results):
    print('1..%d' % len(results))
    for number, (name, wrong) in enumerate(results):
        print('%s %d - %s' % ('not ok' if wrong else 'ok', number + 1, name))
        for line in wrong:
            print('#   ' + line)
    return any(wrong for _, wrong in results)


def main(tests):
    sentences = SENTENCE.findall(read(os.path.join(tests, 'win32', 'sentences.txt')))
    portable = names(PORTABLE, glob.glob(os.path.join(tests, 'win32', '*.c')))
    native = names(NATIVE, glob.glob(os.path.join(tests, 'test_win32*.c')))
    known = [name for name, _ in sentences]
    deviations = re.findall(r'^([A-Z]+-\d+)', read(os.path.join(tests, 'win32', 'wine-deviations.txt')), re.M)
    by_rank = {rank: [name for name, its in sentences if its == rank] for rank in 'MS'}
    tested = set(portable) | set(native)
    results = [
        ('the sentences are there, each once',
         [name for name in set(known) if known.count(name) > 1] or ([] if len(known) > 200 else ['too few'])),
        ('each sentence that must hold has a test', [n for n in by_rank['M'] if n not in tested]),
        ('each sentence that should hold has a test', [n for n in by_rank['S'] if n not in tested]),
        ('each test is of a sentence that there is', sorted(tested - set(known))),
        ('a section is a file', ['%s in %s' % item for item in portable.items()
                                 if item[1] != item[0].split('-')[0].lower() + '.c']),
        ('Wine deviates in sentences that are tested there', [n for n in deviations if n not in portable]),
    ]
    return 1 if check(results) else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
