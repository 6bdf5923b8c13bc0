//! Events that wait until it is known what their container is.
//!
//! They wait as raw records, before anything is extracted, in the order of their container; no
//! container waits for another. (A recording is one sequence: there, whatever comes behind an
//! event that waits, waits with it.) How long, and how much, is bounded; who goes over the bound
//! goes on with what is known.

use crate::source::merge::Batch;
use crate::state::Seen;
use std::collections::BTreeMap;
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

    /// Whether one more of so many bytes may wait for that container.
    pub(super) fn has_room(&self, key: &[u8], bytes: usize) -> bool {
        let limits = &self.limits;
        let own = self.by_container.get(key);
        let (own_events, own_bytes) =
            own.map_or((0, 0), |own| (own.events.len(), own.batch.bytes()));
        own_events < limits.container_events_max
            && own_bytes + bytes <= limits.container_bytes_max
            && self.events < limits.events_max
            && self.bytes + bytes <= limits.bytes_max
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
