//! What a capture says was there before its first event.

use super::flags;
use super::lifecycle::{set_capabilities, set_gid, set_uid};
use super::threads::{Kept, Memory};
use crate::state::container::Cgroup;
use crate::state::facts::{Image, KeptImage};
use crate::state::table::TableIndex;
use crate::state::version::{Comm, Ids};
use crate::state::{NONE, State};
use saker_capture::{Entry, Thread};
use saker_ebpf::record::{FILE_LOWER_LAYER, FILE_MEMFD, FILE_UPPER_LAYER, File};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// No path of the list of threads is longer: libscap writes, and reads, no longer one.
const PATH_BYTES_MAX: usize = 1024;
/// No list of control groups is longer: as much as libscap writes.
const LIST_BYTES_MAX: usize = 4096;

impl State {
    /// Takes in an entry of a capture that is no event. With a section another recording begins:
    /// no event in flight may refer to the state any more.
    pub fn seed_captured(&mut self, entry: &Entry<'_>) {
        let refused = self.refused();
        match entry {
            Entry::Event(_) => {}
            Entry::Interface(interface) => {
                let kept = self.interfaces.add(interface);
                self.counters.interfaces_refused += u64::from(!kept);
            }
            // Several recordings may stand one behind the other.
            Entry::Section(_) => self.restart(),
            Entry::Machine(machine) => {
                self.set_hostname(machine.hostname);
                self.set_machine(machine);
            }
            Entry::User(user) => {
                let (name, home) = (user.name, user.home);
                let kept = self.users.set_user(user.uid, name, home, user.shell);
                self.counters.names_refused += u64::from(!kept);
                self.names_changed();
            }
            Entry::Group(group) => {
                let kept = self.users.set_group(group.gid, group.name);
                self.counters.names_refused += u64::from(!kept);
                self.names_changed();
            }
            Entry::Thread(thread) => self.seed_thread(thread),
            Entry::Descriptor { tid, descriptor } => self.seed_descriptor(*tid, descriptor),
        }
        self.descriptors.keeps_order = self.noted.kinds || self.keeps_order;
        self.counters.entries_refused += u64::from(self.refused() > refused);
    }

    /// How much was not kept of what stands at a capture's beginning.
    fn refused(&self) -> u64 {
        let counters = &self.counters;
        counters.processes_refused
            + counters.bad_ids
            + counters.images_cut
            + counters.directories_refused
            + counters.cgroups_refused
            + counters.interfaces_refused
            + counters.names_refused
            + self.descriptors.refused
    }

    pub(super) fn names_changed(&mut self) {
        self.generation += 1;
        self.names_generation += 1;
    }

    fn seed_thread(&mut self, thread: &Thread<'_>) {
        let tid = super::id(thread.tid);
        let is_first = thread.tid == thread.pid || thread.flags & flags::IS_MAIN_THREAD != 0;
        let mut version = self.blank_captured();
        version.pid = super::id(thread.pid);
        version.comm = Comm::new(thread.comm);
        let (environment, cwd) = match is_first {
            true => (thread.env, thread.cwd),
            false => (&b""[..], &b""[..]),
        };
        let path = thread.exepath;
        let mut image = Image {
            arguments: area(thread.exe, thread.args),
            environment: environment.into(),
            exe_path: path.strip_suffix(b" (deleted)").unwrap_or(path).into(),
            filename: Box::default(),
            file: File {
                inode: thread.exe_inode,
                ctime: thread.exe_change_time,
                mtime: thread.exe_modify_time,
                flags: flag(thread.exe_upper_layer, FILE_UPPER_LAYER)
                    | flag(thread.exe_lower_layer, FILE_LOWER_LAYER)
                    | flag(thread.exe_from_memfd, FILE_MEMFD),
                ..File::default()
            },
            is_writable: thread.exe_writable,
            is_cut: false,
            started_after_change_ns: 0,
        };
        self.bound(&mut image);
        version.image = KeptImage::new(image, &self.image_bytes);
        version.cwd = self.directory(&cwd[..cwd.len().min(PATH_BYTES_MAX)]);
        version.ids = Ids {
            ppid: super::id(thread.ptid),
            pgid: super::id(thread.pgid),
            sid: super::id(thread.sid),
            vpid: super::id(thread.vpid),
            vpgid: super::id(thread.vpgid),
            vsid: super::id(thread.sid),
            loginuid: thread.loginuid,
            tty: thread.tty,
            pid_ns_start_time: thread.pidns_init_start_time,
            fd_limit: thread.fdlimit as u64,
            ..Ids::default()
        };
        set_uid(&mut version, thread.uid);
        set_gid(&mut version, thread.gid);
        let sets = [
            thread.cap_inheritable,
            thread.cap_permitted,
            thread.cap_effective,
        ];
        set_capabilities(&mut version, sets.map(Some));
        version.cgroup = self.captured_cgroup(thread.cgroups);
        version.has_container = true;
        let memory = Memory {
            size: thread.vmsize_kib,
            resident: thread.vmrss_kib,
            swapped: thread.vmswap_kib,
            major_faults: thread.pfmajor,
            minor_faults: thread.pfminor,
        };
        let flags = thread.flags | flags::NAME_CHANGED | flags::ACTIVE;
        let kept = Kept::new(flags, super::id(thread.vtid), memory);
        self.add_captured(tid, version, kept, TableIndex::NONE);
    }

    /// The control groups of that list, the same for all that are in the same.
    pub(super) fn captured_cgroup(&mut self, list: &[u8]) -> Arc<Cgroup> {
        let list = &list[..list.len().min(LIST_BYTES_MAX)];
        if let Some(cgroup) = self.cgroups.get(list) {
            return cgroup.clone();
        }
        let mut cgroup = Cgroup::from_list(list);
        let bytes = cgroup.bytes();
        let is_too_much = |state: &State| {
            let kept = state.cgroup_bytes.load(Ordering::Relaxed);
            kept + bytes > state.limits.cgroup_bytes_max
        };
        if self.cgroups.len() >= self.limits.entries_max
            || !self.cgroups.is_empty() && is_too_much(self)
        {
            self.cgroups.clear();
            self.counters.memory_emptied += 1;
        }
        if is_too_much(self) {
            self.counters.cgroups_refused += 1;
            return self.no_cgroup.clone();
        }
        cgroup.hold(&self.cgroup_bytes);
        let cgroup = Arc::new(cgroup);
        self.cgroups.insert(list.into(), cgroup.clone());
        cgroup
    }

    fn seed_descriptor(&mut self, tid: i64, descriptor: &saker_capture::Descriptor<'_>) {
        let slot = u32::try_from(tid)
            .ok()
            .and_then(|tid| self.live_process(tid));
        let Some(slot) = slot.filter(|slot| *slot != NONE) else {
            return;
        };
        self.seed_captured_fd(slot, descriptor);
    }
}

fn flag(is_set: bool, bit: u32) -> u32 {
    if is_set { bit } else { 0 }
}

/// An argument area: `argv[0]`, then the others.
pub(super) fn area(exe: &[u8], args: &[u8]) -> Box<[u8]> {
    let mut out = Vec::with_capacity(exe.len() + 1 + args.len());
    out.extend_from_slice(exe);
    out.push(0);
    out.extend_from_slice(args);
    out.into()
}
