//! Threads that captured events make: clone, fork and vfork as their two sides tell them, and
//! threads of which nothing told.
//!
//! A clone returns twice, to the creator and to what it made, in any order; either may be
//! missing. What the creator's return makes is taken from the creator, what the child's makes
//! from the process it says it comes from. Where the creator's numbers are not those of the
//! first pid namespace only the child knows its id.

use super::flags;
use super::lifecycle::{memory_at, set_gid, set_uid, with_faults};
use super::threads::{Kept, Memory, NO_ID};
use crate::event::Captured;
use crate::state::State;
use crate::state::facts::{Image, KeptImage};
use crate::state::slab::IdTable;
use crate::state::table::TableIndex;
use crate::state::version::{
    Comm, IS_CAPTURED, KNOWS_CGROUP, KNOWS_COMM, KNOWS_CREDENTIALS, KNOWS_CWD, KNOWS_IDS,
    KNOWS_IMAGE, ProcessRef, ProcessVersion, VersionIndex,
};
use saker_rules_schema::event::EventType;
use std::sync::Arc;

/// A child that was made known so shortly before its own return tells of it is the same one.
const SAME_CHILD_NS: u64 = 2_000_000_000;
/// What Falco calls a thread of which it knows nothing.
const UNKNOWN_NAME: &[u8] = b"<NA>";

pub(super) const KNOWS_ALL: u8 = IS_CAPTURED
    | KNOWS_IMAGE
    | KNOWS_IDS
    | KNOWS_CREDENTIALS
    | KNOWS_CWD
    | KNOWS_CGROUP
    | KNOWS_COMM;

/// Ids of a thread that is made.
struct Birth {
    tid: u32,
    pid: u32,
    ptid: u32,
    vtid: u32,
    vpid: u32,
    flags: u32,
    pid_ns_start_time: u64,
}

impl Birth {
    fn is_thread(&self) -> bool {
        self.flags & flags::CLONE_THREAD != 0
    }
}

impl State {
    /// The place of the thread of that id, made known if it was not.
    pub(super) fn captured_thread_of(&mut self, tid: u32) -> Option<u32> {
        if let Some(slot) = self.live_process(tid) {
            return Some(slot);
        }
        if !IdTable::holds(tid) {
            self.counters.bad_ids += 1;
            return None;
        }
        self.counters.unknown_threads += 1;
        let version = self.unknown(tid);
        self.add_captured(
            tid,
            version,
            Kept::new(0, NO_ID, Memory::default()),
            TableIndex::NONE,
        )
    }

    /// A version of a thread of which nothing is known.
    pub(super) fn blank_captured(&mut self) -> ProcessVersion {
        let mut version = self.blank(NO_ID, 0, self.number);
        version.cwd = Arc::default();
        version.known = KNOWS_ALL;
        version.ids.ppid = NO_ID;
        version.ids.sid = NO_ID;
        version.ids.vsid = NO_ID;
        version.ids.pgid = NO_ID;
        version.ids.vpgid = NO_ID;
        version.ids.vpid = NO_ID;
        version.ids.fd_limit = u64::MAX;
        set_uid(&mut version, u32::MAX);
        set_gid(&mut version, u32::MAX);
        version
    }

    fn unknown(&mut self, _tid: u32) -> ProcessVersion {
        let mut version = self.blank_captured();
        version.comm = Comm::new(UNKNOWN_NAME);
        let mut image = Image {
            arguments: super::seed::area(UNKNOWN_NAME, b""),
            ..Image::default()
        };
        self.bound(&mut image);
        version.image = KeptImage::new(image, &self.image_bytes);
        version
    }

    /// Applies the return of a clone, fork or vfork, and gives the place of the thread it
    /// returned to.
    pub(super) fn apply_clone_captured(&mut self, event: &Captured<'_>) -> Option<u32> {
        let tid = super::id(event.tid);
        match event.signed(0) {
            Some(0) => self.clone_to_child(tid, event),
            Some(child) if child > 0 => self.clone_to_creator(tid, super::id(child), event),
            Some(_) | None => self.live_process(tid),
        }
    }

    fn clone_to_creator(&mut self, tid: u32, child: u32, event: &Captured<'_>) -> Option<u32> {
        let slot = self.captured_thread_of(tid)?;
        let is_known = !self.is_invalid(slot);
        if !is_known {
            let (vtid, vpid) = namespaced(event, tid);
            self.introduce(slot, event, vtid, vpid);
        }
        let flags = event.unsigned(15).unwrap_or(0) as u32;
        let child_alone =
            flags::CLONE_VFORK | flags::CHILD_IN_PIDNS | flags::CLONE_NEWPID | flags::CLONE_PARENT;
        if event.kind == EventType::Vfork || flags & child_alone != 0 || self.kept(slot).vtid != tid
        {
            return Some(slot);
        }
        let version = self.latest(slot)?;
        let mut birth = Birth {
            tid: child,
            pid: child,
            ptid: tid,
            vtid: child,
            vpid: child,
            flags,
            pid_ns_start_time: 0,
        };
        if birth.is_thread() {
            birth.pid = version.pid;
            birth.vpid = version.pid;
            birth.ptid = version.ids.ppid;
            birth.flags |= flags::CLONE_FILES;
        }
        if self.captured.has_just_gone(birth.ptid, child, event.time) {
            return Some(slot);
        }
        if let Some(other) = self.live_process(child) {
            if self.kept(other).flags & flags::CLONE_INVERTED != 0 {
                return Some(slot);
            }
            self.remove_captured(other, NO_ID);
        }
        let model = is_known.then_some(slot);
        self.bear(&birth, model, event);
        if !is_known {
            self.describe(slot, event);
        }
        Some(slot)
    }

    fn clone_to_child(&mut self, tid: u32, event: &Captured<'_>) -> Option<u32> {
        if let Some(slot) = self.live_process(tid) {
            let start = self.latest(slot)?.start_time;
            if start != 0 && event.time.saturating_sub(start) < SAME_CHILD_NS {
                self.settle_container(slot);
                return Some(slot);
            }
            if start != 0 {
                self.remove_captured(slot, NO_ID);
            }
        }
        let id_at = |index: usize| event.signed(index).map_or(NO_ID, super::id);
        let (vtid, vpid) = namespaced(event, tid);
        let mut birth = Birth {
            tid,
            pid: id_at(4),
            ptid: id_at(5),
            vtid,
            vpid,
            flags: event.unsigned(15).unwrap_or(0) as u32 | flags::CLONE_INVERTED,
            pid_ns_start_time: 0,
        };
        let is_inside =
            birth.flags & (flags::CHILD_IN_PIDNS | flags::CLONE_NEWPID) != 0 || vtid != tid;
        if let Some(start) = event.unsigned(20).filter(|_| is_inside) {
            birth.pid_ns_start_time = start;
        }
        let model = if birth.is_thread() {
            birth.flags |= flags::CLONE_FILES;
            birth.pid
        } else {
            birth.ptid
        };
        let mut model = Some(self.captured_thread_of(model)?);
        if let Some(unknown) = model.filter(|model| self.is_invalid(*model)) {
            if birth.is_thread() {
                let pid = birth.pid;
                self.introduce(unknown, event, vpid, vpid);
                self.change(unknown, |version| version.pid = pid);
                self.describe(unknown, event);
            }
            model = None;
        }
        let slot = self.bear(&birth, model, event)?;
        self.settle_container(slot);
        Some(slot)
    }

    /// Gives a thread of which nothing was known the ids that a clone tells.
    fn introduce(&mut self, slot: u32, event: &Captured<'_>, vtid: u32, vpid: u32) {
        let id_at = |index: usize| event.signed(index).map_or(NO_ID, super::id);
        let (pid, ptid) = (id_at(4), id_at(5));
        self.change(slot, |version| {
            version.pid = pid;
            version.ids.ppid = ptid;
            version.ids.vpid = vpid;
        });
        if let Some(kept) = self.captured.get_mut(slot) {
            kept.vtid = vtid;
        }
        self.mark_namespace(slot);
        self.link_captured(slot);
    }

    /// Gives a thread of which nothing was known the name and arguments that a clone tells of
    /// what it made.
    fn describe(&mut self, slot: u32, event: &Captured<'_>) {
        let none = self.no_image.clone();
        let image = self.image_like(&none, b"", event);
        let comm = name(event);
        self.change(slot, |version| {
            version.image = image.clone();
            version.comm = comm;
        });
    }

    /// Makes a thread like `model`, if its process is known, but for what the event says.
    fn bear(&mut self, birth: &Birth, model: Option<u32>, event: &Captured<'_>) -> Option<u32> {
        let is_thread = birth.is_thread();
        let (mut version, memory) = match model.and_then(|model| self.latest(model)) {
            Some(version) => (version.clone(), Memory::default()),
            None => (self.blank_captured(), Memory::default()),
        };
        version.valid_from = self.number;
        version.older = VersionIndex::NONE;
        version.newer = VersionIndex::NONE;
        version.parent = ProcessRef::NONE;
        let first = model.and_then(|model| self.first_place(model));
        let first = first.and_then(|first| self.latest(first));
        version.cwd = match first {
            Some(first) if !is_thread => first.cwd.clone(),
            Some(_) | None => Arc::default(),
        };
        // Only first threads have an environment, and Falco copies that of the very thread that
        // the new one comes from: a process that another thread forks has none until its exec.
        let like = version.image.clone();
        let environment = if is_thread { b"" } else { &*like.environment };
        version.image = self.image_like(&like, environment, event);
        version.pid = birth.pid;
        version.start_time = event.time;
        version.ids.ppid = birth.ptid;
        version.ids.vpid = birth.vpid;
        version.ids.pid_ns_start_time = birth.pid_ns_start_time;
        version.ids.fd_limit = event.signed(7).unwrap_or(-1) as u64;
        version.has_container = false;
        version.has_executed = false;
        version.comm = name(event);
        set_uid(
            &mut version,
            event.unsigned(16).map_or(u32::MAX, |uid| uid as u32),
        );
        set_gid(
            &mut version,
            event.unsigned(17).map_or(u32::MAX, |gid| gid as u32),
        );
        version.cgroup = match event.bytes(14) {
            Some(list) if !list.is_empty() => self.captured_cgroup(list),
            Some(_) | None => self.no_cgroup.clone(),
        };
        let memory = match event.unsigned(12) {
            Some(_) => with_faults(event, 8, memory_at(event, 10, memory)),
            None => memory,
        };
        let table = match model {
            Some(model) if !is_thread => {
                let place = self.captured_table(model);
                let table = place.and_then(|place| self.processes.get(place));
                table.map_or(TableIndex::NONE, |process| process.table)
            }
            Some(_) | None => TableIndex::NONE,
        };
        let table = self.descriptors.share(table);
        let kept = Kept::new(birth.flags, birth.vtid, memory);
        self.add_captured(birth.tid, version, kept, table)
    }

    /// An image that differs by what the event says of arguments, and in its environment.
    /// The same one where it does not.
    fn image_like(
        &mut self,
        image: &Arc<KeptImage>,
        environment: &[u8],
        event: &Captured<'_>,
    ) -> Arc<KeptImage> {
        let exe = event.text(1).unwrap_or_default();
        let args = event.bytes(2).unwrap_or_default();
        if image.exe() == exe && image.tail() == args && *image.environment == *environment {
            return image.clone();
        }
        let mut image = Image {
            arguments: super::seed::area(exe, args),
            environment: environment.into(),
            ..(***image).clone()
        };
        self.bound(&mut image);
        KeptImage::new(image, &self.image_bytes)
    }
}

/// Thread and process as their pid namespace numbers them.
fn namespaced(event: &Captured<'_>, tid: u32) -> (u32, u32) {
    match event.signed(19) {
        Some(vpid) => (event.signed(18).map_or(NO_ID, super::id), super::id(vpid)),
        None => (tid, NO_ID),
    }
}

/// The name that a clone or exec tells; before Falco told it, that of the program.
pub(super) fn name(event: &Captured<'_>) -> Comm {
    Comm::new(event.text(13).or(event.text(1)).unwrap_or_default())
}
