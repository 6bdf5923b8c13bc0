//! Birth, exec and death of processes and threads, and the making of versions.

use super::facts::{Directory, Image, KeptImage, Start, TICK_NS};
use super::slab::{IdTable, NONE};
use super::table::TableIndex;
use super::version::{
    Comm, Credentials, Entrance, Ids, KNOWS_CGROUP, KNOWS_COMM, KNOWS_CREDENTIALS, KNOWS_CWD,
    KNOWS_IDS, KNOWS_IMAGE, ProcessRef, ProcessVersion, Row, VersionIndex,
};
use super::{Process, Retired, Seen, State, Thread};
use crate::event::Recorded;
use crate::event::path::{self, Base};
use saker_ebpf::record::{self, File, Tag};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The kernel knows no longer path.
const PATH_BYTES_MAX: usize = 4096;
/// No process is looked at longer than this for one to forget.
const EVICTION_STEPS: usize = 64;

impl State {
    /// The thread an event is of, made known if it was not.
    pub(super) fn thread_of(&mut self, event: &Recorded<'_>) -> Option<u32> {
        let header = &event.record.header;
        if let Some(thread) = self.find_thread(header.tid, header.start_time) {
            return Some(thread);
        }
        self.meet_thread(event)
    }

    /// The thread of that id that started then.
    #[inline]
    pub(super) fn find_thread(&mut self, tid: u32, start_time: u64) -> Option<u32> {
        let index = self.tids.get(tid);
        let thread = self.threads.get_mut(index)?;
        if thread.start_time == start_time {
            return Some(index);
        }
        if thread.is_exact || thread.start_time / TICK_NS != start_time / TICK_NS {
            return None;
        }
        // `/proc` told the start to 10 ms; the kernel now tells the rest.
        thread.start_time = start_time;
        thread.is_exact = true;
        let (process, is_first) = (thread.process, thread.tid);
        if let Some(process) = self.processes.get_mut(process)
            && process.pid == is_first
        {
            process.start_time = start_time;
            process.is_exact = true;
            let latest = process.latest;
            if let Some(version) = self.versions.get_mut(latest.0) {
                version.start_time = start_time;
                version.row.clear();
            }
        }
        Some(index)
    }

    /// Makes a thread known of which no fork told.
    fn meet_thread(&mut self, event: &Recorded<'_>) -> Option<u32> {
        let header = &event.record.header;
        if !IdTable::holds(header.tid) || !IdTable::holds(header.tgid) {
            self.counters.bad_ids += 1;
            return None;
        }
        self.counters.unknown_threads += 1;
        let facts = event.process();
        if header.tid != header.tgid {
            let slot = match self.live_process(header.tgid) {
                Some(slot) => slot,
                None => {
                    let start = facts.map_or(0, |facts| facts.leader_start_time);
                    self.meet_process(header.tgid, start, event)?
                }
            };
            let vtid = facts.map_or(header.tid, |facts| facts.vtid);
            return self.add_thread(slot, header.tid, Start::Exact(header.start_time), vtid);
        }
        // The first thread may have ended before the process: then only it is missing.
        let slot = match self.live_process(header.tgid) {
            Some(slot) if self.started_then(slot, header.start_time) => slot,
            Some(_) | None => self.meet_process(header.tgid, header.start_time, event)?,
        };
        let vtid = facts.map_or(header.tid, |facts| facts.vtid);
        self.add_thread(slot, header.tid, Start::Exact(header.start_time), vtid)
    }

    fn started_then(&self, slot: u32, start_time: u64) -> bool {
        self.processes.get(slot).is_some_and(|process| {
            process.start_time == start_time
                || !process.is_exact && process.start_time == 0
                || !process.is_exact && process.start_time / TICK_NS == start_time / TICK_NS
        })
    }

    fn meet_process(&mut self, pid: u32, start_time: u64, event: &Recorded<'_>) -> Option<u32> {
        let mut version = self.blank(pid, start_time, event.number);
        if let Some(facts) = event.process() {
            version.ids = Ids::of(&facts);
            version.credentials = Credentials::of(&facts);
            version.known |= KNOWS_IDS | KNOWS_CREDENTIALS;
        }
        if let Some(comm) = event.bytes(Tag::Comm) {
            version.comm = Comm::new(comm);
            version.known |= KNOWS_COMM;
        }
        if event.has(Tag::Cgroup) || event.has(Tag::CgroupV1) {
            version.cgroup = self.cgroup_of(event);
            version.known |= KNOWS_CGROUP;
        }
        let start = if start_time == 0 {
            Start::Ticks(0)
        } else {
            Start::Exact(start_time)
        };
        let slot = self.add_process(version, start, TableIndex::NONE)?;
        self.generation += 1;
        self.ask(slot);
        Some(slot)
    }

    /// A version of which nothing is known but the id.
    pub(super) fn blank(&mut self, pid: u32, start_time: u64, number: u64) -> ProcessVersion {
        ProcessVersion {
            valid_from: number,
            serial: 0,
            pid,
            start_time,
            comm: Comm::default(),
            image: self.no_image.clone(),
            cwd: self.root.clone(),
            ids: Ids {
                vpid: pid,
                loginuid: u32::MAX,
                ..Ids::default()
            },
            credentials: Credentials::default(),
            cgroup: self.no_cgroup.clone(),
            vm_size: 0,
            vm_rss: 0,
            known: 0,
            has_container: false,
            has_executed: false,
            told: None,
            entrance: Entrance::Unknown,
            parent: ProcessRef::NONE,
            process: ProcessRef::NONE,
            older: VersionIndex::NONE,
            newer: VersionIndex::NONE,
            row: Row::default(),
        }
    }

    pub(super) fn cgroup_of(&mut self, event: &Recorded<'_>) -> Arc<super::Cgroup> {
        let ids: Vec<u64> = event.cgroup_ids().collect();
        let unified = event.bytes(Tag::Cgroup).unwrap_or_default();
        let first_v1 = event.bytes(Tag::CgroupV1).unwrap_or_default();
        self.cgroup(unified, first_v1, &ids)
    }

    /// Adds a process whose first version is this; one that had the id before ends here.
    pub(super) fn add_process(
        &mut self,
        version: ProcessVersion,
        start: Start,
        table: TableIndex,
    ) -> Option<u32> {
        self.add_keyed_process(version.pid, version, start, table)
    }

    /// The same under another id than the process's.
    pub(super) fn add_keyed_process(
        &mut self,
        pid: u32,
        mut version: ProcessVersion,
        start: Start,
        table: TableIndex,
    ) -> Option<u32> {
        if let Some(old) = self.live_process(pid) {
            // Its end was missed; the event at hand is not its own any more.
            self.end_process(old, version.valid_from.saturating_sub(1), 0);
        }
        if self.processes.is_nearly_full() || self.versions.is_nearly_full() {
            // While a capture lists what was there at its beginning nothing becomes free: the
            // first ones are kept, and room for those that events tell of.
            if version.is_captured() && !self.captured.is_linked {
                self.counters.processes_refused += 1;
                self.descriptors.abandon(table);
                return None;
            }
            self.evict();
        }
        let predecessor = self.reference(self.pids.get(pid));
        let (start_time, is_exact) = match start {
            Start::Exact(start_time) => (start_time, true),
            Start::Ticks(ticks) => (ticks.saturating_mul(TICK_NS), false),
        };
        version.start_time = start_time;
        let process = Process {
            pid,
            start_time,
            is_exact,
            latest: VersionIndex::NONE,
            born: version.valid_from,
            ended: u64::MAX,
            predecessor,
            parent: NONE,
            first_child: NONE,
            next_sibling: NONE,
            previous_sibling: NONE,
            first_thread: NONE,
            first_has_ended: false,
            diverged: 0,
            table,
            asked: false,
            used: true,
        };
        let parent_pid = version.ids.ppid;
        let Some(slot) = self.processes.insert(process) else {
            self.counters.processes_refused += 1;
            self.descriptors.abandon(table);
            return None;
        };
        self.pids.set(pid, slot);
        version.process = self.reference(slot);
        let parent = self
            .live_process(parent_pid)
            .filter(|parent| *parent != slot);
        version.parent = parent.map_or(ProcessRef::NONE, |parent| self.reference(parent));
        self.serial += 1;
        version.serial = self.serial;
        match self.versions.insert(version) {
            Some(index) => {
                let process = self.processes.get_mut(slot)?;
                process.latest = VersionIndex(index);
            }
            None => {
                self.counters.processes_refused += 1;
                self.pids.set(pid, NONE);
                self.processes.remove(slot);
                self.descriptors.abandon(table);
                return None;
            }
        }
        if let Some(parent) = parent {
            self.link_child(parent, slot);
        }
        Some(slot)
    }

    pub(super) fn reference(&self, slot: u32) -> ProcessRef {
        if slot == NONE {
            return ProcessRef::NONE;
        }
        ProcessRef {
            slot,
            generation: self.processes.generation(slot),
        }
    }

    pub(super) fn link_child(&mut self, parent: u32, child: u32) {
        let Some(first) = self.processes.get(parent).map(|parent| parent.first_child) else {
            return;
        };
        if let Some(next) = self.processes.get_mut(first) {
            next.previous_sibling = child;
        }
        if let Some(process) = self.processes.get_mut(child) {
            process.parent = parent;
            process.next_sibling = first;
            process.previous_sibling = NONE;
        }
        if let Some(parent) = self.processes.get_mut(parent) {
            parent.first_child = child;
        }
    }

    pub(super) fn unlink_child(&mut self, child: u32) {
        let Some(process) = self.processes.get_mut(child) else {
            return;
        };
        let (parent, next, previous) = (
            process.parent,
            process.next_sibling,
            process.previous_sibling,
        );
        process.parent = NONE;
        process.next_sibling = NONE;
        process.previous_sibling = NONE;
        if let Some(next) = self.processes.get_mut(next) {
            next.previous_sibling = previous;
        }
        if let Some(previous) = self.processes.get_mut(previous) {
            previous.next_sibling = next;
        } else if let Some(parent) = self.processes.get_mut(parent)
            && parent.first_child == child
        {
            parent.first_child = next;
        }
    }

    /// Adds a thread to a process; one that had the id before ends here.
    pub(super) fn add_thread(
        &mut self,
        slot: u32,
        tid: u32,
        start: Start,
        vtid: u32,
    ) -> Option<u32> {
        if !IdTable::holds(tid) {
            self.counters.bad_ids += 1;
            return None;
        }
        let old = self.tids.get(tid);
        if old != NONE {
            self.remove_thread(old);
        }
        if self.threads.is_nearly_full() {
            self.evict();
        }
        let (start_time, is_exact) = match start {
            Start::Exact(start_time) => (start_time, true),
            Start::Ticks(ticks) => (ticks.saturating_mul(TICK_NS), false),
        };
        let first = self.processes.get(slot)?.first_thread;
        let Some(index) = self.threads.insert(Thread {
            tid,
            start_time,
            is_exact,
            process: slot,
            own: VersionIndex::NONE,
            vtid,
            next: first,
            previous: NONE,
        }) else {
            self.counters.processes_refused += 1;
            return None;
        };
        if let Some(next) = self.threads.get_mut(first) {
            next.previous = index;
        }
        if let Some(process) = self.processes.get_mut(slot) {
            process.first_thread = index;
            process.first_has_ended &= process.pid != tid;
        }
        self.tids.set(tid, index);
        Some(index)
    }

    pub(super) fn remove_thread(&mut self, index: u32) {
        let Some(thread) = self.threads.remove(index) else {
            return;
        };
        if self.tids.get(thread.tid) == index {
            self.tids.set(thread.tid, NONE);
        }
        if let Some(next) = self.threads.get_mut(thread.next) {
            next.previous = thread.previous;
        }
        if let Some(previous) = self.threads.get_mut(thread.previous) {
            previous.next = thread.next;
        } else if let Some(process) = self.processes.get_mut(thread.process)
            && process.first_thread == index
        {
            process.first_thread = thread.next;
        }
        if thread.own != VersionIndex::NONE {
            self.retired
                .push_back((self.number, Retired::Version(thread.own)));
            if let Some(process) = self.processes.get_mut(thread.process) {
                process.diverged = process.diverged.saturating_sub(1);
            }
        }
    }

    pub(super) fn free_process(&mut self, reference: ProcessRef) {
        if self.reference(reference.slot) != reference {
            return;
        }
        let Some(process) = self.processes.remove(reference.slot) else {
            return;
        };
        self.free_version(process.latest);
        if self.pids.get(process.pid) == reference.slot {
            let before = process.predecessor;
            let held =
                self.processes.get(before.slot).is_some() && self.reference(before.slot) == before;
            self.pids
                .set(process.pid, if held { before.slot } else { NONE });
        }
    }

    /// Takes a process out of the living; events up to `last` still see it.
    pub(super) fn end_process(&mut self, slot: u32, last: u64, reaper: u32) {
        let Some(process) = self.processes.get_mut(slot) else {
            return;
        };
        if !process.is_alive() {
            return;
        }
        process.ended = last;
        let (parent, table) = (process.parent, process.table);
        process.table = TableIndex::NONE;
        self.captured.withdraw(slot);
        self.note_change(slot);
        self.descriptors.abandon(table);
        let heir = self.heir(slot, parent, reaper);
        let (heir_pid, heir_ref) = match heir {
            Some(heir) => (
                self.processes.get(heir).map_or(1, |process| process.pid),
                self.reference(heir),
            ),
            None => (1, ProcessRef::NONE),
        };
        while let Some(process) = self.processes.get(slot)
            && process.first_child != NONE
        {
            let child = process.first_child;
            self.unlink_child(child);
            self.change(child, |version| {
                version.ids.ppid = heir_pid;
                version.parent = heir_ref;
            });
            if let Some(heir) = heir {
                self.link_child(heir, child);
            }
        }
        self.unlink_child(slot);
        while let Some(process) = self.processes.get(slot)
            && process.first_thread != NONE
        {
            let thread = process.first_thread;
            self.remove_thread(thread);
        }
        let reference = self.reference(slot);
        self.retired.push_back((last, Retired::Process(reference)));
    }

    /// Who inherits a process's children: whom the kernel named, else the nearest known
    /// ancestor, else the first process.
    fn heir(&self, slot: u32, parent: u32, reaper: u32) -> Option<u32> {
        let named = match self.threads.get(self.tids.get(reaper)) {
            Some(thread) if reaper != 0 => Some(thread.process),
            Some(_) | None => self.live_process(reaper),
        };
        let living = |slot: u32| self.processes.get(slot).is_some_and(Process::is_alive);
        named
            .or(Some(parent))
            .filter(|heir| *heir != slot && living(*heir))
            .or_else(|| self.live_process(1))
            .filter(|heir| *heir != slot)
    }

    /// Forgets a process nobody has heard of for long. Its places are free once no event in
    /// flight refers to them, which is why this is done before the last one is taken.
    fn evict(&mut self) {
        let places = self.processes.places();
        let mut fallback = None;
        for _ in 0..EVICTION_STEPS.min(places as usize) {
            self.eviction_hand = (self.eviction_hand + 1) % places;
            let slot = self.eviction_hand;
            let Some(process) = self.processes.get_mut(slot) else {
                continue;
            };
            if !process.is_alive() || process.pid == 1 {
                continue;
            }
            if !process.used && process.first_child == NONE {
                fallback = Some(slot);
                break;
            }
            process.used = false;
            fallback = fallback.or(Some(slot));
        }
        if let Some(slot) = fallback {
            self.counters.processes_evicted += 1;
            self.end_process(slot, self.number, 0);
        }
    }

    pub(super) fn apply_fork(&mut self, event: &Recorded<'_>, wanted: bool) -> Seen {
        let header = event.record.header;
        if !IdTable::holds(header.tid) || !IdTable::holds(header.tgid) {
            self.counters.bad_ids += 1;
            return Seen::NONE;
        }
        let facts = event.process();
        let start = Start::Exact(header.start_time);
        let vtid = facts.map_or(header.tid, |facts| facts.vtid);
        let creator = self.find_thread(header.args[0] as u32, header.args[1]);
        if header.tid != header.tgid {
            let slot = match self.live_process(header.tgid) {
                Some(slot) => Some(slot),
                None => {
                    let start = facts.map_or(0, |facts| facts.leader_start_time);
                    self.meet_process(header.tgid, start, event)
                }
            };
            let Some(thread) = slot.and_then(|slot| self.add_thread(slot, header.tid, start, vtid))
            else {
                return Seen::NONE;
            };
            // Credentials that only the creating thread has are inherited.
            let own = creator
                .and_then(|creator| self.threads.get(creator))
                .map(|creator| creator.own)
                .and_then(|own| self.versions.get(own.0))
                .map(|version| version.credentials);
            if let Some(credentials) = own {
                self.change_thread(thread, |version| version.credentials = credentials);
            }
            return self.seen(thread, event, wanted);
        }
        let creator_process = creator
            .and_then(|creator| self.threads.get(creator))
            .map(|thread| (thread.process, thread.own));
        let base = creator_process.and_then(|(slot, own)| {
            let latest = self.processes.get(slot)?.latest;
            let index = if own == VersionIndex::NONE {
                latest
            } else {
                own
            };
            Some((self.versions.get(index.0)?.clone(), slot))
        });
        let known = base.is_some();
        let (mut version, table) = match base {
            Some((version, slot)) => {
                let table = self
                    .processes
                    .get(slot)
                    .map_or(TableIndex::NONE, |process| process.table);
                (version, self.descriptors.share(table))
            }
            None => (
                self.blank(header.tid, header.start_time, event.number),
                TableIndex::NONE,
            ),
        };
        version.pid = header.tid;
        version.valid_from = event.number;
        version.older = VersionIndex::NONE;
        version.newer = VersionIndex::NONE;
        version.row.clear();
        match facts {
            Some(facts) => {
                version.ids = Ids::of(&facts);
                version.credentials = Credentials::of(&facts);
                version.vm_size = facts.vm_size;
                version.vm_rss = facts.vm_rss;
                version.known |= KNOWS_IDS | KNOWS_CREDENTIALS;
            }
            None => {
                let creator = creator_process.and_then(|(slot, _)| self.processes.get(slot));
                version.ids.ppid = creator.map_or(0, |creator| creator.pid);
                version.ids.vpid = vtid;
            }
        }
        if let Some(comm) = event.bytes(Tag::Comm) {
            version.comm = Comm::new(comm);
            version.known |= KNOWS_COMM;
        }
        if event.has(Tag::Cgroup) || event.has(Tag::CgroupV1) {
            version.cgroup = self.cgroup_unless_same(event, &version);
            version.known |= KNOWS_CGROUP;
        }
        let Some(slot) = self.add_process(version, start, table) else {
            return Seen::NONE;
        };
        if !known {
            self.counters.unknown_threads += 1;
            self.ask(slot);
        }
        match self.add_thread(slot, header.tid, start, vtid) {
            Some(thread) => self.seen(thread, event, wanted),
            None => Seen::NONE,
        }
    }

    fn cgroup_unless_same(
        &mut self,
        event: &Recorded<'_>,
        version: &ProcessVersion,
    ) -> Arc<super::Cgroup> {
        let id = event.cgroup_ids().next();
        let same = id.is_none_or(|id| version.cgroup.id() == id)
            && *version.cgroup.unified == *event.bytes(Tag::Cgroup).unwrap_or_default()
            && *version.cgroup.first_v1 == *event.bytes(Tag::CgroupV1).unwrap_or_default();
        if same {
            version.cgroup.clone()
        } else {
            self.cgroup_of(event)
        }
    }

    pub(super) fn apply_exec(&mut self, event: &Recorded<'_>, wanted: bool) -> Seen {
        let Some(thread) = self.thread_of(event) else {
            return Seen::NONE;
        };
        let Some(slot) = self.threads.get(thread).map(|thread| thread.process) else {
            return Seen::NONE;
        };
        // Exec leaves one thread, with the process's id, whichever of them called it.
        while let Some(first) = self.processes.get(slot).map(|process| process.first_thread)
            && let Some(other) = self.threads.get(first)
        {
            let other = if first == thread { other.next } else { first };
            if other == NONE {
                break;
            }
            self.remove_thread(other);
        }
        if let Some(thread) = self.threads.get(thread)
            && thread.own != VersionIndex::NONE
        {
            let own = thread.own;
            self.retired
                .push_back((header_last(event.number), Retired::Version(own)));
        }
        if let Some(thread) = self.threads.get_mut(thread) {
            thread.own = VersionIndex::NONE;
        }
        let facts = event.process();
        let image = self.image_of(event);
        let image = KeptImage::new(image, &self.image_bytes);
        let cwd = event.path(Tag::Cwd).map(absolute);
        let cwd = cwd.map(|cwd| self.directory(&cwd));
        let cgroup = (event.has(Tag::Cgroup) || event.has(Tag::CgroupV1)).then(|| {
            let latest = self.processes.get(slot).map(|process| process.latest);
            match latest
                .and_then(|latest| self.versions.get(latest.0))
                .cloned()
            {
                Some(version) => self.cgroup_unless_same(event, &version),
                None => self.cgroup_of(event),
            }
        });
        let comm = event.bytes(Tag::Comm).map(Comm::new);
        let parent = facts.and_then(|facts| self.live_process(facts.parent_tgid));
        let parent = parent.map_or(ProcessRef::NONE, |parent| self.reference(parent));
        // Of one whose birth was not seen, its parent tells where it comes from.
        let parents = self.processes.get(parent.slot).map(|parent| parent.latest);
        let parents = parents.and_then(|latest| self.versions.get(latest.0));
        let inherited = parents.map(|parent| (parent.cgroup.clone(), parent.entrance.clone()));
        self.change(slot, |version| {
            version.image = image.clone();
            version.known |= KNOWS_IMAGE;
            if let Some(comm) = comm {
                version.comm = comm;
                version.known |= KNOWS_COMM;
            }
            if let Some(cwd) = &cwd {
                version.cwd = cwd.clone();
                version.known |= KNOWS_CWD;
            }
            if let Some(cgroup) = &cgroup {
                version.cgroup = cgroup.clone();
                version.known |= KNOWS_CGROUP;
            }
            if let Some(facts) = &facts {
                if version.ids.ppid != facts.parent_tgid {
                    version.parent = parent;
                }
                version.ids = Ids::of(facts);
                version.credentials = Credentials::of(facts);
                version.vm_size = facts.vm_size;
                version.vm_rss = facts.vm_rss;
                version.known |= KNOWS_IDS | KNOWS_CREDENTIALS;
            }
            version.enter_container(&image, inherited.as_ref());
        });
        if let Some(process) = self.processes.get_mut(slot) {
            process.diverged = 0;
            let mut table = process.table;
            self.descriptors.close_on_exec(&mut table);
            if let Some(process) = self.processes.get_mut(slot) {
                process.table = table;
            }
        }
        if event.has(Tag::Descriptor) {
            self.take_standard(slot, event);
        }
        self.seen(thread, event, wanted)
    }

    fn image_of(&mut self, event: &Recorded<'_>) -> Image {
        let file = event
            .bytes(Tag::Exe)
            .and_then(File::read)
            .unwrap_or_default();
        let mut exe_path = Vec::new();
        if file.flags & record::FILE_MEMFD != 0 {
            let components = event.bytes(Tag::ExePath).unwrap_or_default();
            exe_path.extend_from_slice(path::leaf(components));
        } else if let Some(path) = event.path(Tag::ExePath) {
            path.write(&mut exe_path);
        }
        let mut image = Image {
            arguments: event.bytes(Tag::Args).unwrap_or_default().into(),
            environment: event.bytes(Tag::Env).unwrap_or_default().into(),
            exe_path: exe_path.into(),
            filename: event.text(Tag::Filename).unwrap_or_default().into(),
            file,
            is_writable: event
                .process()
                .is_some_and(|facts| facts.flags & record::PROCESS_EXE_WRITABLE != 0),
            is_cut: event.is_cut(Tag::Args) || event.is_cut(Tag::Env),
            started_after_change_ns: 0,
        };
        self.bound(&mut image);
        image
    }

    /// A directory to be kept; the empty one where there is no room for it.
    pub(super) fn directory(&mut self, path: &[u8]) -> Arc<Directory> {
        let kept = self.image_bytes.load(Ordering::Relaxed);
        let is_too_much = kept + path.len() > self.limits.image_bytes_max;
        if path.len() > PATH_BYTES_MAX || is_too_much {
            self.counters.directories_refused += 1;
            return Arc::default();
        }
        Directory::new(path, &self.image_bytes)
    }

    /// Cuts an image's strings when those of all images have reached their bound.
    pub(super) fn bound(&mut self, image: &mut Image) {
        const KEPT: usize = 256;
        if self.image_bytes.load(Ordering::Relaxed) + image.bytes() <= self.limits.image_bytes_max {
            return;
        }
        self.counters.images_cut += 1;
        image.is_cut = true;
        image.environment = Box::default();
        for text in [
            &mut image.arguments,
            &mut image.exe_path,
            &mut image.filename,
        ] {
            if text.len() > KEPT {
                *text = text[..KEPT].into();
            }
        }
    }

    pub(super) fn apply_exit(&mut self, event: &Recorded<'_>, wanted: bool) -> Seen {
        let header = event.record.header;
        let Some(thread) = self.thread_of(event) else {
            return Seen::NONE;
        };
        let seen = self.seen(thread, event, wanted);
        let Some(slot) = self.threads.get(thread).map(|thread| thread.process) else {
            return seen;
        };
        if header.args[1] != 0 {
            self.end_process(slot, event.number, header.args[2] as u32);
        } else {
            self.remove_thread(thread);
            if let Some(process) = self.processes.get_mut(slot) {
                process.first_has_ended |= process.pid == header.tid;
            }
        }
        seen
    }
}

/// Number of the last event that may refer to what this event replaces.
fn header_last(number: u64) -> u64 {
    number.saturating_sub(1)
}

/// A directory's path as the state keeps it.
pub(super) fn absolute(directory: Base<'_>) -> Arc<[u8]> {
    let mut out = Vec::new();
    directory.write(&mut out);
    out.into()
}
