//! The way of answers: those that were asked for, and what is told because an engine's events say
//! that something has changed. Of these so many wait, each container once, and few are asked about
//! at once.

use super::client::Client;
use super::{Trouble, roots};
use crate::state::container::ContainerAnswer;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep};

/// Containers of one engine that may wait to be told of.
const WAITING_MAX: usize = 1024;

/// An event takes no more bytes, usually.
const EVENT_BYTES: usize = 4096;
/// No id is longer.
const ID_MAX: usize = 128;

/// Whether an engine may have given it out; it becomes part of requests.
pub(super) fn is_id(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    !id.is_empty() && id.len() <= ID_MAX && id.bytes().all(is_plain) && !id.starts_with('.')
}

/// The way of answers.
#[derive(Clone)]
pub(super) struct Teller(pub(super) Sender<ContainerAnswer>);

impl Teller {
    /// Waits until there is room: an engine that tells too much waits, nobody else.
    pub(super) async fn tell(&self, answer: ContainerAnswer) {
        // Who listened no more is about to end this thread.
        let _ = self.0.send(answer).await;
    }
}

/// What one engine's events say, as it is followed.
pub(super) struct Telling {
    pub(super) teller: Teller,
    client: Arc<Client>,
    ids: Sender<Box<str>>,
    /// Those that wait.
    waiting: Arc<Mutex<HashSet<Box<str>>>>,
    pace: Mutex<Pace>,
}

impl Telling {
    /// With what [`Telling::tell_each`] takes.
    pub(super) fn new(client: &Arc<Client>, teller: &Teller) -> (Telling, Receiver<Box<str>>) {
        let (ids, waiting) = channel(WAITING_MAX);
        let telling = Telling {
            teller: teller.clone(),
            client: client.clone(),
            ids,
            waiting: Arc::default(),
            pace: Mutex::new(Pace::new(client.events_a_second())),
        };
        (telling, waiting)
    }

    /// Asks about containers as they come, a few at once, and tells the answers.
    pub(super) async fn tell_each(&self, mut ids: Receiver<Box<str>>) {
        let few = Arc::new(Semaphore::new(self.client.told_at_once()));
        while let Some(id) = ids.recv().await {
            let Ok(slot) = few.clone().acquire_owned().await else {
                return;
            };
            let (client, teller) = (self.client.clone(), self.teller.clone());
            let waiting = self.waiting.clone();
            tokio::spawn(async move {
                // What happens from here on has it told of once more.
                waiting.lock().expect("nobody panics with it").remove(&id);
                if let Some(facts) = client.know(&id).await {
                    teller.tell(ContainerAnswer::Known(Box::new(facts))).await;
                }
                drop(slot);
            });
        }
    }

    /// The first process of a container runs.
    pub(super) fn begun(&self, id: &str) {
        if is_id(id) {
            self.client.lives.begin(id);
            self.soon(id);
        }
    }

    /// It had ended then, ns since the epoch; 0 if that is not known.
    pub(super) fn ended(&self, id: &str, at: u64) {
        let at = if at == 0 { roots::now() } else { at };
        if is_id(id) {
            self.client.lives.end(id, at);
        }
    }

    /// The container is no more since then, ns since the epoch; 0 if that is not known.
    pub(super) async fn gone(&self, id: &str, at: u64) {
        let gone = ContainerAnswer::Gone(id.into(), self.client.user);
        if is_id(id) {
            if at != 0 {
                self.client.lives.end(id, at);
            }
            self.teller.tell(gone).await;
        }
    }

    /// Has a container told of. Where too many wait it is not: it is asked about when its first
    /// process is met.
    pub(super) fn soon(&self, id: &str) {
        let mut waiting = self.waiting.lock().expect("nobody panics with it");
        if is_id(id) && !waiting.contains(id) {
            match self.ids.try_send(id.into()) {
                Ok(()) => {
                    waiting.insert(id.into());
                }
                Err(_full) => {
                    self.client.overlooked.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Has all of these told of.
    pub(super) async fn all(&self, ids: impl IntoIterator<Item = String>) -> Result<(), Trouble> {
        for id in ids.into_iter().filter(|id| is_id(id)) {
            let id: Box<str> = id.into();
            // One that waits twice is asked about twice.
            let _ = self.ids.send(id).await;
        }
        Ok(())
    }

    /// An engine has told something of so many bytes: whoever tells more than it may has to wait.
    pub(super) async fn pace(&self, bytes: usize) {
        let pause = self.pace.lock().expect("nobody panics with it").pass(bytes);
        if let Some(pause) = pause {
            sleep(pause).await;
        }
    }
}

/// So many events a second, no more than a tenth of them at once.
struct Pace {
    began: Instant,
    passed: u32,
    in_a_tenth: u32,
}

impl Pace {
    fn new(in_a_second: u32) -> Pace {
        Pace {
            began: Instant::now(),
            passed: 0,
            in_a_tenth: in_a_second / 10,
        }
    }

    fn pass(&mut self, bytes: usize) -> Option<Duration> {
        // One that is long counts as some.
        self.passed += 1 + (bytes / EVENT_BYTES) as u32;
        if self.passed < self.in_a_tenth {
            return None;
        }
        let rest = Duration::from_millis(100).saturating_sub(self.began.elapsed());
        self.passed = 0;
        self.began = Instant::now() + rest;
        Some(rest)
    }
}
