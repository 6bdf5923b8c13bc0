//! Files, directories and whatever else has a name of its own.

use super::MADE_TO_CLOSE;
use crate::event::path::{Base, join};
use crate::event::{Captured, encode};
use crate::state::State;
use crate::state::captured::Saw;
use crate::state::descriptor::{FdIndex, FdInfo, FdKind, NAME_BYTES_MAX, Role, unix_ends};
use saker_capture::{Descriptor, Named, Target};
use saker_ebpf::record::{FILE_LOWER_LAYER, FILE_UPPER_LAYER};
use saker_rules_schema::event::EventType;

/// Falco's `FD_UPPER_LAYER` and `FD_LOWER_LAYER` among the flags of a `creat`.
const CREAT_UPPER_LAYER: u64 = 1;
const CREAT_LOWER_LAYER: u64 = 2;

/// The flags of an open that the kernel adds: all from this one on.
const FLAGS_OF_KERNEL: u64 = !(encode::F_CREATED - 1);

/// What an open says of what it opened.
struct Opened<'a> {
    /// The descriptor, if the event tells it, of the directory that the path is relative to; `None`
    /// for the current one.
    directory: Option<Option<i64>>,
    raw: &'a [u8],
    flags: u64,
    device: u32,
    inode: u64,
    /// The path is whole as it stands.
    is_whole: bool,
}

impl<'a> Opened<'a> {
    fn of(event: &Captured<'a>) -> Option<Opened<'a>> {
        let (path, flags, device, directory) = match event.kind {
            EventType::Open => (1, Some(2), 4, None),
            EventType::Creat => (1, None, 3, None),
            EventType::Openat => (2, Some(3), 5, Some(1)),
            EventType::Openat2 => (2, Some(3), 6, Some(1)),
            EventType::OpenByHandleAt => (3, Some(2), 4, None),
            _ => return None,
        };
        let flags = match flags {
            Some(index) => event.unsigned(index).unwrap_or(0),
            None => match event.unsigned(5).unwrap_or(0) {
                flags if flags & CREAT_UPPER_LAYER != 0 => encode::UPPER_LAYER,
                flags if flags & CREAT_LOWER_LAYER != 0 => encode::LOWER_LAYER,
                _ => 0,
            },
        };
        let inode = event.unsigned(device + 1);
        let mut directory = directory.map(|index| event.signed(index));
        let mut raw = event.text(path).unwrap_or(b"<NA>");
        let mut flags = flags;
        // What an old capture says of the call's beginning holds: behind the kernel's back another
        // thread may have changed it since.
        let (given_path, given_flags) = match event.kind {
            EventType::Openat | EventType::Openat2 => (1, Some(2)),
            EventType::Open => (0, Some(1)),
            _ => (0, None),
        };
        if let Some(path) = event.beginning_text(given_path) {
            raw = path;
            directory = directory.map(|_| event.beginning_signed(0));
            if let Some(given) = given_flags {
                let given = event.beginning_unsigned(given).unwrap_or(0);
                flags = flags & FLAGS_OF_KERNEL | given & !FLAGS_OF_KERNEL;
            }
        }
        Some(Opened {
            directory,
            raw,
            flags,
            device: match inode {
                Some(_) => event.unsigned(device).unwrap_or(0) as u32,
                None => 0,
            },
            inode: inode.unwrap_or(0),
            is_whole: event.kind == EventType::OpenByHandleAt,
        })
    }
}

impl State {
    pub(super) fn apply_open(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        let Some(fd) = event.result().filter(|fd| *fd >= 0) else {
            return;
        };
        let Some(opened) = Opened::of(event) else {
            return;
        };
        let Some((index, info)) = self.descriptors.fresh() else {
            return;
        };
        let mut name = std::mem::take(&mut info.name);
        let base = match opened.directory {
            _ if opened.is_whole => Base::Path(b""),
            Some(_) if opened.raw.first() == Some(&b'/') => Base::Path(b"."),
            Some(fd) => self.captured_directory(slot, fd),
            None => self.captured_cwd(slot),
        };
        join(base, opened.raw, &mut name);
        if let Some(info) = self.descriptors.info_mut(index) {
            info.name = name;
            info.kind = match opened.flags & encode::F_DIRECTORY {
                0 => FdKind::File,
                _ => FdKind::Directory,
            };
            info.device = opened.device;
            info.inode = opened.inode;
            let raw = &opened.raw[..opened.raw.len().min(NAME_BYTES_MAX)];
            info.raw.extend_from_slice(raw);
            if opened.flags & encode::UPPER_LAYER != 0 {
                info.file_flags |= FILE_UPPER_LAYER;
            }
            if opened.flags & encode::LOWER_LAYER != 0 {
                info.file_flags |= FILE_LOWER_LAYER;
            }
        }
        self.put_captured(slot, fd, index, opened.flags & encode::F_CLOEXEC != 0);
        saw.makes(index);
        saw.fd_name_changed = self.is_named(index);
    }

    /// Where a path relative to that descriptor starts.
    pub(in crate::state::captured) fn captured_directory(
        &self,
        slot: u32,
        fd: Option<i64>,
    ) -> Base<'_> {
        match fd {
            None => Base::Path(b""),
            Some(fd) if fd == i64::from(libc::AT_FDCWD) => self.captured_cwd(slot),
            Some(fd) => match self.descriptors.info(self.captured_fd(slot, fd)) {
                Some(info) => Base::Path(&info.name),
                None => Base::Unknown,
            },
        }
    }

    /// The current directory of that thread: its process's.
    pub(in crate::state::captured) fn captured_cwd(&self, slot: u32) -> Base<'_> {
        let first = self.first_place(slot);
        let process = first.and_then(|first| self.processes.get(first));
        match process.and_then(|process| self.version(process.latest)) {
            Some(version) => Base::Path(&version.cwd),
            None => Base::Path(b"."),
        }
    }

    pub(super) fn is_named(&self, index: FdIndex) -> bool {
        self.descriptors
            .info(index)
            .is_some_and(|info| !info.name.is_empty())
    }

    /// A memfd or a pidfd. As in Falco, one that could not be made is kept under its error, without
    /// a kind or a name.
    pub(super) fn apply_named(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        let Some(fd) = event.signed(0) else {
            return;
        };
        let is_memfd = event.kind == EventType::MemfdCreate;
        let to_close = is_memfd && event.unsigned(2).unwrap_or(0) & MADE_TO_CLOSE != 0;
        let index = self.make_captured(slot, fd, to_close, |info| {
            if fd < 0 {
            } else if is_memfd {
                info.kind = FdKind::Memfd;
                let name = event.text(1).unwrap_or_default();
                info.name
                    .extend_from_slice(&name[..name.len().min(NAME_BYTES_MAX)]);
            } else {
                info.kind = FdKind::Pidfd;
                info.inode = 0;
                use std::io::Write;
                // Writing to a vector cannot fail.
                let _ = write!(info.name, "/proc/{}", event.signed(1).unwrap_or(0));
            }
        });
        saw.makes(index);
        saw.fd_name_changed = self.is_named(index);
    }

    /// Another process's descriptor, made one's own.
    pub(super) fn apply_pidfd_getfd(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        saw.fd = FdIndex::NONE;
        let (Some(fd), Some(pidfd), Some(target)) =
            (event.signed(0), event.signed(1), event.signed(2))
        else {
            return;
        };
        let pidfd = self.descriptors.info(self.captured_fd(slot, pidfd));
        let process = pidfd
            .filter(|info| info.kind == FdKind::Pidfd)
            .and_then(|info| info.name.strip_prefix(b"/proc/"))
            .and_then(|pid| std::str::from_utf8(pid).ok()?.parse().ok())
            .and_then(|pid| self.live_process(pid));
        if let Some(process) = process {
            saw.fd = self.captured_fd(process, target);
            // What the kernel makes so is closed on exec.
            self.duplicate_captured(slot, fd, true, saw);
        }
    }
}

/// Whether an exec closes a descriptor of the list.
pub(super) fn closes_on_exec(descriptor: &Descriptor<'_>) -> bool {
    match descriptor.target {
        Target::File { open_flags, .. } => u64::from(open_flags) & encode::F_CLOEXEC != 0,
        Target::Ipv4 { .. }
        | Target::Ipv6 { .. }
        | Target::Ipv4Server { .. }
        | Target::Ipv6Server { .. }
        | Target::Unix { .. }
        | Target::Named { .. }
        | Target::Unknown(_) => false,
    }
}

impl FdInfo {
    /// Becomes what a capture's list of descriptors says.
    pub(super) fn fill_captured(&mut self, descriptor: &Descriptor<'_>) {
        self.inode = descriptor.inode;
        let mut name = |name: &[u8]| {
            self.name
                .extend_from_slice(&name[..name.len().min(NAME_BYTES_MAX)]);
        };
        match descriptor.target {
            Target::File {
                name: path, device, ..
            } => {
                name(path);
                self.kind = FdKind::File;
                self.device = device;
            }
            Target::Named { kind, name: path } => {
                name(path);
                self.kind = named(kind);
            }
            Target::Unix {
                name: path, source, ..
            } => {
                name(path);
                self.kind = FdKind::Unix;
                // Falco's own lists have the path alone.
                self.connected = unix_ends(path).is_some();
                self.role = if path.is_empty() || self.connected && source != 0 {
                    Role::Client
                } else {
                    Role::Server
                };
            }
            Target::Ipv4 { .. }
            | Target::Ipv6 { .. }
            | Target::Ipv4Server { .. }
            | Target::Ipv6Server { .. } => self.fill_captured_socket(&descriptor.target),
            Target::Unknown(_) => {}
        }
    }
}

fn named(kind: Named) -> FdKind {
    match kind {
        Named::File => FdKind::File,
        Named::Directory => FdKind::Directory,
        Named::Pipe => FdKind::Pipe,
        Named::Event => FdKind::Event,
        Named::Unsupported => FdKind::Unknown,
        Named::Signal => FdKind::Signal,
        Named::EventPoll => FdKind::Epoll,
        Named::Inotify => FdKind::Inotify,
        Named::Timer => FdKind::Timer,
        Named::Netlink => FdKind::Netlink,
        Named::Bpf => FdKind::Bpf,
        Named::Userfault => FdKind::Userfault,
        Named::IoUring => FdKind::IoUring,
        Named::Memory => FdKind::Memfd,
        Named::Process => FdKind::Pidfd,
    }
}
