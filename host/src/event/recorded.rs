//! Events as the probe records them: which type a record is, and where its parts lie.

use super::params::{self, Descriptor, Origin};
use super::{Clock, Param, encode, path};
use saker_ebpf::record::{self, File, Kind, Piece, Process, Record, Socket, Tag};
use saker_rules_schema::event::EventType;

/// A decoded record.
#[derive(Clone, Debug)]
pub struct Recorded<'a> {
    /// Which type; `None` for a record that only changes the state.
    pub kind: Option<EventType>,
    /// `evt.num`.
    pub number: u64,
    /// Wall time, ns since the epoch.
    pub time: u64,
    /// The record.
    pub record: &'a Record<'a>,
}

/// Reads a record as the event with that number.
#[inline]
pub fn decode<'a>(record: &'a Record<'a>, clock: &Clock, number: u64) -> Recorded<'a> {
    Recorded {
        kind: event_type(record),
        number,
        time: clock.wall(record.header.time),
        record,
    }
}

fn event_type(record: &Record<'_>) -> Option<EventType> {
    let header = &record.header;
    match header.kind {
        Kind::Exec => Some(EventType::Execve),
        Kind::Exit => Some(EventType::Procexit),
        Kind::Fork => Some(match i64::from(header.syscall) {
            libc::SYS_fork => EventType::Fork,
            libc::SYS_vfork => EventType::Vfork,
            libc::SYS_clone3 => EventType::Clone3,
            _ => EventType::Clone,
        }),
        Kind::Syscall => {
            let event = *CALLS.get(usize::from(header.syscall))?;
            let is_exec = matches!(event, Some(EventType::Execve | EventType::Execveat));
            // An exec that succeeded is told by its own record, which knows more.
            if is_exec && header.ret >= 0 {
                return None;
            }
            // So is the birth of a thread, where the call returns 0 in the child.
            let is_birth = matches!(
                event,
                Some(EventType::Clone | EventType::Clone3 | EventType::Fork | EventType::Vfork)
            );
            if is_birth && header.ret == 0 {
                return None;
            }
            event
        }
    }
}

/// Event types by system call number of the 64-bit table.
static CALLS: [Option<EventType>; 512] = {
    let mut table = [None; 512];
    let mut index = 0;
    while index < CALL_EVENTS.len() {
        let (number, event) = CALL_EVENTS[index];
        table[number as usize] = Some(event);
        index += 1;
    }
    table
};

/// System calls and the event types they give. `fchmodat2` has none of its own in Falco's
/// table; its parameters are those of `fchmodat`.
const CALL_EVENTS: &[(libc::c_long, EventType)] = &[
    (libc::SYS_open, EventType::Open),
    (libc::SYS_openat, EventType::Openat),
    (libc::SYS_openat2, EventType::Openat2),
    (libc::SYS_open_by_handle_at, EventType::OpenByHandleAt),
    (libc::SYS_creat, EventType::Creat),
    (libc::SYS_close, EventType::Close),
    (libc::SYS_dup, EventType::Dup),
    (libc::SYS_dup2, EventType::Dup2),
    (libc::SYS_dup3, EventType::Dup3),
    (libc::SYS_fcntl, EventType::Fcntl),
    (libc::SYS_socket, EventType::Socket),
    (libc::SYS_socketpair, EventType::Socketpair),
    (libc::SYS_bind, EventType::Bind),
    (libc::SYS_connect, EventType::Connect),
    (libc::SYS_accept, EventType::Accept),
    (libc::SYS_accept4, EventType::Accept4),
    (libc::SYS_unlink, EventType::Unlink),
    (libc::SYS_unlinkat, EventType::Unlinkat),
    (libc::SYS_rename, EventType::Rename),
    (libc::SYS_renameat, EventType::Renameat),
    (libc::SYS_renameat2, EventType::Renameat2),
    (libc::SYS_symlink, EventType::Symlink),
    (libc::SYS_symlinkat, EventType::Symlinkat),
    (libc::SYS_link, EventType::Link),
    (libc::SYS_linkat, EventType::Linkat),
    (libc::SYS_mkdir, EventType::Mkdir),
    (libc::SYS_mkdirat, EventType::Mkdirat),
    (libc::SYS_rmdir, EventType::Rmdir),
    (libc::SYS_chmod, EventType::Chmod),
    (libc::SYS_fchmod, EventType::Fchmod),
    (libc::SYS_fchmodat, EventType::Fchmodat),
    (452, EventType::Fchmodat),
    (libc::SYS_chdir, EventType::Chdir),
    (libc::SYS_fchdir, EventType::Fchdir),
    (libc::SYS_chroot, EventType::Chroot),
    (libc::SYS_execve, EventType::Execve),
    (libc::SYS_execveat, EventType::Execveat),
    (libc::SYS_fork, EventType::Fork),
    (libc::SYS_vfork, EventType::Vfork),
    (libc::SYS_clone, EventType::Clone),
    (libc::SYS_clone3, EventType::Clone3),
    (libc::SYS_setsid, EventType::Setsid),
    (libc::SYS_setpgid, EventType::Setpgid),
    (libc::SYS_setuid, EventType::Setuid),
    (libc::SYS_setgid, EventType::Setgid),
    (libc::SYS_setreuid, EventType::Setreuid),
    (libc::SYS_setregid, EventType::Setregid),
    (libc::SYS_setresuid, EventType::Setresuid),
    (libc::SYS_setresgid, EventType::Setresgid),
    (libc::SYS_capset, EventType::Capset),
    (libc::SYS_setns, EventType::Setns),
    (libc::SYS_unshare, EventType::Unshare),
    (libc::SYS_mount, EventType::Mount),
    (libc::SYS_umount2, EventType::Umount2),
    (libc::SYS_init_module, EventType::InitModule),
    (libc::SYS_finit_module, EventType::FinitModule),
    (libc::SYS_delete_module, EventType::DeleteModule),
    (libc::SYS_ptrace, EventType::Ptrace),
    (libc::SYS_memfd_create, EventType::MemfdCreate),
    (libc::SYS_bpf, EventType::Bpf),
    (libc::SYS_kill, EventType::Kill),
];

/// The system calls (64-bit numbers) whose records give events of that type, as far as system
/// calls give them: exec, fork and exit have records of their own as well.
pub fn calls_of(event: EventType) -> impl Iterator<Item = u16> {
    CALL_EVENTS
        .iter()
        .filter(move |(_, given)| *given == event)
        .map(|(number, _)| *number as u16)
}

impl<'a> Recorded<'a> {
    /// The record's first piece with that tag.
    #[inline]
    pub fn piece(&self, tag: Tag) -> Option<Piece<'a>> {
        self.record.piece(tag)
    }

    /// Whether the record has such a piece.
    #[inline]
    pub fn has(&self, tag: Tag) -> bool {
        self.record.has(tag)
    }

    /// The bytes of that piece.
    #[inline]
    pub fn bytes(&self, tag: Tag) -> Option<&'a [u8]> {
        self.piece(tag).map(|piece| piece.bytes)
    }

    /// Numbers of the control groups that the path in the default hierarchy names, leaf first,
    /// without the root's.
    pub fn cgroup_ids(&self) -> impl Iterator<Item = u64> + use<'a> {
        let bytes = self.bytes(Tag::CgroupIds).unwrap_or_default();
        let (ids, _) = bytes.as_chunks();
        ids.iter().map(|id| u64::from_le_bytes(*id))
    }

    /// A string from user memory, `None` also where it could not be read.
    pub fn text(&self, tag: Tag) -> Option<&'a [u8]> {
        let piece = self.piece(tag)?;
        if piece.flags & record::PIECE_FAULT != 0 && piece.bytes.is_empty() {
            return None;
        }
        let end = memchr::memchr(0, piece.bytes).unwrap_or(piece.bytes.len());
        Some(&piece.bytes[..end])
    }

    /// The path in that piece.
    pub fn path(&self, tag: Tag) -> Option<path::Base<'a>> {
        let piece = self.piece(tag)?;
        let is_whole = piece.flags & record::PIECE_TRUNCATED == 0;
        Some(path::Base::of_components(piece.bytes, is_whole))
    }

    /// Whether the probe had to cut that piece.
    pub fn is_cut(&self, tag: Tag) -> bool {
        self.record.is_cut(tag)
    }

    /// Whether a path in it is cut.
    pub fn has_cut_path(&self) -> bool {
        self.is_cut(Tag::Path0)
            || self.is_cut(Tag::Path1)
            || self.is_cut(Tag::FilePath)
            || self
                .file()
                .is_some_and(|file| file.flags & record::FILE_PATH_CUT != 0)
    }

    /// The file opened or used.
    pub fn file(&self) -> Option<File> {
        File::read(self.bytes(Tag::File)?)
    }

    /// The socket made or used.
    pub fn socket(&self) -> Option<Socket> {
        Socket::read(self.bytes(Tag::Socket)?)
    }

    /// The process as the kernel tells it.
    pub fn process(&self) -> Option<Process> {
        Process::read(self.bytes(Tag::Process)?)
    }

    /// What the call returned, as a 64-bit number; `None` for an exit.
    pub fn result(&self) -> Option<i64> {
        match self.record.header.kind {
            Kind::Syscall => Some(self.record.header.ret),
            Kind::Exec | Kind::Fork => Some(0),
            Kind::Exit => None,
        }
    }

    /// Whether the call succeeded (an exit does).
    pub fn succeeded(&self) -> bool {
        self.result().is_none_or(|result| result >= 0)
    }

    fn arg(&self, index: u8) -> u64 {
        self.record.header.args[usize::from(index)]
    }

    /// The number of the descriptor the event is about: negative where the call failed to
    /// make one, or for `AT_FDCWD`.
    pub fn descriptor(&self) -> Option<i64> {
        match params::descriptor(self.kind?) {
            Descriptor::None => None,
            Descriptor::Ret => Some(self.record.header.ret),
            Descriptor::Arg(index) | Descriptor::Directory(index) => {
                Some(i64::from(self.arg(index) as i32))
            }
            Descriptor::Pair => Some(self.pair(1).map_or(-1, i64::from)),
        }
    }

    /// socketpair's or pipe's descriptors.
    pub fn pair(&self, index: usize) -> Option<i32> {
        let bytes = self.bytes(Tag::Struct)?.get(index * 4..index * 4 + 4)?;
        Some(i32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// A word of a struct argument; `None` where it could not be read.
    fn struct_word(&self, index: usize) -> Option<u64> {
        let bytes = self.bytes(Tag::Struct)?.get(index * 8..index * 8 + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    /// Whether the event is one of the opens that have flags.
    pub fn is_open(&self) -> bool {
        matches!(
            self.kind,
            Some(
                EventType::Open
                    | EventType::Openat
                    | EventType::Openat2
                    | EventType::OpenByHandleAt
            )
        )
    }

    /// The kernel's flags of an open; `None` for any other event, and where they could not be
    /// read. What the open file keeps is taken from there: openat2's flags lie in memory that
    /// another thread can change once the kernel has read them.
    pub fn open_flags(&self) -> Option<u64> {
        let asked = match self.kind? {
            EventType::Open => Some(u64::from(self.arg(1) as u32)),
            EventType::Openat | EventType::OpenByHandleAt => Some(u64::from(self.arg(2) as u32)),
            EventType::Openat2 => self.struct_word(0),
            _ => return None,
        };
        let Some(file) = self.opened() else {
            return asked;
        };
        let mut flags = u64::from(file.open_flags) & encode::OPEN_FLAGS_KEPT
            | asked.unwrap_or(0) & !encode::OPEN_FLAGS_KEPT;
        if file.flags & record::FILE_CREATED != 0 && !encode::open_has_mode(flags) {
            flags |= libc::O_CREAT as u64;
        }
        Some(flags)
    }

    /// The mode an open gives a file it makes, 0 if it makes none; `None` where it could not
    /// be read.
    pub fn open_mode(&self) -> Option<u64> {
        let mode = match self.kind {
            Some(EventType::Open) => self.arg(2),
            Some(EventType::Openat) => self.arg(3),
            Some(EventType::Openat2) => self.struct_word(1)?,
            Some(EventType::Creat) => return Some(self.arg(1) & 0o7777),
            _ => return Some(0),
        };
        match self.open_flags() {
            Some(flags) if encode::open_has_mode(flags) => Some(mode & 0o7777),
            _ => Some(0),
        }
    }

    /// Whether the call asked for an execute bit on a file it makes, or has made a file that
    /// has one.
    pub fn makes_executable(&self) -> bool {
        let made = self
            .opened()
            .filter(|file| self.is_open() && file.flags & record::FILE_CREATED != 0);
        self.open_mode().unwrap_or(0) & 0o111 != 0
            || made.is_some_and(|file| file.mode & 0o111 != 0)
    }

    /// An open's flags in Falco's numbering, with what the kernel found out.
    fn falco_open_flags(&self) -> Option<u64> {
        let mut flags = encode::open_flags(self.open_flags()?);
        if let Some(file) = self.file() {
            for (bit, falco) in [
                (record::FILE_CREATED, encode::F_CREATED),
                (record::FILE_UPPER_LAYER, encode::UPPER_LAYER),
                (record::FILE_LOWER_LAYER, encode::LOWER_LAYER),
            ] {
                if file.flags & bit != 0 {
                    flags |= falco;
                }
            }
        }
        Some(flags)
    }

    fn fork_flags(&self) -> u64 {
        match (self.record.header.kind, self.kind) {
            (Kind::Syscall, Some(EventType::Clone)) => encode::clone_flags(self.arg(0)),
            (Kind::Syscall, Some(EventType::Clone3)) => {
                encode::clone_flags(self.struct_word(0).unwrap_or(0))
            }
            (Kind::Fork, _) => {
                let bits = self.process().map_or(0, |process| process.flags);
                let mut flags = 0;
                if bits & record::PROCESS_THREAD != 0 {
                    flags |= libc::CLONE_THREAD as u64;
                }
                if bits & record::PROCESS_SHARES_FILES != 0 {
                    flags |= libc::CLONE_FILES as u64;
                }
                if bits & record::PROCESS_SHARES_FS != 0 {
                    flags |= libc::CLONE_FS as u64;
                }
                encode::clone_flags(flags)
            }
            _ => 0,
        }
    }

    /// The parameter at that place in Falco's table, as the record tells it; `None` where a
    /// pointer could not be read or the record lacks the piece.
    pub fn param(&self, index: usize) -> Option<Param<'a>> {
        let origin = *params::origins(self.kind?).get(index)?;
        let number = |number: u64| Some(Param::Unsigned(number));
        match origin {
            Origin::Ret => Some(Param::Signed(self.result()?)),
            Origin::Int(arg) => Some(Param::Signed(i64::from(self.arg(arg) as i32))),
            Origin::Uint(arg) => number(u64::from(self.arg(arg) as u32)),
            Origin::Long(arg) => number(self.arg(arg)),
            Origin::Path0 => self.text(Tag::Path0).map(Param::Text),
            Origin::Path1 => self.text(Tag::Path1).map(Param::Text),
            Origin::Text => self.text(Tag::Text).map(Param::Text),
            Origin::Address => self.bytes(Tag::Sockaddr).map(Param::Address),
            Origin::Tuple => Some(Param::Tuple),
            Origin::FilePath => self.opened().map(|_| Param::FilePath),
            Origin::Bytes => self.bytes(Tag::Struct).map(Param::Bytes),
            Origin::OpenFlags => number(self.falco_open_flags()?),
            Origin::OpenMode => number(self.open_mode()?),
            Origin::HowResolve => number(encode::resolve_flags(self.struct_word(2)?)),
            Origin::Permissions(arg) => number(self.arg(arg) & 0o7777),
            Origin::CreatFlags => number(self.file().map_or(0, |file| {
                u64::from(file.flags & (record::FILE_UPPER_LAYER | record::FILE_LOWER_LAYER))
            })),
            Origin::Device => number(
                self.opened()
                    .map_or(0, |file| u64::from(encode::device(file.dev))),
            ),
            Origin::Inode => number(self.opened().map_or(0, |file| file.inode)),
            Origin::DescriptorFlags(arg) => number(encode::descriptor_flags(self.arg(arg))),
            Origin::Command(arg) => number(encode::fcntl_command(u64::from(self.arg(arg) as u32))),
            Origin::Request(arg) => number(encode::ptrace_request(self.arg(arg))),
            Origin::CloneFlags(arg) => number(encode::clone_flags(u64::from(self.arg(arg) as u32))),
            Origin::ForkFlags => number(self.fork_flags()),
            Origin::MountFlags(arg) => number(encode::mount_flags(self.arg(arg))),
            Origin::DeleteFlags(arg) => number(encode::delete_module_flags(self.arg(arg))),
            Origin::Pair(which) => {
                let fd = self.pair(usize::from(which)).map_or(-1, i64::from);
                Some(Param::Signed(fd))
            }
            Origin::Identity => number(self.socket().map_or(0, |socket| socket.identity)),
            Origin::Status => Some(Param::Signed(i64::from(self.arg(0) as u32))),
            Origin::ExitCode => Some(Param::Signed((self.arg(0) >> 8 & 0xff) as i64)),
            Origin::ExitSignal => Some(Param::Signed((self.arg(0) & 0x7f) as i64)),
            Origin::ExitCore => number(self.arg(0) >> 7 & 1),
            Origin::Reaper => Some(Param::Signed(i64::from(self.arg(2) as u32))),
            Origin::State(fact) => Some(Param::Fact(fact)),
            Origin::Zero => number(0),
        }
    }

    /// The file an open made a descriptor of; `None` when it failed.
    fn opened(&self) -> Option<File> {
        if self.record.header.ret < 0 {
            return None;
        }
        self.file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saker_ebpf::record::{Builder, Header};

    fn header(kind: Kind, syscall: i64, ret: i64, args: [u64; 6]) -> Header {
        Header {
            len: 0,
            kind,
            cpu: 1,
            sequence: 1,
            time: 5_000,
            start_time: 1_000,
            cgroup: 1,
            tid: 10,
            tgid: 10,
            syscall: syscall as u16,
            flags: 0,
            ret,
            args,
        }
    }

    fn number(event: &Recorded<'_>, name: &str) -> u64 {
        let kind = event.kind.expect("the record is an event");
        let index = kind.param(name).expect("the parameter exists");
        match event.param(index).expect("the parameter has a value") {
            Param::Unsigned(number) => number,
            Param::Signed(number) => number as u64,
            other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn an_open_tells_flags_mode_device_and_inode_as_falco_does() {
        let file = File {
            inode: 410334,
            dev: 254 << 20,
            open_flags: (libc::O_WRONLY | 0o100000) as u32,
            flags: record::FILE_CREATED,
            ..File::default()
        };
        let mut wire = Vec::new();
        file.write(&mut wire);
        let flags = (libc::O_CREAT | libc::O_WRONLY | libc::O_CLOEXEC) as u64;
        let args = [libc::AT_FDCWD as u32 as u64, 0, flags, 0o100644, 0, 0];
        let bytes = Builder::new(&header(Kind::Syscall, libc::SYS_openat, 6, args))
            .piece(Tag::Path0, 0, b"rel")
            .piece(Tag::File, 0, &wire)
            .finish();
        let record = Record::parse(&bytes).expect("the builder's record parses");
        let clock = Clock {
            boot_to_epoch_ns: 1_000_000,
        };
        let event = decode(&record, &clock, 3);
        assert_eq!(event.kind, Some(EventType::Openat));
        assert_eq!(event.time, 1_005_000);
        assert_eq!(number(&event, "fd"), 6);
        assert_eq!(number(&event, "dirfd") as i64, -100);
        assert_eq!(number(&event, "flags"), 20486);
        assert_eq!(number(&event, "mode"), 0o644);
        assert_eq!(number(&event, "dev"), 0xFE00);
        assert_eq!(number(&event, "ino"), 410334);
        assert_eq!(event.param(2), Some(Param::Text(b"rel")));
        assert_eq!(event.descriptor(), Some(6));
    }

    #[test]
    fn what_an_open_file_keeps_of_its_flags_is_believed_to_no_memory_of_a_program() {
        let open = |how: &[u64], file: Option<(i32, u32)>| {
            let ret = if file.is_some() { 5 } else { -13 };
            let how: Vec<u8> = how.iter().flat_map(|word| word.to_le_bytes()).collect();
            let fault = if how.is_empty() {
                record::PIECE_FAULT
            } else {
                0
            };
            let header = header(Kind::Syscall, libc::SYS_openat2, ret, [0, 0, 0, 24, 0, 0]);
            let mut builder = Builder::new(&header).piece(Tag::Struct, fault, &how);
            if let Some((kept, flags)) = file {
                let mut wire = Vec::new();
                let file = File {
                    open_flags: kept as u32,
                    mode: 0o100755,
                    flags,
                    ..File::default()
                };
                file.write(&mut wire);
                builder = builder.piece(Tag::File, 0, &wire);
            }
            let bytes = builder.finish();
            let record = Record::parse(&bytes).expect("the builder's record parses");
            let event = decode(&record, &Clock::default(), 0);
            assert!(event.is_open());
            let flags = event.open_flags().map(|flags| flags as i32);
            (flags, event.open_mode(), event.makes_executable())
        };
        let (write, append) = (libc::O_WRONLY, libc::O_APPEND);
        let (trunc, creat) = (libc::O_TRUNC, libc::O_CREAT);
        let how = [(libc::O_RDONLY | trunc) as u64, 0, 0];
        let kept = Some((write | append, 0));
        assert_eq!(
            open(&how, kept),
            (Some(write | append | trunc), Some(0), false)
        );
        assert_eq!(open(&how, None), (Some(trunc), Some(0), false));
        assert_eq!(open(&[], kept), (Some(write | append), None, false));
        assert_eq!(open(&[], None), (None, None, false));
        let made = Some((write, record::FILE_CREATED));
        assert_eq!(open(&[0, 0, 0], made), (Some(write | creat), Some(0), true));
    }

    #[test]
    fn a_successful_exec_is_told_once() {
        let parse = |kind, ret| {
            let bytes = Builder::new(&header(kind, libc::SYS_execve, ret, [0; 6])).finish();
            let record = Record::parse(&bytes).expect("the builder's record parses");
            decode(&record, &Clock::default(), 0).kind
        };
        assert_eq!(parse(Kind::Syscall, 0), None);
        assert_eq!(parse(Kind::Syscall, -2), Some(EventType::Execve));
        assert_eq!(parse(Kind::Exec, 0), Some(EventType::Execve));
    }

    #[test]
    fn a_birth_is_told_once_on_each_side() {
        let parse = |kind, ret| {
            let bytes = Builder::new(&header(kind, libc::SYS_clone, ret, [0; 6])).finish();
            let record = Record::parse(&bytes).expect("the builder's record parses");
            decode(&record, &Clock::default(), 0).kind
        };
        assert_eq!(parse(Kind::Fork, 0), Some(EventType::Clone));
        assert_eq!(parse(Kind::Syscall, 0), None);
        assert_eq!(parse(Kind::Syscall, 77), Some(EventType::Clone));
        assert_eq!(parse(Kind::Syscall, -11), Some(EventType::Clone));
    }

    #[test]
    fn an_exit_tells_code_signal_and_core() {
        for (status, code, signal, core) in [(768, 3, 0, 0), (9, 0, 9, 0), (139, 0, 11, 1)] {
            let args = [status, 1, 1, 0, 0, 0];
            let bytes = Builder::new(&header(Kind::Exit, 0, 0, args)).finish();
            let record = Record::parse(&bytes).expect("the builder's record parses");
            let event = decode(&record, &Clock::default(), 0);
            assert_eq!(number(&event, "ret"), code);
            assert_eq!(number(&event, "sig"), signal);
            assert_eq!(number(&event, "core"), core);
            assert_eq!(event.result(), None);
        }
    }
}
