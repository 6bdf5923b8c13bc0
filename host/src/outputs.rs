//! Where alerts go: a bounded queue in front of a thread that writes, so that a slow reader of
//! standard output never holds up the events. The queue is bounded in alerts and in bytes; what
//! does not fit is counted.
//!
//! How a line looks is `alert`'s business; one output, one file below.

pub mod recording;
pub mod stdout;
pub mod triggered;

use crate::alert::Alert;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::Notify;

/// One place alerts are written to.
pub trait Output: Send {
    /// Takes one alert. An error is logged once by the caller, and the alert counted as lost.
    fn write(&mut self, alert: &Alert) -> std::io::Result<()>;
    /// Hands on what is buffered; called whenever the queue is empty.
    fn flush(&mut self) -> std::io::Result<()>;
}

/// How many alerts went where, over all outputs.
#[derive(Debug, Default)]
pub struct Counters {
    /// Written, and handed on.
    pub written: AtomicU64,
    /// Not taken, because the queue was full.
    pub dropped: AtomicU64,
    /// Taken, and not written because of an error. What is buffered is given up, and counted,
    /// when the writer ends.
    pub failed: AtomicU64,
}

/// Bytes of alerts in the queue, at most.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// The writing thread, and what it tells.
pub struct Outputs {
    queue: Option<Queue>,
    counters: Arc<Counters>,
    ended: Arc<Notify>,
    is_deserted: Arc<AtomicBool>,
}

/// The end of the queue that takes alerts. When there is none left, the writer ends.
#[derive(Clone)]
pub struct Queue {
    alerts: SyncSender<Alert>,
    bytes: Arc<AtomicUsize>,
    counters: Arc<Counters>,
}

impl Queue {
    /// Hands an alert over, and waits until there is room for it. It is counted as dropped only
    /// when nobody takes alerts any more.
    pub fn push_waiting(&mut self, alert: Alert) {
        let bytes = alert.bytes();
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.alerts.send(alert).is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands an alert over, or counts it as dropped.
    pub fn push(&mut self, alert: Alert) {
        let bytes = alert.bytes();
        let queued = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if queued + bytes > QUEUE_BYTES_MAX || self.alerts.try_send(alert).is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Outputs {
    /// Starts the thread that writes to `outputs`; at most `capacity` alerts wait for it.
    pub fn start(mut outputs: Vec<Box<dyn Output>>, capacity: usize) -> std::io::Result<Outputs> {
        let (alerts, waiting) = sync_channel(capacity);
        let counters = Arc::new(Counters::default());
        let ended = Arc::new(Notify::new());
        let is_deserted = Arc::new(AtomicBool::new(false));
        let queue = Queue {
            alerts,
            bytes: Arc::default(),
            counters: counters.clone(),
        };
        let (bytes, counted, end) = (queue.bytes.clone(), counters.clone(), ended.clone());
        let deserted = is_deserted.clone();
        std::thread::Builder::new()
            .name("saker-outputs".into())
            .spawn(move || {
                let all_are_gone = write_all(&waiting, &mut outputs, &counted, &bytes);
                deserted.store(all_are_gone, Ordering::Relaxed);
                end.notify_one();
            })?;
        Ok(Outputs {
            queue: Some(queue),
            counters,
            ended,
            is_deserted,
        })
    }

    /// Where alerts are handed over.
    pub fn queue(&self) -> Queue {
        self.queue.clone().expect("asked for before `close`")
    }

    /// The counters, which go on living.
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Bytes of alerts that wait, about, and how many may.
    pub fn waiting(&self) -> (u64, u64) {
        let queue = self.queue.as_ref();
        let bytes = queue.map_or(0, |queue| queue.bytes.load(Ordering::Relaxed));
        (bytes as u64, QUEUE_BYTES_MAX as u64)
    }

    /// Whether nobody reads any output any more.
    pub fn is_deserted(&self) -> bool {
        self.is_deserted.load(Ordering::Relaxed)
    }

    /// Takes no more alerts, once every [`Queue`] is dropped as well.
    pub fn close(&mut self) {
        self.queue = None;
    }

    /// Waits until the writer ends: nobody reads any output any more, or everything is written
    /// after [`Outputs::close`]. May be given up at any time.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }
}

/// Writes until the queue ends or nobody reads any output any more; whether that is so.
fn write_all(
    waiting: &Receiver<Alert>,
    outputs: &mut [Box<dyn Output>],
    counters: &Counters,
    queued_bytes: &AtomicUsize,
) -> bool {
    let mut complained = false;
    let add = |counter: &AtomicU64, count| counter.fetch_add(count, Ordering::Relaxed);
    // Per output, alerts it has taken and not handed on yet; what it cannot hand on now it may
    // later.
    let mut buffered = vec![0; outputs.len()];
    let mut gone = vec![false; outputs.len()];
    // That a reader is gone is for the caller to say.
    let mut note = |error: &std::io::Error, gone: &mut bool| {
        if error.kind() == ErrorKind::BrokenPipe {
            *gone = true;
        } else if !std::mem::replace(&mut complained, true) {
            tracing::error!("cannot write any further: {error}");
        }
    };
    let are_all = |gone: &[bool]| !gone.is_empty() && gone.iter().all(|gone| *gone);
    while !are_all(&gone)
        && let Ok(first) = waiting.recv()
    {
        for alert in std::iter::once(first).chain(waiting.try_iter()) {
            queued_bytes.fetch_sub(alert.bytes(), Ordering::Relaxed);
            if outputs.is_empty() {
                add(&counters.written, 1);
            }
            for (index, output) in outputs.iter_mut().enumerate() {
                match output.write(&alert) {
                    Ok(()) => buffered[index] += 1,
                    Err(error) => {
                        note(&error, &mut gone[index]);
                        add(&counters.failed, 1);
                    }
                }
            }
            if are_all(&gone) {
                break;
            }
        }
        for (index, output) in outputs.iter_mut().enumerate() {
            match output.flush() {
                Ok(()) => {
                    add(&counters.written, std::mem::take(&mut buffered[index]));
                }
                Err(error) => note(&error, &mut gone[index]),
            }
        }
    }
    add(&counters.failed, buffered.iter().sum());
    // What still waits will not be written.
    add(&counters.failed, waiting.try_iter().count() as u64);
    are_all(&gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Error;

    /// Takes everything, and hands on or not.
    struct Fake(Option<ErrorKind>);

    impl Output for Fake {
        fn write(&mut self, _: &Alert) -> std::io::Result<()> {
            Ok(())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            self.0.map_or(Ok(()), |kind| Err(Error::from(kind)))
        }
    }

    fn after_three_alerts(error: Option<ErrorKind>) -> (u64, u64) {
        let mut outputs = Outputs::start(vec![Box::new(Fake(error))], 10).unwrap();
        let counters = outputs.counters();
        let mut queue = outputs.queue();
        for _ in 0..3 {
            queue.push(crate::alert::tests::alert());
        }
        drop(queue);
        outputs.close();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(outputs.ended());
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (
            get(&counters.written),
            get(&counters.failed) + get(&counters.dropped),
        )
    }

    #[test]
    fn what_was_not_handed_on_counts_as_not_written() {
        assert_eq!(after_three_alerts(None), (3, 0));
        assert_eq!(after_three_alerts(Some(ErrorKind::StorageFull)), (0, 3));
        assert_eq!(after_three_alerts(Some(ErrorKind::BrokenPipe)), (0, 3));
    }
}
