//! The state as a capture begins: the machine, users, threads and their descriptors, for
//! readers of the events that follow.

use super::descriptor::{FdInfo, FdKind, Role};
use super::version::{ProcessVersion, VersionIndex};
use super::{Process, State, TableIndex};
use crate::event::encode;
use saker_capture::{Descriptor, Entry, Group, Machine, Named, Protocol, Target, Thread, User};
use saker_ebpf::record::{FILE_LOWER_LAYER, FILE_MEMFD, FILE_UPPER_LAYER};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

/// Falco's `CLONE_THREAD` and `CLONE_FILES`: such a thread shares its process's descriptors.
const SHARES: u32 = 8192 | 1;

impl State {
    /// Hands out all that was known at an event, in the order in which a capture has it. (Of
    /// descriptors the state knows only what they are now.)
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
        let lived = |process: &&Process| process.born <= number && number <= process.ended;
        for process in self.processes.iter().filter(lived) {
            let Some(version) = self.as_of(process, number) else {
                continue;
            };
            let is_first = version.pid == process.pid;
            self.thread(version, process.pid, process.table, is_first, &mut each)?;
        }
        for thread in self.threads.iter() {
            let Some(process) = self.processes.get(thread.process) else {
                continue;
            };
            let index = match thread.own {
                VersionIndex::NONE => process.latest,
                own => own,
            };
            if thread.tid == process.pid {
                continue;
            }
            if let Some(version) = self.versions.get(index.0) {
                self.thread(version, thread.tid, TableIndex::NONE, false, &mut each)?;
            }
        }
        Ok(())
    }

    fn thread<E>(
        &self,
        version: &ProcessVersion,
        tid: u32,
        table: TableIndex,
        is_first: bool,
        each: &mut impl FnMut(&Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (image, ids, credentials) = (&version.image, &version.ids, &version.credentials);
        let mut cgroups = Vec::new();
        version.cgroup.write_list(&mut cgroups);
        each(&Entry::Thread(Box::new(Thread {
            tid: tid.into(),
            pid: version.pid.into(),
            ptid: ids.ppid.into(),
            sid: ids.vsid.into(),
            vpgid: ids.vpgid.into(),
            pgid: ids.pgid.into(),
            comm: version.comm.as_bytes(),
            exe: image.exe(),
            exepath: &image.exe_path,
            args: image.tail(),
            cwd: &version.cwd,
            fdlimit: ids.fd_limit as i64,
            flags: if is_first { 0 } else { SHARES },
            uid: credentials.euid,
            gid: credentials.egid,
            vmsize_kib: version.vm_size as u32,
            vmrss_kib: version.vm_rss as u32,
            env: &image.environment,
            vtid: if is_first {
                ids.vpid.into()
            } else {
                tid.into()
            },
            vpid: ids.vpid.into(),
            cgroups: &cgroups,
            root: b"/",
            pidns_init_start_time: ids.pid_ns_start_time,
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
            ..Thread::default()
        })))?;
        for (fd, index) in self.descriptors.entries(table) {
            if let Some(info) = self.descriptors.info(index) {
                each(&Entry::Descriptor {
                    tid: tid.into(),
                    descriptor: Descriptor {
                        fd: fd.into(),
                        inode: info.inode,
                        target: target(info),
                    },
                })?;
            }
        }
        Ok(())
    }
}

/// What a descriptor stands for, as captures have it.
fn target(info: &FdInfo) -> Target<'_> {
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
            open_flags: encode::open_flags(0) as u32,
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
        FdKind::Unix => {
            let (source, destination) = match info.role {
                Role::Server => (0, info.socket.identity),
                Role::Client | Role::None => (info.socket.identity, 0),
            };
            // The name begins with both addresses where the socket is connected.
            let path = match info.connected {
                true => info.name.splitn(2, |byte| *byte == b' ').nth(1),
                false => Some(&info.name[..]),
            };
            Target::Unix {
                source,
                destination,
                name: path.unwrap_or_default(),
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
