//! Captures that alerts ask for: what happened shortly before is kept all the time, and written
//! together with what happens after.

use super::recording::{Limits, Reason, RecordError, Recording};
use crate::event::{Captured, Event, captured};
use crate::extract::{Scratch, View, Wire};
use crate::source::merge::Batch;
use crate::state::container::ContainerFacts;
use crate::state::{Learnt, Seen, State};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// How captures are made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What their names begin with.
    pub path_prefix: PathBuf,
    /// How far back they reach.
    pub before: Duration,
    /// A capture ends when its file is so long (before compression); `None`: by time alone.
    pub file_bytes_max: Option<u64>,
}

/// Events kept for captures to come take no more.
const KEPT_BYTES_MAX: usize = 64 << 20;
/// They are dropped in pieces of this size.
const PIECE_BYTES: usize = 256 << 10;

/// A file has no more of an event beside what is kept of it.
const BLOCK_BYTES: usize = 64;

/// What was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Captures made.
    pub captures: u64,
    /// Captures that could not be made or written.
    pub failed: u64,
    /// Captures that were not made, as a file of their name was there.
    pub there_already: u64,
    /// Events forgotten earlier than asked for, for want of room.
    pub forgotten: u64,
    /// Events longer than a capture can hold.
    pub too_long: u64,
}

/// Keeps recent events, and writes captures.
pub struct Triggered {
    settings: Settings,
    recent: VecDeque<Batch>,
    bytes: usize,
    running: Option<Running>,
    /// Events up to this time are judged; alerts of later ones may still come.
    judged: u64,
    wire: Wire,
    scratch: Scratch,
    /// What was made and lost.
    pub counters: Counters,
}

struct Running {
    recording: Recording,
    /// Events after this time are not written.
    until: u64,
    /// Everything up to this time is written already.
    written: u64,
}

impl Triggered {
    /// Keeps nothing yet.
    pub fn new(settings: Settings) -> Triggered {
        Triggered {
            settings,
            recent: VecDeque::new(),
            bytes: 0,
            running: None,
            judged: 0,
            wire: Wire::default(),
            scratch: Scratch::new(),
            counters: Counters::default(),
        }
    }

    /// Takes in an event, which is kept, and written if a capture is being made.
    pub fn event(&mut self, view: &View<'_>) {
        let time = view.event.time();
        if let Some(running) = &mut self.running
            && time <= running.until
            && !running.recording.is_full()
        {
            running.written = running.written.max(time);
            let written = running.recording.event(view, Reason::Asked);
            self.end_if(written);
        }
        self.keep(view);
        self.forget(time.min(self.judged));
    }

    /// Takes in what is told of a container. A capture that begins later has it at its beginning.
    pub fn container(&mut self, facts: &ContainerFacts, time: u64) {
        if let Some(running) = &mut self.running
            && !running.recording.is_full()
        {
            let written = running.recording.container(facts, time);
            self.end_if(written);
        }
    }

    /// Takes in what a lookup told of a process. A capture that begins later has it at its
    /// beginning.
    pub fn process(&mut self, state: &State, learnt: &Learnt) {
        if let Some(running) = &mut self.running {
            running.recording.process(state, learnt);
        }
    }

    /// Nothing is awaited any more that events of the capture waited for.
    pub fn settle(&mut self) {
        if let Some(running) = &mut self.running {
            let written = running.recording.settle();
            self.end_if(written);
        }
    }

    /// Whether so much is kept that some of it may soon be forgotten for want of room.
    pub fn is_crowded(&self) -> bool {
        self.bytes > KEPT_BYTES_MAX / 2
    }

    /// Alerts of events up to that time have all come.
    pub fn judged(&mut self, time: u64) {
        self.judged = self.judged.max(time);
        self.tick(time);
    }

    fn keep(&mut self, view: &View<'_>) {
        let Some(kind) = view.event.kind() else {
            return;
        };
        let Some(params) = self.wire.params(view, &mut self.scratch) else {
            return;
        };
        if self
            .recent
            .back()
            .is_none_or(|last| last.bytes() >= PIECE_BYTES)
        {
            self.recent.push_back(Batch::new());
        }
        let Some(piece) = self.recent.back_mut() else {
            return;
        };
        let event = view.event;
        let before = piece.bytes();
        piece.push_captured(event.time(), |out| {
            let param = |index| params.get(index).unwrap_or_default();
            let count = params.len();
            captured::write(
                kind,
                event.cpu(),
                event.time(),
                event.tid(),
                count,
                param,
                out,
            );
        });
        self.bytes += piece.bytes() - before;
    }

    /// Lets go what is too old, or too much.
    fn forget(&mut self, now: u64) {
        let before = self.settings.before.as_nanos() as u64;
        while let Some(oldest) = self.recent.front() {
            let is_old = oldest
                .last_time()
                .is_none_or(|last| last.saturating_add(before) < now);
            if !is_old && self.bytes <= KEPT_BYTES_MAX {
                return;
            }
            if !is_old {
                self.counters.forgotten += oldest.len() as u64;
            }
            self.bytes -= oldest.bytes();
            self.recent.pop_front();
        }
    }

    /// An alert at that time and number asks for a capture that goes on for so long. One that is
    /// being made goes on for longer.
    pub fn trigger(&mut self, state: &State, time: u64, number: u64, duration: Duration) {
        let until = time.saturating_add(duration.as_nanos() as u64);
        self.tick(time);
        if let Some(running) = &mut self.running {
            running.until = running.until.max(until);
            let from = running.written.saturating_add(1);
            self.write_recent(state, from, number, 0);
            return;
        }
        let mut name = self.settings.path_prefix.as_os_str().to_owned();
        name.push(format!("_{time}_{number}.scap.gz"));
        let limits = Limits {
            whole_bytes: self.settings.file_bytes_max,
            is_new: true,
            ..Limits::default()
        };
        self.counters.captures += 1;
        let begun = Recording::new(PathBuf::from(name), limits, Vec::new());
        let begun = begun.and_then(|mut recording| {
            recording.begin(state, number, time)?;
            Ok(recording)
        });
        match begun {
            Ok(recording) => {
                self.running = Some(Running {
                    recording,
                    until,
                    written: 0,
                });
                let first = time.saturating_sub(self.settings.before.as_nanos() as u64);
                let given_up = self.given_up(first..=time);
                self.counters.forgotten += given_up as u64;
                self.write_recent(state, first, number, given_up);
            }
            Err(error) => self.note(Err(error)),
        }
    }

    /// How many of the kept events of that time, the last of which alerts, have no place in a
    /// capture. Half of it is for what comes behind the alert.
    fn given_up(&self, times: RangeInclusive<u64>) -> usize {
        let Some(most) = self.settings.file_bytes_max else {
            return 0;
        };
        let sizes = || {
            let records = self.recent.iter().flat_map(Batch::records);
            let is_in = |bytes: &&[u8]| {
                Captured::parse(bytes, 0).is_some_and(|event| times.contains(&event.time))
            };
            let size = |bytes: &[u8]| (bytes.len() + BLOCK_BYTES) as u64;
            records.filter(is_in).map(size)
        };
        let (mut left, mut events) = (sizes().sum::<u64>(), sizes().count());
        let all = events;
        for size in sizes() {
            if left <= most / 2 || events <= 1 {
                break;
            }
            left -= size;
            events -= 1;
        }
        all - events
    }

    /// Writes what is kept from that time on without the first `given_up`, as far as the capture
    /// reaches.
    fn write_recent(&mut self, state: &State, from: u64, number: u64, mut given_up: usize) {
        let Some(running) = &mut self.running else {
            return;
        };
        let mut written = Ok(());
        for bytes in self.recent.iter().flat_map(Batch::records) {
            if running.recording.is_full() {
                break;
            }
            let event = Captured::parse(bytes, number);
            let is_in = |event: &Captured<'_>| (from..=running.until).contains(&event.time);
            let Some(event) = event.filter(is_in) else {
                continue;
            };
            if given_up > 0 {
                given_up -= 1;
                continue;
            }
            running.written = running.written.max(event.time);
            let event = Event::Captured(event);
            let view = View::new(&event, state, Seen::NONE);
            written = running.recording.event(&view, Reason::Asked);
            if written.is_err() {
                break;
            }
        }
        self.end_if(written);
    }

    /// Ends a capture whose time has come.
    pub fn tick(&mut self, now: u64) {
        let is_over = |running: &mut Running| running.until < now || running.recording.is_full();
        if let Some(running) = self.running.take_if(is_over) {
            let written = running.recording.finish();
            self.counters.too_long += written.as_ref().map_or(0, |written| written.too_long);
            self.note(written.map(drop));
        }
    }

    fn end_if(&mut self, written: Result<(), RecordError>) {
        if written.is_err() {
            self.running = None;
        }
        self.note(written);
    }

    fn note(&mut self, written: Result<(), RecordError>) {
        match written {
            Ok(()) => {}
            Err(RecordError::Create(path, error)) if error.kind() == ErrorKind::AlreadyExists => {
                self.counters.there_already += 1;
                tracing::error!(
                    "a capture of an alert is not made: `{}` is there already, of an earlier run",
                    path.display()
                );
            }
            Err(error) => {
                self.counters.failed += 1;
                tracing::error!("a capture of an alert is not whole: {error}");
            }
        }
    }

    /// Ends the capture that is being made and forgets all events: others follow that have
    /// nothing to do with them, and may have happened before.
    pub fn restart(&mut self) {
        self.finish();
        self.recent.clear();
        self.bytes = 0;
        self.judged = 0;
    }

    /// Ends the capture that is being made.
    pub fn finish(&mut self) {
        self.tick(u64::MAX);
    }
}
