/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.h - where the programs of bpf/handles.bpf.c are entered from
 *
 * Either from the functions of the kernel that change a table of handles, which costs nobody else
 * anything, or, where those cannot be hooked, from the exit of every system call of the machine.
 */
#ifndef LEAKS_HOOKS_H
#define LEAKS_HOOKS_H

#include "base/base.h"

struct bpf_object_skeleton;
struct trial;

enum hook { HOOK_FENTRY, HOOK_TRACEPOINT };

const char *hook_name(enum hook hook);
/* Does the kernel let us hook its functions, and run what hooks them each time? */
bool hooks_allowed(void);
/* Which programs are to be loaded, and for functions of which names. */
void hooks_choose(const struct bpf_object_skeleton *skeleton, enum hook hook);
int hooks_attach(const struct bpf_object_skeleton *skeleton);
/* How often the kernel did not run one, since another task was in it on that processor. */
uint64_t hooks_missed(const struct bpf_object_skeleton *skeleton);
/* Calls what must run the programs, and sees that each did.  tid: of the calling thread, in the
 * first pid namespace. */
bool hooks_work(volatile struct trial *trial, uint32_t tid);

#endif /* LEAKS_HOOKS_H */
