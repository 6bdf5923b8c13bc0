//! Candidate rules tried before anybody loads them: events of the last minutes, or of a capture
//! that was sent, judged once more by a pipeline of their own, in which the candidate is compared
//! with the rules that run.
//!
//! It happens on the thread that asks, with a judge of its own, within a time; the event thread has
//! no part in it.

use crate::config::Config;
use crate::event::{Clock, calls_of};
use crate::modules::{Epoch, Module};
use crate::page;
use crate::pipeline::contest::{By, Contest, Example};
use crate::pipeline::{ParkingLimits, Pipeline, PipelineError, Setup};
use crate::recent::{self, Kept, Next, Told};
use crate::sandbox::{Judge, SpawnError};
use crate::source::capture::Capture;
use crate::source::merge::Batch;
use crate::state::{self, State};
use saker_capture::{CaptureError, Entry, Reader};
use saker_ebpf::recipe::Wanted;
use saker_ebpf::record::Record;
use saker_rules_schema::event::EventType;
use saker_shm::window::Window;
use saker_web::host::Refusal;
use saker_web::trial::{Compared, Tally, Tried, Untraced};
use std::io::{self, BufReader, Read};
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A trial that is not at its end by then is told as far as it got.
const WITHIN: Duration = Duration::from_secs(20);
/// Events that are taken in at once.
const BATCH_EVENTS: usize = 1024;
/// Bytes of them.
const BATCH_BYTES: usize = 1 << 20;
/// Bytes read ahead of the decompression of a capture.
const INPUT_BYTES: usize = 32 << 10;

/// Starts a judge over a window.
pub type Judges = Box<dyn Fn(BorrowedFd<'_>) -> Result<Judge, SpawnError> + Send + Sync>;

/// Why nothing can be tried.
#[derive(Debug, thiserror::Error)]
pub enum Untried {
    /// There is no window.
    #[error("there is no memory for it: {0}")]
    Window(io::Error),
    /// There is no judge.
    #[error("nobody can judge it: {0}")]
    Judge(#[from] SpawnError),
    /// The rules cannot be had, or the judge has ended.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// It is no capture.
    #[error("that is no capture: {0}")]
    Capture(#[from] CaptureError),
}

/// Where trials are held.
pub struct Trials {
    judges: Judges,
    /// What is kept of recent events, where it is.
    recent: Option<recent::Asker>,
    window_slots: u32,
    rows_max: usize,
    metadata_wait: Duration,
    hostname: String,
}

impl Trials {
    /// As a run with these settings judges.
    pub fn new(config: &Config, judges: Judges, recent: Option<recent::Asker>) -> Trials {
        Trials {
            judges,
            recent,
            window_slots: config.window_slots,
            rows_max: config.window_rows_max,
            metadata_wait: config.metadata_wait,
            hostname: config.hostname(),
        }
    }

    fn pipeline(&self, state: State, tried: &page::Tried<'_>) -> Result<Pipeline, Untried> {
        let window = Window::create(self.window_slots).map_err(Untried::Window)?;
        let judge = (self.judges)(window.fd())?;
        let replaces = tried.replaces.as_deref();
        let module = tried.module.clone();
        let running = compared_with(&module, &tried.running, replaces);
        let epoch = Epoch::shadowed(1, running, module, replaces, tried.selection.clone());
        let setup = Setup {
            state,
            window,
            judge,
            rows_max: self.rows_max,
            alerts: Box::new(|_| {}),
        };
        let mut pipeline = Pipeline::new(setup, epoch)?;
        pipeline.keep_scenes();
        pipeline.set_parking(ParkingLimits {
            wait: self.metadata_wait,
            ..ParkingLimits::default()
        });
        pipeline.compare(Some(Contest::silent()));
        Ok(pipeline)
    }

    /// Judges recent events.
    fn over_recent(&self, kept: Kept, tried: &page::Tried<'_>) -> Result<Tried, Untried> {
        let asked = Epoch::new(1, vec![tried.module.clone()], tried.selection.clone());
        let mut traced = Traced::of(&asked, &kept.traced);
        let pipeline = self.pipeline(kept.state, tried)?;
        let mut trial = Trial::of(pipeline);
        'all: for piece in &kept.pieces {
            for next in piece.each() {
                match next {
                    Next::Record(bytes) => trial.record(bytes),
                    Next::Told(told) => {
                        trial.push()?;
                        match told {
                            Told::Enriched(answer) => answer.clone().tell(trial.pipeline.state()),
                            Told::Container(answer) => {
                                trial.pipeline.answer_container(answer.clone());
                            }
                            Told::Traced(calls) => traced.now(calls, trial.to),
                        }
                    }
                }
                if trial.batch.len() >= BATCH_EVENTS {
                    trial.push()?;
                    if trial.is_over() {
                        break 'all;
                    }
                }
            }
        }
        trial.push()?;
        Ok(Tried {
            missed: kept.missed,
            untraced: traced.untraced(),
            ..trial.end()?
        })
    }

    /// Judges the events of a capture.
    fn over_capture(&self, bytes: &[u8], tried: &page::Tried<'_>) -> Result<Tried, Untried> {
        // What is in it may be a hundred thousand times as long, and be no events.
        let until = Instant::now() + WITHIN;
        let bytes = BufReader::with_capacity(INPUT_BYTES, Timed { bytes, until });
        let mut capture = Capture::new(Reader::new(bytes)?);
        let mut state = State::new(capture_limits(), Clock::default());
        state.set_hostname(self.hostname.as_bytes());
        let pipeline = self.pipeline(state, tried)?;
        let mut trial = Trial::of(pipeline);
        loop {
            let (mut batch, pipeline) = (Batch::new(), &mut trial.pipeline);
            let more = capture.read(&mut batch, BATCH_EVENTS, BATCH_BYTES, |batch, entry, _| {
                if !batch.is_empty() {
                    pipeline.push(&Rc::new(std::mem::take(batch)))?;
                }
                Ok::<(), Untried>(pipeline.seed(entry as &Entry<'_>)?)
            });
            if let Some((first, last)) = batch.first_time().zip(batch.last_time()) {
                trial.from.get_or_insert(first);
                trial.to = trial.to.max(last);
            }
            trial.pipeline.push(&Rc::new(batch))?;
            match more {
                Ok(true) if trial.is_over() => break,
                Ok(true) => {}
                Ok(false) => break,
                // What it has given is judged, as a replay does.
                Err(Untried::Capture(error)) => {
                    trial.cut = Some(format!("the capture cannot be read any further: {error}"));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        trial.end()
    }
}

impl page::Try for Trials {
    fn judge(&self, tried: &page::Tried<'_>) -> Result<Tried, Refusal> {
        let judged = match tried.capture {
            Some(bytes) => self.over_capture(bytes, tried),
            None => {
                let Some(recent) = &self.recent else {
                    let why = "no recent events are kept (`-o recent.max_mb=` keeps some)";
                    return Err(Refusal::Conflict(why.into()));
                };
                let busy = || Refusal::Busy("recent events cannot be had now".into());
                let too_large = || {
                    let why = "no recent events are kept: the state alone is larger than \
                               `recent.max_mb`; a larger value takes effect at the next start";
                    Refusal::Conflict(why.into())
                };
                let kept = recent.look().ok_or_else(busy)?.ok_or_else(too_large)?;
                self.over_recent(kept, tried)
            }
        };
        judged.map_err(|why| match why {
            Untried::Capture(_) | Untried::Pipeline(PipelineError::Refused { .. }) => {
                Refusal::Invalid(why.to_string())
            }
            Untried::Window(_) | Untried::Judge(_) | Untried::Pipeline(_) => {
                Refusal::Failed(why.to_string())
            }
        })
    }
}

/// The module that would be replaced; else the rulesets that have a rule of the same name.
fn compared_with(candidate: &Module, running: &[Module], replaces: Option<&str>) -> Vec<Module> {
    let has = |rule: &str| candidate.rules().iter().any(|own| own.name == rule);
    let is_compared = |module: &&Module| match replaces {
        Some(name) => *module.identity().name == *name,
        None => module.rules().iter().any(|rule| has(&rule.name)),
    };
    let rulesets = running.iter().filter(|of| of.as_component().is_none());
    rulesets.filter(is_compared).cloned().collect()
}

/// What a capture makes the state keep is less than a run may: somebody sent it.
fn capture_limits() -> state::Limits {
    state::Limits {
        image_bytes_max: 64 << 20,
        descriptor_bytes_max: 32 << 20,
        row_bytes_max: 32 << 20,
        cgroup_bytes_max: 16 << 20,
        container_bytes_max: 16 << 20,
        ..state::Limits::default()
    }
}

/// Bytes that are read until a time.
struct Timed<'a> {
    bytes: &'a [u8],
    until: Instant,
}

impl Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match Instant::now() < self.until {
            true => self.bytes.read(into),
            false => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// A trial at work.
struct Trial {
    pipeline: Pipeline,
    batch: Batch,
    began: Instant,
    /// Time of the first event, ns since the epoch.
    from: Option<u64>,
    to: u64,
    cut: Option<String>,
}

impl Trial {
    fn of(pipeline: Pipeline) -> Trial {
        Trial {
            pipeline,
            batch: Batch::new(),
            began: Instant::now(),
            from: None,
            to: 0,
            cut: None,
        }
    }

    fn record(&mut self, bytes: &[u8]) {
        if let Ok(record) = Record::parse(bytes) {
            let time = self.pipeline.state().clock().wall(record.header.time);
            self.from.get_or_insert(time);
            self.to = time;
        }
        self.batch.push(bytes);
    }

    /// Takes in what has come so far, as a run does.
    fn push(&mut self) -> Result<(), Untried> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = Rc::new(std::mem::take(&mut self.batch));
        self.pipeline.push(&batch)?;
        if self.pipeline.is_parking() {
            self.pipeline.release_parked(self.to)?;
        }
        // What was answered then is told in its place.
        let state = self.pipeline.state();
        drop(state.take_lookups());
        drop(state.take_container_lookups());
        Ok(())
    }

    /// Whether there is no use in going on.
    fn is_over(&mut self) -> bool {
        if let Some(why) = self.pipeline.contest_failed() {
            self.cut = Some(format!("the candidate is not asked any more: {why}"));
        } else if self.began.elapsed() >= WITHIN {
            self.cut = Some(format!("it took more than {} seconds", WITHIN.as_secs()));
        }
        self.cut.is_some()
    }

    fn end(mut self) -> Result<Tried, Untried> {
        self.pipeline.release_all_parked()?;
        self.pipeline.drain()?;
        let contest = self.pipeline.contest().unwrap_or_default();
        const MS: u64 = 1_000_000;
        Ok(Tried {
            events: contest.events,
            from_ms: self.from.unwrap_or(0) / MS,
            to_ms: self.to / MS,
            took_ms: self.began.elapsed().as_millis() as u64,
            cut: self.cut,
            missed: 0,
            untraced: Vec::new(),
            compared: compared(contest),
        })
    }
}

/// What came of both, as the page has it.
pub fn compared(contest: Contest) -> Compared {
    let total = contest.total();
    let an_event = |ns: u64| ns as f64 / contest.events.max(1) as f64;
    Compared {
        running: total.running,
        candidate: total.candidate,
        added: total.added,
        removed: total.removed,
        candidate_ns: an_event(contest.candidate_ns),
        running_ns: an_event(contest.running_ns),
        unjudged: contest.unjudged,
        lost: contest.hits_lost,
        rules: (contest.rules.iter())
            .map(|(rule, tally)| Tally {
                rule: rule.to_string(),
                running: tally.running,
                candidate: tally.candidate,
                added: tally.added,
                removed: tally.removed,
            })
            .collect(),
        examples: contest.examples.into_iter().map(example).collect(),
    }
}

fn example(of: Example) -> saker_web::trial::Example {
    saker_web::trial::Example {
        time_ms: of.time / 1_000_000,
        rule: of.rule,
        priority: of.priority.name().into(),
        process: of.process,
        pid: of.pid,
        output: of.output,
        by: match of.by {
            By::Both => "both",
            By::Candidate => "candidate",
            By::Running => "running",
        }
        .into(),
    }
}

/// What a candidate asks for and was recorded, or was not.
struct Traced {
    asked: Vec<Asked>,
}

/// A type of events that is asked for.
struct Asked {
    event: EventType,
    calls: Vec<u16>,
    now: Coverage,
    /// The least that there was in all of the time.
    least: Coverage,
    /// Since when it is as it is now, ns since the epoch.
    since: u64,
}

/// How much of a type of events is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Coverage {
    Nothing,
    /// What succeeded.
    Succeeded,
    All,
}

impl Coverage {
    fn of(event: EventType, calls: &[u16], traced: &[Wanted]) -> Coverage {
        let of_call = |call: &u16| {
            let is_traced = |wanted| traced.binary_search(&wanted).is_ok();
            match (is_traced(Wanted::always(*call)), is_always_told(event)) {
                (true, _) => Coverage::All,
                (false, true) => Coverage::Succeeded,
                (false, false) if is_traced(Wanted::success(*call)) => Coverage::Succeeded,
                (false, false) => Coverage::Nothing,
            }
        };
        calls.iter().map(of_call).min().unwrap_or(Coverage::All)
    }
}

/// Exec and fork have records of their own, whatever calls are recorded.
fn is_always_told(event: EventType) -> bool {
    matches!(
        event,
        EventType::Execve
            | EventType::Execveat
            | EventType::Clone
            | EventType::Clone3
            | EventType::Fork
            | EventType::Vfork
    )
}

impl Traced {
    fn of(epoch: &Epoch, traced: &Arc<[Wanted]>) -> Traced {
        let asked = epoch.wanted().map(|event| {
            let calls: Vec<u16> = calls_of(event).collect();
            let now = Coverage::of(event, &calls, traced);
            Asked {
                event,
                calls,
                now,
                least: now,
                since: 0,
            }
        });
        Traced {
            asked: asked.collect(),
        }
    }

    /// From that time on others are recorded.
    fn now(&mut self, traced: &[Wanted], time: u64) {
        for asked in &mut self.asked {
            let now = Coverage::of(asked.event, &asked.calls, traced);
            // What is told before the first record holds for all of them.
            if time == 0 {
                asked.least = now;
            }
            if now != asked.now {
                asked.since = time;
            }
            asked.now = now;
            asked.least = asked.least.min(now);
        }
    }

    fn untraced(&self) -> Vec<Untraced> {
        let lacking = self
            .asked
            .iter()
            .filter(|asked| asked.least < Coverage::All);
        let lacking = lacking.map(|asked| Untraced {
            event: asked.event.name().into(),
            what: match (asked.least, asked.now) {
                (Coverage::Nothing, Coverage::Nothing) if asked.since == 0 => "never",
                (Coverage::Nothing, _) => "partly",
                (Coverage::Succeeded | Coverage::All, _) => "failed",
            }
            .into(),
            since_ms: (asked.now > asked.least && asked.since > 0)
                .then_some(asked.since / 1_000_000),
        });
        lacking.collect()
    }
}

#[cfg(test)]
mod tests;
