//! `saker list`: the catalogue of fields, the table of event types, the rules of rule files.

mod rules;

use super::{Failure, print};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{ArgKind, Field};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to list
    what: What,
    /// Of fields and event types, those whose names begin so; of rules, the one of that name
    name: Option<String>,
    /// Rule file or directory of them; the bundled rules if none is given
    #[arg(short, long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Print names only
    #[arg(short = 'N', long)]
    names: bool,
    /// Print a table in Markdown
    #[arg(long, conflicts_with = "names")]
    markdown: bool,
    /// Print JSON: a line each, or for rules all in one as `falco -L` does
    #[arg(long, conflicts_with_all = ["names", "markdown"])]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// Fields, for conditions and outputs
    Fields,
    /// Event types, for `evt.type`
    Events,
    /// Rules, and in JSON the macros and lists as well
    Rules,
}

#[derive(Clone, Copy)]
enum Form {
    Text,
    Names,
    Markdown,
    Json,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let form = match (args.names, args.markdown, args.json) {
        (true, _, _) => Form::Names,
        (false, true, _) => Form::Markdown,
        (false, false, true) => Form::Json,
        (false, false, false) => Form::Text,
    };
    let begins = |name: &str| name.starts_with(args.name.as_deref().unwrap_or_default());
    let is_rules = match args.what {
        What::Rules => true,
        What::Fields | What::Events => false,
    };
    if !is_rules && !args.rules.is_empty() {
        let error = anyhow::anyhow!("`--rules` is for `saker list rules`");
        return Err(Failure::Usage(error));
    }
    print(&match args.what {
        What::Fields => {
            let groups = Field::by_group()
                .into_iter()
                .map(|(_, fields)| fields.into_iter().filter(|field| begins(field.name())))
                .map(Vec::from_iter)
                .filter(|fields| !fields.is_empty())
                .collect::<Vec<_>>();
            some(&groups, "field", &args.name)?;
            show_fields(&groups, form)
        }
        What::Events => {
            let events = EventType::ALL.iter().copied();
            let events: Vec<_> = events.filter(|event| begins(event.name())).collect();
            some(&events, "event type", &args.name)?;
            show_events(&events, form)
        }
        What::Rules => rules::show(&args.rules, args.name.as_deref(), form)?,
    })
}

/// That something of that name was found.
fn some<T>(found: &[T], what: &str, name: &Option<String>) -> Result<(), Failure> {
    match name {
        Some(name) if found.is_empty() => {
            let error = anyhow::anyhow!("no {what} begins with `{name}`");
            Err(Failure::Usage(error))
        }
        Some(_) | None => Ok(()),
    }
}

fn lines(values: impl Iterator<Item = impl std::fmt::Display>) -> String {
    values.map(|value| format!("{value}\n")).collect()
}

/// A table in Markdown.
fn markdown<const COLUMNS: usize>(
    head: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let cells = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    // What would end a cell, or be taken for HTML.
    let escape = |cell: String| cell.replace('|', "\\|").replace('<', "&lt;");
    let head = [head.map(String::from).to_vec(), vec!["---".into(); COLUMNS]];
    let rows = rows.map(|row| row.map(escape).to_vec());
    lines(head.into_iter().chain(rows).map(cells))
}

fn show_fields(groups: &[Vec<Field>], form: Form) -> String {
    let fields = || groups.iter().flatten().copied();
    let description = |field: Field| match field.is_absent() {
        true => format!("(not yet) {}", field.description()),
        false => field.description().to_string(),
    };
    match form {
        Form::Text => {
            let line = |field: &Field| {
                let (usage, kind) = (field.usage(), field.kind().name());
                format!("{usage:<26} {kind:<8} {}", description(*field))
            };
            let groups = groups.iter().map(|fields| lines(fields.iter().map(line)));
            groups.collect::<Vec<_>>().join("\n")
        }
        Form::Names => lines(fields().map(Field::name)),
        Form::Markdown => {
            let row = |field: Field| {
                let usage = format!("`{}`", field.usage());
                [usage, field.kind().name().into(), description(field)]
            };
            markdown(["Field", "Type", "Description"], fields().map(row))
        }
        Form::Json => lines(fields().map(field_json)),
    }
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

fn show_events(events: &[EventType], form: Form) -> String {
    let events = events.iter().copied();
    let params = |event: EventType| {
        let names: Vec<_> = event.params().iter().map(|param| param.name).collect();
        let names = names.join(", ");
        match (event.is_probed(), names.is_empty()) {
            (true, _) => names,
            (false, true) => "(only in captures)".into(),
            (false, false) => format!("{names} (only in captures)"),
        }
    };
    match form {
        Form::Text => lines(events.map(|event| {
            let (name, category) = (event.name(), event.category().name());
            format!("{name:<26} {category:<9} {}", params(event))
        })),
        Form::Names => lines(events.map(EventType::name)),
        Form::Markdown => {
            let row = |event: EventType| {
                let name = format!("`{}`", event.name());
                [name, event.category().name().into(), params(event)]
            };
            markdown(["Event type", "Category", "Parameters"], events.map(row))
        }
        Form::Json => lines(events.map(event_json)),
    }
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
        "live": event.is_probed(),
        "params": params,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_without_values_are_marked() {
        let shown = show_fields(&[vec![Field::ProcName, Field::ThreadCpu]], Form::Text);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(!lines[0].contains("(not yet)"), "{shown}");
        assert!(lines[1].contains("(not yet)"), "{shown}");
    }
}
