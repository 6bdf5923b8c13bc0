//! The wish to end a replay: the first SIGINT or SIGTERM ends it in order, the second at once.
//! What may take long (reading from a pipe, waiting for an event's time) waits for that as well.

use anyhow::Context;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Whether to stop, for all who must know it.
#[derive(Clone)]
pub(super) struct Stop {
    shared: Arc<Shared>,
}

struct Shared {
    is_asked: AtomicBool,
    /// Readable once it is asked.
    asked: OwnedFd,
}

impl Stop {
    /// Takes signals from here on.
    pub(super) fn on_signals() -> anyhow::Result<Stop> {
        const CANNOT: &str = "cannot take signals";
        let shared = Arc::new(Shared {
            is_asked: AtomicBool::new(false),
            asked: eventfd(0, EventfdFlags::CLOEXEC).context(CANNOT)?,
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context(CANNOT)?;
        let inside = runtime.enter();
        let mut terminate = signal(SignalKind::terminate()).context(CANNOT)?;
        let mut interrupt = signal(SignalKind::interrupt()).context(CANNOT)?;
        drop(inside);
        let stop = Stop { shared };
        let told = stop.clone();
        std::thread::Builder::new()
            .name("saker-signals".into())
            .spawn(move || {
                runtime.block_on(either(&mut terminate, &mut interrupt));
                told.ask();
                let second = runtime.block_on(either(&mut terminate, &mut interrupt));
                // As a shell says of a program that a signal has ended.
                std::process::exit(128 + second.as_raw_value());
            })
            .context(CANNOT)?;
        Ok(stop)
    }

    fn ask(&self) {
        self.shared.is_asked.store(true, Ordering::Relaxed);
        // It is written to once, and takes that much.
        let _ = rustix::io::write(&self.shared.asked, &1u64.to_ne_bytes());
    }

    /// Whether it is asked for.
    pub(super) fn is_asked(&self) -> bool {
        self.shared.is_asked.load(Ordering::Relaxed)
    }

    /// Waits so long, or until it is asked for.
    pub(super) fn wait(&self, time: Duration) {
        let Some(end) = Instant::now().checked_add(time) else {
            return;
        };
        while !self.is_asked() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let timeout = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            let asked = PollFd::new(&self.shared.asked, PollFlags::IN);
            match poll(&mut [asked], Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                // Nothing to wait with: better too early than never.
                Err(_) => return,
            }
        }
    }

    /// The file, of which reading fails once it is asked for.
    pub(super) fn reading(&self, file: File) -> Stoppable {
        Stoppable {
            file,
            stop: self.clone(),
        }
    }
}

/// Whether a stream has nothing to read now, and has not ended.
pub(super) fn is_silent(stream: &File) -> bool {
    const AT_ONCE: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut stream = [PollFd::new(stream, PollFlags::IN)];
    poll(&mut stream, Some(&AT_ONCE)) == Ok(0)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> SignalKind {
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate(),
        _ = interrupt.recv() => SignalKind::interrupt(),
    }
}

/// A file that is read until that is stopped.
pub(super) struct Stoppable {
    file: File,
    stop: Stop,
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let mut either = [
                PollFd::new(&self.file, PollFlags::IN),
                PollFd::new(&self.stop.shared.asked, PollFlags::IN),
            ];
            match poll(&mut either, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if self.stop.is_asked() {
                return Err(Error::other("it was asked to stop"));
            }
            let [file, _] = &either;
            // Of a file whose writers are gone reading says so.
            if !file.revents().is_empty() {
                match self.file.read(buffer) {
                    // Somebody else was faster.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
        }
    }
}
