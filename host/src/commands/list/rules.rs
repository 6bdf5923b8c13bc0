//! `saker list rules`: what rule files define, with the words of `falco -L` in JSON; one rule in
//! full, as `falco -l` and more.

use super::{Form, lines, markdown};
use crate::commands::{Failure, complain, escaped, rules, stderr_color};
use saker_rules_compiler::listing::{Condition, List, Listing, Macro, Rule};
use saker_rules_compiler::{Code, Severity, describe, render, similar};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// Names are not padded beyond.
const NAME_WIDTH_MAX: usize = 60;

/// What is to be printed of all rules, or of one.
pub(super) fn show(paths: &[PathBuf], rule: Option<&str>, form: Form) -> Result<String, Failure> {
    let listing = listing(paths)?;
    let Some(rule) = rule else {
        return Ok(match form {
            Form::Text => as_text(&listing),
            Form::Names => lines(listing.rules.iter().map(|rule| escaped(&rule.name))),
            Form::Markdown => as_markdown(&listing),
            Form::Json => format!("{}\n", as_json(&listing)),
        });
    };
    let names = || listing.rules.iter().map(|rule| rule.name.as_str());
    let Some(rule) = listing.rules.iter().find(|known| known.name == rule) else {
        let hint = similar(rule, names())
            .map(|name| format!("; did you mean `{}`?", escaped(name)))
            .unwrap_or_default();
        let error = anyhow::anyhow!("no rule is called `{}`{hint}", escaped(rule));
        return Err(Failure::Usage(error));
    };
    Ok(match form {
        Form::Text => rule_as_text(rule),
        Form::Names => format!("{}\n", escaped(&rule.name)),
        Form::Markdown => {
            let row = rule_row(rule);
            markdown(["Rule", "Priority", "Description"], [row].into_iter())
        }
        Form::Json => format!("{}\n", json!({"rules": [rule_as_json(rule)]})),
    })
}

/// What the rule files define. Errors in them are printed, and which rules are left out; what
/// else is worth a look is the business of `saker check`.
fn listing(paths: &[PathBuf]) -> Result<Listing, Failure> {
    rules::refuse_modules(paths)?;
    let sources = rules::read(paths)?;
    let description = describe(&sources);
    let mut found = description.diagnostics;
    found.retain(|found| {
        let is_left_out = matches!(found.code, Code::UnknownSource | Code::UnknownFilter);
        is_left_out || found.severity() == Severity::Error
    });
    complain(&render(&found, &sources, stderr_color()));
    description.listing.ok_or(Failure::Invalid)
}

/// On one line, for a terminal.
fn on_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    escaped(&words.join(" "))
}

fn rule_row(rule: &Rule) -> [String; 3] {
    let off = if rule.enabled { "" } else { "(off) " };
    [
        escaped(&rule.name),
        rule.priority.name().to_string(),
        format!("{off}{}", on_one_line(&rule.description)),
    ]
}

fn as_text(listing: &Listing) -> String {
    let rows: Vec<[String; 3]> = listing.rules.iter().map(rule_row).collect();
    let widths = rows.iter().map(|[name, ..]| name.chars().count());
    let width = widths.max().unwrap_or(0).min(NAME_WIDTH_MAX);
    lines(rows.into_iter().map(|[name, priority, description]| {
        format!("{name:<width$} {priority:<13} {description}")
    }))
}

fn as_markdown(listing: &Listing) -> String {
    let rows = listing.rules.iter().map(rule_row);
    markdown(["Rule", "Priority", "Description"], rows)
}

fn rule_as_text(rule: &Rule) -> String {
    let condition = &rule.condition;
    let yes = |is: bool| if is { "yes" } else { "no" }.to_string();
    let capture = match (rule.capture, rule.capture_duration) {
        (false, _) => String::new(),
        (true, 0) => "yes".to_string(),
        (true, ms) => format!("{ms} ms"),
    };
    let rows = [
        ("description", rule.description.clone()),
        ("priority", rule.priority.name().to_string()),
        ("source", rule.source.clone()),
        ("enabled", yes(rule.enabled)),
        ("capture", capture),
        ("tags", rule.tags.join(", ")),
        ("condition", condition.written.clone()),
        ("output", rule.output.clone()),
        ("event types", condition.events.join(", ")),
        ("macros", condition.macros.join(", ")),
        ("lists", condition.lists.join(", ")),
        ("fields", condition.fields.join(", ")),
        ("exceptions", rule.exception_names.join(", ")),
    ];
    let mut out = format!("{}\n", escaped(&rule.name));
    for (what, text) in rows.iter().filter(|(_, text)| !text.trim().is_empty()) {
        // Writing to a String does not fail.
        let _ = writeln!(out, "  {what:<12} {}", on_one_line(text));
    }
    out
}

fn as_json(listing: &Listing) -> Value {
    let plugin = |(name, version): &(String, String)| json!({"name": name, "version": version});
    let required: Vec<Value> = listing
        .required_plugins
        .iter()
        .filter_map(|requirement| {
            let (first, others) = requirement.split_first()?;
            let mut required = plugin(first);
            required["alternatives"] = others.iter().map(plugin).collect();
            Some(required)
        })
        .collect();
    json!({
        "required_engine_version": listing.required_engine_version,
        "required_plugin_versions": required,
        "lists": listing.lists.iter().map(list_as_json).collect::<Vec<_>>(),
        "macros": listing.macros.iter().map(macro_as_json).collect::<Vec<_>>(),
        "rules": listing.rules.iter().map(rule_as_json).collect::<Vec<_>>(),
    })
}

fn list_as_json(list: &List) -> Value {
    json!({
        "info": {"name": list.name, "items": list.items},
        "details": {
            "lists": list.lists,
            "items_compiled": list.items_compiled,
            "plugins": [],
            "used": list.used,
        },
    })
}

fn macro_as_json(item: &Macro) -> Value {
    let mut details = condition_as_json(&item.condition);
    details["used"] = item.used.into();
    // As in Falco: only in a rule is it certain whose fields they are.
    details["plugins"] = json!([]);
    json!({
        "info": {"name": item.name, "condition": item.condition.written},
        "details": details,
    })
}

fn rule_as_json(rule: &Rule) -> Value {
    let mut details = condition_as_json(&rule.condition);
    details["output_fields"] = json!(rule.output_fields);
    details["output_compiled"] = rule.output_compiled().into();
    details["exception_names"] = json!(rule.exception_names);
    details["exception_fields"] = json!(rule.exception_fields);
    details["exception_operators"] = json!(rule.exception_operators);
    details["plugins"] = json!(rule.plugins);
    json!({
        "info": {
            "name": rule.name,
            "condition": rule.condition.written,
            "priority": rule.priority.name(),
            "output": rule.output,
            "description": rule.description,
            "enabled": rule.enabled,
            "source": rule.source,
            "capture": rule.capture,
            "capture_duration": rule.capture_duration,
            "tags": rule.tags,
        },
        "details": details,
    })
}

fn condition_as_json(condition: &Condition) -> Value {
    json!({
        "macros": condition.macros,
        "lists": condition.lists,
        "condition_operators": condition.operators,
        "condition_fields": condition.fields,
        "events": condition.events,
        "condition_compiled": condition.compiled,
    })
}
