#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_rooms.py SOURCE COMPILER... - who includes whom, and headers that stand alone

The order of the rooms is that of docs/architecture.md: an #include points leftwards only.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

MAY_INCLUDE = {
    'base': [],
    'proc': ['base'],
    'arch': ['base'],
    'elf': ['base', 'proc'],
    'tracee': ['base', 'proc', 'arch', 'elf'],
    'remote': ['base', 'proc', 'arch', 'elf', 'tracee'],
    'win32': ['base', 'proc', 'arch', 'elf', 'tracee', 'remote'],
    'symbolize': ['base', 'proc', 'elf'],
    'monitor': ['base', 'proc'],
    'pdh': ['base', 'proc', 'monitor'],
    'leaks': ['base', 'proc', 'symbolize'],
    'faults': ['base', 'proc', 'arch', 'elf', 'tracee', 'symbolize'],
}
BELOW_CMD = sorted(MAY_INCLUDE)
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
# Below cmd/ nothing prints, exits, or reads the environment.
FORBIDDEN = re.compile(r'(?<![\w.>])(printf|puts|putchar|perror|exit|abort|getenv|secure_getenv)\s*\(')
# But ExitProcess() is exit(3) by another name.
MAY_CALL = {'src/win32/exit.c': ['exit']}
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"', re.S)
ARCH_IF = re.compile(r'^\s*#\s*(?:el)?if.*\b__(x86_64|i386|aarch64|arm|riscv)\w*', re.M)


def sources(root, room):
    found = []
    for folder, _, names in os.walk(os.path.join(root, 'src', room)):
        found += [os.path.join(folder, n) for n in names if n.endswith(('.c', '.h', '.S'))]
    return sorted(found)


def read(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        return file.read()


def wrong_includes(root, room):
    """Includes of a room that is not to its left."""
    wrong = []
    for path in sources(root, room):
        for name in INCLUDE.findall(read(path)):
            other = name.split('/')[0]
            if '/' not in name or other == room or other not in MAY_INCLUDE and other != 'cmd':
                continue
            if other not in MAY_INCLUDE[room]:
                wrong.append('%s includes %s' % (os.path.relpath(path, root), name))
    return wrong


def forbidden_calls(root, room):
    wrong = []
    for path in sources(root, room):
        # What runs inside the target, and fault points of the tests, have rules of their own.
        text = COMMENT.sub('', read(path))
        allowed = MAY_CALL.get(os.path.relpath(path, root), [])
        for match in FORBIDDEN.finditer(text):
            if match.group(1) in allowed:
                continue
            wrong.append('%s calls %s()' % (os.path.relpath(path, root), match.group(1)))
    return wrong


def arch_conditions(root, room):
    return [os.path.relpath(p, root) + ' asks for a processor'
            for p in sources(root, room) if ARCH_IF.search(read(p))]


def compile_alone(root, header, compiler, language, standard):
    """What a compiler says about a file that includes nothing but this header, twice."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'alone.c')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('#include <%s>\n#include <%s>\nint alone;\n' % (header, header))
        run = subprocess.run(
            compiler + ['-x', language, '-std=' + standard, '-Wall', '-Wextra', '-Wpedantic',
                        '-Werror', '-fsyntax-only', '-I', os.path.join(root, 'include'), path],
            capture_output=True, text=True, check=False)
    return [] if run.returncode == 0 else run.stderr.splitlines()


def spdx_missing(root):
    wrong = []
    for top in ('src', 'include', 'tests', 'bench', 'examples'):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(('.c', '.h', '.S', '.py', '.sh', '.go')) and \
                        'SPDX-License-Identifier: BSD-2-Clause' not in read(path)[:400]:
                    wrong.append(os.path.relpath(path, root))
    return wrong


def tests(root, compiler):
    for room in BELOW_CMD:
        if os.path.isdir(os.path.join(root, 'src', room)):
            yield room + '_includes_only_rooms_to_its_left', lambda r=room: wrong_includes(root, r)
            yield room + '_neither_prints_nor_exits', lambda r=room: forbidden_calls(root, r)
            if room != 'arch':
                yield room + '_asks_for_no_processor', lambda r=room: arch_conditions(root, r)
    for name in sorted(os.listdir(os.path.join(root, 'include/tendril'))):
        header = 'tendril/' + name
        yield header + '_compiles_alone_as_c', \
            lambda h=header: compile_alone(root, h, compiler, 'c', 'c99')
        cxx = shutil.which('g++') or shutil.which('clang++')
        yield header + '_compiles_alone_as_cxx11', \
            (lambda h=header: compile_alone(root, h, [cxx], 'c++', 'c++11')) if cxx else None
    yield 'every_source_names_its_licence', lambda: spdx_missing(root)


def main(root, compiler):
    cases = list(tests(root, compiler))
    print('1..%d' % len(cases))
    for number, (name, check) in enumerate(cases, 1):
        if check is None:
            print('ok %d - %s # SKIP no C++ compiler' % (number, name))
            continue
        wrong = check()
        print('%sok %d - %s' % ('not ' if wrong else '', number, name))
        for line in wrong[:10]:
            print('# ' + line)


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2:] or ['cc'])
