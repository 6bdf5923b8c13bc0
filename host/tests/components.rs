//! Components with processes of their own: what they answer, what they may do, and what becomes
//! of them when they die or make no sense.

use saker::componentise;
use saker::sandbox::component::{
    Alert, Capability, Code, ComponentLimits, Failure, FromComponent, Keep, Means, Metrics, Put,
    Start, ToComponent, Worker, Workshop,
};
use saker::sandbox::{Budget, FailureKind};
use serde::Serialize;
use specimen::{ALERT, SILENT, Specimen};
use std::fs::read_to_string;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

// The components of the sandbox's own tests.
#[path = "../src/sandbox/component/specimen.rs"]
#[allow(dead_code)]
mod specimen;

const PROGRAM: &str = env!("CARGO_BIN_EXE_saker");

fn limits() -> ComponentLimits {
    ComponentLimits {
        start: Budget::Time {
            cpu: Duration::from_millis(500),
            wall: Duration::from_secs(20),
        },
        ..ComponentLimits::live(Duration::from_millis(50))
    }
}

fn apart() -> Arc<Workshop> {
    Workshop::new_apart(limits(), Arc::default(), PROGRAM).expect("a process")
}

fn here() -> Arc<Workshop> {
    Workshop::new(limits()).expect("an engine")
}

fn code(workshop: &Arc<Workshop>, specimen: &Specimen<'_>) -> Arc<Code> {
    let (code, description) = Code::load(workshop, specimen.component()).expect("it loads");
    assert_eq!(description.name, specimen.name);
    Arc::new(code)
}

fn start(granted: &[Capability], keep: &Keep, metrics: &Metrics) -> Start {
    Start {
        name: "specimen".into(),
        granted: granted.to_vec(),
        keep: keep.clone(),
        config: vec![("key".into(), "value".into())],
        columns: vec![],
        means: Means {
            metrics: metrics.clone(),
            ..Means::default()
        },
    }
}

/// A worker, asked one thing after the other.
struct Asked {
    worker: Worker,
    answers: UnboundedReceiver<FromComponent>,
}

impl Asked {
    fn of(code: &Arc<Code>, start: Start) -> Result<Asked, Failure> {
        let (to, answers) = unbounded_channel();
        let worker = Worker::spawn(1, code.clone(), start, to).expect("a thread")?;
        Ok(Asked { worker, answers })
    }

    fn plain(code: &Arc<Code>) -> Asked {
        let start = start(&[], &Keep::default(), &Metrics::default());
        Asked::of(code, start).unwrap_or_else(|failure| panic!("{failure}"))
    }

    fn ask(&mut self, message: ToComponent) -> FromComponent {
        assert_eq!(self.worker.put(message), Put::Queued);
        self.answers.blocking_recv().expect("an answer")
    }

    fn batch(&mut self) -> Result<Vec<Alert>, Failure> {
        self.ask(batch(64)).answer
    }

    fn pid(&self) -> u32 {
        self.worker.pid().expect("a process")
    }
}

fn batch(bytes: usize) -> ToComponent {
    ToComponent::Batch {
        rows: Arc::new(vec![0; bytes]),
        now: 0,
    }
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("a process");
    rustix::process::kill_process(pid, signal).expect("it is ours");
}

fn kill(pid: u32) {
    signal(pid, rustix::process::Signal::KILL);
}

fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

const ENDLESS: &str = "(loop (br 0)) (unreachable)";
const DEEP: &str = "(func $deep (param i32) (result i32)
    (i32.add (call $deep (local.get 0)) (i32.const 1)))";
const IMPORTS: &str = r#"
    (import "saker:rules/kv@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "saker:rules/kv@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32)))
    (import "saker:rules/metrics@0.1.0" "add" (func $add (param i32 i32 i64 i32)))"#;

/// Keeps a value and traps; whoever comes after it finds that, and alerts. What it counts is
/// called `m`.
fn keeping() -> String {
    format!(
        "(i32.store8 (i32.const 17) (i32.const 109))
         (call $add (i32.const 17) (i32.const 1) (i64.const 2) (i32.const 96))
         (call $get (i32.const 16) (i32.const 1) (i32.const 80))
         (if (i32.eqz (i32.load8_u (i32.const 80))) (then
            (call $set (i32.const 16) (i32.const 1) (i32.const 16) (i32.const 9) (i32.const 80))
            unreachable))
         (if (i32.ne (i32.load (i32.const 88)) (i32.const 9)) (then unreachable))
         {ALERT}"
    )
}

#[test]
fn a_process_answers_what_a_thread_does() {
    let nowhere = "(i32.store (i32.const 32) (i32.const 0x10000))
        (i32.store (i32.const 36) (i32.const 0x10000000)) (i32.const 32)";
    let million = "(i32.store (i32.const 32) (i32.const 0))
        (i32.store (i32.const 36) (i32.const 14000)) (i32.const 32)";
    let text = format!(
        "{ALERT} (drop) (i32.store (i32.const 140) (i32.const 1)) (i32.store (i32.const 144)
         (i32.const 0)) (i32.store (i32.const 148) (i32.const 2097152)) (i32.const 32)"
    );
    let greedy =
        "(loop (br_if 0 (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable";
    let fill = "(loop (memory.fill (i32.const 65536) (i32.const 1) (i32.const 400000)) (br 0))
        unreachable";
    let keeping = keeping();
    let granted = [Capability::Kv, Capability::Metrics];
    let (here, apart) = (here(), apart());
    for (name, on_batch) in [
        ("honest", ALERT),
        ("silent", SILENT),
        ("endless", ENDLESS),
        ("deep", "(call $deep (i32.const 0))"),
        ("trap", "unreachable"),
        ("greedy", greedy),
        ("nowhere", nowhere),
        ("unaligned", "(i32.const 33)"),
        ("a million alerts", million),
        ("a text too long", &text),
        ("fill", fill),
        ("keeping", &keeping),
    ] {
        let specimen = Specimen {
            on_batch,
            imports: IMPORTS,
            capabilities: &[1, 2],
            more: DEEP,
            pages: 40,
            ..Specimen::default()
        };
        let answers = [&here, &apart].map(|workshop| {
            let (keep, metrics) = (Keep::default(), Metrics::default());
            let start = start(&granted, &keep, &metrics);
            let mut asked = Asked::of(&code(workshop, &specimen), start).expect(name);
            let answers = (0..5).map(|time| {
                let tick = asked.ask(ToComponent::Tick { time }).answer;
                (tick, asked.batch())
            });
            let answers: Vec<_> = answers.collect();
            (answers, keep.bytes(), metrics.all())
        });
        assert_eq!(answers[0], answers[1], "{name}");
    }
    for (name, init) in [("endless", ENDLESS), ("trap", "unreachable")] {
        let specimen = Specimen {
            init,
            ..Specimen::default()
        };
        let kinds = [&here, &apart].map(|workshop| {
            let start = start(&[], &Keep::default(), &Metrics::default());
            Asked::of(&code(workshop, &specimen), start).err()
        });
        assert!(
            kinds[0].is_some() && kinds[0] == kinds[1],
            "{name}: {kinds:?}"
        );
    }
    for (name, specimen) in [
        (
            "who never says what it is",
            Specimen {
                describe: Some(ENDLESS),
                ..Specimen::default()
            },
        ),
        (
            "who dies of it",
            Specimen {
                describe: Some("unreachable"),
                ..Specimen::default()
            },
        ),
    ] {
        let errors = [&here, &apart]
            .map(|workshop| Code::load(workshop, specimen.component()).expect_err(name));
        assert_eq!(errors[0], errors[1], "{name}");
    }
}

#[test]
fn a_killed_process_costs_its_batch_and_what_was_kept_is_there_when_it_is_back() {
    let keeping = keeping();
    let specimen = Specimen {
        on_batch: &keeping,
        imports: IMPORTS,
        capabilities: &[1, 2],
        ..Specimen::default()
    };
    let workshop = apart();
    let code = code(&workshop, &specimen);
    let (keep, metrics) = (Keep::default(), Metrics::default());
    let granted = [Capability::Kv, Capability::Metrics];
    let mut asked = Asked::of(&code, start(&granted, &keep, &metrics)).expect("it starts");
    let mut beside = Asked::plain(&self::code(&workshop, &Specimen::default()));
    // It keeps a value and traps, and with that what it kept is kept.
    let failure = asked.batch().expect_err("it traps");
    assert_eq!(failure.kind, FailureKind::Trap);
    assert_eq!(keep.bytes(), 64 + 1 + 9);
    let mut died = 0;
    for death in 0..3 {
        let pid = asked.pid();
        kill(pid);
        let began = Instant::now();
        loop {
            match asked.batch() {
                Ok(alerts) => break assert_eq!(alerts.len(), 1),
                Err(failure) => {
                    assert_eq!(failure.kind, FailureKind::Died, "{failure}");
                    // Of deaths nothing is held against it.
                    assert!(!failure.is_last);
                    died += 1;
                }
            }
        }
        assert!(!lives(pid) && asked.pid() != pid);
        println!("back after {:?}", began.elapsed());
        // None, where it was noticed before.
        assert!(died <= death + 1, "{died}");
        assert_eq!(beside.batch().map(|alerts| alerts.len()), Ok(1));
    }
    // Each call but those that died is counted.
    let counted = metrics.all();
    assert_eq!(counted.len(), 1);
    assert_eq!(counted[0].1.to_string(), (2 * 4).to_string());
}

#[test]
fn batches_under_way_when_it_is_killed_are_each_answered_once() {
    let busy = format!(
        "(local $left i32) (local.set $left (i32.const 3000))
         (loop $on
           (local.set $left (i32.sub (local.get $left) (i32.const 1)))
           (br_if $on (local.get $left)))
         {ALERT}"
    );
    let workshop = apart();
    let specimen = Specimen {
        on_batch: &busy,
        ..Specimen::default()
    };
    let mut asked = Asked::plain(&code(&workshop, &specimen));
    let mut beside = Asked::plain(&code(&workshop, &Specimen::default()));
    let (mut put, mut judged, mut died) = (0, 0, 0);
    for round in 0..200 {
        while asked.worker.put(batch(10_000)) == Put::Queued {
            put += 1;
        }
        if round % 50 == 25
            && let Some(pid) = asked.worker.pid()
        {
            kill(pid);
        }
        let answer = asked.answers.blocking_recv().expect("an answer");
        match answer.answer {
            Ok(alerts) => judged += alerts.len(),
            Err(failure) => {
                assert_eq!(failure.kind, FailureKind::Died, "{failure}");
                died += 1;
            }
        }
        assert_eq!(beside.batch().map(|alerts| alerts.len()), Ok(1));
    }
    while judged + died < put {
        let answer = asked.answers.blocking_recv().expect("an answer");
        match answer.answer {
            Ok(alerts) => judged += alerts.len(),
            Err(failure) => {
                assert_eq!(failure.kind, FailureKind::Died, "{failure}");
                died += 1;
            }
        }
    }
    println!("{judged} of {put} batches judged, {died} died with the process");
    assert!(died <= 4, "{died}");
}

#[test]
fn it_has_no_rights_while_it_works_and_ends_with_its_worker() {
    let asked = Asked::plain(&code(&apart(), &Specimen::default()));
    let pid = asked.pid();
    let said = |line: &str| {
        let text = read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let found = text.lines().find_map(|text| text.strip_prefix(line));
        found.unwrap_or_default().trim().to_string()
    };
    assert_eq!(said("NoNewPrivs:"), "1");
    for set in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
        assert_eq!(said(set), "0000000000000000", "{set}");
    }
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))
        .expect("it lives")
        .flatten()
    {
        let status = read_to_string(thread.path().join("status")).expect("it lives");
        assert!(status.contains("Seccomp:\t2"), "{status}");
    }
    if rustix::process::geteuid().is_root() {
        let user = 0x7fff_0000 + pid % 65_536;
        for line in ["Uid:", "Gid:"] {
            assert_eq!(said(line), vec![user.to_string(); 4].join("\t"), "{line}");
        }
        assert_eq!(said("Groups:"), "");
        for file in std::fs::read_dir(format!("/proc/{pid}/fd"))
            .expect("it lives")
            .flatten()
        {
            let to = std::fs::read_link(file.path()).expect("it lives");
            let to = to.display().to_string();
            let is_given = ["socket:", "/dev/null", "/memfd:saker-module"];
            assert!(is_given.iter().any(|given| to.starts_with(given)), "{to}");
        }
        let bounds = read_to_string(format!("/proc/{pid}/limits")).expect("it lives");
        let data = bounds
            .lines()
            .find(|line| line.starts_with("Max data size"));
        assert!(
            !data.unwrap_or("unlimited").contains("unlimited"),
            "{data:?}"
        );
    }
    drop(asked);
    assert!(!lives(pid));
}

/// It says what it is with as much memory as any may have, and its process has room for all that
/// it may have later.
#[test]
fn a_component_has_all_the_memory_that_it_may_have() {
    const MIB: usize = 1 << 20;
    // Grows as far as it may, and writes to the end of that.
    let on_batch = format!(
        "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
         (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1))
            (i32.const 1)) {ALERT}"
    );
    let specimen = Specimen {
        on_batch: &on_batch,
        pages: 80 * 16,
        ..Specimen::default()
    };
    for workshop in [here(), apart()] {
        let refused = Code::load(&workshop, specimen.component()).expect_err("it has 80 MiB");
        let why = "wanted more memory than its 64 MiB (`memory_mb` sets that)";
        assert!(refused.to_string().contains(why), "{refused}");
        let loaded = Code::load_within(&workshop, specimen.component(), 80 * MIB);
        let code = Arc::new(loaded.expect("it may have as much").0);
        let mut start = start(&[], &Keep::default(), &Metrics::default());
        start.means.memory_bytes_max = Some(1024 * MIB);
        let mut asked = Asked::of(&code, start).unwrap_or_else(|failure| panic!("{failure}"));
        let answer = asked.ask(batch(64));
        assert_eq!(answer.answer.map(|alerts| alerts.len()), Ok(1));
        assert_eq!(answer.memory_bytes, 1024 * MIB);
    }
}

#[test]
fn what_is_not_this_program_runs_nothing() {
    for program in ["/nonexistent", "/bin/false"] {
        let none = Workshop::new_apart(limits(), Arc::default(), program);
        assert!(none.is_err(), "{program}");
    }
}

#[test]
fn a_process_that_says_nothing_is_given_up_and_that_counts() {
    let limits = ComponentLimits {
        budget: Budget::Time {
            cpu: Duration::from_millis(50),
            wall: Duration::from_millis(100),
        },
        ..limits()
    };
    let workshop = Workshop::new_apart(limits, Arc::default(), PROGRAM).expect("a process");
    let mut asked = Asked::plain(&code(&workshop, &Specimen::default()));
    let pid = asked.pid();
    signal(pid, rustix::process::Signal::STOP);
    let failure = asked.batch().expect_err("it says nothing");
    assert_eq!(failure.kind, FailureKind::Deadline, "{failure}");
    assert!(!lives(pid));
    assert_eq!(asked.batch().map(|alerts| alerts.len()), Ok(1));
    // One that is stopping is not waited for.
    signal(asked.pid(), rustix::process::Signal::STOP);
    assert_eq!(asked.worker.put(batch(64)), Put::Queued);
    let began = Instant::now();
    drop(asked);
    assert!(began.elapsed() < Duration::from_secs(2));
}

/// The words of a process, as the test says them in its place.
#[derive(Serialize)]
#[allow(dead_code)]
enum Said {
    Ready,
    Described(Result<Vec<u8>, String>),
    Answered {
        outcome: Result<(), (FailureKind, String, bool)>,
        effects: Effects,
        is_seated: bool,
        memory_bytes: u64,
    },
}

#[derive(Serialize)]
#[allow(dead_code)]
enum Metric {
    Counter(u64),
    Gauge(f64),
}

/// Method, address, headers and body.
type Request = (String, String, Vec<(String, String)>, Vec<u8>);

#[derive(Default, Serialize)]
struct Effects {
    kept: Vec<(String, Option<Vec<u8>>)>,
    metrics: Vec<(String, Metric)>,
    messages: Vec<(u32, String)>,
    messages_left_out: u64,
    requests: Vec<(u64, Request)>,
}

fn frame(said: &Said, tail: &[u8]) -> Vec<u8> {
    let head = postcard::to_stdvec(said).expect("it is written");
    let mut frame = Vec::new();
    frame.extend((head.len() as u32).to_le_bytes());
    frame.extend((tail.len() as u32).to_le_bytes());
    frame.extend(head);
    frame.extend(tail);
    frame
}

fn answered(effects: Effects) -> Said {
    Said::Answered {
        outcome: Ok(()),
        effects,
        is_seated: true,
        memory_bytes: u64::MAX,
    }
}

/// The process's end of its socket; `None` where we may not have it.
fn socket_of(pid: u32) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
    let pid = rustix::process::Pid::from_raw(pid as i32)?;
    let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    pidfd_getfd(process, 0, PidfdGetfdFlags::empty()).ok()
}

#[test]
fn whatever_a_process_that_was_taken_over_says_costs_it_its_life_and_nobody_else_anything() {
    if !rustix::process::geteuid().is_root() {
        assert!(
            std::env::var_os("SAKER_REQUIRE").is_none(),
            "this needs root"
        );
        eprintln!("skipped: without root nobody speaks in a process's place");
        return;
    }
    let limits = ComponentLimits {
        strikes: 0,
        ..limits()
    };
    let workshop = Workshop::new_apart(limits, Arc::default(), PROGRAM).expect("a process");
    let code = code(&workshop, &Specimen::default());
    let (keep, metrics) = (Keep::default(), Metrics::default());
    let start = |granted: &[Capability]| start(granted, &keep, &metrics);
    let all = [Capability::Kv, Capability::Metrics, Capability::Http];
    let kept = |key: &str, bytes: usize| Effects {
        kept: vec![(key.into(), Some(vec![0; bytes]))],
        ..Effects::default()
    };
    let shown = |name: &str| Effects {
        metrics: vec![(name.into(), Metric::Counter(1))],
        ..Effects::default()
    };
    let request = || Effects {
        requests: vec![(
            1,
            ("GET".into(), "http://192.0.2.1/".into(), vec![], vec![]),
        )],
        ..Effects::default()
    };
    let loud = Effects {
        messages: vec![(1, "again".into()); 257],
        ..Effects::default()
    };
    let failed = |kind| Said::Answered {
        outcome: Err((kind, "no".into(), true)),
        effects: Effects::default(),
        is_seated: false,
        memory_bytes: 0,
    };
    let none: &[Capability] = &[];
    let cases = [
        (
            "kv that is not granted",
            none,
            frame(&answered(kept("k", 1)), &[]),
        ),
        (
            "metrics that are not",
            none,
            frame(&answered(shown("m")), &[]),
        ),
        (
            "requests that are not",
            none,
            frame(&answered(request()), &[]),
        ),
        (
            "a value too long",
            &all,
            frame(&answered(kept("k", 65_537)), &[]),
        ),
        (
            "a key too long",
            &all,
            frame(&answered(kept(&"k".repeat(1025), 1)), &[]),
        ),
        (
            "a metric without a name",
            &all,
            frame(&answered(shown("No\n")), &[]),
        ),
        (
            "a request without a network",
            &all,
            frame(&answered(request()), &[]),
        ),
        ("too many messages", &all, frame(&answered(loud), &[])),
        ("what it was not asked", &all, frame(&Said::Ready, &[])),
        (
            "no alerts",
            &all,
            frame(&answered(Effects::default()), &[0xff; 64]),
        ),
        (
            "a failure of the judge's",
            &all,
            frame(&failed(FailureKind::Quarantined), &[]),
        ),
        (
            "a death of its own",
            &all,
            frame(&failed(FailureKind::Died), &[]),
        ),
        (
            "too long a head",
            &all,
            [0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0].to_vec(),
        ),
        (
            "too long a tail",
            &all,
            [1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f].to_vec(),
        ),
        ("no word", &all, [3, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9].to_vec()),
    ];
    for (name, granted, bytes) in cases {
        let mut asked = Asked::of(&code, start(granted)).expect(name);
        let pid = asked.pid();
        let socket = socket_of(pid).expect("we are root");
        let flags = rustix::net::SendFlags::NOSIGNAL;
        // A socket holds more than any of these.
        assert_eq!(rustix::net::send(&socket, &bytes, flags), Ok(bytes.len()));
        drop(socket);
        let failure = asked.batch().expect_err(name);
        assert_eq!(failure.kind, FailureKind::Answer, "{name}: {failure}");
        assert!(failure.message.contains("claims"), "{name}: {failure}");
        assert!(!lives(pid), "{name}");
        assert_eq!(asked.batch().map(|alerts| alerts.len()), Ok(1), "{name}");
        assert!(asked.pid() != pid, "{name}");
    }
    assert_eq!((keep.bytes(), metrics.all().len()), (0, 0));
    // What could be is taken, and not more of it than there may be.
    let mut asked = Asked::of(&code, start(&all)).expect("it starts");
    let socket = socket_of(asked.pid()).expect("we are root");
    let bytes = frame(&answered(kept("k", 1)), &[]);
    let flags = rustix::net::SendFlags::NOSIGNAL;
    assert_eq!(rustix::net::send(&socket, &bytes, flags), Ok(bytes.len()));
    let answer = asked.ask(batch(64));
    assert_eq!(answer.answer, Ok(vec![]));
    assert!(answer.memory_bytes <= limits.memory_bytes_max);
    assert_eq!(keep.bytes(), 64 + 1 + 1);
}

#[test]
fn strikes_are_counted_where_no_death_wipes_them_out() {
    let specimen = Specimen {
        on_batch: "unreachable",
        ..Specimen::default()
    };
    let mut asked = Asked::plain(&code(&apart(), &specimen));
    for last in [false, false, true] {
        kill(asked.pid());
        let failure = loop {
            let failure = asked.batch().expect_err("it was killed, or traps");
            if failure.kind != FailureKind::Died {
                break failure;
            }
        };
        assert_eq!((failure.kind, failure.is_last), (FailureKind::Trap, last));
    }
    let failure = asked.batch().expect_err("it is set aside");
    assert_eq!(failure.kind, FailureKind::Quarantined);
}

#[test]
fn each_of_many_components_has_a_process_and_none_is_left() {
    let (here, apart) = (here(), apart());
    let specimen = Specimen::default();
    let time = |workshop: &Arc<Workshop>| {
        let code = code(workshop, &specimen);
        let began = Instant::now();
        let mut all: Vec<Asked> = (0..16).map(|_| Asked::plain(&code)).collect();
        let started = began.elapsed() / 16;
        let trip = |asked: &mut Asked, bytes: usize| {
            let began = Instant::now();
            for _ in 0..200 {
                let answer = asked.ask(batch(bytes));
                assert_eq!(answer.answer.map(|alerts| alerts.len()), Ok(1));
            }
            began.elapsed() / 200
        };
        let trips = [64, 16 << 10, 256 << 10].map(|bytes| trip(&mut all[0], bytes));
        (all, started, trips)
    };
    let (threads, started, trips) = time(&here);
    println!("threads: started in {started:?}, batches of 64 B, 16 KiB, 256 KiB {trips:?}");
    assert!(threads.iter().all(|asked| asked.worker.pid().is_none()));
    let (processes, started, trips) = time(&apart);
    println!("processes: started in {started:?}, batches of 64 B, 16 KiB, 256 KiB {trips:?}");
    let mut pids: Vec<u32> = processes.iter().map(Asked::pid).collect();
    for pid in &pids {
        let rollup = read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let figure = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let [rss, own] = ["Rss:", "Private_Dirty:"].map(figure);
        println!("process {pid}: {rss} resident, {own} its own");
    }
    drop(processes);
    assert!(!pids.iter().any(|pid| lives(*pid)), "{pids:?}");
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 16);
}
