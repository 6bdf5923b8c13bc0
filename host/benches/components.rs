//! What a module in another language costs: the event thread, for every event, and its own thread
//! or process, for every row; where nothing is for it, and where one event in a hundred is. The
//! rest is as in a run: a hundred rules, judged by a process, over a made-up machine. Ways take
//! turns, and the least of all turns counts: others are busy on a shared machine.
//! `cargo bench -p saker --bench components`

use rules::hundred_sources;
use rustix::time::{ClockId, clock_gettime};
use saker::componentise;
use saker::event::Clock;
use saker::modules::rulesets::Rulesets;
use saker::modules::{Epoch, Module, Selection};
use saker::pipeline::{Pipeline, Setup};
use saker::sandbox::component::{ComponentLimits, Workshop};
use saker::sandbox::{Judge, JudgeProcess, Limits};
use saker::source::merge::Batch;
use saker::source::synthetic::{Options as Machine, Synthetic};
use saker::state::State;
use saker_rules_compiler::Options;
use saker_shm::window::Window;
use specimen::Specimen;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

#[path = "support/rules.rs"]
mod rules;
// The components of the sandbox's own tests.
#[path = "../src/sandbox/component/specimen.rs"]
#[allow(dead_code)]
mod specimen;

const PROGRAM: &str = env!("CARGO_BIN_EXE_saker");
/// Turns, and batches in each; with `--quick`, only to see that it works.
const WHOLE: [usize; 2] = [15, 100];
const QUICK: [usize; 2] = [2, 5];
/// Events of a batch, as a busy ring gives them.
const BATCH: usize = 1_000;

/// Goes through its rows, and has nothing to say.
const WALK: &str = "
    (local.set $bytes (i32.add (local.get $rows) (local.get $bytes)))
    (block $done
        (loop $next
            (br_if $done (i32.ge_u (local.get $rows) (local.get $bytes)))
            (local.set $rows (i32.add (local.get $rows) (i32.load (local.get $rows))))
            (br $next)))
    (i64.store (i32.const 32) (i64.const 0)) (i32.const 32)";

/// Of no event it is known before its row is written that it holds for none.
const NOTHING: &str = "evt.type = connect and fd.sport = 1";
/// About one in a hundred.
const A_HUNDREDTH: &str = "evt.type = connect and proc.name in (java, python3)";

fn component(condition: &str, workshop: &Arc<Workshop>) -> Module {
    let specimen = Specimen {
        name: "walks",
        condition,
        fields: &["proc.name", "proc.pid", "fd.name", "evt.type"],
        on_batch: WALK,
        ..Specimen::default()
    };
    let loaded = Module::component("walks", specimen.component(), workshop, &[]);
    loaded.unwrap_or_else(|why| panic!("{why}")).0
}

/// CPU time of this thread.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("not before it began")
}

struct Way {
    name: String,
    pipeline: Pipeline,
    machine: Synthetic,
    /// Nanoseconds of the event thread for an event, by turn.
    turns: Vec<f64>,
}

impl Way {
    fn new(name: &str, modules: Vec<Module>) -> Way {
        let window = Window::create(8).expect("memory");
        let process = JudgeProcess::by(PROGRAM);
        let judge = Judge::spawn_apart(window.fd(), Limits::default(), Arc::default(), process);
        let setup = Setup {
            state: State::new(
                Default::default(),
                Clock {
                    boot_to_epoch_ns: 1_750_000_000_000_000_000,
                },
            ),
            window,
            judge: judge.expect("a judge"),
            rows_max: 4096,
            alerts: Box::new(|alert| panic!("nothing alerts: {alert:?}")),
        };
        let epoch = Epoch::new(1, modules, Selection::default());
        Way {
            name: name.into(),
            pipeline: Pipeline::new(setup, epoch).expect("valid"),
            machine: Synthetic::new(Machine {
                seed: 1,
                processes: 100,
            }),
            turns: Vec::new(),
        }
    }

    fn turn(&mut self, batches: usize) {
        let mut taken = Duration::ZERO;
        for _ in 0..batches {
            let mut batch = Batch::new();
            self.machine.fill(&mut batch, BATCH);
            let batch = Rc::new(batch);
            let began = used();
            self.pipeline.push(&batch).expect("the judge lives");
            self.pipeline.flush().expect("the judge lives");
            taken += used() - began;
        }
        let began = used();
        self.pipeline.drain().expect("the judge lives");
        taken += used() - began;
        self.turns
            .push(taken.as_nanos() as f64 / (batches * BATCH) as f64);
    }

    fn least(&self) -> f64 {
        self.turns.iter().copied().fold(f64::MAX, f64::min)
    }
}

fn main() {
    let mut rulesets = Rulesets::default();
    let (rules, ..) = rulesets.module("rules", &hundred_sources(), &Options::default());
    let rules = rules.expect("good rules");
    let limits = ComponentLimits::live(Duration::from_millis(50));
    let homes = [
        ("thread", Workshop::new(limits)),
        (
            "process",
            Workshop::new_apart(limits, Arc::default(), PROGRAM),
        ),
    ];
    let mut ways = vec![Way::new("100 rules", vec![rules.clone()])];
    for (home, workshop) in homes {
        let workshop = workshop.expect("an engine");
        for (what, condition) in [("idle", NOTHING), ("1 %", A_HUNDREDTH)] {
            let component = component(condition, &workshop);
            let name = format!("and a component, {what}, in a {home}");
            ways.push(Way::new(&name, vec![rules.clone(), component]));
        }
    }
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let [turns, batches] = if is_quick { QUICK } else { WHOLE };
    for _ in 0..turns {
        ways.iter_mut().for_each(|way| way.turn(batches));
    }
    let bare = ways[0].least();
    for way in &ways {
        let counters = way.pipeline.counters();
        assert_eq!(counters.rows_unjudged + counters.rows_of_dead_components, 0);
        println!(
            "{}: {:.1} ns of the event thread for an event ({:+.1})",
            way.name,
            way.least(),
            way.least() - bare
        );
        let work = way.pipeline.work("walks");
        if work.memory_bytes.is_some() {
            let share = work.events as f64 / counters.events as f64;
            println!(
                "    {:.2} % of the events, {} too late; {:.2} ns of others' CPU time for an event, \
                 which is {:.0} ns for a row",
                share * 100.0,
                counters.rows_untaken,
                work.cpu_ns as f64 / counters.events as f64,
                work.cpu_ns as f64 / work.events.max(1) as f64
            );
        }
    }
}
