//! Falco's own rule files and verdicts, read where they lie; skipped, visibly, without them.

mod support;

use saker_rules_compiler::{
    Code, Listing, Options, Severity, Source, compile, describe, oracle, render,
};
use saker_rules_schema::event::{
    Base, CREATES_FD, DESTROYS_FD, EventType, LARGE_PAYLOAD, MODIFIES_STATE, OLD_VERSION, Param,
    ParamType, READS_FD, SKIPS_RESET, UNUSED, USES_FD, WAITS, WRITES_FD,
};
use saker_rules_schema::field::{ArgKind, Field, Flag, Type};
use saker_rules_schema::wire::{CODES, wire};
use std::collections::{BTreeMap, BTreeSet};
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

/// What stands in for the made-up fields of upstream's tests.
fn ours(filter: &str) -> String {
    filter
        .replace("c.true=1", "proc.exe = yes")
        .replace("c.false=1", "proc.exe = no")
        .replace("c.true", "fd.name")
        .replace("c.singlequote", "proc.name")
        .replace("c.doublequote", "proc.pname")
        .replace("c.buffer", "evt.buffer")
}

#[test]
fn filters_compile_and_hold_as_falcos_do() {
    let Some(folder) = falco("filters_compile_and_hold_as_falcos_do") else {
        return;
    };
    let facts = support::facts(&[
        ("proc.exe", "yes"),
        ("proc.name", "hello 'quoted'"),
        ("proc.pname", "hello \"quoted\""),
    ]);
    let mut wrong = Vec::new();
    let cases = cases(&folder, "filter_compiler.json");
    assert!(cases.len() > 250);
    for case in &cases {
        let filter = ours(case["filter"].as_str().expect("every case has a filter"));
        let compilation = support::compiled(&rule(&filter));
        if case["kind"] == "run_mock" {
            let ruleset = compilation.ruleset.unwrap_or_else(|| panic!("{filter}"));
            let values = support::Known(&facts);
            let holds = oracle::holds(&ruleset.conditions[0], &values, EventType::Openat);
            if Some(holds) != case["result"].as_bool() {
                wrong.push(format!("{filter} is {}", case["result"]));
            }
            continue;
        }
        let warnings = compilation.diagnostics.iter().filter(|found| {
            // What filters by themselves, which these are, are not warned of.
            let of_rules = [Code::NoEventType, Code::NeverTrue, Code::Deprecated];
            found.severity() == Severity::Warning && !of_rules.contains(&found.code)
        });
        if case["test"] == "compilation_warnings"
            && Some(warnings.count() as u64) != case["warnings"].as_u64()
        {
            wrong.push(format!("{filter} has {} warnings", case["warnings"]));
        }
        if Some(compilation.ruleset.is_none()) != case["expect_fail"].as_bool() {
            wrong.push(format!("{filter} fails: {}", case["expect_fail"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The rule that upstream's test puts before cases that begin with `exceptions:`.
const EXCEPTIONS_OF: &str = "- rule: test_rule
  desc: test rule
  condition: evt.type = open
  output: command=%proc.cmdline
  priority: INFO
";

/// Falco's messages in the cases: how each begins or a part of it that tells it from the others,
/// our code for the same, and whether what stands in quotes there must be named here as well.
const LOADER_MESSAGES: &[(&str, &str, bool)] = &[
    ("'append' key is deprecated", "S204", false),
    (
        "The standalone 'enabled' key usage is deprecated",
        "S204",
        false,
    ),
    ("usage of deprecated field", "S204", true),
    ("evt.dir", "S204", false),
    (
        "Keys 'override' and 'append: true' cannot be used together",
        "S203",
        false,
    ),
    ("override for 'condition' was specified but", "S203", true),
    ("Unexpected key", "S203", true),
    ("but no rule by that name already exists", "S202", false),
    ("but no list by that name already exists", "S202", false),
    ("WARNING_NO_EVTTYPE", "S701", false),
    ("Unable to parse engine version", "S214", false),
    ("Macro has an invalid name", "S205", false),
    ("List has an invalid name", "S206", false),
    (
        "Overriding/appending exception with no values",
        "S212",
        false,
    ),
    ("Multiple definitions of exception", "S213", false),
    (
        "may be a valid field misused as a const string value",
        "S513",
        true,
    ),
    (
        "may be a valid field transformer misused as a const string value",
        "S514",
        true,
    ),
    (
        "Rule has been re-defined with a different source",
        "S208",
        false,
    ),
    ("Unknown key", "S105", true),
    ("is not a supported comparison operator", "S211", true),
    ("comps must be one of", "S211", false),
];

/// What cases want of fields whose value the extracted data lost.
const LOADER_VALUES: &[(&str, &str)] = &[
    ("rule_capture_enabled", "true"),
    ("rule_capture_duration", "10000"),
    ("rule_override_capture_duration_replace", "15000"),
];

/// A value of `falco -L` by its path.
fn described(listing: &Listing, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('.').collect();
    let number = |text: &str| text.parse::<usize>().ok();
    match parts.as_slice() {
        ["rules", at, "info", key] => {
            let rule = listing.rules.get(number(at)?)?;
            Some(match *key {
                "condition" => rule.condition.written.clone(),
                "output" => rule.output.clone(),
                "description" => rule.description.clone(),
                "priority" => rule.priority.name().to_string(),
                "capture" => rule.capture.to_string(),
                "capture_duration" => rule.capture_duration.to_string(),
                _ => return None,
            })
        }
        ["lists", at, "details", "items_compiled", item] => {
            let list = listing.lists.get(number(at)?)?;
            list.items_compiled.get(number(item)?).cloned()
        }
        _ => None,
    }
}

/// What a case wants and does not get.
fn loader_faults(case: &serde_json::Value) -> Vec<String> {
    let name = case["test"].as_str().expect("every case has a name");
    let sources: Vec<Source> = case["yaml"]
        .as_array()
        .expect("a list of files")
        .iter()
        .filter_map(|file| file.as_str())
        .map(|text| match text.trim_start().starts_with("exceptions:") {
            true => support::source(&format!("{EXCEPTIONS_OF}{text}")),
            false => support::source(text),
        })
        .collect();
    let compilation = compile(&sources, &Options::default());
    let listing = describe(&sources).listing;
    let mut faults = Vec::new();
    for ok in [compilation.ruleset.is_some(), listing.is_some()] {
        if Some(ok) != case["load_ok"].as_bool() {
            faults.push(format!("loads: {ok}"));
        }
    }
    let listing = listing.unwrap_or_default();
    for assert in case["asserts"].as_array().expect("a list") {
        let wanted = assert["value"].as_str();
        match assert["kind"].as_str().expect("a kind") {
            "compiled_condition" => {
                assert_eq!(assert["op"], "EQ");
                let mut rules = listing.rules.iter();
                let rule = rules.find(|rule| assert["rule"] == rule.name);
                let compiled = rule.map(|rule| rule.condition.compiled.as_str());
                if compiled != wanted {
                    faults.push(format!("compiled: {compiled:?}\n  wanted: {wanted:?}"));
                }
            }
            "describe" => {
                let path = assert["path"].as_array().expect("a path");
                let parts = path.iter().filter_map(|part| part.as_str());
                let parts: Vec<&str> = parts.map(|part| part.trim_matches('"')).collect();
                let path = parts.join(".");
                let lost = LOADER_VALUES.iter().find(|(lost, _)| *lost == name);
                let wanted = wanted.or(lost.map(|(_, value)| *value));
                let value = described(&listing, &path);
                if value.is_none() || value.as_deref() != wanted {
                    faults.push(format!("{path}: {value:?}, wanted: {wanted:?}"));
                }
            }
            kind @ ("warning_message_contains" | "error_message_contains") => {
                let severity = match kind {
                    "error_message_contains" => Severity::Error,
                    _ => Severity::Warning,
                };
                let text = wanted.expect("a text");
                let (_, code, named) = LOADER_MESSAGES
                    .iter()
                    .find(|(message, ..)| text.contains(message))
                    .unwrap_or_else(|| panic!("no code for {text}"));
                let names: Vec<&str> = match named {
                    true => text.split('\'').skip(1).step_by(2).collect(),
                    false => Vec::new(),
                };
                let said = compilation.diagnostics.iter().any(|found| {
                    let words = format!("{} {:?}", found.message, found.help);
                    found.code.id() == *code
                        && found.severity() == severity
                        && names.iter().all(|name| words.contains(*name))
                });
                if Some(said) != assert["expect"].as_bool() {
                    faults.push(format!("says {said}: {text}"));
                }
            }
            "has_warnings" => {
                let warns = !compilation.diagnostics.is_empty();
                if Some(warns) != assert["value"].as_bool() {
                    faults.push(format!("warns: {warns}"));
                }
            }
            other => faults.push(format!("unknown kind {other}")),
        }
    }
    if !faults.is_empty() {
        faults.push(render(&compilation.diagnostics, &sources, false));
    }
    faults
}

#[test]
fn the_loader_does_and_says_what_falcos_does() {
    let Some(folder) = falco("the_loader_does_and_says_what_falcos_does") else {
        return;
    };
    let cases = cases(&folder, "falco_rule_loader_cases.json");
    assert_eq!(cases.len(), 75);
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case["test"].as_str().expect("every case has a name");
        let faults = loader_faults(case);
        if !faults.is_empty() {
            wrong.push(format!("{name}: {}", faults.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Falco's names for codes that it has changed since the legacy cases were written.
const RENAMED: &[(&str, &str)] = &[("LOAD_UNKNOWN_FIELD", "LOAD_UNKNOWN_FILTER")];

#[test]
fn the_validator_gives_the_codes_that_falcos_does() {
    let Some(folder) = falco("the_validator_gives_the_codes_that_falcos_does") else {
        return;
    };
    let mut wrong = Vec::new();
    let mut held = 0;
    for case in cases(&folder, "falco_legacy_cases.json") {
        let Some(files) = case["validate_rules_file"].as_array() else {
            continue;
        };
        let sources: Vec<Source> = files
            .iter()
            .filter_map(|file| file.as_str())
            .map(|file| std::fs::read_to_string(folder.join("legacy").join(file)))
            .map(|text| support::source(&text.expect("the file is there")))
            .collect();
        let compilation = compile(&sources, &Options::default());
        let refused = compilation.ruleset.is_none();
        let errors = case["validate_errors"].as_array();
        let warnings = case["validate_warnings"].as_array();
        // A file that is refused has warnings only of what Falco met before the error.
        let warnings = warnings.filter(|_| !refused);
        let codes: BTreeSet<&str> = (compilation.diagnostics.iter())
            .map(|found| found.code.falco())
            .collect();
        let wanted = errors.into_iter().chain(warnings).flatten();
        let missing: Vec<&str> = wanted
            .filter_map(|wanted| wanted["code"].as_str())
            .map(|code| {
                let renamed = RENAMED.iter().find(|(old, _)| *old == code);
                renamed.map_or(code, |(_, new)| new)
            })
            .filter(|code| !codes.contains(code))
            .collect();
        held += 1;
        if refused != errors.is_some() || !missing.is_empty() {
            let shown = render(&compilation.diagnostics, &sources, false);
            wrong.push(format!("{}: no {missing:?} in\n{shown}", case["name"]));
        }
    }
    assert!(held > 30, "{held}");
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
                .all(|error| error.ends_with("is not supported yet")),
            "{errors:#?}"
        );
    }
}

/// Falco's words for a field's flags.
fn flags_of(field: Field) -> BTreeSet<&'static str> {
    let arguments: &[&str] = match field.arg() {
        ArgKind::None => &[],
        ArgKind::Index | ArgKind::Key | ArgKind::IndexOrKey => &["ARG_ALLOWED"],
        ArgKind::KeyRequired | ArgKind::Side => &["ARG_REQUIRED"],
        ArgKind::IndexOrKeyRequired => &["ARG_REQUIRED", "ARG_INDEX", "ARG_KEY"],
    };
    let flags = field.flags().iter().map(|flag| match flag {
        Flag::Deprecated => "DEPRECATED",
        Flag::FilterOnly => "FILTER_ONLY",
        Flag::PrintOnly => "PRINT_ONLY",
        Flag::TableOnly => "TABLE_ONLY",
        Flag::List => "IS_LIST",
        Flag::NoRhs => "NO_RHS",
        Flag::NoTransformer => "NO_TRANSFORMER",
    });
    arguments.iter().copied().chain(flags).collect()
}

/// Our type for one of Falco's.
fn type_of(falco: &str) -> Option<Type> {
    Some(match falco {
        // A parameter's raw value has the parameter's type; Saker takes it as text.
        "CHARBUF" | "DYN" => Type::Text,
        "BOOL" => Type::Bool,
        "INT16" | "INT32" | "INT64" => Type::Int,
        "UINT32" | "UINT64" => Type::Uint,
        "PORT" => Type::Port,
        "IPADDR" => Type::IpAddr,
        "IPNET" => Type::IpNet,
        "ABSTIME" => Type::AbsTime,
        "RELTIME" => Type::RelTime,
        "BYTEBUF" => Type::Bytes,
        "DOUBLE" => Type::Double,
        _ => return None,
    })
}

#[test]
fn the_catalogue_has_falcos_fields_with_their_types_and_flags() {
    let Some(folder) = falco("the_catalogue_has_falcos_fields_with_their_types_and_flags") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("fields.json")).expect("it is there");
    let theirs: Vec<serde_json::Value> = serde_json::from_str(&text).expect("it is JSON");
    let mut left: BTreeMap<&str, Field> = Field::ALL
        .iter()
        .map(|field| (field.name(), *field))
        .collect();
    let mut wrong = Vec::new();
    for their in &theirs {
        let name = their["name"].as_str().expect("a field has a name");
        // Falco's inner check for literal text in outputs is no field anybody can name.
        if name == "NA" {
            continue;
        }
        let Some(field) = left.remove(name) else {
            wrong.push(format!("{name} is missing"));
            continue;
        };
        let kind = their["type"].as_str().and_then(type_of);
        if kind != Some(field.kind()) {
            wrong.push(format!(
                "{name} is {}, not {:?}",
                their["type"],
                field.kind()
            ));
        }
        let flags: BTreeSet<&str> = their["flags"]
            .as_array()
            .expect("a field has flags")
            .iter()
            .filter_map(|flag| flag.as_str())
            .collect();
        if flags != flags_of(field) {
            wrong.push(format!("{name} has {flags:?}, not {:?}", flags_of(field)));
        }
    }
    wrong.extend(left.keys().map(|name| format!("Falco has no {name}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Falco's name of a parameter's type, with its width.
fn param_type(param: &Param) -> String {
    let width = |name: &str| format!("{name}{}", param.width.unwrap_or_default() * 8);
    let name = match param.kind {
        ParamType::Errno => "ERRNO",
        // The table's data has no names for the two types of 32 bits.
        ParamType::Fd | ParamType::Pid if param.width == Some(4) => "",
        ParamType::Fd => "FD",
        ParamType::Pid => "PID",
        ParamType::Uid => "UID",
        ParamType::Gid => "GID",
        ParamType::Signal => "SIGTYPE",
        ParamType::SignalSet => "SIGSET",
        ParamType::SyscallId => "SYSCALLID",
        ParamType::U8 | ParamType::U16 | ParamType::U32 | ParamType::U64 => return width("UINT"),
        ParamType::I16 | ParamType::I32 | ParamType::I64 => return width("INT"),
        ParamType::Time => "ABSTIME",
        ParamType::RelTime => "RELTIME",
        ParamType::Port => "PORT",
        ParamType::Flags => return width("FLAGS"),
        ParamType::Enum => return width("ENUMFLAGS"),
        ParamType::Mode => "MODE",
        ParamType::Text => "CHARBUF",
        ParamType::Path => "FSPATH",
        ParamType::RelativePath => "FSRELPATH",
        ParamType::Bytes => "BYTEBUF",
        ParamType::TextList => "CHARBUFARRAY",
        ParamType::PairList => "CHARBUF_PAIR_ARRAY",
        ParamType::FdList => "FDLIST",
        ParamType::Tuple => "SOCKTUPLE",
        ParamType::Address => "SOCKADDR",
        ParamType::Ipv4 => "IPV4ADDR",
        ParamType::Ipv6 => "IPV6ADDR",
        ParamType::Dyn(_) => "DYN",
    };
    name.to_string()
}

/// Bytes of a value of Falco's type, where all have as many.
fn width_of(kind: &str) -> Option<u8> {
    let bits = |name: &str| {
        kind.strip_prefix(name)
            .and_then(|bits| bits.parse::<u8>().ok())
    };
    if let Some(bits) = ["UINT", "INT", "FLAGS", "ENUMFLAGS"]
        .into_iter()
        .find_map(bits)
    {
        return Some(bits / 8);
    }
    match kind {
        "SIGTYPE" => Some(1),
        "SYSCALLID" | "PORT" => Some(2),
        "UID" | "GID" | "MODE" | "SIGSET" | "IPV4ADDR" | "" => Some(4),
        "ERRNO" | "FD" | "PID" | "ABSTIME" | "RELTIME" => Some(8),
        "IPV6ADDR" => Some(16),
        _ => None,
    }
}

const EVENT_FLAGS: [(u16, &str); 11] = [
    (CREATES_FD, "CREATES_FD"),
    (USES_FD, "USES_FD"),
    (MODIFIES_STATE, "MODIFIES_STATE"),
    (DESTROYS_FD, "DESTROYS_FD"),
    (READS_FD, "READS_FROM_FD"),
    (WRITES_FD, "WRITES_TO_FD"),
    (WAITS, "WAITS"),
    (SKIPS_RESET, "SKIPPARSERESET"),
    (LARGE_PAYLOAD, "LARGE_PAYLOAD"),
    (OLD_VERSION, "OLD_VERSION"),
    (UNUSED, "UNUSED"),
];

fn texts(of: &serde_json::Value) -> BTreeSet<&str> {
    let list = of.as_array().expect("a list");
    list.iter().filter_map(|text| text.as_str()).collect()
}

/// What differs between a parameter of ours and one of Falco's table.
fn param_differs(ours: &Param, theirs: &serde_json::Value) -> bool {
    let base = match theirs["fmt"].as_str() {
        Some("na") if matches!(ours.kind.raw(), Type::Int | Type::Uint) => Base::Unset,
        // What is no number is printed in no base.
        Some("dec" | "na") => Base::Decimal,
        Some("hex") => Base::Hexadecimal,
        Some("oct") => Base::Octal,
        other => panic!("{other:?} is no format"),
    };
    let kind = theirs["type"].as_str().expect("a parameter has a type");
    let variants = match ours.kind {
        ParamType::Dyn(variants) => variants.params().len() as u64,
        _ => 0,
    };
    theirs["name"] != ours.name
        || param_type(ours) != kind
        || ours.width != width_of(kind)
        || ours.base != base
        || ours.symbols.is_empty() != theirs["symbols"].is_null()
        || theirs["variants"].as_u64().unwrap_or_default() != variants
}

#[test]
fn every_code_of_falcos_event_table_is_known_as_it_is() {
    let Some(folder) = falco("every_code_of_falcos_event_table_is_known_as_it_is") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("event_table.json")).expect("it is there");
    let theirs: Vec<serde_json::Value> = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(theirs.len(), CODES);
    let mut wrong = Vec::new();
    let lines = text.lines().filter(|line| line.starts_with(" {"));
    for ((code, their), line) in (0..).zip(&theirs).zip(lines) {
        assert_eq!(their["code"], code);
        let ours = wire(code).expect("as many as there are");
        let flags: BTreeSet<&str> = EVENT_FLAGS
            .iter()
            .filter(|(bit, _)| ours.flags & bit != 0)
            .map(|(_, name)| *name)
            .collect();
        let mut their_flags = texts(&their["flags"]);
        // Which of Falco's own tables an event goes through when it is read.
        their_flags.remove("CONVERTER_MANAGED");
        let params = their["params"].as_array().expect("an event has parameters");
        let differs = their["name"] != ours.name
            || their["exit"] != ours.is_exit
            || their["category"] != ours.class.number() | ours.category.number()
            || their_flags != flags
            || params.len() != ours.params.len()
            || params
                .iter()
                .zip(ours.params)
                .any(|(their, our)| param_differs(our, their));
        if differs {
            wrong.push(format!("{code} is {their}, not {ours:?}"));
        }
        // Symbols are printed in their order, and one stands there twice: only the text tells.
        for param in ours.params.iter().filter(|param| !param.symbols.is_empty()) {
            let named = |(name, value): &(&str, u64)| format!("\"{name}\":{value}");
            let symbols: Vec<String> = param.symbols.iter().map(named).collect();
            let symbols = format!("\"symbols\":{{{}}}", symbols.join(","));
            assert!(line.contains(&symbols), "{code}: {symbols}");
        }
        // What a current code leads to is itself; any other leads to an event of its name, but
        // that an `accept4` was called `accept` once.
        let is_old = flags.contains("OLD_VERSION") || flags.contains("UNUSED");
        let event = EventType::from_code(code);
        match ours.event {
            Some(EventType::Accept4) if [56, 57, 248, 249].contains(&code) => {
                assert_eq!(ours.name, "accept");
            }
            Some(event) => assert_eq!(event.name(), ours.name),
            None => assert!(is_old, "{code} leads nowhere"),
        }
        match ours.is_current() {
            true => assert!(event == ours.event && !is_old, "{code}"),
            // The beginnings of a few calls are recorded on their own even now.
            false => assert!(event.is_none() && (is_old || code % 2 == 0), "{code}"),
        }
        if let Some(event) = event {
            assert!(ours.is_current());
            assert_eq!(event.params().len(), ours.params.len());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        theirs.iter().filter(|their| their["name"] == "NA").count(),
        35
    );
    let current = (0..)
        .map_while(wire)
        .filter(|wire| wire.is_current())
        .count();
    assert_eq!(current, EventType::COUNT);
}

#[test]
fn the_descriptor_of_an_event_is_the_one_falco_takes() {
    for event in EventType::ALL {
        let has = event.flags() & (CREATES_FD | USES_FD | DESTROYS_FD) != 0;
        assert_eq!(event.fd_param().is_some(), has, "{}", event.name());
        let Some(param) = event.fd_param().and_then(|at| event.params().get(at)) else {
            continue;
        };
        // Some calls that make a descriptor return it as any other result.
        let is_result = event.flags() & CREATES_FD != 0 && param.name == "res";
        assert!(
            param.kind == ParamType::Fd || (param.kind == ParamType::Errno && is_result),
            "{}",
            event.name()
        );
    }
    // As `fd.num` is in Falco's account of captures.
    for (event, param) in [
        (EventType::Openat, "fd"),
        (EventType::EpollCreate1, "res"),
        (EventType::Dup, "res"),
        (EventType::Fcntl, "fd"),
        (EventType::Pipe2, "fd2"),
        (EventType::Socketpair, "fd2"),
        (EventType::Recvfrom, "fd"),
        (EventType::Mmap, "fd"),
        (EventType::Sendfile, "out_fd"),
        (EventType::CopyFileRange, "fdout"),
        (EventType::Newfstatat, "dirfd"),
        (EventType::Symlinkat, "linkdirfd"),
    ] {
        assert_eq!(event.fd_param(), event.param(param), "{}", event.name());
    }
    for event in [
        EventType::Linkat,
        EventType::Renameat,
        EventType::CloseRange,
    ] {
        assert_eq!(event.fd_param(), None);
    }
}
