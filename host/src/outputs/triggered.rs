//! Captures that alerts ask for: what happened shortly before is kept all the time, and written
//! together with what happens after.
//!
//! A capture has a state of its own, which begins as it was before the first of its events and
//! goes over them behind the event thread. So a file begins with what was known then, and not with
//! what its alert knew, and each of its events is written as it was seen.

mod ring;

use super::recording::{Limits, Reason, RecordError, Recording};
use crate::extract::{Scratch, View, Wire};
use crate::recent::Told;
use crate::source::merge::Batch;
use crate::state::State;
use crate::state::container::ContainerAnswer;
use ring::{Follower, Ring, Size};
use saker_capture::Entry;
use std::path::PathBuf;
use std::time::Duration;

/// How captures are made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What their names begin with.
    pub path_prefix: PathBuf,
    /// How far back they reach.
    pub before: Duration,
    /// Events of a capture take no more bytes (before compression); `None`: time alone ends it.
    pub file_bytes_max: Option<u64>,
}

/// Events kept for captures to come take no more.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// What was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Captures made.
    pub captures: u64,
    /// Captures that could not be made or written.
    pub failed: u64,
    /// Events forgotten earlier than asked for, for want of room.
    pub forgotten: u64,
    /// Events longer than a capture can hold.
    pub too_long: u64,
    /// Events of a capture's time that came only after later ones, when it had ended.
    pub late: u64,
}

/// Keeps recent events, and writes captures.
pub struct Triggered {
    settings: Settings,
    /// Files that are being read, by device and inode.
    inputs: Vec<(u64, u64)>,
    ring: Option<Ring>,
    running: Option<Running>,
    /// Time and number of the last event that a capture was made for.
    last: Option<(u64, u64)>,
    /// Events up to this time are judged; alerts of later ones may still come.
    judged: u64,
    /// From when and until when the last capture was to have events.
    ended: Option<(u64, u64)>,
    wire: Wire,
    scratch: Scratch,
    /// What was made and lost.
    pub counters: Counters,
}

struct Running {
    recording: Recording,
    /// No event before this time is written,
    from: u64,
    /// and none after this.
    until: u64,
    /// When the alert was that began it.
    alert: u64,
    /// Bytes of the events behind that, as far as they came.
    after: u64,
    /// As of its next event. None yet while it is open with which one it begins.
    follower: Option<Follower>,
}

impl Triggered {
    /// Keeps nothing yet.
    pub fn new(settings: Settings) -> Triggered {
        Triggered {
            settings,
            inputs: Vec::new(),
            ring: None,
            running: None,
            last: None,
            judged: 0,
            ended: None,
            wire: Wire::default(),
            scratch: Scratch::new(),
            counters: Counters::default(),
        }
    }

    /// Says that this file (device and inode) is read, so that no capture takes its place.
    pub fn reads(&mut self, file: (u64, u64)) {
        self.inputs.push(file);
    }

    /// Keeps events from the next on, which has that number, if it does not yet.
    #[inline]
    pub fn keep(&mut self, state: &State, number: u64) {
        if self.ring.is_none() {
            self.ring = Some(Ring::new(state, number));
        }
    }

    /// Keeps no more events, as nobody asks for captures.
    pub fn keep_none(&mut self) {
        if self.running.is_none() {
            self.ring = None;
        }
    }

    /// Takes in an event, of that place in its batch.
    pub fn event(&mut self, view: &View<'_>, batch: &Batch, index: usize) {
        let time = view.event.time();
        let Some(ring) = &mut self.ring else {
            return;
        };
        let bytes = match self.settings.file_bytes_max {
            None => 0,
            Some(_) => Recording::bytes_of(view, &mut self.wire, &mut self.scratch),
        };
        ring.push(batch, index, Size { time, bytes });
        if let Some(running) = &mut self.running
            && time <= running.until
        {
            running.after += bytes;
        }
        let is_in = |(from, until): &(u64, u64)| (*from..=*until).contains(&time);
        if self.ended.as_ref().is_some_and(is_in) {
            self.counters.late += 1;
        }
        self.go_on();
        self.forget(time.min(self.judged));
    }

    /// Takes in what the state was told beside events.
    pub fn told(&mut self, told: Told) {
        if let Some(ring) = &mut self.ring {
            ring.push_told(told);
        }
    }

    /// Whether something is kept, so that [`Triggered::told`] and [`Triggered::entry`] matter.
    pub fn keeps_any(&self) -> bool {
        self.ring.is_some()
    }

    /// Takes in an entry of a capture that is no event, after which no alert of an event before it
    /// may come. What was kept ends there: with a section another recording begins.
    pub fn entry(&mut self, entry: &Entry<'_>) {
        self.finish();
        self.judged = 0;
        self.ended = None;
        match (entry, &mut self.ring) {
            (Entry::Section(_), ring) => *ring = None,
            (_, Some(ring)) => {
                self.counters.forgotten += ring.len() as u64;
                ring.entry(entry);
            }
            (_, None) => {}
        }
    }

    /// Whether so much is kept that some of it may soon be forgotten for want of room.
    pub fn is_crowded(&self) -> bool {
        let bytes = self.ring.as_ref().map_or(0, Ring::bytes);
        bytes > KEPT_BYTES_MAX / 2
    }

    /// Alerts of events up to that time have all come.
    pub fn judged(&mut self, time: u64) {
        self.judged = self.judged.max(time);
        self.tick(time);
    }

    /// Lets go what is too old, or too much.
    fn forget(&mut self, now: u64) {
        let before = self.settings.before.as_nanos() as u64;
        while let Some(ring) = &self.ring
            && let Some((last, events)) = ring.oldest()
        {
            let is_open = (self.running.as_ref()).is_some_and(|running| running.follower.is_none());
            let is_old = !is_open && last.saturating_add(before) < now;
            if !is_old && ring.bytes() <= KEPT_BYTES_MAX {
                return;
            }
            if !is_old {
                self.counters.forgotten += events as u64;
                // It begins with what there still is.
                self.begin(false);
            }
            let follower = (self.running.as_mut()).and_then(|running| running.follower.as_mut());
            if let Some(ring) = &mut self.ring {
                ring.let_go(follower);
            }
        }
    }

    /// An alert at that time and number asks for a capture that goes on for so long. One that is
    /// being made goes on for longer.
    pub fn trigger(&mut self, time: u64, number: u64, duration: Duration) {
        let until = time.saturating_add(duration.as_nanos() as u64);
        self.tick(time);
        let Some(ring) = &self.ring else {
            return;
        };
        let after = |from: u64| {
            let later = ring.sizes().rev().take_while(|size| size.time > from);
            let is_in = later.filter(|size| size.time <= until);
            is_in.map(|size| size.bytes).sum::<u64>()
        };
        if let Some(running) = &mut self.running {
            if until > running.until {
                running.after += after(running.until);
                running.until = until;
            }
            self.go_on();
            return;
        }
        // Another rule alerts of what one was made for that is full.
        if self.last.replace((time, number)) == Some((time, number)) {
            return;
        }
        let mut name = self.settings.path_prefix.as_os_str().to_owned();
        name.push(format!("_{time}_{number}.scap.gz"));
        let limits = Limits {
            whole_bytes: self.settings.file_bytes_max,
            takes_the_place: true,
            ..Limits::default()
        };
        self.counters.captures += 1;
        match Recording::new(PathBuf::from(name), limits, self.inputs.clone()) {
            Ok(recording) => {
                self.running = Some(Running {
                    recording,
                    from: time.saturating_sub(self.settings.before.as_nanos() as u64),
                    until,
                    alert: time,
                    after: after(time),
                    follower: None,
                });
                self.go_on();
            }
            Err(error) => self.note(Err(error)),
        }
    }

    /// Writes what there is by now, unless it is still open with which event the capture begins:
    /// half of its bytes are for what comes behind the alert, and what that does not take is for
    /// what was before.
    fn go_on(&mut self) {
        let Some(running) = &self.running else {
            return;
        };
        let is_open = running.follower.is_none();
        let most = self.settings.file_bytes_max;
        if is_open && most.is_none_or(|most| running.after > most / 2) {
            self.begin(false);
        }
        self.write();
    }

    /// Begins the file of a capture that has not begun yet, for which no more events come if it
    /// `is_over`.
    fn begin(&mut self, is_over: bool) {
        let (Some(ring), Some(running)) = (&self.ring, &mut self.running) else {
            return;
        };
        if running.follower.is_some() {
            return;
        }
        let is_in = |size: &Size| (running.from..=running.alert).contains(&size.time);
        let sizes = || ring.sizes().filter(is_in);
        let mut left = sizes().map(|size| size.bytes).sum::<u64>();
        let mut given_up = 0;
        if let Some(most) = self.settings.file_bytes_max
            && left + running.after > most
        {
            let room = match is_over {
                true => most.saturating_sub(running.after).max(most / 2),
                false => most / 2,
            };
            let events = sizes().count();
            for size in sizes() {
                // The alert's own stays.
                if left <= room || given_up + 1 >= events {
                    break;
                }
                left -= size.bytes;
                given_up += 1;
            }
        }
        self.counters.forgotten += given_up as u64;
        let mut follower = ring.follower();
        let mut first = running.alert;
        while let Some(size) = ring.peek(&mut follower, |follower, told| follower.tell(told)) {
            if is_in(&size) {
                if given_up == 0 {
                    first = size.time;
                    break;
                }
                given_up -= 1;
            }
            ring.step(&mut follower, |_| {});
        }
        follower.settle();
        follower.state.keep_learnt(true);
        follower.time = first;
        let number = follower.state.number();
        let mut begun = running.recording.begin(&follower.state, number, first);
        // What an engine tells holds for what was before it was asked.
        for answer in ring.containers_to_come(&follower) {
            let told = Told::Container(answer);
            begun = begun.and_then(|()| tell(&mut running.recording, &mut follower, &told));
        }
        running.follower = Some(follower);
        self.end_if(begun);
    }

    /// Writes what came since, as far as the capture reaches.
    fn write(&mut self) {
        let (Some(ring), Some(running)) = (&self.ring, &mut self.running) else {
            return;
        };
        let Some(follower) = &mut running.follower else {
            return;
        };
        let recording = &mut running.recording;
        let mut written = Ok(());
        while written.is_ok() && !recording.is_full() {
            let mut told = Ok(());
            let next = ring.peek(follower, |follower, what| {
                if told.is_ok() {
                    told = tell(recording, follower, what);
                }
            });
            if told.is_err() {
                written = told;
                break;
            }
            if next.is_none_or(|size| size.time > running.until) {
                break;
            }
            ring.step(follower, |view| {
                written = recording.event(view, Reason::Asked);
            });
            learn(recording, follower);
            follower.settle();
        }
        self.end_if(written);
    }

    /// Ends a capture whose time has come.
    pub fn tick(&mut self, now: u64) {
        let is_over = |running: &Running| running.until < now || running.recording.is_full();
        if !self.running.as_ref().is_some_and(is_over) {
            return;
        }
        self.begin(true);
        self.write();
        let Some(mut running) = self.running.take() else {
            return;
        };
        // What is left out of a full one is not late.
        let is_full = running.recording.is_full();
        self.ended = (!is_full).then_some((running.from, running.until));
        if let (false, Some(ring), Some(follower)) = (is_full, &self.ring, &running.follower) {
            let is_in = |size: &&Size| (running.from..=running.until).contains(&size.time);
            let behind = ring.sizes_behind(follower);
            self.counters.late += behind.iter().filter(is_in).count() as u64;
        }
        let settled = running.recording.settle();
        let written = settled.and_then(|()| running.recording.finish());
        self.counters.too_long += written.as_ref().map_or(0, |written| written.too_long);
        self.note(written.map(drop));
    }

    fn end_if(&mut self, written: Result<(), RecordError>) {
        if written.is_err() {
            self.running = None;
        }
        self.note(written);
    }

    fn note(&mut self, written: Result<(), RecordError>) {
        if let Err(error) = written {
            self.counters.failed += 1;
            tracing::error!("a capture of an alert is not whole: {error}");
        }
    }

    /// Ends the capture that is being made.
    pub fn finish(&mut self) {
        self.tick(u64::MAX);
    }
}

/// Has a capture hold what its state is told.
fn tell(
    recording: &mut Recording,
    follower: &mut Follower,
    told: &Told,
) -> Result<(), RecordError> {
    let known = match told {
        Told::Container(ContainerAnswer::Known(facts)) => Some(Box::<[u8]>::from(facts.key())),
        Told::Container(_) | Told::Enriched(_) | Told::Traced(_) => None,
    };
    let before = follower.state.generation();
    follower.tell(told);
    if let Some(id) = known
        && before != follower.state.generation()
        && let Some(facts) = follower.state.container_facts(&id)
    {
        recording.container(&facts, follower.time)?;
    }
    learn(recording, follower);
    match follower.state.is_awaiting() {
        true => Ok(()),
        false => recording.settle(),
    }
}

/// Has a capture hold what became known of processes, in front of their first events.
fn learn(recording: &mut Recording, follower: &mut Follower) {
    for learnt in follower.state.take_learnt() {
        recording.process(&follower.state, &learnt);
    }
}
