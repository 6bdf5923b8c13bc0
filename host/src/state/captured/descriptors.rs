//! What captured events do to descriptors, as Falco derives it.
//!
//! A process has one table, its first thread's, which its other threads use. What a table holds
//! never changes: a socket that connects gets another entry, so that an event in flight keeps
//! seeing what it saw. A descriptor that is closed is there until the next event, so that the
//! event that closes it can say what it was.

mod files;
mod interfaces;
mod sockets;

pub(in crate::state) use interfaces::Interfaces;
pub(in crate::state) use sockets::Unsettled;

use super::{Saw, flags};
use crate::event::{Captured, encode};
use crate::state::State;
use crate::state::descriptor::{FdIndex, FdInfo, FdKind, NAME_BYTES_MAX};
use crate::state::note::Kinds;
use crate::state::table::TableIndex;
use saker_rules_schema::event::{EventType, ParamType};

/// `EPOLL_CLOEXEC` and `MFD_CLOEXEC` in Falco's numbering.
const MADE_TO_CLOSE: u64 = 1;
/// Most descriptors of a `poll` that are looked up.
const POLLED_MAX: usize = 4096;

/// Which parameters of each event type are descriptors, as bits by position.
static NAMED: [u32; EventType::COUNT] = {
    let mut table = [0; EventType::COUNT];
    let mut index = 0;
    while index < EventType::COUNT {
        let params = EventType::ALL[index].params();
        let mut param = 0;
        while param < params.len() && param < 32 {
            if matches!(params[param].kind, ParamType::Fd) {
                table[index] |= 1 << param;
            }
            param += 1;
        }
        index += 1;
    }
    table
};

impl State {
    fn table_of(&self, slot: u32) -> TableIndex {
        let owner = self.captured_table(slot);
        let process = owner.and_then(|owner| self.processes.get(owner));
        process.map_or(TableIndex::NONE, |process| process.table)
    }

    /// What a descriptor of that thread stands for.
    pub(super) fn captured_fd(&self, slot: u32, fd: i64) -> FdIndex {
        self.descriptors.get(self.table_of(slot), fd)
    }

    /// What descriptors 0, 1 and 2 of that thread are.
    pub(super) fn captured_standard(&self, slot: u32) -> [FdIndex; 3] {
        self.descriptors.standard(self.table_of(slot))
    }

    /// How many descriptors that thread's process has: its first thread, whoever has a table.
    pub(super) fn captured_fd_count(&self, slot: u32) -> u32 {
        let first = self.first_place(slot);
        let process = first.and_then(|first| self.processes.get(first));
        process.map_or(0, |process| self.descriptors.count(process.table))
    }

    /// The kinds of descriptors that thread has.
    pub(super) fn captured_kinds(&mut self, slot: u32) -> Kinds {
        let table = self.table_of(slot);
        self.descriptors.kinds(table)
    }

    /// Closes what an exec by that thread closes.
    pub(super) fn captured_close_on_exec(&mut self, slot: u32) {
        self.with_captured_table(slot, |descriptors, table| descriptors.close_on_exec(table));
    }

    fn with_captured_table<T>(
        &mut self,
        slot: u32,
        change: impl FnOnce(&mut crate::state::table::Descriptors, &mut TableIndex) -> T,
    ) -> Option<T> {
        let owner = self.captured_table(slot)?;
        let process = self.processes.get_mut(owner)?;
        Some(change(&mut self.descriptors, &mut process.table))
    }

    /// Closes what the event before closed.
    pub(super) fn close_pending(&mut self) {
        if let Some((tid, fd)) = self.closing.take()
            && let Some(slot) = self.live_process(tid)
        {
            self.with_captured_table(slot, |descriptors, table| descriptors.close(table, fd));
        }
    }

    /// Applies an event to the descriptors of the thread in that place.
    pub(super) fn apply_descriptors(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        match event.descriptor(false) {
            Some(fd) => saw.fd = self.captured_fd(slot, fd),
            None => return,
        }
        let result = event.result().unwrap_or(0);
        match event.kind {
            EventType::Open
            | EventType::Creat
            | EventType::Openat
            | EventType::Openat2
            | EventType::OpenByHandleAt => self.apply_open(slot, event, saw),
            EventType::MemfdCreate | EventType::PidfdOpen => self.apply_named(slot, event, saw),
            EventType::Close if result >= 0 && saw.fd != FdIndex::NONE => {
                self.closing = u32::try_from(event.tid).ok().zip(event.signed(1));
            }
            EventType::Dup | EventType::Dup2 if result >= 0 => {
                self.duplicate_captured(slot, result, false, saw);
            }
            EventType::Dup3 if result >= 0 => {
                let to_close = event.unsigned(3).unwrap_or(0) & encode::F_CLOEXEC != 0;
                self.duplicate_captured(slot, result, to_close, saw);
            }
            EventType::Fcntl => self.apply_fcntl(slot, event, saw),
            EventType::PidfdGetfd if result >= 0 => self.apply_pidfd_getfd(slot, event, saw),
            EventType::Pipe | EventType::Pipe2 if result >= 0 => {
                let flags = match event.kind {
                    EventType::Pipe2 => event.unsigned(4).unwrap_or(0),
                    _ => 0,
                };
                let inode = event.unsigned(3).unwrap_or(0);
                for param in [1, 2] {
                    let fd = event.signed(param).unwrap_or(0);
                    let made =
                        self.make_captured(slot, fd, flags & encode::F_CLOEXEC != 0, |info| {
                            info.kind = FdKind::Pipe;
                            info.inode = inode;
                        });
                    saw.makes(made);
                }
            }
            EventType::Socket
            | EventType::Socketpair
            | EventType::Bind
            | EventType::Connect
            | EventType::Accept
            | EventType::Accept4 => self.apply_socket(slot, event, saw),
            EventType::Read
            | EventType::Readv
            | EventType::Pread
            | EventType::Preadv
            | EventType::Recv
            | EventType::Recvfrom
            | EventType::Recvmsg
            | EventType::Recvmmsg
            | EventType::Write
            | EventType::Writev
            | EventType::Pwrite
            | EventType::Pwritev
            | EventType::Send
            | EventType::Sendto
            | EventType::Sendmsg
            | EventType::Sendmmsg => self.apply_transfer(slot, event, saw),
            _ if result >= 0 => {
                if let Some((kind, to_close)) = anonymous(event) {
                    let made = self.make_captured(slot, result, to_close, |info| info.kind = kind);
                    saw.makes(made);
                }
            }
            _ => {}
        }
    }

    /// The place of the thread whose table holds the descriptors of the thread in that place.
    pub(in crate::state) fn captured_table(&self, slot: u32) -> Option<u32> {
        match self.kept(slot).flags & flags::CLONE_FILES {
            0 => Some(slot),
            _ => self.first_place(slot),
        }
    }

    /// Lets a descriptor be something new.
    pub(super) fn make_captured(
        &mut self,
        slot: u32,
        fd: i64,
        close_on_exec: bool,
        fill: impl FnOnce(&mut FdInfo),
    ) -> FdIndex {
        let Some((index, info)) = self.descriptors.fresh() else {
            return FdIndex::NONE;
        };
        fill(info);
        self.put_captured(slot, fd, index, close_on_exec);
        index
    }

    fn put_captured(&mut self, slot: u32, fd: i64, index: FdIndex, close_on_exec: bool) {
        // A call that failed and is kept all the same has its error for a number.
        let key = i32::try_from(fd).map_or(fd, |fd| i64::from(fd as u32));
        let kept = self.with_captured_table(slot, |descriptors, table| {
            descriptors.put(table, key, index, close_on_exec);
        });
        if kept.is_none() {
            self.descriptors.unused(index);
        }
    }

    /// Gives a descriptor an entry that differs by `change` from what it stands for.
    /// Whether there was room for one.
    fn edit(
        &mut self,
        slot: u32,
        fd: i64,
        saw: &mut Saw,
        change: impl FnOnce(&mut FdInfo),
    ) -> bool {
        let table = self.table_of(slot);
        let to_close = self.descriptors.closes_on_exec(table, fd);
        let Some(index) = self.descriptors.copy(saw.fd) else {
            return false;
        };
        if let Some(info) = self.descriptors.info_mut(index) {
            change(info);
            info.name.truncate(NAME_BYTES_MAX);
        }
        let name = |index| self.descriptors.info(index).map(|info| &info.name);
        saw.fd_name_changed = name(saw.fd) != name(index);
        self.put_captured(slot, fd, index, to_close);
        saw.fd = index;
        true
    }

    /// Lets another descriptor stand for what the event is about.
    fn duplicate_captured(&mut self, slot: u32, fd: i64, close_on_exec: bool, saw: &Saw) {
        if saw.fd != FdIndex::NONE {
            self.put_captured(slot, fd, saw.fd, close_on_exec);
        }
    }

    fn apply_fcntl(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        let (Some(fd), Some(command)) = (event.signed(1), event.unsigned(2)) else {
            return;
        };
        match event.duplicate() {
            Some(made) => {
                self.duplicate_captured(slot, made, command == encode::F_DUPFD_CLOEXEC, saw);
            }
            None if command == encode::F_SETFD && event.signed(0) == Some(0) => {
                let to_close = event.unsigned(3).unwrap_or(0) & libc::FD_CLOEXEC as u64 != 0;
                if saw.fd != FdIndex::NONE {
                    self.put_captured(slot, fd, saw.fd, to_close);
                }
            }
            None => {}
        }
    }

    /// What the event's further descriptors stand for.
    pub(super) fn named_descriptors(
        &self,
        slot: u32,
        event: &Captured<'_>,
    ) -> Box<[(i64, FdIndex)]> {
        let mut all = Vec::new();
        let table = self.table_of(slot);
        let mut add = |fd: i64| {
            if fd >= 0 {
                all.push((fd, self.descriptors.get(table, fd)));
            }
        };
        let mut left = NAMED.get(event.kind.index()).copied().unwrap_or(0);
        if let Some(subject) = event.kind.fd_param()
            && !matches!(
                event.kind,
                EventType::Dup | EventType::Dup2 | EventType::Dup3 | EventType::Fcntl
            )
        {
            left &= !(1 << subject.min(31));
        }
        while left != 0 {
            let index = left.trailing_zeros() as usize;
            left &= left - 1;
            if let Some(fd) = event.signed(index) {
                add(fd);
            }
        }
        if matches!(event.kind, EventType::Poll | EventType::Ppoll) {
            let polled = event.bytes(1).unwrap_or_default();
            polled_descriptors(polled).take(POLLED_MAX).for_each(add);
        }
        all.into()
    }

    /// Keeps a descriptor that a capture says was open before its first event.
    pub(super) fn seed_captured_fd(
        &mut self,
        slot: u32,
        descriptor: &saker_capture::Descriptor<'_>,
    ) {
        let to_close = files::closes_on_exec(descriptor);
        let index = self.make_captured(slot, descriptor.fd, to_close, |info| {
            info.fill_captured(descriptor);
        });
        if let Some(info) = self.descriptors.info(index).filter(|info| info.is_held()) {
            self.unsettled.take_in(index, info);
        }
    }
}

/// The descriptors in the list that a `poll` waits for.
pub(crate) fn polled_descriptors(list: &[u8]) -> impl Iterator<Item = i64> + '_ {
    let (count, list) = list.split_first_chunk::<2>().unwrap_or((&[0; 2], &[]));
    let (all, _) = list.as_chunks::<10>();
    all.iter()
        .take(usize::from(u16::from_le_bytes(*count)))
        .filter_map(|one| one.first_chunk().copied().map(i64::from_le_bytes))
}

/// The kind of what such a call makes, and whether exec closes it.
fn anonymous(event: &Captured<'_>) -> Option<(FdKind, bool)> {
    let flag = |param: usize, bit: u64| event.unsigned(param).unwrap_or(0) & bit != 0;
    Some(match event.kind {
        EventType::Eventfd => (FdKind::Event, false),
        EventType::Eventfd2 => (FdKind::Event, flag(1, encode::F_CLOEXEC)),
        EventType::Signalfd => (FdKind::Signal, false),
        EventType::Signalfd4 => (FdKind::Signal, flag(1, encode::F_CLOEXEC)),
        EventType::TimerfdCreate => (FdKind::Timer, false),
        EventType::InotifyInit => (FdKind::Inotify, false),
        EventType::InotifyInit1 => (FdKind::Inotify, flag(1, encode::F_CLOEXEC)),
        EventType::EpollCreate => (FdKind::Epoll, false),
        EventType::EpollCreate1 => (FdKind::Epoll, flag(1, MADE_TO_CLOSE)),
        EventType::Bpf => (FdKind::Bpf, false),
        EventType::Userfaultfd => (FdKind::Userfault, flag(1, encode::F_CLOEXEC)),
        EventType::IoUringSetup => (FdKind::IoUring, false),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
