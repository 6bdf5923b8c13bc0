//! `saker list`: the catalogue of fields, the table of event types.

use super::{Failure, print};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{ArgKind, Field};
use std::fmt::Write;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to list
    what: What,
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
    print(&match (args.what, args.json) {
        (What::Fields, false) => fields(),
        (What::Fields, true) => lines(Field::ALL.iter().map(|field| field_json(*field))),
        (What::Events, false) => events(),
        (What::Events, true) => lines(EventType::ALL.iter().map(|event| event_json(*event))),
    })
}

fn lines(values: impl Iterator<Item = serde_json::Value>) -> String {
    values.map(|value| format!("{value}\n")).collect()
}

fn fields() -> String {
    let mut out = String::new();
    let mut class = "";
    for field in Field::ALL {
        let begins = field.name().split('.').next().unwrap_or_default();
        if begins != class {
            if !class.is_empty() {
                out.push('\n');
            }
            class = begins;
        }
        let (name, kind) = (field.usage(), field.kind().name());
        let _ = writeln!(out, "{name:<26} {kind:<8} {}", field.description());
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
    })
}

fn events() -> String {
    let mut out = String::new();
    for event in EventType::ALL {
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
