//! What is kept of a capture's threads beside their versions: how each was made, its memory,
//! which threads are one process, and who is whose parent.
//!
//! The rules are Falco's, so that a capture means here what it means there: a process counts its
//! living threads, and its first thread stays known until the last of them has ended.

use super::flags;
use crate::state::slab::{IdTable, NONE, Slab};
use crate::state::table::TableIndex;
use crate::state::version::{ProcessRef, ProcessVersion};
use crate::state::{Map, State, facts::Start};
use std::collections::VecDeque;

/// So many threads that have ended are remembered, for clones that tell of them late.
const GONE_MAX: usize = 8192;
/// A clone that tells of a thread tells so at most this long after its end.
const GONE_NS: u64 = 2_000_000_000;
/// No chain of parents is followed further.
const ANCESTORS_MAX: usize = 1024;

/// An id that says that there is none: -1 in Falco.
pub(in crate::state) const NO_ID: u32 = u32::MAX;

/// Memory and page faults of a thread as the last event told them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Size, kB.
    pub size: u32,
    /// Resident, kB.
    pub resident: u32,
    /// Swapped, kB.
    pub swapped: u32,
    /// Page faults that had to wait for a disk.
    pub major_faults: u64,
    /// Page faults that had not.
    pub minor_faults: u64,
}

/// A thread beside its versions.
#[derive(Clone, Copy, Debug)]
pub(in crate::state) struct Kept {
    /// How it was made and what became of it: see [`flags`].
    pub(in crate::state) flags: u32,
    /// Its id in its own pid namespace, or [`NO_ID`].
    pub(in crate::state) vtid: u32,
    pub(in crate::state) memory: Memory,
    /// Its process among the groups; `NONE` for a thread of which nobody knows the process.
    pub(in crate::state) group: u32,
    next: u32,
    previous: u32,
}

/// Of a thread of which nothing is kept.
static NOTHING_KEPT: Kept = Kept::new(
    0,
    NO_ID,
    Memory {
        size: 0,
        resident: 0,
        swapped: 0,
        major_faults: 0,
        minor_faults: 0,
    },
);

impl Kept {
    pub(super) const fn new(flags: u32, vtid: u32, memory: Memory) -> Kept {
        Kept {
            flags,
            vtid,
            memory,
            group: NONE,
            next: NONE,
            previous: NONE,
        }
    }

    pub(in crate::state) fn is_dead(&self) -> bool {
        self.flags & flags::CLOSED != 0
    }

    pub(super) fn is_in_pid_namespace(&self, tid: u32) -> bool {
        self.flags & flags::CHILD_IN_PIDNS != 0 || self.vtid != NO_ID && self.vtid != tid
    }
}

/// The threads of one process.
#[derive(Clone, Copy, Debug)]
pub(in crate::state) struct Group {
    pid: u32,
    /// How many of them have not ended.
    pub(in crate::state) alive: u32,
    /// It inherits the children of descendants that end.
    pub(super) is_reaper: bool,
    first: u32,
    last: u32,
}

/// A thread whose end takes effect with the next event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    pub(super) thread: ProcessRef,
    /// Who inherits its children, as the kernel says; [`NO_ID`] or 0 if it does not.
    pub(super) reaper: u32,
}

/// All of it. See the module's description.
#[derive(Clone, Debug)]
pub(in crate::state) struct Threads {
    /// By place among the processes.
    kept: Vec<Kept>,
    groups: Slab<Group>,
    by_pid: Map<u32, u32>,
    pub(super) exiting: Option<Exit>,
    /// When a child of that parent and of that id ended.
    gone: Map<(u32, u32), u64>,
    gone_in_order: VecDeque<((u32, u32), u64)>,
    /// Parents and processes of the threads listed at the start are linked.
    pub(in crate::state) is_linked: bool,
}

impl Threads {
    pub(in crate::state) fn new(threads_max: usize) -> Threads {
        Threads {
            kept: Vec::new(),
            groups: Slab::new(threads_max),
            by_pid: Map::default(),
            exiting: None,
            gone: Map::default(),
            gone_in_order: VecDeque::new(),
            is_linked: false,
        }
    }

    #[inline]
    pub(in crate::state) fn get(&self, slot: u32) -> &Kept {
        self.kept.get(slot as usize).unwrap_or(&NOTHING_KEPT)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Kept> {
        self.kept.get_mut(slot as usize)
    }

    fn set(&mut self, slot: u32, kept: Kept) {
        let place = slot as usize;
        if self.kept.len() <= place {
            let none = Kept::new(0, NO_ID, Memory::default());
            self.kept.resize(place + 1, none);
        }
        self.kept[place] = kept;
    }

    pub(in crate::state) fn group_of(&self, slot: u32) -> Option<Group> {
        self.groups.get(self.get(slot).group).copied()
    }

    pub(super) fn group_mut(&mut self, slot: u32) -> Option<&mut Group> {
        let group = self.get(slot).group;
        self.groups.get_mut(group)
    }

    /// Puts a thread into its process, the first thread in front. (A capture may list one that has
    /// ended, whose process goes on.)
    fn join(&mut self, slot: u32, pid: u32, is_first: bool, is_reaper: bool) {
        let is_dead = self.get(slot).is_dead();
        let known = self.by_pid.get(&pid).copied();
        let index = match known.filter(|index| self.groups.get(*index).is_some()) {
            Some(index) => index,
            None => {
                let group = Group {
                    pid,
                    alive: 0,
                    is_reaper,
                    first: NONE,
                    last: NONE,
                };
                let Some(index) = self.groups.insert(group) else {
                    return;
                };
                self.by_pid.insert(pid, index);
                index
            }
        };
        let Some(group) = self.groups.get_mut(index) else {
            return;
        };
        group.alive += u32::from(!is_dead);
        let (next, previous) = if is_first {
            (std::mem::replace(&mut group.first, slot), NONE)
        } else {
            (NONE, std::mem::replace(&mut group.last, slot))
        };
        if next == NONE {
            group.last = slot;
        }
        if previous == NONE {
            group.first = slot;
        }
        if let Some(next) = self.get_mut(next) {
            next.previous = slot;
        }
        if let Some(previous) = self.get_mut(previous) {
            previous.next = slot;
        }
        if let Some(kept) = self.get_mut(slot) {
            kept.group = index;
            kept.next = next;
            kept.previous = previous;
        }
    }

    /// Takes a thread out of its process's list. The process is forgotten with its last thread,
    /// unless another one is about to come.
    fn leave(&mut self, slot: u32, keeps_process: bool) {
        let kept = *self.get(slot);
        if let Some(next) = self.get_mut(kept.next) {
            next.previous = kept.previous;
        }
        if let Some(previous) = self.get_mut(kept.previous) {
            previous.next = kept.next;
        }
        if let Some(group) = self.groups.get_mut(kept.group) {
            if group.first == slot {
                group.first = kept.next;
            }
            if group.last == slot {
                group.last = kept.previous;
            }
            if group.first == NONE && !keeps_process {
                let pid = group.pid;
                self.groups.remove(kept.group);
                self.by_pid.remove(&pid);
            }
        }
        if let Some(kept) = self.get_mut(slot) {
            kept.group = NONE;
            kept.next = NONE;
            kept.previous = NONE;
        }
    }

    /// Marks a thread as ended, once.
    pub(super) fn end(&mut self, slot: u32) {
        let Some(kept) = self.get_mut(slot).filter(|kept| !kept.is_dead()) else {
            return;
        };
        kept.flags |= flags::CLOSED;
        if let Some(group) = self.group_mut(slot) {
            group.alive = group.alive.saturating_sub(1);
        }
    }

    /// Marks a thread that had ended as living: it was given the id of the one that called exec.
    pub(super) fn revive(&mut self, slot: u32) {
        let Some(kept) = self.get_mut(slot).filter(|kept| kept.is_dead()) else {
            return;
        };
        kept.flags &= !flags::CLOSED;
        if let Some(group) = self.group_mut(slot) {
            group.alive += 1;
        }
    }

    /// The threads of the process of the thread in that place, in order.
    pub(super) fn of_group(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.group_of(slot).map_or(NONE, |group| group.first);
        let mut next = first;
        std::iter::from_fn(move || {
            let slot = (next != NONE).then_some(next)?;
            next = self.get(slot).next;
            Some(slot)
        })
    }

    fn first_alive(&self, slot: u32, other_than: u32) -> Option<u32> {
        self.group_of(slot).filter(|group| group.alive > 0)?;
        self.of_group(slot)
            .find(|slot| *slot != other_than && !self.get(*slot).is_dead())
    }

    /// Remembers that a thread has ended.
    pub(super) fn remember_gone(&mut self, parent: u32, tid: u32, time: u64) {
        if self.gone_in_order.len() >= GONE_MAX
            && let Some((oldest, then)) = self.gone_in_order.pop_front()
            && self.gone.get(&oldest) == Some(&then)
        {
            self.gone.remove(&oldest);
        }
        self.gone.insert((parent, tid), time);
        self.gone_in_order.push_back(((parent, tid), time));
    }

    /// Whether such a thread has ended just before that time.
    pub(super) fn has_just_gone(&self, parent: u32, tid: u32, time: u64) -> bool {
        self.gone
            .get(&(parent, tid))
            .is_some_and(|then| time.saturating_sub(*then) < GONE_NS)
    }

    /// Takes a thread out altogether.
    pub(in crate::state) fn withdraw(&mut self, slot: u32) {
        if self.get(slot).group != NONE {
            self.end(slot);
            self.leave(slot, false);
        }
    }
}

impl State {
    /// What is kept of a thread of a capture.
    #[inline]
    pub(in crate::state) fn kept(&self, slot: u32) -> &Kept {
        self.captured.get(slot)
    }

    pub(super) fn latest(&self, slot: u32) -> Option<&ProcessVersion> {
        self.versions.get(self.processes.get(slot)?.latest.0)
    }

    /// Whether nobody knows of what process the thread is.
    pub(super) fn is_invalid(&self, slot: u32) -> bool {
        self.latest(slot).is_none_or(|version| {
            version.pid > i32::MAX as u32 || version.ids.ppid > i32::MAX as u32
        })
    }

    /// The place of the first thread of the process of the thread in that place, if it is known.
    pub(in crate::state) fn first_place(&self, slot: u32) -> Option<u32> {
        let pid = self.latest(slot)?.pid;
        if self.processes.get(slot)?.pid == pid {
            return Some(slot);
        }
        let group = self.kept(slot).group;
        let first = self.live_process(pid)?;
        (group != NONE && self.kept(first).group == group).then_some(first)
    }

    /// Adds a thread in place of one that had its id.
    pub(super) fn add_captured(
        &mut self,
        tid: u32,
        version: ProcessVersion,
        kept: Kept,
        table: TableIndex,
    ) -> Option<u32> {
        if !IdTable::holds(tid) {
            self.counters.bad_ids += 1;
            self.descriptors.abandon(table);
            return None;
        }
        if let Some(old) = self.live_process(tid) {
            let pid = version.pid;
            self.overwrite(old, pid);
        }
        let start = Start::Exact(version.start_time);
        let slot = self.add_keyed_process(tid, version, start, table)?;
        self.captured.set(slot, kept);
        self.mark_namespace(slot);
        if self.captured.is_linked {
            self.link_captured(slot);
        } else {
            self.unlink_child(slot);
        }
        self.generation += 1;
        Some(slot)
    }

    /// Takes over into the version what is kept of the pid namespace. Only for a version that
    /// the event at hand has made.
    pub(super) fn mark_namespace(&mut self, slot: u32) {
        let (Some(tid), kept) = (
            self.processes.get(slot).map(|process| process.pid),
            self.kept(slot),
        ) else {
            return;
        };
        let is_inside = kept.is_in_pid_namespace(tid);
        if self
            .latest(slot)
            .is_some_and(|version| version.is_in_pid_namespace() != is_inside)
        {
            self.change(slot, |version| version.set_in_pid_namespace(is_inside));
        }
    }

    /// Puts a thread into its process and under its parent. One whose parent is not known is
    /// given none.
    pub(super) fn link_captured(&mut self, slot: u32) {
        let Some(process) = self.processes.get(slot) else {
            return;
        };
        let tid = process.pid;
        let Some((pid, ptid, vpid)) = self
            .latest(slot)
            .map(|version| (version.pid, version.ids.ppid, version.ids.vpid))
        else {
            return;
        };
        self.unlink_child(slot);
        if self.is_invalid(slot) || self.kept(slot).group != NONE {
            return;
        }
        self.captured
            .join(slot, pid, tid == pid, pid == 1 || vpid == 1);
        if pid == 1 {
            return;
        }
        let parent = self
            .live_process(ptid)
            .filter(|parent| *parent != slot && !self.is_invalid(*parent));
        match parent {
            Some(parent) => {
                let reference = self.reference(parent);
                if self
                    .latest(slot)
                    .is_some_and(|version| version.parent != reference)
                {
                    self.change(slot, |version| version.parent = reference);
                }
                self.link_child(parent, slot);
            }
            None => self.change(slot, |version| {
                version.ids.ppid = 0;
                version.parent = ProcessRef::NONE;
            }),
        }
    }

    /// Links what the capture says was there at the start.
    pub(super) fn link_all(&mut self) {
        self.captured.is_linked = true;
        for slot in 0..self.processes.places() {
            if self
                .processes
                .get(slot)
                .is_some_and(super::super::Process::is_alive)
            {
                self.link_captured(slot);
            }
        }
        self.generation += 1;
    }

    /// Takes a thread out for one with the same id of which it is not known what it has to do with
    /// it: its process goes on counting it, and its children go on naming it.
    fn overwrite(&mut self, slot: u32, pid: u32) {
        while let Some(child) = self.processes.get(slot).map(|process| process.first_child)
            && child != NONE
        {
            self.unlink_child(child);
        }
        let is_same = self.latest(slot).is_some_and(|version| version.pid == pid);
        self.captured.leave(slot, is_same);
        self.end_process(slot, self.number.saturating_sub(1), 0);
    }

    /// Takes out the thread whose end the event before told.
    pub(super) fn finish_exit(&mut self) {
        let Some(exit) = self.captured.exiting.take() else {
            return;
        };
        let slot = exit.thread.slot;
        let alive = self
            .processes
            .get(slot)
            .is_some_and(super::super::Process::is_alive);
        if alive && self.reference(slot) == exit.thread {
            self.remove_captured(slot, exit.reaper);
        }
    }

    /// Takes a thread out of what lives from this event on, and gives its children to whom the
    /// kernel names or who, as far as is known, inherits them. A first thread stays while others
    /// of its process live.
    pub(super) fn remove_captured(&mut self, slot: u32, reaper: u32) {
        let last = self.number.saturating_sub(1);
        if self.kept(slot).group == NONE {
            self.end_process(slot, last, 0);
            return;
        }
        self.captured.end(slot);
        self.give_children(slot, reaper);
        let first = self.first_place(slot);
        if self
            .captured
            .group_of(slot)
            .is_some_and(|group| group.alive == 0)
        {
            if let Some(first) = first.filter(|first| *first != slot) {
                self.end_process(first, last, 0);
            }
        } else if first == Some(slot) {
            return;
        }
        self.end_process(slot, last, 0);
    }

    fn give_children(&mut self, slot: u32, reaper: u32) {
        if self
            .processes
            .get(slot)
            .is_none_or(|process| process.first_child == NONE)
        {
            return;
        }
        let named = match reaper {
            0 | NO_ID => None,
            tid => self.captured_thread_of(tid),
        };
        let heir = named
            .filter(|heir| *heir != slot && !self.is_invalid(*heir))
            .or_else(|| self.find_reaper(slot));
        let (tid, reference) = match heir {
            Some(heir) => (
                self.processes.get(heir).map_or(0, |process| process.pid),
                self.reference(heir),
            ),
            None => (0, ProcessRef::NONE),
        };
        if let Some(heir) = heir
            && self.kept(heir).group != self.kept(slot).group
            && let Some(group) = self.captured.group_mut(heir)
        {
            group.is_reaper = true;
        }
        while let Some(child) = self.processes.get(slot).map(|process| process.first_child)
            && child != NONE
        {
            self.unlink_child(child);
            self.change(child, |version| {
                version.ids.ppid = tid;
                version.parent = reference;
            });
            if let Some(heir) = heir {
                self.link_child(heir, child);
            }
        }
    }

    /// Who inherits a thread's children where the kernel does not say: another thread of the
    /// process, else the nearest ancestor in the same kind of pid namespace whose process
    /// inherits children.
    fn find_reaper(&self, slot: u32) -> Option<u32> {
        if let Some(other) = self.captured.first_alive(slot, slot) {
            return Some(other);
        }
        let is_inside = |version: &ProcessVersion| version.is_in_pid_namespace();
        let version = self.latest(slot)?;
        let inside = is_inside(version);
        let mut parent = self.live_process(version.ids.ppid);
        for _ in 0..ANCESTORS_MAX {
            let place = parent.filter(|parent| *parent != slot)?;
            let version = self.latest(place)?;
            if is_inside(version) != inside {
                return None;
            }
            if self
                .captured
                .group_of(place)
                .is_some_and(|group| group.is_reaper)
                && let Some(heir) = self.captured.first_alive(place, slot)
            {
                return Some(heir);
            }
            parent = self.live_process(version.ids.ppid);
        }
        None
    }
}
