//! What events of captures change: the state as Falco derives it, from parameters alone.
//!
//! In Falco every thread is a process of its own, with its own name, program and ids, and only
//! descriptors and a few things more are the first thread's. So that captures mean here what they
//! mean there, each thread of a capture is a place among the processes: its key is the thread
//! id, [`super::version::ProcessVersion::pid`] the id of its process, and its parent the thread
//! that made it. The table of threads stays empty.

mod birth;
mod descriptors;
mod exec;
pub(super) mod flags;
mod lifecycle;
mod names;
mod seed;
mod threads;

pub use threads::Memory;
pub(super) use threads::Threads;

pub(crate) use descriptors::polled_descriptors;
pub(super) use descriptors::{Interfaces, Unsettled};

use super::descriptor::FdIndex;
use super::note::Note;
use super::slab::IdTable;
use super::version::VersionIndex;
use super::{Seen, State};
use crate::event::{Captured, Purpose};
use saker_rules_schema::event::{EventType, SKIPS_RESET};

impl State {
    pub(super) fn apply_captured(&mut self, event: &Captured<'_>, wanted: bool) -> Seen {
        let last_time = self.last_time.replace(event.time).unwrap_or(event.time);
        let since_last_ns = event.time.saturating_sub(last_time);
        if !self.captured.is_linked {
            self.link_all();
        }
        self.finish_exit();
        self.close_pending();
        if !self.unsettled.is_empty() {
            self.settle_roles();
        }
        let mut saw = Saw::NOTHING;
        let slot = self.captured_thread(event);
        match event.purpose {
            Purpose::Judged | Purpose::Hidden => {}
            // Its end brings along what it says.
            Purpose::Beginning => return Seen::NONE,
        }
        match slot {
            Some(slot) => {
                self.apply_descriptors(slot, event, &mut saw);
                self.apply_lifecycle(slot, event);
            }
            None => self.apply_names(event),
        }
        let told = match slot {
            Some(_) => VersionIndex::NONE,
            None => self.apply_container(event, wanted),
        };
        Seen {
            told,
            ..self.seen_captured(slot, event, saw, since_last_ns, wanted)
        }
    }

    /// The place of the event's thread, made known if it was not; none for an event that is of
    /// no thread, or that does not make one known.
    fn captured_thread(&mut self, event: &Captured<'_>) -> Option<u32> {
        let tid = id(event.tid);
        match event.kind {
            EventType::Clone | EventType::Clone3 | EventType::Fork | EventType::Vfork => {
                self.apply_clone_captured(event)
            }
            EventType::Procexit | EventType::Switch => self.live_process(tid),
            EventType::Container
            | EventType::Useradded
            | EventType::Userdeleted
            | EventType::Groupadded
            | EventType::Groupdeleted
            | EventType::Pluginevent
            | EventType::Asyncevent => None,
            kind if kind.flags() & SKIPS_RESET != 0 => match kind {
                EventType::Procinfo => self.live_process(tid),
                _ => None,
            },
            _ if tid == threads::NO_ID && event.tid == -1 => None,
            _ => {
                let slot = self.captured_thread_of(tid);
                if slot.is_none() && !IdTable::holds(tid) {
                    self.counters.events_of_bad_ids += 1;
                    self.counters.first_unread.get_or_insert(event.number);
                }
                slot
            }
        }
    }

    /// What the event sees, after it was applied.
    fn seen_captured(
        &mut self,
        slot: Option<u32>,
        event: &Captured<'_>,
        saw: Saw,
        since_last_ns: u64,
        wanted: bool,
    ) -> Seen {
        if let Some(process) = slot.and_then(|slot| self.processes.get_mut(slot)) {
            process.used = true;
        }
        if !wanted {
            return Seen::NONE;
        }
        let mut seen = Seen::NONE;
        let mut others = Box::default();
        if let Some(slot) = slot
            && let Some(version) = self.processes.get(slot).map(|process| process.latest)
        {
            seen.version = version;
            seen.vtid = self.kept(slot).vtid;
            seen.fd = saw.fd;
            seen.standard = self.captured_standard(slot);
            if self.noted.others || opens(event.kind) {
                others = self.named_descriptors(slot, event);
            }
        }
        if self.noted.counts || self.noted.kinds || !others.is_empty() {
            let mut note = Note {
                number: event.number,
                since_last_ns,
                fd_name_changed: saw.fd_name_changed,
                others,
                ..Note::default()
            };
            if let Some(slot) = slot {
                self.fill_note(slot, &mut note);
            }
            self.notes.push_back(note);
        }
        seen
    }

    /// Notes what is asked for of a thread and its process.
    fn fill_note(&mut self, slot: u32, note: &mut Note) {
        if self.noted.counts {
            let first = self.first_place(slot);
            note.threads = self.captured.group_of(slot).map_or(0, |group| group.alive);
            let has_first = first.is_some_and(|first| !self.kept(first).is_dead());
            note.other_threads = note.threads.saturating_sub(has_first.into());
            note.memory = self.kept(slot).memory;
            note.descriptors = self.captured_fd_count(slot);
        }
        if self.noted.kinds {
            note.kinds = self.captured_kinds(slot);
        }
    }
}

/// Whether it opens a path.
fn opens(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::Open | EventType::Openat | EventType::Openat2 | EventType::Creat
    )
}

/// An id as the state keeps it: what is no id of a thread is [`threads::NO_ID`], -1 in Falco.
fn id(id: i64) -> u32 {
    u32::try_from(id).unwrap_or(threads::NO_ID)
}

/// What applying an event found out for the event itself.
struct Saw {
    /// The descriptor the event is about.
    fd: FdIndex,
    /// The event gave the descriptor a name, or another one.
    fd_name_changed: bool,
}

impl Saw {
    const NOTHING: Saw = Saw {
        fd: FdIndex::NONE,
        fd_name_changed: false,
    };

    /// The event made that descriptor.
    fn makes(&mut self, fd: FdIndex) {
        self.fd = fd;
    }
}

#[cfg(test)]
mod tests;
