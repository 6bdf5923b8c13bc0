//! Which containers engines are asked about, what became of that, and when a container is
//! forgotten.
//!
//! The state asks as soon as a process is met in a control group that names a container, and
//! takes the answer whenever it comes: what is told holds from the event on at which it was asked.
//! Whether an event waits for an answer is the pipeline's to decide.

use super::facts::ContainerFacts;
use super::{ByPath, Cgroup, Engine};
use crate::state::version::ProcessVersion;
use crate::state::{Map, State};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How often a container is asked about again because of another control group of its name, as
/// long as its engine says the same: whoever makes such groups shall not keep it busy.
const DOUBTS_MAX: u8 = 16;
/// More of containerd's namespaces are not known by name.
const NAMESPACES_MAX: usize = 64;

/// A container of which an engine is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerLookup {
    /// Its whole id, or its name.
    pub id: Box<[u8]>,
    /// By which it is known here.
    pub short: Arc<[u8]>,
    /// What most likely made it.
    pub likely: Option<Engine>,
}

/// Why nothing is known of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Absence {
    /// An engine knows the container, and says that it has another control group.
    Unconfirmed,
    /// Too much is asked at once, or there are too many containers.
    Limit,
    /// The answer was none: too long, or none of what the engine speaks.
    BadAnswer,
    /// There was no answer in time.
    Timeout,
    /// No engine that was asked knows it.
    NotFound,
    /// We may not ask.
    Denied,
    /// There is nobody to ask.
    NoSocket,
}

impl Absence {
    /// All of them.
    pub const ALL: [Absence; 7] = [
        Absence::Unconfirmed,
        Absence::Limit,
        Absence::BadAnswer,
        Absence::Timeout,
        Absence::NotFound,
        Absence::Denied,
        Absence::NoSocket,
    ];

    /// What it is called wherever it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Absence::Unconfirmed => "unconfirmed",
            Absence::Limit => "limit",
            Absence::BadAnswer => "bad answer",
            Absence::Timeout => "timeout",
            Absence::NotFound => "not found",
            Absence::Denied => "permission denied",
            Absence::NoSocket => "no socket",
        }
    }
}

/// What comes back from engines.
#[derive(Clone, Debug)]
pub enum ContainerAnswer {
    /// This is the container.
    Known(Box<ContainerFacts>),
    /// Nothing can be told of the container of that short id.
    Absent(Arc<[u8]>, Absence),
    /// The container of that short id is no more.
    Gone(Box<str>),
    /// containerd has a namespace of that name.
    Namespace(Box<str>),
}

/// A container whose processes were met, or of which an engine told.
#[derive(Clone, Debug)]
struct Watched {
    /// Number of the event at which it was asked about.
    asked_at: u64,
    status: Status,
    /// Number of the control group for which it was asked about last.
    group: u64,
    /// How often it was asked about again because of another group of its name, since what is
    /// known of it changed.
    doubts: u8,
    /// When it was first seen to have no process, in the clock of [`State::forget_containers`].
    idle_since: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending,
    Known,
    Absent(Absence),
}

/// All that is asked about, by short id.
#[derive(Debug, Default)]
pub(in crate::state) struct WatchedContainers {
    /// Whether there is anybody to ask.
    is_on: bool,
    by_id: Map<Arc<[u8]>, Watched>,
    pending: usize,
    lookups: Vec<ContainerLookup>,
}

/// A container, for a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// By which it is known here.
    pub short: String,
    /// What is known of it.
    pub facts: Option<Arc<ContainerFacts>>,
    /// Why nothing is; `None` while an answer is awaited.
    pub absence: Option<Absence>,
}

impl WatchedContainers {
    /// The same, without what is to be asked.
    pub(in crate::state) fn copy(&self) -> WatchedContainers {
        WatchedContainers {
            is_on: self.is_on,
            by_id: self.by_id.clone(),
            pending: self.pending,
            lookups: Vec::new(),
        }
    }

    fn settle(&mut self, short: &[u8], status: Status) -> Option<u64> {
        let watched = self.by_id.get_mut(short)?;
        let was_pending = watched.status == Status::Pending;
        self.pending -= usize::from(was_pending);
        watched.status = status;
        was_pending.then_some(watched.asked_at)
    }
}

impl State {
    /// From here on containers are asked about ([`State::take_container_lookups`]).
    pub fn ask_about_containers(&mut self) {
        self.watched.is_on = true;
    }

    /// Whose containers are known of those that only control groups tell of, from here on.
    pub fn know_by_path(&mut self, known: ByPath) {
        self.by_path = known;
    }

    /// The same as it is.
    pub fn by_path(&self) -> ByPath {
        self.by_path.clone()
    }

    /// What is to be asked since the last time.
    pub fn take_container_lookups(&mut self) -> Vec<ContainerLookup> {
        std::mem::take(&mut self.watched.lookups)
    }

    /// How many containers have not been told of yet.
    #[inline]
    pub fn pending_containers(&self) -> usize {
        self.watched.pending
    }

    /// Notes that a process is in that control group.
    #[inline]
    pub(in crate::state) fn meet_cgroup(&mut self, cgroup: &Cgroup) {
        if self.watched.is_on && !cgroup.claims().is_empty() {
            self.meet_containers(cgroup);
        }
    }

    fn meet_containers(&mut self, cgroup: &Cgroup) {
        for claim in cgroup.claims() {
            if claim.bare().is_some() {
                continue;
            }
            let id = claim.id();
            if let Some(watched) = self.watched.by_id.get_mut(id.short()) {
                watched.idle_since = None;
                // It was begun anew, or somebody made a group of its name: its engine knows.
                let known = self.containers.latest(id.short());
                let is_other = claim.group() != 0
                    && claim.group() != watched.group
                    && known.is_none_or(|known| known.group != claim.group());
                if is_other
                    && watched.status != Status::Pending
                    && watched.doubts < DOUBTS_MAX
                    && self.watched.lookups.len() < self.limits.lookups_max
                {
                    watched.group = claim.group();
                    watched.doubts += 1;
                    watched.status = Status::Pending;
                    watched.asked_at = self.number;
                    self.watched.pending += 1;
                    self.watched.lookups.push(ContainerLookup {
                        id: id.whole.into(),
                        short: id.short().into(),
                        likely: id.likely,
                    });
                }
                continue;
            }
            let short: Arc<[u8]> = id.short().into();
            // Its engine may have told of it before its first process came.
            let known = self.containers.get(&short, u64::MAX);
            let is_known = known.is_some_and(|facts| !facts.is_early);
            let is_full = self.watched.by_id.len() >= self.limits.containers_max
                || self.watched.lookups.len() >= self.limits.lookups_max;
            let status = match (is_known, is_full) {
                (true, _) => Status::Known,
                (false, false) => Status::Pending,
                (false, true) => Status::Absent(Absence::Limit),
            };
            if is_full {
                self.counters.containers_unasked += 1;
                if self.watched.by_id.len() >= self.limits.containers_max {
                    continue;
                }
            }
            if status == Status::Pending {
                self.watched.pending += 1;
                self.watched.lookups.push(ContainerLookup {
                    id: id.whole.into(),
                    short: short.clone(),
                    likely: id.likely,
                });
            }
            let asked_at = self.number;
            let watched = Watched {
                asked_at,
                status,
                group: claim.group(),
                doubts: 0,
                idle_since: None,
            };
            self.watched.by_id.insert(short, watched);
        }
    }

    /// Takes in what an engine says. What was asked holds from the event on at which it was
    /// asked, what comes unasked for the events to come.
    pub fn answer_container(&mut self, answer: ContainerAnswer) {
        match answer {
            ContainerAnswer::Known(facts) => {
                let short = facts.id.as_bytes();
                if facts.is_early && self.is_container_pending(short) {
                    // More will be told when it is asked about, and nothing better if not.
                    self.put_container(Arc::from(facts), self.number.saturating_add(1));
                    return;
                }
                let asked_at = self.watched.settle(short, Status::Known);
                let next = self.number.saturating_add(1);
                // Facts that are only said again are no change.
                let same = self.containers.get(short, u64::MAX);
                if same.is_some_and(|same| *same == *facts) {
                    return;
                }
                if let Some(watched) = self.watched.by_id.get_mut(short) {
                    watched.doubts = 0;
                }
                self.put_container(Arc::from(facts), asked_at.unwrap_or(next));
            }
            ContainerAnswer::Absent(short, why) => {
                let is_pending = |watched: &Watched| watched.status == Status::Pending;
                if self.watched.by_id.get(&short).is_some_and(is_pending) {
                    let early = self.containers.latest(&short);
                    if let Some(early) = early.filter(|early| early.is_early) {
                        let asked_at = self.watched.settle(&short, Status::Known);
                        let asked_at = asked_at.unwrap_or(self.number);
                        self.put_container(early, asked_at);
                        return;
                    }
                    self.watched.settle(&short, Status::Absent(why));
                    self.counters.containers_absent[why as usize] += 1;
                }
            }
            // Its last processes' events may still come: it goes when it is idle.
            ContainerAnswer::Gone(id) => {
                if !self.watched.by_id.contains_key(id.as_bytes()) {
                    self.remove_container(id.as_bytes());
                }
            }
            ContainerAnswer::Namespace(name) => self.know_namespace(name.as_bytes()),
        }
    }

    /// Groups of that name hold groups of containers from here on, and did already.
    fn know_namespace(&mut self, name: &[u8]) {
        let namespaces = &mut self.by_path.namespaces;
        let is_known = namespaces.iter().any(|own| **own == *name);
        if is_known || namespaces.len() >= NAMESPACES_MAX {
            return;
        }
        namespaces.push(name.into());
        let mut renamed: Vec<(Arc<Cgroup>, Arc<Cgroup>)> = Vec::new();
        for cgroup in self.cgroups.values_mut() {
            if !cgroup.claims().is_empty() {
                continue;
            }
            let (unified, first_v1) = (cgroup.unified(), cgroup.first_v1());
            let other = Cgroup::from_components(unified, first_v1, cgroup.ids(), &self.by_path);
            if !other.claims().is_empty() {
                let other = Arc::new(other);
                renamed.push((std::mem::replace(cgroup, other.clone()), other));
            }
        }
        if renamed.is_empty() {
            return;
        }
        let latest: Vec<_> = self
            .processes
            .iter()
            .map(|process| process.latest)
            .collect();
        for mut index in latest {
            // As with all that is told, older versions lack the same.
            while let Some(version) = self.versions.get_mut(index.0) {
                let other = renamed
                    .iter()
                    .find(|(old, _)| Arc::ptr_eq(old, &version.cgroup));
                let Some((_, other)) = other else { break };
                version.cgroup = other.clone();
                version.row.clear();
                self.serial += 1;
                version.serial = self.serial;
                index = version.older;
            }
        }
        for (_, other) in &renamed {
            self.meet_cgroup(other);
        }
        self.generation += 1;
    }

    /// The container of a process that an answer is awaited about.
    pub fn pending_container(&self, version: &ProcessVersion) -> Option<&Arc<[u8]>> {
        for claim in version.cgroup.claims() {
            let (short, watched) = self.watched.by_id.get_key_value(claim.id().short())?;
            match watched.status {
                Status::Pending => return Some(short),
                Status::Known => {
                    let facts = self.containers.get(short, u64::MAX);
                    if facts.is_some_and(|facts| facts.is_at(claim)) {
                        return None;
                    }
                }
                Status::Absent(_) => {}
            }
        }
        None
    }

    /// Why nothing is known of the container that a process is in; `None` outside of containers,
    /// and where something is.
    pub fn container_absence(&self, version: &ProcessVersion, number: u64) -> Option<Absence> {
        if !self.watched.is_on {
            return None;
        }
        let id = match self.container(version, number)? {
            super::Container::Id(id) => id,
            // It was gone before it could be asked about again.
            super::Container::Known(facts) => return facts.is_early.then_some(Absence::Timeout),
        };
        let Some(watched) = self.watched.by_id.get(id.short()) else {
            return Some(Absence::Limit);
        };
        Some(match watched.status {
            Status::Pending => Absence::Timeout,
            Status::Absent(why) => why,
            // Known now, but not when the event was judged, or of another control group.
            Status::Known => match self.containers.get(id.short(), number) {
                Some(_) => Absence::Unconfirmed,
                None => Absence::Timeout,
            },
        })
    }

    /// Forgets the containers that have had no process for so long. `now` is any clock that only
    /// goes forward, in ns.
    pub fn forget_containers(&mut self, now: u64, after: u64) {
        let mut in_use = BTreeSet::new();
        // What only the table itself refers to, no process is in any more.
        self.cgroups.retain(|_, cgroup| {
            let is_used = Arc::strong_count(cgroup) > 1;
            if is_used {
                for claim in cgroup.claims() {
                    in_use.insert(Box::<[u8]>::from(claim.id().short()));
                }
            }
            is_used || cgroup.claims().is_empty()
        });
        let mut gone = Vec::new();
        let watched = &mut self.watched;
        watched.by_id.retain(|short, watched| {
            if watched.status == Status::Pending || in_use.contains(&**short) {
                watched.idle_since = None;
                return true;
            }
            let since = *watched.idle_since.get_or_insert(now);
            let is_over = now.saturating_sub(since) >= after;
            if is_over {
                gone.push(short.clone());
            }
            !is_over
        });
        if gone.len() > watched.by_id.len() {
            watched.by_id.shrink_to(watched.by_id.len() * 2);
        }
        for short in gone {
            self.remove_container(&short);
            self.counters.containers_forgotten += 1;
        }
    }

    /// All that is known, and of the rest why it is not.
    pub fn containers(&self) -> Vec<Listed> {
        let mut shorts: BTreeSet<&Arc<[u8]>> = self.watched.by_id.keys().collect();
        shorts.extend(self.containers.ids());
        let listed = shorts.into_iter().map(|short| {
            let status = self.watched.by_id.get(short).map(|watched| watched.status);
            Listed {
                short: String::from_utf8_lossy(short).into_owned(),
                facts: self.containers.latest(short),
                absence: match status {
                    Some(Status::Absent(why)) => Some(why),
                    Some(Status::Pending | Status::Known) | None => None,
                },
            }
        });
        listed.collect()
    }

    /// Whether an answer is awaited about the container of that short id.
    pub fn is_container_pending(&self, short: &[u8]) -> bool {
        let watched = self.watched.by_id.get(short);
        watched.is_some_and(|watched| watched.status == Status::Pending)
    }

    /// What is known now of the container of that short id.
    pub fn container_facts(&self, short: &[u8]) -> Option<Arc<ContainerFacts>> {
        self.containers.latest(short)
    }

    /// All that was known of containers, by engines or events, at the event of that number.
    pub fn known_containers(&self, number: u64) -> Vec<Arc<ContainerFacts>> {
        self.containers.all(number).collect()
    }

    /// What was asked and not answered in time gets no answer any more that is waited for.
    pub fn give_up_on_container(&mut self, short: &Arc<[u8]>) {
        self.answer_container(ContainerAnswer::Absent(short.clone(), Absence::Timeout));
    }
}

#[cfg(test)]
mod tests;
