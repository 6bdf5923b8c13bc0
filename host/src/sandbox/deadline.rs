//! How long a module may take for a window.
//!
//! A thread that ticks every millisecond is the alarm clock: at the next branch back or function
//! entry the module asks whether it may go on, and the answer goes by the CPU time of the thread
//! that runs it, so that a module which was merely preempted is not blamed. The wall clock counts
//! only far above that. In a replay the budget is fuel, which is the same on every machine; then
//! the alarm stays on as a last resort, for fuel does not see how much a bulk instruction moves.

use super::Budget;
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wasmtime::Engine;

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(1);
/// So many ticks without a module running, and the ticker goes to sleep.
const IDLE_TICKS: u32 = 32;
/// CPU time after which a window is given up even where fuel is what counts.
const LAST_RESORT: Duration = Duration::from_secs(60);

/// CPU time this thread has used.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// What one call may use, and has used.
#[derive(Debug)]
pub(crate) struct Clock {
    cpu: Duration,
    /// `None` where time must not decide.
    wall: Option<Duration>,
    cpu_start: Duration,
    wall_start: Instant,
    stopping: Arc<AtomicBool>,
}

impl Clock {
    pub(crate) fn new(budget: Budget, stopping: Arc<AtomicBool>) -> Clock {
        let (cpu, wall) = match budget {
            Budget::Time { cpu, wall } => (cpu, Some(wall)),
            Budget::Fuel(_) => (LAST_RESORT, None),
        };
        Clock {
            cpu,
            wall,
            cpu_start: thread_cpu(),
            wall_start: Instant::now(),
            stopping,
        }
    }

    /// A call begins, on this thread.
    pub(crate) fn start(&mut self) {
        self.cpu_start = thread_cpu();
        self.wall_start = Instant::now();
    }

    /// CPU time since [`start`](Self::start), on the same thread.
    pub(crate) fn cpu_used(&self) -> Duration {
        thread_cpu().saturating_sub(self.cpu_start)
    }

    /// Whether the call must end, asked at every tick.
    pub(crate) fn is_over(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
            || self.cpu_used() > self.cpu
            || self
                .wall
                .is_some_and(|wall| self.wall_start.elapsed() > wall)
    }
}

/// The thread that ticks, while any module runs.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    stop: AtomicBool,
}

impl Ticker {
    pub(crate) fn spawn(engine: Engine) -> io::Result<Ticker> {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("saker-ticker".into())
            .stack_size(128 * 1024)
            .spawn(move || tick(&engine, &seen))?;
        Ok(Ticker {
            shared,
            thread: Some(thread),
        })
    }

    /// Ticks until the returned value is dropped.
    pub(crate) fn watch(&self) -> Watch<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        self.wake();
        Watch(&self.shared)
    }

    fn wake(&self) {
        // Costs a swap while the ticker is awake, which it is as long as windows keep coming.
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It cannot panic; and if it did, nobody is left to be told.
            let _ = thread.join();
        }
    }
}

/// A module is running.
#[derive(Debug)]
pub(crate) struct Watch<'a>(&'a Shared);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut idle = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        if shared.running.load(Ordering::SeqCst) > 0 {
            idle = 0;
        } else {
            idle += 1;
        }
        if idle > IDLE_TICKS {
            // A wake-up since the load above makes this return at once.
            std::thread::park();
            idle = 0;
        } else {
            std::thread::sleep(TICK);
        }
        engine.increment_epoch();
    }
}
