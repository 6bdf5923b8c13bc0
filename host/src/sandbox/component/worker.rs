//! A component with a thread of its own, behind a bounded queue of copies: the thread has the
//! resident, or asks the component's process.

use super::apart::Apart;
use super::call::Alert;
use super::code::Code;
use super::post::{Outcome, Post};
use super::resident::{Failure, Resident, Start};
use super::share::Share;
use crate::sandbox::deadline::thread_cpu;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel,
};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Stack of the thread beyond what a component may use of it.
pub(super) const STACK_BYTES: usize = 2 << 20;

/// How often it is looked whether something came of requests, while there are some, and whether
/// all is to end.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a component is to do.
#[derive(Clone, Debug)]
pub enum ToComponent {
    /// Judge rows.
    Batch {
        /// The rows, back to back.
        rows: Arc<Vec<u8>>,
        /// Time of the last.
        now: u64,
    },
    /// Take note of the time.
    Tick {
        /// Nanoseconds since 1970.
        time: u64,
    },
    /// What came of a request of its own: nobody sends that, it finds it where its requests are.
    Response {
        /// The request's number.
        request: u64,
        /// The server's answer.
        outcome: Outcome,
    },
}

/// What became of it. Every message gets one answer, in their order; answers to what came of
/// requests are between them.
#[derive(Debug)]
pub struct FromComponent {
    /// Who answers: what [`Worker::spawn`] was told.
    pub worker: u64,
    /// The message.
    pub of: ToComponent,
    /// The answer.
    pub answer: Result<Vec<Alert>, Failure>,
    /// CPU time that it took.
    pub cpu: Duration,
    /// Bytes of memory that the component has now.
    pub memory_bytes: usize,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It waits.
    Queued,
    /// It does not: too many wait already.
    Full,
}

/// The host's end of a component's thread.
#[derive(Debug)]
pub struct Worker {
    queue: Option<SyncSender<ToComponent>>,
    stopping: Arc<AtomicBool>,
    /// The process's id; 0: there is none.
    pid: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

/// Where the component is called.
enum Seated {
    Here(Box<Resident>),
    Apart(Box<Apart>),
}

impl Seated {
    fn start(
        code: Arc<Code>,
        start: Start,
        stopping: Arc<AtomicBool>,
        pid: Arc<AtomicU32>,
    ) -> Result<Seated, Failure> {
        Ok(match code.native() {
            None => Seated::Here(Box::new(Resident::start(code, start, stopping)?)),
            Some(_) => Seated::Apart(Box::new(Apart::start(code, start, stopping, pid)?)),
        })
    }

    /// Calls it; beside the answer the CPU time that it took.
    fn call(&mut self, of: &ToComponent) -> (Result<Vec<Alert>, Failure>, Duration) {
        match self {
            Seated::Here(resident) => {
                let began = thread_cpu();
                let answer = match of {
                    ToComponent::Batch { rows, now } => resident.batch(rows, *now),
                    ToComponent::Tick { time } => resident.tick(*time),
                    ToComponent::Response { request, outcome } => {
                        resident.response(*request, outcome)
                    }
                };
                (answer, thread_cpu().saturating_sub(began))
            }
            Seated::Apart(apart) => {
                let answer = apart.call(of);
                (answer, apart.take_used())
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Seated::Here(resident) => resident.memory_bytes(),
            Seated::Apart(apart) => apart.memory_bytes(),
        }
    }
}

impl Worker {
    /// Starts the thread, and returns when the component has its first instance, or cannot. No
    /// more answers are under way than its queue holds and one.
    pub fn spawn(
        number: u64,
        code: Arc<Code>,
        start: Start,
        answers: UnboundedSender<FromComponent>,
    ) -> io::Result<Result<Worker, Failure>> {
        let limits = code.workshop().limits;
        let percent = start.means.cpu_percent.unwrap_or(limits.cpu_percent);
        let name = Arc::clone(&start.name);
        let stopping = Arc::new(AtomicBool::new(false));
        let (queue, queued) = sync_channel(limits.queue.max(1));
        let (ready, is_ready) = channel();
        let (seen, asked) = (Arc::clone(&stopping), Arc::clone(&stopping));
        let pid = Arc::new(AtomicU32::new(0));
        let (its, post) = (Arc::clone(&pid), start.means.post.clone());
        let thread = std::thread::Builder::new()
            .name("saker-module".into())
            .stack_size(STACK_BYTES.saturating_add(limits.stack_bytes_max))
            .spawn(move || match Seated::start(code, start, seen, its) {
                Ok(seated) => {
                    let _ = ready.send(Ok(()));
                    let waits = Waits {
                        name,
                        share: Share::new(percent, limits.cpu_at_once, Instant::now()),
                        percent,
                        stopping: asked,
                        is_told: false,
                    };
                    work(number, seated, post, &queued, &answers, waits);
                }
                Err(failure) => {
                    let _ = ready.send(Err(failure));
                }
            })?;
        let worker = Worker {
            queue: Some(queue),
            stopping,
            pid,
            thread: Some(thread),
        };
        match is_ready.recv() {
            Ok(Ok(())) => Ok(Ok(worker)),
            Ok(Err(failure)) => Ok(Err(failure)),
            Err(_) => Err(io::Error::other("the thread of the module died")),
        }
    }

    /// The process that the component has; `None` where it has none, or just now.
    pub fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }

    /// Hands over a message, without waiting.
    pub fn put(&self, message: ToComponent) -> Put {
        let Some(queue) = &self.queue else {
            return Put::Full;
        };
        match queue.try_send(message) {
            Ok(()) => Put::Queued,
            // The thread ends only with the queue.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Put::Full,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The component is interrupted at the next tick.
        self.stopping.store(true, Ordering::SeqCst);
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // What it died of was said when it died.
            let _ = thread.join();
        }
    }
}

/// Sees to it that a component keeps to its share of CPU time. What comes for it meanwhile waits
/// in its queue, or finds no room there.
struct Waits {
    name: Arc<str>,
    share: Share,
    percent: u32,
    stopping: Arc<AtomicBool>,
    is_told: bool,
}

impl Waits {
    /// After a call that used so much.
    fn after(&mut self, used: Duration) {
        let until = match self.share.spend(used, Instant::now()) {
            Duration::ZERO => return,
            wait => Instant::now() + wait,
        };
        if !std::mem::replace(&mut self.is_told, true) {
            let Waits { name, percent, .. } = self;
            tracing::warn!("module `{name}` uses more than {percent} % of a core and has to wait");
        }
        while !self.stopping.load(Ordering::SeqCst) {
            match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return,
                left => std::thread::sleep(left.min(LOOK_EVERY)),
            }
        }
    }
}

fn work(
    worker: u64,
    mut seated: Seated,
    post: Option<Post>,
    queue: &Receiver<ToComponent>,
    answers: &UnboundedSender<FromComponent>,
    mut waits: Waits,
) {
    loop {
        let of = match post.as_ref().and_then(Post::take) {
            Some((request, outcome)) => ToComponent::Response { request, outcome },
            None => {
                let next = match post.as_ref().is_some_and(Post::is_waiting) {
                    true => queue.recv_timeout(LOOK_EVERY),
                    false => queue.recv().map_err(RecvTimeoutError::from),
                };
                match next {
                    Ok(next) => next,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let (answer, cpu) = seated.call(&of);
        let answer = FromComponent {
            worker,
            of,
            answer,
            cpu,
            memory_bytes: seated.memory_bytes(),
        };
        if answers.send(answer).is_err() {
            return;
        }
        waits.after(cpu);
    }
}
