//! Values and rows: in Falco's words, for any bytes, and back out of a row as they went in.

use super::row::{Full, Plan};
use super::{Scratch, Value, View, value};
use crate::event::{Clock, Event, decode};
use crate::literal::Literals;
use crate::source::synthetic::{Options, Synthetic};
use crate::state::{Limits, State};
use proptest::prelude::*;
use saker_ebpf::record::{self, Builder, File, Header, Kind, Process, Record, Socket, Tag};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{Arg, ArgKind, Binding, Field, FieldRef, Type};
use saker_rules_schema::manifest::{EventLayout, Manifest, Slot};
use saker_rules_schema::row::{PROCESS_ROW, ROW_BYTES_MAX, Shape};
use std::sync::Arc;

/// Every field, with every kind of argument it takes.
fn references() -> Vec<FieldRef> {
    let with = |field: Field, arg| FieldRef { field, arg };
    let mut all = Vec::new();
    for field in Field::ALL.iter().copied() {
        match field.arg() {
            ArgKind::None => all.push(with(field, Arg::None)),
            ArgKind::Index => {
                for arg in [
                    Arg::None,
                    Arg::Index(0),
                    Arg::Index(1),
                    Arg::Index(u32::MAX),
                ] {
                    all.push(with(field, arg));
                }
            }
            ArgKind::Key => {
                all.push(with(field, Arg::None));
                all.push(with(field, Arg::Key("PATH".into())));
            }
            ArgKind::IndexOrKey | ArgKind::IndexOrKeyRequired => {
                for arg in [Arg::None, Arg::Index(1), Arg::Key("PATH".into())] {
                    all.push(with(field, arg));
                }
            }
            ArgKind::Side => {
                all.push(with(field, Arg::None));
                all.push(with(field, Arg::Key("dst".into())));
            }
            ArgKind::KeyRequired => {
                for key in [
                    "fd", "flags", "name", "res", "args", "tuple", "addr", "0", "99",
                ] {
                    all.push(with(field, Arg::Key(key.into())));
                }
            }
        }
    }
    all
}

fn show(value: Option<Value<'_>>) -> String {
    match value {
        None => "-".into(),
        Some(Value::Text(text) | Value::Given(text) | Value::Bytes(text)) => {
            String::from_utf8_lossy(text).into_owned()
        }
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Int(number) | Value::Unshown(number)) => number.to_string(),
        Some(Value::Uint(number) | Value::Based(number, _)) => number.to_string(),
        Some(value @ Value::Double(_)) => crate::alert::to_json(Some(&value)).to_string(),
        Some(Value::Ip(ip)) => {
            let mut text = Vec::new();
            crate::state::descriptor::write_address(ip, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
        Some(Value::List(items)) => {
            let items: Vec<String> = items.into_iter().map(|item| show(Some(item))).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

fn header(kind: Kind, call: i64, ret: i64, args: [u64; 6]) -> Header {
    Header {
        len: 0,
        kind,
        cpu: 0,
        sequence: 0,
        time: 5_000_000_000,
        start_time: 2_000_000_000,
        cgroup: 0,
        tid: 42,
        tgid: 42,
        syscall: call as u16,
        flags: 0,
        ret,
        args,
    }
}

struct Machine {
    state: State,
    number: u64,
}

impl Machine {
    fn new() -> Machine {
        let mut state = State::new(
            Limits::default(),
            Clock {
                boot_to_epoch_ns: 1_000_000_000,
            },
        );
        state.set_users(crate::state::users::Users::parse(
            b"root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/bin/false\n",
            b"root:x:0:\nnogroup:x:65534:\n",
        ));
        Machine { state, number: 0 }
    }

    /// Applies a record and shows the fields named.
    fn show(&mut self, record: Builder, fields: &[&str]) -> Vec<String> {
        let bytes = record.finish();
        let record = Record::parse(&bytes).expect("the builder's record parses");
        self.number += 1;
        let event = Event::from(decode(&record, &self.state.clock(), self.number));
        let seen = self.state.apply(&event);
        let view = View::new(&event, &self.state, seen);
        let mut scratch = Scratch::new();
        fields
            .iter()
            .map(|field| {
                let field = FieldRef::parse(field).expect("the field exists");
                show(value(&field, &view, &mut scratch))
            })
            .collect()
    }

    fn start(&mut self) {
        let facts = Process {
            parent_tgid: 1,
            vpid: 42,
            vtid: 42,
            vsid: 42,
            sid: 42,
            loginuid: u32::MAX,
            cap_effective: 0b11,
            ..Process::default()
        };
        let mut wire = Vec::new();
        facts.write(&mut wire);
        let record = Builder::new(&header(Kind::Exec, 0, 0, [0; 6]))
            .piece(Tag::Process, 0, &wire)
            .piece(Tag::Comm, 0, b"bash")
            .piece(Tag::Args, 0, b"/bin/bash\0-c\0arg two\0\0end\0")
            .piece(Tag::Env, 0, b"PATH=/bin\0EX=1\0")
            .piece(Tag::Cwd, 0, b"task\0tmp\0")
            .piece(Tag::Cgroup, 0, b"");
        let shown = self.show(
            record,
            &[
                "evt.type",
                "evt.dir",
                "evt.res",
                "proc.exe",
                "proc.args",
                "proc.cmdline",
                "proc.exeline",
                "proc.cmdnargs",
                "proc.cmdlenargs",
                "proc.args[1]",
                "proc.args[9]",
                "proc.env[EX]",
                "proc.env[NO]",
                "proc.cwd",
                "user.name",
                "user.loginuid",
                "user.loginname",
                "thread.cap_effective",
                "container.id",
                "proc.loginshellid",
                "proc.is_sid_leader",
                "proc.pname",
                "proc.aname",
                "evt.arg.args",
                "evt.arg.uid",
                "proc.duration",
                "proc.pid.ts",
                "evt.time",
            ],
        );
        assert_eq!(
            shown,
            [
                "execve",
                "<",
                "SUCCESS",
                "/bin/bash",
                "-c arg two  end",
                "bash -c arg two  end",
                "/bin/bash -c arg two  end",
                "4",
                "12",
                "arg two",
                "",
                "1",
                "",
                "/tmp/task/",
                "root",
                "-1",
                "<NA>",
                "CAP_CHOWN CAP_DAC_OVERRIDE",
                "host",
                "42",
                "true",
                "-",
                "[]",
                "-c.arg two..end.",
                "root",
                "3000000000",
                "3000000000",
                "00:00:06.000000000",
            ]
        );
    }
}

fn opened(components: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let file = File {
        inode: 410_334,
        dev: 254 << 20,
        mode: libc::S_IFREG | 0o644,
        ..File::default()
    };
    let mut wire = Vec::new();
    file.write(&mut wire);
    (wire, components.to_vec())
}

#[test]
fn an_open_reads_as_falco_reads_it() {
    let mut machine = Machine::new();
    machine.start();
    let directory = libc::AT_FDCWD as u32 as u64;
    let (file, path) = opened(b"shadow\0etc\0");
    let call = |ret, flags| {
        header(
            Kind::Syscall,
            libc::SYS_openat,
            ret,
            [directory, 0, flags, 0, 0, 0],
        )
    };
    let fields = [
        "evt.args",
        "evt.arg.fd",
        "evt.arg.name",
        "evt.arg.flags",
        "evt.arg.dirfd",
        "fd.name",
        "fd.nameraw",
        "fd.directory",
        "fd.filename",
        "fd.typechar",
        "fd.type",
        "fd.num",
        "fd.dev",
        "fd.dev.major",
        "fd.ino",
        "fd.l4proto",
        "fs.path.name",
        "evt.is_open_read",
        "evt.is_open_write",
        "evt.failed",
        "fd.is_server",
    ];
    let record = Builder::new(&call(3, libc::O_CLOEXEC as u64))
        .piece(Tag::Path0, 0, b"../../proc/self/root/etc/shadow")
        .piece(Tag::Dir0, 0, b"task\0tmp\0")
        .piece(Tag::File, 0, &file)
        .piece(Tag::FilePath, 0, &path);
    assert_eq!(
        machine.show(record, &fields),
        [
            "fd=3(<f>/etc/shadow) dirfd=-100(AT_FDCWD) name=../../proc/self/root/etc/shadow(/proc/self/root/etc/shadow) flags=4097(O_RDONLY|O_CLOEXEC) mode=0 dev=FE00 ino=410334",
            "<f>/etc/shadow",
            "/proc/self/root/etc/shadow",
            "O_RDONLY|O_CLOEXEC",
            "AT_FDCWD",
            "/etc/shadow",
            "../../proc/self/root/etc/shadow",
            "/etc",
            "shadow",
            "f",
            "file",
            "3",
            "65024",
            "254",
            "410334",
            "<NA>",
            "/proc/self/root/etc/shadow",
            "true",
            "false",
            "false",
            "false",
        ]
    );
    // What is known of the descriptor serves the close, which carries nothing.
    let close = Builder::new(&header(
        Kind::Syscall,
        libc::SYS_close,
        0,
        [3, 0, 0, 0, 0, 0],
    ));
    assert_eq!(
        machine.show(close, &["evt.args", "fd.name"]),
        ["res=0 fd=3(<f>/etc/shadow)", "/etc/shadow"]
    );
    let close = Builder::new(&header(
        Kind::Syscall,
        libc::SYS_close,
        -9,
        [3, 0, 0, 0, 0, 0],
    ));
    assert_eq!(
        machine.show(close, &["evt.args", "fd.name", "fd.typechar", "evt.res"]),
        ["res=-9(EBADF) fd=3", "", "o", "EBADF"]
    );
    let failed = Builder::new(&call(-2, libc::O_RDWR as u64)).piece(Tag::Path0, 0, b"none");
    assert_eq!(
        machine.show(failed, &fields[..12]),
        [
            "fd=-2(ENOENT) dirfd=-100(AT_FDCWD) name=none(/tmp/task/none) flags=3(O_RDWR) mode=0 dev=0 ino=0",
            "ENOENT",
            "/tmp/task/none",
            "O_RDWR",
            "AT_FDCWD",
            "/tmp/task/none",
            "none",
            "/tmp/task",
            "-",
            "f",
            "-",
            "-1",
        ]
    );
    let unread = Builder::new(&call(-14, 0));
    assert_eq!(
        machine.show(unread, &["evt.arg.name", "fd.name"]),
        ["<NA>", "-"]
    );
    let call = header(Kind::Syscall, libc::SYS_openat2, -14, [0; 6]);
    let unread = Builder::new(&call).piece(Tag::Struct, record::PIECE_FAULT, b"");
    assert_eq!(
        machine.show(unread, &["evt.args", "evt.is_open_read"]),
        [
            "fd=-14(EFAULT) dirfd=0 name=<NA> flags=<NA> mode=<NA> resolve=<NA> dev=0 ino=0",
            "false"
        ]
    );
}

#[test]
fn failures_are_counted_by_what_they_are_about() {
    let mut machine = Machine::new();
    machine.start();
    let fields = [
        "evt.count.error",
        "evt.count.error.file",
        "evt.count.error.net",
        "evt.count.error.memory",
        "evt.count.error.other",
    ];
    let mut counted = |call, ret| {
        let call = Builder::new(&header(Kind::Syscall, call, ret, [9, 0, 0, 0, 0, 0]));
        machine.show(call, &fields).join(" ")
    };
    assert_eq!(counted(libc::SYS_openat, -2), "1 1 - - -");
    assert_eq!(counted(libc::SYS_openat, 3), "- - - - -");
    assert_eq!(counted(libc::SYS_connect, -111), "1 - 1 - -");
    assert_eq!(counted(libc::SYS_memfd_create, -24), "1 - - 1 -");
    assert_eq!(counted(libc::SYS_rename, -2), "1 - - - 1");
}

#[test]
fn what_an_events_type_and_time_decide_is_told() {
    let mut machine = Machine::new();
    machine.start();
    let call = Builder::new(&header(
        Kind::Syscall,
        libc::SYS_finit_module,
        0,
        [3, 0, 0, 0, 0, 0],
    ));
    let fields = [
        "evt.time.s",
        "evt.datetime",
        "evt.datetime.s",
        "evt.rawtime.s",
        "evt.rawtime.ns",
        "evt.type.is.finit_module",
        "evt.type.is.open",
        "evt.is_io",
        "evt.is_io_read",
        "evt.is_io_write",
        "evt.io_dir",
        "evt.is_wait",
        "evt.is_async",
        "evt.count",
        "evt.count.exit",
        "evt.info",
        "fd.uid",
        "thread.nametid",
        "evt.latency",
        "container.image",
    ];
    assert_eq!(
        machine.show(call, &fields),
        [
            "00:00:06",
            "1970-01-01 00:00:06.000000000",
            "1970-01-01 00:00:06",
            "6",
            "0",
            "1",
            "0",
            "true",
            "true",
            "false",
            "read",
            "false",
            "false",
            "1",
            "1",
            "res=0 fd=3 uargs=<NA> flags=0",
            "423",
            "bash42",
            "0",
            "",
        ]
    );
}

#[test]
fn paths_of_calls_with_directories_are_made_absolute() {
    let mut machine = Machine::new();
    machine.start();
    let fields = ["evt.abspath", "evt.abspath.src", "evt.abspath.dst"];
    let rename = |ret| {
        Builder::new(&header(
            Kind::Syscall,
            libc::SYS_renameat,
            ret,
            [3, 0, libc::AT_FDCWD as u32 as u64, 0, 0, 0],
        ))
        .piece(Tag::Path0, 0, b"../a")
        .piece(Tag::Path1, 0, b"b")
        .piece(Tag::Dir0, 0, b"t1\0tmp\0")
    };
    let expected = ["/tmp/a", "/tmp/a", "/tmp/task/b"];
    assert_eq!(machine.show(rename(0), &fields), expected);
    assert_eq!(machine.show(rename(-2), &fields), expected);
    let link = Builder::new(&header(Kind::Syscall, libc::SYS_symlink, 0, [0; 6]))
        .piece(Tag::Path0, 0, b"a")
        .piece(Tag::Path1, 0, b"b");
    assert_eq!(machine.show(link, &fields), ["-", "-", "-"]);
}

#[test]
fn groups_limits_and_ancestors_environments_are_told() {
    let mut machine = Machine::new();
    machine.start();
    let facts = Process {
        parent_tgid: 42,
        vpid: 43,
        vtid: 43,
        pgid: 43,
        vpgid: 43,
        fd_limit: 1024,
        pid_ns_start_time: 1_000_000_000,
        ..Process::default()
    };
    let mut wire = Vec::new();
    facts.write(&mut wire);
    let file = File {
        ctime: 2_500_000_000,
        ..File::default()
    };
    let mut exe = Vec::new();
    file.write(&mut exe);
    let exec = Header {
        tid: 43,
        tgid: 43,
        ..header(Kind::Exec, 0, 0, [0; 6])
    };
    let exec = Builder::new(&exec)
        .piece(Tag::Process, 0, &wire)
        .piece(Tag::Comm, 0, b"cat")
        .piece(Tag::Exe, 0, &exe)
        .piece(Tag::Env, 0, b"EX=2\0");
    let fields = [
        "proc.pgid",
        "proc.pgid.name",
        "proc.is_pgid_leader",
        "proc.fdlimit",
        "proc.aenv[0]",
        "proc.aenv[1]",
        "proc.aenv[2]",
        "proc.aenv[EX]",
        "proc.aenv[NO]",
        "proc.aenv",
        "proc.pidns_init_start_ts",
        "proc.exe_ino.ctime_duration_proc_start",
        "proc.exe_ino.ctime_duration_pidns_start",
    ];
    assert_eq!(
        machine.show(exec, &fields),
        [
            "43",
            "cat",
            "true",
            "1024",
            "EX=2",
            "PATH=/bin EX=1",
            "-",
            "1",
            "",
            "[PATH=/bin EX=1]",
            "2000000000",
            "500000000",
            "500000000",
        ]
    );
}

#[test]
fn what_is_not_known_of_a_process_has_no_value() {
    let mut machine = Machine::new();
    // One that nobody told of changes its directory, and begets.
    let moved = Builder::new(&header(Kind::Syscall, libc::SYS_chdir, 0, [0; 6]));
    let own = [
        "proc.name",
        "proc.exe",
        "proc.cmdline",
        "proc.exepath",
        "proc.env[A]",
    ];
    assert_eq!(machine.show(moved, &own), ["-"; 5]);
    let mut wire = Vec::new();
    let facts = Process {
        parent_tgid: 42,
        ..Process::default()
    };
    facts.write(&mut wire);
    let exec = Header {
        tid: 43,
        tgid: 43,
        ..header(Kind::Exec, 0, 0, [0; 6])
    };
    let exec = Builder::new(&exec)
        .piece(Tag::Process, 0, &wire)
        .piece(Tag::Comm, 0, b"true");
    let fields = [
        "proc.name",
        "proc.pname",
        "proc.pexe",
        "proc.pcmdline",
        "proc.aname[1]",
        "proc.acmdline[1]",
        "proc.aname",
    ];
    let shown = machine.show(exec, &fields);
    assert_eq!(shown, ["true", "-", "-", "-", "-", "-", "[]"]);
}

#[test]
fn a_file_opened_by_handle_has_the_name_that_the_kernel_knows() {
    let mut machine = Machine::new();
    machine.start();
    let (file, path) = opened(b"shadow\0etc\0");
    let call = |ret| {
        header(
            Kind::Syscall,
            libc::SYS_open_by_handle_at,
            ret,
            [5, 0, 0, 0, 0, 0],
        )
    };
    let record = Builder::new(&call(3))
        .piece(Tag::File, 0, &file)
        .piece(Tag::FilePath, 0, &path);
    let fields = [
        "evt.args",
        "evt.arg.path",
        "fd.name",
        "fd.typechar",
        "evt.is_open_read",
    ];
    assert_eq!(
        machine.show(record, &fields),
        [
            "fd=3(<f>/etc/shadow) mountfd=5 flags=1(O_RDONLY) path=/etc/shadow dev=FE00 ino=410334",
            "/etc/shadow",
            "/etc/shadow",
            "f",
            "true",
        ]
    );
    assert_eq!(
        machine.show(
            Builder::new(&call(-1)),
            &["evt.args", "fd.num", "evt.is_open_write"]
        ),
        [
            "fd=-1(EPERM) mountfd=5 flags=1(O_RDONLY) path=<NA> dev=0 ino=0",
            "-1",
            "false"
        ]
    );
}

#[test]
fn calls_read_as_falco_reads_them() {
    let mut machine = Machine::new();
    machine.start();
    let call = |call, ret, args: [u64; 6]| Builder::new(&header(Kind::Syscall, call, ret, args));
    for (record, expected) in [
        (
            call(libc::SYS_chmod, 0, [0, 0o4755, 0, 0, 0, 0]).piece(Tag::Path0, 0, b"/tmp/a"),
            "res=0 filename=/tmp/a mode=04755(S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID)",
        ),
        (
            call(libc::SYS_ptrace, -1, [16, 1, 0, 0, 0, 0]),
            "res=-1(EPERM) addr=0 data=0 request=11(PTRACE_ATTACH) pid=1",
        ),
        (
            call(libc::SYS_ptrace, 0, [2, 42, 0xa5_ba88, 0x3b9a_ccf0, 0, 0]),
            "res=0 addr=A5BA88 data=3B9ACCF0 request=3(PTRACE_PEEKDATA) pid=42(bash)",
        ),
        (
            call(libc::SYS_mount, 0, [0, 0, 0, 278_528, 0, 0])
                .piece(Tag::Path0, 0, b"none")
                .piece(Tag::Path1, 0, b"/"),
            "res=0 dev=none dir=/ type=<NA> flags=278528(REC|PRIVATE)",
        ),
        (
            call(libc::SYS_setreuid, 0, [u32::MAX.into(), 65_534, 0, 0, 0, 0]),
            "res=0 ruid=-1(<NONE>) euid=65534(nobody)",
        ),
        (
            call(libc::SYS_kill, 0, [42, 15, 0, 0, 0, 0]),
            "res=0 pid=42(bash) sig=15(SIGTERM)",
        ),
        (
            call(libc::SYS_unshare, 0, [0x2002_0000, 0, 0, 0, 0, 0]),
            "res=0 flags=96(CLONE_NEWNS|CLONE_NEWPID)",
        ),
        (
            call(libc::SYS_mkdir, -17, [0, 0o755, 0, 0, 0, 0]).piece(Tag::Path0, 0, b"d1"),
            "res=-17(EEXIST) path=d1(/tmp/task/d1) mode=1ED",
        ),
        (
            call(libc::SYS_symlink, 0, [0; 6])
                .piece(Tag::Path0, 0, b"a.txt")
                .piece(Tag::Path1, 0, b"s1"),
            "res=0 target=a.txt linkpath=s1(/tmp/task/s1)",
        ),
        (
            call(libc::SYS_bpf, -22, [99, 0, 0, 0, 0, 0]),
            "fd=-22(EINVAL) cmd=99",
        ),
        (
            call(libc::SYS_dup3, -9, [17, 0, 0, 0, 0, 0]),
            "res=-9(EBADF) oldfd=17 newfd=0 flags=0(O_NONE)",
        ),
        (
            call(libc::SYS_socket, 3, [1, 526_337, 0, 0, 0, 0]),
            "fd=3 domain=1(AF_LOCAL|AF_UNIX) type=526337 proto=0 flags=4160(O_NONBLOCK|O_CLOEXEC)",
        ),
        (
            call(libc::SYS_memfd_create, 6, [0, 1, 0, 0, 0, 0]).piece(Tag::Text, 0, b"payload"),
            "fd=6(<m>payload) name=payload flags=1(MFD_CLOEXEC)",
        ),
        (
            call(
                libc::SYS_delete_module,
                -38,
                [0, libc::O_NONBLOCK as u64, 0, 0, 0, 0],
            )
            .piece(Tag::Text, 0, b"nomod"),
            "res=-38(ENOSYS) name=nomod flags=2(O_NONBLOCK)",
        ),
        (call(libc::SYS_setsid, -1, [0; 6]), "res=-1"),
        (
            Builder::new(&header(Kind::Exit, 0, 0, [768, 1, 0, 0, 0, 0])),
            "status=768 ret=3 sig=0 core=0 reaper_tid=0",
        ),
    ] {
        assert_eq!(machine.show(record, &["evt.args"]), [expected]);
    }
}

#[test]
fn both_ends_of_a_connection_are_told_apart() {
    let mut machine = Machine::new();
    machine.start();
    let mut local = [0; 16];
    local[..4].copy_from_slice(&[127, 0, 0, 1]);
    let mut remote = [0; 16];
    remote[..4].copy_from_slice(&[10, 0, 0, 7]);
    let socket = Socket {
        family: libc::AF_INET as u16,
        kind: 1,
        protocol: 6,
        local_port: 4444,
        remote_port: 58_586,
        local,
        remote,
        inode: 99,
        ..Socket::default()
    };
    let mut wire = Vec::new();
    socket.write(&mut wire);
    let fields = [
        "fd.name",
        "fd.cip",
        "fd.sip",
        "fd.cport",
        "fd.sport",
        "fd.lip",
        "fd.rport",
        "fd.ip",
        "fd.is_server",
        "fd.l4proto",
        "fd.sockfamily",
        "fd.type",
        "evt.arg.fd",
        "evt.arg.tuple",
    ];
    let accept = Builder::new(&header(
        Kind::Syscall,
        libc::SYS_accept,
        4,
        [3, 0, 0, 0, 0, 0],
    ))
    .piece(Tag::Socket, 0, &wire);
    assert_eq!(
        machine.show(accept, &fields),
        [
            "10.0.0.7:58586->127.0.0.1:4444",
            "10.0.0.7",
            "127.0.0.1",
            "58586",
            "4444",
            "127.0.0.1",
            "58586",
            "[10.0.0.7, 127.0.0.1]",
            "true",
            "tcp",
            "ip",
            "ipv4",
            "<4t>10.0.0.7:58586->127.0.0.1:4444",
            "10.0.0.7:58586->127.0.0.1:4444",
        ]
    );
    // A shell with its standard streams on the connection.
    for fd in 0..2 {
        let dup = Builder::new(&header(
            Kind::Syscall,
            libc::SYS_dup2,
            fd,
            [4, fd as u64, 0, 0, 0, 0],
        ));
        machine.show(dup, &[]);
    }
    let exec = Builder::new(&header(Kind::Exec, 0, 0, [0; 6])).piece(Tag::Comm, 0, b"sh");
    assert_eq!(
        machine.show(
            exec,
            &[
                "proc.name",
                "proc.stdin.type",
                "proc.stdout.name",
                "proc.stderr.type"
            ]
        ),
        ["sh", "ipv4", "10.0.0.7:58586->127.0.0.1:4444", "-"]
    );
    let connect = Builder::new(&header(
        Kind::Syscall,
        libc::SYS_connect,
        -111,
        [9, 0, 0, 0, 0, 0],
    ))
    .piece(Tag::Sockaddr, 0, &[2, 0, 0, 1, 127, 0, 0, 1]);
    assert_eq!(
        machine.show(connect, &["evt.args"]),
        ["res=-111(ECONNREFUSED) tuple=NULL fd=9 addr=127.0.0.1:1"]
    );
}

/// A manifest that wants every field of every event.
fn everything() -> Manifest {
    let slot = |field: FieldRef| Slot {
        term: field.into(),
        bytes: true,
    };
    let of = |binding| {
        references()
            .into_iter()
            .filter(move |field| {
                field.field.binding() == binding && field.field.both_ends().is_none()
            })
            .map(slot)
            .collect::<Vec<_>>()
    };
    Manifest {
        process: of(Binding::Process),
        events: EventType::ALL
            .iter()
            .map(|event| EventLayout {
                event: *event,
                slots: of(Binding::Event),
                needs: Vec::new(),
            })
            .collect(),
        ..Manifest::default()
    }
}

fn u32_at(row: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(row[at..at + 4].try_into().expect("four bytes"))
}

fn string_at(row: &[u8], at: u32) -> &[u8] {
    let at = at as usize;
    &row[at + 4..][..u32_at(row, at) as usize]
}

/// Reads a slot back as the contract says it lies there.
fn read_slot(row: &[u8], slots: &[Slot], index: usize) -> String {
    let shape = Shape {
        slots: slots.len() as u16,
    };
    let (at, mask) = shape.presence(index as u16);
    let word = u64::from_le_bytes(row[at as usize..][..8].try_into().expect("eight bytes"));
    if word & mask == 0 {
        return "-".into();
    }
    let field = slots[index]
        .term
        .field()
        .expect("only fields are asked for");
    let at = shape.slot(index as u16) as usize;
    let read = |at: usize| {
        let (low, high) = (u32_at(row, at), u32_at(row, at + 4));
        let number = u64::from(low) | u64::from(high) << 32;
        match field.kind() {
            Type::Text | Type::Bytes => show(Some(Value::Text(string_at(row, high)))),
            Type::IpAddr | Type::IpNet => show(Some(Value::Ip(string_at(row, high)))),
            Type::Bool => show(Some(Value::Bool(number != 0))),
            Type::Int => show(Some(Value::Int(number as i64))),
            Type::Uint | Type::Port | Type::AbsTime | Type::RelTime | Type::Double => {
                show(Some(Value::Uint(number)))
            }
        }
    };
    if !field.is_list() {
        return read(at);
    }
    let (count, place) = (u32_at(row, at) as usize, u32_at(row, at + 4) as usize);
    let items: Vec<String> = (0..count).map(|item| read(place + item * 8)).collect();
    format!("[{}]", items.join(", "))
}

#[test]
fn what_goes_into_a_row_comes_back_out_of_it() {
    let manifest = everything();
    let mut literals = Literals::new();
    let bash = literals.intern(b"bash");
    let mut plan = Plan::new(&manifest, &Arc::new(literals), 1).expect("the manifest is sound");
    let mut machine = Machine::new();
    let mut records = Synthetic::new(Options {
        seed: 1,
        processes: 30,
    });
    let mut out = vec![0xAA; 2 * ROW_BYTES_MAX];
    let mut scratch = Scratch::new();
    let name = manifest.process.iter().position(|slot| {
        slot.term
            .field()
            .is_some_and(|field| field.field == Field::ProcName)
    });
    let name = name.expect("the name has a slot");
    let (mut process_row, mut with_process, mut bashes) = (Vec::new(), 0, 0);
    for number in 1..3_000u64 {
        let bytes = records.next_record();
        let record = Record::parse(&bytes).expect("a synthetic record parses");
        let event = Event::from(decode(&record, &machine.state.clock(), number));
        let seen = machine.state.apply(&event);
        if number % 3 == 0 {
            plan.begin_window();
        }
        let written = plan
            .write(&mut machine.state, &event, seen, &mut out)
            .expect("there is room for two rows")
            .expect("every event is wanted");
        assert_eq!(written.bytes % 8, 0);
        let row = &out[written.row..written.bytes];
        assert_eq!(u32_at(row, 0) as usize, row.len());
        let view = View::new(&event, &machine.state, seen);
        let slots = &manifest.events[event.kind().expect("it is an event").index()].slots;
        for (index, slot) in slots.iter().enumerate() {
            let field = slot.term.field().expect("only fields are asked for");
            let expected = show(value(field, &view, &mut scratch));
            assert_eq!(read_slot(row, slots, index), expected, "{field}");
        }
        if written.row > 0 {
            with_process += 1;
            process_row = out[..written.row].to_vec();
            assert_eq!(u32_at(&process_row, 4) as u16, PROCESS_ROW);
            assert_eq!(u32_at(&process_row, 24), u32_at(row, 24));
            for (index, slot) in manifest.process.iter().enumerate() {
                let field = slot.term.field().expect("only fields are asked for");
                let expected = show(value(field, &view, &mut scratch));
                assert_eq!(
                    read_slot(&process_row, &manifest.process, index),
                    expected,
                    "{}",
                    field
                );
            }
            let shape = Shape {
                slots: manifest.process.len() as u16,
            };
            if read_slot(&process_row, &manifest.process, name) == "bash" {
                bashes += 1;
                assert_eq!(u32_at(&process_row, shape.slot(name as u16) as usize), bash);
            }
        }
        machine.state.release(number.saturating_sub(5));
    }
    assert!(
        with_process > 900 && bashes > 10,
        "{with_process} process rows, {bashes} of bash"
    );
    assert!(!process_row.is_empty());
}

#[test]
fn a_window_without_room_is_left_to_be_closed() {
    let manifest = everything();
    let mut plan = Plan::new(&manifest, &Arc::default(), 1).expect("the manifest is sound");
    let mut machine = Machine::new();
    let bytes = Synthetic::new(Options::default()).next_record();
    let record = Record::parse(&bytes).expect("a synthetic record parses");
    let event = Event::from(decode(&record, &Clock::default(), 1));
    let seen = machine.state.apply(&event);
    let mut whole = vec![0; 2 * ROW_BYTES_MAX];
    let written = plan
        .write(&mut machine.state, &event, seen, &mut whole)
        .expect("there is room")
        .expect("the event is wanted");
    for room in 0..written.bytes {
        plan.begin_window();
        let mut out = vec![0; room];
        assert_eq!(
            plan.write(&mut machine.state, &event, seen, &mut out),
            Err(Full)
        );
    }
    plan.begin_window();
    let mut out = vec![0; written.bytes];
    let again = plan.write(&mut machine.state, &event, seen, &mut out);
    assert_eq!(again, Ok(Some(written)));
    assert_eq!(out, whole[..written.bytes]);
}

fn piece() -> impl Strategy<Value = (u16, u16, Vec<u8>)> {
    let sized = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<u8>(), File::BYTES),
        prop::collection::vec(any::<u8>(), Socket::BYTES),
        prop::collection::vec(any::<u8>(), Process::BYTES),
        prop::collection::vec(
            prop_oneof![Just(0u8), Just(b'/'), Just(b'.'), any::<u8>()],
            0..300
        ),
    ];
    (0..40u16, 0..4u16, sized)
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    let small = || prop_oneof![0..6u64, any::<u64>()];
    (
        (
            1..5u16,
            prop_oneof![0..512u16, any::<u16>()],
            0..8u32,
            0..8u32,
        ),
        (
            prop_oneof![-5..9i64, any::<i64>()],
            [small(), small(), small(), small(), small(), small()],
        ),
        prop::collection::vec(piece(), 0..8),
        (any::<u64>(), 0..3u64),
    )
        .prop_map(
            |((kind, syscall, tid, tgid), (ret, args), pieces, (time, start_time))| {
                let header = Header {
                    kind: [Kind::Syscall, Kind::Exec, Kind::Fork, Kind::Exit]
                        [usize::from(kind) - 1],
                    syscall,
                    tid,
                    tgid,
                    ret,
                    args,
                    time,
                    start_time,
                    ..header(Kind::Exit, 0, 0, [0; 6])
                };
                let mut builder = Builder::new(&header);
                for (tag, flags, bytes) in pieces {
                    if let Some(tag) = Tag::from_u16(tag) {
                        builder = builder.piece(tag, flags, &bytes);
                    }
                }
                builder.finish()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_record_makes_anything_panic(records in prop::collection::vec(record(), 1..40)) {
        let limits = Limits {
            threads_max: 16,
            processes_max: 16,
            versions_max: 24,
            descriptors_max: 24,
            descriptors_per_process_max: 8,
            entries_max: 8,
            ..Limits::default()
        };
        let mut state = State::new(limits, Clock { boot_to_epoch_ns: -7 });
        let mut plan = Plan::new(&everything(), &Arc::default(), 1).expect("the manifest is sound");
        let fields = references();
        let mut scratch = Scratch::new();
        let mut out = vec![0; 2 * ROW_BYTES_MAX];
        for (number, bytes) in records.iter().enumerate() {
            let number = number as u64 + 1;
            let record = Record::parse(bytes).expect("the builder's record parses");
            let event = Event::from(decode(&record, &state.clock(), number));
            let seen = state.apply(&event);
            let view = View::new(&event, &state, seen);
            for field in &fields {
                let _ = value(field, &view, &mut scratch);
            }
            if plan.write(&mut state, &event, seen, &mut out) == Err(Full) {
                plan.begin_window();
            }
            state.release(number.saturating_sub(3));
        }
    }
}
