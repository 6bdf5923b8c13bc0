//! What is remembered between events: processes and threads, descriptors and sockets, users,
//! containers.
//!
//! No I/O and no clock: time and number come with the event. What the state does not know it
//! puts into a queue of [`Lookup`]s for `enrich` to answer. What an event saw stays readable
//! ([`Seen`]) until [`State::release`] says that no event in flight is older. Everything has
//! a bound, and what goes beyond is counted in [`Counters`].

mod call;
mod captured;
mod change;
pub mod container;
mod copy;
pub mod descriptor;
pub mod facts;
mod lifecycle;
mod lineage;
pub mod note;
mod roles;
mod seed;
mod slab;
mod snapshot;
mod table;
pub mod users;
pub mod version;

use crate::event::{Clock, Event, Recorded};
pub use captured::Memory;
pub(crate) use captured::polled_descriptors;
use container::{ByPath, Cgroup, Containers, WatchedContainers};
use descriptor::{FdIndex, FdInfo, Role};
use facts::{Directory, Image, KeptImage};
pub use lineage::Lineage;
use note::{Note, Noted};
use roles::Roles;
use saker_capture::Machine;
use saker_ebpf::recipe::Wanted;
use saker_ebpf::record::{Kind, Tag};
use saker_rules_schema::event::Class;
use slab::{IdTable, NONE, Slab};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use table::{Descriptors, TableIndex};
use users::Users;
use version::{ProcessRef, ProcessVersion, Row, RowCache, VersionIndex};

/// Bounds of what is kept. All of it together takes some 500 MB at the most, with the room that
/// allocations take beside what they hold: a capture may say what it likes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Threads.
    pub threads_max: usize,
    /// Processes, those included that only events in flight refer to.
    pub processes_max: usize,
    /// Process versions.
    pub versions_max: usize,
    /// Descriptors of all processes.
    pub descriptors_max: usize,
    /// Descriptors of one process.
    pub descriptors_per_process_max: u32,
    /// Bytes of arguments, environments, paths of executables and current directories.
    pub image_bytes_max: usize,
    /// Bytes of names of descriptors, and of which process has which.
    pub descriptor_bytes_max: usize,
    /// Bytes of process rows.
    pub row_bytes_max: usize,
    /// Bytes of control groups of a capture.
    pub cgroup_bytes_max: usize,
    /// Sockets whose role is remembered, and control groups.
    pub entries_max: usize,
    /// Containers of which something is known.
    pub containers_max: usize,
    /// Bytes of what is known of them.
    pub container_bytes_max: usize,
    /// Lookups waiting to be taken.
    pub lookups_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            threads_max: 262_144,
            processes_max: 131_072,
            versions_max: 262_144,
            descriptors_max: 262_144,
            descriptors_per_process_max: 16_384,
            image_bytes_max: 96 << 20,
            descriptor_bytes_max: 64 << 20,
            row_bytes_max: 48 << 20,
            cgroup_bytes_max: 24 << 20,
            entries_max: 65_536,
            containers_max: 16_384,
            container_bytes_max: 24 << 20,
            lookups_max: 4_096,
        }
    }
}

/// What was met and what was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events applied.
    pub events: u64,
    /// Events of threads nobody had told of.
    pub unknown_threads: u64,
    /// Ids that no kernel gives out.
    pub bad_ids: u64,
    /// Processes forgotten to make room.
    pub processes_evicted: u64,
    /// Processes and threads not kept for want of room.
    pub processes_refused: u64,
    /// Versions changed in place for want of room: an event in flight may see a later state.
    pub versions_overwritten: u64,
    /// Descriptors not kept.
    pub descriptors_refused: u64,
    /// Images kept without arguments and environment.
    pub images_cut: u64,
    /// Current directories not kept.
    pub directories_refused: u64,
    /// Control groups not kept: their processes seem to be in none.
    pub cgroups_refused: u64,
    /// Addresses of a capture's machine not kept.
    pub interfaces_refused: u64,
    /// Users and groups not kept.
    pub names_refused: u64,
    /// Entries of a capture's beginning not kept, for want of room or sense.
    pub entries_refused: u64,
    /// Events of a capture of threads with ids that no kernel gives out.
    pub events_of_bad_ids: u64,
    /// Number of the first event of those, and of those of containers that cannot be read.
    pub first_unread: Option<u64>,
    /// Lookups not asked.
    pub lookups_dropped: u64,
    /// Answers about a process that is no longer that one.
    pub answers_rejected: u64,
    /// Containers forgotten to make room: fields of an event in flight may miss them.
    pub containers_evicted: u64,
    /// Containers not kept: without id, or for want of room.
    pub containers_refused: u64,
    /// Containers forgotten some time after their last process.
    pub containers_forgotten: u64,
    /// Containers that no engine was asked about, because too many were met at once.
    pub containers_unasked: u64,
    /// Containers of which nothing could be told, by [`container::Absence`].
    pub containers_absent: [u64; container::Absence::ALL.len()],
    /// Events of containers that cannot be read.
    pub containers_unreadable: u64,
    /// Times the memory of control groups was emptied.
    pub memory_emptied: u64,
}

/// The system calls that, when they succeed, change what the state says of a process, beside
/// exec, fork and exit, which are always recorded. All of them are rare.
pub fn calls() -> impl Iterator<Item = Wanted> {
    [
        libc::SYS_chdir,
        libc::SYS_fchdir,
        libc::SYS_chroot,
        libc::SYS_setsid,
        libc::SYS_setpgid,
        libc::SYS_setuid,
        libc::SYS_setgid,
        libc::SYS_setreuid,
        libc::SYS_setregid,
        libc::SYS_setresuid,
        libc::SYS_setresgid,
        libc::SYS_setfsuid,
        libc::SYS_setfsgid,
        libc::SYS_capset,
        libc::SYS_setns,
        libc::SYS_unshare,
    ]
    .into_iter()
    .map(|number| Wanted::success(number as u16))
}

const NO_MACHINE: Machine<'static> = Machine {
    cpus: 0,
    memory_bytes: 0,
    pid_max: 0,
    hostname: &[],
    boot_time: 0,
    flags: 0,
};

/// What is not known and should be asked of `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Process id.
    pub pid: u32,
    /// When it started, ns since boot; 0 where only the id is known.
    pub start_time: u64,
}

/// A process of which no event told that it began.
#[derive(Clone, Copy, Debug)]
pub struct Learnt {
    /// Number of the first event that saw it.
    pub number: u64,
    process: ProcessRef,
}

/// What an event saw. Valid, with the event's record, until the event's number is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The process.
    pub version: VersionIndex,
    /// The descriptor the event is about.
    pub fd: FdIndex,
    /// Descriptors 0, 1 and 2.
    pub standard: [FdIndex; 3],
    /// Thread id in its own pid namespace.
    pub vtid: u32,
    /// The container that an event of no process tells of, as a version that shows nothing else.
    pub told: VersionIndex,
    /// Which end of a connection the process is, where the record has a socket and the
    /// state no descriptor for it.
    pub role: Role,
}

impl Seen {
    /// Nothing.
    pub const NONE: Seen = Seen {
        version: VersionIndex::NONE,
        fd: FdIndex::NONE,
        standard: [FdIndex::NONE; 3],
        vtid: 0,
        told: VersionIndex::NONE,
        role: Role::None,
    };

    /// The version that process rows are of.
    #[inline]
    pub(crate) fn process_row(&self) -> VersionIndex {
        if self.version == VersionIndex::NONE {
            self.told
        } else {
            self.version
        }
    }
}

#[derive(Clone, Debug)]
struct Thread {
    tid: u32,
    start_time: u64,
    /// `start_time` is exact, not rounded down to a clock tick.
    is_exact: bool,
    process: u32,
    /// Its own version, where its credentials are not the process's.
    own: VersionIndex,
    vtid: u32,
    next: u32,
    previous: u32,
}

#[derive(Clone, Debug)]
struct Process {
    pid: u32,
    start_time: u64,
    is_exact: bool,
    latest: VersionIndex,
    /// Number of the first event that may see it.
    born: u64,
    /// Number of its last event; `u64::MAX` while it lives.
    ended: u64,
    /// The process that had this id before, while events in flight may refer to it.
    predecessor: ProcessRef,
    parent: u32,
    first_child: u32,
    next_sibling: u32,
    previous_sibling: u32,
    first_thread: u32,
    /// The thread whose id is the process's has ended before others.
    first_has_ended: bool,
    /// Threads with a version of their own.
    diverged: u32,
    table: TableIndex,
    asked: bool,
    used: bool,
}

impl Process {
    fn is_alive(&self) -> bool {
        self.ended == u64::MAX
    }
}

/// Something that is freed once no event up to a number is in flight.
#[derive(Clone, Copy, Debug)]
enum Retired {
    Version(VersionIndex),
    Process(ProcessRef),
    Fd(FdIndex),
}

type Map<K, V> = hashbrown::HashMap<K, V, foldhash::fast::RandomState>;

/// The state. See the module's description.
#[derive(Debug)]
pub struct State {
    limits: Limits,
    clock: Clock,
    number: u64,
    /// Time of that event, ns since the epoch; before the first, no time is later.
    time: u64,
    /// Number and time of the first event that is none of whoever recorded.
    first: Option<(u64, u64)>,
    /// Time of the last event of a capture.
    last_time: Option<u64>,
    threads: Slab<Thread>,
    tids: IdTable,
    processes: Slab<Process>,
    pids: IdTable,
    versions: Slab<ProcessVersion>,
    serial: u64,
    generation: u64,
    /// Changes with users and clock.
    names_generation: u64,
    descriptors: Descriptors,
    roles: Roles,
    listening: Map<u16, ()>,
    cgroups: Map<Box<[u8]>, Arc<Cgroup>>,
    containers: Containers,
    watched: WatchedContainers,
    by_path: ByPath,
    image_bytes: Arc<AtomicUsize>,
    row_bytes: Arc<AtomicUsize>,
    cgroup_bytes: Arc<AtomicUsize>,
    retired: VecDeque<(u64, Retired)>,
    /// Threads of a capture beside their versions.
    captured: captured::Threads,
    /// By event number, of events in flight.
    notes: VecDeque<Note>,
    noted: Noted,
    /// Thread and number of the descriptor that the last event of a capture closed.
    closing: Option<(u32, i64)>,
    /// Of the machine a capture was recorded on.
    interfaces: captured::Interfaces,
    unsettled: captured::Unsettled,
    lookups: Vec<Lookup>,
    /// Lookups that came up and were not answered yet.
    awaited: usize,
    /// Processes that nobody had told of, where somebody takes them.
    learnt: Option<Vec<Learnt>>,
    eviction_hand: u32,
    users: Users,
    hostname: Box<[u8]>,
    /// The machine the events are of, but for its name.
    machine: Machine<'static>,
    no_image: Arc<KeptImage>,
    no_cgroup: Arc<Cgroup>,
    root: Arc<Directory>,
    /// Whether descriptors beyond standard input, output and error are kept.
    all_descriptors: bool,
    /// Whether they are in Falco's order, whatever is noted.
    keeps_order: bool,
    /// What was met and what was lost.
    pub counters: Counters,
}

impl State {
    /// A state that knows nothing yet.
    pub fn new(limits: Limits, clock: Clock) -> State {
        let image_bytes = Arc::default();
        State {
            clock,
            number: 0,
            time: u64::MAX,
            first: None,
            last_time: None,
            threads: Slab::new(limits.threads_max),
            tids: IdTable::default(),
            processes: Slab::new(limits.processes_max),
            pids: IdTable::default(),
            versions: Slab::new(limits.versions_max),
            serial: 0,
            generation: 1,
            names_generation: 0,
            descriptors: Descriptors::new(
                limits.descriptors_max,
                limits.descriptor_bytes_max,
                limits.descriptors_per_process_max,
                limits.processes_max,
            ),
            roles: Roles::new(limits.entries_max),
            listening: Map::default(),
            cgroups: Map::default(),
            containers: Containers::new(limits.containers_max, limits.container_bytes_max),
            watched: WatchedContainers::default(),
            by_path: ByPath::default(),
            retired: VecDeque::new(),
            captured: captured::Threads::new(limits.processes_max),
            notes: VecDeque::new(),
            noted: Noted::ALL,
            closing: None,
            interfaces: captured::Interfaces::default(),
            unsettled: captured::Unsettled::default(),
            lookups: Vec::new(),
            awaited: 0,
            learnt: None,
            eviction_hand: 0,
            users: Users::default(),
            hostname: Box::default(),
            machine: NO_MACHINE,
            no_image: KeptImage::new(Image::default(), &image_bytes),
            image_bytes,
            row_bytes: Arc::default(),
            cgroup_bytes: Arc::default(),
            no_cgroup: Arc::default(),
            root: Arc::new(Directory::uncounted(b"/")),
            all_descriptors: true,
            keeps_order: false,
            counters: Counters::default(),
            limits,
        }
    }

    /// Forgets everything but its bounds, the clock, the host's name, what it is to keep
    /// and what it counted. No event in flight may refer to it any more. Serials go on: what was
    /// judged of a version is kept by them, and must not be taken for what is to be judged of
    /// another.
    fn restart(&mut self) {
        let counters = self.counters;
        let hostname = std::mem::take(&mut self.hostname);
        *self = State {
            hostname,
            counters,
            serial: self.serial,
            generation: self.generation + 1,
            names_generation: self.names_generation + 1,
            all_descriptors: self.all_descriptors,
            keeps_order: self.keeps_order,
            noted: self.noted,
            ..State::new(self.limits.clone(), self.clock)
        };
        self.descriptors.refused = counters.descriptors_refused;
    }

    /// Takes in an event. Events come in the order of their numbers; what the answer refers
    /// to is readable until that number is released.
    pub fn apply(&mut self, event: &Event<'_>) -> Seen {
        self.take_in(event, true)
    }

    /// Number and wall time (ns since the epoch) of the first event that has happened, rather
    /// than been told by whoever recorded.
    pub fn first_event(&self) -> Option<(u64, u64)> {
        self.first
    }

    /// Takes in an event of which nobody asks what it saw.
    pub fn absorb(&mut self, event: &Event<'_>) {
        self.take_in(event, false);
    }

    fn take_in(&mut self, event: &Event<'_>, wanted: bool) -> Seen {
        self.number = event.number();
        self.time = event.time();
        self.counters.events += 1;
        if self.first.is_none() && event.kind().is_some_and(|kind| kind.class() != Class::Meta) {
            self.first = Some((event.number(), event.time()));
        }
        let seen = match event {
            Event::Recorded(event) => match event.record.header.kind {
                Kind::Syscall => self.apply_call(event, wanted),
                Kind::Fork => self.apply_fork(event, wanted),
                Kind::Exec => self.apply_exec(event, wanted),
                Kind::Exit => self.apply_exit(event, wanted),
            },
            Event::Captured(event) => self.apply_captured(event, wanted),
        };
        if !self.descriptors.dropped.is_empty() {
            self.retire_descriptors(self.number);
        }
        seen
    }

    /// Whether to keep every descriptor, as it is from the start, or only standard input, output
    /// and error. A record that uses a descriptor says itself what it stands for; only `close`
    /// must be told, so that keeping them all is a third of the work of [`State::apply`] that
    /// most rules have no use for.
    pub fn keep_all_descriptors(&mut self, all: bool) {
        self.all_descriptors = all;
    }

    /// Has the descriptors of a capture's processes kept in Falco's order whatever is noted, for
    /// [`State::snapshot`] to write them so. Not for a state that knows any yet.
    pub fn keep_descriptor_order(&mut self) {
        self.keeps_order = true;
    }

    /// What is to be noted of events of captures from here on; everything, as it is from the
    /// start, is a tenth of the work of [`State::apply`].
    pub fn keep_notes(&mut self, noted: Noted) {
        self.noted = noted;
    }

    /// Whether a descriptor of that number is kept.
    #[inline]
    fn keeps(&self, fd: i64) -> bool {
        self.all_descriptors || (0..3).contains(&fd)
    }

    /// Frees what only events with numbers below `before` could refer to.
    pub fn release(&mut self, before: u64) {
        while self.notes.front().is_some_and(|note| note.number < before) {
            self.notes.pop_front();
        }
        self.containers.release(before);
        while let Some((last, _)) = self.retired.front()
            && *last < before
            && let Some((_, what)) = self.retired.pop_front()
        {
            match what {
                Retired::Version(index) => self.free_version(index),
                Retired::Process(process) => self.free_process(process),
                Retired::Fd(index) => self.descriptors.free(index),
            }
        }
    }

    /// What an event in flight saw that nothing else keeps.
    pub fn note(&self, number: u64) -> Option<&Note> {
        match self.notes.back() {
            Some(last) if last.number == number => Some(last),
            Some(_) => {
                let found = self.notes.binary_search_by_key(&number, |note| note.number);
                self.notes.get(found.ok()?)
            }
            None => None,
        }
    }

    /// Whether the answer to a lookup is to come still.
    pub fn is_awaiting(&self) -> bool {
        self.awaited > 0
    }

    /// Whether [`State::take_learnt`] is to have what is learnt from here on.
    pub fn keep_learnt(&mut self, keep: bool) {
        self.learnt = keep.then(Vec::new);
    }

    /// The processes since the last time of which more is to be known than events told: as they
    /// came up, and once more as answers to lookups told of them.
    pub fn take_learnt(&mut self) -> Vec<Learnt> {
        self.learnt.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Number of the last event.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The lookups that came up since the last time.
    pub fn take_lookups(&mut self) -> Vec<Lookup> {
        std::mem::take(&mut self.lookups)
    }

    /// A version, while it is readable.
    #[inline]
    pub fn version(&self, index: VersionIndex) -> Option<&ProcessVersion> {
        self.versions.get(index.0)
    }

    /// A descriptor, while it is readable.
    #[inline]
    pub fn descriptor(&self, index: FdIndex) -> Option<&FdInfo> {
        self.descriptors.info(index)
    }

    /// Whether an address is one of the machine's on which a capture was recorded.
    pub fn has_address(&self, kind: descriptor::FdKind, ip: &[u8; 16]) -> bool {
        self.interfaces.has(kind, ip)
    }

    /// Users and groups.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Replaces users and groups.
    pub fn set_users(&mut self, users: Users) {
        self.users = users;
        self.generation += 1;
        self.names_generation += 1;
    }

    /// Name of the host.
    pub fn hostname(&self) -> &[u8] {
        &self.hostname
    }

    /// Sets the name of the host.
    pub fn set_hostname(&mut self, name: &[u8]) {
        self.hostname = name.into();
    }

    /// Says of which machine the events are, but for its name.
    pub fn set_machine(&mut self, machine: &Machine<'_>) {
        self.machine = Machine {
            hostname: &[],
            ..*machine
        };
    }

    /// What turns time since boot into wall time.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Sets it, for instance after the wall clock was set.
    pub fn set_clock(&mut self, clock: Clock) {
        if self.clock != clock {
            self.clock = clock;
            self.generation += 1;
            self.names_generation += 1;
        }
    }

    /// Changes with everything that a process row may show.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The process row kept for a version.
    pub fn row(&self, index: VersionIndex) -> Option<&RowCache> {
        self.version(index)?.row.get()
    }

    /// Keeps a process row for a version. Where all rows are too much, the others are made anew
    /// when they are needed again.
    pub fn set_row(&mut self, index: VersionIndex, row: RowCache) {
        let kept = self.row_bytes.load(Ordering::Relaxed);
        if kept + row.bytes.len() > self.limits.row_bytes_max {
            for version in self.versions.iter_mut() {
                version.row.clear();
            }
        }
        if let Some(version) = self.versions.get_mut(index.0) {
            version.row = Row::new(row, &self.row_bytes);
        }
    }

    /// Says that a version's row was found true again.
    pub fn confirm_row(&mut self, index: VersionIndex, generation: u64) {
        if let Some(row) = self.versions.get_mut(index.0).and_then(|v| v.row.get_mut()) {
            row.generation = generation;
        }
    }

    /// How much is kept: threads, processes, versions, descriptors, images' bytes.
    pub fn sizes(&self) -> [usize; 5] {
        [
            self.threads.len(),
            self.processes.len(),
            self.versions.len(),
            self.descriptors.len(),
            self.image_bytes.load(Ordering::Relaxed),
        ]
    }

    /// How many things wait for their last event to be released.
    pub fn retired(&self) -> usize {
        self.retired.len()
    }

    /// What the event of that thread and process sees.
    fn seen(&mut self, thread: u32, event: &Recorded<'_>, wanted: bool) -> Seen {
        let Some(thread) = self.threads.get(thread) else {
            return Seen::NONE;
        };
        let Some(process) = self.processes.get_mut(thread.process) else {
            return Seen::NONE;
        };
        process.used = true;
        if !wanted {
            return Seen::NONE;
        }
        let version = if thread.own == VersionIndex::NONE {
            process.latest
        } else {
            thread.own
        };
        let fd = match event.descriptor() {
            Some(fd) if (0..3).contains(&fd) || fd >= 0 && self.all_descriptors => {
                self.descriptors.get(process.table, fd)
            }
            Some(_) | None => FdIndex::NONE,
        };
        let role = if fd == FdIndex::NONE && event.has(Tag::Socket) {
            let inode = event.socket().map_or(0, |socket| socket.inode);
            self.roles.get(inode).unwrap_or_default()
        } else {
            Role::None
        };
        Seen {
            version,
            fd,
            standard: self.descriptors.standard(process.table),
            vtid: thread.vtid,
            told: VersionIndex::NONE,
            role,
        }
    }

    fn retire_descriptors(&mut self, last: u64) {
        // The list keeps its room: this is on the path of every open and close.
        while let Some(index) = self.descriptors.dropped.pop() {
            self.retired.push_back((last, Retired::Fd(index)));
        }
        self.counters.descriptors_refused = self.descriptors.refused;
    }

    fn ask(&mut self, slot: u32) {
        let Some(process) = self.processes.get_mut(slot) else {
            return;
        };
        if process.asked {
            return;
        }
        process.asked = true;
        let lookup = Lookup {
            pid: process.pid,
            start_time: process.start_time,
        };
        self.push_lookup(lookup);
        // What the event says of it is all there is if it ends before it is looked at.
        self.learn(slot);
    }

    fn learn(&mut self, slot: u32) {
        let process = self.reference(slot);
        if let Some(learnt) = &mut self.learnt
            && let Some(met) = self.processes.get(slot)
            && learnt.len() < self.limits.lookups_max
        {
            let number = met.born;
            learnt.push(Learnt { number, process });
        }
    }

    fn push_lookup(&mut self, lookup: Lookup) {
        if self.lookups.len() < self.limits.lookups_max {
            self.lookups.push(lookup);
            self.awaited += 1;
        } else {
            self.counters.lookups_dropped += 1;
        }
    }

    /// The shared form of control groups given as components.
    fn cgroup(&mut self, unified: &[u8], first_v1: &[u8], ids: &[u64]) -> Arc<Cgroup> {
        let key = cgroup_key(unified, first_v1, ids);
        if let Some(cgroup) = self.cgroups.get(&*key) {
            let cgroup = cgroup.clone();
            self.meet_cgroup(&cgroup);
            return cgroup;
        }
        let cgroup = Arc::new(Cgroup::from_components(
            unified,
            first_v1,
            ids,
            &self.by_path,
        ));
        self.keep_cgroup(key, &cgroup);
        cgroup
    }

    /// The shared form of control groups that `/proc` told of.
    fn shared_cgroup(&mut self, cgroup: &Arc<Cgroup>) -> Arc<Cgroup> {
        let key = cgroup_key(&cgroup.unified, &cgroup.first_v1, cgroup.ids());
        if let Some(kept) = self.cgroups.get(&*key).filter(|kept| ***kept == **cgroup) {
            let kept = kept.clone();
            self.meet_cgroup(&kept);
            return kept;
        }
        // Whoever read it knows no namespaces.
        let (unified, first_v1) = (&cgroup.unified, &cgroup.first_v1);
        let named = Cgroup::from_components(unified, first_v1, cgroup.ids(), &self.by_path);
        let cgroup = match cgroup.claims().is_empty() && !named.claims().is_empty() {
            true => Arc::new(named),
            false => cgroup.clone(),
        };
        self.keep_cgroup(key, &cgroup);
        cgroup
    }

    fn keep_cgroup(&mut self, key: Vec<u8>, cgroup: &Arc<Cgroup>) {
        if self.cgroups.len() >= self.limits.entries_max {
            self.cgroups.clear();
            self.counters.memory_emptied += 1;
        }
        self.cgroups.insert(key.into(), cgroup.clone());
        self.meet_cgroup(cgroup);
    }
}

/// The group's own number tells which ones it lies in.
fn cgroup_key(unified: &[u8], first_v1: &[u8], ids: &[u64]) -> Vec<u8> {
    let id = ids.first().copied().unwrap_or(0);
    let mut key = Vec::with_capacity(unified.len() + first_v1.len() + 9);
    key.extend_from_slice(unified);
    // A component is never empty, so that this cannot be one's end.
    key.push(0);
    key.extend_from_slice(first_v1);
    key.extend_from_slice(&id.to_le_bytes());
    key
}

#[cfg(test)]
mod tests;
