//! `saker explain`: what is left of a rule's condition per event type, and what is asked for; or
//! why there is nothing, or the rule is off. Of what there is to say of the files, what concerns
//! the rule.

use super::{Failure, escaped, print, rules};
use saker_rules_compiler::ir::Expr;
use saker_rules_compiler::listing::{Condition, List};
use saker_rules_compiler::{
    Compilation, Diagnostic, Options, Place, Source, compile, describe, explain, similar, why_never,
};
use saker_rules_schema::event::{Class, EventType};
use saker_rules_schema::field::{Binding, Field};
use saker_rules_schema::manifest::Rule;
use saker_rules_schema::term::Term;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name of the rule
    rule: String,
    /// Rule file or directory of them; the bundled rules if none is given
    #[arg(short, long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Event types for which the same is left.
struct Case {
    events: Vec<EventType>,
    condition: Expr,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    rules::refuse_modules(&args.rules)?;
    let sources = rules::read(&args.rules)?;
    let mut compilation = compile(&sources, &Options::default());
    let Some(ruleset) = compilation.ruleset.take() else {
        rules::tell_of(compilation.diagnostics, &sources);
        return Err(Failure::Invalid);
    };
    rules::tell_of(concerning(&args.rule, &compilation, &sources), &sources);
    let names = || ruleset.manifest.rules.iter().map(|rule| rule.name.as_str());
    let Some(at) = names().position(|name| name == args.rule) else {
        return Err(Failure::Usage(nobody(&args.rule, names(), &compilation)));
    };
    let cases = cases(&ruleset.conditions[at]);
    print(&match args.json {
        true => as_json(&cases),
        false => {
            let rule = &ruleset.manifest.rules[at];
            as_text(&cases, &ruleset.absent[at]) + &off(rule)
        }
    })
}

/// Why that rule cannot be explained.
fn nobody<'a>(
    rule: &str,
    names: impl Iterator<Item = &'a str>,
    compilation: &Compilation,
) -> anyhow::Error {
    let is_it = |place: &&Place| place.kind == "rule" && place.name == rule;
    let rule_shown = escaped(rule);
    if compilation.places.iter().any(|place| is_it(&place)) {
        return anyhow::anyhow!("the rule `{rule_shown}` is left out");
    }
    let hint = similar(rule, names)
        .map(|name| format!("; did you mean `{}`?", escaped(name)))
        .unwrap_or_default();
    anyhow::anyhow!("no rule is called `{rule_shown}`{hint}")
}

/// What was found in the rule, or in a macro or list that it uses.
fn concerning(rule: &str, compilation: &Compilation, sources: &[Source]) -> Vec<Diagnostic> {
    if compilation.diagnostics.is_empty() {
        return Vec::new();
    }
    let mut items = BTreeSet::from([("rule", rule)]);
    let listing = describe(sources).listing.unwrap_or_default();
    let macros: HashMap<&str, &Condition> = (listing.macros.iter())
        .map(|item| (item.name.as_str(), &item.condition))
        .collect();
    let lists: HashMap<&str, &List> = (listing.lists.iter())
        .map(|list| (list.name.as_str(), list))
        .collect();
    let asked = listing.rules.iter().find(|known| known.name == rule);
    let mut conditions: Vec<&Condition> = asked.map(|rule| &rule.condition).into_iter().collect();
    while let Some(condition) = conditions.pop() {
        let mut named: Vec<&str> = condition.lists.iter().map(String::as_str).collect();
        while let Some(name) = named.pop() {
            if items.insert(("list", name)) {
                let of_it = lists.get(name).into_iter().flat_map(|list| &list.lists);
                named.extend(of_it.map(String::as_str));
            }
        }
        for name in &condition.macros {
            if items.insert(("macro", name)) {
                conditions.extend(macros.get(name.as_str()));
            }
        }
    }
    let concerns = |found: &&Diagnostic| {
        let place = found.span.and_then(|span| compilation.item_at(span));
        place.is_none_or(|place| items.contains(&(place.kind, place.name.as_str())))
            || found.rules.iter().any(|named| named == rule)
    };
    (compilation.diagnostics.iter().filter(concerns))
        .cloned()
        .collect()
}

fn cases(condition: &Expr) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (event, condition) in explain(condition) {
        match cases
            .iter_mut()
            .find(|case| case.condition.root == condition.root)
        {
            Some(case) => case.events.push(event),
            None => cases.push(Case {
                events: vec![event],
                condition,
            }),
        }
    }
    cases
}

/// How a rule that is off is switched on.
fn off(rule: &Rule) -> String {
    match rule.enabled {
        true => String::new(),
        false => format!(
            "it is off: `-o 'rules[].enable.rule={}'` switches it on, or `enabled: true` in its file\n",
            escaped(&rule.name)
        ),
    }
}

fn events(case: &Case) -> Vec<&'static str> {
    // No rule is asked about a plugin's event.
    let mut asked = EventType::ALL
        .iter()
        .filter(|event| event.class() != Class::Plugin);
    match asked.all(|event| case.events.contains(event)) {
        true => vec!["every event type"],
        false => names(case),
    }
}

/// Names of the event types; some are those of two, one after the other.
fn names(case: &Case) -> Vec<&'static str> {
    let mut names: Vec<_> = case.events.iter().map(|event| event.name()).collect();
    names.dedup();
    names
}

/// Values that stand in the event's row, and in its process's.
fn fields(case: &Case) -> [Vec<String>; 2] {
    let terms = case.condition.terms();
    [Binding::Event, Binding::Process].map(|binding| {
        let bound = |term: &&Term| term.binding() == binding;
        terms.iter().filter(bound).map(Term::to_string).collect()
    })
}

fn as_text(cases: &[Case], absent: &BTreeSet<Field>) -> String {
    let mut out = String::new();
    if cases.is_empty() {
        let _ = writeln!(out, "holds for no event type: {}", why_never(absent));
    }
    for case in cases {
        // Writing to a String does not fail.
        let _ = writeln!(out, "{}", events(case).join(", "));
        for (at, part) in case.condition.parts().iter().enumerate() {
            let word = if at == 0 { "holds if" } else { "     and" };
            let _ = writeln!(out, "  {word} {part}");
        }
        let [of_event, of_process] = fields(case);
        for (what, fields) in [("event", of_event), ("process", of_process)] {
            if !fields.is_empty() {
                let _ = writeln!(out, "  asked of the {what}: {}", fields.join(", "));
            }
        }
    }
    for field in absent {
        let why = field.why_absent().unwrap_or("nothing gives it one yet");
        let _ = writeln!(out, "never has a value: {} ({why})", field.name());
    }
    out
}

fn as_json(cases: &[Case]) -> String {
    let cases: Vec<serde_json::Value> = cases
        .iter()
        .map(|case| {
            let [of_event, of_process] = fields(case);
            json!({
                "events": names(case),
                "condition": case.condition.to_string(),
                "event_fields": of_event,
                "process_fields": of_process,
            })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::from(cases))
}
