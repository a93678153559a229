/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bpf_types.h - for programs in the kernel: the types that <bpf/bpf_helpers.h> asks for, and how the
 * members of kernel structures are named so that their places are found out when it is loaded. */
#ifndef BASE_BPF_TYPES_H
#define BASE_BPF_TYPES_H

#include <stdbool.h>

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#define NULL   ((void *)0)
#define KERNEL __attribute__((preserve_access_index))

#endif /* BASE_BPF_TYPES_H */
