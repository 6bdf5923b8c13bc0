//! The judge: the threads that own engine, instances and private mappings, and the two queues.
//!
//! One thread compiles what is to be installed, so that a swap holds up no window; one or more
//! judge. All of them end when the [`Judge`] is dropped. How a module is run is `instance`'s to
//! say; when to install and retire, and what a hit means, is left to the pipeline.

use super::Limits;
use super::deadline::Ticker;
use super::instance::{Case, Compiled, Seat, engine};
use super::message::{FailureKind, FromJudge, RulesetImage, ToJudge};
use super::native::{Compiler, NotCompiled, Recipe};
use saker_shm::window::{NotAWindow, WindowView, slot_range};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::mpsc as replies;
use wasmtime::{Engine, Module};

/// No judge keeps more epochs at a time: someone forgets to retire them.
const EPOCHS_MAX: usize = 64;
/// Epochs waiting to be compiled.
const INSTALLS: usize = 4;
/// Modules whose native code is at hand for the next epoch,
const RECENT_MAX: usize = 64;
/// and bytes of Wasm that they have together.
const RECENT_BYTES_MAX: usize = 64 << 20;
/// Judging threads, at most.
const THREADS_MAX: usize = 256;
/// Stack of a judging thread beyond what modules may use of it.
const STACK_BYTES: usize = 2 << 20;
/// Stack of the compiling thread.
const COMPILE_STACK_BYTES: usize = 16 << 20;

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
    jobs: SyncSender<Job>,
    installs: SyncSender<Install>,
    replies: replies::Receiver<FromJudge>,
    stopping: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    counters: BTreeMap<(u32, u32), Counters>,
}

impl Judge {
    /// Starts the judge's threads. The window is mapped and its descriptor duplicated here.
    pub fn spawn(window: BorrowedFd<'_>, limits: Limits) -> Result<Judge, SpawnError> {
        Judge::spawn_with(window, limits, Arc::default())
    }

    /// The same, where native code comes from that compiler.
    pub fn spawn_with(
        window: BorrowedFd<'_>,
        limits: Limits,
        compiler: Arc<Compiler>,
    ) -> Result<Judge, SpawnError> {
        let engine = engine(&limits).map_err(|error| SpawnError::Engine(format!("{error:#}")))?;
        let stopping = Arc::new(AtomicBool::new(false));
        let bench = Arc::new(Bench {
            window: WindowView::open(window)?,
            limits,
            ticker: Ticker::spawn(engine.clone())?,
            stopping: Arc::clone(&stopping),
            compiler,
        });
        let queue = limits.queue.max(1);
        let (jobs, queued) = sync_channel(queue);
        let (installs, to_install) = sync_channel(INSTALLS);
        let (answers, replies) = replies::channel(queue);
        let intake = Arc::new(Mutex::new(Intake {
            queue: queued,
            epochs: HashMap::new(),
            stopped: false,
        }));
        let mut judge = Judge {
            jobs: jobs.clone(),
            installs,
            replies,
            stopping,
            workers: Vec::new(),
            counters: BTreeMap::new(),
        };
        for number in 0..limits.threads.clamp(1, THREADS_MAX) {
            let (bench, intake) = (Arc::clone(&bench), Arc::clone(&intake));
            let answers = answers.clone();
            let worker = std::thread::Builder::new()
                .name(format!("saker-judge-{number}"))
                .stack_size(STACK_BYTES.saturating_add(limits.stack_bytes_max))
                .spawn(move || work(&bench, &intake, &answers))?;
            judge.workers.push(worker);
        }
        // Not joined at the end: a compilation cannot be broken off, and holds nothing of ours.
        std::thread::Builder::new()
            .name("saker-compile".into())
            .stack_size(COMPILE_STACK_BYTES)
            .spawn(move || install(&bench, &engine, &to_install, &jobs, &answers))?;
        Ok(judge)
    }

    /// Hands over a message, without waiting.
    pub fn send(&self, message: ToJudge) -> Result<(), SendError> {
        match message {
            ToJudge::Install { epoch, rulesets } => {
                let again = |install| match install {
                    Install::Epoch { epoch, rulesets } => ToJudge::Install { epoch, rulesets },
                    Install::Stop => ToJudge::Stop,
                };
                offer(&self.installs, Install::Epoch { epoch, rulesets }, again)
            }
            ToJudge::Judge {
                window,
                epoch,
                ruleset,
                slot,
                first,
                end,
                rows,
            } => {
                let request = Request {
                    window,
                    epoch,
                    ruleset,
                    slot,
                    first,
                    end,
                    rows,
                };
                offer(&self.jobs, Job::Judge(request), Job::message)
            }
            ToJudge::Retire { epoch } => offer(&self.jobs, Job::Retire(epoch), Job::message),
            ToJudge::Stop => {
                offer(&self.jobs, Job::Stop, Job::message)?;
                // If its queue is full it will notice when it wants to hand over an epoch.
                let _ = self.installs.try_send(Install::Stop);
                Ok(())
            }
        }
    }

    /// Waits for the next answer; `None` once the judge has stopped and all were received. May be
    /// given up at any time without losing one.
    pub async fn receive(&mut self) -> Option<FromJudge> {
        let answer = self.replies.recv().await?;
        self.count(&answer);
        Some(answer)
    }

    /// The same for code outside of an async runtime (inside of one it panics).
    pub fn blocking_receive(&mut self) -> Option<FromJudge> {
        let answer = self.replies.blocking_recv()?;
        self.count(&answer);
        Some(answer)
    }

    /// The next answer, if there is one already.
    pub fn try_receive(&mut self) -> Result<FromJudge, Nothing> {
        let answer = self.replies.try_recv().map_err(|error| match error {
            replies::error::TryRecvError::Empty => Nothing::Yet,
            replies::error::TryRecvError::Disconnected => Nothing::Ever,
        })?;
        self.count(&answer);
        Ok(answer)
    }

    /// What became of the windows of each ruleset, by (epoch, ruleset), as far as answers were
    /// received.
    pub fn counters(&self) -> &BTreeMap<(u32, u32), Counters> {
        &self.counters
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
                counters.hits_lost += lost_hits;
                counters.hits_invalid += invalid_hits;
                counters.cpu_ns += cpu_ns;
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
                counters.cpu_ns += cpu_ns;
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

impl Drop for Judge {
    fn drop(&mut self) {
        // Modules are interrupted at the next tick, nobody waits for room in a queue, and who
        // waits for a job is woken. (Is the queue full, nobody waits for one.)
        self.stopping.store(true, Ordering::SeqCst);
        self.replies.close();
        let _ = self.jobs.try_send(Job::Stop);
        let _ = self.installs.try_send(Install::Stop);
        for worker in self.workers.drain(..) {
            // What a worker died of was said when it died.
            let _ = worker.join();
        }
    }
}

fn offer<T>(to: &SyncSender<T>, job: T, message: impl Fn(T) -> ToJudge) -> Result<(), SendError> {
    to.try_send(job).map_err(|error| match error {
        TrySendError::Full(job) => SendError::Full(message(job)),
        TrySendError::Disconnected(job) => SendError::Gone(message(job)),
    })
}

/// A window and who is to judge it.
#[derive(Clone, Copy, Debug)]
struct Request {
    window: u64,
    epoch: u32,
    ruleset: u32,
    slot: u32,
    first: u32,
    end: u32,
    rows: u32,
}

/// What lies in the queue to the judging threads.
enum Job {
    Judge(Request),
    Ready(Arc<Epoch>),
    Retire(u32),
    Stop,
}

impl Job {
    /// The message it was made of.
    fn message(self) -> ToJudge {
        match self {
            Job::Judge(Request {
                window,
                epoch,
                ruleset,
                slot,
                first,
                end,
                rows,
            }) => ToJudge::Judge {
                window,
                epoch,
                ruleset,
                slot,
                first,
                end,
                rows,
            },
            Job::Retire(epoch) => ToJudge::Retire { epoch },
            // An epoch that is ready is never offered back.
            Job::Ready(_) | Job::Stop => ToJudge::Stop,
        }
    }
}

/// What lies in the queue to the compiling thread.
enum Install {
    Epoch {
        epoch: u32,
        rulesets: Vec<RulesetImage>,
    },
    Stop,
}

/// What all threads work with.
struct Bench {
    window: WindowView,
    limits: Limits,
    ticker: Ticker,
    stopping: Arc<AtomicBool>,
    compiler: Arc<Compiler>,
}

/// The queue and, under the same lock, the epochs: a window that was sent before its epoch was
/// retired finds it, whichever thread takes it.
struct Intake {
    queue: Receiver<Job>,
    epochs: HashMap<u32, Arc<Epoch>>,
    stopped: bool,
}

struct Epoch {
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a judging thread is to do next.
enum Task {
    Judge(Request, Option<Arc<Epoch>>),
    Say(FromJudge),
    Nothing,
    End,
}

impl Intake {
    fn next(&mut self, stopping: &AtomicBool) -> Task {
        // Asked under the lock: a thread that had to wait for it must not wait for a job then,
        // as nobody might send one any more.
        if self.stopped || stopping.load(Ordering::SeqCst) {
            return Task::End;
        }
        match self.queue.recv() {
            Ok(Job::Judge(request)) => {
                Task::Judge(request, self.epochs.get(&request.epoch).cloned())
            }
            Ok(Job::Ready(ready)) => {
                let epoch = ready.number;
                let error = if self.epochs.contains_key(&epoch) {
                    format!("epoch {epoch} is installed already")
                } else if self.epochs.len() >= EPOCHS_MAX {
                    format!("{EPOCHS_MAX} epochs are installed already")
                } else {
                    self.epochs.insert(epoch, ready);
                    return Task::Say(FromJudge::Installed { epoch });
                };
                Task::Say(FromJudge::Refused {
                    epoch,
                    ruleset: 0,
                    error,
                })
            }
            Ok(Job::Retire(epoch)) => {
                self.epochs.remove(&epoch);
                Task::Nothing
            }
            Ok(Job::Stop) | Err(_) => {
                self.stopped = true;
                Task::End
            }
        }
    }
}

/// The life of a judging thread.
fn work(bench: &Bench, intake: &Mutex<Intake>, answers: &replies::Sender<FromJudge>) {
    loop {
        let task = lock(intake).next(&bench.stopping);
        let mut said = [None, None];
        match task {
            Task::Judge(request, epoch) => said = bench.judge(request, epoch.as_deref()),
            Task::Say(answer) => said[0] = Some(answer),
            Task::Nothing => {}
            Task::End => return,
        }
        for answer in said.into_iter().flatten() {
            if answers.blocking_send(answer).is_err() {
                return;
            }
        }
    }
}

impl Bench {
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
        let failed = |kind, message: String, cpu_ns| FromJudge::Failed {
            window,
            epoch: number,
            ruleset: index,
            slot,
            rows,
            kind,
            message,
            cpu_ns,
        };
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
            Err((_, _, cpu_ns)) if self.stopping.load(Ordering::SeqCst) => {
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
    ) -> Result<super::instance::Verdict, (FailureKind, String, u64)> {
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

    /// Compiles an epoch, and makes one instance of each ruleset to see that it can be done.
    fn prepare(
        &self,
        engine: &Engine,
        recent: &mut Recent,
        number: u32,
        images: &[RulesetImage],
    ) -> Result<Epoch, FromJudge> {
        let mut rulesets = Vec::with_capacity(images.len());
        for (index, image) in images.iter().enumerate() {
            let ready = catch_unwind(AssertUnwindSafe(|| {
                let compiled = Compiled::new(image, |wasm| {
                    recent.module(engine, &self.limits.recipe(), wasm, &self.compiler)
                })?;
                let seat = self.seat(&compiled)?;
                Ok((compiled, seat))
            }))
            .unwrap_or_else(|_| Err("the compiler of Wasm code panicked".into()));
            let (compiled, seat) = ready.map_err(|error| FromJudge::Refused {
                epoch: number,
                ruleset: index as u32,
                error,
            })?;
            rulesets.push(Ruleset {
                compiled,
                seats: Mutex::new(vec![seat]),
                record: Mutex::default(),
            });
        }
        Ok(Epoch { number, rulesets })
    }
}

/// Native code of modules that were installed lately, the latest first: of an epoch that differs
/// from the one before in one module, one is compiled.
#[derive(Default)]
struct Recent {
    modules: VecDeque<(blake3::Hash, usize, Module)>,
}

impl Recent {
    fn module(
        &mut self,
        engine: &Engine,
        recipe: &Recipe,
        wasm: &[u8],
        compiler: &Compiler,
    ) -> Result<Module, NotCompiled> {
        let digest = blake3::hash(wasm);
        let known = self.modules.iter().position(|(of, ..)| *of == digest);
        let module = match known.and_then(|at| self.modules.remove(at)) {
            Some((_, _, module)) => module,
            None => compiler.native(engine, recipe, wasm)?,
        };
        self.modules
            .push_front((digest, wasm.len(), module.clone()));
        let mut bytes = 0;
        let fit = self.modules.iter().take_while(|(_, of, _)| {
            bytes += of;
            bytes <= RECENT_BYTES_MAX
        });
        let fit = fit.count().min(RECENT_MAX);
        self.modules.truncate(fit);
        Ok(module)
    }
}

fn nanoseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The life of the compiling thread.
fn install(
    bench: &Bench,
    engine: &Engine,
    installs: &Receiver<Install>,
    jobs: &SyncSender<Job>,
    answers: &replies::Sender<FromJudge>,
) {
    let mut recent = Recent::default();
    while let Ok(Install::Epoch { epoch, rulesets }) = installs.recv() {
        let sent = match bench.prepare(engine, &mut recent, epoch, &rulesets) {
            Ok(ready) => jobs.send(Job::Ready(Arc::new(ready))).is_ok(),
            Err(refused) => answers.blocking_send(refused).is_ok(),
        };
        if !sent || bench.stopping.load(Ordering::SeqCst) {
            return;
        }
    }
}
