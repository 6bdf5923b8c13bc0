/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The bytes of a record, as src/record.rs defines them for both sides, and of a recipe, as
 * src/recipe.rs does.
 */
#ifndef SAKER_RECORD_H
#define SAKER_RECORD_H

#include "bpf.h"

#define RECORD_BYTES_MAX 65536

enum kind {
	KIND_SYSCALL = 1,
	KIND_EXEC = 2,
	KIND_FORK = 3,
	KIND_EXIT = 4,
};

#define FLAG_COMPAT 1

struct header {
	u32 len;
	u16 kind;
	u16 cpu;
	u64 sequence;
	u64 time;
	u64 start_time;
	u64 cgroup;
	u32 tid;
	u32 tgid;
	u16 syscall;
	u16 flags;
	u32 reserved;
	s64 ret;
	u64 args[6];
};
_Static_assert(sizeof(struct header) == 112, "record.rs: HEADER_BYTES");

enum tag {
	TAG_PATH0 = 1,
	TAG_PATH1 = 2,
	TAG_FILE = 3,
	TAG_FILE_PATH = 4,
	TAG_DIR0 = 5,
	TAG_DIR1 = 6,
	TAG_SOCKET = 7,
	TAG_UNIX_PATH = 8,
	TAG_SOCKADDR = 9,
	TAG_ARGS = 10,
	TAG_ENV = 11,
	TAG_COMM = 12,
	TAG_CGROUP = 13,
	TAG_PROCESS = 14,
	TAG_EXE = 15,
	TAG_EXE_PATH = 16,
	TAG_CWD = 17,
	TAG_TEXT = 18,
	TAG_FILENAME = 19,
	TAG_STRUCT = 20,
	TAG_CGROUP_V1 = 21,
	TAG_UNIX_PEER_PATH = 22,
	TAG_DESCRIPTOR = 23,
	TAG_CGROUP_IDS = 24,
};

#define PIECE_TRUNCATED 1
#define PIECE_FAULT 2

struct piece {
	u16 tag;
	u16 flags;
	u32 len;
};

struct file_wire {
	u64 inode;
	u64 ctime;
	u64 mtime;
	u32 dev;
	u32 mode;
	u32 open_flags;
	u32 flags;
	u32 uid;
	u32 gid;
	u64 magic;
};
_Static_assert(sizeof(struct file_wire) == 56, "record.rs: File::BYTES");

#define FILE_UPPER_LAYER 1
#define FILE_LOWER_LAYER 2
#define FILE_UNLINKED 4
#define FILE_MEMFD 8
#define FILE_CREATED 16
#define FILE_PATH_CUT 32
#define FILE_NO_PATH 64
#define FILE_DETACHED 128

struct socket_wire {
	u16 family;
	u16 kind;
	u16 protocol;
	u16 state;
	u16 local_port;
	u16 remote_port;
	u32 reserved;
	u8 local[16];
	u8 remote[16];
	u64 inode;
	u64 identity;
};
_Static_assert(sizeof(struct socket_wire) == 64, "record.rs: Socket::BYTES");

struct process_wire {
	u32 parent_tgid;
	u32 parent_tid;
	u64 parent_start_time;
	u64 leader_start_time;
	u32 pgid;
	u32 sid;
	u32 vtid;
	u32 vpid;
	u32 vpgid;
	u32 vsid;
	u32 loginuid;
	u32 tty;
	u32 uid;
	u32 euid;
	u32 suid;
	u32 fsuid;
	u32 gid;
	u32 egid;
	u32 sgid;
	u32 fsgid;
	u64 cap_inheritable;
	u64 cap_permitted;
	u64 cap_effective;
	u32 pid_ns;
	u32 mnt_ns;
	u32 user_ns;
	u32 net_ns;
	u64 pid_ns_start_time;
	u64 fd_limit;
	u64 vm_size;
	u64 vm_rss;
	u32 flags;
	u32 reserved;
};
_Static_assert(sizeof(struct process_wire) == 168, "record.rs: Process::BYTES");

#define PROCESS_EXE_WRITABLE 1
#define PROCESS_THREAD 2
#define PROCESS_SHARES_FILES 4
#define PROCESS_SHARES_FS 8
#define PROCESS_KERNEL_THREAD 16

/* An argument in a recipe is its number plus one; 0 is none. */
#define RECIPE_RET 7 /* fd: the call's result */
#define RECIPE_CWD 7 /* dir0, dir1: the current directory */

#define RECIPE_LIFECYCLE 1
#define RECIPE_ONLY_FAILURE 2
#define RECIPE_ONLY_DUPFD 4

#define AFTER_PROCESS 1
#define AFTER_CWD 2

#define BYTES_CONSTANT 128

struct recipe {
	u8 flags;
	u8 path0;
	u8 dir0;
	u8 path1;
	u8 dir1;
	u8 fd;
	u8 sockaddr;
	u8 sockaddr_len;
	u8 text;
	u8 bytes;
	u8 bytes_len;
	u8 argv;
	u8 after;
	u8 reserved[3];
};
_Static_assert(sizeof(struct recipe) == 16, "recipe.rs: Recipe");

#endif
