//! The places of a listener. Whoever connects gets one; where all are taken, the connection that
//! has waited longest without a request that was let in makes room, so that nobody who merely
//! connects keeps others out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// So often it is looked who may make room, where nobody could.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// All places of a listener.
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken: Vec<Weak<Place>>,
}

/// The place of a connection.
#[derive(Debug)]
pub(crate) struct Place {
    /// Requests that were let in and are not answered yet.
    held: AtomicUsize,
    /// Since when there is none.
    waits: Mutex<Instant>,
    leave: Notify,
    _permit: OwnedSemaphorePermit,
}

/// Keeps a connection from making room, as long as it lives.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    _guard: Arc<Guard>,
}

#[derive(Debug)]
struct Guard(Arc<Place>);

impl Places {
    pub(super) fn new(most: usize) -> Places {
        Places {
            free: Arc::new(Semaphore::new(most)),
            taken: Vec::new(),
        }
    }

    /// A place, for which another may have to go.
    pub(super) async fn take(&mut self) -> Arc<Place> {
        loop {
            if let Ok(permit) = self.free.clone().try_acquire_owned() {
                return self.settle(permit);
            }
            self.dismiss();
            let permit = self.free.clone().acquire_owned();
            if let Ok(Ok(permit)) = tokio::time::timeout(LOOK_EVERY, permit).await {
                return self.settle(permit);
            }
        }
    }

    fn settle(&mut self, permit: OwnedSemaphorePermit) -> Arc<Place> {
        let place = Arc::new(Place {
            held: AtomicUsize::new(0),
            waits: Mutex::new(Instant::now()),
            leave: Notify::new(),
            _permit: permit,
        });
        self.taken.retain(|taken| taken.strong_count() > 0);
        self.taken.push(Arc::downgrade(&place));
        place
    }

    /// Sends the one away that has waited longest.
    fn dismiss(&self) {
        let places = self.taken.iter().filter_map(Weak::upgrade);
        let waiting = places.filter(|place| place.held.load(Ordering::Relaxed) == 0);
        if let Some(longest) = waiting.min_by_key(|place| place.waits_since()) {
            longest.leave.notify_one();
        }
    }
}

impl Place {
    /// Holds it while a request is answered that was let in.
    pub(crate) fn hold(self: Arc<Place>) -> Held {
        self.held.fetch_add(1, Ordering::Relaxed);
        Held {
            _guard: Arc::new(Guard(self)),
        }
    }

    /// Waits until it is needed for another.
    pub(super) async fn is_needed(&self) {
        self.leave.notified().await;
    }

    fn waits_since(&self) -> Instant {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        *self.0.waits.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_longest_makes_room_and_nobody_whose_request_was_let_in() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.expect("a runtime").block_on(async {
            let mut places = Places::new(3);
            let held = places.take().await.hold();
            let first = places.take().await;
            let answered = places.take().await;
            drop(answered.clone().hold());
            let (left, new) = tokio::join!(
                async {
                    first.is_needed().await;
                    drop(first);
                },
                places.take(),
            );
            let () = left;
            // Then the one whose request was answered, which is older than the new one.
            let ((), _) = tokio::join!(
                async {
                    answered.is_needed().await;
                    drop(answered);
                },
                places.take(),
            );
            drop((held, new));
        });
    }
}
