//! Which containers engines are asked about, what became of that, and when a container is
//! forgotten.
//!
//! The state asks as soon as a process is met in a control group that names a container, and
//! takes the answer whenever it comes: what is told holds from the event on at which it was asked.
//! Whether an event waits for an answer is the pipeline's to decide.

use super::facts::ContainerFacts;
use super::{ByPath, Cgroup, Claim, ContainerId, Engine};
use crate::state::version::ProcessVersion;
use crate::state::{Map, State};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How often a container is asked about again because of another control group of its name, as
/// long as its engine says the same: whoever makes such groups shall not keep it busy.
const DOUBTS_MAX: u8 = 16;
/// Of all containers that are watched this part may be in groups that users have made.
const USERS_SHARE: usize = 4;
/// More of containerd's namespaces are not known by name.
const NAMESPACES_MAX: usize = 64;

/// A container of which an engine is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerLookup {
    /// Its whole id, or its name.
    pub id: Arc<[u8]>,
    /// The path of the control group that is said to be its own.
    pub root: Box<[u8]>,
    /// When that was met, ns since the epoch; before the first event, no time is later.
    pub met_at: u64,
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
    /// Nothing can be told of the container of that whole id.
    Absent(Arc<[u8]>, Absence),
    /// The container of that whole id is no more, says the system's engine or that of a user.
    Gone(Box<str>, Option<u32>),
    /// containerd has a namespace of that name.
    Namespace(Box<str>),
}

/// A container whose processes were met, or of which an engine told.
#[derive(Clone, Debug)]
struct Watched {
    /// Number of the event at which it was asked about.
    asked_at: u64,
    status: Status,
    /// The control group of its name that was met first, or that was found to be its own since.
    met: Met,
    /// Another, for which it was asked about last.
    doubted: Option<Met>,
    /// How often it was asked about again because of another group of its name, since what is
    /// known of it changed.
    doubts: u8,
    /// It counts among those whose groups users may have made.
    is_of_users: bool,
    /// When it was first seen to have no process, in the clock of [`State::forget_containers`].
    idle_since: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending,
    Known,
    Absent(Absence),
}

/// A control group that has a container's name.
#[derive(Clone, Debug)]
struct Met {
    root: Box<[u8]>,
    group: u64,
    /// When it was met first, ns since the epoch.
    at: u64,
}

impl Met {
    fn new(claim: &Claim, at: u64) -> Met {
        Met {
            root: claim.root().into(),
            group: claim.group(),
            at,
        }
    }
}

impl Watched {
    /// The group for which it was asked about last.
    fn asked(&self) -> &Met {
        self.doubted.as_ref().unwrap_or(&self.met)
    }

    /// The group that was asked about is its own where the engine says so.
    fn note_group(&mut self, facts: &ContainerFacts) {
        if let Some(doubted) = &self.doubted
            && facts.is_group(&doubted.root, doubted.group)
        {
            self.met = doubted.clone();
        }
    }
}

/// Whether a group lies where users may make groups without end.
fn is_of_users(root: &[u8]) -> bool {
    root.starts_with(b"/user.slice/")
}

/// All that is asked about, by whole id.
#[derive(Debug, Default)]
pub(in crate::state) struct WatchedContainers {
    /// Whether there is anybody to ask.
    is_on: bool,
    by_id: Map<Arc<[u8]>, Watched>,
    pending: usize,
    /// Those whose groups users may have made.
    of_users: usize,
    lookups: Vec<ContainerLookup>,
}

/// A container, for a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id as fields show it.
    pub short: String,
    /// Its whole id, or its name.
    pub id: String,
    /// What is known of it.
    pub facts: Option<Arc<ContainerFacts>>,
    /// Why nothing is, or nothing of its processes; `None` while an answer is awaited.
    pub absence: Option<Absence>,
    /// The path of its control group, or of the first that has its name; empty where none was met.
    pub group: String,
}

impl WatchedContainers {
    /// The same, without what is to be asked.
    pub(in crate::state) fn copy(&self) -> WatchedContainers {
        WatchedContainers {
            is_on: self.is_on,
            by_id: self.by_id.clone(),
            pending: self.pending,
            of_users: self.of_users,
            lookups: Vec::new(),
        }
    }

    /// Whether there is anybody to ask.
    pub(in crate::state) fn is_on(&self) -> bool {
        self.is_on
    }

    /// What was known of a container had to make room.
    pub(in crate::state) fn forget_facts(&mut self, id: &[u8]) {
        if let Some(watched) = self.by_id.get_mut(id)
            && watched.status == Status::Known
        {
            watched.status = Status::Absent(Absence::Limit);
        }
    }

    fn settle(&mut self, id: &[u8], status: Status) -> Option<u64> {
        let watched = self.by_id.get_mut(id)?;
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
            match self.watched.by_id.contains_key(claim.id().whole) {
                true => self.meet_again(claim),
                false => self.meet_first(claim),
            }
        }
    }

    /// Asks about a container again where it was begun anew or somebody made a group of its name,
    /// which its engine knows, and where there was no room for what it said.
    fn meet_again(&mut self, claim: &Claim) {
        let is_busy = self.watched.lookups.len() >= self.limits.lookups_max;
        let has_room = self.containers.has_room();
        let known = self.containers.latest(claim.id().whole);
        let Some(watched) = self.watched.by_id.get_mut(claim.id().whole) else {
            return;
        };
        if watched.status != Status::Pending {
            watched.idle_since = None;
        }
        let is_other = claim.group() != 0
            && claim.group() != watched.met.group
            && claim.group() != watched.asked().group
            && known.is_none_or(|known| known.group != claim.group());
        let is_missing = watched.status == Status::Absent(Absence::Limit) && has_room;
        if watched.status == Status::Pending
            || watched.doubts >= DOUBTS_MAX
            || is_busy
            || !is_other && !is_missing
        {
            return;
        }
        watched.status = Status::Pending;
        watched.asked_at = self.number;
        watched.doubts += 1;
        watched.doubted = Some(Met::new(claim, self.time));
        self.ask_about(claim);
    }

    fn meet_first(&mut self, claim: &Claim) {
        // So that no user keeps the system's out.
        let is_of_users = is_of_users(claim.root());
        let max = self.limits.containers_max;
        let is_full = self.watched.by_id.len() >= max
            || is_of_users && self.watched.of_users >= max.div_ceil(USERS_SHARE);
        let is_busy = is_full || self.watched.lookups.len() >= self.limits.lookups_max;
        self.counters.containers_unasked += u64::from(is_busy);
        if is_full {
            return;
        }
        let met = Met::new(claim, self.time);
        // Its engine may have told of it before its first process came.
        let told = self.containers.latest(claim.id().whole);
        let settled = told.as_ref().and_then(|told| settled(told, &met));
        let is_known = match settled {
            Some(settled) => self.put_container(Arc::new(settled), self.number),
            None => told.is_some_and(|told| told.is_at(claim)),
        };
        let status = match (is_known, is_busy) {
            (true, _) => Status::Known,
            (false, false) => Status::Pending,
            (false, true) => Status::Absent(Absence::Limit),
        };
        let watched = Watched {
            asked_at: self.number,
            status,
            met,
            doubted: None,
            doubts: 0,
            is_of_users,
            idle_since: None,
        };
        let id = claim.id().whole.into();
        self.watched.by_id.insert(id, watched);
        self.watched.of_users += usize::from(is_of_users);
        if status == Status::Pending {
            self.ask_about(claim);
        }
    }

    fn ask_about(&mut self, claim: &Claim) {
        self.watched.pending += 1;
        self.watched.lookups.push(ContainerLookup {
            id: claim.id().whole.into(),
            root: claim.root().into(),
            met_at: self.time,
            likely: claim.id().likely,
        });
    }

    /// Takes in what an engine says. What was asked holds from the event on at which it was
    /// asked, what comes unasked for the events to come.
    pub fn answer_container(&mut self, answer: ContainerAnswer) {
        match answer {
            ContainerAnswer::Known(facts) => self.learn_container(*facts),
            ContainerAnswer::Absent(id, why) => {
                let status = Status::Absent(why);
                if self.is_container_pending(&id) && self.watched.settle(&id, status).is_some() {
                    self.counters.containers_absent[why as usize] += 1;
                }
            }
            // Its last processes' events may still come: it goes when it is idle.
            ContainerAnswer::Gone(id, user) => {
                let id = id.as_bytes();
                let is_told = |held: Arc<ContainerFacts>| held.user == user;
                let is_own = self.containers.latest(id).is_some_and(is_told);
                if is_own && !self.watched.by_id.contains_key(id) {
                    self.remove_container(id);
                }
            }
            ContainerAnswer::Namespace(name) => self.know_namespace(name.as_bytes()),
        }
    }

    fn learn_container(&mut self, mut facts: ContainerFacts) {
        let id: Arc<[u8]> = facts.key().into();
        let held = self.containers.latest(&id);
        let watched = self.watched.by_id.get(&id);
        // A user's engine tells of that user's groups, whatever these are called, once a process
        // was met in one.
        if facts.user.is_some() && !watched.is_some_and(|own| facts.is_below(&own.asked().root)) {
            return;
        }
        let of_same = |held: &&Arc<ContainerFacts>| held.user == facts.user;
        let of_met = watched.and_then(|own| {
            let met = [own.asked(), &own.met];
            met.into_iter().find_map(|met| settled(&facts, met))
        });
        if let Some(settled) = of_met {
            facts = settled;
        } else if facts.ended != 0
            && let Some(held) = held.as_ref().filter(of_same)
        {
            // Of its groups that says nothing new.
            facts.roots = held.roots.clone();
            facts.group = held.group;
            facts.ended = held.ended;
        }
        let asked_at = self.watched.settle(&id, Status::Known);
        // No user's engine tells of others' containers.
        if facts.user.is_some() && held.as_ref().is_some_and(|held| held.user != facts.user) {
            return;
        }
        // Facts that are only said again are no change.
        let is_said = held.is_some_and(|held| *held == facts);
        if let Some(watched) = self.watched.by_id.get_mut(&id) {
            watched.note_group(&facts);
            watched.doubts = if is_said { watched.doubts } else { 0 };
        }
        if is_said {
            return;
        }
        let next = self.number.saturating_add(1);
        if !self.put_container(Arc::new(facts), asked_at.unwrap_or(next)) {
            self.watched.settle(&id, Status::Absent(Absence::Limit));
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
            let (id, watched) = self.watched.by_id.get_key_value(claim.id().whole)?;
            match watched.status {
                Status::Pending => return Some(id),
                Status::Known => {
                    let facts = self.containers.get(id, u64::MAX);
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
            super::Container::Known(facts) => return facts.is_cut.then_some(Absence::Limit),
        };
        let Some(watched) = self.watched.by_id.get(id.whole) else {
            return Some(Absence::Limit);
        };
        Some(match watched.status {
            Status::Pending => Absence::Timeout,
            Status::Absent(why) => why,
            // Known now, but not when the event was judged, or of another control group.
            Status::Known => match self.containers.get(id.whole, number) {
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
                    in_use.insert(Box::<[u8]>::from(claim.id().whole));
                }
            }
            is_used || cgroup.claims().is_empty()
        });
        let mut gone = Vec::new();
        let watched = &mut self.watched;
        let (mut unanswered, mut of_users) = (0, watched.of_users);
        watched.by_id.retain(|id, watched| {
            // Whoever was asked has had the time.
            if watched.status == Status::Pending {
                let since = *watched.idle_since.get_or_insert(now);
                if now.saturating_sub(since) >= after {
                    watched.status = Status::Absent(Absence::Timeout);
                    watched.idle_since = None;
                    unanswered += 1;
                }
                return true;
            }
            if in_use.contains(&**id) {
                watched.idle_since = None;
                return true;
            }
            let since = *watched.idle_since.get_or_insert(now);
            let is_over = now.saturating_sub(since) >= after;
            if is_over {
                of_users -= usize::from(watched.is_of_users);
                gone.push(id.clone());
            }
            !is_over
        });
        watched.of_users = of_users;
        watched.pending -= unanswered;
        self.counters.containers_absent[Absence::Timeout as usize] += unanswered as u64;
        if gone.len() > watched.by_id.len() {
            watched.by_id.shrink_to(watched.by_id.len() * 2);
        }
        for id in gone {
            self.remove_container(&id);
            self.counters.containers_forgotten += 1;
        }
    }

    /// All that is known, and of the rest why it is not.
    pub fn containers(&self) -> Vec<Listed> {
        let mut ids: BTreeSet<&Arc<[u8]>> = self.watched.by_id.keys().collect();
        ids.extend(self.containers.ids());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let listed = ids.into_iter().map(|id| {
            let watched = self.watched.by_id.get(id);
            let facts = self.containers.latest(id);
            let is_elsewhere = |watched: &Watched| {
                let is_other = |facts: &Arc<ContainerFacts>| {
                    !facts.is_group(&watched.met.root, watched.met.group)
                };
                facts.as_ref().is_some_and(is_other)
            };
            let absence = match watched.map(|watched| watched.status) {
                Some(Status::Absent(why)) => Some(why),
                Some(Status::Known) if watched.is_some_and(is_elsewhere) => {
                    Some(Absence::Unconfirmed)
                }
                Some(Status::Pending | Status::Known) | None => None,
            };
            let unasked = ContainerId {
                whole: id,
                engine: None,
                likely: None,
            };
            Listed {
                short: text(unasked.short()),
                id: text(id),
                facts,
                absence,
                group: watched.map_or_else(String::new, |watched| text(&watched.met.root)),
            }
        });
        listed.collect()
    }

    /// Whether an answer is awaited about the container of that whole id.
    pub fn is_container_pending(&self, id: &[u8]) -> bool {
        let watched = self.watched.by_id.get(id);
        watched.is_some_and(|watched| watched.status == Status::Pending)
    }

    /// What is known now of the container of that whole id.
    pub fn container_facts(&self, id: &[u8]) -> Option<Arc<ContainerFacts>> {
        self.containers.latest(id)
    }

    /// All that was known of containers, by engines or events, at the event of that number.
    pub fn known_containers(&self, number: u64) -> Vec<Arc<ContainerFacts>> {
        self.containers.all(number).collect()
    }

    /// What was asked and not answered in time gets no answer any more that is waited for.
    pub fn give_up_on_container(&mut self, id: &Arc<[u8]>) {
        self.answer_container(ContainerAnswer::Absent(id.clone(), Absence::Timeout));
    }
}

/// Of a container whose first process has ended, the same with the group that was met, if it
/// was before that.
fn settled(facts: &ContainerFacts, met: &Met) -> Option<ContainerFacts> {
    let is_own = facts.ended != 0 && facts.is_below(&met.root) && met.at <= facts.ended;
    is_own.then(|| ContainerFacts {
        group: met.group,
        ended: 0,
        ..facts.clone()
    })
}

#[cfg(test)]
mod tests;
