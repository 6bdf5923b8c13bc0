//! Falco's own rule files and verdicts, read where they lie; skipped, visibly, without them.

mod support;

use saker_rules_compiler::{Options, Severity, Source, compile, render};
use std::path::PathBuf;

/// The folder with Falco's data: `SAKER_FALCO`, or `../shared/falco` beside the workspace.
fn falco(test: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    if folder.join("cases").is_dir() {
        return Some(folder);
    }
    let required = std::env::var("SAKER_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|name| name.trim() == "falco"),
        "falco data is required and was not found"
    );
    println!("skipped: needs falco data: {test}");
    None
}

fn cases(folder: &std::path::Path, file: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("cases").join(file)).expect("it is there");
    serde_json::from_str(&text).expect("it is JSON")
}

fn rule(condition: &str) -> String {
    format!(
        "- rule: r\n  desc: d\n  condition: {}\n  output: o\n  priority: INFO\n",
        serde_json::to_string(condition).expect("a text is JSON")
    )
}

/// Whether the parser alone accepts the condition.
fn parses(condition: &str) -> bool {
    support::compiled(&rule(condition))
        .diagnostics
        .iter()
        .all(|diagnostic| diagnostic.code.id() != "S301")
}

#[test]
fn the_parser_accepts_and_refuses_what_falcos_does() {
    let Some(folder) = falco("the_parser_accepts_and_refuses_what_falcos_does") else {
        return;
    };
    let cases = cases(&folder, "filter_parser_accept_reject.json");
    assert!(cases.len() > 300);
    let mut wrong = Vec::new();
    for case in &cases {
        let filter = case["filter"].as_str().expect("every case has a filter");
        let accept = case["kind"] == "test_accept";
        // Upstream tries every accepted filter with other blanks too.
        let forms = match accept {
            true => vec![
                filter.to_string(),
                filter.replace(' ', "\n"),
                filter.replace(' ', "\t"),
            ],
            false => vec![filter.to_string()],
        };
        if forms.iter().any(|form| parses(form) != accept) {
            wrong.push(format!("{} {filter}", case["kind"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn operators_fit_the_types_that_falcos_do() {
    let Some(folder) = falco("operators_fit_the_types_that_falcos_do") else {
        return;
    };
    let mut wrong = Vec::new();
    let mut held = 0;
    for case in cases(&folder, "filter_compiler.json") {
        if case["test"] != "operators_field_types_compatibility" {
            continue;
        }
        let filter = case["filter"].as_str().expect("every case has a filter");
        let compilation = support::compiled(&rule(filter));
        let mut messages = compilation.diagnostics.iter().map(|found| &found.message);
        // A field or an operator that is to come decides nothing.
        if messages.any(|text| text.contains("unknown field") || text.contains("not supported yet"))
        {
            continue;
        }
        held += 1;
        if Some(compilation.ruleset.is_none()) != case["expect_fail"].as_bool() {
            wrong.push(filter.to_string());
        }
    }
    assert!(held > 80, "{held}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_loader_accepts_and_refuses_what_falcos_does() {
    let Some(folder) = falco("the_loader_accepts_and_refuses_what_falcos_does") else {
        return;
    };
    let mut wrong = Vec::new();
    let mut held = 0;
    for case in cases(&folder, "falco_rule_loader_cases.json") {
        let files = case["yaml"].as_array().expect("a list of files");
        let sources: Vec<Source> = files
            .iter()
            .filter_map(|file| file.as_str())
            .map(support::source)
            .collect();
        // Some cases are parts that upstream's test puts together.
        if sources
            .iter()
            .any(|source| source.text.trim_start().starts_with("exceptions:"))
        {
            continue;
        }
        let compilation = compile(&sources, &Options::default());
        let shown = render(&compilation.diagnostics, &sources, false);
        // What the language does not have yet is refused, and says so.
        if shown.contains("not supported yet") {
            continue;
        }
        held += 1;
        if Some(compilation.ruleset.is_some()) != case["load_ok"].as_bool() {
            wrong.push(format!("{} {}\n{shown}", case["test"], case["load_ok"]));
        }
    }
    assert!(held > 50, "{held}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn of_falcos_rules_only_what_is_to_come_is_refused() {
    let Some(folder) = falco("of_falcos_rules_only_what_is_to_come_is_refused") else {
        return;
    };
    for file in ["falco_rules.yaml", "falco-incubating_rules.yaml"] {
        let text = std::fs::read_to_string(folder.join("rules").join(file)).expect("it is there");
        let compilation = support::compiled(&text);
        let mut errors: Vec<&str> = compilation
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity() == Severity::Error)
            .map(|diagnostic| diagnostic.message.as_str())
            .collect();
        errors.sort_unstable();
        errors.dedup();
        println!("{file}: {errors:#?}");
        assert!(
            errors
                .iter()
                .all(|error| error.starts_with("unknown field `")
                    || error.ends_with("is not supported yet")),
            "{errors:#?}"
        );
    }
}
