//! The state as a capture begins: the machine, users, threads and their descriptors, for
//! readers of the events that follow.

use super::captured::flags::{CLONE_FILES, CLONE_THREAD, CLOSED};
use super::descriptor::{FdInfo, FdKind, Role, unix_ends};
use super::version::{KNOWS_COMM, KNOWS_IDS, ProcessVersion, VersionIndex};
use super::{Learnt, Memory, Process, State, TableIndex};
use crate::event::encode;
use saker_capture::{Descriptor, Entry, Group, Machine, Named, Protocol, Target, Thread, User};
use saker_ebpf::record::{FILE_LOWER_LAYER, FILE_MEMFD, FILE_UPPER_LAYER};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

/// Such a thread shares its process's descriptors.
const SHARES: u32 = CLONE_THREAD | CLONE_FILES;

/// A thread beside its version.
struct Told {
    tid: u32,
    /// Its id in its own pid namespace.
    vtid: i64,
    /// How it was made, in Falco's `CL_` bits.
    flags: u32,
    memory: Memory,
    /// Descriptors of its own.
    table: TableIndex,
}

impl Told {
    /// The first thread of a process that the kernel told of.
    fn first(process: &Process, version: &ProcessVersion) -> Told {
        Told {
            tid: process.pid,
            vtid: version.ids.vpid.into(),
            flags: match process.first_has_ended {
                true => CLOSED,
                false => 0,
            },
            memory: version.memory(),
            table: process.table,
        }
    }

    /// Another thread.
    fn other(thread: &super::Thread, version: &ProcessVersion) -> Told {
        Told {
            tid: thread.tid,
            vtid: thread.vtid.into(),
            flags: SHARES,
            memory: version.memory(),
            table: TableIndex::NONE,
        }
    }
}

impl super::Thread {
    fn version(&self, process: &Process) -> VersionIndex {
        match self.own {
            VersionIndex::NONE => process.latest,
            own => own,
        }
    }
}

impl State {
    /// Hands out all that was known at an event, in the order in which a capture has it, but for
    /// processes of which [`State::half_known`] tells. (Of descriptors, and of memory in a capture,
    /// the state knows only what they are now.)
    pub fn snapshot<E>(
        &self,
        number: u64,
        mut each: impl FnMut(&Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        each(&Entry::Machine(Machine {
            hostname: &self.hostname,
            ..self.machine
        }))?;
        for interface in self.interfaces.iter() {
            each(&Entry::Interface(interface))?;
        }
        for (uid, user) in self.users.users() {
            each(&Entry::User(User {
                uid,
                gid: 0,
                name: &user.name,
                home: &user.home,
                shell: &user.shell,
            }))?;
        }
        for (gid, name) in self.users.groups() {
            each(&Entry::Group(Group { gid, name }))?;
        }
        for (slot, process) in self.lived_at(number) {
            let Some(version) = self.as_of(process, number) else {
                continue;
            };
            if version.known & KNOWS_IDS == 0 {
                continue;
            }
            let told = match version.is_captured() {
                true => {
                    let kept = self.kept(slot);
                    Told {
                        tid: process.pid,
                        vtid: signed(kept.vtid),
                        flags: kept.flags,
                        memory: kept.memory,
                        table: process.table,
                    }
                }
                false => Told::first(process, version),
            };
            self.thread(version, &told, &mut each)?;
        }
        for thread in self.threads.iter() {
            let Some(process) = self.processes.get(thread.process) else {
                continue;
            };
            if thread.tid == process.pid {
                continue;
            }
            if let Some(version) = self.versions.get(thread.version(process).0) {
                self.thread(version, &Told::other(thread, version), &mut each)?;
            }
        }
        Ok(())
    }

    /// The processes that were there at an event, with their places, which say nothing of their
    /// order: it is the one in which they came.
    fn lived_at(&self, number: u64) -> Vec<(u32, &Process)> {
        let places = 0..self.processes.places();
        let all = places.filter_map(|slot| Some((slot, self.processes.get(slot)?)));
        let lived = all.filter(|(_, it)| it.born <= number && number <= it.ended);
        let mut lived: Vec<_> = lived.collect();
        lived.sort_by_key(|(_, process)| (process.born, process.pid));
        lived
    }

    /// The processes of which it was not known at an event whose children they are: a reader learns
    /// that only of one that its list does not have.
    pub fn half_known(&self, number: u64) -> Vec<Learnt> {
        let lived = self.lived_at(number).into_iter();
        let half_known = lived.filter(|(_, process)| {
            let version = self.as_of(process, number);
            version.is_some_and(|version| version.known & KNOWS_IDS == 0)
        });
        let learnt = half_known.map(|(slot, _)| Learnt {
            number,
            process: self.reference(slot),
        });
        learnt.collect()
    }

    /// Hands out the threads of a process that was learnt of, as they were when it was first seen
    /// (of those behind the first one, what they are now). None, if it is gone since.
    pub fn learnt(&self, learnt: &Learnt, mut each: impl FnMut(&Thread<'_>)) {
        let Some(process) = self.process(learnt.process) else {
            return;
        };
        let mut each = |entry: &Entry<'_>| {
            if let Entry::Thread(thread) = entry {
                each(thread);
            }
            Ok::<_, std::convert::Infallible>(())
        };
        let version = self.as_of(process, learnt.number);
        if let Some(version) = version.filter(|version| version.known & KNOWS_COMM != 0) {
            let Ok(()) = self.thread(version, &Told::first(process, version), &mut each);
        }
        let mut next = process.first_thread;
        while let Some(thread) = self.threads.get(next) {
            next = thread.next;
            if thread.tid == process.pid {
                continue;
            }
            if let Some(version) = self.versions.get(thread.version(process).0) {
                let Ok(()) = self.thread(version, &Told::other(thread, version), &mut each);
            }
        }
    }

    /// Hands out descriptors that exec closes, with their threads, of which a capture's list of
    /// descriptors cannot say so: it has no place for that but with files.
    pub fn closed_on_exec<E>(
        &self,
        number: u64,
        mut each: impl FnMut(u32, u32) -> Result<(), E>,
    ) -> Result<(), E> {
        for (_, process) in self.lived_at(number) {
            for (fd, index) in self.descriptors.entries(process.table) {
                let is_file = |info: &FdInfo| info.kind == FdKind::File;
                if self.descriptors.closes_on_exec(process.table, fd.into())
                    && !self.descriptors.info(index).is_none_or(is_file)
                {
                    each(process.pid, fd)?;
                }
            }
        }
        Ok(())
    }

    /// Of a capture: what the last event closed, which is there until the next, and whose it is.
    fn being_closed(&self) -> Option<(u32, i64)> {
        let (tid, fd) = self.closing?;
        let owner = self.captured_table(self.live_process(tid)?)?;
        Some((self.processes.get(owner)?.pid, fd))
    }

    fn thread<E>(
        &self,
        version: &ProcessVersion,
        told: &Told,
        each: &mut impl FnMut(&Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (image, ids, credentials) = (&version.image, &version.ids, &version.credentials);
        let mut cgroups = Vec::new();
        match version.is_captured() {
            true => cgroups.extend_from_slice(version.cgroup.list()),
            false => version.cgroup.write_list(&mut cgroups),
        }
        // A clone in a capture says so since boot, the list of threads since 1970.
        let pidns_init_start_time = match ids.pid_ns_start_time {
            start if start == 0 || version.is_captured() => start,
            start => self.clock.wall(start),
        };
        each(&Entry::Thread(Box::new(Thread {
            tid: told.tid.into(),
            pid: signed(version.pid),
            ptid: signed(ids.ppid),
            sid: signed(ids.vsid),
            vpgid: signed(ids.vpgid),
            pgid: signed(ids.pgid),
            comm: version.comm.as_bytes(),
            exe: image.exe(),
            exepath: &image.exe_path,
            args: image.tail(),
            cwd: &version.cwd,
            fdlimit: ids.fd_limit as i64,
            flags: told.flags,
            uid: credentials.euid,
            gid: credentials.egid,
            vmsize_kib: told.memory.size,
            vmrss_kib: told.memory.resident,
            vmswap_kib: told.memory.swapped,
            pfmajor: told.memory.major_faults,
            pfminor: told.memory.minor_faults,
            env: &image.environment,
            vtid: told.vtid,
            vpid: signed(ids.vpid),
            cgroups: &cgroups,
            root: b"/",
            pidns_init_start_time,
            tty: ids.tty,
            loginuid: ids.loginuid,
            exe_writable: image.is_writable,
            cap_inheritable: credentials.cap_inheritable,
            cap_permitted: credentials.cap_permitted,
            cap_effective: credentials.cap_effective,
            exe_upper_layer: image.file.flags & FILE_UPPER_LAYER != 0,
            exe_lower_layer: image.file.flags & FILE_LOWER_LAYER != 0,
            exe_from_memfd: image.file.flags & FILE_MEMFD != 0,
            exe_inode: image.file.inode,
            exe_change_time: image.file.ctime,
            exe_modify_time: image.file.mtime,
        })))?;
        let closing = self.being_closed();
        for (fd, index) in self.descriptors.written(told.table) {
            if closing == Some((told.tid, fd.into())) {
                continue;
            }
            if let Some(info) = self.descriptors.info(index) {
                each(&Entry::Descriptor {
                    tid: told.tid.into(),
                    descriptor: Descriptor {
                        fd: fd.into(),
                        inode: info.inode,
                        target: target(
                            info,
                            self.descriptors.closes_on_exec(told.table, fd.into()),
                        ),
                    },
                })?;
            }
        }
        Ok(())
    }
}

/// An id as captures have it.
fn signed(id: u32) -> i64 {
    (id as i32).into()
}

/// What a descriptor stands for, as captures have it.
fn target(info: &FdInfo, closes_on_exec: bool) -> Target<'_> {
    let protocol = match info.protocol() {
        "tcp" => Protocol::TCP,
        "udp" => Protocol::UDP,
        "icmp" => Protocol::ICMP,
        "raw" => Protocol::RAW,
        _ => Protocol::UNKNOWN,
    };
    let v4 = |(address, port): (&[u8], u16)| {
        let octets: [u8; 4] = address.try_into().unwrap_or_default();
        SocketAddrV4::new(Ipv4Addr::from(octets), port)
    };
    let v6 = |(address, port): (&[u8], u16)| {
        let octets: [u8; 16] = address.try_into().unwrap_or_default();
        SocketAddrV6::new(Ipv6Addr::from(octets), port, 0, 0)
    };
    let (client, server) = info.ends();
    let named = |kind| Target::Named {
        kind,
        name: &info.name,
    };
    match info.kind {
        FdKind::File => Target::File {
            open_flags: encode::open_flags(match closes_on_exec {
                true => libc::O_CLOEXEC as u64,
                false => 0,
            }) as u32,
            name: &info.name,
            device: info.device,
        },
        FdKind::Directory => named(Named::Directory),
        FdKind::Ipv4 if info.connected => Target::Ipv4 {
            source: v4(client),
            destination: v4(server),
            protocol,
        },
        FdKind::Ipv6 if info.connected => Target::Ipv6 {
            source: v6(client),
            destination: v6(server),
            protocol,
        },
        FdKind::Ipv4 => Target::Ipv4Server {
            address: v4(info.local()),
            protocol,
        },
        FdKind::Ipv6 => Target::Ipv6Server {
            address: v6(info.local()),
            protocol,
        },
        // Where it is connected, its name begins with both addresses, in which order does not say
        // whose they are: that does the place of the one that is told here.
        FdKind::Unix => {
            let ends = unix_ends(&info.name);
            let own = match ends {
                Some((source, _)) if info.connected => source,
                Some(_) | None => info.socket.identity,
            };
            let (source, destination) = match info.role {
                Role::Server => (0, own),
                Role::Client | Role::None => (own, 0),
            };
            Target::Unix {
                source,
                destination,
                name: &info.name,
            }
        }
        FdKind::Netlink => named(Named::Netlink),
        FdKind::Pipe => named(Named::Pipe),
        FdKind::Event => named(Named::Event),
        FdKind::Signal => named(Named::Signal),
        FdKind::Epoll => named(Named::EventPoll),
        FdKind::Inotify => named(Named::Inotify),
        FdKind::Timer => named(Named::Timer),
        FdKind::Bpf => named(Named::Bpf),
        FdKind::Userfault => named(Named::Userfault),
        FdKind::IoUring => named(Named::IoUring),
        FdKind::Memfd => named(Named::Memory),
        FdKind::Pidfd => named(Named::Process),
        FdKind::Unknown => named(Named::Unsupported),
    }
}
