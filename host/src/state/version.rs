//! What a process was at some event: one version of it.
//!
//! A version never changes once an event refers to it; whatever the process does next makes a
//! new one that points back to it.

use super::captured::Memory;
use super::container::{Cgroup, ContainerFacts, ContainerId};
use super::facts::{Directory, Held, KeptImage};
use saker_ebpf::record::Process;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Index of a [`ProcessVersion`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VersionIndex(pub(crate) u32);

impl VersionIndex {
    /// No version.
    pub const NONE: VersionIndex = VersionIndex(u32::MAX);

    /// As an index for tables beside the state's.
    pub fn place(self) -> usize {
        self.0 as usize
    }
}

/// A process as the state remembers it: a place, and which of its occupants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessRef {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl ProcessRef {
    pub(super) const NONE: ProcessRef = ProcessRef {
        slot: u32::MAX,
        generation: 0,
    };
}

/// The kernel's `comm`: at most 15 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comm {
    bytes: [u8; 16],
    len: u8,
}

impl Comm {
    /// Keeps the first 16 bytes, up to a NUL.
    pub fn new(name: &[u8]) -> Comm {
        let end = memchr::memchr(0, name).unwrap_or(name.len()).min(16);
        let mut bytes = [0; 16];
        bytes[..end].copy_from_slice(&name[..end]);
        Comm {
            bytes,
            len: end as u8,
        }
    }

    /// The name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Ids beside pid and tid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the kernel's names; `v` = in the own pid namespace"
)]
pub struct Ids {
    pub ppid: u32,
    pub pgid: u32,
    pub sid: u32,
    pub vpid: u32,
    pub vpgid: u32,
    pub vsid: u32,
    pub loginuid: u32,
    pub tty: u32,
    pub pid_ns: u32,
    pub mnt_ns: u32,
    pub user_ns: u32,
    pub net_ns: u32,
    /// When the pid namespace's first process started, ns since boot.
    pub pid_ns_start_time: u64,
    /// Soft limit on open files.
    pub fd_limit: u64,
}

impl Ids {
    pub(super) fn of(process: &Process) -> Ids {
        Ids {
            ppid: process.parent_tgid,
            pgid: process.pgid,
            sid: process.sid,
            vpid: process.vpid,
            vpgid: process.vpgid,
            vsid: process.vsid,
            loginuid: process.loginuid,
            tty: process.tty,
            pid_ns: process.pid_ns,
            mnt_ns: process.mnt_ns,
            user_ns: process.user_ns,
            net_ns: process.net_ns,
            pid_ns_start_time: process.pid_ns_start_time,
            fd_limit: process.fd_limit,
        }
    }
}

/// Credentials, ids in the initial user namespace, capabilities in the kernel's numbering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kernel's names")]
pub struct Credentials {
    pub uid: u32,
    pub euid: u32,
    pub suid: u32,
    pub fsuid: u32,
    pub gid: u32,
    pub egid: u32,
    pub sgid: u32,
    pub fsgid: u32,
    pub cap_inheritable: u64,
    pub cap_permitted: u64,
    pub cap_effective: u64,
}

impl Credentials {
    pub(super) fn of(process: &Process) -> Credentials {
        Credentials {
            uid: process.uid,
            euid: process.euid,
            suid: process.suid,
            fsuid: process.fsuid,
            gid: process.gid,
            egid: process.egid,
            sgid: process.sgid,
            fsgid: process.fsgid,
            cap_inheritable: process.cap_inheritable,
            cap_permitted: process.cap_permitted,
            cap_effective: process.cap_effective,
        }
    }
}

/// What of a version is known; the rest waits for an answer.
pub(super) const KNOWS_IMAGE: u8 = 1;
pub(super) const KNOWS_IDS: u8 = 2;
pub(super) const KNOWS_CREDENTIALS: u8 = 4;
pub(super) const KNOWS_CWD: u8 = 8;
pub(super) const KNOWS_CGROUP: u8 = 16;
pub(super) const KNOWS_COMM: u8 = 32;
/// It is a thread of a capture, where Falco's rules hold.
pub(super) const IS_CAPTURED: u8 = 64;
/// As far as a capture tells, its pid namespace is not the first.
pub(super) const IS_IN_PID_NAMESPACE: u8 = 128;

/// How a process came into its container.
#[derive(Clone, Debug, Default)]
pub(super) enum Entrance {
    /// It is in none, or that was not seen.
    #[default]
    Unknown,
    /// It is the container's first process, or comes of it; or it was there before us.
    First,
    /// From outside, as what looks after containers does: it executed this, or comes of who did.
    Outside(Arc<KeptImage>),
}

/// A process as it was from one event on.
#[derive(Clone, Debug)]
pub struct ProcessVersion {
    /// Number of the event from which on it holds.
    pub valid_from: u64,
    /// Tells it from every other version there ever was.
    pub serial: u64,
    /// Process id, initial pid namespace.
    pub pid: u32,
    /// When it started, ns since boot.
    pub start_time: u64,
    /// Its name.
    pub comm: Comm,
    /// What it executes.
    pub image: Arc<KeptImage>,
    /// Current directory, without a slash at its end (but `/` for the root).
    pub cwd: Arc<Directory>,
    /// Ids beside the process id.
    pub ids: Ids,
    /// Credentials.
    pub credentials: Credentials,
    /// Control groups.
    pub cgroup: Arc<Cgroup>,
    /// Size in kB when it was made or executed.
    pub vm_size: u64,
    /// Resident size in kB then.
    pub vm_rss: u64,
    pub(super) known: u8,
    /// Whether a capture's container is that of the control groups yet.
    pub(super) has_container: bool,
    /// Whether a capture told of an exec by the thread itself.
    pub(super) has_executed: bool,
    /// It is no process's: an event told of that container.
    pub(super) told: Option<Arc<ContainerFacts>>,
    pub(super) entrance: Entrance,
    pub(super) parent: ProcessRef,
    pub(super) process: ProcessRef,
    pub(super) older: VersionIndex,
    pub(super) newer: VersionIndex,
    pub(super) row: Row,
}

impl ProcessVersion {
    /// Whether the current directory is known.
    pub fn knows_cwd(&self) -> bool {
        self.known & KNOWS_CWD != 0
    }

    /// Whether the control groups are known.
    pub fn knows_cgroup(&self) -> bool {
        self.known & KNOWS_CGROUP != 0
    }

    /// Whether its name is known.
    pub fn knows_name(&self) -> bool {
        self.known & KNOWS_COMM != 0
    }

    /// Whether what it executes is known.
    pub fn knows_image(&self) -> bool {
        self.known & KNOWS_IMAGE != 0
    }

    /// Whether it is a thread of a capture.
    pub fn is_captured(&self) -> bool {
        self.known & IS_CAPTURED != 0
    }

    /// Whether, as far as a capture tells, its pid namespace is not the first.
    pub fn is_in_pid_namespace(&self) -> bool {
        self.known & IS_IN_PID_NAMESPACE != 0
    }

    /// Whether a capture told of an exec by the thread itself.
    pub fn has_executed(&self) -> bool {
        self.has_executed
    }

    /// What the probe tells of memory.
    pub(crate) fn memory(&self) -> Memory {
        Memory {
            size: self.vm_size.try_into().unwrap_or(u32::MAX),
            resident: self.vm_rss.try_into().unwrap_or(u32::MAX),
            ..Memory::default()
        }
    }

    pub(super) fn set_in_pid_namespace(&mut self, is_inside: bool) {
        self.known &= !IS_IN_PID_NAMESPACE;
        if is_inside {
            self.known |= IS_IN_PID_NAMESPACE;
        }
    }

    /// Notes how it came into its container, when it executes that. What is known of its parent
    /// counts where its own birth was not seen.
    pub(super) fn enter_container(
        &mut self,
        image: &Arc<KeptImage>,
        parent: Option<&(Arc<Cgroup>, Entrance)>,
    ) {
        let Some(own) = self.cgroup.container() else {
            self.entrance = Entrance::Unknown;
            return;
        };
        if self.ids.vpid == 1 {
            self.entrance = Entrance::First;
        }
        if let Entrance::Unknown = self.entrance {
            let of_parent = parent.filter(|(cgroup, _)| cgroup.container() == Some(own));
            self.entrance = match of_parent {
                Some((_, Entrance::Outside(image))) => Entrance::Outside(image.clone()),
                Some((_, Entrance::First | Entrance::Unknown)) => Entrance::First,
                None => Entrance::Outside(image.clone()),
            };
        }
    }

    /// The arguments, program first, of what came into the container from outside: this process, or
    /// whom it comes of. `None` for what the container's first process has begun.
    pub fn came_into_container_by(&self) -> Option<&[u8]> {
        match &self.entrance {
            Entrance::Outside(image) => Some(&image.arguments),
            Entrance::Unknown | Entrance::First => None,
        }
    }

    /// Whether it is no process's: all it shows is the container that an event told of.
    pub fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// Its container; `None` outside of containers.
    pub fn container(&self) -> Option<ContainerId<'_>> {
        if self.is_captured() && !self.has_container {
            return None;
        }
        self.cgroup.container()
    }

    /// Whether ids and credentials are known.
    pub fn knows_credentials(&self) -> bool {
        self.known & KNOWS_CREDENTIALS != 0
    }
}

/// The row that is kept for a version, if one is. A version is copied to be changed: its copy has
/// none.
#[derive(Debug, Default)]
pub(super) struct Row(Option<(RowCache, Held)>);

impl Row {
    pub(super) fn new(row: RowCache, total: &Arc<AtomicUsize>) -> Row {
        let held = Held::new(row.bytes.len(), total);
        Row(Some((row, held)))
    }

    pub(super) fn get(&self) -> Option<&RowCache> {
        self.0.as_ref().map(|(row, _)| row)
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut RowCache> {
        self.0.as_mut().map(|(row, _)| row)
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}

impl Clone for Row {
    fn clone(&self) -> Row {
        Row::default()
    }
}

/// A process row kept for the next window.
#[derive(Debug)]
pub struct RowCache {
    /// Epoch whose layout it has.
    pub epoch: u32,
    /// State's generation at which it was last found true.
    pub generation: u64,
    /// What it was made of: version, ancestors, leaders, users.
    pub stamp: u64,
    /// What is true of the process among what events need of it, bits by the layout.
    pub needs: u64,
    /// The row.
    pub bytes: Box<[u8]>,
}
