//! What a system call that succeeded changes: descriptors, directories, credentials, groups.

use super::descriptor::{FdIndex, FdInfo, FdKind, FdPieces, Role};
use super::lifecycle::absolute;
use super::slab::NONE;
use super::version::{Credentials, Ids, KNOWS_CREDENTIALS, KNOWS_CWD, KNOWS_IDS, ProcessRef};
use super::{Seen, State};
use crate::event::path::{self, Base};
use crate::event::{Recorded, encode};
use saker_ebpf::record::{Process, Socket, Tag};

const FCHMODAT2: i64 = 452;
/// A connect that goes on in the background.
const IN_PROGRESS: i64 = -(libc::EINPROGRESS as i64);

impl State {
    pub(super) fn apply_call(&mut self, event: &Recorded<'_>, wanted: bool) -> Seen {
        let header = &event.record.header;
        let call = i64::from(header.syscall);
        if call == libc::SYS_close && !wanted && !self.keeps(int(header.args[0])) {
            return Seen::NONE;
        }
        let Some(thread) = self.thread_of(event) else {
            return Seen::NONE;
        };
        if header.ret < 0 && !(call == libc::SYS_connect && header.ret == IN_PROGRESS) {
            return self.seen(thread, event, wanted);
        }
        let Some(slot) = self.threads.get(thread).map(|thread| thread.process) else {
            return Seen::NONE;
        };
        if event.has(Tag::Process)
            && let Some(facts) = event.process()
        {
            self.refresh(thread, &facts);
        }
        if event.has(Tag::Cwd)
            && let Some(cwd) = event.path(Tag::Cwd)
        {
            self.move_to(slot, &absolute(cwd));
        }
        let args = header.args;
        match call {
            libc::SYS_open
            | libc::SYS_openat
            | libc::SYS_openat2
            | libc::SYS_open_by_handle_at
            | libc::SYS_creat => {
                let flags = event.open_flags().unwrap_or(0);
                self.open(slot, event, closes_on_exec(flags));
            }
            libc::SYS_close => {
                // Seen before it is gone.
                let seen = self.seen(thread, event, wanted);
                if self.keeps(int(args[0])) {
                    self.with_table(slot, |state, table| {
                        state.descriptors.close(table, int(args[0]));
                    });
                }
                return seen;
            }
            libc::SYS_dup => self.duplicate(slot, event, int(args[0]), false),
            libc::SYS_dup2 => self.duplicate(slot, event, int(args[0]), false),
            libc::SYS_dup3 => {
                self.duplicate(slot, event, int(args[0]), closes_on_exec(args[2]));
            }
            libc::SYS_fcntl if encode::is_dupfd(args[1] as u32 as u64) => {
                let close = args[1] as i32 == libc::F_DUPFD_CLOEXEC;
                self.duplicate(slot, event, int(args[0]), close);
            }
            libc::SYS_pipe => self.pair(slot, event, 0),
            libc::SYS_pipe2 => self.pair(slot, event, args[1]),
            libc::SYS_socketpair => self.pair(slot, event, args[1]),
            libc::SYS_socket => {
                if let Some(socket) = event.socket() {
                    self.roles.set(socket.inode, Role::None);
                }
                self.socket(slot, event, header.ret, Role::None, closes_on_exec(args[1]));
            }
            libc::SYS_accept => self.socket(slot, event, header.ret, Role::Server, false),
            libc::SYS_accept4 => {
                self.socket(
                    slot,
                    event,
                    header.ret,
                    Role::Server,
                    closes_on_exec(args[3]),
                );
            }
            libc::SYS_connect => self.socket(slot, event, int(args[0]), Role::Client, false),
            libc::SYS_bind => self.socket(slot, event, int(args[0]), Role::Server, false),
            libc::SYS_listen => {
                if let Some(socket) = event.socket() {
                    self.listening.insert(socket.local_port, ());
                }
                self.socket(slot, event, int(args[0]), Role::Server, false);
            }
            libc::SYS_memfd_create => {
                let close = args[1] & 1 != 0;
                self.make(slot, header.ret, close, |info| {
                    info.fill(event, Role::None);
                    if info.kind != FdKind::Memfd {
                        info.fill_path(FdKind::Memfd, event.text(Tag::Text).unwrap_or_default());
                    }
                });
            }
            libc::SYS_bpf if makes_bpf_descriptor(args[0]) => {
                self.make(slot, header.ret, true, |info| {
                    info.fill_path(FdKind::Bpf, b"")
                });
            }
            libc::SYS_fchmod | libc::SYS_finit_module | libc::SYS_setns => {
                self.use_file(slot, event, int(args[0]));
            }
            libc::SYS_unlinkat | libc::SYS_mkdirat | libc::SYS_fchmodat | FCHMODAT2 => {
                self.use_directory(slot, event, int(args[0]), Tag::Dir0);
            }
            libc::SYS_symlinkat => self.use_directory(slot, event, int(args[1]), Tag::Dir1),
            libc::SYS_fchdir => self.use_directory(slot, event, int(args[0]), Tag::Cwd),
            libc::SYS_chdir if !event.has(Tag::Cwd) => self.change_directory(slot, event),
            libc::SYS_setpgid if args[0] as u32 != 0 => {
                self.set_group(slot, args[0] as u32, args[1] as u32);
            }
            libc::SYS_setsid if !event.has(Tag::Process) => {
                let pid = self.processes.get(slot).map_or(0, |process| process.pid);
                self.change(slot, |version| {
                    version.ids.sid = pid;
                    version.ids.pgid = pid;
                    version.ids.vsid = version.ids.vpid;
                    version.ids.vpgid = version.ids.vpid;
                    version.ids.tty = 0;
                });
            }
            libc::SYS_setuid
            | libc::SYS_setreuid
            | libc::SYS_setresuid
            | libc::SYS_setfsuid
            | libc::SYS_setgid
            | libc::SYS_setregid
            | libc::SYS_setresgid
            | libc::SYS_setfsgid
                if !event.has(Tag::Process) =>
            {
                self.change_thread(thread, |version| {
                    set_ids(&mut version.credentials, call, args);
                });
            }
            _ => {}
        }
        self.seen(thread, event, wanted)
    }

    /// Takes in what the kernel says of a thread and its process now.
    fn refresh(&mut self, thread: u32, facts: &Process) {
        let Some(entry) = self.threads.get(thread) else {
            return;
        };
        let (slot, own) = (entry.process, entry.own);
        let Some(process) = self.processes.get(slot) else {
            return;
        };
        let (latest, is_first) = (process.latest, process.pid == entry.tid);
        let Some(version) = self.versions.get(latest.0) else {
            return;
        };
        let mut ids = Ids::of(facts);
        if !is_first {
            // Limits and terminal are the process's; vpid is as well.
            ids.vpid = version.ids.vpid;
        }
        let known = KNOWS_IDS | KNOWS_CREDENTIALS;
        if version.ids != ids || version.known & KNOWS_IDS == 0 {
            let parent = if version.ids.ppid == ids.ppid {
                version.parent
            } else {
                self.live_process(ids.ppid)
                    .map_or(ProcessRef::NONE, |parent| self.reference(parent))
            };
            self.change(slot, |version| {
                version.ids = ids;
                version.parent = parent;
                version.known |= KNOWS_IDS;
            });
        }
        let credentials = Credentials::of(facts);
        let current = if own.0 == NONE { latest } else { own };
        if self.versions.get(current.0).is_some_and(|version| {
            version.credentials != credentials || version.known & known != known
        }) {
            self.change_thread(thread, |version| {
                version.credentials = credentials;
                version.known |= KNOWS_CREDENTIALS;
            });
        }
    }

    fn move_to(&mut self, slot: u32, cwd: &[u8]) {
        let latest = self.processes.get(slot).map(|process| process.latest);
        let same = latest
            .and_then(|latest| self.versions.get(latest.0))
            .is_some_and(|version| **version.cwd == *cwd && version.known & KNOWS_CWD != 0);
        if !same {
            let cwd = self.directory(cwd);
            self.change(slot, |version| {
                version.cwd = cwd.clone();
                version.known |= KNOWS_CWD;
            });
        }
    }

    fn change_directory(&mut self, slot: u32, event: &Recorded<'_>) {
        let Some(raw) = event.text(Tag::Path0) else {
            return;
        };
        let latest = self.processes.get(slot).map(|process| process.latest);
        let Some(version) = latest.and_then(|latest| self.versions.get(latest.0)) else {
            return;
        };
        let base = event.path(Tag::Dir0).unwrap_or(Base::Path(&version.cwd));
        let mut cwd = Vec::new();
        path::resolve(base, raw, &mut cwd);
        self.move_to(slot, &cwd);
    }

    /// `setpgid` on another process: the child with that id in the caller's namespace.
    fn set_group(&mut self, caller: u32, pid: u32, group: u32) {
        let group_pid = |version: &super::ProcessVersion| {
            if group == 0 { version.pid } else { group }
        };
        let Some(target) = self.live_process(pid).filter(|target| {
            *target != caller
                && self
                    .processes
                    .get(*target)
                    .is_some_and(|target| target.parent == caller)
        }) else {
            return;
        };
        self.change(target, |version| {
            // Only where both namespaces are the initial one do the numbers mean the same.
            if version.ids.vpid == version.pid {
                version.ids.pgid = group_pid(version);
                version.ids.vpgid = version.ids.pgid;
            }
        });
    }

    /// Runs with a process's table, whose index may change.
    fn with_table(&mut self, slot: u32, change: impl FnOnce(&mut State, &mut super::TableIndex)) {
        let Some(process) = self.processes.get(slot) else {
            return;
        };
        let mut table = process.table;
        change(self, &mut table);
        if let Some(process) = self.processes.get_mut(slot) {
            process.table = table;
        }
    }

    /// Lets descriptor `fd` be something new.
    fn make(&mut self, slot: u32, fd: i64, close: bool, fill: impl FnOnce(&mut FdInfo)) {
        if !self.keeps(fd) {
            return;
        }
        let Some((index, info)) = self.descriptors.fresh() else {
            // Whatever the number stood for before, it does no more.
            self.with_table(slot, |state, table| {
                state.descriptors.close(table, fd);
            });
            return;
        };
        fill(info);
        self.with_table(slot, |state, table| {
            state.descriptors.put(table, fd, index, close);
        });
    }

    fn open(&mut self, slot: u32, event: &Recorded<'_>, close: bool) {
        if !self.keeps(event.record.header.ret) {
            return;
        }
        let latest = self.processes.get(slot).map(|process| process.latest);
        let cwd = latest
            .and_then(|latest| self.versions.get(latest.0))
            .filter(|version| version.known & KNOWS_CWD != 0 && !event.has(Tag::File))
            .map(|version| version.cwd.clone());
        self.make(slot, event.record.header.ret, close, |info| {
            info.fill(event, Role::None);
            // Gone again before the probe could look: the name the program gave must do.
            if !event.has(Tag::File)
                && let Some(raw) = event.text(Tag::Path0)
            {
                info.kind = FdKind::File;
                let base = match (event.path(Tag::Dir0), &cwd) {
                    (Some(base), _) => base,
                    (None, Some(cwd)) => Base::Path(cwd),
                    (None, None) => Base::Unknown,
                };
                path::resolve(base, raw, &mut info.name);
            }
        });
    }

    fn duplicate(&mut self, slot: u32, event: &Recorded<'_>, from: i64, close: bool) {
        let to = event.record.header.ret;
        if !self.keeps(to) {
            return;
        }
        let table = self.processes.get(slot).map(|process| process.table);
        let index = table.map_or(FdIndex::NONE, |table| self.descriptors.get(table, from));
        let matches = |info: &FdInfo| match (event.file(), event.socket()) {
            (Some(file), _) => file.inode == info.inode || info.inode == 0,
            (None, Some(socket)) => socket.inode == info.inode,
            (None, None) => true,
        };
        if self.descriptors.info(index).is_some_and(matches) {
            self.with_table(slot, |state, table| {
                state.descriptors.put(table, to, index, close);
            });
        } else if event.has(Tag::File) || event.has(Tag::Socket) {
            let role = self.known_role(event);
            self.make(slot, to, close, |info| info.fill(event, role));
        } else {
            self.with_table(slot, |state, table| {
                state.descriptors.close(table, to);
            });
        }
    }

    /// Learns what a new program has as standard input, output and error.
    pub(super) fn take_standard(&mut self, slot: u32, event: &Recorded<'_>) {
        for (fd, pieces) in FdPieces::standard(event).iter().enumerate() {
            let fd = fd as i64;
            let Some(pieces) = pieces else {
                self.with_table(slot, |state, table| {
                    state.descriptors.close(table, fd);
                });
                continue;
            };
            let role = pieces
                .socket
                .map_or(Role::None, |socket| self.role_of(&socket));
            self.make(slot, fd, false, |info| {
                info.clear();
                info.fill_pieces(pieces, role);
            });
        }
    }

    fn known_role(&self, event: &Recorded<'_>) -> Role {
        event
            .socket()
            .map_or(Role::None, |socket| self.role_of(&socket))
    }

    fn role_of(&self, socket: &Socket) -> Role {
        match self.roles.get(socket.inode) {
            Some(role) => role,
            None if socket.local_port != 0 && self.listening.contains_key(&socket.local_port) => {
                Role::Server
            }
            None => Role::None,
        }
    }

    fn pair(&mut self, slot: u32, event: &Recorded<'_>, flags: u64) {
        let close = closes_on_exec(flags);
        let kind = if i64::from(event.record.header.syscall) == libc::SYS_socketpair {
            FdKind::Unix
        } else {
            FdKind::Pipe
        };
        for which in 0..2 {
            if let Some(fd) = event.pair(which) {
                self.make(slot, i64::from(fd), close, |info| info.fill_path(kind, b""));
            }
        }
    }

    fn socket(&mut self, slot: u32, event: &Recorded<'_>, fd: i64, role: Role, close: bool) {
        let Some(socket) = event.socket() else {
            return;
        };
        if role != Role::None {
            self.roles.set(socket.inode, role);
        }
        self.make(slot, fd, close, |info| info.fill(event, role));
    }

    /// Learns of a file through a call that uses it.
    fn use_file(&mut self, slot: u32, event: &Recorded<'_>, fd: i64) {
        if !self.keeps(fd) {
            return;
        }
        let Some(file) = event.file() else {
            return;
        };
        let table = self.processes.get(slot).map(|process| process.table);
        let index = table.map_or(FdIndex::NONE, |table| self.descriptors.get(table, fd));
        let known = self.descriptors.info(index).is_some_and(|info| {
            info.inode == file.inode
                && (info.device == encode::device(file.dev) || info.device == 0)
        });
        if !known {
            self.make(slot, fd, false, |info| info.fill(event, Role::None));
        }
    }

    /// Learns of a directory through a call that starts there.
    fn use_directory(&mut self, slot: u32, event: &Recorded<'_>, fd: i64, tag: Tag) {
        if !self.keeps(fd) {
            return;
        }
        let Some(directory) = event.path(tag) else {
            return;
        };
        let Some(process) = self.processes.get(slot) else {
            return;
        };
        if fd < 0 || self.descriptors.get(process.table, fd) != FdIndex::NONE {
            return;
        }
        let name = absolute(directory);
        self.make(slot, fd, false, |info| {
            info.fill_path(FdKind::Directory, &name)
        });
    }
}

fn int(register: u64) -> i64 {
    i64::from(register as i32)
}

/// `O_CLOEXEC`, `SOCK_CLOEXEC`: the same bit everywhere.
fn closes_on_exec(flags: u64) -> bool {
    flags & libc::O_CLOEXEC as u64 != 0
}

/// Whether a `bpf` command that succeeded returned a descriptor.
fn makes_bpf_descriptor(command: u64) -> bool {
    // BPF_MAP_CREATE, PROG_LOAD, OBJ_GET, *_GET_FD_BY_ID, RAW_TRACEPOINT_OPEN, BTF_LOAD,
    // BTF_GET_FD_BY_ID, LINK_CREATE, LINK_GET_FD_BY_ID, ENABLE_STATS, ITER_CREATE
    matches!(
        command as u32,
        0 | 5 | 7 | 13 | 14 | 17 | 18 | 19 | 28 | 30 | 32 | 33
    )
}

/// Falls back on a call's arguments where the record lacks the credentials they led to.
fn set_ids(credentials: &mut Credentials, call: i64, args: [u64; 6]) {
    let set = |id: &mut u32, arg: u64| {
        if arg as u32 != u32::MAX {
            *id = arg as u32;
        }
    };
    let was_root = credentials.euid == 0;
    match call {
        libc::SYS_setuid => {
            set(&mut credentials.euid, args[0]);
            if was_root {
                set(&mut credentials.uid, args[0]);
                set(&mut credentials.suid, args[0]);
            }
        }
        libc::SYS_setreuid | libc::SYS_setresuid => {
            set(&mut credentials.uid, args[0]);
            set(&mut credentials.euid, args[1]);
            if call == libc::SYS_setresuid {
                set(&mut credentials.suid, args[2]);
            }
        }
        libc::SYS_setgid => {
            set(&mut credentials.egid, args[0]);
            if was_root {
                set(&mut credentials.gid, args[0]);
                set(&mut credentials.sgid, args[0]);
            }
        }
        libc::SYS_setregid | libc::SYS_setresgid => {
            set(&mut credentials.gid, args[0]);
            set(&mut credentials.egid, args[1]);
            if call == libc::SYS_setresgid {
                set(&mut credentials.sgid, args[2]);
            }
        }
        libc::SYS_setfsuid => return set(&mut credentials.fsuid, args[0]),
        libc::SYS_setfsgid => return set(&mut credentials.fsgid, args[0]),
        _ => return,
    }
    credentials.fsuid = credentials.euid;
    credentials.fsgid = credentials.egid;
}
