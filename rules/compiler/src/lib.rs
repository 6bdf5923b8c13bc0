//! Falco-language YAML to WebAssembly: text in, bytes and diagnostics out. No file, no clock,
//! no socket, no Wasm engine.
//!
//! The stages, in the order in which a rule passes them; each file is named by its stage:
//!
//! ```text
//! read → collect (exception) → resolve (parse → ast) → lower (terms, value, glob, output → ir)
//!      → specialise → split → share → emit
//! ```
//!
//! `oracle` evaluates the same `ir` by walking it: the judge of what `emit` produces. `made` says
//! what transformers make of values. `listing` tells what rule files say (`compiled`: their
//! conditions with everything filled in); `misuse` and `hidden` only warn.

mod ast;
pub mod automaton;
mod clue;
mod collect;
mod compiled;
pub mod diagnostic;
mod emit;
mod exception;
mod glob;
mod guard;
mod hidden;
#[cfg(test)]
mod golden;
pub mod ir;
pub mod listing;
mod lower;
pub mod made;
mod misuse;
mod never;
pub mod oracle;
mod output;
mod parse;
mod read;
mod resolve;
mod service;
mod share;
mod similar;
mod specialise;
mod split;
mod terms;
mod text;
mod value;
pub mod why;

pub use collect::requirement::{engine, speaks};
pub use diagnostic::{Code, Diagnostic, Severity, render};
pub use listing::Listing;
pub use output::output_parts;
pub use read::Place;
pub use similar::similar;
pub use text::Span;

use diagnostic::Diagnostics;
use ir::{Graph, Id};
use never::Culprits;
pub use never::why_never;
use saker_rules_schema::event::{Class, EventType};
use saker_rules_schema::field::Field;
use saker_rules_schema::manifest::Manifest;
use specialise::{Plain, Specialiser};
use std::collections::BTreeSet;
use std::sync::Arc;

/// All sources together are no longer.
const SOURCES_BYTES_MAX: usize = 32 << 20;
/// No ruleset has more rules, macros or lists.
const ITEMS_MAX: usize = 10_000;

/// A rule that asks for more of the event types that are recorded is warned of. Falco's bound is
/// 100 of some 220.
const EVENT_TYPES_MAX: usize = EventType::PROBED_COUNT / 2;

/// A rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in diagnostics.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// The words of the language beside fields and event types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// What compares: `=`, `startswith`.
    pub operators: Vec<&'static str>,
    /// How many of the values on the right must satisfy them: `oneof`.
    pub modifiers: Vec<&'static str>,
    /// What makes values of values: `tolower`.
    pub transformers: Vec<&'static str>,
    /// What joins conditions: `and`.
    pub connectives: Vec<&'static str>,
    /// The keys of a rule, a macro or a list.
    pub keys: Vec<&'static str>,
}

/// In the order in which people write them.
const KEYS: &[&str] = &[
    "rule",
    "desc",
    "condition",
    "output",
    "priority",
    "tags",
    "source",
    "enabled",
    "exceptions",
    "name",
    "fields",
    "comps",
    "values",
    "macro",
    "list",
    "items",
    "append",
    "override",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
    "required_engine_version",
    "required_plugin_versions",
];

impl Words {
    /// All of them.
    pub fn all() -> Words {
        Words {
            operators: ast::Operator::ALL.iter().map(|word| word.name()).collect(),
            modifiers: ast::Modifier::ALL.iter().map(|word| word.name()).collect(),
            transformers: ast::Transformer::ALL
                .iter()
                .map(|word| word.name())
                .collect(),
            connectives: vec!["and", "or", "not"],
            keys: KEYS.to_vec(),
        }
    }
}

/// What the caller wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Rows are for [`oracle`]: every string slot carries its bytes, not only those that a rule
    /// searches, and every event of a type that rules want has a row.
    pub for_oracle: bool,
    /// Only the first rule that holds for an event will give an alert: a rule that never is it
    /// is warned of.
    pub first_match: bool,
}

/// What comes of rule files.
#[derive(Debug)]
pub struct Compilation {
    /// All that is wrong or worth a look, in the order of files and places.
    pub diagnostics: Vec<Diagnostic>,
    /// The ruleset; none if a diagnostic is an error.
    pub ruleset: Option<Ruleset>,
    /// The items of the files, in their order.
    pub places: Vec<Place>,
}

impl Compilation {
    /// The item that a place is in.
    pub fn item_at(&self, span: Span) -> Option<&Place> {
        let begins = |place: &Place| (place.span.source, place.span.start);
        let behind = self
            .places
            .partition_point(|place| begins(place) <= (span.source, span.start));
        let place = &self.places[behind.checked_sub(1)?];
        (place.span.source == span.source).then_some(place)
    }
}

/// A compiled ruleset.
#[derive(Clone, Debug)]
pub struct Ruleset {
    /// The module; its manifest is in it too.
    pub wasm: Vec<u8>,
    /// Rules, literals, layouts, addresses.
    pub manifest: Manifest,
    /// Per rule, its condition before specialisation.
    pub conditions: Vec<ir::Expr>,
    /// The conditions as they are written, for [`why`].
    pub outlines: Arc<why::Outlines>,
    /// Per rule, the fields in its condition that nothing gives a value: what is asked of them is
    /// no part of it any more.
    pub absent: Vec<BTreeSet<Field>>,
}

/// Asked between two rules, and two types of events, whether to go on.
pub type Stop<'a> = &'a dyn Fn() -> bool;

const GO_ON: Stop<'static> = &|| false;

/// Compiles rule files, in load order, to one ruleset.
pub fn compile(sources: &[Source], options: &Options) -> Compilation {
    compiled(sources, options, GO_ON)
}

/// The same, unless nobody waits for it any more.
pub fn compile_unless(
    sources: &[Source],
    options: &Options,
    stop: Stop<'_>,
) -> Option<Compilation> {
    let compilation = compiled(sources, options, stop);
    // One that has come to its end meanwhile is whole, but nobody can tell.
    (!stop()).then_some(compilation)
}

fn compiled(sources: &[Source], options: &Options, stop: Stop<'_>) -> Compilation {
    let mut diagnostics = Diagnostics::default();
    let mut places = Vec::new();
    let ruleset =
        ir::on_deep_stack(|| stages(sources, options, &mut places, &mut diagnostics, stop));
    let ruleset = ruleset.filter(|_| !diagnostics.has_errors());
    Compilation {
        diagnostics: diagnostics.finish(),
        ruleset,
        places,
    }
}

/// What is left of a condition per event type, once everything is folded in that the type
/// decides; only the types for which it can hold.
pub fn explain(condition: &ir::Expr) -> Vec<(EventType, ir::Expr)> {
    let mut graph = (*condition.graph).clone();
    let specialised = ir::on_deep_stack(|| specialise_all(&mut graph, &[condition.root], GO_ON));
    let graph = Arc::new(graph);
    specialised
        .into_iter()
        .filter(|(_, roots)| roots[0] != Id::FALSE)
        .map(|(event, roots)| {
            let graph = graph.clone();
            let root = roots[0];
            (event, ir::Expr { graph, root })
        })
        .collect()
}

/// What rule files say.
#[derive(Debug)]
pub struct Description {
    /// What is wrong with them, and some of what is worth a look: [`compile`] finds all.
    pub diagnostics: Vec<Diagnostic>,
    /// What they define; none if a diagnostic is an error.
    pub listing: Option<Listing>,
}

/// Tells what rule files define, in load order.
pub fn describe(sources: &[Source]) -> Description {
    let mut diagnostics = Diagnostics::default();
    let listing = ir::on_deep_stack(|| listed(sources, &mut diagnostics));
    Description {
        diagnostics: diagnostics.finish(),
        listing,
    }
}

/// What [`describe`] tells, if no diagnostic is an error.
fn listed(sources: &[Source], diagnostics: &mut Diagnostics) -> Option<Listing> {
    let Front {
        collected,
        resolved,
        mut lowered,
    } = front(sources, &mut Vec::new(), diagnostics, GO_ON)?;
    let of_rules = lowered.rules.iter().map(|rule| rule.root);
    let roots: Vec<Id> = of_rules.chain(lowered.macros).collect();
    let specialised = specialise_all(&mut lowered.graph, &roots, GO_ON);
    if lowered.graph.take_exceeded() {
        diagnostics.push(too_large(TAKEN_APART));
    }
    if diagnostics.has_errors() {
        return None;
    }
    let mut rules = listing::events(&specialised, roots.len());
    let macros = rules.split_off(lowered.rules.len());
    let events = listing::Events { macros, rules };
    Some(listing::list(
        &collected,
        &resolved,
        &lowered.rules,
        &events,
    ))
}

const TAKEN_APART: &str = "the conditions, taken apart by event type, are too large";

fn stages(
    sources: &[Source],
    options: &Options,
    places: &mut Vec<Place>,
    diagnostics: &mut Diagnostics,
    stop: Stop<'_>,
) -> Option<Ruleset> {
    let lowered = front(sources, places, diagnostics, stop)?.lowered;
    let mut graph = lowered.graph;
    let roots: Vec<Id> = lowered.rules.iter().map(|rule| rule.root).collect();
    let conditions = Arc::new(graph.clone());
    let specialised = specialise_all(&mut graph, &roots, stop);
    if stop() {
        return None;
    }
    if graph.take_exceeded() {
        diagnostics.push(too_large(TAKEN_APART));
        return None;
    }
    // What an error left out of a condition would only be reported twice.
    if diagnostics.has_errors() {
        return None;
    }
    let culprits = Culprits::new(&mut graph);
    warn_of_events(&lowered.rules, &specialised, culprits, diagnostics);
    if options.first_match {
        hidden::warn(&lowered.rules, &graph, &specialised, diagnostics);
    }
    if stop() {
        return None;
    }
    let programs = split::split(&mut graph, &specialised);
    if graph.take_exceeded() {
        diagnostics.push(too_large(
            "the conditions, split by what they ask, are too large",
        ));
        return None;
    }
    if stop() {
        return None;
    }
    let outlines = Arc::new(lowered.outlines);
    let (rules, absent) = (lowered.rules.into_iter())
        .map(|rule| (rule.rule, rule.absent))
        .unzip();
    match emit::emit(&graph, &programs, rules, options) {
        Ok((wasm, manifest)) => Some(Ruleset {
            wasm,
            manifest,
            conditions: roots
                .into_iter()
                .map(|root| ir::Expr {
                    graph: conditions.clone(),
                    root,
                })
                .collect(),
            outlines,
            absent,
        }),
        Err(what) => {
            diagnostics.push(too_large(&what));
            None
        }
    }
}

fn too_large(what: &str) -> Diagnostic {
    Diagnostic {
        code: Code::RulesetTooLarge,
        message: what.to_string(),
        span: None,
        label: String::new(),
        context: Vec::new(),
        help: Some("take rules out, or split them over several rulesets".into()),
        rules: Vec::new(),
    }
}

/// What the stages up to lowered conditions make of rule files.
struct Front {
    collected: collect::Collected,
    resolved: resolve::Resolved,
    lowered: lower::Lowered,
}

/// The stages up to lowered conditions.
fn front(
    sources: &[Source],
    places: &mut Vec<Place>,
    diagnostics: &mut Diagnostics,
    stop: Stop<'_>,
) -> Option<Front> {
    let bytes: usize = sources.iter().map(|source| source.text.len()).sum();
    if bytes > SOURCES_BYTES_MAX {
        diagnostics.push(too_large(&format!(
            "the rule files are longer than {} MiB",
            SOURCES_BYTES_MAX >> 20
        )));
        return None;
    }
    let mut items = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        if stop() {
            return None;
        }
        items.extend(read::read(source, index as u32, places, diagnostics));
    }
    let collected = collect::collect(items, diagnostics);
    for (what, count) in [
        ("rules", collected.rules.len()),
        ("macros", collected.macros.len()),
        ("lists", collected.lists.len()),
    ] {
        if count > ITEMS_MAX {
            diagnostics.push(too_large(&format!(
                "there are more than {ITEMS_MAX} {what}"
            )));
            return None;
        }
    }
    let resolved = resolve::resolve(&collected, diagnostics);
    if stop() {
        return None;
    }
    misuse::warn(&collected, &resolved, diagnostics);
    let lowered = lower::lower(&collected, &resolved, diagnostics, stop)?;
    Some(Front {
        collected,
        resolved,
        lowered,
    })
}

/// Per event type, each rule's condition.
fn specialise_all(graph: &mut Graph, roots: &[Id], stop: Stop<'_>) -> Vec<(EventType, Vec<Id>)> {
    let plain = Plain::of(graph);
    // An event of a plugin's source is none of the system calls', whose rules these are.
    EventType::ALL
        .iter()
        .filter(|event| event.class() != Class::Plugin)
        .take_while(|_| !stop())
        .map(|&event| {
            let mut specialiser = Specialiser::new(event, &plain);
            let conditions = roots
                .iter()
                .map(|&root| specialiser.fold(graph, root))
                .collect();
            (event, conditions)
        })
        .collect()
}

/// What is said of that which the probe does not record.
const ONLY_IN_CAPTURES: &str = "true only of events in a capture, for `saker replay`";

fn warn_of_events(
    rules: &[lower::Rule],
    specialised: &[(EventType, Vec<Id>)],
    mut culprits: Culprits<'_>,
    diagnostics: &mut Diagnostics,
) {
    // One that is off costs nothing, and misses nothing.
    for (at, rule) in rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.rule.enabled)
    {
        let asked = specialised
            .iter()
            .filter(|(_, conditions)| conditions[at] != Id::FALSE);
        let asked_live = asked.clone().filter(|(event, _)| event.is_probed()).count();
        let asked = asked.count();
        let name = &rule.rule.name;
        let never = match asked {
            0 => Some(culprits.of(rule)),
            _ => culprits.contradiction(rule),
        };
        if let Some(context) = never {
            let mut found = Diagnostic::new(
                Code::NeverTrue,
                rule.span,
                format!("rule `{name}` is true for no event"),
            )
            .label(why_never(&rule.absent))
            .help("`saker explain` shows what is left of a condition, and `saker list fields` what has a value");
            found.context = context;
            diagnostics.push(found);
        } else if asked_live == 0 {
            diagnostics.push(
                Diagnostic::new(
                    Code::EventTypeNotSeen,
                    rule.span,
                    format!("rule `{name}` is true for no event type that is seen live yet"),
                )
                .label(ONLY_IN_CAPTURES)
                .help("`saker list events` shows which event types are seen live"),
            );
        } else if asked_live > EVENT_TYPES_MAX && rule.warn_evttypes {
            let what = match asked_live {
                EventType::PROBED_COUNT => "every event type".to_string(),
                some => format!("{some} of {} event types", EventType::PROBED_COUNT),
            };
            let message = format!("rule `{name}` matches {what}");
            diagnostics.push(
                Diagnostic::new(Code::NoEventType, rule.span, message)
                    .label("all of these are traced, and judged by it")
                    .help("name the event types it is about: `evt.type in (…) and …`"),
            );
        }
    }
}
