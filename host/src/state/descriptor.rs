//! What a descriptor stands for: a file, a connection, a pipe.

use crate::event::{Recorded, encode, path};
use saker_ebpf::record::{self, File, Piece, Socket, Tag};

/// No name of a descriptor is kept longer.
pub(crate) const NAME_BYTES_MAX: usize = 4096;
/// A reused buffer is not kept larger.
const BUFFER_BYTES_KEPT: usize = 128;

/// Kind of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FdKind {
    /// Nobody knows.
    #[default]
    Unknown,
    /// A file, or a directory not opened as one.
    File,
    /// Opened with `O_DIRECTORY`.
    Directory,
    /// An IPv4 socket.
    Ipv4,
    /// An IPv6 socket.
    Ipv6,
    /// A unix socket.
    Unix,
    /// A netlink socket.
    Netlink,
    /// A pipe.
    Pipe,
    /// An eventfd.
    Event,
    /// A signalfd.
    Signal,
    /// An epoll instance.
    Epoll,
    /// An inotify instance.
    Inotify,
    /// A timerfd.
    Timer,
    /// A BPF object.
    Bpf,
    /// A userfaultfd.
    Userfault,
    /// An io_uring.
    IoUring,
    /// A memfd.
    Memfd,
    /// A pidfd.
    Pidfd,
}

impl FdKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [FdKind; 18] = [
        FdKind::Unknown,
        FdKind::File,
        FdKind::Directory,
        FdKind::Ipv4,
        FdKind::Ipv6,
        FdKind::Unix,
        FdKind::Netlink,
        FdKind::Pipe,
        FdKind::Event,
        FdKind::Signal,
        FdKind::Epoll,
        FdKind::Inotify,
        FdKind::Timer,
        FdKind::Bpf,
        FdKind::Userfault,
        FdKind::IoUring,
        FdKind::Memfd,
        FdKind::Pidfd,
    ];

    /// Falco's `fd.type`; `None` where it has none.
    pub fn name(self) -> Option<&'static str> {
        match self {
            FdKind::Unknown => None,
            FdKind::File => Some("file"),
            FdKind::Directory => Some("directory"),
            FdKind::Ipv4 => Some("ipv4"),
            FdKind::Ipv6 => Some("ipv6"),
            FdKind::Unix => Some("unix"),
            FdKind::Netlink => Some("netlink"),
            FdKind::Pipe => Some("pipe"),
            FdKind::Event => Some("event"),
            FdKind::Signal => Some("signalfd"),
            FdKind::Epoll => Some("eventpoll"),
            FdKind::Inotify => Some("inotify"),
            FdKind::Timer => Some("timerfd"),
            FdKind::Bpf => Some("bpf"),
            FdKind::Userfault => Some("userfaultfd"),
            FdKind::IoUring => Some("io_uring"),
            FdKind::Memfd => Some("memfd"),
            FdKind::Pidfd => Some("pidfd"),
        }
    }

    /// Falco's `fd.typechar`.
    pub fn letter(self) -> &'static str {
        match self {
            FdKind::Unknown => "o",
            FdKind::File => "f",
            FdKind::Directory => "d",
            FdKind::Ipv4 => "4",
            FdKind::Ipv6 => "6",
            FdKind::Unix | FdKind::Userfault => "u",
            FdKind::Netlink => "n",
            FdKind::Pipe => "p",
            FdKind::Event => "e",
            FdKind::Signal => "s",
            FdKind::Epoll => "l",
            FdKind::Inotify => "i",
            FdKind::Timer => "t",
            FdKind::Bpf => "b",
            FdKind::IoUring => "r",
            FdKind::Memfd => "m",
            FdKind::Pidfd => "P",
        }
    }

    /// Whether it is an internet socket.
    pub fn is_ip(self) -> bool {
        matches!(self, FdKind::Ipv4 | FdKind::Ipv6)
    }

    /// Whether its name is a path.
    pub fn has_path(self) -> bool {
        matches!(self, FdKind::File | FdKind::Directory)
    }

    /// The kind behind a name such as `anon_inode:[eventfd]`.
    pub fn of_anonymous(name: &[u8]) -> FdKind {
        let name = name.strip_prefix(b"anon_inode:").unwrap_or(name);
        let name = name.strip_prefix(b"[").unwrap_or(name);
        let name = name.strip_suffix(b"]").unwrap_or(name);
        match name {
            b"eventfd" => FdKind::Event,
            b"signalfd" => FdKind::Signal,
            b"eventpoll" => FdKind::Epoll,
            b"inotify" => FdKind::Inotify,
            b"timerfd" => FdKind::Timer,
            b"userfaultfd" => FdKind::Userfault,
            b"io_uring" => FdKind::IoUring,
            b"pidfd" => FdKind::Pidfd,
            _ if name.starts_with(b"bpf") => FdKind::Bpf,
            _ => FdKind::Unknown,
        }
    }
}

/// Which end of a connection a process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Not known, or no connection.
    #[default]
    None,
    /// It connected.
    Client,
    /// It accepted, or listens.
    Server,
}

/// What a descriptor stands for.
#[derive(Clone, Debug, Default)]
pub struct FdInfo {
    /// Its kind.
    pub kind: FdKind,
    /// Which end of a connection it is.
    pub role: Role,
    /// The socket is connected.
    pub connected: bool,
    /// `FILE_*` bits of the file.
    pub file_flags: u32,
    /// Device number as user space knows it.
    pub device: u32,
    /// Inode number.
    pub inode: u64,
    /// The socket, all zero for what is none.
    pub socket: Socket,
    /// Falco's `fd.name`.
    pub name: Vec<u8>,
    /// The path as the program gave it.
    pub raw: Vec<u8>,
    pub(super) refs: u32,
    /// Bytes for which its names were counted; 0 while they are not.
    pub(super) room: u32,
}

/// The addresses of both ends with which the name of a connected unix socket begins.
pub(super) fn unix_ends(name: &[u8]) -> Option<(u64, u64)> {
    let ends = name.split(|byte| *byte == b' ').next()?;
    let (source, destination) = std::str::from_utf8(ends).ok()?.split_once("->")?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    Some((address(source)?, address(destination)?))
}

/// Whether a file's path reaches up to the root.
fn is_whole(file: &File) -> bool {
    file.flags & (record::FILE_PATH_CUT | record::FILE_DETACHED) == 0
}

/// The pieces of a record that speak of one descriptor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FdPieces<'a> {
    pub(super) file: Option<File>,
    pub(super) file_path: &'a [u8],
    pub(super) socket: Option<Socket>,
    pub(super) unix_path: &'a [u8],
    pub(super) unix_peer_path: &'a [u8],
}

impl<'a> FdPieces<'a> {
    /// Those of the descriptor that an event made or used.
    fn of(event: &Recorded<'a>) -> FdPieces<'a> {
        FdPieces {
            file: event.file(),
            file_path: event.bytes(Tag::FilePath).unwrap_or_default(),
            socket: event.socket(),
            unix_path: event.bytes(Tag::UnixPath).unwrap_or_default(),
            unix_peer_path: event.bytes(Tag::UnixPeerPath).unwrap_or_default(),
        }
    }

    /// Takes a piece in; the first of a kind counts.
    fn take(&mut self, piece: &Piece<'a>) {
        match piece.tag {
            Tag::File if self.file.is_none() => self.file = File::read(piece.bytes),
            Tag::FilePath if self.file_path.is_empty() => self.file_path = piece.bytes,
            Tag::Socket if self.socket.is_none() => self.socket = Socket::read(piece.bytes),
            Tag::UnixPath if self.unix_path.is_empty() => self.unix_path = piece.bytes,
            Tag::UnixPeerPath if self.unix_peer_path.is_empty() => {
                self.unix_peer_path = piece.bytes;
            }
            _ => {}
        }
    }

    /// What an exec's record says of descriptors 0, 1 and 2; `None` for one that is closed.
    pub(super) fn standard(event: &Recorded<'a>) -> [Option<FdPieces<'a>>; 3] {
        let mut all = [None; 3];
        let mut current = None;
        for piece in event.record.pieces() {
            if piece.tag == Tag::Descriptor {
                let fd = piece.bytes.try_into().map(u32::from_le_bytes);
                current = fd.ok().map(|fd| fd as usize).filter(|fd| *fd < all.len());
                if let Some(fd) = current {
                    all[fd] = Some(FdPieces::default());
                }
            } else if let Some(pieces) = current.and_then(|fd| all[fd].as_mut()) {
                pieces.take(&piece);
            }
        }
        all
    }
}

impl FdInfo {
    /// Nothing yet, with room for a name of ordinary length.
    pub(super) fn with_room() -> FdInfo {
        FdInfo {
            name: Vec::with_capacity(64),
            ..FdInfo::default()
        }
    }

    /// Whether some table has it.
    pub(super) fn is_held(&self) -> bool {
        self.refs > 0
    }

    pub(super) fn clear(&mut self) {
        for buffer in [&mut self.name, &mut self.raw] {
            buffer.clear();
            if buffer.capacity() > BUFFER_BYTES_KEPT {
                buffer.shrink_to(BUFFER_BYTES_KEPT);
            }
        }
        self.kind = FdKind::Unknown;
        self.role = Role::None;
        self.connected = false;
        self.file_flags = 0;
        self.device = 0;
        self.inode = 0;
        self.socket = Socket::default();
    }

    /// Cuts names to what is kept of them at most, and gives the bytes that they take.
    pub(super) fn bound_names(&mut self) -> u32 {
        let mut room = 0;
        for buffer in [&mut self.name, &mut self.raw] {
            buffer.truncate(NAME_BYTES_MAX);
            if buffer.capacity() > NAME_BYTES_MAX {
                buffer.shrink_to(NAME_BYTES_MAX);
            }
            room += buffer.capacity() as u32;
        }
        room
    }

    /// Becomes what the record says of the descriptor it made or used, in that role.
    pub fn fill(&mut self, event: &Recorded<'_>, role: Role) {
        self.fill_resolved(event, role);
        if let Some(raw) = event.text(Tag::Path0) {
            self.raw
                .extend_from_slice(&raw[..raw.len().min(NAME_BYTES_MAX)]);
        }
    }

    /// The same without the path that the program gave.
    pub(crate) fn fill_resolved(&mut self, event: &Recorded<'_>, role: Role) {
        self.clear();
        self.fill_pieces(&FdPieces::of(event), role);
    }

    /// The same without any name, which is most of the work.
    pub(crate) fn fill_facts(&mut self, event: &Recorded<'_>, role: Role) {
        self.clear();
        self.facts_of(&FdPieces::of(event), role);
    }

    /// Becomes what these pieces say, in that role.
    pub(super) fn fill_pieces(&mut self, pieces: &FdPieces<'_>, role: Role) {
        self.facts_of(pieces, role);
        self.names_of(pieces);
    }

    fn facts_of(&mut self, pieces: &FdPieces<'_>, role: Role) {
        if let Some(socket) = pieces.socket {
            self.socket_facts(socket, role);
        } else if let Some(file) = &pieces.file {
            self.file_facts(file, pieces.file_path);
        }
    }

    fn names_of(&mut self, pieces: &FdPieces<'_>) {
        match (self.kind, &pieces.file) {
            (FdKind::Unix, _) => self.name_unix(pieces.unix_path, pieces.unix_peer_path),
            (FdKind::Ipv4 | FdKind::Ipv6, _) => self.name_ip(),
            (FdKind::Memfd, _) => {
                let leaf = path::leaf(pieces.file_path);
                let name = leaf.strip_prefix(b"memfd:").unwrap_or(leaf);
                self.name
                    .extend_from_slice(&name[..name.len().min(NAME_BYTES_MAX)]);
            }
            (FdKind::File | FdKind::Directory, Some(file)) => {
                path::Base::of_components(pieces.file_path, is_whole(file)).write(&mut self.name);
                path::keep_end(&mut self.name, NAME_BYTES_MAX);
            }
            _ => {}
        }
    }

    fn file_facts(&mut self, file: &File, components: &[u8]) {
        /// `PIPEFS_MAGIC`, `include/uapi/linux/magic.h`.
        const PIPEFS: u64 = 0x5049_5045;
        /// `ANON_INODE_FS_MAGIC`.
        const ANON_INODE: u64 = 0x0904_1934;
        self.device = encode::device(file.dev);
        self.inode = file.inode;
        self.file_flags = file.flags;
        if file.flags & record::FILE_MEMFD != 0 {
            self.kind = FdKind::Memfd;
        } else if file.magic == PIPEFS {
            self.kind = FdKind::Pipe;
        } else if file.magic == ANON_INODE {
            self.kind = FdKind::of_anonymous(path::leaf(components));
        } else if file.flags & record::FILE_NO_PATH != 0 {
            self.kind = FdKind::Unknown;
        } else {
            self.kind = if file.open_flags & libc::O_DIRECTORY as u32 != 0 {
                FdKind::Directory
            } else {
                FdKind::File
            };
        }
    }

    /// Becomes a file or directory of that name.
    pub(super) fn fill_path(&mut self, kind: FdKind, name: &[u8]) {
        self.clear();
        self.kind = kind;
        self.name.extend_from_slice(name);
        if kind.has_path() {
            path::keep_end(&mut self.name, NAME_BYTES_MAX);
        } else {
            self.name.truncate(NAME_BYTES_MAX);
        }
    }

    /// Becomes that socket, from being nothing.
    fn socket_facts(&mut self, socket: Socket, role: Role) {
        let socket = unmapped(socket);
        self.kind = match i32::from(socket.family) {
            libc::AF_INET => FdKind::Ipv4,
            libc::AF_INET6 => FdKind::Ipv6,
            libc::AF_UNIX => FdKind::Unix,
            libc::AF_NETLINK => FdKind::Netlink,
            _ => FdKind::Unknown,
        };
        self.inode = socket.inode;
        self.socket = socket;
        self.role = role;
        self.connected = match self.kind {
            FdKind::Ipv4 | FdKind::Ipv6 => socket.remote_port != 0,
            // TCP_ESTABLISHED means connected for unix sockets as well.
            FdKind::Unix => socket.state == 1,
            _ => false,
        };
    }

    /// A unix socket's name: kernel addresses of both ends, then the path bound to. The
    /// peer's address is not collected and stands as 0.
    fn name_unix(&mut self, own: &[u8], peer: &[u8]) {
        use std::io::Write;
        if !self.connected {
            push_unix_path(own, &mut self.name);
            return;
        }
        let identity = self.socket.identity;
        let (from, to, bound) = match self.role {
            Role::Server => (0, identity, own),
            Role::Client | Role::None => (identity, 0, peer),
        };
        // Writing to a vector cannot fail.
        let _ = write!(self.name, "{from:x}->{to:x} ");
        push_unix_path(bound, &mut self.name);
    }

    fn name_ip(&mut self) {
        self.name.clear();
        if !self.kind.is_ip() {
            return;
        }
        let mut name = std::mem::take(&mut self.name);
        if self.connected {
            let (client, server) = self.ends();
            write_end(client, &mut name);
            name.extend_from_slice(b"->");
            write_end(server, &mut name);
        } else if self.socket.local_port != 0 {
            write_end(self.local(), &mut name);
        }
        self.name = name;
    }

    /// Length in bytes of its addresses.
    fn address_bytes(&self) -> usize {
        if self.kind == FdKind::Ipv4 { 4 } else { 16 }
    }

    /// Own address and port.
    pub fn local(&self) -> End<'_> {
        (
            &self.socket.local[..self.address_bytes()],
            self.socket.local_port,
        )
    }

    /// The peer's address and port.
    pub fn remote(&self) -> End<'_> {
        (
            &self.socket.remote[..self.address_bytes()],
            self.socket.remote_port,
        )
    }

    /// Client's and server's address and port.
    pub fn ends(&self) -> (End<'_>, End<'_>) {
        match self.role {
            Role::Server => (self.remote(), self.local()),
            Role::Client | Role::None => (self.local(), self.remote()),
        }
    }

    /// Falco's `fd.l4proto`.
    pub fn protocol(&self) -> &'static str {
        if !self.kind.is_ip() || self.socket.local_port == 0 && self.socket.remote_port == 0 {
            return "<NA>";
        }
        match i32::from(self.socket.protocol) {
            libc::IPPROTO_TCP => "tcp",
            libc::IPPROTO_UDP => "udp",
            libc::IPPROTO_ICMP | libc::IPPROTO_ICMPV6 => "icmp",
            libc::IPPROTO_RAW => "raw",
            _ => match i32::from(self.socket.kind) {
                libc::SOCK_STREAM => "tcp",
                libc::SOCK_DGRAM => "udp",
                libc::SOCK_RAW => "raw",
                _ => "<NA>",
            },
        }
    }
}

/// An IPv4 connection over an IPv6 socket is shown as what it is.
fn unmapped(mut socket: Socket) -> Socket {
    const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    let is_mapped = |address: &[u8; 16]| address[..12] == MAPPED;
    let is_any = |address: &[u8; 16]| *address == [0; 16];
    let shorten = |address: &[u8; 16]| {
        let mut short = [0; 16];
        short[..4].copy_from_slice(&address[12..]);
        short
    };
    if i32::from(socket.family) == libc::AF_INET6
        && (is_mapped(&socket.remote) || is_mapped(&socket.local))
        && (is_mapped(&socket.remote) || is_any(&socket.remote))
        && (is_mapped(&socket.local) || is_any(&socket.local))
    {
        socket.family = libc::AF_INET as u16;
        socket.local = shorten(&socket.local);
        socket.remote = shorten(&socket.remote);
    }
    socket
}

/// Appends an address as text.
pub fn write_address(address: &[u8], out: &mut Vec<u8>) {
    use std::io::Write;
    if let Ok(bytes) = <[u8; 4]>::try_from(address) {
        // By hand: on the path of every connection, and formatting costs ten times as much.
        for (index, byte) in bytes.into_iter().enumerate() {
            if index > 0 {
                out.push(b'.');
            }
            write_number(byte.into(), out);
        }
    } else if let Ok(bytes) = <[u8; 16]>::try_from(address) {
        // Writing to a vector cannot fail.
        let _ = write!(out, "{}", std::net::Ipv6Addr::from(bytes));
    }
}

fn write_number(mut number: u16, out: &mut Vec<u8>) {
    let mut digits = [0; 5];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// An address and a port.
pub type End<'a> = (&'a [u8], u16);

/// Appends `address:port`.
pub fn write_end((address, port): End<'_>, out: &mut Vec<u8>) {
    write_address(address, out);
    out.push(b':');
    write_number(port, out);
}

/// Appends a unix socket's path; an abstract name begins with `@` instead of NUL.
pub fn push_unix_path(path: &[u8], out: &mut Vec<u8>) {
    let path = &path[..path.len().min(108)];
    match path.split_first() {
        Some((0, rest)) => {
            out.push(b'@');
            let end = rest
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |at| at + 1);
            out.extend_from_slice(&rest[..end]);
        }
        _ => {
            let end = memchr::memchr(0, path).unwrap_or(path.len());
            out.extend_from_slice(&path[..end]);
        }
    }
}

/// Index of a [`FdInfo`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdIndex(pub(super) u32);

impl FdIndex {
    /// No descriptor.
    pub const NONE: FdIndex = FdIndex(u32::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file<'a>(file: &File, file_path: &'a [u8]) -> FdPieces<'a> {
        FdPieces {
            file: Some(*file),
            file_path,
            ..FdPieces::default()
        }
    }

    fn of_socket(socket: Socket) -> FdPieces<'static> {
        FdPieces {
            socket: Some(socket),
            ..FdPieces::default()
        }
    }

    #[test]
    fn numbers_are_written_whole() {
        let mut out = Vec::new();
        write_end((&[0, 10, 200, 255], u16::MAX), &mut out);
        write_end((&[0; 16], 0), &mut out);
        assert_eq!(out, b"0.10.200.255:65535:::0");
    }

    #[test]
    fn a_name_without_its_beginning_says_so_and_keeps_its_leaf() {
        let mut file = File {
            magic: 0x0102_1994,
            ..File::default()
        };
        let mut info = FdInfo::default();
        info.fill_pieces(&of_file(&file, b"x\0d\0"), Role::None);
        assert_eq!((&info.name[..], info.kind), (&b"/d/x"[..], FdKind::File));
        info.clear();
        let long = [b"leaf\0", &b"dd\0".repeat(2_000)[..]].concat();
        info.fill_pieces(&of_file(&file, &long), Role::None);
        assert!(info.name.starts_with(b"<UNKNOWN>/dd/"));
        assert!(info.name.ends_with(b"/dd/leaf"));
        assert!(info.name.len() <= NAME_BYTES_MAX);
        info.clear();
        file.flags = record::FILE_PATH_CUT;
        info.fill_pieces(&of_file(&file, b"x\0d\0"), Role::None);
        assert_eq!(info.name, b"<UNKNOWN>/d/x");
    }

    #[test]
    fn an_ipv4_connection_over_an_ipv6_socket_is_shown_as_ipv4() {
        let mut local = [0; 16];
        local[10..].copy_from_slice(&[0xff, 0xff, 127, 0, 0, 1]);
        let socket = Socket {
            family: libc::AF_INET6 as u16,
            kind: 1,
            protocol: 6,
            local_port: 4444,
            remote_port: 58586,
            local,
            remote: local,
            ..Socket::default()
        };
        let mut info = FdInfo::default();
        info.fill_pieces(&of_socket(socket), Role::Server);
        assert_eq!(info.kind, FdKind::Ipv4);
        assert_eq!(info.name, b"127.0.0.1:58586->127.0.0.1:4444");
        assert_eq!(info.protocol(), "tcp");
        info.clear();
        info.fill_pieces(&of_socket(socket), Role::Client);
        assert_eq!(info.name, b"127.0.0.1:4444->127.0.0.1:58586");
    }
}
