#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The counter of the last line counts what test programs say, and sees those that say too little."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import summary  # noqa: E402

CASES = [
    ('counts_ok_and_not_ok', 'FAIL', '1..2\nok 1 - a\nnot ok 2 - b\n', (1, 1, 0)),
    ('counts_skips_of_cmocka_and_of_tap', 'OK', '1..2\nnot ok 1 # SKIP a\nok 2 - b # SKIP no x\n',
     (0, 0, 2)),
    ('counts_a_crash_after_good_tests_as_failure', 'FAIL', '1..3\nok 1 - a\n', (1, 1, 0)),
    ('counts_a_timeout_as_failure', 'TIMEOUT', '', (0, 1, 0)),
    ('counts_too_few_tests_as_failure', 'OK', '1..3\nok 1 - a\n', (1, 1, 0)),
    ('counts_a_plan_of_none_as_skipped', 'SKIP', '1..0 # SKIP not here\n', (0, 0, 1)),
    ('counts_an_expected_failure_as_passed', 'EXPECTEDFAIL', 'not ok 1 - a\n', (1, 0, 0)),
    ('counts_an_unexpected_pass_as_failure', 'UNEXPECTEDPASS', 'ok 1 - a\n', (0, 1, 0)),
    ('ignores_group_line_of_cmocka', 'FAIL', '1..1\nnot ok 1 - a\n# not ok - tests\n', (0, 1, 0)),
]

print('1..%d' % len(CASES))
for number, (name, result, stdout, want) in enumerate(CASES, 1):
    count = summary.count_program({'name': name, 'result': result, 'stdout': stdout})
    got = (count.passed, count.failed, count.skipped)
    print('%sok %d - summary_%s' % ('' if got == want else 'not ', number, name))
    if got != want:
        print('# wanted %r, got %r' % (want, got))
