#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""summary.py TESTLOG.json... - count the single tests in meson's logs

Every test program prints TAP.  A line "ok" or "not ok" is one test; a program that fails without
a "not ok" (it crashed, hung, or printed fewer than it planned) counts as one more failure.  The
last line printed is `N passed, N failed, N skipped`; the exit status is 1 when anything failed.
"""
import json
import re
import sys

LINE = re.compile(r'^\s*(not )?ok\b(?:\s+\d+)?(?P<rest>.*)$')
PLAN = re.compile(r'^1\.\.(\d+)(?P<rest>.*)$')
REASON = re.compile(r'^# skipped: (.*)$')


class Count:
    """What one test program said."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.planned = None
        self.failures, self.reasons = [], []

    def add_line(self, line):
        plan, match, reason = PLAN.match(line), LINE.match(line), REASON.match(line)
        if plan:
            self.planned = int(plan.group(1)) + (self.planned or 0)
            if self.planned == 0 and 'SKIP' in plan.group('rest').upper():
                self.skipped += 1
                self.reasons.append(plan.group('rest').strip(' #'))
        elif reason:
            self.reasons.append(reason.group(1))
        elif match:
            self.add_result(bool(match.group(1)), match.group('rest'))

    def add_result(self, is_not, rest):
        if '# SKIP' in rest.upper():  # cmocka says "not ok 3 # SKIP name"
            self.skipped += 1
            why = re.split('# skip', rest, flags=re.I)[1].strip()
            if not is_not and why:
                self.reasons.append(rest.split('#')[0].strip(' -') + ': ' + why)
        elif is_not:
            self.failed += 1
            self.failures.append(rest.strip(' -'))
        else:
            self.passed += 1

    def total(self):
        return self.passed + self.failed + self.skipped


def count_program(test):
    """Count one program of the log, an object with result, stdout and stderr."""
    count = Count()
    result = test['result']
    if result == 'EXPECTEDFAIL':
        count.passed = 1
        return count
    if result == 'UNEXPECTEDPASS':
        count.failed = 1
        count.failures.append('passed, but was expected to fail')
        return count
    for stream in ('stdout', 'stderr'):
        for line in (test.get(stream) or '').splitlines():
            count.add_line(line)
    complete = count.planned is None or count.planned <= count.total()
    if result == 'OK' and not complete:
        count.failed += 1
        count.failures.append('said only %d of %d' % (count.total(), count.planned))
    elif result == 'OK' and count.total() == 0:
        count.passed = 1
    elif result == 'SKIP' and count.total() == 0:
        count.skipped = 1
    elif result not in ('OK', 'SKIP') and count.failed == 0:
        count.failed = 1
        count.failures.append('the program ended with ' + result)
    return count


def main(paths):
    passed = failed = skipped = 0
    notes = []
    for path in paths:
        try:
            with open(path, encoding='utf-8', errors='replace') as log:
                tests = [json.loads(line) for line in log if line.strip()]
        except OSError as error:
            tests = []
            failed += 1
            notes.append('FAILED  no log: %s' % error)
        for test in tests:
            count = count_program(test)
            passed += count.passed
            failed += count.failed
            skipped += count.skipped
            notes += ['skipped %s: %s' % (test['name'], why) for why in count.reasons]
            notes += ['FAILED  %s: %s' % (test['name'], what) for what in count.failures]
    print()
    for note in sorted(notes, key=lambda note: note.startswith('FAILED')):
        print(note)
    print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
