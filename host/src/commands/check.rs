//! `saker check`: rule files together, as `run` would load them, and compiled modules.

use super::{Failure, complain, configured, escaped, print, rules, shown, stderr_color};
use crate::modules::rulesets::compile_to_run;
use saker_rules_compiler::{Compilation, Diagnostic, Severity, Source, Span, render};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rule files, directories of them, or compiled modules
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Check them for a setting of `run`, such as rule_matching=first
    #[arg(short, long = "option", value_name = "KEY=VALUE")]
    option: Vec<String>,
    /// Print JSON as `falco -V` does: `falco_load_results`
    #[arg(long)]
    json: bool,
}

/// What came of one file.
struct Verdict<'a> {
    name: String,
    /// Everything found in it.
    found: Vec<&'a Diagnostic>,
    /// Why it could not be read.
    unread: Option<String>,
    valid: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let config = configured(&args.option)?;
    let (modules, files): (Vec<_>, Vec<_>) = args
        .files
        .into_iter()
        .partition(|path| rules::is_module(path));
    let mut verdicts = Vec::new();
    let loading = rules::Loading::live(&config, &Arc::new(super::compiler_apart()))?;
    for path in &modules {
        let valid = match rules::read_module(path, &loading) {
            Ok(_) => true,
            Err(Failure::Invalid) => false,
            Err(other) => return Err(other),
        };
        verdicts.push(Verdict {
            name: shown(path),
            found: Vec::new(),
            unread: None,
            valid,
        });
    }
    let read = match files.is_empty() {
        true => Vec::new(),
        false => rules::read_each(&files)?,
    };
    let mut sources = Vec::new();
    let mut failed = None;
    for (name, read) in read {
        match read {
            Ok(source) => sources.push(source),
            Err(failure) => {
                verdicts.push(Verdict {
                    found: Vec::new(),
                    unread: Some(failure.to_string()),
                    valid: false,
                    name,
                });
                // The last one is told at the end.
                if let Some(error) = failed.replace(failure).and_then(Failure::error) {
                    complain(&format!("saker: {}\n", escaped(&format!("{error:#}"))));
                }
            }
        }
    }
    let compilation = compile_to_run(&sources, &rules::options(&config));
    let diagnostics = &compilation.diagnostics;
    if !args.json && !diagnostics.is_empty() {
        complain(&render(diagnostics, &sources, stderr_color()));
    }
    if let Some(ruleset) = &compilation.ruleset {
        let known: Vec<_> = ruleset.manifest.rules.iter().collect();
        rules::tell_of_switches(&config.rules, &known);
    }
    for (index, source) in sources.iter().enumerate() {
        let found: Vec<&Diagnostic> = diagnostics
            .iter()
            .filter(|diagnostic| match &diagnostic.span {
                Some(span) => span.source as usize == index,
                // What has no place concerns all files.
                None => true,
            })
            .collect();
        let is_error = |found: &&Diagnostic| found.code.severity() == Severity::Error;
        verdicts.push(Verdict {
            name: source.name.clone(),
            valid: !found.iter().any(is_error),
            found,
            unread: None,
        });
    }
    print(&match args.json {
        true => as_json(&verdicts, &sources, &compilation),
        false => as_text(&verdicts),
    })?;
    let is_valid = verdicts.iter().all(|verdict| verdict.valid);
    match failed {
        Some(failure) => Err(failure),
        None if is_valid => Ok(()),
        None => Err(Failure::Invalid),
    }
}

fn as_text(verdicts: &[Verdict<'_>]) -> String {
    let line = |verdict: &Verdict<'_>| {
        let word = match (verdict.valid, verdict.found.is_empty()) {
            _ if verdict.unread.is_some() => "Not read",
            (false, _) => "Invalid",
            (true, true) => "Ok",
            (true, false) => "Ok, with warnings",
        };
        format!("{}: {word}\n", verdict.name)
    };
    verdicts.iter().map(line).collect()
}

fn as_json(verdicts: &[Verdict<'_>], sources: &[Source], compilation: &Compilation) -> String {
    let of = |verdict: &Verdict<'_>, severity| -> Vec<Value> {
        verdict
            .found
            .iter()
            .filter(|found| found.code.severity() == severity)
            .map(|found| diagnostic(found, sources, compilation))
            .collect()
    };
    let results: Vec<Value> = verdicts
        .iter()
        .map(|verdict| {
            let mut errors = of(verdict, Severity::Error);
            errors.extend(verdict.unread.as_deref().map(unread));
            json!({
                "name": verdict.name,
                "successful": verdict.valid,
                "errors": errors,
                "warnings": of(verdict, Severity::Warning),
            })
        })
        .collect();
    format!("{}\n", json!({"falco_load_results": results}))
}

/// The error of a file that cannot be read.
fn unread(why: &str) -> Value {
    json!({
        "code": "LOAD_ERR_FILE_READ",
        "codedesc": "The file cannot be read.",
        "message": why,
        "context": {"locations": [], "snippet": ""},
    })
}

/// One error or warning. Like Falco's, its locations lead from the file over the item to the
/// place itself.
fn diagnostic(found: &Diagnostic, sources: &[Source], compilation: &Compilation) -> Value {
    let mut locations = Vec::new();
    let mut snippet = "";
    if let Some(span) = found.span {
        let file = Span {
            start: 0,
            end: 0,
            ..span
        };
        locations.extend(location("rules content", "", file, sources));
        if let Some(item) = compilation.item_at(span) {
            locations.extend(location(item.kind, &item.name, item.span, sources));
        }
        locations.extend(location("", "", span, sources));
        snippet = line(span, sources).map_or("", |(_, line)| line);
    }
    json!({
        "code": found.code.falco(),
        "codedesc": found.code.description(),
        "message": found.message,
        "context": {"locations": locations, "snippet": snippet},
        "saker": {"code": found.code.id(), "help": found.help, "rules": found.rules},
    })
}

/// A place, as far as the file is known. Falco counts lines, columns and offsets from 0.
fn location(kind: &str, name: &str, span: Span, sources: &[Source]) -> Option<Value> {
    let source = sources.get(span.source as usize)?;
    let before = source.text.get(..span.start as usize)?;
    let (begin, _) = line(span, sources)?;
    Some(json!({
        "item_name": name,
        "item_type": kind,
        "position": {
            "name": source.name,
            "line": before.matches('\n').count(),
            "column": before[begin..].chars().count(),
            "offset": span.start,
        },
    }))
}

/// The line that a place is in, and where it begins.
fn line(span: Span, sources: &[Source]) -> Option<(usize, &str)> {
    let source = sources.get(span.source as usize)?;
    let before = source.text.get(..span.start as usize)?;
    let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = source.text[begin..].lines().next().unwrap_or_default();
    Some((begin, line))
}
