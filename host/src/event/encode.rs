//! From the kernel's numbers to Falco's: open and clone flags, ptrace requests, fcntl
//! commands, device numbers; names of errors, signals and capabilities.
//!
//! The kernel's side is `include/uapi` of x86-64, Falco's the symbol lists of
//! `saker_rules_schema::event`.

const O_CREAT: u64 = libc::O_CREAT as u64;
/// `O_TMPFILE` without the `O_DIRECTORY` that it includes.
const O_TMPFILE_ONLY: u64 = 0o20000000;
/// `O_SYNC` without the `O_DSYNC` that it includes.
const O_SYNC_ONLY: u64 = 0o4000000;
/// glibc defines `O_LARGEFILE` as 0 on 64-bit.
const O_LARGEFILE: u64 = 0o100000;

/// What an open file keeps of its flags. `O_CREAT` and its like are done with when it is open,
/// `O_CLOEXEC` is the descriptor's, and `O_LARGEFILE` is set by the kernel.
pub const OPEN_FLAGS_KEPT: u64 = (libc::O_ACCMODE
    | libc::O_APPEND
    | libc::O_NONBLOCK
    | libc::O_SYNC
    | libc::O_DIRECT
    | libc::O_DIRECTORY
    | libc::O_NOFOLLOW
    | libc::O_NOATIME
    | libc::O_PATH
    | libc::O_TMPFILE) as u64;

/// Falco's `O_RDONLY`.
pub const F_RDONLY: u64 = 1;
/// Falco's `O_WRONLY`.
pub const F_WRONLY: u64 = 2;
/// Falco's `O_CREAT`.
pub const F_CREAT: u64 = 4;
/// Falco's `O_DIRECTORY`.
pub const F_DIRECTORY: u64 = 1024;
/// Falco's `O_CLOEXEC`.
pub const F_CLOEXEC: u64 = 4096;
/// Falco's `F_DUPFD`.
pub const F_DUPFD: u64 = 1;
/// Falco's `F_SETFD`.
pub const F_SETFD: u64 = 3;
/// Falco's `F_DUPFD_CLOEXEC`.
pub const F_DUPFD_CLOEXEC: u64 = 26;
/// Falco's `O_TMPFILE`.
pub const F_TMPFILE: u64 = 8192;
/// Falco's `O_F_CREATED`.
pub const F_CREATED: u64 = 16384;
/// Falco's `FD_UPPER_LAYER`.
pub const UPPER_LAYER: u64 = 32768;
/// Falco's `FD_LOWER_LAYER`.
pub const LOWER_LAYER: u64 = 65536;

/// Open flags in Falco's numbering.
pub fn open_flags(kernel: u64) -> u64 {
    let access = match kernel & 3 {
        1 => 2,
        2 => 3,
        _ => 1,
    };
    let mut flags = access;
    for (bit, falco) in [
        (O_CREAT, 4),
        (libc::O_APPEND as u64, 8),
        (libc::O_DSYNC as u64, 16),
        (libc::O_EXCL as u64, 32),
        (libc::O_NONBLOCK as u64, 64),
        (O_SYNC_ONLY, 128),
        (libc::O_TRUNC as u64, 256),
        (libc::O_DIRECT as u64, 512),
        (libc::O_DIRECTORY as u64, 1024),
        (O_LARGEFILE, 2048),
        (libc::O_CLOEXEC as u64, 4096),
        (O_TMPFILE_ONLY, 8192),
    ] {
        if kernel & bit != 0 {
            flags |= falco;
        }
    }
    flags
}

/// Whether an open with these kernel flags takes a mode.
pub fn open_has_mode(kernel: u64) -> bool {
    kernel & (O_CREAT | O_TMPFILE_ONLY) != 0
}

/// `SOCK_CLOEXEC` and `SOCK_NONBLOCK`, or dup3's flags, as Falco's open flags.
pub fn descriptor_flags(kernel: u64) -> u64 {
    let mut flags = 0;
    if kernel & libc::O_NONBLOCK as u64 != 0 {
        flags |= 64;
    }
    if kernel & libc::O_CLOEXEC as u64 != 0 {
        flags |= 4096;
    }
    flags
}

/// Clone flags in Falco's numbering.
pub fn clone_flags(kernel: u64) -> u64 {
    const BITS: [(u64, u64); 22] = [
        (0x100, 32768),
        (0x200, 2),
        (0x400, 1),
        (0x800, 2048),
        (0x2000, 1024),
        (0x4000, 134217728),
        (0x8000, 256),
        (0x10000, 8192),
        (0x20000, 32),
        (0x40000, 4096),
        (0x80000, 33554432),
        (0x100000, 512),
        (0x200000, 8388608),
        (0x800000, 16384),
        (0x1000000, 16777216),
        (0x2000000, 268435456),
        (0x4000000, 128),
        (0x8000000, 8),
        (0x10000000, 1048576),
        (0x20000000, 64),
        (0x40000000, 16),
        (0x80000000, 4),
    ];
    BITS.iter()
        .filter(|(bit, _)| kernel & bit != 0)
        .fold(0, |flags, (_, falco)| flags | falco)
}

/// `RESOLVE_*` of openat2 in Falco's numbering.
pub fn resolve_flags(kernel: u64) -> u64 {
    [(1, 16), (2, 4), (4, 8), (8, 1), (16, 2), (32, 32)]
        .iter()
        .filter(|(bit, _)| kernel & bit != 0)
        .fold(0, |flags, (_, falco)| flags | falco)
}

/// Mount flags without the magic number of old callers, as a 32-bit set.
pub fn mount_flags(kernel: u64) -> u64 {
    const MAGIC: u64 = 0xC0ED_0000;
    let flags = if kernel & 0xffff_0000 == MAGIC {
        kernel & 0xffff
    } else {
        kernel
    };
    flags & 0xffff_ffff
}

/// delete_module's flags in Falco's numbering.
pub fn delete_module_flags(kernel: u64) -> u64 {
    u64::from(kernel & libc::O_TRUNC as u64 != 0)
        | (u64::from(kernel & libc::O_NONBLOCK as u64 != 0) << 1)
}

/// A ptrace request in Falco's numbering, 0 if unknown.
pub fn ptrace_request(kernel: u64) -> u64 {
    match kernel {
        0..=9 => kernel + 1,
        12..=15 => kernel + 14,
        16 => 11,
        17 => 12,
        18 => 30,
        19 => 31,
        21 => 32,
        24 => 13,
        25 => 33,
        26 => 34,
        30 => 35,
        31 => 36,
        32 => 37,
        33 => 38,
        0x4200..=0x4206 => kernel - 0x4200 + 14,
        0x4207..=0x420b => kernel - 0x4207 + 21,
        _ => 0,
    }
}

/// An fcntl command in Falco's numbering, 0 if unknown.
pub fn fcntl_command(kernel: u64) -> u64 {
    match kernel {
        0..=4 => kernel + 1,
        5 => 6,
        6 => 8,
        7 => 9,
        8 => 10,
        9 => 12,
        10 => 13,
        11 => 15,
        12..=14 => kernel + 5,
        15 => 21,
        16 => 22,
        36..=38 => kernel - 6,
        1024 => 23,
        1025 => 24,
        1026 => 27,
        1029 => 25,
        1030 => 26,
        1031 => 28,
        1032 => 29,
        _ => 0,
    }
}

/// `fcntl`'s command duplicates the descriptor.
pub fn is_dupfd(kernel: u64) -> bool {
    matches!(kernel, 0 | 1030)
}

/// A device number as the kernel packs it (`major << 20 | minor`) in the encoding user space
/// knows (`new_encode_dev`).
pub fn device(kernel: u32) -> u32 {
    let (major, minor) = (kernel >> 20, kernel & 0xf_ffff);
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & !0xff) << 12)
}

/// Major and minor part of a number in that encoding.
pub fn device_parts(device: u32) -> (u32, u32) {
    (
        (device >> 8) & 0xfff,
        (device & 0xff) | ((device >> 12) & 0xf_ff00),
    )
}

/// The name of an error number (`include/uapi/asm-generic/errno*.h`, `include/linux/errno.h`).
/// Falco names none behind `ECANCELED`, the last that POSIX has.
pub fn error_name(number: i64) -> Option<&'static str> {
    const NAMES: [&str; 126] = [
        "",
        "EPERM",
        "ENOENT",
        "ESRCH",
        "EINTR",
        "EIO",
        "ENXIO",
        "E2BIG",
        "ENOEXEC",
        "EBADF",
        "ECHILD",
        "EAGAIN",
        "ENOMEM",
        "EACCES",
        "EFAULT",
        "ENOTBLK",
        "EBUSY",
        "EEXIST",
        "EXDEV",
        "ENODEV",
        "ENOTDIR",
        "EISDIR",
        "EINVAL",
        "ENFILE",
        "EMFILE",
        "ENOTTY",
        "ETXTBSY",
        "EFBIG",
        "ENOSPC",
        "ESPIPE",
        "EROFS",
        "EMLINK",
        "EPIPE",
        "EDOM",
        "ERANGE",
        "EDEADLK",
        "ENAMETOOLONG",
        "ENOLCK",
        "ENOSYS",
        "ENOTEMPTY",
        "ELOOP",
        "",
        "ENOMSG",
        "EIDRM",
        "ECHRNG",
        "EL2NSYNC",
        "EL3HLT",
        "EL3RST",
        "ELNRNG",
        "EUNATCH",
        "ENOCSI",
        "EL2HLT",
        "EBADE",
        "EBADR",
        "EXFULL",
        "ENOANO",
        "EBADRQC",
        "EBADSLT",
        "",
        "EBFONT",
        "ENOSTR",
        "ENODATA",
        "ETIME",
        "ENOSR",
        "ENONET",
        "ENOPKG",
        "EREMOTE",
        "ENOLINK",
        "EADV",
        "ESRMNT",
        "ECOMM",
        "EPROTO",
        "EMULTIHOP",
        "EDOTDOT",
        "EBADMSG",
        "EOVERFLOW",
        "ENOTUNIQ",
        "EBADFD",
        "EREMCHG",
        "ELIBACC",
        "ELIBBAD",
        "ELIBSCN",
        "ELIBMAX",
        "ELIBEXEC",
        "EILSEQ",
        "ERESTART",
        "ESTRPIPE",
        "EUSERS",
        "ENOTSOCK",
        "EDESTADDRREQ",
        "EMSGSIZE",
        "EPROTOTYPE",
        "ENOPROTOOPT",
        "EPROTONOSUPPORT",
        "ESOCKTNOSUPPORT",
        "EOPNOTSUPP",
        "EPFNOSUPPORT",
        "EAFNOSUPPORT",
        "EADDRINUSE",
        "EADDRNOTAVAIL",
        "ENETDOWN",
        "ENETUNREACH",
        "ENETRESET",
        "ECONNABORTED",
        "ECONNRESET",
        "ENOBUFS",
        "EISCONN",
        "ENOTCONN",
        "ESHUTDOWN",
        "ETOOMANYREFS",
        "ETIMEDOUT",
        "ECONNREFUSED",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "EALREADY",
        "EINPROGRESS",
        "ESTALE",
        "EUCLEAN",
        "ENOTNAM",
        "ENAVAIL",
        "EISNAM",
        "EREMOTEIO",
        "EDQUOT",
        "ENOMEDIUM",
        "EMEDIUMTYPE",
        "ECANCELED",
    ];
    match number {
        512 => Some("ERESTARTSYS"),
        513 => Some("ERESTARTNOINTR"),
        514 => Some("ERESTARTNOHAND"),
        515 => Some("ENOIOCTLCMD"),
        516 => Some("ERESTART_RESTARTBLOCK"),
        521 => Some("EBADHANDLE"),
        522 => Some("ENOTSYNC"),
        523 => Some("EBADCOOKIE"),
        524 => Some("ENOTSUPP"),
        525 => Some("ETOOSMALL"),
        526 => Some("ESERVERFAULT"),
        527 => Some("EBADTYPE"),
        528 => Some("EJUKEBOX"),
        529 => Some("EIOCBQUEUED"),
        530 => Some("EIOCBRETRY"),
        _ => {
            let name = usize::try_from(number).ok().and_then(|n| NAMES.get(n))?;
            (!name.is_empty()).then_some(*name)
        }
    }
}

/// The name of a signal.
pub fn signal_name(number: i64) -> Option<&'static str> {
    const NAMES: [&str; 32] = [
        "",
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    let name = usize::try_from(number).ok().and_then(|n| NAMES.get(n))?;
    (!name.is_empty()).then_some(*name)
}

/// Names of capabilities by bit number (`include/uapi/linux/capability.h`).
pub const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

#[cfg(test)]
mod tests {
    use super::*;
    use saker_rules_schema::event::EventType;

    fn symbol(event: EventType, param: &str, name: &str) -> u64 {
        let index = event.param(param).expect("the parameter exists");
        let symbols = event.params()[index].symbols;
        symbols
            .iter()
            .find(|symbol| symbol.0 == name)
            .expect("the symbol exists")
            .1
    }

    #[test]
    fn kernel_numbers_reach_the_symbol_of_the_same_name() {
        use EventType::{Clone, Fcntl, Openat, Openat2, Ptrace};
        for (name, kernel) in [
            ("PTRACE_TRACEME", 0),
            ("PTRACE_PEEKDATA", 2),
            ("PTRACE_POKEUSR", 6),
            ("PTRACE_SINGLESTEP", 9),
            ("PTRACE_GETREGS", 12),
            ("PTRACE_SETREGS", 13),
            ("PTRACE_GETFPREGS", 14),
            ("PTRACE_SETFPREGS", 15),
            ("PTRACE_ATTACH", 16),
            ("PTRACE_DETACH", 17),
            ("PTRACE_GETFPXREGS", 18),
            ("PTRACE_SETFPXREGS", 19),
            ("PTRACE_SYSCALL", 24),
            ("PTRACE_SETOPTIONS", 0x4200),
            ("PTRACE_GETREGSET", 0x4204),
            ("PTRACE_SEIZE", 0x4206),
            ("PTRACE_INTERRUPT", 0x4207),
            ("PTRACE_SETSIGMASK", 0x420b),
            ("PTRACE_ARCH_PRCTL", 30),
        ] {
            assert_eq!(
                ptrace_request(kernel),
                symbol(Ptrace, "request", name),
                "{name}"
            );
        }
        for (name, kernel) in [
            ("F_DUPFD", libc::F_DUPFD),
            ("F_GETFD", libc::F_GETFD),
            ("F_SETFL", libc::F_SETFL),
            ("F_SETLKW", libc::F_SETLKW),
            ("F_DUPFD_CLOEXEC", libc::F_DUPFD_CLOEXEC),
            ("F_SETPIPE_SZ", libc::F_SETPIPE_SZ),
            ("F_OFD_SETLK", libc::F_OFD_SETLK),
        ] {
            assert_eq!(
                fcntl_command(kernel as u64),
                symbol(Fcntl, "cmd", name),
                "{name}"
            );
        }
        for (name, kernel) in [
            ("CLONE_NEWNS", libc::CLONE_NEWNS),
            ("CLONE_NEWUSER", libc::CLONE_NEWUSER),
            ("CLONE_NEWPID", libc::CLONE_NEWPID),
            ("CLONE_NEWNET", libc::CLONE_NEWNET),
            ("CLONE_NEWCGROUP", libc::CLONE_NEWCGROUP),
            ("CLONE_NEWIPC", libc::CLONE_NEWIPC),
            ("CLONE_NEWUTS", libc::CLONE_NEWUTS),
            ("CLONE_VM", libc::CLONE_VM),
            ("CLONE_FILES", libc::CLONE_FILES),
            ("CLONE_FS", libc::CLONE_FS),
            ("CLONE_THREAD", libc::CLONE_THREAD),
            ("CLONE_VFORK", libc::CLONE_VFORK),
            ("CLONE_PARENT", libc::CLONE_PARENT),
            ("CLONE_CHILD_SETTID", libc::CLONE_CHILD_SETTID),
        ] {
            let kernel = u64::from(kernel as u32);
            assert_eq!(clone_flags(kernel), symbol(Clone, "flags", name), "{name}");
        }
        for (name, kernel) in [
            ("O_CREAT", libc::O_CREAT),
            ("O_TRUNC", libc::O_TRUNC),
            ("O_CLOEXEC", libc::O_CLOEXEC),
            ("O_DIRECTORY", libc::O_DIRECTORY),
            ("O_APPEND", libc::O_APPEND),
        ] {
            let read_only = symbol(Openat, "flags", "O_RDONLY");
            assert_eq!(
                open_flags(kernel as u64),
                symbol(Openat, "flags", name) | read_only,
                "{name}"
            );
        }
        for (name, kernel) in [("RESOLVE_BENEATH", 8), ("RESOLVE_IN_ROOT", 16)] {
            assert_eq!(
                resolve_flags(kernel),
                symbol(Openat2, "resolve", name),
                "{name}"
            );
        }
    }

    #[test]
    fn devices_are_encoded_as_user_space_knows_them() {
        assert_eq!(device(254 << 20), 0xFE00);
        assert_eq!(device_parts(0xFE00), (254, 0));
        let large = device((8 << 20) | 0x12345);
        assert_eq!(device_parts(large), (8, 0x12345));
    }

    #[test]
    fn errors_and_signals_have_names() {
        assert_eq!(error_name(2), Some("ENOENT"));
        assert_eq!(error_name(110), Some("ETIMEDOUT"));
        assert_eq!(error_name(125), Some("ECANCELED"));
        assert_eq!(error_name(126), None);
        assert_eq!(error_name(512), Some("ERESTARTSYS"));
        assert_eq!(error_name(-5), None);
        assert_eq!(error_name(i64::MAX), None);
        assert_eq!(signal_name(15), Some("SIGTERM"));
        assert_eq!(signal_name(0), None);
    }
}
