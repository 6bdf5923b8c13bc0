//! What an editor of rules asks: the compiler's diagnostics with places as editors count them, and
//! the words of the language with what the loaded rule files define.

use super::Loaded;
use crate::alert::RULES;
use crate::modules::Module;
use crate::modules::rulesets::{Rulesets, compile_to_run, compile_to_run_unless};
use saker_rules_compiler::{
    Compilation, Diagnostic, Options, Ruleset, Source, Stop, Words, render,
};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{ArgKind, Field as Known};
use saker_rules_schema::manifest::Priority;
use saker_web::editor::{CheckRequest, Checked, Completion, Field, Named, Range};
use std::collections::BTreeSet;

/// How the text in the editor is called.
pub(super) const EDITED: &str = "editor.yaml";
/// And what the rules in it are together, as long as they are not loaded.
const CANDIDATE: &str = "candidate";

/// The loaded rule files.
pub(super) fn sources(loaded: &Loaded) -> Vec<Source> {
    let mut modules = loaded.modules.iter().map(|(module, _)| module);
    let rules = modules.find(|module| &*module.identity().name == RULES);
    let written = rules.and_then(|module| module.written());
    written.map_or(Vec::new(), |written| written.sources.clone())
}

/// What is wrong with rules.
pub(super) fn check(
    request: &CheckRequest,
    loaded: &Loaded,
    first_match: bool,
    stop: Stop<'_>,
) -> Option<Checked> {
    let before = match request.with_loaded {
        true => sources(loaded),
        false => Vec::new(),
    };
    let all = behind(&request.text, before);
    let compilation = compile_to_run_unless(&all, &options(first_match), stop)?;
    Some(told(&request.text, &all, compilation).0)
}

/// A text behind other rule files.
fn behind(text: &str, mut before: Vec<Source>) -> Vec<Source> {
    before.push(Source {
        name: EDITED.into(),
        text: text.into(),
    });
    before
}

fn options(first_match: bool) -> Options {
    Options {
        first_match,
        ..Options::default()
    }
}

/// What is wrong with a rule file behind others, and what comes of all of them.
pub(super) fn compiled(
    text: &str,
    before: Vec<Source>,
    first_match: bool,
) -> (Checked, Option<Ruleset>) {
    let all = behind(text, before);
    told(text, &all, compile_to_run(&all, &options(first_match)))
}

/// What was found in the last of those files, which is that text.
fn told(text: &str, all: &[Source], compilation: Compilation) -> (Checked, Option<Ruleset>) {
    let own = all.len() as u32 - 1;
    // What is wrong elsewhere is not for this text to mend, unless it is since this text.
    let is_here = |found: &&Diagnostic| found.span.is_none_or(|span| span.source == own);
    let is_error = |found: &Diagnostic| found.severity() == saker_rules_compiler::Severity::Error;
    let found = compilation.diagnostics.iter();
    let found = found.filter(|found| is_here(found) || is_error(found));
    let checked = Checked {
        valid: compilation.ruleset.is_some(),
        diagnostics: found
            .map(|found| saker_web::editor::Diagnostic {
                severity: match is_error(found) {
                    true => "error".into(),
                    false => "warning".into(),
                },
                code: found.code.id().into(),
                falco: found.code.falco().into(),
                message: found.message.clone(),
                label: found.label.clone(),
                help: found.help.clone(),
                range: found
                    .span
                    .filter(|span| span.source == own)
                    .map(|span| range(text, span.start as usize, span.end as usize)),
            })
            .collect(),
    };
    (checked, compilation.ruleset)
}

/// The module that a text is; where it is none, what is wrong with it.
pub(super) fn module(
    rulesets: &mut Rulesets,
    text: &str,
    with_loaded: bool,
    loaded: &Loaded,
    first_match: bool,
) -> Result<Module, String> {
    let before = match with_loaded {
        true => sources(loaded),
        false => Vec::new(),
    };
    let all = behind(text, before);
    let (module, found) = rulesets.module(CANDIDATE, &all, &options(first_match));
    module.ok_or_else(|| render(&found, &all, false))
}

/// Line and column of a byte, both from 0, columns in UTF-16 units.
fn place(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..text.floor_char_boundary(at)];
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default();
    (line as u32, column.encode_utf16().count() as u32)
}

fn range(text: &str, start: usize, end: usize) -> Range {
    let ((line, column), (end_line, end_column)) = (place(text, start), place(text, end));
    Range {
        line,
        column,
        end_line,
        end_column,
    }
}

/// What an editor may offer.
pub(super) fn completion(loaded: &Loaded) -> Completion {
    let words = Words::all();
    let strings = |words: &[&'static str]| words.iter().map(|word| (*word).to_owned()).collect();
    let fields = Known::by_group().into_iter().flat_map(|(_, fields)| fields);
    let events: BTreeSet<&str> = EventType::ALL.iter().map(|event| event.name()).collect();
    let mut operators: Vec<String> = strings(&words.operators);
    operators.extend(words.modifiers.iter().map(|word| (*word).to_owned()));
    let (mut macros, mut lists, mut rules) = (Vec::new(), Vec::new(), Vec::new());
    let listings = loaded.modules.iter();
    let listings = listings.filter_map(|(module, _)| module.written()?.listing());
    for listing in listings {
        let condition = |name: &String, text: &String| Named {
            name: name.clone(),
            text: text.clone(),
        };
        macros.extend((listing.macros.iter()).map(|of| condition(&of.name, &of.condition.written)));
        rules.extend((listing.rules.iter()).map(|of| condition(&of.name, &of.condition.written)));
        lists.extend((listing.lists.iter()).map(|of| Named {
            name: of.name.clone(),
            text: of.items_compiled.join(", "),
        }));
    }
    Completion {
        fields: fields.map(field).collect(),
        operators,
        transformers: strings(&words.transformers),
        keywords: strings(&words.connectives),
        events: events.into_iter().map(str::to_owned).collect(),
        priorities: Priority::ALL
            .iter()
            .map(|of| of.name().to_uppercase())
            .collect(),
        keys: strings(&words.keys),
        macros,
        lists,
        rules,
    }
}

fn field(of: Known) -> Field {
    Field {
        name: of.name().into(),
        kind: of.kind().name().into(),
        argument: match of.arg() {
            ArgKind::None => "none",
            ArgKind::Index => "number",
            ArgKind::Key => "name",
            ArgKind::KeyRequired => "name required",
            ArgKind::IndexOrKey => "number or name",
            ArgKind::IndexOrKeyRequired => "number or name required",
            ArgKind::Side => "src or dst",
        }
        .into(),
        description: of.description().into(),
        has_value: !of.is_absent(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_as_editors_count_them() {
        let text = "a\n\u{1f600}é: x\n";
        let at = text.find(':').expect("it is there");
        assert_eq!(place(text, at), (1, 3));
        assert_eq!(place(text, text.len()), (2, 0));
        assert_eq!(place(text, text.len() + 7), (2, 0));
    }

    #[test]
    fn a_check_that_nobody_waits_for_ends_where_it_is() {
        let rule = |number: usize| {
            format!(
                "- {{rule: R{number}, desc: d, condition: evt.type = open and fd.name = \
                 /x{number}, output: o, priority: INFO}}\n"
            )
        };
        let request = CheckRequest {
            text: (0..200).map(rule).collect(),
            with_loaded: false,
        };
        let loaded = Loaded::default();
        // Wherever it is told to, it asks no further, and there is no answer.
        for most in [0, 1, 5, 100, 250] {
            let asked = std::cell::Cell::new(0);
            let stop = || {
                asked.set(asked.get() + 1);
                asked.get() > most
            };
            assert_eq!(check(&request, &loaded, false, &stop), None);
            assert!(asked.get() <= most + 4, "{most}: {}", asked.get());
        }
        let checked = check(&request, &loaded, false, &|| false);
        assert!(checked.is_some_and(|checked| checked.valid));
    }

    #[test]
    fn a_fault_is_told_with_its_place_and_its_help() {
        let request = CheckRequest {
            text: "- rule: R\n  desc: d\n  condition: proc.nme = x\n  output: o\n  \
                   priority: INFO\n"
                .into(),
            with_loaded: true,
        };
        let checked = check(&request, &Loaded::default(), false, &|| false);
        let checked = checked.expect("nobody stops it");
        assert!(!checked.valid);
        let [found] = &checked.diagnostics[..] else {
            panic!("{checked:?}");
        };
        assert_eq!((&*found.severity, &*found.code), ("error", "S501"));
        let range = found.range.expect("it has a place");
        assert_eq!((range.line, range.column, range.end_column), (2, 13, 21));
        assert!(
            found
                .help
                .as_deref()
                .is_some_and(|help| help.contains("proc.name"))
        );
    }
}
