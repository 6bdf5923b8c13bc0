//! What events of captures change: the state as Falco derives it, from parameters alone.
//!
//! In Falco every thread is a process of its own, with its own name, program and ids, and only
//! descriptors and a few things more are the first thread's. So that captures mean here what they
//! mean there, each thread of a capture is a place among the processes: its key is the thread
//! id, [`super::version::ProcessVersion::pid`] the id of its process, and its parent the thread
//! that made it. The table of threads stays empty.

mod descriptors;
mod lifecycle;
mod seed;

use super::descriptor::FdIndex;
use super::note::Note;
use super::{Role, Seen, State};
use crate::event::Captured;

impl State {
    pub(super) fn apply_captured(&mut self, event: &Captured<'_>, wanted: bool) -> Seen {
        let since_last_ns = event.time.saturating_sub(self.last_time);
        self.last_time = event.time;
        let Some(slot) = self.captured_thread(event) else {
            return Seen::NONE;
        };
        let mut saw = Saw::default();
        self.apply_descriptors(slot, event, &mut saw);
        self.apply_lifecycle(slot, event, &mut saw);
        self.seen_captured(slot, event, saw, since_last_ns, wanted)
    }

    /// The place of the event's thread, made known if it was not.
    fn captured_thread(&mut self, event: &Captured<'_>) -> Option<u32> {
        let tid = u32::try_from(event.tid).ok()?;
        if let Some(slot) = self.live_process(tid) {
            return Some(slot);
        }
        self.counters.unknown_threads += 1;
        let version = self.blank(tid, 0, event.number);
        self.add_process(
            version,
            super::facts::Start::Exact(0),
            super::TableIndex::NONE,
        )
    }

    /// What the event sees, after it was applied.
    fn seen_captured(
        &mut self,
        slot: u32,
        event: &Captured<'_>,
        saw: Saw,
        since_last_ns: u64,
        wanted: bool,
    ) -> Seen {
        let Some(process) = self.processes.get_mut(slot) else {
            return Seen::NONE;
        };
        process.used = true;
        if !wanted {
            return Seen::NONE;
        }
        let version = process.latest;
        let table = process.table;
        let fd = match event.descriptor() {
            Some(fd) => self.descriptors.get(table, fd),
            None => FdIndex::NONE,
        };
        self.notes.push_back(Note {
            number: event.number,
            since_last_ns,
            fd_name_changed: saw.fd_name_changed,
            others: saw.others.into(),
            ..Note::default()
        });
        Seen {
            version,
            fd,
            standard: self.descriptors.standard(table),
            vtid: 0,
            role: Role::None,
        }
    }
}

/// What applying an event found out for the event itself.
#[derive(Default)]
struct Saw {
    /// The event gave the descriptor a name, or another one.
    fd_name_changed: bool,
    /// Descriptors the event names beside the one it is about.
    others: Vec<(i64, FdIndex)>,
}
