//! What captured events do to the threads they are of: ids, credentials, directories, limits,
//! memory.

use super::flags;
use super::threads::Memory;
use crate::event::Captured;
use crate::event::path::{Base, join};
use crate::state::State;
use crate::state::version::ProcessVersion;
use saker_rules_schema::event::EventType;

/// Falco's number of the limit on open files.
const RLIMIT_NOFILE: u64 = 7;
/// Falco's numbers of `PR_SET_CHILD_SUBREAPER` and `PR_GET_CHILD_SUBREAPER`, which are Linux's.
const SUBREAPER: [u64; 2] = [36, 37];
/// Every capability that Falco knows.
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

impl State {
    /// Applies an event to the thread in that place and its relatives.
    pub(super) fn apply_lifecycle(&mut self, slot: u32, event: &Captured<'_>) {
        let result = event.result();
        let succeeded = result.is_none_or(|result| result >= 0);
        let is_zero = result == Some(0);
        match event.kind {
            EventType::Execve | EventType::Execveat if succeeded => {
                self.apply_exec_captured(slot, event)
            }
            EventType::Procexit => self.apply_exit_captured(slot, event),
            EventType::Chdir if succeeded => self.enter(slot, event.text(1).unwrap_or_default()),
            EventType::Getcwd if succeeded => self.enter(slot, event.text(1).unwrap_or_default()),
            EventType::Fchdir if succeeded => self.enter_descriptor(slot, event),
            EventType::Chroot if is_zero => self.settle_container(slot),
            EventType::Setuid if is_zero => self.set_uid(slot, event, 1),
            EventType::Setgid if is_zero => self.set_gid(slot, event, 1),
            EventType::Setreuid | EventType::Setresuid if is_zero => self.set_uid(slot, event, 2),
            EventType::Setregid | EventType::Setresgid if is_zero => self.set_gid(slot, event, 2),
            EventType::Setsid => self.apply_setsid(slot, event),
            EventType::Capset if succeeded => self.apply_capset(slot, event),
            EventType::Unshare if succeeded => self.enter_namespaces(slot, event.unsigned(1)),
            EventType::Setns if succeeded => self.enter_namespaces(slot, event.unsigned(2)),
            EventType::Getrlimit | EventType::Setrlimit
                if succeeded && event.unsigned(3) == Some(RLIMIT_NOFILE) =>
            {
                self.limit_descriptors(slot, event.signed(1));
            }
            EventType::Prlimit if is_zero => self.apply_prlimit(slot, event),
            EventType::Prctl if succeeded => self.apply_prctl(slot, event),
            EventType::Brk | EventType::Mmap | EventType::Mmap2 | EventType::Munmap => {
                let memory = self.kept(slot).memory;
                self.set_memory(slot, memory_at(event, 1, memory));
            }
            EventType::Switch => self.apply_switch(slot, event),
            _ => {}
        }
    }

    pub(super) fn set_memory(&mut self, slot: u32, memory: Memory) {
        if let Some(kept) = self.captured.get_mut(slot) {
            kept.memory = memory;
        }
    }

    /// Faults are the thread's that gives the processor up, memory its process's first thread's.
    fn apply_switch(&mut self, slot: u32, event: &Captured<'_>) {
        if event.unsigned(5).is_none() {
            return;
        }
        if let Some(kept) = self.captured.get_mut(slot) {
            kept.memory = with_faults(event, 1, kept.memory);
        }
        if let Some(first) = self.first_place(slot) {
            let memory = self.kept(first).memory;
            self.set_memory(first, memory_at(event, 3, memory));
        }
    }

    /// Goes to a directory: relative to the thread's own, which only a first thread has, and for
    /// the whole process. Threads that share no directory with it Falco does not know either.
    fn enter(&mut self, slot: u32, path: &[u8]) {
        let Some(first) = self.first_place(slot) else {
            return;
        };
        let Some(version) = self.latest(slot) else {
            return;
        };
        let mut cwd = Vec::new();
        join(Base::Path(&version.cwd), path, &mut cwd);
        let cwd = self.directory(&cwd);
        self.change(first, |version| version.cwd = cwd.clone());
    }

    fn enter_descriptor(&mut self, slot: u32, event: &Captured<'_>) {
        let Some(first) = self.first_place(slot) else {
            return;
        };
        let fd = event.signed(1).unwrap_or(-1);
        let index = self.captured_fd(slot, fd);
        let Some(info) = self.descriptors.info(index) else {
            return;
        };
        let cwd = info.name.clone();
        let cwd = self.directory(&cwd);
        self.change(first, |version| version.cwd = cwd.clone());
    }

    /// From here on the thread's container is the one of its control groups.
    pub(super) fn settle_container(&mut self, slot: u32) {
        if self
            .latest(slot)
            .is_some_and(|version| !version.has_container)
        {
            self.change(slot, |version| version.has_container = true);
        }
    }

    fn set_uid(&mut self, slot: u32, event: &Captured<'_>, param: usize) {
        if let Some(uid) = event.unsigned(param) {
            self.change(slot, |version| set_uid(version, uid as u32));
        }
    }

    fn set_gid(&mut self, slot: u32, event: &Captured<'_>, param: usize) {
        if let Some(gid) = event.unsigned(param) {
            self.change(slot, |version| set_gid(version, gid as u32));
        }
    }

    fn apply_setsid(&mut self, slot: u32, event: &Captured<'_>) {
        let Some(sid) = event.signed(0).filter(|sid| *sid >= 0) else {
            return;
        };
        self.change(slot, |version| {
            version.ids.sid = super::id(sid);
            version.ids.vsid = super::id(sid);
        });
    }

    fn apply_capset(&mut self, slot: u32, event: &Captured<'_>) {
        let sets = [1, 2, 3].map(|index| event.unsigned(index));
        self.change(slot, |version| set_capabilities(version, sets));
    }

    /// In a user namespace that it has made or entered a process may do anything.
    fn enter_namespaces(&mut self, slot: u32, namespaces: Option<u64>) {
        if namespaces.unwrap_or(0) & u64::from(flags::CLONE_NEWUSER) != 0 {
            let all = [Some(ALL_CAPABILITIES); 3];
            self.change(slot, |version| set_capabilities(version, all));
        }
    }

    fn limit_descriptors(&mut self, slot: u32, limit: Option<i64>) {
        if let Some(limit) = limit.filter(|limit| *limit != -1)
            && let Some(first) = self.first_place(slot)
        {
            self.change(first, |version| version.ids.fd_limit = limit as u64);
        }
    }

    fn apply_prlimit(&mut self, slot: u32, event: &Captured<'_>) {
        let (Some(pid), Some(RLIMIT_NOFILE)) = (event.signed(5), event.unsigned(6)) else {
            return;
        };
        let target = match pid {
            0 => Some(slot),
            pid => self.live_process(super::id(pid)),
        };
        if let Some(target) = target {
            self.limit_descriptors(target, event.signed(1));
        }
    }

    fn apply_prctl(&mut self, slot: u32, event: &Captured<'_>) {
        let inherits = event.signed(3).is_some_and(|value| value != 0);
        if event
            .unsigned(1)
            .is_some_and(|option| SUBREAPER.contains(&option))
            && !self.is_invalid(slot)
            && let Some(group) = self.captured.group_mut(slot)
        {
            group.is_reaper = inherits;
        }
    }

    fn apply_exit_captured(&mut self, slot: u32, event: &Captured<'_>) {
        let Some(version) = self.latest(slot) else {
            return;
        };
        let parent = version.ids.ppid;
        self.captured.end(slot);
        self.captured
            .remember_gone(parent, super::id(event.tid), event.time);
        self.captured.exiting = Some(super::threads::Exit {
            thread: self.reference(slot),
            reaper: event.signed(4).map_or(super::threads::NO_ID, super::id),
        });
    }
}

pub(super) fn set_uid(version: &mut ProcessVersion, uid: u32) {
    version.credentials.uid = uid;
    version.credentials.euid = uid;
}

pub(super) fn set_gid(version: &mut ProcessVersion, gid: u32) {
    version.credentials.gid = gid;
    version.credentials.egid = gid;
}

/// Sets the inheritable, permitted and effective capabilities that are told.
pub(super) fn set_capabilities(version: &mut ProcessVersion, sets: [Option<u64>; 3]) {
    let credentials = &mut version.credentials;
    let [inheritable, permitted, effective] = sets;
    credentials.cap_inheritable = inheritable.unwrap_or(credentials.cap_inheritable);
    credentials.cap_permitted = permitted.unwrap_or(credentials.cap_permitted);
    credentials.cap_effective = effective.unwrap_or(credentials.cap_effective);
}

/// The memory with its sizes as three parameters tell them from `index` on.
pub(super) fn memory_at(event: &Captured<'_>, index: usize, memory: Memory) -> Memory {
    let size = |at: usize, before: u32| event.unsigned(index + at).map_or(before, |kb| kb as u32);
    Memory {
        size: size(0, memory.size),
        resident: size(1, memory.resident),
        swapped: size(2, memory.swapped),
        ..memory
    }
}

/// The memory with its faults as two parameters tell them from `index` on.
pub(super) fn with_faults(event: &Captured<'_>, index: usize, memory: Memory) -> Memory {
    Memory {
        major_faults: event.unsigned(index).unwrap_or(memory.major_faults),
        minor_faults: event.unsigned(index + 1).unwrap_or(memory.minor_faults),
        ..memory
    }
}
