//! Which events come, and what each stage of an event costs. Types are counted; times are measured
//! of one event among so many that it costs next to nothing, and where nobody lends a clock, of
//! none.

use saker_rules_schema::event::EventType;

/// One event among so many is measured: four readings of the clock of about 25 ns each come to
/// less than 1 ns an event.
const SAMPLED: u32 = 128;

/// What is done with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its record is read.
    Decode,
    /// What is remembered changes.
    State,
    /// Its rows are written, and windows handed over.
    Extract,
    /// Modules judge it, on threads or in a process of their own.
    Judge,
    /// Alerts are made, and handed to the outputs.
    Alert,
}

impl Stage {
    /// All of them, in the order in which an event passes them.
    pub const ALL: [Stage; 5] = [
        Stage::Decode,
        Stage::State,
        Stage::Extract,
        Stage::Judge,
        Stage::Alert,
    ];

    /// What it is called wherever it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Decode => "decode",
            Stage::State => "state",
            Stage::Extract => "extract",
            Stage::Judge => "judge",
            Stage::Alert => "alert",
        }
    }
}

/// Time of a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Nanoseconds together.
    pub ns: u64,
    /// Of so many events, whether or not they came so far.
    pub events: u64,
}

/// Reads a clock that only goes forward, ns.
pub type Stopwatch = fn() -> u64;

/// Counts and times so far.
pub(super) struct Gauge {
    types: Box<[u64]>,
    stopwatch: Option<Stopwatch>,
    /// Events until one is measured.
    wait: u32,
    spent: [Spent; Stage::ALL.len()],
}

/// The event that is measured, if it is.
#[derive(Clone, Copy)]
pub(super) struct Lap(Option<u64>);

impl Default for Gauge {
    fn default() -> Gauge {
        Gauge {
            types: vec![0; EventType::COUNT].into(),
            stopwatch: None,
            wait: SAMPLED,
            spent: Default::default(),
        }
    }
}

impl Gauge {
    pub(super) fn lend(&mut self, stopwatch: Stopwatch) {
        self.stopwatch = Some(stopwatch);
    }

    /// An event of that type has come.
    #[inline]
    pub(super) fn count(&mut self, kind: EventType) {
        self.types[kind.index()] += 1;
    }

    /// Before an event.
    #[inline]
    pub(super) fn begin(&mut self) -> Lap {
        let Some(stopwatch) = self.stopwatch else {
            return Lap(None);
        };
        self.wait -= 1;
        if self.wait > 0 {
            return Lap(None);
        }
        self.wait = SAMPLED;
        for stage in [Stage::Decode, Stage::State, Stage::Extract] {
            self.spent[stage as usize].events += 1;
        }
        Lap(Some(stopwatch()))
    }

    /// Behind one of its stages.
    #[inline]
    pub(super) fn lap(&mut self, lap: &mut Lap, stage: Stage) {
        if let (Some(began), Some(stopwatch)) = (lap.0, self.stopwatch) {
            let now = stopwatch();
            self.spent[stage as usize].ns += now.saturating_sub(began);
            lap.0 = Some(now);
        }
    }

    /// Before something that comes once for many events.
    pub(super) fn begin_round(&self) -> Lap {
        Lap(self.stopwatch.map(|stopwatch| stopwatch()))
    }

    /// What judging took, as whoever judges says.
    pub(super) fn judged(&mut self, cpu_ns: u64) {
        self.spent[Stage::Judge as usize].ns += cpu_ns;
    }

    /// The types that came, and how often.
    pub(super) fn types(&self) -> impl Iterator<Item = (EventType, u64)> + '_ {
        let counted = EventType::ALL
            .iter()
            .copied()
            .zip(self.types.iter().copied());
        counted.filter(|(_, count)| *count > 0)
    }

    /// The stages of which something is known. `events` came so far.
    pub(super) fn spent(&self, events: u64) -> impl Iterator<Item = (Stage, Spent)> + '_ {
        let stages = Stage::ALL.iter().copied().zip(self.spent);
        let stages = stages.map(move |(stage, spent)| match stage {
            Stage::Decode | Stage::State | Stage::Extract => (stage, spent),
            // These are not sampled.
            Stage::Judge | Stage::Alert => (stage, Spent { events, ..spent }),
        });
        stages.filter(|(_, spent)| spent.events > 0 && self.stopwatch.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local!(static NOW: Cell<u64> = const { Cell::new(0) });

    fn read() -> u64 {
        NOW.get()
    }

    #[test]
    fn stages_are_told_apart_and_only_some_events_are_measured() {
        let mut gauge = Gauge::default();
        // Without a clock nothing is measured.
        let mut lap = gauge.begin();
        gauge.lap(&mut lap, Stage::Decode);
        assert_eq!(gauge.spent(1).count(), 0);
        gauge.lend(read);
        for _ in 0..3 * SAMPLED {
            let mut lap = gauge.begin();
            for (stage, ns) in [
                (Stage::Decode, 10),
                (Stage::State, 20),
                (Stage::Extract, 70),
            ] {
                NOW.set(NOW.get() + ns);
                gauge.lap(&mut lap, stage);
            }
            gauge.count(EventType::Openat);
        }
        gauge.judged(1_000);
        let events = u64::from(3 * SAMPLED);
        let spent: Vec<_> = gauge
            .spent(events)
            .map(|(_, spent)| (spent.ns, spent.events))
            .collect();
        assert_eq!(
            spent,
            [(30, 3), (60, 3), (210, 3), (1_000, events), (0, events)]
        );
        let types: Vec<_> = gauge.types().collect();
        assert_eq!(types, [(EventType::Openat, events)]);
    }
}
