// SPDX-License-Identifier: BSD-2-Clause
// stacks_js.js - JavaScript for test_symbolize: stands still in a function called by two others
const fs = require('fs');

function jsInner() {
	fs.writeSync(1, 'ready\n');
	fs.readSync(0, Buffer.alloc(1));
	return 1;
}

function jsMiddle() {
	return jsInner() + 1;
}

function jsOuter() {
	return jsMiddle() + 1;
}

jsOuter();
