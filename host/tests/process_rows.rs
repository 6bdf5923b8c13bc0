//! What rules ask of the process is computed once per version of it and kept. So whatever can
//! change the answer must be noticed: each test lets one process open files, changes one
//! thing, and demands that a rule which asks of the process only judges the next open by what
//! is true then, and an open that waits in the same window by what was true before.

use saker::alert::Alert;
use saker::config::Matching;
use saker::event::Clock;
use saker::modules::{Epoch, Module, Selection};
use saker::pipeline::{Pipeline, Setup};
use saker::sandbox::{Judge, Limits};
use saker::source::merge::Batch;
use saker::state::State;
use saker::state::container::{Cgroup, ContainerFacts};
use saker::state::facts::{Image, ProcessFacts, Start, TICK_NS};
use saker::state::users::Users;
use saker::state::version::{Credentials, Ids};
use saker_ebpf::record::{Builder, File, Header, Kind, PROCESS_THREAD, Process, Tag};
use saker_rules_compiler::{Options, Source, compile};
use saker_rules_schema::manifest::Priority;
use saker_shm::window::Window;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

#[derive(Clone, Copy)]
struct Task {
    pid: u32,
    tid: u32,
    start: u64,
    parent: u32,
    uid: u32,
    session: u32,
    group: u32,
}

const INIT: Task = task(1, 0);
const SHELL: Task = task(10, 1);
const CHILD: Task = task(11, 10);

const fn task(pid: u32, parent: u32) -> Task {
    Task {
        pid,
        tid: pid,
        start: pid as u64 * TICK_NS * 10,
        parent,
        uid: 0,
        session: if pid == 1 { 1 } else { 10 },
        group: if pid == 1 { 1 } else { 10 },
    }
}

fn facts(task: Task, flags: u32) -> Vec<u8> {
    let facts = Process {
        parent_tgid: task.parent,
        vtid: task.tid,
        vpid: task.pid,
        sid: task.session,
        vsid: task.session,
        pgid: task.group,
        vpgid: task.group,
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

fn module(condition: &str) -> Module {
    let text = format!(
        "- rule: asked\n  desc: d\n  condition: evt.type = openat and {condition}\n  \
         output: '%evt.num'\n  priority: INFO\n"
    );
    let sources = [Source {
        name: "test.yaml".into(),
        text,
    }];
    let compilation = compile(&sources, &Options::default());
    let said = saker_rules_compiler::render(&compilation.diagnostics, &sources, false);
    let ruleset = compilation.ruleset.unwrap_or_else(|| panic!("{said}"));
    Module::compiled("test", ruleset.wasm).expect("our own modules are valid")
}

fn epoch(id: u32, condition: &str) -> Epoch {
    let selection = Selection {
        priority: Priority::Debug,
        matching: Matching::All,
        ..Selection::default()
    };
    Epoch::new(id, vec![module(condition)], selection)
}

/// A machine with init, a shell and its child `cat`, under one rule.
struct Machine {
    pipeline: Pipeline,
    alerts: Rc<RefCell<Vec<Alert>>>,
    /// Every event goes into a window of its own.
    flushes: bool,
    number: u64,
    /// Numbers of the opens so far.
    opens: Vec<u64>,
}

impl Machine {
    fn new(condition: &str, flushes: bool) -> Machine {
        let window = Window::create(8).expect("memory");
        let judge = Judge::spawn(window.fd(), Limits::default()).expect("threads");
        let alerts = Rc::new(RefCell::new(Vec::new()));
        let sink = alerts.clone();
        let setup = Setup {
            state: State::new(Default::default(), Clock::default()),
            window,
            judge,
            rows_max: 4096,
            alerts: Box::new(move |alert| sink.borrow_mut().push(alert)),
        };
        let mut machine = Machine {
            pipeline: Pipeline::new(setup, epoch(1, condition)).expect("a good module"),
            alerts,
            flushes,
            number: 0,
            opens: Vec::new(),
        };
        machine.exec(INIT, "init");
        machine.fork(INIT, SHELL);
        machine.exec(SHELL, "bash");
        machine.fork(SHELL, CHILD);
        machine.exec(CHILD, "cat");
        machine
    }

    fn push(&mut self, header: Header, pieces: &[(Tag, &[u8])]) {
        self.number += 1;
        let header = Header {
            time: self.number * 1_000,
            sequence: self.number,
            ..header
        };
        let mut record = Builder::new(&header);
        for (tag, bytes) in pieces {
            record = record.piece(*tag, 0, bytes);
        }
        let mut batch = Batch::new();
        batch.push(&record.finish());
        let lives = "the judge lives";
        self.pipeline.push(&Rc::new(batch)).expect(lives);
        if self.flushes {
            self.pipeline.drain().expect(lives);
        }
    }

    fn header(task: Task, kind: Kind) -> Header {
        Header {
            len: 0,
            kind,
            cpu: 0,
            sequence: 0,
            time: 0,
            start_time: task.start,
            cgroup: 0,
            tid: task.tid,
            tgid: task.pid,
            syscall: 0,
            flags: 0,
            ret: 0,
            args: [0; 6],
        }
    }

    fn open(&mut self, task: Task) {
        let mut wire = Vec::new();
        let file = File {
            mode: libc::S_IFREG | 0o644,
            ..File::default()
        };
        file.write(&mut wire);
        let header = Header {
            syscall: libc::SYS_openat as u16,
            ret: 3,
            ..Machine::header(task, Kind::Syscall)
        };
        self.push(header, &[(Tag::File, &wire), (Tag::FilePath, b"x\0srv\0")]);
        self.opens.push(self.number);
    }

    fn call(&mut self, task: Task, call: i64, args: [u64; 6], pieces: &[(Tag, &[u8])]) {
        let header = Header {
            syscall: call as u16,
            args,
            ..Machine::header(task, Kind::Syscall)
        };
        self.push(header, pieces);
    }

    fn fork(&mut self, creator: Task, child: Task) {
        let mut header = Machine::header(child, Kind::Fork);
        header.args[0] = creator.pid.into();
        header.args[1] = creator.start;
        let flags = if child.tid == child.pid {
            0
        } else {
            PROCESS_THREAD
        };
        self.push(header, &[(Tag::Process, &facts(child, flags))]);
    }

    fn exec(&mut self, task: Task, arguments: &str) {
        self.exec_in(task, arguments, "user.slice\0");
    }

    /// Executes in a control group, which is named leaf first.
    fn exec_in(&mut self, task: Task, arguments: &str, cgroup: &str) {
        let name = arguments.split(' ').next();
        let name = name.expect("a split has a first part");
        let area = arguments.replace(' ', "\0") + "\0";
        let pieces = [
            (Tag::Process, &facts(task, 0)[..]),
            (Tag::Comm, name.as_bytes()),
            (Tag::Args, area.as_bytes()),
            (Tag::Cgroup, cgroup.as_bytes()),
        ];
        self.push(Machine::header(task, Kind::Exec), &pieces);
    }

    fn exit(&mut self, task: Task, reaper: Task) {
        let mut header = Machine::header(task, Kind::Exit);
        header.args = [0, 1, reaper.pid.into(), 0, 0, 0];
        self.push(header, &[]);
    }

    fn swap(&mut self, condition: &str) {
        let next = Rc::new(epoch(2, condition));
        self.pipeline.prepare(&next).expect("a good module");
        self.pipeline.switch(next).expect("the judge lives");
    }

    /// Which of the opens alerted.
    fn alerted(mut self) -> Vec<bool> {
        self.pipeline.drain().expect("the judge lives");
        let alerts = self.alerts.borrow();
        let numbers: Vec<u64> = alerts
            .iter()
            .map(|alert| {
                let number = alert.message.rsplit(' ').next().expect("a message");
                number.parse().expect("the output is a number")
            })
            .collect();
        assert!(numbers.iter().all(|number| self.opens.contains(number)));
        let alerted = self.opens.iter().map(|open| numbers.contains(open));
        alerted.collect()
    }
}

/// Demands which opens alert, with all events in one window and with one each.
#[track_caller]
fn judged(condition: &str, happen: impl Fn(&mut Machine), expected: &[bool]) {
    for flushes in [false, true] {
        let mut machine = Machine::new(condition, flushes);
        happen(&mut machine);
        assert_eq!(
            machine.alerted(),
            expected,
            "windows of one event: {flushes}"
        );
    }
}

#[test]
fn an_exec_is_judged_by_what_runs_now() {
    let happen = |machine: &mut Machine| {
        machine.open(CHILD);
        machine.exec(CHILD, "nc --evil");
        machine.open(CHILD);
        machine.open(CHILD);
        machine.exec(CHILD, "cat");
        machine.open(CHILD);
    };
    let expected = [false, true, true, false];
    judged("proc.cmdline contains --evil", happen, &expected);
    judged("proc.name = nc", happen, &expected);
    judged("proc.args endswith evil", happen, &expected);
}

#[test]
fn new_credentials_are_those_that_count() {
    let user = Task { uid: 33, ..CHILD };
    judged(
        "user.uid = 33",
        |machine| {
            machine.open(CHILD);
            let to = [33, 0, 0, 0, 0, 0];
            machine.call(
                user,
                libc::SYS_setuid,
                to,
                &[(Tag::Process, &facts(user, 0))],
            );
            machine.open(CHILD);
            machine.call(
                CHILD,
                libc::SYS_setuid,
                [0; 6],
                &[(Tag::Process, &facts(CHILD, 0))],
            );
            machine.open(CHILD);
            // As by a setuid program.
            machine.exec(user, "cat");
            machine.open(CHILD);
        },
        &[false, true, false, true],
    );
}

#[test]
fn credentials_that_one_thread_takes_are_its_own() {
    let thread = Task {
        tid: 12,
        start: 77,
        ..CHILD
    };
    let user = Task { uid: 33, ..thread };
    judged(
        "user.uid = 33",
        |machine| {
            machine.fork(CHILD, thread);
            machine.open(thread);
            let to = [33, 0, 0, 0, 0, 0];
            let facts = facts(user, PROCESS_THREAD);
            machine.call(user, libc::SYS_setuid, to, &[(Tag::Process, &facts)]);
            machine.open(thread);
            machine.open(CHILD);
            // Exec leaves one thread, with what the record says of it.
            machine.exec(CHILD, "cat");
            machine.open(CHILD);
        },
        &[false, true, false, false],
    );
}

#[test]
fn an_orphan_has_its_new_parent() {
    let reaper = task(5, 1);
    let happen = |machine: &mut Machine| {
        machine.fork(INIT, reaper);
        machine.exec(reaper, "tini");
        machine.open(CHILD);
        machine.exit(SHELL, reaper);
        machine.open(CHILD);
        machine.exit(reaper, INIT);
        machine.open(CHILD);
    };
    judged("proc.pname = tini", happen, &[false, true, false]);
    judged("proc.pname = bash", happen, &[true, false, false]);
    judged("proc.ppid = 1", happen, &[false, false, true]);
    judged("proc.aname = bash", happen, &[true, false, false]);
}

#[test]
fn an_ancestor_that_executes_is_known_to_its_descendants_by_its_new_name() {
    let grandchild = task(12, 11);
    let happen = |machine: &mut Machine| {
        machine.fork(CHILD, grandchild);
        machine.open(grandchild);
        machine.exec(SHELL, "nginx -g daemon");
        machine.open(grandchild);
        machine.open(CHILD);
        machine.exec(SHELL, "bash");
        machine.open(grandchild);
    };
    let expected = [false, true, true, false];
    judged("proc.aname = nginx", happen, &expected);
    judged("proc.acmdline contains daemon", happen, &expected);
    judged(
        "proc.aname[2] = nginx",
        happen,
        &[false, true, false, false],
    );
    judged(
        "proc.pcmdline startswith nginx",
        happen,
        &[false, false, true, false],
    );
}

#[test]
fn an_ancestor_whose_parent_ends_has_another_lineage_above_it() {
    let reaper = task(5, 1);
    let grandchild = task(12, 11);
    judged(
        "proc.aname[2] = tini",
        |machine| {
            machine.fork(INIT, reaper);
            machine.exec(reaper, "tini");
            machine.fork(CHILD, grandchild);
            machine.open(grandchild);
            machine.exit(SHELL, reaper);
            machine.open(grandchild);
        },
        &[false, true],
    );
}

#[test]
fn what_a_session_and_a_group_are_called_follows_their_leader() {
    let happen = |machine: &mut Machine| {
        machine.open(CHILD);
        machine.exec(SHELL, "screen");
        machine.open(CHILD);
        let own = Task {
            session: 11,
            group: 11,
            ..CHILD
        };
        machine.call(
            own,
            libc::SYS_setsid,
            [0; 6],
            &[(Tag::Process, &facts(own, 0))],
        );
        machine.open(own);
    };
    judged("proc.sname = screen", happen, &[false, true, false]);
    judged("proc.pgid.name = screen", happen, &[false, true, false]);
    judged("proc.sname = cat", happen, &[false, false, true]);
    // The leader's end leaves the session to the oldest ancestor in it.
    judged(
        "proc.sname = cat",
        |machine| {
            machine.open(CHILD);
            machine.exit(SHELL, INIT);
            machine.open(CHILD);
        },
        &[false, true],
    );
}

#[test]
fn the_current_directory_is_the_one_it_changed_to() {
    judged(
        "proc.cwd startswith /srv",
        |machine| {
            machine.open(CHILD);
            machine.call(CHILD, libc::SYS_chdir, [0; 6], &[(Tag::Cwd, b"app\0srv\0")]);
            machine.open(CHILD);
            machine.call(CHILD, libc::SYS_chdir, [0; 6], &[(Tag::Cwd, b"tmp\0")]);
            machine.open(CHILD);
        },
        &[false, true, false],
    );
}

#[test]
fn a_process_that_enters_a_container_is_in_it_from_then_on() {
    let id = "3fa4c2d17be09a5586d1f0c4e2b7a9833fa4c2d17be09a5586d1f0c4e2b7a983";
    let inside = format!("{id}\0docker\0");
    let happen = |machine: &mut Machine| {
        machine.open(CHILD);
        machine.exec_in(CHILD, "cat", &inside);
        machine.open(CHILD);
        // Its children are there as well; its parent is not.
        machine.fork(CHILD, task(12, 11));
        machine.open(task(12, 11));
        machine.open(SHELL);
        machine.exec_in(CHILD, "cat", "user.slice\0");
        machine.open(CHILD);
    };
    judged(
        "container.id = 3fa4c2d17be0",
        happen,
        &[false, true, true, false, false],
    );
    judged(
        "container.id = host",
        happen,
        &[true, false, false, true, true],
    );
}

#[test]
fn what_an_engine_tells_of_a_container_counts_from_then_on() {
    let id = "3fa4c2d17be09a5586d1f0c4e2b7a9833fa4c2d17be09a5586d1f0c4e2b7a983";
    let inside = format!("{id}\0docker\0");
    let told = |machine: &mut Machine, id: &str, name: &str, pod_sandbox_id: &str| {
        let facts = ContainerFacts {
            id: id.into(),
            name: name.into(),
            pod_sandbox_id: pod_sandbox_id.into(),
            ..ContainerFacts::default()
        };
        machine.pipeline.state().set_container(facts);
    };
    let happen = |machine: &mut Machine| {
        machine.exec_in(CHILD, "cat", &inside);
        machine.open(CHILD);
        told(machine, "3fa4c2d17be0", "web", "");
        machine.open(CHILD);
        told(machine, "99aa55cc33ee", "web", "");
        machine.open(SHELL);
        told(machine, "3fa4c2d17be0", "db", "");
        machine.open(CHILD);
        told(machine, "3fa4c2d17be0", "web", "");
        machine.open(CHILD);
        machine.pipeline.state().remove_container(b"3fa4c2d17be0");
        machine.open(CHILD);
    };
    judged(
        "container.name = web",
        happen,
        &[false, true, false, false, true, false],
    );
    judged(
        "container.name exists",
        happen,
        &[false, true, true, true, true, false],
    );
    judged(
        "container.id = 3fa4c2d17be0",
        happen,
        &[true, true, false, true, true, true],
    );
}

#[test]
fn what_an_engine_tells_of_a_pods_sandbox_counts_for_its_containers() {
    let id = "3fa4c2d17be09a5586d1f0c4e2b7a9833fa4c2d17be09a5586d1f0c4e2b7a983";
    let inside = format!("{id}\0docker\0");
    let happen = |machine: &mut Machine| {
        machine.exec_in(CHILD, "cat", &inside);
        machine.pipeline.state().set_container(ContainerFacts {
            id: "3fa4c2d17be0".into(),
            pod_sandbox_id: "77aa55cc33ee0102".into(),
            ..ContainerFacts::default()
        });
        machine.open(CHILD);
        machine.pipeline.state().set_container(ContainerFacts {
            id: "77aa55cc33ee".into(),
            ip: "10.1.0.2".into(),
            ..ContainerFacts::default()
        });
        machine.open(CHILD);
        machine.pipeline.state().remove_container(b"77aa55cc33ee");
        machine.open(CHILD);
    };
    judged("k8s.pod.ip = 10.1.0.2", happen, &[false, true, false]);
}

#[test]
fn names_come_from_the_users_database_as_it_is_now() {
    let set = |machine: &mut Machine, passwd: &str, group: &str| {
        let users = Users::parse(passwd.as_bytes(), group.as_bytes());
        machine.pipeline.state().set_users(users);
    };
    let happen = |machine: &mut Machine| {
        machine.open(CHILD);
        set(machine, "alice:x:0:0::/root:/bin/sh\n", "staff:x:0:\n");
        machine.open(CHILD);
        set(machine, "root:x:0:0::/root:/bin/sh\n", "root:x:0:\n");
        machine.open(CHILD);
    };
    judged("user.name = alice", happen, &[false, true, false]);
    judged("group.name = staff", happen, &[false, true, false]);
}

#[test]
fn another_ruleset_asks_its_own_question_of_a_process_that_did_not_change() {
    judged(
        "proc.name = cat",
        |machine| {
            machine.open(CHILD);
            machine.open(SHELL);
            machine.swap("proc.name = bash");
            machine.open(CHILD);
            machine.open(SHELL);
        },
        &[true, false, false, true],
    );
    // Also where the same field is compared with a literal that the old one did not have.
    judged(
        "proc.cmdline contains ca",
        |machine| {
            machine.open(CHILD);
            machine.swap("proc.cmdline in (bash, dash, cat) and not proc.pname in (cat, zsh)");
            machine.open(CHILD);
            machine.open(SHELL);
        },
        &[true, true, true],
    );
}

#[test]
fn what_is_looked_up_later_counts_from_then_on() {
    let stranger = task(50, 1);
    judged(
        "proc.name = late",
        |machine| {
            machine.open(stranger);
            let lookups = machine.pipeline.state().take_lookups();
            let lookup = lookups.into_iter().find(|lookup| lookup.pid == 50);
            let lookup = lookup.expect("the stranger is asked for");
            let found = ProcessFacts {
                pid: 50,
                start: Start::Exact(stranger.start),
                comm: "late".into(),
                image: Image::default(),
                cwd: b"/".to_vec(),
                ids: Ids {
                    ppid: 1,
                    vpid: 50,
                    ..Ids::default()
                },
                credentials: Credentials::default(),
                cgroup: Arc::new(Cgroup::default()),
                vm_size: 0,
                vm_rss: 0,
                threads: Vec::new(),
                descriptors: Vec::new(),
            };
            // What waits in a window keeps the values it was written with.
            machine.pipeline.drain().expect("the judge lives");
            machine.pipeline.state().answer(lookup, Some(found));
            machine.open(stranger);
        },
        &[false, true],
    );
}

#[test]
fn a_process_id_used_again_is_judged_as_another_process() {
    let again = Task {
        start: CHILD.start + TICK_NS,
        ..CHILD
    };
    judged(
        "proc.name = cat",
        |machine| {
            machine.open(CHILD);
            machine.exit(CHILD, INIT);
            machine.fork(SHELL, again);
            machine.open(again);
            machine.exec(again, "ls");
            machine.open(again);
            machine.exec(again, "cat");
            machine.open(again);
        },
        &[true, false, false, true],
    );
}
