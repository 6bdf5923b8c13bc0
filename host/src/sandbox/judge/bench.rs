//! What judges windows, in whichever process it is: engine, instances and private mappings of the
//! rulesets of each epoch, and the threads that take windows one after the other.
//!
//! How a module is run is `instance`'s to say; where jobs come from and answers go to, of those
//! who own a bench: `threads` and `confined`.

use crate::sandbox::Limits;
use crate::sandbox::deadline::Ticker;
use crate::sandbox::instance::{Case, Compiled, Seat, Verdict};
use crate::sandbox::message::{FailureKind, FromJudge};
use saker_shm::window::{WindowView, slot_range};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::Engine;

/// No judge keeps more epochs at a time: someone forgets to retire them.
pub(super) const EPOCHS_MAX: usize = 64;
/// Judging threads, at most.
const THREADS_MAX: usize = 256;
/// Stack of a judging thread beyond what modules may use of it.
const STACK_BYTES: usize = 2 << 20;

/// A window and who is to judge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) window: u64,
    pub(super) epoch: u32,
    pub(super) ruleset: u32,
    pub(super) slot: u32,
    pub(super) first: u32,
    pub(super) end: u32,
    pub(super) rows: u32,
}

impl Request {
    /// Why there is no answer to it.
    pub(super) fn failed(&self, kind: FailureKind, message: String, cpu_ns: u64) -> FromJudge {
        FromJudge::Failed {
            window: self.window,
            epoch: self.epoch,
            ruleset: self.ruleset,
            slot: self.slot,
            rows: self.rows,
            kind,
            message,
            cpu_ns,
        }
    }
}

/// What a judging thread is to do.
pub(super) enum Job {
    Judge(Request),
    Ready(Epoch),
    Retire(u32),
    Stop,
}

/// Where jobs come from.
pub(super) trait Docket: Send {
    /// Waits for the next.
    fn next(&mut self) -> Job;
}

/// The docket, and whether its end was reached.
pub(super) struct Intake<D> {
    docket: D,
    stopped: bool,
}

impl<D: Docket> Intake<D> {
    pub(super) fn of(docket: D) -> Arc<Mutex<Intake<D>>> {
        Arc::new(Mutex::new(Intake {
            docket,
            stopped: false,
        }))
    }
}

/// What all threads work with.
pub(super) struct Bench {
    window: WindowView,
    limits: Limits,
    ticker: Ticker,
    stopping: Arc<AtomicBool>,
    epochs: Mutex<HashMap<u32, Arc<Epoch>>>,
}

/// Rulesets that are ready.
pub(super) struct Epoch {
    number: u32,
    rulesets: Vec<Ruleset>,
}

struct Ruleset {
    compiled: Compiled,
    /// Instances that no thread uses at the moment.
    seats: Mutex<Vec<Seat>>,
    record: Mutex<Record>,
}

/// A ruleset's conduct.
#[derive(Default)]
struct Record {
    windows: u64,
    /// The numbers, counting its windows, of those that failed lately.
    strikes: VecDeque<u64>,
    quarantined: bool,
}

impl Record {
    /// Notes a failure; true if it was the one too many.
    fn strike(&mut self, limits: &Limits) -> bool {
        let now = self.windows;
        self.strikes.push_back(now);
        self.strikes
            .retain(|then| now - then < limits.strike_windows);
        let over = limits.strikes > 0 && self.strikes.len() >= limits.strikes as usize;
        let first = over && !self.quarantined;
        self.quarantined |= over;
        first
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a judging thread does next.
enum Task {
    Judge(Request, Option<Arc<Epoch>>),
    Say(FromJudge),
    Nothing,
    End,
}

/// How many threads a bench has, and the stack of each.
pub(super) fn threads(limits: &Limits) -> (usize, usize) {
    (
        limits.threads.clamp(1, THREADS_MAX),
        STACK_BYTES.saturating_add(limits.stack_bytes_max),
    )
}

/// The life of a judging thread, until there are no more jobs or nobody hears what it says.
pub(super) fn work<D: Docket>(
    bench: &Bench,
    intake: &Mutex<Intake<D>>,
    mut say: impl FnMut(FromJudge) -> bool,
) {
    loop {
        let task = bench.next(&mut lock(intake));
        let mut said = [None, None];
        match task {
            Task::Judge(request, epoch) => said = bench.judge(request, epoch.as_deref()),
            Task::Say(answer) => said[0] = Some(answer),
            Task::Nothing => {}
            Task::End => return,
        }
        if !said.into_iter().flatten().all(&mut say) {
            return;
        }
    }
}

impl Bench {
    /// A bench without epochs. `stopping` ends whatever runs there.
    pub(super) fn new(
        window: WindowView,
        limits: Limits,
        engine: &Engine,
        stopping: Arc<AtomicBool>,
    ) -> io::Result<Bench> {
        Ok(Bench {
            window,
            limits,
            ticker: Ticker::spawn(engine.clone())?,
            stopping,
            epochs: Mutex::default(),
        })
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn next<D: Docket>(&self, intake: &mut Intake<D>) -> Task {
        // Asked under the lock: a thread that had to wait for it must not wait for a job then,
        // as nobody might send one any more.
        if intake.stopped || self.is_stopping() {
            return Task::End;
        }
        // Looked up under the same lock: a window that was sent before its epoch was retired
        // finds it, whichever thread takes it.
        match intake.docket.next() {
            Job::Judge(request) => {
                let epoch = lock(&self.epochs).get(&request.epoch).cloned();
                Task::Judge(request, epoch)
            }
            Job::Ready(ready) => Task::Say(self.install(ready)),
            Job::Retire(epoch) => {
                let retired = lock(&self.epochs).remove(&epoch);
                drop(retired);
                Task::Nothing
            }
            Job::Stop => {
                intake.stopped = true;
                Task::End
            }
        }
    }

    /// From here on windows of the epoch are judged, or why not.
    pub(super) fn install(&self, ready: Epoch) -> FromJudge {
        let epoch = ready.number;
        let mut epochs = lock(&self.epochs);
        let error = if epochs.contains_key(&epoch) {
            format!("epoch {epoch} is installed already")
        } else if epochs.len() >= EPOCHS_MAX {
            format!("{EPOCHS_MAX} epochs are installed already")
        } else {
            epochs.insert(epoch, Arc::new(ready));
            return FromJudge::Installed { epoch };
        };
        FromJudge::Refused {
            epoch,
            ruleset: 0,
            error,
        }
    }

    /// Makes an epoch of what comes of `compiled` for each index, and one instance of each
    /// ruleset to see that it can be done.
    pub(super) fn prepare(
        &self,
        number: u32,
        rulesets: usize,
        mut compiled: impl FnMut(usize) -> Result<Compiled, String>,
    ) -> Result<Epoch, FromJudge> {
        let mut ready = Vec::new();
        for index in 0..rulesets {
            let made = catch_unwind(AssertUnwindSafe(|| {
                let compiled = compiled(index)?;
                let seat = self.seat(&compiled)?;
                Ok((compiled, seat))
            }))
            .unwrap_or_else(|_| Err("the compiler of Wasm code panicked".into()));
            let (compiled, seat) = made.map_err(|error| FromJudge::Refused {
                epoch: number,
                ruleset: index as u32,
                error,
            })?;
            ready.push(Ruleset {
                compiled,
                seats: Mutex::new(vec![seat]),
                record: Mutex::default(),
            });
        }
        Ok(Epoch {
            number,
            rulesets: ready,
        })
    }

    /// Judges a window; if that was the ruleset's last strike there is a second thing to say.
    fn judge(&self, request: Request, epoch: Option<&Epoch>) -> [Option<FromJudge>; 2] {
        let Request {
            window,
            epoch: number,
            ruleset: index,
            slot,
            rows,
            ..
        } = request;
        let failed = |kind, message, cpu_ns| request.failed(kind, message, cpu_ns);
        let Some(ruleset) = epoch.and_then(|epoch| epoch.rulesets.get(index as usize)) else {
            let message = format!("epoch {number} has no ruleset {index}");
            return [Some(failed(FailureKind::Request, message, 0)), None];
        };
        if !self.holds(&request) {
            let message = format!(
                "no rows can lie at {}..{} in slot {slot}",
                request.first, request.end
            );
            return [Some(failed(FailureKind::Request, message, 0)), None];
        }
        let quarantined = {
            let mut record = lock(&ruleset.record);
            record.windows += 1;
            record.quarantined
        };
        if quarantined {
            let message = "in quarantine".to_string();
            return [Some(failed(FailureKind::Quarantined, message, 0)), None];
        }
        // A panic in the engine costs the window and the instance, not the judge.
        let run = catch_unwind(AssertUnwindSafe(|| self.run(ruleset, &request)))
            .unwrap_or_else(|_| Err((FailureKind::Judge, "the judge panicked".into(), 0)));
        match run {
            Ok(verdict) => {
                let judged = FromJudge::Judged {
                    window,
                    epoch: number,
                    ruleset: index,
                    slot,
                    rows,
                    hits: verdict.hits,
                    lost_hits: verdict.lost,
                    invalid_hits: verdict.invalid,
                    cpu_ns: nanoseconds(verdict.cpu),
                };
                [Some(judged), None]
            }
            Err((_, _, cpu_ns)) if self.is_stopping() => {
                let message = "the judge is stopping".to_string();
                [Some(failed(FailureKind::Judge, message, cpu_ns)), None]
            }
            Err((kind, message, cpu_ns)) => {
                let out = kind.is_strike() && lock(&ruleset.record).strike(&self.limits);
                if out {
                    lock(&ruleset.seats).clear();
                }
                let quarantined = out.then_some(FromJudge::Quarantined {
                    epoch: number,
                    ruleset: index,
                });
                [Some(failed(kind, message, cpu_ns)), quarantined]
            }
        }
    }

    /// Whether the rows lie in the slot.
    fn holds(&self, request: &Request) -> bool {
        let slot = request.slot;
        let (first, end) = (request.first as usize, request.end as usize);
        let range = if slot < self.window.slots() {
            slot_range(slot)
        } else {
            return false;
        };
        range.start <= first
            && first <= end
            && end <= range.end
            && first.is_multiple_of(8)
            && end.is_multiple_of(8)
    }

    fn run(
        &self,
        ruleset: &Ruleset,
        request: &Request,
    ) -> Result<Verdict, (FailureKind, String, u64)> {
        let free = lock(&ruleset.seats).pop();
        let mut seat = match free {
            Some(seat) => seat,
            None => self
                .seat(&ruleset.compiled)
                .map_err(|message| (FailureKind::Judge, message, 0))?,
        };
        let case = Case {
            ruleset: &ruleset.compiled,
            window: &self.window,
            limits: &self.limits,
            ticker: &self.ticker,
            rows: (request.first, request.end),
        };
        let verdict = seat
            .judge(&case)
            .map_err(|failure| (failure.kind, failure.message, nanoseconds(failure.cpu)))?;
        // Only who has answered keeps its seat.
        lock(&ruleset.seats).push(seat);
        Ok(verdict)
    }

    fn seat(&self, ruleset: &Compiled) -> Result<Seat, String> {
        Seat::new(
            ruleset,
            &self.window,
            &self.limits,
            &self.ticker,
            &self.stopping,
        )
    }
}

fn nanoseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
