//! Processes as `/proc` tells them. What it says may be stale or gone when it arrives; the state
//! holds it against what the kernel told.
//!
//! Names in there are an attacker's choice and need not be text, so files with names are read as
//! bytes here; the `procfs` crate reads the socket tables, which are numbers.

use super::host_path;
use crate::enrich::groups::Groups;
use crate::event::encode;
use crate::state::container::{ByPath, Cgroup};
use crate::state::descriptor::{FdKind, Role};
use crate::state::facts::{FdFacts, Image, ProcessFacts, Start, ThreadFacts};
use crate::state::version::{Credentials, Ids};
use saker_ebpf::record::{self, Socket};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is read of an argument area, and of other files.
const FILE_BYTES_MAX: u64 = 16 * 1024;
/// What is read of an environment, as the probe does.
const ENVIRON_BYTES_MAX: u64 = 4096;
/// Descriptors read of a process.
const DESCRIPTORS_MAX: usize = 4096;
/// Threads read of a process.
const THREADS_MAX: usize = 16 * 1024;
/// Sockets kept of all network namespaces together.
const SOCKETS_MAX: usize = 500_000;

/// Reads `/proc` (below `HOST_ROOT`).
pub struct Reader {
    root: PathBuf,
    by_path: ByPath,
    groups: Option<Groups>,
}

/// Sockets by inode, and which ports are listened on, of the network namespaces seen so far.
#[derive(Default)]
struct Sockets {
    namespaces: HashSet<u32>,
    by_inode: HashMap<u64, (Socket, Vec<u8>)>,
    listening: HashSet<(u32, u16)>,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::new(ByPath::default())
    }
}

impl Reader {
    /// A reader, to which control groups name the containers of these engines.
    pub fn new(by_path: ByPath) -> Reader {
        Reader {
            root: host_path("/proc"),
            by_path,
            groups: Groups::new(),
        }
    }

    /// Every process there is, one after the other.
    pub fn processes(&self) -> impl Iterator<Item = ProcessFacts> + '_ {
        let mut sockets = Sockets::default();
        let entries = std::fs::read_dir(&self.root).into_iter().flatten();
        entries.filter_map(move |entry| {
            let pid = number_in(entry.ok()?.file_name().as_bytes())?;
            self.read(pid, &mut sockets)
        })
    }

    /// The processes in a cgroup (v2) and below, and their ancestors wherever these are.
    pub fn processes_in(&self, cgroup: &Path) -> Vec<ProcessFacts> {
        let mut sockets = Sockets::default();
        let mut waiting = members(cgroup);
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        while let Some(pid) = waiting.pop() {
            if pid != 0
                && seen.insert(pid)
                && let Some(facts) = self.read(pid, &mut sockets)
            {
                waiting.push(facts.ids.ppid);
                found.push(facts);
            }
        }
        found
    }

    /// One process, if it is there.
    pub fn process(&self, pid: u32) -> Option<ProcessFacts> {
        self.read(pid, &mut Sockets::default())
    }

    /// When the process that has that id now started.
    pub fn start(&self, pid: u32) -> Option<Start> {
        Some(Stat::read(&self.root.join(pid.to_string()))?.start)
    }

    fn read(&self, pid: u32, sockets: &mut Sockets) -> Option<ProcessFacts> {
        let folder = self.root.join(pid.to_string());
        let stat = Stat::read(&folder)?;
        let status = Status::read(&folder)?;
        let namespace = |name: &str| namespace(&folder, name);
        let net_ns = namespace("net");
        let facts = ProcessFacts {
            pid,
            start: stat.start,
            comm: comm(&folder),
            image: image(&folder, &status.credentials),
            cwd: link(&folder.join("cwd")).unwrap_or_default(),
            ids: Ids {
                ppid: stat.ppid,
                pgid: stat.pgid,
                sid: stat.sid,
                vpid: status.vtid,
                vpgid: status.vpgid,
                vsid: status.vsid,
                loginuid: number_in(&bytes_of(&folder.join("loginuid"))).unwrap_or(u32::MAX),
                tty: stat.tty,
                pid_ns: namespace("pid"),
                mnt_ns: namespace("mnt"),
                user_ns: namespace("user"),
                net_ns,
                pid_ns_start_time: 0,
                fd_limit: fd_limit(&bytes_of(&folder.join("limits"))),
            },
            credentials: status.credentials,
            cgroup: Arc::new(Cgroup::from_proc(
                &bytes_of(&folder.join("cgroup")),
                &self.by_path,
                |path| {
                    let groups = self.groups.as_ref();
                    groups.map_or(0, |groups| groups.number(path))
                },
            )),
            vm_size: stat.vm_size,
            vm_rss: stat.vm_rss,
            threads: threads(&folder, pid),
            descriptors: descriptors(&folder, pid, net_ns, sockets),
        };
        // The id may have passed to another process while we read.
        (Stat::read(&folder)?.start == stat.start).then_some(facts)
    }
}

/// Ids of the processes in a cgroup and below.
fn members(cgroup: &Path) -> Vec<u32> {
    let mut found = Vec::new();
    let mut folders = vec![cgroup.to_owned()];
    while let Some(folder) = folders.pop() {
        let ids = std::fs::read(folder.join("cgroup.procs")).unwrap_or_default();
        found.extend(
            ids.split(|byte| *byte == b'\n')
                .filter_map(number_in::<u32>),
        );
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.extend(below.map(|entry| entry.path()));
    }
    found
}

/// What we need of `/proc/PID/stat`.
struct Stat {
    ppid: u32,
    pgid: u32,
    sid: u32,
    tty: u32,
    start: Start,
    vm_size: u64,
    vm_rss: u64,
}

impl Stat {
    fn read(folder: &Path) -> Option<Stat> {
        let text = bytes_of(&folder.join("stat"));
        // The name may hold anything, also blanks and parentheses; behind the last one are
        // numbers only.
        let behind = memchr::memrchr(b')', &text)? + 2;
        let words: Vec<&[u8]> = text.get(behind..)?.split(|byte| *byte == b' ').collect();
        // proc(5) counts from 1, and the third is the first here.
        let word = |n: usize| words.get(n - 3).copied().unwrap_or_default();
        // A kernel thread has no group or session: 0. A terminal may be printed as negative.
        let signed = |n: usize| str_of(word(n)).parse::<i32>().unwrap_or(0).cast_unsigned();
        Some(Stat {
            ppid: number_in(word(4))?,
            pgid: signed(5),
            sid: signed(6),
            tty: signed(7),
            start: Start::Ticks(number_in(word(22))?),
            vm_size: number_in::<u64>(word(23)).unwrap_or(0) / 1024,
            vm_rss: number_in::<u64>(word(24)).unwrap_or(0) * page_bytes() / 1024,
        })
    }
}

/// What we need of `/proc/PID/status`.
struct Status {
    credentials: Credentials,
    vtid: u32,
    vpgid: u32,
    vsid: u32,
}

impl Status {
    fn read(folder: &Path) -> Option<Status> {
        let text = bytes_of(&folder.join("status"));
        let value = |key: &str| {
            // The name line comes first and has its newline escaped, so no name can pose as a
            // line of its own.
            text.split(|byte| *byte == b'\n')
                .find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b":"))
                .map(str_of)
        };
        let numbers = |key: &str| -> Option<Vec<u32>> {
            value(key)?
                .split_whitespace()
                .map(|word| word.parse().ok())
                .collect()
        };
        let capabilities = |key: &str| u64::from_str_radix(value(key)?.trim(), 16).ok();
        let innermost = |key: &str| numbers(key)?.last().copied();
        let ids = |key: &str| <[u32; 4]>::try_from(numbers(key)?).ok();
        let ([uid, euid, suid, fsuid], [gid, egid, sgid, fsgid]) = (ids("Uid")?, ids("Gid")?);
        Some(Status {
            credentials: Credentials {
                uid,
                euid,
                suid,
                fsuid,
                gid,
                egid,
                sgid,
                fsgid,
                cap_inheritable: capabilities("CapInh")?,
                cap_permitted: capabilities("CapPrm")?,
                cap_effective: capabilities("CapEff")?,
            },
            vtid: innermost("NSpid")?,
            vpgid: innermost("NSpgid")?,
            vsid: innermost("NSsid")?,
        })
    }
}

fn comm(folder: &Path) -> Vec<u8> {
    let mut name = bytes_of(&folder.join("comm"));
    if name.last() == Some(&b'\n') {
        name.pop();
    }
    name
}

fn image(folder: &Path, credentials: &Credentials) -> Image {
    let exe = folder.join("exe");
    let path = link(&exe).unwrap_or_default();
    let arguments = bytes_of(&folder.join("cmdline"));
    let mut file = record::File::default();
    let mut is_writable = false;
    if let Ok(found) = std::fs::metadata(&exe) {
        let (major, minor) = (
            rustix::fs::major(found.dev()),
            rustix::fs::minor(found.dev()),
        );
        file = record::File {
            inode: found.ino(),
            ctime: time(found.ctime(), found.ctime_nsec()),
            mtime: time(found.mtime(), found.mtime_nsec()),
            dev: major << 20 | minor,
            mode: found.mode(),
            open_flags: 0,
            flags: if found.nlink() == 0 {
                record::FILE_UNLINKED
            } else {
                0
            },
            uid: found.uid(),
            gid: found.gid(),
            magic: 0,
        };
        let allowed = if credentials.fsuid == found.uid() {
            0o200
        } else if credentials.fsgid == found.gid() {
            0o020
        } else {
            0o002
        };
        is_writable = credentials.fsuid == 0 || found.mode() & allowed != 0;
    }
    let exe_path = match path.strip_prefix(b"/memfd:") {
        Some(name) => {
            file.flags |= record::FILE_MEMFD;
            [b"memfd:", name].concat()
        }
        None => path,
    };
    Image {
        is_cut: arguments.len() as u64 == FILE_BYTES_MAX,
        started_after_change_ns: 0,
        arguments: arguments.into(),
        environment: bounded(&folder.join("environ"), ENVIRON_BYTES_MAX).into(),
        exe_path: exe_path.into(),
        filename: Box::default(),
        file,
        is_writable,
    }
}

fn threads(folder: &Path, pid: u32) -> Vec<ThreadFacts> {
    let entries = std::fs::read_dir(folder.join("task")).into_iter().flatten();
    let ids = entries.filter_map(|entry| number_in(entry.ok()?.file_name().as_bytes()));
    ids.filter(|tid| *tid != pid)
        .take(THREADS_MAX)
        .filter_map(|tid: u32| {
            let folder = folder.join("task").join(tid.to_string());
            let (stat, status) = (Stat::read(&folder)?, Status::read(&folder)?);
            Some(ThreadFacts {
                tid,
                vtid: status.vtid,
                start: stat.start,
                credentials: status.credentials,
            })
        })
        .collect()
}

fn descriptors(folder: &Path, pid: u32, net_ns: u32, sockets: &mut Sockets) -> Vec<FdFacts> {
    let entries = std::fs::read_dir(folder.join("fd")).into_iter().flatten();
    let numbers = entries.filter_map(|entry| number_in(entry.ok()?.file_name().as_bytes()));
    numbers
        .take(DESCRIPTORS_MAX)
        .filter_map(|fd: u32| {
            let path = folder.join("fd").join(fd.to_string());
            let name = link(&path)?;
            let flags = open_flags(&bytes_of(&folder.join("fdinfo").join(fd.to_string())));
            let mut facts = FdFacts {
                fd,
                kind: FdKind::Unknown,
                name,
                socket: None,
                unix_path: Vec::new(),
                role: Role::None,
                device: 0,
                inode: 0,
                close_on_exec: flags & libc::O_CLOEXEC as u32 != 0,
            };
            if let Some(inode) = inode_in(&facts.name, b"socket:[") {
                sockets.read(pid, net_ns);
                facts.inode = inode;
                if let Some((socket, path)) = sockets.by_inode.get(&inode) {
                    facts.role = sockets.role(net_ns, socket);
                    facts.socket = Some(*socket);
                    facts.unix_path.clone_from(path);
                    facts.kind = match i32::from(socket.family) {
                        libc::AF_INET => FdKind::Ipv4,
                        libc::AF_INET6 => FdKind::Ipv6,
                        libc::AF_UNIX => FdKind::Unix,
                        _ => FdKind::Unknown,
                    };
                }
            } else if let Some(inode) = inode_in(&facts.name, b"pipe:[") {
                facts.kind = FdKind::Pipe;
                facts.inode = inode;
                facts.name.clear();
            } else if facts.name.starts_with(b"anon_inode:") {
                facts.kind = FdKind::of_anonymous(&facts.name);
                facts.name.clear();
            } else if let Some(name) = facts.name.strip_prefix(b"/memfd:") {
                facts.kind = FdKind::Memfd;
                facts.name = name.to_vec();
            } else {
                facts.kind = if flags & libc::O_DIRECTORY as u32 != 0 {
                    FdKind::Directory
                } else {
                    FdKind::File
                };
                // Asks the kernel about the open file itself, wherever its name leads today.
                if let Ok(found) = std::fs::metadata(&path) {
                    let dev = found.dev();
                    let packed = rustix::fs::major(dev) << 20 | rustix::fs::minor(dev);
                    facts.device = encode::device(packed);
                    facts.inode = found.ino();
                }
            }
            Some(facts)
        })
        .collect()
}

impl Sockets {
    /// Reads the tables of a process's network namespace, once for each namespace.
    fn read(&mut self, pid: u32, net_ns: u32) {
        if !self.namespaces.insert(net_ns) {
            return;
        }
        let Ok(process) = i32::try_from(pid).map_err(drop).and_then(|pid| {
            let folder = host_path("/proc").join(pid.to_string());
            ::procfs::process::Process::new_with_root(folder).map_err(drop)
        }) else {
            return;
        };
        // A table that cannot be read (no IPv6, the process gone) is an empty one.
        for entry in [process.tcp(), process.tcp6()]
            .into_iter()
            .flatten()
            .flatten()
        {
            let ends = (entry.local_address, entry.remote_address);
            if entry.state == ::procfs::net::TcpState::Listen {
                self.listening.insert((net_ns, entry.local_address.port()));
            }
            let socket = ip_socket(
                libc::SOCK_STREAM,
                libc::IPPROTO_TCP,
                entry.state as u16,
                ends,
            );
            self.keep(entry.inode, socket, Vec::new());
        }
        for entry in [process.udp(), process.udp6()]
            .into_iter()
            .flatten()
            .flatten()
        {
            let ends = (entry.local_address, entry.remote_address);
            let socket = ip_socket(libc::SOCK_DGRAM, libc::IPPROTO_UDP, 0, ends);
            self.keep(entry.inode, socket, Vec::new());
        }
        for entry in process.unix().into_iter().flatten() {
            let socket = Socket {
                family: libc::AF_UNIX as u16,
                kind: entry.socket_type,
                ..Socket::default()
            };
            let path = entry.path.map(|path| path.into_os_string().into_vec());
            self.keep(entry.inode, socket, path.unwrap_or_default());
        }
    }

    fn keep(&mut self, inode: u64, mut socket: Socket, path: Vec<u8>) {
        // A connection whose process is gone has no inode.
        if inode != 0 && self.by_inode.len() < SOCKETS_MAX {
            socket.inode = inode;
            self.by_inode.insert(inode, (socket, path));
        }
    }

    /// A process serves on a port that is listened on, and is a client on any other.
    fn role(&self, net_ns: u32, socket: &Socket) -> Role {
        let is_ip = [libc::AF_INET, libc::AF_INET6].contains(&i32::from(socket.family));
        if !is_ip {
            Role::None
        } else if self.listening.contains(&(net_ns, socket.local_port)) {
            Role::Server
        } else if socket.remote_port != 0 {
            Role::Client
        } else {
            Role::None
        }
    }
}

fn ip_socket(
    kind: i32,
    protocol: i32,
    state: u16,
    (local, remote): (SocketAddr, SocketAddr),
) -> Socket {
    let bytes = |address: SocketAddr| match address {
        SocketAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.ip().octets());
            bytes
        }
        SocketAddr::V6(address) => address.ip().octets(),
    };
    Socket {
        family: if local.is_ipv4() {
            libc::AF_INET
        } else {
            libc::AF_INET6
        } as u16,
        kind: kind as u16,
        protocol: protocol as u16,
        state,
        local_port: local.port(),
        remote_port: remote.port(),
        local: bytes(local),
        remote: bytes(remote),
        ..Socket::default()
    }
}

/// Where a link of `/proc` leads, without the mark of a file that has no name any more.
fn link(path: &Path) -> Option<Vec<u8>> {
    let mut target = std::fs::read_link(path).ok()?.into_os_string().into_vec();
    if target.ends_with(b" (deleted)") {
        target.truncate(target.len() - b" (deleted)".len());
    }
    Some(target)
}

/// Inode number of a namespace: `net:[4026531840]`.
fn namespace(folder: &Path, name: &str) -> u32 {
    let target = link(&folder.join("ns").join(name)).unwrap_or_default();
    inode_in(&target, format!("{name}:[").as_bytes())
        .and_then(|inode| inode.try_into().ok())
        .unwrap_or(0)
}

fn inode_in(text: &[u8], before: &[u8]) -> Option<u64> {
    number_in(text.strip_prefix(before)?.strip_suffix(b"]")?)
}

/// The soft limit of the line `Max open files`.
fn fd_limit(limits: &[u8]) -> u64 {
    limits
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Max open files"))
        .and_then(|line| str_of(line).split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// The octal flags of `/proc/PID/fdinfo/FD`.
fn open_flags(fdinfo: &[u8]) -> u32 {
    fdinfo
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"flags:"))
        .and_then(|flags| u32::from_str_radix(str_of(flags).trim(), 8).ok())
        .unwrap_or(0)
}

fn time(seconds: i64, nanoseconds: i64) -> u64 {
    let time = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    u64::try_from(time).unwrap_or(0)
}

fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}

fn bytes_of(path: &Path) -> Vec<u8> {
    bounded(path, FILE_BYTES_MAX)
}

/// The beginning of a file; nothing, if it cannot be read: the process may be gone.
fn bounded(path: &Path, bytes_max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(bytes_max).read_to_end(&mut bytes);
    }
    bytes
}

fn str_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn number_in<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    OsStr::from_bytes(bytes).to_str()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// A child that waits until it is dropped.
    struct Waiting(std::process::Child);

    impl Drop for Waiting {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_process_of_ours_is_read_as_it_is() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let mut command = Command::new("/bin/sleep");
        command
            .arg("60")
            .env_clear()
            .env("COLOUR", "blue")
            .current_dir("/usr");
        let listener_fd = std::os::fd::OwnedFd::from(listener);
        let child = command
            .stdin(Stdio::from(listener_fd))
            .spawn()
            .expect("sleep is everywhere");
        let child = Waiting(child);
        let pid = child.0.id();
        // Between fork and exec it is still this test.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let facts = loop {
            let facts = Reader::default().process(pid).expect("it runs");
            if facts.comm == b"sleep" && !facts.image.environment.is_empty() {
                break facts;
            }
            assert!(std::time::Instant::now() < end, "{facts:?}");
        };
        let facts = Reader::default().process(facts.pid).expect("it runs");
        assert_eq!(facts.pid, pid);
        assert_eq!(facts.ids.ppid, std::process::id());
        assert_eq!(&*facts.image.arguments, b"/bin/sleep\x0060\0");
        assert_eq!(&*facts.image.environment, b"COLOUR=blue\0");
        assert!(facts.image.exe_path.starts_with(b"/"));
        assert_eq!(facts.cwd, b"/usr");
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(facts.credentials.euid, own);
        assert!(matches!(facts.start, Start::Ticks(ticks) if ticks > 0));
        let input = facts
            .descriptors
            .iter()
            .find(|fd| fd.fd == 0)
            .expect("stdin is open");
        assert_eq!((input.kind, input.role), (FdKind::Ipv4, Role::Server));
        assert_eq!(input.socket.expect("a socket").local_port, port);
    }

    #[test]
    fn a_name_full_of_parentheses_and_blanks_hides_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let stat = b"7 (evil) R 1 (\xff x) S 42 43 44 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 4096 1";
        std::fs::write(folder.path().join("stat"), stat).expect("a file");
        let stat = Stat::read(folder.path()).expect("readable");
        assert_eq!((stat.ppid, stat.pgid, stat.sid), (42, 43, 44));
        assert_eq!(stat.start, Start::Ticks(99));
    }
}
