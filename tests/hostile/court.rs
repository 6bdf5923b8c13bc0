//! Where hostile modules are let loose: a pipeline as `saker run` has it, over a made-up machine,
//! with rules and an honest component beside them. Each is, in both homes that modules may have,
//! and what comes of it must be the same.

use crate::program::saker;
use crate::specimen::{ALERT, Specimen};
use saker::alert::{Alert, Format};
use saker::config::ModuleChoice;
use saker::event::Clock;
use saker::modules::rulesets::Rulesets;
use saker::modules::{Epoch, Incident, Module, Selection, Unfit};
use saker::pipeline::{Counters, Pipeline, PipelineError, Setup};
use saker::sandbox::component::{ComponentLimits, Workshop};
use saker::sandbox::{Apart, Budget, Compiler, Judge, JudgeProcess, Limits};
use saker::source::merge::Batch;
use saker::source::synthetic::{Options as Machine, Synthetic};
use saker::state::State;
use saker_rules_compiler::{Options, Source};
use saker_shm::window::Window;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Events of a run, in batches of this many.
const EVENTS: usize = 3_000;
const BATCH: usize = 100;

const RULES: &str = "
- rule: passwd opened
  desc: d
  condition: evt.type = openat and fd.name = /etc/passwd
  output: '%evt.num %fd.name %proc.cmdline'
  priority: NOTICE
- rule: connection
  desc: d
  condition: evt.type = connect and fd.sport = 443
  output: '%evt.num %fd.name %proc.name'
  priority: INFO
";

/// Where modules are compiled and run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// In threads of this process.
    Threads,
    /// In processes without rights, one for the rules and one for each component.
    Processes,
}

impl Home {
    pub(crate) const ALL: [Home; 2] = [Home::Threads, Home::Processes];

    fn workshop(self) -> &'static Arc<Workshop> {
        static WORKSHOPS: [OnceLock<Arc<Workshop>>; 2] = [OnceLock::new(), OnceLock::new()];
        WORKSHOPS[self as usize].get_or_init(|| {
            let limits = ComponentLimits {
                start: Budget::Time {
                    cpu: Duration::from_millis(200),
                    wall: Duration::from_secs(20),
                },
                compile: Duration::from_secs(20),
                ..ComponentLimits::live(Duration::from_millis(50))
            };
            let workshop = match self {
                Home::Threads => Workshop::new(limits),
                Home::Processes => Workshop::new_apart(limits, compiler_apart(), saker()),
            };
            workshop.expect("an engine")
        })
    }

    fn judge(self, window: &Window) -> Judge {
        let limits = Limits::default();
        let judge = match self {
            Home::Threads => Judge::spawn(window.fd(), limits),
            Home::Processes => {
                let process = JudgeProcess::by(saker());
                Judge::spawn_apart(window.fd(), limits, compiler_apart(), process)
            }
        };
        judge.expect("a judge")
    }

    /// The module that a component is, or why it is none.
    pub(crate) fn load(self, wasm: Vec<u8>) -> Result<Module, String> {
        self.load_granted(wasm, &[])
    }

    /// The same, with what it is allowed.
    fn load_granted(self, wasm: Vec<u8>, grant: &[&str]) -> Result<Module, String> {
        let choice = ModuleChoice {
            name: "hostile".into(),
            grant: grant.iter().map(|word| (*word).into()).collect(),
            ..ModuleChoice::default()
        };
        match Module::component("hostile", wasm, self.workshop(), &[choice]) {
            Ok((module, ..)) => Ok(module),
            Err(Unfit::Module(why)) => Err(why),
            Err(Unfit::Subscription(..)) => Err("its subscription is invalid".into()),
        }
    }

    /// Loads a component and lets it loose, if it can be, and demands that those beside it notice
    /// nothing. Otherwise says why not.
    #[track_caller]
    pub(crate) fn tried(self, wasm: &[u8], grant: &[&str]) -> Result<Sentence, String> {
        let hostile = self.load_granted(wasm.to_vec(), grant)?;
        // One that does not start is no beginning of a run.
        let mut court = Court::new(self, Vec::new());
        court.swap(vec![hostile.clone()])?;
        court.adjourn();
        Ok(sentence(self, hostile))
    }

    /// A specimen, loaded.
    #[track_caller]
    pub(crate) fn loaded(self, specimen: &Specimen<'_>) -> Module {
        let loaded = self.load(specimen.component());
        loaded.unwrap_or_else(|why| panic!("{why}"))
    }

    fn honest(self) -> Module {
        static HONEST: [OnceLock<Module>; 2] = [OnceLock::new(), OnceLock::new()];
        let made = HONEST[self as usize].get_or_init(|| {
            self.loaded(&Specimen {
                name: "honest",
                rules: &[("Honest", "%proc.name %evt.type")],
                condition: "evt.type = execve",
                on_batch: ALERT,
                ..Specimen::default()
            })
        });
        made.clone()
    }
}

fn compiler_apart() -> Arc<Compiler> {
    static COMPILER: OnceLock<Arc<Compiler>> = OnceLock::new();
    let made = COMPILER.get_or_init(|| Arc::new(Compiler::apart(Apart::by(saker()))));
    made.clone()
}

/// A hostile component; of what it leaves open, it does as an honest one.
pub(crate) fn hostile<'a>() -> Specimen<'a> {
    Specimen {
        name: "hostile",
        rules: &[("Hostile", "hostile %proc.name")],
        condition: "evt.type = openat",
        fields: &["proc.name"],
        ..Specimen::default()
    }
}

fn rules() -> Module {
    let source = Source {
        name: "rules.yaml".into(),
        text: RULES.into(),
    };
    let made = Rulesets::default().module("rules", &[source], &Options::default());
    made.0.expect("good rules")
}

/// A run.
pub(crate) struct Court {
    pub(crate) pipeline: Pipeline,
    alerts: Rc<RefCell<Vec<Alert>>>,
    machine: Synthetic,
    incidents: Vec<Incident>,
    epochs: u32,
    home: Home,
    /// The modules beside: the rules, and the honest one.
    beside: [Module; 2],
}

impl Court {
    /// Begins with rules, those modules, and an honest one.
    pub(crate) fn new(home: Home, hostile: Vec<Module>) -> Court {
        let window = Window::create(8).expect("memory");
        let judge = home.judge(&window);
        let alerts = Rc::new(RefCell::new(Vec::new()));
        let sink = alerts.clone();
        let boot_to_epoch_ns = 1_750_000_000_000_000_000;
        let setup = Setup {
            state: State::new(Default::default(), Clock { boot_to_epoch_ns }),
            window,
            judge,
            rows_max: 4096,
            alerts: Box::new(move |alert| sink.borrow_mut().push(alert)),
        };
        let beside = [rules(), home.honest()];
        let epoch = Epoch::new(1, between(&beside, hostile), Selection::default());
        let machine = Machine {
            seed: 7,
            processes: 40,
        };
        Court {
            pipeline: Pipeline::new(setup, epoch).expect("good modules"),
            alerts,
            machine: Synthetic::new(machine),
            incidents: Vec::new(),
            epochs: 1,
            home,
            beside,
        }
    }

    /// So many events happen, and are judged.
    pub(crate) fn events(&mut self, events: usize) {
        for at in (0..events).step_by(BATCH) {
            let mut batch = Batch::new();
            self.machine.fill(&mut batch, BATCH.min(events - at));
            let pushed = self.pipeline.push(&Rc::new(batch));
            pushed.expect("the judge lives");
            self.pipeline.drain().expect("the judge lives");
            self.incidents.extend(self.pipeline.incidents());
        }
    }

    /// Other modules take over, between the rules and the honest one, while events happen.
    pub(crate) fn swap(&mut self, hostile: Vec<Module>) -> Result<(), String> {
        self.epochs += 1;
        let modules = between(&self.beside, hostile);
        let epoch = Rc::new(Epoch::new(self.epochs, modules, Selection::default()));
        let prepared = self.pipeline.prepare(&epoch);
        prepared.map_err(|error| match error {
            PipelineError::Refused { reason, .. } => reason,
            other => panic!("{other}"),
        })?;
        self.pipeline.switch(epoch).expect("the judge lives");
        Ok(())
    }

    /// The alerts of a module, as lines.
    pub(crate) fn lines(&self, module: &str) -> Vec<String> {
        let format = Format {
            json: true,
            ..Format::default()
        };
        let alerts = self.alerts.borrow();
        let of = alerts.iter().filter(|alert| {
            let by = alert.module.as_ref();
            by.is_some_and(|by| *by.name == *module)
        });
        of.map(|alert| alert.line(&format, "host")).collect()
    }

    /// Demands that the modules beside alerted as if there had been no hostile one.
    #[track_caller]
    pub(crate) fn others_are_unharmed(&self) {
        static ALONE: OnceLock<[Vec<String>; 2]> = OnceLock::new();
        let alone = ALONE.get_or_init(|| {
            let mut court = Court::new(Home::Threads, Vec::new());
            court.events(EVENTS);
            ["rules", "honest"].map(|name| court.lines(name))
        });
        for (name, expected) in ["rules", "honest"].iter().zip(alone) {
            assert!(expected.len() > 20, "{name}: {} alerts", expected.len());
            assert_eq!(self.lines(name), *expected, "{name}, {:?}", self.home);
        }
    }

    /// Ends, and demands that no process is left.
    #[track_caller]
    pub(crate) fn adjourn(self) {
        let pids = ["rules", "hostile", "honest"].map(|name| self.pipeline.work(name).pid);
        let has_one = self.home == Home::Processes;
        assert_eq!(pids[2].is_some(), has_one, "{:?}", self.home);
        drop(self);
        let left = pids.into_iter().flatten();
        let left: Vec<u32> = left.filter(|pid| is_ours(*pid)).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Whether a process is there, running or not waited for, that this one has started.
fn is_ours(pid: u32) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(format!("{pid}/status")));
    let ours = format!("PPid:\t{}", std::process::id());
    status.is_ok_and(|status| status.lines().any(|line| line == ours))
}

fn between([rules, honest]: &[Module; 2], hostile: Vec<Module>) -> Vec<Module> {
    let mut modules = vec![rules.clone()];
    modules.extend(hostile);
    modules.push(honest.clone());
    modules
}

/// What came of a hostile module.
#[derive(Debug, PartialEq)]
pub(crate) struct Sentence {
    /// Its alerts.
    pub(crate) lines: Vec<String>,
    pub(crate) counters: Counters,
    /// Why it was stopped, each time.
    pub(crate) reasons: Vec<String>,
    /// Whether it was set aside.
    pub(crate) is_aside: bool,
}

/// The same of both homes.
#[track_caller]
fn in_both<T: PartialEq + std::fmt::Debug>(mut try_in: impl FnMut(Home) -> T) -> T {
    let [threads, processes] = Home::ALL.map(&mut try_in);
    assert_eq!(threads, processes);
    threads
}

#[track_caller]
fn sentence(home: Home, hostile: Module) -> Sentence {
    let mut court = Court::new(home, vec![hostile]);
    court.events(EVENTS);
    court.others_are_unharmed();
    let counters = court.pipeline.counters();
    // Whatever a module does, its process stands it.
    assert_eq!(counters.rows_of_dead_components, 0);
    assert_eq!(counters.rows_of_dead_judges, 0);
    let incidents = std::mem::take(&mut court.incidents);
    let sentence = Sentence {
        lines: court.lines("hostile"),
        counters,
        is_aside: incidents.iter().any(|incident| incident.is_last),
        reasons: incidents
            .into_iter()
            .map(|incident| incident.reason)
            .collect(),
    };
    court.adjourn();
    sentence
}

/// What comes of trying it, which is the same in both homes.
#[track_caller]
pub(crate) fn tried(wasm: &[u8], grant: &[&str]) -> Result<Sentence, String> {
    in_both(|home| home.tried(wasm, grant))
}

/// Lets a component loose that can be.
#[track_caller]
pub(crate) fn judge(specimen: &Specimen<'_>) -> Sentence {
    let wasm = specimen.component();
    in_both(|home| {
        let hostile = home
            .load(wasm.clone())
            .unwrap_or_else(|why| panic!("{why}"));
        sentence(home, hostile)
    })
}

/// Demands that a component is not loaded, and says why.
#[track_caller]
pub(crate) fn refusal(wasm: &[u8], grant: &[&str]) -> String {
    in_both(|home| {
        let loaded = home.load_granted(wasm.to_vec(), grant);
        loaded.err().expect("it must not be loaded")
    })
}

/// Demands that a component is stopped for that reason, set aside, and what it lost counted.
#[track_caller]
pub(crate) fn is_stopped(specimen: &Specimen<'_>, why: &str) {
    let sentence = judge(specimen);
    let reasons = &sentence.reasons;
    assert!(!reasons.is_empty(), "it is never stopped");
    assert!(
        reasons.iter().all(|reason| reason.contains(why)),
        "{reasons:?}"
    );
    assert!(sentence.is_aside, "it is never set aside: {reasons:?}");
    assert!(sentence.counters.rows_unjudged > 0);
    assert_eq!(sentence.counters.module_failures, reasons.len() as u64);
}

/// Demands that a module whose instance cannot be made is refused for that reason while others
/// go on.
#[track_caller]
pub(crate) fn does_not_start(specimen: &Specimen<'_>, why: &str) {
    let wasm = specimen.component();
    let refused = in_both(|home| {
        let hostile = home
            .load(wasm.clone())
            .unwrap_or_else(|why| panic!("{why}"));
        let mut court = Court::new(home, Vec::new());
        court.events(EVENTS / 2);
        let refused = court.swap(vec![hostile]).expect_err("it must not start");
        court.events(EVENTS - EVENTS / 2);
        court.others_are_unharmed();
        court.adjourn();
        refused
    });
    assert!(refused.contains(why), "{refused}");
}
