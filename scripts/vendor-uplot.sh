#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# vendor-uplot.sh - put uPlot's files from its npm package into web/vendor/, with its licence
#
# Run it when VERSION changes, and commit what it wrote.  The files are taken as they are.
set -eu
VERSION=1.6.32

to=$(cd "$(dirname "$0")/../web/vendor" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$work"
npm pack --silent "uplot@$VERSION" >/dev/null
tar xzf "uplot-$VERSION.tgz"
cp package/dist/uPlot.iife.min.js package/dist/uPlot.min.css "$to/"
cp package/LICENSE "$to/uPlot.LICENSE"
