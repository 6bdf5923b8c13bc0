//! Events that wait until it is known what their container is.
//!
//! They wait as raw records, before anything is extracted, in the order of their container; no
//! container waits for another. (A recording is one sequence: there, whatever comes behind an
//! event that waits, waits with it.) How long, and how much, is bounded; who goes over the bound
//! goes on with what is known.

use super::{Pipeline, PipelineError};
use crate::event::{Event, decode};
use crate::source::merge::{Batch, Form};
use crate::state::Seen;
use crate::state::container::{Absence, ContainerAnswer};
use saker_ebpf::record::Record;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Bounds of what may wait.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long.
    pub wait: Duration,
    /// Events of one container.
    pub container_events_max: usize,
    /// Bytes of these.
    pub container_bytes_max: usize,
    /// Events in all.
    pub events_max: usize,
    /// Bytes of all.
    pub bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wait: Duration::from_millis(1500),
            container_events_max: 4096,
            container_bytes_max: 4 << 20,
            events_max: 32_768,
            bytes_max: 32 << 20,
        }
    }
}

/// What became of events that waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events that waited.
    pub parked: u64,
    /// Those that waited for as long as they may.
    pub timed_out: u64,
    /// Those that had to go on because too many waited.
    pub crowded_out: u64,
}

/// An event that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParkedEvent {
    pub(super) number: u64,
    pub(super) seen: Seen,
    /// A recording takes it whether a module wants it or not.
    pub(super) is_lasting: bool,
}

/// The events of one container.
pub(super) struct Parked {
    /// Their records, in the order of `events`.
    pub(super) batch: Batch,
    pub(super) events: Vec<ParkedEvent>,
    /// Time of the first, ns since the epoch.
    pub(super) since: u64,
    /// The container that is waited for.
    pub(super) container: Arc<[u8]>,
}

/// All that waits.
#[derive(Default)]
pub(super) struct Parking {
    by_container: BTreeMap<Arc<[u8]>, Parked>,
    events: usize,
    bytes: usize,
    pub(super) limits: Limits,
    pub(super) counters: Counters,
}

impl Parking {
    pub(super) fn is_empty(&self) -> bool {
        self.by_container.is_empty()
    }

    /// Number of the oldest event that waits.
    pub(super) fn first(&self) -> Option<u64> {
        let firsts = self.by_container.values();
        firsts
            .filter_map(|parked| Some(parked.events.first()?.number))
            .min()
    }

    /// Time of the oldest.
    pub(super) fn since(&self) -> Option<u64> {
        self.by_container.values().map(|parked| parked.since).min()
    }

    /// Whose events have to go on so that one more of so many bytes may wait for that container:
    /// its own if they are as many as may be, or else those of whoever holds most. `None`: there
    /// is room.
    pub(super) fn who_makes_room(&self, key: &Arc<[u8]>, bytes: usize) -> Option<Arc<[u8]>> {
        let limits = &self.limits;
        let own = self.by_container.get(key);
        let (own_events, own_bytes) =
            own.map_or((0, 0), |own| (own.events.len(), own.batch.bytes()));
        if own_events >= limits.container_events_max
            || own_bytes + bytes > limits.container_bytes_max
        {
            return Some(key.clone());
        }
        if self.events < limits.events_max && self.bytes + bytes <= limits.bytes_max {
            return None;
        }
        // Of some that hold the same, who has waited longest.
        let held = |parked: &Parked| {
            let share = match self.events < limits.events_max {
                true => parked.batch.bytes(),
                false => parked.events.len(),
            };
            (share, u64::MAX - parked.since)
        };
        let most = self
            .by_container
            .iter()
            .max_by_key(|(_, parked)| held(parked));
        Some(most.map_or_else(|| key.clone(), |(key, _)| key.clone()))
    }

    /// The container that is waited for under that key.
    fn container_of(&self, key: &[u8]) -> Option<Arc<[u8]>> {
        Some(self.by_container.get(key)?.container.clone())
    }

    /// Lets an event wait among those of `key` for a container.
    pub(super) fn put(
        &mut self,
        key: &Arc<[u8]>,
        container: &Arc<[u8]>,
        record: &[u8],
        time: u64,
        event: ParkedEvent,
    ) {
        let parked = self
            .by_container
            .entry(key.clone())
            .or_insert_with(|| Parked {
                batch: Batch::new(),
                events: Vec::new(),
                since: time,
                container: container.clone(),
            });
        if !parked.batch.push(record) {
            return;
        }
        parked.events.push(event);
        self.events += 1;
        self.bytes += record.len();
        self.counters.parked += 1;
    }

    /// The containers that are waited for, with the keys of their events and since when.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&Arc<[u8]>, &Arc<[u8]>, u64)> {
        let all = self.by_container.iter();
        all.map(|(key, parked)| (key, &parked.container, parked.since))
    }

    pub(super) fn take(&mut self, key: &[u8]) -> Option<Parked> {
        let parked = self.by_container.remove(key)?;
        self.events -= parked.events.len();
        self.bytes -= parked.batch.bytes();
        Some(parked)
    }
}

impl Pipeline {
    /// Lets an event wait for what is asked about its container, if what the modules say of it
    /// may hang on that. Whether it waits.
    pub(super) fn park(
        &mut self,
        batch: &Rc<Batch>,
        index: usize,
        event: &Event<'_>,
        seen: Seen,
        is_lasting: bool,
    ) -> Result<bool, PipelineError> {
        if batch.form() != Form::Recorded {
            return Ok(false);
        }
        let version = self.state.version(seen.version);
        let pending = version
            .and_then(|version| self.state.pending_container(version))
            .cloned();
        let (key, container) = match (self.recorder.is_some(), pending) {
            // In a recording all keep their order.
            (true, Some(container)) => (Arc::default(), container),
            (true, None) if !self.parking.is_empty() => (Arc::default(), Arc::default()),
            (true, None) | (false, None) => return Ok(false),
            (false, Some(container)) => {
                let wants = self.needs_facts && self.may_alert(event, seen);
                if !wants {
                    return Ok(false);
                }
                (container.clone(), container)
            }
        };
        let record = batch.record(index);
        if let Some(full) = self.parking.who_makes_room(&key, record.len()) {
            let Some(container) = self.parking.container_of(&full) else {
                return Ok(false);
            };
            let absent = ContainerAnswer::Absent(container, Absence::Limit);
            self.state.answer_container(absent);
            self.parking.counters.crowded_out += self.release(&full)?;
            // It goes on with those that it would have waited behind.
            if full == key || self.parking.who_makes_room(&key, record.len()).is_some() {
                return Ok(false);
            }
        }
        let parked = ParkedEvent {
            number: event.number(),
            seen,
            is_lasting,
        };
        self.parking
            .put(&key, &container, record, event.time(), parked);
        Ok(true)
    }

    /// Whether an alert may come of an event, whatever its container is.
    pub(super) fn may_alert(&self, event: &Event<'_>, seen: Seen) -> bool {
        let (plans, state) = (&self.plans, &self.state);
        plans.iter().any(|plan| plan.offers(state, event, seen))
    }

    /// Takes in the events whose container is known now, or which have waited for as long as they
    /// may. `now` is the time since the epoch, ns.
    pub fn release_parked(&mut self, now: u64) -> Result<(), PipelineError> {
        if self.parking.is_empty() {
            return Ok(());
        }
        let wait = self.parking.limits.wait.as_nanos() as u64;
        let mut due = Vec::new();
        for (key, container, since) in self.parking.waiting() {
            let is_late = now.saturating_sub(since) >= wait;
            if is_late || !self.state.is_container_pending(container) {
                due.push((key.clone(), container.clone(), is_late));
            }
        }
        for (key, container, is_late) in due {
            let is_late = is_late && self.state.is_container_pending(&container);
            if is_late {
                self.state.give_up_on_container(&container);
            }
            let released = self.release(&key)?;
            if is_late {
                self.parking.counters.timed_out += released;
            }
        }
        Ok(())
    }

    /// Takes in what waits, with what is known.
    pub fn release_all_parked(&mut self) -> Result<(), PipelineError> {
        self.release_parked(u64::MAX)
    }

    /// Whether events wait for what is asked about their containers.
    pub fn is_parking(&self) -> bool {
        !self.parking.is_empty()
    }

    /// How many events wait, and how many may.
    pub fn events_parked(&self) -> [usize; 2] {
        [self.parking.events, self.parking.limits.events_max]
    }

    /// How much may wait.
    pub fn set_parking(&mut self, limits: Limits) {
        self.parking.limits = limits;
    }

    /// What became of events that waited.
    pub fn parked(&self) -> Counters {
        self.parking.counters
    }

    /// Takes in the events that wait under that key. In a recording it ends where the next event
    /// waits for another container. Tells how many they were.
    pub(super) fn release(&mut self, key: &Arc<[u8]>) -> Result<u64, PipelineError> {
        let Some(parked) = self.parking.take(key) else {
            return Ok(0);
        };
        let batch = Rc::new(parked.batch);
        let mut released = 0;
        for (index, waited) in parked.events.iter().enumerate() {
            let bytes = batch.record(index);
            let Ok(record) = Record::parse(bytes) else {
                continue;
            };
            let event: Event<'_> = decode(&record, &self.state.clock(), waited.number).into();
            if self.recorder.is_some() {
                let version = self.state.version(waited.seen.version);
                let pending = version.and_then(|version| self.state.pending_container(version));
                if let Some(container) = pending.cloned() {
                    // All behind it waits on, in the same order.
                    for (index, waited) in parked.events.iter().enumerate().skip(index) {
                        let bytes = batch.record(index);
                        let time = event.time();
                        self.parking.put(key, &container, bytes, time, *waited);
                    }
                    self.parking.counters.parked -= (parked.events.len() - index) as u64;
                    return Ok(released);
                }
                self.begin_file_if_due(event.time(), waited.number.saturating_sub(1))?;
            }
            self.take_in(&batch, index, &event, waited.seen, waited.is_lasting)?;
            released += 1;
        }
        Ok(released)
    }
}
