/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault.h - fault points: places where a test makes the next step fail
 *
 *     r = FAULT_POINT("attach-pidfd");
 *     if (r < 0) ...the same path as the step's own failure...
 *
 * In the product the macro is 0 and costs nothing.  In the test build the hook may return a
 * negative errno, or kill the target, or kill the caller, at exactly that point.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#ifdef TENDRIL_FAULTS
extern int (*tendril_fault_hook)(const char *point);
#define FAULT_POINT(point) (tendril_fault_hook ? tendril_fault_hook(point) : 0)
#else
#define FAULT_POINT(point) 0
#endif

#endif /* BASE_FAULT_H */
