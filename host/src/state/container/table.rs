//! What is known of containers, as of each event in flight.
//!
//! Facts come late: a container's first processes run before its engine has answered. So facts
//! hold from an event's number on, and what held before stays readable until no event in flight
//! is older.

use super::facts::{ContainerFacts, Engine, FACTS_BYTES_MAX};
use super::{ContainerId, ID_SHORT, captured};
use crate::event::Captured;
use crate::state::version::{ProcessVersion, VersionIndex};
use crate::state::{Map, Retired, State};
use saker_rules_schema::event::EventType;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Bytes that an entry takes beside its facts, in round numbers.
const ENTRY_BYTES: usize = 256;

/// What Falco calls the host where it has to name a container.
const HOST: &str = "host";

/// The container that a process is in, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub enum Container<'a> {
    /// One of which only the id is known.
    Id(ContainerId<'a>),
    /// One whose facts are known, or the host.
    Known(&'a ContainerFacts),
}

/// Facts, or that there are none any more, from an event on.
#[derive(Clone, Debug)]
struct Held {
    from: u64,
    /// Tells it from all others there ever were.
    serial: u64,
    facts: Option<Arc<ContainerFacts>>,
}

impl Held {
    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.facts.as_ref().map_or(0, |facts| facts.bytes())
    }

    fn bytes_of(all: &[Held]) -> usize {
        all.iter().map(Held::bytes).sum()
    }
}

/// Containers by their whole ids, or as much of them as was told.
#[derive(Clone, Debug)]
pub(in crate::state) struct Containers {
    containers_max: usize,
    bytes_max: usize,
    /// Oldest first, at least one each.
    by_id: Map<Arc<[u8]>, Vec<Held>>,
    /// The same containers by the serial of what is held last: who was told of longest ago.
    in_order: BTreeMap<u64, Arc<[u8]>>,
    /// The same by the bytes of all that is held, and that serial: who takes most.
    by_size: BTreeSet<(usize, u64)>,
    /// Of whom something can be freed once no event up to that number is in flight.
    retired: VecDeque<(u64, Arc<[u8]>)>,
    bytes: usize,
    serial: u64,
    /// Those that made room for others, as long as nobody has asked.
    forgotten: Vec<Arc<[u8]>>,
    /// What processes outside of containers show.
    host: ContainerFacts,
    /// Forgotten to make room.
    pub(in crate::state) evicted: u64,
    /// Not kept: without id, or larger than all that may be kept.
    pub(in crate::state) refused: u64,
}

impl Containers {
    pub(in crate::state) fn new(containers_max: usize, bytes_max: usize) -> Containers {
        Containers {
            containers_max,
            bytes_max,
            by_id: Map::default(),
            in_order: BTreeMap::new(),
            by_size: BTreeSet::new(),
            retired: VecDeque::new(),
            bytes: 0,
            serial: 0,
            forgotten: Vec::new(),
            host: ContainerFacts {
                full_id: HOST.into(),
                name: HOST.into(),
                ..ContainerFacts::bare(HOST, Engine::Host)
            },
            evicted: 0,
            refused: 0,
        }
    }

    /// What is held of a container as of an event.
    fn held(&self, id: &[u8], number: u64) -> Option<&Held> {
        if self.by_id.is_empty() {
            return None;
        }
        let all = self.by_id.get(id)?;
        let after = all.partition_point(|held| held.from <= number);
        all.get(after.checked_sub(1)?)
    }

    /// Facts of a container as of an event.
    pub(in crate::state) fn get(&self, id: &[u8], number: u64) -> Option<&ContainerFacts> {
        self.held(id, number)?.facts.as_deref()
    }

    /// What is known of a container now.
    pub(in crate::state) fn latest(&self, id: &[u8]) -> Option<Arc<ContainerFacts>> {
        self.held(id, u64::MAX)?.facts.clone()
    }

    /// What is held of all containers as of an event, in the order in which they were told of.
    pub(in crate::state) fn all(&self, number: u64) -> impl Iterator<Item = Arc<ContainerFacts>> {
        let held = self.by_id.keys().filter_map(|id| self.held(id, number));
        let mut held: Vec<&Held> = held.collect();
        held.sort_unstable_by_key(|held| held.serial);
        held.into_iter().filter_map(|held| held.facts.clone())
    }

    /// The containers of which something is known, or was to events in flight.
    pub(in crate::state) fn ids(&self) -> impl Iterator<Item = &Arc<[u8]>> {
        let known = |held: &&Vec<Held>| held.last().is_some_and(|last| last.facts.is_some());
        let ids = self.by_id.iter();
        ids.filter(move |(_, held)| known(held)).map(|(id, _)| id)
    }

    /// How many containers and bytes there are.
    #[cfg(test)]
    pub(in crate::state) fn sizes(&self) -> [usize; 2] {
        [self.by_id.len(), self.bytes]
    }

    /// From that event on this holds, unless there is no room: for bytes those go that take most,
    /// for one more container the one that was told of longest ago. Whether it holds.
    pub(in crate::state) fn put(&mut self, facts: Arc<ContainerFacts>, from: u64) -> bool {
        let bytes = facts.bytes() + ENTRY_BYTES;
        let is_user = facts.user.is_some();
        let id: Arc<[u8]> = facts.key().into();
        let is_new = !self.by_id.contains_key(&id);
        let is_full = is_new && self.by_id.len() >= self.containers_max;
        let takes_most = |most: &(usize, u64)| bytes >= most.0;
        let mut is_refused = id.is_empty() || bytes > self.bytes_max || self.containers_max == 0;
        // No user has others forgotten.
        is_refused |= is_user && (is_full || self.bytes + bytes > self.bytes_max);
        while !is_refused && self.bytes + bytes > self.bytes_max {
            is_refused = self.by_size.last().is_none_or(takes_most) || !self.evict_largest();
        }
        if is_refused {
            self.refused += 1;
            return false;
        }
        if is_full && self.by_id.len() >= self.containers_max {
            self.evict_oldest();
        }
        // That of its own that made room is replaced.
        self.forgotten.retain(|forgotten| *forgotten != id);
        self.hold(id, from, Some(facts));
        true
    }

    /// Whether there is room for any one container more.
    pub(in crate::state) fn has_room(&self) -> bool {
        let bytes = FACTS_BYTES_MAX + ENTRY_BYTES;
        self.by_id.len() < self.containers_max && self.bytes + bytes <= self.bytes_max
    }

    /// Those that were forgotten to make room, since the last time.
    pub(in crate::state) fn take_forgotten(&mut self) -> Vec<Arc<[u8]>> {
        std::mem::take(&mut self.forgotten)
    }

    /// From that event on the container is no more. Whether it was known.
    pub(in crate::state) fn remove(&mut self, id: &[u8], from: u64) -> bool {
        let Some((id, held)) = self.by_id.get_key_value(id) else {
            return false;
        };
        if held.last().is_none_or(|last| last.facts.is_none()) {
            return false;
        }
        let id = id.clone();
        self.hold(id, from, None);
        true
    }

    /// Frees what only events with numbers below `before` could see.
    pub(in crate::state) fn release(&mut self, before: u64) {
        while let Some((last, _)) = self.retired.front()
            && *last < before
            && let Some((_, id)) = self.retired.pop_front()
        {
            self.trim(&id, before);
        }
    }

    fn trim(&mut self, id: &[u8], before: u64) {
        let Some(all) = self.by_id.get_mut(id) else {
            return;
        };
        let Some(last) = all.last() else {
            return;
        };
        let (serial, all_before) = (last.serial, Held::bytes_of(all));
        let seen_last = all.partition_point(|held| held.from <= before);
        for held in all.drain(..seen_last.saturating_sub(1)) {
            self.bytes -= held.bytes();
        }
        if let [last] = &all[..]
            && last.facts.is_none()
            && last.from <= before
        {
            self.bytes -= last.bytes();
            self.in_order.remove(&serial);
            self.by_size.remove(&(all_before, serial));
            self.by_id.remove(id);
        } else {
            let all_now = Held::bytes_of(all);
            self.by_size.remove(&(all_before, serial));
            self.by_size.insert((all_now, serial));
        }
    }

    fn hold(&mut self, id: Arc<[u8]>, from: u64, facts: Option<Arc<ContainerFacts>>) {
        self.serial += 1;
        let held = Held {
            from,
            serial: self.serial,
            facts,
        };
        self.bytes += held.bytes();
        self.in_order.insert(held.serial, id.clone());
        let all = self.by_id.entry(id.clone()).or_default();
        let mut leaves_something = held.facts.is_none();
        if let Some(last) = all.last() {
            self.in_order.remove(&last.serial);
            self.by_size.remove(&(Held::bytes_of(all), last.serial));
            if last.from >= from {
                // Nobody has seen it.
                self.bytes -= last.bytes();
                all.pop();
            } else {
                leaves_something = true;
            }
        }
        let serial = held.serial;
        all.push(held);
        self.by_size.insert((Held::bytes_of(all), serial));
        if leaves_something {
            self.retired.push_back((from.saturating_sub(1), id));
        }
    }

    /// Forgets the container that takes most. Whether there was one.
    fn evict_largest(&mut self) -> bool {
        let largest = self.by_size.last().copied();
        largest.is_some_and(|(_, serial)| self.evict(serial))
    }

    /// Forgets the container that was told of longest ago, a user's if there is one.
    fn evict_oldest(&mut self) {
        let is_users = |(_, id): &(&u64, &Arc<[u8]>)| {
            let last = self.by_id.get(*id).and_then(|held| held.last());
            let facts = last.and_then(|last| last.facts.as_ref());
            facts.is_some_and(|facts| facts.user.is_some())
        };
        let users = self.in_order.iter().find(is_users);
        let first = users.or_else(|| self.in_order.first_key_value());
        if let Some(serial) = first.map(|(serial, _)| *serial) {
            self.evict(serial);
        }
    }

    /// Forgets a container, also for events in flight: so the bound holds however many there are.
    fn evict(&mut self, serial: u64) -> bool {
        let Some(id) = self.in_order.remove(&serial) else {
            return false;
        };
        let bytes = Held::bytes_of(&self.by_id.remove(&id).unwrap_or_default());
        self.by_size.remove(&(bytes, serial));
        self.bytes -= bytes;
        self.evicted += 1;
        if self.forgotten.len() < self.containers_max {
            self.forgotten.push(id);
        }
        true
    }
}

impl State {
    /// The container that a process is in, as of an event; `None` where it is not known whether
    /// it is in one.
    pub fn container<'a>(
        &'a self,
        version: &'a ProcessVersion,
        number: u64,
    ) -> Option<Container<'a>> {
        if let Some(told) = &version.told {
            return Some(Container::Known(told));
        }
        let Some(id) = version.container() else {
            let is_outside = version.knows_cgroup();
            return is_outside.then_some(Container::Known(&self.containers.host));
        };
        let claims = version.cgroup.claims();
        // A capture tells of the innermost alone.
        let claims = &claims[..if version.is_captured() {
            1
        } else {
            claims.len()
        }];
        for claim in claims {
            let facts = self.container_named(claim.id().whole, number);
            let facts = facts.filter(|facts| facts.is_at(claim));
            if let Some(facts) = facts.or(claim.bare()) {
                return Some(Container::Known(facts));
            }
        }
        Some(Container::Id(id))
    }

    /// What is known of the pod sandbox of a container as of an event: in Falco the host where
    /// it has none.
    pub fn pod_sandbox(&self, facts: &ContainerFacts, number: u64) -> Option<&ContainerFacts> {
        if facts.pod_sandbox_id.is_empty() {
            return Some(&self.containers.host);
        }
        self.container_named(sandbox_id(facts), number)
    }

    /// What is known of the container of that whole id. Of some a capture tells no more of the id
    /// than is shown.
    fn container_named(&self, whole: &[u8], number: u64) -> Option<&ContainerFacts> {
        self.container_held(whole, number)?.facts.as_deref()
    }

    fn container_held(&self, whole: &[u8], number: u64) -> Option<&Held> {
        let found = self.containers.held(whole, number);
        let of_short = || {
            let short = whole.get(..ID_SHORT)?;
            (!self.watched.is_on()).then(|| self.containers.held(short, number))?
        };
        found.or_else(of_short)
    }

    /// A number that tells what a process shows of its container as of an event from what it
    /// showed before.
    pub(in crate::state) fn container_stamp(&self, version: &ProcessVersion, number: u64) -> u64 {
        let Some(id) = version.container() else {
            return 0;
        };
        let serial = |key: &[u8]| {
            let held = self.container_held(key, number);
            held.map_or(0, |held| held.serial)
        };
        let facts = self.container_named(id.whole, number);
        let pod = facts.map_or(0, |facts| serial(sandbox_id(facts)));
        let outer = match version.cgroup.claims() {
            [_, outer] => serial(outer.id().whole),
            _ => 0,
        };
        let own = serial(id.whole);
        // One serial is never another's.
        own.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ pod ^ outer.rotate_left(32)
    }

    /// Takes in what an engine says of a container: it holds for the events to come.
    pub fn set_container(&mut self, facts: ContainerFacts) {
        self.put_container(Arc::new(facts), self.number.saturating_add(1));
    }

    /// Takes in that a container is gone.
    pub fn remove_container(&mut self, id: &[u8]) {
        self.drop_container(id, self.number.saturating_add(1));
    }

    /// From that event on this holds. Whether there was room for it.
    pub(in crate::state) fn put_container(
        &mut self,
        facts: Arc<ContainerFacts>,
        from: u64,
    ) -> bool {
        let holds = self.containers.put(facts, from);
        self.generation += u64::from(holds);
        self.count_containers();
        for id in self.containers.take_forgotten() {
            self.watched.forget_facts(&id);
        }
        holds
    }

    fn count_containers(&mut self) {
        self.counters.containers_evicted = self.containers.evicted;
        self.counters.containers_refused = self.containers.refused;
    }

    fn drop_container(&mut self, id: &[u8], from: u64) {
        if self.containers.remove(id, from) {
            self.generation += 1;
        }
    }

    /// Applies a captured event that tells of a container. What the answer refers to shows that
    /// container, as if the event were of a process in it.
    pub(in crate::state) fn apply_container(
        &mut self,
        event: &Captured<'_>,
        wanted: bool,
    ) -> VersionIndex {
        let (json, is_removed) = match (event.kind, event.text(1)) {
            (EventType::Container, _) => (event.bytes(0), false),
            (EventType::Asyncevent, Some(b"container")) => (event.bytes(2), false),
            (EventType::Asyncevent, Some(b"container_removed")) => (event.bytes(2), true),
            (_, _) => return VersionIndex::NONE,
        };
        let Some(facts) = captured::read(json.unwrap_or_default()) else {
            self.counters.containers_unreadable += 1;
            self.counters.first_unread.get_or_insert(event.number);
            return VersionIndex::NONE;
        };
        let facts = Arc::new(facts);
        if is_removed {
            self.drop_container(facts.key(), event.number);
        } else {
            self.put_container(facts.clone(), event.number);
        }
        if wanted {
            self.show_container(facts)
        } else {
            VersionIndex::NONE
        }
    }

    fn show_container(&mut self, facts: Arc<ContainerFacts>) -> VersionIndex {
        let mut version = self.blank(0, 0, self.number);
        self.serial += 1;
        version.serial = self.serial;
        version.told = Some(facts);
        match self.versions.insert(version) {
            Some(place) => {
                let index = VersionIndex(place);
                self.retired
                    .push_back((self.number, Retired::Version(index)));
                index
            }
            None => {
                self.containers.refused += 1;
                self.count_containers();
                VersionIndex::NONE
            }
        }
    }
}

/// The id by which the sandbox of the container's pod is found.
fn sandbox_id(facts: &ContainerFacts) -> &[u8] {
    facts.pod_sandbox_id.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(id: &str, name: &str) -> Arc<ContainerFacts> {
        Arc::new(ContainerFacts {
            id: id.into(),
            name: name.into(),
            ..ContainerFacts::default()
        })
    }

    fn name(table: &Containers, id: &str, number: u64) -> Option<String> {
        let facts = table.get(id.as_bytes(), number)?;
        Some(facts.name.to_string())
    }

    #[test]
    fn an_event_sees_what_was_known_when_it_happened() {
        let mut table = Containers::new(8, 1 << 20);
        assert!(table.put(facts("a", "first"), 10));
        assert!(table.put(facts("a", "second"), 20));
        assert!(table.remove(b"a", 30));
        let seen = |number| name(&table, "a", number);
        assert_eq!(seen(9), None);
        assert_eq!(seen(10).as_deref(), Some("first"));
        assert_eq!(seen(19).as_deref(), Some("first"));
        assert_eq!(seen(20).as_deref(), Some("second"));
        assert_eq!(seen(29).as_deref(), Some("second"));
        assert_eq!(seen(30), None);
        assert_eq!(name(&table, "b", 20), None);
        let serial = |number| table.held(b"a", number).map_or(0, |held| held.serial);
        let serials = [9, 10, 20, 30].map(serial);
        assert!(serials.is_sorted() && serials.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn all_come_in_the_order_in_which_they_were_told_of() {
        let mut table = Containers::new(32, 1 << 20);
        let ids: Vec<String> = (0..16)
            .map(|number| format!("c{}", number * 7 % 16))
            .collect();
        for (number, id) in (0..).zip(&ids) {
            table.put(facts(id, "first"), number);
        }
        table.put(facts(&ids[0], "again"), 20);
        let order = |number| -> Vec<String> {
            let all = table.all(number);
            all.map(|facts| facts.id.to_string()).collect()
        };
        assert_eq!(order(15), ids);
        assert_eq!(order(20), [&ids[1..], &ids[..1]].concat());
    }

    #[test]
    fn what_no_event_in_flight_can_see_is_freed_and_nothing_else_is() {
        let mut table = Containers::new(8, 1 << 20);
        table.put(facts("a", "first"), 10);
        let [_, one] = table.sizes();
        table.put(facts("a", "second"), 20);
        table.release(19);
        assert_eq!(name(&table, "a", 19).as_deref(), Some("first"));
        table.release(20);
        assert_eq!(name(&table, "a", 19), None);
        assert_eq!(name(&table, "a", 20).as_deref(), Some("second"));
        assert_eq!(table.sizes(), [1, one + 1]);
        table.remove(b"a", 30);
        table.release(29);
        assert_eq!(name(&table, "a", 29).as_deref(), Some("second"));
        table.release(30);
        assert_eq!(table.sizes(), [0, 0]);
        assert!(table.in_order.is_empty() && table.retired.is_empty());
        assert!(!table.remove(b"a", 31));
    }

    #[test]
    fn what_comes_twice_with_one_event_is_held_once() {
        let mut table = Containers::new(8, 1 << 20);
        table.put(facts("a", "first"), 10);
        let sizes = table.sizes();
        table.put(facts("a", "other"), 10);
        assert_eq!(table.sizes(), sizes);
        assert_eq!(name(&table, "a", 10).as_deref(), Some("other"));
        table.remove(b"a", 10);
        table.release(10);
        assert_eq!(table.sizes(), [0, 0]);
    }

    #[test]
    fn neither_containers_nor_versions_grow_without_bound() {
        let bytes = facts("c0000", "name").bytes() + ENTRY_BYTES;
        let mut table = Containers::new(4, bytes * 6);
        for number in 0..100u64 {
            table.put(facts(&format!("c{number:04}"), "name"), number);
            let [containers, kept] = table.sizes();
            assert!(containers <= 4 && kept <= bytes * 6);
        }
        assert_eq!(table.evicted, 96);
        assert_eq!(name(&table, "c0099", 99).as_deref(), Some("name"));
        // Nothing is released, and one container is told of again and again.
        for number in 100..200u64 {
            table.put(facts("c0099", "name"), number);
            let [containers, kept] = table.sizes();
            assert!(containers <= 4 && kept <= bytes * 6, "{kept}");
            assert_eq!(name(&table, "c0099", number).as_deref(), Some("name"));
        }
        table.release(u64::MAX);
        // It was its own versions that made room.
        assert_eq!(table.sizes(), [4, 4 * bytes]);
        assert!(!table.take_forgotten().contains(&(*b"c0099").into()));
        assert!(table.retired.is_empty());
    }

    #[test]
    fn who_takes_most_makes_room_and_not_those_who_take_less() {
        let mut table = Containers::new(64, 64 << 10);
        for index in 0..16 {
            assert!(table.put(facts(&format!("small{index}"), "x"), 1));
        }
        let large = |id: &str, bytes: usize| facts(id, &"x".repeat(bytes));
        assert!(table.put(large("large1", 20 << 10), 1));
        assert!(table.put(large("large2", 18 << 10), 1));
        // The largest of all is not taken, one less large has it make room.
        assert!(!table.put(large("large3", 30 << 10), 1));
        assert!(table.put(large("large4", 19 << 10), 1));
        assert_eq!(table.take_forgotten(), [(*b"large1").into()]);
        let known = |id: &str| table.get(id.as_bytes(), 1).is_some();
        assert!((0..16).all(|index| known(&format!("small{index}"))));
        assert!(known("large2") && known("large4") && !known("large3"));
        assert_eq!([table.evicted, table.refused], [1, 1]);
    }

    #[test]
    fn no_user_has_others_forgotten() {
        let mut table = Containers::new(2, 1 << 20);
        table.put(facts("a", "x"), 1);
        table.put(facts("b", "x"), 1);
        let mut own = (*facts("c", "x")).clone();
        own.user = Some(1000);
        assert!(!table.put(Arc::new(own), 1));
        assert!(table.take_forgotten().is_empty());
    }

    #[test]
    fn what_has_no_id_or_can_never_fit_is_refused() {
        let mut table = Containers::new(4, 2048);
        assert!(!table.put(facts("", "nameless"), 1));
        assert!(!table.put(facts("a", &"x".repeat(2048)), 1));
        assert_eq!(table.refused, 2);
        assert_eq!(table.sizes(), [0, 0]);
    }

    proptest::proptest! {
        #[test]
        fn bytes_are_accounted_for_whatever_happens(
            acts in proptest::collection::vec((0u8..4, 0u8..6, 0usize..400), 0..200),
        ) {
            let mut table = Containers::new(3, 4096);
            for (number, (act, id, length)) in acts.into_iter().enumerate() {
                let number = number as u64;
                let id = format!("c{id}");
                match act {
                    0 | 1 => {
                        table.put(facts(&id, &"n".repeat(length)), number);
                    }
                    2 => {
                        table.remove(id.as_bytes(), number);
                    }
                    _ => table.release(number.saturating_sub(length as u64 % 8)),
                }
                let held = table.by_id.values().flatten().map(Held::bytes).sum::<usize>();
                proptest::prop_assert_eq!(table.bytes, held);
                proptest::prop_assert!(table.by_id.len() <= 3);
                proptest::prop_assert!(table.by_id.len() == table.in_order.len());
            }
            table.release(u64::MAX);
            proptest::prop_assert!(table.by_id.values().all(|all| all.len() == 1));
        }
    }
}
