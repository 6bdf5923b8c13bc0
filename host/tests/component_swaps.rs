//! A component is swapped under full load as a live run does it, each version compiled, asked what
//! it is and run in processes of its own: of none of them anything is left, and the rules beside
//! notice nothing.

use saker::alert::{Alert, Format};
use saker::componentise;
use saker::event::Clock;
use saker::modules::rulesets::Rulesets;
use saker::modules::{Epoch, Module, Selection};
use saker::pipeline::{Pipeline, PipelineError, Setup};
use saker::sandbox::component::{ComponentLimits, Workshop};
use saker::sandbox::{Apart, Compiler, Judge, JudgeProcess, Limits};
use saker::source::merge::Batch;
use saker::source::synthetic::{Options as Machine, Synthetic};
use saker::state::State;
use saker_rules_compiler::{Options, Source};
use saker_shm::window::Window;
use specimen::{ALERT, Specimen};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

// The components of the sandbox's own tests.
#[path = "../src/sandbox/component/specimen.rs"]
#[allow(dead_code)]
mod specimen;

const PROGRAM: &str = env!("CARGO_BIN_EXE_saker");

/// Of so many versions one does not start,
const UNFIT_EACH: usize = 7;
/// and of so many swaps one has the process killed that is at work.
const KILLED_EACH: usize = 10;

fn compiler() -> Arc<Compiler> {
    Arc::new(Compiler::apart(Apart::by(Path::new(PROGRAM))))
}

/// A version like no other.
fn version(number: usize, workshop: &Arc<Workshop>) -> Module {
    let on_batch = format!("(drop (i32.const {number})) {ALERT}");
    let init = match is_unfit(number) {
        true => "unreachable",
        false => specimen::INIT,
    };
    let specimen = Specimen {
        name: "swapped",
        condition: "evt.type = openat",
        init,
        on_batch: &on_batch,
        ..Specimen::default()
    };
    let wasm = specimen.component();
    let loaded = Module::component("swapped", wasm, workshop, &[]);
    loaded.unwrap_or_else(|why| panic!("{why}")).0
}

fn is_unfit(number: usize) -> bool {
    number % UNFIT_EACH == UNFIT_EACH - 1
}

fn rules() -> Module {
    let source = Source {
        name: "rules.yaml".into(),
        text: "- {rule: r, desc: d, condition: evt.type = execve and proc.name = java, \
               output: '%evt.num %proc.cmdline', priority: INFO}"
            .into(),
    };
    let made = Rulesets::default().module("rules", &[source], &Options::default());
    made.0.expect("a good rule")
}

/// A pipeline over a made-up machine.
struct Run {
    pipeline: Pipeline,
    machine: Synthetic,
    alerts: Rc<RefCell<Vec<Alert>>>,
}

impl Run {
    fn new(modules: Vec<Module>) -> Run {
        let window = Window::create(8).expect("memory");
        let process = JudgeProcess::by(PROGRAM);
        let judge = Judge::spawn_apart(window.fd(), Limits::default(), compiler(), process);
        let alerts = Rc::new(RefCell::new(Vec::new()));
        let sink = alerts.clone();
        let boot_to_epoch_ns = 1_750_000_000_000_000_000;
        let setup = Setup {
            state: State::new(Default::default(), Clock { boot_to_epoch_ns }),
            window,
            judge: judge.expect("a judge"),
            rows_max: 512,
            alerts: Box::new(move |alert| sink.borrow_mut().push(alert)),
        };
        let epoch = Epoch::new(1, modules, Selection::default());
        Run {
            pipeline: Pipeline::new(setup, epoch).expect("good modules"),
            machine: Synthetic::new(Machine {
                seed: 11,
                processes: 50,
            }),
            alerts,
        }
    }

    /// A hundred events happen.
    fn events(&mut self) {
        let mut batch = Batch::new();
        self.machine.fill(&mut batch, 100);
        let pushed = self.pipeline.push(&Rc::new(batch));
        pushed.expect("the judge lives");
        self.pipeline.flush().expect("the judge lives");
    }

    /// Alerts of a module, as lines.
    fn lines(&self, module: &str) -> Vec<String> {
        let format = Format {
            json: true,
            ..Format::default()
        };
        let alerts = self.alerts.borrow();
        let by = alerts
            .iter()
            .filter(|alert| alert.module.as_ref().is_some_and(|by| *by.name == *module));
        by.map(|alert| alert.line(&format, "host")).collect()
    }
}

/// What this process has of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    /// Those that it started, ended and not waited for included.
    processes: usize,
    threads: usize,
    descriptors: usize,
    /// Files in memory, open or mapped.
    memfds: usize,
}

fn held() -> Held {
    let entries = |of: &str| {
        let entries = std::fs::read_dir(format!("/proc/self/{of}")).expect("procfs");
        entries.flatten().map(|entry| entry.path())
    };
    let children = |task: &Path| {
        let children = std::fs::read_to_string(task.join("children"));
        children.map_or(0, |children| children.split_whitespace().count())
    };
    let is_memfd = |path: &std::path::PathBuf| {
        let to = std::fs::read_link(path).unwrap_or_default();
        to.to_string_lossy().starts_with("/memfd:")
    };
    let maps = std::fs::read_to_string("/proc/self/maps").expect("procfs");
    let mapped = maps.lines().filter(|line| line.contains("/memfd:")).count();
    Held {
        processes: entries("task").map(|task| children(&task)).sum(),
        threads: entries("task").count(),
        descriptors: entries("fd").count(),
        memfds: entries("fd").filter(is_memfd).count() + mapped,
    }
}

/// What is held once it is what is expected, or after a while.
fn settled(expected: Held) -> Held {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let held = held();
        if held == expected || Instant::now() > end {
            return held;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn swaps_leave_nothing_behind(swaps: usize) {
    // What is held is the whole process's.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let limits = ComponentLimits::live(Duration::from_millis(50));
    let workshop = Workshop::new_apart(limits, compiler(), PROGRAM).expect("a process");
    let rules = rules();
    let epoch = |id: u32, swapped: Module| {
        let modules = vec![rules.clone(), swapped];
        Rc::new(Epoch::new(id, modules, Selection::default()))
    };
    let began = Instant::now();
    let before = held();
    let mut run = Run::new(vec![rules.clone(), version(0, &workshop)]);
    let at_first = held();
    // What judges, and what runs the component.
    assert_eq!(at_first.processes, 2);
    // Versions are loaded aside, as a run does it.
    let (load, loaded) = sync_channel(0);
    let theirs = workshop.clone();
    let loading = std::thread::spawn(move || {
        for number in 1..=swaps {
            if load.send(version(number, &theirs)).is_err() {
                return;
            }
        }
    });
    let (mut batches, mut done, mut refused, mut killed) = (0, 0, 0, 0);
    let mut proposed: Option<Rc<Epoch>> = None;
    while done < swaps {
        run.events();
        batches += 1;
        if proposed.is_none()
            && let Ok(module) = loaded.try_recv()
        {
            let next = epoch(done as u32 + 2, module);
            run.pipeline.propose(next.clone()).expect("the judge lives");
            proposed = Some(next);
        }
        let Some(outcome) = run.pipeline.outcome() else {
            continue;
        };
        done += 1;
        let next = proposed.take().expect("it was proposed");
        match outcome {
            Ok(_) => run.pipeline.switch(next).expect("the judge lives"),
            Err(PipelineError::Refused { .. }) if is_unfit(done) => refused += 1,
            Err(other) => panic!("{other}"),
        }
        if done % KILLED_EACH == 0
            && let Some(pid) = run.pipeline.work("swapped").pid
        {
            let pid = rustix::process::Pid::from_raw(pid as i32).expect("a process");
            let sent = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            sent.expect("it is not waited for by anybody else");
            killed += 1;
        }
    }
    loading.join().expect("all were loaded");
    run.pipeline.drain().expect("the judge lives");
    let unfit = (1..=swaps).filter(|number| is_unfit(*number)).count();
    assert_eq!((refused, killed > 0), (unfit, true));
    let of_component = run.lines("swapped").len();
    assert!(of_component > swaps, "{of_component} alerts");

    // Those that were swapped out end aside.
    let now = settled(at_first);
    println!(
        "{swaps} swaps in {:?}, {} events, {refused} refused, {killed} killed: {now:?}",
        began.elapsed(),
        batches * 100
    );
    assert_eq!(now, at_first);
    let lines = run.lines("rules");
    assert!(lines.len() > swaps, "{} alerts", lines.len());
    drop(run);
    assert_eq!(settled(before), before);

    let mut still = Run::new(vec![rules]);
    for _ in 0..batches {
        still.events();
    }
    still.pipeline.drain().expect("the judge lives");
    assert!(still.lines("rules") == lines, "other alerts by rules");
}

#[test]
fn a_hundred_swaps_leave_no_process_thread_descriptor_or_file_behind() {
    swaps_leave_nothing_behind(100);
}

#[test]
#[ignore = "takes minutes"]
fn nor_do_a_thousand() {
    swaps_leave_nothing_behind(1_000);
}
