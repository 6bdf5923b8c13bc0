//! A component at work: its instance, and what becomes of it when it fails.

use super::ComponentLimits;
use super::call::{Alert, Capability, Column};
use super::capability::Keep;
use super::code::{Code, Seat};
use super::metric::Metrics;
use super::post::{Outcome, Post};
use crate::sandbox::FailureKind;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What every instance of a component is told and given.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its name, for what it says.
    pub name: Arc<str>,
    /// What it may do.
    pub granted: Vec<Capability>,
    /// What outlives its instances.
    pub keep: Keep,
    /// Its settings.
    pub config: Vec<(String, String)>,
    /// Its fields, in the order of its rows.
    pub columns: Vec<Column>,
    /// What it has of its own.
    pub means: Means,
}

/// What a component has beside what all have.
#[derive(Clone, Debug, Default)]
pub struct Means {
    /// Where its requests go; `None`: there is no network.
    pub post: Option<Post>,
    /// Its metrics.
    pub metrics: Metrics,
    /// Bytes of memory, where it may use another number than all others.
    pub memory_bytes_max: Option<usize>,
    /// CPU time for a batch, where it may take another.
    pub cpu: Option<Duration>,
    /// Percent of a core over time, where it may use another share.
    pub cpu_percent: Option<u32>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Of which kind.
    pub kind: FailureKind,
    /// In words.
    pub message: String,
    /// It was one too many: the component is set aside from here on.
    pub is_last: bool,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

/// A component at work. What it is called for is answered in order; after a failure the next
/// call finds a new instance.
pub struct Resident {
    code: Arc<Code>,
    start: Start,
    seat: Option<Seat>,
    stopping: Arc<AtomicBool>,
    strikes: Strikes,
}

/// How often a component failed lately.
#[derive(Debug)]
pub(super) struct Strikes {
    most: u32,
    within: u64,
    calls: u64,
    /// The numbers, counting its calls, of those that failed.
    of: VecDeque<u64>,
    is_aside: bool,
}

impl Strikes {
    pub(super) fn new(limits: &ComponentLimits) -> Strikes {
        Strikes {
            most: limits.strikes,
            within: limits.strike_calls,
            calls: 0,
            of: VecDeque::new(),
            is_aside: false,
        }
    }

    /// A call begins, unless the component is set aside.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        if self.is_aside {
            return Err(Failure {
                kind: FailureKind::Quarantined,
                message: "in quarantine".into(),
                is_last: false,
            });
        }
        self.calls += 1;
        Ok(())
    }

    /// What a failure comes to.
    pub(super) fn after(&mut self, failure: Failure, stopping: &AtomicBool) -> Failure {
        if stopping.load(Ordering::SeqCst) {
            return Failure {
                kind: FailureKind::Judge,
                message: "the sandbox is stopping".into(),
                ..failure
            };
        }
        Failure {
            is_last: failure.kind.is_strike() && self.strike(),
            ..failure
        }
    }

    /// Notes a failure; true if it was the one too many.
    fn strike(&mut self) -> bool {
        let (now, within) = (self.calls, self.within);
        self.of.push_back(now);
        self.of.retain(|then| now - then < within);
        self.is_aside = self.most > 0 && self.of.len() >= self.most as usize;
        self.is_aside
    }
}

impl Resident {
    /// Makes its first instance, to see that it can be done. `stopping` ends any call.
    pub fn start(
        code: Arc<Code>,
        start: Start,
        stopping: Arc<AtomicBool>,
    ) -> Result<Resident, Failure> {
        let seat = guarded(|| Seat::new(&code, &start, &stopping))?;
        Ok(Resident {
            strikes: Strikes::new(&code.workshop().limits),
            code,
            start,
            seat: Some(seat),
            stopping,
        })
    }

    /// Bytes of memory that its instance has; 0 where there is none.
    pub fn memory_bytes(&self) -> usize {
        self.seat.as_ref().map_or(0, Seat::memory_bytes)
    }

    /// Has it judge rows; `now` is the time of the last.
    pub fn batch(&mut self, rows: &Arc<Vec<u8>>, now: u64) -> Result<Vec<Alert>, Failure> {
        self.call(|seat, code| seat.batch(code.workshop(), rows, now))
    }

    /// Tells it the time.
    pub fn tick(&mut self, time: u64) -> Result<Vec<Alert>, Failure> {
        self.call(|seat, code| seat.tick(code.workshop(), time))
    }

    /// Whether it has an instance.
    pub(super) fn is_seated(&self) -> bool {
        self.seat.is_some()
    }

    /// Tells it what came of a request.
    pub fn response(&mut self, request: u64, outcome: &Outcome) -> Result<Vec<Alert>, Failure> {
        self.call(|seat, code| seat.response(code.workshop(), request, outcome))
    }

    fn call(
        &mut self,
        call: impl FnOnce(&mut Seat, &Code) -> Result<Vec<Alert>, Failure>,
    ) -> Result<Vec<Alert>, Failure> {
        self.strikes.begin()?;
        let seat = self.seat.take();
        let answer = guarded(|| {
            let mut seat = match seat {
                Some(seat) => seat,
                None => Seat::new(&self.code, &self.start, &self.stopping)?,
            };
            let alerts = call(&mut seat, &self.code)?;
            Ok((seat, alerts))
        });
        match answer {
            // Only who has answered keeps its seat.
            Ok((seat, alerts)) => {
                self.seat = Some(seat);
                Ok(alerts)
            }
            Err(failure) => Err(self.strikes.after(failure, &self.stopping)),
        }
    }
}

/// A panic in the engine costs the call and the instance.
fn guarded<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(Failure {
            kind: FailureKind::Judge,
            message: "the sandbox panicked".into(),
            is_last: false,
        })
    })
}
