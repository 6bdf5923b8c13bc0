/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Building one record: the maps, the claim on a CPU's scratch area, pieces of bytes and
 * strings, and handing the finished record to a ring.
 *
 * A record is built in scratch because its length is known only at its end, while a ring
 * hands out memory of a size known to the verifier only. Tracepoints run with preemption
 * off on the kernels of today, so nothing of ours interrupts a build; where a kernel allows
 * preemption, the claim (`owner`) is checked again after the copy, and a record that another
 * build may have written into is dropped and counted instead of being handed on.
 */
#ifndef SAKER_BUILD_H
#define SAKER_BUILD_H

#include "bpf.h"
#include "kernel.h"
#include "record.h"

#define PATH_BYTES_MAX 4096
#define PATH_COMPONENTS_MAX 256
#define PATH_MOUNTS_MAX 16
#define NAME_BYTES_MAX 256
#define ARGS_BYTES_MAX 16384
#define ENV_BYTES_MAX 16384
#define CHUNK_BYTES 4096

/* No piece starts at or beyond this, and none is longer than ARGS_BYTES_MAX + NUL + padding,
 * so that whatever starts below RECORD_BYTES_MAX ends within `bytes`. */
#define SCRATCH_BYTES (RECORD_BYTES_MAX + 24576)

/* Set by the loader, then frozen. */
volatile const u32 cpus_per_ring = 2;
volatile const u32 ring_groups = 1;
volatile const u32 wakeup_bytes = 131072;
volatile const u32 env_bytes_max = 4096;
volatile const u32 scope_level = 0;
volatile const u64 scope_cgroup = 0;
/* 64-bit number of each call of the 32-bit table (first half) and of the calls only x32 has
 * (second half, by number); 65535 = none that is ever recorded. */
#define NUMBERS 1024
#define NOT_RECORDED 65535
volatile const u16 translate[NUMBERS] = {};

/* Why a record was lost. */
enum cause {
	CAUSE_RING_FULL_LIFECYCLE = 0,
	CAUSE_RING_FULL_BULK = 1,
	CAUSE_BUSY = 2,
	CAUSE_TOO_LONG = 3,
	CAUSE_EXCLUSIONS_FULL = 4,
	CAUSES = 8,
};

struct cpu {
	u64 sequence;
	u64 lost[CAUSES];
	u64 pad[7];
};

struct scratch {
	u64 owner;
	u32 at;
	u32 len;
	u64 lifecycle;
	u64 root_mnt;
	u64 root_dentry;
	u64 task;
	u64 number;
	u8 bytes[SCRATCH_BYTES];
};

/* One entry per possible CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpu);
} cpus SEC(".maps");

/* One entry per possible CPU: per-CPU maps hold at most 32 KiB. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* Lost records by 64-bit call number; beyond 512, by record kind. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 528);
	__type(key, u32);
	__type(value, u64);
} lost_by_call SEC(".maps");

/* Two classes, so that a flood of opens cannot evict an exec. 5.8 and 5.9 demand that every
 * ring has the size written here. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_RINGBUF);
		__uint(max_entries, 4194304);
	});
} rings_lifecycle SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_RINGBUF);
		__uint(max_entries, 8388608);
	});
} rings_bulk SEC(".maps");

static __always_inline struct scratch *scratch_of(u32 cpu)
{
	return bpf_map_lookup_elem(&scratches, &cpu);
}

static __always_inline struct scratch *scratch_here(void)
{
	return scratch_of(bpf_get_smp_processor_id());
}

/* Where the next byte goes. The mask repeats what `room` has checked in the form the
 * verifier follows. */
#define PLACE(s, at) ((s)->bytes + ((at) & (RECORD_BYTES_MAX - 1)))

/* Reads a number back from a map: the verifier does not follow values through maps (through
 * the stack it does), so the states of a loop look alike and are not explored one by one. */
#define FORGET(number) (*(volatile __typeof__(number) *)&(number))

static __always_inline struct header *header_of(struct scratch *s)
{
	return (struct header *)s->bytes;
}

/* Whether a piece of up to `len` bytes still fits into the record. */
static __always_inline int room(struct scratch *s, u32 len)
{
	return FORGET(s->at) + sizeof(struct piece) + len + 8 <= RECORD_BYTES_MAX;
}

/* Writes the head of the piece whose `len` bytes already lie behind it, pads, moves on. */
static __always_inline void close_piece(struct scratch *s, u16 tag, u16 flags, u32 len)
{
	u32 at = FORGET(s->at);
	struct piece *piece = (struct piece *)PLACE(s, at);

	piece->tag = tag;
	piece->flags = flags;
	piece->len = len;
	at += sizeof(struct piece);
	/* Zero padding, so that records are a function of what they hold. */
	u64 zero = 0;
	__builtin_memcpy(PLACE(s, at + len), &zero, 8);
	FORGET(s->at) = at + ((len + 7) & ~7u);
}

/* An empty piece that says it was cut, where the record has no room for its content. */
static __always_inline void put_cut(struct scratch *s, u16 tag)
{
	if (room(s, 0))
		close_piece(s, tag, PIECE_TRUNCATED, 0);
}

/* A NUL-ended string in user memory, without its NUL. */
static __always_inline void put_user_string(struct scratch *s, u64 from, u16 tag, u32 max)
{
	u16 flags = 0;

	if (!room(s, max + 8))
		return put_cut(s, tag);
	long n = bpf_probe_read_user_str(PLACE(s, FORGET(s->at) + sizeof(struct piece)),
					 max + 8, from);
	if (n <= 0) {
		flags = PIECE_FAULT;
		n = 1;
	}
	u32 len = n - 1;
	if (len > max) {
		len = max;
		flags = PIECE_TRUNCATED;
	}
	close_piece(s, tag, flags, len);
}

/* `len` bytes of user memory, at most `max` (a constant below CHUNK_BYTES). */
static __always_inline void put_user_bytes(struct scratch *s, u64 from, u64 len, u16 tag,
					   u32 max)
{
	u16 flags = 0;

	if (!room(s, max))
		return put_cut(s, tag);
	if (len > max) {
		len = max;
		flags = PIECE_TRUNCATED;
	}
	u32 size = len;
	barrier_number(size);
	if (size > max)
		return;
	if (bpf_probe_read_user(PLACE(s, FORGET(s->at) + sizeof(struct piece)), size, from)) {
		flags |= PIECE_FAULT;
		size = 0;
	}
	close_piece(s, tag, flags, size);
}

/* An area of user memory page by page, so that one missing page costs no more than what
 * follows it. */
static __always_inline void put_user_area(struct scratch *s, u64 from, u64 end, u32 max,
					  u16 tag)
{
	u16 flags = 0;

	if (end < from)
		end = from;
	if (end - from > max) {
		end = from + max;
		flags = PIECE_TRUNCATED;
	}
	if (!room(s, ARGS_BYTES_MAX))
		return put_cut(s, tag);
	FORGET(s->len) = 0;
	for (int i = 0; i < ARGS_BYTES_MAX / CHUNK_BYTES + 1; i++) {
		u64 left = end - from;
		/* Up to the page's end, as a fault is all or nothing. */
		u64 step = CHUNK_BYTES - (from & (CHUNK_BYTES - 1));

		if (left == 0)
			break;
		if (step > left)
			step = left;
		u32 size = step;
		barrier_number(size);
		if (size > CHUNK_BYTES)
			break;
		if (bpf_probe_read_user(PLACE(s, FORGET(s->at) + sizeof(struct piece) + FORGET(s->len)),
					size, from)) {
			flags |= PIECE_FAULT;
			break;
		}
		FORGET(s->len) += size;
		from += size;
	}
	u32 done = FORGET(s->len);
	if (done > ARGS_BYTES_MAX)
		done = ARGS_BYTES_MAX;
	close_piece(s, tag, flags, done);
}

static __always_inline void lose(u32 cpu, u32 cause, u32 call)
{
	struct cpu *c = bpf_map_lookup_elem(&cpus, &cpu);
	u64 *by_call = bpf_map_lookup_elem(&lost_by_call, &call);

	if (c)
		count_one(c->lost[cause & (CAUSES - 1)]);
	if (by_call)
		count_one(*by_call);
}

/* Claims this CPU's scratch and numbers the attempt; NULL when it is being built in. */
static __always_inline struct scratch *begin(u16 kind, u32 call, u32 lifecycle)
{
	u32 cpu = bpf_get_smp_processor_id();
	u64 id = bpf_get_current_pid_tgid();
	struct cpu *c = bpf_map_lookup_elem(&cpus, &cpu);
	struct scratch *s = scratch_of(cpu);

	if (!c || !s)
		return 0;
	u64 sequence = c->sequence;
	count_one(c->sequence);
	if (FORGET(s->owner)) {
		lose(cpu, CAUSE_BUSY, call);
		return 0;
	}
	FORGET(s->owner) = id | (1ull << 63);
	FORGET(s->at) = sizeof(struct header);
	s->lifecycle = lifecycle;
	s->number = call;

	struct header *h = header_of(s);
	h->kind = kind;
	h->cpu = cpu;
	h->sequence = sequence;
	h->time = 0;
	h->cgroup = bpf_get_current_cgroup_id();
	h->tid = id;
	h->tgid = id >> 32;
	h->syscall = 0;
	h->flags = 0;
	h->reserved = 0;
	h->ret = 0;
	for (int i = 0; i < 6; i++)
		h->args[i] = 0;
	return s;
}

/* One size class of ring memory; the time is taken once the place in the ring is held, so
 * that a reader who takes the time and then a ring's end has every record up to that time. */
#define FINISH_IN(size)                                                              \
	if (len <= (size)) {                                                         \
		struct header *out = bpf_ringbuf_reserve(ring, (size), 0);           \
		if (!out) {                                                          \
			cause = s->lifecycle ? CAUSE_RING_FULL_LIFECYCLE             \
					     : CAUSE_RING_FULL_BULK;                 \
			goto lost;                                                   \
		}                                                                    \
		u32 n = len;                                                         \
		barrier_number(n);                                                   \
		if (n > (size))                                                      \
			n = (size);                                                  \
		bpf_probe_read_kernel(out, n, s->bytes);                             \
		if (FORGET(s->owner) != owner) {                                     \
			bpf_ringbuf_discard(out, BPF_RB_NO_WAKEUP);                  \
			cause = CAUSE_BUSY;                                          \
			goto lost;                                                   \
		}                                                                    \
		out->time = bpf_ktime_get_boot_ns();                                 \
		u64 waiting = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);            \
		/* Once, when the mark is passed; the reader also comes by itself */ \
		/* every few milliseconds. */                                        \
		bpf_ringbuf_submit(out, waiting >= wakeup_bytes &&                   \
						waiting - wakeup_bytes <= (size) + 8 \
					? BPF_RB_FORCE_WAKEUP                        \
					: BPF_RB_NO_WAKEUP);                         \
		goto out;                                                            \
	}

/* Hands the record to its ring and gives the scratch back. */
GLOBAL int finish(u64 owner)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct scratch *s = scratch_of(cpu);
	u32 cause = CAUSE_TOO_LONG;

	if (!s)
		return 0;
	u32 len = FORGET(s->at);
	u32 group = cpu / cpus_per_ring % ring_groups;
	void *ring = s->lifecycle ? bpf_map_lookup_elem(&rings_lifecycle, &group)
				  : bpf_map_lookup_elem(&rings_bulk, &group);

	header_of(s)->len = len;
	if (!ring)
		goto lost;
	FINISH_IN(256)
	FINISH_IN(512)
	FINISH_IN(1024)
	FINISH_IN(2048)
	FINISH_IN(4096)
	FINISH_IN(8192)
	FINISH_IN(16384)
	FINISH_IN(32768)
	FINISH_IN(65528)
lost:
	lose(cpu, cause, s->number);
out:
	if (FORGET(s->owner) == owner)
		FORGET(s->owner) = 0;
	return 0;
}

#endif
