//! Captures as a source: entries for the state, events for a batch.
//!
//! The format is `saker-capture`'s; here its events become those of Falco's current table.

use super::merge::Batch;
use crate::event::captured;
use saker_capture::{CaptureError, Entry, Event, Reader};
use saker_rules_schema::event::EventType;
use std::io::Read;

/// What a capture had that gives no event, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Events of codes that Falco's table does not have.
    pub unknown: u64,
    /// Events of old versions of the table that nothing leads on from.
    pub unconverted: u64,
    /// Events that the recorder kept for the state alone.
    pub hidden: u64,
}

impl std::ops::AddAssign for Skipped {
    fn add_assign(&mut self, more: Skipped) {
        self.unknown += more.unknown;
        self.unconverted += more.unconverted;
        self.hidden += more.hidden;
    }
}

/// A capture being read.
pub struct Capture<R> {
    reader: Reader<R>,
    skipped: Skipped,
}

impl<R: Read> Capture<R> {
    /// Begins to read.
    pub fn new(reader: Reader<R>) -> Capture<R> {
        Capture {
            reader,
            skipped: Skipped::default(),
        }
    }

    /// What gave no event so far.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// The reader, for its counts.
    pub fn reader(&self) -> &Reader<R> {
        &self.reader
    }

    /// Reads on until the batch has `events_max` events or `bytes_max` bytes. What is no event is
    /// for `entry` to take, together with the batch so far, whose events come before it and are to
    /// be applied and taken out first. `false`: the capture has ended.
    pub fn read<E: From<CaptureError>>(
        &mut self,
        batch: &mut Batch,
        events_max: usize,
        bytes_max: usize,
        mut entry: impl FnMut(&mut Batch, &Entry<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        while batch.len() < events_max && batch.bytes() < bytes_max {
            match self.reader.next()? {
                None => return Ok(false),
                Some(Entry::Event(event)) => take(&event, batch, &mut self.skipped),
                Some(other) => entry(batch, &other)?,
            }
        }
        Ok(true)
    }
}

fn take(event: &Event<'_>, batch: &mut Batch, skipped: &mut Skipped) {
    match EventType::from_code(event.code) {
        Some(kind) => batch.push_captured(event.time, |out| {
            let param = |index| event.params.get(index).unwrap_or_default();
            let count = event.params.len();
            captured::write(kind, event.cpu, event.time, event.tid, count, param, out);
        }),
        None => skipped.unknown += 1,
    }
}
