//! One engine at one socket: how it is asked and followed, and how it is doing.

use super::telling::{Teller, Telling};
use super::{Api, Standing, Trouble, roots};
use crate::enrich::engine::lives::Lives;
use crate::state::container::{Absence, ContainerFacts, ContainerLookup, Engine as Kind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Questions that are being asked of the system's engine at once, and of a user's.
const ASKED_AT_ONCE: [usize; 2] = [64, 4];
/// Of these questions those about containers that it did not know when it was asked first.
const ASKED_AGAIN_AT_ONCE: [usize; 2] = [16, 2];
/// Of these those of which its events tell.
const TOLD_AT_ONCE: [usize; 2] = [8, 2];
/// Containers that have begun and ended lately.
const REMEMBERED: [usize; 2] = [1024, 64];
/// So many events of each are heard a second.
const EVENTS_A_SECOND: [u32; 2] = [2000, 200];
/// An engine has so long to answer: Docker's inspect waits until the container has started. (How
/// long events wait is the pipeline's business. What comes later is of use to later ones.)
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A container that an engine does not know may be one that it is only making: it is asked again
/// for so long.
const ASK_AGAIN_FOR: Duration = Duration::from_millis(400);
/// Kubernetes' sandboxes are known only when all is ready, their network included.
const ASK_AGAIN_FOR_SANDBOX: Duration = Duration::from_millis(1300);
/// And first after this; then after twice as long each time.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(4);
/// And at the latest after this.
const ASK_AGAIN_WITHIN: Duration = Duration::from_millis(100);
/// How long to wait before an engine is called again that has gone away, first and at most.
const CALL_AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// What an engine says of a container.
pub(super) struct Described {
    pub(super) facts: ContainerFacts,
    /// Its first process is yet to come, and what comes with that is missing.
    pub(super) is_early: bool,
}

pub(super) struct Client {
    api: Api,
    pub(super) socket: PathBuf,
    /// Whose engine it is; `None`: the system's.
    pub(super) user: Option<u32>,
    pub(super) lives: Lives,
    slots: Semaphore,
    slots_again: Semaphore,
    asked: AtomicU64,
    failed: AtomicU64,
    pub(super) overlooked: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Client {
    pub(super) fn new(api: Api, socket: &Path, user: Option<u32>) -> Arc<Client> {
        let of_user = usize::from(user.is_some());
        Arc::new(Client {
            api,
            socket: socket.to_owned(),
            user,
            lives: Lives::of_at_most(REMEMBERED[of_user]),
            slots: Semaphore::new(ASKED_AT_ONCE[of_user]),
            slots_again: Semaphore::new(ASKED_AGAIN_AT_ONCE[of_user]),
            asked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            overlooked: AtomicU64::new(0),
            trouble: Mutex::new(Some("it has not answered yet".into())),
        })
    }

    pub(super) fn told_at_once(&self) -> usize {
        TOLD_AT_ONCE[usize::from(self.user.is_some())]
    }

    pub(super) fn events_a_second(&self) -> u32 {
        EVENTS_A_SECOND[usize::from(self.user.is_some())]
    }

    pub(super) fn name(&self) -> &'static str {
        match &self.api {
            Api::Docker(_) => "docker",
            Api::Podman(_) => "podman",
            Api::Containerd(_) => "containerd",
            Api::Cri(_) => "cri",
        }
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            engine: self.name(),
            socket: self.socket.clone(),
            trouble: self.trouble.lock().expect("nobody panics with it").clone(),
            asked: self.asked.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            overlooked: self.overlooked.load(Ordering::Relaxed),
        }
    }

    /// Whether it is one of those to ask about a container at such a path.
    pub(super) fn may_know(&self, lookup: &ContainerLookup) -> bool {
        // A user's engine is believed of the user's own groups alone.
        if self
            .user
            .is_some_and(|uid| !roots::is_of_user(&lookup.root, uid))
        {
            return false;
        }
        let Some(likely) = lookup.likely else {
            return true;
        };
        match &self.api {
            // Kubernetes may run Docker underneath.
            Api::Docker(_) => matches!(likely, Kind::Docker | Kind::Cri),
            Api::Podman(_) => likely == Kind::Podman,
            Api::Containerd(containerd) => {
                likely == Kind::Containerd || likely == Kind::Cri && containerd.has_kubernetes()
            }
            Api::Cri(_) => matches!(likely, Kind::Cri | Kind::CriO | Kind::Containerd),
        }
    }

    /// What the engine says of the container; `None` if it knows none of that id.
    async fn inspect(&self, id: &str) -> Result<Option<Described>, Trouble> {
        let asked = async {
            let _slot = self.slots.acquire().await;
            match &self.api {
                Api::Docker(docker) => docker.inspect(id).await,
                Api::Podman(podman) => podman.inspect(id).await,
                Api::Containerd(containerd) => containerd.inspect(id).await,
                Api::Cri(cri) => cri.inspect(id).await,
            }
        };
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = match timeout(ANSWER_WITHIN, asked).await {
            Ok(answer) => answer.and_then(|described| self.believed(described)),
            Err(_elapsed) => Err(Trouble::Timeout),
        };
        if let Err(trouble) = &answer {
            tracing::debug!("{} did not tell of `{id}`: {trouble}", self.name());
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// As much of it as is taken.
    fn believed(&self, described: Option<Described>) -> Result<Option<Described>, Trouble> {
        let Some(mut described) = described else {
            return Ok(None);
        };
        let facts = &mut described.facts;
        facts.user = self.user;
        if let Some(uid) = self.user {
            let mut own = facts.roots.take().unwrap_or_default().into_vec();
            own.retain(|root| roots::is_of_user(root, uid));
            if own.is_empty() {
                return Ok(None);
            }
            facts.roots = Some(own.into());
        }
        if !facts.cut() {
            return Err(Trouble::BadAnswer("its names are too long".into()));
        }
        if described.is_early {
            self.lives.note_early(facts);
        }
        Ok(Some(described))
    }

    /// What there is to know of the container now; `None` while nothing is of its first process.
    pub(super) async fn know(&self, id: &str) -> Option<ContainerFacts> {
        match self.inspect(id).await {
            Ok(Some(described)) => (!described.is_early).then_some(described.facts),
            Ok(None) => self.lives.passed(id),
            Err(_) => None,
        }
    }

    /// What the engine says of a container of which a process was met, which it may only be about
    /// to make.
    pub(super) async fn look_up(
        &self,
        lookup: &ContainerLookup,
        id: &str,
    ) -> Result<ContainerFacts, Absence> {
        let until = Instant::now()
            + match lookup.likely {
                Some(Kind::Cri | Kind::CriO) => ASK_AGAIN_FOR_SANDBOX,
                Some(_) | None => ASK_AGAIN_FOR,
            };
        let mut pause = ASK_AGAIN_AFTER;
        let mut answer = self.inspect(id).await;
        loop {
            let is_last = Instant::now() + pause > until;
            match answer {
                // One that ended before may be about to begin anew.
                Ok(Some(Described { facts, .. })) if self.tells_elsewhere(&facts, lookup) => {
                    return Err(Absence::NotFound);
                }
                Ok(Some(Described { facts, is_early })) => {
                    let is_before = facts.ended != 0 && facts.ended < lookup.met_at;
                    match (is_early, is_before, is_last) {
                        (false, false, _) | (false, true, true) => return Ok(facts),
                        (true, _, true) => return Err(Absence::Unconfirmed),
                        (_, _, false) => {}
                    }
                }
                Ok(None) if let Some(passed) = self.lives.passed(id) => return Ok(passed),
                Ok(None) if is_last => return Err(Absence::NotFound),
                Ok(None) => {}
                // It may be restarting.
                Err(Trouble::Lost(_)) if !is_last => {}
                Err(trouble) => return Err(trouble.absence()),
            }
            sleep(pause).await;
            pause = (pause * 2).min(ASK_AGAIN_WITHIN);
            // Who asks about what there is not must not keep others waiting.
            let Ok(_slot) = timeout_at(until, self.slots_again.acquire()).await else {
                return Err(Absence::NotFound);
            };
            answer = self.inspect(id).await;
        }
    }

    /// Whether a user's engine answers about another group than it was asked about.
    fn tells_elsewhere(&self, facts: &ContainerFacts, lookup: &ContainerLookup) -> bool {
        let mut roots = facts.roots.iter().flatten();
        self.user.is_some() && roots.all(|root| **root != *lookup.root)
    }

    /// A line of its events could not be read.
    pub(super) fn note_unreadable(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells of what runs, then of what begins and ends, for as long as the engine does.
    async fn follow(&self, tell: &Telling) -> Trouble {
        self.lives.forget();
        let followed = match &self.api {
            Api::Docker(docker) => docker.follow(self, tell).await,
            Api::Podman(podman) => podman.follow(self, tell).await,
            Api::Containerd(containerd) => containerd.follow(self, tell).await,
            Api::Cri(cri) => cri.follow(self, tell).await,
        };
        match followed {
            Ok(()) => Trouble::Lost("it was closed".into()),
            Err(trouble) => trouble,
        }
    }

    /// Its events are being followed.
    pub(super) fn note_well(&self) {
        let mut trouble = self.trouble.lock().expect("nobody panics with it");
        if trouble.take().is_some() {
            tracing::debug!("{} at `{}` answers", self.name(), self.socket.display());
        }
    }

    pub(super) async fn follow_for_ever(self: Arc<Client>, teller: Teller) {
        let (telling, ids) = Telling::new(&self, &teller);
        let follow = async {
            let [first, most] = CALL_AGAIN_AFTER;
            let mut pause = first;
            loop {
                let began = Instant::now();
                let why = self.follow(&telling).await;
                tracing::debug!("{} at `{}`: {why}", self.name(), self.socket.display());
                *self.trouble.lock().expect("nobody panics with it") = Some(why.to_string());
                if began.elapsed() > most {
                    pause = first;
                }
                sleep(pause).await;
                pause = (pause * 2).min(most);
            }
        };
        // Neither ends.
        tokio::join!(telling.tell_each(ids), follow);
    }
}
