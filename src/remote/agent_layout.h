/* SPDX-License-Identifier: BSD-2-Clause */
/* agent_layout.h - offsets in struct agent that assembly uses; agent.c asserts them */
#ifndef REMOTE_AGENT_LAYOUT_H
#define REMOTE_AGENT_LAYOUT_H

#define AGENT_ARENA       0
#define AGENT_ARENA_BYTES 8
#define AGENT_MUNMAP      16
#define AGENT_PATIENCE    24
#define AGENT_REST        40
#define AGENT_REST_BYTES  48
#define AGENT_HOME_UNMAP  56
#define AGENT_FETCH       64

#endif /* REMOTE_AGENT_LAYOUT_H */
