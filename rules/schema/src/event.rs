//! Falco's event types: code, name, category, parameters.
//!
//! Codes, names, types, formats and symbol values are those of Falco's event table (libs 0.25):
//! every event type in its current version, where what a call is given and what it returns are
//! one event. The probe records some of them, a capture can hold any; how older versions and
//! separate entries of calls look in a capture is said by [`crate::wire`].
//! One table, [`EventType`] and every look-up derived from it.

pub(crate) mod symbols;
mod table;

use crate::field::Type;
use crate::syscall;

/// A named value of a flag set or an enumeration, in Falco's order and numbering.
pub type Symbol = (&'static str, u64);

/// How Falco groups an event type (`evt.category`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// No event.
    Unknown,
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
    /// Waiting for time to pass.
    Sleep,
    /// The system as a whole.
    System,
    /// Signals.
    Signal,
    /// Credentials.
    User,
    /// Clocks and timers.
    Time,
    /// Work of a process between calls.
    Processing,
    /// Reading from descriptors of any kind.
    IoRead,
    /// Writing to descriptors of any kind.
    IoWrite,
    /// Other things done with descriptors of any kind.
    IoOther,
    /// Waiting for descriptors.
    Wait,
    /// The kernel's choice of what runs.
    Scheduler,
    /// What Falco tells itself.
    Internal,
}

impl Category {
    /// Falco's word for it. For the categories of descriptors ([`Category::is_io`]) Falco says
    /// `evt.category` by the descriptor instead.
    pub const fn name(self) -> &'static str {
        match self {
            Category::Unknown => "unknown",
            Category::Other => "other",
            Category::File => "file",
            Category::Net => "net",
            Category::Ipc => "IPC",
            Category::Memory => "memory",
            Category::Process => "process",
            Category::Sleep => "sleep",
            Category::System => "system",
            Category::Signal => "signal",
            Category::User => "user",
            Category::Time => "time",
            Category::Processing => "processing",
            Category::IoRead | Category::IoWrite | Category::IoOther => "IO",
            Category::Wait => "wait",
            Category::Scheduler => "scheduler",
            Category::Internal => "internal",
        }
    }

    /// Whether the descriptor decides what `evt.category` is.
    pub const fn is_io(self) -> bool {
        matches!(
            self,
            Category::IoRead | Category::IoWrite | Category::IoOther
        )
    }

    /// Falco's number: the lower 9 bits of the category in its table.
    pub const fn number(self) -> u16 {
        match self {
            Category::Unknown => 0,
            Category::Other => 1,
            Category::File => 2,
            Category::Net => 3,
            Category::Ipc => 4,
            Category::Memory => 5,
            Category::Process => 6,
            Category::Sleep => 7,
            Category::System => 8,
            Category::Signal => 9,
            Category::User => 10,
            Category::Time => 11,
            Category::Processing => 12,
            Category::IoRead => 32,
            Category::IoWrite => 33,
            Category::IoOther => 34,
            Category::Wait => 64,
            Category::Scheduler => 128,
            Category::Internal => 256,
        }
    }
}

/// Where events of a type come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nowhere: the code is not in use.
    Unused,
    /// A system call.
    Call,
    /// Another place in the kernel.
    Tracepoint,
    /// A plugin's event source.
    Plugin,
    /// Whoever recorded: what is no event of the kernel's (`evt.is_async`).
    Meta,
    /// A walk through the kernel's tables of tasks and descriptors.
    Iterator,
}

impl Class {
    /// Falco's number: the upper bits of the category in its table.
    pub const fn number(self) -> u16 {
        match self {
            Class::Unused => 0,
            Class::Call => 0x200,
            Class::Tracepoint => 0x400,
            Class::Plugin => 0x800,
            Class::Meta => 0x1000,
            Class::Iterator => 0x2000,
        }
    }
}

/// Type of an event parameter (Falco's `PT_*`). How many bytes one takes in a capture is said
/// by [`Param::width`]; numbers are little-endian there.
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
    /// A set of the first 32 signals, the least bit for signal 1.
    SignalSet,
    /// Falco's number of a system call, the same on every architecture.
    SyscallId,
    /// 8 bits, unsigned.
    U8,
    /// 16 bits, unsigned.
    U16,
    /// 32 bits, unsigned.
    U32,
    /// 64 bits, unsigned.
    U64,
    /// 16 bits, signed.
    I16,
    /// 32 bits, signed.
    I32,
    /// 64 bits, signed.
    I64,
    /// Nanoseconds since the epoch.
    Time,
    /// Nanoseconds.
    RelTime,
    /// A port number.
    Port,
    /// A set of bits, named by the symbols.
    Flags,
    /// One of the symbols.
    Enum,
    /// Permission bits, named by the symbols.
    Mode,
    /// A string, in a capture with a null byte behind it.
    Text,
    /// A path as given, relative to the cwd.
    Path,
    /// A path as given, relative to the directory of the preceding descriptor parameter.
    RelativePath,
    /// Bytes.
    Bytes,
    /// Strings, each with a null byte behind it.
    TextList,
    /// Names and values: two strings each.
    PairList,
    /// Descriptors waited for. In a capture their number (2 bytes), then of each the descriptor
    /// (8) and its bits (2).
    FdList,
    /// Both ends of a socket.
    Tuple,
    /// A socket address.
    Address,
    /// An IPv4 address, in network order.
    Ipv4,
    /// An IPv6 address, in network order.
    Ipv6,
    /// One of several types. In a capture the first byte is an index in
    /// [`Variants::params`], and what follows a value of that type.
    Dyn(Variants),
}

impl ParamType {
    /// Type of its raw values.
    pub fn raw(self) -> Type {
        match self {
            ParamType::Errno
            | ParamType::Fd
            | ParamType::Pid
            | ParamType::Signal
            | ParamType::I16
            | ParamType::I32
            | ParamType::I64 => Type::Int,
            ParamType::Uid
            | ParamType::Gid
            | ParamType::SignalSet
            | ParamType::SyscallId
            | ParamType::U8
            | ParamType::U16
            | ParamType::U32
            | ParamType::U64
            | ParamType::Time
            | ParamType::RelTime
            | ParamType::Port
            | ParamType::Flags
            | ParamType::Enum
            | ParamType::Mode
            // Most values of such parameters are numbers.
            | ParamType::Dyn(_) => Type::Uint,
            ParamType::Text | ParamType::Path | ParamType::RelativePath => Type::Text,
            ParamType::Bytes
            | ParamType::TextList
            | ParamType::PairList
            | ParamType::FdList
            | ParamType::Tuple
            | ParamType::Address
            | ParamType::Ipv4
            | ParamType::Ipv6 => Type::Bytes,
        }
    }
}

/// A parameter of a table's row.
macro_rules! param {
    ($name:literal, $kind:ident) => {
        param!($name, $kind, Decimal, NONE)
    };
    ($name:literal, $kind:ident, $base:ident) => {
        param!($name, $kind, $base, NONE)
    };
    ($name:literal, $kind:ident, $base:ident, $symbols:ident) => {
        $crate::event::Param {
            name: $name,
            kind: $crate::event::kinds::$kind.0,
            width: match $crate::event::kinds::$kind.1 {
                0 => None,
                width => Some(width),
            },
            base: $crate::event::Base::$base,
            symbols: $crate::event::symbols::$symbols,
        }
    };
}
pub(crate) use param;

/// Parameters whose type is told by the event: which types there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variants {
    /// The value of a socket's option (`setsockopt`, `getsockopt`).
    SocketOption,
    /// An address or a value for `ptrace`.
    Ptrace,
    /// What `bpf` returned, in its old version.
    BpfResult,
    /// An argument of `keyctl`.
    Keyctl,
}

impl Variants {
    /// The types, in the order of Falco's numbering. They have no names of their own.
    pub const fn params(self) -> &'static [Param] {
        match self {
            Variants::SocketOption => {
                const {
                    &[
                        param!("", BYTES, Hexadecimal),
                        param!("", ERRNO),
                        param!("", U32),
                        param!("", U64),
                        param!("", REL_TIME),
                    ]
                }
            }
            Variants::Ptrace => const { &[param!("", U64, Hexadecimal), param!("", SIGNAL)] },
            Variants::BpfResult => const { &[param!("", FD), param!("", ERRNO)] },
            Variants::Keyctl => const { &[param!("", I64), param!("", TEXT)] },
        }
    }
}

/// In which base a number parameter is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Falco's table does not say: base 10, yet where numbers are told from texts, a text.
    Unset,
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
    /// Bytes it takes in a capture; `None` if its length varies. A parameter without a value
    /// has length 0 there, whatever its width.
    pub width: Option<u8>,
    /// How numbers of it are printed.
    pub base: Base,
    /// Names of bits or values, for [`ParamType::Flags`], `Enum` and `Mode`.
    pub symbols: &'static [Symbol],
}

/// The event makes a descriptor.
pub const CREATES_FD: u16 = 1;
/// The event uses a descriptor.
pub const USES_FD: u16 = 1 << 1;
/// The event changes what is known of a process or descriptor.
pub const MODIFIES_STATE: u16 = 1 << 2;
/// The event closes a descriptor.
pub const DESTROYS_FD: u16 = 1 << 3;
/// The event reads from a descriptor.
pub const READS_FD: u16 = 1 << 4;
/// The event writes to a descriptor.
pub const WRITES_FD: u16 = 1 << 5;
/// The call waits for something.
pub const WAITS: u16 = 1 << 6;
/// The event says nothing of its thread: what was kept of the thread's event before holds on.
pub const SKIPS_RESET: u16 = 1 << 7;
/// In a capture the lengths of its parameters take 4 bytes each, and 2 for all others.
pub const LARGE_PAYLOAD: u16 = 1 << 8;
/// An older version of an event, or the entry of a call (see [`crate::wire`]).
pub const OLD_VERSION: u16 = 1 << 9;
/// No event has that code.
pub const UNUSED: u16 = 1 << 10;

/// Types of parameters with their widths in bytes, as the tables name them. 0: it varies.
pub(crate) mod kinds {
    use super::ParamType::{self, *};
    use super::Variants;

    pub(crate) type Kind = (ParamType, u8);
    pub(crate) const ERRNO: Kind = (Errno, 8);
    pub(crate) const FD: Kind = (Fd, 8);
    pub(crate) const FD32: Kind = (Fd, 4);
    pub(crate) const PID: Kind = (Pid, 8);
    pub(crate) const PID32: Kind = (Pid, 4);
    pub(crate) const UID: Kind = (Uid, 4);
    pub(crate) const GID: Kind = (Gid, 4);
    pub(crate) const SIGNAL: Kind = (Signal, 1);
    pub(crate) const SIGNAL_SET: Kind = (SignalSet, 4);
    pub(crate) const SYSCALL_ID: Kind = (SyscallId, 2);
    pub(crate) const U8: Kind = (ParamType::U8, 1);
    pub(crate) const U16: Kind = (ParamType::U16, 2);
    pub(crate) const U32: Kind = (ParamType::U32, 4);
    pub(crate) const U64: Kind = (ParamType::U64, 8);
    pub(crate) const I16: Kind = (ParamType::I16, 2);
    pub(crate) const I32: Kind = (ParamType::I32, 4);
    pub(crate) const I64: Kind = (ParamType::I64, 8);
    pub(crate) const TIME: Kind = (Time, 8);
    pub(crate) const REL_TIME: Kind = (RelTime, 8);
    pub(crate) const PORT: Kind = (Port, 2);
    pub(crate) const FLAGS8: Kind = (Flags, 1);
    pub(crate) const FLAGS16: Kind = (Flags, 2);
    pub(crate) const FLAGS32: Kind = (Flags, 4);
    pub(crate) const ENUM8: Kind = (Enum, 1);
    pub(crate) const ENUM16: Kind = (Enum, 2);
    pub(crate) const ENUM32: Kind = (Enum, 4);
    pub(crate) const MODE: Kind = (Mode, 4);
    pub(crate) const TEXT: Kind = (Text, 0);
    pub(crate) const PATH: Kind = (Path, 0);
    pub(crate) const RELATIVE_PATH: Kind = (RelativePath, 0);
    pub(crate) const BYTES: Kind = (Bytes, 0);
    pub(crate) const TEXT_LIST: Kind = (TextList, 0);
    pub(crate) const PAIR_LIST: Kind = (PairList, 0);
    pub(crate) const FD_LIST: Kind = (FdList, 0);
    pub(crate) const TUPLE: Kind = (Tuple, 0);
    pub(crate) const ADDRESS: Kind = (Address, 0);
    pub(crate) const IPV4: Kind = (Ipv4, 4);
    pub(crate) const IPV6: Kind = (Ipv6, 16);
    pub(crate) const SOCKET_OPTION: Kind = (Dyn(Variants::SocketOption), 0);
    pub(crate) const PTRACE_VALUE: Kind = (Dyn(Variants::Ptrace), 0);
    pub(crate) const BPF_RESULT: Kind = (Dyn(Variants::BpfResult), 0);
    pub(crate) const KEYCTL_ARGUMENT: Kind = (Dyn(Variants::Keyctl), 0);
}

macro_rules! define {
    (
        {$($probed:ident = $probed_code:literal, $probed_text:literal, $probed_class:ident $probed_category:ident, $probed_flags:tt, $probed_params:tt;)*}
        $($name:ident = $code:literal, $text:literal, $class:ident $category:ident, $flags:tt, $params:tt;)*
    ) => {
        define! {@
            $($probed = $probed_code, $probed_text, $probed_class $probed_category, $probed_flags, $probed_params;)*
            $($name = $code, $text, $class $category, $flags, $params;)*
        }
    };
    (@ $($name:ident = $code:literal, $text:literal, $class:ident $category:ident, [$($flag:ident),*], [$(($($param:tt)*)),*];)*) => {
        /// An event type; the number is Falco's code for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum EventType { $(#[doc = concat!("`", $text, "`")] $name = $code,)* }

        impl EventType {
            /// How many event types there are.
            pub const COUNT: usize = [$(EventType::$name,)*].len();

            /// The event type of that code.
            #[inline]
            pub const fn from_code(code: u16) -> Option<EventType> {
                match code { $($code => Some(EventType::$name),)* _ => None }
            }

            /// Falco's name (`evt.type`); see [`EventType::is_named_by_event`].
            pub const fn name(self) -> &'static str {
                match self { $(EventType::$name => $text,)* }
            }

            /// Where it comes from.
            #[inline]
            pub const fn class(self) -> Class {
                match self { $(EventType::$name => Class::$class,)* }
            }

            /// Falco's category (`evt.category`).
            pub const fn category(self) -> Category {
                match self { $(EventType::$name => Category::$category,)* }
            }

            /// `CREATES_FD` and such bits.
            #[inline]
            pub const fn flags(self) -> u16 {
                match self { $(EventType::$name => 0 $(| $flag)*,)* }
            }

            /// Its parameters in Falco's order.
            #[inline]
            pub const fn params(self) -> &'static [Param] {
                match self { $(EventType::$name => const { &[$(param!($($param)*),)*] },)* }
            }
        }
    };
}
table::for_each_event!(define!);

/// What Falco's container plugin reports under names of its own
/// ([`EventType::is_named_by_event`]).
pub const REPORTED: [&str; 2] = ["container", "container_removed"];

impl EventType {
    /// Every event type, in order of codes.
    pub const ALL: &'static [EventType] = &{
        let mut all = [EventType::Syscall; EventType::COUNT];
        let (mut code, mut count) = (0, 0);
        while count < EventType::COUNT {
            if let Some(event) = EventType::from_code(code) {
                all[count] = event;
                count += 1;
            }
            code += 1;
        }
        all
    };

    /// How many of them the probe records.
    pub const PROBED_COUNT: usize = {
        let (mut index, mut count) = (0, 0);
        while index < EventType::COUNT {
            count += EventType::ALL[index].is_probed() as usize;
            index += 1;
        }
        count
    };

    /// Falco's code.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Position in [`EventType::ALL`]: dense, for tables indexed by event type.
    #[inline]
    pub fn index(self) -> usize {
        INDEX[self as usize] as usize
    }

    /// Whether the probe records it; all others come only from captures.
    pub const fn is_probed(self) -> bool {
        !matches!(self, crate::unprobed_event!())
    }

    /// Whether what the event holds decides `evt.type`: a call of no type of its own is told by
    /// its number, and what someone else reports by the name it was given.
    pub const fn is_named_by_event(self) -> bool {
        matches!(self, EventType::Syscall | EventType::Asyncevent)
    }

    /// Whether `evt.type` of an event of this type can be that name. A call without a type of
    /// its own has no name that is a type's, and nobody reports under the name of what the
    /// kernel gives.
    pub fn may_be_named(self, name: &str) -> bool {
        let mut named = EventType::by_name(name);
        match self {
            EventType::Syscall => syscall::is_known(name) && named.next().is_none(),
            EventType::Asyncevent => {
                !syscall::is_known(name) && named.all(|event| event.class() == Class::Meta)
            }
            _ => self.name() == name,
        }
    }

    /// Likewise, where calls of old captures count, which have a type of their own by now.
    pub fn may_be_called(self, name: &str) -> bool {
        match self {
            EventType::Syscall => syscall::is_known(name),
            _ => self.may_be_named(name),
        }
    }

    /// Whether for Falco it is the end of something (`evt.dir`: `<`), and not the beginning.
    pub const fn is_exit(self) -> bool {
        self.code() & 1 == 1
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

    /// Position of the parameter that holds the number of the descriptor the event is about
    /// (`fd.*`): the one the call made, or else the one it works on, or the directory where its
    /// path starts. `None` if no descriptor is its subject, also where it has some, as `linkat`.
    ///
    /// The value is what the call was given or returned. Where it was to make a descriptor and
    /// failed, Falco says -1 and not `-errno`. And two kinds of calls are about another one than
    /// this at times: `fcntl` about the one it made, if that is what its command asks for, and
    /// `dup`, `dup2`, `dup3` about the old one, where nothing is known of it or they failed.
    #[inline]
    pub fn fd_param(self) -> Option<usize> {
        match FD_PARAMS[self.index()] {
            NO_FD => None,
            index => Some(usize::from(index)),
        }
    }
}

/// The event is about no descriptor.
const NO_FD: u8 = u8::MAX;

/// [`EventType::fd_param`] by index.
static FD_PARAMS: [u8; EventType::COUNT] = {
    let mut table = [NO_FD; EventType::COUNT];
    let mut index = 0;
    while index < EventType::COUNT {
        table[index] = fd_param(EventType::ALL[index]);
        index += 1;
    }
    table
};

const fn fd_param(event: EventType) -> u8 {
    let names: &[&str] = match event {
        EventType::Socketpair | EventType::Pipe | EventType::Pipe2 => &["fd2"],
        EventType::Fcntl => &["fd"],
        _ if event.flags() & CREATES_FD != 0 => return 0,
        // Of two, the one written to.
        _ if event.flags() & (USES_FD | DESTROYS_FD) != 0 => {
            &["fd", "fd_out", "out_fd", "fdout", "dirfd", "linkdirfd"]
        }
        _ => return NO_FD,
    };
    let params = event.params();
    let mut name = 0;
    while name < names.len() {
        let mut param = 0;
        while param < params.len() {
            if is_same(params[param].name, names[name]) {
                return param as u8;
            }
            param += 1;
        }
        name += 1;
    }
    panic!("an event that uses a descriptor has a parameter for it")
}

/// `==`, which a constant cannot use on texts.
const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// Position in [`EventType::ALL`] by code; Falco's codes are below 512.
static INDEX: [u8; 512] = {
    assert!(EventType::COUNT <= 256, "an index has 8 bits");
    let mut table = [0; 512];
    let mut index = 0;
    while index < EventType::ALL.len() {
        table[EventType::ALL[index] as usize] = index as u8;
        index += 1;
    }
    table
};
