//! The judge: rulesets at work on windows, in threads of this process or in a process of its own
//! without any rights.
//!
//! Whichever it is, messages are the same, and so are the answers. How a module is run is
//! `instance`'s to say; when to install and retire, and what a hit means, is left to the
//! pipeline.

mod apart;
mod bench;
mod confined;
mod keeper;
mod parcel;
mod recent;
mod threads;
mod words;

pub use confined::{COMMAND, judge_for_parent};

use super::Limits;
use super::message::{FailureKind, FromJudge, RulesetImage, ToJudge};
use super::native::Compiler;
use apart::Apart;
use bench::Request;
use saker_shm::window::NotAWindow;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;
use threads::Threads;

/// A process that has windows and says nothing for so long is given up.
const SILENT_AFTER: Duration = Duration::from_secs(30);

/// Where the judging process comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgeProcess {
    /// This program.
    pub program: PathBuf,
    /// So long it may have windows and say nothing.
    pub silent_after: Duration,
}

impl JudgeProcess {
    /// By that program.
    pub fn by(program: impl Into<PathBuf>) -> JudgeProcess {
        JudgeProcess {
            program: program.into(),
            silent_after: SILENT_AFTER,
        }
    }
}

/// The process that judges, where it is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its id; `None` while there is none.
    pub pid: Option<u32>,
    /// How often it was started anew.
    pub restarts: u64,
}

/// Why there is no judge.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The descriptor is no window.
    #[error(transparent)]
    Window(#[from] NotAWindow),
    /// The machine cannot run Wasm code, or a limit makes no sense.
    #[error("the engine for modules cannot be made: {0}")]
    Engine(String),
    /// A thread could not be started.
    #[error("a thread of the judge cannot be started: {0}")]
    Thread(#[from] io::Error),
    /// The process did not start.
    #[error("no process can judge: {0}")]
    Process(String),
}

/// Why a message was not sent; it comes back.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The queue is full: receive some answers, then try again.
    #[error("the queue to the judge is full")]
    Full(ToJudge),
    /// The judge has stopped.
    #[error("the judge has stopped")]
    Gone(ToJudge),
}

/// Why there is no answer at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nothing {
    /// None yet.
    #[error("no answer is waiting")]
    Yet,
    /// And there will be none.
    #[error("the judge has stopped")]
    Ever,
}

/// What became of a ruleset's windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Windows answered for.
    pub windows: u64,
    /// Rows in windows that were judged.
    pub rows: u64,
    /// Rows in windows that were not.
    pub rows_lost: u64,
    /// Hits.
    pub hits: u64,
    /// Hits there was no room for.
    pub hits_lost: u64,
    /// Entries that were no hits.
    pub hits_invalid: u64,
    /// CPU time, in nanoseconds.
    pub cpu_ns: u64,
    /// Windows not judged, in the order of [`FailureKind::ALL`].
    pub failures: [u64; FailureKind::ALL.len()],
}

/// The host's end of the judge.
#[derive(Debug)]
pub struct Judge {
    seated: Seated,
    counters: BTreeMap<(u32, u32), Counters>,
}

/// Where it sits.
#[derive(Debug)]
enum Seated {
    Here(Threads),
    Apart(Box<Apart>),
}

impl Judge {
    /// Starts threads that judge. The window is mapped and its descriptor duplicated here.
    pub fn spawn(window: BorrowedFd<'_>, limits: Limits) -> Result<Judge, SpawnError> {
        Judge::spawn_with(window, limits, Arc::default())
    }

    /// The same, where native code comes from that compiler.
    pub fn spawn_with(
        window: BorrowedFd<'_>,
        limits: Limits,
        compiler: Arc<Compiler>,
    ) -> Result<Judge, SpawnError> {
        Threads::spawn(window, limits, compiler).map(|threads| Judge {
            seated: Seated::Here(threads),
            counters: BTreeMap::new(),
        })
    }

    /// Starts a process that judges, and returns when it is ready. Should it die, another takes
    /// its place.
    pub fn spawn_apart(
        window: BorrowedFd<'_>,
        limits: Limits,
        compiler: Arc<Compiler>,
        process: JudgeProcess,
    ) -> Result<Judge, SpawnError> {
        Apart::spawn(window, limits, compiler, process).map(|apart| Judge {
            seated: Seated::Apart(Box::new(apart)),
            counters: BTreeMap::new(),
        })
    }

    /// Hands over a message, without waiting.
    pub fn send(&mut self, message: ToJudge) -> Result<(), SendError> {
        match &mut self.seated {
            Seated::Here(threads) => threads.send(message),
            Seated::Apart(apart) => apart.send(message),
        }
    }

    /// Waits for the next answer; `None` once the judge has stopped and all were received. May be
    /// given up at any time without losing one. For a judging process the runtime must know I/O
    /// and time.
    pub async fn receive(&mut self) -> Option<FromJudge> {
        let answer = match &mut self.seated {
            Seated::Here(threads) => threads.receive().await?,
            Seated::Apart(apart) => apart.receive().await?,
        };
        self.count(&answer);
        Some(answer)
    }

    /// The same for code outside of an async runtime (inside of one it panics).
    pub fn blocking_receive(&mut self) -> Option<FromJudge> {
        let answer = match &mut self.seated {
            Seated::Here(threads) => threads.blocking_receive()?,
            Seated::Apart(apart) => apart.blocking_receive()?,
        };
        self.count(&answer);
        Some(answer)
    }

    /// The next answer, if there is one already.
    pub fn try_receive(&mut self) -> Result<FromJudge, Nothing> {
        let answer = match &mut self.seated {
            Seated::Here(threads) => threads.try_receive()?,
            Seated::Apart(apart) => apart.try_receive()?,
        };
        self.count(&answer);
        Ok(answer)
    }

    /// What became of the windows of each ruleset, by (epoch, ruleset), as far as answers were
    /// received.
    pub fn counters(&self) -> &BTreeMap<(u32, u32), Counters> {
        &self.counters
    }

    /// The process that judges; `None` where threads do.
    pub fn standing(&self) -> Option<Standing> {
        match &self.seated {
            Seated::Here(_) => None,
            Seated::Apart(apart) => Some(apart.standing()),
        }
    }

    /// Drops the counters of an epoch; to be called when its last answer was received.
    pub fn forget(&mut self, epoch: u32) {
        self.counters.retain(|(of, _), _| *of != epoch);
    }

    fn count(&mut self, answer: &FromJudge) {
        match answer {
            FromJudge::Judged {
                epoch,
                ruleset,
                rows,
                hits,
                lost_hits,
                invalid_hits,
                cpu_ns,
                window: _,
                slot: _,
            } => {
                let counters = self.counters.entry((*epoch, *ruleset)).or_default();
                counters.windows += 1;
                counters.rows += u64::from(*rows);
                counters.hits += hits.len() as u64;
                counters.hits_lost = counters.hits_lost.saturating_add(*lost_hits);
                counters.hits_invalid = counters.hits_invalid.saturating_add(*invalid_hits);
                counters.cpu_ns = counters.cpu_ns.saturating_add(*cpu_ns);
            }
            FromJudge::Failed {
                epoch,
                ruleset,
                rows,
                kind,
                cpu_ns,
                window: _,
                slot: _,
                message: _,
            } => {
                let counters = self.counters.entry((*epoch, *ruleset)).or_default();
                counters.windows += 1;
                counters.rows_lost += u64::from(*rows);
                counters.cpu_ns = counters.cpu_ns.saturating_add(*cpu_ns);
                for (count, of) in counters.failures.iter_mut().zip(FailureKind::ALL) {
                    *count += u64::from(of == *kind);
                }
            }
            FromJudge::Installed { .. }
            | FromJudge::Refused { .. }
            | FromJudge::Quarantined { .. } => {}
        }
    }
}

fn offer<T>(to: &SyncSender<T>, job: T, message: impl Fn(T) -> ToJudge) -> Result<(), SendError> {
    to.try_send(job).map_err(|error| match error {
        TrySendError::Full(job) => SendError::Full(message(job)),
        TrySendError::Disconnected(job) => SendError::Gone(message(job)),
    })
}

/// What lies in the queue to the compiling thread.
#[derive(Debug)]
enum Install {
    Epoch {
        epoch: u32,
        rulesets: Vec<RulesetImage>,
    },
    Stop,
}

impl Install {
    fn offer(
        to: &SyncSender<Install>,
        epoch: u32,
        rulesets: Vec<RulesetImage>,
    ) -> Result<(), SendError> {
        offer(
            to,
            Install::Epoch { epoch, rulesets },
            |install| match install {
                Install::Epoch { epoch, rulesets } => ToJudge::Install { epoch, rulesets },
                Install::Stop => ToJudge::Stop,
            },
        )
    }
}

impl From<Request> for ToJudge {
    fn from(request: Request) -> ToJudge {
        let Request {
            window,
            epoch,
            ruleset,
            slot,
            first,
            end,
            rows,
        } = request;
        ToJudge::Judge {
            window,
            epoch,
            ruleset,
            slot,
            first,
            end,
            rows,
        }
    }
}
