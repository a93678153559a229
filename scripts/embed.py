#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""embed.py OUTPUT FILE... - files as C arrays, in a table by path, for `tendril serve`

A file is served under its own name, web/index.html as "/".
"""
import hashlib
import os
import sys

TYPES = {'.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8',
         '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml',
         '.LICENSE': 'text/plain; charset=utf-8'}


def array(number, data):
    lines = [', '.join('%d' % byte for byte in data[at:at + 32]) for at in range(0, len(data), 32)]
    return 'static const unsigned char file_%d[] = {\n%s\n};\n' % (number, ',\n'.join(lines))


def main(output, paths):
    arrays, entries = [], []
    for number, path in enumerate(paths):
        name = os.path.basename(path)
        with open(path, 'rb') as file:
            data = file.read()
        arrays.append(array(number, data))
        entries.append('\t{ "/%s", "%s", "\\"%s\\"", file_%d, sizeof(file_%d) },' % (
            '' if name == 'index.html' else name, TYPES[os.path.splitext(name)[1]],
            hashlib.sha256(data).hexdigest()[:24], number, number))
    with open(output, 'w', encoding='ascii') as file:
        file.write('/* made by scripts/embed.py */\n#include "monitor/web_files.h"\n\n%s\n'
                   'const struct web_file web_files[] = {\n%s\n\t{ 0 },\n};\n'
                   % ('\n'.join(arrays), '\n'.join(entries)))


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2:])
