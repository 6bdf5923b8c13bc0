/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Files: what inode and superblock tell, and the path by which the calling process could
 * reach the file, walked from dentry to dentry and mount to mount as d_path does. A name in
 * user memory can change after the kernel has read it; this cannot.
 */
#ifndef SAKER_FILE_H
#define SAKER_FILE_H

#include "build.h"

/* Remembers where the walk upwards ends: the root directory of the current process. */
static __always_inline void find_root(struct scratch *s)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fs_struct *fs = KREAD(task->fs);

	s->root_mnt = (u64)KREAD(fs->root.mnt);
	s->root_dentry = (u64)KREAD(fs->root.dentry);
}

/* The mount a vfsmount lies in. */
static __always_inline struct mount *mount_of(u64 vfsmount)
{
	return (struct mount *)(vfsmount - __builtin_preserve_field_info(
						   ((struct mount *)0)->mnt, 0));
}

/* Whether the dentry lies in a file system with directories. */
static __always_inline int is_mountable(struct dentry *dentry)
{
	struct super_block *sb = KREAD(dentry->d_sb);

	return !(KREAD(sb->s_flags) & SB_NOUSER);
}

/* Whether the dentry's name begins as the kernel names a memfd. */
static __always_inline int is_memfd_name(struct dentry *dentry)
{
	char name[8] = {};
	const unsigned char *from = KREAD(dentry->d_name.name);

	bpf_probe_read_kernel(name, 6, from);
	return *(u64 *)name == 0x3a64666d656dull; /* "memfd:" */
}

/* Whether a mount without a parent is the root of a namespace. As fs/d_path.c has it: not one
 * that was unmounted or is the kernel's own (no namespace, or an error in its place), nor one
 * that open_tree made (an anonymous namespace). */
static __always_inline int is_namespace_root(struct mount *mount)
{
	struct mnt_namespace *ns = KREAD(mount->mnt_ns);
	u32 number = KREAD(ns->ns.inum);

	return number != 0 && number != MNT_NS_ANON_INO;
}

/* Writes the path as components from leaf to root. Returns FILE_PATH_CUT, FILE_DETACHED,
 * FILE_MEMFD or FILE_NO_PATH. */
GLOBAL int put_path(u64 vfsmount, u64 first, u32 tag)
{
	struct scratch *s = scratch_here();

	if (!s || !first)
		return FILE_NO_PATH;
	if (!room(s, PATH_BYTES_MAX + NAME_BYTES_MAX)) {
		put_cut(s, tag);
		return FILE_PATH_CUT;
	}
	u64 entry = first;
	u32 result = FILE_PATH_CUT;
	u64 mount_root = (u64)KREAD(((struct vfsmount *)vfsmount)->mnt_root);
	FORGET(s->len) = 0;
	for (int i = 0; i < PATH_COMPONENTS_MAX + PATH_MOUNTS_MAX; i++) {
		struct dentry *dentry = (struct dentry *)entry;
		u64 parent = (u64)KREAD(dentry->d_parent);

		if (entry == FORGET(s->root_dentry) && vfsmount == FORGET(s->root_mnt)) {
			result = 0;
			break;
		}
		if (entry == mount_root) {
			struct mount *mount = mount_of(vfsmount);
			struct mount *above = KREAD(mount->mnt_parent);

			if (above == mount || !above) {
				/* Outside the process's root, or nowhere. */
				result = is_namespace_root(mount) ? 0 : FILE_DETACHED;
				break;
			}
			entry = (u64)KREAD(mount->mnt_mountpoint);
			vfsmount = (u64)&above->mnt;
			mount_root = (u64)KREAD(above->mnt.mnt_root);
			continue;
		}
		if (FORGET(s->len) >= PATH_BYTES_MAX)
			break;
		if (entry == parent && is_mountable(dentry)) {
			/* Reached by its handle: beside what is mounted here, or without a
			 * known folder. */
			result = FILE_DETACHED;
			break;
		}
		u32 at = FORGET(s->at) + sizeof(struct piece) + FORGET(s->len);
		long n = bpf_probe_read_kernel_str(PLACE(s, at), NAME_BYTES_MAX,
						   KREAD(dentry->d_name.name));
		if (n <= 0)
			break;
		if (n > 1)
			FORGET(s->len) += n;
		if (entry == parent) {
			/* No directory leads here: a memfd, a pipe, a socket. */
			result = FILE_NO_PATH;
			if (is_memfd_name(dentry))
				result = FILE_MEMFD;
			break;
		}
		entry = parent;
	}
	u32 written = FORGET(s->len);
	if (written > PATH_BYTES_MAX + NAME_BYTES_MAX)
		written = PATH_BYTES_MAX + NAME_BYTES_MAX;
	close_piece(s, tag, result & (FILE_PATH_CUT | FILE_DETACHED) ? PIECE_TRUNCATED : 0,
		    written);
	return result;
}

static __always_inline u64 nanoseconds(s64 seconds, u64 rest)
{
	return (u64)seconds * 1000000000ull + rest;
}

static __always_inline u64 change_time(struct inode *inode)
{
	struct inode___since_6_11 *newest = (void *)inode;
	struct inode___before_6_11 *newer = (void *)inode;
	struct inode___before_6_6 *oldest = (void *)inode;

	if (field_exists(newest->i_ctime_sec))
		/* Since 6.13 bit 31 says whether somebody has asked for the time. */
		return nanoseconds(KREAD(newest->i_ctime_sec),
				   KREAD(newest->i_ctime_nsec) & 0x3fffffff);
	if (field_exists(newer->__i_ctime))
		return nanoseconds(KREAD(newer->__i_ctime.tv_sec),
				   KREAD(newer->__i_ctime.tv_nsec));
	return nanoseconds(KREAD(oldest->i_ctime.tv_sec), KREAD(oldest->i_ctime.tv_nsec));
}

static __always_inline u64 modify_time(struct inode *inode)
{
	struct inode___since_6_11 *newest = (void *)inode;
	struct inode___before_6_11 *newer = (void *)inode;
	struct inode___before_6_7 *oldest = (void *)inode;

	if (field_exists(newest->i_mtime_sec))
		return nanoseconds(KREAD(newest->i_mtime_sec), KREAD(newest->i_mtime_nsec));
	if (field_exists(newer->__i_mtime))
		return nanoseconds(KREAD(newer->__i_mtime.tv_sec),
				   KREAD(newer->__i_mtime.tv_nsec));
	return nanoseconds(KREAD(oldest->i_mtime.tv_sec), KREAD(oldest->i_mtime.tv_nsec));
}

/* Writes the File piece; `flags` are what its path's walk returned. */
GLOBAL int put_file(u64 file_address, u32 tag, u32 flags)
{
	struct scratch *s = scratch_here();
	struct file *file = (struct file *)file_address;

	if (!s || !room(s, sizeof(struct file_wire)))
		return 0;
	struct inode *inode = KREAD(file->f_inode);
	u32 open_flags = KREAD(file->f_flags);
	if (KREAD(file->f_mode) & FMODE_CREATED)
		flags |= FILE_CREATED;
	struct super_block *sb = KREAD(inode->i_sb);
	struct file_wire *out =
		(struct file_wire *)PLACE(s, FORGET(s->at) + sizeof(struct piece));

	out->inode = KREAD(inode->i_ino);
	out->ctime = change_time(inode);
	out->mtime = modify_time(inode);
	out->dev = KREAD(sb->s_dev);
	out->mode = KREAD(inode->i_mode);
	out->open_flags = open_flags;
	out->uid = KREAD(inode->i_uid.val);
	out->gid = KREAD(inode->i_gid.val);
	u64 magic = KREAD(sb->s_magic);
	out->magic = magic;
	if (magic == OVERLAYFS_MAGIC) {
		/* struct ovl_inode has the dentry in the upper layer right behind its
		 * vfs_inode in every version; its own type may be missing here, as
		 * overlayfs is often a module. */
		u64 upper = 0;

		bpf_probe_read_kernel(&upper, sizeof(upper),
				      (void *)inode + type_bytes(struct inode));
		flags |= upper ? FILE_UPPER_LAYER : FILE_LOWER_LAYER;
	}
	if (KREAD(inode->i_nlink) == 0)
		flags |= FILE_UNLINKED;
	out->flags = flags;
	close_piece(s, tag, 0, sizeof(struct file_wire));
	return 0;
}

/* The file behind a descriptor of the current process, 0 when there is none. */
static __always_inline struct file *file_of(s32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct files_struct *files = KREAD(task->files);
	struct fdtable *table = KREAD(files->fdt);

	if (fd < 0 || (u32)fd >= KREAD(table->max_fds))
		return 0;
	struct file **slot = KREAD(table->fd);
	struct file *file = 0;

	bpf_probe_read_kernel(&file, sizeof(file), slot + fd);
	return file;
}

/* Path and File of an open file, or of an executable. */
static __always_inline void put_file_and_path(struct file *file, u32 tag, u32 path_tag)
{
	u32 flags = put_path((u64)KREAD(file->f_path.mnt), (u64)KREAD(file->f_path.dentry),
			     path_tag);

	put_file((u64)file, tag, flags);
}

static __always_inline void put_current_directory(struct task_struct *task, u32 tag)
{
	struct fs_struct *fs = KREAD(task->fs);

	put_path((u64)KREAD(fs->pwd.mnt), (u64)KREAD(fs->pwd.dentry), tag);
}

#define AT_FDCWD -100

/* The directory a relative path starts from: a descriptor's, or the current one. */
GLOBAL int put_directory(s32 fd, u32 tag)
{
	if (fd == AT_FDCWD) {
		put_current_directory((struct task_struct *)bpf_get_current_task(), tag);
		return 0;
	}
	struct file *file = file_of(fd);

	if (file)
		put_path((u64)KREAD(file->f_path.mnt), (u64)KREAD(file->f_path.dentry), tag);
	return 0;
}

#endif
