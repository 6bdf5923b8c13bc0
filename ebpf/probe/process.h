/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Processes: identity, credentials, namespaces, memory, control groups, as task_struct tells
 * them at the moment of the record.
 */
#ifndef SAKER_PROCESS_H
#define SAKER_PROCESS_H

#include "build.h"

#define CGROUP_DEPTH_MAX 32
#define CGROUP_HIERARCHIES_MAX 16
#define ANCESTORS_MAX 32

static __always_inline u64 kernel_path_parent(struct kernfs_node *node)
{
	struct kernfs_node___since_6_15 *newer = (void *)node;
	struct kernfs_node___before_6_15 *older = (void *)node;

	if (field_exists(newer->__parent))
		return (u64)KREAD(newer->__parent);
	return (u64)KREAD(older->parent);
}

/* A cgroup's path, components from leaf to root; nothing for the root itself. */
GLOBAL int put_cgroup_path(u64 node, u32 tag)
{
	struct scratch *s = scratch_here();
	u16 flags = PIECE_TRUNCATED;

	if (!s)
		return 0;
	FORGET(s->len) = 0;
	if (!room(s, PATH_BYTES_MAX + NAME_BYTES_MAX)) {
		put_cut(s, tag);
		return 0;
	}
	for (int i = 0; i < CGROUP_DEPTH_MAX; i++) {
		struct kernfs_node *kn = (struct kernfs_node *)node;
		u64 parent = kernel_path_parent(kn);

		if (!parent) {
			flags = 0;
			break;
		}
		if (FORGET(s->len) >= PATH_BYTES_MAX)
			break;
		u32 at = FORGET(s->at) + sizeof(struct piece) + FORGET(s->len);
		long n = bpf_probe_read_kernel_str(PLACE(s, at), NAME_BYTES_MAX,
						   KREAD(kn->name));
		if (n <= 0)
			break;
		FORGET(s->len) += n;
		node = parent;
	}
	u32 written = FORGET(s->len);
	if (written > PATH_BYTES_MAX + NAME_BYTES_MAX)
		written = PATH_BYTES_MAX + NAME_BYTES_MAX;
	close_piece(s, tag, flags, written);
	return 0;
}

/* The ids of the groups on that path. */
GLOBAL int put_cgroup_ids(u64 node)
{
	struct scratch *s = scratch_here();
	u16 flags = PIECE_TRUNCATED;

	if (!s)
		return 0;
	FORGET(s->len) = 0;
	if (!room(s, CGROUP_DEPTH_MAX * sizeof(u64))) {
		put_cut(s, TAG_CGROUP_IDS);
		return 0;
	}
	for (int i = 0; i < CGROUP_DEPTH_MAX; i++) {
		struct kernfs_node *kn = (struct kernfs_node *)node;
		u64 parent = kernel_path_parent(kn);

		if (!parent) {
			flags = 0;
			break;
		}
		u64 id = KREAD(kn->id);
		u32 at = FORGET(s->at) + sizeof(struct piece) + FORGET(s->len);
		__builtin_memcpy(PLACE(s, at), &id, sizeof(id));
		FORGET(s->len) += sizeof(id);
		node = parent;
	}
	u32 written = FORGET(s->len);
	if (written > CGROUP_DEPTH_MAX * sizeof(u64))
		written = CGROUP_DEPTH_MAX * sizeof(u64);
	close_piece(s, TAG_CGROUP_IDS, flags, written);
	return 0;
}

/* The default hierarchy's path with its groups' ids, and the first v1 one that is not the root:
 * on a host whose container engine still uses v1, only that names the container. */
static __always_inline void put_cgroups(struct task_struct *task)
{
	struct css_set *set = KREAD(task->cgroups);
	struct cgroup *cgroup = KREAD(set->dfl_cgrp);
	struct cgroup_root *unified = KREAD(cgroup->root);

	put_cgroup_path((u64)KREAD(cgroup->kn), TAG_CGROUP);
	put_cgroup_ids((u64)KREAD(cgroup->kn));
	u64 slots = (u64)&set->subsys;
	u32 count = field_bytes(((struct css_set *)0)->subsys) / 8;

	for (u32 i = 0; i < CGROUP_HIERARCHIES_MAX; i++) {
		struct cgroup_subsys_state *state = 0;

		if (i >= count)
			break;
		bpf_probe_read_kernel(&state, sizeof(state), (void *)(slots + 8 * i));
		if (!state)
			continue;
		struct cgroup *other = KREAD(state->cgroup);
		struct kernfs_node *node = KREAD(other->kn);

		if (KREAD(other->root) == unified || !kernel_path_parent(node))
			continue;
		put_cgroup_path((u64)node, TAG_CGROUP_V1);
		break;
	}
}

static __always_inline u64 cgroup_id(struct task_struct *task)
{
	struct css_set *set = KREAD(task->cgroups);
	struct cgroup *cgroup = KREAD(set->dfl_cgrp);
	struct kernfs_node *node = KREAD(cgroup->kn);

	return KREAD(node->id);
}

/* Whether the task lies in the observed cgroup or below. bpf_get_current_ancestor_cgroup_id
 * would say so, but tracing programs may call it since 5.14 only. */
static __always_inline int in_scope(struct task_struct *task)
{
	struct css_set *set = KREAD(task->cgroups);
	struct cgroup *cgroup = KREAD(set->dfl_cgrp);
	struct cgroup___since_6_1 *newer = (void *)cgroup;
	struct cgroup___before_6_1 *older = (void *)cgroup;
	u64 id = 0;

	if (KREAD(cgroup->level) < (int)scope_level)
		return 0;
	if (field_exists(newer->ancestors)) {
		struct cgroup *above = 0;

		bpf_probe_read_kernel(&above, sizeof(above),
				      (void *)&newer->ancestors + 8 * scope_level);
		struct kernfs_node *node = KREAD(above->kn);
		id = KREAD(node->id);
	} else {
		bpf_probe_read_kernel(&id, sizeof(id),
				      (void *)&older->ancestor_ids + 8 * scope_level);
	}
	return id == scope_cgroup;
}

/* `struct upid` has kept its two members and its 16 bytes. */
static __always_inline void read_number(struct pid *pid, u32 level, struct upid *into)
{
	bpf_probe_read_kernel(into, sizeof(*into),
			      (void *)&pid->numbers + level * sizeof(*into));
}

/* A pid's number in the namespace `ns` of depth `level`, 0 when it has none there. */
static __always_inline u32 number_in(struct pid *pid, u32 level, u64 ns)
{
	struct upid number = {};

	if (!pid || level > KREAD(pid->level))
		return 0;
	read_number(pid, level, &number);
	return (u64)*(void **)((void *)&number + 8) == ns ? *(u32 *)&number : 0;
}

static __always_inline u32 terminal(struct signal_struct *signal)
{
	struct tty_struct *tty = KREAD(signal->tty);

	if (!tty)
		return 0;
	struct tty_driver *driver = KREAD(tty->driver);
	u32 major = KREAD(driver->major);
	u32 minor = KREAD(driver->minor_start) + KREAD(tty->index);

	/* include/linux/kdev_t.h: new_encode_dev */
	return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

static __always_inline u64 resident_pages(struct mm_struct *mm)
{
	struct mm_struct___since_6_2 *newer = (void *)mm;
	struct mm_struct___before_6_2 *older = (void *)mm;
	s64 pages = 0;

	/* MM_FILEPAGES, MM_ANONPAGES, and MM_SHMEMPAGES, which stands behind swap. */
	if (field_exists(newer->rss_stat[0].count)) {
		pages = KREAD(newer->rss_stat[0].count) + KREAD(newer->rss_stat[1].count) +
			KREAD(newer->rss_stat[3].count);
	} else {
		pages = KREAD(older->rss_stat.count[0].counter) +
			KREAD(older->rss_stat.count[1].counter) +
			KREAD(older->rss_stat.count[3].counter);
	}
	return pages > 0 ? pages : 0;
}

/* By mode bits, owner and primary group; supplementary groups are not looked at. */
static __always_inline int may_write(struct cred *cred, struct file *file)
{
	struct inode *inode = KREAD(file->f_inode);
	u16 mode = KREAD(inode->i_mode);

	if (KREAD(cred->cap_effective.val) & (1ull << CAP_DAC_OVERRIDE))
		return 1;
	if (KREAD(cred->fsuid.val) == KREAD(inode->i_uid.val))
		return (mode & 0200) != 0;
	if (KREAD(cred->fsgid.val) == KREAD(inode->i_gid.val))
		return (mode & 0020) != 0;
	return (mode & 0002) != 0;
}

GLOBAL int put_process(u64 task_address, u32 flags)
{
	struct scratch *s = scratch_here();
	struct task_struct *task = (struct task_struct *)task_address;

	if (!s || !room(s, sizeof(struct process_wire)))
		return 0;
	struct process_wire *out =
		(struct process_wire *)PLACE(s, FORGET(s->at) + sizeof(struct piece));

	struct task_struct *parent = KREAD(task->real_parent);
	struct task_struct *parent_leader = KREAD(parent->group_leader);
	struct task_struct *leader = KREAD(task->group_leader);
	out->parent_tgid = KREAD(parent->tgid);
	out->parent_tid = KREAD(parent->pid);
	out->parent_start_time = KREAD(parent_leader->start_boottime);
	out->leader_start_time = KREAD(leader->start_boottime);

	struct signal_struct *signal = KREAD(task->signal);
	struct pid *group = KREAD(signal->pids[PIDTYPE_PGID]);
	struct pid *session = KREAD(signal->pids[PIDTYPE_SID]);
	struct pid *own = KREAD(task->thread_pid);
	struct pid *whole = KREAD(leader->thread_pid);
	u32 level = KREAD(own->level);
	struct upid number = {};

	read_number(own, level, &number);
	u64 ns = (u64)*(void **)((void *)&number + 8);
	struct pid_namespace *pid_ns = (struct pid_namespace *)ns;
	struct task_struct *first = KREAD(pid_ns->child_reaper);

	out->vtid = *(u32 *)&number;
	out->vpid = number_in(whole, level, ns);
	out->vpgid = number_in(group, level, ns);
	out->vsid = number_in(session, level, ns);
	read_number(group, 0, &number);
	out->pgid = *(u32 *)&number;
	read_number(session, 0, &number);
	out->sid = *(u32 *)&number;
	out->pid_ns = KREAD(pid_ns->ns.inum);
	out->pid_ns_start_time = KREAD(first->start_boottime);

	/* Without CONFIG_AUDITSYSCALL nobody has one. */
	out->loginuid = field_exists(task->loginuid) ? KREAD(task->loginuid.val) : ~0u;
	out->tty = terminal(signal);
	out->fd_limit = KREAD(signal->rlim[RLIMIT_NOFILE].rlim_cur);

	struct cred *cred = KREAD(task->cred);
	out->uid = KREAD(cred->uid.val);
	out->euid = KREAD(cred->euid.val);
	out->suid = KREAD(cred->suid.val);
	out->fsuid = KREAD(cred->fsuid.val);
	out->gid = KREAD(cred->gid.val);
	out->egid = KREAD(cred->egid.val);
	out->sgid = KREAD(cred->sgid.val);
	out->fsgid = KREAD(cred->fsgid.val);
	bpf_probe_read_kernel(&out->cap_inheritable, 8, &cred->cap_inheritable);
	bpf_probe_read_kernel(&out->cap_permitted, 8, &cred->cap_permitted);
	bpf_probe_read_kernel(&out->cap_effective, 8, &cred->cap_effective);
	struct user_namespace *user_ns = KREAD(cred->user_ns);
	out->user_ns = KREAD(user_ns->ns.inum);

	struct nsproxy *namespaces = KREAD(task->nsproxy);
	struct mnt_namespace *mnt_ns = KREAD(namespaces->mnt_ns);
	struct net *net_ns = KREAD(namespaces->net_ns);
	out->mnt_ns = KREAD(mnt_ns->ns.inum);
	out->net_ns = KREAD(net_ns->ns.inum);

	struct mm_struct *mm = KREAD(task->mm);
	out->vm_size = mm ? KREAD(mm->total_vm) * 4 : 0;
	out->vm_rss = mm ? resident_pages(mm) * 4 : 0;
	if (KREAD(task->flags) & PF_KTHREAD)
		flags |= PROCESS_KERNEL_THREAD;
	struct file *exe = mm ? KREAD(mm->exe_file) : 0;
	if (exe && may_write(cred, exe))
		flags |= PROCESS_EXE_WRITABLE;
	out->flags = flags;
	out->reserved = 0;
	close_piece(s, TAG_PROCESS, 0, sizeof(struct process_wire));
	return 0;
}

static __always_inline void put_comm(struct scratch *s, struct task_struct *task)
{
	if (!room(s, 16))
		return;
	long n = bpf_probe_read_kernel_str(PLACE(s, FORGET(s->at) + sizeof(struct piece)), 16,
					   &task->comm);
	if (n > 0)
		close_piece(s, TAG_COMM, 0, n - 1);
}

/* A one-bit field, whose place in its word only the loader knows. */
#define KREAD_BIT(pointer, field)                                                        \
	({                                                                               \
		u64 word_ = 0;                                                           \
		bpf_probe_read_kernel(                                                   \
			&word_, __builtin_preserve_field_info((pointer)->field, 1),      \
			(void *)(pointer) +                                              \
				__builtin_preserve_field_info((pointer)->field, 0));     \
		word_ <<= __builtin_preserve_field_info((pointer)->field, 4);            \
		word_ >> __builtin_preserve_field_info((pointer)->field, 5);             \
	})

/* Who inherits the children of a process that ends: the nearest ancestor in its pid
 * namespace that asked for them, else the namespace's first process (kernel/exit.c:
 * find_new_reaper). 0 when the search is too long. */
GLOBAL int heir(u64 task_address)
{
	struct task_struct *task = (struct task_struct *)task_address;
	struct signal_struct *signal = KREAD(task->signal);
	struct pid *own = KREAD(task->thread_pid);
	u32 level = KREAD(own->level);
	struct upid number = {};

	if (KREAD_BIT(signal, has_child_subreaper)) {
		int i;

		for (i = 0; i < ANCESTORS_MAX; i++) {
			task = KREAD(task->real_parent);
			own = KREAD(task->thread_pid);
			if (!own || KREAD(task->pid) == 0 || KREAD(own->level) != level)
				break;
			signal = KREAD(task->signal);
			if (KREAD_BIT(signal, is_child_subreaper) &&
			    KREAD(signal->live.counter) > 0)
				return KREAD(task->tgid);
		}
		if (i == ANCESTORS_MAX)
			return 0;
		task = (struct task_struct *)task_address;
		own = KREAD(task->thread_pid);
	}
	read_number(own, level, &number);
	struct pid_namespace *ns = *(struct pid_namespace **)((void *)&number + 8);
	struct task_struct *first = KREAD(ns->child_reaper);

	return KREAD(first->tgid);
}

#endif
