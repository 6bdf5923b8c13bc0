//! What is loaded: rule modules, and the epochs they form.
//!
//! An epoch is a set of modules with all that follows from it: the table of literals, the plan
//! of rows, the event types that are wanted. It never changes; a swap makes the next one.

mod component;
pub mod roster;
pub mod rulesets;
mod shadow;
mod written;

pub use component::{Component, Unfit};
pub use shadow::Shadow;
pub use written::Written;

use crate::alert::Identity;
use crate::config::{Append, Config, Matching, RuleChoice};
use crate::event;
use crate::extract;
use crate::extract::row::{Plan, PlanError};
use crate::literal::Literals;
use crate::sandbox::{self, FailureKind, Refusal, RulesetImage};
use crate::state;
use crate::state::note::Noted;
use saker_ebpf::recipe::Wanted;
use saker_rules_compiler::output_parts;
use saker_rules_schema::abi::{MATCH_ALL, MATCH_FIRST};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::Field;
use saker_rules_schema::manifest::{Manifest, OutputPart, Priority, Rule};
use saker_rules_schema::term::Term;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

/// No epoch has more modules.
pub const MODULES_MAX: usize = 256;

/// A compiled ruleset, checked; or a component, of which the ruleset is what it subscribes to.
#[derive(Clone)]
pub struct Module {
    /// Where it came from, for messages.
    pub name: String,
    wasm: Vec<u8>,
    manifest: Manifest,
    /// Made by the compiler in this program, not read from a file.
    own: bool,
    component: Option<Arc<Component>>,
    identity: Identity,
    /// What it was compiled of, where that was done here.
    written: Option<Arc<Written>>,
}

/// What a module did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Events that it was given.
    pub events: u64,
    /// CPU time that it took, in nanoseconds.
    pub cpu_ns: u64,
    /// Bytes of memory that a component has.
    pub memory_bytes: Option<u64>,
    /// The process that a component has; none where it has none, or just now.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Times that it trapped.
    #[serde(default)]
    pub traps: u64,
    /// Times that it took more time or memory than it may.
    #[serde(default)]
    pub overruns: u64,
}

impl Work {
    /// It failed in that way.
    pub fn failed(&mut self, kind: FailureKind) {
        match kind {
            FailureKind::Trap => self.traps += 1,
            FailureKind::Deadline | FailureKind::Memory => self.overruns += 1,
            FailureKind::Hits
            | FailureKind::Answer
            | FailureKind::Quarantined
            | FailureKind::Request
            | FailureKind::Judge
            | FailureKind::Died => {}
        }
    }
}

/// A module failed.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Which, and which version of it.
    pub module: Identity,
    /// How, in words.
    pub reason: String,
    /// It was one too many: the module is not called any more.
    pub is_last: bool,
}

/// So many incidents are remembered until somebody asks for them: a module that goes on failing
/// says nothing new.
pub const INCIDENTS_MAX: usize = 64;

impl Module {
    /// A module that the compiler of this program has just made.
    pub fn compiled(name: impl Into<String>, wasm: Vec<u8>) -> Result<Module, Refusal> {
        Module::checked(name.into(), wasm, true)
    }

    /// A module from elsewhere.
    pub fn foreign(name: impl Into<String>, wasm: Vec<u8>) -> Result<Module, Refusal> {
        Module::checked(name.into(), wasm, false)
    }

    /// How its rows are written when it is alone; an error if they cannot be.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        Plan::new(&self.manifest, &Arc::default(), 0)
    }

    fn checked(name: String, wasm: Vec<u8>, own: bool) -> Result<Module, Refusal> {
        let manifest = sandbox::validate(&wasm)?;
        // A file is called by its name, without folder and ending.
        let stem = Path::new(&name).file_stem().and_then(OsStr::to_str);
        let identity = Identity {
            name: stem.unwrap_or(&name).into(),
            digest: blake3::hash(&wasm),
        };
        Ok(Module {
            identity,
            name,
            wasm,
            manifest,
            own,
            component: None,
            written: None,
        })
    }

    /// What it is called, and which version of it this is.
    pub fn identity(&self) -> &Identity {
        match &self.component {
            Some(component) => &component.identity,
            None => &self.identity,
        }
    }

    /// The same, called otherwise.
    pub fn called(mut self, name: &str) -> Module {
        self.identity.name = name.into();
        self
    }

    /// What it was compiled of, where that was done here.
    pub fn written(&self) -> Option<&Arc<Written>> {
        self.written.as_ref()
    }

    /// How many of its rules may alert.
    pub fn rules_on(&self, selection: &Selection) -> usize {
        let rules = self.rules().iter();
        rules.filter(|rule| selection.is_on(rule)).count()
    }

    /// What it says of itself; of a component, what its subscription is.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The rules that it may alert by.
    pub fn rules(&self) -> &[Rule] {
        match &self.component {
            Some(component) => &component.rules,
            None => &self.manifest.rules,
        }
    }
}

/// Which rules of the loaded modules are on, how they are matched, and what their outputs show
/// beside what they name themselves.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Rules less urgent than this are off.
    pub priority: Priority,
    /// Whether all rules that hold give a hit.
    pub matching: Matching,
    /// Rules that are turned on or off, in this order.
    pub choices: Vec<RuleChoice>,
    /// What is appended to outputs, in this order.
    pub appended: Vec<Appended>,
}

impl Default for Selection {
    fn default() -> Selection {
        Selection {
            priority: Priority::Debug,
            matching: Matching::All,
            choices: Vec::new(),
            appended: Vec::new(),
        }
    }
}

/// What is appended to the outputs of some rules.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Which rules.
    of: Append,
    output: Vec<OutputPart>,
    fields: Vec<OutputPart>,
}

/// Fields that say in which container something happened, as Falco's container plugin has them.
const SUGGESTED: &str = "container_id=%container.id container_name=%container.name \
     container_image_repository=%container.image.repository \
     container_image_tag=%container.image.tag k8s_pod_name=%k8s.pod.name \
     k8s_ns_name=%k8s.ns.name";
/// The source of the events in which they are.
const SUGGESTED_FOR: &str = "syscall";

impl Appended {
    /// Reads the texts; an error says what is wrong with which.
    fn of(append: &Append) -> Result<Appended, String> {
        let parsed = |text: &str| {
            output_parts(text).map_err(|why| format!("`{text}` cannot be appended: {why}"))
        };
        let mut output = Vec::new();
        if let Some(text) = &append.extra_output {
            output.push(OutputPart::Text(" ".into()));
            output.extend(parsed(text)?);
        }
        let mut fields = Vec::new();
        for field in &append.extra_fields {
            fields.extend(parsed(&format!("%{field}"))?);
        }
        Ok(Appended {
            of: append.clone(),
            output,
            fields,
        })
    }

    fn is_for(&self, rule: &Rule) -> bool {
        let is = |wanted: &Option<String>, what: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == what)
        };
        is(&self.of.source, &rule.source)
            && is(&self.of.rule, &rule.name)
            && self.of.tags.iter().all(|tag| rule.tags.contains(tag))
    }

    fn append_to(&self, rule: &mut Rule, fields: &mut Vec<OutputPart>) {
        if !self.is_for(rule) {
            return;
        }
        if self.of.suggested_output && rule.source == SUGGESTED_FOR {
            rule.output.push(OutputPart::Text(" ".into()));
            let suggested = output_parts(SUGGESTED);
            rule.output.extend(suggested.unwrap_or_default());
        }
        rule.output.extend(self.output.iter().cloned());
        fields.extend(self.fields.iter().cloned());
    }
}

impl Selection {
    /// What the settings say.
    pub fn of(config: &Config) -> Result<Selection, String> {
        let appended = config.append_output.iter().map(Appended::of);
        Ok(Selection {
            priority: config.priority,
            matching: config.matching,
            choices: config.rules.clone(),
            appended: appended.collect::<Result<_, _>>()?,
        })
    }

    /// Whether a rule may alert.
    pub fn is_on(&self, rule: &Rule) -> bool {
        let chosen = (self.choices.iter().rev()).find(|choice| is_meant(rule, choice));
        chosen.map_or(rule.enabled, |choice| choice.enable) && rule.priority <= self.priority
    }
}

/// Whether a choice is about the rule.
pub(crate) fn is_meant(rule: &Rule, choice: &RuleChoice) -> bool {
    let (name, tag) = (choice.rule.as_deref(), choice.tag.as_ref());
    name.is_none_or(|pattern| is_like(pattern, &rule.name))
        && tag.is_none_or(|tag| rule.tags.contains(tag))
}

/// Whether a name is like a pattern in which `*` stands for any text.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(between) = last.replace(part) {
            match rest.find(between) {
                Some(at) => rest = &rest[at + between.len()..],
                None => return false,
            }
        }
    }
    match last {
        Some(last) => rest.ends_with(last),
        None => rest.is_empty(),
    }
}

/// A set of modules and what follows from it.
pub struct Epoch {
    /// Its number; greater than every earlier one's.
    pub id: u32,
    /// The modules in load order.
    pub modules: Vec<Module>,
    /// Per module and rule, what alerts have in `output_fields` alone.
    fields: Vec<Vec<Vec<OutputPart>>>,
    literals: Arc<Literals>,
    selection: Selection,
    /// Which of the modules is only compared.
    pub shadow: Option<Shadow>,
}

impl Epoch {
    /// The epoch of these modules.
    pub fn new(id: u32, mut modules: Vec<Module>, selection: Selection) -> Epoch {
        let fields = modules
            .iter_mut()
            .map(|module| {
                // A component's alert shows its own row, and nothing can be appended to that.
                let of_ruleset = module.component.is_none();
                let rules = module.manifest.rules.iter_mut().filter(|_| of_ruleset);
                rules
                    .map(|rule| {
                        let mut fields = Vec::new();
                        for appended in &selection.appended {
                            appended.append_to(rule, &mut fields);
                        }
                        fields
                    })
                    .collect()
            })
            .collect();
        let mut literals = Literals::new();
        for literal in modules.iter().flat_map(|module| &module.manifest.literals) {
            literals.intern(literal);
        }
        Epoch {
            id,
            modules,
            fields,
            literals: Arc::new(literals),
            selection,
            shadow: None,
        }
    }

    /// The epoch of these modules and of a candidate that nobody hears. It would take the place of
    /// the module of that name, or stand beside all.
    pub fn shadowed(
        id: u32,
        mut modules: Vec<Module>,
        candidate: Module,
        replaces: Option<&str>,
        selection: Selection,
    ) -> Epoch {
        modules.push(candidate);
        let shadow = Shadow::last_of(&modules, replaces);
        Epoch {
            shadow,
            ..Epoch::new(id, modules, selection)
        }
    }

    /// What alerts of a rule have in `output_fields` beside what its output names.
    pub fn fields_of(&self, module: usize, rule: usize) -> &[OutputPart] {
        let rules = self.fields.get(module);
        rules
            .and_then(|rules| rules.get(rule))
            .map_or(&[], |fields| fields)
    }

    /// How each module's rows are written.
    pub fn plans(&self) -> Result<Vec<Plan>, PlanError> {
        if self.modules.len() > MODULES_MAX {
            return Err(PlanError::TooManyModules(self.modules.len()));
        }
        // Process rows are kept with the state under a number that tells whose they are.
        let modules = self.modules.iter().enumerate();
        modules
            .map(|(index, module)| {
                let layout = self.id << 8 | index as u32;
                Plan::new(&module.manifest, &self.literals, layout)
            })
            .collect()
    }

    /// How many rules may alert: those that are on, and urgent enough.
    pub fn rules_on(&self) -> usize {
        let modules = self.modules.iter().enumerate();
        let heard = modules.filter(|(place, _)| {
            let shadow = self.shadow.as_ref();
            shadow.is_none_or(|shadow| shadow.module != *place)
        });
        heard
            .map(|(_, module)| module.rules_on(&self.selection))
            .sum()
    }

    /// Which rules may alert, and which are on.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Event types that some module wants.
    pub fn wanted(&self) -> impl Iterator<Item = EventType> + '_ {
        EventType::ALL.iter().copied().filter(|event| {
            self.modules
                .iter()
                .any(|module| module.manifest.layout(*event).is_some())
        })
    }

    /// The system calls that must be recorded for the modules, and for the state to be what
    /// their fields need.
    pub fn interest(&self) -> Vec<Wanted> {
        let of_modules = self.wanted().flat_map(event::calls_of);
        let mut calls: Vec<Wanted> = of_modules.map(Wanted::always).collect();
        calls.extend(state::calls());
        if self.terms().any(tells_client_from_server) {
            // A connect may fail for now and go on in the background.
            calls.extend(event::calls_of(EventType::Connect).map(Wanted::always));
            let accepts = [EventType::Accept, EventType::Accept4];
            let accepts = accepts.into_iter().flat_map(event::calls_of);
            calls.extend(accepts.map(Wanted::success));
        }
        calls.sort_unstable();
        calls.dedup();
        calls
    }

    /// Whether some module asks about events that do not say themselves what their descriptor
    /// stands for: it is gone when `close` returns.
    pub fn needs_all_descriptors(&self) -> bool {
        self.wanted().any(|event| event == EventType::Close)
    }

    /// Whether a rule asks for captures of its alerts.
    pub fn asks_for_captures(&self) -> bool {
        let mut rules = (self.modules.iter()).flat_map(|module| &module.manifest().rules);
        rules.any(|rule| rule.capture)
    }

    /// Whether what the modules answer, or what their alerts show, may hang on what engines tell
    /// of a container.
    pub fn needs_container_facts(&self) -> bool {
        self.terms().any(|term| {
            let mut hangs = false;
            term.each_field(&mut |field| hangs |= extract::is_told_by_engines(field.field));
            hangs
        })
    }

    /// What is to be noted of events for what is asked of them.
    pub fn noted(&self) -> Noted {
        let mut all = Noted::NOTHING;
        for term in self.terms() {
            term.each_field(&mut |field| all |= extract::needs(field));
        }
        all
    }

    /// Everything that a condition or an output asks for.
    fn terms(&self) -> impl Iterator<Item = &Term> {
        let manifests = self.modules.iter().map(|module| &module.manifest);
        let slots = manifests.clone().flat_map(|manifest| {
            let events = manifest.events.iter().flat_map(|layout| &layout.slots);
            manifest.process.iter().chain(events)
        });
        let outputs = manifests.flat_map(|manifest| manifest.rules.iter().map(|rule| &rule.output));
        let shown = outputs.chain(self.fields.iter().flatten()).flatten();
        let shown = shown.filter_map(|part| match part {
            OutputPart::Value { term, .. } => Some(term),
            OutputPart::Text(_) => None,
        });
        slots.map(|slot| &slot.term).chain(shown)
    }

    /// What the judge must be told to have the modules ready.
    pub fn images(&self) -> Vec<RulesetImage> {
        self.modules
            .iter()
            .map(|module| self.image(module))
            .collect()
    }

    fn image(&self, module: &Module) -> RulesetImage {
        let manifest = &module.manifest;
        RulesetImage {
            wasm: module.wasm.clone(),
            enabled: match &module.component {
                // The rule of a subscription is none to choose.
                Some(component) => {
                    vec![component.rules_on(&self.selection).contains(&true)]
                }
                None => manifest
                    .rules
                    .iter()
                    .map(|rule| self.selection.is_on(rule))
                    .collect(),
            },
            matching: match self.selection.matching {
                Matching::All => MATCH_ALL,
                Matching::First => MATCH_FIRST,
            },
            literal_ids: manifest
                .literals
                .iter()
                .map(|text| self.literals.id(text))
                .collect(),
            literals: self.literals.len() as u32,
            reset: !module.own,
        }
    }
}

/// Whether a field in it needs to know which end of a connection is which, also long after it
/// was made.
fn tells_client_from_server(term: &Term) -> bool {
    let mut tells = false;
    term.each_field(&mut |field| {
        tells |= matches!(
            field.field,
            Field::FdCip
                | Field::FdSip
                | Field::FdCport
                | Field::FdSport
                | Field::FdCnet
                | Field::FdSnet
                | Field::FdIsServer
                | Field::ProcStdinName
                | Field::ProcStdoutName
                | Field::ProcStderrName
        );
    });
    tells
}
