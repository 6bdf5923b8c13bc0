//! Golden tests: a rule file with what comes of it behind `# expected:`, in one file. One that
//! begins with `# rule_matching: first` is compiled for that.
//! `BLESS=1` rewrites; then read the difference.

use crate::{
    Diagnostics, GO_ON, Options, Source, ast, compile, emit, front, guard, ir, render, share,
    specialise_all, split,
};
use std::collections::BTreeMap;
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
        let options = Options {
            first_match: source.text.starts_with("# rule_matching: first\n"),
            ..Options::default()
        };
        let compilation = compile(sources, &options);
        render(&compilation.diagnostics, sources, false)
    });
}

/// A syntax tree, a node a line.
fn tree(expr: &ast::Expr, depth: usize, out: &mut String) {
    let mut line = |text: &str| {
        let _ = writeln!(out, "{:1$}{text}", "", depth * 2);
    };
    let parts = match &expr.kind {
        ast::Kind::And(parts) => {
            line("and");
            &parts[..]
        }
        ast::Kind::Or(parts) => {
            line("or");
            &parts[..]
        }
        ast::Kind::Not(part) => {
            line("not");
            std::slice::from_ref(&**part)
        }
        ast::Kind::Macro(name) => {
            line(&format!("macro {name}"));
            &[]
        }
        ast::Kind::Invalid => {
            line("invalid");
            &[]
        }
        ast::Kind::Test(test) => {
            let modifier = test.modifier.map_or("", |(modifier, _)| modifier.name());
            let right = match &test.right {
                ast::Right::None => String::new(),
                ast::Right::Value(value) => format!("{:?}", value.text),
                ast::Right::List(values) => {
                    let texts: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
                    format!("{texts:?}")
                }
                ast::Right::Operand(right) => operand(right),
            };
            let words = [
                operand(&test.left),
                test.operator.name().into(),
                modifier.into(),
                right,
            ];
            let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
            line(&words.join(" "));
            &[]
        }
    };
    for part in parts {
        tree(part, depth + 1, out);
    }
}

fn operand(operand: &ast::Operand) -> String {
    match operand {
        ast::Operand::Field(field) => match &field.arg {
            Some(arg) => format!("{}[{arg:?}]", field.name),
            None => field.name.clone(),
        },
        ast::Operand::Transform(transform) => {
            let arguments: Vec<String> = transform.arguments.iter().map(argument).collect();
            let key = transform.key.as_ref();
            let key = key.map_or(String::new(), |key| format!("[{key:?}]"));
            let name = transform.transformer.name();
            format!("{name}({}){key}", arguments.join(", "))
        }
    }
}

fn argument(argument_: &ast::Argument) -> String {
    match argument_ {
        ast::Argument::Operand(inner) => operand(inner),
        ast::Argument::Text(value) => format!("{:?}", value.text),
        ast::Argument::List(elements) => {
            let elements: Vec<String> = elements.iter().map(argument).collect();
            format!("[{}]", elements.join(", "))
        }
    }
}

#[test]
fn conditions_are_parsed_to_trees() {
    hold("trees", |source| {
        let mut diagnostics = Diagnostics::default();
        let items = crate::read::read(source, 0, &mut Vec::new(), &mut diagnostics);
        let collected = crate::collect::collect(items, &mut diagnostics);
        let resolved = crate::resolve::resolve(&collected, &mut diagnostics);
        let mut out = String::new();
        for (rule, condition) in collected.rules.iter().zip(&resolved.rules) {
            let _ = writeln!(out, "{}", rule.name.as_str());
            tree(condition, 1, &mut out);
        }
        out + &render(&diagnostics.finish(), std::slice::from_ref(source), false)
    });
}

#[test]
fn conditions_become_wasm() {
    hold("wasm", |source| {
        let compilation = compile(std::slice::from_ref(source), &Options::default());
        let ruleset = compilation.ruleset.expect("the rules are right");
        let text = wasmprinter::print_bytes(&ruleset.wasm).expect("our own modules print");
        // What every module has comes first, the functions of its own conditions behind it.
        let own = format!("(func (;{};)", emit::FUNCTIONS.first);
        let start = text.find(&own).expect("there is one function at least");
        let end = text[start..]
            .find("\n  (@custom")
            .map_or(text.len(), |end| start + end);
        text[start..end].to_string()
    });
}

/// What the stages make of a file: conditions, conditions by event type, bits, layouts.
fn stages(source: &Source) -> String {
    let mut out = String::new();
    let mut diagnostics = Diagnostics::default();
    let sources = std::slice::from_ref(source);
    let Some(lowered) =
        front(sources, &mut Vec::new(), &mut diagnostics, GO_ON).map(|front| front.lowered)
    else {
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
    let specialised = specialise_all(&mut graph, &roots, GO_ON);
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
    let plans = sharing(&graph, &programs);
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
        if let Some(plan) = plans.get(events[0]) {
            out += plan;
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

/// By event type: what its rules are asked together, and what is computed once for several.
fn sharing(graph: &ir::Graph, programs: &split::Programs) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::new();
    for program in &programs.events {
        let roots: Vec<ir::Id> = program.rules.iter().map(|(_, root)| *root).collect();
        let layout = emit::layout(graph, &roots, &programs.bit_of, &Options::default());
        let slots = layout.expect("the rules are few").slot_of;
        let mut out = String::new();
        let mut costs = share::Costs::new(graph, &programs.bit_of);
        for id in share::shared(graph, &roots, &mut costs) {
            let _ = writeln!(out, "  once: {}", graph.show(id));
        }
        let groups = guard::groups(graph, &roots, &programs.bit_of, &slots, &mut costs);
        for id in share::early(graph, &roots, &groups.hot(&roots), &mut costs) {
            let _ = writeln!(out, "  first: {}", graph.show(id));
        }
        let name = |slot: &u16| {
            let found = slots.iter().find(|(_, known)| *known == slot);
            found.map_or(String::new(), |(term, _)| term.to_string())
        };
        let sign = |sign: &guard::Sign| match sign {
            guard::Sign::In(_, tests) => {
                let tests: Vec<String> =
                    tests.iter().map(|id| graph.show(*id).to_string()).collect();
                tests.join(" or ")
            }
            guard::Sign::Starts(slot, edge) => {
                format!(
                    "{} begins with \"{}\"",
                    name(slot),
                    edge.bytes().escape_ascii()
                )
            }
            guard::Sign::Ends(slot, edge) => {
                format!(
                    "{} ends with \"{}\"",
                    name(slot),
                    edge.bytes().escape_ascii()
                )
            }
            guard::Sign::Test(id) => graph.show(*id).to_string(),
            guard::Sign::Bits { word, mask } => format!("a bit of {mask:#x} in word {word}"),
        };
        let signs = |signs: &[guard::Sign]| -> String {
            let signs: Vec<String> = signs.iter().map(sign).collect();
            signs.join(" or ")
        };
        if !groups.rare.is_empty() {
            let _ = writeln!(out, "  rarely: {}", signs(&groups.rare_signs));
        }
        for group in &groups.rare {
            let _ = writeln!(
                out,
                "    only if {}: {:?}",
                signs(&group.signs),
                group.members
            );
        }
        let others = groups.others.iter();
        for group in others.filter(|group| !group.signs.is_empty()) {
            let _ = writeln!(
                out,
                "  only if {}: {:?}",
                signs(&group.signs),
                group.members
            );
        }
        all.insert(program.event.name(), out);
    }
    all
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
