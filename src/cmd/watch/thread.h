/* SPDX-License-Identifier: BSD-2-Clause */
/* thread.h - a thread beside the loop */
#ifndef CMD_WATCH_THREAD_H
#define CMD_WATCH_THREAD_H

#include <pthread.h>

/* Signals stay the loop's.  Return: 0 or negative errno. */
int thread_start(pthread_t *ret_thread, void *(*run)(void *context), void *context);

#endif /* CMD_WATCH_THREAD_H */
