//! What is learnt from outside the stream of events: the processes that ran before the first
//! event, and answers to lookups. What the kernel told wins over it.

use super::descriptor::{FdIndex, FdPieces, Role};
use super::facts::{FdFacts, KeptImage, ProcessFacts, Start, TICK_NS};
use super::table::TableIndex;
use super::version::{
    Comm, Entrance, KNOWS_CGROUP, KNOWS_COMM, KNOWS_CREDENTIALS, KNOWS_CWD, KNOWS_IDS, KNOWS_IMAGE,
    ProcessRef,
};
use super::{Lookup, State};

const KNOWS_ALL: u8 =
    KNOWS_IMAGE | KNOWS_IDS | KNOWS_CREDENTIALS | KNOWS_CWD | KNOWS_CGROUP | KNOWS_COMM;

impl State {
    /// Takes in processes that run already. Those the events told of keep what they told.
    pub fn seed(&mut self, processes: impl IntoIterator<Item = ProcessFacts>) {
        let mut slots = Vec::new();
        for facts in processes {
            let start = start_ns(facts.start);
            let slot = match self.live_process(facts.pid) {
                Some(slot) if self.may_be(slot, start) => {
                    self.complete(slot, facts);
                    slot
                }
                // The events tell of a later process with that id.
                Some(_) => continue,
                None => match self.plant(facts) {
                    Some(slot) => slot,
                    None => continue,
                },
            };
            slots.push(slot);
        }
        for slot in slots {
            self.adopt(slot);
        }
        self.generation += 1;
    }

    /// Takes in the answer to a lookup. `None`: there is no such process any more.
    pub fn answer(&mut self, lookup: Lookup, answer: Option<ProcessFacts>) {
        self.awaited = self.awaited.saturating_sub(1);
        self.learn_of(lookup, answer);
    }

    /// The same of one that was not asked for.
    pub fn learn_of(&mut self, lookup: Lookup, answer: Option<ProcessFacts>) {
        let Some(facts) = answer else {
            return;
        };
        let start = start_ns(facts.start);
        let parent = facts.ids.ppid;
        let slot = match self.live_process(lookup.pid) {
            Some(slot) if facts.pid == lookup.pid && self.may_be(slot, start) => {
                self.complete(slot, facts);
                slot
            }
            // An ancestor that no event told of.
            None if facts.pid == lookup.pid && lookup.start_time == 0 => match self.plant(facts) {
                Some(slot) => {
                    if let Some(process) = self.processes.get_mut(slot) {
                        process.asked = true;
                    }
                    slot
                }
                None => return,
            },
            Some(_) | None => {
                self.counters.answers_rejected += 1;
                return;
            }
        };
        self.adopt(slot);
        self.learn(slot);
        if parent != 0 && self.live_process(parent).is_none() {
            self.push_lookup(Lookup {
                pid: parent,
                start_time: 0,
            });
        }
        self.generation += 1;
    }

    /// Ends a process that is not there any more, of which no event told that it ended.
    pub fn end_unseen(&mut self, pid: u32, start: Start) {
        let slot = self.live_process(pid);
        if let Some(slot) = slot.filter(|slot| self.may_be(*slot, start_ns(start))) {
            self.end_process(slot, self.number, 0);
        }
    }

    /// Whether a process with that start, as `/proc` tells it, is the one in that place.
    fn may_be(&self, slot: u32, start: u64) -> bool {
        self.processes.get(slot).is_some_and(|process| {
            process.start_time / TICK_NS == start / TICK_NS
                || process.start_time == 0 && !process.is_exact
        })
    }

    fn plant(&mut self, mut facts: ProcessFacts) -> Option<u32> {
        let mut version = self.blank(facts.pid, start_ns(facts.start), self.number);
        // Good for events before this as well, unless they may mean an earlier process.
        if self.pids.get(facts.pid) == super::NONE {
            version.valid_from = 0;
        }
        self.bound(&mut facts.image);
        version.comm = Comm::new(&facts.comm);
        version.image = KeptImage::new(std::mem::take(&mut facts.image), &self.image_bytes);
        version.cwd = self.directory(&facts.cwd);
        version.ids = facts.ids;
        version.credentials = facts.credentials;
        version.cgroup = self.shared_cgroup(&facts.cgroup);
        if version.cgroup.container().is_some() {
            version.entrance = Entrance::First;
        }
        version.vm_size = facts.vm_size;
        version.vm_rss = facts.vm_rss;
        version.known = KNOWS_ALL;
        let slot = self.add_process(version, facts.start, TableIndex::NONE)?;
        self.add_thread(slot, facts.pid, facts.start, facts.ids.vpid);
        self.add_rest(slot, facts);
        Some(slot)
    }

    /// Fills what is not known of a process.
    fn complete(&mut self, slot: u32, mut facts: ProcessFacts) {
        self.bound(&mut facts.image);
        let image = KeptImage::new(std::mem::take(&mut facts.image), &self.image_bytes);
        let Some(process) = self.processes.get_mut(slot) else {
            return;
        };
        if process.start_time == 0 {
            process.start_time = start_ns(facts.start);
            process.is_exact = matches!(facts.start, Start::Exact(_));
        }
        let start_time = process.start_time;
        let mut index = process.latest;
        let Some(known) = self.versions.get(index.0).map(|version| version.known) else {
            return;
        };
        let missing = KNOWS_ALL & !known;
        let parent = self
            .live_process(facts.ids.ppid)
            .filter(|parent| *parent != slot)
            .map_or(ProcessRef::NONE, |parent| self.reference(parent));
        let cgroup = match missing & KNOWS_CGROUP {
            0 => facts.cgroup.clone(),
            _ => self.shared_cgroup(&facts.cgroup),
        };
        let cwd = match missing & KNOWS_CWD {
            0 => Default::default(),
            _ => self.directory(&facts.cwd),
        };
        // Older versions lack the same, and an answer takes no event number.
        while let Some(version) = self.versions.get_mut(index.0) {
            let fill = missing & !version.known;
            if fill & KNOWS_IMAGE != 0 {
                version.image = image.clone();
            }
            if fill & KNOWS_IDS != 0 {
                version.ids = facts.ids;
                version.parent = parent;
            }
            if fill & KNOWS_CREDENTIALS != 0 {
                version.credentials = facts.credentials;
            }
            if fill & KNOWS_CWD != 0 {
                version.cwd = cwd.clone();
            }
            if fill & KNOWS_CGROUP != 0 {
                version.cgroup = cgroup.clone();
            }
            if fill & KNOWS_COMM != 0 {
                version.comm = Comm::new(&facts.comm);
            }
            version.known |= fill;
            version.start_time = start_time;
            version.row.clear();
            self.serial += 1;
            version.serial = self.serial;
            index = version.older;
        }
        self.add_rest(slot, facts);
    }

    fn add_rest(&mut self, slot: u32, facts: ProcessFacts) {
        for thread in &facts.threads {
            if self.tids.get(thread.tid) != super::NONE {
                continue;
            }
            let Some(index) = self.add_thread(slot, thread.tid, thread.start, thread.vtid) else {
                break;
            };
            if thread.credentials != facts.credentials {
                self.change_thread(index, |version| version.credentials = thread.credentials);
            }
        }
        for facts in facts.descriptors {
            self.add_descriptor(slot, facts);
        }
        self.retire_descriptors(self.number);
    }

    /// Learns which end of a connection a socket is.
    fn learn_role(&mut self, facts: &FdFacts) {
        if let Some(socket) = facts.socket
            && facts.role != Role::None
        {
            self.roles.set(socket.inode, facts.role);
            if socket.remote_port == 0 && socket.local_port != 0 {
                self.listening.insert(socket.local_port, ());
            }
        }
    }

    fn add_descriptor(&mut self, slot: u32, facts: FdFacts) {
        self.learn_role(&facts);
        if !self.keeps(i64::from(facts.fd)) {
            return;
        }
        let Some(process) = self.processes.get(slot) else {
            return;
        };
        let mut table = process.table;
        if self.descriptors.get(table, i64::from(facts.fd)) != FdIndex::NONE {
            return;
        }
        let Some((index, info)) = self.descriptors.fresh() else {
            return;
        };
        match facts.socket {
            Some(socket) => info.fill_pieces(
                &FdPieces {
                    socket: Some(socket),
                    unix_path: &facts.unix_path,
                    ..FdPieces::default()
                },
                facts.role,
            ),
            None => info.fill_path(facts.kind, &facts.name),
        }
        info.inode = facts.inode;
        info.device = facts.device;
        self.descriptors
            .put(&mut table, i64::from(facts.fd), index, facts.close_on_exec);
        if let Some(process) = self.processes.get_mut(slot) {
            process.table = table;
        }
    }

    /// Links a process to its parent, now that the parent may be known.
    fn adopt(&mut self, slot: u32) {
        let Some(process) = self.processes.get(slot) else {
            return;
        };
        let (latest, linked) = (process.latest, process.parent != super::NONE);
        let Some(version) = self.versions.get(latest.0) else {
            return;
        };
        let parent = self
            .live_process(version.ids.ppid)
            .filter(|parent| *parent != slot);
        if let Some(parent) = parent
            && !linked
        {
            let reference = self.reference(parent);
            if let Some(version) = self.versions.get_mut(latest.0) {
                version.parent = reference;
                version.row.clear();
            }
            self.link_child(parent, slot);
        }
    }
}

fn start_ns(start: Start) -> u64 {
    match start {
        Start::Exact(start) => start,
        Start::Ticks(ticks) => ticks.saturating_mul(TICK_NS),
    }
}
