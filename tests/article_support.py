# SPDX-License-Identifier: BSD-2-Clause
"""article_support.py - the demo's service, and its program under `tendril faults`"""
import json
import os
import re
import subprocess

from leaks_support import Skip

SECONDS = 240


class Service:
    """The demo's, under the demo's load; tendril is the program, beside which the examples were built."""

    def __init__(self, tendril):
        self.tendril = os.path.abspath(tendril)

    def example(self, name):
        path = os.path.join(os.path.dirname(self.tendril), '../../examples', name)
        if not os.path.exists(path):
            raise Skip('%s is not built' % name)
        return path

    def __enter__(self):
        self.process = subprocess.Popen([self.example('service')], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        ready, self.pid, port, *self.addresses = self.process.stdout.readline().split()
        assert ready == 'ready'
        self.load = subprocess.Popen([self.example('service'), 'load', port], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        return self

    def threads(self):
        return len(os.listdir('/proc/%s/task' % self.pid))

    def answers(self):
        """(questions, wrong answers); it is asked nothing more."""
        said, _ = self.load.communicate(timeout=SECONDS)
        return tuple(int(n) for n in re.fullmatch(r'(\d+) requests, (\d+) wrong answers\n', said).groups())

    def explore(self, mode, *options):
        """(exit status, what was said) of the first call in the program's mode."""
        command = [self.tendril, 'faults', '--json', '--calls', '1', *options, '--', self.example('q272913'), mode,
                   self.pid, *self.addresses]
        # It goes on for a line after each of its six rounds, when it makes rounds.
        done = subprocess.run(command, input=b'\n' * 6, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=SECONDS, check=False)
        if done.returncode not in (0, 1):
            raise AssertionError('exit status %d: %s' % (done.returncode, done.stderr.decode()))
        return done.returncode, json.loads(done.stdout)

    def __exit__(self, *_):
        for process in (self.load, self.process):
            process.kill()
            process.communicate()
