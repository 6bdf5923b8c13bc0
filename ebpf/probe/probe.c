/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The programs: the end of every system call, and a process's exec, fork and exit. What a
 * call's record holds beside the registers is told by its recipe (src/recipe.rs); which calls
 * are recorded at all, by `wanted`.
 *
 * There is no program on sys_enter: on x86-64 the arguments are still in pt_regs when the call
 * ends, and a second program, even one that returns at once, adds 28 ns to every call on the
 * machine (getppid, least of 15 interleaved runs: 90 ns bare, 113 with the probe, 141 with
 * such a program beside it).
 */
#include "bpf.h"
#include "kernel.h"
#include "record.h"
#include "build.h"
#include "file.h"
#include "process.h"
#include "socket.h"

char LICENSE[] SEC("license") = "GPL";

/* Bits by call number: below 512 as the 64-bit and the 32-bit table count, above as x32. A
 * byte read in place is all that an unwanted call costs. Written by the host at any time. */
#define WANTED_NATIVE 1
#define WANTED_COMPAT 2
#define WANTED_FAILED 4 /* by 64-bit number: failed calls too */
volatile u8 wanted[NUMBERS] = {};

#define CALLS 512
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CALLS);
	__type(key, u32);
	__type(value, struct recipe);
} recipes SEC(".maps");

/* Processes that are Saker's own, or descend from them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u8);
} excluded SEC(".maps");

#define X32_BIT 0x40000000u
#define IA32_SOCKETCALL 102
#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030

/* Where failed execs look for their arguments. */
#define ARGV_COUNT_MAX 32
#define ARGV_BYTES_MAX 4096
#define ARGV_STRING_MAX 1024

static __always_inline u64 current_start_time(void)
{
	if (enum_value_exists(bpf_func_id, BPF_FUNC_get_current_task_btf))
		return bpf_get_current_task_btf()->start_boottime;
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	return KREAD(task->start_boottime);
}

static __always_inline u32 current_is_compat(void)
{
	if (enum_value_exists(bpf_func_id, BPF_FUNC_get_current_task_btf))
		return bpf_get_current_task_btf()->thread_info.status & TS_COMPAT;
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	return KREAD(task->thread_info.status) & TS_COMPAT;
}

/* Whether records of the current task are wanted at all. */
static __always_inline int observed(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (bpf_map_lookup_elem(&excluded, &tgid))
		return 0;
	return !scope_cgroup || in_scope((struct task_struct *)bpf_get_current_task());
}

static __always_inline u64 owner_here(void)
{
	return bpf_get_current_pid_tgid() | (1ull << 63);
}

/* Argument `plus_one - 1` of the record being built. */
static __always_inline u64 argument(struct scratch *s, u32 plus_one)
{
	u32 n = plus_one - 1;

	barrier_number(n);
	if (n > 5)
		return 0;
	return header_of(s)->args[n];
}

/* A path argument and, when it is relative, the directory it starts from. */
GLOBAL int put_path_argument(u64 from, u32 tag, s32 directory, u32 directory_tag)
{
	struct scratch *s = scratch_here();

	if (!s)
		return 0;
	u32 at = FORGET(s->at);
	put_user_string(s, from, tag, PATH_BYTES_MAX);
	/* Empty means the directory itself (AT_EMPTY_PATH). */
	u32 len = ((struct piece *)PLACE(s, at))->len;
	u8 first = *PLACE(s, at + sizeof(struct piece));

	if (directory_tag && (len == 0 || first != '/'))
		put_directory(directory, directory_tag);
	return 0;
}

/* The descriptor of a recipe's directory. */
static __always_inline s32 directory_of(struct scratch *s, u32 dir)
{
	return dir == RECIPE_CWD ? AT_FDCWD : (s32)argument(s, dir);
}

/* What a descriptor stands for: a socket, or a file and its path. */
GLOBAL int put_descriptor(s32 fd)
{
	struct file *file = file_of(fd);

	if (!file)
		return 0;
	struct inode *inode = KREAD(file->f_inode);

	if ((KREAD(inode->i_mode) & S_IFMT) == S_IFSOCK)
		put_socket((u64)file);
	else
		put_file_and_path(file, TAG_FILE, TAG_FILE_PATH);
	return 0;
}

/* What a program starts with as standard input, output and error: what it will read and obey,
 * however it came there. */
static __always_inline void put_standard_descriptors(struct scratch *s)
{
	for (u32 fd = 0; fd < 3; fd++) {
		if (!room(s, sizeof(fd)) || !file_of(fd))
			continue;
		__builtin_memcpy(PLACE(s, FORGET(s->at) + sizeof(struct piece)), &fd, sizeof(fd));
		close_piece(s, TAG_DESCRIPTOR, 0, sizeof(fd));
		put_descriptor(fd);
	}
}

GLOBAL int put_text_argument(u64 from)
{
	struct scratch *s = scratch_here();

	if (s)
		put_user_string(s, from, TAG_TEXT, PATH_BYTES_MAX);
	return 0;
}

GLOBAL int put_struct_argument(u64 from, u64 len, u32 tag)
{
	struct scratch *s = scratch_here();

	if (s)
		put_user_bytes(s, from, len, tag, 128);
	return 0;
}

/* The argument strings of an exec that failed, from the caller's memory. */
GLOBAL int put_argv(u64 argv, u32 pointer_bytes)
{
	struct scratch *s = scratch_here();
	u16 flags = PIECE_TRUNCATED;

	if (!s)
		return 0;
	FORGET(s->len) = 0;
	if (!room(s, ARGV_BYTES_MAX + ARGV_STRING_MAX)) {
		put_cut(s, TAG_ARGS);
		return 0;
	}
	for (int i = 0; i < ARGV_COUNT_MAX; i++) {
		u64 from = 0;
		long failed;

		if (pointer_bytes == 4)
			failed = bpf_probe_read_user(&from, 4, argv + 4 * i);
		else
			failed = bpf_probe_read_user(&from, 8, argv + 8 * i);
		if (failed) {
			flags = PIECE_FAULT;
			break;
		}
		if (!from) {
			flags = 0;
			break;
		}
		if (FORGET(s->len) >= ARGV_BYTES_MAX)
			break;
		u32 at = FORGET(s->at) + sizeof(struct piece) + FORGET(s->len);
		long n = bpf_probe_read_user_str(PLACE(s, at), ARGV_STRING_MAX, from);
		if (n <= 0) {
			flags = PIECE_FAULT;
			break;
		}
		FORGET(s->len) += n;
		if (n == ARGV_STRING_MAX)
			break;
	}
	u32 written = FORGET(s->len);
	if (written > ARGV_BYTES_MAX + ARGV_STRING_MAX)
		written = ARGV_BYTES_MAX + ARGV_STRING_MAX;
	close_piece(s, TAG_ARGS, flags, written);
	return 0;
}

/* Puts together what the recipe asks for. */
static __always_inline void follow(struct scratch *s, const struct recipe *recipe, s64 ret,
				   u32 pointer_bytes)
{
	if (recipe->path0)
		put_path_argument(argument(s, recipe->path0), TAG_PATH0,
				  directory_of(s, recipe->dir0), recipe->dir0 ? TAG_DIR0 : 0);
	if (recipe->path1)
		put_path_argument(argument(s, recipe->path1), TAG_PATH1,
				  directory_of(s, recipe->dir1), recipe->dir1 ? TAG_DIR1 : 0);
	if (recipe->fd) {
		s32 fd = recipe->fd == RECIPE_RET ? (s32)ret : (s32)argument(s, recipe->fd);

		put_descriptor(fd);
	}
	if (recipe->sockaddr)
		put_struct_argument(argument(s, recipe->sockaddr),
				    (u32)argument(s, recipe->sockaddr_len), TAG_SOCKADDR);
	if (recipe->bytes) {
		u64 len = recipe->bytes_len & BYTES_CONSTANT
				  ? recipe->bytes_len & (BYTES_CONSTANT - 1)
				  : argument(s, recipe->bytes_len);

		put_struct_argument(argument(s, recipe->bytes), len, TAG_STRUCT);
	}
	if (recipe->text)
		put_text_argument(argument(s, recipe->text));
	if (recipe->argv)
		put_argv(argument(s, recipe->argv), pointer_bytes);
	if (ret >= 0) {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task();

		if (recipe->after & AFTER_PROCESS)
			put_process((u64)task, 0);
		if (recipe->after & AFTER_CWD)
			put_current_directory(task, TAG_CWD);
	}
}

/* The 64-bit number of an old i386 multiplexed socket call. */
static __always_inline u32 socketcall_number(u32 call)
{
	switch (call) {
	case 1:
		return 41; /* socket */
	case 2:
		return 49; /* bind */
	case 3:
		return 42; /* connect */
	case 4:
		return 50; /* listen */
	case 5:
		return 43; /* accept */
	case 8:
		return 53; /* socketpair */
	case 18:
		return 288; /* accept4 */
	default:
		return NOT_RECORDED;
	}
}

static __always_inline void record_call(struct pt_regs *regs, s64 ret, u32 number, u8 want)
{
	u32 compat = current_is_compat();
	u32 call = number;
	u64 args[6];

	if (compat) {
		if (!(want & WANTED_COMPAT))
			return;
		call = translate[number & (CALLS - 1)];
		args[0] = (u32)regs->bx;
		args[1] = (u32)regs->cx;
		args[2] = (u32)regs->dx;
		args[3] = (u32)regs->si;
		args[4] = (u32)regs->di;
		args[5] = (u32)regs->bp;
		ret = (s32)ret;
		if (number == IA32_SOCKETCALL) {
			u32 words[6] = {};

			call = socketcall_number(args[0]);
			bpf_probe_read_user(words, sizeof(words), args[1]);
			for (int i = 0; i < 6; i++)
				args[i] = words[i];
		}
	} else {
		if (!(want & WANTED_NATIVE))
			return;
		if (number >= CALLS)
			call = translate[number & (NUMBERS - 1)];
		args[0] = regs->di;
		args[1] = regs->si;
		args[2] = regs->dx;
		args[3] = regs->r10;
		args[4] = regs->r8;
		args[5] = regs->r9;
	}
	if (call >= CALLS)
		return;
	want = wanted[call];
	if (!(want & WANTED_NATIVE) || (ret < 0 && !(want & WANTED_FAILED)))
		return;
	const struct recipe *recipe = bpf_map_lookup_elem(&recipes, &call);

	if (!recipe || !observed())
		return;
	/* A successful exec is told by its own tracepoint, which sees more. */
	if (recipe->flags & RECIPE_ONLY_FAILURE && ret >= 0)
		return;
	if (recipe->flags & RECIPE_ONLY_DUPFD && (u32)args[1] != F_DUPFD &&
	    (u32)args[1] != F_DUPFD_CLOEXEC)
		return;
	/* Calls that fail cost a flooder nothing, and change nothing. */
	struct scratch *s =
		begin(KIND_SYSCALL, call, ret >= 0 && recipe->flags & RECIPE_LIFECYCLE);

	if (!s)
		return;
	struct header *h = header_of(s);
	h->start_time = current_start_time();
	h->syscall = call;
	h->flags = compat ? FLAG_COMPAT : 0;
	h->ret = ret;
	for (int i = 0; i < 6; i++)
		h->args[i] = args[i];
	if (recipe->path0 | recipe->path1 | recipe->fd | (recipe->after & AFTER_CWD))
		find_root(s);
	follow(s, recipe, ret, compat || number >= CALLS ? 4 : 8);
	finish(owner_here());
}

SEC("tp_btf/sys_exit")
int sys_exit(u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	/* The kernel looks at the lower half only, so an upper half must not hide a call. */
	u32 number = (u32)regs->orig_ax & ~X32_BIT;

	if (number >= NUMBERS)
		return 0;
	u8 want = wanted[number];
	if (!want)
		return 0;
	record_call(regs, (s64)ctx[1], number, want);
	return 0;
}

/* The task a tracepoint speaks of, as a number that may be passed on. */
static __always_inline struct task_struct *named_task(struct scratch *s, u64 task)
{
	FORGET(s->task) = task;
	return (struct task_struct *)FORGET(s->task);
}

SEC("tp_btf/sched_process_exec")
int sched_process_exec(u64 *ctx)
{
	if (!observed())
		return 0;
	struct scratch *s = begin(KIND_EXEC, CALLS + KIND_EXEC, 1);

	if (!s)
		return 0;
	struct task_struct *task = named_task(s, ctx[0]);
	struct mm_struct *mm = KREAD(task->mm);
	struct header *h = header_of(s);

	h->start_time = KREAD(task->start_boottime);
	h->args[0] = (u32)ctx[1];
	find_root(s);
	put_process((u64)task, 0);
	put_comm(s, task);
	put_user_area(s, KREAD(mm->arg_start), KREAD(mm->arg_end), ARGS_BYTES_MAX, TAG_ARGS);
	u32 env_max = env_bytes_max;
	if (env_max > ENV_BYTES_MAX)
		env_max = ENV_BYTES_MAX;
	put_user_area(s, KREAD(mm->env_start), KREAD(mm->env_end), env_max, TAG_ENV);

	struct linux_binprm *binprm = (struct linux_binprm *)ctx[2];
	if (room(s, PATH_BYTES_MAX)) {
		long n = bpf_probe_read_kernel_str(
			PLACE(s, FORGET(s->at) + sizeof(struct piece)), PATH_BYTES_MAX,
			binprm->filename);
		if (n > 0 && n <= PATH_BYTES_MAX)
			close_piece(s, TAG_FILENAME, 0, n - 1);
	}
	struct file *exe = KREAD(mm->exe_file);
	if (exe)
		put_file_and_path(exe, TAG_EXE, TAG_EXE_PATH);
	put_current_directory(task, TAG_CWD);
	put_cgroups(task);
	put_standard_descriptors(s);
	finish(owner_here());
	return 0;
}

SEC("tp_btf/sched_process_fork")
int sched_process_fork(u64 *ctx)
{
	struct task_struct *creator = (struct task_struct *)ctx[0];
	struct task_struct *child = (struct task_struct *)ctx[1];
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u32 child_tgid = child->tgid;

	if (bpf_map_lookup_elem(&excluded, &tgid)) {
		u8 one = 1;

		if (child_tgid != tgid && bpf_map_update_elem(&excluded, &child_tgid, &one, 0))
			lose(bpf_get_smp_processor_id(), CAUSE_EXCLUSIONS_FULL,
			     CALLS + KIND_FORK);
		return 0;
	}
	/* The child has its creator's cgroup unless it was born into another; whoever is
	 * observed is so from its creator's side on. */
	if (scope_cgroup && !in_scope((struct task_struct *)bpf_get_current_task()))
		return 0;
	struct scratch *s = begin(KIND_FORK, CALLS + KIND_FORK, 1);

	if (!s)
		return 0;
	u32 flags = 0;
	if (child_tgid == tgid)
		flags |= PROCESS_THREAD;
	if (child->files == creator->files)
		flags |= PROCESS_SHARES_FILES;
	if (child->fs == creator->fs)
		flags |= PROCESS_SHARES_FS;
	struct header *h = header_of(s);
	h->start_time = child->start_boottime;
	h->tid = child->pid;
	h->tgid = child_tgid;
	h->args[0] = creator->pid;
	h->args[1] = creator->start_boottime;
	struct task_struct *task = named_task(s, ctx[1]);
	h->cgroup = cgroup_id(task);
	put_process((u64)task, flags);
	put_comm(s, task);
	put_cgroups(task);
	finish(owner_here());
	return 0;
}

SEC("tp_btf/sched_process_exit")
int sched_process_exit(u64 *ctx)
{
	struct task_struct *leaving = (struct task_struct *)ctx[0];
	u32 tgid = leaving->tgid;
	/* Counted down before this point; 0 = no thread is left. */
	u32 whole = leaving->signal->live.counter == 0;

	if (bpf_map_lookup_elem(&excluded, &tgid)) {
		if (whole)
			bpf_map_delete_elem(&excluded, &tgid);
		return 0;
	}
	if (scope_cgroup && !in_scope((struct task_struct *)bpf_get_current_task()))
		return 0;
	struct scratch *s = begin(KIND_EXIT, CALLS + KIND_EXIT, 1);

	if (!s)
		return 0;
	struct header *h = header_of(s);
	struct task_struct *task = named_task(s, ctx[0]);

	h->start_time = leaving->start_boottime;
	h->args[0] = leaving->exit_code;
	h->args[1] = whole;
	h->args[2] = whole ? heir((u64)task) : 0;
	finish(owner_here());
	return 0;
}
