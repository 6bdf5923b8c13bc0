//! A judge of threads in this process: one compiles what is to be installed, so that a swap holds
//! up no window; one or more judge. All of them end when it is dropped.

use super::bench::{Bench, Docket, Epoch, Intake, Job, Request, threads, work};
use super::recent::Recent;
use super::{Install, Nothing, SendError, SpawnError, offer};
use crate::sandbox::instance::{Compiled, engine};
use crate::sandbox::message::{FromJudge, RulesetImage, ToJudge};
use crate::sandbox::{Compiler, Limits};
use saker_shm::window::WindowView;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use tokio::sync::mpsc as replies;
use wasmtime::{Engine, Module};

/// Epochs waiting to be compiled.
pub(super) const INSTALLS: usize = 4;
/// Stack of the compiling thread.
pub(super) const COMPILE_STACK_BYTES: usize = 16 << 20;

/// The host's end of it.
#[derive(Debug)]
pub(super) struct Threads {
    jobs: SyncSender<Job>,
    installs: SyncSender<Install>,
    replies: replies::Receiver<FromJudge>,
    stopping: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl Docket for Receiver<Job> {
    fn next(&mut self) -> Job {
        self.recv().unwrap_or(Job::Stop)
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// The message that a job was made of.
fn message(job: Job) -> ToJudge {
    match job {
        Job::Judge(request) => request.into(),
        Job::Retire(epoch) => ToJudge::Retire { epoch },
        // An epoch that is ready is never offered back.
        Job::Ready(_) | Job::Stop => ToJudge::Stop,
    }
}

impl Threads {
    pub(super) fn spawn(
        window: BorrowedFd<'_>,
        limits: Limits,
        compiler: Arc<Compiler>,
    ) -> Result<Threads, SpawnError> {
        let engine = engine(&limits).map_err(|error| SpawnError::Engine(format!("{error:#}")))?;
        let stopping = Arc::new(AtomicBool::new(false));
        let window = WindowView::open(window)?;
        let bench = Bench::new(window, limits, &engine, Arc::clone(&stopping))?;
        let bench = Arc::new(bench);
        let queue = limits.queue.max(1);
        let (jobs, queued) = sync_channel(queue);
        let (installs, to_install) = sync_channel(INSTALLS);
        let (answers, replies) = replies::channel(queue);
        let intake = Intake::of(queued);
        let mut judge = Threads {
            jobs: jobs.clone(),
            installs,
            replies,
            stopping,
            workers: Vec::new(),
        };
        let (count, stack_bytes) = threads(&limits);
        for number in 0..count {
            let (bench, intake) = (Arc::clone(&bench), Arc::clone(&intake));
            let answers = answers.clone();
            let worker = std::thread::Builder::new()
                .name(format!("saker-judge-{number}"))
                .stack_size(stack_bytes)
                .spawn(move || {
                    work(&bench, &intake, |answer| {
                        answers.blocking_send(answer).is_ok()
                    });
                })?;
            judge.workers.push(worker);
        }
        let installer = Installer {
            bench,
            engine,
            limits,
            compiler,
            recent: Recent::default(),
        };
        // Not joined at the end: a compilation cannot be broken off, and holds nothing of ours.
        std::thread::Builder::new()
            .name("saker-compile".into())
            .stack_size(COMPILE_STACK_BYTES)
            .spawn(move || installer.install(&to_install, &jobs, &answers))?;
        Ok(judge)
    }

    pub(super) fn send(&self, message_to: ToJudge) -> Result<(), SendError> {
        match message_to {
            ToJudge::Install { epoch, rulesets } => Install::offer(&self.installs, epoch, rulesets),
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
                offer(&self.jobs, Job::Judge(request), message)
            }
            ToJudge::Retire { epoch } => offer(&self.jobs, Job::Retire(epoch), message),
            ToJudge::Stop => {
                offer(&self.jobs, Job::Stop, message)?;
                // If its queue is full it will notice when it wants to hand over an epoch.
                let _ = self.installs.try_send(Install::Stop);
                Ok(())
            }
        }
    }

    pub(super) async fn receive(&mut self) -> Option<FromJudge> {
        self.replies.recv().await
    }

    pub(super) fn blocking_receive(&mut self) -> Option<FromJudge> {
        self.replies.blocking_recv()
    }

    pub(super) fn try_receive(&mut self) -> Result<FromJudge, Nothing> {
        self.replies.try_recv().map_err(|error| match error {
            replies::error::TryRecvError::Empty => Nothing::Yet,
            replies::error::TryRecvError::Disconnected => Nothing::Ever,
        })
    }
}

impl Drop for Threads {
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

/// What the compiling thread works with.
struct Installer {
    bench: Arc<Bench>,
    engine: Engine,
    limits: Limits,
    compiler: Arc<Compiler>,
    recent: Recent<Module>,
}

impl Installer {
    /// The life of the compiling thread.
    fn install(
        mut self,
        installs: &Receiver<Install>,
        jobs: &SyncSender<Job>,
        answers: &replies::Sender<FromJudge>,
    ) {
        while let Ok(Install::Epoch { epoch, rulesets }) = installs.recv() {
            let sent = match self.prepare(epoch, &rulesets) {
                Ok(ready) => jobs.send(Job::Ready(ready)).is_ok(),
                Err(refused) => answers.blocking_send(refused).is_ok(),
            };
            if !sent || self.bench.is_stopping() {
                return;
            }
        }
    }

    fn prepare(&mut self, number: u32, images: &[RulesetImage]) -> Result<Epoch, FromJudge> {
        let Installer {
            bench,
            engine,
            limits,
            compiler,
            recent,
        } = self;
        bench.prepare(number, images.len(), |index| {
            Compiled::new(&images[index], |wasm| {
                recent.module(blake3::hash(wasm), wasm.len(), || {
                    compiler.native(engine, &limits.recipe(), wasm)
                })
            })
        })
    }
}
