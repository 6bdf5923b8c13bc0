//! What a capture says was there before its first event.

use crate::state::container::Cgroup;
use crate::state::facts::{Image, KeptImage, Start};
use crate::state::table::TableIndex;
use crate::state::version::{
    Comm, Credentials, Ids, KNOWS_CGROUP, KNOWS_COMM, KNOWS_CREDENTIALS, KNOWS_CWD, KNOWS_IDS,
    KNOWS_IMAGE,
};
use crate::state::{NONE, State};
use saker_capture::{Entry, Thread};
use saker_ebpf::record::{FILE_LOWER_LAYER, FILE_MEMFD, FILE_UPPER_LAYER, File};
use std::sync::Arc;

impl State {
    /// Takes in an entry of a capture that is no event.
    pub fn seed_captured(&mut self, entry: &Entry<'_>) {
        match entry {
            Entry::Section(_) | Entry::Interface(_) | Entry::Event(_) => {}
            Entry::Machine(machine) => {
                self.set_hostname(machine.hostname);
                self.set_machine(machine);
            }
            Entry::User(user) => {
                self.users
                    .set_user(user.uid, user.name, user.home, user.shell);
                self.names_changed();
            }
            Entry::Group(group) => {
                self.users.set_group(group.gid, group.name);
                self.names_changed();
            }
            Entry::Thread(thread) => self.seed_thread(thread),
            Entry::Descriptor { tid, descriptor } => self.seed_descriptor(*tid, descriptor),
        }
    }

    fn names_changed(&mut self) {
        self.generation += 1;
        self.names_generation += 1;
    }

    fn seed_thread(&mut self, thread: &Thread<'_>) {
        let number = |id: i64| u32::try_from(id).unwrap_or(0);
        let tid = number(thread.tid);
        let mut version = self.blank(number(thread.pid), 0, 0);
        version.comm = Comm::new(thread.comm);
        let mut image = Image {
            arguments: area(thread.exe, thread.args),
            environment: thread.env.into(),
            exe_path: thread.exepath.into(),
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
        };
        self.bound(&mut image);
        version.image = KeptImage::new(image, &self.image_bytes);
        version.cwd = thread.cwd.into();
        version.ids = Ids {
            ppid: number(thread.ptid),
            pgid: number(thread.pgid),
            sid: number(thread.sid),
            vpid: number(thread.vpid),
            vpgid: number(thread.vpgid),
            vsid: number(thread.sid),
            loginuid: thread.loginuid,
            tty: thread.tty,
            pid_ns_start_time: thread.pidns_init_start_time,
            fd_limit: thread.fdlimit as u64,
            ..Ids::default()
        };
        version.credentials = Credentials {
            uid: thread.uid,
            euid: thread.uid,
            gid: thread.gid,
            egid: thread.gid,
            cap_inheritable: thread.cap_inheritable,
            cap_permitted: thread.cap_permitted,
            cap_effective: thread.cap_effective,
            ..Credentials::default()
        };
        version.cgroup = Arc::new(Cgroup::from_list(thread.cgroups));
        version.vm_size = thread.vmsize_kib.into();
        version.vm_rss = thread.vmrss_kib.into();
        version.known =
            KNOWS_IMAGE | KNOWS_IDS | KNOWS_CREDENTIALS | KNOWS_CWD | KNOWS_CGROUP | KNOWS_COMM;
        self.add_keyed_process(tid, version, Start::Exact(0), TableIndex::NONE);
        self.generation += 1;
    }

    fn seed_descriptor(&mut self, tid: i64, descriptor: &saker_capture::Descriptor<'_>) {
        let slot = u32::try_from(tid)
            .ok()
            .and_then(|tid| self.live_process(tid));
        let Some(slot) = slot.filter(|slot| *slot != NONE) else {
            return;
        };
        self.make_captured(slot, descriptor.fd, |info| info.fill_captured(descriptor));
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
