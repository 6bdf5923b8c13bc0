//! Threads and processes over hand-made events of captures: who a thread was, whose it was and
//! what it had, at which event.

use crate::event::{Captured, Clock, Event, captured};
use crate::extract::{Scratch, Value, View, value};
use crate::state::{Limits, Seen, State};
use saker_capture::{Entry, Section, Thread, User};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::FieldRef;

const SECOND: u64 = 1_000_000_000;
const CLONE_THREAD: u32 = 1 << 13;
const CLONE_VFORK: u32 = 1 << 27;
const CLONE_PARENT: u32 = 1 << 8;
const IN_PIDNS: u32 = 1 << 29;

/// A replay that a test makes up.
struct Replay {
    state: State,
    number: u64,
    time: u64,
}

/// What a clone or an exec tells of a thread.
#[derive(Clone, Copy)]
struct Told<'a> {
    exe: &'a str,
    args: &'a [u8],
    tid: i64,
    pid: i64,
    ptid: i64,
    comm: &'a str,
    cgroups: &'a [u8],
    flags: u32,
    uid: u32,
    vtid: i64,
    vpid: i64,
}

fn told(tid: i64, pid: i64, ptid: i64) -> Told<'static> {
    Told {
        exe: "/bin/sh",
        args: b"-c\0true\0",
        tid,
        pid,
        ptid,
        comm: "sh",
        cgroups: b"",
        flags: 0,
        uid: 0,
        vtid: tid,
        vpid: pid,
    }
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

impl Told<'_> {
    /// The parameters that clone and exec have in common.
    fn params(&self, result: i64) -> Vec<Vec<u8>> {
        let mut params = vec![
            result.to_le_bytes().to_vec(),
            text(self.exe),
            self.args.to_vec(),
        ];
        params.extend([self.tid, self.pid, self.ptid].map(|id| id.to_le_bytes().to_vec()));
        params.push(text("<NA>"));
        params.push(1024i64.to_le_bytes().to_vec());
        params.extend([3u64, 4].map(|faults| faults.to_le_bytes().to_vec()));
        params.extend([500u32, 100, 7].map(|kb| kb.to_le_bytes().to_vec()));
        params.push(text(self.comm));
        params.push(self.cgroups.to_vec());
        params
    }

    fn clone_params(&self, result: i64) -> Vec<Vec<u8>> {
        let mut params = self.params(result);
        params.extend([self.flags, self.uid, 0].map(|number| number.to_le_bytes().to_vec()));
        params.extend([self.vtid, self.vpid].map(|id| id.to_le_bytes().to_vec()));
        params.push(77u64.to_le_bytes().to_vec());
        params
    }

    fn exec_params(&self, env: &[u8]) -> Vec<Vec<u8>> {
        let mut params = self.params(0);
        params.push(env.to_vec());
        params.push(34816u32.to_le_bytes().to_vec());
        params.push(self.pid.to_le_bytes().to_vec());
        params.push(1000u32.to_le_bytes().to_vec());
        params.push(9u32.to_le_bytes().to_vec());
        params.extend([0u64, 1, 3, 55, 66, 88].map(|number| number.to_le_bytes().to_vec()));
        params.push(self.uid.to_le_bytes().to_vec());
        params.push(text("/bin/program (deleted)"));
        params.push(self.pid.to_le_bytes().to_vec());
        params.push(0u32.to_le_bytes().to_vec());
        params.push(text("program"));
        params
    }
}

impl Replay {
    fn new(limits: Limits) -> Replay {
        Replay {
            state: State::new(limits, Clock::default()),
            number: 0,
            time: 1000 * SECOND,
        }
    }

    /// A machine with its first process, a shell below it, and a process with two threads.
    fn with_processes() -> Replay {
        let mut replay = Replay::new(Limits::default());
        replay.seed(1, 1, 0, "init");
        replay.seed(10, 10, 1, "sh");
        replay.seed(20, 20, 10, "server");
        replay.seed(21, 20, 10, "worker");
        replay
    }

    fn seed(&mut self, tid: i64, pid: i64, ptid: i64, comm: &str) {
        self.state.seed_captured(&Entry::Thread(Box::new(Thread {
            tid,
            pid,
            ptid,
            sid: 10,
            vpgid: pid,
            pgid: pid,
            vtid: tid,
            vpid: pid,
            comm: comm.as_bytes(),
            exe: comm.as_bytes(),
            exepath: b"/bin/seeded",
            env: b"A=b\0NAME=of it\0",
            cwd: b"/home/",
            fdlimit: 64,
            ..Thread::default()
        })));
    }

    fn apply(&mut self, kind: EventType, tid: i64, params: &[Vec<u8>]) -> Seen {
        let mut bytes = Vec::new();
        let param = |index: usize| -> &[u8] { &params[index] };
        captured::write(kind, 0, self.time, tid, params.len(), param, &mut bytes);
        self.number += 1;
        self.time += 1_000_000;
        let event = Captured::parse(&bytes, self.number).expect("it was just written");
        self.state.apply(&Event::Captured(event))
    }

    fn clone_by(&mut self, tid: i64, child: i64, told: Told<'_>) -> Seen {
        self.apply(EventType::Clone, tid, &told.clone_params(child))
    }

    fn clone_of(&mut self, told: Told<'_>) -> Seen {
        self.apply(EventType::Clone, told.tid, &told.clone_params(0))
    }

    fn exec(&mut self, told: Told<'_>, env: &[u8]) -> Seen {
        self.apply(EventType::Execve, told.tid, &told.exec_params(env))
    }

    fn exit(&mut self, tid: i64, reaper: i64) -> Seen {
        let mut params = vec![Vec::new(); 4];
        params.push(reaper.to_le_bytes().to_vec());
        self.apply(EventType::Procexit, tid, &params)
    }

    /// A call without consequences.
    fn look(&mut self, tid: i64) -> Seen {
        self.apply(EventType::Getuid, tid, &[0u32.to_le_bytes().to_vec()])
    }

    /// A field as the latest event shows it.
    fn show(&self, tid: i64, seen: Seen, field: &str) -> String {
        self.show_at(self.number, tid, seen, field)
    }

    /// A field as an event shows it that is still in flight.
    fn show_at(&self, number: u64, tid: i64, seen: Seen, field: &str) -> String {
        let mut bytes = Vec::new();
        let result = 0u32.to_le_bytes();
        captured::write(
            EventType::Getuid,
            0,
            self.time,
            tid,
            1,
            |_| &result,
            &mut bytes,
        );
        let event = Captured::parse(&bytes, number).expect("it was just written");
        let event = Event::Captured(event);
        let view = View::new(&event, &self.state, seen);
        let field = FieldRef::parse(field).expect("it is a field");
        let mut scratch = Scratch::new();
        match value(&field, &view, &mut scratch) {
            None => "-".into(),
            Some(Value::Text(text)) => String::from_utf8_lossy(text).into(),
            Some(Value::Int(number)) => number.to_string(),
            Some(Value::Uint(number)) => number.to_string(),
            Some(Value::Bool(is)) => is.to_string(),
            Some(other) => format!("{other:?}"),
        }
    }

    fn shows(&self, tid: i64, seen: Seen, expected: &[(&str, &str)]) {
        for (field, expected) in expected {
            assert_eq!(self.show(tid, seen, field), *expected, "{field}");
        }
    }
}

#[test]
fn threads_of_the_start_are_linked_before_the_first_event() {
    let mut replay = Replay::new(Limits::default());
    // Children may be listed before their parents.
    replay.seed(21, 20, 10, "worker");
    replay.seed(20, 20, 10, "server");
    replay.seed(10, 10, 99, "sh");
    let seen = replay.look(21);
    replay.shows(
        21,
        seen,
        &[
            ("proc.name", "worker"),
            ("proc.pid", "20"),
            ("thread.tid", "21"),
            ("thread.ismain", "false"),
            ("proc.pname", "sh"),
            ("proc.ppid", "10"),
            ("proc.apid[2]", "-"),
            ("proc.env[NAME]", "of it"),
            ("proc.cwd", "/home/"),
            ("proc.nthreads", "2"),
            ("proc.nchilds", "1"),
            ("proc.fdlimit", "64"),
            ("proc.duration", "-"),
            ("proc.ppid.ts", "0"),
        ],
    );
    let seen = replay.look(10);
    replay.shows(10, seen, &[("proc.ppid", "0"), ("proc.pname", "-")]);
}

#[test]
fn a_child_is_the_same_whichever_return_of_its_clone_comes_first() {
    for creator_first in [true, false] {
        let mut replay = Replay::with_processes();
        let child = Told {
            uid: 5,
            ..told(30, 30, 10)
        };
        let by_creator = Told {
            tid: 10,
            pid: 10,
            ptid: 1,
            vtid: 10,
            vpid: 10,
            ..child
        };
        let start = replay.time;
        if creator_first {
            replay.clone_by(10, 30, by_creator);
            replay.clone_of(child);
        } else {
            replay.clone_of(child);
            replay.clone_by(10, 30, by_creator);
        }
        let seen = replay.look(30);
        let start = start.to_string();
        replay.shows(
            30,
            seen,
            &[
                ("proc.pid", "30"),
                ("proc.ppid", "10"),
                ("proc.vpid", "30"),
                ("proc.exepath", "/bin/seeded"),
                ("proc.cmdline", "sh -c true"),
                ("proc.env", "A=b NAME=of it"),
                ("proc.cwd", "/home/"),
                ("proc.sid", "10"),
                ("proc.sname", "sh"),
                ("proc.pid.ts", &start),
                ("user.uid", "5"),
                ("proc.nthreads", "1"),
                ("proc.fdlimit", "1024"),
                ("proc.vmsize", "500"),
                ("proc.vmswap", "7"),
                ("thread.pfmajor", "3"),
                ("thread.pfminor", "4"),
            ],
        );
    }
}

#[test]
fn a_child_that_ended_before_its_creators_return_does_not_come_back() {
    let mut replay = Replay::with_processes();
    replay.clone_of(told(30, 30, 10));
    replay.exit(30, 0);
    replay.clone_by(10, 30, told(10, 10, 1));
    let seen = replay.look(30);
    // Nobody told of it: what does something now is another thread of that id.
    replay.shows(30, seen, &[("proc.pid", "-1"), ("proc.name", "<NA>")]);
    let mut replay = Replay::with_processes();
    replay.clone_of(told(30, 30, 10));
    replay.exit(30, 0);
    replay.time += 3 * SECOND;
    replay.clone_by(10, 30, told(10, 10, 1));
    let seen = replay.look(30);
    replay.shows(30, seen, &[("proc.pid", "30"), ("proc.ppid", "10")]);
}

#[test]
fn a_thread_shares_what_its_process_has() {
    let mut replay = Replay::with_processes();
    let thread = Told {
        flags: CLONE_THREAD,
        ..told(10, 10, 1)
    };
    replay.clone_by(10, 31, thread);
    replay.apply(
        EventType::Chdir,
        10,
        &[0i64.to_le_bytes().to_vec(), text("sub/../x")],
    );
    let seen = replay.look(31);
    replay.shows(
        31,
        seen,
        &[
            ("proc.pid", "10"),
            ("proc.ppid", "1"),
            ("proc.vpid", "10"),
            ("proc.cwd", "/home/x/"),
            ("proc.env", "A=b NAME=of it"),
            ("proc.nthreads", "2"),
            ("proc.nchilds", "1"),
            ("thread.vmsize", "0"),
            ("proc.vmsize", "500"),
        ],
    );
    // The first thread ends; the process lives on, and is still asked for what it has.
    replay.exit(10, 0);
    let seen = replay.look(31);
    replay.shows(
        31,
        seen,
        &[
            ("proc.cwd", "/home/x/"),
            ("proc.nthreads", "1"),
            ("proc.nchilds", "1"),
        ],
    );
    replay.exit(31, 0);
    replay.look(1);
    assert!(replay.state.live_process(31).is_none());
    assert!(replay.state.live_process(10).is_none());
}

#[test]
fn only_the_child_tells_of_a_vfork_a_sibling_and_a_child_in_a_namespace() {
    for (kind, flags) in [
        (EventType::Vfork, 0),
        (EventType::Clone3, CLONE_VFORK),
        (EventType::Clone, CLONE_PARENT),
        (EventType::Clone, IN_PIDNS),
    ] {
        let mut replay = Replay::with_processes();
        let by_creator = Told {
            flags,
            ..told(10, 10, 1)
        };
        replay.apply(kind, 10, &by_creator.clone_params(30));
        assert!(replay.state.live_process(30).is_none(), "{kind:?}");
    }
    let mut replay = Replay::with_processes();
    let inside = Told {
        flags: IN_PIDNS,
        vtid: 1,
        vpid: 1,
        ..told(30, 30, 10)
    };
    let seen = replay.clone_of(inside);
    replay.shows(
        30,
        seen,
        &[
            ("proc.vpid", "1"),
            ("thread.vtid", "1"),
            ("proc.pvpid", "10"),
            ("proc.pidns_init_start_ts", "77"),
        ],
    );
    // Its own clones tell ids of another namespace.
    replay.clone_by(30, 2, told(30, 30, 10));
    assert!(replay.state.live_process(2).is_none());
}

#[test]
fn leaders_inside_a_pid_namespace_are_looked_for_among_ancestors() {
    let mut replay = Replay::with_processes();
    let first = Told {
        flags: IN_PIDNS,
        vtid: 1,
        vpid: 1,
        comm: "first",
        ..told(30, 30, 20)
    };
    replay.clone_of(first);
    replay.apply(EventType::Setsid, 30, &[1i64.to_le_bytes().to_vec()]);
    let second = Told {
        flags: IN_PIDNS,
        vtid: 2,
        vpid: 2,
        comm: "second",
        ..told(31, 31, 30)
    };
    let seen = replay.clone_of(second);
    // In the first namespace 1 is another process.
    replay.shows(31, seen, &[("proc.sid", "1"), ("proc.sname", "first")]);
    let seen = replay.look(30);
    replay.shows(
        30,
        seen,
        &[("proc.is_sid_leader", "true"), ("proc.sname", "")],
    );
}

#[test]
fn exec_leaves_one_thread_and_tells_what_it_is_now() {
    let mut replay = Replay::with_processes();
    let before = replay.look(21);
    let at = replay.number;
    // The second thread calls exec; the kernel gives it the first one's id.
    replay.exit(20, 0);
    let program = Told {
        exe: "program",
        args: b"",
        comm: "program",
        cgroups: b"memory_cgroup=/m\0io=/i\0broken\0cpu=/c\0",
        uid: 1000,
        ..told(20, 20, 10)
    };
    let seen = replay.exec(program, b"X=1\0");
    replay.shows(
        20,
        seen,
        &[
            ("proc.exe", "program"),
            ("proc.exepath", "/bin/program"),
            ("proc.exeline", "program "),
            ("proc.cmdline", "program"),
            ("proc.cmdnargs", "0"),
            ("proc.env", "X=1"),
            ("proc.env[A]", ""),
            ("proc.tty", "34816"),
            ("user.loginuid", "1000"),
            ("proc.is_exe_writable", "true"),
            ("proc.is_exe_lower_layer", "true"),
            ("proc.is_exe_upper_layer", "false"),
            ("proc.exe_ino", "55"),
            ("proc.exe_ino.ctime", "66"),
            ("proc.exe_ino.mtime", "88"),
            ("thread.cap_permitted", "CAP_CHOWN"),
            ("thread.cap_effective", "CAP_CHOWN CAP_DAC_OVERRIDE"),
            ("thread.cgroups", "memory=/m blkio=/i"),
            ("thread.cgroup.memory", "/m"),
            ("thread.cgroup.cpu", "-"),
            ("proc.nthreads", "1"),
            ("proc.nchilds", "0"),
            ("user.uid", "1000"),
        ],
    );
    assert!(replay.state.live_process(21).is_none());
    // What was seen before stays as it was.
    assert_eq!(replay.show_at(at, 21, before, "proc.name"), "worker");
    assert_eq!(replay.show_at(at, 21, before, "proc.env[A]"), "b");
    let params = [(-2i64).to_le_bytes().to_vec(), text("/other")];
    let seen = replay.apply(EventType::Execve, 20, &params);
    replay.shows(20, seen, &[("proc.exe", "program")]);
}

#[test]
fn an_exec_makes_a_thread_known_of_which_nothing_was() {
    let mut replay = Replay::with_processes();
    let seen = replay.look(50);
    replay.shows(
        50,
        seen,
        &[
            ("proc.pid", "-1"),
            ("proc.ppid", "-"),
            ("proc.name", "<NA>"),
            ("proc.exe", "<NA>"),
            ("proc.cwd", "./"),
            ("proc.nthreads", "0"),
            ("proc.vpid", "-"),
            ("thread.vtid", "-"),
            ("user.uid", "4294967295"),
        ],
    );
    let seen = replay.exec(told(50, 50, 10), b"");
    replay.shows(
        50,
        seen,
        &[
            ("proc.pid", "50"),
            ("proc.ppid", "10"),
            ("proc.pname", "sh"),
            ("proc.vpid", "50"),
            ("thread.vtid", "50"),
            ("proc.nthreads", "1"),
        ],
    );
    assert_eq!(replay.state.counters.unknown_threads, 1);
}

#[test]
fn a_clone_makes_its_creator_known() {
    let mut replay = Replay::with_processes();
    let seen = replay.clone_by(50, 51, told(50, 50, 10));
    replay.shows(
        50,
        seen,
        &[("proc.pid", "50"), ("proc.ppid", "10"), ("proc.name", "sh")],
    );
    let seen = replay.look(51);
    replay.shows(51, seen, &[("proc.ppid", "50"), ("proc.exepath", "")]);
    // A thread whose process nobody knows makes it known, a child whose parent nobody knows
    // does not.
    let thread = Told {
        flags: CLONE_THREAD,
        ..told(61, 60, 10)
    };
    let seen = replay.clone_of(thread);
    replay.shows(61, seen, &[("proc.pid", "60"), ("proc.nthreads", "2")]);
    replay.clone_of(told(71, 71, 70));
    let seen = replay.look(70);
    replay.shows(70, seen, &[("proc.pid", "-1")]);
}

#[test]
fn the_end_takes_effect_with_the_next_event() {
    let mut replay = Replay::with_processes();
    let seen = replay.exit(10, 0);
    let at = replay.number;
    replay.shows(10, seen, &[("proc.name", "sh"), ("proc.nthreads", "0")]);
    let child = replay.look(20);
    assert_eq!(replay.show_at(at, 10, seen, "proc.pname"), "init");
    // Its children go to the first process, which inherits.
    replay.shows(20, child, &[("proc.ppid", "1"), ("proc.pname", "init")]);
    assert!(replay.state.live_process(10).is_none());
}

#[test]
fn children_go_to_whom_the_kernel_names_then_to_threads_then_to_reapers() {
    let mut replay = Replay::with_processes();
    replay.seed(2, 2, 1, "manager");
    replay.exit(10, 2);
    let seen = replay.look(20);
    replay.shows(20, seen, &[("proc.ppid", "2"), ("proc.apid[2]", "1")]);

    let mut replay = Replay::with_processes();
    replay.clone_of(told(40, 40, 21));
    replay.exit(21, 0);
    let seen = replay.look(40);
    replay.shows(
        40,
        seen,
        &[("proc.aname[1]", "server"), ("proc.ppid", "20")],
    );

    let mut replay = Replay::with_processes();
    replay.clone_of(told(40, 40, 20));
    replay.clone_of(told(41, 41, 40));
    let params = [
        0i64.to_le_bytes().to_vec(),
        36u32.to_le_bytes().to_vec(),
        text("<NA>"),
        1i64.to_le_bytes().to_vec(),
    ];
    replay.apply(EventType::Prctl, 10, &params);
    replay.exit(40, 0);
    let seen = replay.look(41);
    replay.shows(41, seen, &[("proc.ppid", "10")]);
}

#[test]
fn a_process_that_a_thread_forks_has_no_environment_of_its_own_yet() {
    let mut replay = Replay::with_processes();
    let seen = replay.clone_of(told(40, 40, 21));
    replay.shows(
        40,
        seen,
        &[
            ("proc.env", ""),
            ("proc.cwd", "/home/"),
            ("proc.ppid", "20"),
            ("proc.pname", "worker"),
        ],
    );
}

#[test]
fn ids_limits_and_capabilities_follow_the_calls() {
    let mut replay = Replay::with_processes();
    let ok = 0i64.to_le_bytes().to_vec();
    let number = |number: u32| number.to_le_bytes().to_vec();
    let long = |number: i64| number.to_le_bytes().to_vec();
    replay.state.seed_captured(&Entry::User(User {
        uid: 7,
        gid: 7,
        name: b"seven",
        home: b"/home/seven",
        shell: b"/bin/sh",
    }));
    replay.apply(
        EventType::Setresuid,
        20,
        &[ok.clone(), number(5), number(7), number(9)],
    );
    replay.apply(EventType::Setgid, 20, &[long(-1), number(4)]);
    replay.apply(
        EventType::Capset,
        20,
        &[ok.clone(), long(1), long(2), long(4)],
    );
    // The target's first thread has the limit.
    let params: Vec<Vec<u8>> = vec![
        ok.clone(),
        long(99),
        long(100),
        long(0),
        long(0),
        long(21),
        vec![7],
    ];
    replay.apply(EventType::Prlimit, 1, &params);
    let seen = replay.look(20);
    replay.shows(
        20,
        seen,
        &[
            ("user.uid", "7"),
            ("user.name", "seven"),
            ("group.gid", "0"),
            ("group.name", "root"),
            ("thread.cap_inheritable", "CAP_CHOWN"),
            ("thread.cap_permitted", "CAP_DAC_OVERRIDE"),
            ("proc.fdlimit", "99"),
        ],
    );
    // Only the one thread was told to be somebody else.
    let seen = replay.look(21);
    replay.shows(21, seen, &[("user.uid", "0"), ("user.name", "root")]);
    let sizes = [ok, number(1), number(2), number(3)];
    replay.apply(EventType::Brk, 20, &sizes);
    let other = replay.look(21);
    replay.shows(21, other, &[("proc.vmsize", "0")]);
    let seen = replay.look(20);
    replay.shows(20, seen, &[("proc.vmsize", "1"), ("proc.vmrss", "2")]);
}

#[test]
fn ids_that_no_kernel_gives_out_make_nothing_known() {
    let mut replay = Replay::with_processes();
    for tid in [i64::MIN, -5, -1, 1 << 23, u32::MAX.into(), i64::MAX] {
        assert_eq!(replay.look(tid).version, Seen::NONE.version, "{tid}");
        replay.clone_of(told(tid, tid, tid));
        replay.clone_of(told(30, tid, tid));
        replay.clone_by(10, tid, told(tid, tid, tid));
        replay.exec(told(10, tid, tid), b"");
        replay.exit(tid, tid);
        replay.exit(10, tid);
    }
    assert!(replay.state.sizes()[1] < 10);
    assert!(replay.state.counters.bad_ids > 0);
}

#[test]
fn threads_are_bounded_whatever_a_capture_tells() {
    let mut replay = Replay::new(Limits {
        processes_max: 64,
        versions_max: 256,
        ..Limits::default()
    });
    for round in 0..2000 {
        let tid = 2 + round * 7919 % 500;
        let pid = 2 + round * 31 % 40;
        let flags = if round % 3 == 0 { CLONE_THREAD } else { 0 };
        let told = Told {
            flags,
            ..told(tid, pid, 2 + round % 50)
        };
        match round % 5 {
            0 => replay.clone_of(told),
            1 => replay.clone_by(pid, tid, told),
            2 => replay.exec(told, b"A=b\0"),
            3 => replay.exit(tid, pid),
            _ => replay.look(tid),
        };
        replay.state.release(replay.number + 1);
        replay.time += SECOND / 10;
        let [_, processes, versions, _, _] = replay.state.sizes();
        assert!(processes <= 64 && versions <= 256);
    }
}

#[test]
fn another_capture_behind_the_first_begins_anew() {
    let mut replay = Replay::with_processes();
    replay.look(20);
    replay.state.seed_captured(&Entry::Section(Section::NEWEST));
    replay.seed(20, 20, 10, "another");
    let seen = replay.look(20);
    replay.shows(20, seen, &[("proc.name", "another"), ("proc.pname", "-")]);
    let seen = replay.look(10);
    replay.shows(10, seen, &[("proc.name", "<NA>")]);
}

#[test]
fn a_snapshot_tells_of_every_thread_what_its_events_told() {
    let mut replay = Replay::with_processes();
    let inside = Told {
        flags: IN_PIDNS,
        vtid: 1,
        vpid: 1,
        cgroups: b"cpuset=/docker/3fa4c2d17be09a5586d1f0c4e2b7a9833fa4c2d17be09a5586d1f0c4e2b7a983\0memory=/\0",
        ..told(30, 30, 10)
    };
    replay.clone_of(inside);
    let worker = Told {
        flags: CLONE_THREAD | IN_PIDNS,
        vtid: 2,
        vpid: 1,
        comm: "worker",
        cgroups: inside.cgroups,
        ..told(31, 30, 10)
    };
    replay.clone_of(worker);
    let mut later = Replay::new(Limits::default());
    let taken: Result<(), ()> = replay.state.snapshot(replay.number, |entry| {
        later.state.seed_captured(entry);
        Ok(())
    });
    assert_eq!(taken, Ok(()));
    for (tid, shown) in [
        (30, [("proc.name", "sh"), ("thread.vtid", "1")]),
        (31, [("proc.name", "worker"), ("thread.vtid", "2")]),
    ] {
        for replay in [&mut replay, &mut later] {
            let seen = replay.look(tid);
            replay.shows(tid, seen, &shown);
            replay.shows(
                tid,
                seen,
                &[
                    ("proc.pid", "30"),
                    ("container.id", "3fa4c2d17be0"),
                    ("thread.cgroup.memory", "/"),
                    ("proc.vpid", "1"),
                    ("proc.nthreads", "2"),
                    ("proc.vmsize", "500"),
                    ("proc.vmrss", "100"),
                    ("proc.vmswap", "7"),
                    ("thread.pfmajor", "3"),
                    ("thread.pfminor", "4"),
                ],
            );
            let place = replay.state.live_process(tid as u32).expect("it lives");
            assert_ne!(replay.state.kept(place).flags & IN_PIDNS, 0);
        }
    }
}

#[test]
fn a_snapshot_tells_that_a_first_thread_has_ended_before_others() {
    let mut replay = Replay::with_processes();
    replay.clone_of(told(30, 30, 10));
    replay.clone_of(Told {
        flags: CLONE_THREAD,
        ..told(31, 30, 10)
    });
    replay.exit(30, 0);
    replay.look(31);
    let mut later = Replay::new(Limits::default());
    let taken: Result<(), ()> = replay.state.snapshot(replay.number, |entry| {
        later.state.seed_captured(entry);
        Ok(())
    });
    assert_eq!(taken, Ok(()));
    for replay in [&mut replay, &mut later] {
        let seen = replay.look(31);
        replay.shows(31, seen, &[("proc.nthreads", "1"), ("proc.pid", "30")]);
        replay.exit(31, 0);
        // With its last thread the process ends as well.
        replay.look(10);
        assert_eq!(replay.state.live_process(30), None);
    }
}

#[test]
fn of_more_threads_than_there_is_room_for_the_first_ones_are_kept() {
    let limits = Limits {
        processes_max: 64,
        versions_max: 128,
        ..Limits::default()
    };
    let mut replay = Replay::new(limits);
    for tid in 1..=1_000 {
        replay.seed(tid, tid, 1, "listed");
    }
    // An eighth is left for those that events tell of.
    assert_eq!(replay.state.sizes()[1], 56);
    assert_eq!(replay.state.counters.processes_refused, 1_000 - 56);
    let seen = replay.look(50);
    replay.shows(50, seen, &[("proc.name", "listed")]);
    let seen = replay.look(900);
    replay.shows(900, seen, &[("proc.name", "<NA>")]);
}

#[test]
fn control_groups_are_bounded_and_free_again_with_their_threads() {
    let limits = Limits {
        cgroup_bytes_max: 10_000,
        ..Limits::default()
    };
    let mut replay = Replay::with_processes();
    replay.state = State::new(limits, Clock::default());
    let list = |tid: i64| format!("cpuset=/{tid}/{}\0", "x".repeat(1_000)).into_bytes();
    for tid in 100..200 {
        let cgroups = &list(tid)[..];
        replay.clone_of(Told {
            cgroups,
            ..told(tid, tid, 1)
        });
    }
    let refused = replay.state.counters.cgroups_refused;
    assert!((95..=97).contains(&refused), "{refused}");
    let seen = replay.look(100);
    replay.shows(
        100,
        seen,
        &[("thread.cgroup.cpuset", &text_of(&list(100)[7..]))],
    );
    let seen = replay.look(199);
    replay.shows(199, seen, &[("thread.cgroup.cpuset", "-")]);
    for tid in 100..200 {
        replay.exit(tid, 0);
        replay.look(1);
        replay.state.release(replay.number);
    }
    let cgroups = &list(300)[..];
    let seen = replay.clone_of(Told {
        cgroups,
        ..told(300, 300, 1)
    });
    replay.shows(
        300,
        seen,
        &[("thread.cgroup.cpuset", &text_of(&cgroups[7..]))],
    );
    assert_eq!(replay.state.counters.cgroups_refused, refused);
}

fn text_of(bytes: &[u8]) -> String {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}
