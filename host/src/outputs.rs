//! Where alerts go: a bounded queue in front of a thread that writes, so that a slow reader of
//! standard output never holds up the events. What does not fit in the queue is counted.
//!
//! How a line looks is `alert`'s business; one output, one file below.

pub mod stdout;

use crate::alert::Alert;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// One place alerts are written to.
pub trait Output: Send {
    /// Writes one alert. An error is logged once by the caller, and the alert counted as lost.
    fn write(&mut self, alert: &Alert) -> std::io::Result<()>;
    /// Hands on what is buffered; called whenever the queue is empty.
    fn flush(&mut self) -> std::io::Result<()>;
}

/// How many alerts went where.
#[derive(Debug, Default)]
pub struct Counters {
    /// Written.
    pub written: AtomicU64,
    /// Not taken, because the queue was full.
    pub dropped: AtomicU64,
    /// Taken, and not written because of an error.
    pub failed: AtomicU64,
}

/// The queue and its writing thread.
pub struct Outputs {
    queue: Option<SyncSender<Alert>>,
    writer: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
}

impl Outputs {
    /// Starts the thread that writes to `outputs`; at most `capacity` alerts wait for it.
    pub fn start(mut outputs: Vec<Box<dyn Output>>, capacity: usize) -> std::io::Result<Outputs> {
        let (queue, waiting) = sync_channel(capacity);
        let counters = Arc::new(Counters::default());
        let counted = counters.clone();
        let writer = std::thread::Builder::new()
            .name("saker-outputs".into())
            .spawn(move || write_all(&waiting, &mut outputs, &counted))?;
        Ok(Outputs {
            queue: Some(queue),
            writer: Some(writer),
            counters,
        })
    }

    /// Hands an alert over, or counts it as dropped.
    pub fn push(&self, alert: Alert) {
        let Some(queue) = &self.queue else { return };
        match queue.try_send(alert) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The counters, which go on living after [`Outputs::stop`].
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Waits until everything taken is written.
    pub fn stop(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A panic of the writer has been reported by its own thread.
            let _ = writer.join();
        }
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        self.finish();
    }
}

fn write_all(waiting: &Receiver<Alert>, outputs: &mut [Box<dyn Output>], counters: &Counters) {
    let mut complained = false;
    let mut complain = |error: std::io::Error| {
        if !complained {
            complained = true;
            tracing::error!("cannot write alerts: {error}");
        }
    };
    while let Ok(first) = waiting.recv() {
        for alert in std::iter::once(first).chain(waiting.try_iter()) {
            for output in outputs.iter_mut() {
                match output.write(&alert) {
                    Ok(()) => counters.written.fetch_add(1, Ordering::Relaxed),
                    Err(error) => {
                        complain(error);
                        counters.failed.fetch_add(1, Ordering::Relaxed)
                    }
                };
            }
        }
        for output in outputs.iter_mut() {
            if let Err(error) = output.flush() {
                complain(error);
            }
        }
    }
}
