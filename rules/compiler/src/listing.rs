//! What rule files say, and what comes of it, for people and programs that want to read it:
//! `saker list rules`. Its words are those of `falco -L`.
//!
//! Only of sound rule files; the form it is shown in is left to the command.

use crate::collect::Collected;
use crate::collect::requirement::shown;
use crate::compiled::Compiled;
use crate::exception::operator_written;
use crate::ir::Id;
use crate::lower;
use crate::read::{Entry, Exception, Plugin};
use crate::resolve::Resolved;
use saker_rules_schema::event::EventType;
use saker_rules_schema::manifest::{OutputPart, Priority};
use std::collections::{BTreeSet, HashMap};

/// Everything that rule files define, in the order in which it was first defined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The latest engine version that a file requires, `0.0.0` if none does.
    pub required_engine_version: String,
    /// The plugins that files require; of each, the first one named and its alternatives, all
    /// with their versions.
    pub required_plugins: Vec<Vec<(String, String)>>,
    /// Lists.
    pub lists: Vec<List>,
    /// Macros.
    pub macros: Vec<Macro>,
    /// Rules, without those left out for their source or an unknown field.
    pub rules: Vec<Rule>,
}

/// A list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Its name.
    pub name: String,
    /// Its items as written, without those that are lists.
    pub items: Vec<String>,
    /// Those that are.
    pub lists: Vec<String>,
    /// Its items with the lists among them filled in.
    pub items_compiled: Vec<String>,
    /// Whether anything uses it.
    pub used: bool,
}

/// A condition and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// As written; appended texts are part of it, exceptions are not.
    pub written: String,
    /// With macros, lists and exceptions filled in.
    pub compiled: String,
    /// The macros it names itself.
    pub macros: Vec<String>,
    /// The lists it names itself.
    pub lists: Vec<String>,
    /// The operators in it and in its macros.
    pub operators: Vec<String>,
    /// The fields in it and in its macros.
    pub fields: Vec<String>,
    /// The event types for which it can hold.
    pub events: Vec<&'static str>,
}

/// A macro.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Macro {
    /// Its name.
    pub name: String,
    /// Its condition.
    pub condition: Condition,
    /// Whether anything uses it.
    pub used: bool,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its condition.
    pub condition: Condition,
    /// Its output as written.
    pub output: String,
    /// The fields in its output.
    pub output_fields: Vec<String>,
    /// Its priority.
    pub priority: Priority,
    /// Its source.
    pub source: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether it is on.
    pub enabled: bool,
    /// Whether it asks for a capture.
    pub capture: bool,
    /// For how many milliseconds; 0 if it does not say.
    pub capture_duration: u32,
    /// The names of its exceptions.
    pub exception_names: Vec<String>,
    /// The fields they compare.
    pub exception_fields: Vec<String>,
    /// The operators they compare with.
    pub exception_operators: Vec<String>,
    /// Falco's plugins whose fields it names.
    pub plugins: Vec<&'static str>,
}

impl Rule {
    /// Its output without what Falco no longer fills in.
    pub fn output_compiled(&self) -> String {
        self.output.replace("%container.info", "")
    }
}

/// Where conditions can hold: per macro and per rule that was not left out.
pub(crate) struct Events {
    pub(crate) macros: Vec<Vec<EventType>>,
    pub(crate) rules: Vec<Vec<EventType>>,
}

/// Per root, the event types for which its condition is not false.
pub(crate) fn events(specialised: &[(EventType, Vec<Id>)], count: usize) -> Vec<Vec<EventType>> {
    let mut events = vec![Vec::new(); count];
    for (event, roots) in specialised {
        for (events, root) in events.iter_mut().zip(roots) {
            if *root != Id::FALSE {
                events.push(*event);
            }
        }
    }
    events
}

pub(crate) fn list(
    collected: &Collected,
    resolved: &Resolved,
    lowered: &[lower::Rule],
    events: &Events,
) -> Listing {
    let mut compiled = Compiled::new(collected, resolved);
    let macro_names = |uses: &[usize]| -> Vec<String> {
        let name = |at: &usize| collected.macros[*at].name.as_str().to_string();
        uses.iter().map(name).collect()
    };
    let list_names = |uses: &[usize]| -> Vec<String> {
        let name = |at: &usize| collected.lists[*at].name.as_str().to_string();
        uses.iter().map(name).collect()
    };
    let macros = collected.macros.iter().enumerate().map(|(at, item)| {
        let expr = &resolved.macros[at];
        let asked = compiled.asked(expr);
        Macro {
            name: item.name.as_str().to_string(),
            condition: Condition {
                written: item.condition.as_str().to_string(),
                compiled: compiled.show(expr),
                macros: macro_names(&resolved.macro_uses[at]),
                lists: list_names(&resolved.macro_lists[at]),
                operators: asked.operators.into_iter().collect(),
                fields: asked.fields.into_iter().collect(),
                events: names(&events.macros[at]),
            },
            used: resolved.macros_used[at],
        }
    });
    let macros = macros.collect();
    let collected_at: HashMap<&str, usize> = collected
        .rules
        .iter()
        .enumerate()
        .map(|(at, rule)| (rule.name.as_str(), at))
        .collect();
    let rules = lowered
        .iter()
        .zip(&events.rules)
        .filter_map(|(low, events)| {
            let at = *collected_at.get(low.rule.name.as_str())?;
            let (rule, expr) = (&collected.rules[at], &resolved.rules[at]);
            let asked = compiled.asked(expr);
            let output_fields = output_fields(&low.rule.output);
            Some(Rule {
                name: low.rule.name.clone(),
                description: low.rule.description.clone(),
                condition: Condition {
                    written: rule.condition_written.clone(),
                    compiled: compiled.show(expr),
                    macros: macro_names(&resolved.rule_uses[at]),
                    lists: list_names(&resolved.rule_lists[at]),
                    operators: asked.operators.into_iter().collect(),
                    events: names(events),
                    fields: asked.fields.iter().cloned().collect(),
                },
                output: rule.output.as_str().to_string(),
                priority: rule.priority,
                source: rule.source.clone(),
                tags: sorted(rule.tags.iter().cloned()),
                enabled: rule.enabled,
                capture: rule.capture,
                capture_duration: rule.capture_duration,
                exception_names: sorted(
                    (rule.exceptions.iter()).map(|exception| exception.name.as_str().to_string()),
                ),
                exception_fields: sorted(
                    (rule.exceptions.iter())
                        .flat_map(|exception| texts(exception.fields.as_ref()))
                        .map(|text| text.trim().to_string()),
                ),
                exception_operators: sorted(rule.exceptions.iter().flat_map(operators)),
                plugins: plugins(asked.fields.iter().chain(&output_fields)),
                output_fields,
            })
        });
    let rules = rules.collect();
    let lists = collected.lists.iter().enumerate().map(|(at, list)| {
        let filled: BTreeSet<&str> = resolved.list_items[at].iter().map(String::as_str).collect();
        let written = list.items.iter().map(|item| item.as_str().to_string());
        // What is written and no longer there once lists are filled in is a list.
        let (items, lists) = written.partition(|item| filled.contains(item.as_str()));
        List {
            name: list.name.as_str().to_string(),
            items,
            lists,
            items_compiled: resolved.list_items[at].clone(),
            used: resolved.lists_used[at],
        }
    });
    let plugin = |plugin: &Plugin| {
        let [name, version] = [&plugin.name, &plugin.version].map(|text| text.as_str().to_string());
        (name, version)
    };
    Listing {
        required_engine_version: shown(collected.engine_version),
        required_plugins: collected
            .plugins
            .iter()
            .map(|requirement| requirement.all().map(plugin).collect())
            .collect(),
        lists: lists.collect(),
        macros,
        rules,
    }
}

/// The names of event types, each once.
fn names(events: &[EventType]) -> Vec<&'static str> {
    let names: BTreeSet<&str> = events.iter().map(|event| event.name()).collect();
    names.into_iter().collect()
}

fn sorted(texts: impl Iterator<Item = String>) -> Vec<String> {
    texts.collect::<BTreeSet<_>>().into_iter().collect()
}

fn output_fields(output: &[OutputPart]) -> Vec<String> {
    let names = output.iter().filter_map(|part| match part {
        OutputPart::Value { name, .. } => Some(name.clone()),
        OutputPart::Text(_) => None,
    });
    sorted(names)
}

/// The texts of a scalar or a list.
fn texts(entry: Option<&Entry>) -> Vec<&str> {
    match entry {
        None => Vec::new(),
        Some(Entry::One(text)) => vec![text.as_str()],
        Some(Entry::Many(entries, _)) => entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::One(text) => Some(text.as_str()),
                Entry::Many(..) => None,
            })
            .collect(),
    }
}

/// The operators of an exception, those it does not name included.
fn operators(exception: &Exception) -> Vec<String> {
    let scalar = matches!(exception.fields, Some(Entry::One(_)));
    match &exception.comps {
        None => vec![if scalar { "in" } else { "=" }.to_string()],
        Some(Entry::One(comp)) => vec![operator_written(comp)],
        Some(Entry::Many(comps, _)) => comps
            .iter()
            .filter_map(|comp| match comp {
                Entry::One(comp) => Some(operator_written(comp)),
                Entry::Many(..) => None,
            })
            .collect(),
    }
}

/// In Falco, the fields of containers and pods are those of a plugin.
fn plugins<'a>(mut fields: impl Iterator<Item = &'a String>) -> Vec<&'static str> {
    match fields.any(|field| field.starts_with("container.") || field.starts_with("k8s.")) {
        true => vec!["container"],
        false => Vec::new(),
    }
}
