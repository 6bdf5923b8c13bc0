//! A thousand swaps under full load: no window is lost or judged twice, every alert is there once
//! and is by the version whose turn it was, and nothing of this would pass if one event were lost.

use saker::alert::{Alert, Format, ShownModule};
use saker::event::Clock;
use saker::modules::rulesets::Rulesets;
use saker::modules::{Epoch, Module, Selection};
use saker::pipeline::{Pipeline, Setup, Verdict};
use saker::sandbox::{Judge, JudgeProcess, Limits};
use saker::source::merge::Batch;
use saker::source::synthetic::{Options as Machine, Synthetic};
use saker::state::State;
use saker_rules_compiler::{Options, Source};
use saker_shm::window::Window;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

const CLOCK: Clock = Clock {
    boot_to_epoch_ns: 1_750_000_000_000_000_000,
};
/// Events that are handed over together.
const BATCH: usize = 100;

/// The same rules in every version; versions differ in a rule that never holds.
fn version(number: usize) -> Module {
    let text = format!(
        r#"
- list: shells
  items: [bash, sh, dash]
- rule: file opened for writing below var
  desc: d
  condition: evt.type = openat and evt.is_open_write=true and fd.name startswith /var/
  output: "%evt.num %fd.name %proc.name %proc.pname %proc.aname[2] %proc.cmdline %user.uid"
  priority: WARNING
- rule: connection to https
  desc: d
  condition: evt.type = connect and fd.sport = 443 and not proc.name in (shells)
  output: "%evt.num %fd.name %fd.l4proto %proc.name"
  priority: DEBUG
- rule: version {number}
  desc: d
  condition: evt.type = connect and proc.name = "no program is called {number}"
  output: never
  priority: DEBUG
"#
    );
    let source = Source {
        name: "rules.yaml".into(),
        text,
    };
    let made = Rulesets::default().module("rules", &[source], &Options::default());
    made.0.expect("good rules")
}

/// A ruleset beside, which never changes.
fn beside() -> Module {
    let text = "- {rule: beside, desc: d, condition: evt.type = execve and proc.name = java, \
                output: '%evt.num %proc.cmdline', priority: INFO}";
    let source = Source {
        name: "beside.yaml".into(),
        text: text.into(),
    };
    let made = Rulesets::default().module("beside", &[source], &Options::default());
    made.0.expect("a good rule")
}

/// What goes wrong on purpose.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// An event is lost before it is judged.
    Event,
    /// What was judged of a window is lost.
    Window,
    /// A window is judged twice.
    Double,
}

/// Where windows are judged.
#[derive(Clone, Copy)]
enum Home {
    Threads,
    Process,
}

/// What came of a run.
struct Outcome {
    alerts: Vec<Alert>,
    verdicts: Vec<Verdict>,
    /// Per swap, the number of the first event that was the next epoch's.
    turns: Vec<u64>,
    rows: u64,
    windows: u64,
}

/// Judges so many events while modules are swapped as often, and as evenly spread, as it says.
fn run(events: usize, swaps: usize, planted: Planted, home: Home) -> Outcome {
    let versions = [version(0), version(1)];
    let epoch = |number: usize| {
        let modules = vec![versions[number % 2].clone(), beside()];
        Rc::new(Epoch::new(number as u32 + 1, modules, Selection::default()))
    };
    let window = Window::create(8).expect("memory");
    let limits = Limits::default();
    let judge = match home {
        Home::Threads => Judge::spawn(window.fd(), limits),
        Home::Process => {
            let program = JudgeProcess::by(env!("CARGO_BIN_EXE_saker"));
            Judge::spawn_apart(window.fd(), limits, Arc::default(), program)
        }
    };
    let judge = judge.expect("a judge");
    let (alerts, verdicts) = (Rc::new(RefCell::new(Vec::new())), Rc::default());
    let sink = alerts.clone();
    let setup = Setup {
        state: State::new(Default::default(), CLOCK),
        window,
        judge,
        rows_max: 512,
        alerts: Box::new(move |alert| sink.borrow_mut().push(alert)),
    };
    let first = Epoch::new(1, epoch(0).modules.clone(), Selection::default());
    let mut pipeline = Pipeline::new(setup, first).expect("good modules");
    let seen: Rc<RefCell<Vec<Verdict>>> = verdicts;
    let see = seen.clone();
    pipeline.watch_verdicts(move |verdict| see.borrow_mut().push(verdict));
    let mut machine = Synthetic::new(Machine {
        seed: 42,
        processes: 60,
    });
    let every = events.checked_div(swaps).unwrap_or(usize::MAX);
    let (mut turns, mut proposed) = (Vec::new(), None);
    for at in (0..events).step_by(BATCH) {
        let mut batch = Batch::new();
        for number in at..(at + BATCH).min(events) {
            let record = machine.next_record();
            if planted == Planted::Event && number == events / 2 {
                continue;
            }
            assert!(batch.push(&record));
        }
        pipeline.push(&Rc::new(batch)).expect("the judge lives");
        // As a run does: an alert is worth more than a full window.
        pipeline.flush().expect("the judge lives");
        let mut is_due = (at + BATCH).is_multiple_of(every);
        loop {
            if let Some(outcome) = pipeline.outcome() {
                outcome.expect("good modules");
                turns.push(pipeline.counters().events + 1);
                let next: Rc<Epoch> = proposed.take().expect("it was proposed");
                pipeline.switch(next).expect("the judge lives");
            }
            if !is_due {
                break;
            }
            // The machine made events faster than the one before was ready.
            if proposed.is_some() {
                let none = Rc::new(Batch::new());
                pipeline.push(&none).expect("the judge lives");
                std::thread::yield_now();
                continue;
            }
            let next = epoch(turns.len() + 1);
            pipeline.propose(next.clone()).expect("the judge lives");
            proposed = Some(next);
            is_due = false;
        }
    }
    while let Some(next) = proposed.take() {
        while pipeline.outcome().is_none() {
            let none = Rc::new(Batch::new());
            pipeline.push(&none).expect("the judge lives");
        }
        turns.push(pipeline.counters().events + 1);
        pipeline.switch(next).expect("the judge lives");
    }
    pipeline.drain().expect("the judge lives");
    let mut verdicts = seen.borrow().clone();
    match planted {
        Planted::Nothing | Planted::Event => {}
        Planted::Window => drop(verdicts.remove(verdicts.len() / 2)),
        Planted::Double => verdicts.push(verdicts[verdicts.len() / 2]),
    }
    let counters = pipeline.counters();
    let alerts = alerts.borrow().clone();
    Outcome {
        alerts,
        verdicts,
        turns,
        rows: counters.rows,
        windows: counters.windows,
    }
}

/// Holds a run with swaps against one without.
fn hold(swapped: &Outcome, still: &Outcome) -> Result<(), String> {
    // Every window was judged once.
    let mut numbers: Vec<u64> = swapped
        .verdicts
        .iter()
        .map(|verdict| verdict.window)
        .collect();
    numbers.sort_unstable();
    let expected = 0..swapped.windows;
    if !numbers.iter().copied().eq(expected.clone()) {
        let gap = expected
            .zip(&numbers)
            .find(|(wanted, found)| wanted != *found);
        return Err(format!(
            "{} windows of {}: {gap:?}",
            numbers.len(),
            swapped.windows
        ));
    }
    // And every row in one.
    let judged: u64 = swapped
        .verdicts
        .iter()
        .map(|verdict| u64::from(verdict.rows))
        .sum();
    if (judged, swapped.rows) != (still.rows, still.rows) {
        return Err(format!(
            "{judged} rows judged, {} written of {}",
            swapped.rows, still.rows
        ));
    }
    // The alerts are the same to the byte, but for the version that they name.
    let lines = |outcome: &Outcome| -> Vec<String> {
        let format = Format {
            json: true,
            module: ShownModule::Name,
            ..Format::default()
        };
        let alerts = outcome.alerts.iter();
        alerts.map(|alert| alert.line(&format, "host")).collect()
    };
    let (found, wanted) = (lines(swapped), lines(still));
    if found != wanted {
        let differs = found
            .iter()
            .zip(&wanted)
            .find(|(found, wanted)| found != wanted);
        return Err(format!(
            "{} alerts of {}: {differs:?}",
            found.len(),
            wanted.len()
        ));
    }
    // And that is the one whose turn it was.
    let versions = [version(0), version(1)].map(|module| module.identity().digest);
    for alert in &swapped.alerts {
        let module = alert.module.as_ref().ok_or("an alert of nobody's")?;
        if &*module.name != "rules" {
            continue;
        }
        let number: u64 = alert
            .message
            .split(' ')
            .next()
            .and_then(|word| word.parse().ok())
            .ok_or_else(|| format!("no number in `{}`", alert.message))?;
        let turn = swapped.turns.partition_point(|turn| *turn <= number);
        if module.digest != versions[turn % 2] {
            return Err(format!(
                "event {number} was judged by another version than the {turn}th"
            ));
        }
    }
    Ok(())
}

#[track_caller]
fn swaps_lose_nothing(events: usize, swaps: usize, alerts: usize, home: Home) {
    let still = run(events, 0, Planted::Nothing, Home::Threads);
    assert!(
        still.alerts.len() >= alerts,
        "{} alerts",
        still.alerts.len()
    );
    let swapped = run(events, swaps, Planted::Nothing, home);
    assert_eq!(swapped.turns.len(), swaps);
    hold(&swapped, &still).unwrap_or_else(|why| panic!("{why}"));
    println!(
        "{events} events, {swaps} swaps, {} windows, {} alerts",
        swapped.windows,
        swapped.alerts.len()
    );
}

#[test]
fn a_hundred_swaps_under_load_lose_no_window_no_event_and_no_alert() {
    swaps_lose_nothing(100_000, 100, 100, Home::Threads);
}

#[test]
fn nor_do_they_where_a_process_judges() {
    swaps_lose_nothing(100_000, 100, 100, Home::Process);
}

#[test]
#[ignore = "takes most of a minute; CI runs it"]
fn a_thousand_swaps_over_a_million_events_lose_no_window_no_event_and_no_alert() {
    swaps_lose_nothing(1_000_000, 1_000, 1_000, Home::Process);
}

#[test]
fn a_loss_that_is_planted_is_found() {
    let run = |swaps, planted| run(20_000, swaps, planted, Home::Threads);
    let still = run(0, Planted::Nothing);
    for (planted, what) in [
        (Planted::Event, "a lost event"),
        (Planted::Window, "a lost window"),
        (Planted::Double, "a window judged twice"),
    ] {
        let swapped = run(20, planted);
        assert!(hold(&swapped, &still).is_err(), "{what} is not found");
    }
    assert_eq!(hold(&run(20, Planted::Nothing), &still), Ok(()));
}
