/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The few fields of kernel structures that the probe reads. Offsets here mean nothing: every
 * access is relocated against the running kernel's BTF. A structure whose field was renamed
 * or retyped between 5.8 and today has a variant per form; what follows `___` in its name is
 * ignored when types are matched.
 */
#ifndef SAKER_KERNEL_H
#define SAKER_KERNEL_H

#include "bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	u32 val;
} kuid_t;
typedef struct {
	u32 val;
} kgid_t;

struct pt_regs {
	unsigned long bp, bx, r10, r9, r8, cx, dx, si, di, orig_ax;
};

struct thread_info {
	u32 status;
};
/* arch/x86/include/asm/thread_info.h: this call came through the 32-bit table. */
#define TS_COMPAT 2

struct qstr {
	const unsigned char *name;
};

struct super_block {
	u32 s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
};
/* include/linux/fs.h: the kernel's own, which nobody can mount. */
#define SB_NOUSER (1u << 31)
#define OVERLAYFS_MAGIC 0x794c7630

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

struct inode {
	u16 i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	struct super_block *i_sb;
	unsigned long i_ino;
	u32 i_nlink;
};
struct inode___before_6_6 {
	struct timespec64 i_ctime;
};
struct inode___before_6_7 {
	struct timespec64 i_mtime;
};
struct inode___before_6_11 {
	struct timespec64 __i_ctime;
	struct timespec64 __i_mtime;
};
struct inode___since_6_11 {
	s64 i_ctime_sec;
	s64 i_mtime_sec;
	u32 i_ctime_nsec;
	u32 i_mtime_nsec;
};
#define S_IFMT 0170000
#define S_IFSOCK 0140000

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mnt_namespace;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	u32 f_mode;
	u32 f_flags;
	struct inode *f_inode;
	struct path f_path;
	void *private_data;
};
/* include/linux/fs.h: this open created the file. */
#define FMODE_CREATED 0x100000

struct fdtable {
	u32 max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct ns_common {
	u32 inum;
};

struct user_namespace {
	struct ns_common ns;
};

struct task_struct;

struct pid_namespace {
	struct task_struct *child_reaper;
	u32 level;
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	u32 level;
	struct upid numbers[1];
};

struct mnt_namespace {
	struct ns_common ns;
};
/* include/uapi/linux/nsfs.h: what open_tree makes; 0 before 6.18. */
#define MNT_NS_ANON_INO 0xeffffff7u

struct net {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
};

/* Two 32-bit words before 6.3, one 64-bit word since: the same bytes. */
typedef struct {
	u64 val;
} kernel_cap_t;

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kgid_t sgid;
	kuid_t euid;
	kgid_t egid;
	kuid_t fsuid;
	kgid_t fsgid;
	kernel_cap_t cap_inheritable;
	kernel_cap_t cap_permitted;
	kernel_cap_t cap_effective;
	struct user_namespace *user_ns;
};
#define CAP_DAC_OVERRIDE 1

struct tty_driver {
	int major;
	int minor_start;
};

struct tty_struct {
	int index;
	struct tty_driver *driver;
};

struct rlimit {
	unsigned long rlim_cur;
};
#define RLIMIT_NOFILE 7

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	struct pid *pids[4];
	struct tty_struct *tty;
	struct rlimit rlim[16];
	u32 is_child_subreaper : 1;
	u32 has_child_subreaper : 1;
};
#define PIDTYPE_PGID 2
#define PIDTYPE_SID 3

struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
	unsigned long total_vm;
	struct file *exe_file;
};
typedef struct {
	s64 counter;
} atomic64_t;
struct mm_rss_stat {
	atomic64_t count[4];
};
struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
};
struct percpu_counter {
	s64 count;
};
struct mm_struct___since_6_2 {
	struct percpu_counter rss_stat[4];
};

struct kernfs_node {
	const char *name;
	u64 id;
};
struct kernfs_node___before_6_15 {
	struct kernfs_node *parent;
};
struct kernfs_node___since_6_15 {
	struct kernfs_node *__parent;
};

struct cgroup_root;

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};
struct cgroup___before_6_1 {
	u64 ancestor_ids[1];
};
struct cgroup___since_6_1 {
	struct cgroup *ancestors[1];
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[4];
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	struct thread_info thread_info;
	u32 flags;
	struct mm_struct *mm;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	u64 start_boottime;
	struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	kuid_t loginuid;
	struct css_set *cgroups;
};
#define PF_KTHREAD 0x00200000

struct linux_binprm {
	const char *filename;
};

struct in6_addr {
	u8 u6_addr8[16];
};

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_num;
	u16 skc_family;
	u8 skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_type;
	u16 sk_protocol;
};
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

struct socket {
	struct sock *sk;
};

struct sockaddr_un {
	u16 sun_family;
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[1];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

#pragma clang attribute pop

#endif
