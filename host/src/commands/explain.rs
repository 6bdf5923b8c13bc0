//! `saker explain`: what is left of a rule's condition per event type, and what is asked for.

use super::{Failure, print, rules};
use crate::config::Matching;
use saker_rules_compiler::ir::Expr;
use saker_rules_compiler::{explain, similar};
use saker_rules_schema::event::{Class, EventType};
use saker_rules_schema::field::Binding;
use saker_rules_schema::term::Term;
use serde_json::json;
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
    let ruleset = rules::compile_or_explain(&rules::read(&args.rules)?, Matching::All)?;
    let names = || ruleset.manifest.rules.iter().map(|rule| rule.name.as_str());
    let Some(at) = names().position(|name| name == args.rule) else {
        let hint = similar(&args.rule, names())
            .map(|name| format!("; did you mean `{name}`?"))
            .unwrap_or_default();
        let error = anyhow::anyhow!("no rule is called `{}`{hint}", args.rule);
        return Err(Failure::Usage(error));
    };
    let mut cases: Vec<Case> = Vec::new();
    for (event, condition) in explain(&ruleset.conditions[at]) {
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
    print(&match args.json {
        true => as_json(&cases),
        false => as_text(&cases),
    })
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

fn as_text(cases: &[Case]) -> String {
    let mut out = String::new();
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
