//! The rows of all event types: those that the probe records, and those that only a capture
//! can give. A row is `Variant = code, "falco.name", Class Category, [flags], [parameters];` and
//! a parameter `("name", TYPE, Base, SYMBOLS)`, of which base and symbols may be left out.

/// The table of all event types. Calls `$callback { { probed rows } unprobed rows }`.
macro_rules! for_each_event {
    ($($callback:tt)+) => {
        crate::for_each_unprobed_event! { {
            Open = 3, "open", Call File, [CREATES_FD, MODIFIES_STATE], [("fd", FD), ("name", PATH), ("flags", FLAGS32, Hexadecimal, OPEN_FLAGS), ("mode", U32, Octal), ("dev", U32, Hexadecimal), ("ino", U64)];
            Close = 5, "close", Call IoOther, [USES_FD, MODIFIES_STATE, DESTROYS_FD], [("res", ERRNO), ("fd", FD)];
            Socket = 19, "socket", Call Net, [CREATES_FD, MODIFIES_STATE], [("fd", FD), ("domain", ENUM32, Decimal, ADDRESS_FAMILIES), ("type", U32), ("proto", U32), ("flags", FLAGS32, Hexadecimal, OPEN_FLAGS)];
            Bind = 21, "bind", Call Net, [USES_FD, MODIFIES_STATE], [("res", ERRNO), ("addr", ADDRESS), ("fd", FD)];
            Connect = 23, "connect", Call Net, [USES_FD, MODIFIES_STATE], [("res", ERRNO), ("tuple", TUPLE), ("fd", FD), ("addr", ADDRESS)];
            Socketpair = 43, "socketpair", Call Ipc, [CREATES_FD, MODIFIES_STATE], [("res", ERRNO), ("fd1", FD), ("fd2", FD), ("source", U64, Hexadecimal), ("peer", U64, Hexadecimal), ("domain", ENUM32, Decimal, ADDRESS_FAMILIES), ("type", U32), ("proto", U32)];
            Creat = 59, "creat", Call File, [CREATES_FD, MODIFIES_STATE], [("fd", FD), ("name", PATH), ("mode", U32, Octal), ("dev", U32, Hexadecimal), ("ino", U64), ("creat_flags", FLAGS16, Hexadecimal, CREAT_FLAGS)];
            Chdir = 95, "chdir", Call File, [MODIFIES_STATE], [("res", ERRNO), ("path", TEXT)];
            Fchdir = 97, "fchdir", Call File, [USES_FD, MODIFIES_STATE], [("res", ERRNO), ("fd", FD, Unset)];
            Kill = 129, "kill", Call Signal, [], [("res", ERRNO), ("pid", PID), ("sig", SIGNAL)];
            Fcntl = 151, "fcntl", Call IoOther, [USES_FD, MODIFIES_STATE], [("res", FD), ("fd", FD), ("cmd", ENUM8, Decimal, FCNTL_COMMANDS), ("arg", U64, Hexadecimal)];
            Ptrace = 169, "ptrace", Call Process, [], [("res", ERRNO), ("addr", PTRACE_VALUE, Hexadecimal), ("data", PTRACE_VALUE, Hexadecimal), ("request", ENUM16, Decimal, PTRACE_REQUESTS), ("pid", PID)];
            Rename = 175, "rename", Call File, [], [("res", ERRNO), ("oldpath", PATH), ("newpath", PATH)];
            Renameat = 177, "renameat", Call File, [], [("res", ERRNO), ("olddirfd", FD), ("oldpath", RELATIVE_PATH), ("newdirfd", FD), ("newpath", RELATIVE_PATH)];
            Symlink = 179, "symlink", Call File, [], [("res", ERRNO), ("target", TEXT), ("linkpath", PATH)];
            Symlinkat = 181, "symlinkat", Call File, [USES_FD], [("res", ERRNO), ("target", TEXT), ("linkdirfd", FD), ("linkpath", RELATIVE_PATH)];
            Procexit = 186, "procexit", Tracepoint Process, [MODIFIES_STATE], [("status", ERRNO), ("ret", ERRNO), ("sig", SIGNAL), ("core", U8), ("reaper_tid", PID)];
            Setresuid = 193, "setresuid", Call User, [MODIFIES_STATE], [("res", ERRNO), ("ruid", UID), ("euid", UID), ("suid", UID)];
            Setresgid = 195, "setresgid", Call User, [MODIFIES_STATE], [("res", ERRNO), ("rgid", GID), ("egid", GID), ("sgid", GID)];
            Setuid = 199, "setuid", Call User, [MODIFIES_STATE], [("res", ERRNO), ("uid", UID)];
            Setgid = 201, "setgid", Call User, [MODIFIES_STATE], [("res", ERRNO), ("gid", GID)];
            Clone = 223, "clone", Call Process, [MODIFIES_STATE], [("res", PID), ("exe", TEXT), ("args", BYTES), ("tid", PID), ("pid", PID), ("ptid", PID), ("cwd", TEXT), ("fdlimit", I64), ("pgft_maj", U64), ("pgft_min", U64), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32), ("comm", TEXT), ("cgroups", BYTES), ("flags", FLAGS32, Hexadecimal, CLONE_FLAGS), ("uid", U32), ("gid", U32), ("vtid", PID), ("vpid", PID), ("pidns_init_start_ts", U64)];
            Fork = 225, "fork", Call Process, [MODIFIES_STATE], [("res", PID), ("exe", TEXT), ("args", BYTES), ("tid", PID), ("pid", PID), ("ptid", PID), ("cwd", TEXT), ("fdlimit", I64), ("pgft_maj", U64), ("pgft_min", U64), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32), ("comm", TEXT), ("cgroups", BYTES), ("flags", FLAGS32, Hexadecimal, CLONE_FLAGS), ("uid", U32), ("gid", U32), ("vtid", PID), ("vpid", PID), ("pidns_init_start_ts", U64)];
            Vfork = 227, "vfork", Call Process, [MODIFIES_STATE], [("res", PID), ("exe", TEXT), ("args", BYTES), ("tid", PID), ("pid", PID), ("ptid", PID), ("cwd", TEXT), ("fdlimit", I64), ("pgft_maj", U64), ("pgft_min", U64), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32), ("comm", TEXT), ("cgroups", BYTES), ("flags", FLAGS32, Hexadecimal, CLONE_FLAGS), ("uid", U32), ("gid", U32), ("vtid", PID), ("vpid", PID), ("pidns_init_start_ts", U64)];
            Setns = 241, "setns", Call Process, [USES_FD], [("res", ERRNO), ("fd", FD, Unset), ("nstype", FLAGS32, Hexadecimal, CLONE_FLAGS)];
            Accept = 247, "accept", Call Net, [CREATES_FD, MODIFIES_STATE], [("fd", FD), ("tuple", TUPLE), ("queuepct", U8), ("queuelen", U32), ("queuemax", U32)];
            Mount = 257, "mount", Call File, [MODIFIES_STATE], [("res", ERRNO), ("dev", TEXT), ("dir", PATH), ("type", TEXT), ("flags", FLAGS32, Hexadecimal, MOUNT_FLAGS)];
            Chroot = 267, "chroot", Call Process, [MODIFIES_STATE], [("res", ERRNO), ("path", PATH)];
            Setsid = 275, "setsid", Call Process, [MODIFIES_STATE], [("res", PID)];
            Mkdir = 277, "mkdir", Call File, [], [("res", ERRNO), ("path", PATH), ("mode", U32, Hexadecimal)];
            Rmdir = 279, "rmdir", Call File, [], [("res", ERRNO), ("path", PATH)];
            Unshare = 285, "unshare", Call Process, [], [("res", ERRNO), ("flags", FLAGS32, Hexadecimal, CLONE_FLAGS)];
            Execve = 293, "execve", Call Process, [MODIFIES_STATE], [("res", ERRNO), ("exe", TEXT), ("args", BYTES), ("tid", PID), ("pid", PID), ("ptid", PID), ("cwd", TEXT), ("fdlimit", U64), ("pgft_maj", U64), ("pgft_min", U64), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32), ("comm", TEXT), ("cgroups", BYTES), ("env", BYTES), ("tty", U32), ("vpgid", PID), ("loginuid", UID), ("flags", FLAGS32, Hexadecimal, EXECVE_FLAGS), ("cap_inheritable", U64, Hexadecimal), ("cap_permitted", U64, Hexadecimal), ("cap_effective", U64, Hexadecimal), ("exe_ino", U64), ("exe_ino_ctime", TIME), ("exe_ino_mtime", TIME), ("uid", UID), ("trusted_exepath", PATH), ("pgid", PID, Unset), ("gid", GID), ("filename", PATH)];
            Setpgid = 295, "setpgid", Call Process, [], [("res", ERRNO), ("pid", PID), ("pgid", PID)];
            Unlink = 301, "unlink", Call File, [], [("res", ERRNO), ("path", PATH)];
            Unlinkat = 303, "unlinkat", Call File, [USES_FD], [("res", ERRNO), ("dirfd", FD), ("name", RELATIVE_PATH), ("flags", FLAGS32, Hexadecimal, UNLINKAT_FLAGS)];
            Mkdirat = 305, "mkdirat", Call File, [USES_FD], [("res", ERRNO), ("dirfd", FD), ("path", RELATIVE_PATH), ("mode", U32, Hexadecimal)];
            Openat = 307, "openat", Call File, [CREATES_FD, MODIFIES_STATE], [("fd", FD), ("dirfd", FD), ("name", RELATIVE_PATH), ("flags", FLAGS32, Hexadecimal, OPEN_FLAGS), ("mode", U32, Octal), ("dev", U32, Hexadecimal), ("ino", U64)];
            Link = 309, "link", Call File, [], [("res", ERRNO), ("oldpath", PATH), ("newpath", PATH)];
            Linkat = 311, "linkat", Call File, [], [("res", ERRNO), ("olddir", FD), ("oldpath", RELATIVE_PATH), ("newdir", FD), ("newpath", RELATIVE_PATH), ("flags", FLAGS32, Hexadecimal, LINKAT_FLAGS)];
            Fchmodat = 313, "fchmodat", Call File, [USES_FD], [("res", ERRNO), ("dirfd", FD), ("filename", RELATIVE_PATH), ("mode", MODE, Octal, MODE_BITS)];
            Chmod = 315, "chmod", Call File, [], [("res", ERRNO), ("filename", PATH), ("mode", MODE, Octal, MODE_BITS)];
            Fchmod = 317, "fchmod", Call File, [USES_FD], [("res", ERRNO), ("fd", FD), ("mode", MODE, Octal, MODE_BITS)];
            Renameat2 = 319, "renameat2", Call File, [], [("res", ERRNO), ("olddirfd", FD), ("oldpath", RELATIVE_PATH), ("newdirfd", FD), ("newpath", RELATIVE_PATH), ("flags", FLAGS32, Hexadecimal, RENAMEAT2_FLAGS)];
            Openat2 = 327, "openat2", Call File, [CREATES_FD, MODIFIES_STATE], [("fd", FD), ("dirfd", FD), ("name", RELATIVE_PATH), ("flags", FLAGS32, Hexadecimal, OPEN_FLAGS), ("mode", U32, Octal), ("resolve", FLAGS32, Hexadecimal, OPENAT2_RESOLVE), ("dev", U32, Hexadecimal), ("ino", U64)];
            Execveat = 331, "execveat", Call Process, [MODIFIES_STATE], [("res", ERRNO), ("exe", TEXT), ("args", BYTES), ("tid", PID), ("pid", PID), ("ptid", PID), ("cwd", TEXT), ("fdlimit", U64), ("pgft_maj", U64), ("pgft_min", U64), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32), ("comm", TEXT), ("cgroups", BYTES), ("env", BYTES), ("tty", U32), ("vpgid", PID), ("loginuid", UID), ("flags", FLAGS32, Hexadecimal, EXECVE_FLAGS), ("cap_inheritable", U64, Hexadecimal), ("cap_permitted", U64, Hexadecimal), ("cap_effective", U64, Hexadecimal), ("exe_ino", U64), ("exe_ino_ctime", TIME), ("exe_ino_mtime", TIME), ("uid", UID), ("trusted_exepath", PATH), ("pgid", PID, Unset), ("gid", GID)];
            Clone3 = 335, "clone3", Call Process, [MODIFIES_STATE], [("res", PID), ("exe", TEXT), ("args", BYTES), ("tid", PID), ("pid", PID), ("ptid", PID), ("cwd", TEXT), ("fdlimit", I64), ("pgft_maj", U64), ("pgft_min", U64), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32), ("comm", TEXT), ("cgroups", BYTES), ("flags", FLAGS32, Hexadecimal, CLONE_FLAGS), ("uid", U32), ("gid", U32), ("vtid", PID), ("vpid", PID), ("pidns_init_start_ts", U64)];
            OpenByHandleAt = 337, "open_by_handle_at", Call File, [CREATES_FD, MODIFIES_STATE], [("fd", FD), ("mountfd", FD), ("flags", FLAGS32, Hexadecimal, OPEN_FLAGS), ("path", PATH), ("dev", U32, Hexadecimal), ("ino", U64)];
            Capset = 353, "capset", Call Process, [MODIFIES_STATE], [("res", ERRNO), ("cap_inheritable", U64, Hexadecimal), ("cap_permitted", U64, Hexadecimal), ("cap_effective", U64, Hexadecimal)];
            Dup2 = 363, "dup2", Call IoOther, [CREATES_FD, USES_FD, MODIFIES_STATE], [("res", FD), ("oldfd", FD), ("newfd", FD)];
            Dup3 = 365, "dup3", Call IoOther, [CREATES_FD, USES_FD, MODIFIES_STATE], [("res", FD), ("oldfd", FD), ("newfd", FD), ("flags", FLAGS32, Hexadecimal, OPEN_FLAGS)];
            Dup = 367, "dup", Call IoOther, [CREATES_FD, USES_FD, MODIFIES_STATE], [("res", FD), ("oldfd", FD)];
            Bpf = 369, "bpf", Call Other, [CREATES_FD], [("fd", FD), ("cmd", ENUM32, Decimal, BPF_COMMANDS)];
            Umount = 387, "umount", Call File, [MODIFIES_STATE], [("res", ERRNO), ("name", PATH)];
            Accept4 = 389, "accept4", Call Net, [CREATES_FD, MODIFIES_STATE], [("fd", FD), ("tuple", TUPLE), ("queuepct", U8), ("queuelen", U32), ("queuemax", U32), ("flags", I32, Hexadecimal)];
            Umount2 = 391, "umount2", Call File, [MODIFIES_STATE], [("res", ERRNO), ("name", PATH), ("flags", FLAGS32, Hexadecimal, UMOUNT2_FLAGS)];
            MemfdCreate = 405, "memfd_create", Call Memory, [CREATES_FD, MODIFIES_STATE], [("fd", FD), ("name", TEXT), ("flags", FLAGS32, Hexadecimal, MEMFD_CREATE_FLAGS)];
            InitModule = 411, "init_module", Call Other, [], [("res", ERRNO), ("img", BYTES), ("length", U64), ("uargs", TEXT)];
            FinitModule = 413, "finit_module", Call Other, [USES_FD, READS_FD], [("res", ERRNO), ("fd", FD), ("uargs", TEXT), ("flags", FLAGS32, Hexadecimal, FINIT_MODULE_FLAGS)];
            DeleteModule = 425, "delete_module", Call Other, [], [("res", ERRNO), ("name", TEXT), ("flags", FLAGS32, Hexadecimal, DELETE_MODULE_FLAGS)];
            Setreuid = 427, "setreuid", Call User, [MODIFIES_STATE], [("res", ERRNO), ("ruid", UID), ("euid", UID)];
            Setregid = 429, "setregid", Call User, [MODIFIES_STATE], [("res", ERRNO), ("rgid", UID), ("egid", UID)];
        } $($callback)+ }
    };
}
pub(super) use for_each_event;

/// The table of the event types that the probe does not record. Calls
/// `$callback { $before rows }`.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_unprobed_event {
    ($before:tt $($callback:tt)+) => {
        $($callback)+ {
            $before
            Syscall = 1, "syscall", Call Other, [], [("ID", SYSCALL_ID), ("nativeID", U16)];
            Read = 7, "read", Call IoRead, [USES_FD, READS_FD], [("res", ERRNO), ("data", BYTES), ("fd", FD), ("size", U32)];
            Write = 9, "write", Call IoWrite, [USES_FD, WRITES_FD], [("res", ERRNO), ("data", BYTES), ("fd", FD), ("size", U32)];
            Listen = 25, "listen", Call Net, [USES_FD], [("res", ERRNO), ("fd", FD), ("backlog", I32)];
            Send = 29, "send", Call IoWrite, [USES_FD, WRITES_FD], [("res", ERRNO), ("data", BYTES), ("fd", FD), ("size", U32), ("tuple", TUPLE)];
            Sendto = 31, "sendto", Call IoWrite, [USES_FD, MODIFIES_STATE, WRITES_FD], [("res", ERRNO), ("data", BYTES), ("fd", FD), ("size", U32), ("tuple", TUPLE)];
            Recv = 33, "recv", Call IoRead, [USES_FD, READS_FD], [("res", ERRNO), ("data", BYTES), ("fd", FD), ("size", U32), ("tuple", TUPLE)];
            Recvfrom = 35, "recvfrom", Call IoRead, [USES_FD, MODIFIES_STATE, READS_FD], [("res", ERRNO), ("data", BYTES), ("tuple", TUPLE), ("fd", FD), ("size", U32)];
            Shutdown = 37, "shutdown", Call Net, [USES_FD, MODIFIES_STATE], [("res", ERRNO), ("fd", FD), ("how", ENUM8, Hexadecimal, SHUTDOWN_HOW)];
            Getsockname = 39, "getsockname", Call Net, [], [];
            Getpeername = 41, "getpeername", Call Net, [], [];
            Setsockopt = 45, "setsockopt", Call Net, [USES_FD], [("res", ERRNO), ("fd", FD), ("level", ENUM8, Decimal, SOCKOPT_LEVELS), ("optname", ENUM8, Decimal, SOCKOPT_NAMES), ("val", SOCKET_OPTION), ("optlen", U32)];
            Getsockopt = 47, "getsockopt", Call Net, [USES_FD, MODIFIES_STATE], [("res", ERRNO), ("fd", FD), ("level", ENUM8, Decimal, SOCKOPT_LEVELS), ("optname", ENUM8, Decimal, SOCKOPT_NAMES), ("val", SOCKET_OPTION), ("optlen", U32)];
            Sendmsg = 49, "sendmsg", Call IoWrite, [USES_FD, MODIFIES_STATE, WRITES_FD], [("res", ERRNO), ("data", BYTES), ("fd", FD), ("size", U32), ("tuple", TUPLE)];
            Sendmmsg = 51, "sendmmsg", Call IoWrite, [USES_FD, MODIFIES_STATE, WRITES_FD], [("res", ERRNO), ("fd", FD), ("size", U32), ("data", BYTES), ("tuple", TUPLE)];
            Recvmsg = 53, "recvmsg", Call IoRead, [USES_FD, MODIFIES_STATE, READS_FD], [("res", ERRNO), ("size", U32), ("data", BYTES), ("tuple", TUPLE), ("msgcontrol", BYTES), ("fd", FD)];
            Recvmmsg = 55, "recvmmsg", Call IoRead, [USES_FD, MODIFIES_STATE, READS_FD], [("res", ERRNO), ("fd", FD), ("size", U32), ("data", BYTES), ("tuple", TUPLE), ("msgcontrol", BYTES)];
            Pipe = 61, "pipe", Call Ipc, [CREATES_FD, MODIFIES_STATE], [("res", ERRNO), ("fd1", FD), ("fd2", FD), ("ino", U64)];
            Eventfd = 63, "eventfd", Call Ipc, [CREATES_FD, MODIFIES_STATE], [("res", FD), ("initval", U64), ("flags", U32, Hexadecimal)];
            Futex = 65, "futex", Call Ipc, [], [("res", ERRNO), ("addr", U64, Hexadecimal), ("op", FLAGS16, Hexadecimal, FUTEX_OPERATIONS), ("val", U64)];
            Stat = 67, "stat", Call File, [], [("res", ERRNO), ("path", PATH)];
            Lstat = 69, "lstat", Call File, [], [("res", ERRNO), ("path", PATH)];
            Fstat = 71, "fstat", Call File, [USES_FD], [("res", ERRNO), ("fd", FD, Unset)];
            Stat64 = 73, "stat64", Call File, [], [("res", ERRNO), ("path", PATH)];
            Lstat64 = 75, "lstat64", Call File, [], [("res", ERRNO), ("path", PATH)];
            Fstat64 = 77, "fstat64", Call File, [], [("res", ERRNO)];
            EpollWait = 79, "epoll_wait", Call Wait, [WAITS], [("res", ERRNO), ("maxevents", ERRNO)];
            Poll = 81, "poll", Call Wait, [WAITS], [("res", ERRNO), ("fds", FD_LIST), ("timeout", I64)];
            Select = 83, "select", Call Wait, [WAITS], [("res", ERRNO)];
            Lseek = 87, "lseek", Call File, [USES_FD], [("res", ERRNO), ("fd", FD), ("offset", U64), ("whence", ENUM8, Decimal, SEEK_WHENCES)];
            Llseek = 89, "llseek", Call File, [USES_FD], [("res", ERRNO), ("fd", FD), ("offset", U64), ("whence", ENUM8, Decimal, SEEK_WHENCES)];
            Getcwd = 93, "getcwd", Call File, [], [("res", ERRNO), ("path", TEXT)];
            Pread = 113, "pread", Call IoRead, [USES_FD, READS_FD], [("res", ERRNO), ("data", BYTES), ("fd", FD), ("size", U32), ("pos", U64)];
            Pwrite = 115, "pwrite", Call IoWrite, [USES_FD, WRITES_FD], [("res", ERRNO), ("data", BYTES), ("fd", FD), ("size", U32), ("pos", U64)];
            Readv = 117, "readv", Call IoRead, [USES_FD, READS_FD], [("res", ERRNO), ("size", U32), ("data", BYTES), ("fd", FD)];
            Writev = 119, "writev", Call IoWrite, [USES_FD, WRITES_FD], [("res", ERRNO), ("data", BYTES), ("fd", FD), ("size", U32)];
            Preadv = 121, "preadv", Call IoRead, [USES_FD, READS_FD], [("res", ERRNO), ("size", U32), ("data", BYTES), ("fd", FD), ("pos", U64)];
            Pwritev = 123, "pwritev", Call IoWrite, [USES_FD, WRITES_FD], [("res", ERRNO), ("data", BYTES), ("fd", FD), ("size", U32), ("pos", U64)];
            Signalfd = 127, "signalfd", Call Signal, [CREATES_FD, MODIFIES_STATE], [("res", FD), ("fd", FD), ("mask", U32, Hexadecimal), ("flags", U8, Hexadecimal)];
            Tkill = 131, "tkill", Call Signal, [], [("res", ERRNO), ("tid", PID), ("sig", SIGNAL)];
            Tgkill = 133, "tgkill", Call Signal, [], [("res", ERRNO), ("pid", PID), ("tid", PID), ("sig", SIGNAL)];
            Nanosleep = 135, "nanosleep", Call Sleep, [WAITS], [("res", ERRNO), ("interval", REL_TIME)];
            TimerfdCreate = 137, "timerfd_create", Call Time, [CREATES_FD, MODIFIES_STATE], [("res", FD), ("clockid", U8), ("flags", U8, Hexadecimal)];
            InotifyInit = 139, "inotify_init", Call Ipc, [CREATES_FD, MODIFIES_STATE], [("res", FD), ("flags", U8, Hexadecimal)];
            Getrlimit = 141, "getrlimit", Call Process, [], [("res", ERRNO), ("cur", I64), ("max", I64), ("resource", ENUM8, Decimal, RESOURCE_LIMITS)];
            Setrlimit = 143, "setrlimit", Call Process, [], [("res", ERRNO), ("cur", I64), ("max", I64), ("resource", ENUM8, Decimal, RESOURCE_LIMITS)];
            Prlimit = 145, "prlimit", Call Process, [], [("res", ERRNO), ("newcur", I64), ("newmax", I64), ("oldcur", I64), ("oldmax", I64), ("pid", I64), ("resource", ENUM8, Decimal, RESOURCE_LIMITS)];
            Drop = 148, "drop", Meta Internal, [SKIPS_RESET], [("ratio", U32)];
            DropExit = 149, "drop", Meta Internal, [SKIPS_RESET], [("ratio", U32)];
            Switch = 152, "switch", Tracepoint Scheduler, [], [("next", PID), ("pgft_maj", U64), ("pgft_min", U64), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32)];
            Brk = 159, "brk", Call Memory, [], [("res", U64, Hexadecimal), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32), ("addr", U64, Hexadecimal)];
            Mmap = 161, "mmap", Call Memory, [USES_FD], [("res", ERRNO, Hexadecimal), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32), ("addr", U64, Hexadecimal), ("length", U64), ("prot", FLAGS32, Hexadecimal, MEMORY_PROTECTIONS), ("flags", FLAGS32, Hexadecimal, MMAP_FLAGS), ("fd", FD), ("offset", U64)];
            Mmap2 = 163, "mmap2", Call Memory, [USES_FD], [("res", ERRNO, Hexadecimal), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32), ("addr", U64, Hexadecimal), ("length", U64), ("prot", FLAGS32, Hexadecimal, MEMORY_PROTECTIONS), ("flags", FLAGS32, Hexadecimal, MMAP_FLAGS), ("fd", FD), ("pgoffset", U64)];
            Munmap = 165, "munmap", Call Memory, [], [("res", ERRNO), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32), ("addr", U64, Hexadecimal), ("length", U64)];
            Splice = 167, "splice", Call IoOther, [USES_FD], [("res", ERRNO), ("fd_in", FD), ("fd_out", FD), ("size", U64), ("flags", FLAGS32, Hexadecimal, SPLICE_FLAGS)];
            Ioctl = 171, "ioctl", Call IoOther, [USES_FD], [("res", ERRNO), ("fd", FD), ("request", U64, Hexadecimal), ("argument", U64, Hexadecimal)];
            Sendfile = 189, "sendfile", Call IoWrite, [USES_FD], [("res", ERRNO), ("offset", U64), ("out_fd", FD), ("in_fd", FD), ("size", U64)];
            Quotactl = 191, "quotactl", Call User, [], [("res", ERRNO), ("special", TEXT), ("quotafilepath", TEXT), ("dqb_bhardlimit", U64), ("dqb_bsoftlimit", U64), ("dqb_curspace", U64), ("dqb_ihardlimit", U64), ("dqb_isoftlimit", U64), ("dqb_btime", REL_TIME), ("dqb_itime", REL_TIME), ("dqi_bgrace", REL_TIME), ("dqi_igrace", REL_TIME), ("dqi_flags", FLAGS8, Decimal, QUOTA_INFO_FLAGS), ("quota_fmt_out", FLAGS8, Decimal, QUOTA_FORMATS), ("cmd", FLAGS16, Decimal, QUOTACTL_COMMANDS), ("type", FLAGS8, Decimal, QUOTA_TYPES), ("id", U32), ("quota_fmt", FLAGS8, Decimal, QUOTA_FORMATS)];
            Scapevent = 196, "scapevent", Meta Internal, [SKIPS_RESET], [("event_type", U32), ("event_data", U64)];
            Getuid = 203, "getuid", Call User, [], [("uid", UID)];
            Geteuid = 205, "geteuid", Call User, [], [("euid", UID)];
            Getgid = 207, "getgid", Call User, [], [("gid", GID)];
            Getegid = 209, "getegid", Call User, [], [("egid", GID)];
            Getresuid = 211, "getresuid", Call User, [], [("res", ERRNO), ("ruid", UID), ("euid", UID), ("suid", UID)];
            Getresgid = 213, "getresgid", Call User, [], [("res", ERRNO), ("rgid", GID), ("egid", GID), ("sgid", GID)];
            Signaldeliver = 232, "signaldeliver", Tracepoint Signal, [], [("spid", PID), ("dpid", PID), ("sig", SIGNAL)];
            Procinfo = 234, "procinfo", Meta Internal, [SKIPS_RESET], [("cpu_usr", U64), ("cpu_sys", U64)];
            Getdents = 237, "getdents", Call File, [USES_FD], [("res", ERRNO), ("fd", FD, Unset)];
            Getdents64 = 239, "getdents64", Call File, [USES_FD], [("res", ERRNO), ("fd", FD, Unset)];
            Flock = 243, "flock", Call File, [USES_FD], [("res", ERRNO), ("fd", FD, Unset), ("operation", FLAGS32, Hexadecimal, FLOCK_OPERATIONS)];
            CpuHotplug = 244, "cpu_hotplug", Meta System, [MODIFIES_STATE, SKIPS_RESET], [("cpu", U32), ("action", U32)];
            Semop = 251, "semop", Call Process, [], [("res", ERRNO), ("nsops", U32), ("sem_num_0", U16), ("sem_op_0", I16), ("sem_flg_0", FLAGS16, Hexadecimal, SEMOP_FLAGS), ("sem_num_1", U16), ("sem_op_1", I16), ("sem_flg_1", FLAGS16, Hexadecimal, SEMOP_FLAGS), ("semid", I32)];
            Semctl = 253, "semctl", Call Process, [], [("res", ERRNO), ("semid", I32), ("semnum", I32), ("cmd", FLAGS16, Hexadecimal, SEMCTL_COMMANDS), ("val", I32)];
            Ppoll = 255, "ppoll", Call Wait, [WAITS], [("res", ERRNO), ("fds", FD_LIST), ("timeout", REL_TIME), ("sigmask", SIGNAL_SET)];
            Semget = 263, "semget", Call Process, [], [("res", ERRNO), ("key", I32, Hexadecimal), ("nsems", I32), ("semflg", FLAGS32, Hexadecimal, SEMGET_FLAGS)];
            Access = 265, "access", Call File, [], [("res", ERRNO), ("name", PATH), ("mode", FLAGS32, Hexadecimal, ACCESS_MODES)];
            Notification = 280, "notification", Meta Other, [SKIPS_RESET], [("id", TEXT), ("desc", TEXT)];
            Infra = 286, "infra", Meta Internal, [SKIPS_RESET], [("source", TEXT), ("name", TEXT), ("description", TEXT), ("scope", TEXT)];
            PageFault = 290, "page_fault", Tracepoint Other, [SKIPS_RESET], [("addr", U64, Hexadecimal), ("ip", U64, Hexadecimal), ("error", FLAGS32, Hexadecimal, PAGE_FAULT_ERRORS)];
            Seccomp = 299, "seccomp", Call Other, [], [("res", ERRNO), ("op", U64), ("flags", U64, Hexadecimal)];
            Userfaultfd = 321, "userfaultfd", Call File, [CREATES_FD, MODIFIES_STATE], [("res", ERRNO), ("flags", FLAGS32, Hexadecimal, OPEN_FLAGS)];
            Pluginevent = 322, "pluginevent", Plugin Other, [LARGE_PAYLOAD], [("plugin_id", U32), ("event_data", BYTES)];
            Container = 324, "container", Meta Process, [MODIFIES_STATE, LARGE_PAYLOAD], [("json", TEXT)];
            Mprotect = 329, "mprotect", Call Memory, [], [("res", ERRNO), ("addr", U64, Hexadecimal), ("length", U64), ("prot", FLAGS32, Hexadecimal, MEMORY_PROTECTIONS)];
            CopyFileRange = 333, "copy_file_range", Call File, [USES_FD, READS_FD, WRITES_FD], [("res", ERRNO), ("fdout", FD), ("offout", U64), ("fdin", FD), ("offin", U64), ("len", U64)];
            IoUringSetup = 339, "io_uring_setup", Call IoOther, [CREATES_FD, MODIFIES_STATE], [("res", ERRNO), ("entries", U32), ("sq_entries", U32), ("cq_entries", U32), ("flags", FLAGS32, Hexadecimal, IO_URING_SETUP_FLAGS), ("sq_thread_cpu", U32), ("sq_thread_idle", U32), ("features", FLAGS32, Hexadecimal, IO_URING_FEATURES)];
            IoUringEnter = 341, "io_uring_enter", Call IoOther, [USES_FD], [("res", ERRNO), ("fd", FD), ("to_submit", U32), ("min_complete", U32), ("flags", FLAGS32, Hexadecimal, IO_URING_ENTER_FLAGS), ("sig", SIGNAL_SET)];
            IoUringRegister = 343, "io_uring_register", Call IoOther, [USES_FD], [("res", ERRNO), ("fd", FD), ("opcode", ENUM16, Decimal, IO_URING_REGISTER_OPERATIONS), ("arg", U64, Hexadecimal), ("nr_args", U32)];
            Mlock = 345, "mlock", Call Memory, [], [("res", ERRNO), ("addr", U64, Hexadecimal), ("len", U64)];
            Munlock = 347, "munlock", Call Memory, [], [("res", ERRNO), ("addr", U64, Hexadecimal), ("len", U64)];
            Mlockall = 349, "mlockall", Call Memory, [], [("res", ERRNO), ("flags", FLAGS32, Hexadecimal, MLOCKALL_FLAGS)];
            Munlockall = 351, "munlockall", Call Memory, [], [("res", ERRNO)];
            Useradded = 354, "useradded", Meta Process, [MODIFIES_STATE], [("uid", U32), ("gid", U32), ("name", TEXT), ("home", TEXT), ("shell", TEXT), ("container_id", TEXT)];
            Userdeleted = 356, "userdeleted", Meta Process, [MODIFIES_STATE], [("uid", U32), ("gid", U32), ("name", TEXT), ("home", TEXT), ("shell", TEXT), ("container_id", TEXT)];
            Groupadded = 358, "groupadded", Meta Process, [MODIFIES_STATE], [("gid", U32), ("name", TEXT), ("container_id", TEXT)];
            Groupdeleted = 360, "groupdeleted", Meta Process, [MODIFIES_STATE], [("gid", U32), ("name", TEXT), ("container_id", TEXT)];
            Mlock2 = 371, "mlock2", Call Memory, [], [("res", ERRNO), ("addr", U64, Hexadecimal), ("len", U64), ("flags", FLAGS32, Hexadecimal, MLOCK2_FLAGS)];
            Fsconfig = 373, "fsconfig", Call System, [USES_FD], [("res", ERRNO), ("fd", FD), ("cmd", ENUM32, Decimal, FSCONFIG_COMMANDS), ("key", TEXT), ("value_bytebuf", BYTES), ("value_charbuf", TEXT), ("aux", I32)];
            EpollCreate = 375, "epoll_create", Call Wait, [CREATES_FD, MODIFIES_STATE], [("res", ERRNO), ("size", I32)];
            EpollCreate1 = 377, "epoll_create1", Call Wait, [CREATES_FD, MODIFIES_STATE], [("res", ERRNO), ("flags", FLAGS32, Hexadecimal, EPOLL_CREATE1_FLAGS)];
            Chown = 379, "chown", Call File, [], [("res", ERRNO), ("path", PATH), ("uid", U32), ("gid", U32)];
            Lchown = 381, "lchown", Call File, [], [("res", ERRNO), ("path", PATH), ("uid", U32), ("gid", U32)];
            Fchown = 383, "fchown", Call File, [USES_FD], [("res", ERRNO), ("fd", FD), ("uid", U32), ("gid", U32)];
            Fchownat = 385, "fchownat", Call File, [USES_FD], [("res", ERRNO), ("dirfd", FD), ("pathname", RELATIVE_PATH), ("uid", U32), ("gid", U32), ("flags", FLAGS32, Hexadecimal, FCHOWNAT_FLAGS)];
            Pipe2 = 393, "pipe2", Call Ipc, [CREATES_FD, MODIFIES_STATE], [("res", ERRNO), ("fd1", FD), ("fd2", FD), ("ino", U64), ("flags", FLAGS32, Hexadecimal, OPEN_FLAGS)];
            InotifyInit1 = 395, "inotify_init1", Call Ipc, [CREATES_FD, MODIFIES_STATE], [("res", FD), ("flags", FLAGS16, Hexadecimal, OPEN_FLAGS)];
            Eventfd2 = 397, "eventfd2", Call Ipc, [CREATES_FD, MODIFIES_STATE], [("res", FD), ("flags", FLAGS16, Hexadecimal, OPEN_FLAGS), ("initval", U64)];
            Signalfd4 = 399, "signalfd4", Call Signal, [CREATES_FD, MODIFIES_STATE], [("res", FD), ("flags", FLAGS16, Hexadecimal, OPEN_FLAGS), ("fd", FD), ("mask", U32, Hexadecimal)];
            Prctl = 401, "prctl", Call Process, [MODIFIES_STATE], [("res", ERRNO), ("option", ENUM32, Decimal, PRCTL_OPTIONS), ("arg2_str", TEXT), ("arg2_int", I64)];
            Asyncevent = 402, "asyncevent", Meta Other, [LARGE_PAYLOAD], [("plugin_id", U32), ("name", TEXT), ("data", BYTES)];
            PidfdGetfd = 407, "pidfd_getfd", Call Process, [CREATES_FD, MODIFIES_STATE], [("fd", FD), ("pid_fd", FD), ("target_fd", FD), ("flags", U32, Hexadecimal)];
            PidfdOpen = 409, "pidfd_open", Call Process, [CREATES_FD, MODIFIES_STATE], [("fd", FD), ("pid", PID), ("flags", FLAGS32, Hexadecimal, PIDFD_OPEN_FLAGS)];
            Mknod = 415, "mknod", Call Other, [], [("res", ERRNO), ("path", PATH), ("mode", MODE, Octal, MKNOD_MODE_BITS), ("dev", U32)];
            Mknodat = 417, "mknodat", Call Other, [USES_FD], [("res", ERRNO), ("dirfd", FD), ("path", RELATIVE_PATH), ("mode", MODE, Octal, MKNOD_MODE_BITS), ("dev", U32)];
            Newfstatat = 419, "newfstatat", Call File, [USES_FD], [("res", ERRNO), ("dirfd", FD), ("path", RELATIVE_PATH), ("flags", FLAGS32, Hexadecimal, NEWFSTATAT_FLAGS)];
            ProcessVmReadv = 421, "process_vm_readv", Call Ipc, [], [("res", I64), ("pid", PID), ("data", BYTES)];
            ProcessVmWritev = 423, "process_vm_writev", Call Ipc, [], [("res", I64), ("pid", PID), ("data", BYTES)];
            Task = 430, "task", Iterator Process, [MODIFIES_STATE], [("ppid", PID32), ("pgid", PID32), ("vpgid", PID32), ("sid", PID32), ("comm", TEXT), ("argv", TEXT_LIST), ("exepath", PATH), ("flags", FLAGS32, Hexadecimal, EXECVE_FLAGS), ("env", TEXT_LIST), ("cwd", TEXT), ("fdlimit", U64), ("euid", UID), ("egid", GID), ("cap_permitted", U64, Hexadecimal), ("cap_effective", U64, Hexadecimal), ("cap_inheritable", U64, Hexadecimal), ("exe_ino_num", U64), ("exe_ino_ctime", TIME), ("exe_ino_mtime", TIME), ("vm_size", U32), ("vm_rss", U32), ("vm_swap", U32), ("pgft_maj", U64), ("pgft_min", U64), ("vtgid", PID32), ("vpid", PID32), ("pidns_init_start_ts", U64), ("cgroups", TEXT_LIST), ("root", PATH), ("start_time", TIME), ("tty", U32), ("loginuid", UID)];
            TaskFilePipe = 432, "task_file_pipe", Iterator File, [MODIFIES_STATE], [("fd", FD32), ("path", PATH), ("ino_num", U64)];
            TaskFileMemfd = 434, "task_file_memfd", Iterator File, [MODIFIES_STATE], [("fd", FD32), ("path", PATH), ("ino_num", U64)];
            TaskFileRegular = 436, "task_file_regular", Iterator File, [MODIFIES_STATE], [("fd", FD32), ("path", PATH), ("flags", FLAGS32, Hexadecimal, OPEN_FLAGS), ("mnt_id", U32), ("ino_num", U64)];
            TaskFileDirectory = 438, "task_file_directory", Iterator File, [MODIFIES_STATE], [("fd", FD32), ("path", PATH), ("ino_num", U64)];
            TaskFileSocketInet = 440, "task_file_socket_inet", Iterator File, [MODIFIES_STATE], [("fd", FD32), ("sk_type", U16), ("sk_proto", U16), ("local_ip", IPV4, Hexadecimal), ("local_port", PORT, Hexadecimal), ("remote_ip", IPV4, Hexadecimal), ("remote_port", PORT, Hexadecimal), ("ino_num", U64)];
            TaskFileSocketInet6 = 442, "task_file_socket_inet6", Iterator File, [MODIFIES_STATE], [("fd", FD32), ("sk_type", U16), ("sk_proto", U16), ("local_ip", IPV6, Hexadecimal), ("local_port", PORT, Hexadecimal), ("remote_ip", IPV6, Hexadecimal), ("remote_port", PORT, Hexadecimal), ("ino_num", U64)];
            TaskFileSocketUnix = 444, "task_file_socket_unix", Iterator File, [MODIFIES_STATE], [("fd", FD32), ("sk_type", U16), ("sk_proto", U16), ("sk_pointer", U64, Unset), ("sun_path", PATH), ("ino_num", U64)];
            TaskFileSocketNetlink = 446, "task_file_socket_netlink", Iterator File, [MODIFIES_STATE], [("fd", FD32), ("sk_type", U16), ("sk_proto", U16), ("ino_num", U64)];
            TaskFileAnonInode = 448, "task_file_anon_inode", Iterator File, [MODIFIES_STATE], [("fd", FD32), ("fd_type", FLAGS8, Decimal, ANON_INODE_TYPES), ("path", PATH), ("ino_num", U64)];
            CloseRange = 451, "close_range", Call IoOther, [MODIFIES_STATE], [("res", ERRNO), ("first", U32), ("last", U32), ("flags", FLAGS32, Hexadecimal, CLOSE_RANGE_FLAGS)];
            Keyctl = 453, "keyctl", Call Other, [], [("res", ERRNO), ("operation", ENUM32, Decimal, KEYCTL_OPERATIONS), ("arg2", KEYCTL_ARGUMENT), ("arg3", KEYCTL_ARGUMENT), ("arg4", KEYCTL_ARGUMENT), ("arg5", KEYCTL_ARGUMENT)];
        }
    };
}

/// A pattern that all event types match which the probe does not record, for exhaustive matches
/// over [`EventType`].
///
/// [`EventType`]: crate::event::EventType
#[macro_export]
macro_rules! unprobed_event {
    () => {
        $crate::for_each_unprobed_event!({} $crate::unprobed_event_pattern!)
    };
}

/// What [`unprobed_event!`](crate::unprobed_event) makes of the table.
#[doc(hidden)]
#[macro_export]
macro_rules! unprobed_event_pattern {
    ({} $($name:ident = $code:literal, $text:literal, $class:ident $category:ident, $flags:tt, $params:tt;)*) => {
        $($crate::event::EventType::$name)|*
    };
}
