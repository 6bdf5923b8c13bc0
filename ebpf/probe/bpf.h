/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the probe needs of BPF itself: integer types, map declarations, helper numbers
 * (include/uapi/linux/bpf.h) and relocatable reads. No kernel or libbpf header is used, so
 * that clang alone builds the probe.
 */
#ifndef SAKER_BPF_H
#define SAKER_BPF_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef short s16;
typedef int s32;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
/* Not static: the verifier then checks the function once, not once per call. Arguments must
 * be numbers, which every kernel since 5.6 accepts. */
#define GLOBAL __attribute__((noinline))

#define __uint(name, value) int(*name)[value]
#define __type(name, value) value *name
#define __array(name, value) value *name[]

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};

/* Only to ask whether this kernel has the helper; the value is relocated. */
enum bpf_func_id {
	BPF_FUNC_get_current_task_btf = 158,
};

struct task_struct;

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value,
				   u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static u64 (*bpf_get_current_task)(void) = (void *)35;
static u64 (*bpf_get_current_cgroup_id)(void) = (void *)80;
static long (*bpf_probe_read_user)(void *dst, u32 size, u64 from) = (void *)112;
static long (*bpf_probe_read_kernel)(void *dst, u32 size, const void *from) = (void *)113;
static long (*bpf_probe_read_user_str)(void *dst, u32 size, u64 from) = (void *)114;
static long (*bpf_probe_read_kernel_str)(void *dst, u32 size, const void *from) = (void *)115;
static u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static void *(*bpf_ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*bpf_ringbuf_submit)(void *record, u64 flags) = (void *)132;
static void (*bpf_ringbuf_discard)(void *record, u64 flags) = (void *)133;
static u64 (*bpf_ringbuf_query)(void *ring, u64 what) = (void *)134;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;

/* CO-RE questions, answered by the loader from the running kernel's BTF. */
#define field_exists(access) __builtin_preserve_field_info(access, 2)
#define field_bytes(access) __builtin_preserve_field_info(access, 1)
#define type_bytes(type) __builtin_preserve_type_info(*(type *)0, 1)
#define enum_value_exists(type, value) __builtin_preserve_enum_value(*(enum type *)value, 0)

/* Reads one field of a kernel structure; zero when it cannot be read. */
#define KREAD(access)                                                   \
	({                                                              \
		__typeof__(access) value_ = 0;                          \
		bpf_probe_read_kernel(&value_, sizeof(value_),          \
				      (const void *)&(access));         \
		value_;                                                 \
	})
/* The same for a structure. */
#define KREAD_INTO(into, access) \
	bpf_probe_read_kernel(&(into), sizeof(into), (const void *)&(access))

/* Keeps the compiler from reasoning across this point about a number the verifier must see
 * checked in the very register it is used in. */
#define barrier_number(number) __asm__ volatile("" : "+r"(number))

#define count_one(counter) __sync_fetch_and_add(&(counter), 1)

#endif
