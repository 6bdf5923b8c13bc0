//! A recording that events are handed to as they come, and what became of it: of the events that
//! nobody asked for it keeps those that change what is known of others, so that what follows
//! means the same as where it was recorded.

use super::{Reason, RecordError, Recording, STDOUT};
use crate::event::Event;
use crate::extract::View;
use crate::state::container::ContainerFacts;
use crate::state::{Learnt, State};
use saker_capture::{Entry, WriteError};
use saker_rules_schema::event::{
    CREATES_FD, Class, EventType, MODIFIES_STATE, READS_FD, WRITES_FD,
};
use std::path::Path;

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Events that were asked for.
    pub events: u64,
    /// Events for the state alone.
    pub hidden: u64,
    /// Events longer than a capture can hold, which were left out.
    pub too_long: u64,
    /// Bytes of all files, before compression.
    pub bytes: u64,
    /// Files there are; 0 where nobody read standard output to its end.
    pub files: u64,
    /// Bytes of those as they lie there.
    pub kept_bytes: u64,
    /// Other files of such names, of an earlier recording.
    pub beside: u64,
    /// Files that had to make room for them.
    pub removed: u64,
    /// Bytes of those.
    pub removed_bytes: u64,
    /// Texts and parameters of which only the beginning was written.
    pub cut: u64,
    /// Entries of a capture's beginning that could not be taken over: they stand elsewhere.
    pub entries_lost: u64,
}

/// A recording at work.
pub struct Recorder {
    recording: Recording,
    takes_plugins: bool,
    is_over: bool,
    is_stdout: bool,
    error: Option<RecordError>,
    entries_lost: u64,
}

impl Recorder {
    /// Hands on to a recording that has just been made.
    pub fn new(recording: Recording) -> Recorder {
        Recorder {
            is_stdout: recording.path == Path::new(STDOUT),
            recording,
            takes_plugins: false,
            is_over: false,
            error: None,
            entries_lost: 0,
        }
    }

    /// Takes events of plugins as well, which no condition can ask for.
    pub fn with_plugins(self) -> Recorder {
        Recorder {
            takes_plugins: true,
            ..self
        }
    }

    /// Whether it wants an event of that type that nobody asks for.
    pub(crate) fn may_want(&self, kind: EventType) -> bool {
        match kind.class() {
            Class::Plugin => self.takes_plugins,
            _ => may_change_state(kind),
        }
    }

    /// Whether nothing more is written.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    fn note(&mut self, written: Result<(), RecordError>) {
        match written {
            Ok(()) => {}
            // Who reads it has had enough.
            Err(RecordError::Write(_, WriteError::Write(error)))
                if self.is_stdout && error.kind() == std::io::ErrorKind::BrokenPipe =>
            {
                self.is_over = true;
            }
            Err(error) => {
                self.is_over = true;
                self.error = Some(error);
            }
        }
    }

    /// Takes over what a capture says of its beginning.
    pub fn entry(&mut self, entry: &Entry<'_>) {
        if self.is_over {
            return;
        }
        let written = self.recording.entry(entry).map(|stands| {
            self.entries_lost += u64::from(!stands);
        });
        self.note(written);
    }

    /// Says that an event of so many bytes came, which may be written.
    #[inline]
    pub fn expect(&mut self, bytes: usize) {
        self.recording.expect(bytes);
    }

    /// Whether all events before are to be taken, so that it is seen how long the file is.
    #[inline]
    pub fn is_to_look(&self) -> bool {
        !self.is_over && self.recording.is_to_look()
    }

    /// Whether [`Recorder::begin`] is to be called before the event at that time is applied, and
    /// after all before it were taken.
    #[inline]
    pub fn is_due(&mut self, time: u64) -> bool {
        !self.is_over && self.recording.is_due(time)
    }

    /// Begins a file at that time with what is known after the event of that number.
    pub fn begin(&mut self, state: &State, number: u64, time: u64) {
        let begun = self.recording.begin(state, number, time);
        self.note(begun);
    }

    /// Takes an event.
    pub fn event(&mut self, view: &View<'_>, reason: Reason) {
        let is_of_plugin = |kind: EventType| kind.class() == Class::Plugin;
        let reason = match view.event.kind().is_some_and(is_of_plugin) {
            // It is known for no state.
            true => Reason::Asked,
            false => reason,
        };
        if self.is_over || reason == Reason::State && !changes_state(view) {
            return;
        }
        let written = self.recording.event(view, reason);
        self.note(written);
        self.is_over |= self.recording.is_full();
    }

    /// Takes what is told of a container.
    pub fn container(&mut self, facts: &ContainerFacts, time: u64) {
        if !self.is_over {
            let written = self.recording.container(facts, time);
            self.note(written);
        }
    }

    /// Takes what a lookup told of a process.
    pub fn process(&mut self, state: &State, learnt: &Learnt) {
        if !self.is_over {
            self.recording.process(state, learnt);
        }
    }

    /// Nothing is awaited any more that events waited for.
    pub fn settle(&mut self) {
        if !self.is_over {
            let written = self.recording.settle();
            self.note(written);
            self.is_over |= self.recording.is_full();
        }
    }

    /// Hands on what a pipe's reader may wait for.
    pub fn pause(&mut self) {
        if self.is_stdout && !self.is_over {
            let flushed = self.recording.flush();
            self.note(flushed);
        }
    }

    /// Ends it. Tells what there is now.
    pub fn finish(mut self) -> Result<Written, RecordError> {
        self.settle();
        if let Some(error) = self.error {
            return Err(error);
        }
        let written = Written {
            events: self.recording.events,
            hidden: self.recording.hidden,
            too_long: self.recording.too_long,
            ..Written::default()
        };
        match self.recording.finish() {
            Ok(written) => Ok(Written {
                entries_lost: self.entries_lost,
                ..written
            }),
            Err(RecordError::Write(_, WriteError::Write(error)))
                if self.is_stdout && error.kind() == std::io::ErrorKind::BrokenPipe =>
            {
                Ok(written)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether an event of that type may change what is known of others, whatever it is about.
fn may_change_state(kind: EventType) -> bool {
    kind.flags() & (MODIFIES_STATE | CREATES_FD | READS_FD | WRITES_FD) != 0
        || matches!(
            kind,
            // Falco takes these in as well, and does not say so in its table.
            EventType::Asyncevent
                | EventType::Brk
                | EventType::Getcwd
                | EventType::Getrlimit
                | EventType::Mmap
                | EventType::Mmap2
                | EventType::Munmap
                | EventType::Prlimit
                | EventType::Setns
                | EventType::Setrlimit
                | EventType::Switch
                | EventType::Unshare
        )
}

/// Whether the event may have changed what is known of others.
fn changes_state(view: &View<'_>) -> bool {
    let kind = match view.event {
        Event::Recorded(event) => event.kind,
        Event::Captured(_) => match view.event.kind() {
            // What is there for the state alone stays so.
            None => return true,
            kind => kind,
        },
    };
    let Some(kind) = kind.filter(|kind| may_change_state(*kind)) else {
        return false;
    };
    let flags = kind.flags();
    let is_transfer = flags & (READS_FD | WRITES_FD) != 0;
    // Of files only what is opened and closed is kept; messages tell whom a socket talks to.
    !is_transfer || flags & (MODIFIES_STATE | CREATES_FD) != 0 || view.is_about_socket()
}
