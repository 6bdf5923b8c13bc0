//! The state over hand-made records: who a process was, at which event.

use super::container::Cgroup;
use super::facts::{Image, ProcessFacts, Start, TICK_NS, ThreadFacts};
use super::version::{Credentials, Ids, ProcessVersion, RowCache};
use super::{Limits, Lookup, Seen, State};
use crate::event::{Clock, Event, decode};
use crate::source::synthetic::{Options, Synthetic};
use saker_ebpf::record::{Builder, Header, Kind, PROCESS_THREAD, Process, Record, Tag};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A machine on which a test makes things happen.
struct Machine {
    state: State,
    number: u64,
}

#[derive(Clone, Copy)]
struct Task {
    pid: u32,
    start: u64,
    parent: u32,
    uid: u32,
}

fn task(pid: u32, parent: u32) -> Task {
    Task {
        pid,
        start: u64::from(pid) * 1_000_000_007,
        parent,
        uid: 0,
    }
}

fn facts(task: Task, flags: u32) -> Vec<u8> {
    let facts = Process {
        parent_tgid: task.parent,
        vtid: task.pid,
        vpid: task.pid,
        uid: task.uid,
        euid: task.uid,
        loginuid: u32::MAX,
        flags,
        ..Process::default()
    };
    let mut bytes = Vec::new();
    facts.write(&mut bytes);
    bytes
}

impl Machine {
    fn new(limits: Limits) -> Machine {
        Machine {
            state: State::new(limits, Clock::default()),
            number: 0,
        }
    }

    fn apply(&mut self, header: Header, pieces: &[(Tag, &[u8])]) -> (Seen, u64) {
        let mut record = Builder::new(&header);
        for (tag, bytes) in pieces {
            record = record.piece(*tag, 0, bytes);
        }
        let bytes = record.finish();
        let record = Record::parse(&bytes).expect("the builder's record parses");
        self.number += 1;
        let event = Event::from(decode(&record, &Clock::default(), self.number));
        (self.state.apply(&event), self.number)
    }

    fn header(task: Task, kind: Kind) -> Header {
        Header {
            len: 0,
            kind,
            cpu: 0,
            sequence: 0,
            time: 1,
            start_time: task.start,
            cgroup: 0,
            tid: task.pid,
            tgid: task.pid,
            syscall: 0,
            flags: 0,
            ret: 0,
            args: [0; 6],
        }
    }

    fn fork(&mut self, creator: Task, child: Task) -> (Seen, u64) {
        let mut header = Machine::header(child, Kind::Fork);
        header.args[0] = creator.pid.into();
        header.args[1] = creator.start;
        self.apply(header, &[(Tag::Process, &facts(child, 0))])
    }

    fn exec(&mut self, task: Task, name: &str) -> (Seen, u64) {
        let args = format!("{name}\0--flag\0");
        self.apply(
            Machine::header(task, Kind::Exec),
            &[
                (Tag::Process, &facts(task, 0)),
                (Tag::Comm, name.as_bytes()),
                (Tag::Args, args.as_bytes()),
            ],
        )
    }

    fn call(&mut self, task: Task, call: i64, ret: i64, args: [u64; 6]) -> (Seen, u64) {
        let header = Header {
            syscall: call as u16,
            ret,
            args,
            ..Machine::header(task, Kind::Syscall)
        };
        self.apply(header, &[])
    }

    fn exit(&mut self, task: Task, reaper: u32) -> (Seen, u64) {
        let mut header = Machine::header(task, Kind::Exit);
        header.args = [0, 1, reaper.into(), 0, 0, 0];
        self.apply(header, &[])
    }

    fn version(&self, seen: Seen) -> &ProcessVersion {
        self.state
            .version(seen.version)
            .expect("the version is readable")
    }

    fn name(&self, seen: Seen) -> &str {
        std::str::from_utf8(self.version(seen).comm.as_bytes()).expect("names here are text")
    }

    /// Names of the ancestors that an event saw, nearest first.
    fn lineage(&self, (seen, number): (Seen, u64)) -> Vec<String> {
        self.state
            .lineage(self.version(seen), number)
            .map(|version| String::from_utf8_lossy(version.comm.as_bytes()).into_owned())
            .collect()
    }
}

/// init, a shell and its child, each having executed something.
fn family() -> (Machine, Task, Task, Task) {
    let mut machine = Machine::new(Limits::default());
    let (init, shell, child) = (task(1, 0), task(10, 1), task(11, 10));
    machine.exec(init, "init");
    machine.fork(init, shell);
    machine.exec(shell, "bash");
    machine.fork(shell, child);
    machine.exec(child, "cat");
    (machine, init, shell, child)
}

#[test]
fn a_parent_that_executes_later_does_not_change_what_an_earlier_event_saw() {
    let (mut machine, _, shell, child) = family();
    let event = machine.call(child, libc::SYS_close, 0, [3; 6]);
    machine.exec(shell, "nginx");
    let later = machine.call(child, libc::SYS_close, 0, [3; 6]);
    assert_eq!(machine.lineage(event), ["bash", "init"]);
    assert_eq!(machine.lineage(later), ["nginx", "init"]);
    // Neither does the end of the parent, of its parent, or of the process itself.
    machine.exit(shell, 1);
    machine.exit(child, 1);
    assert_eq!(machine.lineage(event), ["bash", "init"]);
    assert_eq!(machine.lineage(later), ["nginx", "init"]);
    assert_eq!(machine.name(event.0), "cat");
}

#[test]
fn what_no_event_in_flight_refers_to_is_freed() {
    let (mut machine, init, shell, child) = family();
    for round in 0..1000 {
        let extra = task(100 + round, 11);
        machine.fork(child, extra);
        machine.exec(extra, "sh");
        machine.exec(child, "cat");
        machine.exit(extra, 11);
        let number = machine.number;
        machine.state.release(number + 1);
    }
    let [threads, processes, versions, descriptors, _] = machine.state.sizes();
    assert_eq!((threads, processes, versions, descriptors), (3, 3, 3, 0));
    assert_eq!(machine.state.retired(), 0);
    machine.exit(child, 10);
    machine.exit(shell, 1);
    machine.exit(init, 0);
    machine.state.release(u64::MAX);
    assert_eq!(machine.state.sizes(), [0; 5]);
}

#[test]
fn a_process_id_used_again_is_another_process() {
    let (mut machine, _, shell, child) = family();
    let old = machine.call(child, libc::SYS_close, 0, [3; 6]);
    machine.exit(child, 10);
    let again = Task {
        start: child.start + 1,
        ..child
    };
    machine.fork(shell, again);
    let new = machine.exec(again, "ls");
    assert_eq!(machine.name(old.0), "cat");
    assert_eq!(machine.name(new.0), "ls");
    let at = |number| {
        let version = machine.state.process_at(child.pid, number);
        version.map(|version| version.comm.as_bytes().to_vec())
    };
    assert_eq!(at(old.1), Some(b"cat".to_vec()));
    assert_eq!(at(new.1), Some(b"ls".to_vec()));
    // Also when the end of the first was missed.
    let third = Task {
        start: child.start + 2,
        ..child
    };
    let seen = machine.call(third, libc::SYS_close, 0, [3; 6]);
    assert_eq!(machine.name(seen.0), "");
    assert_eq!(machine.state.counters.unknown_threads, 2);
    assert_eq!(machine.name(new.0), "ls");
}

#[test]
fn orphans_get_the_reaper_that_the_kernel_names() {
    let (mut machine, _, shell, child) = family();
    let reaper = task(5, 1);
    machine.fork(task(1, 0), reaper);
    machine.exec(reaper, "tini");
    let before = machine.call(child, libc::SYS_close, 0, [3; 6]);
    machine.exit(shell, 5);
    let after = machine.call(child, libc::SYS_close, 0, [3; 6]);
    assert_eq!(machine.lineage(before), ["bash", "init"]);
    assert_eq!(machine.version(before.0).ids.ppid, 10);
    assert_eq!(machine.lineage(after), ["tini", "init"]);
    assert_eq!(machine.version(after.0).ids.ppid, 5);
    // The reaper's own end passes them on once more.
    machine.exit(reaper, 0);
    let last = machine.call(child, libc::SYS_close, 0, [3; 6]);
    assert_eq!(machine.lineage(last), ["init"]);
}

#[test]
fn credentials_of_one_thread_are_not_those_of_its_process() {
    let (mut machine, _, _, child) = family();
    let thread = Task {
        pid: 12,
        start: 77,
        ..child
    };
    let mut header = Machine::header(thread, Kind::Fork);
    header.tgid = child.pid;
    header.args[0] = child.pid.into();
    header.args[1] = child.start;
    machine.apply(header, &[(Tag::Process, &facts(thread, PROCESS_THREAD))]);
    let call = |call: i64, args| Header {
        tgid: child.pid,
        syscall: call as u16,
        args,
        ..Machine::header(thread, Kind::Syscall)
    };
    let user = Task { uid: 33, ..thread };
    let (seen, _) = machine.apply(
        call(libc::SYS_setuid, [33, 0, 0, 0, 0, 0]),
        &[(Tag::Process, &facts(user, 0))],
    );
    assert_eq!(machine.version(seen).credentials.euid, 33);
    let (main, _) = machine.call(child, libc::SYS_close, 0, [3; 6]);
    assert_eq!(machine.version(main).credentials.euid, 0);
    // What is the whole process's reaches the thread as well.
    let header = Header {
        syscall: libc::SYS_chdir as u16,
        ..Machine::header(child, Kind::Syscall)
    };
    machine.apply(header, &[(Tag::Cwd, b"srv\0")]);
    let (seen, _) = machine.apply(call(libc::SYS_close, [9; 6]), &[]);
    assert_eq!(machine.version(seen).credentials.euid, 33);
    assert_eq!(**machine.version(seen).cwd, *b"/srv");
    // Exec leaves one thread.
    machine.exec(child, "sh");
    assert_eq!(machine.state.sizes()[0], 3);
}

fn procfs(pid: u32, ticks: u64, parent: u32, name: &str) -> ProcessFacts {
    ProcessFacts {
        pid,
        start: Start::Ticks(ticks),
        comm: name.into(),
        image: Image {
            arguments: format!("{name}\0").into_bytes().into(),
            ..Image::default()
        },
        cwd: b"/".to_vec(),
        ids: Ids {
            ppid: parent,
            vpid: pid,
            ..Ids::default()
        },
        credentials: Credentials::default(),
        cgroup: Arc::new(Cgroup::default()),
        vm_size: 0,
        vm_rss: 0,
        threads: Vec::new(),
        descriptors: Vec::new(),
    }
}

#[test]
fn an_unknown_process_is_asked_for_and_the_answer_must_be_the_same_process() {
    let mut machine = Machine::new(Limits::default());
    let stranger = Task {
        start: 7 * TICK_NS + 123,
        ..task(50, 1)
    };
    let (seen, _) = machine.call(stranger, libc::SYS_close, 0, [3; 6]);
    let lookup = Lookup {
        pid: 50,
        start_time: stranger.start,
    };
    assert_eq!(machine.state.take_lookups(), [lookup]);
    machine.call(stranger, libc::SYS_close, 0, [3; 6]);
    assert_eq!(machine.state.take_lookups(), []);
    machine
        .state
        .answer(lookup, Some(procfs(50, 8, 1, "other")));
    assert_eq!(machine.state.counters.answers_rejected, 1);
    assert_eq!(machine.name(seen), "");
    machine
        .state
        .answer(lookup, Some(procfs(50, 7, 1, "right")));
    assert_eq!(machine.name(seen), "right");
    assert_eq!(machine.version(seen).image.exe(), b"right");
    // Its parent is asked for in turn.
    let parent = machine.state.take_lookups();
    assert_eq!(
        parent.iter().map(|lookup| lookup.pid).collect::<Vec<_>>(),
        [1]
    );
    // The kernel beats an answer.
    machine.exec(stranger, "kernel");
    machine.state.answer(lookup, Some(procfs(50, 7, 1, "late")));
    let (seen, _) = machine.call(stranger, libc::SYS_close, 0, [3; 6]);
    assert_eq!(machine.name(seen), "kernel");
}

#[test]
fn a_seeded_process_is_met_again_by_its_first_event() {
    let mut machine = Machine::new(Limits::default());
    // Children may come before their parents.
    let seeds = [
        procfs(20, 30, 2, "sh"),
        procfs(2, 10, 1, "sshd"),
        procfs(1, 1, 0, "init"),
    ];
    machine.state.seed(seeds);
    let shell = Task {
        start: 30 * TICK_NS + 4_567,
        ..task(20, 2)
    };
    let event = machine.call(shell, libc::SYS_close, 0, [3; 6]);
    assert_eq!(machine.name(event.0), "sh");
    assert_eq!(machine.lineage(event), ["sshd", "init"]);
    assert_eq!(machine.version(event.0).start_time, shell.start);
    assert_eq!(machine.state.counters.unknown_threads, 0);
    assert!(machine.state.take_lookups().is_empty());
    // Now that the start is exact, another one within the same tick is another process.
    let other = Task {
        start: shell.start + 1,
        ..shell
    };
    let (seen, _) = machine.call(other, libc::SYS_close, 0, [3; 6]);
    assert_eq!(machine.name(seen), "");
}

#[test]
fn a_process_whose_end_no_event_tells_ends_when_it_is_missed() {
    let mut machine = Machine::new(Limits::default());
    machine
        .state
        .seed([procfs(10, 3, 1, "outside"), procfs(11, 5, 10, "inside")]);
    let inside = task(11, 10);
    // Another process that has the id since is not meant.
    machine.state.end_unseen(10, Start::Ticks(4));
    assert!(machine.state.live_process(10).is_some());
    machine.state.end_unseen(10, Start::Ticks(3));
    machine.state.end_unseen(10, Start::Ticks(3));
    assert!(machine.state.live_process(10).is_none());
    let (_, number) = machine.exec(
        Task {
            start: 5 * TICK_NS + 7,
            ..inside
        },
        "inside",
    );
    machine.state.release(number + 1);
    let [threads, processes, ..] = machine.state.sizes();
    assert_eq!([threads, processes], [1, 1]);
}

#[test]
fn a_snapshot_tells_which_id_a_thread_has_in_its_namespace() {
    let mut machine = Machine::new(Limits::default());
    let mut server = procfs(20, 30, 1, "server");
    server.ids.vpid = 1;
    server.vm_size = 900;
    server.threads.push(ThreadFacts {
        tid: 21,
        start: Start::Ticks(31),
        vtid: 2,
        credentials: server.credentials,
    });
    machine.state.seed([server]);
    let mut told = Vec::new();
    let taken: Result<(), ()> = machine.state.snapshot(0, |entry| {
        if let saker_capture::Entry::Thread(thread) = entry {
            let ids = [thread.tid, thread.pid, thread.vtid, thread.vpid];
            told.push((ids, thread.vmsize_kib, thread.flags));
        }
        Ok(())
    });
    assert_eq!(taken, Ok(()));
    assert_eq!(
        told,
        [([20, 20, 1, 1], 900, 0), ([21, 20, 2, 1], 900, 8192 | 1)]
    );
}

#[test]
fn a_snapshot_tells_when_a_namespace_began_and_that_a_first_thread_has_ended() {
    let mut machine = Machine::new(Limits::default());
    machine.state.set_clock(Clock {
        boot_to_epoch_ns: 1_000,
    });
    let server = Task {
        start: 30 * TICK_NS,
        ..task(20, 1)
    };
    let mut seeded = procfs(20, 30, 1, "server");
    seeded.ids.pid_ns_start_time = 70;
    for tid in [20, 21] {
        seeded.threads.push(ThreadFacts {
            tid,
            start: Start::Ticks(30),
            vtid: tid,
            credentials: seeded.credentials,
        });
    }
    machine.state.seed([seeded]);
    let told = |machine: &Machine| {
        let mut told = Vec::new();
        let taken: Result<(), ()> = machine.state.snapshot(machine.number, |entry| {
            if let saker_capture::Entry::Thread(thread) = entry {
                let has_ended = thread.flags & 1 << 18 != 0;
                told.push((thread.tid, thread.pidns_init_start_time, has_ended));
            }
            Ok(())
        });
        assert_eq!(taken, Ok(()));
        told
    };
    assert_eq!(told(&machine), [(20, 1_070, false), (21, 1_070, false)]);
    machine.apply(Machine::header(server, Kind::Exit), &[]);
    assert_eq!(told(&machine), [(20, 1_070, true), (21, 1_070, false)]);
    // An exec by another thread makes that the first.
    machine.call(server, libc::SYS_close, 0, [3; 6]);
    assert_eq!(told(&machine)[0], (20, 1_070, false));
}

#[test]
fn rows_are_bounded_and_the_latest_is_kept() {
    let limits = Limits {
        row_bytes_max: 10_000,
        ..Limits::default()
    };
    let mut machine = Machine::new(limits);
    let mut rows = 0;
    for pid in 100..200 {
        let (seen, _) = machine.call(task(pid, 1), libc::SYS_close, 0, [3; 6]);
        let row = RowCache {
            epoch: 0,
            generation: 0,
            stamp: 0,
            needs: 0,
            bytes: vec![0; 1_000].into(),
        };
        machine.state.set_row(seen.version, row);
        assert!(machine.state.row(seen.version).is_some());
        rows = machine.state.row_bytes.load(Ordering::Relaxed);
        assert!(rows <= 10_000, "{rows}");
    }
    assert!(rows > 0);
    for pid in 100..200 {
        machine.exit(task(pid, 1), 1);
    }
    machine.state.release(machine.number + 1);
    assert_eq!(machine.state.row_bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn everything_is_bounded_and_what_goes_beyond_is_counted() {
    let limits = Limits {
        threads_max: 64,
        processes_max: 64,
        versions_max: 64,
        descriptors_max: 16,
        descriptors_per_process_max: 4,
        image_bytes_max: 1_000,
        entries_max: 8,
        lookups_max: 4,
        ..Limits::default()
    };
    let mut machine = Machine::new(limits);
    let mut records = Synthetic::new(Options {
        seed: 3,
        processes: 200,
    });
    for number in 1..50_000u64 {
        let bytes = records.next_record();
        let record = Record::parse(&bytes).expect("a synthetic record parses");
        let event = Event::from(decode(&record, &Clock::default(), number));
        let seen = machine.state.apply(&event);
        let _ = machine.state.version(seen.version);
        if number % 64 == 0 {
            machine.state.release(number);
        }
        let [threads, processes, versions, descriptors, _] = machine.state.sizes();
        assert!(threads <= 64 && processes <= 64 && versions <= 64 && descriptors <= 16);
    }
    let counters = machine.state.counters;
    assert!(counters.processes_evicted > 0, "{counters:?}");
    assert!(counters.descriptors_refused > 0, "{counters:?}");
    assert!(counters.lookups_dropped > 0, "{counters:?}");
    assert!(counters.images_cut > 0, "{counters:?}");
}
