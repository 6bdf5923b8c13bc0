//! Golden tests: a rule file with what comes of it behind `# expected:`, in one file.
//! `BLESS=1` rewrites; then read the difference.

use crate::{Diagnostics, Options, Source, compile, front, ir, render, specialise_all, split};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const MARK: &str = "# expected:\n";

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Holds each file's expectation against what `show` gives for its input.
fn hold(folder: &str, show: impl Fn(&Source) -> String) {
    let mut wrong = Vec::new();
    for path in files(folder) {
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        let (input, expected) = text.split_once(MARK).unwrap_or((&text, ""));
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let source = Source {
            name: name.unwrap_or_default(),
            text: input.to_string(),
        };
        let mut shown = String::new();
        for line in show(&source).trim_end().lines() {
            shown += format!("# {line}").trim_end();
            shown.push('\n');
        }
        if shown == expected {
            continue;
        }
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, format!("{input}{MARK}{shown}")).expect("it can be written");
        } else {
            wrong.push(format!("{}:\n{shown}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "BLESS=1 rewrites\n{}", wrong.join("\n"));
}

#[test]
fn every_fault_is_shown_where_it_is() {
    hold("errors", |source| {
        let sources = std::slice::from_ref(source);
        let compilation = compile(sources, &Options::default());
        render(&compilation.diagnostics, sources, false)
    });
}

/// What the stages make of a file: conditions, conditions by event type, bits, layouts.
fn stages(source: &Source) -> String {
    let mut out = String::new();
    let mut diagnostics = Diagnostics::default();
    let sources = std::slice::from_ref(source);
    let Some(lowered) = front(sources, &mut diagnostics) else {
        return render(&diagnostics.finish(), sources, false);
    };
    if diagnostics.has_errors() {
        return render(&diagnostics.finish(), sources, false);
    }
    let mut graph = lowered.graph;
    out += "lowered\n";
    for rule in &lowered.rules {
        let _ = writeln!(out, "  {}: {}", rule.rule.name, graph.show(rule.root));
    }
    let roots: Vec<ir::Id> = lowered.rules.iter().map(|rule| rule.root).collect();
    let specialised = specialise_all(&mut graph, &roots);
    let programs = split::split(&mut graph, &specialised);
    out += "bits of the process\n";
    let bits = programs.bits.iter().enumerate();
    for (number, bit) in bits.filter(|(_, bit)| **bit != ir::Id::FALSE) {
        let _ = writeln!(out, "  {number}: {}", graph.show(*bit));
    }
    // Event types with the same rules are shown together.
    let mut groups: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for program in &programs.events {
        let rules: Vec<String> = program
            .rules
            .iter()
            .map(|(rule, condition)| {
                let name = &lowered.rules[*rule as usize].rule.name;
                format!("  {name}: {}", graph.show(*condition))
            })
            .collect();
        match groups.iter_mut().find(|(_, known)| *known == rules) {
            Some((events, _)) => events.push(program.event.name()),
            None => groups.push((vec![program.event.name()], rules)),
        }
    }
    for (events, rules) in groups {
        match events.len() {
            0..=8 => out += &events.join(", "),
            many => {
                let _ = write!(out, "{many} event types");
            }
        }
        out.push('\n');
        for rule in rules {
            out += &rule;
            out.push('\n');
        }
    }
    let compilation = compile(sources, &Options::default());
    let manifest = compilation
        .ruleset
        .map(|ruleset| ruleset.manifest)
        .unwrap_or_default();
    let slots = |slots: &[saker_rules_schema::manifest::Slot]| -> String {
        let slots: Vec<String> = slots
            .iter()
            .map(|slot| format!("{}{}", slot.term, if slot.bytes { " (bytes)" } else { "" }))
            .collect();
        slots.join(", ")
    };
    let _ = writeln!(out, "slots\n  process: {}", slots(&manifest.process));
    let mut seen = Vec::new();
    for layout in &manifest.events {
        let line = slots(&layout.slots);
        if !seen.contains(&line) {
            let _ = writeln!(out, "  {}: {line}", layout.event.name());
            seen.push(line);
        }
    }
    for rule in &manifest.rules {
        let _ = writeln!(out, "output of {}: {:?}", rule.name, rule.output);
    }
    out
}

#[test]
fn each_stage_makes_of_a_file_what_is_written_in_it() {
    hold("stages", stages);
}

#[test]
fn codes_are_never_given_twice() {
    let mut ids: Vec<&str> = crate::Code::ALL.iter().map(|code| code.id()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}
