//! Descriptors that threads had open when recording began.

use crate::cursor::{Cursor, Encoder};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

/// libscap refuses a longer name.
const NAME_BYTES_MAX: usize = 1023;

/// An open descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor<'a> {
    /// Its number.
    pub fd: i64,
    /// The inode; 0 if not recorded.
    pub inode: u64,
    /// What it leads to.
    pub target: Target<'a>,
}

/// What a descriptor leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// A regular file, or whatever else has a path and is not told apart.
    File {
        /// How it was opened, in Falco's `O_` bits.
        open_flags: u32,
        /// The path.
        name: &'a [u8],
        /// The device number; 0 if not recorded.
        device: u32,
    },
    /// A connected IPv4 socket.
    Ipv4 {
        /// Who connected.
        source: SocketAddrV4,
        /// To whom.
        destination: SocketAddrV4,
        /// By which protocol.
        protocol: Protocol,
    },
    /// A connected IPv6 socket.
    Ipv6 {
        /// Who connected.
        source: SocketAddrV6,
        /// To whom.
        destination: SocketAddrV6,
        /// By which protocol.
        protocol: Protocol,
    },
    /// An IPv4 socket that listens.
    Ipv4Server {
        /// On which address.
        address: SocketAddrV4,
        /// By which protocol.
        protocol: Protocol,
    },
    /// An IPv6 socket that listens.
    Ipv6Server {
        /// On which address.
        address: SocketAddrV6,
        /// By which protocol.
        protocol: Protocol,
    },
    /// A unix socket.
    Unix {
        /// The kernel's address of one end.
        source: u64,
        /// The kernel's address of the other.
        destination: u64,
        /// The path it is bound to.
        name: &'a [u8],
    },
    /// Something that has a kind and a name.
    Named {
        /// The kind.
        kind: Named,
        /// The name: a path, or as `/proc/PID/fd` shows it.
        name: &'a [u8],
    },
    /// Nothing is known of it but this number of its kind: that of a kind newer than this reader,
    /// or 0.
    Unknown(u8),
}

/// Which transport protocol, by libscap's numbers (2 TCP, 3 UDP, 4 ICMP, 5 raw, 0 unknown).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol(pub u8);

impl Protocol {
    /// Not told.
    pub const UNKNOWN: Self = Self(0);
    /// TCP.
    pub const TCP: Self = Self(2);
    /// UDP.
    pub const UDP: Self = Self(3);
    /// ICMP.
    pub const ICMP: Self = Self(4);
    /// A raw socket.
    pub const RAW: Self = Self(5);
}

/// The numbers of kinds that have more than a name.
const UNKNOWN: u8 = 0;
const IPV4: u8 = 3;
const IPV6: u8 = 4;
const IPV4_SERVER: u8 = 5;
const IPV6_SERVER: u8 = 6;
const UNIX: u8 = 8;
const FILE: u8 = 16;

/// Kinds of which the name is all that is recorded, with their numbers.
macro_rules! named {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// A kind of which the name is all that is recorded.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Named {
            $($(#[$doc])* $name = $code,)*
        }

        impl Named {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

named! {
    /// A file, recorded without its flags.
    File = 1,
    /// A directory.
    Directory = 2,
    /// A pipe, with a name or without.
    Pipe = 7,
    /// An eventfd.
    Event = 9,
    /// Something that the recorder could not tell.
    Unsupported = 10,
    /// A signalfd.
    Signal = 11,
    /// An epoll.
    EventPoll = 12,
    /// An inotify.
    Inotify = 13,
    /// A timerfd.
    Timer = 14,
    /// A netlink socket.
    Netlink = 15,
    /// Something of BPF.
    Bpf = 17,
    /// A userfaultfd.
    Userfault = 18,
    /// An io_uring.
    IoUring = 19,
    /// A memfd.
    Memory = 20,
    /// A pidfd.
    Process = 21,
}

impl<'a> Descriptor<'a> {
    /// `whole` says that `entry` is exactly one entry, so that its end can tell what it has.
    pub(crate) fn decode(entry: &mut Cursor<'a>, whole: bool) -> Option<Self> {
        let fd = entry.get()?;
        let inode = entry.get()?;
        let code: u8 = entry.get()?;
        let target = match code {
            IPV4 => {
                let (from, to): (Ipv4Addr, Ipv4Addr) = (entry.get()?, entry.get()?);
                Target::Ipv4 {
                    source: SocketAddrV4::new(from, entry.get()?),
                    destination: SocketAddrV4::new(to, entry.get()?),
                    protocol: Protocol(entry.get()?),
                }
            }
            IPV6 => {
                let (from, to): (Ipv6Addr, Ipv6Addr) = (entry.get()?, entry.get()?);
                Target::Ipv6 {
                    source: SocketAddrV6::new(from, entry.get()?, 0, 0),
                    destination: SocketAddrV6::new(to, entry.get()?, 0, 0),
                    protocol: Protocol(entry.get()?),
                }
            }
            IPV4_SERVER => Target::Ipv4Server {
                address: SocketAddrV4::new(entry.get()?, entry.get()?),
                protocol: Protocol(entry.get()?),
            },
            IPV6_SERVER => Target::Ipv6Server {
                address: SocketAddrV6::new(entry.get()?, entry.get()?, 0, 0),
                protocol: Protocol(entry.get()?),
            },
            UNIX => Target::Unix {
                source: entry.get()?,
                destination: entry.get()?,
                name: entry.get()?,
            },
            FILE => Target::File {
                open_flags: entry.get()?,
                name: entry.get()?,
                // Entries that do not say their length lack it.
                device: if whole {
                    entry.get().unwrap_or_default()
                } else {
                    0
                },
            },
            code => match Named::from_code(code) {
                Some(kind) => Target::Named {
                    kind,
                    name: entry.get()?,
                },
                None => Target::Unknown(code),
            },
        };
        Some(Self { fd, inode, target })
    }

    /// Its kind if that is newer than this reader, which then cannot know where it ends.
    pub(crate) fn unknown_kind(&self) -> Option<u16> {
        match self.target {
            Target::Unknown(code) if code != UNKNOWN => Some(code.into()),
            _ => None,
        }
    }

    pub(crate) fn encode(&self, out: &mut Encoder<'_>) {
        out.value(self.fd);
        out.value(self.inode);
        match self.target {
            Target::File {
                open_flags,
                name,
                device,
            } => {
                out.value(FILE);
                out.value(open_flags);
                out.text(name, NAME_BYTES_MAX);
                out.value(device);
            }
            Target::Ipv4 {
                source,
                destination,
                protocol,
            } => {
                out.value(IPV4);
                out.value(*source.ip());
                out.value(*destination.ip());
                out.value(source.port());
                out.value(destination.port());
                out.value(protocol.0);
            }
            Target::Ipv6 {
                source,
                destination,
                protocol,
            } => {
                out.value(IPV6);
                out.value(*source.ip());
                out.value(*destination.ip());
                out.value(source.port());
                out.value(destination.port());
                out.value(protocol.0);
            }
            Target::Ipv4Server { address, protocol } => {
                out.value(IPV4_SERVER);
                out.value(*address.ip());
                out.value(address.port());
                out.value(protocol.0);
            }
            Target::Ipv6Server { address, protocol } => {
                out.value(IPV6_SERVER);
                out.value(*address.ip());
                out.value(address.port());
                out.value(protocol.0);
            }
            Target::Unix {
                source,
                destination,
                name,
            } => {
                out.value(UNIX);
                out.value(source);
                out.value(destination);
                out.text(name, NAME_BYTES_MAX);
            }
            Target::Named { kind, name } => {
                out.value(kind as u8);
                out.text(name, NAME_BYTES_MAX);
            }
            Target::Unknown(code) => out.value(code),
        }
    }
}
