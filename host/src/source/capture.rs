//! Captures as a source: entries for the state, events for a batch.
//!
//! The format is `saker-capture`'s; here its events become those of Falco's current table, each
//! of which has a number of its own. Those that are there for the state alone have one, too:
//! - what the recorder has marked so;
//! - the beginnings of some calls in old captures, of which Falco makes use before it leaves them
//!   out; their end brings along what they say;
//! - users, groups and containers told before anything else, which Falco takes in while it opens
//!   the capture.

mod beginnings;
mod convert;

use super::merge::Batch;
use crate::event::captured::{self, Head, Purpose};
use beginnings::{Beginnings, Limits};
use convert::{Converted, Converter, Outcome};
use saker_capture::{CaptureError, Entry, Event, Reader};
use saker_rules_schema::event::EventType;
use std::io::Read;

/// The flag of an event that the recorder kept for the state alone.
const FOR_STATE: u32 = 1;
/// The beginning of an `execveat`, which may return as an `execve` does.
const EXECVEAT_BEGINS: u16 = EventType::Execveat.code() - 1;

/// What a capture had that is not judged, or not judged as it was, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Events of codes that Falco's table does not have, or in which nothing is any longer.
    pub unknown: u64,
    /// Events of which no version is known that has so many parameters.
    pub unconverted: u64,
    /// Blocks, and entries of lists, that are not as they must be, and are passed over.
    pub damaged: u64,
    /// Blocks of unknown types that stand in front of the first event: readers of captures pass
    /// over them.
    pub unknown_blocks: u64,
    /// Blocks of unknown types behind it, and entries of lists of unknown kinds.
    pub unknown_parts: u64,
    /// Events that are there for the state alone.
    pub hidden: u64,
    /// Beginnings of calls, which are part of the call's end.
    pub merged: u64,
    /// Ends of calls that lack what their beginning says: the one that was kept of their thread
    /// is another call's.
    pub mismatched: u64,
    /// Beginnings of calls that were forgotten for want of room before their end came.
    pub forgotten: u64,
}

impl std::ops::AddAssign for Skipped {
    fn add_assign(&mut self, more: Skipped) {
        self.unknown += more.unknown;
        self.unconverted += more.unconverted;
        self.damaged += more.damaged;
        self.unknown_blocks += more.unknown_blocks;
        self.unknown_parts += more.unknown_parts;
        self.hidden += more.hidden;
        self.merged += more.merged;
        self.mismatched += more.mismatched;
        self.forgotten += more.forgotten;
    }
}

/// A part of a capture that is left out, and why.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// An event of a type that is not known.
    #[error("byte {offset}: an event of type {code} is not known")]
    Unknown {
        /// Where its block begins, in bytes after decompression.
        offset: u64,
        /// Falco's code of it.
        code: u16,
    },
    /// An event that could not be made a current one.
    #[error("byte {offset}: no event of type {code} is known that has {params} parameters")]
    Unconverted {
        /// Where its block begins.
        offset: u64,
        /// Falco's code of it.
        code: u16,
        /// How many parameters it has.
        params: usize,
    },
    /// Something that is not as it must be.
    #[error(transparent)]
    Damaged(CaptureError),
    /// A block of a type that is not known, or one with an entry of such a kind.
    #[error("byte {offset}: what stands there, in a block of type {block:#x}, is not known")]
    Block {
        /// Where it begins.
        offset: u64,
        /// The type.
        block: u32,
    },
}

/// A capture being read.
pub struct Capture<R> {
    reader: Reader<R>,
    converter: Converter,
    intake: Intake,
}

/// What becomes of current events.
struct Intake {
    /// What the state makes use of, until the thread's next call returns.
    beginnings: Beginnings,
    /// Whether nothing was met yet that Falco shows.
    opening: bool,
    skipped: Skipped,
    /// The first part of each kind that was left out.
    unread: Vec<Unread>,
}

impl<R: Read> Capture<R> {
    /// Begins to read.
    pub fn new(reader: Reader<R>) -> Capture<R> {
        Capture {
            reader,
            converter: Converter::new(),
            intake: Intake {
                beginnings: Beginnings::new(Limits::default()),
                opening: true,
                skipped: Skipped::default(),
                unread: Vec::new(),
            },
        }
    }

    /// What was not judged so far.
    pub fn skipped(&self) -> Skipped {
        let counts = self.reader.counts();
        Skipped {
            mismatched: self.converter.mismatched(),
            forgotten: self.converter.forgotten() + self.intake.beginnings.forgotten(),
            unknown_blocks: counts.blocks_unknown - counts.blocks_unknown_late,
            unknown_parts: counts.blocks_unknown_late + counts.entries_unknown,
            ..self.intake.skipped
        }
    }

    /// The first part of each kind that was left out.
    pub fn unread(&self) -> impl Iterator<Item = String> {
        let block = self.reader.first_unknown();
        let block = block.map(|(offset, block)| Unread::Block { offset, block });
        let others = self.intake.unread.iter().map(Unread::to_string);
        others.chain(block.map(|block| block.to_string()))
    }

    /// The reader, for its counts.
    pub fn reader(&self) -> &Reader<R> {
        &self.reader
    }

    /// Reads on until the batch has `events_max` events or `bytes_max` bytes. What is no event is
    /// for `entry` to take, together with the batch so far, whose events come before it and are to
    /// be applied and taken out first, and the byte where it begins (its list, of a first one). `false`: the capture has ended.
    pub fn read<E: From<CaptureError>>(
        &mut self,
        batch: &mut Batch,
        events_max: usize,
        bytes_max: usize,
        entry: impl FnMut(&mut Batch, &Entry<'_>, u64) -> Result<(), E>,
    ) -> Result<bool, E> {
        self.read_unless(|| false, batch, events_max, bytes_max, entry)
    }

    /// The same of a stream that may be silent for a while: where the next event is not in memory
    /// and `is_silent`, it returns what it has, if there is any.
    pub fn read_unless<E: From<CaptureError>>(
        &mut self,
        is_silent: impl Fn() -> bool,
        batch: &mut Batch,
        events_max: usize,
        bytes_max: usize,
        mut entry: impl FnMut(&mut Batch, &Entry<'_>, u64) -> Result<(), E>,
    ) -> Result<bool, E> {
        while batch.len() < events_max && batch.bytes() < bytes_max {
            let offset = self.reader.offset();
            if !self.reader.is_event_at_hand() && !batch.is_empty() && is_silent() {
                return Ok(true);
            }
            let next = match self.reader.next() {
                Err(error) if !error.is_end() => {
                    self.intake.skipped.damaged += 1;
                    self.intake.note(Unread::Damaged(error));
                    continue;
                }
                next => next?,
            };
            match next {
                None => return Ok(false),
                Some(Entry::Event(event)) => {
                    take(&mut self.converter, &mut self.intake, &event, offset, batch);
                }
                Some(other) => {
                    if let Entry::Section(_) = other {
                        self.converter.restart();
                        self.intake.beginnings.clear();
                        self.intake.opening = true;
                    }
                    entry(batch, &other, offset)?;
                }
            }
        }
        Ok(true)
    }
}

#[inline]
fn take(
    converter: &mut Converter,
    intake: &mut Intake,
    event: &Event<'_>,
    offset: u64,
    batch: &mut Batch,
) {
    if let Some(kind) = converter.current(event.code, event.params.len()) {
        intake.put_current(event, kind, batch);
        return;
    }
    let outcome = converter.convert(event, |converted| {
        intake.put_converted(event, &converted, batch);
    });
    match outcome {
        Outcome::Written => return,
        Outcome::Merged => intake.skipped.merged += 1,
        Outcome::Unknown => {
            intake.skipped.unknown += 1;
            let code = event.code;
            intake.note(Unread::Unknown { offset, code });
        }
        Outcome::Unconverted => {
            intake.skipped.unconverted += 1;
            intake.note(Unread::Unconverted {
                offset,
                code: event.code,
                params: event.params.len(),
            });
        }
    }
    intake.opening = false;
}

impl Intake {
    #[cold]
    fn note(&mut self, unread: Unread) {
        let kind = std::mem::discriminant(&unread);
        if self
            .unread
            .iter()
            .all(|other| std::mem::discriminant(other) != kind)
        {
            self.unread.push(unread);
        }
    }

    fn put_converted(&mut self, event: &Event<'_>, converted: &Converted<'_>, batch: &mut Batch) {
        let params = converted.params.iter().copied();
        let Some(code) = converted.beginning else {
            self.put(event, converted.kind, params, batch);
            return;
        };
        self.opening = false;
        self.skipped.hidden += 1;
        // Falco keeps no program that it was not told.
        if converted.kind != EventType::Execve || converted.params.iter().any(|it| !it.is_empty()) {
            self.beginnings.keep(event.tid, code, converted.params);
        }
        let head = head(event, converted.kind, Purpose::Beginning);
        batch.push_captured(event.time, |out| {
            captured::write_whole(&head, params.len(), params, out);
        });
    }

    /// An event as it is.
    #[inline]
    fn put_current(&mut self, event: &Event<'_>, kind: EventType, batch: &mut Batch) {
        let params = event.params;
        if !self.beginnings.is_empty() {
            let params = (0..params.len()).map(move |index| params.get(index).unwrap_or_default());
            self.put(event, kind, params, batch);
            return;
        }
        let head = head(event, kind, self.purpose(event, kind));
        let (ends, bytes) = params.parts();
        batch.push_captured(event.time, |out| {
            captured::write_parts(&head, ends, bytes, out);
        });
    }

    /// What the event is there for.
    #[inline]
    fn purpose(&mut self, event: &Event<'_>, kind: EventType) -> Purpose {
        self.opening &= is_taken_in_while_opening(kind);
        if self.opening || event.flags & FOR_STATE != 0 {
            self.skipped.hidden += 1;
            Purpose::Hidden
        } else {
            Purpose::Judged
        }
    }

    #[inline]
    fn put<'p>(
        &mut self,
        event: &Event<'_>,
        kind: EventType,
        params: impl ExactSizeIterator<Item = &'p [u8]> + Clone,
        batch: &mut Batch,
    ) {
        let head = head(event, kind, self.purpose(event, kind));
        let count = params.len();
        let kept = match kind.is_exit() {
            true => self.beginnings.get(event.tid),
            false => None,
        };
        let Some(kept) = kept else {
            batch.push_captured(event.time, |out| {
                captured::write_whole(&head, count, params, out)
            });
            return;
        };
        batch.push_captured(event.time, |out| {
            let is_its = kept.code + 1 == kind.code()
                || kept.code == EXECVEAT_BEGINS && kind == EventType::Execve;
            let given = if is_its { kept.len() } else { 0 };
            let given = (0..given).map(|index| kept.param(index).unwrap_or_default());
            let own = params.map(|param| -> &[u8] { param });
            captured::write_whole(&head, count, own.chain(given), out);
        });
        // Whatever the call was that returned, the thread is in no other.
        self.beginnings.forget(event.tid);
    }
}

fn head(event: &Event<'_>, kind: EventType, purpose: Purpose) -> Head {
    Head {
        kind,
        purpose,
        cpu: event.cpu,
        time: event.time,
        tid: event.tid,
    }
}

/// Whether Falco takes such an event in before it begins to show any.
pub(crate) fn is_taken_in_while_opening(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::Useradded
            | EventType::Userdeleted
            | EventType::Groupadded
            | EventType::Groupdeleted
            | EventType::Asyncevent
            | EventType::Container
    )
}

#[cfg(test)]
mod tests;
