//! The making of versions: whatever changes makes a new one, and what events in flight saw
//! stays as it was.

use super::slab::NONE;
use super::version::{ProcessVersion, VersionIndex};
use super::{Retired, State, Thread};

impl State {
    /// Says that rows of other processes may be out of date: a process without children that
    /// leads neither a session nor a group shows in no row but its own. One that was met late
    /// may have children that were met before it and are not linked to it.
    pub(super) fn note_change(&mut self, slot: u32) {
        let Some(process) = self.processes.get(slot) else {
            return;
        };
        let leads = self.versions.get(process.latest.0).is_some_and(|version| {
            version.ids.sid == version.pid
                || version.ids.pgid == version.pid
                // In a capture it may have other threads, or lead what it is not in itself.
                || version.is_captured()
        });
        if process.first_child != NONE || process.asked || leads {
            self.generation += 1;
        }
    }

    /// Gives a process, and those of its threads that have versions of their own, a version
    /// that differs by `change`, valid from the event at hand.
    pub(super) fn change(&mut self, slot: u32, change: impl Fn(&mut ProcessVersion)) {
        let Some(process) = self.processes.get(slot) else {
            return;
        };
        let (latest, diverged, mut thread) =
            (process.latest, process.diverged, process.first_thread);
        self.note_change(slot);
        let changed = self.supersede(latest, &change);
        if let Some(process) = self.processes.get_mut(slot) {
            process.latest = changed;
        }
        let mut left = diverged;
        while left > 0
            && let Some(Thread { own, next, .. }) = self.threads.get(thread)
        {
            let (own, next) = (*own, *next);
            if own != VersionIndex::NONE {
                left -= 1;
                let changed = self.supersede(own, &change);
                if let Some(thread) = self.threads.get_mut(thread) {
                    thread.own = changed;
                }
            }
            thread = next;
        }
    }

    /// Gives one thread a version of its own that differs by `change`.
    pub(super) fn change_thread(&mut self, index: u32, change: impl Fn(&mut ProcessVersion)) {
        let Some(thread) = self.threads.get(index) else {
            return;
        };
        let (own, slot, tid) = (thread.own, thread.process, thread.tid);
        let Some(process) = self.processes.get(slot) else {
            return;
        };
        if own != VersionIndex::NONE {
            let changed = self.supersede(own, &change);
            if let Some(thread) = self.threads.get_mut(index) {
                thread.own = changed;
            }
        } else if tid == process.pid {
            let latest = process.latest;
            self.note_change(slot);
            let changed = self.supersede(latest, &change);
            if let Some(process) = self.processes.get_mut(slot) {
                process.latest = changed;
            }
        } else if let Some(mut version) = self.versions.get(process.latest.0).cloned() {
            change(&mut version);
            version.valid_from = self.number;
            version.older = VersionIndex::NONE;
            version.newer = VersionIndex::NONE;
            self.serial += 1;
            version.serial = self.serial;
            match self.versions.insert(version) {
                Some(fresh) => {
                    if let Some(thread) = self.threads.get_mut(index) {
                        thread.own = VersionIndex(fresh);
                    }
                    if let Some(process) = self.processes.get_mut(slot) {
                        process.diverged += 1;
                    }
                }
                None => self.counters.versions_overwritten += 1,
            }
        }
    }

    fn supersede(
        &mut self,
        index: VersionIndex,
        change: &impl Fn(&mut ProcessVersion),
    ) -> VersionIndex {
        self.serial += 1;
        let (number, serial) = (self.number, self.serial);
        let full = self.versions.is_full();
        let Some(old) = self.versions.get_mut(index.0) else {
            return index;
        };
        let same_event = old.valid_from == number;
        if same_event || full {
            // Made by this very event, so nothing has seen it yet; or there is no room.
            if !same_event {
                self.counters.versions_overwritten += 1;
            }
            change(old);
            old.serial = serial;
            old.row.clear();
            return index;
        }
        let mut fresh = old.clone();
        change(&mut fresh);
        fresh.valid_from = number;
        fresh.serial = serial;
        fresh.older = index;
        fresh.newer = VersionIndex::NONE;
        let Some(place) = self.versions.insert(fresh) else {
            return index;
        };
        if let Some(old) = self.versions.get_mut(index.0) {
            old.newer = VersionIndex(place);
            old.row.clear();
        }
        self.retired
            .push_back((number.saturating_sub(1), Retired::Version(index)));
        VersionIndex(place)
    }

    pub(super) fn free_version(&mut self, index: VersionIndex) {
        let Some(version) = self.versions.remove(index.0) else {
            return;
        };
        if let Some(newer) = self.versions.get_mut(version.newer.0) {
            newer.older = VersionIndex::NONE;
        }
        if let Some(older) = self.versions.get_mut(version.older.0) {
            older.newer = VersionIndex::NONE;
        }
    }
}
