//! How long a swap takes: from the moment a rule file is saved to the first window that is judged
//! by what is in it, while events flow. Whoever watches the file, reads, compiles and switches is
//! the same as in `saker run`; only the kernel's events are made up.
//! `cargo bench -p saker --bench swap`; the figures stand in README.md.

use criterion::{Criterion, criterion_group, criterion_main};
use saker::event::Clock;
use saker::modules::rulesets::Rulesets;
use saker::modules::{Epoch, Selection};
use saker::pipeline::{Pipeline, Setup};
use saker::sandbox::{Apart, Cache, Compiler, Judge, Limits};
use saker::source::merge::Batch;
use saker::source::synthetic::{Options as Machine, Synthetic};
use saker::state::State;
use saker::watch::{Changed, Sources, Watcher};
use saker_rules_compiler::{Options, Source};
use saker_shm::window::Window;
use std::cell::Cell;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Events that are handed over together.
const BATCH: usize = 200;

/// A hundred rules; those of another version differ in a path.
fn hundred_rules(version: u64) -> String {
    let mut yaml = String::from(
        "
- list: shells
  items: [ash, csh, ksh, zsh, tcsh, fish]
- macro: opened
  condition: (evt.type in (open, openat, openat2) and fd.num>=0)
",
    );
    for n in 0..100 {
        let condition = match n % 4 {
            0 => format!(
                "opened and evt.is_open_read=true and fd.name in (/etc/secret{n}, /etc/{version}) \
                 and not proc.name in (shells)"
            ),
            1 => format!("opened and evt.is_open_write=true and fd.name startswith /srv/{n}/"),
            2 => format!("evt.type in (execve, execveat) and proc.cmdline contains \"--evil{n}\""),
            _ => format!(
                "evt.type = connect and fd.sport = {} and proc.name = a{n}",
                4000 + n
            ),
        };
        let _ = write!(
            yaml,
            "- rule: rule {n}\n  desc: d\n  condition: >\n    {condition}\n  \
             output: \"%proc.cmdline %fd.name\"\n  priority: WARNING\n"
        );
    }
    yaml
}

/// What `saker run` is made of, as far as a swap goes.
struct Run {
    path: PathBuf,
    _watcher: Watcher,
    changed: mpsc::Receiver<Changed>,
    rulesets: Rulesets,
    pipeline: Pipeline,
    machine: Synthetic,
    /// The epoch of the last window that was judged, and how many were.
    judged: Rc<Cell<u32>>,
    windows: Rc<Cell<u64>>,
}

impl Run {
    fn new(folder: &Path) -> Run {
        let path = folder.join("rules.yaml");
        std::fs::write(&path, hundred_rules(0)).expect("a folder of the bench");
        let sources = Sources {
            rules: vec![path.clone()],
            ..Sources::default()
        };
        let (watcher, changed) = Watcher::start(sources).expect("a thread");
        let mut rulesets = Rulesets::default();
        let window = Window::create(8).expect("memory");
        let cache = Cache::open(&folder.join("cache")).expect("ours");
        let apart = Apart::by(Path::new(env!("CARGO_BIN_EXE_saker")));
        let judge = Judge::spawn_with(
            window.fd(),
            Limits::default(),
            Compiler::apart(apart).keeping(cache).into(),
        );
        let boot_to_epoch_ns = 1_750_000_000_000_000_000;
        let setup = Setup {
            state: State::new(Default::default(), Clock { boot_to_epoch_ns }),
            window,
            judge: judge.expect("threads"),
            rows_max: 4096,
            alerts: Box::new(drop),
        };
        let epoch = read(&mut rulesets, &path, 1);
        let first = Epoch::new(1, epoch.modules.clone(), Selection::default());
        let mut pipeline = Pipeline::new(setup, first).expect("good rules");
        let (judged, windows) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (seen, counted) = (judged.clone(), windows.clone());
        pipeline.watch_verdicts(move |verdict| {
            seen.set(verdict.epoch);
            counted.set(counted.get() + 1);
        });
        Run {
            path,
            _watcher: watcher,
            changed,
            rulesets,
            pipeline,
            machine: Synthetic::new(Machine {
                seed: 1,
                processes: 100,
            }),
            judged,
            windows,
        }
    }

    fn events(&mut self) {
        let mut batch = Batch::new();
        self.machine.fill(&mut batch, BATCH);
        self.pipeline
            .push(&Rc::new(batch))
            .expect("the judge lives");
        self.pipeline.flush().expect("the judge lives");
    }

    /// Saves that text; the time to the first window that was judged by it.
    fn swap(&mut self, text: &str) -> Duration {
        let began = Instant::now();
        std::fs::write(&self.path, text).expect("a folder of the bench");
        while self.changed.try_recv().is_err() {
            self.events();
        }
        let id = self.pipeline.epoch().id + 1;
        let next = read(&mut self.rulesets, &self.path, id);
        self.pipeline
            .propose(next.clone())
            .expect("the judge lives");
        loop {
            if let Some(outcome) = self.pipeline.outcome() {
                outcome.expect("good rules");
                break;
            }
            self.events();
        }
        self.pipeline.switch(next).expect("the judge lives");
        while self.judged.get() != id {
            self.events();
        }
        began.elapsed()
    }
}

fn read(rulesets: &mut Rulesets, path: &Path, epoch: u32) -> Rc<Epoch> {
    let source = Source {
        name: "rules.yaml".into(),
        text: std::fs::read_to_string(path).expect("a folder of the bench"),
    };
    let made = rulesets.module("rules", &[source], &Options::default());
    let module = made.0.expect("good rules");
    Rc::new(Epoch::new(epoch, vec![module], Selection::default()))
}

fn swaps(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder of the bench");
    let mut run = Run::new(folder.path());
    let mut version = 0;
    let mut group = c.benchmark_group("a rule file saved, to the first window judged by it");
    group.sample_size(20);
    group.bench_function("100 rules, never seen", |b| {
        b.iter_custom(|times| {
            let mut taken = Duration::ZERO;
            for _ in 0..times {
                version += 1;
                taken += run.swap(&hundred_rules(version));
            }
            taken
        });
    });
    let known = [hundred_rules(version), hundred_rules(version + 1)];
    let mut turn = 0;
    group.bench_function("100 rules, seen lately", |b| {
        for text in &known {
            run.swap(text);
        }
        b.iter_custom(|times| {
            let mut taken = Duration::ZERO;
            for _ in 0..times {
                turn += 1;
                taken += run.swap(&known[turn % 2]);
            }
            taken
        });
    });
    group.finish();
}

/// How long events wait for their verdict, from the moment they are read: least, half and all but
/// a hundredth of the batches. With `swaps`, rules that were never seen are compiled all the time
/// on another thread, and each takes over as soon as it is ready.
fn waits(run: &mut Run, swaps: Option<&mut u64>) -> [Duration; 3] {
    const BATCHES: usize = 3_000;
    let mut waited = Vec::with_capacity(BATCHES);
    let (mut version, mut next) = (swaps, None);
    for _ in 0..BATCHES {
        if let (Some(version), None) = (&mut version, &next) {
            **version += 1;
            std::fs::write(&run.path, hundred_rules(**version)).expect("a folder of the bench");
            let id = run.pipeline.epoch().id + 1;
            let epoch = read(&mut run.rulesets, &run.path, id);
            run.pipeline
                .propose(epoch.clone())
                .expect("the judge lives");
            next = Some(epoch);
        }
        let mut batch = Batch::new();
        run.machine.fill(&mut batch, BATCH);
        let batch = Rc::new(batch);
        let windows = run.windows.get();
        let began = Instant::now();
        if let Some(outcome) = run.pipeline.outcome() {
            outcome.expect("good rules");
            let next = next.take().expect("it was proposed");
            run.pipeline.switch(next).expect("the judge lives");
        }
        run.pipeline.push(&batch).expect("the judge lives");
        run.pipeline.flush().expect("the judge lives");
        let none = Rc::new(Batch::new());
        while run.windows.get() == windows {
            run.pipeline.push(&none).expect("the judge lives");
            std::hint::spin_loop();
        }
        waited.push(began.elapsed());
    }
    if let Some(next) = next {
        while run.pipeline.outcome().is_none() {
            run.events();
        }
        run.pipeline.switch(next).expect("the judge lives");
    }
    waited.sort_unstable();
    [0, BATCHES / 2, BATCHES * 99 / 100].map(|at| waited[at])
}

fn delay(_: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder of the bench");
    let mut run = Run::new(folder.path());
    let mut version = 1_000_000;
    for round in 1..=3 {
        let still = waits(&mut run, None);
        let before = run.pipeline.epoch().id;
        let swapped = waits(&mut run, Some(&mut version));
        let swaps = run.pipeline.epoch().id - before;
        println!(
            "from 200 events to their verdict, round {round} (least, median, p99): \
             {still:?} without swaps, {swapped:?} with {swaps} swaps"
        );
    }
}

criterion_group!(benches, swaps, delay);
criterion_main!(benches);
