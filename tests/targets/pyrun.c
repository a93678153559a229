/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pyrun.c - run Python code in a Python process, on a thread of its own
 *
 * The interpreter lock is the interpreter's to give: PyGILState_Ensure() waits for it on the new
 * thread, while every other thread goes on.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

long pyrun(const char *code)
{
	PyGILState_STATE state;
	int r;

	if (!Py_IsInitialized())
		return -2;
	state = PyGILState_Ensure();
	r = PyRun_SimpleString(code);
	PyGILState_Release(state);
	return r;
}
