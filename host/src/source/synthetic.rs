//! Records that look like a busy machine's, made from a seed: for benches and tests.
//!
//! The same seed gives the same bytes. Processes form a tree, have command lines and paths,
//! fork, exec, open, connect and exit, in one of two mixes. Nothing is read from the machine this
//! runs on.

use super::merge::Batch;
use saker_ebpf::record::{Builder, File, Header, Kind, Process, Socket, Tag};

/// How large the synthetic machine is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Decides everything that is random.
    pub seed: u64,
    /// Processes alive at a time; at least 4.
    pub processes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 1,
            processes: 400,
        }
    }
}

/// How often which call is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mix {
    /// Roughly a server's: a quarter are opens, a third closes. One in twenty forks, execs, exits
    /// or takes another user, which is much.
    #[default]
    Server,
    /// That of a busy machine in the capture that Falco was measured by (`busy_falcoset` in
    /// `PEER.md` beside its data), as far as it is told: 27 % are opens, 2.7 % connects, 0.5 %
    /// execs, and 40 % of a type that Falco's rules name.
    Busy,
}

/// First process id given out.
const FIRST_PID: u32 = 1_000;
/// Process ids are given out again from [`FIRST_PID`] on after this one.
const LAST_PID: u32 = 60_000;
/// Nanoseconds between records, at most.
const STEP_NS: u64 = 4_000;
const CPUS: u16 = 4;

const PROGRAMS: [(&str, &str, &str); 10] = [
    ("bash", "bin\0usr\0", "bash\0-l\0"),
    ("sh", "bin\0usr\0", "sh\0-c\0run-parts /etc/cron.hourly\0"),
    ("nginx", "sbin\0usr\0", "nginx: worker process\0"),
    (
        "python3",
        "bin\0usr\0",
        "python3\0-S\0/srv/app/main.py\0--port\08080\0",
    ),
    (
        "java",
        "bin\0jdk\0opt\0",
        "java\0-Xmx2g\0-jar\0/srv/app/service.jar\0",
    ),
    ("postgres", "bin\0lib\0usr\0", "postgres: checkpointer\0"),
    ("curl", "bin\0usr\0", "curl\0-s\0http://10.0.0.7/health\0"),
    ("cat", "bin\0usr\0", "cat\0/etc/hostname\0"),
    ("ls", "bin\0usr\0", "ls\0-la\0/var/log\0"),
    ("sshd", "sbin\0usr\0", "sshd: alice [priv]\0"),
];

/// Paths as the kernel gives them, leaf first; the last one in a hundred is read rarely.
const FILES: [&str; 12] = [
    "libc.so.6\0x86_64-linux-gnu\0lib\0usr\0",
    "ld.so.cache\0etc\0",
    "locale-archive\0locale\0lib\0usr\0",
    "main.py\0app\0srv\0",
    "access.log\0nginx\0log\0var\0",
    "null\0dev\0",
    "stat\0self\0proc\0",
    "passwd\0etc\0",
    "resolv.conf\0etc\0",
    "relation\0database\0base\0data\0postgresql\0lib\0var\0",
    "session_8f1c\0tmp\0",
    "shadow\0etc\0",
];

const CONTAINER: &str =
    "3fa4c2d17be09a5586d1f0c4e2b7a9833fa4c2d17be09a5586d1f0c4e2b7a983\0docker\0";

#[derive(Clone, Debug)]
struct Task {
    pid: u32,
    start_time: u64,
    parent: u32,
    parent_start: u64,
    session: u32,
    program: usize,
    uid: u32,
    contained: bool,
}

/// An endless stream of records.
#[derive(Debug)]
pub struct Synthetic {
    random: u64,
    tasks: Vec<Task>,
    time: u64,
    sequences: [u64; CPUS as usize],
    next_pid: u32,
    /// In sequence, as the kernel gives them out.
    next_socket: u64,
    processes: usize,
    mix: Mix,
    /// Records that must come next, such as the exec after a fork.
    pending: Vec<Vec<u8>>,
}

impl Synthetic {
    /// A machine with one process from which all others descend.
    pub fn new(options: Options) -> Synthetic {
        let time = 50_000_000_000;
        let first = Task {
            pid: 1,
            start_time: 1_000_000,
            parent: 0,
            parent_start: 0,
            session: 1,
            program: 1,
            uid: 0,
            contained: false,
        };
        let mut synthetic = Synthetic {
            // A state of zero would stay zero.
            random: options.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            tasks: vec![first.clone()],
            time,
            sequences: [0; CPUS as usize],
            next_pid: FIRST_PID,
            next_socket: 900_000,
            processes: options.processes.max(4),
            mix: Mix::default(),
            pending: Vec::new(),
        };
        let exec = synthetic.exec(&first);
        synthetic.pending.push(exec);
        synthetic
    }

    /// The same machine, doing something else.
    pub fn with_mix(self, mix: Mix) -> Synthetic {
        Synthetic { mix, ..self }
    }

    /// Appends that many records to a batch.
    pub fn fill(&mut self, batch: &mut Batch, records: usize) {
        for _ in 0..records {
            let record = self.next_record();
            batch.push(&record);
        }
    }

    /// The next record's bytes.
    pub fn next_record(&mut self) -> Vec<u8> {
        if let Some(record) = self.pending.pop() {
            return record;
        }
        let (which, births) = match self.mix {
            Mix::Server => (self.pick(100), 3),
            Mix::Busy => (self.pick(1000), 10),
        };
        // Forks and exits keep the number of processes about level.
        let is_few = which < births && self.tasks.len() < self.processes;
        if self.tasks.len() < self.processes / 2 || is_few {
            return self.fork();
        }
        if which < births {
            return self.exit();
        }
        match self.mix {
            Mix::Server => self.server(which),
            Mix::Busy => self.busy(which),
        }
    }

    /// Of a hundred.
    fn server(&mut self, which: usize) -> Vec<u8> {
        match which {
            ..29 => self.openat(),
            29..66 => self.close(),
            66..74 => self.dup(),
            74..82 => self.connect(),
            82..86 => self.accept(),
            86..90 => self.path_call(libc::SYS_unlink, &[0; 6]),
            90..97 => self.path_call(libc::SYS_mkdir, &[0, 0o755, 0, 0, 0, 0]),
            97..99 => self.path_call(libc::SYS_chmod, &[0, 0o644, 0, 0, 0, 0]),
            _ => self.setuid(),
        }
    }

    /// Of a thousand.
    fn busy(&mut self, which: usize) -> Vec<u8> {
        match which {
            ..284 => self.openat(),
            284..711 => self.close(),
            711..761 => self.dup(),
            761..788 => self.connect(),
            788..798 => self.accept(),
            798..823 => self.path_call(libc::SYS_unlink, &[0; 6]),
            823..993 => self.path_call(libc::SYS_mkdir, &[0, 0o755, 0, 0, 0, 0]),
            993..998 => self.path_call(libc::SYS_chmod, &[0, 0o644, 0, 0, 0, 0]),
            _ => self.setuid(),
        }
    }

    /// xorshift64*: good enough for a mix, and the same everywhere.
    fn pick(&mut self, below: usize) -> usize {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let number = self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        number as usize % below.max(1)
    }

    fn task(&mut self) -> Task {
        // The first process only forks.
        let index = 1 + self.pick(self.tasks.len() - 1);
        self.tasks[index.min(self.tasks.len() - 1)].clone()
    }

    fn header(&mut self, task: &Task, kind: Kind) -> Header {
        self.time += 1 + self.pick(STEP_NS as usize) as u64;
        let cpu = self.pick(usize::from(CPUS)) as u16;
        let sequence = &mut self.sequences[usize::from(cpu)];
        *sequence += 1;
        Header {
            len: 0,
            kind,
            cpu,
            sequence: *sequence,
            time: self.time,
            start_time: task.start_time,
            cgroup: if task.contained { 7_000 } else { 1 },
            tid: task.pid,
            tgid: task.pid,
            syscall: 0,
            flags: 0,
            ret: 0,
            args: [0; 6],
        }
    }

    fn call(&mut self, task: &Task, syscall: i64, ret: i64, args: [u64; 6]) -> Header {
        Header {
            syscall: syscall as u16,
            ret,
            args,
            ..self.header(task, Kind::Syscall)
        }
    }

    fn openat(&mut self) -> Vec<u8> {
        let task = self.task();
        let rare = self.pick(100) == 0;
        let last = FILES.len() - 1;
        let file = if rare { last } else { self.pick(last) };
        let writes = self.pick(10) == 0;
        let flags = libc::O_CLOEXEC
            | if writes {
                libc::O_WRONLY | libc::O_CREAT
            } else {
                0
            };
        let failed = self.pick(10) == 0;
        let ret = if failed { -2 } else { 3 + self.pick(40) as i64 };
        let directory = libc::AT_FDCWD as u32 as u64;
        let header = self.call(
            &task,
            libc::SYS_openat,
            ret,
            [directory, 0, flags as u64, 0o644, 0, 0],
        );
        let components = FILES[file].as_bytes();
        let mut raw = Vec::new();
        crate::event::path::write_components(components, &mut raw);
        let record = Builder::new(&header).piece(Tag::Path0, 0, &raw);
        if failed {
            return record.finish();
        }
        let wire = File {
            inode: 400_000 + file as u64,
            ctime: 1_700_000_000_000_000_000,
            mtime: 1_700_000_000_000_000_000,
            dev: 254 << 20,
            mode: libc::S_IFREG | 0o644,
            open_flags: flags as u32,
            flags: 0,
            uid: 0,
            gid: 0,
            magic: 0xEF53,
        };
        record
            .piece(Tag::File, 0, &file_bytes(&wire))
            .piece(Tag::FilePath, 0, components)
            .finish()
    }

    fn close(&mut self) -> Vec<u8> {
        let task = self.task();
        let fd = 3 + self.pick(40) as u64;
        let header = self.call(&task, libc::SYS_close, 0, [fd, 0, 0, 0, 0, 0]);
        Builder::new(&header).finish()
    }

    fn dup(&mut self) -> Vec<u8> {
        let task = self.task();
        let from = 3 + self.pick(40) as u64;
        let to = 3 + self.pick(40) as u64;
        let header = self.call(&task, libc::SYS_dup2, to as i64, [from, to, 0, 0, 0, 0]);
        Builder::new(&header).finish()
    }

    fn socket(&mut self, accepted: bool) -> Socket {
        let mut near = [0; 16];
        near[..4].copy_from_slice(&[10, 0, 0, 5]);
        let mut far = [0; 16];
        far[..4].copy_from_slice(&[10, 0, self.pick(4) as u8, self.pick(250) as u8]);
        let ephemeral = 32_768 + self.pick(20_000) as u16;
        let service = [80, 443, 5432, 8080][self.pick(4)];
        let inode = self.next_socket;
        self.next_socket += 1;
        Socket {
            family: libc::AF_INET as u16,
            kind: libc::SOCK_STREAM as u16,
            protocol: libc::IPPROTO_TCP as u16,
            state: 1,
            local_port: if accepted { service } else { ephemeral },
            remote_port: if accepted { ephemeral } else { service },
            reserved: 0,
            local: near,
            remote: far,
            inode,
            identity: 0xffff_8881_0000_0000 + inode * 64,
        }
    }

    fn connect(&mut self) -> Vec<u8> {
        let task = self.task();
        let fd = 3 + self.pick(40) as u64;
        let socket = self.socket(false);
        let header = self.call(&task, libc::SYS_connect, 0, [fd, 0, 16, 0, 0, 0]);
        let mut address = Vec::from((libc::AF_INET as u16).to_le_bytes());
        address.extend_from_slice(&socket.remote_port.to_be_bytes());
        address.extend_from_slice(&socket.remote[..4]);
        address.resize(16, 0);
        Builder::new(&header)
            .piece(Tag::Socket, 0, &socket_bytes(&socket))
            .piece(Tag::Sockaddr, 0, &address)
            .finish()
    }

    fn accept(&mut self) -> Vec<u8> {
        let task = self.task();
        let fd = 3 + self.pick(40) as i64;
        let socket = self.socket(true);
        let args = [3, 0, 0, libc::SOCK_CLOEXEC as u64, 0, 0];
        let header = self.call(&task, libc::SYS_accept4, fd, args);
        Builder::new(&header)
            .piece(Tag::Socket, 0, &socket_bytes(&socket))
            .finish()
    }

    fn path_call(&mut self, syscall: i64, args: &[u64; 6]) -> Vec<u8> {
        let task = self.task();
        let failed = self.pick(4) == 0;
        let header = self.call(&task, syscall, if failed { -2 } else { 0 }, *args);
        Builder::new(&header)
            .piece(Tag::Path0, 0, b"cache/part")
            .piece(Tag::Dir0, 0, b"app\0srv\0")
            .finish()
    }

    fn setuid(&mut self) -> Vec<u8> {
        let task = self.task();
        let uid = if task.uid == 0 { 33 } else { task.uid };
        if let Some(kept) = self.tasks.iter_mut().find(|kept| kept.pid == task.pid) {
            kept.uid = uid;
        }
        let header = self.call(&task, libc::SYS_setuid, 0, [uid.into(), 0, 0, 0, 0, 0]);
        let facts = process_bytes(&Task { uid, ..task });
        Builder::new(&header)
            .piece(Tag::Process, 0, &facts)
            .finish()
    }

    fn fork(&mut self) -> Vec<u8> {
        let index = self.pick(self.tasks.len());
        let parent = self.tasks[index].clone();
        let pid = self.next_free_pid();
        let contained = parent.contained || self.pick(8) == 0;
        let child = Task {
            pid,
            start_time: self.time,
            parent: parent.pid,
            parent_start: parent.start_time,
            contained,
            ..parent.clone()
        };
        let mut header = self.header(&child, Kind::Fork);
        header.args[0] = parent.pid.into();
        header.args[1] = parent.start_time;
        let record = Builder::new(&header)
            .piece(Tag::Process, 0, &process_bytes(&child))
            .piece(Tag::Comm, 0, PROGRAMS[child.program].0.as_bytes())
            .piece(Tag::Cgroup, 0, cgroup(&child))
            .finish();
        let program = self.pick(PROGRAMS.len());
        let child = Task { program, ..child };
        self.tasks.push(child.clone());
        let exec = self.exec(&child);
        self.pending.push(exec);
        record
    }

    fn exec(&mut self, task: &Task) -> Vec<u8> {
        let header = self.header(task, Kind::Exec);
        let (name, directory, arguments) = PROGRAMS[task.program];
        let exe = File {
            inode: 200_000 + task.program as u64,
            dev: 254 << 20,
            mode: libc::S_IFREG | 0o755,
            ..File::default()
        };
        let mut path = format!("{name}\0").into_bytes();
        path.extend_from_slice(directory.as_bytes());
        Builder::new(&header)
            .piece(Tag::Process, 0, &process_bytes(task))
            .piece(Tag::Comm, 0, name.as_bytes())
            .piece(Tag::Args, 0, arguments.as_bytes())
            .piece(Tag::Env, 0, b"PATH=/usr/bin:/bin\0LANG=C\0HOME=/root\0")
            .piece(Tag::Filename, 0, name.as_bytes())
            .piece(Tag::Exe, 0, &file_bytes(&exe))
            .piece(Tag::ExePath, 0, &path)
            .piece(Tag::Cwd, 0, b"app\0srv\0")
            .piece(Tag::Cgroup, 0, cgroup(task))
            .finish()
    }

    fn exit(&mut self) -> Vec<u8> {
        let index = 1 + self.pick(self.tasks.len() - 1);
        let task = self.tasks.swap_remove(index.min(self.tasks.len() - 1));
        let first = self.tasks[0].clone();
        for orphan in &mut self.tasks {
            if orphan.parent == task.pid {
                orphan.parent = first.pid;
                orphan.parent_start = first.start_time;
            }
        }
        let mut header = self.header(&task, Kind::Exit);
        header.args = [0, 1, first.pid.into(), 0, 0, 0];
        Builder::new(&header).finish()
    }

    fn next_free_pid(&mut self) -> u32 {
        loop {
            let pid = self.next_pid;
            self.next_pid = if pid >= LAST_PID { FIRST_PID } else { pid + 1 };
            if self.tasks.iter().all(|task| task.pid != pid) {
                return pid;
            }
        }
    }
}

fn cgroup(task: &Task) -> &'static [u8] {
    if task.contained {
        CONTAINER.as_bytes()
    } else {
        b"app.service\0system.slice\0"
    }
}

fn process_bytes(task: &Task) -> Vec<u8> {
    let facts = Process {
        parent_tgid: task.parent,
        parent_tid: task.parent,
        parent_start_time: task.parent_start,
        leader_start_time: task.start_time,
        pgid: task.session,
        sid: task.session,
        vtid: task.pid,
        vpid: task.pid,
        vpgid: task.session,
        vsid: task.session,
        loginuid: u32::MAX,
        uid: task.uid,
        euid: task.uid,
        suid: task.uid,
        fsuid: task.uid,
        cap_permitted: if task.uid == 0 { 0x1ff_ffff_ffff } else { 0 },
        cap_effective: if task.uid == 0 { 0x1ff_ffff_ffff } else { 0 },
        fd_limit: 1024,
        vm_size: 20_000,
        vm_rss: 4_000,
        ..Process::default()
    };
    let mut bytes = Vec::with_capacity(Process::BYTES);
    facts.write(&mut bytes);
    bytes
}

fn file_bytes(file: &File) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(File::BYTES);
    file.write(&mut bytes);
    bytes
}

fn socket_bytes(socket: &Socket) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(Socket::BYTES);
    socket.write(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use saker_ebpf::record::Record;

    #[test]
    fn the_same_seed_gives_the_same_records_and_they_parse_in_order_of_time() {
        let options = Options::default();
        let (mut one, mut two) = (Synthetic::new(options), Synthetic::new(options));
        let mut opens = 0;
        let mut before = 0;
        for _ in 0..20_000 {
            let record = one.next_record();
            assert_eq!(record, two.next_record());
            let record = Record::parse(&record).expect("a synthetic record parses");
            assert!(record.header.time > before);
            before = record.header.time;
            opens += u32::from(i64::from(record.header.syscall) == libc::SYS_openat);
        }
        assert!((4_000..6_500).contains(&opens), "{opens} opens");
        let other = Options { seed: 2, ..options };
        let mut other = Synthetic::new(other);
        let mut one = Synthetic::new(options);
        assert!((0..100).any(|_| other.next_record() != one.next_record()));
    }
}
