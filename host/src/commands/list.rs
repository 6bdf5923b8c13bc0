//! `saker list`: the catalogue of fields, the table of event types.

use super::{Failure, print};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{ArgKind, Field};
use std::fmt::Write;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to list
    what: What,
    /// Only those whose names begin so
    prefix: Option<String>,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// Fields, for conditions and outputs
    Fields,
    /// Event types, for `evt.type`
    Events,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let begins = |name: &str| name.starts_with(args.prefix.as_deref().unwrap_or_default());
    let fields = Field::by_group()
        .into_iter()
        .map(|(_, fields)| fields.into_iter().filter(|field| begins(field.name())))
        .map(Vec::from_iter)
        .filter(|fields| !fields.is_empty())
        .collect::<Vec<_>>();
    let events = EventType::ALL
        .iter()
        .copied()
        .filter(|event| begins(event.name()))
        .collect::<Vec<_>>();
    print(&match (args.what, args.json) {
        (What::Fields, false) => show_fields(&fields),
        (What::Fields, true) => lines(fields.into_iter().flatten().map(field_json)),
        (What::Events, false) => show_events(&events),
        (What::Events, true) => lines(events.into_iter().map(event_json)),
    })
}

fn lines(values: impl Iterator<Item = serde_json::Value>) -> String {
    values.map(|value| format!("{value}\n")).collect()
}

fn show_fields(groups: &[Vec<Field>]) -> String {
    let mut out = String::new();
    for (index, fields) in groups.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        for field in fields {
            let (usage, kind) = (field.usage(), field.kind().name());
            let absent = match field.is_absent() {
                true => "(not yet) ",
                false => "",
            };
            // Writing to a String does not fail.
            let _ = writeln!(out, "{usage:<26} {kind:<8} {absent}{}", field.description());
        }
    }
    out
}

fn field_json(field: Field) -> serde_json::Value {
    serde_json::json!({
        "name": field.name(),
        "type": field.kind().name(),
        "argument": match field.arg() {
            ArgKind::None => "none",
            ArgKind::Index => "number",
            ArgKind::Key => "name",
            ArgKind::KeyRequired => "name required",
            ArgKind::IndexOrKey => "number or name",
            ArgKind::IndexOrKeyRequired => "number or name required",
            ArgKind::Side => "src or dst",
        },
        "description": field.description(),
        "absent": field.is_absent(),
    })
}

fn show_events(events: &[EventType]) -> String {
    let mut out = String::new();
    for event in events {
        let params: Vec<_> = event.params().iter().map(|param| param.name).collect();
        let _ = writeln!(
            out,
            "{:<14} {:<8} {}",
            event.name(),
            event.category().name(),
            params.join(", ")
        );
    }
    out
}

fn event_json(event: EventType) -> serde_json::Value {
    let params: Vec<_> = event
        .params()
        .iter()
        .map(|param| {
            let symbols: Vec<_> = param.symbols.iter().map(|(name, _)| *name).collect();
            serde_json::json!({"name": param.name, "symbols": symbols})
        })
        .collect();
    serde_json::json!({
        "name": event.name(),
        "code": event.code(),
        "category": event.category().name(),
        "params": params,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_without_values_are_marked() {
        let shown = show_fields(&[vec![Field::ProcName, Field::ProcNthreads]]);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(!lines[0].contains("(not yet)"), "{shown}");
        assert!(lines[1].contains("(not yet)"), "{shown}");
    }
}
