//! A state of its own that knows what another one knows: what either meets from then on is its
//! own affair.
//!
//! Nothing is shared whose users are counted: images, whose bytes count against a bound, and
//! control groups, of which the last user lets a container be forgotten.

use super::container::Cgroup;
use super::facts::KeptImage;
use super::version::{Entrance, ProcessVersion};
use super::{Map, Retired, State};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl State {
    /// A state that knows the same. No row is kept in it, and nothing is asked: who has the other
    /// one asks.
    pub fn copy(&self) -> State {
        let (image_bytes, cgroup_bytes) = (Arc::default(), Arc::default());
        let mut images: Map<*const KeptImage, Arc<KeptImage>> = Map::default();
        let mut image = |of: &Arc<KeptImage>| {
            let copied = images.entry(Arc::as_ptr(of));
            let copied = copied.or_insert_with(|| KeptImage::new((***of).clone(), &image_bytes));
            copied.clone()
        };
        let mut cgroups: Map<*const Cgroup, Arc<Cgroup>> = Map::default();
        let mut cgroup = |of: &Arc<Cgroup>| {
            let copied = cgroups.entry(Arc::as_ptr(of));
            copied
                .or_insert_with(|| Arc::new(of.copy(&cgroup_bytes)))
                .clone()
        };
        let version = |of: &ProcessVersion| ProcessVersion {
            image: image(&of.image),
            cgroup: cgroup(&of.cgroup),
            entrance: match &of.entrance {
                Entrance::Outside(by) => Entrance::Outside(image(by)),
                Entrance::Unknown => Entrance::Unknown,
                Entrance::First => Entrance::First,
            },
            ..of.clone()
        };
        let versions = self.versions.map(version);
        State {
            limits: self.limits.clone(),
            clock: self.clock,
            number: self.number,
            time: self.time,
            first: self.first,
            last_time: self.last_time,
            threads: self.threads.clone(),
            tids: self.tids.clone(),
            processes: self.processes.clone(),
            pids: self.pids.clone(),
            versions,
            serial: self.serial,
            generation: self.generation,
            names_generation: self.names_generation,
            descriptors: self.descriptors.clone(),
            roles: self.roles.clone(),
            listening: self.listening.clone(),
            cgroups: (self.cgroups.iter())
                .map(|(key, of)| (key.clone(), cgroup(of)))
                .collect(),
            containers: self.containers.clone(),
            watched: self.watched.copy(),
            by_path: self.by_path.clone(),
            row_bytes: Arc::default(),
            retired: self.retired.clone(),
            captured: self.captured.clone(),
            notes: self.notes.clone(),
            noted: self.noted,
            closing: self.closing,
            interfaces: self.interfaces.clone(),
            unsettled: self.unsettled.clone(),
            lookups: Vec::new(),
            awaited: 0,
            learnt: None,
            eviction_hand: self.eviction_hand,
            users: self.users.clone(),
            hostname: self.hostname.clone(),
            machine: self.machine,
            no_image: image(&self.no_image),
            no_cgroup: cgroup(&self.no_cgroup),
            image_bytes,
            cgroup_bytes,
            root: self.root.clone(),
            all_descriptors: self.all_descriptors,
            keeps_order: self.keeps_order,
            counters: self.counters,
        }
    }

    /// Bytes that it takes, about: what its places, images and descriptors come to.
    pub fn bytes(&self) -> usize {
        self.threads.bytes()
            + self.processes.bytes()
            + self.versions.bytes()
            + self.tids.bytes()
            + self.pids.bytes()
            + self.descriptors.memory()
            + self.roles.bytes()
            + self.retired.capacity() * size_of::<(u64, Retired)>()
            + self.image_bytes.load(Ordering::Relaxed)
    }
}
