//! Components as modules: what one says of itself, held against what there is, and its
//! subscription made a ruleset of one rule, whose hits are the events that it is offered.

use super::{Module, Selection};
use crate::alert::Identity;
use crate::config::ModuleChoice;
use crate::extract::printable::is_obeyed;
use crate::http::Server;
use crate::sandbox::component::{
    Capability, Code, Column, Description, Keep, Means, Metrics, Post, Start, Workshop,
};
use saker_rules_compiler::{Diagnostic, Options, Source, compile, output_parts};
use saker_rules_schema::manifest::{OutputPart, Rule, Slot};
use saker_rules_schema::offered::{COLUMNS_MAX, Kind};
use saker_rules_schema::row::Shape;
use std::sync::Arc;
use std::time::Duration;

/// No module has more rules.
const RULES_MAX: usize = 256;
/// No name, of a module or a rule, and no tag is longer.
const NAME_BYTES_MAX: usize = 256;
/// No condition, output or description is longer.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// A component, and what the settings have for it.
#[derive(Debug)]
pub struct Component {
    /// Its name.
    pub name: Arc<str>,
    /// What it says of itself.
    pub description: Description,
    /// Its rules, their outputs parsed.
    pub rules: Vec<Rule>,
    /// What its rows hold.
    pub slots: Vec<Slot>,
    /// The component itself.
    pub code: Arc<Code>,
    config: Vec<(String, String)>,
    granted: Vec<Capability>,
    /// Its name, and the digest of its code.
    pub identity: Identity,
    servers: Vec<Server>,
    memory_bytes_max: Option<usize>,
    cpu: Option<Duration>,
    cpu_percent: Option<u32>,
    /// Equal only for the same component with the same settings: such a one need not be started
    /// anew.
    pub key: blake3::Hash,
}

/// Why a component is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It, or what it says of itself.
    #[error("{0}")]
    Module(String),
    /// Its subscription is no rule.
    #[error("its subscription is invalid")]
    Subscription(Vec<Diagnostic>, Source),
}

impl Component {
    /// What it is allowed, by name.
    pub fn granted(&self) -> Vec<String> {
        let granted = self.granted.iter();
        granted
            .map(|capability| capability.name().to_owned())
            .collect()
    }

    /// What every instance is told; `keep` is what the module kept so far, `metrics` what it
    /// shows.
    pub fn start(&self, keep: Keep, metrics: Metrics) -> Start {
        let shape = Shape {
            slots: self.slots.len() as u16,
        };
        let names = self.description.subscription.fields.iter();
        let columns = names
            .zip(&self.slots)
            .enumerate()
            .map(|(index, (name, slot))| Column {
                name: name.clone(),
                kind: Kind::of(slot.term.kind()).into(),
                many: slot.term.is_list(),
                at: shape.slot(index as u16),
            });
        Start {
            name: self.name.clone(),
            granted: self.granted.clone(),
            keep,
            config: self.config.clone(),
            columns: columns.collect(),
            means: Means {
                post: (!self.code.workshop().is_replay() && !self.servers.is_empty())
                    .then(|| Post::new(self.servers.clone())),
                metrics,
                memory_bytes_max: self.memory_bytes_max,
                cpu: self.cpu,
                cpu_percent: self.cpu_percent,
            },
        }
    }

    /// Which of its rules may alert.
    pub fn rules_on(&self, selection: &Selection) -> Vec<bool> {
        self.rules
            .iter()
            .map(|rule| selection.is_on(rule))
            .collect()
    }
}

impl Module {
    /// A component from a file of that name; beside it what is worth a look in its subscription.
    pub fn component(
        name: impl Into<String>,
        wasm: Vec<u8>,
        workshop: &Arc<Workshop>,
        choices: &[ModuleChoice],
    ) -> Result<(Module, Vec<Diagnostic>, Source), Unfit> {
        let granted = choices.iter().filter_map(|choice| choice.memory_bytes_max);
        let memory_bytes_max = granted.fold(workshop.limits.memory_bytes_max, usize::max);
        let loaded = Code::load_within(workshop, wasm, memory_bytes_max);
        let (code, description) = loaded.map_err(|error| Unfit::Module(error.to_string()))?;
        check(&description).map_err(Unfit::Module)?;
        let Settings {
            config,
            granted,
            servers,
            memory_bytes_max,
            cpu,
            cpu_percent,
            scope,
        } = settings(&description.name, choices)?;
        for wanted in &code.imports {
            let name = &description.name;
            let word = wanted.name();
            if !description.capabilities.contains(wanted) {
                return Err(Unfit::Module(format!(
                    "it imports `{word}` and does not say that it wants it"
                )));
            }
            if !granted.contains(wanted) {
                return Err(Unfit::Module(format!(
                    "it wants `{word}`, which it is not granted: \
                     `-o 'modules[]={{\"name\": \"{name}\", \"grant\": [\"{word}\"]}}'` does"
                )));
            }
        }
        let (slots, shown) = slots(&description).map_err(Unfit::Module)?;
        let rules = rules(&description, &slots).map_err(Unfit::Module)?;
        let source = Source {
            name: format!("the subscription of `{}`", description.name),
            text: as_rule(&description, &shown, scope),
        };
        let compilation = compile(std::slice::from_ref(&source), &Options::default());
        let Some(ruleset) = compilation.ruleset else {
            return Err(Unfit::Subscription(compilation.diagnostics, source));
        };
        let mut module = Module::compiled(name, ruleset.wasm)
            .map_err(|refusal| Unfit::Module(refusal.to_string()))?;
        let mut key = blake3::Hasher::new();
        key.update(code.digest.as_bytes());
        key.update(
            format!(
                "{config:?} {granted:?} {servers:?} {memory_bytes_max:?} {cpu:?} {cpu_percent:?} \
                 {scope:?}"
            )
            .as_bytes(),
        );
        module.component = Some(Arc::new(Component {
            name: description.name.as_str().into(),
            identity: Identity {
                name: description.name.as_str().into(),
                digest: code.digest,
            },
            description,
            rules,
            slots,
            code: Arc::new(code),
            config,
            granted,
            servers,
            memory_bytes_max,
            cpu,
            cpu_percent,
            key: key.finalize(),
        }));
        Ok((module, compilation.diagnostics, source))
    }

    /// The component, if it is one.
    pub fn as_component(&self) -> Option<&Arc<Component>> {
        self.component.as_ref()
    }
}

/// Whether a module or a setting may be called so.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_plain)
}

/// Holds what a stranger says of itself against bounds.
fn check(description: &Description) -> Result<(), String> {
    let Description {
        name,
        version,
        rules,
        subscription,
        ..
    } = description;
    if !is_name(name) {
        return Err("its name is not made of letters, digits, `-` and `_`".into());
    }
    let at_most = |what: &str, found: usize, limit: usize| match found <= limit {
        true => Ok(()),
        false => Err(format!("it has {found} {what}, the limit is {limit}")),
    };
    at_most("bytes of version", version.len(), NAME_BYTES_MAX)?;
    at_most("rules", rules.len(), RULES_MAX)?;
    at_most("fields in its rows", subscription.fields.len(), COLUMNS_MAX)?;
    at_most(
        "bytes of condition",
        subscription.condition.len(),
        TEXT_BYTES_MAX,
    )?;
    if rules.is_empty() {
        return Err("it has no rule".into());
    }
    let is_shown = |text: &str| !text.chars().any(is_obeyed);
    for (index, rule) in rules.iter().enumerate() {
        at_most("bytes in a rule's name", rule.name.len(), NAME_BYTES_MAX)?;
        at_most(
            "bytes in a description",
            rule.description.len(),
            TEXT_BYTES_MAX,
        )?;
        at_most("bytes in an output", rule.output.len(), TEXT_BYTES_MAX)?;
        at_most("tags in a rule", rule.tags.len(), RULES_MAX)?;
        for tag in &rule.tags {
            at_most("bytes in a tag", tag.len(), NAME_BYTES_MAX)?;
        }
        if rule.name.trim().is_empty() || !is_shown(&rule.name) {
            return Err("a rule of it has no name, or one that cannot be shown".into());
        }
        if rules[..index].iter().any(|other| other.name == rule.name) {
            return Err(format!("two of its rules are called `{}`", rule.name));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Settings<'a> {
    config: Vec<(String, String)>,
    granted: Vec<Capability>,
    servers: Vec<Server>,
    memory_bytes_max: Option<usize>,
    cpu: Option<Duration>,
    cpu_percent: Option<u32>,
    scope: Option<&'a str>,
}

/// What the settings have for the module of that name.
fn settings<'a>(name: &str, choices: &'a [ModuleChoice]) -> Result<Settings<'a>, Unfit> {
    let mut settings = Settings::default();
    for choice in choices.iter().filter(|choice| choice.name == name) {
        for (key, value) in &choice.config {
            settings.config.retain(|(other, _)| other != key);
            settings.config.push((key.clone(), value.clone()));
        }
        for word in &choice.grant {
            let mut known = Capability::ALL.iter();
            let Some(capability) = known.find(|known| known.name() == word) else {
                let known: Vec<&str> = Capability::ALL.iter().map(|known| known.name()).collect();
                return Err(Unfit::Module(format!(
                    "there is nothing called `{word}` to grant, only {}",
                    known.join(", ")
                )));
            };
            if !settings.granted.contains(capability) {
                settings.granted.push(*capability);
            }
        }
        for address in &choice.servers {
            settings.servers.extend(Server::of(address));
        }
        settings.memory_bytes_max = choice.memory_bytes_max.or(settings.memory_bytes_max);
        settings.cpu = choice.cpu.or(settings.cpu);
        settings.cpu_percent = choice.cpu_percent.or(settings.cpu_percent);
        settings.scope = choice.scope.as_deref().or(settings.scope);
    }
    Ok(settings)
}

/// The slots of a module's rows, and an output that shows all of them.
fn slots(description: &Description) -> Result<(Vec<Slot>, String), String> {
    let mut slots: Vec<Slot> = Vec::new();
    let mut shown = String::from("-");
    for name in &description.subscription.fields {
        let format = format!("%{name}");
        let parts =
            output_parts(&format).map_err(|why| format!("it subscribes to `{name}`: {why}"))?;
        let [OutputPart::Value { name: read, term }] = &parts[..] else {
            return Err(format!("it subscribes to `{name}`, which is no field"));
        };
        if read != name {
            return Err(format!("it subscribes to `{name}`, which is no field"));
        }
        if slots.iter().any(|slot| slot.term == *term) {
            return Err(format!("it subscribes to `{name}` twice"));
        }
        shown.push(' ');
        shown.push_str(&format);
        slots.push(Slot {
            term: term.clone(),
            bytes: true,
        });
    }
    Ok((slots, shown))
}

fn rules(description: &Description, slots: &[Slot]) -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    for rule in &description.rules {
        let of_rule = |why: String| format!("the output of its rule `{}`: {why}", rule.name);
        let output = output_parts(&rule.output).map_err(of_rule)?;
        let unknown = output.iter().find_map(|part| match part {
            OutputPart::Value { name, term } => {
                let is_slot = slots.iter().any(|slot| slot.term == *term);
                (!is_slot).then_some(name)
            }
            OutputPart::Text(_) => None,
        });
        if let Some(unknown) = unknown {
            let why = format!("`%{unknown}` is no field that it subscribes to");
            return Err(of_rule(why));
        }
        rules.push(Rule {
            name: rule.name.clone(),
            description: rule.description.clone(),
            priority: rule.priority.into(),
            output,
            tags: rule.tags.clone(),
            source: "syscall".into(),
            enabled: true,
            capture: false,
            capture_duration_ms: 0,
        });
    }
    Ok(rules)
}

/// A rule that holds for the events that the module wants and may be given, and shows what it wants
/// of them: so whatever a rule needs to be recorded and remembered is recorded and remembered for
/// the module.
fn as_rule(description: &Description, shown: &str, scope: Option<&str>) -> String {
    // A text of JSON is one of YAML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let wanted = quoted(&description.subscription.condition);
    // A macro is read by itself: no bracket of one ends the other.
    let (macros, condition) = match scope {
        None => (String::new(), wanted),
        Some(scope) => (
            format!(
                "- macro: saker_scope\n  condition: {}\n- macro: saker_wanted\n  condition: {wanted}\n",
                quoted(scope)
            ),
            "saker_scope and saker_wanted".into(),
        ),
    };
    format!(
        "{macros}- rule: {}\n  desc: what the module is offered\n  condition: {condition}\n  \
         output: {}\n  priority: DEBUG\n",
        quoted(&description.name),
        quoted(shown)
    )
}
