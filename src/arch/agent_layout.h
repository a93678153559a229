/* SPDX-License-Identifier: BSD-2-Clause */
/* agent_layout.h - where in struct agent (remote/agent.h) the assembly of an architecture looks;
 * remote/agent.c asserts it */
#ifndef ARCH_AGENT_LAYOUT_H
#define ARCH_AGENT_LAYOUT_H

#define AGENT_ARENA       0
#define AGENT_ARENA_BYTES 8
#define AGENT_MUNMAP      16
#define AGENT_PATIENCE    24
#define AGENT_REST        40
#define AGENT_REST_BYTES  48
#define AGENT_HOME_UNMAP  56
#define AGENT_FETCH       64

#endif /* ARCH_AGENT_LAYOUT_H */
