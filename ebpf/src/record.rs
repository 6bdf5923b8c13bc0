//! The records of the ring buffers: a fixed [`Header`] followed by tagged [`Piece`]s.
//!
//! Bytes come from the kernel side of Saker, yet nothing here trusts a length: a record that
//! does not parse is an error for the caller to count, never a panic.
//!
//! ```text
//! 0    len u32 | kind u16 | cpu u16          len counts the header and every piece
//! 8    sequence u64                          per CPU, counts every record attempted
//! 16   time u64                              CLOCK_BOOTTIME, ns, taken after the reserve
//! 24   start_time u64                        task_struct.start_boottime of the thread, ns
//! 32   cgroup u64                            id in the default (v2) hierarchy
//! 40   tid u32 | tgid u32                    in the initial pid namespace
//! 48   syscall u16 | flags u16 | reserved u32
//! 56   ret i64
//! 64   args [u64; 6]                         the system call's registers
//! 112  pieces: tag u16 | flags u16 | len u32 | bytes, padded to 8
//! ```

/// Bytes of the fixed header.
pub const HEADER_BYTES: usize = 112;
/// No record is longer; the probe cuts strings (and says so in the piece) to keep to it.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    /// A system call returned (`sys_exit`).
    Syscall = 1,
    /// A program was executed (`sched_process_exec`), after the point of no return. `args[0]`
    /// is the tid the thread had before: one that is not the group's leader takes over the
    /// leader's tid and start time.
    Exec = 2,
    /// A thread or process was born (`sched_process_fork`); the header names the child,
    /// `args[0]` is the tid of the thread that made it, `args[1]` that thread's start time.
    Fork = 3,
    /// A thread ended (`sched_process_exit`). `args[0]` is `exit_code`, `args[1]` is 1 when
    /// the whole process ends with it, `args[2]` the tid of the thread that inherits its
    /// children (0 = unknown).
    Exit = 4,
}

/// The thread made the call through the 32-bit table; `syscall` and `args` are already
/// those of the 64-bit one.
pub const FLAG_COMPAT: u16 = 1;

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $n:literal,)*) => {
        /// What a piece holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Tag { $($(#[$doc])* $name = $n,)* }
        impl Tag {
            /// The tag with that number.
            #[inline]
            pub fn from_u16(n: u16) -> Option<Tag> {
                match n { $($n => Some(Tag::$name),)* _ => None }
            }
        }
        // A record has an index with a place for each.
        const _: () = { $(assert!($n < TAGS);)* };
    };
}

tags! {
    /// The first path argument as it lay in user memory.
    Path0 = 1,
    /// The second path argument (`rename`'s new, `symlink`'s link path) as in user memory.
    Path1 = 2,
    /// [`File`] of the opened or used file.
    File = 3,
    /// Its path: components from leaf to root, each ended by NUL; relative to the root
    /// directory of the calling process.
    FilePath = 4,
    /// The directory `Path0` is relative to (dirfd's or the cwd), components as `FilePath`.
    Dir0 = 5,
    /// The directory `Path1` is relative to, components as `FilePath`.
    Dir1 = 6,
    /// [`Socket`] of the socket used or made.
    Socket = 7,
    /// A unix socket's bound path (abstract names begin with NUL): own end.
    UnixPath = 8,
    /// `struct sockaddr` as it lay in user memory.
    Sockaddr = 9,
    /// Exec: the argument area, NUL-separated, beginning with `argv[0]`.
    Args = 10,
    /// Exec: the environment area, NUL-separated.
    Env = 11,
    /// `task_struct.comm`, no NUL.
    Comm = 12,
    /// Path of the cgroup in the default hierarchy, components from leaf to root.
    Cgroup = 13,
    /// [`Process`].
    Process = 14,
    /// Exec: [`File`] of the executable.
    Exe = 15,
    /// Exec: path of the executable, components as `FilePath`.
    ExePath = 16,
    /// The current directory, components as `FilePath`.
    Cwd = 17,
    /// Another string argument: memfd's name, a file-system type, module parameters.
    Text = 18,
    /// Exec: the path as handed to the system call (`bprm->filename`).
    Filename = 19,
    /// Another struct argument from user memory (`open_how`, `clone_args`), as it lay there.
    Struct = 20,
    /// Path of the cgroup in the first v1 hierarchy whose path is not `/`, as `Cgroup`.
    CgroupV1 = 21,
    /// A unix socket's peer's bound path.
    UnixPeerPath = 22,
    /// Exec: a descriptor that the new program inherits (number u32); what it stands for
    /// follows as `File` and `FilePath`, or `Socket` and its paths, up to the next of these.
    /// Written for 0, 1 and 2 where they are open.
    Descriptor = 23,
    /// Ids (u64) of the groups on `Cgroup`'s path, from leaf to root, without the root's own.
    CgroupIds = 24,
}

/// The probe cut the string at its bound; of a path, the beginning is missing.
pub const PIECE_TRUNCATED: u16 = 1;
/// User memory could not be read; the bytes are what was read before that.
pub const PIECE_FAULT: u16 = 2;

/// One tagged part of a record.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// What it holds.
    pub tag: Tag,
    /// `PIECE_*` bits.
    pub flags: u16,
    /// Its content, without padding.
    pub bytes: &'a [u8],
}

macro_rules! wire_struct {
    ($(#[$doc:meta])* $name:ident, $bytes:literal { $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$fdoc])* pub $field: $ty,)* }
        impl $name {
            /// Bytes on the wire: the fields in order, little-endian, without gaps.
            pub const BYTES: usize = $bytes;
            /// Reads one; `None` when the bytes are too few.
            #[inline]
            pub fn read(bytes: &[u8]) -> Option<$name> {
                const { assert!(0 $(+ size_of::<$ty>())* == $bytes) };
                let mut at = 0;
                $(let $field = <$ty as Wire>::read(bytes, &mut at)?;)*
                Some($name { $($field,)* })
            }
            /// Appends its wire form (for synthetic sources and tests).
            pub fn write(&self, out: &mut Vec<u8>) { $(self.$field.write(out);)* }
        }
    };
}

trait Wire: Sized {
    fn read(bytes: &[u8], at: &mut usize) -> Option<Self>;
    fn write(&self, out: &mut Vec<u8>);
}
macro_rules! wire_number { ($($ty:ty)*) => { $(impl Wire for $ty {
    #[inline]
    fn read(bytes: &[u8], at: &mut usize) -> Option<$ty> {
        let end = at.checked_add(size_of::<$ty>())?;
        let n = <$ty>::from_le_bytes(bytes.get(*at..end)?.try_into().ok()?);
        *at = end;
        Some(n)
    }
    fn write(&self, out: &mut Vec<u8>) { out.extend_from_slice(&self.to_le_bytes()); }
})* } }
wire_number!(u16 u32 i32 u64 i64);
impl Wire for [u8; 16] {
    #[inline]
    fn read(bytes: &[u8], at: &mut usize) -> Option<[u8; 16]> {
        let array = bytes.get(*at..*at + 16)?.try_into().ok()?;
        *at += 16;
        Some(array)
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

wire_struct! {
    /// A file as its inode and superblock tell it.
    File, 56 {
        /// `i_ino`.
        inode: u64,
        /// `i_ctime`, ns since the epoch.
        ctime: u64,
        /// `i_mtime`, ns since the epoch.
        mtime: u64,
        /// `s_dev`, as the kernel packs it (major << 20 | minor).
        dev: u32,
        /// `i_mode`.
        mode: u32,
        /// `f_flags` (open flags as the kernel keeps them).
        open_flags: u32,
        /// `FILE_*` bits.
        flags: u32,
        /// `i_uid` in the initial user namespace.
        uid: u32,
        /// `i_gid`.
        gid: u32,
        /// `s_magic` of its file system.
        magic: u64,
    }
}
/// On overlayfs, the file lies in the upper layer.
pub const FILE_UPPER_LAYER: u32 = 1;
/// On overlayfs, the file lies in a lower layer.
pub const FILE_LOWER_LAYER: u32 = 2;
/// `i_nlink` is 0: the file has no name (memfd, deleted).
pub const FILE_UNLINKED: u32 = 4;
/// The file is a memfd (its dentry's name begins with `memfd:` on the kernel's own tmpfs).
pub const FILE_MEMFD: u32 = 8;
/// The file was created by this very open (`FMODE_CREATED`).
pub const FILE_CREATED: u32 = 16;
/// The walk to the root stopped at the bound: the path lacks its beginning.
pub const FILE_PATH_CUT: u32 = 32;
/// The file is a pipe, and so on: `i_mode` tells; set when the dentry has no path at all.
pub const FILE_NO_PATH: u32 = 64;
/// The walk upwards ended below no root: in a tree that is mounted nowhere, or beside the part
/// of a file system that is. The path lacks its beginning.
pub const FILE_DETACHED: u32 = 128;

wire_struct! {
    /// A socket as `struct sock` tells it.
    Socket, 64 {
        /// `skc_family` (AF_*).
        family: u16,
        /// `sk_type` (SOCK_*).
        kind: u16,
        /// `sk_protocol` (IPPROTO_*).
        protocol: u16,
        /// `skc_state` (TCP_*).
        state: u16,
        /// Local port, host order.
        local_port: u16,
        /// Remote port, host order.
        remote_port: u16,
        /// Unused.
        reserved: u32,
        /// Local address: 16 bytes, an IPv4 one in the first four.
        local: [u8; 16],
        /// Remote address, as `local`.
        remote: [u8; 16],
        /// Inode of the socket.
        inode: u64,
        /// Kernel address of the `struct sock`: same number, same socket, while it lives.
        identity: u64,
    }
}

wire_struct! {
    /// A thread and its process as `task_struct` tells them, after what the record reports.
    Process, 168 {
        /// tgid of the real parent.
        parent_tgid: u32,
        /// tid of the real parent's thread recorded by the kernel (its group leader).
        parent_tid: u32,
        /// The parent's group leader's `start_boottime`, ns.
        parent_start_time: u64,
        /// `start_boottime` of the process's group leader, ns.
        leader_start_time: u64,
        /// Process group, initial pid namespace.
        pgid: u32,
        /// Session, initial pid namespace.
        sid: u32,
        /// tid in the thread's own pid namespace.
        vtid: u32,
        /// tgid in its own pid namespace.
        vpid: u32,
        /// Process group in its own pid namespace.
        vpgid: u32,
        /// Session in its own pid namespace.
        vsid: u32,
        /// `loginuid` (4294967295 = none).
        loginuid: u32,
        /// Controlling terminal as a device number in user-space encoding, 0 = none.
        tty: u32,
        /// Real user id, initial user namespace; then effective, saved, file system.
        uid: u32,
        /// Effective user id.
        euid: u32,
        /// Saved user id.
        suid: u32,
        /// File-system user id.
        fsuid: u32,
        /// Real group id.
        gid: u32,
        /// Effective group id.
        egid: u32,
        /// Saved group id.
        sgid: u32,
        /// File-system group id.
        fsgid: u32,
        /// `cap_inheritable`, the kernel's bit numbering.
        cap_inheritable: u64,
        /// `cap_permitted`.
        cap_permitted: u64,
        /// `cap_effective`.
        cap_effective: u64,
        /// Inode number of the pid namespace.
        pid_ns: u32,
        /// Inode number of the mount namespace.
        mnt_ns: u32,
        /// Inode number of the user namespace.
        user_ns: u32,
        /// Inode number of the network namespace.
        net_ns: u32,
        /// `start_boottime` of the pid namespace's first process, ns.
        pid_ns_start_time: u64,
        /// `RLIMIT_NOFILE`, soft.
        fd_limit: u64,
        /// `mm->total_vm`, kB.
        vm_size: u64,
        /// Resident set, kB.
        vm_rss: u64,
        /// `PROCESS_*` bits.
        flags: u32,
        /// Unused.
        reserved: u32,
    }
}
/// The executable can be written by the process's credentials (mode bits; root counts).
pub const PROCESS_EXE_WRITABLE: u32 = 1;
/// The new task is a thread of its creator's process.
pub const PROCESS_THREAD: u32 = 2;
/// The new task shares its creator's fd table (`CLONE_FILES`).
pub const PROCESS_SHARES_FILES: u32 = 4;
/// The new task shares its creator's cwd (`CLONE_FS`).
pub const PROCESS_SHARES_FS: u32 = 8;
/// The thread is a kernel thread.
pub const PROCESS_KERNEL_THREAD: u32 = 16;

/// The fixed part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the record, header included.
    pub len: u32,
    /// What happened.
    pub kind: Kind,
    /// On which CPU.
    pub cpu: u16,
    /// Per-CPU number; a gap is a dropped record.
    pub sequence: u64,
    /// `CLOCK_BOOTTIME`, ns.
    pub time: u64,
    /// The thread's `start_boottime`, ns.
    pub start_time: u64,
    /// cgroup id in the default hierarchy.
    pub cgroup: u64,
    /// Thread id, initial pid namespace.
    pub tid: u32,
    /// Process id, initial pid namespace.
    pub tgid: u32,
    /// System call number of the 64-bit table ([`Kind::Syscall`] only).
    pub syscall: u16,
    /// `FLAG_*` bits.
    pub flags: u16,
    /// What the call returned.
    pub ret: i64,
    /// Its arguments.
    pub args: [u64; 6],
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer bytes than a header, or than the header says.
    Short,
    /// `len` is no multiple of 8, below the header or above [`RECORD_BYTES_MAX`].
    Length,
    /// An unknown kind.
    Kind,
    /// A piece reaches past the record's end.
    Piece,
}

/// A record that parsed: its header, and its pieces by tag.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The fixed part.
    pub header: Header,
    pieces: &'a [u8],
    /// Offset of each tag's first piece, in units of 8, plus 1; 0 = there is none.
    first: [u16; TAGS],
    /// `PIECE_*` bits that any piece has.
    piece_flags: u16,
}

/// Tags are below this number.
const TAGS: usize = 32;
/// Bytes of a piece before its content.
const PIECE_HEAD_BYTES: usize = 8;

impl<'a> Record<'a> {
    /// Parses the record at the beginning of `bytes`, all pieces' bounds checked.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Record<'a>, Malformed> {
        // One length check here, and every read of the header below is a plain load.
        let head: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(Malformed::Short)?;
        let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let word = |at: usize| u32::from(short(at)) | u32::from(short(at + 2)) << 16;
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let kind = match short(4) {
            1 => Kind::Syscall,
            2 => Kind::Exec,
            3 => Kind::Fork,
            4 => Kind::Exit,
            _ => return Err(Malformed::Kind),
        };
        let len = word(0);
        let size = len as usize;
        if !(HEADER_BYTES..=RECORD_BYTES_MAX).contains(&size) || !size.is_multiple_of(8) {
            return Err(Malformed::Length);
        }
        let pieces = bytes.get(HEADER_BYTES..size).ok_or(Malformed::Short)?;
        let mut first = [0; TAGS];
        let mut piece_flags = 0;
        let mut at = 0;
        while at < pieces.len() {
            let (tag, flags, next) = Piece::skip(pieces, at).ok_or(Malformed::Piece)?;
            piece_flags |= flags;
            if let Some(first @ 0) = first.get_mut(usize::from(tag)) {
                // A multiple of 8 below 64 KiB.
                *first = (at / 8) as u16 + 1;
            }
            at = next;
        }
        Ok(Record {
            header: Header {
                len,
                kind,
                cpu: short(6),
                sequence: long(8),
                time: long(16),
                start_time: long(24),
                cgroup: long(32),
                tid: word(40),
                tgid: word(44),
                syscall: short(48),
                flags: short(50),
                ret: long(56).cast_signed(),
                args: [long(64), long(72), long(80), long(88), long(96), long(104)],
            },
            pieces,
            first,
            piece_flags,
        })
    }

    /// The pieces in the order the probe wrote them; those with an unknown tag are passed over.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'a>> + use<'a> {
        let pieces = self.pieces;
        let mut at = 0;
        std::iter::from_fn(move || {
            let (tag, _, next) = Piece::skip(pieces, at)?;
            let here = std::mem::replace(&mut at, next);
            Some((here, tag))
        })
        .filter_map(move |(at, tag)| Piece::at(pieces, at, Tag::from_u16(tag)?))
    }

    /// The first piece with that tag.
    #[inline]
    pub fn piece(&self, tag: Tag) -> Option<Piece<'a>> {
        let at = self.first[tag as usize].checked_sub(1)?;
        Piece::at(self.pieces, usize::from(at) * 8, tag)
    }

    /// Whether the probe cut that piece.
    #[inline]
    pub fn is_cut(&self, tag: Tag) -> bool {
        self.piece_flags & PIECE_TRUNCATED != 0
            && self
                .piece(tag)
                .is_some_and(|piece| piece.flags & PIECE_TRUNCATED != 0)
    }

    /// Whether there is a piece with that tag.
    #[inline]
    pub fn has(&self, tag: Tag) -> bool {
        self.first[tag as usize] != 0
    }
}

impl<'a> Piece<'a> {
    /// Tag u16, flags u16 and length u32.
    #[inline]
    fn head(pieces: &[u8], at: usize) -> Option<(u16, u16, usize)> {
        let head = pieces.get(at..)?.first_chunk()?;
        let head = u64::from_le_bytes(*head);
        Some((head as u16, (head >> 16) as u16, (head >> 32) as usize))
    }

    /// Tag and flags of the piece at `at`, and where the next one begins.
    #[inline]
    fn skip(pieces: &[u8], at: usize) -> Option<(u16, u16, usize)> {
        let (tag, flags, len) = Piece::head(pieces, at)?;
        let next = (at + PIECE_HEAD_BYTES).checked_add(len.checked_next_multiple_of(8)?)?;
        (next <= pieces.len()).then_some((tag, flags, next))
    }

    #[inline]
    fn at(pieces: &'a [u8], at: usize, tag: Tag) -> Option<Piece<'a>> {
        let (_, flags, len) = Piece::head(pieces, at)?;
        let bytes = pieces.get(at + PIECE_HEAD_BYTES..)?.get(..len)?;
        Some(Piece { tag, flags, bytes })
    }
}

/// Builds one record, for synthetic sources, tests and benches.
pub struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    /// Starts a record with that header (`len` is filled in by [`Builder::finish`]).
    pub fn new(header: &Header) -> Builder {
        let mut bytes = Vec::with_capacity(256);
        0u32.write(&mut bytes);
        (header.kind as u16).write(&mut bytes);
        header.cpu.write(&mut bytes);
        for n in [
            header.sequence,
            header.time,
            header.start_time,
            header.cgroup,
        ] {
            n.write(&mut bytes);
        }
        header.tid.write(&mut bytes);
        header.tgid.write(&mut bytes);
        header.syscall.write(&mut bytes);
        header.flags.write(&mut bytes);
        0u32.write(&mut bytes);
        header.ret.write(&mut bytes);
        for n in header.args {
            n.write(&mut bytes);
        }
        Builder { bytes }
    }

    /// Adds a piece.
    pub fn piece(mut self, tag: Tag, flags: u16, content: &[u8]) -> Builder {
        (tag as u16).write(&mut self.bytes);
        flags.write(&mut self.bytes);
        (content.len() as u32).write(&mut self.bytes);
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        self
    }

    /// The record's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        let len = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&len.to_le_bytes());
        self.bytes
    }
}
