//! Where hostile modules are let loose: a pipeline as `saker run` has it, over a made-up machine,
//! with rules and an honest component beside them.

use crate::specimen::{ALERT, Specimen};
use saker::alert::{Alert, Format};
use saker::config::ModuleChoice;
use saker::event::Clock;
use saker::modules::rulesets::Rulesets;
use saker::modules::{Epoch, Incident, Module, Selection, Unfit};
use saker::pipeline::{Counters, Pipeline, PipelineError, Setup};
use saker::sandbox::component::{ComponentLimits, Workshop};
use saker::sandbox::{Budget, Judge, Limits};
use saker::source::merge::Batch;
use saker::source::synthetic::{Options as Machine, Synthetic};
use saker::state::State;
use saker_rules_compiler::{Options, Source};
use saker_shm::window::Window;
use std::cell::RefCell;
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

fn workshop() -> &'static Arc<Workshop> {
    static WORKSHOP: OnceLock<Arc<Workshop>> = OnceLock::new();
    WORKSHOP.get_or_init(|| {
        let limits = ComponentLimits {
            start: Budget::Time {
                cpu: Duration::from_millis(200),
                wall: Duration::from_secs(20),
            },
            compile: Duration::from_secs(20),
            ..ComponentLimits::live(Duration::from_millis(50))
        };
        Workshop::new(limits).expect("an engine")
    })
}

/// The module that a component is, or why it is none.
pub(crate) fn load(wasm: Vec<u8>) -> Result<Module, String> {
    granted(wasm, &[])
}

/// The same, with what it is allowed.
pub(crate) fn granted(wasm: Vec<u8>, grant: &[&str]) -> Result<Module, String> {
    let choice = ModuleChoice {
        name: "hostile".into(),
        grant: grant.iter().map(|word| (*word).into()).collect(),
        ..ModuleChoice::default()
    };
    match Module::component("hostile", wasm, workshop(), &[choice]) {
        Ok((module, ..)) => Ok(module),
        Err(Unfit::Module(why)) => Err(why),
        Err(Unfit::Subscription(..)) => Err("its subscription is invalid".into()),
    }
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

/// The same, loaded.
#[track_caller]
pub(crate) fn loaded(specimen: &Specimen<'_>) -> Module {
    load(specimen.component()).unwrap_or_else(|why| panic!("{why}"))
}

fn rules() -> Module {
    let source = Source {
        name: "rules.yaml".into(),
        text: RULES.into(),
    };
    let made = Rulesets::default().module("rules", &[source], &Options::default());
    made.0.expect("good rules")
}

fn honest() -> Module {
    let specimen = Specimen {
        name: "honest",
        rules: &[("Honest", "%proc.name %evt.type")],
        condition: "evt.type = execve",
        on_batch: ALERT,
        ..Specimen::default()
    };
    loaded(&specimen)
}

/// A run.
pub(crate) struct Court {
    pub(crate) pipeline: Pipeline,
    alerts: Rc<RefCell<Vec<Alert>>>,
    machine: Synthetic,
    incidents: Vec<Incident>,
    epochs: u32,
    /// The modules beside: the rules, and the honest one.
    beside: [Module; 2],
}

impl Court {
    /// Begins with rules, those modules, and an honest one.
    pub(crate) fn new(hostile: Vec<Module>) -> Court {
        let window = Window::create(8).expect("memory");
        let judge = Judge::spawn(window.fd(), Limits::default()).expect("threads");
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
        let beside = [rules(), honest()];
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
            let mut court = Court::new(Vec::new());
            court.events(EVENTS);
            ["rules", "honest"].map(|name| court.lines(name))
        });
        for (name, expected) in ["rules", "honest"].iter().zip(alone) {
            assert!(expected.len() > 20, "{name}: {} alerts", expected.len());
            assert_eq!(self.lines(name), *expected, "{name}");
        }
    }
}

fn between([rules, honest]: &[Module; 2], hostile: Vec<Module>) -> Vec<Module> {
    let mut modules = vec![rules.clone()];
    modules.extend(hostile);
    modules.push(honest.clone());
    modules
}

/// What came of a hostile module.
pub(crate) struct Sentence {
    /// Its alerts.
    pub(crate) lines: Vec<String>,
    pub(crate) counters: Counters,
    /// Why it was stopped, each time.
    pub(crate) reasons: Vec<String>,
    /// Whether it was set aside.
    pub(crate) is_aside: bool,
}

/// Lets a module loose, and demands that those beside it notice nothing.
#[track_caller]
pub(crate) fn judge(hostile: Module) -> Sentence {
    let mut court = Court::new(vec![hostile]);
    court.events(EVENTS);
    court.others_are_unharmed();
    Sentence {
        lines: court.lines("hostile"),
        counters: court.pipeline.counters(),
        is_aside: court.incidents.iter().any(|incident| incident.is_last),
        reasons: court
            .incidents
            .into_iter()
            .map(|incident| incident.reason)
            .collect(),
    }
}

/// Demands that a component is stopped for that reason, set aside, and what it lost counted.
#[track_caller]
pub(crate) fn is_stopped(specimen: &Specimen<'_>, why: &str) {
    let sentence = judge(loaded(specimen));
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
    let hostile = loaded(specimen);
    let mut court = Court::new(Vec::new());
    court.events(EVENTS / 2);
    let refused = court.swap(vec![hostile]).expect_err("it must not start");
    assert!(refused.contains(why), "{refused}");
    court.events(EVENTS - EVENTS / 2);
    court.others_are_unharmed();
}
