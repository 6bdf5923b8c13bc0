//! Falco's event types, as far as Saker can produce them: code, name, category, parameters.
//!
//! Codes, names, types, formats and symbol values are those of Falco's event table
//! (libs 0.25, exit events in their current version; enter events are merged into exits).
//! One table, [`EventType`] and every look-up derived from it.

use crate::field::Type;

/// A named value of a flag set or an enumeration, in Falco's order and numbering.
pub type Symbol = (&'static str, u64);

/// How Falco groups an event type (`evt.category`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Anything else.
    Other,
    /// Files.
    File,
    /// Network.
    Net,
    /// Inter-process communication.
    Ipc,
    /// Memory.
    Memory,
    /// Processes.
    Process,
    /// Signals.
    Signal,
    /// Credentials.
    User,
    /// Descriptors of any kind.
    IoOther,
}

impl Category {
    /// Falco's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Category::Other => "other",
            Category::File => "file",
            Category::Net => "net",
            Category::Ipc => "ipc",
            Category::Memory => "memory",
            Category::Process => "process",
            Category::Signal => "signal",
            Category::User => "user",
            Category::IoOther => "IO",
        }
    }
}

/// Type of an event parameter (Falco's `PT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// A result: 0 or more on success, `-errno` on failure.
    Errno,
    /// A file descriptor; negative: `-errno`, or `AT_FDCWD` (-100).
    Fd,
    /// A process or thread id.
    Pid,
    /// A user id.
    Uid,
    /// A group id.
    Gid,
    /// A signal number.
    Signal,
    /// 8 bits, unsigned.
    U8,
    /// 32 bits, unsigned.
    U32,
    /// 64 bits, unsigned.
    U64,
    /// 32 bits, signed.
    I32,
    /// 64 bits, signed.
    I64,
    /// Nanoseconds since the epoch.
    Time,
    /// A set of bits, named by the symbols.
    Flags,
    /// One of the symbols.
    Enum,
    /// Permission bits, named by the symbols.
    Mode,
    /// A string.
    Text,
    /// A path as given, relative to the cwd.
    Path,
    /// A path as given, relative to the directory of the preceding descriptor parameter.
    RelativePath,
    /// Bytes.
    Bytes,
    /// Both ends of a socket.
    Tuple,
    /// A socket address.
    Address,
}

impl ParamType {
    /// Type of its raw values.
    pub fn raw(self) -> Type {
        match self {
            ParamType::Errno
            | ParamType::Fd
            | ParamType::Pid
            | ParamType::Signal
            | ParamType::I32
            | ParamType::I64 => Type::Int,
            ParamType::Uid
            | ParamType::Gid
            | ParamType::U8
            | ParamType::U32
            | ParamType::U64
            | ParamType::Time
            | ParamType::Flags
            | ParamType::Enum
            | ParamType::Mode => Type::Uint,
            ParamType::Text | ParamType::Path | ParamType::RelativePath => Type::Text,
            ParamType::Bytes | ParamType::Tuple | ParamType::Address => Type::Bytes,
        }
    }
}

/// In which base a number parameter is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Base 10.
    Decimal,
    /// Base 16.
    Hexadecimal,
    /// Base 8.
    Octal,
}

/// One parameter of an event type.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name (`evt.arg.NAME`).
    pub name: &'static str,
    /// Its type.
    pub kind: ParamType,
    /// How numbers of it are printed.
    pub base: Base,
    /// Names of bits or values, for [`ParamType::Flags`], `Enum` and `Mode`.
    pub symbols: &'static [Symbol],
}

/// The event makes a descriptor.
pub const CREATES_FD: u8 = 1;
/// The event uses a descriptor.
pub const USES_FD: u8 = 2;
/// The event changes what is known of a process or descriptor.
pub const MODIFIES_STATE: u8 = 4;
/// The event closes a descriptor.
pub const DESTROYS_FD: u8 = 8;
/// The event reads from a descriptor.
pub const READS_FD: u8 = 16;
/// The event writes to a descriptor.
pub const WRITES_FD: u8 = 32;
/// The call waits for something.
pub const WAITS: u8 = 64;

use Base::{Decimal, Hexadecimal, Octal};
use ParamType::{
    Address, Bytes, Enum, Errno, Fd, Flags, Gid, I32, I64, Mode, Path, Pid, RelativePath, Signal,
    Text, Time, Tuple, U8, U32, U64, Uid,
};

const NONE: &[Symbol] = &[];
const OPEN_FLAGS: &[Symbol] = &[
    ("O_LARGEFILE", 2048),
    ("O_DIRECTORY", 1024),
    ("O_DIRECT", 512),
    ("O_TRUNC", 256),
    ("O_SYNC", 128),
    ("O_NONBLOCK", 64),
    ("O_EXCL", 32),
    ("O_DSYNC", 16),
    ("O_APPEND", 8),
    ("O_CREAT", 4),
    ("O_RDWR", 3),
    ("O_WRONLY", 2),
    ("O_RDONLY", 1),
    ("O_CLOEXEC", 4096),
    ("O_NONE", 0),
    ("O_TMPFILE", 8192),
    ("O_F_CREATED", 16384),
    ("FD_UPPER_LAYER", 32768),
    ("FD_LOWER_LAYER", 65536),
];
const ADDRESS_FAMILIES: &[Symbol] = &[
    ("AF_NFC", 39),
    ("AF_ALG", 38),
    ("AF_CAIF", 37),
    ("AF_IEEE802154", 36),
    ("AF_PHONET", 35),
    ("AF_ISDN", 34),
    ("AF_RXRPC", 33),
    ("AF_IUCV", 32),
    ("AF_BLUETOOTH", 31),
    ("AF_TIPC", 30),
    ("AF_CAN", 29),
    ("AF_LLC", 26),
    ("AF_WANPIPE", 25),
    ("AF_PPPOX", 24),
    ("AF_IRDA", 23),
    ("AF_SNA", 22),
    ("AF_RDS", 21),
    ("AF_ATMSVC", 20),
    ("AF_ECONET", 19),
    ("AF_ASH", 18),
    ("AF_PACKET", 17),
    ("AF_ROUTE", 16),
    ("AF_NETLINK", 16),
    ("AF_KEY", 15),
    ("AF_SECURITY", 14),
    ("AF_NETBEUI", 13),
    ("AF_DECnet", 12),
    ("AF_ROSE", 11),
    ("AF_INET6", 10),
    ("AF_X25", 9),
    ("AF_ATMPVC", 8),
    ("AF_BRIDGE", 7),
    ("AF_NETROM", 6),
    ("AF_APPLETALK", 5),
    ("AF_IPX", 4),
    ("AF_AX25", 3),
    ("AF_INET", 2),
    ("AF_LOCAL", 1),
    ("AF_UNIX", 1),
    ("AF_UNSPEC", 0),
];
const CREAT_FLAGS: &[Symbol] = &[("FD_UPPER_LAYER_CREAT", 1), ("FD_LOWER_LAYER_CREAT", 2)];
const FCNTL_COMMANDS: &[Symbol] = &[
    ("F_GETPIPE_SZ", 29),
    ("F_SETPIPE_SZ", 28),
    ("F_NOTIFY", 27),
    ("F_DUPFD_CLOEXEC", 26),
    ("F_CANCELLK", 25),
    ("F_GETLEASE", 24),
    ("F_SETLEASE", 23),
    ("F_GETOWN_EX", 22),
    ("F_SETOWN_EX", 21),
    ("F_SETLKW64", 19),
    ("F_SETLK64", 18),
    ("F_GETLK64", 17),
    ("F_GETSIG", 15),
    ("F_SETSIG", 13),
    ("F_GETOWN", 12),
    ("F_SETOWN", 10),
    ("F_SETLKW", 9),
    ("F_SETLK", 8),
    ("F_GETLK", 6),
    ("F_SETFL", 5),
    ("F_GETFL", 4),
    ("F_SETFD", 3),
    ("F_GETFD", 2),
    ("F_DUPFD", 1),
    ("F_OFD_GETLK", 30),
    ("F_OFD_SETLK", 31),
    ("F_OFD_SETLKW", 32),
    ("UNKNOWN", 0),
];
const PTRACE_REQUESTS: &[Symbol] = &[
    ("PTRACE_SINGLEBLOCK", 38),
    ("PTRACE_SYSEMU_SINGLESTEP", 37),
    ("PTRACE_SYSEMU", 36),
    ("PTRACE_ARCH_PRCTL", 35),
    ("PTRACE_SET_THREAD_AREA", 34),
    ("PTRACE_GET_THREAD_AREA", 33),
    ("PTRACE_OLDSETOPTIONS", 32),
    ("PTRACE_SETFPXREGS", 31),
    ("PTRACE_GETFPXREGS", 30),
    ("PTRACE_SETFPREGS", 29),
    ("PTRACE_GETFPREGS", 28),
    ("PTRACE_SETREGS", 27),
    ("PTRACE_GETREGS", 26),
    ("PTRACE_SETSIGMASK", 25),
    ("PTRACE_GETSIGMASK", 24),
    ("PTRACE_PEEKSIGINFO", 23),
    ("PTRACE_LISTEN", 22),
    ("PTRACE_INTERRUPT", 21),
    ("PTRACE_SEIZE", 20),
    ("PTRACE_SETREGSET", 19),
    ("PTRACE_GETREGSET", 18),
    ("PTRACE_SETSIGINFO", 17),
    ("PTRACE_GETSIGINFO", 16),
    ("PTRACE_GETEVENTMSG", 15),
    ("PTRACE_SETOPTIONS", 14),
    ("PTRACE_SYSCALL", 13),
    ("PTRACE_DETACH", 12),
    ("PTRACE_ATTACH", 11),
    ("PTRACE_SINGLESTEP", 10),
    ("PTRACE_KILL", 9),
    ("PTRACE_CONT", 8),
    ("PTRACE_POKEUSR", 7),
    ("PTRACE_POKEDATA", 6),
    ("PTRACE_POKETEXT", 5),
    ("PTRACE_PEEKUSR", 4),
    ("PTRACE_PEEKDATA", 3),
    ("PTRACE_PEEKTEXT", 2),
    ("PTRACE_TRACEME", 1),
    ("PTRACE_UNKNOWN", 0),
];
const CLONE_FLAGS: &[Symbol] = &[
    ("CLONE_FILES", 1),
    ("CLONE_FS", 2),
    ("CLONE_IO", 4),
    ("CLONE_NEWIPC", 8),
    ("CLONE_NEWNET", 16),
    ("CLONE_NEWNS", 32),
    ("CLONE_NEWPID", 64),
    ("CLONE_NEWUTS", 128),
    ("CLONE_PARENT", 256),
    ("CLONE_PARENT_SETTID", 512),
    ("CLONE_PTRACE", 1024),
    ("CLONE_SIGHAND", 2048),
    ("CLONE_SYSVSEM", 4096),
    ("CLONE_THREAD", 8192),
    ("CLONE_UNTRACED", 16384),
    ("CLONE_VM", 32768),
    ("CLONE_INVERTED", 65536),
    ("NAME_CHANGED", 131072),
    ("CLOSED", 262144),
    ("CLONE_NEWUSER", 1048576),
    ("CLONE_CHILD_CLEARTID", 8388608),
    ("CLONE_CHILD_SETTID", 16777216),
    ("CLONE_SETTLS", 33554432),
    ("CLONE_STOPPED", 67108864),
    ("CLONE_VFORK", 134217728),
    ("CLONE_NEWCGROUP", 268435456),
    ("CLONE_CHILD_IN_PIDNS", 536870912),
];
const MOUNT_FLAGS: &[Symbol] = &[
    ("RDONLY", 1),
    ("NOSUID", 2),
    ("NODEV", 4),
    ("NOEXEC", 8),
    ("SYNCHRONOUS", 16),
    ("REMOUNT", 32),
    ("MANDLOCK", 64),
    ("DIRSYNC", 128),
    ("NOATIME", 1024),
    ("NODIRATIME", 2048),
    ("BIND", 4096),
    ("MOVE", 8192),
    ("REC", 16384),
    ("SILENT", 32768),
    ("POSIXACL", 65536),
    ("UNBINDABLE", 131072),
    ("PRIVATE", 262144),
    ("SLAVE", 524288),
    ("SHARED", 1048576),
    ("RELATIME", 2097152),
    ("KERNMOUNT", 4194304),
    ("I_VERSION", 8388608),
    ("STRICTATIME", 16777216),
    ("LAZYTIME", 33554432),
    ("NOSEC", 268435456),
    ("BORN", 536870912),
    ("ACTIVE", 1073741824),
    ("NOUSER", 2147483648),
];
const EXECVE_FLAGS: &[Symbol] = &[
    ("EXE_WRITABLE", 1),
    ("EXE_UPPER_LAYER", 2),
    ("EXE_FROM_MEMFD", 4),
    ("EXE_LOWER_LAYER", 8),
];
const UNLINKAT_FLAGS: &[Symbol] = &[("AT_REMOVEDIR", 512)];
const LINKAT_FLAGS: &[Symbol] = &[("AT_SYMLINK_FOLLOW", 1024), ("AT_EMPTY_PATH", 4096)];
const MODE_BITS: &[Symbol] = &[
    ("S_IXOTH", 1),
    ("S_IWOTH", 2),
    ("S_IROTH", 4),
    ("S_IXGRP", 8),
    ("S_IWGRP", 16),
    ("S_IRGRP", 32),
    ("S_IXUSR", 64),
    ("S_IWUSR", 128),
    ("S_IRUSR", 256),
    ("S_ISVTX", 512),
    ("S_ISGID", 1024),
    ("S_ISUID", 2048),
];
const RENAMEAT2_FLAGS: &[Symbol] = &[
    ("RENAME_NOREPLACE", 1),
    ("RENAME_EXCHANGE", 2),
    ("RENAME_WHITEOUT", 4),
];
const OPENAT2_RESOLVE: &[Symbol] = &[
    ("RESOLVE_BENEATH", 1),
    ("RESOLVE_IN_ROOT", 2),
    ("RESOLVE_NO_MAGICLINKS", 4),
    ("RESOLVE_NO_SYMLINKS", 8),
    ("RESOLVE_NO_XDEV", 16),
    ("RESOLVE_CACHED", 32),
];
const BPF_COMMANDS: &[Symbol] = &[
    ("BPF_MAP_CREATE", 0),
    ("BPF_MAP_LOOKUP_ELEM", 1),
    ("BPF_MAP_UPDATE_ELEM", 2),
    ("BPF_MAP_DELETE_ELEM", 3),
    ("BPF_MAP_GET_NEXT_KEY", 4),
    ("BPF_PROG_LOAD", 5),
    ("BPF_OBJ_PIN", 6),
    ("BPF_OBJ_GET", 7),
    ("BPF_PROG_ATTACH", 8),
    ("BPF_PROG_DETACH", 9),
    ("BPF_PROG_TEST_RUN", 10),
    ("BPF_PROG_RUN", 10),
    ("BPF_PROG_GET_NEXT_ID", 11),
    ("BPF_MAP_GET_NEXT_ID", 12),
    ("BPF_PROG_GET_FD_BY_ID", 13),
    ("BPF_MAP_GET_FD_BY_ID", 14),
    ("BPF_OBJ_GET_INFO_BY_FD", 15),
    ("BPF_PROG_QUERY", 16),
    ("BPF_RAW_TRACEPOINT_OPEN", 17),
    ("BPF_BTF_LOAD", 18),
    ("BPF_BTF_GET_FD_BY_ID", 19),
    ("BPF_TASK_FD_QUERY", 20),
    ("BPF_MAP_LOOKUP_AND_DELETE_ELEM", 21),
    ("BPF_MAP_FREEZE", 22),
    ("BPF_BTF_GET_NEXT_ID", 23),
    ("BPF_MAP_LOOKUP_BATCH", 24),
    ("BPF_MAP_LOOKUP_AND_DELETE_BATCH", 25),
    ("BPF_MAP_UPDATE_BATCH", 26),
    ("BPF_MAP_DELETE_BATCH", 27),
    ("BPF_LINK_CREATE", 28),
    ("BPF_LINK_UPDATE", 29),
    ("BPF_LINK_GET_FD_BY_ID", 30),
    ("BPF_LINK_GET_NEXT_ID", 31),
    ("BPF_ENABLE_STATS", 32),
    ("BPF_ITER_CREATE", 33),
    ("BPF_LINK_DETACH", 34),
    ("BPF_PROG_BIND_MAP", 35),
];
const UMOUNT2_FLAGS: &[Symbol] = &[("FORCE", 1), ("DETACH", 2), ("EXPIRE", 4), ("NOFOLLOW", 8)];
const MEMFD_CREATE_FLAGS: &[Symbol] = &[
    ("MFD_CLOEXEC", 1),
    ("MFD_ALLOW_SEALING", 2),
    ("MFD_HUGETLB", 4),
];
const FINIT_MODULE_FLAGS: &[Symbol] = &[
    ("MODULE_INIT_IGNORE_MODVERSIONS", 1),
    ("MODULE_INIT_IGNORE_VERMAGIC", 2),
    ("MODULE_INIT_COMPRESSED_FILE", 4),
];
const DELETE_MODULE_FLAGS: &[Symbol] = &[("O_NONBLOCK", 2), ("O_TRUNC", 1)];

macro_rules! events {
    ($($name:ident = $code:literal, $text:literal, $category:ident, [$($flag:ident),*],
       [$(($param:literal, $kind:ident, $base:ident, $symbols:ident)),*];)*) => {
        /// An event type; the number is Falco's code for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum EventType { $(#[doc = concat!("`", $text, "`")] $name = $code,)* }

        impl EventType {
            /// Every event type, in order of codes.
            pub const ALL: &'static [EventType] = &[$(EventType::$name,)*];

            /// The event type of that code.
            pub fn from_code(code: u16) -> Option<EventType> {
                match code { $($code => Some(EventType::$name),)* _ => None }
            }

            /// Falco's name (`evt.type`).
            pub fn name(self) -> &'static str {
                match self { $(EventType::$name => $text,)* }
            }

            /// Falco's category (`evt.category`).
            pub fn category(self) -> Category {
                match self { $(EventType::$name => Category::$category,)* }
            }

            /// `CREATES_FD` and such bits.
            pub fn flags(self) -> u8 {
                match self { $(EventType::$name => 0 $(| $flag)*,)* }
            }

            /// Its parameters in Falco's order.
            pub fn params(self) -> &'static [Param] {
                match self { $(EventType::$name => const { &[$(Param {
                    name: $param, kind: $kind, base: $base, symbols: $symbols,
                },)*] },)* }
            }
        }
    };
}

events! {
    Open = 3, "open", File, [CREATES_FD, MODIFIES_STATE], [("fd", Fd, Decimal, NONE), ("name", Path, Decimal, NONE), ("flags", Flags, Hexadecimal, OPEN_FLAGS), ("mode", U32, Octal, NONE), ("dev", U32, Hexadecimal, NONE), ("ino", U64, Decimal, NONE)];
    Close = 5, "close", IoOther, [USES_FD, MODIFIES_STATE, DESTROYS_FD], [("res", Errno, Decimal, NONE), ("fd", Fd, Decimal, NONE)];
    Socket = 19, "socket", Net, [CREATES_FD, MODIFIES_STATE], [("fd", Fd, Decimal, NONE), ("domain", Enum, Decimal, ADDRESS_FAMILIES), ("type", U32, Decimal, NONE), ("proto", U32, Decimal, NONE), ("flags", Flags, Hexadecimal, OPEN_FLAGS)];
    Bind = 21, "bind", Net, [USES_FD, MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("addr", Address, Decimal, NONE), ("fd", Fd, Decimal, NONE)];
    Connect = 23, "connect", Net, [USES_FD, MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("tuple", Tuple, Decimal, NONE), ("fd", Fd, Decimal, NONE), ("addr", Address, Decimal, NONE)];
    Socketpair = 43, "socketpair", Ipc, [CREATES_FD, MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("fd1", Fd, Decimal, NONE), ("fd2", Fd, Decimal, NONE), ("source", U64, Hexadecimal, NONE), ("peer", U64, Hexadecimal, NONE), ("domain", Enum, Decimal, ADDRESS_FAMILIES), ("type", U32, Decimal, NONE), ("proto", U32, Decimal, NONE)];
    Creat = 59, "creat", File, [CREATES_FD, MODIFIES_STATE], [("fd", Fd, Decimal, NONE), ("name", Path, Decimal, NONE), ("mode", U32, Octal, NONE), ("dev", U32, Hexadecimal, NONE), ("ino", U64, Decimal, NONE), ("creat_flags", Flags, Hexadecimal, CREAT_FLAGS)];
    Chdir = 95, "chdir", File, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("path", Text, Decimal, NONE)];
    Fchdir = 97, "fchdir", File, [USES_FD, MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("fd", Fd, Decimal, NONE)];
    Kill = 129, "kill", Signal, [], [("res", Errno, Decimal, NONE), ("pid", Pid, Decimal, NONE), ("sig", Signal, Decimal, NONE)];
    Fcntl = 151, "fcntl", IoOther, [USES_FD, MODIFIES_STATE], [("res", Fd, Decimal, NONE), ("fd", Fd, Decimal, NONE), ("cmd", Enum, Decimal, FCNTL_COMMANDS), ("arg", U64, Hexadecimal, NONE)];
    Ptrace = 169, "ptrace", Process, [], [("res", Errno, Decimal, NONE), ("addr", U64, Hexadecimal, NONE), ("data", U64, Hexadecimal, NONE), ("request", Enum, Decimal, PTRACE_REQUESTS), ("pid", Pid, Decimal, NONE)];
    Rename = 175, "rename", File, [], [("res", Errno, Decimal, NONE), ("oldpath", Path, Decimal, NONE), ("newpath", Path, Decimal, NONE)];
    Renameat = 177, "renameat", File, [], [("res", Errno, Decimal, NONE), ("olddirfd", Fd, Decimal, NONE), ("oldpath", RelativePath, Decimal, NONE), ("newdirfd", Fd, Decimal, NONE), ("newpath", RelativePath, Decimal, NONE)];
    Symlink = 179, "symlink", File, [], [("res", Errno, Decimal, NONE), ("target", Text, Decimal, NONE), ("linkpath", Path, Decimal, NONE)];
    Symlinkat = 181, "symlinkat", File, [USES_FD], [("res", Errno, Decimal, NONE), ("target", Text, Decimal, NONE), ("linkdirfd", Fd, Decimal, NONE), ("linkpath", RelativePath, Decimal, NONE)];
    Procexit = 186, "procexit", Process, [MODIFIES_STATE], [("status", Errno, Decimal, NONE), ("ret", Errno, Decimal, NONE), ("sig", Signal, Decimal, NONE), ("core", U8, Decimal, NONE), ("reaper_tid", Pid, Decimal, NONE)];
    Setresuid = 193, "setresuid", User, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("ruid", Uid, Decimal, NONE), ("euid", Uid, Decimal, NONE), ("suid", Uid, Decimal, NONE)];
    Setresgid = 195, "setresgid", User, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("rgid", Gid, Decimal, NONE), ("egid", Gid, Decimal, NONE), ("sgid", Gid, Decimal, NONE)];
    Setuid = 199, "setuid", User, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("uid", Uid, Decimal, NONE)];
    Setgid = 201, "setgid", User, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("gid", Gid, Decimal, NONE)];
    Clone = 223, "clone", Process, [MODIFIES_STATE], [("res", Pid, Decimal, NONE), ("exe", Text, Decimal, NONE), ("args", Bytes, Decimal, NONE), ("tid", Pid, Decimal, NONE), ("pid", Pid, Decimal, NONE), ("ptid", Pid, Decimal, NONE), ("cwd", Text, Decimal, NONE), ("fdlimit", I64, Decimal, NONE), ("pgft_maj", U64, Decimal, NONE), ("pgft_min", U64, Decimal, NONE), ("vm_size", U32, Decimal, NONE), ("vm_rss", U32, Decimal, NONE), ("vm_swap", U32, Decimal, NONE), ("comm", Text, Decimal, NONE), ("cgroups", Bytes, Decimal, NONE), ("flags", Flags, Hexadecimal, CLONE_FLAGS), ("uid", U32, Decimal, NONE), ("gid", U32, Decimal, NONE), ("vtid", Pid, Decimal, NONE), ("vpid", Pid, Decimal, NONE), ("pidns_init_start_ts", U64, Decimal, NONE)];
    Fork = 225, "fork", Process, [MODIFIES_STATE], [("res", Pid, Decimal, NONE), ("exe", Text, Decimal, NONE), ("args", Bytes, Decimal, NONE), ("tid", Pid, Decimal, NONE), ("pid", Pid, Decimal, NONE), ("ptid", Pid, Decimal, NONE), ("cwd", Text, Decimal, NONE), ("fdlimit", I64, Decimal, NONE), ("pgft_maj", U64, Decimal, NONE), ("pgft_min", U64, Decimal, NONE), ("vm_size", U32, Decimal, NONE), ("vm_rss", U32, Decimal, NONE), ("vm_swap", U32, Decimal, NONE), ("comm", Text, Decimal, NONE), ("cgroups", Bytes, Decimal, NONE), ("flags", Flags, Hexadecimal, CLONE_FLAGS), ("uid", U32, Decimal, NONE), ("gid", U32, Decimal, NONE), ("vtid", Pid, Decimal, NONE), ("vpid", Pid, Decimal, NONE), ("pidns_init_start_ts", U64, Decimal, NONE)];
    Vfork = 227, "vfork", Process, [MODIFIES_STATE], [("res", Pid, Decimal, NONE), ("exe", Text, Decimal, NONE), ("args", Bytes, Decimal, NONE), ("tid", Pid, Decimal, NONE), ("pid", Pid, Decimal, NONE), ("ptid", Pid, Decimal, NONE), ("cwd", Text, Decimal, NONE), ("fdlimit", I64, Decimal, NONE), ("pgft_maj", U64, Decimal, NONE), ("pgft_min", U64, Decimal, NONE), ("vm_size", U32, Decimal, NONE), ("vm_rss", U32, Decimal, NONE), ("vm_swap", U32, Decimal, NONE), ("comm", Text, Decimal, NONE), ("cgroups", Bytes, Decimal, NONE), ("flags", Flags, Hexadecimal, CLONE_FLAGS), ("uid", U32, Decimal, NONE), ("gid", U32, Decimal, NONE), ("vtid", Pid, Decimal, NONE), ("vpid", Pid, Decimal, NONE), ("pidns_init_start_ts", U64, Decimal, NONE)];
    Setns = 241, "setns", Process, [USES_FD], [("res", Errno, Decimal, NONE), ("fd", Fd, Decimal, NONE), ("nstype", Flags, Hexadecimal, CLONE_FLAGS)];
    Accept = 247, "accept", Net, [CREATES_FD, MODIFIES_STATE], [("fd", Fd, Decimal, NONE), ("tuple", Tuple, Decimal, NONE), ("queuepct", U8, Decimal, NONE), ("queuelen", U32, Decimal, NONE), ("queuemax", U32, Decimal, NONE)];
    Mount = 257, "mount", File, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("dev", Text, Decimal, NONE), ("dir", Path, Decimal, NONE), ("type", Text, Decimal, NONE), ("flags", Flags, Hexadecimal, MOUNT_FLAGS)];
    Chroot = 267, "chroot", Process, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("path", Path, Decimal, NONE)];
    Setsid = 275, "setsid", Process, [MODIFIES_STATE], [("res", Pid, Decimal, NONE)];
    Mkdir = 277, "mkdir", File, [], [("res", Errno, Decimal, NONE), ("path", Path, Decimal, NONE), ("mode", U32, Hexadecimal, NONE)];
    Rmdir = 279, "rmdir", File, [], [("res", Errno, Decimal, NONE), ("path", Path, Decimal, NONE)];
    Unshare = 285, "unshare", Process, [], [("res", Errno, Decimal, NONE), ("flags", Flags, Hexadecimal, CLONE_FLAGS)];
    Execve = 293, "execve", Process, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("exe", Text, Decimal, NONE), ("args", Bytes, Decimal, NONE), ("tid", Pid, Decimal, NONE), ("pid", Pid, Decimal, NONE), ("ptid", Pid, Decimal, NONE), ("cwd", Text, Decimal, NONE), ("fdlimit", U64, Decimal, NONE), ("pgft_maj", U64, Decimal, NONE), ("pgft_min", U64, Decimal, NONE), ("vm_size", U32, Decimal, NONE), ("vm_rss", U32, Decimal, NONE), ("vm_swap", U32, Decimal, NONE), ("comm", Text, Decimal, NONE), ("cgroups", Bytes, Decimal, NONE), ("env", Bytes, Decimal, NONE), ("tty", U32, Decimal, NONE), ("vpgid", Pid, Decimal, NONE), ("loginuid", Uid, Decimal, NONE), ("flags", Flags, Hexadecimal, EXECVE_FLAGS), ("cap_inheritable", U64, Hexadecimal, NONE), ("cap_permitted", U64, Hexadecimal, NONE), ("cap_effective", U64, Hexadecimal, NONE), ("exe_ino", U64, Decimal, NONE), ("exe_ino_ctime", Time, Decimal, NONE), ("exe_ino_mtime", Time, Decimal, NONE), ("uid", Uid, Decimal, NONE), ("trusted_exepath", Path, Decimal, NONE), ("pgid", Pid, Decimal, NONE), ("gid", Gid, Decimal, NONE), ("filename", Path, Decimal, NONE)];
    Setpgid = 295, "setpgid", Process, [], [("res", Errno, Decimal, NONE), ("pid", Pid, Decimal, NONE), ("pgid", Pid, Decimal, NONE)];
    Unlink = 301, "unlink", File, [], [("res", Errno, Decimal, NONE), ("path", Path, Decimal, NONE)];
    Unlinkat = 303, "unlinkat", File, [USES_FD], [("res", Errno, Decimal, NONE), ("dirfd", Fd, Decimal, NONE), ("name", RelativePath, Decimal, NONE), ("flags", Flags, Hexadecimal, UNLINKAT_FLAGS)];
    Mkdirat = 305, "mkdirat", File, [USES_FD], [("res", Errno, Decimal, NONE), ("dirfd", Fd, Decimal, NONE), ("path", RelativePath, Decimal, NONE), ("mode", U32, Hexadecimal, NONE)];
    Openat = 307, "openat", File, [CREATES_FD, MODIFIES_STATE], [("fd", Fd, Decimal, NONE), ("dirfd", Fd, Decimal, NONE), ("name", RelativePath, Decimal, NONE), ("flags", Flags, Hexadecimal, OPEN_FLAGS), ("mode", U32, Octal, NONE), ("dev", U32, Hexadecimal, NONE), ("ino", U64, Decimal, NONE)];
    Link = 309, "link", File, [], [("res", Errno, Decimal, NONE), ("oldpath", Path, Decimal, NONE), ("newpath", Path, Decimal, NONE)];
    Linkat = 311, "linkat", File, [], [("res", Errno, Decimal, NONE), ("olddir", Fd, Decimal, NONE), ("oldpath", RelativePath, Decimal, NONE), ("newdir", Fd, Decimal, NONE), ("newpath", RelativePath, Decimal, NONE), ("flags", Flags, Hexadecimal, LINKAT_FLAGS)];
    Fchmodat = 313, "fchmodat", File, [USES_FD], [("res", Errno, Decimal, NONE), ("dirfd", Fd, Decimal, NONE), ("filename", RelativePath, Decimal, NONE), ("mode", Mode, Octal, MODE_BITS)];
    Chmod = 315, "chmod", File, [], [("res", Errno, Decimal, NONE), ("filename", Path, Decimal, NONE), ("mode", Mode, Octal, MODE_BITS)];
    Fchmod = 317, "fchmod", File, [USES_FD], [("res", Errno, Decimal, NONE), ("fd", Fd, Decimal, NONE), ("mode", Mode, Octal, MODE_BITS)];
    Renameat2 = 319, "renameat2", File, [], [("res", Errno, Decimal, NONE), ("olddirfd", Fd, Decimal, NONE), ("oldpath", RelativePath, Decimal, NONE), ("newdirfd", Fd, Decimal, NONE), ("newpath", RelativePath, Decimal, NONE), ("flags", Flags, Hexadecimal, RENAMEAT2_FLAGS)];
    Openat2 = 327, "openat2", File, [CREATES_FD, MODIFIES_STATE], [("fd", Fd, Decimal, NONE), ("dirfd", Fd, Decimal, NONE), ("name", RelativePath, Decimal, NONE), ("flags", Flags, Hexadecimal, OPEN_FLAGS), ("mode", U32, Octal, NONE), ("resolve", Flags, Hexadecimal, OPENAT2_RESOLVE), ("dev", U32, Hexadecimal, NONE), ("ino", U64, Decimal, NONE)];
    Execveat = 331, "execveat", Process, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("exe", Text, Decimal, NONE), ("args", Bytes, Decimal, NONE), ("tid", Pid, Decimal, NONE), ("pid", Pid, Decimal, NONE), ("ptid", Pid, Decimal, NONE), ("cwd", Text, Decimal, NONE), ("fdlimit", U64, Decimal, NONE), ("pgft_maj", U64, Decimal, NONE), ("pgft_min", U64, Decimal, NONE), ("vm_size", U32, Decimal, NONE), ("vm_rss", U32, Decimal, NONE), ("vm_swap", U32, Decimal, NONE), ("comm", Text, Decimal, NONE), ("cgroups", Bytes, Decimal, NONE), ("env", Bytes, Decimal, NONE), ("tty", U32, Decimal, NONE), ("vpgid", Pid, Decimal, NONE), ("loginuid", Uid, Decimal, NONE), ("flags", Flags, Hexadecimal, EXECVE_FLAGS), ("cap_inheritable", U64, Hexadecimal, NONE), ("cap_permitted", U64, Hexadecimal, NONE), ("cap_effective", U64, Hexadecimal, NONE), ("exe_ino", U64, Decimal, NONE), ("exe_ino_ctime", Time, Decimal, NONE), ("exe_ino_mtime", Time, Decimal, NONE), ("uid", Uid, Decimal, NONE), ("trusted_exepath", Path, Decimal, NONE), ("pgid", Pid, Decimal, NONE), ("gid", Gid, Decimal, NONE)];
    Clone3 = 335, "clone3", Process, [MODIFIES_STATE], [("res", Pid, Decimal, NONE), ("exe", Text, Decimal, NONE), ("args", Bytes, Decimal, NONE), ("tid", Pid, Decimal, NONE), ("pid", Pid, Decimal, NONE), ("ptid", Pid, Decimal, NONE), ("cwd", Text, Decimal, NONE), ("fdlimit", I64, Decimal, NONE), ("pgft_maj", U64, Decimal, NONE), ("pgft_min", U64, Decimal, NONE), ("vm_size", U32, Decimal, NONE), ("vm_rss", U32, Decimal, NONE), ("vm_swap", U32, Decimal, NONE), ("comm", Text, Decimal, NONE), ("cgroups", Bytes, Decimal, NONE), ("flags", Flags, Hexadecimal, CLONE_FLAGS), ("uid", U32, Decimal, NONE), ("gid", U32, Decimal, NONE), ("vtid", Pid, Decimal, NONE), ("vpid", Pid, Decimal, NONE), ("pidns_init_start_ts", U64, Decimal, NONE)];
    OpenByHandleAt = 337, "open_by_handle_at", File, [CREATES_FD, MODIFIES_STATE], [("fd", Fd, Decimal, NONE), ("mountfd", Fd, Decimal, NONE), ("flags", Flags, Hexadecimal, OPEN_FLAGS), ("path", Path, Decimal, NONE), ("dev", U32, Hexadecimal, NONE), ("ino", U64, Decimal, NONE)];
    Capset = 353, "capset", Process, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("cap_inheritable", U64, Hexadecimal, NONE), ("cap_permitted", U64, Hexadecimal, NONE), ("cap_effective", U64, Hexadecimal, NONE)];
    Dup2 = 363, "dup2", IoOther, [CREATES_FD, USES_FD, MODIFIES_STATE], [("res", Fd, Decimal, NONE), ("oldfd", Fd, Decimal, NONE), ("newfd", Fd, Decimal, NONE)];
    Dup3 = 365, "dup3", IoOther, [CREATES_FD, USES_FD, MODIFIES_STATE], [("res", Fd, Decimal, NONE), ("oldfd", Fd, Decimal, NONE), ("newfd", Fd, Decimal, NONE), ("flags", Flags, Hexadecimal, OPEN_FLAGS)];
    Dup = 367, "dup", IoOther, [CREATES_FD, USES_FD, MODIFIES_STATE], [("res", Fd, Decimal, NONE), ("oldfd", Fd, Decimal, NONE)];
    Bpf = 369, "bpf", Other, [CREATES_FD], [("fd", Fd, Decimal, NONE), ("cmd", Enum, Decimal, BPF_COMMANDS)];
    Umount = 387, "umount", File, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("name", Path, Decimal, NONE)];
    Accept4 = 389, "accept4", Net, [CREATES_FD, MODIFIES_STATE], [("fd", Fd, Decimal, NONE), ("tuple", Tuple, Decimal, NONE), ("queuepct", U8, Decimal, NONE), ("queuelen", U32, Decimal, NONE), ("queuemax", U32, Decimal, NONE), ("flags", I32, Hexadecimal, NONE)];
    Umount2 = 391, "umount2", File, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("name", Path, Decimal, NONE), ("flags", Flags, Hexadecimal, UMOUNT2_FLAGS)];
    MemfdCreate = 405, "memfd_create", Memory, [CREATES_FD, MODIFIES_STATE], [("fd", Fd, Decimal, NONE), ("name", Text, Decimal, NONE), ("flags", Flags, Hexadecimal, MEMFD_CREATE_FLAGS)];
    InitModule = 411, "init_module", Other, [], [("res", Errno, Decimal, NONE), ("img", Bytes, Decimal, NONE), ("length", U64, Decimal, NONE), ("uargs", Text, Decimal, NONE)];
    FinitModule = 413, "finit_module", Other, [USES_FD, READS_FD], [("res", Errno, Decimal, NONE), ("fd", Fd, Decimal, NONE), ("uargs", Text, Decimal, NONE), ("flags", Flags, Hexadecimal, FINIT_MODULE_FLAGS)];
    DeleteModule = 425, "delete_module", Other, [], [("res", Errno, Decimal, NONE), ("name", Text, Decimal, NONE), ("flags", Flags, Hexadecimal, DELETE_MODULE_FLAGS)];
    Setreuid = 427, "setreuid", User, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("ruid", Uid, Decimal, NONE), ("euid", Uid, Decimal, NONE)];
    Setregid = 429, "setregid", User, [MODIFIES_STATE], [("res", Errno, Decimal, NONE), ("rgid", Uid, Decimal, NONE), ("egid", Uid, Decimal, NONE)];
}

impl EventType {
    /// How many event types there are.
    pub const COUNT: usize = EventType::ALL.len();

    /// Falco's code.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// Position in [`EventType::ALL`]: dense, for tables indexed by event type.
    #[inline]
    pub fn index(self) -> usize {
        INDEX[self as usize] as usize
    }

    /// The event types of that name (some names have several codes).
    pub fn by_name(name: &str) -> impl Iterator<Item = EventType> + '_ {
        EventType::ALL
            .iter()
            .copied()
            .filter(move |event| event.name() == name)
    }

    /// Where it moves bytes (`evt.io_dir`): `read` or `write`.
    pub fn direction(self) -> Option<&'static str> {
        match self.flags() {
            flags if flags & WRITES_FD != 0 => Some("write"),
            flags if flags & READS_FD != 0 => Some("read"),
            _ => None,
        }
    }

    /// Position of the parameter of that name.
    pub fn param(self, name: &str) -> Option<usize> {
        self.params().iter().position(|param| param.name == name)
    }
}

/// Position in [`EventType::ALL`] by code; Falco's codes are below 512.
static INDEX: [u8; 512] = {
    let mut table = [0; 512];
    let mut index = 0;
    while index < EventType::ALL.len() {
        table[EventType::ALL[index] as usize] = index as u8;
        index += 1;
    }
    table
};
