//! Who a process's ancestors and leaders were at a given event.

use super::slab::NONE;
use super::version::{ProcessRef, ProcessVersion, VersionIndex};
use super::{Process, State};
use saker_rules_schema::field::LINEAGE_MAX;

/// No chain of former owners of a process id is followed further.
const PREDECESSORS_MAX: usize = 64;

/// Ancestors, nearest first, as they were at one event.
#[derive(Clone, Debug)]
pub struct Lineage<'a> {
    state: &'a State,
    current: Option<&'a ProcessVersion>,
    number: u64,
    left: usize,
}

impl<'a> Iterator for Lineage<'a> {
    type Item = &'a ProcessVersion;

    fn next(&mut self) -> Option<&'a ProcessVersion> {
        self.left = self.left.checked_sub(1)?;
        self.current = self.state.parent(self.current?, self.number);
        self.current
    }
}

impl State {
    /// The ancestors of a version as of the event with that number. In a capture those of the
    /// first thread of its process, and none if that is not known.
    pub fn lineage<'a>(&'a self, version: &'a ProcessVersion, number: u64) -> Lineage<'a> {
        Lineage {
            state: self,
            current: self.first_thread(version, number),
            number,
            left: LINEAGE_MAX,
        }
    }

    pub(super) fn process(&self, reference: ProcessRef) -> Option<&Process> {
        if self.processes.generation(reference.slot) != reference.generation {
            return None;
        }
        self.processes.get(reference.slot)
    }

    /// The first thread of a version's process as of an event. Only in a capture is it another
    /// version than the one given, or not known.
    #[inline]
    pub fn first_thread<'a>(
        &'a self,
        version: &'a ProcessVersion,
        number: u64,
    ) -> Option<&'a ProcessVersion> {
        if !version.is_captured() {
            return Some(version);
        }
        if self.process(version.process)?.pid == version.pid {
            return Some(version);
        }
        self.process_at(version.pid, number)
    }

    /// The parent of a version as of an event.
    pub fn parent(&self, version: &ProcessVersion, number: u64) -> Option<&ProcessVersion> {
        match self.process(version.parent) {
            Some(parent) if parent.pid == version.ids.ppid => self.as_of(parent, number),
            _ if version.ids.ppid == 0 || version.ids.ppid == version.pid => None,
            _ => self.process_at(version.ids.ppid, number),
        }
    }

    /// The process that had that id at an event, as it was then.
    pub fn process_at(&self, pid: u32, number: u64) -> Option<&ProcessVersion> {
        let mut slot = self.pids.get(pid);
        for _ in 0..PREDECESSORS_MAX {
            let process = self.processes.get(slot)?;
            if process.born <= number {
                return if number <= process.ended {
                    self.as_of(process, number)
                } else {
                    None
                };
            }
            let before = process.predecessor;
            self.process(before)?;
            slot = before.slot;
        }
        None
    }

    pub(super) fn as_of(&self, process: &Process, number: u64) -> Option<&ProcessVersion> {
        let mut version = self.versions.get(process.latest.0)?;
        while version.valid_from > number {
            match self.versions.get(version.older.0) {
                Some(older) => version = older,
                // What was known of it later is the best there is.
                None => break,
            }
        }
        Some(version)
    }

    /// The leader of the version's session at an event: the process of that id or, where it
    /// is gone, the oldest ancestor in the session, which may be the version itself.
    pub fn session_leader<'a>(
        &'a self,
        version: &'a ProcessVersion,
        number: u64,
    ) -> Option<&'a ProcessVersion> {
        if version.is_captured() {
            let looks_up = !version.is_in_pid_namespace();
            return self.captured_leader(version, number, looks_up, |version| version.ids.sid);
        }
        self.leader(version, number, |version| version.ids.sid)
    }

    /// The leader of the version's process group at an event, found alike.
    pub fn group_leader<'a>(
        &'a self,
        version: &'a ProcessVersion,
        number: u64,
    ) -> Option<&'a ProcessVersion> {
        if version.is_captured() {
            return self.captured_leader(version, number, true, |version| version.ids.pgid);
        }
        self.leader(version, number, |version| version.ids.pgid)
    }

    /// The same of the process group as the version's pid namespace numbers it. It is one group,
    /// whichever namespace numbers it, but a capture may tell one of the numbers alone.
    pub fn virtual_group_leader<'a>(
        &'a self,
        version: &'a ProcessVersion,
        number: u64,
    ) -> Option<&'a ProcessVersion> {
        if version.is_captured() {
            let looks_up = !version.is_in_pid_namespace();
            return self.captured_leader(version, number, looks_up, |version| version.ids.vpgid);
        }
        self.group_leader(version, number)
    }

    /// The thread that has the id or, where that cannot be told, the oldest of those ancestors
    /// that follow one upon the other with the id.
    fn captured_leader<'a>(
        &'a self,
        version: &'a ProcessVersion,
        number: u64,
        looks_up: bool,
        id: impl Fn(&ProcessVersion) -> u32,
    ) -> Option<&'a ProcessVersion> {
        let wanted = id(version);
        if wanted == u32::MAX {
            return None;
        }
        if looks_up && let Some(leader) = self.process_at(wanted, number) {
            return Some(leader);
        }
        let mut oldest = None;
        let mut next = self.parent(version, number);
        for _ in 0..LINEAGE_MAX {
            match next {
                Some(ancestor) if id(ancestor) == wanted => {
                    oldest = Some(ancestor);
                    next = self.parent(ancestor, number);
                }
                Some(_) | None => break,
            }
        }
        oldest
    }

    fn leader<'a>(
        &'a self,
        version: &'a ProcessVersion,
        number: u64,
        id: impl Fn(&ProcessVersion) -> u32,
    ) -> Option<&'a ProcessVersion> {
        let wanted = id(version);
        if wanted == 0 {
            return None;
        }
        // A process that has the id by accident is in another session or group.
        if let Some(leader) = self.process_at(wanted, number)
            && id(leader) == wanted
        {
            return Some(leader);
        }
        let mut oldest = Some(version);
        let mut next = self.parent(version, number);
        for _ in 0..LINEAGE_MAX {
            match next {
                Some(ancestor) if id(ancestor) == wanted => {
                    oldest = Some(ancestor);
                    next = self.parent(ancestor, number);
                }
                Some(_) | None => break,
            }
        }
        oldest
    }

    /// A number that tells one set of contributors to a process row from another: the
    /// version, its ancestors and leaders, its container, and what names users.
    pub fn row_stamp(&self, index: VersionIndex, number: u64) -> u64 {
        let Some(version) = self.version(index) else {
            return 0;
        };
        let mut stamp = version.serial;
        let mut mix = |serial: u64| {
            stamp = (stamp.rotate_left(5) ^ serial).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        };
        let mut current = version;
        if version.is_captured() {
            // What a first thread is asked for, threads show; and so they do of their parents.
            let first = self.first_thread(version, number);
            mix(first.map_or(0, |first| first.serial));
            mix(self.parent(version, number).map_or(0, |v| v.serial));
            let leader = self.virtual_group_leader(version, number);
            mix(leader.map_or(0, |v| v.serial));
            current = first.unwrap_or(version);
        }
        for _ in 0..LINEAGE_MAX {
            match self.parent(current, number) {
                Some(parent) => {
                    mix(parent.serial);
                    current = parent;
                }
                None => break,
            }
        }
        mix(self.session_leader(version, number).map_or(0, |v| v.serial));
        mix(self.group_leader(version, number).map_or(0, |v| v.serial));
        mix(self.container_stamp(version, number));
        mix(self.names_generation);
        stamp
    }

    /// The live process of that id.
    pub(super) fn live_process(&self, pid: u32) -> Option<u32> {
        let slot = self.pids.get(pid);
        (slot != NONE && self.processes.get(slot)?.is_alive()).then_some(slot)
    }
}
