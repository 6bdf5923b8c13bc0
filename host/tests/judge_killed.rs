//! A judge that is killed with -9 under load, over and over: the alerts are those of a run without,
//! byte for byte, but for exactly those of the windows that are counted as lost with it.

use saker::alert::Format;
use saker::event::Clock;
use saker::modules::rulesets::Rulesets;
use saker::modules::{Epoch, Selection};
use saker::pipeline::{Pipeline, Setup, Verdict};
use saker::sandbox::{Judge, JudgeProcess, Limits};
use saker::source::merge::Batch;
use saker::source::synthetic::{Options as Machine, Synthetic};
use saker::state::State;
use saker_rules_compiler::{Options, Source};
use saker_shm::window::Window;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Events that are handed over together: those of a window.
const BATCH: usize = 100;
const BATCHES: usize = 1_600;
/// After each so many, the judge is killed.
const KILL_AFTER: usize = 450;

const RULES: &str = "
- rule: opened for writing
  desc: d
  condition: evt.type = openat and evt.is_open_write=true
  output: '%evt.num %fd.name %proc.cmdline'
  priority: WARNING
- rule: connection
  desc: d
  condition: evt.type = connect and fd.sport = 443
  output: '%evt.num %fd.name %proc.name'
  priority: DEBUG
";

/// What came of a run.
struct Outcome {
    /// The number of an alert's event, and its line.
    alerts: Vec<(u64, String)>,
    /// Windows that were judged, and the rows of each.
    judged: HashMap<u64, u32>,
    /// By batch, its window.
    windows: Vec<Option<u64>>,
    rows_of_dead: u64,
    /// From each kill to a window that was sent after it and judged.
    back_after: Vec<Duration>,
}

fn run(is_killed: bool) -> Outcome {
    let window = Window::create(8).expect("memory");
    let process = JudgeProcess::by(env!("CARGO_BIN_EXE_saker"));
    let judge = Judge::spawn_apart(window.fd(), Limits::default(), Arc::default(), process);
    let alerts = Rc::new(RefCell::new(Vec::new()));
    let sink = alerts.clone();
    let boot_to_epoch_ns = 1_750_000_000_000_000_000;
    let setup = Setup {
        state: State::new(Default::default(), Clock { boot_to_epoch_ns }),
        window,
        judge: judge.expect("a judge"),
        rows_max: 4096,
        alerts: Box::new(move |alert| sink.borrow_mut().push(alert)),
    };
    let source = Source {
        name: "rules.yaml".into(),
        text: RULES.into(),
    };
    let made = Rulesets::default().module("rules", &[source], &Options::default());
    let epoch = Epoch::new(1, vec![made.0.expect("good rules")], Selection::default());
    let mut pipeline = Pipeline::new(setup, epoch).expect("a good module");
    let verdicts: Rc<RefCell<Vec<(Verdict, Instant)>>> = Rc::default();
    let see = verdicts.clone();
    pipeline.watch_verdicts(move |verdict| see.borrow_mut().push((verdict, Instant::now())));
    let mut machine = Synthetic::new(Machine {
        seed: 5,
        processes: 60,
    });
    let (mut windows, mut kills) = (Vec::new(), Vec::new());
    for number in 1..=BATCHES {
        let mut batch = Batch::new();
        machine.fill(&mut batch, BATCH);
        let before = pipeline.counters().windows;
        pipeline.push(&Rc::new(batch)).expect("there is a judge");
        pipeline.flush().expect("there is a judge");
        let after = pipeline.counters().windows;
        assert!(after <= before + 1, "a batch fits in a window");
        windows.push((after > before).then_some(before));
        if is_killed && number % KILL_AFTER == 0 {
            // Before it has a process again, there is none to kill.
            let standing = pipeline.judge().expect("it is a process");
            let pid = standing.pid.expect("it is there");
            let pid = rustix::process::Pid::from_raw(pid as i32).expect("a process");
            let sent = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            sent.expect("it is ours");
            kills.push((after, Instant::now()));
        }
    }
    pipeline.drain().expect("there is a judge");
    let verdicts = verdicts.borrow();
    let back_after = kills.into_iter().map(|(first, at)| {
        let mut verdicts = verdicts.iter();
        let back = verdicts.find(|(verdict, _)| verdict.window >= first);
        back.expect("another judges").1.duration_since(at)
    });
    let format = Format {
        json: true,
        ..Format::default()
    };
    let alerts = alerts.borrow();
    let numbered = alerts.iter().map(|alert| {
        let number = alert.message.split(' ').next().map(str::parse);
        let number = number.and_then(Result::ok).expect("a number");
        (number, alert.line(&format, "host"))
    });
    Outcome {
        alerts: numbered.collect(),
        judged: verdicts
            .iter()
            .map(|(verdict, _)| (verdict.window, verdict.rows))
            .collect(),
        windows,
        rows_of_dead: pipeline.counters().rows_of_dead_judges,
        back_after: back_after.collect(),
    }
}

#[test]
fn its_alerts_are_those_of_a_run_without_but_for_the_windows_that_are_counted_as_lost() {
    let still = run(false);
    let all = still.windows.iter().flatten().count();
    assert_eq!((still.judged.len(), still.rows_of_dead), (all, 0));
    let killed = run(true);
    assert_eq!(killed.windows, still.windows);
    let lost: HashSet<u64> = killed
        .windows
        .iter()
        .flatten()
        .copied()
        .filter(|window| !killed.judged.contains_key(window))
        .collect();
    // Not one row more or less than those is counted.
    let rows: u64 = lost.iter().map(|lost| u64::from(still.judged[lost])).sum();
    assert_eq!(killed.rows_of_dead, rows);
    let is_lost = |number: u64| {
        let window = still.windows[(number as usize - 1) / BATCH];
        lost.contains(&window.expect("it alerted"))
    };
    let (gone, expected): (Vec<_>, Vec<_>) = still
        .alerts
        .into_iter()
        .partition(|(number, _)| is_lost(*number));
    let kills = killed.back_after.len();
    println!(
        "{kills} kills, back after {:?}; {} windows of {all} lost with {rows} rows and {} alerts, \
         {} alerts as without",
        killed.back_after,
        lost.len(),
        gone.len(),
        expected.len()
    );
    assert!(killed.alerts == expected, "other alerts than without");
    assert_eq!(kills, BATCHES / KILL_AFTER);
    assert!(!lost.is_empty() && expected.len() > 1_000);
    for back_after in &killed.back_after {
        assert!(*back_after < Duration::from_secs(1), "{back_after:?}");
    }
}
